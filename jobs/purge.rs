//! Purges what a decision says may be purged, and nothing else (REF-14): a class without a decision's reference is
//! kept for ever, and the attempt to purge it is an error that says so.

use std::time::Duration;

use crate::app::App;
use crate::clock::Time;
use crate::config::Retention;
use crate::db::Tx;
use crate::journal::{self, Fact};
use crate::{case, chat, mention, source};

/// How many rows of a class go in one transaction.
const ROWS_AT_A_TIME: i64 = 500;
/// How many transactions one run makes for a class; the next run takes the rest.
const ROUNDS: usize = 200;

/// Runs every class that has a decision; classes without one are left alone without a word, since keeping is lawful.
///
/// # Errors
/// What the database says.
pub async fn run(app: &App, now: Time) -> anyhow::Result<()> {
    for class in &app.config.retention {
        if class.decision.is_some() {
            let gone = purge(app, class, now).await?;
            if gone > 0 {
                tracing::info!(class = %class.class, gone, "purged by decision");
            }
        }
    }
    Ok(())
}

/// Why nothing was purged.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    /// No decision, no purge.
    #[error(
        "retention class {0} has no decision: write `decision = \"…\"` (diarienummer of the gallringsbeslut) under its [[retention]] in config/lyhord.toml; nothing was purged"
    )]
    NoDecision(String),
    /// The database did not let us.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Purges one class and returns how many rows went.
///
/// # Errors
/// [`PurgeError::NoDecision`] when no decision stands behind it.
pub async fn purge(app: &App, class: &Retention, now: Time) -> Result<u64, PurgeError> {
    let Some(decision) = &class.decision else { return Err(PurgeError::NoDecision(class.class.clone())) };
    let before = now.minus(Duration::from_secs(u64::from(class.keep_days) * 24 * 60 * 60));
    let mut gone = 0;
    for _ in 0..ROUNDS {
        let mut tx = app.db.write().await?;
        let rows = purge_rows(&mut tx, &class.class, before).await?;
        if rows == 0 {
            break;
        }
        gone += rows;
        // A picture goes with the words that it shows.
        source::tip_store::purge_with_words(&mut tx).await?;
        let body = serde_json::json!({ "class": class.class, "decision": decision, "before": before.to_string(), "rows": rows });
        let fact =
            Fact { at: now, actor: "lyhord".to_owned(), kind: "retention.purged", case: None, mention: None, body };
        journal::append(&mut tx, &[fact]).await?;
        tx.commit().await?;
    }
    Ok(gone)
}

async fn purge_rows(tx: &mut Tx, class: &str, before: Time) -> sqlx::Result<u64> {
    match class {
        "R1" => mention::store::purge_without_case(tx, before, ROWS_AT_A_TIME).await,
        "R2" => case::store::purge_words(tx, ROUTINE, before, ROWS_AT_A_TIME).await,
        "R3" => case::store::purge_words(tx, OPINIONS, before, ROWS_AT_A_TIME).await,
        "R4" => mention::version_store::purge_taken_away(tx, before, ROWS_AT_A_TIME).await,
        _ => chat::store::purge_old(tx, before, ROWS_AT_A_TIME).await,
    }
}

/// Intents whose cases are routine (R2). Threats and requests for documents follow other decisions and are not here.
const ROUTINE: &str = "|fraga|felanmalan|berom|media|rykte|information|";
/// Intents whose cases are opinions with handling (R3).
const OPINIONS: &str = "|klagomal|synpunkt-forslag|";
