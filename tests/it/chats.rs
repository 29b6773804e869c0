//! A story for each chat, through the real jobs: a reminder is decided, delivered, pressed or answered, the case is
//! taken, and the message says so. And what happens when a chat is gone for an hour, or for good.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use lyhord::app::App;
use lyhord::case::batch_store::{Assigned, NewCase};
use lyhord::case::store::CaseRow;
use lyhord::chat::bind::Code;
use lyhord::chat::{Chat as _, SendError, Tried, outbox_store};
use lyhord::classification::Urgency;
use lyhord::clock::Time;
use lyhord::id::CaseId;
use lyhord::jobs::hear_staff::{self, Part};
use lyhord::mention::keep_store::NewMention;
use lyhord::source::store::Named;
use lyhord::web::{secret, store};
use lyhord::{case, chat, on, source};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::fake_feed::serve;
use crate::fake_links::{FakeSmtp, FakeTeams, teams};
use crate::fake_matrix::{self, FakeMatrix};
use crate::fake_mattermost::{self, FakeMattermost};
use crate::fake_slack::{self, FakeSlack, signature};
use crate::fake_telegram::{self, FakeTelegram, Fault};
use crate::harness::{Database, ENGINES, Engine, at, database, kept};
use crate::running::{Running, config};

pub const SIXTEN: &str = "sixten-prov";
const ADMIN: &str = "sten-systemsson";
const BOT: &str = "123456:TEST-token-of-no-bot";

/// The whole program with the chats of a test.
pub struct Stage {
    pub running: Running,
    /// Where services post to.
    hooks: String,
    _database: Database,
    folder: tempfile::TempDir,
}

/// Writes a secret into a file of its own and returns its path.
fn hidden(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

impl Stage {
    /// `chats` writes the sections under `[chat]`; it is told a folder for secrets and where our hooks will be.
    async fn open(engine: Engine, chats: impl FnOnce(&Path, &str) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hooks = format!("http://{}", listener.local_addr().unwrap());
        let key = hidden(folder.path(), "key", "en nyckel som bara provet har, 32+");
        let service = format!(
            "[municipality]\nname = \"Ale kommun\"\ncontact = \"x\"\nbase_url = \"https://lyhord.example.se/\"\n\
             [chat]\nkey_file = \"{key}\"\n{}",
            chats(folder.path(), &hooks)
        );
        let database = database(engine);
        let running = Running::start(config(&service, "", &database.address), at(0, 9, 0)).await;
        let routes = hear_staff::routes(&running.app).unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { running, hooks, _database: database, folder }
    }

    pub fn app(&self) -> &Arc<App> {
        &self.running.app
    }

    pub fn now(&self) -> Time {
        self.app().clock.now()
    }

    /// Moves the told time to each moment at which the program wants to do something, and then to `now`.
    pub async fn until(&self, now: Time) {
        loop {
            let mut tx = self.app().db.read().await.unwrap();
            let next =
                [case::batch_store::next_look(&mut tx).await.unwrap(), chat::store::next_due(&mut tx).await.unwrap()];
            drop(tx);
            let next = next.into_iter().flatten().min().filter(|next| *next < now);
            self.running.until(next.unwrap_or(now)).await;
            if next.is_none() {
                return;
            }
        }
    }

    pub async fn pass(&self, minutes: u64) {
        self.until(self.now().plus(Duration::from_mins(minutes))).await;
    }

    pub async fn bind(&self, staff: &str, voice: &str, address: &str) {
        let mut tx = self.app().db.write().await.unwrap();
        chat::store::bind_voice(&mut tx, staff, voice, address, self.now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// A case of Sixten's; he has not been told of it yet.
    pub async fn case(&self) -> CaseId {
        self.case_of(Urgency::Normal, 30).await
    }

    /// The same, as urgent as this and due in so many hours.
    pub async fn case_of(&self, urgency: Urgency, hours: u64) -> CaseId {
        let now = self.now();
        let mut tx = self.app().db.write().await.unwrap();
        let source = source::store::the_import(&mut tx, &Named::import(), now).await.unwrap();
        let native = secret::new();
        let new = NewMention {
            source_id: Some(source),
            channel: "import",
            native_id: &native,
            kind: "post",
            body: "Brunt vatten i Nol",
            authored_at: now,
            seen_at: now,
            hearing: "{}".into(),
            ..NewMention::default()
        };
        let mention = kept(&mut tx, new, now).await;
        let new = NewCase {
            mention_id: mention,
            cluster_id: mention,
            source_id: source,
            channel: "import",
            thread: None,
            title: "Brunt vatten i Nol",
            topic: "va",
            intent: "felanmalan",
            sentiment: "neu",
            urgency: urgency.slug(),
            place: Some("Nol".to_owned()),
            protected: false,
            restricted: false,
            triage: false,
            arrived_at: now,
            imported: false,
        };
        let id = case::batch_store::open(&mut tx, &[(new, "Brunt vatten i Nol")], now).await.unwrap()[&mention];
        let assigned = Assigned {
            id,
            unit: "va",
            lane: Some("vanlig"),
            owner: SIXTEN,
            because: "ämnet är vatten",
            calendar: "kontaktcenter",
            policy_version: "1",
            due_at: now.plus(Duration::from_hours(hours)),
            resolve_by: now.plus(Duration::from_hours(2 * hours)),
            due_because: "felanmälan",
            discovered_late: false,
            queued: false,
        };
        case::batch_store::assign(&mut tx, &[assigned], now).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    pub async fn row(&self, id: CaseId) -> CaseRow {
        let mut tx = self.app().db.read().await.unwrap();
        case::store::find(&mut tx, id).await.unwrap().unwrap()
    }

    pub async fn is_taken(&self, id: CaseId) -> bool {
        let row = self.row(id).await;
        row.state == "accepted" && row.owner.as_deref() == Some(SIXTEN)
    }

    pub async fn number(&self, sql: &'static str) -> i64 {
        let mut tx = self.app().db.read().await.unwrap();
        on!(tx, c => sqlx::query_scalar(sql).fetch_one(c).await).unwrap()
    }

    /// Listens once by asking.
    pub async fn hear(&self, part: Part, first: bool) {
        assert!(hear_staff::has_turn(self.app(), part).await.unwrap());
        hear_staff::round(self.app(), part, first).await.unwrap();
    }

    /// A browser in which this person is signed in: her cookie and what her forms carry.
    async fn signed_in(&self, staff: &str) -> (String, String) {
        let (token, csrf) = (secret::new(), secret::new());
        let mut tx = self.app().db.write().await.unwrap();
        store::put_account(&mut tx, staff, self.now()).await.unwrap();
        let until = self.now().plus(Duration::from_hours(12));
        store::put_session(&mut tx, &secret::hash(&token), staff, &csrf, self.now(), until).await.unwrap();
        tx.commit().await.unwrap();
        (format!("__Host-lyhord={token}"), csrf)
    }

    async fn get(&self, path: &str, cookie: &str) -> (StatusCode, String) {
        let request = Request::get(path).header(header::COOKIE, cookie).body(Body::empty()).unwrap();
        self.page(request).await
    }

    async fn post(
        &self,
        path: &str,
        (cookie, csrf): &(String, String),
        fields: &[(&str, &str)],
    ) -> (StatusCode, String) {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("csrf", csrf).extend_pairs(fields);
        let request = Request::post(path)
            .header(header::COOKIE, cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form.finish()))
            .unwrap();
        self.page(request).await
    }

    async fn page(&self, request: Request<Body>) -> (StatusCode, String) {
        let response = lyhord::web::router(Arc::clone(self.app())).oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }
}

// ---- Telegram

pub async fn with_telegram(engine: Engine) -> (FakeTelegram, Stage) {
    let fake = FakeTelegram::new(BOT);
    let bot = serve(fake_telegram::app(fake.clone())).await;
    let stage = Stage::open(engine, |folder, _| {
        let token = hidden(folder, "telegram", BOT);
        format!(
            "[chat.telegram]\ntoken_file = \"{token}\"\nmode = \"poll\"\napi_base = \"http://{bot}\"\ntimeout_s = 1\n"
        )
    });
    (fake, stage.await)
}

#[tokio::test(flavor = "multi_thread")]
async fn telegram_tells_hears_the_button_and_changes_what_it_said() {
    for engine in ENGINES {
        let (telegram, stage) = with_telegram(engine).await;
        stage.bind(SIXTEN, "telegram", "1000").await;
        telegram.start(1000);
        let case = stage.case().await;
        stage.pass(1).await;
        let sent = telegram.sent().remove(0);
        telegram.press(1000, 1000, sent.message_id, "Jag tar det").unwrap();
        stage.hear(Part::TelegramPoll, true).await;
        assert!(stage.is_taken(case).await);
        assert_eq!(telegram.answers()[0].1, format!("Tack! Ärende {case} är nu ditt."));
        stage.pass(2).await;
        let shown = telegram.sent();
        assert_eq!(shown.len(), 1, "nothing is said again");
        let text = format!(
            "Här väntar inget mer på dig.\nÄrende {case}: du har tagit det.\nhttps://lyhord.example.se/logga-in"
        );
        assert_eq!(shown[0].text, text);
        assert_eq!(shown[0].buttons.iter().map(|(label, _)| label.as_str()).collect::<Vec<_>>(), ["Öppna"]);
        stage.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn telegram_commands_act_for_the_bound_person_only_and_once() {
    let (telegram, stage) = with_telegram(Engine::Sqlite).await;
    stage.bind(SIXTEN, "telegram", "1000").await;
    stage.bind("tove-fiktivgren", "telegram", "1001").await;
    for chat in [1000, 1001] {
        telegram.start(chat);
    }
    let case = stage.case().await;
    stage.pass(1).await;
    stage.hear_command(&telegram, 1002, "/mina").await;
    assert!(telegram.last_said(1002).contains("Jag vet inte vem du är"));
    stage.hear_command(&telegram, 1001, &format!("/ta {case}")).await;
    assert_eq!(telegram.last_said(1001), chat::command::NOT_YOUR_CASE, "of another unit: not even that it exists");
    stage.hear_command(&telegram, 1000, "/mina").await;
    assert_eq!(
        telegram.last_said(1000),
        format!("Du har 1 ärende: {case}. Öppna Lyhörd: https://lyhord.example.se/logga-in")
    );
    stage.hear_command(&telegram, 1000, &format!("/senare {case} 2 tim")).await;
    assert_eq!(telegram.last_said(1000), format!("Vi påminner dig om ärende {case} senare."));
    stage.hear_command(&telegram, 1000, "/franvaro 24/12-6/1").await;
    assert!(telegram.last_said(1000).contains("du är borta torsdag 24 december till onsdag 6 januari"));
    assert_eq!(stage.number("select count(*) from absences").await, 1);
    let mut tx = stage.app().db.write().await.unwrap();
    let today = (stage.now(), stage.now().plus(Duration::from_hours(8)));
    lyhord::assignment::store::put_absence(&mut tx, SIXTEN, today.0, today.1, None).await.unwrap();
    tx.commit().await.unwrap();
    stage.hear_command(&telegram, 1000, "/franvaro slut").await;
    assert!(telegram.last_said(1000).contains("Välkommen tillbaka"));
    let ended = "select count(*) from absences where ended_at is not null";
    assert_eq!(stage.number(ended).await, 1, "Christmas is still to come");
    stage.hear_command(&telegram, 1000, &format!("/ta {case}")).await;
    assert!(stage.is_taken(case).await);
    stage.hear_command(&telegram, 1000, &format!("/lamna {case} Ingen Sådan")).await;
    assert!(telegram.last_said(1000).contains("hittar ingen med det namnet"));
    stage.hear_command(&telegram, 1000, "/hjalp").await;
    assert!(telegram.last_said(1000).contains("/franvaro"));

    // Telegram was not told that we had heard, and brings the same again.
    let mut tx = stage.app().db.write().await.unwrap();
    chat::store::remember_listened(&mut tx, "telegram", "0").await.unwrap();
    tx.commit().await.unwrap();
    telegram.say(1000, &format!("/senare {case} 1 dag"));
    stage.hear(Part::TelegramPoll, false).await;
    let silences = stage.number("select count(*) from silences").await;
    let mut tx = stage.app().db.write().await.unwrap();
    chat::store::remember_listened(&mut tx, "telegram", "0").await.unwrap();
    tx.commit().await.unwrap();
    telegram.say(1000, "/mina");
    telegram.repeat();
    stage.hear(Part::TelegramPoll, false).await;
    assert_eq!(stage.number("select count(*) from silences").await, silences, "heard again, done once");
    stage.pass(2).await;
}

impl Stage {
    async fn hear_command(&self, telegram: &FakeTelegram, chat: i64, text: &str) {
        telegram.start(chat);
        telegram.say(chat, text);
        self.hear(Part::TelegramPoll, false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_offered_from_a_chat_and_is_hers_who_says_yes() {
    let (telegram, stage) = with_telegram(Engine::Sqlite).await;
    stage.bind(SIXTEN, "telegram", "1000").await;
    stage.bind("ulf-pahittsson", "telegram", "1001").await;
    stage.bind("frida-fiktiv", "telegram", "1002").await;
    let case = stage.case().await;
    stage.pass(1).await;
    stage.hear_command(&telegram, 1001, &format!("/ta {case}")).await;
    assert_eq!(telegram.last_said(1001), chat::command::NOT_YOUR_CASE, "nobody has asked him yet");

    // To another board: first a warning, and nothing has changed.
    stage.hear_command(&telegram, 1000, &format!("/lamna {case} Kontaktcenter")).await;
    let warned = telegram.last_said(1000);
    assert!(warned.contains("en annan nämnd") && warned.contains("ja sist"), "{warned}");
    assert_eq!(stage.number("select count(*) from offers").await, 0);
    stage.hear_command(&telegram, 1000, &format!("/lamna {case} Kontaktcenter ja")).await;
    assert!(telegram.last_said(1000).contains(&format!("Ärende {case} är erbjudet.")));
    let told = "select count(*) from journal where kind = 'case.offered' and body like '%\"to\":\"ks\"%'";
    assert_eq!(stage.number(told).await, 1, "the journal says that it goes to another board");
    stage.hear_command(&telegram, 1000, &format!("/lamna {case} Gatuenheten")).await;
    assert!(telegram.last_said(1000).contains("redan erbjudet"), "one offer at a time");
    assert_eq!(stage.row(case).await.owner.as_deref(), Some(SIXTEN), "his until somebody says yes");

    // Her manager's unit is asked, and takes it by the same command as always.
    stage.pass(1).await;
    stage.hear_command(&telegram, 1002, &format!("/ta {case}")).await;
    assert_eq!(telegram.last_said(1002), format!("Tack! Ärende {case} är nu ditt."));
    let row = stage.row(case).await;
    assert_eq!((row.owner.as_deref(), row.unit.as_deref()), (Some("frida-fiktiv"), Some("kontaktcenter")));
    assert_eq!(row.state, "accepted");
    stage.pass(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_no_longer_works_here_presses_in_vain() {
    let (telegram, stage) = with_telegram(Engine::Sqlite).await;
    stage.bind("slutat-for-lange-sedan", "telegram", "1000").await;
    let case = stage.case().await;
    stage.hear_command(&telegram, 1000, &format!("/ta {case}")).await;
    assert!(telegram.last_said(1000).contains("Jag vet inte vem du är"));
    assert!(!stage.is_taken(case).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn telegram_s_own_faults_lose_nothing() {
    let (telegram, stage) = with_telegram(Engine::Sqlite).await;
    stage.bind(SIXTEN, "telegram", "1000").await;
    for chat in [1000, -10_077] {
        telegram.start(chat);
    }
    telegram.fault(1000, Fault::TooMany(1));
    telegram.fault(1000, Fault::Migrated(-10_077));
    stage.case().await;
    stage.pass(2).await;
    let sent = telegram.sent();
    assert_eq!((sent.len(), sent[0].chat_id), (1, -10_077), "after the wait and the move, once");
    let mut tx = stage.app().db.read().await.unwrap();
    assert_eq!(chat::store::staff_of(&mut tx, "telegram", "-10077").await.unwrap().as_deref(), Some(SIXTEN));
    assert_eq!(outbox_store::ill(&mut tx).await.unwrap(), [], "a wait and a move are no illness");
}

// ---- Matrix

const KARIN_MX: &str = "@sixten:ale.se";

async fn with_matrix(engine: Engine) -> (FakeMatrix, Stage) {
    let fake = FakeMatrix::default();
    let home = serve(fake_matrix::app(fake.clone())).await;
    let stage = Stage::open(engine, |folder, _| {
        let token = hidden(folder, "matrix", fake_matrix::TOKEN);
        format!(
            "[chat.matrix]\nhome_server = \"http://{home}\"\nuser_id = \"{}\"\ntoken_file = \"{token}\"\n",
            fake_matrix::ME
        )
    });
    (fake, stage.await)
}

#[tokio::test(flavor = "multi_thread")]
async fn matrix_is_bound_by_a_code_and_a_reaction_takes_the_case() {
    for engine in ENGINES {
        let (matrix, stage) = with_matrix(engine).await;
        matrix.invites(KARIN_MX, "!k:ale.se", false);
        stage.hear(Part::MatrixSync, true).await;
        let code = Code::random();
        let mut tx = stage.app().db.write().await.unwrap();
        let until = stage.now().plus(Duration::from_mins(15));
        chat::store::put_code(&mut tx, &code.hash(&stage.app().secret), SIXTEN, "matrix", until).await.unwrap();
        tx.commit().await.unwrap();
        matrix.says(KARIN_MX, "!k:ale.se", &code.shown());
        stage.hear(Part::MatrixSync, false).await;
        let said = matrix.said("!k:ale.se");
        assert!(said[0].1["body"].as_str().unwrap().starts_with("Klart!"), "{said:?}");

        let case = stage.case().await;
        stage.pass(1).await;
        let room = matrix.direct_room(KARIN_MX).unwrap();
        let (event, content) = matrix.said(&room).remove(0);
        let body = content["body"].as_str().unwrap();
        assert!(body.contains("Felanmälan") && body.contains("Nol") && body.contains("👍 Jag tar det"), "{body}");
        matrix.reacts("@nagon:ale.se", &room, &event, "👍");
        stage.hear(Part::MatrixSync, false).await;
        assert!(!stage.is_taken(case).await, "only the one it was sent to");
        matrix.reacts(KARIN_MX, &room, &event, "👍🏽");
        stage.hear(Part::MatrixSync, false).await;
        assert!(stage.is_taken(case).await);
        stage.pass(2).await;
        let shown = matrix.shown(&event);
        assert!(shown["body"].as_str().unwrap().contains(&format!("Ärende {case}: du har tagit det.")), "{shown}");
        assert_eq!(shown["se.lyhord.buttons"], json!({}), "and what no longer holds is gone");
        stage.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn matrix_hears_replies_and_commands_and_leaves_an_encrypted_room_with_a_word() {
    let (matrix, stage) = with_matrix(Engine::Sqlite).await;
    stage.bind(SIXTEN, "matrix", KARIN_MX).await;
    matrix.invites(KARIN_MX, "!hemligt:ale.se", true);
    matrix.invites("@frammande:example.com", "!ute:example.com", false);
    stage.hear(Part::MatrixSync, true).await;
    assert!(!matrix.is_in("!hemligt:ale.se") && !matrix.is_in("!ute:example.com"));
    let said = matrix.said("!hemligt:ale.se");
    assert!(said[0].1["body"].as_str().unwrap().contains("krypterat från ände till ände"), "{said:?}");

    let case = stage.case().await;
    stage.pass(1).await;
    let room = matrix.direct_room(KARIN_MX).unwrap();
    let (event, _) = matrix.said(&room).remove(0);
    matrix.says(KARIN_MX, &room, "!mina");
    stage.hear(Part::MatrixSync, false).await;
    let answer = matrix.said(&room).pop().unwrap().1;
    assert!(answer["body"].as_str().unwrap().starts_with("Du har 1 ärende"), "{answer}");
    matrix.replies(KARIN_MX, &room, &event, "> Du har 1 ärende\n\nJag tar det!");
    stage.hear(Part::MatrixSync, false).await;
    assert!(stage.is_taken(case).await);
    stage.pass(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_at_a_time_listens_to_matrix() {
    for engine in ENGINES {
        let (_, stage) = with_matrix(engine).await;
        let now = stage.now();
        let mut tx = stage.app().db.write().await.unwrap();
        let until = now.plus(Duration::from_mins(1));
        assert!(source::store::lease(&mut tx, "matrix", "another process", now, until).await.unwrap());
        tx.commit().await.unwrap();
        assert!(!hear_staff::has_turn(stage.app(), Part::MatrixSync).await.unwrap());
        stage.app().clock.set(until);
        assert!(hear_staff::has_turn(stage.app(), Part::MatrixSync).await.unwrap(), "when the other one is gone");
    }
}

// ---- Slack

const SLACK_USER: &str = "U012AB3CD";

async fn with_slack(engine: Engine) -> (FakeSlack, Stage) {
    let fake = FakeSlack::default();
    let base = format!("http://{}/", serve(fake_slack::app(fake.clone())).await);
    fake.at(&base);
    let stage = Stage::open(engine, |folder, _| {
        let (token, signing) =
            (hidden(folder, "slack", fake_slack::TOKEN), hidden(folder, "signing", fake_slack::SECRET));
        format!(
            "[chat.slack]\ntoken_file = \"{token}\"\nsigning_secret_file = \"{signing}\"\napi_base = \"{base}api/\"\n"
        )
    });
    (fake, stage.await)
}

impl Stage {
    async fn slack_posts(&self, kind: &str, body: &str, at: Time) -> (u16, String) {
        let stamp = at.0 / 1_000;
        let request = reqwest::Client::new()
            .post(format!("{}/krok/slack", self.hooks))
            .header("content-type", kind)
            .header("x-slack-request-timestamp", stamp.to_string())
            .header("x-slack-signature", signature(stamp, body))
            .body(body.to_owned());
        let reply = tokio::time::timeout(Duration::from_secs(3), request.send()).await.expect("within 3 s").unwrap();
        (reply.status().as_u16(), reply.text().await.unwrap())
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

/// Waits until what was answered on its own way has come.
async fn come<T>(what: impl Fn() -> Vec<T>, count: usize) -> Vec<T> {
    for _ in 0..500 {
        let found = what();
        if found.len() >= count {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came");
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_s_signed_press_takes_the_case_and_the_message_is_updated() {
    for engine in ENGINES {
        let (slack, stage) = with_slack(engine).await;
        stage.bind(SIXTEN, "slack", SLACK_USER).await;
        let case = stage.case().await;
        stage.pass(1).await;
        let posted = slack.posted().remove(0);
        let text = posted.body["text"].as_str().unwrap();
        assert!(text.contains("Felanmälan") && !text.contains("Nol") && !text.contains("VA-enheten"), "{text}");
        let press = slack.press(SLACK_USER, &posted, "Jag tar det");
        let old = stage.now().minus(Duration::from_mins(6));
        assert_eq!(stage.slack_posts(FORM, &press, old).await.0, 401, "an old signature may be a repetition");
        assert_eq!(
            stage.slack_posts(FORM, &slack.press("U0STRANGER", &posted, "Jag tar det"), stage.now()).await.0,
            200
        );
        let answers = come(|| slack.answers(), 1).await;
        assert!(answers[0]["text"].as_str().unwrap().contains("till för den som fick meddelandet"), "{answers:?}");
        assert!(!stage.is_taken(case).await);
        assert_eq!(stage.slack_posts(FORM, &press, stage.now()).await.0, 200);
        assert!(stage.is_taken(case).await);
        let answers = come(|| slack.answers(), 3).await;
        assert_eq!(answers[1]["text"], format!("Tack! Ärende {case} är nu ditt."));
        assert_eq!(answers[1]["response_type"], "ephemeral");
        stage.pass(2).await;
        let shown = slack.posted();
        assert_eq!((shown.len(), shown[0].edits), (1, 1));
        assert!(shown[0].body["text"].as_str().unwrap().contains(&format!("Ärende {case}: du har tagit det.")));
        let buttons = shown[0].body["blocks"][1]["elements"].as_array().unwrap();
        assert_eq!((buttons.len(), &buttons[0]["action_id"]), (1, &json!("oppna")));
        stage.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_is_bound_in_a_direct_message_and_a_repeated_event_is_done_once() {
    let (slack, stage) = with_slack(Engine::Sqlite).await;
    let challenge = json!({ "type": "url_verification", "challenge": "3eZbrw1aB" }).to_string();
    assert_eq!(stage.slack_posts("application/json", &challenge, stage.now()).await, (200, "3eZbrw1aB".to_owned()));
    let code = Code::random();
    let mut tx = stage.app().db.write().await.unwrap();
    let until = stage.now().plus(Duration::from_mins(15));
    chat::store::put_code(&mut tx, &code.hash(&stage.app().secret), SIXTEN, "slack", until).await.unwrap();
    tx.commit().await.unwrap();
    let says = |id: &str, text: &str| {
        json!({ "type": "event_callback", "event_id": id, "event": { "type": "message", "channel_type": "im",
                "channel": "D012AB3CD", "user": SLACK_USER, "text": text } })
        .to_string()
    };
    stage.slack_posts("application/json", &says("Ev1", &code.shown()), stage.now()).await;
    let posted = come(|| slack.posted(), 1).await;
    assert!(posted[0].body["text"].as_str().unwrap().starts_with("Klart!"), "{posted:?}");
    for _ in 0..2 {
        stage.slack_posts("application/json", &says("Ev2", "franvaro 24/12-6/1"), stage.now()).await;
    }
    come(|| slack.posted(), 2).await;
    assert_eq!(stage.number("select count(*) from absences").await, 1);
    let own = json!({ "type": "event_callback", "event_id": "Ev3", "event": { "type": "message", "channel_type": "im",
        "channel": "D012AB3CD", "user": "UBOT", "bot_id": "B1", "text": "mina" } });
    assert_eq!(stage.slack_posts("application/json", &own.to_string(), stage.now()).await.0, 200);
    let unsigned = reqwest::Client::new().post(format!("{}/krok/slack", stage.hooks)).body(challenge);
    assert_eq!(unsigned.send().await.unwrap().status(), 401);
    let huge = "x".repeat(200 * 1024);
    let too_large = reqwest::Client::new().post(format!("{}/krok/slack", stage.hooks)).body(huge);
    assert_eq!(too_large.send().await.unwrap().status(), 413);
}

// ---- Mattermost

const MM_USER: &str = "u1aaaaaaaaaaaaaaaaaaaaaaaa";

async fn with_mattermost(engine: Engine) -> (FakeMattermost, Stage) {
    let fake = FakeMattermost::default();
    let server = serve(fake_mattermost::app(fake.clone())).await;
    let stage = Stage::open(engine, |folder, hooks| {
        let token = hidden(folder, "mattermost", fake_mattermost::TOKEN);
        let command = hidden(folder, "command", "kommandots-token");
        format!(
            "[chat.mattermost]\nserver = \"http://{server}\"\nbot_id = \"{}\"\npress_url = \"{hooks}/krok/mattermost\"\n\
             token_file = \"{token}\"\ncommand_token_file = \"{command}\"\n",
            fake_mattermost::BOT
        )
    });
    (fake, stage.await)
}

#[tokio::test(flavor = "multi_thread")]
async fn mattermost_s_sealed_press_takes_the_case_and_the_post_is_changed() {
    for engine in ENGINES {
        let (mattermost, stage) = with_mattermost(engine).await;
        stage.bind(SIXTEN, "mattermost", &format!("user:{MM_USER}")).await;
        let case = stage.case().await;
        stage.pass(1).await;
        let posted = mattermost.posts().remove(0);
        let stranger = mattermost.press("u2aaaaaaaaaaaaaaaaaaaaaaaa", &posted, "Jag tar det").await;
        assert!(stranger["ephemeral_text"].as_str().unwrap().contains("till för den som fick"), "{stranger}");
        assert!(!stage.is_taken(case).await);
        let answer = mattermost.press(MM_USER, &posted, "Jag tar det").await;
        assert_eq!(answer["ephemeral_text"], format!("Tack! Ärende {case} är nu ditt."));
        assert!(stage.is_taken(case).await);
        stage.pass(2).await;
        let shown = mattermost.posts();
        assert_eq!((shown.len(), shown[0].edits), (1, 1));
        assert!(shown[0].body["message"].as_str().unwrap().contains(&format!("Ärende {case}: du har tagit det.")));
        assert_eq!(shown[0].body["props"], json!({}));
        stage.running.stop().await;
    }
}

/// The chats give up on us after this long, and tell the presser that we are broken.
const PATIENCE_OF_A_CHAT: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn mattermost_is_answered_within_three_seconds_though_somebody_else_writes() {
    let (mattermost, stage) = with_mattermost(Engine::Sqlite).await;
    stage.bind(SIXTEN, "mattermost", &format!("user:{MM_USER}")).await;
    let case = stage.case().await;
    stage.pass(1).await;
    let posted = mattermost.posts().remove(0);
    let held = stage.app().db.write().await.unwrap();
    let press = mattermost.press(MM_USER, &posted, "Jag tar det");
    let answer = tokio::time::timeout(PATIENCE_OF_A_CHAT, press).await.expect("an answer in time");
    assert_eq!(answer["ephemeral_text"], chat::NOT_NOW);
    drop(held);
    assert!(!stage.is_taken(case).await, "what she was told is what is so");
    let answer = mattermost.press(MM_USER, &posted, "Jag tar det").await;
    assert_eq!(answer["ephemeral_text"], format!("Tack! Ärende {case} är nu ditt."));
    assert!(stage.is_taken(case).await);
    stage.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_is_answered_within_three_seconds_though_somebody_else_writes() {
    let (slack, stage) = with_slack(Engine::Sqlite).await;
    stage.bind(SIXTEN, "slack", SLACK_USER).await;
    let case = stage.case().await;
    stage.pass(1).await;
    let posted = slack.posted().remove(0);
    let press = slack.press(SLACK_USER, &posted, "Jag tar det");
    let held = stage.app().db.write().await.unwrap();
    let pressed = stage.slack_posts(FORM, &press, stage.now());
    assert_eq!(tokio::time::timeout(PATIENCE_OF_A_CHAT, pressed).await.expect("an answer in time").0, 200);
    assert_eq!(come(|| slack.answers(), 1).await[0]["text"], chat::NOT_NOW);
    drop(held);
    assert!(!stage.is_taken(case).await, "what she was told is what is so");
    assert_eq!(stage.slack_posts(FORM, &press, stage.now()).await.0, 200);
    assert!(stage.is_taken(case).await);
    stage.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn matrix_is_answered_within_three_seconds_though_somebody_else_writes() {
    let (matrix, stage) = with_matrix(Engine::Sqlite).await;
    stage.bind(SIXTEN, "matrix", KARIN_MX).await;
    stage.hear(Part::MatrixSync, true).await;
    let case = stage.case().await;
    stage.pass(1).await;
    let room = matrix.direct_room(KARIN_MX).unwrap();
    let (event, _) = matrix.said(&room).remove(0);
    assert!(hear_staff::has_turn(stage.app(), Part::MatrixSync).await.unwrap());
    let held = stage.app().db.write().await.unwrap();
    matrix.reacts(KARIN_MX, &room, &event, "👍");
    let answered = async {
        let said = tokio::time::timeout(PATIENCE_OF_A_CHAT, come(|| matrix.said(&room), 2)).await;
        drop(held);
        said.expect("an answer in time").pop().unwrap().1
    };
    let (heard, answer) = tokio::join!(hear_staff::round(stage.app(), Part::MatrixSync, false), answered);
    heard.unwrap();
    assert_eq!(answer["body"], chat::NOT_NOW);
    assert!(!stage.is_taken(case).await, "what she was told is what is so");
    matrix.reacts(KARIN_MX, &room, &event, "👍");
    stage.hear(Part::MatrixSync, false).await;
    assert!(stage.is_taken(case).await);
    stage.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mattermost_s_command_is_heard_with_its_token() {
    let (_, stage) = with_mattermost(Engine::Sqlite).await;
    stage.bind(SIXTEN, "mattermost", &format!("user:{MM_USER}")).await;
    let case = stage.case().await;
    stage.pass(1).await;
    let say = async |token: &str| {
        let form = [("token", token), ("user_id", MM_USER), ("text", &format!("ta {case}")), ("trigger_id", "t1")];
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = reqwest::Client::new().post(format!("{}/krok/mattermost/kommando", stage.hooks)).body(body);
        request.header("content-type", FORM).send().await.unwrap()
    };
    assert_eq!(say("fel").await.status(), 401);
    assert!(!stage.is_taken(case).await);
    let answer: Value = say("kommandots-token").await.json().await.unwrap();
    assert_eq!(answer["text"], format!("Tack! Ärende {case} är nu ditt."));
    let again: Value = say("kommandots-token").await.json().await.unwrap();
    assert_eq!(again["text"], answer["text"], "a repeat is answered and not done");
    for (n, (text, heard)) in [
        ("mina", format!("Du har 1 ärende: {case}.")),
        ("senare 1 dag", format!("Vi påminner dig om ärende {case} senare.")),
        ("lamna Gatuenheten", format!("Ärende {case} är erbjudet.")),
        ("franvaro 24/12-6/1", "du är borta torsdag 24 december till onsdag 6 januari".to_owned()),
        ("hjalp", "/franvaro 24/12-6/1".to_owned()),
        ("vad som helst", "Det förstod jag inte.".to_owned()),
    ]
    .into_iter()
    .enumerate()
    {
        let trigger = format!("t1{n}");
        let form = [("token", "kommandots-token"), ("user_id", MM_USER), ("text", text), ("trigger_id", &trigger)];
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = reqwest::Client::new().post(format!("{}/krok/mattermost/kommando", stage.hooks)).body(body);
        let said: Value = request.header("content-type", FORM).send().await.unwrap().json().await.unwrap();
        assert!(said["text"].as_str().unwrap().contains(&heard), "{text}: {said}");
    }
    stage.pass(2).await;
}

// ---- Teams and e-mail: buttons that are links

async fn with_teams(engine: Engine) -> (FakeTeams, Stage) {
    let fake = FakeTeams::default();
    let flow = serve(teams(fake.clone())).await;
    let stage = Stage::open(engine, |folder, _| {
        let url = format!("http://{flow}/workflows/1/triggers/manual/paths/invoke?api-version=1&sig=hemlig");
        format!("[chat.teams]\n[[chat.teams.hook]]\nname = \"va\"\nurl_file = \"{}\"\n", hidden(folder, "hook", &url))
    });
    (fake, stage.await)
}

fn path_of(link: &str) -> &str {
    link.strip_prefix("https://lyhord.example.se").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_in_teams_lands_on_sign_in_works_once_and_only_for_its_owner() {
    for engine in ENGINES {
        let (teams, stage) = with_teams(engine).await;
        stage.bind(SIXTEN, "teams", "va/sixten-prov").await;
        let case = stage.case().await;
        stage.pass(1).await;
        let card = teams.cards().remove(0);
        assert_eq!(card["actions"][0]["title"], "Jag tar det");
        let link = card["actions"][0]["url"].as_str().unwrap();
        let path = path_of(link);

        let (status, stranger) = stage.get(path, "").await;
        assert_eq!(status, StatusCode::OK);
        assert!(stranger.contains("/logga-in?till=%2Fknapp%2F") && !stranger.contains("Jag tar det"), "{stranger}");
        for told in ["og:", "twitter:", "description", &format!("ende {case}"), "vatten", "Sixten"] {
            assert!(!stranger.contains(told), "a preview would tell {told}");
        }
        assert!(stranger.contains("noindex"));

        let (other, sixten) = (stage.signed_in("tove-fiktivgren").await, stage.signed_in(SIXTEN).await);
        let (status, hers) = stage.get(path, &other.0).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert!(
            hers.contains("till för den som fick meddelandet") && !hers.contains(&format!("rende {case}")),
            "{hers}"
        );
        assert_eq!(stage.post(path, &other, &[]).await.0, StatusCode::CONFLICT);
        let (status, would) = stage.get(path, &sixten.0).await;
        assert_eq!(status, StatusCode::OK);
        assert!(would.contains(&format!("Du tar ärende {case}.")), "{would}");
        assert!(!stage.is_taken(case).await, "looking does nothing");
        let (status, done) = stage.post(path, &sixten, &[]).await;
        assert_eq!(status, StatusCode::OK);
        assert!(done.contains(&format!("Tack! Ärende {case} är nu ditt.")), "{done}");
        assert!(stage.is_taken(case).await);
        let (status, again) = stage.post(path, &sixten, &[]).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert!(again.contains(&format!("Du har redan tagit ärende {case}.")), "{again}");

        let forged = format!("{}x", &path[..path.len() - 1]);
        let (status, page) = stage.get(&forged, &sixten.0).await;
        assert_eq!(status, StatusCode::GONE);
        assert!(page.contains("Länken stämmer inte"), "{page}");
        stage.pass(2).await;
        assert_eq!(teams.cards().len(), 1, "a card cannot be changed, so nothing is sent in its place");
        stage.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_presses_of_one_link_at_once_exactly_one_counts() {
    for engine in ENGINES {
        let (teams, stage) = with_teams(engine).await;
        stage.bind(SIXTEN, "teams", "va/sixten-prov").await;
        let case = stage.case().await;
        stage.pass(1).await;
        let link = teams.cards()[0]["actions"][0]["url"].as_str().unwrap().to_owned();
        let sixten = stage.signed_in(SIXTEN).await;
        let path = path_of(&link);
        let (one, other) = tokio::join!(stage.post(path, &sixten, &[]), stage.post(path, &sixten, &[]));
        let mut answers = [one.0, other.0];
        answers.sort_unstable();
        assert_eq!(answers, [StatusCode::OK, StatusCode::CONFLICT], "{} {}", one.1, other.1);
        assert!(stage.is_taken(case).await);
        let taken = "select count(*) from journal where kind = 'case.taken'";
        assert_eq!(stage.number(taken).await, 1, "it is done once");
        stage.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_too_old_says_so() {
    let (teams, stage) = with_teams(Engine::Sqlite).await;
    stage.bind(SIXTEN, "teams", "va/sixten-prov").await;
    stage.case().await;
    stage.pass(1).await;
    let link = teams.cards()[0]["actions"][0]["url"].as_str().unwrap().to_owned();
    stage.app().clock.set(stage.now().plus(chat::signed::LINK_HOLDS));
    let sixten = stage.signed_in(SIXTEN).await;
    let (status, page) = stage.get(path_of(&link), &sixten.0).await;
    assert_eq!(status, StatusCode::GONE);
    assert!(page.contains("Länken är för gammal. Inget har ändrats."), "{page}");
}

async fn with_email(engine: Engine, more: &str) -> (FakeSmtp, Stage) {
    let fake = FakeSmtp::default();
    let port = fake.serve().await;
    let more = more.to_owned();
    let stage = Stage::open(engine, |_, _| {
        format!(
            "[chat.email]\nhost = \"localhost\"\nport = {port}\nprotection = \"none\"\nfrom = \"Lyhörd <lyhord@ale.se>\"\n\
             domains = [\"ale.se\"]\n{more}"
        )
    });
    (fake, stage.await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_s_link_takes_the_case_after_sign_in() {
    for engine in ENGINES {
        let (relay, stage) = with_email(engine, "").await;
        stage.bind(SIXTEN, "email", "sixten@ale.se").await;
        let case = stage.case().await;
        stage.pass(1).await;
        let letter = relay.letters().remove(0);
        for part in [
            "To: sixten@ale.se",
            &format!("References: <arende-{case}@ale.se>"),
            "text/plain",
            "text/html",
            "Felanmälan",
            "Nol",
        ] {
            assert!(letter.contains(part), "{part}\n{letter}");
        }
        let link = letter.split("Jag tar det:\n").nth(1).unwrap().lines().next().unwrap().trim();
        let sixten = stage.signed_in(SIXTEN).await;
        assert_eq!(stage.post(path_of(link), &sixten, &[]).await.0, StatusCode::OK);
        assert!(stage.is_taken(case).await);
        stage.pass(2).await;
        assert_eq!(relay.letters().len(), 1);
        stage.running.stop().await;
    }
}

// ---- Voices that fall

pub async fn with_telegram_and_email(engine: Engine) -> (FakeTelegram, FakeSmtp, Stage) {
    let telegram = FakeTelegram::new(BOT);
    let bot = serve(fake_telegram::app(telegram.clone())).await;
    let relay = FakeSmtp::default();
    let port = relay.serve().await;
    let stage = Stage::open(engine, |folder, _| {
        let token = hidden(folder, "telegram", BOT);
        format!(
            "[chat.telegram]\ntoken_file = \"{token}\"\napi_base = \"http://{bot}\"\ntimeout_s = 1\n\
             [chat.email]\nhost = \"localhost\"\nport = {port}\nprotection = \"none\"\n\
             from = \"Lyhörd <lyhord@ale.se>\"\ndomains = [\"ale.se\"]\n"
        )
    });
    (telegram, relay, stage.await)
}

/// The letters to this address.
fn letters_to(relay: &FakeSmtp, address: &str) -> Vec<String> {
    relay.letters().into_iter().filter(|letter| letter.contains(&format!("To: {address}"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_that_fails_for_good_falls_to_the_next_and_those_who_keep_the_system_hear_of_it() {
    for engine in ENGINES {
        let (telegram, relay, stage) = with_telegram_and_email(engine).await;
        stage.bind(SIXTEN, "telegram", "1000").await;
        stage.bind(SIXTEN, "email", "sixten@ale.se").await;
        stage.bind(ADMIN, "email", "sten@ale.se").await;
        telegram.start(1000);
        telegram.fault(1000, Fault::Blocked);
        let case = stage.case().await;
        stage.pass(2).await;
        assert_eq!(telegram.sent(), []);
        let hers = letters_to(&relay, "sixten@ale.se");
        assert_eq!(hers.iter().filter(|letter| letter.contains(&format!("Ärende {case}"))).count(), 1, "said once");
        assert!(hers.iter().any(|letter| letter.contains("Du nås inte längre genom Telegram")), "{hers:?}");
        let admins = letters_to(&relay, "sten@ale.se");
        assert_eq!(admins.len(), 1);
        assert!(admins[0].contains("En kollega nås inte längre genom Telegram") && !admins[0].contains("Sixten"));
        assert_eq!(stage.number("select count(*) from reminders").await, 1, "the key is kept");
        assert_eq!(stage.number("select count(*) from journal where kind = 'reminder.said'").await, 1);
        let admin = stage.signed_in(ADMIN).await;
        let (_, page) = stage.get("/chattar", &admin.0).await;
        assert!(page.contains("Telegram") && page.contains("boten är blockerad"), "{page}");
        let sixten = stage.signed_in(SIXTEN).await;
        let (_, page) = stage.get("/min-profil", &sixten.0).await;
        assert!(page.contains("Gick inte att nå") && page.contains("boten är blockerad"), "{page}");
        stage.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_bounces_at_the_relay_marks_the_address_and_the_work_address_is_the_last_resort() {
    let (relay, stage) = with_email(Engine::Sqlite, "").await;
    stage.bind(SIXTEN, "email", "borta@ale.se").await;
    stage.case().await;
    stage.pass(2).await;
    let mut tx = stage.app().db.read().await.unwrap();
    let rows = chat::store::voices(&mut tx).await.unwrap();
    let gone = rows.iter().find(|row| row.address == "borta@ale.se").unwrap();
    assert_eq!(gone.failed_why.as_deref(), Some("the relay refused the letter (550)"));
    let work = stage.app().config.organisation.staff(SIXTEN).unwrap().email.clone();
    let letters = relay.letters();
    let mine: Vec<_> = letters.iter().filter(|letter| letter.contains(&format!("To: {work}"))).collect();
    assert!(mine.iter().any(|letter| letter.contains("Du har 1 ärende")), "{work}: {letters:?}");
    assert!(mine.iter().all(|letter| !letter.contains("Nol")), "outside our own domains no more than tier C");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_accept_us_costs_nobody_her_voice() {
    let (slack, stage) = with_slack(Engine::Sqlite).await;
    stage.bind(SIXTEN, "slack", SLACK_USER).await;
    slack.revoke(true);
    stage.case().await;
    stage.pass(20).await;
    let mut tx = stage.app().db.read().await.unwrap();
    assert_eq!(outbox_store::ill(&mut tx).await.unwrap()[0].state, "out");
    assert!(chat::store::voices(&mut tx).await.unwrap().iter().all(|row| row.failed_at.is_none()));
    drop(tx);
    let sixten = stage.signed_in(SIXTEN).await;
    let (_, page) = stage.get("/inkorg", &sixten.0).await;
    assert!(page.contains("Slack godtar inte Lyhörd sedan"), "{page}");
    slack.revoke(false);
    stage.pass(20).await;
    assert_eq!(slack.posted().len(), 1, "said once, when it could be");
    let (_, page) = stage.get("/inkorg", &sixten.0).await;
    assert!(!page.contains("godtar inte"), "{page}");
    stage.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_voice_says_whether_its_service_accepts_us() {
    let tried = async |stage: &Stage| stage.app().voices.all().next().unwrap().try_account().await;
    assert_eq!(tried(&with_telegram(Engine::Sqlite).await.1).await, Ok(Tried::Accepted));
    assert_eq!(tried(&with_matrix(Engine::Sqlite).await.1).await, Ok(Tried::Accepted));
    assert_eq!(tried(&with_mattermost(Engine::Sqlite).await.1).await, Ok(Tried::Accepted));
    assert_eq!(tried(&with_email(Engine::Sqlite, "").await.1).await, Ok(Tried::Accepted));
    assert_eq!(tried(&with_teams(Engine::Sqlite).await.1).await, Ok(Tried::CannotBeAsked));
    let (slack, stage) = with_slack(Engine::Sqlite).await;
    assert_eq!(tried(&stage).await, Ok(Tried::Accepted));
    slack.revoke(true);
    assert!(matches!(tried(&stage).await, Err(SendError::OutOfOrder(_))));
}

// ---- An hour without a chat

/// The chat is gone for an hour of told time: nothing is lost, nothing is said twice, the back-off shows, people are
/// told, and when it is back the one message says how it is by then.
async fn an_hour_gone(
    stage: &Stage,
    name: &str,
    said: impl Fn() -> usize,
    down: impl Fn(bool),
    turned_away: impl Fn() -> usize,
) {
    down(true);
    stage.case().await;
    stage.pass(5).await;
    stage.case().await;
    stage.pass(55).await;
    let now = stage.now();
    let mut tx = stage.app().db.read().await.unwrap();
    let waiting = outbox_store::waiting(&mut tx).await.unwrap();
    assert_eq!((waiting.len(), waiting[0].1), (1, 1), "{name}: both cases wait in one message");
    let next = waiting[0].3;
    assert!(next > now && next <= now.plus(Duration::from_mins(5)), "{name}: the next try is at {next}");
    let ill = outbox_store::ill(&mut tx).await.unwrap();
    assert!(ill[0].state == "silent" && ill[0].since <= at(0, 9, 1), "{name}: {ill:?}");
    assert_eq!(said(), 0, "{name}");
    drop(tx);
    let sixten = stage.signed_in(SIXTEN).await;
    let (_, page) = stage.get("/inkorg", &sixten.0).await;
    assert!(page.contains(&format!("{name} svarar inte sedan")), "{name}: {page}");
    let (_, page) = stage.get("/chattar", &stage.signed_in(ADMIN).await.0).await;
    assert!(page.contains("Svarar inte") && page.contains("1 meddelande sedan"), "{name}: {page}");

    down(false);
    stage.pass(6).await;
    assert_eq!(said(), 1, "{name}: said once");
    let tries = turned_away();
    assert!((10..=30).contains(&tries), "{name}: {tries} tries in an hour");
    let mut tx = stage.app().db.read().await.unwrap();
    assert_eq!(outbox_store::ill(&mut tx).await.unwrap(), [], "{name}");
    assert_eq!(outbox_store::waiting(&mut tx).await.unwrap(), [], "{name}");
    drop(tx);
    assert_eq!(
        stage.number("select count(*) from journal where kind = 'reminder.said'").await,
        2,
        "{name}: both cases"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_without_telegram_loses_nothing_and_repeats_nothing() {
    let (fake, stage) = with_telegram(Engine::Sqlite).await;
    stage.bind(SIXTEN, "telegram", "1000").await;
    fake.start(1000);
    an_hour_gone(&stage, "Telegram", || fake.sent().len(), |down| fake.down(down), || fake.turned_away()).await;
    let text = fake.sent()[0].text.clone();
    assert!(text.contains("Du har 2 ärenden"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_without_matrix_loses_nothing_and_repeats_nothing() {
    let (fake, stage) = with_matrix(Engine::Sqlite).await;
    stage.bind(SIXTEN, "matrix", KARIN_MX).await;
    let said = || fake.direct_room(KARIN_MX).map_or(0, |room| fake.said(&room).len());
    an_hour_gone(&stage, "Matrix", said, |down| fake.down(down), || fake.turned_away()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_without_slack_loses_nothing_and_repeats_nothing() {
    let (fake, stage) = with_slack(Engine::Sqlite).await;
    stage.bind(SIXTEN, "slack", SLACK_USER).await;
    an_hour_gone(&stage, "Slack", || fake.posted().len(), |down| fake.down(down), || fake.turned_away()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_without_mattermost_loses_nothing_and_repeats_nothing() {
    let (fake, stage) = with_mattermost(Engine::Sqlite).await;
    stage.bind(SIXTEN, "mattermost", &format!("user:{MM_USER}")).await;
    an_hour_gone(&stage, "Mattermost", || fake.posts().len(), |down| fake.down(down), || fake.turned_away()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_without_teams_loses_nothing_and_repeats_nothing() {
    let (fake, stage) = with_teams(Engine::Postgres).await;
    stage.bind(SIXTEN, "teams", "va/sixten-prov").await;
    an_hour_gone(&stage, "Teams", || fake.cards().len(), |down| fake.down(down), || fake.turned_away()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_without_the_mail_relay_loses_nothing_and_repeats_nothing() {
    let (fake, stage) = with_email(Engine::Postgres, "").await;
    stage.bind(SIXTEN, "email", "sixten@ale.se").await;
    let hers = || fake.letters().iter().filter(|letter| letter.contains("To: sixten@ale.se")).count();
    an_hour_gone_but_admin(&stage, hers, |down| fake.down(down)).await;
}

/// By e-mail everybody has a last resort, so those who keep the system hear of the outage too, once it is over.
async fn an_hour_gone_but_admin(stage: &Stage, said: impl Fn() -> usize, down: impl Fn(bool)) {
    down(true);
    stage.case().await;
    stage.pass(5).await;
    stage.case().await;
    stage.pass(55).await;
    let now = stage.now();
    let mut tx = stage.app().db.read().await.unwrap();
    let waiting = outbox_store::waiting(&mut tx).await.unwrap();
    assert_eq!((waiting.len(), waiting[0].0.as_str(), waiting[0].1), (1, "email", 2), "one to him, one to the admin");
    let next = waiting[0].3;
    assert!(next > now && next <= now.plus(Duration::from_mins(5)), "the next try is at {next}");
    let ill = outbox_store::ill(&mut tx).await.unwrap();
    assert!(ill[0].state == "silent" && ill[0].since <= at(0, 9, 1), "{ill:?}");
    assert_eq!(said(), 0);
    drop(tx);
    let tries = stage.number("select max(attempts) from messages where kind = 'reminder'").await;
    assert!((10..=30).contains(&tries), "{tries} tries in an hour");
    let sixten = stage.signed_in(SIXTEN).await;
    let (_, page) = stage.get("/inkorg", &sixten.0).await;
    assert!(page.contains("E-post svarar inte sedan"), "{page}");
    let (_, page) = stage.get("/chattar", &stage.signed_in(ADMIN).await.0).await;
    assert!(page.contains("Svarar inte") && page.contains("2 meddelanden sedan"), "{page}");

    down(false);
    stage.pass(6).await;
    assert_eq!(said(), 1);
    assert_eq!(stage.number("select count(*) from messages where kind = 'notice'").await, 1, "one word to the admin");
    assert_eq!(stage.number("select count(*) from journal where kind = 'reminder.said'").await, 2, "both cases");
    let mut tx = stage.app().db.read().await.unwrap();
    assert_eq!(outbox_store::ill(&mut tx).await.unwrap(), []);
    assert_eq!(outbox_store::waiting(&mut tx).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_before_the_chat_is_back_is_never_said() {
    let (fake, stage) = with_slack(Engine::Postgres).await;
    stage.bind(SIXTEN, "slack", SLACK_USER).await;
    fake.down(true);
    let case = stage.case().await;
    stage.pass(10).await;
    let mut tx = stage.app().db.write().await.unwrap();
    lyhord::response::acts::take(&mut tx, SIXTEN, case, None, stage.now()).await.unwrap();
    tx.commit().await.unwrap();
    fake.down(false);
    stage.pass(10).await;
    assert_eq!(fake.posted().len(), 0, "he has taken it on the page meanwhile");
    assert_eq!(stage.number("select count(*) from messages where state = 'void'").await, 1);
    stage.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_reminder_takes_the_buttons_from_the_earlier_one() {
    let (fake, stage) = with_slack(Engine::Sqlite).await;
    stage.bind(SIXTEN, "slack", SLACK_USER).await;
    let case = stage.case().await;
    stage.until(at(1, 15, 30)).await;
    let posted = fake.posted();
    assert!(posted.len() >= 2, "{posted:?}");
    let (last, earlier) = posted.split_last().unwrap();
    let buttons = |posted: &fake_slack::Posted| posted.body["blocks"][1]["elements"].as_array().unwrap().len();
    assert_eq!(buttons(last), 4);
    for message in earlier {
        assert_eq!(buttons(message), 1, "only Öppna is left");
        let text = message.body["text"].as_str().unwrap();
        assert!(text.contains(&format!("Ärende {case}: se den nyare påminnelsen.")), "{text}");
    }
}

// ---- Nobody is told outside her hours

/// Telegram is gone from twenty past four to twenty to twelve; a case comes when it has just gone.
async fn an_evening_gone(telegram: &FakeTelegram, stage: &Stage, day: i8, urgency: Urgency, hours: u64) -> CaseId {
    stage.bind(SIXTEN, "telegram", "1000").await;
    telegram.start(1000);
    // What danger is told of is tried every five minutes through the night, so its evening begins late.
    stage.until(if urgency == Urgency::Acute { at(day, 22, 20) } else { at(day, 16, 20) }).await;
    telegram.down(true);
    let case = stage.case_of(urgency, hours).await;
    stage.until(at(day, 23, 40)).await;
    assert_eq!(telegram.sent(), []);
    telegram.down(false);
    stage.until(at(day, 23, 50)).await;
    case
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_outage_has_held_up_till_late_is_told_the_next_morning_as_it_is_by_then() {
    for engine in ENGINES {
        let (telegram, stage) = with_telegram(engine).await;
        let case = an_evening_gone(&telegram, &stage, 0, Urgency::Normal, 30).await;
        assert_eq!(telegram.sent(), [], "nobody is told at midnight");
        let (waits, browser) =
            ("påminnelsen till Sixten Prov väntar till i morgon 08.00", stage.signed_in(SIXTEN).await.0);
        for path in ["/inkorg", &format!("/arende/{case}")] {
            let (_, page) = stage.get(path, &browser).await;
            assert!(page.contains(waits), "{path}: {page}");
        }
        stage.until(at(1, 7, 59)).await;
        assert_eq!(telegram.sent(), []);
        stage.until(at(1, 8, 30)).await;
        let sent = telegram.sent();
        assert_eq!(sent.len(), 1, "once");
        assert!(sent[0].text.contains("Tidigast förfaller kl. 22.20."), "today by then: {}", sent[0].text);
        assert_eq!(stage.number("select count(*) from journal where kind = 'reminder.said'").await, 1);
        let (_, page) = stage.get("/inkorg", &stage.signed_in(SIXTEN).await.0).await;
        assert!(!page.contains("Tyst: påminnelsen till"), "{page}");
        telegram.press(1000, 1000, sent[0].message_id, "Jag tar det").unwrap();
        stage.hear(Part::TelegramPoll, true).await;
        assert!(stage.is_taken(case).await, "the buttons are those of the morning");
        stage.pass(2).await;
        stage.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_outage_has_held_up_on_a_friday_night_is_told_on_monday_morning() {
    for engine in ENGINES {
        let (telegram, stage) = with_telegram(engine).await;
        an_evening_gone(&telegram, &stage, 4, Urgency::Normal, 102).await;
        let (_, page) = stage.get("/inkorg", &stage.signed_in(SIXTEN).await.0).await;
        assert!(page.contains("påminnelsen till Sixten Prov väntar till måndag 08.00"), "{page}");
        stage.until(at(7, 7, 59)).await;
        assert_eq!(telegram.sent(), [], "nobody is told at midnight, nor on a Saturday");
        stage.until(at(7, 8, 30)).await;
        assert_eq!(telegram.sent().len(), 1, "once");
        stage.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn danger_that_an_outage_has_held_up_is_told_the_moment_it_is_over() {
    for engine in ENGINES {
        let (telegram, stage) = with_telegram(engine).await;
        an_evening_gone(&telegram, &stage, 0, Urgency::Acute, 30).await;
        assert_eq!(telegram.sent().len(), 1, "ten to twelve at night");
        stage.until(at(1, 8, 30)).await;
        assert_eq!(telegram.sent().len(), 1, "and not again");
        stage.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_held_is_not_told_at_night() {
    for engine in ENGINES {
        let (telegram, stage) = with_telegram(engine).await;
        stage.bind(SIXTEN, "telegram", "1000").await;
        telegram.start(1000);
        stage.until(at(0, 16, 20)).await;
        telegram.down(true);
        stage.case().await;
        stage.until(at(0, 16, 25)).await;
        telegram.down(false);
        let mut tx = stage.app().db.write().await.unwrap();
        let taken = chat::store::claim(&mut tx, at(0, 16, 35), at(0, 22, 0), 9).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(taken.len(), 1);
        stage.until(at(0, 23, 0)).await;
        assert_eq!(telegram.sent(), []);
        let tried = stage.number("select attempts from messages").await;
        assert_eq!(tried, taken[0].attempts, "what the dead one may have said counts, and nothing was tried since");
        stage.until(at(1, 8, 1)).await;
        assert_eq!(telegram.sent().len(), 1);
        stage.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_is_back_before_her_time_is_told_at_once() {
    let (telegram, stage) = with_telegram(Engine::Sqlite).await;
    an_evening_gone(&telegram, &stage, 0, Urgency::Normal, 30).await;
    let mut tx = stage.app().db.write().await.unwrap();
    on!(tx, c => sqlx::query("update messages set next_attempt_at = $1, held_until = $1")
        .bind(at(3, 8, 0)).execute(c).await.map(|_| ()))
    .unwrap();
    tx.commit().await.unwrap();
    stage.until(at(1, 8, 2)).await;
    assert_eq!(telegram.sent().len(), 1, "what stood in the way is gone");
    stage.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_keep_the_system_hear_of_an_outage_when_they_are_at_work() {
    for engine in ENGINES {
        let (telegram, relay, stage) = with_telegram_and_email(engine).await;
        stage.bind(ADMIN, "email", "sten@ale.se").await;
        an_evening_gone(&telegram, &stage, 0, Urgency::Acute, 30).await;
        assert_eq!(telegram.sent().len(), 1);
        assert_eq!(letters_to(&relay, "sten@ale.se"), [""; 0], "an outage is not danger");
        stage.until(at(1, 8, 1)).await;
        let letters = letters_to(&relay, "sten@ale.se");
        assert_eq!(letters.len(), 1, "{letters:?}");
        assert!(letters[0].contains("Telegram har inte svarat på en halvtimme"), "{letters:?}");
        stage.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn danger_goes_by_the_next_voice_at_night_and_the_word_about_the_voice_waits_for_the_morning() {
    for engine in ENGINES {
        let (telegram, relay, stage) = with_telegram_and_email(engine).await;
        stage.bind(SIXTEN, "telegram", "1000").await;
        stage.bind(SIXTEN, "email", "sixten@ale.se").await;
        stage.bind(ADMIN, "email", "sten@ale.se").await;
        telegram.start(1000);
        telegram.fault(1000, Fault::Blocked);
        stage.until(at(0, 20, 0)).await;
        let case = stage.case_of(Urgency::Acute, 30).await;
        stage.pass(5).await;
        let hers = letters_to(&relay, "sixten@ale.se");
        assert_eq!(hers.len(), 1, "{hers:?}");
        assert!(hers[0].contains(&format!("Ärende {case}")) && hers[0].contains("Akut, bryter tystnaden"), "{hers:?}");
        assert_eq!(letters_to(&relay, "sten@ale.se"), [""; 0]);
        stage.until(at(1, 8, 1)).await;
        let hers = letters_to(&relay, "sixten@ale.se");
        assert!(hers.len() == 2 && hers[1].contains("Du nås inte längre genom Telegram"), "{hers:?}");
        let admins = letters_to(&relay, "sten@ale.se");
        assert!(admins.len() == 1 && admins[0].contains("En kollega nås inte längre genom Telegram"), "{admins:?}");
        stage.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn danger_at_night_says_that_it_breaks_the_silence_where_so_much_may_be_said() {
    let (matrix, stage) = with_matrix(Engine::Sqlite).await;
    stage.bind(SIXTEN, "matrix", KARIN_MX).await;
    stage.until(at(0, 20, 0)).await;
    stage.case_of(Urgency::Acute, 30).await;
    stage.pass(1).await;
    let (_, content) = matrix.said(&matrix.direct_room(KARIN_MX).unwrap()).remove(0);
    let body = content["body"].as_str().unwrap();
    assert!(body.contains("Akut, bryter tystnaden"), "{body}");

    let (slack, stage) = with_slack(Engine::Sqlite).await;
    stage.bind(SIXTEN, "slack", SLACK_USER).await;
    stage.until(at(0, 20, 0)).await;
    stage.case_of(Urgency::Acute, 30).await;
    stage.pass(1).await;
    let text = slack.posted()[0].body["text"].as_str().unwrap().to_owned();
    assert!(text.contains("Felanmälan") && !text.contains("Akut"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_she_asks_for_at_night_comes_at_once() {
    let (relay, stage) = with_email(Engine::Sqlite, "").await;
    stage.until(at(0, 23, 0)).await;
    let sixten = stage.signed_in(SIXTEN).await;
    let address = [("rost", "email"), ("adress", "sixten@ale.se")];
    assert_eq!(stage.post("/min-profil/adress", &sixten, &address).await.0, StatusCode::OK);
    stage.pass(1).await;
    assert_eq!(letters_to(&relay, "sixten@ale.se").len(), 1);
    stage.running.stop().await;
}

// ---- One whom no voice reaches

#[tokio::test(flavor = "multi_thread")]
async fn one_whom_no_voice_reaches_is_shown_and_is_told_what_still_stands_when_she_has_chosen_one() {
    for engine in ENGINES {
        let (telegram, stage) = with_telegram(engine).await;
        stage.bind(ADMIN, "telegram", "1009").await;
        for chat in [1000, 1009] {
            telegram.start(chat);
        }
        let to = |chat: i64| -> Vec<String> {
            telegram.sent().into_iter().filter(|sent| sent.chat_id == chat).map(|sent| sent.text).collect()
        };
        stage.case().await;
        stage.pass(5).await;
        assert_eq!(to(1009).len(), 1);
        assert!(to(1009)[0].contains("En kollega har ingen chatt eller e-post som fungerar."), "{:?}", to(1009));
        let taken = stage.case().await;
        stage.pass(5).await;
        assert_eq!(to(1009).len(), 1, "once");
        let (sixten, admin) = (stage.signed_in(SIXTEN).await.0, stage.signed_in(ADMIN).await.0);
        let (_, page) = stage.get("/inkorg", &sixten).await;
        assert!(
            page.contains("Ingen väg till Sixten Prov: ingen chatt eller e-post som fungerar är vald")
                && !page.contains("Påmint"),
            "{page}"
        );
        let (_, page) = stage.get("/chattar", &admin).await;
        assert!(
            page.contains("Sixten Prov") && page.contains("Påminnelser om 2 ärenden står bara i inkorgen."),
            "{page}"
        );
        assert_eq!(stage.number("select count(*) from journal where kind = 'reminder.said'").await, 0);

        // He takes one of them on the page, and then chooses a chat.
        let mut tx = stage.app().db.write().await.unwrap();
        lyhord::response::acts::take(&mut tx, SIXTEN, taken, None, stage.now()).await.unwrap();
        tx.commit().await.unwrap();
        stage.bind(SIXTEN, "telegram", "1000").await;
        stage.pass(2).await;
        assert_eq!(to(1000).len(), 1, "{:?}", to(1000));
        assert!(to(1000)[0].contains("Du har 1 ärende att hantera"), "what is over is not told: {:?}", to(1000));
        let (_, page) = stage.get("/inkorg", &sixten).await;
        assert!(!page.contains("Ingen väg"), "{page}");
        let (_, page) = stage.get("/chattar", &admin).await;
        assert!(page.contains("Alla som har kopplat en chatt nås genom den."), "{page}");
        stage.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ladder_climbs_past_one_whom_no_voice_reaches() {
    let (telegram, stage) = with_telegram(Engine::Sqlite).await;
    stage.bind("rut-exempelgren", "telegram", "1003").await;
    telegram.start(1003);
    stage.case().await;
    stage.until(at(2, 10, 29)).await;
    assert_eq!(telegram.sent(), []);
    stage.until(at(2, 11, 0)).await;
    assert_eq!(telegram.sent().iter().map(|sent| sent.chat_id).collect::<Vec<_>>(), [1003], "the manager");
    stage.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_chat_is_on_the_inbox_is_how_everybody_is_told() {
    let stage = Stage::open(Engine::Sqlite, |_, _| String::new()).await;
    stage.case().await;
    stage.pass(5).await;
    assert_eq!(stage.number("select count(*) from reminders where message_id = 0 and unreached_at is null").await, 1);
    assert_eq!(stage.number("select count(*) from messages").await, 0, "nobody is nagged");
    let (_, page) = stage.get("/inkorg", &stage.signed_in(SIXTEN).await.0).await;
    assert!(!page.contains("Ingen väg"), "{page}");
    stage.running.stop().await;
}

// ---- Min profil

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_bound_by_the_code_that_comes_to_it_tried_and_let_go() {
    let (relay, stage) = with_email(Engine::Sqlite, "").await;
    let sixten = stage.signed_in(SIXTEN).await;
    let (status, page) =
        stage.post("/min-profil/adress", &sixten, &[("rost", "email"), ("adress", "x@example.com")]).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("inom kommunens egna domäner"), "{page}");
    let address = [("rost", "email"), ("adress", "sixten@ale.se")];
    assert_eq!(stage.post("/min-profil/adress", &sixten, &address).await.0, StatusCode::OK);
    stage.pass(1).await;
    let letter = relay.letters().remove(0);
    let shown = letter.split("Din kod till Lyhörd är ").nth(1).unwrap().split('.').next().unwrap().replace('\n', "");
    assert_eq!(stage.number("select count(*) from messages where body like '%kod%'").await, 0, "the code is forgotten");
    let other = stage.signed_in("tove-fiktivgren").await;
    assert_eq!(
        stage.post("/min-profil/bekrafta", &other, &[("kod", &shown)]).await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(stage.post("/min-profil/bekrafta", &sixten, &[("kod", &shown)]).await.0, StatusCode::SEE_OTHER);
    assert_eq!(
        stage.post("/min-profil/bekrafta", &sixten, &[("kod", &shown)]).await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let taken = stage.post("/min-profil/adress", &other, &address).await;
    assert!(taken.1.contains("kopplad till någon annan"), "{}", taken.1);

    let mut tx = stage.app().db.read().await.unwrap();
    let id = chat::store::voices(&mut tx).await.unwrap()[0].id.to_string();
    drop(tx);
    let test = [("id", id.as_str()), ("gor", "prov")];
    for _ in 0..5 {
        assert_eq!(stage.post("/min-profil/rost", &sixten, &test).await.0, StatusCode::SEE_OTHER);
    }
    let (status, page) = stage.post("/min-profil/rost", &sixten, &test).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{page}");
    stage.pass(2).await;
    assert_eq!(relay.letters().iter().filter(|letter| letter.contains("Det här är ett prov")).count(), 5);
    let (_, page) = stage.get("/min-profil", &sixten.0).await;
    assert!(page.contains("gick fram till tjänsten") && page.contains("E-post"), "{page}");
    assert!(page.contains("Ett brev kan inte ändras"), "what the voice cannot do is told");
    assert_eq!(stage.post("/min-profil/rost", &other, &[("id", &id), ("gor", "bort")]).await.0, StatusCode::NOT_FOUND);
    assert_eq!(stage.post("/min-profil/rost", &sixten, &[("id", &id), ("gor", "bort")]).await.0, StatusCode::SEE_OTHER);
    assert_eq!(stage.number("select count(*) from voices").await, 0);
    assert!(stage.folder.path().exists());
    stage.running.stop().await;
}

// ---- Receipts

/// Tells Sixten of one case. Returns what the service calls the message, as our receipt has it, after seeing that there
/// is one receipt for what was said, and that *Min profil* says all that the chat cannot do.
async fn receipt(stage: &Stage, channel: chat::Channel, address: &str) -> String {
    let name = channel.slug();
    stage.bind(SIXTEN, name, address).await;
    stage.case().await;
    stage.pass(1).await;
    assert_eq!(stage.number("select count(*) from messages where state = 'sent'").await, 1, "{name}");
    assert_eq!(stage.number("select count(*) from receipts").await, 1, "{name}");
    assert_eq!(stage.number("select count(*) from journal where kind = 'reminder.said'").await, 1, "{name}");
    let cannot = stage.app().voices.of(channel).unwrap().cannot();
    let (_, page) = stage.get("/min-profil", &stage.signed_in(SIXTEN).await.0).await;
    assert!(!cannot.is_empty(), "{name}");
    for sentence in cannot {
        assert!(page.contains(sentence), "{name}: {sentence}");
    }
    let mut tx = stage.app().db.read().await.unwrap();
    on!(tx, c => sqlx::query_scalar("select external_id from receipts").fetch_one(c).await).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_chat_gives_the_receipt_that_its_service_gives_and_says_what_it_cannot_do() {
    use chat::Channel;
    let engine = Engine::Sqlite;
    let (telegram, stage) = with_telegram(engine).await;
    telegram.start(1000);
    let given = receipt(&stage, Channel::Telegram, "1000").await;
    assert_eq!(given, telegram.sent()[0].message_id.to_string());
    stage.running.stop().await;

    let (_matrix, stage) = with_matrix(engine).await;
    let given = receipt(&stage, Channel::Matrix, KARIN_MX).await;
    assert!(given.starts_with('$'), "an event's name: {given}");
    stage.running.stop().await;

    let (slack, stage) = with_slack(engine).await;
    let given = receipt(&stage, Channel::Slack, SLACK_USER).await;
    let posted = slack.posted().remove(0);
    assert_eq!(given, format!("{}:{}", posted.channel, posted.ts));
    stage.running.stop().await;

    let (mattermost, stage) = with_mattermost(engine).await;
    let given = receipt(&stage, Channel::Mattermost, &format!("user:{MM_USER}")).await;
    assert_eq!(given, mattermost.posts()[0].id);
    stage.running.stop().await;

    let (teams, stage) = with_teams(engine).await;
    let given = receipt(&stage, Channel::Teams, "va/sixten-prov").await;
    assert_eq!((given.as_str(), teams.cards().len()), ("", 1), "a flow takes the card and names nothing");
    stage.running.stop().await;

    let (relay, stage) = with_email(engine, "").await;
    let given = receipt(&stage, Channel::Email, "sixten@ale.se").await;
    assert!(relay.letters()[0].contains(&format!("Message-ID: <{given}>")), "{given}: {:?}", relay.letters());
    stage.running.stop().await;
}
