//! All SQL about what is handed in at web hooks.

use super::channel_store::Heard;
use crate::clock::Time;
use crate::db::Tx;
use crate::id::{DeliveryId, SourceId};
use crate::on;

/// A delivery on its way in.
#[derive(Debug, Clone, Copy)]
pub struct NewDelivery<'a> {
    /// Whose address it came to.
    pub source: SourceId,
    /// The sender's name for it.
    pub once: &'a str,
    /// Hash of its body.
    pub digest: &'a str,
    /// How many items it had.
    pub items: i64,
    /// What of it is to be taken on, as JSON.
    pub kept: &'a str,
}

/// A delivery that was handed in.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Delivery {
    /// Its number.
    pub id: DeliveryId,
    /// Whose address it came to.
    pub source_id: SourceId,
    /// Hash of its body.
    pub digest: String,
    /// How many items it had.
    pub items: i64,
    /// What of it is to be taken on, as JSON; empty when it has been.
    pub kept: String,
    /// When it came.
    pub received_at: Time,
}

const COLUMNS: &str = "id, source_id, digest, items, kept, received_at";

/// Writes a delivery down; nothing when one of that name is there already.
///
/// # Errors
/// What the database says.
pub async fn hand_in(tx: &mut Tx, new: &NewDelivery<'_>, now: Time) -> sqlx::Result<Option<DeliveryId>> {
    on!(tx, c => sqlx::query_scalar(
        "insert into deliveries (source_id, once, digest, items, kept, received_at) values ($1, $2, $3, $4, $5, $6)
         on conflict (source_id, once) do nothing returning id")
        .bind(new.source).bind(new.once).bind(new.digest).bind(new.items).bind(new.kept).bind(now)
        .fetch_optional(c).await)
}

/// The delivery of that name.
///
/// # Errors
/// What the database says.
pub async fn handed_in(tx: &mut Tx, source: SourceId, once: &str) -> sqlx::Result<Option<Delivery>> {
    let sql = sqlx::AssertSqlSafe(format!("select {COLUMNS} from deliveries where source_id = $1 and once = $2"));
    on!(tx, c => sqlx::query_as(sql).bind(source).bind(once).fetch_optional(c).await)
}

/// Deliveries that wait to be taken on, in the order in which they came; at most `limit`.
///
/// # Errors
/// What the database says.
pub async fn waiting_deliveries(tx: &mut Tx, limit: i64) -> sqlx::Result<Vec<Delivery>> {
    let sql =
        sqlx::AssertSqlSafe(format!("select {COLUMNS} from deliveries where taken_at is null order by id limit $1"));
    on!(tx, c => sqlx::query_as(sql).bind(limit).fetch_all(c).await)
}

/// How many deliveries wait; counted no further than `limit`.
///
/// # Errors
/// What the database says.
pub async fn count_waiting(tx: &mut Tx, limit: i64) -> sqlx::Result<i64> {
    on!(tx, c => sqlx::query_scalar(
        "select count(*) from (select 1 from deliveries where taken_at is null limit $1) as waiting")
        .bind(limit).fetch_one(c).await)
}

/// Takes a delivery on and lets its words go; false when another has.
///
/// # Errors
/// What the database says.
pub async fn take_on(tx: &mut Tx, id: DeliveryId, now: Time) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query("update deliveries set taken_at = $2, kept = '' where id = $1 and taken_at is null")
        .bind(id).bind(now).execute(c).await.map(|done| done.rows_affected() > 0))
}

/// Forgets deliveries that were taken on before a moment, and what was gone before it came.
///
/// # Errors
/// What the database says.
pub async fn forget_deliveries(tx: &mut Tx, before: Time) -> sqlx::Result<u64> {
    on!(tx, c => sqlx::query("delete from gone_before where told_at < $1").bind(before).execute(c).await.map(|_| ()))?;
    on!(tx, c => sqlx::query("delete from deliveries where taken_at < $1")
        .bind(before).execute(c).await.map(|done| done.rows_affected()))
}

/// Remembers that a post that we do not have is gone, by a hash of its name.
///
/// # Errors
/// What the database says.
pub async fn remember_gone(tx: &mut Tx, source: SourceId, name_hash: &str, now: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "insert into gone_before (source_id, name_hash, told_at) values ($1, $2, $3) on conflict do nothing")
        .bind(source).bind(name_hash).bind(now).execute(c).await.map(|_| ()))
}

/// True when a post was said to be gone before it came.
///
/// # Errors
/// What the database says.
pub async fn was_gone(tx: &mut Tx, source: SourceId, name_hash: &str) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query_scalar("select count(*) > 0 from gone_before where source_id = $1 and name_hash = $2")
        .bind(source).bind(name_hash).fetch_one(c).await)
}

/// Counts a delivery whose signature was not ours, up to `most`. Returns how many there are since the last good one.
///
/// # Errors
/// What the database says.
pub async fn count_forged(tx: &mut Tx, source: SourceId, most: i64) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update sources set failures = failures + 1 where id = $1 and failures < $2")
        .bind(source).bind(most).execute(c).await.map(|_| ()))
}

/// Writes down how a hook is.
///
/// # Errors
/// What the database says.
pub async fn settle_hook(tx: &mut Tx, source: SourceId, heard: &Heard<'_>) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "update sources set failures = $2, health = $3, health_since = $4, health_why = $5, last_try_at = $6,
           last_ok_at = case when $7 then $6 else last_ok_at end,
           last_item_at = case when $8 then $6 else last_item_at end
         where id = $1")
        .bind(source).bind(heard.failures).bind(heard.health).bind(heard.health_since).bind(heard.health_why)
        .bind(heard.at).bind(heard.ok).bind(heard.new).execute(c).await.map(|_| ()))
}
