//! The posts of a case as its page shows them: what was said, what a reason points at, and what it said before.

use super::words;
use crate::case::store::CaseRow;
use crate::classification::Classification;
use crate::clock::Time;
use crate::mention::Span;
use crate::mention::store::Mention;
use crate::mention::version_store::Version;

/// Letters of a post that are shown.
const POST_MAX: usize = 6_000;

/// A stretch of a post, with or without a mark.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece {
    /// A reason points at it.
    pub marked: bool,
    /// Its words.
    pub text: String,
}

impl Piece {
    /// A stretch without a mark.
    pub(super) fn plain(text: &str) -> Self {
        Self { marked: false, text: text.to_owned() }
    }
}

/// A post of the thread.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) who: String,
    pub(super) machine: String,
    pub(super) when: String,
    pub(super) channel: String,
    pub(super) title: String,
    pub(super) pieces: Vec<Piece>,
    pub(super) url: Option<String>,
    pub(super) gone: String,
    pub(super) earlier: Vec<Before>,
}

/// What a post said before it was changed.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) when: String,
    pub(super) text: String,
}

/// What the page reads of a hearing that was kept as JSON; unknown fields are let be.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Heard {
    #[serde(default)]
    pub(super) words: Vec<Span>,
    #[serde(default)]
    pub(super) because: Vec<String>,
}

/// A post as the thread shows it; the one that the case is about with what the reasons point at.
pub(super) fn post(
    mention: &Mention,
    case: &CaseRow,
    verdict: Option<&Classification>,
    heard: Option<&Heard>,
    now: Time,
) -> Post {
    let first = mention.id == case.mention_id;
    let spans: Vec<&Span> = if first {
        verdict.iter().flat_map(|v| v.spans.iter()).chain(heard.iter().flat_map(|h| h.words.iter())).collect()
    } else {
        Vec::new()
    };
    let who = if mention.own { "Vi".to_owned() } else { mention.author.clone().unwrap_or_default() };
    Post {
        who,
        machine: words::machine(mention.authored_at),
        when: words::moment(mention.authored_at, now),
        channel: words::channel(&mention.channel),
        title: mention.title.clone().unwrap_or_default(),
        pieces: pieces(&mention.body, &spans),
        url: mention.url.as_deref().and_then(outside),
        gone: String::new(),
        earlier: Vec::new(),
    }
}

/// A version as it is shown under the post that has replaced it.
pub(super) fn before(version: &Version, now: Time) -> Before {
    Before { when: words::moment(version.said_at, now), text: version.body.chars().take(POST_MAX).collect() }
}

/// An address that a person may follow: a web page, never a script.
pub(super) fn outside(url: &str) -> Option<String> {
    url::Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https")).map(String::from)
}

/// The post in stretches, those that a reason points at marked. Spans that do not fit the text are let be.
pub(super) fn pieces(text: &str, spans: &[&Span]) -> Vec<Piece> {
    let end = text.char_indices().nth(POST_MAX).map_or(text.len(), |(at, _)| at);
    let mut spans: Vec<(usize, usize)> = spans
        .iter()
        .map(|span| (span.start, span.end))
        .filter(|(start, stop)| {
            start < stop && *stop <= end && text.is_char_boundary(*start) && text.is_char_boundary(*stop)
        })
        .collect();
    spans.sort_unstable();
    let mut pieces = Vec::with_capacity(spans.len() * 2 + 1);
    let mut at = 0;
    let mut push = |from: usize, to: usize, marked: bool| {
        if let Some(text) = text.get(from..to).filter(|text| !text.is_empty()) {
            pieces.push(Piece { marked, text: text.to_owned() });
        }
    };
    for (start, stop) in spans {
        if stop <= at {
            continue;
        }
        push(at, start.max(at), false);
        push(start.max(at), stop, true);
        at = stop;
    }
    push(at, end, false);
    if end < text.len() {
        pieces.push(Piece { marked: false, text: " … läs resten i kanalen.".to_owned() });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: usize, end: usize) -> Span {
        Span { start, end, sign: "topic".into() }
    }

    fn drawn(text: &str, spans: &[Span]) -> String {
        let spans: Vec<&Span> = spans.iter().collect();
        pieces(text, &spans).iter().map(|p| if p.marked { format!("[{}]", p.text) } else { p.text.clone() }).collect()
    }

    #[test]
    fn the_words_that_a_reason_rests_on_are_marked_once() {
        assert_eq!(drawn("brunt vatten i Nol", &[span(15, 18), span(0, 12), span(6, 12)]), "[brunt vatten] i [Nol]");
    }

    #[test]
    fn spans_that_do_not_fit_the_text_are_let_be() {
        assert_eq!(drawn("å vad", &[span(1, 3), span(0, 99), span(4, 2)]), "å vad");
    }

    #[test]
    fn a_script_is_no_address_to_follow() {
        assert_eq!(outside("javascript:alert(1)"), None);
        assert_eq!(outside("https://example.se/a").as_deref(), Some("https://example.se/a"));
    }
}
