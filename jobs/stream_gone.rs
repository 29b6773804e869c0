//! What a stream tells has gone and nobody here knows: another source may be about to keep it, or has kept it a moment ago.
//! It is remembered for a few minutes, in memory and nowhere else.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use crate::clock::Time;
use crate::source::{Gone, Name};

/// So long is it remembered: longer than it takes until what another source has kept is known here.
const REMEMBERED: Duration = Duration::from_mins(5);
/// And so many at most: a hundred a second.
const AT_MOST: usize = 30_000;

/// What has gone lately.
#[derive(Debug, Default)]
pub(super) struct Lately(VecDeque<(Time, Gone)>);

impl Lately {
    /// Remembers one.
    pub fn add(&mut self, gone: Gone, now: Time) {
        if self.0.len() == AT_MOST {
            self.0.pop_front();
        }
        self.0.push_back((now, gone));
    }

    /// Those that are known by now; they, and those that are old, are no longer remembered.
    pub fn known_now(&mut self, known: &HashSet<String>, now: Time) -> Vec<Gone> {
        let is_known = |gone: &Gone| matches!(&gone.name, Name::Native(name) if known.contains(name));
        let (found, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.0)
            .into_iter()
            .filter(|(told, _)| now.since(*told) <= REMEMBERED)
            .partition(|(_, gone)| is_known(gone));
        self.0 = rest.into();
        found.into_iter().map(|(_, gone)| gone).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(name: &str) -> Gone {
        Gone { name: Name::Native(name.to_owned()), at: None }
    }

    fn known(names: &[&str]) -> HashSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_has_gone_before_it_was_known_is_told_when_it_is_known_and_once() {
        let (mut lately, now) = (Lately::default(), Time(0));
        lately.add(gone("a"), now);
        lately.add(gone("b"), now);
        assert!(lately.known_now(&known(&["c"]), now.plus(Duration::from_mins(1))).is_empty());
        assert_eq!(lately.known_now(&known(&["a", "c"]), now.plus(Duration::from_mins(2))), [gone("a")]);
        assert!(lately.known_now(&known(&["a"]), now.plus(Duration::from_mins(2))).is_empty());
        assert!(lately.known_now(&known(&["b"]), now.plus(Duration::from_mins(6))).is_empty(), "it is forgotten");
    }

    #[test]
    fn a_wave_of_deletions_fills_no_memory_and_the_latest_are_remembered() {
        let (mut lately, now) = (Lately::default(), Time(0));
        for n in 0..AT_MOST + 2 {
            lately.add(gone(&n.to_string()), now);
        }
        assert_eq!(lately.0.len(), AT_MOST);
        assert_eq!(lately.known_now(&known(&["1", "2"]), now), [gone("2")]);
    }
}
