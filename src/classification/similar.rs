//! Similar questions: same topic and same place first, then the same matter and the same wish, then the letters.
//! It suggests; only posts that are near verbatim are so alike that a person need not look.

use rustc_hash::{FxHashMap, FxHashSet};

use super::Subject;
use super::judge::Judge;
use super::lexicon::{Dimension, Hit};
use super::normal::{Kind, Normal, normalise};

/// From this score two posts are taken to ask the same.
const SAME_AT: f32 = 0.5;
/// From this cosine two posts are the same words, whatever the lexicon makes of them.
const VERBATIM_AT: f32 = 0.9;
/// Words that carry no matter of their own, so that two posts are not alike by their small words.
const SMALL: [&str; 58] = [
    "hej", "och", "att", "det", "den", "är", "en", "ett", "i", "på", "av", "för", "till", "från", "med", "om", "som",
    "jag", "vi", "ni", "man", "de", "har", "ska", "kan", "vill", "inte", "när", "var", "hur", "vad", "vem", "vilka",
    "vilken", "någon", "nån", "vet", "där", "här", "så", "nu", "då", "min", "mitt", "mina", "er", "vår", "vårt",
    "finns", "blir", "får", "sig", "vid", "eller", "tack", "mvh", "kommunen", "kommun",
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

/// What a post asks about.
struct Matter {
    topic: String,
    places: FxHashSet<String>,
    things: FxHashSet<String>,
    wishes: FxHashSet<String>,
    grams: FxHashMap<u64, f32>,
}

/// Compares two posts.
#[must_use]
pub fn similar(judge: &Judge, a: &str, b: &str) -> Likeness {
    let (one, two) = (matter(judge, a), matter(judge, b));
    let letters = cosine(&one.grams, &two.grams);
    let mut because = vec![format!("Lika ordval: {:.0} %", letters * 100.0)];
    let apart = |a: &FxHashSet<String>, b: &FxHashSet<String>| !a.is_empty() && !b.is_empty() && a.is_disjoint(b);
    let mut score = 0.55 * letters;
    if one.topic == two.topic {
        score += 0.12;
        because.push("Samma ämne".to_owned());
    } else {
        score -= 0.12;
        because.push("Olika ämnen".to_owned());
    }
    if apart(&one.places, &two.places) {
        score -= 0.45;
        because.push("Olika platser".to_owned());
    } else if !one.places.is_disjoint(&two.places) {
        score += 0.06;
        because.push("Samma plats".to_owned());
    }
    if !one.things.is_disjoint(&two.things) {
        score += 0.22;
        because.push("Samma sak".to_owned());
    } else if apart(&one.things, &two.things) {
        score -= 0.25;
        because.push("Olika saker".to_owned());
    }
    if !one.wishes.is_disjoint(&two.wishes) {
        score += 0.2;
        because.push("Samma slags fråga".to_owned());
    } else if apart(&one.wishes, &two.wishes) {
        score -= 0.3;
        because.push("Olika slags frågor".to_owned());
    }
    let verbatim = letters >= VERBATIM_AT && !apart(&one.places, &two.places) && !apart(&one.wishes, &two.wishes);
    let score = if verbatim { score.max(letters) } else { score }.clamp(0.0, 1.0);
    Likeness { same: score >= SAME_AT, score, because }
}

fn matter(judge: &Judge, post: &str) -> Matter {
    let normal = normalise(post);
    let lexicon = judge.lexicon();
    let hits = lexicon.hits(&normal, post);
    let subject = Subject { text: post, channel: "webbformular", ..Subject::default() };
    let (mut places, mut things, mut wishes) = (FxHashSet::default(), FxHashSet::default(), FxHashSet::default());
    for hit in &hits {
        let Some(group) = lexicon.group(hit) else { continue };
        match group.dimension {
            Dimension::Place if group.slug != "name" => {
                places.insert(word_of(&normal, hit));
            }
            Dimension::Elsewhere => {
                places.insert(word_of(&normal, hit));
            }
            Dimension::Synonym => {
                let set = if group.slug.starts_with("sak-") { &mut things } else { &mut wishes };
                set.insert(group.slug.clone());
            }
            _ => {}
        }
    }
    // A matter that no synonym names is named by its topic stems.
    if things.is_empty() {
        let topical = |hit: &&Hit| lexicon.group(hit).is_some_and(|group| group.dimension == Dimension::Topic);
        things.extend(hits.iter().filter(topical).map(|hit| lexicon.stem(hit).to_owned()));
    }
    Matter { topic: judge.judge(&subject, None).topic, places, things, wishes, grams: grams(&normal) }
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
    fn a_post_is_the_same_as_itself() {
        assert!(same("Lampan är släckt på Byvägen", "lampan är SLÄCKT på byvägen!!"));
    }
}
