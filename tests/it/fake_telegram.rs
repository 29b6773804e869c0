//! A Telegram Bot API server that is as strict as the real one where it matters to us: it knows its token, the
//! methods we use and their fields, and refuses what Telegram refuses, in Telegram's own words.
//!
//! `app(state)` is an ordinary axum app, so that it can also run as a process of its own; `/control/…` then does what
//! the methods of [`FakeTelegram`] do in a test: says, presses, arranges faults, and tells what was sent.

#![allow(dead_code, reason = "each of its users needs its own part")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// What a chat's next call meets instead of an answer.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// 429 with `retry_after` in seconds.
    TooMany(u32),
    /// The person has blocked the bot.
    Blocked,
    /// The group has become a supergroup with this id.
    Migrated(i64),
    /// 502 without JSON.
    ServerError,
    /// 200 with something that is not JSON.
    Garbage,
    /// No answer at all.
    Hang,
}

/// A message as the chat shows it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Sent {
    pub chat_id: i64,
    pub message_id: i64,
    pub text: String,
    /// Label, and callback data or address.
    pub buttons: Labelled,
    pub edits: u32,
    pub preview: bool,
}

#[derive(Default)]
struct Inner {
    chats: BTreeSet<i64>,
    sent: Vec<Sent>,
    answers: Vec<(String, String)>,
    faults: BTreeMap<i64, VecDeque<Fault>>,
    updates: VecDeque<(i64, Value)>,
    last_update: i64,
    last_message: i64,
    webhook: Option<(String, String)>,
    calls: Vec<String>,
    down: bool,
    turned_away: usize,
    forgotten: VecDeque<(i64, Value)>,
}

/// The server's memory, shared by all its handlers.
#[derive(Clone)]
pub struct FakeTelegram {
    token: Arc<str>,
    inner: Arc<Mutex<Inner>>,
    news: Arc<Notify>,
}

/// Buttons: label, and callback data or address.
type Labelled = Vec<(String, String)>;

type Fields = serde_json::Map<String, Value>;

impl FakeTelegram {
    pub fn new(token: &str) -> Self {
        Self { token: token.into(), inner: Arc::default(), news: Arc::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A person has started the bot: from now on it may write to her.
    pub fn start(&self, chat: i64) {
        self.inner().chats.insert(chat);
    }

    /// The chat's next call meets `fault`; several are met in order.
    pub fn fault(&self, chat: i64, fault: Fault) {
        self.inner().faults.entry(chat).or_default().push_back(fault);
    }

    /// Answers nothing but 502 for as long as it is down.
    pub fn down(&self, down: bool) {
        self.inner().down = down;
    }

    /// Requests that were turned away while it was down.
    pub fn turned_away(&self) -> usize {
        self.inner().turned_away
    }

    /// The last thing that was said to this chat.
    pub fn last_said(&self, chat: i64) -> String {
        let inner = self.inner();
        inner.sent.iter().rev().find(|sent| sent.chat_id == chat).map(|sent| sent.text.clone()).unwrap_or_default()
    }

    /// Brings all that has been fetched once more, as Telegram does when it did not learn that it was heard.
    pub fn repeat(&self) {
        let mut inner = self.inner();
        while let Some(update) = inner.forgotten.pop_back() {
            inner.updates.push_front(update);
        }
    }

    /// Every message as it stands now.
    pub fn sent(&self) -> Vec<Sent> {
        self.inner().sent.clone()
    }

    /// Answers to presses: callback id and text.
    pub fn answers(&self) -> Vec<(String, String)> {
        self.inner().answers.clone()
    }

    /// The methods that were called, in order.
    pub fn calls(&self) -> Vec<String> {
        self.inner().calls.clone()
    }

    fn update(&self, kind: &str, what: &Value) -> i64 {
        let mut inner = self.inner();
        inner.last_update += 1;
        let id = inner.last_update;
        inner.updates.push_back((id, json!({ "update_id": id, kind: what })));
        drop(inner);
        self.news.notify_waiters();
        id
    }

    /// A person writes to the bot.
    pub fn say(&self, chat: i64, text: &str) -> i64 {
        let message = {
            let mut inner = self.inner();
            inner.chats.insert(chat);
            inner.last_message += 1;
            json!({ "message_id": inner.last_message, "date": 1_763_884_800, "chat": the_chat(chat),
                    "from": user(chat), "text": text })
        };
        self.update("message", &message)
    }

    /// A person presses the button with this label under the message; `by` is who, in a group perhaps not the chat.
    pub fn press(&self, by: i64, chat: i64, message_id: i64, label: &str) -> Option<String> {
        let sent = self.inner().sent.iter().find(|m| m.chat_id == chat && m.message_id == message_id)?.clone();
        let data = sent.buttons.iter().find(|(text, _)| text == label)?.1.clone();
        Some(self.press_data(by, &sent, &data))
    }

    /// A press with data of the presser's own making.
    pub fn press_data(&self, by: i64, sent: &Sent, data: &str) -> String {
        let id = format!("callback-{}", self.inner().last_update + 1);
        let message = shown(sent);
        self.update(
            "callback_query",
            &json!({ "id": id, "from": user(by), "message": message, "chat_instance": "1", "data": data }),
        );
        id
    }

    /// Posts waiting updates to the web hook, as Telegram does, and tells the statuses; an update is forgotten when
    /// it was answered with a success.
    pub async fn deliver(&self) -> Vec<u16> {
        let Some((url, secret)) = self.inner().webhook.clone() else { return Vec::new() };
        let waiting: Vec<(i64, Value)> = self.inner().updates.iter().cloned().collect();
        let mut statuses = Vec::new();
        for (id, update) in waiting {
            let request = reqwest::Client::new()
                .post(&url)
                .header("X-Telegram-Bot-Api-Secret-Token", &secret)
                .header(header::CONTENT_TYPE, "application/json")
                .body(update.to_string());
            let status = request.send().await.map_or(0, |reply| reply.status().as_u16());
            if status == 200 {
                self.inner().updates.retain(|(waiting, _)| *waiting != id);
            }
            statuses.push(status);
        }
        statuses
    }
}

fn user(id: i64) -> Value {
    json!({ "id": id, "is_bot": false, "first_name": "Test" })
}

fn the_chat(id: i64) -> Value {
    if id > 0 {
        json!({ "id": id, "type": "private", "first_name": "Test" })
    } else {
        json!({ "id": id, "type": "group", "title": "Test" })
    }
}

fn shown(sent: &Sent) -> Value {
    let row = |(label, target): &(String, String)| {
        if target.starts_with("http") {
            json!([{ "text": label, "url": target }])
        } else {
            json!([{ "text": label, "callback_data": target }])
        }
    };
    let keyboard: Vec<Value> = sent.buttons.iter().map(row).collect();
    let mut message = json!({
        "message_id": sent.message_id, "date": 1_763_884_800, "chat": the_chat(sent.chat_id), "text": sent.text,
        "from": { "id": 1, "is_bot": true, "first_name": "Lyhörd", "username": "lyhord_bot" },
    });
    if !keyboard.is_empty() {
        message["reply_markup"] = json!({ "inline_keyboard": keyboard });
    }
    message
}

/// The server. Paths are `/bot{token}/{method}` with the method in any case, as Telegram takes it.
pub fn app(state: FakeTelegram) -> Router {
    Router::new()
        .route("/{bot}/{method}", post(call).get(call))
        .route("/control/sent", get(|State(fake): State<FakeTelegram>| async move { Json(json!(fake.sent())) }))
        .route("/control/answers", get(|State(fake): State<FakeTelegram>| async move { Json(json!(fake.answers())) }))
        .route("/control/say", post(control_say))
        .route("/control/press", post(control_press))
        .route("/control/fault", post(control_fault))
        .with_state(state)
}

async fn control_say(State(fake): State<FakeTelegram>, Json(asked): Json<Value>) -> Response {
    let (Some(chat), Some(text)) = (asked["chat_id"].as_i64(), asked["text"].as_str()) else {
        return (StatusCode::BAD_REQUEST, "chat_id, text").into_response();
    };
    fake.say(chat, text);
    Json(json!({ "delivered": fake.deliver().await })).into_response()
}

async fn control_press(State(fake): State<FakeTelegram>, Json(asked): Json<Value>) -> Response {
    let (Some(chat), Some(message), Some(label)) =
        (asked["chat_id"].as_i64(), asked["message_id"].as_i64(), asked["label"].as_str())
    else {
        return (StatusCode::BAD_REQUEST, "chat_id, message_id, label").into_response();
    };
    match fake.press(asked["by"].as_i64().unwrap_or(chat), chat, message, label) {
        Some(id) => Json(json!({ "callback": id, "delivered": fake.deliver().await })).into_response(),
        None => (StatusCode::NOT_FOUND, "no such button").into_response(),
    }
}

async fn control_fault(State(fake): State<FakeTelegram>, Json(asked): Json<Value>) -> Response {
    match (asked["chat_id"].as_i64(), serde_json::from_value::<Fault>(asked["fault"].clone())) {
        (Some(chat), Ok(fault)) => {
            fake.fault(chat, fault);
            StatusCode::NO_CONTENT.into_response()
        }
        _ => (StatusCode::BAD_REQUEST, "chat_id, fault").into_response(),
    }
}

fn refused(code: u16, text: &str) -> Response {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST);
    (status, Json(json!({ "ok": false, "error_code": code, "description": text }))).into_response()
}

fn accepted(result: &Value) -> Response {
    Json(json!({ "ok": true, "result": result })).into_response()
}

async fn call(
    State(fake): State<FakeTelegram>,
    Path((bot, method)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if bot.strip_prefix("bot") != Some(&fake.token) {
        return refused(401, "Unauthorized");
    }
    if fake.inner().down {
        fake.inner().turned_away += 1;
        return (StatusCode::BAD_GATEWAY, "<html>502</html>").into_response();
    }
    let method = method.to_lowercase();
    fake.inner().calls.push(method.clone());
    let fields = match fields(&headers, &body) {
        Ok(fields) => fields,
        Err(fault) => return refused(400, &fault),
    };
    let known: &[&str] = match method.as_str() {
        "sendmessage" => &["chat_id", "text", "reply_markup", "link_preview_options"],
        "editmessagetext" => &["chat_id", "message_id", "text", "reply_markup", "link_preview_options"],
        "editmessagereplymarkup" => &["chat_id", "message_id", "reply_markup"],
        "answercallbackquery" => &["callback_query_id", "text", "show_alert"],
        "getupdates" => &["offset", "limit", "timeout", "allowed_updates"],
        "setwebhook" => &["url", "secret_token", "allowed_updates", "max_connections", "drop_pending_updates"],
        "deletewebhook" => &["drop_pending_updates"],
        "setmycommands" => &["commands", "language_code"],
        "getme" => &[],
        _ => return refused(404, "Not Found"),
    };
    if let Some(unknown) = fields.keys().find(|key| !known.contains(&key.as_str())) {
        return refused(400, &format!("Bad Request: field \"{unknown}\" is not known to this test"));
    }
    if let Some(answer) = fake.meet_fault(&fields).await {
        return answer;
    }
    match method.as_str() {
        "sendmessage" => fake.send_message(&fields),
        "editmessagetext" | "editmessagereplymarkup" => fake.edit_message(&fields),
        "answercallbackquery" => fake.answer_press(&fields),
        "getupdates" => fake.get_updates(&fields).await,
        "setwebhook" => fake.set_webhook(&fields),
        "deletewebhook" => {
            fake.inner().webhook = None;
            accepted(&json!(true))
        }
        "setmycommands" => set_commands(&fields),
        _ => accepted(&json!({ "id": 1, "is_bot": true, "first_name": "Lyhörd", "username": "lyhord_bot",
            "can_join_groups": false, "can_read_all_group_messages": false, "supports_inline_queries": false,
            "can_connect_to_business": false, "has_main_web_app": false })),
    }
}

/// The fields of a call, from JSON or from a multipart form (which teloxide uses for `setWebhook`).
fn fields(headers: &HeaderMap, body: &Bytes) -> Result<Fields, String> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    if let Some((_, boundary)) = kind.split_once("boundary=") {
        let text = String::from_utf8_lossy(body);
        let part = |part: &str| {
            let (head, value) = part.split_once("\r\n\r\n")?;
            let name = head.split_once("name=\"")?.1.split_once('"')?.0;
            Some((name.to_owned(), Value::String(value.trim_end_matches("\r\n").to_owned())))
        };
        return Ok(text.split(&format!("--{}", boundary.trim_matches('"'))).filter_map(part).collect());
    }
    if body.is_empty() {
        return Ok(Fields::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        _ => Err("Bad Request: can't parse JSON object".to_owned()),
    }
}

impl FakeTelegram {
    async fn meet_fault(&self, fields: &Fields) -> Option<Response> {
        let chat = fields.get("chat_id")?.as_i64()?;
        let fault = self.inner().faults.get_mut(&chat)?.pop_front()?;
        Some(match fault {
            Fault::TooMany(seconds) => (
                StatusCode::TOO_MANY_REQUESTS,
                Json(json!({ "ok": false, "error_code": 429, "parameters": { "retry_after": seconds },
                    "description": format!("Too Many Requests: retry after {seconds}") })),
            )
                .into_response(),
            Fault::Blocked => refused(403, "Forbidden: bot was blocked by the user"),
            Fault::Migrated(to) => (
                StatusCode::BAD_REQUEST,
                Json(json!({ "ok": false, "error_code": 400, "parameters": { "migrate_to_chat_id": to },
                    "description": "Bad Request: group chat was upgraded to a supergroup chat" })),
            )
                .into_response(),
            Fault::ServerError => (StatusCode::BAD_GATEWAY, "<html>502</html>").into_response(),
            Fault::Garbage => "<html>hello</html>".into_response(),
            Fault::Hang => std::future::pending().await,
        })
    }

    fn check(&self, fields: &Fields) -> Result<(i64, Labelled), Box<Response>> {
        let no = |text: &str| Box::new(refused(400, text));
        let chat = fields.get("chat_id").and_then(Value::as_i64).ok_or_else(|| no("Bad Request: chat_id is empty"))?;
        if !self.inner().chats.contains(&chat) {
            return Err(no("Bad Request: chat not found"));
        }
        if let Some(text) = fields.get("text") {
            let length = text.as_str().unwrap_or("").encode_utf16().count();
            if length == 0 {
                return Err(no("Bad Request: message text is empty"));
            }
            if length > 4096 {
                return Err(no("Bad Request: message is too long"));
            }
        }
        let mut buttons = Vec::new();
        let rows = fields.get("reply_markup").and_then(|markup| markup["inline_keyboard"].as_array());
        for button in rows.into_iter().flatten().filter_map(Value::as_array).flatten() {
            let label = button["text"].as_str().filter(|label| !label.is_empty());
            let label = label.ok_or_else(|| no("Bad Request: can't parse inline keyboard button"))?;
            let target = match (button["callback_data"].as_str(), button["url"].as_str()) {
                (Some(data), None) if (1..=64).contains(&data.len()) => data,
                (None, Some(url)) if url.split('/').nth(2).is_some_and(|host| host.contains('.')) => url,
                (None, Some(_)) => {
                    return Err(no("Bad Request: inline keyboard button URL is invalid: Wrong HTTP URL"));
                }
                _ => return Err(no("Bad Request: BUTTON_DATA_INVALID")),
            };
            buttons.push((label.to_owned(), target.to_owned()));
        }
        Ok((chat, buttons))
    }

    fn send_message(&self, fields: &Fields) -> Response {
        let (chat_id, buttons) = match self.check(fields) {
            Ok(checked) => checked,
            Err(refusal) => return *refusal,
        };
        let Some(text) = fields.get("text").and_then(Value::as_str) else {
            return refused(400, "Bad Request: message text is empty");
        };
        let preview = fields.get("link_preview_options").is_none_or(|options| options["is_disabled"] != json!(true));
        let mut inner = self.inner();
        inner.last_message += 1;
        let sent = Sent { chat_id, message_id: inner.last_message, text: text.to_owned(), buttons, edits: 0, preview };
        inner.sent.push(sent.clone());
        accepted(&shown(&sent))
    }

    fn edit_message(&self, fields: &Fields) -> Response {
        let (chat, buttons) = match self.check(fields) {
            Ok(checked) => checked,
            Err(refusal) => return *refusal,
        };
        let id = fields.get("message_id").and_then(Value::as_i64);
        let mut inner = self.inner();
        let Some(sent) = inner.sent.iter_mut().find(|sent| sent.chat_id == chat && Some(sent.message_id) == id) else {
            return refused(400, "Bad Request: message to edit not found");
        };
        let text = fields.get("text").and_then(Value::as_str).unwrap_or(&sent.text).to_owned();
        if text == sent.text && buttons == sent.buttons {
            return refused(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are exactly the \
                 same as a current content and reply markup of the message",
            );
        }
        sent.text = text;
        sent.buttons = buttons;
        sent.edits += 1;
        accepted(&shown(sent))
    }

    fn answer_press(&self, fields: &Fields) -> Response {
        let id = fields.get("callback_query_id").and_then(Value::as_str).unwrap_or("").to_owned();
        let text = fields.get("text").and_then(Value::as_str).unwrap_or("").to_owned();
        if text.chars().count() > 200 {
            return refused(400, "Bad Request: MESSAGE_TOO_LONG");
        }
        let mut inner = self.inner();
        if !id.starts_with("callback-") || inner.answers.iter().any(|(answered, _)| *answered == id) {
            return refused(400, "Bad Request: query is too old and response timeout expired or query id is invalid");
        }
        inner.answers.push((id, text));
        accepted(&json!(true))
    }

    /// Forgets what lies before `offset`, and waits for news as long as the caller asks.
    async fn get_updates(&self, fields: &Fields) -> Response {
        let number = |key: &str| fields.get(key).and_then(Value::as_i64);
        let offset = number("offset").unwrap_or(0);
        let wait = Duration::from_secs(u64::try_from(number("timeout").unwrap_or(0)).unwrap_or(0).min(50));
        let limit = usize::try_from(number("limit").unwrap_or(100)).unwrap_or(100).clamp(1, 100);
        if self.inner().webhook.is_some() {
            return refused(409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook");
        }
        {
            let mut inner = self.inner();
            while inner.updates.front().is_some_and(|(id, _)| *id < offset) {
                let gone = inner.updates.pop_front();
                inner.forgotten.extend(gone);
            }
        }
        let news = self.news.notified();
        if self.inner().updates.is_empty() {
            let _ = tokio::time::timeout(wait, news).await;
        }
        let found: Vec<Value> = self.inner().updates.iter().take(limit).map(|(_, update)| update.clone()).collect();
        accepted(&json!(found))
    }

    fn set_webhook(&self, fields: &Fields) -> Response {
        let text = |key: &str| fields.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
        let (url, secret) = (text("url"), text("secret_token"));
        // Telegram takes https only; a test's own server has no certificate and no dot in its name.
        let host = url.strip_prefix("http://").and_then(|rest| rest.split([':', '/']).next()).unwrap_or("");
        let local = host == "127.0.0.1" || (!host.is_empty() && !host.contains('.'));
        if !url.starts_with("https://") && !local {
            return refused(400, "Bad Request: bad webhook: HTTPS url must be provided for webhook");
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if secret.is_empty() || secret.len() > 256 || !secret.chars().all(fits) {
            return refused(400, "Bad Request: secret token contains unallowed characters");
        }
        self.inner().webhook = Some((url, secret));
        accepted(&json!(true))
    }
}

fn set_commands(fields: &Fields) -> Response {
    let commands = fields.get("commands").and_then(Value::as_array).cloned().unwrap_or_default();
    let fits = |command: &Value| {
        let name = command["command"].as_str().unwrap_or("");
        let told = command["description"].as_str().unwrap_or("").chars().count();
        (1..=32).contains(&name.len())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            && (1..=256).contains(&told)
    };
    if commands.len() > 100 || !commands.iter().all(fits) {
        return refused(400, "Bad Request: BOT_COMMAND_INVALID");
    }
    accepted(&json!(true))
}
