//! The real program, killed while a mailbox is being read: every letter is read once, and the box lies as it lay.
//!
//! Between the program and Debian's dovecot stands a slow line that tells when a reading is under way.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lyhord::clock::Clock;
use lyhord::db::{Db, Tx};
use lyhord::journal::{self, Verdict};
use lyhord::on;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::dovecot::{Dovecot, PASSWORD, USER};
use crate::harness::{Engine, database};
use crate::kill::{Process, words};

const KILLS: usize = 4;
/// How long (real) one thing may be waited for.
const PATIENCE: Duration = Duration::from_mins(2);
/// Letters that come before each kill: a reading of them says more than [`ANSWERS`] times something.
const LETTERS: usize = 14;
/// A reading is interrupted after so many of the server's answers: greeting, sign-in, folder, search and sizes are the
/// first five, and the rest are letters.
const ANSWERS: std::ops::Range<usize> = 6..16;

/// A line to the mail server on which each answer takes a while; counts the answers of the newest conversation.
#[derive(Clone, Default)]
struct SlowLine {
    answers: Arc<AtomicUsize>,
}

impl SlowLine {
    async fn open(&self, server: u16) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let line = self.clone();
        tokio::spawn(async move {
            while let Ok((theirs, _)) = listener.accept().await {
                line.answers.store(0, Ordering::SeqCst);
                let line = line.clone();
                tokio::spawn(async move {
                    let ours = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                    let ((mut from_us, mut to_us), (mut from_them, mut to_them)) =
                        (ours.into_split(), theirs.into_split());
                    let asks = tokio::spawn(async move { tokio::io::copy(&mut from_them, &mut to_us).await });
                    let mut answer = vec![0; 64 * 1_024];
                    while let Ok(n @ 1..) = from_us.read(&mut answer).await {
                        tokio::time::sleep(Duration::from_millis(25)).await;
                        if to_them.write_all(&answer[..n]).await.is_err() {
                            break;
                        }
                        line.answers.fetch_add(1, Ordering::SeqCst);
                    }
                    asks.abort();
                });
            }
        });
        port
    }

    /// Waits until a reading that begins now has heard so many answers.
    async fn is_midway(&self, answers: usize, folder: &Path) {
        let begun = Instant::now();
        self.answers.store(usize::MAX / 2, Ordering::SeqCst);
        while !(answers..usize::MAX / 2).contains(&self.answers.load(Ordering::SeqCst)) {
            let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(begun.elapsed() < PATIENCE, "nobody reads\n{}", log());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

fn configuration(folder: &Path, port: u16) {
    for name in ["words.toml", "lexicon.toml", "organisation.toml"] {
        std::fs::copy(format!("{}/config/{name}", env!("CARGO_MANIFEST_DIR")), folder.join(name)).unwrap();
    }
    let service = "[municipality]\nname = \"Ale kommun\"\ncontact = \"test@example.se\"\nbase_url = \"https://lyhord.example.se/\"\n";
    std::fs::write(folder.join("lyhord.toml"), service).unwrap();
    let secret = folder.join("secret");
    std::fs::write(&secret, PASSWORD).unwrap();
    let sources = format!(
        "[[source]]\nkey = \"brev\"\nname = \"Brevlådan\"\nkind = \"mail\"\naddress = \"imap://127.0.0.1:{port}\"\nlocal = true\n\
         encrypted = false\nidle = false\ninterval_minutes = 1\nuser = \"{USER}\"\nsecret_file = \"{}\"\n",
        secret.display()
    );
    std::fs::write(folder.join("sources.toml"), sources).unwrap();
}

fn start(folder: &Path, address: &str, rehearsal: &str) -> Process {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_lyhord"))
        .arg("work")
        .env("LYHORD_CONFIG", folder)
        .env("LYHORD_DATABASE", address)
        .env("LYHORD_REHEARSE", rehearsal)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    Process(child)
}

fn letter(n: usize) -> String {
    format!(
        "From: Eva <eva@example.se>\nTo: tips@ale.example.se\nMessage-ID: <brev-{n}@example.se>\nSubject: Fråga {n}\n\
         Date: Mon, 23 Nov 2026 07:30:00 +0100\nContent-Type: text/plain; charset=utf-8\n\n{}\n",
        words(n)
    )
}

async fn number(db: &Db, sql: &'static str) -> i64 {
    let mut tx = db.read().await.unwrap();
    on!(tx, c => sqlx::query_scalar(sql).fetch_one(c).await).unwrap()
}

/// What the dead held at the source is free, as when its lease had run out.
async fn lease_ends(db: &Db) {
    let mut tx: Tx = db.write().await.unwrap();
    on!(tx, c => sqlx::query("update sources set lease_until = 1 where lease_until > 1").execute(c).await.map(|_| ()))
        .unwrap();
    tx.commit().await.unwrap();
}

async fn survives(engine: Engine) {
    let seed =
        std::env::var("LYHORD_KILL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random::<u64>);
    let kills = std::env::var("LYHORD_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let mut chance = StdRng::seed_from_u64(seed);
    println!("{engine:?}: {kills} kills of the reading of a mailbox, LYHORD_KILL_SEED={seed}");
    let server = Dovecot::start();
    let line = SlowLine::default();
    let folder = tempfile::tempdir().unwrap();
    configuration(folder.path(), line.open(server.port).await);
    let database = database(engine);
    let db = Db::open(&database.address, 4).await.unwrap();
    let rehearsal = format!("{}=2026-11-23T09:00:00+01:00x60", Clock::System.now());
    let mut letters = 0;
    for kill in 0..kills {
        for _ in 0..LETTERS {
            server.delivers(&letter(letters));
            letters += 1;
        }
        let alive = start(folder.path(), &database.address, &rehearsal);
        line.is_midway(chance.random_range(ANSWERS), folder.path()).await;
        drop(alive);
        if kill == 0 {
            assert_eq!(number(&db, "select count(*) from mentions").await, 0, "it was killed before it had read all");
        }
        lease_ends(&db).await;
    }
    let alive = start(folder.path(), &database.address, &rehearsal);
    let letters = i64::try_from(letters).unwrap();
    let begun = Instant::now();
    while number(&db, "select count(*) from mentions").await < letters {
        let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        assert!(begun.elapsed() < PATIENCE, "{letters} letters\n{log}\n{}", server.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Once more, now that nobody disturbs it.
    line.is_midway(5, folder.path()).await;
    drop(alive);
    for sql in [
        "select count(*) from mentions",
        "select count(distinct native_id) from mentions",
        "select count(*) from journal where kind = 'mention.kept'",
    ] {
        assert_eq!(number(&db, sql).await, letters, "{sql}");
    }
    assert_eq!(i64::try_from(server.untouched()).unwrap(), letters, "nothing is marked as read, moved or deleted");
    let mut tx = db.read().await.unwrap();
    assert!(matches!(journal::verify(&mut tx).await.unwrap(), Verdict::Whole { .. }));
    drop(tx);
    db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_of_a_mailbox_killed_midway_on_sqlite_loses_nothing_and_doubles_nothing() {
    survives(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_of_a_mailbox_killed_midway_on_postgresql_loses_nothing_and_doubles_nothing() {
    survives(Engine::Postgres).await;
}
