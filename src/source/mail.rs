//! A mailbox (e-post) as a source, over IMAP: letters are looked at and left as they are. Nothing is marked as read,
//! moved or deleted.
//!
//! Where we stopped is the number of the last letter and the number of the numbering (UIDVALIDITY). When a server numbers
//! anew, two weeks are read again, and the letters' own names (Message-ID) tell what has been read before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_imap::error::Error;
use async_imap::extensions::idle::IdleResponse;
use async_imap::{Client as Imap, Session};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::timeout;
use url::Url;

use super::account::{Secret, expires, secret_of};
use super::hook::Takes;
use super::imap::{
    Line, Outside, STEP, Wire, ask, fault, found, greeting, imap_date, inside, is_throttled, not_let_in, outside,
    silent, step,
};
use super::letter::{self, Letter};
use super::oauth::{self, Access, Shown};
use super::watched::SourceSetting;
use super::{Cursor, Poll, PollError, Source, api};
use crate::clock::Time;
use crate::http::{Client, Reach};
use crate::settings::Section;

/// For one reading as a whole: shorter than the turn that one process has at a source.
const TOTAL: Duration = Duration::from_mins(1);
/// Letters of one reading; more wait for the next.
const LETTERS: usize = 50;
/// Bytes of letters of one reading.
const BYTES: usize = 8 * 1024 * 1024;
/// Bytes that a server may say in one reading, letters and all.
const BYTES_SAID: usize = 24 * 1024 * 1024;
/// Readings that may break off at one letter before it is passed over and counted as missed.
const BREAKS_MAX: u8 = 3;
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
    /// When the secret ends, as far as those who keep it have said.
    pub expires_at: Option<Time>,
    /// Where the secret is changed for a proof, when the server takes no password.
    pub access: Option<Box<Access>>,
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
        section.place().report(
            "`secret_env` or `secret_file` is missing: the mailbox's password, or the program's secret, stands there",
        );
        return None;
    }
    let secret = secret_of(section, "secret_env", "secret_file");
    let access = oauth::read(section).ok()?.map(Box::new);
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
    Some(Mailbox {
        host,
        port,
        protection,
        user: user?.text,
        secret,
        expires_at: expires(section),
        access,
        folder,
        takes,
        letter_bytes,
        idle,
    })
}

/// What is kept between two readings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// The number of the numbering.
    validity: u32,
    /// The last letter that was read.
    uid: u32,
    /// A letter at which readings have broken off, and how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stuck: Option<(u32, u8)>,
}

/// The mailbox as a source.
#[derive(Debug, Clone)]
pub struct MailSource {
    client: Arc<Client>,
    mailbox: Mailbox,
    channel: String,
    reach: Reach,
}

/// What came of a reading so far: what is here is kept although the rest fails.
#[derive(Default)]
struct Progress {
    poll: Poll,
    place: Place,
    moved: bool,
    unreadable: usize,
    /// Letters that were read or passed over.
    done: usize,
    /// The letter that is being fetched.
    at: Option<u32>,
}

impl Progress {
    fn passed(&mut self, uid: u32) {
        self.done += 1;
        (self.place.uid, self.moved) = (uid, true);
    }
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
    async fn open(&self, most: usize, now: Time) -> Result<(Session<Wire>, async_imap::types::Mailbox), PollError> {
        let Some(secret) = &self.mailbox.secret else {
            return Err(PollError::Unauthorized(
                "brevlådans lösenord saknas; sätt det i miljön eller filen som sources.toml nämner".to_owned(),
            ));
        };
        let proof = match &self.mailbox.access {
            Some(access) => Some(access.proof(&self.client, secret, self.reach, now).await?),
            None => None,
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
        let user = self.mailbox.user.as_str();
        let signing_in = async {
            match &proof {
                Some(proof) => imap.authenticate("XOAUTH2", Shown::of(user, proof)).await,
                None => imap.login(user, secret.reveal()).await,
            }
        };
        let signed_in = timeout(STEP, signing_in).await.map_err(|_| silent())?;
        let mut session = signed_in.map_err(|(why, _)| match why {
            Error::No(_) if is_throttled(&why) => PollError::RateLimited { retry_after: None },
            Error::No(_) => PollError::Unauthorized(not_let_in(proof.is_some()).to_owned()),
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
        let (mut session, folder) = self.open(BYTES_SAID, now).await?;
        let validity = folder.uid_validity.unwrap_or_default();
        let known = before.filter(|place| place.validity == validity && place.uid > 0);
        progress.place = Place { validity, uid: known.map_or(0, |place| place.uid), stuck: None };
        progress.moved = known.is_none();
        let wanted = match known {
            Some(place) => format!("UID {}:*", place.uid.saturating_add(1)),
            None => format!("SINCE {}", imap_date(now.minus(BACK))),
        };
        let mut all = BTreeSet::new();
        ask(&mut session, &format!("UID SEARCH {wanted}"), |part| all.extend(found(part))).await?;
        // `n:*` names the last letter even when it is before n.
        let mut uids: Vec<u32> = all.into_iter().filter(|uid| *uid > progress.place.uid).collect();
        if known.is_none() && uids.is_empty() {
            // Nothing in two weeks: all that comes from now on is new.
            progress.place.uid = folder.uid_next.unwrap_or(1).saturating_sub(1);
        }
        let more = uids.len() > LETTERS;
        uids.truncate(LETTERS);
        let told = told(&mut session, &uids).await?;
        let mut bytes = 0;
        for uid in uids {
            if bytes >= BYTES {
                break;
            }
            if before.and_then(|place| place.stuck) == Some((uid, BREAKS_MAX)) {
                // It has stopped every reading so far, and stops no other letter any more.
                progress.unreadable += 1;
                progress.passed(uid);
                continue;
            }
            progress.at = Some(uid);
            let letter = self.fetch(&mut session, uid).await?;
            progress.at = None;
            // One that has gone meanwhile is no fault.
            if let Some(letter) = letter {
                bytes += letter.len();
                self.take(&letter, told.get(&uid).copied().unwrap_or_default(), progress);
            }
            progress.passed(uid);
        }
        if more {
            progress.poll.wait = Some(Duration::ZERO);
        }
        // What is said in good-bye changes nothing.
        let _ = timeout(Duration::from_secs(2), session.logout()).await;
        Ok(())
    }

    fn take(&self, letter: &[u8], told: Outside, progress: &mut Progress) {
        let how = letter::Reading {
            channel: &self.channel,
            all_to_us: self.mailbox.takes == Takes::Everything,
            cut_from: told.size.filter(|size| *size > self.mailbox.letter_bytes),
            came_at: told.came_at,
        };
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

    /// The beginning of a letter, as much as is read of one; nothing when it has gone meanwhile.
    async fn fetch(&self, session: &mut Session<Wire>, uid: u32) -> Result<Option<Vec<u8>>, PollError> {
        let question = format!("UID FETCH {uid} (UID BODY.PEEK[]<0.{}>)", self.mailbox.letter_bytes);
        let mut letter = None;
        ask(session, &question, |part| {
            if letter.is_none() {
                letter = inside(part, uid);
            }
        })
        .await?;
        Ok(letter)
    }

    /// Rings `bell` each time the server says that something has come, until it says no more. Why it ended.
    pub async fn ring(&self, bell: &Notify, now: Time) -> PollError {
        match self.ring_on(bell, now).await {
            Err(fault) => fault,
            Ok(()) => PollError::Refused("servern kan inte ringa (IDLE); brevlådan läses på tid".to_owned()),
        }
    }

    async fn ring_on(&self, bell: &Notify, now: Time) -> Result<(), PollError> {
        let (mut session, _) = self.open(usize::MAX, now).await?;
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

/// What is told of these letters from outside.
async fn told(session: &mut Session<Wire>, uids: &[u32]) -> Result<BTreeMap<u32, Outside>, PollError> {
    let mut told = BTreeMap::new();
    if uids.is_empty() {
        return Ok(told);
    }
    let set = uids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    ask(session, &format!("UID FETCH {set} (UID RFC822.SIZE INTERNALDATE)"), |part| told.extend(outside(part))).await?;
    Ok(told)
}

/// So long is a server waited for before it is asked anew: it may hang up after half an hour (RFC 2177).
const IDLE_AT_MOST: Duration = Duration::from_mins(25);

impl Source for MailSource {
    async fn poll(&self, cursor: &Cursor, now: Time) -> Result<Poll, PollError> {
        let before: Option<Place> = serde_json::from_value(cursor.0.clone()).ok();
        let mut progress = Progress { place: before.unwrap_or_default(), ..Progress::default() };
        let read = timeout(TOTAL, self.read(before, &mut progress, now)).await.unwrap_or_else(|_| Err(silent()));
        let Progress { mut poll, mut place, mut moved, unreadable, done, at } = progress;
        if let Err(fault) = read {
            // An answer that is no answer, or a no, at the same letter again and again: then it is the letter.
            if let (Some(uid), PollError::Unreadable(_) | PollError::Unauthorized(_)) = (at, &fault) {
                let breaks = before.and_then(|place| place.stuck).filter(|(at, _)| *at == uid).map_or(0, |(_, n)| n);
                place.stuck = Some((uid, breaks.saturating_add(1).min(BREAKS_MAX)));
                moved = true;
            }
            if done == 0 && place.stuck.is_none() {
                return Err(fault);
            }
            poll.remark = Some(format!("Läsningen bröts på vägen; resten läses nästa gång ({fault})."));
        } else if unreadable > 0 {
            poll.remark =
                Some(format!("{unreadable} brev gick inte att läsa och ligger kvar i brevlådan; läs dem där."));
        }
        poll.missed = unreadable;
        poll.unchanged = poll.posts.is_empty() && poll.bounces.is_empty() && !moved;
        poll.cursor = Cursor(serde_json::to_value(place).unwrap_or_default());
        Ok(poll)
    }
}
