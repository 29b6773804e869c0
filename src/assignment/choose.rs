//! Who within a unit: on duty, here, least loaded, then the one who has waited longest for a case.
//!
//! When nobody in the unit can take it, it goes to the deputy, the manager and on up the line, and in the end to
//! somebody who is away: a case with an owner on holiday is seen by her stand-in, a case without owner by nobody.

use std::cmp::Ordering;

use super::absence::Absence;
use super::{Organisation, Role, Route, Staff};
use crate::clock::Time;

/// How much one of the staff has to do.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Key of the staff member.
    pub staff: &'a str,
    /// Her open cases.
    pub load: u32,
    /// When she was last given one; never counts as the longest wait.
    pub last_given_at: Option<Time>,
}

/// What is known when somebody is to be chosen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Desk<'a> {
    /// Loads; a member of the unit who is not here has nothing to do.
    pub candidates: &'a [Candidate<'a>],
    /// All absences that may hold now.
    pub absences: &'a [Absence],
    /// Keys of those who have the duty, from [`Organisation::on_duty`]; empty when nobody goes before another.
    pub on_duty: &'a [&'a str],
    /// True when danger calls: then who has the duty goes before who has room.
    pub danger: bool,
}

/// In what capacity somebody was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum Seat {
    /// Works in the unit, or holds the function that the route names.
    Member,
    /// Stands in for the unit.
    Deputy,
    /// Manages the unit, or one above it.
    Manager,
    /// Heads the department (förvaltningschef).
    Chief,
    /// Nobody was here: the one who answers for it although she is away.
    LastResort,
}

/// Who gets the case, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Choice {
    /// Key of the staff member.
    pub staff: String,
    /// In what capacity.
    pub seat: Seat,
    /// Why, in one Swedish sentence.
    pub because: String,
    /// False when everybody who could take it has as many cases as she can keep in mind.
    pub room: bool,
}

impl Organisation {
    /// Who gets a case that goes this way. There is always somebody, whoever is away.
    #[must_use]
    pub fn choose(&self, route: &Route, desk: &Desk<'_>, at: Time) -> Choice {
        self.member(route, desk, at)
            .or_else(|| self.above(route, desk, at))
            .unwrap_or_else(|| self.last_resort(route, at))
    }

    /// The one whom somebody named to stand in for her, when she can take it: she is here, has room, and is entrusted
    /// with such matters.
    #[must_use]
    pub fn named(&self, named: &str, route: &Route, desk: &Desk<'_>, at: Time) -> Option<Choice> {
        let staff = self.staff_at(named, at).filter(|staff| takes(staff))?;
        let function = route.function.as_deref().and_then(|key| self.function(key));
        let entrusted = function.is_none_or(|function| function.staff.iter().any(|key| key == named));
        let free = !Measured::of(staff, desk).full() && self.present(named, desk.absences, at);
        let because = format!("{} är utsedd till ersättare.", self.name_of_staff(named));
        (entrusted && free).then(|| Choice { staff: staff.key.clone(), seat: Seat::Deputy, because, room: true })
    }

    /// Who answers for the queue of a unit while everybody in it has enough to do: the first up the line who is here.
    #[must_use]
    pub fn keeps_queue(&self, route: &Route, desk: &Desk<'_>, at: Time) -> Choice {
        let mut choice = self.above(route, desk, at).unwrap_or_else(|| self.last_resort(route, at));
        let (name, unit) = (self.name_of_staff(&choice.staff), self.name_of_unit_at(&route.unit, at));
        choice.because = format!("Det väntar i kön: alla i {unit} har fullt. {name} svarar för kön.");
        choice.room = false;
        choice
    }

    /// The best of those who work with it and are here.
    fn member(&self, route: &Route, desk: &Desk<'_>, at: Time) -> Option<Choice> {
        let best = self
            .eligible(route, at)
            .into_iter()
            .filter(|staff| self.present(&staff.key, desk.absences, at))
            .map(|staff| Measured::of(staff, desk))
            .min_by(|one, two| one.order(two, desk.danger))?;
        Some(Choice {
            staff: best.staff.key.clone(),
            seat: Seat::Member,
            because: best.because(self.name_of_unit_at(&route.unit, at)),
            room: !best.full(),
        })
    }

    /// Those whom a rule may give a case. The manager is not among them: she is who it goes to when they cannot.
    fn eligible(&self, route: &Route, at: Time) -> Vec<&Staff> {
        let takes = |staff: &&Staff| takes(staff);
        let function = route.function.as_deref().and_then(|key| self.function(key));
        if let Some(function) = function {
            return function.staff.iter().filter_map(|key| self.staff_at(key, at)).filter(takes).collect();
        }
        let manager = self.unit_at(&route.unit, at).map(|unit| unit.manager.as_str());
        self.members(&route.unit, at).filter(|staff| Some(staff.key.as_str()) != manager).filter(takes).collect()
    }

    /// Up the line: deputy, manager, the managers above, the chief and her stand-in.
    fn above(&self, route: &Route, desk: &Desk<'_>, at: Time) -> Option<Choice> {
        if route.lane.hidden_from_managers() {
            return None;
        }
        let line = self.line(&route.unit, at);
        let stand_in = line.last().and_then(|(chief, _)| self.stand_in(chief, desk.absences, at));
        let unit = self.name_of_unit_at(&route.unit, at);
        line.into_iter()
            .chain(stand_in.map(|key| (key, Seat::Chief)))
            .find(|(key, _)| self.present(key, desk.absences, at))
            .map(|(key, seat)| {
                let name = self.name_of_staff(key);
                let because = match seat {
                    Seat::Deputy => format!("{name} ersätter i {unit}: ingen annan där kan ta det nu."),
                    Seat::Manager => format!("{name} är chef för {unit}: ingen annan där kan ta det nu."),
                    _ => format!("{name} tar det för förvaltningen: ingen i {unit} är på plats."),
                };
                Choice { staff: key.to_owned(), seat, because, room: true }
            })
    }

    /// Deputy, manager, the managers of the units above and the department's chief, each once.
    pub(super) fn line(&self, unit: &str, at: Time) -> Vec<(&str, Seat)> {
        let mut line: Vec<(&str, Seat)> = Vec::new();
        let mut add = |key, seat| {
            if !line.iter().any(|(known, _)| *known == key) {
                line.push((key, seat));
            }
        };
        let mut next = self.unit_at(unit, at);
        if let Some(unit) = next {
            add(unit.deputy.as_str(), Seat::Deputy);
        }
        // No line is longer than the units are many, even if somebody has drawn it in a circle.
        for _ in 0..self.units.len() {
            let Some(unit) = next else { break };
            add(unit.manager.as_str(), Seat::Manager);
            next = unit.parent.as_deref().and_then(|parent| self.unit_at(parent, at));
        }
        if let Some(department) = self.department_of(unit, at) {
            add(department.chief.as_str(), Seat::Chief);
        }
        line
    }

    /// Everybody is away: the one who answers for it all the same.
    fn last_resort(&self, route: &Route, at: Time) -> Choice {
        let unit = self.name_of_unit_at(&route.unit, at);
        let eligible = self.eligible(route, at).into_iter().map(|staff| staff.key.as_str()).next();
        let manager = self.unit(&route.unit).map(|unit| unit.manager.as_str());
        let chief = self.department_of(&route.unit, at).map(|department| department.chief.as_str());
        let employed = |key: &&str| self.staff_at(key, at).is_some();
        let anybody = || self.staff.iter().find(|staff| staff.period.holds(at)).map(|staff| staff.key.as_str());
        // What managers may not see goes to those who have the lane's functions, away or not, before any manager.
        let functions = self.lane(route.lane).into_iter().flat_map(|text| &text.functions);
        let entrusted = functions.filter_map(|key| self.function(key)).flat_map(|function| &function.staff);
        let hidden = || eligible.or_else(|| entrusted.map(String::as_str).find(employed));
        let first = if route.lane.hidden_from_managers() { hidden() } else { None };
        let key = first
            .or_else(|| manager.filter(employed))
            .or_else(|| chief.filter(employed))
            .or(eligible)
            .or_else(anybody)
            .or(manager)
            .unwrap_or_default();
        let name = self.name_of_staff(key);
        Choice {
            staff: key.to_owned(),
            seat: Seat::LastResort,
            because: format!("{name} äger det trots frånvaro: ingen som svarar för {unit} är på plats."),
            room: true,
        }
    }
}

/// True for one whom a rule may give cases.
fn takes(staff: &Staff) -> bool {
    staff.capacity > 0 && (staff.roles.contains(&Role::Staff) || staff.roles.contains(&Role::Communicator))
}

/// A candidate with what decides between candidates.
struct Measured<'a> {
    staff: &'a Staff,
    load: u32,
    last_given_at: Option<Time>,
    on_duty: bool,
}

impl<'a> Measured<'a> {
    fn of(staff: &'a Staff, desk: &Desk<'_>) -> Self {
        let known = desk.candidates.iter().find(|candidate| candidate.staff == staff.key);
        Self {
            staff,
            load: known.map_or(0, |candidate| candidate.load),
            last_given_at: known.and_then(|candidate| candidate.last_given_at),
            on_duty: desk.on_duty.contains(&staff.key.as_str()),
        }
    }

    fn full(&self) -> bool {
        self.load >= self.staff.capacity
    }

    /// Not full, on duty, least loaded for her capacity, longest since the last; the file's order decides the rest.
    fn order(&self, other: &Self, danger: bool) -> Ordering {
        let share = |one: &Self, two: &Self| u64::from(one.load) * u64::from(two.staff.capacity);
        let duty = if danger { other.on_duty.cmp(&self.on_duty) } else { Ordering::Equal };
        duty.then(self.full().cmp(&other.full()))
            .then(other.on_duty.cmp(&self.on_duty))
            .then(share(self, other).cmp(&share(other, self)))
            .then(self.last_given_at.cmp(&other.last_given_at))
    }

    fn because(&self, unit: &str) -> String {
        let name = &self.staff.name;
        let load = format!("{} av {} ärenden", self.load, self.staff.capacity);
        match (self.full(), self.on_duty) {
            (true, _) => format!("{name} i {unit}: alla har fullt, hen har minst ({load})."),
            (false, true) => format!("{name} har passet i {unit} ({load})."),
            (false, false) => format!("{name} i {unit} är på plats och har minst att göra ({load})."),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::assignment::example::{NOW, ale, gone};
    use crate::assignment::{Lane, Matter};
    use crate::classification::{Flag, Intent, Urgency};
    use proptest::prelude::*;

    fn choice(unit: &str, desk: &Desk<'_>) -> Choice {
        ale().choose(&Route::within(unit, Lane::Ordinary), desk, NOW)
    }

    fn busy(staff: &str, load: u32, last: Option<i64>) -> Candidate<'_> {
        Candidate { staff, load, last_given_at: last.map(Time) }
    }

    #[test]
    fn the_least_loaded_who_is_here_gets_the_case() {
        let candidates = [busy("saga-malin-mall", 4, None), busy("tyra-fiktivlund", 3, Some(9))];
        let absences = [gone("ivar-provsson")];
        let desk = Desk { candidates: &candidates, absences: &absences, ..Desk::default() };
        let chosen = choice("kommunikation", &desk);
        assert_eq!(chosen.staff, "tyra-fiktivlund");
        assert!(chosen.because.contains("3 av 15 ärenden"), "{}", chosen.because);
    }

    #[test]
    fn of_those_with_the_same_load_the_one_who_has_waited_longest_gets_it() {
        let candidates = [busy("sixten-prov", 3, Some(20)), busy("hilda-pahittfors", 3, Some(10))];
        let desk = Desk { candidates: &candidates, ..Desk::default() };
        assert_eq!(choice("va", &desk).staff, "hilda-pahittfors");
    }

    #[test]
    fn the_one_on_duty_goes_first_until_she_has_her_hands_full() {
        let duty = ["tyra-fiktivlund"];
        let candidates = [busy("tyra-fiktivlund", 14, None)];
        let desk = Desk { candidates: &candidates, on_duty: &duty, ..Desk::default() };
        assert_eq!(choice("kommunikation", &desk).staff, "tyra-fiktivlund");
        let candidates = [busy("tyra-fiktivlund", 15, None)];
        let desk = Desk { candidates: &candidates, on_duty: &duty, ..Desk::default() };
        assert_ne!(choice("kommunikation", &desk).staff, "tyra-fiktivlund");
    }

    #[test]
    fn a_load_is_weighed_against_what_the_person_can_hold() {
        // 3 of 10 is more than 4 of 15.
        let candidates =
            [busy("ivar-provsson", 3, None), busy("saga-malin-mall", 4, None), busy("tyra-fiktivlund", 9, None)];
        assert_eq!(
            choice("kommunikation", &Desk { candidates: &candidates, ..Desk::default() }).staff,
            "saga-malin-mall"
        );
    }

    #[test]
    fn the_line_above_takes_over_step_by_step() {
        let mut absences = Vec::new();
        let mut told = Vec::new();
        for _ in 0..6 {
            let desk = Desk { absences: &absences, ..Desk::default() };
            let chosen = choice("va", &desk);
            told.push((chosen.staff.clone(), chosen.seat));
            absences.push(gone(&chosen.staff));
        }
        let told: Vec<(&str, Seat)> = told.iter().map(|(staff, seat)| (staff.as_str(), *seat)).collect();
        assert_eq!(
            told,
            [
                ("sixten-prov", Seat::Member),
                ("hilda-pahittfors", Seat::Member),
                ("rut-exempelgren", Seat::Manager),
                ("pia-testsson", Seat::Manager),
                ("bo-provberg", Seat::Chief),
                ("qvintus-mall", Seat::Chief),
            ]
        );
    }

    #[test]
    fn the_keeper_of_the_system_is_never_given_a_case() {
        let ale = ale();
        let absences: Vec<Absence> =
            ale.staff.iter().filter(|staff| staff.key != "sten-systemsson").map(|staff| gone(&staff.key)).collect();
        let desk = Desk { absences: &absences, ..Desk::default() };
        for unit in &ale.units {
            assert_ne!(ale.choose(&Route::within(&unit.key, Lane::Ordinary), &desk, NOW).staff, "sten-systemsson");
        }
    }

    #[test]
    fn a_whistle_blowing_is_never_given_to_a_manager_whoever_is_away() {
        let ale = ale();
        let everybody: Vec<Absence> = ale.staff.iter().map(|staff| gone(&staff.key)).collect();
        let entrusted = &ale.function("visselblasning").unwrap().staff;
        for absences in [&everybody[..], &[]] {
            let matter = Matter { flags: &[Flag::WhistleBlowing], ..Matter::default() };
            let desk = Desk { absences, ..Desk::default() };
            let chosen = ale.choose(&ale.route(&matter, NOW), &desk, NOW);
            assert!(entrusted.contains(&chosen.staff), "{}", chosen.staff);
        }
        let elsewhere = Route::within("naringsliv", Lane::WhistleBlowing);
        let desk = Desk { absences: &everybody, ..Desk::default() };
        assert_eq!(ale.choose(&elsewhere, &desk, NOW).staff, "olle-pahittberg");
    }

    fn matters() -> impl Strategy<Value = (usize, usize, usize, usize, bool)> {
        (0..16_usize, 0..Intent::ALL.len(), 0..Urgency::ALL.len(), 0..Flag::ALL.len() + 1, any::<bool>())
    }

    proptest! {
        #[test]
        fn every_matter_has_an_owner_whoever_is_away(
            (topic, intent, urgency, flag, protected) in matters(),
            away in proptest::collection::vec(any::<bool>(), 60),
            loads in proptest::collection::vec(0..40_u32, 60),
            years in -20..20_i64,
        ) {
            let ale = ale();
            let at = Time(NOW.0 + years * 31_557_600_000);
            let flags: Vec<Flag> = Flag::ALL.get(flag).copied().into_iter().collect();
            let matter = Matter {
                topic: ale.topics.get(topic).map_or("okänt", |topic| topic.slug.as_str()),
                intent: Intent::ALL[intent],
                urgency: Urgency::ALL[urgency],
                flags: &flags,
                protected,
                ..Matter::default()
            };
            let absences: Vec<Absence> = ale
                .staff
                .iter()
                .zip(&away)
                .filter(|(_, away)| **away)
                .map(|(staff, _)| Absence { from: Time(i64::MIN), ..gone(&staff.key) })
                .collect();
            let candidates: Vec<Candidate<'_>> =
                ale.staff.iter().zip(&loads).map(|(staff, load)| busy(&staff.key, *load, None)).collect();
            let route = ale.route(&matter, at);
            prop_assert!(ale.unit_at(&route.unit, at).is_some());
            let chosen = ale.choose(&route, &Desk { candidates: &candidates, absences: &absences, ..Desk::default() }, at);
            prop_assert!(ale.staff_at(&chosen.staff, at).is_some());
            prop_assert!(!chosen.because.is_empty());
            // Somebody who is away is the owner only when nobody in the whole line is here.
            if chosen.seat == Seat::LastResort && !route.lane.hidden_from_managers() {
                let line: BTreeSet<&str> = ale.line(&route.unit, at).into_iter().map(|(key, _)| key).collect();
                prop_assert!(line.iter().all(|key| !ale.present(key, &absences, at)));
            } else if chosen.seat != Seat::LastResort {
                prop_assert!(ale.present(&chosen.staff, &absences, at));
            }
            let chain = ale.chain(&chosen.staff, &route.unit, route.lane, &absences, at);
            prop_assert!(!chain.steps.is_empty());
        }
    }
}
