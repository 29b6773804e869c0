//! `lyhord due`: when something is due by a calendar, and how that came about.

use std::process::ExitCode;

use anyhow::Context;

use super::Place;
use crate::calendar::due::open_hours;
use crate::calendar::stockholm;
use crate::calendar::words::parse_moment;
use crate::config_or_leave;
use crate::settings::nearest;

/// Prints the due time.
///
/// # Errors
/// When the time or the calendar is not understood.
pub fn run(
    place: &Place,
    from: &str,
    hours: Option<f64>,
    working_days: Option<u16>,
    calendar: &str,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let config = config_or_leave!(place);
    let from = parse_moment(from, &stockholm()).with_context(|| {
        format!("--from `{from}`: expected a time as 2026-11-23T15:00:00+01:00 or 2026-11-23 15:00")
    })?;
    let Some(found) = config.calendars.get(calendar) else {
        let names = config.calendars.names();
        let near = nearest(calendar, &names).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
        anyhow::bail!("--calendar `{calendar}`: expected one of {}{near}", names.join(", "));
    };
    let due = match (hours, working_days) {
        (Some(hours), _) => {
            let open = open_hours(hours).with_context(|| format!("--hours `{hours}`: expected hours as 2 or 1.5"))?;
            found.due_after_hours(from, open)?
        }
        (None, Some(0) | None) => anyhow::bail!("--working-days: expected 1 or more"),
        (None, Some(days)) => found.due_after_working_days(from, days)?,
    };
    println!("{}", if json { due.json(found.zone()).to_string() } else { due.text(found.zone()) });
    Ok(ExitCode::SUCCESS)
}
