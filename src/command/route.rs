//! `lyhord route "text"`: who would get this, due when, and why, before anything happens.

use std::process::ExitCode;

use super::Place;
use crate::app::ask::ask;
use crate::assignment::choose::Desk;
use crate::{app, config_or_leave};

/// Prints the answer.
///
/// # Errors
/// When the judge cannot be made.
pub fn run(place: &Place, text: &str, channel: &str, explain: bool) -> anyhow::Result<ExitCode> {
    let config = config_or_leave!(place);
    let now = place.clock.now();
    let (watch, judge) = (app::watch(&config), app::judge(&config)?);
    let told = ask(&config, &watch, &judge, (text, channel), &Desk::default(), now);
    println!("{}", told.unit);
    println!("Första svar senast {}, klart senast {}.", told.first_by, told.whole_by);
    println!("{}", told.because);
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
