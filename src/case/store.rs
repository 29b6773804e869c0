//! All SQL about one case: finding, joining, changing. Every change names the revision it was decided on, so that of two clicks one wins.

use crate::clock::Time;
use crate::db::Tx;
use crate::id::{CaseId, MentionId, SourceId};
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
pub(super) use columns;

/// Adds a mention to a case that it belongs to.
///
/// # Errors
/// What the database says.
pub async fn add_mention(tx: &mut Tx, case: CaseId, mention: MentionId) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("insert into case_mentions (case_id, mention_id) values ($1, $2) on conflict do nothing")
        .bind(case).bind(mention).execute(c).await.map(|_| ()))
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
