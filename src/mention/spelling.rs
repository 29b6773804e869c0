//! How a word of a term can stand in a text: as written, inflected, with a star, with a letter wrong.

use std::collections::BTreeSet;

use super::blocks;
use super::forms;
use super::query::{Case, Forms, Word};
use super::token::{self, Mark, STEM, Token};

/// One way in which a word of a term can stand in a text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Pattern {
    Whole(Box<str>),
    /// Begins with, then holds, then ends with these letters; one of the ends has [`STEM`] letters or more.
    Around {
        head: Box<str>,
        middle: Box<str>,
        tail: Box<str>,
    },
    /// One letter wrong, and the first or last [`STEM`] right.
    Misspelt(Box<str>),
}

impl Pattern {
    fn letters(&self) -> usize {
        match self {
            Self::Whole(letters) | Self::Misspelt(letters) => letters.len(),
            Self::Around { head, middle, tail } => head.len() + middle.len() + tail.len(),
        }
    }
}

/// A word of a term, ready to be compared.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) patterns: Box<[Pattern]>,
    exact: Option<Box<str>>,
    /// Letters, for choosing anchors.
    pub(super) length: usize,
    mark: Option<Mark>,
    /// Words one letter away that are words of their own.
    unlike: Box<[Box<str>]>,
}

impl Watched {
    /// A word to watch for. `unlike` are words of their own, which are never a misspelling of it.
    pub(super) fn new(word: &Word, mark: Option<Mark>, unlike: &BTreeSet<String>) -> Self {
        let patterns = patterns(word);
        let misspelt = patterns.iter().any(|pattern| matches!(pattern, Pattern::Misspelt(_)));
        Self {
            patterns: patterns.into_iter().collect(),
            exact: (word.case == Case::Exact).then(|| word.letters.clone().into_boxed_str()),
            length: word.letters.chars().count(),
            mark,
            unlike: if misspelt { neighbours(word, unlike) } else { Box::default() },
        }
    }

    /// Whether a star takes any letters of it.
    pub(super) fn is_starred(&self) -> bool {
        self.patterns.iter().any(|pattern| matches!(pattern, Pattern::Around { .. }))
    }

    /// Whether the token is the word, in one way or another.
    pub(super) fn is(&self, token: &Token, written: &str) -> bool {
        self.takes(token, written) && self.patterns.iter().any(|pattern| self.fits(pattern, written))
    }

    /// Roughly how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        let letters: usize = self.patterns.iter().map(Pattern::letters).sum();
        self.patterns.len() * size_of::<Pattern>() + size_of::<Self>() + letters
    }

    /// Whether the token is written as the word wants: with `@`, with `#`, in just this case.
    pub(super) fn takes(&self, token: &Token, written: &str) -> bool {
        let mark = match token.mark {
            Mark::Handle | Mark::Address => self.mark == Some(token.mark),
            Mark::Hashtag => self.mark.is_none_or(|mark| mark == Mark::Hashtag),
            Mark::Plain => self.mark.is_none(),
        };
        mark && self.exact.as_ref().is_none_or(|exact| token::composed(written).eq(exact.chars()))
    }

    pub(super) fn fits(&self, pattern: &Pattern, written: &str) -> bool {
        matches(pattern, written, &self.unlike)
    }
}

fn matches(pattern: &Pattern, written: &str, unlike: &[Box<str>]) -> bool {
    match pattern {
        Pattern::Whole(letters) => blocks::folds_to(written, letters) || token::folded(written).eq(letters.chars()),
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
                && shares_an_end(letters, &token::fold(written))
                && !unlike.iter().any(|other| token::folded(written).eq(other.chars()))
        }
    }
}
fn neighbours(word: &Word, unlike: &BTreeSet<String>) -> Box<[Box<str>]> {
    let spellings = spellings(&word.letters);
    let near = |other: &&String| spellings.iter().any(|own| forms::one_letter_apart(own, other.chars()));
    unlike.iter().filter(near).map(|other| other.clone().into_boxed_str()).collect()
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

fn shares_an_end(left: &str, right: &str) -> bool {
    left.chars().take(STEM).eq(right.chars().take(STEM))
        || left.chars().rev().take(STEM).eq(right.chars().rev().take(STEM))
}
