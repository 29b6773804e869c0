//! Lets messages say how it is: what was sent is changed in place where the voice can, and what nobody has begun to
//! send is written anew. A new stage is always a message of its own, because a change makes no sound; the earlier
//! message then points to it and loses its buttons.

use crate::app::App;
use crate::case;
use crate::case::Threat;
use crate::case::store::CaseRow;
use crate::chat::button::{Became, Standing};
use crate::chat::choice::Way;
use crate::chat::store::MessageRow;
use crate::chat::{self, Channel, Chat as _, Message, outbox_store};
use crate::clock::Time;
use crate::db::Tx;
use crate::id::CaseId;
use crate::jobs::write_messages::{new_buttons, say};
use crate::jobs::{Job, TIMETABLE_BELL};

/// How many messages are looked at in one transaction.
const AT_A_TIME: i64 = 50;
/// How many cases of one message are looked at; a message names ten and counts the rest.
const CASES: usize = 50;

/// Looks at one batch of messages; enqueues itself when there may be more.
///
/// # Errors
/// What the database says; nothing of the batch is then changed.
pub async fn run(app: &App, now: Time) -> anyhow::Result<()> {
    let mut tx = app.db.write().await?;
    let messages = outbox_store::stale(&mut tx, AT_A_TIME).await?;
    if messages.is_empty() {
        return Ok(());
    }
    for message in &messages {
        look_at(app, &mut tx, message, now).await?;
        outbox_store::fresh(&mut tx, message.id).await?;
    }
    if i64::try_from(messages.len()).unwrap_or(AT_A_TIME) == AT_A_TIME {
        Job::EditMessages.enqueue(&mut tx, now).await?;
    }
    Job::DeliverMessages.enqueue(&mut tx, now).await?;
    tx.ring_on_commit(TIMETABLE_BELL);
    tx.commit().await?;
    Ok(())
}

async fn look_at(app: &App, tx: &mut Tx, message: &MessageRow, now: Time) -> anyhow::Result<()> {
    let Some(channel) = Channel::from_slug(&message.voice) else { return Ok(()) };
    let waits = message.state == "waiting";
    let can_edit = app.voices.of(channel).is_some_and(chat::Voice::can_edit);
    if !waits && !can_edit {
        return Ok(());
    }
    let (open, became) = as_it_is(tx, message).await?;
    if waits && open.is_empty() {
        outbox_store::void(tx, message.id).await?;
        return Ok(());
    }
    let way = Way { channel, address: message.address.clone() };
    let earliest = open.iter().filter_map(|row| row.due_at).min();
    let new = say(app, &way, &open, open.len(), earliest, now);
    // What waits has not been read yet: it needs not tell what is over.
    let new = if waits { new } else { new.telling(&became) };
    let Some(shown) = outbox_store::shown(tx, message.id).await? else { return Ok(()) };
    let shown: Option<Message> = serde_json::from_str(&shown).ok();
    let new = match open.as_slice() {
        [row] if row.closed_at.is_none() => {
            let kept = shown.as_ref().filter(|shown| shown.case() == Some(row.id) && !shown.buttons().is_empty());
            let acts = match kept {
                Some(shown) => shown.buttons().iter().map(|button| (button.act, button.nonce.clone())).collect(),
                None => new_buttons(tx, &message.recipient, row, now).await?,
            };
            new.with_buttons(&acts)
        }
        _ => new,
    };
    if shown.is_some_and(|shown| shown.reads_as(&new)) {
        return Ok(());
    }
    let body = serde_json::to_string(&new)?;
    if waits {
        chat::store::rewrite(tx, message.id, &body, None).await?;
    } else {
        outbox_store::put_edit(tx, message, &body, now).await?;
    }
    Ok(())
}

/// The cases of a message that wait as they did, most urgent first, and what has become of the others.
async fn as_it_is(tx: &mut Tx, message: &MessageRow) -> sqlx::Result<(Vec<CaseRow>, Vec<(CaseId, Became)>)> {
    let (mut open, mut became) = (Vec::new(), Vec::new());
    for told in outbox_store::told(tx, message.id).await?.into_iter().take(CASES) {
        let Some(row) = case::store::find(tx, told.case_id).await? else { continue };
        let what = Standing::of(&row).became(&message.recipient, told.round, told.newest > message.id);
        let threat = row.threat.as_deref().and_then(Threat::from_slug).filter(|_| told.follows);
        match unless_followed(what, threat) {
            None => open.push(row),
            Some(what) => became.push((row.id, what)),
        }
    }
    open.sort_by_key(|row| (row.due_at, row.id));
    Ok((open, became))
}

/// A threat that is to be followed up waits for that, although its case has been answered.
fn unless_followed(became: Option<Became>, followed: Option<Threat>) -> Option<Became> {
    let waits = became == Some(Became::Closed) && followed.is_some_and(Threat::is_under_way);
    became.filter(|_| !waits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threat_that_is_to_be_followed_up_is_not_over_when_its_case_is_answered() {
        let closed = Some(Became::Closed);
        assert_eq!(unless_followed(closed, Some(Threat::Supported)), None, "it waits");
        assert_eq!(unless_followed(closed, Some(Threat::FollowedMonth)), closed, "all is done");
        assert_eq!(unless_followed(closed, None), closed, "a message that told of something else");
        assert_eq!(unless_followed(None, Some(Threat::Supported)), None);
    }
}
