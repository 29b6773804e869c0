//! Time as it is told: one `now` is read at the top of a job or a request and handed down.
//!
//! The database keeps milliseconds since the Unix epoch in UTC; a person reads wall-clock time in Europe/Stockholm.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A moment: milliseconds since the Unix epoch, UTC.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize, sqlx::Type,
)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct Time(pub i64);

impl Time {
    /// The moment of a jiff timestamp, cut to whole milliseconds.
    #[must_use]
    pub fn of(timestamp: Timestamp) -> Self {
        Self(timestamp.as_millisecond())
    }

    /// As a jiff timestamp; a number outside jiff's range (year ±9999) becomes the nearest end of it.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 { Timestamp::MIN } else { Timestamp::MAX })
    }

    /// As wall-clock time in a zone.
    #[must_use]
    pub fn zoned(self, zone: &TimeZone) -> jiff::ZonedDateTime {
        self.timestamp().to_zoned_datetime(zone.clone())
    }

    /// This moment and `span` more; saturates.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// This moment less `span`; saturates.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// How long from `earlier` to this; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads RFC 3339 (with offset or Z).
    ///
    /// # Errors
    /// When the text is no such time.
    pub fn parse(text: &str) -> Result<Self, jiff::Error> {
        text.parse::<Timestamp>().map(Self::of)
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Time {
    /// RFC 3339 in UTC, to the second.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}", self.timestamp())
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.timestamp())
    }
}

/// Where `now` comes from. An enum, because there are three clocks and no fourth.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's own.
    System,
    /// The machine's own, run faster from a chosen start: the demo's day in two minutes.
    Scaled {
        /// Real time when the clock was started.
        started: Time,
        /// Told time at that moment.
        origin: Time,
        /// Told seconds for each real second.
        factor: u32,
    },
    /// Told by a test.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that tells `origin` now and runs `factor` times as fast as the machine's.
    #[must_use]
    pub fn scaled(origin: Time, factor: u32) -> Self {
        Self::Scaled { started: machine_now(), origin, factor: factor.max(1) }
    }

    /// A clock for a rehearsal, the same in every process and after every restart: `REAL=TOLDxFACTOR`, where at the
    /// machine's time REAL it was TOLD (both RFC 3339), and FACTOR told seconds pass in each real one.
    #[must_use]
    pub fn rehearsal(text: &str) -> Option<Self> {
        let (real, rest) = text.split_once('=')?;
        let (told, factor) = rest.rsplit_once('x')?;
        let factor = factor.parse().ok().filter(|factor| (1..=10_000).contains(factor))?;
        Some(Self::Scaled { started: Time::parse(real).ok()?, origin: Time::parse(told).ok()?, factor })
    }

    /// A clock that stands still until it is moved.
    #[must_use]
    pub fn manual(now: Time) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(now.0)))
    }

    /// The moment it is.
    #[must_use]
    pub fn now(&self) -> Time {
        match self {
            Self::System => machine_now(),
            Self::Scaled { started, origin, factor } => {
                Time(origin.0 + (machine_now().0 - started.0) * i64::from(*factor))
            }
            Self::Manual(now) => Time(now.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock; the others are not ours to move and stay as they are.
    pub fn set(&self, to: Time) {
        if let Self::Manual(now) = self {
            now.store(to.0, Ordering::SeqCst);
        }
    }

    /// How much told time passes while this machine waits for `real`: leases and pauses last as long as the machine does.
    #[must_use]
    pub fn told(&self, real: Duration) -> Duration {
        match self {
            Self::Scaled { factor, .. } => real.saturating_mul(*factor),
            Self::System | Self::Manual(_) => real,
        }
    }

    /// How long a sleeper on this machine must wait for `told` time to pass.
    #[must_use]
    pub fn real(&self, told: Duration) -> Duration {
        match self {
            Self::Scaled { factor, .. } => told / *factor,
            Self::System | Self::Manual(_) => told,
        }
    }
}

/// How long to wait before one tries again: `first`, doubled so many times, at most `most`.
#[must_use]
pub fn doubled(first: Duration, times: u32, most: Duration) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(times)).min(most)
}

#[expect(clippy::disallowed_methods, reason = "the one place where the machine's clock is read")]
fn machine_now() -> Time {
    Time::of(Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_doubles_to_its_bound_however_often_it_is_doubled() {
        let waits = [0, 1, 3, 31, u32::MAX].map(|times| doubled(Duration::from_secs(5), times, Duration::from_mins(1)));
        assert_eq!(waits.map(|wait| wait.as_secs()), [5, 10, 40, 60, 60]);
    }

    #[test]
    fn a_time_reads_back_as_it_was_written() {
        let time = Time::parse("2026-11-23T08:00:00+01:00").unwrap();
        assert_eq!(time.to_string(), "2026-11-23T07:00:00Z");
    }

    #[test]
    fn a_time_outside_the_calendar_is_the_nearest_end_of_it() {
        assert_eq!(Time(i64::MAX).timestamp(), Timestamp::MAX);
        assert_eq!(Time(i64::MIN).timestamp(), Timestamp::MIN);
    }

    #[test]
    fn a_rehearsal_tells_the_same_time_in_every_process() {
        let text = "2026-11-23T22:00:00Z=2026-11-23T08:00:00+01:00x60";
        let Some(Clock::Scaled { started, origin, factor }) = Clock::rehearsal(text) else { panic!("not read") };
        assert_eq!(
            (started.to_string(), origin.to_string(), factor),
            ("2026-11-23T22:00:00Z".into(), "2026-11-23T07:00:00Z".into(), 60)
        );
        assert!(
            Clock::rehearsal("soon").is_none()
                && Clock::rehearsal("2026-11-23T22:00:00Z=2026-11-23T08:00:00Zx0").is_none()
        );
    }

    #[test]
    fn a_manual_clock_stands_still_until_it_is_moved() {
        let clock = Clock::manual(Time(1_000));
        assert_eq!(clock.now(), Time(1_000));
        clock.set(Time(2_000));
        assert_eq!(clock.now(), Time(2_000));
    }
}
