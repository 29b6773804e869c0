//! Learning from corrections: the whole model anew in one batch, swapped in only if it does not get worse.

use super::judge::Judge;
use super::lexicon::Lexicon;
use super::model::Model;
use super::report::{Report, measure};
use super::seed::{HELD_OUT, lessons};
use super::train::{CORRECTION, Lesson, SEED, train};
use super::versions::Figures;

/// How much one number may fall: on some 390 posts, less is chance. Acute posts and threats are few in the set, so that
/// one that is no longer heard is already more than this.
pub const FALL_MAX: f64 = 0.03;
/// How much the mean of all numbers may fall: chance in one number is evened out by the others.
pub const MEAN_FALL_MAX: f64 = 0.005;

/// A model that may be swapped in.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Trained on the seed and the corrections.
    pub model: Model,
    /// What the same training reaches on voices that it did not read.
    pub report: Report,
    /// The same numbers with the posts they rest on.
    pub figures: Figures,
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
    learned(lexicon, &lessons(), &[])
}

/// Trains on the seed and all corrections, in the order given: the same ones give the same bytes.
#[must_use]
pub fn learned(lexicon: &Lexicon, seed: &[Lesson], corrections: &[Lesson]) -> Candidate {
    let mut all = seed.to_vec();
    all.extend(corrections.iter().cloned().map(|lesson| Lesson { style: CORRECTION.to_owned(), ..lesson }));
    let trained = train(lexicon, &all, SEED);
    let judge = Judge::new(lexicon.clone(), Some(trained.held_out));
    let held_out: Vec<&Lesson> = all.iter().filter(|lesson| HELD_OUT.contains(&lesson.style.as_str())).collect();
    let report = measure(&judge, &held_out);
    Candidate { model: trained.model, figures: Figures::of(&report, &held_out), report }
}

/// Whether a model may take the place of those before it: the one in office, and the one that was shipped. Against the
/// shipped one too, so that many small falls do not add up to a large one.
///
/// # Errors
/// The number of the regression set that falls: the model in office stays.
pub fn compare(before: &[&Figures], after: &Figures) -> Result<(), Worse> {
    before.iter().try_for_each(|before| not_worse(before, after))
}

fn not_worse(before: &Figures, after: &Figures) -> Result<(), Worse> {
    let mean = |figures: &Figures| {
        let count = f64::from(u32::try_from(figures.figures.len().max(1)).unwrap_or(1));
        figures.figures.iter().map(|figure| figure.value).sum::<f64>() / count
    };
    for (mark, before) in before.marks() {
        let after = after.value(mark).unwrap_or(0.0);
        if before - after > FALL_MAX {
            return Err(Worse { mark: mark.to_owned(), before, after });
        }
    }
    let (before, after) = (mean(before), mean(after));
    if before - after > MEAN_FALL_MAX {
        return Err(Worse { mark: "mean".to_owned(), before, after });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::versions::Figure;
    use super::*;

    fn small(judge: &Judge) -> Figures {
        let lessons = lessons();
        let few: Vec<&Lesson> = lessons.iter().step_by(20).collect();
        Figures::of(&measure(judge, &few), &few)
    }

    #[test]
    fn a_model_that_falls_is_not_swapped_in() {
        let lexicon = Lexicon::shipped().unwrap();
        let good = small(&Judge::shipped().unwrap());
        let poor = small(&Judge::new(lexicon, None));
        assert!(compare(&[&good], &poor).is_err());
        assert_eq!(compare(&[&good], &good), Ok(()));
        assert_eq!(compare(&[&poor], &good), Ok(()));
    }

    #[test]
    fn many_small_falls_do_not_add_up_to_a_large_one() {
        let at = |value: f64| Figures {
            posts: 100,
            figures: vec![Figure { mark: "topic".into(), value, right: None, of: 100 }],
        };
        let (shipped, in_office, next) = (at(0.800), at(0.796), at(0.792));
        assert_eq!(compare(&[&in_office], &next), Ok(()), "a small fall alone is chance");
        assert!(compare(&[&in_office, &shipped], &next).is_err(), "but not after another one");
    }

    #[test]
    fn the_same_corrections_give_the_same_bytes_and_others_do_not() {
        let lexicon = Lexicon::shipped().unwrap();
        let seed: Vec<Lesson> = lessons().into_iter().step_by(60).collect();
        let correction = |topic: &str| Lesson {
            text: "Lampan i kallbadhuset är släckt".into(),
            topic: Some(topic.into()),
            relevant: Some(true),
            ..Lesson::default()
        };
        let bytes = |topic: &str| learned(&lexicon, &seed, &[correction(topic)]).model.bytes();
        assert_eq!(bytes("kultur-fritid"), bytes("kultur-fritid"));
        assert_ne!(bytes("kultur-fritid"), bytes("gata-trafik"));
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
