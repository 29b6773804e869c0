//! Rota (schema): who in a unit has the duty this week.
//!
//! A rota goes round by weeks from a date, each week beginning at a wall-clock time, so that a week with a change to
//! summer time is as much a week as any other. A new rota begins on a date; the old one stays for the history.

use jiff::civil;

use super::absence::Absence;
use super::read::{Kind, References, day, period};
use super::{Organisation, Period, zone};
use crate::clock::Time;
use crate::settings::Section;

/// When of the day a rota counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hours {
    /// Always.
    Always,
    /// Only while the unit's calendar says that it is staffed.
    Staffed,
    /// Only outside those hours: beredskap.
    Unstaffed,
}

impl Hours {
    /// True when it counts while the unit is, or is not, staffed; `Always` as a question is answered by every rota.
    #[must_use]
    pub fn covers(self, now: Hours) -> bool {
        self == Self::Always || now == Self::Always || self == now
    }
}

/// Somebody takes another's duty for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swap {
    /// Key of who has the duty instead.
    pub staff: String,
    /// When.
    pub period: Period,
}

/// Who has the duty, week by week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rota {
    /// What the duty is called.
    pub name: String,
    /// Key of the unit.
    pub unit: String,
    /// Keys of those who take turns; the first has the week in which the rota begins.
    pub turns: Vec<String>,
    /// The day on which the duty changes hands.
    pub day: civil::Weekday,
    /// The time of that day.
    pub time: civil::Time,
    /// The day the rota begins.
    pub first: civil::Date,
    /// When it holds.
    pub period: Period,
    /// When of the day it counts.
    pub hours: Hours,
    /// Exchanged duties.
    pub swaps: Vec<Swap>,
}

/// Weekdays as the configuration writes them, Monday first and the default.
pub(super) const DAYS: &[&str] = &["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

impl Rota {
    /// Reads a `[[rota]]`; nothing when it has no turns or no first day, which is reported.
    pub(super) fn read(section: &Section, references: &mut References) -> Option<Self> {
        let chosen = section.choice("handover_day", DAYS);
        let offset = DAYS.iter().position(|day| *day == chosen).and_then(|at| i8::try_from(at + 1).ok()).unwrap_or(1);
        let time = section.text_or("handover_time", "08:00");
        let time = time.parse::<civil::Time>().unwrap_or_else(|_| {
            section.place_of("handover_time").report(format!("`{time}` is no time of day, expected one such as 08:00"));
            civil::Time::midnight()
        });
        let rota = Self {
            name: section.text("name"),
            unit: references.one(Kind::Unit, section, "unit"),
            turns: references.many(Kind::Staff, section, "turns"),
            day: civil::Weekday::from_monday_one_offset(offset).unwrap_or(civil::Weekday::Monday),
            time,
            first: section.located("from").and_then(|found| day(&found))?,
            period: period(section),
            hours: match section.choice("hours", &["always", "staffed", "unstaffed"]) {
                "staffed" => Hours::Staffed,
                "unstaffed" => Hours::Unstaffed,
                _ => Hours::Always,
            },
            swaps: section
                .sections("swap")
                .iter()
                .map(|swap| Swap { staff: references.one(Kind::Staff, swap, "staff"), period: period(swap) })
                .collect(),
        };
        if rota.turns.is_empty() {
            section.place().report("a rota needs at least one in `turns`");
        }
        Some(rota)
    }

    /// The turns from the one who has the duty at a moment, then those who come after her.
    pub fn turns_at(&self, at: Time) -> impl Iterator<Item = &str> {
        let swapped = self.swaps.iter().find(|swap| swap.period.holds(at)).map(|swap| swap.staff.as_str());
        let start = self.turn_at(at);
        let turns = self.turns.iter().cycle().skip(start).take(self.turns.len());
        swapped.into_iter().chain(turns.map(String::as_str))
    }

    /// Which turn it is, counted from the first.
    fn turn_at(&self, at: Time) -> usize {
        let local = at.zoned(&zone()).datetime();
        let back = self.first.weekday().since(self.day);
        let anchor = i64::from(julian(self.first)) - i64::from(back);
        let days = i64::from(julian(local.date())) - anchor;
        let before_handover = days.rem_euclid(7) == 0 && local.time() < self.time;
        let week = days.div_euclid(7) - i64::from(before_handover);
        // Before the first handover the first turn already has the duty.
        let weeks = usize::try_from(week.max(0)).unwrap_or(0);
        if self.turns.is_empty() { 0 } else { weeks % self.turns.len() }
    }
}

/// Days since a fixed day, so that two dates can be subtracted.
fn julian(date: civil::Date) -> i32 {
    let epoch = civil::date(1970, 1, 1);
    date.since(epoch).map_or(0, |span| span.get_days())
}

impl Organisation {
    /// Keys of those who have the duty in a unit at a moment: of each rota that counts now, the first in turn who is
    /// employed and not away. Empty when the unit has no rota that counts now.
    #[must_use]
    pub fn on_duty(&self, unit: &str, now: Hours, absences: &[Absence], at: Time) -> Vec<&str> {
        self.rotas
            .iter()
            .filter(|rota| rota.unit == unit && rota.period.holds(at) && rota.hours.covers(now))
            .filter_map(|rota| rota.turns_at(at).find(|staff| self.present(staff, absences, at)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assignment::example::{ale, gone};

    fn rota() -> Rota {
        Rota {
            name: "veckan".to_owned(),
            unit: "kommunikation".to_owned(),
            turns: ["a", "b", "c"].map(str::to_owned).to_vec(),
            day: civil::Weekday::Monday,
            time: civil::time(8, 0, 0, 0),
            first: civil::date(2026, 3, 16),
            period: Period::default(),
            hours: Hours::Always,
            swaps: Vec::new(),
        }
    }

    fn has(rota: &Rota, at: &str) -> String {
        rota.turns_at(Time::parse(at).unwrap()).next().unwrap().to_owned()
    }

    #[test]
    fn the_duty_changes_hands_at_the_wall_clock_time_also_after_the_change_to_summer_time() {
        let rota = rota();
        // Summer time began on 29 March 2026: eight o'clock moves from 07:00 to 06:00 UTC.
        let told = [
            "2026-03-16T06:59:00Z",
            "2026-03-16T07:00:00Z",
            "2026-03-23T06:59:00Z",
            "2026-03-23T07:00:00Z",
            "2026-03-30T05:59:00Z",
            "2026-03-30T06:00:00Z",
            "2026-04-06T06:00:00Z",
        ];
        assert_eq!(told.map(|at| has(&rota, at)), ["a", "a", "a", "b", "b", "c", "a"]);
    }

    #[test]
    fn a_rota_that_begins_in_the_middle_of_a_week_changes_hands_on_the_first_handover_day() {
        let rota = Rota { first: civil::date(2026, 3, 18), ..rota() };
        assert_eq!(has(&rota, "2026-03-18T12:00:00Z"), "a");
        assert_eq!(has(&rota, "2026-03-23T12:00:00Z"), "b");
    }

    #[test]
    fn a_swap_gives_the_duty_to_somebody_else_and_gives_it_back() {
        let from = Time::parse("2026-03-17T00:00:00Z").unwrap();
        let until = Time::parse("2026-03-18T00:00:00Z").unwrap();
        let period = Period { from: Some(from), until: Some(until) };
        let rota = Rota { swaps: vec![Swap { staff: "c".to_owned(), period }], ..rota() };
        assert_eq!(has(&rota, "2026-03-17T12:00:00Z"), "c");
        assert_eq!(has(&rota, "2026-03-18T12:00:00Z"), "a");
    }

    #[test]
    fn the_next_in_turn_has_the_duty_when_the_first_is_away() {
        let ale = ale();
        let at = Time::parse("2026-11-24T09:00:00Z").unwrap();
        let duty = ale.on_duty("kommunikation", Hours::Staffed, &[], at);
        assert_eq!(duty.len(), 1);
        let first = (*duty.first().unwrap()).to_owned();
        let next = ale.on_duty("kommunikation", Hours::Staffed, &[gone(&first)], at);
        assert_eq!(next.len(), 1);
        assert_ne!(next, [first.as_str()]);
    }

    #[test]
    fn a_rota_for_the_night_does_not_count_by_day() {
        let at = Time::parse("2026-11-24T09:00:00Z").unwrap();
        assert!(ale().on_duty("sakerhet", Hours::Staffed, &[], at).is_empty());
        assert_eq!(ale().on_duty("sakerhet", Hours::Unstaffed, &[], at).len(), 1);
    }
}
