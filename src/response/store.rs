//! All SQL about answers.

use super::Kind;
use crate::clock::Time;
use crate::db::Tx;
use crate::id::{CaseId, MentionId, ResponseId};
use crate::on;

/// An answer as it was given.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ResponseRow {
    /// Its number.
    pub id: ResponseId,
    /// The case it answers.
    pub case_id: CaseId,
    /// `answer`, `referral`, `first` or `question`.
    pub kind: String,
    /// Its words.
    pub body: String,
    /// Where it stands in the channel.
    pub url: Option<String>,
    /// Key of the unit that answered, which need not be the one whose case it was.
    pub unit: Option<String>,
    /// Key of the one who answered.
    pub written_by: String,
    /// When it was given.
    pub answered_at: Time,
}

/// An answer about to be written down.
#[derive(Debug, Clone)]
pub struct NewResponse<'a> {
    /// The case it answers.
    pub case: CaseId,
    /// How it came about.
    pub kind: Kind,
    /// Its words.
    pub body: &'a str,
    /// Where it stands in the channel.
    pub url: Option<&'a str>,
    /// Key of the unit that answered.
    pub unit: Option<&'a str>,
    /// Key of the one who answered.
    pub written_by: &'a str,
    /// When it was given.
    pub answered_at: Time,
}

/// Writes down an answer.
///
/// # Errors
/// What the database says.
pub async fn put(tx: &mut Tx, new: &NewResponse<'_>, now: Time) -> sqlx::Result<ResponseId> {
    on!(tx, c => sqlx::query_scalar(
        "insert into responses (case_id, kind, body, url, unit, written_by, answered_at, noted_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8) returning id")
        .bind(new.case).bind(new.kind.slug()).bind(new.body).bind(new.url).bind(new.unit).bind(new.written_by)
        .bind(new.answered_at).bind(now).fetch_one(c).await)
}

/// The answers to a case, oldest first; at most `limit`.
///
/// # Errors
/// What the database says.
pub async fn of_case(tx: &mut Tx, case: CaseId, limit: i64) -> sqlx::Result<Vec<ResponseRow>> {
    on!(tx, c => sqlx::query_as(
        "select id, case_id, kind, body, url, unit, written_by, answered_at from responses
         where case_id = $1 order by answered_at, id limit $2")
        .bind(case).bind(limit).fetch_all(c).await)
}

/// A question that has been answered, with its first answer.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Answered {
    /// Its case.
    pub case_id: CaseId,
    /// A few words of the question.
    pub question: String,
    /// Slug of its topic.
    pub topic: String,
    /// The place it is about.
    pub place: Option<String>,
    /// The answer's words.
    pub answer: String,
    /// Key of the unit that answered.
    pub unit: Option<String>,
    /// When the question reached us.
    pub arrived_at: Time,
    /// When it was answered.
    pub answered_at: Time,
}

/// The latest answered questions of a topic (`None` for all), without those that may be secret; newest first. Read by
/// closing time backwards, so that an old archive costs nothing.
///
/// # Errors
/// What the database says.
pub async fn answered(tx: &mut Tx, topic: Option<&str>, since: Time, limit: i64) -> sqlx::Result<Vec<Answered>> {
    on!(tx, c => sqlx::query_as(
        "select c.id as case_id, c.title as question, c.topic, c.place, r.body as answer, r.unit, c.arrived_at, r.answered_at
         from cases c join responses r on r.case_id = c.id
         where c.closed_at >= $2 and c.state = 'answered' and not c.protected and not c.restricted
           and (cast($1 as text) is null or c.topic = $1)
           and r.id = (select min(x.id) from responses x where x.case_id = c.id and x.kind in ('answer', 'referral'))
         order by c.closed_at desc limit $3")
        .bind(topic).bind(since).bind(limit).fetch_all(c).await)
}

macro_rules! answered_where {
    ($what:literal) => {
        concat!(
            "select c.id as case_id, c.title as question, c.topic, c.place, r.body as answer, r.unit, c.arrived_at,
               r.answered_at
             from cases c join responses r on r.case_id = c.id
             where c.state = 'answered' and not c.protected and not c.restricted and ",
            $what,
            " and r.body <> '' and r.id = (select min(x.id) from responses x where x.case_id = c.id)
             order by c.closed_at desc limit $4"
        )
    };
}

/// The latest answered questions of a topic, of one place or of all, without those that may be secret; newest first.
/// An index has them in this order, so that a large archive costs nothing.
///
/// # Errors
/// What the database says.
pub async fn answered_in(
    tx: &mut Tx,
    topic: &str,
    place: Option<&str>,
    since: Time,
    limit: i64,
) -> sqlx::Result<Vec<Answered>> {
    let sql = match place {
        Some(_) => answered_where!("c.topic = $1 and c.place = $2 and c.closed_at >= $3"),
        None => answered_where!("c.topic = $1 and cast($2 as text) is null and c.closed_at >= $3"),
    };
    on!(tx, c => sqlx::query_as(sql).bind(topic).bind(place).bind(since).bind(limit).fetch_all(c).await)
}

/// The latest answered cases of a cluster: the same text, answered before; without those that may be secret.
///
/// # Errors
/// What the database says.
pub async fn answered_copies(tx: &mut Tx, cluster: MentionId, since: Time, limit: i64) -> sqlx::Result<Vec<Answered>> {
    let sql = answered_where!("c.cluster_id = $1 and cast($2 as text) is null and c.closed_at >= $3");
    on!(tx, c => sqlx::query_as(sql).bind(cluster).bind(None::<String>).bind(since).bind(limit).fetch_all(c).await)
}
