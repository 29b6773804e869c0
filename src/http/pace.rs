//! One question at a time to each host, not too many a minute, and none while it has asked for peace.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::{DefaultKeyedRateLimiter, Jitter, Quota};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::FetchError;

/// Questions that a host may get at once before the pace below begins: a redirect and its target, a page and the two
/// or three feeds that it names.
const BURST: NonZeroU32 = NonZeroU32::new(5).unwrap();
/// Added to each wait, so that those who wait do not all go at once.
const JITTER: Duration = Duration::from_millis(500);
/// Hosts remembered before the idle ones are forgotten.
const HOSTS: usize = 4_096;
/// How long a 429 without a readable Retry-After closes its host.
const PAUSE: Duration = Duration::from_mins(15);
/// The longest pause that a host can ask of all its sources: whoever wants more can say so again.
const PAUSE_MAX: Duration = Duration::from_hours(24);

#[derive(Debug)]
pub(super) struct Pace {
    limiter: DefaultKeyedRateLimiter<String>,
    seats: Mutex<HashMap<String, Arc<Semaphore>>>,
    pauses: Mutex<HashMap<String, Instant>>,
    turn: Duration,
}

impl Pace {
    pub(super) fn new(turn: Duration, per_minute: NonZeroU32) -> Self {
        let quota = Quota::per_minute(per_minute).allow_burst(BURST);
        Self { limiter: DefaultKeyedRateLimiter::keyed(quota), seats: Mutex::default(), pauses: Mutex::default(), turn }
    }

    /// Waits for our turn at a host; whoever holds the permit is the only one who asks there.
    pub(super) async fn turn(&self, host: &str) -> Result<OwnedSemaphorePermit, FetchError> {
        if let Some(left) = self.paused(host) {
            return Err(FetchError::Paused(left));
        }
        let seat = self.seat(host);
        let wait = async {
            let permit = seat.acquire_owned().await.map_err(|_| FetchError::Busy)?;
            self.limiter.until_key_ready_with_jitter(&host.to_owned(), Jitter::up_to(JITTER)).await;
            Ok(permit)
        };
        let permit = timeout(self.turn, wait).await.unwrap_or(Err(FetchError::Busy))?;
        match self.paused(host) {
            Some(left) => Err(FetchError::Paused(left)),
            None => Ok(permit),
        }
    }

    /// Closes a host for a while, for all sources that live there.
    pub(super) fn pause(&self, host: &str, asked: Option<Duration>) {
        let until = Instant::now() + asked.unwrap_or(PAUSE).min(PAUSE_MAX);
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        if pauses.len() >= HOSTS {
            let now = Instant::now();
            pauses.retain(|_, until| *until > now);
        }
        pauses.insert(host.to_owned(), until);
    }

    fn paused(&self, host: &str) -> Option<Duration> {
        let pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.get(host).map(|until| until.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }

    fn seat(&self, host: &str) -> Arc<Semaphore> {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if seats.len() >= HOSTS {
            seats.retain(|_, seat| Arc::strong_count(seat) > 1);
            self.limiter.retain_recent();
        }
        Arc::clone(seats.entry(host.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(1))))
    }
}

/// A Retry-After in seconds; a date is read by those who know what time it is.
pub(super) fn seconds(value: Option<&str>) -> Option<Duration> {
    value?.trim().parse().ok().map(Duration::from_secs)
}
