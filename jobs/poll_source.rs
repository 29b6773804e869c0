//! Reads one source, hears its posts, and keeps those that are about us. Cursor, posts and the next job are one
//! transaction: killed at any line, the source is read again from where it stopped.

use std::time::Duration;

use crate::app::App;
use crate::clock::Time;
use crate::db::Tx;
use crate::id::SourceId;
use crate::jobs::keep_posts::{self, From};
use crate::jobs::watch_over::{self, Planned};
use crate::jobs::{Job, TIMETABLE_BELL, WEB_BELL, deliver_messages, turn_health};
use crate::journal::{self, Fact};
use crate::source::health::Verdict;
use crate::source::store::{Reading, SourceRow};
use crate::source::{self, Cursor, Health, Poll, PollError, Thread, channel_store};

/// How long (real) a reading may take as a whole, with all that it asks for; then it is given up.
pub const LONGEST: Duration = Duration::from_secs(90);
/// How long (real) one process has a source for itself: the longest reading, and time to write down what it gave. A
/// shorter one would let another process ask the same source at the same time.
const LEASE: Duration = Duration::from_mins(2);

/// How often a source is read that the configuration has just forgotten.
const DEFAULT_INTERVAL: Duration = Duration::from_mins(30);

/// How many watched threads are asked for in one reading: each is a question of its own.
const THREADS: i64 = 5;
/// How often (told) a watched thread is read again.
const THREAD_EVERY: Duration = Duration::from_mins(30);

/// Reads the source if it is still due and free.
///
/// # Errors
/// What the database says; what the source says is written down as its health.
pub async fn run(app: &App, id: SourceId, now: Time) -> anyhow::Result<()> {
    let mut tx = app.db.write().await?;
    let until = now.plus(app.clock.told(LEASE));
    let Some(row) = source::store::claim(&mut tx, id, &app.holder, now, until).await? else { return Ok(()) };
    let threads = channel_store::due_threads(&mut tx, id, now, THREADS).await?;
    tx.commit().await?;

    let cursor = Cursor(serde_json::from_str(&row.cursor).unwrap_or_default());
    let threads: Vec<Thread> = threads.into_iter().map(|(root, local_id)| Thread { root, local_id }).collect();
    let outcome = within(LONGEST, app.read_source(&row, &cursor, &threads, now)).await;
    let now = app.clock.now();
    write_down(app, &row, outcome, now).await
}

/// The reading, or that it took too long.
async fn within(longest: Duration, reading: impl Future<Output = Result<Poll, PollError>>) -> Result<Poll, PollError> {
    let late = || Err(PollError::Unreachable("det tog för lång tid".to_owned()));
    tokio::time::timeout(longest, reading).await.unwrap_or_else(|_| late())
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
        facts.extend(keep_posts::take_away(&mut tx, from, &row.channel, &poll.gone, now).await?);
        for bounce in &poll.bounces {
            facts.extend(deliver_messages::bounced(app, &mut tx, bounce, now).await?);
        }
        if poll.missed > 0 {
            let body = serde_json::json!({ "source": row.key, "items": poll.missed });
            facts.push(Fact {
                at: now,
                actor: "lyhord".to_owned(),
                kind: "source.missed",
                case: None,
                mention: None,
                body,
            });
        }
        for root in &poll.threads_read {
            channel_store::thread_read(&mut tx, &row.channel, root, now.plus(THREAD_EVERY)).await?;
        }
    }
    let planned = Planned { source: row.id, at: row.next_poll_at, interval, failures: row.failures };
    let verdict = watched_over(&mut tx, row, planned, &outcome, verdict, now).await?;
    let reading = Reading {
        id: row.id,
        holder: &app.holder,
        cursor: cursor.as_deref(),
        next_poll_at,
        failures,
        health: verdict.health.slug(),
        health_since: turn_health::since(row, verdict.health, now),
        health_why: &verdict.why,
        ok_at: outcome.is_ok().then_some(now),
        item_at: (new > 0).then_some(now),
        moved_to: outcome.as_ref().ok().and_then(|poll| poll.moved_to.as_deref()),
        gone_at: matches!(outcome, Err(PollError::Gone)).then_some(now),
    };
    if !source::store::settle(&mut tx, &reading).await? {
        tracing::warn!(source = %row.key, "another process read this source meanwhile; our reading is dropped");
        return Ok(());
    }
    facts.extend(turn_health::turned(&mut tx, row, &verdict, now).await?);
    if verdict.health == previous && verdict.health >= Health::Blind {
        // Who keeps the system may not have been told of it yet.
        Job::WarnKeepers.enqueue(&mut tx, now).await?;
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

/// Writes the log of supervision and listens for silence; a well source that is too quiet is called disturbed.
async fn watched_over(
    tx: &mut Tx,
    row: &SourceRow,
    planned: Planned,
    outcome: &Result<Poll, PollError>,
    verdict: Verdict,
    now: Time,
) -> sqlx::Result<Verdict> {
    let Ok(poll) = outcome else { return Ok(verdict) };
    if verdict.health == Health::Blind {
        return Ok(verdict); // it answered, but nobody saw
    }
    watch_over::seen(tx, planned, now).await?;
    let items = watch_over::count_posts(tx, row.id, &poll.posts, now).await?;
    if items > 0 && row.quiet_since.is_none() {
        return Ok(verdict);
    }
    let (quiet, changed) = watch_over::listen_for_silence(tx, row.id, row.quiet_since, now).await?;
    if changed {
        Job::WarnKeepers.enqueue(tx, now).await?;
    }
    Ok(match quiet {
        Some(found) if verdict.health == Health::Ok => {
            Verdict { health: Health::Degraded, why: watch_over::quiet_text(found) }
        }
        _ => verdict,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_held_longer_than_the_longest_reading_and_the_writing_down_of_it() {
        const WRITING: Duration = Duration::from_secs(30);
        assert!(LEASE >= LONGEST + WRITING, "{LEASE:?} {LONGEST:?}");
    }

    #[tokio::test]
    async fn a_reading_that_never_ends_is_given_up() {
        let outcome = within(Duration::from_millis(5), std::future::pending()).await;
        assert!(matches!(outcome, Err(PollError::Unreachable(_))), "{outcome:?}");
        assert!(within(LONGEST, async { Ok(Poll::default()) }).await.is_ok());
    }
}
