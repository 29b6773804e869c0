//! Absences read from a calendar: politely, and so that nobody learns more than that somebody is away.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use lyhord::assignment::{self, absence_feed_store};

use crate::desk::{Desk, Matter};
use crate::fake_feed::serve;
use crate::harness::{ENGINES, Engine, at};

/// What only the feed's address holds.
const SECRET: &str = "hemlig-7f3a9c";

/// A calendar on a server of our own, and how it has been asked.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    events: Vec<(String, String)>,
    version: u32,
    whole: usize,
    unchanged: usize,
    fails: Option<(u16, Option<&'static str>)>,
}

impl Server {
    fn says(&self, events: &[(&str, &str)]) {
        let mut state = self.0.lock().unwrap();
        state.events = events.iter().map(|(from, until)| ((*from).to_owned(), (*until).to_owned())).collect();
        state.version += 1;
    }

    fn fails(&self, status: Option<(u16, Option<&'static str>)>) {
        self.0.lock().unwrap().fails = status;
    }

    fn asked(&self) -> (usize, usize) {
        let state = self.0.lock().unwrap();
        (state.whole, state.unchanged)
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let mut state = self.0.lock().unwrap();
        if let Some((status, wait)) = state.fails {
            let mut response = StatusCode::from_u16(status).unwrap().into_response();
            if let Some(wait) = wait {
                response.headers_mut().insert(header::RETRY_AFTER, wait.parse().unwrap());
            }
            return response;
        }
        let tag = format!("\"v{}\"", state.version);
        if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known == tag.as_str()) {
            state.unchanged += 1;
            return StatusCode::NOT_MODIFIED.into_response();
        }
        state.whole += 1;
        let mut text = String::from("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n");
        for (n, (from, until)) in state.events.iter().enumerate() {
            let _ = write!(
                text,
                "BEGIN:VEVENT\r\nUID:{n}\r\nSUMMARY:Psykologen i Nol\r\nDTSTART;TZID=Europe/Stockholm:{from}\r\n\
                 DTEND;TZID=Europe/Stockholm:{until}\r\nEND:VEVENT\r\n"
            );
        }
        text += "END:VCALENDAR\r\n";
        ([(header::ETAG, tag), (header::CONTENT_TYPE, "text/calendar".to_owned())], text).into_response()
    }
}

async fn stage(engine: Engine, server: &Server) -> (Desk, String) {
    let answers = server.clone();
    let app = Router::new().route("/{secret}", get(move |headers: HeaderMap| async move { answers.answer(&headers) }));
    let address = format!("http://{}/{SECRET}.ics", serve(app).await);
    let feed = address.clone();
    let desk = Desk::open(engine, at(0, 9, 0), |config| {
        let organisation = Arc::make_mut(&mut config.organisation);
        organisation.rules.local_feeds = true;
        let staff = organisation.staff.iter_mut().find(|staff| staff.key == "sixten-prov").unwrap();
        staff.absence_feed = Some(feed.as_str().into());
    })
    .await;
    (desk, address)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absence_in_her_calendar_sends_her_cases_to_others() {
    for engine in ENGINES {
        let server = Server::default();
        server.says(&[("20261123T110000", "20261126T000000")]);
        let (mut desk, _) = stage(engine, &server).await;
        let id = desk.opens(Matter::default()).await;
        assert_eq!(desk.row(id).await.owner.as_deref(), Some("sixten-prov"));
        desk.until(at(0, 10, 45)).await;
        let (whole, unchanged) = server.asked();
        assert_eq!(whole, 1, "the calendar is sent once and then only asked about");
        assert!(unchanged >= 2, "{unchanged}");
        desk.until(at(0, 11, 0)).await;
        assert_eq!(desk.row(id).await.owner.as_deref(), Some("hilda-pahittfors"));
        // She is back sooner than was said: the calendar says so, and the absence ends.
        server.says(&[("20261123T110000", "20261123T150000")]);
        desk.until(at(0, 12, 0)).await;
        let mut tx = desk.running.app.db.read().await.unwrap();
        let told = assignment::store::told_by_feed(&mut tx, "sixten-prov", desk.now()).await.unwrap();
        assert_eq!(told.iter().map(|(_, _, until)| *until).collect::<Vec<_>>(), [at(0, 15, 0)]);
        drop(tx);
        server.says(&[]);
        desk.until(at(0, 13, 0)).await;
        let mut tx = desk.running.app.db.read().await.unwrap();
        assert_eq!(assignment::store::told_by_feed(&mut tx, "sixten-prov", desk.now()).await.unwrap(), []);
        drop(tx);
        desk.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_fails_is_asked_more_seldom_and_its_address_is_told_to_nobody() {
    for engine in ENGINES {
        let server = Server::default();
        server.fails(Some((503, Some("7200"))));
        let (desk, address) = stage(engine, &server).await;
        desk.running.until(at(0, 9, 0)).await;
        let read = async |desk: &Desk| {
            let mut tx = desk.running.app.db.read().await.unwrap();
            absence_feed_store::feeds(&mut tx).await.unwrap().remove(0)
        };
        let row = read(&desk).await;
        assert_eq!((row.failures, row.why.as_str()), (1, "Servern svarade med fel 503."));
        assert_eq!(row.next_poll_at, at(0, 11, 0), "as long as the server asks for");
        server.fails(Some((401, None)));
        desk.running.until(at(0, 11, 0)).await;
        let row = read(&desk).await;
        assert_eq!((row.failures, row.why.as_str()), (2, "Adressen gäller inte längre: dela kalendern på nytt."));
        assert_eq!(row.next_poll_at, at(0, 11, 0).plus(Duration::from_hours(2)));
        server.fails(None);
        server.says(&[("20261124T080000", "20261126T000000")]);
        desk.running.until(at(0, 13, 0)).await;
        assert_eq!(read(&desk).await.failures, 0);
        assert!(address.contains(SECRET));
        for sql in [
            "select count(*) from journal where body like '%hemlig-7f3a9c%' or body like '%Psykolog%'",
            "select count(*) from absence_feeds where why like '%hemlig%' or address_hash like '%hemlig%'",
            "select count(*) from absences where coalesce(reason, '') <> ''",
        ] {
            assert_eq!(desk.number(sql).await, 0, "{sql}");
        }
        let text = format!("{:?}", desk.running.app);
        assert!(!text.contains(SECRET), "{text}");
        desk.stop().await;
    }
}
