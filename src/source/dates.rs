//! Dates as feeds write them, which is seldom as the standards say.

use jiff::civil;
use jiff::tz::Offset;

use crate::clock::Time;

/// Longest text looked at; the longest right one is some 40 characters.
const LONGEST: usize = 80;

/// Reads RFC 3339, ISO 8601 with parts missing, RFC 822 and 2822 with wrong or absent weekdays, long month names,
/// English or Swedish, and named zones. A time without a zone counts as UTC, a date without a time as its midnight.
pub(super) fn read(text: &str) -> Option<Time> {
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST {
        return None;
    }
    let iso = text.as_bytes().get(4) == Some(&b'-') && text.as_bytes().iter().take(4).all(u8::is_ascii_digit);
    if iso { iso_time(text) } else { mail_time(text) }
}

fn iso_time(text: &str) -> Option<Time> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<i16>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let rest = rest.trim_start_matches(['T', 't', ' ']);
    let zone_at = rest.find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.')).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at_checked(zone_at)?;
    moment(year, month, day, if clock.is_empty() { "0:0" } else { clock }, zone.trim())
}

fn mail_time(text: &str) -> Option<Time> {
    let mut numbers: Vec<i16> = Vec::with_capacity(2);
    let (mut month, mut clock, mut zone) = (None, None, "");
    for word in text.split([' ', ',', '\t', '\n', '\r']).filter(|word| !word.is_empty()) {
        if word.contains(':') && clock.is_none() && word.starts_with(|c: char| c.is_ascii_digit()) {
            clock = Some(word);
        } else if clock.is_some() {
            if zone.is_empty() {
                zone = word;
            }
        } else if let Ok(number) = word.trim_end_matches('.').parse() {
            numbers.push(number);
        } else if month.is_none() {
            month = month_of(word);
        }
    }
    let &[day, year] = numbers.as_slice() else { return None };
    let year = match year {
        0..=68 => 2000 + year,
        69..=99 => 1900 + year,
        _ => year,
    };
    moment(year, month?, day, clock.unwrap_or("0:0"), zone)
}

fn moment(year: i16, month: i16, day: i16, clock: &str, zone: &str) -> Option<Time> {
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = whole.split(':').map(|part| part.parse::<i8>().ok());
    let hour = parts.next()?? % 24; // some write 24:10 for ten past midnight and have already turned the day
    let minute = parts.next().flatten().unwrap_or(0);
    let second = parts.next().flatten().unwrap_or(0).min(59); // a leap second has no room in a civil time
    let date = civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    let time = civil::Time::new(hour, minute, second, nanoseconds(fraction)).ok()?;
    let offset = Offset::from_seconds(offset_s(zone)?).ok()?;
    offset.to_timestamp(date.to_datetime(time)).ok().map(Time::of)
}

fn nanoseconds(fraction: &str) -> i32 {
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    digits.parse().unwrap_or(0)
}

fn month_of(word: &str) -> Option<i16> {
    let head = word.get(..3)?.to_ascii_lowercase();
    let names = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let place = names.iter().position(|name| *name == head).or(match head.as_str() {
        "maj" => Some(4),
        "okt" => Some(9),
        _ => None,
    })?;
    i16::try_from(place + 1).ok()
}

/// Seconds east of Greenwich.
fn offset_s(zone: &str) -> Option<i32> {
    let digits: String = zone.chars().filter(char::is_ascii_digit).collect();
    let sign = match zone.as_bytes().first() {
        Some(b'-') => -1,
        Some(b'+') => 1,
        _ => {
            return Some(
                3_600
                    * match zone.to_ascii_uppercase().as_str() {
                        "" | "Z" | "UT" | "UTC" | "GMT" => 0,
                        "CET" | "MET" | "BST" => 1,
                        "CEST" | "MEST" | "EET" => 2,
                        "EEST" => 3,
                        "EST" | "CDT" => -5,
                        "EDT" => -4,
                        "CST" | "MDT" => -6,
                        "MST" | "PDT" => -7,
                        "PST" => -8,
                        _ => return None,
                    },
            );
        }
    };
    let (hours, minutes) = if digits.len() <= 2 { (digits.as_str(), "0") } else { digits.split_at_checked(2)? };
    Some(sign * (hours.parse::<i32>().ok()? * 3_600 + minutes.parse::<i32>().ok()? * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        read(text).map(|time| time.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_date_is_read_however_it_is_written() {
        for text in [
            "2026-11-23T07:05:09Z",
            "2026-11-23T08:05:09+01:00",
            "2026-11-23T08:05:09.123+0100",
            "2026-11-23 07:05:09",
            "2026-11-23 07:05:09 UTC",
            "Mon, 23 Nov 2026 08:05:09 +0100",
            "Fri, 23 Nov 2026 07:05:09 GMT",
            "23 Nov 26 07:05:09 UT",
            "Mon, 23 November 2026 08:05:09 CET",
            "Monday, November 23, 2026 02:05:09 EST",
            "mån, 23 nov 2026 07:05:09 Z",
        ] {
            assert_eq!(told(text), "2026-11-23T07:05:09Z", "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_midnight_in_utc() {
        assert_eq!(told("2026-11-23"), "2026-11-23T00:00:00Z");
        assert_eq!(told("23 okt 2026"), "2026-10-23T00:00:00Z");
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in
            ["", "igår", "2026-02-30", "2026-13-01T00:00:00Z", "Mon, 32 Nov 2026 08:00:00 GMT", "12:00", "a-b-c-d"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
