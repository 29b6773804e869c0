//! A web site with an RSS feed, as strict about what has changed as a good one: it has an `ETag` and answers 304.
//!
//! `app(feed)` is an ordinary axum app, so that it can also run as a process of its own; `/control/…` then does what
//! the methods of [`FakeFeed`] do in a test.

#![allow(dead_code, reason = "each of its users needs its own part")]

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use lyhord::clock::Time;
use quick_xml::escape::escape;
use serde_json::json;

/// A post as it stands in the feed.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FeedPost {
    pub id: String,
    pub title: String,
    pub text: String,
    pub at: Time,
}

/// How often the feed was read, and with what answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Count {
    pub posts: usize,
    /// Answers with the whole feed.
    pub whole: usize,
    /// Answers with 304.
    pub unchanged: usize,
}

#[derive(Default)]
struct Inner {
    posts: Vec<FeedPost>,
    whole: usize,
    unchanged: usize,
}

/// The site's memory, shared by all its handlers.
#[derive(Clone, Default)]
pub struct FakeFeed(Arc<Mutex<Inner>>);

impl FakeFeed {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Somebody writes a post.
    pub fn add(&self, post: FeedPost) {
        self.inner().posts.push(post);
    }

    /// The same in one line: an id, the words, and when.
    pub fn says(&self, id: &str, text: &str, at: Time) {
        let title = text.split_inclusive(['.', '?', '!']).next().unwrap_or(text).trim().to_owned();
        self.add(FeedPost { id: id.to_owned(), title, text: text.to_owned(), at });
    }

    pub fn count(&self) -> Count {
        let inner = self.inner();
        Count { posts: inner.posts.len(), whole: inner.whole, unchanged: inner.unchanged }
    }
}

/// Serves an app on a free port of this machine until the test's runtime ends.
pub async fn serve(app: Router) -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

pub fn app(feed: FakeFeed) -> Router {
    Router::new()
        .route("/feed.xml", get(read))
        .route("/control/add", post(control_add))
        .route("/control/count", get(|State(feed): State<FakeFeed>| async move { Json(json!(feed.count())) }))
        .with_state(feed)
}

async fn control_add(State(feed): State<FakeFeed>, Json(post): Json<FeedPost>) -> StatusCode {
    feed.add(post);
    StatusCode::NO_CONTENT
}

async fn read(State(feed): State<FakeFeed>, asked: HeaderMap) -> Response {
    let mut inner = feed.inner();
    let etag = format!("\"{}\"", inner.posts.len());
    let known = asked.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes());
    if known {
        inner.unchanged += 1;
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response();
    }
    inner.whole += 1;
    let kind = "application/rss+xml; charset=utf-8".to_owned();
    ([(header::ETAG, etag), (header::CONTENT_TYPE, kind)], rss(&inner.posts)).into_response()
}

/// The newest first, as sites do it.
fn rss(posts: &[FeedPost]) -> String {
    let mut xml = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<rss version=\"2.0\"><channel><title>Provbladet</title>\
                   <link>https://provbladet.example.se/</link><description>Nyheter</description>\n"
        .to_owned();
    for post in posts.iter().rev() {
        let at = jiff::fmt::rfc2822::to_string(&post.at.zoned(&lyhord::calendar::stockholm())).unwrap();
        let _ = writeln!(
            xml,
            "<item><title>{}</title><guid isPermaLink=\"false\">{}</guid><pubDate>{at}</pubDate><description>{}</description></item>",
            escape(&post.title),
            escape(&post.id),
            escape(&post.text),
        );
    }
    xml + "</channel></rss>\n"
}
