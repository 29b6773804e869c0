//! Journal: everything that has happened, newest first, and whether the chain of it holds.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;

use super::fault::Fault;
use super::frame::Frame;
use super::history::{Line, told};
use super::sent::Query;
use super::visitor::Visitor;
use super::{Site, page, words};
use crate::journal::{self, Verdict};

/// Lines on a page.
const LINES: i64 = 60;

/// What the address may ask for.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Asked {
    efter: Option<i64>,
    prova: Option<String>,
}

struct Row {
    seq: String,
    case: Option<crate::id::CaseId>,
    line: Line,
}

#[derive(Template)]
#[template(path = "journal.html")]
struct Journal {
    frame: Frame,
    rows: Vec<Row>,
    next: Option<i64>,
    chain: Option<Chain>,
    links: bool,
}

struct Chain {
    tone: &'static str,
    text: String,
}

pub(super) async fn show(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let organisation = site.organisation();
    let mut tx = site.db.read().await?;
    let entries = journal::latest(&mut tx, asked.efter.unwrap_or(i64::MAX), LINES).await?;
    let next = entries
        .last()
        .map(|entry| entry.seq)
        .filter(|seq| *seq > 1 && entries.len() >= usize::try_from(LINES).unwrap_or(0));
    let chain = if asked.prova.is_some() { Some(chain(&journal::verify(&mut tx).await?)) } else { None };
    let frame = Frame::of(&site, &visitor, &mut tx, "Journal", "/journal").await?;
    let rows = entries
        .iter()
        .map(|entry| Row {
            seq: words::number(entry.seq),
            case: entry.case_id,
            line: told(entry, &organisation, visitor.now),
        })
        .collect();
    page(&Journal { frame, rows, next, chain, links: visitor.person.sees_all_units() })
}

fn chain(verdict: &Verdict) -> Chain {
    match verdict {
        Verdict::Whole { entries } => Chain {
            tone: "good",
            text: format!(
                "Kedjan är hel: {} prövade, ingen ändrad eller borttagen.",
                words::counted(*entries, "rad", "rader")
            ),
        },
        Verdict::Broken { seq, .. } => Chain {
            tone: "bad",
            text: format!(
                "Kedjan är bruten vid rad {}: en rad har ändrats eller tagits bort. Säkra en kopia av databasen och kontakta den som ansvarar för säkerheten.",
                words::number(*seq)
            ),
        },
    }
}
