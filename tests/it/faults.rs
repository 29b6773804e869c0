//! What goes wrong with Bluesky and Mastodon on the way: bodies that drip, pages that come in another order, a search that
//! is shut, a stream that is ended because we are slow; and secrets, which nothing may show.

use std::sync::Arc;
use std::time::Duration;

use lyhord::http::{Client, Limits};
use lyhord::jobs::keep_posts::{self, From};
use lyhord::source::{
    BlueskyAccount, Cursor, Health, MastodonSource, Poll, PollError, Sessions, Source as _, Thread, health,
};
use lyhord::telemetry::{LogForm, begin};
use lyhord::{jobs, on, source};

use crate::bluesky::{self, EVA, Heard, record, uri};
use crate::channels::Stage;
use crate::dovecot::{self, Dovecot};
use crate::fake_bluesky::{self, FakeJetstream, PASSWORD, view};
use crate::fake_feed::{self, FakeFeed, serve};
use crate::fake_mastodon::{self, Said, TOKEN};
use crate::harness::{ENGINES, Engine, at};
use crate::mail::{self, PROOF, ProofGiver};
use crate::mastodon;

const BACKFILL: &str = "backfill = ['ale kommun']";
const SEARCH: &str = "app.bsky.feed.searchPosts";
const NOTIFICATIONS: &str = "app.bsky.notification.listNotifications";

/// Little patience, so that a test has it too.
fn hasty() -> Arc<Client> {
    let (chunk, total) = (Duration::from_millis(400), Duration::from_secs(2));
    Arc::new(Client::new("test@example.se", Limits { chunk, total, ..Limits::default() }).unwrap())
}

fn is_told_in_swedish(outcome: Result<source::Poll, PollError>) {
    match outcome {
        Err(PollError::Unreachable(why)) => assert_eq!(why, "det tog för lång tid"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_drips_is_left_in_time_by_every_channel() {
    let (stage, pds, _folder) = bluesky::account(at(0, 8, 0)).await;
    let app = &stage.running.app;
    let account = app.config.accounts.get("vi").unwrap();
    pds.goes_wrong(NOTIFICATIONS, &[fake_bluesky::Fault::Drip]);
    let setting = app.setting("konto").unwrap();
    let slow = BlueskyAccount::new(hasty(), Sessions::default(), setting, account, &app.config.accounts, &[], &[]);
    is_told_in_swedish(slow.poll(&Cursor::default(), stage.now()).await);
    assert!(slow.poll(&Cursor::default(), stage.now()).await.is_ok(), "and the next question is answered");
    stage.ends_whole().await;

    let (stage, fake, _folder) = mastodon::open(Engine::Sqlite, mastodon::TAGS, at(0, 8, 0)).await;
    let app = &stage.running.app;
    fake.goes_wrong("/api/v1/timelines/tag/ale", &[fake_mastodon::Fault::Drip]);
    let slow = MastodonSource::new(hasty(), app.setting("taggar").unwrap(), &app.config.accounts, &[]).unwrap();
    is_told_in_swedish(slow.poll(&Cursor::default(), stage.now()).await);
    assert!(slow.poll(&Cursor::default(), stage.now()).await.is_ok());
    stage.ends_whole().await;

    let (stage, fake, _folder) = mastodon::open(Engine::Sqlite, mastodon::ACCOUNT, at(0, 8, 0)).await;
    let app = &stage.running.app;
    fake.goes_wrong("/api/v1/notifications", &[fake_mastodon::Fault::Drip]);
    let slow = MastodonSource::new(hasty(), app.setting("konto").unwrap(), &app.config.accounts, &[]).unwrap();
    is_told_in_swedish(slow.poll(&Cursor::default(), stage.now()).await);
    assert!(slow.poll(&Cursor::default(), stage.now()).await.is_ok());
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_come_turned_round_or_twice_lose_nothing_and_double_nothing() {
    let (stage, pds, _folder) = bluesky::account(at(0, 8, 0)).await;
    pds.tells("mention", &uri(EVA, "m0"), &record("hej", at(0, 8, 0)), at(0, 8, 0));
    let begun = bluesky::reads(&stage, &Cursor::default()).await.unwrap();
    for n in 1..=250_u64 {
        let at = at(0, 8, 0).plus(Duration::from_secs(n));
        pds.tells("mention", &uri(EVA, &format!("m{n}")), &record("hej", at), at);
    }
    pds.goes_wrong(NOTIFICATIONS, &[const { fake_bluesky::Fault::Reversed }; 3]);
    let all = bluesky::reads(&stage, &begun.cursor).await.unwrap();
    let mut names: Vec<&str> = all.posts.iter().map(|post| post.native_id.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!((all.posts.len(), names.len()), (250, 250));
    assert_eq!(bluesky::reads(&stage, &all.cursor).await.unwrap().posts.len(), 0, "the mark is at the newest");
    // The same page twice (something came in between and pushed the rest down): the post is known by its name.
    pds.tells("mention", &uri(EVA, "n"), &record("hej igen", at(0, 8, 30)), at(0, 8, 30));
    pds.goes_wrong(NOTIFICATIONS, &[fake_bluesky::Fault::Again]);
    let again = bluesky::reads(&stage, &begun.cursor).await.unwrap();
    let rest = bluesky::reads(&stage, &again.cursor).await.unwrap();
    let seen = again.posts.iter().chain(&rest.posts).filter(|post| post.native_id.ends_with("/n")).count();
    assert_eq!(seen, 1, "not lost, and not twice");
    let all: Vec<source::Post> = [again.posts, rest.posts].concat();
    let from = From { source: stage.source("konto").await.id, key: "konto", imported: false };
    let mut tx = stage.running.app.db.write().await.unwrap();
    let mut keep = async || keep_posts::keep(&stage.running.app, &mut tx, from, &all, stage.now()).await.unwrap().new;
    assert_eq!((keep().await, keep().await), (251, 0), "each is one mention, however often it comes");
    drop(tx);
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_backwards_is_made_once_and_when_it_is_shut_it_is_said_and_all_else_is_read() {
    let old = |rkey: &str| {
        let words = "Ale kommun, när lagas gatlampan vid torget i Älvängen?";
        view(&uri(EVA, rkey), "eva.example", &record(words, at(-9, 8, 0)), at(-9, 8, 0))
    };
    let (stage, pds, _folder) = bluesky::account_with(at(0, 8, 0), BACKFILL).await;
    pds.finds(old("o1"));
    pds.finds(old("o2"));
    let first = bluesky::reads(&stage, &Cursor::default()).await.unwrap();
    assert_eq!((first.posts.len(), first.remark), (2, None));
    assert!(bluesky::reads(&stage, &first.cursor).await.unwrap().posts.is_empty());
    assert_eq!(pds.asked(SEARCH), 1, "once");
    stage.ends_whole().await;

    let (stage, pds, _folder) = bluesky::account_with(at(0, 8, 0), BACKFILL).await;
    pds.goes_wrong(SEARCH, &[fake_bluesky::Fault::Status(403, vec![])]);
    pds.tells("mention", &uri(EVA, "m"), &record("hej", at(0, 7, 0)), at(0, 7, 0));
    let shut = bluesky::reads(&stage, &Cursor::default()).await.unwrap();
    assert_eq!(shut.posts.len(), 1, "what is said to us is read all the same");
    assert!(shut.remark.unwrap().contains("avstängd"));
    assert_eq!(bluesky::reads(&stage, &shut.cursor).await.unwrap().remark, None);
    stage.ends_whole().await;

    let (stage, pds, _folder) = bluesky::account(at(0, 8, 0)).await;
    pds.finds(old("o1"));
    assert!(bluesky::reads(&stage, &Cursor::default()).await.unwrap().posts.is_empty());
    assert_eq!(pds.asked(SEARCH), 0, "not asked for, not made");
    stage.ends_whole().await;
}

/// Reads a source that has these threads to ask for, from the beginning.
async fn reads_with(stage: &Stage, key: &str, threads: &[Thread]) -> Result<Poll, PollError> {
    let row = stage.source(key).await;
    stage.running.app.read_source(&row, &Cursor::default(), threads, stage.now()).await
}

/// The reading is kept and shows as degraded; returns why.
fn degraded(stage: &Stage, poll: &Poll) -> String {
    let verdict = health::judge(Health::Ok, &Ok(poll.clone()), 0, None, stage.now());
    assert_eq!(verdict.health, Health::Degraded, "{}", verdict.why);
    verdict.why
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_or_a_search_of_bluesky_that_fails_stops_nothing_else() {
    for status in [500, 403, 410] {
        let (stage, pds, _folder) = bluesky::account_with(at(0, 8, 0), BACKFILL).await;
        for n in 1..=3 {
            pds.tells("mention", &uri(EVA, &format!("m{n}")), &record("hej", at(0, 7, n)), at(0, 7, n));
        }
        let roots = [uri(EVA, "t1"), uri(EVA, "t2")];
        let begins = view(&roots[1], "eva.example", &record("Hur går det?", at(0, 6, 0)), at(0, 6, 0));
        pds.thread(&roots[1], serde_json::json!({ "post": begins, "replies": [] }));
        pds.goes_wrong("app.bsky.feed.getPostThread", &[fake_bluesky::Fault::Status(status, vec![])]);
        pds.goes_wrong(SEARCH, &[fake_bluesky::Fault::Status(status, vec![])]);
        let threads = roots.clone().map(|root| Thread { root, local_id: None });
        let poll = reads_with(&stage, "konto", &threads).await.unwrap();
        let ends: Vec<&str> = poll.posts.iter().map(|post| &post.native_id[post.native_id.len() - 2..]).collect();
        assert_eq!(ends, ["m1", "m2", "m3", "t2"], "{status}");
        assert_eq!(poll.threads_read, roots, "neither is the first to be asked for the next time");
        assert_eq!(pds.asked(SEARCH), 1);
        let why = degraded(&stage, &poll);
        assert!(why.contains("en tråd där vi har svarat gick inte att läsa"), "{why}");
        assert!(why.contains("ökningen bakåt"), "{why}");
        let next = bluesky::reads(&stage, &poll.cursor).await.unwrap();
        assert_eq!((next.posts.len(), next.remark), (0, None), "the place is kept");
        // One that may be well again is tried again, later; one that is shut is not.
        stage.running.app.clock.set(at(0, 9, 10));
        bluesky::reads(&stage, &next.cursor).await.unwrap();
        assert_eq!(pds.asked(SEARCH), if status == 500 { 2 } else { 1 });
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_always_fails_is_asked_for_as_seldom_as_the_others_and_the_rest_is_heard() {
    let (stage, pds, _folder) = bluesky::account(at(0, 8, 0)).await;
    let thread = "app.bsky.feed.getPostThread";
    let question = uri(EVA, "q");
    let asks = record("Hej, när öppnar simhallen igen efter bytet av tak?", at(0, 7, 50));
    pds.tells("mention", &question, &asks, at(0, 7, 50));
    stage.until(at(0, 8, 0)).await;
    let answer = bluesky::reply("Hej! Den öppnar på måndag.", &question, &question, at(0, 8, 5));
    pds.we_say("a", &answer, at(0, 8, 5));
    pds.goes_wrong(thread, &vec![fake_bluesky::Fault::Status(500, vec![]); 99]);
    stage.until(at(0, 8, 10)).await;
    let words = record("Gungan i Surte är trasig, kan ni laga den?", at(0, 8, 15));
    pds.tells("mention", &uri(EVA, "m"), &words, at(0, 8, 15));
    stage.until(at(0, 8, 20)).await;
    let row = stage.source("konto").await;
    assert_eq!((row.health.as_str(), row.failures), ("degraded", 0));
    assert!(row.health_why.contains("en tråd där vi har svarat gick inte att läsa"), "{}", row.health_why);
    assert_eq!(stage.number("select count(*) from mentions where native_id like '%/m'").await, 1);
    let asked = pds.asked(thread);
    assert!(asked > 0);
    stage.until(at(0, 8, 30)).await;
    assert_eq!(pds.asked(thread), asked, "half an hour passes first");
    assert_eq!(stage.source("konto").await.health, "ok");
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_read_our_own_posts_hears_what_is_said_to_us_and_says_so() {
    for status in [500, 403, 410] {
        let (stage, pds, _folder) = bluesky::account(at(0, 8, 0)).await;
        pds.tells("mention", &uri(EVA, "m"), &record("hej", at(0, 7, 0)), at(0, 7, 0));
        pds.we_say("a", &record("God morgon.", at(0, 7, 30)), at(0, 7, 30));
        pds.goes_wrong("app.bsky.feed.getAuthorFeed", &[fake_bluesky::Fault::Status(status, vec![])]);
        let poll = bluesky::reads(&stage, &Cursor::default()).await.unwrap();
        assert_eq!((poll.posts.len(), poll.blind), (1, status == 403), "{status}");
        assert!(poll.remark.as_ref().unwrap().contains("våra egna inlägg gick inte att läsa"), "{:?}", poll.remark);
        let next = bluesky::reads(&stage, &poll.cursor).await.unwrap();
        assert_eq!((next.posts.len(), next.posts[0].own, next.remark), (1, true, None));
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_or_a_question_of_mastodon_that_fails_stops_nothing_else() {
    for status in [500, 403, 410] {
        let (stage, fake, _folder) = mastodon::open(Engine::Sqlite, mastodon::ACCOUNT, at(0, 8, 0)).await;
        let said = |uri: &str, reply_to: Option<&str>, names: &[&str], minute| {
            let acct = "eva@other.example";
            fake.says(&Said { uri, acct, text: "Hur går det?", reply_to, names, ..Said::default() }, at(0, 7, minute))
        };
        let root = said("https://other.example/r", None, &[], 0);
        let ids = [1_i8, 2, 3].map(|n| said(&format!("https://other.example/{n}"), Some(&root), &["ale"], n));
        let context = |id: &str| format!("/api/v1/statuses/{id}/context");
        let wrong = |path: &str| fake.goes_wrong(path, &[fake_mastodon::Fault::Status(status, vec![])]);
        wrong(&context(&ids[2]));
        wrong(&context("1"));
        wrong("/api/v2/search");
        let thread = |root: &str, local_id: Option<&str>| Thread {
            root: root.to_owned(),
            local_id: local_id.map(str::to_owned),
        };
        let threads = [
            thread("https://other.example/a", Some("1")),
            thread("https://other.example/b", None),
            thread("https://other.example/r", Some(&root)),
        ];
        let poll = reads_with(&stage, "konto", &threads).await.unwrap();
        assert_eq!(poll.posts.len(), 6, "{status}: three that name us, and the three of the thread");
        let named = poll.posts[..3].iter().filter(|post| post.thread.as_deref() == Some("https://other.example/r"));
        assert_eq!(named.count(), 2, "one does not know what it answers, the others do");
        assert_eq!(poll.threads_read.len(), 3);
        let why = degraded(&stage, &poll);
        assert!(why.contains("det som ett inlägg svarar på gick inte att läsa"), "{why}");
        assert!(why.contains("en tråd där vi har svarat gick inte att läsa"), "{why}");
        let next = mastodon::reads(&stage, "konto", &poll.cursor).await.unwrap();
        assert_eq!((next.posts.len(), next.remark), (0, None), "the place is kept");
        // That the token does not hold ends it all.
        fake.goes_wrong(&context(&ids[2]), &[fake_mastodon::Fault::Status(401, vec![])]);
        assert!(matches!(reads_with(&stage, "konto", &[]).await, Err(PollError::Unauthorized(_))));
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_rest_after_the_first_list_is_asked_nothing_more_and_the_list_is_kept() {
    let (stage, fake, _folder) = mastodon::open(Engine::Sqlite, mastodon::ACCOUNT, at(0, 8, 0)).await;
    let names: &[&str] = &["ale"];
    let said =
        Said { uri: "https://other.example/1", acct: "eva@other.example", text: "hej", names, ..Said::default() };
    fake.says(&Said { reply_to: Some("7"), ..said }, at(0, 7, 0));
    let until = stage.now().plus(Duration::from_mins(3)).to_string();
    let used_up = vec![("x-ratelimit-remaining", "0".to_owned()), ("x-ratelimit-reset", until)];
    fake.goes_wrong("/api/v1/notifications", &[fake_mastodon::Fault::With(used_up)]);
    let thread = Thread { root: "https://other.example/a".to_owned(), local_id: Some("1".to_owned()) };
    let poll = reads_with(&stage, "konto", &[thread]).await.unwrap();
    assert_eq!((poll.posts.len(), poll.wait), (1, Some(Duration::from_mins(3))));
    assert_eq!((poll.threads_read.len(), fake.asked("/api/v1/statuses"), fake.asked("/api/v1/accounts")), (0, 0, 0));
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_show_its_settings_is_read_all_the_same() {
    for status in [500, 403, 410, 401, 404, 405, 501] {
        let (stage, fake, _folder) = mastodon::open(Engine::Sqlite, mastodon::TAGS, at(0, 8, 0)).await;
        for n in 1..=3 {
            fake.says(&mastodon::tagged(&format!("https://other.example/{n}"), &mastodon::lamp(n)), at(0, 7, 0));
        }
        let instance = "/api/v2/instance";
        fake.goes_wrong(instance, &[fake_mastodon::Fault::Status(status, vec![])]);
        let poll = mastodon::reads(&stage, "taggar", &Cursor::default()).await.unwrap();
        assert_eq!((poll.posts.len(), poll.blind), (3, false), "{status}");
        if matches!(status, 404 | 405 | 501) {
            assert_eq!(poll.remark, None, "{status}: a server of another make has no such page");
        } else {
            assert!(degraded(&stage, &poll).contains("inställningar"), "{status}");
            let next = mastodon::reads(&stage, "taggar", &poll.cursor).await.unwrap();
            assert_eq!((next.remark, fake.asked(instance)), (poll.remark, 1), "it is not asked each time");
            stage.running.app.clock.set(at(0, 8, 31));
            let well = mastodon::reads(&stage, "taggar", &next.cursor).await.unwrap();
            assert_eq!((well.remark, fake.asked(instance)), (None, 2));
        }
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_far_back_that_fails_costs_nothing_that_was_read() {
    for status in [500, 403, 410] {
        let (stage, fake, _folder) = mastodon::open(Engine::Sqlite, mastodon::TAGS, at(0, 8, 0)).await;
        let says =
            |n: usize, at| fake.says(&mastodon::tagged(&format!("https://other.example/{n}"), &mastodon::lamp(n)), at);
        says(1, at(0, 7, 0));
        let begun = mastodon::reads(&stage, "taggar", &Cursor::default()).await.unwrap();
        stage.running.app.clock.set(at(0, 9, 0));
        says(2, at(0, 8, 50));
        let wrong = [fake_mastodon::Fault::With(vec![]), fake_mastodon::Fault::Status(status, vec![])];
        fake.goes_wrong("/api/v1/timelines/tag/ale", &wrong);
        let poll = mastodon::reads(&stage, "taggar", &begun.cursor).await.unwrap();
        assert_eq!(poll.posts.len(), 1, "{status}");
        assert!(degraded(&stage, &poll).contains("det som kom sent gick inte att läsa"), "{status}");
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_ended_because_we_are_slow_goes_on_from_what_was_kept() {
    let jetstream = FakeJetstream::default();
    let heard = Heard::open(Engine::Sqlite, &[format!("ws://{}", jetstream.serve().await)], at(0, 8, 0)).await;
    heard.is_heard(&jetstream, 1).await;
    let says = |n: i8| {
        let words = format!("Gatlampa nummer {n} vid torget i Älvängen är trasig, när lagar Ale kommun den?");
        jetstream.says(EVA, &n.to_string(), record(&words, at(0, 8, n)), at(0, 8, n));
    };
    says(1);
    heard.until_count("select count(*) from mentions", 1).await;
    jetstream.ends_after(1, "ConsumerTooSlow");
    says(2);
    says(3);
    says(4);
    heard.until_count("select count(*) from mentions", 4).await;
    assert_eq!(heard.stage.facts(&["mention.kept"]).await, [4], "none lost, none doubled");
    assert!(jetstream.asked().len() >= 2, "{:?}", jetstream.asked());
    heard.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_refused_is_told_once_and_again_only_after_it_has_healed() {
    let (stage, pds, _folder) = bluesky::account(at(0, 9, 0)).await;
    stage.keeper_has_a_chat().await;
    let app = &stage.running.app;
    // The account is tried and the day goes by; it is night when it is found out.
    let tried = async |day, hour| {
        app.clock.set(at(day, hour, 0));
        jobs::check_accounts::run(app, stage.now()).await.unwrap();
    };
    let notices =
        async || stage.number("select count(*) from messages where body like '%konto%' and kind = 'notice'").await;
    tried(0, 9).await;
    assert_eq!(notices().await, 0);
    pds.password_is_withdrawn(true);
    tried(1, 2).await;
    assert_eq!(notices().await, 1);
    assert_eq!(
        stage.number("select count(*) from messages where kind = 'notice' and next_attempt_at > created_at").await,
        1,
        "nobody is woken"
    );
    for day in 2..5 {
        tried(day, 9).await;
    }
    assert_eq!(notices().await, 1, "once");
    pds.password_is_withdrawn(false);
    tried(5, 9).await;
    pds.password_is_withdrawn(true);
    tried(6, 9).await;
    assert_eq!(notices().await, 2, "it had healed");
    // A server that does not answer says nothing about the account.
    pds.goes_wrong("com.atproto.server.createSession", &[fake_bluesky::Fault::Status(502, vec![])]);
    tried(7, 9).await;
    assert_eq!(notices().await, 2);
    pds.password_is_withdrawn(false);
    // One a second goes to a chat, by the real clock, whatever is told.
    for minute in 0..60 {
        stage.until(at(7, 10, minute)).await;
        if stage.telegram.sent().len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let told: Vec<String> = stage.telegram.sent().into_iter().map(|sent| sent.text).collect();
    assert!(told.iter().any(|text| text.contains("släpper inte in Lyhörd")), "{told:?}");
    assert!(!told.iter().any(|text| text.contains(PASSWORD) || text.contains("ale.example")), "{told:?}");
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_a_connection_that_failed_is_swedish() {
    // A port that nobody listens at, and a name that nobody has.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let sources = format!(
        "[[source]]\nkey = 'stangd'\nname = 'Stängd'\nkind = 'feed'\naddress = 'http://127.0.0.1:{free}/feed'\nlocal = true\n\
         [[source]]\nkey = 'namnlos'\nname = 'Namnlös'\nkind = 'feed'\naddress = 'http://finns-inte.invalid/feed'\nlocal = true\n"
    );
    let stage = crate::channels::Stage::open(Engine::Sqlite, &sources, at(0, 9, 0)).await;
    stage.until(at(0, 9, 0)).await;
    let why = async |key: &str| stage.source(key).await.health_why;
    assert!(
        why("stangd").await.contains("servern tar inte emot anslutningar på den porten"),
        "{}",
        why("stangd").await
    );
    assert!(why("namnlos").await.contains("servernamnet går inte att slå upp"), "{}", why("namnlos").await);
    let page = crate::tips::page(&stage, crate::pages::ADMIN, "/kallor").await;
    for english in ["os error", "refused", "dns error", "timed out", "failed to"] {
        assert!(!page.contains(english), "{english}: {page}");
    }
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bell_in_the_moment_of_a_reading_has_the_source_read_once_more() {
    for engine in ENGINES {
        let feed = FakeFeed::default();
        let address = serve(fake_feed::app(feed.clone())).await;
        let sources = format!(
            "[[source]]\nkey = 'bladet'\nname = 'Bladet'\nkind = 'feed'\naddress = 'http://{address}/feed.xml'\nlocal = true\n"
        );
        let stage = crate::channels::Stage::open(engine, &sources, at(0, 9, 0)).await;
        stage.until(at(0, 9, 0)).await;
        let read = || feed.count().whole + feed.count().unchanged;
        assert_eq!(read(), 1);
        let id = stage.source("bladet").await.id;
        for times in 2..5 {
            // The told time stands still.
            let mut tx = stage.running.app.db.write().await.unwrap();
            source::channel_store::sooner(&mut tx, id, stage.now()).await.unwrap();
            tx.commit().await.unwrap();
            stage.running.settle().await;
            assert_eq!(read(), times);
        }
        stage.ends_whole().await;
    }
}

const HOOK_SECRET: &str = "hemlig-nyckel-som-aldrig-visas-1";
const NEXT_HOOK_SECRET: &str = "hemlig-nyckel-som-aldrig-visas-2";
const WRONG_PASSWORD: &str = "ett-lösenord-som-är-fel";

/// Three mailboxes: one with its password, one with a wrong one, and one that is let in by a proof from `service`.
fn mailboxes(folder: &std::path::Path, plain: u16, proven: u16, service: u16) -> String {
    let section = |key: &str, port: u16, secret: &str, more: &str| {
        let file = folder.join(key);
        std::fs::write(&file, secret).unwrap();
        format!(
            "[[source]]\nkey = '{key}'\nname = '{key}'\nkind = 'mail'\naddress = 'imap://127.0.0.1:{port}'\nlocal = true\n\
             encrypted = false\nuser = '{}'\nsecret_file = '{}'\n{more}",
            dovecot::USER,
            file.display()
        )
    };
    let oauth = format!(
        "oauth_token_url = 'http://127.0.0.1:{service}/prov/oauth2/v2.0/token'\noauth_client_id = 'lyhord-prov'\n"
    );
    // The server makes one who is wrong wait ever longer: it is asked once.
    section("brev", plain, dovecot::PASSWORD, "")
        + &section("fel", plain, WRONG_PASSWORD, "interval_minutes = 1440\n")
        + &section("bevis", proven, dovecot::PASSWORD, &oauth)
}

/// Reads accounts and mailboxes well and badly and takes a delivery, with every line of every library on standard error.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a program for the test below, which reads what it writes"]
async fn talk_of_everything() {
    begin(LogForm::Text, "trace");
    let folder = tempfile::tempdir().unwrap();
    let (file, next) = (folder.path().join("hook"), folder.path().join("next"));
    std::fs::write(&file, HOOK_SECRET).unwrap();
    std::fs::write(&next, NEXT_HOOK_SECRET).unwrap();
    let hook = format!(
        "[[source]]\nkey = 'krok'\nname = 'Krok'\nkind = 'hook'\nsecret_file = '{}'\nnext_secret_file = '{}'\n",
        file.display(),
        next.display()
    );
    let giver = ProofGiver::default();
    let service = giver.serve().await;
    let (plain, proven) = (Dovecot::start(), Dovecot::with_proofs(service));
    for server in [&plain, &proven] {
        server.delivers(&mail::letter("1", "Vatten", "", "Brunt vatten i Nol, vem på Ale kommun kan svara?"));
    }
    let boxes = mailboxes(folder.path(), plain.port, proven.port, service);
    let (stage, pds, _folder) = bluesky::account_with(at(0, 9, 0), &(hook + &boxes)).await;
    stage.until(at(0, 9, 0)).await;
    pds.session_ends();
    giver.lets_in(true, false);
    stage.until(at(0, 9, 10)).await;
    pds.password_is_withdrawn(true);
    giver.lets_in(true, true);
    for minutes in [20, 40] {
        stage.until(at(0, 9, minutes)).await;
    }
    assert_eq!(stage.source("brev").await.health, "ok", "{}", plain.log());
    assert_eq!(stage.source("fel").await.health, "blind", "{}", plain.log());
    assert_eq!(stage.source("bevis").await.health, "ok", "{}", proven.log());
    shows_no_secret(&stage).await;
    let app = &stage.running.app;
    let address = serve(jobs::hear_staff::routes(app).unwrap()).await;
    let setting = app.setting("krok").unwrap();
    for body in ["{\"items\":[]}", "{\"items\":[{\"id\":7}]}"] {
        let mut request = reqwest::Client::new().post(format!("http://{address}/krok/kalla/krok"));
        for (name, value) in setting.kind.hook().unwrap().sign(body, body.as_bytes(), stage.now()).unwrap() {
            request = request.header(name, value);
        }
        let _ = request.header("content-type", "application/json").body(body).send().await.unwrap();
    }
    jobs::accept_deliveries::look(app, stage.now()).await.unwrap();
    shows_no_secret(&stage).await;
    pds.password_is_withdrawn(false);

    let (other, fake, _folder) = mastodon::open(Engine::Sqlite, mastodon::ACCOUNT, at(0, 9, 0)).await;
    other.until(at(0, 9, 0)).await;
    fake.token_is_withdrawn(true);
    other.until(at(0, 9, 20)).await;
    shows_no_secret(&other).await;
    eprintln!("all has been said");
}

/// Every secret of this test, whole and as it is sent.
fn secrets() -> Vec<String> {
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD;
    let in_a_form = |secret: &str| url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>();
    let proven = format!("user={}\u{1}auth=Bearer {PROOF}\u{1}\u{1}", dovecot::USER);
    let whole = [
        PASSWORD,
        TOKEN,
        HOOK_SECRET,
        NEXT_HOOK_SECRET,
        dovecot::PASSWORD,
        WRONG_PASSWORD,
        PROOF,
        proven.as_str(),
        "access-1",
        "refresh-1",
    ];
    whole.iter().flat_map(|secret| [(*secret).to_owned(), in_a_form(secret), base64.encode(secret)]).collect()
}

/// Neither what the database says of sources and accounts nor the page that shows it has a secret in it.
async fn shows_no_secret(stage: &crate::channels::Stage) {
    let mut tx = stage.running.app.db.read().await.unwrap();
    let sources: Vec<String> = on!(tx, c => sqlx::query_scalar(
        "select key || ' ' || address || ' ' || cursor || ' ' || health_why from sources").fetch_all(c).await)
    .unwrap();
    let accounts: Vec<String> =
        on!(tx, c => sqlx::query_scalar("select account || ' ' || why from account_checks").fetch_all(c).await)
            .unwrap();
    let journal: Vec<String> =
        lyhord::journal::after(&mut tx, 0, 10_000).await.unwrap().iter().map(|entry| format!("{entry:?}")).collect();
    drop(tx);
    let page = crate::tips::page(stage, crate::pages::ADMIN, "/kallor").await;
    assert!(page.contains("Källor"), "{page}");
    for text in sources.iter().chain(&accounts).chain(&journal).chain([&page]) {
        for secret in secrets() {
            assert!(!text.contains(&secret), "{secret} is shown: {text}");
        }
    }
}

#[test]
fn no_secret_is_ever_in_a_log_a_row_of_health_or_a_page_though_everything_is_logged() {
    let log = crate::logs::everything_said_by("faults::talk_of_everything");
    for secret in secrets() {
        if let Some(found) = log.lines().find(|line| line.contains(&secret)) {
            panic!("{secret} is in the log: {found:.400}");
        }
    }
}
