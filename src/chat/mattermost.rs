//! Mattermost on our own servers: posts by a bot with interactive buttons, and what comes back from them.
//!
//! Mattermost does not sign what it posts back. Each button therefore carries a seal that never reaches a client:
//! the server keeps the button's context to itself.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use url::Url;

use super::bucket::{Bucket, Pace};
use super::button::{Act, Nonce};
use super::hear::{Hear, in_time};
use super::signed::Signer;
use super::wire::{self, Secret, ask, judge_status};
use super::{Buttons, Channel, Chat, Message, Receipt, SendError, Speaker, bind, fence};

/// Our own server's default limit is ten requests a second to one client.
const PER_SECOND: u32 = 10;
/// Enough that a chat does not jump; the server has no such limit.
const PER_CHANNEL: Duration = Duration::from_millis(500);
/// The largest press that is read; ours are under a kilobyte.
const BODY_MAX: usize = 32 * 1024;
/// An address that begins so names a person; any other is a channel.
const PERSON: &str = "user:";

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
        let request = self.client.request(method, url).bearer_auth(self.account.token.reveal()).json(body);
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

    /// What the press carries, when the seal is ours.
    fn opened(&self, context: &Context) -> Option<(Act, Nonce)> {
        let genuine = self.seal(&context.act, &context.nonce).is(&context.seal);
        if genuine { Some((Act::from_slug(&context.act)?, Nonce::parse(&context.nonce)?)) } else { None }
    }
}

impl Chat for Mattermost {
    fn channel(&self) -> Channel {
        Channel::Mattermost
    }

    fn cannot(&self) -> &'static [&'static str] {
        &[
            "Mattermost känner igen en upprepad påminnelse bara en kort stund: efter ett längre avbrott kan den komma två gånger.",
            "Mattermost berättar inte om meddelandet är läst.",
        ]
    }

    async fn send(&self, address: &str, message: &Message, key: &str) -> Result<Receipt, SendError> {
        fence(Channel::Mattermost, message)?;
        self.bucket.take(address).await?;
        let channel = self.channel_of(address).await?;
        // The server drops a second post with the same pending id, for as long as it remembers the first.
        let pending = format!("{}:{}", self.account.bot_id, bind::keyed_hex(b"pending", key.as_bytes()));
        let body = json!({ "channel_id": channel, "message": message.text(), "pending_post_id": pending,
                           "props": self.props(message) });
        let id = self.call(reqwest::Method::POST, "posts", &body).await?;
        Ok(Receipt { external_id: id })
    }

    async fn edit(&self, address: &str, id: &str, message: &Message, _key: &str) -> Result<Receipt, SendError> {
        fence(Channel::Mattermost, message)?;
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(SendError::Never("not a post of Mattermost's".to_owned()));
        }
        self.bucket.take(address).await?;
        let body = json!({ "message": message.text(), "props": self.props(message) });
        let id = self.call(reqwest::Method::PUT, &format!("posts/{id}/patch"), &body).await?;
        Ok(Receipt { external_id: id })
    }
}

/// A press, as far as we read it.
#[derive(serde::Deserialize)]
struct Pressed {
    user_id: String,
    post_id: String,
    context: Context,
}

#[derive(serde::Deserialize)]
struct Context {
    act: String,
    nonce: String,
    seal: String,
}

/// The route that the server posts presses to; mount it where `press_url` says.
pub fn router<H: Hear>(voice: Arc<Mattermost>, hear: H, path: &str) -> Router {
    Router::new()
        .route(path, post(take::<H>))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state((voice, Arc::new(hear)))
}

async fn take<H: Hear>(
    State((voice, hear)): State<(Arc<Mattermost>, Arc<H>)>,
    Json(pressed): Json<Pressed>,
) -> Response {
    let Some((act, nonce)) = voice.opened(&pressed.context) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let once = format!("mattermost:{}:{}:{}", pressed.post_id, pressed.user_id, pressed.context.nonce);
    let speaker = Speaker { channel: Channel::Mattermost, address: format!("{PERSON}{}", pressed.user_id), once };
    let answer = in_time(hear.pressed(&speaker, act, &nonce)).await;
    let mut body = json!({ "ephemeral_text": answer.text, "skip_slack_parsing": true });
    if answer.buttons == Buttons::Remove {
        let said = format!("{}\n{}", answer.text, voice.signer.links().login());
        body["update"] = json!({ "message": said, "props": {} });
    }
    Json(body).into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use axum::extract::{Path, State};
    use axum::http::HeaderMap;

    use super::*;
    use crate::chat::signed::tests::signer;
    use crate::chat::tier::tests::{one_case, sample};
    use crate::chat::tier::{self, Occasion, Tier};
    use crate::chat::{Answer, NOT_NOW};

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
            press_url: "https://lyhord.ale.se/mattermost".parse().unwrap(),
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
    async fn a_closed_channel_and_an_address_that_is_a_path_are_never() {
        let (posts, voice) = mattermost().await;
        assert!(matches!(voice.send("closed", &take_it(), "k").await, Err(SendError::Never(_))));
        assert!(matches!(voice.send("user:../../x", &take_it(), "k").await, Err(SendError::Never(_))));
        assert!(posts.lock().unwrap().is_empty());
    }

    /// Answers a press by the act's name; takes too long for a hand-over.
    struct Echo;

    impl Hear for Echo {
        async fn pressed(&self, speaker: &Speaker, act: Act, _: &Nonce) -> Answer {
            if act == Act::HandOver {
                std::future::pending::<()>().await;
            }
            Answer::done(format!("{} {}", speaker.address, act.slug()))
        }

        async fn said(&self, _: &Speaker, _: &str) -> Answer {
            Answer::keep("")
        }
    }

    async fn pressed(voice: &Arc<Mattermost>, context: &Value) -> reqwest::Response {
        let url = wire::serve(router(Arc::clone(voice), Echo, "/mattermost")).await.join("mattermost").unwrap();
        let body = json!({ "user_id": USER, "post_id": "p1", "channel_id": "d1", "context": context });
        reqwest::Client::new().post(url).json(&body).send().await.unwrap()
    }

    #[tokio::test]
    async fn a_press_with_our_seal_is_heard_and_the_post_loses_its_buttons() {
        let (posts, voice) = mattermost().await;
        voice.send("d1", &take_it(), "k").await.unwrap();
        let context =
            posts.lock().unwrap()[0]["props"]["attachments"][0]["actions"][0]["integration"]["context"].clone();
        let body: Value = pressed(&voice, &context).await.json().await.unwrap();
        assert_eq!(body["ephemeral_text"], format!("user:{USER} ta"));
        assert_eq!(body["update"]["props"], json!({}));
    }

    #[tokio::test]
    async fn a_press_with_a_forged_or_borrowed_seal_is_not_heard() {
        let (_, voice) = mattermost().await;
        let nonce = Nonce::of([1; 16]);
        let seal = voice.seal("ta", nonce.as_str());
        for (act, seal) in [("lamna", seal.reveal()), ("ta", ""), ("ta", "00")] {
            let context = json!({ "act": act, "nonce": nonce.as_str(), "seal": seal });
            assert_eq!(pressed(&voice, &context).await.status(), 401, "{act}");
        }
    }

    #[tokio::test]
    async fn a_slow_hearer_is_answered_for_in_time() {
        let (_, voice) = mattermost().await;
        let nonce = Nonce::of([1; 16]);
        let seal = voice.seal("lamna", nonce.as_str());
        let context = json!({ "act": "lamna", "nonce": nonce.as_str(), "seal": seal.reveal() });
        let asked = tokio::time::timeout(Duration::from_secs(3), pressed(&voice, &context));
        let body: Value = asked.await.unwrap().json().await.unwrap();
        assert_eq!(body["ephemeral_text"], NOT_NOW);
    }
}
