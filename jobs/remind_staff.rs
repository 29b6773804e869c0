//! Decides who is told what now, and writes it into the outbox. Deciding and delivering are kept apart: this job
//! sends nothing.

use std::collections::BTreeMap;

use crate::app::App;
use crate::assignment::chain::Rung;
use crate::assignment::store::AbsenceRow;
use crate::assignment::{self, Lane, offer_store};
use crate::calendar::{Calendar, stockholm};
use crate::case::batch_store::LookedAt;
use crate::case::store::CaseRow;
use crate::case::{self, CaseState};
use crate::classification::Urgency;
use crate::clock::Time;
use crate::config::Config;
use crate::db::Tx;
use crate::id::CaseId;
use crate::jobs::tell_follow_ups::tell_follow_ups;
use crate::jobs::write_messages::write_messages;
use crate::jobs::{BATCH, Job, TIMETABLE_BELL, WEB_BELL};
use crate::journal::{self, Fact};
use crate::reminder::store::{NewReminder, ReminderRow, SilenceRow};
use crate::reminder::{
    self, Acknowledged, Decision, People, Person, ReminderCase, Rhythm, Scope, Sent, Silence, Snooze, Stage, Waiting,
};

/// The most that is said about one case in one look: every stage to every link of the chain.
const SAID_AT_A_LOOK: usize = 16;

/// Looks at one batch of cases and writes the messages; enqueues itself when there may be more.
///
/// # Errors
/// What the database says; nothing of the batch is then decided.
pub async fn run(app: &App, now: Time) -> anyhow::Result<()> {
    let mut tx = app.db.write().await?;
    let cases = case::batch_store::to_look_at(&mut tx, now, BATCH).await?;
    let known = Known::load(&mut tx, &cases, now).await?;
    let mut facts = Vec::new();
    // A round climbs the ladder it begins with to its end, whatever is decided meanwhile.
    let begun: Vec<CaseId> =
        cases.iter().filter(|case| case.ladder.is_none() && case.unit.is_some()).map(|case| case.id).collect();
    case::promise_store::set_ladder(&mut tx, &begun, &app.config.ladders.current().version()).await?;
    look_at(app, &mut tx, &cases, &known, now, &mut facts).await?;
    let followed = tell_follow_ups(app, &mut tx, now, &mut facts).await?;
    let told = tell_offers(app, &mut tx, now).await? || followed;
    let wrote = write_messages(app, &mut tx, now).await?;
    if cases.len() == usize::try_from(BATCH).unwrap_or(usize::MAX) {
        Job::RemindStaff.enqueue(&mut tx, now).await?;
    }
    if wrote {
        Job::DeliverMessages.enqueue(&mut tx, now).await?;
    }
    if cases.is_empty() && !wrote && !told {
        return Ok(());
    }
    tx.ring_on_commit(TIMETABLE_BELL);
    tx.ring_on_commit(WEB_BELL);
    journal::append(&mut tx, &facts).await?;
    tx.commit().await?;
    Ok(())
}

/// What is known of the batch besides its cases.
#[derive(Default)]
pub struct Known {
    absences: Vec<AbsenceRow>,
    silences: Vec<SilenceRow>,
    snoozes: Vec<SilenceRow>,
    sent: BTreeMap<CaseId, Vec<ReminderRow>>,
    digests: BTreeMap<String, String>,
}

impl Known {
    /// Reads what a look at these cases needs.
    ///
    /// # Errors
    /// What the database says.
    pub async fn load(tx: &mut Tx, cases: &[CaseRow], now: Time) -> sqlx::Result<Self> {
        let absences = assignment::store::absences(tx, now).await?;
        let silences = reminder::store::silences(tx, now).await?;
        let ids: Vec<CaseId> = cases.iter().map(|case| case.id).collect();
        let snoozes = reminder::store::snoozes(tx, &ids).await?;
        let mut sent: BTreeMap<CaseId, Vec<ReminderRow>> = BTreeMap::new();
        for row in reminder::store::of_cases(tx, &ids).await? {
            sent.entry(row.case_id).or_default().push(row);
        }
        let digests = reminder::digest_store::chosen(tx).await?.into_iter().collect();
        Ok(Self { absences, silences, snoozes, sent, digests })
    }
}

impl Known {
    /// When one of the staff is away.
    fn away(&self, key: &str) -> Vec<(Time, Time)> {
        let away = self.absences.iter().filter(|absence| absence.staff == key);
        away.map(|absence| (absence.starts_at, absence.ends_at)).collect()
    }

    /// Until when it is silent around somebody, or about a matter.
    fn silent_until(&self, key: &str, unit: &str, topic: &str, now: Time) -> Option<Time> {
        let about = |silence: &&SilenceRow| match silence.scope.as_str() {
            "person" => silence.subject == key,
            "unit" => silence.subject == unit,
            "topic" => silence.subject == topic,
            scope => scope == "crisis",
        };
        let running = self.silences.iter().filter(|silence| silence.starts_at <= now).filter(about);
        running.map(|silence| silence.ends_at).max()
    }
}

/// One thing that is to be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Staff key of the recipient.
    pub to: String,
    /// What.
    pub stage: Stage,
    /// True when it is said although a silence, quiet hours or a closed office stands in the way.
    pub breaks: bool,
}

/// What is to be said about one case at `now`, one thing after another, until it holds. Pure: a dry run calls it too.
#[must_use]
pub fn decide_all(config: &Config, case: &CaseRow, known: &Known, now: Time) -> (Vec<Said>, reminder::Look) {
    let always = Calendar::always();
    let calendar_of = |name: Option<&str>| name.and_then(|name| config.calendars.get(name)).unwrap_or(&always);
    let promised_by = case.calendar.as_deref().and_then(|version| config.calendars.of(version));
    let person = |key: &str| {
        // Who has left is nobody's recipient: her cases go to others, and until then the line answers for them.
        let staff = config.organisation.staff_at(key, now)?;
        let unit = config.organisation.unit(&staff.unit);
        let calendar = staff.calendar.as_deref().or(unit.map(|unit| unit.calendar.as_str()));
        let digest = known.digests.get(key).or(staff.digest.as_ref()).and_then(|rhythm| Rhythm::parse(rhythm));
        Some(Person { key: staff.key.as_str(), calendar: calendar_of(calendar), away: known.away(key), digest })
    };
    let lane = case.lane.as_deref().and_then(Lane::from_slug).unwrap_or_default();
    let owner = case.owner.as_deref().unwrap_or_default();
    let unit = case.unit.as_deref().unwrap_or_default();
    let absences = assignment::absence::of_rows(&known.absences);
    let chain = config.organisation.chain(owner, unit, lane, &absences, now);
    let at = |rung: Rung| chain.steps.iter().find(|step| step.rung == rung).and_then(|step| person(&step.staff));
    // Who stands in for a holder that is away has the holder's rung: she comes before anybody further up.
    let stands_in = at(Rung::Holder).filter(|person| person.key != owner);
    let people = People {
        holder: person(owner),
        deputy: stands_in.or_else(|| at(Rung::Deputy)),
        manager: at(Rung::Manager),
        chief: at(Rung::Chief),
    };
    let snooze = known.snoozes.iter().find(|snooze| snooze.subject == case.id.to_string());
    let view = ReminderCase {
        id: case.id,
        state: CaseState::from_slug(&case.state).unwrap_or(CaseState::Assigned),
        unit: case.unit.clone().unwrap_or_default(),
        topic: case.topic.clone(),
        urgency: Urgency::from_slug(&case.urgency).unwrap_or(Urgency::Normal),
        round_at: case.assigned_at.unwrap_or(case.opened_at),
        started_at: case.promise_started_at.unwrap_or(case.opened_at).min(case.due_at.unwrap_or(case.opened_at)),
        due_at: case.promised_at().unwrap_or(case.opened_at),
        calendar: promised_by.unwrap_or(&always),
        waiting: if case.waiting_since.is_some() { Waiting::ForCitizen } else { Waiting::ForUs },
        acknowledged: case
            .acknowledged_at
            .map(|at| Acknowledged { by: case.acknowledged_by.clone().unwrap_or_else(|| owner.to_owned()), at }),
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
    let ladder = config.ladders.of(case.ladder.as_deref().unwrap_or_default());
    let mut look = reminder::decide(&view, &sent, &people, &silences, ladder, now);
    while let Decision::Send { to, stage, breaks_silence } = &look.decision {
        if said.len() == SAID_AT_A_LOOK {
            break;
        }
        said.push(Said { to: to.clone(), stage: *stage, breaks: *breaks_silence });
        sent.push(Sent { to: to.clone(), due_at: view.due_at, stage: *stage });
        look = reminder::decide(&view, &sent, &people, &silences, ladder, now);
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

/// Looks at every case of the batch, and writes what is to be said and what was found, each in one statement.
async fn look_at(
    app: &App,
    tx: &mut Tx,
    cases: &[CaseRow],
    known: &Known,
    now: Time,
    facts: &mut Vec<Fact>,
) -> sqlx::Result<()> {
    let looks: Vec<(&CaseRow, Vec<Said>, reminder::Look)> = cases
        .iter()
        .map(|case| {
            let (said, look) = decide_all(&app.config, case, known, now);
            (case, said, look)
        })
        .collect();
    let all = || looks.iter().flat_map(|(case, said, _)| said.iter().map(move |said| (*case, said)));
    let reminders: Vec<NewReminder<'_>> = all()
        .map(|(case, said)| NewReminder {
            case_id: case.id,
            recipient: &said.to,
            due_at: case.promised_at().unwrap_or(case.opened_at),
            stage: said.stage.slug(),
            round: case.round,
            breaks: said.breaks,
        })
        .collect();
    let new = reminder::store::put(tx, &reminders, now).await?;
    for (case, Said { to, stage, breaks }) in all() {
        if new.contains(&(case.id, to.clone(), stage.slug().to_owned())) {
            let body = serde_json::json!({ "to": to, "stage": stage.slug(), "breaks": breaks });
            facts.push(Fact::of_case(now, "reminder.decided", case.id, body));
        }
    }
    let found: Vec<LookedAt> = looks.iter().map(|(case, _, look)| looked_at(case, look, now)).collect();
    case::batch_store::looked_at(tx, &found).await
}

fn looked_at(case: &CaseRow, look: &reminder::Look, now: Time) -> LookedAt {
    let (hold, hold_kind, hold_until) = match &look.decision {
        Decision::Hold { reason, until } => {
            (Some(reason.swedish(*until, now, &stockholm())), Some(reason.slug()), *until)
        }
        Decision::Send { .. } => (None, None, None),
    };
    LookedAt { id: case.id, next_look_at: look.next_look_at, hold, hold_kind, hold_until }
}

/// Offers that are told of in one look.
const OFFERS_AT_A_LOOK: i64 = 100;
/// Members of a unit who are told that a case is offered to their unit.
const MEMBERS_TOLD: usize = 20;

/// Tells whom a case is offered, and the owner when it came to nothing; at work, never in quiet hours. Returns whether
/// any offer was looked at.
async fn tell_offers(app: &App, tx: &mut Tx, now: Time) -> sqlx::Result<bool> {
    let offers = offer_store::offers_to_tell(tx, now, OFFERS_AT_A_LOOK).await?;
    let ladder = app.config.ladders.current();
    let known = if offers.is_empty() { Known::default() } else { Known::load(tx, &[], now).await? };
    for offer in &offers {
        let Some(case) = case::store::find(tx, offer.case_id).await? else { continue };
        let organisation = &app.config.organisation;
        let unit = offer.to_unit.as_deref().unwrap_or_default();
        let of_unit = organisation.members(unit, now).map(|staff| staff.key.as_str()).take(MEMBERS_TOLD);
        let whom: Vec<&str> = match (offer.tell.as_str(), offer.to_staff.as_deref()) {
            ("owner", _) => vec![offer.from_staff.as_str()],
            (_, Some(staff)) => vec![staff],
            _ => of_unit.collect(),
        };
        let stage = format!("{}-{}", if offer.tell == "owner" { "kept" } else { "offer" }, offer.id);
        let mut later: Option<Time> = None;
        let mut told = Vec::new();
        for key in whom {
            let calendar = app.calendar_of_staff(key);
            let person = Person { key, calendar: &calendar, away: known.away(key), digest: None };
            let from = known.silent_until(key, unit, &case.topic, now).unwrap_or(now);
            match reminder::reachable_at(&person, ladder, from) {
                Some(at) if at > now => later = later.into_iter().chain([at]).min(),
                _ => {
                    let due_at = case.due_at.unwrap_or(case.opened_at);
                    told.push(NewReminder {
                        case_id: case.id,
                        recipient: key,
                        due_at,
                        stage: &stage,
                        round: case.round,
                        breaks: false,
                    });
                }
            }
        }
        reminder::store::put(tx, &told, now).await?;
        offer_store::tell_offer_at(tx, offer.id, later).await?;
    }
    Ok(!offers.is_empty())
}
