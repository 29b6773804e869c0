//! Buttons under a message: what they carry, and what a press means as things stand now.
//!
//! A button carries an opaque nonce and nothing else. Who may press it, which case it is about and how the case
//! stood when it was sent are kept in our own database under the nonce, so that a stolen or forged press says nothing.

use crate::case::CaseState;
use crate::case::store::CaseRow;
use crate::id::CaseId;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The longest callback data that any service takes (Telegram: 64 bytes).
pub const DATA_MAX: usize = 64;

/// What a button does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// I take it.
    Take,
    /// Remind me later.
    Later,
    /// Hand over.
    HandOver,
}

impl Act {
    /// Every act, in the order in which buttons are shown.
    pub const ALL: [Self; 3] = [Self::Take, Self::Later, Self::HandOver];

    /// The slug in callback data and the database.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Take => "ta",
            Self::Later => "senare",
            Self::HandOver => "lamna",
        }
    }

    /// What stands on the button.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Take => "Jag tar det",
            Self::Later => "Påminn mig senare",
            Self::HandOver => "Lämna över",
        }
    }

    /// Reads a slug.
    #[must_use]
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.slug() == slug)
    }
}

/// 128 random bits in 22 characters: names one button of one message to one person, and tells nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Nonce(String);

impl Nonce {
    const LENGTH: usize = 22;

    /// From 16 random bytes.
    #[must_use]
    pub fn of(bytes: [u8; 16]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// A new one from the machine's generator.
    #[must_use]
    pub fn random() -> Self {
        Self::of(rand::random())
    }

    /// Reads one; anything but 22 characters of base64url is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.len() == Self::LENGTH
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        fits.then(|| Self(text.to_owned()))
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> serde::Deserialize<'de> for Nonce {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a nonce"))
    }
}

/// A button as a message carries it. *Öppna* is not one of them: it is the message's link.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Button {
    /// What it does.
    pub act: Act,
    /// Under which name we remember what it is about.
    pub nonce: Nonce,
}

impl Button {
    /// What the service sends back when it is pressed: `ta:<nonce>`.
    #[must_use]
    pub fn data(&self) -> String {
        format!("{}:{}", self.act.slug(), self.nonce.as_str())
    }
}

/// Reads what came back from a press. Anything that we cannot have written is `None`.
#[must_use]
pub fn parse_data(data: &str) -> Option<(Act, Nonce)> {
    if data.len() > DATA_MAX {
        return None;
    }
    let (act, nonce) = data.split_once(':')?;
    Some((Act::from_slug(act)?, Nonce::parse(nonce)?))
}

/// How a case stands, as far as a button is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Nobody has it yet.
    Open,
    /// Somebody has been given it.
    Assigned,
    /// Somebody has taken it.
    Accepted,
    /// It is answered.
    Answered,
    /// The writer has been shown to somebody else.
    Referred,
    /// It is closed without an answer.
    Dismissed,
}

/// Where a case stands: its step, its holder, and how many times it has been reopened.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Standing {
    /// Its step.
    pub step: Step,
    /// Whose it is: a staff key, never a citizen's.
    pub holder: Option<String>,
    /// Counts reopenings, so that an old button does not fit a case that came back to the same step.
    pub round: i64,
}

impl Standing {
    /// How a case stands now.
    #[must_use]
    pub fn of(row: &CaseRow) -> Self {
        let step = match CaseState::from_slug(&row.state) {
            Some(CaseState::Open) | None => Step::Open,
            Some(CaseState::Assigned) => Step::Assigned,
            Some(CaseState::Accepted) => Step::Accepted,
            Some(CaseState::Answered) => Step::Answered,
            Some(CaseState::Referred) => Step::Referred,
            Some(CaseState::Dismissed) => Step::Dismissed,
        };
        Self { step, holder: row.owner.clone(), round: row.round }
    }

    /// What has become of a case since a message told `reader` of it in `round`; nothing when it waits as it did.
    /// `newer` says that a later message has told her again.
    #[must_use]
    pub fn became(&self, reader: &str, round: i64, newer: bool) -> Option<Became> {
        let hers = self.holder.as_deref() == Some(reader);
        match self.step {
            Step::Answered | Step::Referred | Step::Dismissed => Some(Became::Closed),
            Step::Accepted if hers => Some(Became::Taken),
            Step::Accepted => Some(Became::Elsewhere),
            Step::Open | Step::Assigned if newer => Some(Became::ToldAgain),
            Step::Open | Step::Assigned if !hers && self.round != round => Some(Became::Elsewhere),
            Step::Open | Step::Assigned => None,
        }
    }
}

/// What has become of a case that a message told of. No variant says what the case is about or who has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// The reader has taken it.
    Taken,
    /// Somebody else has it.
    Elsewhere,
    /// It is closed.
    Closed,
    /// A later message tells of it.
    ToldAgain,
}

impl Became {
    /// One sentence; it names nobody.
    #[must_use]
    pub fn swedish(self, case: CaseId) -> String {
        match self {
            Self::Taken => format!("Ärende {case}: du har tagit det."),
            Self::Elsewhere => format!("Ärende {case}: en kollega har det. Du behöver inte göra något."),
            Self::Closed => format!("Ärende {case}: klart. Du behöver inte göra något."),
            Self::ToldAgain => format!("Ärende {case}: se den nyare påminnelsen."),
        }
    }
}

/// What we remember of a button under its nonce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Which case it is about.
    pub case: CaseId,
    /// To whom it was sent: the only one who may press it.
    pub to: String,
    /// How the case stood when it was sent.
    pub stood: Standing,
    /// The act that has already been done with a button of this message.
    pub done: Option<Act>,
}

/// A press, after the service's own proof that it is genuine has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Press {
    /// Which button.
    pub act: Act,
    /// Its name.
    pub nonce: Nonce,
    /// The member of staff bound to the address that pressed; nobody when the address is not bound.
    pub by: Option<String>,
}

/// What a press means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Write this fact.
    Do {
        /// What to do.
        act: Act,
        /// With which case.
        case: CaseId,
    },
    /// The button no longer fits; say how it is.
    Stale {
        /// One Swedish sentence or two.
        how_it_is_now: String,
    },
    /// The button was sent to somebody else.
    NotYours,
    /// We never sent such a button, or have weeded it out.
    Unknown,
}

impl Verdict {
    /// What is answered when nothing is done; `None` when something is.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        match self {
            Self::Do { .. } => None,
            Self::Stale { how_it_is_now } => Some(how_it_is_now.clone()),
            Self::NotYours => Some("Knappen är till för den som fick meddelandet. Inget har ändrats.".to_owned()),
            Self::Unknown => {
                Some("Knappen gäller inte längre. Inget har ändrats. Öppna Lyhörd så ser du hur det är.".to_owned())
            }
        }
    }
}

/// Decides what a press means: only the bound person, only while the case stands where the button was sent from.
#[must_use]
pub fn judge_press(press: &Press, offered: Option<&Offered>, now: &Standing) -> Verdict {
    let Some(offered) = offered else { return Verdict::Unknown };
    let Some(by) = press.by.as_deref().filter(|by| *by == offered.to) else { return Verdict::NotYours };
    let stale = |how_it_is_now| Verdict::Stale { how_it_is_now };
    if offered.done == Some(press.act) {
        return stale(already(press.act, offered.case));
    }
    if offered.stood != *now {
        return stale(how_it_is(offered.case, now, by));
    }
    Verdict::Do { act: press.act, case: offered.case }
}

fn already(act: Act, case: CaseId) -> String {
    match act {
        Act::Take => format!("Du har redan tagit ärende {case}."),
        Act::Later => format!("Du har redan bett om en senare påminnelse om ärende {case}."),
        Act::HandOver => format!("Du har redan lämnat över eller erbjudit ärende {case}."),
    }
}

/// How a case stands now, told to `reader` without naming anybody else.
#[must_use]
pub fn how_it_is(case: CaseId, now: &Standing, reader: &str) -> String {
    let hers = now.holder.as_deref() == Some(reader);
    match (now.step, hers) {
        (Step::Open, _) => format!("Ärende {case} väntar på att någon tar det. Öppna Lyhörd för att ta det."),
        (Step::Assigned, true) => format!("Ärende {case} är ditt igen. Använd knapparna i det senaste meddelandet."),
        (Step::Assigned, false) => {
            format!("Ärende {case} har gått vidare till en kollega. Du behöver inte göra något.")
        }
        (Step::Accepted, true) => format!("Du har redan tagit ärende {case}."),
        (Step::Accepted, false) => format!("En kollega har tagit ärende {case}. Du behöver inte göra något."),
        (Step::Answered, _) => format!("Ärende {case} är redan besvarat. Du behöver inte göra något."),
        (Step::Referred, _) => format!("Ärende {case} är redan hänvisat vidare. Du behöver inte göra något."),
        (Step::Dismissed, _) => format!("Ärende {case} är redan avskrivet. Du behöver inte göra något."),
    }
}

/// What is answered when the fact has been written.
#[must_use]
pub fn done(act: Act, case: CaseId) -> String {
    match act {
        Act::Take => format!("Tack! Ärende {case} är nu ditt."),
        Act::Later => format!("Vi påminner dig om ärende {case} senare."),
        Act::HandOver => format!("Ärende {case} är lämnat vidare. Du behöver inte göra mer."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn standing(step: Step, holder: &str, round: i64) -> Standing {
        Standing { step, holder: Some(holder.to_owned()), round }
    }

    fn offered() -> Offered {
        Offered { case: CaseId(7), to: "karin".into(), stood: standing(Step::Assigned, "karin", 0), done: None }
    }

    fn press(by: Option<&str>) -> Press {
        Press { act: Act::Take, nonce: Nonce::of([7; 16]), by: by.map(str::to_owned) }
    }

    #[test]
    fn the_bound_person_may_press_while_nothing_has_changed() {
        let verdict = judge_press(&press(Some("karin")), Some(&offered()), &standing(Step::Assigned, "karin", 0));
        assert_eq!(verdict, Verdict::Do { act: Act::Take, case: CaseId(7) });
    }

    #[test]
    fn nobody_else_may_press_whoever_holds_the_case() {
        for by in [None, Some("ali")] {
            let verdict = judge_press(&press(by), Some(&offered()), &standing(Step::Assigned, "ali", 0));
            assert_eq!(verdict, Verdict::NotYours, "{by:?}");
        }
    }

    #[test]
    fn a_stale_button_tells_how_it_is_now_and_names_nobody() {
        let verdict = judge_press(&press(Some("karin")), Some(&offered()), &standing(Step::Accepted, "ali", 0));
        let Verdict::Stale { how_it_is_now } = verdict else { panic!("{verdict:?}") };
        assert_eq!(how_it_is_now, "En kollega har tagit ärende 7. Du behöver inte göra något.");
    }

    #[test]
    fn a_button_from_before_a_reopening_is_stale() {
        let verdict = judge_press(&press(Some("karin")), Some(&offered()), &standing(Step::Assigned, "karin", 1));
        assert!(matches!(verdict, Verdict::Stale { .. }), "{verdict:?}");
    }

    #[test]
    fn a_second_press_does_nothing_and_says_so() {
        let spent = Offered { done: Some(Act::Take), ..offered() };
        let verdict = judge_press(&press(Some("karin")), Some(&spent), &standing(Step::Accepted, "karin", 0));
        assert_eq!(verdict.refusal().unwrap(), "Du har redan tagit ärende 7.");
    }

    #[test]
    fn an_unknown_nonce_does_nothing() {
        let verdict = judge_press(&press(Some("karin")), None, &standing(Step::Assigned, "karin", 0));
        assert_eq!(verdict, Verdict::Unknown);
        assert!(verdict.refusal().is_some());
    }

    #[test]
    fn every_button_fits_in_every_service() {
        for act in Act::ALL {
            let data = Button { act, nonce: Nonce::random() }.data();
            assert!(data.len() <= DATA_MAX, "{data}");
            assert!(parse_data(&data).is_some_and(|(read, _)| read == act), "{data}");
        }
    }

    #[test]
    fn what_a_message_says_follows_the_case() {
        let became = |step, holder: &str, round, newer| standing(step, holder, round).became("karin", 1, newer);
        assert_eq!(became(Step::Assigned, "karin", 1, false), None, "it waits as it did");
        assert_eq!(became(Step::Assigned, "ali", 1, false), None, "she was told as the next in line");
        assert_eq!(became(Step::Assigned, "karin", 1, true), Some(Became::ToldAgain));
        assert_eq!(became(Step::Accepted, "karin", 1, true), Some(Became::Taken));
        assert_eq!(became(Step::Accepted, "ali", 1, false), Some(Became::Elsewhere));
        assert_eq!(became(Step::Assigned, "ali", 2, false), Some(Became::Elsewhere));
        assert_eq!(became(Step::Answered, "karin", 1, false), Some(Became::Closed));
    }

    proptest! {
        #[test]
        fn callback_data_of_any_shape_is_read_or_refused_without_harm(data in ".{0,200}") {
            if let Some((act, nonce)) = parse_data(&data) {
                prop_assert_eq!(Button { act, nonce }.data(), data);
            }
        }
    }
}
