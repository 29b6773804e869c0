//! `lyhord route "text"`: who would get this, due when, and why, before anything happens.

use std::process::ExitCode;

use super::Place;
use crate::assignment::Matter;
use crate::calendar::stockholm;
use crate::calendar::words::moment_text;
use crate::case::{Asked, promise};
use crate::classification::{Classifier, Subject};
use crate::mention::Heard;
use crate::{app, config_or_leave};

/// Prints the answer.
///
/// # Errors
/// When the judge cannot be made.
pub fn run(place: &Place, text: &str, channel: &str, explain: bool) -> anyhow::Result<ExitCode> {
    let config = config_or_leave!(place);
    let now = place.clock.now();
    let watch = app::watch(&config);
    let hearing = watch.hear(&Heard { text, channel, ..Heard::default() });
    let subject = Subject { text, channel, heard: Some(hearing.relevance), ..Subject::default() };
    let verdict = app::judge(&config)?.classify(&subject);
    let place = hearing.places.first().map(String::as_str).unwrap_or_default();
    let matter = Matter {
        topic: &verdict.topic,
        intent: verdict.intent,
        also: verdict.also,
        urgency: verdict.urgency,
        place,
        channel,
        flags: &verdict.flags,
        text,
        ..Matter::default()
    };
    let route = config.organisation.route(&matter, now);
    let calendar = app::calendar_of_unit(&config, &route.unit);
    let asked =
        Asked { intent: verdict.intent, urgency: verdict.urgency, arrived_at: now, found_at: now, deadline_at: None };
    let promises = promise(&asked, &calendar, &config.response_times);
    let zone = stockholm();
    println!("{}", config.organisation.name_of_unit(&route.unit));
    println!(
        "Första svar senast {}, klart senast {}.",
        moment_text(promises.first_response.due_at, &zone),
        moment_text(promises.resolution.due_at, &zone)
    );
    println!("{}", route.because);
    if explain {
        println!("\nVägen: {}", route.path.join(" › "));
        println!("{}", config.organisation.explain(&route));
        println!(
            "Bedömning: {}, {}, {}, brådska {}",
            verdict.topic,
            verdict.intent.swedish(),
            verdict.sentiment.swedish(),
            verdict.urgency.swedish()
        );
        for reason in verdict.because.iter().chain(&hearing.because).chain(&promises.first_response.because) {
            println!("  {reason}");
        }
    }
    Ok(ExitCode::SUCCESS)
}
