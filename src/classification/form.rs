//! How the sentences of a post are made: what they begin and end with, who speaks to whom, and which marks stand there.

use super::features::{Feature, Hash, at};
use super::normal::{Kind, Normal};

/// The weight of one feature of how sentences are made.
const FORM: f32 = 0.3;

/// The form of the sentences: how each begins and ends, who speaks to whom, and what stands in it. The same features
/// whatever the topic, so that a question about what nobody has asked before is still a question.
pub(super) fn form(normal: &Normal, features: &mut Vec<Feature>) {
    let (mut end, mut sentences) = (0, 0_usize);
    let mut opening: Option<&str> = None;
    let mut speaks = [false; 4];
    let hash = |kind: u8, parts: [&str; 2]| Hash::of(kind).add(parts[0].as_bytes()).add(b" ").add(parts[1].as_bytes());
    for token in &normal.tokens {
        let (word, place) = (normal.word(token), (token.start, token.end));
        let between = normal.text.get(end..token.start).unwrap_or_default();
        let opens = end == 0 || between.contains(['.', '!', '?', '\n', ':']);
        if opens {
            sentences += 1;
            let closed = match (end, between.contains('?')) {
                (0, _) => "",
                (_, true) => "?",
                _ => ".",
            };
            features.push(at(Hash::of(b'q').add(word.as_bytes()).bucket(), FORM, place));
            features.push(at(hash(b'Q', [closed, word]).bucket(), FORM * 0.5, place));
        } else if let Some(first) = opening {
            features.push(at(hash(b'Z', [first, word]).bucket(), FORM, place));
        }
        opening = opens.then_some(word);
        match word {
            "jag" | "min" | "mitt" | "mina" | "mig" => speaks[0] = true,
            "vi" | "vår" | "vårt" | "våra" | "oss" => speaks[1] = true,
            "ni" | "er" | "ert" | "era" | "du" | "dig" | "din" => speaks[2] = true,
            "han" | "hon" | "de" | "dem" | "dom" => speaks[3] = true,
            _ => {}
        }
        end = token.end;
    }
    if let Some(last) = normal.tokens.last() {
        let place = (last.start, last.end);
        features.push(at(Hash::of(b'z').add(normal.word(last).as_bytes()).bucket(), FORM * 0.7, place));
    }
    let mut add = |parts: [&str; 2]| features.push(at(hash(b'f', parts).bucket(), FORM, (0, 0)));
    for (spoken, who) in speaks.iter().zip(["i", "we", "you", "they"]) {
        if *spoken {
            add(["speaks", who]);
        }
    }
    if speaks[2] && (speaks[0] || speaks[1]) {
        add(["speaks", "we-you"]);
    }
    if !speaks.contains(&true) {
        add(["speaks", "nobody"]);
    }
    shape(normal, end, sentences, features);
    marks(normal, features);
}

/// How many sentences, how the last one ends, and how many ask.
fn shape(normal: &Normal, end: usize, sentences: usize, features: &mut Vec<Feature>) {
    let mut add = |parts: [&str; 3]| {
        let hash = parts.iter().fold(Hash::of(b'f'), |hash, part| hash.add(part.as_bytes()).add(b"|"));
        features.push(at(hash.bucket(), FORM, (0, 0)));
    };
    let many = match sentences {
        0 | 1 => "1",
        2 => "2",
        3 | 4 => "3",
        _ => "5",
    };
    let ending = match normal.text.get(end..).unwrap_or_default().trim_end().chars().next() {
        Some('?') => "?",
        Some('!') => "!",
        Some('.') => ".",
        Some('…') => "…",
        _ => "-",
    };
    add(["sentences", many, ""]);
    add(["ends", ending, ""]);
    add(["sentences-ends", many, ending]);
    let asked = normal.text.matches('?').count();
    if asked > 0 {
        add(["asked-of", if asked >= sentences { "all" } else { "some" }, ""]);
        if ["??", "?!", "!?"].iter().any(|hard| normal.text.contains(hard)) {
            add(["asks-hard", "", ""]);
        }
    }
}

/// Times, sums, quotations and other marks that some kinds of post have more of.
fn marks(normal: &Normal, features: &mut Vec<Feature>) {
    const MARKS: [(&str, &str); 17] = [
        ("\"", "quote"),
        ("”", "quote"),
        ("00.00", "time"),
        ("00:00", "time"),
        ("kl", "time"),
        (" kr", "money"),
        ("kronor", "money"),
        ("miljon", "money"),
        ("%", "share"),
        ("...", "dots"),
        ("…", "dots"),
        ("(", "bracket"),
        ("[", "square"),
        (" – ", "dash"),
        (" - ", "dash"),
        (":", "colon"),
        ("0", "number"),
    ];
    let mut add = |name: &str, value: f32| {
        features.push(at(Hash::of(b'f').add(b"has").add(name.as_bytes()).bucket(), value, (0, 0)));
    };
    for (_, name) in MARKS.iter().filter(|(sign, _)| normal.text.contains(sign)) {
        add(name, FORM * 0.6);
    }
    if normal.tokens.iter().any(|token| token.kind == Kind::Tag) {
        add("tag", FORM * 0.6);
    }
    if normal.capitals < 0.001 {
        add("no-capitals", FORM);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classification::normal::normalise;

    fn buckets(post: &str) -> Vec<u16> {
        let mut features = Vec::new();
        form(&normalise(post), &mut features);
        features.iter().map(|feature| feature.bucket).collect()
    }

    #[test]
    fn a_question_is_made_otherwise_than_the_same_words_as_a_statement() {
        let (asked, told) = (buckets("Öppnar badet i juli?"), buckets("Öppnar badet i juli."));
        assert!(asked.iter().any(|bucket| !told.contains(bucket)));
    }

    #[test]
    fn who_speaks_to_whom_is_seen() {
        let we_to_you = Hash::of(b'f').add(b"speaks").add(b" ").add(b"we-you").bucket();
        assert!(buckets("Vi vill att ni lyssnar").contains(&we_to_you));
        assert!(!buckets("Vi vill ha fler bänkar").contains(&we_to_you));
    }
}
