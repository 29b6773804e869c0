//! What the linear layer sees of a post: hashed words, bigrams, character n-grams, lexicon hits, channel and shape.

use super::Subject;
use super::form::form;
use super::lexicon::{Dimension, Hit, Lexicon};
use super::normal::{Kind, Normal, Token, is_emoji, normalise};
use super::standing::Stand;
use super::tone;

/// Buckets that features are hashed to: 2^16, so that a bucket is a `u16` and a model of 32 classes 2 MB.
pub const BUCKETS: usize = 1 << 16;
/// Features read of one post; a post of 8,000 bytes has some 15,000 n-grams, and the first say what it wants.
const FEATURES_MAX: usize = 6_000;
/// Letters of a word whose n-grams are read; longer words are addresses or noise.
const GRAM_LETTERS_MAX: usize = 40;
/// How long the vector of n-grams is, beside lexicon features of about [`GROUP`] each.
const TEXT: f32 = 1.0;
/// The weight of three to five letters inside a word, beside 1 for the word.
const CHARACTERS: f32 = 0.4;
/// The weight of two words together.
const PAIR: f32 = 0.8;
/// The weight of a word that a negation reaches.
const TURNED: f32 = 0.8;
/// The weight of one stem by itself: small, because most stems are met once or never in the seed.
const STEM: f32 = 0.2;
/// The weight of a group of the lexicon.
const GROUP: f32 = 0.5;
/// The weight of one feature of the tone.
const MOOD: f32 = 0.5;
/// A group that weighs less than this is of weak words: they are counted apart.
const WEAK: f32 = 0.75;
/// What another place in the name of the source weighs, as a group of the lexicon: as much as one in the text.
const FOREIGN_GROUND: f32 = 1.5;
/// The weight of one feature of channel and shape.
const SHAPE: f32 = 0.35;

/// The questions that a feature may speak to, one bit each: relevance, topic, intent, sentiment, urgency.
pub const ALL: u8 = 0b1_1111;
const NONE: u8 = 0;
const RELEVANCE: u8 = 1;
const TOPIC: u8 = 1 << 1;
const INTENT: u8 = 1 << 2;
const SENTIMENT: u8 = 1 << 3;
const URGENCY: u8 = 1 << 4;

/// One feature: where it is hashed to, how much, and which bytes of the normalised text it stands for.
#[derive(Debug, Clone, Copy)]
pub struct Feature {
    /// Bucket.
    pub bucket: u16,
    /// Value.
    pub value: f32,
    /// The questions it may speak to: the form of a sentence says nothing about its topic.
    pub of: u8,
    /// First byte; equal to `end` when it stands for the whole post.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A post as the judge sees it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The post in one shape.
    pub normal: Normal,
    /// What the lexicon found.
    pub hits: Vec<Hit>,
    /// What the linear layer gets.
    pub features: Vec<Feature>,
    /// Whose ground its source stands on, when that counts: the post itself names no place.
    pub stand: Option<Stand>,
}

/// Reads a post: title and text together.
#[must_use]
pub fn see(lexicon: &Lexicon, subject: &Subject<'_>, whole: &str, rarity: Option<&[u8]>) -> Seen {
    let normal = normalise(whole);
    let hits = lexicon.hits(&normal, whole);
    let mut features = Vec::with_capacity(normal.text.len() * 3);
    let negated = tone::negated(&normal);
    grams(&normal, &negated, &mut features);
    features.truncate(FEATURES_MAX);
    weigh(&mut features, rarity);
    signs(lexicon, &hits, &mut features);
    for dimension in [Dimension::Topic, Dimension::Intent, Dimension::Urgency] {
        let first = features.len();
        contest(lexicon, &normal, &hits, dimension, &mut features);
        limit(&mut features, first, questions(dimension));
    }
    let tone = tone::hear(lexicon, &normal, &hits, &negated);
    let first = features.len();
    mood(&tone, &normal, tone::grade(whole), &mut features);
    form(&normal, &mut features);
    limit(&mut features, first, INTENT | SENTIMENT | URGENCY);
    let stand = scene(lexicon, subject, &normal, &hits, &mut features);
    Seen { normal, hits, features, stand }
}

/// FNV-1a: stable over versions and machines, unlike the hashers of the standard library.
pub(super) struct Hash(u32);

impl Hash {
    pub(super) fn of(kind: u8) -> Self {
        Self(0x811c_9dc5).add(&[kind])
    }

    pub(super) fn add(self, bytes: &[u8]) -> Self {
        Self(bytes.iter().fold(self.0, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)))
    }

    pub(super) fn bucket(&self) -> u16 {
        let mixed = (self.0 ^ (self.0 >> 15)).wrapping_mul(0x2c1b_3c6d);
        let [low, high, ..] = (mixed ^ (mixed >> 16)).to_le_bytes();
        u16::from_le_bytes([low, high])
    }
}

pub(super) fn at(bucket: u16, value: f32, token: (usize, usize)) -> Feature {
    let short = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
    Feature { bucket, value, of: ALL, start: short(token.0), end: short(token.1) }
}

/// Lets the features from `first` on speak to these questions alone.
fn limit(features: &mut [Feature], first: usize, of: u8) {
    for feature in features.iter_mut().skip(first) {
        feature.of &= of;
    }
}

fn grams(normal: &Normal, negated: &[bool], features: &mut Vec<Feature>) {
    let mut before: Option<&Token> = None;
    let mut edges: Vec<usize> = Vec::with_capacity(GRAM_LETTERS_MAX + 3);
    let mut padded = String::with_capacity(64);
    for (token, negated) in normal.tokens.iter().zip(negated) {
        let word = normal.word(token);
        let place = (token.start, token.end);
        match token.kind {
            Kind::Handle => features.push(at(Hash::of(b'@').bucket(), 1.0, place)),
            Kind::Address => features.push(at(Hash::of(b'/').bucket(), 1.0, place)),
            Kind::Emoji => features.push(at(Hash::of(b'e').add(word.as_bytes()).bucket(), 1.5, place)),
            Kind::Word | Kind::Tag => {
                features.push(at(Hash::of(b'w').add(word.as_bytes()).bucket(), 1.0, place));
                if *negated {
                    let turned = at(Hash::of(b'n').add(word.as_bytes()).bucket(), TURNED, place);
                    features.push(Feature { of: INTENT | SENTIMENT | URGENCY, ..turned });
                }
                word_grams(word, place, &mut padded, &mut edges, features);
            }
        }
        let first = before.map_or("^", |token| normal.word(token));
        let start = before.map_or(token.start, |token| token.start);
        let pair = Hash::of(b'b').add(first.as_bytes()).add(b" ").add(word.as_bytes()).bucket();
        features.push(at(pair, PAIR, (start, token.end)));
        before = Some(token);
        if features.len() > FEATURES_MAX {
            return;
        }
    }
}

fn word_grams(
    word: &str,
    place: (usize, usize),
    padded: &mut String,
    edges: &mut Vec<usize>,
    features: &mut Vec<Feature>,
) {
    padded.clear();
    padded.push('<');
    padded.extend(word.chars().take(GRAM_LETTERS_MAX));
    padded.push('>');
    edges.clear();
    edges.extend(padded.char_indices().map(|(byte, _)| byte));
    edges.push(padded.len());
    for length in 3..=5 {
        for pair in edges.windows(length + 1) {
            let (Some(start), Some(end)) = (pair.first(), pair.last()) else { continue };
            let gram = padded.as_bytes().get(*start..*end).unwrap_or_default();
            features.push(at(Hash::of(b'c').add(gram).bucket(), CHARACTERS, place));
        }
    }
}

/// Multiplies with how rare each bucket is and makes the vector as long as [`TEXT`].
fn weigh(features: &mut [Feature], rarity: Option<&[u8]>) {
    let mut square = 0.0_f32;
    for feature in features.iter_mut() {
        if let Some(rarity) = rarity {
            feature.value *= f32::from(rarity.get(usize::from(feature.bucket)).copied().unwrap_or(255)) / 32.0;
        }
        square += feature.value * feature.value;
    }
    let scale = if square > 0.0 { TEXT / square.sqrt() } else { 0.0 };
    for feature in features.iter_mut() {
        feature.value *= scale;
    }
}

/// One feature for each stem, and one for each group with how often it was found.
fn signs(lexicon: &Lexicon, hits: &[Hit], features: &mut Vec<Feature>) {
    let mut counted: Vec<(u16, f32)> = Vec::with_capacity(hits.len());
    for hit in hits {
        let Some(group) = lexicon.group(hit).filter(|group| questions(group.dimension) != NONE) else { continue };
        let place = (hit.start, hit.end);
        let first = features.len();
        let stem = Hash::of(b's').add(group.dimension.slug().as_bytes()).add(lexicon.stem(hit).as_bytes());
        features.push(at(stem.bucket(), STEM, place));
        let count = if let Some((_, count)) = counted.iter_mut().find(|(index, _)| *index == hit.group) {
            *count += 1.0;
            *count
        } else {
            counted.push((hit.group, 1.0));
            1.0
        };
        // The second hit says less than the first, the fourth almost nothing.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count from one")]
        let value = GROUP * group.weight * [1.5, 0.8, 0.4].get(count as usize - 1).copied().unwrap_or(0.1);
        let kind = if group.weight < WEAK { b'h' } else { b'g' };
        features.push(at(label(kind, group.dimension, &group.slug), value, place));
        limit(features, first, questions(group.dimension));
    }
}

/// The questions that the words of a dimension may speak to.
fn questions(dimension: Dimension) -> u8 {
    match dimension {
        Dimension::Topic => RELEVANCE | TOPIC | URGENCY,
        Dimension::Intent => INTENT | SENTIMENT | URGENCY | RELEVANCE,
        Dimension::Sentiment | Dimension::Urgency | Dimension::Safety => INTENT | SENTIMENT | URGENCY,
        Dimension::Place | Dimension::Municipal | Dimension::Elsewhere | Dimension::Namesake => RELEVANCE | TOPIC,
        Dimension::Noise => RELEVANCE | TOPIC | INTENT,
        Dimension::Protected | Dimension::Synonym => TOPIC | URGENCY,
        Dimension::Difference => NONE,
    }
}

/// The labels of a dimension against each other: how much each one's words weigh, its share of all, and which leads.
/// A word that speaks for two labels speaks half as loud for each.
fn contest(lexicon: &Lexicon, normal: &Normal, hits: &[Hit], dimension: Dimension, features: &mut Vec<Feature>) {
    let token_at = |byte: usize| normal.tokens.partition_point(|token| token.start <= byte).saturating_sub(1);
    let ours: Vec<(&str, f32, usize, u32)> = hits
        .iter()
        .filter_map(|hit| Some((hit, lexicon.group(hit)?)))
        .filter(|(_, group)| group.dimension == dimension)
        .map(|(hit, group)| (group.slug.as_str(), group.weight, token_at(hit.start), hit.pattern))
        .collect();
    let mut scores: Vec<(&str, f32)> = Vec::new();
    for (index, (slug, weight, token, pattern)) in ours.iter().enumerate() {
        let before = ours.get(..index).unwrap_or_default();
        let told = |other: &(&str, f32, usize, u32)| {
            other.3 == *pattern || (other.0 == *slug && other.2 == *token && other.1 >= *weight)
        };
        if before.iter().any(told) {
            continue;
        }
        let rivals = ours.iter().filter(|other| other.2 == *token && other.0 != *slug && other.1 >= *weight);
        let mut rivals: Vec<&str> = rivals.map(|other| other.0).collect();
        rivals.sort_unstable();
        rivals.dedup();
        #[expect(clippy::cast_precision_loss, reason = "a handful of labels")]
        let value = weight / (1.0 + rivals.len() as f32);
        match scores.iter_mut().find(|(known, _)| known == slug) {
            Some((_, score)) => *score += value,
            None => scores.push((slug, value)),
        }
    }
    let (share, much, leads) = if dimension == Dimension::Topic { (0.8, 0.5, 0.5) } else { (0.6, 0.3, 0.3) };
    let all: f32 = scores.iter().map(|score| score.1).sum();
    for (slug, score) in &scores {
        features.push(at(label(b't', dimension, slug), share * score / all, (0, 0)));
        features.push(at(label(b'u', dimension, slug), much * score.min(3.0), (0, 0)));
    }
    let lead = scores.iter().max_by(|a, b| a.1.total_cmp(&b.1)).map_or("-", |lead| lead.0);
    features.push(at(label(b'l', dimension, lead), leads, (0, 0)));
    let asks = if normal.questions > 0 { "?" } else { "." };
    features.push(at(
        Hash::of(b'L').add(dimension.slug().as_bytes()).add(lead.as_bytes()).add(asks.as_bytes()).bucket(),
        leads,
        (0, 0),
    ));
}

/// The tone in steps, so that a little and much are told apart.
fn mood(tone: &tone::Tone, normal: &Normal, grade: Option<f32>, features: &mut Vec<Feature>) {
    let weight = MOOD;
    let step = |value: f32| match value {
        v if v <= -2.5 => "--",
        v if v <= -0.4 => "-",
        v if v < 0.4 => "0",
        v if v < 2.5 => "+",
        _ => "++",
    };
    let mut add = |parts: &[&str], value: f32| {
        let hash = parts.iter().fold(Hash::of(b'm'), |hash, part| hash.add(part.as_bytes()).add(b"|"));
        features.push(at(hash.bucket(), value, (0, 0)));
    };
    let net = tone.praise - tone.blame;
    let asks = if normal.questions > 0 { "?" } else { "." };
    let irony = if tone.irony > 0.0 { "irony" } else { "plain" };
    add(&["net", step(net)], weight);
    add(&["last", step(tone.last)], weight);
    add(&["first", step(tone.first)], weight);
    add(&["signs", step(tone.signs)], weight);
    add(&["net-asks", step(net), asks], weight);
    add(&["first-last", step(tone.first), step(tone.last)], weight * 0.6);
    add(&["net-irony", step(net), irony], weight);
    add(&["both", step(tone.praise), step(-tone.blame)], weight);
    add(&["praise"], weight * 0.5 * tone.praise.min(4.0));
    add(&["blame"], weight * 0.5 * tone.blame.min(4.0));
    add(&["irony"], weight * 0.5 * tone.irony.min(3.0));
    if let Some(grade) = grade {
        let given = match grade {
            g if g <= 0.45 => "low",
            g if g < 0.75 => "middle",
            _ => "high",
        };
        add(&["grade", given], weight * 2.0);
    }
}

fn label(kind: u8, dimension: Dimension, slug: &str) -> u16 {
    Hash::of(kind).add(dimension.slug().as_bytes()).add(b":").add(slug.as_bytes()).bucket()
}

/// Where the post stands: channel, how near its words are to us, and its shape.
/// Gives whose ground its source stands on, when that counts.
fn scene(
    lexicon: &Lexicon,
    subject: &Subject<'_>,
    normal: &Normal,
    hits: &[Hit],
    features: &mut Vec<Feature>,
) -> Option<Stand> {
    let has = |dimension: Dimension, slug: &str| {
        hits.iter()
            .filter_map(|hit| lexicon.group(hit))
            .any(|group| group.dimension == dimension && (slug.is_empty() || group.slug == slug))
    };
    let near = lexicon.nearness(subject.channel).slug();
    let anchor = if has(Dimension::Place, "strong") {
        "strong"
    } else if has(Dimension::Place, "name") {
        "name"
    } else if has(Dimension::Place, "weak") {
        "weak"
    } else if has(Dimension::Place, "street") {
        "street"
    } else if has(Dimension::Municipal, "") {
        "municipal"
    } else {
        "none"
    };
    let foreign = if has(Dimension::Elsewhere, "") {
        "elsewhere"
    } else if has(Dimension::Namesake, "") {
        "namesake"
    } else if has(Dimension::Noise, "") {
        "noise"
    } else {
        "-"
    };
    let stand = if anchor == "none" && foreign == "-" { lexicon.stand(subject.source) } else { None };
    let (anchor, foreign) = match stand {
        Some(Stand::Ours) => ("weak", foreign),
        Some(Stand::Elsewhere) => (anchor, "elsewhere"),
        None => (anchor, foreign),
    };
    let topical = if has(Dimension::Topic, "") { "topic" } else { "-" };
    let from = features.len();
    if stand == Some(Stand::Elsewhere) {
        let value = GROUP * FOREIGN_GROUND;
        features.push(at(label(b'g', Dimension::Elsewhere, "neighbour"), value, (0, 0)));
        limit(features, from, RELEVANCE);
    }
    let from = features.len();
    let mut add = |parts: &[&str], value: f32| {
        let hash = parts.iter().fold(Hash::of(b'x'), |hash, part| hash.add(part.as_bytes()).add(b"|"));
        features.push(at(hash.bucket(), value, (0, 0)));
    };
    add(&["channel", subject.channel], SHAPE);
    add(&["near", near], SHAPE);
    add(&["anchor", anchor], SHAPE * 2.0);
    add(&["foreign", foreign], SHAPE * 2.0);
    add(&["anchor-near", anchor, near], SHAPE * 2.0);
    add(&["anchor-foreign", anchor, foreign], SHAPE * 2.0);
    add(&["anchor-foreign-near", anchor, foreign, near], SHAPE * 2.0);
    add(&["foreign-near", foreign, near], SHAPE);
    add(&["anchor-topic-near", anchor, topical, near], SHAPE * 2.0);
    limit(features, from + 2, RELEVANCE | TOPIC);
    // A channel is full of anger or of thanks, and its next post is neither for that.
    if let Some(channel) = features.get_mut(from) {
        channel.of &= !SENTIMENT;
    }
    let from = features.len();
    let mut add = |parts: &[&str], value: f32| {
        let hash = parts.iter().fold(Hash::of(b'x'), |hash, part| hash.add(part.as_bytes()).add(b"|"));
        features.push(at(hash.bucket(), value, (0, 0)));
    };
    let words = normal.tokens.len();
    let length =
        ["0", "1", "2", "3", "4", "5"].get(usize::BITS as usize - words.leading_zeros() as usize).unwrap_or(&"6");
    add(&["length", length], SHAPE);
    if normal.questions > 0 {
        add(&["asks"], SHAPE * 2.0);
        if normal.text.trim_end().ends_with('?') {
            add(&["ends-asking"], SHAPE * 2.0);
        }
        add(&["asks", near], SHAPE);
    }
    if normal.exclamations > 0 {
        add(&["exclaims"], SHAPE);
    }
    if normal.exclamations > 2 {
        add(&["exclaims-much"], SHAPE);
    }
    if normal.capitals > 0.5 && words > 2 {
        add(&["shouts"], SHAPE);
    }
    if normal.text.chars().any(is_emoji) {
        add(&["emoji"], SHAPE);
    }
    if let Some(first) = normal.tokens.first() {
        add(&["begins", normal.word(first)], SHAPE);
    }
    limit(features, from, ALL & !TOPIC);
    stand
}
