//! What is listened for in a stream besides the words of the rules, as the database has it: our own accounts, threads that
//! are watched, and posts that are kept.

use std::collections::HashSet;
use std::time::Duration;

use crate::app::App;
use crate::clock::Time;
use crate::mention::version_store;
use crate::source::bluesky::CHANNEL;
use crate::source::channel_store;
use crate::source::marks::Marks;

/// Posts of ours whose deletion is listened for: a year of a large municipality.
const NAMES: i64 = 100_000;
/// How far back their deletion is listened for.
const NAMES_DAYS: u64 = 90;
/// Threads that are watched at the same time.
const THREADS: i64 = 2_000;

/// What is listened for besides the words of the rules.
pub(super) struct Listened {
    /// Our own accounts, watched threads, signs of a change, and the place that every message has.
    pub marks: Marks,
    /// Names of posts that we have, whose deletion matters.
    pub known: HashSet<String>,
    /// Threads that are watched, by their first post.
    pub roots: HashSet<String>,
    /// When all this was read.
    pub read_at: Time,
}

impl Listened {
    /// Reads what is listened for now.
    ///
    /// # Errors
    /// What the database says.
    pub async fn read(app: &App, now: Time) -> anyhow::Result<Self> {
        let mut tx = app.db.read().await?;
        let since = now.minus(Duration::from_secs(NAMES_DAYS * 86_400));
        let known = version_store::names_since(&mut tx, CHANNEL, since, NAMES).await?.into_iter().collect();
        let roots = channel_store::watched(&mut tx, CHANNEL, now, THREADS).await?;
        let own = app.config.accounts.of(CHANNEL).filter_map(|account| account.id.as_deref());
        let marks = Marks::of(own, roots.iter().map(String::as_str))?;
        Ok(Self { marks, known, roots: roots.into_iter().collect(), read_at: now })
    }
}
