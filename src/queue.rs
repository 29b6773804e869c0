//! The queue: jobs that must outlive a crash. The only file that says `apalis`.
//!
//! A piece of [`Work`] is the name of a job and at most one id; everything else is read fresh from the database.
//! It is enqueued in the transaction that writes the fact it is about. Three lanes, so that slow listening never
//! holds up speaking. Four habits of apalis 1.0 are cured here: one task a fetch (a prefetch buffer stops the
//! heartbeat, and every job runs twice), our own pace of polling (the library's loses wake-ups), back-off by moving
//! `run_at` (its own retry-after never runs again or runs hot), and a fresh worker name a start (a reused one
//! strands the jobs of the dead process). A fifth shows when it stops: its own drain no longer drives what it was writing
//! down, which may hold the database's lock, so that the work in hand waits for it and it for the work. Here the work
//! runs on tasks of its own, the library is dropped at once, and [`run`] waits for the work and writes the rest down.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use apalis::layers::WorkerBuilderExt;
use apalis::prelude::{Data, Monitor, TaskId, WorkerBuilder};
use apalis_core::backend::ext::BackendExt;
use apalis_core::backend::ext::poll_strategy::{PollSnapshot, PollStrategy};
use apalis_core::error::{AbortError, BoxDynError};
use apalis_core::task::attempt::Attempt;
use apalis_postgres::PostgresStorage;
use apalis_sqlite::SqliteStorage;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use ulid::Ulid;

use crate::clock::Time;
use crate::db::{Db, Engine, QueuePool, Tx};
use crate::on;

/// A job is tried this often before it is given up; the sweep finds its fact again.
const MAX_ATTEMPTS: i32 = 5;
/// The longest pause between two tries of one job.
const LONGEST_BACK_OFF_S: i64 = 600;
/// The safety net under the bells: how long a piece of work can lie unseen if every bell is lost.
const SLOW_TICK: Duration = Duration::from_secs(5);
/// A look that was under way when the bell rang may have read before the commit: look once more this long after.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// A worker that has been silent for `HEARTBEAT * MISSED` is dead, and its work is done again by another.
const HEARTBEAT: Duration = Duration::from_secs(5);
const MISSED: usize = 4;
/// How long a stopping process waits for the work in its hands.
const DRAIN: Duration = Duration::from_secs(25);
/// How many pieces of work that have ended are remembered, until their rows are certain to say so.
const REMEMBERED: usize = 64;

/// Which worker does a piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// What takes long without holding the database: waiting for other people's servers, and learning.
    Listen,
    /// Moves facts from room to room inside the database.
    River,
    /// Waits for chat servers: delivery.
    Speak,
}

impl Lane {
    /// Every lane.
    pub const ALL: [Lane; 3] = [Lane::Listen, Lane::River, Lane::Speak];

    /// Name of the queue and of its bell.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::River => "river",
            Self::Speak => "speak",
        }
    }

    /// How many pieces of work of this lane one process has in its hands at a time.
    fn concurrency(self) -> usize {
        match self {
            Self::Listen => 8,
            Self::River => 1,
            Self::Speak => 4,
        }
    }
}

/// A piece of work: which job, and about which row when it is about one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// The job's name, as its file in `jobs/`.
    pub job: String,
    /// The row it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The lane it was put in, so that its worker can ring on.
    pub lane: Lane,
}

/// An error after which the work is not tried again: a person or a later fact must change something first.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Never(pub String);

/// Does a piece of work; given by `jobs`.
pub type Worker = Arc<dyn Fn(Work) -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync>;

/// Enqueues work in the transaction that writes its fact. With a `key`, the same key is enqueued once for as long
/// as its row is kept (a day); returns whether a row was written.
///
/// # Errors
/// What the database says.
pub async fn enqueue(tx: &mut Tx, work: &Work, key: Option<&str>, now: Time) -> sqlx::Result<bool> {
    let sql = match tx.engine() {
        Engine::Sqlite => {
            "insert into Jobs (id, job_type, job, max_attempts, run_at, priority, metadata, idempotency_key)
             values ($1, $2, $3, $4, $5, 0, '{}', $6) on conflict (job_type, idempotency_key) do nothing"
        }
        Engine::Postgres => {
            "insert into apalis.jobs (id, job_type, job, max_attempts, run_at, priority, metadata, idempotency_key)
             values ($1, $2, $3, $4, least(to_timestamp($5), now()), 0, '', $6)
             on conflict (job_type, idempotency_key) do nothing"
        }
    };
    let payload = serde_json::to_vec(work).map_err(|fault| sqlx::Error::Encode(Box::new(fault)))?;
    let run_at = now.0.div_euclid(1_000).min(machine_seconds());
    let id = Ulid::generate().to_string();
    let rows = on!(tx, c => sqlx::query(sql)
        .bind(id).bind(work.lane.name()).bind(payload).bind(MAX_ATTEMPTS).bind(run_at).bind(key)
        .execute(c).await.map(|done| done.rows_affected()))?;
    tx.ring_on_commit(work.lane.name());
    Ok(rows > 0)
}

/// The queue runs by the machine's clock even when the told time runs faster: a retry in two seconds is two seconds.
pub(crate) fn machine_seconds() -> i64 {
    crate::clock::Clock::System.now().0.div_euclid(1_000)
}

/// Works on all lanes until `stop` resolves; then takes on nothing more, finishes what is in hand, and holds nothing.
///
/// # Errors
/// When the monitor cannot be started or ends by itself.
pub async fn run(db: Db, worker: Worker, stop: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
    let hands = Hands {
        db: db.clone(),
        worker,
        busy: TaskTracker::new(),
        enough: CancellationToken::new(),
        names: Arc::default(),
        ended: Arc::default(),
    };
    let mut monitor = Monitor::new().should_restart(|_, _| true);
    for lane in Lane::ALL {
        let hands = hands.clone();
        let bell = db.signals().bell(lane.name());
        monitor = match db.queue_pool() {
            QueuePool::Sqlite(pool) => monitor.register(move |_| {
                let config = apalis_sqlite::Config::default()
                    .queue(lane.name())
                    .batch_size(1)
                    .heartbeat_interval(HEARTBEAT)
                    .missed_heartbeats(MISSED);
                let storage = SqliteStorage::<Work>::new(&pool).with_config(config);
                WorkerBuilder::new(hands.new_name(lane).as_str())
                    .backend(storage.poll_with_strategy(Pace::new(Arc::clone(&bell))))
                    .data(hands.clone())
                    .concurrency(lane.concurrency())
                    .build(execute)
            }),
            QueuePool::Postgres(pool) => monitor.register(move |_| {
                let config = apalis_postgres::Config::default()
                    .queue(lane.name())
                    .batch_size(1)
                    .heartbeat_interval(HEARTBEAT)
                    .missed_heartbeats(MISSED);
                let storage = PostgresStorage::<Work>::new(&pool).with_config(config);
                WorkerBuilder::new(hands.new_name(lane).as_str())
                    .backend(storage.poll_with_strategy(Pace::new(Arc::clone(&bell))))
                    .data(hands.clone())
                    .concurrency(lane.concurrency())
                    .build(execute)
            }),
        };
    }
    let workers = monitor.context();
    let asked = async {
        stop.await;
        for worker in workers.workers() {
            if let Err(fault) = worker.stop() {
                tracing::debug!("a worker had not begun: {fault}");
            }
        }
    };
    tokio::select! {
        ended = monitor.run() => {
            ended?;
            anyhow::bail!("the queue has ended by itself");
        }
        () = asked => {}
    }
    hands.finish_in_time().await;
    if let Err(fault) = hands.let_go().await {
        tracing::info!("work in the queue was not let go; it is taken again when this process counts as dead: {fault}");
    }
    Ok(())
}

/// What this process has in its hands.
#[derive(Clone)]
struct Hands {
    db: Db,
    worker: Worker,
    /// The work that is being done, each piece on a task of its own.
    busy: TaskTracker,
    /// Ends what a stopping process can no longer wait for.
    enough: CancellationToken,
    /// What this process's workers are called in the rows that they hold.
    names: Arc<Mutex<Vec<String>>>,
    /// What has ended last, and as what its row is to stand.
    ended: Arc<Mutex<VecDeque<(String, &'static str)>>>,
}

impl Hands {
    fn new_name(&self, lane: Lane) -> String {
        let name = format!("{}@{}", lane.name(), Ulid::generate());
        self.names.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
        name
    }

    fn remember(&self, id: &TaskId, status: &'static str) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.truncate(REMEMBERED - 1);
        ended.push_front((id.to_string(), status));
    }

    /// Waits for what is in hand, but no longer than [`DRAIN`], and says meanwhile that this process lives: another
    /// would do its work a second time.
    async fn finish_in_time(&self) {
        let lives = async {
            loop {
                if let Err(fault) = self.say_alive().await {
                    tracing::debug!("the stopping workers could not say that they live: {fault}");
                }
                tokio::time::sleep(HEARTBEAT).await;
            }
        };
        self.busy.close();
        tokio::select! {
            biased;
            () = self.busy.wait() => return,
            () = tokio::time::sleep(DRAIN) => {}
            () = lives => {}
        }
        tracing::info!(left = self.busy.len(), "what is in hand takes too long; the next start does it");
        self.enough.cancel();
    }

    async fn say_alive(&self) -> sqlx::Result<()> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut tx = self.db.write().await?;
        let sql = match tx.engine() {
            Engine::Sqlite => "update Workers set last_seen = $1 where id = $2",
            Engine::Postgres => "update apalis.workers set last_seen = to_timestamp($1) where id = $2",
        };
        for name in names {
            on!(tx, c => sqlx::query(sql).bind(machine_seconds()).bind(name).execute(c).await.map(|_| ()))?;
        }
        tx.commit().await
    }

    /// Writes down what has ended, and gives back what has not: the next start takes it at once.
    async fn let_go(&self) -> sqlx::Result<()> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut tx = self.db.write().await?;
        let (end, give_back) = match tx.engine() {
            Engine::Sqlite => (
                "update Jobs set status = $1, attempts = attempts + 1, done_at = $2
                 where id = $3 and status in ('Queued', 'Running')",
                "update Jobs set status = 'Pending', lock_by = null, lock_at = null
                 where lock_by = $1 and status in ('Queued', 'Running')",
            ),
            Engine::Postgres => (
                "update apalis.jobs set status = $1, attempts = attempts + 1, done_at = to_timestamp($2)
                 where id = $3 and status in ('Queued', 'Running')",
                "update apalis.jobs set status = 'Pending', lock_by = null, lock_at = null
                 where lock_by = $1 and status in ('Queued', 'Running')",
            ),
        };
        for (id, status) in ended {
            on!(tx, c => sqlx::query(end).bind(status).bind(machine_seconds()).bind(id).execute(c).await.map(|_| ()))?;
        }
        for name in names {
            on!(tx, c => sqlx::query(give_back).bind(name).execute(c).await.map(|_| ()))?;
        }
        tx.commit().await
    }
}

/// One piece of work, on a task of its own: what stops the library does not stop the work.
async fn execute(work: Work, attempt: Attempt, id: TaskId, hands: Data<Hands>) -> Result<(), BoxDynError> {
    let hands = (*hands).clone();
    let enough = hands.enough.clone();
    let work = carry_out(work, attempt.current(), id, hands.clone());
    let done = hands.busy.spawn(enough.run_until_cancelled_owned(work)).await?;
    done.unwrap_or_else(|| Err("stopped before it was done".into()))
}

/// Never panics outward, backs off by the row's `run_at`, rings on for the next piece.
async fn carry_out(work: Work, attempt: usize, id: TaskId, hands: Hands) -> Result<(), BoxDynError> {
    let lane = work.lane.name();
    hands.db.signals().ring(lane);
    if attempt > usize::try_from(MAX_ATTEMPTS).unwrap_or(usize::MAX) {
        tracing::error!(job = %work.job, id = work.id, "job given up after {MAX_ATTEMPTS} tries; the sweep finds its fact again");
        hands.remember(&id, "Killed");
        return Err(AbortError::new(Never("too many attempts".to_owned())).into());
    }
    let outcome = AssertUnwindSafe((hands.worker)(work.clone()))
        .catch_unwind()
        .await
        .unwrap_or_else(|_| Err(anyhow::anyhow!("panicked")));
    hands.db.signals().ring(lane);
    let Err(fault) = outcome else {
        hands.remember(&id, "Done");
        return Ok(());
    };
    if fault.downcast_ref::<Never>().is_some() {
        tracing::error!(job = %work.job, id = work.id, "job ended for good: {fault:#}");
        hands.remember(&id, "Killed");
        return Err(AbortError::new(Never(format!("{fault:#}"))).into());
    }
    let exponent = u32::try_from(attempt).unwrap_or(16).min(16);
    let wait = 2_i64.pow(exponent).min(LONGEST_BACK_OFF_S);
    tracing::warn!(job = %work.job, id = work.id, "job is tried again in {wait} s: {fault:#}");
    if let Err(fault) = postpone(&hands.db, &id.to_string(), machine_seconds() + wait).await {
        tracing::warn!(job = %work.job, "job could not be postponed and is tried again at once: {fault}");
    }
    Err(fault.into())
}

async fn postpone(db: &Db, id: &str, run_at: i64) -> sqlx::Result<()> {
    let mut tx = db.write().await?;
    let sql = match tx.engine() {
        Engine::Sqlite => "update Jobs set run_at = $1 where id = $2",
        Engine::Postgres => "update apalis.jobs set run_at = to_timestamp($1) where id = $2",
    };
    on!(tx, c => sqlx::query(sql).bind(run_at).bind(id).execute(c).await.map(|_| ()))?;
    tx.commit().await
}

/// How many pieces of work lie in the queue by status: `(status, count)`.
///
/// # Errors
/// What the database says.
pub async fn depth(tx: &mut Tx) -> sqlx::Result<Vec<(String, i64)>> {
    let sql = match tx.engine() {
        Engine::Sqlite => "select status, count(*) from Jobs group by status",
        Engine::Postgres => "select status, count(*) from apalis.jobs group by status",
    };
    on!(tx, c => sqlx::query_as(sql).fetch_all(c).await)
}

/// Deletes finished work older than `before` and the names of workers long gone; the library keeps both for ever.
/// Returns how many rows of work went.
///
/// # Errors
/// What the database says.
pub async fn clean(tx: &mut Tx, before: Time) -> sqlx::Result<u64> {
    let (jobs, workers) = match tx.engine() {
        Engine::Sqlite => (
            "delete from Jobs where (status in ('Done', 'Killed') or (status = 'Failed' and attempts >= max_attempts))
               and done_at < $1",
            "delete from Workers where last_seen < $1 and id not in (select lock_by from Jobs where lock_by is not null)",
        ),
        Engine::Postgres => (
            "delete from apalis.jobs where (status in ('Done', 'Killed') or (status = 'Failed' and attempts >= max_attempts))
               and done_at < to_timestamp($1)",
            "delete from apalis.workers where last_seen < to_timestamp($1)
               and id not in (select lock_by from apalis.jobs where lock_by is not null)",
        ),
    };
    let seconds = before.0.div_euclid(1_000);
    let gone = on!(tx, c => sqlx::query(jobs).bind(seconds).execute(c).await.map(|done| done.rows_affected()))?;
    on!(tx, c => sqlx::query(workers).bind(seconds).execute(c).await.map(|_| ()))?;
    Ok(gone)
}

/// When to look into the queue: when the bell rings, and at a slow tick in case a bell was lost.
/// A waker is registered on every path; the library's own strategies forget to.
struct Pace {
    bell: Arc<Notify>,
    rung: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
    again: Option<Pin<Box<tokio::time::Sleep>>>,
    tick: tokio::time::Interval,
}

impl Pace {
    fn new(bell: Arc<Notify>) -> Self {
        let mut tick = tokio::time::interval(SLOW_TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        Self { rung: Box::pin(Arc::clone(&bell).notified_owned()), bell, again: None, tick }
    }
}

impl PollStrategy for Pace {
    fn poll_drive(&mut self, context: &mut Context<'_>, _: &PollSnapshot) -> Poll<Option<()>> {
        let mut look = false;
        while self.rung.as_mut().poll(context).is_ready() {
            self.rung = Box::pin(Arc::clone(&self.bell).notified_owned());
            self.again = Some(Box::pin(tokio::time::sleep(LOOK_AGAIN)));
            look = true;
        }
        if self.again.as_mut().is_some_and(|again| again.as_mut().poll(context).is_ready()) {
            self.again = None;
            look = true;
        }
        while self.tick.poll_tick(context).is_ready() {
            look = true;
        }
        if look { Poll::Ready(Some(())) } else { Poll::Pending }
    }
}
