//! What is asked beside the lists of a reading: threads, what a post answers, searches, the server's settings. What fails
//! of it is told in the reading's remark and stops nothing else; only when we are no longer let in does the reading end.

use super::{Poll, PollError};

/// So many different faults are told; more would not be read.
const TOLD: usize = 3;

/// What failed beside the lists of one reading.
#[derive(Debug, Default)]
pub struct Beside {
    faults: Vec<String>,
    enough: bool,
}

impl Beside {
    /// True while more may be asked: nobody wants to be left in peace, and nobody was silent.
    #[must_use]
    pub fn goes_on(&self, poll: &Poll) -> bool {
        !self.enough && poll.wait.is_none()
    }

    /// A question was refused. It is told, and the next may be asked. `what` is Swedish and begins in lower case.
    ///
    /// # Errors
    /// The fault itself, when it says that we are no longer let in.
    pub fn failed(&mut self, what: &str, fault: PollError, poll: &mut Poll) -> Result<(), PollError> {
        let why = match fault {
            PollError::Unauthorized(_) => return Err(fault),
            PollError::Busy => {
                self.enough = true;
                return Ok(());
            }
            PollError::RateLimited { retry_after } => {
                poll.rests(retry_after);
                "servern bad oss vänta".to_owned()
            }
            PollError::Gone => "sidan finns inte längre (410)".to_owned(),
            PollError::Blind(why)
            | PollError::Unreachable(why)
            | PollError::Unreadable(why)
            | PollError::Refused(why) => why,
        };
        let said = format!("{what} gick inte att läsa: {why}");
        if self.faults.len() < TOLD && !self.faults.contains(&said) {
            self.faults.push(said);
        }
        Ok(())
    }

    /// A question had no answer at all. Nothing more is asked beside the lists: each silence costs up to a minute, and
    /// what was read must be written down before our turn ends.
    ///
    /// # Errors
    /// As [`Beside::failed`].
    pub fn no_answer(&mut self, what: &str, fault: PollError, poll: &mut Poll) -> Result<(), PollError> {
        self.enough = true;
        self.failed(what, fault, poll)
    }

    /// A whole list beside the one that the reading is for failed; one that is silent is as no answer.
    ///
    /// # Errors
    /// As [`Beside::failed`].
    pub fn list_failed(&mut self, what: &str, fault: PollError, poll: &mut Poll) -> Result<(), PollError> {
        self.enough |= matches!(fault, PollError::Unreachable(_));
        self.failed(what, fault, poll)
    }

    /// Nothing more is asked beside the lists.
    pub fn is_enough(&mut self) {
        self.enough = true;
    }

    /// Tells what failed.
    pub fn tell(self, poll: &mut Poll) {
        if self.faults.is_empty() {
            return;
        }
        let said = format!("Inläggen är lästa, men {}. Vi försöker igen av oss själva.", self.faults.join(", och "));
        poll.remark = Some(match poll.remark.take() {
            Some(first) => format!("{first} {said}"),
            None => said,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_fault_is_told_once_and_the_next_question_is_asked() {
        let (mut beside, mut poll) = (Beside::default(), Poll::default());
        for _ in 0..2 {
            beside.failed("en tråd", PollError::Unreachable("fel hos servern (500)".into()), &mut poll).unwrap();
        }
        beside.failed("sökningen", PollError::Gone, &mut poll).unwrap();
        assert!(beside.goes_on(&poll));
        poll.remark = Some("Ett annat fel.".to_owned());
        beside.tell(&mut poll);
        assert_eq!(
            poll.remark.unwrap(),
            "Ett annat fel. Inläggen är lästa, men en tråd gick inte att läsa: fel hos servern (500), och sökningen gick inte \
             att läsa: sidan finns inte längre (410). Vi försöker igen av oss själva."
        );
    }

    #[test]
    fn who_asks_for_rest_or_is_silent_is_asked_nothing_more() {
        let (mut beside, mut poll) = (Beside::default(), Poll::default());
        beside.failed("en tråd", PollError::RateLimited { retry_after: None }, &mut poll).unwrap();
        assert_eq!((beside.goes_on(&poll), poll.wait), (false, Some(Duration::ZERO)));
        let (mut beside, mut poll) = (Beside::default(), Poll::default());
        beside.no_answer("en tråd", PollError::Unreachable("det tog för lång tid".into()), &mut poll).unwrap();
        assert!(!beside.goes_on(&poll) && poll.wait.is_none());
        let refused = PollError::Unauthorized("x".into());
        assert_eq!(beside.failed("en tråd", refused.clone(), &mut poll), Err(refused));
    }

    #[test]
    fn where_nothing_failed_nothing_is_said() {
        let mut poll = Poll::default();
        Beside::default().tell(&mut poll);
        assert_eq!(poll.remark, None);
    }
}
