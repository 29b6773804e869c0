//! Mastodon and servers that speak as it does, against a server of our own: what is heard, what breaks, how one goes on.

use std::time::{Duration, Instant};

use lyhord::clock::Time;
use lyhord::jobs::hear_server;
use lyhord::response::promise_acts;
use lyhord::source::{self, Cursor, PollError};

use crate::channels::Stage;
use crate::fake_feed::serve;
use crate::fake_mastodon::{self, FakeMastodon, Fault, Said, TOKEN};
use crate::harness::{ENGINES, Engine, at};

const PATIENCE: Duration = Duration::from_secs(30);

/// The `n`-th of many posts about us.
pub fn lamp(n: usize) -> String {
    format!("Gatlampa nummer {n} vid torget i Älvängen är trasig, när lagar Ale kommun den? #ale")
}

/// Sources of a server at an address; what they read is the test's.
fn sources(address: std::net::SocketAddr, folder: &tempfile::TempDir, more: &str) -> String {
    let secret = folder.path().join("secret");
    std::fs::write(&secret, TOKEN).unwrap();
    format!(
        "[[account]]\nkey = 'vi'\nchannel = 'mastodon'\nhandle = '@ale@127.0.0.1'\nserver = 'http://{address}'\nsecret_file = '{}'\n\
         {}",
        secret.display(),
        more.replace("SERVER", &format!("http://{address}"))
    )
}

pub const TAGS: &str = "[[source]]\nkey = 'taggar'\nname = 'Taggar'\nkind = 'mastodon'\naddress = 'SERVER'\ntags = ['ale']\n\
    interval_minutes = 5\nlocal = true\n";
pub const ACCOUNT: &str = "[[source]]\nkey = 'konto'\nname = 'Vårt konto'\nkind = 'mastodon'\nreads = 'account'\naccount = 'vi'\n\
    interval_minutes = 5\n";

pub async fn open(engine: Engine, more: &str, now: Time) -> (Stage, FakeMastodon, tempfile::TempDir) {
    let (fake, folder) = (FakeMastodon::default(), tempfile::tempdir().unwrap());
    let address = serve(fake_mastodon::app(fake.clone())).await;
    let stage = Stage::open(engine, &sources(address, &folder, more), now).await;
    (stage, fake, folder)
}

pub async fn reads(stage: &Stage, key: &str, cursor: &Cursor) -> Result<source::Poll, PollError> {
    let row = stage.source(key).await;
    stage.running.app.read_source(&row, cursor, &[], stage.now()).await
}

pub fn tagged<'a>(uri: &'a str, text: &'a str) -> Said<'a> {
    Said { uri, acct: "eva@other.example", text, tags: &["ale"], ..Said::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_read_forward_without_holes_however_much_has_come() {
    for engine in ENGINES {
        let (stage, fake, _folder) = open(engine, TAGS, at(0, 8, 0)).await;
        fake.says(&tagged("https://other.example/0", &lamp(0)), at(0, 7, 0));
        stage.until(at(0, 8, 0)).await;
        for n in 1..=95 {
            fake.says(&tagged(&format!("https://other.example/{n}"), &lamp(n)), at(0, 8, 1));
        }
        fake.says(&Said { bot: true, ..tagged("https://other.example/bot", &lamp(200)) }, at(0, 8, 1));
        stage.until(at(0, 8, 10)).await;
        assert_eq!(stage.number("select count(*) from mentions").await, 96, "three pages, no machine");
        assert_eq!(stage.number("select count(distinct native_id) from mentions").await, 96);
        let asked = || fake.asked("/api/v1/timelines/tag/ale");
        let before = asked();
        stage.until(at(0, 8, 20)).await;
        assert_eq!(asked(), before + 3, "what is less than two hours old is looked at again");
        stage.until(at(0, 10, 30)).await;
        let before = asked();
        stage.until(at(0, 10, 40)).await;
        assert_eq!(asked(), before + 1, "then nothing new is one question");
        assert_eq!(stage.number("select count(*) from mentions").await, 96);
        assert_eq!(stage.source("taggar").await.health, "ok");
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_federates_late_is_found() {
    for engine in ENGINES {
        let (stage, fake, _folder) = open(engine, TAGS, at(0, 8, 0)).await;
        stage.until(at(0, 8, 0)).await;
        let count = async || stage.number("select count(*) from mentions").await;
        fake.says(&tagged("https://other.example/1", &lamp(1)), at(0, 8, 5));
        stage.until(at(0, 8, 6)).await;
        assert_eq!(count().await, 1);
        // Written before the one that was read, and longer on its way: its number lies behind.
        fake.says(&tagged("https://third.example/2", &lamp(2)), at(0, 8, 4));
        stage.until(at(0, 8, 12)).await;
        assert_eq!(count().await, 2);
        // A server that was out of order since the night sends what it has. It is found within the hour.
        fake.says(&tagged("https://third.example/3", &lamp(3)), at(0, 2, 0));
        stage.until(at(0, 8, 20)).await;
        assert_eq!(count().await, 2, "not each reading looks so far back");
        stage.until(at(0, 9, 10)).await;
        assert_eq!(count().await, 3);
        assert_eq!(stage.facts(&["mention.kept"]).await, [3], "none twice");
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_looked_at_again_is_not_handed_over_again() {
    let (stage, fake, _folder) = open(Engine::Sqlite, TAGS, at(0, 8, 0)).await;
    fake.says(&tagged("https://other.example/1", &lamp(1)), at(0, 7, 50));
    let first = reads(&stage, "taggar", &Cursor::default()).await.unwrap();
    fake.says(&tagged("https://other.example/2", &lamp(2)), at(0, 7, 40));
    let second = reads(&stage, "taggar", &first.cursor).await.unwrap();
    let names: Vec<&str> = second.posts.iter().map(|post| post.native_id.as_str()).collect();
    assert_eq!((first.posts.len(), names), (1, vec!["https://other.example/2"]));
    assert_eq!(reads(&stage, "taggar", &second.cursor).await.unwrap().posts.len(), 0);
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_keeps_back_as_unwanted_is_heard_all_the_same() {
    let (stage, fake, _folder) = open(Engine::Sqlite, ACCOUNT, at(0, 8, 0)).await;
    let new_here = Said {
        uri: "https://other.example/1",
        acct: "ny@other.example",
        text: "@ale Hej, hur anmäler man ett hål i gatan?",
        names: &["ale"],
        filtered: true,
        ..Said::default()
    };
    fake.says(&new_here, at(0, 7, 50));
    let heard = reads(&stage, "konto", &Cursor::default()).await.unwrap();
    assert_eq!(heard.posts.len(), 1);
    assert!(heard.posts[0].to_us);
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_may_not_read_what_is_said_to_it_is_blind_and_the_keeper_is_told() {
    let (stage, fake, _folder) = open(Engine::Sqlite, ACCOUNT, at(0, 9, 0)).await;
    stage.keeper_has_a_chat().await;
    fake.goes_wrong("/api/v1/notifications", &vec![Fault::Status(403, vec![]); 99]);
    stage.until(at(0, 9, 0)).await;
    let row = stage.source("konto").await;
    assert_eq!(row.health, "blind");
    assert!(row.health_why.contains("read:notifications"), "{}", row.health_why);
    let told = || stage.telegram.sent().iter().any(|sent| sent.text.starts_with("En källa i Lyhörd behöver tillsyn."));
    for minute in 1..60 {
        if told() {
            break;
        }
        stage.until(at(0, 9, minute)).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(told(), "{:?}", stage.telegram.sent().into_iter().map(|sent| sent.text).collect::<Vec<_>>());
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_22_an_empty_list_from_a_closed_feed_is_blind_and_not_quiet() {
    for engine in ENGINES {
        let (stage, fake, _folder) = open(engine, TAGS, at(0, 8, 0)).await;
        stage.until(at(0, 8, 0)).await;
        assert_eq!(stage.source("taggar").await.health, "ok", "empty and open is quiet");
        fake.access("disabled", "disabled");
        stage.until(at(0, 8, 40)).await;
        let row = stage.source("taggar").await;
        assert_eq!(row.health, "blind");
        assert!(row.health_why.contains("stängt sina taggflöden"), "{}", row.health_why);
        let mut tx = stage.running.app.db.read().await.unwrap();
        let stretches = source::channel_store::stretches(&mut tx, row.id, at(0, 0, 0), 9).await.unwrap();
        drop(tx);
        assert!(stretches.iter().all(|stretch| stretch.until < at(0, 8, 40)), "what nobody saw is not supervision");
        fake.access("public", "public");
        stage.until(at(0, 9, 40)).await;
        assert_eq!(stage.source("taggar").await.health, "ok", "and it recovers by itself");
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_a_sign_in_says_so_and_with_an_account_it_is_read() {
    let (stage, fake, _folder) = open(Engine::Sqlite, TAGS, at(0, 8, 0)).await;
    fake.preview_is_off();
    let refused = reads(&stage, "taggar", &Cursor::default()).await;
    assert!(matches!(&refused, Err(PollError::Unauthorized(why)) if why.contains("inloggning")), "{refused:?}");
    stage.ends_whole().await;
    let signed_in = TAGS.replace("tags =", "account = 'vi'\ntags =");
    let (stage, fake, _folder) = open(Engine::Sqlite, &signed_in, at(0, 8, 0)).await;
    fake.preview_is_off();
    fake.says(&tagged("https://other.example/1", &lamp(1)), at(0, 7, 0));
    assert_eq!(reads(&stage, "taggar", &Cursor::default()).await.unwrap().posts.len(), 1);
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_post_seen_on_two_servers_is_one_mention() {
    let (one, two) = (FakeMastodon::default(), FakeMastodon::default());
    let mut text = String::new();
    for (key, fake) in [("ett", &one), ("tva", &two)] {
        let address = serve(fake_mastodon::app(fake.clone())).await;
        text.push_str(&TAGS.replace("SERVER", &format!("http://{address}")).replace("'taggar'", &format!("'{key}'")));
    }
    two.says(&tagged("https://other.example/x", "något annat #ale"), at(0, 7, 0)); // other numbers than the first server's
    for fake in [&one, &two] {
        fake.says(&tagged("https://other.example/1", &lamp(1)), at(0, 7, 0));
    }
    let stage = Stage::open(Engine::Sqlite, &text, at(0, 8, 0)).await;
    stage.until(at(0, 8, 0)).await;
    assert_eq!(stage.number("select count(*) from mentions where native_id = 'https://other.example/1'").await, 1);
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_account_hears_what_is_said_to_it_and_what_we_answered_and_its_thread_is_watched() {
    for engine in ENGINES {
        let (stage, fake, _folder) = open(engine, ACCOUNT, at(0, 8, 0)).await;
        stage.until(at(0, 8, 0)).await;
        let question = Said {
            uri: "https://other.example/q",
            acct: "eva@other.example",
            text: "Hej @ale, när öppnar simhallen igen efter takbytet?",
            names: &["ale"],
            ..Said::default()
        };
        let q = fake.says(&question, at(0, 8, 1));
        stage.until(at(0, 8, 10)).await;
        assert_eq!(stage.number("select count(*) from cases where unit is not null").await, 1);
        let ours = Said {
            uri: "https://127.0.0.1/a",
            acct: "ale",
            text: "Den öppnar på måndag.",
            reply_to: Some(&q),
            ..Said::default()
        };
        let a = fake.says(&ours, at(0, 8, 12));
        stage.until(at(0, 8, 20)).await;
        assert_eq!(stage.case(1).await.first_answer_at, Some(at(0, 8, 12)));
        let thanks = Said {
            uri: "https://other.example/t",
            acct: "bo@third.example",
            text: "Samma fråga här, gäller det även bastun?",
            reply_to: Some(&a),
            ..Said::default()
        };
        fake.says(&thanks, at(0, 8, 25));
        stage.until(at(0, 9, 0)).await;
        assert_eq!(
            stage.number("select count(*) from mentions where native_id = 'https://other.example/t' and thread = 'https://other.example/q'").await,
            1,
            "said in the thread after us, to nobody by name"
        );
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_that_waits_for_the_citizen_runs_again_when_she_writes_in_the_thread() {
    for engine in ENGINES {
        let (stage, fake, _folder) = open(engine, ACCOUNT, at(0, 8, 0)).await;
        stage.until(at(0, 8, 0)).await;
        let question = Said {
            uri: "https://other.example/q",
            acct: "eva@other.example",
            text: "Hej @ale, när lagar ni hålet i gatan i Nol?",
            names: &["ale"],
            ..Said::default()
        };
        let q = fake.says(&question, at(0, 8, 1));
        stage.until(at(0, 8, 10)).await;
        let case = stage.case(1).await;
        let app = &stage.running.app;
        let mut tx = app.db.write().await.unwrap();
        let (owner, asked) = (case.owner.clone().unwrap(), "Vilken gata menar du?");
        let calendars = &app.config.calendars;
        promise_acts::wait_for_citizen(&mut tx, calendars, &owner, case.id, None, 5, asked, stage.now()).await.unwrap();
        tx.commit().await.unwrap();
        stage.until(at(1, 9, 0)).await;
        let waits = stage.case(1).await;
        assert!(waits.waiting_since.is_some() && waits.closed_at.is_none(), "it rests, and nobody is late");
        assert_eq!(stage.number("select count(*) from promise_events where what = 'breach'").await, 0);
        let reply = Said {
            uri: "https://other.example/r",
            acct: "eva@other.example",
            text: "@ale Byvägen, vid lekplatsen.",
            names: &["ale"],
            reply_to: Some(&q),
            ..Said::default()
        };
        fake.says(&reply, at(1, 9, 1));
        stage.until(at(1, 9, 10)).await;
        let runs = stage.case(1).await;
        assert_eq!((runs.waiting_since, runs.waiting_until), (None, None), "she has written, so we have the word");
        assert!(runs.due_at > waits.due_at, "the promise has as much left as when it began to rest");
        assert_eq!(stage.number("select count(*) from cases").await, 1, "no case of its own");
        assert_eq!(stage.number("select count(*) from case_mentions where case_id = 1").await, 2, "joined");
        assert_eq!(stage.number("select count(*) from promise_events where what = 'resume'").await, 2);
        assert_eq!(stage.facts(&["case.resumed"]).await.len(), 1);
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_20_a_comment_on_a_mastodon_post_of_ours_that_is_thirty_days_old_is_found() {
    let (stage, fake, _folder) = open(Engine::Sqlite, ACCOUNT, at(0, 8, 0)).await;
    let ours = fake.says(
        &Said { uri: "https://127.0.0.1/old", acct: "ale", text: "Nu öppnar lekplatsen i Surte.", ..Said::default() },
        at(-30, 8, 0),
    );
    stage.until(at(0, 8, 0)).await;
    let comment = Said {
        uri: "https://other.example/c",
        acct: "eva@other.example",
        text: "@ale Gungan är redan trasig, kan ni laga den?",
        reply_to: Some(&ours),
        names: &["ale"],
        ..Said::default()
    };
    fake.says(&comment, at(0, 8, 3));
    stage.until(at(0, 8, 10)).await;
    assert_eq!(
        stage.number("select count(*) from cases where unit is not null and thread = 'https://127.0.0.1/old'").await,
        1
    );
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_rings_at_once_and_tells_of_edits_and_deletions() {
    let streamed = TAGS.replace("tags =", "account = 'vi'\nstream = true\ntags =");
    let (stage, fake, _folder) = open(Engine::Sqlite, &streamed, at(0, 8, 0)).await;
    fake.serve_stream().await;
    stage.until(at(0, 8, 0)).await;
    // A second passes each time, and the source is not due for minutes: only the bell makes it read. It rings when the
    // stream begins, too.
    let second = |n| stage.running.app.clock.set(at(0, 8, 0).plus(Duration::from_secs(n)));
    second(1);
    let app = std::sync::Arc::clone(&stage.running.app);
    let listener = tokio::spawn(async move { hear_server::run(app, "taggar".to_owned()).await.unwrap() });
    let begun = Instant::now();
    while fake.listeners() == 0 {
        assert!(begun.elapsed() < PATIENCE, "nobody listens");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let until = async |sql: &'static str| {
        let begun = Instant::now();
        while stage.number(sql).await < 1 {
            assert!(begun.elapsed() < PATIENCE, "{sql}");
            stage.running.settle().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    second(2);
    let id = fake.says(&tagged("https://other.example/1", &lamp(1)), at(0, 7, 59));
    until("select count(*) from mentions").await;
    second(3);
    fake.edits(&id, "Nu är lampan vid torget i Älvängen lagad, tack Ale kommun! #ale", at(0, 8, 0));
    until("select count(*) from mention_versions").await;
    second(4);
    fake.deletes(&id);
    until("select count(*) from mentions where deleted_at is not null").await;
    assert_eq!(stage.facts(&["mention.kept", "mention.edited", "mention.deleted"]).await, [1, 1, 1]);
    listener.abort();
    // While nobody listens another comes; reading forward finds it all the same.
    fake.says(&tagged("https://other.example/2", &lamp(2)), at(0, 8, 0));
    stage.until(at(0, 8, 10)).await;
    assert_eq!(stage.number("select count(*) from mentions").await, 2);
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_the_server_leaves_the_place_and_says_what_it_is() {
    let (stage, fake, _folder) = open(Engine::Sqlite, TAGS, at(0, 8, 0)).await;
    let path = "/api/v1/timelines/tag/ale";
    fake.says(&tagged("https://other.example/0", &lamp(0)), at(0, 7, 0));
    let begun = reads(&stage, "taggar", &Cursor::default()).await.unwrap();
    for n in 1..=60 {
        fake.says(&tagged(&format!("https://other.example/{n}"), &lamp(n)), at(0, 8, 1));
    }
    let wrong = |faults: &[Fault]| fake.goes_wrong(path, faults);
    let status = |status| Fault::Status(status, vec![]);
    wrong(&[status(401)]);
    assert!(matches!(reads(&stage, "taggar", &begun.cursor).await, Err(PollError::Unauthorized(_))));
    wrong(&[status(403)]);
    assert!(matches!(reads(&stage, "taggar", &begun.cursor).await, Err(PollError::Unauthorized(_))));
    wrong(&[status(503)]);
    assert!(matches!(reads(&stage, "taggar", &begun.cursor).await, Err(PollError::Unreachable(_))));
    wrong(&[Fault::WrongType]);
    assert!(matches!(reads(&stage, "taggar", &begun.cursor).await, Err(PollError::Unreadable(_))));
    wrong(&[Fault::Cut]);
    assert!(matches!(reads(&stage, "taggar", &begun.cursor).await, Err(PollError::Unreachable(_))));
    // Each reading begins a little before the last one, with the post that is known: thirty-nine are new on its first page.
    // The second page is the first once more, turned round: nothing is lost and the rest comes next time.
    wrong(&[Fault::With(vec![]), Fault::Again]);
    let half = reads(&stage, "taggar", &begun.cursor).await.unwrap();
    let rest = reads(&stage, "taggar", &half.cursor).await.unwrap();
    let mut names: Vec<&str> = half.posts.iter().chain(&rest.posts).map(|post| post.native_id.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 60);
    // A token that is withdrawn between two pages: the place stays where it was.
    wrong(&[Fault::With(vec![]), status(401)]);
    assert!(reads(&stage, "taggar", &begun.cursor).await.is_err());
    assert_eq!(reads(&stage, "taggar", &begun.cursor).await.unwrap().posts.len(), 60);
    // What may be asked is used up after the first page: what was read is kept, and we rest.
    let until = stage.now().plus(Duration::from_mins(3)).to_string();
    wrong(&[Fault::With(vec![("x-ratelimit-remaining", "0".into()), ("x-ratelimit-reset", until)])]);
    let first = reads(&stage, "taggar", &begun.cursor).await.unwrap();
    assert_eq!((first.posts.len(), first.wait), (39, Some(Duration::from_mins(3))));
    let asked = fake.asked(path);
    let resting = reads(&stage, "taggar", &first.cursor).await;
    assert_eq!(resting.unwrap_err(), PollError::RateLimited { retry_after: Some(Duration::from_mins(3)) });
    assert_eq!(fake.asked(path), asked, "nothing is asked while the host rests");
    stage.running.app.clock.set(at(0, 8, 5));
    wrong(&[Fault::Status(429, vec![("retry-after", "60".into())])]);
    let limited = reads(&stage, "taggar", &first.cursor).await;
    assert_eq!(limited.unwrap_err(), PollError::RateLimited { retry_after: Some(Duration::from_mins(1)) });
    stage.running.app.clock.set(at(0, 8, 10));
    wrong(&[status(429)]);
    assert_eq!(reads(&stage, "taggar", &first.cursor).await.unwrap_err(), PollError::RateLimited { retry_after: None });
    assert_eq!(reads(&stage, "taggar", &first.cursor).await.unwrap().posts.len(), 21, "the rest");
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_mastodon_says_in_words_what_works() {
    let (stage, fake, _folder) = open(Engine::Sqlite, ACCOUNT, at(0, 8, 0)).await;
    let account = stage.running.app.config.accounts.get("vi").unwrap().clone();
    let check = async || stage.running.app.check_account(&account, stage.now()).await;
    let found = check().await;
    assert_eq!((found.ok, found.says.as_str()), (true, "Inloggningen fungerar som @ale@127.0.0.1."));
    fake.goes_wrong("/api/v1/notifications", &[Fault::Status(403, vec![])]);
    assert!(check().await.says.contains("read:notifications"));
    fake.token_is_withdrawn(true);
    let found = check().await;
    assert!(!found.ok && found.says.contains("skapa en ny") && !found.says.contains(TOKEN), "{}", found.says);
    stage.ends_whole().await;
}
