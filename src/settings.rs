//! Reading TOML so that everything wrong is said at once, each fault with file, line and a way out.
//!
//! A [`Section`] hands out values by key. What has the wrong type or is missing becomes a [`Problem`] and a
//! harmless default, so that reading goes on to the next fault. A key that nobody asked for is itself a fault:
//! it is found when the section is dropped, and compared with the keys that were asked for.

mod node;
mod problem;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};
use std::rc::Rc;

use toml::Spanned;
use toml::de::DeTable;

use self::node::Node;
pub use self::problem::{Located, Place, Problem, Problems, nearest};
use self::problem::{Source, unknown};

/// A table of a configuration file, read key by key.
#[derive(Debug)]
pub struct Section {
    source: Rc<Source>,
    /// The table's own name, for messages; empty at the top.
    name: String,
    offset: usize,
    entries: Vec<(String, usize, Node, Range<usize>)>,
    asked: RefCell<BTreeSet<String>>,
}

/// Reads one file. A syntax fault becomes a problem and an empty section, so that the other files are read too.
#[must_use]
pub fn read(file: &str, text: &str, problems: &Problems) -> Section {
    let source = Rc::new(Source::new(file, text, problems));
    let (table, faults) = DeTable::parse_recoverable(text);
    for fault in &faults {
        let offset = fault.span().map_or(0, |span| span.start);
        source.report(offset, format!("not TOML: {}", fault.message()));
    }
    let entries = match Node::table(Spanned::get_ref(&table)) {
        Node::Table(entries) if faults.is_empty() => entries,
        _ => Vec::new(),
    };
    Section { source, name: String::new(), offset: 0, entries, asked: RefCell::default() }
}

impl Section {
    fn find(&self, key: &str) -> Option<(&Node, usize)> {
        self.asked.borrow_mut().insert(key.to_owned());
        self.entries.iter().find(|entry| entry.0 == key).map(|entry| (&entry.2, entry.3.start))
    }

    fn wrong(&self, key: &str, offset: usize, expected: &str, found: &Node) {
        self.source.report(offset, format!("{} is {}, expected {expected}", self.path(key), found.kind()));
    }

    fn path(&self, key: &str) -> String {
        if self.name.is_empty() { format!("`{key}`") } else { format!("`{}.{key}`", self.name) }
    }

    fn inner(&self, key: &str, offset: usize, node: &Node) -> Option<Section> {
        let Node::Table(entries) = node else {
            self.wrong(key, offset, "a table", node);
            return None;
        };
        let name = if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) };
        Some(Section {
            source: Rc::clone(&self.source),
            name,
            offset,
            entries: entries.clone(),
            asked: RefCell::default(),
        })
    }

    /// Where this section begins.
    #[must_use]
    pub fn place(&self) -> Place {
        Place::at(&self.source, self.offset)
    }

    /// Where the value of `key` stands, or the section when the key is absent.
    #[must_use]
    pub fn place_of(&self, key: &str) -> Place {
        let offset = self.entries.iter().find(|entry| entry.0 == key).map_or(self.offset, |entry| entry.3.start);
        Place::at(&self.source, offset)
    }

    /// True when the key is there, whatever its value.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// A required text with its place.
    #[must_use]
    pub fn located(&self, key: &str) -> Option<Located> {
        let found = self.located_optional(key);
        if found.is_none() && !self.entries.iter().any(|entry| entry.0 == key) {
            self.source.report(self.offset, format!("{} is missing, expected a text", self.path(key)));
        }
        found
    }

    /// An optional text with its place.
    #[must_use]
    pub fn located_optional(&self, key: &str) -> Option<Located> {
        match self.find(key)? {
            (Node::Text(text) | Node::Moment(text), offset) => {
                Some(Located { text: text.clone(), place: Place::at(&self.source, offset) })
            }
            (other, offset) => {
                self.wrong(key, offset, "a text", other);
                None
            }
        }
    }

    /// A required text; the empty text when it is missing, which is reported.
    #[must_use]
    pub fn text(&self, key: &str) -> String {
        self.located(key).map(|found| found.text).unwrap_or_default()
    }

    /// An optional text.
    #[must_use]
    pub fn text_optional(&self, key: &str) -> Option<String> {
        self.located_optional(key).map(|found| found.text)
    }

    /// A text with a default.
    #[must_use]
    pub fn text_or(&self, key: &str, default: &str) -> String {
        self.text_optional(key).unwrap_or_else(|| default.to_owned())
    }

    /// One of `known`; anything else is reported with the nearest of them. The first is the default.
    #[must_use]
    pub fn choice(&self, key: &str, known: &[&'static str]) -> &'static str {
        let default = known.first().copied().unwrap_or_default();
        let Some(found) = self.located_optional(key) else { return default };
        if let Some(choice) = known.iter().find(|choice| **choice == found.text) {
            return choice;
        }
        found.place.report(unknown(&self.path(key), &found.text, known));
        default
    }

    /// A whole number inside `range` with a default inside it.
    #[must_use]
    pub fn integer_or(&self, key: &str, range: RangeInclusive<i64>, default: i64) -> i64 {
        match self.find(key) {
            None => default,
            Some((Node::Integer(number), _)) if range.contains(number) => *number,
            Some((Node::Integer(number), offset)) => {
                self.source.report(
                    offset,
                    format!("{} is {number}, expected {} to {}", self.path(key), range.start(), range.end()),
                );
                default
            }
            Some((other, offset)) => {
                self.wrong(key, offset, "a whole number", other);
                default
            }
        }
    }

    /// A number inside `range` with a default inside it; whole numbers count too.
    #[must_use]
    pub fn number_or(&self, key: &str, range: RangeInclusive<f64>, default: f64) -> f64 {
        let (number, offset) = match self.find(key) {
            None => return default,
            #[expect(clippy::cast_precision_loss, reason = "settings are far below 2^52")]
            Some((Node::Integer(number), offset)) => (*number as f64, offset),
            Some((Node::Float(number), offset)) => (*number, offset),
            Some((other, offset)) => {
                self.wrong(key, offset, "a number", other);
                return default;
            }
        };
        if range.contains(&number) {
            return number;
        }
        self.source
            .report(offset, format!("{} is {number}, expected {} to {}", self.path(key), range.start(), range.end()));
        default
    }

    /// True or false with a default.
    #[must_use]
    pub fn flag_or(&self, key: &str, default: bool) -> bool {
        match self.find(key) {
            None => default,
            Some((Node::Flag(flag), _)) => *flag,
            Some((other, offset)) => {
                self.wrong(key, offset, "true or false", other);
                default
            }
        }
    }

    /// A list of texts with their places; empty when the key is absent.
    #[must_use]
    pub fn texts(&self, key: &str) -> Vec<Located> {
        let items = match self.find(key) {
            None => return Vec::new(),
            Some((Node::List(items), _)) => items,
            Some((other, offset)) => {
                self.wrong(key, offset, "a list of texts", other);
                return Vec::new();
            }
        };
        items
            .iter()
            .filter_map(|(item, span)| match item {
                Node::Text(text) | Node::Moment(text) => {
                    Some(Located { text: text.clone(), place: Place::at(&self.source, span.start) })
                }
                other => {
                    self.wrong(key, span.start, "a text in the list", other);
                    None
                }
            })
            .collect()
    }

    /// A list of whole numbers, each inside `range`.
    #[must_use]
    pub fn integers(&self, key: &str, range: &RangeInclusive<i64>) -> Vec<i64> {
        let items = match self.find(key) {
            None => return Vec::new(),
            Some((Node::List(items), _)) => items,
            Some((other, offset)) => {
                self.wrong(key, offset, "a list of whole numbers", other);
                return Vec::new();
            }
        };
        items
            .iter()
            .filter_map(|(item, span)| match item {
                Node::Integer(number) if range.contains(number) => Some(*number),
                other => {
                    let expected = format!("whole numbers from {} to {}", range.start(), range.end());
                    self.wrong(key, span.start, &expected, other);
                    None
                }
            })
            .collect()
    }

    /// An optional table.
    #[must_use]
    pub fn section(&self, key: &str) -> Option<Section> {
        let (node, offset) = self.find(key)?;
        self.inner(key, offset, node)
    }

    /// The tables of an array of tables (`[[key]]`); empty when the key is absent.
    #[must_use]
    pub fn sections(&self, key: &str) -> Vec<Section> {
        match self.find(key) {
            None => Vec::new(),
            Some((Node::List(items), _)) => {
                items.iter().filter_map(|(item, span)| self.inner(key, span.start, item)).collect()
            }
            Some((other, offset)) => {
                self.wrong(key, offset, "a list of tables", other);
                Vec::new()
            }
        }
    }

    /// Every key of this section, for tables whose keys are names that the municipality chose.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.entries.iter().map(|entry| entry.0.clone()).collect()
    }
}

impl Drop for Section {
    fn drop(&mut self) {
        let asked = self.asked.borrow();
        let known: Vec<&str> = asked.iter().map(String::as_str).collect();
        for (key, offset, ..) in &self.entries {
            if !asked.contains(key) {
                let what = if self.name.is_empty() {
                    "unknown key".to_owned()
                } else {
                    format!("unknown key in `{}`:", self.name)
                };
                self.source.report(*offset, unknown(&what, key, &known));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str, read_it: impl Fn(&Section)) -> Vec<String> {
        let problems = Problems::default();
        let section = read("a.toml", text, &problems);
        read_it(&section);
        drop(section);
        problems.sorted().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_unknown_key_is_a_fault_with_the_nearest_known_one() {
        let said = faults("adress = \"x\"\n", |section| {
            let _ = section.text_or("address", "");
            let _ = section.flag_or("local", false);
        });
        assert_eq!(said, ["a.toml:1: unknown key `adress`, expected one of address, local; did you mean `address`?"]);
    }

    #[test]
    fn all_faults_are_said_at_once_by_line() {
        let said = faults("a = 1\nb = 900\n[c]\nkind = \"fed\"\n", |section| {
            let _ = section.text("a");
            let _ = section.integer_or("b", 1..=60, 5);
            let _ = section.text("missing");
            if let Some(inner) = section.section("c") {
                let _ = inner.choice("kind", &["feed", "mail"]);
            }
        });
        assert_eq!(
            said,
            [
                "a.toml:1: `a` is a whole number, expected a text",
                "a.toml:1: `missing` is missing, expected a text",
                "a.toml:2: `b` is 900, expected 1 to 60",
                "a.toml:4: `c.kind` `fed`, expected one of feed, mail; did you mean `feed`?",
            ]
        );
    }

    #[test]
    fn text_that_is_no_toml_is_one_fault_and_no_panic() {
        let said = faults("a = [1,\nb", |_| {});
        assert!(said[0].starts_with("a.toml:"), "{said:?}");
    }
}
