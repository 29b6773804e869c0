//! A letter (e-post) as a post: what the writer says, without the history that mail programs repeat below it. Pure: bytes
//! in, a post out. What a machine sent of itself is no letter, and a letter that cannot be read is said to be so.

use std::fmt::Write as _;

use mail_parser::{Address, HeaderValue, Message, MessageParser, MimeHeaders, PartType};
use sha2::{Digest, Sha256};

use super::reduce::{self, Markup, cut, tidy};
use super::{Kind, Post};
use crate::clock::Time;
use crate::hex::hex;

/// Attachments that are named; a letter with more is a parcel.
const ATTACHMENTS: usize = 10;
/// The longest name of anything that is kept: a Message-ID, an attachment, a writer.
const NAME_MAX: usize = 200;
/// The longest text that is kept of a letter.
const TEXT_MAX: usize = 100_000;

/// So much of the text tells a letter from another of the same name: what is read of every letter, however large.
const MARKED: usize = 2_000;

/// What a letter turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Letter {
    /// Somebody wrote it.
    Post(Box<Post>),
    /// A mail server tells that a letter did not arrive.
    Bounce(Bounce),
    /// A machine answered, or it is our own reminder that came back: never a case.
    Machine,
    /// Nothing of it can be read.
    Unreadable,
}

/// A letter that did not arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounce {
    /// Message-ID of the letter that did not arrive.
    pub of: String,
    /// The status that the mail server gives, as `5.1.1`.
    pub status: String,
}

impl Bounce {
    /// Whether the address will never take a letter: what is full or asleep is not dead.
    #[must_use]
    pub fn is_for_good(&self) -> bool {
        self.status.starts_with("5.") && !self.status.starts_with("5.2.2")
    }
}

/// How letters of one mailbox are read.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// Slug of the channel.
    pub channel: &'a str,
    /// Every letter in it is meant for us.
    pub all_to_us: bool,
    /// Size of the whole letter, when only its beginning was fetched.
    pub cut_from: Option<u32>,
    /// When it came to the box, where the server tells.
    pub came_at: Option<Time>,
}

/// Reads a letter.
#[must_use]
pub fn read(bytes: &[u8], how: Reading<'_>) -> Letter {
    let Some(message) = MessageParser::default().parse(bytes).filter(|message| !message.headers().is_empty()) else {
        return Letter::Unreadable;
    };
    if let Some(bounce) = bounce(&message) {
        return Letter::Bounce(bounce);
    }
    if is_machine(&message, how.all_to_us) {
        return Letter::Machine;
    }
    let subject = message.subject().map(tidy).unwrap_or_default();
    let (text, markup) = body(&message);
    let text = if is_forwarded(&subject) { text } else { without_history(&text) };
    let mut text = without_signature(&text).trim().to_owned();
    let mark = message.message_id().map(|_| made_name("brev", &message, cut(&text, MARKED)));
    note_the_rest(&message, how.cut_from, &mut text);
    if text.is_empty() && subject.is_empty() {
        return Letter::Unreadable;
    }
    let native_id = message.message_id().map_or_else(|| made_name("utan-id", &message, &text), short);
    let references = names(message.references());
    let reply_to = names(message.in_reply_to()).pop();
    let thread = references.first().or(reply_to.as_ref()).unwrap_or(&native_id).clone();
    let from = message.from().and_then(Address::first);
    let address = from.and_then(|from| from.address()).map(str::to_lowercase);
    Letter::Post(Box::new(Post {
        channel: how.channel.to_owned(),
        native_id,
        thread: Some(thread),
        reply_to,
        kind: Kind::Mail,
        title: Some(without_prefixes(&subject).to_owned()).filter(|title| !title.is_empty()),
        text: cut(&text, TEXT_MAX).to_owned(),
        markup,
        author: from.and_then(|from| from.name()).map(short).or_else(|| address.clone()),
        writer: address,
        mark,
        authored_at: written_at(&message, how.came_at),
        to_us: how.all_to_us,
        handed_in: how.all_to_us,
        ..Post::default()
    }))
}

/// The text that a person reads, and the HTML that it came as when it came as nothing else.
fn body(message: &Message<'_>) -> (String, Option<Markup>) {
    let plain = message.text_bodies().find_map(|part| match &part.body {
        PartType::Text(text) if !text.trim().is_empty() => Some(text.to_string()),
        _ => None,
    });
    if let Some(plain) = plain {
        return (plain.replace("\r\n", "\n"), None);
    }
    let html = message.html_bodies().find_map(|part| match &part.body {
        PartType::Html(html) => Some(html.to_string()),
        _ => None,
    });
    html.map_or_else(Default::default, |html| (reduce::text_of(&html), Some(Markup::new(html, None))))
}

/// Names what is not kept, so that somebody looks in the mailbox.
fn note_the_rest(message: &Message<'_>, cut_from: Option<u32>, text: &mut String) {
    for part in message.attachments().take(ATTACHMENTS) {
        let name = part.attachment_name().map_or_else(|| "utan namn".to_owned(), short);
        let kind = part.content_type().map(|kind| match kind.subtype() {
            Some(subtype) => format!("{}/{subtype}", kind.ctype()),
            None => kind.ctype().to_owned(),
        });
        let size = part.len().div_ceil(1_024);
        let _ = write!(text, "\n\n[Bilaga: {name}, {}, {size} kB. Finns i brevlådan.]", kind.unwrap_or_default());
    }
    if let Some(whole) = cut_from {
        let size = whole.div_ceil(1_024);
        let _ = write!(text, "\n\n[Brevet är {size} kB; här står bara början. Resten finns i brevlådan.]");
    }
    *text = text.trim_start().to_owned();
}

/// When it was written: as it says itself, but nobody writes after her letter has come. One that does not say was written
/// when it came.
fn written_at(message: &Message<'_>, came_at: Option<Time>) -> Option<Time> {
    let says = message.date().map(|date| Time(date.to_timestamp().saturating_mul(1_000)));
    says.into_iter().chain(came_at).min()
}

/// A name made of what a letter says: the same letter gets the same name, wherever in the box it lies.
fn made_name(kind: &str, message: &Message<'_>, text: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(message.date().map(mail_parser::DateTime::to_timestamp).unwrap_or_default().to_be_bytes());
    for part in [message.subject().unwrap_or_default(), text] {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part.as_bytes());
    }
    format!("{kind}-{}", hex(&hasher.finalize()[..16]))
}

fn short(name: &str) -> String {
    cut(name.trim(), NAME_MAX).to_owned()
}

/// The Message-IDs of a header, in their order.
fn names(header: &HeaderValue<'_>) -> Vec<String> {
    match header {
        HeaderValue::Text(name) => vec![short(name)],
        HeaderValue::TextList(names) => names.iter().map(|name| short(name)).collect(),
        _ => Vec::new(),
    }
}

fn header<'a>(message: &'a Message<'_>, name: &str) -> Option<&'a str> {
    message.header(name.to_owned()).and_then(HeaderValue::as_text).map(str::trim)
}

/// Whether a machine sent it of itself. Alerts are sent by machines too, so in a box of alerts only answers are left out.
fn is_machine(message: &Message<'_>, all_to_us: bool) -> bool {
    let says = |name: &str, what: &[&str]| {
        header(message, name).is_some_and(|value| what.iter().any(|what| value.to_lowercase().starts_with(what)))
    };
    says("Auto-Submitted", &["auto-replied", "auto-notified"])
        || (all_to_us && says("Auto-Submitted", &["auto-generated"]))
        || says("Precedence", &["auto_reply"])
        || header(message, "X-Autoreply").is_some_and(|value| value != "no")
        || header(message, "X-Autorespond").is_some()
        || header(message, OURS).is_some()
        || message
            .from()
            .and_then(Address::first)
            .and_then(|from| from.address())
            .is_some_and(|from| from.to_lowercase().starts_with("mailer-daemon@"))
}

/// The header that our own letters carry (the voice by e-mail sets it), so that they are known when they come back.
const OURS: &str = "X-Lyhord";

/// What a mail server tells of a letter that did not arrive (RFC 3464); nothing when it tells no such thing.
fn bounce(message: &Message<'_>) -> Option<Bounce> {
    let kind = message.content_type()?;
    let is_report = kind.ctype() == "multipart"
        && kind.subtype() == Some("report")
        && kind.attribute("report-type").is_some_and(|report| report.eq_ignore_ascii_case("delivery-status"));
    if !is_report {
        return None;
    }
    let of_kind = |wanted: &'static [&'static str]| {
        message.parts.iter().find(move |part| {
            part.content_type().is_some_and(|kind| kind.subtype().is_some_and(|subtype| wanted.contains(&subtype)))
        })
    };
    let told = of_kind(&["delivery-status"]).map(|part| String::from_utf8_lossy(part.contents()).into_owned());
    let status = told.as_deref().and_then(|told| field(told, "status")).unwrap_or_default();
    // The letter itself, or only its head, comes last.
    let of = message.parts.iter().find_map(|part| match &part.body {
        PartType::Message(inner) => inner.message_id().map(short),
        _ => None,
    });
    let of = of.or_else(|| {
        let head = of_kind(&["rfc822-headers", "rfc822"])?;
        let head = String::from_utf8_lossy(head.contents()).into_owned();
        field(&head, "message-id").map(|id| short(id.trim_matches(['<', '>'])))
    });
    Some(Bounce { of: of.unwrap_or_default(), status })
}

/// The first value of a field in lines as `Status: 5.1.1`.
fn field(lines: &str, name: &str) -> Option<String> {
    lines.lines().find_map(|line| {
        let (field, value) = line.split_once(':')?;
        field.trim().eq_ignore_ascii_case(name).then(|| short(value.split('(').next().unwrap_or_default()))
    })
}

fn is_forwarded(subject: &str) -> bool {
    let subject = subject.to_lowercase();
    ["vb:", "fw:", "fwd:", "vidarebefordrat:"].iter().any(|prefix| subject.starts_with(prefix))
}

/// A subject without `SV: VB: Re:`.
fn without_prefixes(subject: &str) -> &str {
    let mut rest = subject.trim();
    while let Some((prefix, after)) = rest.split_once(':') {
        if !["sv", "re", "vb", "fw", "fwd", "svar", "aw"].contains(&prefix.trim().to_lowercase().as_str()) {
            break;
        }
        rest = after.trim_start();
    }
    rest
}

/// What stands above the first sign that an earlier letter is repeated. A letter that begins with the history is
/// answered between its lines: then only the lines that are not quoted are read.
fn without_history(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let begins = (0..lines.len()).find(|at| begins_history(&lines, *at)).unwrap_or(lines.len());
    let above = unquoted(lines.get(..begins).unwrap_or_default());
    if above.trim().is_empty() { unquoted(lines.get(begins + 1..).unwrap_or_default()) } else { above }
}

fn unquoted(lines: &[&str]) -> String {
    lines.iter().filter(|line| !line.trim_start().starts_with('>')).copied().collect::<Vec<_>>().join("\n")
}

fn begins_history(lines: &[&str], at: usize) -> bool {
    let line = lines.get(at).map(|line| line.trim().to_lowercase()).unwrap_or_default();
    let next = lines.get(at + 1).map(|line| line.trim().to_lowercase()).unwrap_or_default();
    let begins = ["den ", "on ", "am ", "mån ", "tis ", "ons ", "tors ", "fre ", "lör ", "sön "];
    let says = |text: &str| {
        text.ends_with(':') && ["skrev", "wrote", "schrieb", "napisał"].iter().any(|verb| text.contains(verb))
    };
    let told = begins.iter().any(|begin| line.starts_with(begin)) && (says(&line) || says(&format!("{line} {next}")));
    let heads = ["från:", "from:"].iter().any(|head| line.trim_start_matches('*').starts_with(head))
        && ["skickat:", "sent:", "datum:", "date:", "till:", "to:"]
            .iter()
            .any(|head| next.trim_start_matches('*').starts_with(head));
    told || heads
        || ["-----ursprungligt meddelande", "-----original message", "________________________________"]
            .iter()
            .any(|sign| line.replace("----- ", "-----").starts_with(sign))
}

/// What stands above the signature that mail programs mark with `-- `.
fn without_signature(text: &str) -> String {
    text.lines().take_while(|line| *line != "-- " && *line != "--").collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
#[path = "letter_tests.rs"]
mod tests;
