//! What is done with a case from its page. Each act is one write transaction; a refused one gives the page back with
//! what was typed and how it is now.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::case::{Draft, again, seen};
use super::fault::Fault;
use super::sent::{Form, Path};
use super::visitor::Visitor;
use super::{Site, words};
use crate::case::{DismissReason, Outcome};
use crate::clock::Time;
use crate::db::Tx;
use crate::id::CaseId;
use crate::response::acts::{self, Answer};
use crate::response::{Done, Refused};

/// What the buttons of a case send. Each act reads its own fields.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub struct Sent {
    pub(super) revision: Option<i64>,
    pub(super) till: String,
    pub(super) om: Option<u32>,
    pub(super) skal: String,
    pub(super) svar: String,
    lank: String,
    utfall: String,
    pub(super) kontakt: String,
    orsak: String,
    pub(super) ord: String,
    pub(super) tid: String,
    pub(super) steg: String,
    pub(super) gor: String,
}

impl Sent {
    fn draft(&self) -> Draft {
        Draft {
            text: self.svar.clone(),
            url: self.lank.clone(),
            contact: self.kontakt.clone(),
            words: self.ord.clone(),
            to: self.till.clone(),
            ..Draft::default()
        }
    }

    fn answer<'a>(&'a self, unit: Option<&'a str>) -> Answer<'a> {
        Answer {
            text: &self.svar,
            url: Some(&self.lank),
            outcome: Outcome::from_slug(&self.utfall),
            unit,
            answered_at: None,
        }
    }
}

/// A write transaction in which the case is there and the visitor may see it.
pub(super) async fn begin(site: &Site, visitor: &Visitor, id: CaseId) -> Result<Tx, Fault> {
    let mut tx = site.db.write().await?;
    seen(&mut tx, site, visitor, id).await?;
    Ok(tx)
}

/// Commits what was done and shows the case; or shows it as it is, with why nothing was done.
pub(super) async fn finish(
    site: &Site,
    visitor: &Visitor,
    id: CaseId,
    tx: Tx,
    done: Result<Done, Refused>,
    code: &str,
    sent: &Sent,
) -> Result<Response, Fault> {
    let refused = match done {
        Ok(_) => {
            tx.commit().await?;
            return Ok(Redirect::to(&format!("/arende/{id}?sagt={code}")).into_response());
        }
        Err(Refused::Db(fault)) => return Err(fault.into()),
        Err(Refused::Unknown) => return Err(Fault::NotFound),
        Err(refused) => refused,
    };
    drop(tx);
    let organisation = site.organisation();
    let text = refused.swedish(|key| organisation.name_of_staff(key), |at: Time| words::moment(at, visitor.now));
    again(site, visitor, id, status_of(&refused), text, sent.draft()).await
}

/// What a browser is told of a refused act.
pub(super) fn status_of(refused: &Refused) -> StatusCode {
    if matches!(refused, Refused::Overtaken(_)) { StatusCode::CONFLICT } else { StatusCode::UNPROCESSABLE_ENTITY }
}

pub(super) async fn take(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<CaseId>,
    Form(sent): Form<Sent>,
) -> Result<Response, Fault> {
    let mut tx = begin(&site, &visitor, id).await?;
    let done = acts::take(&mut tx, &visitor.person.key, id, sent.revision, visitor.now).await;
    finish(&site, &visitor, id, tx, done, "taget", &sent).await
}

pub(super) async fn acknowledge(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<CaseId>,
    Form(sent): Form<Sent>,
) -> Result<Response, Fault> {
    let mut tx = begin(&site, &visitor, id).await?;
    let done = acts::acknowledge(&mut tx, &visitor.person.key, id, sent.revision, visitor.now).await;
    finish(&site, &visitor, id, tx, done, "kvitterat", &sent).await
}

pub(super) async fn snooze(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<CaseId>,
    Form(sent): Form<Sent>,
) -> Result<Response, Fault> {
    let until = visitor.now.plus(Duration::from_secs(u64::from(sent.om.unwrap_or_default()) * 60));
    let mut tx = begin(&site, &visitor, id).await?;
    let done = acts::snooze(&mut tx, &visitor.person.key, id, sent.revision, until, &sent.skal, visitor.now).await;
    finish(&site, &visitor, id, tx, done, "senare", &sent).await
}

pub(super) async fn answer(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<CaseId>,
    Form(sent): Form<Sent>,
) -> Result<Response, Fault> {
    let mut tx = begin(&site, &visitor, id).await?;
    let answer = sent.answer(visitor.person.units.first().map(String::as_str));
    let done = acts::answer(&mut tx, &visitor.person.key, id, sent.revision, answer, visitor.now).await;
    finish(&site, &visitor, id, tx, done, "svarat", &sent).await
}

pub(super) async fn refer(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<CaseId>,
    Form(sent): Form<Sent>,
) -> Result<Response, Fault> {
    let mut tx = begin(&site, &visitor, id).await?;
    let answer = sent.answer(visitor.person.units.first().map(String::as_str));
    let done = acts::refer(&mut tx, &visitor.person.key, id, sent.revision, &sent.kontakt, answer, visitor.now).await;
    finish(&site, &visitor, id, tx, done, "hanvisat", &sent).await
}

pub(super) async fn dismiss(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<CaseId>,
    Form(sent): Form<Sent>,
) -> Result<Response, Fault> {
    let mut tx = begin(&site, &visitor, id).await?;
    let done = match DismissReason::from_slug(&sent.orsak) {
        Some(reason) => {
            acts::dismiss(&mut tx, &visitor.person.key, id, sent.revision, reason, &sent.ord, visitor.now).await
        }
        None => Err(Refused::Incomplete("Välj ett skäl. Utan skäl kan ärendet inte avskrivas.")),
    };
    finish(&site, &visitor, id, tx, done, "avskrivet", &sent).await
}

pub(super) async fn reopen(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<CaseId>,
    Form(sent): Form<Sent>,
) -> Result<Response, Fault> {
    let calendars = site.calendars();
    let mut tx = begin(&site, &visitor, id).await?;
    let done = acts::reopen(&mut tx, &calendars, &visitor.person.key, id, sent.revision, visitor.now).await;
    finish(&site, &visitor, id, tx, done, "oppnat", &sent).await
}
