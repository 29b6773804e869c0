//! What is done from the desk part of a case: offers, who has the word, first answers, deadlines, checklists, threats.

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};

use super::Site;
use super::case_acts::{Sent, begin, finish};
use super::fault::Fault;
use super::sent::{Form, Path};
use super::visitor::Visitor;
use super::words;
use crate::assignment::handover::{Receiver, Reply};
use crate::calendar::stockholm;
use crate::calendar::words::parse_moment;
use crate::case::Threat;
use crate::id::CaseId;
use crate::response::acts::Answer;
use crate::response::offer_acts::{HandOver, Handed, Reach};
use crate::response::{Refused, lane_acts, offer_acts, promise_acts};

type Asked = (State<Site>, Extension<Visitor>, Path<CaseId>);

/// Hands a case to somebody or to a whole unit (`enhet:va`); who leads them gives, anybody else asks.
pub(super) async fn hand_over(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<CaseId>,
    Form(sent): Form<Sent>,
) -> Result<Response, Fault> {
    let organisation = site.organisation();
    let to = match sent.till.strip_prefix("enhet:") {
        Some(unit) => Receiver::Unit(unit.to_owned()),
        None => Receiver::Staff(sent.till.clone()),
    };
    let reach = if sent.gor == "annan-namnd" { Reach::Beyond } else { Reach::Within };
    let wanted = HandOver { to: &to, note: &sent.ord, reach };
    let mut tx = begin(&site, &visitor, id).await?;
    let key = &visitor.person.key;
    match offer_acts::hand_over(&mut tx, &organisation, key, id, sent.revision, wanted, visitor.now).await {
        Ok((_, Handed::Given)) => {
            // Who has handed a case to another unit may no longer see it.
            tx.commit().await?;
            Ok(Redirect::to("/inkorg?sagt=lamnat").into_response())
        }
        other => finish(&site, &visitor, id, tx, other.map(|(done, _)| done), "erbjudet", &sent).await,
    }
}

async fn replied(
    (State(site), Extension(visitor), Path(id)): Asked,
    sent: Sent,
    reply: Reply,
) -> Result<Response, Fault> {
    let organisation = site.organisation();
    let code = match reply {
        Reply::Accept => "taget",
        Reply::Decline { .. } => "nej",
        Reply::Withdraw => "atertaget",
    };
    let mut tx = begin(&site, &visitor, id).await?;
    let key = &visitor.person.key;
    let done = offer_acts::reply(&mut tx, &organisation, key, id, sent.revision, &reply, visitor.now).await;
    if done.is_ok() && code == "nej" {
        // Who says no to another unit's case may no longer see it.
        tx.commit().await?;
        return Ok(Redirect::to("/inkorg?sagt=nej").into_response());
    }
    finish(&site, &visitor, id, tx, done, code, &sent).await
}

pub(super) async fn accept(
    s: State<Site>,
    v: Extension<Visitor>,
    p: Path<CaseId>,
    Form(sent): Form<Sent>,
) -> Result<Response, Fault> {
    replied((s, v, p), sent, Reply::Accept).await
}

pub(super) async fn decline(
    s: State<Site>,
    v: Extension<Visitor>,
    p: Path<CaseId>,
    Form(sent): Form<Sent>,
) -> Result<Response, Fault> {
    let reason = sent.skal.clone();
    replied((s, v, p), sent, Reply::Decline { reason }).await
}

pub(super) async fn withdraw(
    s: State<Site>,
    v: Extension<Visitor>,
    p: Path<CaseId>,
    Form(sent): Form<Sent>,
) -> Result<Response, Fault> {
    replied((s, v, p), sent, Reply::Withdraw).await
}

pub(super) async fn wait(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<CaseId>,
    Form(sent): Form<Sent>,
) -> Result<Response, Fault> {
    let calendars = site.calendars();
    let days = u16::try_from(sent.om.unwrap_or_default()).unwrap_or_default();
    let mut tx = begin(&site, &visitor, id).await?;
    let key = &visitor.person.key;
    let done =
        promise_acts::wait_for_citizen(&mut tx, &calendars, key, id, sent.revision, days, &sent.ord, visitor.now).await;
    finish(&site, &visitor, id, tx, done, "vantar", &sent).await
}

pub(super) async fn resume(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<CaseId>,
    Form(sent): Form<Sent>,
) -> Result<Response, Fault> {
    let calendars = site.calendars();
    let mut tx = begin(&site, &visitor, id).await?;
    let key = &visitor.person.key;
    let done = promise_acts::resume(&mut tx, &calendars, key, id, sent.revision, "by-hand", visitor.now).await;
    finish(&site, &visitor, id, tx, done, "ordet", &sent).await
}

pub(super) async fn first_reply(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<CaseId>,
    Form(sent): Form<Sent>,
) -> Result<Response, Fault> {
    let mut tx = begin(&site, &visitor, id).await?;
    let unit = visitor.person.units.first().map(String::as_str);
    let key = &visitor.person.key;
    let done = promise_acts::first_reply(&mut tx, key, id, sent.revision, &sent.svar, unit, visitor.now).await;
    finish(&site, &visitor, id, tx, done, "forsta", &sent).await
}

pub(super) async fn deadline(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<CaseId>,
    Form(sent): Form<Sent>,
) -> Result<Response, Fault> {
    let mut tx = begin(&site, &visitor, id).await?;
    let done = match parse_moment(&sent.tid.replace('T', " "), &stockholm()) {
        Ok(at) => promise_acts::set_deadline(&mut tx, &visitor.person.key, id, sent.revision, at, visitor.now).await,
        Err(_) => Err(Refused::Incomplete("Skriv tiden som 2026-11-23 15:00.")),
    };
    finish(&site, &visitor, id, tx, done, "deadline", &sent).await
}

pub(super) async fn step(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<CaseId>,
    Form(sent): Form<Sent>,
) -> Result<Response, Fault> {
    let done = sent.gor != "angra";
    let mut tx = begin(&site, &visitor, id).await?;
    let done = lane_acts::step(&mut tx, &visitor.person.key, id, &sent.steg, done, visitor.now).await;
    finish(&site, &visitor, id, tx, done, "sparat", &sent).await
}

pub(super) async fn threat(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<CaseId>,
    Form(sent): Form<Sent>,
) -> Result<Response, Fault> {
    let mut tx = begin(&site, &visitor, id).await?;
    let done = match Threat::from_slug(&sent.steg) {
        Some(to) => {
            let key = &visitor.person.key;
            lane_acts::handle_threat(&mut tx, key, id, sent.revision, to, &sent.ord, visitor.now).await
        }
        None => Err(Refused::Incomplete("Välj ett steg.")),
    };
    finish(&site, &visitor, id, tx, done, "sparat", &sent).await
}

pub(super) async fn move_on(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<CaseId>,
    Form(sent): Form<Sent>,
) -> Result<Response, Fault> {
    let mut tx = begin(&site, &visitor, id).await?;
    let arrived = crate::case::store::find(&mut tx, id).await?.map(|row| words::day(row.arrived_at, visitor.now));
    let unit = visitor.person.units.first().map(String::as_str);
    let answer = Answer { text: &sent.svar, url: None, outcome: None, unit, answered_at: None };
    let moved = lane_acts::Moved { entrance: &sent.kontakt, arrived: arrived.as_deref().unwrap_or_default(), answer };
    let done = lane_acts::move_to_entrance(&mut tx, &visitor.person.key, id, sent.revision, moved, visitor.now).await;
    finish(&site, &visitor, id, tx, done, "flyttat", &sent).await
}
