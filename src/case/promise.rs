//! Two promises for each case: a first response and a resolution, by intent and urgency, never by channel.

use std::time::Duration;

use super::response_times::{By, ResponseTimes, Rule, Term};
use crate::calendar::words::{date_text, moment_text, span_text};
use crate::calendar::{Calendar, Due, NeverOpens, hours};
use crate::classification::{Intent, Urgency};
use crate::clock::Time;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PromiseKind {
    /// Until a person has answered at all.
    FirstResponse,
    /// Until the matter has an answer, a contact or a decision.
    Resolution,
}

impl PromiseKind {
    /// Both, in the order in which they are kept.
    pub const ALL: [Self; 2] = [Self::FirstResponse, Self::Resolution];

    /// The slug in the database and in JSON.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::FirstResponse => "first-response",
            Self::Resolution => "resolution",
        }
    }

    /// What a person reads.
    #[must_use]
    pub fn swedish(self) -> &'static str {
        match self {
            Self::FirstResponse => "Första svar",
            Self::Resolution => "Klart svar",
        }
    }

    /// Reads a slug.
    #[must_use]
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.slug() == slug)
    }

    fn term(self, rule: &Rule) -> Term {
        match self {
            Self::FirstResponse => rule.first_response,
            Self::Resolution => rule.resolution,
        }
    }
}

/// What a promise is made about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// What the writer wants.
    pub intent: Intent,
    /// How soon somebody must look.
    pub urgency: Urgency,
    /// When it was written, by the channel's clock.
    pub arrived_at: Time,
    /// When we found it: `now` when the case is opened.
    pub found_at: Time,
    /// The journalist's own deadline, when one was given: a promise is never later.
    pub deadline_at: Option<Time>,
}

/// A promise with its reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// When it must be kept. Counted from when it was found if that was late, so that nobody is blamed for a lag.
    pub due_at: Time,
    /// When it would have to be kept counted from when it was written: what the citizen lives through.
    pub due_from_arrival_at: Time,
    /// Open time that passed between writing and finding, when it was so long that the promise runs from finding.
    pub discovered_late: Option<Duration>,
    /// Version of the calendar it was counted by: the unit's, or round the clock. What is paused runs on by the same.
    pub calendar_version: String,
    /// Where it is decided, or that it is not decided yet.
    pub guideline: String,
    /// How it came about, in Swedish, one step a line.
    pub because: Vec<String>,
}

/// Both promises and what they were made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promises {
    /// Until a person has answered at all.
    pub first_response: Promise,
    /// Until the matter has an answer, a contact or a decision; never before the first response.
    pub resolution: Promise,
    /// Version of the response times.
    pub policy_version: String,
}

impl Promise {
    /// "Upptäckt sent (3 timmar öppen tid)" for a list; nothing when it was found in time.
    #[must_use]
    pub fn late_text(&self) -> Option<String> {
        self.discovered_late.map(|lag| format!("Upptäckt sent ({} öppen tid)", span_text(lag)))
    }
}

impl Promises {
    /// One of the two.
    #[must_use]
    pub fn of(&self, kind: PromiseKind) -> &Promise {
        match kind {
            PromiseKind::FirstResponse => &self.first_response,
            PromiseKind::Resolution => &self.resolution,
        }
    }
}

/// The two promises for a case. The channel is not among the arguments, so it cannot matter.
#[must_use]
pub fn promise(asked: &Asked, calendar: &Calendar, times: &ResponseTimes) -> Promises {
    // A channel whose clock is ahead of ours cannot give more time than there is.
    let asked = Asked { arrived_at: asked.arrived_at.min(asked.found_at), ..*asked };
    let always = Calendar::always();
    let strictest = |kind: PromiseKind| {
        times
            .lanes(asked.intent, asked.urgency)
            .into_iter()
            .map(|rule| by_rule(kind, rule, &asked, if rule.by == By::Always { &always } else { calendar }, times))
            .min_by_key(|promise| promise.due_at)
            .unwrap_or_else(|| at_once(&asked, calendar))
    };
    let (mut first_response, resolution) = (strictest(PromiseKind::FirstResponse), strictest(PromiseKind::Resolution));
    if first_response.due_at > resolution.due_at {
        // The whole answer is also a first one: the earlier time holds for both.
        first_response = Promise { guideline: first_response.guideline, ..resolution.clone() };
    }
    Promises { first_response, resolution, policy_version: times.version() }
}

/// No rule holds: the settings report that as a fault, and the case does not wait for it to be mended.
fn at_once(asked: &Asked, calendar: &Calendar) -> Promise {
    Promise {
        due_at: asked.found_at,
        due_from_arrival_at: asked.arrived_at,
        discovered_late: None,
        calendar_version: calendar.version(),
        guideline: String::new(),
        because: vec!["Ingen svarstid är bestämd för sådana ärenden: svara nu.".to_owned()],
    }
}

fn by_rule(kind: PromiseKind, rule: &Rule, asked: &Asked, calendar: &Calendar, times: &ResponseTimes) -> Promise {
    let count_from = |from: Time| due_or_by_the_clock(kind, kind.term(rule), from, calendar, times);
    let by_arrival = count_from(asked.arrived_at);
    let due_from_arrival_at = by_arrival.at;
    let lag = calendar.open_between(asked.arrived_at, asked.found_at);
    // A lag that ate half of a short promise is late too, though it is shorter than the bound.
    let half = calendar.open_between(asked.arrived_at, due_from_arrival_at) / 2;
    let eaten = lag > half.min(Duration::from_mins(u64::from(times.discovered_late_after_min)));
    let by_finding = Some(asked.found_at)
        .filter(|found_at| eaten || *found_at >= due_from_arrival_at)
        .map(count_from)
        .filter(|due| due.at != due_from_arrival_at);
    let discovered_late = by_finding.is_some().then_some(lag);
    let mut due = by_finding.unwrap_or(by_arrival);
    if discovered_late.is_some() {
        let zone = calendar.zone();
        let line = format!(
            "Upptäckt sent: skrivet {}, funnet {}. Tiden räknas från att det fanns hos oss; \
             räknat från att det skrevs hade det varit {}.",
            moment_text(asked.arrived_at, zone),
            moment_text(asked.found_at, zone),
            moment_text(due_from_arrival_at, zone)
        );
        due.because.insert(0, line);
    }
    cap(&mut due, asked, calendar);
    Promise {
        due_at: due.at,
        due_from_arrival_at: due_from_arrival_at.min(due.at),
        discovered_late,
        calendar_version: calendar.version(),
        guideline: rule.guideline.clone(),
        because: due.because,
    }
}

/// The journalist's deadline ends a promise sooner; one that had passed when it was found does not.
fn cap(due: &mut Due, asked: &Asked, calendar: &Calendar) {
    let Some(deadline_at) = asked.deadline_at.filter(|at| *at > asked.found_at && *at < due.at) else { return };
    due.at = deadline_at;
    due.because.push(format!("Den som frågar behöver svar senast {}.", moment_text(deadline_at, calendar.zone())));
}

/// A due time by the calendar; by the clock when the calendar never opens, which is said.
fn due_or_by_the_clock(kind: PromiseKind, term: Term, from: Time, calendar: &Calendar, times: &ResponseTimes) -> Due {
    due(kind, term, from, calendar, times).unwrap_or_else(|_| {
        let always = Calendar::always();
        let mut due = due(kind, term, from, &always, times).unwrap_or(Due { at: from, because: Vec::new() });
        due.because.insert(0, format!("Kalendern {} öppnar aldrig, så tiden räknas dygnet runt.", calendar.name()));
        due
    })
}

fn due(
    kind: PromiseKind,
    term: Term,
    from: Time,
    calendar: &Calendar,
    times: &ResponseTimes,
) -> Result<Due, NeverOpens> {
    match term {
        Term::Open(minutes) => calendar.due_after_hours(from, Duration::from_mins(u64::from(minutes))),
        Term::WorkingDays(days) if came_in_time(from, calendar) => calendar.due_after_working_days(from, days),
        Term::WorkingDays(days) => after_closing(kind, days, from, calendar, times),
        Term::SameDay => {
            let at = calendar.end_of_day(from)?;
            let mut because = vec![format!(
                "Från {} räknas till arbetsdagens slut i kalendern {}.",
                moment_text(from, calendar.zone()),
                calendar.name()
            )];
            calendar.explain(from, at, &mut because);
            Ok(Due { at, because })
        }
    }
}

/// True when it came on a working day before closing.
fn came_in_time(from: Time, calendar: &Calendar) -> bool {
    let date = calendar.date_of(from);
    calendar.day(date).hours.closes().is_some_and(|closes| from <= calendar.moment(date, closes))
}

/// What came after closing or on a free day has no clock time to keep: a first response by noon, a resolution by
/// closing time.
fn after_closing(
    kind: PromiseKind,
    days: u16,
    from: Time,
    calendar: &Calendar,
    times: &ResponseTimes,
) -> Result<Due, NeverOpens> {
    let date = calendar.working_day_after(calendar.date_of(from), days)?;
    let open = calendar.day(date).hours;
    let minute = match kind {
        PromiseKind::FirstResponse => open.clamp(times.late_first_response_min),
        PromiseKind::Resolution => open.closes().unwrap_or_default(),
    };
    let at = calendar.moment(date, minute);
    let mut because = vec![
        format!(
            "Från {} räknas {} i kalendern {}.",
            moment_text(from, calendar.zone()),
            Term::WorkingDays(days).swedish(),
            calendar.name()
        ),
        format!("Det kom efter stängning, så svaret ska finnas {} kl. {}.", date_text(date), hours::swedish(minute)),
    ];
    calendar.explain(from, at, &mut because);
    Ok(Due { at, because })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::stockholm;

    fn at(text: &str) -> Time {
        let civil: jiff::civil::DateTime = text.parse().unwrap();
        Time::of(stockholm().to_timestamp(civil).unwrap())
    }

    fn told(time: Time) -> String {
        stockholm().to_datetime(time.timestamp()).strftime("%a %d/%m %H:%M").to_string()
    }

    fn office() -> Calendar {
        Calendar::weekdays("kontaktcenter", &[(480, 990)])
    }

    fn asked(intent: Intent, urgency: Urgency, at_text: &str) -> Asked {
        Asked { intent, urgency, arrived_at: at(at_text), found_at: at(at_text), deadline_at: None }
    }

    fn due(asked: &Asked) -> String {
        let promises = promise(asked, &office(), &ResponseTimes::default());
        format!("{} | {}", told(promises.first_response.due_at), told(promises.resolution.due_at))
    }

    #[test]
    fn the_lanes_are_as_the_two_clock_model_says() {
        let table: Vec<String> = Intent::ALL
            .iter()
            .flat_map(|intent| Urgency::ALL.iter().map(move |urgency| (*intent, *urgency)))
            .map(|(intent, urgency)| {
                format!("{} {}: {}", intent.slug(), urgency.slug(), due(&asked(intent, urgency, "2026-11-18 14:00")))
            })
            .collect();
        insta::assert_snapshot!(table.join("\n"), @r"
        fraga normal: Thu 19/11 14:00 | Fri 20/11 14:00
        fraga hog: Wed 18/11 16:30 | Thu 19/11 14:00
        fraga akut: Wed 18/11 14:30 | Wed 18/11 18:00
        felanmalan normal: Thu 19/11 14:00 | Thu 19/11 14:00
        felanmalan hog: Wed 18/11 16:30 | Thu 19/11 14:00
        felanmalan akut: Wed 18/11 14:30 | Wed 18/11 18:00
        klagomal normal: Thu 19/11 14:00 | Wed 02/12 14:00
        klagomal hog: Wed 18/11 16:30 | Thu 19/11 14:00
        klagomal akut: Wed 18/11 14:30 | Wed 18/11 18:00
        synpunkt-forslag normal: Thu 19/11 14:00 | Wed 02/12 14:00
        synpunkt-forslag hog: Wed 18/11 16:30 | Thu 19/11 14:00
        synpunkt-forslag akut: Wed 18/11 14:30 | Wed 18/11 18:00
        berom normal: Thu 19/11 14:00 | Wed 25/11 14:00
        berom hog: Wed 18/11 16:30 | Thu 19/11 14:00
        berom akut: Wed 18/11 14:30 | Wed 18/11 18:00
        media normal: Thu 19/11 09:30 | Thu 19/11 09:30
        media hog: Wed 18/11 16:30 | Thu 19/11 09:30
        media akut: Wed 18/11 14:30 | Wed 18/11 18:00
        hot-hat normal: Wed 18/11 14:30 | Wed 18/11 18:00
        hot-hat hog: Wed 18/11 14:30 | Wed 18/11 18:00
        hot-hat akut: Wed 18/11 14:30 | Wed 18/11 18:00
        rykte normal: Thu 19/11 09:30 | Thu 19/11 09:30
        rykte hog: Wed 18/11 16:30 | Thu 19/11 09:30
        rykte akut: Wed 18/11 14:30 | Wed 18/11 18:00
        begaran-handling normal: Wed 18/11 16:30 | Wed 18/11 16:30
        begaran-handling hog: Wed 18/11 16:30 | Wed 18/11 16:30
        begaran-handling akut: Wed 18/11 14:30 | Wed 18/11 16:30
        information normal: Thu 19/11 14:00 | Wed 25/11 14:00
        information hog: Wed 18/11 16:30 | Thu 19/11 14:00
        information akut: Wed 18/11 14:30 | Wed 18/11 18:00
        ");
    }

    #[test]
    fn what_comes_on_a_friday_night_before_midsummer_is_answered_on_monday() {
        let question = asked(Intent::Question, Urgency::Normal, "2026-06-18 20:00");
        assert_eq!(due(&question), "Mon 22/06 12:00 | Tue 23/06 16:30");
        let in_time = asked(Intent::Question, Urgency::Normal, "2026-06-18 15:00");
        assert_eq!(due(&in_time), "Mon 22/06 15:00 | Tue 23/06 15:00");
    }

    #[test]
    fn danger_does_not_keep_office_hours() {
        assert_eq!(
            due(&asked(Intent::Threat, Urgency::Normal, "2026-12-24 23:00")),
            "Thu 24/12 23:30 | Fri 25/12 03:00"
        );
        assert_eq!(
            due(&asked(Intent::Question, Urgency::Acute, "2026-12-24 23:00")),
            "Thu 24/12 23:30 | Fri 25/12 03:00"
        );
    }

    #[test]
    fn a_late_find_runs_from_when_it_was_found_and_both_figures_are_told() {
        let mut late = asked(Intent::Question, Urgency::Normal, "2026-11-18 10:00");
        late.found_at = at("2026-11-19 09:00");
        let promises = promise(&late, &office(), &ResponseTimes::default());
        assert_eq!(told(promises.first_response.due_at), "Fri 20/11 09:00");
        assert_eq!(told(promises.first_response.due_from_arrival_at), "Thu 19/11 10:00");
        let late_text = promises.first_response.late_text();
        assert_eq!(late_text.as_deref(), Some("Upptäckt sent (7 timmar 30 minuter öppen tid)"));
        assert!(
            promises.first_response.because[0].starts_with("Upptäckt sent: skrivet onsdag 18 november 2026 kl. 10.00")
        );
    }

    #[test]
    fn danger_that_was_found_late_is_due_after_it_was_found() {
        // The office was closed, but danger is counted round the clock, and so is its lag.
        let mut threat = asked(Intent::Threat, Urgency::Acute, "2026-12-24 23:00");
        threat.found_at = at("2026-12-25 06:00");
        let promises = promise(&threat, &office(), &ResponseTimes::default());
        assert_eq!(told(promises.first_response.due_at), "Fri 25/12 06:30");
        assert_eq!(told(promises.first_response.due_from_arrival_at), "Thu 24/12 23:30");
        assert_eq!(promises.first_response.calendar_version, Calendar::always().version());
        threat.found_at = at("2026-12-24 23:20");
        let promises = promise(&threat, &office(), &ResponseTimes::default());
        assert_eq!(told(promises.first_response.due_at), "Thu 24/12 23:50", "twenty minutes of thirty are too many");
    }

    #[test]
    fn a_find_before_the_office_opens_is_not_late() {
        let mut night = asked(Intent::Question, Urgency::Normal, "2026-11-18 23:00");
        night.found_at = at("2026-11-19 06:00");
        let promises = promise(&night, &office(), &ResponseTimes::default());
        assert_eq!(promises.first_response.discovered_late, None);
        assert_eq!(promises.first_response.due_at, promises.first_response.due_from_arrival_at);
    }

    #[test]
    fn without_a_rule_the_case_is_due_at_once_and_says_so() {
        let question = asked(Intent::Question, Urgency::Normal, "2026-11-18 10:00");
        let none = ResponseTimes { rules: Vec::new(), ..ResponseTimes::default() };
        let promises = promise(&question, &office(), &none);
        assert_eq!(promises.resolution.due_at, question.found_at);
        assert!(promises.resolution.because[0].starts_with("Ingen svarstid"));
    }

    #[test]
    fn a_channel_whose_clock_is_ahead_gives_no_more_time() {
        let mut ahead = asked(Intent::Question, Urgency::Normal, "2026-11-18 10:00");
        let straight = promise(&ahead, &office(), &ResponseTimes::default());
        ahead.arrived_at = at("2027-01-01 00:00");
        assert_eq!(promise(&ahead, &office(), &ResponseTimes::default()), straight);
    }

    #[test]
    fn a_journalists_deadline_ends_the_promise_sooner_and_never_later() {
        let mut media = asked(Intent::Media, Urgency::Normal, "2026-11-18 10:00");
        assert_eq!(due(&media), "Wed 18/11 14:00 | Wed 18/11 14:00");
        media.deadline_at = Some(at("2026-11-18 12:00"));
        assert_eq!(due(&media), "Wed 18/11 12:00 | Wed 18/11 12:00");
        media.deadline_at = Some(at("2026-11-20 12:00"));
        assert_eq!(due(&media), "Wed 18/11 14:00 | Wed 18/11 14:00");
    }

    #[test]
    fn a_promise_keeps_the_versions_it_was_made_with() {
        let question = asked(Intent::Question, Urgency::Normal, "2026-11-18 10:00");
        let old = promise(&question, &office(), &ResponseTimes::default());
        let times = ResponseTimes { discovered_late_after_min: 31, ..ResponseTimes::default() };
        let new = promise(&question, &Calendar::weekdays("kontaktcenter", &[(540, 900)]), &times);
        assert_eq!(old.policy_version, ResponseTimes::default().version());
        assert_ne!(old.policy_version, new.policy_version, "the same name with other rules is another version");
        assert_ne!(old.resolution.calendar_version, new.resolution.calendar_version);
    }

    #[test]
    fn a_calendar_that_never_opens_still_gives_a_promise_and_says_why() {
        let closed = Calendar::weekdays("stängt", &[]);
        let question = asked(Intent::Question, Urgency::Normal, "2026-11-18 10:00");
        let promises = promise(&question, &closed, &ResponseTimes::default());
        assert_eq!(told(promises.first_response.due_at), "Thu 19/11 10:00");
        assert_eq!(promises.first_response.because[0], "Kalendern stängt öppnar aldrig, så tiden räknas dygnet runt.");
    }
}
