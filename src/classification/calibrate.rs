//! How scores are read: found on posts that the model which scored them had not read.
#![expect(clippy::cast_precision_loss, reason = "counts of posts are far below 2^24")]

use super::linear::softmax;
use super::model::Model;

/// One post judged by a model that has not read it.
#[derive(Debug, Clone)]
pub struct Outside {
    /// The raw score of every class.
    pub scores: Vec<f32>,
    /// The right class of each question, where it is known.
    pub answers: Vec<Option<usize>>,
    /// About us.
    pub relevant: Option<bool>,
    /// Its fold.
    pub fold: usize,
}

/// The share of the judgements that are said to be unsure: staff can look at a fifth of them.
const UNSURE_SHARE: f32 = 0.2;
/// The share of the posts that are not about us which must be turned away, somewhat above what is promised.
const TURNED_AWAY: f32 = 0.91;
/// The share of the posts judged `yes` that must be about us.
const YES_IS_YES: f32 = 0.98;

/// Sets the model's sharpness, lifts, and thresholds.
pub fn calibrate(model: &mut Model, outside: &[Outside]) {
    let ranges = model.ranges();
    for (question, range) in ranges.iter().enumerate() {
        let posts: Vec<(&[f32], usize)> = outside
            .iter()
            .filter(|post| question == 0 || post.relevant != Some(false))
            .filter_map(|post| Some((post.scores.get(range.clone())?, post.answers.get(question).copied().flatten()?)))
            .collect();
        if posts.is_empty() {
            continue;
        }
        let lift = if question == 0 { vec![0.0; range.len()] } else { lift(&posts, range.len()) };
        let sharpness = sharpness(&posts, &lift);
        let mut sure: Vec<f32> =
            posts.iter().map(|(scores, _)| chances(scores, &lift, sharpness).into_iter().fold(0.0, f32::max)).collect();
        sure.sort_by(f32::total_cmp);
        let unsure = sure.get(share_of(sure.len(), UNSURE_SHARE)).copied().unwrap_or(0.5);
        if let Some(reading) = model.readings.get_mut(question) {
            reading.sharpness = sharpness;
            reading.unsure_below = unsure;
        }
        for (to, from) in model.lift.get_mut(range.clone()).unwrap_or_default().iter_mut().zip(&lift) {
            *to = *from;
        }
        if question == 0 {
            let chances: Vec<(f32, bool)> = posts
                .iter()
                .map(|(scores, answer)| {
                    (chances(scores, &lift, sharpness).get(1).copied().unwrap_or(0.5), *answer == 1)
                })
                .collect();
            model.relevance = relevance(chances);
        }
    }
    model.seal();
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length is a length")]
fn share_of(length: usize, share: f32) -> usize {
    ((length as f32 * share) as usize).min(length.saturating_sub(1))
}

fn chances(scores: &[f32], lift: &[f32], sharpness: f32) -> Vec<f32> {
    let mut chances: Vec<f32> = scores.iter().zip(lift).map(|(score, lift)| (score + lift) * sharpness).collect();
    softmax(&mut chances);
    chances
}

/// The sharpness that makes the right answers likeliest, measured by the Brier score.
fn sharpness(posts: &[(&[f32], usize)], lift: &[f32]) -> f32 {
    let cost = |sharpness: f32| -> f32 {
        let one = |(scores, answer): &(&[f32], usize)| -> f32 {
            let chances = chances(scores, lift, sharpness);
            chances
                .iter()
                .enumerate()
                .map(|(class, chance)| (chance - f32::from(u8::from(class == *answer))).powi(2))
                .sum()
        };
        posts.iter().map(one).sum()
    };
    let grid = (4..=40_u8).map(|step| f32::from(step) * 0.05);
    grid.map(|sharpness| (cost(sharpness), sharpness)).min_by(|a, b| a.0.total_cmp(&b.0)).map_or(1.0, |best| best.1)
}

/// What each class needs added for the mean of the classes' F1 to be highest: one class at a time, three times over.
fn lift(posts: &[(&[f32], usize)], classes: usize) -> Vec<f32> {
    let mut lift = vec![0.0_f32; classes];
    let mut best = macro_f1(posts, &lift);
    for _ in 0..3 {
        for class in 0..classes {
            for step in [-0.6_f32, -0.4, -0.2, 0.2, 0.4, 0.6] {
                let mut tried = lift.clone();
                if let Some(value) = tried.get_mut(class) {
                    *value = (*value + step).clamp(-1.2, 1.2);
                }
                let now = macro_f1(posts, &tried);
                if now > best + 0.0005 {
                    best = now;
                    lift = tried;
                }
            }
        }
    }
    // Half of what fits these posts best: the other half is these posts.
    lift.iter().map(|value| value * 0.5).collect()
}

fn macro_f1(posts: &[(&[f32], usize)], lift: &[f32]) -> f32 {
    let mut counts = vec![(0_u32, 0_u32); lift.len()];
    for (scores, answer) in posts {
        let most =
            scores.iter().zip(lift).map(|(score, lift)| score + lift).enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        let said = most.map_or(0, |most| most.0);
        for class in [said, *answer] {
            if let Some(count) = counts.get_mut(class) {
                count.1 += 1;
                count.0 += u32::from(said == *answer);
            }
        }
    }
    let there = counts.iter().filter(|count| count.1 > 0);
    let (sum, classes) =
        there.fold((0.0, 0.0), |(sum, classes), (right, all)| (sum + *right as f32 / *all as f32, classes + 1.0));
    if classes > 0.0 { sum / classes } else { 0.0 }
}

/// The chance from which a post is `yes`, and from which it is `review`.
fn relevance(mut chances: Vec<(f32, bool)>) -> (f32, f32) {
    chances.sort_by(|a, b| a.0.total_cmp(&b.0));
    let foreign: Vec<f32> = chances.iter().filter(|(_, relevant)| !relevant).map(|(chance, _)| *chance).collect();
    let review = foreign.get(share_of(foreign.len(), TURNED_AWAY)).copied().unwrap_or(0.4).clamp(0.1, 0.7);
    let mut yes = 0.95_f32;
    let (mut right, mut all) = (0.0_f32, 0.0_f32);
    for (chance, relevant) in chances.iter().rev() {
        all += 1.0;
        right += f32::from(u8::from(*relevant));
        if right / all < YES_IS_YES && all > 50.0 {
            break;
        }
        yes = *chance;
    }
    (yes.clamp(review + 0.05, 0.97), review)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_that_are_too_sure_are_made_less_sharp() {
        let (sure, wrong) = ([8.0, 0.0], [0.0, 8.0]);
        let posts: Vec<(&[f32], usize)> = vec![(&sure, 0), (&sure, 0), (&wrong, 0)];
        assert!(sharpness(&posts, &[0.0, 0.0]) < 0.5);
    }

    #[test]
    fn a_class_that_is_always_just_second_is_lifted() {
        let (a, b) = ([1.0, 0.7], [3.0, 0.0]);
        let posts: Vec<(&[f32], usize)> = vec![(&a, 1), (&a, 1), (&b, 0), (&b, 0)];
        let lift = lift(&posts, 2);
        assert!(lift[1] > lift[0], "{lift:?}");
    }

    #[test]
    fn what_is_reviewed_lies_below_what_is_yes() {
        let chances = (0..200_u8).map(|n| (f32::from(n) / 200.0, n > 90)).collect();
        let (yes, review) = relevance(chances);
        assert!(yes > review);
    }
}
