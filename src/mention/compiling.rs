//! From the rules of `words.toml` to a [`Watch`]: terms are numbered, and each rule gets the words that wake it.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::asked::{Asked, NearAsked, key, terms_of};
use super::query::{Field, Query};
use super::terms::{Builder, Term};
use super::watch::{Rule, Watch};
use super::words::{Named, Words};

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
