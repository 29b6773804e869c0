//! Times, lengths of time and counts as a person reads them on a page: short, in Swedish, never a code.

use jiff::civil::Date;

use crate::assignment::zone;
use crate::calendar::words::{clock_text, date_text};
use crate::clock::Time;

/// Milliseconds of a minute.
const MINUTE: i64 = 60_000;
/// Minutes of an hour.
const HOUR: i64 = 60;
/// Hours after which a length of time is told in days.
const HOURS_AS_DAYS: i64 = 48;
/// Time left below which it is counted down instead of named.
const COUNTDOWN_MS: i64 = 2 * HOUR * MINUTE;
/// Days within which a date is told by its weekday.
const WEEK_DAYS: i32 = 6;

fn day_of(at: Time) -> Date {
    zone().to_datetime(at.timestamp()).date()
}

/// Whole days from `now` to `at`: 0 is today, −1 yesterday.
fn days_off(at: Time, now: Time) -> i32 {
    day_of(now).until(day_of(at)).map_or(0, |span| span.get_days())
}

/// "fredag 27 november"; with the year when it is another.
#[must_use]
pub fn day(at: Time, now: Time) -> String {
    let (date, today) = (day_of(at), day_of(now));
    let text = date_text(date);
    if date.year() == today.year() {
        text.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end().to_owned()
    } else {
        text
    }
}

/// "10.42" today, "i går 14.05", "fredag 09.00" within a week, else "27 november 09.00".
#[must_use]
pub fn moment(at: Time, now: Time) -> String {
    let clock = clock_text(at, &zone());
    match days_off(at, now) {
        0 => clock,
        -1 => format!("i går {clock}"),
        1 => format!("i morgon {clock}"),
        days => {
            let day = day(at, now);
            let (weekday, rest) = day.split_once(' ').unwrap_or(("", &day));
            if days.abs() <= WEEK_DAYS { format!("{weekday} {clock}") } else { format!("{rest} {clock}") }
        }
    }
}

/// The clock alone: "10.42".
#[must_use]
pub fn clock(at: Time) -> String {
    clock_text(at, &zone())
}

/// For a machine: the date and time of a `time` element.
#[must_use]
pub fn machine(at: Time) -> String {
    at.to_string()
}

/// A length of time in two steps at most: "4 min", "2 tim 10 min", "3 dagar".
#[must_use]
pub fn span(milliseconds: i64) -> String {
    let minutes = milliseconds.max(0) / MINUTE;
    let (hours, rest) = (minutes / HOUR, minutes % HOUR);
    match (hours, rest) {
        (0, minutes) => format!("{minutes} min"),
        (hours, _) if hours >= HOURS_AS_DAYS => format!("{} dagar", hours / 24),
        (hours, 0) => format!("{hours} tim"),
        (hours, _) if hours >= 10 => format!("{hours} tim"),
        (hours, rest) => format!("{hours} tim {rest} min"),
    }
}

/// How a promise stands: what is said, and how loudly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// "2 tim försenat", "45 min kvar", "i dag 15.00".
    pub text: String,
    /// `late`, `soon` or nothing: the colour beside the words.
    pub tone: &'static str,
}

/// How the promise `due_at` stands now; what was answered in time is never late.
#[must_use]
pub fn due(due_at: Option<Time>, answered_at: Option<Time>, now: Time) -> Due {
    match (due_at, answered_at) {
        (None, _) => Due { text: "ingen tid satt".to_owned(), tone: "" },
        (Some(due), Some(answered)) if answered <= due => Due { text: "svar gett i tid".to_owned(), tone: "" },
        (Some(due), Some(answered)) => {
            Due { text: format!("svar gett {} sent", span(answered.0.saturating_sub(due.0))), tone: "" }
        }
        (Some(due), None) => {
            let left = due.0.saturating_sub(now.0);
            if left < 0 {
                Due { text: format!("{} försenat", span(-left)), tone: "late" }
            } else if left < COUNTDOWN_MS {
                Due { text: format!("{} kvar", span(left)), tone: "soon" }
            } else if days_off(due, now) == 0 {
                Due { text: format!("i dag {}", clock(due)), tone: "" }
            } else {
                Due { text: moment(due, now), tone: "" }
            }
        }
    }
}

/// A number with Swedish thousands: "1 214", with a space that does not break.
#[must_use]
pub fn number(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + 4);
    if n < 0 {
        text.push('−');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

/// The number with its noun: "1 ärende", "14 ärenden".
#[must_use]
pub fn counted(n: i64, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

/// What a person calls a channel; the slug itself with a capital when it is not known.
#[must_use]
pub fn channel(slug: &str) -> String {
    match slug {
        "rss" => "Webbflöde".to_owned(),
        "mastodon" => "Mastodon".to_owned(),
        "bluesky" => "Bluesky".to_owned(),
        "facebook" => "Facebook".to_owned(),
        "instagram" => "Instagram".to_owned(),
        "youtube" => "YouTube".to_owned(),
        "reddit" => "Reddit".to_owned(),
        "flashback" => "Flashback".to_owned(),
        "e-post" | "mail" => "E-post".to_owned(),
        "e-tjanst" => "E-tjänst".to_owned(),
        "tips" => "Tips från kollega".to_owned(),
        "google" | "google-news" => "Google Nyheter".to_owned(),
        other => {
            let mut letters = other.chars();
            letters
                .next()
                .map_or_else(|| "Okänd kanal".to_owned(), |first| first.to_uppercase().chain(letters).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        Time::parse(text).unwrap()
    }

    #[test]
    fn a_moment_is_as_short_as_it_can_be_said() {
        let now = at("2026-11-23T10:42:00+01:00");
        let said = |text: &str| moment(at(text), now);
        assert_eq!(said("2026-11-23T08:51:00+01:00"), "08.51");
        assert_eq!(said("2026-11-22T14:05:00+01:00"), "i går 14.05");
        assert_eq!(said("2026-11-24T09:00:00+01:00"), "i morgon 09.00");
        assert_eq!(said("2026-11-27T16:30:00+01:00"), "fredag 16.30");
        assert_eq!(said("2026-12-27T09:00:00+01:00"), "27 december 09.00");
        assert_eq!(said("2025-11-27T09:00:00+01:00"), "27 november 2025 09.00");
        assert_eq!(day(at("2026-11-27T16:30:00+01:00"), now), "fredag 27 november");
    }

    #[test]
    fn a_promise_is_told_by_how_near_it_is() {
        let now = at("2026-11-23T10:42:00+01:00");
        let said = |text: &str| due(Some(at(text)), None, now);
        assert_eq!(said("2026-11-23T08:42:00+01:00"), Due { text: "2 tim försenat".into(), tone: "late" });
        assert_eq!(said("2026-11-23T11:27:00+01:00"), Due { text: "45 min kvar".into(), tone: "soon" });
        assert_eq!(said("2026-11-23T15:00:00+01:00"), Due { text: "i dag 15.00".into(), tone: "" });
        assert_eq!(said("2026-11-27T16:30:00+01:00").text, "fredag 16.30");
    }

    #[test]
    fn what_was_answered_in_time_is_never_late() {
        let due_at = at("2026-11-23T08:42:00+01:00");
        assert_eq!(due(Some(due_at), Some(due_at), at("2026-12-23T10:42:00+01:00")).tone, "");
    }

    #[test]
    fn lengths_and_numbers_read_as_swedish() {
        let said = [4, 130, 120, 700, 60 * 72].map(|minutes| span(minutes * MINUTE));
        assert_eq!(said, ["4 min", "2 tim 10 min", "2 tim", "11 tim", "3 dagar"]);
        assert_eq!(number(1_214), "1\u{a0}214");
        assert_eq!(number(-12), "−12");
        assert_eq!(counted(1, "ärende", "ärenden"), "1 ärende");
    }
}
