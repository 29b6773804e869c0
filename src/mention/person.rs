//! No rule may name a person (REF-01): what looks like a person's name is refused, with the reason.
//!
//! The lexicon holds first names that are not also common words or places. It is a safeguard, not a proof: it stops
//! the ordinary case, *Förnamn Efternamn* or a lone first name, before it becomes a watch on somebody.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use rustc_hash::FxHashSet;

use super::query::{Field, Query, Word};
use super::token;

/// First names, folded, one a line, sorted; shipped with the program so that no configuration can take them away.
const FIRST_NAMES: &str = include_str!("../../config/first_names.txt");

/// Endings that Swedish surnames have and hardly anything else.
const SURNAME_ENDINGS: [&str; 9] = ["sson", "dotter", "qvist", "kvist", "ström", "lund", "berg", "gren", "stedt"];

/// Last words that make a phrase with a name into a place or a house: *Gustav Larssons väg*.
const PLACE_ENDINGS: [&str; 14] = [
    "väg", "vägen", "gata", "gatan", "gränd", "gränden", "torg", "torget", "plats", "platsen", "park", "parken",
    "skola", "skolan",
];

/// What may stand in rules although it is also somebody's name: the municipality's and its places' names.
#[derive(Debug, Default, Clone)]
pub struct Persons {
    allowed: BTreeSet<String>,
}

impl Persons {
    /// Allows these words, folded: names of the municipality and its places.
    pub fn allow(&mut self, words: impl IntoIterator<Item = String>) {
        self.allowed.extend(words);
    }

    /// Why a query is refused, when it names a person.
    #[must_use]
    pub fn refusal(&self, query: &Query) -> Option<String> {
        let mut reason = None;
        query.each(&mut |part| {
            let found = match part {
                Query::Word(word) => self.is_first_name(&word.letters).then(|| word.letters.clone()),
                Query::Phrase(words) => self.named(words),
                Query::Field(Field::Tag, tag) => self.is_first_name(tag).then(|| tag.clone()),
                _ => None,
            };
            if reason.is_none() {
                reason = found.map(|name| {
                    format!(
                        "`{name}` ser ut som namnet på en person. Lyhörd bevakar frågor, platser och verksamheter, \
                         aldrig människor (REF-01). Skriv vad det gäller i stället"
                    )
                });
            }
        });
        reason
    }

    fn named(&self, words: &[Word]) -> Option<String> {
        let last = words.last().map(|word| token::fold(&word.letters)).unwrap_or_default();
        if PLACE_ENDINGS.iter().any(|ending| last.ends_with(ending)) {
            return None;
        }
        words.windows(2).find_map(|pair| {
            let (first, second) = (pair.first()?, pair.get(1)?);
            let follows = token::fold(&second.letters);
            let surname = SURNAME_ENDINGS.iter().any(|ending| follows.trim_end_matches('s').ends_with(ending));
            let known = self.is_first_name(&first.letters);
            (known || (surname && is_first_name(&token::fold(&first.letters))))
                .then(|| format!("{} {}", first.letters, second.letters))
        })
    }

    fn is_first_name(&self, letters: &str) -> bool {
        let folded = token::fold(letters);
        // A star behind a name still hears the name.
        let name = folded.trim_end_matches('*');
        [name, name.trim_end_matches('s')].into_iter().any(|name| is_first_name(name) && !self.allowed.contains(name))
    }
}

fn is_first_name(folded: &str) -> bool {
    static KNOWN: LazyLock<FxHashSet<&str>> = LazyLock::new(|| FIRST_NAMES.lines().collect());
    KNOWN.contains(folded)
}

#[cfg(test)]
mod tests {
    use super::super::query::parse;
    use super::*;

    fn refused(query: &str) -> bool {
        let mut persons = Persons::default();
        persons.allow(["ale".to_owned()]);
        persons.refusal(&parse(query).unwrap()).is_some()
    }

    #[test]
    fn a_rule_that_names_a_person_is_refused() {
        for query in ["\"Anna Svensson\"", "kommunalråd AND johan", "{Mikael Berglund}", "Annas NEAR/2 skola", "anna~"]
        {
            assert!(refused(query), "{query}");
        }
    }

    #[test]
    fn a_star_or_a_hashtag_does_not_hide_a_name() {
        for query in ["johan*", "ale AND #johan", "tag:johan OR ale"] {
            assert!(refused(query), "{query}");
        }
        for query in ["#ale", "#bygglov", "bygglov*", "*skola"] {
            assert!(!refused(query), "{query}");
        }
    }

    #[test]
    fn places_streets_and_services_are_not_persons() {
        for query in
            ["\"gustav larssons väg\"", "ale", "\"ale torg\"", "hemtjänst* AND nödinge", "himlaskolan", "rektor"]
        {
            assert!(!refused(query), "{query}");
        }
    }

    #[test]
    fn the_lexicon_is_sorted_and_folded() {
        let lines: Vec<&str> = FIRST_NAMES.lines().collect();
        assert!(lines.len() > 500);
        assert!(lines.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(lines.iter().all(|line| token::fold(line) == **line));
    }
}
