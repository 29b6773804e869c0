//! How long one who has given wrong passwords must wait. Counted by account and by address, so that neither one
//! account can be guessed from many addresses nor many accounts from one.

use std::time::Duration;

use crate::clock::{Time, doubled};

/// How far back failures count; after a quarter of an hour without any, all is forgotten.
pub const WINDOW: Duration = Duration::from_mins(15);
/// Wrong passwords for one account before there is a wait: a person who has forgotten tries three or four.
pub const FREE_PER_ACCOUNT: usize = 5;
/// Wrong passwords from one address before there is a wait: a whole office may stand behind one.
pub const FREE_PER_ADDRESS: usize = 30;
/// The first wait; it doubles with each failure.
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// The longest wait: the window itself and a little.
const LONGEST_WAIT: Duration = Duration::from_mins(16);

/// Until when one must wait, given the failures in the window (any order); nothing when one may try now.
#[must_use]
pub fn wait(failures: &[Time], free: usize, now: Time) -> Option<Time> {
    let recent = failures.iter().filter(|at| **at > now.minus(WINDOW));
    let over = recent.clone().count().checked_sub(free)?;
    let until = recent.max()?.plus(doubled(FIRST_WAIT, u32::try_from(over).unwrap_or(u32::MAX), LONGEST_WAIT));
    (until > now).then_some(until)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(100_000_000);

    fn failures(count: usize) -> Vec<Time> {
        vec![NOW; count]
    }

    #[test]
    fn one_who_mistypes_a_few_times_does_not_wait() {
        assert_eq!(wait(&[], FREE_PER_ACCOUNT, NOW), None);
        assert_eq!(wait(&failures(4), FREE_PER_ACCOUNT, NOW), None);
    }

    #[test]
    fn the_wait_doubles_and_stops_growing() {
        let waits: Vec<u64> = (5..14)
            .filter_map(|count| wait(&failures(count), FREE_PER_ACCOUNT, NOW))
            .map(|until| until.since(NOW).as_secs())
            .collect();
        assert_eq!(waits, [30, 60, 120, 240, 480, 960, 960, 960, 960]);
    }

    #[test]
    fn failures_are_forgotten_after_a_quarter_of_an_hour() {
        assert_eq!(wait(&failures(50), FREE_PER_ACCOUNT, NOW.plus(WINDOW)), None);
    }

    #[test]
    fn when_the_wait_is_over_one_may_try_again() {
        let until = wait(&failures(5), FREE_PER_ACCOUNT, NOW).unwrap();
        assert_eq!(wait(&failures(5), FREE_PER_ACCOUNT, until), None);
    }
}
