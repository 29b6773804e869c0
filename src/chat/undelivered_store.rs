//! All SQL about messages that wait for their reader's hours, and about reminders that have no way to their reader.

use super::store::MessageRow;
use crate::classification::Urgency;
use crate::clock::Time;
use crate::db::{Tx, listed};
use crate::id::{CaseId, MessageId};
use crate::on;

/// What is still so of a reminder `r` about a case `k`: the case is open and in the same round, and nobody has said "I
/// have it" since; a threat is yet to be followed up; an offer is yet to be answered.
const STANDS: &str = "(r.stage like 'follow-%' and k.follow_up_at is not null
       or k.closed_at is null and k.round = r.round and coalesce(k.acknowledged_at, 0) <= r.decided_at)
     and (r.stage not like 'offer-%'
       or exists (select 1 from offers o where o.case_id = k.id and o.settled_at is null))";

/// Those of these messages that go at any hour: about danger, asked for by the reader, or a change of what was said.
///
/// # Errors
/// What the database says.
pub async fn any_hour(tx: &mut Tx, messages: &[MessageId]) -> sqlx::Result<Vec<MessageId>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "select m.id from messages m where m.id in {} and (m.kind = 'edit' or m.asked
           or exists (select 1 from reminders r join cases k on k.id = r.case_id
                      where r.message_id = m.id and k.urgency = $2 and k.closed_at is null))",
        tx.engine().each_of_first()
    ));
    let messages = listed(messages.iter().map(|message| message.0));
    on!(tx, c => sqlx::query_scalar(sql).bind(&messages).bind(Urgency::Acute.slug()).fetch_all(c).await)
}

/// Lets a message wait for its reader's hours.
///
/// # Errors
/// What the database says.
pub async fn hold(tx: &mut Tx, id: MessageId, until: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "update messages set state = 'waiting', next_attempt_at = $2, held_until = $2
         where id = $1 and state in ('waiting', 'sending')")
        .bind(id).bind(until).execute(c).await.map(|_| ()))
}

/// Messages that wait for their reader's hours, those whose hour comes first first: `(message, reader, until)`.
///
/// # Errors
/// What the database says.
pub async fn held(tx: &mut Tx, limit: i64) -> sqlx::Result<Vec<(MessageId, String, Time)>> {
    on!(tx, c => sqlx::query_as(
        "select id, recipient, held_until from messages where state = 'waiting' and held_until is not null
         order by held_until, id limit $1")
        .bind(limit).fetch_all(c).await)
}

/// Lets a message that has waited for its reader's hours go now; nothing when another process was first.
///
/// # Errors
/// What the database says.
pub async fn release(tx: &mut Tx, id: MessageId, now: Time) -> sqlx::Result<Option<MessageRow>> {
    on!(tx, c => sqlx::query_as(
        "update messages set next_attempt_at = $2, held_until = null
         where id = $1 and state = 'waiting' and held_until is not null
         returning id, recipient, voice, address, body, state, created_at, attempts, kind, edits")
        .bind(id).bind(now).fetch_optional(c).await)
}

/// The cases that a message still has to tell of, with what is due when, the first due first.
///
/// # Errors
/// What the database says.
pub async fn standing(tx: &mut Tx, message: MessageId) -> sqlx::Result<Vec<(CaseId, Option<Time>)>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "select k.id, min(case when r.stage like 'follow-%' then r.due_at else k.due_at end)
         from reminders r join cases k on k.id = r.case_id where r.message_id = $1 and {STANDS}
         group by k.id order by 2, 1"
    ));
    on!(tx, c => sqlx::query_as(sql).bind(message).fetch_all(c).await)
}

/// When the first of the reminders was decided that no message carries yet.
///
/// # Errors
/// What the database says.
pub async fn first_unwritten(tx: &mut Tx) -> sqlx::Result<Option<Time>> {
    on!(tx, c => sqlx::query_scalar("select min(decided_at) from reminders where message_id is null").fetch_one(c).await)
}

/// Notes that these reminders have no way to their reader: they stand in the inbox only.
///
/// # Errors
/// What the database says.
pub async fn unreach(tx: &mut Tx, reminders: &[i64], now: Time) -> sqlx::Result<()> {
    let sql = sqlx::AssertSqlSafe(format!(
        "update reminders set message_id = 0, unreached_at = $2 where id in {}",
        tx.engine().each_of_first()
    ));
    let reminders = listed(reminders.iter().copied());
    on!(tx, c => sqlx::query(sql).bind(&reminders).bind(now).execute(c).await.map(|_| ()))
}

/// Since when nothing has reached this person; nothing when all that was decided for her had a way.
///
/// # Errors
/// What the database says.
pub async fn unreached_since(tx: &mut Tx, staff: &str) -> sqlx::Result<Option<Time>> {
    on!(tx, c => sqlx::query_scalar(
        "select min(unreached_at) from reminders where recipient = $1 and unreached_at is not null")
        .bind(staff).fetch_one(c).await)
}

/// People for whom something stands that has no way to them: `(person, how many cases, since when)`.
///
/// # Errors
/// What the database says.
pub async fn unreached(tx: &mut Tx) -> sqlx::Result<Vec<(String, i64, Time)>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "select r.recipient, count(distinct k.id), min(r.unreached_at) from reminders r join cases k on k.id = r.case_id
         where r.unreached_at is not null and {STANDS} group by r.recipient order by r.recipient"
    ));
    on!(tx, c => sqlx::query_as(sql).fetch_all(c).await)
}

/// Frees what had no way to a person, so that it is written to her: what still stands. What is over is never told.
///
/// # Errors
/// What the database says.
pub async fn free(tx: &mut Tx, staff: &str) -> sqlx::Result<()> {
    let sql = sqlx::AssertSqlSafe(format!(
        "update reminders set message_id = null, unreached_at = null where id in (
           select r.id from reminders r join cases k on k.id = r.case_id
           where r.recipient = $1 and r.unreached_at is not null and {STANDS})"
    ));
    on!(tx, c => sqlx::query(sql).bind(staff).execute(c).await.map(|_| ()))?;
    on!(tx, c => sqlx::query("update reminders set unreached_at = null where recipient = $1 and unreached_at is not null")
        .bind(staff).execute(c).await.map(|_| ()))
}

/// What has been decided about a case and has not reached its reader.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Undelivered {
    /// The case.
    pub case_id: CaseId,
    /// Whom it should reach: a staff key.
    pub recipient: String,
    /// When it goes, if it waits for her hours; nothing when there is no way to her.
    pub held_until: Option<Time>,
}

/// What has not reached people about these cases, what was decided first first.
///
/// # Errors
/// What the database says.
pub async fn undelivered(tx: &mut Tx, cases: &[CaseId], now: Time) -> sqlx::Result<Vec<Undelivered>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "select k.id as case_id, r.recipient, max(case when m.state = 'waiting' then m.held_until end) as held_until
         from reminders r join cases k on k.id = r.case_id left join messages m on m.id = r.message_id
         where k.id in {} and {STANDS} and (r.unreached_at is not null and k.waiting_since is null
           or m.state = 'waiting' and m.held_until > $2)
         group by k.id, r.recipient order by k.id, min(r.id)",
        tx.engine().each_of_first()
    ));
    let cases = listed(cases.iter().map(|case| case.0));
    on!(tx, c => sqlx::query_as(sql).bind(&cases).bind(now).fetch_all(c).await)
}
