//! Which questions are alike, and whether their answers say the same: the same question shall get the same answer
//! whoever gives it (policy A19). Pure and plain: shared words, and numbers of the same kind that differ.

use std::collections::BTreeSet;

/// Letters of a word at least; shorter ones are mostly grammar.
const WORD_MIN: usize = 4;
/// Letters of a word that are compared: enough to tell words apart, few enough to pass over Swedish endings.
const STEM: usize = 6;
/// Words that two questions share at least.
const SHARED_MIN: usize = 2;
/// Share of their words that two questions have in common, from which they count as alike.
pub const ALIKE: f64 = 0.34;
/// Words that say nothing of the matter.
const EMPTY: &[&str] = &[
    "alla",
    "borde",
    "bara",
    "blir",
    "detta",
    "deras",
    "eller",
    "finns",
    "från",
    "fått",
    "gäller",
    "göra",
    "hade",
    "hela",
    "hur",
    "igen",
    "inte",
    "komm",
    "kommun",
    "kommer",
    "kunna",
    "länge",
    "mycket",
    "måste",
    "någon",
    "något",
    "några",
    "ingen",
    "också",
    "sedan",
    "skulle",
    "snälla",
    "säga",
    "ska",
    "sätt",
    "till",
    "tycker",
    "under",
    "utan",
    "vara",
    "varför",
    "vilken",
    "vill",
    "verkligen",
    "vår",
    "våra",
    "även",
    "över",
    "vet",
    "vad",
    "när",
    "dessa",
];

/// The words of a text that say what it is about, cut to their stem.
#[must_use]
pub fn stems(text: &str) -> BTreeSet<String> {
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().count() >= WORD_MIN && !EMPTY.contains(word))
        .map(|word| word.chars().take(STEM).collect())
        .collect()
}

/// How alike two texts are, 0 to 1: the share of their words that they have in common; 0 under two shared words.
#[must_use]
pub fn likeness(one: &BTreeSet<String>, other: &BTreeSet<String>) -> f64 {
    let shared = one.intersection(other).count();
    let all = one.len() + other.len();
    if shared < SHARED_MIN || all == 0 {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "words of a post, far below 2^52")]
    let likeness = 2.0 * shared as f64 / all as f64;
    likeness
}

/// What sort of fact a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// A time of day.
    Clock,
    /// A sum of money.
    Price,
    /// A telephone number.
    Phone,
}

impl Fact {
    /// What a person reads.
    #[must_use]
    pub fn swedish(self) -> &'static str {
        match self {
            Self::Clock => "klockslag",
            Self::Price => "pris",
            Self::Phone => "telefonnummer",
        }
    }
}

/// The facts of an answer that can be compared.
#[must_use]
pub fn facts(text: &str) -> BTreeSet<(Fact, String)> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut facts = BTreeSet::new();
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let core = bare(word);
        let next = words.get(at + 1).map(|word| bare(word)).unwrap_or_default();
        let last = at.checked_sub(1).and_then(|at| words.get(at)).map(|word| bare(word)).unwrap_or_default();
        if matches!(next.as_str(), "kr" | "kronor")
            && core.bytes().all(|byte| byte.is_ascii_digit())
            && !core.is_empty()
        {
            facts.insert((Fact::Price, core));
        } else if let Some(clock) = clock(&core, matches!(last.as_str(), "kl" | "klockan" | "till")) {
            facts.insert((Fact::Clock, clock));
        } else if let Some((number, taken)) = phone(words.get(at..).unwrap_or_default()) {
            facts.insert((Fact::Phone, number));
            at += taken;
            continue;
        }
        at += 1;
    }
    facts
}

/// "16.30", "16:30", or "17" after "klockan": as minutes do, so that 17 and 17.00 are the same.
fn clock(word: &str, told: bool) -> Option<String> {
    let (hour, minute) = match word.split_once(['.', ':']) {
        Some((hour, minute)) if minute.len() == 2 => (hour, minute),
        None if told => (word, "00"),
        _ => return None,
    };
    let (hour, minute): (u8, u8) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then(|| format!("{hour:02}.{minute:02}"))
}

/// A number that begins with 0 and has eight to eleven digits, in groups or not; and how many words it took.
fn phone(words: &[&str]) -> Option<(String, usize)> {
    let mut digits = String::new();
    let mut taken = 0;
    for word in words.iter().take(5) {
        let core = word.trim_matches(|c: char| !c.is_ascii_digit());
        if core.is_empty() || !core.chars().all(|c| c.is_ascii_digit() || c == '-') {
            break;
        }
        digits.extend(core.chars().filter(char::is_ascii_digit));
        taken += 1;
    }
    (digits.starts_with('0') && (8..=11).contains(&digits.len())).then_some((digits, taken))
}

/// The kinds of facts in which two answers to the same question differ: both name one, and they have none in common.
#[must_use]
pub fn differing(one: &str, other: &str) -> Vec<Fact> {
    let (one, other) = (facts(one), facts(other));
    [Fact::Clock, Fact::Price, Fact::Phone]
        .into_iter()
        .filter(|kind| {
            let of = |facts: &BTreeSet<(Fact, String)>| -> BTreeSet<String> {
                facts.iter().filter(|(found, _)| found == kind).map(|(_, value)| value.clone()).collect()
            };
            let (one, other) = (of(&one), of(&other));
            !one.is_empty() && !other.is_empty() && one.is_disjoint(&other)
        })
        .collect()
}

/// Pairs of questions that are alike: indexes into `texts`, the most alike first, at most `limit`.
#[must_use]
pub fn pairs(texts: &[&str], limit: usize) -> Vec<(usize, usize)> {
    let stems: Vec<BTreeSet<String>> = texts.iter().map(|text| stems(text)).collect();
    let mut found: Vec<(usize, usize, f64)> = Vec::new();
    for (first, one) in stems.iter().enumerate() {
        for (second, other) in stems.iter().enumerate().skip(first + 1) {
            let likeness = likeness(one, other);
            if likeness >= ALIKE {
                found.push((first, second, likeness));
            }
        }
    }
    found.sort_by(|a, b| b.2.total_cmp(&a.2));
    found.into_iter().take(limit).map(|(first, second, _)| (first, second)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_question_in_other_words_is_alike_and_another_is_not() {
        let texts = [
            "När öppnar återvinningscentralen i Sörmossen på lördag?",
            "Är återvinningscentralen Sörmossen öppen lördagar?",
            "Brunt vatten i kranen i Nol sedan i morse",
        ];
        assert_eq!(pairs(&texts, 10), [(0, 1)]);
    }

    #[test]
    fn two_closing_times_for_the_same_place_are_a_contradiction() {
        assert_eq!(differing("Vi har öppet till 16.30.", "Öppet till klockan 17 i dag"), [Fact::Clock]);
        assert_eq!(differing("Öppet till 17.00", "Vi stänger klockan 17"), []);
        assert_eq!(differing("Ring 0303-70 30 00", "Ring oss på 0303-70 31 11"), [Fact::Phone]);
        assert_eq!(differing("Det kostar 200 kr", "Avgiften är 250 kronor"), [Fact::Price]);
        assert_eq!(differing("Ring 0303-70 30 00", "Öppet till 16.30"), []);
    }

    #[test]
    fn small_words_make_no_question_alike() {
        assert!(pairs(&["Varför är det inte någon som kommer", "Varför vill inte någon göra det"], 10).is_empty());
    }
}
