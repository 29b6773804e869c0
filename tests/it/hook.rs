//! Web hooks over loopback against the real router, in told time: signed, repeated, tampered with, late, too large, too
//! slow, of the wrong type, out of order; and how a hook is when its two ends do not agree.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lyhord::app::App;
use lyhord::clock::{Clock, Time};
use lyhord::jobs::{self, accept_deliveries};
use lyhord::on;
use lyhord::source::account::Secret;
use lyhord::source::hand_store::{self, NewDelivery};
use lyhord::source::hook::{BODY_MAX, Hook, Takes};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::channels::Stage;
use crate::fake_feed::serve;
use crate::harness::{ENGINES, Engine, at, database};
use crate::running::{Running, config};

const BROWN: &str = "Brunt vatten ur kranen i Nol sedan i morse, vem på Ale kommun kan svara?";
const OTHERS: &str = "Säljer en kattunge i Malmö, ring mig på kvällen.";
const SECRET: &str = "hemlig-nyckel-för-e-tjänsten-2026";
const NEXT: &str = "nästa-nyckel-för-e-tjänsten-2027";

/// The whole program with one hook, and its address.
struct Hooked {
    stage: Stage,
    address: SocketAddr,
    client: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Hooked {
    async fn open(engine: Engine, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, secret: &str| {
            std::fs::write(folder.path().join(name), secret).unwrap();
            folder.path().join(name).display().to_string()
        };
        let sources = format!(
            "[[source]]\nkey = \"e-tjanst\"\nname = \"E-tjänsten\"\nkind = \"hook\"\nchannel = \"e-tjanst\"\n\
             secret_file = \"{}\"\nnext_secret_file = \"{}\"\n{more}\n",
            file("secret", SECRET),
            file("next", NEXT)
        );
        let stage = Stage::open(engine, &sources, at(0, 8, 0)).await;
        let app = &stage.running.app;
        let router = lyhord::web::router(app.clone()).merge(jobs::hear_staff::routes(app).unwrap());
        let address = serve(router).await;
        Self { stage, address, client: reqwest::Client::new(), _folder: folder }
    }

    fn url(&self) -> String {
        format!("http://{}/krok/kalla/e-tjanst", self.address)
    }

    /// Hands in a body as the documentation says; the answer's status and words.
    async fn hands_in(&self, once: &str, body: &str) -> (u16, Value) {
        self.posts(&signed(SECRET, once, body, self.stage.now()), body).await
    }

    async fn posts(&self, headers: &[(&'static str, String)], body: &str) -> (u16, Value) {
        loop {
            let mut request = self.client.post(self.url()).header("content-type", "application/json; charset=utf-8");
            for (name, value) in headers {
                request = request.header(*name, value);
            }
            let answer = said(request.body(body.to_owned()).send().await.unwrap()).await;
            if answer.0 != 429 {
                return answer;
            }
            // A test hands in more often than anybody needs, and waits as it is told.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The answer to raw bytes on a connection that then says no more.
    async fn raw(&self, address: SocketAddr, bytes: &[u8], then_close: bool) -> String {
        let mut line = tokio::net::TcpStream::connect(address).await.unwrap();
        line.write_all(bytes).await.unwrap();
        if then_close {
            line.shutdown().await.unwrap();
        }
        let mut answer = Vec::new();
        // It is the server that ends the waiting.
        let mut part = [0_u8; 4_096];
        loop {
            let read = line.read(&mut part).await.unwrap_or(0);
            answer.extend_from_slice(&part[..read]);
            let text = String::from_utf8_lossy(&answer);
            if read == 0 || text.contains("\"message\"") {
                return text.into_owned();
            }
        }
    }

    async fn ends_whole(self) {
        self.stage.ends_whole().await;
    }
}

async fn said(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
}

fn signed(secret: &str, once: &str, body: &str, now: Time) -> Vec<(&'static str, String)> {
    let hook = Hook { secrets: vec![Secret::new(secret)], takes: Takes::Heard };
    hook.sign(once, body.as_bytes(), now).unwrap().to_vec()
}

fn items(items: &[Value]) -> String {
    json!({ "items": items }).to_string()
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_handed_in_is_written_down_and_goes_the_same_road_as_every_post() {
    for engine in ENGINES {
        let hooked = Hooked::open(engine, "").await;
        let body = items(&[
            json!({"id": "17", "text": BROWN, "written_at": "2026-11-23T07:40:00+01:00", "url": "https://e.ale.se/17"}),
            json!({"id": "18", "text": OTHERS}),
        ]);
        let first = hooked.hands_in("a-1", &body).await;
        assert_eq!((first.0, first.1["items"].as_i64()), (202, Some(2)), "{first:?}");
        let number = |sql: &'static str| hooked.stage.number(sql);
        assert_eq!(
            number("select count(*) from deliveries where items = 2").await,
            1,
            "written before it was answered"
        );
        assert_eq!(number("select count(*) from deliveries where kept like '%kattunge%'").await, 0, "not ours");
        hooked.stage.running.settle().await;
        assert_eq!(
            number("select count(*) from mentions where channel = 'e-tjanst' and native_id = 'e-tjanst/17'").await,
            1
        );
        assert_eq!(number("select count(*) from mentions").await, 1);
        assert_eq!(number("select count(*) from deliveries where kept = '' and taken_at is not null").await, 1);
        assert_eq!(number("select n from tallies where subject = 'source:e-tjanst' and what = 'seen'").await, 2);
        let case = hooked.stage.case(1).await;
        assert_eq!((case.arrived_at, case.unit.is_some()), (at(0, 7, 40), true));
        // A sender that did not hear our answer says it again, signed anew, and is told the same.
        hooked.stage.until(at(0, 8, 3)).await;
        assert_eq!(hooked.hands_in("a-1", &body).await, first);
        // The same post in another delivery is the same post.
        assert_eq!(hooked.hands_in("a-2", &body).await.0, 202);
        hooked.stage.running.settle().await;
        assert_eq!(number("select count(*) from mentions").await, 1);
        assert_eq!(number("select count(*) from cases").await, 1);
        assert_eq!(hooked.stage.source("e-tjanst").await.health, "ok");
        hooked.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_this_version_cannot_read_waits_for_one_that_can() {
    for engine in ENGINES {
        let hooked = Hooked::open(engine, "").await;
        let stage = &hooked.stage;
        let mut tx = stage.running.app.db.write().await.unwrap();
        let row = lyhord::source::store::by_key(&mut tx, "e-tjanst").await.unwrap().unwrap();
        let new = hand_store::NewDelivery { source: row.id, once: "a", digest: "d", items: 1, kept: "[{\"id\":7}]" };
        hand_store::hand_in(&mut tx, &new, stage.now()).await.unwrap().unwrap();
        jobs::Job::TakeDeliveries.enqueue(&mut tx, stage.now()).await.unwrap();
        tx.commit().await.unwrap();
        stage.running.settle().await;
        let mut tx = stage.running.app.db.read().await.unwrap();
        let waiting = hand_store::waiting_deliveries(&mut tx, 9).await.unwrap();
        assert_eq!(
            waiting.iter().map(|one| one.kept.as_str()).collect::<Vec<_>>(),
            ["[{\"id\":7}]"],
            "nothing is lost"
        );
        let row = lyhord::source::store::by_key(&mut tx, "e-tjanst").await.unwrap().unwrap();
        assert!(row.health_why.contains("går inte att läsa med den här versionen"), "{}", row.health_why);
        drop(tx);
        hooked.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_was_answered_outlives_the_process_that_answered() {
    for engine in ENGINES {
        let (database, folder) = (database(engine), tempfile::tempdir().unwrap());
        let file = folder.path().join("secret");
        std::fs::write(&file, SECRET).unwrap();
        let sources = format!(
            "[[source]]\nkey = \"e-tjanst\"\nname = \"E-tjänsten\"\nkind = \"hook\"\nsecret_file = \"{}\"\n",
            file.display()
        );
        let service = "[municipality]\nname = \"Ale kommun\"\ncontact = \"test@example.se\"\n\
                       base_url = \"https://lyhord.example.se/\"\n";
        let configured = || config(service, &sources, &database.address);
        // A process that only serves pages: nobody takes the delivery on before it dies.
        let app = Arc::new(App::open(configured(), Clock::manual(at(0, 8, 0))).await.unwrap());
        app.take_over_configuration().await.unwrap();
        let address = serve(jobs::hear_staff::routes(&app).unwrap()).await;
        let body = items(&[json!({"id": "1", "text": BROWN}), json!({"id": "2", "text": OTHERS})]);
        let mut request = reqwest::Client::new().post(format!("http://{address}/krok/kalla/e-tjanst"));
        for (name, value) in signed(SECRET, "a", &body, at(0, 8, 0)) {
            request = request.header(name, value);
        }
        let request = request.header("content-type", "application/json").body(body);
        assert_eq!(request.send().await.unwrap().status().as_u16(), 202);
        let mut tx = app.db.read().await.unwrap();
        let waiting = hand_store::waiting_deliveries(&mut tx, 9).await.unwrap();
        assert_eq!((waiting.len(), waiting[0].items), (1, 2));
        assert!(waiting[0].kept.contains("Brunt vatten") && !waiting[0].kept.contains("kattunge"), "what is not ours");
        drop(tx);
        app.db.close().await;
        let running = Running::start(configured(), at(0, 8, 30)).await;
        running.settle().await;
        let mut tx = running.app.db.read().await.unwrap();
        let kept: Vec<(String, Time)> =
            on!(tx, c => sqlx::query_as("select native_id, authored_at from mentions").fetch_all(c).await).unwrap();
        assert_eq!(kept, [("e-tjanst/1".to_owned(), at(0, 8, 0))], "at the time it was handed in");
        drop(tx);
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_delivery_five_times_at_once_is_one() {
    for engine in ENGINES {
        let hooked = Hooked::open(engine, "").await;
        let body = items(&[json!({"id": "1", "text": BROWN})]);
        let answers = futures::future::join_all((0..5).map(|_| hooked.hands_in("once", &body))).await;
        assert!(answers.iter().all(|answer| answer.0 == 202 && *answer == answers[0]), "{answers:?}");
        hooked.stage.running.settle().await;
        assert_eq!(hooked.stage.number("select count(*) from deliveries").await, 1);
        assert_eq!(hooked.stage.number("select count(*) from mentions").await, 1);
        hooked.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_tampered_with_late_or_signed_by_another_is_refused_and_leaves_nothing() {
    for engine in ENGINES {
        let hooked = Hooked::open(engine, "").await;
        let now = hooked.stage.now();
        let body = items(&[json!({"id": "1", "text": BROWN})]);
        let good = signed(SECRET, "a", &body, now);
        let tampered = body.replace("Nol", "Alafors");
        assert_eq!(code(&hooked.posts(&good, &tampered).await), (401, "bad_signature"));
        let other = signed("någon annans hemlighet, också lång", "a", &body, now);
        assert_eq!(code(&hooked.posts(&other, &body).await), (401, "bad_signature"));
        for apart in [-301, 301] {
            let late = signed(SECRET, "a", &body, Time(now.0 + apart * 1_000));
            let answer = hooked.posts(&late, &body).await;
            assert_eq!(code(&answer), (401, "late"));
            assert!(answer.1["error"]["message"].as_str().unwrap().contains("301 sekunder"), "{answer:?}");
        }
        for missing in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            let less: Vec<_> = good.iter().filter(|(name, _)| *name != missing).cloned().collect();
            let answer = hooked.posts(&less, &body).await;
            assert_eq!(code(&answer), (401, "missing_header"));
            assert!(answer.1["error"]["message"].as_str().unwrap().contains(missing));
        }
        assert_eq!(hooked.stage.number("select count(*) from deliveries").await, 0);
        // The next secret holds beside the first, as long as both are set.
        assert_eq!(hooked.posts(&signed(NEXT, "a", &body, now), &body).await.0, 202);
        // The name is used: another body under it is another delivery.
        assert_eq!(code(&hooked.hands_in("a", &tampered).await), (409, "other_body"));
        hooked.stage.running.settle().await;
        assert_eq!(hooked.stage.number("select count(*) from mentions").await, 1);
        hooked.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_a_delivery_has_a_status_and_a_sentence_of_its_own() {
    let hooked = Hooked::open(Engine::Sqlite, "").await;
    let now = hooked.stage.now();
    let good = items(&[json!({"id": "1", "text": BROWN})]);
    let post = |url: String, kind: &'static str| {
        let mut request = hooked.client.post(url).header("content-type", kind);
        for (name, value) in signed(SECRET, "x", &good, now) {
            request = request.header(name, value);
        }
        request.body(good.clone()).send()
    };
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
        assert_eq!(code(&said(post(hooked.url(), kind).await.unwrap()).await), (415, "wrong_type"));
    }
    let elsewhere = hooked.url().replace("e-tjanst", "torget");
    assert_eq!(code(&said(post(elsewhere, "application/json").await.unwrap()).await), (404, "unknown_source"));
    assert_eq!(hooked.client.get(hooked.url()).send().await.unwrap().status().as_u16(), 405);

    let large = "x".repeat(BODY_MAX + 1);
    assert_eq!(code(&hooked.hands_in("b", &large).await), (413, "too_large"));
    for (body, expected) in [
        ("{\"items\":[", "unreadable"),
        ("[]", "unreadable"),
        ("{\"items\":{}}", "unreadable"),
        ("{\"items\":[{\"id\":7,\"text\":\"x\"}]}", "unreadable"),
        ("{\"items\":[{\"id\":\"7\",\"text\":\"x\",\"stat\":\"deleted\"}]}", "unreadable"),
        ("\u{0}", "unreadable"),
        ("{\"items\":[{\"id\":\"7\"}]}", "bad_item"),
        ("{\"items\":[{\"id\":\"7\",\"text\":\"x\",\"audience\":\"group\"}]}", "bad_item"),
        (&"[".repeat(50_000), "too_deep"),
    ] {
        let answer = hooked.hands_in("c", body).await;
        assert_eq!(code(&answer), (422, expected), "{body:.40}");
        assert!(answer.1["error"]["message"].as_str().unwrap().ends_with('.'), "{answer:?}");
    }
    assert_eq!(hooked.stage.number("select count(*) from deliveries").await, 0);
    assert_eq!(hooked.hands_in("d", "{\"items\":[]}").await.0, 202, "an empty delivery tries the address");
    hooked.stage.running.settle().await;
    hooked.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_drips_is_waited_for_no_longer_than_we_bear_and_one_that_ends_early_is_not_taken() {
    let hooked = Hooked::open(Engine::Sqlite, "").await;
    let routes = accept_deliveries::routes(&hooked.stage.running.app, Duration::from_millis(300)).unwrap();
    let address = serve(routes).await;
    let body = items(&[json!({"id": "1", "text": BROWN})]);
    let half = &body[..body.len() / 2];
    let head = |length: &str| {
        let headers: Vec<String> = signed(SECRET, "a", &body, hooked.stage.now())
            .into_iter()
            .map(|(name, value)| {
                format!(
                    "{name}: {value}
"
                )
            })
            .collect();
        let headers = headers.concat();
        format!(
            "POST /krok/kalla/e-tjanst HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{headers}{length}\r\n\r\n"
        )
    };
    let whole = format!("content-length: {}", body.len());
    let dripped = hooked.raw(address, format!("{}{half}", head(&whole)).as_bytes(), false).await;
    assert!(dripped.starts_with("HTTP/1.1 408") && dripped.contains("too_slow"), "{dripped}");
    // Without a length, the size is counted as it comes.
    let mut endless = head("transfer-encoding: chunked").into_bytes();
    let chunk = format!("{:x}\r\n{}\r\n", 64 * 1024, "x".repeat(64 * 1024));
    for _ in 0..=BODY_MAX / (64 * 1024) {
        endless.extend_from_slice(chunk.as_bytes());
    }
    endless.extend_from_slice(b"0\r\n\r\n");
    let endless = hooked.raw(hooked.address, &endless, false).await;
    assert!(endless.starts_with("HTTP/1.1 413") && endless.contains("too_large"), "{endless:.200}");
    let told = hooked.raw(hooked.address, head("content-length: 99999999999").as_bytes(), false).await;
    assert!(told.starts_with("HTTP/1.1 413"), "told before it comes: {told:.200}");
    let cut_off = hooked.raw(hooked.address, format!("{}{half}", head(&whole)).as_bytes(), true).await;
    assert!(cut_off.starts_with("HTTP/1.1 400") && cut_off.contains("cut_off"), "{cut_off}");
    assert_eq!(hooked.stage.number("select count(*) from deliveries").await, 0);
    hooked.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_and_deletions_are_versions_and_tombstones_in_whatever_order_they_come() {
    for engine in ENGINES {
        let hooked = Hooked::open(engine, "takes = \"everything\"").await;
        let number = |sql: &'static str| hooked.stage.number(sql);
        let new = |id: &str| json!({"id": id, "text": BROWN, "written_at": "2026-11-23T06:00:00Z"});
        let changed = |id: &str, text: &str, minute: u8| {
            json!({"id": id, "state": "changed", "text": text, "written_at": "2026-11-23T06:00:00Z",
                   "changed_at": format!("2026-11-23T06:{minute:02}:00Z")})
        };
        let gone = |id: &str| json!({"id": id, "state": "deleted", "changed_at": "2026-11-23T06:50:00Z"});
        let mut n = 0;
        for item in [
            new("in-order"),
            changed("in-order", "Nu är vattnet klart igen, tack!", 10),
            changed("in-order", "Nu är vattnet klart igen, tack!", 10),
            changed("in-order", "Brunt igen.", 5), // older than what we have
            gone("in-order"),
            // The other way round: gone before it came, and changed before it came.
            gone("backwards"),
            changed("backwards", "Ändrat.", 10),
            new("backwards"),
            changed("late", "Det här gäller nu.", 10),
            new("late"),
        ] {
            n += 1;
            assert_eq!(hooked.hands_in(&format!("d-{n}"), &items(&[item])).await.0, 202);
            hooked.stage.running.settle().await;
        }
        assert_eq!(number("select version from mentions where native_id = 'e-tjanst/in-order'").await, 2);
        assert_eq!(
            number("select count(*) from mentions where native_id = 'e-tjanst/in-order' and deleted_at is not null")
                .await,
            1
        );
        assert_eq!(number("select count(*) from mentions where native_id = 'e-tjanst/backwards'").await, 0);
        assert_eq!(
            number("select count(*) from mentions where native_id = 'e-tjanst/late' and body = 'Det här gäller nu.'")
                .await,
            1
        );
        assert_eq!(hooked.stage.facts(&["mention.edited", "mention.deleted"]).await, [1, 1]);
        hooked.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_to_the_municipality_is_kept_and_our_own_answer_in_the_service_keeps_the_promise() {
    let hooked = Hooked::open(Engine::Sqlite, "").await;
    let question = json!({"id": "q", "text": "Hej, kan ni komma hit och titta?", "audience": "municipality", "kind": "mail",
                          "written_at": "2026-11-23T06:50:00Z"});
    assert_eq!(hooked.hands_in("1", &items(&[question])).await.0, 202);
    hooked.stage.running.settle().await;
    assert_eq!(hooked.stage.number("select count(*) from cases where unit is not null").await, 1, "no rule hears it");
    let answer = json!({"id": "a", "text": "Hej! Vi kommer i dag klockan tolv.", "own": true, "reply_to": "q", "thread": "q",
                        "kind": "comment", "written_at": "2026-11-23T06:58:00Z"});
    assert_eq!(hooked.hands_in("2", &items(&[answer])).await.0, 202);
    hooked.stage.running.settle().await;
    assert_eq!(hooked.stage.case(1).await.first_answer_at, Some(at(0, 7, 58)), "at the service's own time");
    assert_eq!(hooked.stage.number("select count(*) from cases").await, 1);
    hooked.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_was_changed_at_one_end_only_makes_the_hook_blind_and_the_keeper_is_told() {
    for engine in ENGINES {
        let hooked = Hooked::open(engine, "").await;
        let app = &hooked.stage.running.app;
        hooked.stage.keeper_has_a_chat().await;
        let look = async || accept_deliveries::look(app, hooked.stage.now()).await.unwrap();
        look().await;
        assert_eq!(hooked.stage.source("e-tjanst").await.health, "ok");
        let body = items(&[json!({"id": "1", "text": BROWN})]);
        for n in 0..5 {
            let other = signed("en hemlighet som inte gäller längre", &n.to_string(), &body, hooked.stage.now());
            assert_eq!(hooked.posts(&other, &body).await.0, 401);
        }
        look().await;
        let blind = hooked.stage.source("e-tjanst").await;
        assert_eq!((blind.health.as_str(), blind.health_why.contains("annan hemlighet")), ("blind", true));
        hooked.stage.until(at(0, 9, 0)).await;
        hooked.stage.until(at(0, 9, 5)).await;
        assert_eq!(hooked.stage.facts(&["source.warned"]).await, [1]);
        assert_eq!(hooked.hands_in("good", &body).await.0, 202);
        hooked.stage.running.settle().await;
        look().await;
        let well = hooked.stage.source("e-tjanst").await;
        assert_eq!((well.health.as_str(), well.health_why.as_str(), well.failures), ("ok", "", 0));
        // The case is somebody's whom no voice reaches, which the keeper is told. One a second goes to a chat, by the real
        // clock.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        hooked.stage.until(at(0, 15, 0)).await;
        hooked.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_without_its_secret_takes_nothing_and_says_so_and_one_that_rests_asks_for_patience() {
    let closed = "[[source]]\nkey = \"utan\"\nname = \"Utan\"\nkind = \"hook\"\nsecret_env = \"LYHORD_TEST_UNSET\"\n\
                  [[source]]\nkey = \"vilar\"\nname = \"Vilar\"\nkind = \"hook\"\nsecret_env = \"LYHORD_TEST_UNSET\"\npaused = true\n";
    let hooked = Hooked::open(Engine::Sqlite, closed).await;
    for (key, expected) in [("utan", "no_secret"), ("vilar", "paused")] {
        let response = hooked.client.post(hooked.url().replace("e-tjanst", key)).send().await.unwrap();
        assert_eq!(response.headers()["retry-after"], "3600", "nobody is asked to try in vain each second");
        assert_eq!(code(&said(response).await), (503, expected));
    }
    accept_deliveries::look(&hooked.stage.running.app, hooked.stage.now()).await.unwrap();
    let row = hooked.stage.source("utan").await;
    assert_eq!((row.health.as_str(), row.health_why.contains("secret_env")), ("dead", true));
    let page = crate::tips::page(&hooked.stage, crate::pages::ADMIN, "/kallor").await;
    for words in ["Hemligheten är inte satt", "https://lyhord.example.se/krok/kalla/utan", "tar emot hela tiden"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    // On a telephone each row is a card, whose cells say what they are.
    assert!(page.contains("class=\"cards\"") && page.contains("data-label=\"Senast läst\""), "{page}");
    hooked.stage.running.settle().await;
    hooked.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_turned_away_and_so_is_more_than_can_be_seen_to() {
    let hooked = Hooked::open(Engine::Sqlite, "").await;
    let each = (0..150).map(|_| async {
        let response = hooked.client.post(hooked.url()).send().await.unwrap();
        let wait = response.headers().get("retry-after").map(|wait| wait.to_str().unwrap().to_owned());
        (response.status().as_u16(), wait)
    });
    let told = futures::future::join_all(each).await;
    assert!(told.contains(&(429, Some("5".to_owned()))) && told.contains(&(401, None)), "{told:?}");
    assert!(told.iter().all(|(status, wait)| (*status == 429) == wait.is_some()), "{told:?}");

    let id = hooked.stage.source("e-tjanst").await.id;
    let mut tx = hooked.stage.running.app.db.write().await.unwrap();
    for n in 0..1_000 {
        let new = NewDelivery { source: id, once: &format!("w-{n}"), digest: "0", items: 0, kept: "[]" };
        hand_store::hand_in(&mut tx, &new, hooked.stage.now()).await.unwrap().unwrap();
    }
    tx.commit().await.unwrap();
    let routes = accept_deliveries::routes(&hooked.stage.running.app, Duration::from_mins(1)).unwrap();
    let fresh = Hooked { address: serve(routes).await, ..hooked };
    assert_eq!(code(&fresh.hands_in("more", "{\"items\":[]}").await), (503, "too_many_waiting"));
    let mut again = fresh.client.post(fresh.url()).header("content-type", "application/json");
    for (name, value) in signed(SECRET, "more", "{\"items\":[]}", fresh.stage.now()) {
        again = again.header(name, value);
    }
    let full = again.body("{\"items\":[]}").send().await.unwrap();
    assert_eq!((full.status().as_u16(), full.headers()["retry-after"].to_str().unwrap()), (503, "60"));
    fresh.stage.until(at(0, 8, 2)).await;
    assert_eq!(fresh.stage.number("select count(*) from deliveries where taken_at is null").await, 0);
    assert_eq!(fresh.hands_in("more", "{\"items\":[]}").await.0, 202);
    fresh.stage.running.settle().await;
    // A week later what was taken on is forgotten.
    fresh.stage.until(at(8, 9, 0)).await;
    assert_eq!(fresh.stage.number("select count(*) from deliveries").await, 0);
    fresh.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_whether_the_secret_is_set_and_online_whether_the_address_takes_what_we_hand_in() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    for name in ["organisation.toml", "words.toml", "lexicon.toml"] {
        let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name);
        std::fs::copy(from, folder.path().join(name)).unwrap();
    }
    let secret = folder.path().join("secret");
    let sources = |secret: &str| format!("[[source]]\nkey = \"krok\"\nname = \"Kroken\"\nkind = \"hook\"\n{secret}\n");
    let set = sources(&format!("secret_file = \"{}\"", secret.display()));
    let service = |address: &str| {
        format!("[municipality]\nname = \"Ale kommun\"\ncontact = \"x\"\nbase_url = \"http://{address}/\"\n")
    };
    write("secret", SECRET);
    let database = database(Engine::Sqlite);
    let app = App::open(config(&service("127.0.0.1:1"), &set, &database.address), Clock::System).await.unwrap();
    app.take_over_configuration().await.unwrap();
    let address = serve(jobs::hear_staff::routes(&Arc::new(app)).unwrap()).await;
    let check = async |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lyhord"));
        command.args(["--config", &folder.path().display().to_string(), "--database"]);
        command.arg(format!("sqlite:{}/l.sqlite", folder.path().display())).args(arguments);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    write("lyhord.toml", &service(&address.to_string()));
    write("sources.toml", &sources("secret_env = \"LYHORD_TEST_UNSET\""));
    let (code, said) = check(&["check"]).await;
    assert!(code == Some(0) && said.contains("Webbkroken Kroken: hemligheten är inte satt"), "{said}");
    write("sources.toml", &set);
    let (code, said) = check(&["check", "--online"]).await;
    assert!(code == Some(0) && said.contains("/krok/kalla/krok tar emot"), "{said}");
    write("secret", NEXT);
    let (code, said) = check(&["check", "--online"]).await;
    assert!(code == Some(1) && said.contains("godtar inte vår signatur") && !said.contains(NEXT), "{said}");
    write("lyhord.toml", &service("127.0.0.1:1"));
    let (code, said) = check(&["check", "--online"]).await;
    assert!(code == Some(1) && said.contains("svarar inte (servern tar inte emot anslutningar"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_is_well_again_is_one_fact_however_many_deliveries_show_it_at_once() {
    for engine in ENGINES {
        let hooked = Hooked::open(engine, "").await;
        let (stage, app) = (&hooked.stage, &hooked.stage.running.app);
        let body = items(&[json!({"id": "1", "text": BROWN})]);
        for n in 0..accept_deliveries::FORGED_MAX {
            let other = signed("en hemlighet som inte gäller längre", &n.to_string(), &body, stage.now());
            assert_eq!(hooked.posts(&other, &body).await.0, 401);
        }
        accept_deliveries::look(app, stage.now()).await.unwrap();
        assert_eq!(stage.facts(&["source.health"]).await, [1], "it has turned blind");
        let source = stage.source("e-tjanst").await.id;
        let mut tx = app.db.write().await.unwrap();
        for once in ["a", "b"] {
            let new = NewDelivery { source, once, digest: "d", items: 1, kept: "[]" };
            hand_store::hand_in(&mut tx, &new, stage.now()).await.unwrap().unwrap();
        }
        jobs::Job::TakeDeliveries.enqueue(&mut tx, stage.now()).await.unwrap();
        tx.commit().await.unwrap();
        stage.running.settle().await;
        assert_eq!(stage.source("e-tjanst").await.health, "ok");
        assert_eq!(stage.facts(&["source.health"]).await, [2]);
        hooked.ends_whole().await;
    }
}
