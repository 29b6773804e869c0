//! The real program, killed at random moments while posts keep coming: nothing is lost and nothing is done twice.
//!
//! The feed and Telegram are processes of their own, so that they live on when the program dies. `LYHORD_KILLS` says
//! how often it is killed (for each database), `LYHORD_KILL_SEED` repeats a run.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lyhord::clock::Clock;
use lyhord::config::Overrides;
use lyhord::db::{Db, Tx};
use lyhord::journal::{self, Verdict};
use lyhord::{chat, on};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::fake_feed::{self, FakeFeed, FeedPost};
use crate::fake_telegram::{self, FakeTelegram};
use crate::harness::{Engine, at, database};

pub const TOKEN: &str = "123456:TEST-token-of-no-bot";
const KILLS: u32 = 6;
/// How long (real) the program may take to catch up after the last kill.
const PATIENCE: Duration = Duration::from_secs(150);
/// The same in the long form, where what the dead held is freed by nothing but its lease running out.
const LONG_PATIENCE: Duration = Duration::from_mins(10);
/// How often (real) somebody writes a post.
const POST_EVERY: Duration = Duration::from_millis(300);

/// A process that ends with the test, however the test ends.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// This test binary once more, as a server on that port.
fn server(test: &str, port: u16) -> Process {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", test, "--nocapture"])
        .env("LYHORD_TEST_PORT", port.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{test} did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    Process(child)
}

async fn serve_here(app: axum::Router) {
    let Ok(port) = std::env::var("LYHORD_TEST_PORT") else { return };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port.parse().unwrap())).await.unwrap();
    axum::serve(listener, app).await.unwrap();
}

#[tokio::test]
#[ignore = "a server for the test below, which starts it with a port"]
async fn serve_feed() {
    serve_here(fake_feed::app(FakeFeed::default())).await;
}

#[tokio::test]
#[ignore = "a server for the test below, which starts it with a port"]
async fn serve_telegram() {
    let telegram = FakeTelegram::new(TOKEN);
    for chat in 1_000..1_200 {
        telegram.start(chat);
    }
    serve_here(fake_telegram::app(telegram)).await;
}

/// The `n`-th post. No two say nearly the same, and each is about us.
pub fn words(n: usize) -> String {
    const MATTERS: [&str; 8] = [
        "Brunt vatten ur kranen hemma i",
        "Gatubelysningen är trasig vid busshållplatsen i",
        "Soporna har inte hämtats på tre veckor i",
        "När byggs den nya skolan i",
        "Hur söker man bygglov för ett växthus i",
        "Förskolan har stängt tidigare varje fredag i",
        "Simhallen är för kall för barnen, vi kommer från",
        "Det luktar illa från bäcken intill villorna i",
    ];
    const PLACES: [&str; 6] = ["Nödinge", "Alafors", "Älvängen", "Skepplanda", "Alvhem", "Surte"];
    const MORE: [&str; 7] = [
        "Vem på kommunen kan svara på det?",
        "Min granne har ringt två gånger utan besked.",
        "Det har varit så sedan i somras, när lagas det?",
        "Finns det någon plan för detta, och var kan vi läsa den?",
        "Vi vill gärna veta mer innan helgen.",
        "Hälsningar från en som bott här i trettio år.",
        "Är fler drabbade, och vad gör kommunen åt saken?",
    ];
    const OWN: [&str; 10] =
        ["tallen", "grinden", "postlådan", "kiosken", "dungen", "vändplanen", "bron", "ladan", "backen", "brunnen"];
    format!(
        "{} {}. Det är nära {} och {} där vi bor. {}",
        MATTERS[n % 8],
        PLACES[n / 8 % 6],
        OWN[n / 3 % 10],
        OWN[n / 30 % 10],
        MORE[n % 7]
    )
}

/// Everything that one run has.
struct Stage {
    folder: tempfile::TempDir,
    address: String,
    rehearsal: String,
    feed: u16,
    telegram: u16,
}

impl Stage {
    /// Starts the program. What it logs goes to a file, so that a failed run can be read.
    fn start(&self, works_only: bool) -> Process {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_lyhord"));
        if works_only {
            command.arg("work");
        }
        let child = command
            .env("LYHORD_CONFIG", self.folder.path())
            .env("LYHORD_DATABASE", &self.address)
            .env("LYHORD_LISTEN", "127.0.0.1:0")
            .env("LYHORD_REHEARSE", &self.rehearsal)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Process(child)
    }

    async fn number(&self, db: &Db, sql: &'static str) -> i64 {
        let mut tx = db.read().await.unwrap();
        on!(tx, c => sqlx::query_scalar(sql).fetch_one(c).await).unwrap()
    }

    async fn sent(&self) -> usize {
        let url = format!("http://127.0.0.1:{}/control/sent", self.telegram);
        let sent: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        sent.as_array().unwrap().len()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

pub fn configuration(folder: &Path, feed: u16, telegram: u16) {
    for name in ["words.toml", "lexicon.toml", "organisation.toml"] {
        std::fs::copy(format!("{}/config/{name}", env!("CARGO_MANIFEST_DIR")), folder.join(name)).unwrap();
    }
    let token = folder.join("token");
    std::fs::write(&token, TOKEN).unwrap();
    let service = format!(
        "[municipality]\nname = \"Ale kommun\"\ncontact = \"test@example.se\"\nbase_url = \"https://lyhord.example.se/\"\n\
         [chat.telegram]\ntoken_file = \"{}\"\nmode = \"poll\"\napi_base = \"http://127.0.0.1:{telegram}\"\n",
        token.display()
    );
    std::fs::write(folder.join("lyhord.toml"), service).unwrap();
    let sources = format!(
        "[[source]]\nkey = \"provbladet\"\nname = \"Provbladet\"\nkind = \"feed\"\n\
         address = \"http://127.0.0.1:{feed}/feed.xml\"\nlocal = true\ninterval_minutes = 1\n"
    );
    std::fs::write(folder.join("sources.toml"), sources).unwrap();
}

/// Everybody has bound a chat.
pub async fn bind_everybody(db: &Db, folder: &Path) {
    let config = lyhord::config::read(folder, &Overrides::default()).unwrap();
    let mut tx = db.write().await.unwrap();
    for (chat, staff) in (1_000_i64..).zip(&config.organisation.staff) {
        chat::store::bind_voice(&mut tx, &staff.key, "telegram", &chat.to_string(), at(0, 8, 0)).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// Three minutes pass at once for the dead: what they held is free. Only while nobody lives, and only in the short form:
/// the long one has the time to wait for the leases.
async fn leases_end(db: &Db) {
    let mut tx: Tx = db.write().await.unwrap();
    on!(tx, c => sqlx::query("update sources set lease_until = 1 where lease_until > 1").execute(c).await.map(|_| ()))
        .unwrap();
    on!(tx, c => sqlx::query("update messages set lease_until = 1 where state = 'sending'").execute(c).await.map(|_| ())).unwrap();
    tx.commit().await.unwrap();
}

/// Posts come until the sender is dropped; then says how many came.
async fn write_posts(feed: u16, clock: Clock, stop: tokio::sync::oneshot::Receiver<()>) -> usize {
    let client = reqwest::Client::new();
    let mut stop = stop;
    for n in 0.. {
        let text = words(n);
        let post = FeedPost { id: format!("p{n}"), title: text.chars().take(30).collect(), text, at: clock.now() };
        let url = format!("http://127.0.0.1:{feed}/control/add");
        let body = serde_json::to_string(&json!(post)).unwrap();
        client.post(url).header("content-type", "application/json").body(body).send().await.unwrap();
        tokio::select! {
            _ = &mut stop => return n + 1,
            () = tokio::time::sleep(POST_EVERY) => {}
        }
    }
    unreachable!("posts are without end")
}

pub const UNFINISHED: &str =
    "select (select count(*) from mentions where classification_id is null or settled_at is null)
    + (select count(*) from cases where unit is null)
    + (select count(*) from cases k where not exists (select 1 from reminders r where r.case_id = k.id))
    + (select count(*) from reminders where message_id is null)
    + (select count(*) from messages where state in ('waiting', 'sending'))";

async fn survives(engine: Engine) {
    let seed =
        std::env::var("LYHORD_KILL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random::<u64>);
    let kills = std::env::var("LYHORD_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let mut chance = StdRng::seed_from_u64(seed);
    let long = kills > KILLS;
    let patience = if long { LONG_PATIENCE } else { PATIENCE };
    println!("{engine:?}: {kills} kills, LYHORD_KILL_SEED={seed}");

    let database = database(engine);
    let (feed, telegram) = (port(), port());
    let _servers = [server("kill::serve_feed", feed), server("kill::serve_telegram", telegram)];
    let folder = tempfile::tempdir().unwrap();
    configuration(folder.path(), feed, telegram);
    let db = Db::open(&database.address, 4).await.unwrap();
    bind_everybody(&db, folder.path()).await;
    let rehearsal = format!("{}=2026-11-23T09:00:00+01:00x60", Clock::System.now());
    let clock = Clock::rehearsal(&rehearsal).unwrap();
    let stage = Stage { folder, address: database.address.clone(), rehearsal, feed, telegram };

    let (stop, stopped) = tokio::sync::oneshot::channel();
    let writer = tokio::spawn(write_posts(stage.feed, clock, stopped));
    let many = engine == Engine::Postgres;
    let mut alive: Vec<Process> = (0..if many { 2 } else { 1 }).map(|_| stage.start(many)).collect();
    for kill in 0..kills {
        tokio::time::sleep(Duration::from_millis(chance.random_range(300..1_800))).await;
        let one = chance.random_range(0..alive.len());
        drop(alive.remove(one));
        if kill % 3 == 2 {
            alive.clear();
        }
        if alive.is_empty() && !long {
            leases_end(&db).await;
        }
        while alive.len() < if many { 2 } else { 1 } {
            alive.push(stage.start(many));
        }
    }
    stop.send(()).unwrap();
    let posts = i64::try_from(writer.await.unwrap()).unwrap();
    if many {
        alive.clear();
        if !long {
            leases_end(&db).await;
        }
        alive = vec![stage.start(true), stage.start(true)];
    }
    let begun = Instant::now();
    loop {
        let kept = stage.number(&db, "select count(*) from mentions").await;
        let left = stage.number(&db, UNFINISHED).await;
        if kept == posts && left == 0 {
            break;
        }
        assert!(begun.elapsed() < patience, "{kept} of {posts} kept, {left} unfinished\n{}", stage.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!("{engine:?}: {posts} posts, caught up after {} s", begun.elapsed().as_secs());
    for process in &mut alive {
        let asked = Command::new("kill").args(["-TERM", &process.0.id().to_string()]).status().unwrap();
        assert!(asked.success());
        assert_eq!(process.0.wait().unwrap().code(), Some(0), "{}", stage.log());
    }
    nothing_is_lost_or_doubled(&stage, &db, posts, engine).await;
    db.close().await;
}

/// By its own id: the one that is lost or doubled is named.
async fn each_post_is_one_mention(db: &Db, posts: i64) {
    let mut tx = db.read().await.unwrap();
    let kept: Vec<String> =
        on!(tx, c => sqlx::query_scalar("select native_id from mentions").fetch_all(c).await).unwrap();
    let mut kept: Vec<&str> = kept.iter().map(|id| id.rsplit('#').next().unwrap()).collect();
    kept.sort_unstable();
    let mut written: Vec<String> = (0..posts).map(|n| format!("p{n}")).collect();
    written.sort_unstable();
    assert_eq!(kept, written);
}

/// The journal tells of each reminder once, by its case, its recipient and its stage: that it was decided, and that it was
/// said in the message that carried it.
async fn each_reminder_is_decided_and_said_once(db: &Db) {
    let mut tx = db.read().await.unwrap();
    let reminders: Vec<(i64, String, String, i64)> = on!(tx, c => {
        let carried = "select case_id, recipient, stage, message_id from reminders where message_id is not null";
        sqlx::query_as(carried).fetch_all(c).await
    })
    .unwrap();
    for kind in ["reminder.decided", "reminder.said"] {
        let facts: Vec<(i64, String)> = on!(tx, c => {
            sqlx::query_as("select case_id, body from journal where kind = $1").bind(kind).fetch_all(c).await
        })
        .unwrap();
        let mut told: Vec<(i64, String, String, i64)> = facts
            .into_iter()
            .map(|(case, body)| {
                let body: Value = serde_json::from_str(&body).unwrap();
                let text = |key: &str| body[key].as_str().unwrap().to_owned();
                (case, text("to"), text("stage"), body["message"].as_i64().unwrap_or(0))
            })
            .collect();
        let mut due = reminders.clone();
        if kind == "reminder.decided" {
            for (_, _, _, message) in &mut due {
                *message = 0; // none carried it yet
            }
        }
        told.sort();
        due.sort();
        assert_eq!(told, due, "{kind}");
    }
}

async fn nothing_is_lost_or_doubled(stage: &Stage, db: &Db, posts: i64, engine: Engine) {
    let number = |sql: &'static str| stage.number(db, sql);
    assert_eq!(number("select count(*) from mentions").await, posts);
    each_post_is_one_mention(db, posts).await;
    assert_eq!(number("select count(*) from classifications").await, posts, "each judged once");
    assert_eq!(number("select count(*) from journal where kind = 'mention.kept'").await, posts);
    let cases = number("select count(*) from cases").await;
    assert!(cases > 0);
    assert_eq!(number("select count(*) from journal where kind = 'case.opened'").await, cases);
    assert_eq!(number("select count(*) from journal where kind = 'case.assigned'").await, cases, "each assigned once");
    assert_eq!(number("select count(*) from cases where owner is null or due_at is null or round <> 1").await, 0);
    assert_eq!(number("select count(distinct case_id) from reminders where stage = 'notice'").await, cases);
    let ill = "select count(*) from reminders r left join messages m on m.id = r.message_id where m.id is null or m.state <> 'sent'";
    assert_eq!(number(ill).await, 0, "each reminder was carried by a message that was sent");
    let receipts = number("select count(*) from receipts").await;
    assert_eq!(
        receipts,
        number("select count(*) from messages where kind <> 'edit'").await,
        "each message has its receipt"
    );
    assert_eq!(receipts, number("select count(distinct message_id) from receipts").await, "and only one");
    let decided = number("select count(*) from reminders").await;
    assert_eq!(number("select count(*) from journal where kind = 'reminder.said'").await, decided, "each said once");
    each_reminder_is_decided_and_said_once(db).await;
    let repeats = number("select cast(coalesce(sum(repeats), 0) as bigint) from receipts").await;
    let sent = i64::try_from(stage.sent().await).unwrap();
    assert!(sent >= receipts, "Telegram has {sent}, we say {receipts}");
    assert!(sent - receipts <= repeats, "{} too many, {repeats} repeats are admitted", sent - receipts);
    println!(
        "{engine:?}: {cases} cases; said twice because Telegram got it and we could not know: {} of {receipts}",
        sent - receipts
    );
    let mut tx = db.read().await.unwrap();
    assert!(matches!(journal::verify(&mut tx).await.unwrap(), Verdict::Whole { .. }));
    let depth = lyhord::queue::depth(&mut tx).await.unwrap();
    assert!(depth.iter().all(|(status, _)| status != "Killed"), "{depth:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_on_sqlite_it_loses_nothing_and_doubles_nothing() {
    survives(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_on_postgresql_two_workers_lose_nothing_and_double_nothing() {
    survives(Engine::Postgres).await;
}
