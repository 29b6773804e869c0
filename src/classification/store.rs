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

/// A version of the judge, without its model.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct VersionRow {
    /// Its number, in the order they were made.
    pub number: i64,
    /// Hash of its model, as judgements name it.
    pub hash: String,
    /// The shipped model and the lexicon that it was learned beside; with others it is not used.
    pub basis: String,
    /// True when its model is kept; the shipped one is in the program.
    pub kept: bool,
    /// Its numbers on the regression set, as JSON.
    pub figures: String,
    /// The numbers of the one that was in office when it was made, as JSON.
    pub figures_before: Option<String>,
    /// How many corrections it learned from.
    pub corrections: i64,
    /// The last correction that it learned from.
    pub learned_to: i64,
    /// How many corrections of each question, as JSON.
    pub learned: String,
    /// Slug of where it stands.
    pub state: String,
    /// When it was made.
    pub made_at: Time,
    /// Since when it stands there.
    pub stands_since: Time,
    /// Who decided that: a staff key, or `lyhord`.
    pub stands_by: String,
    /// Why, in Swedish.
    pub because: String,
}

macro_rules! version_columns {
    () => {
        "number, hash, basis, model is not null as kept, figures, figures_before, corrections, learned_to, learned,
         state, made_at, stands_since, stands_by, because"
    };
}

/// A version about to be kept.
#[derive(Debug, Clone)]
pub struct NewVersion<'a> {
    /// Hash of its model.
    pub hash: &'a str,
    /// The shipped model and the lexicon that it was learned beside.
    pub basis: &'a str,
    /// Its model; nothing for the shipped one and for one that was refused.
    pub model: Option<&'a [u8]>,
    /// Its numbers, as JSON.
    pub figures: &'a str,
    /// The numbers of the one that was in office, as JSON.
    pub figures_before: Option<&'a str>,
    /// How many corrections it learned from.
    pub corrections: i64,
    /// The last of them.
    pub learned_to: i64,
    /// How many of each question, as JSON.
    pub learned: &'a str,
    /// Slug of where it stands.
    pub state: &'a str,
    /// Why, in Swedish.
    pub because: &'a str,
}

/// Keeps a version under the next number, which is given back. Two processes that try at once collide on the number,
/// and one of them begins again.
///
/// # Errors
/// What the database says.
pub async fn put_version(tx: &mut Tx, new: &NewVersion<'_>, now: Time) -> sqlx::Result<i64> {
    on!(tx, c => sqlx::query_scalar(
        "insert into judge_versions (number, hash, basis, model, figures, figures_before, corrections, learned_to,
           learned, state, made_at, stands_since, stands_by, because)
         values ((select coalesce(max(number), 0) + 1 from judge_versions), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10,
           'lyhord', $11) returning number")
        .bind(new.hash).bind(new.basis).bind(new.model).bind(new.figures).bind(new.figures_before)
        .bind(new.corrections).bind(new.learned_to).bind(new.learned).bind(new.state).bind(now).bind(new.because)
        .fetch_one(c).await)
}

/// The version in office, when one has been kept.
///
/// # Errors
/// What the database says.
pub async fn in_office(tx: &mut Tx) -> sqlx::Result<Option<VersionRow>> {
    on!(tx, c => sqlx::query_as(concat!(
        "select ", version_columns!(), " from judge_versions where state = 'in-office' order by number desc limit 1"))
        .fetch_optional(c).await)
}

/// The versions below a number, newest first.
///
/// # Errors
/// What the database says.
pub async fn versions(tx: &mut Tx, below: i64, limit: i64) -> sqlx::Result<Vec<VersionRow>> {
    on!(tx, c => sqlx::query_as(concat!(
        "select ", version_columns!(), " from judge_versions where number < $1 order by number desc limit $2"))
        .bind(below).bind(limit).fetch_all(c).await)
}

/// The shipped version of a basis, when its numbers have been kept.
///
/// # Errors
/// What the database says.
pub async fn shipped_version(tx: &mut Tx, basis: &str) -> sqlx::Result<Option<VersionRow>> {
    on!(tx, c => sqlx::query_as(concat!(
        "select ", version_columns!(), " from judge_versions where basis = $1 and learned_to = 0 and model is null
         and state <> 'refused' order by number limit 1"))
        .bind(basis).fetch_optional(c).await)
}

/// The model of a version; nothing when it is not kept.
///
/// # Errors
/// What the database says.
pub async fn model_of(tx: &mut Tx, number: i64) -> sqlx::Result<Option<Vec<u8>>> {
    let found: Option<Option<Vec<u8>>> = on!(tx, c => sqlx::query_scalar(
        "select model from judge_versions where number = $1").bind(number).fetch_optional(c).await)?;
    Ok(found.flatten())
}

/// The last correction that a judge of this basis has learned from; 0 when none has.
///
/// # Errors
/// What the database says.
pub async fn learned_to(tx: &mut Tx, basis: &str) -> sqlx::Result<i64> {
    on!(tx, c => sqlx::query_scalar("select coalesce(max(learned_to), 0) from judge_versions where basis = $1")
        .bind(basis).fetch_one(c).await)
}

/// The newest version that was good enough; 0 when there is none.
///
/// # Errors
/// What the database says.
pub async fn newest_good(tx: &mut Tx) -> sqlx::Result<i64> {
    on!(tx, c => sqlx::query_scalar("select coalesce(max(number), 0) from judge_versions where state <> 'refused'")
        .fetch_one(c).await)
}

/// Puts a version where it is to stand, with who decided it.
///
/// # Errors
/// What the database says.
pub async fn stand(tx: &mut Tx, number: i64, state: &str, by: &str, now: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update judge_versions set state = $2, stands_by = $3, stands_since = $4 where number = $1")
        .bind(number).bind(state).bind(by).bind(now).execute(c).await.map(|_| ()))
}

/// Lets go of the models of old versions; their numbers stay. Returns how many.
///
/// # Errors
/// What the database says.
pub async fn forget_models(tx: &mut Tx, kept: i64) -> sqlx::Result<u64> {
    on!(tx, c => sqlx::query(
        "update judge_versions set model = null where model is not null and state <> 'in-office' and number not in (
           select number from judge_versions where model is not null order by number desc limit $1)")
        .bind(kept).execute(c).await.map(|done| done.rows_affected()))
}
