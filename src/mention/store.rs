//! All SQL about mentions that are kept: those to judge, to see to, and to show.

use crate::clock::Time;
use crate::db::{Engine, Tx, listed};
use crate::id::{CaseId, ClassificationId, MentionId, SourceId};
use crate::on;

use super::Heard;

/// A post about us, as it is kept.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Mention {
    /// Its number.
    pub id: MentionId,
    /// Where it was found.
    pub source_id: SourceId,
    /// The channel's slug.
    pub channel: String,
    /// The channel's own name for it.
    pub native_id: String,
    /// Where a person can read it.
    pub url: Option<String>,
    /// The first mention that says the same thing; its own number when it is the first.
    pub cluster_id: MentionId,
    /// The thread it stands in.
    pub thread: Option<String>,
    /// Slug of the kind of post.
    pub kind: String,
    /// Headline.
    pub title: Option<String>,
    /// Plain text.
    pub body: String,
    /// The writer as the channel shows her; shown in its case only.
    pub author: Option<String>,
    /// Language tag.
    pub language: Option<String>,
    /// Host name of its address.
    pub site: String,
    /// When it was written.
    pub authored_at: Time,
    /// When we first saw it.
    pub seen_at: Time,
    /// When it was stored.
    pub stored_at: Time,
    /// One of our own accounts wrote it.
    pub own: bool,
    /// It came by `lyhord import`: it never counts as a spike.
    pub imported: bool,
    /// What the watch rules said, as JSON.
    pub hearing: String,
}

const COLUMNS: &str =
    "m.id, m.source_id, m.channel, m.native_id, m.url, m.cluster_id, m.thread, m.kind, m.title, m.body,
    m.author, m.language, m.site, m.authored_at, m.seen_at, m.stored_at, m.own, m.imported, m.hearing";

/// Mentions that nobody has judged yet, oldest first; a second worker gets others.
///
/// # Errors
/// What the database says.
pub async fn unjudged(tx: &mut Tx, limit: i64) -> sqlx::Result<Vec<Mention>> {
    let lock = skip_locked(tx);
    let sql = sqlx::AssertSqlSafe(format!(
        "select {COLUMNS} from mentions m where m.classification_id is null order by m.id limit $1{lock}"
    ));
    on!(tx, c => sqlx::query_as(sql).bind(limit).fetch_all(c).await)
}

/// A judged mention with the judgement that stands.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Judged {
    /// The mention.
    #[sqlx(flatten)]
    pub mention: Mention,
    /// The judgement, as JSON.
    pub verdict: String,
}

/// Judged mentions of which nobody has yet said whether they want an answer, oldest first.
///
/// # Errors
/// What the database says.
pub async fn unsettled(tx: &mut Tx, limit: i64) -> sqlx::Result<Vec<Judged>> {
    let lock = match tx.engine() {
        Engine::Sqlite => "",
        Engine::Postgres => " for update of m skip locked",
    };
    let sql = sqlx::AssertSqlSafe(format!(
        "select {COLUMNS}, j.verdict from mentions m join classifications j on j.id = m.classification_id
         where m.settled_at is null and m.classification_id is not null order by m.id limit $1{lock}"
    ));
    on!(tx, c => sqlx::query_as(sql).bind(limit).fetch_all(c).await)
}

/// These mentions with the judgements that stand for them; those that are not judged are left out.
///
/// # Errors
/// What the database says.
pub async fn judged(tx: &mut Tx, ids: &[MentionId]) -> sqlx::Result<Vec<Judged>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "select {COLUMNS}, j.verdict from mentions m join classifications j on j.id = m.classification_id
         where m.id in {}",
        tx.engine().each_of_first()
    ));
    let ids = listed(ids.iter().map(|id| id.0));
    on!(tx, c => sqlx::query_as(sql).bind(&ids).fetch_all(c).await)
}

fn skip_locked(tx: &Tx) -> &'static str {
    match tx.engine() {
        Engine::Sqlite => "",
        Engine::Postgres => " for update skip locked",
    }
}

/// Notes that these mentions have been seen to: each opened a case, joined one, or wants no answer.
///
/// # Errors
/// What the database says.
pub async fn settle(tx: &mut Tx, ids: &[MentionId], now: Time) -> sqlx::Result<()> {
    let sql =
        sqlx::AssertSqlSafe(format!("update mentions set settled_at = $2 where id in {}", tx.engine().each_of_first()));
    let ids = listed(ids.iter().map(|id| id.0));
    on!(tx, c => sqlx::query(sql).bind(&ids).bind(now).execute(c).await.map(|_| ()))
}

/// Lets a judgement stand for a mention.
///
/// # Errors
/// What the database says.
pub async fn judged_as(tx: &mut Tx, id: MentionId, classification: ClassificationId) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update mentions set classification_id = $2 where id = $1")
        .bind(id).bind(classification).execute(c).await.map(|_| ()))
}

/// One mention.
///
/// # Errors
/// What the database says.
pub async fn find(tx: &mut Tx, id: MentionId) -> sqlx::Result<Option<Mention>> {
    let sql = sqlx::AssertSqlSafe(format!("select {COLUMNS} from mentions m where m.id = $1"));
    on!(tx, c => sqlx::query_as(sql).bind(id).fetch_optional(c).await)
}

/// The mentions of a case, oldest first; at most `limit`.
///
/// # Errors
/// What the database says.
pub async fn of_case(tx: &mut Tx, case: CaseId, limit: i64) -> sqlx::Result<Vec<Mention>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "select {COLUMNS} from case_mentions cm join mentions m on m.id = cm.mention_id
         where cm.case_id = $1 order by m.authored_at, m.id limit $2"
    ));
    on!(tx, c => sqlx::query_as(sql).bind(case).bind(limit).fetch_all(c).await)
}

/// How many mentions are kept, and how many of them wait for a judgement.
///
/// # Errors
/// What the database says.
pub async fn waiting(tx: &mut Tx) -> sqlx::Result<i64> {
    on!(tx, c => sqlx::query_scalar("select count(*) from mentions where classification_id is null").fetch_one(c).await)
}

/// A mention as a watch rule hears it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Text {
    /// Its number.
    pub id: MentionId,
    /// Headline.
    pub title: Option<String>,
    /// Plain text.
    pub body: String,
    /// The channel's slug.
    pub channel: String,
    /// The source's key.
    pub source: String,
    /// Language tag.
    pub language: Option<String>,
    /// Host name of its address.
    pub site: String,
    /// Slug of the kind of post.
    pub kind: String,
    /// True when it is not for a list: a possible threat, a matter that may be secret, or not judged yet.
    pub veiled: bool,
}

impl Text {
    /// The same for the rules.
    #[must_use]
    pub fn heard(&self) -> Heard<'_> {
        Heard {
            title: self.title.as_deref().unwrap_or_default(),
            text: &self.body,
            channel: &self.channel,
            source: &self.source,
            language: self.language.as_deref().unwrap_or_default(),
            site: &self.site,
            kind: &self.kind,
        }
    }
}

/// The latest mentions whose words are kept, for trying a watch rule on them; newest first.
///
/// # Errors
/// What the database says.
pub async fn texts(tx: &mut Tx, limit: i64) -> sqlx::Result<Vec<Text>> {
    on!(tx, c => sqlx::query_as(
        "select m.id, m.title, m.body, m.channel, s.key as source, m.language, m.site, m.kind,
           (j.id is null or j.intent = 'hot-hat' or exists (
             select 1 from case_mentions cm join cases k on k.id = cm.case_id
             where cm.mention_id = m.id and (k.restricted or k.protected))) as veiled
         from mentions m join sources s on s.id = m.source_id left join classifications j on j.id = m.classification_id
         where m.body <> '' order by m.id desc limit $1")
        .bind(limit).fetch_all(c).await)
}

/// Deletes mentions that never became a case and were stored before `before`; returns how many.
///
/// # Errors
/// What the database says.
pub async fn purge_without_case(tx: &mut Tx, before: Time, limit: i64) -> sqlx::Result<u64> {
    on!(tx, c => sqlx::query(
        "delete from mentions where id in (
           select m.id from mentions m where m.settled_at is not null and m.stored_at < $1
             and not exists (select 1 from case_mentions cm where cm.mention_id = m.id)
             and not exists (select 1 from cases k where k.mention_id = m.id) limit $2)")
        .bind(before).bind(limit).execute(c).await.map(|done| done.rows_affected()))
}
