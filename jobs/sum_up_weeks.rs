//! Writes the weekly summary of those who lead: how many cases wait in what they answer for, and which are due first.
//! A week in which nothing waits has no message.

use crate::app::App;
use crate::assignment::desk_store;
use crate::case;
use crate::case::list_store::Filter;
use crate::case::store::CaseRow;
use crate::clock::Time;
use crate::db::Tx;
use crate::jobs::write_messages::write_summary;
use crate::jobs::{Job, TIMETABLE_BELL};
use crate::journal::{self, Fact};
use crate::web::access::Person;

/// Summaries that one piece of work writes.
const AT_A_TIME: i64 = 20;
/// Cases that a summary names.
const NAMED: usize = 10;

/// Writes what is due.
///
/// # Errors
/// What the database says; nothing is then written.
pub async fn run(app: &App, now: Time) -> anyhow::Result<()> {
    let mut tx = app.db.write().await?;
    let due = desk_store::weeklies_due(&mut tx, now, AT_A_TIME).await?;
    if due.is_empty() {
        return Ok(());
    }
    let mut facts = Vec::new();
    let mut wrote = false;
    for (staff, at) in &due {
        let (count, rows) = waiting_for(app, &mut tx, staff, now).await?;
        if count > 0 && write_summary(app, &mut tx, staff, &rows, count, now).await? {
            wrote = true;
            let body = serde_json::json!({ "to": staff, "waiting": count });
            facts.push(Fact {
                at: now,
                actor: "lyhord".to_owned(),
                kind: "digest.weekly",
                case: None,
                mention: None,
                body,
            });
        }
        let rhythm = app.config.weekly;
        let calendar = app.calendar_of_staff(staff);
        let next = rhythm.and_then(|rhythm| rhythm.at_or_after(Time(now.max(*at).0 + 1), &calendar));
        // A calendar without a day for it: asked again in a year, or when the settings change.
        let next = next.unwrap_or(now.plus(std::time::Duration::from_hours(24 * 365)));
        desk_store::weekly_next(&mut tx, staff, next).await?;
    }
    if wrote {
        Job::DeliverMessages.enqueue(&mut tx, now).await?;
    }
    tx.ring_on_commit(TIMETABLE_BELL);
    journal::append(&mut tx, &facts).await?;
    tx.commit().await?;
    Ok(())
}

/// How many cases wait in what somebody leads, and those that are due first; what only a few may see is counted only.
async fn waiting_for(app: &App, tx: &mut Tx, staff: &str, now: Time) -> sqlx::Result<(usize, Vec<CaseRow>)> {
    let Some(person) = Person::of(&app.config.organisation, staff, now) else { return Ok((0, Vec::new())) };
    let units = case::queue_store::waiting_by_unit(tx, now).await?;
    let mut count = 0;
    let mut rows: Vec<CaseRow> = Vec::new();
    for (unit, open, _, _) in units.iter().filter(|(unit, ..)| person.sees_unit(unit)) {
        count += usize::try_from(*open).unwrap_or(0);
        let filter = Filter { unit: Some(unit), ..Filter::default() };
        rows.extend(case::list_store::page(tx, &filter, i64::try_from(NAMED).unwrap_or(10)).await?);
    }
    rows.sort_by_key(|row| (row.due_at, row.id));
    rows.truncate(NAMED);
    Ok((count, rows))
}
