//! Personal data in a post: personnummer and samordningsnummer with their check digit, phone, e-mail, street address.

/// What sort of personal data was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Personnummer or samordningsnummer with a right date and check digit.
    IdentityNumber,
    /// A telephone number.
    Phone,
    /// An e-mail address.
    Mail,
    /// A street with a number.
    Address,
}

impl Kind {
    /// What a person reads.
    #[must_use]
    pub fn swedish(self) -> &'static str {
        match self {
            Self::IdentityNumber => "personnummer",
            Self::Phone => "telefonnummer",
            Self::Mail => "e-postadress",
            Self::Address => "gatuadress",
        }
    }
}

/// Personal data and where it stands: byte offsets, on character bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub kind: Kind,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// Finds in one post; more is a list, and a list is masked whole by the first ones being seen by a person.
const FOUND_MAX: usize = 200;
/// Characters of a number with its spaces and hyphens; longer runs are account numbers or tables.
const NUMBER_CHARACTERS_MAX: usize = 24;
/// Word endings of Swedish street names.
const STREETS: [&str; 14] = [
    "vägen", "gatan", "stigen", "gränd", "gränden", "backen", "liden", "allén", "torget", "platsen", "slingan",
    "kroken", "väg", "gata",
];

/// All personal data in `text`, in order and without overlap.
#[must_use]
pub fn find(text: &str) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let mut from = 0;
    for (at, character) in text.char_indices() {
        if at < from || found.len() >= FOUND_MAX {
            continue;
        }
        let hit = match character {
            '0'..='9' | '+' if free_before(text, at) => number(text, at),
            '@' => mail(text, at),
            _ if character.is_alphabetic() && free_before(text, at) => address(text, at),
            _ => None,
        };
        if let Some(hit) = hit.filter(|hit| hit.start >= found.last().map_or(0, |last| last.end)) {
            from = hit.end;
            found.push(hit);
        }
    }
    found
}

/// The text with personnummer, telephone numbers and e-mail addresses replaced by what they were, for lists.
#[must_use]
pub fn mask(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut from = 0;
    for hit in find(text).iter().filter(|hit| hit.kind != Kind::Address) {
        masked.push_str(text.get(from..hit.start).unwrap_or_default());
        masked.push('[');
        masked.push_str(hit.kind.swedish());
        masked.push(']');
        from = hit.end;
    }
    masked.push_str(text.get(from..).unwrap_or_default());
    masked
}

fn free_before(text: &str, at: usize) -> bool {
    !text.get(..at).is_some_and(|before| before.ends_with(|c: char| c.is_alphanumeric() || c == '-' || c == ':'))
}

/// A run of digits with single separators, read as a personnummer or else as a telephone number.
fn number(text: &str, at: usize) -> Option<Found> {
    let rest = text.get(at..)?;
    let mut digits: Vec<u8> = Vec::with_capacity(NUMBER_CHARACTERS_MAX);
    let mut shape = String::new();
    let mut end = at;
    let mut gap = false;
    for (offset, character) in rest.char_indices().take(NUMBER_CHARACTERS_MAX) {
        match character {
            '0'..='9' => {
                digits.push(u8::try_from(character.to_digit(10)?).ok()?);
                shape.push('0');
                end = at + offset + 1;
                gap = false;
                let complete = identity(&digits, &shape);
                let next_is_digit = rest.get(offset + 1..).is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()));
                if complete && !next_is_digit {
                    return Some(Found { kind: Kind::IdentityNumber, start: at, end });
                }
            }
            '+' if shape.is_empty() || shape.ends_with('0') && !gap => shape.push('+'),
            ' ' | '-' | '–' | '/' | '(' | ')' | '\u{a0}' if !gap || matches!(character, '(' | ')') => {
                shape.push('-');
                gap = true;
            }
            _ => break,
        }
    }
    is_phone(&digits, &shape).then_some(Found { kind: Kind::Phone, start: at, end })
}

/// Ten or twelve digits, at most one separator and that before the last four, a real date and a right check digit.
fn identity(digits: &[u8], shape: &str) -> bool {
    let ((10, ten) | (12, [1, 9 | 8, ten @ ..] | [2, 0, ten @ ..])) = (digits.len(), digits) else { return false };
    let tail = shape.strip_suffix("0000").unwrap_or("x");
    let whole = tail.strip_suffix(['-', '+']).unwrap_or(tail);
    if !whole.bytes().all(|byte| byte == b'0') {
        return false;
    }
    let [_, _, month_tens, month, day_tens, day, ..] = *ten else { return false };
    let month = month_tens * 10 + month;
    let day = day_tens * 10 + day;
    let day = if day > 60 { day - 60 } else { day };
    (1..=12).contains(&month) && (1..=31).contains(&day) && checks(ten)
}

/// The Luhn sum over all ten digits.
fn checks(ten: &[u8]) -> bool {
    let sum: u32 = ten
        .iter()
        .enumerate()
        .map(|(index, digit)| {
            let doubled = u32::from(*digit) * if index % 2 == 0 { 2 } else { 1 };
            doubled / 10 + doubled % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Swedish numbers: a zero or +46 first, eight to eleven digits, and not a bare run that could be an amount.
fn is_phone(digits: &[u8], shape: &str) -> bool {
    let abroad = shape.starts_with('+') && (9..=13).contains(&digits.len());
    let home = matches!(digits, [0, second, ..] if *second != 0) && (8..=11).contains(&digits.len());
    abroad || home
}

fn mail(text: &str, at: usize) -> Option<Found> {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    let before = text.get(..at)?;
    let local: usize = before.chars().rev().take(64).take_while(|c| part(*c)).map(char::len_utf8).sum();
    let after = text.get(at + 1..)?;
    let host: usize = after.chars().take(190).take_while(|c| part(*c)).map(char::len_utf8).sum();
    let host = after.get(..host)?.trim_end_matches(['.', '-']);
    let (name, top) = host.rsplit_once('.')?;
    let whole = local > 0 && !name.is_empty() && top.len() >= 2 && top.chars().all(char::is_alphabetic);
    whole.then_some(Found { kind: Kind::Mail, start: at - local, end: at + 1 + host.len() })
}

/// A word that ends as streets do, in capitals as names are, and a house number after it.
fn address(text: &str, at: usize) -> Option<Found> {
    let rest = text.get(at..)?;
    let length = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
    let word = rest.get(..length)?;
    if !word.starts_with(char::is_uppercase) {
        return None;
    }
    let lower = word.to_lowercase();
    let street = STREETS.iter().any(|ending| lower.len() > ending.len() && lower.ends_with(ending));
    let after = rest.get(length..)?;
    let blank = after.len() - after.trim_start_matches(' ').len();
    let digits = after.get(blank..)?.bytes().take_while(u8::is_ascii_digit).count();
    let tail = after.get(blank + digits..)?;
    let unit = ["kr", "km", "st", "%", " kr", " km", " %", " st", " bilar", " gånger"]
        .iter()
        .any(|unit| tail.starts_with(unit));
    (street && blank == 1 && (1..=3).contains(&digits) && !unit).then_some(Found {
        kind: Kind::Address,
        start: at,
        end: at + length + blank + digits,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        find(text).iter().map(|found| found.kind).collect()
    }

    #[test]
    fn a_personnummer_is_known_by_its_check_digit() {
        assert_eq!(kinds("mitt nr är 811218-9876"), [Kind::IdentityNumber]);
        assert_eq!(kinds("mitt nr är 19811218-9876."), [Kind::IdentityNumber]);
        assert_eq!(kinds("8112189876"), [Kind::IdentityNumber]);
        assert_eq!(kinds("mitt nr är 811218-9875"), []);
    }

    #[test]
    fn a_samordningsnummer_has_sixty_added_to_its_day() {
        assert_eq!(kinds("701063-2391"), [Kind::IdentityNumber]);
        assert_eq!(kinds("701000-2391"), []);
    }

    #[test]
    fn telephone_numbers_are_found_and_amounts_are_not() {
        assert_eq!(kinds("ring 070-123 45 67 eller +46 31 123 45 67"), [Kind::Phone, Kind::Phone]);
        assert_eq!(kinds("det kostade 2 500 000 kr år 2024-05-01"), []);
    }

    #[test]
    fn mail_and_street_are_found() {
        assert_eq!(kinds("anna.berg@mail.se bor på Byvägen 12"), [Kind::Mail, Kind::Address]);
        assert_eq!(kinds("hälsa @alekommun på vägen 12"), []);
    }

    #[test]
    fn a_list_never_shows_a_number_or_an_address_of_mail() {
        assert_eq!(
            mask("Jag, 811218-9876, nås på 0701234567 eller å.ö@x.se i Nol"),
            "Jag, [personnummer], nås på [telefonnummer] eller [e-postadress] i Nol"
        );
    }
}
