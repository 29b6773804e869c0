//! What staff do with a judgement: say what it should have been. The post's standing judgement and the case follow,
//! and the correction is kept as an example to learn from.

use serde_json::json;

use super::acts::Act;
use super::{Done, NOTE_MAX, Refused, filled};
use crate::assignment::Organisation;
use crate::case::store::{CaseRow, Change, Rejudged};
use crate::case::{CaseState, DismissReason, Move};
use crate::classification::correction::Question;
use crate::classification::store::{NewCorrection, keep, put_correction, standing};
use crate::classification::{Classification, Flag, Intent, Urgency};
use crate::clock::Time;
use crate::db::Tx;
use crate::id::CaseId;
use crate::mention::store::judged_as;

/// What a case is closed with when a person says that it is not about us.
const NOT_ABOUT_US: &str = "Rättad bedömning: inlägget handlar inte om kommunen";

/// A judgement as a person says that it should have been.
#[derive(Debug, Clone, Copy)]
pub struct Correction<'a> {
    /// Which judgement.
    pub question: Question,
    /// The right label: a slug.
    pub label: &'a str,
    /// Why; asked for where the correction makes a case less guarded, see [`needs_reason`].
    pub reason: &'a str,
}

/// Whether a correction needs a reason in words: it takes back a threat, a protected topic or danger, or says of a
/// guarded case that it is not about us. Toward caution none is needed.
#[must_use]
pub fn needs_reason(case: &CaseRow, question: Question, label: &str, protected: bool) -> bool {
    match question {
        Question::Intent => case.intent == Intent::Threat.slug() && label != Intent::Threat.slug(),
        Question::Topic => case.protected && !protected,
        Question::Urgency => case.urgency == Urgency::Acute.slug() && label != Urgency::Acute.slug(),
        Question::Relevance => label == "no" && is_guarded(case),
        Question::Sentiment => false,
    }
}

/// True for a case that only some may see, or where haste is.
#[must_use]
pub fn is_guarded(case: &CaseRow) -> bool {
    case.protected || case.restricted || case.urgency == Urgency::Acute.slug()
}

/// Corrects one judgement. A case that nobody has begun is given out anew when that can change whose it is; one that
/// is begun stays with its holder. "Not about us" closes an open case with that reason.
///
/// # Errors
/// [`Refused`]: nothing has changed.
pub async fn correct(
    tx: &mut Tx,
    organisation: &Organisation,
    who: &str,
    case: CaseId,
    seen: Option<i64>,
    said: Correction<'_>,
    now: Time,
) -> Result<Done, Refused> {
    let act = Act::begin(tx, who, case, seen, now).await?;
    let Correction { question, label, .. } = said;
    let topic = organisation.topic(label);
    let known = if question == Question::Topic {
        topic.is_some()
    } else {
        question.labels().iter().any(|(slug, _)| *slug == label)
    };
    if !known {
        return Err(Refused::Incomplete("Välj vad som är rätt i listan."));
    }
    let verdict = standing(tx, act.row.mention_id).await?;
    let was = label_of(&act.row, verdict.as_ref(), question);
    if was == label {
        return Err(Refused::Incomplete("Så är det redan bedömt. Inget behövde ändras."));
    }
    let protected = topic.is_some_and(|topic| topic.protected);
    let reason = if needs_reason(&act.row, question, label, protected) {
        let missing = "Skriv varför. Rättelsen gör ärendet mindre skyddat eller mindre brådskande, och skälet sparas.";
        Some(filled(said.reason, NOTE_MAX, missing, "Skälet är för långt: högst 1 000 tecken.")?)
    } else {
        filled(said.reason, NOTE_MAX, "", "").ok()
    };
    let judged = verdict.as_ref().and_then(|verdict| verdict.corrected(question, label, protected));
    let rejudged = rejudged(&act, judged.as_ref(), question, label, protected);
    let state = write(tx, &act, rejudged, question, label, reason.as_deref()).await?;
    if let Some(judged) = &judged {
        let id = keep(tx, act.row.mention_id, judged, now).await?;
        judged_as(tx, act.row.mention_id, id).await?;
    }
    let new = NewCorrection {
        mention: act.row.mention_id,
        case: Some(case),
        question: question.slug(),
        was: &was,
        became: label,
        reason: reason.as_deref(),
        made_by: who,
    };
    put_correction(tx, &new, now).await?;
    let body = json!({
        "question": question.slug(), "was": was, "became": label, "rerouted": rejudged.reroute,
    });
    if state == CaseState::Dismissed && act.state != state {
        let reason = json!({ "reason": DismissReason::NotAboutUs.slug() });
        act.tell(tx, "case.dismissed", reason, state).await?;
    }
    act.tell(tx, "classification.corrected", body, state).await
}

/// Writes the case as it is judged now; closes an open one that is not about us.
async fn write(
    tx: &mut Tx,
    act: &Act<'_>,
    rejudged: Rejudged<'_>,
    question: Question,
    label: &str,
    reason: Option<&str>,
) -> Result<CaseState, Refused> {
    let about = question == Question::Relevance;
    let mut change = Change { rejudged: Some(rejudged), triaged: about, ..Change::default() };
    if !about || label != "no" || act.state.is_closed() {
        act.change(tx, &change).await?;
        return Ok(act.state);
    }
    let words = reason.unwrap_or(NOT_ABOUT_US);
    let wanted = Move::Dismiss { reason: DismissReason::NotAboutUs, words: words.to_owned() };
    let state = act.to(&wanted)?;
    change.state = Some(state.slug());
    change.closed_at = Some(act.now);
    change.outcome = Some(DismissReason::NotAboutUs.slug());
    change.outcome_note = Some(words);
    act.change(tx, &change).await?;
    Ok(state)
}

/// The label that stands: the case's own, and for the relevance the judgement's.
fn label_of(row: &CaseRow, verdict: Option<&Classification>, question: Question) -> String {
    match question {
        Question::Relevance => {
            verdict.map_or(if row.triage { "review" } else { "yes" }, |verdict| verdict.label(question)).to_owned()
        }
        Question::Topic => row.topic.clone(),
        Question::Intent => row.intent.clone(),
        Question::Sentiment => row.sentiment.clone(),
        Question::Urgency => row.urgency.clone(),
    }
}

/// What the case is from now on. Toward caution it goes at once; away from it only as far as nothing else holds it:
/// signs of self-harm and of whistle-blowing guard a case whatever a person says of its topic and intent.
fn rejudged<'a>(
    act: &'a Act<'_>,
    judged: Option<&Classification>,
    question: Question,
    label: &'a str,
    protected_topic: bool,
) -> Rejudged<'a> {
    let row = &act.row;
    let flagged = |flag: Flag| judged.is_some_and(|judged| judged.flags.contains(&flag));
    let mut now = Rejudged {
        topic: &row.topic,
        intent: &row.intent,
        sentiment: &row.sentiment,
        urgency: &row.urgency,
        protected: row.protected,
        restricted: row.restricted,
        reroute: false,
    };
    match question {
        Question::Relevance => {}
        Question::Topic => {
            now.topic = label;
            now.protected = protected_topic || flagged(Flag::SelfHarm);
        }
        Question::Intent => {
            let was_threat = row.intent == Intent::Threat.slug();
            now.intent = label;
            now.restricted = label == Intent::Threat.slug()
                || flagged(Flag::WhistleBlowing)
                || (row.restricted && (!was_threat || judged.is_none()));
        }
        Question::Sentiment => now.sentiment = label,
        Question::Urgency => now.urgency = label,
    }
    let steers = matches!(question, Question::Topic | Question::Intent | Question::Urgency);
    now.reroute = steers && matches!(act.state, CaseState::Open | CaseState::Assigned);
    now
}
