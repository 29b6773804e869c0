//! Calendar (kalender): when an office is open, and how long a promise runs when only open time counts.
//!
//! A calendar is data: editions with the date they hold from, each with hours for the week, and one-off closings.
//! The Swedish year is computed (`holidays`), the settings are read in `read`, the arithmetic stands in `due`.

pub mod due;
pub mod holidays;
pub mod hours;
mod read;
pub mod words;

use std::collections::BTreeMap;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use crate::clock::Time;
use holidays::{Named, Standing};
use hours::{DAY_MIN, Hours, Week};

pub use due::{Due, NeverOpens};

/// The zone of every Swedish municipality.
#[must_use]
pub fn stockholm() -> TimeZone {
    // The zone data is compiled in; the rule in the second line is the law since 1996, should it ever be cut out.
    TimeZone::get("Europe/Stockholm")
        .or_else(|_| TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3"))
        .unwrap_or(TimeZone::UTC)
}

/// The first eight hexadecimal digits of the SHA-256 of some data as JSON: enough to tell one edition of a
/// municipality's settings from another, short enough to read aloud.
#[must_use]
pub fn fingerprint<T: serde::Serialize>(data: &T) -> String {
    // Settings are texts, numbers and lists: they always have a JSON form.
    let text = serde_json::to_vec(data).unwrap_or_default();
    let digest = Sha256::digest(&text);
    let short = digest.iter().take(4).fold(0_u32, |short, byte| (short << 8) | u32::from(*byte));
    format!("{short:08x}")
}

/// Which named days close the office.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Year {
    /// Red days and the three great eves are closed.
    #[default]
    Swedish,
    /// Every day counts by its weekday alone: on-call duty.
    Plain,
}

/// What the office does on a klämdag, a working day between two free ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bridge {
    /// Works as on any day, which is what the law says.
    #[default]
    Open,
    /// Closes: a local choice.
    Closed,
}

/// A part of the year with hours of its own, the same every year: summer hours.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Season {
    /// First (month, day).
    pub from: (i8, i8),
    /// Last (month, day), itself included; earlier than `from` goes over New Year.
    pub to: (i8, i8),
    /// What it is called: "sommartid".
    pub why: String,
    /// The hours of its week.
    pub week: Week,
}

impl Season {
    fn covers(&self, date: Date) -> bool {
        let day = (date.month(), date.day());
        if self.from <= self.to { self.from <= day && day <= self.to } else { day >= self.from || day <= self.to }
    }
}

/// The rules that hold from a date until the next edition's date.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Edition {
    /// First day it holds; the first edition also holds for all days before.
    pub from: Date,
    /// Hours of an ordinary week.
    pub week: Week,
    /// Which named days close the office.
    pub year: Year,
    /// What happens on a klämdag.
    pub bridge: Bridge,
    /// Named working days that end early, with the minute of the day they end; 0 closes them.
    pub half_days: Vec<(Named, u16)>,
    /// Parts of the year with hours of their own; the first that covers a day wins.
    pub seasons: Vec<Season>,
}

/// Days on which the hours are others than the rules say: a planning day, a Saturday with doors open.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Exception {
    /// First day.
    pub from: Date,
    /// Last day, itself included.
    pub to: Date,
    /// The hours instead; none means closed.
    pub hours: Hours,
    /// Why, in Swedish, as it is read in "because".
    pub why: String,
}

/// When an office is open: effective-dated data with a version that is the fingerprint of the data.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Calendar {
    name: String,
    #[serde(with = "jiff::fmt::serde::tz::required")]
    zone: TimeZone,
    /// At least one, by date.
    editions: Vec<Edition>,
    exceptions: Vec<Exception>,
}

/// Why a day has the hours it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DayKind {
    /// The ordinary week.
    Ordinary,
    /// A red day or one of the great eves.
    Named(Named),
    /// A Sunday or Saturday on which the office is closed.
    Weekend,
    /// A working day that ends early.
    Half(Named),
    /// A klämdag on which the office is closed.
    Bridge,
    /// Hours of a season, or an exception, in its own words.
    Local(String),
}

/// The hours of one date and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// When the office is open, by the wall clock.
    pub hours: Hours,
    /// Why.
    pub kind: DayKind,
}

impl Calendar {
    /// A calendar of one edition that holds always. For tests and for built-in calendars; others are read.
    #[must_use]
    pub fn weekly(name: &str, week: Week, year: Year) -> Self {
        let edition =
            Edition { from: Date::MIN, week, year, bridge: Bridge::Open, half_days: Vec::new(), seasons: Vec::new() };
        Self { name: name.to_owned(), zone: stockholm(), editions: vec![edition], exceptions: Vec::new() }
    }

    /// Monday to Friday with the same intervals each day (minutes since midnight), closed on Swedish holidays.
    #[must_use]
    pub fn weekdays(name: &str, intervals: &[(u16, u16)]) -> Self {
        let hours = Hours::of(intervals.to_vec());
        let week = std::array::from_fn(|day| if day < 5 { hours.clone() } else { Hours::default() });
        Self::weekly(name, Week(week), Year::Swedish)
    }

    /// Open at all times: for danger to life and for on-call duty.
    #[must_use]
    pub fn always() -> Self {
        Self::weekly("dygnet-runt", Week::always(), Year::Plain)
    }

    /// The key in `config/organisation.toml`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The zone whose wall clock the hours are read by.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Name and fingerprint of the data: a promise keeps it, so that it can be seen which hours it was made with.
    #[must_use]
    pub fn version(&self) -> String {
        format!("{}@{}", self.name, fingerprint(self))
    }

    fn edition(&self, date: Date) -> Option<&Edition> {
        self.editions.iter().rev().find(|edition| edition.from <= date).or_else(|| self.editions.first())
    }

    /// The hours of a date and why they are so.
    #[must_use]
    pub fn day(&self, date: Date) -> Day {
        if let Some(found) = self.exceptions.iter().find(|found| found.from <= date && date <= found.to) {
            return Day { hours: found.hours.clone(), kind: DayKind::Local(found.why.clone()) };
        }
        let Some(edition) = self.edition(date) else { return Day::closed(DayKind::Weekend) };
        let season = edition.seasons.iter().find(|season| season.covers(date));
        let hours = season.map_or(&edition.week, |season| &season.week).on(date.weekday());
        if edition.year == Year::Swedish {
            let named = holidays::named(date);
            if let Some(closed) = edition.closed_by_the_year(date, named) {
                return Day::closed(closed);
            }
            if let Some((half, closes)) = edition.half_days.iter().find(|(half, _)| Some(*half) == named) {
                return Day { hours: hours.until(*closes), kind: DayKind::Half(*half) };
            }
        }
        if hours.is_closed() && matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday) {
            return Day::closed(DayKind::Weekend);
        }
        let kind = season.map_or(DayKind::Ordinary, |season| DayKind::Local(season.why.clone()));
        Day { hours: hours.clone(), kind }
    }

    /// True when the office opens at all on that date.
    #[must_use]
    pub fn works_on(&self, date: Date) -> bool {
        !self.day(date).hours.is_closed()
    }

    /// The date of a moment by this calendar's wall clock.
    #[must_use]
    pub fn date_of(&self, at: Time) -> Date {
        self.zone.to_datetime(at.timestamp()).date()
    }

    /// A wall-clock minute of a date as a moment. A minute that the spring night skips is the same distance later;
    /// one that the autumn night has twice is the first: either way it comes exactly once.
    #[must_use]
    pub fn moment(&self, date: Date, minute: u16) -> Time {
        let (date, minute) =
            if minute >= DAY_MIN { (date.tomorrow().unwrap_or(date), minute - DAY_MIN) } else { (date, minute) };
        let clock = hours::civil(minute).unwrap_or_default();
        self.zone.to_timestamp(date.to_datetime(clock)).map_or(Time(i64::MAX), Time::of)
    }
}

impl Day {
    fn closed(kind: DayKind) -> Self {
        Self { hours: Hours::default(), kind }
    }
}

impl Edition {
    /// Why the Swedish year closes the office on a date, when it does.
    fn closed_by_the_year(&self, date: Date, named: Option<Named>) -> Option<DayKind> {
        match named.map(Named::standing) {
            Some(Standing::Red | Standing::Eve) => return named.map(DayKind::Named),
            _ if date.weekday() == Weekday::Sunday => return Some(DayKind::Weekend),
            _ => {}
        }
        (self.bridge == Bridge::Closed && holidays::is_bridge(date)).then_some(DayKind::Bridge)
    }
}

/// The calendars of a municipality by name, and the older ones that running promises were made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendars {
    current: BTreeMap<String, Calendar>,
    kept: BTreeMap<String, Calendar>,
}

impl Default for Calendars {
    /// None of today's; [`Calendar::always`] is kept, because promises about danger are made with it.
    fn default() -> Self {
        let mut none = Self { current: BTreeMap::new(), kept: BTreeMap::new() };
        none.keep(Calendar::always());
        none
    }
}

impl Calendars {
    /// A calendar of today by its key.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Calendar> {
        self.current.get(name)
    }

    /// The calendar that a promise was made with, by the version it keeps; today's of the same name when that one
    /// was not kept.
    #[must_use]
    pub fn of(&self, version: &str) -> Option<&Calendar> {
        self.kept.get(version).or_else(|| self.get(version.split_once('@').map_or(version, |(name, _)| name)))
    }

    /// All keys, in order: for a message that names what there is.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.current.keys().map(String::as_str).collect()
    }

    /// Adds or replaces one of today's.
    pub fn insert(&mut self, calendar: Calendar) {
        self.keep(calendar.clone());
        self.current.insert(calendar.name.clone(), calendar);
    }

    /// Adds an older one, so that promises made with it go on by it.
    pub fn keep(&mut self, calendar: Calendar) {
        self.kept.insert(calendar.version(), calendar);
    }

    /// Today's calendars, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Calendar> {
        self.current.values()
    }
}
