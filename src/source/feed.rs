//! A feed as it came (RSS, RDF, Atom, JSON Feed) to posts as we read them.

use std::collections::HashSet;
use std::sync::Arc;

use url::Url;

use crate::clock::Time;
use crate::http;
use crate::source::reduce::{self, Markup};
use crate::source::{Kind, PollError, Post, feed_json, feed_xml, native_id};

/// Items of one reading: a paper publishes some 200 a day, and the rest is read the next time.
pub const ITEMS: usize = 500;
/// Characters of an item's text: some ten pages, and never more than the feed gives.
pub const TEXT_CHARACTERS: usize = 20_000;
/// Characters of a headline, a name and a tag.
const TITLE_CHARACTERS: usize = 500;
/// Bytes of an address that a browser still takes.
const URL_BYTES: usize = 2_000;

/// What a feed said.
#[derive(Debug, Clone, Default)]
pub struct FeedRead {
    /// Its own name.
    pub title: Option<String>,
    /// BCP 47 tag.
    pub language: Option<String>,
    /// Oldest first; one post an id.
    pub posts: Vec<Post>,
    /// Minutes that it wants to be left in peace.
    pub ttl_minutes: Option<u32>,
    /// Hours of the day, UTC, when it wants to be left in peace.
    pub skip_hours: Vec<u8>,
    /// In Swedish, when a person should look although there were posts: broken off, or longer than [`ITEMS`].
    pub remark: Option<String>,
}

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Html,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawText {
    pub(super) words: String,
    pub(super) form: Form,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RawItem {
    pub(super) id: Option<String>,
    pub(super) link: Option<String>,
    pub(super) title: Option<RawText>,
    pub(super) summary: Option<RawText>,
    pub(super) content: Option<RawText>,
    /// What stands in when there is neither summary nor content.
    pub(super) fallback: Option<RawText>,
    pub(super) authors: Vec<String>,
    pub(super) language: Option<String>,
    pub(super) published: Option<Time>,
    pub(super) updated: Option<Time>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RawFeed {
    pub(super) title: Option<RawText>,
    pub(super) language: Option<String>,
    pub(super) author: Option<String>,
    pub(super) ttl_minutes: Option<u32>,
    pub(super) skip_hours: Vec<u8>,
    pub(super) items: Vec<RawItem>,
    /// An item was lost, or the end.
    pub(super) broken: bool,
    /// There were more items than we take.
    pub(super) more: bool,
}

/// Reads a feed, at most [`ITEMS`] of it. `base_url` is the address it came from: relative links lean on it and its
/// host stands in ids that others may use too. The channel of the posts is left empty.
///
/// # Errors
/// `Blind` when it is a web page instead of a feed, `Unreadable` when it is neither.
pub fn read(bytes: &[u8], content_type: Option<&str>, base_url: &str) -> Result<FeedRead, PollError> {
    read_up_to(ITEMS, bytes, content_type, base_url)
}

/// As [`read`], with another bound on the number of items.
///
/// # Errors
/// As [`read`].
pub fn read_up_to(
    items: usize,
    bytes: &[u8],
    content_type: Option<&str>,
    base_url: &str,
) -> Result<FeedRead, PollError> {
    let text = http::text_of(bytes, content_type);
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let raw = match text.as_bytes().first() {
        None => return Err(PollError::Unreadable("tomt svar".to_owned())),
        Some(b'{') => feed_json::read(text, items),
        Some(_) if is_page(text) => return Err(PollError::Blind("en webbsida i stället för ett flöde".to_owned())),
        // Some servers print warnings before the feed.
        Some(_) => text.find('<').and_then(|at| feed_xml::read(text.get(at..).unwrap_or_default(), items)),
    };
    let raw = raw.ok_or_else(|| PollError::Unreadable("varken RSS, Atom eller JSON Feed".to_owned()))?;
    Ok(tidy(raw, base_url, items))
}

/// True for HTML, whatever the server calls it.
#[must_use]
pub fn is_page(text: &str) -> bool {
    let mut head = text.trim_start();
    // Comments and processing instructions may stand before; ten of them are enough.
    for _ in 0..10 {
        let end = if head.starts_with("<!--") {
            "-->"
        } else if head.starts_with("<?") {
            "?>"
        } else {
            break;
        };
        match head.split_once(end) {
            Some((_, after)) => head = after.trim_start(),
            None => return false,
        }
    }
    let begins = |start: &str| head.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start));
    begins("<!doctype html") || begins("<html") || begins("<head") || begins("<body")
}

fn tidy(raw: RawFeed, base_url: &str, items: usize) -> FeedRead {
    let base = Url::parse(base_url).ok().map(Arc::new);
    let host = base.as_deref().and_then(Url::host_str).unwrap_or_default().trim_start_matches("www.").to_owned();
    let language = raw.language.as_deref().and_then(tag);
    let mut seen = HashSet::new();
    let mut posts: Vec<Post> = raw
        .items
        .into_iter()
        .map(|item| post(item, raw.author.as_deref(), language.as_deref(), base.as_ref(), &host))
        .filter(|post| post.title.is_some() || !post.text.is_empty() || post.url.is_some())
        .filter(|post| seen.insert(post.native_id.clone()))
        .collect();
    posts.reverse(); // feeds put the newest first
    posts.sort_by_key(|post| post.authored_at); // stable: those without a date keep the feed's own order
    FeedRead {
        title: raw.title.as_ref().map(headline).filter(|title| !title.is_empty()),
        language,
        posts,
        ttl_minutes: raw.ttl_minutes,
        skip_hours: raw.skip_hours,
        remark: match (raw.broken, raw.more) {
            (true, _) => Some("Flödet är trasigt; någon post kan saknas.".to_owned()),
            (_, true) => Some(format!("Flödet har fler än {items} poster; de äldsta läses inte.")),
            _ => None,
        },
    }
}

fn post(
    item: RawItem,
    feed_author: Option<&str>,
    feed_language: Option<&str>,
    base: Option<&Arc<Url>>,
    host: &str,
) -> Post {
    let url = item.link.as_deref().and_then(|link| address(link, base.map(Arc::as_ref))).or_else(|| {
        // A guid that is an address stands in for a missing link.
        item.id.as_deref().filter(|id| id.starts_with("http")).and_then(|id| address(id, base.map(Arc::as_ref)))
    });
    let title = item.title.as_ref().map(headline).filter(|title| !title.is_empty());
    let said = || format!("{}\n{:?}", title.as_deref().unwrap_or_default(), item.published);
    let native_id = native_id::of(item.id.as_deref(), url.as_deref(), host, said);
    let (text, markup) = body_of([item.content, item.summary, item.fallback], base);
    let author = if item.authors.is_empty() { feed_author.map(person) } else { names(&item.authors) };
    Post {
        native_id,
        url,
        title,
        text,
        markup,
        author,
        kind: Kind::Article,
        language: item.language.as_deref().and_then(tag).or_else(|| feed_language.map(str::to_owned)),
        authored_at: item.published.or(item.updated),
        updated_at: item.updated.or(item.published),
        ..Post::default()
    }
}

fn reduced(text: &RawText) -> String {
    match text.form {
        Form::Html => reduce::text_of(&text.words),
        Form::Plain => reduce::tidy(&text.words),
    }
}

/// The first of them that says anything: some feeds put only a picture in the content, and the words in the summary.
fn body_of(bodies: [Option<RawText>; 3], base: Option<&Arc<Url>>) -> (String, Option<Markup>) {
    for body in bodies.into_iter().flatten() {
        let text = reduced(&body);
        if !text.is_empty() {
            let markup = (body.form == Form::Html).then(|| Markup::new(body.words, base.cloned()));
            return (reduce::shortened(text, TEXT_CHARACTERS), markup);
        }
    }
    (String::new(), None)
}

fn headline(title: &RawText) -> String {
    let mut line = reduced(title);
    if line.contains('\n') {
        line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    reduce::shortened(line, TITLE_CHARACTERS)
}

fn address(link: &str, base: Option<&Url>) -> Option<String> {
    let link = link.trim();
    if link.len() <= URL_BYTES && is_canonical(link) {
        return Some(link.to_owned());
    }
    let url = match Url::parse(link) {
        Ok(url) => url,
        Err(_) => base?.join(link).ok()?,
    };
    (matches!(url.scheme(), "http" | "https") && url.as_str().len() <= URL_BYTES).then(|| url.into())
}

/// Whether an address is certainly written as [`Url`] would write it, as nearly all are: then it need not be taken
/// apart and put together.
fn is_canonical(link: &str) -> bool {
    let Some(rest) = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://")) else { return false };
    let Some((host, path)) = rest.split_once('/') else { return false };
    let lower = |byte: u8| byte.is_ascii_lowercase();
    let label = |label: &str| !label.is_empty() && label.bytes().all(|byte| lower(byte) || byte.is_ascii_digit());
    let named = host.rsplit('.').next().is_some_and(|last| last.bytes().all(lower));
    let plain = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'/' | b'?' | b'=' | b'&' | b'.' | b',' | b'+' | b':')
    };
    named && host.split('.').all(label) && path.bytes().all(plain) && !path.starts_with('.') && !path.contains("/.")
}

/// `mail@a.example (Name)` and `Name <mail@a.example>` are Name.
fn person(text: &str) -> String {
    let text = text.trim();
    let name = match (text.split_once('('), text.split_once('<')) {
        (Some((mail, name)), _) if mail.contains('@') => name.trim_end_matches(')'),
        (_, Some((name, mail))) if mail.contains('@') && !name.trim().is_empty() => name,
        _ => text,
    };
    reduce::shortened(reduce::text_of(name), TITLE_CHARACTERS)
}

fn names(authors: &[String]) -> Option<String> {
    let mut names: Vec<String> = Vec::new();
    for name in authors.iter().take(5).map(|author| person(author)) {
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    (!names.is_empty()).then(|| names.join(", "))
}

/// A language tag as BCP 47 writes it; what is none is nothing.
fn tag(text: &str) -> Option<String> {
    let text = text.trim().replace('_', "-");
    let shaped = (2..=35).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !shaped {
        return None;
    }
    Some(match text.split_once('-') {
        Some((language, region)) if region.len() == 2 => {
            format!("{}-{}", language.to_ascii_lowercase(), region.to_ascii_uppercase())
        }
        _ => text.to_ascii_lowercase(),
    })
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
