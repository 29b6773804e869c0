//! Training: labelled posts to a model, the same bytes from the same posts, lexicon and seed.
//!
//! Posts are split by voice. Each fold is judged by a model that has not read it, and the scores so found say how
//! scores are to be read: how sharp, where a few classes need a lift, and below what the judge is unsure.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Deserialize;

use super::calibrate::{Outside, calibrate};
use super::features::{BUCKETS, see};
use super::judge::labels;
use super::lexicon::Lexicon;
use super::linear::{Example, learn};
use super::model::{Model, QUESTIONS};
use super::seed::HELD_OUT;
use super::{Intent, Sentiment, Subject, Urgency};

/// The seed that the shipped model is trained from.
pub const SEED: u64 = 1440;
/// Folds: the held-out voices, and six of the others.
const FOLDS: usize = 7;
/// Posts that a training takes; beyond it the time, not the truth, grows.
pub const LESSONS_MAX: usize = 50_000;
/// What a post that is not about us counts for in the other questions.
const FOREIGN_WEIGHT: f32 = 0.5;
/// What a correction counts for beside a post of the seed: it is how this municipality talks.
const CORRECTION_WEIGHT: f32 = 1.5;
/// The style of corrections.
pub const CORRECTION: &str = "rattelse";

/// A labelled post. A label that is not known is left out and teaches nothing.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Lesson {
    /// Its name, for reports.
    #[serde(default)]
    pub id: String,
    /// The voice it is written in; [`CORRECTION`] for what staff corrected.
    #[serde(default)]
    pub style: String,
    /// The channel's slug.
    #[serde(default)]
    pub channel: String,
    /// The source's key.
    #[serde(default)]
    pub source: String,
    /// Headline, when there is one.
    #[serde(default)]
    pub title: String,
    /// Plain text.
    pub text: String,
    /// About us.
    pub relevant: Option<bool>,
    /// Slug of the topic.
    pub topic: Option<String>,
    /// What the writer wants.
    pub intent: Option<Intent>,
    /// The tone.
    pub sentiment: Option<Sentiment>,
    /// How soon somebody must look.
    pub urgency: Option<Urgency>,
}

impl Lesson {
    /// The post without its labels.
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        Subject { title: &self.title, text: &self.text, channel: &self.channel, source: &self.source, heard: None }
    }

    /// Title and text as they are read.
    #[must_use]
    pub fn whole(&self) -> String {
        if self.title.is_empty() { self.text.clone() } else { format!("{}\n{}", self.title, self.text) }
    }

    /// The label of each question, as a slug.
    #[must_use]
    pub fn slugs(&self) -> [Option<&str>; QUESTIONS] {
        [
            self.relevant.map(|relevant| if relevant { "yes" } else { "no" }),
            self.topic.as_deref(),
            self.intent.map(Intent::slug),
            self.sentiment.map(Sentiment::slug),
            self.urgency.map(Urgency::slug),
        ]
    }
}

/// What a training gives.
#[derive(Debug, Clone)]
pub struct Trained {
    /// Trained on everything.
    pub model: Model,
    /// Trained without the held-out voices: what a report asks.
    pub held_out: Model,
    /// One model for each other fold, that has not read it; the first is of fold 1.
    pub crossed: Vec<Model>,
    /// The fold of each lesson; 0 is held out.
    pub folds: Vec<usize>,
}

/// Trains a model. Pure: the same posts in the same order give the same bytes, on every machine.
#[must_use]
pub fn train(lexicon: &Lexicon, lessons: &[Lesson], seed: u64) -> Trained {
    let lessons = lessons.get(..lessons.len().min(LESSONS_MAX)).unwrap_or_default();
    let labels = labels(lexicon);
    let rarity = rarity(lexicon, lessons);
    let examples = examples(lexicon, lessons, &labels, &rarity);
    let folds = folds(lessons);
    let ask = |fold: Option<usize>| {
        let read: Vec<&Example> =
            examples.iter().zip(&folds).filter(|(_, of)| Some(**of) != fold).map(|(example, _)| example).collect();
        Model::new(labels.clone(), &learn(&read, &ranges(&labels), seed), rarity.clone())
    };
    let wanted: Vec<Option<usize>> = std::iter::once(None).chain((0..FOLDS).map(Some)).collect();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut models = side_by_side(&wanted, hands(cores), ask);
    let mut model = models.remove(0);
    let outside: Vec<Outside> = examples
        .iter()
        .zip(&folds)
        .zip(lessons)
        .filter(|((_, fold), _)| **fold != 0)
        .filter_map(|((example, fold), lesson)| {
            let scores = models.get(*fold)?.scores_of(&example.features);
            let answers = example.answers.iter().map(|(class, weight)| (*weight > 0.0).then_some(*class)).collect();
            Some(Outside { scores, answers, relevant: lesson.relevant, fold: *fold })
        })
        .collect();
    let mut held_out = models.remove(0);
    let mut crossed = models;
    for (fold, one) in (1..).zip(&mut crossed) {
        let others: Vec<Outside> = outside.iter().filter(|post| post.fold != fold).cloned().collect();
        calibrate(one, &others);
    }
    calibrate(&mut held_out, &outside);
    model.readings = held_out.readings;
    model.relevance = held_out.relevance;
    model.lift.clone_from(&held_out.lift);
    model.seal();
    Trained { model, held_out, crossed, folds }
}

/// How many models are trained at a time: half of the cores, so that whoever serves people at the same time has the rest,
/// and what is held in memory does not grow with the folds.
fn hands(cores: usize) -> usize {
    (cores / 2).clamp(1, FOLDS + 1)
}

/// Does all tasks, so many at a time, and answers in their order.
fn side_by_side<I: Copy + Sync, O: Send>(tasks: &[I], hands: usize, work: impl Fn(I) -> O + Sync) -> Vec<O> {
    let turn = AtomicUsize::new(0);
    let hand = || {
        let mut done = Vec::new();
        loop {
            let at = turn.fetch_add(1, Ordering::Relaxed);
            let Some(task) = tasks.get(at) else { return done };
            done.push((at, work(*task)));
        }
    };
    let mut done: Vec<(usize, O)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..hands).map(|_| scope.spawn(hand)).collect();
        let mut done = hand();
        done.extend(others.into_iter().filter_map(|other| other.join().ok()).flatten());
        done
    });
    // What a hand dropped is done by this one.
    for (at, task) in tasks.iter().enumerate() {
        if !done.iter().any(|(other, _)| *other == at) {
            done.push((at, work(*task)));
        }
    }
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, one)| one).collect()
}

fn ranges(labels: &[Vec<String>; QUESTIONS]) -> Vec<std::ops::Range<usize>> {
    let mut from = 0;
    labels
        .iter()
        .map(|labels| {
            let range = from..from + labels.len();
            from = range.end;
            range
        })
        .collect()
}

/// The held-out voices are fold 0; the others are dealt out by voice, corrections by turn.
fn folds(lessons: &[Lesson]) -> Vec<usize> {
    let mut voices: Vec<&str> = Vec::new();
    let folds = lessons.iter().enumerate().map(|(index, lesson)| {
        if HELD_OUT.contains(&lesson.style.as_str()) {
            return 0;
        }
        if lesson.style == CORRECTION {
            return 1 + index % (FOLDS - 1);
        }
        let voice = voices.iter().position(|voice| *voice == lesson.style).unwrap_or_else(|| {
            voices.push(&lesson.style);
            voices.len() - 1
        });
        1 + voice % (FOLDS - 1)
    });
    folds.collect()
}

/// How rare each bucket is among the posts that no report is made on: 32 for one that all posts have.
fn rarity(lexicon: &Lexicon, lessons: &[Lesson]) -> Vec<u8> {
    let mut posts = vec![0_u32; BUCKETS];
    let mut count = 1_u32;
    for lesson in lessons.iter().filter(|lesson| !HELD_OUT.contains(&lesson.style.as_str())) {
        count += 1;
        let seen = see(lexicon, &lesson.subject(), &lesson.whole(), None);
        let mut buckets: Vec<u16> = seen.features.iter().map(|feature| feature.bucket).collect();
        buckets.sort_unstable();
        buckets.dedup();
        for bucket in buckets {
            if let Some(posts) = posts.get_mut(usize::from(bucket)) {
                *posts += 1;
            }
        }
    }
    posts
        .iter()
        .map(|posts| u8::try_from(32 + 24 * thousandths_of_log(count, posts + 1) / 1000).unwrap_or(255))
        .collect()
}

/// The logarithm to base 2 of `all / some` in thousandths, in whole numbers: the same on every machine.
fn thousandths_of_log(all: u32, some: u32) -> u64 {
    let log = |number: u32| {
        let whole = number.max(1).ilog2();
        let rest = ((u64::from(number.max(1)) * 1000) >> whole) - 1000;
        u64::from(whole) * 1000 + rest
    };
    log(all).saturating_sub(log(some))
}

fn examples(lexicon: &Lexicon, lessons: &[Lesson], labels: &[Vec<String>; QUESTIONS], rarity: &[u8]) -> Vec<Example> {
    let shares = shares(lessons, labels);
    let one = |lesson: &Lesson| {
        let seen = see(lexicon, &lesson.subject(), &lesson.whole(), Some(rarity));
        let mut features: Vec<(u16, f32, u8)> =
            seen.features.iter().map(|feature| (feature.bucket, feature.value, feature.of)).collect();
        features.sort_by_key(|feature| feature.0);
        features.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
                kept.2 |= next.2;
            }
            same
        });
        let trust = if lesson.style == CORRECTION { CORRECTION_WEIGHT } else { 1.0 };
        let slugs = lesson.slugs();
        let answers = slugs.iter().zip(labels).zip(&shares).enumerate().map(|(question, ((slug, known), shares))| {
            let class = slug.and_then(|slug| known.iter().position(|label| label == slug));
            let Some(class) = class else { return (0, 0.0) };
            // A tone is a tone whatever the post is about.
            let foreign =
                if lesson.relevant == Some(false) && ![0, 3].contains(&question) { FOREIGN_WEIGHT } else { 1.0 };
            (class, trust * foreign * shares.get(class).copied().unwrap_or(1.0))
        });
        Example { features, answers: answers.collect() }
    };
    lessons.iter().map(one).collect()
}

/// The weight of each class: the square root of how few it is, so that a rare class is heard but does not shout.
#[expect(clippy::cast_precision_loss, reason = "counts of posts are far below 2^24")]
fn shares(lessons: &[Lesson], labels: &[Vec<String>; QUESTIONS]) -> Vec<Vec<f32>> {
    let count = |question: usize, label: &str| {
        let slugs = lessons.iter().filter_map(|lesson| lesson.slugs().get(question).copied().flatten());
        slugs.filter(|slug| *slug == label).count()
    };
    let of = |(question, labels): (usize, &Vec<String>)| {
        let counts: Vec<usize> = labels.iter().map(|label| count(question, label)).collect();
        let mean = counts.iter().sum::<usize>() as f32 / labels.len().max(1) as f32;
        counts.iter().map(|count| (mean / (*count).max(1) as f32).sqrt().clamp(0.4, 2.5)).collect()
    };
    labels.iter().enumerate().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classification::seed::lessons;

    #[test]
    fn the_same_posts_give_the_same_bytes() {
        let lexicon = Lexicon::shipped().unwrap();
        let few: Vec<Lesson> = lessons().into_iter().step_by(60).collect();
        let bytes = |seed| train(&lexicon, &few, seed).model.bytes();
        let first = bytes(SEED);
        assert_eq!(first, bytes(SEED));
        assert_ne!(first, bytes(SEED + 1));
        assert!(first.len() <= 4_000_000, "{}", first.len());
    }

    #[test]
    fn a_model_is_read_back_as_it_was_written() {
        let lexicon = Lexicon::shipped().unwrap();
        let few: Vec<Lesson> = lessons().into_iter().step_by(150).collect();
        let model = train(&lexicon, &few, SEED).model;
        let bytes = model.bytes();
        let read = Model::read(&bytes).unwrap();
        assert_eq!(read.bytes(), bytes);
        assert_eq!(read.version(), model.version());
        assert!(Model::read(&bytes[..bytes.len() - 1]).is_err());
        assert!(Model::read(b"LYHORD01\xff\xff").is_err());
    }

    #[test]
    fn a_training_takes_half_of_the_cores_and_answers_in_order_however_many_hands_it_has() {
        assert_eq!([1, 2, 4, 64].map(hands), [1, 1, 2, 8]);
        let tasks: Vec<usize> = (0..20).collect();
        for hands in [1, 2, 7, 30] {
            assert_eq!(side_by_side(&tasks, hands, |task| task * 2), (0..40).step_by(2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_voice_is_never_in_two_folds() {
        let lessons = lessons();
        let folds = folds(&lessons);
        for (lesson, fold) in lessons.iter().zip(&folds) {
            let same = lessons.iter().zip(&folds).filter(|(other, _)| other.style == lesson.style);
            assert!(same.into_iter().all(|(_, other)| other == fold), "{}", lesson.style);
        }
    }
}
