//! A Mastodon-compatible server: how it is asked, how its lists are paged, and what its refusals mean.

use std::sync::Arc;

use serde::Deserialize;
use url::Url;

use super::account::Account;
use super::beside::Beside;
use super::mastodon::{Status, is_later};
use super::{Poll, PollError, api};
use crate::clock::Time;
use crate::http::{Call, Called, Client, How, Reach};

/// Posts of a page, the most that is given.
const LIMIT: usize = 40;
/// Pages of one list that one reading asks for. More wait for the next: paging forward leaves no hole.
pub const PAGES: usize = 10;

/// The server, and who we are there.
#[derive(Debug, Clone)]
pub struct Server {
    /// What asks.
    pub client: Arc<Client>,
    /// Where it is.
    pub address: Url,
    /// Where it may lead.
    pub reach: Reach,
    /// Our account there.
    pub account: Option<Account>,
}

/// Whether a list is what the reading is for, or is asked for beside it: so many pages.
#[derive(Debug, Clone, Copy)]
pub enum Asked {
    /// What the reading is for.
    List,
    /// Beside it.
    Beside(usize),
}

/// Pages of a list.
pub struct Pages<T> {
    /// What stands on them.
    pub items: Vec<T>,
    /// The latest number that was met.
    pub latest: Option<String>,
    /// True when there was no more.
    pub ended: bool,
}

/// A list that is read forward by numbers.
pub trait Numbered {
    /// Its number.
    fn number(&self) -> &str;
}

/// Something that our account is told.
#[derive(Deserialize)]
pub struct Notification {
    /// Its number.
    pub id: String,
    /// What sort it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is about.
    #[serde(default)]
    pub status: Option<Status>,
}

/// The thread around a post.
#[derive(Deserialize)]
pub struct Context {
    /// What stands before it, the first first.
    pub ancestors: Vec<Status>,
    /// What stands under it.
    pub descendants: Vec<Status>,
}

/// Who we are there.
#[derive(Deserialize)]
pub struct Credentials {
    /// Our number there.
    pub id: String,
    /// Our name there.
    #[serde(default)]
    pub acct: String,
}

/// What a search found.
#[derive(Deserialize)]
pub struct Found {
    /// The posts.
    pub statuses: Vec<Status>,
}

impl Numbered for Status {
    fn number(&self) -> &str {
        &self.id
    }
}

impl Numbered for Notification {
    fn number(&self) -> &str {
        &self.id
    }
}

impl Server {
    /// A server at an address.
    pub fn new(client: Arc<Client>, address: Url, reach: Reach, account: Option<Account>) -> Self {
        // An address without encryption is the operator's own: it is refused elsewhere.
        let reach = if address.scheme() == "http" { Reach::Local } else { reach };
        Self { client, address, reach, account }
    }

    /// Its name, as it stands after the at sign.
    pub fn host(&self) -> String {
        self.address.host_str().unwrap_or_default().to_lowercase()
    }

    /// True when we have something that lets us in.
    pub fn has_token(&self) -> bool {
        self.account.as_ref().is_some_and(|account| account.secret.is_some())
    }

    /// Asks once, with our token where we have one.
    pub async fn ask(&self, path: &str, query: &[(String, String)], now: Time) -> Result<Called, PollError> {
        let mut url = self.address.join(path).map_err(|_| PollError::Refused(path.to_owned()))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let secret = self.account.as_ref().and_then(|account| account.secret.as_ref());
        // `/api/v1/statuses/42/context` is `/api/v1/statuses`.
        let endpoint = path.match_indices('/').nth(3).and_then(|(end, _)| path.get(..end)).unwrap_or(path);
        let call = Call {
            url,
            how: How::Get,
            proxy: None,
            bearer: secret.map(super::account::Secret::reveal),
            reach: self.reach,
            account: self.account.as_ref().map_or("", |account| account.key.as_str()),
            endpoint,
        };
        self.client.call(&call, now).await.map_err(api::no_answer)
    }

    /// Asks beside the lists. Nothing when there was no answer, which is told.
    pub async fn ask_beside(
        &self,
        what: &str,
        (path, query): (&str, &[(String, String)]),
        (beside, poll): (&mut Beside, &mut Poll),
        now: Time,
    ) -> Result<Option<Called>, PollError> {
        match self.ask(path, query, now).await {
            Ok(called) => Ok(Some(called)),
            Err(fault) => beside.no_answer(what, fault, poll).map(|()| None),
        }
    }

    /// A good answer of what is asked beside the lists: that one thing may not be read says nothing about the rest, unless
    /// our token does not hold.
    pub fn good_beside<T: serde::de::DeserializeOwned>(&self, called: &Called) -> Result<T, PollError> {
        match good(called) {
            Err(PollError::Unauthorized(why)) if called.status != 401 || !self.has_token() => {
                Err(PollError::Blind(why))
            }
            other => other,
        }
    }

    /// Reads pages forward from a number, or the newest page where there is none. What was read before the server asked
    /// for rest is kept, and so is the place.
    pub async fn pages<T: serde::de::DeserializeOwned + Numbered>(
        &self,
        (path, more): (&str, &[(String, String)]),
        from: Option<String>,
        asked: Asked,
        poll: &mut Poll,
        now: Time,
    ) -> Result<Pages<T>, PollError> {
        let (most, beside) = match asked {
            Asked::List => (PAGES, false),
            Asked::Beside(most) => (most, true),
        };
        let mut pages = Pages { items: Vec::new(), latest: from, ended: false };
        for n in 0..most {
            let last = pages.latest.clone();
            let mut query = more.to_vec();
            query.push(pair("limit", &LIMIT.to_string()));
            query.extend(last.as_deref().map(|last| pair("min_id", last)));
            let page: Result<Vec<T>, PollError> = match self.ask(path, &query, now).await {
                Ok(called) => {
                    poll.wait = poll.wait.max(called.rest);
                    if beside { self.good_beside(&called) } else { good(&called) }
                }
                Err(fault) => Err(fault),
            };
            let page = match page {
                Ok(page) => page,
                Err(PollError::RateLimited { retry_after }) if n > 0 => {
                    poll.rests(retry_after);
                    break;
                }
                Err(fault) => return Err(fault),
            };
            // Whatever order they come in, and whether they came before: the latest number is where we are.
            let latest = page.iter().map(Numbered::number).fold(None::<&str>, |latest, id| match latest {
                Some(latest) if !is_later(id, latest) => Some(latest),
                _ => Some(id),
            });
            let moved = latest.is_some_and(|latest| last.as_deref().is_none_or(|last| is_later(latest, last)));
            if moved {
                pages.latest = latest.map(str::to_owned);
            }
            // The first time, the newest page is where we begin.
            pages.ended = !moved || page.len() < LIMIT || last.is_none();
            pages.items.extend(page);
            if pages.ended || poll.wait.is_some() {
                break;
            }
        }
        Ok(pages)
    }
}

/// One part of a question.
pub fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

/// A good answer as JSON, or what the refusal means here.
pub fn good<T: serde::de::DeserializeOwned>(called: &Called) -> Result<T, PollError> {
    match api::refusal(called) {
        None => api::json(called),
        Some(PollError::Unauthorized(_)) if called.status == 401 => Err(PollError::Unauthorized(
            "servern kräver inloggning, eller kontots token gäller inte längre; skapa en ny under Inställningar, Utveckling"
                .to_owned(),
        )),
        Some(PollError::Unauthorized(_)) => Err(PollError::Unauthorized(
            "kontots token saknar behörighet; den behöver read:statuses, read:notifications och read:accounts".to_owned(),
        )),
        Some(other) => Err(other),
    }
}
