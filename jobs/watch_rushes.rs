//! Notices when many people write about one topic in a short time: once for each rush it is written down, said in the
//! inbox, and told to the communicators, each when she is at work. The sweep looks once a minute.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::app::App;
use crate::assignment::Role;
use crate::audit::rush::{self, Bounds, Counted, WEEKS};
use crate::audit::rush_store;
use crate::chat::notice::Notice;
use crate::clock::Time;
use crate::db::Tx;
use crate::jobs::tell_of_voices::tell_role_at_work;
use crate::jobs::{TIMETABLE_BELL, WEB_BELL};
use crate::journal::{self, Fact};

const WEEK: Duration = Duration::from_hours(7 * 24);

/// Looks at the window that ends now.
///
/// # Errors
/// What the database says.
pub async fn run(app: &App, now: Time) -> anyhow::Result<()> {
    let bounds = app.config.rush;
    if bounds.hours == 0 {
        return Ok(());
    }
    let mut tx = app.db.read().await?;
    let counted: BTreeMap<String, Counted> = window(&mut tx, bounds, now).await?.into_iter().collect();
    let lasting = rush_store::lasting(&mut tx).await?;
    let many = |counted: &Counted| counted.posts >= i64::from(bounds.least);
    if lasting.is_empty() && !counted.values().any(many) {
        return Ok(());
    }
    let mut earlier: BTreeMap<String, [i64; WEEKS]> = BTreeMap::new();
    let mut week = now;
    for n in 0..WEEKS {
        week = week.minus(WEEK);
        for (topic, counted) in window(&mut tx, bounds, week).await? {
            earlier.entry(topic).or_default()[n] = counted.posts;
        }
    }
    drop(tx);

    let mut tx = app.db.write().await?;
    let mut facts = Vec::new();
    for known in &lasting {
        let counted = counted.get(&known.topic).copied().unwrap_or_default();
        if !rush::is_over(counted.posts, known.posts) {
            rush_store::grow(&mut tx, known.id, counted).await?;
        } else if rush_store::end(&mut tx, known.id, now).await? {
            facts.push(fact("rush.ended", &known.topic, known.posts, known.writers, now));
        }
    }
    for (topic, counted) in &counted {
        let earlier = earlier.get(topic).copied().unwrap_or_default();
        if lasting.iter().any(|known| known.topic == *topic) || !rush::begins(*counted, &earlier, bounds) {
            continue;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a number of posts, rounded")]
        let usual = rush::usual(&earlier).round() as i64;
        let Some(id) = rush_store::begin(&mut tx, topic, bounds.hours, *counted, usual, now).await? else { continue };
        let notice = Notice::Rush { since: now.minus(span(bounds)) };
        tell_role_at_work(app, &mut tx, Role::Communicator, &notice, &format!("rush:{id}"), now).await?;
        facts.push(fact("rush.began", topic, counted.posts, counted.writers, now));
    }
    if !facts.is_empty() {
        journal::append(&mut tx, &facts).await?;
        tx.ring_on_commit(TIMETABLE_BELL);
    }
    tx.ring_on_commit(WEB_BELL);
    Ok(tx.commit().await?)
}

async fn window(tx: &mut Tx, bounds: Bounds, until: Time) -> sqlx::Result<Vec<(String, Counted)>> {
    rush_store::counts(tx, until.minus(span(bounds)), until).await
}

fn span(bounds: Bounds) -> Duration {
    Duration::from_hours(u64::from(bounds.hours))
}

fn fact(kind: &'static str, topic: &str, posts: i64, writers: i64, at: Time) -> Fact {
    let body = serde_json::json!({ "topic": topic, "posts": posts, "writers": writers });
    Fact { at, actor: "lyhord".to_owned(), kind, case: None, mention: None, body }
}
