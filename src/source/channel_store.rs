//! All SQL about how channels are watched over: supervision, rhythm, warnings, watched threads, our own accounts.

use super::rhythm::Hour;
use super::supervision::Stretch;
use crate::clock::Time;
use crate::db::Tx;
use crate::id::{MessageId, SourceId};
use crate::on;

/// The latest stretch in which a source was read: its number, its end and nothing when it was never read.
///
/// # Errors
/// What the database says.
pub async fn latest_stretch(tx: &mut Tx, source: SourceId) -> sqlx::Result<Option<(i64, Time)>> {
    on!(tx, c => sqlx::query_as(
        "select id, until_at from supervision where source_id = $1 order by until_at desc, id desc limit 1")
        .bind(source).fetch_optional(c).await)
}

/// Begins a new stretch with one reading.
///
/// # Errors
/// What the database says.
pub async fn begin_stretch(tx: &mut Tx, source: SourceId, now: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("insert into supervision (source_id, from_at, until_at, readings) values ($1, $2, $2, 1)")
        .bind(source).bind(now).execute(c).await.map(|_| ()))
}

/// Lengthens a stretch by one reading.
///
/// # Errors
/// What the database says.
pub async fn lengthen_stretch(tx: &mut Tx, id: i64, now: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "update supervision set until_at = case when until_at > $2 then until_at else $2 end, readings = readings + 1
         where id = $1")
        .bind(id).bind(now).execute(c).await.map(|_| ()))
}

/// The stretches of a source that reach into the time from `since` on, in order; at most `limit`, the latest.
///
/// # Errors
/// What the database says.
pub async fn stretches(tx: &mut Tx, source: SourceId, since: Time, limit: i64) -> sqlx::Result<Vec<Stretch>> {
    let mut rows: Vec<(Time, Time, i64)> = on!(tx, c => sqlx::query_as(
        "select from_at, until_at, readings from supervision where source_id = $1 and until_at >= $2
         order by until_at desc, id desc limit $3")
        .bind(source).bind(since).bind(limit).fetch_all(c).await)?;
    rows.reverse();
    Ok(rows.into_iter().map(|(from, until, readings)| Stretch { from, until, readings }).collect())
}

/// Adds to what a source said in an hour.
///
/// # Errors
/// What the database says.
pub async fn add_items(tx: &mut Tx, source: SourceId, hour: i64, items: i64) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "insert into source_hours (source_id, hour, items) values ($1, $2, $3)
         on conflict (source_id, hour) do update set items = source_hours.items + excluded.items")
        .bind(source).bind(hour).bind(items).execute(c).await.map(|_| ()))
}

/// What a source said, hour by hour since one.
///
/// # Errors
/// What the database says.
pub async fn hours(tx: &mut Tx, source: SourceId, since: i64) -> sqlx::Result<Vec<Hour>> {
    let rows: Vec<(i64, i64)> = on!(tx, c => sqlx::query_as(
        "select hour, items from source_hours where source_id = $1 and hour >= $2 order by hour")
        .bind(source).bind(since).fetch_all(c).await)?;
    Ok(rows.into_iter().map(|(hour, items)| Hour { hour, items }).collect())
}

/// Forgets the hours before one: a rhythm of twelve weeks needs no more.
///
/// # Errors
/// What the database says.
pub async fn forget_hours(tx: &mut Tx, before: i64) -> sqlx::Result<u64> {
    on!(tx, c => sqlx::query("delete from source_hours where hour < $1")
        .bind(before).execute(c).await.map(|done| done.rows_affected()))
}

/// When the newest item that a source has shown was written.
///
/// # Errors
/// What the database says.
pub async fn newest(tx: &mut Tx, source: SourceId) -> sqlx::Result<Option<Time>> {
    on!(tx, c => sqlx::query_scalar("select newest_at from sources where id = $1").bind(source).fetch_one(c).await)
}

/// Remembers when the newest item was written; it only ever grows.
///
/// # Errors
/// What the database says.
pub async fn set_newest(tx: &mut Tx, source: SourceId, at: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update sources set newest_at = $2 where id = $1 and (newest_at is null or newest_at < $2)")
        .bind(source).bind(at).execute(c).await.map(|_| ()))
}

/// Notes that a source is too quiet since a moment, or no longer.
///
/// # Errors
/// What the database says.
pub async fn set_quiet(tx: &mut Tx, source: SourceId, since: Option<Time>) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update sources set quiet_since = $2 where id = $1")
        .bind(source).bind(since).execute(c).await.map(|_| ()))
}

/// Sources that are too quiet, and since when.
///
/// # Errors
/// What the database says.
pub async fn quiet(tx: &mut Tx) -> sqlx::Result<Vec<(SourceId, Time)>> {
    on!(tx, c => sqlx::query_as("select id, quiet_since from sources where enabled and quiet_since is not null order by id")
        .fetch_all(c).await)
}

/// A source that somebody must look after.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Trouble {
    /// Which.
    pub source_id: SourceId,
    /// What people call it.
    pub name: String,
    /// `blind`, `dead` or `quiet`.
    pub what: String,
    /// Since when.
    pub since: Time,
}

/// Sources that are blind, dead or too quiet, by name.
///
/// # Errors
/// What the database says.
pub async fn troubles(tx: &mut Tx) -> sqlx::Result<Vec<Trouble>> {
    on!(tx, c => sqlx::query_as(
        "select id as source_id, name, health as what, health_since as since from sources
         where enabled and health in ('blind', 'dead')
         union all
         select id, name, 'quiet', quiet_since from sources
         where enabled and quiet_since is not null and health not in ('blind', 'dead')
         order by name, what")
        .fetch_all(c).await)
}

/// A warning that was written.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Warning {
    /// About which source.
    pub source_id: SourceId,
    /// To whom.
    pub recipient: String,
    /// `blind`, `dead` or `quiet`.
    pub what: String,
    /// The turn it is about.
    pub since: Time,
    /// The message that carries it; 0 when it stands on the page only.
    pub message_id: MessageId,
    /// That message's state; nothing when there is none.
    pub state: Option<String>,
}

/// What has been written about troubles that may still last, with the state of the message.
///
/// # Errors
/// What the database says.
pub async fn warnings(tx: &mut Tx, since: Time) -> sqlx::Result<Vec<Warning>> {
    on!(tx, c => sqlx::query_as(
        "select w.source_id, w.recipient, w.what, w.since, w.message_id, m.state from source_warnings w
         left join messages m on m.id = w.message_id where w.since >= $1 order by w.source_id")
        .bind(since).fetch_all(c).await)
}

/// Writes down that somebody is warned; false when she was, about this turn.
///
/// # Errors
/// What the database says.
pub async fn warn(tx: &mut Tx, trouble: &Trouble, recipient: &str, message: MessageId) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query(
        "insert into source_warnings (source_id, recipient, what, since, message_id) values ($1, $2, $3, $4, $5)
         on conflict do nothing")
        .bind(trouble.source_id).bind(recipient).bind(&trouble.what).bind(trouble.since).bind(message)
        .execute(c).await.map(|done| done.rows_affected() > 0))
}

/// Watches a thread until `until`; one that is watched already is watched the longer of the two.
///
/// # Errors
/// What the database says.
pub async fn watch_thread(
    tx: &mut Tx,
    channel: &str,
    thread: &str,
    source: SourceId,
    local_id: Option<&str>,
    now: Time,
    until: Time,
) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "insert into watched_threads (channel, thread, source_id, local_id, since, until, next_at)
         values ($1, $2, $3, $4, $5, $6, $5)
         on conflict (channel, thread) do update set
           until = case when excluded.until > watched_threads.until then excluded.until else watched_threads.until end,
           source_id = excluded.source_id, local_id = coalesce(excluded.local_id, watched_threads.local_id)")
        .bind(channel).bind(thread).bind(source).bind(local_id).bind(now).bind(until).execute(c).await.map(|_| ()))
}

/// Threads that a source should ask for now, the longest waiting first: `(root, local id)`.
///
/// # Errors
/// What the database says.
pub async fn due_threads(
    tx: &mut Tx,
    source: SourceId,
    now: Time,
    limit: i64,
) -> sqlx::Result<Vec<(String, Option<String>)>> {
    on!(tx, c => sqlx::query_as(
        "select thread, local_id from watched_threads where source_id = $1 and next_at <= $2 and until > $2
         order by next_at limit $3")
        .bind(source).bind(now).bind(limit).fetch_all(c).await)
}

/// All threads of a channel that are watched now; at most `limit`, those that are watched longest from now.
///
/// # Errors
/// What the database says.
pub async fn watched(tx: &mut Tx, channel: &str, now: Time, limit: i64) -> sqlx::Result<Vec<String>> {
    on!(tx, c => sqlx::query_scalar(
        "select thread from watched_threads where channel = $1 and until > $2 order by until desc limit $3")
        .bind(channel).bind(now).bind(limit).fetch_all(c).await)
}

/// Notes that a thread was read; it is read again at `next_at`.
///
/// # Errors
/// What the database says.
pub async fn thread_read(tx: &mut Tx, channel: &str, thread: &str, next_at: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update watched_threads set next_at = $3 where channel = $1 and thread = $2")
        .bind(channel).bind(thread).bind(next_at).execute(c).await.map(|_| ()))
}

/// Since when a thread is watched; nothing when it is not.
///
/// # Errors
/// What the database says.
pub async fn thread_watched(tx: &mut Tx, channel: &str, thread: &str, now: Time) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query_scalar(
        "select count(*) > 0 from watched_threads where channel = $1 and thread = $2 and until > $3")
        .bind(channel).bind(thread).bind(now).fetch_one(c).await)
}

/// Forgets threads whose time is up.
///
/// # Errors
/// What the database says.
pub async fn unwatch(tx: &mut Tx, now: Time) -> sqlx::Result<u64> {
    on!(tx, c => sqlx::query("delete from watched_threads where until <= $1")
        .bind(now).execute(c).await.map(|done| done.rows_affected()))
}

/// How one of our accounts was when it was last tried.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct AccountCheck {
    /// Its key.
    pub account: String,
    /// When it was tried.
    pub checked_at: Time,
    /// Whether it let us in.
    pub ok: bool,
    /// When what lets us in ends, where the channel says.
    pub expires_at: Option<Time>,
    /// What works or does not, in Swedish.
    pub why: String,
    /// `well`, `refused` or `ending`.
    pub state: String,
    /// Since when it is so.
    pub since: Time,
}

/// Writes down how an account is.
///
/// # Errors
/// What the database says.
pub async fn checked(tx: &mut Tx, check: &AccountCheck) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "insert into account_checks (account, checked_at, ok, expires_at, why, state, since)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (account) do update set checked_at = excluded.checked_at, ok = excluded.ok,
           expires_at = excluded.expires_at, why = excluded.why, state = excluded.state, since = excluded.since")
        .bind(&check.account).bind(check.checked_at).bind(check.ok).bind(check.expires_at).bind(&check.why)
        .bind(&check.state).bind(check.since)
        .execute(c).await.map(|_| ()))
}

/// How our accounts are, by key.
///
/// # Errors
/// What the database says.
pub async fn account_checks(tx: &mut Tx) -> sqlx::Result<Vec<AccountCheck>> {
    on!(tx, c => sqlx::query_as("select account, checked_at, ok, expires_at, why, state, since from account_checks order by account")
        .fetch_all(c).await)
}

/// Writes down where a stream has come to and how it is, with what it brought; false when another process has taken it
/// over meanwhile.
///
/// # Errors
/// What the database says.
pub async fn settle_stream(
    tx: &mut Tx,
    source: SourceId,
    lease: &str,
    holder: &str,
    heard: &Heard<'_>,
) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query(
        "update sources set cursor = coalesce($3, cursor), failures = $4, health = $5, health_since = $6, health_why = $7,
           last_try_at = $8, last_ok_at = case when $9 then $8 else last_ok_at end,
           last_item_at = case when $10 then $8 else last_item_at end
         where id = $1 and exists (select 1 from leases where name = $2 and holder = $11)")
        .bind(source).bind(lease).bind(heard.cursor).bind(heard.failures).bind(heard.health).bind(heard.health_since)
        .bind(heard.health_why).bind(heard.at).bind(heard.ok).bind(heard.new).bind(holder)
        .execute(c).await.map(|done| done.rows_affected() > 0))
}

/// What a stream brought since it was last written down.
#[derive(Debug, Clone, Copy)]
pub struct Heard<'a> {
    /// Where it has come to; unchanged when absent.
    pub cursor: Option<&'a str>,
    /// Failures in a row.
    pub failures: i64,
    /// Slug of its health.
    pub health: &'a str,
    /// Since when.
    pub health_since: Time,
    /// Why.
    pub health_why: &'a str,
    /// Now.
    pub at: Time,
    /// True when it is being heard.
    pub ok: bool,
    /// True when something was kept.
    pub new: bool,
}

/// A server's stream that is away.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StreamAway {
    /// Which source.
    pub source_id: SourceId,
    /// Since when.
    pub since: Time,
    /// Why, in Swedish.
    pub why: String,
}

/// Notes that the stream of a source's server is away; since when stays as it was first noted.
///
/// # Errors
/// What the database says.
pub async fn stream_away(tx: &mut Tx, source: SourceId, why: &str, now: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "insert into streams_away (source_id, since, why) values ($1, $2, $3)
         on conflict (source_id) do update set why = excluded.why")
        .bind(source).bind(now).bind(why).execute(c).await.map(|_| ()))
}

/// Notes that it is back; false when it was not away.
///
/// # Errors
/// What the database says.
pub async fn stream_back(tx: &mut Tx, source: SourceId) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query("delete from streams_away where source_id = $1")
        .bind(source).execute(c).await.map(|done| done.rows_affected() > 0))
}

/// The servers' streams that are away.
///
/// # Errors
/// What the database says.
pub async fn streams_away(tx: &mut Tx) -> sqlx::Result<Vec<StreamAway>> {
    on!(tx, c => sqlx::query_as("select source_id, since, why from streams_away order by source_id").fetch_all(c).await)
}

/// Lets a source that is well be read now: its server has told that there is news. One that has failed waits its time.
///
/// # Errors
/// What the database says.
pub async fn sooner(tx: &mut Tx, source: SourceId, now: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "update sources set next_poll_at = $2 where id = $1 and enabled and failures = 0 and next_poll_at > $2")
        .bind(source).bind(now).execute(c).await.map(|_| ()))
}

/// Lets go of a lease, so that another process need not wait for its end.
///
/// # Errors
/// What the database says.
pub async fn release(tx: &mut Tx, name: &str, holder: &str) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update leases set until = 0 where name = $1 and holder = $2")
        .bind(name).bind(holder).execute(c).await.map(|_| ()))
}
