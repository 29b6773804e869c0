//! A rush: many people write about one topic in a short time. It is told once, stands in the inbox, and ends. One angry
//! person, copies of one text, what was written yesterday and what is imported are none.

use lyhord::app::App;
use lyhord::clock::{Clock, Time};
use lyhord::config::Overrides;
use lyhord::jobs::keep_posts::{self, From};
use lyhord::source::store::Named;
use lyhord::source::{self, Kind, Post};
use lyhord::{chat, jobs, journal};

use crate::channels::Stage;
use crate::harness::{ENGINES, Engine, at};
use crate::pages::{CHIEF, OF_STREETS};
use crate::running::config;
use crate::tips::page;

const FORUM: &str = "[[source]]\nkey = \"forum\"\nname = \"Forum\"\nkind = \"feed\"\nchannel = \"forum\"\n\
    address = \"https://forum.example/feed\"\npaused = true\n";

const WATER: [&str; 12] = [
    "Inget vatten i kranen på Ängsvägen i Nödinge sedan klockan åtta.",
    "Är det en vattenläcka vid torget i Nödinge? Det forsar ut på gatan.",
    "Brunt vatten ur kranen hemma i Nödinge, går det att dricka?",
    "Hela vår trappuppgång i Nödinge saknar vatten, när kommer det tillbaka?",
    "Avloppet luktar och dricksvattnet är borta mitt i Nödinge.",
    "Någon annan som har dåligt vattentryck i Nödinge i dag?",
    "Kommunen borde skicka sms när vattnet stängs av i Nödinge!",
    "Vattnet är avstängt hos mormor i Nödinge och hon kan inte spola.",
    "Ska vi koka kranvattnet i Nödinge eller köpa på flaska?",
    "Finns det någon tankbil med dricksvatten i Nödinge?",
    "Diskmaskinen stannade, inget vatten alls. Nödinge, är vi fler?",
    "Vattenavbrott igen i Nödinge, tredje gången i höst. Uselt.",
];

fn post(n: usize, author: &str, text: &str, at: Time) -> Post {
    Post {
        channel: "forum".to_owned(),
        native_id: format!("{author}/{n}"),
        kind: Kind::Post,
        author: Some(author.to_owned()),
        text: text.to_owned(),
        authored_at: Some(at),
        ..Post::default()
    }
}

/// Twelve texts, each by its own writer or all by one, five minutes between them.
fn twelve(by: fn(usize) -> String, from: Time) -> Vec<Post> {
    let later = |n: usize| Time(from.0 + i64::try_from(n).unwrap() * 300_000);
    WATER.iter().enumerate().map(|(n, text)| post(n, &by(n), text, later(n))).collect()
}

fn each_by_another(n: usize) -> String {
    format!("skribent-{n}")
}

async fn stage(engine: Engine, now: Time) -> Stage {
    let stage = Stage::open(engine, FORUM, now).await;
    let mut tx = stage.running.app.db.write().await.unwrap();
    chat::store::bind_voice(&mut tx, "gosta-pahitt", "telegram", "5000", now).await.unwrap();
    tx.commit().await.unwrap();
    stage.telegram.start(5_000);
    stage
}

/// The next sweep, and what comes of it.
async fn looks(stage: &Stage) {
    let now = stage.now();
    stage.until(Time(now.0 + 60_000)).await;
}

fn told(stage: &Stage) -> Vec<String> {
    let all = stage.telegram.sent().into_iter().filter(|sent| sent.chat_id == 5_000);
    all.map(|sent| sent.text).filter(|text| text.contains("Ovanligt många")).collect()
}

/// Twelve people have written in the last hour, and it has been seen that this is a rush.
async fn begun(engine: Engine) -> Stage {
    let stage = stage(engine, at(1, 10, 0)).await;
    stage.hears("forum", &twelve(each_by_another, at(1, 9, 0)), &[]).await;
    looks(&stage).await;
    assert_eq!(stage.facts(&["rush.began", "rush.ended"]).await, [1, 0]);
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_people_in_an_hour_are_a_rush_that_is_told_once_shown_and_ended() {
    for engine in ENGINES {
        let stage = begun(engine).await;
        assert_eq!(stage.number("select count(*) from rushes where topic = 'va' and ended_at is null").await, 1);
        let [said] = told(&stage).try_into().unwrap();
        assert!(said.starts_with("Ovanligt många har skrivit om ett och samma ämne sedan kl. 07.00."), "{said}");
        assert!(!said.contains("atten") && !said.contains("skribent"), "a chat abroad hears no topic: {said}");
        let inbox = page(&stage, CHIEF, "/inkorg").await;
        assert!(inbox.contains("Ovanligt många skriver om Vatten och avlopp sedan 10.00: som mest 1"), "{inbox}");
        assert!(inbox.contains("skribenter på 3 timmar, mot 0 som brukligt."), "{inbox}");
        assert!(inbox.contains("href=\"/inkorg?amne=va\""), "{inbox}");
        let elsewhere = page(&stage, OF_STREETS, "/inkorg").await;
        assert!(!elsewhere.contains("Ovanligt många"), "another unit has its own work");

        looks(&stage).await;
        assert_eq!(told(&stage).len(), 1, "once, not once a minute");
        stage.until(at(1, 13, 30)).await;
        looks(&stage).await;
        assert_eq!(stage.facts(&["rush.began", "rush.ended"]).await, [1, 1]);
        let inbox = page(&stage, CHIEF, "/inkorg").await;
        assert!(inbox.contains("Ovanligt många skrev om Vatten och avlopp från 10.00 till 13.3"), "{inbox}");
        let journal = page(&stage, CHIEF, "/inkorg").await;
        assert!(!journal.contains("skribent-"), "nobody is named");
        stage.until(at(2, 14, 0)).await;
        assert!(!page(&stage, CHIEF, "/inkorg").await.contains("Ovanligt många"), "a day later it is gone");
        assert_eq!(told(&stage).len(), 1);
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_angry_person_and_one_article_in_forty_papers_are_no_rush() {
    for engine in ENGINES {
        let stage = stage(engine, at(1, 10, 0)).await;
        stage.hears("forum", &twelve(|_| "en-arg".to_owned(), at(1, 9, 0)), &[]).await;
        let copies: Vec<Post> = (0..40).map(|n| post(n, &format!("tidning-{n}"), WATER[0], at(1, 9, 30))).collect();
        stage.hears("forum", &copies, &[]).await;
        looks(&stage).await;
        assert!(stage.number("select count(*) from mentions").await > 40, "all were kept");
        assert_eq!(stage.number("select count(*) from rushes").await, 0);
        assert!(told(&stage).is_empty());
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_19_what_was_written_yesterday_and_what_is_imported_raise_no_rush() {
    for engine in ENGINES {
        let stage = stage(engine, at(1, 10, 0)).await;
        // Found today, written yesterday.
        stage.hears("forum", &twelve(each_by_another, at(0, 9, 0)), &[]).await;
        looks(&stage).await;
        // Imported, however new it is.
        let app = &stage.running.app;
        let mut tx = app.db.write().await.unwrap();
        let source = source::store::the_import(&mut tx, &Named::import(), stage.now()).await.unwrap();
        let from = From { source, key: "import", imported: true };
        let posts = twelve(|n| format!("tidigare-{n}"), at(1, 9, 0));
        let kept = keep_posts::keep(app, &mut tx, from, &posts, stage.now()).await.unwrap();
        journal::append(&mut tx, &kept.facts).await.unwrap();
        tx.commit().await.unwrap();
        stage.running.settle().await;
        looks(&stage).await;
        assert_eq!(stage.number("select count(*) from mentions where imported").await, 12);
        assert_eq!(stage.number("select count(*) from rushes").await, 0);
        assert!(told(&stage).is_empty());
        // The same said today, and heard: that it is a rush is seen.
        stage.hears("forum", &twelve(|n| format!("nu-{n}"), at(1, 9, 1)), &[]).await;
        looks(&stage).await;
        assert_eq!(stage.number("select count(*) from rushes").await, 1);
        assert_eq!(told(&stage).len(), 1);
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_at_work_hears_of_a_rush_when_she_is_and_since_when_it_was() {
    let stage = stage(Engine::Sqlite, at(1, 21, 0)).await;
    stage.hears("forum", &twelve(each_by_another, at(1, 20, 0)), &[]).await;
    looks(&stage).await;
    assert_eq!(stage.number("select count(*) from rushes").await, 1);
    assert!(told(&stage).is_empty(), "nobody is woken");
    stage.until(at(2, 8, 0)).await;
    let [said] = told(&stage).try_into().unwrap();
    assert!(
        said.starts_with("Ovanligt många har skrivit om ett och samma ämne sedan tisdag 24 november kl. 18.00."),
        "{said}"
    );
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_alarm_is_switched_off_what_lasted_is_over_and_nothing_begins() {
    for engine in ENGINES {
        let stage = begun(engine).await;
        let service = "[municipality]\nname = \"Ale kommun\"\ncontact = \"test@example.se\"\n\
             base_url = \"https://lyhord.example.se/\"\n[rush]\nhours = 0\n";
        let off = App::open(config(service, FORUM, stage.address()), Clock::manual(stage.now())).await.unwrap();
        for _ in 0..2 {
            jobs::watch_rushes::run(&off, stage.now()).await.unwrap();
        }
        off.db.close().await;
        assert_eq!(stage.facts(&["rush.began", "rush.ended"]).await, [1, 1]);
        stage.ends_whole().await;
    }
}

#[test]
fn a_limit_that_makes_no_sense_is_said_with_what_is_expected() {
    let service = "[municipality]\nname = \"Ale\"\ncontact = \"a@b.se\"\nbase_url = \"https://l.example.se/\"\n\
         [rush]\nhours = 48\npost = 3\n";
    let empty = ["sources.toml", "organisation.toml", "words.toml", "lexicon.toml"].map(|name| (name, ""));
    let texts = [("lyhord.toml", service), empty[0], empty[1], empty[2], empty[3]];
    let problems = lyhord::config::read_texts(texts, &Overrides::default()).unwrap_err();
    let said: Vec<String> =
        problems.iter().map(ToString::to_string).filter(|said| said.starts_with("lyhord.toml")).collect();
    assert!(said.iter().any(|said| said.contains(":6:") && said.contains('0') && said.contains("24")), "{said:?}");
    assert!(
        said.iter().any(|said| said.contains(":7:") && said.contains("post") && said.contains("posts")),
        "{said:?}"
    );
}
