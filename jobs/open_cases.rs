//! Opens a case for each judged mention that wants an answer, or joins it to the open case it belongs to.

use std::collections::HashMap;
use std::time::Duration;

use crate::app::App;
use crate::case::batch_store::{Arrival, Near, NewCase};
use crate::case::{self, Author, Opening};
use crate::classification::{Classification, Flag, Intent};
use crate::clock::Time;
use crate::db::Tx;
use crate::id::{CaseId, MentionId};
use crate::jobs::{BATCH, Job, TIMETABLE_BELL, WEB_BELL};
use crate::journal::{self, Fact};
use crate::mention::store::{Judged, Mention};
use crate::mention::{self, Hearing, version_store};
use crate::response::channel_acts::{self, Native};
use crate::response::promise_acts;
use crate::source::{channel_store, tip, tip_store};

/// How many letters of a post stand for it in lists.
const TITLE_LETTERS: usize = 140;
/// How long after our answer the thread is watched: two weeks, as long as people come back to a matter.
const WATCHED: Duration = Duration::from_hours(14 * 24);

/// Sees to one batch; enqueues itself when there may be more, and the next step when it opened something.
///
/// # Errors
/// What the database says; nothing of the batch is then opened.
pub async fn run(app: &App, now: Time) -> anyhow::Result<()> {
    let mut tx = app.db.write().await?;
    // Of two posts in one thread that two workers have in hand, the second must see the case that the first opens.
    tx.one_at_a_time("open cases").await?;
    let batch = mention::store::unsettled(&mut tx, BATCH).await?;
    if batch.is_empty() {
        return Ok(());
    }
    let seen_to: Vec<MentionId> = batch.iter().map(|judged| judged.mention.id).collect();
    mention::store::settle(&mut tx, &seen_to, now).await?;
    let mut facts = Vec::new();
    let mut opened = false;
    // An answer of ours may be to a case that this very batch opens, and may end one that the next post would join.
    for posts in batch.chunk_by(|one, next| !one.mention.own && !next.mention.own) {
        match posts {
            [own] if own.mention.own => note_answer(&mut tx, &own.mention, now, &mut facts).await?,
            posts => opened |= see_to(app, &mut tx, posts, now, &mut facts).await?,
        }
    }
    tx.ring_on_commit(TIMETABLE_BELL);
    if opened {
        Job::AssignCases.enqueue(&mut tx, now).await?;
    }
    if batch.len() == usize::try_from(BATCH).unwrap_or(usize::MAX) {
        Job::OpenCases.enqueue(&mut tx, now).await?;
    }
    tx.ring_on_commit(WEB_BELL);
    journal::append(&mut tx, &facts).await?;
    tx.commit().await?;
    Ok(())
}

/// The case a post belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Belongs {
    /// One that was open before.
    To(CaseId),
    /// The one that the post with this number opens.
    With(MentionId),
}

/// The open cases around the posts of a batch, with those that the batch itself opens.
#[derive(Default)]
struct Around<'a> {
    threads: HashMap<(&'a str, &'a str), Belongs>,
    clusters: HashMap<MentionId, Belongs>,
    waiting: HashMap<(&'a str, &'a str), CaseId>,
}

impl<'a> Around<'a> {
    async fn of(tx: &mut Tx, posts: &'a [Judged]) -> sqlx::Result<Self> {
        let arrivals: Vec<Arrival<'_>> = posts.iter().map(|judged| arrival(&judged.mention)).collect();
        let near = case::batch_store::near(tx, &arrivals).await?;
        let near: HashMap<MentionId, Near> = near.into_iter().map(|near| (near.id, near)).collect();
        let mut around = Self::default();
        for found in posts.iter().map(|judged| &judged.mention) {
            let Some(near) = near.get(&found.id) else { continue };
            if let Some(thread) = thread_of(found) {
                around.threads.extend(near.in_thread.map(|case| (thread, Belongs::To(case))));
                around.waiting.extend(near.waiting.map(|case| (thread, case)));
            }
            around.clusters.extend(near.in_cluster.map(|case| (found.cluster_id, Belongs::To(case))));
        }
        Ok(around)
    }

    /// The case that waits for a word in this post's thread; it waits for one only.
    fn waits_for(&mut self, found: &'a Mention) -> Option<CaseId> {
        self.waiting.remove(&thread_of(found)?)
    }

    /// The case that a post belongs to: the same thread, or the same text elsewhere.
    fn belongs(&self, found: &'a Mention) -> Option<Belongs> {
        let in_thread = thread_of(found).and_then(|thread| self.threads.get(&thread));
        in_thread.or_else(|| self.clusters.get(&found.cluster_id)).copied()
    }

    fn opened_by(&mut self, found: &'a Mention) {
        let new = Belongs::With(found.id);
        self.threads.extend(thread_of(found).map(|thread| (thread, new)));
        self.clusters.insert(found.cluster_id, new);
    }
}

fn thread_of(found: &Mention) -> Option<(&str, &str)> {
    Some((found.channel.as_str(), found.thread.as_deref()?))
}

fn arrival(found: &Mention) -> Arrival<'_> {
    Arrival { id: found.id, channel: &found.channel, thread: found.thread.as_deref(), cluster_id: found.cluster_id }
}

/// Sees to posts of others: each joins an open case, opens one, or wants no answer. True when one was opened.
async fn see_to(app: &App, tx: &mut Tx, posts: &[Judged], now: Time, facts: &mut Vec<Fact>) -> anyhow::Result<bool> {
    let mut around = Around::of(tx, posts).await?;
    let (mut new, mut joined, mut told) = (Vec::new(), Vec::new(), Vec::new());
    let verdicts: Vec<_> = posts.iter().map(|judged| serde_json::from_str::<Classification>(&judged.verdict)).collect();
    for (judged, verdict) in posts.iter().zip(&verdicts) {
        let Ok(verdict) = verdict else { continue };
        let found = &judged.mention;
        let fact =
            |kind, body| Fact { at: now, actor: "lyhord".to_owned(), kind, case: None, mention: Some(found.id), body };
        if let Some(id) = around.waits_for(found)
            && let Some(row) = case::store::find(tx, id).await?
        {
            // Whatever it says, it is the word we waited for.
            let resumed = promise_acts::take_up(tx, &app.config.calendars, &row, now).await?;
            joined.push((Belongs::To(id), found.id));
            told.push((Belongs::To(id), fact("case.resumed", resumed)));
            continue;
        }
        let hearing = serde_json::from_str::<Hearing>(&found.hearing).ok();
        let mut opening = case::opening(verdict, Author::Somebody, &app.config.other_topics);
        if !opening.opens() && hearing.as_ref().is_some_and(|hearing| hearing.handed_in) {
            // It was handed in as ours: the judge may doubt it, but not drop it.
            opening = Opening::Triage;
        }
        if !opening.opens() {
            continue;
        }
        if let Some(case) = around.belongs(found) {
            joined.push((case, found.id));
            told.push((case, fact("case.joined", serde_json::json!({ "channel": found.channel }))));
            continue;
        }
        let mut case = new_case(app, judged, verdict, opening);
        case.place = hearing.and_then(|hearing| hearing.places.into_iter().next());
        case.restricted |= found.channel == tip::CHANNEL && tip_store::tells_of_crime(tx, found.id).await?;
        around.opened_by(found);
        let body = serde_json::json!({
            "topic": verdict.topic, "intent": verdict.intent.slug(), "urgency": verdict.urgency.slug(),
            "channel": found.channel, "authored_at": found.authored_at.to_string(),
        });
        told.push((Belongs::With(found.id), fact("case.opened", body)));
        new.push((case, found.body.as_str()));
    }
    let opened = case::batch_store::open(tx, &new, now).await?;
    let case_of = |belongs| match belongs {
        Belongs::To(case) => Some(case),
        Belongs::With(mention) => opened.get(&mention).copied(),
    };
    let joined: Vec<_> = joined.into_iter().filter_map(|(belongs, id)| Some((case_of(belongs)?, id))).collect();
    case::batch_store::add_mentions(tx, &joined).await?;
    facts.extend(told.into_iter().map(|(belongs, fact)| Fact { case: case_of(belongs), ..fact }));
    Ok(!opened.is_empty())
}

/// One of our own posts is an answer, never a case: it fulfils the promise of the case it answers, and the thread it
/// stands in is watched for a while. A case that nobody has yet been given is answered when it is.
async fn note_answer(tx: &mut Tx, found: &Mention, now: Time, facts: &mut Vec<Fact>) -> anyhow::Result<()> {
    let Some((reply_to, thread, local_id)) = version_store::place_of(tx, found.id).await? else { return Ok(()) };
    let Some(asked) = reply_to.as_deref() else { return Ok(()) };
    let until = found.authored_at.plus(WATCHED);
    if until > now && !found.imported {
        let root = thread.as_deref().unwrap_or(asked);
        let (source, local_id) = (found.source_id, local_id.as_deref());
        channel_store::watch_thread(tx, &found.channel, root, source, local_id, now, until).await?;
    }
    let Some(case) = case::store::answered_by(tx, &found.channel, Some(asked), thread.as_deref()).await? else {
        return Ok(());
    };
    case::store::add_mention(tx, case, found.id).await?;
    let given = case::store::find(tx, case).await?.is_some_and(|row| row.unit.is_some());
    if given {
        let native = Native {
            channel: &found.channel,
            text: &found.body,
            url: found.url.as_deref(),
            answered_at: found.authored_at,
        };
        channel_acts::answer_in_channel(tx, case, native, facts, now).await?;
    }
    Ok(())
}

fn new_case<'a>(app: &'a App, judged: &'a Judged, verdict: &'a Classification, opening: Opening) -> NewCase<'a> {
    let found = &judged.mention;
    let topic = app.config.organisation.topic(&verdict.topic);
    let flagged = |flag: Flag| verdict.flags.contains(&flag);
    NewCase {
        mention_id: found.id,
        cluster_id: found.cluster_id,
        source_id: found.source_id,
        channel: &found.channel,
        thread: found.thread.as_deref(),
        title: first_letters(found.title.as_deref().filter(|title| !title.trim().is_empty()).unwrap_or(&found.body)),
        topic: &verdict.topic,
        intent: verdict.intent.slug(),
        sentiment: verdict.sentiment.slug(),
        urgency: verdict.urgency.slug(),
        place: None,
        protected: topic.is_some_and(|topic| topic.protected) || case::opening::is_protected(verdict),
        restricted: verdict.intent == Intent::Threat || flagged(Flag::Threat) || flagged(Flag::WhistleBlowing),
        triage: opening == Opening::Triage,
        arrived_at: found.authored_at.min(found.seen_at),
        imported: found.imported,
    }
}

fn first_letters(text: &str) -> &str {
    text.char_indices().nth(TITLE_LETTERS).map_or(text, |(end, _)| text.get(..end).unwrap_or(text)).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_cut_between_letters() {
        let long = "å".repeat(TITLE_LETTERS + 5);
        assert_eq!(first_letters(&long).chars().count(), TITLE_LETTERS);
        assert_eq!(first_letters(" kort "), "kort");
    }
}
