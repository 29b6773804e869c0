//! All SQL behind the alarm for a rush. Writers are counted and never told apart: nothing here is kept by a person.

use super::rush::Counted;
use crate::clock::Time;
use crate::db::Tx;
use crate::on;

/// A rush as it is remembered.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Rush {
    /// Which.
    pub id: i64,
    /// About what.
    pub topic: String,
    /// When it was noticed.
    pub began_at: Time,
    /// When it was over; none while it lasts.
    pub ended_at: Option<Time>,
    /// How many hours are looked at together: the window.
    pub hours: i64,
    /// Posts in the window when there were most, copies counted once.
    pub posts: i64,
    /// Different writers then.
    pub writers: i64,
    /// Posts that there use to be in these hours.
    pub usual: i64,
}

/// What was written about each topic after `from` and until `until`: neither imported nor our own nor taken away. Copies
/// of a text are one post by one writer.
///
/// # Errors
/// What the database says.
pub async fn counts(tx: &mut Tx, from: Time, until: Time) -> sqlx::Result<Vec<(String, Counted)>> {
    let rows: Vec<(String, i64, i64)> = on!(tx, c => sqlx::query_as(
        "select topic, count(*), count(distinct writer) from (
           select k.topic, m.cluster_id, coalesce(min(m.author), 'text ' || cast(m.cluster_id as text)) as writer
           from mentions m join classifications k on k.id = m.classification_id
           where m.authored_at > $1 and m.authored_at <= $2 and not m.imported and not m.own and m.deleted_at is null
             and k.relevance <> 'no'
           group by k.topic, m.cluster_id) each_text
         group by topic")
        .bind(from).bind(until).fetch_all(c).await)?;
    Ok(rows.into_iter().map(|(topic, posts, writers)| (topic, Counted { posts, writers })).collect())
}

/// The rushes that last.
///
/// # Errors
/// What the database says.
pub async fn lasting(tx: &mut Tx) -> sqlx::Result<Vec<Rush>> {
    on!(tx, c => sqlx::query_as(
        "select id, topic, began_at, ended_at, hours, posts, writers, usual from rushes where ended_at is null order by id")
        .fetch_all(c).await)
}

/// The rushes that last or have ended after `since`, the latest first.
///
/// # Errors
/// What the database says.
pub async fn latest(tx: &mut Tx, since: Time) -> sqlx::Result<Vec<Rush>> {
    on!(tx, c => sqlx::query_as(
        "select id, topic, began_at, ended_at, hours, posts, writers, usual from rushes
         where ended_at is null or ended_at > $1 order by ended_at is null desc, began_at desc, id desc limit 20")
        .bind(since).fetch_all(c).await)
}

/// Writes down a rush; none when another process just has.
///
/// # Errors
/// What the database says.
pub async fn begin(
    tx: &mut Tx,
    topic: &str,
    hours: u32,
    counted: Counted,
    usual: i64,
    now: Time,
) -> sqlx::Result<Option<i64>> {
    on!(tx, c => sqlx::query_scalar(
        "insert into rushes (topic, began_at, hours, posts, writers, usual) values ($1, $2, $3, $4, $5, $6)
         on conflict (topic) where ended_at is null do nothing returning id")
        .bind(topic).bind(now).bind(i64::from(hours)).bind(counted.posts).bind(counted.writers).bind(usual).fetch_optional(c).await)
}

/// A rush has grown.
///
/// # Errors
/// What the database says.
pub async fn grow(tx: &mut Tx, id: i64, counted: Counted) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update rushes set posts = $2, writers = $3 where id = $1 and posts < $2")
        .bind(id).bind(counted.posts).bind(counted.writers).execute(c).await.map(|_| ()))
}

/// A rush is over; false when it was already.
///
/// # Errors
/// What the database says.
pub async fn end(tx: &mut Tx, id: i64, now: Time) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query("update rushes set ended_at = $2 where id = $1 and ended_at is null")
        .bind(id).bind(now).execute(c).await.map(|done| done.rows_affected() > 0))
}
