//! Listens for a mailbox's bell (IDLE): a letter is read when it comes, by its number, as always. A bell that is away
//! costs promptness, not letters. One process at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::app::App;
use crate::clock::doubled;
use crate::jobs::TIMETABLE_BELL;
use crate::jobs::turn::{self, ASK_AGAIN};
use crate::source::kinds::SourceKind;
use crate::source::{self, MailSource, channel_store};

/// How often (real) the turn is renewed.
const RENEW: Duration = Duration::from_secs(8);
/// A burst of letters becomes one reading (real).
const BURST: Duration = Duration::from_secs(1);
/// The first pause (real) before another try; doubled after each in vain.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause (real) between two tries.
const PAUSE_MAX: Duration = Duration::from_mins(5);

/// The mailboxes of this configuration that ring.
#[must_use]
pub fn parts(app: &App) -> Vec<String> {
    let rings =
        |kind: &SourceKind| matches!(kind, SourceKind::Mail(mailbox) if mailbox.idle && mailbox.secret.is_some());
    let ringing = app.config.sources.iter().filter(|source| rings(&source.kind) && !source.paused);
    ringing.map(|source| source.key.clone()).collect()
}

/// Listens for ever; the caller drops it to stop.
///
/// # Errors
/// When the database does not answer; the caller begins again.
pub async fn run(app: Arc<App>, key: String) -> anyhow::Result<()> {
    let Some(source) = app.mailbox(&key) else { return std::future::pending().await };
    let lease = turn::lease_of(&key);
    let mut failures = 0_u32;
    loop {
        if !turn::is_ours(&app, &lease).await? {
            tokio::time::sleep(ASK_AGAIN).await;
            continue;
        }
        let began = Instant::now();
        let Some(why) = listen(&app, &source, &key, &lease).await? else { continue };
        failures = if began.elapsed() > PAUSE_MAX { 1 } else { failures + 1 };
        tracing::info!(source = %key, failures, "the mailbox's bell is away: {why}");
        tokio::time::sleep(doubled(FIRST_PAUSE, failures.saturating_sub(1), PAUSE_MAX)).await;
    }
}

/// Listens until the bell is away, and says why; nothing when another process has the turn.
async fn listen(app: &App, source: &MailSource, key: &str, lease: &str) -> anyhow::Result<Option<source::PollError>> {
    let bell = Notify::new();
    let ringing = source.ring(&bell, app.clock.now());
    tokio::pin!(ringing);
    let mut renew = tokio::time::interval(RENEW);
    loop {
        tokio::select! {
            why = &mut ringing => return Ok(Some(why)),
            () = bell.notified() => {
                tokio::time::sleep(BURST).await;
                read_now(app, key).await?;
            }
            _ = renew.tick() => {
                if !turn::is_ours(app, lease).await? {
                    return Ok(None);
                }
            }
        }
    }
}

async fn read_now(app: &App, key: &str) -> sqlx::Result<()> {
    let mut tx = app.db.write().await?;
    if let Some(row) = source::store::by_key(&mut tx, key).await? {
        channel_store::sooner(&mut tx, row.id, app.clock.now()).await?;
        tx.ring_on_commit(TIMETABLE_BELL);
    }
    tx.commit().await
}
