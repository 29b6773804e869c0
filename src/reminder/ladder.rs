//! The ladder: at which moment a case reaches which stage, read from settings and kept by version.
//!
//! ```toml
//! [reminders]
//! due_soon_percent = [50, 80]     # of the open time between the start and the due time: "due soon", "due close"
//! overdue_after_min = 120         # open minutes after the due time; "förfaller nu" becomes "försenat"
//! deputy_after_min = 120          # open minutes after the due time, or after an acknowledgement has gone stale,
//!                                 # until the deputy is told too
//! manager_after_min = 240         # … the unit's manager; service is a line responsibility (policy A42)
//! chief_after_min = 480           # … the head of the administration; one working day of eight hours
//! acknowledged_for_min = 480      # open minutes an acknowledgement stops the ladder before it has gone stale;
//!                                 # never longer than this after the due time
//! snooze_max_min = 960            # open minutes a reminder can be put off; never past a due time that lies ahead,
//!                                 # and never longer than this after one that has passed
//! quiet_hours = "19:00-07:00"     # no message but for danger; rest between shifts is law and agreement
//! digest_below = "due-close"      # stages below this wait for the day's digest when a person has one
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use super::{ReminderCase, Stage, Word};
use crate::calendar::{Calendar, fingerprint, hours};
use crate::clock::Time;
use crate::settings::Section;

/// Ten working weeks of eight hours: a wait longer than that is no reminder.
const WAIT_MAX_MIN: i64 = 10 * 5 * 8 * 60;

/// When a case climbs, and what holds a message back. Plain data with a version.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ladder {
    /// Percent of the open time after which the case is due soon.
    pub due_soon_percent: u32,
    /// Percent of the open time after which it is due close.
    pub due_close_percent: u32,
    /// Open minutes after the due time until it is overdue.
    pub overdue_after_min: u32,
    /// Open minutes after the due time until the deputy is told.
    pub deputy_after_min: u32,
    /// Open minutes after the due time until the manager is told.
    pub manager_after_min: u32,
    /// Open minutes after the due time until the chief is told.
    pub chief_after_min: u32,
    /// Open minutes that an acknowledgement holds.
    pub acknowledged_for_min: u32,
    /// Open minutes that a reminder can be put off.
    pub snooze_max_min: u32,
    /// Wall-clock minutes between which nobody is disturbed: (from, to), over midnight when to < from.
    pub quiet: Option<(u16, u16)>,
    /// Stages below this wait for the digest of a person who has one.
    pub digest_below: Stage,
}

impl Default for Ladder {
    fn default() -> Self {
        Self {
            due_soon_percent: 50,
            due_close_percent: 80,
            overdue_after_min: 120,
            deputy_after_min: 120,
            manager_after_min: 240,
            chief_after_min: 480,
            acknowledged_for_min: 480,
            snooze_max_min: 960,
            quiet: Some((19 * 60, 7 * 60)),
            digest_below: Stage::DueClose,
        }
    }
}

fn open_min(section: &Section, key: &str, default: u32) -> u32 {
    u32::try_from(section.integer_or(key, 0..=WAIT_MAX_MIN, i64::from(default))).unwrap_or(default)
}

impl Ladder {
    /// Reads `[reminders]`; faults are written down in the section's problems.
    #[must_use]
    pub fn read(section: &Section) -> Self {
        let base = Self::default();
        let (due_soon_percent, due_close_percent) = Self::shares(section, &base);
        let ladder = Self {
            due_soon_percent,
            due_close_percent,
            overdue_after_min: open_min(section, "overdue_after_min", base.overdue_after_min),
            deputy_after_min: open_min(section, "deputy_after_min", base.deputy_after_min),
            manager_after_min: open_min(section, "manager_after_min", base.manager_after_min),
            chief_after_min: open_min(section, "chief_after_min", base.chief_after_min),
            acknowledged_for_min: open_min(section, "acknowledged_for_min", base.acknowledged_for_min),
            snooze_max_min: open_min(section, "snooze_max_min", base.snooze_max_min),
            quiet: Self::quiet_hours(section, base.quiet),
            digest_below: Self::stage(section, "digest_below", base.digest_below),
        };
        if ladder.deputy_after_min > ladder.manager_after_min || ladder.manager_after_min > ladder.chief_after_min {
            section.place_of("manager_after_min").report("the ladder goes up: deputy, then manager, then chief");
        }
        ladder
    }

    fn shares(section: &Section, base: &Self) -> (u32, u32) {
        let shares = section.integers("due_soon_percent", &(1..=99));
        let percent = |share: i64| u32::try_from(share).unwrap_or(base.due_soon_percent);
        match shares.as_slice() {
            [] => (base.due_soon_percent, base.due_close_percent),
            [one] => (percent(*one), percent(*one)),
            [soon, close] if soon < close => (percent(*soon), percent(*close)),
            _ => {
                section
                    .place_of("due_soon_percent")
                    .report("`due_soon_percent` is one or two rising shares, as [50, 80]");
                (base.due_soon_percent, base.due_close_percent)
            }
        }
    }

    fn quiet_hours(section: &Section, base: Option<(u16, u16)>) -> Option<(u16, u16)> {
        let Some(found) = section.located_optional("quiet_hours") else { return base };
        if found.text == "none" {
            return None;
        }
        hours::interval(&found.text).map_err(|fault| found.place.report(fault.to_string())).map_or(base, Some)
    }

    fn stage(section: &Section, key: &str, default: Stage) -> Stage {
        let Some(found) = section.located_optional(key) else { return default };
        Stage::from_slug(&found.text).unwrap_or_else(|| {
            found.place.report_unknown(&format!("`{key}`"), &found.text, &Stage::ALL.map(Stage::slug));
            default
        })
    }

    /// The fingerprint of the rules; a round keeps the version it began with.
    #[must_use]
    pub fn version(&self) -> String {
        fingerprint(self)
    }

    /// When a case reaches a stage; `None` when its calendar has no open time left for it.
    #[must_use]
    pub fn reached_at(&self, case: &ReminderCase<'_>, stage: Stage) -> Option<Time> {
        let calendar = case.calendar;
        let after = |from: Time, minutes: u32| calendar.add_open(from, minutes_of(minutes)).ok();
        let climbs_from = || case.due_at.max(self.stopped_until(case).unwrap_or(case.due_at));
        match stage {
            Stage::Notice => Some(case.round_at),
            Stage::DueSoon => share(calendar, case, self.due_soon_percent),
            Stage::DueClose => share(calendar, case, self.due_close_percent),
            Stage::Due => Some(case.due_at),
            Stage::Overdue => after(case.due_at, self.overdue_after_min),
            Stage::Deputy => after(climbs_from(), self.deputy_after_min),
            Stage::Manager => after(climbs_from(), self.manager_after_min),
            Stage::Chief => after(climbs_from(), self.chief_after_min),
        }
    }

    /// How long somebody's word holds the ladder: the last acknowledgement or snooze of this round.
    #[must_use]
    pub fn stopped_until(&self, case: &ReminderCase<'_>) -> Option<Time> {
        match case.word()? {
            Word::Acknowledged(_) => self.acknowledged_until(case),
            Word::Snoozed(_) => self.snoozed_until(case),
        }
    }

    /// When an acknowledgement of this round goes stale. "I have it" can be said again and again, but not for longer
    /// than this after the due time: then the line hears of it all the same.
    pub(super) fn acknowledged_until(&self, case: &ReminderCase<'_>) -> Option<Time> {
        let open = |from| case.calendar.add_open(from, minutes_of(self.acknowledged_for_min)).unwrap_or(from);
        let at = case.acknowledged.as_ref().map(|said| said.at).filter(|at| *at >= case.round_at)?;
        Some(open(at).min(open(case.due_at)))
    }

    /// When a snooze of this round ends: as asked, but never past a due time that lies ahead, and with a bound after
    /// one that has passed, however often it is asked for.
    pub(super) fn snoozed_until(&self, case: &ReminderCase<'_>) -> Option<Time> {
        let snooze = case.snooze.as_ref().filter(|snooze| snooze.at >= case.round_at)?;
        let open = |from| case.calendar.add_open(from, minutes_of(self.snooze_max_min)).unwrap_or(from);
        let until = snooze.until.min(open(snooze.at)).min(open(case.due_at));
        Some(if snooze.at < case.due_at { until.min(case.due_at) } else { until })
    }

    /// The end of the quiet hours that a moment is in, by the wall clock of `calendar`'s zone.
    #[must_use]
    pub fn quiet_until(&self, at: Time, calendar: &Calendar) -> Option<Time> {
        let (from, to) = self.quiet?;
        let date = calendar.date_of(at);
        let moment = |minute| calendar.moment(date, minute);
        if from < to {
            return (moment(from) <= at && at < moment(to)).then(|| moment(to));
        }
        if at < moment(to) {
            return Some(moment(to));
        }
        (at >= moment(from)).then(|| date.tomorrow().map_or(at, |next| calendar.moment(next, to)))
    }
}

/// The ladder of today and those that running rounds began with: a changed rule never moves a ladder that runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ladders {
    current: Ladder,
    kept: BTreeMap<String, Ladder>,
}

impl Ladders {
    /// The ladder of today and the older ones, as they were kept (each `Ladder` is text by serde).
    #[must_use]
    pub fn new(current: Ladder, kept: impl IntoIterator<Item = Ladder>) -> Self {
        Self { current, kept: kept.into_iter().map(|ladder| (ladder.version(), ladder)).collect() }
    }

    /// The ladder that a new round begins with.
    #[must_use]
    pub fn current(&self) -> &Ladder {
        &self.current
    }

    /// The ladder of a round that began with `version`; today's when that one was not kept.
    #[must_use]
    pub fn of(&self, version: &str) -> &Ladder {
        self.kept.get(version).unwrap_or(&self.current)
    }
}

pub(super) fn minutes_of(minutes: u32) -> Duration {
    Duration::from_mins(u64::from(minutes))
}

/// The moment at which a share of the open time from the start to the due time has passed. A promise whose calendar
/// has no open time in it is shared by the clock.
fn share(calendar: &Calendar, case: &ReminderCase<'_>, percent: u32) -> Option<Time> {
    let open = calendar.open_between(case.started_at, case.due_at);
    if open.is_zero() {
        return Some(case.started_at.plus(case.due_at.since(case.started_at) * percent / 100));
    }
    calendar.add_open(case.started_at, open * percent / 100).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Problems, read};

    #[test]
    fn the_settings_are_read_and_their_faults_said() {
        let problems = Problems::default();
        let root = read(
            "lyhord.toml",
            "[reminders]\ndue_soon_percent = [60, 90]\nquiet_hours = \"20:00-06:30\"\nchief_after_min = 10\ndigest_below = \"due\"\nstale = 3\n",
            &problems,
        );
        let ladder = Ladder::read(&root.section("reminders").unwrap());
        drop(root);
        assert_eq!((ladder.due_soon_percent, ladder.due_close_percent), (60, 90));
        assert_eq!((ladder.quiet, ladder.digest_below), (Some((1200, 390)), Stage::Due));
        let faults: Vec<String> = problems.sorted().iter().map(ToString::to_string).collect();
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults.iter().any(|fault| fault.contains("the ladder goes up")), "{faults:?}");
    }
}
