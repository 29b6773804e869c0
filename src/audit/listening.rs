//! How well the watch rules listen: each rule against what people have said is about us or not, and what it costs.

use std::collections::BTreeMap;

use crate::mention::Heard;
use crate::mention::watch::{Scratch, Watch};
use crate::mention::words::Sign;

/// How many posts people must have judged for a share to be told.
pub const LEAST: usize = 5;

/// What was counted of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Judged posts that it hears and that are about us.
    pub about: usize,
    /// Judged posts that it hears and that are not.
    pub not: usize,
    /// Posts on which it had to be asked.
    pub asked: usize,
}

/// What was counted of all rules.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listening {
    /// By the rule's name.
    pub rules: BTreeMap<String, Counted>,
    /// Judged posts that are about us.
    pub about: usize,
    /// Judged posts that are not.
    pub not: usize,
    /// Posts on which the cost was counted.
    pub posts: usize,
}

/// A share with its base; told only when the base is large enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// How many.
    pub some: usize,
    /// Of how many.
    pub of: usize,
}

impl Share {
    /// The share when it may be told.
    #[must_use]
    pub fn told(self) -> Option<Self> {
        (self.of >= LEAST).then_some(self)
    }
}

/// Whether a rule that matches speaks for a post being about us, or against.
#[must_use]
pub fn speaks_for(sign: Sign) -> bool {
    !matches!(sign, Sign::NotName | Sign::NotWeak | Sign::Elsewhere | Sign::Private | Sign::Advert)
}

impl Listening {
    /// Of the judged posts that a rule hears, the share that is what the rule says: about us, or not for a rule that
    /// speaks against.
    #[must_use]
    pub fn precision(&self, rule: &str, sign: Sign) -> Share {
        let counted = self.rules.get(rule).copied().unwrap_or_default();
        let some = if speaks_for(sign) { counted.about } else { counted.not };
        Share { some, of: counted.about + counted.not }
    }

    /// Of the judged posts that are what the rule says, the share that it hears. What no rule heard was never kept and
    /// is not in the base.
    #[must_use]
    pub fn recall(&self, rule: &str, sign: Sign) -> Share {
        let counted = self.rules.get(rule).copied().unwrap_or_default();
        if speaks_for(sign) {
            Share { some: counted.about, of: self.about }
        } else {
            Share { some: counted.not, of: self.not }
        }
    }

    /// Of the posts, the share on which the rule had to be asked.
    #[must_use]
    pub fn cost(&self, rule: &str) -> Share {
        Share { some: self.rules.get(rule).map_or(0, |counted| counted.asked), of: self.posts }
    }
}

/// Hears the judged posts and counts; and counts on `posts` how often each rule has to be asked.
#[must_use]
pub fn listening(watch: &Watch, judged: &[(Heard<'_>, bool)], posts: &[Heard<'_>]) -> Listening {
    let mut scratch = Scratch::default();
    let mut found = Listening { posts: posts.len(), ..Listening::default() };
    for (heard, about_us) in judged {
        *(if *about_us { &mut found.about } else { &mut found.not }) += 1;
        watch.matching(heard, &mut scratch);
        for rule in scratch.rules() {
            let counted = found.rules.entry(watch.rule_name(*rule).to_owned()).or_default();
            *(if *about_us { &mut counted.about } else { &mut counted.not }) += 1;
        }
    }
    for heard in posts {
        watch.woken(heard, &mut scratch);
        for rule in scratch.rules() {
            found.rules.entry(watch.rule_name(*rule).to_owned()).or_default().asked += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mention::watch::compile;
    use crate::mention::words;
    use crate::settings::{Problems, read};

    fn watch() -> Watch {
        let problems = Problems::default();
        let text = "name = \"Ale\"\n[[rule]]\nname = \"vatten\"\nsign = \"yes\"\nquery = \"vatten NEAR/3 nol\"\nbecause = \"x\"\n\
            [[rule]]\nname = \"öl\"\nsign = \"not-name\"\nquery = \"öl\"\nbecause = \"y\"\n";
        let section = read("words.toml", text, &problems);
        compile(&words::read(&section))
    }

    fn heard(text: &str) -> Heard<'_> {
        Heard { text, ..Heard::default() }
    }

    #[test]
    fn a_rule_is_measured_against_what_people_have_said() {
        let judged = [
            (heard("Brunt vatten i Nol"), true),
            (heard("Vatten säljs i Nol"), false),
            (heard("Lampan är släckt"), true),
            (heard("En öl i Nol"), false),
            (heard("Öl och vatten"), true),
        ];
        let posts = [heard("vatten"), heard("nol"), heard("öl"), heard("sol")];
        let found = listening(&watch(), &judged, &posts);
        assert_eq!(found.precision("vatten", Sign::Yes), Share { some: 1, of: 2 });
        assert_eq!(found.recall("vatten", Sign::Yes), Share { some: 1, of: 3 });
        assert_eq!(found.precision("öl", Sign::NotName), Share { some: 1, of: 2 }, "it is right when it is not us");
        assert_eq!(found.recall("öl", Sign::NotName), Share { some: 1, of: 2 });
        assert_eq!(found.cost("öl"), Share { some: 1, of: 4 });
        assert!(found.cost("vatten").some >= 1, "one of its words wakes it");
    }

    #[test]
    fn under_five_nothing_is_told() {
        assert_eq!(Share { some: 4, of: 4 }.told(), None);
        assert_eq!(Share { some: 4, of: 5 }.told(), Some(Share { some: 4, of: 5 }));
    }
}
