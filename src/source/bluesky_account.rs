//! Our account on Bluesky as a source: what names, answers or quotes us, our own answers, and the threads we have
//! answered in. Signs in with an app password at the account's own server (PDS), which passes our questions on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::account::{Account, Accounts};
use super::bluesky::{self, CHANNEL, Found};
use super::watched::SourceSetting;
use super::{AccountState, Cursor, Gone, Name, Poll, PollError, Post, Source, Thread, api};
use crate::clock::Time;
use crate::http::{Call, Called, Client, How, Reach};

/// Pages of notifications and of our own posts that one reading asks for: three thousand items since the last.
const PAGES: usize = 30;
/// Items of a page, the most that is given.
const LIMIT: &str = "100";
/// Pages of a search for what was said before.
const SEARCH_PAGES: usize = 3;
/// How deep a thread is asked for.
const DEPTH: &str = "20";
/// Posts of a thread that are taken.
const THREAD_POSTS: usize = 500;
/// Notifications that are about words said to us; likes and follows are about people.
const REASONS: [&str; 3] = ["mention", "reply", "quote"];

/// What lets us in, until it no longer does. In memory only: after a restart one signs in anew.
#[derive(Clone, Deserialize)]
struct Session {
    #[serde(rename = "accessJwt")]
    access: String,
    #[serde(rename = "refreshJwt")]
    refresh: String,
    did: String,
    #[serde(default)]
    handle: String,
    #[serde(default)]
    status: Option<String>,
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

/// The account as a source.
#[derive(Debug, Clone)]
pub struct BlueskyAccount {
    client: Arc<Client>,
    sessions: Sessions,
    account: Account,
    accounts: Accounts,
    reach: Reach,
    backfill: Vec<String>,
    threads: Vec<Thread>,
}

/// What is kept between two readings.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, Deserialize)]
#[serde(default)]
struct Memory {
    /// The newest notification that was seen, and those of the very same moment.
    heard: Mark,
    /// The newest of our own posts.
    own: Mark,
    /// True when the searches have been made.
    searched: bool,
}

/// How far a list that comes newest first was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, Deserialize)]
#[serde(default)]
struct Mark {
    at: String,
    names: Vec<String>,
}

impl Mark {
    fn has(&self, at: &str, name: &str) -> bool {
        at < self.at.as_str() || (at == self.at && self.names.iter().any(|known| known == name))
    }

    /// The mark after reading these `(at, name)`.
    fn after<'a>(&self, seen: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut mark = self.clone();
        for (at, name) in seen {
            if at > mark.at.as_str() {
                mark = Self { at: at.to_owned(), names: vec![name.to_owned()] };
            } else if at == mark.at && !mark.names.iter().any(|known| known == name) {
                mark.names.push(name.to_owned());
            }
        }
        if mark.at.is_empty() {
            // Nothing yet: all that comes from now on is read, however much it is.
            "0".clone_into(&mut mark.at);
        }
        mark
    }
}

#[derive(Deserialize)]
struct Notifications {
    notifications: Vec<Notification>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct Notification {
    uri: String,
    author: Author,
    reason: String,
    record: Value,
    #[serde(rename = "indexedAt")]
    indexed_at: String,
}

#[derive(Deserialize)]
struct Author {
    #[serde(default)]
    handle: Option<String>,
}

#[derive(Deserialize)]
struct PostView {
    uri: String,
    author: Author,
    record: Value,
    #[serde(rename = "indexedAt")]
    indexed_at: String,
}

#[derive(Deserialize)]
struct Feed {
    feed: Vec<FeedPost>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct FeedPost {
    post: PostView,
    /// A repost is not ours.
    #[serde(default)]
    reason: Option<Value>,
}

#[derive(Deserialize)]
struct Searched {
    posts: Vec<PostView>,
    cursor: Option<String>,
}

impl BlueskyAccount {
    /// The source that a setting describes; `threads` are those to be asked for now.
    #[must_use]
    pub fn new(
        client: Arc<Client>,
        sessions: Sessions,
        setting: &SourceSetting,
        account: &Account,
        accounts: &Accounts,
        backfill: &[String],
        threads: &[Thread],
    ) -> Self {
        Self {
            client,
            sessions,
            account: account.clone(),
            accounts: accounts.clone(),
            reach: reach(account, setting.reach),
            backfill: backfill.to_vec(),
            threads: threads.to_vec(),
        }
    }

    /// Tries to sign in, and says what works.
    pub async fn check(client: Arc<Client>, sessions: Sessions, account: &Account, now: Time) -> AccountState {
        let probe = Self {
            client,
            sessions,
            account: account.clone(),
            accounts: Accounts::default(),
            reach: reach(account, Reach::Public),
            backfill: Vec::new(),
            threads: Vec::new(),
        };
        match probe.sign_in(now).await {
            Err(fault) => AccountState::of_fault(&fault),
            Ok(session) => {
                let renamed = account.id.as_ref().is_some_and(|id| *id != session.did);
                if renamed {
                    return AccountState::no(format!(
                        "Inloggningen fungerar, men kontot är {} och inte det `id` som står i sources.toml. Rätta det.",
                        session.did
                    ));
                }
                let missing = if account.id.is_none() {
                    format!(
                        " Skriv id = \"{}\" under kontot, så att våra egna svar känns igen i strömmen.",
                        session.did
                    )
                } else {
                    String::new()
                };
                match session.status.as_deref() {
                    None | Some("active") => {
                        AccountState::yes(format!("Inloggningen fungerar som {}.{missing}", session.handle), None)
                    }
                    Some(status) => AccountState::no(format!("Kontot är inte aktivt hos Bluesky ({status}).")),
                }
            }
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
            reach: self.reach,
            account: &self.account.key,
            endpoint: method,
        };
        self.client.call(&call, now).await.map_err(api::no_answer)
    }

    async fn sign_in(&self, now: Time) -> Result<Session, PollError> {
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
    async fn ask_as_us(&self, method: &str, query: &[(&str, &str)], now: Time) -> Result<Called, PollError> {
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

    /// What was said to us since the mark, newest page first. Nothing is marked unless every page was read.
    async fn heard(&self, mark: &Mark, poll: &mut Poll, now: Time) -> Result<Mark, PollError> {
        let mut found: Vec<Notification> = Vec::new();
        let mut cursor: Option<String> = None;
        for page in 0.. {
            if page == PAGES {
                poll.remark = Some(
                    "Fler har skrivit till kontot än vi hann läsa på en gång. De äldsta kan saknas; läs dem i kanalen."
                        .to_owned(),
                );
                break;
            }
            let mut query = vec![("limit", LIMIT)];
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let called = self.ask_as_us("app.bsky.notification.listNotifications", &query, now).await?;
            let answer: Notifications = good(&called)?;
            let known = answer.notifications.iter().any(|told| mark.has(&told.indexed_at, &told.uri));
            let empty = answer.notifications.is_empty();
            found.extend(answer.notifications.into_iter().filter(|told| !mark.has(&told.indexed_at, &told.uri)));
            // The very first time one page is enough: what is older is history.
            if known || empty || answer.cursor.is_none() || answer.cursor == cursor || mark.at.is_empty() {
                break;
            }
            cursor = answer.cursor;
        }
        let after = mark.after(found.iter().map(|told| (told.indexed_at.as_str(), told.uri.as_str())));
        for told in found.iter().rev().filter(|told| REASONS.contains(&told.reason.as_str())) {
            let post = self.post(&told.uri, &told.author, &told.record, &told.indexed_at);
            poll.posts.extend(post.map(|post| Post { to_us: true, ..post }));
        }
        Ok(after)
    }

    /// Our own posts since the mark.
    async fn own(&self, mark: &Mark, poll: &mut Poll, now: Time) -> Result<Mark, PollError> {
        let did = match self.sessions.get(&self.account.key) {
            Some(session) => session.did,
            None => self.sign_in(now).await?.did,
        };
        let mut found: Vec<PostView> = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES {
            let mut query = vec![("actor", did.as_str()), ("limit", LIMIT), ("filter", "posts_with_replies")];
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let answer: Feed = good(&self.ask_as_us("app.bsky.feed.getAuthorFeed", &query, now).await?)?;
            let (mut known, empty) = (false, answer.feed.is_empty());
            for item in answer.feed.into_iter().filter(|item| item.reason.is_none()) {
                if mark.has(&item.post.indexed_at, &item.post.uri) {
                    known = true;
                } else {
                    found.push(item.post);
                }
            }
            if known || empty || answer.cursor.is_none() || answer.cursor == cursor || mark.at.is_empty() {
                break;
            }
            cursor = answer.cursor;
        }
        let after = mark.after(found.iter().map(|post| (post.indexed_at.as_str(), post.uri.as_str())));
        let ours = found
            .iter()
            .rev()
            .filter_map(|view| self.view(view))
            .filter(|post| post.writer.as_deref() == Some(did.as_str()));
        poll.posts.extend(ours.map(|post| Post { own: true, ..post }));
        Ok(after)
    }

    /// A watched thread: what has been said in it, and what is gone.
    async fn thread(&self, thread: &Thread, poll: &mut Poll, now: Time) -> Result<(), PollError> {
        let query = [("uri", thread.root.as_str()), ("depth", DEPTH), ("parentHeight", "0")];
        let called = self.ask_as_us("app.bsky.feed.getPostThread", &query, now).await?;
        poll.threads_read.push(thread.root.clone());
        if error_of(&called).as_deref() == Some("NotFound") {
            poll.gone.push(Gone { name: Name::Native(thread.root.clone()), at: None });
            return Ok(());
        }
        let answer: Value = good(&called)?;
        let mut waiting: Vec<&Value> = answer.get("thread").into_iter().collect();
        let mut taken = 0;
        while let Some(node) = waiting.pop() {
            if taken == THREAD_POSTS {
                break;
            }
            taken += 1;
            if node.get("notFound").and_then(Value::as_bool) == Some(true) {
                if let Some(uri) = node.get("uri").and_then(Value::as_str) {
                    poll.gone.push(Gone { name: Name::Native(uri.to_owned()), at: None });
                }
                continue;
            }
            let view = node.get("post").and_then(|post| PostView::deserialize(post).ok());
            let post = view.as_ref().and_then(|view| self.view(view));
            poll.posts.extend(post.map(|post| Post { to_us: true, ..post }));
            waiting.extend(node.get("replies").and_then(Value::as_array).into_iter().flatten());
        }
        Ok(())
    }

    /// What was said before we began, by the searches of the configuration. A help, not a promise: the network does not
    /// let everything be found.
    async fn search(&self, poll: &mut Poll, now: Time) -> Result<(), PollError> {
        for words in &self.backfill {
            let mut cursor: Option<String> = None;
            for _ in 0..SEARCH_PAGES {
                let mut query = vec![("q", words.as_str()), ("sort", "latest"), ("limit", LIMIT)];
                query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
                let called = self.ask_as_us("app.bsky.feed.searchPosts", &query, now).await?;
                if called.status == 403 {
                    poll.remark = Some("Sökningen bakåt är avstängd hos servern; vi läser från nu.".to_owned());
                    return Ok(());
                }
                let answer: Searched = good(&called)?;
                poll.posts.extend(answer.posts.iter().filter_map(|view| self.view(view)));
                if answer.posts.is_empty() || answer.cursor.is_none() || answer.cursor == cursor {
                    break;
                }
                cursor = answer.cursor;
            }
        }
        Ok(())
    }

    fn view(&self, view: &PostView) -> Option<Post> {
        self.post(&view.uri, &view.author, &view.record, &view.indexed_at)
    }

    fn post(&self, uri: &str, author: &Author, record: &Value, indexed_at: &str) -> Option<Post> {
        let seen_at = Time::parse(indexed_at).ok();
        bluesky::post(Found { uri, handle: author.handle.as_deref(), seen_at }, record, &self.accounts)
    }
}

impl Source for BlueskyAccount {
    async fn poll(&self, cursor: &Cursor, now: Time) -> Result<Poll, PollError> {
        let mut memory: Memory = serde_json::from_value(cursor.0.clone()).unwrap_or_default();
        let mut poll = Poll::default();
        memory.heard = self.heard(&memory.heard, &mut poll, now).await?;
        memory.own = self.own(&memory.own, &mut poll, now).await?;
        for thread in &self.threads {
            self.thread(thread, &mut poll, now).await?;
        }
        if !memory.searched {
            self.search(&mut poll, now).await?;
            memory.searched = true;
        }
        if self.account.id.is_none() && poll.remark.is_none() {
            let did = self.sessions.get(&self.account.key).map(|session| session.did).unwrap_or_default();
            poll.remark = Some(format!(
                "Skriv id = \"{did}\" under kontot i sources.toml, så att våra egna svar känns igen överallt."
            ));
        }
        poll.title = Some(format!("{CHANNEL} {}", self.account.handle));
        poll.cursor = Cursor(serde_json::to_value(&memory).unwrap_or_default());
        Ok(poll)
    }
}

/// Where an account's server may lead: one on this machine or the inner network is the operator's own.
fn reach(account: &Account, asked: Reach) -> Reach {
    let inner = account.server.as_ref().is_some_and(|server| server.scheme() == "http");
    if inner { Reach::Local } else { asked }
}

/// The name of an error, where the answer is one.
fn error_of(called: &Called) -> Option<String> {
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
fn good<T: serde::de::DeserializeOwned>(called: &Called) -> Result<T, PollError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_knows_what_came_before_it_and_what_came_at_the_same_moment() {
        let mark = Mark::default().after([("2026-11-23T08:00:02Z", "b"), ("2026-11-23T08:00:01Z", "a")].into_iter());
        assert!(mark.has("2026-11-23T08:00:01Z", "x") && mark.has("2026-11-23T08:00:02Z", "b"));
        assert!(!mark.has("2026-11-23T08:00:02Z", "c"), "another one of the same moment");
        assert_eq!(mark.after(std::iter::empty()), mark);
    }

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
