//! What holds a message back: silences with an end and a reason, quiet hours, closed offices, digests.

use jiff::tz::TimeZone;

use super::{Ladder, Person, ReminderCase, Stage};
use crate::calendar::words::{clock_text, month_text, weekday_text};
use crate::clock::Time;

/// Whom or what a silence covers.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "scope", content = "key", rename_all = "lowercase")]
pub enum Scope {
    /// Messages to one of the staff (staff key).
    Person(String),
    /// Cases of one unit (unit key).
    Unit(String),
    /// Cases of one topic (topic slug).
    Topic(String),
    /// All routine messages: a crisis has the word.
    Crisis,
}

/// Somebody's decision that nothing shall be said for a time. Without end or reason there is none.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Silence {
    /// Whom or what it covers.
    pub scope: Scope,
    /// When it begins.
    pub from: Time,
    /// When it ends; at this moment it no longer holds.
    pub until: Time,
    /// Why, as it is shown in the inbox.
    pub reason: String,
}

impl Silence {
    /// True when a message to a person about a case falls under it, whatever the time.
    #[must_use]
    pub fn covers(&self, case: &ReminderCase<'_>, to: &str) -> bool {
        match &self.scope {
            Scope::Person(key) => key == to,
            Scope::Unit(key) => *key == case.unit,
            Scope::Topic(slug) => *slug == case.topic,
            Scope::Crisis => true,
        }
    }

    /// True while it holds.
    #[must_use]
    pub fn holds(&self, now: Time) -> bool {
        self.from <= now && now < self.until
    }
}

/// Why nothing is said now. Shown in the inbox beside the case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// The case is closed.
    Finished,
    /// The citizen has the word; the promise is paused.
    WaitsForCitizen,
    /// All that is to be said has been said, until the next stage.
    Told,
    /// Somebody has said that she has it.
    Acknowledged,
    /// Put off by the holder.
    Snoozed,
    /// A silence holds, with its reason.
    Silenced {
        /// Why, in the words of the one who made it.
        reason: String,
    },
    /// Nobody is disturbed at this hour.
    QuietHours,
    /// The recipient's office is closed.
    Closed,
    /// It waits for the recipient's digest.
    Digest,
    /// Everybody in the line is absent or unknown.
    NobodyThere,
}

impl Hold {
    /// The slug in the database and the metrics.
    #[must_use]
    pub fn slug(&self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::WaitsForCitizen => "waits-for-citizen",
            Self::Told => "told",
            Self::Acknowledged => "acknowledged",
            Self::Snoozed => "snoozed",
            Self::Silenced { .. } => "silenced",
            Self::QuietHours => "quiet-hours",
            Self::Closed => "closed",
            Self::Digest => "digest",
            Self::NobodyThere => "nobody-there",
        }
    }

    /// What the inbox shows: "Tyst: kontoret stängt till 08.00".
    #[must_use]
    pub fn swedish(&self, until: Option<Time>, now: Time, zone: &TimeZone) -> String {
        let at = until.map(|until| near_text(until, now, zone));
        let till = at.as_ref().map(|at| format!(" till {at}")).unwrap_or_default();
        let at = at.map(|at| format!(" {at}")).unwrap_or_default();
        match self {
            Self::Finished => "Tyst: ärendet är klart".to_owned(),
            Self::WaitsForCitizen => "Tyst: väntar på den som skrev".to_owned(),
            Self::Told if until.is_some() => format!("Påmint, nästa påminnelse{at}"),
            Self::Told => "Påmint, inget mer att påminna om".to_owned(),
            Self::Acknowledged => format!("Tyst: kvitterat, påminns igen{at}"),
            Self::Snoozed => format!("Tyst: uppskjutet{till}"),
            Self::Silenced { reason } => format!("Tyst{till}: {reason}"),
            Self::QuietHours => format!("Tyst: ostörd tid{till}"),
            Self::Closed => format!("Tyst: kontoret stängt{till}"),
            Self::Digest => format!("Väntar på sammanställningen{at}"),
            Self::NobodyThere => format!("Ingen att påminna: alla i ledet är frånvarande{till}"),
        }
    }
}

/// A moment as short as it can be said: "08.00", "i morgon 08.00", "måndag 08.00", "7 januari 08.00".
fn near_text(at: Time, now: Time, zone: &TimeZone) -> String {
    let date = |at: Time| zone.to_datetime(at.timestamp()).date();
    let (there, today, clock) = (date(at), date(now), clock_text(at, zone));
    match (there - today).get_days() {
        0 => clock,
        1 => format!("i morgon {clock}"),
        2..=6 => format!("{} {clock}", weekday_text(there.weekday())),
        _ => format!("{} {} {clock}", there.day(), month_text(there.month())),
    }
}

/// What stands in the way of a message now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) hold: Hold,
    /// When the way is clear, as far as can be told now; for the eye.
    pub(super) until: Option<Time>,
    /// The first moment at which the reason may be another; never later than the true one.
    pub(super) look_at: Option<Time>,
}

/// Rounds of "office opens" and "quiet hours end" until both agree; two are enough for any sane pair.
const CLEAR_ROUNDS_MAX: usize = 16;

/// What stands in the way of a message about `case` to `person` at `now`, urgency set aside.
pub(super) fn block(
    case: &ReminderCase<'_>,
    (person, stage): (&Person<'_>, Stage),
    silences: &[Silence],
    ladder: &Ladder,
    now: Time,
) -> Option<Block> {
    if let Some(at) = digest_at(case, person, stage, ladder).filter(|at| now < *at) {
        return Some(Block { hold: Hold::Digest, until: Some(at), look_at: Some(at) });
    }
    let mine = || silences.iter().filter(|silence| silence.covers(case, person.key));
    // A silence that begins later changes the reason while the message waits for something else.
    let begins = mine().map(|silence| silence.from).filter(|from| *from > now).min();
    let ends = mine().map(|silence| silence.until).filter(|until| *until > now).min();
    if let Some(longest) = mine().filter(|silence| silence.holds(now)).max_by_key(|silence| silence.until) {
        let hold = Hold::Silenced { reason: longest.reason.clone() };
        return Some(Block { hold, until: Some(longest.until), look_at: begins.into_iter().chain(ends).min() });
    }
    let quiet = ladder.quiet_until(now, person.calendar);
    let open = person.calendar.is_open(now);
    if open && quiet.is_none() {
        return None;
    }
    let hold = if open { Hold::QuietHours } else { Hold::Closed };
    let changes = if open { person.calendar.next_close(now) } else { person.calendar.next_open(now) };
    let look_at = [begins, changes, quiet].into_iter().flatten().min();
    Some(Block { hold, until: clear_at(person, ladder, now), look_at })
}

/// The first moment at which the office is open and the hours are not quiet.
pub(super) fn clear_at(person: &Person<'_>, ladder: &Ladder, now: Time) -> Option<Time> {
    let mut at = now;
    for _ in 0..CLEAR_ROUNDS_MAX {
        let opens = person.calendar.next_open(at)?;
        match ladder.quiet_until(opens, person.calendar) {
            Some(ends) => at = ends,
            None => return Some(opens),
        }
    }
    None
}

/// When the digest comes that a stage waits for; none when it is said by itself.
fn digest_at(case: &ReminderCase<'_>, person: &Person<'_>, stage: Stage, ladder: &Ladder) -> Option<Time> {
    let rhythm = person.digest.filter(|_| stage < ladder.digest_below)?;
    rhythm.at_or_after(ladder.reached_at(case, stage)?, person.calendar)
}
