//! The language of a post: whatlang, and the small Swedish words where a post is too short for it.

use whatlang::{Detector, Lang};

use super::normal::{Kind, Normal};

/// Words that only Swedish has in this form, or that Swedes write far more often than their neighbours.
const SWEDISH: [&str; 62] = [
    "och",
    "att",
    "är",
    "inte",
    "det",
    "som",
    "på",
    "för",
    "vi",
    "ni",
    "jag",
    "när",
    "hur",
    "vad",
    "någon",
    "nån",
    "från",
    "till",
    "tack",
    "varför",
    "kommunen",
    "ska",
    "också",
    "bara",
    "mycket",
    "så",
    "åt",
    "vår",
    "våra",
    "mitt",
    "utan",
    "eller",
    "finns",
    "ingen",
    "inget",
    "hos",
    "vem",
    "vilken",
    "vilka",
    "blir",
    "kommer",
    "hela",
    "igen",
    "fortfarande",
    "säger",
    "oss",
    "era",
    "er",
    "bra",
    "dålig",
    "hej",
    "vägen",
    "vatten",
    "skolan",
    "ej",
    "å",
    "dä",
    "mig",
    "dig",
    "nu",
    "av",
    "har",
];
/// Languages that are heard in Swedish municipalities; a shorter list makes short posts surer.
const HEARD: [Lang; 28] = [
    Lang::Swe,
    Lang::Eng,
    Lang::Fin,
    Lang::Nob,
    Lang::Dan,
    Lang::Pol,
    Lang::Ara,
    Lang::Pes,
    Lang::Spa,
    Lang::Deu,
    Lang::Fra,
    Lang::Tur,
    Lang::Rus,
    Lang::Ukr,
    Lang::Est,
    Lang::Lit,
    Lang::Lav,
    Lang::Ron,
    Lang::Hun,
    Lang::Hrv,
    Lang::Srp,
    Lang::Ita,
    Lang::Por,
    Lang::Ces,
    Lang::Slk,
    Lang::Tha,
    Lang::Vie,
    Lang::Nld,
];

/// Knows the language of a post. Built once: the list of languages is checked when it is made.
#[derive(Debug)]
pub struct Languages(Detector);

impl Default for Languages {
    fn default() -> Self {
        Self(Detector::with_allowlist(HEARD.to_vec()))
    }
}

impl Languages {
    /// BCP 47 tag of the post's language, `und` when it cannot be told.
    #[must_use]
    pub fn tell(&self, post: &str, normal: &Normal) -> &'static str {
        let words = normal.tokens.iter().filter(|token| token.kind == Kind::Word);
        let (mut all, mut swedish) = (0_usize, 0_usize);
        for token in words.take(40) {
            all += 1;
            swedish += usize::from(SWEDISH.contains(&normal.word(token)));
        }
        // A fifth of running Swedish is such words; half of that is enough beside ä, ö and å.
        let letters = post.contains(['å', 'ä', 'ö', 'Å', 'Ä', 'Ö']);
        if swedish * 5 >= all.max(1) || (letters && swedish * 10 >= all.max(1)) {
            return "sv";
        }
        match self.0.detect(post) {
            Some(info) if info.is_reliable() || info.confidence() > 0.6 => tag(info.lang()),
            _ if letters || swedish > 0 => "sv",
            _ => "und",
        }
    }
}

fn tag(language: Lang) -> &'static str {
    match language {
        Lang::Swe => "sv",
        Lang::Eng => "en",
        Lang::Fin => "fi",
        Lang::Nob => "nb",
        Lang::Dan => "da",
        Lang::Pol => "pl",
        Lang::Ara => "ar",
        Lang::Pes => "fa",
        Lang::Spa => "es",
        Lang::Deu => "de",
        Lang::Fra => "fr",
        Lang::Tur => "tr",
        Lang::Rus => "ru",
        Lang::Ukr => "uk",
        Lang::Est => "et",
        Lang::Lit => "lt",
        Lang::Lav => "lv",
        Lang::Ron => "ro",
        Lang::Hun => "hu",
        Lang::Hrv => "hr",
        Lang::Srp => "sr",
        Lang::Ita => "it",
        Lang::Por => "pt",
        Lang::Ces => "cs",
        Lang::Slk => "sk",
        Lang::Tha => "th",
        Lang::Vie => "vi",
        Lang::Nld => "nl",
        _ => "und",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classification::normal::normalise;

    fn tell(post: &str) -> &'static str {
        Languages::default().tell(post, &normalise(post))
    }

    #[test]
    fn short_swedish_is_swedish() {
        assert_eq!(tell("Brunt vatten igen"), "sv");
        assert_eq!(tell("När öppnar simhallen?"), "sv");
    }

    #[test]
    fn other_languages_are_told_apart() {
        assert_eq!(tell("Is there any information about the school in English please?"), "en");
        assert_eq!(tell("Nie mam czasu, ale przyjdę jutro po pracy do domu"), "pl");
        assert_eq!(tell("متى تفتح المكتبة في المدينة؟"), "ar");
    }

    #[test]
    fn a_post_without_words_has_no_language() {
        assert_eq!(tell("👍👍"), "und");
    }
}
