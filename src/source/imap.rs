//! How IMAP is spoken: a line on which only so much is heard, each answer in time, and what a no means. The server's own
//! words stay here: they may repeat what we said.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll as Ready, ready};
use std::time::Duration;

use async_imap::error::{Error, Result as Answered};
use async_imap::imap_proto::{AttributeValue, MailboxDatum, Outcome, Response, Status};
use async_imap::{Client as Imap, Session};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use super::PollError;
use crate::calendar::stockholm;
use crate::clock::Time;
use crate::http::FetchError;

/// From one answer of the server to the next.
pub(super) const STEP: Duration = Duration::from_secs(20);

/// What a conversation runs over.
pub(super) trait Line: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug> Line for T {}

/// A line on which no more than so many bytes are heard.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) line: Box<dyn Line>,
    pub(super) left: usize,
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

/// Waits for the server's greeting.
///
/// # Errors
/// Why it does not greet, in Swedish.
pub(super) async fn greeting<T>(imap: &mut Imap<T>) -> Result<(), PollError>
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

/// What a no to whoever signs in means.
pub(super) fn not_let_in(by_proof: bool) -> &'static str {
    if by_proof {
        "servern släpper inte in Lyhörd i brevlådan fast tillträdet (OAuth) gavs; ge programmet rätt till just den brevlådan"
    } else {
        "servern godtar inte användarnamnet eller lösenordet; prova det i ett mejlprogram, och skapa ett applösenord om \
         servern kräver det"
    }
}

/// One question with its answer, in time.
pub(super) async fn step<T>(asked: impl Future<Output = async_imap::error::Result<T>>) -> Result<T, PollError> {
    timeout(STEP, asked).await.map_err(|_| silent())?.map_err(|why| fault(&why))
}

/// Asks in a folder that is open, in time, and hands on each part of the answer. A no is a fault here: the library reads
/// one as an empty list, and an empty list means that there is nothing.
pub(super) async fn ask(
    session: &mut Session<Wire>,
    question: &str,
    mut each: impl FnMut(&Response<'_>) + Send,
) -> Result<(), PollError> {
    step(answered(session, question, &mut each)).await
}

async fn answered(
    session: &mut Session<Wire>,
    question: &str,
    each: &mut (impl FnMut(&Response<'_>) + Send),
) -> Answered<()> {
    let asked = session.run_command(question).await?;
    loop {
        let said = session.read_response().await?.ok_or(Error::ConnectionLost)?;
        match said.parsed() {
            Response::Done { tag, status, outcome } if *tag == asked => return ended(status, outcome),
            Response::Data { status: Status::Bye, .. } => return Err(Error::ConnectionLost),
            part => each(part),
        }
    }
}

/// What the end of an answer says. That what was asked for has gone is no fault (RFC 5530): there is nothing to tell.
fn ended(status: &Status, outcome: &Outcome<'_>) -> Answered<()> {
    let told = format!("code: {:?}, info: {:?}", outcome.code, outcome.information);
    match status {
        Status::Ok => Ok(()),
        Status::No if ["EXPUNGEISSUED", "NONEXISTENT"].iter().any(|gone| told.to_uppercase().contains(gone)) => Ok(()),
        Status::No => Err(Error::No(told)),
        _ => Err(Error::Bad(told)),
    }
}

/// The numbers that a search found.
pub(super) fn found<'a>(part: &'a Response<'_>) -> &'a [u32] {
    if let Response::MailboxData(MailboxDatum::Search(found)) = part { found } else { &[] }
}

/// What a server tells of a letter from outside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Outside {
    /// Its size in bytes.
    pub size: Option<u32>,
    /// When it came to the box.
    pub came_at: Option<Time>,
}

/// The number of a letter and what is told of it from outside.
pub(super) fn outside(part: &Response<'_>) -> Option<(u32, Outside)> {
    let Response::Fetch(_, told) = part else { return None };
    let (mut uid, mut outside) = (None, Outside::default());
    for told in told {
        match told {
            AttributeValue::Uid(number) => uid = Some(*number),
            AttributeValue::Rfc822Size(size) => outside.size = Some(*size),
            AttributeValue::InternalDate(at) => outside.came_at = moment(at),
            _ => {}
        }
    }
    // That a letter's marks have changed is told unasked, and says nothing of this.
    Some((uid?, outside)).filter(|(_, outside)| *outside != Outside::default())
}

/// The beginning of the letter with that number.
pub(super) fn inside(part: &Response<'_>, uid: u32) -> Option<Vec<u8>> {
    let Response::Fetch(_, told) = part else { return None };
    let is_it = told.iter().any(|told| matches!(told, AttributeValue::Uid(number) if *number == uid));
    let body = told.iter().find_map(|told| match told {
        AttributeValue::BodySection { section: None, data: Some(body), .. } => Some(body.to_vec()),
        _ => None,
    });
    body.filter(|_| is_it)
}

/// A moment as IMAP writes it: `23-Nov-2026 09:00:00 +0100`, a day of one digit after a blank.
fn moment(text: &str) -> Option<Time> {
    let text = text.trim();
    let padded = if text.as_bytes().get(1) == Some(&b'-') { format!("0{text}") } else { text.to_owned() };
    jiff::Timestamp::strptime("%d-%b-%Y %H:%M:%S %z", &padded).ok().map(Time::of)
}

pub(super) fn silent() -> PollError {
    PollError::Unreachable(FetchError::TimedOut("the head of the answer").swedish().to_owned())
}

/// Whether a server's no means "not now" (RFC 5530).
pub(super) fn is_throttled(why: &Error) -> bool {
    let Error::No(text) = why else { return false };
    let text = text.to_uppercase();
    ["UNAVAILABLE", "INUSE", "LIMIT", "OVERQUOTA", "TOO MANY"].iter().any(|code| text.contains(code))
}

/// What a fault of the conversation means. The server's own words stay in the log: they may repeat what we said.
pub(super) fn fault(why: &Error) -> PollError {
    match why {
        _ if is_throttled(why) => PollError::RateLimited { retry_after: None },
        Error::Io(why) if why.kind() == io::ErrorKind::QuotaExceeded => {
            PollError::Unreadable("servern skickar mer än vi tar emot".to_owned())
        }
        // The library says so of what it cannot read.
        Error::Io(why) if why.kind() == io::ErrorKind::Other => {
            PollError::Unreadable("svaret är inte som IMAP ska vara".to_owned())
        }
        Error::Io(_) | Error::ConnectionLost => PollError::Unreachable("servern bröt förbindelsen".to_owned()),
        Error::No(_) => {
            PollError::Unauthorized("servern säger nej till det vi frågar; kontots rättigheter räcker inte".to_owned())
        }
        _ => PollError::Unreadable("svaret är inte som IMAP ska vara".to_owned()),
    }
}

/// A day as IMAP writes it: `1-Dec-2026`.
pub(super) fn imap_date(at: Time) -> String {
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
    fn a_moment_is_read_as_imap_writes_it() {
        assert_eq!(moment("23-Nov-2026 09:00:00 +0100"), Some(Time::parse("2026-11-23T08:00:00Z").unwrap()));
        assert_eq!(moment(" 1-Dec-2026 09:00:00 +0100"), Some(Time::parse("2026-12-01T08:00:00Z").unwrap()));
        for odd in ["", "-", "1-", "i går", "99-Nov-2026 09:00:00 +0100", "å-Dec-2026 09:00:00 +0100"] {
            assert_eq!(moment(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_no_is_no_empty_list_unless_what_was_asked_for_has_gone() {
        let no = |said: &str| {
            let outcome = Outcome { code: None, information: Some(said.to_owned().into()) };
            ended(&Status::No, &outcome).map_err(|why| fault(&why))
        };
        assert!(matches!(no("Server error"), Err(PollError::Unauthorized(_))));
        assert!(matches!(no("[UNAVAILABLE] later"), Err(PollError::RateLimited { .. })));
        assert_eq!(no("[EXPUNGEISSUED] Some of the requested messages no longer exist."), Ok(()));
        assert!(ended(&Status::Bad, &Outcome::default()).is_err());
        assert!(ended(&Status::Ok, &Outcome::default()).is_ok());
    }

    #[test]
    fn a_no_that_means_not_now_is_no_closed_door() {
        let no = |text: &str| fault(&Error::No(text.to_owned()));
        assert_eq!(no("[UNAVAILABLE] try later"), PollError::RateLimited { retry_after: None });
        assert!(matches!(no("[NOPERM] no"), PollError::Unauthorized(_)));
        assert!(matches!(fault(&Error::ConnectionLost), PollError::Unreachable(_)));
    }
}
