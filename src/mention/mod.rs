//! Mention (omnämnande): a post about us, kept once; and the watch rules that say which posts those are.

pub mod address;
mod asked;
mod blocks;
mod compiling;
pub mod copies;
pub mod fingerprint;
pub mod forms;
pub mod index;
pub mod keep_store;
mod lookup;
#[cfg(test)]
mod naive_tests;
pub mod namesake;
pub mod person;
pub mod query;
mod query_parsing;
mod query_pieces;
pub mod query_reading;
pub mod query_swedish;
#[cfg(test)]
mod query_tests;
mod spelling;
pub mod store;
pub mod stream;
mod terms;
pub mod token;
pub mod trial;
pub mod version_store;
pub mod watch;
#[cfg(test)]
mod watch_tests;
pub mod words;

/// Is it about us?
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Relevance {
    /// Not about us; never stored when a watch rule says so.
    No,
    /// Perhaps: a person decides.
    Review,
    /// About us.
    Yes,
}

/// What a watch rule looks at: the words of a post and where it was found, never who wrote it.
#[derive(Debug, Clone, Default)]
pub struct Heard<'a> {
    /// Headline, when there is one.
    pub title: &'a str,
    /// Plain text.
    pub text: &'a str,
    /// The channel's slug.
    pub channel: &'a str,
    /// The source's key in `config/sources.toml`.
    pub source: &'a str,
    /// BCP 47 tag, when known.
    pub language: &'a str,
    /// Host name of the item's address, when known.
    pub site: &'a str,
    /// The kind of post, as in `source::Kind` in lower case.
    pub kind: &'a str,
}

/// A stretch of the post that a reason points at: byte offsets into `text`, on character bounds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// What it is a sign of: a rule's name, `topic`, `urgency` …
    pub sign: String,
}

/// What the watch rules say of one post.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Hearing {
    /// About us, perhaps, or not.
    pub relevance: Relevance,
    /// 0 to 1.
    pub score: f64,
    /// Names of the rules that matched, in the order of the configuration.
    pub rules: Vec<String>,
    /// The words that matched, where they stand in `text` (not in `title`).
    pub words: Vec<Span>,
    /// Slug or name of the place that was named, when one was; the most exact first.
    pub places: Vec<String>,
    /// Why, in plain Swedish, one reason a line.
    pub because: Vec<String>,
    /// It lay in our own mailbox, or was handed to us as ours. A machine may doubt that it wants an answer, but a person
    /// decides.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub handed_in: bool,
}
