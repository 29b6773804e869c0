//! All SQL about judgements: every one is kept, one stands.

use super::Classification;
use crate::clock::Time;
use crate::db::Tx;
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
