//! All SQL about tips from colleagues.

use std::time::Duration;

use super::tip::{Form, Openness, Tip};
use crate::clock::Time;
use crate::db::Tx;
use crate::id::{CaseId, MentionId, TipId};
use crate::on;

/// A tip as it was told.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct TipRow {
    /// Its number.
    pub id: TipId,
    /// Which of our staff told it.
    pub told_by: String,
    /// Slug of whether it was open to all.
    pub openness: String,
    /// Where it was seen.
    pub place: String,
    /// Its address, until the mention has it.
    pub url: Option<String>,
    /// Its words, until the mention has them.
    pub body: String,
    /// When it was told.
    pub told_at: Time,
    /// What became of it.
    pub mention_id: Option<MentionId>,
}

/// How long the same post is the same tip; after that it is told anew.
const LATELY: Duration = Duration::from_hours(30 * 24);
/// So many of the latest tips are compared.
const LATELY_MAX: i64 = 500;

const COLUMNS: &str = "id, told_by, openness, place, url, body, told_at, mention_id";

/// Writes a tip down.
///
/// # Errors
/// What the database says.
pub async fn tell(tx: &mut Tx, told_by: &str, tip: &Tip, now: Time) -> sqlx::Result<TipId> {
    on!(tx, c => sqlx::query_scalar(
        "insert into tips (told_by, openness, place, url, body, told_at) values ($1, $2, $3, $4, $5, $6) returning id")
        .bind(told_by).bind(tip.openness.slug()).bind(&tip.place).bind(&tip.link).bind(&tip.text).bind(now)
        .fetch_one(c).await)
}

/// Keeps the picture of a tip.
///
/// # Errors
/// What the database says.
pub async fn keep_picture(tx: &mut Tx, tip: TipId, form: Form, picture: &[u8]) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("insert into tip_pictures (tip_id, form, picture) values ($1, $2, $3)")
        .bind(tip).bind(form.slug()).bind(picture).execute(c).await.map(|_| ()))
}

/// Tips that no job has seen to, in order; at most `limit`.
///
/// # Errors
/// What the database says.
pub async fn waiting_tips(tx: &mut Tx, limit: i64) -> sqlx::Result<Vec<TipRow>> {
    let sql = sqlx::AssertSqlSafe(format!("select {COLUMNS} from tips where mention_id is null order by id limit $1"));
    on!(tx, c => sqlx::query_as(sql).bind(limit).fetch_all(c).await)
}

/// A tip that was told not long ago.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Lately {
    /// Its number.
    pub id: TipId,
    /// What became of it; nothing until a job has seen to it.
    pub mention_id: Option<MentionId>,
    /// Slug of whether it was open to all.
    pub openness: String,
    /// Where it was seen.
    pub place: String,
    /// Its address.
    pub url: Option<String>,
    /// Its words, as they are now.
    pub body: String,
}

impl Lately {
    /// What was told.
    #[must_use]
    pub fn tip(&self) -> Tip {
        let openness = Openness::from_slug(&self.openness).unwrap_or(Openness::Open);
        Tip::known(openness, self.place.clone(), self.url.clone(), self.body.clone())
    }
}

/// The tip that told of this very post not long ago, before the tip with that number: see [`Tip::is_again`]. `page` gives
/// one key for one page.
///
/// # Errors
/// What the database says.
pub async fn told_before(
    tx: &mut Tx,
    tip: &Tip,
    before: TipId,
    now: Time,
    page: impl Fn(&str) -> String,
) -> sqlx::Result<Option<Lately>> {
    let lately: Vec<Lately> = on!(tx, c => sqlx::query_as(
        "select t.id, t.mention_id, t.openness, t.place, coalesce(m.url, t.url) as url, coalesce(m.body, t.body) as body
         from tips t left join mentions m on m.id = t.mention_id
         where t.id < $1 and t.told_at >= $2 and (t.mention_id is null or (m.deleted_at is null and m.body <> ''))
         order by t.id desc limit $3")
        .bind(before).bind(now.minus(LATELY)).bind(LATELY_MAX).fetch_all(c).await)?;
    Ok(lately.into_iter().find(|known| tip.is_again(&known.tip(), &page)))
}

/// The first tip that no job has seen to.
///
/// # Errors
/// What the database says.
pub async fn first_waiting_tip(tx: &mut Tx) -> sqlx::Result<Option<TipId>> {
    on!(tx, c => sqlx::query_scalar("select min(id) from tips where mention_id is null").fetch_one(c).await)
}

/// Says which mention a tip has become and lets its own words go; false when another job has.
///
/// # Errors
/// What the database says.
pub async fn become_mention(tx: &mut Tx, tip: TipId, mention: MentionId) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query(
        "update tips set mention_id = $2, url = null, body = '' where id = $1 and mention_id is null")
        .bind(tip).bind(mention).execute(c).await.map(|done| done.rows_affected() > 0))
}

/// A tip of a case, and the form of its picture when it has one.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct TipOfCase {
    /// Its number.
    pub id: TipId,
    /// Which of our staff told it.
    pub told_by: String,
    /// Slug of whether it was open to all.
    pub openness: String,
    /// Where it was seen.
    pub place: String,
    /// When it was told.
    pub told_at: Time,
    /// Slug of the picture's form.
    pub form: Option<String>,
}

/// The tips that a case has come from; at most `limit`.
///
/// # Errors
/// What the database says.
pub async fn tips_of_case(tx: &mut Tx, case: CaseId, limit: i64) -> sqlx::Result<Vec<TipOfCase>> {
    on!(tx, c => sqlx::query_as(
        "select t.id, t.told_by, t.openness, t.place, t.told_at, p.form from case_mentions cm
         join tips t on t.mention_id = cm.mention_id left join tip_pictures p on p.tip_id = t.id
         where cm.case_id = $1 order by t.id limit $2")
        .bind(case).bind(limit).fetch_all(c).await)
}

/// The picture of a tip of this very case.
///
/// # Errors
/// What the database says.
pub async fn picture_of_case(tx: &mut Tx, case: CaseId, tip: TipId) -> sqlx::Result<Option<(String, Vec<u8>)>> {
    on!(tx, c => sqlx::query_as(
        "select p.form, p.picture from case_mentions cm join tips t on t.mention_id = cm.mention_id
         join tip_pictures p on p.tip_id = t.id where cm.case_id = $1 and t.id = $2")
        .bind(case).bind(tip).fetch_optional(c).await)
}

/// What became of the tips that one of our staff has told, the latest first: `(told at, place, settled, case)`; at most
/// `limit`.
///
/// # Errors
/// What the database says.
pub async fn told_by(tx: &mut Tx, staff: &str, limit: i64) -> sqlx::Result<Vec<(Time, String, bool, Option<CaseId>)>> {
    on!(tx, c => sqlx::query_as(
        "select t.told_at, t.place, m.settled_at is not null,
           (select min(cm.case_id) from case_mentions cm where cm.mention_id = t.mention_id)
         from tips t left join mentions m on m.id = t.mention_id where t.told_by = $1 order by t.id desc limit $2")
        .bind(staff).bind(limit).fetch_all(c).await)
}

/// True when a mention is a tip about a threat or a crime that was not open to all.
///
/// # Errors
/// What the database says.
pub async fn tells_of_crime(tx: &mut Tx, mention: MentionId) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query_scalar(
        "select count(*) > 0 from tips where mention_id = $1 and openness = 'crime'")
        .bind(mention).fetch_one(c).await)
}

/// Lets go of pictures, and of where it was seen, of tips whose words have been purged. Returns how many pictures.
///
/// # Errors
/// What the database says.
pub async fn purge_with_words(tx: &mut Tx) -> sqlx::Result<u64> {
    const WORDLESS: &str = "select t.id from tips t join mentions m on m.id = t.mention_id where m.body = ''";
    let places = sqlx::AssertSqlSafe(format!("update tips set place = '' where place <> '' and id in ({WORDLESS})"));
    on!(tx, c => sqlx::query(places).execute(c).await.map(|_| ()))?;
    let pictures = sqlx::AssertSqlSafe(format!("delete from tip_pictures where tip_id in ({WORDLESS})"));
    on!(tx, c => sqlx::query(pictures).execute(c).await.map(|done| done.rows_affected()))
}
