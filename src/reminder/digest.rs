//! Many cases in one message: what is said at once is collapsed, and what can wait comes in a digest.

use std::collections::BTreeMap;

use jiff::civil::Weekday;

use super::Stage;
use crate::calendar::{Calendar, hours};
use crate::classification::Urgency;
use crate::clock::Time;
use crate::id::CaseId;

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

/// Whether a digest is due, given when the last was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestLook {
    /// Write it now; this is the moment it belongs to, and its key together with the recipient.
    Write {
        /// The digest's own moment, not later than now.
        of: Time,
    },
    /// Nothing before this; none when the calendar has no day for it.
    Wait {
        /// When to look again.
        until: Option<Time>,
    },
}

/// Whether somebody's digest is due. `last_of` is the moment of the last one written, or when the rhythm was chosen.
/// After a standstill the latest one is written, not each that was missed.
#[must_use]
pub fn digest(rhythm: Rhythm, last_of: Time, calendar: &Calendar, now: Time) -> DigestLook {
    let after = |at: Time| rhythm.at_or_after(Time(at.0.saturating_add(1)), calendar);
    let mut due = None;
    let mut next = after(last_of);
    // A digest for each day since then at most; a standstill longer than the search is written as one that is older.
    for _ in 0..DIGEST_DAYS_MAX {
        match next {
            Some(at) if at <= now => {
                due = Some(at);
                next = after(at);
            }
            _ => break,
        }
    }
    due.map_or(DigestLook::Wait { until: next }, |of| DigestLook::Write { of })
}

/// One thing to say about one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// About which case.
    pub case: CaseId,
    /// What.
    pub stage: Stage,
    /// When it must be answered.
    pub due_at: Time,
    /// Acute things get a message of their own.
    pub urgency: Urgency,
    /// True when it is said in spite of a silence.
    pub breaks_silence: bool,
}

/// One message to one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Staff key.
    pub to: String,
    /// What it says, the worst first; never empty.
    pub items: Vec<Item>,
}

/// Cases that one message names; the rest are counted. More is not read on a telephone.
pub const NAMED_MAX: usize = 10;

/// One message for each recipient, and one of its own for each acute case.
#[must_use]
pub fn collapse(said: Vec<(String, Item)>) -> Vec<Bundle> {
    let (acute, rest): (Vec<_>, Vec<_>) = said.into_iter().partition(|(_, item)| item.urgency == Urgency::Acute);
    let mut bundles: Vec<Bundle> = acute.into_iter().map(|(to, item)| Bundle { to, items: vec![item] }).collect();
    let mut by_person: BTreeMap<String, Vec<Item>> = BTreeMap::new();
    for (to, item) in rest {
        by_person.entry(to).or_default().push(item);
    }
    bundles.extend(by_person.into_iter().map(|(to, mut items)| {
        items.sort_by_key(|item| (std::cmp::Reverse(item.stage), item.due_at, item.case));
        Bundle { to, items }
    }));
    bundles
}

impl Bundle {
    /// The head of the message: "3 ärenden: 1 försenat, 2 ska snart vara besvarade"; no word of any post.
    #[must_use]
    pub fn swedish(&self) -> String {
        let prefix = if self.items.iter().any(|item| item.breaks_silence) { "Akut, bryter tystnaden. " } else { "" };
        if let [only] = self.items.as_slice() {
            return format!("{prefix}{}", only.stage.swedish());
        }
        let count = |of: &dyn Fn(Stage) -> bool| self.items.iter().filter(|item| of(item.stage)).count();
        let (late, now) = (count(&|stage| stage >= Stage::Overdue), count(&|stage| stage == Stage::Due));
        let (soon, new) =
            (count(&|stage| matches!(stage, Stage::DueSoon | Stage::DueClose)), count(&|stage| stage == Stage::Notice));
        let part = |count: usize, one: &str, many: &str| {
            (count > 0).then(|| format!("{count} {}", if count == 1 { one } else { many }))
        };
        let parts: Vec<String> = [
            part(late, "försenat", "försenade"),
            part(now, "ska vara besvarat nu", "ska vara besvarade nu"),
            part(soon, "ska snart vara besvarat", "ska snart vara besvarade"),
            part(new, "nytt", "nya"),
        ]
        .into_iter()
        .flatten()
        .collect();
        format!("{prefix}{} ärenden: {}", self.items.len(), parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reminder::week::{at, office};

    #[test]
    fn many_cases_are_one_message_and_an_acute_one_is_its_own() {
        let item = |case, stage, urgency| Item {
            case: CaseId(case),
            stage,
            due_at: Time(case),
            urgency,
            breaks_silence: false,
        };
        let said = vec![
            ("anna".to_owned(), item(1, Stage::Notice, Urgency::Normal)),
            ("anna".to_owned(), item(2, Stage::Overdue, Urgency::Normal)),
            ("bo".to_owned(), item(3, Stage::Notice, Urgency::High)),
            ("anna".to_owned(), item(4, Stage::Due, Urgency::Acute)),
            ("anna".to_owned(), item(5, Stage::DueSoon, Urgency::Normal)),
        ];
        let told: Vec<String> =
            collapse(said).iter().map(|bundle| format!("{}: {}", bundle.to, bundle.swedish())).collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        anna: Ska vara besvarat nu
        anna: 3 ärenden: 1 försenat, 1 ska snart vara besvarat, 1 nytt
        bo: Nytt ärende
        ");
    }

    #[test]
    fn a_digest_is_written_once_a_day_and_the_chiefs_once_a_week() {
        let office = office();
        let daily = Rhythm::parse("08:15").unwrap();
        assert_eq!(["8", "0 8 * * 1", "monday", "månday 09:00"].map(Rhythm::parse), [None; 4]);
        let weekly = Rhythm::parse("monday 09:00").unwrap();
        let friday = at("2026-11-20 08:15");
        assert_eq!(
            digest(daily, friday, &office, at("2026-11-21 12:00")),
            DigestLook::Wait { until: Some(at("2026-11-23 08:15")) }
        );
        assert_eq!(
            digest(daily, friday, &office, at("2026-11-23 08:20")),
            DigestLook::Write { of: at("2026-11-23 08:15") }
        );
        // After a standstill of a week one digest is written, not five.
        assert_eq!(
            digest(daily, friday, &office, at("2026-11-27 12:00")),
            DigestLook::Write { of: at("2026-11-27 08:15") }
        );
        // Easter Monday is closed: the weekly one comes on Tuesday, and only then.
        let before = at("2026-03-30 09:00");
        assert_eq!(
            digest(weekly, before, &office, at("2026-04-06 12:00")),
            DigestLook::Wait { until: Some(at("2026-04-07 09:00")) }
        );
        assert_eq!(
            digest(weekly, before, &office, at("2026-04-07 09:00")),
            DigestLook::Write { of: at("2026-04-07 09:00") }
        );
        let tuesday = at("2026-04-07 09:00");
        assert_eq!(
            digest(weekly, tuesday, &office, at("2026-04-07 10:00")),
            DigestLook::Wait { until: Some(at("2026-04-13 09:00")) }
        );
    }
}
