//! Opening hours of one day: a few intervals of wall-clock time.

use jiff::civil::{Time as Clock, Weekday};

/// Minutes in a day by the wall clock.
pub const DAY_MIN: u16 = 24 * 60;

/// Intervals in one day; more would be a fault in the configuration, not an office.
pub const INTERVALS_MAX: usize = 8;

/// Opening hours of one day: intervals in minutes since midnight, in order and apart from each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct Hours(Vec<(u16, u16)>);

impl Hours {
    /// Open from midnight to midnight.
    #[must_use]
    pub fn whole_day() -> Self {
        Self(vec![(0, DAY_MIN)])
    }

    /// Sorts and joins intervals; empty ones vanish.
    #[must_use]
    pub fn of(mut intervals: Vec<(u16, u16)>) -> Self {
        intervals.retain(|(start, end)| start < end);
        intervals.sort_unstable();
        let mut joined: Vec<(u16, u16)> = Vec::with_capacity(intervals.len());
        for (start, end) in intervals {
            match joined.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => joined.push((start, end)),
            }
        }
        Self(joined)
    }

    /// The intervals, in minutes since midnight.
    #[must_use]
    pub fn intervals(&self) -> &[(u16, u16)] {
        &self.0
    }

    /// True when the office never opens that day.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_empty()
    }

    /// First opening of the day, in minutes since midnight.
    #[must_use]
    pub fn opens(&self) -> Option<u16> {
        self.0.first().map(|interval| interval.0)
    }

    /// Last closing of the day, in minutes since midnight.
    #[must_use]
    pub fn closes(&self) -> Option<u16> {
        self.0.last().map(|interval| interval.1)
    }

    /// The same hours cut at a closing time.
    #[must_use]
    pub fn until(&self, closes: u16) -> Self {
        Self::of(self.0.iter().map(|(start, end)| (*start, (*end).min(closes))).collect())
    }

    /// The same hours and more.
    #[must_use]
    pub fn with(&self, more: &Self) -> Self {
        Self::of(self.0.iter().chain(&more.0).copied().collect())
    }

    /// A wall-clock minute moved into the opening hours: before the first opening becomes the opening, after the
    /// last closing the closing, and a lunch break its end.
    #[must_use]
    pub fn clamp(&self, minute: u16) -> u16 {
        for (start, end) in &self.0 {
            if minute < *start {
                return *start;
            }
            if minute <= *end {
                return minute;
            }
        }
        self.closes().unwrap_or(minute)
    }
}

/// Why an interval could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not hours as \"08:00-16:30\"")]
pub struct NotHours(pub String);

/// Reads `08:00`, `08.00` or `24:00` as minutes since midnight.
///
/// # Errors
/// When it is no such time.
pub fn minute(text: &str) -> Result<u16, NotHours> {
    let fault = || NotHours(text.to_owned());
    let (hour, min) = text.trim().split_once([':', '.']).ok_or_else(fault)?;
    let digits = |part: &str| part.len() <= 2 && !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hour) || !digits(min) || min.len() != 2 {
        return Err(fault());
    }
    let (hour, min): (u16, u16) = (hour.parse().map_err(|_| fault())?, min.parse().map_err(|_| fault())?);
    if (hour < 24 && min < 60) || (hour == 24 && min == 0) { Ok(hour * 60 + min) } else { Err(fault()) }
}

/// Reads `08:00-16:30`; one that ends before it begins goes over midnight, as in `22:00-06:00`.
///
/// # Errors
/// When it is no such interval.
pub fn interval(text: &str) -> Result<(u16, u16), NotHours> {
    let (start, end) = text.split_once(['-', '–']).ok_or_else(|| NotHours(text.to_owned()))?;
    let (start, end) = (minute(start)?, minute(end)?);
    if start == end || start == DAY_MIN {
        return Err(NotHours(text.to_owned()));
    }
    Ok((start, end))
}

/// Minutes since midnight as a civil time; 24:00 has none and gives `None`.
#[must_use]
pub fn civil(minute: u16) -> Option<Clock> {
    Clock::new(i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?, 0, 0).ok()
}

/// Minutes since midnight as people write them in Sweden: `08.00`.
#[must_use]
pub fn swedish(minute: u16) -> String {
    format!("{:02}.{:02}", minute / 60, minute % 60)
}

/// The week of one edition: hours for Monday to Sunday.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Week(pub [Hours; 7]);

impl Week {
    /// The hours of a weekday.
    #[must_use]
    pub fn on(&self, day: Weekday) -> &Hours {
        let index = usize::try_from(day.to_monday_zero_offset()).unwrap_or(0);
        match &self.0 {
            [monday, tuesday, wednesday, thursday, friday, saturday, sunday] => match index {
                0 => monday,
                1 => tuesday,
                2 => wednesday,
                3 => thursday,
                4 => friday,
                5 => saturday,
                _ => sunday,
            },
        }
    }

    /// Round the clock, every day.
    #[must_use]
    pub fn always() -> Self {
        Self(std::array::from_fn(|_| Hours::whole_day()))
    }

    /// True when the office opens on no day of the week.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.iter().all(Hours::is_closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_a_colon_and_a_swedish_point_are_read() {
        assert_eq!(interval("08:00-16:30"), Ok((480, 990)));
        assert_eq!(interval("08.00–16.30"), Ok((480, 990)));
        assert_eq!(interval("00:00-24:00"), Ok((0, 1440)));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["8-16", "08:60-16:00", "25:00-26:00", "08:00", "", "-", "24:30-25:00", "08:0-09:00", "08:00-08:00"]
        {
            assert!(interval(text).is_err(), "{text}");
        }
    }

    #[test]
    fn overlapping_hours_are_joined_and_empty_ones_vanish() {
        let hours = Hours::of(vec![(780, 1020), (480, 720), (700, 730), (900, 900)]);
        assert_eq!(hours.intervals(), [(480, 730), (780, 1020)]);
    }

    #[test]
    fn a_clock_time_in_the_lunch_break_becomes_its_end() {
        let hours = Hours::of(vec![(480, 720), (810, 1080)]);
        assert_eq!([400, 600, 720, 750, 1080, 1200].map(|at| hours.clamp(at)), [480, 600, 720, 810, 1080, 1080]);
    }
}
