//! Reading absences from an iCal feed (RFC 5545): when somebody is away, and nothing else.
//!
//! Titles, descriptions, places and guests are never kept, not even in memory longer than the line they stand on. A
//! small reader of our own, because what is needed is little, and what a feed may cost must have a bound.

use std::collections::{BTreeMap, BTreeSet};

use super::absence::{Absence, Told};
use super::ical_event::Event;
use super::ical_line::{Line, Stamp, Zones, duration_s, lines, stamp};
use super::recurrence::Budget;
use crate::clock::Time;

/// The largest feed that is read: ten years of one person's calendar is well below 2 MiB.
pub const MAX_BYTES: usize = 2 << 20;
/// The most events that are read from one feed.
pub const MAX_EVENTS: usize = 5_000;

/// Which events mean that somebody is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// Every event that takes time: the feed holds absences only.
    Everything,
    /// Events marked as out of office, and whole days that take time: the feed is an ordinary calendar.
    Away,
}

impl Counts {
    /// The slugs in the configuration, the default first.
    pub const SLUGS: &'static [&'static str] = &["absences", "calendar"];

    /// Reads a slug; anything but `calendar` is the default.
    #[must_use]
    pub fn from_slug(slug: &str) -> Self {
        if slug == "calendar" { Self::Away } else { Self::Everything }
    }
}

/// A time away: from the first moment up to, but not with, the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spell {
    /// The first moment away.
    pub from: Time,
    /// The first moment back.
    pub until: Time,
}

/// What a feed says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// Times away, in order, none touching another.
    pub spells: Vec<Spell>,
    /// What could not be read, in Swedish, without a word of the events themselves.
    pub remarks: BTreeSet<String>,
}

/// Why a feed gave nothing. What was read before still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// Larger than [`MAX_BYTES`].
    #[error("larger than {MAX_BYTES} bytes")]
    TooLarge,
    /// No `BEGIN:VCALENDAR` on its first line: often a sign-in page.
    #[error("not an iCal feed")]
    NotCalendar,
}

impl Reading {
    /// The spells as absences of one of the staff; her usual deputy stands in.
    #[must_use]
    pub fn absences(&self, staff: &str) -> Vec<Absence> {
        let one = |spell: &Spell| Absence {
            staff: staff.to_owned(),
            from: spell.from,
            until: Some(spell.until),
            deputy: None,
            told: Told::Feed,
        };
        self.spells.iter().map(one).collect()
    }
}

/// Reads the times away that touch the window from `from` up to `until`.
///
/// # Errors
/// When it is too large, or no calendar at all.
pub fn read(text: &str, counts: Counts, from: Time, until: Time) -> Result<Reading, FeedError> {
    if text.len() > MAX_BYTES {
        return Err(FeedError::TooLarge);
    }
    let first = text.trim_start_matches('\u{feff}').trim_start().get(..15);
    if !first.is_some_and(|first| first.eq_ignore_ascii_case("BEGIN:VCALENDAR")) {
        return Err(FeedError::NotCalendar);
    }
    let mut reader = Reader { counts, window: Spell { from, until }, ..Reader::default() };
    for unfolded in lines(text) {
        if let Some(line) = Line::of(&unfolded) {
            reader.line(&line);
        }
    }
    Ok(reader.finish())
}

struct Reader {
    counts: Counts,
    window: Spell,
    zones: Zones,
    inside: Vec<String>,
    event: Event,
    events: Vec<Event>,
    busy: Vec<Spell>,
    remarks: BTreeSet<String>,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            counts: Counts::Everything,
            window: Spell { from: Time(0), until: Time(0) },
            zones: Zones::default(),
            inside: Vec::new(),
            event: Event::default(),
            events: Vec::new(),
            busy: Vec::new(),
            remarks: BTreeSet::new(),
        }
    }
}

/// Components inside components: a calendar has an event has an alarm; deeper is no calendar.
const MAX_NESTING: usize = 8;

impl Reader {
    fn line(&mut self, line: &Line<'_>) {
        match line.name.as_str() {
            "BEGIN" => {
                let what = line.value.to_ascii_uppercase();
                if what == "VEVENT" {
                    self.event = Event::default();
                }
                if self.inside.len() < MAX_NESTING {
                    self.inside.push(what);
                }
            }
            "END" => {
                let what = line.value.to_ascii_uppercase();
                if self.inside.last() == Some(&what) {
                    self.inside.pop();
                }
                if what == "VEVENT" {
                    let event = std::mem::take(&mut self.event);
                    if self.events.len() < MAX_EVENTS {
                        self.events.push(event);
                    } else {
                        self.remarks
                            .insert(format!("Kalendern har mer än {MAX_EVENTS} händelser; resten lästes inte."));
                    }
                }
            }
            _ => match self.inside.last().map(String::as_str) {
                Some("VEVENT") => self.property(line),
                Some("VFREEBUSY") if line.name == "FREEBUSY" => self.free_busy(line),
                _ => {}
            },
        }
    }

    fn property(&mut self, line: &Line<'_>) {
        match line.name.as_str() {
            "UID" => line.value.clone_into(&mut self.event.uid),
            "DTSTART" => self.event.start = self.stamp(line, line.value),
            "DTEND" => self.event.end = self.stamp(line, line.value),
            "RECURRENCE-ID" => self.event.replaces = self.stamp(line, line.value),
            "DURATION" => self.event.duration_s = duration_s(line.value),
            "RRULE" => self.event.rule = Some(line.value.to_owned()),
            "EXDATE" => {
                let stamps: Vec<Stamp> = line.value.split(',').filter_map(|one| self.stamp(line, one)).collect();
                self.event.except.extend(stamps);
            }
            "RDATE" => {
                let stamps: Vec<Stamp> = line.value.split(',').filter_map(|one| self.stamp(line, one)).collect();
                self.event.extra.extend(stamps);
            }
            "TRANSP" => self.event.free |= line.value.eq_ignore_ascii_case("TRANSPARENT"),
            "STATUS" => self.event.cancelled = line.value.eq_ignore_ascii_case("CANCELLED"),
            "X-MICROSOFT-CDO-BUSYSTATUS" => {
                self.event.out_of_office = line.value.eq_ignore_ascii_case("OOF");
                self.event.free |=
                    line.value.eq_ignore_ascii_case("FREE") || line.value.eq_ignore_ascii_case("WORKINGELSEWHERE");
            }
            _ => {}
        }
    }

    fn stamp(&mut self, line: &Line<'_>, value: &str) -> Option<Stamp> {
        let read = stamp(value, line.parameter("TZID"), &mut self.zones);
        if read.is_none() {
            self.remarks.insert("En tid i kalendern gick inte att läsa.".to_owned());
        }
        read
    }

    fn free_busy(&mut self, line: &Line<'_>) {
        let kind = line.parameter("FBTYPE").unwrap_or("BUSY").to_ascii_uppercase();
        let counts = kind == "BUSY-UNAVAILABLE" || (kind == "BUSY" && self.counts == Counts::Everything);
        if !counts {
            return;
        }
        for period in line.value.split(',').take(MAX_EVENTS) {
            let Some((start, end)) = period.split_once('/') else { continue };
            let Some(from) = self.stamp(line, start).and_then(|stamp| stamp.moment()) else { continue };
            let until = match duration_s(end) {
                Some(seconds) => Some(Time(from.0.saturating_add(seconds.saturating_mul(1_000)))),
                None => self.stamp(line, end).and_then(|stamp| stamp.moment()),
            };
            if let Some(until) = until {
                self.busy.push(Spell { from, until });
            }
        }
    }

    fn finish(mut self) -> Reading {
        // An occurrence that was moved or cancelled stands as an event of its own; the original no longer counts.
        let mut replaced: BTreeMap<&str, BTreeSet<Time>> = BTreeMap::new();
        for event in &self.events {
            if let Some(moment) = event.replaces.as_ref().and_then(Stamp::moment) {
                replaced.entry(event.uid.as_str()).or_default().insert(moment);
            }
        }
        let mut spells = std::mem::take(&mut self.busy);
        let mut budget = Budget::default();
        let none = BTreeSet::new();
        for event in self.events.iter().filter(|event| event.away(self.counts)) {
            let moved = if event.replaces.is_none() { replaced.get(event.uid.as_str()) } else { None };
            spells.extend(event.spells(self.window, moved.unwrap_or(&none), &mut budget, &mut self.remarks));
        }
        if self.zones.unknown {
            self.remarks.insert("En tidszon i kalendern är okänd; svensk tid användes.".to_owned());
        }
        Reading { spells: merged(spells, self.window), remarks: self.remarks }
    }
}

/// Those that touch the window, in order, with those that meet made one.
fn merged(mut spells: Vec<Spell>, window: Spell) -> Vec<Spell> {
    spells.retain(|spell| spell.from < spell.until && spell.from < window.until && window.from < spell.until);
    spells.sort_unstable();
    let mut merged: Vec<Spell> = Vec::new();
    for spell in spells {
        match merged.last_mut() {
            Some(last) if spell.from <= last.until => last.until = last.until.max(spell.until),
            _ => merged.push(spell),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        Time::parse(text).unwrap()
    }

    fn feed(events: &str) -> String {
        format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}\r\nEND:VCALENDAR\r\n", events.trim().replace('\n', "\r\n"))
    }

    fn told(events: &str, counts: Counts) -> Vec<String> {
        let window = (time("2026-03-01T00:00:00Z"), time("2026-12-31T00:00:00Z"));
        let reading = read(&feed(events), counts, window.0, window.1).unwrap();
        reading
            .spells
            .iter()
            .map(|spell| format!("{} – {}", spell.from, spell.until))
            .chain(reading.remarks.iter().cloned())
            .collect()
    }

    #[test]
    fn a_whole_day_is_a_swedish_day_also_when_the_clock_is_changed() {
        let said =
            told("BEGIN:VEVENT\nDTSTART;VALUE=DATE:20260329\nDTEND;VALUE=DATE:20260330\nEND:VEVENT", Counts::Away);
        assert_eq!(said, ["2026-03-28T23:00:00Z – 2026-03-29T22:00:00Z"]);
    }

    #[test]
    fn weeks_of_holiday_that_meet_are_one_absence() {
        let said = told(
            "BEGIN:VEVENT\nDTSTART;VALUE=DATE:20260706\nDTEND;VALUE=DATE:20260711\nEND:VEVENT\n\
             BEGIN:VEVENT\nDTSTART;VALUE=DATE:20260711\nDURATION:P1W\nEND:VEVENT",
            Counts::Everything,
        );
        assert_eq!(said, ["2026-07-05T22:00:00Z – 2026-07-17T22:00:00Z"]);
    }

    #[test]
    fn a_free_friday_each_week_keeps_its_clock_time_over_the_change_to_winter_time() {
        let said = told(
            "BEGIN:VEVENT\nUID:a\nDTSTART;TZID=Europe/Stockholm:20261016T080000\n\
             DTEND;TZID=Europe/Stockholm:20261016T120000\nRRULE:FREQ=WEEKLY;COUNT=3\n\
             EXDATE;TZID=Europe/Stockholm:20261023T080000\nEND:VEVENT",
            Counts::Everything,
        );
        assert_eq!(
            said,
            ["2026-10-16T06:00:00Z – 2026-10-16T10:00:00Z", "2026-10-30T07:00:00Z – 2026-10-30T11:00:00Z"]
        );
    }

    #[test]
    fn in_an_ordinary_calendar_a_meeting_is_no_absence_but_out_of_office_is() {
        let events = "BEGIN:VEVENT\nDTSTART:20260504T080000Z\nDTEND:20260504T090000Z\nEND:VEVENT\n\
             BEGIN:VEVENT\nDTSTART;TZID=\"W. Europe Standard Time\":20260505T080000\nDURATION:PT8H\n\
             X-MICROSOFT-CDO-BUSYSTATUS:OOF\nBEGIN:VALARM\nDURATION:PT15M\nEND:VALARM\nEND:VEVENT";
        assert_eq!(told(events, Counts::Away), ["2026-05-05T06:00:00Z – 2026-05-05T14:00:00Z"]);
        assert_eq!(told(events, Counts::Everything).len(), 2);
    }

    #[test]
    fn a_birthday_that_takes_no_time_and_a_cancelled_day_are_no_absences() {
        let said = told(
            "BEGIN:VEVENT\nDTSTART;VALUE=DATE:20260504\nTRANSP:TRANSPARENT\nEND:VEVENT\n\
             BEGIN:VEVENT\nDTSTART;VALUE=DATE:20260505\nSTATUS:CANCELLED\nEND:VEVENT\n\
             BEGIN:VEVENT\nDTSTART;VALUE=DATE:20260506\nX-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE\nEND:VEVENT",
            Counts::Everything,
        );
        assert_eq!(said, [""; 0]);
    }

    #[test]
    fn an_occurrence_that_was_moved_counts_where_it_is_now() {
        let said = told(
            "BEGIN:VEVENT\nUID:a\nDTSTART;VALUE=DATE:20260504\nRRULE:FREQ=WEEKLY;COUNT=2\nEND:VEVENT\n\
             BEGIN:VEVENT\nUID:a\nRECURRENCE-ID;VALUE=DATE:20260511\nDTSTART;VALUE=DATE:20260513\nEND:VEVENT",
            Counts::Everything,
        );
        assert_eq!(
            said,
            ["2026-05-03T22:00:00Z – 2026-05-04T22:00:00Z", "2026-05-12T22:00:00Z – 2026-05-13T22:00:00Z"]
        );
    }

    #[test]
    fn a_free_busy_answer_is_read_without_knowing_what_anything_is_about() {
        let events = "BEGIN:VFREEBUSY\nFREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20260504T060000Z/PT9H\n\
             FREEBUSY:20260505T060000Z/20260505T070000Z\nEND:VFREEBUSY";
        assert_eq!(told(events, Counts::Away), ["2026-05-04T06:00:00Z – 2026-05-04T15:00:00Z"]);
        assert_eq!(told(events, Counts::Everything).len(), 2);
    }

    #[test]
    fn what_cannot_be_read_is_said_and_the_rest_is_read() {
        let said = told(
            "BEGIN:VEVENT\nDTSTART:2026-05-04\nEND:VEVENT\n\
             BEGIN:VEVENT\nDTSTART;TZID=Mars/Base:20260504T080000\nDURATION:PT1H\n\
             RRULE:FREQ=MONTHLY;BYDAY=2MO\nEND:VEVENT",
            Counts::Everything,
        );
        assert_eq!(said.len(), 4, "{said:?}");
        assert_eq!(said.first().unwrap(), "2026-05-04T06:00:00Z – 2026-05-04T07:00:00Z");
    }

    #[test]
    fn a_sign_in_page_is_no_calendar() {
        assert_eq!(read("<html>", Counts::Away, Time(0), Time(1)), Err(FeedError::NotCalendar));
        let large = " ".repeat(MAX_BYTES + 1);
        assert_eq!(read(&large, Counts::Away, Time(0), Time(1)), Err(FeedError::TooLarge));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_stumble(
            parts in proptest::collection::vec(
                proptest::sample::select(vec![
                    "BEGIN:VEVENT\n", "END:VEVENT\n", "BEGIN:VALARM\n", "END:VALARM\n", "BEGIN:VFREEBUSY\n",
                    "DTSTART;VALUE=DATE:99991231\n", "DTSTART:20260101T000000Z\n", "DTEND:99991231T235959Z\n",
                    "DTEND;VALUE=DATE:00010101\n", "DURATION:P9999999999W\n", "DURATION:PT8H\n", "DURATION:-P1D\n",
                    "RRULE:FREQ=DAILY\n", "RRULE:FREQ=YEARLY;INTERVAL=999999999\n", "RRULE:FREQ=WEEKLY;BYDAY=MO,FR\n",
                    "RRULE:;;==\n", "EXDATE:,,,\n", "FREEBUSY:/,20260101T000000Z/P1D\n", " folded\n", ";:\n",
                    "DTSTART;TZID=\"Å:;\":20260329T023000\n", "RECURRENCE-ID:20260101T000000Z\n",
                ]),
                0..60,
            ),
        ) {
            let text = format!("BEGIN:VCALENDAR\n{}", parts.concat());
            let reading = read(&text, Counts::Everything, Time(0), Time(4_000_000_000_000)).unwrap();
            for pair in reading.spells.windows(2) {
                proptest::prop_assert!(pair[0].until < pair[1].from);
            }
        }
    }
}
