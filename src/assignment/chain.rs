//! Chain (eskaleringskedja): whom a reminder goes to, step by step, when nobody acts.
//!
//! It ends with a line manager, never with communications: the one who runs a service owns what is said about it.
//! The communications chief sees it under Läget and in the summaries.

use super::absence::{Absence, away};
use super::choose::Seat;
use super::{Lane, Organisation};
use crate::clock::Time;

/// Where in the chain somebody stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Rung {
    /// Holds the case.
    Holder,
    /// Stands in for the holder.
    Deputy,
    /// Manages the unit, or a unit above it.
    Manager,
    /// Heads the department (förvaltningschef).
    Chief,
}

impl Rung {
    /// What a person reads.
    #[must_use]
    pub fn swedish(self) -> &'static str {
        match self {
            Self::Holder => "ansvarig",
            Self::Deputy => "ersättare",
            Self::Manager => "enhetschef",
            Self::Chief => "förvaltningschef",
        }
    }
}

/// One step of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Key of who is told.
    pub staff: String,
    /// Where in the chain.
    pub rung: Rung,
    /// Key of the one for whom she stands in, when that one is away.
    pub instead_of: Option<String>,
}

/// Whom a reminder goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Step by step; nobody stands twice, and there is always at least one.
    pub steps: Vec<Step>,
}

impl Chain {
    /// The step at a rung; when that rung is empty, the nearest above it, else the last.
    #[must_use]
    pub fn at(&self, rung: Rung) -> Option<&Step> {
        self.steps.iter().find(|step| step.rung >= rung).or(self.steps.last())
    }
}

impl Organisation {
    /// The chain of a case. A person who is away is replaced by whoever stands in for her.
    #[must_use]
    pub fn chain(&self, holder: &str, unit: &str, lane: Lane, absences: &[Absence], at: Time) -> Chain {
        if lane.hidden_from_managers() {
            return self.hidden_chain(holder, lane, absences, at);
        }
        let mut steps: Vec<Step> = Vec::new();
        let mut add = |key: &str, rung: Rung| {
            let here = self.present(key, absences, at);
            let stand_in = if here { None } else { self.stand_in(key, absences, at) };
            let staff = stand_in.unwrap_or(key);
            if (here || stand_in.is_some()) && !steps.iter().any(|step| step.staff == staff) {
                let instead_of = stand_in.map(|_| key.to_owned());
                steps.push(Step { staff: staff.to_owned(), rung, instead_of });
            }
        };
        add(holder, Rung::Holder);
        let above = self.line(unit, at);
        let chosen = away(holder, absences, at).and_then(|absence| absence.deputy.as_deref());
        let usual = self.staff_at(holder, at).and_then(|staff| staff.deputy.as_deref());
        let of_unit = above.iter().find(|(_, seat)| *seat == Seat::Deputy).map(|(key, _)| *key);
        // A manager has a step of her own further up, also when she is somebody's deputy.
        let manages = |key: &&str| above.iter().any(|(other, seat)| other == key && *seat != Seat::Deputy);
        if let Some(deputy) = chosen.or(usual).or(of_unit).filter(|key| !manages(key)) {
            add(deputy, Rung::Deputy);
        }
        for (key, seat) in &above {
            match seat {
                Seat::Manager => add(key, Rung::Manager),
                Seat::Chief => add(key, Rung::Chief),
                Seat::Member | Seat::Deputy | Seat::LastResort => {}
            }
        }
        // Everybody above is away: the head of the department is told all the same, since it ends with somebody.
        if steps.iter().all(|step| step.rung < Rung::Manager) {
            let last = above.last().map_or(holder, |(key, _)| *key);
            if steps.iter().all(|step| step.staff != last) {
                steps.push(Step { staff: last.to_owned(), rung: Rung::Chief, instead_of: None });
            }
        }
        Chain { steps }
    }

    /// The chain of what no manager may see: the holder and the others who have the lane's functions.
    fn hidden_chain(&self, holder: &str, lane: Lane, absences: &[Absence], at: Time) -> Chain {
        let functions = self.lane(lane).into_iter().flat_map(|text| &text.functions);
        let others = functions.filter_map(|key| self.function(key)).flat_map(|function| &function.staff);
        let mut steps: Vec<Step> = Vec::new();
        for key in std::iter::once(holder).chain(others.map(String::as_str)) {
            if self.present(key, absences, at) && !steps.iter().any(|step| step.staff == key) {
                let rung = if key == holder { Rung::Holder } else { Rung::Deputy };
                steps.push(Step { staff: key.to_owned(), rung, instead_of: None });
            }
        }
        if steps.is_empty() {
            steps.push(Step { staff: holder.to_owned(), rung: Rung::Holder, instead_of: None });
        }
        Chain { steps }
    }

    /// Whose cases somebody can be told of: her own and those of whom she can stand in for, and every case of the units
    /// where one of these works or stands in the line.
    #[must_use]
    pub fn around<'a>(&'a self, staff: &'a str, absences: &'a [Absence], at: Time) -> (Vec<&'a str>, Vec<&'a str>) {
        let mut people = vec![staff];
        for other in self.staff.iter().filter(|other| other.key != staff && other.period.holds(at)) {
            let of_unit = self.unit_at(&other.unit, at).map(|unit| unit.deputy.as_str());
            let chosen = absences.iter().filter(|absence| absence.staff == other.key);
            let chosen = chosen.filter_map(|absence| absence.deputy.as_deref());
            if chosen.chain(other.deputy.as_deref()).chain(of_unit).any(|deputy| deputy == staff) {
                people.push(other.key.as_str());
            }
        }
        let works = |unit: &str| people.iter().any(|key| self.staff_at(key, at).is_some_and(|one| one.unit == unit));
        let units = self.units.iter().filter(|unit| unit.period.holds(at)).map(|unit| unit.key.as_str());
        let line = |unit: &str| self.line(unit, at).iter().any(|(key, _)| people.contains(key));
        let units = units.filter(|unit| works(unit) || line(unit)).collect();
        (people, units)
    }

    /// Who holds a function now: the first of its staff who is here.
    #[must_use]
    pub fn holder_of(&self, function: &str, absences: &[Absence], at: Time) -> Option<&str> {
        let function = self.function(function)?;
        function.staff.iter().map(String::as_str).find(|key| self.present(key, absences, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assignment::example::{NOW, ale, gone};

    #[test]
    fn who_comes_and_goes_concerns_those_she_stands_in_for_and_the_units_whose_line_she_stands_in() {
        let ale = ale();
        let (owners, units) = ale.around("hilda-pahittfors", &[], NOW);
        assert!(owners.contains(&"sixten-prov"), "whose deputy she is: {owners:?}");
        assert!(units.contains(&"va") && !units.contains(&"gata"), "{units:?}");
        let (_, units) = ale.around("bo-provberg", &[], NOW);
        assert!(units.contains(&"va") && units.contains(&"gata"), "all of the department: {units:?}");
        assert!(!units.contains(&"naringsliv"), "and no more: {units:?}");
    }

    fn told(holder: &str, unit: &str, lane: Lane, absences: &[Absence]) -> Vec<String> {
        ale().chain(holder, unit, lane, absences, NOW).steps.into_iter().map(|step| step.staff).collect()
    }

    #[test]
    fn the_chain_goes_from_holder_to_the_head_of_the_department() {
        let said = told("hilda-pahittfors", "va", Lane::Ordinary, &[]);
        assert_eq!(said, ["hilda-pahittfors", "sixten-prov", "rut-exempelgren", "pia-testsson", "bo-provberg"]);
    }

    #[test]
    fn the_communications_chief_has_no_step_in_the_line_of_another_service() {
        let chain = ale().chain("hilda-pahittfors", "va", Lane::Ordinary, &[], NOW);
        assert!(chain.steps.iter().all(|step| step.staff != "hedda-exempel"));
    }

    #[test]
    fn the_chain_ends_with_a_line_manager_for_every_unit_and_every_member() {
        let ale = ale();
        for staff in &ale.staff {
            let chain = ale.chain(&staff.key, &staff.unit, Lane::Ordinary, &[], NOW);
            let chief = &ale.department_of(&staff.unit, NOW).unwrap().chief;
            let last = chain.steps.last().unwrap();
            assert!(last.staff == *chief || chain.steps.iter().any(|step| step.staff == *chief), "{}", staff.key);
        }
    }

    #[test]
    fn nobody_who_is_away_is_reminded() {
        let absences = [gone("hilda-pahittfors"), gone("rut-exempelgren")];
        let said = told("hilda-pahittfors", "va", Lane::Ordinary, &absences);
        assert_eq!(said, ["sixten-prov", "pia-testsson", "bo-provberg"]);
    }

    #[test]
    fn no_manager_hears_of_a_whistle_blowing_not_even_as_a_stand_in() {
        for absences in [vec![], vec![gone("rakel-provfors")], vec![gone("rakel-provfors"), gone("kalle-testman")]] {
            let chain = ale().chain("rakel-provfors", "kansli", Lane::WhistleBlowing, &absences, NOW);
            assert!(chain.steps.iter().all(|step| ["rakel-provfors", "kalle-testman"].contains(&step.staff.as_str())));
            assert!(!chain.steps.is_empty());
        }
    }

    #[test]
    fn a_head_of_department_is_told_although_everybody_above_is_away() {
        let ale = ale();
        let absences: Vec<Absence> = ale
            .staff
            .iter()
            .filter(|staff| staff.unit != "va" || staff.key == "rut-exempelgren")
            .map(|staff| gone(&staff.key))
            .collect();
        let chain = ale.chain("hilda-pahittfors", "va", Lane::Ordinary, &absences, NOW);
        assert_eq!(chain.steps.last().unwrap().staff, "bo-provberg");
    }

    #[test]
    fn a_rung_that_nobody_stands_on_is_the_one_above() {
        let chain = ale().chain("rut-exempelgren", "va", Lane::Ordinary, &[], NOW);
        assert_eq!(chain.at(Rung::Holder).unwrap().staff, "rut-exempelgren");
        assert_eq!(chain.at(Rung::Manager).unwrap().staff, "pia-testsson");
        assert_eq!(chain.at(Rung::Chief).unwrap().staff, "bo-provberg");
    }
}
