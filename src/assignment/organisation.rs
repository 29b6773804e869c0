//! The organisation: nämnd → förvaltning → enhet → funktion → person, as data with dates.
//!
//! A key may stand more than once with dates that do not overlap: a unit that changes department keeps its key.
//! The lookups without a moment answer with the newest; those with a moment with the one that held then.

use super::external::External;
use super::lane::LaneText;
use super::rota::Rota;
use super::route::Node;
use super::spokesperson::Spokesperson;
use super::{Board, Department, Function, Lane, Period, Role, Route, Rules, Staff, Topic, Unit, fold};
use crate::clock::Time;

/// All that `config/organisation.toml` says about who does what.
#[derive(Debug, Clone, PartialEq)]
pub struct Organisation {
    /// Topics in the order they are shown.
    pub topics: Vec<Topic>,
    /// Boards.
    pub boards: Vec<Board>,
    /// Departments.
    pub departments: Vec<Department>,
    /// Units.
    pub units: Vec<Unit>,
    /// Staff.
    pub staff: Vec<Staff>,
    /// Functions.
    pub functions: Vec<Function>,
    /// Lanes with their words and checklists.
    pub lanes: Vec<LaneText>,
    /// The route tree.
    pub root: Node,
    /// Who has the duty, week by week.
    pub rotas: Vec<Rota>,
    /// Those who answer for what is not the municipality's.
    pub externals: Vec<External>,
    /// Who speaks officially on what.
    pub spokespersons: Vec<Spokesperson>,
    /// What is decided about handing over and being away.
    pub rules: Rules,
    /// Key of the function that owns the audit: it has the week's summary of the whole municipality.
    pub communications_chief: String,
}

/// What is looked up by key and has dates.
pub(super) trait Dated {
    /// What the table is called in the file.
    const WHAT: &'static str;
    fn key(&self) -> &str;
    fn period(&self) -> &Period;
}

macro_rules! dated {
    ($($name:ident = $what:literal),+) => {$(
        impl Dated for $name {
            const WHAT: &'static str = $what;
            fn key(&self) -> &str { &self.key }
            fn period(&self) -> &Period { &self.period }
        }
    )+};
}

dated!(Board = "board", Department = "department", Unit = "unit", Staff = "staff");

/// The version of `key` that holds at a moment.
fn held<'a, T: Dated>(all: &'a [T], key: &str, at: Time) -> Option<&'a T> {
    all.iter().find(|one| one.key() == key && one.period().holds(at))
}

/// The version of `key` that begins last.
fn newest<'a, T: Dated>(all: &'a [T], key: &str) -> Option<&'a T> {
    all.iter().filter(|one| one.key() == key).max_by_key(|one| one.period().from)
}

/// True when a folded name is the key, the name or one of the aliases.
fn goes_by(folded: &str, key: &str, name: &str, aliases: &[String]) -> bool {
    fold(key) == folded || fold(name) == folded || aliases.iter().any(|alias| fold(alias) == folded)
}

impl Organisation {
    /// The newest version of a unit, which may be one that begins later. Ask [`Self::unit_at`] wherever there is a
    /// moment to ask about.
    #[must_use]
    pub fn unit(&self, key: &str) -> Option<&Unit> {
        newest(&self.units, key)
    }

    /// The unit as it was at a moment.
    #[must_use]
    pub fn unit_at(&self, key: &str, at: Time) -> Option<&Unit> {
        held(&self.units, key, at)
    }

    /// The unit that has, or has had, this key, name or alias; what a person wrote in a chat or a form.
    #[must_use]
    pub fn unit_named(&self, name: &str, at: Time) -> Option<&Unit> {
        let name = fold(name);
        let called = |unit: &&Unit| goes_by(&name, &unit.key, &unit.name, &unit.aliases);
        self.units.iter().filter(|unit| unit.period.holds(at)).find(called)
    }

    /// One of the staff by key or by name as a person writes it, while she is employed.
    #[must_use]
    pub fn staff_named(&self, name: &str, at: Time) -> Option<&Staff> {
        let wanted = fold(name);
        self.staff
            .iter()
            .filter(|staff| staff.period.holds(at))
            .find(|staff| staff.key == name || fold(&staff.name) == wanted)
    }

    /// The board that has, or has had, this key, name or alias, or has a department that does: people write to a
    /// "sektor" as often as to the board behind it.
    #[must_use]
    pub fn board_named(&self, name: &str, at: Time) -> Option<&Board> {
        let name = fold(name);
        let called = |board: &&Board| goes_by(&name, &board.key, &board.name, &board.aliases);
        let below = |one: &&Department| goes_by(&name, &one.key, &one.name, &one.aliases);
        self.boards.iter().filter(|board| board.period.holds(at)).find(called).or_else(|| {
            let department = self.departments.iter().filter(|one| one.period.holds(at)).find(below)?;
            held(&self.boards, &department.board, at)
        })
    }

    /// The newest version of one of the staff.
    #[must_use]
    pub fn staff(&self, key: &str) -> Option<&Staff> {
        newest(&self.staff, key)
    }

    /// One of the staff, when she is employed at that moment.
    #[must_use]
    pub fn staff_at(&self, key: &str, at: Time) -> Option<&Staff> {
        held(&self.staff, key, at)
    }

    /// A topic by slug.
    #[must_use]
    pub fn topic(&self, slug: &str) -> Option<&Topic> {
        self.topics.iter().find(|topic| topic.slug == slug)
    }

    /// A function by key.
    #[must_use]
    pub fn function(&self, key: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.key == key)
    }

    /// The department of a unit at a moment.
    #[must_use]
    pub fn department_of(&self, unit: &str, at: Time) -> Option<&Department> {
        held(&self.departments, &self.unit_at(unit, at)?.department, at)
    }

    /// The board that answers for a unit's records and personal data at a moment.
    #[must_use]
    pub fn board_of(&self, unit: &str, at: Time) -> Option<&Board> {
        held(&self.boards, &self.department_of(unit, at)?.board, at)
    }

    /// The manager of a unit, newest version.
    #[must_use]
    pub fn manager_of(&self, unit: &str) -> Option<&Staff> {
        self.staff(&self.unit(unit)?.manager)
    }

    /// Those who work in a unit at a moment, in the order of the file.
    pub fn members<'a>(&'a self, unit: &str, at: Time) -> impl Iterator<Item = &'a Staff> {
        self.staff.iter().filter(move |staff| staff.unit == unit && staff.period.holds(at))
    }

    /// What the municipality has decided about a lane.
    #[must_use]
    pub fn lane(&self, lane: Lane) -> Option<&LaneText> {
        self.lanes.iter().find(|text| text.lane == lane)
    }

    /// True when the staff member has the role at that moment.
    #[must_use]
    pub fn has_role(&self, staff: &str, role: Role, at: Time) -> bool {
        self.staff_at(staff, at).is_some_and(|staff| staff.roles.contains(&role))
    }

    /// What a person calls the unit; the key when it is not known.
    #[must_use]
    pub fn name_of_unit<'a>(&'a self, key: &'a str) -> &'a str {
        self.unit(key).map_or(key, |unit| unit.name.as_str())
    }

    /// What a person calls the unit at a moment; its newest name when it does not exist then.
    #[must_use]
    pub fn name_of_unit_at<'a>(&'a self, key: &'a str, at: Time) -> &'a str {
        self.unit_at(key, at).map_or_else(|| self.name_of_unit(key), |unit| unit.name.as_str())
    }

    /// What a person calls one of the staff; the key when she is not known.
    #[must_use]
    pub fn name_of_staff<'a>(&'a self, key: &'a str) -> &'a str {
        self.staff(key).map_or(key, |staff| staff.name.as_str())
    }

    /// A route as text for the command line: the way down the tree, the unit, its manager and the lane's checklist.
    #[must_use]
    pub fn explain(&self, route: &Route) -> String {
        let mut lines = vec![route.because.clone(), format!("Väg:      {}", route.path.join(" → "))];
        lines.push(format!("Enhet:    {}", self.name_of_unit(&route.unit)));
        if let Some(unit) = self.unit(&route.unit) {
            lines.push(format!("Chef:     {}", self.name_of_staff(&unit.manager)));
            lines.push(format!("Ersätter: {}", self.name_of_staff(&unit.deputy)));
        }
        lines.push(format!("Spår:     {}", route.lane.swedish()));
        if let Some(text) = self.lane(route.lane) {
            let told: Vec<&str> = text
                .functions
                .iter()
                .map(|key| self.function(key).map_or(key.as_str(), |function| function.name.as_str()))
                .collect();
            if !told.is_empty() {
                lines.push(format!("Kontakta: {}", told.join(", ")));
            }
            lines.extend(text.checklist.iter().map(|step| format!("  [ ] {step}")));
        }
        lines.join("\n")
    }
}
