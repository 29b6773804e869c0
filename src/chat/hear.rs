//! Hearing: what a service brings back from staff, handed to one who knows who they are.
//!
//! A voice proves only that the service sent it (secret, signature, our own connection); whether the speaker is bound
//! to anybody, and what she may do, is the hearer's to decide. The hearer writes facts, each in one transaction with
//! the utterance's `once` key, so that a service that repeats itself is answered again but nothing is done twice.

use std::future::Future;
use std::time::Duration;

use super::button::{Act, Nonce};
use super::{ANSWER_WITHIN, Answer, NOT_NOW, SendError, Speaker};
use crate::clock::doubled;

/// One who hears. A trait, because a test must tell it what to answer.
pub trait Hear: Send + Sync + 'static {
    /// A button was pressed.
    fn pressed(&self, speaker: &Speaker, act: Act, nonce: &Nonce) -> impl Future<Output = Answer> + Send;

    /// Something was written; see [`super::command::parse`].
    fn said(&self, speaker: &Speaker, text: &str) -> impl Future<Output = Answer> + Send;
}

/// The hearer's answer, or [`NOT_NOW`] when it took longer than a service waits: then its transaction is rolled back
/// with it, and the person knows that nothing was done.
pub async fn in_time(answer: impl Future<Output = Answer> + Send) -> Answer {
    tokio::time::timeout(ANSWER_WITHIN, answer).await.unwrap_or_else(|_| Answer::keep(NOT_NOW))
}

/// Where a stream of news has come to, in the service's own terms. The caller keeps it, so that nothing is lost or
/// heard twice over a restart.
pub trait Keep: Send + Sync {
    /// The place as it was last kept; nothing at the very beginning.
    fn place(&self) -> impl Future<Output = Result<Option<String>, NotKept>> + Send;

    /// Everything before `place` has been heard.
    fn keep(&self, place: &str) -> impl Future<Output = Result<(), NotKept>> + Send;
}

/// The place could not be read or written; the ear waits and asks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the place in the stream of news could not be kept")]
pub struct NotKept;

/// Speakers heard at the same time: enough that one slow answer keeps nobody waiting, few enough for the database.
pub(super) const AT_ONCE: usize = 8;

/// The first pause after a fault.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause after a failed round: an hour without network costs a call a minute, and a minute of delay.
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// One second, doubled for each failure in a row, at most [`PAUSE_MAX`]; longer only when the service says so.
#[must_use]
pub fn pause_after(error: &SendError, failures: u32) -> Duration {
    let ours = doubled(FIRST_PAUSE, failures.saturating_sub(1), PAUSE_MAX);
    match error {
        SendError::Later { retry_after: Some(theirs) } => ours.max(*theirs),
        SendError::Never(_) | SendError::OutOfOrder(_) => PAUSE_MAX,
        _ => ours,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Mutex;

    use super::*;

    /// The place, in memory; breaks when told to.
    #[derive(Default)]
    pub struct Memory {
        pub place: Mutex<Option<String>>,
        pub broken: Mutex<bool>,
    }

    impl Keep for Memory {
        async fn place(&self) -> Result<Option<String>, NotKept> {
            Ok(self.place.lock().unwrap().clone())
        }

        async fn keep(&self, place: &str) -> Result<(), NotKept> {
            if *self.broken.lock().unwrap() {
                return Err(NotKept);
            }
            *self.place.lock().unwrap() = Some(place.to_owned());
            Ok(())
        }
    }

    #[test]
    fn the_pause_grows_to_a_minute_and_yields_to_what_the_service_says() {
        let pauses: Vec<u64> = (1..=8).map(|failures| pause_after(&SendError::later(), failures).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        let told = SendError::Later { retry_after: Some(Duration::from_secs(90)) };
        assert_eq!(pause_after(&told, 1), Duration::from_secs(90));
    }
}
