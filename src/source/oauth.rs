//! Tillträde (OAuth 2.0, client credentials): a mailbox that takes no password takes a proof from the service that knows
//! the account. It is asked for at each sign-in and kept nowhere; it lasts an hour, and a reading a minute.

use serde::Deserialize;
use url::Url;

use super::account::{Secret, is_safe};
use super::{PollError, api};
use crate::clock::Time;
use crate::http::{Call, Client, How, Reach};
use crate::settings::Section;

/// Who asks for the proof, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Where it is given: the service's token endpoint.
    pub token_url: Url,
    /// The name that the program has there.
    pub client_id: String,
    /// What the proof is for.
    pub scope: String,
}

/// What a mailbox of Microsoft 365 wants the proof to be for.
const MICROSOFT: &str = "https://outlook.office365.com/.default";

/// Errors that a service can name (RFC 6749, 5.2); anything else it says is not shown.
const NAMED: [&str; 6] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
];

#[derive(Deserialize)]
struct Granted {
    access_token: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Denied {
    error: String,
}

/// What is wrong has been said.
#[derive(Debug)]
pub(super) struct Reported;

/// Reads the `oauth_` keys of a section; nothing when there are none.
pub(super) fn read(section: &Section) -> Result<Option<Access>, Reported> {
    let (url, client) = (section.located_optional("oauth_token_url"), section.located_optional("oauth_client_id"));
    let scope = section.text_or("oauth_scope", MICROSOFT);
    let (url, client) = match (url, client) {
        (None, None) if section.has("oauth_scope") => {
            section.place_of("oauth_scope").report("`oauth_scope` says nothing without `oauth_token_url`");
            return Err(Reported);
        }
        (None, None) => return Ok(None),
        (Some(url), None) => {
            url.place.report("`oauth_client_id` is missing: the name that Lyhörd has at that service");
            return Err(Reported);
        }
        (None, Some(client)) => {
            client.place.report("`oauth_token_url` is missing: where the service gives the proof");
            return Err(Reported);
        }
        (Some(url), Some(client)) => (url, client),
    };
    let Some(token_url) = Url::parse(&url.text).ok().filter(is_safe) else {
        url.place.report(format!(
            "`oauth_token_url` is `{}`, expected an address with https:// (http:// only on this machine or the inner network)",
            url.text
        ));
        return Err(Reported);
    };
    Ok(Some(Access { token_url, client_id: client.text, scope }))
}

impl Access {
    /// Asks for a proof.
    ///
    /// # Errors
    /// Why there is none, in Swedish.
    pub async fn proof(&self, client: &Client, secret: &Secret, reach: Reach, now: Time) -> Result<Secret, PollError> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.client_id),
            ("client_secret", secret.reveal()),
            ("scope", &self.scope),
        ];
        let call = Call {
            url: self.token_url.clone(),
            how: How::Form(&form),
            proxy: None,
            bearer: None,
            reach,
            account: &self.client_id,
            endpoint: "token",
        };
        let called = client.call(&call, now).await.map_err(api::no_answer)?;
        if matches!(called.status, 400 | 401) {
            let said: Denied = serde_json::from_slice(&called.body).unwrap_or_default();
            let named = NAMED.iter().find(|name| **name == said.error);
            return Err(PollError::Unauthorized(format!(
                "tjänsten som ger tillträde (OAuth) säger nej ({}); se efter om hemligheten har gått ut och om \
                 oauth_client_id stämmer",
                named.map_or_else(|| format!("svar {}", called.status), |name| (*name).to_owned())
            )));
        }
        if let Some(refused) = api::refusal(&called) {
            return Err(refused);
        }
        let granted: Granted = api::json(&called)?;
        // A proof that breaks a line would say more than we mean.
        if granted.access_token.is_empty() || granted.access_token.chars().any(char::is_control) {
            return Err(PollError::Unreadable("svaret har inget tillträde i sig".to_owned()));
        }
        Ok(Secret::new(&granted.access_token))
    }
}

/// How a proof is shown to an IMAP server (XOAUTH2): once. What the server asks after that is why it said no, and is
/// answered with nothing.
#[derive(Debug)]
pub(super) struct Shown(Option<Secret>);

impl Shown {
    pub(super) fn of(user: &str, proof: &Secret) -> Self {
        Self(Some(Secret::new(&format!("user={user}\u{1}auth=Bearer {}\u{1}\u{1}", proof.reveal()))))
    }
}

impl async_imap::Authenticator for Shown {
    type Response = Vec<u8>;

    fn process(&mut self, _: &[u8]) -> Vec<u8> {
        self.0.take().map(|shown| shown.reveal().as_bytes().to_vec()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use async_imap::Authenticator as _;

    use super::*;

    #[test]
    fn a_proof_is_shown_once_and_a_no_is_answered_with_nothing() {
        let mut shown = Shown::of("tips@ale.se", &Secret::new("bevis"));
        assert!(!format!("{shown:?}").contains("bevis"));
        assert_eq!(shown.process(b""), b"user=tips@ale.se\x01auth=Bearer bevis\x01\x01");
        assert_eq!(shown.process(b"{\"status\":\"400\"}"), b"");
    }
}
