//! The outside judge, against a strict one of our own.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use lyhord::app::App;
use lyhord::classification::external::Endpoint;
use lyhord::classification::opinion::{External, Key, is_asked_about};
use lyhord::classification::{Classification, Classifier as _, Subject};
use lyhord::clock::Clock;
use lyhord::jobs;
use lyhord::journal;
use lyhord::mention::keep_store::NewMention;
use serde_json::{Value, json};

use crate::harness::{ENGINES, at, database};
use crate::running::config;

const SERVICE: &str = "[municipality]\nname = \"Ale kommun\"\ncontact = \"x\"\nbase_url = \"http://localhost/\"\n";
/// Posts of which our own judge is unsure of at least one, each with a person in it.
const UNSURE: [&str; 4] = [
    "Vad tycker ni om det nya på Ale torg? Karin Ek 070-123 45 67",
    "Nu händer det grejer i Älvängen, hälsar Karin Ek 070-123 45 67",
    "Jaha, då var det dags igen i Nödinge. Karin Ek 070-123 45 67",
    "Hej, någon i Nol som vet? Karin Ek 070-123 45 67",
];
const SAYS: &str = r#"{"relevant":"yes","topic":"avfall","intent":"fraga","sentiment":"neu","urgency":"hog"}"#;

/// What the fake does next.
#[derive(Clone, Copy)]
enum Mood {
    Says(&'static str),
    Status(u16),
    Silent,
}

#[derive(Clone)]
struct Fake {
    mood: Arc<Mutex<Mood>>,
    asked: Arc<Mutex<Vec<Value>>>,
}

/// Answers as the protocol says, and only those who ask as it says.
async fn complete(State(fake): State<Fake>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let strict = headers.get("authorization").is_some_and(|key| key == "Bearer hemlig")
        && body["model"] == "domare-1"
        && body["temperature"] == 0
        && body["response_format"]["type"] == "json_object"
        && body["messages"].as_array().is_some_and(|messages| {
            messages.len() == 2 && messages[0]["role"] == "system" && messages[1]["role"] == "user"
        });
    if !strict {
        return StatusCode::BAD_REQUEST.into_response();
    }
    fake.asked.lock().unwrap().push(body);
    let mood = *fake.mood.lock().unwrap();
    match mood {
        Mood::Says(content) => {
            Json(json!({ "choices": [{ "message": { "role": "assistant", "content": content } }] })).into_response()
        }
        Mood::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Mood::Silent => std::future::pending().await,
    }
}

async fn fake(mood: Mood) -> (Fake, External) {
    let fake = Fake { mood: Arc::new(Mutex::new(mood)), asked: Arc::default() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/v1/chat/completions", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/chat/completions", post(complete)).with_state(fake.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let settings = External {
        address: address.parse().unwrap(),
        model: "domare-1".into(),
        key: Some(Key("hemlig".into())),
        timeout: std::time::Duration::from_millis(400),
        dpia: "KS 2026/1".into(),
    };
    (fake, settings)
}

/// The judgement of one post, and what the journal says of it.
async fn judged(app: &App, native_id: &str, text: &str) -> (Classification, Value, String) {
    let now = app.clock.now();
    let mut tx = app.db.write().await.unwrap();
    let named = lyhord::source::store::Named::import();
    let source = lyhord::source::store::the_import(&mut tx, &named, now).await.unwrap();
    let new = NewMention {
        source_id: Some(source),
        channel: "rss",
        native_id,
        kind: "post",
        body: text,
        author: Some("Skribent Skribentsson"),
        authored_at: now,
        seen_at: now,
        hearing: "{}".into(),
        ..NewMention::default()
    };
    let id = crate::harness::kept(&mut tx, new, now).await;
    tx.commit().await.unwrap();
    jobs::classify_mentions::run(app, now).await.unwrap();
    let mut tx = app.db.read().await.unwrap();
    let verdict = lyhord::classification::store::standing(&mut tx, id).await.unwrap().unwrap();
    let entry = journal::latest(&mut tx, i64::MAX, 1).await.unwrap().remove(0);
    (verdict, entry.json(), entry.actor)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outside_judge_is_asked_when_unsure_and_its_failures_leave_us_with_our_own() {
    for engine in ENGINES {
        let database = database(engine);
        let (fake, settings) = fake(Mood::Says(SAYS)).await;
        let mut app = App::open(config(SERVICE, "", &database.address), Clock::manual(at(0, 8, 0))).await.unwrap();
        let judge = app.judge();
        let asked_about =
            |text: &str| is_asked_about(&judge.classify(&Subject { text, channel: "rss", ..Subject::default() }));
        let unsure = UNSURE.into_iter().find(|text| asked_about(text)).expect("our own judge is sure of everything");
        let (own, fact, by) = judged(&app, "0", unsure).await;
        assert_eq!((fact.get("external"), by.as_str()), (None, own.by.as_str()), "it is off until it is configured");
        app.external = Some(Endpoint::open(settings).unwrap());

        let (both, fact, by) = judged(&app, "1", unsure).await;
        assert_eq!((fact["external"].as_str(), by.as_str()), (Some("answered"), both.by.as_str()));
        assert!(both.by.ends_with("+domare-1") && both.urgency >= own.urgency);
        let sent = fake.asked.lock().unwrap().pop().unwrap().to_string();
        for personal in ["Karin", "070", "Skribent", "rss"] {
            assert!(!sent.contains(personal), "{personal} was sent");
        }
        judged(&app, "2", "orkar inte leva längre").await;
        judged(&app, "3", "Den som rör min mur får stryk, jag vet var du bor i Nol").await;
        assert!(fake.asked.lock().unwrap().is_empty(), "what only a person should see is not sent");

        let moods = [
            (Mood::Says("Jag tror att det är avfall."), "nonsense"),
            (Mood::Status(429), "busy"),
            (Mood::Status(503), "down"),
            (Mood::Status(401), "refused"),
            (Mood::Silent, "timed-out"),
        ];
        for (n, (mood, reason)) in moods.into_iter().enumerate() {
            *fake.mood.lock().unwrap() = mood;
            app.clock.set(app.clock.now().plus(std::time::Duration::from_mins(6)));
            let (alone, fact, by) = judged(&app, &format!("f{n}"), unsure).await;
            assert_eq!(fact["external"], reason);
            assert_eq!((alone.topic.as_str(), by.as_str()), (own.topic.as_str(), own.by.as_str()), "{reason}");
            assert!(alone.because.last().unwrap().contains("vår egen bedömning gäller"));
        }
        fake.asked.lock().unwrap().clear();
        let (_, fact, _) = judged(&app, "rest", unsure).await;
        assert_eq!(
            (fact["external"].as_str(), fake.asked.lock().unwrap().len()),
            (Some("resting"), 0),
            "it is left alone"
        );
        app.db.close().await;
    }
}
