//! The door, tried over and over: those who give wrong passwords wait, and those who give the right one make nobody wait.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use lyhord::app::App;
use lyhord::clock::Clock;
use lyhord::web::throttle::{FREE_PER_ACCOUNT, FREE_PER_ADDRESS};
use lyhord::web::{self, password, store};
use tower::ServiceExt as _;

use crate::harness::{Database, Engine, at, database};
use crate::pages::{OF_STREETS, OF_WATER};
use crate::running::config;

const PASSWORD: &str = "blåbär växer vid sjön";
const FORM: &str = "formens-hemlighet";
const OFFICE: &str = "192.0.2.7";
const HOME: &str = "198.51.100.9";

/// A service whose own proxy says where people come from.
struct Door {
    app: Arc<App>,
    _database: Database,
}

impl Door {
    async fn open() -> Self {
        let database = database(Engine::Sqlite);
        let service = "[municipality]\nname = \"Ale kommun\"\ncontact = \"x\"\nbase_url = \"http://localhost/\"\n\
                       [web]\ntrusted_proxy = true\n";
        let app = App::open(config(service, "", &database.address), Clock::manual(at(0, 10, 0))).await.unwrap();
        let mut tx = app.db.write().await.unwrap();
        for staff in [OF_WATER, OF_STREETS] {
            store::put_account(&mut tx, staff, at(0, 10, 0)).await.unwrap();
            store::set_password(&mut tx, staff, &password::hash(PASSWORD).unwrap()).await.unwrap();
        }
        tx.commit().await.unwrap();
        Self { app: Arc::new(app), _database: database }
    }

    fn pass(&self, seconds: u64) {
        self.app.clock.set(self.app.clock.now().plus(Duration::from_secs(seconds)));
    }

    /// Somebody at that address gives a name and a password.
    async fn tries(&self, from: &str, name: &str, password: &str) -> StatusCode {
        let fields = [("namn", name), ("losenord", password), ("csrf", FORM)];
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::builder()
            .method(Method::POST)
            .uri("/logga-in")
            .header(header::COOKIE, format!("lyhord-form={FORM}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("x-forwarded-for", from)
            .body(Body::from(body))
            .unwrap();
        web::router(Arc::clone(&self.app)).oneshot(request).await.unwrap().status()
    }
}

/// One that is too long to be anybody's, which the machine need not ponder.
fn wrong() -> String {
    "fel ".repeat(60)
}

#[tokio::test]
async fn an_address_waits_for_its_wrong_passwords_and_never_for_its_right_ones() {
    let door = Door::open().await;
    for n in 0..FREE_PER_ADDRESS {
        assert_eq!(door.tries(OFFICE, OF_WATER, PASSWORD).await, StatusCode::SEE_OTHER, "after {n} wrong ones");
        assert_eq!(door.tries(OFFICE, &format!("ingen-{n}"), &wrong()).await, StatusCode::UNAUTHORIZED, "{n}");
    }
    assert_eq!(door.tries(OFFICE, OF_WATER, PASSWORD).await, StatusCode::TOO_MANY_REQUESTS, "each wrong one counts");
    assert_eq!(door.tries(OFFICE, "ingen", &wrong()).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(door.tries(HOME, OF_WATER, PASSWORD).await, StatusCode::SEE_OTHER, "another address does not wait");
    door.pass(31);
    assert_eq!(door.tries(OFFICE, OF_WATER, PASSWORD).await, StatusCode::SEE_OTHER, "the wait is over");
}

#[tokio::test]
async fn an_account_that_waits_is_shut_for_the_right_password_too_from_wherever_it_comes() {
    let door = Door::open().await;
    for n in 0..FREE_PER_ACCOUNT {
        let from = format!("203.0.113.{n}");
        assert_eq!(door.tries(&from, OF_WATER, &wrong()).await, StatusCode::UNAUTHORIZED, "{n}");
    }
    assert_eq!(door.tries(HOME, OF_WATER, PASSWORD).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(door.tries("203.0.113.1", OF_STREETS, PASSWORD).await, StatusCode::SEE_OTHER, "others do not wait");
    door.pass(31);
    assert_eq!(door.tries(HOME, OF_WATER, PASSWORD).await, StatusCode::SEE_OTHER);
    assert_eq!(door.tries(HOME, OF_WATER, &wrong()).await, StatusCode::UNAUTHORIZED, "what was wrong is forgotten");
}
