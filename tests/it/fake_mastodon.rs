//! A Mastodon server of our own, as its documentation describes it (methods/timelines, notifications, statuses, accounts,
//! instance, search, streaming; api/rate-limits). Strict about paths, parameters, paging and tokens.

#![allow(dead_code, reason = "each of its users needs its own part")]
#![allow(clippy::result_large_err, reason = "the WebSocket library's own type")]

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use futures::{SinkExt, StreamExt};
use lyhord::clock::Time;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response as Upgrade};

pub const TOKEN: &str = "a-token-of-no-account";
/// Among the events: the connection ends here.
const CUT: &str = "cut";
/// Among the events: and here in the middle of one.
const HALF: &str = "half";
/// The number of our own account there.
pub const US: &str = "42";

/// What goes wrong with the next question to a path.
#[derive(Debug, Clone)]
pub enum Fault {
    /// A status with these headers.
    Status(u16, Vec<(&'static str, String)>),
    /// A good answer with these headers more.
    With(Vec<(&'static str, String)>),
    /// The body ends before its time.
    Cut,
    /// A web page.
    WrongType,
    /// The page before once more, newest last.
    Again,
    /// The body comes a byte now and then, and never ends.
    Drip,
}

#[derive(Default)]
struct Inner {
    next: u64,
    /// Statuses by number, oldest first.
    statuses: Vec<Value>,
    notifications: Vec<Value>,
    access: Option<Value>,
    /// Whether tags are given to one without a token.
    preview_off: bool,
    token_gone: bool,
    faults: BTreeMap<String, VecDeque<Fault>>,
    asked: Vec<String>,
    last_page: Vec<Value>,
    streaming: Option<String>,
    /// What is wrong with the stream, for as long as it is set.
    trouble: Option<Trouble>,
    gone: Vec<String>,
}

/// What is wrong with a server's stream as long as it lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It neither says nor answers anything, and does not end.
    Mute,
    /// It lets nobody in, with this status.
    Refuses(u16),
    /// It lets everybody in, and refuses what is asked for.
    RefusesLater,
    /// It says this again and again.
    Says(&'static str),
}

/// The server.
#[derive(Clone)]
pub struct FakeMastodon {
    inner: Arc<Mutex<Inner>>,
    events: tokio::sync::broadcast::Sender<String>,
}

impl Default for FakeMastodon {
    fn default() -> Self {
        Self { inner: Arc::default(), events: tokio::sync::broadcast::channel(100).0 }
    }
}

/// A status without a number.
#[derive(Debug, Clone, Default)]
pub struct Said<'a> {
    pub uri: &'a str,
    pub acct: &'a str,
    pub text: &'a str,
    pub reply_to: Option<&'a str>,
    pub tags: &'a [&'a str],
    pub names: &'a [&'a str],
    pub bot: bool,
    /// The account's settings keep it back: it is told only to one who asks for that too (4.3 and later).
    pub filtered: bool,
}

impl FakeMastodon {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Somebody says something; returns its number here.
    pub fn says(&self, said: &Said<'_>, at: Time) -> String {
        let mut inner = self.inner();
        inner.next += 1;
        // As `lib/mastodon/snowflake.rb`: what others wrote is numbered by when it was written, whenever it comes.
        let id = ((u64::try_from(at.0).unwrap() << 16) | inner.next).to_string();
        let us = said.acct == "ale";
        let status = json!({
            "id": id, "uri": said.uri, "url": said.uri, "created_at": at.to_string(), "edited_at": null, "content": format!("<p>{}</p>", said.text),
            "spoiler_text": "", "visibility": "public", "language": "sv", "in_reply_to_id": said.reply_to, "reblog": null,
            "account": { "id": if us { US } else { "7" }, "acct": said.acct, "username": said.acct, "bot": said.bot },
            "mentions": said.names.iter().map(|name| json!({ "id": "1", "acct": name })).collect::<Vec<_>>(),
            "tags": said.tags.iter().map(|tag| json!({ "name": tag })).collect::<Vec<_>>(), "media_attachments": [],
        });
        inner.statuses.push(status.clone());
        if said.names.contains(&"ale") {
            inner.next += 1;
            let number = inner.next.to_string();
            let told = json!({ "id": number, "type": "mention", "created_at": at.to_string(), "account": {}, "status": status, "filtered": said.filtered });
            inner.notifications.push(told);
        }
        drop(inner);
        let _ = self
            .events
            .send(json!({ "stream": ["hashtag"], "event": "update", "payload": status.to_string() }).to_string());
        id
    }

    /// Somebody changes what she said.
    pub fn edits(&self, id: &str, text: &str, at: Time) {
        let mut inner = self.inner();
        let status = inner.statuses.iter_mut().find(|status| status["id"] == id).unwrap();
        status["content"] = json!(format!("<p>{text}</p>"));
        status["edited_at"] = json!(at.to_string());
        let payload = status.to_string();
        drop(inner);
        let _ = self
            .events
            .send(json!({ "stream": ["hashtag"], "event": "status.update", "payload": payload }).to_string());
    }

    /// Somebody takes away what she said.
    pub fn deletes(&self, id: &str) {
        let mut inner = self.inner();
        inner.statuses.retain(|status| status["id"] != id);
        inner.gone.push(id.to_owned());
        drop(inner);
        let _ = self.events.send(json!({ "stream": ["hashtag"], "event": "delete", "payload": id }).to_string());
    }

    /// The server's own settings: who may read the feeds of tags.
    pub fn access(&self, local: &str, remote: &str) {
        self.inner().access = Some(json!({ "local": local, "remote": remote }));
    }

    pub fn preview_is_off(&self) {
        self.inner().preview_off = true;
    }

    pub fn token_is_withdrawn(&self, withdrawn: bool) {
        self.inner().token_gone = withdrawn;
    }

    pub fn goes_wrong(&self, path: &str, faults: &[Fault]) {
        self.inner().faults.entry(path.to_owned()).or_default().extend(faults.iter().cloned());
    }

    pub fn asked(&self, path: &str) -> usize {
        self.inner().asked.iter().filter(|asked| asked.starts_with(path)).count()
    }

    /// Something is wrong with the stream from now on, or no longer. Those who listen are cut.
    pub fn stream_has_trouble(&self, trouble: Option<Trouble>) {
        self.inner().trouble = trouble;
        let _ = self.events.send(CUT.to_owned());
    }

    /// Those who listen are cut in the middle of an event.
    pub fn stream_is_cut_in_mid_message(&self) {
        let _ = self.events.send(HALF.to_owned());
    }

    /// Every event of a status once more, as it was told.
    pub fn tells_again(&self, event: &str, id: &str) {
        let payload = match self.inner().statuses.iter().find(|status| status["id"] == id) {
            Some(status) if event != "delete" => status.to_string(),
            _ => id.to_owned(),
        };
        let told = json!({ "stream": ["hashtag"], "event": event, "payload": payload });
        let _ = self.events.send(told.to_string());
    }

    /// How many listen to the stream now.
    pub fn listeners(&self) -> usize {
        self.events.receiver_count()
    }

    /// Serves a stream of its own on a free port, as large servers do.
    pub async fn serve_stream(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        self.inner().streaming = Some(format!("ws://{address}"));
        let fake = self.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let fake = fake.clone();
                tokio::spawn(async move {
                    let check = |request: &Request, response: Upgrade| -> Result<Upgrade, ErrorResponse> {
                        let trouble = fake.inner().trouble.clone();
                        if let Some(Trouble::Refuses(status)) = trouble {
                            let mut refused = ErrorResponse::new(Some("{\"error\":\"x\"}".to_owned()));
                            *refused.status_mut() =
                                tokio_tungstenite::tungstenite::http::StatusCode::from_u16(status).unwrap();
                            return Err(refused);
                        }
                        let known = request.uri().path() == "/api/v1/streaming"
                            && request
                                .headers()
                                .get("authorization")
                                .is_some_and(|token| token == &format!("Bearer {TOKEN}"));
                        if known {
                            return Ok(response);
                        }
                        let mut refused = ErrorResponse::new(Some("{\"error\":\"Missing access token\"}".to_owned()));
                        *refused.status_mut() = tokio_tungstenite::tungstenite::http::StatusCode::UNAUTHORIZED;
                        Err(refused)
                    };
                    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, check).await else { return };
                    let Some(Ok(Message::Text(asked))) = socket.next().await else { return };
                    let asked: Value = serde_json::from_str(&asked).unwrap();
                    assert_eq!(asked["type"], "subscribe");
                    assert!(["hashtag", "user"].contains(&asked["stream"].as_str().unwrap()));
                    let mut events = fake.events.subscribe();
                    let trouble = fake.inner().trouble.clone();
                    match trouble {
                        Some(Trouble::Mute) => {
                            while fake.inner().trouble.is_some() {
                                tokio::time::sleep(Duration::from_millis(50)).await;
                            }
                            return;
                        }
                        Some(Trouble::RefusesLater) => {
                            // As the server's own source has it when what was asked for is not to be had.
                            let refusal =
                                json!({ "error": "Access token does not have the required scopes", "status": 401 });
                            let _ = socket.send(Message::text(refusal.to_string())).await;
                        }
                        Some(Trouble::Says(text)) => {
                            while socket.send(Message::text(text)).await.is_ok() {
                                tokio::time::sleep(Duration::from_millis(20)).await;
                            }
                            return;
                        }
                        Some(Trouble::Refuses(_)) | None => {}
                    }
                    loop {
                        tokio::select! {
                            event = events.recv() => match event {
                                Ok(event) if event == CUT => return,
                                Ok(event) if event == HALF => {
                                    // The head of a frame that promises more than comes.
                                    let _ = socket.get_mut().write_all(&[0x81, 100, b'{', b'"']).await;
                                    let _ = socket.get_mut().shutdown().await;
                                    return;
                                }
                                Ok(event) => if socket.send(Message::text(event)).await.is_err() { return },
                                Err(_) => return,
                            },
                            heard = socket.next() => if !matches!(heard, Some(Ok(_))) { return },
                        }
                    }
                });
            }
        });
        address
    }
}

pub fn app(fake: FakeMastodon) -> Router {
    Router::new().fallback(answer).with_state(fake)
}

fn refuse(status: u16, error: &str) -> Response {
    (StatusCode::from_u16(status).unwrap(), Json(json!({ "error": error }))).into_response()
}

async fn answer(
    State(fake): State<FakeMastodon>,
    how: Method,
    uri: Uri,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let path = percent_decoded(uri.path());
    let mut inner = fake.inner();
    inner.asked.push(path.clone());
    let fault = inner.faults.get_mut(&path).and_then(VecDeque::pop_front);
    let mut more = Vec::new();
    let mut again = false;
    match fault {
        Some(Fault::Status(status, headers)) => {
            let mut response = refuse(status, "x");
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            return response;
        }
        Some(Fault::WrongType) => return ([(header::CONTENT_TYPE, "text/html")], "<html>").into_response(),
        Some(Fault::Cut) => {
            let pieces = [Ok(Bytes::from("[{\"id\":\"1")), Err(std::io::Error::other("cut"))];
            return ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(futures::stream::iter(pieces)))
                .into_response();
        }
        Some(Fault::Drip) => return crate::fake_bluesky::drip(),
        Some(Fault::With(headers)) => more = headers,
        Some(Fault::Again) => again = true,
        None => {}
    }
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let signed_in = match bearer {
        None => false,
        Some(bearer) if bearer == format!("Bearer {TOKEN}") && !inner.token_gone => true,
        Some(_) => return refuse(401, "The access token is invalid"),
    };
    if how != Method::GET {
        return refuse(405, "x");
    }
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
    let mut response = if again {
        let mut page = inner.last_page.clone();
        page.reverse();
        Json(page).into_response()
    } else {
        routed(&mut inner, &path, &query, signed_in)
    };
    for (name, value) in
        [("x-ratelimit-limit", "300".to_owned()), ("x-ratelimit-remaining", "250".to_owned())].into_iter().chain(more)
    {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

fn percent_decoded(path: &str) -> String {
    let plus = path.replace('+', "%2B");
    url::form_urlencoded::parse(format!("p={plus}").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

fn routed(inner: &mut Inner, path: &str, query: &[(String, String)], signed_in: bool) -> Response {
    let only = |known: &[&str]| query.iter().all(|(name, _)| known.contains(&name.as_str()));
    let get = |key: &str| query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    match segments.as_slice() {
        ["api", "v2", "instance"] => {
            let mut configuration =
                json!({ "urls": { "streaming": inner.streaming.clone().unwrap_or("wss://m.example".into()) } });
            if let Some(access) = &inner.access {
                configuration["timelines_access"] = json!({ "hashtag_feeds": access, "live_feeds": access });
            }
            Json(json!({ "domain": "m.example", "version": "4.5.0", "configuration": configuration })).into_response()
        }
        ["api", "v1", "timelines", "tag", tag] if only(&["limit", "min_id"]) => {
            if inner.preview_off && !signed_in {
                return refuse(401, "This method requires an authenticated user");
            }
            let closed = inner
                .access
                .as_ref()
                .is_some_and(|access| access["local"] == "disabled" && access["remote"] == "disabled");
            let tag = tag.to_lowercase();
            let all: Vec<Value> = inner
                .statuses
                .iter()
                .filter(|status| {
                    !closed
                        && status["tags"]
                            .as_array()
                            .unwrap()
                            .iter()
                            .any(|of| of["name"].as_str().unwrap().to_lowercase() == tag)
                })
                .cloned()
                .collect();
            paged(inner, &all, get("min_id"), get("limit"))
        }
        ["api", "v1", "notifications"] if only(&["types[]", "limit", "min_id", "include_filtered"]) => {
            if !signed_in {
                return refuse(401, "The access token is invalid");
            }
            let filtered_too = get("include_filtered") == Some("true");
            let mut all = inner.notifications.clone();
            all.retain(|told| filtered_too || told["filtered"] != true);
            paged(inner, &all, get("min_id"), get("limit"))
        }
        ["api", "v1", "accounts", "verify_credentials"] if signed_in => {
            Json(json!({ "id": US, "acct": "ale", "username": "ale" })).into_response()
        }
        ["api", "v1", "accounts", US, "statuses"] if only(&["limit", "min_id", "exclude_reblogs"]) => {
            let all: Vec<Value> =
                inner.statuses.iter().filter(|status| status["account"]["id"] == US).cloned().collect();
            paged(inner, &all, get("min_id"), get("limit"))
        }
        ["api", "v1", "statuses", id, "context"] if query.is_empty() => {
            let Some(this) = inner.statuses.iter().find(|status| status["id"] == **id) else {
                return refuse(404, "Record not found");
            };
            let mut ancestors = Vec::new();
            let mut above = this["in_reply_to_id"].as_str();
            while let Some(parent) = above.and_then(|above| inner.statuses.iter().find(|status| status["id"] == above))
            {
                ancestors.insert(0, parent.clone());
                above = parent["in_reply_to_id"].as_str();
            }
            let mut under = vec![(*id).to_owned()];
            let mut descendants = Vec::new();
            for status in &inner.statuses {
                if status["in_reply_to_id"].as_str().is_some_and(|to| under.iter().any(|id| id == to)) {
                    under.push(status["id"].as_str().unwrap().to_owned());
                    descendants.push(status.clone());
                }
            }
            Json(json!({ "ancestors": ancestors, "descendants": descendants })).into_response()
        }
        ["api", "v2", "search"] if signed_in && only(&["q", "resolve", "type", "limit"]) => {
            let found: Vec<Value> =
                inner.statuses.iter().filter(|status| status["uri"].as_str() == get("q")).cloned().collect();
            Json(json!({ "accounts": [], "statuses": found, "hashtags": [] })).into_response()
        }
        _ => refuse(404, "Record not found"),
    }
}

/// A page: those immediately newer than `min_id`, or else the newest; newest first either way.
fn paged(inner: &mut Inner, all: &[Value], min_id: Option<&str>, limit: Option<&str>) -> Response {
    let limit: usize = limit.unwrap_or("20").parse().unwrap_or(20).min(40);
    let number = |value: &Value| value["id"].as_str().unwrap().parse::<u64>().unwrap();
    let mut all = all.to_vec();
    all.sort_by_key(number);
    let mut page: Vec<Value> = match min_id {
        Some(min_id) => {
            let min_id: u64 = min_id.parse().unwrap();
            all.iter().filter(|value| number(value) > min_id).take(limit).cloned().collect()
        }
        None => all.iter().rev().take(limit).rev().cloned().collect(),
    };
    page.reverse();
    inner.last_page.clone_from(&page);
    Json(page).into_response()
}
