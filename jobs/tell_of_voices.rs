//! Tells people what is about no case: a person whose voice has fallen, those who keep the system, those with a role.

use crate::app::App;
use crate::assignment::Role;
use crate::chat::notice::Notice;
use crate::chat::{Channel, outbox_store};
use crate::clock::Time;
use crate::db::Tx;
use crate::jobs::warn_keepers::when_at_work;
use crate::jobs::write_messages::Ways;

/// Puts a notice to one person into the outbox, by her own voice and for when she next works; the same `once` is put
/// there once.
///
/// # Errors
/// What the database says.
async fn tell(
    app: &App,
    tx: &mut Tx,
    ways: &Ways,
    staff: &str,
    notice: &Notice,
    once: &str,
    now: Time,
) -> anyhow::Result<()> {
    let Some(way) = ways.to(app, staff, now) else { return Ok(()) };
    let at = when_at_work(app, staff, now);
    let body = serde_json::to_string(&notice.message(&app.links, at))?;
    let to = (staff, way.channel.slug(), way.address.as_str());
    outbox_store::put_notice_at(tx, to, &body, Some(&format!("{once}:{staff}")), now, at).await?;
    Ok(())
}

/// Tells everybody who keeps the system, each when she next works.
///
/// # Errors
/// What the database says.
pub(super) async fn tell_admins_at_work(
    app: &App,
    tx: &mut Tx,
    notice: &Notice,
    once: &str,
    now: Time,
) -> anyhow::Result<()> {
    tell_role_at_work(app, tx, Role::Admin, notice, once, now).await
}

/// Tells everybody who has a role, each when she next works.
///
/// # Errors
/// What the database says.
pub(super) async fn tell_role_at_work(
    app: &App,
    tx: &mut Tx,
    role: Role,
    notice: &Notice,
    once: &str,
    now: Time,
) -> anyhow::Result<()> {
    let (ways, organisation) = (Ways::load(tx).await?, &app.config.organisation);
    for staff in organisation.staff.iter().filter(|staff| organisation.has_role(&staff.key, role, now)) {
        tell(app, tx, &ways, &staff.key, notice, once, now).await?;
    }
    Ok(())
}

/// A person's voice has failed for good: she hears it by her next one, and those who keep the system hear of it at
/// most once an hour, however many fall.
///
/// # Errors
/// What the database says.
pub(super) async fn voice_fell(app: &App, tx: &mut Tx, staff: &str, channel: Channel, now: Time) -> anyhow::Result<()> {
    let ways = Ways::load(tx).await?;
    let once = format!("fell:{}:{}", channel.slug(), now.0);
    tell(app, tx, &ways, staff, &Notice::YoursFailed(channel), &once, now).await?;
    let hour = format!("colleague:{}:{}", channel.slug(), now.0.div_euclid(3_600_000));
    tell_admins_at_work(app, tx, &Notice::ColleaguesFailed(channel), &hour, now).await
}
