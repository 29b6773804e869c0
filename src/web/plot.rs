//! One plot: the first answer by month as a line with a band, drawn on the server. What it says stands in words too.

use super::words;
use crate::audit::kpi::Month;

/// The drawing's inner edges in a box of 720 by 200; it scales with the page.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 706.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 168.0;

/// Milliseconds of an hour.
const HOUR: i64 = 3_600_000;

/// A line across with its label.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) y: String,
    pub(super) text_y: String,
    pub(super) label: String,
}

/// A month under the plot.
#[derive(Debug)]
pub(super) struct Tick {
    pub(super) x: String,
    pub(super) label: &'static str,
}

/// A dot for a month that stands alone.
#[derive(Debug)]
pub(super) struct Dot {
    pub(super) x: String,
    pub(super) y: String,
}

/// A plot ready to be drawn.
#[derive(Debug)]
pub(super) struct Plot {
    pub(super) finding: String,
    pub(super) lines: Vec<String>,
    pub(super) bands: Vec<String>,
    pub(super) dots: Vec<Dot>,
    pub(super) rules: Vec<Rule>,
    pub(super) ticks: Vec<Tick>,
    pub(super) rows: Vec<(String, String, String, String)>,
}

/// The name of a month in three letters.
fn short(month: i8) -> &'static str {
    const NAMES: [&str; 12] = ["jan", "feb", "mar", "apr", "maj", "jun", "jul", "aug", "sep", "okt", "nov", "dec"];
    usize::try_from(month - 1).ok().and_then(|at| NAMES.get(at)).copied().unwrap_or("")
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds and counts far below 2^52")]
fn float(n: i64) -> f64 {
    n as f64
}

/// The plot of some months; nothing when fewer than two of them can be told.
pub(super) fn plot(months: &[Month]) -> Option<Plot> {
    let told: Vec<&Month> = months.iter().filter(|month| month.quarters.is_some()).collect();
    let (first, last) = (told.first()?, told.last()?);
    if told.len() < 2 {
        return None;
    }
    let top = told.iter().filter_map(|month| month.quarters.map(|[_, _, high]| high)).max()?;
    // Two even steps of whole hours, so that the lines across have plain names.
    let top = (top / (2 * HOUR) + 1) * 2 * HOUR;
    let steps = i64::try_from(months.len()).ok()?.saturating_sub(1).max(1);
    let x = |at: usize| LEFT + (RIGHT - LEFT) * float(i64::try_from(at).unwrap_or(0)) / float(steps);
    let y = |ms: i64| BOTTOM - (BOTTOM - TOP) * float(ms) / float(top);
    let (mut lines, mut bands, mut dots) = (Vec::new(), Vec::new(), Vec::new());
    // A month that is too small to be told breaks the line; what stands between is drawn as pieces.
    let mut piece: Vec<(f64, [f64; 3])> = Vec::new();
    let mut close = |piece: &mut Vec<(f64, [f64; 3])>| {
        if let [(x, [_, middle, _])] = piece.as_slice() {
            dots.push(Dot { x: format!("{x:.0}"), y: format!("{middle:.0}") });
        } else if piece.len() > 1 {
            let path = |points: &mut dyn Iterator<Item = (f64, f64)>| {
                points.map(|(x, y)| format!("{x:.0} {y:.0}")).collect::<Vec<_>>().join("L")
            };
            lines.push(format!("M{}", path(&mut piece.iter().map(|(x, [_, middle, _])| (*x, *middle)))));
            let over = path(&mut piece.iter().map(|(x, [_, _, high])| (*x, *high)));
            let under = path(&mut piece.iter().rev().map(|(x, [low, _, _])| (*x, *low)));
            bands.push(format!("M{over}L{under}Z"));
        }
        piece.clear();
    };
    for (at, month) in months.iter().enumerate() {
        match month.quarters {
            Some(quarters) => piece.push((x(at), quarters.map(y))),
            None => close(&mut piece),
        }
    }
    close(&mut piece);
    let rules = [0, 1, 2]
        .map(|part| top * part / 2)
        .map(|ms| Rule { y: format!("{:.0}", y(ms)), text_y: format!("{:.0}", y(ms) + 4.0), label: words::span(ms) })
        .into();
    let every = if months.len() > 14 { 3 } else { 1 };
    let ticks = months
        .iter()
        .enumerate()
        .filter(|(at, _)| at % every == 0)
        .map(|(at, month)| Tick { x: format!("{:.0}", x(at)), label: short(month.month.1) })
        .collect();
    let rows = months.iter().map(row).collect();
    Some(Plot { finding: finding(first, last), lines, bands, dots, rules, ticks, rows })
}

fn row(month: &Month) -> (String, String, String, String) {
    let name = format!("{} {}", short(month.month.1), month.month.0);
    match month.quarters {
        Some([low, middle, high]) => {
            let n = i64::try_from(month.cases).unwrap_or(i64::MAX);
            (name, words::number(n), words::span(middle), format!("{} till {}", words::span(low), words::span(high)))
        }
        None => (name, "för få eller okänt".to_owned(), "–".to_owned(), "–".to_owned()),
    }
}

fn finding(first: &Month, last: &Month) -> String {
    let middle = |month: &Month| month.quarters.map_or(0, |[_, middle, _]| middle);
    let (before, after) = (middle(first), middle(last));
    // A tenth up or down is called neither.
    let course = if after.saturating_mul(10) < before.saturating_mul(9) {
        "Sjunker"
    } else if after.saturating_mul(9) > before.saturating_mul(10) {
        "Stiger"
    } else {
        "Är ungefär densamma"
    };
    format!(
        "Median för första svar per månad. {course}: {} i {} och {} i {}.",
        words::span(before),
        short(first.month.1),
        words::span(after),
        short(last.month.1)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(at: i8, hours: Option<i64>) -> Month {
        Month { month: (2026, at), cases: 9, quarters: hours.map(|h| [h * HOUR / 2, h * HOUR, h * HOUR * 2]) }
    }

    #[test]
    fn the_plot_says_its_finding_in_words() {
        let plot = plot(&[month(1, Some(4)), month(2, Some(3)), month(3, Some(2))]).unwrap();
        assert_eq!(plot.finding, "Median för första svar per månad. Sjunker: 4 tim i jan och 2 tim i mar.");
        assert_eq!((plot.lines.len(), plot.rows.len()), (1, 3));
    }

    #[test]
    fn a_month_that_is_not_told_breaks_the_line() {
        let plot = plot(&[month(1, Some(4)), month(2, Some(4)), month(3, None), month(4, Some(4))]).unwrap();
        assert_eq!((plot.lines.len(), plot.dots.len()), (1, 1));
        assert!(plot.lines.iter().all(|line| line.chars().all(|c| "ML 0123456789.-".contains(c))));
    }

    #[test]
    fn one_month_is_no_course() {
        assert!(plot(&[month(1, Some(4))]).is_none());
        assert!(plot(&[]).is_none());
    }
}
