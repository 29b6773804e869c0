//! All SQL about cases that wait in their unit's queue, that go back to it, and about how a threat is handled.

use super::store::CaseRow;
use crate::clock::Time;
use crate::db::{Engine, Tx};
use crate::id::CaseId;
use crate::on;

/// What waits in a unit's queue, in the order in which it is taken.
macro_rules! queued {
    () => {
        "select id from cases where unit = $1 and queued_at is not null
         order by case when urgency = 'akut' or lane = 'hot' then 0 when lane in ('handling', 'myndighetsarende') then 1
           else 2 end, due_at, id"
    };
}

/// Units in whose queue something waits.
///
/// # Errors
/// What the database says.
pub async fn queued_units(tx: &mut Tx) -> sqlx::Result<Vec<String>> {
    on!(tx, c => sqlx::query_scalar(
        "select distinct unit from cases where queued_at is not null order by unit").fetch_all(c).await)
}

/// Ids of the cases in a unit's queue: danger first, then what the law hurries (a request for a document, a matter for
/// an authority), then what is due first. Another worker gets others.
///
/// # Errors
/// What the database says.
pub async fn queued(tx: &mut Tx, unit: &str, limit: i64) -> sqlx::Result<Vec<CaseId>> {
    let sql = match tx.engine() {
        Engine::Sqlite => concat!(queued!(), " limit $2"),
        Engine::Postgres => concat!(queued!(), " limit $2 for update skip locked"),
    };
    on!(tx, c => sqlx::query_scalar(sql).bind(unit).bind(limit).fetch_all(c).await)
}

/// How many cases wait in each unit's queue.
///
/// # Errors
/// What the database says.
pub async fn queue_lengths(tx: &mut Tx) -> sqlx::Result<Vec<(String, i64)>> {
    on!(tx, c => sqlx::query_as(
        "select unit, count(*) from cases where queued_at is not null group by unit order by unit").fetch_all(c).await)
}

/// Open cases of one of the staff, by number, after `after`.
///
/// # Errors
/// What the database says.
pub async fn held_by(tx: &mut Tx, owner: &str, after: CaseId, limit: i64) -> sqlx::Result<Vec<CaseId>> {
    on!(tx, c => sqlx::query_scalar(
        "select id from cases where owner = $1 and closed_at is null and id > $2 order by id limit $3")
        .bind(owner).bind(after).bind(limit).fetch_all(c).await)
}

/// Keys of all who hold open cases.
///
/// # Errors
/// What the database says.
pub async fn holders(tx: &mut Tx) -> sqlx::Result<Vec<String>> {
    on!(tx, c => sqlx::query_scalar(
        "select distinct owner from cases where closed_at is null and owner is not null order by owner")
        .fetch_all(c).await)
}

/// To whom a case goes by rule after it had an owner.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// Which case, as it was read.
    pub row: &'a CaseRow,
    /// Key of the new owner.
    pub owner: &'a str,
    /// Why, in Swedish.
    pub because: &'a str,
    /// True when it waits in the queue, and the owner only answers for the queue.
    pub queued: bool,
}

/// Gives a case to another by rule: a new round begins, and what the former owner said no longer holds. False when
/// somebody changed the case meanwhile.
///
/// # Errors
/// What the database says.
pub async fn give(tx: &mut Tx, to: &Given<'_>, now: Time) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query(
        "update cases set owner = $3, route_because = $4, queued_at = case when $5 then coalesce(queued_at, $6) else null end,
           state = 'assigned', accepted_at = null, acknowledged_at = null, acknowledged_by = null, assigned_at = $6,
           ladder = null, next_look_at = $6, round = round + 1, revision = revision + 1
         where id = $1 and revision = $2 and closed_at is null")
        .bind(to.row.id).bind(to.row.revision).bind(to.owner).bind(to.because).bind(to.queued).bind(now)
        .execute(c).await.map(|done| done.rows_affected() > 0))
}

/// Notes where the handling of a threat has come to; what is none is opened to all.
///
/// # Errors
/// What the database says.
pub async fn set_threat(tx: &mut Tx, case: CaseId, step: &str, open_to_all: bool) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "update cases set threat = $2, restricted = case when $3 then false else restricted end,
           lane = case when $3 then 'vanlig' else lane end where id = $1")
        .bind(case).bind(step).bind(open_to_all).execute(c).await.map(|_| ()))
}

/// Notes when the handling of a threat is to be followed up next; nothing when it need not be.
///
/// # Errors
/// What the database says.
pub async fn follow_up_at(tx: &mut Tx, case: CaseId, at: Option<Time>) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update cases set follow_up_at = $2, follow_up_tell_at = $2 where id = $1")
        .bind(case).bind(at).execute(c).await.map(|_| ()))
}

/// Follow-ups that somebody is to be told of: `(case, its step, due)`, the oldest first.
///
/// # Errors
/// What the database says.
pub async fn follow_ups(tx: &mut Tx, now: Time, limit: i64) -> sqlx::Result<Vec<(CaseId, String, Time)>> {
    on!(tx, c => sqlx::query_as(
        "select id, coalesce(threat, ''), follow_up_at from cases
         where follow_up_tell_at <= $1 and follow_up_at is not null order by follow_up_tell_at, id limit $2")
        .bind(now).bind(limit).fetch_all(c).await)
}

/// Notes when somebody is told of a follow-up next; nothing when all have been.
///
/// # Errors
/// What the database says.
pub async fn tell_follow_up_at(tx: &mut Tx, case: CaseId, at: Option<Time>) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update cases set follow_up_tell_at = $2 where id = $1").bind(case).bind(at)
        .execute(c).await.map(|_| ()))
}

/// When somebody is next to be told of a follow-up.
///
/// # Errors
/// What the database says.
pub async fn next_follow_up(tx: &mut Tx) -> sqlx::Result<Option<Time>> {
    on!(tx, c => sqlx::query_scalar("select min(follow_up_tell_at) from cases where follow_up_tell_at is not null")
        .fetch_one(c).await)
}

/// Threats that are under way: `(case, step, when that was)`, oldest first.
///
/// # Errors
/// What the database says.
pub async fn threats(tx: &mut Tx, limit: i64) -> sqlx::Result<Vec<(CaseId, String, Option<Time>)>> {
    on!(tx, c => sqlx::query_as(
        "select k.id, k.threat, (select max(s.done_at) from steps s where s.case_id = k.id and s.step = 'hot:stod')
         from cases k where k.threat is not null and k.threat not in ('ej-hot', 'otrevligt', 'uppfoljt-30')
         order by k.id limit $1")
        .bind(limit).fetch_all(c).await)
}

/// What waits now: `(unit, open, late, waiting for the citizen)`, by unit; those that nobody has are under nothing.
///
/// # Errors
/// What the database says.
pub async fn waiting_by_unit(tx: &mut Tx, now: Time) -> sqlx::Result<Vec<(String, i64, i64, i64)>> {
    on!(tx, c => sqlx::query_as(
        "select coalesce(unit, ''), count(*),
           cast(coalesce(sum(case when due_at < $1 and waiting_since is null then 1 else 0 end), 0) as bigint),
           cast(coalesce(sum(case when waiting_since is not null then 1 else 0 end), 0) as bigint)
         from cases where closed_at is null group by coalesce(unit, '') order by 1")
        .bind(now).fetch_all(c).await)
}
