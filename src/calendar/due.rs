//! Arithmetic over open time, and the reading of how a due time came about.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::words::{capital, clock_text, date_text, moment_text, rfc3339, span_text, weekday_text};
use super::{Calendar, DayKind, hours};
use crate::clock::Time;

/// Days that are searched for open time, about thirty years: a promise longer than that is a fault.
const SEARCH_DAYS_MAX: usize = 11_000;

/// Lines about closed days in one reading; a person does not read more.
const REASONS_MAX: usize = 12;

/// A due time and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The last moment at which the promise is kept.
    pub at: Time,
    /// How it came about, in plain Swedish, one step a line.
    pub because: Vec<String>,
}

impl Due {
    /// `{"due_at": "2026-06-22T15:00:00+02:00", "because": ["…"]}`, with the offset of a zone.
    #[must_use]
    pub fn json(&self, zone: &TimeZone) -> serde_json::Value {
        serde_json::json!({ "due_at": rfc3339(self.at, zone), "because": self.because })
    }

    /// The due time on a line of its own and the reading under it, for a terminal.
    #[must_use]
    pub fn text(&self, zone: &TimeZone) -> String {
        let mut lines = vec![rfc3339(self.at, zone)];
        lines.extend(self.because.iter().map(|line| format!("  {line}")));
        lines.join("\n")
    }
}

/// The most open hours that can be asked for: over twenty years of full working time.
const HOURS_MAX: f64 = 50_000.0;

/// Hours as a person writes them (`4`, `1.5`) as a length of time, to the nearest second; `None` when negative, no
/// number, or more than can be meant.
#[must_use]
pub fn open_hours(count: f64) -> Option<Duration> {
    let seconds = (count * 3_600.0).round();
    (0.0..=HOURS_MAX).contains(&count).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten()
}

/// The calendar has no open time to count, so nothing falls due by it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("calendar `{calendar}` has too little open time in the {SEARCH_DAYS_MAX} days that are searched")]
pub struct NeverOpens {
    /// The calendar's key.
    pub calendar: String,
}

impl Calendar {
    fn never(&self) -> NeverOpens {
        NeverOpens { calendar: self.name.clone() }
    }

    /// The open intervals from `date` on, as moments, each ending later than `after`.
    fn openings(&self, date: Date, after: Time) -> impl Iterator<Item = (Time, Time)> + '_ {
        dates(date)
            .flat_map(move |date| {
                let day = self.day(date).hours;
                day.intervals()
                    .iter()
                    .map(|(start, end)| (self.moment(date, *start), self.moment(date, *end)))
                    .collect::<Vec<_>>()
            })
            .filter(move |(start, end)| *end > after && start < end)
    }

    /// True when the office is open at that moment; at closing time it no longer is.
    #[must_use]
    pub fn is_open(&self, at: Time) -> bool {
        let date = self.date_of(at);
        self.day(date)
            .hours
            .intervals()
            .iter()
            .any(|(start, end)| self.moment(date, *start) <= at && at < self.moment(date, *end))
    }

    /// The moment itself when the office is open, else the next opening; `None` when it never opens again.
    #[must_use]
    pub fn next_open(&self, at: Time) -> Option<Time> {
        self.openings(self.date_of(at), at).next().map(|(start, _)| start.max(at))
    }

    /// The end of the open interval that `at` is in, or of the next one. Intervals that meet at midnight are one
    /// for each day: this is a moment at which the answer to `is_open` may change, never later than when it does.
    #[must_use]
    pub fn next_close(&self, at: Time) -> Option<Time> {
        self.openings(self.date_of(at), at).next().map(|(_, end)| end)
    }

    /// When `open` time has passed from `from`, counting open time only. What fits exactly ends at closing time,
    /// not at the next opening.
    ///
    /// # Errors
    /// When the calendar does not hold that much open time.
    pub fn add_open(&self, from: Time, open: Duration) -> Result<Time, NeverOpens> {
        let mut left = open;
        for (start, end) in self.openings(self.date_of(from), from) {
            let start = start.max(from);
            let here = end.since(start);
            if left <= here {
                return Ok(start.plus(left));
            }
            left -= here;
        }
        Err(self.never())
    }

    /// Open time between two moments; zero when `to` is not later.
    #[must_use]
    pub fn open_between(&self, from: Time, to: Time) -> Duration {
        if to <= from {
            return Duration::ZERO;
        }
        self.openings(self.date_of(from), from)
            .take_while(|(start, _)| *start < to)
            .map(|(start, end)| end.min(to).since(start.max(from)))
            .sum()
    }

    /// The `count`-th working day after `date`; the date itself is day zero whatever it is. The nought-th is the
    /// first working day from `date` itself on.
    ///
    /// # Errors
    /// When there are not that many.
    pub fn working_day_after(&self, date: Date, count: u16) -> Result<Date, NeverOpens> {
        let skip = if count == 0 { 0 } else { usize::from(count) - 1 };
        dates(date).skip(usize::from(count > 0)).filter(|day| self.works_on(*day)).nth(skip).ok_or_else(|| self.never())
    }

    /// The same clock time on the `days`-th working day after that of `from`, moved into that day's opening hours.
    /// With zero days: as soon as the office is open.
    ///
    /// # Errors
    /// When there are not that many working days.
    pub fn add_working_days(&self, from: Time, days: u16) -> Result<Time, NeverOpens> {
        if days == 0 {
            return self.next_open(from).ok_or_else(|| self.never());
        }
        let there = self.zone.to_datetime(from.timestamp());
        let day = self.working_day_after(there.date(), days)?;
        let hours = self.day(day).hours;
        let minute = u16::try_from(i32::from(there.hour()) * 60 + i32::from(there.minute())).unwrap_or(0);
        let clamped = hours.clamp(minute);
        let at = self.moment(day, clamped);
        if clamped != minute || hours.closes() == Some(minute) {
            return Ok(at);
        }
        // The zone's offset is whole minutes, so the seconds of the hour are those of the day.
        Ok(Time(at.0.saturating_add(from.0.rem_euclid(60_000))))
    }

    /// The end of the working day that `at` is in or before; after closing, of the next one.
    ///
    /// # Errors
    /// When no working day follows.
    pub fn end_of_day(&self, at: Time) -> Result<Time, NeverOpens> {
        dates(self.date_of(at))
            .filter_map(|date| self.day(date).hours.closes().map(|closes| self.moment(date, closes)))
            .find(|closes| *closes > at)
            .ok_or_else(|| self.never())
    }

    /// [`Calendar::add_open`] with its reading.
    ///
    /// # Errors
    /// When the calendar does not hold that much open time.
    pub fn due_after_hours(&self, from: Time, open: Duration) -> Result<Due, NeverOpens> {
        let at = self.add_open(from, open)?;
        let what = format!("{} öppen tid", span_text(open));
        let mut because = vec![self.counted(from, &what)];
        match self.next_open(from) {
            Some(opens) if opens > from => {
                because.push(format!("Då är det stängt. Räkningen börjar {}.", moment_text(opens, &self.zone)));
            }
            _ => {}
        }
        self.explain(from, at, &mut because);
        Ok(Due { at, because })
    }

    /// [`Calendar::add_working_days`] with its reading.
    ///
    /// # Errors
    /// When there are not that many working days.
    pub fn due_after_working_days(&self, from: Time, days: u16) -> Result<Due, NeverOpens> {
        let at = self.add_working_days(from, days)?;
        let what = if days == 1 { "1 arbetsdag".to_owned() } else { format!("{days} arbetsdagar") };
        let mut because = vec![self.counted(from, &what)];
        let (asked, given) = (self.zone.to_datetime(from.timestamp()), self.zone.to_datetime(at.timestamp()));
        if (asked.time().hour(), asked.time().minute()) != (given.time().hour(), given.time().minute()) {
            let day = self.day(given.date()).hours;
            let times: Vec<String> = day
                .intervals()
                .iter()
                .map(|(start, end)| format!("{}–{}", hours::swedish(*start), hours::swedish(*end)))
                .collect();
            because.push(format!(
                "Klockslaget flyttas till {} eftersom det är öppet {} den dagen.",
                clock_text(at, &self.zone),
                times.join(" och ")
            ));
        }
        self.explain(from, at, &mut because);
        Ok(Due { at, because })
    }

    fn counted(&self, from: Time, what: &str) -> String {
        format!("Från {} räknas {what} i kalendern {}.", moment_text(from, &self.zone), self.name)
    }

    /// Adds the closed and the odd days on the way, the change of the clock, and the result.
    pub(crate) fn explain(&self, from: Time, at: Time, because: &mut Vec<String>) {
        let (first, last) = (self.date_of(from), self.date_of(at));
        let mut lines: Vec<String> = Vec::new();
        let mut run: Option<(Date, Date, Vec<String>)> = None;
        for date in dates(first).take_while(|date| *date <= last) {
            let day = self.day(date);
            let why = day.kind.swedish(date);
            if day.hours.is_closed() {
                let run = run.get_or_insert_with(|| (date, date, Vec::new()));
                run.1 = date;
                if !run.2.contains(&why) {
                    run.2.push(why);
                }
                continue;
            }
            lines.extend(run.take().map(closed_text));
            if let (DayKind::Half(_) | DayKind::Local(_), Some(closes)) = (&day.kind, day.hours.closes()) {
                lines.push(format!("{}: öppet till {} ({why}).", capital(&date_text(date)), hours::swedish(closes)));
            }
        }
        lines.extend(run.take().map(closed_text));
        let more = lines.len().saturating_sub(REASONS_MAX);
        because.extend(lines.into_iter().take(REASONS_MAX));
        if more > 0 {
            because.push(format!("… och {more} stängda eller korta perioder till."));
        }
        self.explain_clock_change(from, at, because);
        because.push(format!("Klart senast {}.", moment_text(at, &self.zone)));
    }

    fn explain_clock_change(&self, from: Time, at: Time, because: &mut Vec<String>) {
        let offset = |at: Time| self.zone.to_offset(at.timestamp()).seconds();
        let moved = offset(at) - offset(from);
        if moved != 0 {
            let (season, way) = if moved < 0 { ("vintertid", "bakåt") } else { ("sommartid", "framåt") };
            because.push(format!("På vägen ställs klockan {way} till {season}; klockslagen är svensk tid."));
        }
    }
}

/// Every date from `first` on, as many as are searched.
fn dates(first: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(first), |date| date.tomorrow().ok()).take(SEARCH_DAYS_MAX)
}

fn closed_text((first, last, why): (Date, Date, Vec<String>)) -> String {
    if first == last {
        return format!("{} räknas inte: {}.", capital(&date_text(first)), why.join(", "));
    }
    format!("{}–{} räknas inte: {}.", capital(&date_text(first)), date_text(last), why.join(", "))
}

impl DayKind {
    /// Why a day has its hours, in lower case, to be read inside a sentence.
    #[must_use]
    pub fn swedish(&self, date: Date) -> String {
        match self {
            Self::Ordinary => "stängt den veckodagen".to_owned(),
            Self::Named(named) | Self::Half(named) => named.swedish().to_owned(),
            Self::Weekend => weekday_text(date.weekday()).to_owned(),
            Self::Bridge => "klämdag".to_owned(),
            Self::Local(why) => why.clone(),
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
