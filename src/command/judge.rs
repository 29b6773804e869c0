//! `lyhord classify`, `similar`, `train`, `judge report`: the judgement of lines, and how good it is.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use super::{FOUND_WRONG, Place, lines};
use crate::classification::correction::{Question, lessons};
use crate::classification::judge::Judge;
use crate::classification::lines::{Asked, LineError, Pair, classify_line, labelled_line, similar_line};
use crate::classification::refit::{fit, learned};
use crate::classification::report::{cross_validated, tally};
use crate::classification::seed::{self, HELD_OUT, UNREAD};
use crate::classification::similar::similar as likeness;
use crate::classification::store::{self, VersionRow};
use crate::classification::train::{LESSONS_MAX, Lesson};
use crate::classification::{Classification, Subject};
use crate::config::Config;
use crate::db::Db;
use crate::jobs::refit_judge::CORRECTIONS_MAX;
use crate::mention::watch::{Scratch, Watch};
use crate::mention::{Heard, Relevance};
use crate::{app, config_or_leave};

/// What a line of a file of labelled posts is.
const LABELLED: &str = "expected {\"text\", \"channel\", \"source\"} and any of \"relevant\", \"topic\", \"intent\", \"sentiment\", \"urgency\"";

/// Reads standard input to its end and judges each line: a text, or with `json` an object a line.
///
/// # Errors
/// When the input cannot be read or the judge not be made.
pub fn classify(place: &Place, json: bool) -> anyhow::Result<ExitCode> {
    let config = config_or_leave!(place);
    let (judge, watch) = (app::judge(&config)?, app::watch(&config));
    let mut scratch = Scratch::default();
    lines::answer_each(|line| {
        if json {
            return classify_line(&judge, line, |subject| heard(&watch, &mut scratch, subject))
                .map_err(|fault| format!("{}; expected {{\"id\", \"text\", \"channel\", \"source\"}}", whole(&fault)));
        }
        // An object of a file that was meant for --json is understood too; anything else is the text itself.
        let asked = serde_json::from_str(line).unwrap_or_else(|_| Asked { text: line.to_owned(), ..Asked::default() });
        let subject = asked.subject();
        let verdict = judge.judge(&subject, Some(heard(&watch, &mut scratch, &subject)));
        Ok(format!("{}\n{}", asked.text, as_text(&judge, &verdict)))
    })
}

/// What the watch rules say of a post.
fn heard(watch: &Watch, scratch: &mut Scratch, subject: &Subject<'_>) -> Relevance {
    let Subject { title, text, channel, source, .. } = *subject;
    watch.hear_with(&Heard { title, text, channel, source, ..Heard::default() }, scratch).relevance
}

/// Says of each pair whether it asks the same thing: NDJSON `{id, a, b}`, or two texts with a tab between.
///
/// # Errors
/// When the input cannot be read or the judge not be made.
pub fn similar(place: &Place, json: bool) -> anyhow::Result<ExitCode> {
    let config = config_or_leave!(place);
    let judge = app::judge(&config)?;
    lines::answer_each(|line| {
        if json {
            return similar_line(&judge, line)
                .map_err(|fault| format!("{}; expected {{\"id\", \"a\", \"b\"}}", whole(&fault)));
        }
        let pair: Option<Pair> = serde_json::from_str(line).ok();
        let texts = pair.as_ref().map(|pair| (pair.a.as_str(), pair.b.as_str()));
        let (a, b) = texts.or_else(|| line.split_once('\t')).ok_or("expected two texts with a tab between")?;
        let found = likeness(&judge, a, b);
        let said = if found.same { "samma" } else { "olika" };
        Ok(format!("{said}  {:.2}  {a} | {b}\n    {}", found.score, found.because.join("\n    ")))
    })
}

/// A fault with what is behind it, in one line.
fn whole(fault: &LineError) -> String {
    match std::error::Error::source(fault) {
        Some(source) => format!("{fault}: {source}"),
        None => fault.to_string(),
    }
}

/// Trains the judge from its seed, and from the corrections in the database when they are asked for, and writes the
/// model.
///
/// # Errors
/// When the database does not answer or the file cannot be written.
pub async fn train(place: &Place, out: &Path, corrected: bool) -> anyhow::Result<ExitCode> {
    let config = config_or_leave!(place);
    let (taught, office) = if corrected { corrections(&config).await? } else { (Vec::new(), None) };
    let lexicon = config.lexicon.context("the lexicon is not readable")?;
    let candidate = learned(&lexicon, &seed::lessons(), &taught);
    let bytes = candidate.model.bytes();
    std::fs::write(out, &bytes).with_context(|| format!("{} cannot be written", out.display()))?;
    println!("{}: {} byte, version {}", out.display(), bytes.len(), candidate.model.version());
    if let Some(office) = office {
        let same = office.hash == candidate.model.version();
        let said = if same { "samma som" } else { "en annan än" };
        println!("{} rättade inlägg; {said} den i tjänst (version {}, {})", taught.len(), office.number, office.hash);
    }
    Ok(ExitCode::SUCCESS)
}

/// The corrections up to the last that the judge in office has learned from; all when none is in office.
async fn corrections(config: &Config) -> anyhow::Result<(Vec<Lesson>, Option<VersionRow>)> {
    let db = Db::open(&config.database, config.connections).await?;
    let mut tx = db.read().await?;
    let office = store::in_office(&mut tx).await?;
    let up_to = office.as_ref().map_or(i64::MAX, |office| office.learned_to);
    let rows = store::corrected(&mut tx, up_to, CORRECTIONS_MAX).await?;
    Ok((lessons(&rows), office))
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
        UNREAD.join(", ")
    );
    if cross == CrossValidation::Yes {
        println!("\nKorsprov över alla röster:\n\n{}", cross_validated(&lexicon, &seed::lessons()).text());
    } else {
        println!("Kör det med --cross-validate.");
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints how well the judge does on posts that somebody has labelled: a file of NDJSON, `{text, channel, source}` and any
/// of the labels.
///
/// # Errors
/// When the file cannot be read or the judge not be made.
pub fn report_on(place: &Place, file: &Path) -> anyhow::Result<ExitCode> {
    let config = config_or_leave!(place);
    let (judge, watch) = (app::judge(&config)?, app::watch(&config));
    let mut scratch = Scratch::default();
    let mut posts = Vec::new();
    let faults = lines::take_each(file, |line| {
        if posts.len() == LESSONS_MAX {
            return Err(format!("one post more than the {LESSONS_MAX} that are taken"));
        }
        posts.push(labelled_line(&judge, line).map_err(|fault| format!("{}; {LABELLED}", whole(&fault)))?);
        Ok(())
    })?;
    if posts.is_empty() {
        eprintln!("{}: no labelled posts; {LABELLED}", file.display());
        return Ok(ExitCode::from(FOUND_WRONG));
    }
    let judged: Vec<(&Lesson, Classification)> = posts
        .iter()
        .map(|post| {
            let subject = post.subject();
            (post, judge.judge(&subject, Some(heard(&watch, &mut scratch, &subject))))
        })
        .collect();
    println!("Inläggen i {}, bedömda efter bevakningen och modellen som följer med:\n", file.display());
    println!("{}", tally(&judged).text());
    Ok(if faults == 0 { ExitCode::SUCCESS } else { ExitCode::from(FOUND_WRONG) })
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

fn as_text(judge: &Judge, verdict: &Classification) -> String {
    let about = match verdict.relevance {
        Relevance::Yes => "om oss",
        Relevance::Review => "kanske om oss",
        Relevance::No => "inte om oss",
    };
    let topics = judge.lexicon().topics();
    let topic = topics.iter().find(|(slug, _)| *slug == verdict.topic).map_or(verdict.topic.as_str(), |(_, name)| name);
    let unsure: Vec<String> = verdict
        .unsure
        .iter()
        .filter_map(|unsure| Question::from_slug(unsure))
        .map(|question| question.swedish().to_lowercase())
        .collect();
    let mut said = vec![format!(
        "  {about}; {topic}; {}; ton {}; brådska {}",
        verdict.intent.swedish(),
        verdict.sentiment.swedish().to_lowercase(),
        verdict.urgency.swedish().to_lowercase(),
    )];
    if !unsure.is_empty() {
        said.push(format!("    Osäker på: {}", unsure.join(", ")));
    }
    said.extend(verdict.flags.iter().map(|flag| format!("    Obs: {}", flag.swedish())));
    said.extend(verdict.because.iter().map(|because| format!("    {because}")));
    said.join("\n")
}
