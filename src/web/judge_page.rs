//! Bedömaren: which version judges, what the last lesson changed, the way back, and stems that corrected posts suggest.

use std::collections::BTreeMap;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};

use super::fault::Fault;
use super::frame::{Frame, said};
use super::sent::{Path, Query};
use super::visitor::Visitor;
use super::{Site, page, words};
use crate::assignment::Organisation;
use crate::classification::correction::{Question, lessons};
use crate::classification::lexicon::Lexicon;
use crate::classification::seed::HELD_OUT;
use crate::classification::store::{self, VersionRow};
use crate::classification::suggest::suggest;
use crate::classification::versions::{Figures, Standing, due, swedish};
use crate::clock::Time;
use crate::journal::{self, Fact};
use crate::mention::person::Persons;
use crate::mention::query::parse;

/// Versions on a page.
const VERSIONS: i64 = 20;
/// The latest corrections that stems are suggested from.
const CORRECTED: i64 = 2_000;
/// The fewest corrected posts of a topic that must have a stem.
const POSTS: usize = 2;
/// Stems that are shown.
const STEMS: usize = 20;

/// What the address may ask for.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Asked {
    sagt: Option<String>,
    efter: Option<i64>,
}

/// A number of the version in office beside the one before.
struct Mark {
    name: &'static str,
    meaning: &'static str,
    before: String,
    after: String,
    tone: &'static str,
    change: String,
    base: String,
}

struct Row {
    number: i64,
    state: &'static str,
    tone: &'static str,
    made: String,
    since: String,
    corrections: String,
    mean: String,
    because: String,
    can_return: bool,
}

struct Stems {
    topic: String,
    slug: String,
    toml: String,
    why: String,
}

#[derive(Template)]
#[template(path = "judge_page.html")]
struct JudgePage {
    frame: Frame,
    in_office: String,
    learned: String,
    waiting: String,
    posts: String,
    /// The voices that they are by.
    voices: usize,
    marks: Vec<Mark>,
    rows: Vec<Row>,
    next: Option<i64>,
    stems: Vec<Stems>,
}

pub(super) async fn show(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let organisation = site.organisation();
    let now = visitor.now;
    let basis = &site.app.basis;
    let mut tx = site.db.read().await?;
    let office = store::in_office(&mut tx).await?.filter(|version| version.basis == *basis);
    let mut versions = store::versions(&mut tx, asked.efter.unwrap_or(i64::MAX), VERSIONS + 1).await?;
    let learned_to = store::learned_to(&mut tx, basis).await?;
    let unlearned = store::unlearned(&mut tx, learned_to).await?;
    let corrected = store::corrected(&mut tx, i64::MAX, CORRECTED).await?;
    let counts = store::correction_counts(&mut tx).await?;
    let frame = Frame::of(&site, &visitor, &mut tx, "Bedömaren", "/bevakning").await?;
    drop(tx);
    let shown = usize::try_from(VERSIONS).unwrap_or(usize::MAX);
    let next = versions.get(shown.saturating_sub(1)).filter(|_| versions.len() > shown).map(|last| last.number);
    versions.truncate(shown);
    let judge = site.app.judge();
    let (lexicon, names) = (judge.lexicon().clone(), organisation.topics.clone());
    // Reading two thousand posts for their words takes a while: it does not stand in the way of other requests.
    let stems = tokio::task::spawn_blocking(move || {
        let lessons = lessons(&corrected);
        let topic =
            |slug: &str| names.iter().find(|topic| topic.slug == slug).map_or(slug, |topic| &topic.name).to_owned();
        stems(&lexicon, &lessons, topic)
    });
    let stems = stems.await.map_err(|fault| Fault::Own(fault.to_string()))?;
    let figures = office.as_ref().map(of).unwrap_or_default();
    page(&JudgePage {
        frame: frame.saying(said(asked.sagt.as_deref())),
        in_office: office.as_ref().map_or_else(
            || "Den levererade bedömaren är i tjänst. Den har inte lärt sig av några rättelser än.".to_owned(),
            |version| standing(version, &organisation, now),
        ),
        learned: by_question(&counts),
        waiting: due(&unlearned).map(|at| waiting(unlearned.count, at, now)).unwrap_or_default(),
        posts: words::number(i64::try_from(figures.posts).unwrap_or(0)),
        voices: HELD_OUT.len(),
        marks: marks(office.as_ref()),
        rows: versions.iter().map(|version| row(version, basis, now)).collect(),
        next,
        stems,
    })
}

fn of(version: &VersionRow) -> Figures {
    serde_json::from_str(&version.figures).unwrap_or_default()
}

fn standing(version: &VersionRow, organisation: &Organisation, now: Time) -> String {
    let by = if version.stands_by == "lyhord" {
        String::new()
    } else {
        format!(", vald av {}", organisation.name_of_staff(&version.stands_by))
    };
    let learned = words::counted(version.corrections, "rättelse", "rättelser");
    format!(
        "Version {} är i tjänst sedan {}{by}. Den har lärt sig av {learned}.",
        version.number,
        words::moment(version.stands_since, now)
    )
}

fn waiting(count: i64, at: Time, now: Time) -> String {
    let waits = words::counted(count, "rättelse väntar", "rättelser väntar");
    let when = if at <= now { "och lärs nu".to_owned() } else { format!("och lärs {}", words::moment(at, now)) };
    format!("{waits} {when}.")
}

/// "12 ämne, 3 avsikt, 1 ton".
fn by_question(counts: &[(String, i64)]) -> String {
    let named = counts.iter().filter_map(|(question, n)| {
        Some(format!("{} {}", words::number(*n), Question::from_slug(question)?.swedish().to_lowercase()))
    });
    named.collect::<Vec<_>>().join(", ")
}

/// A share as a person says it: hundredths with a comma.
fn hundredths(value: f64) -> String {
    format!("{value:.2}").replace('.', ",")
}

fn marks(office: Option<&VersionRow>) -> Vec<Mark> {
    let Some(office) = office else { return Vec::new() };
    let before: Figures =
        office.figures_before.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    of(office)
        .figures
        .into_iter()
        .map(|figure| {
            let (name, meaning) = swedish(&figure.mark);
            let old = before.value(&figure.mark);
            let change = old.map_or(0.0, |old| figure.value - old);
            let (tone, text) = match change {
                change if change >= 0.005 => ("brand", format!("bättre, +{}", hundredths(change))),
                change if change <= -0.005 => ("soon", format!("något sämre, −{}", hundredths(-change))),
                _ => ("", "som förut".to_owned()),
            };
            Mark {
                name,
                meaning,
                before: old.map(hundredths).unwrap_or_default(),
                after: hundredths(figure.value),
                tone: if old.is_some() { tone } else { "" },
                change: if old.is_some() { text } else { "första mätningen".to_owned() },
                base: figure
                    .right
                    .map_or_else(|| format!("{} inlägg", figure.of), |right| format!("{right} av {} rätt", figure.of)),
            }
        })
        .collect()
}

fn row(version: &VersionRow, basis: &str, now: Time) -> Row {
    let state = Standing::from_slug(&version.state).unwrap_or(Standing::Retired);
    let figures = of(version);
    let before: Figures =
        version.figures_before.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    let mean = |figures: &Figures| {
        let n = f64::from(u32::try_from(figures.figures.len().max(1)).unwrap_or(1));
        figures.figures.iter().map(|figure| figure.value).sum::<f64>() / n
    };
    let mean_text = if before.figures.is_empty() {
        hundredths(mean(&figures))
    } else {
        format!("{} → {}", hundredths(mean(&before)), hundredths(mean(&figures)))
    };
    Row {
        number: version.number,
        state: state.swedish(),
        tone: match state {
            Standing::InOffice => "brand",
            Standing::Waiting => "calm",
            Standing::Retired => "",
            Standing::Refused => "soon",
        },
        made: words::moment(version.made_at, now),
        since: words::moment(version.stands_since, now),
        corrections: words::number(version.corrections),
        mean: mean_text,
        because: version.because.clone(),
        can_return: can_return(version, basis),
    }
}

/// Whether a person can put a version in office: it was good enough, its model is kept, and it was learned beside the
/// lexicon and the shipped model that are in use.
fn can_return(version: &VersionRow, basis: &str) -> bool {
    let able = matches!(Standing::from_slug(&version.state), Some(Standing::Retired | Standing::Waiting));
    let shipped = version.learned_to == 0 && version.figures_before.is_none();
    able && version.basis == basis && (version.kept || shipped)
}

/// The stems by topic, as they are pasted into the lexicon. What looks like somebody's name is left out (REF-01).
fn stems(
    lexicon: &Lexicon,
    lessons: &[crate::classification::train::Lesson],
    topic: impl Fn(&str) -> String,
) -> Vec<Stems> {
    let persons = Persons::default();
    let named = |stem: &str| parse(stem).map_or(true, |query| persons.refusal(&query).is_some());
    let found = suggest(lexicon, lessons, POSTS);
    let mut by_topic: BTreeMap<String, Vec<(String, usize)>> = BTreeMap::new();
    for one in found.into_iter().filter(|one| !named(&one.stem)).take(STEMS) {
        by_topic.entry(one.topic).or_default().push((one.stem, one.posts));
    }
    by_topic
        .into_iter()
        .map(|(slug, stems)| Stems {
            topic: topic(&slug),
            toml: stems.iter().map(|(stem, _)| format!("\"{stem}\",")).collect::<Vec<_>>().join(" "),
            why: stems
                .iter()
                .map(|(stem, posts)| format!("{stem}: {posts} rättade inlägg"))
                .collect::<Vec<_>>()
                .join(" · "),
            slug,
        })
        .collect()
}

/// Puts a version in office because a person says so.
pub(super) async fn appoint(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Path(number): Path<i64>,
) -> Result<Response, Fault> {
    let mut tx = site.db.write().await?;
    let version = store::versions(&mut tx, number.saturating_add(1), 1).await?.into_iter().find(|v| v.number == number);
    let version = version.filter(|version| can_return(version, &site.app.basis)).ok_or(Fault::NotFound)?;
    let before = store::in_office(&mut tx).await?;
    let who = visitor.person.key.as_str();
    if let Some(before) = &before {
        store::stand(&mut tx, before.number, Standing::Retired.slug(), who, visitor.now).await?;
    }
    store::stand(&mut tx, version.number, Standing::InOffice.slug(), who, visitor.now).await?;
    let fact = Fact {
        at: visitor.now,
        actor: who.to_owned(),
        kind: "judge.appointed",
        case: None,
        mention: None,
        body: serde_json::json!({
            "number": version.number, "hash": version.hash, "before": before.map(|before| before.number),
        }),
    };
    journal::append(&mut tx, &[fact]).await?;
    tx.ring_on_commit("judge");
    tx.ring_on_commit("web");
    tx.commit().await?;
    site.app.heed_appointment().await.map_err(|fault| Fault::Own(fault.to_string()))?;
    Ok(Redirect::to("/bevakning/bedomaren?sagt=bedomare").into_response())
}
