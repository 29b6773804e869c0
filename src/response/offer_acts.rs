//! Handing a case over: it is offered, and its owner answers for it until somebody says yes. Who leads the receiver's
//! unit gives without asking. To go from one board's authority to another's must be meant, and is written down.

use serde_json::{Value, json};

use super::acts::{Act, make_room};
use super::{Done, NOTE_MAX, Refused};
use crate::assignment::absence::of_rows;
use crate::assignment::handover::{Offer, Outcome, Receiver, Reply};
use crate::assignment::offer_store::{self, NewOffer, OfferRow};
use crate::assignment::{self, Organisation};
use crate::case::store::Change;
use crate::case::{CaseState, Move};
use crate::clock::Time;
use crate::db::Tx;
use crate::id::CaseId;

/// The offer as the rules read it.
#[must_use]
pub fn as_offer(row: &OfferRow) -> Offer {
    let to = match (&row.to_staff, &row.to_unit) {
        (Some(staff), _) => Receiver::Staff(staff.clone()),
        (None, unit) => Receiver::Unit(unit.clone().unwrap_or_default()),
    };
    Offer { case: row.case_id, from: row.from_staff.clone(), to, offered_at: row.offered_at }
}

/// True when a case is offered to this member of staff, by name or by her unit.
#[must_use]
pub fn is_for(offer: &OfferRow, key: &str, organisation: &Organisation, now: Time) -> bool {
    let unit = organisation.staff_at(key, now).map(|staff| staff.unit.as_str());
    offer.to_staff.as_deref() == Some(key) || (offer.to_unit.is_some() && offer.to_unit.as_deref() == unit)
}

/// How far a case may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// Within the board whose it is; whoever wants further is warned first.
    #[default]
    Within,
    /// To another board too: she has been warned, and means it.
    Beyond,
}

/// To whom a case is to go, and what is said.
#[derive(Debug, Clone, Copy)]
pub struct HandOver<'a> {
    /// Who or which unit.
    pub to: &'a Receiver,
    /// What the one who hands over wants to say.
    pub note: &'a str,
    /// Whether it may leave its board.
    pub reach: Reach,
}

/// What became of a hand-over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handed {
    /// The other has it.
    Given,
    /// The other has been asked; the owner has it meanwhile.
    Offered,
}

/// Hands a case over: gives it when the one who does leads the receiver's unit, else offers it.
///
/// # Errors
/// [`Refused`]: nothing has changed.
pub async fn hand_over(
    tx: &mut Tx,
    organisation: &Organisation,
    who: &str,
    case: CaseId,
    seen: Option<i64>,
    wanted: HandOver<'_>,
    now: Time,
) -> Result<(Done, Handed), Refused> {
    let act = Act::begin(tx, who, case, seen, now).await?;
    act.must_be_open()?;
    let unit = match wanted.to {
        Receiver::Staff(staff) => organisation.staff_at(staff, now).map(|staff| staff.unit.as_str()),
        Receiver::Unit(unit) => organisation.unit_at(unit, now).map(|unit| unit.key.as_str()),
    };
    let Some(unit) = unit else { return Err(Refused::Incomplete("Välj vem som ska ha ärendet.")) };
    if matches!(wanted.to, Receiver::Staff(staff) if act.row.owner.as_ref() == Some(staff)) {
        return Err(Refused::Incomplete("Den du valde har redan ärendet. Välj någon annan."));
    }
    if let Receiver::Staff(staff) = wanted.to {
        let absences = of_rows(&assignment::store::absences(tx, now).await?);
        if !organisation.present(staff, &absences, now) {
            return Err(Refused::Incomplete("Den du valde är borta nu. Välj någon annan, eller enheten."));
        }
    }
    let from = act.row.unit.as_deref().unwrap_or_default();
    let boards = organisation.crosses_boards(from, unit, now);
    if boards.is_some() && wanted.reach == Reach::Within {
        return Err(Refused::AnotherBoard);
    }
    let boards = boards.map(|(from, to)| json!({ "from": from.key, "to": to.key }));
    match wanted.to {
        Receiver::Staff(staff) if !organisation.needs_yes(who, unit, now) => {
            Ok((give(tx, &act, (staff, unit), boards, now).await?, Handed::Given))
        }
        _ => Ok((offer(tx, organisation, &act, wanted, boards, now).await?, Handed::Offered)),
    }
}

/// Gives a case to somebody, who has yet to take it. The promise stays.
async fn give(
    tx: &mut Tx,
    act: &Act<'_>,
    (staff, unit): (&str, &str),
    boards: Option<Value>,
    now: Time,
) -> Result<Done, Refused> {
    let wanted = match act.state() {
        CaseState::Open => Move::Assign { to: staff.to_owned() },
        _ => Move::HandOver { to: staff.to_owned() },
    };
    let state = act.to(&wanted)?;
    let change =
        Change { state: Some(state.slug()), owner: Some(staff), unit: Some(unit), triaged: true, ..Change::default() };
    act.change(tx, &change).await?;
    make_room(tx, &act.row, now).await?;
    let body = json!({ "from": act.row.owner, "to": staff, "unit": unit, "boards": boards });
    act.tell(tx, "case.handed_over", body, state).await
}

/// Offers a case to somebody or to a unit. Its owner answers for it until one of them says yes.
async fn offer(
    tx: &mut Tx,
    organisation: &Organisation,
    act: &Act<'_>,
    HandOver { to, note, .. }: HandOver<'_>,
    boards: Option<Value>,
    now: Time,
) -> Result<Done, Refused> {
    let owner = act.row.owner.clone().unwrap_or_default();
    let (to_staff, to_unit) = match to {
        Receiver::Staff(staff) => (Some(staff.as_str()), None),
        Receiver::Unit(unit) => (None, Some(unit.as_str())),
    };
    // Looked at anew, and the one who offers has shown that she sees it.
    let mine = owner == act.who;
    let change = Change {
        acknowledged_at: mine.then_some(now),
        acknowledged_by: mine.then_some(act.who),
        triaged: true,
        ..Change::default()
    };
    act.change(tx, &change).await?;
    let note: String = note.trim().chars().take(NOTE_MAX).collect();
    let ends_at = now.plus(organisation.rules.handover_open);
    let new = NewOffer { case: act.row.id, from: &owner, to_staff, to_unit, note: &note, ends_at };
    if offer_store::put_offer(tx, &new, now).await?.is_none() {
        return Err(Refused::Incomplete("Ärendet är redan erbjudet någon. Ta tillbaka det erbjudandet först."));
    }
    let body = json!({ "from": owner, "to": to_staff, "unit": to_unit, "until": ends_at, "boards": boards });
    act.tell(tx, "case.offered", body, act.state()).await
}

/// Answers an offer: yes makes the case hers, no leaves it with its owner, who is told why.
///
/// # Errors
/// [`Refused`]: nothing has changed.
pub async fn reply(
    tx: &mut Tx,
    organisation: &Organisation,
    who: &str,
    case: CaseId,
    seen: Option<i64>,
    reply: &Reply,
    now: Time,
) -> Result<Done, Refused> {
    let mut act = Act::begin(tx, who, case, seen, now).await?;
    act.must_be_open()?;
    let Some(row) = offer_store::open_offer(tx, case).await? else {
        return Err(Refused::Incomplete("Ärendet är inte erbjudet någon längre."));
    };
    let offered = as_offer(&row);
    match organisation.settle(&offered, who, reply, now).map_err(|fault| Refused::Incomplete(fault.swedish()))? {
        Outcome::Owner(owner) => {
            let unit = organisation.staff_at(&owner, now).map(|staff| staff.unit.clone());
            act.step(&Move::Assign { to: owner.clone() })?;
            act.step(&Move::Accept)?;
            let state = act.state();
            let change = Change {
                state: Some(state.slug()),
                owner: Some(&owner),
                unit: unit.as_deref(),
                accepted_at: Some(now),
                acknowledged_at: Some(now),
                acknowledged_by: Some(&owner),
                triaged: true,
                ..Change::default()
            };
            offer_store::settle_offer(tx, row.id, who, "accepted", "", false, now).await?;
            act.change(tx, &change).await?;
            make_room(tx, &act.row, now).await?;
            act.tell(tx, "case.accepted", json!({ "from": row.from_staff, "unit": unit }), state).await
        }
        Outcome::Kept { because } => {
            let withdrawn = *reply == Reply::Withdraw;
            let outcome = if withdrawn { "withdrawn" } else { "declined" };
            offer_store::settle_offer(tx, row.id, who, outcome, &because, !withdrawn, now).await?;
            act.change(tx, &Change::default()).await?;
            let kind = if withdrawn { "case.offer_withdrawn" } else { "case.declined" };
            act.tell(tx, kind, json!({ "from": row.from_staff }), act.state()).await
        }
    }
}
