//! Nobody is told of an ordinary matter outside her hours, however late its message comes to be sent: after an outage, by
//! her next voice, after a kill. What would disturb her waits until she can be told, and then says how it is by then.

use crate::app::App;
use crate::assignment;
use crate::assignment::store::AbsenceRow;
use crate::chat::store::MessageRow;
use crate::chat::{outbox_store, undelivered_store};
use crate::clock::Time;
use crate::db::Tx;
use crate::id::MessageId;
use crate::jobs::write_messages::compose_anew;
use crate::reminder::{self, Ladder, Person};

/// How many waiting messages are looked at in one transaction.
const AT_A_LOOK: i64 = 1_000;

/// When people may be told what is not about danger.
pub(super) struct Hours<'a> {
    app: &'a App,
    absences: Vec<AbsenceRow>,
}

impl<'a> Hours<'a> {
    /// Reads who is away and will be.
    ///
    /// # Errors
    /// What the database says.
    async fn load(app: &'a App, tx: &mut Tx, now: Time) -> sqlx::Result<Self> {
        Ok(Self { app, absences: assignment::store::absences(tx, now).await? })
    }

    fn reach(&self, staff: &str, now: Time) -> Time {
        let calendar = self.app.calendar_of_staff(staff);
        let away = self.absences.iter().filter(|absence| absence.staff == staff);
        let away = away.map(|absence| (absence.starts_at, absence.ends_at)).collect();
        reach(&Person { key: staff, calendar: &calendar, away, digest: None }, self.app.config.ladders.current(), now)
    }

    /// Looks again at what waits for people's hours: the hour may have come, somebody may be back before her time, and a
    /// case may have become danger. Returns whether anything was changed. Nobody's absence is read when nothing waits.
    ///
    /// # Errors
    /// What the database says.
    pub(super) async fn let_go(app: &'a App, tx: &mut Tx, now: Time) -> anyhow::Result<bool> {
        let held = undelivered_store::held(tx, AT_A_LOOK).await?;
        if held.is_empty() {
            return Ok(false);
        }
        let hours = Self::load(app, tx, now).await?;
        let ids: Vec<MessageId> = held.iter().map(|(id, ..)| *id).collect();
        let any_hour = undelivered_store::any_hour(tx, &ids).await?;
        let mut changed = false;
        for (id, staff, until) in held {
            let at = hours.reach(&staff, now);
            if at <= now || any_hour.contains(&id) {
                if let Some(message) = undelivered_store::release(tx, id, now).await? {
                    compose_anew(app, tx, &message, now).await?;
                }
                changed = true;
            } else if at != until {
                undelivered_store::hold(tx, id, at).await?;
                changed = true;
            }
        }
        Ok(changed)
    }

    /// Holds those of the messages, taken for sending, that would disturb their readers now: nothing was tried, and their
    /// hour is known. Returns the others.
    ///
    /// # Errors
    /// What the database says.
    pub(super) async fn hold(
        app: &'a App,
        tx: &mut Tx,
        taken: Vec<MessageRow>,
        now: Time,
    ) -> sqlx::Result<Vec<MessageRow>> {
        if taken.is_empty() {
            return Ok(taken);
        }
        let hours = Self::load(app, tx, now).await?;
        let late = |row: &MessageRow| Some(hours.reach(&row.recipient, now)).filter(|at| *at > now);
        let disturbing: Vec<MessageId> = taken.iter().filter(|row| late(row).is_some()).map(|row| row.id).collect();
        if disturbing.is_empty() {
            return Ok(taken);
        }
        let any_hour = undelivered_store::any_hour(tx, &disturbing).await?;
        let mut go = Vec::with_capacity(taken.len());
        for row in taken {
            match late(&row).filter(|_| !any_hour.contains(&row.id)) {
                Some(at) => {
                    undelivered_store::hold(tx, row.id, at).await?;
                    outbox_store::not_tried(tx, row.id).await?;
                }
                None => go.push(row),
            }
        }
        Ok(go)
    }
}

/// When this person can be told. A calendar that never opens again holds nothing back for ever.
fn reach(person: &Person<'_>, ladder: &Ladder, now: Time) -> Time {
    reminder::reachable_at(person, ladder, now).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Calendar;

    fn time(text: &str) -> Time {
        Time::parse(text).unwrap()
    }

    fn reached(away: &[(&str, &str)], now: &str) -> Time {
        let calendar = Calendar::always();
        let away = away.iter().map(|(from, until)| (time(from), time(until))).collect();
        reach(&Person { key: "karin", calendar: &calendar, away, digest: None }, &Ladder::default(), time(now))
    }

    #[test]
    fn what_would_come_in_the_evening_comes_in_the_morning() {
        assert_eq!(reached(&[], "2026-11-23T18:59:00+01:00"), time("2026-11-23T18:59:00+01:00"), "at once");
        assert_eq!(reached(&[], "2026-11-23T23:40:00+01:00"), time("2026-11-24T07:00:00+01:00"));
    }

    #[test]
    fn what_would_come_while_she_is_away_comes_when_she_is_back() {
        let dentist = ("2026-11-24T06:30:00+01:00", "2026-11-24T10:00:00+01:00");
        let course = ("2026-11-24T09:00:00+01:00", "2026-11-24T20:00:00+01:00");
        assert_eq!(reached(&[dentist], "2026-11-23T23:40:00+01:00"), time("2026-11-24T10:00:00+01:00"));
        let back = time("2026-11-25T07:00:00+01:00");
        assert_eq!(reached(&[dentist, course], "2026-11-23T23:40:00+01:00"), back, "not in the evening either");
        assert_eq!(reached(&[dentist], "2026-11-24T10:00:00+01:00"), time("2026-11-24T10:00:00+01:00"));
    }
}
