//! Judges mentions that nobody has judged, a batch at a time.

use crate::app::App;
use crate::classification::{self, Classifier, Subject};
use crate::clock::Time;
use crate::jobs::{BATCH, Job};
use crate::journal::{self, Fact};
use crate::mention::{self, Hearing};

/// Judges one batch; enqueues itself when there may be more, and the next step when it judged something.
///
/// # Errors
/// What the database says; nothing of the batch is then judged.
pub async fn run(app: &App, now: Time) -> anyhow::Result<()> {
    let judge = app.judge();
    let mut tx = app.db.write().await?;
    let batch = mention::store::unjudged(&mut tx, BATCH).await?;
    if batch.is_empty() {
        return Ok(());
    }
    let mut verdicts = Vec::with_capacity(batch.len());
    let mut facts = Vec::with_capacity(batch.len());
    for found in &batch {
        let subject = Subject {
            title: found.title.as_deref().unwrap_or_default(),
            text: &found.body,
            channel: &found.channel,
            source: &found.site,
            heard: serde_json::from_str::<Hearing>(&found.hearing).ok().map(|hearing| hearing.relevance),
        };
        let verdict = judge.classify(&subject);
        facts.push(Fact {
            at: now,
            actor: verdict.by.clone(),
            kind: "mention.judged",
            case: None,
            mention: Some(found.id),
            body: serde_json::json!({
                "topic": verdict.topic, "intent": verdict.intent.slug(), "urgency": verdict.urgency.slug(),
                "relevance": verdict.relevance, "unsure": verdict.unsure,
            }),
        });
        verdicts.push((found.id, verdict));
    }
    classification::store::let_stand(&mut tx, &verdicts, now).await?;
    Job::OpenCases.enqueue(&mut tx, now).await?;
    if batch.len() == usize::try_from(BATCH).unwrap_or(usize::MAX) {
        Job::ClassifyMentions.enqueue(&mut tx, now).await?;
    }
    journal::append(&mut tx, &facts).await?;
    tx.commit().await?;
    tracing::debug!(judged = batch.len(), "mentions judged");
    Ok(())
}
