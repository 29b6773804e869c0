//! Decides who is told what now, and writes it into the outbox. Deciding and delivering are kept apart: this job
//! sends nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::app::App;
use crate::assignment::chain::Rung;
use crate::assignment::store::AbsenceRow;
use crate::assignment::{self, Lane};
use crate::calendar::{Calendar, stockholm};
use crate::case::store::CaseRow;
use crate::case::{self, CaseState};
use crate::chat::button::{Standing, Step};
use crate::chat::store::VoiceRow;
use crate::chat::tier::{CaseFact, Level, ReminderFacts, is_protected};
use crate::chat::{self, Act, Channel, Nonce};
use crate::classification::{Intent, Urgency};
use crate::clock::Time;
use crate::db::Tx;
use crate::id::{CaseId, MessageId};
use crate::jobs::{BATCH, Job, TIMETABLE_BELL, WEB_BELL, assign_cases};
use crate::journal::{self, Fact};
use crate::reminder::store::{ReminderRow, SilenceRow};
use crate::reminder::{
    self, Acknowledged, Decision, People, Person, ReminderCase, Scope, Sent, Silence, Snooze, Stage, Waiting,
};

/// The most that is said about one case in one look: every stage to every link of the chain.
const SAID_AT_A_LOOK: usize = 16;
/// How many reminders are put into messages at a time.
const WRITTEN_AT_A_TIME: i64 = 1_000;
/// A person gets at most [`BURST`] messages in this time (real); what comes meanwhile joins the next.
const BREATH: Duration = Duration::from_mins(1);
const BURST: i64 = 5;
/// How many cases a message can name.
const NAMED: i64 = 10;

/// Looks at one batch of cases and writes the messages; enqueues itself when there may be more.
///
/// # Errors
/// What the database says; nothing of the batch is then decided.
pub async fn run(app: &App, now: Time) -> anyhow::Result<()> {
    let mut tx = app.db.write().await?;
    let cases = case::store::to_look_at(&mut tx, now, BATCH).await?;
    let known = Known::load(&mut tx, &cases, now).await?;
    let mut facts = Vec::new();
    for case in &cases {
        look_at(app, &mut tx, case, &known, now, &mut facts).await?;
    }
    let wrote = write_messages(app, &mut tx, now).await?;
    if cases.len() == usize::try_from(BATCH).unwrap_or(usize::MAX) {
        Job::RemindStaff.enqueue(&mut tx, now).await?;
    }
    if wrote {
        Job::DeliverMessages.enqueue(&mut tx, now).await?;
    }
    if cases.is_empty() && !wrote {
        return Ok(());
    }
    tx.ring_on_commit(TIMETABLE_BELL);
    tx.ring_on_commit(WEB_BELL);
    journal::append(&mut tx, &facts).await?;
    tx.commit().await?;
    Ok(())
}

/// What is known of the batch besides its cases.
pub struct Known {
    absences: Vec<AbsenceRow>,
    silences: Vec<SilenceRow>,
    sent: BTreeMap<CaseId, Vec<ReminderRow>>,
}

impl Known {
    /// Reads what a look at these cases needs.
    ///
    /// # Errors
    /// What the database says.
    pub async fn load(tx: &mut Tx, cases: &[CaseRow], now: Time) -> sqlx::Result<Self> {
        let absences = assignment::store::absences(tx, now).await?;
        let silences = reminder::store::silences(tx, now).await?;
        let mut sent: BTreeMap<CaseId, Vec<ReminderRow>> = BTreeMap::new();
        let ids: Vec<CaseId> = cases.iter().map(|case| case.id).collect();
        for row in reminder::store::of_cases(tx, &ids).await? {
            sent.entry(row.case_id).or_default().push(row);
        }
        Ok(Self { absences, silences, sent })
    }
}

/// What is to be said about one case at `now`, one thing after another, until it holds. Pure: a dry run calls it too.
#[must_use]
pub fn decide_all(app: &App, case: &CaseRow, known: &Known, now: Time) -> (Vec<(String, Stage)>, reminder::Look) {
    let always = Calendar::always();
    let config = &app.config;
    let calendar_of = |name: Option<&str>| name.and_then(|name| config.calendars.get(name)).unwrap_or(&always);
    let promised_by = case.calendar.as_deref().and_then(|version| config.calendars.of(version));
    let person = |key: &str| {
        let staff = config.organisation.staff(key)?;
        let unit = config.organisation.unit(&staff.unit);
        let calendar = staff.calendar.as_deref().or(unit.map(|unit| unit.calendar.as_str()));
        let away = known.absences.iter().filter(|absence| absence.staff == key);
        let away = away.map(|absence| (absence.starts_at, absence.ends_at)).collect();
        Some(Person { key: staff.key.as_str(), calendar: calendar_of(calendar), away, digest: None })
    };
    let lane = case.lane.as_deref().and_then(Lane::from_slug).unwrap_or_default();
    let owner = case.owner.as_deref().unwrap_or_default();
    let unit = case.unit.as_deref().unwrap_or_default();
    let absences = assign_cases::absences(&known.absences);
    let chain = config.organisation.chain(owner, unit, lane, &absences, now);
    let at = |rung: Rung| chain.steps.iter().find(|step| step.rung == rung).and_then(|step| person(&step.staff));
    let people =
        People { holder: person(owner), deputy: at(Rung::Deputy), manager: at(Rung::Manager), chief: at(Rung::Chief) };
    let snooze =
        known.silences.iter().rev().find(|silence| silence.scope == "case" && silence.subject == case.id.to_string());
    let view = ReminderCase {
        id: case.id,
        state: CaseState::from_slug(&case.state).unwrap_or(CaseState::Assigned),
        unit: case.unit.clone().unwrap_or_default(),
        topic: case.topic.clone(),
        urgency: Urgency::from_slug(&case.urgency).unwrap_or(Urgency::Normal),
        round_at: case.assigned_at.unwrap_or(case.opened_at),
        started_at: case.assigned_at.map_or(case.opened_at, |_| case.opened_at),
        due_at: case.due_at.unwrap_or(case.opened_at),
        calendar: promised_by.unwrap_or(&always),
        waiting: Waiting::ForUs,
        acknowledged: case.acknowledged_at.map(|at| Acknowledged { by: owner.to_owned(), at }),
        snooze: snooze.map(|silence| Snooze {
            by: silence.made_by.clone(),
            at: silence.starts_at,
            until: silence.ends_at,
        }),
    };
    let silences: Vec<Silence> = known.silences.iter().filter_map(silence).collect();
    let rows = known.sent.get(&case.id).map(Vec::as_slice).unwrap_or_default();
    let mut sent: Vec<Sent> = rows
        .iter()
        .filter(|row| row.round == case.round)
        .filter_map(|row| {
            Some(Sent { to: row.recipient.clone(), due_at: row.due_at, stage: Stage::from_slug(&row.stage)? })
        })
        .collect();
    let mut said = Vec::new();
    let mut look = reminder::decide(&view, &sent, &people, &silences, &config.ladder, now);
    while let Decision::Send { to, stage, .. } = &look.decision {
        if said.len() == SAID_AT_A_LOOK {
            break;
        }
        said.push((to.clone(), *stage));
        sent.push(Sent { to: to.clone(), due_at: view.due_at, stage: *stage });
        look = reminder::decide(&view, &sent, &people, &silences, &config.ladder, now);
    }
    (said, look)
}

fn silence(row: &SilenceRow) -> Option<Silence> {
    let scope = match row.scope.as_str() {
        "person" => Scope::Person(row.subject.clone()),
        "unit" => Scope::Unit(row.subject.clone()),
        "topic" => Scope::Topic(row.subject.clone()),
        "crisis" => Scope::Crisis,
        _ => return None,
    };
    Some(Silence { scope, from: row.starts_at, until: row.ends_at, reason: row.reason.clone() })
}

async fn look_at(
    app: &App,
    tx: &mut Tx,
    case: &CaseRow,
    known: &Known,
    now: Time,
    facts: &mut Vec<Fact>,
) -> sqlx::Result<()> {
    let (said, look) = decide_all(app, case, known, now);
    let due_at = case.due_at.unwrap_or(case.opened_at);
    for (to, stage) in said {
        let new = reminder::store::put(tx, case.id, &to, due_at, stage.slug(), case.round, now).await?;
        if new.is_some() {
            let body = serde_json::json!({ "to": to, "stage": stage.slug() });
            facts.push(Fact::of_case(now, "reminder.decided", case.id, body));
        }
    }
    let (text, until) = match &look.decision {
        Decision::Hold { reason, until } => (Some(reason.swedish(*until, now, &stockholm())), *until),
        Decision::Send { .. } => (None, None),
    };
    case::store::looked_at(tx, case.id, look.next_look_at, text.as_deref(), until).await
}

/// Puts what has been decided into messages: one to a person, about all her cases. Returns whether any was written.
async fn write_messages(app: &App, tx: &mut Tx, now: Time) -> anyhow::Result<bool> {
    let waiting = chat::store::unwritten(tx, WRITTEN_AT_A_TIME).await?;
    if waiting.is_empty() {
        return Ok(false);
    }
    let voices = chat::store::voices(tx).await?;
    let mut by_person: BTreeMap<&str, Vec<(i64, CaseId)>> = BTreeMap::new();
    for (reminder, case, recipient, _) in &waiting {
        by_person.entry(recipient).or_default().push((*reminder, *case));
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
        for (reminder, _) in &reminders {
            chat::store::carry(tx, *reminder, message).await?;
        }
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
    let due_at = row.due_at.unwrap_or(now);
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
