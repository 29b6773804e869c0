//! Uppsikt: from when to when each source was under our eyes, with gaps shown as gaps; and the same as a file.

use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::fault::Fault;
use super::frame::Frame;
use super::sent::Query;
use super::visitor::Visitor;
use super::{Site, page, words};
use crate::clock::Time;
use crate::db::Tx;
use crate::source::channel_store;
use crate::source::store::SourceRow;
use crate::source::supervision::{self, Line, Span};

/// Days that are told when nothing else is asked for.
const DAYS: u32 = 30;
/// Days that can be asked for: as long as the log itself goes back in practice.
const DAYS_MAX: u32 = 3_660;
/// Stretches of one source that are read at most.
const STRETCHES: i64 = 5_000;
/// Gaps of one source that the page lists; the file has them all.
const GAPS_SHOWN: usize = 10;
/// Pieces that the line of a source is drawn with.
const DRAWN_MAX: usize = 400;

/// What the address may ask for.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Asked {
    dagar: Option<u32>,
}

impl Asked {
    fn days(&self) -> u32 {
        self.dagar.unwrap_or(DAYS).clamp(1, DAYS_MAX)
    }
}

/// A piece of the drawn line: thousandths of its length.
#[derive(Debug, PartialEq, Eq)]
struct Piece {
    x: i64,
    width: i64,
}

#[derive(Debug)]
struct Row {
    name: String,
    channel: String,
    share: String,
    read: Vec<Piece>,
    gaps: Vec<String>,
    more: usize,
    never: bool,
}

#[derive(Template)]
#[template(path = "supervision.html")]
struct Page {
    frame: Frame,
    days: u32,
    rows: Vec<Row>,
}

pub(super) async fn show(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let mut tx = site.db.read().await?;
    let now = visitor.now;
    let since = now.minus(Duration::from_secs(u64::from(asked.days()) * 86_400));
    let mut rows = Vec::new();
    for (source, spans) in log(&mut tx, since, now).await? {
        rows.push(row(&source, &spans, since, now));
    }
    let frame = Frame::of(&site, &visitor, &mut tx, "Uppsikt", "/kallor").await?;
    page(&Page { frame, days: asked.days(), rows })
}

pub(super) async fn csv(
    State(site): State<Site>,
    Extension(_): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let mut tx = site.db.read().await?;
    let now = site.clock.now();
    let since = now.minus(Duration::from_secs(u64::from(asked.days()) * 86_400));
    let log = log(&mut tx, since, now).await?;
    drop(tx);
    let lines = log.iter().flat_map(|(source, spans)| {
        spans.iter().map(|span| Line { source: &source.name, channel: &source.channel, span: *span })
    });
    let text = supervision::csv(&lines.collect::<Vec<_>>());
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"uppsikt.csv\""),
    ];
    Ok((headers, text).into_response())
}

/// Every source that is or was read, with its stretches and gaps since a moment, by name.
///
/// # Errors
/// What the database says.
pub async fn log(tx: &mut Tx, since: Time, now: Time) -> sqlx::Result<Vec<(SourceRow, Vec<Span>)>> {
    let mut sources = crate::source::store::all(tx).await?;
    sources.retain(|source| !matches!(source.kind.as_str(), "import" | "tips"));
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    let mut log = Vec::with_capacity(sources.len());
    for source in sources {
        let stretches = channel_store::stretches(tx, source.id, since, STRETCHES).await?;
        // A source that rests is not expected to be read; one that fails is not being read now.
        let running_until = match stretches.last() {
            Some(last) if !source.enabled || source.failures > 0 => last.until,
            _ if source.streamed => source.last_ok_at.unwrap_or(now).plus(Duration::from_mins(2)),
            _ => source.next_poll_at.plus(Duration::from_mins(5)),
        };
        let until = if source.enabled { now } else { stretches.last().map_or(now, |last| last.until) };
        let spans = supervision::with_gaps(&stretches, running_until, until);
        log.push((source, spans));
    }
    Ok(log)
}

fn row(source: &SourceRow, spans: &[Span], since: Time, now: Time) -> Row {
    let whole = (now.0 - since.0).max(1);
    let place = |at: Time| (at.0.clamp(since.0, now.0) - since.0) * 1_000 / whole;
    let (mut read_ms, mut read, mut gaps) = (0_i64, Vec::new(), Vec::new());
    let last = spans.len().saturating_sub(1);
    for (at, span) in spans.iter().enumerate() {
        match span {
            Span::Read(stretch) => {
                // What was read a moment ago and is not yet due again is under our eyes now.
                let until = if at == last && source.enabled { now } else { stretch.until };
                read_ms += until.0.min(now.0) - stretch.from.0.max(since.0);
                let x = place(stretch.from);
                read.push(Piece { x, width: (place(until) - x).max(1) });
            }
            Span::Gap { from, until } => {
                let length = words::span(until.0 - from.0);
                gaps.push(format!("{} till {} ({length})", words::moment(*from, now), words::moment(*until, now)));
            }
        }
    }
    read.truncate(DRAWN_MAX);
    let begun = spans.first().map_or(now, |span| match span {
        Span::Read(stretch) => stretch.from.max(since),
        Span::Gap { from, .. } => *from,
    });
    let counted = (now.0 - begun.0).max(1);
    let tenths = (read_ms.max(0) * 1_000 / counted).min(1_000);
    let more = gaps.len().saturating_sub(GAPS_SHOWN);
    gaps.reverse();
    gaps.truncate(GAPS_SHOWN);
    Row {
        name: source.name.clone(),
        channel: words::channel(&source.channel),
        share: format!("{},{}\u{a0}% sedan {}", tenths / 10, tenths % 10, words::moment(begun, now)),
        read,
        gaps,
        more,
        never: spans.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::supervision::Stretch;

    #[test]
    fn a_gap_of_a_quarter_leaves_three_quarters_under_our_eyes() {
        const HOUR: i64 = 3_600_000;
        let mut source = SourceRow::fresh("a", "A", "https://a.example", "rss");
        source.enabled = true;
        let at = |hour: i64| Time(1_795_420_800_000 + hour * HOUR);
        let stretch = |from, until| Span::Read(Stretch { from: at(from), until: at(until), readings: 9 });
        let spans = [stretch(0, 4), Span::Gap { from: at(4), until: at(6) }, stretch(6, 8)];
        let row = row(&source, &spans, at(0), at(8));
        assert!(row.share.starts_with("75,0\u{a0}%"), "{}", row.share);
        assert_eq!(row.read, [Piece { x: 0, width: 500 }, Piece { x: 750, width: 250 }]);
        assert_eq!(row.gaps.len(), 1);
        assert!(row.gaps[0].ends_with("(2 tim)"), "{:?}", row.gaps);
    }
}
