//! What goes wrong with Bluesky and Mastodon on the way: bodies that drip, pages that come in another order, a search that
//! is shut, a stream that is ended because we are slow; and secrets, which nothing may show.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lyhord::http::{Client, Limits};
use lyhord::source::{BlueskyAccount, Cursor, MastodonSource, PollError, Sessions, Source as _};
use lyhord::telemetry::{LogForm, begin};
use lyhord::{jobs, on, source};

use crate::bluesky::{self, EVA, Heard, record, uri};
use crate::fake_bluesky::{self, FakeJetstream, PASSWORD, view};
use crate::fake_feed::{self, FakeFeed, serve};
use crate::fake_mastodon::{self, TOKEN};
use crate::harness::{ENGINES, Engine, at};
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
    assert!(seen <= 1, "never twice");
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

/// Reads both accounts well and badly and takes a delivery, with every line of every library on standard error.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a program for the test below, which reads what it writes"]
async fn talk_of_everything() {
    begin(LogForm::Text, "trace");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hook");
    std::fs::write(&file, HOOK_SECRET).unwrap();
    let hook = format!("[[source]]\nkey = 'krok'\nname = 'Krok'\nkind = 'hook'\nsecret_file = '{}'\n", file.display());
    let (stage, pds, _folder) = bluesky::account_with(at(0, 9, 0), &hook).await;
    stage.until(at(0, 9, 0)).await;
    pds.session_ends();
    stage.until(at(0, 9, 10)).await;
    pds.password_is_withdrawn(true);
    stage.until(at(0, 9, 20)).await;
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
    let whole = [PASSWORD, TOKEN, HOOK_SECRET, "access-1", "refresh-1"];
    whole.iter().flat_map(|secret| [(*secret).to_owned(), base64.encode(secret)]).collect()
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
    let started = Instant::now();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "faults::talk_of_everything", "--nocapture"])
        .env("LYHORD_LOG", "trace")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = child.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&said.stderr);
    let end: String = log.chars().rev().take(2_000).collect::<Vec<_>>().into_iter().rev().collect();
    assert!(said.status.success() && log.contains("all has been said"), "after {:?}: {end}", started.elapsed());
    assert!(log.contains("TRACE"), "everything is logged");
    for secret in secrets() {
        if let Some(found) = log.lines().find(|line| line.contains(&secret)) {
            panic!("{secret} is in the log: {found:.400}");
        }
    }
}
