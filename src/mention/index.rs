//! All terms of all rules at once: a post is read word by word, and each word is looked up by its hash.
//!
//! A word costs one bit test when nobody watches it, however many terms there are. Wildcards are found by the first
//! or last three letters of a word, phrases by their longest word. Hits are exact: a hash only says where to look.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::forms;
use super::query::{Case, Forms, Word};
use super::token::{self, Mark, Part, STEM, Token};

/// Most hits kept of one post: a post that says our words ten thousand times is not heard better by one more.
const MAX_HITS: usize = 10_000;

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

/// One way in which a word of a term can stand in a text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Pattern {
    Whole(Box<str>),
    /// Begins with, then holds, then ends with these letters; one of the ends has [`STEM`] letters or more.
    Around {
        head: Box<str>,
        middle: Box<str>,
        tail: Box<str>,
    },
    /// One letter wrong.
    Misspelt(Box<str>),
}

#[derive(Debug)]
struct Watched {
    patterns: Box<[Pattern]>,
    exact: Option<Box<str>>,
    /// Letters, for choosing anchors.
    length: usize,
    mark: Option<Mark>,
    /// Words one letter away that are words of their own.
    unlike: Box<[Box<str>]>,
}

#[derive(Debug)]
struct Phrase {
    words: Box<[u32]>,
    /// Which of the words is looked up; the others are compared when it is found.
    anchor: u32,
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
        let patterns: BTreeSet<Pattern> = patterns(word);
        let misspelt = patterns.iter().any(|pattern| matches!(pattern, Pattern::Misspelt(_)));
        let unlike = if misspelt { self.neighbours(word) } else { Box::default() };
        let exact = (word.case == Case::Exact).then(|| word.letters.clone().into_boxed_str());
        let length = word.letters.chars().count();
        self.watched.push(Watched { patterns: patterns.into_iter().collect(), exact, length, mark, unlike });
        self.words.insert(key, number);
        number
    }

    fn neighbours(&self, word: &Word) -> Box<[Box<str>]> {
        let spellings = spellings(&word.letters);
        let near = |other: &&String| spellings.iter().any(|own| forms::one_letter_apart(own, other.chars()));
        self.unlike.iter().filter(near).map(|other| other.clone().into_boxed_str()).collect()
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
        let starred = |word: &u32| {
            let patterns = self.watched.get(*word as usize).map(|watched| &watched.patterns);
            patterns.is_some_and(|all| all.iter().any(|pattern| matches!(pattern, Pattern::Around { .. })))
        };
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

fn spellings(letters: &str) -> Vec<String> {
    let mut all = forms::unaccented(letters);
    all.push(letters.to_owned());
    all
}

fn patterns(word: &Word) -> BTreeSet<Pattern> {
    let folded = token::fold(&word.letters);
    if let Some((head, rest)) = folded.split_once('*') {
        if word.forms == Forms::Noun {
            return forms::of_noun(rest).into_iter().map(|tail| around(head, "", &tail)).collect();
        }
        let (middle, tail) = rest.split_once('*').unwrap_or(("", rest));
        return BTreeSet::from([around(head, middle, tail)]);
    }
    let whole = |form: String| Pattern::Whole(form.into_boxed_str());
    let names = || forms::of_name(&folded);
    match word.forms {
        Forms::Written => BTreeSet::from([whole(folded)]),
        Forms::Noun => forms::of_noun(&folded).into_iter().map(whole).collect(),
        Forms::Name => names().into_iter().map(whole).collect(),
        Forms::Unaccented | Forms::Misspelt => {
            let mut all: BTreeSet<Pattern> = names().into_iter().flat_map(|form| spellings(&form)).map(whole).collect();
            if word.forms == Forms::Misspelt && folded.chars().count() >= forms::MISSPELT_LETTERS {
                all.extend(spellings(&folded).into_iter().map(|form| Pattern::Misspelt(form.into_boxed_str())));
            }
            all
        }
    }
}

fn around(head: &str, middle: &str, tail: &str) -> Pattern {
    Pattern::Around { head: head.into(), middle: middle.into(), tail: tail.into() }
}

/// A word's number and which of its patterns.
type Way = (u32, u32);

/// Where to look each pattern up.
#[derive(Debug, Default)]
struct Keys {
    whole: Vec<(u64, Way)>,
    heads: Vec<(u64, Way)>,
    tails: Vec<(u64, Way)>,
}

impl Keys {
    fn add(&mut self, pattern: &Pattern, way: Way) {
        match pattern {
            Pattern::Whole(letters) => self.whole.push((token::hash_of(letters), way)),
            Pattern::Around { head, .. } if head.chars().count() >= STEM => {
                self.heads.push((token::head_of(head), way));
            }
            Pattern::Around { tail, .. } => self.tails.push((token::tail_of(tail), way)),
            Pattern::Misspelt(letters) => {
                self.heads.push((token::head_of(letters), way));
                self.tails.push((token::tail_of(letters), way));
            }
        }
    }
}

/// Words by key, behind a row of bits that is sized with the keys, so that a miss costs the same however many.
#[derive(Debug)]
struct Lookup {
    bits: Box<[u64]>,
    shift: u32,
    ranges: FxHashMap<u64, (u32, u32)>,
    ways: Box<[Way]>,
}

impl Lookup {
    fn of(mut pairs: Vec<(u64, Way)>) -> Self {
        pairs.sort_unstable();
        pairs.dedup();
        // Sixteen bits a key leave one miss in sixteen to the table behind.
        let places = (pairs.len() * 16).next_power_of_two().max(64);
        let shift = 64 - places.trailing_zeros();
        let mut lookup = Self {
            bits: vec![0; places / 64].into(),
            shift,
            ranges: FxHashMap::default(),
            ways: pairs.iter().map(|pair| pair.1).collect(),
        };
        for (index, (key, _)) in (0_u32..).zip(&pairs) {
            let (word, bit) = lookup.bit(*key);
            if let Some(bits) = lookup.bits.get_mut(word) {
                *bits |= bit;
            }
            lookup.ranges.entry(*key).or_insert((index, index)).1 = index + 1;
        }
        lookup
    }

    #[inline]
    fn bit(&self, key: u64) -> (usize, u64) {
        let mixed = key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift;
        ((mixed >> 6) as usize, 1 << (mixed & 63))
    }

    #[inline]
    fn get(&self, key: u64) -> &[Way] {
        let (word, bit) = self.bit(key);
        if self.bits.get(word).is_none_or(|bits| bits & bit == 0) {
            return &[];
        }
        let Some((from, to)) = self.ranges.get(&key) else { return &[] };
        self.ways.get(*from as usize..*to as usize).unwrap_or_default()
    }

    fn bytes(&self) -> usize {
        self.bits.len() * 8 + self.ways.len() * 8 + self.ranges.capacity() * 17
    }
}

/// Where the words of some terms are looked up.
#[derive(Debug)]
struct Layer {
    whole: Lookup,
    heads: Lookup,
    tails: Lookup,
}

impl From<Keys> for Layer {
    fn from(keys: Keys) -> Self {
        Self { whole: Lookup::of(keys.whole), heads: Lookup::of(keys.heads), tails: Lookup::of(keys.tails) }
    }
}

impl Layer {
    fn bytes(&self) -> usize {
        self.whole.bytes() + self.heads.bytes() + self.tails.bytes()
    }
}

/// Every term of every rule, ready to be found.
#[derive(Debug)]
pub struct Index {
    all: Layer,
    /// Only the terms that can make a rule match; most posts hold none of them and are done.
    waking: Layer,
    watched: Box<[Watched]>,
    /// For each word the phrases that are looked up by it.
    anchored: Box<[Box<[u32]>]>,
    phrases: Box<[Phrase]>,
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
        let patterns: usize = self.watched.iter().map(|word| word.patterns.len() * 72 + 72).sum();
        self.all.bytes() + self.waking.bytes() + patterns + self.phrases.len() * 56
    }

    /// Every term that stands in the post, sorted by term and place, into a list that the caller uses again.
    pub fn hits(&self, read: Read<'_>, into: &mut Vec<Hit>) {
        self.hits_in(&self.all, read, into);
    }

    /// Only the terms that can make a rule match, and those that share a word with them.
    pub fn wakes(&self, read: Read<'_>, into: &mut Vec<Hit>) {
        self.hits_in(&self.waking, read, into);
    }

    fn hits_in(&self, layer: &Layer, read: Read<'_>, into: &mut Vec<Hit>) {
        into.clear();
        for (at, token) in read.tokens.iter().enumerate() {
            self.look(layer.whole.get(token.hash), read, at, into);
            if token.head != 0 {
                self.look(layer.heads.get(token.head), read, at, into);
                self.look(layer.tails.get(token.tail), read, at, into);
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
        let written = read.written(token);
        watched.takes(token, written) && watched.patterns.iter().any(|pattern| watched.fits(pattern, written))
    }
}

impl Watched {
    /// Whether the token is written as the word wants: with `@`, with `#`, in just this case.
    fn takes(&self, token: &Token, written: &str) -> bool {
        let mark = match token.mark {
            Mark::Handle | Mark::Address => self.mark == Some(token.mark),
            Mark::Hashtag => self.mark.is_none_or(|mark| mark == Mark::Hashtag),
            Mark::Plain => self.mark.is_none(),
        };
        mark && self.exact.as_ref().is_none_or(|exact| token::composed(written).eq(exact.chars()))
    }

    fn fits(&self, pattern: &Pattern, written: &str) -> bool {
        matches(pattern, written, &self.unlike)
    }
}

fn follows(tokens: &[Token], first: usize, here: usize) -> bool {
    match (tokens.get(first), tokens.get(here)) {
        (Some(first_token), Some(token)) => (token.position - first_token.position) as usize == here - first,
        _ => false,
    }
}

fn matches(pattern: &Pattern, written: &str, unlike: &[Box<str>]) -> bool {
    match pattern {
        Pattern::Whole(letters) => token::folded(written).eq(letters.chars()),
        Pattern::Around { head, middle, tail } if middle.is_empty() && tail.is_empty() => {
            let mut folded = token::folded(written);
            head.chars().all(|letter| folded.next() == Some(letter))
        }
        Pattern::Around { head, middle, tail } if head.is_empty() && middle.is_empty() && written.is_ascii() => {
            let start = written.len().checked_sub(tail.len());
            start.and_then(|start| written.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(tail))
        }
        Pattern::Around { head, middle, tail } => {
            let folded = token::fold(written);
            let inside = folded.strip_prefix(&**head).and_then(|rest| rest.strip_suffix(&**tail));
            inside.is_some_and(|inside| inside.contains(&**middle))
        }
        Pattern::Misspelt(letters) => {
            forms::one_letter_apart(letters, token::folded(written))
                && !unlike.iter().any(|other| token::folded(written).eq(other.chars()))
        }
    }
}
