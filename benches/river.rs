//! How fast the whole river flows: posts that are imported at once, until the queue is empty and everybody who is to
//! be reminded is. The shipped words and organisation, the real workers, a `SQLite` file, no chat (reminders stand in
//! the inbox). Told time stands still at ten on a Monday; wall and CPU time are the machine's.
//!
//! `cargo bench --bench river -- 20000`; 2,000 posts unless told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use lyhord::app::App;
use lyhord::clock::{Clock, Time};
use lyhord::config::{self, Config, Overrides};
use lyhord::jobs::keep_posts::{self, From};
use lyhord::source::store::Named;
use lyhord::source::{self, Post};
use lyhord::{case, jobs, journal, queue};
use measure::{Better, figure};
use tokio::sync::watch;

#[expect(dead_code, reason = "the other benches tell ratios")]
mod measure;

const PLACES: [&str; 8] = ["Nödinge", "Alafors", "Älvängen", "Skepplanda", "Alvhem", "Hålanda", "Starrkärr", "Surte"];
const MATTERS: [&str; 8] = [
    "är vägen full av potthål, när lagas den?",
    "har sopbilen inte hämtat soporna på tre veckor, det är för dåligt",
    "fungerar inte gatubelysningen vid skolan, barnen går i mörker",
    "är maten på äldreboendet kall varje dag, jag vill klaga",
    "undrar vi hur man söker plats på förskolan till hösten?",
    "har ingen plogat gångvägen, min mormor ramlade i dag",
    "vill jag tacka personalen på biblioteket för hjälpen",
    "luktar kranvattnet klor, går det att dricka?",
];
/// Words of nobody make each text its own, so that posts are not taken for copies of one another.
const SYLLABLES: [&str; 12] = ["bra", "del", "fost", "gim", "hul", "jok", "kven", "lyp", "mor", "nys", "två", "sjöl"];
const AT_A_TIME: usize = 500;

fn shipped(name: &str) -> String {
    std::fs::read_to_string(format!("{}/config/{name}", env!("CARGO_MANIFEST_DIR"))).expect("the shipped configuration")
}

fn configuration(database: String) -> Config {
    let service = "[municipality]\nname = \"Ale kommun\"\ncontact = \"a@ale.example.se\"\nbase_url = \"http://127.0.0.1:8080/\"\n";
    let (organisation, words, lexicon) = (shipped("organisation.toml"), shipped("words.toml"), shipped("lexicon.toml"));
    let texts = [
        ("lyhord.toml", service),
        ("sources.toml", ""),
        ("organisation.toml", &organisation),
        ("words.toml", &words),
        ("lexicon.toml", &lexicon),
    ];
    let overrides = Overrides { database: Some(database.into()), listen: None };
    config::read_texts(texts, &overrides).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// The n-th post: each says something of its own, so that most become cases of their own.
fn post(n: usize, now: Time) -> Post {
    let place = PLACES[n % PLACES.len()];
    let matter = MATTERS[(n / PLACES.len()) % MATTERS.len()];
    let site = n % 97;
    let mut dice = u64::try_from(n).unwrap_or(0).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut own = String::new();
    for syllable in 0..60 {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        own.push_str(SYLLABLES[usize::try_from(dice >> 33).unwrap_or(0) % SYLLABLES.len()]);
        if syllable % 3 == 2 {
            own.push(' ');
        }
    }
    Post {
        channel: "import".to_owned(),
        native_id: format!("p{n}"),
        url: Some(format!("https://forum{site}.example.se/{n}")),
        text: format!("I {place} i Ale kommun {matter} {own}"),
        authored_at: Some(now.minus(Duration::from_secs(u64::try_from(n).unwrap_or(0) % 3_600))),
        ..Post::default()
    }
}

async fn import(app: &App, n: usize, now: Time) -> usize {
    let posts: Vec<Post> = (0..n).map(|n| post(n, now)).collect();
    let mut new = 0;
    for posts in posts.chunks(AT_A_TIME) {
        let mut tx = app.db.write().await.unwrap();
        let source = source::store::the_import(&mut tx, &Named::import(), now).await.unwrap();
        let from = From { source, key: "import", imported: true };
        let kept = keep_posts::keep(app, &mut tx, from, posts, now).await.unwrap();
        journal::append(&mut tx, &kept.facts).await.unwrap();
        tx.commit().await.unwrap();
        new += kept.new;
    }
    new
}

/// Waits until nothing is due and nothing is in the queue.
async fn settle(app: &App, patience: Duration) {
    let begun = Instant::now();
    loop {
        jobs::enqueue_due(app, app.clock.now()).await.unwrap();
        loop {
            let mut tx = app.db.read().await.unwrap();
            let depth = queue::depth(&mut tx).await.unwrap();
            drop(tx);
            if !depth.iter().any(|(status, n)| ["Pending", "Queued", "Running"].contains(&status.as_str()) && *n > 0) {
                assert!(depth.iter().all(|(status, _)| status == "Done"), "work failed: {depth:?}");
                break;
            }
            assert!(begun.elapsed() < patience, "work is left in the queue: {depth:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut tx = app.db.read().await.unwrap();
        if !jobs::something_due(&mut tx, app.clock.now()).await.unwrap() {
            return;
        }
    }
}

#[tokio::main]
async fn main() {
    let n: usize = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(2_000);
    let folder = tempfile::tempdir().unwrap();
    let now = Time::parse("2026-11-23T10:00:00+01:00").unwrap();
    let config = configuration(format!("sqlite:{}", folder.path().join("river.sqlite").display()));
    let app = Arc::new(App::open(config, Clock::manual(now)).await.unwrap());
    app.take_over_configuration().await.unwrap();

    let (wall, cpu) = (Instant::now(), ProcessTime::now());
    let new = import(&app, n, now).await;
    let (kept_wall, kept_cpu) = (wall.elapsed(), cpu.elapsed());
    let (stop, mut stopped) = watch::channel(false);
    let until = async move {
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    let workers = tokio::spawn(queue::run(app.db.clone(), jobs::worker(Arc::clone(&app)), until));
    settle(&app, Duration::from_mins(1).saturating_add(Duration::from_millis(u64::try_from(n).unwrap_or(0) * 20)))
        .await;
    let (all_wall, all_cpu) = (wall.elapsed(), cpu.elapsed());

    let mut tx = app.db.read().await.unwrap();
    let open: i64 = case::batch_store::loads(&mut tx).await.unwrap().iter().map(|(_, open, _)| *open).sum();
    drop(tx);
    assert!(new > n / 2 && open > 0, "the posts are not what they should be: {new} kept, {open} open cases");
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = |time: Duration| n as f64 / time.as_secs_f64();
    let profile = if cfg!(debug_assertions) { "DEBUG PROFILE, not comparable" } else { "release" };
    println!("river, SQLite, {n} posts, {new} kept, {open} open cases given to somebody ({profile})");
    println!("keep step alone: {:.0} posts/s by the clock, {:.0} a CPU second", rate(kept_wall), rate(kept_cpu));
    println!("whole river: {:.0} a CPU second", rate(all_cpu));
    figure("", "the whole river, by the clock", 500.0, None, rate(all_wall), "posts/s", Better::More);
    stop.send(true).unwrap();
    workers.await.unwrap().unwrap();
    app.db.close().await;
}
