//! All SQL about who is away: absences that somebody has told of or that a feed tells, and those that begin.

use crate::clock::Time;
use crate::db::{Engine, Tx};
use crate::on;

/// A time when a member of staff is away.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct AbsenceRow {
    /// Its number.
    pub id: i64,
    /// Who is away.
    pub staff: String,
    /// From when.
    pub starts_at: Time,
    /// Until when.
    pub ends_at: Time,
    /// Who stands in, when somebody other than the usual deputy.
    pub deputy: Option<String>,
    /// Who told us: slug of [`super::absence::Told`].
    pub told: String,
}

/// Writes down that somebody is or will be away.
///
/// # Errors
/// What the database says.
pub async fn put_absence(
    tx: &mut Tx,
    staff: &str,
    starts_at: Time,
    ends_at: Time,
    deputy: Option<&str>,
) -> sqlx::Result<i64> {
    on!(tx, c => sqlx::query_scalar(
        "insert into absences (staff, starts_at, ends_at, deputy) values ($1, $2, $3, $4) returning id")
        .bind(staff).bind(starts_at).bind(ends_at).bind(deputy).fetch_one(c).await)
}

/// Ends an absence early: she is back.
///
/// # Errors
/// What the database says.
pub async fn end_absence(tx: &mut Tx, id: i64, staff: &str, now: Time) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query("update absences set ended_at = $3 where id = $1 and staff = $2 and ended_at is null")
        .bind(id).bind(staff).bind(now).execute(c).await.map(|done| done.rows_affected() > 0))
}

/// Absences that are running or yet to come.
///
/// # Errors
/// What the database says.
pub async fn absences(tx: &mut Tx, now: Time) -> sqlx::Result<Vec<AbsenceRow>> {
    on!(tx, c => sqlx::query_as(
        "select id, staff, starts_at, ends_at, deputy, told from absences where ends_at > $1 and ended_at is null
         order by starts_at, id")
        .bind(now).fetch_all(c).await)
}

/// When the next absence begins that nobody has seen begin.
///
/// # Errors
/// What the database says.
pub async fn next_absence(tx: &mut Tx) -> sqlx::Result<Option<Time>> {
    on!(tx, c => sqlx::query_scalar(
        "select min(starts_at) from absences where begun_at is null and ended_at is null").fetch_one(c).await)
}

/// Absences that have begun and that nobody has seen begin: `(id, staff)`, oldest first.
///
/// # Errors
/// What the database says.
pub async fn beginning(tx: &mut Tx, now: Time, limit: i64) -> sqlx::Result<Vec<(i64, String)>> {
    let sql = match tx.engine() {
        Engine::Sqlite => {
            "select id, staff from absences where begun_at is null and ended_at is null and starts_at <= $1
             order by starts_at, id limit $2"
        }
        Engine::Postgres => {
            "select id, staff from absences where begun_at is null and ended_at is null and starts_at <= $1
             order by starts_at, id limit $2 for update skip locked"
        }
    };
    on!(tx, c => sqlx::query_as(sql).bind(now).bind(limit).fetch_all(c).await)
}

/// Notes that an absence has been seen to begin.
///
/// # Errors
/// What the database says.
pub async fn begun(tx: &mut Tx, id: i64, now: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update absences set begun_at = $2 where id = $1")
        .bind(id).bind(now).execute(c).await.map(|_| ()))
}

/// Absences that somebody's feed has told and that are not over: `(id, from, until)`.
///
/// # Errors
/// What the database says.
pub async fn told_by_feed(tx: &mut Tx, staff: &str, now: Time) -> sqlx::Result<Vec<(i64, Time, Time)>> {
    on!(tx, c => sqlx::query_as(
        "select id, starts_at, ends_at from absences
         where staff = $1 and told = 'feed' and ended_at is null and ends_at > $2 order by starts_at")
        .bind(staff).bind(now).fetch_all(c).await)
}

/// Writes down an absence that a feed tells.
///
/// # Errors
/// What the database says.
pub async fn put_told(tx: &mut Tx, staff: &str, from: Time, until: Time) -> sqlx::Result<i64> {
    on!(tx, c => sqlx::query_scalar(
        "insert into absences (staff, starts_at, ends_at, told) values ($1, $2, $3, 'feed') returning id")
        .bind(staff).bind(from).bind(until).fetch_one(c).await)
}

/// Lets an absence that a feed told last until another moment.
///
/// # Errors
/// What the database says.
pub async fn last_until(tx: &mut Tx, id: i64, until: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update absences set ends_at = $2 where id = $1").bind(id).bind(until)
        .execute(c).await.map(|_| ()))
}
