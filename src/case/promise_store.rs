//! All SQL about what happened to promises, and about what was decided when they were made.

use super::promise::PromiseKind;
use super::running::{Happening, PromiseEvent};
use crate::clock::Time;
use crate::db::{Engine, Tx, listed};
use crate::id::CaseId;
use crate::on;

/// Cases whose promises are looked at in one piece of work.
const EVENTS_MAX: i64 = 500;

/// An event as the database has it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct EventRow {
    /// Slug of the promise.
    pub promise: String,
    /// What happened to it.
    pub what: String,
    /// When.
    pub at: Time,
    /// The due time from then on.
    pub due_at: Option<Time>,
    /// Open milliseconds that were left at a pause.
    pub left_ms: Option<i64>,
    /// Version of the calendar that the promise was made with.
    pub calendar: Option<String>,
    /// When it would have been due counted from when it was written.
    pub from_arrival_at: Option<Time>,
}

impl EventRow {
    /// The event, when the row makes sense.
    #[must_use]
    pub fn event(&self) -> Option<PromiseEvent> {
        let happening = match self.what.as_str() {
            "activate" => Happening::Activate { due_at: self.due_at? },
            "apply" => Happening::Apply { due_at: self.due_at? },
            "pause" => Happening::Pause { left_ms: u64::try_from(self.left_ms?).ok()? },
            "resume" => Happening::Resume { due_at: self.due_at? },
            "fulfil" => Happening::Fulfil,
            "breach" => Happening::Breach,
            "withdraw" => Happening::Withdraw,
            _ => return None,
        };
        Some(PromiseEvent { kind: PromiseKind::from_slug(&self.promise)?, at: self.at, happening })
    }
}

/// What a promise is made with; kept beside its activation, for the report and for what is paused.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terms<'a> {
    /// Version of the calendar.
    pub calendar: Option<&'a str>,
    /// Version of the response times.
    pub policy: Option<&'a str>,
    /// When it would have been due counted from when it was written.
    pub from_arrival_at: Option<Time>,
    /// It was found late.
    pub late: bool,
}

/// Writes down what happened to a promise.
///
/// # Errors
/// What the database says.
pub async fn put_event(tx: &mut Tx, case: CaseId, event: &PromiseEvent, terms: &Terms<'_>) -> sqlx::Result<()> {
    let (what, due_at, left_ms, actor) = match event.happening {
        Happening::Activate { due_at } => ("activate", Some(due_at), None, None),
        Happening::Apply { due_at } => ("apply", Some(due_at), None, None),
        Happening::Pause { left_ms } => ("pause", None, Some(i64::try_from(left_ms).unwrap_or(i64::MAX)), None),
        Happening::Resume { due_at } => ("resume", Some(due_at), None, None),
        Happening::Fulfil => ("fulfil", None, None, Some("person")),
        Happening::Breach => ("breach", None, None, None),
        Happening::Withdraw => ("withdraw", None, None, None),
    };
    on!(tx, c => sqlx::query(
        "insert into promise_events (case_id, promise, what, at, due_at, left_ms, actor, calendar, policy, from_arrival_at, late)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)")
        .bind(case).bind(event.kind.slug()).bind(what).bind(event.at).bind(due_at).bind(left_ms).bind(actor)
        .bind(terms.calendar).bind(terms.policy).bind(terms.from_arrival_at).bind(terms.late)
        .execute(c).await.map(|_| ()))
}

/// A promise as it begins.
#[derive(Debug, Clone, Copy)]
pub struct Begun<'a> {
    /// Of which case.
    pub case: CaseId,
    /// Which of the two.
    pub kind: PromiseKind,
    /// Version of the calendar.
    pub calendar: &'a str,
    /// Version of the response times.
    pub policy: &'a str,
    /// When it must be kept.
    pub due_at: Time,
    /// When it would have to be kept counted from when it was written.
    pub from_arrival_at: Time,
    /// It was found late.
    pub late: bool,
}

/// Begins the promises of a batch of cases in one statement: a thousand cases a second are opened on a bad day.
///
/// # Errors
/// What the database says.
pub async fn begin(tx: &mut Tx, begun: &[Begun<'_>], now: Time) -> sqlx::Result<()> {
    if begun.is_empty() {
        return Ok(());
    }
    on!(tx, c => {
        let mut sql = sqlx::QueryBuilder::new(
            "insert into promise_events (case_id, promise, what, at, due_at, calendar, policy, from_arrival_at, late) ");
        sql.push_values(begun, |mut row, begun| {
            row.push_bind(begun.case).push_bind(begun.kind.slug()).push("'activate'").push_bind(now)
                .push_bind(begun.due_at).push_bind(begun.calendar).push_bind(begun.policy)
                .push_bind(begun.from_arrival_at).push_bind(begun.late);
        });
        sql.build().execute(c).await.map(|_| ())
    })
}

/// What has happened to the promises of a case, in the order it was written.
///
/// # Errors
/// What the database says.
pub async fn events(tx: &mut Tx, case: CaseId) -> sqlx::Result<Vec<EventRow>> {
    on!(tx, c => sqlx::query_as(
        "select promise, what, at, due_at, left_ms, calendar, from_arrival_at from promise_events
         where case_id = $1 order by id limit $2")
        .bind(case).bind(EVENTS_MAX).fetch_all(c).await)
}

/// What a case shows of its promises after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// The due time of the promise that is to be kept next; as before when none runs.
    pub due_at: Option<Time>,
    /// The due time of the whole answer; as before when it does not run.
    pub resolve_by: Option<Time>,
    /// When the present promises began; as before when none does.
    pub started_at: Option<Time>,
    /// When the promises must be looked at again.
    pub look_at: Option<Time>,
}

/// Lets a case show what its promises have come to; leaves the revision, since the act that did it has its own.
///
/// # Errors
/// What the database says.
pub async fn show(tx: &mut Tx, case: CaseId, shown: &Shown) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "update cases set due_at = coalesce($2, due_at), resolve_by = coalesce($3, resolve_by), promise_look_at = $4,
           promise_started_at = coalesce($5, promise_started_at)
         where id = $1")
        .bind(case).bind(shown.due_at).bind(shown.resolve_by).bind(shown.look_at).bind(shown.started_at).execute(c).await.map(|_| ()))
}

/// Notes that the citizen has the word from `since`, at most until `until`; or, with nothing, that we have it again.
///
/// # Errors
/// What the database says.
pub async fn set_waiting(tx: &mut Tx, case: CaseId, since: Option<Time>, until: Option<Time>) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update cases set waiting_since = $2, waiting_until = $3 where id = $1")
        .bind(case).bind(since).bind(until).execute(c).await.map(|_| ()))
}

/// Notes the deadline of the one who asks.
///
/// # Errors
/// What the database says.
pub async fn set_deadline(tx: &mut Tx, case: CaseId, deadline_at: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update cases set deadline_at = $2 where id = $1")
        .bind(case).bind(deadline_at).execute(c).await.map(|_| ()))
}

/// When the next promise is to be looked at.
///
/// # Errors
/// What the database says.
pub async fn next_promise_look(tx: &mut Tx) -> sqlx::Result<Option<Time>> {
    on!(tx, c => sqlx::query_scalar("select min(promise_look_at) from cases where promise_look_at is not null")
        .fetch_one(c).await)
}

/// Cases whose promises have come to a moment: a due time has passed, or a wait has lasted as long as it may.
///
/// # Errors
/// What the database says.
pub async fn promises_to_look_at(tx: &mut Tx, now: Time, limit: i64) -> sqlx::Result<Vec<CaseId>> {
    let sql = match tx.engine() {
        Engine::Sqlite => "select id from cases where promise_look_at <= $1 order by promise_look_at limit $2",
        Engine::Postgres => {
            "select id from cases where promise_look_at <= $1 order by promise_look_at limit $2 for update skip locked"
        }
    };
    on!(tx, c => sqlx::query_scalar(sql).bind(now).bind(limit).fetch_all(c).await)
}

/// Keeps something as it was decided: a calendar, a ladder, the response times. What is kept stays.
///
/// # Errors
/// What the database says.
pub async fn keep_decided(tx: &mut Tx, kind: &str, version: &str, body: &str, now: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "insert into decided (kind, version, body, kept_at) values ($1, $2, $3, $4) on conflict (kind, version) do nothing")
        .bind(kind).bind(version).bind(body).bind(now).execute(c).await.map(|_| ()))
}

/// What has been decided of a kind, the newest first: `(version, body, kept at)`; at most `limit`.
///
/// # Errors
/// What the database says.
pub async fn decided(tx: &mut Tx, kind: &str, limit: i64) -> sqlx::Result<Vec<(String, String, Time)>> {
    on!(tx, c => sqlx::query_as(
        "select version, body, kept_at from decided where kind = $1 order by kept_at desc, version limit $2")
        .bind(kind).bind(limit).fetch_all(c).await)
}

/// Notes which ladder the present rounds of these cases climb.
///
/// # Errors
/// What the database says.
pub async fn set_ladder(tx: &mut Tx, cases: &[CaseId], version: &str) -> sqlx::Result<()> {
    if cases.is_empty() {
        return Ok(());
    }
    let sql = sqlx::AssertSqlSafe(format!("update cases set ladder = $2 where id in {}", tx.engine().each_of_first()));
    let cases = listed(cases.iter().map(|case| case.0));
    on!(tx, c => sqlx::query(sql).bind(&cases).bind(version).execute(c).await.map(|_| ()))
}
