//! Sends the cases of somebody whose absence begins back to the queue, from where others get them: a new round, at once.

use crate::app::App;
use crate::app::office::Office;
use crate::assignment::absence::away;
use crate::assignment::{self, Lane, offer_store};
use crate::case::queue_store::{self, Given};
use crate::case::{self, store::CaseRow};
use crate::classification::Urgency;
use crate::clock::Time;
use crate::db::Tx;
use crate::id::CaseId;
use crate::jobs::{BATCH, Job, TIMETABLE_BELL, WEB_BELL};
use crate::journal::{self, Fact};

/// Absences whose beginning is seen to in one piece of work.
const ABSENCES_AT_A_TIME: i64 = 20;
/// Pages of cases that one person may hold; ten thousand cases are no longer held by a person.
const PAGES_MAX: usize = 40;

/// Sees to absences that have begun; enqueues itself when there may be more.
///
/// # Errors
/// What the database says; nothing is then given to others.
pub async fn run(app: &App, now: Time) -> anyhow::Result<()> {
    let mut tx = app.db.write().await?;
    let beginning = assignment::store::beginning(&mut tx, now, ABSENCES_AT_A_TIME).await?;
    if beginning.is_empty() {
        return Ok(());
    }
    for (id, _) in &beginning {
        assignment::store::begun(&mut tx, *id, now).await?;
    }
    if beginning.len() == usize::try_from(ABSENCES_AT_A_TIME).unwrap_or(usize::MAX) {
        Job::ReleaseCases.enqueue(&mut tx, now).await?;
    }
    release_all(app, tx, beginning.iter().map(|(_, staff)| staff.as_str()), now).await
}

/// Sees to the cases of those who have left: the end of an employment is no row that comes due, so the sweep asks.
///
/// # Errors
/// What the database says; nothing is then given to others.
pub async fn of_those_who_left(app: &App, now: Time) -> anyhow::Result<()> {
    let mut tx = app.db.write().await?;
    let holders = queue_store::holders(&mut tx).await?;
    let left = holders.iter().map(String::as_str).filter(|key| app.config.organisation.staff_at(key, now).is_none());
    let left: Vec<&str> = left.collect();
    if left.is_empty() {
        return Ok(());
    }
    release_all(app, tx, left.into_iter(), now).await
}

async fn release_all<'a>(app: &App, mut tx: Tx, staff: impl Iterator<Item = &'a str>, now: Time) -> anyhow::Result<()> {
    let mut office = Office::load(&mut tx, now).await?;
    let mut facts = Vec::new();
    for staff in staff {
        if let Some(why) = app.config.organisation.released(staff, office.absences(), now) {
            let deputy = away(staff, office.absences(), now).and_then(|absence| absence.deputy.clone());
            let leaving = Leaving { staff, why: &why, deputy: deputy.as_deref() };
            release(app, &mut tx, &mut office, leaving, now, &mut facts).await?;
        }
    }
    Job::RemindStaff.enqueue(&mut tx, now).await?;
    tx.ring_on_commit(TIMETABLE_BELL);
    tx.ring_on_commit(WEB_BELL);
    journal::append(&mut tx, &facts).await?;
    tx.commit().await?;
    Ok(())
}

/// One whose cases go to others.
#[derive(Clone, Copy)]
struct Leaving<'a> {
    staff: &'a str,
    /// Why, in Swedish.
    why: &'a str,
    /// Key of the one she named to stand in.
    deputy: Option<&'a str>,
}

async fn release(
    app: &App,
    tx: &mut Tx,
    office: &mut Office,
    leaving: Leaving<'_>,
    now: Time,
    facts: &mut Vec<Fact>,
) -> sqlx::Result<()> {
    office.forget(leaving.staff);
    let mut after = CaseId(0);
    for _ in 0..PAGES_MAX {
        let held = queue_store::held_by(tx, leaving.staff, after, BATCH).await?;
        for id in &held {
            if let Some(row) = case::store::find(tx, *id).await? {
                give_to_another(app, tx, office, &row, leaving, now, facts).await?;
            }
        }
        match held.last() {
            Some(last) => after = *last,
            None => break,
        }
    }
    Ok(())
}

/// Whom she named gets it, else whoever has room; when nobody has, it waits in the queue, and somebody answers for the queue.
async fn give_to_another(
    app: &App,
    tx: &mut Tx,
    office: &mut Office,
    row: &CaseRow,
    leaving: Leaving<'_>,
    now: Time,
    facts: &mut Vec<Fact>,
) -> sqlx::Result<()> {
    let Some(unit) = row.unit.as_deref() else { return Ok(()) };
    let lane = row.lane.as_deref().and_then(Lane::from_slug).unwrap_or_default();
    let route = app.config.organisation.route_again(unit, lane);
    let urgency = Urgency::from_slug(&row.urgency).unwrap_or(Urgency::Normal);
    let named = leaving.deputy.and_then(|named| office.named(&app.config, named, &route, urgency, now));
    let mut choice = named.unwrap_or_else(|| office.choose(&app.config, &route, urgency, now));
    let queued = !choice.room;
    if queued {
        choice = office.keeps_queue(&app.config, &route, now);
    }
    if row.owner.as_deref() == Some(choice.staff.as_str()) {
        // Nobody else is there at all: who stands in for her is told by the ladder.
        return Ok(());
    }
    let because = format!("{}. {}", leaving.why, choice.because);
    let given = Given { row, owner: &choice.staff, because: &because, queued };
    if queue_store::give(tx, &given, now).await? {
        offer_store::overtake_offer(tx, row.id, "lyhord", now).await?;
        if !queued {
            office.count(&choice.staff, now);
        }
        let body = serde_json::json!({ "from": row.owner, "to": choice.staff, "why": "absence" });
        facts.push(Fact::of_case(now, "case.reassigned", row.id, body));
    }
    Ok(())
}
