//! Masking for lists: a third person's name, address or number is shown in its case only (REF-09).
//!
//! Names are found by a list of common first names followed by a surname; a list shows too much masked rather than too
//! little, since the whole text is one click away for those who may see it.

/// First names borne by most people in Sweden, men and women of all ages; one word a name, in lower case, sorted.
const FIRST_NAMES: &str = include_str!("first_names.txt");
/// What stands where something was masked.
const HIDDEN_NAME: &str = "[namn]";
const HIDDEN_MAIL: &str = "[e-post]";
const HIDDEN_NUMBER: &str = "[nummer]";
const HIDDEN_ACCOUNT: &str = "[konto]";
/// Digits from which a number can be a telephone or personal number; a year and a price have fewer.
const DIGITS_MIN: usize = 7;
/// Words of a name after the first: "Anna Maria von Berg".
const NAME_WORDS_MAX: usize = 3;

/// The text with third persons' names, e-mail addresses, accounts, telephone and personal numbers masked.
#[must_use]
pub fn mask(text: &str) -> String {
    let words: Vec<&str> = text.split_inclusive(char::is_whitespace).collect();
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let (taken, hidden) = numbers(&words, at)
            .map(|taken| (taken, HIDDEN_NUMBER))
            .or_else(|| names(&words, at).map(|taken| (taken, HIDDEN_NAME)))
            .or_else(|| lone(word).map(|hidden| (1, hidden)))
            .unwrap_or((0, ""));
        if taken == 0 {
            masked.push_str(word);
            at += 1;
            continue;
        }
        let last = words.get(at + taken - 1).copied().unwrap_or_default();
        masked.push_str(before(word));
        masked.push_str(hidden);
        masked.push_str(after(last));
        at += taken;
    }
    masked
}

/// The same, and lone first names too: for what leaves the house.
#[must_use]
pub fn mask_all_names(text: &str) -> String {
    let masked = mask(text);
    let mut out = String::with_capacity(masked.len());
    for word in masked.split_inclusive(char::is_whitespace) {
        let core = bare(word);
        if is_capital(core) && is_first_name(core) {
            out.push_str(before(word));
            out.push_str(HIDDEN_NAME);
            out.push_str(after(word));
        } else {
            out.push_str(word);
        }
    }
    out
}

fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

fn before(word: &str) -> &str {
    let start = word.find(|c: char| c.is_alphanumeric() || c == '@' || c == '+').unwrap_or(0);
    word.get(..start).unwrap_or_default()
}

fn after(word: &str) -> &str {
    let end = word
        .rfind(char::is_alphanumeric)
        .map_or(word.len(), |at| at + word.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8));
    word.get(end..).unwrap_or_default()
}

/// An e-mail address or an account in one word.
fn lone(word: &str) -> Option<&'static str> {
    let trimmed = word.trim().trim_end_matches(|c: char| !c.is_alphanumeric());
    let at = trimmed.find('@')?;
    let (name, host) = (trimmed.get(..at)?, trimmed.get(at + 1..)?);
    if !bare(name).is_empty() && host.contains('.') && !name.starts_with('@') {
        Some(HIDDEN_MAIL)
    } else if bare(name).is_empty() && !host.is_empty() {
        Some(HIDDEN_ACCOUNT)
    } else {
        None
    }
}

/// How many words from here make a long number, written in one piece or in groups.
fn numbers(words: &[&str], at: usize) -> Option<usize> {
    let mut digits = 0;
    let mut taken = 0;
    for word in words.iter().skip(at).take(6) {
        let core = word.trim().trim_matches(|c: char| !c.is_ascii_digit() && c != '+');
        let numeric = core.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '–' | '/' | '(' | ')'));
        if core.is_empty() || !numeric {
            break;
        }
        digits += core.bytes().filter(u8::is_ascii_digit).count();
        taken += 1;
        if word.trim_end().ends_with(['.', ',', ';', '!', '?']) {
            break;
        }
    }
    let first = words.get(at)?.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '+');
    let starts = first.starts_with(['0', '+']) || bare(first).bytes().filter(u8::is_ascii_digit).count() >= DIGITS_MIN;
    (taken > 0 && digits >= DIGITS_MIN && starts).then_some(taken)
}

/// How many words from here make a person's name: a known first name and at least one surname.
fn names(words: &[&str], at: usize) -> Option<usize> {
    let first = bare(words.get(at)?);
    if !is_capital(first) || !is_first_name(first) || ends_sentence(words.get(at)?) {
        return None;
    }
    let mut taken = 1;
    let mut surnames = 0;
    for word in words.iter().skip(at + 1).take(NAME_WORDS_MAX) {
        let core = bare(word);
        let particle = matches!(core, "von" | "af" | "de" | "van" | "al");
        if !is_capital(core) && !particle {
            break;
        }
        taken += 1;
        surnames += usize::from(!particle);
        if ends_sentence(word) {
            break;
        }
    }
    (surnames > 0).then_some(taken)
}

fn is_capital(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(char::is_uppercase) && letters.next().is_some_and(char::is_lowercase)
}

fn ends_sentence(word: &str) -> bool {
    word.trim_end().ends_with(['.', ',', ';', ':', '!', '?', ')'])
}

fn is_first_name(word: &str) -> bool {
    let plain = word.to_lowercase();
    let plain = plain.trim_end_matches('s');
    let known = |name: &str| FIRST_NAMES.lines().any(|line| line == name);
    known(&word.to_lowercase())
        || known(plain)
        || word.split('-').next().is_some_and(|part| part != word && known(&part.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_addresses_and_numbers_of_others_are_masked() {
        assert_eq!(mask("Rektorn Anna Lindgren svarar inte!"), "Rektorn [namn] svarar inte!");
        assert_eq!(mask("mejla anna.l@example.com, eller ring 070-123 45 67."), "mejla [e-post], eller ring [nummer].");
        assert_eq!(mask("Hans personnummer är 19850101-1234"), "Hans personnummer är [nummer]");
        assert_eq!(mask("fråga @karin_i_nol om det"), "fråga [konto] om det");
        assert_eq!(mask("Lars von Berg, på plan"), "[namn], på plan");
    }

    #[test]
    fn places_years_and_prices_are_left() {
        for text in [
            "Brunt vatten i Nol sedan 2024",
            "Ale Torg är mörkt",
            "Det kostar 1 200 kronor",
            "buss 411 kl 07.30",
            "E45 vid Älvängen",
        ] {
            assert_eq!(mask(text), text);
        }
    }

    #[test]
    fn what_leaves_the_house_has_no_lone_names_either() {
        assert_eq!(mask_all_names("Fråga Karin, hon vet. Nol är mörkt"), "Fråga [namn], hon vet. Nol är mörkt");
    }

    #[test]
    fn any_text_can_be_masked() {
        for text in ["", " ", "@", "@@", "+", "…", "👍🏽 Anna", "a@b", "ÅÄÖ åäö 0", "0000000", "(070 1234567)"]
        {
            let _ = mask(text);
        }
    }
}
