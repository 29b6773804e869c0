//! `lyhord match`: whether lines are about us, by the configuration's rules or by one under trial.

use std::process::ExitCode;

use super::{FOUND_WRONG, Place, lines};
use crate::config::Config;
use crate::config_or_leave;
use crate::db::Db;
use crate::mention::trial;
use crate::mention::watch::{Scratch, Watch, compile};
use crate::mention::words::Words;
use crate::mention::{self, Heard, Hearing, Relevance};
use crate::web::trial::{JUDGED, TRIED_ON, Tried, attempt, line};

/// Reads standard input to its end, or tries the rule over what is kept.
///
/// # Errors
/// When the input cannot be read or the database does not answer.
pub async fn run(place: &Place, json: bool, rule: Option<&str>, history: bool) -> anyhow::Result<ExitCode> {
    let config = config_or_leave!(place);
    match rule {
        Some(rule) if history => over_history(&config, rule, json).await,
        Some(rule) => match trial::attempt(&config.words, rule, &[]) {
            Ok(tried) => {
                eprintln!("{}\n{}", tried.query, tried.reading);
                stream(&compile(&alone(&config.words, rule)), json)
            }
            Err(fault) => Ok(refuse(rule, &fault)),
        },
        None => stream(&compile(&config.words), json),
    }
}

fn alone(words: &Words, rule: &str) -> Words {
    mention::words::check(rule, words)
        .map_or_else(|_| words.clone(), |query| Words { rules: vec![mention::trial::alone(&query)], ..words.clone() })
}

fn refuse(rule: &str, fault: &mention::query::Fault) -> ExitCode {
    eprintln!("{}", fault.pointed(rule));
    ExitCode::from(FOUND_WRONG)
}

fn stream(watch: &Watch, json: bool) -> anyhow::Result<ExitCode> {
    let mut scratch = Scratch::default();
    lines::answer_each(|line| {
        if json {
            return trial::answer(watch, line, &mut scratch)
                .map_err(|fault| format!("{fault}; expected {{\"id\", \"text\", \"channel\", \"source\", \"lang\"}}"));
        }
        let hearing = watch.hear_with(&Heard { text: line, ..Heard::default() }, &mut scratch);
        Ok(readable(&hearing, line))
    })
}

fn readable(hearing: &Hearing, line: &str) -> String {
    let said = match hearing.relevance {
        Relevance::Yes => "ja    ",
        Relevance::Review => "kanske",
        Relevance::No => "nej   ",
    };
    let because =
        if hearing.because.is_empty() { "ingen regel hör det".to_owned() } else { hearing.because.join("; ") };
    let rules = if hearing.rules.is_empty() { String::new() } else { format!(" [{}]", hearing.rules.join(", ")) };
    format!("{said} {:.2}  {line}\n              {because}{rules}", hearing.score)
}

/// What the page Bevakning says of the same rule.
async fn over_history(config: &Config, rule: &str, json: bool) -> anyhow::Result<ExitCode> {
    let db = Db::open(&config.database, config.connections).await?;
    let mut tx = db.read().await?;
    let texts = mention::store::texts(&mut tx, TRIED_ON).await?;
    let told = crate::audit::store::told_about_us(&mut tx, JUDGED).await?;
    drop(tx);
    match attempt(&config.words, rule, &texts, &told) {
        Ok(tried) => {
            println!("{}", if json { as_json(&tried).to_string() } else { as_text(&tried) });
            Ok(ExitCode::SUCCESS)
        }
        Err(fault) => Ok(refuse(rule, &fault)),
    }
}

fn as_text(tried: &Tried) -> String {
    let mut said = vec![
        tried.query.clone(),
        tried.reading.clone(),
        format!("Hör {} av {} sparade omnämnanden.", tried.heard.some, tried.heard.of),
        format!("Måste prövas på {} av dem.", tried.asked.some),
    ];
    said.push(match tried.right.told() {
        Some(right) => format!("Människor har bedömt {} av träffarna: {} är om oss.", right.of, right.some),
        None => "För få av träffarna är bedömda av människor för att visas (minst 5).".to_owned(),
    });
    if tried.veiled > 0 {
        said.push(format!("{} av träffarna visas inte: skyddade, möjliga hot eller ännu inte bedömda.", tried.veiled));
    }
    said.extend(tried.samples.iter().map(|sample| format!("  {}", line(sample))));
    said.join("\n")
}

fn as_json(tried: &Tried) -> serde_json::Value {
    let judged = tried.right.told().map(|right| serde_json::json!({ "posts": right.of, "about_us": right.some }));
    serde_json::json!({
        "query": tried.query, "reading": tried.reading, "heard": tried.heard.some, "of": tried.heard.of,
        "asked": tried.asked.some, "judged": judged, "veiled": tried.veiled,
        "samples": tried.samples.iter().map(|sample| line(sample)).collect::<Vec<_>>(),
    })
}
