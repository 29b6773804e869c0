//! A Mastodon-compatible server as a source: tags, read forward from a little before the last reading, since a post can be
//! on its way for long (see `look_back`); what is said to our account; our own answers; and the threads we have answered
//! in.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::account::{Account, Accounts};
use super::beside::Beside;
use super::look_back::LookBack;
use super::mastodon::{self, Access, CHANNEL, Status, ThreadNames, full_name, is_later};
use super::mastodon_server::{Asked, Context, Credentials, Found, Notification, Numbered, PAGES, Server, good, pair};
use super::watched::SourceSetting;
use super::{AccountState, Cursor, Gone, Name, Poll, PollError, Post, Source, SourceKind, Thread};
use crate::clock::Time;
use crate::http::{Client, Reach};

/// Pages of a look far back.
const FAR_PAGES: usize = 3;
/// Threads that are looked up in one reading to learn what a post answers.
const CONTEXTS: usize = 15;
/// Posts of a thread that are taken.
const THREAD_POSTS: usize = 500;
/// How often the server's own settings are read.
const SETTINGS_EVERY: Duration = Duration::from_hours(6);
/// And how often while nothing comes: an empty list may be a closed one.
const SETTINGS_WHEN_EMPTY: Duration = Duration::from_mins(30);

const NOTIFICATIONS: &str = "/api/v1/notifications";
/// What a thread is called when it cannot be read.
const THREAD: &str = "en tråd där vi har svarat";
const SETTINGS_SILENT: &str = "Servern visar inte sina inställningar just nu, så ett tomt taggflöde kan vara stängt. Inläggen \
    läses ändå, och vi frågar igen.";

/// The server as a source.
#[derive(Debug, Clone)]
pub struct MastodonSource {
    server: Server,
    host: String,
    kind: SourceKind,
    accounts: Accounts,
    threads: Vec<Thread>,
}

/// What is kept between two readings.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, Deserialize)]
#[serde(default)]
struct Memory {
    /// How far each list was read: the number of the latest post in it.
    read: BTreeMap<String, String>,
    /// How far back each list of a tag is read.
    looks: BTreeMap<String, LookBack>,
    /// Number of our own account on this server.
    us: Option<String>,
    /// When the server's settings were read.
    settings_at: Option<Time>,
    /// True when it was in vain.
    settings_failed: bool,
    /// What they said, in Swedish; empty when all is open.
    closed: String,
    /// True when they said that nothing can be seen.
    blind: bool,
    /// Where the server streams.
    streams: Option<String>,
}

impl MastodonSource {
    /// The source that a setting describes; `threads` are those to be asked for now.
    #[must_use]
    pub fn new(client: Arc<Client>, setting: &SourceSetting, accounts: &Accounts, threads: &[Thread]) -> Option<Self> {
        let address = Url::parse(&setting.address).ok()?;
        let account = setting.kind.account().and_then(|key| accounts.get(key)).cloned();
        let server = Server::new(client, address, setting.reach, account);
        Some(Self {
            host: server.host(),
            server,
            kind: setting.kind.clone(),
            accounts: accounts.clone(),
            threads: threads.to_vec(),
        })
    }

    /// Tries an account, and says what works.
    pub async fn check(client: Arc<Client>, account: &Account, now: Time) -> AccountState {
        let Some(address) = account.server.clone() else {
            return AccountState::no("Kontot har ingen `server`.".to_owned());
        };
        let server = Server::new(client, address, Reach::Public, Some(account.clone()));
        let tried = async {
            let us: Credentials = good(&server.ask("/api/v1/accounts/verify_credentials", &[], now).await?)?;
            let mut query = mentions();
            query.push(pair("limit", "1"));
            let heard = server.ask(NOTIFICATIONS, &query, now).await?;
            Ok::<_, PollError>((us, heard.status))
        };
        match tried.await {
            Err(fault) => AccountState::of_fault(&fault),
            Ok((us, 200)) => {
                AccountState::yes(format!("Inloggningen fungerar som @{}.", full_name(&us.acct, &server.host())), None)
            }
            Ok((_, 403)) => AccountState::no(
                "Inloggningen fungerar men får inte läsa omnämnanden. Skapa en token med read:notifications och read:statuses."
                    .to_owned(),
            ),
            Ok((_, status)) => AccountState::no(format!("Inloggningen fungerar men omnämnanden ger svar {status}.")),
        }
    }

    /// Reads a list forward from where it was read to.
    async fn forward<T: serde::de::DeserializeOwned + Numbered>(
        &self,
        name: &str,
        what: (&str, &[(String, String)]),
        asked: Asked,
        (read, poll): (&mut BTreeMap<String, String>, &mut Poll),
        now: Time,
    ) -> Result<Vec<T>, PollError> {
        let pages = self.server.pages(what, read.get(name).cloned(), asked, poll, now).await?;
        // Nothing yet: all that comes from now on is read, however much it is.
        read.insert(name.to_owned(), pages.latest.unwrap_or_else(|| "0".to_owned()));
        Ok(pages.items)
    }

    /// What the thread of a status looks like, so that what it answers has a name.
    async fn names(
        &self,
        status: &Status,
        (beside, poll): (&mut Beside, &mut Poll),
        now: Time,
    ) -> Result<ThreadNames, PollError> {
        let (what, path) = ("det som ett inlägg svarar på", format!("/api/v1/statuses/{}/context", status.id));
        let Some(called) = self.server.ask_beside(what, (&path, &[]), (beside, poll), now).await? else {
            return Ok(ThreadNames::default());
        };
        if called.status == 404 {
            return Ok(ThreadNames::default());
        }
        poll.wait = poll.wait.max(called.rest);
        match self.server.good_beside::<Context>(&called) {
            Ok(context) => Ok(ThreadNames::of(&context.ancestors.iter().collect::<Vec<_>>())),
            Err(fault) => beside.failed(what, fault, poll).map(|()| ThreadNames::default()),
        }
    }

    async fn named_post(
        &self,
        status: &Status,
        left: &mut usize,
        (beside, poll): (&mut Beside, &mut Poll),
        now: Time,
    ) -> Result<Option<Post>, PollError> {
        let names = if status.in_reply_to_id.is_some() && *left > 0 && beside.goes_on(poll) {
            *left -= 1;
            self.names(status, (beside, poll), now).await?
        } else {
            ThreadNames::default()
        };
        Ok(mastodon::post(status, &names, &self.host, &self.accounts))
    }

    async fn tags(
        &self,
        tags: &[String],
        memory: &mut Memory,
        (beside, poll): (&mut Beside, &mut Poll),
        now: Time,
    ) -> Result<(), PollError> {
        let mut any = false;
        for tag in tags {
            let mut path = self.server.address.clone();
            if let Ok(mut segments) = path.path_segments_mut() {
                segments.clear().extend(["api", "v1", "timelines", "tag", tag.as_str()]);
            }
            let statuses = self.tag(path.path(), memory, (beside, poll), now).await?;
            any |= !statuses.is_empty();
            let look = memory.looks.entry(path.path().to_owned()).or_default();
            let new = statuses.iter().filter(|status| look.is_new(&status.id) && !status.account.bot);
            poll.posts.extend(
                new.filter_map(|status| mastodon::post(status, &ThreadNames::default(), &self.host, &self.accounts)),
            );
            if poll.wait.is_some() {
                break;
            }
        }
        let every = if any && !memory.settings_failed { SETTINGS_EVERY } else { SETTINGS_WHEN_EMPTY };
        if beside.goes_on(poll) && memory.settings_at.is_none_or(|at| now.since(at) >= every) {
            self.settings(memory, (beside, poll), now).await;
        }
        if !memory.closed.is_empty() {
            poll.remark = Some(memory.closed.clone());
            poll.blind = memory.blind && !any;
        }
        Ok(())
    }

    /// What the list of a tag shows from a little before the last reading on, and now and then from long before it.
    async fn tag(
        &self,
        path: &str,
        memory: &mut Memory,
        (beside, poll): (&mut Beside, &mut Poll),
        now: Time,
    ) -> Result<Vec<Status>, PollError> {
        let last = memory.read.get(path).cloned();
        let look = memory.looks.entry(path.to_owned()).or_default();
        let began = last.as_deref().map(|last| look.start(last));
        let near = self.server.pages::<Status>((path, &[]), began.clone(), Asked::List, poll, now).await?;
        look.came_to(near.latest.as_deref(), near.ended, now);
        let later = |a: String, b: String| if is_later(&a, &b) { a } else { b };
        let latest = near.latest.into_iter().chain(last).reduce(later).unwrap_or_else(|| "0".to_owned());
        memory.read.insert(path.to_owned(), latest.clone());
        let mut statuses = near.items;
        if near.ended && beside.goes_on(poll) && look.far_is_due(now) {
            let from = look.far_start(&latest, now);
            match self.server.pages::<Status>((path, &[]), from, Asked::Beside(FAR_PAGES), poll, now).await {
                Ok(far) => {
                    look.far_came_to(far.latest.as_deref(), far.ended, began.as_deref().unwrap_or("0"));
                    statuses.extend(far.items);
                }
                Err(fault) => beside.list_failed("det som kom sent", fault, poll)?,
            }
        }
        Ok(statuses)
    }

    /// What the server lets be seen, by its own word: an empty list is not silence when the list is closed. One that
    /// does not say is read all the same.
    async fn settings(&self, memory: &mut Memory, (beside, poll): (&mut Beside, &mut Poll), now: Time) {
        let called = self.server.ask("/api/v2/instance", &[], now).await;
        let instance: Result<Value, PollError> = match &called {
            // An older server, or one of another make, that has no such page.
            Ok(called) if matches!(called.status, 404 | 405 | 501) => {
                (memory.settings_at, memory.settings_failed) = (Some(now), false);
                return;
            }
            Ok(called) => good(called),
            Err(fault) => {
                beside.is_enough();
                Err(fault.clone())
            }
        };
        match &instance {
            Err(PollError::RateLimited { retry_after }) => return poll.rests(*retry_after),
            Err(PollError::Busy) => return,
            _ => {}
        }
        (memory.settings_at, memory.settings_failed) = (Some(now), instance.is_err());
        let Ok(instance) = instance else {
            if memory.closed.is_empty() {
                SETTINGS_SILENT.clone_into(&mut memory.closed);
            }
            return;
        };
        memory.streams = instance.pointer("/configuration/urls/streaming").and_then(Value::as_str).map(str::to_owned);
        let signed_in = self.server.has_token();
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
    }

    async fn us(
        &self,
        memory: &mut Memory,
        (beside, poll): (&mut Beside, &mut Poll),
        now: Time,
    ) -> Result<(), PollError> {
        if !self.server.has_token() {
            return Err(PollError::Unauthorized(
                "kontots token saknas; sätt den i miljön eller filen som sources.toml nämner".to_owned(),
            ));
        }
        let mut contexts = CONTEXTS;
        let (name, what) = (format!("{NOTIFICATIONS} types[]=mention"), (NOTIFICATIONS, &mentions()[..]));
        let heard: Vec<Notification> = self.forward(&name, what, Asked::List, (&mut memory.read, poll), now).await?;
        for status in heard.iter().filter(|told| told.kind == "mention").filter_map(|told| told.status.as_ref()) {
            let post = self.named_post(status, &mut contexts, (beside, poll), now).await?;
            poll.posts.extend(post.map(|post| Post { to_us: true, ..post }));
        }
        if !beside.goes_on(poll) {
            return Ok(());
        }
        let said = match self.own(memory, poll, now).await {
            Ok(said) => said,
            Err(fault) => {
                // What is said to us is kept; but who does not see our answers is half blind.
                poll.blind = matches!(fault, PollError::Blind(_));
                return beside.list_failed("våra egna inlägg", fault, poll);
            }
        };
        for status in &said {
            let post = self.named_post(status, &mut contexts, (beside, poll), now).await?;
            poll.posts.extend(post.map(|post| Post { own: true, ..post }));
        }
        Ok(())
    }

    /// What our account has said.
    async fn own(&self, memory: &mut Memory, poll: &mut Poll, now: Time) -> Result<Vec<Status>, PollError> {
        let us = if let Some(us) = memory.us.clone() {
            us
        } else {
            let called = self.server.ask("/api/v1/accounts/verify_credentials", &[], now).await?;
            let us: Credentials = self.server.good_beside(&called)?;
            memory.us.insert(us.id).clone()
        };
        let (path, more) = (format!("/api/v1/accounts/{us}/statuses"), [pair("exclude_reblogs", "true")]);
        let (name, what) = (format!("{path} exclude_reblogs=true"), (path.as_str(), &more[..]));
        let said: Vec<Status> = self.forward(&name, what, Asked::Beside(PAGES), (&mut memory.read, poll), now).await?;
        Ok(said.into_iter().filter(|status| status.account.id == us).collect())
    }

    /// A watched thread: what has been said in it, or that it is gone.
    async fn thread(
        &self,
        thread: &Thread,
        (beside, poll): (&mut Beside, &mut Poll),
        now: Time,
    ) -> Result<(), PollError> {
        poll.threads_read.push(thread.root.clone());
        let id = match &thread.local_id {
            Some(id) => id.clone(),
            None => match self.number_of(&thread.root, (beside, poll), now).await? {
                Some(id) => id,
                None => return Ok(()),
            },
        };
        let path = format!("/api/v1/statuses/{id}/context");
        let Some(called) = self.server.ask_beside(THREAD, (&path, &[]), (beside, poll), now).await? else {
            return Ok(());
        };
        poll.wait = poll.wait.max(called.rest);
        if called.status == 404 {
            poll.gone.push(Gone { name: Name::Local(id), at: None });
            return Ok(());
        }
        let context: Context = match self.server.good_beside(&called) {
            Ok(context) => context,
            Err(fault) => return beside.failed(THREAD, fault, poll),
        };
        let posts: Vec<&Status> = context.ancestors.iter().chain(&context.descendants).take(THREAD_POSTS).collect();
        let mut names: HashMap<String, String> = posts.iter().map(|post| (post.id.clone(), post.uri.clone())).collect();
        names.entry(id).or_insert_with(|| thread.root.clone());
        let names = ThreadNames { root: Some(thread.root.clone()), names };
        let read = posts.iter().filter_map(|status| mastodon::post(status, &names, &self.host, &self.accounts));
        poll.posts.extend(read.map(|post| Post { to_us: true, ..post }));
        Ok(())
    }

    /// The number that a post has here, by its name everywhere. Only for one who is signed in.
    async fn number_of(
        &self,
        uri: &str,
        (beside, poll): (&mut Beside, &mut Poll),
        now: Time,
    ) -> Result<Option<String>, PollError> {
        if self.server.account.is_none() {
            return Ok(None);
        }
        let query = [pair("q", uri), pair("resolve", "true"), pair("type", "statuses"), pair("limit", "1")];
        let Some(called) = self.server.ask_beside(THREAD, ("/api/v2/search", &query), (beside, poll), now).await?
        else {
            return Ok(None);
        };
        poll.wait = poll.wait.max(called.rest);
        match self.server.good_beside::<Found>(&called) {
            Ok(found) => Ok(found.statuses.into_iter().find(|status| status.uri == uri).map(|status| status.id)),
            Err(fault) => beside.failed(THREAD, fault, poll).map(|()| None),
        }
    }
}

impl Source for MastodonSource {
    async fn poll(&self, cursor: &Cursor, now: Time) -> Result<Poll, PollError> {
        let mut memory: Memory = serde_json::from_value(cursor.0.clone()).unwrap_or_default();
        let (mut poll, mut beside) = (Poll::default(), Beside::default());
        match &self.kind {
            SourceKind::MastodonTags { tags, .. } => {
                self.tags(tags, &mut memory, (&mut beside, &mut poll), now).await?;
            }
            _ => self.us(&mut memory, (&mut beside, &mut poll), now).await?,
        }
        for thread in &self.threads {
            if !beside.goes_on(&poll) {
                break;
            }
            self.thread(thread, (&mut beside, &mut poll), now).await?;
        }
        beside.tell(&mut poll);
        poll.title = Some(format!("{CHANNEL} {}", self.host));
        poll.cursor = Cursor(serde_json::to_value(&memory).unwrap_or_default());
        Ok(poll)
    }
}

/// What is asked for of all that an account is told. Servers from 4.3 on keep back what they think is unwanted (from new
/// accounts, from those we do not follow), and a citizen is often both; older ones do not know the word and leave it.
fn mentions() -> Vec<(String, String)> {
    vec![pair("types[]", "mention"), pair("include_filtered", "true")]
}
