//! Tries each of our own accounts once a day, so that a password that was changed or a token that was withdrawn is known
//! before a citizen tells us.

use crate::app::App;
use crate::clock::Time;
use crate::jobs::WEB_BELL;
use crate::journal::{self, Fact};
use crate::source::BEFORE_END;
use crate::source::channel_store::{self, AccountCheck};

/// Tries them one after the other; each is written down by itself.
///
/// # Errors
/// What the database says; that an account does not let us in is no error but a fact.
pub async fn run(app: &App, now: Time) -> anyhow::Result<()> {
    let mut tx = app.db.read().await?;
    let before = channel_store::account_checks(&mut tx).await?;
    drop(tx);
    for account in app.config.accounts.all().iter().filter(|account| account.secret.is_some()) {
        let found = app.check_account(account, now).await;
        let (ok, expires_at) = (found.ok, found.expires_at);
        let why = match expires_at.filter(|at| ok && *at <= now.plus(BEFORE_END)) {
            Some(at) => format!("{} Inloggningen gäller till {}: förnya den före dess.", found.says, day(at)),
            None => found.says,
        };
        let check = AccountCheck { account: account.key.clone(), checked_at: now, ok, expires_at, why };
        let mut tx = app.db.write().await?;
        channel_store::checked(&mut tx, &check).await?;
        let was = before.iter().find(|check| check.account == account.key).map(|check| check.ok);
        if was != Some(ok) {
            let body = serde_json::json!({ "account": account.key, "ok": ok });
            let kind = "account.checked";
            let fact = Fact { at: now, actor: "lyhord".to_owned(), kind, case: None, mention: None, body };
            journal::append(&mut tx, &[fact]).await?;
        }
        tx.ring_on_commit(WEB_BELL);
        tx.commit().await?;
        if !ok {
            tracing::warn!(account = %account.key, "account does not let us in: {}", check.why);
        }
    }
    Ok(())
}

fn day(at: Time) -> String {
    crate::calendar::words::date_text(at.zoned(&crate::calendar::stockholm()).date())
}
