//! The journal: an append-only diary of facts, each chained to the one before by a hash.
//!
//! An entry holds ids, codes and times, never the words of a post or the name of a citizen, so that it can be kept
//! when the post is purged. Whoever changes or removes a line breaks the chain, and `lyhord journal verify` says where.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::clock::Time;
use crate::db::{Engine, Tx};
use crate::hex::hex;
use crate::id::{CaseId, MentionId};
use crate::on;

/// The hash before the first entry.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// How many lines one statement writes: eight values each, well below the 32,766 that `SQLite` takes.
const ROWS_AT_A_TIME: usize = 500;
/// How many entries are read at a time when the chain is verified; bounds the memory.
const VERIFY_PAGE: i64 = 2_000;

/// Something that happened, to be written down.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// When it happened; for an answer given in the channel itself this is the channel's time.
    pub at: Time,
    /// Who did it: a staff key, or `lyhord`.
    pub actor: String,
    /// What happened, as `case.opened`.
    pub kind: &'static str,
    /// The case it is about.
    pub case: Option<CaseId>,
    /// The mention it is about.
    pub mention: Option<MentionId>,
    /// Codes, ids and times that belong to it.
    pub body: Value,
}

impl Fact {
    /// A fact about a case, done by the program itself.
    #[must_use]
    pub fn of_case(at: Time, kind: &'static str, case: CaseId, body: Value) -> Self {
        Self { at, actor: "lyhord".to_owned(), kind, case: Some(case), mention: None, body }
    }

    /// The same fact, done by `actor`.
    #[must_use]
    pub fn by(mut self, actor: &str) -> Self {
        actor.clone_into(&mut self.actor);
        self
    }
}

/// A written line of the journal.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Entry {
    /// Its number; the chain runs in this order without holes.
    pub seq: i64,
    /// When it happened.
    pub at: Time,
    /// Who did it.
    pub actor: String,
    /// What happened.
    pub kind: String,
    /// The case it is about.
    pub case_id: Option<CaseId>,
    /// The mention it is about.
    pub mention_id: Option<MentionId>,
    /// Codes, ids and times, as JSON.
    pub body: String,
    /// SHA-256 over this line and the hash before it, in hex.
    pub hash: String,
}

impl Entry {
    /// The body as JSON; null when it is not.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// Writes facts down. Call it last in a transaction: it holds the end of the chain until the commit.
///
/// # Errors
/// What the database says.
pub async fn append(tx: &mut Tx, facts: &[Fact]) -> sqlx::Result<()> {
    if facts.is_empty() {
        return Ok(());
    }
    let (mut seq, mut hash) = end_of_chain(tx).await?;
    for facts in facts.chunks(ROWS_AT_A_TIME) {
        let mut lines = Vec::with_capacity(facts.len());
        for fact in facts {
            seq += 1;
            let body = fact.body.to_string();
            hash = link(&hash, seq, fact.at, &fact.actor, fact.kind, fact.case, fact.mention, &body);
            lines.push((seq, fact, body, hash.clone()));
        }
        on!(tx, c => {
            let begin = "insert into journal (seq, at, actor, kind, case_id, mention_id, body, hash) ";
            let mut sql = sqlx::QueryBuilder::new(begin);
            sql.push_values(&lines, |mut row, (seq, fact, body, hash)| {
                row.push_bind(seq).push_bind(fact.at).push_bind(&fact.actor).push_bind(fact.kind);
                row.push_bind(fact.case).push_bind(fact.mention).push_bind(body).push_bind(hash);
            });
            sql.build().execute(c).await.map(|_| ())
        })?;
    }
    on!(tx, c => sqlx::query("update journal_end set seq = $1, hash = $2")
        .bind(seq).bind(&hash).execute(c).await.map(|_| ()))
}

async fn end_of_chain(tx: &mut Tx) -> sqlx::Result<(i64, String)> {
    let sql = match tx.engine() {
        Engine::Sqlite => "select seq, hash from journal_end",
        Engine::Postgres => "select seq, hash from journal_end for update",
    };
    on!(tx, c => sqlx::query_as(sql).fetch_one(c).await)
}

#[expect(clippy::too_many_arguments, reason = "every field of a line is part of its hash")]
fn link(
    before: &str,
    seq: i64,
    at: Time,
    actor: &str,
    kind: &str,
    case: Option<CaseId>,
    mention: Option<MentionId>,
    body: &str,
) -> String {
    let mut hasher = Sha256::new();
    let id = |id: Option<i64>| id.map(|id| id.to_string()).unwrap_or_default();
    let fields = [
        before,
        &seq.to_string(),
        &at.0.to_string(),
        actor,
        kind,
        &id(case.map(|c| c.0)),
        &id(mention.map(|m| m.0)),
        body,
    ];
    for field in fields {
        hasher.update(field.len().to_be_bytes());
        hasher.update(field.as_bytes());
    }
    hex(&hasher.finalize())
}

/// What a walk along the chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every line holds.
    Whole {
        /// How many lines.
        entries: i64,
    },
    /// The chain breaks.
    Broken {
        /// The first line that does not follow from the one before.
        seq: i64,
        /// What is wrong with it.
        why: String,
    },
}

/// Walks along the whole chain and says whether it holds, and where it breaks.
///
/// The end is read before the lines, in one statement with the last of them, so that lines which are written
/// meanwhile are no fault of the chain.
///
/// # Errors
/// What the database says.
pub async fn verify(tx: &mut Tx) -> sqlx::Result<Verdict> {
    let (end, end_hash, last): (i64, String, i64) = on!(tx, c => sqlx::query_as(
        "select seq, hash, (select coalesce(max(seq), 0) from journal) from journal_end").fetch_one(c).await)?;
    let (mut seq, mut hash) = (0, GENESIS.to_owned());
    loop {
        let page: Vec<Entry> = on!(tx, c => sqlx::query_as(
            "select seq, at, actor, kind, case_id, mention_id, body, hash from journal \
             where seq > $1 and seq <= $2 order by seq limit $3")
            .bind(seq).bind(last).bind(VERIFY_PAGE).fetch_all(c).await)?;
        if page.is_empty() {
            break;
        }
        for entry in page {
            if entry.seq != seq + 1 {
                return Ok(Verdict::Broken { seq: seq + 1, why: "the line is missing".to_owned() });
            }
            let expected = link(
                &hash,
                entry.seq,
                entry.at,
                &entry.actor,
                &entry.kind,
                entry.case_id,
                entry.mention_id,
                &entry.body,
            );
            if expected != entry.hash {
                return Ok(Verdict::Broken { seq: entry.seq, why: "the line has been changed".to_owned() });
            }
            (seq, hash) = (entry.seq, entry.hash);
        }
    }
    if end != seq || end_hash != hash {
        return Ok(Verdict::Broken { seq: seq + 1, why: "lines are missing at the end".to_owned() });
    }
    Ok(Verdict::Whole { entries: seq })
}

/// What has happened to a case, oldest first; at most `limit` lines.
///
/// # Errors
/// What the database says.
pub async fn of_case(tx: &mut Tx, case: CaseId, limit: i64) -> sqlx::Result<Vec<Entry>> {
    on!(tx, c => sqlx::query_as(
        "select seq, at, actor, kind, case_id, mention_id, body, hash from journal where case_id = $1 order by seq limit $2")
        .bind(case).bind(limit).fetch_all(c).await)
}

/// The latest lines before `before`, newest first.
///
/// # Errors
/// What the database says.
pub async fn latest(tx: &mut Tx, before: i64, limit: i64) -> sqlx::Result<Vec<Entry>> {
    on!(tx, c => sqlx::query_as(
        "select seq, at, actor, kind, case_id, mention_id, body, hash from journal where seq < $1 order by seq desc limit $2")
        .bind(before).bind(limit).fetch_all(c).await)
}

/// The lines after `seq`, oldest first.
///
/// # Errors
/// What the database says.
pub async fn after(tx: &mut Tx, seq: i64, limit: i64) -> sqlx::Result<Vec<Entry>> {
    on!(tx, c => sqlx::query_as(
        "select seq, at, actor, kind, case_id, mention_id, body, hash from journal where seq > $1 order by seq limit $2")
        .bind(seq).bind(limit).fetch_all(c).await)
}
