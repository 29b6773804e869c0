//! All SQL behind the figures. No statement groups or filters by a person.

use std::collections::BTreeMap;

use super::kpi::Observation;
use crate::clock::Time;
use crate::db::Tx;
use crate::mention::store::Text;
use crate::on;

/// Cases read for one report at most: a large municipality's year; beyond it the latest are taken and the page says so.
pub const OBSERVATIONS_MAX: i64 = 50_000;

#[derive(Debug, sqlx::FromRow)]
struct Read {
    unit: String,
    channel: String,
    topic: String,
    arrived_at: Time,
    first_answer_at: Option<Time>,
    closed_at: Option<Time>,
    outcome: Option<String>,
    reopened_at: Option<Time>,
    due_at: Option<Time>,
    due_from_arrival_at: Option<Time>,
    found_late: bool,
    calendar: Option<String>,
}

/// What the figures cover.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Cases opened from here.
    pub from: Time,
    /// Up to, not with, here.
    pub until: Time,
}

/// Cases that wanted an answer, as the figures see them: not imported ones, and not what turned out to be no matter of
/// ours, advertising or a copy. Credit goes to the unit that answered first.
///
/// # Errors
/// What the database says.
pub async fn observations(tx: &mut Tx, scope: &Scope, now: Time) -> sqlx::Result<Vec<Observation>> {
    let rows: Vec<Read> = on!(tx, c => sqlx::query_as(
        "select coalesce((select r.unit from responses r where r.case_id = c.id and r.kind <> 'question' order by r.answered_at, r.id limit 1),
             c.unit) as unit,
           c.channel, c.topic, c.arrived_at, c.first_answer_at, c.closed_at, c.outcome, c.calendar,
           c.discovered_late as found_late,
           coalesce((select e.due_at from promise_events e where e.case_id = c.id and e.promise = 'first-response'
             and e.due_at is not null order by e.id desc limit 1), c.due_at) as due_at,
           (select e.from_arrival_at from promise_events e where e.case_id = c.id and e.promise = 'first-response'
             and e.what = 'activate' order by e.id desc limit 1) as due_from_arrival_at,
           (select max(j.at) from journal j where j.case_id = c.id and j.kind = 'case.reopened') as reopened_at
         from cases c
         where c.opened_at >= $1 and c.opened_at < $2 and not c.imported and c.unit is not null
           and c.intent in ('fraga', 'felanmalan', 'klagomal', 'synpunkt-forslag', 'media', 'begaran-handling')
           and (c.outcome is null or c.outcome not in ('not-about-us', 'spam', 'duplicate'))
         order by c.opened_at desc limit $3")
        .bind(scope.from).bind(scope.until).bind(OBSERVATIONS_MAX).fetch_all(c).await)?;
    Ok(rows.into_iter().map(|row| observation(row, now)).collect())
}

/// Closed because it was answered in the thread counts as answered when it was closed. A case that was closed without
/// an answer and opened again is measured from the opening; one that had been answered keeps its first answer.
fn observation(row: Read, now: Time) -> Observation {
    let in_thread = row.outcome.as_deref() == Some("answered-in-thread");
    let answer = row.first_answer_at.or(row.closed_at.filter(|_| in_thread));
    let anew = row.reopened_at.filter(|reopened| answer.is_none_or(|answer| answer > *reopened));
    Observation {
        unit: row.unit,
        channel: row.channel,
        topic: row.topic,
        started_at: anew.unwrap_or(row.arrived_at),
        until: answer.or(row.closed_at).unwrap_or(now),
        answered: answer.is_some(),
        due_at: row.due_at,
        due_from_arrival_at: row.due_from_arrival_at,
        found_late: row.found_late,
        calendar: row.calendar,
    }
}

/// When the oldest case was opened, so that a page offers no empty years.
///
/// # Errors
/// What the database says.
pub async fn first_opened(tx: &mut Tx) -> sqlx::Result<Option<Time>> {
    on!(tx, c => sqlx::query_scalar("select min(opened_at) from cases").fetch_one(c).await)
}

/// How many posts were seen and how many were kept since a day, all sources together: for the public page.
///
/// # Errors
/// What the database says.
pub async fn kept_and_cases(tx: &mut Tx, since: Time) -> sqlx::Result<(i64, i64)> {
    let mentions = on!(tx, c => sqlx::query_scalar(
        "select count(*) from cases c join case_mentions m on m.case_id = c.id where c.opened_at >= $1")
        .bind(since).fetch_one(c).await)?;
    let cases = on!(tx, c => sqlx::query_scalar("select count(*) from cases where opened_at >= $1")
        .bind(since).fetch_one(c).await)?;
    Ok((mentions, cases))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn read() -> Read {
        Read {
            unit: "va".into(),
            channel: "rss".into(),
            topic: "va".into(),
            arrived_at: Time(0),
            first_answer_at: None,
            closed_at: None,
            outcome: None,
            reopened_at: None,
            due_at: None,
            due_from_arrival_at: None,
            found_late: false,
            calendar: None,
        }
    }

    fn minutes(row: Read) -> (i64, bool) {
        let seen = observation(row, Time(9_000 * MINUTE));
        ((seen.until.0 - seen.started_at.0) / MINUTE, seen.answered)
    }

    #[test]
    fn an_answer_ten_minutes_after_reopening_took_ten_minutes_and_not_five_days() {
        let (reopened, answered) = (Some(Time(7_260 * MINUTE)), Some(Time(7_270 * MINUTE)));
        assert_eq!(minutes(Read { reopened_at: reopened, first_answer_at: answered, ..read() }), (10, true));
    }

    #[test]
    fn one_that_was_answered_before_it_was_reopened_keeps_its_first_answer() {
        let row = Read { first_answer_at: Some(Time(30 * MINUTE)), reopened_at: Some(Time(500 * MINUTE)), ..read() };
        assert_eq!(minutes(row), (30, true));
    }

    #[test]
    fn an_open_case_has_lasted_until_now_and_a_dismissed_one_until_it_was_closed() {
        assert_eq!(minutes(read()), (9_000, false));
        let dismissed = Read { closed_at: Some(Time(60 * MINUTE)), outcome: Some("withdrawn".into()), ..read() };
        assert_eq!(minutes(dismissed), (60, false));
        let in_thread =
            Read { closed_at: Some(Time(60 * MINUTE)), outcome: Some("answered-in-thread".into()), ..read() };
        assert_eq!(minutes(in_thread), (60, true));
    }
}

/// A post of which people have said whether it is about us.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Told {
    /// The post.
    #[sqlx(flatten)]
    pub text: Text,
    /// What they said.
    pub about_us: bool,
}

macro_rules! told {
    ($label:literal, $from:literal) => {
        concat!(
            "select m.id, m.title, m.body, m.channel, s.key as source, m.language, m.site, m.kind, true as veiled, ",
            $label,
            " as about_us from ",
            $from,
            " join mentions m on m.id = told.mention_id join sources s on s.id = m.source_id where m.body <> ''"
        )
    };
}

/// The latest posts of which people have said whether they are about us: by a correction, or else by how their case was
/// closed (answered or referred is yes; dismissed as not about us is no). At most `limit` of each.
///
/// # Errors
/// What the database says.
pub async fn told_about_us(tx: &mut Tx, limit: i64) -> sqlx::Result<Vec<Told>> {
    let closed = told!(
        "(told.outcome is null or told.outcome <> 'not-about-us')",
        "(select mention_id, outcome from cases where closed_at is not null
           and (state in ('answered', 'referred') or outcome = 'not-about-us') order by closed_at desc limit $1) told"
    );
    let corrected = told!(
        "(told.became = 'yes')",
        "(select mention_id, became from corrections where id in (
           select max(id) from corrections where question = 'relevance' group by mention_id order by max(id) desc limit $1)) told"
    );
    let closed: Vec<Told> = on!(tx, c => sqlx::query_as(closed).bind(limit).fetch_all(c).await)?;
    let corrected: Vec<Told> = on!(tx, c => sqlx::query_as(corrected).bind(limit).fetch_all(c).await)?;
    let all = closed.into_iter().chain(corrected).map(|told| (told.text.id, told));
    Ok(all.collect::<BTreeMap<_, _>>().into_values().collect())
}
