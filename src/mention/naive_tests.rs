//! What the index finds is what a plain search finds: every rule against every post, word by word.

use std::sync::LazyLock;

use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization;

use super::query::{Case, Field, Forms, Order, Query, Word, parse};
use super::watch::{Scratch, Watch, compile};
use super::words::{Rule, Sign, Words};
use super::{Heard, forms};

/// A word of a made post: as written, NFC, and whether `#` stands before it.
#[derive(Debug, Clone)]
struct Made {
    written: String,
    tagged: bool,
}

const WORDS: [&str; 22] = [
    "ale",
    "ales",
    "alebo",
    "kommun",
    "kommunens",
    "skola",
    "förskolan",
    "skolgård",
    "nödinge",
    "nodinge",
    "nödnge",
    "älvängen",
    "alvengen",
    "öl",
    "i",
    "pale",
    "hemtjänst",
    "hemtjänsten",
    "torg",
    "kommunalskola",
    "alé",
    "åle",
];

const QUERIES: [&str; 30] = [
    "ale",
    "{Ale}",
    "{ALE}",
    "Ale~",
    "kommun~",
    "\"ale kommun~\"",
    "\"i ale torg\"",
    "{Ale kommun}",
    "hemtj*",
    "*skola",
    "*skola~",
    "kom*skola",
    "Nödinge~1",
    "Nödinge~0",
    "Älvängen~1",
    "ale NEAR/2 kommun",
    "ale ONEAR/2 kommun",
    "ale ONEAR/1 ale",
    "(ale OR öl) NEAR/3 (pale OR torg)",
    "ale NEAR/2 öl ONEAR/1 i",
    "ale NOT öl",
    "NOT i AND ale",
    "ale AND NOT (öl OR pale)",
    "#ale",
    "tag:öl OR {I}",
    "#ale NEAR/2 öl",
    "ale AND kommun~ AND i",
    "(ale OR kommun) AND (öl OR i)",
    "alé OR åle",
    "\"ale *skola~\" OR \"nödinge~1 i\"",
];

fn glob(pattern: &[char], word: &[char]) -> bool {
    match pattern.split_first() {
        None => word.is_empty(),
        Some(('*', rest)) => (0..=word.len()).any(|skip| glob(rest, &word[skip..])),
        Some((letter, rest)) => word.split_first().is_some_and(|(first, others)| first == letter && glob(rest, others)),
    }
}

fn is_word(word: &Word, made: &Made) -> bool {
    if word.case == Case::Exact {
        return made.written == word.letters;
    }
    let folded: String = made.written.to_lowercase();
    let letters: Vec<char> = folded.chars().collect();
    let spellings = |form: &str| {
        let mut all = forms::unaccented(form);
        all.push(form.to_owned());
        all
    };
    let named = forms::of_name(&word.letters);
    match word.forms {
        Forms::Written => glob(&word.letters.chars().collect::<Vec<_>>(), &letters),
        Forms::Noun => match word.letters.strip_prefix('*') {
            Some(end) => forms::of_noun(end).iter().any(|form| folded.ends_with(form.as_str())),
            None => forms::of_noun(&word.letters).contains(&folded),
        },
        Forms::Name => named.contains(&folded),
        Forms::Unaccented => named.iter().flat_map(|form| spellings(form)).any(|form| form == folded),
        Forms::Misspelt => {
            let exact = named.iter().flat_map(|form| spellings(form)).any(|form| form == folded);
            let ends = |own: &str| {
                let own: Vec<char> = own.chars().collect();
                letters.len() >= 3 && (own[..3] == letters[..3] || own[own.len() - 3..] == letters[letters.len() - 3..])
            };
            let long = word.letters.chars().count() >= forms::MISSPELT_LETTERS;
            let near = |own: &String| long && ends(own) && strsim::osa_distance(own, &folded) == 1;
            exact || spellings(&word.letters).iter().any(near)
        }
    }
}

/// All first and last places where something stands.
fn places(query: &Query, post: &[Made]) -> Vec<(usize, usize)> {
    match query {
        Query::Word(word) => (0..post.len()).filter(|at| is_word(word, &post[*at])).map(|at| (at, at)).collect(),
        Query::Phrase(words) => (0..post.len())
            .filter(|at| {
                words.iter().enumerate().all(|(step, word)| post.get(at + step).is_some_and(|made| is_word(word, made)))
            })
            .map(|at| (at, at + words.len() - 1))
            .collect(),
        Query::Field(Field::Tag, tag) => (0..post.len())
            .filter(|at| post[*at].tagged && post[*at].written.to_lowercase() == *tag)
            .map(|at| (at, at))
            .collect(),
        Query::Any(parts) => parts.iter().flat_map(|part| places(part, post)).collect(),
        Query::Near(near) => {
            let mut found = Vec::new();
            for left in places(&near.left, post) {
                for right in places(&near.right, post) {
                    let ahead = right.0 > left.1 && right.0 - left.1 <= near.within as usize;
                    let behind = left.0 > right.1 && left.0 - right.1 <= near.within as usize;
                    if ahead || (behind && near.order == Order::Either) {
                        found.push((left.0.min(right.0), left.1.max(right.1)));
                    }
                }
            }
            found
        }
        other => panic!("{other} stands nowhere"),
    }
}

fn holds(query: &Query, post: &[Made]) -> bool {
    match query {
        Query::Not(inner) => !holds(inner, post),
        Query::All(parts) => parts.iter().all(|part| holds(part, post)),
        Query::Any(parts) => parts.iter().any(|part| holds(part, post)),
        other => !places(other, post).is_empty(),
    }
}

fn made() -> impl Strategy<Value = (Made, String)> {
    let dress = (prop::sample::select(WORDS.to_vec()), 0..4_u8, 0..7_usize, any::<bool>());
    dress.prop_map(|(word, case, between, decomposed)| {
        let mut letters = word.chars();
        let written = match case {
            0 => word.to_uppercase(),
            1 => letters
                .next()
                .map(|first| first.to_uppercase().collect::<String>() + letters.as_str())
                .unwrap_or_default(),
            _ => word.to_owned(),
        };
        let between = [" ", ", ", "-", "! ", " #", "\n", " … "][between];
        let shown: String = if decomposed { written.nfd().collect() } else { written.clone() };
        (Made { written, tagged: between == " #" }, format!("{between}{shown}"))
    })
}

fn rules() -> Words {
    let rules = QUERIES.iter().map(|text| Rule {
        name: (*text).to_owned(),
        query: parse(text).unwrap(),
        sign: Sign::Review,
        because: String::new(),
    });
    Words { rules: rules.collect(), ..Words::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_the_index_finds_is_what_a_plain_search_finds(row in prop::collection::vec(made(), 0..14)) {
        static COMPILED: LazyLock<(Words, Watch)> = LazyLock::new(|| {
            let words = rules();
            let watch = compile(&words);
            (words, watch)
        });
        let (words, watch) = &*COMPILED;
        let post: Vec<Made> = row.iter().map(|(made, _)| made.clone()).collect();
        let text: String = row.iter().map(|(_, shown)| shown.as_str()).collect();
        let mut scratch = Scratch::default();
        watch.matching(&Heard { text: &text, ..Heard::default() }, &mut scratch);
        let found: Vec<&str> = scratch.rules().iter().map(|number| watch.rule_name(*number)).collect();
        let plain: Vec<&str> =
            words.rules.iter().filter(|rule| holds(&rule.query, &post)).map(|rule| rule.name.as_str()).collect();
        prop_assert_eq!(found, plain, "{}", text);
    }
}

#[test]
fn phrases_and_near_never_reach_from_the_title_into_the_text() {
    let watch = compile(&rules());
    let mut scratch = Scratch::default();
    watch.matching(&Heard { title: "Nytt om Ale", text: "kommun i", ..Heard::default() }, &mut scratch);
    let names: Vec<&str> = scratch.rules().iter().map(|number| watch.rule_name(*number)).collect();
    assert!(
        names.contains(&"ale AND kommun~ AND i")
            && !names.contains(&"\"ale kommun~\"")
            && !names.contains(&"ale NEAR/2 kommun")
    );
}

#[test]
fn swedish_letters_are_never_folded_and_words_never_cut() {
    let rules = ["al", "ål", "öl", "ol", "ale"].map(|text| Rule {
        name: text.to_owned(),
        query: parse(text).unwrap(),
        sign: Sign::Review,
        because: String::new(),
    });
    let watch = compile(&Words { rules: rules.into(), ..Words::default() });
    for (text, heard) in [
        ("En Ål i ån", vec!["ål"]),
        ("En A\u{30a}L i ån", vec!["ål"]),
        ("Det finns AL här", vec!["al"]),
        ("ÖL", vec!["öl"]),
        ("Ol", vec!["ol"]),
        ("Ale-skolan", vec!["ale"]),
        ("Aleppo, skalet, alen och pålen", vec![]),
    ] {
        assert_eq!(watch.hear(&Heard { text, ..Heard::default() }).rules, heard, "{text}");
    }
}

#[test]
fn where_a_post_was_found_can_be_asked_alone_and_beside_words() {
    let queries = ["site:alekuriren.se", "lang:sv AND vatten", "channel:rss NOT source:gp", "kind:review OR vatten"];
    let rules = queries.iter().map(|text| Rule {
        name: (*text).to_owned(),
        query: parse(text).unwrap(),
        sign: Sign::Review,
        because: String::new(),
    });
    let watch = compile(&Words { rules: rules.collect(), ..Words::default() });
    let matched = |heard: &Heard<'_>| watch.hear(heard).rules;
    assert_eq!(matched(&Heard { site: "www.alekuriren.se", text: "x", ..Heard::default() }), ["site:alekuriren.se"]);
    assert_eq!(matched(&Heard { language: "sv-SE", text: "Vatten", ..Heard::default() }), [queries[1], queries[3]]);
    assert_eq!(matched(&Heard { channel: "rss", source: "tt", ..Heard::default() }), [queries[2]]);
    assert_eq!(matched(&Heard { channel: "rss", source: "gp", ..Heard::default() }), Vec::<String>::new());
    assert_eq!(matched(&Heard { kind: "review", ..Heard::default() }), [queries[3]]);
}
