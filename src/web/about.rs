//! For everybody: how we watch, and how accessible these pages are.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;

use super::fault::Fault;
use super::frame::Frame;
use super::visitor::Visitor;
use super::{Site, page, words};
use crate::source::Health;

/// The numbers on the public page are of this many days.
const DAYS: u64 = 365;

struct Read {
    name: String,
    channel: String,
}

#[derive(Template)]
#[template(path = "watching.html")]
struct Watching {
    frame: Frame,
    sources: Vec<Read>,
    mentions: String,
    cases: String,
}

#[derive(Template)]
#[template(path = "accessibility.html")]
struct Accessibility {
    frame: Frame,
}

/// The frame for a page that both those who are signed in and everybody else may read.
async fn frame(site: &Site, visitor: Option<&Visitor>, title: &str) -> Result<Frame, Fault> {
    match visitor {
        None => Ok(Frame::bare(site, title)),
        Some(visitor) => {
            let mut tx = site.db.read().await?;
            Frame::of(site, visitor, &mut tx, title, "").await
        }
    }
}

pub(super) async fn watching(State(site): State<Site>, visitor: Option<Extension<Visitor>>) -> Result<Response, Fault> {
    let now = site.clock.now();
    let frame = frame(&site, visitor.as_deref(), "Så bevakar vi").await?;
    let mut tx = site.db.read().await?;
    let sources = crate::source::store::all(&mut tx).await?;
    let since = now.minus(std::time::Duration::from_secs(DAYS * 86_400));
    let (mentions, cases) = crate::audit::store::kept_and_cases(&mut tx, since).await?;
    let sources = sources
        .into_iter()
        .filter(|source| source.enabled && Health::from_slug(&source.health) != Health::Dead)
        .map(|source| Read { channel: words::channel(&source.channel), name: source.name })
        .collect();
    page(&Watching { frame, sources, mentions: words::number(mentions), cases: words::number(cases) })
}

pub(super) async fn accessibility(
    State(site): State<Site>,
    visitor: Option<Extension<Visitor>>,
) -> Result<Response, Fault> {
    page(&Accessibility { frame: frame(&site, visitor.as_deref(), "Tillgänglighet").await? })
}
