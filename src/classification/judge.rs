//! The judge: reads a post once, asks the linear layer and the lexicon, and says what it thinks and why.

use super::because;
use super::features::{Seen, see};
use super::language::Languages;
use super::lexicon::{Dimension, Lexicon, LexiconError, Nearness};
use super::linear::softmax;
use super::model::{Model, ModelError, QUESTIONS, Reading};
use super::personal_data;
use super::safety::{Leaning, heed};
use super::{Classification, Classifier, Confidence, Flag, Intent, Sentiment, Subject, Urgency};
use crate::mention::{Relevance, Span};

/// How much likelier the first intent may be for the second to be told too.
const ALSO_SHARE: f32 = 0.45;
/// The least probability of a second intent.
const ALSO_AT: f32 = 0.22;
/// From this probability on a post is a threat, although something else is likelier: a threat that is missed is worse than a
/// complaint that somebody looks at as one.
const THREAT_WINS_AT: f32 = 0.2;
/// What one stem is worth to a topic that the model has never seen, in its scores.
const STEM_SCORE: f32 = 2.0;

/// Below this probability even a post that the rules are sure of is not about us: they see words, not what is said.
const RULES_YIELD_AT: f32 = 0.12;
/// The same for what was written to us. There the rules hear every municipal matter, whoever's it is, so that their word
/// weighs less. What was handed in as ours is shown to a person anyway, whatever is thought here.
const OWN_YIELDS_AT: f32 = 0.25;

/// Why there is no judge.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// The lexicon cannot be used.
    #[error("the lexicon cannot be used")]
    Lexicon(#[from] LexiconError),
    /// The shipped model cannot be read.
    #[error("the model cannot be read")]
    Model(#[from] ModelError),
}

/// Judges posts with a lexicon and, when there is one, a trained model.
#[derive(Debug)]
pub struct Judge {
    lexicon: Lexicon,
    model: Option<Model>,
    languages: Languages,
    labels: [Vec<String>; QUESTIONS],
    version: String,
}

/// What a question was answered with.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Answer {
    class: usize,
    probability: f32,
}

/// The shipped model, made by `lyhord train` from the seed; `tests/it/artefact.rs` makes it again and compares every byte.
const SHIPPED: &[u8] = include_bytes!("model.bin");

impl Judge {
    /// The judge that is shipped: `config/lexicon.toml` as it was built in, and the shipped model.
    ///
    /// # Errors
    /// Never for an unchanged build: tests use it.
    pub fn shipped() -> Result<Self, JudgeError> {
        Ok(Self::new(Lexicon::shipped()?, Some(Model::read(SHIPPED)?)))
    }

    /// The shipped model beside a lexicon of the municipality's own.
    ///
    /// # Errors
    /// Never for an unchanged build: tests use it.
    pub fn with(lexicon: Lexicon) -> Result<Self, JudgeError> {
        Ok(Self::new(lexicon, Some(Model::read(SHIPPED)?)))
    }

    /// A judge by a model that was learned here, as its bytes were kept.
    ///
    /// # Errors
    /// When the bytes are not a model.
    pub fn learned(lexicon: Lexicon, model: &[u8]) -> Result<Self, JudgeError> {
        Ok(Self::new(lexicon, Some(Model::read(model)?)))
    }

    /// A judge of this lexicon; without a model it goes by the lexicon alone and says so in its version.
    #[must_use]
    pub fn new(lexicon: Lexicon, model: Option<Model>) -> Self {
        let mut labels = model.as_ref().map_or_else(|| labels(&lexicon), |model| model.labels.clone());
        let version =
            model.as_ref().map_or_else(|| "ordlista".to_owned(), |model| format!("modell-{}", model.version()));
        let [_, topics, ..] = &mut labels;
        for (slug, _) in lexicon.topics() {
            if !topics.contains(slug) {
                topics.push(slug.clone());
            }
        }
        Self { lexicon, model, languages: Languages::default(), labels, version }
    }

    /// The lexicon it goes by.
    #[must_use]
    pub fn lexicon(&self) -> &Lexicon {
        &self.lexicon
    }

    /// The model it goes by.
    #[must_use]
    pub fn model(&self) -> Option<&Model> {
        self.model.as_ref()
    }

    /// Judges one post. `prior` is what the watch rules said: a post they are sure of is judged irrelevant only when the
    /// judge is all but sure that it is.
    #[must_use]
    pub fn judge(&self, subject: &Subject<'_>, prior: Option<Relevance>) -> Classification {
        let title = subject.title.trim();
        let joined;
        let (whole, offset) = if title.is_empty() {
            (subject.text, 0)
        } else {
            joined = format!("{title}\n{}", subject.text);
            (joined.as_str(), title.len() + 1)
        };
        let seen = see(&self.lexicon, subject, whole, self.model.as_ref().map(Model::rarity));
        let near = self.lexicon.nearness(subject.channel);
        let scores = self.scores(&seen, near);
        self.decide(&seen, &scores, whole, offset, (prior, near))
    }

    fn decide(
        &self,
        seen: &Seen,
        scores: &[Vec<f32>; QUESTIONS],
        whole: &str,
        offset: usize,
        (prior, near): (Option<Relevance>, Nearness),
    ) -> Classification {
        let [about, topics, intents, tones, hastes] = scores;
        let (topic, intent, tone, haste) = (best(topics), self.intent(intents), best(tones), best(hastes));
        let relevant = about.get(1).copied().unwrap_or(0.5);
        let topic_slug = self.label(1, topic.class).to_owned();
        let chosen = Intent::from_slug(self.label(2, intent.class)).unwrap_or(Intent::Information);
        let sentiment = Sentiment::from_slug(self.label(3, tone.class)).unwrap_or(Sentiment::Neutral);
        let leaning = Leaning {
            threat: self.probability(2, intents, Intent::Threat.slug()),
            acute: self.probability(4, hastes, Urgency::Acute.slug()),
            document: self.probability(2, intents, Intent::Document.slug()),
            intent: chosen,
            urgency: Urgency::from_slug(self.label(4, haste.class)).unwrap_or(Urgency::Normal),
            sentiment,
        };
        let (mut flags, urgency) = heed(&self.lexicon, &seen.hits, &topic_slug, &leaning);
        let relevance = self.relevance(relevant, prior, near).max(least(&flags, near));
        let found = personal_data::find(whole);
        if !found.is_empty() {
            flags.insert(0, Flag::PersonalData);
        }
        let confidence = Confidence {
            relevance: f64::from(relevant.max(1.0 - relevant)),
            topic: f64::from(topic.probability),
            intent: f64::from(intent.probability),
            sentiment: f64::from(tone.probability),
            urgency: f64::from(haste.probability),
        };
        let mut judged = Classification {
            relevance,
            topic: topic_slug,
            intent: chosen,
            also: self.also(intents, intent, flags.contains(&Flag::Threat)),
            sentiment,
            urgency,
            language: self.languages.tell(whole, &seen.normal).to_owned(),
            flags,
            confidence,
            unsure: self.unsure(relevance, [topic, intent, tone, haste]),
            spans: Vec::new(),
            because: Vec::new(),
            by: self.version.clone(),
        };
        because::explain(
            self,
            seen,
            [usize::from(relevant >= 0.5), topic.class, intent.class, haste.class],
            &mut judged,
        );
        judged.because.extend(seen.stand.map(|stand| stand.swedish().to_owned()));
        for hit in &found {
            judged.because.push(format!("Innehåller {}", hit.kind.swedish()));
            judged.spans.push(Span { start: hit.start, end: hit.end, sign: "personuppgift".to_owned() });
        }
        judged.because.dedup();
        judged.spans.retain(|span| span.start >= offset);
        for span in &mut judged.spans {
            span.start -= offset;
            span.end -= offset;
        }
        judged
    }

    /// The slug of a class of a question.
    #[must_use]
    pub(super) fn label(&self, question: usize, class: usize) -> &str {
        self.labels.get(question).and_then(|labels| labels.get(class)).map_or("", String::as_str)
    }

    /// What a post wants: the likeliest, but a threat that is likely enough before anything that is likelier.
    fn intent(&self, chances: &[f32]) -> Answer {
        let threat =
            self.answer(2, chances, Intent::Threat.slug()).filter(|threat| threat.probability >= THREAT_WINS_AT);
        threat.unwrap_or_else(|| best(chances))
    }

    fn answer(&self, question: usize, chances: &[f32], slug: &str) -> Option<Answer> {
        let class = self.labels.get(question)?.iter().position(|label| label == slug)?;
        Some(Answer { class, probability: *chances.get(class)? })
    }

    fn probability(&self, question: usize, chances: &[f32], slug: &str) -> f32 {
        self.answer(question, chances, slug).map_or(0.0, |answer| answer.probability)
    }

    fn relevance(&self, relevant: f32, prior: Option<Relevance>, near: Nearness) -> Relevance {
        let yields = if near == Nearness::Own { OWN_YIELDS_AT } else { RULES_YIELD_AT };
        let (yes, review) = self.model.as_ref().map_or((0.7, 0.4), |model| model.relevance);
        let judged = if relevant >= yes {
            Relevance::Yes
        } else if relevant >= review {
            Relevance::Review
        } else {
            Relevance::No
        };
        if prior == Some(Relevance::Yes) && relevant >= yields { judged.max(Relevance::Review) } else { judged }
    }

    fn also(&self, chances: &[f32], first: Answer, threat: bool) -> Option<Intent> {
        let rest = chances.iter().enumerate().filter(|(class, _)| *class != first.class);
        let (class, chance) = rest.max_by(|a, b| a.1.total_cmp(b.1))?;
        let second = Intent::from_slug(self.label(2, class));
        if *chance >= ALSO_AT && *chance >= first.probability * ALSO_SHARE {
            return second;
        }
        (threat && self.label(2, first.class) != Intent::Threat.slug()).then_some(Intent::Threat)
    }

    fn unsure(&self, relevance: Relevance, answers: [Answer; 4]) -> Vec<String> {
        let mut unsure = Vec::new();
        if relevance == Relevance::Review {
            unsure.push("relevance".to_owned());
        }
        for (question, (name, answer)) in ["topic", "intent", "sentiment", "urgency"].iter().zip(answers).enumerate() {
            let reading = self.model.as_ref().and_then(|model| model.readings.get(question + 1).copied());
            if answer.probability < reading.unwrap_or(Reading { sharpness: 1.0, unsure_below: 0.5 }).unsure_below {
                unsure.push((*name).to_owned());
            }
        }
        unsure
    }

    /// Probabilities of each question's classes.
    fn scores(&self, seen: &Seen, near: Nearness) -> [Vec<f32>; QUESTIONS] {
        let mut split: [Vec<f32>; QUESTIONS] = match &self.model {
            Some(model) => {
                let scores = model.scores(&seen.features);
                let mut readings = model.readings.iter();
                model.ranges().map(|range| {
                    let sharpness = readings.next().map_or(1.0, |reading| reading.sharpness);
                    scores.get(range).unwrap_or_default().iter().map(|score| score * sharpness).collect()
                })
            }
            None => self.plain(seen, near),
        };
        let ([_, topics, ..], [_, known, ..]) = (&mut split, &self.labels);
        let mean = topics.iter().sum::<f32>() / f32::from(u16::try_from(topics.len().max(1)).unwrap_or(1));
        for slug in known.iter().skip(topics.len()) {
            topics.push(mean + STEM_SCORE * self.stems(seen, Dimension::Topic, slug));
        }
        for part in &mut split {
            softmax(part);
        }
        split
    }

    /// Scores by the lexicon alone.
    fn plain(&self, seen: &Seen, near: Nearness) -> [Vec<f32>; QUESTIONS] {
        let of = |dimension, question: usize| -> Vec<f32> {
            let labels = self.labels.get(question).map(Vec::as_slice).unwrap_or_default();
            labels.iter().map(|slug| 1.4 * self.stems(seen, dimension, slug)).collect()
        };
        let any = |dimension| {
            seen.hits.iter().filter_map(|hit| self.lexicon.group(hit)).any(|group| group.dimension == dimension)
        };
        let lean = |there: bool, by: f32| if there { by } else { 0.0 };
        let about = lean(any(Dimension::Place), 2.5)
            + lean(any(Dimension::Municipal), 1.0)
            + lean(any(Dimension::Topic), 0.5)
            + lean(near == Nearness::Own, 2.0)
            + lean(near == Nearness::Local, 1.0)
            - lean(any(Dimension::Elsewhere), 3.0)
            - lean(any(Dimension::Namesake), 2.5)
            - lean(any(Dimension::Noise), 1.5)
            - 1.0;
        let mut urgency = of(Dimension::Urgency, 4);
        if let Some(normal) = urgency.first_mut() {
            *normal += 1.0;
        }
        [vec![0.0, about], of(Dimension::Topic, 1), of(Dimension::Intent, 2), of(Dimension::Sentiment, 3), urgency]
    }

    fn stems(&self, seen: &Seen, dimension: Dimension, slug: &str) -> f32 {
        let groups = seen.hits.iter().filter_map(|hit| self.lexicon.group(hit));
        groups.filter(|group| group.dimension == dimension && group.slug == slug).map(|group| group.weight).sum()
    }
}

impl Classifier for Judge {
    fn classify(&self, subject: &Subject<'_>) -> Classification {
        self.judge(subject, subject.heard)
    }
}

/// The least relevance that the flags allow: one who may harm herself is seen wherever she writes, and a threat or a wrong
/// that somebody tells us of is seen when it was told to us.
fn least(flags: &[Flag], near: Nearness) -> Relevance {
    let told_us = near == Nearness::Own && (flags.contains(&Flag::Threat) || flags.contains(&Flag::WhistleBlowing));
    if told_us || flags.contains(&Flag::SelfHarm) { Relevance::Review } else { Relevance::No }
}

/// The classes of each question that this lexicon can be trained for.
#[must_use]
pub fn labels(lexicon: &Lexicon) -> [Vec<String>; QUESTIONS] {
    let own = |text: &[&str]| text.iter().map(|slug| (*slug).to_owned()).collect::<Vec<_>>();
    let intents: Vec<_> = Intent::ALL.iter().map(|intent| intent.slug()).collect();
    let tones: Vec<_> = Sentiment::ALL.iter().map(|tone| tone.slug()).collect();
    let hastes: Vec<_> = Urgency::ALL.iter().map(|haste| haste.slug()).collect();
    let topics = lexicon.topics().iter().map(|(slug, _)| slug.clone()).collect();
    [own(&["no", "yes"]), topics, own(&intents), own(&tones), own(&hastes)]
}

fn best(chances: &[f32]) -> Answer {
    let most = chances.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
    most.map_or(Answer { class: 0, probability: 0.0 }, |(class, probability)| Answer { class, probability })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threat_that_is_likely_enough_wins_over_what_is_likelier() {
        let judge = Judge::shipped().unwrap();
        let slugs = &judge.labels[2];
        let chances = |threat: f32| -> Vec<f32> {
            let of = |slug: &str| match slug {
                "hot-hat" => threat,
                "klagomal" => 0.95 - threat,
                _ => 0.05 / 8.0,
            };
            slugs.iter().map(|slug| of(slug)).collect()
        };
        let chosen = |threat: f32| slugs[judge.intent(&chances(threat)).class].clone();
        assert_eq!((chosen(0.19).as_str(), chosen(0.21).as_str()), ("klagomal", "hot-hat"));
    }

    #[test]
    fn a_post_that_the_rules_are_sure_of_is_turned_away_only_when_the_judge_is_all_but_sure() {
        let judge = Judge::shipped().unwrap();
        let yes = Some(Relevance::Yes);
        assert_eq!(judge.relevance(RULES_YIELD_AT, yes, Nearness::Open), Relevance::Review);
        assert_eq!(judge.relevance(RULES_YIELD_AT / 2.0, yes, Nearness::Open), Relevance::No);
        assert_eq!(judge.relevance(OWN_YIELDS_AT, yes, Nearness::Own), Relevance::Review);
        assert_eq!(judge.relevance(OWN_YIELDS_AT / 2.0, yes, Nearness::Own), Relevance::No);
        assert_eq!(judge.relevance(RULES_YIELD_AT / 2.0, None, Nearness::Own), Relevance::No);
        assert_eq!(judge.relevance(0.99, Some(Relevance::No), Nearness::Open), Relevance::Yes);
    }

    #[test]
    fn a_post_that_names_no_place_is_about_where_its_source_stands() {
        let judge = Judge::shipped().unwrap();
        let judged = |text: &str, source: &str| {
            let subject = Subject { text, source, channel: "facebook-grupp", ..Subject::default() };
            judge.judge(&subject, Some(Relevance::Review))
        };
        let bus = "Bussen kom inte i dag heller, någon mer som står och fryser?";
        let there = judged(bus, "Vi som bor i Kungälv");
        assert_eq!(there.relevance, Relevance::No);
        assert!(there.because.iter().any(|why| why == "Källan hör till en annan ort"), "{:?}", there.because);
        assert!(judged(bus, "Vi som bor i Nödinge").relevance != Relevance::No);
        let named = "Bussen kom inte till Nödinge i dag heller, någon mer som står och fryser?";
        assert!(judged(named, "Vi som bor i Kungälv").relevance != Relevance::No, "its own words come first");
    }

    #[test]
    fn danger_is_never_turned_away() {
        let judge = Judge::shipped().unwrap();
        let seen = |text: &str, channel: &str| {
            judge.judge(&Subject { text, channel, ..Subject::default() }, None).relevance != Relevance::No
        };
        assert!(seen("orkar inte leva längre, hej då Stockholm", "x"));
        assert!(seen("Jag jobbar på boendet och vill vara anonym. Chefen tvingar oss att ljuga.", "e-post"));
        assert!(seen("Ni borde hängas allihop", "facebook-egen-sida"));
    }

    #[test]
    fn mail_about_another_municipality_is_not_ours_although_it_was_sent_to_us() {
        let judge = Judge::shipped().unwrap();
        let text = "Begäran till Lerums kommun om upphandlingsprotokoll för städ.";
        let mail = Subject { text, channel: "e-post", heard: Some(Relevance::Yes), ..Subject::default() };
        assert_eq!(judge.classify(&mail).relevance, Relevance::No);
    }
}
