//! What the invented staff does about each case, and when: pure and the same every time. A loop in `main` asks
//! [`next_act`] and carries out the answer as that person would have done with the buttons.

use std::time::Duration;

use super::day::Day;
use crate::case::Threat;
use crate::clock::Time;
use crate::id::CaseId;
use crate::settings::{self, Problem, Problems, Section};

const TEXT: &str = include_str!("staff.toml");
const FILE: &str = "src/demo/staff.toml";

/// Replies in a script: at most one for each post of a day.
const MAX_REPLIES: usize = super::day::MAX_POSTS;

/// Every fourth case is not taken until its owner has been reminded, so that the demo shows a reminder that helps.
const FORGETS_EVERY: i64 = 4;

/// How long somebody who forgets does so when no reminder comes: the demo must go on all the same.
const FORGETS_AT_MOST: Duration = Duration::from_hours(2);

/// From a reminder until its reader says "jag tar det": the time to put down the coffee.
const REACTS_IN: Duration = Duration::from_mins(3);

/// A member of staff, as the organisation names her.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Her key in `organisation.toml`.
    pub key: String,
    /// Her name, for the signature.
    pub name: String,
    /// The name of her unit, for the signature.
    pub unit: String,
}

/// A case as the staff sees it.
#[derive(Debug, Clone)]
pub struct DemoCase {
    /// Its number.
    pub id: CaseId,
    /// The native id of the post that opened it, which is its name in `day.toml`.
    pub post: String,
    /// Slug of the state: `assigned` can be taken, `accepted` can be closed, the others are left alone.
    pub state: String,
    /// Slug of the intent.
    pub intent: String,
    /// Slug of the urgency.
    pub urgency: String,
    /// Whose it is; nobody acts on a case that has no owner.
    pub owner: Option<Person>,
    /// When it was opened.
    pub opened_at: Time,
    /// When its owner was last reminded of it.
    pub reminded_at: Option<Time>,
    /// When its owner took it.
    pub accepted_at: Option<Time>,
    /// Where the handling of a threat has come to, when it is one.
    pub threat: Option<Threat>,
}

/// What somebody does with a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Says "jag tar det".
    Take,
    /// Answers with this text, signature included.
    Answer(String),
    /// Answers with this text and refers to this contact.
    Refer {
        /// What is written to the citizen, signature included.
        text: String,
        /// Where the citizen is referred.
        contact: String,
    },
    /// Takes the next step in the handling of a threat, and notes this.
    Handle(Threat, String),
    /// Closes it without an answer, for this reason.
    Dismiss(String),
}

/// One thing that one person does now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// With which case.
    pub case: CaseId,
    /// Key of the member of staff.
    pub who: String,
    /// What.
    pub deed: Deed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Reply {
    post: String,
    deed: Deed,
}

/// What is to be said to each post, and which posts nobody touches.
#[derive(Debug, Clone)]
pub struct Script {
    untouched: Vec<String>,
    replies: Vec<Reply>,
}

impl Script {
    /// The script that ships with the program; its posts are those of `day`.
    ///
    /// # Errors
    /// Every fault in the file; a test keeps the shipped one free of them.
    pub fn shipped(day: &Day) -> Result<Self, Vec<Problem>> {
        let problems = Problems::default();
        let section = settings::read(FILE, TEXT, &problems);
        let known: Vec<&str> = day.posts.iter().map(|post| post.id.as_str()).collect();
        let mut untouched = Vec::new();
        for name in section.texts("untouched") {
            if !known.contains(&name.text.as_str()) {
                name.place.report_unknown("`untouched`", &name.text, &known);
            }
            untouched.push(name.text);
        }
        let replies: Vec<Reply> =
            section.sections("reply").iter().take(MAX_REPLIES).map(|entry| read_reply(entry, &known)).collect();
        drop(section);
        if problems.is_empty() { Ok(Self { untouched, replies }) } else { Err(problems.sorted()) }
    }
}

fn read_reply(section: &Section, known: &[&str]) -> Reply {
    let post = section.text("post");
    if !known.contains(&post.as_str()) {
        section.place_of("post").report_unknown("`post`", &post, known);
    }
    let text = section.text("text");
    let deed = match section.choice("do", &["answer", "refer", "dismiss"]) {
        "refer" => Deed::Refer { text, contact: section.text("contact") },
        "dismiss" => Deed::Dismiss(text),
        _ => Deed::Answer(text),
    };
    Reply { post, deed }
}

/// The first thing that somebody does by `now`: the most urgent case first, then the oldest. Nothing when everybody
/// still has a pause to take or a text to write. Ask again until it says nothing.
#[must_use]
pub fn next_act(script: &Script, cases: &[DemoCase], now: Time) -> Option<Act> {
    let mut waiting: Vec<&DemoCase> = cases.iter().filter(|case| !script.untouched.contains(&case.post)).collect();
    waiting.sort_by_key(|case| (rank(case), case.opened_at, case.id));
    waiting.into_iter().find_map(|case| act(script, case, now))
}

fn act(script: &Script, case: &DemoCase, now: Time) -> Option<Act> {
    let person = case.owner.as_ref()?;
    let (at, deed) = match case.state.as_str() {
        "assigned" => (takes_at(case), Deed::Take),
        "accepted" => match case.threat.and_then(step) {
            Some(next) => (case.accepted_at?.plus(reached(next)), Deed::Handle(next, noted(next))),
            None => (case.accepted_at?.plus(work(case)), closing(script, case, person)),
        },
        _ => return None,
    };
    (at <= now).then(|| Act { case: case.id, who: person.key.clone(), deed })
}

/// The next step with a threat. In the demo each is one, and it is handled until support has been offered; to follow up
/// comes a week later.
fn step(threat: Threat) -> Option<Threat> {
    threat.next().first().copied().filter(|next| *next <= Threat::Supported)
}

/// How long after it was taken a step is taken: a minute each, so that all are done when there is time to write.
fn reached(step: Threat) -> Duration {
    let before = Threat::ALL.iter().filter(|other| **other > Threat::Unpleasant && **other <= step).count();
    Duration::from_mins(before as u64)
}

fn noted(step: Threat) -> String {
    let note = match step {
        Threat::Secured => "Skärmbild i säkerhetsmappen.",
        Threat::Assessed => "Kvar: forumet är inte vårt. Forumets värd har fått veta.",
        Threat::Reported => "K-nummer 5000-K000000-26 (påhittat).",
        _ => "",
    };
    note.to_owned()
}

/// When its owner takes it.
fn takes_at(case: &DemoCase) -> Time {
    if rank(case) == 0 {
        return case.opened_at.plus(Duration::from_mins(2));
    }
    if case.id.0.rem_euclid(FORGETS_EVERY) == 0 {
        let late = case.opened_at.plus(FORGETS_AT_MOST);
        return case.reminded_at.map_or(late, |reminded| reminded.plus(REACTS_IN).min(late));
    }
    case.opened_at.plus(spread(case, 5, 15))
}

/// How long it takes to find out and to write.
fn work(case: &DemoCase) -> Duration {
    if rank(case) == 0 { Duration::from_mins(6) } else { spread(case, 10, 30) }
}

/// 0 for what cannot wait: danger, threats.
fn rank(case: &DemoCase) -> u8 {
    match (case.urgency.as_str(), case.intent.as_str()) {
        ("akut", _) | (_, "hot-hat") => 0,
        ("hog", _) => 1,
        _ => 2,
    }
}

/// Between `least` and `most` minutes, different for each case and the same every time. 7 shares no factor with the
/// usual spans, so that neighbours differ.
fn spread(case: &DemoCase, least: u32, most: u32) -> Duration {
    let step = u32::try_from(case.id.0.rem_euclid(1_000)).unwrap_or(0) * 7 % (most - least + 1);
    Duration::from_mins(u64::from(least + step))
}

/// How the case is closed: as written for its post, or for a post that nobody wrote for, in a way that holds for all.
fn closing(script: &Script, case: &DemoCase, person: &Person) -> Deed {
    let written = script.replies.iter().find(|reply| reply.post == case.post).map(|reply| reply.deed.clone());
    let deed = written.unwrap_or_else(|| unwritten(&case.intent));
    let signed = |text: String| format!("{text}\n\n{}, {}", person.name, person.unit);
    match deed {
        Deed::Answer(text) => Deed::Answer(signed(text)),
        Deed::Refer { text, contact } => Deed::Refer { text: signed(text), contact },
        other => other,
    }
}

fn unwritten(intent: &str) -> Deed {
    match intent {
        "hot-hat" => Deed::Dismiss("Bedömt som hot eller hat och anmält. Inget svar i tråden.".to_owned()),
        "information" => Deed::Dismiss("Berättar något och frågar inget. Inget svar behövs.".to_owned()),
        "berom" => Deed::Answer("Hej! Tack, det värmer. Vi ser till att de som gjorde jobbet får läsa det.".to_owned()),
        _ => Deed::Refer {
            text: "Hej! Kontaktcenter hjälper dig vidare till rätt person. Skriv till kontaktcenter@example.se, så \
                   svarar de i dag."
                .to_owned(),
            contact: "Kontaktcenter, kontaktcenter@example.se".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENED: Time = Time(1_795_417_200_000);

    fn script() -> Script {
        Script::shipped(&Day::shipped().unwrap()).unwrap()
    }

    fn case(id: i64, post: &str) -> DemoCase {
        let owner = Person { key: "rut".into(), name: "Rut Exempelgren".into(), unit: "VA-enheten".into() };
        DemoCase {
            id: CaseId(id),
            post: post.into(),
            state: "assigned".into(),
            intent: "fraga".into(),
            urgency: "normal".into(),
            owner: Some(owner),
            opened_at: OPENED,
            reminded_at: None,
            accepted_at: None,
            threat: None,
        }
    }

    fn accepted(post: &str) -> DemoCase {
        DemoCase { state: "accepted".into(), accepted_at: Some(OPENED), ..case(1, post) }
    }

    fn after(minutes: u64) -> Time {
        OPENED.plus(Duration::from_mins(minutes))
    }

    #[test]
    fn the_complaint_about_the_dark_path_is_never_touched() {
        let reminded = DemoCase { reminded_at: Some(OPENED), ..case(4, "morkt-gangvag") };
        for case in [case(1, "morkt-gangvag"), reminded, accepted("morkt-gangvag")] {
            assert_eq!(next_act(&script(), &[case], after(10_000)), None);
        }
    }

    #[test]
    fn people_answer_at_a_human_pace() {
        assert_eq!(next_act(&script(), &[case(1, "halka-nol")], after(4)), None);
        assert_eq!(next_act(&script(), &[case(1, "halka-nol")], after(15)).unwrap().deed, Deed::Take);
        assert_eq!(next_act(&script(), &[accepted("halka-nol")], after(9)), None);
        assert!(matches!(next_act(&script(), &[accepted("halka-nol")], after(30)).unwrap().deed, Deed::Answer(_)));
    }

    #[test]
    fn danger_goes_before_what_is_older() {
        let acute = DemoCase { urgency: "akut".into(), opened_at: after(20), ..case(2, "brunt-vatten") };
        let act = next_act(&script(), &[case(1, "halka-nol"), acute], after(60)).unwrap();
        assert_eq!(act.case, CaseId(2));
    }

    #[test]
    fn who_forgets_takes_it_after_the_reminder() {
        let forgotten = case(4, "sopor-alafors");
        assert_eq!(next_act(&script(), std::slice::from_ref(&forgotten), after(60)), None);
        let reminded = DemoCase { reminded_at: Some(after(57)), ..forgotten };
        assert_eq!(next_act(&script(), &[reminded], after(60)).unwrap().deed, Deed::Take);
    }

    #[test]
    fn a_threat_is_taken_at_once_and_never_answered_in_the_thread() {
        let threat = DemoCase { intent: "hot-hat".into(), ..case(4, "hot-handlaggare") };
        assert_eq!(next_act(&script(), &[threat], after(2)).unwrap().deed, Deed::Take);
        for post in ["hot-handlaggare", "okant"] {
            let taken = DemoCase { intent: "hot-hat".into(), ..accepted(post) };
            assert!(matches!(next_act(&script(), &[taken], after(60)).unwrap().deed, Deed::Dismiss(_)), "{post}");
        }
    }

    #[test]
    fn a_threat_is_handled_step_by_step_before_it_is_closed() {
        let taken =
            DemoCase { intent: "hot-hat".into(), threat: Some(Threat::Suspected), ..accepted("hot-handlaggare") };
        assert_eq!(next_act(&script(), std::slice::from_ref(&taken), OPENED), None, "one thing at a time");
        let mut case = taken;
        let mut steps = Vec::new();
        while let Deed::Handle(to, note) = next_act(&script(), std::slice::from_ref(&case), after(10)).unwrap().deed {
            assert!(to.asks_for().is_none() || !note.is_empty(), "{to:?} wants a note");
            steps.push(to);
            case.threat = Some(to);
        }
        assert_eq!((steps.len(), steps.last()), (6, Some(&Threat::Supported)));
    }

    #[test]
    fn nobody_acts_on_a_case_without_an_owner_or_one_that_is_closed() {
        let unowned = DemoCase { owner: None, ..case(1, "halka-nol") };
        let closed = DemoCase { state: "answered".into(), ..accepted("halka-nol") };
        assert_eq!(next_act(&script(), &[unowned, closed], after(10_000)), None);
    }

    #[test]
    fn every_post_about_ale_has_a_reply_that_greets_and_is_signed() {
        let (script, day) = (script(), Day::shipped().unwrap());
        let own = |key: &str| day.feed(key).is_some_and(|feed| feed.own);
        for post in day.posts.iter().filter(|post| post.about_ale && !own(&post.feed)) {
            if script.untouched.contains(&post.id) {
                continue;
            }
            assert!(script.replies.iter().any(|reply| reply.post == post.id), "{} has no reply", post.id);
            let act = next_act(&script, &[accepted(&post.id)], after(60)).unwrap();
            if let Deed::Answer(text) | Deed::Refer { text, .. } = act.deed {
                assert!(text.starts_with("Hej"), "{text}");
                assert!(text.ends_with("\n\nRut Exempelgren, VA-enheten"), "{text}");
                assert!(text.chars().count() <= 400, "{} is too long", post.id);
            }
        }
    }
}
