//! A list that comes newest first, sorted by a time that its writers can set back: what of it is known, and where a
//! reading that broke off goes on. Nothing is left out for its time alone, as long as it is among the latest.

use std::time::Duration;

use crate::clock::Time;

/// Names that are remembered: three pages, which is weeks for a municipality.
const NAMES: usize = 300;
/// How often everything that is remembered is read through, not only until a page is known.
const DEEP_EVERY: Duration = Duration::from_hours(1);

/// What of a list is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Known {
    /// True when the list has been read at least once.
    begun: bool,
    /// The latest, newest first.
    names: Vec<(Time, String)>,
    /// What is as old as this or older is history: more than is remembered has come since.
    history: Option<Time>,
}

impl Known {
    /// True when the list has been read at least once.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// True when it is older than all that is remembered.
    #[must_use]
    pub fn is_history(&self, at: Time) -> bool {
        self.history.is_some_and(|history| at <= history)
    }

    /// True when it has been read and is remembered.
    #[must_use]
    pub fn remembers(&self, name: &str) -> bool {
        self.names.iter().any(|(_, known)| known == name)
    }

    /// True when it has been read, or is history.
    #[must_use]
    pub fn has(&self, at: Time, name: &str) -> bool {
        self.is_history(at) || self.remembers(name)
    }

    /// Adds what was read. `more` is true when the list went on: the first time, that is history.
    pub fn add(&mut self, read: Vec<(Time, String)>, more: bool) {
        if !self.begun {
            self.begun = true;
            self.history = read.iter().map(|(at, _)| *at).min().filter(|_| more);
        }
        for (at, name) in read {
            if !self.remembers(&name) {
                self.names.push((at, name));
            }
        }
        self.names.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        if let Some((at, _)) = self.names.get(NAMES) {
            self.history = self.history.max(Some(*at));
            self.names.truncate(NAMES);
        }
    }
}

/// A reading that broke off: where, and what was known when it began.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Left {
    /// The server's name for the next page.
    pub place: String,
    /// What ends it.
    pub known: Known,
}

/// A list between two readings.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct List {
    /// What is known.
    pub known: Known,
    /// What is left of a reading that broke off.
    pub left: Option<Left>,
    /// When all that is remembered was read through.
    deep_at: Option<Time>,
}

impl List {
    /// True when all that is remembered is to be read through.
    #[must_use]
    pub fn is_deep(&self, now: Time) -> bool {
        self.deep_at.is_some_and(|at| now.since(at) >= DEEP_EVERY)
    }

    /// A reading from the top came to its end.
    pub fn was_read(&mut self, deep: bool, now: Time) {
        if deep || self.deep_at.is_none() {
            self.deep_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(second: i64) -> (Time, String) {
        (Time(second * 1_000), format!("n{second}"))
    }

    #[test]
    fn what_is_dated_back_is_new_while_it_is_among_the_latest() {
        let mut known = Known::default();
        known.add(vec![item(100)], false);
        assert!(known.has(Time(100_000), "n100") && !known.has(Time(100_000), "another"));
        assert!(!known.has(Time(20_000), "n20"), "earlier, and not read");
    }

    #[test]
    fn the_first_time_what_lies_under_the_page_is_history() {
        let mut known = Known::default();
        assert!(!known.has_begun());
        known.add(vec![item(100), item(50)], true);
        assert!(known.has(Time(49_000), "n49") && known.has(Time(50_000), "another"));
        assert!(!known.has(Time(51_000), "n51"));
        known.add(vec![item(120)], true);
        assert!(!known.has(Time(51_000), "n51"), "only the first time");
    }

    #[test]
    fn three_hundred_are_remembered_and_older_ones_are_history() {
        let mut known = Known::default();
        known.add(vec![item(0)], false);
        known.add((1..=400).map(item).collect(), false);
        assert_eq!(known.names.len(), NAMES);
        assert_eq!(known.names[0], item(400));
        assert!(known.has(Time(100_000), "x") && !known.has(Time(101_000), "x") && known.has(Time(101_000), "n101"));
        known.add(vec![item(400)], false);
        assert_eq!(known.names.len(), NAMES, "none twice");
    }

    #[test]
    fn once_an_hour_all_that_is_remembered_is_read_through() {
        let mut list = List::default();
        assert!(!list.is_deep(Time(0)));
        list.was_read(false, Time(0));
        assert!(!list.is_deep(Time(3_599_000)) && list.is_deep(Time(3_600_000)));
        list.was_read(false, Time(3_600_000));
        assert!(list.is_deep(Time(3_600_000)), "it was an ordinary reading");
        list.was_read(true, Time(3_600_000));
        assert!(!list.is_deep(Time(3_600_001)));
    }
}
