//! What every test needs: both databases, and a told time.

use std::future::Future;
use std::path::Path;
use std::sync::OnceLock;

use lyhord::clock::Time;
use lyhord::db::{Db, Tx};
use lyhord::id::MentionId;
use lyhord::mention::keep_store::{self, Clustered, NewMention};

use crate::postgres;

/// The two engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

pub const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

/// The file of a database of `SQLite`'s, in a folder of its own.
const FILE: &str = "lyhord.sqlite";

/// A new database; its file, if any, goes with `folder`.
pub struct Database {
    pub address: String,
    _folder: tempfile::TempDir,
}

/// A database with its tables and nothing in them: a copy, since to make them takes longer than most tests.
pub fn database(engine: Engine) -> Database {
    static SQLITE: OnceLock<Vec<u8>> = OnceLock::new();
    static POSTGRES: OnceLock<String> = OnceLock::new();
    let folder = folder();
    let address = match engine {
        Engine::Sqlite => {
            let tables = SQLITE.get_or_init(|| {
                let first = self::folder();
                make_tables(sqlite_in(first.path()));
                std::fs::read(first.path().join(FILE)).unwrap()
            });
            std::fs::write(folder.path().join(FILE), tables).unwrap();
            sqlite_in(folder.path())
        }
        Engine::Postgres => postgres::like(POSTGRES.get_or_init(|| {
            let first = postgres::empty();
            make_tables(first.clone());
            first
        })),
    };
    Database { address, _folder: folder }
}

/// On a thread of its own, since whoever asks for a database may be in a runtime already.
fn make_tables(address: String) {
    let make = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { Db::open(&address, 4).await.unwrap().close().await });
    };
    std::thread::spawn(make).join().unwrap();
}

fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("lyhord-test").tempdir().unwrap()
}

fn sqlite_in(folder: &Path) -> String {
    format!("sqlite:{}", folder.join(FILE).display())
}

/// Runs a test's body on both engines, one after the other, each on an empty database.
pub async fn on_both<Body, Run>(body: Body)
where
    Body: Fn(Engine, Db) -> Run,
    Run: Future<Output = ()>,
{
    for engine in ENGINES {
        let database = database(engine);
        let db = Db::open(&database.address, 8).await.unwrap();
        body(engine, db.clone()).await;
        db.close().await;
    }
}

/// A time of Monday 23 November 2026 and the days after, in Stockholm: `at(0, 8, 30)` is Monday 08.30.
pub fn at(day: i8, hour: i8, minute: i8) -> Time {
    let local =
        jiff::civil::date(2026, 11, 23).at(hour, minute, 0, 0).checked_add(jiff::Span::new().days(day)).unwrap();
    let zone = lyhord::calendar::stockholm();
    Time::of(zone.to_ambiguous_timestamp(local).compatible().unwrap())
}

/// Keeps a mention that says what no other says.
pub async fn kept(tx: &mut Tx, new: NewMention<'_>, now: Time) -> MentionId {
    let id = keep_store::keep(tx, &[new], now).await.unwrap()[0].expect("a new one");
    keep_store::cluster(tx, &[Clustered { id, cluster: id }], &[]).await.unwrap();
    id
}
