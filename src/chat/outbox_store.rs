//! All SQL about what the outbox says of itself: notices, messages that change earlier ones, how each voice is, and
//! what the voices have heard.

use super::store::MessageRow;
use crate::clock::Time;
use crate::db::{Engine, Tx, listed};
use crate::id::{CaseId, MessageId};
use crate::on;

/// A message to this person that nobody has begun to send and that can still say more: one about ordinary cases, or the
/// one about this acute case only. One about sources is another matter.
macro_rules! joinable {
    () => {
        "select id, recipient, voice, address, body, state, created_at, attempts, kind, edits from messages
         where recipient = $1 and state = 'waiting' and kind = 'reminder'
           and not exists (select 1 from source_warnings w where w.message_id = messages.id)
           and not exists (select 1 from reminders r join cases k on k.id = r.case_id where r.message_id = messages.id
             and case when cast($2 as bigint) is null then k.urgency = 'akut' else k.id <> $2 end)
           and (cast($2 as bigint) is null
             or exists (select 1 from reminders r where r.message_id = messages.id and r.case_id = $2))
         order by id limit 1"
    };
}

/// The message that what is to be said to this person joins: of an acute case its own, of ordinary cases one that no
/// acute case stands in.
///
/// # Errors
/// What the database says.
pub async fn joinable(tx: &mut Tx, recipient: &str, acute: Option<CaseId>) -> sqlx::Result<Option<MessageRow>> {
    let sql = match tx.engine() {
        Engine::Sqlite => joinable!(),
        Engine::Postgres => concat!(joinable!(), " for update"),
    };
    on!(tx, c => sqlx::query_as(sql).bind(recipient).bind(acute).fetch_optional(c).await)
}

/// Puts a notice into the outbox that its reader has just asked for, so that it goes at any hour; nothing when one with
/// that name was put there before.
///
/// # Errors
/// What the database says.
pub async fn put_notice(
    tx: &mut Tx,
    to: (&str, &str, &str),
    body: &str,
    once: Option<&str>,
    now: Time,
) -> sqlx::Result<Option<MessageId>> {
    let id = put_notice_at(tx, to, body, once, now, now).await?;
    if let Some(id) = id {
        on!(tx, c => sqlx::query("update messages set asked = true where id = $1").bind(id).execute(c).await.map(|_| ()))?;
    }
    Ok(id)
}

/// Puts a notice that nobody has asked for into the outbox, not to be sent before `at`; nothing when one with that name
/// was put there before.
///
/// # Errors
/// What the database says.
pub async fn put_notice_at(
    tx: &mut Tx,
    to: (&str, &str, &str),
    body: &str,
    once: Option<&str>,
    now: Time,
    at: Time,
) -> sqlx::Result<Option<MessageId>> {
    let (recipient, voice, address) = to;
    on!(tx, c => sqlx::query_scalar(
        "insert into messages (recipient, voice, address, body, state, created_at, next_attempt_at, kind, once)
         values ($1, $2, $3, $4, 'waiting', $5, $7, 'notice', $6)
         on conflict (once) where once is not null do nothing returning id")
        .bind(recipient).bind(voice).bind(address).bind(body).bind(now).bind(once).bind(at).fetch_optional(c).await)
}

/// Forgets what a notice said: it may have held a one-time code.
///
/// # Errors
/// What the database says.
pub async fn forget_body(tx: &mut Tx, id: MessageId) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update messages set body = '{}' where id = $1 and kind = 'notice'")
        .bind(id).execute(c).await.map(|_| ()))
}

/// How the latest notice to an address fared: its state, when it is or was to be sent, and why it failed.
///
/// # Errors
/// What the database says.
pub async fn latest_notice(
    tx: &mut Tx,
    voice: &str,
    address: &str,
) -> sqlx::Result<Option<(String, Time, Option<String>)>> {
    on!(tx, c => sqlx::query_as(
        "select state, next_attempt_at, failure from messages
         where voice = $1 and address = $2 and kind = 'notice' order by id desc limit 1")
        .bind(voice).bind(address).fetch_optional(c).await)
}

/// Messages that may say something that is no longer so: those that were sent, and those that nobody has begun to
/// send. The oldest first.
///
/// # Errors
/// What the database says.
pub async fn stale(tx: &mut Tx, limit: i64) -> sqlx::Result<Vec<MessageRow>> {
    let sql = match tx.engine() {
        Engine::Sqlite => {
            "select id, recipient, voice, address, body, state, created_at, attempts, kind, edits from messages
             where id in (select message_id from reminders where stale) and state in ('sent', 'waiting')
             order by id limit $1"
        }
        Engine::Postgres => {
            "select id, recipient, voice, address, body, state, created_at, attempts, kind, edits from messages
             where id in (select message_id from reminders where stale) and state in ('sent', 'waiting')
             order by id limit $1 for update skip locked"
        }
    };
    on!(tx, c => sqlx::query_as(sql).bind(limit).fetch_all(c).await)
}

/// The first that [`stale`] would find, with what changes when it becomes stale anew: the revisions of its cases, and
/// the newest reminder of all.
///
/// # Errors
/// What the database says.
pub async fn next_stale(tx: &mut Tx) -> sqlx::Result<Option<(MessageId, i64, i64)>> {
    on!(tx, c => sqlx::query_as(
        "select m.id,
           (select cast(coalesce(sum(k.revision), 0) as bigint) from reminders r join cases k on k.id = r.case_id
            where r.message_id = m.id),
           (select coalesce(max(n.id), 0) from reminders n)
         from messages m where m.id in (select message_id from reminders where stale) and m.state in ('sent', 'waiting')
         order by m.id limit 1")
        .fetch_optional(c).await)
}

/// Marks a message as one that says how it is.
///
/// # Errors
/// What the database says.
pub async fn fresh(tx: &mut Tx, message: MessageId) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update reminders set stale = false where message_id = $1 and stale")
        .bind(message).execute(c).await.map(|_| ()))
}

/// Marks what earlier messages told the same people about the same cases as stale: these reminders tell it anew.
///
/// # Errors
/// What the database says.
pub async fn overtake(tx: &mut Tx, reminders: &[i64], message: MessageId) -> sqlx::Result<()> {
    let sql = sqlx::AssertSqlSafe(format!(
        "update reminders set stale = true where message_id > 0 and message_id < $2 and not stale
         and exists (select 1 from reminders n where n.id in {} and n.case_id = reminders.case_id
                     and n.recipient = reminders.recipient)
         and case_id in (select n.case_id from reminders n where n.id in {})",
        tx.engine().each_of_first(),
        tx.engine().each_of_first()
    ));
    let reminders = listed(reminders.iter().copied());
    on!(tx, c => sqlx::query(sql).bind(&reminders).bind(message).execute(c).await.map(|_| ()))
}

/// What a message told of one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Told {
    /// Which case.
    pub case_id: CaseId,
    /// The case's round at that time.
    pub round: i64,
    /// The newest message that told the same person of the same case.
    pub newest: MessageId,
    /// That it is to be followed up, also when it has been answered.
    pub follows: bool,
}

/// The cases that a message told of, once each.
///
/// # Errors
/// What the database says.
pub async fn told(tx: &mut Tx, message: MessageId) -> sqlx::Result<Vec<Told>> {
    on!(tx, c => sqlx::query_as(
        "select r.case_id, max(r.round) as round,
           (select max(n.message_id) from reminders n where n.case_id = r.case_id and n.recipient = r.recipient) as newest,
           max(case when r.stage like 'follow-%' then 1 else 0 end) = 1 as follows
         from reminders r where r.message_id = $1 group by r.case_id, r.recipient order by r.case_id")
        .bind(message).fetch_all(c).await)
}

/// What a message last said: in its own words, or in those of the latest change of it.
///
/// # Errors
/// What the database says.
pub async fn shown(tx: &mut Tx, message: MessageId) -> sqlx::Result<Option<String>> {
    on!(tx, c => sqlx::query_scalar(
        "select body from messages where id = $1 or (edits = $1 and state <> 'failed') order by id desc limit 1")
        .bind(message).fetch_optional(c).await)
}

/// Lets a sent message say something else: one change of it waits at a time, and says the latest.
///
/// # Errors
/// What the database says.
pub async fn put_edit(tx: &mut Tx, of: &MessageRow, body: &str, now: Time) -> sqlx::Result<()> {
    let waited = on!(tx, c => sqlx::query("update messages set body = $2 where edits = $1 and state = 'waiting'")
        .bind(of.id).bind(body).execute(c).await.map(|done| done.rows_affected()))?;
    if waited > 0 {
        return Ok(());
    }
    on!(tx, c => sqlx::query(
        "insert into messages (recipient, voice, address, body, state, created_at, next_attempt_at, kind, edits)
         values ($1, $2, $3, $4, 'waiting', $5, $5, 'edit', $6)")
        .bind(&of.recipient).bind(&of.voice).bind(&of.address).bind(body).bind(now).bind(of.id)
        .execute(c).await.map(|_| ()))
}

/// The service's own name for a message that was sent; empty where the service gives none.
///
/// # Errors
/// What the database says.
pub async fn external_id(tx: &mut Tx, message: MessageId) -> sqlx::Result<Option<String>> {
    on!(tx, c => sqlx::query_scalar("select external_id from receipts where message_id = $1 order by id desc limit 1")
        .bind(message).fetch_optional(c).await)
}

/// The message that a service took under this name; nothing when it has been given up since.
///
/// # Errors
/// What the database says.
pub async fn sent_as(tx: &mut Tx, voice: &str, external_id: &str) -> sqlx::Result<Option<MessageRow>> {
    on!(tx, c => sqlx::query_as(
        "select m.id, m.recipient, m.voice, m.address, m.body, m.state, m.created_at, m.attempts, m.kind, m.edits
         from messages m join receipts r on r.message_id = m.id
         where r.external_id = $2 and m.voice = $1 and m.state = 'sent' order by m.id desc limit 1")
        .bind(voice).bind(external_id).fetch_optional(c).await)
}

/// The last try does not count: the service, or our own pace, asked us to wait before anything was said. What counts as
/// a try is what may have been said without our knowing.
///
/// # Errors
/// What the database says.
pub async fn not_tried(tx: &mut Tx, id: MessageId) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update messages set attempts = attempts - 1 where id = $1 and attempts > 0")
        .bind(id).execute(c).await.map(|_| ()))
}

/// A change has been made in the chat. It gets no receipt of its own: the message's own holds.
///
/// # Errors
/// What the database says.
pub async fn edited(tx: &mut Tx, id: MessageId) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update messages set state = 'sent', failure = null where id = $1 and kind = 'edit'")
        .bind(id).execute(c).await.map(|_| ()))
}

/// A change that can no longer be made: the message stands as it was said.
///
/// # Errors
/// What the database says.
pub async fn drop_edit(tx: &mut Tx, id: MessageId, why: &str) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update messages set state = 'void', failure = $2 where id = $1 and kind = 'edit'")
        .bind(id).bind(why).execute(c).await.map(|_| ()))
}

/// A message that nobody has begun to send has nothing left to say; false when somebody has begun.
///
/// # Errors
/// What the database says.
pub async fn void(tx: &mut Tx, id: MessageId) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query("update messages set state = 'void' where id = $1 and state = 'waiting'")
        .bind(id).execute(c).await.map(|done| done.rows_affected() > 0))
}

/// What was answered to an utterance that has been heard before, and whether its buttons stay.
///
/// # Errors
/// What the database says.
pub async fn heard(tx: &mut Tx, once: &str) -> sqlx::Result<Option<(String, bool)>> {
    on!(tx, c => sqlx::query_as("select answer, keeps_buttons from heard where once = $1")
        .bind(once).fetch_optional(c).await)
}

/// Remembers an utterance in the transaction that did what it asked; false when another process was first.
///
/// # Errors
/// What the database says.
pub async fn put_heard(tx: &mut Tx, once: &str, answer: &str, keeps_buttons: bool, now: Time) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query(
        "insert into heard (once, answer, keeps_buttons, heard_at) values ($1, $2, $3, $4) on conflict (once) do nothing")
        .bind(once).bind(answer).bind(keeps_buttons).bind(now).execute(c).await.map(|done| done.rows_affected() > 0))
}

/// Forgets utterances from before a moment, after which no service repeats itself.
///
/// # Errors
/// What the database says.
pub async fn forget_heard(tx: &mut Tx, before: Time) -> sqlx::Result<u64> {
    on!(tx, c => sqlx::query("delete from heard where heard_at < $1")
        .bind(before).execute(c).await.map(|done| done.rows_affected()))
}

/// How a voice is that does not work as it should.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Health {
    /// Slug of the voice.
    pub voice: String,
    /// `silent` or `out`.
    pub state: String,
    /// Since when.
    pub since: Time,
    /// Why, in Swedish.
    pub why: String,
    /// Until then other voices are chosen where there are any.
    pub try_again_at: Time,
}

/// Every voice that does not work as it should.
///
/// # Errors
/// What the database says.
pub async fn ill(tx: &mut Tx) -> sqlx::Result<Vec<Health>> {
    on!(tx, c => sqlx::query_as("select voice, state, since, why, try_again_at from voice_health order by voice")
        .fetch_all(c).await)
}

/// Notes that a voice does not work; it began when it was first noted.
///
/// # Errors
/// What the database says.
pub async fn fell_ill(tx: &mut Tx, new: &Health) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "insert into voice_health (voice, state, since, why, try_again_at) values ($1, $2, $3, $4, $5)
         on conflict (voice) do update set state = excluded.state, why = excluded.why,
           try_again_at = excluded.try_again_at")
        .bind(&new.voice).bind(&new.state).bind(new.since).bind(&new.why).bind(new.try_again_at)
        .execute(c).await.map(|_| ()))
}

/// Notes that a voice works again; true when it did not.
///
/// # Errors
/// What the database says.
pub async fn recovered(tx: &mut Tx, voice: &str) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query("delete from voice_health where voice = $1")
        .bind(voice).execute(c).await.map(|done| done.rows_affected() > 0))
}

/// What waits in the outbox by voice: `(voice, how many, since when, next try)`.
///
/// # Errors
/// What the database says.
pub async fn waiting(tx: &mut Tx) -> sqlx::Result<Vec<(String, i64, Time, Time)>> {
    on!(tx, c => sqlx::query_as(
        "select voice, count(*), min(created_at), min(next_attempt_at) from messages
         where state in ('waiting', 'sending') group by voice order by voice")
        .fetch_all(c).await)
}

/// When each voice last carried something.
///
/// # Errors
/// What the database says.
pub async fn last_said(tx: &mut Tx, voice: &str) -> sqlx::Result<Option<Time>> {
    on!(tx, c => sqlx::query_scalar(
        "select r.sent_at from receipts r join messages m on m.id = r.message_id where m.voice = $1
         order by r.id desc limit 1")
        .bind(voice).fetch_optional(c).await)
}

/// Writes down a code that is sent to an address, by its hash.
///
/// # Errors
/// What the database says.
pub async fn put_sent_code(tx: &mut Tx, hash: &str, of: (&str, &str, &str), expires_at: Time) -> sqlx::Result<()> {
    let (staff, voice, address) = of;
    on!(tx, c => sqlx::query(
        "insert into bind_codes (code_hash, staff, voice, address, expires_at) values ($1, $2, $3, $4, $5)")
        .bind(hash).bind(staff).bind(voice).bind(address).bind(expires_at).execute(c).await.map(|_| ()))
}

/// Uses up a code that was sent to an address: `(voice, address)` when it is this person's and still works.
///
/// # Errors
/// What the database says.
pub async fn use_sent_code(tx: &mut Tx, hash: &str, staff: &str, now: Time) -> sqlx::Result<Option<(String, String)>> {
    on!(tx, c => sqlx::query_as(
        "update bind_codes set used_at = $3 where code_hash = $1 and staff = $2 and address is not null
         and used_at is null and expires_at > $3 returning voice, address")
        .bind(hash).bind(staff).bind(now).fetch_optional(c).await)
}

/// Moves one of a person's voices a step up in her order; false when it is not hers.
///
/// # Errors
/// What the database says.
pub async fn move_up(tx: &mut Tx, id: i64, staff: &str) -> sqlx::Result<bool> {
    let order: Vec<i64> = on!(tx, c => sqlx::query_scalar(
        "select id from voices where staff = $1 order by place, id")
        .bind(staff).fetch_all(c).await)?;
    let Some(at) = order.iter().position(|one| *one == id) else { return Ok(false) };
    let mut order = order;
    order.swap(at, at.saturating_sub(1));
    for (place, one) in (0_i64..).zip(order) {
        on!(tx, c => sqlx::query("update voices set place = $2 where id = $1")
            .bind(one).bind(place).execute(c).await.map(|_| ()))?;
    }
    Ok(true)
}
