//! The feeds that a web page names in its head.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use url::Url;

/// More than these are not looked at: a page that names a hundred feeds is a list, not a page with a feed.
const FEEDS: usize = 20;
/// Feeds are named in the head, which ends long before this.
const PAGE_BYTES: usize = 512 * 1024;

/// A feed that a page names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub url: String,
    /// What the page calls it.
    pub title: String,
}

/// The feeds of a page, in its own order but with those of comments last: they are never what was meant.
#[must_use]
pub fn feeds(page: &str, page_url: &str) -> Vec<Found> {
    let Ok(url) = Url::parse(page_url) else { return Vec::new() };
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(super::reduce::cut(page, PAGE_BYTES)));
    let tokenizer =
        Tokenizer::new(Sink(RefCell::new(State { base: url, found: Vec::new() })), TokenizerOpts::default());
    let _ = tokenizer.feed(&input); // the sink never asks it to stop
    tokenizer.end();
    let mut found = tokenizer.sink.0.into_inner().found;
    found.sort_by_key(|feed| {
        let words = format!("{} {}", feed.url, feed.title).to_lowercase();
        words.contains("comment") || words.contains("kommentar")
    });
    found
}

struct State {
    base: Url,
    found: Vec<Found>,
}

struct Sink(RefCell<State>);

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        if let Token::TagToken(tag) = token
            && tag.kind == TagKind::StartTag
        {
            self.0.borrow_mut().tag(&tag);
        }
        TokenSinkResult::Continue
    }
}

impl State {
    fn tag(&mut self, tag: &Tag) {
        match &*tag.name {
            "base" => {
                if let Some(base) = attribute(tag, "href").and_then(|href| self.base.join(&href).ok()) {
                    self.base = base;
                }
            }
            "link" if self.found.len() < FEEDS => self.link(tag),
            _ => {}
        }
    }

    fn link(&mut self, tag: &Tag) {
        let rel = attribute(tag, "rel").unwrap_or_default().to_ascii_lowercase();
        let mut rels = rel.split_ascii_whitespace();
        let form = attribute(tag, "type").unwrap_or_default().to_ascii_lowercase();
        let form = form.split(';').next().unwrap_or_default().trim();
        let feed = matches!(
            form,
            "application/rss+xml" | "application/atom+xml" | "application/rdf+xml" | "application/feed+json"
        );
        if !feed || !rels.any(|rel| rel == "alternate" || rel == "feed") {
            return;
        }
        let Some(url) = attribute(tag, "href").and_then(|href| self.base.join(href.trim()).ok()) else { return };
        let title = attribute(tag, "title").unwrap_or_default();
        if matches!(url.scheme(), "http" | "https") && self.found.iter().all(|found| found.url != url.as_str()) {
            self.found.push(Found { url: url.into(), title });
        }
    }
}

fn attribute(tag: &Tag, name: &str) -> Option<String> {
    tag.attrs.iter().find(|attribute| &*attribute.name.local == name).map(|attribute| attribute.value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_its_feeds_and_the_comments_come_last() {
        let page = r#"<!doctype html><head><base href="/nytt/"><link rel=stylesheet href=a.css>
            <LINK REL="Alternate" TYPE="application/rss+xml; charset=utf-8" title="Kommentarer" href="comments/feed">
            <link rel="alternate home" type="application/atom+xml" href="atom?a=1&amp;b=2" title="Nyheter">
            <link rel=alternate type="application/feed+json" href="https://b.example/feed.json">
            <link rel=alternate hreflang=en href="/en"><link rel=alternate type="application/rss+xml" href="javascript:x">"#;
        let urls: Vec<String> = feeds(page, "https://a.example/x").into_iter().map(|found| found.url).collect();
        assert_eq!(
            urls,
            [
                "https://a.example/nytt/atom?a=1&b=2",
                "https://b.example/feed.json",
                "https://a.example/nytt/comments/feed"
            ]
        );
    }

    #[test]
    fn a_page_without_feeds_names_none() {
        assert_eq!(feeds("<p>hej", "https://a.example"), []);
        assert_eq!(feeds("", "inte en adress"), []);
    }
}
