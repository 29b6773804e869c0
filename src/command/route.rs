//! `lyhord route "text"`: who would get this, due when, and why, before anything happens.

use std::path::Path;
use std::process::ExitCode;

use super::Place;
use crate::app::ask::ask;
use crate::app::office::Office;
use crate::clock::Time;
use crate::config::Config;
use crate::db::Db;
use crate::{app, config_or_leave};

/// Prints the answer.
///
/// # Errors
/// When the judge cannot be made.
pub async fn run(place: &Place, text: &str, channel: &str, explain: bool) -> anyhow::Result<ExitCode> {
    let config = config_or_leave!(place);
    let now = place.clock.now();
    let (watch, judge) = (app::watch(&config), app::judge(&config)?);
    let known = office(&config, now).await;
    let told = ask(&config, &watch, &judge, (text, channel), &known.clone().unwrap_or_default(), now);
    println!("{}", told.unit);
    println!("Första svar senast {}, klart senast {}.", told.first_by, told.whole_by);
    println!("{}", told.because);
    println!("{}", told.owner);
    if known.is_none() {
        println!("Frånvaro och belastning är inte kända: databasen finns inte eller går inte att öppna.");
    }
    if explain {
        println!("\n{}", told.explained);
        println!("Bedömning: {}", told.judged);
        for reason in &told.reasons {
            println!("  {reason}");
        }
        if !told.becomes_case {
            println!("Det skulle inte bli något ärende: ingen väntar på svar, eller det handlar inte om kommunen.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Who is away and how much everybody has, when there is a database to ask; none is made for the question.
async fn office(config: &Config, now: Time) -> Option<Office> {
    let file = config.database.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path));
    if file.is_some_and(|file| !Path::new(file).is_file()) {
        return None;
    }
    let db = Db::open(&config.database, config.connections).await.ok()?;
    let mut tx = db.read().await.ok()?;
    let known = Office::load(&mut tx, now).await.ok();
    drop(tx);
    db.close().await;
    known
}
