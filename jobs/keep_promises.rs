//! Looks at promises that have come to a moment: writes a breach once, ends a wait that has lasted as long as was said,
//! and ends offers that nobody has answered.

use crate::app::App;
use crate::assignment::offer_store;
use crate::clock::Time;
use crate::db::Tx;
use crate::jobs::{BATCH, Job, TIMETABLE_BELL, WEB_BELL};
use crate::journal::{self, Fact};
use crate::response::promise_acts;
use crate::{case, response::Refused};

/// Looks at one batch; enqueues itself when there may be more.
///
/// # Errors
/// What the database says; nothing of the batch is then written.
pub async fn run(app: &App, now: Time) -> anyhow::Result<()> {
    let mut tx = app.db.write().await?;
    let due = case::promise_store::promises_to_look_at(&mut tx, now, BATCH).await?;
    let mut facts = Vec::new();
    let mut resumed = Vec::new();
    for id in &due {
        let Some(row) = case::store::find(&mut tx, *id).await? else { continue };
        let looked = promise_acts::look(&mut tx, &row, now).await?;
        for (kind, due_at) in looked.broken {
            let body = serde_json::json!({ "promise": kind.slug(), "due_at": due_at });
            facts.push(Fact::of_case(now, "promise.broken", *id, body));
        }
        if looked.waited_enough {
            resumed.push(*id);
        }
    }
    let ended = end_offers(&mut tx, now, &mut facts).await?;
    if due.is_empty() && !ended {
        return Ok(());
    }
    journal::append(&mut tx, &facts).await?;
    if due.len() == usize::try_from(BATCH).unwrap_or(usize::MAX) {
        Job::KeepPromises.enqueue(&mut tx, now).await?;
    }
    tx.ring_on_commit(TIMETABLE_BELL);
    tx.ring_on_commit(WEB_BELL);
    tx.commit().await?;
    // Each in a transaction of its own, since an act writes the journal last.
    for id in resumed {
        let mut tx = app.db.write().await?;
        let done = promise_acts::resume(&mut tx, &app.config.calendars, "lyhord", id, None, "waited-enough", now).await;
        match done {
            Ok(_) => tx.commit().await?,
            Err(Refused::Db(fault)) => return Err(fault.into()),
            Err(_) => {}
        }
    }
    Ok(())
}

async fn end_offers(tx: &mut Tx, now: Time, facts: &mut Vec<Fact>) -> sqlx::Result<bool> {
    let offers = offer_store::unanswered_offers(tx, now, BATCH).await?;
    for offer in &offers {
        let because = "Ingen svarade i tid. Ärendet är kvar hos dig.";
        offer_store::settle_offer(tx, offer.id, "lyhord", "expired", because, true, now).await?;
        let body = serde_json::json!({ "from": offer.from_staff, "to": offer.to_staff, "unit": offer.to_unit });
        facts.push(Fact::of_case(now, "case.offer_expired", offer.case_id, body));
    }
    Ok(!offers.is_empty())
}
