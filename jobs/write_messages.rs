//! Puts what has been decided into the outbox: one open message a person about all her cases, one for each acute case, in
//! the voice that she has chosen. Called in the transaction that decided.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::app::App;
use crate::case;
use crate::case::store::CaseRow;
use crate::chat::button::Standing;
use crate::chat::choice::{self, Way};
use crate::chat::notice::Notice;
use crate::chat::outbox_store::Health;
use crate::chat::store::{MessageRow, VoiceRow};
use crate::chat::tier::{CaseFact, Level, Occasion, ReminderFacts, is_protected};
use crate::chat::{self, Act, Channel, Nonce, undelivered_store};
use crate::classification::{Intent, Urgency};
use crate::clock::Time;
use crate::db::Tx;
use crate::id::{CaseId, MessageId};
use crate::jobs::tell_of_voices::tell_admins_at_work;
use crate::reminder::{self, Rhythm, Stage};

/// How many reminders are put into messages at a time.
const WRITTEN_AT_A_TIME: i64 = 1_000;
/// A person gets at most [`BURST`] messages in this time (real); what comes meanwhile joins the next.
const BREATH: Duration = Duration::from_mins(1);
const BURST: i64 = 5;
/// How many cases a message can name.
const NAMED: i64 = 10;
/// Those who keep the system hear at most once in this time that somebody cannot be reached, however many cannot.
const DAY_MS: i64 = 24 * 3_600_000;

/// What is known of the ways to people when messages are written.
pub(super) struct Ways {
    rows: Vec<VoiceRow>,
    ill: Vec<Health>,
}

impl Ways {
    /// Reads everyone's voices and how each service is.
    ///
    /// # Errors
    /// What the database says.
    pub(super) async fn load(tx: &mut Tx) -> sqlx::Result<Self> {
        Ok(Self { rows: chat::store::voices(tx).await?, ill: chat::outbox_store::ill(tx).await? })
    }

    /// The voice that speaks to this person now.
    pub(super) fn to(&self, app: &App, staff: &str, now: Time) -> Option<Way> {
        let email = app.config.organisation.staff_at(staff, now).map(|staff| staff.email.as_str());
        let on = |channel| app.voices.of(channel).is_some();
        choice::choose(staff, &self.rows, &self.ill, email, on, now)
    }
}

/// Puts what has been decided into messages: one to a person, about all her cases but the acute, and one of its own for
/// each of those. Returns whether any was written.
pub(super) async fn write_messages(app: &App, tx: &mut Tx, now: Time) -> anyhow::Result<bool> {
    free_those_with_a_way(app, tx, now).await?;
    let waiting = chat::store::unwritten(tx, WRITTEN_AT_A_TIME).await?;
    if waiting.is_empty() {
        return Ok(false);
    }
    let ways = Ways::load(tx).await?;
    // Danger is told by itself: an acute case never stands in a message about others.
    let cases: Vec<CaseId> = waiting.iter().map(|(_, case, _, _)| *case).collect();
    let acute = case::list_store::acute(tx, &cases).await?;
    let mut by_person: BTreeMap<(&str, Option<CaseId>), Vec<i64>> = BTreeMap::new();
    for (reminder, case, recipient, _) in &waiting {
        by_person.entry((recipient, acute.get(case).copied())).or_default().push(*reminder);
    }
    for ((recipient, alone), reminders) in by_person {
        let Some(way) = ways.to(app, recipient, now) else {
            without_a_way(app, tx, recipient, &reminders, now).await?;
            continue;
        };
        let (message, way) = match chat::outbox_store::joinable(tx, recipient, alone).await? {
            Some(open) => {
                let channel = Channel::from_slug(&open.voice).unwrap_or(way.channel);
                (open.id, Way { channel, address: open.address })
            }
            None => (new_message(app, tx, recipient, &way, now).await?, way),
        };
        chat::store::carry(tx, &reminders, message).await?;
        chat::outbox_store::overtake(tx, &reminders, message).await?;
        compose(app, tx, recipient, &way, message, now).await?;
    }
    Ok(true)
}

/// Lets what had no way to somebody be written when she has one: the settings may have given her one.
async fn free_those_with_a_way(app: &App, tx: &mut Tx, now: Time) -> sqlx::Result<()> {
    let unreached = undelivered_store::unreached(tx).await?;
    if unreached.is_empty() {
        return Ok(());
    }
    let ways = Ways::load(tx).await?;
    for (staff, ..) in unreached.iter().filter(|(staff, ..)| ways.to(app, staff, now).is_some()) {
        undelivered_store::free(tx, staff).await?;
    }
    Ok(())
}

/// No voice reaches her: it stands in the inbox, the pages say so, and those who keep the system hear of it once. Where
/// no chat is on at all, the inbox is how everybody is told.
async fn without_a_way(app: &App, tx: &mut Tx, recipient: &str, reminders: &[i64], now: Time) -> anyhow::Result<()> {
    if app.voices.channels().next().is_none() {
        return Ok(chat::store::carry(tx, reminders, MessageId(0)).await?);
    }
    undelivered_store::unreach(tx, reminders, now).await?;
    let since = undelivered_store::unreached_since(tx, recipient).await?.unwrap_or(now);
    let once = format!("unreached:{}", since.0.div_euclid(DAY_MS));
    tell_admins_at_work(app, tx, &Notice::Unreached, &once, now).await
}

/// An empty message to one person, at a pace that she can bear.
async fn new_message(app: &App, tx: &mut Tx, recipient: &str, way: &Way, now: Time) -> sqlx::Result<MessageId> {
    let nth = chat::store::nth_last_message_at(tx, recipient, BURST - 1).await?;
    let at = nth.map_or(now, |nth| now.max(nth.plus(app.clock.told(BREATH))));
    chat::store::put_message(tx, recipient, way.channel.slug(), &way.address, "", now, at).await
}

/// Lets a message say what its open cases want said.
async fn compose(
    app: &App,
    tx: &mut Tx,
    recipient: &str,
    way: &Way,
    message: MessageId,
    now: Time,
) -> anyhow::Result<()> {
    let (count, earliest) = chat::store::extent(tx, message).await?;
    let rows = case::list_store::of_message(tx, message, NAMED).await?;
    let count = usize::try_from(count).unwrap_or(rows.len());
    put_into_words(app, tx, (recipient, way, message), &rows, (count, earliest), now).await
}

/// Lets a message that has waited say how it is when it goes; one that has nothing left to say goes nowhere. What tells of
/// no case stands as it was written.
///
/// # Errors
/// What the database says.
pub(super) async fn compose_anew(app: &App, tx: &mut Tx, message: &MessageRow, now: Time) -> anyhow::Result<()> {
    let Some(channel) = Channel::from_slug(&message.voice) else { return Ok(()) };
    if chat::store::cases_of(tx, message.id).await?.is_empty() {
        return Ok(());
    }
    let standing = undelivered_store::standing(tx, message.id).await?;
    if standing.is_empty() {
        chat::outbox_store::void(tx, message.id).await?;
        return Ok(());
    }
    let mut rows = Vec::new();
    for (case, _) in standing.iter().take(usize::try_from(NAMED).unwrap_or(1)) {
        rows.extend(case::store::find(tx, *case).await?);
    }
    let earliest = standing.iter().filter_map(|(_, due_at)| *due_at).min();
    let way = Way { channel, address: message.address.clone() };
    let to = (message.recipient.as_str(), &way, message.id);
    put_into_words(app, tx, to, &rows, (standing.len(), earliest), now).await
}

/// Writes what a message says of these cases. Danger does not wait for a pace.
async fn put_into_words(
    app: &App,
    tx: &mut Tx,
    (recipient, way, message): (&str, &Way, MessageId),
    rows: &[CaseRow],
    (count, earliest): (usize, Option<Time>),
    now: Time,
) -> anyhow::Result<()> {
    let stages = chat::store::cases_of(tx, message).await?;
    let breaking = reminder::store::breaking(tx, message).await?;
    let level = |row: &CaseRow| {
        let reached = stages.iter().filter(|(case, _)| *case == row.id);
        let reached = reached.filter_map(|(_, stage)| Stage::from_slug(stage)).max();
        if breaking.contains(&row.id) { Level::Breaking } else { level_of(reached, row, now) }
    };
    let facts: Vec<CaseFact> = rows.iter().map(|row| case_fact(app, row, level(row), now)).collect();
    let chosen = reminder::digest_store::chosen_by(tx, recipient).await?;
    let occasion = occasion(app, recipient, chosen.as_deref(), &stages);
    let said = as_message(app, way, occasion, &facts, (count, earliest), now);
    let said = match rows {
        [row] if count == 1 && row.closed_at.is_none() => {
            said.with_buttons(&new_buttons(tx, recipient, row, now).await?)
        }
        _ => said,
    };
    let acute = rows.iter().any(|row| row.urgency == Urgency::Acute.slug());
    chat::store::rewrite(tx, message, &serde_json::to_string(&said)?, acute.then_some(now)).await?;
    Ok(())
}

/// The most that may be said about these cases by this way.
pub(super) fn say(
    app: &App,
    way: &Way,
    rows: &[CaseRow],
    count: usize,
    earliest: Option<Time>,
    now: Time,
) -> chat::Message {
    let facts: Vec<CaseFact> = rows.iter().map(|row| case_fact(app, row, level_of(None, row, now), now)).collect();
    as_message(app, way, Occasion::Reminder, &facts, (count, earliest), now)
}

fn as_message(
    app: &App,
    way: &Way,
    occasion: Occasion,
    cases: &[CaseFact],
    (count, earliest): (usize, Option<Time>),
    now: Time,
) -> chat::Message {
    let facts = ReminderFacts {
        cases,
        count,
        earliest_due_at: earliest.unwrap_or(now),
        links: &app.links,
        vocabulary: &app.vocabulary,
        now,
    };
    chat::tier::message(app.voices.tier(way.channel, &way.address), occasion, &facts)
}

/// Buttons for one case as it stands, made for one person.
pub(super) async fn new_buttons(
    tx: &mut Tx,
    recipient: &str,
    row: &CaseRow,
    now: Time,
) -> anyhow::Result<Vec<(Act, Nonce)>> {
    let stood = serde_json::to_string(&Standing::of(row))?;
    let mut acts = Vec::new();
    for act in Act::ALL {
        let nonce = Nonce::random();
        chat::store::put_button(tx, nonce.as_str(), row.id, recipient, act.slug(), &stood, now).await?;
        acts.push((act, nonce));
    }
    Ok(acts)
}

/// What can wait and is summed up at the time she has chosen is a digest; anything else is a reminder.
fn occasion(app: &App, staff: &str, chosen: Option<&str>, stages: &[(CaseId, String)]) -> Occasion {
    let configured = app.config.organisation.staff(staff).and_then(|staff| staff.digest.as_deref());
    let has_digest = chosen.or(configured).is_some_and(|rhythm| Rhythm::parse(rhythm).is_some());
    let below = app.config.ladders.current().digest_below;
    let waits = |slug: &String| Stage::from_slug(slug).is_some_and(|stage| stage < below);
    if has_digest && stages.iter().all(|(_, slug)| waits(slug)) { Occasion::Digest } else { Occasion::Reminder }
}

fn level_of(reached: Option<Stage>, row: &CaseRow, now: Time) -> Level {
    match reached {
        Some(Stage::Deputy | Stage::Manager | Stage::Chief) => Level::Escalated,
        _ if row.due_at.is_some_and(|due_at| due_at <= now) => Level::Overdue,
        Some(Stage::DueSoon | Stage::DueClose) => Level::DueSoon,
        _ => Level::Notice,
    }
}

/// Puts a weekly summary into the outbox; false when she has no chat that can be used.
pub(super) async fn write_summary(
    app: &App,
    tx: &mut Tx,
    staff: &str,
    rows: &[CaseRow],
    count: usize,
    now: Time,
) -> anyhow::Result<bool> {
    let Some(way) = Ways::load(tx).await?.to(app, staff, now) else { return Ok(false) };
    let facts: Vec<CaseFact> = rows.iter().map(|row| case_fact(app, row, level_of(None, row, now), now)).collect();
    let earliest = rows.iter().filter_map(|row| row.due_at).min();
    let said = serde_json::to_string(&as_message(app, &way, Occasion::Digest, &facts, (count, earliest), now))?;
    chat::store::put_message(tx, staff, way.channel.slug(), &way.address, &said, now, now).await?;
    Ok(true)
}

fn case_fact(app: &App, row: &CaseRow, level: Level, now: Time) -> CaseFact {
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
        level,
        protected: row.protected || row.restricted || is_protected("", intent, &[]),
    }
}
