//! Figures of how we answer: share unanswered first, then how long the first answer took.
//!
//! A case that still waits is not left out: its time so far is counted as "at least so long" (Kaplan–Meier), so that a
//! unit does not look quick by leaving the hard ones. Nothing is told of fewer than five cases, and no list is sorted by
//! who is quickest.

use std::collections::BTreeMap;

use crate::calendar::{Calendar, Calendars};
use crate::clock::Time;

/// Fewer cases than this are not told: a single one could be recognised, and says nothing.
pub const TOLD_MIN: usize = 5;

/// A case as the figures see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Key of the unit that answered, or whose it is while nobody has.
    pub unit: String,
    /// Slug of the channel.
    pub channel: String,
    /// Slug of the topic.
    pub topic: String,
    /// When the clock started: arrival, or the reopening of one that was closed without an answer.
    pub started_at: Time,
    /// When it was first answered, or the moment up to which we know that it was not.
    pub until: Time,
    /// True when `until` is an answer.
    pub answered: bool,
    /// When the first answer was promised.
    pub due_at: Option<Time>,
    /// When the first answer would have been promised, counted from when the post was written: what the citizen lives
    /// through when it was found late.
    pub due_from_arrival_at: Option<Time>,
    /// It was found late.
    pub found_late: bool,
    /// Name of the calendar of the promise.
    pub calendar: Option<String>,
}

impl Observation {
    fn lasted(&self) -> i64 {
        self.until.0.saturating_sub(self.started_at.0).max(0)
    }

    fn worked(&self, calendar: Option<&Calendar>) -> i64 {
        calendar.map_or_else(
            || self.lasted(),
            |calendar| {
                i64::try_from(calendar.open_between(self.started_at, self.until).as_millis()).unwrap_or(i64::MAX)
            },
        )
    }

    /// Whether the promise was kept; nothing while it can still be.
    #[must_use]
    pub fn kept(&self) -> Option<bool> {
        self.kept_by(self.due_at?)
    }

    /// The same counted from when the post was written.
    #[must_use]
    pub fn kept_from_arrival(&self) -> Option<bool> {
        self.kept_by(self.due_from_arrival_at.or(self.due_at)?)
    }

    fn kept_by(&self, due: Time) -> Option<bool> {
        if self.until > due { Some(false) } else { self.answered.then_some(true) }
    }
}

/// How long something took, and whether it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Milliseconds.
    pub lasted: i64,
    /// True when it ended; false when we only know that it lasted at least so long.
    pub ended: bool,
}

/// The time within which a share (0 to 1) of the cases were answered, open ones counted as lasting at least so long.
/// Nothing when so many wait that it cannot be known.
#[must_use]
pub fn quantile(spans: &[Span], share: f64) -> Option<i64> {
    let mut spans = spans.to_vec();
    // At the same length those that ended come first: one that was still waiting lasted longer.
    spans.sort_unstable_by_key(|span| (span.lasted, !span.ended));
    let mut at_risk = spans.len();
    let mut unanswered = 1.0_f64;
    for span in spans {
        if span.ended {
            #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
            let risk = at_risk as f64;
            unanswered *= 1.0 - 1.0 / risk;
            // A hair of slack, since a product of fractions misses the exact half by rounding.
            if unanswered <= 1.0 - share + 1e-9 {
                return Some(span.lasted);
            }
        }
        at_risk -= 1;
    }
    None
}

/// What is told of a group of cases.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// How many cases wanted an answer.
    pub cases: usize,
    /// How many of them have none.
    pub unanswered: usize,
    /// Median of the first answer, calendar time, milliseconds.
    pub median: Option<i64>,
    /// Nine of ten were answered within this, calendar time.
    pub ninety: Option<i64>,
    /// Median in the unit's working time.
    pub median_worked: Option<i64>,
    /// Nine of ten, working time.
    pub ninety_worked: Option<i64>,
    /// How many promises have been put to the test.
    pub promised: usize,
    /// How many of those were kept.
    pub kept: usize,
    /// How many were kept counted from when the post was written, and of how many.
    pub kept_from_arrival: (usize, usize),
    /// How many were found late, because our reading was.
    pub found_late: usize,
}

/// A group by name, with its figures when it is large enough to be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Key of the unit, slug of the channel or topic, or the month.
    pub key: String,
    /// Nothing under [`TOLD_MIN`].
    pub figures: Option<Figures>,
}

/// The figures of some cases; nothing when they are too few to be told.
#[must_use]
pub fn figures(cases: &[&Observation], calendars: &Calendars) -> Option<Figures> {
    if cases.len() < TOLD_MIN {
        return None;
    }
    let calendar = |case: &Observation| case.calendar.as_deref().and_then(|name| calendars.of(name));
    let spans: Vec<Span> = cases.iter().map(|case| Span { lasted: case.lasted(), ended: case.answered }).collect();
    let worked: Vec<Span> =
        cases.iter().map(|case| Span { lasted: case.worked(calendar(case)), ended: case.answered }).collect();
    let kept: Vec<bool> = cases.iter().filter_map(|case| case.kept()).collect();
    let arrived: Vec<bool> = cases.iter().filter_map(|case| case.kept_from_arrival()).collect();
    Some(Figures {
        cases: cases.len(),
        unanswered: cases.iter().filter(|case| !case.answered).count(),
        median: quantile(&spans, 0.5),
        ninety: quantile(&spans, 0.9),
        median_worked: quantile(&worked, 0.5),
        ninety_worked: quantile(&worked, 0.9),
        promised: kept.len(),
        kept: kept.iter().filter(|kept| **kept).count(),
        kept_from_arrival: (arrived.iter().filter(|kept| **kept).count(), arrived.len()),
        found_late: cases.iter().filter(|case| case.found_late).count(),
    })
}

/// What cases are grouped by. A person is none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The unit that answered.
    Unit,
    /// Where it was said.
    Channel,
    /// What it is about.
    Topic,
}

/// The cases in groups, in the order of the keys: never by who is quickest.
#[must_use]
pub fn groups(cases: &[&Observation], by: By, calendars: &Calendars) -> Vec<Group> {
    let mut sorted: BTreeMap<&str, Vec<&Observation>> = BTreeMap::new();
    for case in cases {
        let key = match by {
            By::Unit => &case.unit,
            By::Channel => &case.channel,
            By::Topic => &case.topic,
        };
        sorted.entry(key.as_str()).or_default().push(case);
    }
    sorted.into_iter().map(|(key, cases)| Group { key: key.to_owned(), figures: figures(&cases, calendars) }).collect()
}

/// A month in the plot: the half of the cases in the middle, and the median.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Month {
    /// Year and month, 1 to 12.
    pub month: (i16, i8),
    /// How many cases.
    pub cases: usize,
    /// A quarter was answered within this, then half, then three quarters; nothing when too few or unknown.
    pub quarters: Option<[i64; 3]>,
}

/// The cases by the month in which they started, calendar time.
#[must_use]
pub fn months(cases: &[&Observation]) -> Vec<Month> {
    let zone = crate::assignment::zone();
    let mut sorted: BTreeMap<(i16, i8), Vec<Span>> = BTreeMap::new();
    for case in cases {
        let date = zone.to_datetime(case.started_at.timestamp()).date();
        let span = Span { lasted: case.lasted(), ended: case.answered };
        sorted.entry((date.year(), date.month())).or_default().push(span);
    }
    sorted
        .into_iter()
        .map(|(month, spans)| {
            let told = spans.len() >= TOLD_MIN;
            let quarter = |share| quantile(&spans, share).filter(|_| told);
            let half = quarter(0.5);
            let quarters = quarter(0.25).zip(half).map(|(low, half)| [low, half, quarter(0.75).unwrap_or(half)]);
            Month { month, cases: spans.len(), quarters }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn span(lasted: i64, ended: bool) -> Span {
        Span { lasted, ended }
    }

    fn case(unit: &str, hours: i64, answered: bool) -> Observation {
        Observation {
            unit: unit.into(),
            channel: "rss".into(),
            topic: "va".into(),
            started_at: Time(0),
            until: Time(hours * HOUR),
            answered,
            due_at: Some(Time(4 * HOUR)),
            due_from_arrival_at: None,
            found_late: false,
            calendar: None,
        }
    }

    #[test]
    fn without_open_cases_the_median_is_the_plain_one() {
        let spans: Vec<Span> = [1, 2, 3, 4, 5].map(|n| span(n, true)).to_vec();
        assert_eq!(quantile(&spans, 0.5), Some(3));
        assert_eq!(quantile(&spans, 0.9), Some(5));
    }

    #[test]
    fn an_open_case_pulls_the_median_up_instead_of_vanishing() {
        let answered = [span(1, true), span(2, true), span(3, true)];
        assert_eq!(quantile(&answered, 0.5), Some(2));
        let with_open = [span(1, true), span(2, true), span(3, true), span(10, false), span(10, false)];
        assert_eq!(quantile(&with_open, 0.5), Some(3));
    }

    #[test]
    fn a_textbook_example_comes_out_as_in_the_textbook() {
        // Freireich 1963, 6-MP arm: median remission 23 weeks with 12 of 21 censored.
        let ended = [6, 6, 6, 7, 10, 13, 16, 22, 23];
        let open = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35];
        let spans: Vec<Span> =
            ended.iter().map(|n| span(*n, true)).chain(open.iter().map(|n| span(*n, false))).collect();
        assert_eq!(quantile(&spans, 0.5), Some(23));
        assert_eq!(quantile(&spans, 0.9), None);
    }

    #[test]
    fn when_most_wait_the_median_is_not_known() {
        let spans = [span(1, true), span(50, false), span(50, false), span(50, false)];
        assert_eq!(quantile(&spans, 0.5), None);
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn one_solved_case_in_four_minutes_does_not_top_the_table() {
        let mut cases: Vec<Observation> = (0..6).map(|n| case("va", 2 + n, true)).collect();
        cases.push(Observation { until: Time(240_000), ..case("kansli", 0, true) });
        let cases: Vec<&Observation> = cases.iter().collect();
        let table = groups(&cases, By::Unit, &Calendars::default());
        let [kansli, va] = table.as_slice() else { panic!("two units") };
        assert_eq!((kansli.key.as_str(), kansli.figures.is_none()), ("kansli", true));
        assert_eq!(va.figures.as_ref().unwrap().cases, 6);
    }

    #[test]
    fn unanswered_cases_stay_in_the_base() {
        let cases: Vec<Observation> =
            (0..5).map(|n| case("va", n, true)).chain([case("va", 90, false), case("va", 3, false)]).collect();
        let cases: Vec<&Observation> = cases.iter().collect();
        let told = figures(&cases, &Calendars::default()).unwrap();
        assert_eq!((told.cases, told.unanswered), (7, 2));
        // Five kept, one broken, one not yet put to the test.
        assert_eq!((told.promised, told.kept), (6, 5));
    }

    #[test]
    fn working_time_leaves_the_night_out() {
        let mut calendars = Calendars::default();
        calendars.insert(Calendar::weekdays("kontor", &[(8 * 60, 16 * 60)]));
        let start = Time::parse("2026-11-23T15:00:00+01:00").unwrap();
        let cases: Vec<Observation> = (0..5)
            .map(|_| Observation {
                started_at: start,
                until: Time::parse("2026-11-24T09:00:00+01:00").unwrap(),
                calendar: Some("kontor".into()),
                ..case("va", 0, true)
            })
            .collect();
        let cases: Vec<&Observation> = cases.iter().collect();
        let told = figures(&cases, &calendars).unwrap();
        assert_eq!(told.median, Some(18 * HOUR));
        assert_eq!(told.median_worked, Some(2 * HOUR));
    }

    #[test]
    fn a_month_with_four_cases_is_a_hole_in_the_plot() {
        let few: Vec<Observation> = (0..4).map(|n| case("va", n, true)).collect();
        let months = months(&few.iter().collect::<Vec<_>>());
        assert_eq!(months.first().map(|month| (month.cases, month.quarters)), Some((4, None)));
    }
}
