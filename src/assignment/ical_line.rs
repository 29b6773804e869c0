//! The lines of an iCal feed: unfolding, parameters, dates, durations and zones.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime, Time as ClockTime};
use jiff::tz::TimeZone;

use super::{start_of, zone};
use crate::clock::Time;

/// Longest line that is read, in bytes: a line with a title or a note may be longer, and is not what we look for.
const MAX_LINE: usize = 64 << 10;
/// Zones one feed may name; a person's calendar names a handful.
const MAX_ZONES: usize = 64;

/// One property: `NAME;PARAMETER=value:value`.
pub(super) struct Line<'a> {
    /// In capitals.
    pub name: String,
    parameters: &'a str,
    /// As it stands.
    pub value: &'a str,
}

impl<'a> Line<'a> {
    /// Splits a line; nothing when it has no colon outside quotes.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        let mut quoted = false;
        let colon = text.char_indices().find_map(|(at, letter)| {
            quoted ^= letter == '"';
            (letter == ':' && !quoted).then_some(at)
        })?;
        let (head, value) = (text.get(..colon)?, text.get(colon + 1..)?);
        let (name, parameters) = head.split_once(';').unwrap_or((head, ""));
        Some(Self { name: name.trim().to_ascii_uppercase(), parameters, value: value.trim() })
    }

    /// The value of a parameter, without quotes.
    pub(super) fn parameter(&self, name: &str) -> Option<&'a str> {
        let mut quoted = false;
        let parts = self.parameters.split(move |letter| {
            quoted ^= letter == '"';
            letter == ';' && !quoted
        });
        parts
            .filter_map(|part| part.split_once('='))
            .find(|(key, _)| key.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().trim_matches('"'))
    }
}

/// The lines, with those that were folded (next line begins with a blank) made whole.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let mut rest = text.lines().peekable();
    std::iter::from_fn(move || {
        let mut line = Cow::Borrowed(rest.next()?);
        while let Some(more) = rest.next_if(|next| next.starts_with([' ', '\t'])) {
            if line.len() + more.len() <= MAX_LINE {
                line.to_mut().push_str(more.get(1..).unwrap_or_default());
            }
        }
        Some(line)
    })
}

/// A date or a time with its zone, as it stands in a feed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stamp {
    /// A whole day, in Sweden.
    Day(Date),
    /// A wall-clock time in a zone.
    At(DateTime, TimeZone),
}

impl Stamp {
    /// The moment it is, or begins.
    pub(super) fn moment(&self) -> Option<Time> {
        match self {
            Self::Day(day) => start_of(*day),
            Self::At(local, zone) => {
                let zoned = zone.to_ambiguous_zoned_datetime(*local).compatible().ok()?;
                Some(Time::of(zoned.timestamp()))
            }
        }
    }

    /// The day, when it is a whole day.
    pub(super) fn day(&self) -> Option<Date> {
        if let Self::Day(day) = self { Some(*day) } else { None }
    }

    /// The date on its own clock.
    pub(super) fn date(&self) -> Date {
        match self {
            Self::Day(day) => *day,
            Self::At(local, _) => local.date(),
        }
    }

    /// The same time on another date.
    pub(super) fn on(&self, date: Date) -> Self {
        match self {
            Self::Day(_) => Self::Day(date),
            Self::At(local, zone) => Self::At(date.to_datetime(local.time()), zone.clone()),
        }
    }

    /// The moment that is so much later; whole days are counted on the calendar, so that one with 23 hours is one.
    pub(super) fn after(&self, length_ms: i64) -> Option<Time> {
        match self {
            Self::Day(day) => {
                let days = length_ms.div_euclid(86_400_000) + i64::from(length_ms.rem_euclid(86_400_000) > 0);
                start_of(day.checked_add(jiff::Span::new().try_days(days).ok()?).ok()?)
            }
            Self::At(..) => Some(Time(self.moment()?.0.saturating_add(length_ms))),
        }
    }
}

/// Reads `20261123`, `20261123T080000` or `20261123T080000Z`.
pub(super) fn stamp(text: &str, zone_name: Option<&str>, zones: &mut Zones) -> Option<Stamp> {
    let text = text.trim();
    let number = |from: usize, until: usize| {
        let digits = text.get(from..until)?;
        if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse::<i16>().ok() } else { None }
    };
    let small = |from, until| i8::try_from(number(from, until)?).ok();
    let date = Date::new(number(0, 4)?, small(4, 6)?, small(6, 8)?).ok()?;
    match text.get(8..) {
        Some("") => Some(Stamp::Day(date)),
        Some(rest) if rest.starts_with('T') && matches!(rest.len(), 7 | 8) => {
            // A leap second is the second before it.
            let time = ClockTime::new(small(9, 11)?, small(11, 13)?, small(13, 15)?.min(59), 0).ok()?;
            let zone = match text.get(15..) {
                Some("Z") => TimeZone::UTC,
                Some("") => zone_name.map_or_else(zone, |name| zones.find(name)),
                _ => return None,
            };
            Some(Stamp::At(date.to_datetime(time), zone))
        }
        _ => None,
    }
}

/// Seconds of a duration such as `P1W`, `P1DT2H` or `PT30M`; nothing for anything else, or for one that goes back.
pub(super) fn duration_s(text: &str) -> Option<i64> {
    let rest = text.trim().trim_start_matches('+').strip_prefix(['P', 'p'])?;
    let (mut total, mut number, mut in_time, mut any) = (0_i64, None::<i64>, false, false);
    for letter in rest.chars() {
        let unit = match letter.to_ascii_uppercase() {
            'T' if number.is_none() => {
                in_time = true;
                continue;
            }
            'W' if !in_time => 604_800,
            'D' if !in_time => 86_400,
            'H' if in_time => 3_600,
            'M' if in_time => 60,
            'S' if in_time => 1,
            digit => {
                let digit = i64::from(digit.to_digit(10)?);
                number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(digit)?);
                continue;
            }
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
        any = true;
    }
    (any && number.is_none()).then_some(total)
}

/// Zones by the names that feeds give them.
#[derive(Default)]
pub(super) struct Zones {
    known: BTreeMap<String, TimeZone>,
    /// True when a name was met that nobody knows; Swedish time stood in.
    pub unknown: bool,
}

/// Names that Outlook writes for zones a Swedish calendar meets.
const WINDOWS: &[(&str, &str)] = &[
    ("W. Europe Standard Time", "Europe/Stockholm"),
    ("Central Europe Standard Time", "Europe/Stockholm"),
    ("Central European Standard Time", "Europe/Stockholm"),
    ("Romance Standard Time", "Europe/Stockholm"),
    ("FLE Standard Time", "Europe/Helsinki"),
    ("GMT Standard Time", "Europe/London"),
    ("UTC", "UTC"),
];

impl Zones {
    fn find(&mut self, name: &str) -> TimeZone {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        let windows = WINDOWS.iter().find(|(windows, _)| windows.eq_ignore_ascii_case(name)).map(|(_, iana)| *iana);
        // Some programs write a path before the name: `/freeassociation.sourceforge.net/Europe/Stockholm`.
        let parts: Vec<&str> = name.rsplitn(3, '/').take(2).collect();
        let tail = parts.iter().rev().copied().collect::<Vec<_>>().join("/");
        let found =
            [windows, Some(name), Some(tail.as_str())].into_iter().flatten().find_map(|name| TimeZone::get(name).ok());
        self.unknown |= found.is_none();
        let found = found.unwrap_or_else(zone);
        if self.known.len() < MAX_ZONES {
            self.known.insert(name.to_owned(), found.clone());
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folded_line_is_one_line_also_when_a_letter_was_cut() {
        let text = "DESCRIPTION:skä\r\n rgård\r\n\tsö\nEND:VEVENT";
        assert_eq!(lines(text).collect::<Vec<_>>(), ["DESCRIPTION:skärgårdsö", "END:VEVENT"]);
    }

    #[test]
    fn a_colon_inside_quotes_does_not_end_the_parameters() {
        let line = Line::of("dtstart;X=\"a:b;c\";TZID=\"(UTC+01:00) Stockholm\":20260504T080000").unwrap();
        assert_eq!((line.name.as_str(), line.value), ("DTSTART", "20260504T080000"));
        assert_eq!(line.parameter("tzid"), Some("(UTC+01:00) Stockholm"));
    }

    #[test]
    fn a_duration_is_its_seconds_or_nothing() {
        let told = ["P1W", "P1DT2H", "PT30M", "P", "PT", "P1", "-P1D", "P1H", "PT1D"].map(duration_s);
        assert_eq!(told, [Some(604_800), Some(93_600), Some(1_800), None, None, None, None, None, None]);
    }

    #[test]
    fn a_zone_is_found_behind_a_path_and_by_its_name_in_outlook() {
        let mut zones = Zones::default();
        for name in ["/freeassociation.sourceforge.net/Europe/Stockholm", "W. Europe Standard Time", "Europe/Stockholm"]
        {
            assert_eq!(zones.find(name).iana_name(), Some("Europe/Stockholm"), "{name}");
        }
        assert!(!zones.unknown);
        let _ = zones.find("Europa/Stockholm");
        assert!(zones.unknown);
    }

    #[test]
    fn a_time_that_does_not_exist_in_spring_is_the_hour_after() {
        let read = stamp("20260329T023000", Some("Europe/Stockholm"), &mut Zones::default()).unwrap();
        assert_eq!(read.moment().unwrap().to_string(), "2026-03-29T01:30:00Z");
    }
}
