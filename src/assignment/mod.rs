//! Assignment (tilldelning): whose a matter is, and until when.
//!
//! The organisation is data with dates, because names, seats and people change while old cases keep their history.
//! Everything here is pure: it is told the organisation, the absences and the moment, and answers with a key and
//! a reason in Swedish.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::classification::{Flag, Intent, Urgency};
use crate::clock::Time;
use crate::secret::Secret;

pub mod absence;
pub mod absence_feed_store;
pub mod answer;
pub mod chain;
mod check;
pub mod choose;
pub mod desk_store;
pub mod external;
pub mod handover;
pub mod ical;
mod ical_event;
mod ical_line;
pub mod lane;
pub mod offer_store;
pub mod organisation;
mod read;
mod recurrence;
pub mod rota;
pub mod route;
pub mod spokesperson;
pub mod store;
mod words;

pub use absence::Absence;
pub use chain::Chain;
pub use choose::Choice;
pub use lane::Lane;
pub use organisation::Organisation;
pub use route::Route;
pub use words::{Words, fold};

/// The zone in which a Swedish municipality writes its dates.
const ZONE: &str = "Europe/Stockholm";

/// The zone of all dates in `config/organisation.toml`. The time zone database is compiled in, so UTC is never met.
#[must_use]
pub fn zone() -> TimeZone {
    TimeZone::get(ZONE).unwrap_or(TimeZone::UTC)
}

/// Midnight at the start of a day in Sweden.
#[must_use]
pub fn start_of(day: Date) -> Option<Time> {
    zone().to_ambiguous_zoned_datetime(day.at(0, 0, 0, 0)).compatible().ok().map(|zoned| Time::of(zoned.timestamp()))
}

/// When something holds: from the first moment up to, but not with, the second; open where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Period {
    /// The first moment it holds.
    pub from: Option<Time>,
    /// The first moment it no longer holds.
    pub until: Option<Time>,
}

impl Period {
    /// True when it holds at this moment.
    #[must_use]
    pub fn holds(&self, at: Time) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }

    /// True when there is a moment at which both hold.
    #[must_use]
    pub fn overlaps(&self, other: &Period) -> bool {
        let before = |until: Option<Time>, from: Option<Time>| matches!((until, from), (Some(u), Some(f)) if u <= f);
        !before(self.until, other.from) && !before(other.until, self.from)
    }
}

/// A subject that posts are sorted under (ämne); data that a municipality renames, splits and adds to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// The slug that the classifier gives.
    pub slug: String,
    /// What a person reads.
    pub name: String,
    /// True when even the matter itself may be secret (OSL), so that texts are blurred and replies are neutral.
    pub protected: bool,
}

/// A political board (nämnd): an authority of its own, answerable for records and personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    /// Key in the configuration.
    pub key: String,
    /// What a person reads.
    pub name: String,
    /// Names it has had or goes by.
    pub aliases: Vec<String>,
    /// When it is the authority.
    pub period: Period,
}

/// An administration (förvaltning, sektor) under a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Department {
    /// Key in the configuration.
    pub key: String,
    /// What a person reads.
    pub name: String,
    /// Key of the board it serves.
    pub board: String,
    /// Key of the förvaltningschef, the last step of every escalation.
    pub chief: String,
    /// Names it has had or goes by.
    pub aliases: Vec<String>,
    /// When it is so.
    pub period: Period,
}

/// A unit (enhet): what owns a matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Key in the configuration.
    pub key: String,
    /// What a person reads.
    pub name: String,
    /// Key of its department.
    pub department: String,
    /// Key of the unit above it (verksamhetsområde), when there is one.
    pub parent: Option<String>,
    /// Key of its manager (enhetschef).
    pub manager: String,
    /// Key of the one who stands in for the manager, and takes what no member can.
    pub deputy: String,
    /// Name of the calendar that says when it is staffed.
    pub calendar: String,
    /// Names it has had or goes by.
    pub aliases: Vec<String>,
    /// When it is so.
    pub period: Period,
}

/// What a person may do in Lyhörd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sorts, writes and publishes (kommunikatör).
    Communicator,
    /// Answers for a unit (handläggare).
    Staff,
    /// Audits, and changes watch rules (kommunikationschef).
    Chief,
    /// Keeps the system; sees settings, not contents (systemförvaltare).
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: &'static [Self] = &[Self::Communicator, Self::Staff, Self::Chief, Self::Admin];

    /// The slug in the configuration and the database.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Communicator => "communicator",
            Self::Staff => "staff",
            Self::Chief => "chief",
            Self::Admin => "admin",
        }
    }

    /// What a person reads.
    #[must_use]
    pub fn swedish(self) -> &'static str {
        match self {
            Self::Communicator => "kommunikatör",
            Self::Staff => "handläggare",
            Self::Chief => "kommunikationschef",
            Self::Admin => "systemförvaltare",
        }
    }

    /// Reads a slug.
    #[must_use]
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.slug() == slug)
    }
}

/// One who works for the municipality.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staff {
    /// Key in the configuration.
    pub key: String,
    /// What a person reads.
    pub name: String,
    /// The title, in Swedish; empty when none is given.
    pub title: String,
    /// Key of the unit.
    pub unit: String,
    /// What she may do in Lyhörd.
    pub roles: Vec<Role>,
    /// Key of the one who stands in when she is away.
    pub deputy: Option<String>,
    /// Name of her own calendar; the unit's when there is none.
    pub calendar: Option<String>,
    /// Work address.
    pub email: String,
    /// Open cases that she can hold at once before others in the unit are asked first; 0 is never given one by rule.
    pub capacity: u32,
    /// Chat channels in the order she wants to be reached; empty is the municipality's own order.
    pub voices: Vec<String>,
    /// Address of an iCal feed with her absences.
    pub absence_feed: Option<Secret>,
    /// When she has what can wait summed up: `08:15` each working day, or `monday 09:00`; each message at once when not.
    pub digest: Option<String>,
    /// Which events of that feed mean that she is away.
    pub absence_feed_counts: ical::Counts,
    /// When she is employed in this place.
    pub period: Period,
}

/// A duty (funktion) that a unit sees to it is always held by somebody: registrator, jurist, säkerhet …
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Key in the configuration.
    pub key: String,
    /// What a person reads.
    pub name: String,
    /// Key of the unit that holds it.
    pub unit: String,
    /// Keys of those who can hold it, first choice first.
    pub staff: Vec<String>,
}

/// What the municipality has decided about handing over and being away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// How long an offer to take over a case can be answered.
    pub handover_open: Duration,
    /// An absence no longer than this leaves the cases where they are.
    pub short_absence: Duration,
    /// True when absence feeds may lie on the inner network, as a calendar server of our own does.
    pub local_feeds: bool,
    /// Whether the one a case is handed to must say yes first.
    pub handover_needs_yes: bool,
    /// Months after which an external contact must be checked again.
    pub check_contacts_months: i64,
}

/// What a route looks at: what the matter is, never who wrote it.
#[derive(Debug, Clone, Copy)]
pub struct Matter<'a> {
    /// Slug of the topic.
    pub topic: &'a str,
    /// What the writer wants.
    pub intent: Intent,
    /// A second intent, when there clearly is one.
    pub also: Option<Intent>,
    /// How soon somebody must look.
    pub urgency: Urgency,
    /// Slug or name of the place; empty when none was named.
    pub place: &'a str,
    /// The channel's slug.
    pub channel: &'a str,
    /// Key, name or alias of the board that the post was written to, or of a department under it; empty when not known.
    pub board: &'a str,
    /// True when somebody has marked it as protected although its topic is not.
    pub protected: bool,
    /// What to be careful about.
    pub flags: &'a [Flag],
    /// The post's own words, for routes and lanes that listen for words.
    pub text: &'a str,
}

impl Default for Matter<'_> {
    /// A matter of which nothing is known: ordinary information without topic.
    fn default() -> Self {
        Self {
            topic: "",
            intent: Intent::Information,
            also: None,
            urgency: Urgency::Normal,
            place: "",
            channel: "",
            board: "",
            protected: false,
            flags: &[],
            text: "",
        }
    }
}

impl Matter<'_> {
    /// True when the writer wants this, first or second.
    #[must_use]
    pub fn wants(&self, intent: Intent) -> bool {
        self.intent == intent || self.also == Some(intent)
    }
}

/// The shipped organisation, for the room's tests.
#[cfg(test)]
mod example {
    use std::sync::LazyLock;

    use super::absence::{Absence, Told};
    use super::*;
    use crate::settings::{Problems, read};

    /// A Tuesday morning: 2026-11-24 09:00 in Sweden.
    pub const NOW: Time = Time(1_795_507_200_000);

    /// The text of `config/organisation.toml`.
    pub const TEXT: &str = include_str!("../../config/organisation.toml");

    /// The organisation that a text says, and its faults.
    pub fn parse(text: &str) -> (Organisation, Vec<String>) {
        let problems = Problems::default();
        let file = read("organisation.toml", text, &problems);
        let organisation = Organisation::read(&file);
        // Other rooms read these from the same file.
        for key in ["calendar", "response_times", "reminders"] {
            let _ = file.has(key);
        }
        drop(file);
        (organisation, problems.sorted().iter().map(ToString::to_string).collect())
    }

    static ALE: LazyLock<Organisation> = LazyLock::new(|| {
        let (organisation, faults) = parse(TEXT);
        assert_eq!(faults, [""; 0]);
        organisation
    });

    /// The shipped organisation, without a fault.
    pub fn ale() -> Organisation {
        ALE.clone()
    }

    /// Somebody is away until further notice.
    pub fn gone(staff: &str) -> Absence {
        Absence { staff: staff.to_owned(), from: Time(0), until: None, deputy: None, told: Told::Page }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_swedish_midnight_in_winter_and_in_summer() {
        let winter = start_of(jiff::civil::date(2026, 1, 1)).unwrap();
        let summer = start_of(jiff::civil::date(2026, 7, 1)).unwrap();
        assert_eq!(winter.to_string(), "2025-12-31T23:00:00Z");
        assert_eq!(summer.to_string(), "2026-06-30T22:00:00Z");
    }

    #[test]
    fn a_period_holds_from_its_first_moment_and_not_at_its_last() {
        let period = Period { from: Some(Time(10)), until: Some(Time(20)) };
        assert_eq!([9, 10, 19, 20].map(|at| period.holds(Time(at))), [false, true, true, false]);
    }

    #[test]
    fn periods_that_only_meet_do_not_overlap() {
        let first = Period { from: None, until: Some(Time(10)) };
        let second = Period { from: Some(Time(10)), until: None };
        assert!(!first.overlaps(&second));
        assert!(!second.overlaps(&first));
        assert!(first.overlaps(&Period::default()));
    }
}
