//! All SQL about who is away.

use crate::clock::Time;
use crate::db::Tx;
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
