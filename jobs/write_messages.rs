//! Puts what has been decided into the outbox: one open message a person, about all her cases, in the voice that she
//! has chosen. Called in the transaction that decided.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::app::App;
use crate::case::store::CaseRow;
use crate::case::{self, CaseState};
use crate::chat::button::{Standing, Step};
use crate::chat::store::VoiceRow;
use crate::chat::tier::{CaseFact, Level, ReminderFacts, is_protected};
use crate::chat::{self, Act, Channel, Nonce};
use crate::classification::{Intent, Urgency};
use crate::clock::Time;
use crate::db::Tx;
use crate::id::MessageId;

/// How many reminders are put into messages at a time.
const WRITTEN_AT_A_TIME: i64 = 1_000;
/// A person gets at most [`BURST`] messages in this time (real); what comes meanwhile joins the next.
const BREATH: Duration = Duration::from_mins(1);
const BURST: i64 = 5;
/// How many cases a message can name.
const NAMED: i64 = 10;

/// Puts what has been decided into messages: one to a person, about all her cases. Returns whether any was written.
pub(super) async fn write_messages(app: &App, tx: &mut Tx, now: Time) -> anyhow::Result<bool> {
    let waiting = chat::store::unwritten(tx, WRITTEN_AT_A_TIME).await?;
    if waiting.is_empty() {
        return Ok(false);
    }
    let voices = chat::store::voices(tx).await?;
    let mut by_person: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (reminder, _, recipient, _) in &waiting {
        by_person.entry(recipient).or_default().push(*reminder);
    }
    let mut wrote = false;
    for (recipient, reminders) in by_person {
        let voice = voices.iter().find(|voice| voice.staff == recipient && usable(app, voice));
        let message = match voice {
            None => MessageId(0),
            Some(voice) => {
                wrote = true;
                match chat::store::open_message(tx, recipient).await? {
                    Some(open) => open.id,
                    None => new_message(app, tx, voice, now).await?,
                }
            }
        };
        chat::store::carry(tx, &reminders, message).await?;
        if let Some(voice) = voice {
            compose(app, tx, voice, message, now).await?;
        }
    }
    Ok(wrote)
}

fn usable(app: &App, voice: &VoiceRow) -> bool {
    voice.failed_at.is_none()
        && Channel::from_slug(&voice.voice).is_some_and(|channel| app.voices.of(channel).is_some())
}

/// An empty message to one person, at a pace that she can bear.
async fn new_message(app: &App, tx: &mut Tx, voice: &VoiceRow, now: Time) -> sqlx::Result<MessageId> {
    let nth = chat::store::nth_last_message_at(tx, &voice.staff, BURST - 1).await?;
    let at = nth.map_or(now, |nth| now.max(nth.plus(app.clock.told(BREATH))));
    chat::store::put_message(tx, &voice.staff, &voice.voice, &voice.address, "", now, at).await
}

/// Lets a message say what its open cases want said. Danger does not wait for a pace.
async fn compose(app: &App, tx: &mut Tx, voice: &VoiceRow, message: MessageId, now: Time) -> anyhow::Result<()> {
    let (count, earliest) = chat::store::extent(tx, message).await?;
    let rows = case::store::of_message(tx, message, NAMED).await?;
    let channel = Channel::from_slug(&voice.voice).unwrap_or(Channel::Terminal);
    let facts: Vec<CaseFact> = rows.iter().map(|row| case_fact(app, row, now)).collect();
    let facts = ReminderFacts {
        cases: &facts,
        count: usize::try_from(count).unwrap_or(rows.len()),
        earliest_due_at: earliest.unwrap_or(now),
        links: &app.links,
        vocabulary: &app.vocabulary,
        now,
    };
    let mut said = chat::tier::message(channel.tier(), chat::tier::Occasion::Reminder, &facts);
    if let ([row], 1) = (rows.as_slice(), count) {
        let stood = serde_json::to_string(&standing(row))?;
        let mut acts = Vec::new();
        for act in [Act::Take, Act::Later, Act::HandOver] {
            let nonce = Nonce::random();
            chat::store::put_button(tx, nonce.as_str(), row.id, &voice.staff, act.slug(), &stood, now).await?;
            acts.push((act, nonce));
        }
        said = said.with_buttons(&acts);
    }
    let acute = rows.iter().any(|row| row.urgency == Urgency::Acute.slug());
    chat::store::rewrite(tx, message, &serde_json::to_string(&said)?, acute.then_some(now)).await?;
    Ok(())
}

/// How a case stands, as far as a button is concerned.
#[must_use]
pub fn standing(row: &CaseRow) -> Standing {
    let step = match CaseState::from_slug(&row.state) {
        Some(CaseState::Open) | None => Step::Open,
        Some(CaseState::Assigned) => Step::Assigned,
        Some(CaseState::Accepted) => Step::Accepted,
        Some(CaseState::Answered) => Step::Answered,
        Some(CaseState::Referred) => Step::Referred,
        Some(CaseState::Dismissed) => Step::Dismissed,
    };
    Standing { step, holder: row.owner.clone(), round: row.round }
}

fn case_fact(app: &App, row: &CaseRow, now: Time) -> CaseFact {
    let organisation = &app.config.organisation;
    let intent = Intent::from_slug(&row.intent).unwrap_or(Intent::Information);
    let due_at = row.promised_at().unwrap_or(now);
    CaseFact {
        id: row.id,
        category_name: organisation.topic(&row.topic).map(|topic| topic.name.clone()).unwrap_or_default(),
        intent,
        place: row.place.clone().unwrap_or_default(),
        unit: row.unit.as_deref().map(|unit| organisation.name_of_unit(unit).to_owned()).unwrap_or_default(),
        due_at,
        level: if due_at <= now { Level::Overdue } else { Level::Notice },
        protected: row.protected || row.restricted || is_protected("", intent, &[]),
    }
}
