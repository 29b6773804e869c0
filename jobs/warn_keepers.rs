//! Tells those who keep the system that sources have turned blind, dead or too quiet: each of them once for each turn,
//! one message about all of them, in her working hours. This job sends nothing; the outbox does.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::app::App;
use crate::assignment::{Role, Staff};
use crate::chat;
use crate::chat::tier::{KeeperFacts, keepers};
use crate::clock::Time;
use crate::db::Tx;
use crate::id::MessageId;
use crate::jobs::TIMETABLE_BELL;
use crate::jobs::write_messages::Ways;
use crate::journal::{self, Fact};
use crate::source::channel_store::{self, Trouble, Warning};

/// How long (told) a first warning waits for others: when a host goes down, all that live there turn in a few minutes.
const GATHER: Duration = Duration::from_mins(2);
/// Warnings about turns older than this are not looked at; a source that has been dead so long was told long ago.
const LOOK_BACK: Duration = Duration::from_hours(24 * 365);

/// Writes what has not been said yet.
///
/// # Errors
/// What the database says.
pub async fn run(app: &App, now: Time) -> anyhow::Result<()> {
    let mut tx = app.db.write().await?;
    let troubles = channel_store::troubles(&mut tx).await?;
    let written = channel_store::warnings(&mut tx, now.minus(LOOK_BACK)).await?;
    let ways = Ways::load(&mut tx).await?;
    let mut facts = Vec::new();
    let keepers: Vec<&Staff> = app
        .config
        .organisation
        .staff
        .iter()
        .filter(|staff| app.config.organisation.has_role(&staff.key, Role::Admin, now))
        .collect();
    for keeper in keepers {
        let hers: Vec<&Warning> = written.iter().filter(|warning| warning.recipient == keeper.key).collect();
        let told = |trouble: &Trouble| {
            hers.iter().any(|warning| {
                (warning.source_id, warning.what.as_str(), warning.since)
                    == (trouble.source_id, trouble.what.as_str(), trouble.since)
            })
        };
        let new: Vec<&Trouble> = troubles.iter().filter(|trouble| !told(trouble)).collect();
        let waiting = hers.iter().find(|warning| warning.state.as_deref() == Some("waiting"));
        let waiting = waiting.map(|warning| warning.message_id);
        // A message that waits says how it is when it goes, not how it was when it was written.
        if new.is_empty() && waiting.is_none() {
            continue;
        }
        let carried = |trouble: &Trouble| {
            new.contains(&trouble)
                || hers.iter().any(|warning| {
                    Some(warning.message_id) == waiting
                        && (warning.source_id, warning.since) == (trouble.source_id, trouble.since)
                })
        };
        let about: Vec<&Trouble> = troubles.iter().filter(|trouble| carried(trouble)).collect();
        if let (Some(waiting), true) = (waiting, about.is_empty()) {
            chat::store::withdraw(&mut tx, waiting).await?;
            continue;
        }
        let message = message(app, &mut tx, keeper, &ways, waiting, &about, now).await?;
        for trouble in new {
            if channel_store::warn(&mut tx, trouble, &keeper.key, message).await? {
                let body = serde_json::json!({ "source": trouble.name, "what": trouble.what, "to": keeper.key });
                let kind = "source.warned";
                facts.push(Fact { at: now, actor: "lyhord".to_owned(), kind, case: None, mention: None, body });
            }
        }
    }
    if facts.is_empty() {
        return Ok(tx.commit().await?);
    }
    tx.ring_on_commit(TIMETABLE_BELL);
    journal::append(&mut tx, &facts).await?;
    tx.commit().await?;
    Ok(())
}

/// The message to one keeper: the one that waits, rewritten, or a new one; 0 when she has no chat that works, and the
/// page tells her.
async fn message(
    app: &App,
    tx: &mut Tx,
    keeper: &Staff,
    ways: &Ways,
    waiting: Option<MessageId>,
    about: &[&Trouble],
    now: Time,
) -> anyhow::Result<MessageId> {
    let Some(way) = ways.to(app, &keeper.key, now) else { return Ok(MessageId(0)) };
    let mut by_name: BTreeMap<&str, &str> = BTreeMap::new();
    for trouble in about {
        by_name.insert(&trouble.name, in_words(&trouble.what));
    }
    let sources: Vec<(&str, &str)> = by_name.into_iter().collect();
    let facts = KeeperFacts { sources: &sources, links: &app.links, vocabulary: &app.vocabulary, now };
    let body = serde_json::to_string(&keepers(way.channel.tier(), &facts))?;
    if let Some(waiting) = waiting {
        chat::store::rewrite(tx, waiting, &body, None).await?;
        return Ok(waiting);
    }
    let at = when_at_work(app, &keeper.key, now.plus(GATHER));
    Ok(chat::store::put_message(tx, &keeper.key, way.channel.slug(), &way.address, &body, now, at).await?)
}

/// `at`, or when she next works: nobody is woken for what can wait till morning.
pub(super) fn when_at_work(app: &App, staff: &str, at: Time) -> Time {
    let calendar = app.calendar_of_staff(staff);
    if calendar.is_open(at) { at } else { calendar.next_open(at).unwrap_or(at) }
}

fn in_words(what: &str) -> &'static str {
    match what {
        "blind" => "svarar men ser inget",
        "dead" => "går inte att läsa",
        _ => "är tystare än vanligt",
    }
}
