//! The stylesheet and the one small script, carried in the program and kept by browsers until they change.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;

const CSS: &str = include_str!("lyhord.css");
const JS: &str = include_str!("lyhord.js");
/// A year: the address changes with the contents.
const KEEP: &str = "public, max-age=31536000, immutable";

static VERSION: LazyLock<String> =
    LazyLock::new(|| super::secret::hash(&format!("{CSS}{JS}")).chars().take(12).collect());

/// Changes with the contents.
pub(super) fn version() -> &'static str {
    &VERSION
}

pub(super) async fn css() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, KEEP)], CSS)
}

pub(super) async fn js() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), (header::CACHE_CONTROL, KEEP)], JS)
}

pub(super) async fn robots() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], "User-agent: *\nAllow: /sa-bevakar-vi\nDisallow: /\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a page may cost one with a slow line: web/README says 40 KB for stylesheet and script together.
    const BYTES_MAX: usize = 40 * 1024;

    #[test]
    fn stylesheet_and_script_are_light() {
        assert!(CSS.len() + JS.len() < BYTES_MAX, "{} bytes", CSS.len() + JS.len());
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        for text in [CSS, JS] {
            assert!(!text.contains("http://") && !text.contains("https://") && !text.contains("@import"));
        }
    }
}
