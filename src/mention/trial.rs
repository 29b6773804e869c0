//! Trying the rules: `lyhord match`, one line in and one JSON object out, and a query on the page Bevakning.

use super::query::{Fault, Query};
use super::query_reading::reading;
use super::watch::{Scratch, Watch, compile};
use super::words::{self, Rule, Sign, Words};
use super::{Heard, Hearing, Relevance, Span};

/// What `lyhord match --json` reads: a JSON object with these fields, all but `text` optional.
#[derive(Debug, serde::Deserialize)]
struct Line {
    #[serde(default)]
    id: Option<serde_json::Value>,
    #[serde(default)]
    title: String,
    text: String,
    #[serde(default)]
    channel: String,
    #[serde(default)]
    source: String,
    #[serde(default, alias = "language")]
    lang: String,
    #[serde(default)]
    site: String,
    #[serde(default)]
    kind: String,
}

#[derive(serde::Serialize)]
struct Answer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<serde_json::Value>,
    relevant: Relevance,
    score: f64,
    rules: &'a [String],
    words: &'a [Span],
    places: &'a [String],
    because: &'a [String],
}

/// One JSON object in, one out: `relevant` yes, review or no, `score`, `rules`, `words`, `places`, `because`; and `id` as
/// it came.
///
/// # Errors
/// When the line is not such an object.
pub fn answer(watch: &Watch, line: &str, scratch: &mut Scratch) -> Result<String, serde_json::Error> {
    let line: Line = serde_json::from_str(line)?;
    let heard = Heard {
        title: &line.title,
        text: &line.text,
        channel: &line.channel,
        source: &line.source,
        language: &line.lang,
        site: &line.site,
        kind: &line.kind,
    };
    let hearing = watch.hear_with(&heard, scratch);
    serde_json::to_string(&Answer {
        id: line.id,
        relevant: hearing.relevance,
        score: hearing.score,
        rules: &hearing.rules,
        words: &hearing.words,
        places: &hearing.places,
        because: &hearing.because,
    })
}

/// A query under trial: what it means, and which of some posts it would match.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Trial {
    /// The query as Lyhörd writes it.
    pub query: String,
    /// The same in plain Swedish.
    pub reading: String,
    /// For each post that it matches: its number in the row, and what in it matched.
    pub matched: Vec<(usize, Hearing)>,
}

/// Tries a query on posts without saving it.
///
/// # Errors
/// The first fault of the query, with its place.
pub fn attempt(words: &Words, query: &str, posts: &[Heard<'_>]) -> Result<Trial, Fault> {
    let understood = words::check(query, words)?;
    let alone = Words { rules: vec![alone(&understood)], ..words.clone() };
    let watch = compile(&alone);
    let mut scratch = Scratch::default();
    let heard = posts.iter().map(|post| watch.hear_with(post, &mut scratch)).enumerate();
    let matched = heard.filter(|(_, hearing)| !hearing.rules.is_empty()).collect();
    Ok(Trial { query: understood.to_string(), reading: reading(&understood), matched })
}

/// A rule that is only this query.
#[must_use]
pub fn alone(query: &Query) -> Rule {
    Rule { name: "provet".to_owned(), query: query.clone(), sign: Sign::Yes, because: "provet träffar".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::watch_tests::ale_words;
    use super::*;

    #[test]
    fn a_line_is_answered_with_relevance_words_and_reasons() {
        let watch = compile(&ale_words());
        let text = "Fick brunt vatten i kranen i Nodinge imorse";
        let line = serde_json::json!({ "id": 4, "text": text, "label": "SANN" }).to_string();
        let mut scratch = Scratch::default();
        let answer: serde_json::Value = serde_json::from_str(&answer(&watch, &line, &mut scratch).unwrap()).unwrap();
        assert_eq!(
            (&answer["id"], &answer["relevant"], &answer["places"][0]),
            (&4.into(), &"yes".into(), &"Nödinge".into())
        );
        let words: Vec<&str> = answer["words"]
            .as_array()
            .unwrap()
            .iter()
            .map(|span| {
                &text[usize::try_from(span["start"].as_u64().unwrap()).unwrap()
                    ..usize::try_from(span["end"].as_u64().unwrap()).unwrap()]
            })
            .collect();
        assert!(words.contains(&"Nodinge") && words.contains(&"vatten"), "{words:?}");
    }

    #[test]
    fn what_is_no_object_with_a_text_has_no_answer() {
        let watch = compile(&ale_words());
        let mut scratch = Scratch::default();
        for line in ["{ trasig json om pale ale", "Ale kommun svarar inte", "{\"id\":1}", "[]", "{\"text\":7}"] {
            assert!(answer(&watch, line, &mut scratch).is_err(), "{line}");
        }
        let polish = r#"{"text":"Czy w Ale jest przedszkole","lang":"pl"}"#;
        assert!(answer(&watch, polish, &mut scratch).is_ok());
    }

    #[test]
    fn a_query_is_tried_before_it_is_saved() {
        let posts =
            [Heard { text: "Skolan i Nol", ..Heard::default() }, Heard { text: "En öl i Nol", ..Heard::default() }];
        let trial = attempt(&ale_words(), "*skola~ near nol", &posts);
        assert!(trial.is_err());
        let trial = attempt(&ale_words(), "*skola~ NEAR/3 nol", &posts).unwrap();
        assert_eq!(trial.matched.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0]);
        assert!(trial.reading.contains("högst 3 ord från"));
        let refused = attempt(&ale_words(), "\"Anna Svensson\" AND ale", &posts).unwrap_err();
        assert!(refused.what.contains("REF-01"));
    }
}
