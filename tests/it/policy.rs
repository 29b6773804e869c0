//! The tables of the policy and of the cases from elsewhere tell the truth: a test that they name is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

pub fn functions() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src", "jobs", "tests"] {
        files(&root.join(folder), &mut found);
    }
    let name = |line: &str| {
        line.trim()
            .trim_start_matches("async ")
            .strip_prefix("fn ")
            .map(|rest| rest.split('(').next().unwrap().to_owned())
    };
    found
        .iter()
        .flat_map(|path| fs::read_to_string(path).unwrap().lines().filter_map(name).collect::<Vec<_>>())
        .collect()
}

#[test]
fn every_test_that_the_policy_table_names_is_there() {
    let table = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/policy.md")).unwrap();
    let known = functions();
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| A") || line.starts_with("| REF-")).collect();
    let mut wrong = Vec::new();
    for row in &rows {
        let shown = row.trim_end_matches('|').rsplit('|').next().unwrap().trim();
        let named = shown.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
        match named {
            Some(test) if known.contains(test) => {}
            Some(test) => wrong.push(format!("{test} is not a test")),
            None if shown == "**not yet**" => {}
            None => wrong.push(format!("neither a test nor not yet: {row}")),
        }
    }
    for n in 1..=45 {
        assert!(rows.iter().any(|row| row.starts_with(&format!("| A{n:02} "))), "A{n:02} has no row");
    }
    for n in 1..=14 {
        assert!(rows.iter().any(|row| row.starts_with(&format!("| REF-{n:02} "))), "REF-{n:02} has no row");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_test_that_the_table_of_cases_names_is_there() {
    let table = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fall.md")).unwrap();
    let known = functions();
    let of = |case: usize| {
        let begins = format!("| {case} |");
        table.lines().filter(move |line| line.starts_with(&begins)).collect::<Vec<_>>()
    };
    for case in 16..=24 {
        let rows = of(case);
        assert!(!rows.is_empty(), "case {case} has no row");
        for row in rows {
            let shown = row.trim_end_matches('|').rsplit('|').next().unwrap().trim();
            let named = shown.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
            assert!(named.map_or(shown.starts_with("**inte byggt**"), |test| known.contains(test)), "{row}");
        }
    }
}
