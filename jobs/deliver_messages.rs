//! Sends what the outbox holds: claim, send, receipt. Killed between send and receipt, the message is sent again
//! under the same key, and the receipt counts the repeat. What would disturb its reader at this hour waits for her hours.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt;

use crate::app::App;
use crate::chat::notice::Notice;
use crate::chat::outbox_store::Health;
use crate::chat::store::MessageRow;
use crate::chat::{self, Channel, Message, SendError, outbox_store, undelivered_store};
use crate::clock::{Time, doubled};
use crate::db::Tx;
use crate::jobs::keep_hours::Hours;
use crate::jobs::tell_of_voices::{tell_admins_at_work, voice_fell};
use crate::jobs::write_messages::Ways;
use crate::jobs::{Job, TIMETABLE_BELL, WEB_BELL};
use crate::journal::{self, Fact};
use crate::source::letter::Bounce;

/// How many messages one piece of work has in its hands; all are sent side by side.
const AT_A_TIME: i64 = 16;
/// How long a sender has a message for itself: longer than any voice's own time-out.
const LEASE: Duration = Duration::from_secs(90);
/// The first pause after a message did not go through; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause: a service that was gone for an hour is tried again within five minutes of its return.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// A service that has not answered for so long is a matter for those who keep the system.
const SILENT_LONG: Duration = Duration::from_mins(30);
/// Kinds of messages in the outbox.
const REMINDER: &str = "reminder";
const NOTICE: &str = "notice";
const EDIT: &str = "edit";

/// Sends one handful; enqueues itself when there may be more.
///
/// # Errors
/// What the database says; a message that was claimed is then sent again when its lease ends.
pub async fn run(app: &App) -> anyhow::Result<()> {
    let now = app.clock.now();
    if !is_wanted(app, now).await? {
        return Ok(());
    }
    let mut tx = app.db.write().await?;
    let changed = Hours::let_go(app, &mut tx, now).await?;
    let messages = chat::store::claim(&mut tx, now, now.plus(app.clock.told(LEASE)), AT_A_TIME).await?;
    if messages.is_empty() && !changed {
        return Ok(());
    }
    let full = i64::try_from(messages.len()).unwrap_or(AT_A_TIME) == AT_A_TIME;
    let messages = Hours::hold(app, &mut tx, messages, now).await?;
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
    let mut after = After::default();
    for (row, outcome) in sent {
        note(app, &mut tx, &row, outcome, now, &mut after).await?;
    }
    if after.retell {
        Job::RemindStaff.enqueue(&mut tx, now).await?;
    }
    if full || after.again {
        Job::DeliverMessages.enqueue(&mut tx, now).await?;
    }
    tx.ring_on_commit(TIMETABLE_BELL);
    tx.ring_on_commit(WEB_BELL);
    journal::append(&mut tx, &after.facts).await?;
    tx.commit().await?;
    Ok(())
}

/// True when a message is due, or one waits for its reader's hours, which may have come before their time. It is asked
/// where nobody has to wait for it: most times nothing is due.
async fn is_wanted(app: &App, now: Time) -> sqlx::Result<bool> {
    let mut tx = app.db.read().await?;
    let due = chat::store::next_due(&mut tx).await?.is_some_and(|at| at <= now);
    Ok(due || !undelivered_store::held(&mut tx, 1).await?.is_empty())
}

/// What is to be done when all outcomes have been noted.
#[derive(Default)]
struct After {
    facts: Vec<Fact>,
    retell: bool,
    /// There is more to send at this very moment.
    again: bool,
    well: BTreeSet<String>,
}

/// Writes down what became of one message.
async fn note(
    app: &App,
    tx: &mut Tx,
    row: &MessageRow,
    outcome: Result<chat::Receipt, SendError>,
    now: Time,
    after: &mut After,
) -> anyhow::Result<()> {
    match outcome {
        Ok(receipt) => said(tx, row, &receipt, now, after).await,
        Err(SendError::Later { retry_after }) => {
            let at = now.plus(app.clock.told(pause(row.attempts, retry_after)));
            if retry_after.is_none() {
                tracing::warn!(message = %row.id, voice = %row.voice, attempts = row.attempts, "message not sent, tried again {at}");
            }
            chat::store::put_off(tx, row.id, at, "tjänsten svarar inte, försöker igen").await?;
            match retry_after {
                Some(_) => Ok(outbox_store::not_tried(tx, row.id).await?),
                None => silent(app, tx, row, at, now, after).await,
            }
        }
        Err(SendError::Moved { to }) => {
            tracing::info!(message = %row.id, voice = %row.voice, "chat has moved to a new address");
            chat::store::put_off(tx, row.id, now, "chatten har bytt adress").await?;
            after.again = true;
            Ok(chat::store::voice_moved(tx, &row.voice, &row.address, &to).await?)
        }
        Err(SendError::OutOfOrder(why)) => out_of_order(app, tx, row, &why, now, after).await,
        Err(SendError::Never(why)) if row.kind == EDIT => {
            // What can no longer be changed stands as it was said; nobody's address is at fault.
            tracing::info!(message = %row.id, voice = %row.voice, "an earlier message cannot be changed: {why}");
            Ok(outbox_store::drop_edit(tx, row.id, &why).await?)
        }
        Err(SendError::Never(why)) => failed(app, tx, row, &why, now, after).await,
    }
}

async fn said(
    tx: &mut Tx,
    row: &MessageRow,
    receipt: &chat::Receipt,
    now: Time,
    after: &mut After,
) -> anyhow::Result<()> {
    if after.well.insert(row.voice.clone()) && outbox_store::recovered(tx, &row.voice).await? {
        tracing::info!(voice = %row.voice, "the voice works again");
    }
    if row.kind == EDIT {
        return Ok(outbox_store::edited(tx, row.id).await?);
    }
    chat::store::said(tx, row, &receipt.external_id, now).await?;
    if row.kind == NOTICE {
        return Ok(outbox_store::forget_body(tx, row.id).await?);
    }
    for (case, stage) in chat::store::cases_of(tx, row.id).await? {
        let body = serde_json::json!({ "to": row.recipient, "stage": stage, "voice": row.voice, "message": row.id });
        after.facts.push(Fact::of_case(now, "reminder.said", case, body));
    }
    Ok(())
}

/// The service does not answer. It is noted from the first time, and those who keep the system are told when it lasts.
async fn silent(
    app: &App,
    tx: &mut Tx,
    row: &MessageRow,
    again_at: Time,
    now: Time,
    after: &mut After,
) -> anyhow::Result<()> {
    let Some(channel) = Channel::from_slug(&row.voice) else { return Ok(()) };
    let ill = outbox_store::ill(tx).await?;
    let before = ill.into_iter().find(|one| one.voice == row.voice);
    let since = before.map_or(now, |before| before.since);
    let why = "tjänsten svarar inte; det som ska sägas väntar".to_owned();
    let new = Health { voice: row.voice.clone(), state: "silent".to_owned(), since, why, try_again_at: again_at };
    outbox_store::fell_ill(tx, &new).await?;
    if now.since(since) >= app.clock.told(SILENT_LONG) {
        let once = format!("silent:{}:{}", row.voice, since.0);
        tell_admins_at_work(app, tx, &Notice::Silent(channel), &once, now).await?;
        after.again = true;
    }
    Ok(())
}

/// The service does not accept us: the message goes by the person's next voice when there is one, else it waits.
async fn out_of_order(
    app: &App,
    tx: &mut Tx,
    row: &MessageRow,
    why: &str,
    now: Time,
    after: &mut After,
) -> anyhow::Result<()> {
    let Some(channel) = Channel::from_slug(&row.voice) else { return Ok(()) };
    tracing::error!(message = %row.id, voice = %row.voice, "the voice is out of order: {why}");
    let again_at = now.plus(app.clock.told(LONGEST_PAUSE));
    let new = Health {
        voice: row.voice.clone(),
        state: "out".to_owned(),
        since: now,
        why: "tjänsten godtar inte vår token eller våra rättigheter".to_owned(),
        try_again_at: again_at,
    };
    outbox_store::fell_ill(tx, &new).await?;
    let ways = Ways::load(tx).await?;
    let other = ways.to(app, &row.recipient, now).is_some_and(|way| way.channel != channel);
    if other && row.kind == REMINDER {
        chat::store::give_up(tx, row.id, why).await?;
        after.retell = true;
    } else {
        chat::store::put_off(tx, row.id, again_at, "tjänsten godtar oss inte, försöker igen").await?;
    }
    after.again = true;
    let day = format!("out:{}:{}", row.voice, now.0.div_euclid(86_400_000));
    tell_admins_at_work(app, tx, &Notice::OutOfOrder(channel), &day, now).await
}

/// The address will never take it: its reminders are free for the person's next voice, and people are told.
async fn failed(
    app: &App,
    tx: &mut Tx,
    row: &MessageRow,
    why: &str,
    now: Time,
    after: &mut After,
) -> anyhow::Result<()> {
    tracing::error!(message = %row.id, voice = %row.voice, "message will never be taken: {why}");
    chat::store::give_up(tx, row.id, why).await?;
    outbox_store::forget_body(tx, row.id).await?;
    let bound = chat::store::staff_of(tx, &row.voice, &row.address).await?.is_some();
    // A code that was sent to a mistyped address says nothing about any voice.
    if bound || row.kind == REMINDER {
        chat::store::voice_failed(tx, &row.recipient, (&row.voice, &row.address), why, now).await?;
        let body = serde_json::json!({ "staff": row.recipient, "voice": row.voice, "why": why });
        after.facts.push(Fact {
            at: now,
            actor: "lyhord".to_owned(),
            kind: "voice.failed",
            case: None,
            mention: None,
            body,
        });
        if let Some(channel) = Channel::from_slug(&row.voice) {
            voice_fell(app, tx, &row.recipient, channel, now).await?;
        }
    }
    (after.retell, after.again) = (true, true);
    Ok(())
}

/// A mail server tells that a letter of ours will never arrive: as when the relay had said so at once. What it tells of
/// no letter that we have sent is left alone.
///
/// # Errors
/// What the database says.
pub async fn bounced(app: &App, tx: &mut Tx, bounce: &Bounce, now: Time) -> anyhow::Result<Vec<Fact>> {
    let letter = outbox_store::sent_as(tx, Channel::Email.slug(), &bounce.of).await?;
    let Some(row) = letter.filter(|_| bounce.is_for_good()) else { return Ok(Vec::new()) };
    let mut after = After::default();
    let why = format!("brevet kom tillbaka ({})", bounce.status);
    failed(app, tx, &row, &why, now, &mut after).await?;
    Job::RemindStaff.enqueue(tx, now).await?;
    Job::DeliverMessages.enqueue(tx, now).await?;
    Ok(after.facts)
}

async fn send(app: &App, row: &MessageRow) -> Result<chat::Receipt, SendError> {
    let channel = Channel::from_slug(&row.voice).ok_or_else(|| SendError::Never("okänd röst".to_owned()))?;
    let message: Message =
        serde_json::from_str(&row.body).map_err(|_| SendError::Never("meddelandet går inte att läsa".to_owned()))?;
    if app.voices.of(channel).is_none() {
        // Somebody has taken the service out of the configuration: the address is as good as before.
        return Err(SendError::OutOfOrder("tjänsten är inte påslagen".to_owned()));
    }
    chat::fence(channel, &message)?;
    let key = format!("lyhord-{}", row.id);
    let Some(of) = row.edits else { return app.voices.send(channel, &row.address, &message, &key).await };
    let id = async {
        let mut tx = app.db.read().await?;
        outbox_store::external_id(&mut tx, of).await
    };
    match id.await.map_err(|_| SendError::later())? {
        Some(id) if !id.is_empty() => app.voices.edit(channel, &row.address, &id, &message, &key).await,
        _ => Err(SendError::Never("the service gave the message no name".to_owned())),
    }
}

/// How long a message waits after its n-th try: what the service asked for, or ours, doubled to a cap.
fn pause(attempts: i64, retry_after: Option<Duration>) -> Duration {
    let ours = doubled(FIRST_PAUSE, u32::try_from(attempts.saturating_sub(1)).unwrap_or(0), LONGEST_PAUSE);
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
