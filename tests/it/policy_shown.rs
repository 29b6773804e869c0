//! Sentences of the policy that no test elsewhere shows as a whole: see docs/policy.md.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use lyhord::app::{self, App};
use lyhord::case::batch_store::NewCase;
use lyhord::classification::{Classifier as _, Flag, Intent, Sentiment, Subject, Urgency};
use lyhord::clock::{Clock, Time};
use lyhord::id::CaseId;
use lyhord::jobs::assign_cases;
use lyhord::journal;
use lyhord::mention::keep_store::NewMention;
use lyhord::source::store::Named;
use lyhord::source::{Kind, Post};
use lyhord::{case, source};

use crate::channels::Stage;
use crate::harness::{Engine, at, database, kept};
use crate::pages::{CHIEF, COMMUNICATOR, OF_WATER, Told, house};
use crate::running::config;

const SERVICE: &str = "[municipality]\nname = \"Ale kommun\"\ncontact = \"x\"\nbase_url = \"http://localhost/\"\n";
const BROWN: &str = "Brunt vatten ur kranen i Nol sedan i morse, vem på Ale kommun kan svara?";
const CHANNELS: [&str; 7] = ["forum", "rss", "mastodon", "bluesky", "e-post", "tips", "webbkrok"];

/// A29: how soon we promise to answer.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_matter_is_promised_the_same_in_every_channel() {
    let (database, now) = (database(Engine::Sqlite), at(0, 10, 0));
    let app = App::open(config(SERVICE, "", &database.address), Clock::manual(now)).await.unwrap();
    let mut tx = app.db.write().await.unwrap();
    let source = source::store::the_import(&mut tx, &Named::import(), now).await.unwrap();
    let mut opened: BTreeMap<(Intent, Urgency), Vec<CaseId>> = BTreeMap::new();
    for intent in Intent::ALL {
        for urgency in Urgency::ALL {
            for channel in CHANNELS {
                let native_id = format!("{}-{}", intent.slug(), urgency.slug());
                let new = NewMention {
                    source_id: Some(source),
                    channel,
                    native_id: &native_id,
                    kind: "post",
                    body: BROWN,
                    authored_at: now,
                    seen_at: now,
                    hearing: "{}".to_owned(),
                    ..NewMention::default()
                };
                let mention = kept(&mut tx, new, now).await;
                let new = NewCase {
                    mention_id: mention,
                    cluster_id: mention,
                    source_id: source,
                    channel,
                    thread: None,
                    title: BROWN,
                    topic: "va",
                    intent: intent.slug(),
                    sentiment: "neu",
                    urgency: urgency.slug(),
                    place: Some("Nol".to_owned()),
                    protected: false,
                    restricted: false,
                    triage: false,
                    arrived_at: now,
                    imported: false,
                };
                let case = case::batch_store::open(&mut tx, &[(new, BROWN)], now).await.unwrap()[&mention];
                opened.entry((*intent, *urgency)).or_default().push(case);
            }
        }
    }
    tx.commit().await.unwrap();
    assign_cases::run(&app, now).await.unwrap();
    let mut tx = app.db.read().await.unwrap();
    let mut promises = BTreeSet::new();
    for (matter, cases) in opened {
        let mut same: BTreeSet<(Time, Time)> = BTreeSet::new();
        for id in cases {
            let row = case::store::find(&mut tx, id).await.unwrap().unwrap();
            same.insert((row.due_at.unwrap(), row.resolve_by.unwrap()));
        }
        assert_eq!(same.len(), 1, "{matter:?}: {same:?}");
        promises.extend(same);
    }
    assert!(promises.len() > 3, "what is wanted and how soon does matter: {promises:?}");
}

/// How a post by that author is met: the case, what the journal says of it, and its page with both names veiled.
async fn met(author: &str) -> (String, Vec<(String, String)>, String) {
    let sources = "[[source]]\nkey = \"torget\"\nname = \"Torget\"\nkind = \"feed\"\nchannel = \"torget\"\n\
                   address = \"https://torget.example/feed\"\npaused = true\n";
    let stage = Stage::open(Engine::Sqlite, sources, at(0, 8, 0)).await;
    let post = Post {
        channel: "torget".to_owned(),
        native_id: "q".to_owned(),
        url: Some("https://torget.example/q".to_owned()),
        kind: Kind::Post,
        text: BROWN.to_owned(),
        author: Some(author.to_owned()),
        authored_at: Some(at(0, 8, 0)),
        ..Post::default()
    };
    stage.hears("torget", &[post], &[]).await;
    let row = format!("{:?}", stage.case(1).await);
    let mut tx = stage.running.app.db.read().await.unwrap();
    let entries = journal::after(&mut tx, 0, 1_000).await.unwrap();
    drop(tx);
    let about = |kind: &str| kind.starts_with("case.") || kind.starts_with("mention.");
    let facts = entries.into_iter().filter(|entry| about(&entry.kind)).map(|entry| (entry.kind, entry.body)).collect();
    let page = crate::tips::page(&stage, COMMUNICATOR, "/arende/1").await;
    assert!(page.contains("Brunt vatten"), "{page}");
    let page = page.replace(COLLEAGUE, "X").replace(STRANGER, "X");
    stage.ends_whole().await;
    (row, facts, page)
}

/// One of the staff of the shipped organisation, who works with water.
const COLLEAGUE: &str = "Hilda Påhittfors";
const STRANGER: &str = "Nora Nymansson";

/// REF-03: nobody is looked for among the staff.
#[tokio::test(flavor = "multi_thread")]
async fn an_author_who_bears_the_name_of_a_colleague_is_met_as_any_other() {
    let (colleague, stranger) = (met(COLLEAGUE).await, met(STRANGER).await);
    assert!(colleague.1.iter().any(|(kind, _)| kind == "case.assigned"), "{:?}", colleague.1);
    assert_eq!(colleague, stranger);
}

/// REF-12 and A07: what the figures are of.
#[tokio::test(flavor = "multi_thread")]
async fn the_figures_are_of_units_channels_and_topics_and_of_no_person_and_no_paper() {
    let house = house().await;
    for _ in 0..6 {
        house.case(Told::default()).await;
    }
    let mut chief = house.browser(CHIEF).await;
    let (page, csv) = (chief.get("/uppfoljning").await.body, chief.get("/uppfoljning.csv").await.body);
    for name in ["Hilda", OF_WATER, "Skribent", "Tidningen"] {
        assert!(!page.contains(name) && !csv.contains(name), "{name}: {csv}");
    }
    let kinds: BTreeSet<&str> =
        csv.lines().skip(1).filter_map(|line| line.split(';').next()).map(|kind| kind.trim_matches('"')).collect();
    assert_eq!(kinds, BTreeSet::from(["enhet", "kanal", "ämne"]), "{csv}");
}

/// A19: the chief sees where we have not said the same.
#[tokio::test(flavor = "multi_thread")]
async fn two_answers_to_one_question_stand_side_by_side_with_what_differs() {
    let house = house().await;
    let mut water = house.browser(OF_WATER).await;
    let answers = ["Vi har öppet till 16.30.", "Öppet till klockan 17 i dag"];
    for answer in answers {
        let case = house.case(Told { text: "När stänger simhallen i Surte på söndag?", ..Told::default() }).await;
        house.pass(600);
        let answered = water.post(&format!("/arende/{case}/svara"), &[("svar", answer), ("lank", "")]).await;
        assert_eq!(answered.status, StatusCode::SEE_OTHER);
    }
    let page = house.browser(CHIEF).await.get("/uppfoljning").await.body;
    let pair = crate::pages::between(&page, "class=\"versus\"", "</section>").unwrap_or_else(|| panic!("{page}"));
    for said in ["olika klockslag", answers[0], answers[1]] {
        assert!(pair.contains(said), "{said}: {pair}");
    }
}

/// A03 and A30: a number is decided, or is said not to be.
#[test]
fn every_response_time_that_is_shipped_names_its_guideline_or_says_that_it_is_assumed() {
    let times = config(SERVICE, "", "sqlite:unused").response_times;
    assert!(!times.rules.is_empty());
    for rule in &times.rules {
        let assumed = rule.guideline == "antagande tills riktlinjen är beslutad";
        assert!(assumed || rule.guideline.contains("KS"), "{rule:?}");
        assert_eq!(assumed, times.assumed().contains(&rule), "{rule:?}");
    }
}

/// REF-06: there is no word for what somebody believes, is or belongs to.
#[test]
fn what_a_judgement_can_say_is_a_closed_list() {
    let intents: Vec<_> = Intent::ALL.iter().map(|one| one.slug()).collect();
    assert_eq!(
        intents,
        [
            "fraga",
            "felanmalan",
            "klagomal",
            "synpunkt-forslag",
            "berom",
            "media",
            "hot-hat",
            "rykte",
            "begaran-handling",
            "information"
        ]
    );
    let tones: Vec<_> = Sentiment::ALL.iter().map(|one| one.slug()).collect();
    assert_eq!(tones, ["neg", "neu", "pos"]);
    let urgencies: Vec<_> = Urgency::ALL.iter().map(|one| one.slug()).collect();
    assert_eq!(urgencies, ["normal", "hog", "akut"]);
    let flags: Vec<_> = Flag::ALL.iter().map(|one| one.slug()).collect();
    assert_eq!(
        flags,
        ["personuppgift", "skyddat-amne", "mojligt-hot", "sjalvskada", "visselblasning", "mojlig-handlingsbegaran"]
    );
    let judge = app::judge(&config(SERVICE, "", "sqlite:unused")).unwrap();
    let verdict = judge.classify(&Subject { text: BROWN, channel: "forum", ..Subject::default() });
    let told = serde_json::to_value(&verdict).unwrap();
    let known = [
        "relevance",
        "topic",
        "intent",
        "also",
        "sentiment",
        "urgency",
        "language",
        "flags",
        "confidence",
        "unsure",
        "spans",
        "because",
        "by",
    ];
    for part in told.as_object().unwrap().keys() {
        assert!(known.contains(&part.as_str()), "{part}");
    }
}
