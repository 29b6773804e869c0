//! All SQL about cases that a job takes a batch of at a time: those to give out, and those to look at.

use super::store::{CaseRow, columns};
use crate::clock::Time;
use crate::db::{Engine, Holds, Tx, rows};
use crate::id::CaseId;
use crate::on;

/// Cases that have no unit yet, or whose judgement was corrected before anybody began; oldest first. A second worker
/// gets others.
///
/// # Errors
/// What the database says.
pub async fn unassigned(tx: &mut Tx, limit: i64) -> sqlx::Result<Vec<CaseRow>> {
    let sql = match tx.engine() {
        Engine::Sqlite => {
            concat!("select ", columns!(), " from cases where unit is null or reroute order by id limit $1")
        }
        Engine::Postgres => concat!(
            "select ",
            columns!(),
            " from cases where unit is null or reroute order by id limit $1 for update skip locked"
        ),
    };
    on!(tx, c => sqlx::query_as(sql).bind(limit).fetch_all(c).await)
}

/// The oldest case that waits to be given out, for the first time or anew.
///
/// # Errors
/// What the database says.
pub async fn first_unassigned(tx: &mut Tx) -> sqlx::Result<Option<CaseId>> {
    on!(tx, c => sqlx::query_scalar("select id from cases where unit is null or reroute order by id limit 1")
        .fetch_optional(c).await)
}

/// Open cases whose answer to "who is told what now" may have changed by `now`, longest waiting first.
///
/// # Errors
/// What the database says.
pub async fn to_look_at(tx: &mut Tx, now: Time, limit: i64) -> sqlx::Result<Vec<CaseRow>> {
    let sql = match tx.engine() {
        Engine::Sqlite => {
            concat!("select ", columns!(), " from cases where next_look_at <= $1 order by next_look_at limit $2")
        }
        Engine::Postgres => concat!(
            "select ",
            columns!(),
            " from cases where next_look_at <= $1 order by next_look_at limit $2 for update skip locked"
        ),
    };
    on!(tx, c => sqlx::query_as(sql).bind(now).bind(limit).fetch_all(c).await)
}

/// When the next case is to be looked at.
///
/// # Errors
/// What the database says.
pub async fn next_look(tx: &mut Tx) -> sqlx::Result<Option<Time>> {
    on!(tx, c => sqlx::query_scalar("select min(next_look_at) from cases where next_look_at is not null").fetch_one(c).await)
}

/// What was found when a case was looked at.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LookedAt {
    /// Which case.
    pub id: CaseId,
    /// When what is to be said can next change.
    pub next_look_at: Option<Time>,
    /// Why it is silent now, in Swedish.
    pub hold: Option<String>,
    /// Until when.
    pub hold_until: Option<Time>,
}

/// Notes what was found when these cases were looked at; leaves the revisions, since nothing happened to them.
///
/// # Errors
/// What the database says.
pub async fn looked_at(tx: &mut Tx, found: &[LookedAt]) -> sqlx::Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    let sql = sqlx::AssertSqlSafe(format!(
        "update cases set next_look_at = v.next_look_at, hold = v.hold, hold_until = v.hold_until from {} where cases.id = v.id",
        tx.engine().rows_of_first(&[
            ("id", Holds::Number),
            ("next_look_at", Holds::Number),
            ("hold", Holds::Text),
            ("hold_until", Holds::Number)
        ])
    ));
    let found = rows(found)?;
    on!(tx, c => sqlx::query(sql).bind(&found).execute(c).await.map(|_| ()))
}

/// Makes every open case of a member of staff, a unit (`None` for all) be looked at now: a silence or an absence changed.
///
/// # Errors
/// What the database says.
pub async fn look_again(tx: &mut Tx, owner: Option<&str>, unit: Option<&str>, now: Time) -> sqlx::Result<u64> {
    on!(tx, c => sqlx::query(
        "update cases set next_look_at = $3 where closed_at is null and unit is not null
         and (cast($1 as text) is null or owner = $1) and (cast($2 as text) is null or unit = $2)")
        .bind(owner).bind(unit).bind(now).execute(c).await.map(|done| done.rows_affected()))
}

/// What an assignment writes.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Assigned<'a> {
    /// Which case.
    pub id: CaseId,
    /// Key of the unit.
    pub unit: &'a str,
    /// Slug of the lane.
    pub lane: Option<&'a str>,
    /// Key of the owner.
    pub owner: &'a str,
    /// Why, in Swedish.
    pub because: &'a str,
    /// The calendar of the promise.
    pub calendar: &'a str,
    /// The version of the response times.
    pub policy_version: &'a str,
    /// When the first answer is promised.
    pub due_at: Time,
    /// When it is promised to be solved.
    pub resolve_by: Time,
    /// How the promise came about.
    pub due_because: &'a str,
    /// Our reading was late.
    pub discovered_late: bool,
    /// It waits in its unit's queue, and the owner answers for that.
    pub queued: bool,
}

/// Gives new cases to their owners with a promise each, and lets them be looked at at once.
///
/// # Errors
/// What the database says.
pub async fn assign(tx: &mut Tx, given: &[Assigned<'_>], now: Time) -> sqlx::Result<()> {
    if given.is_empty() {
        return Ok(());
    }
    let sql = sqlx::AssertSqlSafe(format!(
        "update cases set state = 'assigned', unit = v.unit, lane = v.lane, owner = v.owner, route_because = v.because,
           calendar = v.calendar, policy_version = v.policy_version, due_at = v.due_at, resolve_by = v.resolve_by,
           due_because = v.due_because, discovered_late = v.discovered_late, assigned_at = $2, acknowledged_at = null,
           acknowledged_by = null, reroute = false, ladder = null, next_look_at = $2,
           queued_at = case when v.queued then cast($2 as bigint) end,
           promise_started_at = coalesce(promise_started_at, $2), promise_look_at = v.due_at + 1,
           round = round + 1, revision = revision + 1
         from {} where cases.id = v.id",
        tx.engine().rows_of_first(&[
            ("id", Holds::Number),
            ("unit", Holds::Text),
            ("lane", Holds::Text),
            ("owner", Holds::Text),
            ("because", Holds::Text),
            ("calendar", Holds::Text),
            ("policy_version", Holds::Text),
            ("due_at", Holds::Number),
            ("resolve_by", Holds::Number),
            ("due_because", Holds::Text),
            ("discovered_late", Holds::Truth),
            ("queued", Holds::Truth)
        ])
    ));
    let given = rows(given)?;
    on!(tx, c => sqlx::query(sql).bind(&given).bind(now).execute(c).await.map(|_| ()))
}

/// How many open cases each member of staff has: `(staff, open, longest waiting since)`.
///
/// # Errors
/// What the database says.
pub async fn loads(tx: &mut Tx) -> sqlx::Result<Vec<(String, i64, Option<Time>)>> {
    on!(tx, c => sqlx::query_as(
        "select owner, count(*), max(assigned_at) from cases where closed_at is null and owner is not null
         and queued_at is null group by owner")
        .fetch_all(c).await)
}
