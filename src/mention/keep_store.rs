//! All SQL about keeping posts: a batch at a time, each once by (channel, native id), joined to those that say the same.

use std::collections::HashMap;

use crate::clock::Time;
use crate::db::{Engine, Holds, Tx, listed, rows};
use crate::id::{MentionId, SourceId};
use crate::on;

/// A post that is kept, on its way in.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct NewMention<'a> {
    /// Where it was found.
    pub source_id: Option<SourceId>,
    /// The channel's slug.
    pub channel: &'a str,
    /// The channel's own name for it.
    pub native_id: &'a str,
    /// Where a person can read it.
    pub url: Option<&'a str>,
    /// The address without what does not tell posts apart.
    pub url_key: Option<&'a str>,
    /// Hash of the normalised text; 0 for a text without words.
    pub fingerprint: i64,
    /// The thread it stands in.
    pub thread: Option<&'a str>,
    /// The post it answers.
    pub reply_to: Option<&'a str>,
    /// The channel's number of it at this source.
    pub local_id: Option<&'a str>,
    /// Slug of the kind of post.
    pub kind: &'a str,
    /// Headline.
    pub title: Option<&'a str>,
    /// Plain text.
    pub body: &'a str,
    /// Sanitised HTML.
    pub html: Option<&'a str>,
    /// The writer as the channel shows her.
    pub author: Option<&'a str>,
    /// Language tag.
    pub language: Option<&'a str>,
    /// Host name of its address.
    pub site: &'a str,
    /// When it was written.
    pub authored_at: Time,
    /// When it was changed.
    pub updated_at: Option<Time>,
    /// When we first saw it.
    pub seen_at: Time,
    /// One of our own accounts wrote it.
    pub own: bool,
    /// It came by `lyhord import`.
    pub imported: bool,
    /// What the watch rules said, as JSON.
    pub hearing: String,
}

/// Keeps each post once; nothing stands for one that was kept before, or earlier in the batch. [`cluster`] completes
/// them.
///
/// # Errors
/// What the database says.
pub async fn keep(tx: &mut Tx, new: &[NewMention<'_>], now: Time) -> sqlx::Result<Vec<Option<MentionId>>> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let sql = sqlx::AssertSqlSafe(format!(
        "insert into mentions (source_id, channel, native_id, url, url_key, fingerprint, thread, reply_to, local_id, kind,
           title, body, html, author, language, site, authored_at, updated_at, seen_at, stored_at, own, imported, hearing)
         select source_id, channel, native_id, url, url_key, fingerprint, thread, reply_to, local_id, kind, title, body,
           html, author, language, site, authored_at, updated_at, seen_at, $2, own, imported, hearing
         from {} where true on conflict (channel, native_id) do nothing returning id, channel, native_id",
        tx.engine().rows_of_first(&[
            ("source_id", Holds::Number),
            ("channel", Holds::Text),
            ("native_id", Holds::Text),
            ("url", Holds::Text),
            ("url_key", Holds::Text),
            ("fingerprint", Holds::Number),
            ("thread", Holds::Text),
            ("reply_to", Holds::Text),
            ("local_id", Holds::Text),
            ("kind", Holds::Text),
            ("title", Holds::Text),
            ("body", Holds::Text),
            ("html", Holds::Text),
            ("author", Holds::Text),
            ("language", Holds::Text),
            ("site", Holds::Text),
            ("authored_at", Holds::Number),
            ("updated_at", Holds::Number),
            ("seen_at", Holds::Number),
            ("own", Holds::Truth),
            ("imported", Holds::Truth),
            ("hearing", Holds::Text)
        ])
    ));
    let written = rows(new)?;
    let written: Vec<(MentionId, String, String)> =
        on!(tx, c => sqlx::query_as(sql).bind(&written).bind(now).fetch_all(c).await)?;
    let mut ids: HashMap<(&str, &str), MentionId> =
        written.iter().map(|(id, channel, native)| ((channel.as_str(), native.as_str()), *id)).collect();
    Ok(new.iter().map(|new| ids.remove(&(new.channel, new.native_id))).collect())
}

/// What a new mention is recognised by.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct Marks<'a> {
    /// Its number; all that are asked about at once are newer than those they are held against.
    pub id: MentionId,
    /// The address without what does not tell posts apart.
    pub url_key: Option<&'a str>,
    /// Hash of the normalised text; nothing for a text without words.
    pub fingerprint: Option<i64>,
}

/// The clusters that a new mention may belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Same {
    /// The mention.
    pub id: MentionId,
    /// That of the first one with the same address.
    pub by_url: Option<MentionId>,
    /// That of the first one with the very same words.
    pub by_words: Option<MentionId>,
}

/// The clusters of earlier mentions with the same address, or with the very same words.
///
/// # Errors
/// What the database says.
pub async fn same(tx: &mut Tx, marks: &[Marks<'_>]) -> sqlx::Result<Vec<Same>> {
    let first = match tx.engine() {
        Engine::Sqlite => "order by m.id limit 1",
        // Without the sum it may walk over all mentions in the order of their numbers.
        Engine::Postgres => "order by m.id + 0 limit 1",
    };
    let sql = sqlx::AssertSqlSafe(format!(
        "select v.id,
           (select m.cluster_id from mentions m where m.url_key = v.url_key and m.cluster_id > 0 {first}) as by_url,
           (select m.cluster_id from mentions m where m.fingerprint = v.fingerprint and m.cluster_id > 0 {first}) as by_words
         from {}",
        tx.engine().rows_of_first(&[("id", Holds::Number), ("url_key", Holds::Text), ("fingerprint", Holds::Number)])
    ));
    let marks = rows(marks)?;
    on!(tx, c => sqlx::query_as(sql).bind(&marks).fetch_all(c).await)
}

/// Those of these bands under which a mention stands.
///
/// # Errors
/// What the database says.
pub async fn met(tx: &mut Tx, bands: &[i64]) -> sqlx::Result<Vec<i64>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "select distinct band from mention_bands where band in {}",
        tx.engine().each_of_first()
    ));
    let bands = listed(bands.iter().copied());
    on!(tx, c => sqlx::query_scalar(sql).bind(&bands).fetch_all(c).await)
}

/// How many entries under a text's bands are looked at: a text that has been copied a thousand times is found by its
/// first copies as well.
const BAND_ENTRIES: i64 = 256;

/// A mention that shares bands of text with another.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Alike {
    /// Its number.
    pub id: MentionId,
    /// Its cluster.
    pub cluster_id: MentionId,
    /// How many bands they share.
    pub shared: i64,
    /// Its text, to be compared.
    pub body: String,
}

/// Mentions that stand under these bands of text, those that share most first; at most `limit`.
///
/// # Errors
/// What the database says.
pub async fn alike(tx: &mut Tx, bands: &[i64], limit: i64) -> sqlx::Result<Vec<Alike>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "select m.id, m.cluster_id, f.shared, m.body
         from (select b.mention_id, count(*) as shared
               from (select mention_id from mention_bands where band in {}
                     order by band, mention_id limit $2) b
               group by b.mention_id order by shared desc, b.mention_id limit $3) f
         join mentions m on m.id = f.mention_id where m.cluster_id > 0 order by f.shared desc, m.id",
        tx.engine().each_of_first()
    ));
    let bands = listed(bands.iter().copied());
    on!(tx, c => sqlx::query_as(sql).bind(&bands).bind(BAND_ENTRIES).bind(limit).fetch_all(c).await)
}

/// A mention in its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Clustered {
    /// Its number.
    pub id: MentionId,
    /// The first mention that says the same; its own number when it is the first.
    pub cluster: MentionId,
}

/// A mention under a band of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Banded {
    /// The band.
    pub band: i64,
    /// The mention's number.
    pub id: MentionId,
}

/// Puts new mentions into their clusters and under the bands of their texts.
///
/// # Errors
/// What the database says.
pub async fn cluster(tx: &mut Tx, clustered: &[Clustered], banded: &[Banded]) -> sqlx::Result<()> {
    if clustered.is_empty() {
        return Ok(());
    }
    let engine = tx.engine();
    let sql = sqlx::AssertSqlSafe(format!(
        "update mentions set cluster_id = v.cluster from {} where mentions.id = v.id",
        engine.rows_of_first(&[("id", Holds::Number), ("cluster", Holds::Number)])
    ));
    let clustered = rows(clustered)?;
    on!(tx, c => sqlx::query(sql).bind(&clustered).execute(c).await.map(|_| ()))?;
    if banded.is_empty() {
        return Ok(());
    }
    // In the order of the index, so that neighbours are written together.
    let sql = sqlx::AssertSqlSafe(format!(
        "insert into mention_bands (band, mention_id) select band, id from {} where true order by band, id on conflict do nothing",
        engine.rows_of_first(&[("band", Holds::Number), ("id", Holds::Number)])
    ));
    let banded = rows(banded)?;
    on!(tx, c => sqlx::query(sql).bind(&banded).execute(c).await.map(|_| ()))
}
