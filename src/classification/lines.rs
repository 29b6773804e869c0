//! JSON lines in, JSON lines out: `lyhord classify` and `lyhord similar`; and labelled posts for `lyhord judge report`.

use serde::{Deserialize, Serialize};

use super::judge::Judge;
use super::similar::similar;
use super::train::Lesson;
use super::{Classification, Confidence, Flag, Intent, Sentiment, Subject, Urgency};
use crate::mention::{Relevance, Span};

/// Bytes of one line; a post is at most some thousand, and a longer line is not a post.
const LINE_MAX: usize = 1_000_000;

/// Why a line has no answer.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The line is longer than a post can be.
    #[error("the line is longer than {LINE_MAX} bytes")]
    TooLong,
    /// The line is not the JSON that is expected.
    #[error("the line is not the expected JSON")]
    Unreadable(#[source] serde_json::Error),
    /// A labelled post says nothing that could be compared.
    #[error("the post has no label: relevant, topic, intent, sentiment or urgency")]
    Unlabelled,
    /// A topic that nothing can be judged to be.
    #[error("`{0}` is not a topic of the lexicon")]
    ForeignTopic(String),
    /// The answer cannot be written as JSON.
    #[error("the answer cannot be written")]
    Unwritable(#[source] serde_json::Error),
}

/// What `lyhord classify --json` reads.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Asked {
    /// Given back as it came.
    #[serde(default)]
    pub id: serde_json::Value,
    /// Plain text.
    pub text: String,
    /// Headline, when there is one.
    #[serde(default)]
    pub title: String,
    /// The channel's slug.
    #[serde(default)]
    pub channel: String,
    /// The source's key.
    #[serde(default)]
    pub source: String,
}

impl Asked {
    /// The post as it is judged.
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        Subject { title: &self.title, text: &self.text, channel: &self.channel, source: &self.source, heard: None }
    }
}

#[derive(Serialize)]
struct Answered<'a> {
    id: &'a serde_json::Value,
    relevant: Relevance,
    topic: &'a str,
    intent: Intent,
    also: Option<Intent>,
    sentiment: Sentiment,
    urgency: Urgency,
    language: &'a str,
    flags: &'a [Flag],
    confidence: Confidence,
    unsure: &'a [String],
    because: &'a [String],
    spans: &'a [Span],
    by: &'a str,
}

/// What `lyhord similar --json` reads.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Pair {
    /// Given back as it came.
    #[serde(default)]
    pub id: serde_json::Value,
    /// One text.
    pub a: String,
    /// The other.
    pub b: String,
}

#[derive(Serialize)]
struct Compared<'a> {
    id: &'a serde_json::Value,
    same: bool,
    score: f32,
    because: &'a [String],
}

/// Judges one line `{id, text, channel, source}`; `title` may be there too. `heard` says what the watch rules say of it.
///
/// # Errors
/// When the line is too long or not such JSON.
pub fn classify_line(
    judge: &Judge,
    line: &str,
    heard: impl FnOnce(&Subject<'_>) -> Relevance,
) -> Result<String, LineError> {
    let asked: Asked = read(line)?;
    let subject = asked.subject();
    let judged: Classification = judge.judge(&subject, Some(heard(&subject)));
    write(&Answered {
        id: &asked.id,
        relevant: judged.relevance,
        topic: &judged.topic,
        intent: judged.intent,
        also: judged.also,
        sentiment: judged.sentiment,
        urgency: judged.urgency,
        language: &judged.language,
        flags: &judged.flags,
        confidence: judged.confidence,
        unsure: &judged.unsure,
        because: &judged.because,
        spans: &judged.spans,
        by: &judged.by,
    })
}

/// Reads one labelled post: `{text, channel, source}` and any of `relevant`, `topic`, `intent`, `sentiment`, `urgency`.
///
/// # Errors
/// When the line is not such JSON, carries no label, or names a topic that the judge does not have.
pub fn labelled_line(judge: &Judge, line: &str) -> Result<Lesson, LineError> {
    let lesson: Lesson = read(line)?;
    if lesson.slugs().iter().all(Option::is_none) {
        return Err(LineError::Unlabelled);
    }
    let topics = judge.lexicon().topics();
    match &lesson.topic {
        Some(topic) if !topics.iter().any(|(slug, _)| slug == topic) => Err(LineError::ForeignTopic(topic.clone())),
        _ => Ok(lesson),
    }
}

/// Compares one line `{id, a, b}`.
///
/// # Errors
/// When the line is too long or not such JSON.
pub fn similar_line(judge: &Judge, line: &str) -> Result<String, LineError> {
    let pair: Pair = read(line)?;
    let found = similar(judge, &pair.a, &pair.b);
    write(&Compared { id: &pair.id, same: found.same, score: found.score, because: &found.because })
}

fn read<'a, T: Deserialize<'a>>(line: &'a str) -> Result<T, LineError> {
    if line.len() > LINE_MAX {
        return Err(LineError::TooLong);
    }
    serde_json::from_str(line).map_err(LineError::Unreadable)
}

fn write<T: Serialize>(answer: &T) -> Result<String, LineError> {
    serde_json::to_string(answer).map_err(LineError::Unwritable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> serde_json::Value {
        serde_json::from_str(&classify_line(&Judge::shipped().unwrap(), line, |_| Relevance::No).unwrap()).unwrap()
    }

    #[test]
    fn a_line_is_answered_with_every_judgement() {
        let said = asked(
            r#"{"id":7,"text":"Vattenläcka på Byvägen i Skepplanda, det forsar in i källaren!","channel":"e-post"}"#,
        );
        assert_eq!(said["id"], 7);
        assert_eq!(said["topic"], "va");
        assert_eq!(said["relevant"], "yes");
        assert_ne!(said["urgency"], "normal");
        assert!(said["because"].as_array().is_some_and(|reasons| !reasons.is_empty()));
    }

    #[test]
    fn a_glass_of_ale_is_not_about_us() {
        assert_eq!(asked(r#"{"id":"x","text":"En kall pale ale på puben i Malmö","channel":"x"}"#)["relevant"], "no");
    }

    #[test]
    fn somebody_who_may_harm_herself_is_always_seen() {
        let said = asked(r#"{"id":1,"text":"orkar inte leva längre","channel":"facebook-egen-sida"}"#);
        assert!(said["flags"].as_array().unwrap().contains(&"sjalvskada".into()));
        assert_eq!(said["urgency"], "akut");
    }

    #[test]
    fn a_reason_points_at_words_of_the_post() {
        let text = "Tack! Sopkärlet på Byvägen i Nol är inte tömt ÅÄÖ";
        let judge = Judge::shipped().unwrap();
        let judged = judge.judge(&Subject { text, channel: "facebook", title: "Om Nol", ..Subject::default() }, None);
        assert!(judged.spans.iter().any(|span| span.sign == "topic"));
        assert!(judged.spans.iter().all(|span| text.get(span.start..span.end).is_some_and(|words| !words.is_empty())));
    }

    #[test]
    fn what_is_no_post_is_an_error_and_no_panic() {
        let judge = Judge::shipped().unwrap();
        assert!(matches!(classify_line(&judge, "{", |_| Relevance::No), Err(LineError::Unreadable(_))));
        assert!(matches!(similar_line(&judge, "[]"), Err(LineError::Unreadable(_))));
        assert!(matches!(classify_line(&judge, &" ".repeat(LINE_MAX + 1), |_| Relevance::No), Err(LineError::TooLong)));
    }
}
