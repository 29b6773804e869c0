//! The door: who comes, whether she may, and whether a form is our own. Every request passes here.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use super::access::{Person, Who, lets_in, who};
use super::fault::Fault;
use super::{Site, multipart, secret, store, tips};
use crate::clock::Time;

/// How long a session lives at most: a working day with overtime.
pub const SESSION_LIFE: Duration = Duration::from_hours(12);
/// How long a session lives unused: a long lunch and a meeting.
pub const SESSION_IDLE: Duration = Duration::from_hours(4);
/// How often it is noted that a session was used; each note is a write.
const SEEN_EVERY: Duration = Duration::from_mins(5);
/// A form at most: the longest answer is 10 000 letters, which in a form can be six bytes each.
pub const FORM_BYTES_MAX: usize = 96 * 1024;
/// Letters of an address to come back to after sign-in.
const BACK_MAX: usize = 200;

/// One who is signed in.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Who, and what she may.
    pub person: Person,
    /// What her forms must carry.
    pub csrf: String,
    /// The moment of this request; every decision of the request is made at it.
    pub now: Time,
}

/// The secret of the cookie with that name, when there is one.
#[must_use]
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
        .filter(|value| !value.is_empty() && value.len() <= 100)
}

/// Where the request comes from: what our own proxy says, else the other end of the line.
#[must_use]
pub fn address(trusted_proxy: bool, headers: &HeaderMap, peer: Option<SocketAddr>) -> Option<IpAddr> {
    let forwarded = || {
        let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
        last.rsplit(',').next()?.trim().parse().ok()
    };
    let peer = peer.map(|peer| peer.ip());
    if trusted_proxy { forwarded().or(peer) } else { peer }
}

/// The address to go to after sign-in: a path of our own, never another site.
#[must_use]
pub fn back(path: &str) -> &str {
    let own = path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= BACK_MAX
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if own { path } else { "/" }
}

/// Lets a request in, with the [`Visitor`] in its extensions when somebody is signed in, or turns it away.
pub async fn gate(State(site): State<Site>, request: Request, next: Next) -> Response {
    match admit(&site, request).await {
        Ok(Admitted::In(request)) => next.run(*request).await,
        Ok(Admitted::ToSignIn(back)) => Redirect::to(&back).into_response(),
        Err(fault) => fault.into_response(),
    }
}

enum Admitted {
    In(Box<Request>),
    ToSignIn(String),
}

async fn admit(site: &Site, mut request: Request) -> Result<Admitted, Fault> {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let allowed = path.as_deref().and_then(|path| who(request.method(), path)).ok_or(Fault::NotFound)?;
    let now = site.clock.now();
    if allowed == Who::Measurer {
        let allowed = measurer(site, &request);
        return if allowed { Ok(Admitted::In(Box::new(request))) } else { Err(Fault::Forbidden) };
    }
    let visitor = visitor(site, request.headers(), now).await?;
    match (&visitor, allowed) {
        (_, Who::Everyone) => {}
        (None, _) => {
            let from = request.uri().path_and_query().map_or("/", |path| path.as_str());
            let from = if request.method() == Method::GET { back(from) } else { "/" };
            let query: String = url::form_urlencoded::byte_serialize(from.as_bytes()).collect();
            return Ok(Admitted::ToSignIn(format!("/logga-in?till={query}")));
        }
        (Some(visitor), allowed) => {
            if !lets_in(allowed, &visitor.person.roles) {
                return Err(Fault::Forbidden);
            }
        }
    }
    if request.method() == Method::POST {
        let expected = match &visitor {
            Some(visitor) => visitor.csrf.clone(),
            None => cookie(request.headers(), site.form_cookie()).unwrap_or_default().to_owned(),
        };
        // Only where a picture may come is so much read, and only from one who is signed in.
        let most = if path.as_deref() == Some(tips::PATH) { tips::FORM_MAX } else { FORM_BYTES_MAX };
        request = own_form(request, &expected, most).await?;
    }
    if let Some(visitor) = visitor {
        request.extensions_mut().insert(visitor);
    }
    Ok(Admitted::In(Box::new(request)))
}

/// True for this machine itself and for one who shows the token.
fn measurer(site: &Site, request: &Request) -> bool {
    let shown = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    if let (Some(token), Some(shown)) = (site.metrics_token.as_deref(), shown) {
        return secret::same(shown, token);
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
    let behind_proxy = request.headers().contains_key("x-forwarded-for");
    !behind_proxy && peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback())
}

/// Reads a form, demands its secret, and hands the request on as it was.
async fn own_form(request: Request, expected: &str, most: usize) -> Result<Request, Fault> {
    let (parts, body) = request.into_parts();
    let bytes: Bytes = axum::body::to_bytes(body, most).await.map_err(|_| Fault::TooLarge)?;
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let given = match multipart::boundary(kind) {
        Some(boundary) => multipart::field(bytes.clone(), &boundary, "csrf").await,
        None => url::form_urlencoded::parse(&bytes).find(|(key, _)| key == "csrf").map(|(_, value)| value.into_owned()),
    };
    if !given.is_some_and(|given| secret::same(&given, expected)) {
        return Err(Fault::Forged);
    }
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

/// Who has this browser, when she still works here and her session still holds.
async fn visitor(site: &Site, headers: &HeaderMap, now: Time) -> Result<Option<Visitor>, Fault> {
    let Some(token) = cookie(headers, site.session_cookie()) else { return Ok(None) };
    let hash = secret::hash(token);
    let mut tx = site.db.read().await?;
    let Some(session) = store::session(&mut tx, &hash, now, now.minus(SESSION_IDLE)).await? else { return Ok(None) };
    drop(tx);
    let organisation = site.organisation();
    let Some(person) = Person::of(&organisation, &session.staff, now) else { return Ok(None) };
    if now.since(session.seen_at) >= SEEN_EVERY {
        let mut tx = site.db.write().await?;
        store::session_seen(&mut tx, &hash, now).await?;
        tx.commit().await?;
    }
    Ok(Some(Visitor { person, csrf: session.csrf, now }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_comes_back_only_to_our_own_pages() {
        assert_eq!(back("/arende/12?visa=1"), "/arende/12?visa=1");
        for elsewhere in ["https://example.org", "//example.org", "/\\example.org", "inkorg", "", "/a b", "/\r\nx: y"] {
            assert_eq!(back(elsewhere), "/", "{elsewhere}");
        }
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "xlyhord=1; lyhord=abc; other=2".parse().unwrap());
        assert_eq!(cookie(&headers, "lyhord"), Some("abc"));
        assert_eq!(cookie(&headers, "ord"), None);
    }

    #[test]
    fn only_our_own_proxy_may_say_who_calls() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "1.2.3.4, 198.51.100.7".parse().unwrap());
        let peer = Some("10.0.0.1:999".parse().unwrap());
        assert_eq!(address(false, &headers, peer), Some("10.0.0.1".parse().unwrap()));
        assert_eq!(address(true, &headers, peer), Some("198.51.100.7".parse().unwrap()));
    }
}
