//! Cases at the desk of the municipality, driven by the real jobs under a told time: the stage for what coordination
//! promises. Messages go to a terminal, receipts are real.

use std::fmt::Write as _;

use lyhord::case::batch_store::NewCase;
use lyhord::case::store::CaseRow;
use lyhord::clock::Time;
use lyhord::config::Config;
use lyhord::id::{CaseId, SourceId};
use lyhord::jobs::{self, Job};
use lyhord::mention::keep_store::NewMention;
use lyhord::response::acts;
use lyhord::source::store::Named;
use lyhord::{case, chat, journal, on, source};

use crate::harness::{Database, Engine, database, kept};
use crate::running::{Running, config};

/// A matter as the judge would have it.
#[derive(Clone, Copy)]
pub struct Matter<'a> {
    pub topic: &'a str,
    pub intent: &'a str,
    pub urgency: &'a str,
    pub thread: Option<&'a str>,
    pub text: &'a str,
    pub arrived_at: Option<Time>,
}

impl Default for Matter<'_> {
    fn default() -> Self {
        Self {
            topic: "va",
            intent: "fraga",
            urgency: "normal",
            thread: None,
            text: "När blir vattnet rent igen?",
            arrived_at: None,
        }
    }
}

/// Who has a chat on this stage.
pub const STAFF: [&str; 9] = [
    "sixten-prov",
    "hilda-pahittfors",
    "rut-exempelgren",
    "ulf-pahittsson",
    "liv-mallfors",
    "tove-fiktivgren",
    "pia-testsson",
    "bo-provberg",
    "hedda-exempel",
];

pub struct Desk {
    pub running: Running,
    source: SourceId,
    told: i64,
    pub lines: String,
    natives: i64,
    database: Database,
}

impl Desk {
    pub async fn open(engine: Engine, now: Time, edit: impl Fn(&mut Config)) -> Self {
        let database = database(engine);
        Self::on(database, now, edit).await
    }

    async fn on(database: Database, now: Time, edit: impl Fn(&mut Config)) -> Self {
        let service = "[municipality]\nname = \"Ale kommun\"\ncontact = \"test@example.se\"\n\
                       base_url = \"https://lyhord.example.se/\"\n[chat]\nterminal = true\n";
        let mut config = config(service, "", &database.address);
        config.weekly = None;
        edit(&mut config);
        let running = Running::start(config, now).await;
        let mut tx = running.app.db.write().await.unwrap();
        let source = source::store::the_import(&mut tx, &Named::import(), now).await.unwrap();
        for staff in STAFF {
            chat::store::bind_voice(&mut tx, staff, "terminal", staff, now).await.unwrap();
        }
        tx.commit().await.unwrap();
        Self { running, source, told: 0, lines: String::new(), natives: 0, database }
    }

    /// Stops the program and starts it again on the same database with other settings.
    pub async fn again(self, now: Time, edit: impl Fn(&mut Config)) -> Self {
        let Self { running, told, lines, natives, database, .. } = self;
        running.stop().await;
        let desk = Self::on(database, now, edit).await;
        Self { told, lines, natives, ..desk }
    }

    pub fn now(&self) -> Time {
        self.running.app.clock.now()
    }

    /// Moves the told time to each moment at which the program itself wants to do something, and then to `now`.
    pub async fn until(&mut self, now: Time) {
        loop {
            let mut tx = self.running.app.db.read().await.unwrap();
            let next = jobs::next_moment(&mut tx).await.unwrap().filter(|next| *next < now);
            drop(tx);
            let next = next.map(|next| next.max(self.now()));
            self.running.until(next.unwrap_or(now)).await;
            self.write_down().await;
            if next.is_none() {
                return;
            }
        }
    }

    /// Somebody writes, and a case is opened about it.
    pub async fn opens(&mut self, matter: Matter<'_>) -> CaseId {
        let now = self.now();
        self.natives += 1;
        let native = format!("n{}", self.natives);
        let mut tx = self.running.app.db.write().await.unwrap();
        let arrived = matter.arrived_at.unwrap_or(now);
        let new = NewMention {
            source_id: Some(self.source),
            channel: "forum",
            native_id: &native,
            thread: matter.thread,
            fingerprint: self.natives,
            kind: "post",
            body: matter.text,
            authored_at: arrived,
            seen_at: now,
            hearing: "{}".to_owned(),
            ..NewMention::default()
        };
        let mention = kept(&mut tx, new, now).await;
        let case = NewCase {
            mention_id: mention,
            cluster_id: mention,
            source_id: self.source,
            channel: "forum",
            thread: matter.thread,
            title: matter.text,
            topic: matter.topic,
            intent: matter.intent,
            sentiment: "neu",
            urgency: matter.urgency,
            place: None,
            protected: false,
            restricted: matter.intent == "hot-hat",
            triage: false,
            arrived_at: arrived,
            imported: false,
        };
        let id = case::batch_store::open(&mut tx, &[(case, matter.text)], now).await.unwrap()[&mention];
        lyhord::mention::store::settle(&mut tx, &[mention], now).await.unwrap();
        Job::AssignCases.enqueue(&mut tx, now).await.unwrap();
        tx.commit().await.unwrap();
        self.until(now).await;
        id
    }

    pub async fn row(&self, id: CaseId) -> CaseRow {
        let mut tx = self.running.app.db.read().await.unwrap();
        case::store::find(&mut tx, id).await.unwrap().unwrap()
    }

    /// What happened to the promises of a case: `first activate Mon 09:00 due Tue 09:00`.
    pub async fn events(&self, id: CaseId) -> String {
        let mut tx = self.running.app.db.read().await.unwrap();
        let rows = case::promise_store::events(&mut tx, id).await.unwrap();
        let line = |row: &case::promise_store::EventRow| {
            let due = row.due_at.map(|at| format!(" due {}", clock(at))).unwrap_or_default();
            let promise = if row.promise == "first-response" { "first" } else { "whole" };
            format!("{promise} {} {}{due}", row.what, clock(row.at))
        };
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// An act of somebody, committed; then the program does what follows from it.
    pub async fn answers(&mut self, staff: &str, id: CaseId) {
        let now = self.now();
        let mut tx = self.running.app.db.write().await.unwrap();
        let answer = acts::Answer {
            text: "Klart vid tolv.",
            url: None,
            outcome: Some(case::Outcome::ALL[0]),
            unit: None,
            answered_at: None,
        };
        acts::answer(&mut tx, staff, id, None, answer, now).await.unwrap();
        tx.commit().await.unwrap();
        self.until(now).await;
    }

    async fn write_down(&mut self) {
        let mut tx = self.running.app.db.read().await.unwrap();
        let new = journal::after(&mut tx, self.told, 1_000).await.unwrap();
        for entry in &new {
            self.told = entry.seq;
            let body = entry.json();
            let of = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
            let case = entry.case_id.map(|case| case.to_string()).unwrap_or_default();
            let text = match entry.kind.as_str() {
                "reminder.said" => format!("{case} said to {} in {}: {}", of("to"), of("voice"), of("stage")),
                "case.assigned" => format!("{case} assigned to {}", of("owner")),
                "case.reassigned" => format!("{case} from {} to {}: {}", of("from"), of("to"), of("why")),
                "case.answered" => format!("{case} answered by {}", entry.actor),
                "case.taken" => format!("{case} taken by {}", entry.actor),
                "case.acknowledged" => format!("{case} acknowledged by {}", entry.actor),
                "promise.broken" => format!("{case} broken: {}", of("promise")),
                "case.waits" => format!("{case} waits for the citizen"),
                "case.resumed" => format!("{case} runs again: {}", of("why")),
                "case.offered" => format!("{case} offered by {}", entry.actor),
                "case.accepted" => format!("{case} accepted by {}", entry.actor),
                "case.declined" => format!("{case} declined by {}", entry.actor),
                "case.offer_expired" => format!("{case} offer expired"),
                "digest.weekly" => format!("week summed up for {}", of("to")),
                _ => continue,
            };
            let _ = writeln!(self.lines, "{} {text}", clock(entry.at));
        }
    }

    /// The lines since the last time, so that each test tells its own story.
    ///
    /// Messages of one moment are sent side by side, so they are told in one order.
    pub fn tell(&mut self) -> String {
        let lines = std::mem::take(&mut self.lines);
        let mut told: Vec<&str> = lines.lines().collect();
        let moment = |line: &str| line.get(..15).unwrap_or_default().to_owned();
        for run in
            told.chunk_by_mut(|a, b| moment(a) == moment(b) && a.contains(" said to ") && b.contains(" said to "))
        {
            run.sort_unstable();
        }
        told.iter().fold(String::new(), |all, line| all + line + "\n")
    }

    pub async fn number(&self, sql: &'static str) -> i64 {
        let mut tx = self.running.app.db.read().await.unwrap();
        on!(tx, c => sqlx::query_scalar(sql).fetch_one(c).await).unwrap()
    }

    pub async fn stop(self) {
        self.running.stop().await;
    }
}

pub fn clock(at: Time) -> String {
    at.zoned(&lyhord::calendar::stockholm()).strftime("%a %d/%m %H:%M").to_string()
}

/// A moment of Swedish time.
pub fn when(text: &str) -> Time {
    let civil: jiff::civil::DateTime = text.parse().unwrap();
    let zone = lyhord::calendar::stockholm();
    Time::of(zone.to_ambiguous_timestamp(civil).compatible().unwrap())
}
