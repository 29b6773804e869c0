//! What came of a case, and why one is closed without an answer.

use super::state::Move;

/// What came of an opinion, as the one who has it will be told (policy A04).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Something has been changed.
    Changed,
    /// A change is planned.
    Planned,
    /// It is being looked into.
    Investigated,
    /// Nothing is done, and the answer says why.
    NoAction,
    /// It is not the municipality's to decide.
    NotOurs,
    /// Praise that has been handed on to those it is about.
    HandedOn,
}

impl Outcome {
    /// Every outcome, in the order of the form.
    pub const ALL: [Self; 6] =
        [Self::Changed, Self::Planned, Self::Investigated, Self::NoAction, Self::NotOurs, Self::HandedOn];

    /// The slug in the database, in JSON and on the command line.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Planned => "planned",
            Self::Investigated => "investigated",
            Self::NoAction => "no-action",
            Self::NotOurs => "not-ours",
            Self::HandedOn => "handed-on",
        }
    }

    /// What a person reads.
    #[must_use]
    pub fn swedish(self) -> &'static str {
        match self {
            Self::Changed => "Ändrat",
            Self::Planned => "Planeras",
            Self::Investigated => "Utreds",
            Self::NoAction => "Ingen åtgärd, motiverad",
            Self::NotOurs => "Ej kommunens ansvar",
            Self::HandedOn => "Vidarebefordrat till verksamheten",
        }
    }

    /// Reads a slug.
    #[must_use]
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.slug() == slug)
    }
}

/// Why a case is closed without an answer. A closed list: "no reason" is not in it (policy A33).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DismissReason {
    /// Not about the municipality after all.
    NotAboutUs,
    /// Advertising or machine-made.
    Spam,
    /// The same post already has a case.
    Duplicate,
    /// A factual answer in the same thread covers it.
    AnsweredInThread,
    /// Nobody waits for an answer; kept for information.
    NothingAsked,
    /// The writer has taken it back or removed it.
    Withdrawn,
    /// It breaks the rules of the channel and has been dealt with as that.
    BrokeRules,
    /// Handled outside: police matter, whistle-blowing channel, secrecy.
    HandledElsewhere,
}

impl DismissReason {
    /// Every reason, in the order of the form.
    pub const ALL: [Self; 8] = [
        Self::NotAboutUs,
        Self::Spam,
        Self::Duplicate,
        Self::AnsweredInThread,
        Self::NothingAsked,
        Self::Withdrawn,
        Self::BrokeRules,
        Self::HandledElsewhere,
    ];

    /// The slug in the database, in JSON and on the command line.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::NotAboutUs => "not-about-us",
            Self::Spam => "spam",
            Self::Duplicate => "duplicate",
            Self::AnsweredInThread => "answered-in-thread",
            Self::NothingAsked => "nothing-asked",
            Self::Withdrawn => "withdrawn",
            Self::BrokeRules => "broke-rules",
            Self::HandledElsewhere => "handled-elsewhere",
        }
    }

    /// What a person reads.
    #[must_use]
    pub fn swedish(self) -> &'static str {
        match self {
            Self::NotAboutUs => "Handlar inte om kommunen",
            Self::Spam => "Skräp eller reklam",
            Self::Duplicate => "Dubblett av ett annat ärende",
            Self::AnsweredInThread => "Besvarat via trådsvar",
            Self::NothingAsked => "För kännedom, ingen väntar på svar",
            Self::Withdrawn => "Återtaget av den som skrev",
            Self::BrokeRules => "Bryter mot kanalens regler",
            Self::HandledElsewhere => "Hanteras i annan ordning",
        }
    }

    /// Reads a slug.
    #[must_use]
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.slug() == slug)
    }

    /// True for reasons that say that nobody was there to be answered. Somebody who asks, complains or proposes
    /// was there, so these need words of their own in such a case.
    pub(super) fn denies_the_writer(self) -> bool {
        matches!(self, Self::Spam | Self::NotAboutUs | Self::NothingAsked | Self::HandledElsewhere)
    }
}

/// What came of a closed case: as said, or `NotOurs` when it was referred without saying.
#[must_use]
pub fn outcome_of(wanted: &Move) -> Option<Outcome> {
    match wanted {
        Move::Answer { outcome } => *outcome,
        Move::Refer { outcome, .. } => Some(outcome.unwrap_or(Outcome::NotOurs)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_read_back_and_an_unknown_one_is_nothing() {
        assert!(Outcome::ALL.into_iter().all(|outcome| Outcome::from_slug(outcome.slug()) == Some(outcome)));
        assert!(DismissReason::ALL.into_iter().all(|reason| DismissReason::from_slug(reason.slug()) == Some(reason)));
        assert_eq!((Outcome::from_slug("klar"), DismissReason::from_slug("klar")), (None, None));
    }

    #[test]
    fn an_opinion_that_is_referred_is_not_ours_unless_it_says_otherwise() {
        let refer = |outcome| Move::Refer { contact: "Trafikverket 0771-921 921".into(), outcome };
        assert_eq!(outcome_of(&refer(None)), Some(Outcome::NotOurs));
        assert_eq!(outcome_of(&refer(Some(Outcome::HandedOn))), Some(Outcome::HandedOn));
        assert_eq!(outcome_of(&Move::Accept), None);
    }
}
