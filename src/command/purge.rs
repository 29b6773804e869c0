//! `lyhord purge`: what decisions say may go, and an error for each class that has none.

use std::process::ExitCode;

use super::{FOUND_WRONG, Place};
use crate::app::App;
use crate::config_or_leave;
use crate::jobs::purge::{PurgeError, purge};

/// Purges every class of the configuration.
///
/// # Errors
/// When the database does not answer.
pub async fn run(place: &Place) -> anyhow::Result<ExitCode> {
    let app = App::open(config_or_leave!(place), place.clock.clone()).await?;
    let now = app.clock.now();
    let mut refused = app.config.retention.is_empty();
    if refused {
        eprintln!("no [[retention]] in lyhord.toml: nothing may be purged, nothing was purged");
    }
    for class in &app.config.retention {
        match purge(&app, class, now).await {
            Ok(gone) => {
                println!("{}: {gone} rader gallrade enligt {}", class.class, class.decision.as_deref().unwrap_or(""));
            }
            Err(fault @ PurgeError::NoDecision(_)) => {
                eprintln!("{fault}");
                refused = true;
            }
            Err(PurgeError::Database(fault)) => return Err(fault.into()),
        }
    }
    Ok(if refused { ExitCode::from(FOUND_WRONG) } else { ExitCode::SUCCESS })
}
