//! All SQL about the desk: who has room, which steps of a checklist have been done, and who has a weekly summary.

use crate::clock::Time;
use crate::db::{Engine, Tx};
use crate::id::CaseId;
use crate::on;

/// Notes that somebody in a unit has less to do, when something waits in that unit's queue.
///
/// # Errors
/// What the database says.
pub async fn make_room(tx: &mut Tx, unit: &str, now: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "insert into rooms (unit, at) select $1, $2
         where exists (select 1 from cases where unit = $1 and queued_at is not null)
         on conflict (unit) do update set at = excluded.at")
        .bind(unit).bind(now).execute(c).await.map(|_| ()))
}

/// When somebody first had room that no queue has been asked about; nothing when all have.
///
/// # Errors
/// What the database says.
pub async fn next_room(tx: &mut Tx) -> sqlx::Result<Option<Time>> {
    on!(tx, c => sqlx::query_scalar("select min(at) from rooms").fetch_one(c).await)
}

/// Forgets who has room, since the queues are asked now.
///
/// # Errors
/// What the database says.
pub async fn take_rooms(tx: &mut Tx) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("delete from rooms").execute(c).await.map(|_| ()))
}

/// A step of a checklist that has been done.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StepRow {
    /// The step's own words, or the slug of a threat's step.
    pub step: String,
    /// What was written about it.
    pub note: String,
    /// Key of who did it.
    pub done_by: String,
    /// When.
    pub done_at: Time,
}

/// Notes that a step has been done; false when it had been.
///
/// # Errors
/// What the database says.
pub async fn put_step(tx: &mut Tx, case: CaseId, step: &str, note: &str, by: &str, now: Time) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query(
        "insert into steps (case_id, step, note, done_by, done_at) values ($1, $2, $3, $4, $5) on conflict do nothing")
        .bind(case).bind(step).bind(note).bind(by).bind(now).execute(c).await.map(|done| done.rows_affected() > 0))
}

/// Takes a step back; false when it had not been done.
///
/// # Errors
/// What the database says.
pub async fn undo_step(tx: &mut Tx, case: CaseId, step: &str) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query("delete from steps where case_id = $1 and step = $2")
        .bind(case).bind(step).execute(c).await.map(|done| done.rows_affected() > 0))
}

/// The steps of a case that have been done, oldest first.
///
/// # Errors
/// What the database says.
pub async fn steps(tx: &mut Tx, case: CaseId) -> sqlx::Result<Vec<StepRow>> {
    on!(tx, c => sqlx::query_as("select step, note, done_by, done_at from steps where case_id = $1 order by done_at, step")
        .bind(case).fetch_all(c).await)
}

/// Makes the database know who has a weekly summary and when it comes next; a time that is known stays.
///
/// # Errors
/// What the database says.
pub async fn know_weeklies(tx: &mut Tx, weeklies: &[(String, Time)]) -> sqlx::Result<()> {
    for (staff, next_at) in weeklies {
        on!(tx, c => sqlx::query("insert into weeklies (staff, next_at) values ($1, $2) on conflict (staff) do nothing")
            .bind(staff).bind(next_at).execute(c).await.map(|_| ()))?;
    }
    let known: Vec<String> = on!(tx, c => sqlx::query_scalar("select staff from weeklies").fetch_all(c).await)?;
    for staff in known.iter().filter(|known| !weeklies.iter().any(|(staff, _)| staff == *known)) {
        on!(tx, c => sqlx::query("delete from weeklies where staff = $1").bind(staff).execute(c).await.map(|_| ()))?;
    }
    Ok(())
}

/// When the next weekly summary comes.
///
/// # Errors
/// What the database says.
pub async fn next_weekly(tx: &mut Tx) -> sqlx::Result<Option<Time>> {
    on!(tx, c => sqlx::query_scalar("select min(next_at) from weeklies").fetch_one(c).await)
}

/// Those whose weekly summary is due, by when.
///
/// # Errors
/// What the database says.
pub async fn weeklies_due(tx: &mut Tx, now: Time, limit: i64) -> sqlx::Result<Vec<(String, Time)>> {
    let sql = match tx.engine() {
        Engine::Sqlite => "select staff, next_at from weeklies where next_at <= $1 order by next_at, staff limit $2",
        Engine::Postgres => {
            "select staff, next_at from weeklies where next_at <= $1 order by next_at, staff limit $2
             for update skip locked"
        }
    };
    on!(tx, c => sqlx::query_as(sql).bind(now).bind(limit).fetch_all(c).await)
}

/// Notes when somebody's weekly summary comes next.
///
/// # Errors
/// What the database says.
pub async fn weekly_next(tx: &mut Tx, staff: &str, next_at: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update weeklies set next_at = $2 where staff = $1").bind(staff).bind(next_at)
        .execute(c).await.map(|_| ()))
}
