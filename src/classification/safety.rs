//! The path for what a person must see: it errs toward people, never hides a post and never dismisses one.

use super::lexicon::{Dimension, Hit, Lexicon};
use super::{Flag, Intent, Sentiment, Urgency};

/// Probability of a threat from which a person looks, although another intent is likelier.
const THREAT_AT: f32 = 0.15;
/// Probability of `akut` from which a post is at least `hög`.
const ACUTE_AT: f32 = 0.15;
/// Probability of a wish for a document from which it is flagged.
const DOCUMENT_AT: f32 = 0.2;

/// What the judge thinks so far, as far as safety needs it.
#[derive(Debug, Clone, Copy)]
pub struct Leaning {
    /// Probability that the post is a threat or hate.
    pub threat: f32,
    /// Probability that it is acute.
    pub acute: f32,
    /// Probability that it asks for a document.
    pub document: f32,
    /// The likeliest intent.
    pub intent: Intent,
    /// The likeliest urgency.
    pub urgency: Urgency,
    /// The likeliest tone.
    pub sentiment: Sentiment,
}

/// The flags of a post, and the urgency it has when they are heeded. Flags are only added and urgency only raised.
#[must_use]
pub fn heed(lexicon: &Lexicon, hits: &[Hit], topic: &str, leaning: &Leaning) -> (Vec<Flag>, Urgency) {
    let said = |slug: &str| {
        hits.iter()
            .filter_map(|hit| lexicon.group(hit))
            .any(|group| group.dimension == Dimension::Safety && group.slug == slug)
    };
    let protected = lexicon.is_protected(topic)
        || hits.iter().filter_map(|hit| lexicon.group(hit)).any(|group| group.dimension == Dimension::Protected);
    let (threat, self_harm) = (said("threat"), said("self-harm"));
    let flags = [
        (protected, Flag::ProtectedTopic),
        (threat || leaning.intent == Intent::Threat || leaning.threat >= THREAT_AT, Flag::Threat),
        (self_harm, Flag::SelfHarm),
        (said("whistle-blowing"), Flag::WhistleBlowing),
        (
            said("document") || leaning.intent == Intent::Document || leaning.document >= DOCUMENT_AT,
            Flag::DocumentRequest,
        ),
    ];
    let flags: Vec<Flag> = flags.into_iter().filter(|(there, _)| *there).map(|(_, flag)| flag).collect();
    let praise = leaning.intent == Intent::Praise && leaning.sentiment == Sentiment::Positive;
    let mut urgency = leaning.urgency;
    if leaning.intent == Intent::Threat || (leaning.acute >= ACUTE_AT && !praise) {
        urgency = urgency.max(Urgency::High);
    }
    if self_harm {
        urgency = Urgency::Acute;
    }
    (flags, urgency)
}
