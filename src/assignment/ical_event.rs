//! One event of an iCal feed: whether it means that somebody is away, and when.

use std::collections::BTreeSet;

use super::ical::{Counts, Spell};
use super::ical_line::Stamp;
use super::recurrence::{Budget, Rule, Unreadable};
use crate::clock::Time;

/// An event as it stands, before its repeats.
#[derive(Default)]
pub(super) struct Event {
    pub(super) uid: String,
    pub(super) start: Option<Stamp>,
    pub(super) end: Option<Stamp>,
    pub(super) duration_s: Option<i64>,
    pub(super) rule: Option<String>,
    pub(super) except: Vec<Stamp>,
    pub(super) extra: Vec<Stamp>,
    pub(super) replaces: Option<Stamp>,
    pub(super) free: bool,
    pub(super) cancelled: bool,
    pub(super) out_of_office: bool,
}

impl Event {
    /// True when it means that somebody is away.
    pub(super) fn away(&self, counts: Counts) -> bool {
        let whole_day = matches!(self.start, Some(Stamp::Day(_)));
        !self.cancelled
            && (self.out_of_office || !self.free)
            && (counts == Counts::Everything || self.out_of_office || whole_day)
    }

    /// How long it lasts: whole days for a whole-day event, else milliseconds.
    fn length_ms(&self, start: &Stamp) -> Option<i64> {
        const DAY_MS: i64 = 86_400_000;
        let ms = match (&self.end, self.duration_s) {
            (Some(end), _) => match (start.day(), end) {
                (Some(first), Stamp::Day(last)) => i64::from(last.since(first).ok()?.get_days()).saturating_mul(DAY_MS),
                _ => end.moment()?.0.saturating_sub(start.moment()?.0),
            },
            (None, Some(seconds)) => seconds.saturating_mul(1_000),
            (None, None) if start.day().is_some() => DAY_MS,
            (None, None) => 0,
        };
        Some(ms).filter(|ms| *ms > 0)
    }

    /// The times away that it means, with its repeats, near the window.
    pub(super) fn spells(
        &self,
        window: Spell,
        moved: &BTreeSet<Time>,
        budget: &mut Budget,
        remarks: &mut BTreeSet<String>,
    ) -> Vec<Spell> {
        let Some(start) = &self.start else { return Vec::new() };
        let Some(length_ms) = self.length_ms(start) else { return Vec::new() };
        let mut starts = vec![start.clone()];
        match self.rule.as_deref().map(|text| Rule::of(text, start)) {
            None => {}
            Some(Ok(rule)) => {
                // One that began before the window may still last into it.
                let since = Time(window.from.0.saturating_sub(length_ms));
                match rule.starts(start, since, window.until, budget) {
                    Ok(all) => starts = all,
                    Err(Unreadable) => {
                        remarks.insert("Kalendern har för många upprepningar; alla lästes inte.".to_owned());
                    }
                }
            }
            Some(Err(Unreadable)) => {
                remarks.insert("En upprepning i kalendern förstås inte; bara första gången räknas.".to_owned());
            }
        }
        starts.extend(self.extra.iter().cloned());
        let except: BTreeSet<Time> = self.except.iter().filter_map(Stamp::moment).collect();
        starts
            .iter()
            .filter_map(|start| {
                let from = start.moment()?;
                let until = start.after(length_ms)?;
                (!except.contains(&from) && !moved.contains(&from)).then_some(Spell { from, until })
            })
            .collect()
    }
}
