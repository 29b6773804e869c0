//! Lets the judge learn from what staff have corrected: the whole model anew, compared on the fixed regression set, and
//! swapped in only when nothing got worse there. Every try is kept with its numbers, also one that was refused.

use std::collections::BTreeMap;

use anyhow::Context as _;

use crate::app::App;
use crate::classification::correction::lessons;
use crate::classification::refit::{Candidate, compare, learned};
use crate::classification::store::{self, Corrected, NewVersion, VersionRow};
use crate::classification::train::Lesson;
use crate::classification::versions::{Figures, KEPT, Standing, due, standing_of_new, swedish};
use crate::clock::Time;
use crate::db::Tx;
use crate::jobs::WEB_BELL;
use crate::journal::{self, Fact};

/// The bell that says: another judge may be in office.
pub const JUDGE_BELL: &str = "judge";
/// The latest corrections that are learned from; the older ones have been learned from many times.
pub const CORRECTIONS_MAX: i64 = 20_000;

/// When the judge is to learn next, and up to which correction.
///
/// # Errors
/// What the database says.
pub async fn next(app: &App, tx: &mut Tx) -> sqlx::Result<Option<(Time, i64)>> {
    let from = store::learned_to(tx, &app.basis).await?;
    let unlearned = store::unlearned(tx, from).await?;
    Ok(due(&unlearned).map(|at| (at, unlearned.last)))
}

/// One lesson for what has been corrected so far, and another each hour that it stays unlearned.
#[must_use]
pub fn key(last: i64, due: Time, now: Time) -> String {
    format!("refit:{last}:{}", now.since(due).as_secs() / 3_600)
}

/// What a lesson begins with.
struct Ground {
    in_office: Option<VersionRow>,
    shipped: Option<VersionRow>,
    corrected: Vec<Corrected>,
    last: i64,
}

/// What a lesson ends with.
struct Learned {
    shipped: Option<Candidate>,
    candidate: Candidate,
    verdict: Result<(), String>,
}

/// Learns when something is unlearned. The training runs beside the executor and holds no transaction.
///
/// # Errors
/// What the database says; nothing is then kept, and the work is tried again.
pub async fn run(app: &App, now: Time) -> anyhow::Result<()> {
    let mut tx = app.db.read().await?;
    let Some((_, last)) = next(app, &mut tx).await? else { return Ok(()) };
    let ground = Ground {
        in_office: store::in_office(&mut tx).await?.filter(|version| version.basis == app.basis),
        shipped: store::shipped_version(&mut tx, &app.basis).await?,
        corrected: store::corrected(&mut tx, last, CORRECTIONS_MAX).await?,
        last,
    };
    drop(tx);
    let (lexicon, seed) = (app.judge().lexicon().clone(), app.seed);
    let taught = lessons(&ground.corrected);
    let before = [figures(ground.in_office.as_ref()), figures(ground.shipped.as_ref())];
    let done = tokio::task::spawn_blocking(move || {
        let seed: Vec<Lesson> = seed();
        let shipped = before[1].is_none().then(|| learned(&lexicon, &seed, &[]));
        let candidate = learned(&lexicon, &seed, &taught);
        let shipped_figures = shipped.as_ref().map(|shipped| shipped.figures.clone());
        let before: Vec<Figures> = before.into_iter().chain([shipped_figures]).flatten().collect();
        let before: Vec<&Figures> = before.iter().collect();
        let verdict = compare(&before, &candidate.figures).map_err(|worse| {
            let number = |value: f64| format!("{value:.3}").replace('.', ",");
            format!("{} faller från {} till {}", swedish(&worse.mark).0, number(worse.before), number(worse.after))
        });
        Learned { shipped, candidate, verdict }
    });
    let done = done.await.context("the training fell")?;
    settle(app, &ground, &done, now).await
}

fn figures(version: Option<&VersionRow>) -> Option<Figures> {
    serde_json::from_str(&version?.figures).ok()
}

/// Keeps the version, and puts it in office when it is good enough and nobody has decided otherwise.
async fn settle(app: &App, ground: &Ground, done: &Learned, now: Time) -> anyhow::Result<()> {
    let mut tx = app.db.write().await?;
    let standing_now = store::in_office(&mut tx).await?;
    let same = standing_now.as_ref().filter(|version| version.basis == app.basis).map(|version| version.number);
    let overtaken = same != ground.in_office.as_ref().map(|version| version.number);
    if overtaken || store::learned_to(&mut tx, &app.basis).await? >= ground.last {
        return Ok(());
    }
    let mut in_office = standing_now;
    if let Some(shipped) = &done.shipped {
        in_office = Some(keep_shipped(app, &mut tx, shipped, in_office.as_ref(), now).await?);
    }
    let in_office = in_office.context("there is no judge in office")?;
    let newest = store::newest_good(&mut tx).await?;
    let (state, because) = match &done.verdict {
        Ok(()) if standing_of_new(in_office.number, newest) == Standing::InOffice => {
            (Standing::InOffice, "Inget mått blev sämre på kontrollmängden.".to_owned())
        }
        Ok(()) => {
            (Standing::Waiting, format!("Den är god nog, men en människa har valt version {}.", in_office.number))
        }
        Err(worse) => (Standing::Refused, format!("Sämre på kontrollmängden: {worse}.")),
    };
    let bytes = done.candidate.model.bytes();
    let new = NewVersion {
        hash: done.candidate.model.version(),
        basis: &app.basis,
        model: (state != Standing::Refused).then_some(bytes.as_slice()),
        figures: &serde_json::to_string(&done.candidate.figures)?,
        figures_before: Some(&in_office.figures),
        corrections: i64::try_from(ground.corrected.len()).unwrap_or(i64::MAX),
        learned_to: ground.last,
        learned: &serde_json::to_string(&by_question(&ground.corrected))?,
        state: state.slug(),
        because: &because,
    };
    if state == Standing::InOffice {
        store::stand(&mut tx, in_office.number, Standing::Retired.slug(), "lyhord", now).await?;
    }
    let number = store::put_version(&mut tx, &new, now).await?;
    store::forget_models(&mut tx, KEPT).await?;
    let body = serde_json::json!({
        "number": number, "hash": new.hash, "corrections": new.corrections, "state": new.state, "before": in_office.number,
    });
    let actor = "lyhord".to_owned();
    let fact = Fact { at: now, actor, kind: "judge.learned", case: None, mention: None, body };
    tx.ring_on_commit(JUDGE_BELL);
    tx.ring_on_commit(WEB_BELL);
    journal::append(&mut tx, &[fact]).await?;
    tx.commit().await?;
    tracing::info!(number, state = state.slug(), corrections = new.corrections, "the judge has learned");
    app.heed_appointment().await
}

/// The shipped judge becomes a version with numbers, so that later ones are compared with it and one can go back to it.
/// A judge that was learned beside another lexicon or another shipped model leaves office then.
async fn keep_shipped(
    app: &App,
    tx: &mut Tx,
    shipped: &Candidate,
    before: Option<&VersionRow>,
    now: Time,
) -> anyhow::Result<VersionRow> {
    if let Some(before) = before {
        store::stand(tx, before.number, Standing::Retired.slug(), "lyhord", now).await?;
    }
    let new = NewVersion {
        hash: app.basis.split('-').next().unwrap_or_default(),
        basis: &app.basis,
        model: None,
        figures: &serde_json::to_string(&shipped.figures)?,
        figures_before: None,
        corrections: 0,
        learned_to: 0,
        learned: "{}",
        state: Standing::InOffice.slug(),
        because: "Den levererade bedömaren, utan rättelser.",
    };
    store::put_version(tx, &new, now).await?;
    store::in_office(tx).await?.context("the shipped judge was not kept")
}

fn by_question(corrected: &[Corrected]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for row in corrected {
        *counts.entry(row.question.as_str()).or_default() += 1;
    }
    counts
}
