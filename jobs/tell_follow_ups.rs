//! Tells those who handle a threat that it is time to follow up: a week and a month after support was offered. The one
//! who has the case is told when it is due, and the one who leads her unit too when it has lain for two days. At work,
//! never in quiet hours; also when the case itself has been answered. Called in the transaction of `remind_staff`.

use crate::app::App;
use crate::assignment::chain::Rung;
use crate::assignment::{self, Lane};
use crate::case;
use crate::case::queue_store;
use crate::case::threat::{Reminded, Threat, reminded};
use crate::clock::Time;
use crate::db::Tx;
use crate::journal::Fact;
use crate::reminder::store::NewReminder;
use crate::reminder::{self, Person};

/// Follow-ups that are looked at in one transaction.
const AT_A_LOOK: i64 = 100;

/// Writes down what is to be said. Returns whether any follow-up was looked at.
///
/// # Errors
/// What the database says.
pub(super) async fn tell_follow_ups(app: &App, tx: &mut Tx, now: Time, facts: &mut Vec<Fact>) -> sqlx::Result<bool> {
    let due = queue_store::follow_ups(tx, now, AT_A_LOOK).await?;
    if due.is_empty() {
        return Ok(false);
    }
    let absences = assignment::absence::of_rows(&assignment::store::absences(tx, now).await?);
    let (organisation, ladder) = (&app.config.organisation, app.config.ladders.current());
    for (id, step, due_at) in &due {
        let Some(case) = case::store::find(tx, *id).await? else { continue };
        let (owner, unit) = (case.owner.as_deref().unwrap_or_default(), case.unit.as_deref().unwrap_or_default());
        let chain = organisation.chain(owner, unit, Lane::Threat, &absences, now);
        let (whom, next) = reminded(*due_at, now);
        let manager = if whom == Reminded::ManagerToo { chain.at(Rung::Manager) } else { None };
        let month = Threat::from_slug(step) == Some(Threat::FollowedWeek);
        let stage = if month { "follow-30" } else { "follow-7" };
        let mut next = next;
        for step in chain.steps.first().into_iter().chain(manager) {
            let key = step.staff.as_str();
            let calendar = app.calendar_of_staff(key);
            let person = Person { key, calendar: &calendar, away: Vec::new(), digest: None };
            match reminder::reachable_at(&person, ladder, now) {
                Some(at) if at > now => next = next.into_iter().chain([at]).min(),
                _ => {
                    let new = NewReminder {
                        case_id: *id,
                        recipient: key,
                        due_at: *due_at,
                        stage,
                        round: case.round,
                        breaks: false,
                    };
                    if !reminder::store::put(tx, &[new], now).await?.is_empty() {
                        let body = serde_json::json!({ "to": key, "stage": stage, "breaks": false });
                        facts.push(Fact::of_case(now, "reminder.decided", *id, body));
                    }
                }
            }
        }
        queue_store::tell_follow_up_at(tx, *id, next).await?;
    }
    Ok(true)
}
