//! Tries each of our own accounts once a day, so that a password that was changed or a token that was withdrawn is known
//! before a citizen tells us.

use std::time::Duration;

use crate::app::App;
use crate::chat::notice::Notice;
use crate::clock::Time;
use crate::jobs::tell_of_voices::tell_admins_at_work;
use crate::jobs::{TIMETABLE_BELL, WEB_BELL};
use crate::journal::{self, Fact};
use crate::source::channel_store::{self, AccountCheck};
use crate::source::mail::Mailbox;
use crate::source::{AccountState, BEFORE_END, SourceKind};

/// Tries them one after the other; each is written down by itself.
///
/// # Errors
/// What the database says; that an account does not let us in is no error but a fact.
pub async fn run(app: &App, now: Time) -> anyhow::Result<()> {
    let mut tx = app.db.read().await?;
    let before = channel_store::account_checks(&mut tx).await?;
    drop(tx);
    for (key, found) in found(app, now).await {
        let (ok, expires_at) = (found.ok, found.expires_at);
        let known = before.iter().find(|check| check.account == key);
        let (state, since) = turn(&found, known, now);
        let why = match expires_at.filter(|at| ok && *at <= now.plus(BEFORE_END)) {
            Some(at) => {
                format!("{} Inloggningen gäller till och med {}: förnya den före dess.", found.says, last_day(at))
            }
            None => found.says,
        };
        let check =
            AccountCheck { account: key.clone(), checked_at: now, ok, expires_at, why, state: state.to_owned(), since };
        let mut tx = app.db.write().await?;
        channel_store::checked(&mut tx, &check).await?;
        let notice = match state {
            "refused" => Some(Notice::AccountRefused),
            "ending" => Some(Notice::AccountEnding),
            _ => None,
        };
        if let Some(notice) = notice {
            // The same turn has the same name, so it is told once however often the account is tried.
            let once = format!("account:{key}:{state}:{}", since.0);
            tell_admins_at_work(app, &mut tx, &notice, &once, now).await?;
            tx.ring_on_commit(TIMETABLE_BELL);
        }
        if known.map(|check| check.ok) != Some(ok) {
            let body = serde_json::json!({ "account": key, "ok": ok });
            let kind = "account.checked";
            let fact = Fact { at: now, actor: "lyhord".to_owned(), kind, case: None, mention: None, body };
            journal::append(&mut tx, &[fact]).await?;
        }
        tx.ring_on_commit(WEB_BELL);
        tx.commit().await?;
        if !ok {
            tracing::warn!(account = %key, "account does not let us in: {}", check.why);
        }
    }
    Ok(())
}

/// How each of our accounts is, and each mailbox whose secret is said to end, by their keys.
async fn found(app: &App, now: Time) -> Vec<(String, AccountState)> {
    let mut all = Vec::new();
    for account in app.config.accounts.all().iter().filter(|account| account.secret.is_some()) {
        let found = app.check_account(account, now).await;
        let expires_at = found.expires_at.or(account.expires_at);
        all.push((account.key.clone(), AccountState { expires_at, ..found }));
    }
    for setting in &app.config.sources {
        // Whether it lets us in is seen at each reading; that its secret will end is seen here only.
        if let SourceKind::Mail(Mailbox { secret: Some(_), expires_at: Some(end), .. }) = &setting.kind {
            let says = format!("Hemligheten till {}.", setting.name);
            all.push((setting.key.clone(), AccountState::yes(says, Some(*end))));
        }
    }
    all
}

/// True when there is something to try each day.
#[must_use]
pub fn is_needed(app: &App) -> bool {
    let ends = |kind: &SourceKind| matches!(kind, SourceKind::Mail(Mailbox { expires_at: Some(_), .. }));
    app.config.accounts.all().iter().any(|account| account.secret.is_some())
        || app.config.sources.iter().any(|setting| ends(&setting.kind))
}

/// How an account is, in a word, and since when. A server that is silent for a day says nothing about the account: it is
/// as it was.
fn turn<'a>(found: &AccountState, known: Option<&'a AccountCheck>, now: Time) -> (&'a str, Time) {
    let ends = found.expires_at.is_some_and(|at| at <= now.plus(BEFORE_END));
    let state = match (found.ok, ends) {
        _ if found.silent => known.map_or("well", |check| check.state.as_str()),
        (false, _) => "refused",
        (true, true) => "ending",
        (true, false) => "well",
    };
    let since = known.filter(|check| check.state == state).map_or(now, |check| check.since);
    (state, since)
}

/// The last day before a moment, as a person writes it.
fn last_day(end: Time) -> String {
    let last = end.minus(Duration::from_millis(1));
    crate::calendar::words::date_text(last.zoned(&crate::calendar::stockholm()).date())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(state: &str, since: i64) -> AccountCheck {
        let own = |text: &str| text.to_owned();
        AccountCheck {
            account: own("a"),
            checked_at: Time(since),
            ok: state != "refused",
            expires_at: None,
            why: own(""),
            state: own(state),
            since: Time(since),
        }
    }

    #[test]
    fn a_turn_lasts_until_the_account_has_healed_and_a_silent_server_is_no_turn() {
        let now = Time(9_000);
        let no = AccountState::no("Släpper inte in oss.".to_owned());
        let (well, refused) = (check("well", 1), check("refused", 5));
        assert_eq!(turn(&no, Some(&well), now), ("refused", now));
        assert_eq!(turn(&no, Some(&refused), now), ("refused", Time(5)), "the same turn, told once");
        assert_eq!(turn(&AccountState::yes(String::new(), None), Some(&refused), now), ("well", now), "healed");
        let ending = AccountState::yes(String::new(), Some(now.plus(BEFORE_END)));
        assert_eq!(turn(&ending, Some(&well), now), ("ending", now));
        let silent = AccountState { silent: true, ..no.clone() };
        assert_eq!(turn(&silent, Some(&well), now), ("well", Time(1)));
        assert_eq!(turn(&silent, Some(&refused), now), ("refused", Time(5)));
        assert_eq!(turn(&silent, None, now), ("well", now));
    }
}
