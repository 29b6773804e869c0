//! How late is a reminder? From the moment at which it is due to the moment at which the chat's API has it, with few and
//! with many waiting cases: the p99 with 100,000 is at most twice that with 100. `cargo bench --bench lateness`, or with
//! `-- 20 5000` for fewer reminders and fewer cases. The lanes take turns and their waits are put together: with any number
//! of cases one reminder in eighty meets a pause of some 50 ms, and a hundred hold one of those or none.

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

use fake_feed::serve;
use fake_telegram::FakeTelegram;
use lyhord::app::App;
use lyhord::case::batch_store::NewCase;
use lyhord::clock::{Clock, Time};
use lyhord::id::CaseId;
use lyhord::mention::keep_store::NewMention;
use lyhord::source::store::Named;
use lyhord::{chat, jobs, on, queue, source};
use measure::{Better, figure};
use tokio::sync::watch;

const TOKEN: &str = "123456:TEST-token-of-no-bot";
/// A reminder that takes longer is a failed run.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two reminders, so that each is on its own.
const REST: Duration = Duration::from_millis(300);
const ROUNDS: usize = 3;
/// Lateness with many cases over lateness with few.
const GATE: f64 = 2.0;

#[tokio::main]
async fn main() {
    let mut given = std::env::args().skip(1).filter_map(|word| word.parse::<i64>().ok());
    let (told, many) = (given.next().unwrap_or(100), given.next().unwrap_or(100_000));
    let (mut few, mut much) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        few.extend(run(100, told).await);
        much.extend(run(many, told).await);
    }
    for (cases, waits) in [(100, &mut few), (many, &mut much)] {
        waits.sort_unstable();
        let at = |hundredths| quantile(waits, hundredths);
        println!("{cases} waiting cases, {} reminders: p50 {:.0} ms, p99 {:.0} ms", waits.len(), at(50), at(99));
    }
    let ratio = quantile(&much, 99) / quantile(&few, 99);
    let what = format!("lateness of a reminder, p99: {many} waiting cases / 100");
    figure("Q3", &what, GATE, Some(1.1), ratio, "times", Better::Less);
    assert!(ratio <= GATE, "a sweep touches more than what can have changed");
}

/// In milliseconds.
fn quantile(sorted: &[Duration], hundredths: usize) -> f64 {
    sorted[(sorted.len() * hundredths / 100).min(sorted.len() - 1)].as_secs_f64() * 1_000.0
}

async fn run(waiting: i64, reminders: i64) -> Vec<Duration> {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, TOKEN).unwrap();
    let telegram = FakeTelegram::new(TOKEN);
    let bot = serve(fake_telegram::app(telegram.clone())).await;
    let service = format!(
        "[municipality]\nname = \"Ale kommun\"\ncontact = \"bench@example.se\"\nbase_url = \"https://lyhord.example.se/\"\n\
         [chat.telegram]\ntoken_file = \"{}\"\nmode = \"off\"\napi_base = \"http://{bot}\"\n",
        token.display()
    );
    let database = format!("sqlite:{}", folder.path().join("lyhord.sqlite").display());
    let mut config = running::config(&service, "", &database);
    config.weekly = None;
    let clock = Clock::rehearsal(&format!("{}=2026-11-23T09:00:00+01:00x1", Clock::System.now())).unwrap();
    let app = Arc::new(App::open(config, clock).await.unwrap());
    app.take_over_configuration().await.unwrap();
    let staff: Vec<String> = app.config.organisation.staff.iter().map(|staff| staff.key.clone()).collect();
    let mut tx = app.db.write().await.unwrap();
    for (chat, key) in (1_000_i64..).zip(&staff) {
        telegram.start(chat);
        chat::store::bind_voice(&mut tx, key, "telegram", &chat.to_string(), app.clock.now()).await.unwrap();
    }
    tx.commit().await.unwrap();
    let first = fill(&app, waiting.max(reminders), &staff).await;
    let (stop, mut stopped) = watch::channel(false);
    let until = async move {
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    let workers = tokio::spawn(queue::run(app.db.clone(), jobs::worker(Arc::clone(&app)), until));
    let told = Arc::clone(&app);
    let timetable = tokio::spawn(async move { jobs::timetable(&told).await });
    tokio::time::sleep(Duration::from_secs(2)).await;

    let mut waits = Vec::new();
    for n in 0..reminders {
        waits.push(one(&app, &telegram, CaseId(first.0 + n)).await);
        tokio::time::sleep(REST).await;
    }
    // The next run must have the machine to itself.
    timetable.abort();
    stop.send(true).unwrap();
    workers.await.unwrap().unwrap();
    app.db.close().await;
    waits
}

/// Cases that wait, each with an owner and a promise, and nothing to be said before tomorrow.
async fn fill(app: &App, count: i64, staff: &[String]) -> CaseId {
    let now = app.clock.now();
    let mut tx = app.db.write().await.unwrap();
    let source = source::store::the_import(&mut tx, &Named::import(), now).await.unwrap();
    let new = NewMention {
        source_id: Some(source),
        channel: "forum",
        native_id: "n",
        kind: "post",
        body: "vatten",
        authored_at: now,
        seen_at: now,
        hearing: "{}".to_owned(),
        ..NewMention::default()
    };
    let mention = lyhord::mention::keep_store::keep(&mut tx, &[new], now).await.unwrap()[0].unwrap();
    lyhord::mention::store::settle(&mut tx, &[mention], now).await.unwrap();
    let case = NewCase {
        mention_id: mention,
        cluster_id: mention,
        source_id: source,
        channel: "forum",
        thread: None,
        title: "vatten",
        topic: "va",
        intent: "fraga",
        sentiment: "neu",
        urgency: "normal",
        place: None,
        protected: false,
        restricted: false,
        triage: false,
        arrived_at: now,
        imported: false,
    };
    let first = lyhord::case::batch_store::open(&mut tx, &[(case, "vatten")], now).await.unwrap()[&mention];
    let keys = format!("[\"{}\"]", staff.join("\",\""));
    let tomorrow = now.plus(Duration::from_hours(30));
    on!(tx, c => sqlx::query(
        "with recursive n (i) as (select 1 union all select i + 1 from n where i < $2)
         insert into cases (mention_id, cluster_id, source_id, channel, state, title, topic, intent, urgency, arrived_at, opened_at)
         select mention_id, cluster_id, source_id, channel, state, title, topic, intent, urgency, arrived_at, opened_at
         from cases, n where id = $1 and i > 1")
        .bind(first).bind(count).execute(c).await.map(|_| ()))
    .unwrap();
    on!(tx, c => sqlx::query(
        "update cases set state = 'assigned', unit = 'va', lane = 'vanlig', round = 1, assigned_at = $1, calendar = 'kontor',
           owner = json_extract($3, '$[' || (id % $4) || ']'), due_at = $2, resolve_by = $2, next_look_at = $2,
           promise_look_at = $2 + 1, promise_started_at = $1")
        .bind(now).bind(tomorrow).bind(keys).bind(i64::try_from(staff.len()).unwrap())
        .execute(c).await.map(|_| ()))
    .unwrap();
    tx.commit().await.unwrap();
    first
}

/// Makes one reminder due, and waits until Telegram has it.
async fn one(app: &App, telegram: &FakeTelegram, case: CaseId) -> Duration {
    let before = telegram.sent().len();
    let begun = Instant::now();
    let mut tx = app.db.write().await.unwrap();
    let now: Time = app.clock.now();
    on!(tx, c => sqlx::query("update cases set next_look_at = $2 where id = $1").bind(case).bind(now)
        .execute(c).await.map(|_| ()))
    .unwrap();
    tx.ring_on_commit(jobs::TIMETABLE_BELL);
    tx.commit().await.unwrap();
    while telegram.sent().len() == before {
        assert!(begun.elapsed() < PATIENCE, "case {case} was not told of");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    begun.elapsed()
}
