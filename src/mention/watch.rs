//! All watch rules, compiled: a post is read once, its words are looked up, and only rules that can match are asked.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use rustc_hash::{FxBuildHasher, FxHashMap};

use super::index::{Builder, Hit, Index, Read, Term};
use super::namesake::{self, Prior, Signs};
use super::query::{Field, Order, Query};
use super::token::{self, Part, Token};
use super::words::{Named, Sign, Words};
use super::{Heard, Hearing, Span};

/// Most places of one thing that NEAR compares: beyond that a post repeats itself.
const MAX_STANDING: usize = 200;
/// Most spans that a hearing shows.
const MAX_SPANS: usize = 60;
/// Most places that a hearing names.
const MAX_PLACES: usize = 10;

#[derive(Debug, Clone)]
enum Asked {
    Term(u32),
    /// Sorted numbers of terms, one of which must stand in the post.
    OneOf(Arc<[u32]>),
    Field(Field, Box<str>),
    Near(Box<NearAsked>),
    Not(Box<Asked>),
    All(Box<[Asked]>),
    Any(Box<[Asked]>),
}

#[derive(Debug, Clone)]
struct NearAsked {
    left: Asked,
    right: Asked,
    within: u32,
    order: Order,
}

#[derive(Debug)]
struct Rule {
    name: Box<str>,
    sign: Sign,
    because: Box<str>,
    asked: Asked,
}

impl Rule {
    fn asks_more(&self) -> bool {
        !matches!(self.asked, Asked::Term(_) | Asked::OneOf(_))
    }
}

/// Every rule of `words.toml`, ready to hear.
#[derive(Debug)]
pub struct Watch {
    index: Index,
    rules: Box<[Rule]>,
    /// For each term the rules that it can make match.
    by_term: Box<[Box<[u32]>]>,
    /// Rules that ask only where a post was found, by hash of field and value.
    by_field: FxHashMap<u64, Vec<u32>>,
    /// Some rule asks for nothing but a language, which a raw message does not tell.
    asks_language: bool,
    /// Which place a term names: number, and how exact.
    places: FxHashMap<u32, (u32, u8)>,
    place_names: Box<[String]>,
    words: Words,
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

/// What must be there for a query to match: any of these.
#[derive(Debug, Clone, Default)]
struct Trigger {
    terms: Vec<u32>,
    fields: Vec<u64>,
    asks_language: bool,
}

/// How many posts a term is likely to wake: by how many rules it stands in, and how broad it is. A name stands in one
/// rule, a municipal matter in hundreds.
struct Costs(Vec<usize>);

impl Costs {
    /// Fields are frequent, words are rare: the fewer posts wake a rule the better.
    const FIELD: usize = 1_000_000;

    fn of(rules: &[Rule], builder: &Builder, terms: usize) -> Self {
        let mut costs: Vec<usize> = vec![0; terms];
        let mut asked = Vec::new();
        for rule in rules {
            asked.clear();
            terms_of(&rule.asked, &mut asked);
            for term in asked.iter().flat_map(|list| list.iter()) {
                if let Some(cost) = costs.get_mut(*term as usize) {
                    *cost += 1;
                }
            }
        }
        for (term, cost) in (0_u32..).zip(&mut costs) {
            *cost *= builder.breadth(term);
        }
        Self(costs)
    }

    fn sum(&self, trigger: &Trigger) -> usize {
        let terms: usize = trigger.terms.iter().filter_map(|term| self.0.get(*term as usize)).sum();
        terms + trigger.fields.len() * Self::FIELD
    }
}

impl Trigger {
    fn of(asked: &Asked, costs: &Costs) -> Option<Self> {
        let least = |all: &mut dyn Iterator<Item = &Asked>| {
            all.filter_map(|part| Self::of(part, costs)).min_by_key(|trigger| costs.sum(trigger))
        };
        match asked {
            Asked::Term(term) => Some(Self { terms: vec![*term], ..Self::default() }),
            Asked::OneOf(terms) => Some(Self { terms: terms.to_vec(), ..Self::default() }),
            Asked::Field(field, value) => Some(Self {
                terms: Vec::new(),
                fields: vec![key(*field, value)],
                asks_language: *field == Field::Language,
            }),
            Asked::Near(near) => least(&mut [&near.left, &near.right].into_iter()),
            Asked::Not(_) => None,
            Asked::All(parts) => least(&mut parts.iter()),
            Asked::Any(parts) => {
                let mut all = Self::default();
                for part in parts {
                    let one = Self::of(part, costs)?;
                    all.terms.extend(one.terms);
                    all.fields.extend(one.fields);
                    all.asks_language |= one.asks_language;
                }
                Some(all)
            }
        }
    }
}

/// Whether a query has something that must be there: a word or a field that is not behind NOT in every way to match.
#[must_use]
pub fn has_trigger(query: &Query) -> bool {
    match query {
        Query::Word(_) | Query::Phrase(_) | Query::Named(_) | Query::Field(..) => true,
        Query::Near(near) => has_trigger(&near.left) || has_trigger(&near.right),
        Query::Not(_) => false,
        Query::All(parts) => parts.iter().any(has_trigger),
        Query::Any(parts) => parts.iter().all(has_trigger),
    }
}

fn key(field: Field, value: &str) -> u64 {
    FxBuildHasher.hash_one((field, value))
}

struct Compiler<'a> {
    words: &'a Words,
    builder: Builder,
    lists: BTreeMap<String, Arc<[u32]>>,
}

impl Compiler<'_> {
    fn ask(&mut self, query: &Query) -> Asked {
        match query {
            Query::Word(word) => Asked::Term(self.builder.add(&Term::Words(vec![word.clone()]))),
            Query::Phrase(words) => Asked::Term(self.builder.add(&Term::Words(words.clone()))),
            Query::Named(name) => Asked::OneOf(self.list(name)),
            Query::Field(Field::Tag, tag) => Asked::Term(self.builder.add(&Term::Tag(tag.clone()))),
            Query::Field(field, value) => Asked::Field(*field, value.clone().into()),
            Query::Near(near) => Asked::Near(Box::new(NearAsked {
                left: self.ask(&near.left),
                right: self.ask(&near.right),
                within: near.within,
                order: near.order,
            })),
            Query::Not(inner) => Asked::Not(Box::new(self.ask(inner))),
            Query::All(parts) => Asked::All(parts.iter().map(|part| self.ask(part)).collect()),
            Query::Any(parts) => self.any(parts),
        }
    }

    /// `(a OR b OR @list)` of nothing but terms becomes one sorted list.
    fn any(&mut self, parts: &[Query]) -> Asked {
        let asked: Vec<Asked> = parts.iter().map(|part| self.ask(part)).collect();
        let mut terms = Vec::new();
        for part in &asked {
            match part {
                Asked::Term(term) => terms.push(*term),
                Asked::OneOf(list) => terms.extend(list.iter()),
                _ => return Asked::Any(asked.into()),
            }
        }
        Asked::OneOf(sorted(terms))
    }

    fn list(&mut self, name: &str) -> Arc<[u32]> {
        if let Some(known) = self.lists.get(name) {
            return Arc::clone(known);
        }
        let words = self.words;
        let terms = match words.named(name) {
            None => Vec::new(),
            Some(Named::List(queries)) => queries.iter().flat_map(|query| self.terms(query)).collect(),
            Some(Named::Account(account)) => vec![self.builder.add(&Term::Handle(account.to_owned()))],
            Some(Named::Accounts) => {
                words.accounts.iter().map(|account| self.builder.add(&Term::Handle(account.clone()))).collect()
            }
            Some(Named::Places(strength)) => words
                .places
                .iter()
                .filter(|place| place.strength == strength)
                .flat_map(|place| &place.spellings)
                .flat_map(|query| self.terms(query))
                .collect(),
        };
        let list = sorted(terms);
        self.lists.insert(name.to_owned(), Arc::clone(&list));
        list
    }

    /// The terms of a list's word: a word, a phrase or a tag; lists do not hold whole queries.
    fn terms(&mut self, query: &Query) -> Vec<u32> {
        match self.ask(query) {
            Asked::Term(term) => vec![term],
            Asked::OneOf(list) => list.to_vec(),
            _ => Vec::new(),
        }
    }
}

fn sorted(mut terms: Vec<u32>) -> Arc<[u32]> {
    terms.sort_unstable();
    terms.dedup();
    terms.into()
}

/// Compiles all rules.
#[must_use]
pub fn compile(words: &Words) -> Watch {
    let mut compiler = Compiler { words, builder: Builder::default(), lists: BTreeMap::new() };
    compiler.builder.unlike(words.unlike.iter().cloned());
    let mut places = FxHashMap::default();
    for (number, place) in (0_u32..).zip(&words.places) {
        for query in &place.spellings {
            for term in compiler.terms(query) {
                places.entry(term).or_insert((number, place.exactness));
            }
        }
    }
    let rules: Box<[Rule]> = words
        .rules
        .iter()
        .map(|rule| Rule {
            name: rule.name.clone().into(),
            sign: rule.sign,
            because: rule.because.clone().into(),
            asked: compiler.ask(&rule.query),
        })
        .collect();
    let costs = Costs::of(&rules, &compiler.builder, compiler.builder.len());
    let mut by_term = vec![Vec::new(); compiler.builder.len()];
    let mut by_field: FxHashMap<u64, Vec<u32>> = FxHashMap::default();
    let mut asks_language = false;
    for (number, rule) in (0_u32..).zip(&rules) {
        let trigger = Trigger::of(&rule.asked, &costs).unwrap_or_default();
        for term in sorted(trigger.terms).iter() {
            if let Some(list) = by_term.get_mut(*term as usize) {
                list.push(number);
            }
        }
        asks_language |= trigger.asks_language;
        for field in trigger.fields {
            by_field.entry(field).or_default().push(number);
        }
    }
    let waking: Vec<u32> =
        (0_u32..).zip(&by_term).filter(|(_, rules)| !rules.is_empty()).map(|(term, _)| term).collect();
    Watch {
        index: compiler.builder.build(&waking),
        rules,
        by_term: by_term.into_iter().map(Vec::into_boxed_slice).collect(),
        by_field,
        asks_language,
        places,
        place_names: words.places.iter().map(|place| place.name.clone()).collect(),
        words: Words { rules: Vec::new(), places: Vec::new(), lists: BTreeMap::new(), ..words.clone() },
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

    /// Which rules match: their numbers end up in `scratch`. This is all that most posts ever cost.
    pub fn matching(&self, heard: &Heard<'_>, scratch: &mut Scratch) {
        token::read(heard.title, heard.text, &mut scratch.tokens);
        let read = Read { title: heard.title, text: heard.text, tokens: &scratch.tokens };
        self.index.wakes(read, &mut scratch.hits);
        scratch.rules.clear();
        let mut last = u32::MAX;
        for hit in &scratch.hits {
            if hit.term != last {
                last = hit.term;
                scratch.rules.extend(self.by_term.get(hit.term as usize).into_iter().flatten());
            }
        }
        if !self.by_field.is_empty() {
            self.rules_by_field(heard, &mut scratch.rules);
        }
        if scratch.rules.len() > 1 {
            scratch.rules.sort_unstable();
            scratch.rules.dedup();
        }
        if scratch.rules.is_empty() {
            scratch.hits.clear();
            return;
        }
        // A rule that is nothing but its waking words has its answer; the others may ask for words that wake nobody.
        if scratch.rules.iter().any(|number| self.rules.get(*number as usize).is_some_and(Rule::asks_more)) {
            self.index.hits(read, &mut scratch.hits);
        }
        let found = Found { hits: &scratch.hits, tokens: &scratch.tokens, heard };
        scratch.rules.retain(|number| self.rules.get(*number as usize).is_some_and(|rule| found.holds(&rule.asked)));
    }

    /// Whether any rule can match a post of these words, whatever its language is; in doubt yes.
    pub fn wakes(&self, heard: &Heard<'_>, scratch: &mut Scratch) -> bool {
        token::read(heard.title, heard.text, &mut scratch.tokens);
        // Where the reader stops, it depends on the order of the texts what was read.
        if scratch.tokens.len() >= token::MAX_TOKENS || self.asks_language {
            return true;
        }
        let read = Read { title: heard.title, text: heard.text, tokens: &scratch.tokens };
        self.index.wakes(read, &mut scratch.hits);
        let mut woken = Vec::new();
        if !self.by_field.is_empty() {
            self.rules_by_field(heard, &mut woken);
        }
        let wakes = |hit: &Hit| self.by_term.get(hit.term as usize).is_some_and(|rules| !rules.is_empty());
        let found = !woken.is_empty() || scratch.hits.iter().any(wakes);
        scratch.forget();
        found
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

/// The values a post has for a field, the wider ones too: `www.ale.se` is also `ale.se` and `se`.
fn values(field: Field, heard: &Heard<'_>) -> Vec<String> {
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
fn terms_of(asked: &Asked, into: &mut Vec<Arc<[u32]>>) {
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
struct Found<'a> {
    /// Sorted by term.
    hits: &'a [Hit],
    tokens: &'a [Token],
    heard: &'a Heard<'a>,
}

impl<'a> Found<'a> {
    fn of_term(&self, term: u32) -> &'a [Hit] {
        let from = self.hits.partition_point(|hit| hit.term < term);
        let rest = self.hits.get(from..).unwrap_or_default();
        rest.get(..rest.partition_point(|hit| hit.term == term)).unwrap_or_default()
    }

    fn holds(&self, asked: &Asked) -> bool {
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
    fn text_span(&self, hit: &Hit) -> Option<(usize, usize)> {
        let (first, last) = (self.tokens.get(hit.first as usize)?, self.tokens.get(hit.last as usize)?);
        (first.part == Part::Text).then_some((first.start, last.end))
    }
}
