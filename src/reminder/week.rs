//! The driver of the timetables: tells the ladder a week and only calls `decide` when it asked to be called.

use super::*;
use crate::calendar::stockholm;

pub(super) fn at(text: &str) -> Time {
    let civil: jiff::civil::DateTime = text.parse().unwrap();
    Time::of(stockholm().to_timestamp(civil).unwrap())
}

pub(super) fn office() -> Calendar {
    Calendar::weekdays("kontaktcenter", &[(480, 990)])
}

pub(super) fn nine_to_five() -> Calendar {
    Calendar::weekdays("9-17", &[(540, 1020)])
}

pub(super) fn case<'a>(calendar: &'a Calendar, from: &str, due: &str) -> ReminderCase<'a> {
    ReminderCase {
        id: CaseId(1),
        state: CaseState::Assigned,
        unit: "gata".into(),
        topic: "gata-trafik".into(),
        urgency: Urgency::Normal,
        round_at: at(from),
        started_at: at(from),
        due_at: at(due),
        calendar,
        waiting: Waiting::ForUs,
        acknowledged: None,
        snooze: None,
    }
}

pub(super) fn person<'a>(key: &'a str, calendar: &'a Calendar) -> Person<'a> {
    Person { key, calendar, away: Vec::new(), digest: None }
}

pub(super) fn line(calendar: &Calendar) -> People<'_> {
    People {
        holder: Some(person("anna", calendar)),
        deputy: Some(person("bo", calendar)),
        manager: Some(person("cia", calendar)),
        chief: Some(person("dan", calendar)),
    }
}

/// What somebody does while the ladder runs.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Acknowledge,
    Snooze(Time),
    Answer,
    Reassign(&'static str),
    Reopen(Time),
}

/// A told week.
pub(super) struct Week<'a> {
    pub(super) case: ReminderCase<'a>,
    pub(super) people: People<'a>,
    pub(super) silences: Vec<Silence>,
    pub(super) ladder: Ladder,
    pub(super) acts: Vec<(Time, Act)>,
    pub(super) holds: bool,
}

/// More looks than this in one told week would be a ladder that spins.
const LOOKS_MAX: usize = 300;

impl<'a> Week<'a> {
    pub(super) fn new(case: ReminderCase<'a>, people: People<'a>) -> Self {
        Self { case, people, silences: Vec::new(), ladder: Ladder::default(), acts: Vec::new(), holds: false }
    }

    fn act(&mut self, now: Time) {
        while self.acts.first().is_some_and(|(at, _)| *at <= now) {
            let (at, act) = self.acts.remove(0);
            match act {
                Act::Acknowledge => self.case.acknowledged = Some(Acknowledged { by: "anna".into(), at }),
                Act::Snooze(until) => self.case.snooze = Some(Snooze { by: "anna".into(), at, until }),
                Act::Answer => self.case.state = CaseState::Answered,
                Act::Reassign(key) => {
                    self.case.round_at = at;
                    self.people.holder = self.people.holder.take().map(|holder| Person { key, ..holder });
                }
                Act::Reopen(due_at) => {
                    self.case.state = CaseState::Assigned;
                    (self.case.round_at, self.case.started_at, self.case.due_at) = (at, at, due_at);
                }
            }
        }
    }

    /// `Mon 08:00 anna Notice | …`, one day a line.
    pub(super) fn told(mut self, until: &str) -> String {
        let (mut now, until) = (self.case.round_at, at(until));
        let mut sent: Vec<Sent> = Vec::new();
        let mut lines: Vec<(String, Vec<String>)> = Vec::new();
        for look in 0.. {
            assert!(look < LOOKS_MAX, "the ladder spins: {lines:?}");
            let round = self.case.round_at;
            self.act(now);
            if self.case.round_at != round {
                // A new round: what was said in the former is not asked about.
                sent.clear();
            }
            let look = decide(&self.case, &sent, &self.people, &self.silences, &self.ladder, now);
            let zone = stockholm();
            let there = zone.to_datetime(now.timestamp());
            let said = match &look.decision {
                Decision::Send { to, stage, breaks_silence } => {
                    let new = Sent { to: to.clone(), due_at: self.case.due_at, stage: *stage };
                    assert!(!sent.contains(&new), "said twice: {new:?}");
                    sent.push(new);
                    Some(format!("{to} {stage:?}{}", if *breaks_silence { " (bryter)" } else { "" }))
                }
                Decision::Hold { reason, until } => self.holds.then(|| reason.swedish(*until, now, &zone)),
            };
            if let Some(said) = said {
                let (day, entry) =
                    (there.strftime("%a %d/%m").to_string(), format!("{} {said}", there.strftime("%H:%M")));
                match lines.last_mut() {
                    Some((last, entries)) if *last == day => entries.push(entry),
                    _ => lines.push((day, vec![entry])),
                }
            }
            if matches!(look.decision, Decision::Send { .. }) {
                continue;
            }
            assert!(look.next_look_at.is_none_or(|next| next > now), "looks back: {look:?} at {now}");
            match look.next_look_at.into_iter().chain(self.acts.first().map(|(at, _)| *at)).min() {
                Some(next) if next <= until => now = next,
                _ => break,
            }
        }
        lines.into_iter().map(|(day, entries)| format!("{day} {}", entries.join(" | "))).collect::<Vec<_>>().join("\n")
    }
}
