//! The life of a post from the feed to the answer, in told time, as a timetable that a person can read.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::Duration;

use lyhord::chat::bind::Code;
use lyhord::chat::telegram_listen::TelegramEar;
use lyhord::chat::{Channel, Keep, NotKept, Voice};
use lyhord::clock::Time;
use lyhord::id::CaseId;
use lyhord::jobs::hear_staff::Hearer;
use lyhord::jobs::keep_posts::{self, From};
use lyhord::journal::{self, Entry, Verdict};
use lyhord::response::acts;
use lyhord::source::store::Named;
use lyhord::source::{self, Kind, Post};
use lyhord::{case, chat, on};

use crate::fake_feed::{self, Count, FakeFeed, serve};
use crate::fake_telegram::{self, FakeTelegram};
use crate::harness::{Database, ENGINES, Engine, at, database};
use crate::running::{Running, config};

const TOKEN: &str = "123456:TEST-token-of-no-bot";

/// The whole program, two local papers and a Telegram of its own.
struct Stage {
    running: Running,
    telegram: FakeTelegram,
    paper: FakeFeed,
    forum: FakeFeed,
    settings: (String, String),
    place: Place,
    told: (i64, usize),
    lines: String,
    database: Database,
    folder: tempfile::TempDir,
}

/// Where the ear on Telegram has come to.
#[derive(Default)]
struct Place(Mutex<Option<String>>);

impl Keep for Place {
    async fn place(&self) -> Result<Option<String>, NotKept> {
        Ok(self.0.lock().unwrap().clone())
    }

    async fn keep(&self, place: &str) -> Result<(), NotKept> {
        *self.0.lock().unwrap() = Some(place.to_owned());
        Ok(())
    }
}

impl Stage {
    async fn open(engine: Engine, now: Time) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        std::fs::write(&token, TOKEN).unwrap();
        let (telegram, paper, forum) = (FakeTelegram::new(TOKEN), FakeFeed::default(), FakeFeed::default());
        let bot = serve(fake_telegram::app(telegram.clone())).await;
        let service = format!(
            "[municipality]\nname = \"Ale kommun\"\ncontact = \"test@example.se\"\nbase_url = \"https://lyhord.example.se/\"\n\
             [chat.telegram]\ntoken_file = \"{}\"\nmode = \"poll\"\napi_base = \"http://{bot}\"\n",
            token.display()
        );
        let mut sources = String::new();
        for (key, feed) in [("provbladet", &paper), ("aleforum", &forum)] {
            let address = serve(fake_feed::app(feed.clone())).await;
            let _ = write!(
                sources,
                "[[source]]\nkey = \"{key}\"\nname = \"{key}\"\nkind = \"feed\"\nchannel = \"forum\"\naddress = \"http://{address}/feed.xml\"\n\
                 local = true\ninterval_minutes = 1440\n"
            );
        }
        let database = database(engine);
        let running = Running::start(unweekly(config(&service, &sources, &database.address)), now).await;
        Self {
            running,
            telegram,
            paper,
            forum,
            settings: (service, sources),
            place: Place::default(),
            told: (0, 0),
            lines: String::new(),
            database,
            folder,
        }
    }

    fn now(&self) -> Time {
        self.running.app.clock.now()
    }

    /// Moves the told time to each moment at which the program itself wants to do something, and then to `now`.
    async fn until(&mut self, now: Time) {
        loop {
            let mut tx = self.running.app.db.read().await.unwrap();
            let next = lyhord::jobs::next_moment(&mut tx).await.unwrap().filter(|next| *next < now);
            drop(tx);
            let next = next.map(|next| next.max(self.now()));
            self.running.until(next.unwrap_or(now)).await;
            self.write_down().await;
            if next.is_none() {
                return;
            }
        }
    }

    /// Somebody presses "läs nu" beside each source, one after the other so that the timetable has one order.
    async fn read_now(&mut self) {
        for key in ["provbladet", "aleforum"] {
            let mut tx = self.running.app.db.write().await.unwrap();
            let id = source::store::by_key(&mut tx, key).await.unwrap().unwrap().id;
            source::store::read_now(&mut tx, id, self.now()).await.unwrap();
            tx.commit().await.unwrap();
            self.until(self.now()).await;
        }
    }

    /// Adds to the timetable what has happened since it was last written.
    async fn write_down(&mut self) {
        let mut tx = self.running.app.db.read().await.unwrap();
        let new = journal::after(&mut tx, self.told.0, 1_000).await.unwrap();
        drop(tx);
        for entry in &new {
            if let Some(what) = in_words(entry) {
                let _ = writeln!(self.lines, "{} {what}", clock(entry.at));
            }
            self.told.0 = entry.seq;
        }
        for sent in self.telegram.sent().into_iter().skip(self.told.1) {
            let who = self.name_of(sent.chat_id).await;
            let _ = writeln!(self.lines, "{} Telegram to {who}: {}", clock(self.now()), sent.text.replace('\n', " / "));
            self.told.1 += 1;
        }
    }

    async fn name_of(&self, chat: i64) -> String {
        let mut tx = self.running.app.db.read().await.unwrap();
        chat::store::staff_of(&mut tx, "telegram", &chat.to_string())
            .await
            .unwrap()
            .unwrap_or_else(|| "nobody".to_owned())
    }

    /// Hears once what staff have said and pressed, through the real ear.
    async fn hear(&mut self) {
        let app = &self.running.app;
        let settings = app.config.chat.telegram.as_ref().unwrap();
        let Some(Voice::Telegram(voice)) = app.voices.of(Channel::Telegram) else { panic!("no Telegram") };
        let ear = TelegramEar::new(&settings.account, voice.clone(), Hearer(app.clone())).unwrap();
        ear.round(&self.place, Duration::ZERO).await.unwrap();
        self.until(self.now()).await;
    }

    /// A member of staff takes a one-time code from her page and says it to the bot.
    async fn binds(&mut self, staff: &str, chat: i64) {
        let code = Code::random();
        let app = &self.running.app;
        let mut tx = app.db.write().await.unwrap();
        let hash = code.hash(&app.secret);
        chat::store::put_code(&mut tx, &hash, staff, "telegram", self.now().plus(Duration::from_mins(15)))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        self.telegram.say(chat, &code.shown());
        self.hear().await;
    }

    /// Members of staff who have bound their chats before.
    async fn knows(&mut self, staff: &[&str]) {
        let mut tx = self.running.app.db.write().await.unwrap();
        for (chat, staff) in (2_000_i64..).zip(staff) {
            chat::store::bind_voice(&mut tx, staff, "telegram", &chat.to_string(), self.now()).await.unwrap();
            self.telegram.start(chat);
        }
        tx.commit().await.unwrap();
    }

    /// A member of staff answers on the page.
    async fn answers(&mut self, staff: &str, id: CaseId) {
        let mut tx = self.running.app.db.write().await.unwrap();
        let row = case::store::find(&mut tx, id).await.unwrap().unwrap();
        let answer = acts::Answer {
            text: "Hej! Vi spolar ledningen, vattnet är klart igen vid tolv. Sixten Prov, VA-enheten",
            url: None,
            outcome: None,
            unit: None,
            answered_at: None,
        };
        acts::answer(&mut tx, staff, id, Some(row.revision), answer, self.now()).await.unwrap();
        tx.commit().await.unwrap();
        self.until(self.now()).await;
    }

    /// Stops the program and starts it again later on the same database.
    async fn restart(self, now: Time) -> Self {
        let Self { running, telegram, paper, forum, settings, place, told, lines, database, folder } = self;
        running.stop().await;
        let running = Running::start(unweekly(config(&settings.0, &settings.1, &database.address)), now).await;
        Self { running, telegram, paper, forum, settings, place, told, lines, database, folder }
    }

    async fn presses(&mut self, chat: i64, label: &str) {
        let sent = self.telegram.sent();
        let last = sent.iter().rev().find(|sent| sent.chat_id == chat && !sent.buttons.is_empty()).unwrap();
        self.telegram.press(chat, chat, last.message_id, label).unwrap();
        self.hear().await;
        let (_, answer) = self.telegram.answers().pop().unwrap();
        let _ = writeln!(self.lines, "{} Telegram answers the press: {answer}", clock(self.now()));
    }

    async fn number(&self, sql: &'static str) -> i64 {
        let mut tx = self.running.app.db.read().await.unwrap();
        on!(tx, c => sqlx::query_scalar(sql).fetch_one(c).await).unwrap()
    }

    async fn journal_is_whole(&self) {
        let mut tx = self.running.app.db.read().await.unwrap();
        let verdict = journal::verify(&mut tx).await.unwrap();
        assert!(matches!(verdict, Verdict::Whole { entries } if entries > 0), "{verdict:?}");
    }
}

/// The weekly summary has a story of its own.
fn unweekly(mut config: lyhord::config::Config) -> lyhord::config::Config {
    config.weekly = None;
    config
}

fn clock(at: Time) -> String {
    at.zoned(&lyhord::calendar::stockholm()).strftime("%a %H:%M").to_string()
}

/// A line of the journal in a few words.
fn in_words(entry: &Entry) -> Option<String> {
    let body = entry.json();
    let of = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    let case = entry.case_id.map(|case| case.to_string()).unwrap_or_default();
    let due = || Time::parse(&of("due_at")).map(clock).unwrap_or_default();
    Some(match entry.kind.as_str() {
        "mention.kept" => format!("heard in {}", of("source")),
        "case.opened" => format!("case {case} opened: {} {} {}", of("topic"), of("intent"), of("urgency")),
        "case.joined" => format!("case {case} joined"),
        "case.assigned" => format!("case {case} assigned to {} in {}, due {}", of("owner"), of("unit"), due()),
        "mention.judged" | "reminder.decided" | "promise.broken" => return None,
        "reminder.said" => format!("case {case} said to {}: {}", of("to"), of("stage")),
        "case.taken" => format!("case {case} taken by {}", entry.actor),
        "case.answered" => format!("case {case} answered by {}", entry.actor),
        other => format!("{other} {}", entry.body),
    })
}

/// Sixten's chat.
const SIXTEN: i64 = 1_000;

const BROWN: &str = "Brunt vatten i Nödinge! Sedan i morse kommer det bara brunt vatten ur kranen på Klorvägen, \
                     och det luktar olja. Går det att dricka?";
const LAMP: &str = "När ska gatubelysningen på Starrkärrsvägen i Alafors lagas? Det har varit mörkt i tre veckor och \
                    barnen går där till skolan.";
const ELSEWHERE: &str = "Stockholm får en ny tunnelbana nästa år, säger regionen.";

async fn the_life_of_a_post(engine: Engine) -> String {
    let mut stage = Stage::open(engine, at(0, 8, 0)).await;
    stage.until(at(0, 8, 0)).await;
    stage.binds("sixten-prov", SIXTEN).await;
    stage
        .knows(&[
            "hilda-pahittfors",
            "rut-exempelgren",
            "ulf-pahittsson",
            "tove-fiktivgren",
            "pia-testsson",
            "bo-provberg",
        ])
        .await;

    stage.paper.says("1", BROWN, at(0, 8, 3));
    stage.paper.says("2", ELSEWHERE, at(0, 8, 4));
    stage.until(at(0, 8, 5)).await;
    stage.read_now().await;

    stage.forum.says("f1", BROWN, at(0, 8, 10));
    stage.paper.says("3", LAMP, at(0, 8, 15));
    stage.until(at(0, 8, 20)).await;
    stage.read_now().await;

    let (before, reads) = (stage.told.0, stage.paper.count());
    stage.until(at(0, 8, 30)).await;
    stage.read_now().await;
    assert_eq!(stage.told.0, before, "the same feed again adds nothing");
    assert_eq!(stage.paper.count().unchanged, reads.unchanged + 1, "and is not even sent again");

    stage.until(at(0, 9, 10)).await;
    stage.presses(SIXTEN, "Jag tar det").await;
    stage.until(at(0, 10, 30)).await;
    stage.answers("sixten-prov", CaseId(1)).await;

    stage.until(at(3, 12, 0)).await;
    assert_eq!(stage.number("select count(*) from mentions").await, 3, "the post about Stockholm is not kept");
    assert_eq!(stage.number("select count(distinct cluster_id) from mentions").await, 2);
    assert_eq!(stage.number("select n from tallies where subject = 'source:provbladet' and what = 'seen'").await, 5);
    assert_eq!(stage.number("select n from tallies where subject = 'source:provbladet' and what = 'heard'").await, 3);
    stage.journal_is_whole().await;
    stage.running.stop().await;
    stage.lines
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_a_post_is_this_timetable() {
    let [sqlite, postgres] = ENGINES;
    let told = the_life_of_a_post(sqlite).await;
    assert_eq!(told, the_life_of_a_post(postgres).await, "the same on both databases");
    insta::assert_snapshot!(told, @r"
    Mon 08:00 Telegram to sixten-prov: Klart! Du får nu dina påminnelser här. Skriv /hjalp för att se vad du kan göra.
    Mon 08:05 heard in provbladet
    Mon 08:05 case 1 opened: va felanmalan hog
    Mon 08:05 case 1 assigned to sixten-prov in va, due Mon 16:30
    Mon 08:05 case 1 said to sixten-prov: notice
    Mon 08:05 Telegram to sixten-prov: Du har 1 ärende att hantera i Lyhörd. Tidigast förfaller kl. 16.30. / Ärende 1 / https://lyhord.example.se/logga-in
    Mon 08:20 heard in provbladet
    Mon 08:20 case 2 opened: gata-trafik fraga normal
    Mon 08:20 case 2 assigned to ulf-pahittsson in gata, due Tue 08:15
    Mon 08:20 case 2 said to ulf-pahittsson: notice
    Mon 08:20 Telegram to ulf-pahittsson: Du har 1 ärende att hantera i Lyhörd. Tidigast förfaller tisdag 24 november kl. 08.15. / Ärende 2 / https://lyhord.example.se/logga-in
    Mon 08:20 heard in aleforum
    Mon 08:20 case 1 joined
    Mon 09:10 case 1 taken by sixten-prov
    Mon 09:10 Telegram answers the press: Tack! Ärende 1 är nu ditt.
    Mon 10:30 case 1 answered by sixten-prov
    Mon 12:32 case 2 said to ulf-pahittsson: due-soon
    Mon 12:32 Telegram to ulf-pahittsson: Du har 1 ärende att hantera i Lyhörd. Tidigast förfaller tisdag 24 november kl. 08.15. / Ärende 2 / https://lyhord.example.se/logga-in
    Mon 15:04 case 2 said to ulf-pahittsson: due-close
    Mon 15:04 Telegram to ulf-pahittsson: Du har 1 ärende att hantera i Lyhörd. Tidigast förfaller tisdag 24 november kl. 08.15. / Ärende 2 / https://lyhord.example.se/logga-in
    Tue 08:15 case 2 said to ulf-pahittsson: due
    Tue 08:15 Telegram to ulf-pahittsson: Du har 1 ärende att hantera i Lyhörd. Tidigast förfaller kl. 08.15. / Ärende 2 / https://lyhord.example.se/logga-in
    Tue 10:15 case 2 said to ulf-pahittsson: overdue
    Tue 10:15 Telegram to ulf-pahittsson: Du har 1 ärende att hantera i Lyhörd. Tidigast förfaller kl. 08.15. / Ärende 2 / https://lyhord.example.se/logga-in
    Tue 12:15 case 2 said to tove-fiktivgren: manager
    Tue 12:15 Telegram to tove-fiktivgren: Du har 1 ärende att hantera i Lyhörd. Tidigast förfaller kl. 08.15. / Ärende 2 / https://lyhord.example.se/logga-in
    Tue 16:15 case 2 said to bo-provberg: chief
    Tue 16:15 Telegram to bo-provberg: Du har 1 ärende att hantera i Lyhörd. Tidigast förfaller kl. 08.15. / Ärende 2 / https://lyhord.example.se/logga-in
    ");
}

/// An item of yesterday.
fn earlier(id: &str, text: &str, at: Time) -> Post {
    Post {
        channel: "import".to_owned(),
        native_id: id.to_owned(),
        kind: Kind::Post,
        text: text.to_owned(),
        authored_at: Some(at),
        ..Post::default()
    }
}

async fn import(stage: &mut Stage, posts: &[Post]) -> (usize, usize) {
    let app = stage.running.app.clone();
    let mut tx = app.db.write().await.unwrap();
    let source = source::store::the_import(&mut tx, &Named::import(), stage.now()).await.unwrap();
    let from = From { source, key: "import", imported: true };
    let kept = keep_posts::keep(&app, &mut tx, from, posts, stage.now()).await.unwrap();
    journal::append(&mut tx, &kept.facts).await.unwrap();
    tx.commit().await.unwrap();
    stage.until(stage.now()).await;
    (kept.heard, kept.new)
}

#[tokio::test(flavor = "multi_thread")]
async fn yesterdays_items_imported_raise_no_alarm_and_are_kept_once() {
    for engine in ENGINES {
        let mut stage = Stage::open(engine, at(1, 9, 0)).await;
        stage.knows(&["sixten-prov", "hilda-pahittfors", "rut-exempelgren", "ulf-pahittsson", "tove-fiktivgren"]).await;
        let posts =
            [earlier("a", BROWN, at(0, 9, 0)), earlier("b", LAMP, at(0, 10, 0)), earlier("c", ELSEWHERE, at(0, 11, 0))];
        assert_eq!(import(&mut stage, &posts).await, (2, 2));
        assert_eq!(import(&mut stage, &posts).await, (2, 0), "the same file again");
        assert_eq!(stage.number("select count(*) from mentions where imported").await, 2);
        assert_eq!(
            stage.number("select count(*) from cases where imported and unit is not null").await,
            2,
            "they are somebody's"
        );
        let mut told: Vec<i64> = stage.telegram.sent().iter().map(|sent| sent.chat_id).collect();
        told.dedup();
        assert_eq!(
            (told.len(), stage.telegram.sent().len()),
            (2, 2),
            "each owner is told once, of work and not of danger"
        );
        assert_eq!(stage.number("select count(*) from cases where urgency = 'akut'").await, 0);
        stage.journal_is_whole().await;
        stage.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_on_an_old_post_is_still_found() {
    for engine in ENGINES {
        let mut stage = Stage::open(engine, at(0, 9, 0)).await;
        stage.knows(&["sixten-prov", "hilda-pahittfors", "rut-exempelgren"]).await;
        stage.forum.says("old", BROWN, at(-30, 9, 0));
        stage.until(at(0, 9, 0)).await;
        assert_eq!(stage.number("select count(*) from mentions").await, 1);
        assert_eq!(stage.number("select count(*) from cases where unit is not null and due_at is not null").await, 1);
        assert!(stage.telegram.sent().len() == 1, "its owner is told:\n{}", stage.lines);
        stage.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_reads_from_the_kept_cursor_and_loses_nothing_doubles_nothing() {
    for engine in ENGINES {
        let mut stage = Stage::open(engine, at(0, 9, 0)).await;
        stage.paper.says("1", BROWN, at(0, 8, 0));
        stage.until(at(0, 9, 0)).await;
        stage.until(at(0, 9, 10)).await;
        stage.read_now().await;
        assert_eq!(stage.paper.count(), Count { posts: 1, whole: 1, unchanged: 1 });
        stage = stage.restart(at(0, 9, 30)).await;
        stage.read_now().await;
        assert_eq!(
            stage.paper.count(),
            Count { posts: 1, whole: 1, unchanged: 2 },
            "it asks as one who knows the feed"
        );
        stage.paper.says("2", LAMP, at(0, 9, 40));
        stage = stage.restart(at(0, 9, 45)).await;
        stage.read_now().await;
        assert_eq!(stage.number("select count(*) from mentions").await, 2);
        assert_eq!(stage.number("select count(*) from cases where unit is not null").await, 2);
        assert_eq!(stage.number("select count(*) from journal where kind = 'mention.kept'").await, 2);
        stage.journal_is_whole().await;
        stage.running.stop().await;
    }
}
