//! Judges mentions that nobody has judged, a batch at a time. Where an outside judge is configured it is asked about what
//! our own is unsure of, before the batch is written and with no transaction open.

use std::collections::{BTreeMap, BTreeSet};

use crate::app::App;
use crate::classification::external::Endpoint;
use crate::classification::judge::Judge;
use crate::classification::opinion::{self, Opinion, Silence};
use crate::classification::{self, Classification, Classifier, Subject};
use crate::clock::Time;
use crate::db::Tx;
use crate::id::{MentionId, SourceId};
use crate::jobs::{BATCH, Job};
use crate::journal::{self, Fact};
use crate::mention::store::Mention;
use crate::mention::{self, Hearing};
use crate::source;

/// Most threads that judge a batch.
const CORES: usize = 4;
/// Fewest posts for which a thread of their own is worth its start.
const LEAST_SHARE: usize = 32;

/// What an outside judge said of the posts that it was asked about, and which posts were looked through for that.
#[derive(Debug, Default)]
struct Asked {
    seen: BTreeSet<MentionId>,
    said: BTreeMap<MentionId, Result<Opinion, Silence>>,
}

/// Judges one batch; enqueues itself when there may be more, and the next step when it judged something.
///
/// # Errors
/// What the database says; nothing of the batch is then judged.
pub async fn run(app: &App, now: Time) -> anyhow::Result<()> {
    app.heed_appointment().await?;
    let judge = app.judge();
    let asked = match &app.external {
        Some(endpoint) => Some(ask_outside(app, &judge, endpoint, now).await?),
        None => None,
    };
    let mut tx = app.db.write().await?;
    let mut batch = mention::store::unjudged(&mut tx, BATCH).await?;
    if batch.is_empty() {
        return Ok(());
    }
    let whole = batch.len();
    if let Some(asked) = &asked {
        // What came while we asked is judged next time, so that it is asked about too.
        batch.retain(|found| asked.seen.contains(&found.id));
    }
    let grounds = Grounds::load(&mut tx).await?;
    let mut verdicts = Vec::with_capacity(batch.len());
    let mut facts = Vec::with_capacity(batch.len());
    for (found, own) in batch.iter().zip(side_by_side(&batch, |found| grounds.judged(&judge, found))) {
        let said = asked.as_ref().and_then(|asked| asked.said.get(&found.id));
        let verdict = second(app, &judge, own, said);
        facts.push(fact(found, &verdict, said, now));
        verdicts.push((found.id, verdict));
    }
    classification::store::let_stand(&mut tx, &verdicts, now).await?;
    Job::OpenCases.enqueue(&mut tx, now).await?;
    if whole == usize::try_from(BATCH).unwrap_or(usize::MAX) || batch.len() < whole {
        Job::ClassifyMentions.enqueue(&mut tx, now).await?;
    }
    journal::append(&mut tx, &facts).await?;
    tx.commit().await?;
    tracing::debug!(judged = batch.len(), "mentions judged");
    Ok(())
}

/// Does it to each, on as many cores as there are (four at most), and gives what came of it in their order.
fn side_by_side<T: Sync, R: Send>(items: &[T], done: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from).min(CORES);
    let share = items.len().div_ceil(cores).max(LEAST_SHARE);
    let done = &done;
    std::thread::scope(|scope| {
        let mut shares = items.chunks(share);
        let first = shares.next().unwrap_or_default();
        let others: Vec<_> =
            shares.map(|share| scope.spawn(move || share.iter().map(done).collect::<Vec<R>>())).collect();
        let mut all: Vec<R> = first.iter().map(done).collect();
        for other in others {
            // A thread ends without its answers only by a panic, which goes on here as it would without threads.
            all.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        all
    })
}

/// The names of the sources: a post that names no place is about where its source stands.
struct Grounds(BTreeMap<SourceId, String>);

impl Grounds {
    async fn load(tx: &mut Tx) -> sqlx::Result<Self> {
        Ok(Self(source::store::names(tx).await?.into_iter().collect()))
    }

    /// The name of a post's source, and the site where it stands.
    fn of(&self, found: &Mention) -> String {
        let name = self.0.get(&found.source_id).map_or("", String::as_str);
        format!("{name} {}", found.site)
    }

    fn judged(&self, judge: &Judge, found: &Mention) -> Classification {
        judge.classify(&subject(found, &self.of(found)))
    }
}

fn subject<'a>(found: &'a Mention, ground: &'a str) -> Subject<'a> {
    Subject {
        title: found.title.as_deref().unwrap_or_default(),
        text: &found.body,
        channel: &found.channel,
        source: ground,
        heard: serde_json::from_str::<Hearing>(&found.hearing).ok().map(|hearing| hearing.relevance),
    }
}

/// Asks about what our own judge is unsure of. No transaction is open while the answers are waited for.
async fn ask_outside(app: &App, judge: &Judge, endpoint: &Endpoint, now: Time) -> anyhow::Result<Asked> {
    // For writing, though nothing is written: the batch is held for us while it is read.
    let mut tx = app.db.write().await?;
    let batch = mention::store::unjudged(&mut tx, BATCH).await?;
    let grounds = Grounds::load(&mut tx).await?;
    // Ended and not dropped: what is dropped lets its rows go later, and they would be passed over below.
    tx.commit().await?;
    let seen = batch.iter().map(|found| found.id).collect();
    let requests: Vec<_> = batch
        .iter()
        .filter(|found| !found.own)
        .filter_map(|found| {
            let ground = grounds.of(found);
            let subject = subject(found, &ground);
            let asked = opinion::is_asked_about(&judge.classify(&subject));
            asked.then(|| (found.id, opinion::request(endpoint.model(), judge, &subject)))
        })
        .collect();
    Ok(Asked { seen, said: endpoint.ask_all(judge, requests, now).await })
}

/// The judgement that stands: our own, with what the other one settled.
fn second(app: &App, judge: &Judge, own: Classification, said: Option<&Result<Opinion, Silence>>) -> Classification {
    let model = app.external.as_ref().map_or("", Endpoint::model);
    match said {
        Some(Ok(said)) => opinion::merged(&own, said, model, judge.lexicon().is_protected(said.topic())),
        Some(Err(silence)) => opinion::alone(&own, *silence),
        None => own,
    }
}

fn fact(found: &Mention, verdict: &Classification, said: Option<&Result<Opinion, Silence>>, now: Time) -> Fact {
    let mut body = serde_json::json!({
        "topic": verdict.topic, "intent": verdict.intent.slug(), "urgency": verdict.urgency.slug(),
        "relevance": verdict.relevance, "unsure": verdict.unsure,
    });
    if let Some(said) = said {
        body["external"] = said.as_ref().map_or_else(|silence| silence.slug(), |_| "answered").into();
    }
    Fact { at: now, actor: verdict.by.clone(), kind: "mention.judged", case: None, mention: Some(found.id), body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_judged_side_by_side_keeps_its_order() {
        for posts in [0, 1, LEAST_SHARE, LEAST_SHARE + 1, 500] {
            let posts: Vec<usize> = (0..posts).collect();
            assert_eq!(side_by_side(&posts, |post| post * 2), posts.iter().map(|post| post * 2).collect::<Vec<_>>());
        }
    }
}
