//! All SQL about sources: what is due, who reads it now, where it stopped and how it is.

use crate::clock::Time;
use crate::db::Tx;
use crate::id::SourceId;
use crate::on;

/// A source as the database knows it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SourceRow {
    /// Its number.
    pub id: SourceId,
    /// Its name in `config/sources.toml`.
    pub key: String,
    /// What sort of reader it needs.
    pub kind: String,
    /// What a person calls it.
    pub name: String,
    /// Where it was configured to be.
    pub address: String,
    /// The channel slug of its posts.
    pub channel: String,
    /// Where it says it has moved to for good.
    pub moved_to: Option<String>,
    /// False when the configuration no longer names it, or it is paused.
    pub enabled: bool,
    /// Since when it is gone for good by its own word (410); it is then not read, whatever the configuration says.
    pub gone_at: Option<Time>,
    /// Where we stopped, as JSON.
    pub cursor: String,
    /// When it is next read.
    pub next_poll_at: Time,
    /// How many readings in a row have failed.
    pub failures: i64,
    /// Slug of its health.
    pub health: String,
    /// Since when it is so.
    pub health_since: Time,
    /// Why, in Swedish.
    pub health_why: String,
    /// When it was last tried.
    pub last_try_at: Option<Time>,
    /// When it was last read well.
    pub last_ok_at: Option<Time>,
    /// When it last had something new.
    pub last_item_at: Option<Time>,
    /// True when it is listened to all the time and never due.
    pub streamed: bool,
    /// Since when it is too quiet by its own rhythm.
    pub quiet_since: Option<Time>,
}

const COLUMNS: &str =
    "id, key, kind, name, address, channel, moved_to, enabled, gone_at, cursor, next_poll_at, failures,
    health, health_since, health_why, last_try_at, last_ok_at, last_item_at, streamed, quiet_since";

/// A source as the configuration names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its name in `config/sources.toml`.
    pub key: String,
    /// What sort of reader it needs.
    pub kind: String,
    /// What a person calls it.
    pub name: String,
    /// Where it is.
    pub address: String,
    /// The channel slug of its posts.
    pub channel: String,
    /// False while it is paused.
    pub enabled: bool,
    /// True when it is listened to all the time and never due.
    pub streamed: bool,
}

/// Makes the table say what the configuration says. A new address begins anew, and whoever reads the old one loses
/// the source; a source that is no longer named keeps its posts and is not read; one that is gone stays gone.
///
/// # Errors
/// What the database says.
pub async fn take_over_configuration(tx: &mut Tx, named: &[Named], now: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update sources set enabled = false").execute(c).await.map(|_| ()))?;
    for source in named {
        on!(tx, c => sqlx::query(
            "insert into sources (key, kind, name, address, channel, enabled, next_poll_at, health_since, streamed)
             values ($1, $2, $3, $4, $5, $6, $7, $7, $8)
             on conflict (key) do update set kind = excluded.kind, name = excluded.name, channel = excluded.channel,
               enabled = excluded.enabled, streamed = excluded.streamed,
               moved_to = case when sources.address = excluded.address then sources.moved_to end,
               gone_at = case when sources.address = excluded.address then sources.gone_at end,
               lease_until = case when sources.address = excluded.address then sources.lease_until else 0 end,
               lease_by = case when sources.address = excluded.address then sources.lease_by end,
               cursor = case when sources.address = excluded.address then sources.cursor else 'null' end,
               next_poll_at = case when sources.address = excluded.address then sources.next_poll_at else excluded.next_poll_at end,
               failures = case when sources.address = excluded.address then sources.failures else 0 end,
               address = excluded.address")
            .bind(&source.key).bind(&source.kind).bind(&source.name).bind(&source.address).bind(&source.channel)
            .bind(source.enabled).bind(now).bind(source.streamed)
            .execute(c).await.map(|_| ()))?;
    }
    Ok(())
}

/// Sources whose time has come and that nobody reads now, longest due first, each with how often it has been read.
///
/// # Errors
/// What the database says.
pub async fn due(tx: &mut Tx, now: Time, limit: i64) -> sqlx::Result<Vec<(SourceId, Time, i64)>> {
    on!(tx, c => sqlx::query_as(
        "select id, next_poll_at, turns from sources
         where enabled and gone_at is null and not streamed and next_poll_at <= $1 and lease_until <= $1
         order by next_poll_at limit $2")
        .bind(now).bind(limit).fetch_all(c).await)
}

/// When the next source is due.
///
/// # Errors
/// What the database says.
pub async fn next_due(tx: &mut Tx) -> sqlx::Result<Option<Time>> {
    on!(tx, c => sqlx::query_scalar(
        "select min(case when lease_until > next_poll_at then lease_until else next_poll_at end) from sources
         where enabled and gone_at is null and not streamed")
        .fetch_one(c).await)
}

/// Takes a due source for reading until `until`; nothing when it is not due or another process has it.
///
/// # Errors
/// What the database says.
pub async fn claim(tx: &mut Tx, id: SourceId, holder: &str, now: Time, until: Time) -> sqlx::Result<Option<SourceRow>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "update sources set lease_until = $1, lease_by = $2, last_try_at = $3
         where id = $4 and enabled and gone_at is null and next_poll_at <= $3 and lease_until <= $3 returning {COLUMNS}"
    ));
    on!(tx, c => sqlx::query_as(sql).bind(until).bind(holder).bind(now).bind(id).fetch_optional(c).await)
}

/// What a reading changed.
#[derive(Debug, Clone)]
pub struct Reading<'a> {
    /// Which source.
    pub id: SourceId,
    /// Who read it: a reading whose lease was lost to another process changes nothing.
    pub holder: &'a str,
    /// Where the next reading begins; unchanged when absent.
    pub cursor: Option<&'a str>,
    /// When that is.
    pub next_poll_at: Time,
    /// Failures in a row.
    pub failures: i64,
    /// Slug of its health.
    pub health: &'a str,
    /// Since when.
    pub health_since: Time,
    /// Why.
    pub health_why: &'a str,
    /// Set when it was read well.
    pub ok_at: Option<Time>,
    /// Set when it had something new.
    pub item_at: Option<Time>,
    /// Set when it has moved for good.
    pub moved_to: Option<&'a str>,
    /// Set when it is gone for good.
    pub gone_at: Option<Time>,
}

/// Writes down what a reading changed and lets the source go; false when the lease had been lost. Whether it is to be
/// read at all is the configuration's to say, which may have changed while it was read.
///
/// # Errors
/// What the database says.
pub async fn settle(tx: &mut Tx, reading: &Reading<'_>) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query(
        "update sources set cursor = coalesce($3, cursor), next_poll_at = $4, failures = $5, health = $6,
           health_since = $7, health_why = $8, last_ok_at = coalesce($9, last_ok_at),
           last_item_at = coalesce($10, last_item_at), moved_to = coalesce($11, moved_to), gone_at = $12,
           lease_until = 0, lease_by = null, turns = turns + 1
         where id = $1 and lease_by = $2")
        .bind(reading.id).bind(reading.holder).bind(reading.cursor).bind(reading.next_poll_at)
        .bind(reading.failures).bind(reading.health).bind(reading.health_since).bind(reading.health_why)
        .bind(reading.ok_at).bind(reading.item_at).bind(reading.moved_to).bind(reading.gone_at)
        .execute(c).await.map(|done| done.rows_affected() > 0))
}

/// The name of each source.
///
/// # Errors
/// What the database says.
pub async fn names(tx: &mut Tx) -> sqlx::Result<Vec<(SourceId, String)>> {
    on!(tx, c => sqlx::query_as("select id, name from sources").fetch_all(c).await)
}

/// Every source, the ones that need a person first.
///
/// # Errors
/// What the database says.
pub async fn all(tx: &mut Tx) -> sqlx::Result<Vec<SourceRow>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "select {COLUMNS} from sources order by enabled desc,
         case health when 'dead' then 0 when 'blind' then 1 when 'degraded' then 2 else 3 end, name"
    ));
    on!(tx, c => sqlx::query_as(sql).fetch_all(c).await)
}

/// The source with that key.
///
/// # Errors
/// What the database says.
pub async fn by_key(tx: &mut Tx, key: &str) -> sqlx::Result<Option<SourceRow>> {
    let sql = sqlx::AssertSqlSafe(format!("select {COLUMNS} from sources where key = $1"));
    on!(tx, c => sqlx::query_as(sql).bind(key).fetch_optional(c).await)
}

/// Makes a source due at once, also one that is gone: a person pressed "läs nu".
///
/// # Errors
/// What the database says.
pub async fn read_now(tx: &mut Tx, id: SourceId, now: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update sources set next_poll_at = $2, enabled = true, gone_at = null where id = $1")
        .bind(id).bind(now).execute(c).await.map(|_| ()))
}

/// Adds to a day's count of `subject` (`source:key` or `rule:name`); all that is kept of posts that are not ours.
///
/// # Errors
/// What the database says.
pub async fn tally(tx: &mut Tx, day: &str, subject: &str, what: &str, n: i64) -> sqlx::Result<()> {
    if n == 0 {
        return Ok(());
    }
    on!(tx, c => sqlx::query(
        "insert into tallies (day, subject, what, n) values ($1, $2, $3, $4)
         on conflict (day, subject, what) do update set n = tallies.n + excluded.n")
        .bind(day).bind(subject).bind(what).bind(n).execute(c).await.map(|_| ()))
}

/// What each watch rule has heard, day by day, from a day on: `(day, rule, how many)`.
///
/// # Errors
/// What the database says.
pub async fn heard_by_rule(tx: &mut Tx, from: &str, to: &str) -> sqlx::Result<Vec<(String, String, i64)>> {
    on!(tx, c => sqlx::query_as(
        "select day, substr(subject, 6), n from tallies
         where day >= $1 and day <= $2 and what = 'heard' and substr(subject, 1, 5) = 'rule:' order by day, subject")
        .bind(from).bind(to).fetch_all(c).await)
}

/// A day's counts.
///
/// # Errors
/// What the database says.
pub async fn tallies_of(tx: &mut Tx, day: &str) -> sqlx::Result<Vec<(String, String, i64)>> {
    on!(tx, c => sqlx::query_as("select subject, what, n from tallies where day = $1 order by subject, what")
        .bind(day).fetch_all(c).await)
}

/// Takes a thing that only one process may hold, or keeps it; false when another holds it until later than `now`.
///
/// # Errors
/// What the database says.
pub async fn lease(tx: &mut Tx, name: &str, holder: &str, now: Time, until: Time) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query(
        "insert into leases (name, holder, until) values ($1, $2, $4)
         on conflict (name) do update set holder = excluded.holder, until = excluded.until
         where leases.holder = excluded.holder or leases.until <= $3")
        .bind(name).bind(holder).bind(now).bind(until).execute(c).await.map(|done| done.rows_affected() > 0))
}

/// How many sources are in each state of health.
///
/// # Errors
/// What the database says.
pub async fn health_counts(tx: &mut Tx) -> sqlx::Result<Vec<(String, i64)>> {
    on!(tx, c => sqlx::query_as("select health, count(*) from sources where enabled group by health")
        .fetch_all(c).await)
}

impl Named {
    /// The source that stands for what colleagues paste; it is never read.
    #[must_use]
    pub fn tips() -> Self {
        let own = |text: &str| text.to_owned();
        Self {
            key: own("tips"),
            kind: own("tips"),
            name: own("Tips från kollegor"),
            channel: own("tips"),
            ..Self::import()
        }
    }

    /// The source that stands for `lyhord import`; it is never read.
    #[must_use]
    pub fn import() -> Self {
        let own = |text: &str| text.to_owned();
        Self {
            key: own("import"),
            kind: own("import"),
            name: own("Import"),
            address: String::new(),
            channel: own("import"),
            enabled: false,
            streamed: false,
        }
    }
}

/// The number of the source that stands for imports, made when it is not there.
///
/// # Errors
/// What the database says.
pub async fn the_import(tx: &mut Tx, import: &Named, now: Time) -> sqlx::Result<SourceId> {
    on!(tx, c => sqlx::query_scalar(
        "insert into sources (key, kind, name, address, channel, enabled, next_poll_at, health_since)
         values ($1, $2, $3, $4, $5, $6, $7, $7) on conflict (key) do update set name = excluded.name returning id")
        .bind(&import.key).bind(&import.kind).bind(&import.name).bind(&import.address).bind(&import.channel)
        .bind(import.enabled).bind(now).fetch_one(c).await)
}

/// Lets every source go: whoever held one before this start is dead. Only where one process works (`SQLite`).
///
/// # Errors
/// What the database says.
pub async fn let_go(tx: &mut Tx) -> sqlx::Result<u64> {
    on!(tx, c => sqlx::query("update leases set until = 0 where name like 'stream:%'").execute(c).await.map(|_| ()))?;
    on!(tx, c => sqlx::query("update sources set lease_until = 0, lease_by = null where lease_until > 0")
        .execute(c).await.map(|done| done.rows_affected()))
}
