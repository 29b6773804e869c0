//! Sends what the outbox holds: claim, send, receipt. Killed between send and receipt, the message is sent again
//! under the same key, and the receipt counts the repeat.

use std::time::Duration;

use futures::StreamExt;

use crate::app::App;
use crate::chat::store::MessageRow;
use crate::chat::{self, Channel, Message, SendError};
use crate::jobs::{Job, TIMETABLE_BELL, WEB_BELL};
use crate::journal::{self, Fact};

/// How many messages one piece of work has in its hands; all are sent side by side.
const AT_A_TIME: i64 = 16;
/// How long a sender has a message for itself: longer than any voice's own time-out.
const LEASE: Duration = Duration::from_secs(90);
/// The first pause after a message did not go through; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause: a service that was gone for an hour is tried again within five minutes of its return.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// Sends one handful; enqueues itself when there may be more.
///
/// # Errors
/// What the database says; a message that was claimed is then sent again when its lease ends.
pub async fn run(app: &App) -> anyhow::Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let messages = chat::store::claim(&mut tx, now, now.plus(app.clock.told(LEASE)), AT_A_TIME).await?;
    if messages.is_empty() {
        return Ok(());
    }
    let full = i64::try_from(messages.len()).unwrap_or(AT_A_TIME) == AT_A_TIME;
    tx.commit().await?;

    let sent = futures::stream::iter(messages.into_iter().map(|row| async move {
        let outcome = send(app, &row).await;
        (row, outcome)
    }))
    .buffer_unordered(usize::try_from(AT_A_TIME).unwrap_or(1))
    .collect::<Vec<_>>()
    .await;

    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let mut facts = Vec::new();
    let mut retell = false;
    for (row, outcome) in sent {
        match outcome {
            Ok(receipt) => {
                chat::store::said(&mut tx, &row, &receipt.external_id, now).await?;
                for (case, stage) in chat::store::cases_of(&mut tx, row.id).await? {
                    let body = serde_json::json!({ "to": row.recipient, "stage": stage, "voice": row.voice, "message": row.id });
                    facts.push(Fact::of_case(now, "reminder.said", case, body));
                }
            }
            Err(SendError::Later { retry_after }) => {
                let at = now.plus(app.clock.told(pause(row.attempts, retry_after)));
                tracing::warn!(message = %row.id, voice = %row.voice, attempts = row.attempts, "message not sent, tried again {at}");
                chat::store::put_off(&mut tx, row.id, at, "tjänsten svarar inte, försöker igen").await?;
            }
            Err(SendError::Moved { to }) => {
                tracing::info!(message = %row.id, voice = %row.voice, "chat has moved to a new address");
                chat::store::put_off(&mut tx, row.id, now, "chatten har bytt adress").await?;
                chat::store::voice_moved(&mut tx, &row.voice, &row.address, &to).await?;
            }
            Err(SendError::Never(why)) => {
                tracing::error!(message = %row.id, voice = %row.voice, "message will never be taken: {why}");
                chat::store::give_up(&mut tx, row.id, &why).await?;
                chat::store::voice_failed(&mut tx, &row.voice, &row.address, &why, now).await?;
                let body = serde_json::json!({ "staff": row.recipient, "voice": row.voice, "why": why });
                facts.push(Fact {
                    at: now,
                    actor: "lyhord".to_owned(),
                    kind: "voice.failed",
                    case: None,
                    mention: None,
                    body,
                });
                retell = true;
            }
        }
    }
    if retell {
        Job::RemindStaff.enqueue(&mut tx, now).await?;
    }
    if full {
        Job::DeliverMessages.enqueue(&mut tx, now).await?;
    }
    tx.ring_on_commit(TIMETABLE_BELL);
    tx.ring_on_commit(WEB_BELL);
    journal::append(&mut tx, &facts).await?;
    tx.commit().await?;
    Ok(())
}

async fn send(app: &App, row: &MessageRow) -> Result<chat::Receipt, SendError> {
    let channel = Channel::from_slug(&row.voice).ok_or_else(|| SendError::Never("okänd röst".to_owned()))?;
    let message: Message =
        serde_json::from_str(&row.body).map_err(|_| SendError::Never("meddelandet går inte att läsa".to_owned()))?;
    chat::fence(channel, &message)?;
    app.voices.send(channel, &row.address, &message, &format!("lyhord-{}", row.id)).await
}

/// How long a message waits after its n-th try: what the service asked for, or ours, doubled to a cap.
fn pause(attempts: i64, retry_after: Option<Duration>) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(10);
    let ours = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_PAUSE);
    retry_after.map_or(ours, |asked| asked.max(Duration::from_millis(100)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_and_is_never_longer_than_five_minutes() {
        let pauses: Vec<u64> = (1..=9).map(|attempt| pause(attempt, None).as_secs()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
    }

    #[test]
    fn what_the_service_asks_for_is_what_it_gets() {
        assert_eq!(pause(1, Some(Duration::from_secs(37))), Duration::from_secs(37));
    }
}
