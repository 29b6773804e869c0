//! `lyhord classify`, `similar`, `train`, `judge report`: the judgement of lines, and how good it is.

use std::io::{BufRead, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;

use super::{FOUND_WRONG, Place};
use crate::classification::lines::similar_line;
use crate::classification::refit::fit;
use crate::classification::report::cross_validated;
use crate::classification::seed::{HELD_OUT, UNREAD, lessons};
use crate::classification::similar::similar as likeness;
use crate::classification::{Classification, Classifier, Subject};
use crate::mention::{Heard, Relevance};
use crate::{app, config_or_leave};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    id: Value,
    title: String,
    text: String,
    channel: String,
    source: String,
}

/// Reads standard input to its end and judges each line.
///
/// # Errors
/// When the input cannot be read or the judge not be made.
pub fn classify(place: &Place, json: bool) -> anyhow::Result<ExitCode> {
    let config = config_or_leave!(place);
    let (judge, watch) = (app::judge(&config)?, app::watch(&config));
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let line = serde_json::from_str(&line).unwrap_or_else(|_| Line { text: line, ..Line::default() });
        let heard = Heard {
            title: &line.title,
            text: &line.text,
            channel: &line.channel,
            source: &line.source,
            ..Heard::default()
        };
        let subject = Subject {
            title: &line.title,
            text: &line.text,
            channel: &line.channel,
            source: &line.source,
            heard: Some(watch.hear(&heard).relevance),
        };
        let verdict = judge.classify(&subject);
        if json {
            writeln!(out, "{}", as_json(&line.id, &verdict))?;
        } else {
            writeln!(out, "{}\n{}", line.text, as_text(&verdict))?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Says of each pair whether it asks the same thing: NDJSON `{id, a, b}`, or two texts with a tab between.
///
/// # Errors
/// When the input cannot be read or the judge not be made.
pub fn similar(place: &Place, json: bool) -> anyhow::Result<ExitCode> {
    let config = config_or_leave!(place);
    let judge = app::judge(&config)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut code = ExitCode::SUCCESS;
    for (n, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line?;
        match line.split_once('\t').filter(|_| !json) {
            Some((a, b)) => {
                let found = likeness(&judge, a, b);
                let said = if found.same { "samma  " } else { "olika  " };
                writeln!(out, "{said} {:.2}  {a} | {b}\n    {}", found.score, found.because.join("\n    "))?;
            }
            None if line.trim().is_empty() => {}
            None => match similar_line(&judge, &line) {
                Ok(answer) => writeln!(out, "{answer}")?,
                Err(fault) => {
                    eprintln!(
                        "line {}: {fault}; expected {{\"id\", \"a\", \"b\"}}, or two texts with a tab between",
                        n + 1
                    );
                    code = ExitCode::from(FOUND_WRONG);
                }
            },
        }
    }
    out.flush()?;
    Ok(code)
}

/// Trains the judge from its seed and writes the model.
///
/// # Errors
/// When the file cannot be written.
pub fn train(place: &Place, out: &Path) -> anyhow::Result<ExitCode> {
    let config = config_or_leave!(place);
    let lexicon = config.lexicon.context("the lexicon is not readable")?;
    let candidate = fit(&lexicon);
    let bytes = candidate.model.bytes();
    std::fs::write(out, &bytes).with_context(|| format!("{} cannot be written", out.display()))?;
    println!("{}: {} byte, version {}", out.display(), bytes.len(), candidate.model.version());
    Ok(ExitCode::SUCCESS)
}

/// Prints how well the judge does on voices that it did not read: the fixed regression set, the part of it that nobody
/// has tuned on, and, when asked, every voice of the seed in turn.
///
/// # Errors
/// When the lexicon is not readable.
pub fn report(place: &Place, cross: CrossValidation) -> anyhow::Result<ExitCode> {
    let config = config_or_leave!(place);
    let lexicon = config.lexicon.context("the lexicon is not readable")?;
    println!("Fast prov: rösterna {}. Modellen i provet har inte läst dem.\n", HELD_OUT.join(", "));
    println!("{}", fit(&lexicon).report.text());
    println!(
        "Ordlistan och modellen har förbättrats med hjälp av felen i andra röster än {}. Siffran som bäst liknar nya\n\
         skribenter är därför korsprovet, där varje röst i grunden bedöms av en modell som inte har läst den.",
        UNREAD.join(" och ")
    );
    if cross == CrossValidation::Yes {
        println!("\nKorsprov över alla röster:\n\n{}", cross_validated(&lexicon, &lessons()).text());
    } else {
        println!("Kör det med --cross-validate.");
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether every voice is judged in turn; it takes as long as the training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrossValidation {
    /// Every voice in turn.
    Yes,
    /// Only the fixed regression set.
    No,
}

impl From<bool> for CrossValidation {
    fn from(asked: bool) -> Self {
        if asked { Self::Yes } else { Self::No }
    }
}

fn as_json(id: &Value, verdict: &Classification) -> Value {
    serde_json::json!({
        "id": id, "relevant": verdict.relevance, "topic": verdict.topic, "intent": verdict.intent, "also": verdict.also,
        "sentiment": verdict.sentiment, "urgency": verdict.urgency, "language": verdict.language, "flags": verdict.flags,
        "confidence": verdict.confidence, "unsure": verdict.unsure, "because": verdict.because,
    })
}

fn as_text(verdict: &Classification) -> String {
    let about = match verdict.relevance {
        Relevance::Yes => "om oss",
        Relevance::Review => "kanske om oss",
        Relevance::No => "inte om oss",
    };
    format!(
        "  {about}; {}; {}; {}; brådska {}\n    {}",
        verdict.topic,
        verdict.intent.swedish(),
        verdict.sentiment.swedish(),
        verdict.urgency.swedish().to_lowercase(),
        verdict.because.join("\n    ")
    )
}
