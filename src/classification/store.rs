//! All SQL about judgements: every one is kept, one stands.

use super::Classification;
use crate::clock::Time;
use crate::db::{Tx, listed};
use crate::id::{CaseId, ClassificationId, MentionId};
use crate::mention::Relevance;
use crate::on;

/// Keeps a judgement and returns its number.
///
/// # Errors
/// What the database says.
pub async fn keep(
    tx: &mut Tx,
    mention: MentionId,
    verdict: &Classification,
    now: Time,
) -> sqlx::Result<ClassificationId> {
    let json = serde_json::to_string(verdict).map_err(|fault| sqlx::Error::Encode(Box::new(fault)))?;
    on!(tx, c => sqlx::query_scalar(
        "insert into classifications (mention_id, relevance, topic, intent, urgency, sentiment, verdict, judged_by, judged_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning id")
        .bind(mention).bind(slug(verdict.relevance)).bind(&verdict.topic).bind(verdict.intent.slug())
        .bind(verdict.urgency.slug()).bind(verdict.sentiment.slug()).bind(&json).bind(&verdict.by).bind(now)
        .fetch_one(c).await)
}

/// Keeps the judgements of a batch and lets each stand for its mention.
///
/// # Errors
/// What the database says.
pub async fn let_stand(tx: &mut Tx, batch: &[(MentionId, Classification)], now: Time) -> sqlx::Result<()> {
    if batch.is_empty() {
        return Ok(());
    }
    let json = |verdict: &Classification| serde_json::to_string(verdict);
    let rows: Result<Vec<_>, _> = batch.iter().map(|(id, verdict)| Ok((id, verdict, json(verdict)?))).collect();
    let rows = rows.map_err(|fault: serde_json::Error| sqlx::Error::Encode(Box::new(fault)))?;
    on!(tx, c => {
        let mut sql = sqlx::QueryBuilder::new(
            "insert into classifications (mention_id, relevance, topic, intent, urgency, sentiment, verdict, judged_by, judged_at) ");
        sql.push_values(&rows, |mut row, (id, verdict, json)| {
            row.push_bind(**id).push_bind(slug(verdict.relevance)).push_bind(&verdict.topic);
            row.push_bind(verdict.intent.slug()).push_bind(verdict.urgency.slug()).push_bind(verdict.sentiment.slug());
            row.push_bind(json).push_bind(&verdict.by).push_bind(now);
        });
        sql.build().execute(c).await.map(|_| ())
    })?;
    let sql = sqlx::AssertSqlSafe(format!(
        "update mentions set classification_id = (select max(j.id) from classifications j where j.mention_id = mentions.id)
         where id in {}",
        tx.engine().each_of_first()
    ));
    let ids = listed(batch.iter().map(|(id, _)| id.0));
    on!(tx, c => sqlx::query(sql).bind(&ids).execute(c).await.map(|_| ()))
}

/// The judgement that stands for a mention.
///
/// # Errors
/// What the database says; a verdict that is no longer readable is none.
pub async fn standing(tx: &mut Tx, mention: MentionId) -> sqlx::Result<Option<Classification>> {
    let json: Option<String> = on!(tx, c => sqlx::query_scalar(
        "select j.verdict from mentions m join classifications j on j.id = m.classification_id where m.id = $1")
        .bind(mention).fetch_optional(c).await)?;
    Ok(json.and_then(|json| serde_json::from_str(&json).ok()))
}

fn slug(relevance: Relevance) -> &'static str {
    match relevance {
        Relevance::Yes => "yes",
        Relevance::Review => "review",
        Relevance::No => "no",
    }
}

/// One correction with the post it is about.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Corrected {
    /// The post.
    pub mention_id: MentionId,
    /// The channel's slug.
    pub channel: String,
    /// Host name of its address: what the judge is told of the source.
    pub site: String,
    /// Headline.
    pub title: Option<String>,
    /// Plain text.
    pub body: String,
    /// Slug of the question.
    pub question: String,
    /// The right label.
    pub became: String,
}

/// A correction about to be written down.
#[derive(Debug, Clone, Copy)]
pub struct NewCorrection<'a> {
    /// The post.
    pub mention: MentionId,
    /// The case on whose page it was made.
    pub case: Option<CaseId>,
    /// Slug of the question.
    pub question: &'a str,
    /// The label that stood.
    pub was: &'a str,
    /// The right label.
    pub became: &'a str,
    /// Why, where a reason is asked for.
    pub reason: Option<&'a str>,
    /// Staff key of the one who corrects.
    pub made_by: &'a str,
}

/// Writes down a correction.
///
/// # Errors
/// What the database says.
pub async fn put_correction(tx: &mut Tx, new: &NewCorrection<'_>, now: Time) -> sqlx::Result<i64> {
    on!(tx, c => sqlx::query_scalar(
        "insert into corrections (mention_id, case_id, question, was, became, reason, made_by, made_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8) returning id")
        .bind(new.mention).bind(new.case).bind(new.question).bind(new.was).bind(new.became).bind(new.reason)
        .bind(new.made_by).bind(now).fetch_one(c).await)
}

/// The latest corrections with their posts, by post and then in the order they were made; at most `limit`. Posts whose
/// words are purged are not among them.
///
/// # Errors
/// What the database says.
pub async fn corrected(tx: &mut Tx, up_to: i64, limit: i64) -> sqlx::Result<Vec<Corrected>> {
    on!(tx, c => sqlx::query_as(
        "select k.mention_id, m.channel, m.site, m.title, m.body, k.question, k.became
         from (select id, mention_id, question, became from corrections where id <= $1 order by id desc limit $2) k
         join mentions m on m.id = k.mention_id where m.body <> '' order by k.mention_id, k.id")
        .bind(up_to).bind(limit).fetch_all(c).await)
}

/// How many corrections there are of each question: `(question, count)`.
///
/// # Errors
/// What the database says.
pub async fn correction_counts(tx: &mut Tx) -> sqlx::Result<Vec<(String, i64)>> {
    on!(tx, c => sqlx::query_as("select question, count(*) from corrections group by question order by question")
        .fetch_all(c).await)
}

/// The corrections that no judge has learned from yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Unlearned {
    /// How many.
    pub count: i64,
    /// The last one's number; 0 when there is none.
    pub last: i64,
    /// When the first of them was made.
    pub first_at: Option<Time>,
    /// When the last of them was made.
    pub last_at: Option<Time>,
}

/// The corrections after number `learned_to`.
///
/// # Errors
/// What the database says.
pub async fn unlearned(tx: &mut Tx, learned_to: i64) -> sqlx::Result<Unlearned> {
    on!(tx, c => sqlx::query_as(
        "select count(*) as count, coalesce(max(id), 0) as last, min(made_at) as first_at, max(made_at) as last_at
         from corrections where id > $1")
        .bind(learned_to).fetch_one(c).await)
}
