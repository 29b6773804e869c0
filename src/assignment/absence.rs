//! Absences (frånvaro): facts with a beginning, perhaps an end, and perhaps somebody who stands in.
//!
//! Why somebody is away is nobody's business here: there is no field for it.

use std::time::Duration;

use jiff::civil::Date;

use super::{Organisation, start_of};
use crate::clock::Time;

/// Who told us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Told {
    /// Written on the absence page.
    Page,
    /// Said to the bot.
    Chat,
    /// Read from the person's iCal feed.
    Feed,
}

impl Told {
    /// The slug in the database.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Chat => "chat",
            Self::Feed => "feed",
        }
    }

    /// Reads a slug.
    #[must_use]
    pub fn from_slug(slug: &str) -> Option<Self> {
        [Self::Page, Self::Chat, Self::Feed].into_iter().find(|told| told.slug() == slug)
    }
}

/// One of the staff is away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absence {
    /// Key of who is away.
    pub staff: String,
    /// The first moment away.
    pub from: Time,
    /// The first moment back; not known when there is none.
    pub until: Option<Time>,
    /// Key of who stands in this time; her usual deputy when there is none.
    pub deputy: Option<String>,
    /// Who told us.
    pub told: Told,
}

impl Absence {
    /// True when she is away at this moment.
    #[must_use]
    pub fn holds(&self, at: Time) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }

    /// True when it is so long that her cases go back to the queue when it begins; a dentist's hour is not.
    #[must_use]
    pub fn releases(&self, short: Duration) -> bool {
        self.until.is_none_or(|until| until.since(self.from) > short)
    }
}

/// Absences as the organisation reads them.
#[must_use]
pub fn of_rows(rows: &[super::store::AbsenceRow]) -> Vec<Absence> {
    rows.iter()
        .map(|row| Absence {
            staff: row.staff.clone(),
            from: row.starts_at,
            until: Some(row.ends_at),
            deputy: row.deputy.clone(),
            told: Told::from_slug(&row.told).unwrap_or(Told::Page),
        })
        .collect()
}

/// From the first moment of the first day up to the first moment after the last, in Sweden; nothing when the last day
/// is before the first.
#[must_use]
pub fn days(first: Date, last: Date) -> Option<(Time, Time)> {
    let (from, until) = (start_of(first)?, start_of(last.tomorrow().ok()?)?);
    (from < until).then_some((from, until))
}

/// The absence that keeps one of the staff away at a moment: of several, the one that lasts longest.
#[must_use]
pub fn away<'a>(staff: &str, absences: &'a [Absence], at: Time) -> Option<&'a Absence> {
    absences
        .iter()
        .filter(|absence| absence.staff == staff && absence.holds(at))
        .max_by_key(|absence| absence.until.unwrap_or(Time(i64::MAX)))
}

impl Organisation {
    /// True when she is employed and not away.
    #[must_use]
    pub fn present(&self, staff: &str, absences: &[Absence], at: Time) -> bool {
        self.staff_at(staff, at).is_some() && away(staff, absences, at).is_none()
    }

    /// Why the case that she holds goes back to the queue now, in Swedish; nothing when it stays with her.
    #[must_use]
    pub fn released(&self, holder: &str, absences: &[Absence], at: Time) -> Option<String> {
        let name = self.name_of_staff(holder);
        if self.staff_at(holder, at).is_none() {
            return Some(format!("{name} har slutat eller bytt tjänst"));
        }
        let absence = away(holder, absences, at).filter(|absence| absence.releases(self.rules.short_absence))?;
        Some(match absence.until {
            Some(until) => format!("{name} är borta och väntas tillbaka {}", day_of(until)),
            None => format!("{name} är borta tills vidare"),
        })
    }

    /// Who stands in for somebody: the absence's own deputy, her usual one, then her unit's; the first who is here.
    #[must_use]
    pub fn stand_in(&self, staff: &str, absences: &[Absence], at: Time) -> Option<&str> {
        let person = self.staff_at(staff, at).or_else(|| self.staff(staff))?;
        let chosen = away(staff, absences, at).and_then(|absence| absence.deputy.as_deref());
        let unit = self.unit_at(&person.unit, at).map(|unit| unit.deputy.as_str());
        [chosen, person.deputy.as_deref(), unit]
            .into_iter()
            .flatten()
            .filter(|key| *key != staff && self.present(key, absences, at))
            .find_map(|key| self.staff_at(key, at).map(|staff| staff.key.as_str()))
    }
}

/// The day of a moment in Sweden, as a person writes it.
pub(super) fn day_of(at: Time) -> String {
    at.zoned(&super::zone()).date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assignment::example::{NOW, ale, gone};

    fn hours(hours: u64) -> Duration {
        Duration::from_secs(hours * 3_600)
    }

    #[test]
    fn an_hour_away_does_not_send_the_cases_back_but_a_day_does() {
        let ale = ale();
        let mut absence = gone("tyra-fiktivlund");
        absence.until = Some(absence.from.plus(hours(1)));
        assert_eq!(ale.released("tyra-fiktivlund", std::slice::from_ref(&absence), absence.from), None);
        absence.until = Some(absence.from.plus(hours(24)));
        let why = ale.released("tyra-fiktivlund", std::slice::from_ref(&absence), absence.from).unwrap();
        assert_eq!(why, "Tyra Fiktivlund är borta och väntas tillbaka 1970-01-02");
    }

    #[test]
    fn a_holder_who_is_here_keeps_her_case() {
        assert_eq!(ale().released("tyra-fiktivlund", &[gone("saga-malin-mall")], NOW), None);
    }

    #[test]
    fn the_deputy_of_the_absence_goes_before_the_usual_one_and_an_absent_one_is_passed_over() {
        let ale = ale();
        let mut absence = gone("sixten-prov");
        assert_eq!(ale.stand_in("sixten-prov", std::slice::from_ref(&absence), NOW), Some("hilda-pahittfors"));
        absence.deputy = Some("rut-exempelgren".to_owned());
        let both = [absence, gone("rut-exempelgren")];
        assert_eq!(ale.stand_in("sixten-prov", both.get(..1).unwrap(), NOW), Some("rut-exempelgren"));
        assert_eq!(ale.stand_in("sixten-prov", &both, NOW), Some("hilda-pahittfors"));
    }

    #[test]
    fn days_away_are_swedish_days_with_the_last_one_counted() {
        let (from, until) = days(jiff::civil::date(2026, 10, 24), jiff::civil::date(2026, 10, 25)).unwrap();
        assert_eq!(
            (from.to_string(), until.to_string()),
            ("2026-10-23T22:00:00Z".into(), "2026-10-25T23:00:00Z".into())
        );
        assert_eq!(days(jiff::civil::date(2026, 10, 26), jiff::civil::date(2026, 10, 25)), None);
    }

    #[test]
    fn the_longest_of_several_absences_counts() {
        let short = Absence { until: Some(NOW.plus(hours(1))), ..gone("rut-exempelgren") };
        let absences = [gone("rut-exempelgren"), short];
        assert_eq!(away("rut-exempelgren", &absences, NOW).unwrap().until, None);
    }
}
