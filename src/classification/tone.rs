//! The tone of a post as people hear it: words of praise and blame with their negations, and where they stand.
//!
//! A word list alone is fooled by "inte bra", by "väldigt" and by praise that is followed by a bad fact. So each hit is
//! read in its clause, and the beginning, the end and the signs are summed apart: people say what they mean last.

use super::lexicon::{Dimension, Hit, Lexicon};
use super::normal::{Kind, Normal};

/// Words that turn the next ones around.
pub const NEGATIONS: [&str; 16] = [
    "inte", "ej", "icke", "aldrig", "ingen", "inget", "inga", "utan", "knappt", "knappast", "varken", "nog inte",
    "not", "no", "never", "ikke",
];
/// Words that make the next one stronger.
const INTENSIFIERS: [&str; 26] = [
    "så",
    "väldigt",
    "mycket",
    "jätte",
    "super",
    "otroligt",
    "helt",
    "riktigt",
    "sjukt",
    "extremt",
    "verkligen",
    "rätt",
    "ganska",
    "fruktansvärt",
    "oerhört",
    "himla",
    "jävla",
    "jävligt",
    "jäkla",
    "skit",
    "as",
    "svin",
    "very",
    "so",
    "really",
    "alldeles",
];
/// Words after a negation that it still reaches.
pub const REACH: usize = 3;
/// What is left of a word's weight when it is turned around: "inte bra" is milder than "dåligt".
const TURNED: f32 = -0.7;

/// Sums of praise and blame.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tone {
    /// Weight of the praise.
    pub praise: f32,
    /// Weight of the blame.
    pub blame: f32,
    /// Praise less blame in the last clause.
    pub last: f32,
    /// Praise less blame in the first clause.
    pub first: f32,
    /// Praise less blame of emoji and other signs.
    pub signs: f32,
    /// Turns of phrase that are common in irony.
    pub irony: f32,
}

/// True when the text between two tokens ends a clause.
#[must_use]
pub fn breaks(between: &str) -> bool {
    between.contains(['.', '!', '?', ';', ':', ',', '\n', '…'])
}

/// For each token: whether a negation reaches it.
#[must_use]
pub fn negated(normal: &Normal) -> Vec<bool> {
    let mut left = 0_usize;
    let mut end = 0;
    let tokens = normal.tokens.iter().map(|token| {
        if breaks(normal.text.get(end..token.start).unwrap_or_default()) {
            left = 0;
        }
        end = token.end;
        let reached = left > 0;
        left = left.saturating_sub(1);
        if token.kind == Kind::Word && NEGATIONS.contains(&normal.word(token)) {
            left = REACH;
            return false;
        }
        reached
    });
    tokens.collect()
}

/// Hears the tone of a post.
#[must_use]
pub fn hear(lexicon: &Lexicon, normal: &Normal, hits: &[Hit], negated: &[bool]) -> Tone {
    let mut tone = Tone::default();
    let token_at = |byte: usize| normal.tokens.partition_point(|token| token.start <= byte).saturating_sub(1);
    let last_break = last_clause(normal);
    let first_break = normal.text.find(['.', '!', '?', '\n']).unwrap_or(normal.text.len());
    let mut before: Option<(usize, usize)> = None;
    for hit in hits {
        let Some(group) = lexicon.group(hit).filter(|group| group.dimension == Dimension::Sentiment) else { continue };
        let side = match group.slug.as_str() {
            "pos" => 1.0,
            "neg" => -1.0,
            "irony" => {
                tone.irony += group.weight;
                continue;
            }
            _ => continue,
        };
        // The same word in two lists is one word.
        if before == Some((hit.start, hit.end)) {
            continue;
        }
        before = Some((hit.start, hit.end));
        let at = token_at(hit.start);
        let own = NEGATIONS.iter().any(|word| lexicon.stem(hit).split(' ').any(|part| part == *word));
        let mut value = side * group.weight;
        if !own && negated.get(at).copied().unwrap_or(false) {
            value *= TURNED;
        }
        let stronger = at.checked_sub(1).and_then(|at| normal.tokens.get(at)).map(|token| normal.word(token));
        if stronger.is_some_and(|word| INTENSIFIERS.contains(&word)) {
            value *= 1.3;
        }
        if value > 0.0 {
            tone.praise += value;
        } else {
            tone.blame -= value;
        }
        if hit.start >= last_break {
            tone.last += value;
        }
        if hit.start < first_break {
            tone.first += value;
        }
        if !lexicon.stem(hit).contains(char::is_alphanumeric) {
            tone.signs += value;
        }
    }
    tone
}

/// A grade given in figures, "2/5" or "9 av 10", as a share of the best: figures are 0 in the normalised text.
#[must_use]
pub fn grade(post: &str) -> Option<f32> {
    let figure = |text: &str| -> Option<u8> {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    for (separator, length) in [("/", 1), (" av ", 4), (" of ", 4)] {
        for (at, _) in post.match_indices(separator) {
            let before = post.get(..at)?.chars().rev().take_while(char::is_ascii_digit).count();
            let (Some(given), Some(best)) =
                (post.get(at - before..at).and_then(figure), post.get(at + length..).and_then(figure))
            else {
                continue;
            };
            let bound = !post.get(at + length..).is_some_and(|rest| rest.contains('/') && rest.find('/') <= Some(4));
            if (best == 5 || best == 10) && given <= best && bound {
                return Some(f32::from(given) / f32::from(best));
            }
        }
    }
    None
}

/// Where the last sentence begins.
fn last_clause(normal: &Normal) -> usize {
    let text = normal.text.trim_end_matches(|c: char| !c.is_alphanumeric());
    text.rfind(['.', '!', '?', '\n', '…']).map_or(0, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classification::normal::normalise;

    fn tone(post: &str) -> Tone {
        let (lexicon, normal) = (Lexicon::shipped().unwrap(), normalise(post));
        hear(&lexicon, &normal, &lexicon.hits(&normal, post), &negated(&normal))
    }

    #[test]
    fn a_negation_turns_praise_around_and_ends_with_its_clause() {
        assert!(tone("Maten var god").praise > tone("Maten var god").blame);
        assert!(tone("Maten var ju inte särskilt god").blame > 0.0);
        assert!(tone("Nej, aldrig, men maten var god").praise > 0.0);
    }

    #[test]
    fn what_is_said_last_is_known() {
        assert!(tone("Först var det strulig väntan. Sen blev allt underbart!").last > 0.0);
        assert!(tone("Underbart väder. Men bussen var urusel").last < 0.0);
    }

    #[test]
    fn a_grade_in_figures_is_read() {
        assert_eq!(grade("Toppen! 5/5"), Some(1.0));
        assert_eq!(grade("bara 2 av 5 från mig"), Some(0.4));
        assert_eq!(grade("torsdag 12/5 kl 18"), None);
        assert_eq!(grade("3 av 4 elever, 24/7"), None);
    }

    #[test]
    fn signs_are_summed_apart() {
        assert!(tone("Bussen kom 😡").signs < 0.0);
        assert!(tone("Bussen kom 😍").signs > 0.0);
    }
}
