//! All SQL about offers: to whom a case has been offered, what it came to, and who is to be told.

use crate::clock::Time;
use crate::db::Tx;
use crate::id::CaseId;
use crate::on;

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
