//! Response (svar): what we answered, where and by whom; and the acts of staff that lead there.
//!
//! An act is one write transaction that leaves a fact. It sends nothing and puts nothing in the queue: the jobs find
//! what to do by reading what is true.

pub mod acts;
pub mod channel_acts;
pub mod correction_acts;
pub mod lane_acts;
pub mod offer_acts;
pub mod press;
pub mod promise_acts;
pub mod store;

use crate::case::{CaseState, InvalidTransition};
use crate::clock::Time;
use crate::id::CaseId;

/// Letters of an answer at most: twice the longest that any channel takes.
pub const ANSWER_MAX: usize = 10_000;
/// Letters of an address at most, as browsers take them.
pub const URL_MAX: usize = 2_000;
/// Letters of a reason, a contact or a note.
pub const NOTE_MAX: usize = 1_000;
/// Days that a reminder can be put off at most; the promise itself never moves.
pub const SNOOZE_DAYS_MAX: u64 = 14;

/// What whoever hands a case to another board is told first.
pub const ANOTHER_BOARD: &str = "Mottagaren hör till en annan nämnd, som är en egen myndighet. Det som lämnas dit blir \
                                 en inkommen handling där, och sekretess kan gälla mellan nämnderna. Inget har ändrats.";

/// How an answer came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A member of staff answered.
    Answer,
    /// A member of staff showed the way to the right function.
    Referral,
    /// A member of staff gave a first answer, and the whole one is to come.
    First,
    /// A member of staff asked the citizen something; no answer.
    Question,
}

impl Kind {
    /// The slug in the database.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Referral => "referral",
            Self::First => "first",
            Self::Question => "question",
        }
    }
}

/// How a case stands, told to one who came second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The state it is in.
    pub state: Option<CaseState>,
    /// Key of its holder.
    pub owner: Option<String>,
    /// When it came to be so, as far as is known.
    pub since: Option<Time>,
    /// How often it has been changed.
    pub revision: i64,
}

/// What an act made true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Which case.
    pub case: CaseId,
    /// The state it is now in.
    pub state: CaseState,
    /// Its revision now; a button made from here on carries this.
    pub revision: i64,
}

/// Why an act was not done. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is no such case.
    #[error("no such case")]
    Unknown,
    /// Somebody was first.
    #[error("somebody changed the case first")]
    Overtaken(Standing),
    /// The state does not allow it, or something is missing.
    #[error(transparent)]
    Not(#[from] InvalidTransition),
    /// What was filled in is not enough; in Swedish.
    #[error("incomplete: {0}")]
    Incomplete(&'static str),
    /// It would go to another board, which is an authority of its own, and nobody has said that this is meant.
    #[error("the case would go to another board")]
    AnotherBoard,
    /// The database does not answer.
    #[error("database: {0}")]
    Db(#[from] sqlx::Error),
}

impl Refused {
    /// What happened, how it is now, and what one can do. `name` turns a staff key into a name.
    #[must_use]
    pub fn swedish<'a>(&'a self, name: impl Fn(&'a str) -> &'a str, when: impl Fn(Time) -> String) -> String {
        match self {
            Self::Unknown => "Ärendet finns inte längre. Börja om från inkorgen.".to_owned(),
            Self::Not(fault) => fault.swedish(),
            Self::Incomplete(what) => (*what).to_owned(),
            Self::AnotherBoard => ANOTHER_BOARD.to_owned(),
            Self::Db(_) => "Något gick fel hos oss och inget har ändrats. Försök igen om en stund.".to_owned(),
            Self::Overtaken(now) => {
                let state = now.state.map_or("ändrat", CaseState::swedish).to_lowercase();
                let owner =
                    now.owner.as_deref().map(|owner| format!(" och {} har det", name(owner))).unwrap_or_default();
                let since = now.since.map(|since| format!(" sedan {}", when(since))).unwrap_or_default();
                format!(
                    "Någon hann före. Ärendet är nu {state}{since}{owner}. Läs igenom det och försök igen om det behövs."
                )
            }
        }
    }
}

/// The text without blanks around it, when it is neither empty nor too long.
fn filled(text: &str, letters_max: usize, missing: &'static str, long: &'static str) -> Result<String, Refused> {
    let text = text.trim();
    if text.is_empty() {
        Err(Refused::Incomplete(missing))
    } else if text.chars().count() > letters_max {
        Err(Refused::Incomplete(long))
    } else {
        Ok(text.to_owned())
    }
}

/// A link to where the answer stands, when one is given: http or https with a host.
fn link(url: Option<&str>) -> Result<Option<String>, Refused> {
    let Some(url) = url.map(str::trim).filter(|url| !url.is_empty()) else { return Ok(None) };
    let read = url::Url::parse(url).ok().filter(|read| matches!(read.scheme(), "http" | "https") && read.has_host());
    match read {
        Some(read) if url.len() <= URL_MAX => Ok(Some(read.into())),
        _ => Err(Refused::Incomplete("Länken går inte att läsa. Den ska börja med https:// och leda till svaret.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_a_page_and_never_runs_anything() {
        assert_eq!(link(Some(" https://example.se/svar ")).unwrap().as_deref(), Some("https://example.se/svar"));
        assert_eq!(link(Some("  ")).unwrap(), None);
        for bad in ["javascript:alert(1)", "data:text/html,x", "example.se", "https://"] {
            assert!(link(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_who_came_second_is_told_how_it_is() {
        let refused = Refused::Overtaken(Standing {
            state: Some(CaseState::Accepted),
            owner: Some("karin".into()),
            since: Some(Time(0)),
            revision: 3,
        });
        let said = refused.swedish(|_| "Karin Ek", |_| "10.30".into());
        assert_eq!(
            said,
            "Någon hann före. Ärendet är nu påbörjat sedan 10.30 och Karin Ek har det. Läs igenom det och försök igen om det behövs."
        );
    }
}
