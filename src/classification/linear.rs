//! A linear layer for several questions at once: softmax regression with `AdaGrad`, the same bit for bit everywhere.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts far below 2^24, and numbers that are clamped before they are cut"
)]

use std::ops::Range;

use super::features::BUCKETS;

/// How often the examples are gone through; more was measured to learn the writers and not the matter.
const ROUNDS: usize = 14;
/// The step of `AdaGrad`.
const STEP: f32 = 0.25;
/// How hard a weight that is touched is drawn to zero.
const DECAY: f32 = 2.0e-5;

/// One example: its features, and for each question the right answer (by class index inside the question).
#[derive(Debug, Clone)]
pub struct Example {
    /// Bucket, value, and the questions it may speak to, one bit each.
    pub features: Vec<(u16, f32, u8)>,
    /// Right class and the weight of the example, for each question.
    pub answers: Vec<(usize, f32)>,
}

/// Weights by bucket, one row of classes for each bucket, and a bias row.
#[derive(Debug, Clone)]
pub struct Weights {
    /// The classes of each question in a row.
    pub questions: Vec<Range<usize>>,
    /// `BUCKETS` rows.
    pub rows: Vec<f32>,
    /// One number a class.
    pub bias: Vec<f32>,
}

impl Weights {
    /// Classes in a row.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.questions.last().map_or(0, |range| range.end)
    }

    /// The raw score of every class.
    #[must_use]
    pub fn scores(&self, features: &[(u16, f32, u8)]) -> Vec<f32> {
        let classes = self.classes();
        let mut scores = self.bias.clone();
        for (bucket, value, _) in features {
            let from = usize::from(*bucket) * classes;
            for (score, weight) in scores.iter_mut().zip(self.rows.get(from..from + classes).unwrap_or_default()) {
                *score += value * weight;
            }
        }
        scores
    }
}

/// e to the power of `x` in plain arithmetic: the library's differs between machines in the last bit.
#[must_use]
pub fn exp(x: f32) -> f32 {
    let x = f64::from(x.clamp(-60.0, 60.0));
    let k = (x * std::f64::consts::LOG2_E + if x < 0.0 { -0.5 } else { 0.5 }) as i64;
    let r = x - k as f64 * std::f64::consts::LN_2;
    let series = (1..=9).rev().fold(1.0, |sum, n| 1.0 + sum * r / f64::from(n));
    (series * f64::from_bits(((k + 1023) as u64) << 52)) as f32
}

/// Turns raw scores into probabilities.
pub fn softmax(scores: &mut [f32]) {
    let most = scores.iter().copied().fold(f32::MIN, f32::max);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = exp(*score - most);
        sum += *score;
    }
    for score in scores.iter_mut() {
        *score /= sum;
    }
}

/// A small generator (splitmix64) for the order of the examples: the seed is the order.
struct Order(u64);

impl Order {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn shuffle(&mut self, order: &mut [usize]) {
        for at in (1..order.len()).rev() {
            order.swap(at, (self.next() % (at as u64 + 1)) as usize);
        }
    }
}

/// Learns the examples. The same examples, in the same order, with the same seed give the same bits.
#[must_use]
pub fn learn(examples: &[&Example], questions: &[Range<usize>], seed: u64) -> Weights {
    let classes = questions.last().map_or(0, |range| range.end);
    let mut weights =
        Weights { questions: questions.to_vec(), rows: vec![0.0; BUCKETS * classes], bias: vec![0.0; classes] };
    let mut squares = vec![0.01_f32; BUCKETS * classes];
    let mut bias_squares = vec![0.1_f32; classes];
    let mut order: Vec<usize> = (0..examples.len()).collect();
    let mut random = Order(seed);
    for round in 0..ROUNDS {
        random.shuffle(&mut order);
        let step = STEP / (1.0 + 0.15 * round as f32);
        for index in &order {
            let Some(example) = examples.get(*index) else { continue };
            let slope = slope(&weights, example, questions);
            for (class, gradient) in slope.iter().enumerate() {
                if let (Some(bias), Some(square)) = (weights.bias.get_mut(class), bias_squares.get_mut(class)) {
                    *square += gradient * gradient;
                    *bias -= step * gradient / square.sqrt();
                }
            }
            for (bucket, value, of) in &example.features {
                let from = usize::from(*bucket) * classes;
                let (Some(row), Some(past)) =
                    (weights.rows.get_mut(from..from + classes), squares.get_mut(from..from + classes))
                else {
                    continue;
                };
                for (question, range) in questions.iter().enumerate() {
                    if of & (1 << question) == 0 {
                        continue;
                    }
                    let (Some(row), Some(past), Some(slope)) =
                        (row.get_mut(range.clone()), past.get_mut(range.clone()), slope.get(range.clone()))
                    else {
                        continue;
                    };
                    for ((weight, square), gradient) in row.iter_mut().zip(past).zip(slope) {
                        let gradient = gradient * value + DECAY * *weight;
                        *square += gradient * gradient;
                        *weight -= step * gradient / square.sqrt();
                    }
                }
            }
        }
    }
    weights
}

/// What each class should have scored less.
fn slope(weights: &Weights, example: &Example, questions: &[Range<usize>]) -> Vec<f32> {
    let mut scores = weights.scores(&example.features);
    for (range, (answer, weight)) in questions.iter().zip(&example.answers) {
        let Some(part) = scores.get_mut(range.clone()) else { continue };
        softmax(part);
        if let Some(right) = part.get_mut(*answer) {
            *right -= 1.0;
        }
        for score in part.iter_mut() {
            *score *= weight;
        }
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e_is_as_the_library_says_to_six_digits() {
        for x in [-20.0_f32, -1.5, -0.1, 0.0, 0.3, 1.0, 7.7] {
            assert!((exp(x) - x.exp()).abs() <= 2.0e-6 * x.exp(), "{x}");
        }
    }

    fn two_kinds() -> Vec<Example> {
        (0..40_u16)
            .map(|n| Example {
                features: vec![(n % 2, 1.0, 1), (100 + n, 1.0, 1)],
                answers: vec![(usize::from(n % 2), 1.0)],
            })
            .collect()
    }

    #[test]
    fn what_tells_two_kinds_apart_is_learned() {
        let examples = two_kinds();
        let weights = learn(&examples.iter().collect::<Vec<_>>(), std::slice::from_ref(&(0..2)), 1);
        let scores = weights.scores(&[(1, 1.0, 1)]);
        assert!(scores[1] > scores[0] + 1.0, "{scores:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_bits_and_another_does_not() {
        let examples = two_kinds();
        let examples: Vec<_> = examples.iter().collect();
        let bits = |seed| {
            learn(&examples, std::slice::from_ref(&(0..2)), seed).rows.iter().map(|w| w.to_bits()).collect::<Vec<_>>()
        };
        assert_eq!(bits(1), bits(1));
        assert_ne!(bits(1), bits(2));
    }
}
