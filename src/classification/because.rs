//! Reasons: what the scores rest on, summed onto the words of the post, with the rules by name.

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

/// Names the words that the relevance, the topic, the intent and the urgency rest on.
/// `classes` are the chosen classes of those four.
pub(super) fn explain(judge: &Judge, seen: &Seen, classes: [usize; 4], judged: &mut Classification) {
    let [about, topic, intent, haste] = classes;
    let topic_name = judge.lexicon().topics().iter().find(|(slug, _)| *slug == judged.topic);
    let topic_name = topic_name.map_or_else(|| judged.topic.clone(), |(_, name)| name.clone());
    let about_text = if about == 1 { "Handlar om oss" } else { "Handlar nog inte om oss" };
    let questions = [
        (0, about, "relevance", about_text.to_owned(), None),
        (1, topic, "topic", format!("Ämne {}", topic_name.to_lowercase()), Some(Dimension::Topic)),
        (2, intent, "intent", format!("Avsikt {}", judged.intent.swedish().to_lowercase()), Some(Dimension::Intent)),
        (4, haste, "urgency", format!("Brådska {}", judged.urgency.swedish().to_lowercase()), Some(Dimension::Urgency)),
    ];
    for (question, class, sign, what, dimension) in questions {
        let sums = sums(judge, seen, question, class, dimension);
        let mut order: Vec<usize> = (0..sums.len()).collect();
        order.sort_by(|a, b| weight(&sums, *b).total_cmp(&weight(&sums, *a)).then(a.cmp(b)));
        let strong: Vec<usize> =
            order.iter().copied().filter(|at| weight(&sums, *at) >= TOLD_AT).take(FOR_MAX).collect();
        let against = order.iter().rev().copied().filter(|at| weight(&sums, *at) <= -TOLD_AT).take(AGAINST_MAX);
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

fn weight(sums: &[f32], at: usize) -> f32 {
    sums.get(at).copied().unwrap_or(0.0)
}

/// What each word adds to the class.
fn sums(judge: &Judge, seen: &Seen, question: usize, class: usize, dimension: Option<Dimension>) -> Vec<f32> {
    let tokens = &seen.normal.tokens;
    let mut sums = vec![0.0_f32; tokens.len()];
    let token_at = |byte: usize| tokens.partition_point(|token| token.start <= byte).saturating_sub(1);
    let known = judge.model().and_then(|model| {
        let range = model.ranges().get(question).cloned()?;
        (class < range.len()).then_some((model, range))
    });
    if let Some((model, range)) = known {
        let two = range.len() == 2;
        for feature in seen.features.iter().filter(|feature| feature.end > feature.start) {
            let mut adds = model.contribution(feature, range.start + class);
            if two {
                adds -= model.contribution(feature, range.start + 1 - class);
            }
            let (first, last) = (token_at(feature.start as usize), token_at(feature.end.saturating_sub(1) as usize));
            let share = if first == last { adds } else { adds / 2.0 };
            if let Some(sum) = sums.get_mut(first) {
                *sum += share;
            }
            if first != last
                && let Some(sum) = sums.get_mut(last)
            {
                *sum += share;
            }
        }
        return sums;
    }
    for hit in &seen.hits {
        let Some(group) = judge.lexicon().group(hit) else { continue };
        let fits = match dimension {
            Some(dimension) => group.dimension == dimension && group.slug == judge.label(question, class),
            None if class == 1 => matches!(group.dimension, Dimension::Place | Dimension::Municipal),
            None => matches!(group.dimension, Dimension::Elsewhere | Dimension::Namesake | Dimension::Noise),
        };
        if fits && let Some(sum) = sums.get_mut(token_at(hit.start)) {
            *sum += group.weight;
        }
    }
    sums
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
