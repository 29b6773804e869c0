//! Hears each post and keeps those that are about us, in the caller's transaction. What no rule hears lives only in
//! memory: it leaves a number behind and nothing else.

use std::collections::BTreeMap;

use crate::app::App;
use crate::calendar::stockholm;
use crate::clock::Time;
use crate::db::Tx;
use crate::id::{MentionId, SourceId};
use crate::jobs::Job;
use crate::journal::Fact;
use crate::mention::address;
use crate::mention::fingerprint::{fingerprint, similarity};
use crate::mention::store::NewMention;
use crate::mention::version_store::{self, Kept as Known, Words};
use crate::mention::{self, Heard, Hearing, Relevance};
use crate::source::reduce::Markup;
use crate::source::{self, Gone, Name, Post};

/// How alike two texts must be to say the same thing: copies of one news item with another headline are above it.
const SAME_FROM: f64 = 0.85;
/// How many earlier texts are compared, those that share most bands first: syndicated copies are found by the first.
const COMPARED: i64 = 8;

/// Where posts come from and how.
#[derive(Debug, Clone, Copy)]
pub struct From<'a> {
    /// The source's number.
    pub source: SourceId,
    /// The source's key.
    pub key: &'a str,
    /// They come by `lyhord import`.
    pub imported: bool,
}

/// What became of the posts.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// How many posts there were.
    pub seen: usize,
    /// How many a rule heard.
    pub heard: usize,
    /// How many of those are new.
    pub new: usize,
    /// How many that were known have been changed or taken away.
    pub changed: usize,
    /// What happened, for the journal.
    pub facts: Vec<Fact>,
}

/// What is said to us is kept though no rule hears it.
const TO_US: &str =
    "Inlägget är ställt till kommunen: till vårt konto, i en tråd där vi har svarat, eller lämnat till oss.";

/// Hears and keeps. Enqueues the next step when something new was kept.
///
/// # Errors
/// What the database says.
pub async fn keep(app: &App, tx: &mut Tx, from: From<'_>, posts: &[Post], now: Time) -> sqlx::Result<Kept> {
    let mut kept = Kept { seen: posts.len(), ..Kept::default() };
    let mut tallies: BTreeMap<(String, &str), i64> = BTreeMap::new();
    *tallies.entry((format!("source:{}", from.key), "seen")).or_default() += i64::try_from(posts.len()).unwrap_or(0);
    let mut judge = false;
    for post in posts {
        let site = post.url.as_deref().map(site).unwrap_or_default();
        let Some((hearing, own)) = heard(app, from.key, post, &site) else { continue };
        kept.heard += 1;
        if let Some(id) = keep_one(tx, from, post, own, &hearing, &site, now).await? {
            kept.new += 1;
            for rule in &hearing.rules {
                *tallies.entry((format!("rule:{rule}"), "heard")).or_default() += 1;
            }
            let body = serde_json::json!({ "source": from.key, "channel": post.channel, "rules": hearing.rules, "imported": from.imported });
            let kind = "mention.kept";
            kept.facts.push(Fact { at: now, actor: "lyhord".to_owned(), kind, case: None, mention: Some(id), body });
        } else if let Some(fact) = revise(tx, post, &hearing, now).await? {
            judge |= fact.case.is_none();
            kept.changed += 1;
            kept.facts.push(fact);
        }
    }
    *tallies.entry((format!("source:{}", from.key), "heard")).or_default() += i64::try_from(kept.heard).unwrap_or(0);
    let day = now.zoned(&stockholm()).date().to_string();
    for ((subject, what), n) in tallies {
        source::store::tally(tx, &day, &subject, what, n).await?;
    }
    if kept.new > 0 || judge {
        Job::ClassifyMentions.enqueue(tx, now).await?;
    }
    Ok(kept)
}

/// True when a post is kept: a rule hears it, it is said to us, or it is our own.
#[must_use]
pub fn concerns_us(app: &App, key: &str, post: &Post) -> bool {
    heard(app, key, post, &post.url.as_deref().map(site).unwrap_or_default()).is_some()
}

/// What the rules say of a post that is kept, and whether we wrote it; nothing when it is none of ours.
fn heard(app: &App, key: &str, post: &Post, site: &str) -> Option<(Hearing, bool)> {
    let mut hearing = app.watch.hear(&Heard {
        title: post.title.as_deref().unwrap_or_default(),
        text: &post.text,
        channel: &post.channel,
        source: key,
        language: post.language.as_deref().unwrap_or_default(),
        site,
        kind: post.kind.slug(),
    });
    let own =
        post.own || post.writer.as_deref().is_some_and(|writer| app.config.accounts.is_ours(&post.channel, writer));
    if post.to_us && !own {
        hearing.relevance = Relevance::Yes;
        hearing.score = 1.0;
        hearing.handed_in = post.handed_in;
        hearing.because.insert(0, TO_US.to_owned());
    }
    (hearing.relevance != Relevance::No || own).then_some((hearing, own))
}

/// A known post that says something else now: what it said is kept as a version. One without a case is judged anew.
async fn revise(tx: &mut Tx, post: &Post, hearing: &Hearing, now: Time) -> sqlx::Result<Option<Fact>> {
    let Some(updated_at) = post.updated_at else { return Ok(None) };
    let Some(known) = version_store::kept(tx, &post.channel, &post.native_id).await? else { return Ok(None) };
    if !known.is_changed_by(&post.text, Some(updated_at)) {
        return Ok(None);
    }
    let html = post.markup.as_ref().and_then(Markup::sanitised);
    let words = Words {
        title: post.title.as_deref(),
        body: &post.text,
        html: html.as_deref(),
        fingerprint: fingerprint(&post.text).exact,
        hearing: &serde_json::to_string(hearing).unwrap_or_else(|_| "{}".to_owned()),
        updated_at,
    };
    version_store::revise(tx, known.id, &words, now).await?;
    if known.case_id.is_none() && !known.own {
        version_store::judge_anew(tx, known.id).await?;
    }
    let body = serde_json::json!({ "version": known.version + 1, "updated_at": updated_at.to_string() });
    Ok(Some(told("mention.edited", &known, body, now)))
}

/// Marks what is no longer there; what was never ours leaves no trace. Its words stay until a decision lets them go.
///
/// # Errors
/// What the database says.
pub async fn take_away(
    tx: &mut Tx,
    from: From<'_>,
    channel: &str,
    gone: &[Gone],
    now: Time,
) -> sqlx::Result<Vec<Fact>> {
    let mut facts = Vec::new();
    for gone in gone {
        let known = match &gone.name {
            Name::Native(name) => version_store::kept(tx, channel, name).await?,
            Name::Local(name) => version_store::kept_here(tx, from.source, name).await?,
        };
        let Some(known) = known else { continue };
        if version_store::take_away(tx, known.id, gone.at.unwrap_or(now).min(now)).await? {
            let body = serde_json::json!({ "source": from.key, "own": known.own });
            facts.push(told("mention.deleted", &known, body, now));
        }
    }
    Ok(facts)
}

fn told(kind: &'static str, known: &Known, body: serde_json::Value, now: Time) -> Fact {
    Fact { at: now, actor: "lyhord".to_owned(), kind, case: known.case_id, mention: Some(known.id), body }
}

async fn keep_one(
    tx: &mut Tx,
    from: From<'_>,
    post: &Post,
    own: bool,
    hearing: &Hearing,
    site: &str,
    now: Time,
) -> sqlx::Result<Option<MentionId>> {
    let print = fingerprint(&post.text);
    let key = post.url.as_deref().map(address::key);
    let html = post.markup.as_ref().and_then(Markup::sanitised);
    let new = NewMention {
        source_id: Some(from.source),
        channel: &post.channel,
        native_id: &post.native_id,
        url: post.url.as_deref(),
        url_key: key.clone(),
        fingerprint: print.exact,
        bands: print.bands.to_vec(),
        thread: post.thread.as_deref(),
        reply_to: post.reply_to.as_deref(),
        local_id: post.local_id.as_deref(),
        kind: post.kind.slug(),
        title: post.title.as_deref(),
        body: &post.text,
        html: html.as_deref(),
        author: post.author.as_deref(),
        language: post.language.as_deref(),
        site,
        authored_at: post.authored_at.unwrap_or(now).min(now),
        updated_at: post.updated_at,
        seen_at: now,
        own,
        imported: from.imported,
        hearing: serde_json::to_string(hearing).unwrap_or_else(|_| "{}".to_owned()),
    };
    let Some(id) = mention::store::keep(tx, &new, now).await? else { return Ok(None) };
    let cluster = match mention::store::same(tx, id, key.as_deref(), print.exact).await? {
        Some(cluster) => cluster,
        None => alike(tx, id, &post.text, &new.bands).await?.unwrap_or(id),
    };
    mention::store::join_cluster(tx, id, cluster, &new.bands).await?;
    Ok(Some(id))
}

/// The cluster of an earlier text that nearly says the same.
async fn alike(tx: &mut Tx, id: MentionId, text: &str, bands: &[i64]) -> sqlx::Result<Option<MentionId>> {
    let candidates = mention::store::alike(tx, id, bands, COMPARED).await?;
    Ok(candidates.into_iter().find(|(_, other)| similarity(text, other) >= SAME_FROM).map(|(cluster, _)| cluster))
}

/// The host of an address, without `www.`; empty when it has none.
fn site(address: &str) -> String {
    url::Url::parse(address).ok().and_then(|url| url.host_str().map(address::site_of)).unwrap_or_default()
}
