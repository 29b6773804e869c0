use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// In these tests 127.0.0.2 plays the public internet, and 127.0.0.1 the inner network.
fn client() -> Client {
    let limits = Limits {
        head: Duration::from_secs(5),
        chunk: Duration::from_millis(200),
        total: Duration::from_secs(10),
        body_bytes: 1_000_000,
        ..Limits::default()
    };
    Client::judged("https://ale.example/lyhord", limits, |ip| ip == IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2))).unwrap()
}

/// A server that gives each question the next answer, and the last one for ever; counts the questions and keeps them.
struct Server {
    url: String,
    asked: Arc<AtomicUsize>,
    heads: Arc<std::sync::Mutex<Vec<String>>>,
}

async fn server(host: &str, answers: Vec<Vec<u8>>) -> Server {
    let listener = TcpListener::bind((host, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let heads: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
    let (count, kept) = (Arc::clone(&asked), Arc::clone(&heads));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 8_192];
            let read = stream.read(&mut head).await.unwrap_or(0);
            kept.lock().unwrap().push(String::from_utf8_lossy(&head[..read]).into_owned());
            let number = count.fetch_add(1, Ordering::SeqCst);
            let answer = answers.get(number).or(answers.last()).cloned().unwrap_or_default();
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
        }
    });
    Server { url, asked, heads }
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n{body}").into_bytes()
}

fn ask(url: &str, reach: Reach) -> Fetch<'_> {
    Fetch { url, etag: None, last_modified: None, reach, accept: "*/*" }
}

#[tokio::test]
async fn it_says_who_it_is_and_what_it_has() {
    let server = server("127.0.0.2", vec![answer("304 Not Modified", "etag: \"b\"\r\n", "")]).await;
    let fetch = Fetch { etag: Some("\"a\""), last_modified: Some("igår"), ..ask(&server.url, Reach::Public) };
    let fetch = Fetch { last_modified: Some("Mon, 23 Nov 2026 08:00:00 GMT"), ..fetch };
    let fetched = client().fetch(&fetch).await.unwrap();
    assert!(fetched.not_modified && fetched.etag.as_deref() == Some("\"b\""));
    let head = server.heads.lock().unwrap()[0].to_lowercase();
    for part in
        ["lyhord/", "(+https://ale.example/lyhord)", "if-none-match: \"a\"", "if-modified-since: mon", "gzip", "br"]
    {
        assert!(head.contains(part), "{part} in {head}");
    }
}

#[tokio::test]
async fn an_inner_address_is_refused_by_number_by_name_and_after_a_redirect() {
    let inner = server("127.0.0.1", vec![answer("200 OK", "", "hemligt")]).await;
    let to_inner = format!("location: {}\r\n", inner.url);
    let outer = server("127.0.0.2", vec![answer("302 Found", &to_inner, "")]).await;
    let by_name = inner.url.replace("127.0.0.1", "localhost");
    for url in [&inner.url, &by_name, &outer.url] {
        let error = client().fetch(&ask(url, Reach::Public)).await.unwrap_err();
        assert!(matches!(error, FetchError::Refused(_)), "{url}: {error:?}");
    }
    assert_eq!(inner.asked.load(Ordering::SeqCst), 0);
    assert_eq!(client().fetch(&ask(&inner.url, Reach::Local)).await.unwrap().body, "hemligt");
}

#[tokio::test]
async fn only_a_wholly_permanent_move_is_a_new_address() {
    let goal = server("127.0.0.2", vec![answer("200 OK", "", "framme")]).await;
    let to = |url: &str| format!("location: {url}/x#del\r\n");
    let permanent = server("127.0.0.2", vec![answer("308 Permanent Redirect", &to(&goal.url), "")]).await;
    let first = server("127.0.0.2", vec![answer("301 Moved", &to(&permanent.url), "")]).await;
    let fetched = client().fetch(&ask(&first.url, Reach::Public)).await.unwrap();
    assert_eq!(fetched.permanent_url, Some(format!("{}/x", goal.url)));
    let passing = server("127.0.0.2", vec![answer("302 Found", &to(&permanent.url), "")]).await;
    let fetched = client().fetch(&ask(&passing.url, Reach::Public)).await.unwrap();
    assert_eq!((fetched.permanent_url, fetched.body), (None, "framme".into()));
}

#[tokio::test]
async fn a_ring_of_redirects_comes_to_an_end() {
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let ring = server("127.0.0.2", vec![answer("301 Moved", "location: /\r\n", "")]).await;
    assert_eq!(client().fetch(&ask(&ring.url, Reach::Public)).await.unwrap_err(), FetchError::Redirects);
    let other = client().fetch(&ask(&url, Reach::Public)).await.unwrap_err();
    assert!(matches!(other, FetchError::Unreachable(_)), "{other:?}");
}

#[tokio::test]
async fn a_bomb_costs_no_more_than_the_cap() {
    let mut bomb = answer("200 OK", "content-encoding: gzip\r\n", "");
    bomb.extend_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    // One fixed Huffman block: a zero, then "258 times the byte before", over and over (code 285, distance 1).
    let mut bits = "110".to_owned() + "00110000";
    bits.push_str(&"1100010100000".repeat(200_000)); // 50 MB
    for byte in bits.as_bytes().chunks(8) {
        bomb.push(byte.iter().enumerate().map(|(place, bit)| (bit - b'0') << place).sum());
    }
    let mut brotli = answer("200 OK", "content-encoding: br\r\n", "");
    // Fifty million zeros.
    brotli.extend(bytes("cfffff7f002400e2b14072effff9ffff0f8004401c1680eefd7ffec1eb03900088c302d041d707"));
    for bomb in [bomb, brotli] {
        let server = server("127.0.0.2", vec![bomb]).await;
        let error = client().fetch(&ask(&server.url, Reach::Public)).await.unwrap_err();
        assert_eq!(error, FetchError::TooLarge(1_000_000));
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn what_is_read_of_a_body_is_never_more_than_the_cap_nor_is_there_room_for_more() {
    let mut pile = Pile { bytes: Vec::new(), cap: 1_000_000 };
    let chunk = vec![0; 8_192];
    let mut taken = 0;
    let refused = loop {
        match pile.take(&chunk) {
            Ok(()) => taken += 1,
            Err(refused) => break refused,
        }
        assert!(pile.bytes.capacity() <= 1_000_000, "room for {}", pile.bytes.capacity());
    };
    assert_eq!(refused, FetchError::TooLarge(1_000_000));
    assert_eq!(
        (taken, pile.bytes.len()),
        (122, 122 * 8_192),
        "the first piece too many is refused, and nothing of it kept"
    );
}

#[tokio::test]
async fn a_body_without_end_is_let_go_at_the_cap() {
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let sending = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 8_192]).await;
        let _ = stream.write_all(&answer("200 OK", "", "")).await;
        let mut sent = 0_usize;
        while stream.write_all(&[b'x'; 8_192]).await.is_ok() {
            sent += 8_192;
        }
        sent
    });
    let error = client().fetch(&ask(&url, Reach::Public)).await.unwrap_err();
    assert_eq!(error, FetchError::TooLarge(1_000_000));
    // What lies between us in the kernel's buffers was sent too; the rest never was.
    let sent = timeout(Duration::from_secs(10), sending).await.expect("we hung up").unwrap();
    assert!(sent < 32_000_000, "{sent} bytes were taken in");
}

#[tokio::test]
async fn a_body_in_brotli_is_read() {
    let mut packed = answer("200 OK", "content-encoding: br\r\n", "");
    packed
        .extend(bytes("1b6300f81d87b17ba44dae7fa9059d4e0ec0c2fb575ffb0a03b08ad436415cdc02c3400104bcd3fb72c8e2976f05"));
    let server = server("127.0.0.2", vec![packed]).await;
    let fetched = client().fetch(&ask(&server.url, Reach::Public)).await.unwrap();
    assert_eq!((fetched.complete, fetched.body), (true, "Vattenläcka i Nödinge. ".repeat(4).into()));
}

#[tokio::test]
async fn a_slow_drip_is_let_go() {
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 8_192]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n<rss>").await;
        std::future::pending::<()>().await;
    });
    let error = client().fetch(&ask(&url, Reach::Public)).await.unwrap_err();
    assert!(matches!(error, FetchError::TimedOut(_)), "{error:?}");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_kept_and_said_to_be_broken() {
    let server = server("127.0.0.2", vec![answer("200 OK", "content-length: 999\r\n", "<rss>")]).await;
    let fetched = client().fetch(&ask(&server.url, Reach::Public)).await.unwrap();
    assert_eq!((fetched.complete, fetched.body), (false, "<rss>".into()));
}

#[tokio::test]
async fn a_429_closes_its_host_for_all_but_not_for_our_own_machines() {
    for (host, reach, asked) in [("127.0.0.2", Reach::Public, 1), ("127.0.0.1", Reach::Local, 2)] {
        let server = server(host, vec![answer("429 Too Many Requests", "retry-after: 60\r\n", "")]).await;
        let client = client();
        assert_eq!(client.fetch(&ask(&server.url, reach)).await.unwrap().status, 429);
        let second = client.fetch(&ask(&format!("{}/b", server.url), reach)).await;
        assert_eq!(matches!(second, Err(FetchError::Paused(_))), reach == Reach::Public, "{second:?}");
        assert_eq!(server.asked.load(Ordering::SeqCst), asked);
    }
}

#[tokio::test]
async fn a_gzip_that_breaks_off_gives_what_could_be_unpacked_or_a_fault_and_never_a_whole() {
    let mut half = answer("200 OK", "content-encoding: gzip\r\n", "");
    half.extend_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    let server = server("127.0.0.2", vec![half]).await;
    let answer = client().fetch(&ask(&server.url, Reach::Public)).await;
    assert!(answer.as_ref().map_or(true, |fetched| !fetched.complete), "{answer:?}");
}

#[tokio::test]
async fn while_one_question_is_unanswered_another_to_that_host_is_put_off_and_never_sent() {
    let silent = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            held.push(stream);
        }
    });
    let other = server("127.0.0.2", vec![answer("200 OK", "", "hej")]).await;
    let limits = Limits { turn: Duration::from_millis(200), ..Limits::default() };
    let judge = |ip| ip == IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    let client = Arc::new(Client::judged("https://ale.example/lyhord", limits, judge).unwrap());
    let (one, first) = (Arc::clone(&client), format!("{url}/a"));
    let waits = tokio::spawn(async move { one.fetch(&ask(&first, Reach::Public)).await });
    while asked.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let second = client.fetch(&ask(&format!("{url}/b"), Reach::Public)).await;
    assert_eq!(second.unwrap_err(), FetchError::Busy);
    assert_eq!(asked.load(Ordering::SeqCst), 1, "the host has heard one question only");
    assert_eq!(client.fetch(&ask(&other.url, Reach::Public)).await.unwrap().body, "hej", "another host is not held up");
    waits.abort();
}

#[tokio::test]
async fn a_host_has_one_seat_and_after_a_burst_a_pace() {
    let usual = Limits::default().per_minute;
    let pace = Pace::new(Duration::from_millis(300), usual);
    let seat = pace.turn("a.example:443").await.unwrap();
    assert_eq!(pace.turn("a.example:443").await.unwrap_err(), FetchError::Busy);
    assert!(pace.turn("b.example:443").await.is_ok());
    drop(seat);
    for _ in 0..4 {
        drop(pace.turn("a.example:443").await.unwrap());
    }
    assert_eq!(pace.turn("a.example:443").await.unwrap_err(), FetchError::Busy, "the sixth comes too soon");
    assert!(pace.turn("b.example:443").await.is_ok(), "each host has its own pace");
    let patient = Pace::new(Duration::from_secs(20), usual);
    let begun = std::time::Instant::now();
    for _ in 0..6 {
        drop(patient.turn("a.example:443").await.unwrap());
    }
    assert!(begun.elapsed() >= Duration::from_millis(1_900), "{:?}", begun.elapsed());
}

#[test]
fn a_stream_that_ends_again_and_again_rests_twice_as_long_each_time_and_at_most_a_minute() {
    let rests: Vec<u64> = (1..=8).map(|failures| client().rest(failures).as_secs()).collect();
    assert_eq!(rests, [1, 2, 4, 8, 16, 32, 60, 60]);
}
