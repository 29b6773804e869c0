//! All SQL about voices, the outbox, receipts, buttons and one-time codes.

use super::undelivered_store;
use crate::clock::Time;
use crate::db::{Engine, Tx, listed};
use crate::id::{CaseId, MessageId};
use crate::on;

/// A chat that a member of staff has bound to herself.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct VoiceRow {
    /// Its number.
    pub id: i64,
    /// Whose it is.
    pub staff: String,
    /// Slug of the voice.
    pub voice: String,
    /// Where the voice finds her.
    pub address: String,
    /// Since when.
    pub bound_at: Time,
    /// When it failed for good.
    pub failed_at: Option<Time>,
    /// Why.
    pub failed_why: Option<String>,
}

/// Everyone's voices in the order each has chosen, the working ones first.
///
/// # Errors
/// What the database says.
pub async fn voices(tx: &mut Tx) -> sqlx::Result<Vec<VoiceRow>> {
    on!(tx, c => sqlx::query_as(
        "select id, staff, voice, address, bound_at, failed_at, failed_why from voices
         order by staff, (case when failed_at is null then 0 else 1 end), place, id")
        .fetch_all(c).await)
}

/// Who has bound this chat.
///
/// # Errors
/// What the database says.
pub async fn staff_of(tx: &mut Tx, voice: &str, address: &str) -> sqlx::Result<Option<String>> {
    on!(tx, c => sqlx::query_scalar("select staff from voices where voice = $1 and address = $2")
        .bind(voice).bind(address).fetch_optional(c).await)
}

/// Binds a chat to a member of staff; an address belongs to one person at a time. What had no way to her has one now.
///
/// # Errors
/// What the database says.
pub async fn bind_voice(tx: &mut Tx, staff: &str, voice: &str, address: &str, now: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "insert into voices (staff, voice, address, bound_at, place)
         values ($1, $2, $3, $4, (select coalesce(max(v.place), -1) + 1 from voices v where v.staff = $1))
         on conflict (voice, address) do update set staff = excluded.staff, bound_at = excluded.bound_at,
           failed_at = null, failed_why = null")
        .bind(staff).bind(voice).bind(address).bind(now).execute(c).await.map(|_| ()))?;
    undelivered_store::free(tx, staff).await
}

/// Lets a chat go.
///
/// # Errors
/// What the database says.
pub async fn unbind_voice(tx: &mut Tx, id: i64, staff: &str) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query("delete from voices where id = $1 and staff = $2")
        .bind(id).bind(staff).execute(c).await.map(|done| done.rows_affected() > 0))
}

/// Notes that a voice has failed for good. The address in `organisation.toml` has no row before it fails.
///
/// # Errors
/// What the database says.
pub async fn voice_failed(
    tx: &mut Tx,
    staff: &str,
    (voice, address): (&str, &str),
    why: &str,
    now: Time,
) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "insert into voices (staff, voice, address, bound_at, place, failed_at, failed_why)
         values ($1, $2, $3, $4, (select coalesce(max(v.place), -1) + 1 from voices v where v.staff = $1), $4, $5)
         on conflict (voice, address) do update set failed_at = excluded.failed_at, failed_why = excluded.failed_why")
        .bind(staff).bind(voice).bind(address).bind(now).bind(why).execute(c).await.map(|_| ()))
}

/// Notes that a chat has a new address.
///
/// # Errors
/// What the database says.
pub async fn voice_moved(tx: &mut Tx, voice: &str, from: &str, to: &str) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update voices set address = $3 where voice = $1 and address = $2")
        .bind(voice).bind(from).bind(to).execute(c).await.map(|_| ()))?;
    on!(tx, c => sqlx::query("update messages set address = $3 where voice = $1 and address = $2 and state = 'waiting'")
        .bind(voice).bind(from).bind(to).execute(c).await.map(|_| ()))
}

/// Writes down a one-time code by its hash.
///
/// # Errors
/// What the database says.
pub async fn put_code(tx: &mut Tx, hash: &str, staff: &str, voice: &str, expires_at: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("insert into bind_codes (code_hash, staff, voice, expires_at) values ($1, $2, $3, $4)")
        .bind(hash).bind(staff).bind(voice).bind(expires_at).execute(c).await.map(|_| ()))
}

/// Uses up a one-time code and says whose it is; nothing when it is unknown, used or too old.
///
/// # Errors
/// What the database says.
pub async fn use_code(tx: &mut Tx, hash: &str, voice: &str, now: Time) -> sqlx::Result<Option<String>> {
    on!(tx, c => sqlx::query_scalar(
        "update bind_codes set used_at = $3 where code_hash = $1 and voice = $2 and address is null and used_at is null
         and expires_at > $3
         returning staff")
        .bind(hash).bind(voice).bind(now).fetch_optional(c).await)
}

/// A message in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct MessageRow {
    /// Its number; also the key that makes it once where the voice knows keys.
    pub id: MessageId,
    /// Key of the member of staff.
    pub recipient: String,
    /// Slug of the voice.
    pub voice: String,
    /// Where the voice finds her.
    pub address: String,
    /// The message as JSON.
    pub body: String,
    /// `waiting`, `sending`, `sent` or `failed`.
    pub state: String,
    /// When it was written.
    pub created_at: Time,
    /// How often it was tried.
    pub attempts: i64,
    /// `reminder`, `notice` or `edit`.
    pub kind: String,
    /// The message that an `edit` changes.
    pub edits: Option<MessageId>,
}

/// What has been decided to say to people and is not yet in any message: `(reminder, case, recipient, stage)`.
///
/// # Errors
/// What the database says.
pub async fn unwritten(tx: &mut Tx, limit: i64) -> sqlx::Result<Vec<(i64, CaseId, String, String)>> {
    let sql = match tx.engine() {
        Engine::Sqlite => "select id, case_id, recipient, stage from reminders where message_id is null order by recipient, id limit $1",
        Engine::Postgres => {
            "select id, case_id, recipient, stage from reminders where message_id is null order by recipient, id limit $1
             for update skip locked"
        }
    };
    on!(tx, c => sqlx::query_as(sql).bind(limit).fetch_all(c).await)
}

/// Puts a message into the outbox, to be sent at `at`.
///
/// # Errors
/// What the database says.
pub async fn put_message(
    tx: &mut Tx,
    recipient: &str,
    voice: &str,
    address: &str,
    body: &str,
    now: Time,
    at: Time,
) -> sqlx::Result<MessageId> {
    on!(tx, c => sqlx::query_scalar(
        "insert into messages (recipient, voice, address, body, state, created_at, next_attempt_at)
         values ($1, $2, $3, $4, 'waiting', $5, $6) returning id")
        .bind(recipient).bind(voice).bind(address).bind(body).bind(now).bind(at).fetch_one(c).await)
}

/// Lets a message that nobody has begun to send say something else, and go at `at` when that is given.
///
/// # Errors
/// What the database says.
pub async fn rewrite(tx: &mut Tx, id: MessageId, body: &str, at: Option<Time>) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "update messages set body = $2, next_attempt_at = coalesce($3, next_attempt_at) where id = $1 and state = 'waiting'")
        .bind(id).bind(body).bind(at).execute(c).await.map(|_| ()))
}

/// Takes back a message that nobody has begun to send: what it would have said is no longer so.
///
/// # Errors
/// What the database says.
pub async fn withdraw(tx: &mut Tx, id: MessageId) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("delete from messages where id = $1 and state = 'waiting'")
        .bind(id).execute(c).await.map(|_| ()))
}

/// Lets a message carry these reminders; message 0 means that they stand in the inbox only.
///
/// # Errors
/// What the database says.
pub async fn carry(tx: &mut Tx, reminders: &[i64], message: MessageId) -> sqlx::Result<()> {
    let sql = sqlx::AssertSqlSafe(format!(
        "update reminders set message_id = $2 where id in {}",
        tx.engine().each_of_first()
    ));
    let reminders = listed(reminders.iter().copied());
    on!(tx, c => sqlx::query(sql).bind(&reminders).bind(message).execute(c).await.map(|_| ()))
}

/// The cases a message is about.
///
/// # Errors
/// What the database says.
pub async fn cases_of(tx: &mut Tx, message: MessageId) -> sqlx::Result<Vec<(CaseId, String)>> {
    on!(tx, c => sqlx::query_as("select case_id, stage from reminders where message_id = $1 order by id")
        .bind(message).fetch_all(c).await)
}

/// Takes due messages for sending until `until`, oldest first; a message whose sender died is taken again.
///
/// # Errors
/// What the database says.
pub async fn claim(tx: &mut Tx, now: Time, until: Time, limit: i64) -> sqlx::Result<Vec<MessageRow>> {
    let sql = match tx.engine() {
        Engine::Sqlite => {
            "update messages set state = 'sending', lease_until = $2, attempts = attempts + 1 where id in (
               select id from messages where (state = 'waiting' and next_attempt_at <= $1)
                 or (state = 'sending' and lease_until <= $1) order by id limit $3)
             returning id, recipient, voice, address, body, state, created_at, attempts, kind, edits"
        }
        Engine::Postgres => {
            "update messages set state = 'sending', lease_until = $2, attempts = attempts + 1 where id in (
               select id from messages where (state = 'waiting' and next_attempt_at <= $1)
                 or (state = 'sending' and lease_until <= $1) order by id limit $3 for update skip locked)
             returning id, recipient, voice, address, body, state, created_at, attempts, kind, edits"
        }
    };
    on!(tx, c => sqlx::query_as(sql).bind(now).bind(until).bind(limit).fetch_all(c).await)
}

/// When the next message is due, or the lease of a dead sender ends.
///
/// # Errors
/// What the database says.
pub async fn next_due(tx: &mut Tx) -> sqlx::Result<Option<Time>> {
    on!(tx, c => sqlx::query_scalar(
        "select min(case when state = 'waiting' then next_attempt_at else lease_until end) from messages
         where state = 'waiting' or state = 'sending'")
        .fetch_one(c).await)
}

/// Writes the receipt: it was said.
///
/// # Errors
/// What the database says.
pub async fn said(tx: &mut Tx, message: &MessageRow, external_id: &str, now: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update messages set state = 'sent', failure = null where id = $1")
        .bind(message.id).execute(c).await.map(|_| ()))?;
    on!(tx, c => sqlx::query("insert into receipts (message_id, external_id, sent_at, repeats) values ($1, $2, $3, $4)")
        .bind(message.id).bind(external_id).bind(now).bind((message.attempts - 1).max(0))
        .execute(c).await.map(|_| ()))
}

/// Puts a message back until `at`: it surely was not said. The attempt still counts for the back-off.
///
/// # Errors
/// What the database says.
pub async fn put_off(tx: &mut Tx, id: MessageId, at: Time, why: &str) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "update messages set state = 'waiting', next_attempt_at = $2, failure = $3, held_until = null where id = $1")
        .bind(id).bind(at).bind(why).execute(c).await.map(|_| ()))
}

/// Gives a message up: this voice will never take it. Its reminders are free for another voice.
///
/// # Errors
/// What the database says.
pub async fn give_up(tx: &mut Tx, id: MessageId, why: &str) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update messages set state = 'failed', failure = $2 where id = $1")
        .bind(id).bind(why).execute(c).await.map(|_| ()))?;
    on!(tx, c => sqlx::query("update reminders set message_id = null where message_id = $1")
        .bind(id).execute(c).await.map(|_| ()))
}

/// How many messages are in each state, and how many were perhaps said twice.
///
/// # Errors
/// What the database says.
pub async fn states(tx: &mut Tx) -> sqlx::Result<Vec<(String, i64)>> {
    on!(tx, c => sqlx::query_as("select state, count(*) from messages group by state").fetch_all(c).await)
}

/// A button as it was made.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ButtonRow {
    /// The case it is about.
    pub case_id: CaseId,
    /// For whom it was made.
    pub staff: String,
    /// Slug of what it does.
    pub act: String,
    /// How the case stood when it was made, as JSON.
    pub stood: String,
    /// When it was pressed.
    pub used_at: Option<Time>,
}

/// Makes a button.
///
/// # Errors
/// What the database says.
pub async fn put_button(
    tx: &mut Tx,
    nonce: &str,
    case: CaseId,
    staff: &str,
    act: &str,
    stood: &str,
    now: Time,
) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("insert into buttons (nonce, case_id, staff, act, stood, made_at) values ($1, $2, $3, $4, $5, $6)")
        .bind(nonce).bind(case).bind(staff).bind(act).bind(stood).bind(now).execute(c).await.map(|_| ()))
}

/// The button with that nonce.
///
/// # Errors
/// What the database says.
pub async fn button(tx: &mut Tx, nonce: &str) -> sqlx::Result<Option<ButtonRow>> {
    on!(tx, c => sqlx::query_as("select case_id, staff, act, stood, used_at from buttons where nonce = $1")
        .bind(nonce).fetch_optional(c).await)
}

/// Notes that a button was pressed; false when it was pressed before.
///
/// # Errors
/// What the database says.
pub async fn use_button(tx: &mut Tx, nonce: &str, now: Time) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query("update buttons set used_at = $2 where nonce = $1 and used_at is null")
        .bind(nonce).bind(now).execute(c).await.map(|done| done.rows_affected() > 0))
}

/// Where a listener stopped reading (Telegram's offset), kept in the lease row of that name.
///
/// # Errors
/// What the database says.
pub async fn listened_to(tx: &mut Tx, name: &str) -> sqlx::Result<Option<String>> {
    let state: Option<Option<String>> = on!(tx, c => sqlx::query_scalar("select state from leases where name = $1")
        .bind(name).fetch_optional(c).await)?;
    Ok(state.flatten())
}

/// Remembers where a listener stopped, in the transaction that did what it heard.
///
/// # Errors
/// What the database says.
pub async fn remember_listened(tx: &mut Tx, name: &str, state: &str) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update leases set state = $2 where name = $1")
        .bind(name).bind(state).execute(c).await.map(|_| ()))
}

/// Deletes messages that were sent or given up before `before`, with their receipts; returns how many.
///
/// # Errors
/// What the database says.
pub async fn purge_old(tx: &mut Tx, before: Time, limit: i64) -> sqlx::Result<u64> {
    let old =
        "select id from messages where state in ('sent', 'failed', 'void') and created_at < $1 order by id limit $2";
    let receipts = sqlx::AssertSqlSafe(format!("delete from receipts where message_id in ({old})"));
    on!(tx, c => sqlx::query(receipts).bind(before).bind(limit).execute(c).await.map(|_| ()))?;
    let messages = sqlx::AssertSqlSafe(format!("delete from messages where id in ({old})"));
    on!(tx, c => sqlx::query(messages).bind(before).bind(limit).execute(c).await.map(|done| done.rows_affected()))
}

/// When the message before the `n` latest ones to a person is or was to be sent.
///
/// # Errors
/// What the database says.
pub async fn nth_last_message_at(tx: &mut Tx, recipient: &str, n: i64) -> sqlx::Result<Option<Time>> {
    on!(tx, c => sqlx::query_scalar(
        "select next_attempt_at from messages where recipient = $1 and kind = 'reminder'
         order by next_attempt_at desc limit 1 offset $2")
        .bind(recipient).bind(n).fetch_optional(c).await)
}

/// How many open cases a message is about, and when the first of them is due. What is to be followed up after an answer
/// counts as open until it has been.
///
/// # Errors
/// What the database says.
pub async fn extent(tx: &mut Tx, message: MessageId) -> sqlx::Result<(i64, Option<Time>)> {
    on!(tx, c => sqlx::query_as(
        "select count(distinct k.id), min(case when r.stage like 'follow-%' then r.due_at else k.due_at end)
         from reminders r join cases k on k.id = r.case_id
         where r.message_id = $1 and (k.closed_at is null or r.stage like 'follow-%')")
        .bind(message).fetch_one(c).await)
}

/// Notes that an address said a wrong code.
///
/// # Errors
/// What the database says.
pub async fn put_try(tx: &mut Tx, subject: &str, now: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("insert into sign_in_attempts (subject, at) values ($1, $2)")
        .bind(subject).bind(now).execute(c).await.map(|_| ()))
}

/// How many wrong codes an address has said since `since`.
///
/// # Errors
/// What the database says.
pub async fn tries(tx: &mut Tx, subject: &str, since: Time) -> sqlx::Result<i64> {
    on!(tx, c => sqlx::query_scalar("select count(*) from sign_in_attempts where subject = $1 and at > $2")
        .bind(subject).bind(since).fetch_one(c).await)
}

/// The case that a person was last told about.
///
/// # Errors
/// What the database says.
pub async fn latest_case_of(tx: &mut Tx, staff: &str) -> sqlx::Result<Option<CaseId>> {
    on!(tx, c => sqlx::query_scalar(
        "select r.case_id from reminders r join messages m on m.id = r.message_id
         where r.recipient = $1 and m.state = 'sent' order by r.id desc limit 1")
        .bind(staff).fetch_optional(c).await)
}

/// The program's own secret, made at the first start and shared by every process on this database: keys the hashes of
/// one-time codes and the signatures of links when the configuration names no key of its own.
///
/// # Errors
/// What the database says.
pub async fn own_secret(tx: &mut Tx, fresh: &str) -> sqlx::Result<String> {
    on!(tx, c => sqlx::query(
        "insert into leases (name, holder, until, state) values ('secret', 'lyhord', 0, $1) on conflict (name) do nothing")
        .bind(fresh).execute(c).await.map(|_| ()))?;
    on!(tx, c => sqlx::query_scalar("select state from leases where name = 'secret'").fetch_one(c).await)
}

/// Lets every message go that somebody was sending: she is dead. Only where one process works (`SQLite`).
///
/// # Errors
/// What the database says.
pub async fn let_go(tx: &mut Tx) -> sqlx::Result<u64> {
    on!(tx, c => sqlx::query("update messages set lease_until = 0 where state = 'sending'")
        .execute(c).await.map(|done| done.rows_affected()))
}
