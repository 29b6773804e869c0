//! The real program with a stream, killed at random moments while posts keep coming: nothing is lost and nothing is kept
//! twice. The stream is a process of its own. `LYHORD_KILLS` says how often, `LYHORD_KILL_SEED` repeats a run.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lyhord::clock::Clock;
use lyhord::db::Db;
use lyhord::journal::{self, Verdict};
use lyhord::on;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use crate::fake_bluesky::{self, Event, FakeJetstream};
use crate::harness::{Engine, database};
use crate::kill::{Process, port, words};

const KILLS: u32 = 3;
/// How long (real) the program may take to catch up.
const PATIENCE: Duration = Duration::from_mins(2);
const POST_EVERY: Duration = Duration::from_millis(120);

#[tokio::test]
#[ignore = "a server for the tests below, which start it with two ports"]
async fn serve_jetstream() {
    let of = |name: &str| std::env::var(name).ok().and_then(|port| port.parse::<u16>().ok());
    let (Some(stream), Some(control)) = (of("LYHORD_TEST_PORT"), of("LYHORD_TEST_CONTROL")) else { return };
    let fake = FakeJetstream::default();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", stream)).await.unwrap();
    tokio::spawn(fake.clone().serve_on(listener));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", control)).await.unwrap();
    axum::serve(listener, fake_bluesky::control(fake)).await.unwrap();
}

fn server(stream: u16, control: u16) -> Process {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "kill_stream::serve_jetstream", "--nocapture"])
        .env("LYHORD_TEST_PORT", stream.to_string())
        .env("LYHORD_TEST_CONTROL", control.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", control)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the stream did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    Process(child)
}

fn configuration(folder: &Path, stream: u16) {
    for name in ["words.toml", "lexicon.toml", "organisation.toml"] {
        std::fs::copy(format!("{}/config/{name}", env!("CARGO_MANIFEST_DIR")), folder.join(name)).unwrap();
    }
    let service = "[municipality]\nname = \"Ale kommun\"\ncontact = \"test@example.se\"\nbase_url = \"https://lyhord.example.se/\"\n";
    std::fs::write(folder.join("lyhord.toml"), service).unwrap();
    let sources = format!(
        "[[source]]\nkey = \"strom\"\nname = \"Bluesky\"\nkind = \"bluesky\"\naddress = \"ws://127.0.0.1:{stream}\"\nlocal = true\n"
    );
    std::fs::write(folder.join("sources.toml"), sources).unwrap();
}

fn start(folder: &Path, address: &str) -> Process {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_lyhord"))
        .arg("work")
        .env("LYHORD_CONFIG", folder)
        .env("LYHORD_DATABASE", address)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    Process(child)
}

async fn number(db: &Db, sql: &'static str) -> i64 {
    let mut tx = db.read().await.unwrap();
    on!(tx, c => sqlx::query_scalar(sql).fetch_one(c).await).unwrap()
}

async fn add(control: u16, n: usize) {
    let record = json!({ "$type": "app.bsky.feed.post", "text": words(n), "langs": ["sv"], "createdAt": Clock::System.now().to_string() });
    let event = Event {
        did: "did:plc:eva".into(),
        operation: "create".into(),
        rkey: format!("p{n}"),
        record: Some(record),
        time_us: Clock::System.now().0 * 1_000,
        seq: None,
    };
    let url = format!("http://127.0.0.1:{control}/control/add");
    let body = serde_json::to_string(&event).unwrap();
    reqwest::Client::new().post(url).header("content-type", "application/json").body(body).send().await.unwrap();
}

async fn until_kept(db: &Db, posts: i64, folder: &Path) -> Duration {
    let begun = Instant::now();
    while number(db, "select count(*) from mentions").await < posts {
        let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        let kept = number(db, "select count(*) from mentions").await;
        assert!(begun.elapsed() < PATIENCE, "{kept} of {posts}\n{log}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    begun.elapsed()
}

async fn survives(engine: Engine) {
    let seed =
        std::env::var("LYHORD_KILL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random::<u64>);
    let kills = std::env::var("LYHORD_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let mut chance = StdRng::seed_from_u64(seed);
    println!("{engine:?}: {kills} kills of a stream, LYHORD_KILL_SEED={seed}");
    let database = database(engine);
    let (stream, control) = (port(), port());
    let _server = server(stream, control);
    let folder = tempfile::tempdir().unwrap();
    configuration(folder.path(), stream);
    let db = Db::open(&database.address, 4).await.unwrap();
    let many = if engine == Engine::Postgres { 2 } else { 1 };
    let mut alive: Vec<Process> = (0..many).map(|_| start(folder.path(), &database.address)).collect();
    // The first time a stream begins now: what is written before somebody listens is not ours to hear.
    let begun = Instant::now();
    while number(&db, "select count(*) from supervision").await == 0 {
        assert!(begun.elapsed() < PATIENCE, "nobody listens");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut posts = 0;
    let mut slowest = Duration::ZERO;
    for _ in 0..kills {
        for _ in 0..chance.random_range(5..15) {
            add(control, posts).await;
            posts += 1;
            tokio::time::sleep(POST_EVERY).await;
        }
        let one = chance.random_range(0..alive.len());
        drop(alive.remove(one));
        alive.push(start(folder.path(), &database.address));
        add(control, posts).await;
        posts += 1;
        slowest = slowest.max(until_kept(&db, i64::try_from(posts).unwrap(), folder.path()).await);
    }
    println!("{engine:?}: {posts} posts, heard again within {} s of a kill", slowest.as_secs());
    assert!(slowest < Duration::from_mins(1), "taken over within a minute: {slowest:?}");
    let posts = i64::try_from(posts).unwrap();
    assert_eq!(number(&db, "select count(*) from mentions").await, posts);
    assert_eq!(number(&db, "select count(distinct native_id) from mentions").await, posts);
    assert_eq!(number(&db, "select count(*) from journal where kind = 'mention.kept'").await, posts);
    let mut tx = db.read().await.unwrap();
    assert!(matches!(journal::verify(&mut tx).await.unwrap(), Verdict::Whole { .. }));
    drop(tx);
    drop(alive);
    db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_killed_at_random_on_sqlite_loses_nothing_and_doubles_nothing() {
    survives(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_killed_at_random_on_postgresql_is_taken_over_within_a_minute() {
    survives(Engine::Postgres).await;
}
