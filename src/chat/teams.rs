//! Microsoft Teams, through a Workflows web hook that posts an Adaptive Card.
//!
//! The hook's address is itself the secret, so an address here is the *name* of a hook in the configuration, with whose
//! it is behind it (`va/karin`), since several may be told in one channel. Buttons
//! of a card do not post back through such a hook: they are signed links that land on sign-in.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::bucket::{Bucket, Pace};
use super::signed::Signer;
use super::wire::{self, Secret, ask, judge_status};
use super::{Channel, Chat, Message, Receipt, SendError, Tried, fence};

/// The largest message that Teams takes, in bytes of JSON.
pub const CARD_MAX: usize = 28 * 1024;

/// One hook is throttled above four requests a second.
const PER_HOOK: Duration = Duration::from_millis(250);

/// Requests a second to all hooks together; they are one tenant's, whose own limit is not published.
const PER_SECOND: u32 = 10;

/// How Teams is reached.
#[derive(Debug, Clone)]
pub struct TeamsAccount {
    /// Secret addresses by the name that staff choose among.
    pub hooks: BTreeMap<String, Secret>,
    /// How long one call may take.
    pub timeout: Duration,
}

/// The voice in Teams.
#[derive(Debug)]
pub struct Teams {
    hooks: BTreeMap<String, Secret>,
    client: reqwest::Client,
    bucket: Bucket,
    signer: Signer,
}

impl Teams {
    /// A voice for the configured hooks.
    ///
    /// # Errors
    /// When no HTTP client can be built on this machine.
    pub fn new(account: &TeamsAccount, signer: Signer) -> Result<Self, reqwest::Error> {
        Ok(Self {
            hooks: account.hooks.clone(),
            client: wire::client(account.timeout)?,
            bucket: Bucket::new(Pace { per_second: PER_SECOND, per_address: PER_HOOK }),
            signer,
        })
    }
}

/// The envelope that a Workflows hook takes, with one card in it.
pub(super) fn envelope(message: &Message, signer: &Signer) -> Value {
    // The link on the last line of the text is a button here.
    let lines = message.text().lines().filter(|line| *line != message.link());
    let body: Vec<Value> =
        lines.map(|line| json!({ "type": "TextBlock", "text": plain(line), "wrap": true })).collect();
    let actions: Vec<Value> = signer
        .buttons(message)
        .into_iter()
        .map(|(title, url)| json!({ "type": "Action.OpenUrl", "title": title, "url": url }))
        .collect();
    json!({ "type": "message", "attachments": [{
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": null,
        "content": {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard", "version": "1.5", "lang": "sv", "body": body, "actions": actions,
        },
    }]})
}

/// A text block reads Markdown: what would be read as such is shown as it is.
fn plain(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for letter in line.chars() {
        if matches!(letter, '\\' | '*' | '_' | '[' | ']' | '`' | '#') {
            shown.push('\\');
        }
        shown.push(letter);
    }
    shown
}

/// What Teams cannot do, told where a person chooses it.
pub(super) const CANNOT: &[&str] = &[
    "Knapparna i Teams öppnar Lyhörd, där du loggar in och bekräftar: de kan inte svara direkt.",
    "Ett meddelande i Teams kan inte ändras efteråt, så en ny påminnelse blir ett nytt meddelande.",
    "Kvittot säger att flödet tog emot meddelandet, inte att det visades.",
    "Flödet kan inte skriva i privata kanaler.",
];

impl Chat for Teams {
    fn channel(&self) -> Channel {
        Channel::Teams
    }

    fn cannot(&self) -> &'static [&'static str] {
        CANNOT
    }

    fn can_edit(&self) -> bool {
        false
    }

    async fn try_account(&self) -> Result<Tried, SendError> {
        Ok(Tried::CannotBeAsked)
    }

    async fn send(&self, address: &str, message: &Message, _key: &str) -> Result<Receipt, SendError> {
        fence(Channel::Teams, message)?;
        let name = address.split_once('/').map_or(address, |(name, _)| name);
        let hook = self.hooks.get(name).ok_or_else(|| SendError::Never("no such hook in the configuration".into()))?;
        let body = envelope(message, &self.signer).to_string();
        if body.len() > CARD_MAX {
            return Err(SendError::Never("the message is too large for Teams".to_owned()));
        }
        self.bucket.take(name).await?;
        let request = self.client.post(hook.reveal()).header("content-type", "application/json").body(body);
        let reply = ask(request).await?;
        match judge_status(&reply) {
            Ok(()) => Ok(Receipt { external_id: String::new() }),
            // The signature is part of one hook's address: the other hooks work.
            Err(SendError::OutOfOrder(why)) => Err(SendError::Never(why)),
            Err(error) => {
                if let SendError::Later { retry_after: Some(span) } = error {
                    self.bucket.hush(span);
                }
                Err(error)
            }
        }
    }

    async fn edit(&self, _address: &str, _id: &str, _message: &Message, _key: &str) -> Result<Receipt, SendError> {
        Err(SendError::Never("a message in Teams cannot be changed".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::body::Bytes;
    use axum::extract::{RawQuery, State};
    use axum::http::{HeaderMap, StatusCode};
    use axum::response::IntoResponse;
    use axum::routing::post;

    use super::*;
    use crate::chat::signed::tests::signer;
    use crate::chat::tier::tests::{Sample, one_case, sample};
    use crate::chat::tier::{self, CaseFact, Occasion, Tier, Vocabulary};
    use crate::chat::{Act, Nonce};

    type Cards = Arc<Mutex<Vec<Value>>>;

    /// A flow that is as strict as Workflows: its signature, one card of a known version, links only, 28 KB.
    async fn flow(
        State(cards): State<Cards>,
        RawQuery(query): RawQuery,
        headers: HeaderMap,
        body: Bytes,
    ) -> axum::response::Response {
        let query = query.unwrap_or_default();
        if !query.contains("sig=rätt") && !query.contains("sig=r%C3%A4tt") {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        if query.contains("busy") {
            return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "12")]).into_response();
        }
        if headers.get("content-type").is_none_or(|kind| kind != "application/json") || body.len() > 28_672 {
            return StatusCode::BAD_REQUEST.into_response();
        }
        let Ok(sent) = serde_json::from_slice::<Value>(&body) else { return StatusCode::BAD_REQUEST.into_response() };
        let card = &sent["attachments"][0]["content"];
        let links = card["actions"].as_array().is_some_and(|actions| {
            actions.iter().all(|action| action["type"] == "Action.OpenUrl" && action["url"].as_str().is_some())
        });
        let kind = &sent["attachments"][0]["contentType"];
        if *kind != "application/vnd.microsoft.card.adaptive" || card["version"] != "1.5" || !links {
            return StatusCode::BAD_REQUEST.into_response();
        }
        cards.lock().unwrap().push(card.clone());
        StatusCode::ACCEPTED.into_response()
    }

    async fn teams(query: &str) -> (Cards, Teams) {
        let cards = Cards::default();
        let app = axum::Router::new().route("/flow", post(flow)).with_state(Arc::clone(&cards));
        let hook = format!("{}flow?{query}", wire::serve(app).await);
        let hooks = BTreeMap::from([("va".to_owned(), Secret::new(&hook))]);
        let account = TeamsAccount { hooks, timeout: Duration::from_secs(5) };
        (cards, Teams::new(&account, signer()).unwrap())
    }

    fn reminder(sample: &Sample) -> Message {
        tier::message(Tier::B, Occasion::Reminder, &one_case(sample)).with_buttons(&[(Act::Take, Nonce::of([1; 16]))])
    }

    #[tokio::test]
    async fn a_card_has_the_text_and_signed_links() {
        let (cards, teams) = teams("sig=rätt").await;
        assert_eq!(teams.send("va", &reminder(&sample()), "k").await, Ok(Receipt { external_id: String::new() }));
        let card = cards.lock().unwrap().remove(0);
        assert_eq!(card["body"][1]["text"], "Ärende 1042: Felanmälan · Vatten och avlopp. Förfaller kl. 10.42.");
        assert_eq!(card["actions"][0]["title"], "Jag tar det");
        let token = card["actions"][0]["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let now = one_case(&sample()).now;
        assert_eq!(signer().read(&token, now), Ok((Act::Take, Nonce::of([1; 16]))));
        assert_eq!(card["actions"][1]["url"], "https://lyhord.ale.se/arende/1042");
    }

    #[tokio::test]
    async fn a_tier_a_message_and_an_unknown_hook_go_nowhere() {
        let (cards, teams) = teams("sig=rätt").await;
        let sample = sample();
        let higher = tier::message(Tier::A, Occasion::Reminder, &one_case(&sample));
        assert!(matches!(teams.send("va", &higher, "k").await, Err(SendError::Never(_))));
        assert!(matches!(teams.send("okänd", &reminder(&sample), "k").await, Err(SendError::Never(_))));
        assert!(cards.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_throttled_hook_is_later_and_a_wrong_signature_never_and_neither_tells_the_address() {
        let (_, busy) = teams("sig=rätt&busy").await;
        let wait = Some(Duration::from_secs(12));
        assert_eq!(busy.send("va", &reminder(&sample()), "k").await, Err(SendError::Later { retry_after: wait }));
        let next = busy.bucket.take("another hook").await;
        assert!(matches!(next, Err(SendError::Later { retry_after: Some(_) })), "the whole voice rests: {next:?}");
        let (_, wrong) = teams("sig=fel").await;
        let Err(SendError::Never(why)) = wrong.send("va", &reminder(&sample()), "k").await else { panic!() };
        assert!(!why.contains("http") && !format!("{wrong:?}").contains("sig="), "{why}");
    }

    #[tokio::test]
    async fn a_card_costs_a_token_of_its_hook() {
        let (cards, teams) = teams("sig=rätt").await;
        teams.bucket.take("va").await.unwrap();
        let early = teams.send("va/karin", &reminder(&sample()), "k").await;
        let Err(SendError::Later { retry_after: Some(wait) }) = early else { panic!("let through: {early:?}") };
        assert!(wait <= PER_HOOK && cards.lock().unwrap().is_empty(), "{wait:?}");
    }

    #[tokio::test]
    async fn what_is_larger_than_28_kb_is_never_sent() {
        let (cards, teams) = teams("sig=rätt").await;
        let long = "å".repeat(30_000);
        let mut sample = sample();
        sample.vocabulary = Vocabulary::new([long.clone()]);
        sample.cases[0] = CaseFact { category_name: long, ..sample.cases[0].clone() };
        assert!(matches!(teams.send("va", &reminder(&sample), "k").await, Err(SendError::Never(_))));
        assert!(cards.lock().unwrap().is_empty());
    }

    #[test]
    fn markdown_in_a_name_is_shown_and_not_obeyed() {
        assert_eq!(plain("VA [*Nol*](x)"), "VA \\[\\*Nol\\*\\](x)");
    }
}
