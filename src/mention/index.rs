//! All terms of all rules at once: a post is read word by word, and each word is looked up by its hash.
//!
//! A word costs one look into a sieve of bits when nobody watches it, however many terms there are. Wildcards are found
//! by the first or last three letters of a word, phrases by their longest word. Hits are exact: a hash only says where
//! to look.

use std::ops::ControlFlow;

use super::lookup::{Layer, Way};
use super::spelling::Watched;
use super::terms::Phrase;
pub use super::terms::{Builder, Term};
use super::token::{self, Part, Token};

/// Most hits kept of one post: a post that says our words ten thousand times is not heard better by one more.
const MAX_HITS: usize = 10_000;

/// A term found: which, and from which to which token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// Number that [`Builder::add`] gave the term.
    pub term: u32,
    /// Index of its first token.
    pub first: u32,
    /// Index of its last token.
    pub last: u32,
}

/// A post cut into words, with the texts that the words stand in.
#[derive(Debug, Clone, Copy)]
pub struct Read<'a> {
    /// Headline.
    pub title: &'a str,
    /// Text.
    pub text: &'a str,
    /// The words of both.
    pub tokens: &'a [Token],
}

impl<'a> Read<'a> {
    /// The letters of a token as they were written.
    #[must_use]
    pub fn written(&self, token: &Token) -> &'a str {
        let whole = if token.part == Part::Title { self.title } else { self.text };
        whole.get(token.start..token.end).unwrap_or_default()
    }
}

/// Every term of every rule, ready to be found.
#[derive(Debug)]
pub struct Index {
    pub(super) all: Layer,
    /// Only the terms that can make a rule match; most posts hold none of them and are done.
    pub(super) waking: Layer,
    pub(super) watched: Box<[Watched]>,
    /// For each word the phrases that are looked up by it.
    pub(super) anchored: Box<[Box<[u32]>]>,
    pub(super) phrases: Box<[Phrase]>,
}

impl Index {
    /// How many terms there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.phrases.len()
    }

    /// True when nothing is watched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.phrases.is_empty()
    }

    /// A rough count of the memory it holds, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let words: usize = self.watched.iter().map(Watched::bytes).sum();
        let anchored: usize = self.anchored.iter().map(|phrases| phrases.len() * 4 + 16).sum();
        let phrases: usize = self.phrases.iter().map(|phrase| phrase.words.len() * 4 + size_of::<Phrase>()).sum();
        self.all.bytes() + self.waking.bytes() + words + anchored + phrases
    }

    /// Whether a word of the text may be one without which no rule matches. No is certain; yes is not: what stands
    /// beside the word and how it is marked is not looked at. `words` is how many were read.
    #[must_use]
    pub fn stirs(&self, text: &str, words: &mut usize) -> bool {
        let layer = &self.waking;
        let fits = |ways: &[Way], token: &Token| {
            ways.iter().any(|(word, way)| {
                let watched = self.watched.get(*word as usize);
                let written = text.get(token.start..token.end).unwrap_or_default();
                watched.is_some_and(|watched| {
                    watched.patterns.get(*way as usize).is_some_and(|pattern| watched.fits(pattern, written))
                })
            })
        };
        let ends = !layer.heads.is_empty() || !layer.tails.is_empty();
        let found = token::each(text, &mut |token| {
            *words += 1;
            let found = !layer.whole.get(token.hash).is_empty()
                || (ends
                    && token.head != 0
                    && (fits(layer.heads.get(token.head), &token) || fits(layer.tails.get(token.tail), &token)));
            if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        found.is_break()
    }

    /// Every term that stands in the post, sorted by term and place, into a list that the caller uses again.
    pub fn hits(&self, read: Read<'_>, into: &mut Vec<Hit>) {
        into.clear();
        let ends = !self.all.heads.is_empty() || !self.all.tails.is_empty();
        for (at, token) in read.tokens.iter().enumerate() {
            self.look(self.all.whole.get(token.hash), read, at, into);
            if ends && token.head != 0 {
                self.look(self.all.heads.get(token.head), read, at, into);
                self.look(self.all.tails.get(token.tail), read, at, into);
            }
            if into.len() >= MAX_HITS {
                break;
            }
        }
        if into.len() > 1 {
            into.sort_unstable();
            into.dedup();
        }
    }

    #[inline]
    fn look(&self, ways: &[Way], read: Read<'_>, at: usize, into: &mut Vec<Hit>) {
        for (word, way) in ways {
            let (Some(watched), Some(token)) = (self.watched.get(*word as usize), read.tokens.get(at)) else {
                continue;
            };
            let written = read.written(token);
            let pattern = watched.patterns.get(*way as usize);
            if watched.takes(token, written) && pattern.is_some_and(|pattern| watched.fits(pattern, written)) {
                self.phrases_at(*word, read, at, into);
            }
        }
    }

    fn phrases_at(&self, word: u32, read: Read<'_>, at: usize, into: &mut Vec<Hit>) {
        for number in self.anchored.get(word as usize).into_iter().flatten() {
            let Some(phrase) = self.phrases.get(*number as usize) else { continue };
            let Some(first) = at.checked_sub(phrase.anchor as usize) else { continue };
            let stands = phrase.words.len() == 1
                || phrase.words.iter().enumerate().all(|(offset, part)| {
                    let here = first + offset;
                    (here == at || self.is(*part, read, here)) && follows(read.tokens, first, here)
                });
            if stands
                && let (Ok(first), Ok(last)) = (u32::try_from(first), u32::try_from(first + phrase.words.len() - 1))
            {
                into.push(Hit { term: *number, first, last });
            }
        }
    }

    /// Whether the token at `at` is the word.
    fn is(&self, word: u32, read: Read<'_>, at: usize) -> bool {
        let (Some(watched), Some(token)) = (self.watched.get(word as usize), read.tokens.get(at)) else { return false };
        watched.is(token, read.written(token))
    }
}

fn follows(tokens: &[Token], first: usize, here: usize) -> bool {
    match (tokens.get(first), tokens.get(here)) {
        (Some(first_token), Some(token)) => (token.position - first_token.position) as usize == here - first,
        _ => false,
    }
}
