//! The pages: how people see what waits, act on it and follow it up. One file a page, its HTML beside it.
//!
//! A page reads one unmoving picture of the database; an act is one write transaction that leaves a fact. Nothing here
//! sends anything or puts work in the queue.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};

use crate::app::App;
use crate::assignment::{Organisation, Role};
use crate::calendar::Calendars;
use crate::clock::Clock;
use crate::db::Db;

mod about;
pub mod access;
mod assets;
mod case;
mod case_acts;
mod case_desk;
mod case_posts;
mod case_tip;
mod chats;
mod desk_acts;
mod earlier;
mod events;
mod fault;
mod follow_up;
mod frame;
mod health;
mod history;
mod inbox;
mod journal_page;
mod judge_page;
mod judgement;
mod multipart;
mod my_voices;
mod organisation_page;
pub mod password;
mod plot;
mod press;
mod profile;
mod rushes;
pub mod secret;
mod sent;
pub mod sign_in;
mod situation;
mod sources;
pub mod store;
pub mod supervision;
pub mod throttle;
mod tips;
pub mod trial;
mod visitor;
mod watch_rules;
mod who_gets;
mod words;

pub use crate::classification::mask;
pub use fault::Fault;

/// What the pages are given. The only place in the room that reads [`App`].
#[derive(Debug, Clone)]
pub struct Site {
    db: Db,
    clock: Clock,
    municipality: String,
    base_url: String,
    trusted_proxy: bool,
    metrics_token: Option<crate::secret::Secret>,
    app: Arc<App>,
    hashing: Arc<tokio::sync::Semaphore>,
    listeners: Arc<tokio::sync::Semaphore>,
}

/// Passwords hashed at the same time: each takes 19 MiB and a core.
const HASHING_MAX: usize = 2;
/// Pages that listen for news at the same time: everyone in a large municipality who works with this, twice over.
const LISTENERS_MAX: usize = 1_000;

impl Site {
    fn of(app: Arc<App>) -> Self {
        Self {
            db: app.db.clone(),
            clock: app.clock.clone(),
            municipality: app.config.municipality.clone(),
            base_url: app.config.base_url.as_str().trim_end_matches('/').to_owned(),
            trusted_proxy: app.config.trusted_proxy,
            metrics_token: app.config.metrics_token.clone(),
            hashing: Arc::new(tokio::sync::Semaphore::new(HASHING_MAX)),
            listeners: Arc::new(tokio::sync::Semaphore::new(LISTENERS_MAX)),
            app,
        }
    }

    fn organisation(&self) -> Arc<Organisation> {
        Arc::clone(&self.app.config.organisation)
    }

    fn calendars(&self) -> Arc<Calendars> {
        Arc::clone(&self.app.config.calendars)
    }

    fn secure(&self) -> bool {
        self.base_url.starts_with("https://")
    }

    /// The name binds the cookie to this host and path where the line is encrypted.
    fn session_cookie(&self) -> &'static str {
        if self.secure() { "__Host-lyhord" } else { "lyhord" }
    }

    fn form_cookie(&self) -> &'static str {
        if self.secure() { "__Host-lyhord-form" } else { "lyhord-form" }
    }
}

/// All pages, behind one door.
pub fn router(app: Arc<App>) -> Router {
    let site = Site::of(app);
    Router::new()
        .route("/", get(home))
        .route("/logga-in", get(sign_in::show).post(sign_in::try_password))
        .route("/logga-in/lank/{token}", get(sign_in::show_link).post(sign_in::choose_password))
        .route("/logga-ut", post(sign_in::sign_out))
        .route("/inkorg", get(inbox::show))
        .route("/mina", get(inbox::mine))
        .route("/arende/{id}", get(case::show))
        .route("/arende/{id}/bild/{tip}", get(case_tip::picture))
        .route("/arende/{id}/ta", post(case_acts::take))
        .route("/arende/{id}/kvittera", post(case_acts::acknowledge))
        .route("/arende/{id}/lamna-over", post(desk_acts::hand_over))
        .route("/arende/{id}/senare", post(case_acts::snooze))
        .route("/arende/{id}/svara", post(case_acts::answer))
        .route("/arende/{id}/hanvisa", post(case_acts::refer))
        .route("/arende/{id}/avskriv", post(case_acts::dismiss))
        .route("/arende/{id}/ratta", post(judgement::put_right))
        .route("/arende/{id}/oppna", post(case_acts::reopen))
        .route("/arende/{id}/ja", post(desk_acts::accept))
        .route("/arende/{id}/nej", post(desk_acts::decline))
        .route("/arende/{id}/aterta", post(desk_acts::withdraw))
        .route("/arende/{id}/vantar", post(desk_acts::wait))
        .route("/arende/{id}/ordet", post(desk_acts::resume))
        .route("/arende/{id}/forsta-svar", post(desk_acts::first_reply))
        .route("/arende/{id}/deadline", post(desk_acts::deadline))
        .route("/arende/{id}/steg", post(desk_acts::step))
        .route("/arende/{id}/hot", post(desk_acts::threat))
        .route("/arende/{id}/flytta", post(desk_acts::move_on))
        .route("/laget", get(situation::show))
        .route("/laget/tyst", post(situation::silence))
        .route("/laget/hav", post(situation::lift))
        .route("/organisation", get(organisation_page::show))
        .route("/vem-far-det", get(who_gets::show).post(who_gets::answer))
        .route("/tips", get(tips::show).post(tips::tell))
        .route("/kallor", get(sources::show))
        .route("/kallor/uppsikt", get(supervision::show))
        .route("/kallor/uppsikt.csv", get(supervision::csv))
        .route("/kallor/{id}/las", post(sources::read_now))
        .route("/uppfoljning", get(follow_up::show))
        .route("/uppfoljning.csv", get(follow_up::csv))
        .route("/journal", get(journal_page::show))
        .route("/min-profil", get(profile::show))
        .route("/min-profil/kod", post(my_voices::make_code))
        .route("/min-profil/adress", post(my_voices::send_code))
        .route("/min-profil/bekrafta", post(my_voices::confirm))
        .route("/min-profil/rost", post(my_voices::act))
        .route("/min-profil/samlat", post(profile::gather))
        .route("/min-profil/franvaro", post(profile::absence))
        .route("/min-profil/tillbaka", post(profile::back_again))
        .route("/bevakning", get(watch_rules::show))
        .route("/bevakning/bedomaren", get(judge_page::show))
        .route("/bevakning/bedomaren/{id}", post(judge_page::appoint))
        .route("/min-profil/tyst", post(profile::silence))
        .route("/min-profil/ljud", post(profile::sound))
        .route("/chattar", get(chats::show))
        .route("/knapp/{token}", get(press::show).post(press::press))
        .route("/handelser", get(events::stream))
        .route("/sa-bevakar-vi", get(about::watching))
        .route("/tillganglighet", get(about::accessibility))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/lyhord.css", get(assets::css))
        .route("/lyhord.js", get(assets::js))
        .route("/robots.txt", get(assets::robots))
        .route_layer(from_fn_with_state(site.clone(), visitor::gate))
        .fallback(|| async { Fault::NotFound })
        .layer(from_fn(guard))
        .with_state(site)
}

/// The room a person begins in.
async fn home(axum::Extension(visitor): axum::Extension<visitor::Visitor>) -> Redirect {
    let reads = [Role::Communicator, Role::Staff, Role::Chief].iter().any(|role| visitor.person.is(*role));
    Redirect::to(if reads { "/inkorg" } else { "/kallor" })
}

/// What may run and load on our pages: our own stylesheet and module, nothing else, and no page around us.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What every answer says to the browser.
const SAID: &[(&str, &str)] = &[
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-robots-tag", "noindex"),
];

async fn guard(request: Request, next: Next) -> Response {
    // The letter NUL stands in no text of ours, and a database refuses to look for it.
    let nul = request.uri().path_and_query().is_some_and(|asked| asked.as_str().contains("%00"));
    let mut response = if nul { StatusCode::BAD_REQUEST.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    for (name, value) in SAID {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

fn page(template: &impl askama::Template) -> Result<Response, Fault> {
    Ok(Html(template.render()?).into_response())
}
