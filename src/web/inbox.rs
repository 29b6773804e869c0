//! Inkorg and Mina ärenden: what waits, the most urgent first, and why each is silent or loud right now.

use std::fmt::Write as _;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;

use super::access::may_see;
use super::fault::Fault;
use super::frame::{Frame, Notice, said};
use super::mask::mask;
use super::sent::Query;
use super::visitor::Visitor;
use super::{Site, page, rushes, store, words};
use crate::assignment::{Lane, Organisation};
use crate::case::list_store::Filter;
use crate::case::store::CaseRow;
use crate::case::{CaseState, Threat};
use crate::chat::undelivered_store::{self, Undelivered};
use crate::classification::{Intent, Urgency};
use crate::clock::Time;
use crate::db::Tx;
use crate::id::CaseId;

/// Cases on a page: two screens, and well under 60 KB.
const PAGE_CASES: i64 = 40;
/// Letters of a search.
const SEARCH_MAX: usize = 100;
/// Letters of a title in a list; the stylesheet shows two lines of it.
const TITLE_MAX: usize = 180;

/// What the list is narrowed to. Never by who wrote: there is no such thing to ask for (REF-02).
#[derive(Debug, Default, serde::Deserialize)]
pub struct Asked {
    enhet: Option<String>,
    amne: Option<String>,
    sok: Option<String>,
    lage: Option<String>,
    efter: Option<String>,
    sagt: Option<String>,
}

/// One of several to choose from in a form.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) name: String,
    pub(super) chosen: bool,
}

/// A case in a list.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: CaseId,
    channel: String,
    machine: String,
    when: String,
    text: String,
    intent: Option<(&'static str, &'static str)>,
    tags: Vec<(&'static str, String)>,
    due: words::Due,
    who: String,
    hold: String,
}

#[derive(Template)]
#[template(path = "inbox.html")]
struct Inbox {
    frame: Frame,
    heading: &'static str,
    summary: String,
    path: &'static str,
    rushes: Vec<rushes::Line>,
    filters: bool,
    search: String,
    units: Vec<Choice>,
    topics: Vec<Choice>,
    states: Vec<Choice>,
    rows: Vec<Row>,
    next: Option<String>,
    empty: &'static str,
}

pub(super) async fn show(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let organisation = site.organisation();
    let unit = asked.enhet.as_deref().filter(|unit| !unit.is_empty());
    let person = &visitor.person;
    let unit = match unit {
        Some(unit) if !person.sees_unit(unit) => return Err(Fault::Forbidden),
        None if !person.sees_all_units() => person.units.first().map(String::as_str),
        unit => unit,
    };
    let topic = asked.amne.as_deref().filter(|topic| !topic.is_empty());
    let search: String = asked.sok.as_deref().unwrap_or_default().trim().chars().take(SEARCH_MAX).collect();
    let closed = asked.lage.as_deref() == Some("avslutade");
    let personal = mask(&search) != search;
    let words = (!search.is_empty() && !personal && search.contains(char::is_alphanumeric)).then_some(search.as_str());
    let filter = Filter {
        unit,
        topic,
        words,
        closed,
        restricted: true,
        after: asked.efter.as_deref().and_then(cursor),
        ..Filter::default()
    };

    let mut tx = site.db.read().await?;
    let frame = Frame::of(&site, &visitor, &mut tx, "Inkorg", "/inkorg").await?;
    let (rows, next) =
        if personal { (Vec::new(), None) } else { listed(&mut tx, &visitor, &organisation, &filter).await? };
    let (waiting, late) = if let Some(unit) = unit {
        store::waiting_in_unit(&mut tx, unit, visitor.now).await?
    } else {
        let (waiting, late, _) = crate::case::list_store::counts(&mut tx, &person.key, visitor.now).await?;
        (waiting, late)
    };
    let read = store::last_read(&mut tx).await?;
    let rushes =
        if person.sees_all_units() { rushes::lines(&mut tx, &organisation, visitor.now).await? } else { Vec::new() };
    let notice = if personal { Some(no_persons()) } else { said(asked.sagt.as_deref()) };
    let units = units(person, &organisation, unit, visitor.now);
    page(&Inbox {
        frame: frame.saying(notice),
        heading: "Inkorg",
        summary: summary(waiting, late, read, visitor.now),
        path: "/inkorg",
        rushes,
        filters: true,
        units,
        topics: organisation.topics.iter().map(|t| choice(&t.slug, &t.name, topic)).collect(),
        states: vec![
            choice("", "Väntar på svar", Some(if closed { "avslutade" } else { "" })),
            choice("avslutade", "Avslutade", Some(if closed { "avslutade" } else { "" })),
        ],
        next: next.map(|next| again(unit, topic, &search, closed, &next)),
        rows,
        search,
        empty: "Här visas inlägg som väntar på svar. Just nu finns inget som passar urvalet.",
    })
}

pub(super) async fn mine(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let organisation = site.organisation();
    let mut tx = site.db.read().await?;
    let frame = Frame::of(&site, &visitor, &mut tx, "Mina ärenden", "/mina").await?;
    let filter = Filter {
        owner: Some(&visitor.person.key),
        restricted: true,
        after: asked.efter.as_deref().and_then(cursor),
        ..Filter::default()
    };
    let (rows, next) = listed(&mut tx, &visitor, &organisation, &filter).await?;
    let (_, _, mine) = crate::case::list_store::counts(&mut tx, &visitor.person.key, visitor.now).await?;
    page(&Inbox {
        frame: frame.saying(said(asked.sagt.as_deref())),
        heading: "Mina ärenden",
        summary: format!("{} väntar på dig", words::counted(mine, "ärende", "ärenden")),
        path: "/mina",
        rushes: Vec::new(),
        filters: false,
        search: String::new(),
        units: Vec::new(),
        topics: Vec::new(),
        states: Vec::new(),
        next: next.map(|next| format!("/mina?efter={next}")),
        rows,
        empty: "Här visas ärenden som är dina. Just nu har du inga. Ta ett ur inkorgen eller vänta tills du får ett.",
    })
}

fn no_persons() -> Notice {
    let text = "Lyhörd söker inte efter personer, konton, nummer eller adresser. Sök på vad ärendet handlar om.";
    Notice { tone: "bad", text: text.to_owned() }
}

fn summary(waiting: i64, late: i64, read: Option<Time>, now: Time) -> String {
    let mut text = format!("{} väntar på svar", words::number(waiting));
    if late > 0 {
        let _ = write!(text, " · {} försenade", words::number(late));
    }
    if let Some(read) = read {
        let _ = write!(text, " · senast hämtat {}", words::moment(read, now));
    }
    text
}

fn units(person: &super::access::Person, organisation: &Organisation, chosen: Option<&str>, now: Time) -> Vec<Choice> {
    organisation
        .units
        .iter()
        .filter(|unit| unit.period.holds(now) && person.sees_unit(&unit.key))
        .map(|unit| choice(&unit.key, &unit.name, chosen))
        .collect()
}

pub(super) fn choice(value: &str, name: &str, chosen: Option<&str>) -> Choice {
    Choice { value: value.to_owned(), name: name.to_owned(), chosen: chosen == Some(value) }
}

/// A page of cases that the visitor may see, and where the next begins.
async fn listed(
    tx: &mut Tx,
    visitor: &Visitor,
    organisation: &Organisation,
    filter: &Filter<'_>,
) -> Result<(Vec<Row>, Option<String>), Fault> {
    let mut cases = crate::case::list_store::page(tx, filter, PAGE_CASES + 1).await?;
    let more = cases.len() > usize::try_from(PAGE_CASES).unwrap_or(usize::MAX);
    cases.truncate(usize::try_from(PAGE_CASES).unwrap_or(usize::MAX));
    let next = cases.last().filter(|_| more).map(|last| {
        let at = if filter.closed { last.closed_at } else { last.due_at };
        format!("{}_{}", at.unwrap_or_default().0, last.id)
    });
    cases.retain(|case| may_see(&visitor.person, case, organisation, visitor.now));
    let ids: Vec<CaseId> = cases.iter().map(|case| case.id).collect();
    let alike = store::mentions_in(tx, &ids).await?;
    let undelivered = undelivered_store::undelivered(tx, &ids, visitor.now).await?;
    let rows = cases
        .iter()
        .map(|case| {
            let alike = alike.iter().find(|(id, _)| *id == case.id).map_or(0, |(_, n)| n - 1);
            let undelivered = undelivered.iter().find(|one| one.case_id == case.id);
            row(case, alike, undelivered, organisation, visitor.now)
        })
        .collect();
    Ok((rows, next))
}

/// Reads where a page begins: `milliseconds_id`.
fn cursor(text: &str) -> Option<(Time, CaseId)> {
    let (at, id) = text.split_once('_')?;
    Some((Time(at.parse().ok()?), CaseId(id.parse().ok()?)))
}

fn again(unit: Option<&str>, topic: Option<&str>, search: &str, closed: bool, next: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (key, value) in [("enhet", unit.unwrap_or_default()), ("amne", topic.unwrap_or_default()), ("sok", search)] {
        if !value.is_empty() {
            query.append_pair(key, value);
        }
    }
    if closed {
        query.append_pair("lage", "avslutade");
    }
    format!("/inkorg?{}", query.append_pair("efter", next).finish())
}

/// True when the text is only shown to one who has asked for it.
pub(super) fn blurred(case: &CaseRow) -> bool {
    if case.threat.as_deref().and_then(Threat::from_slug).is_some_and(Threat::is_open_to_all) {
        return false;
    }
    let lane = case.lane.as_deref().and_then(Lane::from_slug);
    lane.is_some_and(Lane::blurred) || case.intent == Intent::Threat.slug()
}

/// What a list shows of the post: its own words with others' names masked, or why it shows none.
pub(super) fn shown(case: &CaseRow) -> String {
    if blurred(case) {
        "Möjligt hot eller hat. Texten visas i ärendet när du ber om den.".to_owned()
    } else if case.restricted || case.protected {
        "Skyddat ämne. Öppna ärendet för att läsa.".to_owned()
    } else {
        mask(&case.title).chars().take(TITLE_MAX).collect()
    }
}

fn row(case: &CaseRow, alike: i64, undelivered: Option<&Undelivered>, organisation: &Organisation, now: Time) -> Row {
    let intent = Intent::from_slug(&case.intent).map(|intent| (tone(intent), intent.swedish()));
    let mut tags: Vec<(&'static str, String)> = Vec::new();
    if case.triage {
        tags.push(("soon", "Handlar det om oss?".to_owned()));
    }
    match Urgency::from_slug(&case.urgency) {
        Some(Urgency::Acute) => tags.push(("late", "Akut".to_owned())),
        Some(Urgency::High) => tags.push(("soon", "Hög brådska".to_owned())),
        Some(Urgency::Normal) | None => {}
    }
    let topic = organisation.topic(&case.topic).map_or(case.topic.as_str(), |topic| topic.name.as_str());
    tags.push(("", topic.to_owned()));
    if let Some(place) = case.place.as_deref().filter(|place| !place.is_empty()) {
        tags.push(("", place.to_owned()));
    }
    if alike > 0 {
        tags.push(("", format!("{} liknande", words::number(alike))));
    }
    let state = CaseState::from_slug(&case.state);
    let due = match case.closed_at {
        Some(closed) => words::Due {
            text: format!("{} {}", state.map_or("Avslutat", CaseState::swedish), words::moment(closed, now)),
            tone: "",
        },
        None => words::due(case.due_at, None, now),
    };
    Row {
        id: case.id,
        channel: words::channel(&case.channel),
        machine: words::machine(case.arrived_at),
        when: words::moment(case.arrived_at, now),
        text: shown(case),
        intent,
        tags,
        due,
        who: holder(case, organisation),
        hold: match undelivered.filter(|_| case.closed_at.is_none()) {
            Some(undelivered) => not_reached(undelivered, organisation, now),
            None => hold(case, now),
        },
    }
}

fn tone(intent: Intent) -> &'static str {
    match intent {
        Intent::Praise => "brand",
        Intent::Threat => "late",
        Intent::Document => "soon",
        _ => "calm",
    }
}

fn holder(case: &CaseRow, organisation: &Organisation) -> String {
    let unit = case.unit.as_deref().map_or("Ingen enhet än", |unit| organisation.name_of_unit(unit));
    let name = case.owner.as_deref().map(|owner| organisation.name_of_staff(owner));
    let first = name.and_then(|name| name.split_whitespace().next());
    let taken = case.state == CaseState::Accepted.slug();
    match (first, taken) {
        (Some(first), true) => format!("{unit} · {first} har tagit det"),
        (Some(first), false) => format!("{unit} · {first}"),
        (None, _) => unit.to_owned(),
    }
}

/// That what has been decided has not reached its reader, and why.
pub(super) fn not_reached(undelivered: &Undelivered, organisation: &Organisation, now: Time) -> String {
    let name = organisation.name_of_staff(&undelivered.recipient);
    match undelivered.held_until {
        Some(until) => format!(
            "Tyst: påminnelsen till {name} väntar till {}, utanför arbetstid störs ingen",
            words::moment(until, now)
        ),
        None => format!("Ingen väg till {name}: ingen chatt eller e-post som fungerar är vald"),
    }
}

/// Why it is silent or loud right now.
fn hold(case: &CaseRow, now: Time) -> String {
    if case.closed_at.is_some() {
        return String::new();
    }
    match (&case.hold, case.acknowledged_at) {
        (Some(hold), _) if case.hold_until.is_none_or(|until| until > now) => hold.clone(),
        (_, Some(at)) => format!("Kvitterat {}", words::moment(at, now)),
        (_, None) if case.due_at.is_some_and(|due| due < now) => "Påminns: ingen har kvitterat".to_owned(),
        _ => "Påminns när tiden närmar sig".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_where_the_last_one_ended() {
        assert_eq!(cursor("1764000000000_42"), Some((Time(1_764_000_000_000), CaseId(42))));
        assert_eq!(cursor("42"), None);
        assert_eq!(cursor("x_y"), None);
    }

    #[test]
    fn the_next_page_keeps_the_choices() {
        let next = again(Some("va"), None, "brunt vatten & sånt", true, "1_2");
        assert_eq!(next, "/inkorg?enhet=va&sok=brunt+vatten+%26+s%C3%A5nt&lage=avslutade&efter=1_2");
    }
}
