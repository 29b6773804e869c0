//! A source turns well or ill: the journal and the log say so, those who keep the system are told, and its page is shown
//! anew. However a source is read, it turns here.

use crate::clock::Time;
use crate::db::Tx;
use crate::jobs::{Job, WEB_BELL};
use crate::journal::Fact;
use crate::source::Health;
use crate::source::health::Verdict;
use crate::source::store::SourceRow;

/// Sees to it that a source is found otherwise than it stands in its row, as it was read before this look: the fact, which
/// the caller writes with its own since the journal is asked once in a transaction. Nothing when it is as it was.
///
/// # Errors
/// What the database says.
pub async fn turned(tx: &mut Tx, row: &SourceRow, verdict: &Verdict, now: Time) -> sqlx::Result<Option<Fact>> {
    let (from, to) = (Health::from_slug(&row.health), verdict.health);
    if from == to {
        return Ok(None);
    }
    tracing::warn!(source = %row.key, from = from.slug(), to = to.slug(), "source health changed: {}", verdict.why);
    Job::WarnKeepers.enqueue(tx, now).await?;
    tx.ring_on_commit(WEB_BELL);
    let body = serde_json::json!({ "source": row.key, "from": from.slug(), "to": to.slug() });
    let actor = "lyhord".to_owned();
    Ok(Some(Fact { at: now, actor, kind: "source.health", case: None, mention: None, body }))
}

/// Since when a source is as it is found now.
#[must_use]
pub fn since(row: &SourceRow, health: Health, now: Time) -> Time {
    if Health::from_slug(&row.health) == health { row.health_since } else { now }
}
