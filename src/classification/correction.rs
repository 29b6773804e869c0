//! What a person says that a judgement should have been: an example to learn from, and the judgement that stands.

use std::collections::BTreeMap;

use super::store::Corrected;
use super::train::{CORRECTION, Lesson};
use super::{Classification, Flag, Intent, Sentiment, Urgency};
use crate::id::MentionId;
use crate::mention::Relevance;

/// The version that a judgement carries when a person has had the last word.
pub const BY_A_PERSON: &str = "människa";

slugs! {
    /// What a judgement answers.
    Question {
        /// Is it about us?
        Relevance = "relevance", "Gäller oss";
        /// What is it about?
        Topic = "topic", "Ämne";
        /// What does the writer want?
        Intent = "intent", "Avsikt";
        /// In what tone?
        Sentiment = "sentiment", "Ton";
        /// How soon must somebody look?
        Urgency = "urgency", "Brådska";
    }
}

impl Question {
    /// The labels that one may choose among; none for the topic, whose labels are the municipality's own.
    #[must_use]
    pub fn labels(self) -> Vec<(&'static str, &'static str)> {
        match self {
            Self::Relevance => vec![("yes", "Om oss"), ("no", "Inte om oss")],
            Self::Topic => Vec::new(),
            Self::Intent => Intent::ALL.iter().map(|label| (label.slug(), label.swedish())).collect(),
            Self::Sentiment => Sentiment::ALL.iter().map(|label| (label.slug(), label.swedish())).collect(),
            Self::Urgency => Urgency::ALL.iter().map(|label| (label.slug(), label.swedish())).collect(),
        }
    }

    /// What a person reads for a label; `topics` are slug and name of each topic.
    #[must_use]
    pub fn name_of<'a>(self, label: &'a str, topics: impl Iterator<Item = (&'a str, &'a str)>) -> &'a str {
        if self == Self::Relevance && label == "review" {
            return "Osäkert";
        }
        let known = self.labels().into_iter().find(|(slug, _)| *slug == label).map(|(_, name)| name);
        let mut topics = topics;
        known.or_else(|| topics.find(|(slug, _)| *slug == label).map(|(_, name)| name)).unwrap_or(label)
    }
}

impl Classification {
    /// The label that stands for a question.
    #[must_use]
    pub fn label(&self, question: Question) -> &str {
        match question {
            Question::Relevance => match self.relevance {
                Relevance::Yes => "yes",
                Relevance::Review => "review",
                Relevance::No => "no",
            },
            Question::Topic => &self.topic,
            Question::Intent => self.intent.slug(),
            Question::Sentiment => self.sentiment.slug(),
            Question::Urgency => self.urgency.slug(),
        }
    }

    /// The judgement with one label set by a person, who is sure; nothing when the label is none of the question's.
    /// A person may take back a possible threat or a protected topic; signs of self-harm and whistle-blowing stay.
    #[must_use]
    pub fn corrected(&self, question: Question, label: &str, protected: bool) -> Option<Self> {
        let mut judged = self.clone();
        match question {
            Question::Relevance => {
                judged.relevance = match label {
                    "yes" => Relevance::Yes,
                    "no" => Relevance::No,
                    _ => return None,
                };
                judged.confidence.relevance = 1.0;
            }
            Question::Topic => {
                label.clone_into(&mut judged.topic);
                judged.confidence.topic = 1.0;
                judged.set(Flag::ProtectedTopic, protected);
            }
            Question::Intent => {
                judged.intent = Intent::from_slug(label)?;
                judged.also = judged.also.filter(|also| *also != judged.intent && *also != Intent::Threat);
                judged.confidence.intent = 1.0;
                judged.set(Flag::Threat, judged.intent == Intent::Threat);
            }
            Question::Sentiment => {
                judged.sentiment = Sentiment::from_slug(label)?;
                judged.confidence.sentiment = 1.0;
            }
            Question::Urgency => {
                judged.urgency = Urgency::from_slug(label)?;
                judged.confidence.urgency = 1.0;
            }
        }
        judged.unsure.retain(|unsure| unsure != question.slug());
        let reason = format!("{}: rättat av en människa", question.swedish());
        judged.because.retain(|known| *known != reason);
        judged.because.insert(0, reason);
        BY_A_PERSON.clone_into(&mut judged.by);
        Some(judged)
    }

    fn set(&mut self, flag: Flag, there: bool) {
        self.flags.retain(|known| *known != flag);
        if there {
            self.flags.insert(0, flag);
        }
    }
}

/// The corrections as posts to learn from, one for each post: the last word on each question counts. `rows` come by
/// post and then by time, so that the same rows give the same lessons in the same order.
///
/// A post of which somebody has set the topic or the tone is about us, unless she also said that it is not.
#[must_use]
pub fn lessons(rows: &[Corrected]) -> Vec<Lesson> {
    let mut posts: BTreeMap<MentionId, Lesson> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.body.trim().is_empty()) {
        let lesson = posts.entry(row.mention_id).or_insert_with(|| Lesson {
            id: row.mention_id.to_string(),
            style: CORRECTION.to_owned(),
            channel: row.channel.clone(),
            source: row.site.clone(),
            title: row.title.clone().unwrap_or_default(),
            text: row.body.clone(),
            ..Lesson::default()
        });
        match Question::from_slug(&row.question) {
            Some(Question::Relevance) => lesson.relevant = Some(row.became == "yes"),
            Some(Question::Topic) => lesson.topic = Some(row.became.clone()),
            Some(Question::Intent) => lesson.intent = Intent::from_slug(&row.became),
            Some(Question::Sentiment) => lesson.sentiment = Sentiment::from_slug(&row.became),
            Some(Question::Urgency) => lesson.urgency = Urgency::from_slug(&row.became),
            None => {}
        }
    }
    posts.into_values().map(|lesson| Lesson { relevant: lesson.relevant.or(Some(true)), ..lesson }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::judge::Judge;
    use super::super::{Classifier, Subject};
    use super::*;

    fn judged(text: &str) -> Classification {
        Judge::shipped().unwrap().classify(&Subject { text, channel: "facebook-grupp", ..Subject::default() })
    }

    #[test]
    fn what_a_person_says_stands_and_the_rest_stays() {
        let before = judged("Brunt vatten i kranen i Nol, är det farligt?");
        let after = before.corrected(Question::Topic, "skola", false).unwrap();
        assert_eq!((after.topic.as_str(), after.by.as_str()), ("skola", BY_A_PERSON));
        assert_eq!((after.intent, after.urgency, &after.flags), (before.intent, before.urgency, &before.flags));
        assert!(!after.unsure.contains(&"topic".to_owned()) && after.because[0].contains("rättat av en människa"));
        assert!(before.corrected(Question::Urgency, "snart", false).is_none());
        assert!(before.corrected(Question::Relevance, "review", false).is_none(), "a person says yes or no");
    }

    #[test]
    fn a_threat_is_flagged_and_signs_of_self_harm_are_never_taken_back() {
        let sad = judged("orkar inte leva längre");
        assert!(sad.flags.contains(&Flag::SelfHarm));
        let threat = sad.corrected(Question::Intent, "hot-hat", false).unwrap();
        assert!(threat.flags.contains(&Flag::Threat) && threat.flags.contains(&Flag::SelfHarm));
        let back = threat.corrected(Question::Intent, "information", false).unwrap();
        assert!(!back.flags.contains(&Flag::Threat) && back.flags.contains(&Flag::SelfHarm));
    }

    #[test]
    fn the_last_word_on_each_question_is_the_lesson() {
        let row = |mention: i64, question: &str, became: &str| Corrected {
            mention_id: MentionId(mention),
            channel: "rss".into(),
            site: "a.se".into(),
            title: None,
            body: if mention == 9 { " ".into() } else { "Lampan är släckt".into() },
            question: question.into(),
            became: became.into(),
        };
        let rows = [
            row(2, "topic", "skola"),
            row(2, "topic", "gata-trafik"),
            row(2, "intent", "felanmalan"),
            row(3, "relevance", "no"),
            row(9, "topic", "va"),
        ];
        let lessons = lessons(&rows);
        assert_eq!(lessons.len(), 2, "a post whose words are purged teaches nothing");
        assert_eq!(lessons[0].topic.as_deref(), Some("gata-trafik"));
        assert_eq!((lessons[0].intent, lessons[0].relevant), (Some(Intent::FaultReport), Some(true)));
        assert_eq!((lessons[1].relevant, lessons[1].topic.as_deref()), (Some(false), None));
        assert!(lessons.iter().all(|lesson| lesson.style == CORRECTION));
    }
}
