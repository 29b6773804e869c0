//! A Bluesky of our own: an account's server (PDS) as the lexicons of the AT Protocol describe it, and a Jetstream in both
//! dialects as its lexicon and its own source describe it. Strict about paths, parameters, headers and bodies.

#![allow(dead_code, reason = "each of its users needs its own part")]
#![allow(clippy::result_large_err, reason = "the WebSocket library's own type")]

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use axum::{Json, Router};
use futures::{SinkExt, StreamExt};
use lyhord::clock::Time;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response as Upgrade};

pub const DID: &str = "did:plc:ale";
pub const PASSWORD: &str = "abcd-efgh-ijkl-mnop";

/// What goes wrong with the next question.
#[derive(Debug, Clone)]
pub enum Fault {
    /// A status with these headers.
    Status(u16, Vec<(&'static str, String)>),
    /// The body ends before its time.
    Cut,
    /// A web page instead of JSON.
    WrongType,
    /// What lets us in is withdrawn before this question.
    Revoked,
    /// A good answer with these headers more.
    With(Vec<(&'static str, String)>),
    /// The body comes a byte now and then, and never ends.
    Drip,
    /// The page turned round: oldest first.
    Reversed,
    /// The page before once more.
    Again,
}

#[derive(Default)]
struct Inner {
    sessions: u32,
    valid: bool,
    password_gone: bool,
    revoked_at: Option<usize>,
    pub asked: Vec<String>,
    notifications: Vec<Value>,
    own: Vec<Value>,
    /// Which service each method was to be asked of, as `atproto-proxy` says.
    proxied: BTreeMap<String, String>,
    found: Vec<Value>,
    last_page: Vec<Value>,
    threads: BTreeMap<String, Value>,
    faults: BTreeMap<String, VecDeque<Fault>>,
}

/// The account's server.
#[derive(Clone, Default)]
pub struct FakePds(Arc<Mutex<Inner>>);

impl FakePds {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// How often each method was asked.
    pub fn asked(&self, method: &str) -> usize {
        self.inner().asked.iter().filter(|asked| asked.as_str() == method).count()
    }

    /// Through which service that method was asked; nothing when it was left to this server.
    pub fn asked_through(&self, method: &str) -> Option<String> {
        self.inner().proxied.get(method).cloned()
    }

    /// Goes wrong, one question of that method after the other.
    pub fn goes_wrong(&self, method: &str, faults: &[Fault]) {
        self.inner().faults.entry(method.to_owned()).or_default().extend(faults.iter().cloned());
    }

    /// The access token is of yesterday; the refresh token still holds.
    pub fn session_ends(&self) {
        self.inner().valid = false;
    }

    /// The app password is withdrawn.
    pub fn password_is_withdrawn(&self, withdrawn: bool) {
        let mut inner = self.inner();
        (inner.valid, inner.password_gone) = (false, withdrawn);
    }

    /// Before that page of notifications is given, all that lets us in is withdrawn.
    pub fn revoked_at_page(&self, page: usize) {
        self.inner().revoked_at = Some(page);
    }

    /// Somebody writes to us. As the network does, the list is sorted by the earlier of what the writer says and what was
    /// seen, and that is what it calls `indexedAt`.
    pub fn tells(&self, reason: &str, uri: &str, record: &Value, at: Time) {
        let at = sort_at(record, at);
        let notification = json!({
            "uri": uri, "cid": "bafyreicid", "author": { "did": uri.split('/').nth(2), "handle": "eva.example" }, "reason": reason,
            "record": record, "isRead": false, "indexedAt": at.to_string(),
        });
        put(&mut self.inner().notifications, notification, at, time_of);
    }

    /// We write something, in the app.
    pub fn we_say(&self, rkey: &str, record: &Value, at: Time) {
        let post = view(&format!("at://{DID}/app.bsky.feed.post/{rkey}"), "ale.example", record, at);
        put(&mut self.inner().own, json!({ "post": post }), sort_at(record, at), |item| {
            sort_at(&item["post"]["record"], time_of(&item["post"]))
        });
    }

    /// What a search finds.
    pub fn finds(&self, post: Value) {
        self.inner().found.push(post);
    }

    /// A thread as it is now.
    pub fn thread(&self, root: &str, thread: Value) {
        self.inner().threads.insert(root.to_owned(), thread);
    }
}

fn time_of(shown: &Value) -> Time {
    Time::parse(shown["indexedAt"].as_str().unwrap()).unwrap()
}

fn sort_at(record: &Value, seen: Time) -> Time {
    let created = record["createdAt"].as_str().and_then(|at| Time::parse(at).ok());
    created.map_or(seen, |created| created.min(seen))
}

/// Puts an item where it belongs in a list that is newest first.
fn put(list: &mut Vec<Value>, item: Value, at: Time, of: impl Fn(&Value) -> Time) {
    let place = list.iter().position(|other| of(other) <= at).unwrap_or(list.len());
    list.insert(place, item);
}

/// A post as the network shows it.
pub fn view(uri: &str, handle: &str, record: &Value, at: Time) -> Value {
    json!({ "uri": uri, "cid": "bafyreicid", "author": { "did": uri.split('/').nth(2), "handle": handle }, "record": record, "indexedAt": at.to_string() })
}

pub fn pds(fake: FakePds) -> Router {
    Router::new().route("/xrpc/{method}", any(xrpc)).with_state(fake)
}

fn refuse(status: u16, error: &str) -> Response {
    let body = Json(json!({ "error": error, "message": "x" }));
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

async fn xrpc(
    State(fake): State<FakePds>,
    Path(method): Path<String>,
    how: Method,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut inner = fake.inner();
    inner.asked.push(method.clone());
    let fault = inner.faults.get_mut(&method).and_then(VecDeque::pop_front);
    match fault.clone() {
        Some(Fault::Status(status, more)) => {
            let mut response = refuse(status, "Fault");
            for (name, value) in more {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            return response;
        }
        Some(Fault::WrongType) => {
            return ([(header::CONTENT_TYPE, "text/html")], "<html>inloggning</html>").into_response();
        }
        Some(Fault::Cut) => {
            let pieces = [Ok(Bytes::from("{\"notifications\":[{\"uri\"")), Err(std::io::Error::other("cut"))];
            let kind = [(header::CONTENT_TYPE, "application/json")];
            return (kind, Body::from_stream(futures::stream::iter(pieces))).into_response();
        }
        Some(Fault::Drip) => return drip(),
        Some(Fault::Revoked) => inner.valid = false,
        Some(Fault::Reversed | Fault::Again | Fault::With(_)) | None => {}
    }
    let turned = fault;
    if method.ends_with("listNotifications") {
        inner.revoked_at = inner.revoked_at.map(|left| left - 1);
        if inner.revoked_at == Some(0) {
            (inner.revoked_at, inner.valid, inner.password_gone) = (None, false, true);
        }
    }
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
    let bearer =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    if let Some(proxy) = headers.get("atproto-proxy").and_then(|value| value.to_str().ok()) {
        inner.proxied.insert(method.clone(), proxy.to_owned());
    }
    if let Some(answer) = lets_in(&mut inner, &method, &how, &bearer, &body) {
        return answer;
    }
    if how != Method::GET {
        return refuse(405, "InvalidRequest");
    }
    if bearer.is_empty() {
        return refuse(401, "AuthMissing");
    }
    if !inner.valid || !bearer.starts_with("Bearer access-") {
        return refuse(400, "ExpiredToken");
    }
    let mut response = told(&mut inner, &method, &query, turned.as_ref());
    if let Some(Fault::With(more)) = turned {
        for (name, value) in more {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
    }
    response
}

/// JSON that begins well and goes on a blank at a time, for ever.
pub fn drip() -> Response {
    let drops = futures::stream::unfold(false, |begun| async move {
        if begun {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some((Ok::<_, std::io::Error>(Bytes::from(if begun { " " } else { "[" })), true))
    });
    ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(drops)).into_response()
}

/// Signing in and renewing.
fn lets_in(inner: &mut Inner, method: &str, how: &Method, bearer: &str, body: &[u8]) -> Option<Response> {
    let session = |n: u32| json!({ "accessJwt": format!("access-{n}"), "refreshJwt": format!("refresh-{n}"), "handle": "ale.example", "did": DID });
    match method {
        "com.atproto.server.createSession" => {
            let Ok(asked) = serde_json::from_slice::<Value>(body) else { return Some(refuse(400, "InvalidRequest")) };
            if *how != Method::POST || !bearer.is_empty() {
                return Some(refuse(400, "InvalidRequest"));
            }
            let known = [DID, "ale.example"].iter().any(|who| asked["identifier"] == **who);
            if !known || asked["password"] != PASSWORD || inner.password_gone {
                return Some(refuse(401, "AuthenticationRequired"));
            }
            (inner.sessions, inner.valid) = (inner.sessions + 1, true);
            return Some(Json(session(inner.sessions)).into_response());
        }
        "com.atproto.server.refreshSession" => {
            if *how != Method::POST || !body.is_empty() {
                return Some(refuse(400, "InvalidRequest")); // "a request body was provided when none was expected"
            }
            if !bearer.starts_with("Bearer refresh-") || inner.password_gone {
                return Some(refuse(400, "ExpiredToken"));
            }
            (inner.sessions, inner.valid) = (inner.sessions + 1, true);
            return Some(Json(session(inner.sessions)).into_response());
        }
        _ => {}
    }
    None
}

/// What one who is let in is told.
fn told(inner: &mut Inner, method: &str, query: &[(String, String)], fault: Option<&Fault>) -> Response {
    let get = |key: &str| query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    let only = |known: &[&str]| query.iter().all(|(name, _)| known.contains(&name.as_str()));
    let limit: usize = get("limit").unwrap_or("50").parse().unwrap_or(0);
    if !(1..=100).contains(&limit) {
        return refuse(400, "InvalidRequest");
    }
    let page = |all: &[Value]| {
        let from: usize = get("cursor").and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
        let items: Vec<Value> = all.iter().skip(from).take(limit).cloned().collect();
        let next = (from + limit < all.len()).then(|| (from + limit).to_string());
        (items, next)
    };
    match method {
        "app.bsky.notification.listNotifications" if only(&["limit", "cursor"]) => {
            let (mut items, cursor) = page(&inner.notifications);
            match fault {
                Some(Fault::Reversed) => items.reverse(),
                Some(Fault::Again) => items.clone_from(&inner.last_page),
                _ => {}
            }
            inner.last_page.clone_from(&items);
            Json(json!({ "notifications": items, "cursor": cursor })).into_response()
        }
        "app.bsky.feed.getAuthorFeed" if only(&["actor", "limit", "cursor", "filter"]) && get("actor") == Some(DID) => {
            let (mut items, cursor) = page(&inner.own);
            if matches!(fault, Some(Fault::Reversed)) {
                items.reverse();
            }
            Json(json!({ "feed": items, "cursor": cursor })).into_response()
        }
        "app.bsky.feed.getPostThread" if only(&["uri", "depth", "parentHeight"]) => {
            match inner.threads.get(get("uri").unwrap_or_default()) {
                Some(thread) => Json(json!({ "thread": thread })).into_response(),
                None => refuse(400, "NotFound"),
            }
        }
        "app.bsky.feed.searchPosts" if only(&["q", "sort", "limit", "cursor"]) && get("q").is_some() => {
            let (posts, cursor) = page(&inner.found);
            Json(json!({ "posts": posts, "cursor": cursor })).into_response()
        }
        _ => refuse(400, "InvalidRequest"),
    }
}

/// An event of the stream.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Event {
    pub did: String,
    pub operation: String,
    pub rkey: String,
    pub record: Option<Value>,
    pub time_us: i64,
    /// The number that it is told with, when that is another than its place in the list.
    #[serde(default)]
    pub seq: Option<u64>,
}

#[derive(Default)]
struct Stream {
    events: Vec<Event>,
    /// The oldest number that is kept.
    floor: u64,
    /// Numbers of this host begin so far from those of another.
    offset: u64,
    asked: Vec<String>,
    /// After so many more events the connection is cut in the middle of a message.
    cut_after: Option<usize>,
    /// After so many more events the server says this and ends the stream.
    error_after: Option<(usize, String)>,
    /// How many are connected now.
    open: usize,
    /// The next connections get this status.
    refusals: VecDeque<Refusal>,
    /// What becomes of those that are connected and that connect, for as long as it is set.
    trouble: Option<Trouble>,
    /// What messages are compressed with for those who ask.
    dictionary: Option<Vec<u8>>,
    /// The next compressed message is none.
    garbled: bool,
}

/// What a connection has asked for.
#[derive(Debug, Clone, Copy)]
struct Asked {
    v2: bool,
    cursor: Option<u64>,
    /// The number of the dictionary that its messages are compressed with.
    zstd: Option<u32>,
}

struct Refusal {
    status: u16,
    body: String,
    headers: Vec<(&'static str, String)>,
}

/// What is wrong with a Jetstream as long as it lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It neither says nor answers anything, and does not end: nobody is there any more.
    Mute,
    /// It opens and ends at once, in good order.
    Closes,
    /// It says this again and again.
    Says(&'static str),
}

/// A Jetstream; its first number is 1 and grows by one.
#[derive(Clone)]
pub struct FakeJetstream {
    stream: Arc<Mutex<Stream>>,
    news: tokio::sync::watch::Sender<usize>,
}

impl Default for FakeJetstream {
    fn default() -> Self {
        Self { stream: Arc::default(), news: tokio::sync::watch::Sender::new(0) }
    }
}

impl FakeJetstream {
    fn inner(&self) -> MutexGuard<'_, Stream> {
        self.stream.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub fn with_offset(offset: u64) -> Self {
        let fake = Self::default();
        fake.inner().offset = offset;
        fake
    }

    pub fn add(&self, event: Event) {
        let mut inner = self.inner();
        inner.events.push(event);
        let n = inner.events.len();
        drop(inner);
        self.news.send_replace(n);
    }

    /// Somebody writes a post.
    pub fn says(&self, did: &str, rkey: &str, record: Value, at: Time) {
        self.add(Event {
            did: did.into(),
            operation: "create".into(),
            rkey: rkey.into(),
            record: Some(record),
            time_us: at.0 * 1_000,
            seq: None,
        });
    }

    /// Somebody changes what she wrote.
    pub fn changes(&self, did: &str, rkey: &str, record: Value, at: Time) {
        self.add(Event {
            did: did.into(),
            operation: "update".into(),
            rkey: rkey.into(),
            record: Some(record),
            time_us: at.0 * 1_000,
            seq: None,
        });
    }

    /// Somebody takes a post away.
    pub fn deletes(&self, did: &str, rkey: &str, at: Time) {
        self.add(Event {
            did: did.into(),
            operation: "delete".into(),
            rkey: rkey.into(),
            record: None,
            time_us: at.0 * 1_000,
            seq: None,
        });
    }

    /// Somebody's post is told out of order, with a number that lies behind what has been told.
    pub fn says_late(&self, seq: u64, rkey: &str, record: Value, at: Time) {
        let (operation, time_us) = ("create".to_owned(), at.0 * 1_000);
        let (did, rkey) = ("did:plc:eva".to_owned(), rkey.to_owned());
        self.add(Event { did, operation, rkey, record: Some(record), time_us, seq: Some(seq) });
    }

    pub fn forget_before(&self, seq: u64) {
        self.inner().floor = seq;
    }

    pub fn cut_after(&self, events: usize) {
        self.inner().cut_after = Some(events);
    }

    /// After so many more events the server says that it ends the stream, and why.
    pub fn ends_after(&self, events: usize, error: &str) {
        self.inner().error_after = Some((events, error.to_owned()));
    }

    pub fn refuse_next(&self, status: u16, body: &str) {
        self.refuse_next_with(status, body, vec![]);
    }

    /// The same with headers.
    pub fn refuse_next_with(&self, status: u16, body: &str, headers: Vec<(&'static str, String)>) {
        self.inner().refusals.push_back(Refusal { status, body: body.to_owned(), headers });
    }

    /// Something is wrong from now on, or no longer.
    pub fn has_trouble(&self, trouble: Option<Trouble>) {
        let mut inner = self.inner();
        inner.trouble = trouble;
        let n = inner.events.len();
        drop(inner);
        self.news.send_replace(n);
    }

    /// Compresses from now on for those who ask, with a dictionary of that number.
    pub fn has_dictionary(&self, number: u32) {
        let mut dictionary = include_bytes!("../../jobs/fixtures/stream.dictionary").to_vec();
        dictionary[4..8].copy_from_slice(&number.to_le_bytes());
        self.inner().dictionary = Some(dictionary);
    }

    /// The next message that should be compressed cannot be read.
    pub fn garbles_next(&self) {
        self.inner().garbled = true;
    }

    /// How many listen now.
    pub fn open(&self) -> usize {
        self.inner().open
    }

    /// The addresses that were asked, in order.
    pub fn asked(&self) -> Vec<String> {
        self.inner().asked.clone()
    }

    /// Serves on a free port until the test's runtime ends.
    pub async fn serve(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(self.clone().serve_on(listener));
        address
    }

    pub async fn serve_on(self, listener: TcpListener) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let fake = self.clone();
            tokio::spawn(async move {
                fake.inner().open += 1;
                fake.clone().one(stream).await;
                fake.inner().open -= 1;
            });
        }
    }

    async fn one(self, mut stream: TcpStream) {
        let mut begins = [0; 512];
        let n = stream.peek(&mut begins).await.unwrap_or(0);
        if begins[..n].starts_with(b"GET /xrpc/network.bsky.jetstream.getZstdDictionary ") {
            return self.give_dictionary(&mut stream).await;
        }
        if self.inner().refusals.front().is_some_and(|next| next.status == 200) {
            return self.give_a_page(&mut stream).await;
        }
        let mut asked: Option<Asked> = None;
        let check = |request: &Request, mut response: Upgrade| -> Result<Upgrade, ErrorResponse> {
            asked = Some(self.checked(request)?);
            if request.headers().get("sec-websocket-protocol").is_some_and(|offered| offered == "xrpc.v1.json") {
                response.headers_mut().insert("sec-websocket-protocol", "xrpc.v1.json".parse().unwrap());
            }
            Ok(response)
        };
        let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, check).await else { return };
        let Asked { v2, cursor, zstd } = asked.unwrap();
        let mut news = self.news.subscribe();
        let mut next = self.start(v2, cursor);
        if v2 && cursor.is_some_and(|cursor| cursor >= 1_000_000_000_000_000 && self.inner().floor > 1) {
            let info = json!({ "$type": "message", "payload": { "$type": "network.bsky.jetstream.subscribeEvents#info", "name": "OutdatedCursor", "message": "x" } });
            let _ = socket.send(Message::text(info.to_string())).await;
        }
        loop {
            if !self.goes_on(&mut socket).await {
                return;
            }
            let (message, cut) = {
                let mut inner = self.inner();
                let message = inner.events.get(next).map(|event| {
                    let number = event.seq.unwrap_or(next as u64 + 1 + inner.offset);
                    written(event, number, v2)
                });
                let cut = message.is_some() && inner.cut_after == Some(0);
                if message.is_some() {
                    inner.cut_after = if cut { None } else { inner.cut_after.map(|left| left - 1) };
                }
                (message, cut)
            };
            let error = {
                let mut inner = self.inner();
                match &mut inner.error_after {
                    Some((0, _)) if message.is_some() => inner.error_after.take().map(|(_, error)| error),
                    Some((left, _)) if message.is_some() => {
                        *left -= 1;
                        None
                    }
                    _ => None,
                }
            };
            if let Some(error) = error {
                let frame = json!({ "$type": "error", "error": error, "message": "x" });
                let _ = socket.send(Message::text(frame.to_string())).await;
                let _ = socket.close(None).await;
                return;
            }
            match message {
                Some(message) if cut => {
                    // The head of a frame that promises more than comes.
                    let mut raw = vec![0x81, 126];
                    raw.extend_from_slice(&u16::try_from(message.len()).unwrap().to_be_bytes());
                    raw.extend_from_slice(&message.as_bytes()[..message.len() / 2]);
                    let _ = socket.get_mut().write_all(&raw).await;
                    let _ = socket.get_mut().shutdown().await;
                    return;
                }
                Some(message) => {
                    let garbled = zstd.is_some() && std::mem::take(&mut self.inner().garbled);
                    let frame = match zstd {
                        Some(_) if garbled => Message::binary(b"no message".to_vec()),
                        Some(number) => Message::binary(compressed(message.as_bytes(), number)),
                        None => Message::text(message),
                    };
                    if socket.send(frame).await.is_err() {
                        return;
                    }
                    next += 1;
                }
                None => {
                    tokio::select! {
                        changed = news.changed() => if changed.is_err() { return },
                        heard = socket.next() => match heard {
                            // Server-push only: whoever talks is cut.
                            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                            _ => return,
                        },
                        () = tokio::time::sleep(Duration::from_secs(20)) => { let _ = socket.send(Message::Ping(Vec::new().into())).await; }
                    }
                }
            }
        }
    }

    /// What becomes of a connection while something is wrong; false when it has ended.
    async fn goes_on(&self, socket: &mut WebSocketStream<TcpStream>) -> bool {
        loop {
            let trouble = self.inner().trouble.clone();
            match trouble {
                None => return true,
                Some(Trouble::Closes) => {
                    let _ = socket.close(None).await;
                    return false;
                }
                Some(Trouble::Mute) => {
                    while self.inner().trouble.is_some() {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    return false;
                }
                Some(Trouble::Says(text)) => {
                    if socket.send(Message::text(text)).await.is_err() {
                        return false;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }

    /// Gives a web page to one who asks for a stream, as what stands before a server does.
    async fn give_a_page(&self, stream: &mut TcpStream) {
        let mut question = [0; 4_096];
        let read = stream.read(&mut question).await.unwrap_or(0);
        let asked = String::from_utf8_lossy(&question[..read]).split(' ').nth(1).unwrap_or_default().to_owned();
        let page = {
            let mut inner = self.inner();
            inner.asked.push(asked);
            inner.refusals.pop_front().map(|next| next.body).unwrap_or_default()
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            page.len()
        );
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(page.as_bytes()).await;
        let _ = stream.shutdown().await;
    }

    /// Gives the dictionary to one who asks over HTTP.
    async fn give_dictionary(&self, stream: &mut TcpStream) {
        let mut question = [0; 4_096];
        let _ = stream.read(&mut question).await;
        let dictionary = self.inner().dictionary.clone();
        let (status, body) = match dictionary {
            Some(dictionary) => ("200 OK", dictionary),
            None => ("404 Not Found", vec![]),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/octet-stream\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(&body).await;
        let _ = stream.shutdown().await;
    }

    /// Checks a question as the server does before it upgrades.
    fn checked(&self, request: &Request) -> Result<Asked, ErrorResponse> {
        let refuse = |status: u16, body: &str| ErrorResponse::new(Some(body.to_owned())).with_status(status);
        let mut inner = self.inner();
        inner.asked.push(request.uri().to_string());
        if let Some(refusal) = inner.refusals.pop_front() {
            let mut refused = refuse(refusal.status, &refusal.body);
            for (name, value) in refusal.headers {
                refused.headers_mut().insert(name, value.parse().unwrap());
            }
            return Err(refused);
        }
        let v2 = match request.uri().path() {
            "/xrpc/network.bsky.jetstream.subscribeEvents" => true,
            "/subscribe" => false,
            _ => return Err(refuse(404, "not found")),
        };
        let known: &[&str] = if v2 {
            &["cursor", "kinds", "dids", "collections", "maxMessageSizeBytes", "zstdDictionary"]
        } else {
            &["cursor", "wantedCollections", "wantedDids", "maxMessageSizeBytes", "compress", "requireHello"]
        };
        let query: Vec<(String, String)> =
            url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned().collect();
        let odd = query.iter().any(|(name, value)| {
            !known.contains(&name.as_str())
                || (name == "kinds" && value != "commit")
                || (matches!(name.as_str(), "collections" | "wantedCollections") && value != "app.bsky.feed.post")
        });
        if odd {
            return Err(refuse(400, r#"{"error":"InvalidRequest","message":"x"}"#));
        }
        let value = |key: &str| query.iter().find(|(name, _)| name == key).map(|(_, value)| value);
        let zstd = value("zstdDictionary").map(|number| number.parse::<u32>().unwrap_or(0));
        let current =
            inner.dictionary.as_ref().map(|bytes| u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]));
        if zstd.is_some() && zstd != current {
            return Err(refuse(400, r#"{"error":"UnknownZstdDictionary","message":"x"}"#));
        }
        let asked = |cursor| Asked { v2, cursor, zstd };
        match value("cursor").map(|cursor| cursor.parse::<u64>()) {
            None => Ok(asked(None)),
            Some(Err(_)) => Err(refuse(400, r#"{"error":"InvalidRequest","message":"cursor"}"#)),
            Some(Ok(cursor)) if v2 && cursor < 1_000_000_000_000_000 && cursor < inner.floor => {
                Err(refuse(400, r#"{"error":"CursorTooOld","message":"floor"}"#))
            }
            Some(Ok(cursor)) => Ok(asked(Some(cursor))),
        }
    }

    /// The place in the list where a connection begins.
    fn start(&self, v2: bool, cursor: Option<u64>) -> usize {
        let inner = self.inner();
        let floor = usize::try_from(inner.floor.saturating_sub(1)).unwrap();
        match cursor {
            None => inner.events.len(),
            Some(cursor) if v2 && cursor < 1_000_000_000_000_000 => {
                usize::try_from(cursor.saturating_sub(1 + inner.offset)).unwrap().min(inner.events.len())
            }
            Some(cursor) => {
                let cursor = i64::try_from(cursor).unwrap();
                inner.events.iter().position(|event| event.time_us >= cursor).unwrap_or(inner.events.len())
            }
        }
        .max(floor)
    }
}

/// A frame of zstd (RFC 8878) that names its dictionary, with the message as it is in one raw block.
fn compressed(message: &[u8], dictionary: u32) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    // Its length in four bytes, one segment, no checksum, the dictionary's number in four bytes.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0b1010_0011];
    frame.extend_from_slice(&dictionary.to_le_bytes());
    frame.extend_from_slice(&length.to_le_bytes());
    // The last block, raw, and how long it is.
    frame.extend_from_slice(&(length << 3 | 1).to_le_bytes()[..3]);
    frame.extend_from_slice(message);
    frame
}

trait WithStatus {
    fn with_status(self, status: u16) -> Self;
}

impl WithStatus for ErrorResponse {
    fn with_status(mut self, status: u16) -> Self {
        *self.status_mut() = tokio_tungstenite::tungstenite::http::StatusCode::from_u16(status).unwrap();
        self
    }
}

fn written(event: &Event, seq: u64, v2: bool) -> String {
    let time = jiff::Timestamp::from_microsecond(event.time_us).unwrap().to_string();
    let mut commit =
        json!({ "rev": "3l", "operation": event.operation, "collection": "app.bsky.feed.post", "rkey": event.rkey });
    if let Some(record) = &event.record {
        commit["record"] = record.clone();
        commit["cid"] = json!("bafyreicid");
    }
    if v2 {
        for (key, value) in [
            ("$type", json!("network.bsky.jetstream.subscribeEvents#commit")),
            ("seq", json!(seq)),
            ("did", json!(event.did)),
            ("time", json!(time)),
            ("witnessedAt", json!(time)),
        ] {
            commit[key] = value;
        }
        json!({ "$type": "message", "payload": commit }).to_string()
    } else {
        json!({ "did": event.did, "time_us": event.time_us, "kind": "commit", "commit": commit }).to_string()
    }
}

/// Adds events from outside, for a stream in a process of its own.
pub fn control(fake: FakeJetstream) -> Router {
    let add = |State(fake): State<FakeJetstream>, Json(event): Json<Event>| async move {
        fake.add(event);
        StatusCode::NO_CONTENT
    };
    Router::new().route("/control/add", post(add)).with_state(fake)
}
