//! What Mattermost posts to us: presses, proved by the seal in the button's context, and the command `/lyhord`, proved
//! by the token that the server made for it.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Form, Json, Router};
use serde_json::json;

use super::bind::Code;
use super::hear::{Hear, in_time};
use super::mattermost::{Mattermost, PERSON};
use super::{Buttons, Channel, Nonce, Speaker};

/// The largest request that is read; ours are under a kilobyte.
const BODY_MAX: usize = 32 * 1024;
/// What stands after the path of presses for commands.
pub const COMMAND: &str = "/kommando";

/// A press, as far as we read it.
#[derive(serde::Deserialize)]
struct Pressed {
    user_id: String,
    post_id: String,
    context: Context,
}

#[derive(serde::Deserialize)]
struct Context {
    act: String,
    nonce: String,
    seal: String,
}

/// A command, as far as we read it.
#[derive(serde::Deserialize)]
struct Commanded {
    token: String,
    user_id: String,
    text: String,
    #[serde(default)]
    trigger_id: String,
}

type Ear<H> = (Arc<Mattermost>, Arc<H>);

/// The routes that the server posts to: presses at `path`, commands behind it.
pub fn router<H: Hear>(voice: Arc<Mattermost>, hear: H, path: &str) -> Router {
    Router::new()
        .route(path, post(pressed::<H>))
        .route(&format!("{path}{COMMAND}"), post(commanded::<H>))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state((voice, Arc::new(hear)))
}

async fn pressed<H: Hear>(State((voice, hear)): State<Ear<H>>, Json(pressed): Json<Pressed>) -> Response {
    let context = &pressed.context;
    let Some((act, nonce)) = voice.opened(&context.act, &context.nonce, &context.seal) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let once = format!("mattermost:{}:{}:{}", pressed.post_id, pressed.user_id, context.nonce);
    let speaker = Speaker { channel: Channel::Mattermost, address: format!("{PERSON}{}", pressed.user_id), once };
    let answer = in_time(hear.pressed(&speaker, act, &nonce)).await;
    let mut body = json!({ "ephemeral_text": answer.text, "skip_slack_parsing": true });
    if answer.buttons == Buttons::Remove {
        body["update"] = json!({ "message": format!("{}\n{}", answer.text, voice.login()), "props": {} });
    }
    Json(body).into_response()
}

async fn commanded<H: Hear>(State((voice, hear)): State<Ear<H>>, Form(said): Form<Commanded>) -> Response {
    if !voice.account().command_token.as_ref().is_some_and(|token| token.is(&said.token)) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    // Every command has a trigger of its own; one without is not a repeat of another without.
    let trigger = if said.trigger_id.is_empty() { Nonce::random().as_str().to_owned() } else { said.trigger_id };
    let speaker = Speaker {
        channel: Channel::Mattermost,
        address: format!("{PERSON}{}", said.user_id),
        once: format!("mattermost:command:{trigger}"),
    };
    let text = said.text.trim();
    let bare = text.starts_with('/') || Code::parse(text).is_some();
    let text = if bare { text.to_owned() } else { format!("/{text}") };
    let answer = in_time(hear.said(&speaker, &text)).await;
    let body = json!({ "response_type": "ephemeral", "text": answer.text, "skip_slack_parsing": true });
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;

    use super::*;
    use crate::chat::mattermost::MattermostAccount;
    use crate::chat::signed::tests::signer;
    use crate::chat::tier::tests::{one_case, sample};
    use crate::chat::tier::{self, Occasion, Tier};
    use crate::chat::wire::{Secret, serve};
    use crate::chat::{Act, Answer, NOT_NOW};

    const USER: &str = "u1aaaaaaaaaaaaaaaaaaaaaaaa";

    fn voice() -> Arc<Mattermost> {
        let account = MattermostAccount {
            token: Secret::new("t"),
            bot_id: "bot".into(),
            api_base: "http://localhost/".parse().unwrap(),
            press_url: "https://lyhord.ale.se/krok/mattermost".parse().unwrap(),
            command_token: Some(Secret::new("kommandots token")),
            timeout: Duration::from_secs(5),
        };
        Arc::new(Mattermost::new(&account, signer()).unwrap())
    }

    /// Answers a press by the act's name; takes too long for a hand-over.
    struct Echo;

    impl Hear for Echo {
        async fn pressed(&self, speaker: &Speaker, act: Act, _: &Nonce) -> Answer {
            if act == Act::HandOver {
                std::future::pending::<()>().await;
            }
            Answer::done(format!("{} {}", speaker.address, act.slug()))
        }

        async fn said(&self, speaker: &Speaker, text: &str) -> Answer {
            Answer::keep(format!("{} {text}", speaker.address))
        }
    }

    /// The context of the button as the server keeps it.
    fn context(voice: &Mattermost, act: Act) -> Value {
        let message = tier::message(Tier::A, Occasion::Reminder, &one_case(&sample()));
        let post = voice.post(&message.with_buttons(&[(act, Nonce::of([1; 16]))]));
        post["props"]["attachments"][0]["actions"][0]["integration"]["context"].clone()
    }

    async fn press(context: &Value) -> reqwest::Response {
        let url = serve(router(voice(), Echo, "/krok/mattermost")).await.join("krok/mattermost").unwrap();
        let body = json!({ "user_id": USER, "post_id": "p1", "channel_id": "d1", "context": context });
        reqwest::Client::new().post(url).json(&body).send().await.unwrap()
    }

    #[tokio::test]
    async fn a_press_with_our_seal_is_heard_and_the_post_loses_its_buttons() {
        let body: Value = press(&context(&voice(), Act::Take)).await.json().await.unwrap();
        assert_eq!(body["ephemeral_text"], format!("user:{USER} ta"));
        assert_eq!(body["update"]["props"], json!({}));
    }

    #[tokio::test]
    async fn a_press_with_a_forged_or_borrowed_seal_is_not_heard() {
        let ours = context(&voice(), Act::Take);
        for (act, seal) in [("lamna", ours["seal"].as_str().unwrap()), ("ta", ""), ("ta", "00")] {
            let context = json!({ "act": act, "nonce": ours["nonce"], "seal": seal });
            assert_eq!(press(&context).await.status(), 401, "{act}");
        }
    }

    #[tokio::test]
    async fn a_slow_hearer_is_answered_for_in_time() {
        let context = context(&voice(), Act::HandOver);
        let asked = tokio::time::timeout(Duration::from_secs(3), press(&context));
        let body: Value = asked.await.unwrap().json().await.unwrap();
        assert_eq!(body["ephemeral_text"], NOT_NOW);
    }

    #[tokio::test]
    async fn a_command_is_heard_with_its_token_only_and_needs_no_slash() {
        let url = serve(router(voice(), Echo, "/krok/mattermost")).await.join("krok/mattermost/kommando").unwrap();
        let say = async |token: &str, text: &str| {
            let form =
                [("token", token), ("user_id", USER), ("text", text), ("command", "/lyhord"), ("trigger_id", "1")];
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
            let request = reqwest::Client::new().post(url.clone()).body(body);
            request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap()
        };
        assert_eq!(say("fel", "mina").await.status(), 401);
        let body: Value = say("kommandots token", "ta 1042").await.json().await.unwrap();
        assert_eq!(
            (&body["text"], &body["response_type"]),
            (&json!(format!("user:{USER} /ta 1042")), &json!("ephemeral"))
        );
        let code = Code::of(9).shown();
        let body: Value = say("kommandots token", &code).await.json().await.unwrap();
        assert_eq!(body["text"], format!("user:{USER} {code}"));
    }
}
