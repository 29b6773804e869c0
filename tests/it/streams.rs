//! Streams that fail without saying so: that fall silent, open and end at once, send something else, or refuse. None of
//! them may look as if it were heard, and each goes on by itself when it is well again.

use std::time::{Duration, Instant};

use lyhord::clock::Time;
use lyhord::http::Limits;
use lyhord::jobs::turn::lease_of;
use lyhord::jobs::{hear_mailbox, hear_server};
use lyhord::source::store::SourceRow;
use lyhord::source::supervision::Stretch;
use lyhord::source::{self, channel_store};

use crate::bluesky::{EVA, Heard, KEPT, lamp, record};
use crate::channels::Stage;
use crate::dovecot::{Dovecot, PASSWORD, USER};
use crate::fake_bluesky::{FakeJetstream, Trouble};
use crate::fake_mastodon::{self, FakeMastodon};
use crate::harness::{Engine, at};
use crate::mastodon;
use crate::pages::ADMIN;
use crate::running::{LIMITS, limits};
use crate::tips::page;

/// Longest time (real) that something may take to be seen.
const PATIENCE: Duration = Duration::from_mins(1);
const MESSAGES: &str = "select cast(coalesce(sum(items), 0) as bigint) from source_hours";

/// Bounds with which silence is too long after a while: longer than it takes until what was heard is written down.
fn soon_silent(seconds: u64) -> Limits {
    Limits { silent: Duration::from_secs(seconds), ..limits() }
}

/// A stream that has been heard at eight o'clock and has said one thing about us.
pub async fn begun(limits: Limits) -> (Heard, FakeJetstream) {
    let jetstream = FakeJetstream::default();
    let hosts = [format!("ws://{}", jetstream.serve().await)];
    let heard = LIMITS.scope(limits, Box::pin(Heard::open(Engine::Sqlite, &hosts, at(0, 8, 0)))).await;
    heard.is_heard(&jetstream, 1).await;
    says(&jetstream, 1);
    heard.until_count(KEPT, 1).await;
    (heard, jetstream)
}

pub fn says(jetstream: &FakeJetstream, n: i8) {
    jetstream.says(EVA, &n.to_string(), record(&lamp(n), at(0, 8, 0)), at(0, 8, 0));
}

/// Waits until the source's row is as it should be.
pub async fn until(heard: &Heard, what: &str, holds: impl Fn(&SourceRow) -> bool) -> SourceRow {
    let begun = Instant::now();
    loop {
        let row = heard.health().await;
        if holds(&row) {
            return row;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: {row:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn stretches(stage: &Stage, key: &str) -> Vec<Stretch> {
    let id = stage.source(key).await.id;
    let mut tx = stage.running.app.db.read().await.unwrap();
    channel_store::stretches(&mut tx, id, at(-1, 0, 0), 99).await.unwrap()
}

/// Nothing was heard after eight o'clock, and nothing says that it was.
async fn was_last_heard_at_eight(heard: &Heard) {
    assert_eq!(heard.health().await.last_ok_at, Some(at(0, 8, 0)));
    let stretches = stretches(&heard.stage, "strom").await;
    assert_eq!((stretches.len(), stretches[0].until), (1, at(0, 8, 0)), "{stretches:?}");
}

/// It says a second thing, is heard and is well.
async fn heals(heard: &Heard, jetstream: &FakeJetstream) {
    says(jetstream, 2);
    heard.until_count(KEPT, 2).await;
    let row = until(heard, "it is well again", |row| row.health == "ok" && row.failures == 0).await;
    assert_eq!(row.health_why, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_falls_silent_is_opened_anew_and_is_neither_well_nor_supervised_meanwhile() {
    let (heard, jetstream) = begun(soon_silent(6)).await;
    jetstream.has_trouble(Some(Trouble::Mute));
    until(&heard, "silence is an end", |row| row.failures >= 1).await;
    heard.stage.running.app.clock.set(at(0, 8, 30));
    let row = until(&heard, "it opens and is silent again", |row| row.failures >= 3).await;
    assert_eq!(row.health, "degraded", "{}", row.health_why);
    assert!(jetstream.asked().len() >= 3, "{:?}", jetstream.asked());
    was_last_heard_at_eight(&heard).await;
    jetstream.has_trouble(None);
    heals(&heard, &jetstream).await;
    assert_eq!(heard.stage.facts(&["source.health"]).await, [2], "ill once and well once");
    assert_eq!(stretches(&heard.stage, "strom").await.len(), 2, "the half hour is a gap");
    heard.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_opens_and_ends_at_once_is_not_heard_and_is_dead_after_a_week() {
    let (heard, jetstream) = begun(limits()).await;
    jetstream.has_trouble(Some(Trouble::Closes));
    let row = until(&heard, "it ends again and again", |row| row.failures >= 3).await;
    assert_eq!(row.health, "degraded");
    heard.stage.running.app.clock.set(at(8, 8, 0));
    until(&heard, "a week without a word", |row| row.health == "dead").await;
    was_last_heard_at_eight(&heard).await;
    assert_eq!(heard.stage.facts(&["source.health"]).await, [2], "not one for each try");
    assert!(jetstream.asked().len() >= 4, "{:?}", jetstream.asked());
    heard.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_sends_something_else_is_blind_and_what_it_sends_counts_for_nothing() {
    for nonsense in ["<html>Logga in för att läsa om Ale kommun</html>", r#"{"svar":"Brunt vatten i Ale kommun"}"#] {
        let (heard, jetstream) = begun(limits()).await;
        assert_eq!(heard.stage.number(MESSAGES).await, 1);
        jetstream.has_trouble(Some(Trouble::Says(nonsense)));
        let blind = until(&heard, "nobody sees through it", |row| row.health == "blind").await;
        assert!(blind.health_why.contains("inga inlägg"), "{}", blind.health_why);
        heard.stage.running.app.clock.set(at(0, 8, 30));
        let tries = blind.failures + 1;
        let again = until(&heard, "and it is tried again", |row| row.failures > tries).await;
        assert_eq!(again.health, "blind");
        was_last_heard_at_eight(&heard).await;
        assert_eq!(heard.stage.number(MESSAGES).await, 1, "what it sends is no message");
        assert_eq!(heard.stage.facts(&["source.health"]).await, [1]);
        jetstream.has_trouble(None);
        heals(&heard, &jetstream).await;
        assert_eq!(heard.stage.facts(&["source.health"]).await, [2]);
        heard.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_messages_have_no_place_after_all_is_blind_too() {
    let (heard, jetstream) = begun(limits()).await;
    jetstream.has_trouble(Some(Trouble::Says(r#"{"seq":"ett","record":{"text":"Brunt vatten i Ale kommun"}}"#)));
    until(&heard, "it is left", |row| row.failures >= 1).await;
    heard.stage.running.app.clock.set(at(0, 8, 30));
    until(&heard, "nobody sees through it", |row| row.health == "blind").await;
    was_last_heard_at_eight(&heard).await;
    assert_eq!(heard.stage.number(MESSAGES).await, 1);
    jetstream.has_trouble(None);
    heals(&heard, &jetstream).await;
    heard.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_asks_us_to_wait_is_not_asked_before_its_time() {
    for status in [429, 503] {
        let (heard, jetstream) = begun(limits()).await;
        jetstream.refuse_next_with(status, "", vec![("retry-after", "120".to_owned())]);
        jetstream.ends_after(0, "ConsumerTooSlow");
        says(&jetstream, 2);
        // The end, the refusal, and a try for which it is too early.
        let row = until(&heard, "it waits", |row| row.failures >= 3).await;
        assert_eq!(row.health, "degraded");
        assert!(row.health_why.contains("vänta i 2 minuter"), "{}", row.health_why);
        assert_eq!(jetstream.asked().len(), 2, "nothing is asked while it waits");
        heard.stage.running.app.clock.set(at(0, 8, 0).plus(Duration::from_secs(121)));
        heard.until_count(KEPT, 2).await;
        assert_eq!(jetstream.asked().len(), 3);
        until(&heard, "it is heard again", |row| row.health == "ok").await;
        heard.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_is_changed_on_bluesky_is_a_new_version() {
    let (heard, jetstream) = begun(limits()).await;
    heard.stage.running.app.clock.set(at(0, 8, 15));
    let mended = "Nu är lampan vid torget i Älvängen lagad, tack Ale kommun!";
    jetstream.changes(EVA, "1", record(mended, at(0, 8, 0)), at(0, 8, 10));
    heard.until_count("select count(*) from mention_versions", 1).await;
    assert_eq!(heard.stage.number(KEPT).await, 1, "the same post");
    assert_eq!(heard.stage.number("select count(*) from mentions where body like 'Nu är lampan%lagad%'").await, 1);
    assert_eq!(heard.stage.facts(&["mention.kept", "mention.edited"]).await, [1, 1]);
    heard.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_stream_is_read_its_dictionary_changes_and_what_cannot_be_read_is_asked_for_plain() {
    let jetstream = FakeJetstream::default();
    jetstream.has_dictionary(12_345);
    let hosts = [format!("ws://{}", jetstream.serve().await)];
    let heard = Heard::open_as(Engine::Sqlite, &hosts, at(0, 8, 0), true).await;
    heard.is_heard(&jetstream, 1).await;
    says(&jetstream, 1);
    heard.until_count(KEPT, 1).await;
    // The dictionary changes, and the first time we come with one that is no longer known.
    jetstream.has_dictionary(777);
    jetstream.refuse_next(400, r#"{"error":"UnknownZstdDictionary","message":"x"}"#);
    jetstream.ends_after(0, "ConsumerTooSlow");
    says(&jetstream, 2);
    heard.until_count(KEPT, 2).await;
    jetstream.garbles_next();
    says(&jetstream, 3);
    heard.until_count(KEPT, 3).await;
    let asked = jetstream.asked();
    let dictionaries: Vec<Option<&str>> =
        asked.iter().map(|asked| asked.split('&').find_map(|part| part.strip_prefix("zstdDictionary="))).collect();
    assert_eq!(dictionaries, [Some("12345"), Some("777"), Some("777"), None], "{asked:?}");
    assert_eq!(heard.stage.facts(&["mention.kept"]).await, [3], "none lost, none doubled");
    assert_eq!(heard.health().await.health, "ok");
    heard.end().await;
}

/// A server whose stream is asked for, and that has been read once.
pub async fn server(limits: Limits) -> (Stage, FakeMastodon, tempfile::TempDir) {
    let streamed = mastodon::TAGS.replace("tags =", "account = 'vi'\nstream = true\ntags =");
    let opening = Box::pin(mastodon::open(Engine::Sqlite, &streamed, at(0, 8, 0)));
    let (stage, fake, folder) = LIMITS.scope(limits, opening).await;
    fake.serve_stream().await;
    stage.until(at(0, 8, 0)).await;
    (stage, fake, folder)
}

pub fn listens(stage: &Stage) -> tokio::task::JoinHandle<()> {
    let app = std::sync::Arc::clone(&stage.running.app);
    tokio::spawn(async move {
        let _ = hear_server::run(app, "taggar".to_owned()).await;
    })
}

pub async fn ends(listener: tokio::task::JoinHandle<()>) {
    listener.abort();
    let _ = listener.await;
}

/// Why the stream is away; nothing when it is not.
async fn away(stage: &Stage) -> Option<String> {
    let mut tx = stage.running.app.db.read().await.unwrap();
    channel_store::streams_away(&mut tx).await.unwrap().pop().map(|away| away.why)
}

pub async fn waits(what: &str, holds: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_s_stream_that_is_away_is_told_on_the_source_s_row_until_it_is_back() {
    use fake_mastodon::Trouble;
    let (stage, fake, _folder) = server(soon_silent(3)).await;
    let says_so = "ändringar och borttagningar syns inte förrän den är tillbaka";
    assert!(!page(&stage, ADMIN, "/kallor").await.contains(says_so));
    for (trouble, why) in [
        (Trouble::Refuses(401), "servern släpper inte in oss (svar 401)"),
        (Trouble::Refuses(403), "servern släpper inte in oss (svar 403)"),
        (Trouble::Refuses(503), "fel hos servern (503)"),
        (Trouble::Refuses(429), "servern vill att vi väntar"),
        (Trouble::RefusesLater, "strömmen nekas, svar 401"),
        (Trouble::Mute, "det tog för lång tid"),
        (Trouble::Says("<html>"), "inga händelser"),
    ] {
        fake.stream_has_trouble(Some(trouble.clone()));
        let listener = listens(&stage);
        waits(why, async || away(&stage).await.is_some_and(|told| told.contains(why))).await;
        let shown = page(&stage, ADMIN, "/kallor").await;
        assert!(shown.contains(says_so) && shown.contains("Störd") && shown.contains("behöver tillsyn"), "{shown}");
        assert_eq!(stage.source("taggar").await.health, "ok", "the posts are read as they should be");
        fake.stream_has_trouble(None);
        waits("it is back", async || away(&stage).await.is_none()).await;
        assert!(!page(&stage, ADMIN, "/kallor").await.contains(says_so), "{trouble:?}");
        ends(listener).await;
    }
    stage.running.settle().await;
    stage.ends_whole().await;
}

/// Another process asks for the turn at a source.
async fn leases(stage: &Stage, key: &str, now: Time) -> bool {
    let mut tx = stage.running.app.db.write().await.unwrap();
    let until = now.plus(Duration::from_secs(9));
    let taken = source::store::lease(&mut tx, &lease_of(key), "another", now, until).await.unwrap();
    tx.commit().await.unwrap();
    taken
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_s_stream_is_heard_by_one_process_and_taken_over_when_its_turn_has_ended() {
    let (stage, fake, _folder) = server(limits()).await;
    let listener = listens(&stage);
    waits("somebody listens", async || fake.listeners() == 1).await;
    assert!(!leases(&stage, "taggar", stage.now()).await, "it has the turn");
    let later = stage.now().plus(Duration::from_mins(1));
    assert!(leases(&stage, "taggar", later).await, "within a minute after the last sign of life");
    // It notices the next time it writes or renews its turn, and listens no more.
    waits("it gives way", async || fake.listeners() == 0).await;
    assert_eq!(away(&stage).await, None, "the stream itself is well");
    stage.running.app.clock.set(later.plus(Duration::from_mins(1)));
    waits("it takes over", async || fake.listeners() == 1).await;
    let id = fake.says(&mastodon::tagged("https://other.example/1", &mastodon::lamp(1)), at(0, 7, 59));
    let count = async |sql: &'static str| {
        stage.running.settle().await;
        stage.number(sql).await
    };
    waits("the bell", async || count(KEPT).await == 1).await;
    fake.deletes(&id);
    waits("the deletion", async || count("select count(*) from mentions where deleted_at is not null").await == 1)
        .await;
    ends(listener).await;
    stage.running.settle().await;
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_s_bell_is_listened_for_by_one_process_and_taken_over_when_its_turn_has_ended() {
    let (server, folder) = (Dovecot::start(), tempfile::tempdir().unwrap());
    let secret = folder.path().join("secret");
    std::fs::write(&secret, PASSWORD).unwrap();
    let sources = format!(
        "[[source]]\nkey = 'brev'\nname = 'Brevlådan'\nkind = 'mail'\naddress = 'imap://127.0.0.1:{}'\nlocal = true\n\
         encrypted = false\nuser = '{USER}'\nsecret_file = '{}'\ninterval_minutes = 1440\n",
        server.port,
        secret.display()
    );
    let stage = Stage::open(Engine::Sqlite, &sources, at(0, 8, 0)).await;
    stage.until(at(0, 8, 0)).await;
    // Whoever begins to listen has the box read at once: that is how it is seen.
    let has_begun = async || stage.source("brev").await.next_poll_at <= stage.now();
    assert!(!has_begun().await, "{}", server.log());
    assert!(leases(&stage, "brev", stage.now()).await, "another has the turn");
    let app = std::sync::Arc::clone(&stage.running.app);
    let listener = tokio::spawn(async move {
        let _ = hear_mailbox::run(app, "brev".to_owned()).await;
    });
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(!has_begun().await, "one at a time");
    stage.running.app.clock.set(stage.now().plus(Duration::from_secs(10)));
    waits("it takes over", &has_begun).await;
    stage.running.settle().await;
    assert!(!leases(&stage, "brev", stage.now()).await, "now it has the turn");
    let later = stage.now().plus(Duration::from_mins(1));
    assert!(leases(&stage, "brev", later).await, "within a minute after the last sign of life");
    // Longer than it takes until it would renew its turn, and finds that another has it.
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(!has_begun().await);
    stage.running.app.clock.set(later.plus(Duration::from_mins(1)));
    waits("it had given way, and begins anew", &has_begun).await;
    ends(listener).await;
    stage.running.settle().await;
    stage.ends_whole().await;
}
