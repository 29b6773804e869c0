//! Lets what colleagues have pasted become mentions, by the same road as all other posts.

use crate::app::App;
use crate::clock::Time;
use crate::jobs::keep_posts::{self, From};
use crate::jobs::{BATCH, Job, WEB_BELL};
use crate::journal;
use crate::mention::{address, version_store};
use crate::source::store::Named;
use crate::source::tip::{CHANNEL, Openness, Tip};
use crate::source::{self, tip_store};

/// Sees to one batch; enqueues itself when there may be more.
///
/// # Errors
/// What the database says; nothing of the batch is then seen to.
pub async fn run(app: &App, now: Time) -> anyhow::Result<()> {
    let mut tx = app.db.write().await?;
    let batch = tip_store::waiting_tips(&mut tx, BATCH).await?;
    if batch.is_empty() {
        return Ok(());
    }
    let source = source::store::the_import(&mut tx, &Named::tips(), now).await?;
    let from = From { source, key: CHANNEL, imported: false };
    let mut facts = Vec::new();
    for row in &batch {
        // The answer was checked when it was told; only an open one or one of the two exceptions was written.
        let openness = Openness::from_slug(&row.openness).unwrap_or(Openness::Open);
        let (text, link, place) = (row.body.clone(), row.url.clone(), row.place.clone());
        let tip = Tip { text, link, place, openness };
        // One post that two have seen is one mention, and both stand in its case.
        let before = tip_store::told_before(&mut tx, &tip, row.id, now, address::key).await?;
        if let Some(mention) = before.and_then(|known| known.mention_id) {
            tip_store::become_mention(&mut tx, row.id, mention).await?;
            continue;
        }
        let post = tip.post(row.id, row.told_at);
        let kept = keep_posts::keep(app, &mut tx, from, std::slice::from_ref(&post), now).await?;
        facts.extend(kept.facts);
        if let Some(known) = version_store::kept(&mut tx, CHANNEL, &post.native_id).await? {
            tip_store::become_mention(&mut tx, row.id, known.id).await?;
        }
    }
    if batch.len() == usize::try_from(BATCH).unwrap_or(usize::MAX) {
        Job::KeepTips.enqueue(&mut tx, now).await?;
    }
    tx.ring_on_commit(WEB_BELL);
    journal::append(&mut tx, &facts).await?;
    tx.commit().await?;
    Ok(())
}
