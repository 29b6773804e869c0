//! `lyhord remind --dry-run`: who would be told what, and why the others are held. Sends and writes nothing, makes no
//! database and changes no schema.

use std::process::ExitCode;

use anyhow::Context;

use super::Place;
use crate::app::take_in_decisions;
use crate::calendar::stockholm;
use crate::clock::Time;
use crate::db::Db;
use crate::id::CaseId;
use crate::jobs::remind_staff::{Known, decide_all};
use crate::reminder::Decision;
use crate::{case, config_or_leave};

/// How many cases are looked at in one question; the next one goes on after the last of them.
const AT_A_TIME: i64 = 500;

/// Prints a line a case, all of them, what is due first first.
///
/// # Errors
/// When the time is not understood, or the database does not answer or is another version's.
pub async fn run(place: &Place, at: Option<&str>) -> anyhow::Result<ExitCode> {
    let mut config = config_or_leave!(place);
    let now = match at {
        None => place.clock.now(),
        Some(text) => {
            Time::parse(text).with_context(|| format!("--at `{text}`: expected a time as 2026-11-23T15:00:00+01:00"))?
        }
    };
    let db = Db::open_as_is(&config.database, config.connections).await?;
    let mut tx = db.read().await?;
    take_in_decisions(&mut tx, &mut config).await?;
    let mut after = (Time(i64::MIN), CaseId(0));
    let mut none = true;
    loop {
        let cases = case::list_store::waiting(&mut tx, after, AT_A_TIME).await?;
        let Some(last) = cases.last() else { break };
        after = (last.due_at.unwrap_or(after.0), last.id);
        none = false;
        let known = Known::load(&mut tx, &cases, now).await?;
        for row in &cases {
            let (said, look) = decide_all(&config, row, &known, now);
            for one in &said {
                let name = config.organisation.name_of_staff(&one.to);
                let breaks = if one.breaks { " (akut, bryter tystnaden)" } else { "" };
                println!("Ärende {}: {name} får veta: {}{breaks}", row.id, one.stage.swedish());
            }
            if let Decision::Hold { reason, until } = &look.decision {
                println!("Ärende {}: {}", row.id, reason.swedish(*until, now, &stockholm()));
            }
        }
    }
    if none {
        println!("Inget ärende väntar.");
    }
    Ok(ExitCode::SUCCESS)
}
