//! A Slack workspace that is as strict as the real one where it matters to us: the token, the methods and their fields,
//! the bounds of Block Kit, and the signature on what it posts back.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

pub const TOKEN: &str = "xoxb-test";
pub const SECRET: &str = "slacks-hemliga-signering";

/// A message as the channel shows it.
#[derive(Debug, Clone)]
pub struct Posted {
    pub channel: String,
    pub ts: String,
    pub body: Value,
    pub edits: u32,
}

#[derive(Default)]
struct Inner {
    posted: Vec<Posted>,
    /// What was said to one presser alone, or put in place of the message.
    answers: Vec<Value>,
    down: bool,
    token_revoked: bool,
    base: String,
    turned_away: usize,
}

#[derive(Clone, Default)]
pub struct FakeSlack(Arc<Mutex<Inner>>);

impl FakeSlack {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn at(&self, base: &str) {
        base.clone_into(&mut self.inner().base);
    }

    pub fn down(&self, down: bool) {
        self.inner().down = down;
    }

    /// Requests that were turned away while it was down.
    pub fn turned_away(&self) -> usize {
        self.inner().turned_away
    }

    pub fn revoke(&self, revoked: bool) {
        self.inner().token_revoked = revoked;
    }

    pub fn posted(&self) -> Vec<Posted> {
        self.inner().posted.clone()
    }

    pub fn answers(&self) -> Vec<Value> {
        self.inner().answers.clone()
    }

    /// The request that Slack makes when `user` presses the button with this label.
    pub fn press(&self, user: &str, posted: &Posted, label: &str) -> String {
        let elements = posted.body["blocks"][1]["elements"].as_array().unwrap();
        let button = elements.iter().find(|button| button["text"]["text"] == label).unwrap();
        let payload = json!({
            "type": "block_actions", "user": { "id": user }, "trigger_id": "13345224609.1",
            "actions": [{ "type": "button", "action_id": button["action_id"], "value": button["value"],
                          "block_id": "b", "action_ts": "1764000001.1" }],
            "response_url": format!("{}respond/1", self.inner().base),
            "message": { "ts": posted.ts, "text": posted.body["text"], "blocks": posted.body["blocks"] },
        });
        url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish()
    }
}

/// `v0=` HMAC-SHA-256 of `v0:{time stamp}:{body}`, as Slack's documentation has it.
pub fn signature(stamp: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("v0:{stamp}:{body}").as_bytes());
    mac.finalize().into_bytes().iter().fold("v0=".to_owned(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

pub fn app(fake: FakeSlack) -> Router {
    Router::new().route("/api/{method}", post(call)).route("/respond/{id}", post(respond)).with_state(fake)
}

async fn respond(State(fake): State<FakeSlack>, Json(body): Json<Value>) -> Response {
    let known = ["response_type", "replace_original", "text", "blocks"];
    if !body.as_object().is_some_and(|fields| fields.keys().all(|key| known.contains(&key.as_str()))) {
        return (StatusCode::BAD_REQUEST, "invalid_payload").into_response();
    }
    fake.inner().answers.push(body);
    "ok".into_response()
}

fn no(error: &str) -> Response {
    Json(json!({ "ok": false, "error": error })).into_response()
}

async fn call(
    State(fake): State<FakeSlack>,
    Path(method): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let mut inner = fake.inner();
    if inner.down {
        inner.turned_away += 1;
        return (StatusCode::SERVICE_UNAVAILABLE, "").into_response();
    }
    if inner.token_revoked
        || headers.get("authorization").is_none_or(|value| value != format!("Bearer {TOKEN}").as_str())
    {
        return no("invalid_auth");
    }
    if method == "auth.test" {
        return Json(json!({ "ok": true, "user_id": "UBOT", "bot_id": "B1" })).into_response();
    }
    let known: &[&str] = match method.as_str() {
        "chat.postMessage" => &["channel", "text", "blocks", "unfurl_links", "unfurl_media", "mrkdwn"],
        "chat.update" => &["channel", "ts", "text", "blocks"],
        _ => return no("unknown_method"),
    };
    let Some(fields) = body.as_object() else { return no("invalid_arguments") };
    if let Some(unknown) = fields.keys().find(|key| !known.contains(&key.as_str())) {
        return no(&format!("invalid_arguments:{unknown}"));
    }
    if let Err(fault) = block_kit(&body) {
        return no(fault);
    }
    let channel = body["channel"].as_str().unwrap_or("");
    if method == "chat.update" {
        let found =
            inner.posted.iter_mut().find(|posted| posted.channel == channel && body["ts"] == posted.ts.as_str());
        let Some(posted) = found else { return no("message_not_found") };
        posted.body = body.clone();
        posted.edits += 1;
        return Json(json!({ "ok": true, "channel": channel, "ts": posted.ts })).into_response();
    }
    // A person is written to in the channel that Slack keeps for her.
    let channel = match channel.as_bytes().first() {
        Some(b'U' | b'W') => format!("D{}", &channel[1..]),
        Some(b'C' | b'D') => channel.to_owned(),
        _ => return no("channel_not_found"),
    };
    let ts = format!("17640000{:02}.000100", inner.posted.len());
    inner.posted.push(Posted { channel: channel.clone(), ts: ts.clone(), body, edits: 0 });
    Json(json!({ "ok": true, "channel": channel, "ts": ts })).into_response()
}

/// Slack's own bounds on blocks.
fn block_kit(body: &Value) -> Result<(), &'static str> {
    if body["text"].as_str().is_none_or(|text| text.is_empty() || text.chars().count() > 40_000) {
        return Err("no_text");
    }
    for block in body["blocks"].as_array().into_iter().flatten() {
        match block["type"].as_str() {
            Some("section") => {
                let text = block["text"]["text"].as_str().unwrap_or("");
                if text.is_empty() || text.chars().count() > 3_000 {
                    return Err("invalid_blocks");
                }
            }
            Some("actions") => {
                let elements = block["elements"].as_array().map_or(&[][..], Vec::as_slice);
                let fits = |button: &Value| {
                    button["type"] == "button"
                        && button["text"]["type"] == "plain_text"
                        && button["text"]["text"].as_str().is_some_and(|text| text.chars().count() <= 75)
                        && button["action_id"].as_str().is_some_and(|id| !id.is_empty() && id.len() <= 255)
                        && button["value"].as_str().unwrap_or("").len() <= 2_000
                };
                if elements.is_empty() || elements.len() > 25 || !elements.iter().all(fits) {
                    return Err("invalid_blocks");
                }
            }
            _ => return Err("invalid_blocks"),
        }
    }
    Ok(())
}
