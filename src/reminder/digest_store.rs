//! All SQL about the time of day that each has chosen for what can wait.

use crate::clock::Time;
use crate::db::Tx;
use crate::on;

/// Notes when somebody wants what can wait: `08:15`, `monday 09:00`, or nothing for each reminder by itself.
///
/// # Errors
/// What the database says.
pub async fn choose(tx: &mut Tx, staff: &str, rhythm: &str, now: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "insert into digests (staff, rhythm, chosen_at) values ($1, $2, $3)
         on conflict (staff) do update set rhythm = excluded.rhythm, chosen_at = excluded.chosen_at")
        .bind(staff).bind(rhythm).bind(now).execute(c).await.map(|_| ()))
}

/// What somebody has chosen; nothing when she has not, and the configuration decides.
///
/// # Errors
/// What the database says.
pub async fn chosen_by(tx: &mut Tx, staff: &str) -> sqlx::Result<Option<String>> {
    on!(tx, c => sqlx::query_scalar("select rhythm from digests where staff = $1").bind(staff).fetch_optional(c).await)
}

/// What everyone has chosen, as `(staff, rhythm)`: at most one row for each who works here.
///
/// # Errors
/// What the database says.
pub async fn chosen(tx: &mut Tx) -> sqlx::Result<Vec<(String, String)>> {
    on!(tx, c => sqlx::query_as("select staff, rhythm from digests order by staff").fetch_all(c).await)
}
