//! What an interface's answer means for a source: read as JSON, or said why not.

use serde::de::DeserializeOwned;

use super::PollError;
use crate::http::{Called, FetchError};

/// Reads a good answer.
///
/// # Errors
/// [`PollError::Unreadable`] when it is not what it should be, [`PollError::Unreachable`] when it broke off.
pub fn json<T: DeserializeOwned>(called: &Called) -> Result<T, PollError> {
    if !called.complete {
        return Err(PollError::Unreachable("svaret bröts av innan det var slut".to_owned()));
    }
    let kind = called.content_type.as_deref().unwrap_or_default();
    if !kind.contains("json") {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        return Err(PollError::Unreadable(format!("svaret är inte JSON utan ”{kind}”")));
    }
    serde_json::from_slice(&called.body)
        .map_err(|fault| PollError::Unreadable(format!("svaret har inte den form det ska ha ({})", place(&fault))))
}

/// Where it went wrong, without a word of what stood there.
fn place(fault: &serde_json::Error) -> String {
    format!("rad {}, tecken {}", fault.line(), fault.column())
}

/// What an error status means, when nothing more is known of it; nothing for a good one.
#[must_use]
pub fn refusal(called: &Called) -> Option<PollError> {
    let status = called.status;
    Some(match status {
        200..=299 => return None,
        429 => PollError::RateLimited { retry_after: called.rest },
        401 | 403 => PollError::Unauthorized(format!("svar {status}")),
        410 => PollError::Gone,
        404 => PollError::Unreachable("sidan finns inte (404)".to_owned()),
        408 | 500.. if called.rest.is_some() => PollError::RateLimited { retry_after: called.rest },
        408 | 500.. => PollError::Unreachable(format!("fel hos servern ({status})")),
        _ => PollError::Unreadable(format!("oväntat svar ({status})")),
    })
}

/// What it means that there was no answer.
#[must_use]
pub fn no_answer(error: FetchError) -> PollError {
    match error {
        FetchError::Busy => PollError::Busy,
        FetchError::Paused(left) => PollError::RateLimited { retry_after: Some(left) },
        FetchError::Refused(_) => PollError::Refused("den leder till en adress på ett inre nät".to_owned()),
        FetchError::Address(_) => PollError::Refused("den är ingen webbadress, eller skickar oss vidare".to_owned()),
        FetchError::Redirects => PollError::Unreadable("den skickar oss runt i en ring".to_owned()),
        FetchError::TooLarge(cap) => PollError::Unreadable(format!("svaret är större än {} kB", cap / 1024)),
        fault @ (FetchError::TimedOut(_) | FetchError::Unreachable(_)) => {
            PollError::Unreachable(fault.swedish().to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(status: u16, kind: &str, body: &str) -> Called {
        Called { status, content_type: Some(kind.to_owned()), body: body.to_owned().into(), complete: true, rest: None }
    }

    #[test]
    fn what_is_not_what_it_should_be_is_said_without_a_word_of_it() {
        let read = |kind: &str, body: &str| json::<Vec<u32>>(&called(200, kind, body)).unwrap_err().to_string();
        assert!(read("text/html; charset=utf-8", "<p>hemligt").contains("text/html"));
        let broken = read("application/json", "[1,\"hemligt\"]");
        assert!(broken.contains("rad 1") && !broken.contains("hemligt"), "{broken}");
        let cut = Called { complete: false, ..called(200, "application/json", "[1,2]") };
        assert!(matches!(json::<Vec<u32>>(&cut), Err(PollError::Unreachable(_))));
        assert_eq!(json::<Vec<u32>>(&called(200, "application/json", "[1,2]")), Ok(vec![1, 2]));
    }

    #[test]
    fn a_refusal_says_what_to_do_next() {
        assert_eq!(refusal(&called(200, "", "")), None);
        assert!(matches!(refusal(&called(401, "", "")), Some(PollError::Unauthorized(_))));
        assert!(matches!(refusal(&called(429, "", "")), Some(PollError::RateLimited { retry_after: None })));
        assert!(matches!(refusal(&called(502, "", "")), Some(PollError::Unreachable(_))));
        assert!(matches!(refusal(&called(418, "", "")), Some(PollError::Unreadable(_))));
    }
}
