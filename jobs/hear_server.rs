//! Listens to the stream of a Mastodon-compatible server. The stream is a bell, not a letter: what it announces is read
//! forward by its number, as always, so that a break leaves no hole among the posts. What reading forward cannot see,
//! edits and deletions, is taken from the stream itself and is not to be had afterwards; so a stream that is away is told
//! on the source's row. One process at a time.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;

use crate::app::App;
use crate::http::{Called, DialError, Frame, REST_MAX};
use crate::jobs::keep_posts::{self, From};
use crate::jobs::turn::{self, ASK_AGAIN};
use crate::jobs::{TIMETABLE_BELL, WEB_BELL};
use crate::journal;
use crate::source::kinds::SourceKind;
use crate::source::mastodon::{self, Status, ThreadNames};
use crate::source::watched::SourceSetting;
use crate::source::{self, Gone, Name, PollError, Post, channel_store};

/// How often (real) the turn is renewed, and a burst of announcements becomes one reading.
const BEAT: Duration = Duration::from_secs(2);
/// Beats from one renewal to the next.
const RENEW: u32 = 4;
/// After so many things in a row that are no events, it is not such a stream.
const ODD_MAX: u32 = 10;

/// The sources of this configuration whose server is listened to.
#[must_use]
pub fn parts(app: &App) -> Vec<String> {
    let streamed = app.config.sources.iter().filter(|source| source.kind.rings() && !source.paused);
    streamed.map(|source| source.key.clone()).collect()
}

/// Listens for ever; the caller drops it to stop.
///
/// # Errors
/// When the database does not answer; the caller begins again.
pub async fn run(app: Arc<App>, key: String) -> anyhow::Result<()> {
    let Some(setting) = app.setting(&key).cloned() else { return std::future::pending().await };
    let lease = turn::lease_of(&key);
    let mut failures = 0_u32;
    loop {
        let now = app.clock.now();
        let mut tx = app.db.write().await?;
        let mine = turn::renewed(&app, &mut tx, &lease, now).await?;
        let row = source::store::by_key(&mut tx, &key).await?;
        tx.commit().await?;
        let Some(row) = row.filter(|_| mine) else {
            tokio::time::sleep(ASK_AGAIN).await;
            continue;
        };
        let ear = Ear { app: &app, setting: &setting, lease: &lease, id: row.id };
        let began = Instant::now();
        let Some(fault) = ear.listen(streaming(&setting, &row.cursor)).await? else {
            tokio::time::sleep(ASK_AGAIN).await;
            continue;
        };
        // Reading goes on by the timetable; a stream that is away costs promptness, edits and deletions, but no posts.
        failures = if began.elapsed() > REST_MAX { 1 } else { failures + 1 };
        tracing::info!(source = %key, failures, "server's stream ended: {fault}");
        ear.is_away(&fault).await?;
        tokio::time::sleep(app.rest(failures)).await;
    }
}

/// Where the server streams: as its settings said when they were read, or at its own address.
fn streaming(setting: &SourceSetting, cursor: &str) -> Option<Url> {
    let said = serde_json::from_str::<Value>(cursor).ok();
    let said = said.as_ref().and_then(|memory| memory.get("streams")).and_then(Value::as_str);
    let said = said.and_then(|said| Url::parse(said).ok()).filter(source::account::is_safe);
    let mut url = said.or_else(|| Url::parse(&setting.address).ok())?;
    let scheme = if matches!(url.scheme(), "https" | "wss") { "wss" } else { "ws" };
    url.set_scheme(scheme).ok()?;
    url.set_path("/api/v1/streaming");
    Some(url)
}

/// What is asked of the stream, one message each.
fn subscriptions(kind: &SourceKind) -> Vec<String> {
    match kind {
        SourceKind::MastodonTags { tags, .. } => {
            tags.iter().map(|tag| json!({ "type": "subscribe", "stream": "hashtag", "tag": tag }).to_string()).collect()
        }
        _ => vec![json!({ "type": "subscribe", "stream": "user" }).to_string()],
    }
}

struct Ear<'a> {
    app: &'a App,
    setting: &'a SourceSetting,
    lease: &'a str,
    id: crate::id::SourceId,
}

/// What it means that a server gives no stream, as a person reads it on *Källor*.
fn away(fault: &PollError) -> String {
    match fault {
        PollError::RateLimited { .. } | PollError::Busy => "servern vill att vi väntar".to_owned(),
        PollError::Gone => "servern har ingen ström längre (410)".to_owned(),
        PollError::Unauthorized(what) => format!("servern släpper inte in oss ({what})"),
        PollError::Unreachable(what)
        | PollError::Unreadable(what)
        | PollError::Blind(what)
        | PollError::Refused(what) => what.clone(),
    }
}

/// What the stream has told and is not yet seen to.
#[derive(Default)]
struct Told {
    /// True when the stream has shown that it is there, which is not yet written down.
    back: bool,
    news: bool,
    posts: Vec<Post>,
    gone: Vec<Gone>,
    /// How many things in a row were no events.
    odd: u32,
}

impl Told {
    fn is_something(&self) -> bool {
        self.back || self.news || !self.posts.is_empty() || !self.gone.is_empty()
    }

    /// Something that is no event came; too many of them, and it is not such a stream.
    fn odd_one(&mut self) -> Option<PollError> {
        self.odd += 1;
        (self.odd >= ODD_MAX).then(|| PollError::Blind("det som kommer i strömmen är inga händelser".to_owned()))
    }
}

impl Ear<'_> {
    /// Listens until the stream ends, and says why; nothing when another process has the turn.
    async fn listen(&self, address: Option<Url>) -> anyhow::Result<Option<PollError>> {
        let Some(address) = address else {
            return Ok(Some(PollError::Unreachable("servern säger inte var den strömmar".to_owned())));
        };
        let mut socket = match self.app.dial(self.setting, address, None).await {
            Ok(socket) => socket,
            Err(fault) => return Ok(Some(no_stream(fault))),
        };
        for subscription in subscriptions(&self.setting.kind) {
            if let Err(fault) = socket.say(&subscription).await {
                return Ok(Some(source::api::no_answer(fault)));
            }
        }
        // What came while nobody listened is read now, by its number.
        let mut told = Told { news: true, ..Told::default() };
        let (opened, mut is_back) = (socket.heard_at(), false);
        let (mut beat, mut beats) = (tokio::time::interval(BEAT), 0);
        loop {
            let frame = tokio::select! {
                frame = socket.next() => frame,
                _ = beat.tick() => {
                    beats += 1;
                    // That it opened is not enough: it must have shown a sign of life since.
                    if !is_back && told.odd == 0 && socket.heard_at() > opened {
                        (is_back, told.back) = (true, true);
                    }
                    if (told.is_something() || beats % RENEW == 0) && !self.see_to(&mut told).await? {
                        socket.close().await;
                        return Ok(None);
                    }
                    continue;
                }
            };
            let fault = match frame {
                Ok(Some(Frame::Text(bytes))) => self.hear(&bytes, &mut told),
                Ok(Some(Frame::Binary(_))) => told.odd_one(),
                Ok(None) => Some(PollError::Unreachable("servern stängde strömmen".to_owned())),
                Err(fault) => Some(source::api::no_answer(fault)),
            };
            if let Some(fault) = fault {
                let ours = self.see_to(&mut told).await?;
                socket.close().await;
                return Ok(ours.then_some(fault));
            }
        }
    }

    /// Hears one event. Says why the stream has ended, when it says so, or when it is not what it should be.
    fn hear(&self, bytes: &[u8], told: &mut Told) -> Option<PollError> {
        let event = serde_json::from_slice::<Value>(bytes).unwrap_or_default();
        let text = |key: &str| event.get(key).and_then(Value::as_str);
        if text("error").is_some() {
            // The server opens for everybody and then refuses what is asked for.
            let status = event.get("status").and_then(Value::as_u64).map(|status| format!(", svar {status}"));
            return Some(PollError::Unauthorized(format!("strömmen nekas{}", status.unwrap_or_default())));
        }
        let Some(name) = text("event") else { return told.odd_one() };
        told.odd = 0;
        let payload = text("payload").unwrap_or_default();
        match name {
            "update" | "notification" | "notifications_merged" => told.news = true,
            "delete" => told.gone.push(Gone { name: Name::Local(payload.to_owned()), at: None }),
            "status.update" => {
                let status = serde_json::from_str::<Status>(payload).ok();
                let host = Url::parse(&self.setting.address).ok();
                let host = host.as_ref().and_then(Url::host_str).unwrap_or_default().to_lowercase();
                let accounts = &self.app.config.accounts;
                let post = status.and_then(|status| mastodon::post(&status, &ThreadNames::default(), &host, accounts));
                told.posts.extend(post);
            }
            _ => {}
        }
        None
    }

    /// Writes down that the stream is away, for the source's row.
    async fn is_away(&self, fault: &PollError) -> sqlx::Result<()> {
        let now = self.app.clock.now();
        let mut tx = self.app.db.write().await?;
        channel_store::stream_away(&mut tx, self.id, &away(fault), now).await?;
        tx.ring_on_commit(WEB_BELL);
        tx.commit().await
    }

    /// Writes down edits and deletions, lets the source be read at once when there is news, and renews the turn; false
    /// when another has it.
    async fn see_to(&self, told: &mut Told) -> anyhow::Result<bool> {
        let app = self.app;
        let now = app.clock.now();
        let mut tx = app.db.write().await?;
        if !turn::renewed(app, &mut tx, self.lease, now).await? {
            return Ok(false);
        }
        let from = From { source: self.id, key: &self.setting.key, imported: false };
        let kept = keep_posts::keep(app, &mut tx, from, &told.posts, now).await?;
        let mut facts = kept.facts;
        facts.extend(keep_posts::take_away(&mut tx, from, &self.setting.channel, &told.gone, now).await?);
        if told.news {
            channel_store::sooner(&mut tx, self.id, now).await?;
            tx.ring_on_commit(TIMETABLE_BELL);
        }
        let returned = told.back && channel_store::stream_back(&mut tx, self.id).await?;
        if returned || !facts.is_empty() {
            tx.ring_on_commit(WEB_BELL);
        }
        journal::append(&mut tx, &facts).await?;
        tx.commit().await?;
        *told = Told { odd: told.odd, ..Told::default() };
        Ok(true)
    }
}

/// What it means that a stream did not open.
fn no_stream(fault: DialError) -> PollError {
    match fault {
        DialError::Fetch(fault) => source::api::no_answer(fault),
        DialError::Status { status, rest, .. } => source::api::refusal(&Called { status, rest, ..Called::default() })
            .unwrap_or_else(|| PollError::Unreadable(format!("oväntat svar ({status})"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_stream_is_away_is_swedish_and_without_what_the_server_said() {
        let refused = |status| {
            let rest = (status == 429).then_some(Duration::from_mins(2));
            away(&no_stream(DialError::Status { status, body: "secret".into(), rest }))
        };
        assert_eq!(refused(401), "servern släpper inte in oss (svar 401)");
        assert_eq!(refused(404), "sidan finns inte (404)");
        assert_eq!(refused(429), "servern vill att vi väntar");
        assert_eq!(refused(502), "fel hos servern (502)");
        assert_eq!(refused(200), "oväntat svar (200)", "a page and no stream");
    }

    #[test]
    fn each_tag_is_asked_for_and_an_account_hears_what_is_its_own() {
        let tags = SourceKind::MastodonTags { tags: vec!["ale".into(), "nol".into()], account: None, stream: true };
        assert_eq!(subscriptions(&tags)[1], r#"{"stream":"hashtag","tag":"nol","type":"subscribe"}"#);
        let account = SourceKind::MastodonAccount { account: "m".into(), stream: true };
        assert_eq!(subscriptions(&account), [r#"{"stream":"user","type":"subscribe"}"#]);
    }

    #[test]
    fn the_turn_is_renewed_long_before_it_ends() {
        assert!(BEAT * RENEW * 3 < turn::TURN);
    }
}
