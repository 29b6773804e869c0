//! Läget: what waits and is late now, who is on duty, what is silent and why; silences for a unit, a topic or a crisis
//! are set and lifted here, with an end and a reason.

use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::access::{Person, may_see};
use super::fault::Fault;
use super::frame::{Frame, Notice, said};
use super::inbox::{Choice, choice};
use super::organisation_page::{OnCall, away_now, on_call};
use super::sent::{Form, Query};
use super::visitor::Visitor;
use super::{Site, page, words};
use crate::assignment::absence::of_rows;
use crate::assignment::{Organisation, Role, offer_store};
use crate::case::batch_store::{About, silence_changed};
use crate::case::{Threat, queue_store};
use crate::clock::Time;
use crate::id::CaseId;
use crate::journal::{self, Fact};
use crate::reminder::store::SilenceRow;
use crate::response::NOTE_MAX;

/// Hours of a silence for a unit or a topic; longer is a change of the settings.
const SILENCE_HOURS_MAX: u32 = 72;
/// Hours of a crisis at a time: a week, then somebody decides again.
const CRISIS_HOURS_MAX: u32 = 168;
/// Threats under way that are listed.
const THREATS_MAX: i64 = 100;
/// Offers to one person that are listed.
const OFFERS_MAX: i64 = 50;

struct Unit {
    name: String,
    open: String,
    late: String,
    waits: String,
    queued: String,
}

struct Quiet {
    id: i64,
    what: String,
    until: String,
    reason: String,
    by: String,
    mine: bool,
}

struct Listed {
    id: CaseId,
    text: String,
}

#[derive(Template)]
#[template(path = "situation.html")]
struct Page {
    frame: Frame,
    open: String,
    late: String,
    units: Vec<Unit>,
    on_call: Vec<OnCall>,
    away: Vec<(String, String)>,
    silences: Vec<Quiet>,
    crisis: Option<Quiet>,
    offers: Vec<Listed>,
    threats: Vec<Listed>,
    may_crisis: bool,
    of_units: Vec<Choice>,
    of_topics: Vec<Choice>,
}

/// What the address may ask for.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Asked {
    sagt: Option<String>,
}

/// What somebody may silence: units she leads, or everything when she answers for the whole.
fn may_silence(person: &Person, organisation: &Organisation, scope: &str, subject: &str, now: Time) -> bool {
    let chief = person.is(Role::Chief);
    match scope {
        "crisis" => chief,
        "topic" => (chief || person.is(Role::Communicator)) && organisation.topic(subject).is_some(),
        "unit" => {
            let Some(unit) = organisation.unit_at(subject, now) else { return false };
            let leads = unit.manager == person.key || unit.deputy == person.key;
            chief || leads || organisation.department_of(subject, now).is_some_and(|one| one.chief == person.key)
        }
        _ => false,
    }
}

fn quiet(row: &SilenceRow, organisation: &Organisation, person: &Person, now: Time) -> Quiet {
    let what = match row.scope.as_str() {
        "unit" => organisation.name_of_unit_at(&row.subject, now).to_owned(),
        "topic" => organisation.topic(&row.subject).map_or(row.subject.clone(), |topic| topic.name.clone()),
        "crisis" => "Krisläge".to_owned(),
        "person" => organisation.name_of_staff(&row.subject).to_owned(),
        _ => format!("Ärende {}", row.subject),
    };
    Quiet {
        id: row.id,
        what,
        until: words::moment(row.ends_at, now),
        reason: row.reason.clone(),
        by: organisation.name_of_staff(&row.made_by).to_owned(),
        mine: may_silence(person, organisation, &row.scope, &row.subject, now),
    }
}

pub(super) async fn show(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    render(&site, &visitor, said(asked.sagt.as_deref())).await
}

async fn render(site: &Site, visitor: &Visitor, notice: Option<Notice>) -> Result<Response, Fault> {
    let organisation = site.organisation();
    let (person, now) = (&visitor.person, visitor.now);
    let mut tx = site.db.read().await?;
    let waiting = queue_store::waiting_by_unit(&mut tx, now).await?;
    let queues = queue_store::queue_lengths(&mut tx).await?;
    let absences = of_rows(&crate::assignment::store::absences(&mut tx, now).await?);
    let rows = crate::reminder::store::silences(&mut tx, now).await?;
    let mut threats = Vec::new();
    for (id, step, supported) in queue_store::threats(&mut tx, THREATS_MAX).await? {
        let Some(row) = crate::case::store::find(&mut tx, id).await? else { continue };
        if !may_see(person, &row, &organisation, now) {
            continue;
        }
        let Some(at) = Threat::from_slug(&step) else { continue };
        let follow = supported.and_then(|supported| at.follow_up_at(supported));
        let follow = follow.map(|follow| format!(", följ upp {}", words::day(follow, now))).unwrap_or_default();
        threats.push(Listed { id, text: format!("{}{follow}", at.swedish()) });
    }
    let unit = person.units.first().map(String::as_str).unwrap_or_default();
    let offers = offer_store::offers_to(&mut tx, &person.key, unit, OFFERS_MAX).await?;
    let frame = Frame::of(site, visitor, &mut tx, "Läget", "/laget").await?.saying(notice);
    drop(tx);
    // Somebody's own silence and a case put off are shown where they belong, and named to nobody else.
    let shown = rows.iter().filter(|row| matches!(row.scope.as_str(), "unit" | "topic"));
    let crisis = rows.iter().find(|row| row.scope == "crisis" && row.starts_at <= now);
    let seen = waiting.iter().filter(|(unit, ..)| person.sees_unit(unit));
    let sum = |of: fn(&(String, i64, i64, i64)) -> i64| words::number(seen.clone().map(of).sum());
    let may = |scope, subject: &str| may_silence(person, &organisation, scope, subject, now);
    page(&Page {
        open: sum(|row| row.1),
        late: sum(|row| row.2),
        units: seen
            .clone()
            .map(|(unit, open, late, waits)| Unit {
                name: organisation.name_of_unit_at(unit, now).to_owned(),
                open: words::number(*open),
                late: words::number(*late),
                waits: words::number(*waits),
                queued: words::number(queues.iter().find(|(of, _)| of == unit).map_or(0, |(_, n)| *n)),
            })
            .collect(),
        on_call: on_call(site, &organisation, &absences, now),
        away: away_now(&organisation, &absences, now),
        silences: shown.map(|row| quiet(row, &organisation, person, now)).collect(),
        crisis: crisis.map(|row| quiet(row, &organisation, person, now)),
        offers: offers
            .iter()
            .map(|offer| Listed {
                id: offer.case_id,
                text: format!(
                    "{} vill lämna över, svara senast {}",
                    organisation.name_of_staff(&offer.from_staff),
                    words::moment(offer.ends_at, now)
                ),
            })
            .collect(),
        threats,
        may_crisis: may("crisis", ""),
        of_units: organisation
            .units
            .iter()
            .filter(|unit| unit.period.holds(now) && may("unit", &unit.key))
            .map(|unit| choice(&unit.key, &unit.name, None))
            .collect(),
        of_topics: organisation
            .topics
            .iter()
            .filter(|topic| may("topic", &topic.slug))
            .map(|topic| choice(&topic.slug, &topic.name, None))
            .collect(),
        frame,
    })
}

/// A silence about to be set.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Wanted {
    vad: String,
    enhet: String,
    amne: String,
    timmar: u32,
    skal: String,
}

async fn refused(site: &Site, visitor: &Visitor, text: &str) -> Result<Response, Fault> {
    let response = render(site, visitor, Some(Notice { tone: "bad", text: text.to_owned() })).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, response).into_response())
}

pub(super) async fn silence(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Form(wanted): Form<Wanted>,
) -> Result<Response, Fault> {
    let (scope, subject) = match wanted.vad.as_str() {
        "enhet" => ("unit", wanted.enhet.as_str()),
        "amne" => ("topic", wanted.amne.as_str()),
        "kris" => ("crisis", ""),
        _ => return refused(&site, &visitor, "Välj vad som ska vara tyst.").await,
    };
    let (person, now) = (&visitor.person, visitor.now);
    if !may_silence(person, &site.organisation(), scope, subject, now) {
        return Err(Fault::Forbidden);
    }
    let most = if scope == "crisis" { CRISIS_HOURS_MAX } else { SILENCE_HOURS_MAX };
    let reason: String = wanted.skal.trim().chars().take(NOTE_MAX).collect();
    if reason.is_empty() || wanted.timmar == 0 || wanted.timmar > most {
        return refused(&site, &visitor, "Skriv varför, och välj ett slut: tre dygn, eller en vecka för en kris.")
            .await;
    }
    let until = now.plus(Duration::from_secs(u64::from(wanted.timmar) * 3_600));
    let mut tx = site.db.write().await?;
    crate::reminder::store::put_silence(&mut tx, scope, subject, now, until, &reason, &person.key).await?;
    changed(tx, &visitor, (scope, subject), "silence.set", Some(until)).await?;
    Ok(Redirect::to("/laget?sagt=tyst").into_response())
}

/// The silence that is meant.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Meant {
    id: i64,
}

pub(super) async fn lift(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Form(meant): Form<Meant>,
) -> Result<Response, Fault> {
    let mut tx = site.db.write().await?;
    let row = crate::reminder::store::lift(&mut tx, meant.id, visitor.now).await?.ok_or(Fault::NotFound)?;
    if !may_silence(&visitor.person, &site.organisation(), &row.scope, &row.subject, visitor.now) {
        return Err(Fault::Forbidden);
    }
    changed(tx, &visitor, (&row.scope, &row.subject), "silence.lifted", None).await?;
    Ok(Redirect::to("/laget?sagt=ljud").into_response())
}

/// Lets the cases that are concerned be looked at, and tells the journal.
async fn changed(
    mut tx: crate::db::Tx,
    visitor: &Visitor,
    (scope, subject): (&str, &str),
    kind: &'static str,
    until: Option<Time>,
) -> Result<(), Fault> {
    let about = match scope {
        "unit" => About::Unit(subject),
        "topic" => About::Topic(subject),
        _ => About::Crisis,
    };
    silence_changed(&mut tx, about, visitor.now).await?;
    let body = serde_json::json!({ "scope": scope, "subject": subject, "until": until });
    let fact = Fact { at: visitor.now, actor: visitor.person.key.clone(), kind, case: None, mention: None, body };
    journal::append(&mut tx, &[fact]).await?;
    tx.ring_on_commit("timetable");
    tx.ring_on_commit("web");
    Ok(tx.commit().await?)
}
