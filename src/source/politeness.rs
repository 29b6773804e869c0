//! When to ask again: never sooner than agreed, later when the source says so, ever later while it fails.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::clock::{Time, doubled};
use crate::source::{Poll, PollError, dates};

/// No source is asked more often, not even our own on the next shelf.
const FLOOR: Duration = Duration::from_mins(1);
/// Nothing, neither a server's wish nor our own back-off, keeps us away longer: so a source that has come back is
/// found within a day, and a Retry-After of ten years is not a way to silence one.
const CAP: Duration = Duration::from_hours(24);
/// When it was our own queue at the host that was long.
const BUSY: Duration = Duration::from_mins(1);
/// A tenth is added at most, so that sources that began together do not come together for ever.
const JITTER_DIVISOR: u64 = 10;

/// When the source should be read next; `None` when it is gone for good and a person must say otherwise.
///
/// `failures` counts those in a row, this one included; `seed` is the source's own number, so that the sources of one
/// host spread and each keeps its place.
#[must_use]
pub fn next_poll(
    outcome: &Result<Poll, PollError>,
    interval: Duration,
    failures: u32,
    seed: u64,
    now: Time,
) -> Option<Time> {
    let interval = interval.clamp(FLOOR, CAP);
    let wait = match outcome {
        Ok(poll) => poll.wait.unwrap_or_default().max(interval),
        Err(PollError::Gone) => return None,
        Err(PollError::Busy) => BUSY,
        Err(PollError::RateLimited { retry_after }) => {
            retry_after.unwrap_or_default().max(back_off(interval, failures))
        }
        Err(PollError::Refused(_)) => CAP,
        Err(_) => back_off(interval, failures),
    };
    let wait = wait.min(CAP);
    let next = now.plus(wait + jitter(wait, seed));
    match outcome {
        Ok(poll) => Some(outside(next, &poll.skip_hours)),
        Err(_) => Some(next),
    }
}

/// The interval, doubled for each failure after the first.
fn back_off(interval: Duration, failures: u32) -> Duration {
    doubled(interval, failures.saturating_sub(1), CAP)
}

/// Zero to a tenth of `wait`, always the same for the same seed.
fn jitter(wait: Duration, seed: u64) -> Duration {
    // SplitMix64: neighbouring numbers land far apart.
    let mut x = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let most = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX) / JITTER_DIVISOR;
    Duration::from_millis((x ^ (x >> 31)) % most.saturating_add(1))
}

/// The first moment from `time` on that is in none of the hours (UTC) that the feed wants to sleep.
fn outside(time: Time, skip_hours: &[u8]) -> Time {
    const HOUR: Duration = Duration::from_hours(1);
    let hour_of = |time: Time| u8::try_from(time.zoned(&TimeZone::UTC).hour()).unwrap_or(0);
    let mut found = time;
    // A feed that sleeps all 24 hours is not believed.
    for _ in 0..24 {
        if !skip_hours.contains(&hour_of(found)) {
            return found;
        }
        found = found.plus(HOUR);
    }
    time
}

/// A `Retry-After`: seconds, or a date, which in the past is no wait at all.
#[must_use]
pub fn retry_after(value: &str, now: Time) -> Option<Duration> {
    let value = value.trim();
    match value.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => dates::read(value).map(|until| until.since(now)),
    }
}

/// How long an answer is still good by its `Cache-Control` and `Expires`; none when it must not be kept.
#[must_use]
pub fn fresh_for(cache_control: Option<&str>, expires: Option<&str>, now: Time) -> Option<Duration> {
    let mut max_age = None;
    for directive in cache_control.unwrap_or_default().split(',').map(str::trim) {
        if directive.eq_ignore_ascii_case("no-store") || directive.eq_ignore_ascii_case("no-cache") {
            return None;
        }
        let Some((name, value)) = directive.split_once('=') else { continue };
        if name.eq_ignore_ascii_case("max-age") {
            max_age = value.trim_matches('"').parse().ok().map(Duration::from_secs);
        }
    }
    // max-age goes before Expires (RFC 9111, 5.3); an Expires that is no date ("0") is one in the past.
    max_age.or_else(|| expires.and_then(dates::read).map(|until| until.since(now))).filter(|fresh| !fresh.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60;

    fn now() -> Time {
        Time::parse("2026-11-23T08:00:00Z").unwrap()
    }

    fn minutes(outcome: &Result<Poll, PollError>, failures: u32) -> u64 {
        let next = next_poll(outcome, Duration::from_secs(15 * MINUTE), failures, 7, now()).unwrap();
        next.since(now()).as_secs() / MINUTE
    }

    fn down() -> Result<Poll, PollError> {
        Err(PollError::Unreachable("503".to_owned()))
    }

    #[test]
    fn a_source_that_fails_is_asked_ever_more_seldom_and_at_least_once_a_day() {
        let waits: Vec<u64> = (1..=9).map(|failures| minutes(&down(), failures)).collect();
        for (pair, bound) in waits.windows(2).zip(1..) {
            assert!(pair[1] > pair[0] || bound > 7, "{waits:?}");
        }
        assert!((15..=16).contains(&waits[0]), "{waits:?}");
        assert!(minutes(&down(), u32::MAX) <= 24 * 60 * 11 / 10, "{waits:?}");
    }

    #[test]
    fn a_source_that_recovers_is_at_once_back_to_its_interval() {
        assert!(minutes(&down(), 8) > 1_000);
        assert!((15..=16).contains(&minutes(&Ok(Poll::default()), 0)));
    }

    #[test]
    fn what_the_server_asks_for_lengthens_the_wait_and_never_shortens_it() {
        let asks =
            |seconds| minutes(&Err(PollError::RateLimited { retry_after: Some(Duration::from_secs(seconds)) }), 1);
        assert!(asks(3_600) >= 60);
        assert!(asks(1) >= 15);
        assert!(asks(u64::MAX) <= 24 * 60 * 11 / 10);
        let poll = Poll { wait: Some(Duration::from_hours(2)), ..Poll::default() };
        assert!(minutes(&Ok(poll), 0) >= 120);
    }

    #[test]
    fn what_is_gone_is_never_asked_again() {
        assert_eq!(next_poll(&Err(PollError::Gone), FLOOR, 1, 7, now()), None);
    }

    #[test]
    fn a_feed_is_left_in_peace_in_the_hours_it_sleeps_unless_it_always_sleeps() {
        let poll = |skip_hours: Vec<u8>| Poll { skip_hours, ..Poll::default() };
        let next = |poll| next_poll(&Ok(poll), Duration::from_secs(15 * MINUTE), 0, 7, now()).unwrap();
        assert!((10..11).contains(&next(poll(vec![8, 9])).zoned(&TimeZone::UTC).hour()));
        assert!(next(poll((0..24).collect())).since(now()).as_secs() < 20 * MINUTE);
    }

    #[test]
    fn sources_that_began_together_spread() {
        let next = |seed| next_poll(&down(), Duration::from_hours(1), 1, seed, now()).unwrap();
        let mut all: Vec<Time> = (0..50).map(next).collect();
        all.sort();
        all.dedup();
        assert!(all.len() > 45);
        let waits = |next: &Time| next.since(now());
        assert!(all.iter().all(|next| waits(next) >= Duration::from_hours(1)), "never sooner than agreed");
        assert!(all.iter().all(|next| waits(next) <= Duration::from_mins(66)), "at most a tenth later");
        assert_eq!(next(3), next(3));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_a_past_date_is_no_wait() {
        assert_eq!(retry_after(" 120 ", now()), Some(Duration::from_mins(2)));
        assert_eq!(retry_after("Mon, 23 Nov 2026 09:00:00 GMT", now()), Some(Duration::from_hours(1)));
        assert_eq!(retry_after("Mon, 23 Nov 2020 09:00:00 GMT", now()), Some(Duration::ZERO));
        assert_eq!(retry_after("-5", now()), None);
        assert_eq!(retry_after("snart", now()), None);
    }

    #[test]
    fn max_age_goes_before_expires_and_no_cache_before_both() {
        let date = Some("Mon, 23 Nov 2026 09:00:00 GMT");
        assert_eq!(fresh_for(Some("public, max-age=600"), date, now()), Some(Duration::from_mins(10)));
        assert_eq!(fresh_for(None, date, now()), Some(Duration::from_hours(1)));
        assert_eq!(fresh_for(Some("no-cache, max-age=600"), date, now()), None);
        assert_eq!(fresh_for(None, Some("0"), now()), None);
    }
}
