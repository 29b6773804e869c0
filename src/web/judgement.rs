//! The judgement on the page of a case: what we think it is, how sure, and one click for each other answer.

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};

use super::access::may_see;
use super::case::{Draft, again, seen};
use super::fault::Fault;
use super::inbox::{Choice, choice};
use super::sent::{Form, Path};
use super::visitor::Visitor;
use super::{Site, words};
use crate::assignment::Organisation;
use crate::case::store::CaseRow;
use crate::case::{CaseState, DismissReason};
use crate::classification::correction::Question;
use crate::classification::{Classification, Intent, Urgency};
use crate::clock::Time;
use crate::id::CaseId;
use crate::response::Refused;
use crate::response::correction_acts::{Correction, correct, is_guarded};

/// One judgement and what it could have been.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) question: &'static str,
    pub(super) name: &'static str,
    pub(super) lower: String,
    pub(super) label: String,
    pub(super) unsure: bool,
    pub(super) loud: bool,
    pub(super) others: Vec<Choice>,
    pub(super) reason: bool,
}

/// The judgements of a case that can be corrected where they stand.
pub(super) fn judgements(case: &CaseRow, verdict: Option<&Classification>, organisation: &Organisation) -> Vec<Judged> {
    let of = |question: Question, label: &str, reason: bool| {
        let topics = || organisation.topics.iter().map(|topic| (topic.slug.as_str(), topic.name.as_str()));
        let others: Vec<Choice> = if question == Question::Topic {
            topics().map(|(slug, name)| choice(slug, name, None)).collect()
        } else {
            question.labels().into_iter().map(|(slug, name)| choice(slug, name, None)).collect()
        };
        Judged {
            question: question.slug(),
            name: question.swedish(),
            lower: question.swedish().to_lowercase(),
            label: question.name_of(label, topics()).to_owned(),
            unsure: verdict.is_some_and(|verdict| verdict.unsure.iter().any(|unsure| unsure == question.slug())),
            loud: question == Question::Urgency && label != Urgency::Normal.slug(),
            others: others.into_iter().filter(|other| other.value != label).collect(),
            reason,
        }
    };
    vec![
        of(Question::Topic, &case.topic, case.protected),
        of(Question::Intent, &case.intent, case.intent == Intent::Threat.slug()),
        of(Question::Urgency, &case.urgency, case.urgency == Urgency::Acute.slug()),
        of(Question::Sentiment, &case.sentiment, false),
    ]
}

/// Whether it is about us, as the page asks it.
#[derive(Debug)]
pub(super) struct About {
    /// A person may still say that it is.
    pub(super) yes: bool,
    /// A person may still say that it is not.
    pub(super) no: bool,
    /// Saying that it is not needs a reason.
    pub(super) reason: bool,
}

/// What a person can say of whether a case is about us.
pub(super) fn about(case: &CaseRow, verdict: Option<&Classification>, state: CaseState) -> About {
    let label = verdict.map_or("yes", |verdict| verdict.label(Question::Relevance));
    let said_no = label == "no" || case.outcome.as_deref() == Some(DismissReason::NotAboutUs.slug());
    About { yes: case.triage && !state.is_closed() || label == "no", no: !said_no, reason: is_guarded(case) }
}

/// What the buttons of the judgement send.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub struct Sent {
    revision: Option<i64>,
    fraga: String,
    ar: String,
    skal: String,
}

pub(super) async fn put_right(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<CaseId>,
    Form(sent): Form<Sent>,
) -> Result<Response, Fault> {
    let organisation = site.organisation();
    let mut tx = site.db.write().await?;
    seen(&mut tx, &site, &visitor, id).await?;
    let done = match Question::from_slug(&sent.fraga) {
        Some(question) => {
            let said = Correction { question, label: &sent.ar, reason: &sent.skal };
            correct(&mut tx, &organisation, &visitor.person.key, id, sent.revision, said, visitor.now).await
        }
        None => Err(Refused::Incomplete("Välj vilken bedömning som är fel.")),
    };
    let refused = match done {
        Ok(done) => {
            // A case that became more guarded may no longer be hers to see.
            let case = crate::case::store::find(&mut tx, id).await?.ok_or(Fault::NotFound)?;
            tx.commit().await?;
            let open = done.state != CaseState::Dismissed || sent.fraga != Question::Relevance.slug();
            let code = if open { "rattat" } else { "inte-oss" };
            let sees = may_see(&visitor.person, &case, &organisation, visitor.now);
            let to = if sees { format!("/arende/{id}?sagt={code}") } else { "/inkorg?sagt=rattat-vidare".to_owned() };
            return Ok(Redirect::to(&to).into_response());
        }
        Err(Refused::Db(fault)) => return Err(fault.into()),
        Err(Refused::Unknown) => return Err(Fault::NotFound),
        Err(refused) => refused,
    };
    drop(tx);
    let text = refused.swedish(|key| organisation.name_of_staff(key), |at: Time| words::moment(at, visitor.now));
    again(&site, &visitor, id, super::case_acts::status_of(&refused), text, Draft::default()).await
}
