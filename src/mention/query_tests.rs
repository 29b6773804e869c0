//! The watch language: what is written reads back as itself, and what cannot be read is pointed at.

use proptest::prelude::*;

use super::query::{Case, Field, Forms, MAX_NEAR, Near, Order, Query, Word, parse};

fn printed(text: &str) -> String {
    parse(text).map_or_else(|fault| fault.pointed(text), |query| query.to_string())
}

#[test]
fn operators_bind_as_promised_in_both_languages() {
    assert_eq!(printed("a OCH b ELLER INTE c"), "a AND b OR NOT c");
    assert_eq!(printed("(a OR b) AND c NOT d"), "(a OR b) AND c AND NOT d");
    assert_eq!(printed("NOT (a AND b)"), "NOT (a AND b)");
    assert_eq!(printed("(Ale OR \"Ale  Torg\") NEAR/3 {SFI}"), "(ale OR \"ale torg\") NEAR/3 {SFI}");
    assert_eq!(printed("#Ale OR Kommun~ OR kommun~"), "tag:ale OR Kommun~ OR kommun~");
}

#[test]
fn a_fault_points_at_its_place_and_says_the_way_out() {
    insta::assert_snapshot!(printed("ale bygglov"), @r"
    ale bygglov
        ^^^^^^^
    two terms stand side by side with nothing between them: write AND or OR between them, or quotation marks around a phrase
    ");
    insta::assert_snapshot!(printed("ale AND (skola OR"), @r"
    ale AND (skola OR
                     ^
    the query ends where a term should stand: write a word here
    ");
    insta::assert_snapshot!(printed("sk* AND chanel:rss"), @r"
    sk* AND chanel:rss
    ^^^
    the wildcard leaves 2 letters at the ends of the word: at least 3 letters must stand together at the beginning or the end
    ");
    insta::assert_snapshot!(printed("a NEAR b"), @r"
    a NEAR b
      ^^^^
    NEAR has no distance: write NEAR/5 for at most five words apart
    ");
}

#[test]
fn a_star_leaves_three_letters_together_at_an_end_of_the_word() {
    for right in ["ski*", "*ola", "sko*a", "s*ola", "*skola~"] {
        assert!(parse(right).is_ok(), "{right}");
    }
    for wrong in ["*", "sk*", "*la", "sk*la", "s*kol*a", "sko**a", "{Skola*}", "skol*~"] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_field_that_is_nearly_right_is_suggested() {
    let fault = parse("ale AND chanel:rss").unwrap_err();
    assert_eq!((fault.span, fault.hint.as_str()), (8..18, "did you mean channel:rss?"));
}

#[test]
fn who_wrote_a_post_cannot_be_asked() {
    let refused = parse("author:anna AND ale").unwrap_err();
    assert!(refused.what.contains("REF-02"), "{refused}");
    assert!(parse("site:facebook.com/anna.svensson").is_err());
}

#[test]
fn nesting_is_bounded() {
    let deep = format!("{}a{}", "(".repeat(100), ")".repeat(100));
    assert!(parse(&deep).is_err());
    assert!(parse(&format!("a{}", " NEAR/2 a".repeat(100))).is_err());
    assert!(parse(&format!("{}a", "NOT ".repeat(100))).is_err());
}

fn words() -> impl Strategy<Value = Query> {
    let plain = "[a-zåäö0-9]{3,9}".prop_map(|letters| Word { letters, case: Case::Any, forms: Forms::Written });
    let starred = ("[a-zåäö]{3,6}", 0..3_u8).prop_map(|(stem, kind)| Word {
        letters: match kind {
            0 => format!("{stem}*"),
            1 => format!("*{stem}"),
            _ => format!("{stem}*{stem}"),
        },
        case: Case::Any,
        forms: Forms::Written,
    });
    let all = vec![Forms::Noun, Forms::Name, Forms::Unaccented, Forms::Misspelt];
    let bent = ("[a-zåäö]{3,6}", prop::sample::select(all)).prop_map(|(letters, forms)| Word {
        letters,
        case: Case::Any,
        forms,
    });
    let exact =
        "[A-ZÅÄÖ][a-zA-Zåäö]{0,5}".prop_map(|letters| Word { letters, case: Case::Exact, forms: Forms::Written });
    let word = prop_oneof![plain, starred, bent];
    prop_oneof![
        word.clone().prop_map(Query::Word),
        exact.clone().prop_map(Query::Word),
        prop::collection::vec(word, 2..4).prop_map(Query::Phrase),
        prop::collection::vec(exact, 2..4).prop_map(Query::Phrase),
        "[a-z]{1,8}".prop_map(Query::Named),
    ]
}

fn queries() -> impl Strategy<Value = Query> {
    let near = (words(), words(), 1..=MAX_NEAR, any::<bool>()).prop_map(|(left, right, within, ordered)| {
        let order = if ordered { Order::AsWritten } else { Order::Either };
        Query::Near(Box::new(Near { left, right, within, order }))
    });
    let field = (0..6_usize, "[a-z][a-z0-9.-]{0,8}").prop_map(|(index, value)| Query::Field(Field::ALL[index], value));
    let leaf = prop_oneof![words(), near, field];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let flat = |parts: Vec<Query>, all: bool| {
            let mut flat = Vec::new();
            for part in parts {
                match part {
                    Query::All(inner) if all => flat.extend(inner),
                    Query::Any(inner) if !all => flat.extend(inner),
                    other => flat.push(other),
                }
            }
            if all { Query::All(flat) } else { Query::Any(flat) }
        };
        prop_oneof![
            inner.clone().prop_map(|query| Query::Not(Box::new(query))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(move |parts| flat(parts, true)),
            prop::collection::vec(inner, 2..4).prop_map(move |parts| flat(parts, false)),
        ]
    })
}

proptest! {
    #[test]
    fn a_printed_query_reads_back_as_itself(query in queries()) {
        prop_assert_eq!(parse(&query.to_string()), Ok(query));
    }

    #[test]
    fn nothing_that_is_typed_makes_it_panic(text in "\\PC{0,60}") {
        let _ = parse(&text);
    }

    #[test]
    fn what_is_understood_prints_and_reads_back_and_faults_point_inside(
        text in "[ ()\"{}*~@#:/åaA.1\u{301}ORNOTANDENEAR-]{0,40}"
    ) {
        match parse(&text) {
            Ok(query) => prop_assert_eq!(parse(&query.to_string()), Ok(query)),
            Err(fault) => prop_assert!(text.get(fault.span).is_some()),
        }
    }
}
