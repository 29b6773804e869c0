//! The real program, asked to stop (SIGTERM) while others keep it waiting: what is in hand is finished, and the next
//! start does nothing of it again. The feed and Telegram are here, and slow when they are told to be.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use lyhord::clock::Clock;
use lyhord::db::Db;
use lyhord::journal::{self, Verdict};
use lyhord::{on, queue};

use crate::fake_feed::{self, FakeFeed, serve};
use crate::fake_telegram::{self, FakeTelegram};
use crate::harness::{ENGINES, database};
use crate::kill::{Process, TOKEN, UNFINISHED, bind_everybody, configuration, words};

/// How long (real) a slow one keeps its answer.
const SLOW: Duration = Duration::from_secs(1);
/// Sources on one server, which is asked one at a time: all are in hand at once, and more than the queue's library could
/// write down as done while it stops.
const SOURCES: usize = 8;
/// The longest that a stopping program may take: what drains, and some for a busy machine.
const GRACE: Duration = Duration::from_secs(30);
/// Longest time (real) that something may take to be seen.
const PATIENCE: Duration = Duration::from_secs(90);

/// Keeps the answers of one path back for as long as it is slow: what was asked has then been done, and nobody knows.
#[derive(Clone, Default)]
struct Keeper {
    slow: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    answered: Arc<AtomicUsize>,
}

impl Keeper {
    fn before(&self, app: Router) -> Router {
        app.layer(middleware::from_fn_with_state(self.clone(), keep_back))
    }

    fn is_slow(&self, slow: bool) {
        self.slow.store(slow, Ordering::SeqCst);
    }

    /// How many slow answers were asked for, and how many have been given.
    fn counts(&self) -> (usize, usize) {
        (self.asked.load(Ordering::SeqCst), self.answered.load(Ordering::SeqCst))
    }

    async fn is_asked(&self, log: impl Fn() -> String) {
        let begun = Instant::now();
        while self.counts().0 == 0 {
            assert!(begun.elapsed() < PATIENCE, "nobody asks: {}", log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn keep_back(State(keeper): State<Keeper>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_lowercase();
    let kept = keeper.slow.load(Ordering::SeqCst) && (path == "/feed.xml" || path.ends_with("/sendmessage"));
    if !kept {
        return next.run(request).await;
    }
    keeper.asked.fetch_add(1, Ordering::SeqCst);
    let response = next.run(request).await;
    tokio::time::sleep(SLOW).await;
    // Whoever hangs up before this is not counted: then nothing runs on.
    keeper.answered.fetch_add(1, Ordering::SeqCst);
    response
}

/// Asks the program to stop; it ends by itself, well and in time.
async fn stops(mut process: Process, log: impl Fn() -> String) {
    let begun = Instant::now();
    let asked = Command::new("kill").args(["-TERM", &process.0.id().to_string()]).status().unwrap();
    assert!(asked.success());
    loop {
        if let Some(status) = process.0.try_wait().unwrap() {
            assert_eq!(status.code(), Some(0), "{status}: {}", log());
            return;
        }
        assert!(begun.elapsed() < GRACE, "it does not stop: {}", log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn number(db: &Db, sql: &'static str) -> i64 {
    let mut tx = db.read().await.unwrap();
    on!(tx, c => sqlx::query_scalar(sql).fetch_one(c).await).unwrap()
}

/// How many pieces of work some worker has, dead or alive.
async fn held(db: &Db) -> i64 {
    let mut tx = db.read().await.unwrap();
    let depth = queue::depth(&mut tx).await.unwrap();
    depth.into_iter().filter(|(status, _)| status == "Running" || status == "Queued").map(|(_, count)| count).sum()
}

/// How many readings have been taken up.
async fn started(db: &Db) -> usize {
    let taken = number(db, "select count(*) from sources where turns > 0 or lease_by is not null").await;
    usize::try_from(taken).unwrap()
}

/// The same feed under more names.
fn more_sources(folder: &Path) {
    let path = folder.join("sources.toml");
    let first = std::fs::read_to_string(&path).unwrap();
    let another = |n| first.replace("provbladet", &format!("prov-{n}")).replace("feed.xml", &format!("feed.xml?{n}"));
    let all: String = std::iter::once(first.clone()).chain((1..SOURCES).map(another)).collect();
    std::fs::write(path, all).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_stop_it_finishes_what_is_in_hand_and_the_next_start_does_nothing_of_it_again() {
    const RECEIPTS: &str = "select count(*) from receipts";
    const REPEATS: &str = "select cast(coalesce(sum(repeats), 0) as bigint) from receipts";
    for engine in ENGINES {
        let database = database(engine);
        let (feed, telegram) = (FakeFeed::default(), FakeTelegram::new(TOKEN));
        for chat in 1_000..1_200 {
            telegram.start(chat);
        }
        let (paper, chat) = (Keeper::default(), Keeper::default());
        let paper_at = serve(paper.before(fake_feed::app(feed.clone()))).await;
        let chat_at = serve(chat.before(fake_telegram::app(telegram.clone()))).await;
        let folder = tempfile::tempdir().unwrap();
        configuration(folder.path(), paper_at.port(), chat_at.port());
        more_sources(folder.path());
        let db = Db::open(&database.address, 4).await.unwrap();
        bind_everybody(&db, folder.path()).await;
        let rehearsal = format!("{}=2026-11-23T09:00:00+01:00x10", Clock::System.now());
        feed.says("p0", &words(0), Clock::rehearsal(&rehearsal).unwrap().now());
        let path = folder.path().join("log");
        let log = || std::fs::read_to_string(&path).unwrap_or_default();
        let start = || {
            let log = std::fs::OpenOptions::new().create(true).append(true).open(&path).unwrap();
            let child = Command::new(env!("CARGO_BIN_EXE_lyhord"))
                .env("LYHORD_CONFIG", folder.path())
                .env("LYHORD_DATABASE", &database.address)
                .env("LYHORD_LISTEN", "127.0.0.1:0")
                .env("LYHORD_REHEARSE", &rehearsal)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .unwrap();
            Process(child)
        };

        // While the feed keeps it waiting.
        paper.is_slow(true);
        let process = start();
        paper.is_asked(log).await;
        let begun = Instant::now();
        while started(&db).await < SOURCES {
            assert!(begun.elapsed() < PATIENCE, "not all are taken up: {}", log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(paper.counts().1 < SOURCES, "they are in hand");
        stops(process, log).await;
        assert_eq!(paper.counts(), (SOURCES, SOURCES), "it waited for the answers: {}", log());
        assert_eq!(number(&db, "select count(*) from mentions").await, 1, "and kept the post: {}", log());
        assert_eq!(held(&db).await, 0, "and holds no work: {}", log());
        paper.is_slow(false);

        // While Telegram has the message and does not say so yet.
        chat.is_slow(true);
        let process = start();
        chat.is_asked(log).await;
        assert_eq!(chat.counts().1, 0, "it is in hand");
        assert_eq!(number(&db, RECEIPTS).await, 0);
        stops(process, log).await;
        let (asked, answered) = chat.counts();
        assert_eq!(asked, answered, "it waited for the answers: {}", log());
        let receipted = number(&db, RECEIPTS).await;
        assert_eq!(usize::try_from(receipted).unwrap(), telegram.sent().len(), "{}", log());
        assert!(receipted > 0);
        assert_eq!(number(&db, "select count(*) from messages where state = 'sending'").await, 0);
        assert_eq!(held(&db).await, 0, "{}", log());
        chat.is_slow(false);

        // The rest is done, and nothing twice.
        let process = start();
        let begun = Instant::now();
        while log().matches("pages are served").count() < 3 || number(&db, UNFINISHED).await > 0 {
            assert!(begun.elapsed() < PATIENCE, "something is left: {}", log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(SLOW).await; // for what it would do a second time
        stops(process, log).await;
        for sql in [
            "select count(*) from mentions",
            "select count(*) from classifications",
            "select count(*) from cases",
            "select count(*) from journal where kind = 'mention.kept'",
            "select count(*) from journal where kind = 'case.opened'",
            "select count(*) from journal where kind = 'case.assigned'",
        ] {
            assert_eq!(number(&db, sql).await, 1, "{sql}: {}", log());
        }
        let receipts = number(&db, RECEIPTS).await;
        assert_eq!(number(&db, "select count(distinct message_id) from receipts").await, receipts);
        assert_eq!(number(&db, REPEATS).await, 0);
        assert_eq!(usize::try_from(receipts).unwrap(), telegram.sent().len(), "each was said once: {}", log());
        let mut tx = db.read().await.unwrap();
        assert!(matches!(journal::verify(&mut tx).await.unwrap(), Verdict::Whole { .. }));
        drop(tx);
        db.close().await;
    }
}
