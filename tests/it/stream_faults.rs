//! Streams that refuse, tell twice, tell out of order, have another clock or break in the middle: none of it may lose or
//! double a post, and what has gone is gone whoever kept it.

use std::time::Duration;

use lyhord::source::{Cursor, Kind, Post};

use crate::bluesky::{self, EVA, Heard, KEPT, lamp, record, uri};
use crate::fake_bluesky::{FakeJetstream, Fault};
use crate::fake_mastodon;
use crate::harness::{Engine, at};
use crate::mastodon;
use crate::running::limits;
use crate::streams::{begun, ends, listens, says, server, until, waits};

const GONE: &str = "select count(*) from mentions where deleted_at is not null";

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_refuses_in_whatever_way_is_told_and_heard_again_from_the_same_place() {
    let cases = [
        (401, "", "blind", "svar 401"),
        (403, "", "blind", "svar 403"),
        (429, "", "degraded", "frågar för ofta"),
        (502, "bad gateway", "degraded", "fel hos servern (502)"),
        (200, "<html>Logga in</html>", "blind", "oväntat svar (200)"),
    ];
    let each = cases.map(|(status, body, health, why)| async move {
        let (heard, jetstream) = begun(limits()).await;
        // The stream ends, and twice one who comes back is refused: three failures in a row.
        jetstream.refuse_next(status, body);
        jetstream.refuse_next(status, body);
        jetstream.ends_after(0, "ConsumerTooSlow");
        says(&jetstream, 2);
        let row = until(&heard, why, |row| row.failures >= 3).await;
        assert_eq!(row.health, health, "{status}: {}", row.health_why);
        assert!(row.health_why.contains(why), "{status}: {}", row.health_why);
        assert!(row.cursor.contains("\"seq\":1"), "{status}: {}", row.cursor);
        heard.until_count(KEPT, 2).await;
        until(&heard, "it is well again", |row| row.health == "ok").await;
        let asked = jetstream.asked();
        assert_eq!(asked.len(), 4, "{status}: {asked:?}");
        assert!(asked[1..].iter().all(|asked| asked.contains("cursor=1")), "{status}: {asked:?}");
        assert_eq!(heard.stage.facts(&["mention.kept"]).await, [2], "{status}: none lost, none doubled");
        heard.end().await;
    });
    futures::future::join_all(each.map(Box::pin)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_twice_is_one_and_what_is_told_out_of_order_is_heard() {
    let (heard, jetstream) = begun(limits()).await;
    for n in 2..=4 {
        says(&jetstream, n);
    }
    heard.until_count(KEPT, 4).await;
    // The same posts with new numbers, and one with a number that lies behind.
    for n in 1..=4 {
        says(&jetstream, n);
    }
    jetstream.says_late(2, "sent", record(&lamp(5), at(0, 8, 0)), at(0, 8, 0));
    heard.until_count(KEPT, 5).await;
    says(&jetstream, 6);
    heard.until_count(KEPT, 6).await;
    assert_eq!(heard.stage.facts(&["mention.kept", "mention.edited"]).await, [6, 0]);
    assert_eq!(heard.health().await.health, "ok");
    heard.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_clock_is_an_hour_ahead_hides_nothing_of_the_next_host() {
    let (first, second) = (FakeJetstream::default(), FakeJetstream::with_offset(5_000));
    let hosts = [format!("ws://{}", first.serve().await), format!("ws://{}", second.serve().await)];
    let heard = Heard::open(Engine::Sqlite, &hosts, at(0, 8, 0)).await;
    heard.is_heard(&first, 1).await;
    first.says(EVA, "1", record(&lamp(1), at(0, 9, 0)), at(0, 9, 0));
    heard.until_count(KEPT, 1).await;
    assert_eq!(heard.stage.number("select count(*) from mentions where authored_at > seen_at").await, 0);
    for _ in 0..20 {
        first.refuse_next(503, "not ready");
    }
    second.says(EVA, "2", record(&lamp(2), at(0, 8, 0)), at(0, 8, 0));
    first.cut_after(0);
    first.says(EVA, "cut", record("god morgon", at(0, 9, 1)), at(0, 9, 1));
    heard.until_count(KEPT, 2).await;
    let back = (at(0, 8, 0).0 - 10_000) * 1_000;
    assert!(second.asked()[0].contains(&format!("cursor={back}")), "{:?}", second.asked());
    heard.end().await;
}

/// A post that another source keeps, as the account does.
fn of_another(rkey: &str, n: i8) -> Post {
    Post {
        channel: "bluesky".to_owned(),
        native_id: uri(EVA, rkey),
        kind: Kind::Post,
        text: lamp(n),
        authored_at: Some(at(0, 8, 0)),
        to_us: true,
        ..Post::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_source_keeps_and_its_writer_takes_away_in_the_same_minute_is_gone() {
    let (heard, jetstream) = begun(limits()).await;
    // Kept a moment before it is taken away, and a moment after.
    heard.stage.hears("strom", &[of_another("before", 2)], &[]).await;
    jetstream.deletes(EVA, "before", at(0, 8, 0));
    jetstream.deletes(EVA, "after", at(0, 8, 0));
    jetstream.deletes("did:plc:bo", "never", at(0, 8, 0));
    says(&jetstream, 4);
    heard.until_count("select count(*) from mentions", 3).await;
    heard.stage.hears("strom", &[of_another("after", 3)], &[]).await;
    assert_eq!(heard.stage.number(GONE).await, 0, "the stream does not know yet that we have them");
    heard.stage.running.app.clock.set(at(0, 8, 2));
    says(&jetstream, 5);
    heard.until_count(GONE, 2).await;
    assert_eq!(heard.stage.facts(&["mention.deleted"]).await, [2]);
    // What others kept long ago is known, and taken away at once.
    heard.stage.hears("strom", &[of_another("old", 6)], &[]).await;
    heard.stage.running.app.clock.set(at(0, 8, 4));
    says(&jetstream, 7);
    heard.until_count(KEPT, 7).await;
    jetstream.deletes(EVA, "old", at(0, 8, 4));
    heard.until_count(GONE, 3).await;
    heard.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_of_bluesky_is_linked_to_where_the_municipality_reads_it() {
    for (more, begins) in
        [("", "https://bsky.app/profile/"), ("web = 'https://vy.example.se'", "https://vy.example.se/profile/")]
    {
        let (stage, pds, _folder) = bluesky::account_with(at(0, 8, 0), more).await;
        pds.tells("mention", &uri(EVA, "m"), &record("hej", at(0, 7, 0)), at(0, 7, 0));
        let poll = bluesky::reads(&stage, &Cursor::default()).await.unwrap();
        assert_eq!(poll.posts[0].url.as_deref(), Some(format!("{begins}{EVA}/post/m").as_str()));
        stage.ends_whole().await;
    }
    let (heard, _jetstream) = begun(limits()).await;
    let linked = "select count(*) from mentions where url = 'https://bsky.app/profile/did:plc:eva/post/1'";
    assert_eq!(heard.stage.number(linked).await, 1);
    heard.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_posts_wait_for_a_server_that_rests_and_come_each_once_though_turned_round() {
    let (stage, pds, _folder) = bluesky::account(at(0, 8, 0)).await;
    pds.we_say("o0", &record("God natt från Ale.", at(0, 7, 0)), at(0, 7, 0));
    let begun = bluesky::reads(&stage, &Cursor::default()).await.unwrap();
    for n in 1..=150_u64 {
        let at = at(0, 8, 0).plus(Duration::from_secs(n));
        pds.we_say(&format!("o{n}"), &record("God morgon från Ale.", at), at);
    }
    pds.goes_wrong("app.bsky.feed.getAuthorFeed", &[Fault::Status(429, vec![("retry-after", "60".to_owned())])]);
    let limited = bluesky::reads(&stage, &begun.cursor).await.unwrap();
    assert_eq!(limited.wait, Some(Duration::from_mins(1)), "what is asked beside the list of mentions may rest");
    stage.running.app.clock.set(at(0, 8, 10));
    pds.goes_wrong("app.bsky.feed.getAuthorFeed", &[Fault::Reversed, Fault::Reversed]);
    let all = bluesky::reads(&stage, &limited.cursor).await.unwrap();
    let again = bluesky::reads(&stage, &all.cursor).await.unwrap();
    let mut names: Vec<&str> = all.posts.iter().chain(&again.posts).map(|post| post.native_id.as_str()).collect();
    let told = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!((told, names.len()), (names.len(), 150));
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_s_stream_that_is_cut_in_mid_message_leaves_no_hole_and_what_it_tells_twice_is_once() {
    let (stage, fake, _folder) = server(limits()).await;
    let second = |n| stage.running.app.clock.set(at(0, 8, 0).plus(Duration::from_secs(n)));
    let count = async |sql: &'static str| {
        stage.running.settle().await;
        stage.number(sql).await
    };
    second(1);
    let listener = listens(&stage);
    waits("somebody listens", async || fake.listeners() == 1).await;
    second(2);
    let first = fake.says(&mastodon::tagged("https://other.example/1", &mastodon::lamp(1)), at(0, 7, 59));
    waits("the bell", async || count(KEPT).await == 1).await;
    fake.stream_is_cut_in_mid_message();
    waits("it is cut", async || fake.listeners() == 0).await;
    second(3);
    // Told to nobody; found when somebody listens again, whose first bell it is.
    fake.says(&mastodon::tagged("https://other.example/2", &mastodon::lamp(2)), at(0, 7, 59));
    waits("it listens again", async || fake.listeners() == 1).await;
    waits("the hole is closed", async || count(KEPT).await == 2).await;
    second(4);
    fake.edits(&first, "Nu är lampan vid torget i Älvängen lagad, tack Ale kommun! #ale", at(0, 8, 0));
    for event in ["status.update", "update", "status.update"] {
        fake.tells_again(event, &first);
    }
    waits("the change", async || count("select count(*) from mention_versions").await == 1).await;
    second(5);
    fake.deletes(&first);
    fake.tells_again("delete", &first);
    fake.tells_again("delete", "1");
    waits("the deletion", async || count(GONE).await == 1).await;
    let facts = stage.facts(&["mention.kept", "mention.edited", "mention.deleted"]).await;
    assert_eq!(facts, [2, 1, 1]);
    ends(listener).await;
    stage.running.settle().await;
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_clock_is_ahead_hides_no_post_that_comes_after() {
    let (stage, fake, _folder) = mastodon::open(Engine::Sqlite, mastodon::TAGS, at(0, 8, 0)).await;
    // Numbered by a clock that is half an hour ahead.
    fake.says(&mastodon::tagged("https://other.example/1", &mastodon::lamp(1)), at(0, 8, 30));
    stage.until(at(0, 8, 0)).await;
    assert_eq!(stage.number(KEPT).await, 1);
    assert_eq!(stage.number("select count(*) from mentions where authored_at > seen_at").await, 0, "not before it is");
    fake.says(&mastodon::tagged("https://third.example/2", &mastodon::lamp(2)), at(0, 8, 4));
    stage.until(at(0, 8, 10)).await;
    assert_eq!((stage.number(KEPT).await, stage.facts(&["mention.kept"]).await), (2, vec![2]));
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_what_is_said_to_our_account_leaves_the_place() {
    use fake_mastodon::Fault;
    use lyhord::source::PollError;
    let path = "/api/v1/notifications";
    let (stage, fake, _folder) = mastodon::open(Engine::Sqlite, mastodon::ACCOUNT, at(0, 8, 0)).await;
    let said = |n: usize| {
        let (address, words) = (format!("https://other.example/{n}"), mastodon::lamp(n));
        let acct = "eva@other.example";
        fake.says(
            &fake_mastodon::Said {
                uri: &address,
                acct,
                text: &words,
                names: &["ale"],
                ..fake_mastodon::Said::default()
            },
            at(0, 7, 0),
        );
    };
    said(0);
    let begun = mastodon::reads(&stage, "konto", &Cursor::default()).await.unwrap();
    for n in 1..=60 {
        said(n);
    }
    let wrong = |faults: &[Fault]| fake.goes_wrong(path, faults);
    let status = |status, more| Fault::Status(status, more);
    let reads = async |cursor: &Cursor| mastodon::reads(&stage, "konto", cursor).await;
    wrong(&[status(401, vec![])]);
    assert!(matches!(reads(&begun.cursor).await, Err(PollError::Unauthorized(_))));
    wrong(&[status(502, vec![])]);
    assert!(matches!(reads(&begun.cursor).await, Err(PollError::Unreachable(_))));
    wrong(&[Fault::WrongType]);
    assert!(matches!(reads(&begun.cursor).await, Err(PollError::Unreadable(_))));
    wrong(&[Fault::Cut]);
    assert!(matches!(reads(&begun.cursor).await, Err(PollError::Unreachable(_))));
    wrong(&[status(429, vec![])]);
    assert_eq!(reads(&begun.cursor).await.unwrap_err(), PollError::RateLimited { retry_after: None });
    // The token is withdrawn between two pages.
    wrong(&[Fault::With(vec![]), status(401, vec![])]);
    assert!(matches!(reads(&begun.cursor).await, Err(PollError::Unauthorized(_))));
    // The second page is the first once more, turned round.
    wrong(&[Fault::With(vec![]), Fault::Again]);
    let half = reads(&begun.cursor).await.unwrap();
    let rest = reads(&half.cursor).await.unwrap();
    let mut names: Vec<&str> = half.posts.iter().chain(&rest.posts).map(|post| post.native_id.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 60, "nothing lost");
    assert_eq!(reads(&rest.cursor).await.unwrap().posts.len(), 0);
    wrong(&[status(429, vec![("retry-after", "60".to_owned())])]);
    let limited = reads(&rest.cursor).await.unwrap_err();
    assert_eq!(limited, PollError::RateLimited { retry_after: Some(Duration::from_mins(1)) });
    let asked = fake.asked(path);
    assert!(reads(&rest.cursor).await.is_err());
    assert_eq!(fake.asked(path), asked, "nothing is asked while it rests");
    stage.ends_whole().await;
}
