//! A Mattermost server that is as strict as the real one where it matters to us: the token, ids, the direct channel,
//! pending ids that make a quick repeat one post, and the context of a button, which no client ever sees.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use serde_json::{Value, json};

pub const TOKEN: &str = "mm-token";
pub const BOT: &str = "botaaaaaaaaaaaaaaaaaaaaaaa";

#[derive(Debug, Clone)]
pub struct Posted {
    pub id: String,
    pub body: Value,
    pub edits: u32,
}

#[derive(Default)]
struct Inner {
    posts: Vec<Posted>,
    down: bool,
    turned_away: usize,
}

#[derive(Clone, Default)]
pub struct FakeMattermost(Arc<Mutex<Inner>>);

impl FakeMattermost {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn down(&self, down: bool) {
        self.inner().down = down;
    }

    /// Requests that were turned away while it was down.
    pub fn turned_away(&self) -> usize {
        self.inner().turned_away
    }

    pub fn posts(&self) -> Vec<Posted> {
        self.inner().posts.clone()
    }

    /// Posts a press to where the button says, as the server does, and puts the answer's update in place.
    pub async fn press(&self, user: &str, posted: &Posted, label: &str) -> Value {
        let actions = posted.body["props"]["attachments"][0]["actions"].as_array().unwrap().clone();
        let action = actions.iter().find(|action| action["name"] == label).unwrap();
        let body = json!({ "user_id": user, "user_name": "x", "post_id": posted.id, "channel_id": posted.body["channel_id"],
                           "type": "button", "context": action["integration"]["context"] });
        let url = action["integration"]["url"].as_str().unwrap();
        let reply = reqwest::Client::new().post(url).json(&body).send().await.unwrap();
        assert_eq!(reply.status(), 200);
        let answer: Value = reply.json().await.unwrap();
        if let Some(update) = answer["update"].as_object() {
            let mut inner = self.inner();
            let post = inner.posts.iter_mut().find(|post| post.id == posted.id).unwrap();
            for (key, value) in update {
                post.body[key] = value.clone();
            }
        }
        answer
    }
}

fn is_id(id: &str) -> bool {
    id.len() == 26 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn no(status: StatusCode) -> Response {
    (status, Json(json!({ "id": "api.error", "status_code": status.as_u16() }))).into_response()
}

pub fn app(fake: FakeMattermost) -> Router {
    Router::new().route("/api/v4/{*path}", any(call)).with_state(fake)
}

async fn call(
    State(fake): State<FakeMattermost>,
    method: Method,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut inner = fake.inner();
    if inner.down {
        inner.turned_away += 1;
        return no(StatusCode::BAD_GATEWAY);
    }
    if headers.get("authorization").is_none_or(|value| value != format!("Bearer {TOKEN}").as_str()) {
        return no(StatusCode::UNAUTHORIZED);
    }
    match (method.as_str(), path.split('/').collect::<Vec<_>>().as_slice()) {
        ("GET", ["users", "me"]) if body.is_null() => Json(json!({ "id": BOT, "username": "lyhord" })).into_response(),
        ("POST", ["channels", "direct"]) => match body.as_array().map(Vec::as_slice) {
            Some([bot, user]) if bot == BOT && user.as_str().is_some_and(is_id) => {
                let id = format!("d{}", &user.as_str().unwrap()[1..]);
                (StatusCode::CREATED, Json(json!({ "id": id, "type": "D" }))).into_response()
            }
            _ => no(StatusCode::BAD_REQUEST),
        },
        ("POST", ["posts"]) if is_post(&body, &["channel_id", "message", "props", "pending_post_id"]) => {
            let pending = body["pending_post_id"].as_str().unwrap_or("");
            if !body["channel_id"].as_str().is_some_and(is_id) || !pending.starts_with(&format!("{BOT}:")) {
                return no(StatusCode::BAD_REQUEST);
            }
            let known = inner.posts.iter().find(|post| post.body["pending_post_id"] == pending);
            let id = known.map_or_else(|| format!("p{:025}", inner.posts.len()), |post| post.id.clone());
            if known.is_none() {
                inner.posts.push(Posted { id: id.clone(), body, edits: 0 });
            }
            (StatusCode::CREATED, Json(json!({ "id": id }))).into_response()
        }
        ("PUT", ["posts", id, "patch"]) if is_post(&body, &["message", "props"]) => {
            let Some(post) = inner.posts.iter_mut().find(|post| post.id == *id) else {
                return no(StatusCode::NOT_FOUND);
            };
            post.body["message"] = body["message"].clone();
            post.body["props"] = body["props"].clone();
            post.edits += 1;
            Json(json!({ "id": id })).into_response()
        }
        _ => no(StatusCode::BAD_REQUEST),
    }
}

/// A post with no field that we do not mean to send, within the server's bound, whose buttons have proper ids.
fn is_post(body: &Value, known: &[&str]) -> bool {
    let actions = body["props"]["attachments"][0]["actions"].as_array().cloned().unwrap_or_default();
    let action = |action: &Value| {
        action["id"].as_str().is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
            && action["integration"]["url"].as_str().is_some_and(|url| url.starts_with("http"))
    };
    body.as_object().is_some_and(|fields| fields.keys().all(|key| known.contains(&key.as_str())))
        && body["message"].as_str().is_some_and(|text| !text.is_empty() && text.chars().count() <= 16_383)
        && actions.iter().all(action)
}
