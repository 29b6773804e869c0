//! Reading calendars from settings.
//!
//! ```toml
//! [calendar.kontaktcenter]
//! zone = "Europe/Stockholm"            # the wall clock the hours are read by; this is the default
//! holidays = "swedish"                 # "swedish": red days, midsommar-, jul- and nyårsafton closed; "none": on-call
//! bridge_days = "open"                 # klämdagar: "open" (the law) or "closed" (a local choice)
//! weekdays = ["08:00-16:30"]           # Monday–Friday; several intervals give a lunch break
//! tuesday = ["08:00-18:00"]            # a day of its own replaces `weekdays`; [] is closed
//! every_day = ["00:00-24:00"]          # all seven days; "22:00-06:00" goes over midnight, and what is past midnight
//!                                      # belongs to the next day: a red day closes it unless holidays = "none"
//!
//! [calendar.kontaktcenter.half_days]   # named days that end early; "closed" closes them
//! skartorsdagen = "12:00"
//!
//! [[calendar.kontaktcenter.season]]    # summer hours, every year
//! from = "06-15"
//! to = "08-15"
//! name = "sommartid"
//! weekdays = ["09:00-15:00"]
//!
//! [[calendar.kontaktcenter.exception]] # one-off closings and openings
//! from = 2026-10-09
//! to = 2026-10-09                      # may be left out for one day
//! why = "planeringsdag"
//! hours = []                           # the hours instead; closed when left out. They end at midnight at the latest
//!
//! [[calendar.kontaktcenter.change]]    # other hours from a date; same keys, nothing is inherited
//! from = 2027-01-01
//! weekdays = ["08:00-16:00"]
//! ```

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::hours::{self, DAY_MIN, Hours, INTERVALS_MAX, Week};
use super::{Bridge, Calendar, Calendars, Edition, Exception, Named, Season, Standing, Year, stockholm};
use crate::settings::{Located, Section};

/// Editions, seasons, exceptions of one calendar: each is looked through for each day that is counted.
const PARTS_MAX: usize = 400;

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

impl Calendars {
    /// Reads every table under `[calendar]`; the section handed in is that of `calendar` itself. Faults are
    /// written down in the section's problems.
    #[must_use]
    pub fn read(section: &Section) -> Self {
        let mut all = Self::default();
        for name in section.keys() {
            if let Some(inner) = section.section(&name) {
                all.insert(Calendar::read(&name, &inner));
            }
        }
        all
    }
}

impl Calendar {
    /// Reads one calendar; faults are written down in the section's problems.
    #[must_use]
    pub fn read(name: &str, section: &Section) -> Self {
        let zone = section.located_optional("zone").map_or_else(stockholm, |found| {
            TimeZone::get(&found.text).unwrap_or_else(|_| {
                found.place.report(format!("`zone` `{}` is no time zone, as \"Europe/Stockholm\"", found.text));
                stockholm()
            })
        });
        let mut editions = vec![edition(section, Date::MIN)];
        for change in bounded(section, "change") {
            if let Some(from) = change.located("from").and_then(|found| read_date(&found)) {
                editions.push(edition(&change, from));
            }
        }
        editions.sort_by_key(|edition| edition.from);
        if editions.windows(2).any(|pair| matches!(pair, [a, b] if a.from == b.from)) {
            section.place().report(format!("calendar `{name}` has two changes from the same date"));
        }
        if editions.iter().any(|edition| edition.week.is_closed()) {
            section.place().report(format!("calendar `{name}` has a week without open hours: nothing would fall due"));
        }
        let exceptions = bounded(section, "exception").iter().filter_map(exception).collect();
        Self { name: name.to_owned(), zone, editions, exceptions }
    }
}

fn bounded(section: &Section, key: &str) -> Vec<Section> {
    let found = section.sections(key);
    if found.len() > PARTS_MAX {
        section.place_of(key).report(format!("more than {PARTS_MAX} `{key}` tables in one calendar"));
    }
    found.into_iter().take(PARTS_MAX).collect()
}

fn edition(section: &Section, from: Date) -> Edition {
    let year = if section.choice("holidays", &["swedish", "none"]) == "none" { Year::Plain } else { Year::Swedish };
    let bridge =
        if section.choice("bridge_days", &["open", "closed"]) == "closed" { Bridge::Closed } else { Bridge::Open };
    let seasons = bounded(section, "season").iter().filter_map(season).collect();
    Edition { from, week: week(section), year, bridge, half_days: half_days(section), seasons }
}

fn half_days(section: &Section) -> Vec<(Named, u16)> {
    let Some(table) = section.section("half_days") else { return Vec::new() };
    let known: Vec<&str> =
        Named::ALL.into_iter().filter(|day| day.standing() == Standing::Shortenable).map(Named::slug).collect();
    let mut days = Vec::new();
    for key in table.keys() {
        let Some(found) = table.located_optional(&key) else { continue };
        let closes = if found.text == "closed" { Ok(0) } else { hours::minute(&found.text) };
        match (Named::from_slug(&key).filter(|day| day.standing() == Standing::Shortenable), closes) {
            (Some(day), Ok(closes)) => days.push((day, closes)),
            (None, _) => found.place.report_unknown("half day", &key, &known),
            (_, Err(_)) => found.place.report(format!("`{key}` is `{}`, expected \"12:00\" or \"closed\"", found.text)),
        }
    }
    days
}

fn season(section: &Section) -> Option<Season> {
    let from = section.located("from").and_then(|found| month_day(&found));
    let to = section.located("to").and_then(|found| month_day(&found));
    let (why, week) = (section.text_or("name", "säsong"), week(section));
    Some(Season { from: from?, to: to?, why, week })
}

fn exception(section: &Section) -> Option<Exception> {
    let from = section.located("from").and_then(|found| read_date(&found));
    let last = section.located_optional("to");
    let (why, intervals) = (section.text("why"), intervals(section, "hours"));
    let from = from?;
    let to = last.as_ref().and_then(read_date).unwrap_or(from);
    if to < from {
        section.place_of("to").report(format!("`to` {to} is before `from` {from}"));
        return None;
    }
    let hours =
        Hours::of(intervals.into_iter().map(|(start, end)| (start, if end < start { DAY_MIN } else { end })).collect());
    Some(Exception { from, to, hours, why })
}

/// The hours of a week: `every_day`, over it `weekdays`, over it each day by its name.
fn week(section: &Section) -> Week {
    let every = intervals(section, "every_day");
    let weekdays = if section.has("weekdays") { intervals(section, "weekdays") } else { every.clone() };
    let mut days: [Vec<(u16, u16)>; 7] = std::array::from_fn(|_| Vec::new());
    for (index, key) in DAYS.into_iter().enumerate() {
        let own = if section.has(key) {
            intervals(section, key)
        } else if index < 5 {
            weekdays.clone()
        } else {
            every.clone()
        };
        for (start, end) in own {
            let over_midnight = end < start;
            if let Some(day) = days.get_mut(index) {
                day.push((start, if over_midnight { DAY_MIN } else { end }));
            }
            if let (true, Some(next)) = (over_midnight, days.get_mut((index + 1) % 7)) {
                next.push((0, end));
            }
        }
    }
    Week(days.map(Hours::of))
}

fn intervals(section: &Section, key: &str) -> Vec<(u16, u16)> {
    let texts = section.texts(key);
    if texts.len() > INTERVALS_MAX {
        section.place_of(key).report(format!("`{key}` has more than {INTERVALS_MAX} intervals"));
    }
    texts
        .iter()
        .take(INTERVALS_MAX)
        .filter_map(|found| hours::interval(&found.text).map_err(|fault| found.place.report(fault.to_string())).ok())
        .collect()
}

fn read_date(found: &Located) -> Option<Date> {
    found.text.parse().map_err(|_| found.place.report(format!("`{}` is no date as 2026-06-15", found.text))).ok()
}

fn month_day(found: &Located) -> Option<(i8, i8)> {
    let parsed = found.text.split_once('-').and_then(|(month, day)| {
        let (month, day) = (month.parse().ok()?, day.parse().ok()?);
        // Leap year: 29 February is a day of the year too.
        Date::new(2024, month, day).ok().map(|_| (month, day))
    });
    if parsed.is_none() {
        found.place.report(format!("`{}` is no day of the year as \"06-15\"", found.text));
    }
    parsed
}
