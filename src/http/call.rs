//! One question to an interface: with a key, at a pace that its host, our account and the very endpoint can bear, and
//! without following anybody elsewhere (a key is sent where it belongs and nowhere else).

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use governor::{DefaultKeyedRateLimiter, Jitter, Quota};
use reqwest::header::{self, HeaderMap};
use reqwest::{Method, Url};
use tokio::time::timeout;

use super::{Client, FetchError, Reach, unreachable, value, without_secrets};
use crate::clock::Time;

/// A host gets at most one question a second in the long run: Mastodon allows 300 in five minutes an address, Bluesky ten
/// times that.
const HOST_PER_MINUTE: NonZeroU32 = NonZeroU32::new(60).unwrap();
/// So does an account, whatever machine it asks from.
const ACCOUNT_PER_MINUTE: NonZeroU32 = NonZeroU32::new(50).unwrap();
/// And one endpoint half of that, so that no reader starves the others.
const ENDPOINT_PER_MINUTE: NonZeroU32 = NonZeroU32::new(30).unwrap();
/// What may be asked at once before the paces begin: a reading is a handful of questions.
const BURST: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// Added to each wait, so that those who wait do not all go at once.
const JITTER: Duration = Duration::from_millis(200);
/// Keys remembered before the idle ones are forgotten.
const KEYS: usize = 4_096;
/// The longest rest that a server can ask for; whoever wants more can say so again.
const REST_MAX: Duration = Duration::from_hours(24);

/// How something is asked.
#[derive(Debug, Clone, Copy)]
pub enum How<'a> {
    /// To read.
    Get,
    /// To do, with nothing in hand. Some servers refuse even an empty object.
    PostNothing,
    /// To do, with this.
    Post(&'a serde_json::Value),
    /// To do, with these fields of a form.
    Form(&'a [(&'a str, &'a str)]),
}

/// A question.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// Where, with its query.
    pub url: Url,
    /// How.
    pub how: How<'a>,
    /// Who we are there: a token that nothing shows.
    pub bearer: Option<&'a str>,
    /// Through whom our server is to ask it (`atproto-proxy`); as it does when there is none.
    pub proxy: Option<&'a str>,
    /// Where it may lead.
    pub reach: Reach,
    /// Our account's key, or nothing.
    pub account: &'a str,
    /// Which endpoint, without what differs from call to call.
    pub endpoint: &'a str,
}

/// An answer, whatever its status.
#[derive(Debug, Clone, Default)]
pub struct Called {
    /// HTTP status.
    pub status: u16,
    /// The body, of an error too.
    pub body: Bytes,
    /// False when the body ended before its time.
    pub complete: bool,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// How long the server wants to be left in peace: by `Retry-After`, or because what we may ask is used up.
    pub rest: Option<Duration>,
}

/// How often what may be asked.
#[derive(Debug)]
pub(super) struct Paces {
    hosts: DefaultKeyedRateLimiter<String>,
    accounts: DefaultKeyedRateLimiter<String>,
    endpoints: DefaultKeyedRateLimiter<String>,
    /// Until when an account at a host rests, in told time.
    rests: Mutex<HashMap<String, Time>>,
}

impl Paces {
    pub(super) fn new() -> Self {
        let paced = |per_minute| DefaultKeyedRateLimiter::keyed(Quota::per_minute(per_minute).allow_burst(BURST));
        Self {
            hosts: paced(HOST_PER_MINUTE),
            accounts: paced(ACCOUNT_PER_MINUTE),
            endpoints: paced(ENDPOINT_PER_MINUTE),
            rests: Mutex::default(),
        }
    }

    fn resting(&self, host: &str, account: &str, now: Time) -> Option<Duration> {
        let rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        rests.get(&format!("{host} {account}")).filter(|until| **until > now).map(|until| until.since(now))
    }

    fn rest(&self, host: &str, account: &str, until: Time, now: Time) {
        let mut rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        if rests.len() >= KEYS {
            rests.retain(|_, until| *until > now);
        }
        rests.insert(format!("{host} {account}"), until);
    }

    async fn turn(&self, host: &str, account: &str, endpoint: &str) {
        let jitter = || Jitter::up_to(JITTER);
        let (of_account, of_endpoint) = (format!("{host} {account}"), format!("{host} {account} {endpoint}"));
        for (pace, key) in
            [(&self.endpoints, of_endpoint), (&self.accounts, of_account), (&self.hosts, host.to_owned())]
        {
            if pace.len() > KEYS {
                pace.retain_recent();
            }
            pace.until_key_ready_with_jitter(&key, jitter()).await;
        }
    }
}

impl Client {
    /// Asks once, in its turn, and reads the answer whole. `now` is what dates in the answer are held against.
    ///
    /// # Errors
    /// When there is no answer; one with an error status is an answer.
    pub async fn call(&self, call: &Call<'_>, now: Time) -> Result<Called, FetchError> {
        let host = self.checked(&call.url, call.reach)?;
        self.turn(&host, call.account, call.endpoint, now).await?;
        let answer = timeout(self.limits.total, self.call_now(call, now)).await;
        let called = answer.unwrap_or(Err(FetchError::TimedOut("the whole")))?;
        if let Some(rest) = called.rest {
            self.leave_in_peace(&host, call.account, rest, now);
        }
        Ok(called)
    }

    /// Waits for the turn of an account at a host; nothing is asked while the host wants to be left in peace.
    pub(super) async fn turn(&self, host: &str, account: &str, endpoint: &str, now: Time) -> Result<(), FetchError> {
        if let Some(left) = self.paces.resting(host, account, now) {
            return Err(FetchError::Paused(left));
        }
        let turn = timeout(self.limits.turn, self.paces.turn(host, account, endpoint)).await;
        turn.map_err(|_| FetchError::Busy)
    }

    /// Asks a host for nothing more on behalf of an account for a while.
    pub(super) fn leave_in_peace(&self, host: &str, account: &str, rest: Duration, now: Time) {
        self.paces.rest(host, account, now.plus(rest), now);
    }

    async fn call_now(&self, call: &Call<'_>, now: Time) -> Result<Called, FetchError> {
        let client = if call.reach == Reach::Local { &self.local } else { &self.public };
        let method = if matches!(call.how, How::Get) { Method::GET } else { Method::POST };
        let mut request = client.request(method, call.url.clone()).header(header::ACCEPT, "application/json");
        if let Some(bearer) = call.bearer {
            request = request.bearer_auth(bearer);
        }
        if let Some(proxy) = call.proxy {
            request = request.header("atproto-proxy", proxy);
        }
        request = match call.how {
            How::Get => request,
            How::PostNothing => request.header(header::CONTENT_LENGTH, 0),
            How::Post(json) => request.header(header::CONTENT_TYPE, "application/json").body(json.to_string()),
            How::Form(fields) => request
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()),
        };
        let response = match timeout(self.limits.connect + self.limits.head, request.send()).await {
            Err(_) => return Err(FetchError::TimedOut("the head of the answer")),
            Ok(answer) => answer.map_err(unreachable)?,
        };
        let status = response.status();
        if status.is_redirection() {
            return Err(FetchError::Address(format!("{} sends us elsewhere", without_secrets(&call.url))));
        }
        let headers = response.headers();
        let mut called = Called {
            status: status.as_u16(),
            content_type: value(headers, header::CONTENT_TYPE),
            rest: rest(status.as_u16(), headers, now),
            ..Called::default()
        };
        (called.body, called.complete) = self.body(response).await?;
        Ok(called)
    }
}

/// How long an answer asks us to rest.
pub(super) fn rest(status: u16, headers: &HeaderMap, now: Time) -> Option<Duration> {
    let told = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let asked = told("retry-after").and_then(|value| seconds_or_moment(value, now));
    let used_up = ["ratelimit-remaining", "x-ratelimit-remaining"]
        .iter()
        .any(|name| told(name).is_some_and(|left| left.parse::<u64>() == Ok(0)));
    let reset = ["ratelimit-reset", "x-ratelimit-reset"].iter().find_map(|name| told(name));
    let reset = reset.and_then(|value| seconds_or_moment(value, now)).filter(|_| used_up || status == 429);
    match status {
        429 | 503 => asked.or(reset),
        _ => reset,
    }
    .map(|rest| rest.min(REST_MAX))
}

/// A number of seconds, seconds since 1970, a date of HTTP or one of RFC 3339: how long from `now`.
fn seconds_or_moment(value: &str, now: Time) -> Option<Duration> {
    /// More seconds than a year are not a length of time but a moment.
    const YEAR: u64 = 31_557_600;
    if let Ok(number) = value.parse::<u64>() {
        if number < YEAR {
            return Some(Duration::from_secs(number));
        }
        let at = Time(i64::try_from(number).ok()?.checked_mul(1_000)?);
        return Some(at.since(now));
    }
    if let Ok(at) = Time::parse(value) {
        return Some(at.since(now));
    }
    let at = jiff::fmt::rfc2822::parse(value).ok()?;
    Some(Time::of(at.timestamp()).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Limits;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn now() -> Time {
        Time::parse("2026-11-23T08:00:00Z").unwrap()
    }

    fn rests(status: u16, pairs: &[(&'static str, &str)]) -> Option<u64> {
        rest(status, &headers(pairs), now()).map(|rest| rest.as_secs())
    }

    #[test]
    fn every_way_to_ask_for_rest_is_understood() {
        assert_eq!(rests(429, &[("retry-after", "120")]), Some(120));
        assert_eq!(rests(503, &[("retry-after", "Mon, 23 Nov 2026 08:05:00 GMT")]), Some(300));
        let mastodon = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "2026-11-23T08:03:00.123456Z")];
        assert_eq!(rests(200, &mastodon), Some(180));
        let bluesky = [("ratelimit-remaining", "0"), ("ratelimit-reset", "1795421100")];
        assert_eq!(rests(429, &bluesky), Some(300));
        assert_eq!(rests(429, &[]), None, "nothing is said: ours to choose");
    }

    #[tokio::test]
    async fn an_endpoint_an_account_and_a_host_each_have_a_pace_and_another_host_waits_for_none_of_them() {
        let limits = Limits { turn: Duration::from_millis(10), ..Limits::default() };
        let client = Client::new("test@example.se", limits).unwrap();
        let may = async |host, account, endpoint| client.turn(host, account, endpoint, now()).await.is_ok();
        let begun = std::time::Instant::now();
        for n in 0..BURST.get() {
            assert!(may("a.example", "ale", "list").await, "{n}");
        }
        assert!(!may("a.example", "ale", "list").await, "what may be asked at once has been");
        assert!(may("b.example", "ale", "list").await);
        // Between five and six seconds an endpoint may ask twice more, an account four times and a host five times.
        tokio::time::sleep(Duration::from_millis(5_300).saturating_sub(begun.elapsed())).await;
        let asked = ["list", "list", "list", "posts", "posts", "me"];
        let mut said = Vec::new();
        for endpoint in asked {
            said.push(may("a.example", "ale", endpoint).await);
        }
        for account in ["kommun", "nol"] {
            said.push(may("a.example", account, "list").await);
        }
        assert_eq!(said, [true, true, false, true, true, false, true, false], "after {:?}", begun.elapsed());
    }

    #[test]
    fn while_there_is_more_to_ask_nobody_rests_and_nobody_rests_for_ever() {
        let more = [("x-ratelimit-remaining", "12"), ("x-ratelimit-reset", "2026-11-23T08:03:00Z")];
        assert_eq!(rests(200, &more), None);
        assert_eq!(rests(429, &[("retry-after", "999999")]), Some(86_400));
        assert_eq!(rests(429, &[("x-ratelimit-reset", "2026-11-23T07:00:00Z")]), Some(0), "it is past");
        assert_eq!(rests(429, &[("retry-after", "snart")]), None);
    }
}
