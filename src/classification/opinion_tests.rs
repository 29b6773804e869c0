use super::*;
use crate::classification::Classifier as _;
use crate::settings::{Problems, read};

fn judged(text: &str) -> Classification {
    Judge::shipped().unwrap().classify(&Subject { text, channel: "facebook-grupp", ..Subject::default() })
}

fn unsure(text: &str) -> Classification {
    let unsure = ["topic", "intent", "sentiment", "urgency"].map(str::to_owned).to_vec();
    Classification { unsure, relevance: Relevance::Review, flags: Vec::new(), urgency: Urgency::High, ..judged(text) }
}

fn said(content: &str) -> Vec<u8> {
    json!({ "id": "x", "choices": [{ "index": 0, "message": { "role": "assistant", "content": content } }] })
        .to_string()
        .into_bytes()
}

const GOOD: &str = r#"{"relevant":"no","topic":"skola","intent":"klagomal","sentiment":"neg","urgency":"normal"}"#;

fn settings(text: &str) -> (Option<External>, Vec<String>) {
    let problems = Problems::default();
    let section = read("lyhord.toml", text, &problems);
    let found = External::read(&section, |name| (name == "NYCKEL").then(|| "hemlig".to_owned()));
    drop(section);
    (found, problems.sorted().iter().map(ToString::to_string).collect())
}

#[test]
fn without_an_impact_assessment_nothing_is_sent_out() {
    let (_, faults) = settings("address = \"https://a.se/v1/chat/completions\"\nmodel = \"m\"\n");
    assert!(faults.iter().any(|fault| fault.contains("`dpia` is missing")), "{faults:?}");
    let whole =
        "address = \"https://a.se/v1/chat/completions\"\nmodel = \"m\"\nkey_env = \"NYCKEL\"\ndpia = \"KS 2026/1\"\n";
    let (found, faults) = settings(whole);
    assert_eq!((found.as_ref().map(|one| one.timeout), faults), (Some(Duration::from_secs(8)), Vec::new()));
    assert!(!format!("{found:?}").contains("hemlig"), "the key never shows itself");
    for bad in ["http://a.se/", "ftp://a.se/", "a.se", "http://10.0.0.1/"] {
        let (found, faults) = settings(&whole.replace("https://a.se/v1/chat/completions", bad));
        assert!(found.is_none() && faults.len() == 1, "{bad}: {faults:?}");
    }
    let (_, faults) = settings(&whole.replace("NYCKEL", "TOM"));
    assert!(faults.iter().any(|fault| fault.contains("`TOM` is empty")), "{faults:?}");
}

/// REF-04: an outside judge is never asked who wrote something, and is told nothing that says it.
#[test]
fn a_second_opinion_is_never_asked_about_the_author() {
    let judge = Judge::shipped().unwrap();
    let text = "Jag heter Karin Ek, 070-123 45 67, karin@example.se, bor på Byvägen 4. @karin_ek undrar: är Anna på enheten \
        den som läckt? 850101-1236";
    let subject = Subject {
        text,
        title: "Insändare av Lars Holm",
        channel: "flashback",
        source: "karins-blogg.se",
        ..Subject::default()
    };
    let sent = request("m", &judge, &subject).to_string();
    let kept =
        ["Karin", "karin", "Ek,", "070", "example.se", "Byvägen 4", "Lars", "Holm", "Anna", "850101", "flashback"];
    for personal in kept.iter().chain(&["karins-blogg"]) {
        assert!(!sent.contains(personal), "{personal} stands in {sent}");
    }
    let task = request("m", &judge, &Subject::default()).to_string().to_lowercase();
    for asked in [
        "författare",
        "skribent",
        "avsändare",
        "vem ",
        "vems",
        "källa",
        "läck",
        "identi",
        "anonym",
        "namn",
        "stil",
        "author",
        "who ",
        "writer",
        "kön",
        "ålder",
        "ursprung",
        "parti",
        "religion",
        "anställd",
    ] {
        assert!(!task.contains(asked), "the task asks about `{asked}`");
    }
    let told = GOOD.replace('}', r#","author":"Karin"}"#);
    assert_eq!(answer(&said(&told), &judge), Err(Silence::Nonsense), "an answer has no place for an author");
}

#[test]
fn an_answer_is_read_strictly_or_not_at_all() {
    let judge = Judge::shipped().unwrap();
    assert!(answer(&said(GOOD), &judge).is_ok());
    let nonsense = [
        said("Javisst! Ämnet är skola."),
        said(&GOOD.replace("skola", "kaffe")),
        said(&GOOD.replace("klagomal", "vet ej")),
        said(&GOOD.replace("\"relevant\":\"no\",", "")),
        said(&format!("```json\n{GOOD}\n```")),
        said(""),
        b"{}".to_vec(),
        b"<html>502</html>".to_vec(),
        json!({ "choices": [] }).to_string().into_bytes(),
        Vec::new(),
    ];
    for body in nonsense {
        assert_eq!(answer(&body, &judge), Err(Silence::Nonsense), "{}", String::from_utf8_lossy(&body));
    }
}

#[test]
fn an_opinion_settles_what_was_unsure_and_never_makes_us_less_careful() {
    let judge = Judge::shipped().unwrap();
    let own = unsure("Något om Nol");
    let opinion = answer(&said(GOOD), &judge).unwrap();
    let both = merged(&own, &opinion, "m", false);
    assert_eq!((both.topic.as_str(), both.intent, both.sentiment), ("skola", Intent::Complaint, Sentiment::Negative));
    assert_eq!(both.relevance, Relevance::Review, "it cannot turn a post away");
    assert_eq!(both.urgency, Urgency::High, "it cannot make a thing less urgent");
    assert!(both.by.ends_with("+m") && both.unsure.is_empty());
    let sure = Classification { unsure: Vec::new(), ..own.clone() };
    assert_eq!(merged(&sure, &opinion, "m", false).topic, own.topic, "what we were sure of stays");
    let threat = Opinion { intent: Intent::Threat, ..opinion };
    assert!(merged(&sure, &threat, "m", false).flags.contains(&Flag::Threat), "a threat that one sees is seen");
    let silent = alone(&own, Silence::Busy);
    assert_eq!((silent.topic, silent.by), (own.topic.clone(), own.by.clone()));
    assert!(silent.because.last().unwrap().contains("var upptagen"));
}

#[test]
fn what_only_a_person_should_see_is_not_sent() {
    assert!(is_asked_about(&unsure("Något om Nol")));
    assert!(!is_asked_about(&Classification { unsure: Vec::new(), relevance: Relevance::Yes, ..unsure("Nol") }));
    assert!(!is_asked_about(&Classification { relevance: Relevance::No, ..unsure("Nol") }));
    assert!(!is_asked_about(&Classification { urgency: Urgency::Acute, ..unsure("Nol") }));
    for flag in [Flag::Threat, Flag::SelfHarm, Flag::WhistleBlowing, Flag::ProtectedTopic] {
        assert!(!is_asked_about(&Classification { flags: vec![flag], ..unsure("Nol") }), "{flag:?}");
    }
}
