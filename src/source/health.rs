//! How a source is, and why, in words that say what happened, what we do now and what a person can do.

use std::time::Duration;

use crate::clock::Time;
use crate::source::{Health, Poll, PollError};

/// Failures in a row before a source that was well is called anything else: one slow night is no news.
const PATIENCE: u32 = 3;
/// Without a good reading for this long, a source is dead: longer than any holiday's power cut.
const DEAD_AFTER: Duration = Duration::from_hours(168);
/// For a source that never was read, this many failures stand in for [`DEAD_AFTER`]: at the shortest interval, with
/// back-off, about four days.
const DEAD_FAILURES: u32 = 10;

/// A judgement with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How it is.
    pub health: Health,
    /// Why, in Swedish; empty when all is well.
    pub why: String,
}

/// Judges a source after a reading. `failures` counts those in a row, this one included; `last_ok_at` is the last good
/// reading before this one.
#[must_use]
pub fn judge(
    previous: Health,
    outcome: &Result<Poll, PollError>,
    failures: u32,
    last_ok_at: Option<Time>,
    now: Time,
) -> Verdict {
    let error = match outcome {
        Ok(poll) => return read(poll),
        Err(PollError::Busy) => return Verdict { health: previous, why: why(&PollError::Busy) },
        Err(error) => error,
    };
    let for_long = last_ok_at.map_or(failures >= DEAD_FAILURES, |at| now.since(at) >= DEAD_AFTER);
    // One that has never been read has no good days to lean on: its first failure is news.
    let patient = if failures < PATIENCE && last_ok_at.is_some() { previous } else { previous.max(Health::Degraded) };
    let health = match error {
        PollError::Gone | PollError::Refused(_) => Health::Dead,
        _ if for_long => Health::Dead,
        PollError::Unauthorized(_) | PollError::Blind(_) => Health::Blind,
        PollError::Unreadable(_) if failures >= PATIENCE => Health::Blind,
        // It asks us to wait, so it is there.
        PollError::RateLimited { .. } => Health::Degraded,
        _ => patient,
    };
    let days = last_ok_at.map(|at| now.since(at).as_secs() / 86_400).filter(|_| health == Health::Dead && for_long);
    let since = days.map(|days| format!(" Källan har inte gått att läsa på {days} dagar.")).unwrap_or_default();
    Verdict { health, why: why(error) + &since }
}

fn read(poll: &Poll) -> Verdict {
    let health = match (poll.blind, &poll.remark) {
        (true, _) => Health::Blind,
        (false, Some(_)) => Health::Degraded,
        (false, None) => Health::Ok,
    };
    Verdict { health, why: poll.remark.clone().unwrap_or_default() }
}

fn why(error: &PollError) -> String {
    match error {
        PollError::RateLimited { retry_after: Some(wait) } => {
            let minutes = wait.as_secs().div_ceil(60);
            format!("Servern bad oss vänta i {minutes} minuter. Vi väntar och försöker sedan igen av oss själva.")
        }
        PollError::RateLimited { retry_after: None } => {
            "Servern säger att vi frågar för ofta. Vi frågar mer sällan tills det går bra igen.".to_owned()
        }
        PollError::Gone => "Källan är borttagen för gott (410). Vi frågar inte mer. Byt adress eller ta bort källan i \
                            config/sources.toml."
            .to_owned(),
        PollError::Unauthorized(what) => {
            format!("Källan kräver inloggning eller nekar oss: {what}. Vi försöker igen mer sällan. Fråga ägaren.")
        }
        PollError::Blind(what) => {
            format!("Källan svarar men vi ser inga inlägg: {what}. Vi försöker igen. Kontrollera adressen.")
        }
        PollError::Unreachable(what) => format!("Källan svarar inte: {what}. Vi försöker igen av oss själva."),
        PollError::Unreadable(what) => {
            format!(
                "Svaret går inte att läsa: {what}. Vi försöker igen. Kontrollera att adressen leder till ett flöde."
            )
        }
        PollError::Refused(what) => format!(
            "Vi anropar inte adressen: {what}. Är det er egen server på det inre nätet, sätt local = true för källan."
        ),
        PollError::Busy => "Vi läser redan andra källor på samma server och väntar på vår tur.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn now() -> Time {
        Time::parse("2026-11-23T08:00:00Z").unwrap()
    }

    fn after(error: PollError, previous: Health, failures: u32, ok_days_ago: u32) -> Health {
        judge(previous, &Err(error), failures, Some(now().minus(DAY * ok_days_ago)), now()).health
    }

    fn down() -> PollError {
        PollError::Unreachable("tyst".to_owned())
    }

    #[test]
    fn one_bad_night_is_no_news_three_failures_are() {
        assert_eq!(after(down(), Health::Ok, 2, 0), Health::Ok);
        assert_eq!(after(down(), Health::Ok, 3, 0), Health::Degraded);
        assert_eq!(after(down(), Health::Blind, 3, 0), Health::Blind);
    }

    #[test]
    fn a_week_of_silence_is_death_and_one_good_reading_is_life() {
        assert_eq!(after(down(), Health::Degraded, 12, 7), Health::Dead);
        assert_eq!(judge(Health::Ok, &Err(down()), 10, None, now()).health, Health::Dead);
        assert_eq!(judge(Health::Dead, &Ok(Poll::default()), 0, None, now()).health, Health::Ok);
    }

    #[test]
    fn a_source_that_answers_but_shows_nothing_is_blind_at_once() {
        assert_eq!(after(PollError::Unauthorized("403".to_owned()), Health::Ok, 1, 0), Health::Blind);
        assert_eq!(after(PollError::Blind("en webbsida".to_owned()), Health::Ok, 1, 0), Health::Blind);
        let empty = Poll { blind: true, remark: Some("tomt".to_owned()), ..Poll::default() };
        assert_eq!(judge(Health::Ok, &Ok(empty), 0, None, now()).health, Health::Blind);
    }

    #[test]
    fn what_is_gone_is_dead_at_once() {
        assert_eq!(after(PollError::Gone, Health::Ok, 1, 0), Health::Dead);
    }

    #[test]
    fn a_remark_makes_a_good_reading_degraded() {
        let poll = Poll { remark: Some("trasigt".to_owned()), ..Poll::default() };
        let verdict = judge(Health::Ok, &Ok(poll), 0, None, now());
        assert_eq!((verdict.health, verdict.why.as_str()), (Health::Degraded, "trasigt"));
    }

    #[test]
    fn our_own_queue_says_nothing_about_the_source() {
        for health in [Health::Ok, Health::Degraded, Health::Blind, Health::Dead] {
            assert_eq!(after(PollError::Busy, health, 1, 30), health);
        }
    }

    #[test]
    fn every_reason_says_what_happened_and_what_happens_now() {
        let errors = [
            PollError::RateLimited { retry_after: None },
            PollError::RateLimited { retry_after: Some(Duration::from_secs(90)) },
            PollError::Gone,
            PollError::Unauthorized("401".to_owned()),
            PollError::Blind("x".to_owned()),
            down(),
            PollError::Unreadable("x".to_owned()),
            PollError::Refused("x".to_owned()),
        ];
        for error in errors {
            let why = judge(Health::Ok, &Err(error.clone()), 1, None, now()).why;
            assert!(why.matches(". ").count() >= 1 && why.ends_with('.'), "{error:?}: {why}");
        }
    }
}
