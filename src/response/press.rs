//! A button that was pressed, in a chat or behind a signed link: checked against who presses and how the case stands,
//! then done by the same acts as the pages call.

use std::time::Duration;

use super::offer_acts::{self, HandOver, Handed, Reach};
use super::{Done, Refused, acts};
use crate::assignment::absence::of_rows;
use crate::assignment::handover::{Receiver, Reply};
use crate::assignment::{self, Lane, Organisation, offer_store};
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
/// `may` says whether the presser may see the case, as may one to whom it is offered; anybody else is told that the
/// button is not hers.
///
/// # Errors
/// What the database says.
pub async fn verdict(
    tx: &mut Tx,
    organisation: &Organisation,
    by: Option<&str>,
    (act, nonce): (Act, &Nonce),
    may: impl Fn(&CaseRow) -> bool,
    now: Time,
) -> sqlx::Result<(Verdict, Option<CaseRow>)> {
    let Some(made) = chat::store::button(tx, nonce.as_str()).await? else { return Ok((Verdict::Unknown, None)) };
    let Some(row) = crate::case::store::find(tx, made.case_id).await? else { return Ok((Verdict::Unknown, None)) };
    let Ok(stood) = serde_json::from_str(&made.stood) else { return Ok((Verdict::Unknown, None)) };
    if made.act != act.slug() {
        return Ok((Verdict::Unknown, None));
    }
    let offered = Offered { case: made.case_id, to: made.staff, stood, done: made.used_at.map(|_| act) };
    let may = may(&row) || (!row.restricted && offered_to(tx, organisation, by, row.id, now).await?);
    let press = Press { act, nonce: nonce.clone(), by: by.filter(|_| may).map(str::to_owned) };
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
    let (verdict, row) = verdict(tx, organisation, by, (act, nonce), may, now).await?;
    let (Verdict::Do { act, case }, Some(row), Some(by)) = (&verdict, row, by) else {
        let spent = matches!(verdict, Verdict::Stale { .. });
        return Ok(Pressed::refused(verdict.refusal().unwrap_or_default(), spent));
    };
    let outcome = match act {
        Act::Take => take(tx, organisation, by, *case, now).await.map(|_| None),
        Act::Later => acts::snooze(tx, by, *case, None, now.plus(LATER_DEFAULT), PUT_OFF, now).await.map(|_| None),
        Act::HandOver => hand_over(tx, organisation, by, &row, (None, Reach::Within), now).await.map(Some),
    };
    match outcome {
        Ok(handed) => {
            chat::store::use_button(tx, nonce.as_str(), now).await?;
            let text = handed.map_or_else(|| button::done(*act, *case), |handed| handed_in_swedish(handed, *case));
            // What is only offered is still hers: she can take it or put it off.
            Ok(Pressed { text, done: true, spent: handed != Some(Handed::Offered) })
        }
        Err(refused) => Ok(Pressed::refused(in_swedish(refused, now)?, false)),
    }
}

/// Takes a case: by saying yes when it is offered her, else straight away.
///
/// # Errors
/// [`Refused`]: nothing has changed.
pub async fn take(
    tx: &mut Tx,
    organisation: &Organisation,
    who: &str,
    case: CaseId,
    now: Time,
) -> Result<Done, Refused> {
    if offered_to(tx, organisation, Some(who), case, now).await? {
        return offer_acts::reply(tx, organisation, who, case, None, &Reply::Accept, now).await;
    }
    acts::take(tx, who, case, None, now).await
}

/// True when a case is offered to her: then she may see what she is asked to take.
///
/// # Errors
/// What the database says.
pub async fn offered_to(
    tx: &mut Tx,
    organisation: &Organisation,
    who: Option<&str>,
    case: CaseId,
    now: Time,
) -> sqlx::Result<bool> {
    let Some(who) = who else { return Ok(false) };
    let offer = offer_store::open_offer(tx, case).await?;
    Ok(offer.is_some_and(|offer| now < offer.ends_at && offer_acts::is_for(&offer, who, organisation, now)))
}

/// Hands over to the unit or colleague named, or to whoever stands in for her: as an offer, unless she leads them.
///
/// # Errors
/// [`Refused`]: nothing has changed.
pub async fn hand_over(
    tx: &mut Tx,
    organisation: &Organisation,
    who: &str,
    row: &CaseRow,
    (to, reach): (Option<&str>, Reach),
    now: Time,
) -> Result<Handed, Refused> {
    let unit = row.unit.as_deref().unwrap_or_default();
    let receiver = if let Some(name) = to {
        let unit = organisation.unit_named(name, now).map(|unit| Receiver::Unit(unit.key.clone()));
        unit.or_else(|| organisation.staff_named(name, now).map(|staff| Receiver::Staff(staff.key.clone())))
    } else {
        let lane = row.lane.as_deref().and_then(Lane::from_slug).unwrap_or_default();
        let absences = of_rows(&assignment::store::absences(tx, now).await?);
        let chain = organisation.chain(who, unit, lane, &absences, now);
        chain.steps.into_iter().find(|step| step.staff != who).map(|step| Receiver::Staff(step.staff))
    };
    let Some(to) = receiver else {
        return Err(Refused::Incomplete("Jag hittar ingen med det namnet. Öppna Lyhörd och välj där."));
    };
    let wanted = HandOver { to: &to, note: "", reach };
    offer_acts::hand_over(tx, organisation, who, row.id, None, wanted, now).await.map(|(_, handed)| handed)
}

/// What is answered when a case has been handed over; names nobody.
#[must_use]
pub fn handed_in_swedish(handed: Handed, case: CaseId) -> String {
    match handed {
        Handed::Given => button::done(Act::HandOver, case),
        Handed::Offered => {
            format!("Ärende {case} är erbjudet. Du ansvarar för det tills någon har sagt ja; svarar ingen får du veta.")
        }
    }
}

/// What a chat is told of a refusal: names nobody. A database that did not answer is passed on, so that it is said once.
///
/// # Errors
/// What the database said.
pub fn in_swedish(refused: Refused, now: Time) -> sqlx::Result<String> {
    match refused {
        Refused::Db(fault) => Err(fault),
        Refused::AnotherBoard => Ok(format!(
            "{} Är det rätt, så skriv samma sak igen med ja sist: /lamna 1042 Plan och bygg ja.",
            super::ANOTHER_BOARD
        )),
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
        Act::HandOver => format!(
            "Ärende {case} erbjuds den som är näst på tur. Du ansvarar för det tills någon har sagt ja, om du inte leder enheten."
        ),
    }
}
