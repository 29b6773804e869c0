//! A watch rule under trial: what it would have heard among the mentions that are kept. The page Bevakning and
//! `lyhord match --history` say the same, because both ask here.

use std::collections::BTreeMap;

use super::case_posts::{Piece, pieces};
use super::mask::mask;
use crate::audit::listening::Share;
use crate::audit::store::Told;
use crate::id::MentionId;
use crate::mention::query::Fault;
use crate::mention::query_reading::reading;
use crate::mention::store::Text;
use crate::mention::trial::alone;
use crate::mention::watch::{Scratch, compile};
use crate::mention::words::{self, Words};
use crate::mention::{Heard, Span};

/// The latest mentions that a rule is tried on: some months of a municipality, and less than a second.
pub const TRIED_ON: i64 = 10_000;
/// The latest judged posts that a rule is compared with.
pub const JUDGED: i64 = 2_000;
/// Posts that are shown.
const SAMPLES: usize = 8;
/// Letters of a post that is shown, from a little before the first word that matched.
const EXCERPT: usize = 280;
/// Letters before that word.
const BEFORE: usize = 60;

/// What a trial found.
#[derive(Debug)]
pub struct Tried {
    /// The rule as Lyhörd writes it.
    pub query: String,
    /// The same in plain Swedish.
    pub reading: String,
    /// How many of the kept mentions it hears.
    pub heard: Share,
    /// On how many it has to be asked.
    pub asked: Share,
    /// Of those that it hears and people have judged, how many are about us.
    pub right: Share,
    /// Posts that it hears, masked, with the words that matched.
    pub samples: Vec<Vec<Piece>>,
    /// How many of those that it hears are not for a list.
    pub veiled: usize,
}

/// Tries a rule on the mentions that are kept; `told` is what people have said of some of them.
///
/// # Errors
/// The first fault of the rule, with its place; also when it names a person (REF-01).
pub fn attempt(words: &Words, rule: &str, texts: &[Text], told: &[Told]) -> Result<Tried, Fault> {
    let query = words::check(rule, words)?;
    let said: BTreeMap<MentionId, bool> = told.iter().map(|told| (told.text.id, told.about_us)).collect();
    let watch = compile(&Words { rules: vec![alone(&query)], ..words.clone() });
    let mut scratch = Scratch::default();
    let mut tried = Tried {
        query: query.to_string(),
        reading: reading(&query),
        heard: Share { some: 0, of: texts.len() },
        asked: Share { some: 0, of: texts.len() },
        right: Share { some: 0, of: 0 },
        samples: Vec::new(),
        veiled: 0,
    };
    for text in texts {
        let heard = text.heard();
        watch.woken(&heard, &mut scratch);
        if scratch.rules().is_empty() {
            continue;
        }
        tried.asked.some += 1;
        watch.matching(&heard, &mut scratch);
        if scratch.rules().is_empty() {
            continue;
        }
        tried.heard.some += 1;
        if let Some(about_us) = said.get(&text.id) {
            tried.right.of += 1;
            tried.right.some += usize::from(*about_us);
        }
        if text.veiled {
            tried.veiled += 1;
        } else if tried.samples.len() < SAMPLES {
            // Masked first and heard again: a name that is masked is not marked either.
            let masked = mask(&text.body);
            let hearing = watch.hear_with(&Heard { text: &masked, ..heard }, &mut scratch);
            tried.samples.push(excerpt(&masked, &hearing.words));
        }
    }
    Ok(tried)
}

/// A piece of the text around the first word that matched, with the words marked.
fn excerpt(text: &str, words: &[Span]) -> Vec<Piece> {
    let first = words.iter().map(|span| span.start).min().unwrap_or(0);
    let letters = text.get(..first).unwrap_or_default().char_indices().rev().take(BEFORE).last();
    let from = letters.map_or(first, |(at, _)| at);
    let rest = text.get(from..).unwrap_or_default();
    let end = rest.char_indices().nth(EXCERPT).map_or(rest.len(), |(at, _)| at);
    let shifted: Vec<Span> = words
        .iter()
        .filter(|span| span.start >= from && span.end <= from + end)
        .map(|span| Span { start: span.start - from, end: span.end - from, sign: String::new() })
        .collect();
    let mut shown = pieces(rest.get(..end).unwrap_or_default(), &shifted.iter().collect::<Vec<_>>());
    if from > 0 {
        shown.insert(0, Piece::plain("… "));
    }
    if end < rest.len() {
        shown.push(Piece::plain(" …"));
    }
    shown
}

/// The pieces as one line for a terminal, the marked words in `[ ]`.
#[must_use]
pub fn line(pieces: &[Piece]) -> String {
    let text: String = pieces
        .iter()
        .map(|piece| if piece.marked { format!("[{}]", piece.text) } else { piece.text.clone() })
        .collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Problems, read};

    fn words() -> Words {
        let problems = Problems::default();
        let text = include_str!("../../config/words.toml");
        let section = read("words.toml", text, &problems);
        words::read(&section)
    }

    fn text(id: i64, body: &str, veiled: bool) -> Text {
        Text {
            id: MentionId(id),
            title: None,
            body: body.into(),
            channel: "rss".into(),
            source: "tidning".into(),
            language: None,
            site: String::new(),
            kind: "post".into(),
            veiled,
        }
    }

    #[test]
    fn a_trial_counts_masks_and_leaves_the_veiled_out() {
        let texts = [
            text(1, "Rektorn Anna Lindgren vet inget om skolan i Nol, ring 070-123 45 67", false),
            text(2, "Jag vet var skolan i Nol ligger", true),
            text(3, "Brunt vatten", false),
        ];
        let told = [Told { text: texts[0].clone(), about_us: true }];
        let tried = attempt(&words(), "skola~ NEAR/3 nol", &texts, &told).unwrap();
        assert_eq!((tried.heard, tried.veiled), (Share { some: 2, of: 3 }, 1));
        assert_eq!(tried.right, Share { some: 1, of: 1 });
        let shown = line(&tried.samples[0]);
        assert!(shown.contains("[skolan]") && shown.contains("[Nol]") && shown.contains("[namn]"), "{shown}");
        assert!(!shown.contains("Lindgren") && !shown.contains("070"), "{shown}");
        assert_eq!(tried.samples.len(), 1);
    }

    #[test]
    fn where_a_post_was_found_can_be_tried_too() {
        let tried = attempt(&words(), "source:tidning AND vatten", &[text(1, "Brunt vatten", false)], &[]).unwrap();
        assert_eq!(tried.heard, Share { some: 1, of: 1 });
    }

    #[test]
    fn a_rule_that_names_a_person_is_not_even_tried() {
        let refused = attempt(&words(), "\"Anna Svensson\" AND ale", &[], &[]).unwrap_err();
        assert!(refused.what.contains("REF-01"), "{refused}");
    }
}
