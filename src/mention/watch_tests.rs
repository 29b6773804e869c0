//! The watch rules of `config/words.toml` against posts with a known answer, and against a naive search.

use super::watch::{Watch, compile};
use super::words::{self, Words};
use super::{Heard, Hearing, Relevance};
use crate::settings::{self, Problems};

const WORDS: &str = include_str!("../../config/words.toml");
const MENTIONS: &str = include_str!("fixtures/ale_mentions.jsonl");

pub(super) fn read_words(text: &str) -> (Words, Vec<String>) {
    let problems = Problems::default();
    let section = settings::read("words.toml", text, &problems);
    let words = words::read(&section);
    drop(section);
    (words, problems.sorted().iter().map(ToString::to_string).collect())
}

pub(super) fn ale_words() -> Words {
    let (words, faults) = read_words(WORDS);
    assert_eq!(faults, Vec::<String>::new());
    words
}

fn ale() -> Watch {
    compile(&ale_words())
}

#[derive(serde::Deserialize)]
struct Row {
    id: u32,
    label: String,
    text: String,
}

fn rows() -> Vec<Row> {
    MENTIONS.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn hear(watch: &Watch, text: &str) -> Hearing {
    watch.hear(&Heard { text, ..Heard::default() })
}

fn bare(text: &str) -> String {
    let plain = |letter: char| match letter {
        'å' | 'ä' => 'a',
        'ö' => 'o',
        'Å' | 'Ä' => 'A',
        'Ö' => 'O',
        other => other,
    };
    text.chars().map(plain).collect()
}

#[test]
fn the_words_of_ale_are_without_fault() {
    let (words, faults) = read_words(WORDS);
    assert_eq!(faults, Vec::<String>::new());
    assert!(words.rules.len() > 20 && words.places.len() > 60);
}

#[test]
fn the_name_ale_is_told_from_its_namesakes() {
    let watch = ale();
    let (mut hit, mut said, mut truth, mut rejected, mut wrong) = (0.0, 0.0, 0.0, 0.0, Vec::new());
    for row in rows() {
        let hearing = hear(&watch, &row.text);
        let yes = hearing.relevance == Relevance::Yes;
        let ours = row.label == "SANN";
        said += f64::from(u8::from(yes));
        truth += f64::from(u8::from(ours));
        hit += f64::from(u8::from(yes && ours));
        rejected += f64::from(u8::from(row.label == "FALSK" && hearing.relevance == Relevance::No));
        if yes != ours || (row.label == "FALSK" && hearing.relevance != Relevance::No) {
            wrong.push(format!("{} {} {:?} {} {:?}", row.id, row.label, hearing.relevance, row.text, hearing.because));
        }
    }
    let report = wrong.join("\n");
    assert!(hit / said >= 0.95, "precision {}\n{report}", hit / said);
    assert!(hit / truth >= 0.98, "recall {}\n{report}", hit / truth);
    assert!(rejected / 58.0 >= 0.80, "rejected {}\n{report}", rejected / 58.0);
}

#[test]
fn dots_rings_and_capitals_do_not_decide_what_is_heard() {
    let watch = ale();
    let mut missed = Vec::new();
    for row in rows().into_iter().filter(|row| row.label == "SANN") {
        for variant in
            [bare(&row.text), row.text.to_uppercase(), row.text.to_lowercase(), bare(&row.text.to_lowercase())]
        {
            let hearing = hear(&watch, &variant);
            if hearing.relevance != Relevance::Yes {
                missed.push(format!("{} {:?} {variant} {:?}", row.id, hearing.relevance, hearing.because));
            }
        }
    }
    assert!(missed.len() <= 3, "{}", missed.join("\n"));
}

fn faults_of(text: &str) -> Vec<String> {
    read_words(text).1
}

#[test]
fn every_fault_of_a_words_file_is_said_with_its_line() {
    let text = r#"name = "Ale"
accounts = ["alekommun"]
[lists]
beer = ["pale", "st*"]
[[place]]
kind = "vilage"
strength = "strong"
names = ["Nödinge"]
[[rule]]
name = "ett"
sign = "yes"
query = "ale AND @bear"
[[rule]]
name = "två"
sign = "yes"
query = "author:anna"
[[rule]]
name = "tre"
sign = "yes"
query = "NOT ale"
[[rule]]
name = "fyra"
sign = "yes"
query = '"Anna Svensson" OR ale'
[[rule]]
name = "fem"
sign = "yes"
query = "@annasvensson"
"#;
    let faults = faults_of(text);
    let has = |line: usize, part: &str| {
        assert!(
            faults.iter().any(|fault| fault.starts_with(&format!("words.toml:{line}:")) && fault.contains(part)),
            "{line} {part}\n{}",
            faults.join("\n")
        );
    };
    has(4, "wildcard leaves 2 letters");
    has(6, "vilage");
    has(12, "did you mean @beer?");
    has(16, "REF-02");
    has(20, "nothing that must be there");
    has(24, "REF-01");
    has(28, "varken en ordlista eller ett eget konto");
    assert_eq!(faults.len(), 7, "{}", faults.join("\n"));
}

#[test]
fn a_place_is_known_by_its_forms_and_with_one_letter_wrong() {
    let watch = ale();
    for (text, place) in [
        ("Halka i Nödinge", "Nödinge"),
        ("Nödinges skola", "Nödinge"),
        ("halka i nodinge", "Nödinge"),
        ("Halka i Nödnge idag", "Nödinge"),
        ("Halka i Skeplanda", "Skepplanda"),
        ("#Älvängen halt", "Älvängen"),
        ("Det är halt på Ale torg", "Ale torg"),
        ("Det är halt på Kilandavägen i Nödinge", "Kilandavägen"),
    ] {
        assert_eq!(hear(&watch, text).places.first().map(String::as_str), Some(place), "{text}");
    }
    assert!(hear(&watch, "Vi åkte till Hallanda").places.is_empty());
}

#[test]
fn the_words_that_matched_stand_where_they_are_said_to_stand() {
    let watch = ale();
    for row in rows() {
        let hearing = hear(&watch, &row.text);
        for span in &hearing.words {
            assert!(row.text.get(span.start..span.end).is_some_and(|word| !word.is_empty()), "{} {span:?}", row.id);
        }
        assert!(hearing.relevance != Relevance::Yes || !hearing.because.is_empty(), "{}", row.text);
    }
}
