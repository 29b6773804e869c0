//! Is a source too quiet? Judged by its own rhythm: how often it used to say something at this hour of such a day.
//!
//! Only numbers of items an hour are kept. An hour counts as loud or silent, however much was said in it, so that a
//! burst does not make the ordinary look like silence. The chance that the source would be silent through all the hours
//! since it last said something is the product of its chances to be silent in each; a night in which it never speaks
//! multiplies by nearly one, so that night and weekend raise no alarm.

use jiff::civil::Weekday;

use crate::calendar::stockholm;
use crate::clock::Time;

/// Milliseconds of an hour.
pub const HOUR_MS: i64 = 3_600_000;
/// Hours of history that are looked at: twelve weeks, so that a holiday does not make the rule and one who speaks once a
/// week has a rhythm too.
pub const HISTORY_HOURS: i64 = 12 * 7 * 24;
/// Fewer hours of history than two weeks have no rhythm.
const HISTORY_LEAST: i64 = 14 * 24;
/// Fewer loud hours than this are not a source that usually talks.
const LOUD_LEAST: usize = 12;
/// No alarm before so many silent hours, however lively the source.
const SILENT_LEAST: i64 = 6;
/// Alarm when a silence like this would come about less often than once in ten thousand: once in some years a source.
const CHANCE: f64 = 1e-4;

/// How much one hour said. `hour` is hours since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    /// Which hour.
    pub hour: i64,
    /// Items in it.
    pub items: i64,
}

/// A silence that is not like the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooQuiet {
    /// The last hour in which it said something ended then.
    pub since: Time,
    /// How many of ten such hours it used to say something, all hours of its week together.
    pub loud_of_ten: u8,
}

/// The hour that a moment is in.
#[must_use]
pub fn hour_of(at: Time) -> i64 {
    at.0.div_euclid(HOUR_MS)
}

/// Whether a source is too quiet at `now`. `hours` are those in which it said something, in any order; `watched` says
/// whether we were reading it in an hour: what we did not read is no silence.
#[must_use]
pub fn too_quiet(hours: &[Hour], watched: impl Fn(i64) -> bool, now: Time) -> Option<TooQuiet> {
    let this = hour_of(now);
    let first = this - HISTORY_HOURS;
    let mut loud: Vec<i64> =
        hours.iter().filter(|hour| hour.items > 0 && (first..=this).contains(&hour.hour)).map(|h| h.hour).collect();
    loud.sort_unstable();
    loud.dedup();
    let (earliest, last) = (*loud.first()?, *loud.last()?);
    if loud.len() < LOUD_LEAST || last - earliest < HISTORY_LEAST || this - last < SILENT_LEAST {
        return None;
    }
    let profile = Profile::of(&loud, earliest, last, &watched);
    let mut chance = 1.0_f64;
    // The present hour has not ended and says nothing yet.
    for hour in (last + 1..this).filter(|hour| watched(*hour)) {
        chance *= 1.0 - profile.loud(hour);
    }
    (chance < CHANCE).then(|| TooQuiet { since: Time((last + 1) * HOUR_MS), loud_of_ten: profile.of_ten() })
}

/// For each hour of a working day and of a free day: how many such hours were read, and how many of them were loud.
struct Profile {
    seen: [[f64; 24]; 2],
    loud: [[f64; 24]; 2],
}

impl Profile {
    fn of(loud: &[i64], earliest: i64, last: i64, watched: &impl Fn(i64) -> bool) -> Self {
        let mut profile = Self { seen: [[0.0; 24]; 2], loud: [[0.0; 24]; 2] };
        for hour in (earliest..=last).filter(|hour| watched(*hour)) {
            let (day, clock) = place(hour);
            profile.seen[day][clock] += 1.0;
        }
        for hour in loud.iter().filter(|hour| watched(**hour)) {
            let (day, clock) = place(*hour);
            profile.loud[day][clock] += 1.0;
        }
        profile
    }

    /// The chance that an hour is loud. A quarter of a loud hour in one more is assumed, so that four weeks of silence at
    /// an hour do not make a certainty.
    fn loud(&self, hour: i64) -> f64 {
        let (day, clock) = place(hour);
        (self.loud[day][clock] + 0.02) / (self.seen[day][clock] + 1.0)
    }

    fn of_ten(&self) -> u8 {
        let sum = |table: &[[f64; 24]; 2]| table.iter().flatten().sum::<f64>();
        let share = (sum(&self.loud) / sum(&self.seen).max(1.0) * 10.0).round().clamp(0.0, 10.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=10")]
        let of_ten = share as u8;
        of_ten
    }
}

/// Working day or free day, and the clock hour, in Stockholm.
fn place(hour: i64) -> (usize, usize) {
    let local = Time(hour.saturating_mul(HOUR_MS)).zoned(&stockholm());
    let free = matches!(local.weekday(), Weekday::Saturday | Weekday::Sunday);
    (usize::from(free), usize::try_from(local.hour()).unwrap_or(0).min(23))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday 5 October 2026, 00.00 in Stockholm.
    fn start() -> i64 {
        hour_of(Time::parse("2026-10-05T00:00:00+02:00").unwrap())
    }

    /// Loud in each hour from 8 to 18 on working days for so many weeks, except where `silent` says otherwise.
    fn office(weeks: i64, silent: impl Fn(i64) -> bool) -> Vec<Hour> {
        (start()..start() + weeks * 168)
            .filter(|hour| {
                let (free, clock) = place(*hour);
                free == 0 && (8..18).contains(&clock) && !silent(*hour)
            })
            .map(|hour| Hour { hour, items: 1 })
            .collect()
    }

    fn at(text: &str) -> Time {
        Time::parse(text).unwrap()
    }

    #[test]
    fn nights_and_weekends_are_no_silence_for_one_who_sleeps_then() {
        let hours = office(6, |_| false); // the last word is on Friday 13 November, 17–18
        for now in ["2026-11-14T05:00:00+01:00", "2026-11-15T23:00:00+01:00", "2026-11-16T08:30:00+01:00"] {
            assert_eq!(too_quiet(&hours, |_| true, at(now)), None, "{now}");
        }
    }

    #[test]
    fn a_working_day_of_silence_is_told_the_same_day() {
        let hours = office(6, |_| false);
        let found = too_quiet(&hours, |_| true, at("2026-11-16T15:00:00+01:00")).unwrap();
        assert_eq!(found.since, at("2026-11-13T18:00:00+01:00"));
        assert_eq!(found.loud_of_ten, 3, "ten hours of five days in a week");
    }

    #[test]
    fn hours_that_we_did_not_read_are_not_its_silence() {
        let hours = office(6, |_| false);
        let monday = hour_of(at("2026-11-16T00:00:00+01:00"));
        assert_eq!(too_quiet(&hours, |hour| hour < monday, at("2026-11-16T15:00:00+01:00")), None);
    }

    #[test]
    fn one_who_speaks_once_a_week_may_be_quiet_for_days() {
        let hours: Vec<Hour> = (0..14).map(|week| Hour { hour: start() - 8 * 168 + week * 84, items: 3 }).collect();
        let last = hours.last().unwrap().hour;
        let later = |days: i64| Time((last + days * 24) * HOUR_MS);
        assert_eq!(too_quiet(&hours, |_| true, later(6)), None);
        assert!(too_quiet(&hours, |_| true, later(40)).is_some());
    }

    #[test]
    fn a_newcomer_has_no_rhythm_yet() {
        assert_eq!(too_quiet(&office(1, |_| false), |_| true, at("2026-10-20T15:00:00+02:00")), None);
        assert_eq!(too_quiet(&[], |_| true, at("2026-10-20T15:00:00+02:00")), None);
    }

    #[test]
    fn a_burst_does_not_make_the_ordinary_look_like_silence() {
        let mut hours = office(6, |hour| hour % 7 != 0); // about one loud hour and a half a day
        for hour in &mut hours {
            hour.items = if hour.hour % 5 == 0 { 4_000 } else { 1 };
        }
        let last = hours.iter().map(|hour| hour.hour).max().unwrap();
        assert_eq!(too_quiet(&hours, |_| true, Time((last + 20) * HOUR_MS)), None);
    }
}
