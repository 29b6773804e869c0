//! Slack: Block Kit messages by a bot, and what it posts back when somebody presses or writes `/lyhord …`.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::bucket::{Bucket, Pace};
use super::wire::{self, Secret, ask, judge_status};
use super::{Channel, Chat, Message, Receipt, SendError, Tried, fence};

/// Slack's own: one message a second to a channel, with short bursts.
const PER_CHANNEL: Duration = Duration::from_secs(1);
/// Messages a second to the whole workspace; Slack says "several hundred a minute".
const PER_SECOND: u32 = 5;

/// How Slack is reached.
#[derive(Debug, Clone)]
pub struct SlackAccount {
    /// The bot's token (`xoxb-…`).
    pub token: Secret,
    /// What Slack signs its requests to us with.
    pub signing_secret: Secret,
    /// `https://slack.com/api/`.
    pub api_base: Url,
    /// How long one call may take.
    pub timeout: Duration,
}

/// The voice in Slack.
#[derive(Debug)]
pub struct Slack {
    account: SlackAccount,
    client: reqwest::Client,
    bucket: Bucket,
}

impl Slack {
    /// A voice for the bot's account.
    ///
    /// # Errors
    /// When no HTTP client can be built on this machine.
    pub fn new(account: &SlackAccount) -> Result<Self, reqwest::Error> {
        Ok(Self {
            account: account.clone(),
            client: wire::client(account.timeout)?,
            bucket: Bucket::new(Pace { per_second: PER_SECOND, per_address: PER_CHANNEL }),
        })
    }

    pub(super) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    pub(super) fn account(&self) -> &SlackAccount {
        &self.account
    }

    /// Says a line in a direct message, in answer to something heard there.
    pub(super) async fn tell(&self, channel: &str, text: &str) -> Result<(), SendError> {
        let body = json!({ "channel": channel, "text": escape(text), "unfurl_links": false, "unfurl_media": false,
                           "mrkdwn": false });
        self.call("chat.postMessage", &body).await.map(|_| ())
    }

    async fn call(&self, method: &str, body: &Value) -> Result<Receipt, SendError> {
        let mut url = self.account.api_base.clone();
        url.set_path(&format!("{}/{method}", url.path().trim_end_matches('/')));
        let request = self.client.post(url).bearer_auth(self.account.token.reveal()).json(body);
        let reply = ask(request).await?;
        let outcome = judge_status(&reply).and_then(|()| judge_body(&reply.body));
        if let Err(SendError::Later { retry_after: Some(span) }) = &outcome {
            self.bucket.hush(*span);
        }
        outcome
    }
}

/// Slack says 200 to nearly everything; what it means stands in the body.
fn judge_body(body: &Value) -> Result<Receipt, SendError> {
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or("");
    if body.get("ok").and_then(Value::as_bool) == Some(true) {
        // A message is named by its channel and time stamp together.
        return Ok(Receipt { external_id: format!("{}:{}", text("channel"), text("ts")) });
    }
    let never = |why: &str| Err(SendError::Never(why.to_owned()));
    match text("error") {
        ""
        | "internal_error"
        | "fatal_error"
        | "service_unavailable"
        | "request_timeout"
        | "ratelimited"
        | "rate_limited" => Err(SendError::later()),
        "channel_not_found" | "user_not_found" => never("the channel does not exist"),
        "not_in_channel" | "is_archived" | "restricted_action" => never("the bot may not write in the channel"),
        "invalid_auth" | "not_authed" | "token_revoked" | "token_expired" | "account_inactive" | "missing_scope" => {
            Err(SendError::OutOfOrder("Slack does not accept the bot's token".to_owned()))
        }
        "msg_too_long" | "msg_blocks_too_long" => never("the message is too long"),
        "message_not_found" | "cant_update_message" | "edit_window_closed" => {
            never("the message can no longer be changed")
        }
        _ => never("Slack refused the message"),
    }
}

/// The body of `chat.postMessage`, down to the last field. Nothing is unfurled, and our text is never read as markup or mention.
pub(super) fn post(address: &str, message: &Message) -> Value {
    let mut buttons: Vec<Value> = message
        .buttons()
        .iter()
        .map(|button| {
            json!({ "type": "button", "action_id": button.act.slug(), "value": button.nonce.as_str(),
                    "text": { "type": "plain_text", "text": button.act.label() } })
        })
        .collect();
    buttons.push(json!({ "type": "button", "action_id": "oppna", "url": message.link(),
                         "text": { "type": "plain_text", "text": "Öppna" } }));
    let lines: Vec<&str> = message.text().lines().filter(|line| *line != message.link()).collect();
    let shown = lines.join("\n");
    json!({
        "channel": address, "text": escape(&shown), "unfurl_links": false, "unfurl_media": false, "mrkdwn": false,
        "blocks": [
            { "type": "section", "text": { "type": "plain_text", "text": shown, "emoji": false } },
            { "type": "actions", "elements": buttons },
        ],
    })
}

/// `&`, `<` and `>` begin mentions and links in Slack's text.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// What Slack cannot do, told where a person chooses it.
pub(super) const CANNOT: &[&str] = &[
    "Slack är en tjänst utanför kommunen: plats, enhet och vad skyddade ärenden gäller nämns aldrig där.",
    "Om förbindelsen bryts mitt i kan samma påminnelse komma två gånger.",
    "Slack berättar inte om meddelandet är läst.",
];

impl Chat for Slack {
    fn channel(&self) -> Channel {
        Channel::Slack
    }

    fn cannot(&self) -> &'static [&'static str] {
        CANNOT
    }

    async fn try_account(&self) -> Result<Tried, SendError> {
        self.call("auth.test", &json!({})).await.map(|_| Tried::Accepted)
    }

    async fn send(&self, address: &str, message: &Message, _key: &str) -> Result<Receipt, SendError> {
        fence(Channel::Slack, message)?;
        self.bucket.take(address).await?;
        self.call("chat.postMessage", &post(address, message)).await
    }

    async fn edit(&self, _address: &str, id: &str, message: &Message, _key: &str) -> Result<Receipt, SendError> {
        fence(Channel::Slack, message)?;
        // A direct message is sent to a person but changed in the channel that Slack made for it.
        let (channel, ts) =
            id.split_once(':').ok_or_else(|| SendError::Never("not a message of Slack's".to_owned()))?;
        self.bucket.take(channel).await?;
        let mut body = post(channel, message);
        if let Some(fields) = body.as_object_mut() {
            fields.remove("unfurl_links");
            fields.remove("unfurl_media");
            fields.remove("mrkdwn");
            fields.insert("ts".to_owned(), json!(ts));
        }
        self.call("chat.update", &body).await
    }
}

#[cfg(test)]
#[path = "slack_tests.rs"]
mod tests;
