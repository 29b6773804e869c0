//! Bells between processes: what one enqueues on `PostgreSQL`, another that sleeps does at once, without waiting for its
//! slow tick.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lyhord::app::App;
use lyhord::clock::Clock;
use lyhord::command::serve::{self, Roles};
use lyhord::on;
use lyhord::queue::{self, Lane, Work};
use tokio::sync::watch;

use crate::harness::{Engine, at, database};
use crate::running::config;

const SERVICE: &str = "[municipality]\nname = \"Ale kommun\"\ncontact = \"x\"\nbase_url = \"http://localhost/\"\n";
/// Well below the slow tick of five seconds. The rounds follow each other, so that without bells the tick could hide it
/// in the first round only: the next one would wait for a whole tick.
const SOON: Duration = Duration::from_secs(2);
const ROUNDS: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until a count is at least one, and says how long that took.
async fn until_there(app: &App, sql: &'static str, key: &str) -> Duration {
    let begun = Instant::now();
    loop {
        let mut tx = app.db.read().await.unwrap();
        let count: i64 = on!(&mut tx, c => sqlx::query_scalar(sql).bind(key).fetch_one(c).await).unwrap();
        drop(tx);
        if count > 0 {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < PATIENCE, "{key} does not come");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_work_that_one_process_enqueues_wakes_another_long_before_its_tick() {
    const HEARD: &str = "select count(*) from pg_stat_activity where datname = current_database() and query like $1";
    const DONE: &str = "select count(*) from apalis.jobs where status = 'Done' and idempotency_key = $1";
    let database = database(Engine::Postgres);
    let open = async || App::open(config(SERVICE, "", &database.address), Clock::manual(at(0, 9, 0))).await.unwrap();
    let (asks, works) = (open().await, Arc::new(open().await));
    let (stop, stopped) = watch::channel(false);
    let parts = tokio::spawn(serve::parts(Arc::clone(&works), Roles::WORK, None, stopped));
    until_there(&asks, HEARD, "LISTEN%lyhord_bell%").await;

    for round in 0..ROUNDS {
        let key = format!("ring-{round}");
        // Nobody has anything to say, so that no bell of the worker's own process wakes this lane.
        let work = Work { job: "deliver_messages".into(), id: None, lane: Lane::Speak };
        let mut tx = asks.db.write().await.unwrap();
        assert!(queue::enqueue(&mut tx, &work, Some(&key), at(0, 9, 0)).await.unwrap());
        tx.commit().await.unwrap();
        let took = until_there(&asks, DONE, &key).await;
        assert!(took < SOON, "round {round} took {took:?}");
    }
    stop.send(true).unwrap();
    parts.await.unwrap().unwrap();
    asks.db.close().await;
}
