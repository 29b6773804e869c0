//! The whole program under a told time, with its workers running, waited for without sleeping blindly.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lyhord::app::App;
use lyhord::clock::{Clock, Time};
use lyhord::config::{self, Config, Overrides};
use lyhord::http::Limits;
use lyhord::{jobs, queue};
use tokio::sync::watch;

/// Longest time (real) that work may take before a test says that it hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// The shipped configuration with the sources and the service part of a test.
pub fn config(service: &str, sources: &str, database: &str) -> Config {
    let shipped =
        |name: &str| std::fs::read_to_string(format!("{}/config/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let overrides = Overrides { database: Some(database.into()), listen: Some("127.0.0.1:0".to_owned()) };
    let (organisation, words, lexicon) = (shipped("organisation.toml"), shipped("words.toml"), shipped("lexicon.toml"));
    config::read_texts(
        [
            ("lyhord.toml", service),
            ("sources.toml", sources),
            ("organisation.toml", &organisation),
            ("words.toml", &words),
            ("lexicon.toml", &lexicon),
        ],
        &overrides,
    )
    .unwrap_or_else(|problems| panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}

/// The usual bounds, but that a fake is asked as often as a told time wants, and a stream that has ended soon again.
pub fn limits() -> Limits {
    let per_minute = NonZeroU32::new(6_000).unwrap();
    Limits { per_minute, again: Duration::from_millis(50), ..Limits::default() }
}

tokio::task_local! {
    /// The bounds of what the programs of a test ask of others, where they are not the usual ones.
    pub static LIMITS: Limits;
}

/// The whole program under a told time, with its workers running.
pub struct Running {
    pub app: Arc<App>,
    stop: watch::Sender<bool>,
    workers: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Running {
    pub async fn start(config: Config, now: Time) -> Self {
        let limits = LIMITS.try_with(Clone::clone).unwrap_or_else(|_| limits());
        let app = Arc::new(App::open_within(config, Clock::manual(now), limits).await.unwrap());
        app.take_over_configuration().await.unwrap();
        let (stop, mut stopped) = watch::channel(false);
        let until = async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        let workers = tokio::spawn(queue::run(app.db.clone(), jobs::worker(Arc::clone(&app)), until));
        Self { app, stop, workers }
    }

    /// Moves the told time and waits until everything that is due has been done.
    pub async fn until(&self, now: Time) {
        self.app.clock.set(now);
        self.settle().await;
    }

    /// Waits until the queue is empty and nothing is due.
    pub async fn settle(&self) {
        let begun = Instant::now();
        let mut quiet = 0;
        while quiet < 2 {
            jobs::enqueue_due(&self.app, self.app.clock.now()).await.unwrap();
            self.drain(begun).await;
            let mut tx = self.app.db.read().await.unwrap();
            let due = jobs::something_due(&mut tx, self.app.clock.now()).await.unwrap();
            quiet = if due { 0 } else { quiet + 1 };
            assert!(begun.elapsed() < PATIENCE, "something stays due and no work is done about it");
        }
    }

    async fn drain(&self, begun: Instant) {
        loop {
            let mut tx = self.app.db.read().await.unwrap();
            let depth = queue::depth(&mut tx).await.unwrap();
            drop(tx);
            let busy: i64 = depth
                .iter()
                .filter(|(status, _)| ["Pending", "Queued", "Running"].contains(&status.as_str()))
                .map(|(_, n)| n)
                .sum();
            if busy == 0 {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "work is left in the queue: {depth:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stops the workers; a test that leaves work or unsent messages behind fails.
    pub async fn stop(self) {
        let mut tx = self.app.db.read().await.unwrap();
        let failed: Vec<_> =
            queue::depth(&mut tx).await.unwrap().into_iter().filter(|(status, _)| status != "Done").collect();
        assert!(failed.is_empty(), "work was left or failed: {failed:?}");
        let states = lyhord::chat::store::states(&mut tx).await.unwrap();
        assert!(
            states.iter().all(|(state, _)| state != "waiting" && state != "sending"),
            "messages were left: {states:?}"
        );
        drop(tx);
        self.stop.send(true).unwrap();
        self.workers.await.unwrap().unwrap();
        self.app.db.close().await;
    }
}
