//! Similar questions: same topic and same place first, then the same matter and the same wish, then the letters.
//! It suggests; only posts that are near verbatim are so alike that a person need not look.

use rustc_hash::{FxHashMap, FxHashSet};

use super::judge::Judge;
use super::lexicon::{Dimension, Hit};
use super::normal::{Kind, Normal, normalise};
use super::stems::sides_of;

/// From this score two posts are taken to ask the same.
const SAME_AT: f32 = 0.5;
/// From this cosine two posts are the same words, whatever the lexicon makes of them.
const VERBATIM_AT: f32 = 0.9;
/// Words that carry no matter of their own, so that two posts are not alike by their small words.
const SMALL: &[&str] = &[
    "hej", "och", "att", "det", "den", "är", "en", "ett", "i", "på", "av", "för", "till", "från", "med", "om", "som",
    "jag", "vi", "ni", "man", "de", "har", "ska", "kan", "vill", "inte", "när", "var", "hur", "vad", "vem", "vilka",
    "vilken", "någon", "nån", "vet", "där", "här", "så", "nu", "då", "min", "mitt", "mina", "er", "vår", "vårt",
    "finns", "blir", "får", "sig", "vid", "eller", "tack", "mvh", "kommunen", "kommun", "vart", "varför", "gör", "går",
    "ja", "nej", "också", "bara", "ju", "väl", "idag", "dag", "igen", "ale", "hos", "efter", "under", "över", "mot",
    "per", "ut", "upp", "in", "ha", "få", "vara", "bli", "kom", "kommer", "mig", "oss", "dem", "ingen", "inget",
    "alla", "mycket", "länge", "många", "vilket",
];

/// What a comparison says.
#[derive(Debug, Clone, PartialEq)]
pub struct Likeness {
    /// True when both ask the same.
    pub same: bool,
    /// 0 to 1.
    pub score: f32,
    /// Why, in plain Swedish, one reason a line.
    pub because: Vec<String>,
}

/// What the lexicon's groups of things begin with; its other synonyms are kinds of question.
const THING: &str = "sak-";
/// The side of a difference that has no other side.
const LONELY: &str = "ja";

/// The differences that a post speaks of, and which sides of each it is on.
type Sides = FxHashMap<String, FxHashSet<String>>;

/// What a post asks about.
struct Matter {
    topics: FxHashSet<String>,
    places: FxHashSet<String>,
    things: FxHashSet<String>,
    wishes: FxHashSet<String>,
    sides: Sides,
    words: FxHashSet<String>,
    grams: FxHashMap<u64, f32>,
}

/// How two posts compare, each sign by itself, 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Signs {
    /// Cosine of three letters at a time.
    pub letters: f32,
    /// Share of all things named that both name.
    pub things: f32,
    /// Both name a thing, and no thing is named by both.
    pub other_things: f32,
    /// Things in common, but each names one that the other does not.
    pub things_beside: f32,
    /// Share of all kinds of question that both ask.
    pub wishes: f32,
    /// Both ask a known kind of question, and none is common.
    pub other_wishes: f32,
    /// A place in common.
    pub place: f32,
    /// Both name a place, and none is common.
    pub other_place: f32,
    /// The lexicon's topic in common.
    pub topic: f32,
    /// Both have topics, and none is common.
    pub other_topic: f32,
    /// The same sentence with another word in it: alike letters, and each has a word that the other has not.
    pub swapped: f32,
    /// They stand on two sides of a difference that the lexicon knows: for a child and for an adult, begin and end.
    pub contrast: f32,
}

impl Signs {
    /// 0 to 1: how likely the two ask the same.
    #[must_use]
    pub fn score(&self) -> f32 {
        let sum = SIGNS.iter().zip(self.list()).fold(BIAS, |sum, (weight, sign)| sum + weight * sign);
        1.0 / (1.0 + super::linear::exp(-sum))
    }

    /// The signs in the order of their weights.
    #[must_use]
    pub fn list(&self) -> [f32; 12] {
        [
            self.letters,
            self.things,
            self.other_things,
            self.things_beside,
            self.wishes,
            self.other_wishes,
            self.place,
            self.other_place,
            self.topic,
            self.other_topic,
            self.swapped,
            self.contrast,
        ]
    }
}

/// What each sign weighs, fitted on pairs written for this and rounded.
const SIGNS: [f32; 12] = [2.0, 2.2, -3.3, -2.3, 1.2, -2.2, 1.2, -4.0, 0.5, -1.6, -4.5, -5.0];
/// Where the sum begins.
const BIAS: f32 = -0.5;

/// Compares two posts.
#[must_use]
pub fn similar(judge: &Judge, a: &str, b: &str) -> Likeness {
    let signs = signs(judge, a, b);
    let mut because = vec![format!("Lika ordval: {:.0} %", signs.letters * 100.0)];
    let told = [
        (signs.topic, "Samma ämne"),
        (signs.other_topic, "Olika ämnen"),
        (signs.place, "Samma plats"),
        (signs.other_place, "Olika platser"),
        (signs.things, "Samma sak"),
        (signs.other_things, "Olika saker"),
        (signs.things_beside, "Var sin sak vid sidan om"),
        (signs.wishes, "Samma slags fråga"),
        (signs.other_wishes, "Olika slags frågor"),
        (signs.contrast, "Skiljer sig i vad som gäller"),
    ];
    because.extend(told.iter().filter(|(sign, _)| *sign > 0.0).map(|(_, why)| (*why).to_owned()));
    let score = signs.score();
    let differ = signs.other_place + signs.other_wishes + signs.other_things + signs.contrast > 0.0;
    let verbatim = signs.letters >= VERBATIM_AT && !differ;
    let score = if verbatim { score.max(signs.letters) } else { score };
    Likeness { same: score >= SAME_AT, score, because }
}

/// Every sign of two posts.
#[must_use]
pub fn signs(judge: &Judge, a: &str, b: &str) -> Signs {
    let (one, two) = (matter(judge, a), matter(judge, b));
    let flag = |is: bool| f32::from(u8::from(is));
    let apart = |a: &FxHashSet<String>, b: &FxHashSet<String>| flag(!a.is_empty() && !b.is_empty() && a.is_disjoint(b));
    let count = |n: usize| f32::from(u16::try_from(n).unwrap_or(u16::MAX));
    let share = |a: &FxHashSet<String>, b: &FxHashSet<String>| {
        let all = a.union(b).count();
        if all == 0 { 0.0 } else { count(a.intersection(b).count()) / count(all) }
    };
    let lonely =
        |a: &FxHashSet<String>, b: &FxHashSet<String>| a.iter().any(|word| !b.iter().any(|other| akin(word, other)));
    let swapped = lonely(&one.words, &two.words) && lonely(&two.words, &one.words);
    let letters = cosine(&one.grams, &two.grams);
    let beside = !one.things.is_disjoint(&two.things)
        && one.things.difference(&two.things).next().is_some()
        && two.things.difference(&one.things).next().is_some();
    Signs {
        letters,
        things: share(&one.things, &two.things),
        other_things: apart(&one.things, &two.things),
        things_beside: flag(beside),
        wishes: share(&one.wishes, &two.wishes),
        other_wishes: apart(&one.wishes, &two.wishes),
        place: flag(!one.places.is_disjoint(&two.places)),
        other_place: apart(&one.places, &two.places),
        topic: flag(!one.topics.is_disjoint(&two.topics)),
        other_topic: apart(&one.topics, &two.topics),
        swapped: flag(swapped) * letters * letters,
        contrast: flag(apart_by_side(&one.sides, &two.sides) || apart_by_side(&two.sides, &one.sides)),
    }
}

/// Whether one post is on other sides of a difference than the other, or alone on a side that has no other.
fn apart_by_side(one: &Sides, other: &Sides) -> bool {
    one.iter().any(|(what, sides)| match other.get(what) {
        Some(others) => sides.is_disjoint(others),
        None => sides.contains(LONELY),
    })
}

/// Two words with the same beginning, as inflections and compounds of one word have.
fn akin(a: &str, b: &str) -> bool {
    let shared = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let shorter = a.chars().count().min(b.chars().count());
    a == b || (shared >= 4 && shared + 2 >= shorter)
}

fn matter(judge: &Judge, post: &str) -> Matter {
    let normal = normalise(post);
    let lexicon = judge.lexicon();
    let hits = lexicon.hits(&normal, post);
    let mut matter = Matter {
        topics: FxHashSet::default(),
        places: FxHashSet::default(),
        things: FxHashSet::default(),
        wishes: FxHashSet::default(),
        sides: Sides::default(),
        words: FxHashSet::default(),
        grams: grams(&normal),
    };
    for hit in &hits {
        let Some(group) = lexicon.group(hit) else { continue };
        match group.dimension {
            Dimension::Place if group.slug == "street" => {
                matter.places.extend(word_around(&normal, hit));
            }
            Dimension::Place if group.slug != "name" => {
                matter.places.insert(word_of(&normal, hit));
            }
            Dimension::Elsewhere => {
                matter.places.insert(word_of(&normal, hit));
            }
            Dimension::Synonym => {
                let set = if group.slug.starts_with(THING) { &mut matter.things } else { &mut matter.wishes };
                set.insert(group.slug.clone());
            }
            Dimension::Difference => {
                if let Some((what, side)) = sides_of(&group.slug) {
                    matter.sides.entry(what.to_owned()).or_default().insert(side.to_owned());
                }
            }
            Dimension::Topic if group.weight >= 1.0 => {
                matter.topics.insert(group.slug.clone());
            }
            _ => {}
        }
    }
    let words = normal.tokens.iter().filter(|token| matches!(token.kind, Kind::Word | Kind::Tag));
    let words = words.map(|token| normal.word(token)).filter(|word| word.len() > 2 && !SMALL.contains(word));
    matter.words = words.map(str::to_owned).collect();
    matter
}

/// The whole word that a hit stands in: a street is known by its ending and is called by all of it.
fn word_around(normal: &Normal, hit: &Hit) -> Option<String> {
    let token = normal.tokens.iter().find(|token| token.start <= hit.start && hit.end <= token.end)?;
    let word = normal.word(token);
    // "vägen" alone is no street.
    let bare = ["vägen", "gatan", "stigen", "gränd", "backen", "allén", "slingan"];
    (!bare.contains(&word)).then(|| word.trim_end_matches('s').to_owned())
}

/// The word without its genitive, so that Surtes and Surte are one place.
fn word_of(normal: &Normal, hit: &Hit) -> String {
    normal.text.get(hit.start..hit.end).unwrap_or_default().trim_end_matches('s').to_owned()
}

fn grams(normal: &Normal) -> FxHashMap<u64, f32> {
    let mut grams: FxHashMap<u64, f32> = FxHashMap::default();
    for token in normal.tokens.iter().filter(|token| matches!(token.kind, Kind::Word | Kind::Tag)) {
        let word = normal.word(token);
        let weight = if SMALL.contains(&word) { 0.15 } else { 1.0 };
        let padded: Vec<char> = format!("<{word}>").chars().collect();
        for three in padded.windows(3) {
            let key = three.iter().fold(0_u64, |key, letter| (key << 21) | u64::from(*letter));
            *grams.entry(key).or_default() += weight;
        }
    }
    grams
}

fn cosine(a: &FxHashMap<u64, f32>, b: &FxHashMap<u64, f32>) -> f32 {
    let dot: f32 = a.iter().filter_map(|(key, value)| Some(value * b.get(key)?)).sum();
    let length = |grams: &FxHashMap<u64, f32>| grams.values().map(|value| value * value).sum::<f32>().sqrt();
    let both = length(a) * length(b);
    if both > 0.0 { dot / both } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        let judge = Judge::shipped().unwrap();
        let found = similar(&judge, a, b);
        eprintln!("{a} / {b}: {found:?}");
        found.same
    }

    #[test]
    fn the_same_question_in_other_words_is_the_same() {
        assert!(same("När öppnar återvinningscentralen i helgen?", "Vilka öppettider har ÅVC på lördag?"));
        assert!(same("Varför är vattnet brunt i Nol?", "Någon mer i Nol som har brunt vatten i kranen?"));
        assert!(same("Hur lång är kön till förskolan?", "Hur länge får man vänta på förskoleplats?"));
    }

    #[test]
    fn another_place_or_another_wish_is_another_question() {
        assert!(!same("När plogas det i Nol?", "När plogas det i Surte?"));
        assert!(!same("När öppnar simhallen?", "Vad kostar det i simhallen?"));
        assert!(!same("Hur söker jag bygglov?", "Hur söker jag feriejobb?"));
    }

    #[test]
    fn for_a_child_and_for_an_adult_to_begin_and_to_end_are_two_questions() {
        assert!(!same("Hur anmäler jag mitt barn till simskola?", "Hur anmäler jag mig till simskola för vuxna?"));
        assert!(same("Kan jag skriva till er om simskolan?", "Kan jag höra av mig till er om simskolan?"), "no riva");
        assert!(!same("Hur beställer jag slamtömning?", "Hur avbeställer jag slamtömning?"));
        assert!(!same("Hur ansöker man om god man åt sin pappa?", "Hur ansöker man om att bli god man?"));
        assert!(!same("Är konstgräsplanen i Nol öppen på vintern?", "Är konstgräsplanen i Nol öppen på sommaren?"));
        assert!(same("Är konstgräsplanen i Nol öppen på vintern?", "Är konstgräset i Nol öppet i vinter?"));
    }

    #[test]
    fn a_side_that_is_alone_tells_apart_where_only_one_says_it() {
        let sides = |slugs: &[&str]| {
            let mut sides = Sides::default();
            for (what, side) in slugs.iter().filter_map(|slug| sides_of(slug)) {
                sides.entry(what.to_owned()).or_default().insert(side.to_owned());
            }
            sides
        };
        let apart = |a: &[&str], b: &[&str]| {
            let (a, b) = (sides(a), sides(b));
            apart_by_side(&a, &b) || apart_by_side(&b, &a)
        };
        assert!(apart(&["slut-ja"], &[]) && apart(&[], &["slut-ja"]));
        assert!(!apart(&["slut-ja"], &["slut-ja"]) && !apart(&[], &[]));
        assert!(apart(&["arstid-jul"], &["arstid-sommar"]));
        assert!(!apart(&["arstid-jul"], &[]), "who names no season asks about all");
        assert!(!apart(&["arstid-jul", "arstid-sommar"], &["arstid-sommar"]), "one in common is enough");
    }

    #[test]
    fn a_post_is_the_same_as_itself() {
        assert!(same("Lampan är släckt på Byvägen", "lampan är SLÄCKT på byvägen!!"));
    }

    /// Pairs written for this: what is easy to tell, and what differs by one word or in everything but the matter.
    const PAIRS: &str = include_str!("fixtures/pairs.jsonl");

    #[derive(serde::Deserialize)]
    struct Pair {
        a: String,
        b: String,
        same: bool,
        kind: String,
    }

    #[test]
    fn easy_pairs_are_told_and_hard_ones_are_seldom_merged() {
        let judge = Judge::shipped().unwrap();
        let pairs: Vec<Pair> = PAIRS.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let said: Vec<bool> = pairs.iter().map(|pair| similar(&judge, &pair.a, &pair.b).same).collect();
        let of = |kind: &'static str| pairs.iter().zip(&said).filter(move |(pair, _)| pair.kind == kind);
        let easy = of("easy").filter(|(pair, said)| pair.same == **said).count();
        let apart = of("hard").filter(|(pair, _)| !pair.same).count();
        let merged = of("hard").filter(|(pair, said)| !pair.same && **said).count();
        assert!(easy * 100 >= of("easy").count() * 93, "{easy} of {}", of("easy").count());
        assert!(merged * 100 <= apart * 40, "{merged} of {apart}");
    }
}
