//! The page behind a button of a service that cannot post back. Looking does nothing, since mail filters open every
//! link they see; the act is done by a POST, by the one who is signed in, and only when the button was made for her.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::access::may_see;
use super::fault::Fault;
use super::frame::{Frame, Notice};
use super::sent::Path;
use super::visitor::Visitor;
use super::{Site, page};
use crate::case::store::CaseRow;
use crate::chat::button::Verdict;
use crate::chat::signed::LinkFault;
use crate::chat::{Act, Nonce};
use crate::response::press;

#[derive(Template)]
#[template(path = "press.html")]
struct Pressing {
    frame: Frame,
    /// What stands on the button.
    label: &'static str,
    /// What it would do; nothing when it does nothing.
    would: Option<String>,
    /// How it is, when the button does nothing or has been pressed.
    how: String,
    /// Where to go on.
    next: String,
    next_name: &'static str,
    token: String,
}

/// What a button says; a link that is not ours says nothing.
fn read(site: &Site, token: &str, now: crate::clock::Time) -> Result<(Act, Nonce), LinkFault> {
    site.app.voices.signer().read(token, now)
}

/// What one sees who is not signed in: that a button waits, and nothing about what.
fn to_stranger(site: &Site, token: &str) -> Result<Response, Fault> {
    let query: String = url::form_urlencoded::byte_serialize(format!("/knapp/{token}").as_bytes()).collect();
    page(&Pressing {
        frame: Frame::bare(site, "Logga in"),
        label: "En knapp från Lyhörd",
        would: None,
        how: "Logga in, så ser du vad knappen gör. Inget händer förrän du har bekräftat.".to_owned(),
        next: format!("/logga-in?till={query}"),
        next_name: "Logga in",
        token: String::new(),
    })
}

pub(super) async fn show(
    State(site): State<Site>,
    visitor: Option<Extension<Visitor>>,
    Path(token): Path<String>,
) -> Result<Response, Fault> {
    let Some(Extension(visitor)) = visitor else { return to_stranger(&site, &token) };
    let mut tx = site.db.read().await?;
    let frame = Frame::of(&site, &visitor, &mut tx, "Bekräfta", "").await?;
    let (act, nonce) = match read(&site, &token, visitor.now) {
        Ok(read) => read,
        Err(fault) => return refused(frame, fault.swedish().to_owned(), None, StatusCode::GONE),
    };
    let organisation = site.organisation();
    let may = |row: &CaseRow| may_see(&visitor.person, row, &organisation, visitor.now);
    let (verdict, row) =
        press::verdict(&mut tx, &organisation, Some(&visitor.person.key), (act, &nonce), may, visitor.now).await?;
    let Verdict::Do { act, case } = verdict else {
        let text = verdict.refusal().unwrap_or_default();
        return refused(frame, text, row.as_ref(), StatusCode::CONFLICT);
    };
    page(&Pressing {
        frame,
        label: act.label(),
        would: Some(press::what_it_would_do(act, case)),
        how: String::new(),
        next: format!("/arende/{case}"),
        next_name: "Öppna ärendet i stället",
        token,
    })
}

fn refused(frame: Frame, how: String, row: Option<&CaseRow>, status: StatusCode) -> Result<Response, Fault> {
    let (next, next_name) = match row {
        Some(row) => (format!("/arende/{}", row.id), "Öppna ärendet"),
        None => ("/inkorg".to_owned(), "Till inkorgen"),
    };
    let shown = page(&Pressing {
        frame,
        label: "Knappen gäller inte längre",
        would: None,
        how,
        next,
        next_name,
        token: String::new(),
    })?;
    Ok((status, shown).into_response())
}

pub(super) async fn press(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Path(token): Path<String>,
) -> Result<Response, Fault> {
    let organisation = site.organisation();
    let mut tx = site.db.write().await?;
    let frame = Frame::of(&site, &visitor, &mut tx, "Bekräfta", "").await?;
    let (act, nonce) = match read(&site, &token, visitor.now) {
        Ok(read) => read,
        Err(fault) => return refused(frame, fault.swedish().to_owned(), None, StatusCode::GONE),
    };
    let may = |row: &CaseRow| may_see(&visitor.person, row, &organisation, visitor.now);
    let by = Some(visitor.person.key.as_str());
    let (_, row) = press::verdict(&mut tx, &organisation, by, (act, &nonce), may, visitor.now).await?;
    let pressed = press::press(&mut tx, &organisation, by, (act, &nonce), may, visitor.now).await?;
    if !pressed.done {
        return refused(frame, pressed.text, row.as_ref(), StatusCode::CONFLICT);
    }
    tx.commit().await?;
    // Who has handed a case over may no longer see it.
    let (next, next_name) = match row.filter(|_| act != Act::HandOver) {
        Some(row) => (format!("/arende/{}", row.id), "Öppna ärendet"),
        None => ("/inkorg".to_owned(), "Till inkorgen"),
    };
    let notice = Some(Notice { tone: "good", text: pressed.text });
    let frame = frame.saying(notice);
    page(&Pressing {
        frame,
        label: act.label(),
        would: None,
        how: "Klart. Du kan stänga sidan.".to_owned(),
        next,
        next_name,
        token: String::new(),
    })
}
