//! What is wrong in a configuration file: where it stands, what was expected, and the nearest name that is known.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// One fault in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Path of the file as it was given.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// What is wrong, what was expected, and the nearest name when there is one.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// The faults found so far, shared by all sections of all files that are read together.
#[derive(Debug, Clone, Default)]
pub struct Problems(Rc<RefCell<Vec<Problem>>>);

impl Problems {
    /// Writes down a fault.
    pub fn add(&self, problem: Problem) {
        self.0.borrow_mut().push(problem);
    }

    /// All faults by file and line.
    #[must_use]
    pub fn sorted(&self) -> Vec<Problem> {
        let mut all = self.0.borrow().clone();
        all.sort();
        all.dedup();
        all
    }

    /// True while nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}

/// A file that is read, with where its faults go.
#[derive(Debug)]
pub(super) struct Source {
    file: String,
    text: String,
    problems: Problems,
}

impl Source {
    pub(super) fn new(file: &str, text: &str, problems: &Problems) -> Self {
        Self { file: file.to_owned(), text: text.to_owned(), problems: problems.clone() }
    }

    fn line(&self, offset: usize) -> usize {
        self.text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
    }

    pub(super) fn report(&self, offset: usize, what: String) {
        self.problems.add(Problem { file: self.file.clone(), line: self.line(offset), what });
    }
}

/// Where in which file a value stood: what a later check needs to point at it.
#[derive(Debug, Clone)]
pub struct Place {
    source: Rc<Source>,
    offset: usize,
}

impl Place {
    pub(super) fn at(source: &Rc<Source>, offset: usize) -> Self {
        Self { source: Rc::clone(source), offset }
    }

    /// Writes down a fault at this place.
    pub fn report(&self, what: impl Into<String>) {
        self.source.report(self.offset, what.into());
    }

    /// Writes down that `found` is not among `known`, with the nearest of them.
    pub fn report_unknown(&self, what: &str, found: &str, known: &[&str]) {
        self.report(unknown(what, found, known));
    }
}

/// A text with the place where it stood.
#[derive(Debug, Clone)]
pub struct Located {
    /// The text itself.
    pub text: String,
    /// Where it stood.
    pub place: Place,
}

/// "`what` is `found`, expected one of …; did you mean …?"
pub(super) fn unknown(what: &str, found: &str, known: &[&str]) -> String {
    let near = nearest(found, known).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
    if known.len() <= 16 {
        format!("{what} `{found}`, expected one of {}{near}", known.join(", "))
    } else {
        format!("{what} `{found}` is not known{near}")
    }
}

/// The nearest of `known` to `found`, when one is near enough to be what was meant.
#[must_use]
pub fn nearest<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&found.to_lowercase(), &name.to_lowercase()), *name))
        .min()
        .filter(|(distance, name)| *distance <= 1 + name.chars().count() / 4)
        .map(|(_, name)| name)
}
