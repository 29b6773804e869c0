//! All SQL about the feeds that say who is away: which there are, when each is read, and how it went.

use crate::clock::Time;
use crate::db::{Engine, Tx};
use crate::on;

/// How the reading of somebody's absence feed stands. Its address is nowhere here.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct FeedRow {
    /// Whose absences.
    pub staff: String,
    /// When it is read next.
    pub next_poll_at: Time,
    /// `ETag` of the copy we have.
    pub etag: Option<String>,
    /// `Last-Modified` of the copy we have.
    pub last_modified: Option<String>,
    /// Readings in a row that gave nothing.
    pub failures: i64,
    /// When it last gave something.
    pub last_ok_at: Option<Time>,
    /// Why the last reading gave nothing, in Swedish.
    pub why: String,
}

/// Makes the database know the feeds of the configuration, by the hash of their addresses: a changed address is read
/// at once and from the beginning, one that is gone is forgotten.
///
/// # Errors
/// What the database says.
pub async fn know_feeds(tx: &mut Tx, feeds: &[(String, String)], now: Time) -> sqlx::Result<()> {
    for (staff, hash) in feeds {
        on!(tx, c => sqlx::query(
            "insert into absence_feeds (staff, address_hash, next_poll_at) values ($1, $2, $3)
             on conflict (staff) do update set address_hash = excluded.address_hash, etag = null, last_modified = null,
               failures = 0, next_poll_at = excluded.next_poll_at
             where absence_feeds.address_hash <> excluded.address_hash")
            .bind(staff).bind(hash).bind(now).execute(c).await.map(|_| ()))?;
    }
    let known: Vec<String> = on!(tx, c => sqlx::query_scalar("select staff from absence_feeds").fetch_all(c).await)?;
    for staff in known.iter().filter(|known| !feeds.iter().any(|(staff, _)| staff == *known)) {
        on!(tx, c => sqlx::query("delete from absence_feeds where staff = $1").bind(staff)
            .execute(c).await.map(|_| ()))?;
    }
    Ok(())
}

/// When the next feed is to be read.
///
/// # Errors
/// What the database says.
pub async fn next_feed(tx: &mut Tx) -> sqlx::Result<Option<Time>> {
    on!(tx, c => sqlx::query_scalar("select min(next_poll_at) from absence_feeds").fetch_one(c).await)
}

/// Takes feeds that are due for reading until `until`, longest waiting first; another reader gets others.
///
/// # Errors
/// What the database says.
pub async fn claim_feeds(tx: &mut Tx, now: Time, until: Time, limit: i64) -> sqlx::Result<Vec<FeedRow>> {
    let sql = match tx.engine() {
        Engine::Sqlite => {
            "update absence_feeds set next_poll_at = $2, last_try_at = $1 where staff in (
               select staff from absence_feeds where next_poll_at <= $1 order by next_poll_at limit $3)
             returning staff, next_poll_at, etag, last_modified, failures, last_ok_at, why"
        }
        Engine::Postgres => {
            "update absence_feeds set next_poll_at = $2, last_try_at = $1 where staff in (
               select staff from absence_feeds where next_poll_at <= $1 order by next_poll_at limit $3
               for update skip locked)
             returning staff, next_poll_at, etag, last_modified, failures, last_ok_at, why"
        }
    };
    on!(tx, c => sqlx::query_as(sql).bind(now).bind(until).bind(limit).fetch_all(c).await)
}

/// Notes what a reading of a feed came to.
///
/// # Errors
/// What the database says.
pub async fn feed_read(tx: &mut Tx, row: &FeedRow) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "update absence_feeds set next_poll_at = $2, etag = $3, last_modified = $4, failures = $5, last_ok_at = $6, why = $7
         where staff = $1")
        .bind(&row.staff).bind(row.next_poll_at).bind(&row.etag).bind(&row.last_modified).bind(row.failures)
        .bind(row.last_ok_at).bind(&row.why).execute(c).await.map(|_| ()))
}

/// All feeds, by staff: for the page.
///
/// # Errors
/// What the database says.
pub async fn feeds(tx: &mut Tx) -> sqlx::Result<Vec<FeedRow>> {
    on!(tx, c => sqlx::query_as(
        "select staff, next_poll_at, etag, last_modified, failures, last_ok_at, why from absence_feeds order by staff")
        .fetch_all(c).await)
}
