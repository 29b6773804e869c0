//! Bluesky from the stream and from our account, against servers of our own: what is heard, what breaks, and how one goes
//! on.

use std::time::{Duration, Instant};

use lyhord::clock::Time;
use lyhord::jobs::hear_stream;
use lyhord::source::{Cursor, PollError};
use lyhord::{on, source};
use serde_json::{Value, json};

use crate::channels::Stage;
use crate::fake_bluesky::{self, DID, FakeJetstream, FakePds, Fault, PASSWORD, view};
use crate::fake_feed::serve;
use crate::harness::{ENGINES, Engine, at};

const BROWN: &str = "Brunt vatten ur kranen i Nol sedan i morse, vem på Ale kommun kan svara?";
pub const EVA: &str = "did:plc:eva";
/// Longest time (real) that a stream may take to be heard.
const PATIENCE: Duration = Duration::from_secs(40);

pub fn record(text: &str, at: Time) -> Value {
    json!({ "$type": "app.bsky.feed.post", "text": text, "langs": ["sv"], "createdAt": at.to_string() })
}

pub fn reply(text: &str, root: &str, parent: &str, at: Time) -> Value {
    let mut record = record(text, at);
    record["reply"] = json!({ "root": { "uri": root, "cid": "x" }, "parent": { "uri": parent, "cid": "x" } });
    record
}

pub fn uri(did: &str, rkey: &str) -> String {
    format!("at://{did}/app.bsky.feed.post/{rkey}")
}

/// The program with a stream, heard by a listener of its own that can be killed.
pub struct Heard {
    pub stage: Stage,
    listener: tokio::task::JoinHandle<()>,
}

impl Heard {
    pub async fn open(engine: Engine, hosts: &[String], now: Time) -> Self {
        Self::open_as(engine, hosts, now, false).await
    }

    pub async fn open_as(engine: Engine, hosts: &[String], now: Time, compressed: bool) -> Self {
        let fallback: Vec<String> = hosts[1..].iter().map(|host| format!("'{host}'")).collect();
        let sources = format!(
            "[[source]]\nkey = 'strom'\nname = 'Bluesky'\nkind = 'bluesky'\naddress = '{}'\nfallback = [{}]\nlocal = true\n\
             compressed = {compressed}\n[[account]]\nkey = 'vi'\nchannel = 'bluesky'\nhandle = 'ale.example'\nid = '{DID}'\n",
            hosts[0],
            fallback.join(", ")
        );
        let stage = Stage::open(engine, &sources, now).await;
        let listener = listen(&stage);
        Self { stage, listener }
    }

    /// The listener dies without a word, and another begins: its turn has ended.
    async fn kill_and_begin_again(&mut self) {
        self.listener.abort();
        let _ = (&mut self.listener).await;
        self.stage.running.app.clock.set(self.stage.now().plus(Duration::from_secs(41)));
        self.listener = listen(&self.stage);
    }

    /// Waits until a count is reached, and everything that follows is done.
    pub async fn until_count(&self, sql: &'static str, n: i64) {
        let begun = Instant::now();
        while self.stage.number(sql).await < n {
            assert!(begun.elapsed() < PATIENCE, "{sql}: {} of {n}", self.stage.number(sql).await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.stage.running.settle().await;
    }

    pub async fn health(&self) -> source::store::SourceRow {
        self.stage.source("strom").await
    }

    /// Waits until the stream is being heard.
    pub async fn is_heard(&self, jetstream: &FakeJetstream, connections: usize) {
        let begun = Instant::now();
        while jetstream.asked().len() < connections || self.health().await.last_ok_at.is_none() {
            assert!(begun.elapsed() < PATIENCE, "nobody listens: {:?}", jetstream.asked());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn end(self) {
        self.listener.abort();
        let _ = self.listener.await;
        self.stage.running.settle().await;
        self.stage.ends_whole().await;
    }
}

fn listen(stage: &Stage) -> tokio::task::JoinHandle<()> {
    let app = std::sync::Arc::clone(&stage.running.app);
    tokio::spawn(async move {
        loop {
            // As the service does: a listener that fell is begun again.
            let _ = hear_stream::run(std::sync::Arc::clone(&app), "strom".to_owned()).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
}

/// The `n`-th of many posts that say nearly the same and are not the same.
pub fn lamp(n: i8) -> String {
    format!("Gatlampa nummer {n} vid torget i Älvängen är trasig, när lagar Ale kommun den?")
}

pub const KEPT: &str = "select count(*) from mentions";

#[tokio::test(flavor = "multi_thread")]
async fn a_post_on_bluesky_is_heard_answered_there_and_taken_away() {
    for engine in ENGINES {
        let jetstream = FakeJetstream::default();
        let heard = Heard::open(engine, &[format!("ws://{}", jetstream.serve().await)], at(0, 8, 0)).await;
        heard.is_heard(&jetstream, 1).await;
        for n in 0..50 {
            jetstream.says("did:plc:bo", &format!("n{n}"), record("god morgon världen", at(0, 8, 0)), at(0, 8, 0));
        }
        jetstream.says(EVA, "q", record(BROWN, at(0, 8, 0)), at(0, 8, 0));
        heard.until_count("select count(*) from cases where unit is not null", 1).await;
        assert_eq!(heard.stage.number(KEPT).await, 1, "what is not ours is never stored");
        let question = uri(EVA, "q");
        heard.stage.running.app.clock.set(at(0, 9, 0));
        jetstream.says(
            DID,
            "a",
            reply("Hej! Vi spolar ledningen nu.", &question, &question, at(0, 8, 40)),
            at(0, 8, 40),
        );
        heard.until_count(KEPT, 2).await;
        let row = heard.stage.case(1).await;
        assert_eq!(row.first_answer_at, Some(at(0, 8, 40)), "at the channel's time");
        // What is said in the thread after us is heard though no rule would.
        jetstream.says(EVA, "t", reply("Tack!", &question, &uri(DID, "a"), at(0, 9, 0)), at(0, 9, 0));
        heard.until_count(KEPT, 3).await;
        jetstream.deletes("did:plc:bo", "n1", at(0, 9, 0));
        jetstream.deletes(EVA, "q", at(0, 9, 0));
        heard.until_count("select count(*) from mentions where deleted_at is not null", 1).await;
        assert_eq!(heard.stage.facts(&["mention.deleted", "case.answered_in_channel"]).await, [1, 1]);
        assert_eq!(heard.health().await.health, "ok");
        let asked = jetstream.asked();
        assert!(asked[0].contains("kinds=commit&collections=app.bsky.feed.post") && !asked[0].contains("cursor"));
        heard.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_21_a_restart_with_an_inclusive_number_loses_none_and_doubles_none() {
    for engine in ENGINES {
        let jetstream = FakeJetstream::default();
        let mut heard = Heard::open(engine, &[format!("ws://{}", jetstream.serve().await)], at(0, 8, 0)).await;
        heard.is_heard(&jetstream, 1).await;
        let mut n = 0_i8;
        for _ in 0..4 {
            for _ in 0..7 {
                n += 1;
                jetstream.says(EVA, &format!("p{n}"), record(&lamp(n), at(0, 8, 0)), at(0, 8, n));
            }
            heard.until_count(KEPT, n.into()).await;
            heard.kill_and_begin_again().await;
            // And one comes while nobody listens.
            n += 1;
            jetstream.says(EVA, &format!("p{n}"), record(&lamp(n), at(0, 8, 0)), at(0, 8, n));
            heard.until_count(KEPT, n.into()).await;
        }
        assert_eq!(heard.stage.number("select count(distinct native_id) from mentions").await, 32);
        assert_eq!(heard.stage.number(KEPT).await, 32);
        assert_eq!(heard.stage.facts(&["mention.kept"]).await, [32]);
        let asked = jetstream.asked();
        assert!(asked.last().unwrap().contains("cursor=31"), "it goes on with the last number it had: {asked:?}");
        heard.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_host_goes_by_time_a_little_back_and_an_old_dialect_is_understood() {
    let (first, second) = (FakeJetstream::default(), FakeJetstream::with_offset(5_000));
    let hosts = [format!("ws://{}", first.serve().await), format!("ws://{}/subscribe", second.serve().await)];
    let heard = Heard::open(Engine::Sqlite, &hosts, at(0, 8, 0)).await;
    heard.is_heard(&first, 1).await;
    for jetstream in [&first, &second] {
        jetstream.says(EVA, "1", record(BROWN, at(0, 8, 0)), at(0, 8, 0));
    }
    heard.until_count(KEPT, 1).await;
    // The first host ends the stream and lets nobody in; the second has the same and one more.
    for _ in 0..20 {
        first.refuse_next(503, "not ready");
    }
    first.cut_after(0);
    first.says(EVA, "cut", record("god morgon", at(0, 8, 1)), at(0, 8, 1));
    second.says(EVA, "2", record("När byggs den nya skolan i Nödinge, Ale kommun?", at(0, 8, 1)), at(0, 8, 1));
    heard.until_count(KEPT, 2).await;
    assert_eq!(heard.stage.number("select count(distinct native_id) from mentions").await, 2, "none twice");
    let asked = second.asked();
    let back = (at(0, 8, 0).0 - 10_000) * 1_000;
    assert!(asked[0].contains(&format!("cursor={back}")), "{asked:?}");
    assert!(asked[0].starts_with("/subscribe?wantedCollections="), "{asked:?}");
    heard.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_cut_in_mid_message_goes_on_from_what_was_kept() {
    let jetstream = FakeJetstream::default();
    let heard = Heard::open(Engine::Sqlite, &[format!("ws://{}", jetstream.serve().await)], at(0, 8, 0)).await;
    heard.is_heard(&jetstream, 1).await;
    jetstream.says(EVA, "1", record(BROWN, at(0, 8, 0)), at(0, 8, 0));
    heard.until_count(KEPT, 1).await;
    jetstream.cut_after(1);
    jetstream.says(EVA, "2", record("När byggs den nya skolan i Nödinge, Ale kommun?", at(0, 8, 1)), at(0, 8, 1));
    jetstream.says(
        EVA,
        "3",
        record("Hur söker man bygglov för ett växthus i Surte hos Ale kommun?", at(0, 8, 2)),
        at(0, 8, 2),
    );
    heard.until_count(KEPT, 3).await;
    assert_eq!(heard.stage.facts(&["mention.kept"]).await, [3]);
    assert_eq!(jetstream.asked().len(), 2);
    heard.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_the_host_has_forgotten_goes_by_time_and_the_gap_is_shown() {
    let jetstream = FakeJetstream::default();
    let mut heard = Heard::open(Engine::Sqlite, &[format!("ws://{}", jetstream.serve().await)], at(0, 8, 0)).await;
    heard.is_heard(&jetstream, 1).await;
    jetstream.says(EVA, "1", record(BROWN, at(0, 8, 0)), at(0, 8, 0));
    heard.until_count(KEPT, 1).await;
    heard.listener.abort();
    for n in 2..6_i8 {
        jetstream.says(EVA, &n.to_string(), record("god morgon", at(1, 8, n)), at(1, 8, n));
    }
    jetstream.says(EVA, "9", record("När byggs den nya skolan i Nödinge, Ale kommun?", at(2, 8, 0)), at(2, 8, 0));
    jetstream.forget_before(4);
    heard.stage.running.app.clock.set(at(2, 9, 0));
    heard.listener = listen(&heard.stage);
    heard.until_count(KEPT, 2).await;
    assert_eq!(jetstream.asked().len(), 3, "by number, refused, by time");
    let id = heard.health().await.id;
    let mut tx = heard.stage.running.app.db.read().await.unwrap();
    let stretches = source::channel_store::stretches(&mut tx, id, at(0, 0, 0), 9).await.unwrap();
    drop(tx);
    assert_eq!(stretches.len(), 2, "two days in which nobody saw are a gap: {stretches:?}");
    heard.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_heard_by_one_process_and_taken_over_when_its_turn_has_ended() {
    let jetstream = FakeJetstream::default();
    let mut heard = Heard::open(Engine::Sqlite, &[format!("ws://{}", jetstream.serve().await)], at(0, 8, 0)).await;
    heard.is_heard(&jetstream, 1).await;
    jetstream.says(EVA, "0", record(&lamp(1), at(0, 8, 0)), at(0, 8, 0));
    heard.until_count(KEPT, 1).await;
    let mut tx = heard.stage.running.app.db.write().await.unwrap();
    let now = heard.stage.now();
    assert!(
        !source::store::lease(&mut tx, "stream:strom", "another", now, now.plus(Duration::from_secs(9))).await.unwrap()
    );
    let later = now.plus(Duration::from_mins(1));
    assert!(
        source::store::lease(&mut tx, "stream:strom", "another", later, later.plus(Duration::from_secs(9)))
            .await
            .unwrap(),
        "within a minute after the last sign of life"
    );
    tx.commit().await.unwrap();
    // The first one notices at its next writing, and keeps nothing more.
    jetstream.says(EVA, "1", record(BROWN, at(0, 8, 0)), at(0, 8, 0));
    let begun = Instant::now();
    while jetstream.open() > 0 {
        assert!(begun.elapsed() < PATIENCE, "it still listens");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(heard.stage.number(KEPT).await, 1);
    heard.stage.running.app.clock.set(later.plus(Duration::from_mins(1)));
    heard.kill_and_begin_again().await;
    heard.until_count(KEPT, 2).await;
    heard.end().await;
}

/// Our account on a server of our own.
pub async fn account(now: Time) -> (Stage, FakePds, tempfile::TempDir) {
    account_with(now, "").await
}

/// The same with more in the source's own section.
pub async fn account_with(now: Time, more: &str) -> (Stage, FakePds, tempfile::TempDir) {
    let fake = FakePds::default();
    let address = serve(fake_bluesky::pds(fake.clone())).await;
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, PASSWORD).unwrap();
    let sources = format!(
        "[[account]]\nkey = 'vi'\nchannel = 'bluesky'\nhandle = 'ale.example'\nid = '{DID}'\nserver = 'http://{address}'\n\
         secret_file = '{}'\n[[source]]\nkey = 'konto'\nname = 'Vårt konto'\nkind = 'bluesky'\nreads = 'account'\naccount = 'vi'\n\
         interval_minutes = 5\n{more}\n",
        secret.display()
    );
    (Stage::open(Engine::Sqlite, &sources, now).await, fake, folder)
}

pub async fn reads(stage: &Stage, cursor: &Cursor) -> Result<source::Poll, PollError> {
    let row = stage.source("konto").await;
    stage.running.app.read_source(&row, cursor, &[], stage.now()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn our_account_hears_what_is_said_to_it_and_what_we_answered_in_the_app() {
    let (stage, pds, _folder) = account(at(0, 8, 0)).await;
    pds.tells("like", &uri(EVA, "l"), &json!({}), at(0, 7, 0));
    pds.tells(
        "mention",
        &uri(EVA, "q"),
        &record("Hej, när öppnar simhallen igen efter bytet av tak?", at(0, 7, 50)),
        at(0, 7, 50),
    );
    stage.until(at(0, 8, 0)).await;
    assert_eq!(stage.number("select count(*) from cases where unit is not null").await, 1, "no rule had to hear it");
    let question = uri(EVA, "q");
    pds.we_say("a", &reply("Hej! Den öppnar på måndag.", &question, &question, at(0, 8, 20)), at(0, 8, 20));
    let thanks = view(
        &uri(EVA, "t"),
        "eva.example",
        &reply("Tack så mycket!", &question, &uri(DID, "a"), at(0, 8, 30)),
        at(0, 8, 30),
    );
    pds.thread(&question, json!({ "$type": "app.bsky.feed.defs#threadViewPost",
        "post": view(&question, "eva.example", &record("Hej, när öppnar simhallen igen efter bytet av tak?", at(0, 7, 50)), at(0, 7, 50)),
        "replies": [{ "$type": "app.bsky.feed.defs#threadViewPost", "post": thanks, "replies": [] },
                    { "$type": "app.bsky.feed.defs#notFoundPost", "uri": uri(EVA, "x"), "notFound": true }] }));
    stage.until(at(0, 8, 10)).await;
    assert_eq!(stage.case(1).await.first_answer_at, Some(at(0, 8, 10)), "not before our own clock");
    stage.until(at(0, 8, 20)).await;
    assert_eq!(
        stage.number("select count(*) from mentions where native_id like '%/t'").await,
        1,
        "the thread is watched"
    );
    assert!(pds.asked("com.atproto.server.createSession") <= 2, "once to read, once to be tried");
    assert_eq!(stage.source("konto").await.health, "ok");
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_20_a_comment_on_a_post_of_ours_that_is_thirty_days_old_is_found() {
    let (stage, pds, _folder) = account(at(0, 8, 0)).await;
    pds.we_say("old", &record("Nu öppnar vi den nya lekplatsen i Surte.", at(-30, 8, 0)), at(-30, 8, 0));
    stage.until(at(0, 8, 0)).await;
    let ours = uri(DID, "old");
    pds.tells(
        "reply",
        &uri(EVA, "c"),
        &reply("Gungan är redan trasig, kan ni laga den?", &ours, &ours, at(0, 8, 3)),
        at(0, 8, 3),
    );
    stage.until(at(0, 8, 10)).await;
    assert_eq!(stage.number("select count(*) from cases where unit is not null and due_at is not null").await, 1);
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_20_a_comment_in_a_thread_that_is_thirty_days_old_is_heard_in_the_stream() {
    const CASES: &str = "select count(*) from cases where unit is not null and due_at is not null";
    for engine in ENGINES {
        let jetstream = FakeJetstream::default();
        let heard = Heard::open(engine, &[format!("ws://{}", jetstream.serve().await)], at(0, 8, 0)).await;
        heard.is_heard(&jetstream, 1).await;
        // Neither our post nor hers was heard when it was written: we did not listen then.
        let (ours, hers) = (uri(DID, "old"), uri(EVA, "old"));
        let to_us = reply("Gungan är redan trasig, kan ni laga den?", &ours, &ours, at(0, 8, 0));
        jetstream.says(EVA, "c", to_us, at(0, 8, 0));
        heard.until_count(CASES, 1).await;
        jetstream.says("did:plc:bo", "d", reply(BROWN, &hers, &hers, at(0, 8, 0)), at(0, 8, 0));
        heard.until_count(CASES, 2).await;
        assert_eq!(heard.stage.number("select count(*) from mentions where kind = 'comment'").await, 2);
        heard.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_slow_clock_dates_back_is_heard_all_the_same() {
    let (stage, pds, _folder) = account(at(0, 8, 0)).await;
    stage.until(at(0, 8, 0)).await;
    let told = |rkey: &str, text: &str, written, seen| {
        pds.tells("mention", &uri(EVA, rkey), &record(text, written), seen);
    };
    told("a", "Hej, när öppnar simhallen igen efter bytet av tak?", at(0, 8, 10), at(0, 8, 10));
    pds.we_say("a", &record("God morgon från Ale.", at(0, 8, 10)), at(0, 8, 10));
    stage.until(at(0, 8, 11)).await;
    let count = async || {
        (
            stage.number("select count(*) from mentions where not own").await,
            stage.number("select count(*) from mentions where own").await,
        )
    };
    assert_eq!(count().await, (1, 1));
    told("b", "Gungan i Surte är trasig, kan ni laga den?", at(0, 8, 2), at(0, 8, 12));
    pds.we_say("b", &record("I dag är det öppet hus på biblioteket.", at(0, 8, 2)), at(0, 8, 12));
    stage.until(at(0, 8, 20)).await;
    assert_eq!(count().await, (2, 2));
    assert_eq!(stage.facts(&["mention.kept"]).await, [4], "none twice");
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_that_breaks_off_goes_on_where_it_was_though_more_has_come() {
    let (stage, pds, _folder) = account(at(0, 8, 0)).await;
    let told = |name: &str, at: Time| pds.tells("mention", &uri(EVA, name), &record("hej", at), at);
    told("m0", at(0, 7, 0));
    let begun = reads(&stage, &Cursor::default()).await.unwrap();
    for n in 1..=250_u64 {
        told(&format!("m{n}"), at(0, 7, 0).plus(Duration::from_secs(n)));
    }
    // After the first page nothing more may be asked for two minutes.
    let until = (stage.now().0 / 1_000 + 120).to_string();
    let used_up = vec![("ratelimit-remaining", "0".to_owned()), ("ratelimit-reset", until)];
    pds.goes_wrong("app.bsky.notification.listNotifications", &[Fault::With(used_up)]);
    let own = pds.asked("app.bsky.feed.getAuthorFeed");
    let first = reads(&stage, &begun.cursor).await.unwrap();
    assert_eq!((first.posts.len(), first.wait), (100, Some(Duration::from_mins(2))));
    assert_eq!(pds.asked("app.bsky.feed.getAuthorFeed"), own, "nor anything else");
    stage.running.app.clock.set(at(0, 8, 3));
    told("new", at(0, 8, 3));
    let second = reads(&stage, &first.cursor).await.unwrap();
    assert_eq!((second.posts.len(), second.wait), (151, None));
    let mut names: Vec<&str> = first.posts.iter().chain(&second.posts).map(|post| post.native_id.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 251, "each once");
    assert_eq!(reads(&stage, &second.cursor).await.unwrap().posts.len(), 0);
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_the_server_no_longer_knows_is_found_again_from_the_top() {
    let (stage, pds, _folder) = account(at(0, 8, 0)).await;
    let method = "app.bsky.notification.listNotifications";
    let told = |name: &str, at: Time| pds.tells("mention", &uri(EVA, name), &record("hej", at), at);
    told("m0", at(0, 7, 0));
    let begun = reads(&stage, &Cursor::default()).await.unwrap();
    for n in 1..=150_u64 {
        told(&format!("m{n}"), at(0, 7, 0).plus(Duration::from_secs(n)));
    }
    pds.goes_wrong(method, &[Fault::With(vec![]), Fault::Status(429, vec![])]);
    let first = reads(&stage, &begun.cursor).await.unwrap();
    assert_eq!((first.posts.len(), first.wait), (100, Some(Duration::ZERO)));
    pds.goes_wrong(method, &[Fault::Status(400, vec![])]);
    assert_eq!(reads(&stage, &first.cursor).await.unwrap().posts.len(), 50, "the rest");
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_is_asked_for_on_the_thirteenth_day_and_no_longer_on_the_fifteenth() {
    let (stage, pds, _folder) = account(at(0, 8, 0)).await;
    let question = uri(EVA, "q");
    let asks = record("Hej, när öppnar simhallen igen efter bytet av tak?", at(0, 7, 50));
    pds.tells("mention", &question, &asks, at(0, 7, 50));
    stage.until(at(0, 8, 0)).await;
    pds.we_say("a", &reply("Hej! Den öppnar på måndag.", &question, &question, at(0, 8, 5)), at(0, 8, 5));
    pds.thread(&question, json!({ "post": view(&question, "eva.example", &asks, at(0, 7, 50)), "replies": [] }));
    stage.until(at(0, 8, 10)).await;
    stage.until(at(0, 8, 20)).await;
    let asked = || pds.asked("app.bsky.feed.getPostThread");
    let first_day = asked();
    assert!(first_day > 0);
    stage.until(at(13, 8, 0)).await;
    let thirteenth = asked();
    assert!(thirteenth > first_day);
    stage.until(at(15, 8, 0)).await;
    let read = pds.asked("app.bsky.notification.listNotifications");
    stage.until(at(15, 9, 0)).await;
    assert!(pds.asked("app.bsky.notification.listNotifications") > read, "the account is read as ever");
    assert_eq!(asked(), thirteenth);
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_is_renewed_and_one_that_is_withdrawn_in_mid_paging_loses_nothing() {
    let (stage, pds, _folder) = account(at(0, 8, 0)).await;
    let first = reads(&stage, &Cursor::default()).await.unwrap();
    pds.session_ends();
    assert!(reads(&stage, &first.cursor).await.is_ok());
    assert_eq!((pds.asked("com.atproto.server.createSession"), pds.asked("com.atproto.server.refreshSession")), (1, 1));
    pds.tells("mention", &uri(EVA, "m0"), &record("hej", at(0, 8, 0)), at(0, 8, 0));
    let begun = reads(&stage, &first.cursor).await.unwrap();
    for n in 1..=250_i64 {
        let at = at(0, 8, 0).plus(Duration::from_secs(u64::try_from(n).unwrap()));
        pds.tells("mention", &uri(EVA, &format!("m{n}")), &record("hej", at), at);
    }
    // The session ends before the second page, and the password has been withdrawn.
    pds.revoked_at_page(2);
    let refused = reads(&stage, &begun.cursor).await;
    assert!(matches!(&refused, Err(PollError::Unauthorized(why)) if why.contains("applösenord")), "{refused:?}");
    pds.password_is_withdrawn(false);
    let all = reads(&stage, &begun.cursor).await.unwrap();
    assert_eq!(all.posts.len(), 250, "each once, over three pages");
    let again = reads(&stage, &all.cursor).await.unwrap();
    assert_eq!(again.posts.len(), 0);
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_the_account_s_server_leaves_the_place_and_says_what_it_is() {
    let (stage, pds, _folder) = account(at(0, 8, 0)).await;
    let method = "app.bsky.notification.listNotifications";
    let begun = reads(&stage, &Cursor::default()).await.unwrap();
    let after = |faults: &[Fault]| pds.goes_wrong(method, faults);
    after(&[Fault::Status(403, vec![])]);
    assert!(matches!(reads(&stage, &begun.cursor).await, Err(PollError::Unauthorized(_))));
    after(&[Fault::Status(429, vec![])]);
    assert_eq!(reads(&stage, &begun.cursor).await.unwrap_err(), PollError::RateLimited { retry_after: None });
    after(&[Fault::Status(502, vec![])]);
    assert!(matches!(reads(&stage, &begun.cursor).await, Err(PollError::Unreachable(_))));
    after(&[Fault::WrongType]);
    assert!(matches!(reads(&stage, &begun.cursor).await, Err(PollError::Unreadable(_))));
    after(&[Fault::Cut]);
    assert!(matches!(reads(&stage, &begun.cursor).await, Err(PollError::Unreachable(_))));
    after(&[Fault::Revoked]);
    assert!(reads(&stage, &begun.cursor).await.is_ok(), "401 in the middle: it signs in and asks once more");
    after(&[Fault::Status(
        429,
        vec![("ratelimit-remaining", "0".into()), ("ratelimit-reset", (stage.now().0 / 1_000 + 120).to_string())],
    )]);
    let rest = PollError::RateLimited { retry_after: Some(Duration::from_mins(2)) };
    assert_eq!(reads(&stage, &begun.cursor).await.unwrap_err(), rest);
    let asked = pds.asked(method);
    assert_eq!(reads(&stage, &begun.cursor).await.unwrap_err(), rest, "and nothing is asked while it rests");
    assert_eq!(pds.asked(method), asked);
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_tried_each_day_and_says_in_words_what_works() {
    let (stage, pds, _folder) = account(at(0, 8, 0)).await;
    stage.until(at(0, 8, 0)).await;
    let said = |row: &source::channel_store::AccountCheck| (row.ok, row.why.clone());
    let check = |db: lyhord::db::Db| async move {
        let mut tx = db.read().await.unwrap();
        source::channel_store::account_checks(&mut tx).await.unwrap().remove(0)
    };
    let first = check(stage.running.app.db.clone()).await;
    assert_eq!(said(&first), (true, "Inloggningen fungerar som ale.example.".to_owned()));
    pds.password_is_withdrawn(true);
    let account = stage.running.app.config.accounts.get("vi").unwrap().clone();
    let found = stage.running.app.check_account(&account, stage.now()).await;
    assert!(!found.ok && found.says.contains("applösenord"), "{}", found.says);
    assert!(!found.says.contains(PASSWORD));
    let mut tx = stage.running.app.db.read().await.unwrap();
    let leaked: i64 = on!(tx, c => sqlx::query_scalar("select count(*) from sources where cursor like '%access-%' or cursor like '%efgh%'").fetch_one(c).await).unwrap();
    assert_eq!(leaked, 0, "no secret in the database");
    drop(tx);
    pds.password_is_withdrawn(false);
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_server_asks_the_service_that_we_have_chosen() {
    let fake = FakePds::default();
    let address = serve(fake_bluesky::pds(fake.clone())).await;
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, PASSWORD).unwrap();
    let service = "did:web:vy.example#bsky_appview";
    let sources = format!(
        "[[account]]\nkey = 'vi'\nchannel = 'bluesky'\nhandle = 'ale.example'\nid = '{DID}'\nserver = 'http://{address}'\n\
         appview = '{service}'\nsecret_file = '{}'\n[[source]]\nkey = 'konto'\nname = 'Vårt konto'\nkind = 'bluesky'\n\
         reads = 'account'\naccount = 'vi'\ninterval_minutes = 5\n",
        secret.display()
    );
    let stage = Stage::open(Engine::Sqlite, &sources, at(0, 8, 0)).await;
    stage.until(at(0, 8, 6)).await;
    let through = |method: &str| fake.asked_through(method);
    assert_eq!(through("app.bsky.notification.listNotifications").as_deref(), Some(service));
    assert_eq!(through("com.atproto.server.createSession"), None, "signing in is our server's own matter");
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_keep_the_system_hear_two_weeks_before_a_secret_ends() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "hemligheten").unwrap();
    // A mailbox that nobody answers for: what is said of its secret needs no answer.
    let sources = format!(
        "[[source]]\nkey = \"brev\"\nname = \"Tipsbrevlådan\"\nkind = \"mail\"\naddress = \"imap://127.0.0.1:9\"\nlocal = true\n\
         encrypted = false\nidle = false\nuser = \"tips\"\nsecret_file = \"{}\"\nexpires = 2026-12-09\n",
        secret.display()
    );
    let stage = Stage::open(Engine::Sqlite, &sources, at(0, 9, 0)).await;
    stage.keeper_has_a_chat().await;
    stage.until(at(2, 9, 0)).await;
    let ending = |stage: &Stage| stage.telegram.sent().iter().filter(|sent| sent.text.contains("går snart ut")).count();
    assert_eq!(ending(&stage), 0, "there are more than two weeks left");
    for day in 3..6 {
        stage.until(at(day, 9, 0)).await;
        stage.until(at(day, 10, 0)).await;
    }
    assert_eq!(ending(&stage), 1, "told once: {:?}", stage.telegram.sent());
    let why =
        "select count(*) from account_checks where account = 'brev' and state = 'ending' and why like '%9 december%'";
    assert_eq!(stage.number(why).await, 1);
    stage.ends_whole().await;
}
