//! The three most similar questions that we have answered, with their answers, each one click from the draft.

use std::collections::BTreeSet;
use std::time::Duration;

use super::fault::Fault;
use super::{Site, words};
use crate::audit::similar::{ALIKE, likeness, stems};
use crate::case::store::CaseRow;
use crate::classification::judge::Judge;
use crate::classification::similar::similar;
use crate::clock::Time;
use crate::db::Tx;
use crate::id::CaseId;
use crate::response::store::{Answered, answered_copies, answered_in};

/// Copies of the same post that are looked at.
const COPIES_READ: i64 = 5;
/// Answers on the same topic and place that are looked at, the newest first.
const PLACE_READ: i64 = 60;
/// Answers on the same topic that are looked at, the newest first.
const TOPIC_READ: i64 = 140;
/// Questions that are compared by what they ask: each comparison reads two posts.
const COMPARED: usize = 12;
/// Questions that are shown.
const SHOWN: usize = 3;
/// The least score of one that is shown though the judge does not call it the same: words in common are not enough.
const WORTH_SHOWING: f32 = 0.3;
/// How far back: a year and a day, so that a season comes round.
const DAYS: u64 = 366;
/// Letters of an answer that are shown; the whole is one click away.
const EXCERPT: usize = 320;

/// An earlier question like this one.
#[derive(Debug)]
pub(super) struct Earlier {
    pub(super) id: CaseId,
    pub(super) question: String,
    pub(super) after: String,
    pub(super) when: String,
    pub(super) excerpt: String,
    pub(super) because: String,
    pub(super) answer: String,
}

/// The most similar answered questions: copies, then same topic and place, then same topic. What may be secret is
/// never compared and never shown.
pub(super) async fn earlier(tx: &mut Tx, site: &Site, case: &CaseRow, now: Time) -> Result<Vec<Earlier>, Fault> {
    if case.protected || case.restricted {
        return Ok(Vec::new());
    }
    let since = now.minus(Duration::from_secs(DAYS * 86_400));
    let mut found = answered_copies(tx, case.cluster_id, since, COPIES_READ).await?;
    if let Some(place) = case.place.as_deref() {
        found.extend(answered_in(tx, &case.topic, Some(place), since, PLACE_READ).await?);
    }
    found.extend(answered_in(tx, &case.topic, None, since, TOPIC_READ).await?);
    let mut known = BTreeSet::from([case.id]);
    found.retain(|other| known.insert(other.case_id));
    Ok(ranked(&site.app.judge(), &case.title, case.place.as_deref(), found, now))
}

/// The cheap comparison chooses whom the dear one compares.
fn ranked(judge: &Judge, asked: &str, place: Option<&str>, found: Vec<Answered>, now: Time) -> Vec<Earlier> {
    let own = stems(asked);
    let mut near: Vec<(f64, Answered)> = found
        .into_iter()
        .map(|other| {
            (likeness(&own, &stems(&other.question)) + if other.place.as_deref() == place { 0.1 } else { 0.0 }, other)
        })
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.answered_at.cmp(&a.1.answered_at)));
    near.truncate(COMPARED);
    let mut alike: Vec<(f32, Earlier)> = near
        .into_iter()
        .filter_map(|(words_alike, other)| {
            let compared = similar(judge, asked, &other.question);
            let shown = compared.same || (words_alike >= ALIKE && compared.score >= WORTH_SHOWING);
            shown.then(|| (compared.score, told(&other, &compared.because, now)))
        })
        .collect();
    alike.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut answers = BTreeSet::new();
    alike.retain(|(_, earlier)| answers.insert(earlier.excerpt.clone()));
    alike.into_iter().take(SHOWN).map(|(_, earlier)| earlier).collect()
}

fn told(other: &Answered, because: &[String], now: Time) -> Earlier {
    let reasons: Vec<&str> = because.iter().map(String::as_str).filter(|reason| reason.starts_with("Samma")).collect();
    let excerpt: String = other.answer.chars().take(EXCERPT).collect();
    let cut = if excerpt.len() < other.answer.len() { " …" } else { "" };
    Earlier {
        id: other.case_id,
        question: super::mask::mask(&other.question),
        after: words::span(other.answered_at.0.saturating_sub(other.arrived_at.0)),
        when: words::day(other.answered_at, now),
        excerpt: format!("{excerpt}{cut}"),
        because: reasons.join(", ").to_lowercase(),
        answer: without_name(&other.answer),
    }
}

/// An answer without the name that it greets: the next one who asks is somebody else.
fn without_name(answer: &str) -> String {
    for greeting in ["Hej", "Hejsan", "Hej på dig"] {
        let Some(rest) = answer.trim_start().strip_prefix(greeting) else { continue };
        let Some((name, after)) = rest.split_once(['!', ',']) else { continue };
        let words: Vec<&str> = name.split_whitespace().collect();
        let is_name = |word: &&str| word.chars().next().is_some_and(|first| first.is_uppercase() || first == '@');
        if name.starts_with(' ') && (1..=3).contains(&words.len()) && words.iter().all(is_name) {
            return format!("{greeting}!{after}");
        }
    }
    answer.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(id: i64, question: &str, place: &str, answer: &str) -> Answered {
        Answered {
            case_id: CaseId(id),
            question: question.into(),
            topic: "va".into(),
            place: Some(place.into()),
            answer: answer.into(),
            unit: None,
            arrived_at: Time(0),
            answered_at: Time(60_000 * id),
        }
    }

    #[test]
    fn the_same_question_in_the_same_place_comes_first_and_another_question_not_at_all() {
        let judge = Judge::shipped().unwrap();
        let found = vec![
            answered(1, "Vad kostar vattnet per kubik?", "Nol", "12 kronor."),
            answered(2, "Någon mer i Nol som har brunt vatten i kranen?", "Nol", "Vi spolar."),
            answered(3, "Brunt vatten i kranen i Surte igen", "Surte", "Spola kallvatten."),
            answered(4, "Brunt vatten i kranen i Nol", "Nol", "Vi spolar."),
        ];
        let shown = ranked(&judge, "Varför är vattnet brunt i kranen i Nol?", Some("Nol"), found, Time(0));
        assert_ne!(shown.first().map(|one| one.id), Some(CaseId(3)), "another place is not first");
        assert!(shown.iter().all(|one| one.id != CaseId(1)), "what it costs is another question");
        assert_eq!(shown.iter().filter(|one| one.excerpt == "Vi spolar.").count(), 1, "an answer is shown once");
    }

    #[test]
    fn the_name_that_an_answer_greets_is_not_copied() {
        assert_eq!(without_name("Hej Karin! Vi spolar i dag."), "Hej! Vi spolar i dag.");
        assert_eq!(without_name("Hej Anna Karin, tack för ditt inlägg"), "Hej! tack för ditt inlägg");
        assert_eq!(without_name("Hej! Vi spolar i dag."), "Hej! Vi spolar i dag.");
        assert_eq!(without_name("Hej och tack, Nol får vatten"), "Hej och tack, Nol får vatten");
        assert_eq!(without_name("Ring 0303-70 30 00!"), "Ring 0303-70 30 00!");
    }
}
