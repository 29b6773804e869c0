//! The pieces of a query: operators, parentheses and terms, each with its place.

use std::ops::Range;

use super::query::{Case, Fault, Field, Forms, MAX_NEAR, Order, Query, Word};
use super::token::{self, Mark, STEM};

/// A piece of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Open,
    Close,
    And,
    Or,
    Not,
    Near(Order, u32),
    Term(Query),
}

/// A piece and where it stands.
#[derive(Debug)]
pub(super) struct Lexeme {
    pub(super) piece: Piece,
    pub(super) span: Range<usize>,
}

/// The first thing that is wrong.
pub(super) fn fault<T>(span: Range<usize>, what: impl Into<String>, hint: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { span, what: what.into(), hint: hint.into() })
}

/// Characters that are part of a bare term once it has begun.
fn continues(letter: char) -> bool {
    !letter.is_whitespace() && !matches!(letter, '(' | ')' | '"' | '”' | '“' | '{' | '}')
}

/// Cuts a query into pieces; words are read on the way.
pub(super) fn lex(text: &str) -> Result<Vec<Lexeme>, Fault> {
    let mut lexemes = Vec::new();
    let mut here = 0;
    while let Some(letter) = text.get(here..).and_then(|rest| rest.chars().next()) {
        let start = here;
        here += letter.len_utf8();
        let piece = match letter {
            _ if letter.is_whitespace() => continue,
            '(' => Piece::Open,
            ')' => Piece::Close,
            '"' | '”' | '“' => {
                let inside = enclosed(text, &mut here, start, &['"', '”', '“'], "quotation mark")?;
                Piece::Term(phrase(text, inside, Case::Any)?)
            }
            '{' => {
                let inside = enclosed(text, &mut here, start, &['}'], "brace")?;
                Piece::Term(phrase(text, inside, Case::Exact)?)
            }
            '}' => return fault(start..here, "this brace closes nothing", "write {Word} for exact letters"),
            _ => {
                let rest = text.get(start..).unwrap_or_default();
                here = start + rest.find(|letter| !continues(letter)).unwrap_or(rest.len());
                bare(text, start..here)?
            }
        };
        lexemes.push(Lexeme { piece, span: start..here });
    }
    Ok(lexemes)
}

/// The range between an opening sign at `start` and the next of `closers`; moves `here` past it.
fn enclosed(text: &str, here: &mut usize, start: usize, closers: &[char], name: &str) -> Result<Range<usize>, Fault> {
    let rest = text.get(*here..).unwrap_or_default();
    let Some((offset, closer)) = rest.char_indices().find(|(_, letter)| closers.contains(letter)) else {
        return fault(
            start..text.len(),
            format!("this {name} is never closed"),
            format!("close it with another {name}"),
        );
    };
    let inside = *here..*here + offset;
    *here = inside.end + closer.len_utf8();
    Ok(inside)
}

/// A bare run of letters: an operator, a field, a list, a tag or a word.
fn bare(text: &str, span: Range<usize>) -> Result<Piece, Fault> {
    let run = text.get(span.clone()).unwrap_or_default();
    match run {
        "AND" | "OCH" | "&&" => return Ok(Piece::And),
        "OR" | "ELLER" | "||" => return Ok(Piece::Or),
        "NOT" | "INTE" => return Ok(Piece::Not),
        _ => {}
    }
    if let Some((name, number)) = run.split_once('/') {
        let order = match name {
            "NEAR" => Some(Order::Either),
            "ONEAR" => Some(Order::AsWritten),
            _ => None,
        };
        if let Some(order) = order {
            return near(order, number, span);
        }
    }
    if matches!(run, "NEAR" | "ONEAR") {
        return fault(span, format!("{run} has no distance"), format!("write {run}/5 for at most five words apart"));
    }
    if let Some(name) = run.strip_prefix('@') {
        return named(name, span).map(Piece::Term);
    }
    if let Some(tag) = run.strip_prefix('#') {
        return field_value(Field::Tag, tag, span).map(Piece::Term);
    }
    if let Some((name, value)) = run.split_once(':') {
        return field(name, value, span).map(Piece::Term);
    }
    phrase(text, span, Case::Any).map(Piece::Term)
}

fn near(order: Order, number: &str, span: Range<usize>) -> Result<Piece, Fault> {
    match number.parse::<u32>() {
        Ok(within) if (1..=MAX_NEAR).contains(&within) && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(Piece::Near(order, within))
        }
        _ => fault(span, format!("`{number}` is no distance"), format!("write a whole number from 1 to {MAX_NEAR}")),
    }
}

fn named(name: &str, span: Range<usize>) -> Result<Query, Fault> {
    let folded: String = token::fold(name);
    let plain = folded.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.' | '@'));
    if folded.is_empty() || !plain || folded.contains("..") {
        return fault(span, "`@` without a name", "write @list or @account, with letters, digits, _ - and . only");
    }
    Ok(Query::Named(folded))
}

fn field(name: &str, value: &str, span: Range<usize>) -> Result<Query, Fault> {
    let folded = token::fold(name);
    if matches!(
        folded.as_str(),
        "author"
            | "user"
            | "from"
            | "by"
            | "handle"
            | "name"
            | "profile"
            | "person"
            | "författare"
            | "avsändare"
            | "namn"
    ) {
        return fault(
            span,
            "Regler får inte fråga efter vem som har skrivit (REF-02)",
            "sök efter ord, platser och ämnen i stället",
        );
    }
    let Some(known) = Field::ALL.into_iter().find(|known| known.name() == folded) else {
        let names = Field::ALL.map(Field::name);
        let near = crate::settings::nearest(&folded, &names);
        let hint = near.map_or_else(
            || format!("known are {}; put quotation marks around a word with a colon", names.join(", ")),
            |near| format!("did you mean {near}:{value}?"),
        );
        return fault(span, format!("`{name}:` is no field"), hint);
    };
    field_value(known, value, span)
}

fn field_value(field: Field, value: &str, span: Range<usize>) -> Result<Query, Fault> {
    let folded = token::fold(value);
    let name = field.name();
    if folded.is_empty() {
        return fault(span, format!("`{name}:` has no value"), format!("write {name}:something without a space"));
    }
    if let Some(odd) = folded.chars().find(|letter| !(letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_'))) {
        let hint = if odd == '/' {
            "name an organisation's source or site, never a profile; people are not watched (REF-01)"
        } else {
            "use letters, digits, dots, hyphens and underscores"
        };
        return fault(span, format!("`{odd}` cannot stand in the value of `{name}:`"), hint);
    }
    Ok(Query::Field(field, folded))
}

/// Words of a bare term, a quoted phrase or a braced one.
fn phrase(text: &str, span: Range<usize>, case: Case) -> Result<Query, Fault> {
    let inside = text.get(span.clone()).unwrap_or_default();
    let mut words = Vec::new();
    let mut rest = inside;
    while let Some(first) = rest.find(is_wordish) {
        let tail = rest.get(first..).unwrap_or_default();
        let length = tail.find(|letter| !is_wordish(letter)).unwrap_or(tail.len());
        let start = span.start + (inside.len() - tail.len());
        words.push(word(tail.get(..length).unwrap_or_default(), start, case)?);
        rest = tail.get(length..).unwrap_or_default();
    }
    match words.len() {
        0 => fault(span, "there is no word here", "write at least one letter or digit"),
        1 => words.pop().map(Query::Word).map_or_else(|| fault(span, "there is no word here", "write a word"), Ok),
        _ => Ok(Query::Phrase(words)),
    }
}

fn is_wordish(letter: char) -> bool {
    letter.is_alphanumeric()
        || unicode_normalization::char::is_combining_mark(letter)
        || matches!(letter, '*' | '~' | '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

fn word(written: &str, start: usize, case: Case) -> Result<Word, Fault> {
    let span = start..start + written.len();
    let (stem, forms) = match written.split_once('~') {
        None => (written, Forms::Written),
        Some((stem, "")) => (stem, if begins_as_name(stem) { Forms::Name } else { Forms::Noun }),
        Some((stem, "0")) => (stem, Forms::Unaccented),
        Some((stem, "1")) => (stem, Forms::Misspelt),
        Some(_) => {
            return fault(
                span,
                "`~` stands inside a word",
                "write it last: ord~ for inflected forms, Namn~0 without dots and rings, Namn~1 also misspelt",
            );
        }
    };
    let letters: String = match case {
        Case::Any => token::folded(stem).collect(),
        Case::Exact => token::composed(stem).collect(),
    };
    let wild = letters.matches('*').count();
    if case == Case::Exact && (wild > 0 || forms != Forms::Written) {
        return fault(span, "braces mean exactly these letters", "leave out * and ~, or use quotation marks instead");
    }
    check_word(&letters, wild, forms, span.clone())?;
    // The words of the language must be the words of a text: what the reader would split cannot be heard.
    let plain = letters.replace('*', "");
    let mut tokens = Vec::new();
    token::read("", &plain, &mut tokens);
    let whole = tokens.len() == 1 && tokens.iter().all(|token| token.end == plain.len() && token.mark == Mark::Plain);
    if !whole {
        return fault(span, format!("`{written}` is no word that a text can hold"), "write letters and digits");
    }
    Ok(Word { letters, case, forms })
}

/// A capital that folds to one letter and back: what can be printed as it was written.
fn begins_as_name(stem: &str) -> bool {
    let Some(first) = token::composed(stem).next() else { return false };
    let folded: Vec<char> = first.to_lowercase().collect();
    let back: Vec<char> = folded.iter().flat_map(|letter| letter.to_uppercase()).collect();
    folded.as_slice() != [first] && folded.len() == 1 && back == [first]
}

fn check_word(letters: &str, stars: usize, forms: Forms, span: Range<usize>) -> Result<(), Fault> {
    let longest = letters.split('*').map(|part| part.chars().count()).max().unwrap_or(0);
    if longest == 0 {
        return fault(span, "there are no letters here", "write a word before the sign");
    }
    if stars == 0 {
        return Ok(());
    }
    if letters.contains("**") || stars > 2 {
        return fault(span, "too many stars", "one word can have two, not side by side");
    }
    let ends = [letters.split('*').next(), letters.rsplit('*').next()];
    let standing = ends.into_iter().flatten().map(|end| end.chars().count()).max().unwrap_or(0);
    if standing < STEM {
        return fault(
            span,
            format!("the wildcard leaves {standing} letters at the ends of the word"),
            format!("at least {STEM} letters must stand together at the beginning or the end"),
        );
    }
    if forms != Forms::Written && !(forms == Forms::Noun && stars == 1 && letters.starts_with('*')) {
        return fault(
            span,
            "a star and `~` do not go together here",
            "`*skola~` inflects the end of compounds; elsewhere the star already takes every ending",
        );
    }
    Ok(())
}
