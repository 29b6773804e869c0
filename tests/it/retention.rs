//! What is changed and taken away by its writer, until a decision lets the words go: then they are gone everywhere, and
//! the journal says by which decision.

use std::time::Duration;

use lyhord::config::Retention;
use lyhord::jobs::purge::{PurgeError, purge};
use lyhord::journal;
use lyhord::source::{Gone, Kind, Name, Post};

use crate::channels::Stage;
use crate::harness::{ENGINES, Engine, at};
use crate::pages::COMMUNICATOR;
use crate::tips::page;

const TORGET: &str = "[[source]]\nkey = \"torget\"\nname = \"Torget\"\nkind = \"feed\"\nchannel = \"torget\"\n\
    address = \"https://torget.example/feed\"\npaused = true\n";
const BROWN: &str = "Brunt vatten ur kranen i Nol sedan i morse, vem på Ale kommun kan svara?";
const LAMP: &str = "Gatlampan vid torget i Älvängen är trasig, när lagar Ale kommun den?";

fn post(id: &str, text: &str) -> Post {
    Post {
        channel: "torget".to_owned(),
        native_id: id.to_owned(),
        url: Some(format!("https://torget.example/{id}")),
        kind: Kind::Post,
        text: text.to_owned(),
        writer: Some("id:somebody".to_owned()),
        authored_at: Some(at(0, 8, 0)),
        ..Post::default()
    }
}

/// How many cases a person finds who looks for that word.
async fn found(stage: &Stage, engine: Engine) -> i64 {
    stage
        .number(match engine {
            Engine::Sqlite => "select count(*) from case_words where words match 'kranen'",
            Engine::Postgres => {
                "select count(*) from case_words where words @@ websearch_to_tsquery('swedish', 'kranen')"
            }
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_writer_has_taken_away_is_gone_everywhere_when_a_decision_lets_it_go_and_not_before() {
    for engine in ENGINES {
        let stage = Stage::open(engine, TORGET, at(0, 8, 0)).await;
        stage.hears("torget", &[post("q", BROWN)], &[]).await;
        stage.hears("torget", &[post("l", LAMP)], &[]).await;
        let changed = Post { updated_at: Some(at(0, 8, 20)), ..post("q", &format!("{BROWN} Det luktar också.")) };
        stage.hears("torget", &[changed], &[]).await;
        let gone = Gone { name: Name::Native("q".to_owned()), at: Some(at(0, 8, 30)) };
        stage.until(at(0, 9, 0)).await;
        stage.hears("torget", &[], &[gone]).await;
        let row = stage.case(1).await;
        assert_eq!((row.title.starts_with("Brunt"), found(&stage, engine).await), (true, 1));
        assert!(page(&stage, COMMUNICATOR, "/arende/1").await.contains("sedan i morse"), "until then it can be read");

        let app = &stage.running.app;
        let class = |decision: Option<&str>| Retention {
            class: "R4".to_owned(),
            keep_days: 30,
            decision: decision.map(str::to_owned),
        };
        let after = |days: u64| at(0, 9, 0).plus(Duration::from_hours(24 * days));
        let undecided = purge(app, &class(None), after(400)).await;
        assert!(matches!(undecided, Err(PurgeError::NoDecision(_))), "{undecided:?}");
        let decided = class(Some("KS 2026-117"));
        assert_eq!(purge(app, &decided, after(29)).await.unwrap(), 0, "not before its time");
        assert_eq!(stage.number("select count(*) from mention_versions").await, 1);
        assert_eq!(purge(app, &decided, after(31)).await.unwrap(), 1);
        assert_eq!(purge(app, &decided, after(32)).await.unwrap(), 0, "once");

        let words = "select count(*) from mentions where body <> '' or title is not null or url is not null";
        assert_eq!(stage.number(words).await, 1, "the other post is untouched");
        assert_eq!(stage.number("select count(*) from mentions where deleted_at is not null and body = ''").await, 1);
        assert_eq!(stage.number("select count(*) from mention_versions").await, 0, "nor what it said first");
        assert_eq!(found(&stage, engine).await, 0, "nobody finds it by its words");
        assert_eq!(stage.case(1).await.title, "Borttaget av den som skrev");
        assert!(stage.case(2).await.title.starts_with("Gatlampan"));
        for path in ["/arende/1", "/inkorg"] {
            let shown = page(&stage, COMMUNICATOR, path).await;
            assert!(!shown.contains("sedan i morse") && !shown.contains("luktar"), "{path}: {shown}");
        }
        let mut tx = app.db.read().await.unwrap();
        let entries = journal::after(&mut tx, 0, 10_000).await.unwrap();
        drop(tx);
        let purged: Vec<String> =
            entries.iter().filter(|entry| entry.kind == "retention.purged").map(|entry| format!("{entry:?}")).collect();
        assert_eq!(purged.len(), 1, "{purged:?}");
        assert!(purged[0].contains("KS 2026-117") && purged[0].contains("R4"), "{purged:?}");
        assert!(entries.iter().all(|entry| !format!("{entry:?}").contains("kranen")), "no words stand in the journal");
        assert_eq!(stage.facts(&["mention.edited", "mention.deleted"]).await, [1, 1], "that it was, stays");
        // The same page once more brings nothing back.
        stage.hears("torget", &[post("q", BROWN)], &[]).await;
        assert_eq!(stage.number(words).await, 1);
        stage.ends_whole().await;
    }
}
