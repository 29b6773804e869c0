//! What acts do to the promises of a case: each writes its events in the act's own transaction, and the case shows what
//! the fold makes of them.

use std::time::Duration;

use serde_json::json;

use super::acts::Act;
use super::{ANSWER_MAX, Done, Kind, NOTE_MAX, Refused, filled, store};
use crate::calendar::{Calendar, Calendars};
use crate::case::promise_store::{self, Begun, Shown, Terms};
use crate::case::store::{CaseRow, Change};
use crate::case::{CaseState, Happening, Phase, PromiseEvent, PromiseKind, Promises, Standing, fold, running};
use crate::clock::Time;
use crate::db::Tx;
use crate::id::CaseId;

/// Days for which we wait for the citizen at most, before a person must decide again: four weeks.
pub const WAIT_DAYS_MAX: u16 = 20;

/// Both promises of a case after all their events.
#[derive(Debug, Clone)]
pub struct Promised {
    standings: [(PromiseKind, Standing); 2],
    calendars: [Option<String>; 2],
    from_arrival: [Option<Time>; 2],
    events: Vec<PromiseEvent>,
    written: bool,
}

impl Promised {
    /// As the database has them. A case whose promises were made before events were kept has them from its own row.
    ///
    /// # Errors
    /// What the database says.
    pub async fn load(tx: &mut Tx, row: &CaseRow) -> sqlx::Result<Self> {
        let rows = promise_store::events(tx, row.id).await?;
        let mut events: Vec<PromiseEvent> = rows.iter().filter_map(promise_store::EventRow::event).collect();
        let written = !events.is_empty();
        if !written {
            let of =
                |kind, due: Option<Time>| due.map(|due_at| event(kind, row.opened_at, Happening::Activate { due_at }));
            events.extend(of(PromiseKind::FirstResponse, row.due_at));
            events.extend(of(PromiseKind::Resolution, row.resolve_by.or(row.due_at)));
        }
        let made_with = |kind: PromiseKind| {
            let made = rows.iter().rev().find(|row| row.promise == kind.slug() && row.calendar.is_some());
            made.and_then(|made| made.calendar.clone()).or_else(|| row.calendar.clone())
        };
        let from_arrival = |kind: PromiseKind| {
            let made = rows.iter().rev().find(|row| row.promise == kind.slug() && row.from_arrival_at.is_some());
            made.and_then(|made| made.from_arrival_at)
        };
        Ok(Self {
            from_arrival: PromiseKind::ALL.map(from_arrival),
            standings: PromiseKind::ALL.map(|kind| (kind, fold(kind, &events))),
            calendars: PromiseKind::ALL.map(made_with),
            events,
            written,
        })
    }

    /// How one of them stands.
    #[must_use]
    pub fn of(&self, kind: PromiseKind) -> Standing {
        self.standings.iter().find(|(of, _)| *of == kind).map_or_else(Standing::default, |(_, standing)| *standing)
    }

    /// When one of them would have been due counted from when the post was written.
    #[must_use]
    pub fn from_arrival(&self, kind: PromiseKind) -> Option<Time> {
        let [first, whole] = self.from_arrival;
        if kind == PromiseKind::FirstResponse { first } else { whole }
    }

    /// True when the citizen has the word.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.standings.iter().any(|(_, standing)| matches!(standing.phase, Phase::Paused { .. }))
    }

    /// The calendar that a promise was made with.
    fn calendar(&self, kind: PromiseKind, calendars: &Calendars) -> Calendar {
        let version = match kind {
            PromiseKind::FirstResponse => self.calendars.first(),
            PromiseKind::Resolution => self.calendars.last(),
        };
        let version = version.and_then(Option::as_deref);
        version.and_then(|version| calendars.of(version)).cloned().unwrap_or_else(Calendar::always)
    }

    /// What the case shows: the promise that is to be kept next stands as its due time.
    fn shown(&self, waiting_until: Option<Time>) -> Shown {
        let due = |kind| self.of(kind).due_at();
        let breaks = self.standings.iter().filter_map(|(_, standing)| standing.breaks_at());
        // A promise is broken a moment after its due time, not at it.
        let breaks = breaks.map(|at| Time(at.0.saturating_add(1)));
        let open = self.standings.iter().map(|(_, standing)| standing).find(|standing| standing.is_open());
        Shown {
            due_at: due(PromiseKind::FirstResponse).or_else(|| due(PromiseKind::Resolution)),
            resolve_by: due(PromiseKind::Resolution),
            // After a pause the case keeps the beginning that was moved with the due time.
            started_at: open.filter(|standing| standing.paused.is_zero()).map(|standing| standing.started_at),
            look_at: breaks.chain(waiting_until.filter(|_| self.is_paused())).min(),
        }
    }

    /// Writes an event down and folds it in.
    async fn note(&mut self, tx: &mut Tx, case: CaseId, new: PromiseEvent, terms: &Terms<'_>) -> sqlx::Result<()> {
        if !self.written {
            for old in &self.events {
                promise_store::put_event(tx, case, old, &Terms::default()).await?;
            }
            self.written = true;
        }
        promise_store::put_event(tx, case, &new, terms).await?;
        self.events.push(new);
        if let Some((_, standing)) = self.standings.iter_mut().find(|(kind, _)| *kind == new.kind) {
            *standing = standing.after(&new);
        }
        Ok(())
    }

    async fn show(&self, tx: &mut Tx, case: CaseId, waiting_until: Option<Time>) -> sqlx::Result<()> {
        promise_store::show(tx, case, &self.shown(waiting_until)).await
    }
}

fn event(kind: PromiseKind, at: Time, happening: Happening) -> PromiseEvent {
    PromiseEvent { kind, at, happening }
}

/// Begins both promises of new cases, in the transaction that gives them to somebody and shows their due times.
///
/// # Errors
/// What the database says.
pub async fn begin(tx: &mut Tx, new: &[(CaseId, &Promises)], now: Time) -> sqlx::Result<()> {
    let begun: Vec<Begun<'_>> = new
        .iter()
        .flat_map(|&(case, promises)| {
            PromiseKind::ALL.map(|kind| {
                let promise = promises.of(kind);
                Begun {
                    case,
                    kind,
                    calendar: &promise.calendar_version,
                    policy: &promises.policy_version,
                    due_at: promise.due_at,
                    from_arrival_at: promise.due_from_arrival_at,
                    late: promise.discovered_late.is_some(),
                }
            })
        })
        .collect();
    promise_store::begin(tx, &begun, now).await
}

/// Lets the promises that run have other terms, since the case is another than was thought.
///
/// # Errors
/// What the database says.
pub async fn change_terms(tx: &mut Tx, row: &CaseRow, terms_of: &Promises, now: Time) -> sqlx::Result<()> {
    let mut promised = Promised::load(tx, row).await?;
    for kind in PromiseKind::ALL {
        let promise = terms_of.of(kind);
        if promised.of(kind).due_at().is_none() {
            continue;
        }
        let terms = Terms {
            calendar: Some(&promise.calendar_version),
            policy: Some(&terms_of.policy_version),
            from_arrival_at: Some(promise.due_from_arrival_at),
            late: promise.discovered_late.is_some(),
        };
        let moved = event(kind, now, Happening::Apply { due_at: promise.due_at });
        promised.note(tx, row.id, moved, &terms).await?;
    }
    promised.show(tx, row.id, row.waiting_until).await
}

/// Ends what still runs of a case that is closed: kept when a person has answered, else withdrawn.
pub(super) async fn end(tx: &mut Tx, row: &CaseRow, happening: Happening, at: Time) -> sqlx::Result<()> {
    let mut promised = Promised::load(tx, row).await?;
    for kind in PromiseKind::ALL {
        if promised.of(kind).is_open() {
            promised.note(tx, row.id, event(kind, at, happening), &Terms::default()).await?;
        }
    }
    promised.show(tx, row.id, None).await
}

/// A first answer was given: the first promise is kept, the other runs on.
pub(super) async fn keep_first(tx: &mut Tx, row: &CaseRow, at: Time) -> sqlx::Result<()> {
    let mut promised = Promised::load(tx, row).await?;
    if promised.of(PromiseKind::FirstResponse).is_open() {
        let kept = Happening::Fulfil;
        promised.note(tx, row.id, event(PromiseKind::FirstResponse, at, kept), &Terms::default()).await?;
    }
    promised.show(tx, row.id, row.waiting_until).await
}

/// Begins both promises anew, each with as much open time as was promised the first time.
pub(super) async fn begin_anew(
    tx: &mut Tx,
    row: &CaseRow,
    calendars: &Calendars,
    now: Time,
) -> sqlx::Result<Option<Time>> {
    let mut promised = Promised::load(tx, row).await?;
    for kind in PromiseKind::ALL {
        let due_at = |event: &&PromiseEvent| event.kind == kind;
        let Some(first) = promised.events.iter().find(due_at).copied() else { continue };
        let Happening::Activate { due_at } = first.happening else { continue };
        let calendar = promised.calendar(kind, calendars);
        let (from, until) = running::term(row.arrived_at, first.at, due_at, promised.from_arrival(kind));
        let open = calendar.open_between(from, until);
        let again = if open.is_zero() { Some(now.plus(until.since(from))) } else { calendar.add_open(now, open).ok() };
        let due_at = again.unwrap_or(now);
        let version = calendar.version();
        let terms = Terms { calendar: Some(&version), policy: Some(&row.policy_version), ..Terms::default() };
        promised.note(tx, row.id, event(kind, now, Happening::Activate { due_at }), &terms).await?;
    }
    promised.show(tx, row.id, None).await?;
    Ok(promised.of(PromiseKind::FirstResponse).due_at())
}

/// "Väntar på svar från den som frågade": the promises rest until she writes, or until a day at which a person looks
/// again. What was asked is kept.
///
/// # Errors
/// [`Refused`]: nothing has changed.
#[expect(clippy::too_many_arguments, reason = "an act names who, what, as seen, for how long, why and when")]
pub async fn wait_for_citizen(
    tx: &mut Tx,
    calendars: &Calendars,
    who: &str,
    case: CaseId,
    seen: Option<i64>,
    working_days: u16,
    asked: &str,
    now: Time,
) -> Result<Done, Refused> {
    let act = Act::begin(tx, who, case, seen, now).await?;
    act.must_be_open()?;
    if act.row.waiting_since.is_some() {
        return Err(Refused::Incomplete("Ärendet väntar redan på den som frågade."));
    }
    if working_days == 0 || working_days > WAIT_DAYS_MAX {
        return Err(Refused::Incomplete("Välj hur länge vi väntar: en till tjugo arbetsdagar."));
    }
    let asked = filled(
        asked,
        NOTE_MAX,
        "Skriv vad du frågade, så att andra förstår vad vi väntar på.",
        "Texten är för lång: högst 1 000 tecken.",
    )?;
    let mut promised = Promised::load(tx, &act.row).await?;
    let calendar = promised.calendar(PromiseKind::FirstResponse, calendars);
    let until = calendar.add_working_days(now, working_days).unwrap_or(now.plus(Duration::from_hours(24)));
    act.change(tx, &Change { acknowledged_at: Some(now), acknowledged_by: Some(who), ..Change::default() }).await?;
    for kind in PromiseKind::ALL {
        let calendar = promised.calendar(kind, calendars);
        if let Some(pause) = promised.of(kind).pause(now, &calendar) {
            promised.note(tx, case, event(kind, now, pause), &Terms::default()).await?;
        }
    }
    promise_store::set_waiting(tx, case, Some(now), Some(until)).await?;
    promised.show(tx, case, Some(until)).await?;
    let unit = act.row.unit.clone();
    let new = store::NewResponse {
        case,
        kind: Kind::Question,
        body: &asked,
        url: None,
        unit: unit.as_deref(),
        written_by: who,
        answered_at: now,
    };
    store::put(tx, &new, now).await?;
    act.tell(tx, "case.waits", json!({ "until": until }), act.state()).await
}

/// We have the word again: the time that was left runs on from now. `why` is `written`, `by-hand` or `waited-enough`.
///
/// # Errors
/// [`Refused`]: nothing has changed.
pub async fn resume(
    tx: &mut Tx,
    calendars: &Calendars,
    who: &str,
    case: CaseId,
    seen: Option<i64>,
    why: &'static str,
    now: Time,
) -> Result<Done, Refused> {
    let act = Act::begin(tx, who, case, seen, now).await?;
    if act.row.waiting_since.is_none() {
        return Err(Refused::Incomplete("Ärendet väntar inte på den som frågade."));
    }
    act.change(tx, &Change::default()).await?;
    let due_at = run_on(tx, calendars, &act.row, now).await?;
    act.tell(tx, "case.resumed", json!({ "why": why, "due_at": due_at }), act.state()).await
}

/// The citizen has written in a thread where we waited for her: as [`resume`], but the one who calls tells the journal.
/// Returns what to tell it.
///
/// # Errors
/// What the database says.
pub async fn take_up(tx: &mut Tx, calendars: &Calendars, row: &CaseRow, now: Time) -> sqlx::Result<serde_json::Value> {
    let anew = Change::default();
    let due_at = if crate::case::store::change(tx, row.id, row.revision, &anew, now).await? {
        run_on(tx, calendars, row, now).await?
    } else {
        // Somebody took the word back in the same moment: it runs already.
        row.due_at
    };
    Ok(json!({ "why": "written", "due_at": due_at }))
}

/// The time that was left runs on from now. Returns when the next promise is due.
async fn run_on(tx: &mut Tx, calendars: &Calendars, row: &CaseRow, now: Time) -> sqlx::Result<Option<Time>> {
    let mut promised = Promised::load(tx, row).await?;
    let mut started_at = None;
    for kind in PromiseKind::ALL {
        let calendar = promised.calendar(kind, calendars);
        if let Phase::Paused { since, .. } = promised.of(kind).phase {
            let began = row.promise_started_at.unwrap_or(promised.of(kind).started_at);
            started_at = started_at.or_else(|| calendar.add_open(began, calendar.open_between(since, now)).ok());
        }
        if let Some(resumed) = promised.of(kind).resume(now, &calendar) {
            promised.note(tx, row.id, event(kind, now, resumed), &Terms::default()).await?;
        }
    }
    promise_store::set_waiting(tx, row.id, None, None).await?;
    // The share of the time that has gone is what it was when the pause began: the pause is nobody's time.
    let shown = Shown { started_at, ..promised.shown(None) };
    promise_store::show(tx, row.id, &shown).await?;
    Ok(shown.due_at)
}

/// A first answer that is not the whole: "we have it, and you hear from us by …". It keeps the first promise; the
/// other one runs on.
///
/// # Errors
/// [`Refused`]: nothing has changed.
pub async fn first_reply(
    tx: &mut Tx,
    who: &str,
    case: CaseId,
    seen: Option<i64>,
    text: &str,
    unit: Option<&str>,
    now: Time,
) -> Result<Done, Refused> {
    let act = Act::begin(tx, who, case, seen, now).await?;
    act.must_be_open()?;
    if act.row.first_answer_at.is_some() {
        return Err(Refused::Incomplete("Ett första svar är redan noterat. Det som återstår är hela svaret."));
    }
    let text = filled(
        text,
        ANSWER_MAX,
        "Skriv det du svarade, eller klistra in det.",
        "Svaret är för långt: högst 10 000 tecken.",
    )?;
    let change = Change {
        first_answer_at: Some(now),
        acknowledged_at: Some(now),
        acknowledged_by: Some(who),
        triaged: true,
        ..Change::default()
    };
    act.change(tx, &change).await?;
    keep_first(tx, &act.row, now).await?;
    let of = act.row.unit.clone();
    let new = store::NewResponse {
        case,
        kind: Kind::First,
        body: &text,
        url: None,
        unit: unit.or(of.as_deref()),
        written_by: who,
        answered_at: now,
    };
    let response = store::put(tx, &new, now).await?;
    act.tell(tx, "case.first_reply", json!({ "response": response }), act.state()).await
}

/// The journalist's own deadline: what runs is due then, if that is sooner; never later than was promised.
///
/// # Errors
/// [`Refused`]: nothing has changed.
pub async fn set_deadline(
    tx: &mut Tx,
    who: &str,
    case: CaseId,
    seen: Option<i64>,
    deadline_at: Time,
    now: Time,
) -> Result<Done, Refused> {
    let act = Act::begin(tx, who, case, seen, now).await?;
    act.must_be_open()?;
    if deadline_at <= now {
        return Err(Refused::Incomplete("Tiden har redan gått. Välj en tid som kommer."));
    }
    if deadline_at > now.plus(Duration::from_hours(24 * 60)) {
        return Err(Refused::Incomplete("Välj en tid inom två månader."));
    }
    act.change(tx, &Change::default()).await?;
    let mut promised = Promised::load(tx, &act.row).await?;
    for kind in PromiseKind::ALL {
        if promised.of(kind).due_at().is_some_and(|due_at| deadline_at < due_at) {
            let moved = event(kind, now, Happening::Apply { due_at: deadline_at });
            promised.note(tx, case, moved, &Terms::default()).await?;
        }
    }
    promise_store::set_deadline(tx, case, deadline_at).await?;
    promised.show(tx, case, act.row.waiting_until).await?;
    act.tell(tx, "case.deadline_set", json!({ "until": deadline_at }), act.state()).await
}

/// What a look at the promises of a case found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// Promises that were broken, with the due time that passed.
    pub broken: Vec<(PromiseKind, Time)>,
    /// True when we have waited for the citizen as long as was said.
    pub waited_enough: bool,
}

/// Writes each breach once, at the due time that passed.
///
/// # Errors
/// What the database says.
pub async fn look(tx: &mut Tx, row: &CaseRow, now: Time) -> sqlx::Result<Looked> {
    let mut promised = Promised::load(tx, row).await?;
    let mut broken = Vec::new();
    for kind in PromiseKind::ALL {
        let standing = promised.of(kind);
        let (Some(breach), Some(due_at)) = (standing.breach(now), standing.due_at()) else { continue };
        promised.note(tx, row.id, event(kind, due_at, breach), &Terms::default()).await?;
        broken.push((kind, due_at));
    }
    let closed = CaseState::from_slug(&row.state).is_some_and(CaseState::is_closed);
    let waited_enough = !closed && row.waiting_until.is_some_and(|until| until <= now);
    // A wait that is over stays due until the word has been taken back, whatever happens in between.
    promised.show(tx, row.id, row.waiting_until).await?;
    Ok(Looked { broken, waited_enough })
}
