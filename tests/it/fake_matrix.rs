//! A Matrix home server that is as strict as Synapse where it matters to us: the token, the paths, transaction ids that
//! make a repeat the same event, rooms that one must be in, and `/sync` with places.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};

pub const ME: &str = "@lyhord:ale.se";
pub const TOKEN: &str = "syt_bot_token";

#[derive(Default)]
struct Inner {
    members: BTreeMap<String, BTreeSet<String>>,
    encrypted: BTreeSet<String>,
    direct: Value,
    /// Room and event, in the order in which they came.
    events: Vec<(String, Value)>,
    transactions: BTreeMap<String, String>,
    invites: BTreeMap<String, String>,
    down: bool,
    turned_away: usize,
}

#[derive(Clone, Default)]
pub struct FakeMatrix(Arc<Mutex<Inner>>);

impl FakeMatrix {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn down(&self, down: bool) {
        self.inner().down = down;
    }

    /// Requests that were turned away while it was down.
    pub fn turned_away(&self) -> usize {
        self.inner().turned_away
    }

    /// Somebody opens a room and asks the bot in.
    pub fn invites(&self, by: &str, room: &str, encrypted: bool) {
        let mut inner = self.inner();
        inner.members.entry(room.to_owned()).or_default().insert(by.to_owned());
        inner.invites.insert(room.to_owned(), by.to_owned());
        if encrypted {
            inner.encrypted.insert(room.to_owned());
        }
    }

    fn post(&self, room: &str, sender: &str, kind: &str, content: &Value) -> String {
        let mut inner = self.inner();
        let id = format!("$e{}", inner.events.len() + 1);
        let event = json!({ "event_id": id, "sender": sender, "type": kind, "content": content });
        inner.events.push((room.to_owned(), event));
        id
    }

    pub fn says(&self, user: &str, room: &str, text: &str) {
        self.post(room, user, "m.room.message", &json!({ "msgtype": "m.text", "body": text }));
    }

    pub fn reacts(&self, user: &str, room: &str, event: &str, key: &str) {
        let relation = json!({ "rel_type": "m.annotation", "event_id": event, "key": key });
        self.post(room, user, "m.reaction", &json!({ "m.relates_to": relation }));
    }

    pub fn replies(&self, user: &str, room: &str, event: &str, text: &str) {
        let content =
            json!({ "msgtype": "m.text", "body": text, "m.relates_to": { "m.in_reply_to": { "event_id": event } } });
        self.post(room, user, "m.room.message", &content);
    }

    /// The room that the bot has with a person alone.
    pub fn direct_room(&self, user: &str) -> Option<String> {
        self.inner().direct[user][0].as_str().map(str::to_owned)
    }

    /// What the bot has said in a room: event id and content, as it was sent.
    pub fn said(&self, room: &str) -> Vec<(String, Value)> {
        let inner = self.inner();
        let own = inner.events.iter().filter(|(at, event)| at == room && event["sender"] == ME);
        own.map(|(_, event)| (event["event_id"].as_str().unwrap().to_owned(), event["content"].clone())).collect()
    }

    /// What a reader sees of an event of the bot's, changes applied.
    pub fn shown(&self, event: &str) -> Value {
        let inner = self.inner();
        let newest = newest(&inner, event);
        let original = inner.events.iter().find(|(_, one)| one["event_id"] == event).unwrap();
        newest.unwrap_or_else(|| original.1["content"].clone())
    }

    pub fn is_in(&self, room: &str) -> bool {
        self.inner().members.get(room).is_some_and(|members| members.contains(ME))
    }
}

fn newest(inner: &Inner, event: &str) -> Option<Value> {
    let replacing = |content: &Value| {
        content["m.relates_to"]["rel_type"] == "m.replace" && content["m.relates_to"]["event_id"] == event
    };
    inner
        .events
        .iter()
        .rev()
        .find(|(_, one)| replacing(&one["content"]))
        .map(|(_, one)| one["content"]["m.new_content"].clone())
}

fn no(status: u16, code: &str) -> Response {
    let body = Json(json!({ "errcode": code, "error": "no" }));
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

fn yes(body: Value) -> Response {
    Json(body).into_response()
}

fn decoded(part: &str) -> String {
    let whole = format!("x={}", part.replace('+', "%2B"));
    url::form_urlencoded::parse(whole.as_bytes()).next().unwrap().1.into_owned()
}

pub fn app(fake: FakeMatrix) -> Router {
    Router::new().fallback(serve).with_state(fake)
}

async fn serve(
    State(fake): State<FakeMatrix>,
    method: Method,
    uri: Uri,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if fake.inner().down {
        fake.inner().turned_away += 1;
        return (StatusCode::BAD_GATEWAY, "<html>502</html>").into_response();
    }
    if headers.get("authorization").is_none_or(|value| value != format!("Bearer {TOKEN}").as_str()) {
        return no(401, "M_UNKNOWN_TOKEN");
    }
    let parts: Vec<String> = uri.path().split('/').map(decoded).collect();
    let path: Vec<&str> = parts.iter().map(String::as_str).collect();
    if path.get(1..4) != Some(&["_matrix", "client", "v3"][..]) {
        return no(404, "M_UNRECOGNIZED");
    }
    let body: Value = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap_or_default() };
    let mut inner = fake.inner();
    let member = |inner: &Inner, room: &str| inner.members.get(room).is_some_and(|members| members.contains(ME));
    match (method.as_str(), &path[4..]) {
        ("GET", ["user", ME, "account_data", "m.direct"]) if inner.direct.is_null() => no(404, "M_NOT_FOUND"),
        ("GET", ["user", ME, "account_data", "m.direct"]) => yes(inner.direct.clone()),
        ("PUT", ["user", ME, "account_data", "m.direct"]) if body.is_object() => {
            inner.direct = body;
            yes(json!({}))
        }
        ("GET", ["account", "whoami"]) => yes(json!({ "user_id": ME })),
        ("POST", ["createRoom"]) if body["is_direct"] == true && body["preset"] == "trusted_private_chat" => {
            let Some(invited) = body["invite"][0].as_str() else { return no(400, "M_BAD_JSON") };
            let room = format!("!d{}:ale.se", inner.members.len() + 1);
            inner.members.insert(room.clone(), [ME.to_owned(), invited.to_owned()].into());
            yes(json!({ "room_id": room }))
        }
        ("POST", ["join", room]) if inner.invites.remove(*room).is_some() => {
            inner.members.entry((*room).to_owned()).or_default().insert(ME.to_owned());
            yes(json!({ "room_id": room }))
        }
        ("POST", ["rooms", room, "leave"]) if member(&inner, room) => {
            if let Some(members) = inner.members.get_mut(*room) {
                members.remove(ME);
            }
            yes(json!({}))
        }
        ("GET", ["rooms", room, "state", "m.room.encryption"]) if inner.encrypted.contains(*room) => {
            yes(json!({ "algorithm": "m.megolm.v1.aes-sha2" }))
        }
        ("GET", ["rooms", _, "state", "m.room.encryption"]) => no(404, "M_NOT_FOUND"),
        ("GET", ["rooms", room, "joined_members"]) if member(&inner, room) => {
            let joined: serde_json::Map<String, Value> =
                inner.members[*room].iter().map(|user| (user.clone(), json!({}))).collect();
            yes(json!({ "joined": joined }))
        }
        ("GET", ["rooms", room, "event", id]) if member(&inner, room) => {
            let found = inner.events.iter().find(|(at, event)| at == room && event["event_id"] == *id);
            let Some((_, event)) = found else { return no(404, "M_NOT_FOUND") };
            let mut event = event.clone();
            if let Some(new) = newest(&inner, id) {
                event["unsigned"] = json!({ "m.relations": { "m.replace": { "content": { "m.new_content": new } } } });
            }
            yes(event)
        }
        ("PUT", ["rooms", room, "send", "m.room.message", transaction]) => {
            if !member(&inner, room) {
                return no(403, "M_FORBIDDEN");
            }
            if !is_message(&body) || transaction.is_empty() {
                return no(400, "M_BAD_JSON");
            }
            if let Some(id) = inner.transactions.get(*transaction) {
                return yes(json!({ "event_id": id }));
            }
            let id = format!("$e{}", inner.events.len() + 1);
            inner.transactions.insert((*transaction).to_owned(), id.clone());
            let event = json!({ "event_id": id, "sender": ME, "type": "m.room.message", "content": body });
            inner.events.push(((*room).to_owned(), event));
            yes(json!({ "event_id": id }))
        }
        ("GET", ["sync"]) => sync(&inner, &query.unwrap_or_default()),
        _ => no(404, "M_UNRECOGNIZED"),
    }
}

/// A message of ours: text or notice, no field that we do not mean to send, and within the size of an event.
fn is_message(content: &Value) -> bool {
    const KNOWN: [&str; 8] = [
        "msgtype",
        "body",
        "m.mentions",
        "format",
        "formatted_body",
        "se.lyhord.buttons",
        "m.new_content",
        "m.relates_to",
    ];
    let Some(fields) = content.as_object() else { return false };
    fields.keys().all(|key| KNOWN.contains(&key.as_str()))
        && matches!(content["msgtype"].as_str(), Some("m.text" | "m.notice"))
        && content["body"].as_str().is_some_and(|body| !body.is_empty())
        && content["m.mentions"] == json!({})
        && content.to_string().len() <= 65_536
}

fn sync(inner: &Inner, query: &str) -> Response {
    let asked: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let filter: Value = asked.get("filter").and_then(|filter| serde_json::from_str(filter).ok()).unwrap_or_default();
    if !asked.contains_key("timeout") || filter["room"]["timeline"]["limit"].as_u64().is_none() {
        return no(400, "M_BAD_JSON");
    }
    let since: usize = match asked.get("since") {
        Some(since) => match since.strip_prefix('s').and_then(|since| since.parse().ok()) {
            Some(since) => since,
            None => return no(400, "M_UNKNOWN"),
        },
        None => 0,
    };
    let mut join: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for (room, event) in inner.events.iter().skip(since) {
        if inner.members.get(room).is_some_and(|members| members.contains(ME)) {
            join.entry(room).or_default().push(event);
        }
    }
    let join: serde_json::Map<String, Value> = join
        .into_iter()
        .map(|(room, events)| (room.to_owned(), json!({ "timeline": { "events": events, "limited": false } })))
        .collect();
    let invite: serde_json::Map<String, Value> = inner
        .invites
        .iter()
        .map(|(room, by)| {
            let member = json!({ "type": "m.room.member", "state_key": ME, "sender": by, "content": { "membership": "invite" } });
            (room.clone(), json!({ "invite_state": { "events": [member] } }))
        })
        .collect();
    yes(json!({ "next_batch": format!("s{}", inner.events.len()), "rooms": { "join": join, "invite": invite } }))
}
