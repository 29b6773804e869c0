//! Telegram, by teloxide. Nobody's own service: what is said here is tier C and nothing more.

use std::time::Duration;

use teloxide::payloads::{EditMessageTextSetters as _, SendMessageSetters as _};
use teloxide::requests::Requester as _;
use teloxide::types::{ChatId, InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions, MessageId, Recipient};
use teloxide::{ApiError, Bot, RequestError};
use url::Url;

use super::bucket::{Bucket, Pace};
use super::wire::{self, Secret};
use super::{Channel, Chat, Message, Receipt, SendError, Tried, fence};

/// What Telegram lets a bot send in a second, to all chats together (its FAQ; the exact limits are unpublished).
pub const PER_SECOND: u32 = 30;

/// The least time between two messages to one chat (the same FAQ).
const PER_CHAT: Duration = Duration::from_secs(1);

/// The longest text, in UTF-16 units.
const TEXT_MAX: usize = 4_096;

/// How the bot is reached.
#[derive(Debug, Clone)]
pub struct TelegramAccount {
    /// The bot's token.
    pub token: Secret,
    /// `https://api.telegram.org`, or a Bot API server of our own.
    pub api_base: Url,
    /// How long one call may take.
    pub timeout: Duration,
    /// Messages a second in all, for this process.
    pub per_second: u32,
}

/// The voice on Telegram.
pub struct Telegram {
    bot: Bot,
    bucket: Bucket,
    timeout: Duration,
}

impl std::fmt::Debug for Telegram {
    /// Without the bot, whose own picture shows its token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Telegram").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl Telegram {
    /// A voice for the bot's account. Nothing is called yet.
    ///
    /// # Errors
    /// When no HTTP client can be built on this machine.
    pub fn new(account: &TelegramAccount) -> Result<Self, reqwest::Error> {
        let bot = bot(account, account.timeout)?;
        let pace = Pace { per_second: account.per_second, per_address: PER_CHAT };
        Ok(Self { bot, bucket: Bucket::new(pace), timeout: account.timeout })
    }

    /// Runs one call within the time it may take: teloxide sleeps ten seconds when the server has a fault.
    pub(super) async fn call<T>(
        &self,
        call: impl Future<Output = Result<T, RequestError>>,
    ) -> Result<Result<T, RequestError>, SendError> {
        tokio::time::timeout(self.timeout, call).await.map_err(|_| SendError::later())
    }

    /// The bot, for answers to what was heard.
    pub(super) fn bot(&self) -> &Bot {
        &self.bot
    }

    fn failed(&self, error: &RequestError) -> SendError {
        let meaning = meaning_of(error);
        if let SendError::Later { retry_after: Some(span) } = meaning {
            self.bucket.hush(span);
        }
        meaning
    }
}

/// The bot with its own client; long polling needs a longer `timeout` than sending.
pub(super) fn bot(account: &TelegramAccount, timeout: Duration) -> Result<Bot, reqwest::Error> {
    Ok(Bot::with_client(account.token.reveal(), wire::client(timeout)?).set_api_url(account.api_base.clone()))
}

/// What a fault means for the outbox. No text of Telegram's is kept, since it may repeat ours.
pub(super) fn meaning_of(error: &RequestError) -> SendError {
    let never = |why: &str| SendError::Never(why.to_owned());
    match error {
        RequestError::RetryAfter(span) => SendError::Later { retry_after: Some(span.duration()) },
        RequestError::MigrateToChatId(to) => SendError::Moved { to: to.0.to_string() },
        RequestError::Network(_) | RequestError::Io(_) | RequestError::InvalidJson { .. } => SendError::later(),
        RequestError::Api(api) => match api {
            ApiError::BotBlocked => never("the person has blocked the bot"),
            ApiError::UserDeactivated => never("the person's Telegram account is closed"),
            ApiError::ChatNotFound | ApiError::UserNotFound => never("the chat does not exist"),
            ApiError::CantInitiateConversation => never("the person has not started the bot"),
            ApiError::BotKicked | ApiError::BotKickedFromSupergroup | ApiError::GroupDeactivated => {
                never("the bot is no longer in the group")
            }
            ApiError::InvalidToken => SendError::OutOfOrder("Telegram does not know the bot's token".to_owned()),
            ApiError::MessageIsTooLong | ApiError::EditedMessageIsTooLong | ApiError::RequestEntityTooLarge => {
                never("the message is too long")
            }
            ApiError::MessageToEditNotFound | ApiError::MessageCantBeEdited | ApiError::MessageIdInvalid => {
                never("the message can no longer be changed")
            }
            ApiError::TerminatedByOtherGetUpdates => never("another process polls for the same bot"),
            ApiError::CantGetUpdates => never("a web hook is set for the bot, so it cannot be polled"),
            ApiError::Unknown(text) if text.contains("webhook is active") => {
                never("a web hook is set for the bot, so it cannot be polled")
            }
            ApiError::Unknown(text) if is_their_fault(text) => SendError::later(),
            _ => never("Telegram refused the message"),
        },
    }
}

/// A server fault in a JSON coat.
fn is_their_fault(text: &str) -> bool {
    ["Internal Server Error", "Bad Gateway", "Gateway Timeout", "Service Unavailable"]
        .iter()
        .any(|fault| text.contains(fault))
}

/// The buttons, two in a row, and *Öppna* where Telegram takes the address.
fn keyboard(message: &Message, link: Option<Url>) -> InlineKeyboardMarkup {
    let acts: Vec<InlineKeyboardButton> = message
        .buttons()
        .iter()
        .map(|button| InlineKeyboardButton::callback(button.act.label(), button.data()))
        .chain(link.map(|link| InlineKeyboardButton::url("Öppna", link)))
        .collect();
    InlineKeyboardMarkup::new(acts.chunks(2).map(<[InlineKeyboardButton]>::to_vec))
}

/// The link as a button's address. Telegram refuses the whole message when a button leads to a host without a dot,
/// so such a link stands in the text only.
fn button_link(link: &str) -> Option<Url> {
    let url: Url = link.parse().ok()?;
    let public = match url.host()? {
        url::Host::Domain(name) => name.contains('.') && !name.ends_with(".localhost"),
        url::Host::Ipv4(ip) => !ip.is_loopback(),
        url::Host::Ipv6(ip) => !ip.is_loopback(),
    };
    (public && matches!(url.scheme(), "http" | "https")).then_some(url)
}

/// The text within Telegram's bound; whole lines are left out from the end, never the link on the last line.
fn within_bound(text: &str) -> String {
    let length = |text: &str| text.encode_utf16().count();
    if length(text) <= TEXT_MAX {
        return text.to_owned();
    }
    let (body, link) = text.rsplit_once('\n').unwrap_or((text, ""));
    let mut kept = String::new();
    for line in body.lines() {
        if length(&kept) + length(line) + length(link) + 4 > TEXT_MAX {
            break;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    format!("{kept}…\n{link}")
}

/// What leaves for a chat, whatever it is called.
#[cfg(test)]
pub(super) fn payload(message: &Message) -> serde_json::Value {
    serde_json::json!({
        "text": within_bound(message.text()), "link_preview_options": { "is_disabled": without_preview().is_disabled },
        "reply_markup": keyboard(message, button_link(message.link())),
    })
}

fn chat_id(address: &str) -> Result<ChatId, SendError> {
    address.parse().map(ChatId).map_err(|_| SendError::Never("the address is not a Telegram chat".to_owned()))
}

pub(super) fn without_preview() -> LinkPreviewOptions {
    LinkPreviewOptions {
        is_disabled: true,
        url: None,
        prefer_small_media: false,
        prefer_large_media: false,
        show_above_text: false,
    }
}

/// What Telegram cannot do, told where a person chooses it.
pub(super) const CANNOT: &[&str] = &[
    "Telegram ligger utanför kommunens kontroll: där står bara hur många ärenden som väntar, när och ärendets nummer.",
    "Om förbindelsen bryts mitt i kan samma påminnelse komma två gånger.",
    "Telegram berättar inte om meddelandet är läst.",
];

impl Chat for Telegram {
    fn channel(&self) -> Channel {
        Channel::Telegram
    }

    fn cannot(&self) -> &'static [&'static str] {
        CANNOT
    }

    async fn try_account(&self) -> Result<Tried, SendError> {
        let asked = self.call(self.bot.get_me().into_future()).await?;
        asked.map(|_| Tried::Accepted).map_err(|error| meaning_of(&error))
    }

    async fn send(&self, address: &str, message: &Message, _key: &str) -> Result<Receipt, SendError> {
        fence(Channel::Telegram, message)?;
        let chat = chat_id(address)?;
        self.bucket.take(address).await?;
        let call = self
            .bot
            .send_message(Recipient::Id(chat), within_bound(message.text()))
            .link_preview_options(without_preview())
            .reply_markup(keyboard(message, button_link(message.link())));
        let sent = self.call(call.into_future()).await?.map_err(|error| self.failed(&error))?;
        Ok(Receipt { external_id: sent.id.0.to_string() })
    }

    async fn edit(&self, address: &str, id: &str, message: &Message, _key: &str) -> Result<Receipt, SendError> {
        fence(Channel::Telegram, message)?;
        let chat = chat_id(address)?;
        let number = id.parse().map_err(|_| SendError::Never("not a message of Telegram's".to_owned()))?;
        self.bucket.take(address).await?;
        let call = self
            .bot
            .edit_message_text(Recipient::Id(chat), MessageId(number), within_bound(message.text()))
            .link_preview_options(without_preview())
            .reply_markup(keyboard(message, button_link(message.link())));
        match self.call(call.into_future()).await? {
            Ok(_) | Err(RequestError::Api(ApiError::MessageNotModified)) => Ok(Receipt { external_id: id.to_owned() }),
            Err(error) => Err(self.failed(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_button_leads_only_where_telegram_lets_it() {
        assert!(button_link("https://lyhord.ale.se/logga-in").is_some());
        for link in ["http://localhost:8080/logga-in", "http://lyhord:8080/", "http://127.0.0.1/", "javascript:1", ""] {
            assert_eq!(button_link(link), None, "{link}");
        }
    }

    #[test]
    fn a_text_that_is_too_long_loses_whole_lines_and_keeps_its_link() {
        let lines: Vec<String> = (0..200).map(|number| format!("{number} {}", "å".repeat(40))).collect();
        let text = format!("{}\nhttps://lyhord.ale.se/logga-in", lines.join("\n"));
        let cut = within_bound(&text);
        assert!(cut.encode_utf16().count() <= TEXT_MAX && cut.ends_with("…\nhttps://lyhord.ale.se/logga-in"));
        assert!(cut.lines().rev().skip(2).all(|line| text.contains(line)), "no line is cut in two");
        assert_eq!(within_bound("kort"), "kort");
    }
}
