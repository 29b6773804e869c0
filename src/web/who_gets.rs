//! Vem får det?: type a text and see who would get it, due when, and why. Nothing is kept and nothing happens.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, State};
use axum::response::Response;

use super::fault::Fault;
use super::frame::Frame;
use super::visitor::Visitor;
use super::{Site, page};
use crate::app::ask::{Foretold, ask};
use crate::assignment::absence::of_rows;
use crate::assignment::choose::{Candidate, Desk};

/// Letters that are judged: a long post.
const TEXT_MAX: usize = 4_000;

#[derive(Template)]
#[template(path = "who_gets.html")]
struct Page {
    frame: Frame,
    text: String,
    told: Option<Foretold>,
    lines: Vec<String>,
}

/// What is asked about.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct About {
    text: String,
}

pub(super) async fn show(State(site): State<Site>, Extension(visitor): Extension<Visitor>) -> Result<Response, Fault> {
    let mut tx = site.db.read().await?;
    let frame = Frame::of(&site, &visitor, &mut tx, "Vem får det?", "/vem-far-det").await?;
    page(&Page { frame, text: String::new(), told: None, lines: Vec::new() })
}

pub(super) async fn answer(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Form(about): Form<About>,
) -> Result<Response, Fault> {
    let text: String = about.text.trim().chars().take(TEXT_MAX).collect();
    let mut tx = site.db.read().await?;
    let loads = crate::case::batch_store::loads(&mut tx).await?;
    let absences = of_rows(&crate::assignment::store::absences(&mut tx, visitor.now).await?);
    let frame = Frame::of(&site, &visitor, &mut tx, "Vem får det?", "/vem-far-det").await?;
    drop(tx);
    let candidates: Vec<Candidate<'_>> = loads
        .iter()
        .map(|(staff, open, last)| Candidate {
            staff,
            load: u32::try_from(*open).unwrap_or(u32::MAX),
            last_given_at: *last,
        })
        .collect();
    let desk = Desk { candidates: &candidates, absences: &absences, ..Desk::default() };
    let app = &site.app;
    let told = (!text.is_empty())
        .then(|| ask(&app.config, &app.watch, app.judge().as_ref(), (&text, "forum"), &desk, visitor.now));
    let lines = told.iter().flat_map(|told| told.explained.lines().skip(1).map(str::to_owned)).collect();
    page(&Page { frame, text, told, lines })
}
