//! "Vem får det?": what would happen to a text, before anything happens. The page and `lyhord route` ask here, so that
//! what they say and what the jobs do come from the same decisions.

use super::calendar_of_unit;
use super::office::Office;
use crate::assignment::{Matter, Route};
use crate::calendar::stockholm;
use crate::calendar::words::moment_text;
use crate::case::opening::is_protected;
use crate::case::{Asked, Author, opening, promise};
use crate::classification::{Classifier, Subject};
use crate::clock::Time;
use crate::config::Config;
use crate::mention::Heard;
use crate::mention::watch::Watch;

/// What would happen to a text, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foretold {
    /// True when it would become a case.
    pub becomes_case: bool,
    /// Name of the unit.
    pub unit: String,
    /// Who in it, and why.
    pub owner: String,
    /// By when there must be a first answer.
    pub first_by: String,
    /// By when there must be a whole one.
    pub whole_by: String,
    /// Why it goes there, in one sentence.
    pub because: String,
    /// The way down the tree, the chain, the checklist, bodies outside.
    pub explained: String,
    /// What the judge thinks it is.
    pub judged: String,
    /// The reasons, one a line.
    pub reasons: Vec<String>,
}

/// Asks what would happen to a text now. `office` says who is away, how much everybody has and where something waits.
#[must_use]
pub fn ask(
    config: &Config,
    watch: &Watch,
    judge: &dyn Classifier,
    (text, channel): (&str, &str),
    office: &Office,
    now: Time,
) -> Foretold {
    let hearing = watch.hear(&Heard { text, channel, ..Heard::default() });
    let subject = Subject { text, channel, heard: Some(hearing.relevance), ..Subject::default() };
    let verdict = judge.classify(&subject);
    let place = hearing.places.first().map(String::as_str).unwrap_or_default();
    let matter = Matter {
        topic: &verdict.topic,
        intent: verdict.intent,
        also: verdict.also,
        urgency: verdict.urgency,
        place,
        channel,
        protected: is_protected(&verdict),
        flags: &verdict.flags,
        text,
        ..Matter::default()
    };
    let give = |route: &Route| office.give(config, route, verdict.urgency, now);
    let answer = config.organisation.answer(&matter, give, office.absences(), now);
    let calendar = calendar_of_unit(config, &answer.route.unit);
    let asked =
        Asked { intent: verdict.intent, urgency: verdict.urgency, arrived_at: now, found_at: now, deadline_at: None };
    let promises = promise(&asked, &calendar, &config.response_times);
    let zone = stockholm();
    let reasons = verdict.because.iter().chain(&hearing.because).chain(&promises.first_response.because);
    Foretold {
        becomes_case: opening(&verdict, Author::Somebody, &config.other_topics).opens(),
        unit: config.organisation.name_of_unit(&answer.route.unit).to_owned(),
        owner: answer.choice.because.clone(),
        first_by: moment_text(promises.first_response.due_at, &zone),
        whole_by: moment_text(promises.resolution.due_at, &zone),
        because: answer.route.because.clone(),
        explained: config.organisation.explain_answer(&answer),
        judged: format!(
            "{}, {}, {}, brådska {}",
            config.organisation.topic(&verdict.topic).map_or(verdict.topic.as_str(), |topic| topic.name.as_str()),
            verdict.intent.swedish().to_lowercase(),
            verdict.sentiment.swedish().to_lowercase(),
            verdict.urgency.swedish().to_lowercase()
        ),
        reasons: reasons.cloned().collect(),
    }
}
