//! One polite client for all that is read over HTTP.
//!
//! It says who it is, asks each host one thing at a time, follows redirects itself so that each step is checked, reads
//! no more than it can bear, and never leads a public source to an inner address. It answers with what the server
//! said; what that means for a source is decided elsewhere.

mod address;
mod call;
mod charset;
mod pace;
mod secure;
mod socket;

use std::error::Error as _;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use axum::body::Bytes;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Response, StatusCode, Url};
use tokio::time::timeout;

pub use self::call::{Call, Called, How};
pub use self::charset::text_of;
use self::pace::Pace;
pub use self::socket::{Dial, DialError, Frame, Socket};
use crate::clock::doubled;

/// The longest that a stream rests before it is opened again.
pub const REST_MAX: Duration = Duration::from_mins(1);

/// A host of feeds is asked every two seconds in the long run.
const PER_MINUTE: NonZeroU32 = NonZeroU32::new(30).unwrap();

/// Bounds of what we ask of others.
#[derive(Debug, Clone)]
pub struct Limits {
    /// To a connection, TLS included.
    pub connect: Duration,
    /// To the head of an answer, once asked.
    pub head: Duration,
    /// From one piece of a body to the next: a slow drip is a way to hold a reader.
    pub chunk: Duration,
    /// From one whole frame of a stream to the next, pings and answers to ours too.
    pub silent: Duration,
    /// For the whole, redirects and waiting for the host included.
    pub total: Duration,
    /// Longest wait for our turn at a host before somebody else should be read instead.
    pub turn: Duration,
    /// Questions that a host of feeds may get a minute in the long run.
    pub per_minute: NonZeroU32,
    /// Until a stream that has ended is opened again; twice as long after each try in vain.
    pub again: Duration,
    /// Bytes of a body after decompression.
    pub body_bytes: usize,
    /// Steps from the address asked for to the one that answers.
    pub redirects: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            head: Duration::from_secs(20),
            chunk: Duration::from_secs(15),
            silent: Duration::from_secs(90), // servers ping every half minute
            total: Duration::from_mins(1),
            turn: Duration::from_secs(20),
            per_minute: PER_MINUTE,
            again: Duration::from_secs(1),
            body_bytes: 10 * 1024 * 1024, // the largest feed seen in the wild is about 8 MB
            redirects: 5,                 // browsers allow 20; no feed needs more than 3
        }
    }
}

/// Where an address may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Only to the public internet, also after redirects and name look-up.
    Public,
    /// Anywhere: the operator has marked the source as her own.
    Local,
}

/// One question.
#[derive(Debug, Clone)]
pub struct Fetch<'a> {
    /// Where.
    pub url: &'a str,
    /// `ETag` of the copy we have.
    pub etag: Option<&'a str>,
    /// `Last-Modified` of the copy we have, as the server wrote it.
    pub last_modified: Option<&'a str>,
    /// Where it may lead.
    pub reach: Reach,
    /// What we can read, as an `Accept` header.
    pub accept: &'static str,
}

/// An answer, whatever its status.
#[derive(Debug, Clone, Default)]
pub struct Fetched {
    /// HTTP status of the last step.
    pub status: u16,
    /// True when our copy still holds (304).
    pub not_modified: bool,
    /// The address that answered.
    pub final_url: String,
    /// That address, when every step towards it was permanent (301, 308) and none left encryption.
    pub permanent_url: Option<String>,
    /// The body after decompression; empty unless the status is 2xx.
    pub body: Bytes,
    /// False when the body ended before its time.
    pub complete: bool,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Expires`.
    pub expires: Option<String>,
    /// `Retry-After`, seconds or a date, unread.
    pub retry_after: Option<String>,
    /// True when Cloudflare wants a browser (`cf-mitigated: challenge`).
    pub challenged: bool,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Not an http or https address with a host.
    #[error("not a web address: {0}")]
    Address(String),
    /// It leads to an inner address.
    #[error("refused address: {0}")]
    Refused(String),
    /// More steps than [`Limits::redirects`], or round in a ring.
    #[error("too many redirects")]
    Redirects,
    /// More bytes than [`Limits::body_bytes`].
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// Too slow; says at what.
    #[error("timed out: {0}")]
    TimedOut(&'static str),
    /// Our own turn at the host did not come; nothing was asked.
    #[error("the host is busy with our other questions")]
    Busy,
    /// The host has told us to wait (429) and still means it; nothing was asked.
    #[error("the host has asked us to wait")]
    Paused(Duration),
    /// No name, no connection, no TLS, or no HTTP.
    #[error("unreachable: {0}")]
    Unreachable(String),
}

impl FetchError {
    /// Why no connection came about or held, as a person reads it on *Källor*; what the network library said is in the log.
    #[must_use]
    pub fn swedish(&self) -> &'static str {
        let text = match self {
            Self::TimedOut("the connection") => return "servern svarade inte på anropet i tid",
            Self::TimedOut("the head of the answer") => return "servern tog emot frågan men svarade inte i tid",
            Self::TimedOut("the next piece of the body") => return "svaret stannade av på vägen",
            Self::TimedOut(_) => return "det tog för lång tid",
            Self::Busy | Self::Paused(_) => return "det är inte vår tur än",
            Self::Refused(_) => return "den leder till en adress på ett inre nät",
            Self::Address(_) => return "den är ingen webbadress, eller skickar oss vidare",
            Self::Redirects => return "den skickar oss runt i en ring",
            Self::TooLarge(_) => return "svaret är för stort",
            Self::Unreachable(text) => text.to_lowercase(),
        };
        let says = |any: &[&str]| any.iter().any(|word| text.contains(word));
        if says(&["refused"]) {
            "servern tar inte emot anslutningar på den porten"
        } else if says(&["certificate", "tls", "handshake", "corrupt message"]) {
            "servern visar inget giltigt certifikat"
        } else if says(&["dns", "lookup", "name or service", "nodename", "name resolution", "no address"]) {
            "servernamnet går inte att slå upp"
        } else if says(&["reset", "broken pipe", "closed", "eof", "incomplete"]) {
            "förbindelsen bröts"
        } else if says(&["network is unreachable", "no route", "host is unreachable"]) {
            "nätet dit är nere"
        } else {
            "förbindelsen fungerade inte"
        }
    }
}

/// The client: cheap to share behind an `Arc`, one a process.
#[derive(Debug)]
pub struct Client {
    public: reqwest::Client,
    local: reqwest::Client,
    judge: address::Judge,
    pace: Pace,
    paces: call::Paces,
    agent: HeaderValue,
    limits: Limits,
}

impl Client {
    /// A client that calls itself `Lyhord/<version> (+<contact>)`; `contact` is a web address or a mail address where
    /// somebody answers for what it does.
    ///
    /// # Errors
    /// When the contact holds characters that no header may hold, or TLS has no roots.
    pub fn new(contact: &str, limits: Limits) -> Result<Self, FetchError> {
        Self::judged(contact, limits, address::is_public)
    }

    fn judged(contact: &str, limits: Limits, judge: address::Judge) -> Result<Self, FetchError> {
        let agent = HeaderValue::from_str(&format!("Lyhord/{} (+{contact})", env!("CARGO_PKG_VERSION")))
            .map_err(|_| FetchError::Address(contact.to_owned()))?;
        let builder = || {
            reqwest::Client::builder()
                .user_agent(agent.clone())
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(limits.connect)
                .pool_idle_timeout(Duration::from_secs(30))
                .pool_max_idle_per_host(1)
                .no_proxy() // a proxy would look up the name itself and call what was never checked
        };
        let resolver = std::sync::Arc::new(address::Resolver { public: judge });
        Ok(Self {
            public: builder().dns_resolver(resolver).build().map_err(unreachable)?,
            local: builder().build().map_err(unreachable)?,
            judge,
            pace: Pace::new(limits.turn, limits.per_minute),
            paces: call::Paces::new(),
            agent,
            limits,
        })
    }

    /// How long a stream rests that has ended so many times, one after the other: a second, doubled to a minute.
    #[must_use]
    pub fn rest(&self, failures: u32) -> Duration {
        doubled(self.limits.again, failures.saturating_sub(1), REST_MAX)
    }

    /// Asks, follows, reads.
    ///
    /// # Errors
    /// When there is no whole answer; an answer with an error status is an answer.
    pub async fn fetch(&self, fetch: &Fetch<'_>) -> Result<Fetched, FetchError> {
        timeout(self.limits.total, self.follow(fetch)).await.unwrap_or(Err(FetchError::TimedOut("the whole")))
    }

    /// Posts JSON once to an address of our own, with these headers; tells the status.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn hand_in(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        json: &'static [u8],
    ) -> Result<u16, FetchError> {
        let url = Url::parse(url).map_err(|_| FetchError::Address(url.to_owned()))?;
        self.checked(&url, Reach::Local)?;
        let mut request = self.local.post(url).header(header::CONTENT_TYPE, "application/json").body(json);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        match timeout(self.limits.total, request.send()).await {
            Err(_) => Err(FetchError::TimedOut("the head of the answer")),
            Ok(answer) => Ok(answer.map_err(unreachable)?.status().as_u16()),
        }
    }

    async fn follow(&self, fetch: &Fetch<'_>) -> Result<Fetched, FetchError> {
        let mut url = Url::parse(fetch.url).map_err(|_| FetchError::Address(fetch.url.to_owned()))?;
        let mut permanent = true;
        for step in 0..=self.limits.redirects {
            let host = self.checked(&url, fetch.reach)?;
            let _turn = self.pace.turn(&host).await?;
            let response = self.ask(&url, fetch).await?;
            let Some(next) = redirect(&response, &url)? else {
                let moved = (step > 0 && permanent).then(|| url.to_string());
                if fetch.reach == Reach::Public && response.status() == StatusCode::TOO_MANY_REQUESTS {
                    self.pace.pause(&host, pace::seconds(value(response.headers(), header::RETRY_AFTER).as_deref()));
                }
                return self.read(response, &url, moved).await;
            };
            let kept = !(url.scheme() == "https" && next.scheme() == "http");
            permanent &= kept && matches!(response.status().as_u16(), 301 | 308);
            url = next;
        }
        Err(FetchError::Redirects)
    }

    /// The host and port to be asked, when the address is one that we call.
    fn checked(&self, url: &Url, reach: Reach) -> Result<String, FetchError> {
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(FetchError::Address(without_secrets(url)));
        }
        let literal: Option<IpAddr> = match url.host() {
            Some(url::Host::Ipv4(v4)) => Some(v4.into()),
            Some(url::Host::Ipv6(v6)) => Some(v6.into()),
            _ => None,
        };
        if reach == Reach::Public && literal.is_some_and(|address| !(self.judge)(address)) {
            return Err(FetchError::Refused(without_secrets(url)));
        }
        Ok(format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default()))
    }

    async fn ask(&self, url: &Url, fetch: &Fetch<'_>) -> Result<Response, FetchError> {
        let client = if fetch.reach == Reach::Local { &self.local } else { &self.public };
        let mut request = client.get(url.clone()).header(header::ACCEPT, fetch.accept);
        if let Some(etag) = fetch.etag {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        if let Some(date) = fetch.last_modified {
            request = request.header(header::IF_MODIFIED_SINCE, date);
        }
        match timeout(self.limits.connect + self.limits.head, request.send()).await {
            Err(_) => Err(FetchError::TimedOut("the head of the answer")),
            Ok(answer) => answer.map_err(unreachable),
        }
    }

    async fn read(&self, response: Response, url: &Url, moved: Option<String>) -> Result<Fetched, FetchError> {
        let status = response.status();
        let headers = response.headers();
        let mut fetched = Fetched {
            status: status.as_u16(),
            not_modified: status == StatusCode::NOT_MODIFIED,
            final_url: url.to_string(),
            permanent_url: moved,
            complete: true,
            content_type: value(headers, header::CONTENT_TYPE),
            etag: value(headers, header::ETAG),
            last_modified: value(headers, header::LAST_MODIFIED),
            cache_control: value(headers, header::CACHE_CONTROL),
            expires: value(headers, header::EXPIRES),
            retry_after: value(headers, header::RETRY_AFTER),
            challenged: headers.get("cf-mitigated").is_some_and(|value| value == "challenge"),
            body: Bytes::new(),
        };
        if status.is_success() {
            (fetched.body, fetched.complete) = self.body(response).await?;
        }
        Ok(fetched)
    }

    /// The body and whether it is whole. What came before a broken end is kept: half a feed has whole items in it.
    async fn body(&self, mut response: Response) -> Result<(Bytes, bool), FetchError> {
        let mut body = Pile { bytes: Vec::new(), cap: self.limits.body_bytes };
        loop {
            let chunk = match timeout(self.limits.chunk, response.chunk()).await {
                Err(_) => return Err(FetchError::TimedOut("the next piece of the body")),
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => return Ok((body.bytes.into(), true)),
                Ok(Err(_)) if !body.bytes.is_empty() => return Ok((body.bytes.into(), false)),
                Ok(Err(fault)) => return Err(unreachable(fault)),
            };
            body.take(&chunk)?;
        }
    }
}

/// A body while it is read: it never holds more than the cap, nor room for more.
struct Pile {
    bytes: Vec<u8>,
    cap: usize,
}

impl Pile {
    fn take(&mut self, chunk: &[u8]) -> Result<(), FetchError> {
        let needed = self.bytes.len() + chunk.len();
        if needed > self.cap {
            return Err(FetchError::TooLarge(self.cap));
        }
        if needed > self.bytes.capacity() {
            // Doubled as a Vec would, but never beyond the cap.
            self.bytes.reserve_exact((self.bytes.capacity() * 2).clamp(needed, self.cap) - self.bytes.len());
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }
}

/// Where the answer sends us, when it does.
fn redirect(response: &Response, from: &Url) -> Result<Option<Url>, FetchError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = value(response.headers(), header::LOCATION) else { return Ok(None) };
    let mut next = from.join(&location).map_err(|_| FetchError::Address("a redirect to no address".to_owned()))?;
    next.set_fragment(None);
    if next == *from {
        return Err(FetchError::Redirects);
    }
    Ok(Some(next))
}

fn value(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
}

/// Scheme, host and path: what an error may say of an address that may carry a password or a token.
fn without_secrets(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

/// The innermost cause, which is the one that says something, without the address.
fn unreachable(fault: reqwest::Error) -> FetchError {
    let fault = fault.without_url();
    let mut cause = fault.source();
    let mut last = fault.to_string();
    // Chains are some six deep; the bound is for one that would bite its own tail.
    for _ in 0..16 {
        let Some(inner) = cause else { break };
        if inner.is::<address::Refused>() {
            return FetchError::Refused(inner.to_string());
        }
        last = inner.to_string();
        cause = inner.source();
    }
    tracing::debug!("no connection: {last}");
    if fault.is_timeout() { FetchError::TimedOut("the connection") } else { FetchError::Unreachable(last) }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
