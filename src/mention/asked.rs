//! What a rule asks, compiled, and what was found in a post: the answer.

use std::hash::BuildHasher;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use super::Heard;
use super::index::Hit;
use super::query::{Field, Order};
use super::token::{self, Part, Token};

/// Most places of one thing that NEAR compares: beyond that a post repeats itself.
const MAX_STANDING: usize = 200;

/// A query whose words are numbers of terms.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    Term(u32),
    /// Sorted numbers of terms, one of which must stand in the post.
    OneOf(Arc<[u32]>),
    Field(Field, Box<str>),
    Near(Box<NearAsked>),
    Not(Box<Asked>),
    All(Box<[Asked]>),
    Any(Box<[Asked]>),
}

/// Two things near each other.
#[derive(Debug, Clone)]
pub(super) struct NearAsked {
    pub(super) left: Asked,
    pub(super) right: Asked,
    pub(super) within: u32,
    pub(super) order: Order,
}

/// Where rules that ask for this are found.
pub(super) fn key(field: Field, value: &str) -> u64 {
    FxBuildHasher.hash_one((field, value))
}

/// The values a post has for a field, the wider ones too: `www.ale.se` is also `ale.se` and `se`.
pub(super) fn values(field: Field, heard: &Heard<'_>) -> Vec<String> {
    let value = match field {
        Field::Channel => heard.channel,
        Field::Source => heard.source,
        Field::Site => heard.site,
        Field::Language => heard.language,
        Field::Kind => heard.kind,
        Field::Tag => "",
    };
    let folded = token::fold(value);
    let mut all = Vec::new();
    match field {
        // A host name has at most 127 labels; ten are more than any site of an organisation.
        Field::Site => {
            let mut rest = folded.as_str();
            for _ in 0..10 {
                all.push(rest.to_owned());
                let Some((_, wider)) = rest.split_once('.') else { break };
                rest = wider;
            }
        }
        Field::Language => {
            if let Some((language, _)) = folded.split_once('-') {
                all.push(language.to_owned());
            }
            all.push(folded);
        }
        _ => all.push(folded),
    }
    all.retain(|value| !value.is_empty());
    all
}

/// The terms that a rule's match can rest on: what stands behind NOT is not among them.
pub(super) fn terms_of(asked: &Asked, into: &mut Vec<Arc<[u32]>>) {
    match asked {
        Asked::Term(term) => into.push(Arc::from([*term])),
        Asked::OneOf(list) => into.push(Arc::clone(list)),
        Asked::Near(near) => {
            terms_of(&near.left, into);
            terms_of(&near.right, into);
        }
        Asked::All(parts) | Asked::Any(parts) => parts.iter().for_each(|part| terms_of(part, into)),
        Asked::Field(..) | Asked::Not(_) => {}
    }
}

/// What was found in a post, and the questions that a rule asks of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'a> {
    /// Sorted by term.
    pub(super) hits: &'a [Hit],
    pub(super) tokens: &'a [Token],
    pub(super) heard: &'a Heard<'a>,
}

impl<'a> Found<'a> {
    fn of_term(&self, term: u32) -> &'a [Hit] {
        let from = self.hits.partition_point(|hit| hit.term < term);
        let rest = self.hits.get(from..).unwrap_or_default();
        rest.get(..rest.partition_point(|hit| hit.term == term)).unwrap_or_default()
    }

    /// Whether the post is what is asked for.
    pub(super) fn holds(&self, asked: &Asked) -> bool {
        match asked {
            Asked::Term(term) => !self.of_term(*term).is_empty(),
            Asked::OneOf(list) => self.any_of(list),
            Asked::Field(field, value) => values(*field, self.heard).iter().any(|own| **own == **value),
            Asked::Near(_) => !self.standing(asked).is_empty(),
            Asked::Not(inner) => !self.holds(inner),
            Asked::All(parts) => parts.iter().all(|part| self.holds(part)),
            Asked::Any(parts) => parts.iter().any(|part| self.holds(part)),
        }
    }

    fn any_of(&self, list: &[u32]) -> bool {
        if list.len() < self.hits.len() {
            return list.iter().any(|term| !self.of_term(*term).is_empty());
        }
        self.hits.iter().any(|hit| list.binary_search(&hit.term).is_ok())
    }

    /// From which to which position something stands, for NEAR.
    fn standing(&self, asked: &Asked) -> Vec<(u32, u32)> {
        let mut found = Vec::new();
        match asked {
            Asked::Term(term) => found.extend(self.of_term(*term).iter().filter_map(|hit| self.positions(hit))),
            Asked::OneOf(list) => found.extend(
                self.hits
                    .iter()
                    .filter(|hit| list.binary_search(&hit.term).is_ok())
                    .filter_map(|hit| self.positions(hit)),
            ),
            Asked::Near(near) => found = self.near(near),
            Asked::Any(parts) => found.extend(parts.iter().flat_map(|part| self.standing(part))),
            // The parser lets nothing else stand beside NEAR.
            Asked::Field(..) | Asked::Not(_) | Asked::All(_) => {}
        }
        found.sort_unstable();
        found.dedup();
        found.truncate(MAX_STANDING);
        found
    }

    fn near(&self, near: &NearAsked) -> Vec<(u32, u32)> {
        let (left, right) = (self.standing(&near.left), self.standing(&near.right));
        let mut found = Vec::new();
        for a in &left {
            for b in &right {
                let ahead = b.0 > a.1 && b.0 - a.1 <= near.within;
                let behind = near.order == Order::Either && a.0 > b.1 && a.0 - b.1 <= near.within;
                if ahead || behind {
                    found.push((a.0.min(b.0), a.1.max(b.1)));
                }
            }
        }
        found
    }

    fn positions(&self, hit: &Hit) -> Option<(u32, u32)> {
        Some((self.tokens.get(hit.first as usize)?.position, self.tokens.get(hit.last as usize)?.position))
    }

    /// Where a hit stands in the text, with its `#` or `@`; nothing when it stands in the title.
    pub(super) fn text_span(&self, hit: &Hit) -> Option<(usize, usize)> {
        let (first, last) = (self.tokens.get(hit.first as usize)?, self.tokens.get(hit.last as usize)?);
        (first.part == Part::Text).then_some((first.start, last.end))
    }
}
