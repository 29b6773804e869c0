//! Tips: a colleague pastes what she saw where Lyhörd cannot read, with or without a picture, and sees what became of
//! what she has told before.

use askama::Template;
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::access::may_see;
use super::fault::Fault;
use super::frame::{Frame, Notice, said};
use super::inbox::{Choice, choice};
use super::sent::Query;
use super::visitor::{FORM_BYTES_MAX, Visitor};
use super::{Site, multipart, page, words};
use crate::id::{CaseId, TipId};
use crate::journal::{self, Fact};
use crate::mention::address;
use crate::source::tip::{self, Form, Openness, PICTURE_MAX, Pasted, Refused, Tip};
use crate::source::tip_store;

/// The address, where a form may hold a picture.
pub(super) const PATH: &str = "/tips";
/// Bytes of the form with its picture.
pub(super) const FORM_MAX: usize = PICTURE_MAX + FORM_BYTES_MAX;
/// Earlier tips that are shown.
const EARLIER: i64 = 20;

/// What the address may ask for.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Asked {
    sagt: Option<String>,
}

/// What was told before.
#[derive(Debug)]
struct Earlier {
    when: String,
    machine: String,
    place: String,
    became: String,
    /// Where it can be read, for one who may.
    case: Option<CaseId>,
}

/// What was typed, given back when it was refused; a browser gives no file back.
#[derive(Debug, Default)]
struct Draft {
    text: String,
    link: String,
    place: String,
}

#[derive(Template)]
#[template(path = "tips.html")]
struct Page {
    frame: Frame,
    choices: Vec<Choice>,
    draft: Draft,
    earlier: Vec<Earlier>,
}

pub(super) async fn show(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    render(&site, &visitor, said(asked.sagt.as_deref()), Draft::default(), "").await
}

pub(super) async fn tell(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Result<Response, Fault> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = multipart::boundary(kind).ok_or(Fault::Unreadable)?;
    let body = axum::body::to_bytes(request.into_body(), FORM_MAX).await.map_err(|_| Fault::Unreadable)?;
    let parts = multipart::parts(body, &boundary).await.ok_or(Fault::Unreadable)?;
    let part = |name: &str| parts.iter().find(|part| part.name == name);
    let text = |name: &str| part(name).map(multipart::Part::text).unwrap_or_default();
    let pasted = Pasted { text: text("text"), link: text("lank"), place: text("plats"), openness: text("oppet") };
    let picture = part("bild").map(|part| part.body.as_ref()).filter(|bytes| !bytes.is_empty());
    let read = tip::read(pasted).and_then(|tip| Ok((tip, picture.map(Form::of).transpose()?)));
    match read {
        Ok((tip, form)) => {
            let again = write_down(&site, &visitor, &tip, form.zip(picture)).await?;
            Ok(Redirect::to(if again { "/tips?sagt=tipsat-igen" } else { "/tips?sagt=tipsat" }).into_response())
        }
        Err(refused) => {
            // What may not be taken is not given back either: it is left in nobody's history.
            let kept = if refused == Refused::NotOpen { Pasted::default() } else { pasted };
            let own = |text: &str| text.to_owned();
            let draft = Draft { text: own(kept.text), link: own(kept.link), place: own(kept.place) };
            let notice = Notice { tone: "bad", text: refused.swedish().to_owned() };
            let shown = render(&site, &visitor, Some(notice), draft, kept.openness).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, shown).into_response())
        }
    }
}

/// Says whether the very same post had been told before.
async fn write_down(site: &Site, visitor: &Visitor, tip: &Tip, picture: Option<(Form, &[u8])>) -> Result<bool, Fault> {
    let mut tx = site.db.write().await?;
    let again = tip_store::told_before(&mut tx, tip, TipId(i64::MAX), visitor.now, address::key).await?.is_some();
    let id = tip_store::tell(&mut tx, &visitor.person.key, tip, visitor.now).await?;
    if let Some((form, bytes)) = picture {
        tip_store::keep_picture(&mut tx, id, form, bytes).await?;
    }
    let body =
        serde_json::json!({ "tip": id, "openness": tip.openness.slug(), "picture": picture.is_some(), "again": again });
    let actor = visitor.person.key.clone();
    let fact = Fact { at: visitor.now, actor, kind: "tip.told", case: None, mention: None, body };
    journal::append(&mut tx, &[fact]).await?;
    tx.ring_on_commit("timetable");
    tx.commit().await?;
    Ok(again)
}

async fn render(
    site: &Site,
    visitor: &Visitor,
    notice: Option<Notice>,
    draft: Draft,
    chosen: &str,
) -> Result<Response, Fault> {
    let mut tx = site.db.read().await?;
    let told = tip_store::told_by(&mut tx, &visitor.person.key, EARLIER).await?;
    let frame = Frame::of(site, visitor, &mut tx, "Tips", PATH).await?.saying(notice);
    let organisation = site.organisation();
    let mut earlier = Vec::with_capacity(told.len());
    for (at, place, settled, case) in told {
        let row = match case {
            Some(case) => crate::case::store::find(&mut tx, case).await?,
            None => None,
        };
        let (when, machine) = (words::moment(at, visitor.now), words::machine(at));
        let became = match (case, settled) {
            (Some(case), _) => format!("Ärende {case}"),
            (None, true) => "Blev inget ärende".to_owned(),
            (None, false) => "Bedöms nu".to_owned(),
        };
        let case = row.filter(|row| may_see(&visitor.person, row, &organisation, visitor.now)).map(|row| row.id);
        earlier.push(Earlier { when, machine, place, became, case });
    }
    drop(tx);
    let choices = Openness::ALL.iter().map(|one| choice(one.slug(), one.swedish(), Some(chosen))).collect();
    page(&Page { frame, choices, draft, earlier })
}
