//! All SQL about cases as people list them: the inbox, what one has, what a message is about.

use std::collections::BTreeSet;

use super::store::{CaseRow, columns};
use crate::clock::Time;
use crate::db::{Engine, Tx, listed};
use crate::id::{CaseId, MessageId};
use crate::on;

/// Open cases with an owner, oldest due first, for a dry run; at most `limit` after `(due_at, id)`.
///
/// # Errors
/// What the database says.
pub async fn waiting(tx: &mut Tx, after: (Time, CaseId), limit: i64) -> sqlx::Result<Vec<CaseRow>> {
    on!(tx, c => sqlx::query_as(concat!(
        "select ", columns!(), " from cases where closed_at is null and unit is not null and (due_at, id) > ($2, $3)
         order by due_at, id limit $1"))
        .bind(limit).bind(after.0).bind(after.1).fetch_all(c).await)
}

/// A row of the inbox.
#[derive(Debug, Clone, Default)]
pub struct Filter<'a> {
    /// Only this unit.
    pub unit: Option<&'a str>,
    /// Only this topic.
    pub topic: Option<&'a str>,
    /// Only this owner.
    pub owner: Option<&'a str>,
    /// Only cases with these words.
    pub words: Option<&'a str>,
    /// Closed ones instead of waiting ones.
    pub closed: bool,
    /// Also those that only a few may see.
    pub restricted: bool,
    /// The page begins after this `(due_at or closed_at, id)`.
    pub after: Option<(Time, CaseId)>,
}

/// A page of cases: waiting ones by what is due first, closed ones by what was closed last.
///
/// # Errors
/// What the database says.
pub async fn page(tx: &mut Tx, filter: &Filter<'_>, limit: i64) -> sqlx::Result<Vec<CaseRow>> {
    let words = match (filter.words, tx.engine()) {
        (None, _) => "",
        (Some(_), Engine::Sqlite) => " and id in (select rowid from case_words where words match $6)",
        (Some(_), Engine::Postgres) => {
            " and id in (select rowid from case_words where words @@ websearch_to_tsquery('swedish', $6))"
        }
    };
    let order = if filter.closed {
        "closed_at is not null and (closed_at, id) < ($4, $5)"
    } else {
        "closed_at is null and unit is not null and (due_at, id) > ($4, $5)"
    };
    let direction = if filter.closed { "closed_at desc, id desc" } else { "due_at, id" };
    let sql = sqlx::AssertSqlSafe(format!(
        concat!(
            "select ",
            columns!(),
            " from cases where {} and (cast($1 as text) is null or unit = $1)
             and (cast($2 as text) is null or topic = $2) and (cast($3 as text) is null or owner = $3)
             and ($8 or not restricted) and ($6 = $6){} order by {} limit $7"
        ),
        order, words, direction
    ));
    let start = if filter.closed { (Time(i64::MAX), CaseId(i64::MAX)) } else { (Time(i64::MIN), CaseId(i64::MIN)) };
    let (at, id) = filter.after.unwrap_or(start);
    let query = filter.words.map(|words| search_text(words, tx.engine())).unwrap_or_default();
    on!(tx, c => sqlx::query_as(sql).bind(filter.unit).bind(filter.topic).bind(filter.owner).bind(at).bind(id)
        .bind(query).bind(limit).bind(filter.restricted).fetch_all(c).await)
}

/// A person's words as the engine's query: every word must be there, the last may be the beginning of one.
fn search_text(words: &str, engine: Engine) -> String {
    let words = words.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).take(12);
    match engine {
        Engine::Sqlite => words.map(|word| format!("\"{word}\"*")).collect::<Vec<_>>().join(" "),
        Engine::Postgres => words.collect::<Vec<_>>().join(" "),
    }
}

/// How many cases wait, how many of them are late, and how many have this owner.
///
/// # Errors
/// What the database says.
pub async fn counts(tx: &mut Tx, owner: &str, now: Time) -> sqlx::Result<(i64, i64, i64)> {
    on!(tx, c => sqlx::query_as(
        "select count(*), coalesce(sum(case when due_at < $1 and first_answer_at is null then 1 else 0 end), 0),
           coalesce(sum(case when owner = $2 then 1 else 0 end), 0)
         from cases where closed_at is null")
        .bind(now).bind(owner).fetch_one(c).await)
}

/// Which of these cases are acute.
///
/// # Errors
/// What the database says.
pub async fn acute(tx: &mut Tx, ids: &[CaseId]) -> sqlx::Result<BTreeSet<CaseId>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "select id from cases where urgency = 'akut' and id in {}",
        tx.engine().each_of_first()
    ));
    let ids = listed(ids.iter().map(|id| id.0));
    let found: Vec<CaseId> = on!(tx, c => sqlx::query_scalar(sql).bind(&ids).fetch_all(c).await)?;
    Ok(found.into_iter().collect())
}

/// The open cases that a message is about, and those to be followed up, by what is due first; at most `limit`.
///
/// # Errors
/// What the database says.
pub async fn of_message(tx: &mut Tx, message: MessageId, limit: i64) -> sqlx::Result<Vec<CaseRow>> {
    on!(tx, c => sqlx::query_as(concat!(
        "select ", columns!(), " from cases
         where id in (select case_id from reminders where message_id = $1)
           and (closed_at is null
             or id in (select case_id from reminders where message_id = $1 and stage like 'follow-%'))
         order by due_at, id limit $2"))
        .bind(message).bind(limit).fetch_all(c).await)
}
