//! Reads the iCal feeds that say when staff are away, politely: conditional, bounded, and slower while they fail. The
//! address of a feed is a secret: it is read from the configuration, and stands in no row, log line or page.

use std::time::Duration;

use crate::app::{App, wake};
use crate::assignment::absence_feed_store::{self, FeedRow};
use crate::assignment::{self, Organisation, ical};
use crate::clock::{Time, doubled};
use crate::db::Tx;
use crate::jobs::{Job, TIMETABLE_BELL, WEB_BELL};
use crate::journal::{self, Fact};

/// Feeds that one piece of work reads.
const AT_A_TIME: i64 = 20;
/// How often a feed is read: who falls ill in the morning is seen to be away within the half hour.
const EVERY: Duration = Duration::from_mins(30);
/// The longest pause between readings of a feed that fails.
const LONGEST: Duration = Duration::from_hours(24);
/// A reader has a feed for itself this long.
const LEASE: Duration = Duration::from_mins(5);
/// How far back an absence may have begun and still be read: parental leave.
const BACK: Duration = Duration::from_hours(24 * 400);
/// How far ahead absences are read.
const AHEAD: Duration = Duration::from_hours(24 * 400);

/// What a reading came to.
enum Outcome {
    /// Times away.
    Read(ical::Reading, Option<String>, Option<String>),
    /// Nothing new.
    Same,
    /// Nothing, and why; perhaps when the server wants to be asked again.
    Failed(String, Option<Duration>),
}

/// Reads feeds that are due; enqueues itself when there may be more.
///
/// # Errors
/// What the database says.
pub async fn run(app: &App, now: Time) -> anyhow::Result<()> {
    let mut tx = app.db.write().await?;
    let feeds = absence_feed_store::claim_feeds(&mut tx, now, now.plus(LEASE), AT_A_TIME).await?;
    tx.commit().await?;
    let full = feeds.len() == usize::try_from(AT_A_TIME).unwrap_or(usize::MAX);
    for feed in feeds {
        let outcome = read(app, &feed, now).await;
        let mut tx = app.db.write().await?;
        write(&mut tx, &app.config.organisation, feed, outcome, now).await?;
        tx.ring_on_commit(TIMETABLE_BELL);
        tx.commit().await?;
    }
    if full {
        let mut tx = app.db.write().await?;
        Job::ReadAbsences.enqueue(&mut tx, now).await?;
        tx.commit().await?;
    }
    Ok(())
}

async fn read(app: &App, feed: &FeedRow, now: Time) -> Outcome {
    let staff = app.config.organisation.staff_at(&feed.staff, now);
    let Some((address, counts)) =
        staff.and_then(|staff| staff.absence_feed.as_deref().map(|at| (at, staff.absence_feed_counts)))
    else {
        return Outcome::Failed("Flödet står inte längre i inställningarna.".to_owned(), Some(LONGEST));
    };
    let asked = app.fetch_calendar(address, feed.etag.as_deref(), feed.last_modified.as_deref()).await;
    let Ok(fetched) = asked else { return Outcome::Failed("Servern svarar inte.".to_owned(), None) };
    if fetched.not_modified {
        return Outcome::Same;
    }
    if !(200..300).contains(&fetched.status) {
        let wait = fetched.retry_after.as_deref().and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        let why = match fetched.status {
            401 | 403 => "Adressen gäller inte längre: dela kalendern på nytt.".to_owned(),
            404 | 410 => "Kalendern finns inte kvar på adressen.".to_owned(),
            429 => "Servern vill bli frågad mer sällan.".to_owned(),
            status => format!("Servern svarade med fel {status}."),
        };
        return Outcome::Failed(why, wait);
    }
    let text = String::from_utf8_lossy(&fetched.body);
    match ical::read(&text, counts, now.minus(BACK), now.plus(AHEAD)) {
        Ok(reading) => Outcome::Read(reading, fetched.etag, fetched.last_modified),
        Err(ical::FeedError::TooLarge) => Outcome::Failed("Kalendern är för stor.".to_owned(), None),
        Err(ical::FeedError::NotCalendar) => {
            Outcome::Failed("Adressen gav ingen kalender, kanske en inloggningssida.".to_owned(), None)
        }
    }
}

async fn write(
    tx: &mut Tx,
    organisation: &Organisation,
    mut feed: FeedRow,
    outcome: Outcome,
    now: Time,
) -> sqlx::Result<()> {
    let mut changed = 0;
    match outcome {
        Outcome::Same => (feed.failures, feed.last_ok_at, feed.why) = (0, Some(now), String::new()),
        Outcome::Read(reading, etag, last_modified) => {
            changed = compare(tx, &feed.staff, &reading, now).await?;
            (feed.etag, feed.last_modified) = (etag, last_modified);
            (feed.failures, feed.last_ok_at) = (0, Some(now));
            feed.why = reading.remarks.iter().next().cloned().unwrap_or_default();
        }
        Outcome::Failed(why, wait) => {
            feed.failures += 1;
            feed.why = why;
            let ours = doubled(EVERY, u32::try_from(feed.failures).unwrap_or(u32::MAX), LONGEST);
            feed.next_poll_at = now.plus(wait.map_or(ours, |asked| asked.max(ours).min(LONGEST)));
        }
    }
    if feed.failures == 0 {
        feed.next_poll_at = now.plus(EVERY);
    } else {
        tracing::warn!(staff = %feed.staff, failures = feed.failures, "an absence feed gave nothing: {}", feed.why);
    }
    absence_feed_store::feed_read(tx, &feed).await?;
    if changed > 0 {
        wake::around(tx, organisation, &feed.staff, now).await?;
        let body = serde_json::json!({ "staff": feed.staff, "changed": changed });
        let fact = Fact { at: now, actor: "lyhord".to_owned(), kind: "absence.feed", case: None, mention: None, body };
        journal::append(tx, &[fact]).await?;
        tx.ring_on_commit(WEB_BELL);
    }
    Ok(())
}

/// Makes the absences that the feed has told what it tells now. Returns how many changed.
async fn compare(tx: &mut Tx, staff: &str, reading: &ical::Reading, now: Time) -> sqlx::Result<usize> {
    let known = assignment::store::told_by_feed(tx, staff, now).await?;
    let mut changed = 0;
    let told: Vec<_> = reading.spells.iter().filter(|spell| spell.until > now).collect();
    for (id, from, until) in &known {
        match told.iter().find(|spell| spell.from == *from) {
            Some(spell) if spell.until == *until => {}
            Some(spell) => {
                assignment::store::last_until(tx, *id, spell.until).await?;
                changed += 1;
            }
            None => {
                assignment::store::end_absence(tx, *id, staff, now).await?;
                changed += 1;
            }
        }
    }
    for spell in told.iter().filter(|spell| !known.iter().any(|(_, from, _)| *from == spell.from)) {
        assignment::store::put_told(tx, staff, spell.from, spell.until).await?;
        changed += 1;
    }
    Ok(changed)
}
