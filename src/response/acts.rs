//! What staff do with a case, from a page or from a button in a chat. Every act names the revision it was decided on:
//! of two clicks one wins, and the other is told how it is.

use std::time::Duration;

use serde_json::{Value, json};

use super::store::NewResponse;
use super::{ANSWER_MAX, Done, Kind, NOTE_MAX, Refused, SNOOZE_DAYS_MAX, Standing, filled, link, promise_acts, store};
use crate::calendar::Calendars;
use crate::case::store::{CaseRow, Change};
use crate::case::{CaseState, DismissReason, Happening, Move, Outcome, next, outcome_of};
use crate::classification::Intent;
use crate::clock::Time;
use crate::db::Tx;
use crate::id::CaseId;
use crate::journal::{self, Fact};

/// How many earlier answers of a case a new one is held against.
pub(super) const ANSWERS_COMPARED: i64 = 50;
/// How far the channel's clock may go before ours.
const CLOCK_SKEW: Duration = Duration::from_mins(5);

/// A person has answered.
pub(super) const KEPT: Happening = Happening::Fulfil;

/// Somebody has less to do: what waits in her unit's queue may have its turn.
pub(super) async fn make_room(tx: &mut Tx, row: &CaseRow, now: Time) -> sqlx::Result<()> {
    match row.unit.as_deref() {
        Some(unit) => crate::assignment::desk_store::make_room(tx, unit, now).await,
        None => Ok(()),
    }
}

/// One act under way: the case as it was read, and who acts when.
pub(super) struct Act<'a> {
    pub(super) row: CaseRow,
    pub(super) state: CaseState,
    intent: Intent,
    pub(super) who: &'a str,
    pub(super) now: Time,
}

impl<'a> Act<'a> {
    pub(super) async fn begin(
        tx: &mut Tx,
        who: &'a str,
        case: CaseId,
        seen: Option<i64>,
        now: Time,
    ) -> Result<Self, Refused> {
        let row = crate::case::store::find(tx, case).await?.ok_or(Refused::Unknown)?;
        if seen.is_some_and(|seen| seen != row.revision) {
            return Err(Refused::Overtaken(standing(&row)));
        }
        let state = CaseState::from_slug(&row.state).unwrap_or(CaseState::Open);
        let intent = Intent::from_slug(&row.intent).unwrap_or(Intent::Question);
        Ok(Self { row, state, intent, who, now })
    }

    /// The state it was found in.
    pub(super) fn state(&self) -> CaseState {
        self.state
    }

    /// Refuses when nothing more is waited for.
    pub(super) fn must_be_open(&self) -> Result<(), Refused> {
        if self.state.is_closed() { Err(Refused::Overtaken(standing(&self.row))) } else { Ok(()) }
    }

    pub(super) fn to(&self, wanted: &Move) -> Result<CaseState, Refused> {
        // What may be a threat is assessed by a person before anything closes it.
        let closes = matches!(wanted, Move::Answer { .. } | Move::Refer { .. } | Move::Dismiss { .. });
        if closes && super::lane_acts::threat_of(&self.row).is_some_and(|threat| !threat.is_assessed()) {
            return Err(Refused::Incomplete(
                "Bedöm först om det är ett hot. Det görs under ”Hot eller hat” på ärendet.",
            ));
        }
        Ok(next(self.state, self.intent, wanted)?)
    }

    /// Moves on in thought, before the change is written.
    pub(super) fn step(&mut self, wanted: &Move) -> Result<(), Refused> {
        self.state = self.to(wanted)?;
        Ok(())
    }

    /// Writes the change, or tells how the case is when somebody was first.
    pub(super) async fn change(&self, tx: &mut Tx, change: &Change<'_>) -> Result<(), Refused> {
        if crate::case::store::change(tx, self.row.id, self.row.revision, change, self.now).await? {
            if change.owner.is_some() || change.closed_at.is_some() {
                crate::assignment::offer_store::overtake_offer(tx, self.row.id, self.who, self.now).await?;
            }
            return Ok(());
        }
        let row = crate::case::store::find(tx, self.row.id).await?.ok_or(Refused::Unknown)?;
        Err(Refused::Overtaken(standing(&row)))
    }

    /// Writes the fact last and rings for those who read facts.
    pub(super) async fn tell(
        &self,
        tx: &mut Tx,
        kind: &'static str,
        body: Value,
        state: CaseState,
    ) -> Result<Done, Refused> {
        journal::append(tx, &[Fact::of_case(self.now, kind, self.row.id, body).by(self.who)]).await?;
        tx.ring_on_commit("timetable");
        tx.ring_on_commit("web");
        Ok(Done { case: self.row.id, state, revision: self.row.revision + 1 })
    }
}

pub(super) fn standing(row: &CaseRow) -> Standing {
    let state = CaseState::from_slug(&row.state);
    let since = match state {
        Some(CaseState::Accepted) => row.accepted_at,
        Some(state) if state.is_closed() => row.closed_at,
        _ => row.assigned_at,
    };
    Standing { state, owner: row.owner.clone(), since, revision: row.revision }
}

/// "Jag tar det": the case is hers from now on, whoever had it before, unless somebody has already taken it.
///
/// # Errors
/// [`Refused`]: nothing has changed.
pub async fn take(tx: &mut Tx, who: &str, case: CaseId, seen: Option<i64>, now: Time) -> Result<Done, Refused> {
    let mut act = Act::begin(tx, who, case, seen, now).await?;
    let offered = crate::assignment::offer_store::open_offer(tx, case).await?;
    let asked = offered.is_some_and(|offer| offer.to_staff.as_deref() == Some(who) && now < offer.ends_at);
    if act.state == CaseState::Accepted && !asked {
        return Err(Refused::Overtaken(standing(&act.row)));
    }
    let mine = act.row.owner.as_deref() == Some(who);
    if act.state == CaseState::Open || !mine {
        act.state = act.to(&Move::Assign { to: who.to_owned() })?;
    }
    let state = act.to(&Move::Accept)?;
    let change = Change {
        state: Some(state.slug()),
        owner: (!mine).then_some(who),
        accepted_at: Some(now),
        acknowledged_at: Some(now),
        acknowledged_by: Some(who),
        triaged: true,
        ..Change::default()
    };
    act.change(tx, &change).await?;
    if !mine {
        make_room(tx, &act.row, now).await?;
    }
    act.tell(tx, "case.taken", json!({ "from": act.row.owner }), state).await
}

/// "Påminn mig senare": silence about this case until a moment. The promise to the citizen stays.
///
/// # Errors
/// [`Refused`]: nothing has changed.
pub async fn snooze(
    tx: &mut Tx,
    who: &str,
    case: CaseId,
    seen: Option<i64>,
    until: Time,
    reason: &str,
    now: Time,
) -> Result<Done, Refused> {
    let act = Act::begin(tx, who, case, seen, now).await?;
    if act.state.is_closed() {
        return Err(Refused::Overtaken(standing(&act.row)));
    }
    if until <= now || until > now.plus(Duration::from_secs(SNOOZE_DAYS_MAX * 86_400)) {
        return Err(Refused::Incomplete("Välj en tid inom de närmaste två veckorna."));
    }
    let reason =
        filled(reason, NOTE_MAX, "Skriv varför, så att andra förstår att det är tyst.", "Skälet är för långt.")?;
    act.change(tx, &Change { acknowledged_at: Some(now), acknowledged_by: Some(who), ..Change::default() }).await?;
    let subject = case.to_string();
    crate::reminder::store::put_silence(tx, "case", &subject, now, until, &reason, who).await?;
    act.tell(tx, "case.snoozed", json!({ "until": until }), act.state).await
}

/// "Jag ser det": the reminders rest a while.
///
/// # Errors
/// [`Refused`]: nothing has changed.
pub async fn acknowledge(tx: &mut Tx, who: &str, case: CaseId, seen: Option<i64>, now: Time) -> Result<Done, Refused> {
    let act = Act::begin(tx, who, case, seen, now).await?;
    if act.state.is_closed() {
        return Err(Refused::Overtaken(standing(&act.row)));
    }
    act.change(tx, &Change { acknowledged_at: Some(now), acknowledged_by: Some(who), ..Change::default() }).await?;
    act.tell(tx, "case.acknowledged", json!({}), act.state).await
}

/// What a member of staff answered.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// Its words.
    pub text: &'a str,
    /// Where it stands in the channel.
    pub url: Option<&'a str>,
    /// What came of it; needed for an opinion, a complaint and praise.
    pub outcome: Option<Outcome>,
    /// Key of the unit of the one who answered.
    pub unit: Option<&'a str>,
    /// When it was given in the channel, when that is known; else now.
    pub answered_at: Option<Time>,
}

/// A person has answered: the words are kept and the case is closed.
///
/// # Errors
/// [`Refused`]: nothing has changed.
pub async fn answer(
    tx: &mut Tx,
    who: &str,
    case: CaseId,
    seen: Option<i64>,
    answer: Answer<'_>,
    now: Time,
) -> Result<Done, Refused> {
    let act = Act::begin(tx, who, case, seen, now).await?;
    let wanted = Move::Answer { outcome: answer.outcome };
    let state = act.to(&wanted)?;
    let text = filled(
        answer.text,
        ANSWER_MAX,
        "Skriv svaret, eller klistra in det svar som har getts i kanalen.",
        "Svaret är för långt: högst 10 000 tecken.",
    )?;
    let url = link(answer.url)?;
    let at = answer.answered_at.filter(|at| *at <= now.plus(CLOCK_SKEW) && *at >= act.row.arrived_at).unwrap_or(now);
    let change = Change {
        state: Some(state.slug()),
        first_answer_at: Some(at),
        closed_at: Some(now),
        outcome: outcome_of(&wanted).map(Outcome::slug),
        triaged: true,
        ..Change::default()
    };
    act.change(tx, &change).await?;
    promise_acts::end(tx, &act.row, KEPT, at).await?;
    make_room(tx, &act.row, now).await?;
    let new = NewResponse {
        case,
        kind: Kind::Answer,
        body: &text,
        url: url.as_deref(),
        unit: answer.unit.or(act.row.unit.as_deref()),
        written_by: who,
        answered_at: at,
    };
    let given = store::of_case(tx, case, ANSWERS_COMPARED).await?;
    let response = match given.iter().find(|row| same_place(row.url.as_deref(), url.as_deref())) {
        // We have read it in the channel already: she tells what came of it, and the words are not written twice.
        Some(row) => row.id,
        None => store::put(tx, &new, now).await?,
    };
    let body = json!({ "response": response, "at": at, "outcome": answer.outcome.map(Outcome::slug) });
    act.tell(tx, "case.answered", body, state).await
}

/// Shows the citizen the way to the right function: a concrete contact, not only "not ours".
///
/// # Errors
/// [`Refused`]: nothing has changed.
pub async fn refer(
    tx: &mut Tx,
    who: &str,
    case: CaseId,
    seen: Option<i64>,
    contact: &str,
    answer: Answer<'_>,
    now: Time,
) -> Result<Done, Refused> {
    let act = Act::begin(tx, who, case, seen, now).await?;
    let contact: String = contact.trim().chars().take(NOTE_MAX).collect();
    let wanted = Move::Refer { contact: contact.clone(), outcome: answer.outcome };
    let state = act.to(&wanted)?;
    let said = if answer.text.trim().is_empty() { contact.as_str() } else { answer.text };
    let text = filled(said, ANSWER_MAX, "Skriv vart den som frågar ska vända sig.", "Texten är för lång.")?;
    let url = link(answer.url)?;
    let change = Change {
        state: Some(state.slug()),
        first_answer_at: Some(now),
        closed_at: Some(now),
        outcome: outcome_of(&wanted).map(Outcome::slug),
        contact: Some(&contact),
        triaged: true,
        ..Change::default()
    };
    act.change(tx, &change).await?;
    promise_acts::end(tx, &act.row, KEPT, now).await?;
    make_room(tx, &act.row, now).await?;
    let new = NewResponse {
        case,
        kind: Kind::Referral,
        body: &text,
        url: url.as_deref(),
        unit: answer.unit.or(act.row.unit.as_deref()),
        written_by: who,
        answered_at: now,
    };
    let response = store::put(tx, &new, now).await?;
    act.tell(tx, "case.referred", json!({ "response": response }), state).await
}

/// Closes a case without an answer, with a reason that stands in its history.
///
/// # Errors
/// [`Refused`]: nothing has changed.
pub async fn dismiss(
    tx: &mut Tx,
    who: &str,
    case: CaseId,
    seen: Option<i64>,
    reason: DismissReason,
    words: &str,
    now: Time,
) -> Result<Done, Refused> {
    let act = Act::begin(tx, who, case, seen, now).await?;
    let words: String = words.trim().chars().take(NOTE_MAX).collect();
    let state = act.to(&Move::Dismiss { reason, words: words.clone() })?;
    let change = Change {
        state: Some(state.slug()),
        closed_at: Some(now),
        outcome: Some(reason.slug()),
        outcome_note: (!words.is_empty()).then_some(words.as_str()),
        triaged: true,
        ..Change::default()
    };
    act.change(tx, &change).await?;
    // A factual answer in the same thread is an answer by a person; every other reason means that none is due.
    let ended = if reason == DismissReason::AnsweredInThread { KEPT } else { Happening::Withdraw };
    promise_acts::end(tx, &act.row, ended, now).await?;
    make_room(tx, &act.row, now).await?;
    act.tell(tx, "case.dismissed", json!({ "reason": reason.slug() }), state).await
}

/// True when two answers stand at one place in a channel.
pub(super) fn same_place(one: Option<&str>, other: Option<&str>) -> bool {
    let key = |url: Option<&str>| url.map(crate::mention::address::key);
    one.is_some() && key(one) == key(other)
}

/// Opens a closed case again. Its holder has it again, with as much open time as the first promise gave.
///
/// # Errors
/// [`Refused`]: nothing has changed.
pub async fn reopen(
    tx: &mut Tx,
    calendars: &Calendars,
    who: &str,
    case: CaseId,
    seen: Option<i64>,
    now: Time,
) -> Result<Done, Refused> {
    let mut act = Act::begin(tx, who, case, seen, now).await?;
    let before = act.state;
    let mut state = act.to(&Move::Reopen)?;
    if let Some(owner) = act.row.owner.clone() {
        act.state = state;
        state = act.to(&Move::Assign { to: owner })?;
    }
    act.change(tx, &Change { state: Some(state.slug()), reopened: true, ..Change::default() }).await?;
    let due_at = promise_acts::begin_anew(tx, &act.row, calendars, now).await?;
    let body = json!({ "from": before.slug(), "due_at": due_at });
    act.tell(tx, "case.reopened", body, state).await
}
