//! A mailbox, against the real dovecot: what is read, what is never touched, and what becomes of it; and against a server
//! that keeps no promise.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use lyhord::chat;
use lyhord::jobs::hear_mailbox;
use lyhord::source::Health;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::channels::Stage;
use crate::dovecot::{Dovecot, PASSWORD, USER};
use crate::harness::{ENGINES, Engine, at};

const ASKS: &str = "Brunt vatten ur kranen i Nol sedan i morse, vem på Ale kommun kan svara?";

pub struct PostBox {
    pub stage: Stage,
    _folder: tempfile::TempDir,
}

impl PostBox {
    pub async fn open(engine: Engine, port: u16, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, format!("{PASSWORD}\n")).unwrap();
        let sources = format!(
            "[[source]]\nkey = \"brev\"\nname = \"Brevlådan\"\nkind = \"mail\"\naddress = \"imap://127.0.0.1:{port}\"\n\
             local = true\nencrypted = false\nuser = \"{USER}\"\nsecret_file = \"{}\"\n{more}\n",
            secret.display()
        );
        Self { stage: Stage::open(engine, &sources, at(0, 8, 0)).await, _folder: folder }
    }

    /// Five minutes later.
    pub async fn reads(&self) {
        self.stage.until(self.stage.now().plus(Duration::from_mins(6))).await;
    }

    pub async fn texts(&self) -> Vec<String> {
        let mut tx = self.stage.running.app.db.read().await.unwrap();
        lyhord::on!(tx, c => sqlx::query_scalar("select body from mentions order by id").fetch_all(c).await).unwrap()
    }
}

pub fn letter(id: &str, subject: &str, more: &str, text: &str) -> String {
    format!(
        "From: Eva <eva@example.se>\nTo: tips@ale.example.se\nMessage-ID: <{id}@example.se>\nSubject: {subject}\n{more}\
         Date: Mon, 23 Nov 2026 07:30:00 +0100\nContent-Type: text/plain; charset=utf-8\n\n{text}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_becomes_a_case_and_lies_in_the_box_as_it_lay() {
    for engine in ENGINES {
        let server = Dovecot::start();
        server.delivers(&letter("1", "Vatten", "", ASKS));
        server.delivers(&letter("2", "Katt", "", "Säljer en kattunge i Malmö."));
        server.delivers(&letter("3", "Borta", "Auto-Submitted: auto-replied\n", "Jag är borta. Ale kommun."));
        let post = PostBox::open(engine, server.port, "").await;
        post.reads().await;
        assert_eq!(post.texts().await, [ASKS], "{}", server.log());
        assert_eq!(post.stage.number("select count(*) from cases where channel = 'e-post'").await, 1);
        let row = post.stage.source("brev").await;
        assert_eq!((row.health.as_str(), row.failures), (Health::Ok.slug(), 0), "{}", row.health_why);
        // Again, with the same letters and one in the same thread.
        let reply = "References: <1@example.se>\nIn-Reply-To: <1@example.se>\n";
        server.delivers(&letter("4", "SV: Vatten", reply, "Nu är det brunt i Alafors också.\n\n> Hej"));
        post.reads().await;
        assert_eq!(post.texts().await[1..], ["Nu är det brunt i Alafors också."]);
        assert_eq!(post.stage.number("select count(*) from cases").await, 1, "it joins its thread");
        assert_eq!(server.untouched(), 4, "nothing is marked as read, moved or deleted");
        post.stage.ends_whole().await;
    }
}

/// Our own automatic reply says nothing that the writer waited for.
#[tokio::test(flavor = "multi_thread")]
async fn an_automatic_reply_in_the_thread_of_a_case_keeps_no_promise() {
    for engine in ENGINES {
        let server = Dovecot::start();
        server.delivers(&letter("1", "Vatten", "", ASKS));
        let post = PostBox::open(engine, server.port, "").await;
        post.reads().await;
        let machine = "References: <1@example.se>\nIn-Reply-To: <1@example.se>\nAuto-Submitted: auto-replied\n";
        let thanks = letter("2", "SV: Vatten", machine, "Tack för ditt brev till Ale kommun, vi svarar snart.");
        server.delivers(&thanks.replace("From: Eva <eva@example.se>", "From: Ale kommun <tips@ale.example.se>"));
        post.reads().await;
        assert_eq!(post.texts().await, [ASKS], "{}", server.log());
        let fulfilled = "select count(*) from promise_events where what = 'fulfil'";
        assert_eq!(post.stage.number(fulfilled).await, 0);
        let waits = "select count(*) from cases where closed_at is null and first_answer_at is null";
        assert_eq!(post.stage.number(waits).await, 1);
        post.stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_numbers_anew_doubles_nothing_and_loses_nothing() {
    for engine in ENGINES {
        let server = Dovecot::start();
        let many = 60; // more than one reading takes
        for n in 0..many {
            server.delivers(&letter(&format!("n{n}"), "Nol", "", &format!("{ASKS} Hus nummer {n} av flera i Nol.")));
        }
        let post = PostBox::open(engine, server.port, "").await;
        post.reads().await;
        post.reads().await;
        assert_eq!(post.stage.number("select count(*) from mentions").await, many);
        server.numbers_anew();
        server.delivers(&letter("ny", "Nol", "", "Nytt brev till Ale kommun om gropen i Surte."));
        for _ in 0..3 {
            post.reads().await;
        }
        assert_eq!(post.stage.number("select count(*) from mentions").await, many + 1);
        assert_eq!(post.stage.number("select count(distinct native_id) from mentions").await, many + 1);
        post.stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_box_that_is_ours_every_letter_is_seen_by_a_person() {
    for engine in ENGINES {
        let server = Dovecot::start();
        server.delivers(&letter("1", "Hej", "", "När öppnar ni på lördag?"));
        server.delivers(&letter("2", "Bandy", "", "Kungälv vann med 5-2 mot Surte i går, matchen sågs av 300."));
        let post = PostBox::open(engine, server.port, "takes = \"everything\"").await;
        post.reads().await;
        assert_eq!(post.texts().await.len(), 2);
        assert_eq!(post.stage.number("select count(*) from cases").await, 2, "none is judged away");
        post.stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_rings_and_the_letter_is_read_at_once() {
    let server = Dovecot::start();
    let post = PostBox::open(Engine::Sqlite, server.port, "interval_minutes = 1440").await;
    post.reads().await;
    let app = Arc::clone(&post.stage.running.app);
    assert_eq!(hear_mailbox::parts(&app), ["brev"]);
    let listener = tokio::spawn(hear_mailbox::run(app, "brev".to_owned()));
    tokio::time::sleep(Duration::from_secs(3)).await;
    server.delivers(&letter("1", "Vatten", "", ASKS));
    let begun = Instant::now();
    while post.texts().await.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(45), "nobody rang: {}", server.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
        post.stage.until(post.stage.now().plus(Duration::from_millis(50))).await;
    }
    listener.abort();
    let _ = listener.await;
    post.stage.ends_whole().await;
}

/// A server that says what it is told to: each line of ours is met by the next answer, in which `TAG` is our tag.
async fn scripted(answers: &'static [&'static str]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((line, _)) = listener.accept().await {
            tokio::spawn(converse(line, answers));
        }
    });
    port
}

async fn converse(line: TcpStream, answers: &[&str]) {
    let (read, mut write) = line.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut answers = answers.iter();
    let Some(greeting) = answers.next() else { return };
    if write.write_all(greeting.as_bytes()).await.is_err() {
        return;
    }
    // When all has been said, the line is dropped.
    for answer in answers {
        let Ok(Some(asked)) = lines.next_line().await else { return };
        let tag = asked.split(' ').next().unwrap_or_default();
        if write.write_all(answer.replace("TAG", tag).as_bytes()).await.is_err() {
            return;
        }
    }
}

const HELLO: &str = "* OK hej\r\n";
const IN: &str = "TAG OK in\r\n";
const OPEN: &str = "* 1 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 3] ok\r\nTAG OK [READ-ONLY] ok\r\n";

const FOUND: &str = "* SEARCH 1 1\r\nTAG OK\r\n";
const SIZE: &str = "* 1 FETCH (UID 1 RFC822.SIZE 40)\r\nTAG OK\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_server_is_said_in_words_and_loses_nothing() {
    let told: [(&[&str], Health, &str); 9] = [
        (&[HELLO, "TAG NO [AUTHENTICATIONFAILED] no\r\n"], Health::Blind, "lösenordet"),
        (&[HELLO, "TAG NO [UNAVAILABLE] later\r\n"], Health::Degraded, ""),
        (&[HELLO, IN, "TAG NO no such mailbox\r\n"], Health::Blind, "mappen INBOX finns inte"),
        (&["* BYE too many connections\r\n"], Health::Degraded, ""),
        (&["HTTP/1.1 400 Bad Request\r\n\r\n"], Health::Degraded, ""),
        (&[""], Health::Degraded, ""),
        (&[HELLO, IN, OPEN, "* SEARCH 1\r\n"], Health::Degraded, ""),
        (&[HELLO, IN, OPEN, FOUND, SIZE, "* 1 FETCH (UID 1 BODY[]<0> {400}\r\nFrom"], Health::Degraded, ""),
        (&[HELLO, IN, OPEN, FOUND, "garbage {x\r\n"], Health::Degraded, ""),
    ];
    for (script, health, word) in told {
        let server = scripted(script).await;
        let post = PostBox::open(Engine::Sqlite, server, "idle = false").await;
        post.reads().await;
        let row = post.stage.source("brev").await;
        assert!(row.failures > 0, "{script:?}");
        assert_eq!(Health::from_slug(&row.health), health, "{script:?}: {}", row.health_why);
        assert!(row.health_why.contains(word), "{script:?}: {}", row.health_why);
        assert!(!row.health_why.contains(PASSWORD), "{}", row.health_why);
        assert_eq!(row.cursor, "null", "{script:?}: where we stopped is where we stopped");
        post.stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_before_the_line_broke_is_kept_and_the_rest_comes_next_time() {
    const ONE: &str = "* 1 FETCH (UID 1 BODY[]<0> {88}\r\nMessage-ID: <1@x>\r\nSubject: Hej\r\n\r\nVatten i Nol, Ale kommun, brunt vatten i Nol i dag?\r\n)\r\nTAG OK\r\n";
    let server = scripted(&[
        HELLO,
        IN,
        OPEN,
        "* SEARCH 2 1\r\nTAG OK\r\n",
        "* 1 FETCH (UID 1 RFC822.SIZE 88)\r\nTAG OK\r\n",
        ONE,
    ])
    .await;
    let post = PostBox::open(Engine::Sqlite, server, "idle = false").await;
    post.reads().await;
    let row = post.stage.source("brev").await;
    assert_eq!(post.stage.number("select count(*) from mentions").await, 1, "{}", row.health_why);
    assert_eq!(row.cursor, r#"{"uid":1,"validity":7}"#);
    assert!(row.health_why.contains("resten läses nästa gång"), "{}", row.health_why);
    post.stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_breaks_each_reading_is_passed_over_in_the_end_and_told() {
    const TWO: &str = "* 2 FETCH (UID 2 BODY[]<0> {88}\r\nMessage-ID: <2@x>\r\nSubject: Hej\r\n\r\nVatten i Nol, Ale kommun, brunt vatten i Nol i dag?\r\n)\r\nTAG OK\r\n";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((line, _)) = listener.accept().await {
            tokio::spawn(hostile(line, TWO));
        }
    });
    let post = PostBox::open(Engine::Sqlite, server, "idle = false").await;
    for _ in 0..8 {
        post.stage.until(post.stage.now().plus(Duration::from_hours(1))).await;
    }
    let row = post.stage.source("brev").await;
    assert_eq!(post.stage.number("select count(*) from mentions").await, 1, "{}: {}", row.health_why, row.cursor);
    assert_eq!(row.cursor, r#"{"uid":2,"validity":7}"#);
    assert_eq!(post.stage.facts(&["source.missed"]).await, [1]);
    post.stage.ends_whole().await;
}

/// A server whose first letter is no IMAP, whatever it is asked in which order.
async fn hostile(line: TcpStream, second: &str) {
    let (read, mut write) = line.into_split();
    let mut lines = BufReader::new(read).lines();
    if write.write_all(HELLO.as_bytes()).await.is_err() {
        return;
    }
    while let Ok(Some(asked)) = lines.next_line().await {
        let tag = asked.split(' ').next().unwrap_or_default();
        let sizes = "* 1 FETCH (UID 1 RFC822.SIZE 40)\r\n* 2 FETCH (UID 2 RFC822.SIZE 88)\r\nTAG OK\r\n";
        let answer = match asked.split_once(' ').unwrap_or_default().1 {
            said if said.starts_with("EXAMINE") => OPEN,
            said if said.starts_with("UID SEARCH UID 3") => "* SEARCH 2\r\nTAG OK\r\n",
            said if said.starts_with("UID SEARCH") => "* SEARCH 1 2\r\nTAG OK\r\n",
            said if said.contains("RFC822.SIZE") => sizes,
            said if said.starts_with("UID FETCH 1 ") => "* 1 FETCH (UID 1 BODY[]<0> garbage\r\n",
            said if said.starts_with("UID FETCH 2 ") => second,
            _ => "TAG OK\r\n",
        };
        if write.write_all(answer.replace("TAG", tag).as_bytes()).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_drips_is_waited_for_no_longer_than_we_bear() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut line, _)) = listener.accept().await {
            tokio::spawn(async move {
                let greeting = b"* OK ".iter().chain(std::iter::repeat(&b'a'));
                for letter in greeting {
                    if line.write_all(&[*letter]).await.is_err() {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
            });
        }
    });
    let slow = PostBox::open(Engine::Sqlite, server, "idle = false").await;
    let begun = Instant::now();
    slow.reads().await;
    assert!(begun.elapsed() < Duration::from_secs(50), "{:?}", begun.elapsed());
    let row = slow.stage.source("brev").await;
    assert!(row.failures > 0 && row.health_why.contains("svarade inte i tid"), "{}", row.health_why);
    slow.stage.ends_whole().await;
}

/// What `lyhord check --online` says of a mailbox, and whether all is well. `authority` is one that this machine trusts.
fn check(address: &str, password: &str, authority: Option<&std::path::Path>) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    for name in lyhord::config::FILES {
        let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name);
        std::fs::copy(from, folder.path().join(name)).unwrap();
    }
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("secret"), password).unwrap();
    let source = format!(
        "[[source]]\nkey = \"brev\"\nname = \"Brevlådan\"\nkind = \"mail\"\naddress = \"{address}\"\nlocal = true\n\
         user = \"{USER}\"\nsecret_file = \"{}\"\n",
        path("secret")
    );
    std::fs::write(path("sources.toml"), source).unwrap();
    let mut lyhord = std::process::Command::new(env!("CARGO_BIN_EXE_lyhord"));
    lyhord.args(["--config", &path(""), "--database", &format!("sqlite:{}", path("l.sqlite")), "check", "--online"]);
    lyhord.env_remove("SSL_CERT_FILE").envs(authority.map(|authority| ("SSL_CERT_FILE", authority)));
    let said = lyhord.output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    (said.status.success(), text)
}

#[test]
fn a_mailbox_is_read_over_tls_from_the_first_byte_and_by_starttls_and_only_from_the_host_it_names() {
    let server = Dovecot::with_certificate();
    let authority = server.authority();
    server.delivers(&letter("1", "Vatten", "", ASKS));
    let at_once = format!("imaps://localhost:{}", server.secure_port);
    let later = format!("imap://localhost:{}", server.port);
    for address in [&at_once, &later] {
        let (well, said) = check(address, PASSWORD, Some(&authority));
        assert!(well && said.contains("Brevlådan: 1 inlägg"), "{address}: {said}{}", server.log());
        let (well, said) = check(address, PASSWORD, None);
        assert!(!well && said.contains("certifikat"), "nobody vouches for it: {said}");
        let (well, said) = check(address, "fel", Some(&authority));
        assert!(!well && said.contains("lösenordet") && !said.contains("fel\n"), "{said}");
    }
    let (well, said) = check(&at_once.replace("localhost", "127.0.0.1"), PASSWORD, Some(&authority));
    assert!(!well && said.contains("certifikat"), "it is another name: {said}");
    assert_eq!(server.untouched(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_on_an_inner_address_is_read_only_when_it_is_marked_as_ours() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, PASSWORD).unwrap();
    let sources = format!(
        "[[source]]\nkey = \"brev\"\nname = \"Brevlådan\"\nkind = \"mail\"\naddress = \"imaps://127.0.0.1:9\"\nuser = \"{USER}\"\n\
         secret_file = \"{}\"\n",
        secret.display()
    );
    let stage = Stage::open(Engine::Sqlite, &sources, at(0, 8, 0)).await;
    stage.until(at(0, 8, 6)).await;
    let row = stage.source("brev").await;
    assert!(row.failures > 0 && row.health_why.contains("inre nät"), "{}", row.health_why);
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reminder_that_comes_back_is_told_by_the_next_voice() {
    for engine in ENGINES {
        let server = Dovecot::start();
        let post = PostBox::open(engine, server.port, "").await;
        let app = Arc::clone(&post.stage.running.app);
        let now = post.stage.now();
        let mut tx = app.db.write().await.unwrap();
        chat::store::bind_voice(&mut tx, "sixten-prov", "email", "sixten@ale.example.se", now).await.unwrap();
        let to = ("sixten-prov", "email", "sixten@ale.example.se");
        chat::store::put_message(&mut tx, to.0, to.1, to.2, "{}", now, now).await.unwrap();
        let letter = chat::store::claim(&mut tx, now, now.plus(Duration::from_mins(1)), 9).await.unwrap().remove(0);
        chat::store::said(&mut tx, &letter, "abc@ale.example.se", now).await.unwrap();
        tx.commit().await.unwrap();
        for (of, status) in [("annat@ale.example.se", "5.1.1"), ("abc@ale.example.se", "4.2.2")] {
            server.delivers(&report(of, status));
        }
        post.reads().await;
        let failed = "select count(*) from voices where voice = 'email' and failed_at is not null";
        assert_eq!(post.stage.number(failed).await, 0, "another's letter, and one that comes later: {}", server.log());
        server.delivers(&report("abc@ale.example.se", "5.1.1"));
        post.reads().await;
        assert_eq!(post.stage.number(failed).await, 1);
        assert_eq!(post.stage.number("select count(*) from messages where state = 'failed'").await, 1);
        assert_eq!(post.stage.facts(&["voice.failed"]).await, [1]);
        assert_eq!(post.stage.number("select count(*) from mentions").await, 0, "it is no letter to us");
        post.stage.ends_whole().await;
    }
}

/// What a mail server writes of a letter that did not arrive (RFC 3464).
fn report(of: &str, status: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mx.example.se\nMessage-ID: <{status}-{of}>\nSubject: Undelivered\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=B\n\n--B\nContent-Type: text/plain\n\n\
         Det gick inte.\n--B\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.se\n\n\
         Final-Recipient: rfc822; sixten@ale.example.se\nAction: failed\nStatus: {status}\n\n--B\n\
         Content-Type: text/rfc822-headers\n\nMessage-ID: <{of}>\nSubject: Ett arende\n\n--B--\n"
    )
}

/// A service that gives proofs, as Microsoft's does, and that dovecot asks whether they are good.
#[derive(Clone, Default)]
pub struct ProofGiver {
    asked: Arc<Mutex<Vec<String>>>,
    knows_us: Arc<AtomicBool>,
    vouches: Arc<AtomicBool>,
}

pub const PROOF: &str = "eyJ0-prov.bevis";

impl ProofGiver {
    /// Whether it knows us, and vouches for what it gave.
    pub fn lets_in(&self, knows_us: bool, vouches: bool) {
        self.knows_us.store(knows_us, Ordering::SeqCst);
        self.vouches.store(vouches, Ordering::SeqCst);
    }

    /// Serves on a free port of this machine.
    pub async fn serve(&self) -> u16 {
        let service = Router::new()
            .route("/prov/oauth2/v2.0/token", post(async |State(giver): State<Self>, form: String| giver.gives(form)))
            .route(
                "/tokeninfo",
                get(async |State(giver): State<Self>, Query(asked): Query<HashMap<String, String>>| {
                    giver.is_good(&asked)
                }),
            )
            .with_state(self.clone());
        crate::fake_feed::serve(service).await.port()
    }

    fn gives(&self, form: String) -> (StatusCode, Json<Value>) {
        self.asked.lock().unwrap().push(form);
        if !self.knows_us.load(Ordering::SeqCst) {
            let told = "AADSTS7000222: The provided client secret keys for app are expired.";
            return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_client", "error_description": told })));
        }
        (StatusCode::OK, Json(json!({ "token_type": "Bearer", "expires_in": 3599, "access_token": PROOF })))
    }

    fn is_good(&self, asked: &HashMap<String, String>) -> (StatusCode, Json<Value>) {
        let good = asked.get("access_token").is_some_and(|proof| proof == PROOF);
        if good && self.vouches.load(Ordering::SeqCst) {
            return (StatusCode::OK, Json(json!({ "username": USER })));
        }
        (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_token" })))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_takes_no_password_is_read_with_a_proof() {
    let giver = ProofGiver::default();
    let service = giver.serve().await;
    let server = Dovecot::with_proofs(service);
    server.delivers(&letter("1", "Vatten", "", ASKS));
    let how = format!(
        "idle = false\noauth_token_url = \"http://127.0.0.1:{service}/prov/oauth2/v2.0/token\"\noauth_client_id = \"lyhord-prov\"\n"
    );
    let post = PostBox::open(Engine::Sqlite, server.port, &how).await;
    for (knows_us, vouches, word) in [(false, false, "invalid_client"), (true, false, "ge programmet rätt")] {
        giver.lets_in(knows_us, vouches);
        post.reads().await;
        let row = post.stage.source("brev").await;
        assert_eq!(Health::from_slug(&row.health), Health::Blind, "{}", row.health_why);
        assert!(row.health_why.contains(word), "{}", row.health_why);
        assert!(!row.health_why.contains(PASSWORD) && !row.health_why.contains("AADSTS"), "{}", row.health_why);
    }
    giver.lets_in(true, true);
    post.stage.until(post.stage.now().plus(Duration::from_hours(1))).await;
    assert_eq!(post.texts().await, [ASKS], "{}", server.log());
    assert_eq!(post.stage.source("brev").await.health, Health::Ok.slug());
    let form = giver.asked.lock().unwrap().last().unwrap().clone();
    let sent: Vec<(String, String)> = url::form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    let sent: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let scope = "https://outlook.office365.com/.default";
    assert_eq!(
        sent,
        [
            ("grant_type", "client_credentials"),
            ("client_id", "lyhord-prov"),
            ("client_secret", PASSWORD),
            ("scope", scope)
        ]
    );
    assert_eq!(server.untouched(), 1);
    post.stage.ends_whole().await;
}
