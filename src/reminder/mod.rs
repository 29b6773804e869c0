//! Reminder (påminnelse): what to say now to whom, or why not.
//!
//! Reminders are computed, not scheduled. [`decide`] compares the stage a case has reached with the stage its
//! holder has been told. Nothing is promised to a future job, so a restart loses nothing and a change of plan
//! leaves nothing to call back.

pub mod digest;
pub mod digest_store;
pub mod ladder;
pub mod silence;
pub mod store;

use crate::calendar::Calendar;
use crate::case::CaseState;
use crate::classification::Urgency;
use crate::clock::Time;
use crate::id::CaseId;

pub use digest::Rhythm;
pub use ladder::{Ladder, Ladders};
pub use silence::{Hold, Scope, Silence};

/// How far a case has come on its way to being late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It has been given to its holder.
    Notice,
    /// The first share of the time has gone.
    DueSoon,
    /// The second share of the time has gone.
    DueClose,
    /// The time is out.
    Due,
    /// The time has been out for a while.
    Overdue,
    /// The deputy is told.
    Deputy,
    /// The unit's manager is told.
    Manager,
    /// The head of the administration is told.
    Chief,
}

impl Stage {
    /// Every stage, from the foot of the ladder.
    pub const ALL: [Self; 8] = [
        Self::Notice,
        Self::DueSoon,
        Self::DueClose,
        Self::Due,
        Self::Overdue,
        Self::Deputy,
        Self::Manager,
        Self::Chief,
    ];

    /// The stages that are said to somebody else than the holder.
    pub const ESCALATED: [Self; 3] = [Self::Deputy, Self::Manager, Self::Chief];

    /// The slug in the database and in a message's key.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::DueSoon => "due-soon",
            Self::DueClose => "due-close",
            Self::Due => "due",
            Self::Overdue => "overdue",
            Self::Deputy => "deputy",
            Self::Manager => "manager",
            Self::Chief => "chief",
        }
    }

    /// What a person reads at the head of the message.
    #[must_use]
    pub fn swedish(self) -> &'static str {
        match self {
            Self::Notice => "Nytt ärende",
            Self::DueSoon => "Ska snart vara besvarat",
            Self::DueClose => "Ska mycket snart vara besvarat",
            Self::Due => "Ska vara besvarat nu",
            Self::Overdue => "Försenat",
            Self::Deputy => "Försenat, du är ersättare",
            Self::Manager => "Försenat, du är ansvarig chef",
            Self::Chief => "Försenat, du är förvaltningschef",
        }
    }

    /// Reads a slug.
    #[must_use]
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.slug() == slug)
    }
}

/// A case as the ladder sees it: no word of the post, nobody outside the staff.
#[derive(Debug, Clone)]
pub struct ReminderCase<'a> {
    /// Whose reminder it is.
    pub id: CaseId,
    /// Where it stands.
    pub state: CaseState,
    /// Unit key, for silences.
    pub unit: String,
    /// Topic slug, for silences.
    pub topic: String,
    /// Acute breaks silences and working hours.
    pub urgency: Urgency,
    /// When the present holder got it: a reassignment begins a new round.
    pub round_at: Time,
    /// When the running promise was activated.
    pub started_at: Time,
    /// When the running promise falls due.
    pub due_at: Time,
    /// The calendar the promise runs by.
    pub calendar: &'a Calendar,
    /// Whether the citizen has the word.
    pub waiting: Waiting,
    /// Who last said "I have it": acknowledged a reminder, accepted the case, or wrote in it.
    pub acknowledged: Option<Acknowledged>,
    /// A reminder put off.
    pub snooze: Option<Snooze>,
}

/// The last that somebody has said of her reminders in this round.
enum Word<'a> {
    /// "I have it."
    Acknowledged(&'a Acknowledged),
    /// "Remind me later."
    Snoozed(&'a Snooze),
}

impl ReminderCase<'_> {
    /// Who asks to be reminded in an hour wants that, whatever she has said before; "I have it" said after it holds as
    /// long as it always does.
    fn word(&self) -> Option<Word<'_>> {
        let acknowledged = self.acknowledged.as_ref().filter(|said| said.at >= self.round_at);
        let snooze = self.snooze.as_ref().filter(|snooze| snooze.at >= self.round_at);
        match (acknowledged, snooze) {
            (Some(said), Some(snooze)) if said.at > snooze.at => Some(Word::Acknowledged(said)),
            (_, Some(snooze)) => Some(Word::Snoozed(snooze)),
            (said, None) => said.map(Word::Acknowledged),
        }
    }
}

/// Who has the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// We do.
    ForUs,
    /// The citizen does: the promise is paused.
    ForCitizen,
}

/// "I have it", said by one of the line. It holds while the one who said it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// Staff key.
    pub by: String,
    /// When.
    pub at: Time,
}

/// A reminder put off by one of the line. It holds while the one who put it off is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snooze {
    /// Staff key.
    pub by: String,
    /// When it was put off.
    pub at: Time,
    /// Until when, as asked; the ladder's bound and the due time may end it sooner.
    pub until: Time,
}

/// One of the staff as the ladder sees her.
#[derive(Debug, Clone)]
pub struct Person<'a> {
    /// Staff key.
    pub key: &'a str,
    /// When she works.
    pub calendar: &'a Calendar,
    /// When she is away: from, until (not included).
    pub away: Vec<(Time, Time)>,
    /// When she has her digest, for what can wait; none for each message at once.
    pub digest: Option<Rhythm>,
}

impl Person<'_> {
    /// True when she is not away.
    #[must_use]
    pub fn is_there(&self, now: Time) -> bool {
        !self.away.iter().any(|(from, until)| *from <= now && now < *until)
    }
}

/// The line of a case: who has it, and who is told next. Any of them may be missing or the same person.
#[derive(Debug, Clone, Default)]
pub struct People<'a> {
    /// Has the case.
    pub holder: Option<Person<'a>>,
    /// Stands in for the holder.
    pub deputy: Option<Person<'a>>,
    /// The unit's manager.
    pub manager: Option<Person<'a>>,
    /// The head of the administration.
    pub chief: Option<Person<'a>>,
}

impl<'a> People<'a> {
    fn line(&self) -> impl DoubleEndedIterator<Item = &Person<'a>> {
        [&self.holder, &self.deputy, &self.manager, &self.chief].into_iter().flatten()
    }

    /// The one who answers for the case now: the holder, or the first in the line who is there.
    #[must_use]
    pub fn acting(&self, now: Time) -> Option<&Person<'a>> {
        self.line().find(|person| person.is_there(now))
    }

    /// Who is told at an escalated stage; a missing manager's place is taken by the chief and the other way round,
    /// so that it always ends with a line manager.
    fn escalated(&self, stage: Stage, now: Time) -> Option<&Person<'a>> {
        let there = |person: &'_ &Person<'a>| person.is_there(now);
        let (manager, chief) = (self.manager.as_ref().filter(there), self.chief.as_ref().filter(there));
        match stage {
            Stage::Deputy => self.deputy.as_ref().filter(there),
            Stage::Manager => manager.or(chief),
            Stage::Chief => chief.or(manager),
            _ => None,
        }
    }

    /// True unless the key is that of somebody in the line who is away.
    fn has(&self, key: &str, now: Time) -> bool {
        self.line().filter(|person| person.key == key).all(|person| person.is_there(now))
    }

    /// The first moment after `now` at which somebody goes or comes back.
    fn next_absence_change(&self, now: Time) -> Option<Time> {
        self.line()
            .flat_map(|person| &person.away)
            .flat_map(|(from, until)| [*from, *until])
            .filter(|at| *at > now)
            .min()
    }
}

/// A reminder that was written to the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Staff key of the recipient.
    pub to: String,
    /// The promise it was about.
    pub due_at: Time,
    /// What was said.
    pub stage: Stage,
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Say it. With the case and the due time this is the message's key, and it is said once.
    Send {
        /// Staff key of the recipient.
        to: String,
        /// What to say.
        stage: Stage,
        /// True when it is said although a silence, quiet hours or a closed office stood in the way.
        breaks_silence: bool,
    },
    /// Say nothing.
    Hold {
        /// Why not.
        reason: Hold,
        /// Until when, as far as can be told now.
        until: Option<Time>,
    },
}

/// A decision, and how long it holds if nobody does anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// What to do now.
    pub decision: Decision,
    /// The earliest moment at which the answer can change by itself; none when only somebody's act can change it.
    /// Never later than the true change.
    pub next_look_at: Option<Time>,
}

/// The first moment from `now` on at which somebody may be told what is not about danger: at work, not away, and not in
/// quiet hours. Nothing when her calendar never opens again.
#[must_use]
pub fn reachable_at(person: &Person<'_>, ladder: &Ladder, now: Time) -> Option<Time> {
    let mut at = now;
    for _ in 0..=person.away.len() {
        let open = silence::clear_at(person, ladder, at)?;
        let absence = person.away.iter().filter(|(from, until)| *from <= open && open < *until);
        match absence.map(|(_, until)| *until).max() {
            Some(back) => at = back,
            None => return Some(open),
        }
    }
    Some(at)
}

fn hold(reason: Hold, until: Option<Time>, next_look_at: Option<Time>) -> Look {
    Look { decision: Decision::Hold { reason, until }, next_look_at }
}

/// What to say now about a case, or why not.
#[must_use]
pub fn decide(
    case: &ReminderCase<'_>,
    sent: &[Sent],
    people: &People<'_>,
    silences: &[Silence],
    ladder: &Ladder,
    now: Time,
) -> Look {
    if case.state.is_closed() {
        return hold(Hold::Finished, None, None);
    }
    if case.waiting == Waiting::ForCitizen {
        return hold(Hold::WaitsForCitizen, None, None);
    }
    if let Some(look) = stopped_by_word(case, people, ladder, now) {
        return look;
    }
    let stages = Stages::of(case, ladder, now);
    let look_at = stages.next.into_iter().chain(people.next_absence_change(now)).min();
    let acute = case.urgency == Urgency::Acute;
    let pending = pending(case, sent, people, &stages, now);
    if pending.is_empty() {
        let Some(acting) = people.acting(now) else {
            return hold(Hold::NobodyThere, people.next_absence_change(now), look_at);
        };
        // The next thing is said when it is reached, or when the one who hears it is at work.
        let said_at = stages.next.and_then(|at| if acute { Some(at) } else { silence::clear_at(acting, ladder, at) });
        return hold(Hold::Told, said_at, look_at);
    }
    let mut first: Option<silence::Block> = None;
    let mut looks: Vec<Time> = look_at.into_iter().collect();
    for (person, stage) in pending {
        let block = silence::block(case, (person, stage), silences, ladder, now);
        if acute || block.is_none() {
            let broken = block.is_some_and(|block| block.hold != Hold::Digest);
            let breaks_silence = broken || !person.is_there(now);
            let decision = Decision::Send { to: person.key.to_owned(), stage, breaks_silence };
            return Look { decision, next_look_at: Some(now) };
        }
        looks.extend(block.as_ref().and_then(|block| block.look_at));
        first = first.or(block);
    }
    let (reason, until) = first.map_or((Hold::Told, None), |block| (block.hold, block.until));
    hold(reason, until, looks.into_iter().min())
}

/// An acknowledgement or a snooze that still holds: of two, the one that was said last.
fn stopped_by_word(case: &ReminderCase<'_>, people: &People<'_>, ladder: &Ladder, now: Time) -> Option<Look> {
    let stop = |until: Option<Time>, by: Option<&str>, reason: Hold| {
        let until = until.filter(|until| now < *until)?;
        // Who goes home ill takes her word along: the one who stands in has not said it.
        let look_at = people.next_absence_change(now).into_iter().chain([until]).min();
        by.is_some_and(|by| people.has(by, now)).then(|| hold(reason, Some(until), look_at))
    };
    match case.word()? {
        Word::Acknowledged(said) => stop(ladder.acknowledged_until(case), Some(&said.by), Hold::Acknowledged),
        Word::Snoozed(snooze) => stop(ladder.snoozed_until(case), Some(&snooze.by), Hold::Snoozed),
    }
}

/// The stages that a case has reached.
struct Stages {
    /// The highest that the holder is told.
    own: Option<Stage>,
    /// The escalated ones that have been reached.
    escalated: Vec<Stage>,
    /// When the next is reached.
    next: Option<Time>,
}

impl Stages {
    fn of(case: &ReminderCase<'_>, ladder: &Ladder, now: Time) -> Self {
        let mut stages = Self { own: None, escalated: Vec::new(), next: None };
        for stage in Stage::ALL {
            let Some(at) = ladder.reached_at(case, stage) else { continue };
            if at > now {
                stages.next = stages.next.into_iter().chain([at]).min();
            } else if Stage::ESCALATED.contains(&stage) {
                stages.escalated.push(stage);
            } else {
                stages.own = stages.own.max(Some(stage));
            }
        }
        stages
    }
}

/// What has been reached and not been said, the one who answers for the case first.
fn pending<'p, 'a>(
    case: &ReminderCase<'_>,
    sent: &[Sent],
    people: &'p People<'a>,
    stages: &Stages,
    now: Time,
) -> Vec<(&'p Person<'a>, Stage)> {
    let mut wanted: Vec<(&Person<'a>, Stage)> = Vec::new();
    // Danger must reach somebody: when everybody is away, the last in the line is called all the same.
    let last = || people.line().next_back().filter(|_| case.urgency == Urgency::Acute);
    let acting = people.acting(now).or_else(last);
    wanted.extend(acting.zip(stages.own));
    for stage in &stages.escalated {
        if let Some(person) = people.escalated(*stage, now).filter(|person| Some(person.key) != acting.map(|a| a.key)) {
            wanted.push((person, *stage));
        }
    }
    wanted.retain(|(person, stage)| {
        // A deputy who stood in and was told that it is overdue knows it.
        let enough = if *stage == Stage::Deputy { Stage::Overdue } else { *stage };
        // That the case is hers is news once a round; a promise that moves does not make it news again.
        let same = |sent: &Sent| sent.due_at == case.due_at || *stage == Stage::Notice;
        !sent.iter().any(|sent| sent.to == person.key && same(sent) && sent.stage >= enough)
    });
    wanted
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod week;
