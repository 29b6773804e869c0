//! Listens to the stream of a Mastodon-compatible server. The stream is a bell, not a letter: what it announces is read
//! forward by its number, as always, so that a break leaves no hole. What reading forward cannot see, edits and
//! deletions, is taken from the stream itself. One process at a time.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;

use crate::app::App;
use crate::http::{DialError, Frame};
use crate::jobs::keep_posts::{self, From};
use crate::jobs::turn::{self, ASK_AGAIN};
use crate::jobs::{TIMETABLE_BELL, WEB_BELL};
use crate::journal;
use crate::source::kinds::SourceKind;
use crate::source::mastodon::{self, Status, ThreadNames};
use crate::source::watched::SourceSetting;
use crate::source::{self, Gone, Name, Post, channel_store};

/// How often (real) the turn is renewed, and a burst of announcements becomes one reading.
const BEAT: Duration = Duration::from_secs(2);
/// Beats from one renewal to the next.
const RENEW: u32 = 4;
/// The longest pause (real) between two tries.
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// The sources of this configuration whose server is listened to.
#[must_use]
pub fn parts(app: &App) -> Vec<String> {
    let listens = |kind: &SourceKind| {
        matches!(kind, SourceKind::MastodonTags { stream: true, .. } | SourceKind::MastodonAccount { stream: true, .. })
    };
    let streamed = app.config.sources.iter().filter(|source| listens(&source.kind) && !source.paused);
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
        let why = ear.listen(streaming(&setting, &row.cursor)).await?;
        // Reading goes on by the timetable; a stream that is away costs promptness, not posts.
        failures = if began.elapsed() > PAUSE_MAX { 1 } else { failures + 1 };
        tracing::info!(source = %key, failures, "server's stream ended: {why}");
        tokio::time::sleep(Duration::from_secs(1_u64 << failures.min(6)).min(PAUSE_MAX)).await;
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

/// What the stream has told and is not yet seen to.
#[derive(Default)]
struct Told {
    news: bool,
    posts: Vec<Post>,
    gone: Vec<Gone>,
}

impl Ear<'_> {
    /// Listens until the stream ends, and says why.
    async fn listen(&self, address: Option<Url>) -> anyhow::Result<String> {
        let Some(address) = address else { return Ok("the server has no address for it".to_owned()) };
        let mut socket = match self.app.dial(self.setting, address, None).await {
            Ok(socket) => socket,
            Err(DialError::Status { status, .. }) => return Ok(format!("status {status}")),
            Err(DialError::Fetch(fault)) => return Ok(fault.to_string()),
        };
        for subscription in subscriptions(&self.setting.kind) {
            if let Err(fault) = socket.say(&subscription).await {
                return Ok(fault.to_string());
            }
        }
        // What came while nobody listened is read now, by its number.
        let mut told = Told { news: true, ..Told::default() };
        let (mut beat, mut beats) = (tokio::time::interval(BEAT), 0);
        loop {
            let frame = tokio::select! {
                frame = socket.next() => frame,
                _ = beat.tick() => {
                    beats += 1;
                    if (told.news || !told.posts.is_empty() || !told.gone.is_empty() || beats % RENEW == 0)
                        && !self.see_to(&mut told).await?
                    {
                        socket.close().await;
                        return Ok("another process listens".to_owned());
                    }
                    continue;
                }
            };
            match frame {
                Ok(Some(Frame::Text(bytes))) => self.hear(&bytes, &mut told),
                Ok(Some(Frame::Binary(_))) => {}
                ended => {
                    self.see_to(&mut told).await?;
                    return Ok(ended.map_or_else(|fault| fault.to_string(), |_| "closed by the server".to_owned()));
                }
            }
        }
    }

    fn hear(&self, bytes: &[u8], told: &mut Told) {
        let Ok(event) = serde_json::from_slice::<Value>(bytes) else { return };
        let payload = event.get("payload").and_then(Value::as_str).unwrap_or_default();
        match event.get("event").and_then(Value::as_str).unwrap_or_default() {
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
        if !facts.is_empty() {
            tx.ring_on_commit(WEB_BELL);
        }
        journal::append(&mut tx, &facts).await?;
        tx.commit().await?;
        *told = Told::default();
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
