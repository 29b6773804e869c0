//! A feed on the web as a source: asks politely, remembers what it must, finds the feed behind a page.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::clock::Time;
use crate::hex::hex;
use crate::http::{self, Client, Fetch, FetchError, Fetched, Reach};
use crate::source::feed::FeedRead;
use crate::source::watched::SourceSetting;
use crate::source::{Cursor, Poll, PollError, Source, discover, feed, politeness};

/// What we can read, best first.
const ACCEPT: &str = "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, \
                      application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, text/html;q=0.5, */*;q=0.1";
/// Reddit says 403 when it means 429 and names no time.
const REDDIT_WAIT: Duration = Duration::from_hours(1);

/// A feed, or a web page that names one.
#[derive(Debug, Clone)]
pub struct FeedSource {
    client: Arc<Client>,
    address: String,
    reach: Reach,
    channel: String,
    own: bool,
}

/// What is kept between two readings. Another address in the configuration makes it void.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
struct Memory {
    /// The configured address that all this is about.
    address: String,
    /// Where the feed really is: found on a page, or moved to for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    feed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
    /// Hash of the last body, for servers that never say 304.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// True when the feed has held posts.
    filled: bool,
    ttl_minutes: Option<u32>,
    skip_hours: Vec<u8>,
}

impl FeedSource {
    /// The source that a setting describes.
    #[must_use]
    pub fn new(client: Arc<Client>, setting: &SourceSetting) -> Self {
        Self {
            client,
            address: setting.address.clone(),
            reach: setting.reach,
            channel: setting.channel.clone(),
            own: setting.own,
        }
    }

    async fn get(&self, url: &str, memory: Option<&Memory>) -> Result<Fetched, FetchError> {
        let fetch = Fetch {
            url,
            etag: memory.and_then(|memory| memory.etag.as_deref()),
            last_modified: memory.and_then(|memory| memory.last_modified.as_deref()),
            reach: self.reach,
            accept: ACCEPT,
        };
        self.client.fetch(&fetch).await
    }

    async fn ask(&self, url: &str, memory: Option<&Memory>, now: Time) -> Result<Fetched, PollError> {
        let fetched = self.get(url, memory).await.map_err(no_answer)?;
        refusal(&fetched, now).map_or(Ok(fetched), Err)
    }

    /// The feed where it was last, or where the configuration says; when a page stands there, the feed that it names.
    async fn read(&self, memory: &mut Memory, now: Time) -> Result<Read, PollError> {
        let Some(last) = memory.feed.clone() else { return self.read_configured(memory, now).await };
        let (fault, moved) = match self.get(&last, Some(memory)).await {
            Err(fault) => {
                // A host that is silent for a while comes back; one that no connection leads to may be no more.
                let moved =
                    matches!(fault, FetchError::Unreachable(_) | FetchError::Redirects | FetchError::Address(_));
                (no_answer(fault), moved)
            }
            Ok(fetched) => match refusal(&fetched, now) {
                None if memory.knows(&fetched) => return Ok((fetched, None)),
                None => match parse(&fetched) {
                    Ok(feed) => return Ok((fetched, Some(feed))),
                    Err(fault) => {
                        let moved = matches!(fault, PollError::Blind(_));
                        (fault, moved)
                    }
                },
                Some(fault) => {
                    let moved = fetched.status == 404 || matches!(fault, PollError::Gone | PollError::Unreadable(_));
                    (fault, moved)
                }
            },
        };
        if moved { self.read_elsewhere(&last, fault, memory, now).await } else { Err(fault) }
    }

    async fn read_configured(&self, memory: &mut Memory, now: Time) -> Result<Read, PollError> {
        let fetched = self.ask(&self.address, Some(memory), now).await?;
        if memory.knows(&fetched) {
            return Ok((fetched, None));
        }
        match parse(&fetched) {
            Err(PollError::Blind(_)) if !memory.filled => {}
            // Blind although it was a feed before: a sign-in page or a notice stands in its place.
            outcome => return outcome.map(|feed| (fetched, Some(feed))),
        }
        let Some(found) = named_by(&fetched) else {
            return Err(PollError::Blind("en webbsida som inte anger något flöde".to_owned()));
        };
        let fetched = self.ask(&found, None, now).await?;
        let feed = parse(&fetched)?;
        memory.feed = Some(found);
        Ok((fetched, Some(feed)))
    }

    /// The feed that we read has moved: reads the one that stands at the configured address now, or that its page names now.
    /// Where there is no other, the fault is what there is to say, and what we remember stays.
    async fn read_elsewhere(
        &self,
        last: &str,
        fault: PollError,
        memory: &mut Memory,
        now: Time,
    ) -> Result<Read, PollError> {
        // Gone is for good: that is believed only when the configured address has answered and names no other.
        let or = |other: PollError| if fault == PollError::Gone { other } else { fault.clone() };
        let page = self.ask(&self.address, None, now).await.map_err(or)?;
        if page.final_url == last {
            return Err(fault);
        }
        let (fetched, feed, found) = match parse(&page) {
            Ok(feed) => (page, feed, None),
            Err(PollError::Blind(_)) => {
                let Some(found) = named_by(&page).filter(|found| found != last) else { return Err(fault) };
                let fetched = self.ask(&found, None, now).await.map_err(or)?;
                let feed = parse(&fetched).map_err(or)?;
                (fetched, feed, Some(found))
            }
            Err(other) => return Err(or(other)),
        };
        *memory = Memory { address: self.address.clone(), feed: found, filled: memory.filled, ..Memory::default() };
        Ok((fetched, Some(feed)))
    }
}

/// An answer, and the feed in it unless it is what we had.
type Read = (Fetched, Option<FeedRead>);

impl Source for FeedSource {
    async fn poll(&self, cursor: &Cursor, now: Time) -> Result<Poll, PollError> {
        let mut memory = Memory::of(cursor, &self.address);
        let (fetched, feed) = self.read(&mut memory, now).await?;
        let mut poll = Poll { unchanged: feed.is_none(), ..Poll::default() };
        if let Some(feed) = feed {
            poll.blind = feed.posts.is_empty() && memory.filled;
            poll.remark = feed.remark;
            if poll.blind {
                poll.remark = Some("Flödet är tomt, men har haft inlägg förut.".to_owned());
            }
            memory.filled |= !feed.posts.is_empty();
            memory.ttl_minutes = feed.ttl_minutes;
            memory.skip_hours = feed.skip_hours;
            poll.title = feed.title;
            poll.posts = feed.posts;
        }
        for post in &mut poll.posts {
            post.channel.clone_from(&self.channel);
            post.own = self.own;
        }
        if !fetched.complete {
            poll.remark = Some("Svaret bröts av innan det var slut; någon post kan saknas.".to_owned());
        }
        memory.remember(&fetched);
        poll.moved_to.clone_from(&fetched.permanent_url);
        let fresh = politeness::fresh_for(fetched.cache_control.as_deref(), fetched.expires.as_deref(), now);
        poll.wait = fresh.max(memory.ttl_minutes.map(|minutes| Duration::from_secs(u64::from(minutes) * 60)));
        poll.skip_hours.clone_from(&memory.skip_hours);
        poll.cursor = memory.cursor();
        Ok(poll)
    }
}

impl Memory {
    fn of(cursor: &Cursor, address: &str) -> Self {
        let memory: Self = serde_json::from_value(cursor.0.clone()).unwrap_or_default();
        if memory.address == address { memory } else { Self { address: address.to_owned(), ..Self::default() } }
    }

    fn cursor(&self) -> Cursor {
        Cursor(serde_json::to_value(self).unwrap_or_default())
    }

    /// True when an answer holds what we have.
    fn knows(&self, fetched: &Fetched) -> bool {
        fetched.not_modified || self.body.as_deref() == Some(hash(&fetched.body).as_str())
    }

    fn remember(&mut self, fetched: &Fetched) {
        if let Some(url) = &fetched.permanent_url {
            self.feed = Some(url.clone());
        }
        if fetched.not_modified {
            // RFC 9111, 4.3.4: what a 304 says of itself replaces what we knew.
            self.etag = fetched.etag.clone().or_else(|| self.etag.take());
            self.last_modified = fetched.last_modified.clone().or_else(|| self.last_modified.take());
        } else if fetched.complete {
            self.etag.clone_from(&fetched.etag);
            self.last_modified.clone_from(&fetched.last_modified);
            self.body = Some(hash(&fetched.body));
        } else {
            // Half an answer must not make the next one "not changed".
            (self.etag, self.last_modified, self.body) = (None, None, None);
        }
    }
}

fn parse(fetched: &Fetched) -> Result<FeedRead, PollError> {
    feed::read(&fetched.body, fetched.content_type.as_deref(), &fetched.final_url)
}

/// The feed that a page names first.
fn named_by(page: &Fetched) -> Option<String> {
    let text = http::text_of(&page.body, page.content_type.as_deref());
    discover::feeds(&text, &page.final_url).into_iter().next().map(|found| found.url)
}

fn no_answer(error: FetchError) -> PollError {
    match error {
        FetchError::Busy => PollError::Busy,
        FetchError::Paused(left) => PollError::RateLimited { retry_after: Some(left) },
        FetchError::Refused(_) => PollError::Refused("den leder till en adress på ett inre nät".to_owned()),
        FetchError::Address(_) => PollError::Refused("det är ingen webbadress".to_owned()),
        FetchError::Redirects => PollError::Unreadable("den skickar oss runt i en ring".to_owned()),
        FetchError::TooLarge(cap) => PollError::Unreadable(format!("svaret är större än {} MB", cap / (1024 * 1024))),
        fault @ (FetchError::TimedOut(_) | FetchError::Unreachable(_)) => {
            PollError::Unreachable(fault.swedish().to_owned())
        }
    }
}

/// What an error status means for a source; `None` for a good one.
fn refusal(fetched: &Fetched, now: Time) -> Option<PollError> {
    let status = fetched.status;
    let wait = fetched.retry_after.as_deref().and_then(|value| politeness::retry_after(value, now));
    let reddit = host(&fetched.final_url).is_some_and(|host| host == "reddit.com" || host.ends_with(".reddit.com"));
    Some(match status {
        200..=299 | 304 => return None,
        403 if fetched.challenged => PollError::Blind("servern kräver en webbläsare (Cloudflare)".to_owned()),
        429 => PollError::RateLimited { retry_after: wait },
        403 if reddit => PollError::RateLimited { retry_after: Some(wait.unwrap_or(REDDIT_WAIT)) },
        401 | 403 | 407 | 451 => PollError::Unauthorized(format!("svar {status}")),
        410 => PollError::Gone,
        404 => PollError::Unreachable("sidan finns inte (404)".to_owned()),
        408 | 500.. if wait.is_some() => PollError::RateLimited { retry_after: wait },
        408 | 500.. => PollError::Unreachable(format!("fel hos servern ({status})")),
        _ => PollError::Unreadable(format!("oväntat svar ({status})")),
    })
}

fn host(url: &str) -> Option<String> {
    url::Url::parse(url).ok()?.host_str().map(str::to_owned)
}

fn hash(body: &[u8]) -> String {
    hex(&Sha256::digest(body)[..16])
}

#[cfg(test)]
#[path = "feed_source_tests.rs"]
mod tests;
