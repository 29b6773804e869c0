//! The stems of the lexicon: groups of them read from the file, and where in a post each may stand.

use super::normal::{Normal, normalise};
use crate::settings::Section;

/// Patterns in one lexicon; far above what a person can keep in order, far below what would be slow to build.
const PATTERNS_MAX: usize = 20_000;

macro_rules! dimensions {
    ($($(#[$doc:meta])* $variant:ident = $slug:literal;)+) => {
        /// What a group of words is a sign of.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Dimension { $($(#[$doc])* $variant,)+ }
        impl Dimension {
            const SLUGS: &'static [&'static str] = &[$($slug),+];
            fn from_slug(slug: &str) -> Option<Self> { match slug { $($slug => Some(Self::$variant),)+ _ => None } }
            /// The name in the lexicon file.
            #[must_use]
            pub fn slug(self) -> &'static str { match self { $(Self::$variant => $slug),+ } }
        }
    };
}

dimensions! {
    /// What it is about.
    Topic = "topic";
    /// What the writer wants.
    Intent = "intent";
    /// The tone.
    Sentiment = "sentiment";
    /// How soon somebody must look.
    Urgency = "urgency";
    /// A place of ours: `strong`, `weak` or `street`.
    Place = "place";
    /// Words of a municipality in general: kommunen, nämnden.
    Municipal = "municipal";
    /// Another municipality, region or country.
    Elsewhere = "elsewhere";
    /// Something else with our name: beer, a person, a chant.
    Namesake = "namesake";
    /// What is seldom for us: spam, classifieds, sports results, the government.
    Noise = "noise";
    /// What a person must see: threats, self-harm, whistle-blowing.
    Safety = "safety";
    /// A topic where even the matter itself may be secret.
    Protected = "protected";
    /// Words for the same thing, for finding similar questions.
    Synonym = "synonym";
    /// One side of what tells two questions apart that are nearly the same.
    Difference = "difference";
}

/// A named list of words with one meaning.
#[derive(Debug, Clone)]
pub struct Group {
    /// What it is a sign of.
    pub dimension: Dimension,
    /// The label inside the dimension: `va`, `neg`, `strong` …
    pub slug: String,
    /// What a person reads.
    pub name: String,
    /// How much one hit says, 0 to 5.
    pub weight: f32,
}

/// Where in a word a stem may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    Anywhere,
    Begins,
    Ends,
    Whole,
    /// A whole word, or that word with a genitive s.
    Name,
}

/// One stem, word or phrase of a group.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    /// Index of its group.
    pub(super) group: u16,
    pub(super) edge: Edge,
    /// Only where the post has a capital.
    pub(super) capital: bool,
    /// Normalised.
    pub(super) text: String,
}

/// What a difference is about and which side of it a group is, from its slug: `arstid-jul`.
pub(super) fn sides_of(slug: &str) -> Option<(&str, &str)> {
    slug.rsplit_once('-').filter(|(what, side)| !what.is_empty() && !side.is_empty())
}

/// Reads one group and its patterns; faults are told to the table's problems.
pub(super) fn read_group(table: &Section, groups: &mut Vec<Group>, patterns: &mut Vec<Pattern>) {
    let Some(dimension) = Dimension::from_slug(table.choice("dimension", Dimension::SLUGS)) else { return };
    #[expect(clippy::cast_possible_truncation, reason = "0 to 5 fits")]
    let weight = table.number_or("weight", 0.0..=5.0, 1.0) as f32;
    let slug = table.text("slug");
    if dimension == Dimension::Difference && sides_of(&slug).is_none() {
        table
            .place()
            .report(format!("`slug` is \"{slug}\", expected what and side of the difference, as \"arstid-jul\""));
    }
    let name = table.text_or("name", &slug);
    let capital = table.flag_or("capital", false);
    let group = u16::try_from(groups.len()).unwrap_or(u16::MAX);
    groups.push(Group { dimension, slug, name, weight });
    for (key, edge) in [("stems", Edge::Anywhere), ("words", Edge::Whole), ("names", Edge::Name)] {
        for found in table.texts(key) {
            if patterns.len() >= PATTERNS_MAX {
                found.place.report(format!("more than {PATTERNS_MAX} stems in one lexicon"));
                return;
            }
            let (text, edge) = edge_of(&found.text, edge);
            let text = normalise(text).text;
            if text.is_empty() {
                found.place.report("a stem without letters, expected at least one");
            } else {
                patterns.push(Pattern { group, edge, capital, text });
            }
        }
    }
}

/// `sop-` begins a word and `-skola` ends one; without a hyphen a stem may stand anywhere in a word.
fn edge_of(text: &str, edge: Edge) -> (&str, Edge) {
    if edge == Edge::Anywhere && text.len() > 1 {
        if let Some(begins) = text.strip_suffix('-') {
            return (begins, Edge::Begins);
        }
        if let Some(ends) = text.strip_prefix('-') {
            return (ends, Edge::Ends);
        }
    }
    if edge == Edge::Whole
        && let Some(begins) = text.strip_suffix('*')
    {
        return (begins, Edge::Begins);
    }
    (text, edge)
}

/// The end of the hit when the pattern may stand there.
pub(super) fn fits(pattern: &Pattern, normal: &Normal, post: &str, start: usize, end: usize) -> Option<usize> {
    let text = &normal.text;
    let free_before = || !text.get(..start).is_some_and(|before| before.ends_with(char::is_alphanumeric));
    let free_from = |at: usize| !text.get(at..).is_some_and(|after| after.starts_with(char::is_alphanumeric));
    if pattern.capital && !post.get(normal.original(start)..).is_some_and(|rest| rest.starts_with(char::is_uppercase)) {
        return None;
    }
    match pattern.edge {
        Edge::Anywhere => Some(end),
        Edge::Begins => free_before().then_some(end),
        Edge::Ends => free_from(end).then_some(end),
        Edge::Whole => {
            let edge_of_letters = pattern.text.starts_with(char::is_alphanumeric);
            let last = pattern.text.ends_with(char::is_alphanumeric);
            ((!edge_of_letters || free_before()) && (!last || free_from(end))).then_some(end)
        }
        Edge::Name => {
            if !free_before() {
                return None;
            }
            if free_from(end) {
                return Some(end);
            }
            (text.get(end..).is_some_and(|rest| rest.starts_with('s')) && free_from(end + 1)).then_some(end + 1)
        }
    }
}
