//! A mailbox (e-post) as a source, over IMAP: letters are looked at and left as they are. Nothing is marked as read,
//! moved or deleted.
//!
//! Where we stopped is the number of the last letter and the number of the numbering (UIDVALIDITY). When a server numbers
//! anew, two weeks are read again, and the letters' own names (Message-ID) tell what has been read before.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll as Ready, ready};
use std::time::Duration;

use async_imap::error::Error;
use async_imap::extensions::idle::IdleResponse;
use async_imap::imap_proto::{Response, Status};
use async_imap::{Client as Imap, Session};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::timeout;
use url::Url;

use super::account::{Secret, secret_of};
use super::hook::Takes;
use super::letter::{self, Letter};
use super::watched::SourceSetting;
use super::{Cursor, Poll, PollError, Source, api};
use crate::calendar::stockholm;
use crate::clock::Time;
use crate::http::{Client, FetchError, Reach};
use crate::settings::Section;

/// For one reading as a whole: shorter than the turn that one process has at a source.
const TOTAL: Duration = Duration::from_mins(1);
/// From one answer of the server to the next.
const STEP: Duration = Duration::from_secs(20);
/// Letters of one reading; more wait for the next.
const LETTERS: usize = 50;
/// Bytes of letters of one reading.
const BYTES: usize = 8 * 1024 * 1024;
/// Bytes that a server may say in one reading, letters and all.
const BYTES_SAID: usize = 24 * 1024 * 1024;
/// How far back the first reading goes, and one after the server has numbered anew.
const BACK: Duration = Duration::from_hours(14 * 24);

/// How the way to the server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// TLS from the first byte (port 993).
    Tls,
    /// TLS after a word in the open (port 143).
    StartTls,
    /// None: on this machine only.
    None,
}

/// A mailbox as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// Name of the server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way there is protected.
    pub protection: Protection,
    /// Who signs in.
    pub user: String,
    /// With what; none while it is not set, and then nothing is read.
    pub secret: Option<Secret>,
    /// The folder that is read.
    pub folder: String,
    /// What of it is kept.
    pub takes: Takes,
    /// Bytes of one letter that are read.
    pub letter_bytes: u32,
    /// Let the server ring when a letter comes.
    pub idle: bool,
}

/// Reads the keys of a `[[source]]` that belong to a mailbox; nothing when something is wrong, which has then been said.
pub(super) fn read(section: &Section, url: &Url) -> Option<Mailbox> {
    let takes = match section.choice("takes", &["heard", "everything"]) {
        "everything" => Takes::Everything,
        _ => Takes::Heard,
    };
    let user = section.located("user");
    let folder = section.text_or("folder", "INBOX");
    let kilobytes = section.integer_or("letter_kb", 64..=4_096, 1_024);
    let idle = section.flag_or("idle", true);
    let encrypted = section.flag_or("encrypted", true);
    let local = section.flag_or("local", false);
    if !section.has("secret_env") && !section.has("secret_file") {
        section.place().report("`secret_env` or `secret_file` is missing: the mailbox's password stands there");
        return None;
    }
    let secret = secret_of(section, "secret_env", "secret_file");
    let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
    let here = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    let protection = match (url.scheme(), encrypted) {
        ("imaps", true) => Protection::Tls,
        ("imap", true) => Protection::StartTls,
        ("imap", false) if local && here => Protection::None,
        _ => {
            section.place_of("encrypted").report(
                "a mailbox is read without encryption only on this machine: imap://localhost with local = true",
            );
            return None;
        }
    };
    let port = url.port().unwrap_or(if protection == Protection::Tls { 993 } else { 143 });
    let letter_bytes = u32::try_from(kilobytes).ok()?.checked_mul(1_024)?;
    Some(Mailbox { host, port, protection, user: user?.text, secret, folder, takes, letter_bytes, idle })
}

/// What is kept between two readings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// The number of the numbering.
    validity: u32,
    /// The last letter that was read.
    uid: u32,
}

/// The mailbox as a source.
#[derive(Debug, Clone)]
pub struct MailSource {
    client: Arc<Client>,
    mailbox: Mailbox,
    channel: String,
    reach: Reach,
}

/// What a conversation runs over.
trait Line: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug> Line for T {}

/// A line on which no more than so many bytes are heard.
#[derive(Debug)]
pub struct Wire {
    line: Box<dyn Line>,
    left: usize,
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Ready<io::Result<()>> {
        if self.left == 0 {
            return Ready::Ready(Err(io::Error::new(io::ErrorKind::QuotaExceeded, "the server says too much")));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.line).poll_read(cx, buf))?;
        self.left = self.left.saturating_sub(buf.filled().len() - before);
        Ready::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Ready<io::Result<usize>> {
        Pin::new(&mut self.line).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Ready<io::Result<()>> {
        Pin::new(&mut self.line).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Ready<io::Result<()>> {
        Pin::new(&mut self.line).poll_shutdown(cx)
    }
}

/// What came of a reading so far: what is here is kept although the rest fails.
#[derive(Default)]
struct Progress {
    poll: Poll,
    place: Place,
    moved: bool,
    unreadable: usize,
}

impl MailSource {
    /// The source that a setting describes.
    #[must_use]
    pub fn new(client: Arc<Client>, setting: &SourceSetting, mailbox: &Mailbox) -> Self {
        Self { client, mailbox: mailbox.clone(), channel: setting.channel.clone(), reach: setting.reach }
    }

    /// Signs in and opens the folder, for looking only. At most `most` bytes are heard.
    ///
    /// # Errors
    /// Why it is not open, in Swedish.
    async fn open(&self, most: usize) -> Result<(Session<Wire>, async_imap::types::Mailbox), PollError> {
        let Some(secret) = &self.mailbox.secret else {
            return Err(PollError::Unauthorized(
                "brevlådans lösenord saknas; sätt det i miljön eller filen som sources.toml nämner".to_owned(),
            ));
        };
        let host = self.mailbox.host.as_str();
        let stream = self.client.reach(host, self.mailbox.port, self.reach).await.map_err(api::no_answer)?;
        let line: Box<dyn Line> = match self.mailbox.protection {
            Protection::Tls => Box::new(self.client.secured(stream, host).await.map_err(api::no_answer)?),
            Protection::None => Box::new(stream),
            Protection::StartTls => {
                let mut open = Imap::new(stream);
                greeting(&mut open).await?;
                step(open.run_command_and_check_ok("STARTTLS", None)).await?;
                // What the server said before the encryption is dropped with the buffer.
                Box::new(self.client.secured(open.into_inner(), host).await.map_err(api::no_answer)?)
            }
        };
        let mut imap = Imap::new(Wire { line, left: most });
        if self.mailbox.protection != Protection::StartTls {
            greeting(&mut imap).await?;
        }
        let signed_in = timeout(STEP, imap.login(&self.mailbox.user, secret.reveal())).await.map_err(|_| silent())?;
        let mut session = signed_in.map_err(|(why, _)| match why {
            Error::No(_) if is_throttled(&why) => PollError::RateLimited { retry_after: None },
            Error::No(_) => PollError::Unauthorized(
                "servern godtar inte användarnamnet eller lösenordet; prova det i ett mejlprogram, och skapa ett \
                 applösenord om servern kräver det"
                    .to_owned(),
            ),
            why => fault(&why),
        })?;
        let folder = timeout(STEP, session.examine(&self.mailbox.folder)).await.map_err(|_| silent())?;
        let folder = folder.map_err(|why| match why {
            Error::No(_) if !is_throttled(&why) => PollError::Blind(format!(
                "mappen {} finns inte eller får inte läsas; inloggningen fungerar",
                self.mailbox.folder
            )),
            why => fault(&why),
        })?;
        Ok((session, folder))
    }

    async fn read(&self, before: Option<Place>, progress: &mut Progress, now: Time) -> Result<(), PollError> {
        let (mut session, folder) = self.open(BYTES_SAID).await?;
        let validity = folder.uid_validity.unwrap_or_default();
        let known = before.filter(|place| place.validity == validity);
        progress.place = known.unwrap_or(Place { validity, uid: 0 });
        progress.moved = known.is_none();
        let wanted = match known {
            Some(place) => format!("UID {}:*", place.uid.saturating_add(1)),
            None => format!("SINCE {}", imap_date(now.minus(BACK))),
        };
        let found = step(session.uid_search(&wanted)).await?;
        // `n:*` names the last letter even when it is before n.
        let mut uids: Vec<u32> = found.into_iter().filter(|uid| *uid > progress.place.uid).collect();
        uids.sort_unstable();
        if uids.is_empty() {
            // An answer that never came reads as an empty one.
            step(session.noop()).await?;
        }
        if known.is_none() && uids.is_empty() {
            // Nothing in two weeks: all that comes from now on is new.
            progress.place.uid = folder.uid_next.unwrap_or(1).saturating_sub(1);
        }
        let more = uids.len() > LETTERS;
        uids.truncate(LETTERS);
        let sizes = self.sizes(&mut session, &uids).await?;
        let mut bytes = 0;
        for uid in uids {
            if bytes >= BYTES {
                break;
            }
            let letter = self.fetch(&mut session, uid).await?;
            if letter.is_none() {
                // It has gone, or the line has: only in the first case do we go on.
                step(session.noop()).await?;
            }
            bytes += letter.as_ref().map_or(0, Vec::len);
            if let Some(letter) = letter {
                let whole = sizes.iter().find(|(at, _)| *at == uid).map(|(_, size)| *size);
                self.take(&letter, whole.filter(|whole| *whole > self.mailbox.letter_bytes), progress);
            }
            (progress.place.uid, progress.moved) = (uid, true);
        }
        if more {
            progress.poll.wait = Some(Duration::ZERO);
        }
        // What is said in good-bye changes nothing.
        let _ = timeout(Duration::from_secs(2), session.logout()).await;
        Ok(())
    }

    fn take(&self, letter: &[u8], cut_from: Option<u32>, progress: &mut Progress) {
        let how =
            letter::Reading { channel: &self.channel, all_to_us: self.mailbox.takes == Takes::Everything, cut_from };
        match letter::read(letter, how) {
            Letter::Post(mut post) => {
                // What the mailbox itself has sent is our answer, as when it is copied to itself.
                post.own = post.writer.as_deref() == Some(self.mailbox.user.to_lowercase().as_str());
                progress.poll.posts.push(*post);
            }
            Letter::Bounce(bounce) => progress.poll.bounces.push(bounce),
            Letter::Machine => {}
            Letter::Unreadable => progress.unreadable += 1,
        }
    }

    async fn sizes(&self, session: &mut Session<Wire>, uids: &[u32]) -> Result<Vec<(u32, u32)>, PollError> {
        if uids.is_empty() {
            return Ok(Vec::new());
        }
        let set = uids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let fetched = step(async {
            let letters = session.uid_fetch(&set, "(UID RFC822.SIZE)").await?;
            letters.try_collect::<Vec<_>>().await
        })
        .await?;
        Ok(fetched.iter().filter_map(|letter| Some((letter.uid?, letter.size?))).collect())
    }

    /// The beginning of a letter, as much as is read of one; nothing when it has gone meanwhile.
    async fn fetch(&self, session: &mut Session<Wire>, uid: u32) -> Result<Option<Vec<u8>>, PollError> {
        let what = format!("(UID BODY.PEEK[]<0.{}>)", self.mailbox.letter_bytes);
        let fetched = step(async {
            let letters = session.uid_fetch(uid.to_string(), what).await?;
            letters.try_collect::<Vec<_>>().await
        })
        .await?;
        let letter = fetched.iter().find(|letter| letter.uid == Some(uid) && letter.body().is_some());
        Ok(letter.and_then(|letter| letter.body()).map(<[u8]>::to_vec))
    }

    /// Rings `bell` each time the server says that something has come, until it says no more. Why it ended.
    pub async fn ring(&self, bell: &Notify) -> PollError {
        match self.ring_on(bell).await {
            Err(fault) => fault,
            Ok(()) => PollError::Refused("servern kan inte ringa (IDLE); brevlådan läses på tid".to_owned()),
        }
    }

    async fn ring_on(&self, bell: &Notify) -> Result<(), PollError> {
        let (mut session, _) = self.open(usize::MAX).await?;
        if !step(session.capabilities()).await?.has_str("IDLE") {
            return Ok(());
        }
        // What came while nobody listened is read now.
        bell.notify_one();
        loop {
            let mut idle = session.idle();
            step(idle.init()).await?;
            let (waiting, _stop) = idle.wait_with_timeout(IDLE_AT_MOST);
            let answer = waiting.await.map_err(|why| fault(&why))?;
            session = step(idle.done()).await?;
            if matches!(answer, IdleResponse::NewData(_)) {
                bell.notify_one();
            }
        }
    }
}

/// So long is a server waited for before it is asked anew: it may hang up after half an hour (RFC 2177).
const IDLE_AT_MOST: Duration = Duration::from_mins(25);

impl Source for MailSource {
    async fn poll(&self, cursor: &Cursor, now: Time) -> Result<Poll, PollError> {
        let before: Option<Place> = serde_json::from_value(cursor.0.clone()).ok();
        let mut progress = Progress { place: before.unwrap_or_default(), ..Progress::default() };
        let read = timeout(TOTAL, self.read(before, &mut progress, now)).await.unwrap_or_else(|_| Err(silent()));
        let Progress { mut poll, place, moved, unreadable } = progress;
        if let Err(fault) = read {
            if !moved || poll.posts.is_empty() {
                return Err(fault);
            }
            poll.remark = Some(format!("Läsningen bröts på vägen; resten läses nästa gång ({fault})."));
        } else if unreadable > 0 {
            poll.remark =
                Some(format!("{unreadable} brev gick inte att läsa och ligger kvar i brevlådan; läs dem där."));
        }
        poll.unchanged = poll.posts.is_empty() && poll.bounces.is_empty() && !moved;
        poll.cursor = Cursor(serde_json::to_value(place).unwrap_or_default());
        Ok(poll)
    }
}

async fn greeting<T>(imap: &mut Imap<T>) -> Result<(), PollError>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug,
{
    match timeout(STEP, imap.read_response()).await {
        Err(_) => Err(silent()),
        Ok(Ok(Some(said))) => match said.parsed() {
            Response::Data { status: Status::Ok, .. } => Ok(()),
            Response::Data { status: Status::Bye, .. } => Err(PollError::RateLimited { retry_after: None }),
            _ => Err(PollError::Unreadable("servern hälsar inte som en IMAP-server".to_owned())),
        },
        Ok(Ok(None)) => Err(PollError::Unreachable("servern lade på utan att hälsa".to_owned())),
        Ok(Err(why)) => Err(fault(&Error::Io(why))),
    }
}

/// One question with its answer, in time.
async fn step<T>(asked: impl Future<Output = async_imap::error::Result<T>>) -> Result<T, PollError> {
    timeout(STEP, asked).await.map_err(|_| silent())?.map_err(|why| fault(&why))
}

fn silent() -> PollError {
    PollError::Unreachable(FetchError::TimedOut("the head of the answer").swedish().to_owned())
}

/// Whether a server's no means "not now" (RFC 5530).
fn is_throttled(why: &Error) -> bool {
    let Error::No(text) = why else { return false };
    let text = text.to_uppercase();
    ["UNAVAILABLE", "INUSE", "LIMIT", "OVERQUOTA", "TOO MANY"].iter().any(|code| text.contains(code))
}

/// What a fault of the conversation means. The server's own words stay in the log: they may repeat what we said.
fn fault(why: &Error) -> PollError {
    match why {
        _ if is_throttled(why) => PollError::RateLimited { retry_after: None },
        Error::Io(why) if why.kind() == io::ErrorKind::QuotaExceeded => {
            PollError::Unreadable("servern skickar mer än vi tar emot".to_owned())
        }
        Error::Io(_) | Error::ConnectionLost => PollError::Unreachable("servern bröt förbindelsen".to_owned()),
        Error::No(_) => {
            PollError::Unauthorized("servern säger nej till det vi frågar; kontots rättigheter räcker inte".to_owned())
        }
        _ => PollError::Unreadable("svaret är inte som IMAP ska vara".to_owned()),
    }
}

/// A day as IMAP writes it: `1-Dec-2026`.
fn imap_date(at: Time) -> String {
    at.zoned(&stockholm()).strftime("%-d-%b-%Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_as_imap_has_it() {
        assert_eq!(imap_date(Time::parse("2026-12-01T10:00:00+01:00").unwrap()), "1-Dec-2026");
    }

    #[test]
    fn a_no_that_means_not_now_is_no_closed_door() {
        let no = |text: &str| fault(&Error::No(text.to_owned()));
        assert_eq!(no("[UNAVAILABLE] try later"), PollError::RateLimited { retry_after: None });
        assert!(matches!(no("[NOPERM] no"), PollError::Unauthorized(_)));
        assert!(matches!(fault(&Error::ConnectionLost), PollError::Unreachable(_)));
    }
}
