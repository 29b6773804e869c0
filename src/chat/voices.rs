//! All voices that are configured, behind one door: the outbox row says the channel, and this finds the voice.

use std::sync::Arc;

use super::email::{AccountFault, Email};
use super::matrix::Matrix;
use super::mattermost::Mattermost;
use super::settings::ChatSettings;
use super::signed::Signer;
use super::slack::Slack;
use super::teams::Teams;
use super::telegram::Telegram;
use super::terminal::Terminal;
use super::tier::{Links, Tier};
use super::{Channel, Chat, Message, Receipt, SendError, Tried};

/// Why the voices could not be made.
#[derive(Debug, thiserror::Error)]
pub enum VoiceFault {
    /// No HTTP client on this machine.
    #[error("no HTTP client can be built")]
    Client(#[from] reqwest::Error),
    /// The e-mail account cannot be used.
    #[error("e-mail cannot be used")]
    Email(#[from] AccountFault),
}

/// One concrete voice.
#[derive(Debug, Clone)]
pub enum Voice {
    /// The demo's.
    Terminal(Arc<Terminal>),
    /// Telegram.
    Telegram(Arc<Telegram>),
    /// Matrix.
    Matrix(Arc<Matrix>),
    /// Teams.
    Teams(Arc<Teams>),
    /// Slack.
    Slack(Arc<Slack>),
    /// Mattermost.
    Mattermost(Arc<Mattermost>),
    /// E-mail.
    Email(Arc<Email>),
}

macro_rules! each {
    ($voice:expr, $v:ident => $does:expr) => {
        match $voice {
            Voice::Terminal($v) => $does,
            Voice::Telegram($v) => $does,
            Voice::Matrix($v) => $does,
            Voice::Teams($v) => $does,
            Voice::Slack($v) => $does,
            Voice::Mattermost($v) => $does,
            Voice::Email($v) => $does,
        }
    };
}

impl Chat for Voice {
    fn channel(&self) -> Channel {
        each!(self, voice => voice.channel())
    }

    fn cannot(&self) -> &'static [&'static str] {
        each!(self, voice => voice.cannot())
    }

    async fn send(&self, address: &str, message: &Message, key: &str) -> Result<Receipt, SendError> {
        each!(self, voice => voice.send(address, message, key).await)
    }

    async fn try_account(&self) -> Result<Tried, SendError> {
        each!(self, voice => voice.try_account().await)
    }

    fn can_edit(&self) -> bool {
        each!(self, voice => voice.can_edit())
    }

    async fn edit(&self, address: &str, id: &str, message: &Message, key: &str) -> Result<Receipt, SendError> {
        each!(self, voice => voice.edit(address, id, message, key).await)
    }
}

/// The voices that are on.
#[derive(Debug, Clone)]
pub struct Voices {
    on: Vec<Voice>,
    signer: Signer,
}

impl Voices {
    /// Makes each configured voice. Nothing is called yet.
    ///
    /// # Errors
    /// When a voice cannot be made of its settings.
    pub fn open(settings: &ChatSettings, links: &Links) -> Result<Self, VoiceFault> {
        let signer = Signer::new(settings.key.clone(), links.clone());
        let mut on = Vec::new();
        if settings.terminal {
            on.push(Voice::Terminal(Arc::default()));
        }
        if let Some(telegram) = &settings.telegram {
            on.push(Voice::Telegram(Arc::new(Telegram::new(&telegram.account)?)));
        }
        if let Some(matrix) = &settings.matrix {
            on.push(Voice::Matrix(Arc::new(Matrix::new(&matrix.account)?)));
        }
        if let Some(teams) = &settings.teams {
            on.push(Voice::Teams(Arc::new(Teams::new(teams, signer.clone())?)));
        }
        if let Some(slack) = &settings.slack {
            on.push(Voice::Slack(Arc::new(Slack::new(&slack.account)?)));
        }
        if let Some(mattermost) = &settings.mattermost {
            on.push(Voice::Mattermost(Arc::new(Mattermost::new(mattermost, signer.clone())?)));
        }
        if let Some(email) = &settings.email {
            on.push(Voice::Email(Arc::new(Email::new(email, signer.clone())?)));
        }
        Ok(Self { on, signer })
    }

    /// The voice of a channel, when it is on.
    #[must_use]
    pub fn of(&self, channel: Channel) -> Option<&Voice> {
        self.on.iter().find(|voice| voice.channel() == channel)
    }

    /// The most that may be said through a channel to an address: outside our own domains a letter says no more than
    /// a service outside our control.
    #[must_use]
    pub fn tier(&self, channel: Channel, address: &str) -> Tier {
        match self.of(channel) {
            Some(Voice::Email(email)) if !email.is_inside(address) => Tier::C,
            _ => channel.tier(),
        }
    }

    /// The channels that are on, in the order of the settings.
    pub fn channels(&self) -> impl Iterator<Item = Channel> {
        self.on.iter().map(Chat::channel)
    }

    /// Every voice that is on, in the order of the settings.
    pub fn all(&self) -> impl Iterator<Item = &Voice> {
        self.on.iter()
    }

    /// What reads the links behind the buttons of Teams and e-mail.
    #[must_use]
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Sends through the channel's voice.
    ///
    /// # Errors
    /// As the voice says; [`SendError::Never`] when the channel is off.
    pub async fn send(
        &self,
        channel: Channel,
        address: &str,
        message: &Message,
        key: &str,
    ) -> Result<Receipt, SendError> {
        match self.of(channel) {
            Some(voice) => voice.send(address, message, key).await,
            None => Err(SendError::Never(format!("{} is not configured", channel.slug()))),
        }
    }

    /// Lets an earlier message say something else, through the channel's voice.
    ///
    /// # Errors
    /// As the voice says; [`SendError::Never`] when the channel is off.
    pub async fn edit(
        &self,
        channel: Channel,
        address: &str,
        id: &str,
        message: &Message,
        key: &str,
    ) -> Result<Receipt, SendError> {
        match self.of(channel) {
            Some(voice) => voice.edit(address, id, message, key).await,
            None => Err(SendError::Never(format!("{} is not configured", channel.slug()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::tier::tests::{one_case, sample};
    use crate::chat::tier::{self, Occasion};
    use crate::chat::wire::Secret;

    fn voices(terminal: bool) -> Voices {
        let links = Links::new(&"https://lyhord.ale.se".parse().unwrap());
        let settings = ChatSettings { terminal, key: Secret::new("k"), ..ChatSettings::default() };
        Voices::open(&settings, &links).unwrap()
    }

    #[tokio::test]
    async fn a_channel_that_is_off_is_never_and_one_that_is_on_is_found() {
        let sample = sample();
        let message = tier::message(Tier::C, Occasion::Reminder, &one_case(&sample));
        let off = voices(false).send(Channel::Terminal, "karin", &message, "k").await;
        assert_eq!(off, Err(SendError::Never("terminal is not configured".into())));
        assert!(voices(true).send(Channel::Terminal, "karin", &message, "k").await.is_ok());
        assert_eq!(voices(true).channels().collect::<Vec<_>>(), [Channel::Terminal]);
    }

    #[test]
    fn every_channel_reads_back_and_says_what_it_cannot_do() {
        for channel in Channel::ALL {
            assert_eq!(Channel::from_slug(channel.slug()), Some(channel));
        }
        let voices = voices(true);
        assert!(voices.of(Channel::Terminal).is_some_and(|voice| !voice.cannot().is_empty()));
    }
}
