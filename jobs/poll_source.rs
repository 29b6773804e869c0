//! Reads one source, hears its posts, and keeps those that are about us. Cursor, posts and the next job are one
//! transaction: killed at any line, the source is read again from where it stopped.

use std::time::Duration;

use crate::app::App;
use crate::clock::Time;
use crate::id::SourceId;
use crate::jobs::keep_posts::{self, From};
use crate::jobs::{TIMETABLE_BELL, WEB_BELL};
use crate::journal::{self, Fact};
use crate::source::store::{Reading, SourceRow};
use crate::source::{self, Cursor, Health, Poll, PollError};

/// How long (real) one process has a source for itself: longer than the longest fetch.
const LEASE: Duration = Duration::from_secs(90);

/// How often a source is read that the configuration has just forgotten.
const DEFAULT_INTERVAL: Duration = Duration::from_mins(30);

/// Reads the source if it is still due and free.
///
/// # Errors
/// What the database says; what the source says is written down as its health.
pub async fn run(app: &App, id: SourceId, now: Time) -> anyhow::Result<()> {
    let mut tx = app.db.write().await?;
    let until = now.plus(app.clock.told(LEASE));
    let Some(row) = source::store::claim(&mut tx, id, &app.holder, now, until).await? else { return Ok(()) };
    tx.commit().await?;

    let cursor = Cursor(serde_json::from_str(&row.cursor).unwrap_or_default());
    let outcome = app.read_source(&row, &cursor, now).await;
    let now = app.clock.now();
    write_down(app, &row, outcome, now).await
}

async fn write_down(app: &App, row: &SourceRow, outcome: Result<Poll, PollError>, now: Time) -> anyhow::Result<()> {
    let failures = match &outcome {
        Ok(_) => 0,
        Err(PollError::Busy) => row.failures,
        Err(_) => row.failures + 1,
    };
    let previous = Health::from_slug(&row.health);
    let failures_u32 = u32::try_from(failures).unwrap_or(u32::MAX);
    let verdict = source::health::judge(previous, &outcome, failures_u32, row.last_ok_at, now);
    let (health, why) = (verdict.health, verdict.why);
    let interval = app.setting(&row.key).map_or(DEFAULT_INTERVAL, |setting| setting.interval);
    let seed = row.id.0.unsigned_abs();
    let next_poll_at =
        source::politeness::next_poll(&outcome, interval, failures_u32, seed, now).unwrap_or(row.next_poll_at);
    let cursor = outcome.as_ref().ok().map(|poll| poll.cursor.0.to_string());

    let mut tx = app.db.write().await?;
    let mut facts = Vec::new();
    let mut new = 0;
    if let Ok(poll) = &outcome {
        let from = From { source: row.id, key: &row.key, imported: false };
        let kept = keep_posts::keep(app, &mut tx, from, &poll.posts, now).await?;
        new = kept.new;
        facts.extend(kept.facts);
    }
    let reading = Reading {
        id: row.id,
        holder: &app.holder,
        cursor: cursor.as_deref(),
        next_poll_at,
        failures,
        health: health.slug(),
        health_since: if health == previous { row.health_since } else { now },
        health_why: &why,
        ok_at: outcome.is_ok().then_some(now),
        item_at: (new > 0).then_some(now),
        moved_to: outcome.as_ref().ok().and_then(|poll| poll.moved_to.as_deref()),
        enabled: !matches!(outcome, Err(PollError::Gone)),
    };
    if !source::store::settle(&mut tx, &reading).await? {
        tracing::warn!(source = %row.key, "another process read this source meanwhile; our reading is dropped");
        return Ok(());
    }
    if health != previous {
        let body = serde_json::json!({ "source": row.key, "from": previous.slug(), "to": health.slug() });
        facts.push(Fact {
            at: now,
            actor: "lyhord".to_owned(),
            kind: "source.health",
            case: None,
            mention: None,
            body,
        });
        tracing::warn!(source = %row.key, from = previous.slug(), to = health.slug(), "source health changed: {why}");
    }
    if let Err(fault) = &outcome {
        tracing::info!(source = %row.key, failures, next = %next_poll_at, "source not read: {fault}");
    }
    tx.ring_on_commit(TIMETABLE_BELL);
    tx.ring_on_commit(WEB_BELL);
    journal::append(&mut tx, &facts).await?;
    tx.commit().await?;
    Ok(())
}
