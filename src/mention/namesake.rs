//! Is it us, or something that has our name? The signs that the rules found, weighed against each other.
//!
//! Two decisions in one table: does the post mean our municipality, and is it something that a municipality should
//! hear. A missed question is worse than a false alarm, so what is unclear goes to a person, not to the bin.

use whatlang::Lang;

use super::words::Sign;
use super::{Heard, Relevance};

/// Fewest letters before the language of a text is guessed: shorter texts are guessed wrong.
const GUESS_LETTERS: usize = 30;
/// Most reasons that a decision gives.
const MAX_REASONS: usize = 6;

/// Which signs the rules found, with their reasons.
#[derive(Debug, Clone, Default)]
pub struct Signs {
    found: Vec<(Sign, String)>,
}

impl Signs {
    /// Adds a sign and why.
    pub fn add(&mut self, sign: Sign, because: &str) {
        if !self.found.iter().any(|(known, why)| *known == sign && why == because) {
            self.found.push((sign, because.to_owned()));
        }
    }

    /// Whether a sign was found.
    #[must_use]
    pub fn has(&self, sign: Sign) -> bool {
        self.found.iter().any(|(known, _)| *known == sign)
    }

    fn why(&self, signs: &[Sign]) -> Vec<String> {
        let mut reasons: Vec<String> = Vec::new();
        for sign in signs {
            reasons.extend(self.found.iter().filter(|(known, _)| known == sign).map(|(_, why)| why.clone()));
        }
        reasons.truncate(MAX_REASONS);
        reasons
    }
}

/// What the channel says beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prior {
    /// Who writes here writes to us.
    Own,
    /// Local talk.
    Local,
    /// The whole world.
    World,
    /// Nobody said where the post comes from.
    Unknown,
}

/// What was decided, how sure, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// About us, perhaps, or not.
    pub relevance: Relevance,
    /// 0 to 1.
    pub score: f64,
    /// Reasons in Swedish, the weightiest first.
    pub because: Vec<String>,
}

/// Weighs the signs. The first line that fits decides; its reasons are told.
#[must_use]
pub fn decide(signs: &Signs, prior: Prior, heard: &Heard<'_>) -> Decision {
    use Relevance::{No, Review, Yes};
    let has = |sign| signs.has(sign);
    let civic = has(Sign::Civic) || has(Sign::Organ);
    let told = |relevance, score, signs_told: &[Sign]| Decision { relevance, score, because: signs.why(signs_told) };

    if has(Sign::Yes) {
        return told(Yes, 0.97, &[Sign::Yes, Sign::Civic]);
    }
    if has(Sign::Advert) && !has(Sign::Organ) {
        return told(No, 0.1, &[Sign::Advert]);
    }
    if has(Sign::Place) {
        return match (civic, has(Sign::Private)) {
            (true, _) => told(Yes, 0.92, &[Sign::Place, Sign::Organ, Sign::Civic]),
            (false, true) => told(Review, 0.35, &[Sign::Private, Sign::Place]),
            (false, false) => told(Yes, 0.7, &[Sign::Place]),
        };
    }
    let by_name = name(signs, civic, heard);
    let by_weak = weak(signs, civic);
    let best =
        if by_name.as_ref().map_or(-1.0, |found| found.score) >= by_weak.as_ref().map_or(-1.0, |found| found.score) {
            by_name
        } else {
            by_weak
        };
    let by_channel = channel(signs, prior, civic);
    match (best, by_channel) {
        (Some(best), Some(other)) if other.score > best.score && !has(Sign::NotName) => other,
        (Some(best), _) => best,
        (None, Some(other)) => other,
        (None, None) if has(Sign::Review) => told(Review, 0.5, &[Sign::Review]),
        (None, None) => told(No, 0.05, &[Sign::NotName, Sign::NotWeak, Sign::Elsewhere]),
    }
}

/// Our name stands in the post: is it ours?
fn name(signs: &Signs, civic: bool, heard: &Heard<'_>) -> Option<Decision> {
    let told = |relevance, score, list: &[Sign]| Some(Decision { relevance, score, because: signs.why(list) });
    if !signs.has(Sign::Name) && !signs.has(Sign::Matter) {
        return None;
    }
    if signs.has(Sign::NotName) {
        return told(Relevance::No, 0.08, &[Sign::NotName]);
    }
    if let Some(language) = foreign(heard) {
        return Some(Decision {
            relevance: Relevance::No,
            score: 0.1,
            because: vec![format!("texten är skriven på {language}, där namnet är ett vanligt ord")],
        });
    }
    if signs.has(Sign::Matter) {
        return told(Relevance::Yes, 0.88, &[Sign::Matter, Sign::Organ, Sign::Civic]);
    }
    match (civic, signs.has(Sign::Private), signs.has(Sign::Elsewhere)) {
        (true, _, _) => told(Relevance::Yes, 0.75, &[Sign::Name, Sign::Organ, Sign::Civic]),
        (false, false, false) => told(Relevance::Review, 0.55, &[Sign::Name]),
        (false, _, true) => told(Relevance::No, 0.2, &[Sign::Elsewhere]),
        (false, true, false) => told(Relevance::No, 0.25, &[Sign::Private]),
    }
}

/// A place that others have too stands in the post.
fn weak(signs: &Signs, civic: bool) -> Option<Decision> {
    let told = |relevance, score, list: &[Sign]| Some(Decision { relevance, score, because: signs.why(list) });
    if !signs.has(Sign::Weak) && !signs.has(Sign::WeakMatter) {
        return None;
    }
    if signs.has(Sign::NotWeak) {
        return told(Relevance::No, 0.08, &[Sign::NotWeak]);
    }
    if signs.has(Sign::Elsewhere) {
        let relevance = if signs.has(Sign::WeakMatter) { Relevance::Review } else { Relevance::No };
        return told(relevance, 0.3, &[Sign::Elsewhere, Sign::WeakMatter]);
    }
    match (signs.has(Sign::WeakMatter) || civic, signs.has(Sign::Private)) {
        (true, _) => told(Relevance::Yes, 0.82, &[Sign::WeakMatter, Sign::Weak, Sign::Organ, Sign::Civic]),
        (false, true) => told(Relevance::No, 0.25, &[Sign::Private]),
        (false, false) => told(Relevance::Review, 0.5, &[Sign::Weak]),
    }
}

/// No name and no place: what the channel alone makes of it.
fn channel(signs: &Signs, prior: Prior, civic: bool) -> Option<Decision> {
    let said = |relevance, score, first: &str, list: &[Sign]| {
        let mut because = vec![first.to_owned()];
        because.extend(signs.why(list));
        Some(Decision { relevance, score, because })
    };
    let elsewhere = signs.has(Sign::Elsewhere);
    match prior {
        Prior::Own if !elsewhere || civic => said(
            Relevance::Yes,
            0.8,
            "inlägget är skrivet till oss, på vår egen sida eller i vår brevlåda",
            &[Sign::Civic],
        ),
        Prior::Own => {
            said(Relevance::Review, 0.5, "inlägget är skrivet till oss men nämner en annan ort", &[Sign::Elsewhere])
        }
        Prior::Local if civic && !elsewhere => said(
            Relevance::Yes,
            0.62,
            "inlägget nämner ingen ort, men kommer från ett lokalt flöde och gäller en kommunal fråga",
            &[Sign::Organ, Sign::Civic],
        ),
        Prior::World | Prior::Unknown if signs.has(Sign::Organ) && !elsewhere => said(
            Relevance::Review,
            0.4,
            "inlägget nämner ingen ort, men gäller en kommuns egen verksamhet",
            &[Sign::Organ],
        ),
        _ => None,
    }
}

/// The Swedish name of the text's language, when the text is long enough to tell and a Swede would not write it.
fn foreign(heard: &Heard<'_>) -> Option<&'static str> {
    let declared = heard.language.split('-').next().unwrap_or_default();
    let known = [
        ("pl", Lang::Pol, "polska"),
        ("cs", Lang::Ces, "tjeckiska"),
        ("sk", Lang::Slk, "slovakiska"),
        ("fi", Lang::Fin, "finska"),
        ("et", Lang::Est, "estniska"),
        ("es", Lang::Spa, "spanska"),
        ("it", Lang::Ita, "italienska"),
        ("pt", Lang::Por, "portugisiska"),
        ("tr", Lang::Tur, "turkiska"),
        ("fr", Lang::Fra, "franska"),
        ("hr", Lang::Hrv, "kroatiska"),
    ];
    if let Some((.., name)) = known.iter().find(|(tag, ..)| tag.eq_ignore_ascii_case(declared)) {
        return Some(name);
    }
    if !declared.is_empty() || heard.text.chars().filter(|letter| letter.is_alphabetic()).count() < GUESS_LETTERS {
        return None;
    }
    let guess = whatlang::detect(heard.text)?;
    if !guess.is_reliable() {
        return None;
    }
    known.iter().find(|(_, lang, _)| *lang == guess.lang()).map(|(.., name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(found: &[Sign], prior: Prior) -> Relevance {
        let mut signs = Signs::default();
        for sign in found {
            signs.add(*sign, sign.slug());
        }
        decide(&signs, prior, &Heard::default()).relevance
    }

    #[test]
    fn a_drink_with_our_name_is_not_us_but_a_beer_at_our_place_is() {
        assert_eq!(decided(&[Sign::Name, Sign::NotName], Prior::World), Relevance::No);
        assert_eq!(decided(&[Sign::Name, Sign::NotName, Sign::Place], Prior::World), Relevance::Yes);
    }

    #[test]
    fn what_is_unclear_goes_to_a_person() {
        assert_eq!(decided(&[Sign::Name], Prior::World), Relevance::Review);
        assert_eq!(decided(&[Sign::Weak], Prior::World), Relevance::Review);
        assert_eq!(decided(&[Sign::Organ], Prior::World), Relevance::Review);
        assert_eq!(decided(&[Sign::Organ, Sign::Elsewhere], Prior::World), Relevance::No);
    }

    #[test]
    fn what_is_written_to_us_is_about_us_unless_it_sells_something() {
        assert_eq!(decided(&[], Prior::Own), Relevance::Yes);
        assert_eq!(decided(&[Sign::Advert], Prior::Own), Relevance::No);
    }

    #[test]
    fn local_talk_of_a_municipal_matter_is_ours_unless_another_place_is_named() {
        assert_eq!(decided(&[Sign::Civic], Prior::Local), Relevance::Yes);
        assert_eq!(decided(&[Sign::Civic, Sign::Elsewhere], Prior::Local), Relevance::No);
        assert_eq!(decided(&[Sign::Civic], Prior::World), Relevance::No);
    }

    #[test]
    fn local_but_private_is_no_matter_for_the_municipality() {
        assert_eq!(decided(&[Sign::Place, Sign::Private], Prior::World), Relevance::Review);
        assert_eq!(decided(&[Sign::Weak, Sign::Private], Prior::World), Relevance::No);
        assert_eq!(decided(&[Sign::Place, Sign::Private, Sign::Civic], Prior::World), Relevance::Yes);
    }
}
