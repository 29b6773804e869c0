//! What stands in the log when all is logged: nothing of what a citizen wrote, and not who she is.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use lyhord::telemetry::{LogForm, begin};
use lyhord::{on, source};

use crate::channels::Stage;
use crate::fake_feed::serve;
use crate::harness::{ENGINES, at};

/// What somebody wrote and who she is: nothing of it may be in a log.
const HERS: [&str; 6] =
    ["Klorvägen", "luktar olja", "brunt vatten ur kranen", "Ulrika", "Unikdotter", "u.unikdotter@exempel.invalid"];

/// A paper in which somebody has written, with name and address, once it has been `written`.
fn paper(written: &Arc<AtomicBool>) -> axum::Router {
    let written = Arc::clone(written);
    let read = move || {
        let item = "<item><title>Brunt vatten i Nödinge!</title><guid isPermaLink=\"false\">1</guid>\
             <pubDate>Mon, 23 Nov 2026 08:03:00 +0100</pubDate>\
             <author>u.unikdotter@exempel.invalid (Ulrika Unikdotter)</author>\
             <description>&lt;p&gt;Brunt vatten i Nödinge! Sedan i morse kommer det bara brunt vatten ur kranen på \
             &lt;b&gt;Klorvägen&lt;/b&gt;, och det luktar olja.&lt;/p&gt; &lt;p&gt;Går det att dricka?&lt;/p&gt;</description></item>";
        let item = if written.load(Ordering::SeqCst) { item } else { "" };
        let xml = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<rss version=\"2.0\"><channel><title>Provbladet</title>\
             <link>https://provbladet.example.se/</link><description>Nyheter</description>{item}</channel></rss>\n"
        );
        std::future::ready(([(axum::http::header::CONTENT_TYPE, "application/rss+xml; charset=utf-8")], xml))
    };
    axum::Router::new().route("/feed.xml", axum::routing::get(read))
}

/// A post goes from the feed to the reminder, with every line of every library on standard error.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a program for the test below, which reads what it writes"]
async fn talk_of_a_post() {
    begin(LogForm::Text, "trace");
    for engine in ENGINES {
        let written = Arc::new(AtomicBool::new(false));
        let address = serve(paper(&written)).await;
        let sources = format!(
            "[[source]]\nkey = 'bladet'\nname = 'Bladet'\nkind = 'feed'\nchannel = 'forum'\n\
             address = 'http://{address}/feed.xml'\nlocal = true\ninterval_minutes = 1440\n"
        );
        let stage = Stage::open(engine, &sources, at(0, 8, 0)).await;
        let mut tx = stage.running.app.db.write().await.unwrap();
        for (chat, staff) in (5_000_i64..).zip(&stage.running.app.config.organisation.staff) {
            lyhord::chat::store::bind_voice(&mut tx, &staff.key, "telegram", &chat.to_string(), stage.now())
                .await
                .unwrap();
            stage.telegram.start(chat);
        }
        tx.commit().await.unwrap();
        stage.until(at(0, 8, 0)).await;
        written.store(true, Ordering::SeqCst);
        stage.until(at(0, 8, 5)).await;
        let id = stage.source("bladet").await.id;
        let mut tx = stage.running.app.db.write().await.unwrap();
        source::store::read_now(&mut tx, id, stage.now()).await.unwrap();
        tx.commit().await.unwrap();
        stage.until(at(0, 8, 5)).await;
        stage.until(at(0, 8, 10)).await;

        let mut tx = stage.running.app.db.read().await.unwrap();
        let kept: String = on!(tx, c => sqlx::query_scalar("select body from mentions").fetch_one(c).await).unwrap();
        drop(tx);
        assert!(HERS[..3].iter().all(|words| kept.contains(words)), "it was heard: {kept}");
        assert_eq!(stage.number("select count(*) from cases").await, 1);
        assert!(!stage.telegram.sent().is_empty(), "and somebody was told");
        stage.ends_whole().await;
    }
    eprintln!("all has been said");
}

#[test]
fn no_word_of_a_post_and_no_name_is_ever_in_a_log_though_everything_is_logged() {
    let log = everything_said_by("logs::talk_of_a_post");
    for words in HERS {
        let found = log.lines().find(|line| line.to_lowercase().contains(&words.to_lowercase()));
        assert_eq!(found, None, "{words} is in the log");
    }
}

/// A source whose host answers nothing.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a program for the test below, which reads what it writes"]
async fn talk_of_a_source() {
    begin(LogForm::Text, "info");
    for engine in ENGINES {
        let sources = "[[source]]\nkey = 'bladet'\nname = 'Bladet'\nkind = 'feed'\n\
             address = 'http://127.0.0.1:9/feed.xml'\nlocal = true\n";
        let stage = Stage::open(engine, sources, at(0, 8, 0)).await;
        stage.until(at(0, 8, 0)).await;
        assert_ne!(stage.source("bladet").await.health, "ok");
        stage.ends_whole().await;
    }
    eprintln!("all has been said");
}

#[test]
fn a_source_s_health_and_why_it_turned_stand_in_the_log_on_both_databases() {
    let log = everything_said_by("logs::talk_of_a_source");
    let turns: Vec<&str> = log.lines().filter(|line| line.contains("source health changed")).collect();
    assert_eq!(turns.len(), ENGINES.len(), "{turns:?}");
    for turn in turns {
        let said = ["WARN", "source=", "bladet", "Källan svarar inte"];
        assert!(said.iter().all(|word| turn.contains(word)), "{turn}");
    }
}

/// Runs an ignored test as a program of its own with everything logged, and tells what it said.
pub fn everything_said_by(program: &str) -> String {
    let started = Instant::now();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", program, "--nocapture"])
        .env("LYHORD_LOG", "trace")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = child.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&said.stderr).into_owned();
    let end: String = log.chars().rev().take(2_000).collect::<Vec<_>>().into_iter().rev().collect();
    assert!(said.status.success() && log.contains("all has been said"), "after {:?}: {end}", started.elapsed());
    assert!(log.contains("TRACE"), "everything is logged");
    log
}
