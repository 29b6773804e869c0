//! Repeats of an event (RRULE): by days, weeks, months and years, as absences are written.
//!
//! What is rarer (the second Monday of a month) is said to be unreadable, and never guessed.

use jiff::civil::{Date, Weekday};
use jiff::{Span, ToSpan};

use super::ical_line::{Stamp, Zones, stamp};
use crate::clock::Time;

/// A repeat that is not understood, or costs too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

/// Steps that all repeats of one feed may take together: a hundred daily repeats, each walked for almost three years.
pub(super) struct Budget(u32);

impl Default for Budget {
    fn default() -> Self {
        Self(100_000)
    }
}

impl Budget {
    fn spend(&mut self) -> Result<(), Unreadable> {
        self.0 = self.0.checked_sub(1).ok_or(Unreadable)?;
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// A repeat that is understood.
#[derive(Debug)]
pub(super) struct Rule {
    frequency: Frequency,
    interval: i64,
    count: Option<u32>,
    until: Option<Time>,
    days: Vec<Weekday>,
    week_starts: Weekday,
}

/// The largest interval that is understood; every hundredth year is far enough.
const MAX_INTERVAL: i64 = 1_000;

impl Rule {
    /// Reads a rule for an event that begins at `start`.
    pub(super) fn of(text: &str, start: &Stamp) -> Result<Self, Unreadable> {
        let mut rule = Self {
            frequency: Frequency::Daily,
            interval: 1,
            count: None,
            until: None,
            days: Vec::new(),
            week_starts: Weekday::Monday,
        };
        let mut named = false;
        for part in text.split(';').filter(|part| !part.trim().is_empty()) {
            let (key, value) = part.split_once('=').ok_or(Unreadable)?;
            let value = value.trim().to_ascii_uppercase();
            match key.trim().to_ascii_uppercase().as_str() {
                "FREQ" => {
                    named = true;
                    rule.frequency = match value.as_str() {
                        "DAILY" => Frequency::Daily,
                        "WEEKLY" => Frequency::Weekly,
                        "MONTHLY" => Frequency::Monthly,
                        "YEARLY" => Frequency::Yearly,
                        _ => return Err(Unreadable),
                    };
                }
                "INTERVAL" => rule.interval = value.parse().map_err(|_| Unreadable)?,
                "COUNT" => rule.count = Some(value.parse().map_err(|_| Unreadable)?),
                "UNTIL" => rule.until = Some(last_start(&value, start).ok_or(Unreadable)?),
                "BYDAY" => rule.days = value.split(',').map(weekday).collect::<Option<_>>().ok_or(Unreadable)?,
                "WKST" => rule.week_starts = weekday(&value).ok_or(Unreadable)?,
                // What only repeats what the first day already says.
                "BYMONTHDAY" if value == start.date().day().to_string() => {}
                "BYMONTH" if value == start.date().month().to_string() && rule.frequency == Frequency::Yearly => {}
                _ => return Err(Unreadable),
            }
        }
        let by_day = !rule.days.is_empty() && matches!(rule.frequency, Frequency::Monthly | Frequency::Yearly);
        if !named || by_day || !(1..=MAX_INTERVAL).contains(&rule.interval) {
            return Err(Unreadable);
        }
        Ok(rule)
    }

    /// The beginnings from `since` up to `before`.
    pub(super) fn starts(
        &self,
        start: &Stamp,
        since: Time,
        before: Time,
        budget: &mut Budget,
    ) -> Result<Vec<Stamp>, Unreadable> {
        let mut found = Vec::new();
        let mut counted = 0_u32;
        let mut round = self.first_round(start.date(), since);
        loop {
            let dates = self.dates(start.date(), round);
            // Beyond the last year there is nothing.
            let Some(dates) = dates else { return Ok(found) };
            budget.spend()?;
            for date in dates.into_iter().filter(|date| *date >= start.date()) {
                let next = start.on(date);
                let Some(moment) = next.moment() else { return Ok(found) };
                let over = self.until.is_some_and(|until| moment > until);
                if over || moment >= before || self.count.is_some_and(|count| counted >= count) {
                    return Ok(found);
                }
                counted = counted.saturating_add(1);
                if moment >= since {
                    found.push(next);
                }
            }
            round += 1;
        }
    }

    /// The round to begin with: without a count, those long before the window need not be walked.
    fn first_round(&self, start: Date, since: Time) -> i64 {
        let round_days = match self.frequency {
            Frequency::Daily => self.interval,
            Frequency::Weekly => 7 * self.interval,
            Frequency::Monthly | Frequency::Yearly => return 0,
        };
        let since = since.zoned(&super::zone()).date();
        let days = since.since(start).map_or(0, |span| i64::from(span.get_days()));
        if self.count.is_some() { 0 } else { (days / round_days - 2).max(0) }
    }

    /// The dates of a round, in order; nothing when they are beyond the calendar. A month without the day has none.
    fn dates(&self, start: Date, round: i64) -> Option<Vec<Date>> {
        let steps = round.checked_mul(self.interval)?;
        let plus = |date: Date, span: Result<Span, jiff::Error>| date.checked_add(span.ok()?).ok();
        match self.frequency {
            Frequency::Daily => {
                let date = plus(start, Span::new().try_days(steps))?;
                let counts = self.days.is_empty() || self.days.contains(&date.weekday());
                Some(if counts { vec![date] } else { Vec::new() })
            }
            Frequency::Weekly => {
                let back = i64::from(start.weekday().since(self.week_starts));
                let week = start.checked_sub(back.days()).ok()?;
                let week = plus(week, Span::new().try_weeks(steps))?;
                let own = [start.weekday()];
                let days = if self.days.is_empty() { &own[..] } else { &self.days };
                let mut dates: Vec<Date> = days
                    .iter()
                    .filter_map(|day| week.checked_add(i64::from(day.since(self.week_starts)).days()).ok())
                    .collect();
                dates.sort_unstable();
                dates.dedup();
                Some(dates)
            }
            Frequency::Monthly => plus(start.first_of_month(), Span::new().try_months(steps))
                .map(|month| Date::new(month.year(), month.month(), start.day()).into_iter().collect()),
            Frequency::Yearly => plus(start.first_of_month(), Span::new().try_years(steps))
                .map(|month| Date::new(month.year(), month.month(), start.day()).into_iter().collect()),
        }
    }
}

/// The last beginning that UNTIL allows. A date means that whole day.
fn last_start(value: &str, start: &Stamp) -> Option<Time> {
    match stamp(value, None, &mut Zones::default())? {
        Stamp::Day(day) => start.on(day).moment(),
        at @ Stamp::At(..) => at.moment(),
    }
}

/// `MO` to `SU`; with a number before it (`2MO`) it is something else.
fn weekday(text: &str) -> Option<Weekday> {
    match text.trim() {
        "MO" => Some(Weekday::Monday),
        "TU" => Some(Weekday::Tuesday),
        "WE" => Some(Weekday::Wednesday),
        "TH" => Some(Weekday::Thursday),
        "FR" => Some(Weekday::Friday),
        "SA" => Some(Weekday::Saturday),
        "SU" => Some(Weekday::Sunday),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dates(rule: &str, start: Date, before: &str) -> Vec<String> {
        let start = Stamp::Day(start);
        let before = Time::parse(before).unwrap();
        let rule = Rule::of(rule, &start).unwrap();
        let starts = rule.starts(&start, Time(0), before, &mut Budget::default()).unwrap();
        starts.iter().map(|start| start.date().to_string()).collect()
    }

    #[test]
    fn every_other_week_on_two_days() {
        let said = dates("FREQ=WEEKLY;INTERVAL=2;BYDAY=FR,MO", jiff::civil::date(2026, 5, 6), "2026-06-02T12:00:00Z");
        assert_eq!(said, ["2026-05-08", "2026-05-18", "2026-05-22", "2026-06-01"]);
    }

    #[test]
    fn the_last_day_counts_and_so_does_the_count() {
        let start = jiff::civil::date(2026, 5, 4);
        assert_eq!(dates("FREQ=DAILY;UNTIL=20260506", start, "2027-01-01T00:00:00Z").len(), 3);
        assert_eq!(dates("FREQ=DAILY;COUNT=2", start, "2027-01-01T00:00:00Z").len(), 2);
        assert_eq!(dates("FREQ=DAILY;BYDAY=SA,SU", start, "2026-05-11T00:00:00Z"), ["2026-05-09", "2026-05-10"]);
    }

    #[test]
    fn a_month_without_the_day_is_passed_over() {
        let said = dates("FREQ=MONTHLY;BYMONTHDAY=31", jiff::civil::date(2026, 1, 31), "2026-06-01T00:00:00Z");
        assert_eq!(said, ["2026-01-31", "2026-03-31", "2026-05-31"]);
        let said = dates("FREQ=YEARLY", jiff::civil::date(2024, 2, 29), "2029-01-01T00:00:00Z");
        assert_eq!(said, ["2024-02-29", "2028-02-29"]);
    }

    #[test]
    fn a_repeat_from_long_ago_costs_no_more_than_one_from_yesterday() {
        let start = Stamp::Day(jiff::civil::date(1900, 1, 1));
        let rule = Rule::of("FREQ=DAILY", &start).unwrap();
        let (since, before) = (Time::parse("2026-05-01T00:00:00Z"), Time::parse("2026-05-04T00:00:00Z"));
        let found = rule.starts(&start, since.unwrap(), before.unwrap(), &mut Budget(10)).unwrap();
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn what_is_rarer_is_not_guessed() {
        let start = Stamp::Day(jiff::civil::date(2026, 5, 4));
        for rule in
            ["FREQ=MONTHLY;BYDAY=2MO", "FREQ=HOURLY", "FREQ=DAILY;BYSETPOS=1", "INTERVAL=1", "FREQ=DAILY;INTERVAL=0"]
        {
            assert!(Rule::of(rule, &start).is_err(), "{rule}");
        }
    }
}
