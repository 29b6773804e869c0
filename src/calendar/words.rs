//! Dates, clock times and lengths of time as people write them in Sweden.

use std::time::Duration;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use crate::clock::Time;

pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A length of time in words: "4 timmar", "1 timme 30 minuter".
#[must_use]
pub fn span_text(span: Duration) -> String {
    let minutes = span.as_secs() / 60;
    let (hours, minutes) = (minutes / 60, minutes % 60);
    let hour_word = if hours == 1 { "timme" } else { "timmar" };
    let minute_word = if minutes == 1 { "minut" } else { "minuter" };
    match (hours, minutes) {
        (0, _) => format!("{minutes} {minute_word}"),
        (_, 0) => format!("{hours} {hour_word}"),
        _ => format!("{hours} {hour_word} {minutes} {minute_word}"),
    }
}

/// "fredag".
#[must_use]
pub fn weekday_text(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "måndag",
        Weekday::Tuesday => "tisdag",
        Weekday::Wednesday => "onsdag",
        Weekday::Thursday => "torsdag",
        Weekday::Friday => "fredag",
        Weekday::Saturday => "lördag",
        Weekday::Sunday => "söndag",
    }
}

/// "juni", by number.
#[must_use]
pub fn month_text(month: i8) -> &'static str {
    match month {
        1 => "januari",
        2 => "februari",
        3 => "mars",
        4 => "april",
        5 => "maj",
        6 => "juni",
        7 => "juli",
        8 => "augusti",
        9 => "september",
        10 => "oktober",
        11 => "november",
        _ => "december",
    }
}

/// "fredag 19 juni 2026".
#[must_use]
pub fn date_text(date: Date) -> String {
    format!("{} {} {} {}", weekday_text(date.weekday()), date.day(), month_text(date.month()), date.year())
}

/// "08.00" by the wall clock of a zone.
#[must_use]
pub fn clock_text(at: Time, zone: &TimeZone) -> String {
    let clock = zone.to_datetime(at.timestamp()).time();
    format!("{:02}.{:02}", clock.hour(), clock.minute())
}

/// "fredag 19 juni 2026 kl. 08.00" by the wall clock of a zone.
#[must_use]
pub fn moment_text(at: Time, zone: &TimeZone) -> String {
    format!("{} kl. {}", date_text(zone.to_datetime(at.timestamp()).date()), clock_text(at, zone))
}

/// RFC 3339 with the offset of the zone: `2026-06-22T15:00:00+02:00`.
#[must_use]
pub fn rfc3339(at: Time, zone: &TimeZone) -> String {
    let there = zone.to_datetime(at.timestamp());
    let offset = zone.to_offset(at.timestamp()).seconds();
    let sign = if offset < 0 { '-' } else { '+' };
    let minutes = offset.abs() / 60;
    format!("{:.0}{sign}{:02}:{:02}", there, minutes / 60, minutes % 60)
}

/// Reads a moment as RFC 3339 (`2026-06-18T15:00:00+02:00`, `…Z`) or as wall-clock time of a zone
/// (`2026-06-18T15:00`, `2026-06-18 15:00`). A bare date is midnight. A clock time that comes twice is the first.
///
/// # Errors
/// When the text is neither.
pub fn parse_moment(text: &str, zone: &TimeZone) -> Result<Time, jiff::Error> {
    Time::parse(text).or_else(|_| zone.to_timestamp(text.parse()?).map(Time::of))
}
