//! Two people click *Jag tar det* in the same moment, each at a program of her own over one database: one of them has
//! the case.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lyhord::clock::Clock;
use lyhord::web::{secret, store};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, COOKIE};

use crate::harness::Engine;
use crate::kill::{Process, port};
use crate::pages::{House, NOW, OF_WATER, Told, house_on};

const ALSO_OF_WATER: &str = "sixten-prov";
const CASES: usize = 20;

/// `lyhord web` as a process of its own, listening on that port, its clock begun at [`NOW`].
fn web(folder: &Path, database: &str, port: u16) -> Process {
    let config = folder.join("config");
    if !config.exists() {
        std::fs::create_dir(&config).unwrap();
        for name in ["words.toml", "lexicon.toml", "organisation.toml"] {
            std::fs::copy(format!("{}/config/{name}", env!("CARGO_MANIFEST_DIR")), config.join(name)).unwrap();
        }
        let service =
            "[municipality]\nname = \"Ale kommun\"\ncontact = \"x@example.se\"\nbase_url = \"http://localhost/\"\n";
        std::fs::write(config.join("lyhord.toml"), service).unwrap();
        std::fs::write(config.join("sources.toml"), "").unwrap();
    }
    let child = Command::new(env!("CARGO_BIN_EXE_lyhord"))
        .arg("web")
        .env("LYHORD_CONFIG", config)
        .env("LYHORD_DATABASE", database)
        .env("LYHORD_LISTEN", format!("127.0.0.1:{port}"))
        .env("LYHORD_REHEARSE", format!("{}={NOW}x1", Clock::System.now()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < Duration::from_mins(1), "lyhord web did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    Process(child)
}

/// A person signed in at one of the programs.
struct Signed {
    client: reqwest::Client,
    port: u16,
    cookie: String,
    csrf: String,
}

impl Signed {
    async fn at(house: &House, port: u16, staff: &str) -> Self {
        let (token, csrf) = (secret::new(), secret::new());
        let mut tx = house.app.db.write().await.unwrap();
        store::put_account(&mut tx, staff, house.now()).await.unwrap();
        let until = house.now().plus(Duration::from_hours(12));
        store::put_session(&mut tx, &secret::hash(&token), staff, &csrf, house.now(), until).await.unwrap();
        tx.commit().await.unwrap();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { client, port, cookie: format!("lyhord={token}"), csrf }
    }

    /// Clicks *Jag tar det*; with the number of the page she saw, or without as a chat's button would.
    async fn takes(&self, case: &str, seen: Option<i64>) -> StatusCode {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("csrf", &self.csrf);
        if let Some(seen) = seen {
            form.append_pair("revision", &seen.to_string());
        }
        let url = format!("http://127.0.0.1:{}/arende/{case}/ta", self.port);
        let request = self.client.post(url).header(COOKIE, &self.cookie);
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.finish());
        request.send().await.unwrap().status()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_clicks_in_two_programs_exactly_one_takes_the_case() {
    let house = house_on(Engine::Postgres).await;
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (port(), port());
    let _programs =
        [web(folder.path(), &house.database.address, one), web(folder.path(), &house.database.address, two)];
    let hilda = Signed::at(&house, one, OF_WATER).await;
    let sixten = Signed::at(&house, two, ALSO_OF_WATER).await;
    for n in 0..CASES {
        let case = house.case(Told::default()).await;
        let seen = (n % 2 == 0).then_some(house.row(case).await.revision);
        let name = case.to_string();
        let (hers, his) = tokio::join!(hilda.takes(&name, seen), sixten.takes(&name, seen));
        let won = match (hers, his) {
            (StatusCode::SEE_OTHER, StatusCode::CONFLICT) => OF_WATER,
            (StatusCode::CONFLICT, StatusCode::SEE_OTHER) => ALSO_OF_WATER,
            both => panic!("case {n}: {both:?}"),
        };
        let row = house.row(case).await;
        assert_eq!((row.owner.as_deref(), row.state.as_str()), (Some(won), "accepted"));
    }
    let mut tx = house.app.db.read().await.unwrap();
    let taken: i64 = lyhord::on!(tx, c => sqlx::query_scalar("select count(*) from journal where kind = 'case.taken'")
        .fetch_one(c).await)
    .unwrap();
    assert_eq!(taken, i64::try_from(CASES).unwrap(), "each is told once");
    tx.commit().await.unwrap();
    house.app.db.close().await;
}
