//! All SQL about accounts, sign-in links, sessions, sign-in attempts, and what the frame of a page counts.

use crate::clock::Time;
use crate::db::{Engine, Tx};
use crate::id::CaseId;
use crate::on;

/// A member of staff who may sign in.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Account {
    /// Key in the organisation.
    pub staff: String,
    /// The password's argon2id hash; none until it has been chosen.
    pub password_hash: Option<String>,
    /// True when somebody has closed it.
    pub disabled: bool,
}

/// A browser that is signed in.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Session {
    /// Whose it is.
    pub staff: String,
    /// What every form must show.
    pub csrf: String,
    /// When it was last seen.
    pub seen_at: Time,
}

/// Opens an account without a password; one that exists is opened again.
///
/// # Errors
/// What the database says.
pub async fn put_account(tx: &mut Tx, staff: &str, now: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "insert into accounts (staff, created_at) values ($1, $2) on conflict (staff) do update set disabled = false")
        .bind(staff).bind(now).execute(c).await.map(|_| ()))
}

/// Closes an account and signs it out everywhere; false when there is none.
///
/// # Errors
/// What the database says.
pub async fn disable_account(tx: &mut Tx, staff: &str) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query("delete from sessions where staff = $1").bind(staff).execute(c).await.map(|_| ()))?;
    on!(tx, c => sqlx::query("update sign_in_links set used_at = 0 where staff = $1 and used_at is null")
        .bind(staff).execute(c).await.map(|_| ()))?;
    on!(tx, c => sqlx::query("update accounts set disabled = true where staff = $1")
        .bind(staff).execute(c).await.map(|done| done.rows_affected() > 0))
}

/// The account of a member of staff.
///
/// # Errors
/// What the database says.
pub async fn account(tx: &mut Tx, staff: &str) -> sqlx::Result<Option<Account>> {
    on!(tx, c => sqlx::query_as("select staff, password_hash, disabled from accounts where staff = $1")
        .bind(staff).fetch_optional(c).await)
}

/// Gives an account a password and signs it out everywhere else.
///
/// # Errors
/// What the database says.
pub async fn set_password(tx: &mut Tx, staff: &str, hash: &str) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update accounts set password_hash = $2 where staff = $1")
        .bind(staff).bind(hash).execute(c).await.map(|_| ()))?;
    on!(tx, c => sqlx::query("delete from sessions where staff = $1").bind(staff).execute(c).await.map(|_| ()))
}

/// Writes down a one-time link by its hash; earlier unused ones of the same person stop working.
///
/// # Errors
/// What the database says.
pub async fn put_link(tx: &mut Tx, token_hash: &str, staff: &str, now: Time, expires_at: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update sign_in_links set used_at = $2 where staff = $1 and used_at is null")
        .bind(staff).bind(now).execute(c).await.map(|_| ()))?;
    on!(tx, c => sqlx::query("insert into sign_in_links (token_hash, staff, expires_at) values ($1, $2, $3)")
        .bind(token_hash).bind(staff).bind(expires_at).execute(c).await.map(|_| ()))
}

/// Whose link this is, while it works; looking does not use it up, so that a link preview does no harm.
///
/// # Errors
/// What the database says.
pub async fn link(tx: &mut Tx, token_hash: &str, now: Time) -> sqlx::Result<Option<String>> {
    on!(tx, c => sqlx::query_scalar(
        "select l.staff from sign_in_links l join accounts a on a.staff = l.staff
         where l.token_hash = $1 and l.used_at is null and l.expires_at > $2 and not a.disabled")
        .bind(token_hash).bind(now).fetch_optional(c).await)
}

/// Uses up a link and says whose it was; nothing when it is unknown, used or too old.
///
/// # Errors
/// What the database says.
pub async fn use_link(tx: &mut Tx, token_hash: &str, now: Time) -> sqlx::Result<Option<String>> {
    on!(tx, c => sqlx::query_scalar(
        "update sign_in_links set used_at = $2 where token_hash = $1 and used_at is null and expires_at > $2
         returning staff")
        .bind(token_hash).bind(now).fetch_optional(c).await)
}

/// Signs a browser in.
///
/// # Errors
/// What the database says.
pub async fn put_session(
    tx: &mut Tx,
    token_hash: &str,
    staff: &str,
    csrf: &str,
    now: Time,
    expires_at: Time,
) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "insert into sessions (token_hash, staff, csrf, created_at, seen_at, expires_at) values ($1, $2, $3, $4, $4, $5)")
        .bind(token_hash).bind(staff).bind(csrf).bind(now).bind(expires_at).execute(c).await.map(|_| ()))?;
    on!(tx, c => sqlx::query("update accounts set signed_in_at = $2 where staff = $1")
        .bind(staff).bind(now).execute(c).await.map(|_| ()))
}

/// The session of a browser that has been seen since `idle_since`.
///
/// # Errors
/// What the database says.
pub async fn session(tx: &mut Tx, token_hash: &str, now: Time, idle_since: Time) -> sqlx::Result<Option<Session>> {
    on!(tx, c => sqlx::query_as(
        "select s.staff, s.csrf, s.seen_at from sessions s join accounts a on a.staff = s.staff
         where s.token_hash = $1 and s.expires_at > $2 and s.seen_at > $3 and not a.disabled")
        .bind(token_hash).bind(now).bind(idle_since).fetch_optional(c).await)
}

/// Notes that a browser was seen.
///
/// # Errors
/// What the database says.
pub async fn session_seen(tx: &mut Tx, token_hash: &str, now: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update sessions set seen_at = $2 where token_hash = $1")
        .bind(token_hash).bind(now).execute(c).await.map(|_| ()))
}

/// Signs a browser out.
///
/// # Errors
/// What the database says.
pub async fn end_session(tx: &mut Tx, token_hash: &str) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("delete from sessions where token_hash = $1").bind(token_hash).execute(c).await.map(|_| ()))
}

/// Notes that somebody tries a password. Written before the password is looked at, so that guesses in parallel count.
///
/// # Errors
/// What the database says.
pub async fn put_attempt(tx: &mut Tx, subject: &str, now: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("insert into sign_in_attempts (subject, at) values ($1, $2)")
        .bind(subject).bind(now).execute(c).await.map(|_| ()))
}

/// When this account or address has tried since a moment; the newest first, at most `limit`.
///
/// # Errors
/// What the database says.
pub async fn attempts(tx: &mut Tx, subject: &str, since: Time, limit: i64) -> sqlx::Result<Vec<Time>> {
    on!(tx, c => sqlx::query_scalar(
        "select at from sign_in_attempts where subject = $1 and at > $2 order by at desc limit $3")
        .bind(subject).bind(since).bind(limit).fetch_all(c).await)
}

/// Forgets the attempts of an account: the right password was given.
///
/// # Errors
/// What the database says.
pub async fn forget_attempts(tx: &mut Tx, subject: &str) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("delete from sign_in_attempts where subject = $1").bind(subject).execute(c).await.map(|_| ()))
}

/// Forgets one attempt from an address, whose password was right; those that were wrong still count.
///
/// # Errors
/// What the database says.
pub async fn forget_attempt(tx: &mut Tx, subject: &str, at: Time) -> sqlx::Result<()> {
    let row = match tx.engine() {
        Engine::Sqlite => "rowid",
        Engine::Postgres => "ctid",
    };
    let sql = sqlx::AssertSqlSafe(format!(
        "delete from sign_in_attempts
         where {row} in (select {row} from sign_in_attempts where subject = $1 and at = $2 limit 1)"
    ));
    on!(tx, c => sqlx::query(sql).bind(subject).bind(at).execute(c).await.map(|_| ()))
}

/// Clears away what no longer works: old sessions, links and attempts. Returns how many rows went.
///
/// # Errors
/// What the database says.
pub async fn sweep(tx: &mut Tx, now: Time, attempts_before: Time) -> sqlx::Result<u64> {
    let sessions = on!(tx, c => sqlx::query("delete from sessions where expires_at <= $1")
        .bind(now).execute(c).await.map(|done| done.rows_affected()))?;
    let links = on!(tx, c => sqlx::query("delete from sign_in_links where expires_at <= $1")
        .bind(now).execute(c).await.map(|done| done.rows_affected()))?;
    let attempts = on!(tx, c => sqlx::query("delete from sign_in_attempts where at <= $1")
        .bind(attempts_before).execute(c).await.map(|done| done.rows_affected()))?;
    Ok(sessions + links + attempts)
}

/// What waits in one unit: how many cases, and how many of them are late.
///
/// # Errors
/// What the database says.
pub async fn waiting_in_unit(tx: &mut Tx, unit: &str, now: Time) -> sqlx::Result<(i64, i64)> {
    on!(tx, c => sqlx::query_as(
        "select count(*), coalesce(sum(case when due_at < $2 and first_answer_at is null then 1 else 0 end), 0)
         from cases where closed_at is null and unit = $1")
        .bind(unit).bind(now).fetch_one(c).await)
}

/// When any source was last read well.
///
/// # Errors
/// What the database says.
pub async fn last_read(tx: &mut Tx) -> sqlx::Result<Option<Time>> {
    on!(tx, c => sqlx::query_scalar("select max(last_ok_at) from sources where enabled").fetch_one(c).await)
}

/// How many mentions stand in each of these cases, for those with more than one: `(case, mentions)`.
///
/// # Errors
/// What the database says.
pub async fn mentions_in(tx: &mut Tx, cases: &[CaseId]) -> sqlx::Result<Vec<(CaseId, i64)>> {
    if cases.is_empty() {
        return Ok(Vec::new());
    }
    let ids = cases.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let sql = sqlx::AssertSqlSafe(format!(
        "select case_id, count(*) from case_mentions where case_id in ({ids}) group by case_id having count(*) > 1"
    ));
    on!(tx, c => sqlx::query_as(sql).fetch_all(c).await)
}

/// True when somebody has ever signed in.
///
/// # Errors
/// What the database says.
pub async fn anybody(tx: &mut Tx) -> sqlx::Result<bool> {
    let first: Option<String> = on!(tx, c => sqlx::query_scalar("select staff from accounts where password_hash is not null limit 1")
        .fetch_optional(c).await)?;
    Ok(first.is_some())
}

/// Lifts a silence that a person made for herself; false when there is none.
///
/// # Errors
/// What the database says.
pub async fn lift_silence(tx: &mut Tx, id: i64, staff: &str, now: Time) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query(
        "update silences set lifted_at = $3 where id = $1 and scope = 'person' and subject = $2 and lifted_at is null")
        .bind(id).bind(staff).bind(now).execute(c).await.map(|done| done.rows_affected() > 0))
}

/// The newest migration that has gone through.
///
/// # Errors
/// What the database says.
pub async fn newest_migration(tx: &mut Tx) -> sqlx::Result<i64> {
    on!(tx, c => sqlx::query_scalar("select coalesce(max(version), 0) from _sqlx_migrations where success")
        .fetch_one(c).await)
}
