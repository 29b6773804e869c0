//! What can be judged only when the whole organisation is read: lines that end, names that are one, people who stay.

use std::collections::BTreeMap;

use super::{Organisation, Unit, fold};
use crate::clock::Time;
use crate::settings::Place;

/// What was declared: what sort, which key, where.
type Declared = [(&'static str, String, Place)];

impl Organisation {
    /// Reports what each table may say for itself but not together with the others.
    pub(super) fn check(&self, declared: &Declared) {
        check_keys(declared);
        for unit in &self.units {
            let Some(place) = place_of(declared, "unit", &unit.key) else { continue };
            self.check_line(unit, place);
            self.check_names(unit, place);
        }
        for staff in self.staff.iter().filter(|staff| staff.deputy.as_deref() == Some(staff.key.as_str())) {
            if let Some(place) = place_of(declared, "staff", &staff.key) {
                place.report(format!("`{}` is her own deputy", staff.key));
            }
        }
        let root = self.root.unit.as_deref().and_then(|key| self.unit(key));
        if let Some(root) = root.filter(|root| root.period.until.is_some())
            && let Some(place) = place_of(declared, "unit", &root.key)
        {
            place.report(format!("`{}` owns what nobody else takes, so it cannot have a last day", root.key));
        }
    }

    /// The line above a unit ends, and nobody stands in for herself.
    fn check_line(&self, unit: &Unit, place: &Place) {
        if unit.manager == unit.deputy {
            place.report(format!("the manager and the deputy of `{}` are the same person", unit.key));
        }
        let mut above = unit.parent.as_deref();
        for _ in 0..=self.units.len() {
            let Some(key) = above else { return };
            if key == unit.key {
                break;
            }
            above = self.unit(key).and_then(|unit| unit.parent.as_deref());
        }
        place.report(format!("the line above `{}` goes in a circle and never ends with a manager", unit.key));
    }

    /// No two units answer to the same name at the same time.
    fn check_names(&self, unit: &Unit, place: &Place) {
        let names = |unit: &Unit| -> Vec<String> {
            unit.aliases.iter().chain([&unit.name, &unit.key]).map(|name| fold(name)).collect()
        };
        let own = names(unit);
        for other in self.units.iter().filter(|other| other.key < unit.key && other.period.overlaps(&unit.period)) {
            if let Some(shared) = names(other).into_iter().find(|name| own.contains(name)) {
                place.report(format!("`{}` and `{}` both go by the name `{shared}`", other.key, unit.key));
            }
        }
    }

    /// What a person should see to, in Swedish: nothing here stops the program, and each line is somebody's to fix.
    #[must_use]
    pub fn warnings(&self, at: Time) -> Vec<String> {
        let mut warnings = Vec::new();
        let employed = |key: &str| self.staff_at(key, at).is_some();
        for unit in self.units.iter().filter(|unit| unit.period.holds(at)) {
            for (seat, key) in [("Chefen", &unit.manager), ("Ersättaren", &unit.deputy)] {
                if !employed(key) {
                    warnings.push(format!("{seat} för {} är inte anställd i dag.", unit.name));
                }
            }
            if self.department_of(&unit.key, at).is_none_or(|department| !employed(&department.chief)) {
                warnings.push(format!("{} har ingen förvaltningschef i dag.", unit.name));
            }
            if self.members(&unit.key, at).all(|staff| staff.key == unit.manager || staff.capacity == 0) {
                warnings.push(format!("{} har ingen mer än chefen som kan ta ärenden.", unit.name));
            }
        }
        for function in self.functions.iter().filter(|function| !function.staff.iter().any(|key| employed(key))) {
            warnings.push(format!("Ingen har funktionen {} i dag.", function.name));
        }
        for staff in self.staff.iter().filter(|staff| staff.period.holds(at)) {
            if staff.deputy.as_deref().is_none_or(|key| !employed(key)) {
                warnings.push(format!("{} har ingen ersättare i dag.", staff.name));
            }
        }
        let months = self.rules.check_contacts_months;
        warnings.extend(self.externals.iter().filter_map(|external| external.warning(months, at)));
        warnings
    }
}

/// A key without dates stands once, and no key is empty.
fn check_keys(declared: &Declared) {
    let mut seen: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (what, key, place) in declared {
        if key.trim().is_empty() {
            place.report(format!("a {what} needs a name that others can point at"));
        }
        let times = seen.entry((what, key)).or_default();
        *times += 1;
        if *times > 1 && matches!(*what, "topic" | "function" | "external") {
            place.report(format!("{what} `{key}` stands twice"));
        }
    }
}

fn place_of<'a>(declared: &'a Declared, what: &str, key: &str) -> Option<&'a Place> {
    declared.iter().find(|(kind, name, _)| *kind == what && name == key).map(|(_, _, place)| place)
}

#[cfg(test)]
mod tests {
    use crate::assignment::example::{NOW, TEXT, ale, parse};

    const SMALL: &str = include_str!("example_small.toml");

    /// The faults after one change to the small municipality.
    fn faults(from: &str, to: &str) -> Vec<String> {
        assert!(SMALL.contains(from), "{from}");
        parse(&SMALL.replacen(from, to, 1)).1
    }

    #[test]
    fn an_unknown_name_is_said_with_its_line_and_the_nearest() {
        let said = faults("department = \"forvaltning\"", "department = \"forvaltningen\"");
        assert_eq!(
            said,
            [
                "organisation.toml:23: department `forvaltningen`, expected one of forvaltning; did you mean `forvaltning`?"
            ]
        );
        let said = faults("place = [\"Nödinge\"]", "intent = [\"fråga\"]");
        assert!(said.len() == 1 && said[0].ends_with("did you mean `fraga`?"), "{said:?}");
    }

    #[test]
    fn a_line_of_managers_that_goes_in_a_circle_is_said() {
        let circle = SMALL.replacen("key = \"rot\"\n", "key = \"rot\"\nparent = \"ny\"\n", 1).replacen(
            "key = \"ny\"\n",
            "key = \"ny\"\nparent = \"rot\"\n",
            1,
        );
        let (_, said) = parse(&circle);
        assert_eq!(said.iter().filter(|fault| fault.contains("goes in a circle")).count(), 2, "{said:?}");
    }

    #[test]
    fn a_root_that_asks_something_or_ends_some_day_is_said() {
        let said = faults("name = \"Allt\"\n", "name = \"Allt\"\ntopic = [\"ovrigt\"]\n");
        assert!(said[0].contains("must match everything"), "{said:?}");
        let said = faults("key = \"rot\"\n", "key = \"rot\"\nuntil = 2027-01-01\n");
        assert!(said[0].contains("cannot have a last day"), "{said:?}");
        let said = faults("name = \"Allt\"\nunit = \"rot\"\n", "name = \"Allt\"\n");
        assert!(said[0].contains("must have a `unit`"), "{said:?}");
    }

    #[test]
    fn a_route_behind_one_that_takes_everything_is_said() {
        let wall = "[[route.route]]\nname = \"Mur\"\nunit = \"rot\"\n\n[[route.route]]\nname = \"Snö";
        assert!(faults("[[route.route]]\nname = \"Snö", wall)[0].contains("`Mur` before it takes everything"));
    }

    #[test]
    fn two_versions_of_a_key_may_meet_but_not_overlap() {
        let second = "\n[[board]]\nkey = \"ks\"\nname = \"Nya kommunstyrelsen\"\nfrom = 2027-01-01\n";
        let (_, said) = parse(&format!("{SMALL}{second}"));
        assert_eq!(said.len(), 1, "{said:?}");
        let first =
            SMALL.replacen("name = \"Kommunstyrelsen\"\n", "name = \"Kommunstyrelsen\"\nuntil = 2026-12-31\n", 1);
        let (organisation, said) = parse(&format!("{first}{second}"));
        assert_eq!(said, [""; 0]);
        assert_eq!(organisation.board_of("rot", NOW).unwrap().name, "Kommunstyrelsen");
        let later = crate::clock::Time(NOW.0 + 40 * 86_400_000);
        assert_eq!(organisation.board_of("rot", later).unwrap().name, "Nya kommunstyrelsen");
    }

    #[test]
    fn a_calendar_that_does_not_exist_is_said_once_there_are_calendars() {
        let (_, said) = parse(&format!("{SMALL}\n[calendar.kontro]\n"));
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].contains("calendar `kontor`"), "{said:?}");
    }

    #[test]
    fn a_contact_that_nobody_has_checked_is_a_warning_and_no_fault() {
        let mut ale = ale();
        for external in &mut ale.externals {
            external.checked = None;
        }
        let warnings = ale.warnings(NOW);
        assert_eq!(warnings.len(), ale.externals.len(), "{warnings:#?}");
    }

    #[test]
    fn a_manager_who_has_left_is_a_warning() {
        let changed =
            TEXT.replacen("key = \"rut-exempelgren\"\n", "key = \"rut-exempelgren\"\nuntil = 2026-01-31\n", 1);
        let (organisation, faults) = parse(&changed);
        assert_eq!(faults, [""; 0]);
        let warnings = organisation.warnings(NOW);
        assert!(warnings.contains(&"Chefen för VA-enheten är inte anställd i dag.".to_owned()), "{warnings:#?}");
    }
}
