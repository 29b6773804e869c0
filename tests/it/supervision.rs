//! Uppsikt and Källor: a source that falls silent against its own rhythm is told once, a gap is a gap on the page, in the
//! file and on the command line, and each source says what it reads and what it never can.

use std::process::Command;
use std::time::Duration;

use futures::FutureExt as _;
use lyhord::clock::Clock;
use lyhord::db::Tx;
use lyhord::jobs::{WEB_BELL, turn_health};
use lyhord::source::health::Verdict;
use lyhord::source::kinds::capabilities;
use lyhord::source::{self, Health};
use lyhord::{journal, queue};

use crate::channels::Stage;
use crate::contract::{NOW, a_source, later};
use crate::fake_feed::{self, FakeFeed, serve};
use crate::harness::{ENGINES, Engine, at, on_both};
use crate::pages::ADMIN;
use crate::tips::page;

/// What is not about us: it is counted and never kept.
const CAT: &str = "Säljer en kattunge i Malmö, ring mig på kvällen.";
/// Every hour from eight to six, on working days.
const OFFICE: std::ops::Range<i8> = 8..18;

/// The program with one feed, read every half hour.
async fn bladet(engine: Engine, feed: &FakeFeed, now: lyhord::clock::Time) -> Stage {
    let address = serve(fake_feed::app(feed.clone())).await;
    let sources = format!(
        "[[source]]\nkey = 'bladet'\nname = 'Bladet'\nkind = 'feed'\naddress = 'http://{address}/feed.xml'\nlocal = true\n\
         interval_minutes = 30\n"
    );
    Stage::open(engine, &sources, now).await
}

/// However it is read: feeds, streams and hooks turn by the same function.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_turns_is_a_fact_and_work_for_its_keepers_and_one_that_does_not_writes_nothing() {
    on_both(|_, db| async move {
        let bell = db.signals().bell(WEB_BELL);
        let rang = || bell.notified().now_or_never().is_some();
        let queued = async |tx: &mut Tx| queue::depth(tx).await.unwrap().iter().map(|(_, count)| count).sum::<i64>();
        let found = |health, why: &str| Verdict { health, why: why.to_owned() };
        let mut tx = db.write().await.unwrap();
        a_source(&mut tx).await;
        let row = source::store::by_key(&mut tx, "alekuriren").await.unwrap().unwrap();
        let before = queued(&mut tx).await;

        let same = found(Health::from_slug(&row.health), "andra ord om samma sak");
        assert!(turn_health::turned(&mut tx, &row, &same, later(60)).await.unwrap().is_none());
        assert_eq!(turn_health::since(&row, same.health, later(60)), NOW, "it has been so since then");
        assert_eq!(queued(&mut tx).await, before);
        tx.commit().await.unwrap();
        assert!(!rang());

        let mut tx = db.write().await.unwrap();
        let blind = found(Health::Blind, "Den visar ingenting.");
        let fact = turn_health::turned(&mut tx, &row, &blind, later(60)).await.unwrap().expect("it has turned");
        assert_eq!((fact.kind, fact.at, fact.actor.as_str()), ("source.health", later(60), "lyhord"));
        let told = serde_json::json!({ "source": "alekuriren", "from": row.health, "to": "blind" });
        assert_eq!(fact.body, told, "the reason is no part of the journal");
        assert_eq!(turn_health::since(&row, Health::Blind, later(60)), later(60));
        assert_eq!(queued(&mut tx).await, before + 1, "its keepers are told");
        assert_eq!(journal::after(&mut tx, 0, 9).await.unwrap().len(), 0, "the caller writes it, with its own");
        assert!(!rang(), "nothing is true yet");
        tx.commit().await.unwrap();
        assert!(rang());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_quieter_than_its_own_rhythm_is_told_once_and_heals_when_it_speaks() {
    for engine in ENGINES {
        let feed = FakeFeed::default();
        for day in (-28..=0).filter(|day: &i8| day.rem_euclid(7) < 5) {
            OFFICE.for_each(|hour| feed.says(&format!("{day}/{hour}"), CAT, at(day, hour, 30)));
        }
        let stage = bladet(engine, &feed, at(1, 7, 0)).await;
        stage.keeper_has_a_chat().await;
        stage.until(at(1, 7, 0)).await;
        let later = async |times: usize| {
            for _ in 0..times {
                stage.until(stage.now().plus(Duration::from_mins(50))).await;
            }
            stage.source("bladet").await
        };
        let told = || stage.telegram.sent().into_iter().map(|sent| sent.text).collect::<Vec<_>>();
        // A night and the first two hours of the day.
        let row = later(4).await;
        assert_eq!(stage.now(), at(1, 10, 20));
        assert_eq!((row.health.as_str(), row.quiet_since), ("ok", None), "{}", row.health_why);
        let row = later(4).await;
        assert_eq!((row.health.as_str(), row.quiet_since), ("degraded", Some(at(0, 18, 0))), "{}", row.health_why);
        assert!(row.health_why.contains("har varit tyst sedan"), "{}", row.health_why);
        let shown = page(&stage, ADMIN, "/kallor").await;
        assert!(shown.contains("Störd") && shown.contains("har varit tyst sedan"), "{shown}");
        let once = ["En källa i Lyhörd behöver tillsyn.\nhttps://lyhord.example.se/logga-in"];
        assert_eq!(told(), once);
        later(3).await;
        assert_eq!(told(), once, "it is as quiet as before: nobody is told again");
        feed.says("ny", CAT, at(1, 16, 20));
        let row = later(1).await;
        assert_eq!((row.health.as_str(), row.quiet_since, row.health_why.as_str()), ("ok", None, ""));
        assert!(!page(&stage, ADMIN, "/kallor").await.contains("tyst sedan"));
        assert_eq!(told(), once);
        assert_eq!(stage.facts(&["source.warned", "source.health"]).await, [1, 2]);
        assert_eq!(stage.number("select count(*) from mentions").await, 0, "what it says is none of ours");
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_is_a_gap_on_the_page_in_the_file_and_on_the_command_line() {
    const LOG: &str = "\u{feff}källa;kanal;läge;från;till;läsningar\r\n\
        Bladet;rss;läst;2026-11-23 08:00:00;2026-11-23 09:20:00;3\r\n\
        Bladet;rss;glapp;2026-11-23 09:20:00;2026-11-23 14:00:00;\r\n\
        Bladet;rss;läst;2026-11-23 14:00:00;2026-11-23 14:00:00;1\r\n";
    let folder = tempfile::tempdir().unwrap();
    for name in lyhord::config::FILES {
        let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name);
        std::fs::copy(from, folder.path().join(name)).unwrap();
    }
    for engine in ENGINES {
        let feed = FakeFeed::default();
        feed.says("1", CAT, at(0, 7, 0));
        let stage = bladet(engine, &feed, at(0, 8, 0)).await;
        // The machine slept from twenty past nine.
        for now in [at(0, 8, 0), at(0, 8, 40), at(0, 9, 20), at(0, 14, 0)] {
            stage.until(now).await;
        }
        let shown = page(&stage, ADMIN, "/kallor/uppsikt?dagar=7").await;
        for words in ["<strong>Bladet</strong>", "de senaste 7 dagarna", "1 glapp", "14.00 (4 tim 40 min)"] {
            assert!(shown.contains(words), "{words}: {shown}");
        }
        assert!(shown.contains("läst 22,2\u{a0}% sedan"), "80 minutes of 360: {shown}");
        assert_eq!(page(&stage, ADMIN, "/kallor/uppsikt.csv?dagar=7").await, LOG);
        let mut command = Command::new(env!("CARGO_BIN_EXE_lyhord"));
        command.args(["supervision", "--days", "7"]).env("LYHORD_CONFIG", folder.path());
        command.env("LYHORD_DATABASE", stage.address());
        command.env("LYHORD_REHEARSE", format!("{}={}x1", Clock::System.now(), stage.now()));
        let said = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stdout), LOG, "{}", String::from_utf8_lossy(&said.stderr));
        assert!(said.status.success());
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_source_says_on_the_page_what_it_reads_and_what_it_never_can() {
    const SOURCES: &str = "\
        [[account]]\nkey = 'b'\nchannel = 'bluesky'\nhandle = 'ale.example'\nid = 'did:plc:ale'\nserver = 'https://pds.example'\n\
        [[account]]\nkey = 'm'\nchannel = 'mastodon'\nhandle = '@ale@m.example'\nserver = 'https://m.example'\n\
        [[source]]\nkey = 'k1'\nname = 'Flödet'\nkind = 'feed'\npaused = true\naddress = 'https://a.example/feed'\n\
        [[source]]\nkey = 'k2'\nname = 'Strömmen'\nkind = 'bluesky'\npaused = true\naddress = 'wss://jetstream.example'\n\
        [[source]]\nkey = 'k3'\nname = 'Blåkontot'\nkind = 'bluesky'\nreads = 'account'\npaused = true\naccount = 'b'\n\
        [[source]]\nkey = 'k4'\nname = 'Taggarna'\nkind = 'mastodon'\npaused = true\naddress = 'https://m.example'\ntags = ['ale']\n\
        [[source]]\nkey = 'k5'\nname = 'Elefantkontot'\nkind = 'mastodon'\nreads = 'account'\npaused = true\naccount = 'm'\n\
        [[source]]\nkey = 'k6'\nname = 'Kroken'\nkind = 'hook'\npaused = true\nsecret_env = 'LYHORD_TEST_UNSET'\n\
        [[source]]\nkey = 'k7'\nname = 'Brevlådan'\nkind = 'mail'\npaused = true\naddress = 'imaps://mail.example'\nuser = 'tips'\n\
        secret_env = 'LYHORD_TEST_UNSET'\n";
    let kinds = [
        ("Flödet", "feed", "Ser inte kommentarer om de inte står i flödet."),
        ("Strömmen", "bluesky-stream", "Läser inte bilder, bara bildernas beskrivningar."),
        ("Blåkontot", "bluesky-account", "Ser inte direktmeddelanden."),
        ("Taggarna", "mastodon-tags", "Mastodon har ingen fullständig sökning."),
        ("Elefantkontot", "mastodon-account", "Läser inte privata omnämnanden som inte är ställda till oss."),
        ("Kroken", "hook", "Tar inte emot det som bara var öppet för några."),
        ("Brevlådan", "mail", "Läser inte krypterade brev."),
    ];
    let stage = Stage::open(Engine::Sqlite, SOURCES, at(0, 9, 0)).await;
    let shown = page(&stage, ADMIN, "/kallor").await;
    for (name, slug, sentence) in kinds {
        let row = shown.split("<tr role=\"row\">").find(|row| row.contains(&format!("rowheader\">{name}<br>")));
        let row = row.unwrap_or_else(|| panic!("{name} has no row: {shown}"));
        let (reads, cannot) = capabilities(slug);
        assert!(!reads.is_empty() && !cannot.is_empty(), "{slug}");
        assert!(row.contains(&format!("<p class=\"small\">{reads}</p>")), "{slug}: {row}");
        for what in cannot {
            assert!(row.contains(&format!("<li>{what}</li>")), "{slug}, {what}: {row}");
        }
        assert!(row.contains(sentence), "{slug}, {sentence}: {row}");
    }
    stage.running.settle().await;
    stage.ends_whole().await;
}
