//! Uppsikt: from when to when each source was under our eyes, and where there was a gap (BBS-lagen, supervision to a
//! reasonable extent).

use std::fmt::Write as _;
use std::time::Duration;

use crate::calendar::stockholm;
use crate::clock::Time;

/// A stretch in which a source was read as often as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The first reading.
    pub from: Time,
    /// The last reading so far.
    pub until: Time,
    /// How many readings.
    pub readings: i64,
}

/// Whether a reading at `now` continues the stretch that ended at `until`. `planned` is when it should have come;
/// `failures` how many came to nothing in between: one that failed is a gap, because nobody saw.
#[must_use]
pub fn continues(until: Time, planned: Time, interval: Duration, failures: i64, now: Time) -> bool {
    failures == 0 && now <= planned.max(until.plus(interval)).plus(interval)
}

/// A time when a source was read, or was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// It was under our eyes.
    Read(Stretch),
    /// It was not.
    Gap {
        /// The last reading before.
        from: Time,
        /// The first reading after; now when there is none.
        until: Time,
    },
}

/// Stretches in order of time, with the gaps between them and up to `now`. The last stretch is still running while `now`
/// is no later than `running_until`.
#[must_use]
pub fn with_gaps(stretches: &[Stretch], running_until: Time, now: Time) -> Vec<Span> {
    let mut spans = Vec::with_capacity(stretches.len() * 2);
    let mut before: Option<Time> = None;
    for stretch in stretches {
        if let Some(from) = before.filter(|before| *before < stretch.from) {
            spans.push(Span::Gap { from, until: stretch.from });
        }
        spans.push(Span::Read(*stretch));
        before = Some(before.unwrap_or(stretch.until).max(stretch.until));
    }
    if let Some(from) = before.filter(|_| now > running_until) {
        spans.push(Span::Gap { from, until: now });
    }
    spans
}

/// A line of the export.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// The source's name.
    pub source: &'a str,
    /// Its channel.
    pub channel: &'a str,
    /// What is told.
    pub span: Span,
}

/// The log as a spreadsheet reads it: semicolons, local time to the second, one line a stretch or gap.
#[must_use]
pub fn csv(lines: &[Line<'_>]) -> String {
    let mut out = String::from("\u{feff}källa;kanal;läge;från;till;läsningar\r\n");
    for line in lines {
        let (what, from, until, readings) = match line.span {
            Span::Read(stretch) => ("läst", stretch.from, stretch.until, stretch.readings.to_string()),
            Span::Gap { from, until } => ("glapp", from, until, String::new()),
        };
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "{};{};{what};{};{};{readings}\r\n",
            field(line.source),
            field(line.channel),
            local(from),
            local(until)
        );
    }
    out
}

fn local(at: Time) -> String {
    at.zoned(&stockholm()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A field that a spreadsheet neither splits nor runs as a formula.
fn field(text: &str) -> String {
    let text: String = text.chars().filter(|letter| !letter.is_control()).collect();
    let text = if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text };
    if text.contains([';', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn t(minutes: i64) -> Time {
        Time(minutes * MINUTE)
    }

    #[test]
    fn a_reading_in_its_time_continues_and_one_after_failures_does_not() {
        let half_hour = Duration::from_mins(30);
        assert!(continues(t(0), t(30), half_hour, 0, t(31)));
        assert!(continues(t(0), t(30), half_hour, 0, t(60)));
        assert!(!continues(t(0), t(30), half_hour, 0, t(61)), "we slept");
        assert!(!continues(t(0), t(30), half_hour, 2, t(31)), "it did not answer in between");
        assert!(continues(t(0), t(24 * 60), half_hour, 0, t(24 * 60 + 5)), "it had asked us to come once a day");
    }

    #[test]
    fn what_lies_between_two_stretches_is_a_gap_and_so_is_what_has_not_come() {
        let stretch = |from, until| Stretch { from: t(from), until: t(until), readings: 3 };
        let spans = with_gaps(&[stretch(0, 60), stretch(200, 260)], t(300), t(290));
        assert_eq!(
            spans,
            [Span::Read(stretch(0, 60)), Span::Gap { from: t(60), until: t(200) }, Span::Read(stretch(200, 260))]
        );
        assert_eq!(with_gaps(&[stretch(0, 60)], t(90), t(400)).last(), Some(&Span::Gap { from: t(60), until: t(400) }));
        assert_eq!(with_gaps(&[], t(0), t(400)), []);
    }

    #[test]
    fn the_export_is_one_line_a_span_and_no_formula() {
        let read = Span::Read(Stretch {
            from: Time::parse("2026-11-23T08:00:00+01:00").unwrap(),
            until: Time::parse("2026-11-23T09:30:00+01:00").unwrap(),
            readings: 4,
        });
        let text = csv(&[Line { source: "=Nyheter; \"lokala\"", channel: "rss", span: read }]);
        assert_eq!(
            text,
            "\u{feff}källa;kanal;läge;från;till;läsningar\r\n\"'=Nyheter; \"\"lokala\"\"\";rss;läst;2026-11-23 08:00:00;2026-11-23 09:30:00;4\r\n"
        );
    }
}
