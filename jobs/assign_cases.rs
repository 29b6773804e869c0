//! Gives each new case an owner and a promise: route, choose, promise, write. So too a case whose judgement was corrected
//! before anybody began.

use std::collections::BTreeMap;

use crate::app::{App, calendar_of_unit};
use crate::assignment::absence::{Absence, Told};
use crate::assignment::choose::{Candidate, Desk};
use crate::assignment::rota::Hours;
use crate::assignment::{self, Matter};
use crate::case::store::{Assigned, CaseRow};
use crate::case::{self, Asked, promise};
use crate::classification::{Classification, Intent, Urgency};
use crate::clock::Time;
use crate::db::Tx;
use crate::id::{CaseId, MentionId};
use crate::jobs::{BATCH, Job, WEB_BELL};
use crate::journal::{self, Fact};
use crate::mention::{self, store::Judged, version_store};
use crate::response::acts::{self, Native};

/// How many answers that we have given already a batch of new cases takes in; more are a thread gone wrong.
const ANSWERS_LOOKED_AT: i64 = 500;

/// Assigns one batch; enqueues itself when there may be more, and the reminders when it assigned something.
///
/// # Errors
/// What the database says; nothing of the batch is then assigned.
pub async fn run(app: &App, now: Time) -> anyhow::Result<()> {
    let mut tx = app.db.write().await?;
    let batch = case::store::unassigned(&mut tx, BATCH).await?;
    if batch.is_empty() {
        return Ok(());
    }
    let mut loads: BTreeMap<String, (u32, Option<Time>)> = case::store::loads(&mut tx)
        .await?
        .into_iter()
        .map(|(staff, open, last)| (staff, (u32::try_from(open).unwrap_or(u32::MAX), last)))
        .collect();
    let absences = absences(&assignment::store::absences(&mut tx, now).await?);
    let mut facts = Vec::with_capacity(batch.len());
    let opened_by: Vec<MentionId> = batch.iter().map(|row| row.mention_id).collect();
    let judged: BTreeMap<MentionId, Judged> = mention::store::judged(&mut tx, &opened_by)
        .await?
        .into_iter()
        .map(|judged| (judged.mention.id, judged))
        .collect();
    for row in &batch {
        let judged = judged.get(&row.mention_id);
        let verdict = judged.and_then(|judged| serde_json::from_str::<Classification>(&judged.verdict).ok());
        let words = judged.map(|judged| judged.mention.body.as_str()).unwrap_or_default();
        let given = give(app, row, verdict.as_ref(), words, &candidates(&loads), &absences, now).kept_by_holder(row);
        case::store::assign(&mut tx, &given.row(row), now).await?;
        let load = loads.entry(given.owner.clone()).or_default();
        *load = (load.0.saturating_add(1), Some(now));
        let body = serde_json::json!({
            "unit": given.unit, "owner": given.owner, "lane": given.lane, "due_at": given.due_at.to_string(),
            "policy": given.policy_version, "from": row.owner, "to": given.owner,
        });
        let kind = if row.unit.is_some() { "case.reassigned" } else { "case.assigned" };
        facts.push(Fact::of_case(now, kind, row.id, body));
    }
    let new: Vec<CaseId> = batch.iter().filter(|row| row.unit.is_none()).map(|row| row.id).collect();
    answered_before(&mut tx, &new, &mut facts, now).await?;
    if batch.len() == usize::try_from(BATCH).unwrap_or(usize::MAX) {
        Job::AssignCases.enqueue(&mut tx, now).await?;
    }
    Job::RemindStaff.enqueue(&mut tx, now).await?;
    tx.ring_on_commit(WEB_BELL);
    journal::append(&mut tx, &facts).await?;
    tx.commit().await?;
    Ok(())
}

/// We answered in the channel before these cases had an owner: now each has a promise that the answer can fulfil.
async fn answered_before(tx: &mut Tx, new: &[CaseId], facts: &mut Vec<Fact>, now: Time) -> anyhow::Result<()> {
    for answer in version_store::own_answers(tx, new, ANSWERS_LOOKED_AT).await? {
        case::store::add_mention(tx, answer.case_id, answer.id).await?;
        let native = Native {
            channel: &answer.channel,
            text: &answer.body,
            url: answer.url.as_deref(),
            answered_at: answer.authored_at,
        };
        acts::answer_in_channel(tx, answer.case_id, native, facts, now).await?;
    }
    Ok(())
}

/// Absences as the organisation reads them.
#[must_use]
pub fn absences(rows: &[assignment::store::AbsenceRow]) -> Vec<Absence> {
    rows.iter()
        .map(|row| Absence {
            staff: row.staff.clone(),
            from: row.starts_at,
            until: Some(row.ends_at),
            deputy: row.deputy.clone(),
            told: Told::Page,
        })
        .collect()
}

fn candidates(loads: &BTreeMap<String, (u32, Option<Time>)>) -> Vec<Candidate<'_>> {
    loads.iter().map(|(staff, (load, last))| Candidate { staff, load: *load, last_given_at: *last }).collect()
}

/// What was decided for one case.
struct Given {
    unit: String,
    lane: &'static str,
    owner: String,
    because: String,
    calendar: String,
    policy_version: String,
    due_at: Time,
    resolve_by: Time,
    due_because: String,
    discovered_late: bool,
}

impl Given {
    /// A case that comes to the same unit by the same way after a correction stays with the one who has it.
    fn kept_by_holder(mut self, row: &CaseRow) -> Self {
        let same = row.unit.as_deref() == Some(self.unit.as_str()) && row.lane.as_deref() == Some(self.lane);
        if let Some(owner) = row.owner.clone().filter(|_| same) {
            self.owner = owner;
        }
        self
    }

    fn row<'a>(&'a self, case: &CaseRow) -> Assigned<'a> {
        Assigned {
            id: case.id,
            unit: &self.unit,
            lane: Some(self.lane),
            owner: &self.owner,
            because: &self.because,
            calendar: &self.calendar,
            policy_version: &self.policy_version,
            due_at: self.due_at,
            resolve_by: self.resolve_by,
            due_because: &self.due_because,
            discovered_late: self.discovered_late,
        }
    }
}

fn give(
    app: &App,
    row: &CaseRow,
    verdict: Option<&Classification>,
    words: &str,
    candidates: &[Candidate<'_>],
    absences: &[Absence],
    now: Time,
) -> Given {
    let organisation = &app.config.organisation;
    let intent = Intent::from_slug(&row.intent).unwrap_or(Intent::Information);
    let urgency = Urgency::from_slug(&row.urgency).unwrap_or(Urgency::Normal);
    let matter = Matter {
        topic: &row.topic,
        intent,
        also: verdict.and_then(|verdict| verdict.also),
        urgency,
        place: row.place.as_deref().unwrap_or_default(),
        channel: &row.channel,
        protected: row.protected,
        flags: verdict.map(|verdict| verdict.flags.as_slice()).unwrap_or_default(),
        text: words,
        ..Matter::default()
    };
    let route = organisation.route(&matter, now);
    let calendar = calendar_of_unit(&app.config, &route.unit);
    let hours = if calendar.is_open(now) { Hours::Staffed } else { Hours::Unstaffed };
    let on_duty = organisation.on_duty(&route.unit, hours, absences, now);
    let choice = organisation.choose(&route, &Desk { candidates, absences, on_duty: &on_duty }, now);
    let asked = Asked { intent, urgency, arrived_at: row.arrived_at, found_at: row.opened_at, deadline_at: None };
    let promises = promise(&asked, &calendar, &app.config.response_times);
    Given {
        unit: route.unit,
        lane: route.lane.slug(),
        owner: choice.staff,
        because: format!("{} {}", route.because, choice.because),
        calendar: promises.first_response.calendar_version,
        policy_version: promises.policy_version,
        due_at: promises.first_response.due_at,
        resolve_by: promises.resolution.due_at,
        due_because: promises.first_response.because.join("\n"),
        discovered_late: promises.first_response.discovered_late.is_some(),
    }
}
