//! The addresses of web hooks: what is handed in is written down before it is answered, and taken on by a job. What no
//! watch rule hears is counted and let go here, before anything is written.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures::StreamExt as _;
use governor::{DefaultKeyedRateLimiter, Quota};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::app::App;
use crate::clock::Time;
use crate::db::Tx;
use crate::hex::hex;
use crate::id::DeliveryId;
use crate::jobs::watch_over::{self, Planned};
use crate::jobs::{Job, keep_posts, turn_health};
use crate::journal::{self, Fact};
use crate::source::channel_store::Heard;
use crate::source::hand_store::{self, NewDelivery};
use crate::source::health::Verdict;
use crate::source::hook::{self, BODY_MAX, Envelope, Hook, Refusal};
use crate::source::hook_body::{self, Handed};
use crate::source::store::SourceRow;
use crate::source::watched::SourceSetting;
use crate::source::{self, Health};

/// A body is whole within this (real): a megabyte over a telephone.
pub const BODY_WITHIN: Duration = Duration::from_secs(15);
/// Deliveries a second to one address, and as many again at once: a delivery holds two hundred posts.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// So much is read and let go before a body is refused as too large: a sender that still writes does not hear the answer.
const DRAINED: usize = 4 * BODY_MAX;
/// Bodies read at the same time; each is a megabyte at most.
const AT_ONCE: usize = 32;
/// Deliveries that may wait to be taken on: half an hour of work for one worker.
const WAITING_MAX: i64 = 1_000;
/// So many with a wrong signature since the last right one, and the source is blind: a secret was changed at one end only.
pub const FORGED_MAX: i64 = 3;
/// How often (real) it is written down that the addresses are open.
const LOOK_EVERY: Duration = Duration::from_mins(1);

struct Door {
    app: Arc<App>,
    paces: DefaultKeyedRateLimiter<String>,
    at_once: Semaphore,
    within: Duration,
}

/// What a delivery is answered with; the same again is answered the same.
struct Receipt {
    id: DeliveryId,
    items: i64,
}

/// One route for all web hooks, when there are any. A body is waited for no longer than `within`.
#[must_use]
pub fn routes(app: &Arc<App>, within: Duration) -> Option<Router> {
    app.config.sources.iter().find_map(|setting| setting.kind.hook())?;
    let paces = DefaultKeyedRateLimiter::keyed(Quota::per_second(PER_SECOND));
    let door = Door { app: Arc::clone(app), paces, at_once: Semaphore::new(AT_ONCE), within };
    Some(Router::new().route(&format!("{}{{key}}", hook::PATH), post(answer)).with_state(Arc::new(door)))
}

async fn answer(State(door): State<Arc<Door>>, Path(key): Path<String>, request: Request) -> Response {
    match door.take(&key, request).await {
        Ok(receipt) => {
            let said = json!({ "delivery": receipt.id, "items": receipt.items });
            (StatusCode::ACCEPTED, Json(said)).into_response()
        }
        Err(refusal) => {
            tracing::info!(source = %key, "a delivery was not taken: {}", refusal.code());
            let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = (status, Json(refusal.body())).into_response();
            if let Some(seconds) = refusal.retry_after_s() {
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            }
            response
        }
    }
}

impl Door {
    async fn take(&self, key: &str, request: Request) -> Result<Receipt, Refusal> {
        let setting = self.app.setting(key).ok_or(Refusal::NoSuchSource)?;
        let hook = setting.kind.hook().ok_or(Refusal::NoSuchSource)?;
        if setting.paused {
            return Err(Refusal::Paused);
        }
        self.paces.check_key(&setting.key).map_err(|_| Refusal::TooOften)?;
        if hook.secrets.is_empty() {
            return Err(Refusal::NoSecret);
        }
        let now = self.app.clock.now();
        let headers = request.headers();
        let envelope = Envelope::read(|name| headers.get(name)?.to_str().ok(), now)?;
        is_json(headers)?;
        let body = self.whole(request).await?;
        if let Err(forged) = hook.verify(&envelope, &body) {
            self.note_forged(key).await;
            return Err(forged);
        }
        let from = hook_body::From::of(setting, hook);
        let handed = hook_body::read(&body, from).map_err(Refusal::Unreadable)?;
        // When the body has come, so that what is kept is no older than what was decided on it.
        let now = self.app.clock.now();
        self.write_down(setting, &envelope.once, &body, &handed, now).await
    }

    /// The body, no larger and no slower than we bear.
    async fn whole(&self, request: Request) -> Result<Bytes, Refusal> {
        let _turn = self.at_once.try_acquire().map_err(|_| Refusal::TooOften)?;
        let told = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if told.is_some_and(|told: usize| told > DRAINED) {
            return Err(Refusal::TooLarge);
        }
        tokio::time::timeout(self.within, gather(request.into_body())).await.unwrap_or(Err(Refusal::TooSlow))
    }

    async fn write_down(
        &self,
        setting: &SourceSetting,
        once: &str,
        body: &[u8],
        handed: &[(hook_body::Item, Handed)],
        now: Time,
    ) -> Result<Receipt, Refusal> {
        let digest = hex(&Sha256::digest(body));
        let outcome = self.hand_in(setting, once, &digest, handed, now).await;
        outcome.unwrap_or_else(|fault| {
            tracing::warn!(source = %setting.key, "a delivery could not be written down: {fault}");
            Err(Refusal::NotNow)
        })
    }

    async fn hand_in(
        &self,
        setting: &SourceSetting,
        once: &str,
        digest: &str,
        handed: &[(hook_body::Item, Handed)],
        now: Time,
    ) -> sqlx::Result<Result<Receipt, Refusal>> {
        let mut tx = self.app.db.write().await?;
        let Some(row) = source::store::by_key(&mut tx, &setting.key).await? else { return Ok(Err(Refusal::NotNow)) };
        if let Some(known) = hand_store::handed_in(&mut tx, row.id, once).await? {
            return Ok(again(&known, digest));
        }
        if hand_store::count_waiting(&mut tx, WAITING_MAX).await? >= WAITING_MAX {
            return Ok(Err(Refusal::Full));
        }
        // An edit that takes our name away is still one of a post that we have.
        let edited = handed.iter().filter_map(|(_, handed)| match handed {
            Handed::Said(post) if post.updated_at.is_some() => Some(&**post),
            _ => None,
        });
        let known = keep_posts::known(&mut tx, edited).await?;
        let ours = |handed: &Handed| match handed {
            Handed::Said(post) => {
                keep_posts::concerns_us(&self.app, &setting.key, post) || known.contains(&keep_posts::name_of(post))
            }
            Handed::Gone(_) => true,
        };
        let kept: Vec<_> = handed.iter().filter(|(_, handed)| ours(handed)).map(|(item, _)| item).collect();
        let kept = serde_json::to_string(&kept).map_err(|fault| sqlx::Error::Encode(fault.into()))?;
        let items = i64::try_from(handed.len()).unwrap_or(i64::MAX);
        let new = NewDelivery { source: row.id, once, digest, items, kept: &kept };
        let Some(id) = hand_store::hand_in(&mut tx, &new, now).await? else {
            // Another request with the same name came first.
            let known = hand_store::handed_in(&mut tx, row.id, once).await?;
            return Ok(known.map_or(Err(Refusal::NotNow), |known| again(&known, digest)));
        };
        let posts: Vec<_> = handed
            .iter()
            .filter_map(|(_, handed)| if let Handed::Said(post) = handed { Some((**post).clone()) } else { None })
            .collect();
        watch_over::count_posts(&mut tx, row.id, &posts, now).await?;
        Job::TakeDeliveries.enqueue(&mut tx, now).await?;
        tx.commit().await?;
        Ok(Ok(Receipt { id, items }))
    }

    async fn note_forged(&self, key: &str) {
        let note = async {
            let mut tx = self.app.db.write().await?;
            if let Some(row) = source::store::by_key(&mut tx, key).await? {
                hand_store::count_forged(&mut tx, row.id, FORGED_MAX).await?;
            }
            tx.commit().await
        };
        if let Err(fault) = note.await {
            tracing::warn!(source = %key, "a wrong signature could not be noted: {fault}");
        }
    }
}

fn again(known: &hand_store::Delivery, digest: &str) -> Result<Receipt, Refusal> {
    if known.digest == digest { Ok(Receipt { id: known.id, items: known.items }) } else { Err(Refusal::OtherBody) }
}

fn is_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let said = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
    let essence = said(header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let plain = matches!(said(header::CONTENT_ENCODING), "" | "identity");
    if essence == "application/json" && plain { Ok(()) } else { Err(Refusal::WrongType) }
}

async fn gather(body: Body) -> Result<Bytes, Refusal> {
    let mut stream = body.into_data_stream();
    let (mut whole, mut came) = (Vec::new(), 0_usize);
    while let Some(part) = stream.next().await {
        let part = part.map_err(|_| Refusal::CutOff)?;
        came += part.len();
        if came > DRAINED {
            return Err(Refusal::TooLarge);
        }
        if came > BODY_MAX {
            whole = Vec::new();
        } else {
            whole.extend_from_slice(&part);
        }
    }
    if came > BODY_MAX { Err(Refusal::TooLarge) } else { Ok(whole.into()) }
}

/// Writes down again and again that the addresses are open, and how each is. Runs where the pages are served.
///
/// # Errors
/// When the database does not answer; the caller begins again.
pub async fn stand_open(app: Arc<App>) -> anyhow::Result<()> {
    loop {
        look(&app, app.clock.now()).await?;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Writes down how each web hook is at `now`.
///
/// # Errors
/// What the database says.
pub async fn look(app: &App, now: Time) -> anyhow::Result<()> {
    for setting in app.config.sources.iter().filter(|setting| !setting.paused) {
        let Some(hook) = setting.kind.hook() else { continue };
        let mut tx = app.db.write().await?;
        let Some(mut row) = source::store::by_key(&mut tx, &setting.key).await? else { continue };
        let verdict = judge(app, &mut tx, &row, hook, now).await?;
        let look = Look { forged: row.failures, new: false, now };
        if let Some(fact) = settle(&mut tx, &mut row, verdict, look).await? {
            journal::append(&mut tx, &[fact]).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

async fn judge(app: &App, tx: &mut Tx, row: &SourceRow, hook: &Hook, now: Time) -> sqlx::Result<Verdict> {
    if let Some(found) = shut(hook, row.failures) {
        return Ok(found);
    }
    let interval = app.clock.told(LOOK_EVERY);
    watch_over::seen(tx, Planned { source: row.id, at: now, interval, failures: 0 }, now).await?;
    let (quiet, changed) = watch_over::listen_for_silence(tx, row.id, row.quiet_since, now).await?;
    if changed {
        Job::WarnKeepers.enqueue(tx, now).await?;
    }
    Ok(match quiet {
        Some(found) => Verdict { health: Health::Degraded, why: watch_over::quiet_text(found) },
        None => Verdict { health: Health::Ok, why: String::new() },
    })
}

/// Why nothing comes in, whatever is handed in.
fn shut(hook: &Hook, forged: i64) -> Option<Verdict> {
    if hook.secrets.is_empty() {
        let why = "Hemligheten är inte satt, så inget tas emot. Den som lämnar får veta det och försöker igen. Sätt \
                   hemligheten där secret_env eller secret_file säger och starta om.";
        return Some(Verdict { health: Health::Dead, why: why.to_owned() });
    }
    let why = "Det som lämnas är signerat med en annan hemlighet än vår, så inget tas emot. Vi fortsätter att lyssna. \
               Kontrollera att den som lämnar har samma hemlighet, eller att ingen annan försöker.";
    (forged >= FORGED_MAX).then(|| Verdict { health: Health::Blind, why: why.to_owned() })
}

/// What is written down of a hook besides its health.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// Wrong signatures since the last right one.
    pub forged: i64,
    /// Something new was kept.
    pub new: bool,
    /// Now.
    pub now: Time,
}

/// Writes down how a hook is, in its row and in the database; the fact when that has turned is for the caller to write.
pub(super) async fn settle(
    tx: &mut Tx,
    row: &mut SourceRow,
    verdict: Verdict,
    look: Look,
) -> sqlx::Result<Option<Fact>> {
    let fact = turn_health::turned(tx, row, &verdict, look.now).await?;
    row.health_since = turn_health::since(row, verdict.health, look.now);
    (row.health, row.health_why) = (verdict.health.slug().to_owned(), verdict.why);
    let heard = Heard {
        cursor: None,
        failures: look.forged,
        health: &row.health,
        health_since: row.health_since,
        health_why: &row.health_why,
        at: look.now,
        ok: verdict.health < Health::Blind,
        new: look.new,
    };
    hand_store::settle_hook(tx, row.id, &heard).await?;
    Ok(fact)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::account::Secret;
    use crate::source::hook::Takes;

    #[test]
    fn a_hook_without_a_secret_is_dead_and_one_whose_sender_signs_otherwise_is_blind() {
        let hook = |secrets| Hook { secrets, takes: Takes::Heard };
        assert_eq!(shut(&hook(vec![]), 0).map(|found| found.health), Some(Health::Dead));
        let open = hook(vec![Secret::new("en hemlighet som är lång nog")]);
        assert_eq!(shut(&open, FORGED_MAX - 1), None, "a stranger's guess is no news");
        assert_eq!(shut(&open, FORGED_MAX).map(|found| found.health), Some(Health::Blind));
    }
}
