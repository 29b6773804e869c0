//! A running promise as a fold over its events: activate, apply, pause, resume, fulfil, breach, withdraw.
//!
//! Each event carries the due time that was true when it was written, so that a fold needs neither calendar nor
//! rules, and a changed rule cannot move a promise that runs.

use std::time::Duration;

use super::promise::PromiseKind;
use crate::calendar::Calendar;
use crate::clock::Time;

/// What happened to a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(tag = "what", rename_all = "lowercase")]
pub enum Happening {
    /// It began, or began anew when a case was reopened.
    Activate {
        /// When it must be kept.
        due_at: Time,
    },
    /// It got another due time while it ran: the journalist's own deadline.
    Apply {
        /// When it must be kept now.
        due_at: Time,
    },
    /// The citizen has the word.
    Pause {
        /// Open milliseconds that were left.
        left_ms: u64,
    },
    /// We have the word again.
    Resume {
        /// When it must be kept now.
        due_at: Time,
    },
    /// A person kept it, in time or not. What a machine answers is never kept, so it keeps no promise.
    Fulfil,
    /// The due time passed.
    Breach,
    /// It no longer holds: dismissed, merged.
    Withdraw,
}

/// An event of one of a case's promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PromiseEvent {
    /// Which promise.
    pub kind: PromiseKind,
    /// When.
    pub at: Time,
    /// What.
    #[serde(flatten)]
    pub happening: Happening,
}

/// How a promise stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It has not begun.
    Idle,
    /// It runs.
    Running {
        /// When it must be kept.
        due_at: Time,
    },
    /// The citizen has the word.
    Paused {
        /// Open time that is left.
        left: Duration,
        /// Since when.
        since: Time,
    },
    /// It was kept.
    Fulfilled {
        /// When.
        at: Time,
    },
    /// It no longer holds.
    Withdrawn {
        /// When.
        at: Time,
    },
}

/// A promise after all its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How it stands.
    pub phase: Phase,
    /// How many times it has begun: 1, and one more for each reopening.
    pub instance: u32,
    /// When the present instance began.
    pub started_at: Time,
    /// When the present instance was broken, if it was.
    pub breached_at: Option<Time>,
    /// Time for which the present instance has been paused, as far as it has been resumed.
    pub paused: Duration,
    /// Events that made no sense where they stood and were passed over: for the audit.
    pub odd: u32,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            phase: Phase::Idle,
            instance: 0,
            started_at: Time::default(),
            breached_at: None,
            paused: Duration::ZERO,
            odd: 0,
        }
    }
}

/// How one promise of a case stands after its events, in the order they were written.
#[must_use]
pub fn fold(kind: PromiseKind, events: &[PromiseEvent]) -> Standing {
    events.iter().filter(|event| event.kind == kind).fold(Standing::default(), Standing::after)
}

impl Standing {
    /// After one more event; one that makes no sense changes nothing but the count of the odd.
    #[must_use]
    pub fn after(mut self, event: &PromiseEvent) -> Self {
        let at = event.at;
        match (self.phase, event.happening) {
            (Phase::Idle | Phase::Fulfilled { .. } | Phase::Withdrawn { .. }, Happening::Activate { due_at }) => {
                return Self {
                    phase: Phase::Running { due_at },
                    instance: self.instance.saturating_add(1),
                    started_at: at,
                    breached_at: None,
                    paused: Duration::ZERO,
                    odd: self.odd,
                };
            }
            (Phase::Running { .. }, Happening::Apply { due_at }) => self.phase = Phase::Running { due_at },
            (Phase::Running { .. }, Happening::Pause { left_ms }) => {
                self.phase = Phase::Paused { left: Duration::from_millis(left_ms), since: at };
            }
            (Phase::Paused { since, .. }, Happening::Resume { due_at }) => {
                self.paused += at.since(since);
                self.phase = Phase::Running { due_at };
            }
            (Phase::Running { due_at }, Happening::Fulfil) => {
                // What was noted late may have been said in time: then a breach that was written meanwhile was none.
                self.breached_at = self.breached_at.filter(|broken| *broken < at);
                if at > due_at {
                    self.breached_at = self.breached_at.or(Some(due_at));
                }
                self.phase = Phase::Fulfilled { at };
            }
            (Phase::Paused { since, .. }, Happening::Fulfil) => {
                self.paused += at.since(since);
                self.phase = Phase::Fulfilled { at };
            }
            (Phase::Running { .. }, Happening::Breach) => self.breached_at = self.breached_at.or(Some(at)),
            (Phase::Running { .. } | Phase::Paused { .. }, Happening::Withdraw) => self.phase = Phase::Withdrawn { at },
            _ => self.odd = self.odd.saturating_add(1),
        }
        self
    }

    /// When it must be kept; `None` when it does not run.
    #[must_use]
    pub fn due_at(&self) -> Option<Time> {
        if let Phase::Running { due_at } = self.phase { Some(due_at) } else { None }
    }

    /// What to write when the citizen gets the word: the open time that is left.
    #[must_use]
    pub fn pause(&self, now: Time, calendar: &Calendar) -> Option<Happening> {
        let left = calendar.open_between(now, self.due_at()?);
        Some(Happening::Pause { left_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX) })
    }

    /// What to write when we get the word back: the time left runs on from now. The calendar handed in is that of
    /// the version the promise was made with.
    #[must_use]
    pub fn resume(&self, now: Time, calendar: &Calendar) -> Option<Happening> {
        let Phase::Paused { left, .. } = self.phase else { return None };
        let due_at = if left.is_zero() { now } else { calendar.add_open(now, left).unwrap_or(now.plus(left)) };
        Some(Happening::Resume { due_at })
    }

    /// True while it runs or is paused.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Running { .. } | Phase::Paused { .. })
    }

    /// The moment at which it is broken if nothing happens; none when it does not run or is broken already.
    #[must_use]
    pub fn breaks_at(&self) -> Option<Time> {
        self.due_at().filter(|_| self.breached_at.is_none())
    }

    /// What to write when the due time has passed: once. The due time itself still keeps the promise.
    #[must_use]
    pub fn breach(&self, now: Time) -> Option<Happening> {
        (self.breached_at.is_none() && self.due_at().is_some_and(|due_at| now > due_at)).then_some(Happening::Breach)
    }
}

/// The time from which and until which a promise had to be kept when it was made, counted from when the post was
/// written. That we found it late gave more time then; it is no part of what was promised.
#[must_use]
pub fn term(arrived_at: Time, begun_at: Time, due_at: Time, from_arrival_at: Option<Time>) -> (Time, Time) {
    (begun_at.min(arrived_at), from_arrival_at.unwrap_or(due_at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::stockholm;

    const KIND: PromiseKind = PromiseKind::FirstResponse;

    fn at(text: &str) -> Time {
        let civil: jiff::civil::DateTime = text.parse().unwrap();
        Time::of(stockholm().to_timestamp(civil).unwrap())
    }

    fn event(at_text: &str, happening: Happening) -> PromiseEvent {
        PromiseEvent { kind: KIND, at: at(at_text), happening }
    }

    fn begun(from: &str, due: &str) -> PromiseEvent {
        event(from, Happening::Activate { due_at: at(due) })
    }

    #[test]
    fn an_answer_by_us_stops_it_and_a_note_from_the_citizen_begins_it_anew() {
        let mut events =
            vec![begun("2026-11-18 10:00", "2026-11-19 10:00"), event("2026-11-18 11:00", Happening::Fulfil)];
        assert_eq!(fold(KIND, &events).breach(at("2026-12-01 10:00")), None, "we spoke last: nothing escalates");
        events.push(begun("2026-11-20 09:00", "2026-11-23 09:00"));
        assert_eq!(fold(KIND, &events).breach(at("2026-12-01 10:00")), Some(Happening::Breach));
    }

    #[test]
    fn the_time_the_citizen_has_the_word_is_not_ours() {
        let office = Calendar::weekdays("a", &[(540, 1020)]);
        let mut events = vec![begun("2026-11-20 15:00", "2026-11-23 15:00")];
        let pause = fold(KIND, &events).pause(at("2026-11-20 16:00"), &office).unwrap();
        assert_eq!(pause, Happening::Pause { left_ms: 7 * 3_600_000 }, "one hour on Friday and six on Monday");
        events.push(event("2026-11-20 16:00", pause));
        assert_eq!(fold(KIND, &events).breach(at("2026-12-24 09:00")), None, "a paused promise is not broken");
        let resume = fold(KIND, &events).resume(at("2026-11-25 10:00"), &office).unwrap();
        assert_eq!(resume, Happening::Resume { due_at: at("2026-11-25 17:00") });
        events.push(event("2026-11-25 10:00", resume));
        events.push(event("2026-11-25 11:00", Happening::Fulfil));
        // From Friday at four until Wednesday at ten.
        assert_eq!(fold(KIND, &events).paused, Duration::from_hours(4 * 24 + 18));
    }

    #[test]
    fn the_due_time_itself_keeps_the_promise_and_a_minute_later_breaks_it_once() {
        let mut events = vec![begun("2026-11-20 16:45", "2026-11-23 09:15")];
        assert_eq!(fold(KIND, &events).breach(at("2026-11-23 09:15")), None);
        let broken = fold(KIND, &events).breach(at("2026-11-23 09:16")).unwrap();
        events.push(event("2026-11-23 09:16", broken));
        assert_eq!(fold(KIND, &events).breach(at("2026-11-23 09:17")), None);
        assert_eq!(fold(KIND, &events).due_at(), Some(at("2026-11-23 09:15")), "a broken promise is still to be kept");
    }

    #[test]
    fn a_late_answer_is_a_breach_also_when_no_sweep_saw_it() {
        let events = [begun("2026-11-20 08:00", "2026-11-20 09:00"), event("2026-11-20 09:30", Happening::Fulfil)];
        assert_eq!(fold(KIND, &events).breached_at, Some(at("2026-11-20 09:00")));
    }

    #[test]
    fn an_answer_in_time_that_is_noted_late_takes_the_breach_back() {
        let events = [
            begun("2026-11-20 08:00", "2026-11-20 09:00"),
            event("2026-11-20 09:00", Happening::Breach),
            event("2026-11-20 08:50", Happening::Fulfil),
        ];
        assert_eq!(fold(KIND, &events).breached_at, None);
    }

    #[test]
    fn a_journalists_deadline_moves_a_running_promise_and_begins_no_new_one() {
        let events = [
            begun("2026-11-20 08:00", "2026-11-20 12:00"),
            event("2026-11-20 08:30", Happening::Apply { due_at: at("2026-11-20 10:00") }),
        ];
        let standing = fold(KIND, &events);
        assert_eq!((standing.due_at(), standing.instance), (Some(at("2026-11-20 10:00")), 1));
        assert_eq!(standing.started_at, at("2026-11-20 08:00"));
    }

    #[test]
    fn an_event_that_makes_no_sense_is_counted_and_changes_nothing() {
        let events = [
            event("2026-11-20 08:00", Happening::Breach),
            begun("2026-11-20 08:00", "2026-11-20 09:00"),
            begun("2026-11-20 08:30", "2026-11-20 12:00"),
            event("2026-11-20 08:40", Happening::Resume { due_at: at("2026-11-21 09:00") }),
        ];
        let standing = fold(KIND, &events);
        assert_eq!((standing.odd, standing.due_at()), (3, Some(at("2026-11-20 09:00"))));
    }

    #[test]
    fn what_was_promised_is_counted_from_when_it_was_written_and_without_our_lag() {
        let office = Calendar::weekdays("kontor", &[(480, 990)]);
        let open = |(from, until)| office.open_between(from, until);
        let day = Duration::from_mins(510);
        // One working day, written on Monday at nine. Found at once it is due on Tuesday at nine.
        let (written, due) = (at("2026-11-23 09:00"), at("2026-11-24 09:00"));
        assert_eq!(open(term(written, written, due, Some(due))), day);
        // Found at three it is due on Tuesday at three: six hours more, but no longer a promise.
        let (found, late_due) = (at("2026-11-23 15:00"), at("2026-11-24 15:00"));
        assert_eq!(open(term(written, found, late_due, Some(due))), day);
        // Of a case from before that was kept, its due time is all that is known.
        assert_eq!(open(term(written, written, due, None)), day);
    }
}
