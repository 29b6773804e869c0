//! How soon we promise to answer: by what the writer wants and how urgent it is, never by channel (policy A29).
//!
//! ```toml
//! [response_times]
//! name = "2026-11"                        # a promise keeps the name, and a fingerprint of the rules
//! guideline = "antagande tills riktlinjen är beslutad"
//! late_first_response = "12:00"           # what came after closing is answered by this time the next working day
//! discovered_late_after_min = 30          # open minutes from writing to finding after which it is "discovered late"
//!
//! [[response_times.rule]]
//! intent = "fraga"                        # left out: every intent
//! urgency = "normal"                      # left out: every urgency
//! first_response = "1 arbetsdag"          # "30 min", "4 h", "2 arbetsdagar", "samma dag"
//! resolution = "2 arbetsdagar"
//! hours = "office"                        # "office": the unit's calendar; "always": round the clock
//! guideline = "riktlinje för synpunktshantering KS2009, 3 kap."
//! ```
//!
//! A rule that names both intent and urgency decides alone. Otherwise the strictest of those that match does.

use std::time::Duration;

use crate::calendar::{fingerprint, hours};
use crate::classification::{Intent, Urgency};
use crate::settings::{Located, Section};

/// How long a promise may be: a year of working days. More is no promise.
const WORKING_DAYS_MAX: u16 = 250;

/// The longest promise in open minutes: the same year, in days of eight hours.
const OPEN_MIN_MAX: u32 = 250 * 8 * 60;

/// More rules than every intent at every urgency, with every one overlaid once, have no meaning.
const RULES_MAX: usize = 100;

/// How long a promise runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Term {
    /// Open minutes.
    Open(u32),
    /// Working days that keep the clock time.
    WorkingDays(u16),
    /// To the end of the working day.
    SameDay,
}

impl Term {
    /// Reads `30 min`, `4 h`, `2 arbetsdagar` or `samma dag`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if matches!(text, "samma dag" | "samma arbetsdag") {
            return Some(Self::SameDay);
        }
        let (count, unit) = text.split_once(' ')?;
        let count: u16 = count.parse().ok().filter(|count| *count > 0)?;
        let open = |minutes: u32| (minutes <= OPEN_MIN_MAX).then_some(Self::Open(minutes));
        match unit.trim() {
            "min" | "minuter" => open(u32::from(count)),
            "h" | "timme" | "timmar" => open(u32::from(count) * 60),
            "arbetsdag" | "arbetsdagar" => (count <= WORKING_DAYS_MAX).then_some(Self::WorkingDays(count)),
            _ => None,
        }
    }

    /// As a person reads it: "2 arbetsdagar".
    #[must_use]
    pub fn swedish(self) -> String {
        match self {
            Self::Open(minutes) => {
                format!("{} öppen tid", crate::calendar::words::span_text(Duration::from_mins(u64::from(minutes))))
            }
            Self::WorkingDays(1) => "1 arbetsdag".to_owned(),
            Self::WorkingDays(days) => format!("{days} arbetsdagar"),
            Self::SameDay => "samma arbetsdag".to_owned(),
        }
    }
}

/// By whose hours a promise is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The calendar of the unit that has the case.
    Office,
    /// Round the clock: danger does not keep office hours.
    Always,
}

/// One line of the promise.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rule {
    /// For this intent, or for every one.
    pub intent: Option<Intent>,
    /// For this urgency, or for every one.
    pub urgency: Option<Urgency>,
    /// Until a person has answered at all.
    pub first_response: Term,
    /// Until the matter has an answer, a contact or a decision.
    pub resolution: Term,
    /// By whose hours.
    pub by: By,
    /// Where it is decided, or that it is not decided yet.
    pub guideline: String,
}

impl Rule {
    fn matches(&self, intent: Intent, urgency: Urgency) -> bool {
        self.intent.is_none_or(|of| of == intent) && self.urgency.is_none_or(|of| of == urgency)
    }
}

/// All that the municipality promises, with a version.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ResponseTimes {
    /// The municipality's own name for this set.
    pub name: String,
    /// Minute of the day by which what came after closing has a first response.
    pub late_first_response_min: u16,
    /// Open minutes between writing and finding after which a mention was discovered late.
    pub discovered_late_after_min: u32,
    /// The rules, as they are written.
    pub rules: Vec<Rule>,
}

/// Said of every number that no decided guideline stands behind.
const ASSUMED: &str = "antagande tills riktlinjen är beslutad";

impl Default for ResponseTimes {
    /// The proposal of the two-clock model: a first response within 24 hours of working days, a resolution by intent.
    fn default() -> Self {
        let rule = |intent, urgency, first: &str, resolution: &str, by| Rule {
            intent,
            urgency,
            first_response: Term::parse(first).unwrap_or(Term::SameDay),
            resolution: Term::parse(resolution).unwrap_or(Term::SameDay),
            by,
            guideline: ASSUMED.to_owned(),
        };
        let of = |intent, first, resolution| rule(Some(intent), None, first, resolution, By::Office);
        let rules = vec![
            rule(None, None, "1 arbetsdag", "10 arbetsdagar", By::Office),
            of(Intent::Question, "1 arbetsdag", "2 arbetsdagar"),
            of(Intent::FaultReport, "1 arbetsdag", "1 arbetsdag"),
            of(Intent::Complaint, "1 arbetsdag", "10 arbetsdagar"),
            of(Intent::Suggestion, "1 arbetsdag", "10 arbetsdagar"),
            of(Intent::Praise, "1 arbetsdag", "5 arbetsdagar"),
            of(Intent::Information, "1 arbetsdag", "5 arbetsdagar"),
            of(Intent::Media, "4 h", "4 h"),
            of(Intent::Rumour, "4 h", "4 h"),
            of(Intent::Document, "samma dag", "samma dag"),
            rule(Some(Intent::Threat), None, "30 min", "4 h", By::Always),
            rule(None, Some(Urgency::High), "samma dag", "1 arbetsdag", By::Office),
            rule(None, Some(Urgency::Acute), "30 min", "4 h", By::Always),
        ];
        Self { name: "förslag".to_owned(), late_first_response_min: 12 * 60, discovered_late_after_min: 30, rules }
    }
}

impl ResponseTimes {
    /// Reads `[response_times]`. Without a single rule the proposal's rules hold; faults are written down in the
    /// section's problems.
    #[must_use]
    pub fn read(section: &Section) -> Self {
        let base = Self::default();
        let guideline = section.text_or("guideline", ASSUMED);
        let written = section.sections("rule");
        if written.len() > RULES_MAX {
            section.place_of("rule").report(format!("more than {RULES_MAX} rules"));
        }
        let read = |inner: &Section| read_rule(inner, &guideline);
        let rules: Vec<Rule> = written.iter().take(RULES_MAX).filter_map(read).collect();
        if !written.is_empty() && !rules.iter().any(|rule| rule.intent.is_none() && rule.urgency.is_none()) {
            section
                .place_of("rule")
                .report("no rule holds for every intent and urgency: some cases would have no promise");
        }
        let late = section.located_optional("late_first_response").and_then(|found| {
            hours::minute(&found.text)
                .map_err(|_| found.place.report(format!("`{}` is no time as \"12:00\"", found.text)))
                .ok()
        });
        let lag = section.integer_or("discovered_late_after_min", 0..=1_440, i64::from(base.discovered_late_after_min));
        Self {
            name: section.text_or("name", &base.name),
            late_first_response_min: late.unwrap_or(base.late_first_response_min),
            discovered_late_after_min: u32::try_from(lag).unwrap_or(base.discovered_late_after_min),
            rules: if written.is_empty() { base.rules } else { rules },
        }
    }

    /// The name and a fingerprint of the rules, so that rules changed under an old name are seen to be others.
    #[must_use]
    pub fn version(&self) -> String {
        format!("{}@{}", self.name, fingerprint(self))
    }

    /// The rules that a case is measured by: the exact one alone, or all that match, of which the strictest decides.
    #[must_use]
    pub fn lanes(&self, intent: Intent, urgency: Urgency) -> Vec<&Rule> {
        let matching = || self.rules.iter().filter(|rule| rule.matches(intent, urgency));
        if let Some(exact) = matching().find(|rule| rule.intent.is_some() && rule.urgency.is_some()) {
            return vec![exact];
        }
        let named: Vec<&Rule> = matching().filter(|rule| rule.intent.is_some() || rule.urgency.is_some()).collect();
        if named.is_empty() { matching().take(1).collect() } else { named }
    }

    /// The rules whose numbers nobody has decided: what a report must say (policy A30).
    #[must_use]
    pub fn assumed(&self) -> Vec<&Rule> {
        self.rules.iter().filter(|rule| rule.guideline == ASSUMED).collect()
    }
}

fn read_rule(section: &Section, guideline: &str) -> Option<Rule> {
    let intents: Vec<&str> = Intent::ALL.iter().map(|intent| intent.slug()).collect();
    let urgencies: Vec<&str> = Urgency::ALL.iter().map(|urgency| urgency.slug()).collect();
    let intent = known(section, "intent", &intents, Intent::from_slug);
    let urgency = known(section, "urgency", &urgencies, Urgency::from_slug);
    let first_response = section.located("first_response").and_then(|found| term(&found));
    let resolution = section.located("resolution").and_then(|found| term(&found));
    let by = if section.choice("hours", &["office", "always"]) == "always" { By::Always } else { By::Office };
    let guideline = section.text_or("guideline", guideline);
    Some(Rule {
        intent: intent.ok()?,
        urgency: urgency.ok()?,
        first_response: first_response?,
        resolution: resolution?,
        by,
        guideline,
    })
}

/// A slug when it is there; `Err` when it is there and unknown, which is reported: a rule must not become wider
/// than it was meant.
fn known<T>(section: &Section, key: &str, slugs: &[&str], read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, ()> {
    let Some(found) = section.located_optional(key) else { return if section.has(key) { Err(()) } else { Ok(None) } };
    let value = read(&found.text);
    if value.is_none() {
        found.place.report_unknown(&format!("`{key}`"), &found.text, slugs);
    }
    value.map(Some).ok_or(())
}

fn term(found: &Located) -> Option<Term> {
    let term = Term::parse(&found.text);
    if term.is_none() {
        found.place.report(format!(
            "`{}` is no response time, as \"30 min\", \"4 h\", \"2 arbetsdagar\" or \"samma dag\"",
            found.text
        ));
    }
    term
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Problems, read};

    fn times(text: &str) -> (ResponseTimes, Vec<String>) {
        let problems = Problems::default();
        let root = read("organisation.toml", text, &problems);
        let times = root.section("response_times").map(|section| ResponseTimes::read(&section)).unwrap_or_default();
        drop(root);
        (times, problems.sorted().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_term_is_read_as_it_is_written() {
        assert_eq!(Term::parse("30 min"), Some(Term::Open(30)));
        assert_eq!(Term::parse("4 h"), Some(Term::Open(240)));
        assert_eq!(Term::parse("1 arbetsdag"), Some(Term::WorkingDays(1)));
        assert_eq!(Term::parse("samma dag"), Some(Term::SameDay));
        for text in ["", "4", "0 h", "-1 h", "4h", "4 veckor", "9999 arbetsdagar", "99999 h"] {
            assert_eq!(Term::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_default_is_the_proposal_and_says_that_it_is_assumed() {
        let times = ResponseTimes::default();
        assert_eq!(times.assumed().len(), times.rules.len());
        for intent in Intent::ALL {
            for urgency in Urgency::ALL {
                assert!(!times.lanes(*intent, *urgency).is_empty(), "{intent:?} {urgency:?}");
            }
        }
        let question: Vec<Term> = times.lanes(Intent::Question, Urgency::Normal).iter().map(|r| r.resolution).collect();
        assert_eq!(question, [Term::WorkingDays(2)]);
    }

    #[test]
    fn the_exact_rule_decides_alone() {
        let (times, faults) = times(
            "[response_times]\nname = \"1\"\n\
             [[response_times.rule]]\nfirst_response = \"1 arbetsdag\"\nresolution = \"5 arbetsdagar\"\n\
             [[response_times.rule]]\nurgency = \"hog\"\nfirst_response = \"samma dag\"\nresolution = \"samma dag\"\n\
             [[response_times.rule]]\nintent = \"berom\"\nurgency = \"hog\"\nfirst_response = \"2 arbetsdagar\"\nresolution = \"5 arbetsdagar\"\nguideline = \"KS 2026:1\"\n",
        );
        assert_eq!(faults, Vec::<String>::new());
        let lanes = times.lanes(Intent::Praise, Urgency::High);
        assert_eq!(lanes.iter().map(|rule| rule.first_response).collect::<Vec<_>>(), [Term::WorkingDays(2)]);
        assert_eq!(times.lanes(Intent::Question, Urgency::High).len(), 1);
        assert_eq!(times.assumed().len(), 2, "the third has a guideline");
    }

    #[test]
    fn faults_are_said_and_a_faulty_rule_does_not_hold_for_more_than_it_meant() {
        let (times, faults) = times(
            "[response_times]\n[[response_times.rule]]\nintent = \"frga\"\nfirst_response = \"snart\"\nresolution = \"1 arbetsdag\"\n",
        );
        assert!(times.rules.is_empty());
        insta::assert_snapshot!(faults.join("\n"), @r#"
        organisation.toml:2: no rule holds for every intent and urgency: some cases would have no promise
        organisation.toml:3: `intent` `frga`, expected one of fraga, felanmalan, klagomal, synpunkt-forslag, berom, media, hot-hat, rykte, begaran-handling, information; did you mean `fraga`?
        organisation.toml:4: `snart` is no response time, as "30 min", "4 h", "2 arbetsdagar" or "samma dag"
        "#);
    }
}
