use axum::http::StatusCode;

use super::*;
use crate::http::Limits;
use crate::source::watched::SourceKind;

const FEED: &str = "<rss><channel><title>T</title><item><guid>1</guid><title>Ett</title></item></channel></rss>";

fn now() -> Time {
    Time::parse("2026-11-23T08:00:00Z").unwrap()
}

fn fetched(status: u16, retry_after: Option<&str>, url: &str) -> Fetched {
    Fetched { status, retry_after: retry_after.map(str::to_owned), final_url: url.to_owned(), ..Fetched::default() }
}

fn said(status: u16, retry_after: Option<&str>) -> Option<PollError> {
    refusal(&fetched(status, retry_after, "https://a.example/feed"), now())
}

fn waits(seconds: u64) -> PollError {
    PollError::RateLimited { retry_after: Some(Duration::from_secs(seconds)) }
}

#[test]
fn case_16_a_429_in_seconds_then_a_503_with_a_date_then_a_304_with_a_new_last_modified() {
    assert_eq!(said(429, Some("3600")), Some(waits(3_600)));
    assert_eq!(said(503, Some("Mon, 23 Nov 2026 10:00:00 GMT")), Some(waits(7_200)));
    assert_eq!(said(304, None), None);
    let mut memory = Memory { etag: Some("a".into()), last_modified: Some("gammal".into()), ..Memory::default() };
    let answer = Fetched { not_modified: true, last_modified: Some("ny".into()), ..fetched(304, None, "") };
    memory.remember(&answer);
    assert_eq!((memory.etag.as_deref(), memory.last_modified.as_deref()), (Some("a"), Some("ny")));
}

#[test]
fn case_18_reddits_403_is_a_rate_limit_and_others_are_not() {
    let of = |url| refusal(&fetched(403, None, url), now());
    assert_eq!(of("https://www.reddit.com/r/x/.rss"), Some(waits(3_600)));
    assert!(matches!(of("https://notreddit.com/x"), Some(PollError::Unauthorized(_))));
}

#[test]
fn each_refusal_says_what_to_do_next() {
    assert!(matches!(said(401, None), Some(PollError::Unauthorized(_))));
    assert_eq!(said(429, None), Some(PollError::RateLimited { retry_after: None }));
    assert_eq!(said(410, None), Some(PollError::Gone));
    assert!(matches!(said(500, None), Some(PollError::Unreachable(_))));
    assert!(matches!(said(418, None), Some(PollError::Unreadable(_))));
    let challenge = Fetched { challenged: true, ..fetched(403, None, "https://a.example") };
    assert!(matches!(refusal(&challenge, now()), Some(PollError::Blind(_))));
}

#[test]
fn half_an_answer_is_never_not_changed_and_another_address_makes_the_memory_void() {
    let mut memory = Memory { address: "https://a.example".into(), etag: Some("a".into()), ..Memory::default() };
    memory.remember(&Fetched { complete: false, etag: Some("b".into()), ..fetched(200, None, "") });
    assert_eq!((&memory.etag, &memory.body), (&None, &None));
    memory.filled = true;
    assert_eq!(Memory::of(&memory.cursor(), "https://a.example"), memory);
    assert!(!Memory::of(&memory.cursor(), "https://b.example").filled);
}

/// A site on the loopback, and a source of ours that reads `path` there.
async fn source(router: axum::Router, path: &str) -> FeedSource {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}{path}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let client = Arc::new(Client::new("test@ale.example", Limits::default()).unwrap());
    let setting = SourceSetting {
        key: "a".into(),
        name: "A".into(),
        kind: SourceKind::Feed,
        address,
        interval: Duration::from_mins(15),
        reach: Reach::Local,
        own: true,
        channel: "rss".into(),
        paused: false,
    };
    FeedSource::new(client, &setting)
}

fn get<const N: usize>(
    path: &str,
    status: StatusCode,
    headers: [(&'static str, &'static str); N],
    body: &'static str,
) -> axum::Router {
    axum::Router::new().route(path, axum::routing::get(move || async move { (status, headers, body) }))
}

#[tokio::test]
async fn a_feed_behind_a_page_is_found_and_the_second_reading_finds_nothing_new() {
    let page = "<!doctype html><link rel=alternate type=application/rss+xml href=/feed>";
    let site = get("/", StatusCode::OK, [], page).merge(get(
        "/feed",
        StatusCode::OK,
        [("cache-control", "max-age=7200")],
        FEED,
    ));
    let source = source(site, "/").await;
    let first = source.poll(&Cursor::default(), now()).await.unwrap();
    assert_eq!((first.posts.len(), first.unchanged, first.wait), (1, false, Some(Duration::from_hours(2))));
    assert!(first.posts[0].own && first.posts[0].channel == "rss");
    let second = source.poll(&first.cursor, now()).await.unwrap();
    assert!(second.unchanged && second.posts.is_empty());
}

#[tokio::test]
async fn case_17_one_feed_behind_a_local_proxy_does_not_stop_the_other() {
    let site =
        get("/a", StatusCode::BAD_GATEWAY, [("retry-after", "3600")], "").merge(get("/b", StatusCode::OK, [], FEED));
    let one = source(site, "/a").await;
    let other = FeedSource { address: one.address.replace("/a", "/b"), ..one.clone() };
    assert_eq!(one.poll(&Cursor::default(), now()).await.unwrap_err(), waits(3_600));
    assert_eq!(other.poll(&Cursor::default(), now()).await.unwrap().posts.len(), 1);
}

#[tokio::test]
async fn a_feed_that_used_to_have_posts_and_is_empty_is_blind() {
    let source = source(get("/", StatusCode::OK, [], "<rss><channel><title>T</title></channel></rss>"), "/").await;
    assert!(!source.poll(&Cursor::default(), now()).await.unwrap().blind);
    let memory = Memory { address: source.address.clone(), filled: true, ..Memory::default() };
    assert!(source.poll(&memory.cursor(), now()).await.unwrap().blind);
}

#[tokio::test]
async fn a_page_where_a_feed_used_to_be_is_blind() {
    let page = "<!doctype html><link rel=alternate type=application/rss+xml href=/feed>Logga in";
    let source = source(get("/", StatusCode::OK, [], page), "/").await;
    let memory = Memory { address: source.address.clone(), filled: true, ..Memory::default() };
    assert!(matches!(source.poll(&memory.cursor(), now()).await, Err(PollError::Blind(_))));
}

const PAGE: &str = "<!doctype html><link rel=alternate type=application/rss+xml href=/ny>";

/// What is remembered of a feed that was found behind the page of `source`, with posts in it.
fn remembered(source: &FeedSource, feed: &str) -> Cursor {
    let feed = url::Url::parse(&source.address).unwrap().join(feed).unwrap();
    let memory = Memory {
        address: source.address.clone(),
        feed: Some(feed.into()),
        etag: Some("\"gammal\"".into()),
        filled: true,
        ..Memory::default()
    };
    memory.cursor()
}

fn feed_of(cursor: &Cursor) -> String {
    cursor.0["feed"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_feed_that_has_moved_is_read_where_its_page_says_that_it_is_now() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let no_more = format!("http://{}/feed", closed.local_addr().unwrap());
    drop(closed);
    let old = [
        (StatusCode::NOT_FOUND, "/gammal"),
        (StatusCode::GONE, "/gammal"),
        (StatusCode::OK, "/gammal"), // and a page stands there
        (StatusCode::OK, no_more.as_str()),
    ];
    for (status, last) in old {
        let site = get("/", StatusCode::OK, [], PAGE)
            .merge(get("/gammal", status, [], "<!doctype html>Sidan finns inte"))
            .merge(get("/ny", StatusCode::OK, [("etag", "\"ny\"")], FEED));
        let source = source(site, "/").await;
        let poll = source.poll(&remembered(&source, last), now()).await.unwrap();
        assert_eq!((poll.posts.len(), poll.blind), (1, false), "{status} {last}");
        assert_eq!(feed_of(&poll.cursor), format!("{}ny", source.address), "{status} {last}");
        let again = source.poll(&poll.cursor, now()).await.unwrap();
        assert!(again.unchanged, "{status} {last}");
    }
}

#[tokio::test]
async fn a_feed_that_only_fails_for_a_while_is_waited_for_whatever_its_page_names() {
    let silent = axum::Router::new().route("/gammal", axum::routing::get(std::future::pending::<()>));
    let ways = [get("/gammal", StatusCode::INTERNAL_SERVER_ERROR, [], ""), silent];
    for way in ways {
        let site = get("/", StatusCode::OK, [], PAGE).merge(way).merge(get("/ny", StatusCode::OK, [], FEED));
        let limits =
            Limits { connect: Duration::from_millis(200), head: Duration::from_millis(200), ..Limits::default() };
        let source = FeedSource {
            client: Arc::new(Client::new("test@ale.example", limits).unwrap()),
            ..source(site, "/").await
        };
        let fault = source.poll(&remembered(&source, "/gammal"), now()).await.unwrap_err();
        assert!(matches!(fault, PollError::Unreachable(_)), "{fault:?}");
    }
}

#[tokio::test]
async fn a_lost_feed_that_its_page_still_names_is_lost_and_never_blind() {
    for (status, gone) in [(StatusCode::NOT_FOUND, false), (StatusCode::GONE, true)] {
        let source = source(get("/", StatusCode::OK, [], PAGE).merge(get("/ny", status, [], "")), "/").await;
        let fault = source.poll(&remembered(&source, "/ny"), now()).await.unwrap_err();
        assert!(matches!((&fault, gone), (PollError::Gone, true) | (PollError::Unreachable(_), false)), "{fault:?}");
    }
}

#[tokio::test]
async fn a_feed_is_not_gone_for_good_while_its_page_cannot_be_asked() {
    let site = get("/", StatusCode::INTERNAL_SERVER_ERROR, [], "").merge(get("/gammal", StatusCode::GONE, [], ""));
    let source = source(site, "/").await;
    let fault = source.poll(&remembered(&source, "/gammal"), now()).await.unwrap_err();
    assert!(matches!(fault, PollError::Unreachable(_)), "{fault:?}");
}

#[tokio::test]
async fn a_page_in_the_place_of_a_feed_that_its_own_page_still_names_is_blind() {
    let site = get("/", StatusCode::OK, [], PAGE).merge(get("/ny", StatusCode::OK, [], "<!doctype html>Logga in"));
    let source = source(site, "/").await;
    let fault = source.poll(&remembered(&source, "/ny"), now()).await.unwrap_err();
    assert!(matches!(fault, PollError::Blind(_)), "{fault:?}");
}
