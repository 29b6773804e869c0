//! Handing over (överlämning): a case changes owner when the other has said yes, and not before.

use std::time::Duration;

use super::{Board, Organisation};
use crate::clock::Time;
use crate::id::CaseId;

/// To whom a case is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receiver {
    /// One person, by key.
    Staff(String),
    /// A unit, by key: the first of its members who says yes.
    Unit(String),
}

/// An offer that waits for a yes or a no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Which case.
    pub case: CaseId,
    /// Key of the owner until somebody says yes.
    pub from: String,
    /// To whom it is offered.
    pub to: Receiver,
    /// When it was offered.
    pub offered_at: Time,
}

/// What somebody says to an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Takes it.
    Accept,
    /// Does not, and says why.
    Decline {
        /// The reason, for the owner to read.
        reason: String,
    },
    /// The owner takes the offer back.
    Withdraw,
}

/// What an offer came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A new owner, by key.
    Owner(String),
    /// The owner keeps it, and knows why.
    Kept {
        /// In Swedish, for the owner.
        because: String,
    },
}

/// Why a reply does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandoverError {
    /// Somebody else was asked.
    #[error("the offer was made to somebody else")]
    NotAddressed,
    /// Only the owner takes an offer back.
    #[error("only the owner can withdraw the offer")]
    NotOwner,
    /// The time to answer is over; the owner still has it.
    #[error("the offer is no longer open")]
    Expired,
    /// A no without a reason leaves the owner where she was.
    #[error("a decline needs a reason")]
    NoReason,
}

impl HandoverError {
    /// The same for the person who replied.
    #[must_use]
    pub fn swedish(self) -> &'static str {
        match self {
            Self::NotAddressed => "Ärendet erbjöds någon annan. Be ägaren erbjuda dig det.",
            Self::NotOwner => "Bara den som äger ärendet kan ta tillbaka erbjudandet.",
            Self::Expired => "Erbjudandet gäller inte längre. Ägaren har kvar ärendet och kan erbjuda det igen.",
            Self::NoReason => "Skriv varför du säger nej, så att ägaren vet vart ärendet ska.",
        }
    }
}

impl Offer {
    /// True while it can be answered.
    #[must_use]
    pub fn open(&self, stays_open: Duration, at: Time) -> bool {
        at < self.offered_at.plus(stays_open)
    }
}

impl Organisation {
    /// True when the one who gets a case must say yes before it is hers. Not when the one who gives it leads her unit:
    /// to share out the work is what a manager does.
    #[must_use]
    pub fn needs_yes(&self, giver: &str, unit: &str, at: Time) -> bool {
        let leads = self.unit_at(unit, at).is_some_and(|unit| unit.manager == giver || unit.deputy == giver)
            || self.department_of(unit, at).is_some_and(|department| department.chief == giver);
        self.rules.handover_needs_yes && !leads
    }

    /// What a reply makes of an offer.
    ///
    /// # Errors
    /// When the one who replies was not asked, the offer is no longer open, or a no has no reason.
    pub fn settle(&self, offer: &Offer, by: &str, reply: &Reply, at: Time) -> Result<Outcome, HandoverError> {
        if let Reply::Withdraw = reply {
            let kept = Outcome::Kept { because: "Du tog tillbaka erbjudandet.".to_owned() };
            return if by == offer.from { Ok(kept) } else { Err(HandoverError::NotOwner) };
        }
        let asked = match &offer.to {
            Receiver::Staff(key) => key == by && self.staff_at(by, at).is_some(),
            Receiver::Unit(unit) => self.staff_at(by, at).is_some_and(|staff| staff.unit == *unit),
        };
        if !asked {
            return Err(HandoverError::NotAddressed);
        }
        if !offer.open(self.rules.handover_open, at) {
            return Err(HandoverError::Expired);
        }
        match reply {
            Reply::Decline { reason } if reason.trim().is_empty() => Err(HandoverError::NoReason),
            Reply::Decline { reason } => {
                let because = format!("{} sade nej: {}", self.name_of_staff(by), reason.trim());
                Ok(Outcome::Kept { because })
            }
            Reply::Accept | Reply::Withdraw => Ok(Outcome::Owner(by.to_owned())),
        }
    }

    /// The two boards when a case would go from one authority to another: then it becomes a received document there,
    /// and whoever sends it is asked first. Nothing when it stays within one.
    #[must_use]
    pub fn crosses_boards(&self, from_unit: &str, to_unit: &str, at: Time) -> Option<(&Board, &Board)> {
        let (from, to) = (self.board_of(from_unit, at)?, self.board_of(to_unit, at)?);
        (from.key != to.key).then_some((from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assignment::example::{NOW, ale};

    fn offer(to: Receiver) -> Offer {
        Offer { case: CaseId(7), from: "my-provlund".to_owned(), to, offered_at: NOW }
    }

    #[test]
    fn any_member_of_a_unit_can_say_yes_and_nobody_else() {
        let offer = offer(Receiver::Unit("va".to_owned()));
        assert_eq!(
            ale().settle(&offer, "sixten-prov", &Reply::Accept, NOW),
            Ok(Outcome::Owner("sixten-prov".to_owned()))
        );
        assert_eq!(ale().settle(&offer, "liv-mallfors", &Reply::Accept, NOW), Err(HandoverError::NotAddressed));
    }

    #[test]
    fn the_owner_keeps_a_case_that_nobody_took_in_time() {
        let offer = offer(Receiver::Staff("sixten-prov".to_owned()));
        let late = NOW.plus(ale().rules.handover_open);
        assert_eq!(ale().settle(&offer, "sixten-prov", &Reply::Accept, late), Err(HandoverError::Expired));
    }

    #[test]
    fn a_no_says_why() {
        let offer = offer(Receiver::Staff("sixten-prov".to_owned()));
        let say =
            |reason: &str| ale().settle(&offer, "sixten-prov", &Reply::Decline { reason: reason.to_owned() }, NOW);
        assert_eq!(say(" "), Err(HandoverError::NoReason));
        let Ok(Outcome::Kept { because }) = say("Det är gatuenhetens.") else { panic!("a no keeps the owner") };
        assert_eq!(because, "Sixten Prov sade nej: Det är gatuenhetens.");
    }

    #[test]
    fn only_the_owner_takes_an_offer_back() {
        let offer = offer(Receiver::Unit("va".to_owned()));
        assert_eq!(ale().settle(&offer, "sixten-prov", &Reply::Withdraw, NOW), Err(HandoverError::NotOwner));
        assert!(matches!(ale().settle(&offer, "my-provlund", &Reply::Withdraw, NOW), Ok(Outcome::Kept { .. })));
    }

    #[test]
    fn a_case_that_goes_to_another_board_is_said_to() {
        let ale = ale();
        assert!(ale.crosses_boards("va", "gata", NOW).is_none());
        let (from, to) = ale.crosses_boards("kontaktcenter", "va", NOW).unwrap();
        assert_eq!((from.key.as_str(), to.key.as_str()), ("ks", "samhallsbyggnadsnamnden"));
    }
}
