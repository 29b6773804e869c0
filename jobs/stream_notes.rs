//! What is heard of a stream of everything while it is open: each message by all rules, in memory; and how what is ours is
//! written down, with the place, the turn, the log of supervision and the health, in one transaction.

use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use crate::app::App;
use crate::clock::Time;
use crate::db::Tx;
use crate::jobs::keep_posts::{self, From};
use crate::jobs::stream_gone::Lately;
use crate::jobs::stream_marks::Listened;
use crate::jobs::watch_over::{self, Planned};
use crate::jobs::{Job, WEB_BELL, turn, turn_health};
use crate::journal;
use crate::mention::stream::{Gathered, listen};
use crate::source::bluesky::{self, CHANNEL, Found};
use crate::source::channel_store::{self, Heard};
use crate::source::jetstream::{self, Event, Message, Operation, Place};
use crate::source::rhythm::hour_of;
use crate::source::store::SourceRow;
use crate::source::{self, Gone, Health, Name, Poll, PollError, Post};

/// What was heard is written down so soon (real) after it was heard …
const SOON: Duration = Duration::from_millis(500);
/// … and that nothing was heard at least so often (real), with the turn renewed.
const AT_LEAST: Duration = Duration::from_secs(5);
/// So many posts are written down at once.
const POSTS_AT_ONCE: usize = 200;
/// So often what is watched, and what others have kept, is read again.
const MARKS_EVERY: Duration = Duration::from_mins(1);
/// Notices about the stream are shorter than this; so are few posts.
const NOTICE_MAX: usize = 500;
/// After so many things in a row that are no messages of such a stream, it is not one.
const ODD_MAX: u32 = 10;
/// So many times in a row may what is written down end with a message that has no place after all.
const ASTRAY_MAX: u32 = 3;
/// A stream that failed before and says nothing now is trusted again after so long (real); one that speaks at once.
const TRUSTED_AFTER: Duration = Duration::from_mins(1);

/// What was heard and is not yet written down.
#[derive(Default)]
struct Batch {
    posts: Vec<Post>,
    gone: Vec<Gone>,
    /// The last message, from which the place is read when it is needed.
    last: Vec<u8>,
    messages: i64,
    since: Option<Instant>,
    outdated: bool,
}

/// What is noted of one stream while it is open.
pub(super) struct Notes<'a> {
    app: &'a App,
    lease: &'a str,
    host: &'a Url,
    /// Where a person reads a post.
    web: &'a Url,
    row: SourceRow,
    place: Place,
    listened: Listened,
    gathered: Gathered,
    batch: Batch,
    lately: Lately,
    opened: Instant,
    written: Instant,
    /// How many things in a row were no messages of such a stream.
    odd: u32,
    /// How many times in a row the last message had no place.
    astray: u32,
    /// True when it has said something since it opened.
    spoken: bool,
}

impl<'a> Notes<'a> {
    /// Begins to listen at a place.
    ///
    /// # Errors
    /// What the database says.
    pub async fn begin(
        app: &'a App,
        lease: &'a str,
        (host, web): (&'a Url, &'a Url),
        row: SourceRow,
        place: Place,
    ) -> anyhow::Result<Self> {
        let listened = Listened::read(app, app.clock.now()).await?;
        let (gathered, batch, now) = (Gathered::default(), Batch::default(), Instant::now());
        Ok(Self {
            app,
            lease,
            host,
            web,
            row,
            place,
            listened,
            gathered,
            batch,
            lately: Lately::default(),
            opened: now,
            written: now,
            odd: 0,
            astray: 0,
            spoken: false,
        })
    }

    /// When what is noted must be written down.
    pub fn due(&self) -> Instant {
        let soon = self.batch.since.map(|since| since + SOON);
        soon.unwrap_or(self.written + AT_LEAST).min(self.written + AT_LEAST)
    }

    /// True when there is so much that it must be written down now.
    pub fn is_full(&self) -> bool {
        self.batch.posts.len() + self.batch.gone.len() >= POSTS_AT_ONCE
    }

    /// True when something has come since it opened, and none of it was a message of such a stream.
    pub fn only_odd(&self) -> bool {
        self.odd + self.astray > 0 && !self.spoken
    }

    /// Hears one message. Says why the stream has ended, when the message says so, or when it is not what it should be.
    pub fn take(&mut self, bytes: &[u8]) -> Option<PollError> {
        listen(&self.app.watch, bytes, &mut self.gathered);
        let marked = self.listened.marks.marked(bytes);
        let notice = bytes.len() < NOTICE_MAX && is_notice(bytes);
        let wanted = !self.gathered.rules().is_empty() || marked.ours || marked.changes || notice;
        let message = if wanted { jetstream::read(bytes) } else { None };
        match &message {
            Some(Message::Error { name }) => return Some(jetstream::ended(name)),
            Some(Message::Info { name }) => {
                self.batch.outdated |= name == "OutdatedCursor";
                let notice = name.chars().take(40).collect::<String>();
                tracing::warn!(source = %self.row.key, %notice, "the stream tells of itself");
                return None;
            }
            _ => {}
        }
        if !(marked.placed && is_object(bytes)) || (wanted && message.is_none()) {
            return self.odd_one();
        }
        self.odd = 0;
        self.batch.messages += 1;
        self.batch.last.clear();
        self.batch.last.extend_from_slice(bytes);
        if let Some(Message::Event(event)) = message {
            self.note(&event);
        }
        None
    }

    /// Something that is no message of such a stream came; too many of them, and it is not one.
    fn odd_one(&mut self) -> Option<PollError> {
        self.odd += 1;
        self.is_strange().then(|| self.strange())
    }

    fn is_strange(&self) -> bool {
        self.odd >= ODD_MAX || self.astray >= ASTRAY_MAX
    }

    /// What is said of a stream that sends something else than posts. One that has never sent any cannot be seen through;
    /// one that has may be well again the next time.
    pub fn strange(&self) -> PollError {
        let what = "det som kommer i strömmen är inga inlägg".to_owned();
        if self.is_strange() && !self.spoken { PollError::Blind(what) } else { PollError::Unreadable(what) }
    }

    /// Notes what is ours. The number is inclusive, so that what we stopped at comes again, and a host may tell out of order:
    /// a post is known by its name and not by its number.
    fn note(&mut self, event: &Event) {
        let (batch, listened) = (&mut self.batch, &self.listened);
        let name = bluesky::name_of(&event.did, &event.rkey);
        match event.operation {
            Operation::Delete => {
                let is_known = listened.known.contains(&name) || batch.posts.iter().any(|post| post.native_id == name);
                let gone = Gone { name: Name::Native(name), at: event.seen_at() };
                if !is_known {
                    self.lately.add(gone, self.app.clock.now());
                    return;
                }
                batch.gone.push(gone);
            }
            Operation::Create | Operation::Update => {
                let found = Found { uri: &name, handle: None, seen_at: event.seen_at(), web: self.web };
                let post = bluesky::post(found, &event.record, &self.app.config.accounts);
                batch.posts.extend(post.map(|post| {
                    let watched = post.thread.as_ref().is_some_and(|root| listened.roots.contains(root));
                    let updated_at = event.seen_at().filter(|_| event.operation == Operation::Update);
                    Post { to_us: post.to_us || watched, updated_at, ..post }
                }));
            }
        }
        batch.since.get_or_insert_with(Instant::now);
    }

    /// Moves the place to the last message; true when that lies further on. When it has none, nobody knows what the others
    /// were: they do not count.
    fn moved(&mut self) -> bool {
        if self.batch.messages == 0 {
            return false;
        }
        let Some(place) = jetstream::read(&self.batch.last).and_then(|last| last.place(self.host)) else {
            self.astray += 1;
            self.batch.messages = 0;
            return false;
        };
        let moved = place != self.place;
        (self.place, self.spoken, self.astray) = (place, true, 0);
        moved
    }

    /// What is due is written down while the stream is open. That it is well is said when it has spoken since the last
    /// time, or has shown then (`sign`) that it is there.
    ///
    /// # Errors
    /// What the database says.
    pub async fn write_down(&mut self, sign: Instant) -> anyhow::Result<Written> {
        self.moved();
        if self.is_strange() {
            return Ok(Written::Strange(self.strange()));
        }
        let trusted = self.spoken || self.row.failures == 0 || self.opened.elapsed() > TRUSTED_AFTER;
        let quiet_and_well = self.odd + self.astray == 0 && sign > self.written && trusted;
        let well = self.batch.messages > 0 || quiet_and_well;
        let held = if well || !self.batch.posts.is_empty() || !self.batch.gone.is_empty() {
            self.keep(well).await?
        } else {
            turn::is_ours(self.app, self.lease).await?
        };
        // Nothing more is due of what was noted, whether it was worth keeping or not.
        (self.written, self.batch.since) = (Instant::now(), None);
        Ok(match (held, well) {
            (false, _) => Written::Overtaken,
            (true, true) => Written::Well,
            (true, false) => Written::Unheard,
        })
    }

    /// What was heard before the stream ended is written down; how the stream is says its end. False when another has the
    /// turn.
    ///
    /// # Errors
    /// What the database says.
    pub async fn write_the_last(&mut self) -> anyhow::Result<bool> {
        self.look_again(self.app.clock.now()).await?;
        if self.moved() || !self.batch.posts.is_empty() || !self.batch.gone.is_empty() {
            return self.keep(false).await;
        }
        Ok(true)
    }

    /// One transaction: what was heard, the place, the turn, the supervision, and when it is `well` the health.
    async fn keep(&mut self, well: bool) -> anyhow::Result<bool> {
        let (app, now, row) = (self.app, self.app.clock.now(), &mut self.row);
        let mut tx = app.db.write().await?;
        if !turn::renewed(app, &mut tx, self.lease, now).await? {
            return Ok(false);
        }
        let from = From { source: row.id, key: &row.key, imported: false };
        let kept = keep_posts::keep(app, &mut tx, from, &self.batch.posts, now).await?;
        let mut facts = kept.facts;
        facts.extend(keep_posts::take_away(&mut tx, from, &row.channel, &self.batch.gone, now).await?);
        let heard = well || self.batch.messages > 0;
        if heard {
            let (at, failures) = (row.last_ok_at.unwrap_or(now), i64::from(self.batch.outdated));
            let planned = Planned { source: row.id, at, interval: Duration::from_mins(1), failures };
            watch_over::seen(&mut tx, planned, now).await?;
            if self.batch.messages > 0 {
                channel_store::add_items(&mut tx, row.id, hour_of(now), self.batch.messages).await?;
            }
            row.last_ok_at = Some(now);
        }
        if well {
            let quiet = quieter(&mut tx, row, self.batch.messages, now).await?;
            let outcome = Ok(Poll { remark: remark(app).or(quiet), ..Poll::default() });
            let previous = Health::from_slug(&row.health);
            let verdict = source::health::judge(previous, &outcome, 0, row.last_ok_at, now);
            facts.extend(turn_health::turned(&mut tx, row, &verdict, now).await?);
            row.health_since = turn_health::since(row, verdict.health, now);
            (row.health, row.health_why, row.failures) = (verdict.health.slug().to_owned(), verdict.why, 0);
        }
        let cursor = serde_json::to_string(&self.place)?;
        let settled = Heard {
            cursor: Some(&cursor),
            failures: row.failures,
            health: &row.health,
            health_since: row.health_since,
            health_why: &row.health_why,
            at: now,
            ok: heard,
            new: kept.new > 0,
        };
        if !channel_store::settle_stream(&mut tx, row.id, self.lease, &app.holder, &settled).await? {
            return Ok(false);
        }
        if kept.new > 0 {
            tx.ring_on_commit(WEB_BELL);
        }
        journal::append(&mut tx, &facts).await?;
        tx.commit().await?;
        self.listened.known.extend(self.batch.posts.drain(..).map(|post| post.native_id));
        self.batch = Batch::default();
        if now.since(self.listened.read_at) > MARKS_EVERY {
            self.look_again(now).await?;
        }
        Ok(true)
    }

    /// Reads again what is watched and what others have kept: some of it may have gone meanwhile.
    async fn look_again(&mut self, now: Time) -> anyhow::Result<()> {
        self.listened = Listened::read(self.app, now).await?;
        self.batch.gone.extend(self.lately.known_now(&self.listened.known, now));
        if !self.batch.gone.is_empty() {
            self.batch.since.get_or_insert_with(Instant::now);
        }
        Ok(())
    }
}

/// How it went to write down.
pub(super) enum Written {
    /// The stream is being heard.
    Well,
    /// It is open, and has shown nothing by which it could be known to be well.
    Unheard,
    /// It is not what it should be.
    Strange(PollError),
    /// Another process has the turn.
    Overtaken,
}

fn remark(app: &App) -> Option<String> {
    let unknown = app.config.accounts.of(CHANNEL).find(|account| account.id.is_none())?;
    Some(format!(
        "Kontot {} har inget id i sources.toml, så våra egna svar känns inte igen i strömmen. `lyhord check --online` säger vilket det är.",
        unknown.handle
    ))
}

/// What is said of a stream that brings less than it uses to; its keepers are told when that turns.
async fn quieter(tx: &mut Tx, row: &mut SourceRow, messages: i64, now: Time) -> sqlx::Result<Option<String>> {
    if messages > 0 && row.quiet_since.is_none() {
        return Ok(None);
    }
    let (quiet, changed) = watch_over::listen_for_silence(tx, row.id, row.quiet_since, now).await?;
    if changed {
        row.quiet_since = quiet.map(|found| found.since);
        Job::WarnKeepers.enqueue(tx, now).await?;
    }
    Ok(quiet.map(watch_over::quiet_text))
}

/// True when a message may be about the stream itself.
fn is_notice(bytes: &[u8]) -> bool {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    text.contains("#info") || text.contains("\"error\"")
}

/// True when it begins and ends as an object of JSON does; that it is one is seen only when it is parsed.
fn is_object(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii();
    bytes.first() == Some(&b'{') && bytes.last() == Some(&b'}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::turn::TURN;

    #[test]
    fn the_turn_is_renewed_long_before_it_ends() {
        assert!(AT_LEAST * 3 < TURN);
    }

    #[test]
    fn a_notice_about_the_stream_is_told_from_a_post() {
        assert!(is_notice(br#"{"$type":"error","error":"ConsumerTooSlow"}"#));
        assert!(!is_notice(br#"{"did":"did:plc:x","kind":"commit"}"#));
    }

    #[test]
    fn what_begins_and_ends_as_an_object_may_be_one() {
        assert!(is_object(b" {\"seq\":1}\n") && !is_object(b"[{\"seq\":1}]") && !is_object(b""));
    }
}
