//! The local web server that plays the day: each feed in its own format, as real sites serve them.
//!
//! A feed shows only what has been written by the given clock, answers 304 to a reader that has the same, and links
//! to a small page for each post. How a feed is written stands in [`write`].

pub mod write;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use jiff::fmt::rfc2822::DateTimePrinter;
use sha2::{Digest, Sha256};

use super::day::{Day, Format};
use crate::clock::{Clock, Time};
use crate::hex::hex;

/// What the handlers share.
#[derive(Debug, Clone)]
struct Stage {
    day: Arc<Day>,
    clock: Clock,
}

/// The whole server: `/` lists the feeds, `/feeds/<key>` is a feed, `/p/<id>` is a post.
pub fn router(day: Arc<Day>, clock: Clock) -> Router {
    Router::new()
        .route("/", get(front))
        .route("/feeds/{key}", get(feed))
        .route("/p/{id}", get(post))
        .with_state(Stage { day, clock })
}

async fn front(State(stage): State<Stage>) -> Html<String> {
    Html(write::front(&stage.day, stage.clock.now()))
}

async fn post(State(stage): State<Stage>, Path(id): Path<String>) -> Response {
    match stage.day.post(&id, stage.clock.now()) {
        Some(post) => Html(write::page(post)).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn feed(State(stage): State<Stage>, Path(key): Path<String>, headers: HeaderMap) -> Response {
    respond(&stage.day, &key, &headers, stage.clock.now())
}

/// The answer to one reading of a feed.
fn respond(day: &Day, key: &str, asked: &HeaderMap, now: Time) -> Response {
    let Some(feed) = day.feed(key) else { return StatusCode::NOT_FOUND.into_response() };
    let posts = day.posts_until(key, now);
    let changed_at = posts.first().map_or_else(super::starts_at, |post| post.at);
    let body = write::feed(feed, &posts, &base(asked), changed_at);
    let etag = etag(&body);
    let fresh = [(header::ETAG, etag.clone()), (header::LAST_MODIFIED, http_date(changed_at))];
    if is_known(asked, &etag, changed_at) {
        return (StatusCode::NOT_MODIFIED, fresh).into_response();
    }
    let kind = match feed.format {
        Format::Rss => "application/rss+xml; charset=utf-8",
        Format::Atom => "application/atom+xml; charset=utf-8",
        Format::Json => "application/feed+json; charset=utf-8",
        Format::Rdf => "application/rdf+xml; charset=utf-8",
    };
    (fresh, [(header::CONTENT_TYPE, kind)], body).into_response()
}

/// Where the links of a feed begin. Only an address of this machine is taken from the request, so that nobody can
/// make the feed link elsewhere.
fn base(asked: &HeaderMap) -> String {
    let host = text(asked, &header::HOST);
    let here = host.parse::<std::net::SocketAddr>().is_ok_and(|address| address.ip().is_loopback());
    format!("http://{}", if here { host } else { "127.0.0.1" })
}

fn etag(body: &str) -> String {
    // 8 bytes: a chance collision within one day's few dozen versions is out of the question.
    format!("\"{}\"", hex(&Sha256::digest(body)[..8]))
}

/// True when the reader has this version. `If-None-Match` counts before `If-Modified-Since` (RFC 9110, 13.1.3).
fn is_known(asked: &HeaderMap, etag: &str, changed_at: Time) -> bool {
    if asked.contains_key(header::IF_NONE_MATCH) {
        let known = text(asked, &header::IF_NONE_MATCH);
        return known.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == etag);
    }
    let since = jiff::fmt::rfc2822::parse(text(asked, &header::IF_MODIFIED_SINCE));
    since.is_ok_and(|since| changed_at <= Time::of(since.timestamp()))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn http_date(time: Time) -> String {
    DateTimePrinter::new().timestamp_to_rfc9110_string(&time.timestamp()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(said: &str) -> Time {
        Time::parse(&format!("2026-11-23T{said}:00+01:00")).unwrap()
    }

    async fn body(response: Response) -> Vec<u8> {
        axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()
    }

    fn asked(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[tokio::test]
    async fn every_feed_reads_back_with_the_same_ids_titles_and_dates() {
        let day = Day::shipped().unwrap();
        for feed in &day.feeds {
            let now = at("17:00");
            let response = respond(&day, &feed.key, &asked(header::HOST, "127.0.0.1:4711"), now);
            assert_eq!(response.status(), StatusCode::OK);
            let read = feed_rs::parser::parse(body(response).await.as_slice()).unwrap();
            assert_eq!(read.title.unwrap().content, feed.name);
            let posts = day.posts_until(&feed.key, now);
            assert_eq!(read.entries.len(), posts.len(), "{}", feed.key);
            for (entry, post) in read.entries.iter().zip(&posts) {
                assert_eq!(entry.links[0].href, format!("http://127.0.0.1:4711/p/{}", post.id));
                // RSS 1.0 has no id but the link.
                if feed.format != Format::Rdf {
                    assert_eq!(entry.id, post.id);
                }
                assert_eq!(entry.title.as_ref().unwrap().content, post.title);
                assert_eq!(entry.published.unwrap().timestamp_millis(), post.at.0, "{}", post.id);
                assert!(entry.authors.iter().any(|author| author.name.as_ref() == Some(&post.author)), "{}", post.id);
            }
        }
    }

    #[tokio::test]
    async fn nothing_from_the_future_is_served() {
        let day = Day::shipped().unwrap();
        for feed in &day.feeds {
            let response = respond(&day, &feed.key, &HeaderMap::new(), at("08:30"));
            let said = String::from_utf8(body(response).await).unwrap();
            for post in day.posts.iter().filter(|post| post.feed == feed.key) {
                assert_eq!(said.contains(&format!("/p/{}", post.id)), post.at <= at("08:30"), "{}", post.id);
            }
        }
    }

    #[test]
    fn the_same_version_is_not_sent_twice() {
        let day = Day::shipped().unwrap();
        for feed in &day.feeds {
            let first = respond(&day, &feed.key, &HeaderMap::new(), at("10:00"));
            let etag = text(first.headers(), &header::ETAG).to_owned();
            let date = text(first.headers(), &header::LAST_MODIFIED).to_owned();
            for known in [
                asked(header::IF_NONE_MATCH, &etag),
                asked(header::IF_NONE_MATCH, &format!("\"x\", W/{etag}")),
                asked(header::IF_MODIFIED_SINCE, &date),
            ] {
                assert_eq!(respond(&day, &feed.key, &known, at("10:00")).status(), StatusCode::NOT_MODIFIED);
            }
            assert_eq!(
                respond(&day, &feed.key, &asked(header::IF_NONE_MATCH, "\"x\""), at("10:00")).status(),
                StatusCode::OK
            );
        }
    }

    #[test]
    fn a_new_post_makes_a_new_version() {
        let day = Day::shipped().unwrap();
        let etag = text(respond(&day, "alebor", &HeaderMap::new(), at("08:05")).headers(), &header::ETAG).to_owned();
        let known = asked(header::IF_NONE_MATCH, &etag);
        assert_eq!(respond(&day, "alebor", &known, at("08:05")).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(respond(&day, "alebor", &known, at("08:06")).status(), StatusCode::OK);
    }

    #[test]
    fn a_feed_never_links_to_another_machine() {
        assert_eq!(base(&asked(header::HOST, "evil.example")), "http://127.0.0.1");
        assert_eq!(base(&asked(header::HOST, "127.0.0.1:80\"")), "http://127.0.0.1");
        assert_eq!(base(&asked(header::HOST, "[::1]:4711")), "http://[::1]:4711");
    }

    #[tokio::test]
    async fn the_server_answers_over_http() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = router(Arc::new(Day::shipped().unwrap()), Clock::manual(at("09:00")));
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        for (path, status) in
            [("/", 200), ("/feeds/radion", 200), ("/feeds/ingen", 404), ("/p/halka-nol", 200), ("/p/detaljplan", 404)]
        {
            let answer = client.get(format!("http://{address}{path}")).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), status, "{path}");
        }
        server.abort();
    }
}
