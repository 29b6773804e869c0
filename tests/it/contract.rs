//! Every store function on both databases: the same facts in, the same facts out.

use lyhord::case::batch_store::{About, Around, Arrival, Assigned, LookedAt, Near, NewCase};
use lyhord::case::list_store::Filter;
use lyhord::case::store::Change;
use lyhord::classification::{Classification, Confidence, Intent, Sentiment, Urgency};
use lyhord::clock::Time;
use lyhord::db::{Db, DbError, Tx};
use lyhord::id::{CaseId, MentionId, SourceId};
use lyhord::journal::{self, Fact, Verdict};
use lyhord::mention::Relevance;
use lyhord::mention::keep_store::{self, Alike, Banded, Clustered, Marks, NewMention, Same};
use lyhord::mention::version_store;
use lyhord::queue::{self, Lane, Work};
use lyhord::reminder::store::NewReminder;
use lyhord::source::channel_store::{self, AccountCheck};
use lyhord::source::rhythm::Hour;
use lyhord::source::store::{Named, Reading};
use lyhord::{assignment, audit, case, chat, classification, mention, reminder, response, source, web};

use crate::harness::{Engine, kept, on_both};

pub const NOW: Time = Time(1_000_000_000_000);

pub fn later(seconds: i64) -> Time {
    Time(NOW.0 + seconds * 1_000)
}

pub fn named(key: &str, address: &str) -> Named {
    let own = |text: &str| text.to_owned();
    Named {
        key: own(key),
        kind: own("feed"),
        name: own(key),
        address: own(address),
        channel: own("rss"),
        enabled: true,
        streamed: false,
    }
}

pub async fn a_source(tx: &mut Tx) -> SourceId {
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
    let id = kept(tx, new, NOW).await;
    let banded = [Banded { band: 1, id }, Banded { band: 2, id }];
    keep_store::cluster(tx, &[Clustered { id, cluster: id }], &banded).await.unwrap();
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

pub async fn a_case(tx: &mut Tx, native_id: &str, words: &str) -> CaseId {
    let source = a_source(tx).await;
    let mention = a_mention(tx, source, native_id, words).await;
    let new = NewCase {
        mention_id: mention,
        cluster_id: mention,
        source_id: source,
        channel: "rss",
        thread: Some("t1"),
        title: words,
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
    case::batch_store::open(tx, &[(new, words)], NOW).await.unwrap()[&mention]
}

pub async fn an_assigned_case(tx: &mut Tx, native_id: &str, words: &str, due: Time) -> CaseId {
    let id = a_case(tx, native_id, words).await;
    case::batch_store::assign(tx, &[assigned(id, due)], NOW).await.unwrap();
    id
}

/// What gives a case to Karin at the water works.
pub fn assigned(id: CaseId, due: Time) -> Assigned<'static> {
    Assigned {
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
        queued: false,
    }
}

/// The notice of a case to somebody, in its first round.
pub fn a_reminder(case_id: CaseId, recipient: &str) -> NewReminder<'_> {
    NewReminder { case_id, recipient, due_at: later(3600), stage: "notice", round: 1, breaks: false }
}

pub async fn writing(db: &Db) -> Tx {
    db.write().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_read_by_one_at_a_time_and_keeps_its_place() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let id = a_source(&mut tx).await;
        assert_eq!(source::store::due(&mut tx, NOW, 9).await.unwrap(), [(id, NOW, 0)]);
        let all = source::store::names(&mut tx).await.unwrap();
        assert!(matches!(&all[..], [(named, _)] if *named == id), "{all:?}");
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
            gone_at: None,
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
        let elsewhere = NewMention { channel: "forum", url_key: Some("u"), ..again.clone() };
        let batch = [again, elsewhere.clone(), elsewhere];
        let ids = keep_store::keep(&mut tx, &batch, NOW).await.unwrap();
        assert!(matches!(ids[..], [None, Some(_), None]), "known, new, and twice in the batch: {ids:?}");
        let other = ids[1].unwrap();
        keep_store::cluster(&mut tx, &[Clustered { id: other, cluster: other }], &[]).await.unwrap();
        let second = a_mention(&mut tx, source, "2", "brunt vatten i Nol!").await;
        let new = |id| MentionId(second.0 + id);
        let marks = [
            Marks { id: new(1), url_key: None, fingerprint: Some(7) },
            Marks { id: new(2), url_key: Some("u"), fingerprint: Some(7) },
            Marks { id: new(3), url_key: Some("x"), fingerprint: None },
        ];
        let same = |id, by_url, by_words| Same { id: new(id), by_url, by_words };
        assert_eq!(
            keep_store::same(&mut tx, &marks).await.unwrap(),
            [same(1, None, Some(first)), same(2, Some(other), Some(first)), same(3, None, None)]
        );
        assert_eq!(keep_store::met(&mut tx, &[1, 5, 1]).await.unwrap(), [1]);
        let alike = keep_store::alike(&mut tx, &[1, 5], 1).await.unwrap();
        let body = "brunt vatten i Nol".to_owned();
        assert_eq!(alike, [Alike { id: first, cluster_id: first, shared: 1, body }]);
        assert_eq!(mention::store::waiting(&mut tx).await.unwrap(), 3);
        let unjudged = mention::store::unjudged(&mut tx, 9).await.unwrap();
        assert_eq!(unjudged.iter().map(|m| m.id).collect::<Vec<_>>(), [first, other, second]);
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
        let texts = mention::store::texts(&mut tx, 1).await.unwrap();
        assert_eq!((texts[0].id, texts[0].source.as_str(), texts[0].veiled), (second, "alekuriren", true));
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
            case::batch_store::unassigned(&mut tx, 9).await.unwrap().iter().map(|c| c.id).collect::<Vec<_>>(),
            [unassigned]
        );
        let all = Filter { restricted: true, ..Filter::default() };
        let page = case::list_store::page(&mut tx, &all, 1).await.unwrap();
        assert_eq!(page.iter().map(|c| c.id).collect::<Vec<_>>(), [soon]);
        let next = Filter { after: Some((page[0].due_at.unwrap(), page[0].id)), ..all.clone() };
        let page = case::list_store::page(&mut tx, &next, 9).await.unwrap();
        assert_eq!(page.iter().map(|c| c.id).collect::<Vec<_>>(), [late]);
        for words in ["snöröjning", "älvängen \"(*"] {
            let found =
                case::list_store::page(&mut tx, &Filter { words: Some(words), ..all.clone() }, 9).await.unwrap();
            assert_eq!(found.len(), 1, "{words}");
        }
        let none =
            case::list_store::page(&mut tx, &Filter { words: Some("snorojning"), ..all.clone() }, 9).await.unwrap();
        assert!(none.is_empty(), "å, ä and ö are letters");
        let others = case::list_store::page(&mut tx, &Filter { unit: Some("skola"), ..all.clone() }, 9).await.unwrap();
        assert!(others.is_empty());
        let first = case::list_store::waiting(&mut tx, (Time(i64::MIN), CaseId(0)), 1).await.unwrap();
        assert_eq!(first.iter().map(|c| c.id).collect::<Vec<_>>(), [soon]);
        let next = case::list_store::waiting(&mut tx, (first[0].due_at.unwrap(), soon), 9).await.unwrap();
        assert_eq!(next.iter().map(|c| c.id).collect::<Vec<_>>(), [late]);
        assert_eq!(case::list_store::counts(&mut tx, "karin", later(250)).await.unwrap(), (3, 1, 2));
        assert_eq!(case::queue_store::holders(&mut tx).await.unwrap(), ["karin"]);
        let loads = case::batch_store::loads(&mut tx).await.unwrap();
        assert_eq!(loads, [("karin".to_owned(), 2, Some(NOW))]);
        let standing = Arrival { id: MentionId(999), channel: "rss", thread: Some("t1"), cluster_id: MentionId(999) };
        let elsewhere = Arrival { id: MentionId(998), channel: "forum", ..standing };
        let near = case::batch_store::near(&mut tx, &[standing, elsewhere]).await.unwrap();
        let around = |id, in_thread| Near { id: MentionId(id), in_thread, waiting: None, in_cluster: None };
        assert_eq!(near, [around(999, Some(late)), around(998, None)]);
        let source = a_source(&mut tx).await;
        let extra = a_mention(&mut tx, source, "4", "Lampan är släckt i Älvängen").await;
        case::store::add_mention(&mut tx, late, extra).await.unwrap();
        case::batch_store::add_mentions(&mut tx, &[(late, extra)]).await.unwrap();
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
        let other = an_assigned_case(&mut tx, "2", "b", later(3600)).await;
        assert_eq!(case::batch_store::next_look(&mut tx).await.unwrap(), Some(NOW));
        assert_eq!(case::batch_store::to_look_at(&mut tx, NOW, 9).await.unwrap().len(), 2);
        let quiet = LookedAt {
            id,
            next_look_at: Some(later(60)),
            hold: Some("Tyst".to_owned()),
            hold_kind: Some("closed"),
            hold_until: Some(later(60)),
        };
        let awake = LookedAt {
            id: other,
            next_look_at: None,
            hold: Some("Sagt".to_owned()),
            hold_kind: Some("told"),
            hold_until: None,
        };
        case::batch_store::looked_at(&mut tx, &[]).await.unwrap();
        case::batch_store::looked_at(&mut tx, &[quiet, awake]).await.unwrap();
        let row = case::store::find(&mut tx, id).await.unwrap().unwrap();
        assert_eq!((row.hold.as_deref(), row.hold_until), (Some("Tyst"), Some(later(60))));
        assert!(case::batch_store::to_look_at(&mut tx, later(59), 9).await.unwrap().is_empty());
        for (about, changed) in [(About::Unit("skola"), 0), (About::Topic("inget"), 0), (About::Crisis, 1)] {
            assert_eq!(
                case::batch_store::silence_changed(&mut tx, about, later(4)).await.unwrap(),
                changed,
                "{about:?}"
            );
        }
        let woken = case::batch_store::to_look_at(&mut tx, later(4), 9).await.unwrap();
        assert_eq!(
            woken.iter().map(|row| row.id).collect::<Vec<_>>(),
            [id],
            "what is told has nothing to be silent about"
        );
        let owner = |key: &str| Around { owner: Some(key.to_owned()), unit: None };
        let unit = |key: &str| Around { owner: None, unit: Some(key.to_owned()) };
        assert_eq!(case::batch_store::look_again(&mut tx, &[], later(5)).await.unwrap(), 0);
        assert_eq!(
            case::batch_store::look_again(&mut tx, &[owner("karin"), unit("skola")], later(5)).await.unwrap(),
            2
        );
        assert_eq!(
            case::batch_store::look_again(&mut tx, &[owner("ingen"), unit("skola")], later(5)).await.unwrap(),
            0
        );
        assert_eq!(case::batch_store::to_look_at(&mut tx, later(5), 9).await.unwrap().len(), 2);
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thing_is_decided_once_and_carried_by_one_message() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let case = an_assigned_case(&mut tx, "1", "a", later(3600)).await;
        let notice = a_reminder(case, "karin");
        let put = reminder::store::put(&mut tx, &[notice, notice], NOW).await.unwrap();
        assert_eq!(put, [(case, "karin".to_owned(), "notice".to_owned())].into());
        let again = reminder::store::put(&mut tx, &[notice], NOW).await.unwrap();
        assert!(again.is_empty(), "the key makes it once");
        let unwritten = chat::store::unwritten(&mut tx, 9).await.unwrap();
        assert_eq!(unwritten.len(), 1);
        assert!(chat::outbox_store::joinable(&mut tx, "karin", None).await.unwrap().is_none());
        let message = chat::store::put_message(&mut tx, "karin", "telegram", "42", "{}", NOW, NOW).await.unwrap();
        chat::store::carry(&mut tx, &[unwritten[0].0], message).await.unwrap();
        assert!(chat::store::unwritten(&mut tx, 9).await.unwrap().is_empty());
        assert_eq!(chat::store::extent(&mut tx, message).await.unwrap(), (1, Some(later(3600))));
        assert_eq!(case::list_store::of_message(&mut tx, message, 9).await.unwrap()[0].id, case);
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
        assert_eq!(chat::outbox_store::joinable(&mut tx, "karin", None).await.unwrap().unwrap().id, message);
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
        reminder::store::put(&mut tx, &[a_reminder(case, "karin")], NOW).await.unwrap();
        let reminder = chat::store::unwritten(&mut tx, 9).await.unwrap()[0].0;
        let message = chat::store::put_message(&mut tx, "karin", "telegram", "42", "{}", NOW, NOW).await.unwrap();
        chat::store::carry(&mut tx, &[reminder], message).await.unwrap();
        chat::store::voice_moved(&mut tx, "telegram", "42", "-43").await.unwrap();
        assert_eq!(chat::outbox_store::joinable(&mut tx, "karin", None).await.unwrap().unwrap().address, "-43");
        chat::store::give_up(&mut tx, message, "blockerad").await.unwrap();
        chat::store::voice_failed(&mut tx, "karin", ("telegram", "-43"), "blockerad", NOW).await.unwrap();
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
        web::store::put_attempt(&mut tx, "other", NOW).await.unwrap();
        web::store::forget_attempt(&mut tx, "other", NOW).await.unwrap();
        assert_eq!(web::store::attempts(&mut tx, "other", later(-1), 9).await.unwrap(), [NOW], "one of the two");
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
        assert!(!chat::outbox_store::move_up(&mut tx, last.id, "johan").await.unwrap(), "only her own");
        assert!(chat::outbox_store::move_up(&mut tx, last.id, "karin").await.unwrap());
        assert_eq!(chat::store::voices(&mut tx).await.unwrap()[0].id, last.id);
        let silence =
            reminder::store::put_silence(&mut tx, "person", "karin", NOW, later(60), "möte", "karin").await.unwrap();
        assert!(web::store::lift_silence(&mut tx, silence, "karin", NOW).await.unwrap());
        assert!(!web::store::lift_silence(&mut tx, silence, "karin", NOW).await.unwrap());
        reminder::store::put(&mut tx, &[a_reminder(id, "karin")], NOW).await.unwrap();
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
        assert_eq!(case::batch_store::first_unassigned(&mut tx).await.unwrap(), None);
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
        assert_eq!(case::batch_store::first_unassigned(&mut tx).await.unwrap(), Some(id));
        assert_eq!(case::batch_store::unassigned(&mut tx, 9).await.unwrap().len(), 1);
        let taken = Change { state: Some("accepted"), ..Change::default() };
        assert!(case::store::change(&mut tx, id, now.revision, &taken, later(9)).await.unwrap());
        assert_eq!(case::batch_store::first_unassigned(&mut tx).await.unwrap(), None, "what is taken stays");
        let row = case::store::find(&mut tx, id).await.unwrap().unwrap();
        assert_eq!((row.topic.as_str(), row.protected), ("skola", true), "another change leaves the judgement be");
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_of_the_judge_are_kept_with_their_numbers_and_one_is_in_office() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        assert_eq!(classification::store::in_office(&mut tx).await.unwrap(), None);
        assert_eq!(
            (
                classification::store::newest_good(&mut tx).await.unwrap(),
                classification::store::learned_to(&mut tx, "b").await.unwrap()
            ),
            (0, 0)
        );
        let new = |hash, model, learned_to, state| classification::store::NewVersion {
            hash,
            basis: "b",
            model,
            figures: "{}",
            figures_before: None,
            corrections: 3,
            learned_to,
            learned: "{}",
            state,
            because: "därför",
        };
        assert_eq!(
            classification::store::put_version(&mut tx, &new("h1", None, 0, "in-office"), NOW).await.unwrap(),
            1
        );
        assert_eq!(
            classification::store::put_version(&mut tx, &new("h2", Some(b"modell"), 7, "waiting"), NOW).await.unwrap(),
            2
        );
        assert_eq!(classification::store::put_version(&mut tx, &new("h3", None, 8, "refused"), NOW).await.unwrap(), 3);
        assert_eq!(classification::store::newest_good(&mut tx).await.unwrap(), 2);
        assert_eq!(
            classification::store::learned_to(&mut tx, "b").await.unwrap(),
            8,
            "what was refused is not tried again at once"
        );
        assert_eq!(classification::store::learned_to(&mut tx, "annan").await.unwrap(), 0);
        assert_eq!(classification::store::shipped_version(&mut tx, "b").await.unwrap().unwrap().number, 1);
        classification::store::stand(&mut tx, 1, "retired", "karin", later(1)).await.unwrap();
        classification::store::stand(&mut tx, 2, "in-office", "karin", later(1)).await.unwrap();
        let office = classification::store::in_office(&mut tx).await.unwrap().unwrap();
        assert_eq!((office.number, office.kept, office.stands_by.as_str()), (2, true, "karin"));
        assert_eq!(classification::store::model_of(&mut tx, 2).await.unwrap().as_deref(), Some(&b"modell"[..]));
        assert_eq!(classification::store::model_of(&mut tx, 1).await.unwrap(), None);
        classification::store::put_version(&mut tx, &new("h4", Some(b"m4"), 9, "retired"), NOW).await.unwrap();
        classification::store::put_version(&mut tx, &new("h5", Some(b"m5"), 9, "retired"), NOW).await.unwrap();
        assert_eq!(
            classification::store::forget_models(&mut tx, 1).await.unwrap(),
            1,
            "the newest and the one in office keep theirs"
        );
        let kept: Vec<(i64, bool)> = classification::store::versions(&mut tx, i64::MAX, 9)
            .await
            .unwrap()
            .iter()
            .map(|row| (row.number, row.kept))
            .collect();
        assert_eq!(kept, [(5, true), (4, false), (3, false), (2, true), (1, false)]);
        assert_eq!(classification::store::versions(&mut tx, 3, 1).await.unwrap().len(), 1);
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_have_said_is_about_us_or_not_is_counted_by_their_last_word() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let mut told = Vec::new();
        for (n, state, outcome) in
            [("p1", "answered", None), ("p2", "dismissed", Some("not-about-us")), ("p3", "answered", None)]
        {
            let id = an_assigned_case(&mut tx, n, "Brunt vatten", later(60)).await;
            let row = case::store::find(&mut tx, id).await.unwrap().unwrap();
            let change = Change { state: Some(state), closed_at: Some(later(30)), outcome, ..Change::default() };
            assert!(case::store::change(&mut tx, id, row.revision, &change, later(30)).await.unwrap());
            told.push(row.mention_id);
        }
        let correct = |became| classification::store::NewCorrection {
            mention: told[2],
            case: None,
            question: "relevance",
            was: "yes",
            became,
            reason: None,
            made_by: "karin",
        };
        for became in ["yes", "no"] {
            classification::store::put_correction(&mut tx, &correct(became), NOW).await.unwrap();
        }
        let found = audit::store::told_about_us(&mut tx, 9).await.unwrap();
        let found: Vec<(MentionId, bool)> = found.iter().map(|one| (one.text.id, one.about_us)).collect();
        assert_eq!(found, [(told[0], true), (told[1], false), (told[2], false)]);
        source::store::tally(&mut tx, "2026-11-23", "rule:Ale", "heard", 2).await.unwrap();
        source::store::tally(&mut tx, "2026-11-23", "source:x", "heard", 5).await.unwrap();
        source::store::tally(&mut tx, "2026-10-01", "rule:Ale", "heard", 9).await.unwrap();
        assert_eq!(
            source::store::heard_by_rule(&mut tx, "2026-11-01", "2026-11-30").await.unwrap(),
            [("2026-11-23".to_owned(), "Ale".to_owned(), 2)]
        );
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
async fn the_journal_is_whole_while_it_is_being_written() {
    on_both(|_, db| async move {
        let pen = db.clone();
        let writer = tokio::spawn(async move {
            for n in 0..200 {
                let mut tx = writing(&pen).await;
                let fact = Fact::of_case(later(n), "case.opened", CaseId(n), serde_json::json!({}));
                journal::append(&mut tx, &[fact]).await.unwrap();
                tx.commit().await.unwrap();
            }
        });
        let mut walks = 0;
        while !writer.is_finished() || walks == 0 {
            let mut tx = db.read().await.unwrap();
            let verdict = journal::verify(&mut tx).await.unwrap();
            assert!(matches!(verdict, Verdict::Whole { .. }), "{verdict:?}");
            walks += 1;
        }
        writer.await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_shows_one_moment_whatever_is_written_meanwhile() {
    on_both(|engine, db| async move {
        let mut tx = writing(&db).await;
        a_source(&mut tx).await;
        tx.commit().await.unwrap();
        let mut page = db.read().await.unwrap();
        let before = source::store::names(&mut page).await.unwrap();
        let mut tx = writing(&db).await;
        source::store::the_import(&mut tx, &Named::import(), NOW).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(source::store::names(&mut page).await.unwrap(), before, "the same page");
        page.commit().await.unwrap();
        let mut page = db.read().await.unwrap();
        assert_eq!(source::store::names(&mut page).await.unwrap().len(), before.len() + 1, "the next page");
        if engine == Engine::Postgres {
            source::store::the_import(&mut page, &Named::import(), NOW).await.expect_err("a reader writes nothing");
        }
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

/// A reminder about `case` to Karin that was sent on Telegram under this name; returns its message.
async fn a_sent_message(tx: &mut Tx, case: CaseId, stage: &str, external_id: &str) -> lyhord::id::MessageId {
    reminder::store::put(tx, &[NewReminder { stage, ..a_reminder(case, "karin") }], NOW).await.unwrap();
    let message = chat::store::put_message(tx, "karin", "telegram", "42", "{}", NOW, NOW).await.unwrap();
    let reminder = chat::store::unwritten(tx, 9).await.unwrap()[0].0;
    chat::store::carry(tx, &[reminder], message).await.unwrap();
    chat::outbox_store::overtake(tx, &[reminder], message).await.unwrap();
    let claimed = chat::store::claim(tx, NOW, later(90), 9).await.unwrap();
    let row = claimed.iter().find(|row| row.id == message).unwrap();
    chat::store::said(tx, row, external_id, NOW).await.unwrap();
    message
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_no_longer_says_how_it_is_is_found_and_changed_once() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let case = an_assigned_case(&mut tx, "n1", "vatten", later(3600)).await;
        let first = a_sent_message(&mut tx, case, "notice", "tg-1").await;
        assert_eq!(chat::outbox_store::next_stale(&mut tx).await.unwrap(), None, "it says how it is");
        let second = a_sent_message(&mut tx, case, "due", "tg-2").await;
        let stale = chat::outbox_store::stale(&mut tx, 9).await.unwrap();
        assert_eq!(stale.iter().map(|row| row.id).collect::<Vec<_>>(), [first], "the later one has overtaken it");
        let told = chat::outbox_store::told(&mut tx, first).await.unwrap();
        assert_eq!(told, [chat::outbox_store::Told { case_id: case, round: 1, newest: second, follows: false }]);
        chat::outbox_store::fresh(&mut tx, first).await.unwrap();
        let row = case::store::find(&mut tx, case).await.unwrap().unwrap();
        let change = Change { state: Some("accepted"), accepted_at: Some(NOW), ..Change::default() };
        assert!(case::store::change(&mut tx, case, row.revision, &change, NOW).await.unwrap());
        assert_eq!(chat::outbox_store::stale(&mut tx, 9).await.unwrap().len(), 2, "the case has moved");
        assert_eq!(chat::outbox_store::shown(&mut tx, first).await.unwrap().as_deref(), Some("{}"));
        assert_eq!(chat::outbox_store::external_id(&mut tx, first).await.unwrap().as_deref(), Some("tg-1"));
        let sent = chat::outbox_store::sent_as(&mut tx, "telegram", "tg-1").await.unwrap();
        assert_eq!(sent.map(|row| row.id), Some(first));
        assert_eq!(chat::outbox_store::sent_as(&mut tx, "email", "tg-1").await.unwrap(), None);
        chat::outbox_store::put_edit(&mut tx, &stale[0], "{\"n\":1}", NOW).await.unwrap();
        chat::outbox_store::put_edit(&mut tx, &stale[0], "{\"n\":2}", NOW).await.unwrap();
        assert_eq!(chat::outbox_store::shown(&mut tx, first).await.unwrap().as_deref(), Some("{\"n\":2}"));
        let edits = chat::store::claim(&mut tx, NOW, later(90), 9).await.unwrap();
        assert_eq!((edits.len(), edits[0].edits, edits[0].kind.as_str()), (1, Some(first), "edit"));
        chat::outbox_store::edited(&mut tx, edits[0].id).await.unwrap();
        assert_eq!(chat::store::states(&mut tx).await.unwrap(), [("sent".to_owned(), 3)]);
        chat::outbox_store::put_edit(&mut tx, &stale[0], "{\"n\":3}", NOW).await.unwrap();
        let last = chat::store::claim(&mut tx, NOW, later(90), 9).await.unwrap();
        chat::outbox_store::not_tried(&mut tx, last[0].id).await.unwrap();
        chat::outbox_store::drop_edit(&mut tx, last[0].id, "för gammalt").await.unwrap();
        reminder::store::put(&mut tx, &[a_reminder(case, "johan")], NOW).await.unwrap();
        let waits = chat::store::put_message(&mut tx, "johan", "slack", "U1", "{}", NOW, NOW).await.unwrap();
        assert_eq!(chat::outbox_store::waiting(&mut tx).await.unwrap(), [("slack".to_owned(), 1, NOW, NOW)]);
        assert!(chat::outbox_store::void(&mut tx, waits).await.unwrap());
        assert!(!chat::outbox_store::void(&mut tx, waits).await.unwrap(), "nothing waits any more");
        assert_eq!(chat::outbox_store::last_said(&mut tx, "telegram").await.unwrap(), Some(NOW));
        assert_eq!(chat::outbox_store::last_said(&mut tx, "slack").await.unwrap(), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_is_written_once_and_a_voice_s_health_begins_when_it_was_first_noted() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let to = ("karin", "email", "karin@ale.se");
        let first = chat::outbox_store::put_notice(&mut tx, to, "kod", Some("k"), NOW).await.unwrap();
        assert!(first.is_some());
        assert!(chat::outbox_store::put_notice(&mut tx, to, "kod", Some("k"), NOW).await.unwrap().is_none());
        assert!(chat::outbox_store::put_notice(&mut tx, to, "prov", None, NOW).await.unwrap().is_some());
        assert!(chat::outbox_store::put_notice(&mut tx, to, "prov", None, NOW).await.unwrap().is_some());
        assert!(
            chat::outbox_store::joinable(&mut tx, "karin", None).await.unwrap().is_none(),
            "a notice takes no reminders"
        );
        let (state, at, _) =
            chat::outbox_store::latest_notice(&mut tx, "email", "karin@ale.se").await.unwrap().unwrap();
        assert_eq!((state.as_str(), at), ("waiting", NOW));
        chat::outbox_store::forget_body(&mut tx, first.unwrap()).await.unwrap();
        let bodies: Vec<String> =
            chat::store::claim(&mut tx, NOW, later(90), 9).await.unwrap().into_iter().map(|row| row.body).collect();
        assert_eq!(bodies, ["{}", "prov", "prov"]);

        let ill = |since, why: &str| chat::outbox_store::Health {
            voice: "slack".into(),
            state: "silent".into(),
            since,
            why: why.into(),
            try_again_at: later(300),
        };
        chat::outbox_store::fell_ill(&mut tx, &ill(NOW, "a")).await.unwrap();
        chat::outbox_store::fell_ill(&mut tx, &ill(later(60), "b")).await.unwrap();
        assert_eq!(chat::outbox_store::ill(&mut tx).await.unwrap(), [ill(NOW, "b")]);
        assert!(chat::outbox_store::recovered(&mut tx, "slack").await.unwrap());
        assert!(!chat::outbox_store::recovered(&mut tx, "slack").await.unwrap());

        assert_eq!(chat::outbox_store::heard(&mut tx, "u1").await.unwrap(), None);
        assert!(chat::outbox_store::put_heard(&mut tx, "u1", "Tack!", false, NOW).await.unwrap());
        assert!(!chat::outbox_store::put_heard(&mut tx, "u1", "Nej", true, NOW).await.unwrap(), "the first holds");
        assert_eq!(chat::outbox_store::heard(&mut tx, "u1").await.unwrap(), Some(("Tack!".to_owned(), false)));
        assert_eq!(chat::outbox_store::forget_heard(&mut tx, later(1)).await.unwrap(), 1);

        chat::outbox_store::put_sent_code(&mut tx, "h", to, later(60)).await.unwrap();
        assert_eq!(
            chat::store::use_code(&mut tx, "h", "email", NOW).await.unwrap(),
            None,
            "it cannot be said in a chat"
        );
        assert_eq!(chat::outbox_store::use_sent_code(&mut tx, "h", "johan", NOW).await.unwrap(), None, "not his");
        let bound = chat::outbox_store::use_sent_code(&mut tx, "h", "karin", NOW).await.unwrap();
        assert_eq!(bound, Some(("email".to_owned(), "karin@ale.se".to_owned())));
        assert_eq!(chat::outbox_store::use_sent_code(&mut tx, "h", "karin", NOW).await.unwrap(), None, "once only");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_say_which_version_it_is_of_is_at_fault_and_not_older() {
    for engine in crate::harness::ENGINES {
        let changed_by = async |sql: &'static str| {
            let database = crate::harness::database(engine);
            let db = Db::open(&database.address, 4).await.unwrap();
            let mut tx = db.write().await.unwrap();
            lyhord::on!(tx, c => sqlx::query(sql).execute(c).await.map(|_| ())).unwrap();
            tx.commit().await.unwrap();
            db.close().await;
            database
        };
        let database = changed_by("alter table _sqlx_migrations rename column version to edition").await;
        let fault = Db::open_as_is(&database.address, 4).await.unwrap_err();
        assert!(matches!(fault, DbError::Sqlx(_)), "{engine:?}: {fault}");
        let fault = Db::open(&database.address, 4).await.unwrap_err();
        assert!(matches!(fault, DbError::Sqlx(_)), "{engine:?}: {fault}");

        let database = changed_by("drop table _sqlx_migrations").await;
        let fault = Db::open_as_is(&database.address, 4).await.unwrap_err();
        assert!(matches!(fault, DbError::Older { found: 0, .. }), "one that has never had any: {engine:?}: {fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_watched_over_and_its_troubles_are_told_once() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let id = a_source(&mut tx).await;
        assert_eq!(channel_store::latest_stretch(&mut tx, id).await.unwrap(), None);
        channel_store::begin_stretch(&mut tx, id, NOW).await.unwrap();
        let (stretch, until) = channel_store::latest_stretch(&mut tx, id).await.unwrap().unwrap();
        assert_eq!(until, NOW);
        channel_store::lengthen_stretch(&mut tx, stretch, later(60)).await.unwrap();
        channel_store::lengthen_stretch(&mut tx, stretch, later(30)).await.unwrap();
        channel_store::begin_stretch(&mut tx, id, later(900)).await.unwrap();
        let stretches = channel_store::stretches(&mut tx, id, NOW, 9).await.unwrap();
        let seen: Vec<_> = stretches.iter().map(|stretch| (stretch.from, stretch.until, stretch.readings)).collect();
        assert_eq!(seen, [(NOW, later(60), 3), (later(900), later(900), 1)]);
        assert_eq!(channel_store::stretches(&mut tx, id, later(100), 9).await.unwrap().len(), 1);

        channel_store::add_items(&mut tx, id, 7, 2).await.unwrap();
        channel_store::add_items(&mut tx, id, 7, 3).await.unwrap();
        assert_eq!(channel_store::hours(&mut tx, id, 7).await.unwrap(), [Hour { hour: 7, items: 5 }]);
        assert_eq!(channel_store::forget_hours(&mut tx, 8).await.unwrap(), 1);
        assert_eq!(channel_store::newest(&mut tx, id).await.unwrap(), None);
        channel_store::set_newest(&mut tx, id, later(5)).await.unwrap();
        channel_store::set_newest(&mut tx, id, NOW).await.unwrap();
        assert_eq!(channel_store::newest(&mut tx, id).await.unwrap(), Some(later(5)), "it only grows");

        assert_eq!(channel_store::troubles(&mut tx).await.unwrap(), []);
        channel_store::set_quiet(&mut tx, id, Some(NOW)).await.unwrap();
        assert_eq!(channel_store::quiet(&mut tx).await.unwrap(), [(id, NOW)]);
        let trouble = channel_store::troubles(&mut tx).await.unwrap().remove(0);
        assert_eq!((trouble.what.as_str(), trouble.since), ("quiet", NOW));
        let message = chat::store::put_message(&mut tx, "eva", "telegram", "1", "{}", NOW, NOW).await.unwrap();
        assert!(channel_store::warn(&mut tx, &trouble, "eva", message).await.unwrap());
        assert!(!channel_store::warn(&mut tx, &trouble, "eva", message).await.unwrap(), "once for a turn");
        let warnings = channel_store::warnings(&mut tx, NOW).await.unwrap();
        assert_eq!((warnings.len(), warnings[0].state.as_deref()), (1, Some("waiting")));
        chat::store::withdraw(&mut tx, message).await.unwrap();
        assert_eq!(channel_store::warnings(&mut tx, NOW).await.unwrap()[0].state, None);

        let check = AccountCheck {
            account: "a".into(),
            checked_at: NOW,
            ok: true,
            expires_at: None,
            why: "bra".into(),
            state: "well".into(),
            since: NOW,
        };
        channel_store::checked(&mut tx, &check).await.unwrap();
        channel_store::checked(
            &mut tx,
            &AccountCheck { ok: false, state: "refused".into(), since: later(3), ..check.clone() },
        )
        .await
        .unwrap();
        assert_eq!(
            channel_store::account_checks(&mut tx).await.unwrap(),
            [AccountCheck { ok: false, state: "refused".into(), since: later(3), ..check }]
        );
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_is_watched_for_its_time_and_a_stream_by_one_process() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let id = a_source(&mut tx).await;
        channel_store::watch_thread(&mut tx, "bluesky", "t1", id, Some("9"), NOW, later(100)).await.unwrap();
        channel_store::watch_thread(&mut tx, "bluesky", "t1", id, None, later(1), later(50)).await.unwrap();
        let due = channel_store::due_threads(&mut tx, id, later(1), 9).await.unwrap();
        assert_eq!(due, [("t1".to_owned(), Some("9".to_owned()))], "the longer watch and the known number stay");
        channel_store::thread_read(&mut tx, "bluesky", "t1", later(30)).await.unwrap();
        assert_eq!(channel_store::due_threads(&mut tx, id, later(29), 9).await.unwrap(), []);
        assert_eq!(channel_store::watched(&mut tx, "bluesky", later(60), 9).await.unwrap(), ["t1"]);
        assert!(channel_store::thread_watched(&mut tx, "bluesky", "t1", later(99)).await.unwrap());
        assert!(!channel_store::thread_watched(&mut tx, "bluesky", "t1", later(100)).await.unwrap());
        assert_eq!(channel_store::unwatch(&mut tx, later(100)).await.unwrap(), 1);

        channel_store::sooner(&mut tx, id, later(2)).await.unwrap();
        assert_eq!(source::store::next_due(&mut tx).await.unwrap(), Some(NOW), "what is due sooner stays so");
        assert!(source::store::lease(&mut tx, "stream:x", "a", NOW, later(30)).await.unwrap());
        let heard = channel_store::Heard {
            cursor: Some("{\"seq\":9}"),
            failures: 0,
            health: "ok",
            health_since: NOW,
            health_why: "",
            at: later(3),
            ok: true,
            new: true,
        };
        assert!(!channel_store::settle_stream(&mut tx, id, "stream:x", "b", &heard).await.unwrap(), "not the holder");
        assert!(channel_store::settle_stream(&mut tx, id, "stream:x", "a", &heard).await.unwrap());
        let row = source::store::by_key(&mut tx, "alekuriren").await.unwrap().unwrap();
        assert_eq!(
            (row.cursor.as_str(), row.last_ok_at, row.last_item_at),
            ("{\"seq\":9}", Some(later(3)), Some(later(3)))
        );
        channel_store::stream_away(&mut tx, id, "svar 401", later(4)).await.unwrap();
        channel_store::stream_away(&mut tx, id, "svar 503", later(5)).await.unwrap();
        let away = channel_store::streams_away(&mut tx).await.unwrap();
        let away: Vec<_> = away.iter().map(|one| (one.source_id, one.since, one.why.as_str())).collect();
        assert_eq!(away, [(id, later(4), "svar 503")], "since the first time, and why it is now");
        assert!(channel_store::stream_back(&mut tx, id).await.unwrap());
        assert!(!channel_store::stream_back(&mut tx, id).await.unwrap(), "once");
        channel_store::release(&mut tx, "stream:x", "a").await.unwrap();
        assert!(source::store::lease(&mut tx, "stream:x", "b", later(3), later(60)).await.unwrap(), "let go at once");
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_post_keeps_what_it_said_and_one_that_is_gone_keeps_its_row() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let case = an_assigned_case(&mut tx, "1", "brunt vatten i Nol", later(60)).await;
        let known = version_store::kept(&mut tx, "rss", "1").await.unwrap().unwrap();
        assert_eq!((known.version, known.case_id, known.own), (1, Some(case), false));
        assert!(version_store::kept(&mut tx, "rss", "2").await.unwrap().is_none());
        let held = version_store::held(&mut tx, "rss", "1").await.unwrap().unwrap();
        assert_eq!((held.local_id, held.body.as_str()), (None, "brunt vatten i Nol"));
        assert!(version_store::held(&mut tx, "rss", "2").await.unwrap().is_none());
        let named = ["1", "2"].map(|native_id| version_store::Named { channel: "rss", native_id });
        let found = version_store::known(&mut tx, &named).await.unwrap();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [("rss".to_owned(), "1".to_owned())]);
        assert!(version_store::kept_here(&mut tx, SourceId(1), "9").await.unwrap().is_none());
        let words = version_store::Words {
            title: None,
            body: "klart vatten i Nol",
            html: None,
            fingerprint: 8,
            hearing: "{}",
            updated_at: later(5),
        };
        version_store::revise(&mut tx, known.id, &words, later(6)).await.unwrap();
        let versions = version_store::versions_of_case(&mut tx, case, 9).await.unwrap();
        assert_eq!((versions[0].body.as_str(), versions[0].said_at), ("brunt vatten i Nol", NOW));
        assert_eq!(mention::store::find(&mut tx, known.id).await.unwrap().unwrap().body, "klart vatten i Nol");
        version_store::judge_anew(&mut tx, known.id).await.unwrap();
        assert_eq!(mention::store::unjudged(&mut tx, 9).await.unwrap().len(), 1);
        assert_eq!(version_store::names_since(&mut tx, "rss", NOW, 9).await.unwrap(), ["1"]);
        assert!(version_store::take_away(&mut tx, known.id, later(9)).await.unwrap());
        assert!(!version_store::take_away(&mut tx, known.id, later(10)).await.unwrap(), "once");
        assert_eq!(version_store::names_since(&mut tx, "rss", NOW, 9).await.unwrap(), [""; 0]);
        let changed = version_store::changed_of_case(&mut tx, case, 9).await.unwrap();
        assert_eq!(changed, [(known.id, 2, Some(later(9)))]);
        assert_eq!(version_store::purge_taken_away(&mut tx, later(9), 9).await.unwrap(), 0);
        assert_eq!(version_store::purge_taken_away(&mut tx, later(10), 9).await.unwrap(), 1);
        assert_eq!(mention::store::find(&mut tx, known.id).await.unwrap().unwrap().body, "", "the row stays");
        assert!(version_store::versions_of_case(&mut tx, case, 9).await.unwrap().is_empty());
        let row = case::store::find(&mut tx, case).await.unwrap().unwrap();
        assert_eq!(row.title, "Borttaget av den som skrev", "the case no longer says it either");
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_the_channel_finds_its_case_and_only_moves_the_first_response_back() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let case = an_assigned_case(&mut tx, "1", "brunt vatten i Nol", later(60)).await;
        let by = |reply_to, thread| (reply_to, thread);
        for (reply_to, thread) in [by(Some("1"), None), by(Some("x"), Some("t1")), by(Some("x"), Some("1"))] {
            assert_eq!(case::store::answered_by(&mut tx, "rss", reply_to, thread).await.unwrap(), Some(case));
        }
        assert_eq!(case::store::answered_by(&mut tx, "mastodon", Some("1"), Some("t1")).await.unwrap(), None);
        let row = case::store::find(&mut tx, case).await.unwrap().unwrap();
        assert_eq!(row.promised_at(), Some(later(60)));
        assert!(!case::store::answered_in_channel(&mut tx, case, 99, later(9), true, later(20)).await.unwrap());
        assert!(
            case::store::answered_in_channel(&mut tx, case, row.revision, later(9), true, later(20)).await.unwrap()
        );
        assert!(
            case::store::answered_in_channel(&mut tx, case, row.revision + 1, later(15), true, later(20))
                .await
                .unwrap()
        );
        let row = case::store::find(&mut tx, case).await.unwrap().unwrap();
        assert_eq!((row.first_answer_at, row.outcome_owed), (Some(later(9)), true), "the earlier answer stands");
        let own = NewMention {
            source_id: Some(row.source_id),
            channel: "rss",
            native_id: "svar",
            reply_to: Some("1"),
            thread: Some("t1"),
            local_id: Some("77"),
            kind: "comment",
            body: "Hej! Vi spolar nu.",
            authored_at: later(9),
            own: true,
            hearing: "{}".to_owned(),
            ..NewMention::default()
        };
        let id = kept(&mut tx, own, later(20)).await;
        let answers = version_store::own_answers(&mut tx, &[case], 9).await.unwrap();
        let found: Vec<_> =
            answers.iter().map(|own| (own.case_id, own.id, own.body.as_str(), own.authored_at)).collect();
        assert_eq!(found, [(case, id, "Hej! Vi spolar nu.", later(9))]);
        let place = version_store::place_of(&mut tx, id).await.unwrap().unwrap();
        assert_eq!(place, (Some("1".into()), Some("t1".into()), Some("77".into())));
        tx.commit().await.unwrap();
    })
    .await;
}

/// A store function that is not named in these tests, with its room, has not been run on both databases.
#[test]
fn every_store_function_is_called_on_both_databases() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests: String = ["contract.rs", "contract_desk.rs", "contract_hand.rs", "contract_rush.rs", "tips.rs"]
        .iter()
        .flat_map(|name| std::fs::read_to_string(root.join("tests/it").join(name)).unwrap().into_bytes())
        .map(char::from)
        .filter(|letter| !letter.is_whitespace())
        .collect();
    let mut forgotten = Vec::new();
    for room in
        ["source", "mention", "classification", "case", "assignment", "chat", "reminder", "response", "audit", "web"]
    {
        let files = std::fs::read_dir(root.join("src").join(room)).unwrap().map(|entry| entry.unwrap().path());
        for file in files.filter(|path| path.to_string_lossy().ends_with("store.rs")) {
            // Every room has a `store`; the longer names are there once.
            let place = match file.file_stem().unwrap().to_str().unwrap() {
                "store" => format!("{room}::store"),
                stem => stem.to_owned(),
            };
            let text = std::fs::read_to_string(&file).unwrap();
            for line in text.lines().filter_map(|line| line.strip_prefix("pub async fn ")) {
                let name = line.split(['(', '<']).next().unwrap();
                if !tests.contains(&format!("{place}::{name}(")) {
                    forgotten.push(format!("{room}: {place}::{name}"));
                }
            }
        }
    }
    assert!(forgotten.is_empty(), "{}", forgotten.join("\n"));
}
