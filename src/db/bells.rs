//! The bells of this process: who waits for work sleeps on one, who has written work rings it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// Bells that ring when a transaction that wrote work is committed. A bell is named after what it wakes.
#[derive(Debug, Clone, Default)]
pub struct Signals(Arc<Mutex<BTreeMap<&'static str, Arc<Notify>>>>);

impl Signals {
    /// The bell of that name.
    #[must_use]
    pub fn bell(&self, name: &'static str) -> Arc<Notify> {
        let mut bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(bells.entry(name).or_default())
    }

    /// Rings a bell in this process: everyone who waits wakes, and the next one who comes finds it rung.
    pub fn ring(&self, name: &str) {
        let bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = bells.get(name) {
            bell.notify_waiters();
            bell.notify_one();
        }
    }
}
