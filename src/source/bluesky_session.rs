//! Our account at its own server on Bluesky (PDS): signing in with an app password, staying signed in, asking as us, and
//! what the refusals mean.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::account::Account;
use super::beside::Beside;
use super::{Poll, PollError, api};
use crate::clock::Time;
use crate::http::{Call, Called, Client, How, Reach};

/// What lets us in, until it no longer does. In memory only: after a restart one signs in anew.
#[derive(Clone, Deserialize)]
pub struct Session {
    /// What is shown with each question.
    #[serde(rename = "accessJwt")]
    access: String,
    /// What renews it.
    #[serde(rename = "refreshJwt")]
    refresh: String,
    /// Who we are for good.
    pub did: String,
    /// What people call us.
    #[serde(default)]
    pub handle: String,
    /// Set when the account is not as it should be.
    #[serde(default)]
    pub status: Option<String>,
}

/// The sessions of all accounts, so that a reading need not sign in each time: servers let one sign in a hundred times a
/// day.
#[derive(Clone, Default)]
pub struct Sessions(Arc<Mutex<HashMap<String, Session>>>);

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sessions(…)")
    }
}

impl Sessions {
    fn get(&self, account: &str) -> Option<Session> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(account).cloned()
    }

    fn set(&self, account: &str, session: Option<Session>) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match session {
            Some(session) => sessions.insert(account.to_owned(), session),
            None => sessions.remove(account),
        };
    }
}

/// Our account at its server.
#[derive(Debug, Clone)]
pub struct Pds {
    client: Arc<Client>,
    sessions: Sessions,
    account: Account,
    reach: Reach,
}

impl Pds {
    /// The account at the server that it names.
    pub fn new(client: Arc<Client>, sessions: Sessions, account: &Account, asked: Reach) -> Self {
        Self { client, sessions, reach: reach(account, asked), account: account.clone() }
    }

    /// Who we are for good, where we have signed in; signs in where we have not.
    pub async fn did(&self, now: Time) -> Result<String, PollError> {
        match self.sessions.get(&self.account.key) {
            Some(session) => Ok(session.did),
            None => self.sign_in(now).await.map(|session| session.did),
        }
    }

    fn url(&self, method: &str, query: &[(&str, &str)]) -> Result<Url, PollError> {
        let server = self.account.server.as_ref();
        let server = server.ok_or_else(|| PollError::Refused("kontot har ingen `server`".to_owned()))?;
        let mut url = server.join(&format!("/xrpc/{method}")).map_err(|_| PollError::Refused(server.to_string()))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    async fn ask(
        &self,
        method: &str,
        query: &[(&str, &str)],
        how: How<'_>,
        bearer: Option<&str>,
        now: Time,
    ) -> Result<Called, PollError> {
        let call = Call {
            url: self.url(method, query)?,
            how,
            bearer,
            proxy: self.account.appview.as_deref().filter(|_| method.starts_with("app.bsky.")),
            reach: self.reach,
            account: &self.account.key,
            endpoint: method,
        };
        self.client.call(&call, now).await.map_err(api::no_answer)
    }

    /// Signs in with the app password.
    pub async fn sign_in(&self, now: Time) -> Result<Session, PollError> {
        let secret = self.account.secret.as_ref().ok_or_else(|| {
            PollError::Unauthorized(
                "kontots applösenord saknas; sätt det i miljön eller filen som sources.toml nämner".to_owned(),
            )
        })?;
        let who = self.account.id.as_deref().unwrap_or(self.account.handle.trim_start_matches('@'));
        let body = json!({ "identifier": who, "password": secret.reveal() });
        let called = self.ask("com.atproto.server.createSession", &[], How::Post(&body), None, now).await?;
        let session: Session = good(&called)?;
        self.sessions.set(&self.account.key, Some(session.clone()));
        Ok(session)
    }

    async fn renew(&self, session: &Session, now: Time) -> Result<Session, PollError> {
        // The refresh token is the whole question.
        let method = "com.atproto.server.refreshSession";
        let called = self.ask(method, &[], How::PostNothing, Some(&session.refresh), now).await?;
        match good::<Session>(&called) {
            Ok(session) => {
                self.sessions.set(&self.account.key, Some(session.clone()));
                Ok(session)
            }
            Err(PollError::Unauthorized(_) | PollError::Unreadable(_)) => self.sign_in(now).await,
            Err(other) => Err(other),
        }
    }

    /// Asks as the account; when what let us in has ended, lets us in anew and asks once more.
    pub async fn ask_as_us(&self, method: &str, query: &[(&str, &str)], now: Time) -> Result<Called, PollError> {
        let session = match self.sessions.get(&self.account.key) {
            Some(session) => session,
            None => self.sign_in(now).await?,
        };
        let called = self.ask(method, query, How::Get, Some(&session.access), now).await?;
        if !has_ended(&called) {
            return Ok(called);
        }
        let session = self.renew(&session, now).await?;
        let called = self.ask(method, query, How::Get, Some(&session.access), now).await?;
        if has_ended(&called) {
            self.sessions.set(&self.account.key, None);
        }
        Ok(called)
    }

    /// Asks as us beside the lists. Nothing when there was no answer, which is told.
    pub async fn ask_beside(
        &self,
        what: &str,
        (method, query): (&str, &[(&str, &str)]),
        (beside, poll): (&mut Beside, &mut Poll),
        now: Time,
    ) -> Result<Option<Called>, PollError> {
        match self.ask_as_us(method, query, now).await {
            Ok(called) => {
                poll.wait = poll.wait.max(called.rest);
                Ok(Some(called))
            }
            Err(fault) => beside.no_answer(what, fault, poll).map(|()| None),
        }
    }
}

/// Where an account's server may lead: one on this machine or the inner network is the operator's own.
fn reach(account: &Account, asked: Reach) -> Reach {
    let inner = account.server.as_ref().is_some_and(|server| server.scheme() == "http");
    if inner { Reach::Local } else { asked }
}

/// The name of an error, where the answer is one.
pub fn error_of(called: &Called) -> Option<String> {
    if (200..300).contains(&called.status) {
        return None;
    }
    let body: Value = serde_json::from_slice(&called.body).ok()?;
    body.get("error")?.as_str().map(|name| name.chars().take(60).collect())
}

/// True when what let us in does so no more.
fn has_ended(called: &Called) -> bool {
    called.status == 401
        || (called.status == 400 && matches!(error_of(called).as_deref(), Some("ExpiredToken" | "InvalidToken")))
}

/// A good answer as JSON, or what the refusal means here.
pub fn good<T: serde::de::DeserializeOwned>(called: &Called) -> Result<T, PollError> {
    let Some(refusal) = api::refusal(called) else { return api::json(called) };
    Err(match error_of(called).as_deref() {
        Some("AuthFactorTokenRequired") => PollError::Unauthorized(
            "kontot har tvåstegsinloggning; använd ett applösenord, inte kontots eget lösenord".to_owned(),
        ),
        Some("AccountTakedown" | "AccountDeactivated" | "AccountSuspended") => {
            PollError::Unauthorized("kontot är avstängt hos Bluesky".to_owned())
        }
        Some("AuthenticationRequired" | "ExpiredToken" | "InvalidToken" | "AuthMissing") => PollError::Unauthorized(
            "applösenordet släpper inte in oss; skapa ett nytt i Bluesky under Inställningar, Applösenord".to_owned(),
        ),
        _ => refusal,
    })
}

/// The same of what is asked beside the lists: by then we have been let in, so that one thing may not be read says nothing
/// about the rest. That we are let in no longer is said by [`Pds::ask_as_us`].
pub fn good_beside<T: serde::de::DeserializeOwned>(called: &Called) -> Result<T, PollError> {
    match good(called) {
        Err(PollError::Unauthorized(why)) => Err(PollError::Blind(why)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_let_us_in_is_shown_to_nobody() {
        let sessions = Sessions::default();
        let session = Session {
            access: "hemlig".into(),
            refresh: "hemlig".into(),
            did: String::new(),
            handle: String::new(),
            status: None,
        };
        sessions.set("a", Some(session));
        assert!(!format!("{sessions:?}").contains("hemlig"));
    }
}
