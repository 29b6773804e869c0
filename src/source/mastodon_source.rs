//! A Mastodon-compatible server as a source: tags read forward without holes, what is said to our account, our own
//! answers, and the threads we have answered in.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::account::{Account, Accounts};
use super::mastodon::{self, Access, CHANNEL, Status, ThreadNames, full_name, is_later};
use super::watched::SourceSetting;
use super::{AccountState, Cursor, Gone, Name, Poll, PollError, Post, Source, SourceKind, Thread, api};
use crate::clock::Time;
use crate::http::{Call, Called, Client, How, Reach};

/// Posts of a page, the most that is given.
const LIMIT: usize = 40;
/// Pages of one list that one reading asks for. More wait for the next: paging forward leaves no hole.
const PAGES: usize = 10;
/// Threads that are looked up in one reading to learn what a post answers.
const CONTEXTS: usize = 15;
/// Posts of a thread that are taken.
const THREAD_POSTS: usize = 500;
/// How often the server's own settings are read.
const SETTINGS_EVERY: Duration = Duration::from_hours(6);
/// And how often while nothing comes: an empty list may be a closed one.
const SETTINGS_WHEN_EMPTY: Duration = Duration::from_mins(30);

/// The server as a source.
#[derive(Debug, Clone)]
pub struct MastodonSource {
    client: Arc<Client>,
    server: Url,
    host: String,
    reach: Reach,
    kind: SourceKind,
    account: Option<Account>,
    accounts: Accounts,
    threads: Vec<Thread>,
}

/// What is kept between two readings.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, Deserialize)]
#[serde(default)]
struct Memory {
    /// How far each list was read: the number of the latest post in it.
    read: BTreeMap<String, String>,
    /// Number of our own account on this server.
    us: Option<String>,
    /// When the server's settings were read.
    settings_at: Option<Time>,
    /// What they said, in Swedish; empty when all is open.
    closed: String,
    /// True when they said that nothing can be seen.
    blind: bool,
    /// Where the server streams.
    streams: Option<String>,
}

#[derive(Deserialize)]
struct Notification {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    status: Option<Status>,
}

#[derive(Deserialize)]
struct Context {
    ancestors: Vec<Status>,
    descendants: Vec<Status>,
}

#[derive(Deserialize)]
struct Credentials {
    id: String,
    #[serde(default)]
    acct: String,
}

#[derive(Deserialize)]
struct Found {
    statuses: Vec<Status>,
}

/// A list that is read forward by numbers.
trait Numbered {
    fn number(&self) -> &str;
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

impl MastodonSource {
    /// The source that a setting describes; `threads` are those to be asked for now.
    #[must_use]
    pub fn new(client: Arc<Client>, setting: &SourceSetting, accounts: &Accounts, threads: &[Thread]) -> Option<Self> {
        let server = Url::parse(&setting.address).ok()?;
        let account = setting.kind.account().and_then(|key| accounts.get(key)).cloned();
        Some(Self {
            client,
            host: server.host_str().unwrap_or_default().to_lowercase(),
            reach: if server.scheme() == "http" { Reach::Local } else { setting.reach },
            server,
            kind: setting.kind.clone(),
            account,
            accounts: accounts.clone(),
            threads: threads.to_vec(),
        })
    }

    /// Tries an account, and says what works.
    pub async fn check(client: Arc<Client>, account: &Account, now: Time) -> AccountState {
        let Some(server) = account.server.clone() else {
            return AccountState::no("Kontot har ingen `server`.".to_owned());
        };
        let probe = Self {
            client,
            host: server.host_str().unwrap_or_default().to_lowercase(),
            reach: if server.scheme() == "http" { Reach::Local } else { Reach::Public },
            server,
            kind: SourceKind::MastodonAccount { account: account.key.clone(), stream: false },
            account: Some(account.clone()),
            accounts: Accounts::default(),
            threads: Vec::new(),
        };
        let tried = async {
            let us: Credentials = good(&probe.ask("/api/v1/accounts/verify_credentials", &[], now).await?)?;
            let query = [("types[]".to_owned(), "mention".to_owned()), ("limit".to_owned(), "1".to_owned())];
            let heard = probe.ask("/api/v1/notifications", &query, now).await?;
            Ok::<_, PollError>((us, heard.status))
        };
        match tried.await {
            Err(fault) => AccountState::of_fault(&fault),
            Ok((us, 200)) => {
                AccountState::yes(format!("Inloggningen fungerar som @{}.", full_name(&us.acct, &probe.host)), None)
            }
            Ok((_, 403)) => AccountState::no(
                "Inloggningen fungerar men får inte läsa omnämnanden. Skapa en token med read:notifications och read:statuses."
                    .to_owned(),
            ),
            Ok((_, status)) => AccountState::no(format!("Inloggningen fungerar men omnämnanden ger svar {status}.")),
        }
    }

    async fn ask(&self, path: &str, query: &[(String, String)], now: Time) -> Result<Called, PollError> {
        let mut url = self.server.join(path).map_err(|_| PollError::Refused(path.to_owned()))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let secret = self.account.as_ref().and_then(|account| account.secret.as_ref());
        // `/api/v1/statuses/42/context` is `/api/v1/statuses`.
        let endpoint = path.match_indices('/').nth(3).and_then(|(end, _)| path.get(..end)).unwrap_or(path);
        let call = Call {
            url,
            how: How::Get,
            bearer: secret.map(super::account::Secret::reveal),
            reach: self.reach,
            account: self.account.as_ref().map_or("", |account| account.key.as_str()),
            endpoint,
        };
        self.client.call(&call, now).await.map_err(api::no_answer)
    }

    /// Reads a list forward from where it was read to. Says whether anything came. What was read before the server asked
    /// for rest is kept, and so is the place.
    async fn forward<T: serde::de::DeserializeOwned + Numbered>(
        &self,
        path: &str,
        more: &[(String, String)],
        read: &mut BTreeMap<String, String>,
        poll: &mut Poll,
        now: Time,
    ) -> Result<Vec<T>, PollError> {
        let name = more.iter().fold(path.to_owned(), |name, (key, value)| format!("{name} {key}={value}"));
        let mut all: Vec<T> = Vec::new();
        for _ in 0..PAGES {
            let last = read.get(&name).cloned();
            let mut query = more.to_vec();
            query.push(("limit".to_owned(), LIMIT.to_string()));
            query.extend(last.clone().map(|last| ("min_id".to_owned(), last)));
            let called = self.ask(path, &query, now).await?;
            let page: Vec<T> = good(&called)?;
            // Whatever order they come in, and whether they came before: the latest number is where we are.
            let latest = page.iter().map(Numbered::number).fold(None::<&str>, |latest, id| match latest {
                Some(latest) if !is_later(id, latest) => Some(latest),
                _ => Some(id),
            });
            let moved = latest.is_some_and(|latest| last.as_deref().is_none_or(|last| is_later(latest, last)));
            if let (Some(latest), true) = (latest, moved) {
                read.insert(name.clone(), latest.to_owned());
            }
            if latest.is_none() && last.is_none() {
                // Nothing yet: all that comes from now on is read, however much it is.
                read.insert(name.clone(), "0".to_owned());
            }
            let full = page.len() >= LIMIT;
            all.extend(page);
            poll.wait = poll.wait.max(called.rest);
            // The first time, the newest page is where we begin.
            if !moved || !full || last.is_none() || called.rest.is_some() {
                break;
            }
        }
        Ok(all)
    }

    /// What the thread of a status looks like, so that what it answers has a name.
    async fn names(&self, status: &Status, now: Time) -> Result<ThreadNames, PollError> {
        let called = self.ask(&format!("/api/v1/statuses/{}/context", status.id), &[], now).await?;
        if called.status == 404 {
            return Ok(ThreadNames::default());
        }
        let context: Context = good(&called)?;
        Ok(ThreadNames::of(&context.ancestors.iter().collect::<Vec<_>>()))
    }

    async fn named_post(&self, status: &Status, left: &mut usize, now: Time) -> Result<Option<Post>, PollError> {
        let names = if status.in_reply_to_id.is_some() && *left > 0 {
            *left -= 1;
            self.names(status, now).await?
        } else {
            ThreadNames::default()
        };
        Ok(mastodon::post(status, &names, &self.host, &self.accounts))
    }

    async fn tags(&self, tags: &[String], memory: &mut Memory, poll: &mut Poll, now: Time) -> Result<(), PollError> {
        let mut any = false;
        for tag in tags {
            let mut path = self.server.clone();
            if let Ok(mut segments) = path.path_segments_mut() {
                segments.clear().extend(["api", "v1", "timelines", "tag", tag.as_str()]);
            }
            let statuses: Vec<Status> = self.forward(path.path(), &[], &mut memory.read, poll, now).await?;
            any |= !statuses.is_empty();
            let people = statuses.iter().filter(|status| !status.account.bot);
            poll.posts.extend(
                people.filter_map(|status| mastodon::post(status, &ThreadNames::default(), &self.host, &self.accounts)),
            );
            if poll.wait.is_some() {
                break;
            }
        }
        let every = if any { SETTINGS_EVERY } else { SETTINGS_WHEN_EMPTY };
        if memory.settings_at.is_none_or(|at| now.since(at) >= every) {
            self.settings(memory, now).await?;
        }
        if !memory.closed.is_empty() {
            poll.remark = Some(memory.closed.clone());
            poll.blind = memory.blind && !any;
        }
        Ok(())
    }

    /// What the server lets be seen, by its own word: an empty list is not silence when the list is closed.
    async fn settings(&self, memory: &mut Memory, now: Time) -> Result<(), PollError> {
        let called = self.ask("/api/v2/instance", &[], now).await?;
        memory.settings_at = Some(now);
        if called.status == 404 {
            return Ok(()); // an older server, or one of another make, that does not say
        }
        let instance: Value = good(&called)?;
        memory.streams = instance.pointer("/configuration/urls/streaming").and_then(Value::as_str).map(str::to_owned);
        let signed_in = self.account.as_ref().is_some_and(|account| account.secret.is_some());
        (memory.closed, memory.blind) = match mastodon::access(&instance) {
            Access::Closed => (
                "Servern har stängt sina taggflöden: den svarar, men visar inget. Välj en annan server, eller fråga den som sköter den."
                    .to_owned(),
                true,
            ),
            Access::SignedIn if !signed_in => (
                "Servern visar taggar bara för den som är inloggad. Ange `account` för källan i sources.toml.".to_owned(),
                true,
            ),
            Access::Half => (
                "Servern visar bara en del av taggflödena (egna medlemmars inlägg eller andras, inte båda).".to_owned(),
                false,
            ),
            _ => (String::new(), false),
        };
        Ok(())
    }

    async fn us(&self, memory: &mut Memory, poll: &mut Poll, now: Time) -> Result<(), PollError> {
        if self.account.as_ref().is_none_or(|account| account.secret.is_none()) {
            return Err(PollError::Unauthorized(
                "kontots token saknas; sätt den i miljön eller filen som sources.toml nämner".to_owned(),
            ));
        }
        let mut contexts = CONTEXTS;
        let us = if let Some(us) = memory.us.clone() {
            us
        } else {
            let us: Credentials = good(&self.ask("/api/v1/accounts/verify_credentials", &[], now).await?)?;
            memory.us.insert(us.id).clone()
        };
        let types = [("types[]".to_owned(), "mention".to_owned())];
        let heard: Vec<Notification> =
            self.forward("/api/v1/notifications", &types, &mut memory.read, poll, now).await?;
        for status in heard.iter().filter(|told| told.kind == "mention").filter_map(|told| told.status.as_ref()) {
            let post = self.named_post(status, &mut contexts, now).await?;
            poll.posts.extend(post.map(|post| Post { to_us: true, ..post }));
        }
        let path = format!("/api/v1/accounts/{us}/statuses");
        let more = [("exclude_reblogs".to_owned(), "true".to_owned())];
        let said: Vec<Status> = self.forward(&path, &more, &mut memory.read, poll, now).await?;
        for status in said.iter().filter(|status| status.account.id == us) {
            let post = self.named_post(status, &mut contexts, now).await?;
            poll.posts.extend(post.map(|post| Post { own: true, ..post }));
        }
        Ok(())
    }

    /// A watched thread: what has been said in it, or that it is gone.
    async fn thread(&self, thread: &Thread, poll: &mut Poll, now: Time) -> Result<(), PollError> {
        poll.threads_read.push(thread.root.clone());
        let id = match &thread.local_id {
            Some(id) => id.clone(),
            None => match self.number_of(&thread.root, now).await? {
                Some(id) => id,
                None => return Ok(()),
            },
        };
        let called = self.ask(&format!("/api/v1/statuses/{id}/context"), &[], now).await?;
        if called.status == 404 {
            poll.gone.push(Gone { name: Name::Local(id), at: None });
            return Ok(());
        }
        let context: Context = good(&called)?;
        let posts: Vec<&Status> = context.ancestors.iter().chain(&context.descendants).take(THREAD_POSTS).collect();
        let mut names: HashMap<String, String> = posts.iter().map(|post| (post.id.clone(), post.uri.clone())).collect();
        names.entry(id).or_insert_with(|| thread.root.clone());
        let names = ThreadNames { root: Some(thread.root.clone()), names };
        let read = posts.iter().filter_map(|status| mastodon::post(status, &names, &self.host, &self.accounts));
        poll.posts.extend(read.map(|post| Post { to_us: true, ..post }));
        Ok(())
    }

    /// The number that a post has here, by its name everywhere. Only for one who is signed in.
    async fn number_of(&self, uri: &str, now: Time) -> Result<Option<String>, PollError> {
        if self.account.is_none() {
            return Ok(None);
        }
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let query = [pair("q", uri), pair("resolve", "true"), pair("type", "statuses"), pair("limit", "1")];
        let called = self.ask("/api/v2/search", &query, now).await?;
        let found: Found = good(&called)?;
        Ok(found.statuses.into_iter().find(|status| status.uri == uri).map(|status| status.id))
    }
}

impl Source for MastodonSource {
    async fn poll(&self, cursor: &Cursor, now: Time) -> Result<Poll, PollError> {
        let mut memory: Memory = serde_json::from_value(cursor.0.clone()).unwrap_or_default();
        let mut poll = Poll::default();
        match &self.kind {
            SourceKind::MastodonTags { tags, .. } => self.tags(tags, &mut memory, &mut poll, now).await?,
            _ => self.us(&mut memory, &mut poll, now).await?,
        }
        for thread in &self.threads {
            if poll.wait.is_some() {
                break;
            }
            self.thread(thread, &mut poll, now).await?;
        }
        poll.title = Some(format!("{CHANNEL} {}", self.host));
        poll.cursor = Cursor(serde_json::to_value(&memory).unwrap_or_default());
        Ok(poll)
    }
}

/// A good answer as JSON, or what the refusal means here.
fn good<T: serde::de::DeserializeOwned>(called: &Called) -> Result<T, PollError> {
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
