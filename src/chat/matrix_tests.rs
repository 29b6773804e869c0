//! Matrix both ways, against a strict home server of our own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};

use super::*;
use crate::chat::hear::tests::Memory;
use crate::chat::matrix_listen::MatrixEar;
use crate::chat::tier::tests::{one_case, sample};
use crate::chat::tier::{self, Occasion, Tier};
use crate::chat::{Answer, Hear, Nonce, Speaker};

const ME: &str = "@lyhord:ale.se";
const KARIN: &str = "@karin:ale.se";

#[derive(Default)]
struct Rooms {
    direct: Value,
    made: Vec<String>,
    joined: Vec<String>,
    /// By transaction: event id and content.
    events: BTreeMap<String, (String, Value)>,
    sync: Vec<Value>,
    members: usize,
    busy: bool,
}

#[derive(Clone, Default)]
struct Home(Arc<Mutex<Rooms>>);

fn no(status: u16, code: &str) -> Response {
    let body = Json(json!({ "errcode": code, "error": "no", "retry_after_ms": 1500 }));
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

async fn serve_matrix(State(home): State<Home>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    if headers.get("authorization").is_none_or(|value| value != "Bearer syt") {
        return no(401, "M_UNKNOWN_TOKEN");
    }
    let parts: Vec<String> = uri
        .path()
        .split('/')
        .map(|part| {
            url::form_urlencoded::parse(format!("x={}", part.replace('+', "%2B")).as_bytes())
                .next()
                .unwrap()
                .1
                .into_owned()
        })
        .collect();
    let path: Vec<&str> = parts.iter().map(String::as_str).collect();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut rooms = home.0.lock().unwrap();
    if std::mem::take(&mut rooms.busy) {
        return no(429, "M_LIMIT_EXCEEDED");
    }
    match (method.as_str(), path.get(4..).unwrap_or_default()) {
        ("GET", ["user", ME, "account_data", "m.direct"]) if rooms.direct.is_null() => no(404, "M_NOT_FOUND"),
        ("GET", ["user", ME, "account_data", "m.direct"]) => Json(rooms.direct.clone()).into_response(),
        ("PUT", ["user", ME, "account_data", "m.direct"]) => {
            rooms.direct = body;
            Json(json!({})).into_response()
        }
        ("POST", ["createRoom"]) if body["is_direct"] == true && body["invite"] == json!([KARIN]) => {
            rooms.made.push("!d:ale.se".into());
            Json(json!({ "room_id": "!d:ale.se" })).into_response()
        }
        ("POST", ["join", room]) => {
            rooms.joined.push((*room).to_owned());
            Json(json!({ "room_id": room })).into_response()
        }
        ("GET", ["rooms", "!secret:ale.se", "state", "m.room.encryption"]) => {
            Json(json!({ "algorithm": "m.megolm.v1.aes-sha2" })).into_response()
        }
        ("GET", ["rooms", _, "state", "m.room.encryption"]) => no(404, "M_NOT_FOUND"),
        ("PUT", ["rooms", "!out:ale.se", "send", "m.room.message", _]) => no(403, "M_FORBIDDEN"),
        ("PUT", ["rooms", _, "send", "m.room.message", transaction]) if body["body"].is_string() => {
            let next = format!("$e{}", rooms.events.len() + 1);
            let event = rooms.events.entry((*transaction).to_owned()).or_insert((next, body));
            Json(json!({ "event_id": event.0 })).into_response()
        }
        ("GET", ["rooms", _, "event", id]) => match rooms.events.values().find(|(event, _)| event == id) {
            Some((_, content)) => Json(json!({ "sender": ME, "content": content })).into_response(),
            None => no(404, "M_NOT_FOUND"),
        },
        ("GET", ["rooms", _, "joined_members"]) => {
            let joined: serde_json::Map<String, Value> =
                (0..rooms.members).map(|number| (format!("@{number}:ale.se"), json!({}))).collect();
            Json(json!({ "joined": joined })).into_response()
        }
        ("GET", ["sync"]) if uri.query().is_some_and(|query| query.contains("filter=")) => {
            let since = uri.query().unwrap_or("").split("since=s").nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
            let found = rooms.sync.get(since).cloned().unwrap_or(json!({}));
            let next = if found == json!({}) { since } else { since + 1 };
            Json(json!({ "next_batch": format!("s{next}"), "rooms": found })).into_response()
        }
        _ => no(400, "M_UNRECOGNIZED"),
    }
}

async fn home() -> (Home, Arc<Matrix>) {
    let home = Home::default();
    home.0.lock().unwrap().members = 2;
    let app = Router::new().fallback(serve_matrix).with_state(home.clone());
    let account = MatrixAccount {
        token: Secret::new("syt"),
        user_id: ME.into(),
        api_base: wire::serve(app).await,
        timeout: Duration::from_secs(5),
    };
    (home, Arc::new(Matrix::new(&account).unwrap()))
}

fn reminder() -> Message {
    tier::message(Tier::A, Occasion::Reminder, &one_case(&sample())).with_buttons(&[(Act::Take, Nonce::of([1; 16]))])
}

#[tokio::test]
async fn a_person_gets_one_direct_room_over_restarts_and_a_repeat_is_one_event() {
    let (home, matrix) = home().await;
    let receipt = matrix.send(KARIN, &reminder(), "k").await.unwrap();
    let restarted = Matrix::new(&matrix.account).unwrap();
    assert_eq!(restarted.send(KARIN, &reminder(), "k").await, Ok(receipt));
    let rooms = home.0.lock().unwrap();
    assert_eq!((rooms.made.len(), rooms.events.len()), (1, 1));
    let (_, content) = rooms.events.values().next().unwrap();
    assert!(content["body"].as_str().unwrap().ends_with("Reagera med: 👍 Jag tar det"));
    assert!(content["formatted_body"].as_str().unwrap().contains("<li>Ärende 1042"));
    assert_eq!(content["m.mentions"], json!({}), "nobody is pinged by name");
}

#[tokio::test]
async fn an_edit_replaces_the_first_event() {
    let (home, matrix) = home().await;
    let receipt = matrix.send("!r:ale.se", &reminder(), "k").await.unwrap();
    let other = Matrix::new(&matrix.account).unwrap();
    assert_eq!(other.edit("!r:ale.se", &receipt.external_id, &reminder(), "k2").await, Ok(receipt));
    let rooms = home.0.lock().unwrap();
    let replaced = rooms.events.values().find(|(_, content)| content["m.new_content"].is_object()).unwrap();
    assert_eq!(replaced.1["m.relates_to"], json!({ "rel_type": "m.replace", "event_id": "$e1" }));
}

#[tokio::test]
async fn an_encrypted_room_a_closed_one_and_a_strange_address_are_never() {
    let (home, matrix) = home().await;
    let never = |why: &str| Err(SendError::Never(why.to_owned()));
    let encrypted = never("the room is end-to-end encrypted, which the bot cannot do");
    assert_eq!(matrix.send("!secret:ale.se", &reminder(), "k").await, encrypted);
    assert_eq!(matrix.send("!out:ale.se", &reminder(), "k").await, never("the bot is not in the room"));
    assert!(matches!(matrix.send("karin", &reminder(), "k").await, Err(SendError::Never(_))));
    assert!(home.0.lock().unwrap().events.is_empty());
}

#[tokio::test]
async fn too_fast_is_later_with_the_server_s_own_wait() {
    let (home, matrix) = home().await;
    home.0.lock().unwrap().busy = true;
    let busy = matrix.send(KARIN, &reminder(), "k").await;
    assert_eq!(busy, Err(SendError::Later { retry_after: Some(Duration::from_millis(1_500)) }));
    assert!(home.0.lock().unwrap().made.is_empty(), "a busy server is not taken for one without rooms");
    let next = matrix.send("!r:ale.se", &reminder(), "k2").await;
    assert!(matches!(next, Err(SendError::Later { retry_after: Some(_) })), "the whole voice rests: {next:?}");
    assert!(home.0.lock().unwrap().events.is_empty());
}

#[tokio::test]
async fn an_edit_costs_a_token_as_a_message_does() {
    let (home, matrix) = home().await;
    for room in ["!a:ale.se", "!b:ale.se"] {
        matrix.bucket.take(room).await.unwrap();
    }
    let early =
        [matrix.edit("!a:ale.se", "$e1", &reminder(), "k").await, matrix.send("!b:ale.se", &reminder(), "k").await];
    for early in early {
        let Err(SendError::Later { retry_after: Some(wait) }) = early else { panic!("let through: {early:?}") };
        assert!(wait <= PER_ROOM, "{wait:?}");
    }
    assert!(home.0.lock().unwrap().events.is_empty(), "the server was not asked");
}

/// Hears, and remembers.
#[derive(Clone, Default)]
struct Echo(Arc<Mutex<Vec<String>>>);

impl Hear for Echo {
    async fn pressed(&self, speaker: &Speaker, act: Act, nonce: &Nonce) -> Answer {
        assert_eq!(*nonce, Nonce::of([1; 16]));
        self.0.lock().unwrap().push(format!("{} {} {}", speaker.once, speaker.address, act.slug()));
        Answer::done("Tack!")
    }

    async fn said(&self, speaker: &Speaker, text: &str) -> Answer {
        self.0.lock().unwrap().push(format!("{} {} {text}", speaker.once, speaker.address));
        if text == "/trög" {
            std::future::pending::<()>().await;
        }
        Answer::keep("Hört")
    }
}

fn event(id: &str, sender: &str, kind: &str, content: &Value) -> Value {
    json!({ "event_id": id, "sender": sender, "type": kind, "content": content })
}

fn text(id: &str, sender: &str, body: &str) -> Value {
    event(id, sender, "m.room.message", &json!({ "msgtype": "m.text", "body": body }))
}

fn joined(events: &[Value]) -> Value {
    json!({ "join": { "!r:ale.se": { "timeline": { "events": events } } } })
}

/// An ear with a reminder in the room and a place to go on from.
async fn ear() -> (Home, MatrixEar<Echo>, Echo, Memory) {
    let (home, matrix) = home().await;
    matrix.send("!r:ale.se", &reminder(), "k").await.unwrap();
    let echo = Echo::default();
    let ear = MatrixEar::new(matrix, echo.clone()).unwrap();
    let memory = Memory::default();
    assert_eq!(ear.round(&memory, Duration::ZERO).await, Ok(0));
    (home, ear, echo, memory)
}

#[tokio::test]
async fn a_reaction_and_a_reply_to_our_event_are_presses_and_are_answered_once() {
    let (home, ear, echo, memory) = ear().await;
    let to = |key: &str| json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": "$e1", "key": key } });
    let reply = json!({ "msgtype": "m.text", "body": "> <@lyhord:ale.se> Du har\n\nJag tar det!",
                        "m.relates_to": { "m.in_reply_to": { "event_id": "$e1" } } });
    home.0.lock().unwrap().sync = vec![joined(&[
        event("$a", KARIN, "m.reaction", &to("👍🏽")),
        event("$b", KARIN, "m.room.message", &reply),
        event("$c", KARIN, "m.reaction", &to("🎉")),
        event("$d", ME, "m.reaction", &to("👍")),
    ])];
    *memory.broken.lock().unwrap() = true;
    assert_eq!(ear.round(&memory, Duration::ZERO).await, Err(SendError::later()), "heard, but not kept");
    *memory.broken.lock().unwrap() = false;
    assert_eq!(ear.round(&memory, Duration::ZERO).await, Ok(2));
    assert_eq!(ear.round(&memory, Duration::ZERO).await, Ok(0));
    let heard = echo.0.lock().unwrap().clone();
    let twice = ["matrix:$a @karin:ale.se ta", "matrix:$b @karin:ale.se ta"];
    assert_eq!(heard, [twice, twice].concat(), "repeated with the same key");
    assert_eq!(home.0.lock().unwrap().events.len(), 3, "the reminder and one answer to each press");
}

#[tokio::test]
async fn a_reaction_to_somebody_else_s_event_is_nothing_to_us() {
    let (home, ear, echo, memory) = ear().await;
    let about = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": "$theirs", "key": "👍" } });
    home.0.lock().unwrap().sync = vec![joined(&[event("$a", KARIN, "m.reaction", &about)])];
    assert_eq!(ear.round(&memory, Duration::ZERO).await, Ok(0));
    assert!(echo.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn commands_are_heard_in_direct_rooms_only_and_chatter_nowhere() {
    let (home, ear, echo, memory) = ear().await;
    home.0.lock().unwrap().sync = vec![
        joined(&[text("$a", KARIN, "!ta 1042"), text("$b", KARIN, "hej på dig")]),
        joined(&[text("$c", KARIN, "!mina")]),
    ];
    assert_eq!(ear.round(&memory, Duration::ZERO).await, Ok(1));
    home.0.lock().unwrap().members = 3;
    assert_eq!(ear.round(&memory, Duration::ZERO).await, Ok(0));
    assert_eq!(*echo.0.lock().unwrap(), ["matrix:$a @karin:ale.se /ta 1042"]);
}

#[tokio::test]
async fn a_hearer_that_takes_too_long_is_answered_for_within_three_seconds() {
    let (home, ear, _, memory) = ear().await;
    home.0.lock().unwrap().sync = vec![joined(&[text("$a", KARIN, "!trög")])];
    let round = ear.round(&memory, Duration::ZERO);
    assert_eq!(tokio::time::timeout(Duration::from_secs(3), round).await, Ok(Ok(1)));
    let rooms = home.0.lock().unwrap();
    let said: Vec<&Value> = rooms.events.values().map(|(_, content)| &content["body"]).collect();
    assert!(said.contains(&&json!(crate::chat::NOT_NOW)), "{said:?}");
}

#[tokio::test]
async fn an_invitation_is_taken_from_our_own_server_only() {
    let (home, ear, _, memory) = ear().await;
    let invited = |by: &str| {
        json!({ "invite_state": { "events": [
            { "type": "m.room.member", "state_key": ME, "sender": by, "content": { "membership": "invite" } }] } })
    };
    home.0.lock().unwrap().sync =
        vec![json!({ "invite": { "!a:ale.se": invited(KARIN), "!b:evil.se": invited("@karin:evil.se") } })];
    ear.round(&memory, Duration::ZERO).await.unwrap();
    assert_eq!(home.0.lock().unwrap().joined, ["!a:ale.se"]);
}

#[tokio::test]
async fn what_was_said_before_the_first_sync_was_not_said_to_us() {
    let (home, matrix) = home().await;
    home.0.lock().unwrap().sync = vec![joined(&[text("$a", KARIN, "!mina")])];
    let echo = Echo::default();
    let ear = MatrixEar::new(matrix, echo.clone()).unwrap();
    assert_eq!(ear.round(&Memory::default(), Duration::ZERO).await, Ok(0));
    assert!(echo.0.lock().unwrap().is_empty());
}
