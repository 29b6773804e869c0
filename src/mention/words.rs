//! `config/words.toml`: what the municipality is called, its places, its word lists and its watch rules.
//!
//! Everything here is the municipality's own data. A rule has a sign, which says what it means when it matches;
//! [`super::namesake`] weighs the signs against each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::settings::{Located, Section};

use super::person::Persons;
use super::query::{self, Forms, Query, Word};
use super::token;

/// Most rules: 3,000 is what 290 municipalities need; ten times that is still heard at the same pace.
pub const MAX_RULES: usize = 30_000;

/// What it means that a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sign {
    /// About us, whatever else is said.
    Yes,
    /// A person should see it.
    Review,
    /// A place that only we have.
    Place,
    /// Our name together with a municipal matter.
    Matter,
    /// Our name, alone.
    Name,
    /// A place of ours that others have too, together with a municipal matter.
    WeakMatter,
    /// A place of ours that others have too.
    Weak,
    /// A municipal matter, anywhere.
    Civic,
    /// Something that only a municipality has: its council, its offices.
    Organ,
    /// Our name means something else here: a drink, a person, a conjunction.
    NotName,
    /// The weak place is somebody else's here.
    NotWeak,
    /// Another municipality is named.
    Elsewhere,
    /// Local, but nothing for a municipality: a shop, a match, a late train.
    Private,
    /// Buying, selling, spam.
    Advert,
}

impl Sign {
    /// All of them with the words of `words.toml`, in the order of [`Sign`].
    pub const NAMES: [(Self, &'static str); 14] = [
        (Self::Yes, "yes"),
        (Self::Review, "review"),
        (Self::Place, "place"),
        (Self::Matter, "matter"),
        (Self::Name, "name"),
        (Self::WeakMatter, "weak-matter"),
        (Self::Weak, "weak"),
        (Self::Civic, "civic"),
        (Self::Organ, "organ"),
        (Self::NotName, "not-name"),
        (Self::NotWeak, "not-weak"),
        (Self::Elsewhere, "elsewhere"),
        (Self::Private, "private"),
        (Self::Advert, "advert"),
    ];

    /// As it is written in `words.toml`.
    #[must_use]
    pub fn slug(self) -> &'static str {
        Self::NAMES.iter().find(|(sign, _)| *sign == self).map_or("review", |(_, name)| name)
    }
}

/// A watch rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Unique; shown to people.
    pub name: String,
    /// When it matches.
    pub query: Query,
    /// What that means.
    pub sign: Sign,
    /// Why, in Swedish, for the one who reads the decision.
    pub because: String,
}

/// How sure a place's name is to mean our place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Strength {
    /// Practically nobody else has it.
    Strong,
    /// Others have it too, or it is a word.
    Weak,
}

/// A place of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// As it is written on a map.
    pub name: String,
    /// How sure the name is.
    pub strength: Strength,
    /// How exact it is: a street or a house comes before a village, and a village before the municipality.
    pub exactness: u8,
    /// The ways to write it.
    pub spellings: Vec<Query>,
}

/// What a channel says beforehand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Channels {
    /// Who writes here writes to us: our own page, our mail.
    pub own: BTreeSet<String>,
    /// Local talk: what is municipal here is probably ours.
    pub local: BTreeSet<String>,
}

/// Everything in `words.toml`.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// The municipality's short name.
    pub name: String,
    /// Word lists by folded name, each word as a query.
    pub lists: BTreeMap<String, Vec<Query>>,
    /// Our own accounts, folded, without `@`.
    pub accounts: BTreeSet<String>,
    /// Our places.
    pub places: Vec<Place>,
    /// The rules, in the order of the file.
    pub rules: Vec<Rule>,
    /// What channels say beforehand.
    pub channels: Channels,
    /// Words that are never a misspelling of a place.
    pub unlike: BTreeSet<String>,
    /// Who may not be named.
    pub persons: Persons,
}

/// Reads `words.toml`. Every fault is written down with file and line; what is faulty is left out.
#[must_use]
pub fn read(section: &Section) -> Words {
    let mut words = Words { name: section.text("name"), ..Words::default() };
    let folded = |found: Vec<Located>| found.into_iter().map(|located| token::fold(&located.text)).collect();
    words.accounts = section
        .texts("accounts")
        .into_iter()
        .map(|located| token::fold(located.text.trim_start_matches('@')))
        .collect();
    words.unlike = folded(section.texts("unlike"));
    if let Some(channels) = section.section("channels") {
        words.channels = Channels { own: folded(channels.texts("own")), local: folded(channels.texts("local")) };
    }
    words.persons.allow([token::fold(&words.name)]);
    for group in section.sections("place") {
        read_places(&group, &mut words);
    }
    read_lists(section, &mut words);
    check_places(section, &words);
    for rule in section.sections("rule") {
        if let Some(rule) = read_rule(&rule, &words) {
            words.rules.push(rule);
        }
    }
    if words.rules.len() > MAX_RULES {
        section.place().report(format!("{} rules, at most {MAX_RULES} are heard", words.rules.len()));
        words.rules.truncate(MAX_RULES);
    }
    words
}

fn read_places(group: &Section, words: &mut Words) {
    let strength = match group.choice("strength", &["strong", "weak"]) {
        "weak" => Strength::Weak,
        _ => Strength::Strong,
    };
    let exactness = match group.choice("kind", &["locality", "street", "facility", "company", "area"]) {
        "street" => 3,
        "facility" => 2,
        "locality" => 1,
        _ => 0,
    };
    let misspelt = group.flag_or("misspelt", strength == Strength::Strong);
    let mut also: BTreeMap<String, Vec<Located>> = BTreeMap::new();
    if let Some(section) = group.section("also") {
        for name in section.keys() {
            also.insert(name.clone(), section.texts(&name));
        }
    }
    for located in group.texts("names") {
        let forms = if misspelt { Forms::Misspelt } else { Forms::Unaccented };
        let others = also.remove(&located.text).unwrap_or_default();
        let mut spellings: Vec<Query> = spelling(&located, forms).into_iter().collect();
        spellings.extend(others.iter().filter_map(|other| spelling(other, Forms::Unaccented)));
        for query in &spellings {
            query.each(&mut |part| {
                if let Query::Word(word) = part {
                    words.persons.allow([word.letters.clone()]);
                }
            });
        }
        words.places.push(Place { name: located.text, strength, exactness, spellings });
    }
    for name in also.keys() {
        group.place_of("also").report(format!("`{name}` is not among the `names` of this group"));
    }
}

/// A place name as a query: one word in its forms, or words side by side of which the last is inflected.
fn spelling(located: &Located, forms: Forms) -> Option<Query> {
    let parsed = query::parse(&format!("\"{}\"", located.text.replace('"', " ")));
    match parsed {
        Ok(Query::Word(word)) => Some(Query::Word(Word { forms, ..word })),
        Ok(Query::Phrase(mut parts)) => {
            for word in &mut parts {
                word.forms = Forms::Unaccented;
            }
            Some(Query::Phrase(parts))
        }
        Ok(other) => Some(other),
        Err(fault) => {
            located.place.report(fault.to_string());
            None
        }
    }
}

fn read_lists(section: &Section, words: &mut Words) {
    let Some(lists) = section.section("lists") else { return };
    for name in lists.keys() {
        let folded = token::fold(&name);
        if matches!(folded.as_str(), "places" | "weak" | "accounts") {
            lists
                .place_of(&name)
                .report(format!("the list `{name}` is made of the places and accounts, choose another name"));
        }
        let mut queries = Vec::new();
        for located in lists.texts(&name) {
            match term(&located.text) {
                Ok(query @ (Query::Word(_) | Query::Phrase(_) | Query::Field(query::Field::Tag, _))) => {
                    match words.persons.refusal(&query) {
                        Some(reason) => located.place.report(reason),
                        None => queries.push(query),
                    }
                }
                Ok(_) => located.place.report("a list holds words, phrases and tags; put the rest in a rule"),
                Err(fault) => located.place.report(fault.to_string()),
            }
        }
        words.lists.insert(folded, queries);
    }
}

/// A list's word: as in a query, but several words are a phrase without quotation marks.
fn term(text: &str) -> Result<Query, query::Fault> {
    let bare = text.contains(char::is_whitespace) && !text.contains(['"', '{', '(']);
    query::parse(&if bare { format!("\"{text}\"") } else { text.to_owned() })
}

fn check_places(section: &Section, words: &Words) {
    let mut seen = BTreeSet::new();
    for place in &words.places {
        if !seen.insert(token::fold(&place.name)) {
            section.place_of("place").report(format!("the place `{}` stands here twice", place.name));
        }
    }
}

fn read_rule(section: &Section, words: &Words) -> Option<Rule> {
    let name = section.text("name");
    let names = Sign::NAMES.map(|(_, name)| name);
    let chosen = section.choice("sign", &names);
    let sign = Sign::NAMES.iter().find(|(_, name)| *name == chosen).map_or(Sign::Review, |(sign, _)| *sign);
    let because = section.text_or("because", &name);
    let located = section.located("query")?;
    if words.rules.iter().any(|rule| rule.name == name) {
        section.place().report(format!("the rule `{name}` stands here twice"));
        return None;
    }
    match check(&located.text, words) {
        Ok(query) => Some(Rule { name, query, sign, because }),
        Err(fault) => {
            located.place.report(format!("in the rule `{name}`: {fault}, at `{}`", excerpt(&located.text, &fault)));
            None
        }
    }
}

fn excerpt(text: &str, fault: &query::Fault) -> String {
    let rest = text.get(fault.span.start..).unwrap_or_default();
    rest.chars().take(24).collect()
}

/// Reads a query as a rule of these words: as [`query::parse`], and also lists and accounts must exist, no person may
/// be named, and there must be something to listen for.
///
/// # Errors
/// The first fault, with its place and a way out.
pub fn check(text: &str, words: &Words) -> Result<Query, query::Fault> {
    let query = query::parse(text)?;
    let whole = |what: String, hint: &str| query::Fault { span: 0..text.len(), what, hint: hint.to_owned() };
    if let Some(reason) = words.persons.refusal(&query) {
        return Err(whole(reason, "regeln sparas inte"));
    }
    let mut unknown = None;
    query.each(&mut |part| {
        if let Query::Named(name) = part
            && words.named(name).is_none()
        {
            unknown = Some(name.clone());
        }
    });
    if let Some(name) = unknown {
        let start = token::fold(text).find(&format!("@{name}")).filter(|_| token::fold(text).len() == text.len());
        let span = start.map_or(0..text.len(), |start| start..start + name.len() + 1);
        return Err(query::Fault { span, what: unknown_name(&name), hint: words.nearest(&name) });
    }
    if !super::watch::has_trigger(&query) {
        return Err(whole(
            "the rule has nothing that must be there".to_owned(),
            "a rule of only NOT would match everything; add a word",
        ));
    }
    Ok(query)
}

fn unknown_name(name: &str) -> String {
    format!("`@{name}` är varken en ordlista eller ett eget konto. Andras konton bevakas inte (REF-01)")
}

/// What `@name` stands for.
#[derive(Debug, Clone)]
pub enum Named<'a> {
    /// A word list of the file.
    List(&'a [Query]),
    /// The places of a strength.
    Places(Strength),
    /// One of our accounts.
    Account(&'a str),
    /// All our accounts.
    Accounts,
}

impl Words {
    /// What `@name` stands for, when it stands for anything.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<Named<'_>> {
        match name {
            "places" => return Some(Named::Places(Strength::Strong)),
            "weak" => return Some(Named::Places(Strength::Weak)),
            "accounts" => return Some(Named::Accounts),
            _ => {}
        }
        if let Some(list) = self.lists.get(name) {
            return Some(Named::List(list));
        }
        self.accounts.get(name).map(|account| Named::Account(account))
    }

    fn nearest(&self, name: &str) -> String {
        let mut known: Vec<&str> = self.lists.keys().map(String::as_str).collect();
        known.extend(self.accounts.iter().map(String::as_str));
        known.extend(["places", "weak", "accounts"]);
        match crate::settings::nearest(name, &known) {
            Some(near) => format!("did you mean @{near}?"),
            None => "add the list under [lists], or the account to `accounts`".to_owned(),
        }
    }
}
