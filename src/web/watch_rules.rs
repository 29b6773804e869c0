//! Bevakning: each watch rule in plain Swedish, what it hears day by day, how right it is and what it costs; and a trial
//! of a rule before it is written into words.toml.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;

use super::case_posts::Piece;
use super::fault::Fault;
use super::frame::Frame;
use super::sent::Query;
use super::trial::{JUDGED, TRIED_ON, Tried, attempt};
use super::visitor::Visitor;
use super::{Site, page, words};
use crate::audit::listening::{Listening, Share, listening, speaks_for};
use crate::audit::store::{Told, told_about_us};
use crate::calendar::stockholm;
use crate::clock::Time;
use crate::config::Config;
use crate::db::Tx;
use crate::mention::Heard;
use crate::mention::query::MAX_QUERY_BYTES;
use crate::mention::query_reading::reading;
use crate::mention::query_swedish::swedish;
use crate::mention::store::{Text, texts};
use crate::mention::watch::Watch;
use crate::mention::words::{Rule, Sign};

/// Rules on a page: with their readings they are some forty kilobytes.
const RULES: usize = 15;
/// Days that are shown.
const DAYS: usize = 30;
/// The latest mentions on which the cost of the rules is counted.
const COSTED: i64 = 500;
/// Letters of a reading that are shown; a rule of many alternatives is read in its file.
const READING: usize = 700;

/// What the address may ask for.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Asked {
    prov: Option<String>,
    efter: Option<usize>,
}

struct Row {
    name: String,
    sign: &'static str,
    because: String,
    query: String,
    reading: String,
    heard: String,
    bars: String,
    finding: String,
    right: String,
    found: String,
    cost: String,
}

/// A trial as the page shows it.
enum Trial {
    None,
    Fault { pointed: String },
    Told(Box<Shown>),
}

struct Shown {
    query: String,
    reading: String,
    heard: String,
    cost: String,
    right: String,
    samples: Vec<Vec<Piece>>,
    veiled: String,
}

#[derive(Template)]
#[template(path = "watch_rules.html")]
struct WatchRules {
    frame: Frame,
    rows: Vec<Row>,
    total: usize,
    judged: String,
    next: Option<usize>,
    prov: String,
    trial: Trial,
}

/// What is read for the page.
struct Read {
    days: Vec<String>,
    heard: Vec<(String, String, i64)>,
    told: Vec<Told>,
    texts: Vec<Text>,
}

pub(super) async fn show(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    // One line, so that the mark stands under its place.
    let prov = asked.prov.unwrap_or_default().replace(['\r', '\n', '\t'], " ");
    let prov: String = prov.trim().chars().take(MAX_QUERY_BYTES).collect();
    let mut tx = site.db.read().await?;
    let read = read(&mut tx, if prov.is_empty() { COSTED } else { TRIED_ON }, visitor.now).await?;
    let frame = Frame::of(&site, &visitor, &mut tx, "Bevakning", "/bevakning").await?;
    drop(tx);
    let from = asked.efter.unwrap_or(0);
    let config = Arc::clone(&site.app.config);
    let app = Arc::clone(&site.app);
    let tried = prov.clone();
    // Hearing some thousand posts anew takes a while: it does not stand in the way of other requests.
    let counted = tokio::task::spawn_blocking(move || {
        let trial = trial(&config, &tried, &read);
        let rows = rows(&config, &app.watch, &read, from);
        let about = read.told.iter().filter(|told| told.about_us).count();
        (trial, rows, read.told.len(), about)
    });
    let (trial, rows, judged, about) = counted.await.map_err(|fault| Fault::Own(fault.to_string()))?;
    let total = site.app.config.words.rules.len();
    let number = |n: usize| words::number(i64::try_from(n).unwrap_or(i64::MAX));
    page(&WatchRules {
        next: Some(from + rows.len()).filter(|next| *next < total && !rows.is_empty()),
        judged: format!("{} inlägg: {} om oss, {} inte", number(judged), number(about), number(judged - about)),
        rows,
        total,
        prov,
        trial,
        frame,
    })
}

async fn read(tx: &mut Tx, limit: i64, now: Time) -> Result<Read, Fault> {
    let day = |back: usize| {
        let back = Duration::from_hours(24).saturating_mul(u32::try_from(back).unwrap_or(0));
        now.minus(back).zoned(&stockholm()).date().to_string()
    };
    let days: Vec<String> = (0..DAYS).rev().map(day).collect();
    let (first, last) = (days.first().cloned().unwrap_or_default(), days.last().cloned().unwrap_or_default());
    Ok(Read {
        heard: crate::source::store::heard_by_rule(tx, &first, &last).await?,
        told: told_about_us(tx, JUDGED).await?,
        texts: texts(tx, limit).await?,
        days,
    })
}

fn trial(config: &Config, rule: &str, read: &Read) -> Trial {
    if rule.is_empty() {
        return Trial::None;
    }
    match attempt(&config.words, rule, &read.texts, &read.told) {
        Ok(tried) => Trial::Told(Box::new(shown(tried))),
        Err(fault) => Trial::Fault { pointed: swedish(&fault).pointed(rule) },
    }
}

fn shown(tried: Tried) -> Shown {
    Shown {
        query: tried.query,
        reading: cut(&tried.reading),
        heard: of(tried.heard),
        cost: of(tried.asked),
        right: tried.right.told().map(of).unwrap_or_default(),
        samples: tried.samples,
        veiled: if tried.veiled > 0 { words::number(i64::try_from(tried.veiled).unwrap_or(0)) } else { String::new() },
    }
}

fn rows(config: &Config, watch: &Watch, read: &Read, from: usize) -> Vec<Row> {
    let judged: Vec<(Heard<'_>, bool)> = read.told.iter().map(|told| (told.text.heard(), told.about_us)).collect();
    let costed = usize::try_from(COSTED).unwrap_or(0).min(read.texts.len());
    let posts: Vec<Heard<'_>> = read.texts.iter().take(costed).map(Text::heard).collect();
    let counted = listening(watch, &judged, &posts);
    let rules = config.words.rules.iter().skip(from).take(RULES);
    rules.map(|rule| row(rule, &counted, read)).collect()
}

fn row(rule: &Rule, counted: &Listening, read: &Read) -> Row {
    let by_day: BTreeMap<&str, i64> =
        read.heard.iter().filter(|(_, name, _)| *name == rule.name).map(|(day, _, n)| (day.as_str(), *n)).collect();
    let days: Vec<i64> = read.days.iter().map(|day| by_day.get(day.as_str()).copied().unwrap_or(0)).collect();
    let total: i64 = days.iter().sum();
    let most = days.iter().copied().max().unwrap_or(0);
    let noun = if speaks_for(rule.sign) { "om oss" } else { "inte om oss" };
    let told = |share: Share, text: &str| {
        share.told().map_or_else(|| "för få bedömda (minst 5)".to_owned(), |share| format!("{}{text}", of(share)))
    };
    Row {
        name: rule.name.clone(),
        sign: sign(rule.sign),
        because: rule.because.clone(),
        query: rule.query.to_string(),
        reading: cut(&reading(&rule.query)),
        heard: words::counted(total, "träff", "träffar"),
        bars: bars(&days, most),
        finding: format!(
            "{} på 30 dagar, som mest {} på en dag",
            words::counted(total, "träff", "träffar"),
            words::number(most)
        ),
        right: told(counted.precision(&rule.name, rule.sign), &format!(" bedömda träffar är {noun}")),
        found: told(counted.recall(&rule.name, rule.sign), &format!(" inlägg {noun} hör den")),
        cost: if counted.posts == 0 { "inga inlägg än".to_owned() } else { of(counted.cost(&rule.name)) },
    }
}

/// "18 av 20 (90 %)": the base is always there.
fn of(share: Share) -> String {
    let number = |n: usize| words::number(i64::try_from(n).unwrap_or(i64::MAX));
    let percent =
        (share.some * 100 + share.of / 2).checked_div(share.of).map_or(String::new(), |p| format!(" ({p}\u{a0}%)"));
    format!("{} av {}{percent}", number(share.some), number(share.of))
}

/// Thirty bars in a box of 120 by 24, as one path.
fn bars(days: &[i64], most: i64) -> String {
    let mut path = String::new();
    for (at, n) in days.iter().enumerate().filter(|(_, n)| **n > 0) {
        let height = (n * 22 / most.max(1)).max(1);
        // Writing to a text in memory cannot fail.
        let _ = write!(path, "M{} 24v-{height}h3v{height}z", at * 4);
    }
    path
}

fn cut(text: &str) -> String {
    let end = text.char_indices().nth(READING).map(|(at, _)| at);
    end.map_or_else(|| text.to_owned(), |end| format!("{} …", text.get(..end).unwrap_or_default()))
}

/// What it means that a rule matches, as a person reads it.
fn sign(sign: Sign) -> &'static str {
    match sign {
        Sign::Yes => "Om oss",
        Sign::Review => "En människa tittar",
        Sign::Place => "En plats som bara vi har",
        Sign::Matter => "Vårt namn och en kommunal fråga",
        Sign::Name => "Vårt namn",
        Sign::WeakMatter => "Osäker plats och en kommunal fråga",
        Sign::Weak => "Osäker plats",
        Sign::Civic => "En kommunal fråga",
        Sign::Organ => "Något bara en kommun har",
        Sign::NotName => "Namnet betyder annat",
        Sign::NotWeak => "Platsen är någon annans",
        Sign::Elsewhere => "En annan kommun",
        Sign::Private => "Lokalt men inte kommunalt",
        Sign::Advert => "Annons eller skräp",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_told_with_its_base_and_rounded_fairly() {
        assert_eq!(of(Share { some: 18, of: 20 }), "18 av 20 (90\u{a0}%)");
        assert_eq!(of(Share { some: 2, of: 3 }), "2 av 3 (67\u{a0}%)");
        assert_eq!(of(Share { some: 0, of: 0 }), "0 av 0");
    }

    #[test]
    fn a_day_with_a_hit_has_a_bar_and_a_day_without_has_none() {
        assert_eq!(bars(&[0, 1, 22], 22), "M4 24v-1h3v1zM8 24v-22h3v22z");
        assert_eq!(bars(&[0, 0], 0), "");
    }
}
