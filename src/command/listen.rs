//! `lyhord match`: whether lines are about us, by the configuration's rules or by one under trial.

use std::io::{BufRead, Write};
use std::process::ExitCode;

use super::{FOUND_WRONG, Place};
use crate::config::Config;
use crate::config_or_leave;
use crate::db::Db;
use crate::mention::trial;
use crate::mention::watch::{Scratch, compile};
use crate::mention::words::Words;
use crate::mention::{self, Heard, Hearing, Relevance};

/// How many of the latest mentions a rule is tried on.
const HISTORY: i64 = 20_000;
/// How many matches are shown.
const SAMPLES: usize = 10;

/// Reads standard input to its end, or tries the rule over what is kept.
///
/// # Errors
/// When the input cannot be read or the database does not answer.
pub async fn run(place: &Place, json: bool, rule: Option<&str>, history: bool) -> anyhow::Result<ExitCode> {
    let config = config_or_leave!(place);
    match rule {
        Some(rule) if history => over_history(&config, rule).await,
        Some(rule) => match trial::attempt(&config.words, rule, &[]) {
            Ok(tried) => {
                eprintln!("{}\n{}", tried.query, tried.reading);
                let words = alone(&config.words, rule);
                stream(&compile(&words), json)
            }
            Err(fault) => Ok(refuse(rule, &fault.to_string())),
        },
        None => stream(&compile(&config.words), json),
    }
}

fn alone(words: &Words, rule: &str) -> Words {
    mention::words::check(rule, words)
        .map_or_else(|_| words.clone(), |query| Words { rules: vec![mention::trial::alone(&query)], ..words.clone() })
}

fn refuse(rule: &str, fault: &str) -> ExitCode {
    eprintln!("{rule}\n{fault}");
    ExitCode::from(FOUND_WRONG)
}

fn stream(watch: &mention::watch::Watch, json: bool) -> anyhow::Result<ExitCode> {
    let mut scratch = Scratch::default();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        if json {
            writeln!(out, "{}", trial::answer(watch, &line, &mut scratch))?;
        } else {
            let hearing = watch.hear_with(&Heard { text: &line, ..Heard::default() }, &mut scratch);
            writeln!(out, "{}", readable(&hearing, &line))?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn readable(hearing: &Hearing, line: &str) -> String {
    let said = match hearing.relevance {
        Relevance::Yes => "ja   ",
        Relevance::Review => "kanske",
        Relevance::No => "nej  ",
    };
    format!("{said} {:.2}  {line}\n        {}", hearing.score, hearing.because.join("; "))
}

async fn over_history(config: &Config, rule: &str) -> anyhow::Result<ExitCode> {
    let db = Db::open(&config.database, config.connections).await?;
    let mut tx = db.read().await?;
    let kept = mention::store::latest(&mut tx, HISTORY).await?;
    let posts: Vec<Heard<'_>> = kept
        .iter()
        .map(|kept| Heard {
            title: kept.title.as_deref().unwrap_or_default(),
            text: &kept.body,
            channel: &kept.channel,
            language: kept.language.as_deref().unwrap_or_default(),
            site: &kept.site,
            kind: &kept.kind,
            source: "",
        })
        .collect();
    match trial::attempt(&config.words, rule, &posts) {
        Ok(tried) => {
            println!(
                "{}\n{}\n{} av {} sparade omnämnanden träffas.",
                tried.query,
                tried.reading,
                tried.matched.len(),
                posts.len()
            );
            for (n, _) in tried.matched.iter().take(SAMPLES) {
                println!("  {}", posts.get(*n).map(|post| post.text).unwrap_or_default());
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(fault) => Ok(refuse(rule, &fault.to_string())),
    }
}
