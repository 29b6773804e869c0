//! Chat (röst): how a member of staff is told, and how she answers. One trait, many voices.
//!
//! What may be said where is decided by [`tier`]; a [`Message`] can only be built there, is stored in the outbox as
//! JSON, and is sent afterwards by the voice that its recipient has chosen. A voice never retries by itself: it says
//! when it may be asked again, and the outbox row waits.

pub mod address;
pub mod bind;
pub mod bucket;
pub mod button;
pub mod choice;
pub mod command;
pub mod email;
pub mod hear;
pub mod hook_listen;
pub mod matrix;
pub mod matrix_listen;
pub mod mattermost;
pub mod mattermost_listen;
pub mod message;
pub mod notice;
pub mod outbox_store;
pub mod settings;
pub mod signed;
pub mod slack;
pub mod slack_listen;
pub mod store;
pub mod swedish;
pub mod teams;
pub mod telegram;
pub mod telegram_listen;
pub mod terminal;
pub mod tier;
pub mod undelivered_store;
pub mod voices;
pub mod wire;

#[cfg(test)]
mod wire_rules_tests;

#[cfg(test)]
#[path = "../../tests/it/fake_telegram.rs"]
mod fake_telegram;

use std::future::Future;
use std::time::Duration;

use crate::id::CaseId;
pub use button::{Act, Button, Nonce, Verdict};
pub use hear::{Hear, Keep, NotKept};
pub use message::Message;
pub use tier::Tier;
pub use voices::{Voice, Voices};

/// Through which service a person is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// The demo's voice: prints on the terminal, reaches nobody.
    Terminal,
    /// Telegram, outside the municipality's control.
    Telegram,
    /// A Matrix home server of our own.
    Matrix,
    /// Microsoft Teams through a Workflows web hook.
    Teams,
    /// Slack.
    Slack,
    /// A Mattermost server of our own.
    Mattermost,
    /// E-mail inside our own domain.
    Email,
}

impl Channel {
    /// Every channel, in the order a settings page shows them.
    pub const ALL: [Self; 7] =
        [Self::Telegram, Self::Matrix, Self::Teams, Self::Slack, Self::Mattermost, Self::Email, Self::Terminal];

    /// The slug in the database, in configuration and in metrics.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Telegram => "telegram",
            Self::Matrix => "matrix",
            Self::Teams => "teams",
            Self::Slack => "slack",
            Self::Mattermost => "mattermost",
            Self::Email => "email",
        }
    }

    /// What a person reads.
    #[must_use]
    pub fn swedish(self) -> &'static str {
        match self {
            Self::Terminal => "Terminalen",
            Self::Telegram => "Telegram",
            Self::Matrix => "Matrix",
            Self::Teams => "Teams",
            Self::Slack => "Slack",
            Self::Mattermost => "Mattermost",
            Self::Email => "E-post",
        }
    }

    /// Reads a slug.
    #[must_use]
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.slug() == slug)
    }

    /// The most that may be said here (domain rule: law.md §2.2). A municipality cannot raise it by configuration.
    #[must_use]
    pub fn tier(self) -> Tier {
        match self {
            Self::Matrix | Self::Mattermost | Self::Email => Tier::A,
            Self::Teams | Self::Slack => Tier::B,
            Self::Telegram | Self::Terminal => Tier::C,
        }
    }
}

/// Proof that a service took a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The service's own name for the message, needed to edit it; empty where the service gives none.
    pub external_id: String,
}

/// Why nothing was sent. The variants say what to do next; the texts hold no address, token or message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Ask again, at the earliest after this long; the caller's own back-off when the service did not say.
    #[error("later{}", .retry_after.map(|d| format!(", after {} ms", d.as_millis())).unwrap_or_default())]
    Later {
        /// What the service, or our own bucket, asked for.
        retry_after: Option<Duration>,
    },
    /// It will never go through as it is: a person must do something.
    #[error("never: {0}")]
    Never(String),
    /// The service does not accept us at all: nobody's address is at fault, and somebody must see to the settings.
    #[error("out of order: {0}")]
    OutOfOrder(String),
    /// The address has a successor: bind it and send again.
    #[error("the chat has moved")]
    Moved {
        /// The new address.
        to: String,
    },
}

impl SendError {
    /// What it means to one who tries the service.
    #[must_use]
    pub fn swedish(&self) -> String {
        match self {
            Self::Later { .. } => "tjänsten svarar inte nu, eller vill vänta; försök igen om en stund".to_owned(),
            Self::Never(why) => format!("tjänsten säger nej: {}", swedish::never(why)),
            Self::OutOfOrder(why) => format!("tjänsten godtar oss inte: {}", swedish::out_of_order(why)),
            Self::Moved { .. } => "adressen har flyttat; koppla den på nytt".to_owned(),
        }
    }

    /// Later, without knowing when.
    #[must_use]
    pub fn later() -> Self {
        Self::Later { retry_after: None }
    }
}

/// What asking a service about ourselves gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// It accepts us.
    Accepted,
    /// It can only be asked by saying something to somebody.
    CannotBeAsked,
}

/// A service that carries messages to staff.
pub trait Chat {
    /// Which service it is.
    fn channel(&self) -> Channel;

    /// What this voice cannot do, in Swedish, one sentence each: shown on the page where a person chooses a voice.
    fn cannot(&self) -> &'static [&'static str];

    /// Sends `message` to `address`. `key` is the outbox row's own key: a service that can tell repeats apart gets
    /// it, so that a repeated send after a crash is one message.
    fn send(
        &self,
        address: &str,
        message: &Message,
        key: &str,
    ) -> impl Future<Output = Result<Receipt, SendError>> + Send;

    /// Asks the service whether it accepts us, without saying anything to anybody.
    fn try_account(&self) -> impl Future<Output = Result<Tried, SendError>> + Send;

    /// Whether what was said can be changed afterwards.
    fn can_edit(&self) -> bool {
        true
    }

    /// Replaces what an earlier message says, so that a chat does not fill up; `external_id` is the receipt's.
    fn edit(
        &self,
        address: &str,
        external_id: &str,
        message: &Message,
        key: &str,
    ) -> impl Future<Output = Result<Receipt, SendError>> + Send;
}

/// Refuses a message that says more than the channel may carry: the last of three fences (types, vocabulary, this).
///
/// # Errors
/// [`SendError::Never`] when the message belongs to a higher tier.
pub fn fence(channel: Channel, message: &Message) -> Result<(), SendError> {
    if message.tier().fits(channel.tier()) {
        Ok(())
    } else {
        Err(SendError::Never(format!("a message of tier {} for {}", message.tier().slug(), channel.slug())))
    }
}

/// Somebody who presses or writes, as her service names her. Whether she is anyone we know is the hearer's to find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speaker {
    /// Through which service.
    pub channel: Channel,
    /// Her address there, in the same form as `send` takes it.
    pub address: String,
    /// Names this utterance once and for all, however often the service repeats it: `telegram:update:815`.
    pub once: String,
}

/// What a person is told in return, at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// One or two Swedish sentences.
    pub text: String,
    /// What becomes of the buttons that were pressed.
    pub buttons: Buttons,
}

/// What becomes of the buttons of a message after a press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Buttons {
    /// They stay: nothing has changed.
    Keep,
    /// They are taken away: they have done their work, or no longer fit.
    Remove,
}

impl Answer {
    /// An answer that leaves the buttons as they are.
    #[must_use]
    pub fn keep(text: impl Into<String>) -> Self {
        Self { text: text.into(), buttons: Buttons::Keep }
    }

    /// An answer that takes the buttons away.
    #[must_use]
    pub fn done(text: impl Into<String>) -> Self {
        Self { text: text.into(), buttons: Buttons::Remove }
    }
}

/// What is said when a fact could not be written in time. Nothing was done, and the person knows it.
pub const NOT_NOW: &str =
    "Det gick inte att spara just nu, så inget har ändrats. Försök igen om en stund eller öppna Lyhörd.";

/// How long a hearer may take: services give up on a button after three seconds.
pub const ANSWER_WITHIN: Duration = Duration::from_millis(2_500);

/// `1 ärende`, `2 ärenden`.
#[must_use]
pub fn cases_in_words(count: usize) -> String {
    if count == 1 { "1 ärende".to_owned() } else { format!("{count} ärenden") }
}

/// The name a person knows a case by.
#[must_use]
pub fn case_in_words(case: CaseId) -> String {
    format!("Ärende {case}")
}
