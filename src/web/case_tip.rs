//! The tips that a case has come from: who told, where it was seen, whether it was open to all, and the picture.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::case::seen;
use super::fault::Fault;
use super::sent::Path;
use super::visitor::Visitor;
use super::{Site, words};
use crate::assignment::Organisation;
use crate::clock::Time;
use crate::db::Tx;
use crate::id::{CaseId, TipId};
use crate::source::tip::{Form, Openness};
use crate::source::tip_store;

/// Tips of a case that are shown: a matter that more have tipped of is known.
const TIPS: i64 = 20;

struct Told {
    id: TipId,
    who: String,
    when: String,
    place: String,
    openness: &'static str,
    pictured: bool,
}

#[derive(Template)]
#[template(path = "case_tip.html")]
struct Tips {
    case: CaseId,
    tips: Vec<Told>,
}

/// The part of the case page; empty when no tip stands behind it. Pictures are left out while the words are veiled.
pub(super) async fn tips(
    tx: &mut Tx,
    case: CaseId,
    organisation: &Organisation,
    veiled: bool,
    now: Time,
) -> Result<String, Fault> {
    let rows = tip_store::tips_of_case(tx, case, TIPS).await?;
    if rows.is_empty() {
        return Ok(String::new());
    }
    let told = rows.into_iter().map(|row| Told {
        id: row.id,
        who: organisation.name_of_staff(&row.told_by).to_owned(),
        when: words::moment(row.told_at, now),
        place: if veiled { String::new() } else { row.place },
        openness: Openness::from_slug(&row.openness).map_or("", Openness::swedish),
        pictured: row.form.is_some() && !veiled,
    });
    Ok(Tips { case, tips: told.collect() }.render()?)
}

/// The picture itself, for those who may see the case. It is a picture by its own first bytes, and the browser is told
/// to take it for nothing else.
pub(super) async fn picture(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Path((case, tip)): Path<(CaseId, TipId)>,
) -> Result<Response, Fault> {
    let mut tx = site.db.read().await?;
    seen(&mut tx, &site, &visitor, case).await?;
    let (form, bytes) = tip_store::picture_of_case(&mut tx, case, tip).await?.ok_or(Fault::NotFound)?;
    let form = Form::from_slug(&form).ok_or(Fault::NotFound)?;
    let name = format!("inline; filename=\"tips-{tip}.{}\"", form.slug());
    let headers = [(header::CONTENT_TYPE, form.media_type().to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, bytes).into_response())
}
