//! Min profil: how Lyhörd reaches me and when it must not. A chat is bound by a one-time code that is typed into it.

use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::civil::Date;

use super::fault::Fault;
use super::frame::{Frame, Notice, said};
use super::my_voices::{self, Account, Kind, ShownCode, Voice};
use super::sent::{Form, Query};
use super::visitor::Visitor;
use super::{Site, page, store, words};
use crate::app::wake;
use crate::assignment::start_of;
use crate::clock::Time;
use crate::db::Tx;
use crate::journal::{self, Fact};
use crate::reminder::{Rhythm, digest_store};
use crate::response::NOTE_MAX;

/// Days of absence in one row: parental leave and then some.
const ABSENCE_DAYS_MAX: u64 = 550;
/// Hours of silence at a time, longer is an absence.
const SILENCE_HOURS_MAX: u32 = 72;
/// What the address may ask for.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Asked {
    sagt: Option<String>,
}

struct Span {
    id: i64,
    text: String,
}

#[derive(Template)]
#[template(path = "profile.html")]
struct Profile {
    frame: Frame,
    name: String,
    unit: String,
    code: Option<ShownCode>,
    voices: Vec<Voice>,
    said: Vec<Kind>,
    typed: Vec<Kind>,
    accounts: Vec<Account>,
    last_resort: Option<String>,
    absences: Vec<Span>,
    silences: Vec<Span>,
    colleagues: Vec<super::inbox::Choice>,
    today: String,
    gathered: String,
    days: Vec<super::inbox::Choice>,
    clock: String,
}

pub(super) async fn show(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    render(&site, &visitor, said(asked.sagt.as_deref()), None).await
}

pub(super) async fn render(
    site: &Site,
    visitor: &Visitor,
    notice: Option<Notice>,
    code: Option<ShownCode>,
) -> Result<Response, Fault> {
    let organisation = site.organisation();
    let (key, now) = (visitor.person.key.as_str(), visitor.now);
    let mut tx = site.db.read().await?;
    let voices = my_voices::hers(&mut tx, key, now).await?;
    let absences = crate::assignment::store::absences(&mut tx, now).await?.into_iter().filter(|row| row.staff == key);
    let absences = absences
        .map(|row| {
            let deputy =
                row.deputy.as_deref().map(|deputy| format!(", {} ersätter", organisation.name_of_staff(deputy)));
            let last = row.ends_at.minus(Duration::from_millis(1));
            Span {
                id: row.id,
                text: format!(
                    "{} till {}{}",
                    words::day(row.starts_at, now),
                    words::day(last, now),
                    deputy.unwrap_or_default()
                ),
            }
        })
        .collect();
    let silences = crate::reminder::store::silences(&mut tx, now).await?;
    let silences = silences
        .into_iter()
        .filter(|row| row.scope == "person" && row.subject == key)
        .map(|row| Span { id: row.id, text: format!("Tyst till {}: {}", words::moment(row.ends_at, now), row.reason) })
        .collect();
    let chosen = digest_store::chosen_by(&mut tx, key).await?;
    let frame = Frame::of(site, visitor, &mut tx, "Min profil", "").await?.saying(notice);
    let staff = organisation.staff_at(key, now);
    let rhythm = chosen.or(staff.and_then(|staff| staff.digest.clone())).unwrap_or_default();
    let (day, clock) = split(&rhythm);
    let mut colleagues: Vec<_> = organisation
        .staff
        .iter()
        .filter(|other| other.period.holds(now) && other.key != key)
        .map(|other| super::inbox::choice(&other.key, &other.name, staff.and_then(|staff| staff.deputy.as_deref())))
        .collect();
    colleagues.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    let mail_is_on = site.app.voices.of(crate::chat::Channel::Email).is_some();
    let last_resort = staff.filter(|staff| mail_is_on && !staff.email.is_empty()).map(|staff| staff.email.clone());
    page(&Profile {
        frame,
        name: organisation.name_of_staff(key).to_owned(),
        unit: staff.map_or("", |staff| organisation.name_of_unit(&staff.unit)).to_owned(),
        code,
        voices,
        said: my_voices::said_kinds(site),
        typed: my_voices::typed_kinds(site),
        accounts: my_voices::accounts(site),
        last_resort,
        absences,
        silences,
        colleagues,
        gathered: gathered(&rhythm),
        days: DAYS.iter().map(|(slug, name)| super::inbox::choice(slug, name, Some(day))).collect(),
        clock: if clock.is_empty() { "08:15".to_owned() } else { clock.to_owned() },
        today: crate::assignment::zone().to_datetime(now.timestamp()).date().to_string(),
    })
}

fn saved() -> Response {
    Redirect::to("/min-profil?sagt=sparat").into_response()
}

pub(super) async fn refused(site: &Site, visitor: &Visitor, text: &str) -> Result<Response, Fault> {
    let notice = Notice { tone: "bad", text: text.to_owned() };
    let response = render(site, visitor, Some(notice), None).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, response).into_response())
}

pub(super) async fn tell(
    mut tx: Tx,
    visitor: &Visitor,
    kind: &'static str,
    body: serde_json::Value,
) -> Result<(), Fault> {
    let actor = visitor.person.key.clone();
    journal::append(&mut tx, &[Fact { at: visitor.now, actor, kind, case: None, mention: None, body }]).await?;
    tx.ring_on_commit("timetable");
    tx.ring_on_commit("web");
    Ok(tx.commit().await?)
}

/// A time away.
#[derive(Debug, serde::Deserialize)]
pub struct Away {
    fran: String,
    till: String,
    #[serde(default)]
    ersattare: String,
}

/// The first moment of the first day and the first after the last; nothing when they make no sense.
fn away(from: &str, until: &str, now: Time) -> Option<(Time, Time)> {
    let (from, until): (Date, Date) = (from.parse().ok()?, until.parse().ok()?);
    let (starts, ends) = (start_of(from)?, start_of(until.tomorrow().ok()?)?);
    let sane = starts < ends && ends > now && ends.since(starts) <= Duration::from_secs(ABSENCE_DAYS_MAX * 86_400);
    sane.then_some((starts, ends))
}

pub(super) async fn absence(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Form(asked): Form<Away>,
) -> Result<Response, Fault> {
    let Some((starts, ends)) = away(&asked.fran, &asked.till, visitor.now) else {
        return refused(
            &site,
            &visitor,
            "Datumen går inte ihop. Sista dagen ska vara i dag eller senare, och efter den första.",
        )
        .await;
    };
    let organisation = site.organisation();
    let deputy = Some(asked.ersattare.as_str()).filter(|deputy| !deputy.is_empty());
    if deputy.is_some_and(|deputy| deputy == visitor.person.key || organisation.staff_at(deputy, visitor.now).is_none())
    {
        return refused(&site, &visitor, "Välj en kollega som ersättare.").await;
    }
    let key = visitor.person.key.as_str();
    let mut tx = site.db.write().await?;
    crate::assignment::store::put_absence(&mut tx, key, starts, ends, deputy).await?;
    wake::around(&mut tx, &site.organisation(), key, visitor.now).await?;
    tell(tx, &visitor, "absence.noted", serde_json::json!({ "from": starts, "until": ends, "deputy": deputy })).await?;
    Ok(saved())
}

/// The row that is meant.
#[derive(Debug, serde::Deserialize)]
pub struct Meant {
    id: i64,
}

pub(super) async fn back_again(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Form(meant): Form<Meant>,
) -> Result<Response, Fault> {
    let key = visitor.person.key.as_str();
    let mut tx = site.db.write().await?;
    if !crate::assignment::store::end_absence(&mut tx, meant.id, key, visitor.now).await? {
        return Err(Fault::NotFound);
    }
    wake::around(&mut tx, &site.organisation(), key, visitor.now).await?;
    tell(tx, &visitor, "absence.ended", serde_json::json!({})).await?;
    Ok(saved())
}

/// When what can wait comes, as the form says it.
const DAYS: [(&str, &str); 9] = [
    ("varje", "varje arbetsdag"),
    ("monday", "på måndagar"),
    ("tuesday", "på tisdagar"),
    ("wednesday", "på onsdagar"),
    ("thursday", "på torsdagar"),
    ("friday", "på fredagar"),
    ("saturday", "på lördagar"),
    ("sunday", "på söndagar"),
    ("aldrig", "samla inte, säg var sak för sig"),
];

/// The day and the clock time of a rhythm, as the form has them.
fn split(rhythm: &str) -> (&str, &str) {
    match rhythm.split_once(' ') {
        Some(parts) => parts,
        None if rhythm.is_empty() => ("aldrig", ""),
        None => ("varje", rhythm),
    }
}

/// A rhythm as a person reads it.
fn gathered(rhythm: &str) -> String {
    let (day, clock) = split(rhythm);
    let name = DAYS.iter().find(|(slug, _)| *slug == day).map_or(day, |(_, name)| name);
    if clock.is_empty() {
        return "Var påminnelse kommer för sig.".to_owned();
    }
    format!("Det som kan vänta samlas och kommer {name} kl. {}.", clock.replace(':', "."))
}

/// When somebody wants what can wait.
#[derive(Debug, serde::Deserialize)]
pub struct Gather {
    dag: String,
    #[serde(default)]
    tid: String,
}

/// The rhythm that the form says; nothing when it cannot be read.
fn rhythm(asked: &Gather) -> Option<String> {
    if asked.dag == "aldrig" {
        return Some(String::new());
    }
    let (day, _) = DAYS.iter().find(|(slug, _)| *slug == asked.dag)?;
    let clock = asked.tid.get(..5).filter(|clock| clock.contains(':'))?;
    let rhythm = if *day == "varje" { clock.to_owned() } else { format!("{day} {clock}") };
    Rhythm::parse(&rhythm).map(|_| rhythm)
}

pub(super) async fn gather(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Form(asked): Form<Gather>,
) -> Result<Response, Fault> {
    let Some(rhythm) = rhythm(&asked) else {
        return refused(&site, &visitor, "Välj en dag och skriv tiden som 08:15.").await;
    };
    let key = visitor.person.key.as_str();
    let mut tx = site.db.write().await?;
    digest_store::choose(&mut tx, key, &rhythm, visitor.now).await?;
    wake::around(&mut tx, &site.organisation(), key, visitor.now).await?;
    tell(tx, &visitor, "digest.chosen", serde_json::json!({ "rhythm": rhythm })).await?;
    Ok(saved())
}

/// A time of silence.
#[derive(Debug, serde::Deserialize)]
pub struct Quiet {
    timmar: u32,
    skal: String,
}

pub(super) async fn silence(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Form(quiet): Form<Quiet>,
) -> Result<Response, Fault> {
    let reason: String = quiet.skal.trim().chars().take(NOTE_MAX).collect();
    if reason.is_empty() || quiet.timmar == 0 || quiet.timmar > SILENCE_HOURS_MAX {
        return refused(&site, &visitor, "Skriv varför, och välj högst tre dygn. Är du borta längre, ange frånvaro.")
            .await;
    }
    let (key, now) = (visitor.person.key.as_str(), visitor.now);
    let until = now.plus(Duration::from_secs(u64::from(quiet.timmar) * 3600));
    let mut tx = site.db.write().await?;
    crate::reminder::store::put_silence(&mut tx, "person", key, now, until, &reason, key).await?;
    wake::around(&mut tx, &site.organisation(), key, now).await?;
    tell(tx, &visitor, "silence.made", serde_json::json!({ "until": until })).await?;
    Ok(saved())
}

pub(super) async fn sound(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Form(meant): Form<Meant>,
) -> Result<Response, Fault> {
    let key = visitor.person.key.as_str();
    let mut tx = site.db.write().await?;
    if !store::lift_silence(&mut tx, meant.id, key, visitor.now).await? {
        return Err(Fault::NotFound);
    }
    wake::around(&mut tx, &site.organisation(), key, visitor.now).await?;
    tell(tx, &visitor, "silence.lifted", serde_json::json!({})).await?;
    Ok(saved())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_wait_comes_when_it_is_said_or_not_gathered_at_all() {
        let said = |dag: &str, tid: &str| rhythm(&Gather { dag: dag.into(), tid: tid.into() });
        assert_eq!(said("varje", "08:15").as_deref(), Some("08:15"));
        assert_eq!(said("monday", "13:00").as_deref(), Some("monday 13:00"));
        assert_eq!(said("aldrig", "").as_deref(), Some(""));
        for (dag, tid) in
            [("varje", ""), ("varje", "25:00"), ("someday", "08:15"), ("varje", "kväll"), ("varje", "ååå:0")]
        {
            assert_eq!(said(dag, tid), None, "{dag} {tid}");
        }
        assert_eq!(gathered("monday 13:00"), "Det som kan vänta samlas och kommer på måndagar kl. 13.00.");
        assert_eq!(gathered(""), "Var påminnelse kommer för sig.");
    }

    #[test]
    fn an_absence_covers_its_last_day_and_makes_sense() {
        let now = Time::parse("2026-11-23T10:00:00+01:00").unwrap();
        let (from, until) = away("2026-11-23", "2026-11-23", now).unwrap();
        assert_eq!(until.since(from), Duration::from_hours(24));
        for (from, until) in
            [("2026-11-24", "2026-11-23"), ("2026-11-01", "2026-11-22"), ("x", "y"), ("2026-11-24", "2099-01-01")]
        {
            assert_eq!(away(from, until, now), None, "{from} {until}");
        }
    }
}
