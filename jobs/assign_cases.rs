//! Gives each new case an owner and a promise, and what waits in a queue an owner with room: route, choose, promise,
//! write. What waits goes before what is new. So too a case whose judgement was corrected before anybody began.

use std::collections::BTreeMap;

use crate::app::office::Office;
use crate::app::{App, calendar_of_unit};
use crate::assignment::{Lane, Matter, Route, desk_store};
use crate::case::batch_store::Assigned;
use crate::case::queue_store::{self, Given};
use crate::case::store::CaseRow;
use crate::case::{self, Asked, Promises, promise};
use crate::classification::{Classification, Intent, Urgency};
use crate::clock::Time;
use crate::db::Tx;
use crate::id::{CaseId, MentionId};
use crate::jobs::{BATCH, Job, WEB_BELL};
use crate::journal::{self, Fact};
use crate::mention::{self, store::Judged, version_store};
use crate::response::channel_acts::{self, Native};
use crate::response::promise_acts;

/// How many answers that we have given already a batch of new cases takes in; more are a thread gone wrong.
const ANSWERS_LOOKED_AT: i64 = 500;

/// Assigns one batch; enqueues itself when there may be more, and the reminders when it assigned something.
///
/// # Errors
/// What the database says; nothing of the batch is then assigned.
pub async fn run(app: &App, now: Time) -> anyhow::Result<()> {
    let mut tx = app.db.write().await?;
    let batch = case::batch_store::unassigned(&mut tx, BATCH).await?;
    let units = queue_store::queued_units(&mut tx).await?;
    let room = desk_store::next_room(&mut tx).await?.is_some();
    if batch.is_empty() && units.is_empty() && !room {
        return Ok(());
    }
    let mut office = Office::load(&mut tx, now).await?;
    let mut facts = Vec::with_capacity(batch.len());
    desk_store::take_rooms(&mut tx).await?;
    let judged = judged(&mut tx, &batch).await?;
    let mut touched: Vec<String> = units;
    let mut given = Vec::with_capacity(batch.len());
    for row in &batch {
        let judged = judged.get(&row.mention_id);
        let verdict = judged.and_then(|judged| serde_json::from_str::<Classification>(&judged.verdict).ok());
        let words = judged.map(|judged| judged.mention.body.as_str()).unwrap_or_default();
        let (route, promises) = decide(app, row, verdict.as_ref(), words, now);
        let mut choice = office.give(&app.config, &route, urgency(row), now);
        let mut queued = !choice.room;
        if let Some(holder) = stays_with(row, &route) {
            (choice.staff, queued) = (holder, row.queued_at.is_some());
        }
        if queued {
            touched.push(route.unit.clone());
        } else {
            office.count(&choice.staff, now);
        }
        let body = serde_json::json!({
            "unit": route.unit, "owner": choice.staff, "lane": route.lane.slug(),
            "due_at": promises.first_response.due_at.to_string(), "policy": promises.policy_version,
            "from": row.owner, "to": choice.staff,
        });
        let kind = if row.unit.is_some() { "case.reassigned" } else { "case.assigned" };
        facts.push(Fact::of_case(now, kind, row.id, body));
        let because = format!("{} {}", route.because, choice.because);
        given.push(New { row, route, promises, owner: choice.staff, because, queued });
    }
    write_new(&mut tx, &given, now).await?;
    touched.sort_unstable();
    touched.dedup();
    for unit in &touched {
        empty_queue(app, &mut tx, &mut office, unit, now, &mut facts).await?;
    }
    let new: Vec<CaseId> = batch.iter().filter(|row| row.unit.is_none()).map(|row| row.id).collect();
    answered_before(&mut tx, &new, &mut facts, now).await?;
    if batch.len() == usize::try_from(BATCH).unwrap_or(usize::MAX) {
        Job::AssignCases.enqueue(&mut tx, now).await?;
    }
    if !facts.is_empty() {
        Job::RemindStaff.enqueue(&mut tx, now).await?;
        tx.ring_on_commit(WEB_BELL);
    }
    journal::append(&mut tx, &facts).await?;
    tx.commit().await?;
    Ok(())
}

/// We answered in the channel before these cases had an owner: now each has a promise that the answer can fulfil.
async fn answered_before(tx: &mut Tx, new: &[CaseId], facts: &mut Vec<Fact>, now: Time) -> anyhow::Result<()> {
    for answer in version_store::own_answers(tx, new, ANSWERS_LOOKED_AT).await? {
        case::store::add_mention(tx, answer.case_id, answer.id).await?;
        let native = Native {
            channel: &answer.channel,
            text: &answer.body,
            url: answer.url.as_deref(),
            answered_at: answer.authored_at,
        };
        channel_acts::answer_in_channel(tx, answer.case_id, native, facts, now).await?;
    }
    Ok(())
}

/// A case that comes to the same unit by the same way after a correction stays with the one who has it.
fn stays_with(row: &CaseRow, route: &Route) -> Option<String> {
    let same = row.unit.as_deref() == Some(route.unit.as_str()) && row.lane.as_deref() == Some(route.lane.slug());
    row.owner.clone().filter(|_| same)
}

async fn judged(tx: &mut Tx, batch: &[CaseRow]) -> sqlx::Result<BTreeMap<MentionId, Judged>> {
    let opened_by: Vec<MentionId> = batch.iter().map(|row| row.mention_id).collect();
    let judged = mention::store::judged(tx, &opened_by).await?;
    Ok(judged.into_iter().map(|judged| (judged.mention.id, judged)).collect())
}

/// Gives what waits in a unit's queue to those who have room, what is due first first.
async fn empty_queue(
    app: &App,
    tx: &mut Tx,
    office: &mut Office,
    unit: &str,
    now: Time,
    facts: &mut Vec<Fact>,
) -> sqlx::Result<()> {
    for id in queue_store::queued(tx, unit, BATCH).await? {
        let Some(row) = case::store::find(tx, id).await? else { continue };
        let lane = row.lane.as_deref().and_then(Lane::from_slug).unwrap_or_default();
        let route = app.config.organisation.route_again(unit, lane);
        let choice = office.choose(&app.config, &route, urgency(&row), now);
        if !choice.room {
            continue;
        }
        let given = Given { row: &row, owner: &choice.staff, because: &choice.because, queued: false };
        if queue_store::give(tx, &given, now).await? {
            office.count(&choice.staff, now);
            let body = serde_json::json!({ "from": row.owner, "to": choice.staff, "why": "queue" });
            facts.push(Fact::of_case(now, "case.reassigned", id, body));
        }
    }
    Ok(())
}

fn urgency(row: &CaseRow) -> Urgency {
    Urgency::from_slug(&row.urgency).unwrap_or(Urgency::Normal)
}

/// Whose a case is, and what is promised about it.
fn decide(app: &App, row: &CaseRow, verdict: Option<&Classification>, words: &str, now: Time) -> (Route, Promises) {
    let organisation = &app.config.organisation;
    let intent = Intent::from_slug(&row.intent).unwrap_or(Intent::Information);
    let urgency = urgency(row);
    let matter = Matter {
        topic: &row.topic,
        intent,
        also: verdict.and_then(|verdict| verdict.also),
        urgency,
        place: row.place.as_deref().unwrap_or_default(),
        channel: &row.channel,
        protected: row.protected,
        flags: verdict.map(|verdict| verdict.flags.as_slice()).unwrap_or_default(),
        text: words,
        ..Matter::default()
    };
    let route = organisation.route(&matter, now);
    let calendar = calendar_of_unit(&app.config, &route.unit);
    let asked = Asked { intent, urgency, arrived_at: row.arrived_at, found_at: row.opened_at, deadline_at: None };
    let promises = promise(&asked, &calendar, &app.config.response_times);
    (route, promises)
}

/// What has been decided of a case that is given out.
struct New<'a> {
    row: &'a CaseRow,
    route: Route,
    promises: Promises,
    owner: String,
    because: String,
    queued: bool,
}

async fn write_new(tx: &mut Tx, given: &[New<'_>], now: Time) -> sqlx::Result<()> {
    let due_because: Vec<String> = given.iter().map(|new| new.promises.first_response.because.join("\n")).collect();
    let assigned: Vec<Assigned<'_>> = given
        .iter()
        .zip(&due_because)
        .map(|(new, due_because)| {
            let first = &new.promises.first_response;
            Assigned {
                id: new.row.id,
                unit: &new.route.unit,
                lane: Some(new.route.lane.slug()),
                owner: &new.owner,
                because: &new.because,
                calendar: &first.calendar_version,
                policy_version: &new.promises.policy_version,
                due_at: first.due_at,
                resolve_by: new.promises.resolution.due_at,
                due_because,
                discovered_late: first.discovered_late.is_some(),
                queued: new.queued,
            }
        })
        .collect();
    case::batch_store::assign(tx, &assigned, now).await?;
    let (corrected, new): (Vec<&New<'_>>, Vec<&New<'_>>) = given.iter().partition(|new| new.row.unit.is_some());
    // Corrected before anybody began: the promises that run get the terms of what it is.
    for New { row, promises, .. } in corrected {
        promise_acts::change_terms(tx, row, promises, now).await?;
    }
    let begun: Vec<(CaseId, &Promises)> = new.iter().map(|new| (new.row.id, &new.promises)).collect();
    promise_acts::begin(tx, &begun, now).await
}
