//! What every reading leaves behind besides its posts: a line in the log of supervision, a number an hour, and a word
//! when the source is quieter than it uses to be. In the transaction of the reading.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::calendar::stockholm;
use crate::calendar::words::moment_text;
use crate::clock::Time;
use crate::db::Tx;
use crate::id::SourceId;
use crate::source::rhythm::{self, HISTORY_HOURS, HOUR_MS, TooQuiet, hour_of};
use crate::source::supervision::{Stretch, continues};
use crate::source::{Post, channel_store};

/// The most stretches that a rhythm is read with: a source that is lost more often than ten times a day has none.
const STRETCHES: i64 = 600;

/// When a reading was to come, and how it went before.
#[derive(Debug, Clone, Copy)]
pub struct Planned {
    /// Which source.
    pub source: SourceId,
    /// When the reading was to come.
    pub at: Time,
    /// How long there should be between two.
    pub interval: Duration,
    /// How many came to nothing since the last good one.
    pub failures: i64,
}

/// Writes down that a source was seen at `now`.
///
/// # Errors
/// What the database says.
pub async fn seen(tx: &mut Tx, planned: Planned, now: Time) -> sqlx::Result<()> {
    match channel_store::latest_stretch(tx, planned.source).await? {
        Some((id, until)) if continues(until, planned.at, planned.interval, planned.failures, now) => {
            channel_store::lengthen_stretch(tx, id, now).await
        }
        _ => channel_store::begin_stretch(tx, planned.source, now).await,
    }
}

/// Counts what is new among the posts, by the hour in which it was written. Returns how many are.
///
/// # Errors
/// What the database says.
pub async fn count_posts(tx: &mut Tx, source: SourceId, posts: &[Post], now: Time) -> sqlx::Result<i64> {
    let before = channel_store::newest(tx, source).await?;
    let oldest = Time(now.0 - HISTORY_HOURS * HOUR_MS);
    let mut hours: BTreeMap<i64, i64> = BTreeMap::new();
    let mut newest = None;
    for at in posts.iter().filter_map(|post| post.authored_at).filter(|at| *at <= now && *at >= oldest) {
        if before.is_none_or(|before| at > before) {
            *hours.entry(hour_of(at)).or_default() += 1;
            newest = newest.max(Some(at));
        }
    }
    if let Some(newest) = newest {
        channel_store::set_newest(tx, source, newest).await?;
    }
    let mut items = 0;
    for (hour, n) in hours {
        channel_store::add_items(tx, source, hour, n).await?;
        items += n;
    }
    Ok(items)
}

/// Whether the source is too quiet, and writes down when that has changed: `(found, changed)`.
///
/// # Errors
/// What the database says.
pub async fn listen_for_silence(
    tx: &mut Tx,
    source: SourceId,
    known: Option<Time>,
    now: Time,
) -> sqlx::Result<(Option<TooQuiet>, bool)> {
    let hours = channel_store::hours(tx, source, hour_of(now) - HISTORY_HOURS).await?;
    let since = Time(now.0 - HISTORY_HOURS * HOUR_MS);
    let stretches = channel_store::stretches(tx, source, since, STRETCHES).await?;
    // Before we kept a log, what the source showed of earlier days counts as read.
    let log_begins = stretches.first().map_or(i64::MAX, |stretch| hour_of(stretch.from));
    let found = rhythm::too_quiet(&hours, |hour| hour < log_begins || covers(&stretches, hour), now);
    let quiet_since = found.map(|found| found.since);
    let changed = quiet_since.is_some() != known.is_some();
    if changed {
        channel_store::set_quiet(tx, source, quiet_since).await?;
    }
    Ok((found, changed))
}

fn covers(stretches: &[Stretch], hour: i64) -> bool {
    let (from, until) = (Time(hour * HOUR_MS), Time((hour + 1) * HOUR_MS));
    stretches.iter().any(|stretch| stretch.from < until && stretch.until >= from)
}

/// What is said of a source that is too quiet.
#[must_use]
pub fn quiet_text(found: TooQuiet) -> String {
    let usual = match found.loud_of_ten {
        0 => "Källan brukar höras regelbundet".to_owned(),
        n => format!("Källan brukar ha något nytt i {n} av tio timmar"),
    };
    format!(
        "{usual} men har varit tyst sedan {}. Den svarar som den ska, så vi läser vidare. Kontrollera att den inte har \
         bytt adress eller slutat.",
        moment_text(found.since, &stockholm())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_read_when_a_stretch_touches_it() {
        let stretches = [Stretch { from: Time(HOUR_MS / 2), until: Time(2 * HOUR_MS), readings: 3 }];
        let read: Vec<bool> = (0..4).map(|hour| covers(&stretches, hour)).collect();
        assert_eq!(read, [true, true, true, false]);
    }
}
