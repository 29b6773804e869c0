//! The whole conversation with Telegram, against a strict server of our own.

use std::sync::Mutex;

use super::*;
use crate::chat::fake_telegram::{FakeTelegram, Fault, Sent, app};
use crate::chat::hear::tests::Memory;
use crate::chat::tier::tests::{one_case, sample};
use crate::chat::tier::{self, Message, Occasion, Tier};
use crate::chat::wire::serve;
use crate::chat::{Act, Chat, Nonce, Receipt};

const TOKEN: &str = "815:AAfake";
const KARIN: i64 = 4711;
const NONCE: [u8; 16] = [9; 16];

fn account(api_base: Url) -> TelegramAccount {
    TelegramAccount { token: Secret::new(TOKEN), api_base, timeout: Duration::from_millis(400), per_second: 1_000 }
}

fn reminder() -> Message {
    let buttons = Act::ALL.map(|act| (act, Nonce::of(NONCE)));
    tier::message(Tier::C, Occasion::Reminder, &one_case(&sample())).with_buttons(&buttons)
}

async fn server() -> (FakeTelegram, Telegram) {
    let fake = FakeTelegram::new(TOKEN);
    fake.start(KARIN);
    let base = serve(app(fake.clone())).await;
    (fake, Telegram::new(&account(base)).unwrap())
}

async fn say(voice: &Telegram) -> Result<Receipt, SendError> {
    voice.send(&KARIN.to_string(), &reminder(), "key").await
}

#[tokio::test]
async fn a_reminder_arrives_with_its_four_buttons_and_no_preview() {
    let (fake, voice) = server().await;
    let receipt = say(&voice).await.unwrap();
    let sent = fake.sent().remove(0);
    assert_eq!(receipt.external_id, sent.message_id.to_string());
    assert_eq!(sent.text, reminder().text());
    assert!(!sent.preview);
    let labels: Vec<&str> = sent.buttons.iter().map(|(label, _)| label.as_str()).collect();
    assert_eq!(labels, ["Jag tar det", "Påminn mig senare", "Lämna över", "Öppna"]);
    assert_eq!(sent.buttons[3].1, "https://lyhord.ale.se/logga-in");
}

#[tokio::test]
async fn a_message_of_a_higher_tier_never_leaves() {
    let (fake, voice) = server().await;
    for higher in [Tier::A, Tier::B] {
        let message = tier::message(higher, Occasion::Reminder, &one_case(&sample()));
        assert!(matches!(voice.send(&KARIN.to_string(), &message, "key").await, Err(SendError::Never(_))));
    }
    assert!(fake.calls().is_empty());
}

#[tokio::test]
async fn too_many_requests_is_later_and_silences_the_whole_voice() {
    let (fake, voice) = server().await;
    fake.fault(KARIN, Fault::TooMany(30));
    let wait = Some(Duration::from_secs(30));
    assert_eq!(say(&voice).await, Err(SendError::Later { retry_after: wait }));
    let next = voice.send("99", &reminder(), "other").await;
    assert!(matches!(next, Err(SendError::Later { retry_after: Some(_) })), "{next:?}");
    assert_eq!(fake.calls().len(), 1, "nobody is asked while Telegram wants silence");
}

#[tokio::test]
async fn an_edit_costs_a_token_as_a_message_does() {
    let (fake, voice) = server().await;
    let receipt = say(&voice).await.unwrap();
    let early = voice.edit(&KARIN.to_string(), &receipt.external_id, &reminder(), "key").await;
    let Err(SendError::Later { retry_after: Some(wait) }) = early else { panic!("let through: {early:?}") };
    assert!(wait <= Duration::from_secs(1), "{wait:?}");
    assert_eq!((fake.calls().len(), fake.sent()[0].edits), (1, 0), "Telegram was not asked");
}

#[tokio::test]
async fn a_blocked_bot_is_never_and_says_why_without_an_address() {
    let (fake, voice) = server().await;
    fake.fault(KARIN, Fault::Blocked);
    assert_eq!(say(&voice).await, Err(SendError::Never("the person has blocked the bot".into())));
}

#[tokio::test]
async fn no_picture_of_the_voice_or_its_faults_shows_the_token() {
    let unreachable = account("http://127.0.0.1:1/".parse().unwrap());
    let voice = Telegram::new(&unreachable).unwrap();
    let fault = say(&voice).await.unwrap_err();
    let shown = format!("{voice:?} {unreachable:?} {fault:?} {fault}");
    assert!(!shown.contains("AAfake"), "{shown}");
}

#[tokio::test]
async fn an_unknown_chat_and_a_wrong_token_are_never() {
    let (fake, voice) = server().await;
    let unknown = voice.send("5", &reminder(), "key").await;
    assert_eq!(unknown, Err(SendError::Never("the chat does not exist".into())));
    let base = serve(app(fake)).await;
    let stranger = Telegram::new(&TelegramAccount { token: Secret::new("1:wrong"), ..account(base) }).unwrap();
    assert_eq!(say(&stranger).await, Err(SendError::OutOfOrder("Telegram does not know the bot's token".into())));
}

#[tokio::test]
async fn a_migrated_chat_tells_its_new_address() {
    let (fake, voice) = server().await;
    fake.fault(KARIN, Fault::Migrated(-10_077));
    assert_eq!(say(&voice).await, Err(SendError::Moved { to: "-10077".into() }));
}

#[tokio::test]
async fn a_fault_of_the_server_s_is_later_whatever_it_looks_like() {
    for fault in [Fault::ServerError, Fault::Garbage, Fault::Hang] {
        let (fake, voice) = server().await;
        fake.fault(KARIN, fault.clone());
        assert_eq!(say(&voice).await, Err(SendError::later()), "{fault:?}");
    }
}

#[tokio::test]
async fn when_the_network_comes_back_the_same_voice_goes_on() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let fake = FakeTelegram::new(TOKEN);
    fake.start(KARIN);
    let voice = Telegram::new(&account(format!("http://{address}/").parse().unwrap())).unwrap();
    assert_eq!(say(&voice).await, Err(SendError::later()), "nobody answers");
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let served = app(fake.clone());
    tokio::spawn(async move { axum::serve(listener, served).await });
    let again = voice.send(&KARIN.to_string(), &reminder(), "key").await;
    let Err(SendError::Later { retry_after: Some(wait) }) = again else { panic!("one a second: {again:?}") };
    assert!(wait <= Duration::from_secs(1));
    fake.start(4712);
    assert!(voice.send("4712", &reminder(), "other").await.is_ok());
    assert_eq!(fake.sent().len(), 1);
}

#[tokio::test]
async fn an_edit_changes_the_message_and_editing_to_the_same_is_no_fault() {
    let (fake, voice) = server().await;
    let receipt = say(&voice).await.unwrap();
    let other = Telegram::new(&account(serve(app(fake.clone())).await)).unwrap();
    let done = tier::message(Tier::C, Occasion::Reminder, &one_case(&sample()));
    assert_eq!(other.edit(&KARIN.to_string(), &receipt.external_id, &done, "k").await, Ok(receipt.clone()));
    assert_eq!(fake.sent()[0].buttons.len(), 1, "only the link is left");
    let third = Telegram::new(&account(serve(app(fake.clone())).await)).unwrap();
    assert_eq!(third.edit(&KARIN.to_string(), &receipt.external_id, &done, "k").await, Ok(receipt));
    assert_eq!(fake.sent()[0].edits, 1);
    let fourth = Telegram::new(&account(serve(app(fake)).await)).unwrap();
    let gone = fourth.edit(&KARIN.to_string(), "999", &done, "k").await;
    assert_eq!(gone, Err(SendError::Never("the message can no longer be changed".into())));
}

/// Answers with what was said, and remembers it.
#[derive(Default, Clone)]
struct Echo(Arc<Mutex<Vec<String>>>);

impl Hear for Echo {
    async fn pressed(&self, speaker: &Speaker, act: Act, nonce: &Nonce) -> Answer {
        self.0.lock().unwrap().push(format!("{} {} {}", speaker.once, speaker.address, act.slug()));
        assert_eq!(*nonce, Nonce::of(NONCE));
        Answer::done("Tack! Ärende 1042 är nu ditt.")
    }

    async fn said(&self, speaker: &Speaker, text: &str) -> Answer {
        self.0.lock().unwrap().push(format!("{} {} {text}", speaker.once, speaker.address));
        if text == "/trög" {
            std::future::pending::<()>().await;
        }
        Answer::keep(format!("Du skrev {text}"))
    }
}

async fn ear() -> (FakeTelegram, Arc<TelegramEar<Echo>>, Echo) {
    let fake = FakeTelegram::new(TOKEN);
    fake.start(KARIN);
    let account = account(serve(app(fake.clone())).await);
    let voice = Arc::new(Telegram::new(&account).unwrap());
    let echo = Echo::default();
    let ear = Arc::new(TelegramEar::new(&account, voice, echo.clone()).unwrap());
    (fake, ear, echo)
}

async fn reminded(fake: &FakeTelegram, ear: &TelegramEar<Echo>) -> Sent {
    say(&ear.voice).await.unwrap();
    fake.sent().remove(0)
}

#[tokio::test]
async fn a_press_is_answered_and_its_buttons_are_taken_away() {
    let (fake, ear, echo) = ear().await;
    let sent = reminded(&fake, &ear).await;
    let callback = fake.press(KARIN, KARIN, sent.message_id, "Jag tar det").unwrap();
    assert_eq!(ear.round(&Memory::default(), Duration::ZERO).await, Ok(1));
    assert_eq!(fake.answers(), [(callback, "Tack! Ärende 1042 är nu ditt.".to_owned())]);
    let labels: Vec<String> = fake.sent()[0].buttons.iter().map(|(label, _)| label.clone()).collect();
    assert_eq!(labels, ["Öppna"]);
    assert_eq!(*echo.0.lock().unwrap(), ["telegram:update:1 4711 ta"]);
}

#[tokio::test]
async fn a_press_with_forged_data_reaches_nobody() {
    let (fake, ear, echo) = ear().await;
    let sent = reminded(&fake, &ear).await;
    fake.press_data(KARIN, &sent, "ta:1042");
    ear.round(&Memory::default(), Duration::ZERO).await.unwrap();
    assert!(echo.0.lock().unwrap().is_empty());
    assert!(fake.answers()[0].1.contains("Inget har ändrats"));
}

#[tokio::test]
async fn the_presser_counts_and_not_the_chat_she_presses_in() {
    let (fake, ear, echo) = ear().await;
    let sent = reminded(&fake, &ear).await;
    fake.press(66, KARIN, sent.message_id, "Lämna över").unwrap();
    ear.round(&Memory::default(), Duration::ZERO).await.unwrap();
    assert_eq!(*echo.0.lock().unwrap(), ["telegram:update:1 66 lamna"]);
}

#[tokio::test]
async fn what_is_said_in_private_is_answered_and_in_a_group_it_is_not() {
    let (fake, ear, echo) = ear().await;
    fake.say(KARIN, "/mina");
    fake.say(-5, "/mina");
    assert_eq!(ear.round(&Memory::default(), Duration::ZERO).await, Ok(2));
    assert_eq!(*echo.0.lock().unwrap(), ["telegram:update:1 4711 /mina"]);
    let said: Vec<(i64, String)> = fake.sent().into_iter().map(|sent| (sent.chat_id, sent.text)).collect();
    assert_eq!(said, [(KARIN, "Du skrev /mina".to_owned())]);
}

#[tokio::test]
async fn nothing_is_lost_over_a_restart_and_what_repeats_has_the_same_key() {
    let (fake, ear, echo) = ear().await;
    fake.say(KARIN, "ett");
    let memory = Memory::default();
    *memory.broken.lock().unwrap() = true;
    assert_eq!(ear.round(&memory, Duration::ZERO).await, Err(SendError::later()), "heard, but not kept");
    *memory.broken.lock().unwrap() = false;
    fake.say(KARIN, "två");
    assert_eq!(ear.round(&memory, Duration::ZERO).await, Ok(2));
    assert_eq!(ear.round(&memory, Duration::ZERO).await, Ok(0));
    let heard = echo.0.lock().unwrap().clone();
    assert_eq!(heard, ["telegram:update:1 4711 ett", "telegram:update:1 4711 ett", "telegram:update:2 4711 två"]);
}

#[tokio::test]
async fn a_hearer_that_takes_too_long_is_answered_for_within_three_seconds() {
    let (fake, ear, _) = ear().await;
    fake.say(KARIN, "/trög");
    let memory = Memory::default();
    let round = ear.round(&memory, Duration::ZERO);
    assert_eq!(tokio::time::timeout(Duration::from_secs(3), round).await, Ok(Ok(1)));
    assert_eq!(fake.sent()[0].text, crate::chat::NOT_NOW);
}

#[tokio::test]
async fn nobody_waits_for_a_slow_answer_to_somebody_else() {
    let (fake, ear, _) = ear().await;
    fake.say(KARIN, "/trög");
    for other in 1..=20 {
        fake.say(other, "/mina");
    }
    let memory = Memory::default();
    assert_eq!(tokio::time::timeout(Duration::from_secs(3), ear.round(&memory, Duration::ZERO)).await, Ok(Ok(21)));
    assert_eq!(fake.sent().last().unwrap().chat_id, KARIN, "the slow one is last");
}

#[tokio::test]
async fn the_web_hook_hears_what_telegram_sends_and_nobody_else() {
    let (fake, ear, echo) = ear().await;
    let secret = Secret::new("hemligt_123");
    let hook = serve(Arc::clone(&ear).router("/telegram", secret.clone())).await.join("telegram").unwrap();
    ear.open_webhook(hook.clone(), &secret).await.unwrap();
    fake.say(KARIN, "/hjalp");
    assert_eq!(fake.deliver().await, [200]);
    assert_eq!(fake.deliver().await, Vec::<u16>::new(), "delivered once");
    assert_eq!(*echo.0.lock().unwrap(), ["telegram:update:1 4711 /hjalp"]);
    let client = reqwest::Client::new();
    let body = r#"{"update_id":9,"message":{}}"#;
    for secret in [None, Some("fel")] {
        let mut request = client.post(hook.clone()).body(body);
        if let Some(secret) = secret {
            request = request.header("X-Telegram-Bot-Api-Secret-Token", secret);
        }
        assert_eq!(request.send().await.unwrap().status(), 401);
    }
    let large = "x".repeat(UPDATE_MAX + 1);
    let request = client.post(hook).body(large).header("X-Telegram-Bot-Api-Secret-Token", secret.reveal());
    assert_eq!(request.send().await.unwrap().status(), 413);
    assert_eq!(echo.0.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn the_fake_does_the_same_as_a_process_of_its_own() {
    let (fake, ear, echo) = ear().await;
    let secret = Secret::new("s");
    let hook = serve(Arc::clone(&ear).router("/telegram", secret.clone())).await.join("telegram").unwrap();
    ear.open_webhook(hook, &secret).await.unwrap();
    let control = serve(app(fake)).await;
    let client = reqwest::Client::new();
    let post = |path: &str, body: &str| {
        let request = client.post(control.join(path).unwrap()).header("content-type", "application/json");
        request.body(body.to_owned()).send()
    };
    assert_eq!(post("control/say", r#"{"chat_id":4711,"text":"/mina"}"#).await.unwrap().status(), 200);
    say(&ear.voice).await.unwrap();
    let press = r#"{"chat_id":4711,"message_id":3,"label":"Jag tar det"}"#;
    assert_eq!(post("control/press", press).await.unwrap().status(), 200);
    assert_eq!(echo.0.lock().unwrap().len(), 2);
    let sent = client.get(control.join("control/sent").unwrap()).send().await.unwrap().text().await.unwrap();
    assert!(sent.contains("Du skrev /mina") && sent.contains("Du har 1 ärende"), "{sent}");
    assert_eq!(post("control/fault", r#"{"chat_id":4711,"fault":{"too_many":5}}"#).await.unwrap().status(), 204);
    let (address, buttonless) = (KARIN.to_string(), tier::message(Tier::C, Occasion::Reminder, &one_case(&sample())));
    let edited = Telegram::new(&account(control.clone())).unwrap().edit(&address, "3", &buttonless, "k").await;
    assert_eq!(edited, Err(SendError::Later { retry_after: Some(Duration::from_secs(5)) }));
}

#[tokio::test]
async fn a_poll_begins_by_closing_the_web_hook_and_loses_nothing() {
    let (fake, ear, _) = ear().await;
    ear.open_webhook("https://lyhord.ale.se/telegram".parse().unwrap(), &Secret::new("s")).await.unwrap();
    fake.say(KARIN, "/mina");
    let refused = ear.round(&Memory::default(), Duration::ZERO).await;
    let why = "a web hook is set for the bot, so it cannot be polled";
    assert_eq!(refused, Err(SendError::Never(why.into())), "Telegram allows one or the other");
    ear.open_poll().await.unwrap();
    assert_eq!(ear.round(&Memory::default(), Duration::ZERO).await, Ok(1));
}
