//! E-mail inside our own domains, by lettre: text and HTML, threaded by case.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::bucket::{Bucket, Pace};
use super::signed::Signer;
use super::tier::{Message, Occasion, Tier, escape};
use super::wire::Secret;
use super::{Channel, Chat, Receipt, SendError, Tried, bind, fence};
use crate::clock::Time;

/// Letters a second: our own relay's default limits begin far above it.
const PER_SECOND: u32 = 5;
/// The least time between two letters to one person: more is a flood, whatever the relay says.
const PER_PERSON: Duration = Duration::from_secs(1);

/// How the connection to the relay is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// TLS from the first byte (port 465).
    Tls,
    /// Plain, then TLS before anything is said (port 587); without TLS nothing is sent.
    StartTls,
    /// None: only for a relay on the same machine or container network.
    None,
}

/// How the relay is reached.
#[derive(Debug, Clone)]
pub struct EmailAccount {
    /// Host name of the relay.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub protection: Protection,
    /// User and password, when the relay wants them.
    pub login: Option<(String, Secret)>,
    /// The sender, as `Lyhörd <lyhord@ale.se>`.
    pub from: String,
    /// Our own domains: letters elsewhere say no more than tier C.
    pub domains: Vec<String>,
    /// How long one letter may take.
    pub timeout: Duration,
}

/// Why no voice could be made of an account.
#[derive(Debug, thiserror::Error)]
pub enum AccountFault {
    /// The sender is not an address.
    #[error("the sender is not an e-mail address")]
    Sender,
    /// The relay's name cannot be used with TLS.
    #[error("the relay's host name cannot be used")]
    Relay,
}

/// The header that tells our own letters.
const OURS: &str = "X-Lyhord";

/// The voice by e-mail.
pub struct Email {
    relay: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    domains: Vec<String>,
    bucket: Bucket,
    signer: Signer,
}

impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Email").field("domains", &self.domains).finish_non_exhaustive()
    }
}

impl Email {
    /// A voice for the configured relay. Nothing is called yet.
    ///
    /// # Errors
    /// When the sender or the relay's name cannot be used.
    pub fn new(account: &EmailAccount, signer: Signer) -> Result<Self, AccountFault> {
        let from: Mailbox = account.from.parse().map_err(|_| AccountFault::Sender)?;
        let tls = || TlsParameters::new(account.host.clone()).map_err(|_| AccountFault::Relay);
        let protection = match account.protection {
            Protection::Tls => Tls::Wrapper(tls()?),
            Protection::StartTls => Tls::Required(tls()?),
            Protection::None => Tls::None,
        };
        let mut relay = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(account.host.as_str())
            .port(account.port)
            .tls(protection)
            .timeout(Some(account.timeout));
        if let Some((user, password)) = &account.login {
            relay = relay.credentials(Credentials::new(user.clone(), password.reveal().to_owned()));
        }
        let domains = account.domains.iter().map(|domain| domain.to_lowercase()).collect();
        let bucket = Bucket::new(Pace { per_second: PER_SECOND, per_address: PER_PERSON });
        Ok(Self { relay: relay.build(), from, domains, bucket, signer })
    }

    /// True for an address within our own domains.
    pub(super) fn is_inside(&self, address: &str) -> bool {
        address.parse().is_ok_and(|address| self.is_ours(&address))
    }

    fn is_ours(&self, address: &Address) -> bool {
        let domain = address.domain().to_lowercase();
        self.domains.contains(&domain)
    }

    /// The letter. The same message and key give the same letter, so that a mail client can tell a repeat.
    fn letter(&self, to: Address, message: &Message, key: &str) -> Result<lettre::Message, lettre::error::Error> {
        let domain = self.from.email.domain();
        let name = bind::keyed_hex(b"message-id", key.as_bytes());
        let date = SystemTime::UNIX_EPOCH + message.said_at().since(Time(0));
        let mut builder = lettre::Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(message.subject())
            .date(date)
            .message_id(Some(format!("<{name}@{domain}>")));
        builder = raw(builder, "Auto-Submitted", "auto-generated");
        // So that it is known when it comes back to a mailbox that we read.
        builder = raw(builder, OURS, "1");
        if let Some(case) = message.case() {
            let thread = format!("<arende-{case}@{domain}>");
            builder = builder.in_reply_to(thread.clone()).references(thread);
        }
        if message.occasion() == Occasion::Digest {
            builder = raw(builder, "List-Unsubscribe", &format!("<{}>", self.signer.links().profile()));
        }
        let text = self.text(message);
        match message.html() {
            Some(html) => builder.multipart(MultiPart::alternative_plain_html(text, self.page(html, message))),
            None => builder.singlepart(SinglePart::plain(text)),
        }
    }

    fn text(&self, message: &Message) -> String {
        let mut text = message.text().to_owned();
        for button in message.buttons() {
            let link = self.signer.link(button.act, &button.nonce, message.said_at());
            let _ = write!(text, "\n\n{}:\n{link}", button.act.label());
        }
        text.push_str("\n\nSvara inte på det här brevet. Skriv inte om innehållet i ärenden i e-post.\n");
        text
    }

    fn page(&self, html: &str, message: &Message) -> String {
        let mut links = String::new();
        for button in message.buttons() {
            let link = self.signer.link(button.act, &button.nonce, message.said_at());
            let _ = write!(links, "<p><a href=\"{}\">{}</a></p>", escape(&link), button.act.label());
        }
        format!(
            "<!doctype html><html lang=\"sv\"><head><meta charset=\"utf-8\"><title>{}</title></head><body>{html}{links}\
             <p>Svara inte på det här brevet. Skriv inte om innehållet i ärenden i e-post.</p></body></html>",
            escape(message.subject())
        )
    }
}

/// What leaves in a letter: its subject and its bodies. Its headers name the recipient, who is not the content's.
#[cfg(test)]
pub(super) fn bodies(email: &Email, message: &Message) -> serde_json::Value {
    let html = message.html().map(|html| email.page(html, message));
    serde_json::json!({ "subject": message.subject(), "text": email.text(message), "html": html })
}

fn raw(builder: MessageBuilder, name: &'static str, value: &str) -> MessageBuilder {
    match HeaderName::new_from_ascii(name.to_owned()) {
        Ok(name) => builder.raw_header(HeaderValue::new(name, value.to_owned())),
        Err(_) => builder,
    }
}

/// A relay's "not now" is later, its "no" is never; a lost connection is later. Its words may hold the address.
fn meaning_of(error: &lettre::transport::smtp::Error) -> SendError {
    let code = error.status().map(|code| code.to_string()).unwrap_or_default();
    match code.as_str() {
        // The relay does not let us in, or does not take our sender: no address is at fault.
        "530" | "534" | "535" | "538" => SendError::OutOfOrder(format!("the relay does not let us in ({code})")),
        _ if error.is_permanent() && denies_relay(&error.to_string()) => {
            SendError::OutOfOrder(format!("the relay does not carry our letters ({code})"))
        }
        _ if error.is_permanent() => SendError::Never(format!("the relay refused the letter ({code})")),
        _ if error.is_client() => SendError::OutOfOrder("the relay does not take letters as we send them".to_owned()),
        _ => SendError::later(),
    }
}

/// A relay that does not carry letters for us refuses every address alike: none of them is at fault (RFC 3463, 5.7.1).
fn denies_relay(words: &str) -> bool {
    let words = words.to_lowercase();
    words.contains("5.7.") && words.contains("relay")
}

/// What E-mail cannot do, told where a person chooses it.
pub(super) const CANNOT: &[&str] = &[
    "Ett brev kan inte ändras eller tas tillbaka när det är skickat.",
    "Knapparna i ett brev öppnar Lyhörd, där du loggar in och bekräftar.",
    "Kvittot säger att e-postservern tog emot brevet, inte att det kom fram eller är läst.",
    "Om förbindelsen bryts mitt i kan samma brev komma två gånger; de har då samma Message-ID.",
];

impl Chat for Email {
    fn channel(&self) -> Channel {
        Channel::Email
    }

    fn cannot(&self) -> &'static [&'static str] {
        CANNOT
    }

    fn can_edit(&self) -> bool {
        false
    }

    async fn try_account(&self) -> Result<Tried, SendError> {
        match self.relay.test_connection().await {
            Ok(true) => Ok(Tried::Accepted),
            Ok(false) => Err(SendError::later()),
            Err(error) => Err(meaning_of(&error)),
        }
    }

    async fn send(&self, address: &str, message: &Message, key: &str) -> Result<Receipt, SendError> {
        fence(Channel::Email, message)?;
        let to: Address = address.parse().map_err(|_| SendError::Never("not an e-mail address".to_owned()))?;
        if message.tier() != Tier::C && !self.is_ours(&to) {
            return Err(SendError::Never("outside our own domains a letter may only be of tier c".to_owned()));
        }
        let letter = self.letter(to, message, key).map_err(|_| SendError::Never("no letter can be made".to_owned()))?;
        self.bucket.take(address).await?;
        self.relay.send(letter).await.map_err(|error| meaning_of(&error))?;
        let name = bind::keyed_hex(b"message-id", key.as_bytes());
        Ok(Receipt { external_id: format!("{name}@{}", self.from.email.domain()) })
    }

    async fn edit(&self, _address: &str, _id: &str, _message: &Message, _key: &str) -> Result<Receipt, SendError> {
        Err(SendError::Never("a letter cannot be changed".to_owned()))
    }
}

#[cfg(test)]
#[path = "email_tests.rs"]
mod tests;
