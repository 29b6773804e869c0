//! All SQL about judgements: every one is kept, one stands.

use super::Classification;
use crate::clock::Time;
use crate::db::{Tx, listed};
use crate::id::{ClassificationId, MentionId};
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
