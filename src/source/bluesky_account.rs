//! Our account on Bluesky as a source: what names, answers or quotes us, our own answers, and the threads we have
//! answered in. The lists come newest first, by a time that a writer's own clock can set back; see `newest_first`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::account::{Account, Accounts};
use super::beside::Beside;
use super::bluesky::{self, CHANNEL, Found};
use super::bluesky_session::{Pds, Sessions, error_of, good, good_beside};
use super::newest_first::{Left, List};
use super::watched::SourceSetting;
use super::{AccountState, Cursor, Gone, Name, Poll, PollError, Post, Source, Thread};
use crate::clock::Time;
use crate::http::{Client, Reach};

/// Pages of one list that one reading asks for: three thousand items. The next reading goes on from there.
const PAGES: usize = 30;
/// Items of a page, the most that is given.
const LIMIT: &str = "100";
/// Pages of a search for what was said before.
const SEARCH_PAGES: usize = 3;
/// A search that fails is tried again so often …
const SEARCH_TRIES: u32 = 5;
/// … and not sooner than this.
const SEARCH_AGAIN: Duration = Duration::from_hours(1);
/// How deep a thread is asked for.
const DEPTH: &str = "20";
/// Posts of a thread that are taken.
const THREAD_POSTS: usize = 500;
/// Notifications that are about words said to us; likes and follows are about people.
const REASONS: [&str; 3] = ["mention", "reply", "quote"];
/// What a thread is called when it cannot be read.
const THREAD: &str = "en tråd där vi har svarat";
const SEARCH: &str = "sökningen bakåt";
const MORE: &str = "Fler har skrivit än vi hann läsa på en gång. Vi går vidare där vi slutade vid nästa läsning.";

/// The account as a source.
#[derive(Debug, Clone)]
pub struct BlueskyAccount {
    pds: Pds,
    account: Account,
    accounts: Accounts,
    backfill: Vec<String>,
    threads: Vec<Thread>,
    /// Where a person reads a post; nothing when the setting is no source of Bluesky's.
    web: Option<Url>,
}

/// What is kept between two readings.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, Deserialize)]
#[serde(default)]
struct Memory {
    /// What was said to us.
    told: List,
    /// Our own posts.
    ours: List,
    /// True when the searches have been made, or given up.
    searched: bool,
    /// How often they were tried, and when last.
    search_tries: u32,
    search_at: Option<Time>,
}

/// A page of a list.
#[derive(Deserialize)]
struct Page<T> {
    #[serde(alias = "notifications", alias = "feed", alias = "posts")]
    items: Vec<T>,
    cursor: Option<String>,
}

/// An item of a list that comes newest first.
trait Listed {
    /// Its name in the list.
    fn name(&self) -> String;
    /// The time it is sorted by.
    fn at(&self) -> Option<Time>;
}

#[derive(Deserialize)]
struct Notification {
    uri: String,
    author: Author,
    reason: String,
    record: Value,
    /// In truth the time it is sorted by.
    #[serde(rename = "indexedAt")]
    indexed_at: String,
}

impl Listed for Notification {
    fn name(&self) -> String {
        self.uri.clone()
    }

    fn at(&self) -> Option<Time> {
        Time::parse(&self.indexed_at).ok()
    }
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
struct FeedPost {
    post: PostView,
    /// Why it stands here though it is not ours: somebody's post that we passed on.
    #[serde(default)]
    reason: Option<Value>,
}

impl Listed for FeedPost {
    fn name(&self) -> String {
        let passed_on = if self.reason.is_some() { "passed on " } else { "" };
        format!("{passed_on}{}", self.post.uri)
    }

    fn at(&self) -> Option<Time> {
        let passed_on = self.reason.as_ref().and_then(|reason| reason.get("indexedAt")).and_then(Value::as_str);
        let seen = Time::parse(passed_on.unwrap_or(&self.post.indexed_at)).ok();
        if self.reason.is_some() {
            return seen;
        }
        let created = self.post.record.get("createdAt").and_then(Value::as_str);
        let created = created.and_then(|at| Time::parse(at).ok());
        created.into_iter().chain(seen).min()
    }
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
            pds: Pds::new(client, sessions, account, setting.reach),
            account: account.clone(),
            accounts: accounts.clone(),
            backfill: backfill.to_vec(),
            threads: threads.to_vec(),
            web: setting.kind.web().cloned(),
        }
    }

    /// Tries to sign in, and says what works.
    pub async fn check(client: Arc<Client>, sessions: Sessions, account: &Account, now: Time) -> AccountState {
        let pds = Pds::new(client, sessions, account, Reach::Public);
        match pds.sign_in(now).await {
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

    /// What is new in a list: first what is left of a reading that broke off, then from the top until a page is known.
    /// `beside` is true of a list that the reading can do without.
    async fn new_in<T: DeserializeOwned + Listed>(
        &self,
        (method, query): (&str, &[(&str, &str)]),
        list: &mut List,
        beside: bool,
        poll: &mut Poll,
        now: Time,
    ) -> Result<Vec<T>, PollError> {
        let (mut found, mut names) = (Vec::new(), HashSet::new());
        let mut pages = 0;
        loop {
            let left = list.left.take();
            let mut from_left = left.is_some();
            let deep = !from_left && list.is_deep(now);
            let was_left = from_left;
            let (known, mut place) =
                left.map_or_else(|| (list.known.clone(), None), |left| (left.known, Some(left.place)));
            let (mut read, mut ended, mut more) = (Vec::new(), false, false);
            while pages < PAGES && poll.wait.is_none() {
                let mut query = query.to_vec();
                query.push(("limit", LIMIT));
                query.extend(place.as_deref().map(|place| ("cursor", place)));
                let page: Page<T> = match self.page(method, &query, beside, poll, now).await {
                    Ok(page) => page,
                    Err(PollError::RateLimited { retry_after }) if pages > 0 => {
                        poll.rests(retry_after);
                        break;
                    }
                    // The server does not know the place any more: from the top, until what was known then.
                    Err(PollError::Unreadable(_)) if from_left => {
                        (from_left, place) = (false, None);
                        continue;
                    }
                    Err(fault) => return Err(fault),
                };
                (pages, from_left) = (pages + 1, false);
                let mut all_known = true;
                let empty = page.items.is_empty();
                for item in page.items {
                    let (name, at) = (item.name(), item.at().unwrap_or(now));
                    let is_known = known.has(at, &name);
                    all_known &= if deep { known.is_history(at) } else { is_known };
                    // What came meanwhile may have pushed the pages down: then some of them come twice.
                    if !is_known && !list.known.remembers(&name) && names.insert(name.clone()) {
                        read.push((at, name));
                        found.push(item);
                    }
                }
                let next = page.cursor.filter(|next| place.as_ref() != Some(next) && !empty);
                more = next.is_some();
                // The very first time one page is enough: what is older is history.
                ended = all_known || !more || !known.has_begun();
                if ended {
                    break;
                }
                place = next;
            }
            list.known.add(read, more);
            if !ended {
                list.left = place.map(|place| Left { place, known });
                if pages == PAGES {
                    poll.remark = Some(MORE.to_owned());
                }
                return Ok(found);
            }
            if !was_left {
                list.was_read(deep, now);
                return Ok(found);
            }
        }
    }

    async fn page<T: DeserializeOwned>(
        &self,
        method: &str,
        query: &[(&str, &str)],
        beside: bool,
        poll: &mut Poll,
        now: Time,
    ) -> Result<T, PollError> {
        let called = self.pds.ask_as_us(method, query, now).await?;
        poll.wait = poll.wait.max(called.rest.filter(|_| called.status != 429));
        if beside { good_beside(&called) } else { good(&called) }
    }

    /// What was said to us.
    async fn told(&self, list: &mut List, poll: &mut Poll, now: Time) -> Result<(), PollError> {
        let what: (_, &[_]) = ("app.bsky.notification.listNotifications", &[]);
        let found: Vec<Notification> = self.new_in(what, list, false, poll, now).await?;
        for told in found.iter().rev().filter(|told| REASONS.contains(&told.reason.as_str())) {
            let post = self.post(&told.uri, &told.author, &told.record, &told.indexed_at);
            poll.posts.extend(post.map(|post| Post { to_us: true, ..post }));
        }
        Ok(())
    }

    /// Our own posts.
    async fn own(&self, list: &mut List, poll: &mut Poll, now: Time) -> Result<(), PollError> {
        let did = self.pds.did(now).await?;
        let what: (_, &[_]) =
            ("app.bsky.feed.getAuthorFeed", &[("actor", did.as_str()), ("filter", "posts_with_replies")]);
        let found: Vec<FeedPost> = self.new_in(what, list, true, poll, now).await?;
        let ours = found
            .iter()
            .rev()
            .filter(|item| item.reason.is_none())
            .filter_map(|item| self.view(&item.post))
            .filter(|post| post.writer.as_deref() == Some(did.as_str()));
        poll.posts.extend(ours.map(|post| Post { own: true, ..post }));
        Ok(())
    }

    /// A watched thread: what has been said in it, and what is gone.
    async fn thread(
        &self,
        thread: &Thread,
        (beside, poll): (&mut Beside, &mut Poll),
        now: Time,
    ) -> Result<(), PollError> {
        let query = [("uri", thread.root.as_str()), ("depth", DEPTH), ("parentHeight", "0")];
        poll.threads_read.push(thread.root.clone());
        let asked = ("app.bsky.feed.getPostThread", &query[..]);
        let Some(called) = self.pds.ask_beside(THREAD, asked, (beside, poll), now).await? else { return Ok(()) };
        if error_of(&called).as_deref() == Some("NotFound") {
            poll.gone.push(Gone { name: Name::Native(thread.root.clone()), at: None });
            return Ok(());
        }
        let answer: Value = match good_beside(&called) {
            Ok(answer) => answer,
            Err(fault) => return beside.failed(THREAD, fault, poll),
        };
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
    /// let everything be found. One that fails is tried a few times more and then given up.
    async fn search(
        &self,
        memory: &mut Memory,
        (beside, poll): (&mut Beside, &mut Poll),
        now: Time,
    ) -> Result<(), PollError> {
        (memory.search_tries, memory.search_at) = (memory.search_tries + 1, Some(now));
        memory.searched = memory.search_tries >= SEARCH_TRIES;
        for words in &self.backfill {
            let mut cursor: Option<String> = None;
            for _ in 0..SEARCH_PAGES {
                let mut query = vec![("q", words.as_str()), ("sort", "latest"), ("limit", LIMIT)];
                query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
                let asked = ("app.bsky.feed.searchPosts", &query[..]);
                let Some(called) = self.pds.ask_beside(SEARCH, asked, (beside, poll), now).await? else {
                    return Ok(());
                };
                if matches!(called.status, 403 | 410) {
                    poll.remark = Some("Sökningen bakåt är avstängd hos servern; vi läser från nu.".to_owned());
                    memory.searched = true;
                    return Ok(());
                }
                let answer: Page<PostView> = match good_beside(&called) {
                    Ok(answer) => answer,
                    Err(fault) => return beside.failed(SEARCH, fault, poll),
                };
                poll.posts.extend(answer.items.iter().filter_map(|view| self.view(view)));
                if answer.items.is_empty() || answer.cursor.is_none() || answer.cursor == cursor {
                    break;
                }
                if !beside.goes_on(poll) {
                    return Ok(());
                }
                cursor = answer.cursor;
            }
        }
        memory.searched = true;
        Ok(())
    }

    fn view(&self, view: &PostView) -> Option<Post> {
        self.post(&view.uri, &view.author, &view.record, &view.indexed_at)
    }

    fn post(&self, uri: &str, author: &Author, record: &Value, indexed_at: &str) -> Option<Post> {
        let (seen_at, handle, web) = (Time::parse(indexed_at).ok(), author.handle.as_deref(), self.web.as_ref()?);
        bluesky::post(Found { uri, handle, seen_at, web }, record, &self.accounts)
    }
}

impl Source for BlueskyAccount {
    async fn poll(&self, cursor: &Cursor, now: Time) -> Result<Poll, PollError> {
        let mut memory: Memory = serde_json::from_value(cursor.0.clone()).unwrap_or_default();
        let (mut poll, mut beside) = (Poll::default(), Beside::default());
        self.told(&mut memory.told, &mut poll, now).await?;
        if beside.goes_on(&poll) {
            let mut ours = memory.ours.clone();
            match self.own(&mut ours, &mut poll, now).await {
                Ok(()) => memory.ours = ours,
                Err(fault) => {
                    // What is said to us is kept; but who does not see our answers is half blind.
                    poll.blind = matches!(fault, PollError::Blind(_));
                    beside.list_failed("våra egna inlägg", fault, &mut poll)?;
                }
            }
        }
        for thread in &self.threads {
            if !beside.goes_on(&poll) {
                break;
            }
            self.thread(thread, (&mut beside, &mut poll), now).await?;
        }
        let rested = memory.search_at.is_none_or(|at| now.since(at) >= SEARCH_AGAIN);
        if !memory.searched && rested && beside.goes_on(&poll) {
            self.search(&mut memory, (&mut beside, &mut poll), now).await?;
        }
        beside.tell(&mut poll);
        if self.account.id.is_none() && poll.remark.is_none() {
            let did = self.pds.did(now).await.unwrap_or_default();
            poll.remark = Some(format!(
                "Skriv id = \"{did}\" under kontot i sources.toml, så att våra egna svar känns igen överallt."
            ));
        }
        poll.title = Some(format!("{CHANNEL} {}", self.account.handle));
        poll.cursor = Cursor(serde_json::to_value(&memory).unwrap_or_default());
        Ok(poll)
    }
}
