//! What staff do in the lanes that the law gives a way of their own: the checklist, a threat, and a matter for an
//! authority that landed in the wrong place.

use serde_json::json;

use super::acts::{self, Act, Answer};
use super::{Done, NOTE_MAX, Refused, filled};
use crate::assignment::{Lane, desk_store};
use crate::case::queue_store;
use crate::case::store::Change;
use crate::case::threat::Threat;
use crate::clock::Time;
use crate::db::Tx;
use crate::id::CaseId;

/// Letters of a step's own words.
const STEP_MAX: usize = 300;

/// Ticks a step of a checklist, or takes the tick back. A step that is done tells when and by whom.
///
/// # Errors
/// [`Refused`]: nothing has changed.
pub async fn step(tx: &mut Tx, who: &str, case: CaseId, words: &str, done: bool, now: Time) -> Result<Done, Refused> {
    let act = Act::begin(tx, who, case, None, now).await?;
    let words = filled(words, STEP_MAX, "Välj ett steg.", "Steget är för långt.")?;
    let changed = if done {
        desk_store::put_step(tx, case, &words, "", who, now).await?
    } else {
        desk_store::undo_step(tx, case, &words).await?
    };
    if changed && !act.state().is_closed() {
        act.change(tx, &Change::default()).await?;
    }
    let kind = if done { "case.step_done" } else { "case.step_undone" };
    act.tell(tx, kind, json!({ "step": words }), act.state()).await
}

/// Where the handling of a case in the threat lane has come to; nothing for another case.
#[must_use]
pub fn threat_of(row: &crate::case::store::CaseRow) -> Option<Threat> {
    let known = row.threat.as_deref().and_then(Threat::from_slug);
    let lane = row.lane.as_deref() == Some(Lane::Threat.slug());
    known.or_else(|| lane.then_some(Threat::Suspected))
}

/// Takes a threat one step further. What a person finds to be none is opened to all and goes the ordinary way.
///
/// # Errors
/// [`Refused`]: nothing has changed.
pub async fn handle_threat(
    tx: &mut Tx,
    who: &str,
    case: CaseId,
    seen: Option<i64>,
    to: Threat,
    note: &str,
    now: Time,
) -> Result<Done, Refused> {
    let act = Act::begin(tx, who, case, seen, now).await?;
    let Some(from) = threat_of(&act.row) else {
        return Err(Refused::Incomplete("Ärendet är inget misstänkt hot."));
    };
    if !from.next().contains(&to) {
        return Err(Refused::Incomplete("Stegen tas i ordning. Läs hur långt ärendet har kommit och försök igen."));
    }
    let note: String = note.trim().chars().take(NOTE_MAX).collect();
    if to.asks_for().is_some() && note.is_empty() {
        return Err(Refused::Incomplete("Skriv en rad om steget: det behövs vid uppföljningen."));
    }
    if !act.state().is_closed() {
        let change =
            Change { acknowledged_at: Some(now), acknowledged_by: Some(who), triaged: true, ..Change::default() };
        act.change(tx, &change).await?;
    }
    queue_store::set_threat(tx, case, to.slug(), to.is_open_to_all()).await?;
    desk_store::put_step(tx, case, &format!("hot:{}", to.slug()), &note, who, now).await?;
    let done = desk_store::steps(tx, case).await?;
    let supported = done.iter().find(|row| row.step == format!("hot:{}", Threat::Supported.slug()));
    let follow_up = supported.and_then(|row| to.follow_up_at(row.done_at));
    queue_store::follow_up_at(tx, case, follow_up).await?;
    act.tell(tx, "case.threat", json!({ "step": to.slug() }), act.state()).await
}

/// Where a matter goes, and what was said.
#[derive(Debug, Clone, Copy)]
pub struct Moved<'a> {
    /// The right entrance: function and a way to reach it.
    pub entrance: &'a str,
    /// The day it arrived, in words.
    pub arrived: &'a str,
    /// What the citizen was told.
    pub answer: Answer<'a>,
}

/// Moves a matter for an authority that landed in the wrong place to the right entrance. It arrived the day it reached
/// the municipality, and the entrance is told so.
///
/// # Errors
/// [`Refused`]: nothing has changed.
pub async fn move_to_entrance(
    tx: &mut Tx,
    who: &str,
    case: CaseId,
    seen: Option<i64>,
    to: Moved<'_>,
    now: Time,
) -> Result<Done, Refused> {
    let Moved { entrance, arrived, answer } = to;
    let row = crate::case::store::find(tx, case).await?.ok_or(Refused::Unknown)?;
    if row.lane.as_deref() != Some(Lane::Authority.slug()) {
        return Err(Refused::Incomplete("Ärendet är inget myndighetsärende. Hänvisa i stället."));
    }
    let text = format!("{}\nAnkomstdag: {arrived}", answer.text.trim());
    let answer = Answer { text: text.trim(), ..answer };
    let done = acts::refer(tx, who, case, seen, entrance, answer, now).await?;
    let act = Act::begin(tx, who, case, None, now).await?;
    act.tell(tx, "case.moved", json!({ "arrived_at": row.arrived_at, "contact": entrance }), done.state).await
}
