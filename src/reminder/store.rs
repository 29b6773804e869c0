//! All SQL about what has been said to whom, and about silences.

use std::collections::BTreeSet;

use crate::clock::Time;
use crate::db::{Holds, Tx, listed, rows};
use crate::id::{CaseId, MessageId, ReminderId};
use crate::on;

/// One thing said, or to be said, to one person.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ReminderRow {
    /// Its number.
    pub id: ReminderId,
    /// About which case.
    pub case_id: CaseId,
    /// To whom.
    pub recipient: String,
    /// The promise it is about.
    pub due_at: Time,
    /// Slug of the stage.
    pub stage: String,
    /// The round of the case in which it was decided.
    pub round: i64,
    /// When it was decided.
    pub decided_at: Time,
    /// The message that carries it; 0 when it stands in the inbox only.
    pub message_id: Option<MessageId>,
}

/// What a member of staff is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct NewReminder<'a> {
    /// About which case.
    pub case_id: CaseId,
    /// Staff key of whom.
    pub recipient: &'a str,
    /// The promise it is about.
    pub due_at: Time,
    /// Slug of the stage.
    pub stage: &'a str,
    /// The round of the case.
    pub round: i64,
    /// It is said although a silence, quiet hours or a closed office stands in the way.
    pub breaks: bool,
}

/// Writes down what is to be said, each once by its key (case, round, recipient, due, stage). Returns what was new, as
/// `(case, recipient, stage)`.
///
/// # Errors
/// What the database says.
pub async fn put(tx: &mut Tx, new: &[NewReminder<'_>], now: Time) -> sqlx::Result<BTreeSet<(CaseId, String, String)>> {
    if new.is_empty() {
        return Ok(BTreeSet::new());
    }
    // "where true" lets SQLite see that `on conflict` is not of a join.
    let sql = sqlx::AssertSqlSafe(format!(
        "insert into reminders (case_id, recipient, due_at, stage, round, breaks, decided_at)
         select case_id, recipient, due_at, stage, round, breaks, $2 from {} where true
         on conflict (case_id, round, recipient, due_at, stage) do nothing returning case_id, recipient, stage",
        tx.engine().rows_of_first(&[
            ("case_id", Holds::Number),
            ("recipient", Holds::Text),
            ("due_at", Holds::Number),
            ("stage", Holds::Text),
            ("round", Holds::Number),
            ("breaks", Holds::Truth)
        ])
    ));
    let new = rows(new)?;
    let put: Vec<(CaseId, String, String)> = on!(tx, c => sqlx::query_as(sql).bind(&new).bind(now).fetch_all(c).await)?;
    Ok(put.into_iter().collect())
}

/// The cases of a message that are said although something stood in the way.
///
/// # Errors
/// What the database says.
pub async fn breaking(tx: &mut Tx, message: MessageId) -> sqlx::Result<Vec<CaseId>> {
    on!(tx, c => sqlx::query_scalar("select distinct case_id from reminders where message_id = $1 and breaks order by case_id")
        .bind(message).fetch_all(c).await)
}

/// What has been decided about these cases, oldest first.
///
/// # Errors
/// What the database says.
pub async fn of_cases(tx: &mut Tx, cases: &[CaseId]) -> sqlx::Result<Vec<ReminderRow>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "select id, case_id, recipient, due_at, stage, round, decided_at, message_id from reminders
         where case_id in {} order by id",
        tx.engine().each_of_first()
    ));
    let cases = listed(cases.iter().map(|case| case.0));
    on!(tx, c => sqlx::query_as(sql).bind(&cases).fetch_all(c).await)
}

/// A silence that is running or yet to come.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SilenceRow {
    /// Its number.
    pub id: i64,
    /// `person`, `unit`, `topic`, `case` or `crisis`.
    pub scope: String,
    /// Which person, unit, topic or case.
    pub subject: String,
    /// From when.
    pub starts_at: Time,
    /// Until when.
    pub ends_at: Time,
    /// Why, in the words of whoever made it.
    pub reason: String,
    /// Who made it.
    pub made_by: String,
}

/// Writes down a silence.
///
/// # Errors
/// What the database says.
pub async fn put_silence(
    tx: &mut Tx,
    scope: &str,
    subject: &str,
    starts_at: Time,
    ends_at: Time,
    reason: &str,
    made_by: &str,
) -> sqlx::Result<i64> {
    on!(tx, c => sqlx::query_scalar(
        "insert into silences (scope, subject, starts_at, ends_at, reason, made_by) values ($1, $2, $3, $4, $5, $6)
         returning id")
        .bind(scope).bind(subject).bind(starts_at).bind(ends_at).bind(reason).bind(made_by).fetch_one(c).await)
}

/// Silences of persons, units, topics and crises that are running or yet to come.
///
/// # Errors
/// What the database says.
pub async fn silences(tx: &mut Tx, now: Time) -> sqlx::Result<Vec<SilenceRow>> {
    on!(tx, c => sqlx::query_as(
        "select id, scope, subject, starts_at, ends_at, reason, made_by from silences
         where ends_at > $1 and lifted_at is null and scope <> 'case' order by id")
        .bind(now).fetch_all(c).await)
}

/// The last snooze of each of these cases, over or not: the ladder climbs on from its end.
///
/// # Errors
/// What the database says.
pub async fn snoozes(tx: &mut Tx, cases: &[CaseId]) -> sqlx::Result<Vec<SilenceRow>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "select id, scope, subject, starts_at, ends_at, reason, made_by from silences
         where id in (select max(s.id) from silences s
                      where s.scope = 'case' and s.lifted_at is null
                        and s.subject in (select cast(k.id as text) from cases k where k.id in {})
                      group by s.subject)",
        tx.engine().each_of_first()
    ));
    let cases = listed(cases.iter().map(|case| case.0));
    on!(tx, c => sqlx::query_as(sql).bind(&cases).fetch_all(c).await)
}

/// Ends a silence early; false when it was over.
///
/// # Errors
/// What the database says.
pub async fn lift(tx: &mut Tx, id: i64, now: Time) -> sqlx::Result<Option<SilenceRow>> {
    on!(tx, c => sqlx::query_as(
        "update silences set lifted_at = $2 where id = $1 and lifted_at is null and ends_at > $2
         returning id, scope, subject, starts_at, ends_at, reason, made_by")
        .bind(id).bind(now).fetch_optional(c).await)
}

/// The crisis that has the word now.
///
/// # Errors
/// What the database says.
pub async fn crisis(tx: &mut Tx, now: Time) -> sqlx::Result<Option<SilenceRow>> {
    on!(tx, c => sqlx::query_as(
        "select id, scope, subject, starts_at, ends_at, reason, made_by from silences
         where ends_at > $1 and starts_at <= $1 and lifted_at is null and scope = 'crisis' order by ends_at desc limit 1")
        .bind(now).fetch_optional(c).await)
}
