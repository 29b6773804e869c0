//! The states of a case and the moves between them. An illegal move is a value, never a panic.

use super::outcome::{DismissReason, Outcome};
use crate::classification::Intent;

/// Where a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaseState {
    /// Nobody has it yet.
    Open,
    /// Somebody has been given it.
    Assigned,
    /// Somebody has said "I take it".
    Accepted,
    /// The citizen has an answer from a person.
    Answered,
    /// The citizen has been given a concrete contact at the right function.
    Referred,
    /// No answer, with a reason.
    Dismissed,
}

impl CaseState {
    /// Every state, in the order of a case's life.
    pub const ALL: [Self; 6] =
        [Self::Open, Self::Assigned, Self::Accepted, Self::Answered, Self::Referred, Self::Dismissed];

    /// The slug in the database, in JSON and on the command line.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Assigned => "assigned",
            Self::Accepted => "accepted",
            Self::Answered => "answered",
            Self::Referred => "referred",
            Self::Dismissed => "dismissed",
        }
    }

    /// What a person reads.
    #[must_use]
    pub fn swedish(self) -> &'static str {
        match self {
            Self::Open => "Nytt",
            Self::Assigned => "Tilldelat",
            Self::Accepted => "Påbörjat",
            Self::Answered => "Besvarat",
            Self::Referred => "Hänvisat",
            Self::Dismissed => "Avskrivet",
        }
    }

    /// Reads a slug.
    #[must_use]
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.slug() == slug)
    }

    /// True when nothing more is waited for: no reminder, no running promise.
    #[must_use]
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Answered | Self::Referred | Self::Dismissed)
    }
}

/// Something that a person or a rule wants to do with a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// Give it to somebody (staff key), or to somebody else.
    Assign {
        /// Staff key of the new holder.
        to: String,
    },
    /// The holder says "I take it".
    Accept,
    /// The holder gives it on; the receiver has yet to accept.
    HandOver {
        /// Staff key of the new holder.
        to: String,
    },
    /// Give it back to be assigned anew.
    Release,
    /// A person has answered the citizen.
    Answer {
        /// What came of it; needed for an opinion, a complaint and praise.
        outcome: Option<Outcome>,
    },
    /// Send the citizen to the right function.
    Refer {
        /// A concrete contact: name and telephone, address or link.
        contact: String,
        /// What came of it; an opinion that is referred is `NotOurs` unless it says otherwise.
        outcome: Option<Outcome>,
    },
    /// Close without an answer.
    Dismiss {
        /// Why.
        reason: DismissReason,
        /// Why, in the words of the one who closes; needed when the reason denies that anybody asked.
        words: String,
    },
    /// Open a closed one again: the citizen came back, or the closing was wrong.
    Reopen,
}

impl Move {
    /// The slug in the diary.
    #[must_use]
    pub fn slug(&self) -> &'static str {
        match self {
            Self::Assign { .. } => "assign",
            Self::Accept => "accept",
            Self::HandOver { .. } => "hand-over",
            Self::Release => "release",
            Self::Answer { .. } => "answer",
            Self::Refer { .. } => "refer",
            Self::Dismiss { .. } => "dismiss",
            Self::Reopen => "reopen",
        }
    }

    /// What a person reads: "Kan inte `…` ett avskrivet ärende."
    #[must_use]
    pub fn swedish(&self) -> &'static str {
        match self {
            Self::Assign { .. } => "tilldela",
            Self::Accept => "påbörja",
            Self::HandOver { .. } => "lämna över",
            Self::Release => "lämna tillbaka",
            Self::Answer { .. } => "besvara",
            Self::Refer { .. } => "hänvisa",
            Self::Dismiss { .. } => "avskriva",
            Self::Reopen => "öppna igen",
        }
    }
}

/// A move that the rules do not allow; the variants say what is missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTransition {
    /// The state does not allow the move.
    #[error("a case that is {from} has no move {wanted}", from = .from.slug())]
    Illegal {
        /// The state it is in.
        from: CaseState,
        /// The move's slug.
        wanted: &'static str,
        /// The move in Swedish.
        swedish: &'static str,
    },
    /// An opinion, a complaint or praise cannot be closed without saying what came of it (A04).
    #[error("a case of intent {} needs an outcome to be closed", .0.slug())]
    NeedsOutcome(Intent),
    /// "Not ours" alone is no referral (A33).
    #[error("a referral needs a concrete contact")]
    NeedsContact,
    /// Somebody asked; words are needed to close without an answer (A33).
    #[error("to dismiss a case of intent {} as {} needs a reason in words", .0.slug(), .1.slug())]
    NeedsWords(Intent, DismissReason),
    /// A staff key is missing.
    #[error("a case cannot be given to nobody")]
    NeedsHolder,
}

impl InvalidTransition {
    /// What happened and what the person can do.
    #[must_use]
    pub fn swedish(&self) -> String {
        match self {
            Self::Illegal { from, swedish, .. } => {
                format!("Det går inte att {swedish} ett ärende som är {}.", from.swedish().to_lowercase())
            }
            Self::NeedsOutcome(intent) => {
                format!("Ange vad det ledde till innan ärendet stängs ({}).", intent.swedish().to_lowercase())
            }
            Self::NeedsContact => {
                "Ange en konkret kontakt: funktion och telefon, adress eller länk. Att det inte är vårt ansvar räcker inte."
                    .to_owned()
            }
            Self::NeedsWords(intent, _) => format!(
                "Skriv med egna ord varför ärendet ({}) avskrivs utan svar. Den som frågar ska få svar eller rätt kontakt.",
                intent.swedish().to_lowercase()
            ),
            Self::NeedsHolder => "Ange vem som ska ha ärendet.".to_owned(),
        }
    }
}

/// Letters that words need to be a reason: fewer cannot name one.
const WORDS_MIN: usize = 10;

/// A contact shorter than this names nobody: "112" alone is the shortest that does.
const CONTACT_MIN: usize = 3;

/// True when a text names somebody to turn to: a number, an address or a link, not only "someone else".
fn is_concrete(contact: &str) -> bool {
    let contact = contact.trim();
    contact.chars().count() >= CONTACT_MIN
        && (contact.chars().any(|letter| letter.is_ascii_digit())
            || contact.contains('@')
            || contact.contains("://")
            || contact.split_whitespace().any(|word| {
                word.trim_end_matches(['.', ',', ';']).split_once('.').is_some_and(|(name, end)| {
                    !name.is_empty()
                        && end.len() >= 2
                        && end.bytes().all(|byte| byte.is_ascii_alphabetic() || b"./-".contains(&byte))
                })
            }))
}

/// True when the writer must be told what came of it before the case can be closed.
#[must_use]
pub fn needs_outcome(intent: Intent) -> bool {
    matches!(intent, Intent::Complaint | Intent::Suggestion | Intent::Praise)
}

/// True when somebody waits: closing without an answer must be explained.
fn somebody_waits(intent: Intent) -> bool {
    !matches!(intent, Intent::Information | Intent::Praise)
}

/// The state after a move, for a case of an intent.
///
/// # Errors
/// When the move is not allowed; the value says why and what is missing.
pub fn next(state: CaseState, intent: Intent, wanted: &Move) -> Result<CaseState, InvalidTransition> {
    use CaseState::{Accepted, Answered, Assigned, Dismissed, Open, Referred};
    let to = match (state, wanted) {
        (Open | Assigned | Accepted, Move::Assign { .. }) | (Assigned | Accepted, Move::HandOver { .. }) => Assigned,
        (Assigned, Move::Accept) => Accepted,
        (Assigned | Accepted, Move::Release) | (Answered | Referred | Dismissed, Move::Reopen) => Open,
        (Open | Assigned | Accepted, Move::Answer { .. }) => Answered,
        (Open | Assigned | Accepted, Move::Refer { .. }) => Referred,
        (Open | Assigned | Accepted, Move::Dismiss { .. }) => Dismissed,
        _ => {
            return Err(InvalidTransition::Illegal { from: state, wanted: wanted.slug(), swedish: wanted.swedish() });
        }
    };
    complete(intent, wanted).map(|()| to)
}

/// Checks that a move says what the policy demands of it.
fn complete(intent: Intent, wanted: &Move) -> Result<(), InvalidTransition> {
    match wanted {
        Move::Assign { to } | Move::HandOver { to } if to.trim().is_empty() => Err(InvalidTransition::NeedsHolder),
        Move::Answer { outcome: None } if needs_outcome(intent) => Err(InvalidTransition::NeedsOutcome(intent)),
        Move::Refer { contact, .. } if !is_concrete(contact) => Err(InvalidTransition::NeedsContact),
        Move::Dismiss { reason, words }
            if somebody_waits(intent)
                && reason.denies_the_writer()
                && words.chars().filter(|letter| letter.is_alphanumeric()).count() < WORDS_MIN =>
        {
            Err(InvalidTransition::NeedsWords(intent, *reason))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn go(state: CaseState, wanted: &Move) -> Result<CaseState, InvalidTransition> {
        next(state, Intent::Question, wanted)
    }

    fn moves() -> Vec<Move> {
        vec![
            Move::Assign { to: "anna".into() },
            Move::Accept,
            Move::HandOver { to: "bo".into() },
            Move::Release,
            Move::Answer { outcome: Some(Outcome::Planned) },
            Move::Refer { contact: "Trafikverket 0771-921 921".into(), outcome: None },
            Move::Dismiss { reason: DismissReason::Duplicate, words: String::new() },
            Move::Reopen,
        ]
    }

    #[test]
    fn the_whole_table_of_moves_is_as_it_is_drawn() {
        let table: Vec<String> = CaseState::ALL
            .into_iter()
            .map(|from| {
                let ways: Vec<String> = moves()
                    .iter()
                    .filter_map(|wanted| go(from, wanted).ok().map(|to| format!("{}→{}", wanted.slug(), to.slug())))
                    .collect();
                format!("{}: {}", from.slug(), ways.join(" "))
            })
            .collect();
        insta::assert_snapshot!(table.join("\n"), @r"
        open: assign→assigned answer→answered refer→referred dismiss→dismissed
        assigned: assign→assigned accept→accepted hand-over→assigned release→open answer→answered refer→referred dismiss→dismissed
        accepted: assign→assigned hand-over→assigned release→open answer→answered refer→referred dismiss→dismissed
        answered: reopen→open
        referred: reopen→open
        dismissed: reopen→open
        ");
    }

    #[test]
    fn a_dismissed_case_cannot_be_accepted() {
        let fault = go(CaseState::Dismissed, &Move::Accept).unwrap_err();
        assert_eq!(fault.to_string(), "a case that is dismissed has no move accept");
        assert_eq!(fault.swedish(), "Det går inte att påbörja ett ärende som är avskrivet.");
    }

    #[test]
    fn an_opinion_is_not_closed_without_saying_what_came_of_it() {
        for intent in [Intent::Complaint, Intent::Suggestion, Intent::Praise] {
            let silent = next(CaseState::Accepted, intent, &Move::Answer { outcome: None });
            assert_eq!(silent, Err(InvalidTransition::NeedsOutcome(intent)));
            let told = next(CaseState::Accepted, intent, &Move::Answer { outcome: Some(Outcome::NoAction) });
            assert_eq!(told, Ok(CaseState::Answered));
        }
        assert_eq!(go(CaseState::Accepted, &Move::Answer { outcome: None }), Ok(CaseState::Answered));
    }

    #[test]
    fn a_referral_needs_somebody_to_turn_to() {
        let refer = |contact: &str| go(CaseState::Assigned, &Move::Refer { contact: contact.into(), outcome: None });
        for contact in [
            "Trafikverket 0771-921 921",
            "112",
            "info@alebyggen.se",
            "https://www.vasttrafik.se",
            "Läs på trafikverket.se",
        ] {
            assert_eq!(refer(contact), Ok(CaseState::Referred), "{contact}");
        }
        for contact in ["", "   ", "Trafikverket", "inte vårt ansvar", "Det är inte vårt. Fråga någon annan."] {
            assert_eq!(refer(contact), Err(InvalidTransition::NeedsContact), "{contact}");
        }
    }

    #[test]
    fn a_question_is_not_spam_without_a_reason_in_words() {
        let dismiss = |intent, words: &str| {
            next(CaseState::Open, intent, &Move::Dismiss { reason: DismissReason::Spam, words: words.into() })
        };
        let refused = Err(InvalidTransition::NeedsWords(Intent::Question, DismissReason::Spam));
        assert_eq!(dismiss(Intent::Question, ""), refused);
        assert_eq!(dismiss(Intent::Question, "- - - . . . - - -"), refused);
        assert_eq!(dismiss(Intent::Question, "Samma reklamtext i tolv trådar"), Ok(CaseState::Dismissed));
        assert_eq!(dismiss(Intent::Information, ""), Ok(CaseState::Dismissed));
    }

    #[test]
    fn slugs_read_back_and_an_unknown_one_is_nothing() {
        assert!(CaseState::ALL.into_iter().all(|state| CaseState::from_slug(state.slug()) == Some(state)));
        assert_eq!(CaseState::from_slug("closed"), None);
    }
}
