//! The trained model as bytes: bounded to read, the same on every machine, its version a hash of itself.

use std::ops::Range;

use sha2::{Digest, Sha256};

use super::features::{BUCKETS, Feature};
use super::linear::Weights;
use crate::hex::hex;

/// What a model file begins with; the digit is the format.
const MAGIC: &[u8; 8] = b"LYHORD01";
/// Questions of a model: relevance, topic, intent, sentiment, urgency.
pub const QUESTIONS: usize = 5;
/// Classes in all; 60 classes make 4 MB.
const CLASSES_MAX: usize = 60;
/// Bytes of a class's slug.
const SLUG_MAX: usize = 64;

/// Why bytes are not a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The file is of another kind or another version of the format.
    #[error("not a model of this format")]
    Foreign,
    /// The file ends too early or says more than it may.
    #[error("the model is cut short or says more than it may")]
    Broken,
}

/// A number for each question: how its scores are read.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Reading {
    /// What scores are multiplied with before they become probabilities.
    pub sharpness: f32,
    /// Below this confidence the judgement is said to be unsure.
    pub unsure_below: f32,
}

/// Quantised weights and how to read their scores.
#[derive(Debug, Clone)]
pub struct Model {
    /// The class slugs of each question, in the order of the scores.
    pub labels: [Vec<String>; QUESTIONS],
    /// How the scores of each question are read.
    pub readings: [Reading; QUESTIONS],
    /// Relevance at or above this is yes; below the second, no.
    pub relevance: (f32, f32),
    /// What is added to each class's score, for classes that are few.
    pub lift: Vec<f32>,
    bias: Vec<f32>,
    scale: Vec<f32>,
    /// How rare each bucket is, 32 = 1.
    rarity: Vec<u8>,
    rows: Vec<i8>,
    version: String,
}

impl Model {
    /// Quantises trained weights to a byte each.
    #[must_use]
    pub fn new(labels: [Vec<String>; QUESTIONS], weights: &Weights, rarity: Vec<u8>) -> Self {
        let classes = weights.classes();
        let mut most = vec![0.0_f32; classes];
        for row in weights.rows.chunks_exact(classes.max(1)) {
            for (most, weight) in most.iter_mut().zip(row) {
                *most = most.max(weight.abs());
            }
        }
        let scale: Vec<f32> = most.iter().map(|most| if *most > 0.0 { most / 127.0 } else { 1.0 }).collect();
        let rows = weights
            .rows
            .chunks_exact(classes.max(1))
            .flat_map(|row| row.iter().zip(&scale).map(|(weight, scale)| quantised(weight / scale)))
            .collect();
        let mut model = Self {
            labels,
            readings: [Reading { sharpness: 1.0, unsure_below: 0.5 }; QUESTIONS],
            relevance: (0.7, 0.4),
            lift: vec![0.0; classes],
            bias: weights.bias.clone(),
            scale,
            rarity,
            rows,
            version: String::new(),
        };
        model.seal();
        model
    }

    /// Computes the version anew after a change of the readings.
    pub fn seal(&mut self) {
        self.version = hex(Sha256::digest(self.bytes()).get(..6).unwrap_or_default());
    }

    /// A hash of the model's bytes, as pages and classifications show it.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How rare each bucket is.
    #[must_use]
    pub fn rarity(&self) -> &[u8] {
        &self.rarity
    }

    /// The classes of each question in a row of scores.
    #[must_use]
    pub fn ranges(&self) -> [Range<usize>; QUESTIONS] {
        let mut from = 0;
        self.labels.each_ref().map(|labels| {
            let range = from..from + labels.len();
            from = range.end;
            range
        })
    }

    /// The raw score of every class.
    #[must_use]
    pub fn scores(&self, features: &[Feature]) -> Vec<f32> {
        let classes = self.bias.len();
        let mut sums = vec![0.0_f32; classes];
        for feature in features {
            let from = usize::from(feature.bucket) * classes;
            for (sum, weight) in sums.iter_mut().zip(self.rows.get(from..from + classes).unwrap_or_default()) {
                *sum += feature.value * f32::from(*weight);
            }
        }
        let bias = self.bias.iter().zip(&self.lift);
        sums.iter().zip(&self.scale).zip(bias).map(|((sum, scale), (bias, lift))| sum * scale + bias + lift).collect()
    }

    /// The raw scores of a post whose features are already summed by bucket.
    #[must_use]
    pub fn scores_of(&self, features: &[(u16, f32, u8)]) -> Vec<f32> {
        let feature = |(bucket, value, of): &(u16, f32, u8)| Feature {
            bucket: *bucket,
            value: *value,
            of: *of,
            start: 0,
            end: 0,
        };
        self.scores(&features.iter().map(feature).collect::<Vec<_>>())
    }

    /// What one feature adds to one class.
    #[must_use]
    pub fn contribution(&self, feature: &Feature, class: usize) -> f32 {
        let at = usize::from(feature.bucket) * self.bias.len() + class;
        let weight = self.rows.get(at).copied().unwrap_or_default();
        feature.value * f32::from(weight) * self.scale.get(class).copied().unwrap_or_default()
    }

    /// The model as bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for labels in &self.labels {
            bytes.push(short(labels.len()));
            for label in labels {
                bytes.push(short(label.len()));
                bytes.extend_from_slice(label.as_bytes());
            }
        }
        let mut number = |number: f32| bytes.extend_from_slice(&number.to_le_bytes());
        for reading in &self.readings {
            number(reading.sharpness);
            number(reading.unsure_below);
        }
        number(self.relevance.0);
        number(self.relevance.1);
        self.lift.iter().chain(&self.bias).chain(&self.scale).copied().for_each(number);
        bytes.extend_from_slice(&self.rarity);
        bytes.extend(self.rows.iter().map(|weight| weight.to_le_bytes()[0]));
        bytes
    }

    /// Reads a model.
    ///
    /// # Errors
    /// When the bytes are of another format, cut short, too long or hold numbers that are none.
    pub fn read(bytes: &[u8]) -> Result<Self, ModelError> {
        let mut rest = Rest(bytes.strip_prefix(MAGIC).ok_or(ModelError::Foreign)?);
        let mut labels: [Vec<String>; QUESTIONS] = Default::default();
        for labels in &mut labels {
            for _ in 0..rest.byte()? {
                labels.push(rest.slug()?);
            }
        }
        let classes: usize = labels.iter().map(Vec::len).sum();
        if classes > CLASSES_MAX || labels.iter().any(Vec::is_empty) {
            return Err(ModelError::Broken);
        }
        let mut readings = [Reading::default(); QUESTIONS];
        for reading in &mut readings {
            *reading = Reading { sharpness: rest.number()?, unsure_below: rest.number()? };
        }
        let relevance = (rest.number()?, rest.number()?);
        let (lift, bias, scale) = (rest.numbers(classes)?, rest.numbers(classes)?, rest.numbers(classes)?);
        let rarity = rest.take(BUCKETS)?.to_vec();
        let rows = rest.take(BUCKETS * classes)?.iter().map(|byte| i8::from_le_bytes([*byte])).collect();
        if !rest.0.is_empty() {
            return Err(ModelError::Broken);
        }
        let version = hex(Sha256::digest(bytes).get(..6).unwrap_or_default());
        Ok(Self { labels, readings, relevance, lift, bias, scale, rarity, rows, version })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to a byte")]
fn quantised(weight: f32) -> i8 {
    weight.round().clamp(-127.0, 127.0) as i8
}

fn short(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], ModelError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(ModelError::Broken)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, ModelError> {
        self.take(1)?.first().copied().ok_or(ModelError::Broken)
    }

    fn slug(&mut self) -> Result<String, ModelError> {
        let length = usize::from(self.byte()?);
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| ModelError::Broken)?;
        if length > SLUG_MAX { Err(ModelError::Broken) } else { Ok(text.to_owned()) }
    }

    fn number(&mut self) -> Result<f32, ModelError> {
        let number = f32::from_le_bytes(self.take(4)?.try_into().map_err(|_| ModelError::Broken)?);
        if number.is_finite() { Ok(number) } else { Err(ModelError::Broken) }
    }

    fn numbers(&mut self, count: usize) -> Result<Vec<f32>, ModelError> {
        (0..count).map(|_| self.number()).collect()
    }
}
