//! Who has how much to do, who is away, and in which units something waits: all that decides who in a unit gets a case.
//! The job that gives cases out, the page that foretells it and `lyhord route` ask here, so that they say the same.

use std::collections::{BTreeMap, BTreeSet};

use super::calendar_of_unit;
use crate::assignment::absence::{Absence, of_rows};
use crate::assignment::choose::{Candidate, Choice, Desk};
use crate::assignment::rota::Hours;
use crate::assignment::{self, Route};
use crate::case::{batch_store, queue_store};
use crate::classification::Urgency;
use crate::clock::Time;
use crate::config::Config;
use crate::db::Tx;

/// What is known of everybody while cases are given out. Nothing is known of one by default: nobody is away and nobody
/// has anything to do.
#[derive(Debug, Clone, Default)]
pub struct Office {
    loads: BTreeMap<String, (u32, Option<Time>)>,
    absences: Vec<Absence>,
    queued: BTreeSet<String>,
}

impl Office {
    /// As it is now.
    ///
    /// # Errors
    /// What the database says.
    pub async fn load(tx: &mut Tx, now: Time) -> sqlx::Result<Self> {
        let loads = batch_store::loads(tx).await?.into_iter();
        let loads = loads.map(|(staff, open, last)| (staff, (u32::try_from(open).unwrap_or(u32::MAX), last))).collect();
        let queued = queue_store::queued_units(tx).await?.into_iter().collect();
        Ok(Self { loads, absences: of_rows(&assignment::store::absences(tx, now).await?), queued })
    }

    /// Who is away.
    #[must_use]
    pub fn absences(&self) -> &[Absence] {
        &self.absences
    }

    /// Who gets a new case that goes this way. She has no room when it waits in the unit's queue, for which she then
    /// only answers: what is new stands behind what waits already, unless it is due sooner.
    #[must_use]
    pub fn give(&self, config: &Config, route: &Route, urgency: Urgency, now: Time) -> Choice {
        let choice = self.choose(config, route, urgency, now);
        let waits = self.queued.contains(&route.unit) && !never_queues(route, urgency);
        if choice.room && !waits { choice } else { self.keeps_queue(config, route, now) }
    }

    /// Who gets what goes this way; `room` says whether she has room for it, and danger needs none.
    #[must_use]
    pub fn choose(&self, config: &Config, route: &Route, urgency: Urgency, now: Time) -> Choice {
        let ask = |desk: &Desk<'_>| config.organisation.choose(route, desk, now);
        let mut choice = self.asked(config, route, urgency, now, ask);
        choice.room |= never_queues(route, urgency);
        choice
    }

    /// Who answers for the queue that it waits in.
    #[must_use]
    pub fn keeps_queue(&self, config: &Config, route: &Route, now: Time) -> Choice {
        let ask = |desk: &Desk<'_>| config.organisation.keeps_queue(route, desk, now);
        self.asked(config, route, Urgency::Normal, now, ask)
    }

    /// The one whom somebody named to stand in for her, when she can take it.
    #[must_use]
    pub fn named(&self, config: &Config, named: &str, route: &Route, urgency: Urgency, now: Time) -> Option<Choice> {
        let ask = |desk: &Desk<'_>| config.organisation.named(named, route, desk, now);
        self.asked(config, route, urgency, now, ask)
    }

    fn asked<T>(&self, config: &Config, route: &Route, urgency: Urgency, now: Time, ask: impl Fn(&Desk<'_>) -> T) -> T {
        let candidates: Vec<Candidate<'_>> = self
            .loads
            .iter()
            .map(|(staff, (load, last))| Candidate { staff, load: *load, last_given_at: *last })
            .collect();
        let on_duty = on_duty(config, &route.unit, urgency, &self.absences, now);
        let desk = Desk {
            candidates: &candidates,
            absences: &self.absences,
            on_duty: &on_duty,
            danger: urgency == Urgency::Acute,
        };
        ask(&desk)
    }

    /// She has one more.
    pub fn count(&mut self, staff: &str, now: Time) {
        let load = self.loads.entry(staff.to_owned()).or_default();
        *load = (load.0.saturating_add(1), Some(now));
    }

    /// She has none any more: what she had goes to others.
    pub fn forget(&mut self, staff: &str) {
        self.loads.remove(staff);
    }
}

/// Who has the duty in a unit now. Outside the unit's hours those on call are asked for danger only: everything else
/// waits for the morning.
fn on_duty<'a>(config: &'a Config, unit: &str, urgency: Urgency, absences: &[Absence], now: Time) -> Vec<&'a str> {
    let staffed = calendar_of_unit(config, unit).is_open(now);
    let hours = if staffed || urgency != Urgency::Acute { Hours::Staffed } else { Hours::Unstaffed };
    config.organisation.on_duty(unit, hours, absences, now)
}

/// Danger and what the law hurries never wait for somebody to have room.
fn never_queues(route: &Route, urgency: Urgency) -> bool {
    urgency == Urgency::Acute || route.lane.beyond_approval() || route.lane.restricted()
}
