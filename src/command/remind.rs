//! `lyhord remind --dry-run`: who would be told what, and why the others are held. Sends and writes nothing.

use std::process::ExitCode;

use anyhow::Context;

use super::Place;
use crate::app::App;
use crate::calendar::stockholm;
use crate::clock::Time;
use crate::jobs::remind_staff::{Known, decide_all};
use crate::reminder::Decision;
use crate::{case, config_or_leave};

/// How many cases are looked at: more than a person reads.
const MOST: i64 = 500;

/// Prints a line a case.
///
/// # Errors
/// When the time is not understood or the database does not answer.
pub async fn run(place: &Place, at: Option<&str>) -> anyhow::Result<ExitCode> {
    let app = App::open(config_or_leave!(place), place.clock.clone()).await?;
    let now = match at {
        None => app.clock.now(),
        Some(text) => {
            Time::parse(text).with_context(|| format!("--at `{text}`: expected a time as 2026-11-23T15:00:00+01:00"))?
        }
    };
    let mut tx = app.db.read().await?;
    let cases = case::list_store::waiting(&mut tx, MOST).await?;
    let known = Known::load(&mut tx, &cases, now).await?;
    if cases.is_empty() {
        println!("Inget ärende väntar.");
    }
    for row in &cases {
        let (said, look) = decide_all(&app, row, &known, now);
        for one in &said {
            let name = app.config.organisation.name_of_staff(&one.to);
            let breaks = if one.breaks { " (akut, bryter tystnaden)" } else { "" };
            println!("Ärende {}: {name} får veta: {}{breaks}", row.id, one.stage.swedish());
        }
        if let Decision::Hold { reason, until } = &look.decision {
            println!("Ärende {}: {}", row.id, reason.swedish(*until, now, &stockholm()));
        }
    }
    Ok(ExitCode::SUCCESS)
}
