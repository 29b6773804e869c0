//! All SQL about cases. Every change names the revision it was decided on, so that of two clicks one wins.

use crate::clock::Time;
use crate::db::{Engine, Holds, Tx, rows};
use crate::id::{CaseId, MentionId, MessageId, SourceId};
use crate::on;

/// A case as the database knows it.
#[derive(Debug, Clone, sqlx::FromRow)]
#[expect(clippy::struct_excessive_bools, reason = "each is a column that stands for itself")]
pub struct CaseRow {
    /// Its number, as a person says it.
    pub id: CaseId,
    /// The mention that opened it.
    pub mention_id: MentionId,
    /// The cluster of that mention.
    pub cluster_id: MentionId,
    /// Where it was found.
    pub source_id: SourceId,
    /// The channel's slug.
    pub channel: String,
    /// The thread it stands in.
    pub thread: Option<String>,
    /// Slug of its state.
    pub state: String,
    /// A few words of the post, for lists.
    pub title: String,
    /// Slug of the topic.
    pub topic: String,
    /// Slug of the intent.
    pub intent: String,
    /// Slug of the tone.
    pub sentiment: String,
    /// Slug of the urgency.
    pub urgency: String,
    /// The place it is about.
    pub place: Option<String>,
    /// Even the matter itself may be secret.
    pub protected: bool,
    /// Only those who must may see it (threats).
    pub restricted: bool,
    /// A person must first say whether it is about us.
    pub triage: bool,
    /// Key of the unit whose it is.
    pub unit: Option<String>,
    /// Slug of the lane it runs in.
    pub lane: Option<String>,
    /// Key of the member of staff whose it is.
    pub owner: Option<String>,
    /// Why it came there, in Swedish.
    pub route_because: Option<String>,
    /// The calendar its promise was made with.
    pub calendar: Option<String>,
    /// The version of the response times its promise was made with.
    pub policy_version: String,
    /// When it reached the municipality.
    pub arrived_at: Time,
    /// When we opened it.
    pub opened_at: Time,
    /// When it was given to its owner.
    pub assigned_at: Option<Time>,
    /// When somebody said "jag tar det".
    pub accepted_at: Option<Time>,
    /// When its owner last showed that she sees it.
    pub acknowledged_at: Option<Time>,
    /// When the first answer is promised.
    pub due_at: Option<Time>,
    /// When it is promised to be solved.
    pub resolve_by: Option<Time>,
    /// How the promise came about, in Swedish.
    pub due_because: Option<String>,
    /// Our reading was late, not the staff.
    pub discovered_late: bool,
    /// When it was first answered.
    pub first_answer_at: Option<Time>,
    /// When it was closed.
    pub closed_at: Option<Time>,
    /// Outcome code.
    pub outcome: Option<String>,
    /// What a person wrote about the outcome.
    pub outcome_note: Option<String>,
    /// Where the writer was referred.
    pub contact: Option<String>,
    /// How many times it has changed hands.
    pub round: i64,
    /// Grows with every change.
    pub revision: i64,
    /// When what is to be said can next change.
    pub next_look_at: Option<Time>,
    /// Why it is silent now, in Swedish.
    pub hold: Option<String>,
    /// Until when.
    pub hold_until: Option<Time>,
    /// It came by import.
    pub imported: bool,
    /// The writer has an answer from us in the channel, but what came of it has not been said: the promise that runs
    /// is the one to solve it.
    pub outcome_owed: bool,
    /// Since when the citizen has the word.
    pub waiting_since: Option<Time>,
    /// Until when we wait for the citizen at most.
    pub waiting_until: Option<Time>,
    /// Key of who last said "I have it".
    pub acknowledged_by: Option<String>,
    /// When the one who asks needs the answer: a journalist's own deadline.
    pub deadline_at: Option<Time>,
    /// Since when it waits in its unit's queue for somebody with room.
    pub queued_at: Option<Time>,
    /// Version of the ladder that the present round climbs.
    pub ladder: Option<String>,
    /// When the present promises began: at the opening, or when it was opened again.
    pub promise_started_at: Option<Time>,
    /// Slug of where the handling of a threat has come to.
    pub threat: Option<String>,
}

impl CaseRow {
    /// The promise that is still to be kept.
    #[must_use]
    pub fn promised_at(&self) -> Option<Time> {
        if self.outcome_owed { self.resolve_by.or(self.due_at) } else { self.due_at }
    }
}

macro_rules! columns {
    () => {
        "id, mention_id, cluster_id, source_id, channel, thread, state, title, topic, intent, sentiment, urgency, place,
    protected, restricted, triage, unit, lane, owner, route_because, calendar, policy_version, arrived_at, opened_at,
    assigned_at, accepted_at, acknowledged_at, due_at, resolve_by, due_because, discovered_late, first_answer_at,
    closed_at, outcome, outcome_note, contact, round, revision, next_look_at, hold, hold_until, imported,
    outcome_owed, waiting_since, waiting_until, acknowledged_by, deadline_at, queued_at, ladder,
    promise_started_at, threat"
    };
}

/// A case about to be opened.
#[derive(Debug, Clone)]
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

/// Opens a case; [`file`] completes it.
///
/// # Errors
/// What the database says.
pub async fn open(tx: &mut Tx, new: &NewCase<'_>, now: Time) -> sqlx::Result<CaseId> {
    on!(tx, c => sqlx::query_scalar(
        "insert into cases (mention_id, cluster_id, source_id, channel, thread, state, title, topic, intent, sentiment,
           urgency, place, protected, restricted, triage, arrived_at, opened_at, imported)
         values ($1, $2, $3, $4, $5, 'open', $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) returning id")
        .bind(new.mention_id).bind(new.cluster_id).bind(new.source_id).bind(new.channel).bind(new.thread)
        .bind(new.title).bind(new.topic).bind(new.intent).bind(new.sentiment).bind(new.urgency).bind(&new.place)
        .bind(new.protected).bind(new.restricted).bind(new.triage).bind(new.arrived_at).bind(now).bind(new.imported)
        .fetch_one(c).await)
}

/// Puts opened cases in order: each holds the mention that opened it, and is found by that post's words.
///
/// # Errors
/// What the database says.
pub async fn file(tx: &mut Tx, opened: &[(CaseId, MentionId, &str)]) -> sqlx::Result<()> {
    if opened.is_empty() {
        return Ok(());
    }
    on!(tx, c => {
        let mut sql = sqlx::QueryBuilder::new("insert into case_mentions (case_id, mention_id) ");
        sql.push_values(opened, |mut row, (case, mention, _)| {
            row.push_bind(*case).push_bind(*mention);
        });
        sql.push(" on conflict do nothing").build().execute(c).await.map(|_| ())
    })?;
    let (begin, end) = match tx.engine() {
        Engine::Sqlite => ("insert into case_words (rowid, words) ", ""),
        Engine::Postgres => (
            "insert into case_words (rowid, words) select v.id, to_tsvector('swedish', v.words) from (",
            ") as v (id, words)",
        ),
    };
    on!(tx, c => {
        let mut sql = sqlx::QueryBuilder::new(begin);
        sql.push_values(opened, |mut row, (case, _, words)| {
            row.push_bind(*case).push_bind(*words);
        });
        sql.push(end).build().execute(c).await.map(|_| ())
    })
}

/// Adds a mention to a case that it belongs to.
///
/// # Errors
/// What the database says.
pub async fn add_mention(tx: &mut Tx, case: CaseId, mention: MentionId) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("insert into case_mentions (case_id, mention_id) values ($1, $2) on conflict do nothing")
        .bind(case).bind(mention).execute(c).await.map(|_| ()))
}

/// An open case that a new mention belongs to: the same thread, or the same text elsewhere.
///
/// # Errors
/// What the database says.
pub async fn joinable(
    tx: &mut Tx,
    channel: &str,
    thread: Option<&str>,
    cluster: MentionId,
) -> sqlx::Result<Option<CaseId>> {
    if let Some(thread) = thread {
        let found: Option<CaseId> = on!(tx, c => sqlx::query_scalar(
            "select id from cases where channel = $1 and thread = $2 and closed_at is null order by id limit 1")
            .bind(channel).bind(thread).fetch_optional(c).await)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    on!(tx, c => sqlx::query_scalar("select id from cases where cluster_id = $1 and closed_at is null order by id limit 1")
        .bind(cluster).fetch_optional(c).await)
}

/// The case that a post of ours answers: the one with the very post, or else an open one in its thread. Open ones come
/// first, then the latest.
///
/// # Errors
/// What the database says.
pub async fn answered_by(
    tx: &mut Tx,
    channel: &str,
    reply_to: Option<&str>,
    thread: Option<&str>,
) -> sqlx::Result<Option<CaseId>> {
    if let Some(reply_to) = reply_to {
        let found: Option<CaseId> = on!(tx, c => sqlx::query_scalar(
            "select k.id from mentions m join case_mentions cm on cm.mention_id = m.id join cases k on k.id = cm.case_id
             where m.channel = $1 and m.native_id = $2 order by (case when k.closed_at is null then 0 else 1 end), k.id desc limit 1")
            .bind(channel).bind(reply_to).fetch_optional(c).await)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    let Some(thread) = thread else { return Ok(None) };
    on!(tx, c => sqlx::query_scalar(
        "select k.id from cases k where k.closed_at is null and k.channel = $1 and (k.thread = $2 or exists (
           select 1 from case_mentions cm join mentions m on m.id = cm.mention_id
           where cm.case_id = k.id and m.channel = $1 and m.native_id = $2)) order by k.id limit 1")
        .bind(channel).bind(thread).fetch_optional(c).await)
}

/// One case.
///
/// # Errors
/// What the database says.
pub async fn find(tx: &mut Tx, id: CaseId) -> sqlx::Result<Option<CaseRow>> {
    on!(tx, c => sqlx::query_as(concat!("select ", columns!(), " from cases where id = $1"))
        .bind(id).fetch_optional(c).await)
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

/// All open cases with an owner, oldest due first, for a dry run; at most `limit`.
///
/// # Errors
/// What the database says.
pub async fn waiting(tx: &mut Tx, limit: i64) -> sqlx::Result<Vec<CaseRow>> {
    on!(tx, c => sqlx::query_as(concat!(
        "select ", columns!(), " from cases where closed_at is null and unit is not null order by due_at, id limit $1"))
        .bind(limit).fetch_all(c).await)
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
        "update cases set next_look_at = v.next_look_at, hold = v.hold, hold_until = v.hold_until from {} where cases.id = v.id",
        tx.engine().rows_of_first(&[
            ("id", Holds::Number),
            ("next_look_at", Holds::Number),
            ("hold", Holds::Text),
            ("hold_until", Holds::Number)
        ])
    ));
    let found = rows(found)?;
    on!(tx, c => sqlx::query(sql).bind(&found).execute(c).await.map(|_| ()))
}

/// Makes every open case of a member of staff, a unit (`None` for all) be looked at now: a silence or an absence changed.
///
/// # Errors
/// What the database says.
pub async fn look_again(tx: &mut Tx, owner: Option<&str>, unit: Option<&str>, now: Time) -> sqlx::Result<u64> {
    on!(tx, c => sqlx::query(
        "update cases set next_look_at = $3 where closed_at is null and unit is not null
         and (cast($1 as text) is null or owner = $1) and (cast($2 as text) is null or unit = $2)")
        .bind(owner).bind(unit).bind(now).execute(c).await.map(|done| done.rows_affected()))
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

/// A change of a case, written only when nobody changed it since `revision`.
#[derive(Debug, Clone, Default)]
pub struct Change<'a> {
    /// The new state's slug.
    pub state: Option<&'a str>,
    /// The new unit.
    pub unit: Option<&'a str>,
    /// The new owner; a new round of reminders begins.
    pub owner: Option<&'a str>,
    /// Somebody took it.
    pub accepted_at: Option<Time>,
    /// Its owner showed that she sees it.
    pub acknowledged_at: Option<Time>,
    /// It was answered.
    pub first_answer_at: Option<Time>,
    /// It was closed.
    pub closed_at: Option<Time>,
    /// It was opened again: what closed it is wiped.
    pub reopened: bool,
    /// Outcome code.
    pub outcome: Option<&'a str>,
    /// What a person wrote about it.
    pub outcome_note: Option<&'a str>,
    /// Where the writer was referred.
    pub contact: Option<&'a str>,
    /// A new promise.
    pub due_at: Option<Time>,
    /// A person has said that it is about us.
    pub triaged: bool,
    /// A person has corrected what we think it is.
    pub rejudged: Option<Rejudged<'a>>,
    /// Key of who said "I have it"; with `acknowledged_at`.
    pub acknowledged_by: Option<&'a str>,
}

/// What a case is, after a correction.
#[derive(Debug, Clone, Copy)]
pub struct Rejudged<'a> {
    /// Slug of the topic.
    pub topic: &'a str,
    /// Slug of the intent.
    pub intent: &'a str,
    /// Slug of the tone.
    pub sentiment: &'a str,
    /// Slug of the urgency.
    pub urgency: &'a str,
    /// Even the matter itself may be secret.
    pub protected: bool,
    /// Only those who must may see it.
    pub restricted: bool,
    /// Nobody has begun, so it is given out anew; its holder has it until then.
    pub reroute: bool,
}

/// Changes a case; false when somebody else changed it first.
///
/// # Errors
/// What the database says.
pub async fn change(tx: &mut Tx, id: CaseId, revision: i64, change: &Change<'_>, now: Time) -> sqlx::Result<bool> {
    let rounds = i64::from(change.owner.is_some() || change.reopened);
    let judged = change.rejudged;
    on!(tx, c => sqlx::query(
        "update cases set state = coalesce($3, state), unit = coalesce($4, unit), owner = coalesce($5, owner),
           accepted_at = case when $13 then null else coalesce($6, accepted_at) end,
           acknowledged_at = case when $13 or $14 > 0 then $7 else coalesce($7, acknowledged_at) end,
           first_answer_at = coalesce(first_answer_at, $8),
           closed_at = case when $13 then null else coalesce($9, closed_at) end,
           outcome = case when $13 then null else coalesce($10, outcome) end,
           outcome_note = case when $13 then null else coalesce($11, outcome_note) end,
           outcome_owed = case when $13 or $9 is not null then false else outcome_owed end,
           contact = coalesce($12, contact), round = round + $14, due_at = coalesce($15, due_at),
           triage = case when $16 then false else triage end, hold = null, hold_until = null,
           next_look_at = case when closed_at is not null and not $13 then null else $17 end,
           topic = coalesce($18, topic), intent = coalesce($19, intent), sentiment = coalesce($20, sentiment),
           urgency = coalesce($21, urgency), protected = coalesce($22, protected),
           restricted = coalesce($23, restricted),
           reroute = case when $24 then true when $3 is not null or $5 is not null then false else reroute end,
           acknowledged_by = case when $13 or $14 > 0 then $25 else coalesce($25, acknowledged_by) end,
           ladder = case when $14 > 0 then null else ladder end,
           assigned_at = case when $14 > 0 then coalesce($17, assigned_at) else assigned_at end,
           queued_at = case when $5 is null and $6 is null and $9 is null then queued_at else null end,
           waiting_since = case when $9 is null and not $13 then waiting_since else null end,
           waiting_until = case when $9 is null and not $13 then waiting_until else null end,
           promise_look_at = case when $9 is null then promise_look_at else null end,
           revision = revision + 1
         where id = $1 and revision = $2")
        .bind(id).bind(revision).bind(change.state).bind(change.unit).bind(change.owner).bind(change.accepted_at)
        .bind(change.acknowledged_at).bind(change.first_answer_at).bind(change.closed_at).bind(change.outcome)
        .bind(change.outcome_note).bind(change.contact).bind(change.reopened).bind(rounds).bind(change.due_at)
        .bind(change.triaged).bind(if change.closed_at.is_some() { None } else { Some(now) })
        .bind(judged.map(|judged| judged.topic)).bind(judged.map(|judged| judged.intent))
        .bind(judged.map(|judged| judged.sentiment)).bind(judged.map(|judged| judged.urgency))
        .bind(judged.map(|judged| judged.protected)).bind(judged.map(|judged| judged.restricted))
        .bind(judged.is_some_and(|judged| judged.reroute))
        .bind(change.acknowledged_by)
        .execute(c).await.map(|done| done.rows_affected() > 0))
}

/// Notes that a case was answered in its channel at a moment, earlier than known if that is so; `owed` says that what
/// came of it is still to be told. False when somebody else changed the case first.
///
/// # Errors
/// What the database says.
pub async fn answered_in_channel(
    tx: &mut Tx,
    id: CaseId,
    revision: i64,
    at: Time,
    owed: bool,
    now: Time,
) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query(
        "update cases set first_answer_at = case when first_answer_at < $3 then first_answer_at else $3 end,
           outcome_owed = $4, triage = false, hold = null, hold_until = null,
           next_look_at = case when closed_at is null and unit is not null then $5 end, revision = revision + 1
         where id = $1 and revision = $2")
        .bind(id).bind(revision).bind(at).bind(owed).bind(now).execute(c).await.map(|done| done.rows_affected() > 0))
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

/// Wipes the words of cases closed before `before` whose intent stands in `intents` (`|a|b|`): the posts, the answers
/// and what search knows. Numbers, times and the journal stay. Returns how many cases.
///
/// # Errors
/// What the database says.
pub async fn purge_words(tx: &mut Tx, intents: &str, before: Time, limit: i64) -> sqlx::Result<u64> {
    let cases: Vec<CaseId> = on!(tx, c => sqlx::query_scalar(
        "select id from cases where closed_at < $1 and title <> '' and $2 like '%|' || intent || '|%' order by closed_at limit $3")
        .bind(before).bind(intents).bind(limit).fetch_all(c).await)?;
    for case in &cases {
        on!(tx, c => sqlx::query(
            "update mentions set title = null, body = '', html = null, author = null, url = null, hearing = '{}'
             where id in (select mention_id from case_mentions where case_id = $1)")
            .bind(*case).execute(c).await.map(|_| ()))?;
        on!(tx, c => sqlx::query(
            "delete from mention_versions where mention_id in (select mention_id from case_mentions where case_id = $1)")
            .bind(*case).execute(c).await.map(|_| ()))?;
        on!(tx, c => sqlx::query("update responses set body = '', url = null where case_id = $1")
            .bind(*case).execute(c).await.map(|_| ()))?;
        on!(tx, c => sqlx::query("update cases set title = '', outcome_note = null where id = $1")
            .bind(*case).execute(c).await.map(|_| ()))?;
        on!(tx, c => sqlx::query("delete from case_words where rowid = $1").bind(*case).execute(c).await.map(|_| ()))?;
    }
    Ok(cases.len() as u64)
}

/// The open cases that a message is about, by what is due first; at most `limit`.
///
/// # Errors
/// What the database says.
pub async fn of_message(tx: &mut Tx, message: MessageId, limit: i64) -> sqlx::Result<Vec<CaseRow>> {
    on!(tx, c => sqlx::query_as(concat!(
        "select ", columns!(), " from cases where closed_at is null
         and id in (select case_id from reminders where message_id = $1) order by due_at, id limit $2"))
        .bind(message).bind(limit).fetch_all(c).await)
}
