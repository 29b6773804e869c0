//! All watch rules, compiled: a post is read once, its words are looked up, and only rules that can match are asked.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::asked::{Asked, Found, key, terms_of, values};
pub use super::compiling::{compile, has_trigger};
use super::index::{Hit, Index, Read};
use super::namesake::{self, Prior, Signs};
use super::query::Field;
use super::token::{self, Token};
use super::words::{Sign, Words};
use super::{Heard, Hearing, Span};

/// Most spans that a hearing shows.
const MAX_SPANS: usize = 60;
/// Most places that a hearing names.
const MAX_PLACES: usize = 10;

/// A rule, ready to be asked.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: Box<str>,
    pub(super) sign: Sign,
    pub(super) because: Box<str>,
    pub(super) asked: Asked,
}

/// Every rule of `words.toml`, ready to hear.
#[derive(Debug)]
pub struct Watch {
    pub(super) index: Index,
    pub(super) rules: Box<[Rule]>,
    /// For each term the rules that it can make match.
    pub(super) by_term: Box<[Box<[u32]>]>,
    /// Rules that ask only where a post was found, by hash of field and value.
    pub(super) by_field: FxHashMap<u64, Vec<u32>>,
    /// Some rule asks for nothing but a language, which a raw message does not tell.
    pub(super) asks_language: bool,
    /// Which place a term names: number, and how exact.
    pub(super) places: FxHashMap<u32, (u32, u8)>,
    pub(super) place_names: Box<[String]>,
    pub(super) words: Words,
}

/// Lists that are used again from post to post, so that hearing allocates nothing when nothing is heard.
#[derive(Debug, Default)]
pub struct Scratch {
    tokens: Vec<Token>,
    hits: Vec<Hit>,
    rules: Vec<u32>,
}

impl Scratch {
    /// Numbers of the rules that matched last, in the order of the configuration.
    #[must_use]
    pub fn rules(&self) -> &[u32] {
        &self.rules
    }

    /// Forgets the rules and terms of the last post.
    pub fn forget(&mut self) {
        self.rules.clear();
        self.hits.clear();
    }

    /// Terms that were found last.
    #[must_use]
    pub fn hits(&self) -> &[Hit] {
        &self.hits
    }
}

impl Watch {
    /// The terms of all rules.
    #[must_use]
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// A rule's name by its number.
    #[must_use]
    pub fn rule_name(&self, number: u32) -> &str {
        self.rules.get(number as usize).map_or("", |rule| &rule.name)
    }

    /// Which rules have to be asked about a post, because a word or a field that wakes them is there: their numbers end
    /// up in `scratch`. How often a rule is asked is what it costs.
    pub fn woken(&self, heard: &Heard<'_>, scratch: &mut Scratch) {
        scratch.forget();
        scratch.tokens.clear();
        if self.by_field.is_empty() && !self.stirs(heard.title) && !self.stirs(heard.text) {
            return;
        }
        token::read(heard.title, heard.text, &mut scratch.tokens);
        let read = Read { title: heard.title, text: heard.text, tokens: &scratch.tokens };
        self.index.hits(read, &mut scratch.hits);
        let mut last = u32::MAX;
        for hit in &scratch.hits {
            if hit.term != last {
                last = hit.term;
                if let Some(rules) = self.by_term.get(hit.term as usize) {
                    scratch.rules.extend_from_slice(rules);
                }
            }
        }
        if !self.by_field.is_empty() {
            self.rules_by_field(heard, &mut scratch.rules);
        }
        if scratch.rules.len() > 1 {
            scratch.rules.sort_unstable();
            scratch.rules.dedup();
        }
    }

    /// Which rules match: their numbers end up in `scratch`. Most posts cost one look at each of their words.
    pub fn matching(&self, heard: &Heard<'_>, scratch: &mut Scratch) {
        self.woken(heard, scratch);
        if scratch.rules.is_empty() {
            scratch.hits.clear();
            return;
        }
        let found = Found { hits: &scratch.hits, tokens: &scratch.tokens, heard };
        scratch.rules.retain(|number| self.rules.get(*number as usize).is_some_and(|rule| found.holds(&rule.asked)));
    }

    fn stirs(&self, text: &str) -> bool {
        self.index.stirs(text, &mut 0)
    }

    /// Whether some rule may match a post of the stream whatever its words are.
    #[must_use]
    pub(super) fn wakes_for_all(&self, heard: &Heard<'_>) -> bool {
        if self.by_field.is_empty() {
            return false;
        }
        let mut woken = Vec::new();
        self.rules_by_field(heard, &mut woken);
        self.asks_language || !woken.is_empty()
    }

    fn rules_by_field(&self, heard: &Heard<'_>, into: &mut Vec<u32>) {
        for field in Field::ALL {
            for value in values(field, heard) {
                into.extend(self.by_field.get(&key(field, &value)).into_iter().flatten());
            }
        }
    }

    /// What the rules say of a post.
    #[must_use]
    pub fn hear(&self, heard: &Heard<'_>) -> Hearing {
        self.hear_with(heard, &mut Scratch::default())
    }

    /// As [`Watch::hear`], with lists that are used again.
    #[must_use]
    pub fn hear_with(&self, heard: &Heard<'_>, scratch: &mut Scratch) -> Hearing {
        self.matching(heard, scratch);
        let found = Found { hits: &scratch.hits, tokens: &scratch.tokens, heard };
        let mut signs = Signs::default();
        let mut spans: BTreeMap<(usize, usize), &str> = BTreeMap::new();
        for rule in scratch.rules.iter().filter_map(|number| self.rules.get(*number as usize)) {
            signs.add(rule.sign, &rule.because);
            let mut terms = Vec::new();
            terms_of(&rule.asked, &mut terms);
            for hit in found.hits.iter().filter(|hit| terms.iter().any(|list| list.binary_search(&hit.term).is_ok())) {
                if let Some((start, end)) = found.text_span(hit) {
                    spans.entry((start, end)).or_insert(&rule.name);
                }
            }
        }
        let decision = namesake::decide(&signs, self.prior(heard), heard);
        Hearing {
            relevance: decision.relevance,
            score: decision.score,
            rules: scratch.rules.iter().map(|number| self.rule_name(*number).to_owned()).collect(),
            words: spans
                .into_iter()
                .take(MAX_SPANS)
                .map(|((start, end), sign)| Span { start, end, sign: sign.to_owned() })
                .collect(),
            places: self.places_in(&scratch.hits, &signs),
            because: decision.because,
            handed_in: false,
        }
    }

    fn prior(&self, heard: &Heard<'_>) -> Prior {
        let named =
            |set: &std::collections::BTreeSet<String>| set.contains(heard.channel) || set.contains(heard.source);
        if named(&self.words.channels.own) {
            Prior::Own
        } else if named(&self.words.channels.local) {
            Prior::Local
        } else if heard.channel.is_empty() && heard.source.is_empty() {
            Prior::Unknown
        } else {
            Prior::World
        }
    }

    /// Names of the places that were named, the most exact first, then by where they stand.
    fn places_in(&self, hits: &[Hit], signs: &Signs) -> Vec<String> {
        let mut found: Vec<(u8, u32, u32)> = hits
            .iter()
            .filter_map(|hit| self.places.get(&hit.term).map(|(place, exact)| (u8::MAX - exact, hit.first, *place)))
            .collect();
        found.sort_unstable();
        let mut names: Vec<String> = Vec::new();
        for (_, _, place) in found {
            if let Some(name) = self.place_names.get(place as usize)
                && !names.contains(name)
                && names.len() < MAX_PLACES
            {
                names.push(name.clone());
            }
        }
        let ours = signs.has(Sign::Name) || signs.has(Sign::Matter) || signs.has(Sign::Yes);
        if names.is_empty() && ours && !signs.has(Sign::NotName) {
            names.push(self.words.name.clone());
        }
        names
    }
}
