//! For machines that watch over us: alive, ready, and the measurements.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Site;
use super::fault::Fault;
use crate::audit::metrics::{Numbers, process, text};

pub(super) async fn live() -> &'static str {
    "lever\n"
}

/// Ready when the database answers and its schema is the one that this program was started with: a database that has
/// been restored from an older copy under our feet is not.
pub(super) async fn ready(State(site): State<Site>) -> Response {
    match newest(&site).await {
        Ok(true) => (StatusCode::OK, "redo\n").into_response(),
        Ok(false) => {
            (StatusCode::SERVICE_UNAVAILABLE, "databasen har inte det schema programmet väntar sig\n").into_response()
        }
        Err(fault) => {
            tracing::warn!(%fault, "not ready: the database does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "databasen svarar inte\n").into_response()
        }
    }
}

async fn newest(site: &Site) -> sqlx::Result<bool> {
    let mut tx = site.db.read().await?;
    Ok(super::store::newest_migration(&mut tx).await? >= crate::db::newest_known(tx.engine()))
}

pub(super) async fn metrics(State(site): State<Site>) -> Result<Response, Fault> {
    let now = site.clock.now();
    let mut tx = site.db.read().await?;
    let (open, late, _) = crate::case::list_store::counts(&mut tx, "", now).await?;
    let numbers = Numbers {
        mentions_waiting: crate::mention::store::waiting(&mut tx).await?,
        cases_open: open,
        cases_late: late,
        sources: crate::source::store::health_counts(&mut tx).await?,
        messages: crate::chat::store::states(&mut tx).await?,
        jobs: crate::queue::depth(&mut tx).await?,
        // Elsewhere than on Linux there is no such file, and then no such series.
        process: tokio::fs::read_to_string("/proc/self/stat").await.ok().as_deref().and_then(process),
    };
    let text = text(&numbers).map_err(|fault| Fault::Own(fault.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}
