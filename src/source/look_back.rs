//! Where a list that is read forward begins, so that what comes late is met too. A Mastodon server numbers what others
//! wrote by when it was written, not by when it came: a post that was a minute on its way lies behind what was read.

use std::collections::BTreeSet;
use std::time::Duration;

use super::mastodon::is_later;
use crate::clock::Time;

/// So long before the last reading does each begin.
const BACK: Duration = Duration::from_hours(2);
/// And now and then so long: servers that were out of order send what they have when they are well again.
const FAR_BACK: Duration = Duration::from_hours(24);
/// How often that is.
const FAR_EVERY: Duration = Duration::from_hours(1);
/// Numbers that are remembered, so that what is met again is not handed over again.
const KNOWN: usize = 1_000;
/// Before this, 2016, nobody numbered by the time (ms).
const FIRST_MS: i64 = 1_451_606_400_000;
/// A number that says a time so long from now is no time.
const LAST: Duration = Duration::from_hours(24 * 366);

/// What is known of one list.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct LookBack {
    /// When it was last read to its end.
    read_at: Option<Time>,
    /// Where a reading broke off; the next goes on there.
    left: Option<String>,
    /// When the last look far back began.
    far_at: Option<Time>,
    /// Where it broke off.
    far_left: Option<String>,
    /// Numbers that have been met.
    known: BTreeSet<String>,
}

impl LookBack {
    /// The number after which a reading begins. `latest` is the latest that was ever read.
    #[must_use]
    pub fn start(&self, latest: &str) -> String {
        if let Some(left) = &self.left {
            return left.clone();
        }
        self.read_at.and_then(|at| number_before(latest, at.minus(BACK))).unwrap_or_else(|| latest.to_owned())
    }

    /// A reading came to this number; `ended` when there was no more.
    pub fn came_to(&mut self, number: Option<&str>, ended: bool, now: Time) {
        self.left = number.filter(|_| !ended).map(str::to_owned);
        if ended {
            self.read_at = Some(now);
        }
        self.far_at.get_or_insert(now);
    }

    /// True when it is time to look far back, or such a look is under way.
    #[must_use]
    pub fn far_is_due(&self, now: Time) -> bool {
        self.far_left.is_some() || self.far_at.is_some_and(|at| now.since(at) >= FAR_EVERY)
    }

    /// The number after which the look far back begins or goes on; nothing where numbers do not tell the time: there the
    /// newest page is all that can be looked at.
    pub fn far_start(&mut self, latest: &str, now: Time) -> Option<String> {
        if let Some(left) = self.far_left.take() {
            return Some(left);
        }
        let before = self.far_at.replace(now).unwrap_or(now);
        let starts = number_before(latest, before.minus(FAR_BACK));
        if starts.is_some() {
            // What lies before is never met again.
            self.known.retain(|known| starts.as_deref().is_none_or(|start| is_later(known, start)));
        }
        starts
    }

    /// A look far back came to this number; it is over when it `ended` or has reached where the reading began.
    pub fn far_came_to(&mut self, number: Option<&str>, ended: bool, began: &str) {
        self.far_left = number.filter(|number| !ended && !is_later(number, began)).map(str::to_owned);
    }

    /// True the first time that a number is met.
    pub fn is_new(&mut self, number: &str) -> bool {
        let new = self.known.insert(number.to_owned());
        while self.known.len() > KNOWN {
            self.known.pop_first();
        }
        new
    }
}

/// The number of a moment, or `latest` where that is before it; nothing where numbers do not tell the time (servers of
/// another make).
fn number_before(latest: &str, at: Time) -> Option<String> {
    let told = i64::try_from(latest.parse::<u64>().ok()? >> 16).ok()?;
    if told < FIRST_MS || told > at.plus(LAST).0 {
        return None;
    }
    let number = (u64::try_from(at.0).ok()? << 16).to_string();
    Some(if is_later(&number, latest) { latest.to_owned() } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Time {
        Time::parse("2026-11-23T08:00:00Z").unwrap()
    }

    fn number(at: Time) -> String {
        ((u64::try_from(at.0).unwrap() << 16) + 7).to_string()
    }

    fn read(at: Time) -> LookBack {
        let mut look = LookBack::default();
        look.came_to(Some(&number(at)), true, at);
        look
    }

    #[test]
    fn a_reading_begins_two_hours_before_the_last_or_where_the_last_post_is_if_that_is_older() {
        let latest = number(now());
        let start = read(now()).start(&latest);
        assert!(is_later(&start, &number(now().minus(Duration::from_mins(121)))));
        assert!(is_later(&number(now().minus(Duration::from_mins(119))), &start));
        let old = number(now().minus(Duration::from_hours(50)));
        assert_eq!(read(now()).start(&old), old);
    }

    #[test]
    fn numbers_that_do_not_tell_the_time_are_read_forward_only() {
        for latest in ["0", "812", "01J9Z3K4M5N6P7Q8R9S0T1V2W3", "AbC9xyz", "1030000000000000000"] {
            let mut look = read(now());
            assert_eq!(look.start(latest), latest);
            assert_eq!(look.far_start(latest, now()), None, "{latest}");
        }
    }

    #[test]
    fn a_reading_that_broke_off_goes_on_where_it_was() {
        let mut look = read(now());
        look.came_to(Some("115"), false, now());
        assert_eq!(look.start(&number(now())), "115");
        look.came_to(Some("120"), true, now());
        assert_ne!(look.start(&number(now())), "120");
    }

    #[test]
    fn once_an_hour_a_look_goes_a_day_back_and_on_until_the_reading_s_own_begin() {
        let mut look = read(now());
        let latest = number(now());
        assert!(!look.far_is_due(now().plus(Duration::from_mins(59))));
        let later = now().plus(FAR_EVERY);
        assert!(look.far_is_due(later));
        let start = look.far_start(&latest, later).unwrap();
        assert!(
            is_later(&number(now().minus(FAR_BACK)), &start) && is_later(&start, &number(now().minus(FAR_BACK * 2)))
        );
        look.far_came_to(Some("900"), false, "1000");
        assert!(look.far_is_due(later), "it is under way");
        assert_eq!(look.far_start(&latest, later).as_deref(), Some("900"));
        look.far_came_to(Some("1001"), false, "1000");
        assert!(!look.far_is_due(later), "it has reached what is read each time");
    }

    #[test]
    fn what_is_met_again_is_known_until_it_cannot_be_met_any_more() {
        let mut look = read(now());
        let (old, new) = (number(now().minus(Duration::from_hours(30))), number(now()));
        assert!(look.is_new(&old) && look.is_new(&new) && !look.is_new(&new));
        look.far_start(&new, now().plus(FAR_EVERY));
        assert_eq!(look.known.len(), 1, "thirty hours ago is before every look");
        for n in 0..2_000 {
            look.is_new(&format!("9{n:020}"));
        }
        assert_eq!(look.known.len(), KNOWN);
    }
}
