//! The part of the case page that is about who has the word, whose it is next, and the lanes with a way of their own.

use askama::Template;

use super::fault::Fault;
use super::inbox::{Choice, choice};
use super::visitor::Visitor;
use super::{Site, words};
use crate::assignment::desk_store::{self, StepRow};
use crate::assignment::offer_store::{self, OfferRow};
use crate::assignment::spokesperson::NOTICE;
use crate::assignment::{Lane, Matter, Organisation};
use crate::case::store::CaseRow;
use crate::case::{CaseState, Phase, PromiseKind, Threat};
use crate::classification::{Classification, Intent, Urgency};
use crate::clock::Time;
use crate::db::Tx;
use crate::response::lane_acts::threat_of;
use crate::response::offer_acts::is_for;
use crate::response::promise_acts::Promised;

/// Bodies outside the municipality that are suggested at a time.
const EXTERNALS_SHOWN: usize = 4;

/// How one of the two promises stands, in words.
struct Kept {
    name: &'static str,
    text: String,
    tone: &'static str,
}

/// An offer that waits for a word.
struct Offered {
    mine_to_answer: bool,
    mine_to_withdraw: bool,
    text: String,
    note: String,
}

/// A step of the lane's checklist.
struct Step {
    words: String,
    done: Option<String>,
}

/// A step that the threat can take next.
struct Next {
    slug: &'static str,
    name: &'static str,
    asks: Option<&'static str>,
}

/// Who speaks, and when the journalist needs it.
struct Media {
    speaks: String,
    phone: String,
    notice: &'static str,
    deadline: String,
}

/// A body outside the municipality that may be the right one.
struct External {
    contact: String,
    because: String,
    handles: String,
    checked: String,
    warning: Option<String>,
}

/// Above the post's answer: what must be said before anything else.
#[derive(Template)]
#[template(path = "case_desk_main.html")]
struct Main<'a> {
    csrf: &'a str,
    id: i64,
    revision: i64,
    offered: Option<Offered>,
    told: String,
    waits: Option<String>,
    document: bool,
    media: Option<Media>,
    authority: Option<(String, Vec<Choice>)>,
    threat: Option<(String, Vec<Next>, Vec<String>)>,
    restricted: bool,
}

/// Below the answer: other things that one may do.
#[derive(Template)]
#[template(path = "case_desk_forms.html")]
struct Forms<'a> {
    csrf: &'a str,
    id: i64,
    revision: i64,
    first: bool,
    waits: bool,
    externals: Vec<External>,
}

/// Beside: the promises and the checklist.
#[derive(Template)]
#[template(path = "case_desk_side.html")]
struct Side<'a> {
    csrf: &'a str,
    id: i64,
    promises: Vec<Kept>,
    late: String,
    steps: Vec<Step>,
    lane: String,
}

/// The three parts, as HTML that is already escaped.
#[derive(Debug, Default)]
pub(super) struct Desk {
    pub(super) main: String,
    pub(super) forms: String,
    pub(super) side: String,
}

/// What the desk needs to know besides its case.
pub(super) struct Around<'a> {
    pub(super) verdict: Option<&'a Classification>,
    pub(super) text: &'a str,
}

/// Reads and draws the three parts.
pub(super) async fn desk(
    site: &Site,
    visitor: &Visitor,
    tx: &mut Tx,
    case: &CaseRow,
    around: &Around<'_>,
) -> Result<Desk, Fault> {
    let organisation = site.organisation();
    let now = visitor.now;
    let promised = Promised::load(tx, case).await?;
    let offer = offer_store::open_offer(tx, case.id).await?;
    let last = offer_store::last_offer(tx, case.id).await?;
    let done = desk_store::steps(tx, case.id).await?;
    let absences = crate::assignment::store::absences(tx, now).await?;
    let absences = crate::assignment::absence::of_rows(&absences);
    let open = !CaseState::from_slug(&case.state).is_some_and(CaseState::is_closed);
    let lane = case.lane.as_deref().and_then(Lane::from_slug).unwrap_or_default();
    let csrf = visitor.csrf.as_str();
    let matter = matter(case, around);
    let told = last.and_then(|last| last.because).filter(|_| open && offer.is_none()).unwrap_or_default();
    let mine = case.owner.as_deref() == Some(visitor.person.key.as_str());
    let main = Main {
        csrf,
        id: case.id.0,
        revision: case.revision,
        offered: offer.as_ref().filter(|_| open).map(|offer| offered(offer, &organisation, visitor, now)),
        told: if mine { told } else { String::new() },
        waits: case.waiting_since.filter(|_| open).map(|since| waits(since, case.waiting_until, now)),
        document: open && lane == Lane::Document,
        media: (open && lane == Lane::Media).then(|| media(case, &organisation, &matter, &absences, now)),
        authority: (open && lane == Lane::Authority).then(|| authority(case, &organisation, now)),
        threat: threat_of(case).map(|at| threat(at, &done, &organisation, now)),
        restricted: case.restricted,
    };
    let forms = Forms {
        csrf,
        id: case.id.0,
        revision: case.revision,
        first: case.first_answer_at.is_none(),
        waits: case.waiting_since.is_some(),
        externals: externals(&organisation, &matter, now),
    };
    let beside = Side {
        csrf,
        id: case.id.0,
        promises: PromiseKind::ALL.into_iter().map(|kind| kept(kind, &promised, now)).collect(),
        late: late(case, &promised, now),
        steps: steps(lane, &organisation, &done, now),
        lane: lane.swedish().to_owned(),
    };
    Ok(Desk { main: main.render()?, forms: if open { forms.render()? } else { String::new() }, side: beside.render()? })
}

fn matter<'a>(case: &'a CaseRow, around: &Around<'a>) -> Matter<'a> {
    Matter {
        topic: &case.topic,
        intent: Intent::from_slug(&case.intent).unwrap_or(Intent::Information),
        also: around.verdict.and_then(|verdict| verdict.also),
        urgency: Urgency::from_slug(&case.urgency).unwrap_or(Urgency::Normal),
        place: case.place.as_deref().unwrap_or_default(),
        channel: &case.channel,
        protected: case.protected,
        flags: around.verdict.map(|verdict| verdict.flags.as_slice()).unwrap_or_default(),
        text: around.text,
        ..Matter::default()
    }
}

fn offered(offer: &OfferRow, organisation: &Organisation, visitor: &Visitor, now: Time) -> Offered {
    let to = match (&offer.to_staff, &offer.to_unit) {
        (Some(staff), _) => organisation.name_of_staff(staff),
        (None, unit) => unit.as_deref().map_or("någon", |unit| organisation.name_of_unit_at(unit, now)),
    };
    let from = organisation.name_of_staff(&offer.from_staff);
    let until = words::moment(offer.ends_at, now);
    let mine_to_answer = is_for(offer, &visitor.person.key, organisation, now);
    let text = if mine_to_answer {
        format!("{from} vill lämna över ärendet. {from} ansvarar för det tills du har svarat, senast {until}.")
    } else {
        format!("Erbjudet {to}. {from} ansvarar för ärendet tills någon har sagt ja, senast {until}.")
    };
    let mine_to_withdraw = offer.from_staff == visitor.person.key;
    Offered { mine_to_answer, mine_to_withdraw, text, note: offer.note.clone() }
}

fn waits(since: Time, until: Option<Time>, now: Time) -> String {
    let until = until.map(|until| format!(" Har inget hänt {} får ärendet fart igen.", words::moment(until, now)));
    format!(
        "Väntar på svar från den som frågade sedan {}. Löftet vilar så länge.{}",
        words::moment(since, now),
        until.unwrap_or_default()
    )
}

fn media(
    case: &CaseRow,
    organisation: &Organisation,
    matter: &Matter<'_>,
    absences: &[crate::assignment::Absence],
    now: Time,
) -> Media {
    // The media lane is owned by communications; who speaks depends on whose service it is about.
    let service = organisation.route(&Matter { intent: Intent::Question, also: None, ..*matter }, now);
    let suggestion = organisation.suggest_spokesperson(&case.topic, &service.unit, absences, now);
    let (speaks, phone) = suggestion.map_or_else(
        || ("Ingen talesperson är utsedd för ämnet. Enhetens chef svarar.".to_owned(), String::new()),
        |suggestion| (suggestion.because, suggestion.phone),
    );
    let deadline = case.deadline_at.map(|at| words::moment(at, now)).unwrap_or_default();
    Media { speaks, phone, notice: NOTICE, deadline }
}

fn authority(case: &CaseRow, organisation: &Organisation, now: Time) -> (String, Vec<Choice>) {
    let functions = organisation.lane(Lane::Authority).into_iter().flat_map(|text| &text.functions);
    let entrances = functions.filter_map(|key| organisation.function(key)).filter_map(|function| {
        let staff = function.staff.iter().find_map(|key| organisation.staff_at(key, now))?;
        let contact = format!("{}, {}, {}", function.name, staff.name, staff.email);
        Some(choice(&contact, &contact, None))
    });
    (words::day(case.arrived_at, now), entrances.collect())
}

fn threat(at: Threat, done: &[StepRow], organisation: &Organisation, now: Time) -> (String, Vec<Next>, Vec<String>) {
    let next = at.next().iter().map(|next| Next { slug: next.slug(), name: next.swedish(), asks: next.asks_for() });
    let way = done.iter().filter_map(|row| {
        let step = Threat::from_slug(row.step.strip_prefix("hot:")?)?;
        let note = if row.note.is_empty() { String::new() } else { format!(": {}", row.note) };
        let who = organisation.name_of_staff(&row.done_by);
        Some(format!("{}{note} ({who}, {})", step.swedish(), words::moment(row.done_at, now)))
    });
    let supported = done.iter().find(|row| row.step == "hot:stod").map(|row| row.done_at);
    let follow = supported.and_then(|supported| at.follow_up_at(supported));
    let follow = follow.map(|follow| format!(" Följ upp {}.", words::day(follow, now))).unwrap_or_default();
    (format!("{}.{follow}", at.swedish()), next.collect(), way.collect())
}

fn externals(organisation: &Organisation, matter: &Matter<'_>, now: Time) -> Vec<External> {
    let found = organisation.externals_for(matter, now).into_iter().take(EXTERNALS_SHOWN);
    found
        .map(|one| External {
            contact: one.contact,
            because: one.because,
            handles: one.external.handles.clone(),
            checked: one.external.checked.map(|at| words::day(at, now)).unwrap_or_default(),
            warning: one.warning,
        })
        .collect()
}

fn kept(kind: PromiseKind, promised: &Promised, now: Time) -> Kept {
    let standing = promised.of(kind);
    let broken = standing.breached_at.map(|_| " (för sent)").unwrap_or_default();
    let (text, tone) = match standing.phase {
        Phase::Idle => ("inget löfte gäller".to_owned(), ""),
        Phase::Running { due_at } => {
            let due = words::due(Some(due_at), None, now);
            (format!("{}, {}", words::moment(due_at, now), due.text), due.tone)
        }
        Phase::Paused { left, .. } => {
            (format!("vilar, {} öppen tid kvar", crate::calendar::words::span_text(left)), "calm")
        }
        Phase::Fulfilled { at } => (format!("hållet {}{broken}", words::moment(at, now)), ""),
        Phase::Withdrawn { .. } => ("gäller inte längre".to_owned(), ""),
    };
    Kept { name: kind.swedish(), text, tone }
}

/// Both figures when it was found late: what the staff had, and what the citizen lived through.
fn late(case: &CaseRow, promised: &Promised, now: Time) -> String {
    let Some(from_arrival) = promised.from_arrival(PromiseKind::FirstResponse).filter(|_| case.discovered_late) else {
        return String::new();
    };
    format!(
        "Vi hittade inlägget sent, {}. Löftet räknas därifrån; räknat från att det skrevs hade det varit {}.",
        words::moment(case.opened_at, now),
        words::moment(from_arrival, now)
    )
}

fn steps(lane: Lane, organisation: &Organisation, done: &[StepRow], now: Time) -> Vec<Step> {
    if lane == Lane::Ordinary {
        return Vec::new();
    }
    let steps = organisation.lane(lane).map(|text| text.checklist.as_slice()).unwrap_or_default();
    steps
        .iter()
        .map(|words_of| {
            let row = done.iter().find(|row| row.step == *words_of);
            let done = row.map(|row| {
                format!("{}, {}", organisation.name_of_staff(&row.done_by), words::moment(row.done_at, now))
            });
            Step { words: words_of.clone(), done }
        })
        .collect()
}
