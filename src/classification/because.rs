//! Reasons: what the scores rest on, summed onto the words of the post, with the rules by name.

use std::ops::Range;

use super::Classification;
use super::features::Seen;
use super::judge::Judge;
use super::lexicon::Dimension;
use crate::mention::Span;

/// Words named for a judgement.
const FOR_MAX: usize = 3;
/// Words named against it.
const AGAINST_MAX: usize = 1;
/// The least a word must add to a score to be named.
const TOLD_AT: f32 = 0.08;
/// Words that say nothing by themselves: what they add is chance or belongs to their neighbours, and a reader who sees
/// them marked learns nothing. In order, for the search.
const SMALL_WORDS: [&str; 119] = [
    "a", "alla", "allt", "at", "att", "av", "ba", "bara", "blev", "bli", "blir", "de", "dem", "den", "denna", "det",
    "detta", "dig", "din", "dit", "ditt", "dom", "du", "där", "därför", "då", "e", "efter", "ej", "eller", "en", "er",
    "era", "ert", "ett", "fick", "finns", "från", "får", "för", "ha", "hade", "han", "har", "hela", "hennes", "hon",
    "honom", "hos", "hur", "här", "i", "in", "inne", "inom", "jag", "ju", "kan", "kom", "kommer", "kunde", "man",
    "med", "mej", "mellan", "men", "mig", "min", "mina", "mitt", "mot", "mycket", "ni", "nog", "nu", "någon", "något",
    "några", "nån", "nåt", "o", "och", "också", "om", "oss", "på", "sa", "samt", "sedan", "sen", "sig", "sin", "sina",
    "sitt", "själv", "ska", "skulle", "som", "så", "ta", "till", "under", "upp", "ut", "vad", "var", "vara", "varit",
    "vart", "vem", "vi", "vid", "vilka", "vilken", "vill", "än", "är", "även", "å",
];

/// The judgements that are explained: the number of the question, its sign, and whose stems speak for it.
const EXPLAINED: [(usize, &str, Option<Dimension>); 4] = [
    (0, "relevance", None),
    (1, "topic", Some(Dimension::Topic)),
    (2, "intent", Some(Dimension::Intent)),
    (4, "urgency", Some(Dimension::Urgency)),
];

/// Names the words that the relevance, the topic, the intent and the urgency rest on.
/// `classes` are the chosen classes of those four.
pub(super) fn explain(judge: &Judge, seen: &Seen, classes: [usize; 4], judged: &mut Classification) {
    let [about, ..] = classes;
    let topic_name = judge.lexicon().topics().iter().find(|(slug, _)| *slug == judged.topic);
    let topic_name = topic_name.map_or_else(|| judged.topic.clone(), |(_, name)| name.clone());
    let says = [
        if about == 1 { "Handlar om oss" } else { "Handlar nog inte om oss" }.to_owned(),
        format!("Ämne {}", topic_name.to_lowercase()),
        format!("Avsikt {}", judged.intent.swedish().to_lowercase()),
        format!("Brådska {}", judged.urgency.swedish().to_lowercase()),
    ];
    let sums = sums(judge, seen, classes);
    for (((question, sign, _), what), sums) in EXPLAINED.into_iter().zip(says).zip(&sums) {
        let mut order: Vec<usize> = (0..sums.len()).filter(|at| says_something(seen, *at)).collect();
        order.sort_by(|a, b| weight(sums, *b).total_cmp(&weight(sums, *a)).then(a.cmp(b)));
        let strong: Vec<usize> =
            order.iter().copied().filter(|at| weight(sums, *at) >= TOLD_AT).take(FOR_MAX).collect();
        let against = order.iter().rev().copied().filter(|at| weight(sums, *at) <= -TOLD_AT).take(AGAINST_MAX);
        let against: Vec<usize> = against.collect();
        for at in &strong {
            if let Some(token) = seen.normal.tokens.get(*at) {
                let (start, end) = (seen.normal.original(token.start), seen.normal.original(token.end));
                judged.spans.push(Span { start, end, sign: sign.to_owned() });
            }
        }
        if !strong.is_empty() {
            let rules = rules(judge, seen, &strong, question);
            judged.because.push(format!("{what}: {}{rules}", quoted(seen, &strong)));
        }
        if question == 1 && !against.is_empty() {
            judged.because.push(format!("Talar emot ämnet: {}", quoted(seen, &against)));
        }
    }
}

/// Whether a word may stand as a reason.
fn says_something(seen: &Seen, at: usize) -> bool {
    let word = seen.normal.tokens.get(at).map(|token| seen.normal.word(token));
    word.is_some_and(|word| SMALL_WORDS.binary_search(&word).is_err())
}

fn weight(sums: &[f32], at: usize) -> f32 {
    sums.get(at).copied().unwrap_or(0.0)
}

/// What each word adds to the chosen class of each explained question. The features are gone through once: what is slow is
/// to fetch a feature's row.
fn sums(judge: &Judge, seen: &Seen, classes: [usize; 4]) -> [Vec<f32>; 4] {
    let tokens = &seen.normal.tokens;
    let token_at = |byte: usize| tokens.partition_point(|token| token.start <= byte).saturating_sub(1);
    let mut sums = std::array::from_fn(|_| vec![0.0_f32; tokens.len()]);
    let mut add = |asked: usize, at: usize, what: f32| {
        if let Some(sum) = sums.get_mut(asked).and_then(|sums: &mut Vec<f32>| sums.get_mut(at)) {
            *sum += what;
        }
    };
    let asked = judge.model().map_or_else(Default::default, |model| asked(&model.ranges(), classes));
    if let Some(model) = judge.model() {
        for feature in seen.features.iter().filter(|feature| feature.end > feature.start) {
            let (first, last) = (token_at(feature.start as usize), token_at(feature.end.saturating_sub(1) as usize));
            for (at, known) in asked.iter().enumerate() {
                let Some((class, rival)) = known else { continue };
                let mut adds = model.contribution(feature, *class);
                if let Some(rival) = rival {
                    adds -= model.contribution(feature, *rival);
                }
                add(at, first, if first == last { adds } else { adds / 2.0 });
                if first != last {
                    add(at, last, adds / 2.0);
                }
            }
        }
    }
    // A class that the model does not know has the words of the lexicon alone.
    let unknown = EXPLAINED.into_iter().zip(classes).zip(asked).enumerate().filter(|(_, (_, known))| known.is_none());
    for (at, (((question, _, dimension), class), _)) in unknown {
        for hit in &seen.hits {
            let Some(group) = judge.lexicon().group(hit) else { continue };
            let fits = match dimension {
                Some(dimension) => group.dimension == dimension && group.slug == judge.label(question, class),
                None if class == 1 => matches!(group.dimension, Dimension::Place | Dimension::Municipal),
                None => matches!(group.dimension, Dimension::Elsewhere | Dimension::Namesake | Dimension::Noise),
            };
            if fits {
                add(at, token_at(hit.start), group.weight);
            }
        }
    }
    sums
}

/// For each explained question whose class the model knows: the class, and the other class when there are two.
fn asked(ranges: &[Range<usize>], classes: [usize; 4]) -> [Option<(usize, Option<usize>)>; 4] {
    std::array::from_fn(|at| {
        let (question, ..) = EXPLAINED.get(at)?;
        let (range, class) = (ranges.get(*question)?, *classes.get(at)?);
        let rival = (range.len() == 2).then(|| range.start + 1 - class.min(1));
        (class < range.len()).then_some((range.start + class, rival))
    })
}

fn quoted(seen: &Seen, at: &[usize]) -> String {
    let words = at.iter().filter_map(|at| seen.normal.tokens.get(*at));
    words.map(|token| format!("”{}”", seen.normal.word(token))).collect::<Vec<_>>().join(", ")
}

/// The names of the lexicon groups that stand behind the words, where there are any.
fn rules(judge: &Judge, seen: &Seen, at: &[usize], question: usize) -> String {
    let fits = |dimension: Dimension| match question {
        0 => matches!(
            dimension,
            Dimension::Place | Dimension::Municipal | Dimension::Elsewhere | Dimension::Namesake | Dimension::Noise
        ),
        1 => dimension == Dimension::Topic,
        2 => matches!(dimension, Dimension::Intent | Dimension::Safety),
        _ => matches!(dimension, Dimension::Urgency | Dimension::Safety),
    };
    let mut names: Vec<&str> = Vec::new();
    for token in at.iter().filter_map(|at| seen.normal.tokens.get(*at)) {
        for hit in seen.hits.iter().filter(|hit| hit.start < token.end && token.start < hit.end) {
            if let Some(group) = judge.lexicon().group(hit).filter(|group| fits(group.dimension))
                && !names.contains(&group.name.as_str())
            {
                names.push(&group.name);
            }
        }
    }
    if names.is_empty() { String::new() } else { format!(" (ordlistan: {})", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classification::Subject;

    #[test]
    fn the_small_words_are_in_order_and_none_is_a_word_of_a_negation() {
        assert!(SMALL_WORDS.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(["inte", "aldrig", "vatten", "ale"].iter().all(|word| SMALL_WORDS.binary_search(word).is_err()));
    }

    #[test]
    fn a_word_without_weight_of_its_own_is_no_reason() {
        let judge = Judge::shipped().unwrap();
        for text in [
            "Hur är det med vattnet i Nol, kan man dricka det som kommer ur kranen?",
            "Det är så att jag vill ha svar på hur ni plogar vid skolan i Surte",
            "Vad ska jag göra om någon har kört in i lyktstolpen vid oss i Älvängen?",
        ] {
            let judged = judge.judge(&Subject { text, ..Subject::default() }, None);
            assert!(!judged.spans.is_empty() && !judged.because.is_empty(), "{text}");
            for span in &judged.spans {
                let word = text[span.start..span.end].to_lowercase();
                assert!(SMALL_WORDS.binary_search(&word.as_str()).is_err(), "{word} in {text}");
            }
            for small in SMALL_WORDS {
                assert!(!judged.because.iter().any(|reason| reason.contains(&format!("”{small}”"))), "{small}");
            }
        }
    }
}
