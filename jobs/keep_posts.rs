//! Hears each post and keeps those that are about us, in the caller's transaction. What no rule hears lives only in
//! memory: it leaves a number behind and nothing else.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use crate::app::App;
use crate::calendar::stockholm;
use crate::clock::Time;
use crate::db::Tx;
use crate::id::{MentionId, SourceId};
use crate::jobs::Job;
use crate::journal::Fact;
use crate::mention::address;
use crate::mention::copies::{COMPARED, Copies, Said};
use crate::mention::fingerprint::{Fingerprint, fingerprint};
use crate::mention::keep_store::{self, Banded, Clustered, Marks, NewMention, Same};
use crate::mention::version_store::{self, Kept as Known, Named, Words};
use crate::mention::{Heard, Hearing, Relevance};
use crate::source::reduce::Markup;
use crate::source::{self, Gone, Name, Post};

/// Posts that are kept in one statement: a few hundred kilobytes at most, in life.
const AT_A_TIME: usize = 200;

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
    if !posts.is_empty() {
        // Two sources that say the same in one moment: the second must see what the first keeps.
        tx.one_at_a_time("keep posts").await?;
    }
    for posts in posts.chunks(AT_A_TIME) {
        let posts = told_apart(app, tx, from.key, posts.iter().map(Post::without_nul).collect()).await?;
        let (mut found, mut unheard) = (Vec::new(), Vec::new());
        for post in &posts {
            match Found::hear(app, from.key, post) {
                Ok(post) => found.push(post),
                Err(hearing) if post.updated_at.is_some() => unheard.push((&**post, hearing)),
                Err(_) => {}
            }
        }
        kept.heard += found.len();
        let ids = keep_new(tx, from, &found, now).await?;
        for (Found { post, hearing, print, .. }, id) in found.iter().zip(ids) {
            if let Some(id) = id {
                kept.new += 1;
                for rule in &hearing.rules {
                    *tallies.entry((format!("rule:{rule}"), "heard")).or_default() += 1;
                }
                let body = serde_json::json!({ "source": from.key, "channel": post.channel, "rules": hearing.rules, "imported": from.imported });
                let kind = "mention.kept";
                kept.facts.push(Fact {
                    at: now,
                    actor: "lyhord".to_owned(),
                    kind,
                    case: None,
                    mention: Some(id),
                    body,
                });
            } else if let Some(fact) = revise(tx, post, print, hearing, now).await? {
                judge |= fact.case.is_none();
                kept.changed += 1;
                kept.facts.push(fact);
            }
        }
        // Who takes our name out of her post has changed it all the same: what is known is looked up by its own name.
        let known = known(tx, unheard.iter().map(|(post, _)| *post)).await?;
        for (post, hearing) in unheard.iter().filter(|(post, _)| known.contains(&name_of(post))) {
            if let Some(fact) = revise(tx, post, &fingerprint(&post.text), hearing, now).await? {
                kept.changed += 1;
                kept.facts.push(fact);
            }
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

/// Posts whose channel gives the same name to different ones (letters from a form): who comes after the first bears a name
/// of her own, and begins her own thread.
async fn told_apart<'a>(
    app: &App,
    tx: &mut Tx,
    key: &str,
    mut posts: Vec<Cow<'a, Post>>,
) -> sqlx::Result<Vec<Cow<'a, Post>>> {
    let mut first: HashMap<(String, String), String> = HashMap::new();
    for post in &mut posts {
        let Some(mark) = post.mark.clone() else { continue };
        let name = name_of(post);
        let is_it = match first.get(&name) {
            Some(held) => *held == mark,
            None => version_store::held(tx, &name.0, &name.1).await?.is_none_or(|held| held.is(&mark, &post.text)),
        };
        if is_it {
            // One that is not kept holds no name.
            if concerns_us(app, key, post) {
                first.entry(name).or_insert(mark);
            }
        } else {
            let post = post.to_mut();
            let begins = post.thread.as_ref() == Some(&post.native_id);
            post.native_id = format!("{}#{mark}", post.native_id);
            if begins {
                post.thread = Some(post.native_id.clone());
            }
        }
    }
    Ok(posts)
}

/// A post that is kept, with what is told about it.
struct Found<'a> {
    post: &'a Post,
    site: String,
    hearing: Hearing,
    own: bool,
    print: Fingerprint,
    url_key: Option<String>,
}

impl<'a> Found<'a> {
    /// A post that is kept, or what was heard of one that is none of ours.
    fn hear(app: &App, key: &str, post: &'a Post) -> Result<Self, Hearing> {
        let site = post.url.as_deref().map(site).unwrap_or_default();
        let (hearing, own) = heard(app, key, post, &site)?;
        let url_key = post.url.as_deref().map(address::key);
        Ok(Self { post, site, hearing, own, print: fingerprint(&post.text), url_key })
    }

    fn said(&self) -> Said<'_> {
        Said { text: &self.post.text, url_key: self.url_key.as_deref(), print: &self.print }
    }
}

/// True when a post is kept: a rule hears it, it is said to us, or it is our own.
#[must_use]
pub fn concerns_us(app: &App, key: &str, post: &Post) -> bool {
    heard(app, key, post, &post.url.as_deref().map(site).unwrap_or_default()).is_ok()
}

/// Which of these posts are kept already, by [`name_of`].
///
/// # Errors
/// What the database says.
pub async fn known<'a>(tx: &mut Tx, posts: impl Iterator<Item = &'a Post>) -> sqlx::Result<HashSet<(String, String)>> {
    let named: Vec<Named<'_>> =
        posts.map(|post| Named { channel: &post.channel, native_id: &post.native_id }).collect();
    version_store::known(tx, &named).await
}

/// What a post is known by.
#[must_use]
pub fn name_of(post: &Post) -> (String, String) {
    (post.channel.clone(), post.native_id.clone())
}

/// What the rules say of a post that is kept, and whether we wrote it; else only what they say.
fn heard(app: &App, key: &str, post: &Post, site: &str) -> Result<(Hearing, bool), Hearing> {
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
    let writer = post.writer.as_deref().unwrap_or_default();
    if own && app.config.accounts.is_automatic(&post.channel, writer, &post.text) {
        // Nobody has answered, as with an automatic letter: it is no answer and no case, and leaves nothing.
        return Err(hearing);
    }
    if post.to_us && !own {
        hearing.relevance = Relevance::Yes;
        hearing.score = 1.0;
        hearing.handed_in = post.handed_in;
        hearing.because.insert(0, TO_US.to_owned());
    }
    if hearing.relevance != Relevance::No || own { Ok((hearing, own)) } else { Err(hearing) }
}

/// A known post that says something else now: what it said is kept as a version. One without a case is judged anew.
async fn revise(
    tx: &mut Tx,
    post: &Post,
    print: &Fingerprint,
    hearing: &Hearing,
    now: Time,
) -> sqlx::Result<Option<Fact>> {
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
        fingerprint: print.exact,
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
            // As they were kept: see `Post::without_nul`.
            Name::Native(name) => version_store::kept(tx, channel, &name.replace('\0', "")).await?,
            Name::Local(name) => version_store::kept_here(tx, from.source, &name.replace('\0', "")).await?,
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

/// Keeps those that are new, each in the cluster of those that say the same; nothing stands for one that was known.
async fn keep_new(tx: &mut Tx, from: From<'_>, found: &[Found<'_>], now: Time) -> sqlx::Result<Vec<Option<MentionId>>> {
    let html: Vec<Option<String>> =
        found.iter().map(|found| found.post.markup.as_ref().and_then(Markup::sanitised)).collect();
    let new: Vec<NewMention<'_>> =
        found.iter().zip(&html).map(|(found, html)| new_mention(from, found, html.as_deref(), now)).collect();
    let ids = keep_store::keep(tx, &new, now).await?;
    let new: Vec<(MentionId, Said<'_>)> =
        ids.iter().zip(found).filter_map(|(id, found)| Some(((*id)?, found.said()))).collect();
    if new.is_empty() {
        return Ok(ids);
    }
    let marks: Vec<Marks<'_>> = new
        .iter()
        .map(|(id, said)| Marks { id: *id, url_key: said.url_key, fingerprint: said.print.words() })
        .collect();
    let same: HashMap<MentionId, Same> =
        keep_store::same(tx, &marks).await?.into_iter().map(|same| (same.id, same)).collect();
    let bands: Vec<i64> = new.iter().flat_map(|(_, said)| said.print.bands()).copied().collect();
    let met: HashSet<i64> = keep_store::met(tx, &bands).await?.into_iter().collect();
    let mut copies = Copies::default();
    let (mut clustered, mut banded) = (Vec::with_capacity(new.len()), Vec::with_capacity(bands.len()));
    for (id, said) in new {
        let bands = said.print.bands();
        let mut cluster = copies.same(&said, same.get(&id));
        if cluster.is_none() {
            let known = if bands.iter().any(|band| met.contains(band)) {
                keep_store::alike(tx, bands, COMPARED).await?
            } else {
                Vec::new()
            };
            cluster = copies.alike(&said, known);
        }
        let cluster = cluster.unwrap_or(id);
        copies.add(id, cluster, said);
        clustered.push(Clustered { id, cluster });
        banded.extend(bands.iter().map(|band| Banded { band: *band, id }));
    }
    keep_store::cluster(tx, &clustered, &banded).await?;
    Ok(ids)
}

fn new_mention<'a>(from: From<'_>, found: &'a Found<'_>, html: Option<&'a str>, now: Time) -> NewMention<'a> {
    let post = found.post;
    NewMention {
        source_id: Some(from.source),
        channel: &post.channel,
        native_id: &post.native_id,
        url: post.url.as_deref(),
        url_key: found.url_key.as_deref(),
        fingerprint: found.print.exact,
        thread: post.thread.as_deref(),
        reply_to: post.reply_to.as_deref(),
        local_id: post.local_id.as_deref().or(post.mark.as_deref()),
        kind: post.kind.slug(),
        title: post.title.as_deref(),
        body: &post.text,
        html,
        author: post.author.as_deref(),
        language: post.language.as_deref(),
        site: &found.site,
        authored_at: post.authored_at.unwrap_or(now).min(now),
        updated_at: post.updated_at,
        seen_at: now,
        own: found.own,
        imported: from.imported,
        hearing: serde_json::to_string(&found.hearing).unwrap_or_else(|_| "{}".to_owned()),
    }
}

/// The host of an address, without `www.`; empty when it has none.
fn site(address: &str) -> String {
    url::Url::parse(address).ok().and_then(|url| url.host_str().map(address::site_of)).unwrap_or_default()
}
