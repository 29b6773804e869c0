//! The judge's versions: which one is in office, which were, which were refused; when it is time to learn again, and
//! who may swap.
//!
//! A new judge is swapped in by the program only onto the newest that was ever good enough. When a person has gone back
//! to an earlier one, later ones wait for a person: a machine does not undo what a human decided.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::report::Report;
use super::store::Unlearned;
use super::train::Lesson;
use super::{Intent, Urgency};
use crate::clock::Time;

/// How long it must be quiet after a correction: one who sits and corrects is let finish.
pub const QUIET: Duration = Duration::from_mins(10);
/// How long a correction waits at most, however busily others correct.
pub const PATIENCE: Duration = Duration::from_hours(1);
/// How many versions keep their model, beside the one in office: each is some two megabytes. Older ones keep figures.
pub const KEPT: i64 = 12;

slugs! {
    /// Where a version stands.
    Standing {
        /// It judges.
        InOffice = "in-office", "I tjänst";
        /// It is good enough, and a person decides.
        Waiting = "waiting", "Väntar på beslut";
        /// It has been in office.
        Retired = "retired", "Har varit i tjänst";
        /// It was worse on the regression set.
        Refused = "refused", "Avböjd";
    }
}

/// When the judge is to learn from corrections that it has not read; nothing when there are none.
#[must_use]
pub fn due(unlearned: &Unlearned) -> Option<Time> {
    let (first, last) = (unlearned.first_at?, unlearned.last_at?);
    Some(last.plus(QUIET).min(first.plus(PATIENCE)))
}

/// Where a new judge that is good enough stands: in office, unless a person has gone back to an earlier one.
/// `newest` is the newest version that was not refused.
#[must_use]
pub fn standing_of_new(in_office: i64, newest: i64) -> Standing {
    if in_office == newest { Standing::InOffice } else { Standing::Waiting }
}

/// One number of a version, with the posts it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What it is a number of: `relevance`, `topic`, `acute heard` …
    pub mark: String,
    /// 0 to 1.
    pub value: f64,
    /// How many posts were right, where the number can be counted in posts.
    pub right: Option<usize>,
    /// Of how many.
    pub of: usize,
}

/// The numbers of a version on the regression set.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Posts of the set.
    pub posts: usize,
    /// The numbers that versions are compared by.
    pub figures: Vec<Figure>,
}

impl Figures {
    /// The numbers of a report on these posts, with their bases.
    #[must_use]
    pub fn of(report: &Report, posts: &[&Lesson]) -> Self {
        let base = |count: &dyn Fn(&Lesson) -> bool| posts.iter().filter(|post| count(post)).count();
        let about = |post: &Lesson| post.relevant == Some(true);
        let figures = report
            .marks()
            .into_iter()
            .map(|(mark, value)| {
                let of = match mark {
                    "turned away" => base(&|post| post.relevant == Some(false)),
                    "acute heard" => base(&|post| about(post) && post.urgency == Some(Urgency::Acute)),
                    "threats heard" => base(&|post| about(post) && post.intent == Some(Intent::Threat)),
                    "topic" => base(&|post| about(post) && post.topic.is_some()),
                    "intent" => base(&|post| about(post) && post.intent.is_some()),
                    "sentiment" => base(&|post| about(post) && post.sentiment.is_some()),
                    "urgency" => base(&|post| about(post) && post.urgency.is_some()),
                    _ => base(&|post| post.relevant.is_some()),
                };
                let accuracy = report.questions.iter().find(|question| question.question == mark);
                let share = match (accuracy, mark) {
                    (Some(question), _) => Some(question.accuracy),
                    (None, "relevance") => None,
                    (None, _) => Some(value),
                };
                Figure { mark: mark.to_owned(), value, right: share.map(|share| part(share, of)), of }
            })
            .collect();
        Self { posts: report.posts, figures }
    }

    /// The numbers as a comparison takes them.
    #[must_use]
    pub fn marks(&self) -> Vec<(&str, f64)> {
        self.figures.iter().map(|figure| (figure.mark.as_str(), figure.value)).collect()
    }

    /// The number of a mark.
    #[must_use]
    pub fn value(&self, mark: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.mark == mark).map(|figure| figure.value)
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a few hundred posts"
)]
fn part(share: f64, of: usize) -> usize {
    (share * of as f64).round().max(0.0) as usize
}

/// What a person reads for a mark: what it is, and what its number means.
#[must_use]
pub fn swedish(mark: &str) -> (&'static str, &'static str) {
    match mark {
        "relevance" => ("Gäller oss", "hur väl den skiljer det som gäller oss från resten"),
        "turned away" => ("Avvisat", "andel av det som inte gäller oss som den avvisar själv"),
        "topic" => ("Ämne", "rätt ämne, alla ämnen lika mycket värda"),
        "intent" => ("Avsikt", "rätt avsikt, alla avsikter lika mycket värda"),
        "sentiment" => ("Ton", "rätt ton, alla toner lika mycket värda"),
        "urgency" => ("Brådska", "rätt brådska, alla grader lika mycket värda"),
        "acute heard" => ("Akut som hörs", "andel av det akuta som den märker som hög eller akut"),
        "threats heard" => ("Hot som hörs", "andel av hot och hat som den känner igen"),
        "mean" => ("Medelvärdet", "medelvärdet av alla mått"),
        _ => ("Annat mått", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::super::judge::Judge;
    use super::super::report::measure;
    use super::super::seed::lessons;
    use super::*;

    fn unlearned(first: i64, last: i64) -> Unlearned {
        Unlearned { count: 2, last: 2, first_at: Some(Time(first * 60_000)), last_at: Some(Time(last * 60_000)) }
    }

    #[test]
    fn one_who_sits_and_corrects_is_let_finish_but_nobody_waits_for_ever() {
        assert_eq!(due(&unlearned(0, 3)), Some(Time(13 * 60_000)));
        assert_eq!(due(&unlearned(0, 58)), Some(Time(60 * 60_000)));
        assert_eq!(due(&Unlearned { count: 0, last: 0, first_at: None, last_at: None }), None);
    }

    #[test]
    fn a_machine_does_not_undo_what_a_human_decided() {
        assert_eq!(standing_of_new(4, 4), Standing::InOffice);
        assert_eq!(standing_of_new(2, 4), Standing::Waiting, "somebody went back from four to two");
    }

    #[test]
    fn every_mark_has_words_of_its_own() {
        let lessons = lessons();
        let few: Vec<&Lesson> = lessons.iter().step_by(100).collect();
        let report = measure(&Judge::shipped().unwrap(), &few);
        let figures = Figures::of(&report, &few);
        for figure in &figures.figures {
            assert_ne!(swedish(&figure.mark).0, "Annat mått", "{}", figure.mark);
            assert!(figure.right.is_none_or(|right| right <= figure.of), "{figure:?}");
        }
        assert_eq!(figures.marks().len(), report.marks().len());
    }
}
