//! Stems that corrected posts suggest for the lexicon: words that stand in one topic's corrections and in no other's.

use rustc_hash::FxHashMap;

use super::lexicon::Lexicon;
use super::normal::{Kind, normalise};
use super::train::Lesson;

/// The fewest letters of a stem worth suggesting; shorter ones stand inside too many words.
const LETTERS_MIN: usize = 5;
/// The share of a word's posts that must be of one topic.
const PURITY: f64 = 0.75;
/// Suggestions in a list that a person reads in one go.
const SUGGESTIONS_MAX: usize = 50;

/// A stem that staff may add.
#[derive(Debug, Clone, PartialEq)]
pub struct Suggestion {
    /// Slug of the topic it speaks for.
    pub topic: String,
    /// The stem.
    pub stem: String,
    /// Corrected posts of the topic that have it.
    pub posts: usize,
    /// Share of all corrected posts with it that are of the topic.
    pub purity: f64,
}

/// Stems that stand in at least `least` corrected posts of one topic and that the lexicon does not know there.
/// Words from one post alone are never suggested, so that no name of a person comes into the lexicon that way.
#[must_use]
pub fn suggest(lexicon: &Lexicon, corrections: &[Lesson], least: usize) -> Vec<Suggestion> {
    let least = least.max(2);
    let mut posts: FxHashMap<String, FxHashMap<&str, usize>> = FxHashMap::default();
    for (lesson, topic) in corrections.iter().filter_map(|lesson| Some((lesson, lesson.topic.as_deref()?))) {
        let normal = normalise(&lesson.text);
        let words = normal.tokens.iter().filter(|token| matches!(token.kind, Kind::Word | Kind::Tag));
        let mut stems: Vec<&str> = words.map(|token| stem(normal.word(token))).collect();
        stems.sort_unstable();
        stems.dedup();
        for stem in stems.into_iter().filter(|stem| stem.chars().count() >= LETTERS_MIN && !stem.contains('0')) {
            *posts.entry(stem.to_owned()).or_default().entry(topic).or_default() += 1;
        }
    }
    let mut found: Vec<Suggestion> = posts
        .into_iter()
        .filter_map(|(stem, topics)| {
            let all: usize = topics.values().sum();
            let (topic, count) = topics.into_iter().max_by_key(|(topic, count)| (*count, std::cmp::Reverse(*topic)))?;
            #[expect(clippy::cast_precision_loss, reason = "counts of posts are far below 2^52")]
            let purity = count as f64 / all as f64;
            let new = count >= least && purity >= PURITY && !lexicon.knows(topic, &stem);
            new.then(|| Suggestion { topic: topic.to_owned(), stem, posts: count, purity })
        })
        .collect();
    found.sort_by(|a, b| b.posts.cmp(&a.posts).then_with(|| a.stem.cmp(&b.stem)));
    found.truncate(SUGGESTIONS_MAX);
    found
}

/// The word without the commonest Swedish endings.
fn stem(word: &str) -> &str {
    let endings = [
        "ernas", "arnas", "ornas", "erna", "arna", "orna", "ens", "ets", "en", "et", "ar", "er", "or", "na", "a", "n",
        "t",
    ];
    let long = |stem: &&str| stem.chars().count() >= LETTERS_MIN;
    endings.iter().find_map(|ending| word.strip_suffix(ending).filter(long)).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lesson(topic: &str, text: &str) -> Lesson {
        Lesson { topic: Some(topic.to_owned()), text: text.to_owned(), ..Lesson::default() }
    }

    #[test]
    fn a_word_of_one_topic_is_suggested_and_a_word_of_all_is_not() {
        let lexicon = Lexicon::shipped().unwrap();
        let corrections = [
            lesson("va", "Zorpen är full, märkligt"),
            lesson("va", "zorparna i Nol"),
            lesson("va", "Vattnet i zorpen märkligt"),
            lesson("skola", "Märkligt schema"),
            lesson("skola", "Märkligt betyg"),
        ];
        let stems: Vec<String> = suggest(&lexicon, &corrections, 2).into_iter().map(|found| found.stem).collect();
        assert!(stems.is_empty() || stems.iter().all(|stem| stem.starts_with("zorp")), "{stems:?}");
        let longer = [
            lesson("va", "Grumsbrunnarna"),
            lesson("va", "grumsbrun igen"),
            lesson("va", "Slaskventilen"),
            lesson("va", "slaskventiler"),
        ];
        let found = suggest(&lexicon, &longer, 2);
        assert!(
            found.iter().any(|found| found.stem == "slaskventil" && found.topic == "va" && found.posts == 2),
            "{found:?}"
        );
    }

    #[test]
    fn a_word_from_one_post_alone_is_never_suggested() {
        let lexicon = Lexicon::shipped().unwrap();
        assert_eq!(suggest(&lexicon, &[lesson("va", "Svenssonskan bråkar")], 1), []);
    }
}
