//! Whose turn it is to listen: what streams or rings is listened to by one process at a time, and another takes over within
//! a minute after a kill.

use std::time::Duration;

use crate::app::App;
use crate::clock::Time;
use crate::db::Tx;
use crate::source::{self, channel_store};

/// How long (real) one process has the turn unless it renews it.
pub const TURN: Duration = Duration::from_secs(40);
/// How often (real) one who does not have the turn asks for it.
pub const ASK_AGAIN: Duration = Duration::from_secs(10);

/// The name of the turn at a source.
#[must_use]
pub fn lease_of(key: &str) -> String {
    format!("stream:{key}")
}

/// Takes the turn or renews it; false when another process has it.
///
/// # Errors
/// What the database says.
pub async fn is_ours(app: &App, lease: &str) -> sqlx::Result<bool> {
    let mut tx = app.db.write().await?;
    let ours = renewed(app, &mut tx, lease, app.clock.now()).await?;
    tx.commit().await?;
    Ok(ours)
}

/// As [`is_ours`], in the transaction that writes down what was heard.
///
/// # Errors
/// What the database says.
pub async fn renewed(app: &App, tx: &mut Tx, lease: &str, now: Time) -> sqlx::Result<bool> {
    source::store::lease(tx, lease, &app.holder, now, now.plus(app.clock.told(TURN))).await
}

/// Lets go of every turn that this process has, so that another need not wait.
///
/// # Errors
/// What the database says.
pub async fn let_go(app: &App) -> sqlx::Result<()> {
    let mut tx = app.db.write().await?;
    for setting in &app.config.sources {
        channel_store::release(&mut tx, &lease_of(&setting.key), &app.holder).await?;
    }
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_listener_is_replaced_within_a_minute() {
        assert!(TURN + ASK_AGAIN < Duration::from_mins(1));
    }
}
