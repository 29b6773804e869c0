//! Notices when many people write about one topic in a short time: once for each rush it is written down, said in the
//! inbox, and told to the communicators, each when she is at work. The sweep looks once a minute.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::app::App;
use crate::assignment::Role;
use crate::audit::rush::{self, Bounds, Counted, WEEKS};
use crate::audit::rush_store::{self, Rush};
use crate::chat::notice::Notice;
use crate::clock::Time;
use crate::db::Tx;
use crate::jobs::tell_of_voices::tell_role_at_work;
use crate::jobs::{TIMETABLE_BELL, WEB_BELL};
use crate::journal::{self, Fact};

const WEEK: Duration = Duration::from_hours(7 * 24);

/// Looks at the window that ends now; most times that is two questions. Where the alarm is off, what lasted is over.
///
/// # Errors
/// What the database says.
pub async fn run(app: &App, now: Time) -> anyhow::Result<()> {
    let bounds = app.config.rush;
    let mut tx = app.db.read().await?;
    let counted = if bounds.hours == 0 { Vec::new() } else { window(&mut tx, bounds, now).await? };
    let counted: BTreeMap<String, Counted> = counted.into_iter().collect();
    let lasting = rush_store::lasting(&mut tx).await?;
    let begun = begun(&mut tx, bounds, &counted, &lasting, now).await?;
    drop(tx);
    let posts = |known: &Rush| counted.get(&known.topic).copied().unwrap_or_default();
    let (over, lasting): (Vec<&Rush>, Vec<&Rush>) =
        lasting.iter().partition(|known| rush::is_over(posts(known).posts, known.posts));
    let grown: Vec<&Rush> = lasting.into_iter().filter(|known| posts(known).posts > known.posts).collect();
    if begun.is_empty() && over.is_empty() && grown.is_empty() {
        return Ok(());
    }

    let mut tx = app.db.write().await?;
    let mut facts = Vec::new();
    for known in grown {
        rush_store::grow(&mut tx, known.id, posts(known)).await?;
    }
    for known in over {
        if rush_store::end(&mut tx, known.id, now).await? {
            facts.push(fact("rush.ended", &known.topic, known.posts, known.writers, now));
        }
    }
    for (topic, counted, usual) in begun {
        let Some(id) = rush_store::begin(&mut tx, topic, bounds.hours, counted, usual, now).await? else { continue };
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

/// The topics about which a rush begins now, with what is usual. The earlier weeks are asked for only when there are
/// enough posts about a topic that has none.
async fn begun<'a>(
    tx: &mut Tx,
    bounds: Bounds,
    counted: &'a BTreeMap<String, Counted>,
    lasting: &[Rush],
    now: Time,
) -> sqlx::Result<Vec<(&'a str, Counted, i64)>> {
    let new = |topic: &str| lasting.iter().all(|known| known.topic != topic);
    let many: Vec<_> =
        counted.iter().filter(|(topic, counted)| rush::is_enough(**counted, bounds) && new(topic)).collect();
    if many.is_empty() {
        return Ok(Vec::new());
    }
    let mut earlier: BTreeMap<String, [i64; WEEKS]> = BTreeMap::new();
    let mut week = now;
    for n in 0..WEEKS {
        week = week.minus(WEEK);
        for (topic, counted) in window(tx, bounds, week).await? {
            earlier.entry(topic).or_default()[n] = counted.posts;
        }
    }
    let of = |topic: &str| earlier.get(topic).copied().unwrap_or_default();
    let begins = many.into_iter().filter(|(topic, counted)| rush::begins(**counted, &of(topic), bounds));
    Ok(begins.map(|(topic, counted)| (topic.as_str(), *counted, rush::usual(&of(topic)))).collect())
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
