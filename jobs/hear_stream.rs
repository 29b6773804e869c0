//! Listens to a stream of everything that is written in a channel and keeps what is about us: one process at a time, what
//! no rule hears is never parsed nor stored, and the place in the stream is committed with what was heard up to there.
//! Here are the turn, the hosts and how one goes on after a break; what is heard is in `stream_notes.rs`.

use std::sync::Arc;

use ruzstd::decoding::{Dictionary, FrameDecoder};
use url::Url;

use crate::app::App;
use crate::http::{DialError, Frame, Socket};
use crate::jobs::stream_notes::{Notes, Written};
use crate::jobs::turn::{self, ASK_AGAIN};
use crate::jobs::turn_health;
use crate::journal;
use crate::source::channel_store::{self, Heard};
use crate::source::jetstream::{self, Place, Refusal};
use crate::source::kinds::{SourceKind, Stream};
use crate::source::store::SourceRow;
use crate::source::watched::SourceSetting;
use crate::source::{self, Health, PollError};

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
        tokio::time::sleep(app.rest(tries.failures)).await;
    }
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

impl Listener<'_> {
    async fn hear(&self, stream: &Stream, tries: &mut Tries) -> anyhow::Result<Ended> {
        let mut place: Place = serde_json::from_str(&self.row.cursor).unwrap_or_default();
        if std::mem::take(&mut tries.by_time) {
            place.seq = None;
        }
        let dictionary = if stream.compressed && !tries.plain { self.dictionary().await } else { None };
        let id = dictionary.as_ref().and_then(|bytes| jetstream::dictionary_id(bytes));
        let address = jetstream::address(&self.host, &place, id, self.app.clock.now());
        let mut socket = match self.app.dial(self.setting, address, jetstream::Dialect::of(&self.host).protocol()).await
        {
            Ok(socket) => socket,
            Err(fault) => {
                let fault = no_stream(fault, tries);
                // When our own turn did not come, nothing was tried.
                tries.failures += u32::from(fault != PollError::Busy);
                return Ok(Ended::By(fault));
            }
        };
        let mut decoder = dictionary.and_then(|bytes| Dictionary::decode_dict(&bytes).ok()).map(|dictionary| {
            let mut decoder = FrameDecoder::new();
            let _ = decoder.add_dict(dictionary);
            decoder
        });
        tracing::info!(source = %self.setting.key, host = %self.host.host_str().unwrap_or_default(), "listening to a stream");
        let mut notes = Notes::begin(self.app, self.lease, (&self.host, &stream.web), self.row.clone(), place).await?;
        let ended = listen(&mut socket, &mut decoder, &mut notes, tries).await;
        socket.close().await;
        ended
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
            health_since: turn_health::since(&row, verdict.health, now),
            health_why: &verdict.why,
            at: now,
            ok: false,
            new: false,
        };
        if !channel_store::settle_stream(&mut tx, row.id, self.lease, &app.holder, &heard).await? {
            return Ok(());
        }
        if let Some(fact) = turn_health::turned(&mut tx, &row, &verdict, now).await? {
            journal::append(&mut tx, &[fact]).await?;
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

/// Listens until the stream ends, and says why.
async fn listen(
    socket: &mut Socket,
    decoder: &mut Option<FrameDecoder>,
    notes: &mut Notes<'_>,
    tries: &mut Tries,
) -> anyhow::Result<Ended> {
    loop {
        let frame = tokio::select! {
            frame = socket.next() => Some(frame),
            () = tokio::time::sleep_until(notes.due()) => None,
        };
        let is_due = frame.is_none();
        let fault = match frame {
            None => None,
            Some(Ok(Some(Frame::Text(bytes)))) => notes.take(&bytes),
            Some(Ok(Some(Frame::Binary(bytes)))) => {
                if let Some(bytes) = decompress(decoder, &bytes) {
                    notes.take(&bytes)
                } else {
                    tries.plain = true;
                    Some(PollError::Unreadable("ett komprimerat meddelande gick inte att läsa".to_owned()))
                }
            }
            Some(Ok(None)) => Some(PollError::Unreachable("servern stängde strömmen".to_owned())),
            Some(Err(fault)) => Some(source::api::no_answer(fault)),
        };
        if let Some(fault) = fault {
            return ended(notes, tries, fault).await;
        }
        if is_due || notes.is_full() {
            match notes.write_down(socket.heard_at()).await? {
                Written::Well => tries.failures = 0,
                Written::Unheard => {}
                Written::Strange(fault) => return ended(notes, tries, fault).await,
                Written::Overtaken => return Ok(Ended::Overtaken),
            }
        }
    }
}

/// A listening has ended: what was heard before that is kept.
async fn ended(notes: &mut Notes<'_>, tries: &mut Tries, fault: PollError) -> anyhow::Result<Ended> {
    tries.failures += 1;
    if !notes.write_the_last().await? {
        return Ok(Ended::Overtaken);
    }
    Ok(Ended::By(if notes.only_odd() { notes.strange() } else { fault }))
}

fn refusal(fault: DialError) -> Refusal {
    match fault {
        DialError::Fetch(fault) => Refusal::Other(source::api::no_answer(fault)),
        DialError::Status { status, body, rest } => jetstream::refusal(status, &body, rest),
    }
}

/// Why a stream does not open, for one who tries it: nothing when the host is well and only wants to be asked otherwise.
#[must_use]
pub fn why_shut(fault: DialError) -> Option<PollError> {
    match refusal(fault) {
        Refusal::TooOld | Refusal::Dictionary => None,
        Refusal::Other(fault) => Some(fault),
    }
}

/// What it means that a stream did not open, and how to go on.
fn no_stream(fault: DialError, tries: &mut Tries) -> PollError {
    match refusal(fault) {
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

fn decompress(decoder: &mut Option<FrameDecoder>, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len().saturating_mul(6).min(MESSAGE_MAX));
    decoder.as_mut()?.decode_all_to_vec(bytes, &mut out).ok()?;
    (out.len() <= MESSAGE_MAX).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::jetstream::Message;

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
    fn nothing_is_decompressed_without_a_dictionary() {
        assert_eq!(decompress(&mut None, b"x"), None);
    }
}
