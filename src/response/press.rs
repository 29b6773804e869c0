//! A button that was pressed, in a chat or behind a signed link: checked against who presses and how the case stands,
//! then done by the same acts as the pages call.

use std::time::Duration;

use super::acts::{self, Receiver};
use super::{Done, Refused};
use crate::assignment::{Lane, Organisation};
use crate::case::store::CaseRow;
use crate::chat::button::{self, Offered, Press, Standing, Verdict};
use crate::chat::command::LATER_DEFAULT;
use crate::chat::{self, Act, Nonce, swedish};
use crate::clock::Time;
use crate::db::Tx;
use crate::id::CaseId;

/// Why a reminder is put off when nobody says why: it stands in the inbox.
pub const PUT_OFF: &str = "Påminn mig senare";

/// What a press means now, and the case that it is about when there is one.
///
/// `may` says whether the presser may see the case; whoever may not is told that the button is not hers.
///
/// # Errors
/// What the database says.
pub async fn verdict(
    tx: &mut Tx,
    by: Option<&str>,
    (act, nonce): (Act, &Nonce),
    may: impl Fn(&CaseRow) -> bool,
) -> sqlx::Result<(Verdict, Option<CaseRow>)> {
    let Some(made) = chat::store::button(tx, nonce.as_str()).await? else { return Ok((Verdict::Unknown, None)) };
    let Some(row) = crate::case::store::find(tx, made.case_id).await? else { return Ok((Verdict::Unknown, None)) };
    let Ok(stood) = serde_json::from_str(&made.stood) else { return Ok((Verdict::Unknown, None)) };
    if made.act != act.slug() {
        return Ok((Verdict::Unknown, None));
    }
    let offered = Offered { case: made.case_id, to: made.staff, stood, done: made.used_at.map(|_| act) };
    let press = Press { act, nonce: nonce.clone(), by: by.filter(|_| may(&row)).map(str::to_owned) };
    let verdict = button::judge_press(&press, Some(&offered), &Standing::of(&row));
    let row = if verdict == Verdict::NotYours { None } else { Some(row) };
    Ok((verdict, row))
}

/// What came of a press.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pressed {
    /// One or two Swedish sentences.
    pub text: String,
    /// Whether something was written: then the caller commits.
    pub done: bool,
    /// Whether the buttons no longer fit.
    pub spent: bool,
}

impl Pressed {
    fn refused(text: String, spent: bool) -> Self {
        Self { text, done: false, spent }
    }
}

/// Does what a press asks, when it may be done; the caller commits.
///
/// # Errors
/// What the database says.
pub async fn press(
    tx: &mut Tx,
    organisation: &Organisation,
    by: Option<&str>,
    (act, nonce): (Act, &Nonce),
    may: impl Fn(&CaseRow) -> bool,
    now: Time,
) -> sqlx::Result<Pressed> {
    let (verdict, row) = verdict(tx, by, (act, nonce), may).await?;
    let (Verdict::Do { act, case }, Some(row), Some(by)) = (&verdict, row, by) else {
        let spent = matches!(verdict, Verdict::Stale { .. });
        return Ok(Pressed::refused(verdict.refusal().unwrap_or_default(), spent));
    };
    let outcome = match act {
        Act::Take => acts::take(tx, by, *case, None, now).await,
        Act::Later => acts::snooze(tx, by, *case, None, now.plus(LATER_DEFAULT), PUT_OFF, now).await,
        Act::HandOver => hand_over(tx, organisation, by, &row, None, now).await,
    };
    match outcome {
        Ok(_) => {
            chat::store::use_button(tx, nonce.as_str(), now).await?;
            Ok(Pressed { text: button::done(*act, *case), done: true, spent: true })
        }
        Err(refused) => Ok(Pressed::refused(in_swedish(refused, now)?, false)),
    }
}

/// To the one named, or to whoever stands in for her.
///
/// # Errors
/// [`Refused`]: nothing has changed.
pub async fn hand_over(
    tx: &mut Tx,
    organisation: &Organisation,
    who: &str,
    row: &CaseRow,
    to: Option<&str>,
    now: Time,
) -> Result<Done, Refused> {
    let unit = row.unit.as_deref().unwrap_or_default();
    let receiver = if let Some(name) = to {
        organisation
            .unit_named(name, now)
            .map(|unit| (unit.deputy.clone(), unit.key.clone()))
            .or_else(|| organisation.staff_named(name, now).map(|staff| (staff.key.clone(), staff.unit.clone())))
    } else {
        let lane = row.lane.as_deref().and_then(Lane::from_slug).unwrap_or_default();
        let chain = organisation.chain(who, unit, lane, &[], now);
        chain.steps.into_iter().find(|step| step.staff != who).map(|step| (step.staff, unit.to_owned()))
    };
    let Some((staff, unit)) = receiver else {
        return Err(Refused::Incomplete("Jag hittar ingen med det namnet. Öppna Lyhörd och välj där."));
    };
    acts::hand_over(tx, who, row.id, None, Receiver { staff: &staff, unit: &unit }, now).await
}

/// What a chat is told of a refusal: names nobody. A database that did not answer is passed on, so that it is said once.
///
/// # Errors
/// What the database said.
pub fn in_swedish(refused: Refused, now: Time) -> sqlx::Result<String> {
    match refused {
        Refused::Db(fault) => Err(fault),
        refused => Ok(refused.swedish(|_| "en kollega", |at| swedish::time_of(at, now))),
    }
}

/// What a press would do, told before it is done.
#[must_use]
pub fn what_it_would_do(act: Act, case: CaseId) -> String {
    let hours = LATER_DEFAULT.as_secs() / Duration::from_hours(1).as_secs();
    match act {
        Act::Take => format!("Du tar ärende {case}. Påminnelserna om det stannar, och kollegorna ser att du har det."),
        Act::Later => format!("Lyhörd är tyst om ärende {case} i {hours} timme. Svarstiden flyttas inte."),
        Act::HandOver => format!("Ärende {case} går till den som är näst på tur i enheten."),
    }
}
