//! Slack both ways, against a strict workspace of our own.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::{Json, Router, routing};

use super::*;
use crate::chat::slack_listen::{SlackEar, sign};
use crate::chat::tier::tests::{one_case, sample};
use crate::chat::tier::{self, Occasion, Tier};
use crate::chat::{Act, Answer, Hear, Nonce, Speaker};
use crate::clock::{Clock, Time};

const SECRET: &str = "signeringshemlighet";
const NOW: Time = Time(1_764_000_000_000);

/// Every body that was accepted, and every answer to a press.
#[derive(Clone, Default)]
struct Workspace(Arc<Mutex<Vec<(String, Value)>>>);

impl Workspace {
    /// The first `count` bodies, when they have come.
    async fn heard(&self, count: usize) -> Vec<(String, Value)> {
        let enough = async {
            while self.0.lock().unwrap().len() < count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), enough).await.unwrap();
        self.0.lock().unwrap().clone()
    }
}

async fn method(
    State(workspace): State<Workspace>,
    Path(method): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> axum::response::Response {
    let no = |error: &str| Json(json!({ "ok": false, "error": error })).into_response();
    if method == "antwort" {
        workspace.0.lock().unwrap().push((method, body));
        return "ok".into_response();
    }
    if headers.get("authorization").is_none_or(|value| value != "Bearer xoxb-1") {
        return no("invalid_auth");
    }
    let known: &[&str] = match method.as_str() {
        "chat.postMessage" => &["channel", "text", "blocks", "unfurl_links", "unfurl_media", "mrkdwn"],
        "chat.update" => &["channel", "text", "blocks", "ts"],
        _ => return no("unknown_method"),
    };
    if body.as_object().unwrap().keys().any(|key| !known.contains(&key.as_str())) {
        return no("invalid_arguments");
    }
    if method == "chat.postMessage" && (body["unfurl_links"] != false || body["unfurl_media"] != false) {
        return no("this test wants no previews");
    }
    for element in body["blocks"][1]["elements"].as_array().unwrap() {
        let fits = element["type"] == "button" && element["text"]["type"] == "plain_text";
        if !fits || element["value"].as_str().is_some_and(|value| value.len() > 2_000) {
            return no("invalid_blocks");
        }
    }
    match body["channel"].as_str().unwrap() {
        "UFULL" => return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "30")]).into_response(),
        "UGONE" => return no("channel_not_found"),
        "UODD" => return no("something_new"),
        "UBAD" => return no("internal_error"),
        _ => {}
    }
    workspace.0.lock().unwrap().push((method, body));
    Json(json!({ "ok": true, "channel": "D024", "ts": "1764000000.000100" })).into_response()
}

async fn workspace() -> (Workspace, Arc<Slack>) {
    let workspace = Workspace::default();
    let app = Router::new().route("/api/{method}", routing::post(method)).with_state(workspace.clone());
    let account = SlackAccount {
        token: Secret::new("xoxb-1"),
        signing_secret: Secret::new(SECRET),
        api_base: wire::serve(app).await.join("api/").unwrap(),
        timeout: Duration::from_secs(5),
    };
    (workspace, Arc::new(Slack::new(&account).unwrap()))
}

fn reminder() -> Message {
    tier::message(Tier::B, Occasion::Reminder, &one_case(&sample())).with_buttons(&[(Act::Take, Nonce::of([1; 16]))])
}

#[tokio::test]
async fn a_message_has_blocks_and_its_receipt_is_enough_to_change_it() {
    let (workspace, slack) = workspace().await;
    let receipt = slack.send("U1", &reminder(), "k").await.unwrap();
    assert_eq!(receipt.external_id, "D024:1764000000.000100");
    assert_eq!(slack.edit("U1", &receipt.external_id, &reminder(), "k").await, Ok(receipt));
    let calls = workspace.0.lock().unwrap().clone();
    assert_eq!(calls[0].1["blocks"][1]["elements"][0]["value"], Nonce::of([1; 16]).as_str());
    assert_eq!((calls[1].0.as_str(), &calls[1].1["ts"]), ("chat.update", &json!("1764000000.000100")));
}

#[tokio::test]
async fn what_slack_says_with_status_200_is_still_understood() {
    let (_, slack) = workspace().await;
    assert_eq!(slack.send("UGONE", &reminder(), "k").await, Err(SendError::Never("the channel does not exist".into())));
    assert_eq!(slack.send("UODD", &reminder(), "k").await, Err(SendError::Never("Slack refused the message".into())));
    assert_eq!(slack.send("UBAD", &reminder(), "k").await, Err(SendError::later()));
    let wait = Some(Duration::from_secs(30));
    assert_eq!(slack.send("UFULL", &reminder(), "k").await, Err(SendError::Later { retry_after: wait }));
    assert!(matches!(slack.send("U2", &reminder(), "k").await, Err(SendError::Later { retry_after: Some(_) })));
}

#[tokio::test]
async fn an_edit_costs_a_token_as_a_message_does() {
    let (workspace, slack) = workspace().await;
    slack.bucket.take("D024").await.unwrap();
    let early = slack.edit("U1", "D024:1764000000.000100", &reminder(), "k").await;
    let Err(SendError::Later { retry_after: Some(wait) }) = early else { panic!("let through: {early:?}") };
    assert!(wait <= PER_CHANNEL, "{wait:?}");
    slack.bucket.take("U1").await.unwrap();
    let early = slack.send("U1", &reminder(), "k").await;
    assert!(matches!(early, Err(SendError::Later { retry_after: Some(_) })), "{early:?}");
    assert!(workspace.0.lock().unwrap().is_empty(), "Slack was not asked");
}

/// Hears, and remembers.
#[derive(Clone, Default)]
struct Echo(Arc<Mutex<Vec<String>>>);

impl Hear for Echo {
    async fn pressed(&self, speaker: &Speaker, act: Act, _: &Nonce) -> Answer {
        self.0.lock().unwrap().push(format!("{} {}", speaker.address, act.slug()));
        Answer::done("Tack!")
    }

    async fn said(&self, speaker: &Speaker, text: &str) -> Answer {
        self.0.lock().unwrap().push(format!("{} {text}", speaker.address));
        Answer::keep("Hört")
    }
}

struct Hook {
    url: Url,
    echo: Echo,
    workspace: Workspace,
    slack: Arc<Slack>,
}

async fn hook() -> Hook {
    let (workspace, slack) = workspace().await;
    let echo = Echo::default();
    let ear = Arc::new(SlackEar::new(Arc::clone(&slack), echo.clone(), Clock::manual(NOW)));
    let url = wire::serve(ear.router("/slack")).await.join("slack").unwrap();
    Hook { url, echo, workspace, slack }
}

async fn post_signed(hook: &Hook, body: &str, secret: &str, stamp: i64) -> reqwest::Response {
    reqwest::Client::new()
        .post(hook.url.clone())
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-slack-request-timestamp", stamp.to_string())
        .header("x-slack-signature", sign(secret, stamp, body))
        .body(body.to_owned())
        .send()
        .await
        .unwrap()
}

fn press(hook: &Hook, response_url: &str) -> String {
    let message = post("U1", &reminder());
    let payload = json!({
        "type": "block_actions", "user": { "id": "U1" }, "trigger_id": "t1", "response_url": response_url,
        "actions": [{ "action_id": "ta", "value": Nonce::of([1; 16]).as_str(), "action_ts": "1" }],
        "message": { "text": "x", "blocks": message["blocks"] }, "api": hook.slack.account().api_base.as_str(),
    });
    url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish()
}

#[tokio::test]
async fn a_signed_press_is_heard_answered_to_the_presser_and_its_buttons_go() {
    let hook = hook().await;
    let answer = hook.slack.account().api_base.join("antwort").unwrap();
    let body = press(&hook, answer.as_str());
    assert_eq!(post_signed(&hook, &body, SECRET, NOW.0 / 1_000).await.status(), 200);
    assert_eq!(*hook.echo.0.lock().unwrap(), ["U1 ta"]);
    let told = hook.workspace.heard(2).await;
    assert_eq!(told[0].1, json!({ "response_type": "ephemeral", "replace_original": false, "text": "Tack!" }));
    let left = told[1].1["blocks"][1]["elements"].as_array().unwrap();
    assert_eq!((left.len(), &left[0]["action_id"]), (1, &json!("oppna")));
}

#[tokio::test]
async fn a_press_without_slack_s_signature_or_an_old_one_is_not_read() {
    let hook = hook().await;
    let body = press(&hook, "https://hooks.slack.com/x");
    assert_eq!(post_signed(&hook, &body, "fel", NOW.0 / 1_000).await.status(), 401);
    assert_eq!(post_signed(&hook, &body, SECRET, NOW.0 / 1_000 - 301).await.status(), 401);
    assert_eq!(post_signed(&hook, &body, SECRET, NOW.0 / 1_000 + 301).await.status(), 401);
    assert!(hook.echo.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_answer_is_never_posted_to_somebody_else_s_address() {
    let hook = hook().await;
    let (other, _) = workspace().await;
    let app = Router::new().route("/api/{method}", routing::post(method)).with_state(other.clone());
    let elsewhere = wire::serve(app).await.join("api/antwort").unwrap();
    let body = press(&hook, elsewhere.as_str());
    assert_eq!(post_signed(&hook, &body, SECRET, NOW.0 / 1_000).await.status(), 200);
    assert_eq!(hook.echo.0.lock().unwrap().len(), 1, "the press counts");
    assert!(other.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_slash_command_is_heard_and_answered_in_the_same_breath() {
    let hook = hook().await;
    let body = "command=%2Flyhord&text=ta+1042&user_id=U1&trigger_id=t9";
    let reply = post_signed(&hook, body, SECRET, NOW.0 / 1_000).await;
    assert_eq!(reply.json::<Value>().await.unwrap(), json!({ "response_type": "ephemeral", "text": "Hört" }));
    assert_eq!(*hook.echo.0.lock().unwrap(), ["U1 /ta 1042"]);
}
