//! Swedish word forms: inflection of nouns and names, spellings without dots and rings, and one wrong letter.
//!
//! The forms are generous on purpose: a form that no Swede would write costs a few bytes and never hits.

use std::collections::BTreeSet;

/// Fewest letters of a word that is also heard with one letter wrong: shorter words have too many neighbours.
pub const MISSPELT_LETTERS: usize = 6;

/// A name and what is made of it: Ale, Ales, Alebo, Alebor, Aleborna …
#[must_use]
pub fn of_name(name: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::from([name.to_owned()]);
    if !name.ends_with(['s', 'x', 'z']) {
        forms.insert(format!("{name}s"));
    }
    for ending in ["bo", "bon", "bos", "bor", "bors", "borna", "bornas"] {
        forms.insert(format!("{name}{ending}"));
    }
    forms
}

/// A noun in its base form and its definite, plural and genitive forms.
#[must_use]
pub fn of_noun(noun: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::from([noun.to_owned()]);
    let mut add = |stem: &str, endings: &[&str]| {
        for ending in endings {
            forms.insert(format!("{stem}{ending}"));
            if !ending.ends_with('s') {
                forms.insert(format!("{stem}{ending}s"));
            }
        }
    };
    add(noun, &[""]);
    let without = |end: &str| noun.strip_suffix(end).filter(|stem| !stem.is_empty());
    if let Some(stem) = without("a") {
        add(noun, &["n", "t"]);
        add(stem, &["or", "orna", "ar", "arna"]);
    } else if let Some(stem) = without("are") {
        add(noun, &["n"]);
        add(stem, &["arna"]);
    } else if let Some(stem) = without("e") {
        add(noun, &["n", "t", "na", "r"]);
        add(stem, &["ar", "arna", "er", "erna"]);
    } else if noun.ends_with(['i', 'o', 'u', 'y', 'å', 'ä', 'ö']) {
        add(noun, &["n", "t", "et", "er", "erna", "r", "rna", "ar", "arna", "en", "na"]);
    } else {
        add(noun, &["en", "et", "ar", "arna", "er", "erna", "n", "na"]);
        contracted(noun, &mut add);
        if let Some(stem) = without("um") {
            add(stem, &["et", "er", "erna"]);
        }
        if noun.ends_with(['m', 'n'])
            && let Some(last) = noun.chars().last()
        {
            add(&format!("{noun}{last}"), &["et", "en", "ar", "arna", "a"]);
        }
    }
    forms
}

/// nyckel → nycklar, vatten → vattnet, fader → fadrar: the e of the last syllable falls out.
fn contracted(noun: &str, add: &mut impl FnMut(&str, &[&str])) {
    for last in ["l", "r", "n"] {
        let Some(stem) = noun.strip_suffix(last).and_then(|rest| rest.strip_suffix('e')) else { continue };
        if stem.chars().count() >= 2 {
            add(&format!("{stem}{last}"), &["ar", "arna", "et", "en"]);
        }
    }
}

/// The word as people write it without the Swedish keys, when that differs: `alvangen`, and `aelvaengen`.
#[must_use]
pub fn unaccented(word: &str) -> Vec<String> {
    let bare: String = word.chars().map(|letter| bare(letter).unwrap_or(letter)).collect();
    let mut spelled = String::with_capacity(word.len() + 4);
    for letter in word.chars() {
        match letter {
            'å' => spelled.push_str("aa"),
            'ä' => spelled.push_str("ae"),
            'ö' => spelled.push_str("oe"),
            other => spelled.push(other),
        }
    }
    [bare, spelled].into_iter().filter(|form| form != word).collect()
}

fn bare(letter: char) -> Option<char> {
    match letter {
        'å' | 'ä' => Some('a'),
        'ö' => Some('o'),
        _ => None,
    }
}

/// True when one wrong, missing, extra or swapped letter turns one into the other; false when they are equal.
#[must_use]
pub fn one_letter_apart(left: &str, right: impl Iterator<Item = char>) -> bool {
    // 64 letters are more than the longest place name in the country; a longer token is no misspelling of one.
    let left: Vec<char> = left.chars().take(64).collect();
    let right: Vec<char> = right.take(65).collect();
    if left.len().abs_diff(right.len()) > 1 || left == right {
        return false;
    }
    let same = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
    let rest = |letters: &[char], skip: usize| letters.get(same + skip..).unwrap_or_default().to_vec();
    if left.len() == right.len() {
        let swapped = left.get(same) == right.get(same + 1)
            && left.get(same + 1) == right.get(same)
            && left.get(same + 1).is_some()
            && rest(&left, 2) == rest(&right, 2);
        return swapped || rest(&left, 1) == rest(&right, 1);
    }
    if left.len() < right.len() { rest(&left, 0) == rest(&right, 1) } else { rest(&left, 1) == rest(&right, 0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_and_names_bend_as_swedes_bend_them() {
        let has = |noun: &str, forms: &[&str]| {
            let all = of_noun(noun);
            forms.iter().all(|form| all.contains(*form))
        };
        assert!(has("kommun", &["kommunen", "kommunens", "kommuner", "kommunernas"]));
        assert!(has("skola", &["skolan", "skolans", "skolor", "skolornas"]));
        assert!(has("vatten", &["vattnet", "vattnets"]));
        assert!(has("boende", &["boendet", "boenden", "boendena"]));
        assert!(has("badrum", &["badrummet", "badrummen"]));
        assert!(has("museum", &["museet", "museer"]));
        assert!(has("nyckel", &["nycklar", "nycklarna", "nyckeln"]));
        let ale = of_name("ale");
        assert!(["ales", "alebo", "alebornas"].iter().all(|form| ale.contains(*form)));
        assert!(!ale.contains("alen") && !ale.contains("aleppo"));
    }

    #[test]
    fn place_names_are_known_without_their_dots_and_rings() {
        assert_eq!(unaccented("älvängen"), ["alvangen", "aelvaengen"]);
        assert_eq!(unaccented("surte"), Vec::<String>::new());
    }

    #[test]
    fn one_wrong_letter_is_one_wrong_letter() {
        for wrong in ["nödnge", "nödingge", "nöidnge", "nödänge"] {
            assert!(one_letter_apart("nödinge", wrong.chars()), "{wrong}");
        }
        for other in ["nödinge", "nöding", "nodnge", "nöinged"] {
            assert_eq!(one_letter_apart("nödinge", other.chars()), other == "nöding", "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn one_letter_apart_is_the_distance_that_the_field_calls_osa(left in "[abå]{0,7}", right in "[abå]{0,7}") {
            let apart = one_letter_apart(&left, right.chars());
            proptest::prop_assert_eq!(apart, strsim::osa_distance(&left, &right) == 1);
        }
    }
}
