//! When somebody has what can wait summed up in a digest.

use jiff::civil::Weekday;

use crate::calendar::{Calendar, hours};
use crate::clock::Time;

/// Days that are searched for a digest's day; a calendar that is closed for longer has no digest.
const DIGEST_DAYS_MAX: usize = 400;

/// How often somebody gets her digest: a clock time in the zone of her calendar, never a cron string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rhythm {
    /// Each working day.
    Day {
        /// Minute of the day.
        minute: u16,
    },
    /// One day a week; when she does not work that day, the next day she does.
    Week {
        /// The day.
        day: Weekday,
        /// Minute of the day.
        minute: u16,
    },
}

impl Rhythm {
    /// Reads `08:15` (each working day) or `monday 09:00` (once a week), as it stands beside somebody on the staff.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let Some((day, clock)) = text.split_once(' ') else {
            return hours::minute(text).ok().map(|minute| Self::Day { minute });
        };
        let day = match day {
            "monday" => Weekday::Monday,
            "tuesday" => Weekday::Tuesday,
            "wednesday" => Weekday::Wednesday,
            "thursday" => Weekday::Thursday,
            "friday" => Weekday::Friday,
            "saturday" => Weekday::Saturday,
            "sunday" => Weekday::Sunday,
            _ => return None,
        };
        hours::minute(clock).ok().map(|minute| Self::Week { day, minute })
    }

    /// The first digest at or after a moment; `None` when the calendar has no working day for it.
    #[must_use]
    pub fn at_or_after(self, at: Time, calendar: &Calendar) -> Option<Time> {
        let first = calendar.date_of(at);
        let dates = std::iter::successors(Some(first), |date| date.tomorrow().ok()).take(DIGEST_DAYS_MAX);
        match self {
            Self::Day { minute } => dates
                .filter(|date| calendar.works_on(*date))
                .map(|date| calendar.moment(date, minute))
                .find(|moment| *moment >= at),
            Self::Week { day, minute } => {
                // A week back, because a digest of a closed Monday may be moved to today.
                let back = std::iter::successors(first.yesterday().ok(), |date| date.yesterday().ok()).take(7);
                let mut days: Vec<_> = back.collect();
                days.reverse();
                days.extend(dates);
                days.iter()
                    .enumerate()
                    .filter(|(_, date)| date.weekday() == day)
                    .filter_map(|(index, _)| days.iter().skip(index).find(|date| calendar.works_on(**date)))
                    .map(|date| calendar.moment(*date, minute))
                    .find(|moment| *moment >= at)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reminder::week::{at, office};

    #[test]
    fn a_digest_comes_each_working_day_and_the_chiefs_once_a_week() {
        let office = office();
        let daily = Rhythm::parse("08:15").unwrap();
        assert_eq!(["8", "0 8 * * 1", "monday", "månday 09:00"].map(Rhythm::parse), [None; 4]);
        let next = |rhythm: Rhythm, from: &str| rhythm.at_or_after(at(from), &office);
        assert_eq!(next(daily, "2026-11-20 08:15"), Some(at("2026-11-20 08:15")), "at that very moment too");
        assert_eq!(next(daily, "2026-11-20 08:16"), Some(at("2026-11-23 08:15")), "not on a weekend");
        let weekly = Rhythm::parse("monday 09:00").unwrap();
        assert_eq!(next(weekly, "2026-03-30 09:01"), Some(at("2026-04-07 09:00")), "Easter Monday is closed");
        assert_eq!(next(weekly, "2026-04-07 08:00"), Some(at("2026-04-07 09:00")), "and only then");
        assert_eq!(next(weekly, "2026-04-07 09:01"), Some(at("2026-04-13 09:00")));
    }
}
