//! All SQL about the desk: who has room, what has been offered to whom, absences that begin, and absence feeds.

use crate::clock::Time;
use crate::db::{Engine, Tx};
use crate::id::CaseId;
use crate::on;

/// Notes that somebody in a unit has less to do, when something waits in that unit's queue.
///
/// # Errors
/// What the database says.
pub async fn make_room(tx: &mut Tx, unit: &str, now: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "insert into rooms (unit, at) select $1, $2
         where exists (select 1 from cases where unit = $1 and queued_at is not null)
         on conflict (unit) do update set at = excluded.at")
        .bind(unit).bind(now).execute(c).await.map(|_| ()))
}

/// When somebody first had room that no queue has been asked about; nothing when all have.
///
/// # Errors
/// What the database says.
pub async fn next_room(tx: &mut Tx) -> sqlx::Result<Option<Time>> {
    on!(tx, c => sqlx::query_scalar("select min(at) from rooms").fetch_one(c).await)
}

/// Forgets who has room, since the queues are asked now.
///
/// # Errors
/// What the database says.
pub async fn take_rooms(tx: &mut Tx) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("delete from rooms").execute(c).await.map(|_| ()))
}

/// When the next absence begins that nobody has seen begin.
///
/// # Errors
/// What the database says.
pub async fn next_absence(tx: &mut Tx) -> sqlx::Result<Option<Time>> {
    on!(tx, c => sqlx::query_scalar(
        "select min(starts_at) from absences where begun_at is null and ended_at is null").fetch_one(c).await)
}

/// Absences that have begun and that nobody has seen begin: `(id, staff)`, oldest first.
///
/// # Errors
/// What the database says.
pub async fn beginning(tx: &mut Tx, now: Time, limit: i64) -> sqlx::Result<Vec<(i64, String)>> {
    let sql = match tx.engine() {
        Engine::Sqlite => {
            "select id, staff from absences where begun_at is null and ended_at is null and starts_at <= $1
             order by starts_at, id limit $2"
        }
        Engine::Postgres => {
            "select id, staff from absences where begun_at is null and ended_at is null and starts_at <= $1
             order by starts_at, id limit $2 for update skip locked"
        }
    };
    on!(tx, c => sqlx::query_as(sql).bind(now).bind(limit).fetch_all(c).await)
}

/// Notes that an absence has been seen to begin.
///
/// # Errors
/// What the database says.
pub async fn begun(tx: &mut Tx, id: i64, now: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update absences set begun_at = $2 where id = $1")
        .bind(id).bind(now).execute(c).await.map(|_| ()))
}

/// An offer to take over a case.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct OfferRow {
    /// Its number.
    pub id: i64,
    /// Which case.
    pub case_id: CaseId,
    /// Key of who has it until somebody says yes.
    pub from_staff: String,
    /// Key of whom it is offered to.
    pub to_staff: Option<String>,
    /// Key of the unit it is offered to, any of whom may take it.
    pub to_unit: Option<String>,
    /// What the one who offers wants to say.
    pub note: String,
    /// When it was offered.
    pub offered_at: Time,
    /// Until when it can be answered.
    pub ends_at: Time,
    /// Who has to be told of it: `receiver`, or `owner` once it came to nothing.
    pub tell: String,
    /// When it came to something.
    pub settled_at: Option<Time>,
    /// What it came to, in Swedish.
    pub because: Option<String>,
}

macro_rules! offer_columns {
    () => {
        "id, case_id, from_staff, to_staff, to_unit, note, offered_at, ends_at, tell, settled_at, because"
    };
}

/// An offer about to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewOffer<'a> {
    /// Which case.
    pub case: CaseId,
    /// Key of who has it.
    pub from: &'a str,
    /// To one person …
    pub to_staff: Option<&'a str>,
    /// … or to a unit.
    pub to_unit: Option<&'a str>,
    /// What the one who offers wants to say.
    pub note: &'a str,
    /// Until when it can be answered.
    pub ends_at: Time,
}

/// Writes down an offer; nothing when the case has an open one.
///
/// # Errors
/// What the database says.
pub async fn put_offer(tx: &mut Tx, new: &NewOffer<'_>, now: Time) -> sqlx::Result<Option<i64>> {
    on!(tx, c => sqlx::query_scalar(
        "insert into offers (case_id, from_staff, to_staff, to_unit, note, offered_at, ends_at, tell_at)
         values ($1, $2, $3, $4, $5, $6, $7, $6) on conflict do nothing returning id")
        .bind(new.case).bind(new.from).bind(new.to_staff).bind(new.to_unit).bind(new.note).bind(now).bind(new.ends_at)
        .fetch_optional(c).await)
}

/// The open offer of a case.
///
/// # Errors
/// What the database says.
pub async fn open_offer(tx: &mut Tx, case: CaseId) -> sqlx::Result<Option<OfferRow>> {
    on!(tx, c => sqlx::query_as(concat!(
        "select ", offer_columns!(), " from offers where case_id = $1 and settled_at is null"))
        .bind(case).fetch_optional(c).await)
}

/// Open offers to one of the staff, or to her unit, oldest first.
///
/// # Errors
/// What the database says.
pub async fn offers_to(tx: &mut Tx, staff: &str, unit: &str, limit: i64) -> sqlx::Result<Vec<OfferRow>> {
    on!(tx, c => sqlx::query_as(concat!(
        "select ", offer_columns!(), " from offers where settled_at is null and (to_staff = $1 or to_unit = $2)
         and from_staff <> $1 order by ends_at, id limit $3"))
        .bind(staff).bind(unit).bind(limit).fetch_all(c).await)
}

/// The latest offer of a case that came to something, for the owner to read.
///
/// # Errors
/// What the database says.
pub async fn last_offer(tx: &mut Tx, case: CaseId) -> sqlx::Result<Option<OfferRow>> {
    on!(tx, c => sqlx::query_as(concat!(
        "select ", offer_columns!(), " from offers where case_id = $1 and settled_at is not null
         order by id desc limit 1"))
        .bind(case).fetch_optional(c).await)
}

/// Notes what an offer came to; the owner is told when she keeps the case.
///
/// # Errors
/// What the database says.
pub async fn settle_offer(
    tx: &mut Tx,
    id: i64,
    by: &str,
    outcome: &str,
    because: &str,
    tell_owner: bool,
    now: Time,
) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query(
        "update offers set settled_at = $5, settled_by = $2, outcome = $3, because = $4, tell = 'owner',
           tell_at = case when $6 then $5 else null end
         where id = $1 and settled_at is null")
        .bind(id).bind(by).bind(outcome).bind(because).bind(now).bind(tell_owner)
        .execute(c).await.map(|done| done.rows_affected() > 0))
}

/// Ends the open offer of a case that has gone another way.
///
/// # Errors
/// What the database says.
pub async fn overtake_offer(tx: &mut Tx, case: CaseId, by: &str, now: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "update offers set settled_at = $3, settled_by = $2, outcome = 'overtaken', tell_at = null
         where case_id = $1 and settled_at is null")
        .bind(case).bind(by).bind(now).execute(c).await.map(|_| ()))
}

/// Offers that nobody has answered in time, oldest first.
///
/// # Errors
/// What the database says.
pub async fn unanswered_offers(tx: &mut Tx, now: Time, limit: i64) -> sqlx::Result<Vec<OfferRow>> {
    on!(tx, c => sqlx::query_as(concat!(
        "select ", offer_columns!(), " from offers where settled_at is null and ends_at <= $1 order by ends_at limit $2"))
        .bind(now).bind(limit).fetch_all(c).await)
}

/// Offers of which somebody has to be told by now, oldest first.
///
/// # Errors
/// What the database says.
pub async fn offers_to_tell(tx: &mut Tx, now: Time, limit: i64) -> sqlx::Result<Vec<OfferRow>> {
    on!(tx, c => sqlx::query_as(concat!(
        "select ", offer_columns!(), " from offers where tell_at <= $1 order by tell_at, id limit $2"))
        .bind(now).bind(limit).fetch_all(c).await)
}

/// Notes when somebody is to be told of an offer next; nothing when she has been.
///
/// # Errors
/// What the database says.
pub async fn tell_offer_at(tx: &mut Tx, id: i64, at: Option<Time>) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update offers set tell_at = $2 where id = $1").bind(id).bind(at)
        .execute(c).await.map(|_| ()))
}

/// When somebody is next to be told of an offer.
///
/// # Errors
/// What the database says.
pub async fn next_offer_to_tell(tx: &mut Tx) -> sqlx::Result<Option<Time>> {
    on!(tx, c => sqlx::query_scalar("select min(tell_at) from offers where tell_at is not null").fetch_one(c).await)
}

/// When the next offer has been open for as long as it may.
///
/// # Errors
/// What the database says.
pub async fn next_offer_end(tx: &mut Tx) -> sqlx::Result<Option<Time>> {
    on!(tx, c => sqlx::query_scalar("select min(ends_at) from offers where settled_at is null").fetch_one(c).await)
}

/// How the reading of somebody's absence feed stands. Its address is nowhere here.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct FeedRow {
    /// Whose absences.
    pub staff: String,
    /// When it is read next.
    pub next_poll_at: Time,
    /// `ETag` of the copy we have.
    pub etag: Option<String>,
    /// `Last-Modified` of the copy we have.
    pub last_modified: Option<String>,
    /// Readings in a row that gave nothing.
    pub failures: i64,
    /// When it last gave something.
    pub last_ok_at: Option<Time>,
    /// Why the last reading gave nothing, in Swedish.
    pub why: String,
}

/// Makes the database know the feeds of the configuration, by the hash of their addresses: a changed address is read
/// at once and from the beginning, one that is gone is forgotten.
///
/// # Errors
/// What the database says.
pub async fn know_feeds(tx: &mut Tx, feeds: &[(String, String)], now: Time) -> sqlx::Result<()> {
    for (staff, hash) in feeds {
        on!(tx, c => sqlx::query(
            "insert into absence_feeds (staff, address_hash, next_poll_at) values ($1, $2, $3)
             on conflict (staff) do update set address_hash = excluded.address_hash, etag = null, last_modified = null,
               failures = 0, next_poll_at = excluded.next_poll_at
             where absence_feeds.address_hash <> excluded.address_hash")
            .bind(staff).bind(hash).bind(now).execute(c).await.map(|_| ()))?;
    }
    let known: Vec<String> = on!(tx, c => sqlx::query_scalar("select staff from absence_feeds").fetch_all(c).await)?;
    for staff in known.iter().filter(|known| !feeds.iter().any(|(staff, _)| staff == *known)) {
        on!(tx, c => sqlx::query("delete from absence_feeds where staff = $1").bind(staff)
            .execute(c).await.map(|_| ()))?;
    }
    Ok(())
}

/// When the next feed is to be read.
///
/// # Errors
/// What the database says.
pub async fn next_feed(tx: &mut Tx) -> sqlx::Result<Option<Time>> {
    on!(tx, c => sqlx::query_scalar("select min(next_poll_at) from absence_feeds").fetch_one(c).await)
}

/// Takes feeds that are due for reading until `until`, longest waiting first; another reader gets others.
///
/// # Errors
/// What the database says.
pub async fn claim_feeds(tx: &mut Tx, now: Time, until: Time, limit: i64) -> sqlx::Result<Vec<FeedRow>> {
    let sql = match tx.engine() {
        Engine::Sqlite => {
            "update absence_feeds set next_poll_at = $2, last_try_at = $1 where staff in (
               select staff from absence_feeds where next_poll_at <= $1 order by next_poll_at limit $3)
             returning staff, next_poll_at, etag, last_modified, failures, last_ok_at, why"
        }
        Engine::Postgres => {
            "update absence_feeds set next_poll_at = $2, last_try_at = $1 where staff in (
               select staff from absence_feeds where next_poll_at <= $1 order by next_poll_at limit $3
               for update skip locked)
             returning staff, next_poll_at, etag, last_modified, failures, last_ok_at, why"
        }
    };
    on!(tx, c => sqlx::query_as(sql).bind(now).bind(until).bind(limit).fetch_all(c).await)
}

/// Notes what a reading of a feed came to.
///
/// # Errors
/// What the database says.
pub async fn feed_read(tx: &mut Tx, row: &FeedRow) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query(
        "update absence_feeds set next_poll_at = $2, etag = $3, last_modified = $4, failures = $5, last_ok_at = $6, why = $7
         where staff = $1")
        .bind(&row.staff).bind(row.next_poll_at).bind(&row.etag).bind(&row.last_modified).bind(row.failures)
        .bind(row.last_ok_at).bind(&row.why).execute(c).await.map(|_| ()))
}

/// All feeds, by staff: for the page.
///
/// # Errors
/// What the database says.
pub async fn feeds(tx: &mut Tx) -> sqlx::Result<Vec<FeedRow>> {
    on!(tx, c => sqlx::query_as(
        "select staff, next_poll_at, etag, last_modified, failures, last_ok_at, why from absence_feeds order by staff")
        .fetch_all(c).await)
}

/// Absences that somebody's feed has told and that are not over: `(id, from, until)`.
///
/// # Errors
/// What the database says.
pub async fn told_by_feed(tx: &mut Tx, staff: &str, now: Time) -> sqlx::Result<Vec<(i64, Time, Time)>> {
    on!(tx, c => sqlx::query_as(
        "select id, starts_at, ends_at from absences
         where staff = $1 and told = 'feed' and ended_at is null and ends_at > $2 order by starts_at")
        .bind(staff).bind(now).fetch_all(c).await)
}

/// Writes down an absence that a feed tells.
///
/// # Errors
/// What the database says.
pub async fn put_told(tx: &mut Tx, staff: &str, from: Time, until: Time) -> sqlx::Result<i64> {
    on!(tx, c => sqlx::query_scalar(
        "insert into absences (staff, starts_at, ends_at, told) values ($1, $2, $3, 'feed') returning id")
        .bind(staff).bind(from).bind(until).fetch_one(c).await)
}

/// Lets an absence that a feed told last until another moment.
///
/// # Errors
/// What the database says.
pub async fn last_until(tx: &mut Tx, id: i64, until: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update absences set ends_at = $2 where id = $1").bind(id).bind(until)
        .execute(c).await.map(|_| ()))
}

/// A step of a checklist that has been done.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StepRow {
    /// The step's own words, or the slug of a threat's step.
    pub step: String,
    /// What was written about it.
    pub note: String,
    /// Key of who did it.
    pub done_by: String,
    /// When.
    pub done_at: Time,
}

/// Notes that a step has been done; false when it had been.
///
/// # Errors
/// What the database says.
pub async fn put_step(tx: &mut Tx, case: CaseId, step: &str, note: &str, by: &str, now: Time) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query(
        "insert into steps (case_id, step, note, done_by, done_at) values ($1, $2, $3, $4, $5) on conflict do nothing")
        .bind(case).bind(step).bind(note).bind(by).bind(now).execute(c).await.map(|done| done.rows_affected() > 0))
}

/// Takes a step back; false when it had not been done.
///
/// # Errors
/// What the database says.
pub async fn undo_step(tx: &mut Tx, case: CaseId, step: &str) -> sqlx::Result<bool> {
    on!(tx, c => sqlx::query("delete from steps where case_id = $1 and step = $2")
        .bind(case).bind(step).execute(c).await.map(|done| done.rows_affected() > 0))
}

/// The steps of a case that have been done, oldest first.
///
/// # Errors
/// What the database says.
pub async fn steps(tx: &mut Tx, case: CaseId) -> sqlx::Result<Vec<StepRow>> {
    on!(tx, c => sqlx::query_as("select step, note, done_by, done_at from steps where case_id = $1 order by done_at, step")
        .bind(case).fetch_all(c).await)
}

/// Makes the database know who has a weekly summary and when it comes next; a time that is known stays.
///
/// # Errors
/// What the database says.
pub async fn know_weeklies(tx: &mut Tx, weeklies: &[(String, Time)]) -> sqlx::Result<()> {
    for (staff, next_at) in weeklies {
        on!(tx, c => sqlx::query("insert into weeklies (staff, next_at) values ($1, $2) on conflict (staff) do nothing")
            .bind(staff).bind(next_at).execute(c).await.map(|_| ()))?;
    }
    let known: Vec<String> = on!(tx, c => sqlx::query_scalar("select staff from weeklies").fetch_all(c).await)?;
    for staff in known.iter().filter(|known| !weeklies.iter().any(|(staff, _)| staff == *known)) {
        on!(tx, c => sqlx::query("delete from weeklies where staff = $1").bind(staff).execute(c).await.map(|_| ()))?;
    }
    Ok(())
}

/// When the next weekly summary comes.
///
/// # Errors
/// What the database says.
pub async fn next_weekly(tx: &mut Tx) -> sqlx::Result<Option<Time>> {
    on!(tx, c => sqlx::query_scalar("select min(next_at) from weeklies").fetch_one(c).await)
}

/// Those whose weekly summary is due, by when.
///
/// # Errors
/// What the database says.
pub async fn weeklies_due(tx: &mut Tx, now: Time, limit: i64) -> sqlx::Result<Vec<(String, Time)>> {
    let sql = match tx.engine() {
        Engine::Sqlite => "select staff, next_at from weeklies where next_at <= $1 order by next_at, staff limit $2",
        Engine::Postgres => {
            "select staff, next_at from weeklies where next_at <= $1 order by next_at, staff limit $2
             for update skip locked"
        }
    };
    on!(tx, c => sqlx::query_as(sql).bind(now).bind(limit).fetch_all(c).await)
}

/// Notes when somebody's weekly summary comes next.
///
/// # Errors
/// What the database says.
pub async fn weekly_next(tx: &mut Tx, staff: &str, next_at: Time) -> sqlx::Result<()> {
    on!(tx, c => sqlx::query("update weeklies set next_at = $2 where staff = $1").bind(staff).bind(next_at)
        .execute(c).await.map(|_| ()))
}
