//! Takes on what was handed in at web hooks, by the same road as all other posts. A delivery, its posts and the next job
//! are one transaction: killed at any line, it is taken on again, and a post that is known is known.

use sha2::{Digest as _, Sha256};

use crate::app::App;
use crate::calendar::stockholm;
use crate::clock::Time;
use crate::db::Tx;
use crate::hex::hex;
use crate::jobs::accept_deliveries::{Look, settle};
use crate::jobs::keep_posts::{self, From};
use crate::jobs::{Job, WEB_BELL};
use crate::journal::{self, Fact};
use crate::mention::version_store;
use crate::source::hand_store::{self, Delivery};
use crate::source::health::Verdict;
use crate::source::hook::Takes;
use crate::source::hook_body::{self, Handed};
use crate::source::store::SourceRow;
use crate::source::watched::SourceSetting;
use crate::source::{self, Gone, Health, Name, Post};

/// Deliveries of one transaction: each holds two hundred posts at most.
const DELIVERIES: i64 = 20;

/// Takes on a batch; enqueues itself when there may be more.
///
/// # Errors
/// What the database says; nothing of the batch is then taken on.
pub async fn run(app: &App, now: Time) -> anyhow::Result<()> {
    let mut tx = app.db.write().await?;
    let batch = hand_store::waiting_deliveries(&mut tx, DELIVERIES).await?;
    if batch.is_empty() {
        return Ok(());
    }
    let mut sources = source::store::all(&mut tx).await?;
    let mut facts = Vec::new();
    for delivery in &batch {
        let Some(row) = sources.iter_mut().find(|row| row.id == delivery.source_id) else { continue };
        let setting = app.setting(&row.key);
        match hook_body::read_kept(&delivery.kept, form_of(row, setting)) {
            Ok(handed) => {
                if hand_store::take_on(&mut tx, delivery.id, now).await? {
                    facts.extend(take_on(app, &mut tx, row, (delivery, handed), now).await?);
                }
            }
            Err(fault) => {
                // It was understood when it came: another version of the program wrote it, and one that reads it may come.
                tracing::error!(source = %row.key, delivery = %delivery.id, "a delivery cannot be taken on and waits: {fault}");
                let verdict = Verdict { health: Health::Degraded, why: UNREADABLE.to_owned() };
                facts.extend(settle(&mut tx, row, verdict, Look { forged: 0, new: false, now }).await?);
            }
        }
    }
    if batch.len() == usize::try_from(DELIVERIES).unwrap_or(usize::MAX) {
        Job::TakeDeliveries.enqueue(&mut tx, now).await?;
    }
    tx.ring_on_commit(WEB_BELL);
    journal::append(&mut tx, &facts).await?;
    tx.commit().await?;
    Ok(())
}

/// Said of a hook with a delivery that this version of the program does not understand.
const UNREADABLE: &str = "En leverans som vi har kvitterat går inte att läsa med den här versionen av Lyhörd. Den är kvar: \
                          gå tillbaka till den förra versionen, eller be leverantören skicka om.";

fn form_of<'a>(row: &'a SourceRow, setting: Option<&SourceSetting>) -> hook_body::From<'a> {
    hook_body::From {
        key: &row.key,
        channel: &row.channel,
        own: setting.is_some_and(|setting| setting.own),
        takes: setting.and_then(|setting| setting.kind.hook()).map_or(Takes::Heard, |hook| hook.takes),
    }
}

async fn take_on(
    app: &App,
    tx: &mut Tx,
    row: &mut SourceRow,
    (delivery, handed): (&Delivery, Vec<(hook_body::Item, Handed)>),
    now: Time,
) -> anyhow::Result<Vec<Fact>> {
    let (mut posts, mut gone) = (Vec::new(), Vec::new());
    for (_, handed) in handed {
        match handed {
            Handed::Said(post) if hand_store::was_gone(tx, row.id, &name_hash(&post.native_id)).await? => {
                tracing::debug!(source = %row.key, "a post was gone before it came");
            }
            Handed::Said(post) => posts.push(handed_at(*post, delivery.received_at)),
            Handed::Gone(one) => gone.push(one),
        }
    }
    let from = From { source: row.id, key: &row.key, imported: false };
    let kept = keep_posts::keep(app, tx, from, &posts, now).await?;
    let unheard = delivery.items - i64::try_from(posts.len()).unwrap_or(0);
    let day = now.zoned(&stockholm()).date().to_string();
    source::store::tally(tx, &day, &format!("source:{}", row.key), "seen", unheard.max(0)).await?;
    remember_unknown(tx, row, &gone, now).await?;
    let mut facts = kept.facts;
    facts.extend(keep_posts::take_away(tx, from, &row.channel, &gone, now).await?);
    // A good delivery shows that the two ends agree; whether the source is quiet is looked at each minute.
    let health = match Health::from_slug(&row.health) {
        Health::Degraded => Health::Degraded,
        _ => Health::Ok,
    };
    let why = if health == Health::Ok { String::new() } else { row.health_why.clone() };
    facts.extend(settle(tx, row, Verdict { health, why }, Look { forged: 0, new: kept.new > 0, now }).await?);
    Ok(facts)
}

/// What has no time of its own was written when it came.
fn handed_at(post: Post, received_at: Time) -> Post {
    Post { authored_at: post.authored_at.or(Some(received_at)), ..post }
}

/// What is said to be gone and is not here may come later, on its way past: then it is not kept.
async fn remember_unknown(tx: &mut Tx, row: &SourceRow, gone: &[Gone], now: Time) -> sqlx::Result<()> {
    for one in gone {
        let Name::Native(name) = &one.name else { continue };
        if version_store::kept(tx, &row.channel, name).await?.is_none() {
            hand_store::remember_gone(tx, row.id, &name_hash(name), now).await?;
        }
    }
    Ok(())
}

fn name_hash(name: &str) -> String {
    hex(&Sha256::digest(name))
}
