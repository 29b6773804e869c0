//! What all addresses that services post to have in common: no session, a proof of their own, and a bound on how
//! often anybody at all is listened to.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// Where every such address begins, so that none can be mistaken for a page.
pub const PREFIX: &str = "/krok/";

/// Requests a second to all of them together, and as many at once: a municipality presses a few a minute, and what a
/// service does not get through it posts again.
const PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(49);

/// The routes, listened to no more than [`PER_SECOND`]; what comes on top is turned away before it is read.
pub fn bounded(routes: Router) -> Router {
    let limit: Arc<DefaultDirectRateLimiter> = Arc::new(RateLimiter::direct(Quota::per_second(PER_SECOND)));
    routes.layer(from_fn_with_state(limit, admit))
}

async fn admit(State(limit): State<Arc<DefaultDirectRateLimiter>>, request: Request, next: Next) -> Response {
    if limit.check().is_err() {
        return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")]).into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use axum::routing::post;

    use super::*;
    use crate::chat::wire::serve;

    #[tokio::test]
    async fn a_flood_is_turned_away_before_it_is_read() {
        let routes = bounded(Router::new().route("/krok/x", post(|| async { "hört" })));
        let url = serve(routes).await.join("krok/x").unwrap();
        let client = reqwest::Client::new();
        let mut statuses = Vec::new();
        for _ in 0..200 {
            statuses.push(client.post(url.clone()).send().await.unwrap().status().as_u16());
        }
        assert_eq!(statuses[0], 200);
        assert!(statuses.contains(&429), "{statuses:?}");
    }
}
