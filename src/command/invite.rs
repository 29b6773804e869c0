//! `lyhord invite`: a one-time sign-in link for one of the staff; with `--close`, the end of her account.

use std::process::ExitCode;

use super::{FOUND_WRONG, Place};
use crate::config::Config;
use crate::config_or_leave;
use crate::db::Db;
use crate::settings::nearest;
use crate::web::{self, sign_in};

/// Prints the link.
///
/// # Errors
/// When nobody has that key, or the database does not answer.
pub async fn run(place: &Place, staff: &str, close: bool) -> anyhow::Result<ExitCode> {
    let config = config_or_leave!(place);
    if close {
        return close_account(&config, staff).await;
    }
    if config.organisation.staff(staff).is_none() {
        let known: Vec<&str> = config.organisation.staff.iter().map(|staff| staff.key.as_str()).collect();
        let near = nearest(staff, &known).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
        anyhow::bail!("no staff in organisation.toml has the key `{staff}`{near}");
    }
    let db = Db::open(&config.database, config.connections).await?;
    let mut tx = db.write().await?;
    let path = sign_in::new_link(&mut tx, staff, place.clock.now()).await?;
    tx.commit().await?;
    println!("{}{path}", config.base_url.as_str().trim_end_matches('/'));
    Ok(ExitCode::SUCCESS)
}

/// Works for somebody who has left the configuration, too.
async fn close_account(config: &Config, staff: &str) -> anyhow::Result<ExitCode> {
    let db = Db::open(&config.database, config.connections).await?;
    let mut tx = db.write().await?;
    let closed = web::store::disable_account(&mut tx, staff).await?;
    tx.commit().await?;
    println!("{}", if closed { "Kontot är stängt." } else { "Det finns inget sådant konto." });
    Ok(if closed { ExitCode::SUCCESS } else { ExitCode::from(FOUND_WRONG) })
}
