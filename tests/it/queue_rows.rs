//! The rows of the queue: what is finished is cleaned away after a day, and nothing else.

use lyhord::app::App;
use lyhord::clock::Clock;
use lyhord::db::{Engine, Tx};
use lyhord::jobs::sweep;
use lyhord::on;
use lyhord::queue::{self, Lane, Work};

use crate::harness::{ENGINES, at, database};
use crate::running::config;

const SERVICE: &str = "[municipality]\nname = \"Ale kommun\"\ncontact = \"x\"\nbase_url = \"http://localhost/\"\n";
/// Hours ago, by the machine's own clock, which is the queue's.
const OLD: i64 = 25;
const YOUNG: i64 = 23;

/// A table of the queue, and how a moment in seconds is written in it.
fn table(tx: &Tx, name: &str) -> (String, &'static str) {
    match tx.engine() {
        Engine::Sqlite => (name.to_owned(), "$1"),
        Engine::Postgres => (format!("apalis.{}", name.to_lowercase()), "to_timestamp($1)"),
    }
}

fn hours_ago(hours: i64) -> i64 {
    Clock::System.now().0 / 1_000 - hours * 3_600
}

/// A piece of work of that name, in that state.
async fn work(tx: &mut Tx, key: &'static str, state: &'static str, hours: i64) {
    let work = Work { job: "sweep".into(), id: None, lane: Lane::Speak };
    assert!(queue::enqueue(tx, &work, Some(key), at(0, 9, 0)).await.unwrap());
    let (jobs, moment) = table(tx, "Jobs");
    let sql =
        sqlx::AssertSqlSafe(format!("update {jobs} set {state}, done_at = {moment} where idempotency_key = '{key}'"));
    on!(tx, c => sqlx::query(sql).bind(hours_ago(hours)).execute(c).await.map(|_| ())).unwrap();
}

async fn worker(tx: &mut Tx, name: &'static str, hours: i64) {
    let (workers, moment) = table(tx, "Workers");
    let sql = sqlx::AssertSqlSafe(format!(
        "insert into {workers} (id, worker_type, storage_name, last_seen) values ('{name}', 'speak', 'x', {moment})"
    ));
    on!(tx, c => sqlx::query(sql).bind(hours_ago(hours)).execute(c).await.map(|_| ())).unwrap();
}

async fn left(tx: &mut Tx, name: &str, column: &str) -> Vec<String> {
    let (table, _) = table(tx, name);
    let sql = sqlx::AssertSqlSafe(format!("select {column} from {table} where {column} is not null order by {column}"));
    on!(tx, c => sqlx::query_scalar(sql).fetch_all(c).await).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn finished_work_goes_after_a_day_and_what_is_young_or_unfinished_stays() {
    for engine in ENGINES {
        let database = database(engine);
        let app = App::open(config(SERVICE, "", &database.address), Clock::manual(at(0, 9, 0))).await.unwrap();
        let mut tx = app.db.write().await.unwrap();
        work(&mut tx, "klar-gammal", "status = 'Done'", OLD).await;
        work(&mut tx, "klar-ung", "status = 'Done'", YOUNG).await;
        work(&mut tx, "avbruten-gammal", "status = 'Killed'", OLD).await;
        work(&mut tx, "avbruten-ung", "status = 'Killed'", YOUNG).await;
        work(&mut tx, "uppgiven-gammal", "status = 'Failed', attempts = max_attempts", OLD).await;
        work(&mut tx, "uppgiven-ung", "status = 'Failed', attempts = max_attempts", YOUNG).await;
        work(&mut tx, "provas-igen", "status = 'Failed', attempts = max_attempts - 1", OLD).await;
        work(&mut tx, "pagar", "status = 'Running'", OLD).await;
        work(&mut tx, "vantar", "status = 'Pending'", OLD).await;
        worker(&mut tx, "arbetare-gammal", OLD).await;
        worker(&mut tx, "arbetare-ung", YOUNG).await;
        worker(&mut tx, "arbetare-som-haller", OLD).await;
        let (jobs, _) = table(&tx, "Jobs");
        let sql = sqlx::AssertSqlSafe(format!(
            "update {jobs} set lock_by = 'arbetare-som-haller' where idempotency_key = 'pagar'"
        ));
        on!(&mut tx, c => sqlx::query(sql).execute(c).await.map(|_| ())).unwrap();
        tx.commit().await.unwrap();

        sweep::run(&app, at(0, 9, 0)).await.unwrap();
        let mut tx = app.db.read().await.unwrap();
        assert_eq!(
            left(&mut tx, "Jobs", "idempotency_key").await,
            ["avbruten-ung", "klar-ung", "pagar", "provas-igen", "uppgiven-ung", "vantar"]
        );
        assert_eq!(left(&mut tx, "Workers", "id").await, ["arbetare-som-haller", "arbetare-ung"]);
        drop(tx);
        app.db.close().await;
    }
}
