//! Learning from corrections: the whole model anew in one batch, swapped in only if it does not get worse.

use super::judge::Judge;
use super::lexicon::Lexicon;
use super::model::Model;
use super::report::{Report, measure};
use super::seed::{HELD_OUT, lessons};
use super::train::{CORRECTION, Lesson, SEED, train};

/// How much one number may fall: on some 390 posts, less is chance.
const FALL_MAX: f64 = 0.03;
/// How much the mean of all numbers may fall.
const MEAN_FALL_MAX: f64 = 0.005;

/// A model that may be swapped in.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Trained on the seed and the corrections.
    pub model: Model,
    /// What the same training reaches on voices that it did not read.
    pub report: Report,
}

/// Why a model is not swapped in.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{mark} falls from {before:.3} to {after:.3}")]
pub struct Worse {
    /// The number that falls: `topic`, `threats heard` … or `mean`.
    pub mark: String,
    /// Before.
    pub before: f64,
    /// After.
    pub after: f64,
}

/// Trains on the seed alone: the model that is shipped, and its report.
#[must_use]
pub fn fit(lexicon: &Lexicon) -> Candidate {
    trained(lexicon, &lessons())
}

/// Trains on the seed and all corrections, in the order given. `before` is the report of the model in use.
///
/// # Errors
/// When a number of the regression set falls: the model in use stays.
pub fn refit(lexicon: &Lexicon, corrections: &[Lesson], before: &Report) -> Result<Candidate, Worse> {
    let mut all = lessons();
    all.extend(corrections.iter().cloned().map(|lesson| Lesson { style: CORRECTION.to_owned(), ..lesson }));
    let candidate = trained(lexicon, &all);
    compare(before, &candidate.report)?;
    Ok(candidate)
}

/// The report of the seed with this lexicon: what `lyhord judge report` prints.
#[must_use]
pub fn report(lexicon: &Lexicon) -> Report {
    fit(lexicon).report
}

fn trained(lexicon: &Lexicon, lessons: &[Lesson]) -> Candidate {
    let trained = train(lexicon, lessons, SEED);
    let judge = Judge::new(lexicon.clone(), Some(trained.held_out));
    let held_out: Vec<&Lesson> = lessons.iter().filter(|lesson| HELD_OUT.contains(&lesson.style.as_str())).collect();
    Candidate { model: trained.model, report: measure(&judge, &held_out) }
}

fn compare(before: &Report, after: &Report) -> Result<(), Worse> {
    let (before, after) = (before.marks(), after.marks());
    for ((mark, before), (_, after)) in before.iter().zip(&after) {
        if before - after > FALL_MAX {
            return Err(Worse { mark: (*mark).to_owned(), before: *before, after: *after });
        }
    }
    let mean = |marks: &[(&str, f64)]| {
        let count = f64::from(u32::try_from(marks.len().max(1)).unwrap_or(1));
        marks.iter().map(|mark| mark.1).sum::<f64>() / count
    };
    let (before, after) = (mean(&before), mean(&after));
    if before - after > MEAN_FALL_MAX {
        return Err(Worse { mark: "mean".to_owned(), before, after });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(judge: &Judge) -> Report {
        let lessons = lessons();
        measure(judge, &lessons.iter().step_by(20).collect::<Vec<_>>())
    }

    #[test]
    fn a_model_that_falls_is_not_swapped_in() {
        let lexicon = Lexicon::shipped().unwrap();
        let good = small(&Judge::shipped().unwrap());
        let poor = small(&Judge::new(lexicon, None));
        assert!(compare(&good, &poor).is_err());
        assert_eq!(compare(&good, &good), Ok(()));
        assert_eq!(compare(&poor, &good), Ok(()));
    }

    #[test]
    #[cfg_attr(debug_assertions, ignore = "takes minutes without optimisation: run with --release")]
    fn the_shipped_model_is_the_seed_trained_bit_for_bit() {
        let candidate = fit(&Lexicon::shipped().unwrap());
        let shipped = Judge::shipped().unwrap();
        assert_eq!(shipped.model().map(Model::bytes), Some(candidate.model.bytes()));
        let marks = candidate.report;
        assert!(marks.relevance_f1 >= 0.93 && marks.turned_away >= 0.80, "{}", marks.text());
    }
}
