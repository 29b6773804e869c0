//! The pages as a browser meets them, over a database of their own.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use lyhord::app::App;
use lyhord::assignment::Role;
use lyhord::case::batch_store::{Assigned, NewCase};
use lyhord::case::store::CaseRow;
use lyhord::clock::{Clock, Time};
use lyhord::config::Config;
use lyhord::id::{CaseId, SourceId};
use lyhord::journal::{self, Verdict};
use lyhord::mention::keep_store::NewMention;
use lyhord::source::store::Named;
use lyhord::web::access::{TABLE, Who, lets_in};
use lyhord::web::{secret, sign_in, store};
use tower::ServiceExt as _;

use crate::harness::{Database, Engine, database};

/// Monday, in office hours.
pub const NOW: &str = "2026-11-23T10:42:00+01:00";
const PASSWORD: &str = "blåbär växer vid sjön";

pub const CHIEF: &str = "hedda-exempel";
pub const COMMUNICATOR: &str = "ivar-provsson";
pub const ADMIN: &str = "sten-systemsson";
pub const OF_WATER: &str = "hilda-pahittfors";
pub const OF_STREETS: &str = "tove-fiktivgren";

pub struct House {
    pub app: Arc<App>,
    pub source: SourceId,
    pub database: Database,
    _folder: tempfile::TempDir,
}

pub async fn house() -> House {
    house_on(Engine::Sqlite).await
}

pub async fn house_on(engine: Engine) -> House {
    let (database, folder) = (database(engine), tempfile::tempdir().unwrap());
    let token = folder.path().join("token");
    std::fs::write(&token, "123:TEST").unwrap();
    let service = format!(
        "[municipality]\nname = \"Ale kommun\"\ncontact = \"x\"\nbase_url = \"http://localhost/\"\n\
         [chat.telegram]\ntoken_file = \"{}\"\nbot_name = \"lyhord_bot\"\n",
        token.display()
    );
    let now = Time::parse(NOW).unwrap();
    let config =
        Config { metrics_token: Some("matare".into()), ..crate::running::config(&service, "", &database.address) };
    let app = App::open(config, Clock::manual(now)).await.unwrap();
    let mut tx = app.db.write().await.unwrap();
    let named = Named {
        key: "tidning".into(),
        kind: "rss".into(),
        name: "Tidningen".into(),
        address: "https://example.se/rss".into(),
        channel: "rss".into(),
        enabled: true,
        streamed: false,
    };
    lyhord::source::store::take_over_configuration(&mut tx, &[named], now).await.unwrap();
    let source = lyhord::source::store::by_key(&mut tx, "tidning").await.unwrap().unwrap().id;
    tx.commit().await.unwrap();
    House { app: Arc::new(app), source, database, _folder: folder }
}

/// A post and whose it is.
pub struct Told<'a> {
    pub text: &'a str,
    pub author: &'a str,
    pub unit: &'a str,
    pub owner: &'a str,
    pub intent: &'a str,
    pub restricted: bool,
    pub lane: &'a str,
}

impl Default for Told<'_> {
    fn default() -> Self {
        Self {
            text: "Brunt vatten i Nol",
            author: "Skribent Skribentsson",
            unit: "va",
            owner: OF_WATER,
            intent: "fraga",
            restricted: false,
            lane: "vanlig",
        }
    }
}

impl House {
    pub fn now(&self) -> Time {
        self.app.clock.now()
    }

    pub fn pass(&self, seconds: u64) {
        self.app.clock.set(self.now().plus(Duration::from_secs(seconds)));
    }

    pub async fn case(&self, told: Told<'_>) -> CaseId {
        let now = self.now();
        let mut tx = self.app.db.write().await.unwrap();
        let native = secret::new();
        let new = NewMention {
            source_id: Some(self.source),
            channel: "rss",
            native_id: &native,
            url: Some("https://example.se/inlagg"),
            kind: "post",
            body: told.text,
            author: Some(told.author),
            authored_at: now,
            seen_at: now,
            hearing: "{}".into(),
            ..NewMention::default()
        };
        let mention = crate::harness::kept(&mut tx, new, now).await;
        let case = NewCase {
            mention_id: mention,
            cluster_id: mention,
            source_id: self.source,
            channel: "rss",
            thread: None,
            title: told.text,
            topic: "va",
            intent: told.intent,
            sentiment: "neu",
            urgency: "normal",
            place: Some("Nol".to_owned()),
            protected: false,
            restricted: told.restricted,
            triage: false,
            arrived_at: now,
            imported: false,
        };
        let id = lyhord::case::batch_store::open(&mut tx, &[(case, told.text)], now).await.unwrap()[&mention];
        let assigned = Assigned {
            id,
            unit: told.unit,
            lane: Some(told.lane),
            owner: told.owner,
            because: "ämnet är vatten",
            calendar: "kontor",
            policy_version: "2026-1",
            due_at: now.plus(Duration::from_hours(4)),
            resolve_by: now.plus(Duration::from_hours(40)),
            due_because: "fråga: 4 timmar",
            discovered_late: false,
            queued: false,
        };
        lyhord::case::batch_store::assign(&mut tx, &[assigned], now).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    pub async fn journal_length(&self) -> i64 {
        let mut tx = self.app.db.read().await.unwrap();
        lyhord::on!(tx, c => sqlx::query_scalar("select count(*) from journal").fetch_one(c).await).unwrap()
    }

    pub async fn row(&self, id: CaseId) -> CaseRow {
        let mut tx = self.app.db.read().await.unwrap();
        lyhord::case::store::find(&mut tx, id).await.unwrap().unwrap()
    }

    /// A browser in which this person is signed in.
    pub async fn browser(&self, staff: &str) -> Browser<'_> {
        let (token, csrf) = (secret::new(), secret::new());
        let mut tx = self.app.db.write().await.unwrap();
        store::put_account(&mut tx, staff, self.now()).await.unwrap();
        let until = self.now().plus(Duration::from_hours(12));
        store::put_session(&mut tx, &secret::hash(&token), staff, &csrf, self.now(), until).await.unwrap();
        tx.commit().await.unwrap();
        Browser { house: self, cookies: vec![("lyhord".into(), token)], csrf }
    }

    fn stranger(&self) -> Browser<'_> {
        Browser { house: self, cookies: Vec::new(), csrf: String::new() }
    }
}

pub struct Browser<'a> {
    house: &'a House,
    cookies: Vec<(String, String)>,
    csrf: String,
}

pub struct Page {
    pub status: StatusCode,
    pub to: String,
    pub body: String,
    pub headers: HeaderMap,
}

impl Browser<'_> {
    async fn send(&mut self, request: Request<Body>) -> Page {
        let response = lyhord::web::router(Arc::clone(&self.house.app)).oneshot(request).await.unwrap();
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let (value, _) = rest.split_once(';').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.into(), value.into()));
            }
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let to = headers.get(header::LOCATION).map_or_else(String::new, |to| to.to_str().unwrap().to_owned());
        if headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream") {
            return Page { status, to, body: String::new(), headers };
        }
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        Page { status, to, body: String::from_utf8(bytes.to_vec()).unwrap(), headers }
    }

    fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Request::builder().method(method).uri(path).header(header::COOKIE, cookies.join("; "))
    }

    pub async fn get(&mut self, path: &str) -> Page {
        let request = self.request(Method::GET, path).body(Body::empty()).unwrap();
        self.send(request).await
    }

    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let csrf = self.csrf.clone();
        self.post_raw(path, &[fields, &[("csrf", csrf.as_str())]].concat()).await
    }

    async fn post_raw(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let kind = "application/x-www-form-urlencoded";
        let request =
            self.request(Method::POST, path).header(header::CONTENT_TYPE, kind).body(Body::from(body)).unwrap();
        self.send(request).await
    }

    /// Opens a form that is shown to one who is not signed in, and reads its secret.
    async fn open_form(&mut self, path: &str) -> Page {
        let page = self.get(path).await;
        between(&page.body, "name=\"csrf\" value=\"", "\"").unwrap().clone_into(&mut self.csrf);
        page
    }
}

pub fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    Some(text.split_once(before)?.1.split_once(after)?.0)
}

#[tokio::test]
async fn a_link_leads_to_a_password_and_the_password_to_the_inbox() {
    let house = house().await;
    let mut tx = house.app.db.write().await.unwrap();
    let link = sign_in::new_link(&mut tx, OF_WATER, house.now()).await.unwrap();
    tx.commit().await.unwrap();
    let mut browser = house.stranger();
    // Looking does not use the link up: a chat that previews it does no harm, and finds nothing to show.
    let preview = browser.open_form(&link).await;
    assert!(!preview.body.contains("og:") && !preview.body.contains("twitter:"));
    let short = browser.post(&link, &[("losenord", "kort"), ("igen", "kort")]).await;
    assert_eq!(short.status, StatusCode::UNPROCESSABLE_ENTITY);
    let chosen = browser.post(&link, &[("losenord", PASSWORD), ("igen", PASSWORD)]).await;
    assert_eq!((chosen.status, chosen.to.as_str()), (StatusCode::SEE_OTHER, "/"));
    assert_eq!(browser.get("/inkorg").await.status, StatusCode::OK);

    let mut other = house.stranger();
    assert!(other.get(&link).await.body.contains("Länken gäller inte längre"), "a link works once");
    other.open_form("/logga-in?till=%2Fmina").await;
    let wrong = other.post("/logga-in", &[("namn", OF_WATER), ("losenord", "fel lösenord helt")]).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    let right = other.post("/logga-in", &[("namn", OF_WATER), ("losenord", PASSWORD), ("till", "/mina")]).await;
    assert_eq!((right.status, right.to.as_str()), (StatusCode::SEE_OTHER, "/mina"));
    let set = right.headers.get(header::SET_COOKIE).unwrap().to_str().unwrap();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax"), "{set}");
}

/// A chat that looks a reminder's link up, to show what is behind it, finds a page that tells nothing.
#[tokio::test]
async fn a_link_to_a_case_shows_a_stranger_the_sign_in_and_nothing_of_the_case() {
    let house = house().await;
    let case = house.case(Told::default()).await;
    let mut stranger = house.stranger();
    let link = stranger.get(&format!("/arende/{case}")).await;
    assert_eq!(link.to, format!("/logga-in?till=%2Farende%2F{case}"));
    let sign_in = stranger.get(&link.to).await;
    let bare = stranger.get("/logga-in").await;
    assert_eq!((sign_in.status, bare.status), (StatusCode::OK, StatusCode::OK));
    for page in [&link, &sign_in, &bare] {
        for word in ["og:", "twitter:", "Brunt vatten", "Nol", "Hilda", "VA-enheten", "Skribent", "Vatten och avlopp"] {
            assert!(!page.body.contains(word), "{word}: {}", page.body);
        }
        assert!(!page.headers.contains_key(header::LINK), "{:?}", page.headers);
    }
}

#[tokio::test]
async fn wrong_passwords_cost_time_and_an_unknown_name_is_met_as_a_known_one() {
    let house = house().await;
    let mut browser = house.stranger();
    browser.open_form("/logga-in").await;
    let mut seen = Vec::new();
    for _ in 0..6 {
        seen.push(browser.post("/logga-in", &[("namn", "ingen"), ("losenord", "fel")]).await.status.as_u16());
    }
    assert_eq!(seen, [401, 401, 401, 401, 401, 429]);
    house.pass(31);
    let later = browser.post("/logga-in", &[("namn", "ingen"), ("losenord", "fel")]).await;
    assert_eq!(later.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_ends_when_one_signs_out_and_when_it_is_left_alone() {
    let house = house().await;
    let mut browser = house.browser(OF_WATER).await;
    let cookies = browser.cookies.clone();
    assert_eq!(browser.post("/logga-ut", &[]).await.to, "/logga-in?sagt=utloggad");
    browser.cookies = cookies;
    assert_eq!(browser.get("/inkorg").await.to, "/logga-in?till=%2Finkorg", "the old secret opens nothing");
    let mut idle = house.browser(OF_WATER).await;
    house.pass(4 * 3600);
    assert_eq!(idle.get("/inkorg").await.to, "/logga-in?till=%2Finkorg");
}

#[tokio::test]
async fn a_form_without_our_secret_changes_nothing() {
    let house = house().await;
    let case = house.case(Told::default()).await;
    let mut browser = house.browser(OF_WATER).await;
    for fields in [&[][..], &[("csrf", "")], &[("csrf", "gissat")]] {
        assert_eq!(browser.post_raw(&format!("/arende/{case}/ta"), fields).await.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(house.row(case).await.state, "assigned");
    let fields = [("namn", "a"), ("losenord", "b"), ("csrf", "")];
    assert_eq!(house.stranger().post_raw("/logga-in", &fields).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_letter_that_no_database_looks_for_is_a_bad_question_and_no_fault_of_ours() {
    let house = house().await;
    let mut browser = house.browser(OF_WATER).await;
    for path in ["/?q=%00", "/logga-in/%00", "/arende/1%00"] {
        assert_eq!(browser.get(path).await.status, StatusCode::BAD_REQUEST, "{path}");
    }
    let case = house.case(Told::default()).await;
    let told = browser.post(&format!("/arende/{case}/svara"), &[("text", "Hej\0då")]).await;
    assert_eq!(told.status, StatusCode::BAD_REQUEST);
    assert!(told.body.contains("Vi kunde inte läsa det som skickades"), "{}", told.body);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_in_our_own_words() {
    let house = house().await;
    let mut browser = house.browser(OF_WATER).await;
    for (path, status, said) in [
        ("/arende/sju", StatusCode::NOT_FOUND, "Sidan finns inte"),
        ("/inkorg?sok=vatten&sok=el", StatusCode::BAD_REQUEST, "Vi kunde inte läsa det som skickades"),
    ] {
        let told = browser.get(path).await;
        assert_eq!(told.status, status, "{path}");
        assert!(told.body.contains(said), "{path}: {}", told.body);
    }
}

/// What somebody meets at an address of the table; one who is asked to sign in meets `UNAUTHORIZED`.
async fn met(browser: &mut Browser<'_>, method: &Method, path: &str, case: CaseId) -> StatusCode {
    let id = if path.starts_with("/kallor") { browser.house.source.0 } else { case.0 };
    let path = path.replace("{id}", &id.to_string()).replace("{token}", "ingen-sadan").replace("{tip}", "1");
    let page = if *method == Method::GET { browser.get(&path).await } else { browser.post(&path, &[]).await };
    if page.to.starts_with("/logga-in?till") { StatusCode::UNAUTHORIZED } else { page.status }
}

#[tokio::test]
async fn every_address_answers_every_role_as_the_table_says() {
    let house = house().await;
    for (method, path, who) in TABLE {
        let case = house.case(Told::default()).await;
        for (staff, role) in
            [(COMMUNICATOR, Role::Communicator), (OF_WATER, Role::Staff), (CHIEF, Role::Chief), (ADMIN, Role::Admin)]
        {
            let roles = house.app.config.organisation.staff_at(staff, house.now()).unwrap().roles.clone();
            assert!(roles.contains(&role), "{staff}");
            let status = met(&mut house.browser(staff).await, method, path, case).await;
            if lets_in(*who, &roles) {
                assert!(status != StatusCode::FORBIDDEN && status.as_u16() < 500, "{staff} {method} {path}: {status}");
            } else {
                assert_eq!(status, StatusCode::FORBIDDEN, "{staff} {method} {path}");
            }
        }
        let status = met(&mut house.stranger(), method, path, case).await;
        match who {
            Who::Everyone if *method == Method::GET => assert!(status.is_success(), "{path}: {status}"),
            Who::Everyone | Who::Measurer => assert_eq!(status, StatusCode::FORBIDDEN, "{path}"),
            Who::SignedIn | Who::Only(_) => assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}"),
        }
    }
}

#[tokio::test]
async fn of_two_clicks_one_wins_and_the_other_is_told_how_it_is() {
    let house = house().await;
    let case = house.case(Told::default()).await;
    let revision = house.row(case).await.revision.to_string();
    let path = format!("/arende/{case}/ta");
    let mut first = house.browser(OF_WATER).await;
    let one = first.post(&path, &[("revision", &revision)]).await;
    let other = house.browser(COMMUNICATOR).await.post(&path, &[("revision", &revision)]).await;
    assert_eq!((one.status, one.to), (StatusCode::SEE_OTHER, format!("/arende/{case}?sagt=taget")));
    assert_eq!(other.status, StatusCode::CONFLICT);
    assert!(other.body.contains("Någon hann före") && other.body.contains("Hilda Påhittfors har det"));
    assert_eq!(first.post(&path, &[]).await.status, StatusCode::CONFLICT, "what is taken is not taken again");
    let row = house.row(case).await;
    assert_eq!((row.state.as_str(), row.owner.as_deref(), row.round), ("accepted", Some(OF_WATER), 1));
}

#[tokio::test]
async fn an_answer_on_a_stale_page_is_given_back_with_what_was_typed() {
    let house = house().await;
    let case = house.case(Told::default()).await;
    let stale = house.row(case).await.revision.to_string();
    let mut browser = house.browser(OF_WATER).await;
    browser.post(&format!("/arende/{case}/kvittera"), &[]).await;
    let fields = [("revision", stale.as_str()), ("svar", "Vi spolar ledningen i dag."), ("lank", "")];
    let page = browser.post(&format!("/arende/{case}/svara"), &fields).await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    assert!(page.body.contains("Vi spolar ledningen i dag.</textarea>"));
    assert_eq!(house.row(case).await.state, "assigned");
}

#[tokio::test]
async fn a_case_lives_from_taken_to_answered_and_back_and_the_journal_holds() {
    let house = house().await;
    let case = house.case(Told { intent: "klagomal", ..Told::default() }).await;
    let mut browser = house.browser(OF_WATER).await;
    let at = |act: &str| format!("/arende/{case}/{act}");
    let (done, refused) = (StatusCode::SEE_OTHER, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(browser.post(&at("ta"), &[]).await.status, done);
    assert_eq!(browser.post(&at("senare"), &[("om", "60"), ("skal", "väntar på labbet")]).await.status, done);
    assert_eq!(browser.post(&at("senare"), &[("om", "60"), ("skal", " ")]).await.status, refused);
    let silent = browser.post(&at("svara"), &[("svar", "Tack!"), ("lank", "")]).await;
    assert_eq!(silent.status, refused, "a complaint is not closed without what came of it");
    let fields = [("svar", "Vi har bytt filtret."), ("lank", "https://example.se/svar"), ("utfall", "changed")];
    assert_eq!(browser.post(&at("svara"), &fields).await.status, done);
    assert_eq!(house.row(case).await.state, "answered");
    let page = browser.get(&format!("/arende/{case}")).await;
    assert!(page.body.contains("Vi har bytt filtret.") && page.body.contains("Hilda Påhittfors svarade"));
    house.pass(3600);
    assert_eq!(browser.post(&at("oppna"), &[]).await.status, done);
    let row = house.row(case).await;
    assert_eq!((row.state.as_str(), row.closed_at, row.outcome), ("assigned", None, None));
    assert_eq!(row.due_at, Some(house.now().plus(Duration::from_hours(4))), "as much open time as at first");
    let referred = browser.post(&at("hanvisa"), &[("kontakt", "inte vårt"), ("utfall", "not-ours")]).await;
    assert_eq!(referred.status, refused, "a referral needs somebody to turn to");
    let dismissed = browser.post(&at("avskriv"), &[("orsak", "spam"), ("ord", "")]).await;
    assert_eq!(dismissed.status, refused, "one who complains is not advertising without a reason in words");
    let offered = browser.post(&at("lamna-over"), &[("till", OF_STREETS)]).await;
    assert_eq!(offered.to, format!("/arende/{case}?sagt=erbjudet"));
    assert_eq!(house.browser(OF_STREETS).await.post(&at("ja"), &[]).await.status, done);
    assert_eq!(browser.get(&format!("/arende/{case}")).await.status, StatusCode::FORBIDDEN);

    let mut tx = house.app.db.read().await.unwrap();
    assert!(matches!(journal::verify(&mut tx).await.unwrap(), Verdict::Whole { .. }));
    let told: Vec<String> = journal::of_case(&mut tx, case, 99).await.unwrap().into_iter().map(|e| e.kind).collect();
    assert_eq!(told, ["case.taken", "case.snoozed", "case.answered", "case.reopened", "case.offered", "case.accepted"]);
}

#[tokio::test]
async fn what_a_post_says_is_text_and_never_markup() {
    let house = house().await;
    let text = "<script>alert(1)</script><img src=x onerror=alert(1)> \"'&";
    let case = house.case(Told { text, author: "<b>Skribent</b>", ..Told::default() }).await;
    let mut browser = house.browser(COMMUNICATOR).await;
    for path in ["/inkorg".to_owned(), format!("/arende/{case}"), "/inkorg?sok=%3Cscript%3Ealert".to_owned()] {
        let page = browser.get(&path).await;
        assert_eq!(page.status, StatusCode::OK);
        for markup in ["<script>alert", "<img", "<b>", " style=", " onclick=", "javascript:"] {
            assert!(!page.body.contains(markup), "{path} has {markup}");
        }
        let policy = page.headers.get(header::CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
        assert_eq!(page.headers.get(header::REFERRER_POLICY).unwrap(), "no-referrer");
        assert_eq!(page.headers.get(header::X_CONTENT_TYPE_OPTIONS).unwrap(), "nosniff");
    }
}

/// Every name that a page can be asked by: in its links, and in its forms that only ask.
fn asked_by(body: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for link in body.split("href=\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)) {
        if let Some((_, query)) = link.split_once('?').filter(|_| link.starts_with('/')) {
            let query = query.replace("&#38;", "&").replace("&amp;", "&");
            names.extend(url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned()));
        }
    }
    for form in body.split("<form").skip(1).filter_map(|rest| Some(rest.split_once("</form>")?.0)) {
        if form.split('>').next().is_some_and(|head| head.contains("method=\"get\"")) {
            names.extend(form.split(" name=\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
        }
    }
    names
}

#[tokio::test]
async fn nobody_outside_the_staff_is_a_link_a_filter_or_a_heading() {
    let house = house().await;
    let author = "Ture Sventon";
    let case = house.case(Told { author, ..Told::default() }).await;
    let lamp = Told { author, text: "Lampan är trasig", unit: "gata", owner: OF_STREETS, ..Told::default() };
    house.case(lamp).await;
    let mut browser = house.browser(CHIEF).await;
    let known =
        ["enhet", "amne", "sok", "lage", "efter", "dagar", "prova", "v", "visa", "sagt", "till", "utkast", "prov"];
    let lists = [
        "/inkorg",
        "/mina",
        "/kallor",
        "/bevakning",
        "/bevakning/bedomaren",
        "/uppfoljning",
        "/journal",
        "/min-profil",
        "/sa-bevakar-vi",
        "/tillganglighet",
    ];
    for path in lists.into_iter().map(str::to_owned).chain([format!("/arende/{case}")]) {
        let page = browser.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        for name in asked_by(&page.body) {
            assert!(known.contains(&name.as_str()), "{path} can be asked by {name}");
        }
        assert!(path.starts_with("/arende") || !page.body.contains("Sventon"), "{path} shows who wrote");
    }
    let shown = browser.get(&format!("/arende/{case}")).await.body;
    assert!(shown.contains(author), "in its case it is shown who wrote");
    for tag in ["a", "h1", "h2", "title"] {
        for part in shown.split(&format!("<{tag}")).skip(1).filter_map(|rest| rest.split_once(&format!("</{tag}>"))) {
            assert!(!part.0.contains("Sventon"), "who wrote stands in <{tag}>");
        }
    }
    let whole = browser.get("/inkorg").await.body;
    for name in ["forfattare", "author", "skribent", "av", "person", "konto", "anvandare"] {
        assert_eq!(browser.get(&format!("/inkorg?{name}=Ture+Sventon")).await.body, whole, "{name} narrows nothing");
    }
    let searched = browser.get("/inkorg?sok=Sventon").await.body;
    assert!(!searched.contains("href=\"/arende/"), "who wrote is not among the words that are searched");
    assert!(browser.get("/inkorg?sok=Anna+Lindgren").await.body.contains("söker inte efter personer"));
    assert!(browser.get("/inkorg?sok=vatten").await.body.contains(&format!("href=\"/arende/{case}\"")));
}

#[tokio::test]
async fn third_persons_are_masked_in_lists_and_shown_in_their_case() {
    let house = house().await;
    let text = "Rektorn Anna Lindgren svarar inte, ring 070-123 45 67 eller anna@example.se";
    let case = house.case(Told { text, ..Told::default() }).await;
    let mut browser = house.browser(COMMUNICATOR).await;
    let list = browser.get("/inkorg").await.body;
    assert!(list.contains("Rektorn [namn] svarar inte, ring [nummer] eller [e-post]"));
    assert!(!list.contains("Lindgren") && !list.contains("070-123") && !list.contains("anna@"));
    assert!(browser.get(&format!("/arende/{case}")).await.body.contains("Anna Lindgren"));
}

#[tokio::test]
async fn a_threat_is_veiled_until_asked_for_and_only_for_those_who_may() {
    let house = house().await;
    let text = "jag vet var du bor";
    let case = house.case(Told { text, restricted: true, intent: "hot-hat", lane: "hot", ..Told::default() }).await;
    let mut chief = house.browser(CHIEF).await;
    let page = chief.get(&format!("/arende/{case}")).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.body.contains(text) && page.body.contains("Texten är dold"));
    assert!(chief.get(&format!("/arende/{case}?visa=text")).await.body.contains(text));
    assert!(!chief.get("/inkorg").await.body.contains(text));
    let mut communicator = house.browser("gosta-pahitt").await;
    assert_eq!(communicator.get(&format!("/arende/{case}")).await.status, StatusCode::FORBIDDEN);
    assert!(!communicator.get("/inkorg").await.body.contains(&format!("/arende/{case}\"")));
}

#[tokio::test]
async fn one_unit_does_not_see_the_details_of_another() {
    let house = house().await;
    let case = house.case(Told { text: "Hål i vägen", unit: "gata", owner: OF_STREETS, ..Told::default() }).await;
    let mut browser = house.browser(OF_WATER).await;
    for path in
        [&format!("/arende/{case}"), "/inkorg?enhet=gata", "/uppfoljning?enhet=gata", "/uppfoljning.csv?enhet=gata"]
    {
        assert_eq!(browser.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(browser.post(&format!("/arende/{case}/ta"), &[]).await.status, StatusCode::FORBIDDEN);
    assert!(!browser.get("/inkorg").await.body.contains("Hål i vägen"));
    assert_eq!(house.row(case).await.owner.as_deref(), Some(OF_STREETS));
}

#[tokio::test]
async fn few_cases_are_not_told_and_many_are_with_the_open_ones_in_the_base() {
    let house = house().await;
    house.case(Told { unit: "gata", owner: OF_STREETS, ..Told::default() }).await;
    let mut water = house.browser(OF_WATER).await;
    for n in 0..6 {
        let case = house.case(Told::default()).await;
        house.pass(600);
        if n > 0 {
            let fields = [("svar", "Spola tills det är klart."), ("lank", "")];
            assert_eq!(water.post(&format!("/arende/{case}/svara"), &fields).await.status, StatusCode::SEE_OTHER);
        }
    }
    let mut chief = house.browser(CHIEF).await;
    let page = chief.get("/uppfoljning").await.body;
    assert!(page.contains("17\u{a0}%<span class=\"small muted\">1 av 6<"), "the open one is in the base");
    assert!(page.contains("för få för att visas (minst 5)"));
    assert!(!page.contains("Hilda"), "no figure is about one of the staff");
    let csv = chief.get("/uppfoljning.csv").await;
    assert!(csv.headers.get(header::CONTENT_TYPE).unwrap().to_str().unwrap().starts_with("text/csv"));
    assert!(csv.body.contains("färre än 5") && csv.body.contains(";6;1;10;"), "{}", csv.body);
}

#[tokio::test]
async fn a_person_binds_a_chat_with_a_code_that_works_once() {
    let house = house().await;
    let mut browser = house.browser(OF_WATER).await;
    let page = browser.post("/min-profil/kod", &[("rost", "telegram")]).await.body;
    let code = lyhord::chat::bind::Code::parse(between(&page, "class=\"code\">", "<").unwrap()).unwrap();
    let hash = code.hash(&house.app.secret);
    let mut tx = house.app.db.write().await.unwrap();
    let whose = lyhord::chat::store::use_code(&mut tx, &hash, "telegram", house.now()).await.unwrap();
    assert_eq!(whose.as_deref(), Some(OF_WATER));
    assert_eq!(lyhord::chat::store::use_code(&mut tx, &hash, "telegram", house.now()).await.unwrap(), None);
    lyhord::chat::store::bind_voice(&mut tx, OF_WATER, "telegram", "42", house.now()).await.unwrap();
    lyhord::chat::store::bind_voice(&mut tx, OF_WATER, "slack", "U1", house.now()).await.unwrap();
    let voices = lyhord::chat::store::voices(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    let slack = voices.iter().find(|voice| voice.voice == "slack").unwrap().id.to_string();
    let mut other = house.browser(OF_STREETS).await;
    let stolen = other.post("/min-profil/rost", &[("id", &slack), ("gor", "bort")]).await;
    assert_eq!(stolen.status, StatusCode::NOT_FOUND);
    let first = browser.post("/min-profil/rost", &[("id", &slack), ("gor", "upp")]).await;
    assert_eq!(first.status, StatusCode::SEE_OTHER);
    let mut tx = house.app.db.read().await.unwrap();
    assert_eq!(lyhord::chat::store::voices(&mut tx).await.unwrap()[0].voice, "slack");
}

#[tokio::test]
async fn a_person_says_when_she_is_away_and_when_she_wants_silence() {
    let house = house().await;
    let mut browser = house.browser(OF_WATER).await;
    let away = [("fran", "2026-11-24"), ("till", "2026-11-25"), ("ersattare", "")];
    assert_eq!(browser.post("/min-profil/franvaro", &away).await.status, StatusCode::SEE_OTHER);
    assert!(browser.get("/min-profil").await.body.contains("tisdag 24 november till onsdag 25 november"));
    let backwards = [("fran", "2026-11-25"), ("till", "2026-11-24")];
    let refused = browser.post("/min-profil/franvaro", &backwards).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let quiet = [("timmar", "4"), ("skal", "föräldramöte")];
    assert_eq!(browser.post("/min-profil/tyst", &quiet).await.status, StatusCode::SEE_OTHER);
    assert!(browser.get("/min-profil").await.body.contains("Tyst till 14.42: föräldramöte"));
}

#[tokio::test]
async fn machines_are_told_how_we_are_from_this_machine_or_with_the_token() {
    let house = house().await;
    house.case(Told::default()).await;
    let mut browser = house.stranger();
    assert_eq!(browser.get("/health/live").await.status, StatusCode::OK);
    assert_eq!(browser.get("/health/ready").await.status, StatusCode::OK);
    for (token, status) in [("fel", StatusCode::FORBIDDEN), ("matare", StatusCode::OK)] {
        let asked = Request::get("/metrics").header(header::AUTHORIZATION, format!("Bearer {token}"));
        assert_eq!(browser.send(asked.body(Body::empty()).unwrap()).await.status, status);
    }
    let from = |ip: [u8; 4]| axum::extract::ConnectInfo(std::net::SocketAddr::from((ip, 4242)));
    let asked = Request::get("/metrics").extension(from([127, 0, 0, 1]));
    let page = browser.send(asked.body(Body::empty()).unwrap()).await;
    assert!(page.body.contains("lyhord_cases_open 1\n") && page.body.contains("lyhord_sources{health=\"ok\"} 1\n"));
    let asked = Request::get("/metrics").extension(from([192, 0, 2, 1]));
    assert_eq!(browser.send(asked.body(Body::empty()).unwrap()).await.status, StatusCode::FORBIDDEN);
    let proxied = Request::get("/metrics").extension(from([127, 0, 0, 1])).header("x-forwarded-for", "1.2.3.4");
    let page = browser.send(proxied.body(Body::empty()).unwrap()).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "a proxy on this machine is not this machine");
}

#[tokio::test]
async fn the_inbox_turns_its_pages_without_losing_or_repeating_a_case() {
    let house = house().await;
    for _ in 0..85 {
        house.case(Told::default()).await;
    }
    let mut browser = house.browser(COMMUNICATOR).await;
    let (mut path, mut seen) = ("/inkorg".to_owned(), Vec::new());
    for _ in 0..9 {
        let page = browser.get(&path).await;
        assert!(page.body.len() < 60 * 1024, "{} bytes", page.body.len());
        let links = page.body.split("class=\"post\" href=\"").skip(1);
        seen.extend(links.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
        match between(&page.body, "class=\"more\"><a class=\"button\" href=\"", "\"") {
            Some(next) => path = next.replace("&#38;", "&").replace("&amp;", "&"),
            None => break,
        }
    }
    let all = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((all, seen.len()), (85, 85));
}
