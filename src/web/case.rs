//! Ärende: what was said, what we think it is and why, whose it is and when it is due, what we answer, what has happened.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::access::may_see;
use super::case_desk::{Around, Desk, desk};
use super::case_posts::{Heard, Post, before, outside, post};
use super::case_tip;
use super::earlier::{Earlier, earlier};
use super::fault::Fault;
use super::frame::{Frame, Notice, said};
use super::history::{Line, name_of, told};
use super::inbox::{Choice, blurred, choice, not_reached};
use super::judgement::{About, Judged, about, judgements};
use super::sent::{Path, Query};
use super::visitor::Visitor;
use super::{Site, page, words};
use crate::assignment::{Lane, Organisation, Role};
use crate::case::store::CaseRow;
use crate::case::{CaseState, DismissReason, Outcome, needs_outcome};
use crate::chat::undelivered_store;
use crate::classification::{Classification, Flag, Intent};
use crate::clock::Time;
use crate::db::Tx;
use crate::id::CaseId;
use crate::mention::store::Mention;
use crate::mention::version_store;
use crate::response::offer_acts::is_for;
use crate::response::store::ResponseRow;

/// Posts of a thread that are shown; a longer one is read in its channel.
const THREAD_MAX: i64 = 50;
/// Earlier versions of posts that are shown.
const VERSIONS_MAX: i64 = 50;
/// Lines of history that are shown.
const HISTORY_MAX: i64 = 200;

/// What the address may ask for.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Asked {
    visa: Option<String>,
    sagt: Option<String>,
    /// The case whose answer is to be the draft.
    utkast: Option<CaseId>,
}

/// An answer we have given.
#[derive(Debug)]
struct Given {
    who: String,
    when: String,
    kind: &'static str,
    body: String,
    url: Option<String>,
}

/// What a person typed, given back when an act was refused.
#[derive(Debug, Default, Clone)]
pub(super) struct Draft {
    pub(super) text: String,
    pub(super) url: String,
    pub(super) contact: String,
    pub(super) words: String,
    /// To whom it was to be handed over.
    pub(super) to: String,
    /// The earlier case whose answer is to be the draft; only one of those that are shown as similar can be.
    pub(super) from: Option<CaseId>,
}

#[expect(clippy::struct_excessive_bools, reason = "what a page shows or leaves out is a row of yes and no")]
#[derive(Template)]
#[template(path = "case.html")]
struct Page {
    frame: Frame,
    id: CaseId,
    revision: i64,
    heading: String,
    channel: String,
    machine: String,
    when: String,
    link: Option<String>,
    hidden: bool,
    posts: Vec<Post>,
    more_posts: bool,
    given: Vec<Given>,
    earlier: Vec<Earlier>,
    open: bool,
    mine: bool,
    taken: bool,
    state: String,
    due: words::Due,
    due_because: String,
    unit: String,
    owner: String,
    hold: String,
    late_found: bool,
    judged: Vec<Judged>,
    about: About,
    place: String,
    lane: String,
    flags: Vec<String>,
    because: Vec<String>,
    route_because: String,
    outcome: String,
    outcome_note: String,
    contact: String,
    outcomes: Vec<Choice>,
    outcome_needed: bool,
    reasons: Vec<Choice>,
    receivers: Vec<Choice>,
    /// Some of them belong to another board.
    beyond: bool,
    history: Vec<Line>,
    neutral: bool,
    triage: bool,
    owed: bool,
    draft: Draft,
    tips: String,
    desk: Desk,
}

pub(super) async fn show(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<CaseId>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let shown = asked.visa.as_deref() == Some("text");
    let draft = Draft { from: asked.utkast, ..Draft::default() };
    render(&site, &visitor, id, shown, said(asked.sagt.as_deref()), draft).await
}

/// The case page again after a refused act: with what was typed, and how it is now.
pub(super) async fn again(
    site: &Site,
    visitor: &Visitor,
    id: CaseId,
    status: StatusCode,
    text: String,
    draft: Draft,
) -> Result<Response, Fault> {
    let response = render(site, visitor, id, false, Some(Notice { tone: "bad", text }), draft).await?;
    Ok((status, response).into_response())
}

/// The case when it is there and the visitor may see it.
pub(super) async fn seen(tx: &mut Tx, site: &Site, visitor: &Visitor, id: CaseId) -> Result<CaseRow, Fault> {
    let case = crate::case::store::find(tx, id).await?.ok_or(Fault::NotFound)?;
    let organisation = site.organisation();
    if may_see(&visitor.person, &case, &organisation, visitor.now) {
        return Ok(case);
    }
    // Whoever is asked to take it over must be able to read what it is.
    let offer = crate::assignment::offer_store::open_offer(tx, id).await?;
    let asked = offer.is_some_and(|offer| is_for(&offer, &visitor.person.key, &organisation, visitor.now));
    if asked && !case.restricted { Ok(case) } else { Err(Fault::Forbidden) }
}

/// Why a case is silent or loud right now, or whom it has not reached; nothing when it is closed.
async fn why_silent(tx: &mut Tx, case: &CaseRow, organisation: &Organisation, now: Time) -> sqlx::Result<String> {
    if case.closed_at.is_some() {
        return Ok(String::new());
    }
    let undelivered = undelivered_store::undelivered(tx, &[case.id], now).await?;
    let hold = || case.hold.clone().unwrap_or_default();
    Ok(undelivered.first().map_or_else(hold, |undelivered| not_reached(undelivered, organisation, now)))
}

async fn render(
    site: &Site,
    visitor: &Visitor,
    id: CaseId,
    shown: bool,
    notice: Option<Notice>,
    draft: Draft,
) -> Result<Response, Fault> {
    let organisation = site.organisation();
    let now = visitor.now;
    let mut tx = site.db.read().await?;
    let case = seen(&mut tx, site, visitor, id).await?;
    let mut mentions = crate::mention::store::of_case(&mut tx, id, THREAD_MAX + 1).await?;
    let more_posts = mentions.len() > usize::try_from(THREAD_MAX).unwrap_or(usize::MAX);
    mentions.truncate(usize::try_from(THREAD_MAX).unwrap_or(usize::MAX));
    let verdict = crate::classification::store::standing(&mut tx, case.mention_id).await?;
    let given = crate::response::store::of_case(&mut tx, id, THREAD_MAX).await?;
    let versions = version_store::versions_of_case(&mut tx, id, VERSIONS_MAX).await?;
    let changed = version_store::changed_of_case(&mut tx, id, THREAD_MAX).await?;
    let earlier = earlier(&mut tx, site, &case, now).await?;
    let copied = draft.from.and_then(|from| earlier.iter().find(|other| other.id == from));
    let (draft, notice) = match copied {
        Some(other) => {
            let text = format!("Svaret i ärende {} ligger som utkast. Läs det och ändra innan du svarar.", other.id);
            (Draft { text: other.answer.clone(), ..draft }, Some(Notice { tone: "good", text }))
        }
        None => (draft, notice),
    };
    let entries = crate::journal::of_case(&mut tx, id, HISTORY_MAX).await?;
    let hidden = blurred(&case) && !shown;
    let text = mentions.iter().find(|m| m.id == case.mention_id).map(|m| m.body.as_str()).unwrap_or_default();
    let around = Around { verdict: verdict.as_ref(), text };
    let desk = desk(site, visitor, &mut tx, &case, &around).await?;
    let tips = case_tip::tips(&mut tx, id, &organisation, hidden, now).await?;
    let hold = why_silent(&mut tx, &case, &organisation, now).await?;
    let heading = heading(&case, hidden);
    let frame = Frame::of(site, visitor, &mut tx, &format!("Ärende {id}"), "/inkorg").await?.saying(notice);
    drop(tx);

    let state = CaseState::from_slug(&case.state).unwrap_or(CaseState::Open);
    let intent = Intent::from_slug(&case.intent);
    let lane = case.lane.as_deref().and_then(Lane::from_slug);
    let heard =
        mentions.iter().find(|m| m.id == case.mention_id).and_then(|m| serde_json::from_str::<Heard>(&m.hearing).ok());
    let first = mentions.iter().find(|m| m.id == case.mention_id);
    page(&Page {
        id,
        revision: case.revision,
        heading,
        channel: words::channel(&case.channel),
        machine: words::machine(case.arrived_at),
        when: words::moment(case.arrived_at, now),
        link: first.and_then(|m| m.url.as_deref()).and_then(outside),
        posts: if hidden {
            Vec::new()
        } else {
            let fared = |m: &Mention, mut post: Post| {
                let gone = changed.iter().find(|(id, ..)| *id == m.id).and_then(|(_, _, at)| *at);
                post.gone = gone.map(|at| words::moment(at, now)).unwrap_or_default();
                post.earlier = versions.iter().filter(|v| v.mention_id == m.id).map(|v| before(v, now)).collect();
                post
            };
            mentions.iter().map(|m| fared(m, post(m, &case, verdict.as_ref(), heard.as_ref(), now))).collect()
        },
        hidden,
        more_posts,
        given: given.iter().map(|answer| given_by(answer, &organisation, now)).collect(),
        earlier,
        open: !state.is_closed(),
        mine: case.owner.as_deref() == Some(visitor.person.key.as_str()),
        taken: state == CaseState::Accepted,
        state: state.swedish().to_owned(),
        due: words::due(case.due_at, case.first_answer_at.filter(|_| state.is_closed()), now),
        due_because: case.due_because.clone().unwrap_or_default(),
        unit: case.unit.as_deref().map_or("Ingen enhet än", |unit| organisation.name_of_unit(unit)).to_owned(),
        owner: case.owner.as_deref().map_or("Ingen än", |owner| organisation.name_of_staff(owner)).to_owned(),
        hold,
        late_found: case.discovered_late,
        judged: judgements(&case, verdict.as_ref(), &organisation),
        about: about(&case, verdict.as_ref(), state),
        place: case.place.clone().unwrap_or_default(),
        lane: lane.filter(|lane| *lane != Lane::Ordinary).map_or(String::new(), |lane| lane.swedish().to_owned()),
        flags: flags(verdict.as_ref()),
        because: because(verdict.as_ref(), heard.as_ref(), hidden),
        route_because: case.route_because.clone().unwrap_or_default(),
        outcome: outcome(&case),
        outcome_note: case.outcome_note.clone().unwrap_or_default(),
        contact: case.contact.clone().unwrap_or_default(),
        outcomes: Outcome::ALL.iter().map(|outcome| choice(outcome.slug(), outcome.swedish(), None)).collect(),
        outcome_needed: intent.is_some_and(needs_outcome),
        reasons: DismissReason::ALL.iter().map(|reason| choice(reason.slug(), reason.swedish(), None)).collect(),
        beyond: organisation.units.iter().any(|unit| {
            let mine = case.unit.as_deref().unwrap_or_default();
            unit.period.holds(now) && organisation.crosses_boards(mine, &unit.key, now).is_some()
        }),
        receivers: receivers(&organisation, &case, &draft.to, now),
        history: entries.iter().map(|entry| told(entry, &organisation, now)).collect(),
        neutral: case.protected,
        triage: case.triage,
        owed: case.outcome_owed,
        draft: if case.outcome_owed { answered(draft, given.last()) } else { draft },
        tips,
        desk,
        frame,
    })
}

fn given_by(answer: &ResponseRow, organisation: &Organisation, now: Time) -> Given {
    Given {
        who: name_of(&answer.written_by, organisation),
        when: words::moment(answer.answered_at, now),
        kind: match answer.kind.as_str() {
            "referral" => "hänvisade",
            "question" => "frågade",
            "first" => "gav ett första svar",
            _ => "svarade",
        },
        body: answer.body.clone(),
        url: answer.url.as_deref().and_then(outside),
    }
}

/// The form of a case that was answered in the channel begins with that answer: what is missing is what came of it.
fn answered(draft: Draft, given: Option<&ResponseRow>) -> Draft {
    let Some(given) = given.filter(|_| draft.text.is_empty()) else { return draft };
    Draft { text: given.body.clone(), url: given.url.clone().unwrap_or_default(), ..draft }
}

fn heading(case: &CaseRow, hidden: bool) -> String {
    if hidden { "Möjligt hot eller hat".to_owned() } else { case.title.chars().take(120).collect() }
}

fn flags(verdict: Option<&Classification>) -> Vec<String> {
    verdict.map(|v| v.flags.iter().map(|flag: &Flag| flag.swedish().to_owned()).collect()).unwrap_or_default()
}

fn because(verdict: Option<&Classification>, heard: Option<&Heard>, hidden: bool) -> Vec<String> {
    if hidden {
        return Vec::new();
    }
    let judged = verdict.iter().flat_map(|v| v.because.iter());
    judged.chain(heard.iter().flat_map(|h| h.because.iter())).cloned().collect()
}

fn outcome(case: &CaseRow) -> String {
    let slug = case.outcome.as_deref().unwrap_or_default();
    let of_answer = Outcome::from_slug(slug).map(Outcome::swedish);
    of_answer.or_else(|| DismissReason::from_slug(slug).map(DismissReason::swedish)).unwrap_or_default().to_owned()
}

/// Those who can be given the case: everyone who works here now, by unit and name, then the units. Who belongs to
/// another board is said to.
fn receivers(organisation: &Organisation, case: &CaseRow, chosen: &str, now: Time) -> Vec<Choice> {
    let mine = case.unit.as_deref().unwrap_or_default();
    let beyond = |unit: &str| {
        let boards = organisation.crosses_boards(mine, unit, now);
        boards.map(|(_, to)| format!(" (annan nämnd: {})", to.name)).unwrap_or_default()
    };
    let mut staff: Vec<(bool, &str, &str, &str, &str)> = organisation
        .staff
        .iter()
        .filter(|staff| staff.period.holds(now) && case.owner.as_deref() != Some(staff.key.as_str()))
        .filter(|staff| staff.roles.iter().any(|role| *role != Role::Admin))
        .map(|staff| {
            let unit = organisation.name_of_unit(&staff.unit);
            (mine != staff.unit, unit, staff.name.as_str(), staff.key.as_str(), staff.unit.as_str())
        })
        .collect();
    staff.sort_unstable();
    let staff = staff
        .into_iter()
        .map(|(_, unit, name, key, of)| choice(key, &format!("{name}, {unit}{}", beyond(of)), Some(chosen)));
    let units = organisation.units.iter().filter(|unit| unit.period.holds(now)).map(|unit| {
        choice(&format!("enhet:{}", unit.key), &format!("Någon i {}{}", unit.name, beyond(&unit.key)), Some(chosen))
    });
    staff.chain(units).collect()
}
