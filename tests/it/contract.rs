//! Every store function on both databases: the same facts in, the same facts out.

use lyhord::case::store::{Assigned, Change, Filter, NewCase};
use lyhord::classification::{Classification, Confidence, Intent, Sentiment, Urgency};
use lyhord::clock::Time;
use lyhord::db::{Db, Tx};
use lyhord::id::{CaseId, MentionId, SourceId};
use lyhord::journal::{self, Fact, Verdict};
use lyhord::mention::Relevance;
use lyhord::mention::store::NewMention;
use lyhord::queue::{self, Lane, Work};
use lyhord::source::store::{Named, Reading};
use lyhord::{assignment, audit, case, chat, classification, mention, reminder, response, source, web};

use crate::harness::on_both;

const NOW: Time = Time(1_000_000_000_000);

fn later(seconds: i64) -> Time {
    Time(NOW.0 + seconds * 1_000)
}

fn named(key: &str, address: &str) -> Named {
    let own = |text: &str| text.to_owned();
    Named {
        key: own(key),
        kind: own("feed"),
        name: own(key),
        address: own(address),
        channel: own("rss"),
        enabled: true,
    }
}

async fn a_source(tx: &mut Tx) -> SourceId {
    source::store::take_over_configuration(tx, &[named("alekuriren", "http://a/")], NOW).await.unwrap();
    source::store::by_key(tx, "alekuriren").await.unwrap().unwrap().id
}

async fn a_mention(tx: &mut Tx, source: SourceId, native_id: &str, words: &str) -> MentionId {
    let new = NewMention {
        source_id: Some(source),
        channel: "rss",
        native_id,
        fingerprint: 7,
        kind: "article",
        body: words,
        authored_at: NOW,
        seen_at: NOW,
        hearing: "{}".to_owned(),
        ..NewMention::default()
    };
    let id = mention::store::keep(tx, &new, NOW).await.unwrap().unwrap();
    mention::store::join_cluster(tx, id, id, &[1, 2]).await.unwrap();
    id
}

fn a_verdict() -> Classification {
    Classification {
        relevance: Relevance::Yes,
        topic: "va".into(),
        intent: Intent::Question,
        also: None,
        sentiment: Sentiment::Neutral,
        urgency: Urgency::Normal,
        language: "sv".into(),
        flags: Vec::new(),
        confidence: Confidence::default(),
        unsure: Vec::new(),
        spans: Vec::new(),
        because: vec!["därför".into()],
        by: "test-1".into(),
    }
}

async fn a_case(tx: &mut Tx, native_id: &str, words: &str) -> CaseId {
    let source = a_source(tx).await;
    let mention = a_mention(tx, source, native_id, words).await;
    let new = NewCase {
        mention_id: mention,
        cluster_id: mention,
        source_id: source,
        channel: "rss",
        thread: Some("t1"),
        title: words,
        words,
        topic: "va",
        intent: "fraga",
        sentiment: "neu",
        urgency: "normal",
        place: Some("Nol".to_owned()),
        protected: false,
        restricted: false,
        triage: false,
        arrived_at: NOW,
        imported: false,
    };
    case::store::open(tx, &new, NOW).await.unwrap()
}

async fn an_assigned_case(tx: &mut Tx, native_id: &str, words: &str, due: Time) -> CaseId {
    let id = a_case(tx, native_id, words).await;
    let to = Assigned {
        id,
        unit: "va",
        lane: Some("vanlig"),
        owner: "karin",
        because: "ämnet är VA",
        calendar: "kontaktcenter",
        policy_version: "1",
        due_at: due,
        resolve_by: due,
        due_because: "för att",
        discovered_late: false,
    };
    case::store::assign(tx, &to, NOW).await.unwrap();
    id
}

async fn writing(db: &Db) -> Tx {
    db.write().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_read_by_one_at_a_time_and_keeps_its_place() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let id = a_source(&mut tx).await;
        assert_eq!(source::store::due(&mut tx, NOW, 9).await.unwrap(), [(id, NOW)]);
        assert_eq!(source::store::next_due(&mut tx).await.unwrap(), Some(NOW));
        assert!(source::store::claim(&mut tx, id, "a", NOW, later(60)).await.unwrap().is_some());
        assert!(source::store::claim(&mut tx, id, "b", NOW, later(60)).await.unwrap().is_none(), "b came second");
        assert_eq!(source::store::due(&mut tx, NOW, 9).await.unwrap(), []);
        let reading = Reading {
            id,
            holder: "a",
            cursor: Some("{\"etag\":\"x\"}"),
            next_poll_at: later(900),
            failures: 0,
            health: "ok",
            health_since: NOW,
            health_why: "",
            ok_at: Some(NOW),
            item_at: Some(NOW),
            moved_to: Some("http://b/"),
            enabled: true,
        };
        assert_eq!(source::store::let_go(&mut tx).await.unwrap(), 1, "a restart on one machine need not wait");
        assert!(source::store::claim(&mut tx, id, "a", NOW, later(60)).await.unwrap().is_some());
        assert!(!source::store::settle(&mut tx, &Reading { holder: "b", ..reading.clone() }).await.unwrap());
        assert!(source::store::settle(&mut tx, &reading).await.unwrap());
        source::store::take_over_configuration(&mut tx, &[named("alekuriren", "http://a/")], later(5)).await.unwrap();
        let row = source::store::all(&mut tx).await.unwrap().remove(0);
        assert_eq!((row.cursor.as_str(), row.moved_to.as_deref()), ("{\"etag\":\"x\"}", Some("http://b/")));
        source::store::take_over_configuration(&mut tx, &[named("alekuriren", "http://new/")], later(5)).await.unwrap();
        let row = source::store::all(&mut tx).await.unwrap().remove(0);
        assert_eq!(
            (row.cursor.as_str(), row.moved_to, row.next_poll_at),
            ("null", None, later(5)),
            "a new address begins anew"
        );
        source::store::read_now(&mut tx, id, later(6)).await.unwrap();
        source::store::take_over_configuration(&mut tx, &[], later(7)).await.unwrap();
        assert_eq!(source::store::due(&mut tx, later(99), 9).await.unwrap(), [], "what is not named is not read");
        assert_eq!(source::store::health_counts(&mut tx).await.unwrap(), []);
        let import = source::store::the_import(&mut tx, &Named::import(), NOW).await.unwrap();
        assert_eq!(import, source::store::the_import(&mut tx, &Named::import(), NOW).await.unwrap());
        source::store::tally(&mut tx, "2026-11-23", "source:a", "seen", 3).await.unwrap();
        source::store::tally(&mut tx, "2026-11-23", "source:a", "seen", 4).await.unwrap();
        assert_eq!(
            source::store::tallies_of(&mut tx, "2026-11-23").await.unwrap(),
            [("source:a".into(), "seen".into(), 7)]
        );
        assert!(source::store::lease(&mut tx, "x", "a", NOW, later(30)).await.unwrap());
        assert!(!source::store::lease(&mut tx, "x", "b", later(29), later(60)).await.unwrap());
        assert!(
            source::store::lease(&mut tx, "x", "b", later(30), later(60)).await.unwrap(),
            "taken over when it has ended"
        );
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_is_kept_once_and_joined_to_those_that_say_the_same() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let source = a_source(&mut tx).await;
        let first = a_mention(&mut tx, source, "1", "brunt vatten i Nol").await;
        let again = NewMention {
            source_id: Some(source),
            channel: "rss",
            native_id: "1",
            kind: "article",
            body: "annat",
            ..NewMention::default()
        };
        assert_eq!(mention::store::keep(&mut tx, &again, NOW).await.unwrap(), None);
        let second = a_mention(&mut tx, source, "2", "brunt vatten i Nol!").await;
        assert_eq!(mention::store::same(&mut tx, second, None, 7).await.unwrap(), Some(first));
        assert_eq!(mention::store::same(&mut tx, second, Some("x"), 8).await.unwrap(), None);
        let alike = mention::store::alike(&mut tx, second, &[1, 5], 9).await.unwrap();
        assert_eq!(alike, [(first, "brunt vatten i Nol".to_owned())]);
        assert_eq!(mention::store::waiting(&mut tx).await.unwrap(), 2);
        let unjudged = mention::store::unjudged(&mut tx, 9).await.unwrap();
        assert_eq!(unjudged.iter().map(|m| m.id).collect::<Vec<_>>(), [first, second]);
        let judged = classification::store::keep(&mut tx, first, &a_verdict(), NOW).await.unwrap();
        mention::store::judged_as(&mut tx, first, judged).await.unwrap();
        assert_eq!(classification::store::standing(&mut tx, first).await.unwrap().unwrap(), a_verdict());
        assert_eq!(classification::store::standing(&mut tx, second).await.unwrap(), None);
        classification::store::let_stand(&mut tx, &[(first, a_verdict())], later(1)).await.unwrap();
        let of_both = mention::store::judged(&mut tx, &[first, second]).await.unwrap();
        assert_eq!(of_both.iter().map(|j| j.mention.id).collect::<Vec<_>>(), [first]);
        let unsettled = mention::store::unsettled(&mut tx, 9).await.unwrap();
        assert_eq!(unsettled.iter().map(|j| j.mention.id).collect::<Vec<_>>(), [first]);
        mention::store::settle(&mut tx, &[first], NOW).await.unwrap();
        assert!(mention::store::unsettled(&mut tx, 9).await.unwrap().is_empty());
        assert_eq!(mention::store::find(&mut tx, first).await.unwrap().unwrap().body, "brunt vatten i Nol");
        assert_eq!(mention::store::latest(&mut tx, 1).await.unwrap()[0].id, second);
        assert_eq!(mention::store::purge_without_case(&mut tx, later(1), 9).await.unwrap(), 1);
        assert!(mention::store::find(&mut tx, first).await.unwrap().is_none());
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_change_a_case_one_wins() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let id = an_assigned_case(&mut tx, "1", "brunt vatten i Nol", later(3600)).await;
        let row = case::store::find(&mut tx, id).await.unwrap().unwrap();
        assert_eq!((row.state.as_str(), row.owner.as_deref(), row.round), ("assigned", Some("karin"), 1));
        let take =
            Change { state: Some("accepted"), accepted_at: Some(NOW), acknowledged_at: Some(NOW), ..Change::default() };
        assert!(case::store::change(&mut tx, id, row.revision, &take, NOW).await.unwrap());
        assert!(!case::store::change(&mut tx, id, row.revision, &take, NOW).await.unwrap(), "the second came too late");
        let row = case::store::find(&mut tx, id).await.unwrap().unwrap();
        let hand_over = Change { state: Some("assigned"), owner: Some("johan"), ..Change::default() };
        assert!(case::store::change(&mut tx, id, row.revision, &hand_over, NOW).await.unwrap());
        let row = case::store::find(&mut tx, id).await.unwrap().unwrap();
        assert_eq!((row.round, row.acknowledged_at), (2, None), "a new round begins with a new holder");
        let close = Change {
            state: Some("answered"),
            first_answer_at: Some(later(9)),
            closed_at: Some(later(9)),
            outcome: Some("answered"),
            ..Change::default()
        };
        assert!(case::store::change(&mut tx, id, row.revision, &close, later(9)).await.unwrap());
        let row = case::store::find(&mut tx, id).await.unwrap().unwrap();
        assert_eq!((row.next_look_at, row.first_answer_at), (None, Some(later(9))));
        let reopen = Change { state: Some("open"), reopened: true, ..Change::default() };
        assert!(case::store::change(&mut tx, id, row.revision, &reopen, later(20)).await.unwrap());
        let row = case::store::find(&mut tx, id).await.unwrap().unwrap();
        assert_eq!((row.closed_at, row.outcome, row.first_answer_at), (None, None, Some(later(9))));
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inbox_pages_by_what_is_due_first_and_finds_words() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let late = an_assigned_case(&mut tx, "1", "Lampan är släckt i Älvängen", later(300)).await;
        let soon = an_assigned_case(&mut tx, "2", "Snöröjning på Göteborgsvägen", later(200)).await;
        let unassigned = a_case(&mut tx, "3", "Ny").await;
        assert_eq!(
            case::store::unassigned(&mut tx, 9).await.unwrap().iter().map(|c| c.id).collect::<Vec<_>>(),
            [unassigned]
        );
        let all = Filter { restricted: true, ..Filter::default() };
        let page = case::store::page(&mut tx, &all, 1).await.unwrap();
        assert_eq!(page.iter().map(|c| c.id).collect::<Vec<_>>(), [soon]);
        let next = Filter { after: Some((page[0].due_at.unwrap(), page[0].id)), ..all.clone() };
        let page = case::store::page(&mut tx, &next, 9).await.unwrap();
        assert_eq!(page.iter().map(|c| c.id).collect::<Vec<_>>(), [late]);
        for words in ["snöröjning", "älvängen \"(*"] {
            let found = case::store::page(&mut tx, &Filter { words: Some(words), ..all.clone() }, 9).await.unwrap();
            assert_eq!(found.len(), 1, "{words}");
        }
        let none = case::store::page(&mut tx, &Filter { words: Some("snorojning"), ..all.clone() }, 9).await.unwrap();
        assert!(none.is_empty(), "å, ä and ö are letters");
        let others = case::store::page(&mut tx, &Filter { unit: Some("skola"), ..all.clone() }, 9).await.unwrap();
        assert!(others.is_empty());
        assert_eq!(case::store::waiting(&mut tx, 9).await.unwrap().len(), 2);
        assert_eq!(case::store::counts(&mut tx, "karin", later(250)).await.unwrap(), (3, 1, 2));
        let loads = case::store::loads(&mut tx).await.unwrap();
        assert_eq!(loads, [("karin".to_owned(), 2, Some(NOW))]);
        let joined = case::store::joinable(&mut tx, "rss", Some("t1"), MentionId(999)).await.unwrap();
        assert_eq!(joined, Some(late));
        let source = a_source(&mut tx).await;
        let extra = a_mention(&mut tx, source, "4", "Lampan är släckt i Älvängen").await;
        case::store::add_mention(&mut tx, late, extra).await.unwrap();
        assert_eq!(mention::store::of_case(&mut tx, late, 9).await.unwrap().len(), 2);
        assert_eq!(web::store::mentions_in(&mut tx, &[late, unassigned]).await.unwrap(), [(late, 2)]);
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_is_due_when_something_can_have_changed() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let id = an_assigned_case(&mut tx, "1", "a", later(3600)).await;
        assert_eq!(case::store::next_look(&mut tx).await.unwrap(), Some(NOW));
        assert_eq!(case::store::to_look_at(&mut tx, NOW, 9).await.unwrap().len(), 1);
        case::store::looked_at(&mut tx, id, Some(later(60)), Some("Tyst"), Some(later(60))).await.unwrap();
        assert!(case::store::to_look_at(&mut tx, later(59), 9).await.unwrap().is_empty());
        assert_eq!(case::store::look_again(&mut tx, Some("karin"), None, later(5)).await.unwrap(), 1);
        assert_eq!(case::store::look_again(&mut tx, None, Some("skola"), later(5)).await.unwrap(), 0);
        assert_eq!(case::store::to_look_at(&mut tx, later(5), 9).await.unwrap().len(), 1);
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thing_is_decided_once_and_carried_by_one_message() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let case = an_assigned_case(&mut tx, "1", "a", later(3600)).await;
        let put = reminder::store::put(&mut tx, case, "karin", later(3600), "notice", 1, NOW).await.unwrap();
        assert!(put.is_some());
        let again = reminder::store::put(&mut tx, case, "karin", later(3600), "notice", 1, NOW).await.unwrap();
        assert_eq!(again, None, "the key makes it once");
        let unwritten = chat::store::unwritten(&mut tx, 9).await.unwrap();
        assert_eq!(unwritten.len(), 1);
        assert!(chat::store::open_message(&mut tx, "karin").await.unwrap().is_none());
        let message = chat::store::put_message(&mut tx, "karin", "telegram", "42", "{}", NOW, NOW).await.unwrap();
        chat::store::carry(&mut tx, &[unwritten[0].0], message).await.unwrap();
        assert!(chat::store::unwritten(&mut tx, 9).await.unwrap().is_empty());
        assert_eq!(chat::store::extent(&mut tx, message).await.unwrap(), (1, Some(later(3600))));
        assert_eq!(case::store::of_message(&mut tx, message, 9).await.unwrap()[0].id, case);
        assert_eq!(chat::store::cases_of(&mut tx, message).await.unwrap(), [(case, "notice".to_owned())]);
        assert_eq!(chat::store::nth_last_message_at(&mut tx, "karin", 0).await.unwrap(), Some(NOW));
        assert_eq!(chat::store::nth_last_message_at(&mut tx, "karin", 1).await.unwrap(), None);
        chat::store::rewrite(&mut tx, message, "{\"n\":1}", Some(later(1))).await.unwrap();
        assert_eq!(chat::store::next_due(&mut tx).await.unwrap(), Some(later(1)));
        assert!(chat::store::claim(&mut tx, NOW, later(90), 9).await.unwrap().is_empty(), "not due yet");
        let claimed = chat::store::claim(&mut tx, later(1), later(90), 9).await.unwrap();
        assert_eq!((claimed.len(), claimed[0].attempts, claimed[0].body.as_str()), (1, 1, "{\"n\":1}"));
        assert!(chat::store::claim(&mut tx, later(2), later(90), 9).await.unwrap().is_empty(), "one sender has it");
        assert_eq!(chat::store::let_go(&mut tx).await.unwrap(), 1);
        let again = chat::store::claim(&mut tx, later(90), later(180), 9).await.unwrap();
        assert_eq!(again[0].attempts, 2, "a dead sender's message is taken again");
        chat::store::put_off(&mut tx, message, later(300), "nere").await.unwrap();
        assert_eq!(chat::store::open_message(&mut tx, "karin").await.unwrap().unwrap().id, message);
        let third = chat::store::claim(&mut tx, later(300), later(400), 9).await.unwrap();
        chat::store::said(&mut tx, &third[0], "tg-1", later(301)).await.unwrap();
        assert_eq!(chat::store::states(&mut tx).await.unwrap(), [("sent".to_owned(), 1)]);
        assert_eq!(reminder::store::of_cases(&mut tx, &[case]).await.unwrap()[0].message_id, Some(message));
        assert_eq!(chat::store::purge_old(&mut tx, later(1), 9).await.unwrap(), 1);
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_that_fails_frees_its_reminders_for_another() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let case = an_assigned_case(&mut tx, "1", "a", later(3600)).await;
        chat::store::bind_voice(&mut tx, "karin", "telegram", "42", NOW).await.unwrap();
        chat::store::bind_voice(&mut tx, "karin", "matrix", "@k:x", NOW).await.unwrap();
        assert_eq!(chat::store::staff_of(&mut tx, "telegram", "42").await.unwrap().as_deref(), Some("karin"));
        reminder::store::put(&mut tx, case, "karin", later(3600), "notice", 1, NOW).await.unwrap();
        let reminder = chat::store::unwritten(&mut tx, 9).await.unwrap()[0].0;
        let message = chat::store::put_message(&mut tx, "karin", "telegram", "42", "{}", NOW, NOW).await.unwrap();
        chat::store::carry(&mut tx, &[reminder], message).await.unwrap();
        chat::store::voice_moved(&mut tx, "telegram", "42", "-43").await.unwrap();
        assert_eq!(chat::store::open_message(&mut tx, "karin").await.unwrap().unwrap().address, "-43");
        chat::store::give_up(&mut tx, message, "blockerad").await.unwrap();
        chat::store::voice_failed(&mut tx, "telegram", "-43", "blockerad", NOW).await.unwrap();
        let voices = chat::store::voices(&mut tx).await.unwrap();
        assert_eq!(
            voices.iter().map(|v| v.voice.as_str()).collect::<Vec<_>>(),
            ["matrix", "telegram"],
            "the working one first"
        );
        assert_eq!(chat::store::unwritten(&mut tx, 9).await.unwrap().len(), 1);
        assert!(!chat::store::unbind_voice(&mut tx, voices[0].id, "johan").await.unwrap(), "only her own");
        assert!(chat::store::unbind_voice(&mut tx, voices[0].id, "karin").await.unwrap());
        chat::store::put_code(&mut tx, "h", "karin", "telegram", later(60)).await.unwrap();
        assert_eq!(chat::store::use_code(&mut tx, "h", "telegram", later(61)).await.unwrap(), None, "too old");
        assert_eq!(chat::store::use_code(&mut tx, "h", "telegram", later(1)).await.unwrap().as_deref(), Some("karin"));
        assert_eq!(chat::store::use_code(&mut tx, "h", "telegram", later(2)).await.unwrap(), None, "once only");
        chat::store::put_button(&mut tx, "n", case, "karin", "take", "{}", NOW).await.unwrap();
        assert_eq!(chat::store::button(&mut tx, "n").await.unwrap().unwrap().staff, "karin");
        assert!(chat::store::use_button(&mut tx, "n", NOW).await.unwrap());
        assert!(!chat::store::use_button(&mut tx, "n", NOW).await.unwrap());
        source::store::lease(&mut tx, "telegram", "a", NOW, later(30)).await.unwrap();
        chat::store::remember_listened(&mut tx, "telegram", "17").await.unwrap();
        assert_eq!(chat::store::listened_to(&mut tx, "telegram").await.unwrap().as_deref(), Some("17"));
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_links_and_sessions_end_when_they_should() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        assert!(!web::store::anybody(&mut tx).await.unwrap());
        web::store::put_account(&mut tx, "eva", NOW).await.unwrap();
        web::store::set_password(&mut tx, "eva", "hash").await.unwrap();
        assert!(web::store::anybody(&mut tx).await.unwrap());
        assert!(web::store::account(&mut tx, "eva").await.unwrap().is_some());
        web::store::put_link(&mut tx, "l", "eva", NOW, later(60)).await.unwrap();
        assert_eq!(web::store::link(&mut tx, "l", later(59)).await.unwrap().as_deref(), Some("eva"));
        assert_eq!(web::store::use_link(&mut tx, "l", later(59)).await.unwrap().as_deref(), Some("eva"));
        assert_eq!(web::store::use_link(&mut tx, "l", later(59)).await.unwrap(), None, "once only");
        web::store::put_session(&mut tx, "s", "eva", "csrf", NOW, later(600)).await.unwrap();
        assert_eq!(web::store::session(&mut tx, "s", later(9), later(-1)).await.unwrap().unwrap().csrf, "csrf");
        web::store::session_seen(&mut tx, "s", later(100)).await.unwrap();
        assert!(web::store::session(&mut tx, "s", later(200), later(99)).await.unwrap().is_some());
        assert!(
            web::store::session(&mut tx, "s", later(200), later(101)).await.unwrap().is_none(),
            "left alone too long"
        );
        web::store::end_session(&mut tx, "s").await.unwrap();
        assert!(web::store::session(&mut tx, "s", later(101), NOW).await.unwrap().is_none());
        web::store::put_attempt(&mut tx, "eva", NOW).await.unwrap();
        web::store::put_attempt(&mut tx, "other", NOW).await.unwrap();
        assert_eq!(web::store::attempts(&mut tx, "eva", later(-1), 9).await.unwrap(), [NOW]);
        web::store::forget_attempts(&mut tx, "eva").await.unwrap();
        assert!(web::store::attempts(&mut tx, "eva", later(-1), 9).await.unwrap().is_empty());
        assert!(web::store::sweep(&mut tx, later(9_999), later(1)).await.unwrap() > 0);
        assert!(web::store::disable_account(&mut tx, "eva").await.unwrap());
        chat::store::put_try(&mut tx, "telegram:42", NOW).await.unwrap();
        assert_eq!(chat::store::tries(&mut tx, "telegram:42", later(-1)).await.unwrap(), 1);
        assert_eq!(chat::store::own_secret(&mut tx, "first").await.unwrap(), "first");
        assert_eq!(chat::store::own_secret(&mut tx, "second").await.unwrap(), "first", "made once");
        assert!(web::store::newest_migration(&mut tx).await.unwrap() >= 1);
        assert_eq!(web::store::last_read(&mut tx).await.unwrap(), None);
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_and_answers_are_the_same_on_both_databases() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let id = an_assigned_case(&mut tx, "1", "Brunt vatten i Nol", later(3600)).await;
        let row = case::store::find(&mut tx, id).await.unwrap().unwrap();
        assert_eq!(web::store::waiting_in_unit(&mut tx, "va", later(3601)).await.unwrap(), (1, 1));
        assert!(web::store::mentions_in(&mut tx, &[id]).await.unwrap().is_empty(), "one mention is no crowd");
        let written = response::store::NewResponse {
            case: id,
            kind: response::Kind::Answer,
            body: "Spola tills det är klart.",
            url: None,
            unit: Some("va"),
            written_by: "karin",
            answered_at: later(600),
        };
        response::store::put(&mut tx, &written, later(600)).await.unwrap();
        let close = Change {
            state: Some("answered"),
            first_answer_at: Some(later(600)),
            closed_at: Some(later(600)),
            ..Change::default()
        };
        assert!(case::store::change(&mut tx, id, row.revision, &close, later(600)).await.unwrap());
        assert_eq!(response::store::of_case(&mut tx, id, 9).await.unwrap().len(), 1);
        assert_eq!(response::store::answered(&mut tx, Some("va"), NOW, 9).await.unwrap().len(), 1);
        assert!(response::store::answered(&mut tx, Some("skola"), NOW, 9).await.unwrap().is_empty());
        let all = audit::store::Scope { from: NOW, until: later(9_999) };
        let seen = audit::store::observations(&mut tx, &all, later(700)).await.unwrap();
        assert_eq!((seen.len(), seen[0].answered, seen[0].until), (1, true, later(600)));
        assert_eq!(audit::store::first_opened(&mut tx).await.unwrap(), Some(NOW));
        assert_eq!(audit::store::kept_and_cases(&mut tx, NOW).await.unwrap(), (1, 1));
        chat::store::bind_voice(&mut tx, "karin", "telegram", "42", NOW).await.unwrap();
        chat::store::bind_voice(&mut tx, "karin", "matrix", "@k:x", NOW).await.unwrap();
        let last = chat::store::voices(&mut tx).await.unwrap().pop().unwrap();
        assert!(web::store::voice_first(&mut tx, last.id, "karin").await.unwrap());
        assert_eq!(chat::store::voices(&mut tx).await.unwrap()[0].id, last.id);
        let silence =
            reminder::store::put_silence(&mut tx, "person", "karin", NOW, later(60), "möte", "karin").await.unwrap();
        assert!(web::store::lift_silence(&mut tx, silence, "karin", NOW).await.unwrap());
        assert!(!web::store::lift_silence(&mut tx, silence, "karin", NOW).await.unwrap());
        reminder::store::put(&mut tx, id, "karin", later(3600), "notice", 1, NOW).await.unwrap();
        let reminder = chat::store::unwritten(&mut tx, 9).await.unwrap()[0].0;
        let message = chat::store::put_message(&mut tx, "karin", "telegram", "42", "{}", NOW, NOW).await.unwrap();
        chat::store::carry(&mut tx, &[reminder], message).await.unwrap();
        assert_eq!(chat::store::latest_case_of(&mut tx, "karin").await.unwrap(), None, "not said yet");
        let claimed = chat::store::claim(&mut tx, NOW, later(90), 9).await.unwrap();
        chat::store::said(&mut tx, &claimed[0], "1", NOW).await.unwrap();
        assert_eq!(chat::store::latest_case_of(&mut tx, "karin").await.unwrap(), Some(id));
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_is_an_example_and_sends_the_case_on_its_way_again() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let id = an_assigned_case(&mut tx, "k1", "Lampan vid skolan är släckt", later(60)).await;
        assert_eq!(case::store::first_unassigned(&mut tx).await.unwrap(), None);
        let row = case::store::find(&mut tx, id).await.unwrap().unwrap();
        let correct = |question, became| classification::store::NewCorrection {
            mention: row.mention_id,
            case: Some(id),
            question,
            was: "va",
            became,
            reason: None,
            made_by: "karin",
        };
        let first = classification::store::put_correction(&mut tx, &correct("topic", "skola"), NOW).await.unwrap();
        let last =
            classification::store::put_correction(&mut tx, &correct("intent", "felanmalan"), later(5)).await.unwrap();
        let found = classification::store::corrected(&mut tx, last, 9).await.unwrap();
        let told: Vec<_> = found.iter().map(|one| (one.question.as_str(), one.became.as_str())).collect();
        assert_eq!(told, [("topic", "skola"), ("intent", "felanmalan")]);
        assert_eq!(classification::store::corrected(&mut tx, first, 9).await.unwrap().len(), 1);
        assert_eq!(
            classification::store::correction_counts(&mut tx).await.unwrap(),
            [("intent".to_owned(), 1), ("topic".to_owned(), 1)]
        );
        let left = classification::store::unlearned(&mut tx, first).await.unwrap();
        assert_eq!((left.count, left.last, left.first_at, left.last_at), (1, last, Some(later(5)), Some(later(5))));
        assert_eq!(classification::store::unlearned(&mut tx, last).await.unwrap().first_at, None);

        let rejudged = case::store::Rejudged {
            topic: "skola",
            intent: "felanmalan",
            sentiment: "neg",
            urgency: "hog",
            protected: true,
            restricted: true,
            reroute: true,
        };
        let change = Change { rejudged: Some(rejudged), ..Change::default() };
        assert!(case::store::change(&mut tx, id, row.revision, &change, later(9)).await.unwrap());
        let now = case::store::find(&mut tx, id).await.unwrap().unwrap();
        assert_eq!((now.topic.as_str(), now.intent.as_str(), now.urgency.as_str()), ("skola", "felanmalan", "hog"));
        assert_eq!((now.protected, now.restricted, now.owner), (true, true, row.owner));
        assert_eq!(case::store::first_unassigned(&mut tx).await.unwrap(), Some(id));
        assert_eq!(case::store::unassigned(&mut tx, 9).await.unwrap().len(), 1);
        let taken = Change { state: Some("accepted"), ..Change::default() };
        assert!(case::store::change(&mut tx, id, now.revision, &taken, later(9)).await.unwrap());
        assert_eq!(case::store::first_unassigned(&mut tx).await.unwrap(), None, "what is taken stays");
        let row = case::store::find(&mut tx, id).await.unwrap().unwrap();
        assert_eq!((row.topic.as_str(), row.protected), ("skola", true), "another change leaves the judgement be");
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn earlier_answers_are_found_by_topic_place_and_text() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let id = an_assigned_case(&mut tx, "s1", "Brunt vatten i Nol", later(60)).await;
        let row = case::store::find(&mut tx, id).await.unwrap().unwrap();
        let new = response::store::NewResponse {
            case: id,
            kind: response::Kind::Answer,
            body: "Vi spolar.",
            url: None,
            unit: Some("va"),
            written_by: "karin",
            answered_at: later(30),
        };
        response::store::put(&mut tx, &new, later(30)).await.unwrap();
        let closed = Change { state: Some("answered"), closed_at: Some(later(30)), ..Change::default() };
        assert!(case::store::change(&mut tx, id, row.revision, &closed, later(30)).await.unwrap());
        let place = response::store::answered_in(&mut tx, "va", Some("Nol"), NOW, 9).await.unwrap();
        assert_eq!(place.iter().map(|one| one.case_id).collect::<Vec<_>>(), [id]);
        assert_eq!(response::store::answered_in(&mut tx, "va", None, NOW, 9).await.unwrap(), place);
        assert_eq!(response::store::answered_in(&mut tx, "va", Some("Surte"), NOW, 9).await.unwrap(), []);
        assert_eq!(response::store::answered_in(&mut tx, "skola", None, NOW, 9).await.unwrap(), []);
        assert_eq!(response::store::answered_copies(&mut tx, row.cluster_id, NOW, 9).await.unwrap(), place);
        assert_eq!(response::store::answered_copies(&mut tx, row.cluster_id, later(31), 9).await.unwrap(), []);
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn absences_and_silences_hold_until_they_end() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let id = assignment::store::put_absence(&mut tx, "karin", NOW, later(60), Some("johan")).await.unwrap();
        assert_eq!(assignment::store::absences(&mut tx, later(59)).await.unwrap().len(), 1);
        assert!(assignment::store::absences(&mut tx, later(60)).await.unwrap().is_empty());
        assert!(!assignment::store::end_absence(&mut tx, id, "johan", NOW).await.unwrap());
        assert!(assignment::store::end_absence(&mut tx, id, "karin", NOW).await.unwrap());
        assert!(assignment::store::absences(&mut tx, NOW).await.unwrap().is_empty());
        reminder::store::put_silence(&mut tx, "unit", "va", NOW, later(60), "övning", "eva").await.unwrap();
        assert_eq!(reminder::store::silences(&mut tx, NOW).await.unwrap()[0].reason, "övning");
        assert!(reminder::store::silences(&mut tx, later(60)).await.unwrap().is_empty());
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_purged_loses_its_words_and_keeps_its_numbers() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let id = an_assigned_case(&mut tx, "1", "hemliga ord", later(60)).await;
        let row = case::store::find(&mut tx, id).await.unwrap().unwrap();
        let close = Change { state: Some("answered"), closed_at: Some(later(9)), ..Change::default() };
        case::store::change(&mut tx, id, row.revision, &close, NOW).await.unwrap();
        assert_eq!(case::store::purge_words(&mut tx, "|klagomal|", later(10), 9).await.unwrap(), 0, "another class");
        assert_eq!(case::store::purge_words(&mut tx, "|fraga|", later(10), 9).await.unwrap(), 1);
        assert_eq!(case::store::purge_words(&mut tx, "|fraga|", later(10), 9).await.unwrap(), 0);
        let row = case::store::find(&mut tx, id).await.unwrap().unwrap();
        assert_eq!((row.title.as_str(), row.topic.as_str()), ("", "va"));
        assert_eq!(mention::store::find(&mut tx, row.mention_id).await.unwrap().unwrap().body, "");
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_says_where_it_was_changed() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let fact = |n: i64| Fact::of_case(later(n), "case.opened", CaseId(n), serde_json::json!({ "n": n }));
        journal::append(&mut tx, &[fact(1), fact(2)]).await.unwrap();
        journal::append(&mut tx, &[fact(3)]).await.unwrap();
        assert_eq!(journal::verify(&mut tx).await.unwrap(), Verdict::Whole { entries: 3 });
        assert_eq!(journal::of_case(&mut tx, CaseId(2), 9).await.unwrap().len(), 1);
        assert_eq!(journal::latest(&mut tx, i64::MAX, 1).await.unwrap()[0].seq, 3);
        lyhord::on!(tx, c => sqlx::query("update journal set actor = 'annan' where seq = 2").execute(c).await.map(|_| ())).unwrap();
        let verdict = journal::verify(&mut tx).await.unwrap();
        assert!(matches!(verdict, Verdict::Broken { seq: 2, .. }), "{verdict:?}");
        tx.commit().await.unwrap();
        let mut tx = writing(&db).await;
        lyhord::on!(tx, c => sqlx::query("delete from journal where seq = 3").execute(c).await.map(|_| ())).unwrap();
        lyhord::on!(tx, c => sqlx::query("update journal set actor = 'lyhord' where seq = 2").execute(c).await.map(|_| ())).unwrap();
        let verdict = journal::verify(&mut tx).await.unwrap();
        assert!(matches!(verdict, Verdict::Broken { seq: 3, .. }), "{verdict:?}");
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_is_enqueued_with_its_fact_or_not_at_all() {
    on_both(|_, db| async move {
        let work = Work { job: "sweep".into(), id: None, lane: Lane::River };
        let mut tx = writing(&db).await;
        assert!(queue::enqueue(&mut tx, &work, Some("k"), NOW).await.unwrap());
        drop(tx);
        let mut tx = writing(&db).await;
        assert_eq!(queue::depth(&mut tx).await.unwrap(), [], "what was not committed is not there");
        assert!(queue::enqueue(&mut tx, &work, Some("k"), NOW).await.unwrap());
        assert!(!queue::enqueue(&mut tx, &work, Some("k"), NOW).await.unwrap(), "once for a key");
        a_source(&mut tx).await;
        tx.commit().await.unwrap();
        let mut tx = writing(&db).await;
        assert_eq!(
            queue::depth(&mut tx).await.unwrap(),
            [("Pending".to_owned(), 1)],
            "a known key leaves the transaction whole"
        );
        assert_eq!(queue::clean(&mut tx, later(1)).await.unwrap(), 0);
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_is_refused_with_a_way_out() {
    for engine in crate::harness::ENGINES {
        let database = crate::harness::database(engine);
        let db = Db::open(&database.address, 4).await.unwrap();
        let mut tx = db.write().await.unwrap();
        let sql = match tx.engine() {
            lyhord::db::Engine::Sqlite => {
                "insert into _sqlx_migrations values (9999, 'x', current_timestamp, true, x'00', 1)"
            }
            lyhord::db::Engine::Postgres => "insert into _sqlx_migrations values (9999, 'x', now(), true, '\\x00', 1)",
        };
        lyhord::on!(tx, c => sqlx::query(sql).execute(c).await.map(|_| ())).unwrap();
        tx.commit().await.unwrap();
        db.close().await;
        let refused = Db::open(&database.address, 4).await.unwrap_err().to_string();
        assert!(refused.contains("newer than this program") && refused.contains("9999"), "{refused}");
    }
}

/// A store function that is not named in these tests has not been run on both databases.
#[test]
fn every_store_function_is_called_on_both_databases() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests: String = ["contract.rs", "pages.rs"]
        .iter()
        .map(|name| std::fs::read_to_string(root.join("tests/it").join(name)).unwrap_or_default())
        .collect();
    let mut forgotten = Vec::new();
    for room in
        ["source", "mention", "classification", "case", "assignment", "chat", "reminder", "response", "audit", "web"]
    {
        let Ok(text) = std::fs::read_to_string(root.join("src").join(room).join("store.rs")) else { continue };
        for line in text.lines().filter_map(|line| line.strip_prefix("pub async fn ")) {
            let name = line.split(['(', '<']).next().unwrap();
            if !tests.contains(&format!("store::{name}(")) {
                forgotten.push(format!("{room}::store::{name}"));
            }
        }
    }
    assert!(forgotten.is_empty(), "{}", forgotten.join("\n"));
}
