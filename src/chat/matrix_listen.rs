//! What staff react, answer and write on Matrix, by `/sync` with a place that the caller keeps.
//!
//! A reaction or a reply is a press: the nonces stand in our own event, and the server vouches for the sender. Commands
//! are heard in direct rooms only, since the answer is read by all who are there. When a room has had more
//! than [`EVENTS`] events while we were away, the oldest of them are not heard: the reminder is simply sent again.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use reqwest::Method;
use serde_json::{Value, json};

use super::bind::Code;
use super::button::{Act, Nonce};
use super::hear::{AT_ONCE, Hear, Keep, in_time};
use super::matrix::{BUTTONS, Matrix, act_of, judge};
use super::wire::{self, ask_within};
use super::{Answer, Channel, SendError, Speaker, Verdict};

/// How long the server holds a sync open when there is nothing to tell.
pub const SYNC_WAIT: Duration = Duration::from_secs(25);
/// What the network may add to that.
const SYNC_SLACK: Duration = Duration::from_secs(10);
/// Events of one room in one sync.
pub const EVENTS: usize = 30;
/// The largest sync that is read: thirty events of 64 KB, the largest there are, in two rooms at once.
const SYNC_MAX: usize = 4 * 1024 * 1024;
/// What people are told who ask us into an encrypted room. It is about the room only, so that it may stand there in
/// the clear.
pub const ENCRYPTED: &str = "Det här rummet är krypterat från ände till ände. Där kan jag varken läsa eller skriva, så \
    jag går nu. Starta en direktchatt med mig utan kryptering, eller ett rum utan kryptering.";
/// Members of a room that is a conversation with one person.
const DIRECT: usize = 2;

/// Hears what is said to the bot.
pub struct MatrixEar<H> {
    voice: Arc<Matrix>,
    patient: reqwest::Client,
    hear: H,
}

impl<H: Hear> MatrixEar<H> {
    /// An ear that answers through `voice`.
    ///
    /// # Errors
    /// When no HTTP client can be built on this machine.
    pub fn new(voice: Arc<Matrix>, hear: H) -> Result<Self, reqwest::Error> {
        Ok(Self { voice, patient: wire::client(SYNC_WAIT + SYNC_SLACK)?, hear })
    }

    /// One sync: joins rooms it is invited to, hears each event, then keeps the place. Tells how many were heard.
    /// The very first sync only finds the place: what was said before was not said to us.
    ///
    /// # Errors
    /// When nothing could be fetched, or the place not kept: then the same events come again.
    pub async fn round(&self, keep: &impl Keep, wait: Duration) -> Result<usize, SendError> {
        let place = keep.place().await.map_err(|_| SendError::later())?;
        let mut sync = self.sync(place.as_deref(), wait).await?;
        let next = sync["next_batch"].as_str().ok_or_else(SendError::later)?.to_owned();
        for (room, invited) in sync["rooms"]["invite"].as_object().into_iter().flatten() {
            self.consider(room, invited).await;
        }
        let rooms = match sync["rooms"]["join"].take() {
            Value::Object(rooms) if place.is_some() => rooms,
            _ => serde_json::Map::new(),
        };
        let heard = stream::iter(rooms)
            .map(|(room, joined)| async move { self.hear_room(&room, &joined).await })
            .buffer_unordered(AT_ONCE)
            .fold(0, async |all, heard| all + heard)
            .await;
        keep.keep(&next).await.map_err(|_| SendError::later())?;
        Ok(heard)
    }

    async fn sync(&self, since: Option<&str>, wait: Duration) -> Result<Value, SendError> {
        let none = json!({ "types": [] });
        let filter = json!({
            "presence": none, "account_data": none,
            "room": { "state": none, "ephemeral": none, "account_data": none,
                      "timeline": { "types": ["m.room.message", "m.reaction"], "limit": EVENTS } },
        });
        let mut url = self.voice.url(&["sync"])?;
        url.query_pairs_mut()
            .append_pair("timeout", &wait.as_millis().to_string())
            .append_pair("filter", &filter.to_string());
        if let Some(since) = since {
            url.query_pairs_mut().append_pair("since", since);
        }
        let request = self.patient.get(url).bearer_auth(self.voice.account().token.reveal());
        let reply = ask_within(request, SYNC_MAX).await?;
        judge(&reply)?;
        Ok(reply.body)
    }

    /// Joins a room when somebody on our own server asks; other servers' people are not staff.
    async fn consider(&self, room: &str, invited: &Value) {
        let me = self.voice.user_id();
        let from = invited["invite_state"]["events"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|event| event["type"] == "m.room.member" && event["state_key"] == me)
            .and_then(|event| event["sender"].as_str());
        if from.is_some_and(|from| server_of(from) == server_of(me)) {
            let joined = self.voice.call(Method::POST, &["join", room], Some(&json!({}))).await;
            match joined {
                Ok(_) => self.leave_if_encrypted(room).await,
                Err(error) => tracing::warn!(channel = "matrix", %error, "could not join a room"),
            }
        }
    }

    /// A room that is encrypted from end to end is one in which we can neither read nor write: we say so, and go.
    async fn leave_if_encrypted(&self, room: &str) {
        match self.voice.is_encrypted(room).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(channel = "matrix", %error, "could not look at a room");
                return;
            }
        }
        let said = self.voice.tell_in_the_clear(room, ENCRYPTED).await;
        let left = self.voice.call(Method::POST, &["rooms", room, "leave"], Some(&json!({}))).await;
        if let Err(error) = said.and(left.map(|_| ())) {
            tracing::warn!(channel = "matrix", %error, "could not leave an encrypted room");
        }
    }

    /// A room's events in their order; a slow answer in one room keeps nobody waiting in another.
    async fn hear_room(&self, room: &str, joined: &Value) -> usize {
        let mut heard = 0;
        for event in joined["timeline"]["events"].as_array().into_iter().flatten() {
            heard += usize::from(self.hear(room, event).await);
        }
        heard
    }

    /// True when the event was for us.
    async fn hear(&self, room: &str, event: &Value) -> bool {
        let (Some(sender), Some(id)) = (event["sender"].as_str(), event["event_id"].as_str()) else { return false };
        if sender == self.voice.user_id() {
            return false;
        }
        let once = format!("matrix:{id}");
        let speaker = Speaker { channel: Channel::Matrix, address: sender.to_owned(), once: once.clone() };
        let Some(answer) = self.answer(room, event, &speaker).await else { return false };
        if let Err(error) = self.voice.tell(room, &answer.text, &once).await {
            tracing::warn!(channel = "matrix", %error, "an answer did not get through");
        }
        true
    }

    async fn answer(&self, room: &str, event: &Value, speaker: &Speaker) -> Option<Answer> {
        let content = &event["content"];
        let relation = &content["m.relates_to"];
        if event["type"] == "m.reaction" {
            let act = relation["key"].as_str().and_then(act_of)?;
            return self.pressed(room, relation["event_id"].as_str()?, act, speaker).await;
        }
        let body = content["body"].as_str().filter(|_| content["msgtype"] == "m.text")?;
        let about = relation["m.in_reply_to"]["event_id"].as_str();
        if let (Some(about), Some(act)) = (about, act_in_words(body)) {
            return self.pressed(room, about, act, speaker).await;
        }
        let text = command_in(body)?;
        // Commands are for direct rooms, since all who are there read the answer. A code may be said anywhere: it
        // works once, and binds the one who says it to her direct room.
        if !self.is_direct(room).await && Code::parse(&text).is_none() {
            return None;
        }
        Some(in_time(self.hear.said(speaker, &text)).await)
    }

    /// A press on our own event; nothing when the event is somebody else's or has no buttons.
    async fn pressed(&self, room: &str, event: &str, act: Act, speaker: &Speaker) -> Option<Answer> {
        let event = self.voice.call(Method::GET, &["rooms", room, "event", event], None).await.ok()?;
        if event["sender"] != self.voice.user_id() {
            return None;
        }
        let newest = &event["unsigned"]["m.relations"]["m.replace"]["content"]["m.new_content"];
        let buttons = newest.get(BUTTONS).or_else(|| event["content"].get(BUTTONS))?;
        match buttons[act.slug()].as_str().and_then(Nonce::parse) {
            Some(nonce) => Some(in_time(self.hear.pressed(speaker, act, &nonce)).await),
            None => Some(Answer::keep(Verdict::Unknown.refusal().unwrap_or_default())),
        }
    }

    async fn is_direct(&self, room: &str) -> bool {
        let members = self.voice.call(Method::GET, &["rooms", room, "joined_members"], None).await;
        members.is_ok_and(|members| members["joined"].as_object().is_some_and(|joined| joined.len() <= DIRECT))
    }
}

fn server_of(user: &str) -> Option<&str> {
    user.split_once(':').map(|(_, server)| server)
}

/// A reply that is a press: its words, without the quoted lines that some clients put first.
fn act_in_words(body: &str) -> Option<Act> {
    let said = body.lines().filter(|line| !line.starts_with('>')).collect::<Vec<_>>().join(" ");
    let said = said.trim().trim_end_matches(['.', '!']).to_lowercase();
    match said.as_str() {
        "ta" | "tar" | "jag tar det" => Some(Act::Take),
        "senare" | "påminn mig senare" => Some(Act::Later),
        "lämna" | "lämna över" | "lamna" => Some(Act::HandOver),
        other => act_of(other),
    }
}

/// A command (`!ta 1042`, since Matrix clients keep `/` for themselves) or a code; chatter is nothing to us.
fn command_in(body: &str) -> Option<String> {
    let body = body.trim();
    if let Some(rest) = body.strip_prefix(['!', '/']) {
        return Some(format!("/{rest}"));
    }
    Code::parse(body).map(|_| body.to_owned())
}
