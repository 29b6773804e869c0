//! The token bucket of one voice: so many messages in all and so many to one address, as its service allows.
//!
//! Time here is how fast we may talk, not when something is due: it is the governor's own monotonic clock, which no
//! test needs to tell. The bucket is per process. Where several processes send, Telegram's share is set in configuration;
//! the other voices are slow enough here for a few processes, and all of them heed a service that asks for silence.

use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock, Reference as _};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::SendError;

/// Addresses remembered before the idle ones are forgotten: far above the staff of a municipality.
const ADDRESSES: usize = 20_000;

/// How fast a voice may talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Messages a second in all; at least one.
    pub per_second: u32,
    /// The least time between two messages to one address.
    pub per_address: Duration,
}

type Moment = <DefaultClock as governor::clock::Clock>::Instant;

/// Lets messages through at a [`Pace`], and none at all while the service has asked for silence.
pub struct Bucket {
    clock: DefaultClock,
    all: DefaultDirectRateLimiter,
    each: DefaultKeyedRateLimiter<String>,
    silent: Mutex<Option<(Moment, Duration)>>,
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bucket").finish_non_exhaustive()
    }
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        let each = Quota::with_period(pace.per_address).unwrap_or(Quota::per_second(NonZeroU32::MAX));
        Self {
            clock: DefaultClock::default(),
            all: RateLimiter::direct(Quota::per_second(NonZeroU32::new(pace.per_second).unwrap_or(NonZeroU32::MIN))),
            each: RateLimiter::keyed(each),
            silent: Mutex::new(None),
        }
    }

    /// Takes a token for one message to `address`. Waits for the common pace, which is a fraction of a second;
    /// does not wait for the address's own, which the outbox row can do better.
    ///
    /// # Errors
    /// [`SendError::Later`] with the time until this address, or the service, may be spoken to again.
    pub async fn take(&self, address: &str) -> Result<(), SendError> {
        if let Some(left) = self.silence_left() {
            return Err(SendError::Later { retry_after: Some(left) });
        }
        if self.each.len() > ADDRESSES {
            self.each.retain_recent();
        }
        self.each
            .check_key(&address.to_owned())
            .map_err(|until| SendError::Later { retry_after: Some(until.wait_time_from(self.clock.now())) })?;
        self.all.until_ready().await;
        Ok(())
    }

    /// The service has asked for silence: nothing goes through for this long, to anybody. A service does not say
    /// whether it means one chat or all of them, and asking again too early can get a bot banned.
    pub fn hush(&self, span: Duration) {
        if let Ok(mut silent) = self.silent.lock() {
            *silent = Some((self.clock.now(), span));
        }
    }

    fn silence_left(&self) -> Option<Duration> {
        let mut silent = self.silent.lock().ok()?;
        let (since, span) = (*silent)?;
        let passed: Duration = self.clock.now().duration_since(since).into();
        let left = span.checked_sub(passed).filter(|left| !left.is_zero());
        if left.is_none() {
            *silent = None;
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket() -> Bucket {
        Bucket::new(Pace { per_second: 30, per_address: Duration::from_mins(1) })
    }

    #[tokio::test]
    async fn a_second_message_to_the_same_address_must_wait() {
        let bucket = bucket();
        assert_eq!(bucket.take("1").await, Ok(()));
        let Err(SendError::Later { retry_after: Some(wait) }) = bucket.take("1").await else { panic!("let through") };
        assert!(wait > Duration::from_secs(50) && wait <= Duration::from_mins(1), "{wait:?}");
        assert_eq!(bucket.take("2").await, Ok(()), "another address does not wait");
    }

    #[tokio::test]
    async fn nobody_is_spoken_to_while_the_service_wants_silence() {
        let bucket = bucket();
        bucket.hush(Duration::from_secs(30));
        assert!(matches!(bucket.take("1").await, Err(SendError::Later { retry_after: Some(_) })));
        bucket.hush(Duration::ZERO);
        assert_eq!(bucket.take("1").await, Ok(()), "and what was refused did not cost a token");
    }
}
