//! The safety net: facts that no job took are put before one again, and finished work is cleaned away.

use std::time::Duration;

use crate::app::App;
use crate::clock::Time;
use crate::jobs::{Job, release_cases, watch_rushes};
use crate::source::rhythm::{HISTORY_HOURS, hour_of};
use crate::source::{channel_store, hand_store};
use crate::{chat, queue, web};

/// Finished work is kept this long, so that a key that comes again is known.
const KEEP_WORK: Duration = Duration::from_hours(24);

/// What chats have brought us is kept this long: Telegram repeats an update for a day, the others for minutes.
const KEEP_HEARD: Duration = Duration::from_hours(7 * 24);

/// A delivery to a web hook is known again for so long: senders give up after some days.
pub const KEEP_DELIVERIES: Duration = Duration::from_hours(7 * 24);

/// Enqueues each batch job once: a job that finds nothing costs one query, and a fact that was left behind by a
/// crash waits no longer than to the next sweep.
///
/// # Errors
/// What the database says.
pub async fn run(app: &App, now: Time) -> anyhow::Result<()> {
    release_cases::of_those_who_left(app, now).await?;
    watch_rushes::run(app, now).await?;
    let mut tx = app.db.write().await?;
    for job in [Job::TakeDeliveries, Job::KeepTips, Job::ClassifyMentions, Job::OpenCases, Job::AssignCases] {
        job.enqueue(&mut tx, now).await?;
    }
    // Settings and absences may have changed what stands in a message's way.
    if !chat::undelivered_store::held(&mut tx, 1).await?.is_empty() {
        Job::DeliverMessages.enqueue(&mut tx, now).await?;
    }
    if !chat::undelivered_store::unreached(&mut tx).await?.is_empty() {
        Job::RemindStaff.enqueue(&mut tx, now).await?;
    }
    if !channel_store::troubles(&mut tx).await?.is_empty() {
        Job::WarnKeepers.enqueue(&mut tx, now).await?;
    }
    hand_store::forget_deliveries(&mut tx, now.minus(KEEP_DELIVERIES)).await?;
    channel_store::unwatch(&mut tx, now).await?;
    channel_store::forget_hours(&mut tx, hour_of(now) - 2 * HISTORY_HOURS).await?;
    chat::outbox_store::forget_heard(&mut tx, now.minus(KEEP_HEARD)).await?;
    web::store::sweep(&mut tx, now, now.minus(web::throttle::WINDOW.max(chat::bind::TRIES_WITHIN))).await?;
    let machine_now = crate::clock::Clock::System.now();
    let gone = queue::clean(&mut tx, machine_now.minus(KEEP_WORK)).await?;
    tx.commit().await?;
    if gone > 0 {
        tracing::debug!(gone, "finished work cleaned away");
    }
    Ok(())
}
