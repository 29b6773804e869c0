//! What Slack posts to us: presses, the command `/lyhord`, and what is written to the bot in a direct message. Nothing is
//! read without Slack's signature, and nothing that is older than five minutes.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use url::Url;

use super::bind::{Code, keyed_hex};
use super::button::{Act, Nonce};
use super::hear::{Hear, in_time};
use super::slack::Slack;
use super::wire::{Secret, ask};
use super::{Answer, Buttons, Channel, Speaker, Verdict};
use crate::clock::{Clock, Time};

/// The largest request that is read; a press repeats the message, which is a few kilobytes.
const BODY_MAX: usize = 128 * 1024;
/// A signature older than this may be a repetition by somebody else (Slack's own advice).
const SIGNED_WITHIN: Duration = Duration::from_mins(5);

/// Hears what is said to the app.
pub struct SlackEar<H> {
    voice: Arc<Slack>,
    hear: H,
    clock: Clock,
}

/// A press, as far as we read it.
#[derive(serde::Deserialize)]
struct Pressed {
    user: Id,
    actions: Vec<Action>,
    response_url: Option<Url>,
    #[serde(default)]
    message: Value,
    #[serde(default)]
    trigger_id: String,
}

#[derive(serde::Deserialize)]
struct Id {
    id: String,
}

#[derive(serde::Deserialize)]
struct Action {
    #[serde(rename = "action_id")]
    id: String,
    #[serde(default)]
    value: String,
    #[serde(default, rename = "action_ts")]
    at: String,
}

/// What Slack tells of by itself.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    #[serde(rename = "event_id")]
    id: String,
    #[serde(rename = "event")]
    said: Said,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Said {
    #[serde(rename = "type")]
    kind: String,
    subtype: String,
    channel_type: String,
    channel: String,
    user: String,
    bot_id: String,
    text: String,
}

impl<H: Hear> SlackEar<H> {
    /// An ear that answers through `voice`'s client.
    #[must_use]
    pub fn new(voice: Arc<Slack>, hear: H, clock: Clock) -> Self {
        Self { voice, hear, clock }
    }

    /// One route for both, to be given to Slack as request URL.
    pub fn router(self: Arc<Self>, path: &str) -> Router {
        Router::new().route(path, post(take::<H>)).layer(DefaultBodyLimit::max(BODY_MAX)).with_state(self)
    }

    async fn pressed(&self, pressed: Pressed) {
        let Some(action) = pressed.actions.first() else { return };
        let once = format!("slack:{}:{}:{}", pressed.trigger_id, action.at, action.value);
        let speaker = Speaker { channel: Channel::Slack, address: pressed.user.id.clone(), once };
        let answer = match (Act::from_slug(&action.id), Nonce::parse(&action.value)) {
            (Some(act), Some(nonce)) => in_time(self.hear.pressed(&speaker, act, &nonce)).await,
            // The link button reports its press too; there is nothing to answer.
            (None, None) => return,
            _ => Answer::keep(Verdict::Unknown.refusal().unwrap_or_default()),
        };
        let Some(url) = pressed.response_url.filter(|url| self.is_slacks(url)) else { return };
        // Slack wants its 200 within three seconds; what the person reads goes its own way.
        let (client, message) = (self.voice.client().clone(), pressed.message);
        tokio::spawn(async move { tell(&client, &url, &answer, &message).await });
    }

    /// The answer goes to an address that stands in the request: only to Slack's own hosts.
    fn is_slacks(&self, url: &Url) -> bool {
        let ours = &self.voice.account().api_base;
        let same = url.host() == ours.host() && url.port() == ours.port() && url.scheme() == ours.scheme();
        same || (url.scheme() == "https" && url.host_str() == Some("hooks.slack.com"))
    }
}

/// Answers the presser alone, and takes the buttons from the message when they have done their work.
async fn tell(client: &reqwest::Client, url: &Url, answer: &Answer, message: &Value) {
    let mut said = vec![json!({ "response_type": "ephemeral", "replace_original": false, "text": answer.text })];
    if answer.buttons == Buttons::Remove {
        let text = message["text"].as_str().unwrap_or("Lyhörd");
        said.push(json!({ "replace_original": true, "text": text, "blocks": without_acts(&message["blocks"]) }));
    }
    for body in said {
        let answered = ask(client.post(url.clone()).json(&body)).await;
        if !answered.is_ok_and(|reply| reply.status.is_success()) {
            tracing::warn!(channel = "slack", "an answer to a press did not get through");
        }
    }
}

/// The message's blocks without the acting buttons; *Öppna* stays.
fn without_acts(blocks: &Value) -> Vec<Value> {
    let mut kept = Vec::new();
    for block in blocks.as_array().into_iter().flatten() {
        let mut block = block.clone();
        if let Some(elements) = block.get_mut("elements").and_then(Value::as_array_mut) {
            elements.retain(|button| button["action_id"].as_str().and_then(Act::from_slug).is_none());
        }
        kept.push(block);
    }
    kept
}

/// True when Slack signed this body not long ago: `v0=` HMAC-SHA-256 of `v0:{time stamp}:{body}`.
fn is_signed(secret: &Secret, headers: &HeaderMap, body: &[u8], now: Time) -> bool {
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let stamp = said("x-slack-request-timestamp");
    let Ok(seconds) = stamp.parse::<i64>() else { return false };
    let at = Time(seconds.saturating_mul(1_000));
    if secret.reveal().is_empty() || now.since(at) > SIGNED_WITHIN || at.since(now) > SIGNED_WITHIN {
        return false;
    }
    let mut signed = format!("v0:{stamp}:").into_bytes();
    signed.extend_from_slice(body);
    Secret::new(&format!("v0={}", keyed_hex(secret.reveal().as_bytes(), &signed))).is(said("x-slack-signature"))
}

async fn take<H: Hear>(State(ear): State<Arc<SlackEar<H>>>, headers: HeaderMap, body: Bytes) -> Response {
    if !is_signed(&ear.voice.account().signing_secret, &headers, &body, ear.clock.now()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/json"));
    if is_json {
        return match serde_json::from_slice::<Event>(&body) {
            Ok(event) => take_event(ear, event).await,
            Err(_) => StatusCode::BAD_REQUEST.into_response(),
        };
    }
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    if let Some(payload) = field("payload") {
        return match serde_json::from_str::<Pressed>(payload) {
            Ok(pressed) => {
                ear.pressed(pressed).await;
                StatusCode::OK.into_response()
            }
            Err(_) => StatusCode::BAD_REQUEST.into_response(),
        };
    }
    let (Some(user), Some(text)) = (field("user_id"), field("text")) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let once = format!("slack:{}", field("trigger_id").unwrap_or_default());
    let speaker = Speaker { channel: Channel::Slack, address: user.to_owned(), once };
    let bare = text.starts_with('/') || Code::parse(text).is_some();
    let said = if bare { text.to_owned() } else { format!("/{text}") };
    let answer = in_time(ear.hear.said(&speaker, &said)).await;
    let told = json!({ "response_type": "ephemeral", "text": answer.text });
    ([(header::CACHE_CONTROL, "no-store")], Json(told)).into_response()
}

/// Slack asks once whether the address is ours, and tells of messages afterwards. It waits three seconds for its 200 and
/// tells again otherwise; what the person reads goes its own way.
async fn take_event<H: Hear>(ear: Arc<SlackEar<H>>, event: Event) -> Response {
    if event.kind == "url_verification" {
        return ([(header::CONTENT_TYPE, "text/plain")], event.challenge).into_response();
    }
    let said = event.said;
    let ours = !said.bot_id.is_empty() || !said.subtype.is_empty();
    if event.kind != "event_callback" || said.kind != "message" || said.channel_type != "im" || ours {
        return StatusCode::OK.into_response();
    }
    let speaker = Speaker { channel: Channel::Slack, address: said.user, once: format!("slack:event:{}", event.id) };
    // In a direct message a client keeps `/` for itself, so a command may do without it.
    let text = said.text.trim();
    let text = if text.starts_with('/') || Code::parse(text).is_some() { text.to_owned() } else { format!("/{text}") };
    let answer = in_time(ear.hear.said(&speaker, &text)).await;
    tokio::spawn(async move {
        if let Err(error) = ear.voice.tell(&said.channel, &answer.text).await {
            tracing::warn!(channel = "slack", %error, "an answer did not get through");
        }
    });
    StatusCode::OK.into_response()
}

#[cfg(test)]
pub(super) fn sign(secret: &str, stamp: i64, body: &str) -> String {
    format!("v0={}", keyed_hex(secret.as_bytes(), format!("v0:{stamp}:{body}").as_bytes()))
}
