//! One database, two engines: embedded `SQLite` by default, `PostgreSQL` when one machine is outgrown.
//!
//! A store function takes `&mut Tx` and holds one SQL text with `$1` for both engines; [`on!`] runs it on whichever
//! is there. Times are `bigint` milliseconds, lists and objects are JSON text, so that the text can be the same.
//! Where the engines truly differ, a `match` on [`Tx::engine`] shows both texts side by side.

mod batch;
mod bells;

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, PgPool, Postgres, Sqlite, SqlitePool, Transaction};

pub use self::batch::{Holds, listed, rows};
pub use self::bells::Signals;

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// Readers of an embedded database: pages and jobs; more than the cores of a small machine gain nothing.
const SQLITE_READERS: u32 = 4;
/// How long a connection is waited for; also the natural pause before a worker is restarted.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a writer waits for another process's write (`lyhord import` beside the service).
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// How much of the database the one writer keeps at hand, in KiB (`SQLite` counts them below zero): the indexes of a
/// year of posts, so that a batch does not read them again for each row.
const WRITER_CACHE: &str = "-24576";
/// How many rows the database's thread reads ahead of who asked: about a batch, so that the two seldom wait in turns.
const ROWS_IN_FLIGHT: usize = 256;
/// After how many pages of 4 KiB the log of writes goes into the file; a batch writes the same pages many times.
const WAL_PAGES: &str = "4000";

/// How a reader begins on `PostgreSQL`, whose own way would show each question another moment.
const ONE_MOMENT: &str = "begin isolation level repeatable read read only";

/// Which engine answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Embedded, one machine.
    Sqlite,
    /// A server, many workers.
    Postgres,
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The address is neither of the two engines'.
    #[error("database address must begin with sqlite: or postgres:, found `{0}`")]
    Address(String),
    /// The schema was written by a newer version of the program.
    #[error(
        "the database is newer than this program (it has migration {found}, this program knows up to {known}): start the newer version, or restore the backup that was made before the upgrade"
    )]
    Newer {
        /// The newest migration found in the database.
        found: i64,
        /// The newest migration this program carries.
        known: i64,
    },
    /// The schema is that of an older version, and whoever asks may not change it.
    #[error(
        "the database is older than this program (it has migration {found}, this program needs {known}): start the service once, which brings it up to date, or ask with the version that wrote it"
    )]
    Older {
        /// The newest migration found in the database.
        found: i64,
        /// The newest migration this program carries.
        known: i64,
    },
    /// There is no database there, and whoever asks makes none.
    #[error("there is no database at {0}")]
    Missing(String),
    /// Nobody answers at the address, or whoever does lets us not in.
    #[error(
        "the database at {place} cannot be reached ({fault}): start it, or correct the address ([database] address in lyhord.toml, LYHORD_DATABASE or --database)"
    )]
    Unreachable {
        /// Host, port and name; no user and no password.
        place: String,
        /// What came of trying.
        fault: sqlx::Error,
    },
    /// A migration did not go through.
    #[error("migration: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// Everything else.
    #[error(transparent)]
    Sqlx(#[from] sqlx::Error),
}

#[derive(Debug, Clone)]
enum Pools {
    /// One writer, so that writers queue here and not by busy-waiting in the file lock.
    Sqlite {
        read: SqlitePool,
        write: SqlitePool,
    },
    Postgres(PgPool),
}

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    pools: Pools,
    signals: Signals,
}

/// The engine's own pool, for the queue's library only.
#[derive(Debug)]
pub enum QueuePool {
    /// Embedded: the one writing connection.
    Sqlite(SqlitePool),
    /// A server.
    Postgres(PgPool),
}

/// A transaction on either engine; rolled back unless it is committed.
#[derive(Debug)]
pub struct Tx {
    inner: Inner,
    signals: Signals,
    raised: BTreeSet<&'static str>,
}

/// The engine's own transaction; named only by [`on!`].
#[derive(Debug)]
pub enum Inner {
    /// Embedded.
    Sqlite(Transaction<'static, Sqlite>),
    /// A server.
    Postgres(Transaction<'static, Postgres>),
}

/// Runs one expression on whichever engine the transaction is: `on!(tx, c => sqlx::query(SQL).execute(c).await)`.
#[macro_export]
macro_rules! on {
    ($tx:expr, $c:ident => $e:expr) => {
        match $tx.inner() {
            $crate::db::Inner::Sqlite(transaction) => {
                let $c = &mut **transaction;
                $e
            }
            $crate::db::Inner::Postgres(transaction) => {
                let $c = &mut **transaction;
                $e
            }
        }
    };
}

/// The channel of `PostgreSQL`'s NOTIFY on which processes ring each other's bells.
const NOTIFY_CHANNEL: &str = "lyhord_bell";

impl Db {
    /// Opens the database and brings its schema up to date.
    ///
    /// `address` is `sqlite:path/to/file` (made when absent) or `postgres://…`; `connections` bounds the pool.
    ///
    /// # Errors
    /// [`DbError::Address`], [`DbError::Newer`] when an older program meets a newer schema, or what the engine says.
    pub async fn open(address: &str, connections: u32) -> Result<Self, DbError> {
        let db = Self::connect(address, connections).await?;
        db.migrate().await?;
        Ok(db)
    }

    /// Opens the database as it is, for one who only looks: makes none and brings no schema up to date.
    ///
    /// # Errors
    /// [`DbError::Missing`], [`DbError::Older`] and [`DbError::Newer`] when it is not this program's, else as
    /// [`Db::open`].
    pub async fn open_as_is(address: &str, connections: u32) -> Result<Self, DbError> {
        if let Some(path) = address.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if !Path::new(path).is_file() {
                return Err(DbError::Missing(path.to_owned()));
            }
        }
        let db = Self::connect(address, connections).await?;
        let (found, known) = (db.migrated().await?, newest_known(db.engine()));
        refuse_newer(found, known)?;
        if found < known { Err(DbError::Older { found, known }) } else { Ok(db) }
    }

    async fn connect(address: &str, connections: u32) -> Result<Self, DbError> {
        let pools = if let Some(path) = address.strip_prefix("sqlite:") {
            open_sqlite(path).await?
        } else if address.starts_with("postgres:") || address.starts_with("postgresql:") {
            let options = PgConnectOptions::from_str(address)?.disable_statement_logging();
            let place =
                format!("{}:{}/{}", options.get_host(), options.get_port(), options.get_database().unwrap_or_default());
            let pool = PgPoolOptions::new()
                .max_connections(connections.max(4))
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .connect_with(options)
                .await
                .map_err(|fault| DbError::Unreachable { place, fault })?;
            Pools::Postgres(pool)
        } else {
            let scheme = address.split(':').next().unwrap_or_default();
            return Err(DbError::Address(scheme.to_owned()));
        };
        Ok(Self { pools, signals: Signals::default() })
    }

    /// The newest migration that the database has; 0 when it has never had one. A database that does not answer has told
    /// nothing, which is a fault and no number.
    async fn migrated(&self) -> sqlx::Result<i64> {
        let newest = "select coalesce(max(version), 0) from _sqlx_migrations";
        match &self.pools {
            Pools::Sqlite { write, .. } => {
                let any =
                    "select exists (select 1 from sqlite_master where type = 'table' and name = '_sqlx_migrations')";
                let any: bool = sqlx::query_scalar(any).fetch_one(write).await?;
                if any { sqlx::query_scalar(newest).fetch_one(write).await } else { Ok(0) }
            }
            Pools::Postgres(pool) => {
                let any = "select to_regclass('_sqlx_migrations') is not null";
                let any: bool = sqlx::query_scalar(any).fetch_one(pool).await?;
                if any { sqlx::query_scalar(newest).fetch_one(pool).await } else { Ok(0) }
            }
        }
    }

    async fn migrate(&self) -> Result<(), DbError> {
        refuse_newer(self.migrated().await?, newest_known(self.engine()))?;
        match &self.pools {
            Pools::Sqlite { write, .. } => {
                SQLITE_MIGRATIONS.run(write).await?;
                let mut queue = apalis_sqlite::SqliteStorage::migrations();
                queue.dangerous_set_table_name("apalis_migrations");
                queue.run(write).await?;
            }
            Pools::Postgres(pool) => {
                POSTGRES_MIGRATIONS.run(pool).await?;
                apalis_postgres::PostgresStorage::setup(pool)
                    .await
                    .map_err(|fault| sqlx::Error::Configuration(fault.into()))?;
            }
        }
        Ok(())
    }

    /// Which engine this is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match self.pools {
            Pools::Sqlite { .. } => Engine::Sqlite,
            Pools::Postgres(_) => Engine::Postgres,
        }
    }

    /// A transaction for reading: one unmoving picture of the database for a whole page, from its first question on.
    /// It neither writes nor holds rows for itself; `PostgreSQL` refuses both.
    ///
    /// # Errors
    /// When no connection is free within five seconds or the database does not answer.
    pub async fn read(&self) -> sqlx::Result<Tx> {
        let inner = match &self.pools {
            Pools::Sqlite { read, .. } => Inner::Sqlite(read.begin().await?),
            Pools::Postgres(pool) => Inner::Postgres(pool.begin_with(ONE_MOMENT).await?),
        };
        Ok(Tx { inner, signals: self.signals.clone(), raised: BTreeSet::new() })
    }

    /// A transaction for writing; on `SQLite` it holds the write lock from its first moment.
    ///
    /// # Errors
    /// As [`Db::read`].
    pub async fn write(&self) -> sqlx::Result<Tx> {
        let inner = match &self.pools {
            Pools::Sqlite { write, .. } => Inner::Sqlite(write.begin_with("begin immediate").await?),
            Pools::Postgres(pool) => Inner::Postgres(pool.begin().await?),
        };
        Ok(Tx { inner, signals: self.signals.clone(), raised: BTreeSet::new() })
    }

    /// The bells of this process.
    #[must_use]
    pub fn signals(&self) -> &Signals {
        &self.signals
    }

    /// The pool that the queue's library works on.
    #[must_use]
    pub fn queue_pool(&self) -> QueuePool {
        match &self.pools {
            Pools::Sqlite { write, .. } => QueuePool::Sqlite(write.clone()),
            Pools::Postgres(pool) => QueuePool::Postgres(pool.clone()),
        }
    }

    /// Passes on the bells that other processes ring, until the connection breaks. Never returns on `SQLite`.
    ///
    /// # Errors
    /// When the listening connection is lost; the caller listens again.
    pub async fn hear_other_processes(&self) -> sqlx::Result<()> {
        let Pools::Postgres(pool) = &self.pools else { return std::future::pending().await };
        let mut listener = sqlx::postgres::PgListener::connect_with(pool).await?;
        listener.listen(NOTIFY_CHANNEL).await?;
        loop {
            let notification = listener.recv().await?;
            self.signals.ring(notification.payload());
        }
    }

    /// Closes every connection.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// The engine's own transaction, for [`on!`].
    pub fn inner(&mut self) -> &mut Inner {
        &mut self.inner
    }

    /// Which engine this is, for the few texts that differ.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match self.inner {
            Inner::Sqlite(_) => Engine::Sqlite,
            Inner::Postgres(_) => Engine::Postgres,
        }
    }

    /// Lets one transaction at a time go past here in all processes, until it ends: what the next one then reads holds
    /// what this one writes. The embedded database has one writer anyway.
    ///
    /// # Errors
    /// What the database says.
    pub async fn one_at_a_time(&mut self, what: &str) -> sqlx::Result<()> {
        if let Inner::Postgres(transaction) = &mut self.inner {
            let lock = "select pg_advisory_xact_lock(hashtext('lyhord ' || $1))";
            sqlx::query(lock).bind(what).execute(&mut **transaction).await?;
        }
        Ok(())
    }

    /// Rings a bell in every process once this transaction is committed, and never before.
    pub fn ring_on_commit(&mut self, name: &'static str) {
        self.raised.insert(name);
    }

    /// Makes everything true at once.
    ///
    /// # Errors
    /// When the database refuses; then nothing is true.
    pub async fn commit(self) -> sqlx::Result<()> {
        match self.inner {
            Inner::Sqlite(transaction) => transaction.commit().await?,
            Inner::Postgres(mut transaction) => {
                for name in &self.raised {
                    sqlx::query("select pg_notify($1, $2)")
                        .bind(NOTIFY_CHANNEL)
                        .bind(*name)
                        .execute(&mut *transaction)
                        .await?;
                }
                transaction.commit().await?;
            }
        }
        for name in &self.raised {
            self.signals.ring(name);
        }
        Ok(())
    }
}

async fn open_sqlite(path: &str) -> Result<Pools, DbError> {
    let path = path.strip_prefix("//").unwrap_or(path);
    if let Some(folder) = Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(sqlx::Error::Io)?;
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("journal_size_limit", "67108864")
        .pragma("temp_store", "memory")
        .row_buffer_size(ROWS_IN_FLIGHT)
        .disable_statement_logging();
    let writer = options.clone().pragma("cache_size", WRITER_CACHE).pragma("wal_autocheckpoint", WAL_PAGES);
    let write = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(BUSY_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(writer)
        .await?;
    let read = SqlitePoolOptions::new()
        .max_connections(SQLITE_READERS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options.read_only(false))
        .await?;
    Ok(Pools::Sqlite { read, write })
}

/// The newest migration that this program carries for an engine; what a ready database has at least.
#[must_use]
pub fn newest_known(engine: Engine) -> i64 {
    match engine {
        Engine::Sqlite => newest(&SQLITE_MIGRATIONS),
        Engine::Postgres => newest(&POSTGRES_MIGRATIONS),
    }
}

fn newest(migrations: &Migrator) -> i64 {
    migrations.iter().map(|migration| migration.version).max().unwrap_or(0)
}

fn refuse_newer(found: i64, known: i64) -> Result<(), DbError> {
    if found > known { Err(DbError::Newer { found, known }) } else { Ok(()) }
}
