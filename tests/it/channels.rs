//! What every channel has in common, in told time: our own answers, edits, deletions, watched threads, and sources that
//! somebody must look after.

use std::time::Duration;

use lyhord::clock::Time;
use lyhord::id::{CaseId, SourceId};
use lyhord::jobs::keep_posts::{self, From};
use lyhord::journal::{self, Verdict};
use lyhord::source::{self, Gone, Kind, Name, Post, channel_store};
use lyhord::{case, chat, on, response};

use crate::fake_telegram::{self, FakeTelegram};
use crate::harness::{Database, ENGINES, Engine, at, database};
use crate::running::{Running, config};

const TOKEN: &str = "123456:TEST-token-of-no-bot";
const BROWN: &str = "Brunt vatten ur kranen i Nol sedan i morse, vem på Ale kommun kan svara?";

/// The whole program with one source that is never read by itself, and an account in the channel `torget`.
pub struct Stage {
    pub running: Running,
    pub telegram: FakeTelegram,
    database: Database,
    _folder: tempfile::TempDir,
}

impl Stage {
    /// `sources` is what `config/sources.toml` says.
    pub async fn open(engine: Engine, sources: &str, now: Time) -> Self {
        Self::with(engine, sources, true, now).await
    }

    /// The same where nobody has set up a chat.
    pub async fn without_chat(engine: Engine, sources: &str, now: Time) -> Self {
        Self::with(engine, sources, false, now).await
    }

    async fn with(engine: Engine, sources: &str, chat: bool, now: Time) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        std::fs::write(&token, TOKEN).unwrap();
        let telegram = FakeTelegram::new(TOKEN);
        let bot = crate::fake_feed::serve(fake_telegram::app(telegram.clone())).await;
        let mut service = "[municipality]\nname = \"Ale kommun\"\ncontact = \"test@example.se\"\n\
             base_url = \"https://lyhord.example.se/\"\n"
            .to_owned();
        if chat {
            let (file, bot) = (token.display().to_string(), bot.to_string());
            let chat =
                ["[chat.telegram]\ntoken_file = \"", &file, "\"\nmode = \"off\"\napi_base = \"http://", &bot, "\"\n"];
            service.push_str(&chat.concat());
        }
        let database = database(engine);
        let running = Running::start(config(&service, sources, &database.address), now).await;
        Self { running, telegram, database, _folder: folder }
    }

    pub fn now(&self) -> Time {
        self.running.app.clock.now()
    }

    /// Where its database is, for another process.
    pub fn address(&self) -> &str {
        &self.database.address
    }

    pub async fn until(&self, now: Time) {
        self.running.until(now).await;
    }

    pub async fn source(&self, key: &str) -> source::store::SourceRow {
        let mut tx = self.running.app.db.read().await.unwrap();
        source::store::by_key(&mut tx, key).await.unwrap().unwrap()
    }

    /// Posts come in from a source, as they do from its reader.
    pub async fn hears(&self, key: &str, posts: &[Post], gone: &[Gone]) {
        let id: SourceId = self.source(key).await.id;
        let app = &self.running.app;
        let mut tx = app.db.write().await.unwrap();
        let from = From { source: id, key, imported: false };
        let kept = keep_posts::keep(app, &mut tx, from, posts, self.now()).await.unwrap();
        let mut facts = kept.facts;
        facts.extend(keep_posts::take_away(&mut tx, from, "torget", gone, self.now()).await.unwrap());
        journal::append(&mut tx, &facts).await.unwrap();
        tx.commit().await.unwrap();
        self.running.settle().await;
    }

    pub async fn case(&self, id: i64) -> case::store::CaseRow {
        let mut tx = self.running.app.db.read().await.unwrap();
        case::store::find(&mut tx, CaseId(id)).await.unwrap().unwrap()
    }

    pub async fn number(&self, sql: &'static str) -> i64 {
        let mut tx = self.running.app.db.read().await.unwrap();
        on!(tx, c => sqlx::query_scalar(sql).fetch_one(c).await).unwrap()
    }

    /// How often each kind of fact stands in the journal that is among `kinds`.
    pub async fn facts(&self, kinds: &[&str]) -> Vec<i64> {
        let mut tx = self.running.app.db.read().await.unwrap();
        let all = journal::after(&mut tx, 0, 10_000).await.unwrap();
        kinds.iter().map(|kind| i64::try_from(all.iter().filter(|e| e.kind == *kind).count()).unwrap()).collect()
    }

    pub async fn ends_whole(self) {
        let mut tx = self.running.app.db.read().await.unwrap();
        let verdict = journal::verify(&mut tx).await.unwrap();
        assert!(matches!(verdict, Verdict::Whole { .. }), "{verdict:?}");
        drop(tx);
        self.running.stop().await;
    }

    /// The keeper of the system has bound a chat.
    pub async fn keeper_has_a_chat(&self) {
        let organisation = &self.running.app.config.organisation;
        let keeper =
            organisation.staff.iter().find(|staff| staff.roles.contains(&lyhord::assignment::Role::Admin)).unwrap();
        let mut tx = self.running.app.db.write().await.unwrap();
        chat::store::bind_voice(&mut tx, &keeper.key, "telegram", "4000", self.now()).await.unwrap();
        tx.commit().await.unwrap();
        self.telegram.start(4_000);
    }
}

/// A source that is paused: the test says what it hears.
const TORGET: &str = "[[source]]\nkey = \"torget\"\nname = \"Torget\"\nkind = \"feed\"\nchannel = \"torget\"\n\
    address = \"https://torget.example/feed\"\npaused = true\n\
    [[account]]\nkey = \"vi\"\nchannel = \"torget\"\nhandle = \"@ale\"\nid = \"id:ale\"\n";

fn post(id: &str, text: &str, at: Time) -> Post {
    Post {
        channel: "torget".to_owned(),
        native_id: id.to_owned(),
        url: Some(format!("https://torget.example/{id}")),
        kind: Kind::Post,
        text: text.to_owned(),
        writer: Some("id:somebody".to_owned()),
        authored_at: Some(at),
        ..Post::default()
    }
}

fn ours(id: &str, to: &str, text: &str, at: Time) -> Post {
    Post {
        kind: Kind::Comment,
        reply_to: Some(to.to_owned()),
        thread: Some("q".to_owned()),
        writer: Some("id:ale".to_owned()),
        ..post(id, text, at)
    }
}

const ANSWER: &str = "Hej! Vi spolar ledningen, vattnet är klart vid tolv.";

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_the_channel_fulfils_the_promise_at_its_own_time_and_a_false_breach_is_withdrawn() {
    for engine in ENGINES {
        let stage = Stage::open(engine, TORGET, at(0, 8, 0)).await;
        stage.hears("torget", &[post("q", BROWN, at(0, 8, 0))], &[]).await;
        let asked = stage.case(1).await;
        assert_eq!(asked.state, "assigned");
        // We answered in time, in the channel itself; the source was down and we read it two days later.
        let answered_at = at(0, 9, 30);
        assert!(answered_at < asked.due_at.unwrap());
        stage.until(at(2, 15, 0)).await;
        stage.hears("torget", &[ours("a", "q", ANSWER, answered_at)], &[]).await;
        let row = stage.case(1).await;
        assert_eq!(row.first_answer_at, Some(answered_at), "the channel's time, not ours");
        assert_eq!(stage.facts(&["case.answered_in_channel", "case.breach_withdrawn"]).await, [1, 1]);
        assert_eq!(stage.number("select count(*) from cases").await, 1, "our own post is no case");
        let mut tx = stage.running.app.db.read().await.unwrap();
        let given = response::store::of_case(&mut tx, row.id, 9).await.unwrap();
        assert_eq!((given[0].written_by.as_str(), given[0].answered_at), ("kanal:torget", answered_at));
        assert!(channel_store::thread_watched(&mut tx, "torget", "q", at(13, 0, 0)).await.unwrap());
        assert!(!channel_store::thread_watched(&mut tx, "torget", "q", at(15, 0, 0)).await.unwrap(), "for 14 days");
        drop(tx);
        // The same page again changes nothing.
        stage.hears("torget", &[ours("a", "q", ANSWER, answered_at)], &[]).await;
        assert_eq!(stage.number("select count(*) from responses").await, 1);
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_our_own_account_posts_by_itself_keeps_no_promise() {
    for engine in ENGINES {
        let sources = format!("{TORGET}automatic = [\"Tack för ditt meddelande!\"]\n");
        let stage = Stage::open(engine, &sources, at(0, 8, 0)).await;
        stage.hears("torget", &[post("q", BROWN, at(0, 8, 0))], &[]).await;
        stage.until(at(0, 8, 10)).await;
        let machine = ours("m", "q", "@eva Tack för ditt meddelande!", at(0, 8, 1));
        stage.hears("torget", &[machine], &[]).await;
        assert_eq!(stage.case(1).await.first_answer_at, None, "nobody has answered");
        assert_eq!(stage.facts(&["case.answered_in_channel"]).await, [0]);
        assert_eq!(stage.number("select count(*) from mentions").await, 1, "it leaves nothing, as a letter's does");
        stage.until(at(0, 9, 40)).await;
        let person = format!("@eva Tack för ditt meddelande! {ANSWER}");
        stage.hears("torget", &[ours("a", "q", &person, at(0, 9, 30))], &[]).await;
        assert_eq!(stage.case(1).await.first_answer_at, Some(at(0, 9, 30)), "who goes on in her own words answers");
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_a_person_has_registered_stays_hers_and_gets_the_channels_time() {
    let stage = Stage::open(Engine::Sqlite, TORGET, at(0, 8, 0)).await;
    stage.hears("torget", &[post("q", BROWN, at(0, 8, 0))], &[]).await;
    let row = stage.case(1).await;
    stage.until(at(0, 10, 0)).await;
    let mut tx = stage.running.app.db.write().await.unwrap();
    let intent = lyhord::classification::Intent::from_slug(&row.intent).unwrap();
    let outcome = case::needs_outcome(intent).then_some(case::Outcome::Changed);
    let answer = response::acts::Answer {
        text: ANSWER,
        url: Some("https://torget.example/a?utm_source=x"),
        outcome,
        unit: None,
        answered_at: None,
    };
    response::acts::answer(&mut tx, "sixten-prov", row.id, None, answer, at(0, 10, 0)).await.unwrap();
    tx.commit().await.unwrap();
    stage.running.settle().await;
    stage.hears("torget", &[ours("a", "q", ANSWER, at(0, 9, 40))], &[]).await;
    let row = stage.case(1).await;
    assert_eq!((row.state.as_str(), row.first_answer_at), ("answered", Some(at(0, 9, 40))));
    let mut tx = stage.running.app.db.read().await.unwrap();
    let given = response::store::of_case(&mut tx, row.id, 9).await.unwrap();
    assert_eq!(given.len(), 1, "the same answer is not written twice");
    assert_eq!(given[0].written_by, "sixten-prov");
    drop(tx);
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_citizen_writes_after_our_answer_has_a_promise_of_its_own() {
    for engine in ENGINES {
        let stage = Stage::open(engine, TORGET, at(0, 8, 0)).await;
        let asked = Post { thread: Some("q".to_owned()), ..post("q", BROWN, at(0, 8, 0)) };
        stage.hears("torget", &[asked], &[]).await;
        stage.until(at(0, 9, 0)).await;
        stage.hears("torget", &[ours("a", "q", ANSWER, at(0, 9, 0))], &[]).await;
        assert_eq!(stage.case(1).await.state, "answered");
        stage.until(at(2, 10, 0)).await;
        let after = "select count(*) from reminders where case_id = 1 and stage <> 'notice'";
        assert_eq!(stage.number(after).await, 0, "we spoke last: nobody is reminded");
        let again = Post {
            reply_to: Some("a".to_owned()),
            thread: Some("q".to_owned()),
            kind: Kind::Comment,
            ..post("q2", "Vattnet är fortfarande brunt hos oss i Nol, när blir det bra?", at(2, 10, 0))
        };
        stage.hears("torget", &[again], &[]).await;
        let row = stage.case(2).await;
        assert_eq!((row.state.as_str(), row.first_answer_at), ("assigned", None));
        assert!(row.due_at.unwrap() > at(2, 10, 0), "counted from what she wrote now");
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_that_hear_one_thread_at_once_open_one_case() {
    let stage = Stage::open(Engine::Postgres, TORGET, at(0, 8, 0)).await;
    let app = &stage.running.app;
    let mut first = app.db.write().await.unwrap();
    first.one_at_a_time("open cases").await.unwrap();
    let id: SourceId = stage.source("torget").await.id;
    let asked = Post { thread: Some("q".to_owned()), ..post("q", BROWN, at(0, 8, 0)) };
    let mut tx = app.db.write().await.unwrap();
    let from = From { source: id, key: "torget", imported: false };
    keep_posts::keep(app, &mut tx, from, &[asked], stage.now()).await.unwrap();
    tx.commit().await.unwrap();
    let judged = "select count(*) from mentions where classification_id is not null";
    while stage.number(judged).await == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(stage.number("select count(*) from cases").await, 0, "another worker is opening cases");
    first.commit().await.unwrap();
    stage.running.settle().await;
    assert_eq!(stage.number("select count(*) from cases").await, 1);
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opinion_answered_in_the_channel_still_owes_what_came_of_it() {
    for engine in ENGINES {
        let stage = Stage::open(engine, TORGET, at(0, 8, 0)).await;
        let complaint =
            "Jag klagar på Ale kommun: soporna i Nödinge har inte hämtats på tre veckor, det är under all kritik!";
        stage.hears("torget", &[post("q", complaint, at(0, 8, 0))], &[]).await;
        let asked = stage.case(1).await;
        assert_eq!(asked.intent, "klagomal");
        stage.hears("torget", &[ours("a", "q", ANSWER, at(0, 8, 0))], &[]).await;
        let row = stage.case(1).await;
        assert_eq!((row.state.as_str(), row.outcome_owed, row.closed_at), ("assigned", true, None));
        assert_eq!(row.first_answer_at, Some(at(0, 8, 0)));
        assert_eq!(row.promised_at(), asked.resolve_by, "the next promise runs");
        stage.until(at(1, 12, 0)).await;
        assert_eq!(
            stage.number("select count(*) from reminders where stage in ('due', 'overdue')").await,
            0,
            "nobody is told that the first answer is late"
        );
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_read_before_its_question_still_counts() {
    for engine in ENGINES {
        let stage = Stage::open(engine, TORGET, at(0, 9, 0)).await;
        stage.hears("torget", &[ours("a", "q", ANSWER, at(0, 8, 30))], &[]).await;
        assert_eq!(stage.number("select count(*) from cases").await, 0);
        stage.hears("torget", &[post("q", BROWN, at(0, 8, 0))], &[]).await;
        let row = stage.case(1).await;
        assert_eq!((row.first_answer_at, row.unit.is_some()), (Some(at(0, 8, 30)), true));
        assert_eq!(stage.facts(&["case.answered_in_channel"]).await, [1]);
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_goes_before_ours_gives_no_answer_from_the_future_nor_from_before_the_question() {
    let stage = Stage::open(Engine::Sqlite, TORGET, at(0, 9, 0)).await;
    stage.hears("torget", &[post("q", BROWN, at(0, 8, 0))], &[]).await;
    stage.hears("torget", &[ours("a", "q", ANSWER, at(3, 9, 0))], &[]).await;
    assert_eq!(stage.case(1).await.first_answer_at, Some(at(0, 9, 0)));
    stage.hears("torget", &[ours("b", "q", "Hej igen, nu är det klart.", at(-3, 9, 0))], &[]).await;
    assert_eq!(stage.case(1).await.first_answer_at, Some(at(0, 8, 0)));
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_a_new_version_and_a_deletion_a_tombstone_and_both_stand_in_the_journal() {
    for engine in ENGINES {
        let stage = Stage::open(engine, TORGET, at(0, 8, 0)).await;
        stage.hears("torget", &[post("q", BROWN, at(0, 8, 0))], &[]).await;
        let changed = Post {
            updated_at: Some(at(0, 8, 20)),
            ..post("q", "Nu är vattnet i Nol klart igen, tack Ale kommun!", at(0, 8, 0))
        };
        stage.hears("torget", std::slice::from_ref(&changed), &[]).await;
        stage.hears("torget", &[changed], &[]).await;
        assert_eq!(stage.number("select version from mentions").await, 2, "the same edit again is no third version");
        assert_eq!(stage.number("select count(*) from mention_versions where body like 'Brunt%'").await, 1);
        let gone = |name: &str| Gone { name: Name::Native(name.to_owned()), at: Some(at(0, 8, 30)) };
        stage.hears("torget", &[], &[gone("q"), gone("somebody-elses")]).await;
        stage.hears("torget", &[post("q", BROWN, at(0, 8, 0))], &[gone("q")]).await;
        assert_eq!(stage.number("select count(*) from mentions where deleted_at is not null and body <> ''").await, 1);
        assert_eq!(stage.facts(&["mention.edited", "mention.deleted"]).await, [1, 1]);
        assert_eq!(stage.number("select count(*) from cases").await, 1);
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_takes_our_name_away_is_still_a_version() {
    for engine in ENGINES {
        let stage = Stage::open(engine, TORGET, at(0, 8, 0)).await;
        stage.hears("torget", &[post("q", BROWN, at(0, 8, 0))], &[]).await;
        let edited = |id: &str, text: &str| Post { updated_at: Some(at(0, 8, 20)), ..post(id, text, at(0, 8, 0)) };
        let elsewhere = "Säljer en kattunge, hämtas i Malmö.";
        stage.hears("torget", &[edited("q", elsewhere), edited("x", elsewhere)], &[]).await;
        assert_eq!(stage.number("select count(*) from mentions").await, 1, "what was never ours is not kept");
        assert_eq!(stage.number("select count(*) from mentions where body like 'Säljer%' and version = 2").await, 1);
        assert_eq!(stage.number("select count(*) from mention_versions where body like 'Brunt%'").await, 1);
        assert_eq!(stage.facts(&["mention.kept", "mention.edited"]).await, [1, 1]);
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_to_us_is_kept_though_no_rule_hears_it() {
    let stage = Stage::open(Engine::Sqlite, TORGET, at(0, 8, 0)).await;
    let thanks = "Tack, men det funkar fortfarande inte. Kan ni komma hit?";
    stage.hears("torget", &[post("x", thanks, at(0, 8, 0))], &[]).await;
    assert_eq!(stage.number("select count(*) from mentions").await, 0, "what is not ours is never stored");
    stage.hears("torget", &[Post { to_us: true, ..post("y", thanks, at(0, 8, 0)) }], &[]).await;
    assert_eq!(stage.number("select count(*) from cases where unit is not null").await, 1);
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_no_database_keeps_stops_no_batch() {
    for engine in ENGINES {
        let stage = Stage::open(engine, TORGET, at(0, 8, 0)).await;
        let nul = |text: &str| Some(format!("{text}\0"));
        let hostile = Post {
            author: nul("Nån"),
            title: nul("Vatten"),
            language: nul("sv"),
            thread: nul("t"),
            reply_to: nul("r"),
            local_id: nul("7"),
            url: nul("https://torget.example/x"),
            writer: nul("id:x"),
            ..post("x\0", &format!("{BROWN}\0"), at(0, 8, 0))
        };
        stage
            .hears(
                "torget",
                &[hostile.clone(), post("y", "Gatlampan vid Ale kommuns skola i Nol är trasig.", at(0, 8, 0))],
                &[],
            )
            .await;
        assert_eq!(stage.number("select count(*) from mentions where native_id in ('x', 'y')").await, 2);
        let gone = Gone { name: Name::Native("x\0".to_owned()), at: None };
        stage.hears("torget", &[hostile], &[gone]).await;
        assert_eq!(stage.number("select count(*) from mentions where deleted_at is not null").await, 1);
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_turns_blind_is_told_to_the_keeper_once_a_turn_in_working_hours() {
    for engine in ENGINES {
        let sources = "[[source]]\nkey = \"borta\"\nname = \"Borta\"\nkind = \"feed\"\naddress = \"http://127.0.0.1:9/feed\"\n\
                       interval_minutes = 30\n[[source]]\nkey = \"borta2\"\nname = \"Borta 2\"\nkind = \"feed\"\n\
                       address = \"http://10.0.0.1/feed\"\ninterval_minutes = 30\n";
        // An inner address is refused at the first reading: dead at once. It is two o'clock in the night.
        let stage = Stage::open(engine, sources, at(1, 2, 0)).await;
        stage.keeper_has_a_chat().await;
        stage.until(at(1, 2, 0)).await;
        assert_eq!(stage.source("borta2").await.health, "dead");
        stage.until(at(1, 3, 0)).await;
        assert_eq!(stage.telegram.sent().len(), 0, "nobody is woken");
        stage.until(at(1, 12, 0)).await;
        let told: Vec<String> = stage.telegram.sent().into_iter().map(|sent| sent.text).collect();
        assert_eq!(told, ["2 källor i Lyhörd behöver tillsyn.\nhttps://lyhord.example.se/logga-in"], "one message");
        stage.until(at(1, 15, 0)).await;
        assert_eq!(stage.telegram.sent().len(), 1, "once a turn");
        assert_eq!(stage.facts(&["source.warned"]).await, [2]);
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_supervision_shows_a_gap_as_a_gap() {
    let feed = crate::fake_feed::FakeFeed::default();
    feed.says("1", BROWN, at(0, 7, 0));
    let address = crate::fake_feed::serve(crate::fake_feed::app(feed)).await;
    let sources = format!(
        "[[source]]\nkey = \"bladet\"\nname = \"Bladet\"\nkind = \"feed\"\naddress = \"http://{address}/feed.xml\"\nlocal = true\n\
         interval_minutes = 30\n"
    );
    let stage = Stage::open(Engine::Sqlite, &sources, at(0, 8, 0)).await;
    for minutes in [0, 40, 80] {
        stage.until(at(0, 8, 0).plus(Duration::from_mins(minutes))).await;
    }
    stage.until(at(0, 14, 0)).await; // the machine slept
    let id = stage.source("bladet").await.id;
    let mut tx = stage.running.app.db.read().await.unwrap();
    let stretches = channel_store::stretches(&mut tx, id, at(0, 0, 0), 9).await.unwrap();
    let seen: Vec<_> = stretches.iter().map(|stretch| (stretch.from, stretch.until, stretch.readings)).collect();
    assert_eq!(seen, [(at(0, 8, 0), at(0, 9, 20), 3), (at(0, 14, 0), at(0, 14, 0), 1)]);
    let log = lyhord::web::supervision::log(&mut tx, at(0, 0, 0), at(0, 14, 0)).await.unwrap();
    drop(tx);
    let lines: Vec<_> = log
        .iter()
        .flat_map(|(source, spans)| {
            spans.iter().map(|span| source::supervision::Line {
                source: &source.name,
                channel: &source.channel,
                span: *span,
            })
        })
        .collect();
    let csv = source::supervision::csv(&lines);
    assert!(csv.contains("Bladet;rss;glapp;2026-11-23 09:20:00;2026-11-23 14:00:00;\r\n"), "{csv}");
    stage.ends_whole().await;
}
