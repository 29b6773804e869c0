//! The watch language: what it is made of, and how it is written out again.
//!
//! ```text
//! "ale kommun" OR @handles
//! Ales ONEAR/1 (skol* OR *boende~) NOT "ales stenar"
//! ```
//!
//! | written | means |
//! |---|---|
//! | `ord` | the word, in any case; å, ä, ö are letters of their own |
//! | `{SFI}` `{Ale El}` | exactly these letters, case and all |
//! | `"ale torg"` | these words side by side |
//! | `hemtjänst*` `*skola` `vinter*hållning` | any letters where the star stands; three letters must remain together |
//! | `kommun~` | a noun inflected: kommunen, kommunens, kommuner …; `*skola~` inflects the end of a compound |
//! | `Ale~` | with a capital: a name inflected: Ales, Alebo, Aleborna |
//! | `Nol~0` `Nödinge~1` | a name, also without dots and rings (Nodinge); `~1` also one letter wrong, from six letters |
//! | `a AND b`, `a OR b`, `NOT a` | also `OCH`, `ELLER`, `INTE`; NOT binds harder than AND, AND harder than OR |
//! | `a NEAR/8 b`, `a ONEAR/2 b` | at most that many words apart; ONEAR also in that order |
//! | `@beer` `@alekommun` | a word list, or one of our own accounts |
//! | `#ale`, `tag:ale` | the hashtag |
//! | `channel:` `source:` `site:` `lang:` `kind:` | where the post was found |

use std::fmt;
use std::ops::Range;

pub use super::query_parsing::parse;

/// Longest query that is read, in bytes: a page of text; longer ones belong in a word list.
pub const MAX_QUERY_BYTES: usize = 8_192;
/// Deepest nesting of parentheses and NOT, so that reading and hearing never exhaust the stack.
pub const MAX_DEPTH: usize = 32;
/// Most words a NEAR may reach over: more than a long sentence is no nearness.
pub const MAX_NEAR: u32 = 50;

/// A query, as it was understood.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Query {
    /// One word.
    Word(Word),
    /// Words side by side; at least two.
    Phrase(Vec<Word>),
    /// A word list or one of our own accounts, in lower case; which of them is settled when the rules are compiled.
    Named(String),
    /// A condition on where the post was found or how it is tagged.
    Field(Field, String),
    /// Both within a distance.
    Near(Box<Near>),
    /// None of it.
    Not(Box<Query>),
    /// All of them; at least two, none of them an `All`.
    All(Vec<Query>),
    /// One of them; at least two, none of them an `Any`.
    Any(Vec<Query>),
}

/// Two things at most `within` words apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Near {
    /// The first in writing, and in the text when `order` is [`Order::AsWritten`].
    pub left: Query,
    /// The second.
    pub right: Query,
    /// How many steps from the end of one to the beginning of the other: 1 is side by side.
    pub within: u32,
    /// Whether the order matters.
    pub order: Order,
}

/// Whether the order of two near words matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// `NEAR`
    Either,
    /// `ONEAR`
    AsWritten,
}

/// One word as the watch language knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Word {
    /// The letters, NFC, with `*` where any letters may stand; folded unless `case` is exact.
    pub letters: String,
    /// Whether case matters.
    pub case: Case,
    /// Which other forms count.
    pub forms: Forms,
}

/// Whether upper and lower case matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Case {
    /// They do not.
    Any,
    /// They do: `{Ale}`.
    Exact,
}

/// Which other forms of a word count as the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Forms {
    /// None.
    Written,
    /// Forms of a Swedish noun: `kommun~`.
    Noun,
    /// Forms of a name, written with a capital: `Ale~` is Ales, Alebo, Aleborna, but not alen.
    Name,
    /// Forms of a name, also without dots and rings: `Nol~0`.
    Unaccented,
    /// The same, and from six letters also with one letter wrong: `Nödinge~1`.
    Misspelt,
}

/// What a post can be asked beside its words. There is no field for who wrote it, on purpose (REF-02).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The channel's slug.
    Channel,
    /// The source's key in `config/sources.toml`.
    Source,
    /// Host name of the post's address; a parent domain covers its hosts.
    Site,
    /// Language tag; `sv` covers `sv-SE`.
    Language,
    /// The kind of post: article, post, comment, review, mail.
    Kind,
    /// A hashtag.
    Tag,
}

impl Field {
    /// All of them, for messages.
    pub const ALL: [Self; 6] = [Self::Channel, Self::Source, Self::Site, Self::Language, Self::Kind, Self::Tag];

    /// As it is written before the colon.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Source => "source",
            Self::Site => "site",
            Self::Language => "lang",
            Self::Kind => "kind",
            Self::Tag => "tag",
        }
    }
}

/// What is wrong with a query, where, and the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize)]
#[error("{what} ({hint})")]
pub struct Fault {
    /// Byte offsets into the query, on character bounds; empty at the end when something is missing.
    pub span: Range<usize>,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub hint: String,
}

impl Fault {
    /// The query's line with a row of `^` under the place, for a terminal.
    #[must_use]
    pub fn pointed(&self, query: &str) -> String {
        let before = query.get(..self.span.start).unwrap_or_default().chars().count();
        let under = query.get(self.span.clone()).unwrap_or_default().chars().count().max(1);
        format!("{query}\n{}{}\n{}: {}", " ".repeat(before), "^".repeat(under), self.what, self.hint)
    }
}

impl Query {
    /// Every part of the query, itself first.
    pub fn each<'a>(&'a self, visit: &mut impl FnMut(&'a Query)) {
        visit(self);
        match self {
            Self::Near(near) => {
                near.left.each(visit);
                near.right.each(visit);
            }
            Self::Not(inner) => inner.each(visit),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.each(visit)),
            Self::Word(_) | Self::Phrase(_) | Self::Named(_) | Self::Field(..) => {}
        }
    }

    /// How hard the outermost operator binds: what stands inside a harder one needs parentheses.
    fn binding(&self) -> u8 {
        match self {
            Self::Any(_) => 0,
            Self::All(_) => 1,
            Self::Not(_) => 2,
            Self::Near(_) => 3,
            _ => 4,
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, least: u8) -> fmt::Result {
        if self.binding() < least {
            f.write_str("(")?;
            self.write(f, 0)?;
            return f.write_str(")");
        }
        match self {
            Self::Word(word) => word.write_alone(f),
            Self::Phrase(words) => write_phrase(f, words),
            Self::Named(name) => write!(f, "@{name}"),
            Self::Field(field, value) => write!(f, "{}:{value}", field.name()),
            Self::Near(near) => {
                near.left.write(f, 4)?;
                let name = if near.order == Order::Either { "NEAR" } else { "ONEAR" };
                write!(f, " {name}/{} ", near.within)?;
                near.right.write(f, 4)
            }
            Self::Not(inner) => {
                f.write_str("NOT ")?;
                inner.write(f, 2)
            }
            Self::All(parts) => write_row(f, parts, " AND ", 2),
            Self::Any(parts) => write_row(f, parts, " OR ", 1),
        }
    }
}

impl Word {
    fn write_alone(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.case {
            Case::Exact => write!(f, "{{{}}}", self.letters),
            Case::Any => write!(f, "{self}"),
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut letters = self.letters.chars();
        match letters.next().filter(|_| self.forms == Forms::Name) {
            Some(first) => write!(f, "{}{}", first.to_uppercase(), letters.as_str())?,
            None => f.write_str(&self.letters)?,
        }
        f.write_str(match self.forms {
            Forms::Written => "",
            Forms::Noun | Forms::Name => "~",
            Forms::Unaccented => "~0",
            Forms::Misspelt => "~1",
        })
    }
}

fn write_phrase(f: &mut fmt::Formatter<'_>, words: &[Word]) -> fmt::Result {
    let exact = words.iter().any(|word| word.case == Case::Exact);
    f.write_str(if exact { "{" } else { "\"" })?;
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            f.write_str(" ")?;
        }
        write!(f, "{word}")?;
    }
    f.write_str(if exact { "}" } else { "\"" })
}

fn write_row(f: &mut fmt::Formatter<'_>, parts: &[Query], between: &str, least: u8) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        part.write(f, least)?;
    }
    Ok(())
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}
