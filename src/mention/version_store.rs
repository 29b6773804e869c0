//! All SQL about what becomes of a post after it was kept: changed, taken away, answered.

use std::collections::HashSet;

use crate::clock::Time;
use crate::db::{Holds, Tx, listed, rows};
use crate::id::{CaseId, MentionId, SourceId};
use crate::on;

/// A kept post, as far as a later sight of it must know.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Kept {
    /// Its number.
    pub id: MentionId,
    /// Its words.
    pub body: String,
    /// When it was written.
    pub authored_at: Time,
    /// When it was last changed, as far as we know.
    pub updated_at: Option<Time>,
    /// How many versions there have been.
    pub version: i64,
    /// When it was taken away.
    pub deleted_at: Option<Time>,
    /// One of our own accounts wrote it.
    pub own: bool,
    /// The case it belongs to.
    pub case_id: Option<CaseId>,
}

const KEPT: &str = "m.id, m.body, m.authored_at, m.updated_at, m.version, m.deleted_at, m.own,
    (select min(cm.case_id) from case_mentions cm where cm.mention_id = m.id) as case_id";

/// More versions than this are a page that counts its visitors, not a person who changes her words.
const VERSIONS: i64 = 50;

impl Kept {
    /// Whether a later sight of it is a new version: it says so by its channel's clock, and says something else. What was
    /// taken away or purged stays so.
    #[must_use]
    pub fn is_changed_by(&self, text: &str, updated_at: Option<Time>) -> bool {
        updated_at.is_some_and(|at| at > self.updated_at.unwrap_or(self.authored_at))
            && self.body != text
            && !self.body.is_empty()
            && self.deleted_at.is_none()
            && self.version < VERSIONS
    }
}

/// The kept post of that name.
///
/// # Errors
/// What the database says.
pub async fn kept(tx: &mut Tx, channel: &str, native_id: &str) -> sqlx::Result<Option<Kept>> {
    let sql = sqlx::AssertSqlSafe(format!("select {KEPT} from mentions m where m.channel = $1 and m.native_id = $2"));
    on!(tx, c => sqlx::query_as(sql).bind(channel).bind(native_id).fetch_optional(c).await)
}

/// A post by the names that its channel has for it.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct Named<'a> {
    /// The channel's slug.
    pub channel: &'a str,
    /// The channel's own name for it.
    pub native_id: &'a str,
}

/// Which of these posts are kept: `(channel, native id)`.
///
/// # Errors
/// What the database says.
pub async fn known(tx: &mut Tx, named: &[Named<'_>]) -> sqlx::Result<HashSet<(String, String)>> {
    if named.is_empty() {
        return Ok(HashSet::new());
    }
    let sql = sqlx::AssertSqlSafe(format!(
        "select m.channel, m.native_id from {} join mentions m on m.channel = v.channel and m.native_id = v.native_id",
        tx.engine().rows_of_first(&[("channel", Holds::Text), ("native_id", Holds::Text)])
    ));
    let named = rows(named)?;
    Ok(on!(tx, c => sqlx::query_as(sql).bind(&named).fetch_all(c).await)?.into_iter().collect())
}

/// Who holds a name, as far as another that bears the same must know.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Held {
    /// The mark that it is told by; nothing for one that was kept without.
    pub local_id: Option<String>,
    /// Its words; empty when they were purged.
    pub body: String,
}

impl Held {
    /// Whether a post of the same name is the one that is kept. Where nobody can tell, it is.
    #[must_use]
    pub fn is(&self, mark: &str, text: &str) -> bool {
        match &self.local_id {
            Some(held) => held == mark,
            None => self.body.is_empty() || self.body == text,
        }
    }
}

/// Who holds a name in a channel.
///
/// # Errors
/// What the database says.
pub async fn held(tx: &mut Tx, channel: &str, native_id: &str) -> sqlx::Result<Option<Held>> {
    on!(tx, c => sqlx::query_as("select local_id, body from mentions where channel = $1 and native_id = $2")
        .bind(channel).bind(native_id).fetch_optional(c).await)
}

/// The kept post that a source knows by its own number.
///
/// # Errors
/// What the database says.
pub async fn kept_here(tx: &mut Tx, source: SourceId, local_id: &str) -> sqlx::Result<Option<Kept>> {
    let sql = sqlx::AssertSqlSafe(format!("select {KEPT} from mentions m where m.source_id = $1 and m.local_id = $2"));
    on!(tx, c => sqlx::query_as(sql).bind(source).bind(local_id).fetch_optional(c).await)
}

/// The new words of a post.
#[derive(Debug, Clone)]
pub struct Words<'a> {
    /// Headline.
    pub title: Option<&'a str>,
    /// Plain text.
    pub body: &'a str,
    /// Sanitised HTML.
    pub html: Option<&'a str>,
    /// Hash of the words.
    pub fingerprint: i64,
    /// What the watch rules say of them, as JSON.
    pub hearing: &'a str,
    /// When they were changed, by the channel's clock.
    pub updated_at: Time,
}

/// Lets a post say something else; what it said is kept as a version.
///
/// # Errors
/// What the database says.
pub async fn revise(tx: &mut Tx, id: MentionId, words: &Words<'_>, now: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "insert into mention_versions (mention_id, version, title, body, html, said_at, replaced_at)
         select id, version, title, body, html, coalesce(updated_at, authored_at), $2 from mentions where id = $1")
        .bind(id).bind(now).execute(c).await.map(|_| ()))?;
    on!(tx, c => sqlx::query(
        "update mentions set title = $2, body = $3, html = $4, fingerprint = $5, hearing = $6, updated_at = $7,
           version = version + 1 where id = $1")
        .bind(id).bind(words.title).bind(words.body).bind(words.html).bind(words.fingerprint).bind(words.hearing)
        .bind(words.updated_at).execute(c).await.map(|_| ()))
}

/// Lets a post that has no case be judged anew: its new words may want an answer.
///
/// # Errors
/// What the database says.
pub async fn judge_anew(tx: &mut Tx, id: MentionId) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update mentions set classification_id = null, settled_at = null where id = $1")
        .bind(id).execute(c).await.map(|_| ()))
}

/// Marks a post as taken away; false when it was.
///
/// # Errors
/// What the database says.
pub async fn take_away(tx: &mut Tx, id: MentionId, at: Time) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query("update mentions set deleted_at = $2 where id = $1 and deleted_at is null")
        .bind(id).bind(at).execute(c).await.map(|done| done.rows_affected() > 0))
}

/// An earlier version of a post.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Version {
    /// Of which post.
    pub mention_id: MentionId,
    /// Its number, counted from 1.
    pub version: i64,
    /// Headline.
    pub title: Option<String>,
    /// Plain text.
    pub body: String,
    /// When it was said.
    pub said_at: Time,
    /// When we saw that it had been replaced.
    pub replaced_at: Time,
}

/// The earlier versions of a case's posts, oldest first; at most `limit`.
///
/// # Errors
/// What the database says.
pub async fn versions_of_case(tx: &mut Tx, case: CaseId, limit: i64) -> sqlx::Result<Vec<Version>> {
    on!(tx, c => sqlx::query_as(
        "select v.mention_id, v.version, v.title, v.body, v.said_at, v.replaced_at
         from case_mentions cm join mention_versions v on v.mention_id = cm.mention_id
         where cm.case_id = $1 order by v.mention_id, v.version limit $2")
        .bind(case).bind(limit).fetch_all(c).await)
}

/// How the posts of a case have fared: `(post, version, taken away at)`, only those that were changed or taken away.
///
/// # Errors
/// What the database says.
pub async fn changed_of_case(
    tx: &mut Tx,
    case: CaseId,
    limit: i64,
) -> sqlx::Result<Vec<(MentionId, i64, Option<Time>)>> {
    on!(tx, c => sqlx::query_as(
        "select m.id, m.version, m.deleted_at from case_mentions cm join mentions m on m.id = cm.mention_id
         where cm.case_id = $1 and (m.version > 1 or m.deleted_at is not null) order by m.id limit $2")
        .bind(case).bind(limit).fetch_all(c).await)
}

/// Names of the posts of a channel that were kept since a moment, so that a stream knows which deletions matter; the
/// latest `limit`.
///
/// # Errors
/// What the database says.
pub async fn names_since(tx: &mut Tx, channel: &str, since: Time, limit: i64) -> sqlx::Result<Vec<String>> {
    on!(tx, c => sqlx::query_scalar(
        "select native_id from mentions where channel = $1 and stored_at >= $2 and deleted_at is null
         order by id desc limit $3")
        .bind(channel).bind(since).bind(limit).fetch_all(c).await)
}

/// Our own post in answer to a post of a case.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct OwnAnswer {
    /// The case whose post it answers.
    pub case_id: CaseId,
    /// Our post.
    pub id: MentionId,
    /// The channel's slug.
    pub channel: String,
    /// Its words.
    pub body: String,
    /// Its address.
    pub url: Option<String>,
    /// Its time.
    pub authored_at: Time,
}

/// Our own posts in answer to the posts of these cases, oldest first; at most `limit`.
///
/// # Errors
/// What the database says.
pub async fn own_answers(tx: &mut Tx, cases: &[CaseId], limit: i64) -> sqlx::Result<Vec<OwnAnswer>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "select cm.case_id, m.id, m.channel, m.body, m.url, m.authored_at
         from case_mentions cm join mentions q on q.id = cm.mention_id and not q.own
         join mentions m on m.channel = q.channel and m.reply_to = q.native_id and m.own
         where cm.case_id in {} order by m.authored_at, m.id limit $2",
        tx.engine().each_of_first()
    ));
    let cases = listed(cases.iter().map(|case| case.0));
    on!(tx, c => sqlx::query_as(sql).bind(&cases).bind(limit).fetch_all(c).await)
}

/// The post that a post answers, the thread it stands in and the channel's number of it.
///
/// # Errors
/// What the database says.
pub async fn place_of(
    tx: &mut Tx,
    id: MentionId,
) -> sqlx::Result<Option<(Option<String>, Option<String>, Option<String>)>> {
    on!(tx, c => sqlx::query_as("select reply_to, thread, local_id from mentions where id = $1")
        .bind(id).fetch_optional(c).await)
}

/// What the case of a post is called when its writer has taken the post away and its words have been let go.
const TAKEN_AWAY: &str = "Borttaget av den som skrev";

/// Wipes the words of posts that were taken away before `before`, what they said earlier, and what their cases had of
/// them: the heading, and the words that a case is found by. The rows stay. Returns how many.
///
/// # Errors
/// What the database says.
pub async fn purge_taken_away(tx: &mut Tx, before: Time, limit: i64) -> sqlx::Result<u64> {
    let gone: Vec<MentionId> = on!(tx, c => sqlx::query_scalar(
        "select id from mentions where deleted_at < $1 and body <> '' order by deleted_at limit $2")
        .bind(before).bind(limit).fetch_all(c).await)?;
    for id in &gone {
        on!(tx, c => sqlx::query(
            "update mentions set title = null, body = '', html = null, author = null, url = null, hearing = '{}' where id = $1")
            .bind(*id).execute(c).await.map(|_| ()))?;
        on!(tx, c => sqlx::query("delete from mention_versions where mention_id = $1")
            .bind(*id).execute(c).await.map(|_| ()))?;
        let cases: Vec<CaseId> = on!(tx, c => sqlx::query_scalar(
            "update cases set title = $2 where mention_id = $1 and title <> '' returning id")
            .bind(*id).bind(TAKEN_AWAY).fetch_all(c).await)?;
        for case in cases {
            on!(tx, c => sqlx::query("delete from case_words where rowid = $1").bind(case).execute(c).await.map(|_| ()))?;
        }
    }
    Ok(gone.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> Kept {
        Kept {
            id: MentionId(1),
            body: "brunt vatten".into(),
            authored_at: Time(1_000),
            updated_at: None,
            version: 1,
            deleted_at: None,
            own: false,
            case_id: None,
        }
    }

    #[test]
    fn a_post_of_the_same_name_is_the_same_by_its_mark_and_by_its_words_where_there_is_none() {
        let held =
            |local_id: Option<&str>, body: &str| Held { local_id: local_id.map(str::to_owned), body: body.to_owned() };
        assert!(held(Some("a"), "x").is("a", "y") && !held(Some("a"), "x").is("b", "x"));
        assert!(held(None, "x").is("b", "x") && !held(None, "x").is("b", "y"));
        assert!(held(None, "").is("b", "y"), "it was purged, and nobody can tell");
    }

    #[test]
    fn other_words_at_a_later_hour_are_a_new_version() {
        assert!(kept().is_changed_by("klart vatten", Some(Time(2_000))));
        assert!(!kept().is_changed_by("brunt vatten", Some(Time(2_000))), "the same words");
        assert!(!kept().is_changed_by("klart vatten", None), "the channel does not say that it was changed");
        assert!(!kept().is_changed_by("klart vatten", Some(Time(1_000))), "an older page came late");
        let twice = Kept { updated_at: Some(Time(2_000)), version: 2, ..kept() };
        assert!(!twice.is_changed_by("klart vatten", Some(Time(2_000))));
    }

    #[test]
    fn what_was_taken_away_or_purged_does_not_come_back() {
        assert!(!Kept { deleted_at: Some(Time(1_500)), ..kept() }.is_changed_by("klart", Some(Time(2_000))));
        assert!(!Kept { body: String::new(), ..kept() }.is_changed_by("klart", Some(Time(2_000))));
        assert!(!Kept { version: VERSIONS, ..kept() }.is_changed_by("klart", Some(Time(2_000))));
    }
}
