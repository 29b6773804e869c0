//! A day in Ale: what `lyhord demo` plays, with invented people, real feeds over HTTP and a clock that runs fast.
//!
//! Everything here is told: which posts there are ([`day`]), how they are served ([`feeds`]), what the staff does about
//! them ([`staff`]) and which sources Lyhörd is told to read ([`config`]). Lyhörd itself runs as it always does and
//! knows nothing of the demo; it only gets another clock and another configuration.

pub mod config;
pub mod day;
pub mod feeds;
pub mod staff;

/// Told seconds for each real second. At 120 a real second is two told minutes: 08:00 to 12:00 passes in two real
/// minutes, slow enough to read each message on the terminal and fast enough that nobody walks away.
pub const FACTOR: u32 = 120;

/// When the told day begins: ten told minutes (five real seconds) before the offices open, so that the first posts
/// are there when the first person is.
pub const STARTS_AT: &str = "2026-11-23T07:50:00+01:00";

/// The moment of [`STARTS_AT`], to start [`crate::clock::Clock::scaled`] at.
#[must_use]
pub fn starts_at() -> crate::clock::Time {
    crate::clock::Time::parse(STARTS_AT).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::clock::Clock;

    #[test]
    fn the_told_day_begins_at_ten_to_eight_in_sweden() {
        assert_eq!(super::starts_at().to_string(), "2026-11-23T06:50:00Z");
    }

    #[test]
    fn the_morning_passes_in_two_real_minutes() {
        let clock = Clock::scaled(super::starts_at(), super::FACTOR);
        assert_eq!(clock.real(Duration::from_hours(4)), Duration::from_mins(2));
    }
}
