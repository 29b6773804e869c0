//! The rules of tier A, B and C as properties of the message; `wire_rules_tests.rs` has them on what leaves for each
//! service, and the pages that links lead to have a test of their own that they tell a preview nothing.

use proptest::prelude::*;

use super::*;
use crate::chat::{Act, Nonce};

/// Facts that live long enough to be borrowed.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub cases: Vec<CaseFact>,
    pub links: Links,
    pub vocabulary: Vocabulary,
}

fn base() -> Links {
    Links::new(&"https://lyhord.ale.se/".parse().unwrap())
}

fn words() -> Vocabulary {
    Vocabulary::new(["Vatten och avlopp", "Skola", "Nol", "Surte", "VA-enheten"].map(str::to_owned))
}

pub(crate) fn sample() -> Sample {
    let case = CaseFact {
        id: CaseId(1042),
        category_name: "Vatten och avlopp".into(),
        intent: Intent::FaultReport,
        place: "Nol".into(),
        unit: "VA-enheten".into(),
        due_at: Time::parse("2026-11-23T10:42:00+01:00").unwrap(),
        level: Level::DueSoon,
        protected: false,
    };
    Sample { cases: vec![case], links: base(), vocabulary: words() }
}

pub(crate) fn one_case(sample: &Sample) -> ReminderFacts<'_> {
    ReminderFacts {
        cases: &sample.cases,
        count: sample.cases.len(),
        earliest_due_at: Time::parse("2026-11-23T10:42:00+01:00").unwrap(),
        links: &sample.links,
        vocabulary: &sample.vocabulary,
        now: Time::parse("2026-11-23T08:00:00+01:00").unwrap(),
    }
}

fn said(tier: Tier, sample: &Sample) -> Message {
    message(tier, Occasion::Reminder, &one_case(sample))
}

#[test]
fn tier_c_says_how_many_when_and_where_to_sign_in() {
    assert_eq!(
        said(Tier::C, &sample()).text(),
        "Du har 1 ärende att hantera i Lyhörd. Tidigast förfaller kl. 10.42.\nÄrende 1042\nhttps://lyhord.ale.se/logga-in"
    );
}

#[test]
fn tier_b_adds_intent_and_category_but_neither_place_nor_unit() {
    assert_eq!(
        said(Tier::B, &sample()).text(),
        "Du har 1 ärende att hantera i Lyhörd. Tidigast förfaller kl. 10.42.\n\
         Ärende 1042: Felanmälan · Vatten och avlopp. Förfaller kl. 10.42.\nhttps://lyhord.ale.se/arende/1042"
    );
}

#[test]
fn tier_a_adds_place_unit_and_level() {
    assert_eq!(
        said(Tier::A, &sample()).text(),
        "Du har 1 ärende att hantera i Lyhörd. Tidigast förfaller kl. 10.42.\n\
         Ärende 1042: Felanmälan · Vatten och avlopp · Nol · VA-enheten · Snart dags. Förfaller kl. 10.42.\n\
         https://lyhord.ale.se/arende/1042"
    );
}

#[test]
fn what_is_late_is_told_in_the_past_tense_and_tier_c_s_words_stay_as_they_are() {
    let mut sample = sample();
    sample.cases[0].due_at = Time::parse("2026-11-20T15:00:00+01:00").unwrap();
    let text = said(Tier::B, &sample).text().to_owned();
    assert!(text.contains("Förföll fredag 20 november kl. 15.00."), "{text}");
    let facts = ReminderFacts { earliest_due_at: sample.cases[0].due_at, ..one_case(&sample) };
    let least = MessageC::new(&facts).message(Occasion::Reminder);
    assert!(least.text().contains("Tidigast förfaller fredag 20 november kl. 15.00."), "{}", least.text());
}

#[test]
fn a_protected_case_is_told_as_in_tier_c_everywhere_and_hides_its_neighbours() {
    let mut sample = sample();
    sample.cases.push(CaseFact { id: CaseId(7), protected: true, ..sample.cases[0].clone() });
    let least = said(Tier::C, &sample);
    for tier in [Tier::A, Tier::B] {
        assert_eq!(said(tier, &sample).text(), least.text());
    }
}

#[test]
fn a_threat_is_protected_whatever_the_caller_says() {
    let mut sample = sample();
    sample.cases[0].intent = Intent::Threat;
    assert_eq!(said(Tier::A, &sample).text(), said(Tier::C, &sample).text());
    assert!(is_protected("Skola", Intent::Threat, &[]));
    assert!(is_protected("sko-individ", Intent::Question, &[]));
    assert!(is_protected("VA", Intent::Question, &[Flag::WhistleBlowing]));
    assert!(!is_protected("VA", Intent::Question, &[Flag::DocumentRequest]));
}

#[test]
fn html_is_escaped_and_only_in_tier_a() {
    let mut sample = sample();
    sample.vocabulary = Vocabulary::new(["<b>VA</b> & Co".to_owned()]);
    sample.cases[0].unit = "<b>VA</b> & Co".into();
    let html = said(Tier::A, &sample).html().unwrap().to_owned();
    assert!(html.contains("&lt;b&gt;VA&lt;/b&gt; &amp; Co") && !html.contains("<b>"), "{html}");
    assert_eq!(said(Tier::B, &sample).html(), None);
}

#[test]
fn a_message_reads_back_from_the_outbox_as_it_was_written() {
    let message = said(Tier::A, &sample()).with_buttons(&[(Act::Take, Nonce::of([1; 16]))]);
    let json = serde_json::to_string(&message).unwrap();
    assert_eq!(serde_json::from_str::<Message>(&json).unwrap(), message);
}

#[test]
fn a_message_about_several_cases_has_no_buttons_because_a_press_would_be_unclear() {
    let mut sample = sample();
    sample.cases.push(CaseFact { id: CaseId(7), ..sample.cases[0].clone() });
    let message = said(Tier::C, &sample).with_buttons(&[(Act::Take, Nonce::of([1; 16]))]);
    assert!(message.buttons().is_empty());
    assert!(message.text().contains("Du har 2 ärenden") && message.text().contains("Ärende 1042, 7"));
}

fn keys(value: &serde_json::Value, found: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                found.insert(key.clone());
                keys(value, found);
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
        _ => {}
    }
}

fn keys_of(said: &impl serde::Serialize) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    keys(&serde_json::to_value(said).unwrap(), &mut found);
    found
}

const KEYS_C: [&str; 4] = ["count", "due", "cases", "link"];
const KEYS_B: [&str; 5] = ["least", "lines", "case", "category", "intent"];
/// What the outbox stores and the voices see.
const KEYS_MESSAGE: [&str; 11] =
    ["tier", "occasion", "subject", "text", "html", "link", "case", "buttons", "act", "nonce", "said_at"];
const KEYS_A: [&str; 3] = ["place", "unit", "level"];

fn allowed(lists: &[&[&str]]) -> BTreeSet<String> {
    lists.iter().flat_map(|list| list.iter().map(|key| (*key).to_owned())).collect()
}

/// What a hostile or careless source might put into any field of a case.
fn post() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zåäö]{3,9}( [a-zåäö]{3,9}){4,12}",
        Just("mejla anna.andersson@example.com eller @anna_a".to_owned()),
        Just("ring 0303-33 00 00 eller +46 70 123 45 67".to_owned()),
        Just("mitt personnummer är 640823-3234 och 19640883-3231".to_owned()),
        Just("<a href=\"https://evil.example/?token=abc\">öppna</a>".to_owned()),
    ]
}

fn intents() -> impl Strategy<Value = Intent> {
    prop::sample::select(Intent::ALL.to_vec())
}

prop_compose! {
    /// Cases whose every name is either a configured one or a piece of a post.
    fn cases(post: String)(
        drawn in prop::collection::vec((1i64..99_999, intents(), any::<bool>(), 0u8..4, 0i64..2_000_000_000_000), 1..14)
    ) -> Vec<CaseFact> {
        let name = |hostile: bool, known: &str| if hostile { post.clone() } else { known.to_owned() };
        drawn.into_iter().map(|(id, intent, protected, hostile, due)| CaseFact {
            id: CaseId(id),
            category_name: name(hostile == 1, "Skola"),
            intent,
            place: name(hostile == 2, "Surte"),
            unit: name(hostile == 3, "VA-enheten"),
            due_at: Time(due),
            level: Level::Overdue,
            protected,
        }).collect()
    }
}

pub(crate) fn drawn() -> impl Strategy<Value = (String, Sample)> {
    post().prop_flat_map(|post| {
        cases(post.clone()).prop_map(move |cases| (post.clone(), Sample { cases, links: base(), vocabulary: words() }))
    })
}

/// Runs of four words.
pub(crate) fn four_grams(text: &str) -> BTreeSet<Vec<String>> {
    let words: Vec<String> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    words.windows(4).map(<[String]>::to_vec).collect()
}

fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| if place % 2 == 0 { *digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    sum.is_multiple_of(10)
}

/// Handles, e-mail addresses, telephone numbers and personnummer (also samordningsnummer) outside links.
pub(crate) fn identities(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for word in text.split_whitespace().filter(|word| !word.starts_with("http")) {
        let digits: Vec<u32> = word.chars().filter_map(|c| c.to_digit(10)).collect();
        let bare = word.chars().all(|c| c.is_ascii_digit() || "-+.,".contains(c));
        let personal = bare && matches!(digits.len(), 10 | 12) && luhn(&digits[digits.len() - 10..]);
        let phone = bare && digits.len() >= 7 || word.starts_with("+46") || (bare && word.contains('-'));
        if word.contains('@') || personal || phone {
            found.push(word.to_owned());
        }
    }
    found
}

#[test]
fn the_test_s_own_net_has_no_holes() {
    let caught = identities("a@b.se @anna 0303-330000 +46701234567 640823-3234 196408833231 0701234567");
    assert_eq!(caught.len(), 7, "{caught:?}");
    assert!(identities("Ärende 1042, 7. Förfaller fredag 27 november 2026 kl. 10.42.").is_empty());
}

proptest! {
    #[test]
    fn rule_1_a_message_has_no_field_outside_its_tier((_, sample) in drawn()) {
        let facts = one_case(&sample);
        prop_assert!(keys_of(&MessageC::new(&facts)).is_subset(&allowed(&[&KEYS_C])));
        prop_assert!(keys_of(&MessageB::new(&facts)).is_subset(&allowed(&[&KEYS_C, &KEYS_B])));
        prop_assert!(keys_of(&MessageA::new(&facts)).is_subset(&allowed(&[&KEYS_C, &KEYS_B, &KEYS_A])));
        let stored = said(Tier::A, &sample).with_buttons(&[(Act::Take, Nonce::of([0; 16]))]);
        prop_assert!(keys_of(&stored).is_subset(&allowed(&[&KEYS_MESSAGE])));
    }

    #[test]
    fn rule_2_no_four_words_of_a_post_are_repeated((post, sample) in drawn()) {
        let theirs = four_grams(&post);
        for tier in [Tier::A, Tier::B, Tier::C] {
            let message = said(tier, &sample);
            let everything = format!("{} {} {}", message.subject(), message.text(), message.html().unwrap_or(""));
            prop_assert!(four_grams(&everything).is_disjoint(&theirs), "{everything}");
        }
    }

    #[test]
    fn rule_3_no_message_names_a_person((_, sample) in drawn()) {
        for tier in [Tier::A, Tier::B, Tier::C] {
            let message = said(tier, &sample);
            prop_assert_eq!(identities(message.text()), Vec::<String>::new());
            prop_assert_eq!(identities(message.subject()), Vec::<String>::new());
        }
    }

    #[test]
    fn rule_1_tier_c_names_nothing_of_a_case_but_its_id((_, sample) in drawn()) {
        let mut bland = Sample { cases: sample.cases.clone(), links: base(), vocabulary: words() };
        for case in &mut bland.cases {
            *case = CaseFact {
                intent: Intent::Question, category_name: String::new(), place: String::new(), unit: String::new(),
                level: Level::Notice, protected: false, due_at: Time(0), ..case.clone()
            };
        }
        prop_assert_eq!(said(Tier::C, &sample), said(Tier::C, &bland));
    }

    #[test]
    fn rule_5_a_link_carries_no_bearer((_, sample) in drawn()) {
        let evil = Links::new(&"https://user:pass@lyhord.ale.se/?token=abc#t".parse().unwrap());
        let sample = Sample { links: evil, ..sample };
        for tier in [Tier::A, Tier::B, Tier::C] {
            let message = said(tier, &sample);
            for link in message.text().split_whitespace().filter(|word| word.starts_with("http")) {
                let link: Url = link.parse().unwrap();
                prop_assert!(link.query().is_none() && link.fragment().is_none() && link.username().is_empty());
                prop_assert!(link.path() == "/logga-in" || link.path().starts_with("/arende/"));
            }
        }
    }

    #[test]
    fn rule_6_all_recipients_get_the_same_text((_, sample) in drawn(), one: [u8; 16], two: [u8; 16]) {
        for tier in [Tier::A, Tier::B, Tier::C] {
            let first = said(tier, &sample).with_buttons(&[(Act::Take, Nonce::of(one))]);
            let second = said(tier, &sample).with_buttons(&[(Act::Take, Nonce::of(two))]);
            prop_assert_eq!(first.text(), second.text());
            prop_assert_eq!(first.html(), second.html());
            prop_assert!(!first.text().contains(Nonce::of(one).as_str()));
        }
    }
}
