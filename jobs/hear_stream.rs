//! Listens to a stream of everything that is written in a channel and keeps what is about us: one process at a time, what
//! no rule hears is never parsed nor stored, and the place in the stream is committed with what was heard up to there.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use aho_corasick::AhoCorasick;
use ruzstd::decoding::{Dictionary, FrameDecoder};
use tokio::time::Instant;
use url::Url;

use crate::app::App;
use crate::clock::Time;
use crate::db::Tx;
use crate::http::{DialError, Frame, Socket};
use crate::jobs::keep_posts::{self, From};
use crate::jobs::poll_source::turned;
use crate::jobs::turn::{self, ASK_AGAIN};
use crate::jobs::watch_over::{self, Planned};
use crate::jobs::{Job, WEB_BELL};
use crate::journal;
use crate::mention::stream::{Gathered, listen};
use crate::mention::version_store;
use crate::source::bluesky::{self, CHANNEL, Found};
use crate::source::channel_store::{self, Heard};
use crate::source::health::Verdict;
use crate::source::jetstream::{self, Message, Operation, Place, Refusal};
use crate::source::kinds::{SourceKind, Stream};
use crate::source::rhythm::hour_of;
use crate::source::store::SourceRow;
use crate::source::watched::SourceSetting;
use crate::source::{self, Gone, Health, Name, Poll, PollError, Post};

/// What was heard is written down so soon (real) after it was heard …
const SOON: Duration = Duration::from_millis(500);
/// … and that nothing was heard at least so often (real), with the turn renewed.
const AT_LEAST: Duration = Duration::from_secs(5);
/// So many posts are written down at once.
const POSTS_AT_ONCE: usize = 200;
/// Posts of ours whose deletion is listened for: a year of a large municipality.
const NAMES: i64 = 100_000;
/// How far back their deletion is listened for.
const NAMES_DAYS: u64 = 90;
/// Threads that are watched at the same time.
const THREADS: i64 = 2_000;
/// The longest pause (real) between two tries.
const PAUSE_MAX: Duration = Duration::from_mins(1);
/// So often (real) the threads that are watched are read again.
const MARKS_EVERY: Duration = Duration::from_mins(1);
/// Notices about the stream are shorter than this; so are few posts.
const NOTICE_MAX: usize = 500;
/// A decompressed message is no larger than this.
const MESSAGE_MAX: usize = 512 * 1024;

/// The streams of this configuration.
#[must_use]
pub fn parts(app: &App) -> Vec<String> {
    let streamed =
        app.config.sources.iter().filter(|one| matches!(one.kind, SourceKind::BlueskyStream(_)) && !one.paused);
    streamed.map(|source| source.key.clone()).collect()
}

/// Listens for ever; the caller drops it to stop. One process at a time has the turn.
///
/// # Errors
/// When the database does not answer; the caller begins again, from the place that was kept.
pub async fn run(app: Arc<App>, key: String) -> anyhow::Result<()> {
    let Some(setting) = app.setting(&key).cloned() else { return std::future::pending().await };
    let SourceKind::BlueskyStream(stream) = setting.kind.clone() else { return std::future::pending().await };
    let lease = turn::lease_of(&key);
    let mut tries = Tries::default();
    loop {
        if !turn::is_ours(&app, &lease).await? {
            tokio::time::sleep(ASK_AGAIN).await;
            continue;
        }
        let Some(row) = row_of(&app, &key).await? else { return std::future::pending().await };
        let host = stream.hosts[tries.host % stream.hosts.len()].clone();
        let listener = Listener { app: &app, setting: &setting, lease: &lease, row, host };
        let fault = match listener.hear(&stream, &mut tries).await? {
            Ended::Overtaken => {
                tokio::time::sleep(ASK_AGAIN).await;
                continue;
            }
            Ended::By(fault) => fault,
        };
        listener.failed(&fault, tries.failures).await?;
        tries.host = tries.host.wrapping_add(1);
        tokio::time::sleep(pause(tries.failures)).await;
    }
}

/// One second, doubled for each try in vain, at most a minute.
fn pause(failures: u32) -> Duration {
    Duration::from_secs(1_u64 << failures.saturating_sub(1).min(6)).min(PAUSE_MAX)
}

async fn row_of(app: &App, key: &str) -> sqlx::Result<Option<SourceRow>> {
    let mut tx = app.db.read().await?;
    source::store::by_key(&mut tx, key).await
}

/// How it has gone so far.
#[derive(Debug, Default)]
struct Tries {
    host: usize,
    failures: u32,
    /// Compression has failed: ask without.
    plain: bool,
    /// Our number is too old for the host: go by time.
    by_time: bool,
}

/// Why listening ended.
enum Ended {
    /// Another process has the turn.
    Overtaken,
    /// The stream broke, or did not open.
    By(PollError),
}

/// One listening to one host.
struct Listener<'a> {
    app: &'a App,
    setting: &'a SourceSetting,
    lease: &'a str,
    row: SourceRow,
    host: Url,
}

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

impl Batch {
    /// When it must be written down.
    fn due(&self, written: Instant) -> Instant {
        let soon = self.since.map(|since| since + SOON);
        soon.unwrap_or(written + AT_LEAST).min(written + AT_LEAST)
    }
}

/// What is listened for besides the words of the rules: our own accounts, watched threads, and signs that a post was
/// changed or taken away.
struct Marks {
    search: AhoCorasick,
    /// How many patterns are our own or watched; the rest are the signs.
    ours: usize,
    known: HashSet<String>,
    roots: HashSet<String>,
    read_at: Instant,
}

impl Marks {
    async fn read(app: &App, now: Time) -> anyhow::Result<Self> {
        let mut tx = app.db.read().await?;
        let since = now.minus(Duration::from_secs(NAMES_DAYS * 86_400));
        let known = version_store::names_since(&mut tx, CHANNEL, since, NAMES).await?.into_iter().collect();
        let roots = channel_store::watched(&mut tx, CHANNEL, now, THREADS).await?;
        let mut patterns: Vec<String> =
            app.config.accounts.of(CHANNEL).filter_map(|account| account.id.clone()).collect();
        patterns.extend(roots.iter().cloned());
        let ours = patterns.len();
        patterns.extend(["\"delete\"".to_owned(), "\"update\"".to_owned()]);
        Ok(Self {
            search: AhoCorasick::new(&patterns)?,
            ours,
            known,
            roots: roots.into_iter().collect(),
            read_at: Instant::now(),
        })
    }

    /// Whether a message names us or a watched thread, and whether it changes or takes away something.
    fn of(&self, message: &[u8]) -> (bool, bool) {
        let (mut ours, mut changes) = (false, false);
        for found in self.search.find_iter(message) {
            if found.pattern().as_usize() < self.ours { ours = true } else { changes = true }
        }
        (ours, changes)
    }
}

impl Listener<'_> {
    async fn hear(&self, stream: &Stream, tries: &mut Tries) -> anyhow::Result<Ended> {
        let mut place: Place = serde_json::from_str(&self.row.cursor).unwrap_or_default();
        if std::mem::take(&mut tries.by_time) {
            place.seq = None;
        }
        let dictionary = if stream.compressed && !tries.plain { self.dictionary().await } else { None };
        let id = dictionary.as_ref().and_then(|bytes| jetstream::dictionary_id(bytes));
        let address = jetstream::address(&self.host, &place, id);
        let mut socket = match self.app.dial(self.setting, address, jetstream::Dialect::of(&self.host).protocol()).await
        {
            Ok(socket) => socket,
            Err(fault) => {
                tries.failures += 1;
                return Ok(Ended::By(no_stream(fault, tries)));
            }
        };
        let mut decoder = dictionary.and_then(|bytes| Dictionary::decode_dict(&bytes).ok()).map(|dictionary| {
            let mut decoder = FrameDecoder::new();
            let _ = decoder.add_dict(dictionary);
            decoder
        });
        tracing::info!(source = %self.setting.key, host = %self.host.host_str().unwrap_or_default(), "listening to a stream");
        let ended = self.listen(&mut socket, &mut decoder, place, tries).await;
        socket.close().await;
        ended
    }

    async fn listen(
        &self,
        socket: &mut Socket,
        decoder: &mut Option<FrameDecoder>,
        mut place: Place,
        tries: &mut Tries,
    ) -> anyhow::Result<Ended> {
        let mut marks = Marks::read(self.app, self.app.clock.now()).await?;
        let mut gathered = Gathered::default();
        let (mut batch, mut written, mut row) = (Batch::default(), Instant::now(), self.row.clone());
        loop {
            let frame = tokio::select! {
                frame = socket.next() => frame,
                () = tokio::time::sleep_until(batch.due(written)) => {
                    if !self.write_down(&mut batch, &mut place, &mut row, &mut marks).await? {
                        return Ok(Ended::Overtaken);
                    }
                    (written, tries.failures) = (Instant::now(), 0);
                    continue;
                }
            };
            let fault = match frame {
                Ok(Some(Frame::Text(bytes))) => self.take(&bytes, &marks, &mut gathered, &mut batch, &place),
                Ok(Some(Frame::Binary(bytes))) => {
                    if let Some(bytes) = decompress(decoder, &bytes) {
                        self.take(&bytes, &marks, &mut gathered, &mut batch, &place)
                    } else {
                        tries.plain = true;
                        Some(PollError::Unreadable("ett komprimerat meddelande gick inte att läsa".to_owned()))
                    }
                }
                Ok(None) => Some(PollError::Unreachable("servern stängde strömmen".to_owned())),
                Err(fault) => Some(source::api::no_answer(fault)),
            };
            if batch.posts.len() + batch.gone.len() >= POSTS_AT_ONCE || fault.is_some() {
                if !self.write_down(&mut batch, &mut place, &mut row, &mut marks).await? {
                    return Ok(Ended::Overtaken);
                }
                written = Instant::now();
            }
            if let Some(fault) = fault {
                tries.failures += 1;
                return Ok(Ended::By(fault));
            }
        }
    }

    /// Hears one message. Says why the stream has ended, when the message says so.
    fn take(
        &self,
        bytes: &[u8],
        marks: &Marks,
        gathered: &mut Gathered,
        batch: &mut Batch,
        place: &Place,
    ) -> Option<PollError> {
        batch.messages += 1;
        listen(&self.app.watch, bytes, gathered);
        let (ours, changes) = marks.of(bytes);
        let notice = bytes.len() < NOTICE_MAX && is_notice(bytes);
        let wanted = !gathered.rules().is_empty() || ours || changes || notice;
        let message = if wanted { jetstream::read(bytes) } else { None };
        if !matches!(message, Some(Message::Error { .. } | Message::Info { .. })) {
            batch.last.clear();
            batch.last.extend_from_slice(bytes);
        }
        match message? {
            Message::Error { name } => return Some(jetstream::ended(&name)),
            Message::Info { name } => {
                batch.outdated |= name == "OutdatedCursor";
                tracing::warn!(source = %self.setting.key, notice = %name.chars().take(40).collect::<String>(), "the stream tells of itself");
            }
            Message::Other { .. } => {}
            Message::Event(event) => {
                // The number is inclusive: what we stopped at comes again.
                let again = place.host == self.host.as_str() && event.seq.is_some() && event.seq <= place.seq;
                if again {
                    return None;
                }
                let name = bluesky::name_of(&event.did, &event.rkey);
                match event.operation {
                    Operation::Delete
                        if marks.known.contains(&name) || batch.posts.iter().any(|post| post.native_id == name) =>
                    {
                        batch.gone.push(Gone { name: Name::Native(name), at: event.seen_at() });
                    }
                    Operation::Delete => return None,
                    Operation::Create | Operation::Update => {
                        let found = Found { uri: &name, handle: None, seen_at: event.seen_at() };
                        let post = bluesky::post(found, &event.record, &self.app.config.accounts);
                        batch.posts.extend(post.map(|post| {
                            let watched = post.thread.as_ref().is_some_and(|root| marks.roots.contains(root));
                            let updated_at = event.seen_at().filter(|_| event.operation == Operation::Update);
                            Post { to_us: post.to_us || watched, updated_at, ..post }
                        }));
                    }
                }
                batch.since.get_or_insert_with(Instant::now);
            }
        }
        None
    }

    /// Writes down what was heard, the place, the turn and the health, in one transaction; false when another has the turn.
    async fn write_down(
        &self,
        batch: &mut Batch,
        place: &mut Place,
        row: &mut SourceRow,
        marks: &mut Marks,
    ) -> anyhow::Result<bool> {
        let app = self.app;
        let now = app.clock.now();
        if let Some(new) = jetstream::read(&batch.last).and_then(|last| last.place(&self.host)) {
            *place = new;
        }
        let mut tx = app.db.write().await?;
        if !turn::renewed(app, &mut tx, self.lease, now).await? {
            return Ok(false);
        }
        let from = From { source: row.id, key: &row.key, imported: false };
        let kept = keep_posts::keep(app, &mut tx, from, &batch.posts, now).await?;
        let mut facts = kept.facts;
        facts.extend(keep_posts::take_away(&mut tx, from, &row.channel, &batch.gone, now).await?);
        let last = row.last_ok_at.unwrap_or(now);
        let planned =
            Planned { source: row.id, at: last, interval: Duration::from_mins(1), failures: i64::from(batch.outdated) };
        watch_over::seen(&mut tx, planned, now).await?;
        if batch.messages > 0 {
            channel_store::add_items(&mut tx, row.id, hour_of(now), batch.messages).await?;
        }
        let quiet = quieter(&mut tx, row, batch.messages, now).await?;
        let remark = self.remark().or(quiet);
        let outcome = Ok(Poll { remark, ..Poll::default() });
        let previous = Health::from_slug(&row.health);
        let Verdict { health, why } = source::health::judge(previous, &outcome, 0, row.last_ok_at, now);
        if health != previous {
            facts.push(turned(&row.key, previous, health, now));
            Job::WarnKeepers.enqueue(&mut tx, now).await?;
            (row.health, row.health_since) = (health.slug().to_owned(), now);
            tx.ring_on_commit(WEB_BELL);
        }
        (row.last_ok_at, row.failures) = (Some(now), 0);
        let cursor = serde_json::to_string(place)?;
        let heard = Heard {
            cursor: Some(&cursor),
            failures: 0,
            health: health.slug(),
            health_since: row.health_since,
            health_why: &why,
            at: now,
            ok: true,
            new: kept.new > 0,
        };
        if !channel_store::settle_stream(&mut tx, row.id, self.lease, &app.holder, &heard).await? {
            return Ok(false);
        }
        if kept.new > 0 {
            tx.ring_on_commit(WEB_BELL);
        }
        journal::append(&mut tx, &facts).await?;
        tx.commit().await?;
        marks.known.extend(batch.posts.drain(..).map(|post| post.native_id));
        *batch = Batch::default();
        if marks.read_at.elapsed() > MARKS_EVERY {
            *marks = Marks::read(app, now).await?;
        }
        Ok(true)
    }

    fn remark(&self) -> Option<String> {
        let unknown = self.app.config.accounts.of(CHANNEL).find(|account| account.id.is_none())?;
        Some(format!(
            "Kontot {} har inget id i sources.toml, så våra egna svar känns inte igen i strömmen. `lyhord check --online` säger vilket det är.",
            unknown.handle
        ))
    }

    /// A listening that came to nothing: the health says so, the place stays.
    async fn failed(&self, fault: &PollError, failures: u32) -> anyhow::Result<()> {
        let app = self.app;
        let now = app.clock.now();
        let mut tx = app.db.write().await?;
        // As it is now: the listening that has just ended may have written it.
        let Some(row) = source::store::by_key(&mut tx, &self.row.key).await? else { return Ok(()) };
        let previous = Health::from_slug(&row.health);
        let verdict = source::health::judge(previous, &Err(fault.clone()), failures, row.last_ok_at, now);
        let heard = Heard {
            cursor: None,
            failures: i64::from(failures),
            health: verdict.health.slug(),
            health_since: if verdict.health == previous { row.health_since } else { now },
            health_why: &verdict.why,
            at: now,
            ok: false,
            new: false,
        };
        if !channel_store::settle_stream(&mut tx, row.id, self.lease, &app.holder, &heard).await? {
            return Ok(());
        }
        if verdict.health != previous {
            journal::append(&mut tx, &[turned(&row.key, previous, verdict.health, now)]).await?;
            Job::WarnKeepers.enqueue(&mut tx, now).await?;
            tx.ring_on_commit(WEB_BELL);
        }
        tx.commit().await?;
        tracing::info!(source = %row.key, failures, "stream broke: {fault}");
        Ok(())
    }

    /// The host's dictionary; nothing when it has none, and then the stream comes as it is.
    async fn dictionary(&self) -> Option<Vec<u8>> {
        let address = jetstream::dictionary_address(&self.host)?;
        self.app.fetch_bytes(self.setting, address, self.app.clock.now()).await
    }
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

/// What it means that a stream did not open, and how to go on.
fn no_stream(fault: DialError, tries: &mut Tries) -> PollError {
    let refusal = match fault {
        DialError::Fetch(fault) => return source::api::no_answer(fault),
        DialError::Status { status, body } => jetstream::refusal(status, &body),
    };
    match refusal {
        Refusal::TooOld => {
            tries.by_time = true;
            // The host itself is well: the next try goes to it again.
            tries.host = tries.host.wrapping_sub(1);
            PollError::Unreachable(
                "servern minns inte så långt tillbaka; vi går på klockslag, och glappet står i uppsikten".to_owned(),
            )
        }
        Refusal::Dictionary => {
            tries.host = tries.host.wrapping_sub(1);
            PollError::Unreachable("servern har bytt sätt att komprimera; vi frågar om".to_owned())
        }
        Refusal::Other(fault) => fault,
    }
}

/// True when a message may be about the stream itself.
fn is_notice(bytes: &[u8]) -> bool {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    text.contains("#info") || text.contains("\"error\"")
}

fn decompress(decoder: &mut Option<FrameDecoder>, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len().saturating_mul(6).min(MESSAGE_MAX));
    decoder.as_mut()?.decode_all_to_vec(bytes, &mut out).ok()?;
    (out.len() <= MESSAGE_MAX).then_some(out)
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
    fn the_pause_doubles_to_a_minute() {
        let pauses: Vec<u64> = (1..=8).map(|failures| pause(failures).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn a_message_that_was_compressed_with_the_host_s_dictionary_is_read() {
        let dictionary = include_bytes!("fixtures/stream.dictionary");
        assert_eq!(jetstream::dictionary_id(dictionary), Some(12_345));
        let mut decoder = FrameDecoder::new();
        decoder.add_dict(Dictionary::decode_dict(dictionary).unwrap()).unwrap();
        let mut decoder = Some(decoder);
        let message = include_bytes!("fixtures/stream.message.zst");
        for _ in 0..2 {
            let bytes = decompress(&mut decoder, message).unwrap();
            let Some(Message::Event(event)) = jetstream::read(&bytes) else {
                panic!("{}", String::from_utf8_lossy(&bytes))
            };
            assert_eq!((event.seq, event.record["text"].as_str()), (Some(7), Some("Brunt vatten i Nol, Ale kommun")));
        }
        assert_eq!(decompress(&mut decoder, &message[..message.len() / 2]), None, "half a message");
        assert_eq!(decompress(&mut decoder, b"no message"), None);
        assert!(decompress(&mut decoder, message).is_some(), "and it goes on");
    }

    #[test]
    fn a_notice_about_the_stream_is_told_from_a_post() {
        assert!(is_notice(br#"{"$type":"error","error":"ConsumerTooSlow"}"#));
        assert!(!is_notice(br#"{"did":"did:plc:x","kind":"commit"}"#));
        assert_eq!(decompress(&mut None, b"x"), None);
    }
}
