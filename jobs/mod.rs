//! The movement: one file a job, named by its verb. This file is the timetable.
//!
//! A job finds its work by reading facts, in bounded batches, and each step of the river enqueues the next in the
//! transaction that wrote its fact. Nothing is promised to a future job: [`timetable`] asks the database what is due
//! next, sleeps until then, and is woken by whoever writes something that is due sooner.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;

use crate::app::App;
use crate::assignment::{self, absence_feed_store, desk_store, offer_store};
use crate::clock::Time;
use crate::db::Tx;
use crate::id::SourceId;
use crate::queue::{self, Lane, Work};
use crate::{case, chat, source};

pub mod accept_deliveries;
pub mod answer_staff;
pub mod assign_cases;
pub mod check_accounts;
pub mod classify_mentions;
pub mod deliver_messages;
pub mod edit_messages;
pub mod hear_mailbox;
pub mod hear_server;
pub mod hear_staff;
pub mod hear_stream;
pub mod keep_hours;
pub mod keep_posts;
pub mod keep_promises;
pub mod keep_tips;
pub mod open_cases;
pub mod poll_source;
pub mod purge;
pub mod read_absences;
pub mod refit_judge;
pub mod release_cases;
pub mod remind_staff;
mod stream_gone;
mod stream_marks;
mod stream_notes;
pub mod sum_up_weeks;
pub mod sweep;
pub mod take_deliveries;
pub mod tell_follow_ups;
pub mod tell_of_voices;
pub mod turn;
pub mod turn_health;
pub mod warn_keepers;
pub mod watch_over;
pub mod watch_rushes;
pub mod write_messages;

/// The bell that says: something may be due sooner than you think.
pub const TIMETABLE_BELL: &str = "timetable";
/// The bell that says: a page may show something new.
pub const WEB_BELL: &str = "web";

/// How many rows one piece of work moves: large enough that the queue's own cost vanishes, small enough that a
/// transaction stays short.
pub const BATCH: i64 = 250;
/// How many sources are put into the queue at a time.
const SOURCES_AT_A_TIME: i64 = 100;
/// The timetable looks at least this often (real time), in case a bell was lost.
const LONGEST_SLEEP: Duration = Duration::from_secs(15);
/// And at most this often, so that a row that stays due does not spin.
const SHORTEST_SLEEP: Duration = Duration::from_millis(200);
/// How often (told time) facts that no job took are looked for, and old rows are cleaned away.
const SWEEP_EVERY: Duration = Duration::from_mins(1);
/// How often (told time) what may be purged is purged.
const PURGE_EVERY: Duration = Duration::from_hours(24);
/// How often (told time) our own accounts are tried.
const ACCOUNTS_EVERY: Duration = Duration::from_hours(24);

/// Every job, by the name in its queue row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// Reads one source and keeps what is about us.
    PollSource(SourceId),
    /// Takes on what was handed in at web hooks.
    TakeDeliveries,
    /// Lets what colleagues have pasted become mentions.
    KeepTips,
    /// Judges mentions that nobody has judged.
    ClassifyMentions,
    /// Opens or joins cases for judged mentions.
    OpenCases,
    /// Gives new cases an owner and a promise.
    AssignCases,
    /// Writes breaches, and ends waits and offers that have lasted long enough.
    KeepPromises,
    /// Gives the cases of somebody whose absence begins to others.
    ReleaseCases,
    /// Reads the feeds that say who is away.
    ReadAbsences,
    /// Writes the weekly summary of those who lead.
    SumUpWeeks,
    /// Decides who is told what now, and writes it into the outbox.
    RemindStaff,
    /// Lets earlier messages say how it is now.
    EditMessages,
    /// Sends what the outbox holds.
    DeliverMessages,
    /// Finds facts that no job took; cleans the queue.
    Sweep,
    /// Purges what a decision says may be purged.
    Purge,
    /// Tells those who keep the system that a source has turned blind, dead or too quiet.
    WarnKeepers,
    /// Tries each of our own accounts, so that one that no longer lets us in is known.
    CheckAccounts,
    /// Lets the judge learn from what staff have corrected.
    RefitJudge,
}

impl Job {
    fn work(self) -> Work {
        let (job, id, lane) = match self {
            Self::PollSource(id) => ("poll_source", Some(id.0), Lane::Listen),
            Self::TakeDeliveries => ("take_deliveries", None, Lane::River),
            Self::KeepTips => ("keep_tips", None, Lane::River),
            Self::ClassifyMentions => ("classify_mentions", None, Lane::River),
            Self::OpenCases => ("open_cases", None, Lane::River),
            Self::AssignCases => ("assign_cases", None, Lane::River),
            Self::KeepPromises => ("keep_promises", None, Lane::River),
            Self::ReleaseCases => ("release_cases", None, Lane::River),
            Self::ReadAbsences => ("read_absences", None, Lane::Listen),
            Self::SumUpWeeks => ("sum_up_weeks", None, Lane::River),
            Self::RemindStaff => ("remind_staff", None, Lane::River),
            Self::EditMessages => ("edit_messages", None, Lane::River),
            Self::DeliverMessages => ("deliver_messages", None, Lane::Speak),
            Self::Sweep => ("sweep", None, Lane::River),
            Self::Purge => ("purge", None, Lane::River),
            Self::WarnKeepers => ("warn_keepers", None, Lane::River),
            Self::CheckAccounts => ("check_accounts", None, Lane::Listen),
            // It thinks for seconds, and the river must not wait for it.
            Self::RefitJudge => ("refit_judge", None, Lane::Listen),
        };
        Work { job: job.to_owned(), id, lane }
    }

    fn of(work: &Work) -> Option<Self> {
        Some(match (work.job.as_str(), work.id) {
            ("poll_source", Some(id)) => Self::PollSource(SourceId(id)),
            ("take_deliveries", _) => Self::TakeDeliveries,
            ("keep_tips", _) => Self::KeepTips,
            ("classify_mentions", _) => Self::ClassifyMentions,
            ("open_cases", _) => Self::OpenCases,
            ("assign_cases", _) => Self::AssignCases,
            ("keep_promises", _) => Self::KeepPromises,
            ("release_cases", _) => Self::ReleaseCases,
            ("read_absences", _) => Self::ReadAbsences,
            ("sum_up_weeks", _) => Self::SumUpWeeks,
            ("remind_staff", _) => Self::RemindStaff,
            ("edit_messages", _) => Self::EditMessages,
            ("deliver_messages", _) => Self::DeliverMessages,
            ("sweep", _) => Self::Sweep,
            ("purge", _) => Self::Purge,
            ("warn_keepers", _) => Self::WarnKeepers,
            ("check_accounts", _) => Self::CheckAccounts,
            ("refit_judge", _) => Self::RefitJudge,
            _ => return None,
        })
    }

    /// Puts the job into the queue in the transaction that writes its fact.
    ///
    /// # Errors
    /// What the database says.
    pub async fn enqueue(self, tx: &mut Tx, now: Time) -> sqlx::Result<()> {
        queue::enqueue(tx, &self.work(), None, now).await.map(|_| ())
    }

    /// The same, once for a key, however many processes say it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn enqueue_once(self, tx: &mut Tx, key: &str, now: Time) -> sqlx::Result<bool> {
        queue::enqueue(tx, &self.work(), Some(key), now).await
    }

    /// Does the job. `now` is read once here and handed down.
    ///
    /// # Errors
    /// What the job says; [`queue::Never`] when trying again cannot help.
    pub async fn run(self, app: &App) -> anyhow::Result<()> {
        let now = app.clock.now();
        match self {
            Self::PollSource(id) => poll_source::run(app, id, now).await,
            Self::TakeDeliveries => take_deliveries::run(app, now).await,
            Self::KeepTips => keep_tips::run(app, now).await,
            Self::ClassifyMentions => classify_mentions::run(app, now).await,
            Self::OpenCases => open_cases::run(app, now).await,
            Self::AssignCases => assign_cases::run(app, now).await,
            Self::KeepPromises => keep_promises::run(app, now).await,
            Self::ReleaseCases => release_cases::run(app, now).await,
            Self::ReadAbsences => read_absences::run(app, now).await,
            Self::SumUpWeeks => sum_up_weeks::run(app, now).await,
            Self::RemindStaff => {
                // What the beginning of an absence takes from somebody is others' before anyone is reminded of it.
                release_cases::run(app, now).await?;
                remind_staff::run(app, now).await
            }
            Self::EditMessages => edit_messages::run(app, now).await,
            Self::DeliverMessages => deliver_messages::run(app).await,
            Self::Sweep => sweep::run(app, now).await,
            Self::Purge => purge::run(app, now).await,
            Self::WarnKeepers => warn_keepers::run(app, now).await,
            Self::CheckAccounts => check_accounts::run(app, now).await,
            Self::RefitJudge => refit_judge::run(app, now).await,
        }
    }
}

/// The worker that the queue calls with each piece of work.
#[must_use]
pub fn worker(app: Arc<App>) -> queue::Worker {
    Arc::new(move |work: Work| {
        let app = Arc::clone(&app);
        async move {
            match Job::of(&work) {
                Some(job) => job.run(&app).await,
                None => Err(queue::Never(format!("no job is named `{}`", work.job)).into()),
            }
        }
        .boxed()
    })
}

/// Puts into the queue what has come due, then sleeps until the next thing is. Runs in every working process; the
/// keys let one of them win.
///
/// # Errors
/// When the database does not answer; the caller begins again.
pub async fn timetable(app: &App) -> anyhow::Result<()> {
    let bell = app.db.signals().bell(TIMETABLE_BELL);
    loop {
        let now = app.clock.now();
        let next = enqueue_due(app, now).await?;
        let told = next.since(now);
        let sleep = app.clock.real(told).clamp(SHORTEST_SLEEP, LONGEST_SLEEP);
        tokio::select! {
            () = tokio::time::sleep(sleep) => {}
            () = bell.notified() => {}
        }
    }
}

/// Puts everything that is due at `now` into the queue and says when the next thing is.
///
/// # Errors
/// What the database says.
pub async fn enqueue_due(app: &App, now: Time) -> anyhow::Result<Time> {
    let mut tx = app.db.read().await?;
    let sources = source::store::due(&mut tx, now, SOURCES_AT_A_TIME).await?;
    let polls = source::store::next_due(&mut tx).await?;
    let wanted = wanted(&mut tx).await?;
    let unassigned = case::batch_store::first_unassigned(&mut tx).await?;
    let stale = chat::outbox_store::next_stale(&mut tx).await?;
    let tip = source::tip_store::first_waiting_tip(&mut tx).await?;
    let lesson = refit_judge::next(app, &mut tx).await?;
    drop(tx);

    let mut tx = app.db.write().await?;
    for (id, due, turns) in sources {
        Job::PollSource(id).enqueue_once(&mut tx, &poll_key(id, due, turns, now), now).await?;
    }
    for (job, what, at) in &wanted {
        if let Some(at) = at.filter(|at| *at <= now) {
            job.enqueue_once(&mut tx, &key(what, at.0), now).await?;
        }
    }
    // A page that corrects a judgement leaves its case to be given out anew, and rings.
    if let Some(case) = unassigned {
        Job::AssignCases.enqueue_once(&mut tx, &key("assign", case.0), now).await?;
    }
    // A page that takes a tip rings, too.
    if let Some(tip) = tip {
        Job::KeepTips.enqueue_once(&mut tx, &key("tip", tip.0), now).await?;
    }
    if let Some((message, revisions, newest)) = stale {
        let what = format!("edit:{message}:{revisions}");
        Job::EditMessages.enqueue_once(&mut tx, &key(&what, newest), now).await?;
    }
    if let Some((at, last)) = lesson.filter(|(at, _)| *at <= now) {
        Job::RefitJudge.enqueue_once(&mut tx, &refit_judge::key(last, at, now), now).await?;
    }
    let sweep = every("sweep", SWEEP_EVERY, now);
    Job::Sweep.enqueue_once(&mut tx, &sweep.0, now).await?;
    let purge = every("purge", PURGE_EVERY, now);
    Job::Purge.enqueue_once(&mut tx, &purge.0, now).await?;
    if check_accounts::is_needed(app) {
        Job::CheckAccounts.enqueue_once(&mut tx, &every("accounts", ACCOUNTS_EVERY, now).0, now).await?;
    }
    tx.commit().await?;

    let waits = wanted.into_iter().map(|(_, _, at)| at).chain([polls, lesson.map(|(at, _)| at), Some(sweep.1)]);
    Ok(waits.flatten().filter(|at| *at > now).min().unwrap_or(sweep.1))
}

/// What each job next has to do, each asked of an index: `(job, its word in the key, when)`. The order is that of the
/// river, so that what moves a case is done before somebody is reminded of it.
async fn wanted(tx: &mut Tx) -> sqlx::Result<Vec<(Job, &'static str, Option<Time>)>> {
    Ok(vec![
        (Job::KeepPromises, "promises", case::promise_store::next_promise_look(tx).await?),
        (Job::KeepPromises, "offers", offer_store::next_offer_end(tx).await?),
        (Job::ReadAbsences, "absences", absence_feed_store::next_feed(tx).await?),
        (Job::ReleaseCases, "release", assignment::store::next_absence(tx).await?),
        (Job::AssignCases, "room", desk_store::next_room(tx).await?),
        (Job::SumUpWeeks, "week", desk_store::next_weekly(tx).await?),
        (Job::RemindStaff, "remind", case::batch_store::next_look(tx).await?),
        (Job::RemindStaff, "write", chat::undelivered_store::first_unwritten(tx).await?),
        (Job::RemindStaff, "tell", offer_store::next_offer_to_tell(tx).await?),
        (Job::RemindStaff, "follow", case::queue_store::next_follow_up(tx).await?),
        (Job::DeliverMessages, "deliver", chat::store::next_due(tx).await?),
    ])
}

/// The next moment at which the program itself wants to do something about what it has, sources aside.
///
/// # Errors
/// What the database says.
pub async fn next_moment(tx: &mut Tx) -> sqlx::Result<Option<Time>> {
    Ok(wanted(tx).await?.into_iter().filter_map(|(_, _, at)| at).min())
}

/// True when something is due at `now` that no job has done yet.
///
/// # Errors
/// What the database says.
pub async fn something_due(tx: &mut Tx, now: Time) -> sqlx::Result<bool> {
    let polls = source::store::next_due(tx).await?;
    let (unassigned, stale) =
        (case::batch_store::first_unassigned(tx).await?, chat::outbox_store::next_stale(tx).await?);
    let next = next_moment(tx).await?;
    let tip = source::tip_store::first_waiting_tip(tx).await?;
    Ok(tip.is_some() || unassigned.is_some() || stale.is_some() || next.into_iter().chain(polls).any(|at| at <= now))
}

/// One piece of work for what `mark` tells from others (since when it is due, or its number), and another each second of
/// the machine's that it stays due: what a job could not yet do it tries again, also while told time stands still.
fn key(what: &str, mark: i64) -> String {
    format!("{what}:{mark}:{}", queue::machine_seconds())
}

/// One piece of work for a reading that is due since `due`, and another each minute that it stays due: when its reader
/// was killed, the queue does the work again while the dead one still holds the source, and finds nothing to do.
/// A bell that makes it due once more in the moment of a reading is another piece of work: `turns` has grown.
fn poll_key(id: SourceId, due: Time, turns: i64, now: Time) -> String {
    format!("poll:{id}:{}:{turns}:{}", due.0, now.since(due).as_secs() / 60)
}

/// The key of the period `now` is in, and when the next period begins.
fn every(what: &str, period: Duration, now: Time) -> (String, Time) {
    let period_ms = i64::try_from(period.as_millis()).unwrap_or(i64::MAX);
    let n = now.0.div_euclid(period_ms);
    (format!("{what}:{n}"), Time((n + 1).saturating_mul(period_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_stays_due_gets_new_work_and_many_processes_agree_on_it() {
        let (due, id) = (Time(1_000), SourceId(7));
        let key = |seconds| poll_key(id, due, 3, due.plus(Duration::from_secs(seconds)));
        assert_eq!(key(0), key(59));
        assert_ne!(key(59), key(180), "its reader was killed and its lease has ended");
        assert_ne!(key(0), poll_key(id, due, 4, due), "it was read, and a bell made it due again at once");
    }
}
