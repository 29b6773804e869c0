//! What every test needs: both databases, and a told time.

use std::future::Future;

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

/// A new, empty database; its file, if any, goes with `folder`.
pub struct Database {
    pub address: String,
    _folder: tempfile::TempDir,
}

pub fn database(engine: Engine) -> Database {
    let folder = tempfile::Builder::new().prefix("lyhord-test").tempdir().unwrap();
    let address = match engine {
        Engine::Sqlite => format!("sqlite:{}", folder.path().join("lyhord.sqlite").display()),
        Engine::Postgres => postgres::fresh(),
    };
    Database { address, _folder: folder }
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
