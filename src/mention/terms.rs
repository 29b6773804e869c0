//! Terms: what the rules watch for, gathered into one index.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::index::Index;
use super::lookup::Keys;
use super::query::{Case, Forms, Word};
use super::spelling::Watched;
use super::token::Mark;

/// What is watched for: words side by side, one of our accounts, or a hashtag.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Term {
    /// One word or several side by side.
    Words(Vec<Word>),
    /// `@name`, folded.
    Handle(String),
    /// `#tag`, folded.
    Tag(String),
}

/// The words of a term, by their numbers.
#[derive(Debug)]
pub(super) struct Phrase {
    pub(super) words: Box<[u32]>,
    /// Which of the words is looked up; the others are compared when it is found.
    pub(super) anchor: u32,
}

/// Gathers terms and builds the index.
#[derive(Debug, Default)]
pub struct Builder {
    terms: FxHashMap<Term, u32>,
    words: FxHashMap<(Word, Option<Mark>), u32>,
    watched: Vec<Watched>,
    phrases: Vec<Phrase>,
    unlike: BTreeSet<String>,
}

impl Builder {
    /// Says which words are never a misspelling of anything.
    pub fn unlike(&mut self, words: impl IntoIterator<Item = String>) {
        self.unlike.extend(words);
    }

    /// Adds a term; the same term has the same number.
    pub fn add(&mut self, term: &Term) -> u32 {
        if let Some(known) = self.terms.get(term) {
            return *known;
        }
        let words: Box<[u32]> = match term {
            Term::Words(words) => words.iter().map(|word| self.word(word, None)).collect(),
            Term::Handle(name) => [self.word(&plain(name), Some(Mark::Handle))].into(),
            Term::Tag(name) => [self.word(&plain(name), Some(Mark::Hashtag))].into(),
        };
        let number = u32::try_from(self.phrases.len()).unwrap_or(u32::MAX);
        self.phrases.push(Phrase { words, anchor: 0 });
        self.terms.insert(term.clone(), number);
        number
    }

    fn word(&mut self, word: &Word, mark: Option<Mark>) -> u32 {
        let key = (word.clone(), mark);
        if let Some(known) = self.words.get(&key) {
            return *known;
        }
        let number = u32::try_from(self.watched.len()).unwrap_or(u32::MAX);
        self.watched.push(Watched::new(word, mark, &self.unlike));
        self.words.insert(key, number);
        number
    }

    /// A phrase is looked up by the word that the fewest phrases have, and of those the longest: `torg` stands in
    /// hundreds, the name before it in one.
    fn choose_anchors(&mut self) {
        let mut uses = vec![0_usize; self.watched.len()];
        for word in self.phrases.iter().flat_map(|phrase| phrase.words.iter()) {
            if let Some(count) = uses.get_mut(*word as usize) {
                *count += 1;
            }
        }
        let rank = |word: u32| {
            let length = self.watched.get(word as usize).map_or(0, |watched| watched.length);
            (uses.get(word as usize).copied().unwrap_or(0), usize::MAX - length)
        };
        for phrase in &mut self.phrases {
            let best = (0_u32..).zip(phrase.words.iter()).min_by_key(|(_, word)| rank(**word));
            phrase.anchor = best.map_or(0, |(place, _)| place);
        }
    }

    /// How many terms were added.
    #[must_use]
    pub fn len(&self) -> usize {
        self.phrases.len()
    }

    /// True before the first term.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.phrases.is_empty()
    }

    /// How frequent a term is likely to be: 1 for plain words, more where a star takes any ending.
    #[must_use]
    pub fn breadth(&self, term: u32) -> usize {
        let words = self.phrases.get(term as usize).map(|phrase| &phrase.words);
        let starred = |word: &u32| self.watched.get(*word as usize).is_some_and(Watched::is_starred);
        if words.is_some_and(|words| words.iter().any(starred)) { 16 } else { 1 }
    }

    /// Builds the index of everything added. `waking` are the terms that [`Index::wakes`] looks for: the rare ones,
    /// without which no rule can match.
    #[must_use]
    pub fn build(mut self, waking: &[u32]) -> Index {
        self.choose_anchors();
        let mut waking_words: Vec<u32> = waking
            .iter()
            .filter_map(|term| self.phrases.get(*term as usize))
            .filter_map(|phrase| phrase.words.get(phrase.anchor as usize).copied())
            .collect();
        waking_words.sort_unstable();
        let (mut all, mut few) = (Keys::default(), Keys::default());
        for (number, watched) in (0_u32..).zip(&self.watched) {
            let wakes = waking_words.binary_search(&number).is_ok();
            for (place, pattern) in (0_u32..).zip(&watched.patterns) {
                all.add(pattern, (number, place));
                if wakes {
                    few.add(pattern, (number, place));
                }
            }
        }
        let mut anchored = vec![Vec::new(); self.watched.len()];
        for (number, phrase) in (0_u32..).zip(&self.phrases) {
            let word = phrase.words.get(phrase.anchor as usize).copied().unwrap_or(0);
            if let Some(list) = anchored.get_mut(word as usize) {
                list.push(number);
            }
        }
        Index {
            all: all.into(),
            waking: few.into(),
            watched: self.watched.into(),
            anchored: anchored.into_iter().map(Vec::into_boxed_slice).collect(),
            phrases: self.phrases.into(),
        }
    }
}

fn plain(name: &str) -> Word {
    Word { letters: name.to_owned(), case: Case::Any, forms: Forms::Written }
}
