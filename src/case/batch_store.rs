//! All SQL about cases that a job takes a batch of at a time: those to open, to give out, and to look at.

use std::collections::BTreeMap;

use super::store::{CaseRow, columns};
use crate::clock::Time;
use crate::db::{Engine, Holds, Tx, rows};
use crate::id::{CaseId, MentionId, SourceId};
use crate::on;

/// A case about to be opened.
#[derive(Debug, Clone, serde::Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a column that stands for itself")]
pub struct NewCase<'a> {
    /// The mention that opens it.
    pub mention_id: MentionId,
    /// Its cluster.
    pub cluster_id: MentionId,
    /// Where it was found.
    pub source_id: SourceId,
    /// The channel's slug.
    pub channel: &'a str,
    /// The thread it stands in.
    pub thread: Option<&'a str>,
    /// A few words of the post.
    pub title: &'a str,
    /// Slug of the topic.
    pub topic: &'a str,
    /// Slug of the intent.
    pub intent: &'a str,
    /// Slug of the tone.
    pub sentiment: &'a str,
    /// Slug of the urgency.
    pub urgency: &'a str,
    /// The place it is about.
    pub place: Option<String>,
    /// Even the matter itself may be secret.
    pub protected: bool,
    /// Only those who must may see it.
    pub restricted: bool,
    /// A person must first say whether it is about us.
    pub triage: bool,
    /// When it reached the municipality.
    pub arrived_at: Time,
    /// It came by import.
    pub imported: bool,
}

/// Opens a case for each mention; it holds the mention that opened it, and is found by that post's words, which stand
/// beside it. Returns the cases by their mentions.
///
/// # Errors
/// What the database says.
pub async fn open(tx: &mut Tx, new: &[(NewCase<'_>, &str)], now: Time) -> sqlx::Result<BTreeMap<MentionId, CaseId>> {
    if new.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sql = sqlx::AssertSqlSafe(format!(
        "insert into cases (mention_id, cluster_id, source_id, channel, thread, state, title, topic, intent, sentiment,
           urgency, place, protected, restricted, triage, arrived_at, opened_at, imported)
         select mention_id, cluster_id, source_id, channel, thread, 'open', title, topic, intent, sentiment, urgency,
           place, protected, restricted, triage, arrived_at, $2, imported from {} order by mention_id
         returning mention_id, id",
        tx.engine().rows_of_first(&[
            ("mention_id", Holds::Number),
            ("cluster_id", Holds::Number),
            ("source_id", Holds::Number),
            ("channel", Holds::Text),
            ("thread", Holds::Text),
            ("title", Holds::Text),
            ("topic", Holds::Text),
            ("intent", Holds::Text),
            ("sentiment", Holds::Text),
            ("urgency", Holds::Text),
            ("place", Holds::Text),
            ("protected", Holds::Truth),
            ("restricted", Holds::Truth),
            ("triage", Holds::Truth),
            ("arrived_at", Holds::Number),
            ("imported", Holds::Truth)
        ])
    ));
    let cases = rows(&new.iter().map(|(case, _)| case).collect::<Vec<_>>())?;
    let opened: BTreeMap<MentionId, CaseId> =
        on!(tx, c => sqlx::query_as(sql).bind(&cases).bind(now).fetch_all(c).await)?.into_iter().collect();
    let held: Vec<(CaseId, MentionId)> = opened.iter().map(|(mention, case)| (*case, *mention)).collect();
    add_mentions(tx, &held).await?;
    let words: Vec<(CaseId, &str)> =
        new.iter().filter_map(|(case, words)| Some((*opened.get(&case.mention_id)?, *words))).collect();
    let (begin, end) = match tx.engine() {
        Engine::Sqlite => ("insert into case_words (rowid, words) ", ""),
        Engine::Postgres => (
            "insert into case_words (rowid, words) select v.id, to_tsvector('swedish', v.words) from (",
            ") as v (id, words)",
        ),
    };
    on!(tx, c => {
        let mut sql = sqlx::QueryBuilder::new(begin);
        sql.push_values(&words, |mut row, (case, words)| {
            row.push_bind(*case).push_bind(*words);
        });
        sql.push(end).build().execute(c).await.map(|_| ())
    })?;
    Ok(opened)
}

/// Adds mentions to the cases they belong to.
///
/// # Errors
/// What the database says.
pub async fn add_mentions(tx: &mut Tx, held: &[(CaseId, MentionId)]) -> sqlx::Result<()> {
    if held.is_empty() {
        return Ok(());
    }
    on!(tx, c => {
        let mut sql = sqlx::QueryBuilder::new("insert into case_mentions (case_id, mention_id) ");
        sql.push_values(held, |mut row, (case, mention)| {
            row.push_bind(*case).push_bind(*mention);
        });
        sql.push(" on conflict do nothing").build().execute(c).await.map(|_| ())
    })
}

/// Where a new mention stands, for finding the open case it belongs to.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct Arrival<'a> {
    /// Its number.
    pub id: MentionId,
    /// The channel's slug.
    pub channel: &'a str,
    /// The thread it stands in.
    pub thread: Option<&'a str>,
    /// Those that say the same thing.
    pub cluster_id: MentionId,
}

/// The open cases around a mention, the oldest of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Near {
    /// The mention.
    pub id: MentionId,
    /// A case in the same thread.
    pub in_thread: Option<CaseId>,
    /// A case in the same thread that waits for the writer's word.
    pub waiting: Option<CaseId>,
    /// A case with the same text elsewhere.
    pub in_cluster: Option<CaseId>,
}

/// The open cases that new mentions may belong to. Without the sums the database may walk over all cases in the order
/// of their numbers.
///
/// # Errors
/// What the database says.
pub async fn near(tx: &mut Tx, mentions: &[Arrival<'_>]) -> sqlx::Result<Vec<Near>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "select v.id,
           (select min(k.id + 0) from cases k
            where k.channel = v.channel and k.thread = v.thread and k.closed_at is null) as in_thread,
           (select min(k.id + 0) from cases k where k.channel = v.channel and k.thread = v.thread and k.closed_at is null
              and k.waiting_since is not null) as waiting,
           (select min(k.id + 0) from cases k where k.cluster_id = v.cluster_id and k.closed_at is null) as in_cluster
         from {}",
        tx.engine().rows_of_first(&[
            ("id", Holds::Number),
            ("channel", Holds::Text),
            ("thread", Holds::Text),
            ("cluster_id", Holds::Number)
        ])
    ));
    let mentions = rows(mentions)?;
    on!(tx, c => sqlx::query_as(sql).bind(&mentions).fetch_all(c).await)
}

/// Cases that have no unit yet, or whose judgement was corrected before anybody began; oldest first. A second worker
/// gets others.
///
/// # Errors
/// What the database says.
pub async fn unassigned(tx: &mut Tx, limit: i64) -> sqlx::Result<Vec<CaseRow>> {
    let sql = match tx.engine() {
        Engine::Sqlite => {
            concat!("select ", columns!(), " from cases where unit is null or reroute order by id limit $1")
        }
        Engine::Postgres => concat!(
            "select ",
            columns!(),
            " from cases where unit is null or reroute order by id limit $1 for update skip locked"
        ),
    };
    on!(tx, c => sqlx::query_as(sql).bind(limit).fetch_all(c).await)
}

/// The oldest case that waits to be given out, for the first time or anew.
///
/// # Errors
/// What the database says.
pub async fn first_unassigned(tx: &mut Tx) -> sqlx::Result<Option<CaseId>> {
    on!(tx, c => sqlx::query_scalar("select id from cases where unit is null or reroute order by id limit 1")
        .fetch_optional(c).await)
}

/// Open cases whose answer to "who is told what now" may have changed by `now`, longest waiting first.
///
/// # Errors
/// What the database says.
pub async fn to_look_at(tx: &mut Tx, now: Time, limit: i64) -> sqlx::Result<Vec<CaseRow>> {
    let sql = match tx.engine() {
        Engine::Sqlite => {
            concat!("select ", columns!(), " from cases where next_look_at <= $1 order by next_look_at limit $2")
        }
        Engine::Postgres => concat!(
            "select ",
            columns!(),
            " from cases where next_look_at <= $1 order by next_look_at limit $2 for update skip locked"
        ),
    };
    on!(tx, c => sqlx::query_as(sql).bind(now).bind(limit).fetch_all(c).await)
}

/// When the next case is to be looked at.
///
/// # Errors
/// What the database says.
pub async fn next_look(tx: &mut Tx) -> sqlx::Result<Option<Time>> {
    on!(tx, c => sqlx::query_scalar("select min(next_look_at) from cases where next_look_at is not null").fetch_one(c).await)
}

/// What was found when a case was looked at.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LookedAt {
    /// Which case.
    pub id: CaseId,
    /// When what is to be said can next change.
    pub next_look_at: Option<Time>,
    /// Why it is silent now, in Swedish.
    pub hold: Option<String>,
    /// Which kind of reason that is.
    pub hold_kind: Option<&'static str>,
    /// Until when.
    pub hold_until: Option<Time>,
}

/// Notes what was found when these cases were looked at; leaves the revisions, since nothing happened to them.
///
/// # Errors
/// What the database says.
pub async fn looked_at(tx: &mut Tx, found: &[LookedAt]) -> sqlx::Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    let sql = sqlx::AssertSqlSafe(format!(
        "update cases set next_look_at = v.next_look_at, hold = v.hold, hold_kind = v.hold_kind, hold_until = v.hold_until
         from {} where cases.id = v.id",
        tx.engine().rows_of_first(&[
            ("id", Holds::Number),
            ("next_look_at", Holds::Number),
            ("hold", Holds::Text),
            ("hold_kind", Holds::Text),
            ("hold_until", Holds::Number)
        ])
    ));
    let found = rows(found)?;
    on!(tx, c => sqlx::query(sql).bind(&found).execute(c).await.map(|_| ()))
}

/// Whose cases somebody can be told of, or stand in for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Around {
    /// Key of an owner.
    pub owner: Option<String>,
    /// Key of a unit.
    pub unit: Option<String>,
}

/// Makes the open cases that somebody's absence, silence or rhythm can concern be looked at now: those of these owners
/// and units, and what only a few may see, which has a line of its own.
///
/// # Errors
/// What the database says.
pub async fn look_again(tx: &mut Tx, around: &[Around], now: Time) -> sqlx::Result<u64> {
    if around.is_empty() {
        return Ok(0);
    }
    let sql = sqlx::AssertSqlSafe(format!(
        "update cases set next_look_at = $2 from {} where closed_at is null and cases.unit is not null
         and (cases.owner = v.owner or cases.unit = v.unit or cases.restricted)",
        tx.engine().rows_of_first(&[("owner", Holds::Text), ("unit", Holds::Text)])
    ));
    let around = rows(around)?;
    on!(tx, c => sqlx::query(sql).bind(&around).bind(now).execute(c).await.map(|done| done.rows_affected()))
}

/// What a silence is about, besides a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About<'a> {
    /// A unit's cases.
    Unit(&'a str),
    /// A topic's cases.
    Topic(&'a str),
    /// All that is not about danger.
    Crisis,
}

/// Makes the open cases that a silence which begins or ends can change be looked at now. What has been told, is
/// acknowledged, put off or waits for the citizen has nothing to be silent about until its own time comes, and danger
/// is never silent.
///
/// # Errors
/// What the database says.
pub async fn silence_changed(tx: &mut Tx, about: About<'_>, now: Time) -> sqlx::Result<u64> {
    let (unit, topic) = match about {
        About::Unit(unit) => (Some(unit), None),
        About::Topic(topic) => (None, Some(topic)),
        About::Crisis => (None, None),
    };
    on!(tx, c => sqlx::query(
        "update cases set next_look_at = $3 where closed_at is null and unit is not null and urgency <> 'akut'
         and (cast($1 as text) is null or unit = $1) and (cast($2 as text) is null or topic = $2)
         and (hold_kind is null or hold_kind in ('silenced', 'quiet-hours', 'closed', 'digest'))")
        .bind(unit).bind(topic).bind(now).execute(c).await.map(|done| done.rows_affected()))
}

/// What an assignment writes.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Assigned<'a> {
    /// Which case.
    pub id: CaseId,
    /// Key of the unit.
    pub unit: &'a str,
    /// Slug of the lane.
    pub lane: Option<&'a str>,
    /// Key of the owner.
    pub owner: &'a str,
    /// Why, in Swedish.
    pub because: &'a str,
    /// The calendar of the promise.
    pub calendar: &'a str,
    /// The version of the response times.
    pub policy_version: &'a str,
    /// When the first answer is promised.
    pub due_at: Time,
    /// When it is promised to be solved.
    pub resolve_by: Time,
    /// How the promise came about.
    pub due_because: &'a str,
    /// Our reading was late.
    pub discovered_late: bool,
    /// It waits in its unit's queue, and the owner answers for that.
    pub queued: bool,
}

/// Gives new cases to their owners with a promise each, and lets them be looked at at once.
///
/// # Errors
/// What the database says.
pub async fn assign(tx: &mut Tx, given: &[Assigned<'_>], now: Time) -> sqlx::Result<()> {
    if given.is_empty() {
        return Ok(());
    }
    let sql = sqlx::AssertSqlSafe(format!(
        "update cases set state = 'assigned', unit = v.unit, lane = v.lane, owner = v.owner, route_because = v.because,
           calendar = v.calendar, policy_version = v.policy_version, due_at = v.due_at, resolve_by = v.resolve_by,
           due_because = v.due_because, discovered_late = v.discovered_late, assigned_at = $2, acknowledged_at = null,
           acknowledged_by = null, reroute = false, ladder = null, next_look_at = $2,
           queued_at = case when v.queued then cast($2 as bigint) end,
           promise_started_at = coalesce(promise_started_at, $2), promise_look_at = v.due_at + 1,
           round = round + 1, revision = revision + 1
         from {} where cases.id = v.id",
        tx.engine().rows_of_first(&[
            ("id", Holds::Number),
            ("unit", Holds::Text),
            ("lane", Holds::Text),
            ("owner", Holds::Text),
            ("because", Holds::Text),
            ("calendar", Holds::Text),
            ("policy_version", Holds::Text),
            ("due_at", Holds::Number),
            ("resolve_by", Holds::Number),
            ("due_because", Holds::Text),
            ("discovered_late", Holds::Truth),
            ("queued", Holds::Truth)
        ])
    ));
    let given = rows(given)?;
    on!(tx, c => sqlx::query(sql).bind(&given).bind(now).execute(c).await.map(|_| ()))
}

/// How many open cases each member of staff has: `(staff, open, longest waiting since)`.
///
/// # Errors
/// What the database says.
pub async fn loads(tx: &mut Tx) -> sqlx::Result<Vec<(String, i64, Option<Time>)>> {
    on!(tx, c => sqlx::query_as(
        "select owner, count(*), max(assigned_at) from cases where closed_at is null and owner is not null
         and queued_at is null group by owner")
        .fetch_all(c).await)
}
