//! Letters, and a mail server that breaks its word in the middle of them: none is lost, none is doubled, and none is passed
//! over without a word.

use std::time::{Duration, Instant};

use lyhord::source::Health;

use crate::dovecot::Dovecot;
use crate::fake_imap::{FakeImap, Fault};
use crate::harness::{ENGINES, Engine, at};
use crate::mail::{PostBox, letter};

const NOON: &str = "23-Nov-2026 07:30:00 +0100";
const FIRST: &str = "Brunt vatten ur kranen i Nol sedan i morse, vem på Ale kommun kan svara?";
const SECOND: &str = "Gungan på lekplatsen i Surte är trasig, när lagar Ale kommun den?";
const THIRD: &str = "Hur söker man bygglov för ett växthus i Älvängen hos Ale kommun?";
const KEPT: &str = "select count(*) from mentions";
const NAMES: &str = "select count(distinct native_id) from mentions";

/// A box with these letters, at a server that is told what to do wrong.
async fn open(letters: &[&str]) -> (FakeImap, PostBox) {
    let fake = FakeImap::default();
    for (n, text) in letters.iter().enumerate() {
        fake.delivers(&letter(&n.to_string(), "Hej", "", text), NOON);
    }
    let post = PostBox::open(Engine::Sqlite, fake.serve().await, "idle = false\ntakes = \"everything\"").await;
    (fake, post)
}

async fn ends(fake: &FakeImap, post: PostBox) {
    fake.was_only_looked_at();
    post.stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_a_bad_or_a_goodbye_between_two_letters_loses_none_of_them() {
    for fault in [
        Fault::Says("TAG NO [UNAVAILABLE] later\r\n"),
        Fault::Says("TAG NO Server error\r\n"),
        Fault::Says("TAG BAD what\r\n"),
        Fault::Leaves("* BYE shutting down\r\n"),
        Fault::Leaves(""),
        Fault::Cut,
    ] {
        let (fake, post) = open(&[FIRST, SECOND, THIRD]).await;
        fake.goes_wrong("UID FETCH 2 ", &[fault]);
        post.reads().await;
        let row = post.stage.source("brev").await;
        assert_eq!(post.stage.number(KEPT).await, 1, "{fault:?}: {}", row.health_why);
        assert!(row.cursor.contains("\"uid\":1"), "{fault:?}: the place is at the first: {}", row.cursor);
        assert_eq!(Health::from_slug(&row.health), Health::Degraded, "{fault:?}");
        assert!(row.health_why.contains("resten läses nästa gång"), "{fault:?}: {}", row.health_why);
        post.reads().await;
        assert_eq!(post.texts().await, [FIRST, SECOND, THIRD], "{fault:?}");
        assert_eq!(post.stage.source("brev").await.health, Health::Ok.slug(), "{fault:?}");
        assert_eq!(post.stage.facts(&["mention.kept", "source.missed"]).await, [3, 0], "{fault:?}");
        ends(&fake, post).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_to_the_search_or_to_the_sizes_is_no_empty_box() {
    for question in ["UID SEARCH", "UID FETCH 1,2 "] {
        let (fake, post) = open(&[FIRST, SECOND]).await;
        fake.goes_wrong(question, &[Fault::Says("TAG NO Server error\r\n")]);
        post.reads().await;
        let row = post.stage.source("brev").await;
        assert_eq!(
            (row.failures, row.cursor.as_str()),
            (1, "null"),
            "{question}: where we stopped is where we stopped"
        );
        post.reads().await;
        assert_eq!(post.texts().await, [FIRST, SECOND], "{question}: what lay there from the beginning is read");
        ends(&fake, post).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_is_always_refused_is_passed_over_and_told_and_one_that_has_gone_is_neither() {
    let (fake, post) = open(&[FIRST, SECOND]).await;
    fake.goes_wrong("UID FETCH 1 ", &[Fault::Says("TAG NO Cannot read message\r\n"); 9]);
    for _ in 0..8 {
        post.stage.until(post.stage.now().plus(Duration::from_hours(1))).await;
    }
    assert_eq!(post.texts().await, [SECOND]);
    assert_eq!(post.stage.facts(&["source.missed"]).await, [1]);
    ends(&fake, post).await;

    let (fake, post) = open(&[FIRST, SECOND]).await;
    fake.goes_wrong("UID FETCH 1 ", &[Fault::Says("TAG NO [EXPUNGEISSUED] Some messages no longer exist.\r\n")]);
    post.reads().await;
    assert_eq!(post.texts().await, [SECOND], "nobody waits for what is not there");
    assert_eq!(post.stage.source("brev").await.health, Health::Ok.slug());
    assert_eq!(post.stage.facts(&["source.missed"]).await, [0]);
    ends(&fake, post).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_drips_is_left_in_time_and_what_came_before_it_is_kept() {
    let (fake, post) = open(&[FIRST, SECOND]).await;
    fake.goes_wrong("UID FETCH 2 ", &[Fault::Drips]);
    let begun = Instant::now();
    post.reads().await;
    assert!(begun.elapsed() < Duration::from_secs(50), "{:?}", begun.elapsed());
    let row = post.stage.source("brev").await;
    assert_eq!(post.texts().await, [FIRST], "{}", row.health_why);
    assert!(row.health_why.contains("resten läses nästa gång"), "{}", row.health_why);
    post.reads().await;
    assert_eq!(post.texts().await, [FIRST, SECOND]);
    ends(&fake, post).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_come_twice_and_in_another_order_double_nothing() {
    let (fake, post) = open(&[FIRST, SECOND, THIRD]).await;
    fake.goes_wrong("UID SEARCH", &[Fault::Twice]);
    fake.goes_wrong("UID FETCH 1,2,3 ", &[Fault::Twice]);
    fake.goes_wrong("UID FETCH 2 ", &[Fault::Twice]);
    post.reads().await;
    assert_eq!(post.texts().await, [FIRST, SECOND, THIRD], "in their order, each once");
    assert_eq!(fake.asked("UID FETCH 2 "), 1);
    post.reads().await;
    assert_eq!(post.stage.number(KEPT).await, 3);
    ends(&fake, post).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_shut_out_between_two_readings_keeps_what_was_read_and_goes_on_there() {
    let texts: Vec<String> = (0..60).map(|n| format!("{FIRST} Hus nummer {n} av flera i Nol.")).collect();
    let (fake, post) = open(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    // One reading takes fifty letters; the next finds that the password has been changed.
    let shut = Fault::Says("TAG NO [AUTHENTICATIONFAILED] no\r\n");
    post.reads().await;
    assert_eq!(post.stage.number(KEPT).await, 50);
    fake.goes_wrong("LOGIN", &[shut]);
    post.reads().await;
    let row = post.stage.source("brev").await;
    assert_eq!(Health::from_slug(&row.health), Health::Blind, "{}", row.health_why);
    assert!(row.cursor.contains("\"uid\":50"), "{}", row.cursor);
    post.reads().await;
    assert_eq!((post.stage.number(KEPT).await, post.stage.number(NAMES).await), (60, 60));
    assert_eq!(post.stage.source("brev").await.health, Health::Ok.slug(), "and it heals by itself");
    ends(&fake, post).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_as_old_as_it_says_but_never_younger_than_its_coming() {
    let fake = FakeImap::default();
    let dated = |id: &str, date: &str, text: &str| {
        letter(id, "Hej", "", text).replace("Date: Mon, 23 Nov 2026 07:30:00 +0100\n", date)
    };
    fake.delivers(&dated("sagt", "Date: Mon, 23 Nov 2026 06:00:00 +0100\n", FIRST), NOON);
    fake.delivers(&dated("framtid", "Date: Sun, 23 Nov 2036 06:00:00 +0100\n", SECOND), NOON);
    fake.delivers(&dated("inget", "", THIRD), NOON);
    fake.delivers(&dated("tyst", "", "Vem ansvarar för gatan vid torget i Nödinge, Ale kommun?"), "");
    let post = PostBox::open(Engine::Sqlite, fake.serve().await, "idle = false\ntakes = \"everything\"").await;
    post.reads().await;
    let mut tx = post.stage.running.app.db.read().await.unwrap();
    let written: Vec<i64> = lyhord::on!(tx, c =>
        sqlx::query_scalar("select authored_at from mentions order by id").fetch_all(c).await)
    .unwrap();
    drop(tx);
    let seen = post.stage.now();
    assert_eq!(written, [at(0, 6, 0).0, at(0, 7, 30).0, at(0, 7, 30).0, seen.0]);
    ends(&fake, post).await;
}

/// A form that sends each letter with the same Message-ID.
fn from_a_form(second: u8, text: &str) -> String {
    letter("kontaktformular", "Kontakt", "", text).replace("07:30:00", &format!("07:30:{second:02}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_letters_of_one_name_are_two_and_one_that_comes_twice_is_one() {
    for engine in ENGINES {
        let server = Dovecot::start();
        server.delivers(&from_a_form(1, FIRST));
        server.delivers(&from_a_form(2, SECOND));
        server.delivers(&from_a_form(1, FIRST));
        let post = PostBox::open(engine, server.port, "takes = \"everything\"").await;
        post.reads().await;
        assert_eq!(post.stage.number(KEPT).await, 2, "{}", server.log());
        server.delivers(&from_a_form(3, THIRD));
        post.reads().await;
        assert_eq!(post.texts().await, [FIRST, SECOND, THIRD]);
        assert_eq!(post.stage.number("select count(distinct thread) from mentions").await, 3, "each its own matter");
        assert_eq!(post.stage.number("select count(*) from cases").await, 3);
        // Numbered anew, all are met again.
        server.numbers_anew();
        post.reads().await;
        post.reads().await;
        assert_eq!((post.stage.number(KEPT).await, post.stage.number(NAMES).await), (3, 3));
        assert_eq!(post.stage.facts(&["mention.kept"]).await, [3]);
        post.stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attachment_is_named_and_nothing_of_it_is_kept() {
    const INSIDE: &str = "SGVtbGlndCBpIGVuIGJpbGFnYQ==";
    let mixed = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n";
    let parts = format!(
        "--B\nContent-Type: text/plain; charset=utf-8\n\n{FIRST}\n--B\nContent-Type: image/jpeg\n\
         Content-Disposition: attachment; filename=kran.jpg\nContent-Transfer-Encoding: base64\n\n{INSIDE}\n--B--"
    );
    let whole =
        letter("bilaga", "Vatten", mixed, &parts).replace("Content-Type: text/plain; charset=utf-8\n\n--B", "\n--B");
    for engine in ENGINES {
        let server = Dovecot::start();
        server.delivers(&whole);
        let post = PostBox::open(engine, server.port, "").await;
        post.reads().await;
        let texts = post.texts().await;
        assert_eq!(texts.len(), 1, "{}", server.log());
        assert!(texts[0].starts_with(FIRST), "{}", texts[0]);
        assert!(texts[0].contains("[Bilaga: kran.jpg, image/jpeg, 1 kB. Finns i brevlådan.]"), "{}", texts[0]);
        for kept in ["SGVtbGlndCBpIGVu", "Hemligt i en bilaga"] {
            assert!(!texts[0].contains(kept), "{}", texts[0]);
        }
        assert_eq!(post.stage.number("select count(*) from mentions where html is not null").await, 0);
        assert_eq!(post.stage.number("select count(*) from tip_pictures").await, 0, "nor as a picture");
        assert_eq!(server.untouched(), 1, "it lies where it lay");
        post.stage.ends_whole().await;
    }
}
