//! Uppföljning: how many, the share unanswered first, how long the first answer took, and whether like questions got
//! like answers. One who leads a unit sees that unit beside the whole municipality; nobody sees a person.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::access::Person;
use super::fault::Fault;
use super::frame::Frame;
use super::inbox::{Choice, choice};
use super::mask::mask;
use super::plot::{Plot, plot};
use super::sent::Query;
use super::visitor::Visitor;
use super::{Site, page, words};
use crate::assignment::Organisation;
use crate::audit::kpi::{By, Figures, Group, Observation, figures, groups, months};
use crate::audit::similar::{Fact, differing, pairs};
use crate::audit::store::{OBSERVATIONS_MAX, Scope, observations};
use crate::clock::Time;
use crate::db::Tx;
use crate::id::CaseId;
use crate::response::store::{Answered, answered};

/// A day.
const DAY: Duration = Duration::from_hours(24);
/// The periods one can choose: days back, and what they are called.
const PERIODS: &[(&str, u32, &str)] =
    &[("30", 30, "30 dagar"), ("90", 90, "90 dagar"), ("365", 365, "ett år"), ("1095", 1095, "tre år")];
/// The period that is shown when none is chosen.
const PERIOD: (&str, u32) = ("365", 365);
/// Answers that are compared with each other: 300 make 45 000 pairs, a few milliseconds.
const COMPARED_MAX: i64 = 300;
/// Pairs of answers that are shown.
const PAIRS_SHOWN: usize = 6;
/// Letters of an answer beside another.
const EXCERPT: usize = 220;

/// What the figures are narrowed to. Units, never persons.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Asked {
    enhet: Option<String>,
    dagar: Option<String>,
}

struct Row {
    name: String,
    cases: String,
    told: Option<Told>,
}

struct Told {
    unanswered: (String, String),
    median: String,
    ninety: String,
    median_worked: String,
    ninety_worked: String,
    kept: (String, String),
    kept_from_arrival: String,
    found_late: String,
}

struct Table {
    caption: &'static str,
    head: &'static str,
    rows: Vec<Row>,
}

struct Side {
    case: CaseId,
    question: String,
    unit: String,
    when: String,
    answer: String,
}

struct Pair {
    first: Side,
    second: Side,
    differing: Vec<&'static str>,
}

/// What a comparison of answers found.
struct Compared {
    contradictions: usize,
    answers: usize,
    pairs: Vec<Pair>,
}

#[derive(Template)]
#[template(path = "follow_up.html")]
struct FollowUp {
    frame: Frame,
    period: String,
    units: Vec<Choice>,
    periods: Vec<Choice>,
    csv: String,
    total: Option<Told>,
    cases: String,
    unanswered: String,
    contradictions: String,
    answers: String,
    plot: Option<Plot>,
    tables: Vec<Table>,
    pairs: Vec<Pair>,
    cut: bool,
    links: bool,
}

/// The cases that may be told of, and over which time.
struct Basis {
    scope: Scope,
    days: &'static str,
    unit: Option<String>,
    all: Vec<Observation>,
}

async fn basis(tx: &mut Tx, visitor: &Visitor, asked: &Asked) -> Result<Basis, Fault> {
    let unit = asked.enhet.clone().filter(|unit| !unit.is_empty());
    if unit.as_deref().is_some_and(|unit| !visitor.person.sees_unit(unit)) {
        return Err(Fault::Forbidden);
    }
    let chosen = PERIODS.iter().find(|(key, _, _)| asked.dagar.as_deref() == Some(*key));
    let (key, days) = chosen.map_or(PERIOD, |(key, days, _)| (*key, *days));
    let scope = Scope { from: visitor.now.minus(DAY.saturating_mul(days)), until: visitor.now.plus(DAY) };
    let all = observations(tx, &scope, visitor.now).await?;
    Ok(Basis { scope, days: key, unit, all })
}

/// Those of the cases whose details the person may see, in the unit that was asked for.
fn within<'a>(basis: &'a Basis, person: &Person) -> Vec<&'a Observation> {
    basis
        .all
        .iter()
        .filter(|case| person.sees_unit(&case.unit) && basis.unit.as_ref().is_none_or(|unit| *unit == case.unit))
        .collect()
}

pub(super) async fn show(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let (organisation, calendars) = (site.organisation(), site.calendars());
    let mut tx = site.db.read().await?;
    let basis = basis(&mut tx, &visitor, &asked).await?;
    let answered = answered(&mut tx, None, basis.scope.from, COMPARED_MAX).await?;
    let answered: Vec<Answered> = answered
        .into_iter()
        .filter(|one| visitor.person.sees_unit(one.unit.as_deref().unwrap_or_default()))
        .filter(|one| basis.unit.is_none() || one.unit == basis.unit)
        .collect();
    let frame = Frame::of(&site, &visitor, &mut tx, "Uppföljning", "/uppfoljning").await?;
    drop(tx);
    // The sums take a while over many cases: they do not stand in the way of other requests.
    let (person, now, names) = (visitor.person.clone(), visitor.now, Arc::clone(&organisation));
    let counted = tokio::task::spawn_blocking(move || {
        let everyone: Vec<&Observation> = basis.all.iter().collect();
        let shown = within(&basis, &person);
        let total = figures(&shown, &calendars);
        let whole = figures(&everyone, &calendars);
        let tables = [By::Unit, By::Channel, By::Topic].map(|by| (by, groups(&shown, by, &calendars)));
        let unanswered = shown.iter().filter(|case| !case.answered).count();
        (months(&shown), total, whole, tables, unanswered, shown.len(), compared(&answered, &names, now), basis)
    });
    let (months, total, whole, tables, unanswered, n, compared, basis) =
        counted.await.map_err(|fault| Fault::Own(fault.to_string()))?;
    let mut tables: Vec<Table> = tables.into_iter().map(|(by, groups)| table(by, &groups, &organisation)).collect();
    if let (Some(first), Some(whole)) = (tables.first_mut(), whole) {
        first.rows.push(row("Hela kommunen".to_owned(), &Group { key: String::new(), figures: Some(whole) }));
    }
    let own = visitor.person.clone();
    page(&FollowUp {
        period: format!("{} – {}", words::day(basis.scope.from, visitor.now), words::day(visitor.now, visitor.now)),
        units: organisation
            .units
            .iter()
            .filter(|unit| unit.period.holds(visitor.now) && own.sees_unit(&unit.key))
            .map(|unit| choice(&unit.key, &unit.name, basis.unit.as_deref()))
            .collect(),
        periods: PERIODS.iter().map(|(key, _, name)| choice(key, name, Some(basis.days))).collect(),
        csv: csv_address(&basis),
        total: total.as_ref().map(told),
        cases: words::number(i64::try_from(n).unwrap_or(i64::MAX)),
        unanswered: words::number(i64::try_from(unanswered).unwrap_or(i64::MAX)),
        contradictions: words::number(i64::try_from(compared.contradictions).unwrap_or(i64::MAX)),
        answers: words::number(i64::try_from(compared.answers).unwrap_or(i64::MAX)),
        plot: plot(&months),
        tables,
        pairs: compared.pairs,
        cut: basis.all.len() >= usize::try_from(OBSERVATIONS_MAX).unwrap_or(usize::MAX),
        links: own.sees_all_units(),
        frame,
    })
}

fn csv_address(basis: &Basis) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("dagar", basis.days);
    if let Some(unit) = &basis.unit {
        query.append_pair("enhet", unit);
    }
    format!("/uppfoljning.csv?{}", query.finish())
}

fn name_of(by: By, key: &str, organisation: &Organisation) -> String {
    match by {
        By::Unit => organisation.name_of_unit(key).to_owned(),
        By::Channel => words::channel(key),
        By::Topic => organisation.topic(key).map_or(key, |topic| topic.name.as_str()).to_owned(),
    }
}

fn table(by: By, groups: &[Group], organisation: &Organisation) -> Table {
    let (caption, head) = match by {
        By::Unit => ("Per enhet", "Enhet"),
        By::Channel => ("Per kanal", "Kanal"),
        By::Topic => ("Per ämne", "Ämne"),
    };
    let mut rows: Vec<Row> = groups.iter().map(|group| row(name_of(by, &group.key, organisation), group)).collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    Table { caption, head, rows }
}

fn row(name: String, group: &Group) -> Row {
    let cases = group.figures.as_ref().map_or_else(String::new, |f| words::number(i64::try_from(f.cases).unwrap_or(0)));
    Row { name, cases, told: group.figures.as_ref().map(told) }
}

fn told(figures: &Figures) -> Told {
    let span = |ms: Option<i64>| ms.map_or_else(|| "för många väntar".to_owned(), words::span);
    let worked = |ms: Option<i64>| ms.map_or_else(String::new, |ms| format!("{} i arbetstid", words::span(ms)));
    Told {
        unanswered: percent(figures.unanswered, figures.cases),
        median: span(figures.median),
        ninety: span(figures.ninety),
        median_worked: worked(figures.median_worked),
        ninety_worked: worked(figures.ninety_worked),
        kept: percent(figures.kept, figures.promised),
        kept_from_arrival: if figures.found_late > 0 {
            let (kept, of) = figures.kept_from_arrival;
            format!("{} räknat från att det skrevs", percent(kept, of).0)
        } else {
            String::new()
        },
        found_late: words::number(i64::try_from(figures.found_late).unwrap_or(0)),
    }
}

/// "4 %" and "6 av 148": a share always has its base.
fn percent(part: usize, whole: usize) -> (String, String) {
    let (part, whole) = (i64::try_from(part).unwrap_or(0), i64::try_from(whole).unwrap_or(0));
    let share = (part * 200 + whole).checked_div(whole * 2);
    let share = share.map_or_else(|| "–".to_owned(), |share| format!("{share}\u{a0}%"));
    (share, format!("{} av {}", words::number(part), words::number(whole)))
}

/// Answers to like questions that are not the same answer, side by side; those whose facts differ first, then those
/// from two units.
fn compared(answered: &[Answered], organisation: &Organisation, now: Time) -> Compared {
    let questions: Vec<&str> = answered.iter().map(|one| one.question.as_str()).collect();
    let mut found: Vec<(Vec<&'static str>, &Answered, &Answered)> = pairs(&questions, answered.len() * answered.len())
        .into_iter()
        .filter_map(|(first, second)| answered.get(first).zip(answered.get(second)))
        .filter(|(first, second)| first.answer.trim() != second.answer.trim())
        .map(|(first, second)| {
            let facts = differing(&first.answer, &second.answer).into_iter().map(Fact::swedish).collect();
            (facts, first, second)
        })
        .collect();
    let at_odds = found.iter().filter(|(facts, _, _)| !facts.is_empty());
    let contradictions =
        at_odds.flat_map(|(_, first, second)| [first.case_id, second.case_id]).collect::<BTreeSet<_>>().len();
    found.sort_by_key(|(facts, first, second)| (facts.is_empty(), first.unit == second.unit));
    // Each case stands once: one that is like many others would else fill the page.
    let mut shown: BTreeSet<CaseId> = BTreeSet::new();
    found.retain(|(_, first, second)| {
        let fresh =
            !shown.contains(&first.case_id) && !shown.contains(&second.case_id) && shown.len() < PAIRS_SHOWN * 2;
        if fresh {
            shown.extend([first.case_id, second.case_id]);
        }
        fresh
    });
    let pairs = found
        .into_iter()
        .map(|(differing, first, second)| Pair {
            first: side(first, organisation, now),
            second: side(second, organisation, now),
            differing,
        })
        .collect();
    Compared { contradictions, answers: answered.len(), pairs }
}

fn side(one: &Answered, organisation: &Organisation, now: Time) -> Side {
    Side {
        case: one.case_id,
        question: mask(&one.question),
        unit: organisation.name_of_unit(one.unit.as_deref().unwrap_or("–")).to_owned(),
        when: words::day(one.answered_at, now),
        answer: mask(&one.answer.chars().take(EXCERPT).collect::<String>()),
    }
}

pub(super) async fn csv(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let (organisation, calendars) = (site.organisation(), site.calendars());
    let mut tx = site.db.read().await?;
    let basis = basis(&mut tx, &visitor, &asked).await?;
    drop(tx);
    let person = visitor.person.clone();
    let text = tokio::task::spawn_blocking(move || {
        let shown = within(&basis, &person);
        let mut text = String::from(
            "\u{feff}Indelning;Namn;Ärenden;Obesvarade;Median kalendertid (min);90 % kalendertid (min);Median arbetstid (min);90 % arbetstid (min);Prövade löften;Hållna löften;Hållna räknat från skrivet;Upptäckta sent\r\n",
        );
        for (by, what) in [(By::Unit, "enhet"), (By::Channel, "kanal"), (By::Topic, "ämne")] {
            for group in groups(&shown, by, &calendars) {
                text.push_str(&csv_line(what, &name_of(by, &group.key, &organisation), group.figures.as_ref()));
            }
        }
        text
    })
    .await
    .map_err(|fault| Fault::Own(fault.to_string()))?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"uppfoljning.csv\""),
    ];
    Ok((headers, text).into_response())
}

fn csv_line(what: &str, name: &str, figures: Option<&Figures>) -> String {
    let minutes = |ms: Option<i64>| ms.map_or_else(String::new, |ms| (ms / 60_000).to_string());
    let cells = match figures {
        None => vec![cell(what), cell(name), "färre än 5".to_owned()],
        Some(f) => vec![
            cell(what),
            cell(name),
            f.cases.to_string(),
            f.unanswered.to_string(),
            minutes(f.median),
            minutes(f.ninety),
            minutes(f.median_worked),
            minutes(f.ninety_worked),
            f.promised.to_string(),
            f.kept.to_string(),
            f.kept_from_arrival.0.to_string(),
            f.found_late.to_string(),
        ],
    };
    format!("{}\r\n", cells.join(";"))
}

/// A text in a spreadsheet: quoted, and never a formula.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_has_its_base() {
        assert_eq!(percent(6, 148), ("4\u{a0}%".into(), "6 av 148".into()));
        assert_eq!(percent(0, 0), ("–".into(), "0 av 0".into()));
    }

    #[test]
    fn a_name_is_never_a_formula() {
        assert_eq!(cell("=1+1"), "\"'=1+1\"");
        assert_eq!(cell("VA \"jour\""), "\"VA \"\"jour\"\"\"");
        assert_eq!(csv_line("enhet", "Kansli", None), "\"enhet\";\"Kansli\";färre än 5\r\n");
    }
}
