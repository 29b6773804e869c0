//! Matrix on our own home server: direct messages and rooms. Messages are not end-to-end encrypted; a room that is
//! encrypted is one we cannot serve, and we say so rather than write in the clear where people expect otherwise.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::bucket::{Bucket, Pace};
use super::button::Act;
use super::tier::escape;
use super::wire::{self, Reply, Secret, ask, judge_status};
use super::{Channel, Chat, Message, Receipt, SendError, Tried, bind, fence};

/// Synapse's default allows 0.2 messages a second after a burst of ten to an ordinary user; a bot of ours is exempt
/// or given a limit, and this is what we keep to.
const PER_SECOND: u32 = 5;
/// The least time between two messages to one room.
const PER_ROOM: Duration = Duration::from_secs(1);
/// Where the buttons' nonces stand in an event: opaque to everybody but us.
pub(super) const BUTTONS: &str = "se.lyhord.buttons";

/// How the home server is reached.
#[derive(Debug, Clone)]
pub struct MatrixAccount {
    /// The bot's access token.
    pub token: Secret,
    /// The bot's own name, `@lyhord:ale.se`.
    pub user_id: String,
    /// The home server.
    pub api_base: Url,
    /// How long one call may take.
    pub timeout: Duration,
}

/// The voice on Matrix.
#[derive(Debug)]
pub struct Matrix {
    account: MatrixAccount,
    client: reqwest::Client,
    bucket: Bucket,
}

/// The reaction that stands for an act, since Matrix has no buttons.
#[must_use]
pub fn reaction(act: Act) -> &'static str {
    match act {
        Act::Take => "👍",
        Act::Later => "🕐",
        Act::HandOver => "➡️",
    }
}

/// The act behind a reaction; skin colour and variation selectors do not matter.
#[must_use]
pub fn act_of(key: &str) -> Option<Act> {
    let first = key.chars().next()?;
    Act::ALL.into_iter().find(|act| reaction(*act).starts_with(first))
}

impl Matrix {
    /// A voice for the bot's account.
    ///
    /// # Errors
    /// When no HTTP client can be built on this machine.
    pub fn new(account: &MatrixAccount) -> Result<Self, reqwest::Error> {
        Ok(Self {
            account: account.clone(),
            client: wire::client(account.timeout)?,
            bucket: Bucket::new(Pace { per_second: PER_SECOND, per_address: PER_ROOM }),
        })
    }

    pub(super) fn account(&self) -> &MatrixAccount {
        &self.account
    }

    pub(super) fn user_id(&self) -> &str {
        &self.account.user_id
    }

    /// The address of a call; `path` is made of segments, so that no id can reach outside its place.
    pub(super) fn url(&self, path: &[&str]) -> Result<Url, SendError> {
        let mut url = self.account.api_base.clone();
        url.path_segments_mut()
            .map_err(|()| SendError::Never("the home server's address cannot be used".to_owned()))?
            .pop_if_empty()
            .extend(["_matrix", "client", "v3"])
            .extend(path);
        Ok(url)
    }

    pub(super) async fn call(
        &self,
        method: reqwest::Method,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<Value, SendError> {
        let mut request = self.client.request(method, self.url(path)?).bearer_auth(self.account.token.reveal());
        if let Some(body) = body {
            request = request.json(body);
        }
        let reply = ask(request).await?;
        judge(&reply).inspect_err(|error| {
            if let SendError::Later { retry_after: Some(span) } = error {
                self.bucket.hush(*span);
            }
        })?;
        Ok(reply.body)
    }

    /// The room behind an address: a room's own name, or a person's direct room, found or made. Which room is whose is
    /// kept by the home server (`m.direct`), so that a restart makes no second one.
    pub(super) async fn room_of(&self, address: &str) -> Result<String, SendError> {
        if address.starts_with('!') {
            return Ok(address.to_owned());
        }
        if !address.starts_with('@') || !address.contains(':') || address.len() > 255 {
            return Err(SendError::Never("the address is neither a room nor a person on Matrix".to_owned()));
        }
        let kept = ["user", self.user_id(), "account_data", "m.direct"];
        let mut direct = match self.call(reqwest::Method::GET, &kept, None).await {
            Ok(direct) => direct,
            // The server has nothing under that name yet.
            Err(SendError::Never(_)) => json!({}),
            Err(error) => return Err(error),
        };
        if let Some(room) = direct[address].as_array().and_then(|rooms| rooms.last()).and_then(Value::as_str) {
            return Ok(room.to_owned());
        }
        let wish = json!({ "is_direct": true, "invite": [address], "preset": "trusted_private_chat" });
        let made = self.call(reqwest::Method::POST, &["createRoom"], Some(&wish)).await?;
        let room = made["room_id"].as_str().ok_or_else(SendError::later)?.to_owned();
        if !direct.is_object() {
            direct = json!({});
        }
        direct[address] = json!([room]);
        self.call(reqwest::Method::PUT, &kept, Some(&direct)).await?;
        Ok(room)
    }

    async fn put(&self, room: &str, content: &Value, key: &str) -> Result<Receipt, SendError> {
        if self.is_encrypted(room).await? {
            return Err(SendError::Never("the room is end-to-end encrypted, which the bot cannot do".to_owned()));
        }
        // The same key is the same transaction: the server answers a repeat with the first event's id.
        let transaction = bind::keyed_hex(b"matrix", key.as_bytes());
        let path = ["rooms", room, "send", "m.room.message", &transaction];
        let sent = self.call(reqwest::Method::PUT, &path, Some(content)).await?;
        let event = sent["event_id"].as_str().ok_or_else(SendError::later)?;
        Ok(Receipt { external_id: event.to_owned() })
    }

    pub(super) async fn is_encrypted(&self, room: &str) -> Result<bool, SendError> {
        let url = self.url(&["rooms", room, "state", "m.room.encryption"])?;
        let reply = ask(self.client.get(url).bearer_auth(self.account.token.reveal())).await?;
        match reply.status {
            reqwest::StatusCode::NOT_FOUND => Ok(false),
            status if status.is_success() => Ok(true),
            _ => judge(&reply).map(|()| true),
        }
    }

    /// Says a line even where everything else is encrypted: only for what tells why we go.
    pub(super) async fn tell_in_the_clear(&self, room: &str, text: &str) -> Result<(), SendError> {
        let transaction = bind::keyed_hex(b"matrix", format!("encrypted:{room}").as_bytes());
        let content = json!({ "msgtype": "m.notice", "body": text, "m.mentions": {} });
        let path = ["rooms", room, "send", "m.room.message", &transaction];
        self.call(reqwest::Method::PUT, &path, Some(&content)).await.map(|_| ())
    }

    /// Says a line in a room, in answer to something heard there.
    pub(super) async fn tell(&self, room: &str, text: &str, once: &str) -> Result<(), SendError> {
        self.put(room, &json!({ "msgtype": "m.notice", "body": text, "m.mentions": {} }), once).await.map(|_| ())
    }
}

/// What the home server's answer means: its own code first, the status otherwise.
pub(super) fn judge(reply: &Reply) -> Result<(), SendError> {
    if reply.status.is_success() {
        return Ok(());
    }
    let never = |why: &str| Err(SendError::Never(why.to_owned()));
    match reply.body["errcode"].as_str().unwrap_or("") {
        "M_LIMIT_EXCEEDED" => {
            let wait = reply.body["retry_after_ms"].as_u64().map(Duration::from_millis).or(reply.retry_after);
            Err(SendError::Later { retry_after: wait })
        }
        "M_UNKNOWN_TOKEN" | "M_MISSING_TOKEN" | "M_USER_DEACTIVATED" => {
            Err(SendError::OutOfOrder("the home server does not know our token".to_owned()))
        }
        "M_FORBIDDEN" => never("the bot is not in the room"),
        "M_NOT_FOUND" => never("the room or person does not exist"),
        "M_TOO_LARGE" => never("the message is too large"),
        _ => judge_status(reply),
    }
}

/// The event's content. What to react with stands under the text, since there are no buttons to press.
pub(super) fn content(message: &Message) -> Value {
    let acts: Vec<String> =
        message.buttons().iter().map(|button| format!("{} {}", reaction(button.act), button.act.label())).collect();
    let hint = if acts.is_empty() { String::new() } else { format!("Reagera med: {}", acts.join(" · ")) };
    let body = [message.text(), &hint].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n");
    let mut content = json!({ "msgtype": "m.text", "body": body, "m.mentions": {} });
    if let Some(html) = message.html() {
        content["format"] = json!("org.matrix.custom.html");
        content["formatted_body"] = json!(format!("{html}<p>{}</p>", escape(&hint)));
    }
    let nonces: serde_json::Map<String, Value> =
        message.buttons().iter().map(|button| (button.act.slug().to_owned(), json!(button.nonce.as_str()))).collect();
    content[BUTTONS] = Value::Object(nonces);
    content
}

/// What Matrix cannot do, told where a person chooses it.
pub(super) const CANNOT: &[&str] = &[
    "Boten kan inte skriva i rum med totalsträckskryptering. Meddelandena är krypterade på väg till servern, men inte i den.",
    "Matrix har inga knappar: du reagerar eller svarar på meddelandet i stället.",
    "Matrix berättar inte säkert om meddelandet är läst.",
];

impl Chat for Matrix {
    fn channel(&self) -> Channel {
        Channel::Matrix
    }

    fn cannot(&self) -> &'static [&'static str] {
        CANNOT
    }

    async fn try_account(&self) -> Result<Tried, SendError> {
        let me = self.call(reqwest::Method::GET, &["account", "whoami"], None).await?;
        if me["user_id"].as_str() == Some(self.user_id()) {
            return Ok(Tried::Accepted);
        }
        Err(SendError::OutOfOrder("the token is another user's than `user_id`".to_owned()))
    }

    async fn send(&self, address: &str, message: &Message, key: &str) -> Result<Receipt, SendError> {
        fence(Channel::Matrix, message)?;
        self.bucket.take(address).await?;
        let room = self.room_of(address).await?;
        self.put(&room, &content(message), key).await
    }

    async fn edit(&self, address: &str, id: &str, message: &Message, key: &str) -> Result<Receipt, SendError> {
        fence(Channel::Matrix, message)?;
        self.bucket.take(address).await?;
        let room = self.room_of(address).await?;
        let new = content(message);
        let replacing = json!({
            "msgtype": "m.text", "body": format!("* {}", message.text()), "m.mentions": {},
            "m.new_content": new, "m.relates_to": { "rel_type": "m.replace", "event_id": id },
        });
        // The receipt stays the first event: later changes and reactions point at it.
        self.put(&room, &replacing, &format!("{key}:edit")).await?;
        Ok(Receipt { external_id: id.to_owned() })
    }
}

#[cfg(test)]
#[path = "matrix_tests.rs"]
mod tests;
