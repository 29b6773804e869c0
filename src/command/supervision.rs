//! `lyhord supervision`: from when to when each source was read, and where there was a gap, as lines for a spreadsheet.

use std::process::ExitCode;
use std::time::Duration;

use super::Place;
use crate::config_or_leave;
use crate::db::Db;
use crate::source::supervision::{self, Line};
use crate::web::supervision::log;

/// Prints the log of the last days.
///
/// # Errors
/// When the database does not answer.
pub async fn run(place: &Place, days: u32) -> anyhow::Result<ExitCode> {
    let config = config_or_leave!(place);
    let now = place.clock.now();
    let db = Db::open(&config.database, config.connections).await?;
    let mut tx = db.read().await?;
    let log = log(&mut tx, now.minus(Duration::from_secs(u64::from(days) * 86_400)), now).await?;
    drop(tx);
    db.close().await;
    let lines = log.iter().flat_map(|(source, spans)| {
        spans.iter().map(|span| Line { source: &source.name, channel: &source.channel, span: *span })
    });
    print!("{}", supervision::csv(&lines.collect::<Vec<_>>()));
    Ok(ExitCode::SUCCESS)
}
