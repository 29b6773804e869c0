//! What staff press and write on Telegram, by long polling or by web hook.
//!
//! Either way an update is heard first and forgotten afterwards: a crash in between repeats it, and its `once` key
//! keeps it from being done twice. Only private chats count: in a group anybody could press.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use futures::StreamExt as _;
use futures::stream;
use teloxide::payloads::{
    AnswerCallbackQuerySetters as _, EditMessageReplyMarkupSetters as _, GetUpdatesSetters as _,
    SendMessageSetters as _, SetWebhookSetters as _,
};
use teloxide::requests::Requester as _;
use teloxide::types::{
    AllowedUpdate, BotCommand, CallbackQuery, InlineKeyboardButtonKind, InlineKeyboardMarkup, Update, UpdateKind,
};
use teloxide::{Bot, RequestError};
use url::Url;

use super::command::MENU;
use super::hear::{AT_ONCE, Hear, Keep, in_time};
use super::telegram::{Telegram, TelegramAccount, bot, meaning_of, without_preview};
use super::wire::Secret;
use super::{Answer, Buttons, Channel, SendError, Speaker, Verdict, button};

/// How long Telegram holds a poll open when there is nothing to tell.
pub const POLL_WAIT: Duration = Duration::from_secs(25);
/// What the network may add to that.
const POLL_SLACK: Duration = Duration::from_secs(10);
/// Updates in one answer; Telegram's own most.
const BATCH: u8 = 100;
/// The largest update that the web hook reads; a message of 4 096 characters with all its trimmings is a tenth.
const UPDATE_MAX: usize = 256 * 1024;
/// The longest answer to a press, in characters.
const TOAST_MAX: usize = 200;

/// Hears what is said to the bot.
pub struct TelegramEar<H> {
    poll: Bot,
    voice: Arc<Telegram>,
    hear: H,
}

impl<H: Hear> TelegramEar<H> {
    /// An ear that answers through `voice`.
    ///
    /// # Errors
    /// When no HTTP client can be built on this machine.
    pub fn new(account: &TelegramAccount, voice: Arc<Telegram>, hear: H) -> Result<Self, reqwest::Error> {
        Ok(Self { poll: bot(account, POLL_WAIT + POLL_SLACK)?, voice, hear })
    }

    /// Asks Telegram to send updates here from now on, and shows the menu of commands.
    ///
    /// # Errors
    /// When Telegram refuses the address or cannot be reached.
    pub async fn open_webhook(&self, address: Url, secret: &Secret) -> Result<(), SendError> {
        let call = self
            .voice
            .bot()
            .set_webhook(address)
            .secret_token(secret.reveal())
            .allowed_updates([AllowedUpdate::Message, AllowedUpdate::CallbackQuery]);
        self.voice.call(call.into_future()).await?.map_err(|error| meaning_of(&error))?;
        self.show_menu().await
    }

    /// Asks Telegram to keep updates until they are fetched, and shows the menu of commands. What waits is kept.
    ///
    /// # Errors
    /// When Telegram cannot be reached.
    pub async fn open_poll(&self) -> Result<(), SendError> {
        let call = self.voice.bot().delete_webhook();
        self.voice.call(call.into_future()).await?.map_err(|error| meaning_of(&error))?;
        self.show_menu().await
    }

    async fn show_menu(&self) -> Result<(), SendError> {
        let menu = MENU.map(|(command, told)| BotCommand::new(command, told));
        let call = self.voice.bot().set_my_commands(menu);
        self.voice.call(call.into_future()).await?.map(|_| ()).map_err(|error| meaning_of(&error))
    }

    /// Fetches the updates from `next` on; waits up to `wait` for the first one.
    ///
    /// # Errors
    /// When Telegram cannot be reached, or another process polls for the same bot.
    pub async fn fetch(&self, next: i64, wait: Duration) -> Result<Vec<Update>, SendError> {
        let offset = i32::try_from(next).unwrap_or(0);
        let seconds = u32::try_from(wait.as_secs()).unwrap_or(0);
        let call = self
            .poll
            .get_updates()
            .offset(offset)
            .limit(BATCH)
            .timeout(seconds)
            .allowed_updates([AllowedUpdate::Message, AllowedUpdate::CallbackQuery]);
        call.await.map_err(|error| meaning_of(&error))
    }

    /// One round: fetches, hears each update, and keeps the place after all. Tells how many were heard.
    ///
    /// # Errors
    /// When nothing could be fetched, or the place not kept: then the same updates come again.
    pub async fn round(&self, keep: &impl Keep, wait: Duration) -> Result<usize, SendError> {
        let place = keep.place().await.map_err(|_| SendError::later())?;
        // A place that is no number would be another service's: beginning again loses nothing that still waits.
        let next = place.and_then(|place| place.parse().ok()).unwrap_or(0);
        let updates = self.fetch(next, wait).await?;
        // Each speaker is heard in order, and nobody waits for a slow answer to somebody else.
        let mut speakers: BTreeMap<Option<u64>, Vec<&Update>> = BTreeMap::new();
        for update in &updates {
            speakers.entry(update.from().map(|user| user.id.0)).or_default().push(update);
        }
        let hear_one = async |said: Vec<&Update>| {
            for update in said {
                self.hear(update).await;
            }
        };
        stream::iter(speakers.into_values()).for_each_concurrent(AT_ONCE, hear_one).await;
        if let Some(last) = updates.iter().map(|update| i64::from(update.id.0)).max() {
            let after = last.saturating_add(1);
            keep.keep(&after.to_string()).await.map_err(|_| SendError::later())?;
        }
        Ok(updates.len())
    }

    /// Hears one update and answers it. An update that is nothing for us is let go.
    pub async fn hear(&self, update: &Update) {
        let once = format!("telegram:update:{}", update.id.0);
        match &update.kind {
            UpdateKind::CallbackQuery(query) => self.hear_press(query, once).await,
            UpdateKind::Message(message) => {
                let from_person = message.from.as_ref().is_some_and(|user| !user.is_bot);
                if message.chat.is_private() && from_person {
                    let speaker = speaker(message.chat.id.0, once);
                    let answer = in_time(self.hear.said(&speaker, message.text().unwrap_or(""))).await;
                    self.tell(message.chat.id, &answer.text).await;
                }
            }
            _ => {}
        }
    }

    async fn hear_press(&self, query: &CallbackQuery, once: String) {
        let Ok(presser) = i64::try_from(query.from.id.0) else { return };
        let answer = match query.data.as_deref().and_then(button::parse_data) {
            Some((act, nonce)) => in_time(self.hear.pressed(&speaker(presser, once), act, &nonce)).await,
            None => Answer::keep(Verdict::Unknown.refusal().unwrap_or_default()),
        };
        let toast: String = answer.text.chars().take(TOAST_MAX).collect();
        let call = self.voice.bot().answer_callback_query(query.id.clone()).text(toast).show_alert(true);
        self.let_go(self.voice.call(call.into_future()).await, "answer to a press");
        if answer.buttons == Buttons::Remove {
            self.remove_buttons(query).await;
        }
    }

    /// Takes the acting buttons away and leaves *Öppna*.
    async fn remove_buttons(&self, query: &CallbackQuery) {
        let Some(message) = query.regular_message() else { return };
        let Some(keyboard) = message.reply_markup() else { return };
        let kept: Vec<_> = keyboard
            .inline_keyboard
            .iter()
            .flatten()
            .filter(|button| matches!(button.kind, InlineKeyboardButtonKind::Url(_)))
            .cloned()
            .collect();
        let call = self
            .voice
            .bot()
            .edit_message_reply_markup(message.chat.id, message.id)
            .reply_markup(InlineKeyboardMarkup::new([kept]));
        self.let_go(self.voice.call(call.into_future()).await, "change of buttons");
    }

    async fn tell(&self, chat: teloxide::types::ChatId, text: &str) {
        let call = self.voice.bot().send_message(chat, text).link_preview_options(without_preview());
        self.let_go(self.voice.call(call.into_future()).await, "answer");
    }

    /// An answer that does not get through is not sent again: the fact is written, and a late answer would confuse.
    #[expect(clippy::unused_self, reason = "reads as what the ear does")]
    fn let_go<T>(&self, outcome: Result<Result<T, RequestError>, SendError>, what: &str) {
        let lost = match outcome {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => meaning_of(&error),
            Err(error) => error,
        };
        tracing::warn!(channel = "telegram", error = %lost, "an {what} did not get through");
    }

    /// The web hook: one route, to be mounted where `open_webhook` said. Without Telegram's secret nothing is read.
    pub fn router(self: Arc<Self>, path: &str, secret: Secret) -> Router {
        Router::new()
            .route(path, post(take_update::<H>))
            .layer(DefaultBodyLimit::max(UPDATE_MAX))
            .with_state((self, Arc::new(secret)))
    }
}

async fn take_update<H: Hear>(
    State((ear, secret)): State<(Arc<TelegramEar<H>>, Arc<Secret>)>,
    headers: HeaderMap,
    body: String,
) -> StatusCode {
    let said = headers.get("x-telegram-bot-api-secret-token").and_then(|value| value.to_str().ok());
    if !said.is_some_and(|said| secret.is(said)) {
        return StatusCode::UNAUTHORIZED;
    }
    // From text, not from a JSON value: through a value teloxide reads every update as an unknown one.
    match serde_json::from_str::<Update>(&body) {
        Ok(update) => {
            ear.hear(&update).await;
            StatusCode::OK
        }
        Err(_) => StatusCode::BAD_REQUEST,
    }
}

fn speaker(address: i64, once: String) -> Speaker {
    Speaker { channel: Channel::Telegram, address: address.to_string(), once }
}

#[cfg(test)]
#[path = "telegram_tests.rs"]
mod tests;
