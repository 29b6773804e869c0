//! `lyhord journal verify`: whether the chain holds, and where it breaks.

use std::process::ExitCode;

use super::{FOUND_WRONG, Place};
use crate::config_or_leave;
use crate::db::Db;
use crate::journal::{self, Verdict};

/// Walks along the chain.
///
/// # Errors
/// When the database does not answer.
pub async fn verify(place: &Place) -> anyhow::Result<ExitCode> {
    let config = config_or_leave!(place);
    let db = Db::open(&config.database, config.connections).await?;
    let mut tx = db.read().await?;
    Ok(match journal::verify(&mut tx).await? {
        Verdict::Whole { entries } => {
            println!("Kedjan håller: {entries} rader.");
            ExitCode::SUCCESS
        }
        Verdict::Broken { seq, why } => {
            println!("Kedjan bryts vid rad {seq}: {why}.");
            ExitCode::from(FOUND_WRONG)
        }
    })
}
