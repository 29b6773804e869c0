//! Asks an outside judge over an OpenAI-compatible endpoint: bounded, patient for a moment, and left alone when it fails.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use serde_json::Value;

use super::judge::Judge;
use super::opinion::{External, Opinion, Silence, answer};
use crate::clock::Time;
use crate::id::MentionId;

/// Questions under way at a time.
const TOGETHER: usize = 4;
/// Questions of one batch: what is left waits for nobody and goes by our own judgement.
const ASKED_MAX: usize = 40;
/// Bytes of an answer: the object it must be is a hundredth of it.
const BODY_MAX: usize = 64 * 1024;
/// How long it is left alone after a failure.
const REST: Duration = Duration::from_mins(5);

/// An outside judge, ready to be asked.
#[derive(Debug)]
pub struct Endpoint {
    settings: External,
    client: reqwest::Client,
    rests_until: AtomicI64,
}

impl Endpoint {
    /// Opens a client; asks nothing yet.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn open(settings: External) -> reqwest::Result<Self> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(settings.timeout)
            .timeout(settings.timeout)
            .no_proxy()
            .build()?;
        Ok(Self { settings, client, rests_until: AtomicI64::new(0) })
    }

    /// What the judge outside is called.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.settings.model
    }

    /// Asks about several posts, a few at a time, for at most two answers' time in all. A failure that would meet the
    /// next question too ends the asking, and rests the endpoint for a while.
    pub async fn ask_all(
        &self,
        judge: &Judge,
        requests: Vec<(MentionId, Value)>,
        now: Time,
    ) -> BTreeMap<MentionId, Result<Opinion, Silence>> {
        let ids: Vec<MentionId> = requests.iter().map(|(id, _)| *id).collect();
        let mut said = BTreeMap::new();
        if now.0 >= self.rests_until.load(Ordering::Relaxed) {
            let asking = async {
                let questions = requests.into_iter().take(ASKED_MAX);
                let mut answers = futures::stream::iter(questions)
                    .map(|(id, request)| async move { (id, self.ask(judge, &request).await) })
                    .buffer_unordered(TOGETHER);
                while let Some((id, outcome)) = answers.next().await {
                    let lasting = outcome.as_ref().err().is_some_and(|silence| silence.is_lasting());
                    said.insert(id, outcome);
                    if lasting {
                        self.rests_until.store(now.plus(REST).0, Ordering::Relaxed);
                        break;
                    }
                }
            };
            // What is not answered by then goes by our own judgement; nothing waits for it.
            let _ = tokio::time::timeout(self.settings.timeout * 2, asking).await;
        }
        for id in ids {
            said.entry(id).or_insert(Err(Silence::Resting));
        }
        said
    }

    async fn ask(&self, judge: &Judge, request: &Value) -> Result<Opinion, Silence> {
        let mut post = self.client.post(self.settings.address.clone()).json(request);
        if let Some(key) = &self.settings.key {
            post = post.bearer_auth(&key.0);
        }
        let fault = |fault: &reqwest::Error| if fault.is_timeout() { Silence::TimedOut } else { Silence::Down };
        let mut response = post.send().await.map_err(|found| fault(&found))?;
        match response.status().as_u16() {
            200 => {}
            429 => return Err(Silence::Busy),
            500.. => return Err(Silence::Down),
            _ => return Err(Silence::Refused),
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|found| fault(&found))? {
            if body.len() + chunk.len() > BODY_MAX {
                return Err(Silence::Nonsense);
            }
            body.extend_from_slice(&chunk);
        }
        answer(&body, judge)
    }
}
