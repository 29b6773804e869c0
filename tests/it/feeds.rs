//! Feeds over days and restarts: what a server has told us about where, when and whether to ask is kept to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use lyhord::app::App;
use lyhord::clock::{Clock, Time};
use lyhord::jobs::poll_source;
use lyhord::source::store::{self, Reading, SourceRow};
use tokio::sync::RwLock;

use crate::channels::Stage;
use crate::contract::{NOW, later, named};
use crate::fake_feed::serve;
use crate::harness::{Database, ENGINES, at, database, on_both};
use crate::pages::ADMIN;
use crate::running::{Running, config};

const SERVICE: &str =
    "[municipality]\nname = \"Ale kommun\"\ncontact = \"test@example.se\"\nbase_url = \"https://lyhord.example.se/\"\n";
const FEED: &str = "<rss><channel><title>T</title><item><guid>1</guid><title>Ett</title></item></channel></rss>";

/// What stands at a path of the site.
struct Page {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: &'static str,
}

/// A web site that says at each path what the test tells it to say, and counts who asks.
#[derive(Clone, Default)]
struct Site {
    pages: Arc<Mutex<BTreeMap<&'static str, Page>>>,
    asked: Arc<Mutex<Vec<String>>>,
    /// While somebody holds it for writing, nobody is answered.
    gate: Arc<RwLock<()>>,
}

impl Site {
    fn pages(&self) -> MutexGuard<'_, BTreeMap<&'static str, Page>> {
        self.pages.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn says(&self, path: &'static str, status: u16, headers: &[(&'static str, &str)], body: &'static str) {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.pages().insert(path, Page { status, headers, body });
    }

    /// How often it was asked for a path.
    fn asked(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == path).count()
    }

    async fn is_asked(&self, path: &str, times: usize) {
        let begun = Instant::now();
        while self.asked(path) < times {
            assert!(begun.elapsed() < Duration::from_secs(30), "nobody asks for {path}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Its address, on a free port of this machine.
    async fn serve(&self) -> String {
        let address = serve(Router::new().fallback(answer).with_state(self.clone())).await;
        format!("http://{address}")
    }
}

async fn answer(State(site): State<Site>, uri: Uri) -> Response {
    site.asked.lock().unwrap().push(uri.path().to_owned());
    let _open = site.gate.read().await;
    let pages = site.pages();
    let Some(page) = pages.get(uri.path()) else {
        return Response::builder().status(404).body(Body::empty()).unwrap();
    };
    let mut response = Response::builder().status(page.status);
    for (name, value) in &page.headers {
        response = response.header(*name, value);
    }
    response.body(Body::from(page.body)).unwrap()
}

/// A configuration with one feed, read every half hour.
fn one_feed(address: &str) -> String {
    format!(
        "[[source]]\nkey = \"bladet\"\nname = \"Bladet\"\nkind = \"feed\"\naddress = \"{address}\"\nlocal = true\n\
         interval_minutes = 30\n"
    )
}

async fn start(sources: &str, database: &Database, now: Time) -> Running {
    Running::start(config(SERVICE, sources, &database.address), now).await
}

async fn bladet(app: &App) -> SourceRow {
    let mut tx = app.db.read().await.unwrap();
    store::by_key(&mut tx, "bladet").await.unwrap().unwrap()
}

/// Somebody presses "läs nu".
async fn read_now(running: &Running) {
    let id = bladet(&running.app).await.id;
    let mut tx = running.app.db.write().await.unwrap();
    store::read_now(&mut tx, id, running.app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    running.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_gone_is_asked_again_by_no_restart_but_by_a_person_or_at_another_address() {
    for engine in ENGINES {
        let site = Site::default();
        site.says("/feed", 410, &[], "");
        site.says("/nytt", 200, &[], FEED);
        let base = site.serve().await;
        let database = database(engine);
        let sources = one_feed(&format!("{base}/feed"));
        let running = start(&sources, &database, at(0, 9, 0)).await;
        running.until(at(0, 9, 0)).await;
        assert_eq!(site.asked("/feed"), 1);
        let row = bladet(&running.app).await;
        assert_eq!((row.health.as_str(), row.gone_at), ("dead", Some(at(0, 9, 0))));
        running.app.take_over_configuration().await.unwrap(); // another process of the same service starts
        running.until(at(1, 9, 0)).await;
        assert_eq!(site.asked("/feed"), 1, "another start is no reason to ask");
        running.stop().await;

        let running = start(&sources, &database, at(2, 9, 0)).await;
        running.until(at(2, 9, 0)).await;
        assert_eq!(site.asked("/feed"), 1, "nor is a restart");
        read_now(&running).await;
        assert_eq!(site.asked("/feed"), 2, "a person is");
        running.until(at(3, 9, 0)).await;
        running.stop().await;

        let running = start(&sources, &database, at(3, 10, 0)).await;
        running.until(at(3, 10, 0)).await;
        assert_eq!(site.asked("/feed"), 2, "it was still gone");
        running.stop().await;

        let running = start(&one_feed(&format!("{base}/nytt")), &database, at(3, 11, 0)).await;
        running.until(at(3, 11, 0)).await;
        let row = bladet(&running.app).await;
        assert_eq!((site.asked("/feed"), site.asked("/nytt"), row.gone_at), (2, 1, None));
        assert_eq!(row.last_ok_at, Some(at(3, 11, 0)));
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_has_moved_for_good_is_asked_for_where_it_is_also_after_a_restart() {
    for engine in ENGINES {
        let site = Site::default();
        let base = site.serve().await;
        let new = format!("{base}/ny");
        site.says("/gammal", 301, &[("location", &new)], "");
        site.says("/ny", 200, &[], FEED);
        let database = database(engine);
        let sources = one_feed(&format!("{base}/gammal"));
        let running = start(&sources, &database, at(0, 9, 0)).await;
        running.until(at(0, 9, 0)).await;
        assert_eq!((site.asked("/gammal"), site.asked("/ny")), (1, 1));
        assert_eq!(bladet(&running.app).await.moved_to, Some(new));
        running.until(at(0, 9, 40)).await;
        assert_eq!((site.asked("/gammal"), site.asked("/ny")), (1, 2));
        running.stop().await;

        let running = start(&sources, &database, at(0, 10, 20)).await;
        running.until(at(0, 10, 20)).await;
        assert_eq!((site.asked("/gammal"), site.asked("/ny")), (1, 3));
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_asks_us_to_wait_is_left_alone_for_so_long() {
    for engine in ENGINES {
        let site = Site::default();
        site.says("/feed", 503, &[("retry-after", "7200")], "");
        let base = site.serve().await;
        let database = database(engine);
        let running = start(&one_feed(&format!("{base}/feed")), &database, at(0, 9, 0)).await;
        // A tenth of the wait is added at most, so that not all who wait come at once.
        let next = async |from: Time, until: Time| {
            let row = bladet(&running.app).await;
            assert!((from..=until).contains(&row.next_poll_at), "{} is not {from} to {until}", row.next_poll_at);
        };
        running.until(at(0, 9, 0)).await;
        next(at(0, 11, 0), at(0, 11, 12)).await;
        assert_eq!(bladet(&running.app).await.health, "degraded", "it asks us to wait, so it is there");
        running.until(at(0, 10, 59)).await;
        assert_eq!(site.asked("/feed"), 1);
        // 14.00 in Stockholm.
        site.says("/feed", 429, &[("retry-after", "Mon, 23 Nov 2026 13:00:00 GMT")], "");
        running.until(at(0, 11, 12)).await;
        assert_eq!(site.asked("/feed"), 2);
        next(at(0, 14, 0), at(0, 14, 17)).await;
        running.until(at(0, 13, 59)).await;
        assert_eq!(site.asked("/feed"), 2);
        // It wants three hours between two readings.
        let slow =
            "<rss><channel><title>T</title><ttl>180</ttl><item><guid>1</guid><title>Ett</title></item></channel></rss>";
        site.says("/feed", 200, &[], slow);
        running.until(at(0, 14, 17)).await;
        assert_eq!(site.asked("/feed"), 3);
        next(at(0, 17, 17), at(0, 17, 35)).await;
        assert_eq!(bladet(&running.app).await.health, "ok", "and it has healed by itself");
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_feed_is_asked_by_one_process_only_however_long_it_takes() {
    for engine in ENGINES {
        let site = Site::default();
        site.says("/feed", 200, &[], FEED);
        let base = site.serve().await;
        let database = database(engine);
        let sources = one_feed(&format!("{base}/feed"));
        let begun = at(0, 9, 0);
        let open =
            async || App::open(config(SERVICE, &sources, &database.address), Clock::manual(begun)).await.unwrap();
        let (one, other) = (Arc::new(open().await), open().await);
        one.take_over_configuration().await.unwrap();
        let id = bladet(&one).await.id;
        let shut = Arc::clone(&site.gate).write_owned().await;
        let reader = Arc::clone(&one);
        let reading = tokio::spawn(async move { poll_source::run(&reader, id, begun).await });
        site.is_asked("/feed", 1).await;
        // The reading has taken as long as a reading may.
        let end = begun.plus(poll_source::LONGEST);
        other.clock.set(end);
        poll_source::run(&other, id, end).await.unwrap();
        assert_eq!(site.asked("/feed"), 1, "the other process leaves it alone");
        drop(shut);
        reading.await.unwrap().unwrap();
        assert_eq!(bladet(&one).await.last_ok_at, Some(begun), "and what came late is kept");
        one.db.close().await;
        other.db.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_turns_is_shown_with_since_when_and_why_and_each_turn_is_one_fact() {
    const WHY: &str = "Källan kräver inloggning eller nekar oss";
    for engine in ENGINES {
        let site = Site::default();
        site.says("/feed", 200, &[], FEED);
        let base = site.serve().await;
        let stage = Stage::open(engine, &one_feed(&format!("{base}/feed")), at(0, 10, 0)).await;
        stage.until(at(0, 10, 0)).await;
        let page = crate::tips::page(&stage, ADMIN, "/kallor").await;
        assert!(page.contains("<span class=\"tag brand\">Läses</span>") && !page.contains(WHY), "{page}");

        site.says("/feed", 401, &[], "");
        stage.until(at(0, 10, 40)).await;
        // It is tried again and is as it was: since when stands, and no more is told.
        for then in [at(0, 11, 30), at(0, 11, 50)] {
            stage.until(then).await;
            read_now(&stage.running).await;
            let page = crate::tips::page(&stage, ADMIN, "/kallor").await;
            let told = "<span class=\"tag late\">Blind</span> <span class=\"small muted\">sedan 10.40</span>\
                        <span class=\"small\">";
            assert!(page.contains(&format!("{told}{WHY}")), "{page}");
        }
        assert!(site.asked("/feed") >= 4, "it was tried again");
        assert_eq!(stage.facts(&["source.health"]).await, [1]);

        site.says("/feed", 200, &[], FEED);
        stage.until(at(0, 12, 30)).await;
        read_now(&stage.running).await;
        let page = crate::tips::page(&stage, ADMIN, "/kallor").await;
        let well = "<span class=\"tag brand\">Läses</span> <span class=\"small muted\">sedan 12.30</span>";
        assert!(page.contains(well) && !page.contains(WHY), "{page}");
        assert_eq!(stage.facts(&["source.health"]).await, [2]);
        stage.ends_whole().await;
    }
}

fn a_reading(id: lyhord::id::SourceId) -> Reading<'static> {
    Reading {
        id,
        holder: "a",
        cursor: Some("{\"etag\":\"x\"}"),
        next_poll_at: later(900),
        failures: 0,
        health: "ok",
        health_since: NOW,
        health_why: "",
        ok_at: Some(NOW),
        item_at: None,
        moved_to: None,
        gone_at: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_that_ends_after_the_configuration_has_changed_undoes_nothing_of_it() {
    on_both(|_, db| async move {
        let mut tx = db.write().await.unwrap();
        let here = [named("bladet", "http://a/")];
        store::take_over_configuration(&mut tx, &here, NOW).await.unwrap();
        let id = store::by_key(&mut tx, "bladet").await.unwrap().unwrap().id;
        // It is no longer named.
        store::claim(&mut tx, id, "a", NOW, later(60)).await.unwrap().unwrap();
        store::take_over_configuration(&mut tx, &[], later(1)).await.unwrap();
        assert!(store::settle(&mut tx, &a_reading(id)).await.unwrap(), "what was read is kept");
        let row = store::by_key(&mut tx, "bladet").await.unwrap().unwrap();
        assert_eq!((row.enabled, row.last_ok_at), (false, Some(NOW)));
        assert_eq!(store::due(&mut tx, later(9_000), 9).await.unwrap(), []);
        assert_eq!(store::next_due(&mut tx).await.unwrap(), None);
        assert!(store::claim(&mut tx, id, "a", later(9_000), later(9_060)).await.unwrap().is_none());
        // It is named again, and then with another address.
        store::take_over_configuration(&mut tx, &here, later(900)).await.unwrap();
        store::claim(&mut tx, id, "a", later(900), later(960)).await.unwrap().unwrap();
        store::take_over_configuration(&mut tx, &[named("bladet", "http://b/")], later(901)).await.unwrap();
        let gone = Reading { gone_at: Some(later(902)), ..a_reading(id) };
        assert!(!store::settle(&mut tx, &gone).await.unwrap(), "the old address says nothing about the new one");
        let row = store::by_key(&mut tx, "bladet").await.unwrap().unwrap();
        assert_eq!((row.gone_at, row.cursor.as_str()), (None, "null"));
        assert!(store::claim(&mut tx, id, "b", later(901), later(960)).await.unwrap().is_some(), "read at once");
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_is_neither_due_nor_claimed_until_it_is_asked_for_or_has_another_address() {
    on_both(|_, db| async move {
        let mut tx = db.write().await.unwrap();
        let here = [named("bladet", "http://a/")];
        store::take_over_configuration(&mut tx, &here, NOW).await.unwrap();
        let id = store::by_key(&mut tx, "bladet").await.unwrap().unwrap().id;
        let gone = Reading { gone_at: Some(NOW), next_poll_at: NOW, ..a_reading(id) };
        for way_back in [true, false] {
            store::claim(&mut tx, id, "a", later(60), later(90)).await.unwrap().unwrap();
            assert!(store::settle(&mut tx, &gone).await.unwrap());
            for _ in 0..2 {
                assert_eq!(store::due(&mut tx, later(60), 9).await.unwrap(), []);
                assert_eq!(store::next_due(&mut tx).await.unwrap(), None);
                assert!(store::claim(&mut tx, id, "a", later(60), later(90)).await.unwrap().is_none());
                assert_eq!(
                    store::health_counts(&mut tx).await.unwrap().len(),
                    1,
                    "it is still one that we should read"
                );
                store::take_over_configuration(&mut tx, &here, later(60)).await.unwrap();
            }
            if way_back {
                store::read_now(&mut tx, id, later(60)).await.unwrap();
            } else {
                store::take_over_configuration(&mut tx, &[named("bladet", "http://b/")], later(60)).await.unwrap();
            }
            assert_eq!(store::due(&mut tx, later(60), 9).await.unwrap().len(), 1);
        }
        tx.commit().await.unwrap();
    })
    .await;
}
