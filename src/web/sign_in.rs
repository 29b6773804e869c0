//! Signing in: a local account with a password, or a one-time link that leads to choosing one. The page says nothing
//! to a link preview, and looking at a link does not use it up.

use std::net::SocketAddr;
use std::time::Duration;

use askama::Template;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::fault::Fault;
use super::frame::{Frame, Notice, said};
use super::sent::{Form, Path, Query};
use super::visitor::{SESSION_LIFE, address, back, cookie};
use super::{Site, page, password, secret, store, throttle, words};
use crate::clock::Time;
use crate::db::Tx;
use crate::journal::{self, Fact};

/// How long a one-time link works: over a weekend.
pub const LINK_LIFE: Duration = Duration::from_hours(72);
/// Attempts that are read to find the wait; more than the strictest rule counts.
const ATTEMPTS_READ: i64 = 64;
/// Letters of a user name.
const NAME_MAX: usize = 200;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    frame: Frame,
    token: String,
    back: String,
    name: String,
}

#[derive(Template)]
#[template(path = "choose_password.html")]
struct Choose {
    frame: Frame,
    token: String,
    link: String,
    name: String,
    letters_min: usize,
}

/// Where to go after sign-in, and what was just said.
#[derive(Debug, serde::Deserialize)]
pub struct Came {
    till: Option<String>,
    sagt: Option<String>,
}

/// Makes a one-time link for a member of staff, opening her account when there is none; returns its path.
///
/// # Errors
/// What the database says.
pub async fn new_link(tx: &mut Tx, staff: &str, now: Time) -> sqlx::Result<String> {
    let token = secret::new();
    store::put_account(tx, staff, now).await?;
    store::put_link(tx, &secret::hash(&token), staff, now, now.plus(LINK_LIFE)).await?;
    Ok(format!("/logga-in/lank/{token}"))
}

pub(super) async fn show(
    State(site): State<Site>,
    Query(came): Query<Came>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    form(&site, &headers, said(came.sagt.as_deref()), came.till.as_deref().unwrap_or("/"), "")
}

fn form(site: &Site, headers: &HeaderMap, notice: Option<Notice>, till: &str, name: &str) -> Result<Response, Fault> {
    let token = form_token(site, headers);
    let frame = Frame::bare(site, "Logga in").saying(notice);
    let response = page(&SignIn { frame, token: token.clone(), back: back(till).to_owned(), name: name.to_owned() })?;
    Ok(with_cookie(response, &set_cookie(site, site.form_cookie(), &token, SESSION_LIFE)))
}

fn form_token(site: &Site, headers: &HeaderMap) -> String {
    cookie(headers, site.form_cookie()).map_or_else(secret::new, str::to_owned)
}

fn set_cookie(site: &Site, name: &str, value: &str, life: Duration) -> String {
    let secure = if site.secure() { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}", life.as_secs())
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

/// What the sign-in form sends.
#[derive(Debug, serde::Deserialize)]
pub struct Given {
    namn: String,
    losenord: String,
    till: Option<String>,
}

/// Whose account is meant: a staff key or a work address, whatever its case.
fn account_meant(site: &Site, name: &str, now: Time) -> String {
    let name: String = name.trim().to_lowercase().chars().take(NAME_MAX).collect();
    let organisation = site.organisation();
    let by_mail = organisation
        .staff
        .iter()
        .find(|staff| !staff.email.is_empty() && staff.period.holds(now) && staff.email.to_lowercase() == name);
    by_mail.map_or(name, |staff| staff.key.clone())
}

pub(super) async fn try_password(
    State(site): State<Site>,
    peer: Option<axum::Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    Form(given): Form<Given>,
) -> Result<Response, Fault> {
    let now = site.clock.now();
    let staff = account_meant(&site, &given.namn, now);
    let peer = peer.map(|axum::Extension(ConnectInfo(peer))| peer);
    let from = address(site.trusted_proxy, &headers, peer).map_or_else(String::new, |ip| ip.to_string());
    let subjects = [secret::hash(&format!("account:{staff}")), secret::hash(&format!("address:{from}"))];
    let till = given.till.as_deref().unwrap_or("/");

    let mut tx = site.db.write().await?;
    let account = store::account(&mut tx, &staff).await?;
    if let Some(until) = must_wait(&mut tx, &subjects, now).await? {
        drop(tx);
        tracing::warn!("a sign-in was turned away: too many wrong passwords");
        let text = format!(
            "För många försök. Av säkerhetsskäl kan du försöka igen {}. Har du glömt lösenordet, be om en ny inloggningslänk.",
            words::moment(until, now)
        );
        let response = form(&site, &headers, Some(Notice { tone: "bad", text }), till, &given.namn)?;
        return Ok((StatusCode::TOO_MANY_REQUESTS, response).into_response());
    }
    for subject in &subjects {
        store::put_attempt(&mut tx, subject, now).await?;
    }
    tx.commit().await?;

    let hash = account.filter(|account| !account.disabled).and_then(|account| account.password_hash);
    let right = verify(&site, given.losenord, hash).await?;
    if !right || site.organisation().staff_at(&staff, now).is_none() {
        let text = "Namnet och lösenordet hör inte ihop. Kontrollera stavningen och försök igen.".to_owned();
        let response = form(&site, &headers, Some(Notice { tone: "bad", text }), till, &given.namn)?;
        return Ok((StatusCode::UNAUTHORIZED, response).into_response());
    }
    let mut tx = site.db.write().await?;
    let [account, address] = &subjects;
    store::forget_attempts(&mut tx, account).await?;
    store::forget_attempt(&mut tx, address, now).await?;
    let response = open_session(&site, &mut tx, &headers, &staff, till, now).await?;
    tx.commit().await?;
    Ok(response)
}

async fn must_wait(tx: &mut Tx, subjects: &[String; 2], now: Time) -> Result<Option<Time>, Fault> {
    let since = now.minus(throttle::WINDOW);
    let [account, address] = subjects;
    let of_account = store::attempts(tx, account, since, ATTEMPTS_READ).await?;
    let of_address = store::attempts(tx, address, since, ATTEMPTS_READ).await?;
    let account = throttle::wait(&of_account, throttle::FREE_PER_ACCOUNT, now);
    Ok(account.max(throttle::wait(&of_address, throttle::FREE_PER_ADDRESS, now)))
}

async fn verify(site: &Site, given: String, hash: Option<String>) -> Result<bool, Fault> {
    let _turn = site.hashing.acquire().await.map_err(|_| Fault::TooMany)?;
    tokio::task::spawn_blocking(move || password::verify(&given, hash.as_deref()))
        .await
        .map_err(|fault| Fault::Own(fault.to_string()))
}

/// Signs a browser in under a new secret; the one it came with stops working.
async fn open_session(
    site: &Site,
    tx: &mut Tx,
    headers: &HeaderMap,
    staff: &str,
    till: &str,
    now: Time,
) -> Result<Response, Fault> {
    if let Some(old) = cookie(headers, site.session_cookie()) {
        store::end_session(tx, &secret::hash(old)).await?;
    }
    let (token, csrf) = (secret::new(), secret::new());
    store::put_session(tx, &secret::hash(&token), staff, &csrf, now, now.plus(SESSION_LIFE)).await?;
    let response = Redirect::to(back(till)).into_response();
    Ok(with_cookie(response, &set_cookie(site, site.session_cookie(), &token, SESSION_LIFE)))
}

pub(super) async fn sign_out(State(site): State<Site>, headers: HeaderMap) -> Result<Response, Fault> {
    if let Some(token) = cookie(&headers, site.session_cookie()) {
        let mut tx = site.db.write().await?;
        store::end_session(&mut tx, &secret::hash(token)).await?;
        tx.commit().await?;
    }
    let response = Redirect::to("/logga-in?sagt=utloggad").into_response();
    Ok(with_cookie(response, &set_cookie(&site, site.session_cookie(), "", Duration::ZERO)))
}

pub(super) async fn show_link(
    State(site): State<Site>,
    Path(link): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    choose_form(&site, &headers, &link, None).await
}

async fn choose_form(site: &Site, headers: &HeaderMap, link: &str, notice: Option<Notice>) -> Result<Response, Fault> {
    let now = site.clock.now();
    let mut tx = site.db.read().await?;
    let Some(staff) = store::link(&mut tx, &secret::hash(link), now).await? else {
        return form(site, headers, Some(spent()), "/", "");
    };
    let token = form_token(site, headers);
    let response = page(&Choose {
        frame: Frame::bare(site, "Välj lösenord").saying(notice),
        token: token.clone(),
        link: link.to_owned(),
        name: site.organisation().name_of_staff(&staff).to_owned(),
        letters_min: password::LETTERS_MIN,
    })?;
    Ok(with_cookie(response, &set_cookie(site, site.form_cookie(), &token, SESSION_LIFE)))
}

fn spent() -> Notice {
    let text = "Länken gäller inte längre. Den fungerar en gång och i tre dygn. Be den som sköter systemet om en ny.";
    Notice { tone: "bad", text: text.to_owned() }
}

/// What the form for a new password sends.
#[derive(Debug, serde::Deserialize)]
pub struct Chosen {
    losenord: String,
    igen: String,
}

pub(super) async fn choose_password(
    State(site): State<Site>,
    Path(link): Path<String>,
    headers: HeaderMap,
    Form(chosen): Form<Chosen>,
) -> Result<Response, Fault> {
    let now = site.clock.now();
    let hash = secret::hash(&link);
    let mut tx = site.db.read().await?;
    let Some(staff) = store::link(&mut tx, &hash, now).await? else {
        return form(&site, &headers, Some(spent()), "/", "");
    };
    drop(tx);
    if let Some(text) = password::fault(&chosen.losenord, &staff, &chosen.igen) {
        let response = choose_form(&site, &headers, &link, Some(Notice { tone: "bad", text })).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, response).into_response());
    }
    let turn = site.hashing.acquire().await.map_err(|_| Fault::TooMany)?;
    let kept = tokio::task::spawn_blocking(move || password::hash(&chosen.losenord))
        .await
        .map_err(|fault| Fault::Own(fault.to_string()))?
        .map_err(|fault| Fault::Own(fault.to_string()))?;
    drop(turn);
    let mut tx = site.db.write().await?;
    if store::use_link(&mut tx, &hash, now).await?.as_deref() != Some(staff.as_str()) {
        drop(tx);
        return form(&site, &headers, Some(spent()), "/", "");
    }
    store::set_password(&mut tx, &staff, &kept).await?;
    store::forget_attempts(&mut tx, &secret::hash(&format!("account:{staff}"))).await?;
    let response = open_session(&site, &mut tx, &headers, &staff, "/", now).await?;
    let fact = Fact {
        at: now,
        actor: staff,
        kind: "account.password_chosen",
        case: None,
        mention: None,
        body: serde_json::json!({}),
    };
    journal::append(&mut tx, &[fact]).await?;
    tx.commit().await?;
    Ok(response)
}
