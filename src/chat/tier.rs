//! What may be said where: three tiers, each a type that has no field for what it may not carry.
//!
//! | tier | who runs the service | may carry |
//! |---|---|---|
//! | A | we, in the EU | case id, category, intent, place, unit, due time, level, deep link |
//! | B | a contracted tenant | case id, category, intent except threat, due time, deep link |
//! | C | somebody else | how many, the earliest due time, case ids, a link to the sign-in page |
//!
//! Names come from a [`Vocabulary`] read from configuration: what is not in it is left out, so a piece of a post
//! cannot slip in by way of a field. A message about a protected case says what tier C says, in every tier. No
//! constructor takes a recipient: all get the same text.

use std::collections::BTreeSet;

use url::Url;

pub use super::message::{Message, Occasion, escape, keepers, message};
use super::{cases_in_words, swedish};
use crate::classification::{Flag, Intent};
use crate::clock::Time;
use crate::id::CaseId;

/// How much a service may be told; ordered from the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Tier {
    /// Uncontrolled: number, time, id and sign-in link.
    C,
    /// Contracted tenant.
    B,
    /// Run by ourselves.
    A,
}

impl Tier {
    /// One letter, for logs and metrics.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::C => "c",
        }
    }

    /// True when a message of this tier may go where at most `most` may be said.
    #[must_use]
    pub fn fits(self, most: Tier) -> bool {
        self <= most
    }
}

/// Category codes about which a chat is told no more than tier C, whoever runs it.
pub const PROTECTED: [&str; 8] = ["SOC", "AOM", "FUN", "SKO-individ", "HOT", "INT-VB", "PERS", "SEK"];

/// True when nothing but tier C may be said of a case: by its category's code, its intent or its flags.
#[must_use]
pub fn is_protected(category: &str, intent: Intent, flags: &[Flag]) -> bool {
    PROTECTED.iter().any(|code| code.eq_ignore_ascii_case(category))
        || intent == Intent::Threat
        || flags.iter().any(|flag| {
            matches!(
                flag,
                Flag::PersonalData | Flag::ProtectedTopic | Flag::Threat | Flag::SelfHarm | Flag::WhistleBlowing
            )
        })
}

/// How far a case has come towards its due time, as its holder is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// New to her.
    Notice,
    /// The due time is near.
    DueSoon,
    /// The due time has passed.
    Overdue,
    /// It has gone on to somebody further up.
    Escalated,
    /// Danger: said although she is not to be disturbed.
    Breaking,
}

impl Level {
    /// What a person reads.
    #[must_use]
    pub fn swedish(self) -> &'static str {
        match self {
            Self::Notice => "Nytt för dig",
            Self::DueSoon => "Snart dags",
            Self::Overdue => "Försenat",
            Self::Escalated => "Har gått vidare till dig",
            Self::Breaking => "Akut, bryter tystnaden",
        }
    }
}

/// The names that may be said at all: categories, places and units of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary(BTreeSet<String>);

impl Vocabulary {
    /// Takes the configured names.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().collect())
    }

    pub(super) fn known<'a>(&self, name: &'a str) -> Option<&'a str> {
        (!name.is_empty() && self.0.contains(name)).then_some(name)
    }
}

/// What is known of one case when its holder is told.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseFact {
    /// The case.
    pub id: CaseId,
    /// The category's name; said only if the vocabulary has it.
    pub category_name: String,
    /// What the writer wants.
    pub intent: Intent,
    /// A place's name, or empty; said only if the vocabulary has it.
    pub place: String,
    /// The unit's name; said only if the vocabulary has it.
    pub unit: String,
    /// When it is due.
    pub due_at: Time,
    /// How far it has come.
    pub level: Level,
    /// By [`is_protected`].
    pub protected: bool,
}

/// Where links lead. Neither carries a token: whoever follows one signs in first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Links {
    base: String,
}

impl Links {
    /// From the address at which staff reach Lyhörd.
    #[must_use]
    pub fn new(base: &Url) -> Self {
        let mut plain = base.clone();
        plain.set_query(None);
        plain.set_fragment(None);
        let _ = plain.set_username("");
        let _ = plain.set_password(None);
        Self { base: plain.as_str().trim_end_matches('/').to_owned() }
    }

    /// The sign-in page.
    #[must_use]
    pub fn login(&self) -> String {
        format!("{}/logga-in", self.base)
    }

    /// The page behind a button of a service that cannot post back; it asks for sign-in and acts only on a POST.
    #[must_use]
    pub fn press(&self, token: &str) -> String {
        format!("{}/knapp/{token}", self.base)
    }

    /// Where a person chooses how she is told.
    #[must_use]
    pub fn profile(&self) -> String {
        format!("{}/min-profil", self.base)
    }

    /// The page of what we read, which asks for sign-in.
    #[must_use]
    pub fn sources(&self) -> String {
        format!("{}/kallor", self.base)
    }

    /// A case's page, which asks for sign-in.
    #[must_use]
    pub fn case(&self, case: CaseId) -> String {
        format!("{}/arende/{case}", self.base)
    }
}

/// Everything that may be drawn on for one reminder or digest.
#[derive(Debug, Clone)]
pub struct ReminderFacts<'a> {
    /// The cases to name, most urgent first; only the first [`CASES_NAMED`] are.
    pub cases: &'a [CaseFact],
    /// How many wait in all; never less than are named.
    pub count: usize,
    /// The earliest due time among all of them.
    pub earliest_due_at: Time,
    /// Where links lead.
    pub links: &'a Links,
    /// What may be named.
    pub vocabulary: &'a Vocabulary,
    /// When it is said.
    pub now: Time,
}

/// What those who keep the system are told: sources that need them. Nothing here is about a case or a citizen.
#[derive(Debug, Clone)]
pub struct KeeperFacts<'a> {
    /// Name of each source and what is amiss with it, in Swedish. A name is said in tier A only, and only if the
    /// vocabulary has it.
    pub sources: &'a [(&'a str, &'a str)],
    /// Where links lead.
    pub links: &'a Links,
    /// What may be named.
    pub vocabulary: &'a Vocabulary,
    /// When it is said.
    pub now: Time,
}

/// How many cases one message names: more is a list that nobody reads, and the page has it.
pub const CASES_NAMED: usize = 10;

/// Tier C: a number, a time, ids and a link to sign in. There is no field for more.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct MessageC {
    pub(super) count: usize,
    pub(super) due: String,
    pub(super) cases: Vec<CaseId>,
    pub(super) link: String,
    #[serde(skip)]
    pub(super) said_at: Time,
}

impl MessageC {
    /// Says the number, the time and the ids.
    #[must_use]
    pub fn new(facts: &ReminderFacts<'_>) -> Self {
        let cases: Vec<CaseId> = facts.cases.iter().take(CASES_NAMED).map(|case| case.id).collect();
        Self {
            count: facts.count.max(facts.cases.len()),
            due: swedish::time_of(facts.earliest_due_at, facts.now),
            cases,
            link: facts.links.login(),
            said_at: facts.now,
        }
    }

    pub(super) fn lead(&self) -> String {
        if self.count == 0 {
            return "Här väntar inget mer på dig.".to_owned();
        }
        format!("Du har {} att hantera i Lyhörd. Tidigast förfaller {}.", cases_in_words(self.count), self.due)
    }

    pub(super) fn ids(&self) -> String {
        let ids: Vec<String> = self.cases.iter().map(ToString::to_string).collect();
        if ids.is_empty() { String::new() } else { format!("Ärende {}", ids.join(", ")) }
    }
}

/// Tier B: what a contracted tenant may carry of one case.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LineB {
    pub(super) case: CaseId,
    pub(super) category: Option<String>,
    pub(super) intent: Option<&'static str>,
    pub(super) due: String,
    pub(super) link: String,
}

/// `Förfaller kl. 10.42`, or `Förföll` when that was before now.
fn due(case: &CaseFact, now: Time) -> String {
    let verb = if case.due_at < now { "Förföll" } else { "Förfaller" };
    format!("{verb} {}", swedish::time_of(case.due_at, now))
}

/// Tier B: a line for each case, or tier C's text when a case among them is protected.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct MessageB {
    pub(super) least: MessageC,
    pub(super) lines: Vec<LineB>,
}

impl MessageB {
    /// Says category, intent (never a threat), due time and link.
    #[must_use]
    pub fn new(facts: &ReminderFacts<'_>) -> Self {
        let line = |case: &CaseFact| LineB {
            case: case.id,
            category: facts.vocabulary.known(&case.category_name).map(str::to_owned),
            intent: (case.intent != Intent::Threat).then(|| case.intent.swedish()),
            due: due(case, facts.now),
            link: facts.links.case(case.id),
        };
        Self { least: MessageC::new(facts), lines: lines_unless_protected(facts, line) }
    }
}

/// Tier A: what our own service may carry of one case.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LineA {
    #[serde(flatten)]
    pub(super) b: LineB,
    pub(super) place: Option<String>,
    pub(super) unit: Option<String>,
    pub(super) level: &'static str,
}

/// Tier A: a line for each case, or tier C's text when a case among them is protected.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct MessageA {
    pub(super) least: MessageC,
    pub(super) lines: Vec<LineA>,
}

impl MessageA {
    /// Says category, intent, place, unit, level, due time and link.
    #[must_use]
    pub fn new(facts: &ReminderFacts<'_>) -> Self {
        let line = |case: &CaseFact| LineA {
            b: LineB {
                case: case.id,
                category: facts.vocabulary.known(&case.category_name).map(str::to_owned),
                intent: Some(case.intent.swedish()),
                due: due(case, facts.now),
                link: facts.links.case(case.id),
            },
            place: facts.vocabulary.known(&case.place).map(str::to_owned),
            unit: facts.vocabulary.known(&case.unit).map(str::to_owned),
            level: case.level.swedish(),
        };
        Self { least: MessageC::new(facts), lines: lines_unless_protected(facts, line) }
    }
}

/// No lines at all when one case is protected: a bare line among full ones would tell which it is.
fn lines_unless_protected<L>(facts: &ReminderFacts<'_>, line: impl Fn(&CaseFact) -> L) -> Vec<L> {
    let hidden = |case: &CaseFact| case.protected || case.intent == Intent::Threat;
    if facts.cases.iter().any(hidden) {
        return Vec::new();
    }
    facts.cases.iter().take(CASES_NAMED).map(line).collect()
}

#[cfg(test)]
#[path = "tier_tests.rs"]
pub(crate) mod tests;
