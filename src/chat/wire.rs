//! What all voices that speak HTTP share: one bounded client, and what a status means.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use super::SendError;
pub use crate::secret::Secret;

/// The longest wait that a service may ask of us; more is a fault of theirs, and the outbox asks again anyway.
const RETRY_MAX: Duration = Duration::from_hours(24);

/// The most that we read of a service's answer: receipts are a few hundred bytes.
pub const ANSWER_MAX: usize = 256 * 1024;

/// A client that follows no redirect (a bearer token must not wander) and gives up after `timeout`.
///
/// # Errors
/// When the machine has no usable TLS roots or resolver.
pub fn client(timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(timeout.min(Duration::from_secs(5)))
        .timeout(timeout)
        .user_agent(concat!("Lyhord/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// What a service answered: its status, what it asks us to wait, and its body within [`ANSWER_MAX`].
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: StatusCode,
    /// From `Retry-After`, in seconds or as a date.
    pub retry_after: Option<Duration>,
    /// The body as JSON; null when it is none.
    pub body: serde_json::Value,
}

/// Sends a request and reads the answer. A network fault is [`SendError::Later`]: its text may hold an address, so it
/// is not kept.
///
/// # Errors
/// [`SendError::Later`] when nothing came back in time.
pub async fn ask(request: reqwest::RequestBuilder) -> Result<Reply, SendError> {
    ask_within(request, ANSWER_MAX).await
}

/// The same with a bound of the caller's own on the answer.
///
/// # Errors
/// [`SendError::Later`] when nothing came back in time, [`SendError::Never`] when too much did.
pub async fn ask_within(request: reqwest::RequestBuilder, most: usize) -> Result<Reply, SendError> {
    let mut response = request.send().await.map_err(|_| SendError::later())?;
    let (status, retry_after) = (response.status(), retry_after(response.headers()));
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| SendError::later())? {
        if bytes.len() + chunk.len() > most {
            return Err(SendError::Never("the service's answer is too large".to_owned()));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Reply { status, retry_after, body: serde_json::from_slice(&bytes).unwrap_or_default() })
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Ok(seconds) = text.parse() {
        Duration::try_from_secs_f64(seconds).ok()?
    } else {
        // A date is read against the service's own clock, so that ours does not matter.
        let until = date(text)?.duration_since(date(headers.get(DATE)?.to_str().ok()?)?);
        Duration::try_from(until).unwrap_or_default()
    };
    Some(wait.min(RETRY_MAX))
}

fn date(text: &str) -> Option<jiff::Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// What an HTTP status means for a message, where the service's body does not say more.
///
/// # Errors
/// Whatever is not a success.
pub fn judge_status(reply: &Reply) -> Result<(), SendError> {
    let status = reply.status;
    if status.is_success() {
        return Ok(());
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Err(SendError::Later { retry_after: reply.retry_after });
    }
    if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
        return Err(SendError::Later { retry_after: reply.retry_after });
    }
    if status == StatusCode::UNAUTHORIZED {
        return Err(SendError::OutOfOrder("the service does not know our token (401)".to_owned()));
    }
    let why = match status {
        StatusCode::FORBIDDEN => "the service does not let us write there",
        StatusCode::NOT_FOUND | StatusCode::GONE => "the address does not exist",
        StatusCode::PAYLOAD_TOO_LARGE => "the message is too large",
        _ => "the service refused the message",
    };
    Err(SendError::Never(format!("{why} ({})", status.as_u16())))
}

/// True for an address that a token may be sent to: https, or http that does not leave the machine or the container
/// network (a bare host name, `localhost`, a private address).
#[must_use]
pub fn is_safe_base(url: &url::Url) -> bool {
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(url::Host::Domain(name))) => !name.contains('.') || name.ends_with(".localhost"),
        ("http", Some(url::Host::Ipv4(ip))) => ip.is_loopback() || ip.is_private(),
        ("http", Some(url::Host::Ipv6(ip))) => ip.is_loopback(),
        _ => false,
    }
}

/// Serves a fake on a free port of this machine, for as long as the test's runtime lives.
#[cfg(test)]
pub(super) async fn serve(app: axum::Router) -> url::Url {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}/").parse().unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, wait_s: Option<u64>) -> Reply {
        Reply {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: wait_s.map(Duration::from_secs),
            body: serde_json::Value::Null,
        }
    }

    #[test]
    fn a_fault_on_their_side_is_later_and_one_on_ours_is_never() {
        assert_eq!(judge_status(&reply(204, None)), Ok(()));
        let wait = Some(Duration::from_secs(7));
        assert_eq!(judge_status(&reply(429, Some(7))), Err(SendError::Later { retry_after: wait }));
        assert_eq!(judge_status(&reply(502, None)), Err(SendError::later()));
        assert!(matches!(judge_status(&reply(401, None)), Err(SendError::OutOfOrder(_))), "our token, not her address");
        for status in [400, 403, 404, 413] {
            assert!(matches!(judge_status(&reply(status, None)), Err(SendError::Never(_))), "{status}");
        }
    }

    #[test]
    fn a_wait_is_read_in_seconds_and_as_a_date_by_the_service_s_own_clock() {
        let read = |wait: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, wait.parse().unwrap());
            if let Some(date) = date {
                headers.insert(DATE, date.parse().unwrap());
            }
            retry_after(&headers).map(|wait| wait.as_secs())
        };
        assert_eq!(read("37", None), Some(37));
        let now = Some("Mon, 23 Nov 2026 07:00:00 GMT");
        assert_eq!(read("Mon, 23 Nov 2026 07:02:00 GMT", now), Some(120));
        assert_eq!(read("Tue, 23 Nov 2027 07:02:00 GMT", now), Some(86_400), "bounded");
        assert_eq!(read("Mon, 23 Nov 2026 07:02:00 GMT", None), None);
        assert_eq!(read("snart", now), None);
    }

    #[test]
    fn a_token_goes_nowhere_in_the_clear() {
        let safe = |text: &str| is_safe_base(&text.parse().unwrap());
        assert!(safe("https://api.telegram.org") && safe("http://fake:8081") && safe("http://127.0.0.1:9"));
        assert!(!safe("http://api.telegram.org") && !safe("ftp://localhost") && !safe("http://8.8.8.8"));
    }
}
