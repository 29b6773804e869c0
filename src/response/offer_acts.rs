//! Handing a case over with acceptance: it is offered, and its owner answers for it until somebody says yes.

use serde_json::json;

use super::acts::Act;
use super::{Done, NOTE_MAX, Refused};
use crate::assignment::Organisation;
use crate::assignment::desk_store::{self, NewOffer, OfferRow};
use crate::assignment::handover::{Offer, Outcome, Receiver, Reply};
use crate::case::Move;
use crate::case::store::Change;
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

/// Offers a case to somebody or to a unit. Its owner answers for it until one of them says yes.
///
/// # Errors
/// [`Refused`]: nothing has changed.
#[expect(clippy::too_many_arguments, reason = "an act names who, what, as seen, to whom, why and when")]
pub async fn offer(
    tx: &mut Tx,
    organisation: &Organisation,
    who: &str,
    case: CaseId,
    seen: Option<i64>,
    to: &Receiver,
    note: &str,
    now: Time,
) -> Result<Done, Refused> {
    let act = Act::begin(tx, who, case, seen, now).await?;
    act.must_be_open()?;
    let owner = act.row.owner.clone().unwrap_or_default();
    let (to_staff, to_unit) = match to {
        Receiver::Staff(staff) => (Some(staff.as_str()), None),
        Receiver::Unit(unit) => (None, Some(unit.as_str())),
    };
    let known = match to {
        Receiver::Staff(staff) => organisation.staff_at(staff, now).is_some(),
        Receiver::Unit(unit) => organisation.unit_at(unit, now).is_some(),
    };
    if !known {
        return Err(Refused::Incomplete("Välj vem som ska ha ärendet."));
    }
    if to_staff == Some(owner.as_str()) {
        return Err(Refused::Incomplete("Den du valde har redan ärendet. Välj någon annan."));
    }
    // Looked at anew, and the one who offers has shown that she sees it.
    let mine = owner == who;
    let change = Change {
        acknowledged_at: mine.then_some(now),
        acknowledged_by: mine.then_some(who),
        triaged: true,
        ..Change::default()
    };
    act.change(tx, &change).await?;
    let note: String = note.trim().chars().take(NOTE_MAX).collect();
    let ends_at = now.plus(organisation.rules.handover_open);
    let new = NewOffer { case, from: &owner, to_staff, to_unit, note: &note, ends_at };
    if desk_store::put_offer(tx, &new, now).await?.is_none() {
        return Err(Refused::Incomplete("Ärendet är redan erbjudet någon. Ta tillbaka det erbjudandet först."));
    }
    let body = json!({ "from": owner, "to": to_staff, "unit": to_unit, "until": ends_at });
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
    let Some(row) = desk_store::open_offer(tx, case).await? else {
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
            desk_store::settle_offer(tx, row.id, who, "accepted", "", false, now).await?;
            act.change(tx, &change).await?;
            super::acts::make_room(tx, &act.row, now).await?;
            act.tell(tx, "case.accepted", json!({ "from": row.from_staff, "unit": unit }), state).await
        }
        Outcome::Kept { because } => {
            let withdrawn = *reply == Reply::Withdraw;
            let outcome = if withdrawn { "withdrawn" } else { "declined" };
            desk_store::settle_offer(tx, row.id, who, outcome, &because, !withdrawn, now).await?;
            act.change(tx, &Change::default()).await?;
            let kind = if withdrawn { "case.offer_withdrawn" } else { "case.declined" };
            act.tell(tx, kind, json!({ "from": row.from_staff }), act.state()).await
        }
    }
}
