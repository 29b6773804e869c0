//! Organisation: nämnd → förvaltning → enhet → person, who is away, who is on call, who speaks, who answers for what is
//! not ours. Read from the configuration as it holds today; changed there, where it has dates.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use jiff::ToSpan;

use super::fault::Fault;
use super::frame::Frame;
use super::visitor::Visitor;
use super::{Site, page, words};
use crate::assignment::absence::{away, of_rows};
use crate::assignment::absence_feed_store::{self, FeedRow};
use crate::assignment::rota::Hours;
use crate::assignment::{Absence, Organisation, Period, Role, Unit};
use crate::calendar::words::date_text;
use crate::calendar::{Calendar, DayKind, hours};
use crate::clock::Time;

/// Days ahead in which closed days and other hours are told.
const DAYS_AHEAD: i32 = 45;
/// Warnings that are shown.
const WARNINGS_SHOWN: usize = 30;

pub(super) struct Person {
    name: String,
    title: String,
    reach: String,
    away: String,
}

struct Part {
    name: String,
    aliases: String,
    since: String,
    leads: String,
    hours: String,
    people: Vec<Person>,
}

struct Department {
    name: String,
    aliases: String,
    since: String,
    chief: String,
    units: Vec<Part>,
}

struct Board {
    name: String,
    since: String,
    departments: Vec<Department>,
}

pub(super) struct OnCall {
    pub(super) what: String,
    pub(super) unit: String,
    pub(super) who: String,
}

struct Open {
    name: String,
    today: String,
    ahead: Vec<String>,
}

struct Speaks {
    name: String,
    topics: String,
    substitute: String,
    until: String,
}

struct Outside {
    contact: String,
    handles: String,
    checked: String,
    old: bool,
}

struct Feed {
    name: String,
    text: String,
    amiss: bool,
}

#[derive(Template)]
#[template(path = "organisation_page.html")]
struct Page {
    frame: Frame,
    boards: Vec<Board>,
    on_call: Vec<OnCall>,
    away: Vec<(String, String)>,
    functions: Vec<(String, String, String)>,
    calendars: Vec<Open>,
    speaks: Vec<Speaks>,
    outside: Vec<Outside>,
    feeds: Vec<Feed>,
    warnings: Vec<String>,
}

pub(super) async fn show(State(site): State<Site>, Extension(visitor): Extension<Visitor>) -> Result<Response, Fault> {
    let organisation = site.organisation();
    let now = visitor.now;
    let mut tx = site.db.read().await?;
    let absences = of_rows(&crate::assignment::store::absences(&mut tx, now).await?);
    let feeds = absence_feed_store::feeds(&mut tx).await?;
    let frame = Frame::of(&site, &visitor, &mut tx, "Organisation", "/organisation").await?;
    drop(tx);
    // What somebody must see to is for those who can: one who only answers sees the organisation, not its faults.
    let sees_faults = [Role::Chief, Role::Admin, Role::Communicator].iter().any(|role| visitor.person.is(*role));
    let feeds = feeds.iter().filter(|row| sees_faults || row.staff == visitor.person.key);
    page(&Page {
        frame,
        boards: boards(&site, &organisation, &absences, now),
        on_call: on_call(&site, &organisation, &absences, now),
        away: away_now(&organisation, &absences, now),
        functions: functions(&organisation, now),
        calendars: site.calendars().iter().map(|calendar| open(calendar, now)).collect(),
        speaks: speaks(&organisation, now),
        outside: outside(&organisation, now),
        feeds: feeds.map(|row| feed(row, &organisation, now)).collect(),
        warnings: if sees_faults {
            organisation.warnings(now).into_iter().take(WARNINGS_SHOWN).collect()
        } else {
            Vec::new()
        },
    })
}

/// "gäller från 1 januari 2027"; nothing for what has always been so.
fn since(period: &Period, now: Time) -> String {
    let from = period.from.map(|from| format!("gäller från {}", words::day(from, now)));
    let last = period.until.map(|until| words::day(Time(until.0.saturating_sub(1)), now));
    match (from, last) {
        (Some(from), Some(last)) => format!("{from} till {last}"),
        (Some(from), None) => from,
        (None, Some(last)) => format!("gäller till {last}"),
        (None, None) => String::new(),
    }
}

fn boards(site: &Site, organisation: &Organisation, absences: &[Absence], now: Time) -> Vec<Board> {
    let of_board = |board: &str| -> Vec<Department> {
        let departments = organisation.departments.iter().filter(|one| one.period.holds(now) && one.board == board);
        let departments = departments.map(|one| Department {
            name: one.name.clone(),
            aliases: one.aliases.join(", "),
            since: since(&one.period, now),
            chief: organisation.name_of_staff(&one.chief).to_owned(),
            units: organisation
                .units
                .iter()
                .filter(|unit| unit.period.holds(now) && unit.department == one.key)
                .map(|unit| part(site, organisation, unit, absences, now))
                .collect(),
        });
        departments.collect()
    };
    let held = organisation.boards.iter().filter(|board| board.period.holds(now));
    held.map(|board| Board {
        name: board.name.clone(),
        since: since(&board.period, now),
        departments: of_board(&board.key),
    })
    .collect()
}

fn part(site: &Site, organisation: &Organisation, unit: &Unit, absences: &[Absence], now: Time) -> Part {
    let calendar = site.calendars().get(&unit.calendar).cloned();
    let people = organisation.members(&unit.key, now).map(|staff| Person {
        name: staff.name.clone(),
        title: staff.title.clone(),
        reach: staff.email.clone(),
        away: away(&staff.key, absences, now).map(|absence| back(organisation, absence, now)).unwrap_or_default(),
    });
    Part {
        name: unit.name.clone(),
        aliases: unit.aliases.join(", "),
        since: since(&unit.period, now),
        leads: format!(
            "{}, ersätts av {}",
            organisation.name_of_staff(&unit.manager),
            organisation.name_of_staff(&unit.deputy)
        ),
        hours: calendar.map(|calendar| today(&calendar, now)).unwrap_or_default(),
        people: people.collect(),
    }
}

/// "borta till fredag 27 november, Sixten Prov ersätter".
fn back(organisation: &Organisation, absence: &Absence, now: Time) -> String {
    let until = absence.until.map(|until| words::day(Time(until.0.saturating_sub(1)), now));
    let until = until.map_or_else(|| "borta tills vidare".to_owned(), |until| format!("borta till och med {until}"));
    let deputy = organisation.stand_in(&absence.staff, std::slice::from_ref(absence), now);
    let deputy = deputy.map(|key| format!(", {} ersätter", organisation.name_of_staff(key)));
    format!("{until}{}", deputy.unwrap_or_default())
}

pub(super) fn away_now(organisation: &Organisation, absences: &[Absence], now: Time) -> Vec<(String, String)> {
    let held = organisation.staff.iter().filter(|staff| staff.period.holds(now));
    held.filter_map(|staff| {
        let absence = away(&staff.key, absences, now)?;
        Some((staff.name.clone(), back(organisation, absence, now)))
    })
    .collect()
}

/// Who has each duty that counts now.
pub(super) fn on_call(site: &Site, organisation: &Organisation, absences: &[Absence], now: Time) -> Vec<OnCall> {
    let rotas = organisation.rotas.iter().filter(|rota| rota.period.holds(now));
    rotas
        .filter(|rota| {
            let staffed = crate::app::calendar_of_unit(&site.app.config, &rota.unit).is_open(now);
            rota.hours.covers(if staffed { Hours::Staffed } else { Hours::Unstaffed })
        })
        .map(|rota| OnCall {
            what: rota.name.clone(),
            unit: organisation.name_of_unit_at(&rota.unit, now).to_owned(),
            who: rota
                .turns_at(now)
                .find(|key| organisation.present(key, absences, now))
                .map_or("ingen på plats", |key| organisation.name_of_staff(key))
                .to_owned(),
        })
        .collect()
}

fn functions(organisation: &Organisation, now: Time) -> Vec<(String, String, String)> {
    let named = |keys: &[String]| {
        let held = keys.iter().filter(|key| organisation.staff_at(key, now).is_some());
        held.map(|key| organisation.name_of_staff(key)).collect::<Vec<_>>().join(", ")
    };
    organisation
        .functions
        .iter()
        .map(|one| (one.name.clone(), organisation.name_of_unit_at(&one.unit, now).to_owned(), named(&one.staff)))
        .collect()
}

fn today(calendar: &Calendar, now: Time) -> String {
    let day = calendar.day(calendar.date_of(now));
    let spans: Vec<String> = day
        .hours
        .intervals()
        .iter()
        .map(|(from, until)| format!("{}–{}", hours::swedish(*from), hours::swedish(*until)))
        .collect();
    if spans.is_empty() { "stängt i dag".to_owned() } else { format!("i dag {}", spans.join(" och ")) }
}

/// A calendar's hours today, and the days ahead that are not as usual; a klämdag is told, because few are there.
fn open(calendar: &Calendar, now: Time) -> Open {
    let first = calendar.date_of(now);
    let mut ahead = Vec::new();
    for offset in 0..DAYS_AHEAD {
        let Ok(date) = first.checked_add(offset.days()) else { break };
        let day = calendar.day(date);
        let told = match &day.kind {
            DayKind::Ordinary | DayKind::Weekend => None,
            kind => Some(kind.swedish(date)),
        };
        let bridge = crate::calendar::holidays::is_bridge(date) && !day.hours.is_closed();
        let told = told.or_else(|| bridge.then(|| "klämdag, öppet men låg bemanning".to_owned()));
        if let Some(told) = told {
            ahead.push(format!("{}: {told}", date_text(date)));
        }
    }
    Open { name: calendar.name().to_owned(), today: today(calendar, now), ahead }
}

fn speaks(organisation: &Organisation, now: Time) -> Vec<Speaks> {
    let held = organisation.spokespersons.iter().filter(|one| one.period.holds(now));
    held.map(|one| {
        let topics = one.topics.iter().filter_map(|slug| organisation.topic(slug)).map(|topic| topic.name.as_str());
        let topics = topics.collect::<Vec<_>>().join(", ");
        Speaks {
            name: organisation.name_of_staff(&one.staff).to_owned(),
            topics: if topics.is_empty() { "alla ämnen".to_owned() } else { topics },
            substitute: one
                .substitute
                .as_deref()
                .map(|key| organisation.name_of_staff(key))
                .unwrap_or_default()
                .to_owned(),
            until: since(&one.period, now),
        }
    })
    .collect()
}

fn outside(organisation: &Organisation, now: Time) -> Vec<Outside> {
    let months = organisation.rules.check_contacts_months;
    organisation
        .externals
        .iter()
        .map(|one| Outside {
            contact: one.contact(),
            handles: one.handles.clone(),
            checked: one
                .checked
                .map_or_else(|| "aldrig kontrollerad".to_owned(), |at| format!("kontrollerad {}", words::day(at, now))),
            old: one.warning(months, now).is_some(),
        })
        .collect()
}

fn feed(row: &FeedRow, organisation: &Organisation, now: Time) -> Feed {
    let read = row.last_ok_at.map(|at| format!("Senast läst {}.", words::moment(at, now)));
    let amiss = row.failures > 0;
    let text = match (amiss, read) {
        (false, Some(read)) if row.why.is_empty() => read,
        (false, Some(read)) => format!("{read} {}", row.why),
        (true, Some(read)) => format!("{} {read}", row.why),
        (_, None) if row.why.is_empty() => "Inte läst än.".to_owned(),
        (_, None) => row.why.clone(),
    };
    Feed { name: organisation.name_of_staff(&row.staff).to_owned(), text, amiss }
}
