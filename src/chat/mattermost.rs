//! Mattermost on our own servers: posts by a bot with interactive buttons.
//!
//! Mattermost does not sign what it posts back. Each button therefore carries a seal that never reaches a client:
//! the server keeps the button's context to itself.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::bucket::{Bucket, Pace};
use super::button::{Act, Nonce};
use super::signed::Signer;
use super::wire::{self, Secret, ask, judge_status};
use super::{Channel, Chat, Message, Receipt, SendError, Tried, bind, fence};

/// Our own server's default limit is ten requests a second to one client.
const PER_SECOND: u32 = 10;
/// Enough that a chat does not jump; the server has no such limit.
const PER_CHANNEL: Duration = Duration::from_millis(500);
/// An address that begins so names a person; any other is a channel.
pub(super) const PERSON: &str = "user:";

/// How Mattermost is reached.
#[derive(Debug, Clone)]
pub struct MattermostAccount {
    /// The bot's token.
    pub token: Secret,
    /// The bot's own user id, needed to open direct channels.
    pub bot_id: String,
    /// The server, without `/api/v4`.
    pub api_base: Url,
    /// Where the server reaches us when a button is pressed.
    pub press_url: Url,
    /// What the server says with each `/lyhord …`; without it no commands are heard.
    pub command_token: Option<Secret>,
    /// How long one call may take.
    pub timeout: Duration,
}

/// The voice in Mattermost.
#[derive(Debug)]
pub struct Mattermost {
    account: MattermostAccount,
    client: reqwest::Client,
    bucket: Bucket,
    signer: Signer,
}

impl Mattermost {
    /// A voice for the bot's account.
    ///
    /// # Errors
    /// When no HTTP client can be built on this machine.
    pub fn new(account: &MattermostAccount, signer: Signer) -> Result<Self, reqwest::Error> {
        Ok(Self {
            account: account.clone(),
            client: wire::client(account.timeout)?,
            bucket: Bucket::new(Pace { per_second: PER_SECOND, per_address: PER_CHANNEL }),
            signer,
        })
    }

    async fn call(&self, method: reqwest::Method, path: &str, body: &Value) -> Result<String, SendError> {
        let mut url = self.account.api_base.clone();
        url.set_path(&format!("{}/api/v4/{path}", url.path().trim_end_matches('/')));
        let mut request = self.client.request(method, url).bearer_auth(self.account.token.reveal());
        if !body.is_null() {
            request = request.json(body);
        }
        let reply = ask(request).await?;
        if let Err(error) = judge_status(&reply) {
            if let SendError::Later { retry_after: Some(span) } = error {
                self.bucket.hush(span);
            }
            return Err(error);
        }
        let id = reply.body.get("id").and_then(Value::as_str);
        id.map(str::to_owned).ok_or_else(|| SendError::Never("the server's answer has no id".to_owned()))
    }

    /// The channel behind an address; the server gives the same direct channel however often it is asked.
    async fn channel_of(&self, address: &str) -> Result<String, SendError> {
        let id = address.strip_prefix(PERSON).unwrap_or(address);
        if id.is_empty() || id.len() > 64 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(SendError::Never("the address is not a Mattermost id".to_owned()));
        }
        if address.starts_with(PERSON) {
            self.call(reqwest::Method::POST, "channels/direct", &json!([self.account.bot_id, id])).await
        } else {
            Ok(id.to_owned())
        }
    }

    fn seal(&self, act: &str, nonce: &str) -> Secret {
        self.signer.seal("mattermost", &format!("{act}:{nonce}"))
    }

    /// What a post says, whether it is new or changed.
    pub(super) fn post(&self, message: &Message) -> Value {
        json!({ "message": message.text(), "props": self.props(message) })
    }

    fn props(&self, message: &Message) -> Value {
        let action = |button: &super::Button| {
            let (act, nonce) = (button.act.slug(), button.nonce.as_str());
            json!({ "id": act, "name": button.act.label(), "type": "button", "integration": {
                "url": self.account.press_url.as_str(),
                "context": { "act": act, "nonce": nonce, "seal": self.seal(act, nonce).reveal() },
            }})
        };
        let actions: Vec<Value> = message.buttons().iter().map(action).collect();
        if actions.is_empty() { json!({}) } else { json!({ "attachments": [{ "text": "", "actions": actions }] }) }
    }

    /// What a press carries, when the seal is ours.
    pub(super) fn opened(&self, act: &str, nonce: &str, seal: &str) -> Option<(Act, Nonce)> {
        let genuine = self.seal(act, nonce).is(seal);
        if genuine { Some((Act::from_slug(act)?, Nonce::parse(nonce)?)) } else { None }
    }

    pub(super) fn account(&self) -> &MattermostAccount {
        &self.account
    }

    /// Where the sign-in page is.
    pub(super) fn login(&self) -> String {
        self.signer.links().login()
    }
}

/// What Mattermost cannot do, told where a person chooses it.
pub(super) const CANNOT: &[&str] = &[
    "Mattermost känner igen en upprepad påminnelse bara en kort stund: efter ett längre avbrott kan den komma två gånger.",
    "Mattermost berättar inte om meddelandet är läst.",
    "Det du skriver till Lyhörd i Mattermost hörs bara efter /lyhord, inte som vanliga meddelanden.",
];

impl Chat for Mattermost {
    fn channel(&self) -> Channel {
        Channel::Mattermost
    }

    fn cannot(&self) -> &'static [&'static str] {
        CANNOT
    }

    async fn try_account(&self) -> Result<Tried, SendError> {
        let me = self.call(reqwest::Method::GET, "users/me", &Value::Null).await?;
        if me == self.account.bot_id {
            return Ok(Tried::Accepted);
        }
        Err(SendError::OutOfOrder("the token is another user's than `bot_id`".to_owned()))
    }

    async fn send(&self, address: &str, message: &Message, key: &str) -> Result<Receipt, SendError> {
        fence(Channel::Mattermost, message)?;
        self.bucket.take(address).await?;
        let channel = self.channel_of(address).await?;
        // The server drops a second post with the same pending id, for as long as it remembers the first.
        let pending = format!("{}:{}", self.account.bot_id, bind::keyed_hex(b"pending", key.as_bytes()));
        let mut body = self.post(message);
        body["channel_id"] = json!(channel);
        body["pending_post_id"] = json!(pending);
        let id = self.call(reqwest::Method::POST, "posts", &body).await?;
        Ok(Receipt { external_id: id })
    }

    async fn edit(&self, address: &str, id: &str, message: &Message, _key: &str) -> Result<Receipt, SendError> {
        fence(Channel::Mattermost, message)?;
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(SendError::Never("not a post of Mattermost's".to_owned()));
        }
        self.bucket.take(address).await?;
        let body = self.post(message);
        let id = self.call(reqwest::Method::PUT, &format!("posts/{id}/patch"), &body).await?;
        Ok(Receipt { external_id: id })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::extract::{Path, State};
    use axum::http::{HeaderMap, StatusCode};
    use axum::response::{IntoResponse, Response};
    use axum::routing::post;
    use axum::{Json, Router};

    use super::*;
    use crate::chat::signed::tests::signer;
    use crate::chat::tier::tests::{one_case, sample};
    use crate::chat::tier::{self, Occasion, Tier};

    const USER: &str = "u1aaaaaaaaaaaaaaaaaaaaaaaa";

    type Posts = Arc<Mutex<Vec<Value>>>;

    /// A server as strict as Mattermost about tokens, fields and ids, and as forgiving about a repeated pending id.
    async fn api(
        State(posts): State<Posts>,
        Path(path): Path<String>,
        headers: HeaderMap,
        Json(body): Json<Value>,
    ) -> Response {
        if headers.get("authorization").is_none_or(|value| value != "Bearer t") {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        let created = |id: &str| (StatusCode::CREATED, Json(json!({ "id": id }))).into_response();
        match path.as_str() {
            "channels/direct" if body == json!(["bot", USER]) => created("d1"),
            "channels/direct" => StatusCode::BAD_REQUEST.into_response(),
            "posts" if body["channel_id"] == "closed" => StatusCode::FORBIDDEN.into_response(),
            "posts" if body["channel_id"] == "busy" => {
                (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "7")]).into_response()
            }
            "posts" => {
                let alnum =
                    |action: &Value| action["id"].as_str().is_some_and(|id| id.chars().all(char::is_alphanumeric));
                let actions = body["props"]["attachments"][0]["actions"].as_array().cloned().unwrap_or_default();
                if !actions.iter().all(alnum) || body["message"].as_str().is_none_or(str::is_empty) {
                    return StatusCode::BAD_REQUEST.into_response();
                }
                let mut posts = posts.lock().unwrap();
                if !posts.iter().any(|post| post["pending_post_id"] == body["pending_post_id"]) {
                    posts.push(body);
                }
                created("p1")
            }
            "posts/p1/patch" => {
                posts.lock().unwrap()[0]["message"] = body["message"].clone();
                created("p1")
            }
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    }

    async fn mattermost() -> (Posts, Arc<Mattermost>) {
        let posts = Posts::default();
        let app = Router::new().route("/api/v4/{*path}", post(api).put(api)).with_state(Arc::clone(&posts));
        let account = MattermostAccount {
            token: Secret::new("t"),
            bot_id: "bot".into(),
            api_base: wire::serve(app).await,
            press_url: "https://lyhord.ale.se/krok/mattermost".parse().unwrap(),
            command_token: None,
            timeout: Duration::from_secs(5),
        };
        (posts, Arc::new(Mattermost::new(&account, signer()).unwrap()))
    }

    fn reminder(buttons: &[(Act, Nonce)]) -> Message {
        tier::message(Tier::A, Occasion::Reminder, &one_case(&sample())).with_buttons(buttons)
    }

    fn take_it() -> Message {
        reminder(&[(Act::Take, Nonce::of([1; 16]))])
    }

    #[tokio::test]
    async fn a_person_is_reached_in_her_direct_channel_and_a_repeat_is_one_post() {
        let (posts, voice) = mattermost().await;
        let to = format!("{PERSON}{USER}");
        assert_eq!(voice.send(&to, &take_it(), "k").await, Ok(Receipt { external_id: "p1".into() }));
        let again = Mattermost::new(&voice.account, signer()).unwrap();
        again.send(&to, &take_it(), "k").await.unwrap();
        assert_eq!(posts.lock().unwrap().len(), 1);
        assert_eq!(posts.lock().unwrap()[0]["channel_id"], "d1");
        let third = Mattermost::new(&voice.account, signer()).unwrap();
        third.edit(&to, "p1", &reminder(&[]), "k").await.unwrap();
        assert_eq!(posts.lock().unwrap()[0]["message"], reminder(&[]).text());
    }

    #[tokio::test]
    async fn too_many_requests_is_later_and_silences_the_whole_voice() {
        let (posts, voice) = mattermost().await;
        let wait = Some(Duration::from_secs(7));
        assert_eq!(voice.send("busy", &take_it(), "k").await, Err(SendError::Later { retry_after: wait }));
        let next = voice.send("c1", &take_it(), "k2").await;
        assert!(matches!(next, Err(SendError::Later { retry_after: Some(_) })), "{next:?}");
        assert!(posts.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn an_edit_costs_a_token_as_a_message_does() {
        let (posts, voice) = mattermost().await;
        for channel in ["c1", "c2"] {
            voice.bucket.take(channel).await.unwrap();
        }
        let early = [voice.edit("c1", "p1", &reminder(&[]), "k").await, voice.send("c2", &take_it(), "k").await];
        for early in early {
            let Err(SendError::Later { retry_after: Some(wait) }) = early else { panic!("let through: {early:?}") };
            assert!(wait <= PER_CHANNEL, "{wait:?}");
        }
        assert!(posts.lock().unwrap().is_empty(), "the server was not asked");
    }

    #[tokio::test]
    async fn a_closed_channel_and_an_address_that_is_a_path_are_never() {
        let (posts, voice) = mattermost().await;
        assert!(matches!(voice.send("closed", &take_it(), "k").await, Err(SendError::Never(_))));
        assert!(matches!(voice.send("user:../../x", &take_it(), "k").await, Err(SendError::Never(_))));
        assert!(posts.lock().unwrap().is_empty());
    }
}
