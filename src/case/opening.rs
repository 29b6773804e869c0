//! Which mentions become cases. "Not a question" is no reason to drop one (policy A12).

use crate::classification::{Classification, Flag, Intent};
use crate::mention::Relevance;

/// What becomes of a mention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Opening {
    /// It waits for an answer.
    Case,
    /// A person decides first whether and by whom it is answered: a case, marked for triage.
    Triage,
    /// Nobody waits; the reason is said.
    Nothing(NoCase),
}

/// Why a mention becomes no case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoCase {
    /// One of our own accounts wrote it: an answer, never a case.
    Own,
    /// Not about us.
    NotAboutUs,
    /// It tells something that is no concern of ours and asks nothing.
    ForInformation,
}

impl NoCase {
    /// What a person reads.
    #[must_use]
    pub fn swedish(self) -> &'static str {
        match self {
            Self::Own => "Vårt eget inlägg",
            Self::NotAboutUs => "Handlar inte om kommunen",
            Self::ForInformation => "För kännedom, rör inte vår service",
        }
    }
}

impl Opening {
    /// True when a case is opened, for triage or not.
    #[must_use]
    pub fn opens(self) -> bool {
        !matches!(self, Self::Nothing(_))
    }
}

/// Who wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Author {
    /// Somebody else than us.
    Somebody,
    /// One of our own accounts.
    Ourselves,
}

/// Flags that make somebody look whatever the intent is said to be.
const ALWAYS_LOOK: [Flag; 4] = [Flag::Threat, Flag::SelfHarm, Flag::DocumentRequest, Flag::WhistleBlowing];

/// True when even the matter itself may be secret although its topic is not.
#[must_use]
pub fn is_protected(judged: &Classification) -> bool {
    judged.flags.iter().any(|flag| matches!(flag, Flag::ProtectedTopic | Flag::SelfHarm))
}

/// What becomes of a mention. `other_topics` are the slugs of topics that are no service of ours (culture of other
/// places, sport results, the weather): news about them opens no case.
#[must_use]
pub fn opening(judged: &Classification, author: Author, other_topics: &[String]) -> Opening {
    if author == Author::Ourselves {
        return Opening::Nothing(NoCase::Own);
    }
    match judged.relevance {
        Relevance::No => return Opening::Nothing(NoCase::NotAboutUs),
        Relevance::Review => return Opening::Triage,
        Relevance::Yes => {}
    }
    let flagged = judged.flags.iter().any(|flag| ALWAYS_LOOK.contains(flag));
    let asks = judged.intent != Intent::Information || judged.also.is_some_and(|also| also != Intent::Information);
    let ours = !other_topics.contains(&judged.topic);
    if !asks && !flagged && !ours {
        return Opening::Nothing(NoCase::ForInformation);
    }
    if judged.unsure.iter().any(|what| what == "relevance" || what == "intent") {
        Opening::Triage
    } else {
        Opening::Case
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classification::{Confidence, Sentiment, Urgency};

    fn judged(relevance: Relevance, intent: Intent) -> Classification {
        Classification {
            relevance,
            topic: "skola".into(),
            intent,
            also: None,
            sentiment: Sentiment::Neutral,
            urgency: Urgency::Normal,
            language: "sv".into(),
            flags: Vec::new(),
            confidence: Confidence::default(),
            unsure: Vec::new(),
            spans: Vec::new(),
            because: Vec::new(),
            by: "test".into(),
        }
    }

    fn becomes(judged: &Classification) -> Opening {
        opening(judged, Author::Somebody, &["sport".into()])
    }

    #[test]
    fn a_complaint_a_suggestion_and_praise_are_cases_though_nobody_asked() {
        for intent in Intent::ALL {
            assert_eq!(becomes(&judged(Relevance::Yes, *intent)), Opening::Case, "{intent:?}");
        }
    }

    #[test]
    fn news_about_what_is_no_service_of_ours_opens_nothing() {
        let mut news = judged(Relevance::Yes, Intent::Information);
        news.topic = "sport".into();
        assert_eq!(becomes(&news), Opening::Nothing(NoCase::ForInformation));
        news.also = Some(Intent::Complaint);
        assert_eq!(becomes(&news), Opening::Case, "but a complaint in it does");
    }

    #[test]
    fn what_is_not_about_us_never_opens_a_case() {
        for intent in Intent::ALL {
            assert!(!becomes(&judged(Relevance::No, *intent)).opens());
        }
    }

    #[test]
    fn our_own_post_is_an_answer_and_never_a_case() {
        let own = opening(&judged(Relevance::Yes, Intent::Question), Author::Ourselves, &[]);
        assert_eq!(own, Opening::Nothing(NoCase::Own));
    }

    #[test]
    fn what_a_person_must_decide_goes_to_triage() {
        assert_eq!(becomes(&judged(Relevance::Review, Intent::Question)), Opening::Triage);
        let mut unsure = judged(Relevance::Yes, Intent::Question);
        unsure.unsure.push("intent".into());
        assert_eq!(becomes(&unsure), Opening::Triage);
        unsure.unsure = vec!["sentiment".into()];
        assert_eq!(becomes(&unsure), Opening::Case, "a doubt about the tone does not stop the case");
    }

    #[test]
    fn a_sign_of_danger_is_looked_at_whatever_the_topic() {
        let mut danger = judged(Relevance::Yes, Intent::Information);
        danger.topic = "sport".into();
        danger.flags.push(Flag::SelfHarm);
        assert_eq!(becomes(&danger), Opening::Case);
    }
}
