//! From a post in a feed that is due, to the reminder at the chat's API: the real queue, timetable, judge and Telegram
//! voice, on a real clock in told office hours. `cargo bench --bench latency`, or with `-- 20` for fewer posts.

#[path = "../tests/it/fake_feed.rs"]
mod fake_feed;
#[path = "../tests/it/fake_telegram.rs"]
mod fake_telegram;
#[expect(dead_code, reason = "the other benches tell ratios")]
mod measure;
#[path = "../tests/it/running.rs"]
#[expect(dead_code, reason = "made for the tests, which use all of it")]
mod running;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fake_feed::{FakeFeed, serve};
use fake_telegram::FakeTelegram;
use lyhord::app::App;
use lyhord::clock::Clock;
use lyhord::{chat, jobs, queue, source};
use measure::{Better, figure};

const TOKEN: &str = "123456:TEST-token-of-no-bot";
/// A post that takes longer is a failed run.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two posts, so that each is on its own: a host is asked at most thirty times a minute, and a reading that waits
/// for that is no wait of ours.
const REST: Duration = Duration::from_millis(2_100);

/// Posts to many units: nobody gets more than five messages a minute, and the pace is not what is measured here.
const MATTERS: [&str; 12] = [
    "Brunt vatten ur kranen hemma i",
    "Gatubelysningen är trasig vid busshållplatsen i",
    "Soporna har inte hämtats på tre veckor i",
    "När byggs den nya skolan i",
    "Hur söker man bygglov för ett växthus i",
    "Förskolan har stängt tidigare varje fredag i",
    "När öppnar biblioteket igen i",
    "Det luktar illa från bäcken intill villorna i",
    "Hemtjänsten kommer aldrig i tid till mormor i",
    "Vem hjälper nya företag att hitta lokal i",
    "När sammanträder kommunfullmäktige om planen för",
    "E-tjänsten för parkeringstillstånd fungerar inte för oss i",
];
const PLACES: [&str; 6] = ["Nödinge", "Alafors", "Älvängen", "Skepplanda", "Alvhem", "Surte"];

#[tokio::main]
async fn main() {
    let posts: usize = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(60);
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, TOKEN).unwrap();
    let (telegram, feed) = (FakeTelegram::new(TOKEN), FakeFeed::default());
    let bot = serve(fake_telegram::app(telegram.clone())).await;
    let paper = serve(fake_feed::app(feed.clone())).await;
    let service = format!(
        "[municipality]\nname = \"Ale kommun\"\ncontact = \"bench@example.se\"\nbase_url = \"https://lyhord.example.se/\"\n\
         [chat.telegram]\ntoken_file = \"{}\"\nmode = \"off\"\napi_base = \"http://{bot}\"\n",
        token.display()
    );
    let sources = format!(
        "[[source]]\nkey = \"forum\"\nname = \"Forum\"\nkind = \"feed\"\nchannel = \"forum\"\n\
         address = \"http://{paper}/feed.xml\"\nlocal = true\ninterval_minutes = 1440\n"
    );
    let database = format!("sqlite:{}", folder.path().join("lyhord.sqlite").display());
    let config = running::config(&service, &sources, &database);
    let clock = Clock::rehearsal(&format!("{}=2026-11-23T09:00:00+01:00x1", Clock::System.now())).unwrap();
    let app = Arc::new(App::open(config, clock).await.unwrap());
    app.take_over_configuration().await.unwrap();
    let mut tx = app.db.write().await.unwrap();
    for (chat, staff) in (1_000_i64..).zip(&app.config.organisation.staff) {
        telegram.start(chat);
        chat::store::bind_voice(&mut tx, &staff.key, "telegram", &chat.to_string(), app.clock.now()).await.unwrap();
    }
    tx.commit().await.unwrap();
    tokio::spawn(queue::run(app.db.clone(), jobs::worker(Arc::clone(&app)), std::future::pending()));
    let timetable = Arc::clone(&app);
    tokio::spawn(async move { jobs::timetable(&timetable).await });
    tokio::time::sleep(Duration::from_secs(2)).await;

    let mut waits = Vec::with_capacity(posts);
    for n in 0..posts {
        waits.push(one(&app, &telegram, &feed, n).await);
        tokio::time::sleep(REST).await;
    }
    waits.sort_unstable();
    let at = |share: usize| waits[(waits.len() * share / 100).min(waits.len() - 1)].as_secs_f64();
    println!("{posts} posts, feed to chat API: p50 {:.2} s, max {:.2} s", at(50), at(100));
    figure(
        "",
        "from a post in a feed to the reminder at the chat's API, p95",
        5.0,
        Some(1.0),
        at(95),
        "s",
        Better::Less,
    );
    app.db.close().await;
}

/// Writes one post, makes the source due, and waits for the next message at Telegram.
async fn one(app: &App, telegram: &FakeTelegram, feed: &FakeFeed, n: usize) -> Duration {
    let before = telegram.sent().len();
    let words = format!("{} {}? Det gäller nummer {n} på gatan.", MATTERS[n % 12], PLACES[n / 12 % 6]);
    feed.says(&format!("post-{n}"), &words, app.clock.now());
    let begun = Instant::now();
    let mut tx = app.db.write().await.unwrap();
    let row = source::store::by_key(&mut tx, "forum").await.unwrap().unwrap();
    source::store::read_now(&mut tx, row.id, app.clock.now()).await.unwrap();
    tx.ring_on_commit(jobs::TIMETABLE_BELL);
    tx.commit().await.unwrap();
    while telegram.sent().len() == before {
        assert!(begun.elapsed() < PATIENCE, "post {n} was not told: {words}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    begun.elapsed()
}
