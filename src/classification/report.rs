//! The report: precision, recall, confusion and calibration on voices that the judge has not read.
#![expect(clippy::cast_precision_loss, reason = "counts of posts are far below 2^52")]

use std::fmt::Write as _;

use super::judge::Judge;
use super::lexicon::Lexicon;
use super::train::{Lesson, SEED, train};
use super::{Classification, Intent, Urgency};
use crate::mention::Relevance;

/// How well one class of a question is told.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassScore {
    /// The class's slug.
    pub slug: String,
    /// Posts that are of this class.
    pub posts: usize,
    /// Share of those called so that are so.
    pub precision: f64,
    /// Share of those that are so that are called so.
    pub recall: f64,
    /// The harmonic mean of the two.
    pub f1: f64,
}

/// How well one question is answered.
#[derive(Debug, Clone, PartialEq)]
pub struct QuestionScore {
    /// `relevance`, `topic` …
    pub question: &'static str,
    /// The mean of the classes' F1.
    pub macro_f1: f64,
    /// Share of right answers.
    pub accuracy: f64,
    /// Share of right answers among the surest 80 %.
    pub accuracy_when_sure: f64,
    /// Each class.
    pub classes: Vec<ClassScore>,
    /// Commonest mistakes: what it was, what was said, how often.
    pub confusion: Vec<(String, String, usize)>,
    /// For ten bands of confidence: posts, mean confidence, share right.
    pub calibration: Vec<(usize, f64, f64)>,
}

/// Everything that is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Posts that were judged.
    pub posts: usize,
    /// Those labelled as about us.
    pub ours: usize,
    /// Those labelled as not about us.
    pub foreign: usize,
    /// F1 of `about us`, where review counts as yes.
    pub relevance_f1: f64,
    /// Share of the posts not about us that were turned away.
    pub turned_away: f64,
    /// Share of the acute posts that were called high or acute.
    pub acute_heard: f64,
    /// Share of all posts called high or acute.
    pub urgent_share: f64,
    /// Recall of threats and hate among the intents.
    pub threats_heard: f64,
    /// Precision of the same.
    pub threats_right: f64,
    /// Topic, intent, sentiment and urgency, on the posts that are not labelled as foreign.
    pub questions: Vec<QuestionScore>,
}

/// Judges the posts and compares with their labels. The judge must not have been trained on them.
#[must_use]
pub fn measure(judge: &Judge, posts: &[&Lesson]) -> Report {
    let judged: Vec<_> = posts.iter().map(|post| (*post, judge.judge(&post.subject(), None))).collect();
    tally(&judged)
}

/// Compares judgements with the labels of their posts.
#[must_use]
pub fn tally(judged: &[(&Lesson, Classification)]) -> Report {
    let kept = |judged: &Classification| judged.relevance != Relevance::No;
    let known = || judged.iter().filter_map(|(post, said)| Some((post.relevant?, kept(said))));
    let count = |is: bool, said: bool| known().filter(|pair| *pair == (is, said)).count();
    let (heard, missed, turned_away, let_in) =
        (count(true, true), count(true, false), count(false, false), count(false, true));
    let about: Vec<&(&Lesson, Classification)> =
        judged.iter().filter(|(post, _)| post.relevant != Some(false)).collect();
    let urgent = |said: &Classification| said.urgency != Urgency::Normal;
    let acute: Vec<_> = about.iter().filter(|(post, _)| post.urgency == Some(Urgency::Acute)).collect();
    let questions: Vec<QuestionScore> = vec![
        question(
            "topic",
            about
                .iter()
                .filter_map(|(post, said)| Some((post.topic.clone()?, said.topic.clone(), said.confidence.topic)))
                .collect(),
        ),
        question(
            "intent",
            about
                .iter()
                .filter_map(|(post, said)| {
                    Some((post.intent?.slug().to_owned(), said.intent.slug().to_owned(), said.confidence.intent))
                })
                .collect(),
        ),
        question(
            "sentiment",
            about
                .iter()
                .filter_map(|(post, said)| {
                    Some((
                        post.sentiment?.slug().to_owned(),
                        said.sentiment.slug().to_owned(),
                        said.confidence.sentiment,
                    ))
                })
                .collect(),
        ),
        question(
            "urgency",
            about
                .iter()
                .filter_map(|(post, said)| {
                    Some((post.urgency?.slug().to_owned(), said.urgency.slug().to_owned(), said.confidence.urgency))
                })
                .collect(),
        ),
    ];
    let threat =
        questions.iter().flat_map(|question| &question.classes).find(|class| class.slug == Intent::Threat.slug());
    Report {
        posts: judged.len(),
        ours: heard + missed,
        foreign: turned_away + let_in,
        relevance_f1: share(2 * heard, 2 * heard + missed + let_in),
        turned_away: share(turned_away, turned_away + let_in),
        acute_heard: share(acute.iter().filter(|(_, said)| urgent(said)).count(), acute.len()),
        urgent_share: share(judged.iter().filter(|(_, said)| urgent(said)).count(), judged.len()),
        threats_heard: threat.map_or(0.0, |class| class.recall),
        threats_right: threat.map_or(0.0, |class| class.precision),
        questions,
    }
}

/// Every voice of the seed judged by a model that has not read it, nor been read by it: voices are dealt into folds, and
/// each fold is judged by a model of the others.
#[must_use]
pub fn cross_validated(lexicon: &Lexicon, lessons: &[Lesson]) -> Report {
    let trained = train(lexicon, lessons, SEED);
    let models = std::iter::once(trained.held_out).chain(trained.crossed);
    let judges: Vec<Judge> = models.map(|model| Judge::new(lexicon.clone(), Some(model))).collect();
    let answers: Vec<(&Lesson, Classification)> = lessons
        .iter()
        .zip(&trained.folds)
        .filter_map(|(lesson, fold)| Some((lesson, judges.get(*fold)?.judge(&lesson.subject(), None))))
        .collect();
    tally(&answers)
}

fn share(some: usize, all: usize) -> f64 {
    if all == 0 { 0.0 } else { some as f64 / all as f64 }
}

fn question(name: &'static str, mut answers: Vec<(String, String, f64)>) -> QuestionScore {
    answers.sort_by(|a, b| b.2.total_cmp(&a.2));
    let mut slugs: Vec<String> = answers.iter().map(|answer| answer.0.clone()).collect();
    slugs.sort();
    slugs.dedup();
    let classes: Vec<ClassScore> = slugs.iter().map(|slug| class(slug, &answers)).collect();
    let right = |answers: &[(String, String, f64)]| {
        share(answers.iter().filter(|(is, said, _)| is == said).count(), answers.len())
    };
    let sure = answers.get(..answers.len() * 4 / 5).unwrap_or_default();
    let mut confusion: Vec<(String, String, usize)> = Vec::new();
    for (is, said, _) in answers.iter().filter(|(is, said, _)| is != said) {
        match confusion.iter_mut().find(|(a, b, _)| a == is && b == said) {
            Some(found) => found.2 += 1,
            None => confusion.push((is.clone(), said.clone(), 1)),
        }
    }
    confusion.sort_by_key(|mistake| std::cmp::Reverse(mistake.2));
    let band = |band: u8| {
        let (low, high) = (f64::from(band) / 10.0, f64::from(band + 1) / 10.0);
        let inside: Vec<_> =
            answers.iter().filter(|(.., sure)| *sure >= low && (*sure < high || band == 9)).cloned().collect();
        let mean = inside.iter().map(|answer| answer.2).sum::<f64>() / inside.len().max(1) as f64;
        (inside.len(), mean, right(&inside))
    };
    QuestionScore {
        question: name,
        macro_f1: classes.iter().map(|class| class.f1).sum::<f64>() / classes.len().max(1) as f64,
        accuracy: right(&answers),
        accuracy_when_sure: right(sure),
        classes,
        confusion,
        calibration: (0..10).map(band).collect(),
    }
}

fn class(slug: &str, answers: &[(String, String, f64)]) -> ClassScore {
    let posts = answers.iter().filter(|(is, ..)| is == slug).count();
    let said = answers.iter().filter(|(_, said, _)| said == slug).count();
    let both = answers.iter().filter(|(is, said, _)| is == slug && said == slug).count();
    let (precision, recall) = (share(both, said), share(both, posts));
    ClassScore { slug: slug.to_owned(), posts, precision, recall, f1: share(2 * both, posts + said) }
}

impl Report {
    /// The numbers that a new model is compared by, with their names.
    #[must_use]
    pub fn marks(&self) -> Vec<(&'static str, f64)> {
        let mut marks = vec![("relevance", self.relevance_f1), ("turned away", self.turned_away)];
        marks.extend(self.questions.iter().map(|question| (question.question, question.macro_f1)));
        marks.extend([("acute heard", self.acute_heard), ("threats heard", self.threats_heard)]);
        marks
    }

    /// Whether a post of this class was among them.
    fn has(&self, slug: &str) -> bool {
        self.questions.iter().flat_map(|question| &question.classes).any(|class| class.slug == slug)
    }

    /// The report as text for a person. What the posts have no labels for is left out.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "Inlägg som bedömts: {}", self.posts);
        let ours = (self.ours > 0).then(|| format!("F1 {:.3}", self.relevance_f1));
        let foreign = (self.foreign > 0).then(|| format!("andel avvisade av de andra {:.3}", self.turned_away));
        let about: Vec<String> = ours.into_iter().chain(foreign).collect();
        if !about.is_empty() {
            let _ = writeln!(out, "Gäller oss: {}", about.join(", "));
        }
        if self.has(Urgency::Acute.slug()) {
            let _ = writeln!(
                out,
                "Akuta som hörts: {:.3}; andel av alla som flaggats {:.3}",
                self.acute_heard, self.urgent_share
            );
        }
        if self.has(Intent::Threat.slug()) {
            let _ = writeln!(out, "Hot och hat: återfunna {:.3}, rätt {:.3}", self.threats_heard, self.threats_right);
        }
        for question in self.questions.iter().filter(|question| !question.classes.is_empty()) {
            let _ = writeln!(
                out,
                "\n{}: makro-F1 {:.3}, rätt {:.3}, rätt bland de säkraste 80 % {:.3}",
                question.question, question.macro_f1, question.accuracy, question.accuracy_when_sure
            );
            for class in &question.classes {
                let _ = writeln!(
                    out,
                    "  {:<24} {:>4} st  precision {:.2}  återfunna {:.2}  F1 {:.2}",
                    class.slug, class.posts, class.precision, class.recall, class.f1
                );
            }
            for (is, said, times) in question.confusion.iter().take(8) {
                let _ = writeln!(out, "  {is} togs för {said}: {times}");
            }
            for (posts, sure, right) in question.calibration.iter().filter(|band| band.0 > 0) {
                let _ = writeln!(out, "  säkerhet {sure:.2}: rätt {right:.2} ({posts} st)");
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_counted_as_the_book_says() {
        let answer = |is: &str, said: &str, sure| (is.to_owned(), said.to_owned(), sure);
        let score = question(
            "topic",
            vec![answer("a", "a", 0.9), answer("a", "b", 0.4), answer("b", "b", 0.8), answer("b", "b", 0.7)],
        );
        let b = &score.classes[1];
        assert!((b.precision - 2.0 / 3.0).abs() < 1e-9 && (b.recall - 1.0).abs() < 1e-9);
        assert!((score.accuracy - 0.75).abs() < 1e-9);
        assert!((score.accuracy_when_sure - 1.0).abs() < 1e-9, "the unsure one is the wrong one");
        assert_eq!(score.confusion, [("a".to_owned(), "b".to_owned(), 1)]);
    }
}
