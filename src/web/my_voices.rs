//! The part of *Min profil* about voices: which ones reach me, in which order, and how they are bound, tried and let go.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};

use super::fault::Fault;
use super::frame::Notice;
use super::profile::{refused, render, tell};
use super::sent::Form;
use super::visitor::Visitor;
use super::{Site, words};
use crate::chat::address::{self, SAID, TYPED};
use crate::chat::bind::{Code, TRIES, TRIES_WITHIN};
use crate::chat::notice::Notice as Said;
use crate::chat::outbox_store::{self, Health};
use crate::chat::store::VoiceRow;
use crate::chat::{self, Channel, Chat as _, Tier};
use crate::clock::Time;
use crate::db::Tx;

/// How long a code works.
const CODE_LIFE: Duration = chat::bind::CODE_HOLDS;
/// Letters that a person may have sent to addresses within an hour, so that nobody is flooded in our name.
const SENT_MAX: i64 = 5;

/// A voice that reaches the reader.
pub(super) struct Voice {
    pub(super) id: i64,
    pub(super) name: &'static str,
    pub(super) since: String,
    /// What is wrong in two words, and in a sentence.
    pub(super) fault: Option<(&'static str, String)>,
    pub(super) test: Option<String>,
    pub(super) first: bool,
}

/// A voice that can be bound.
pub(super) struct Kind {
    channel: Channel,
    pub(super) slug: &'static str,
    pub(super) name: &'static str,
    pub(super) hint: &'static str,
}

/// What a voice may say and what it cannot do.
pub(super) struct Account {
    pub(super) name: &'static str,
    pub(super) may: &'static str,
    pub(super) cannot: &'static [&'static str],
}

/// A code to be said in a chat.
pub(super) struct ShownCode {
    pub(super) code: String,
    pub(super) place: &'static str,
    pub(super) how: String,
    pub(super) link: Option<String>,
    pub(super) until: String,
}

/// What may stand in a message of this tier, in words.
pub(super) fn may(tier: Tier) -> &'static str {
    match tier {
        Tier::A => {
            "Här får stå ärendets nummer, ämne, avsikt, plats, enhet och tid, men aldrig inläggets ord eller vem som skrev."
        }
        Tier::B => {
            "Här får stå ärendets nummer, ämne, avsikt och tid, men varken plats, enhet, inläggets ord eller vem som skrev."
        }
        Tier::C => "Här får bara stå hur många ärenden som väntar, när det första förfaller och deras nummer.",
    }
}

/// The channels that can be bound by saying a code: those that are on and listened to.
pub(super) fn said_kinds(site: &Site) -> Vec<Kind> {
    let settings = &site.app.config.chat;
    let heard = |channel: &Channel| match channel {
        Channel::Matrix => settings.matrix.as_ref().is_some_and(|matrix| matrix.hear),
        Channel::Mattermost => settings.mattermost.as_ref().is_some_and(|account| account.command_token.is_some()),
        Channel::Telegram => {
            settings.telegram.as_ref().is_some_and(|telegram| telegram.mode != chat::settings::Mode::Off)
        }
        _ => true,
    };
    SAID.into_iter().filter(|channel| site.app.voices.of(*channel).is_some() && heard(channel)).map(kind).collect()
}

/// The channels that can be bound by typing an address and the code that is sent there.
pub(super) fn typed_kinds(site: &Site) -> Vec<Kind> {
    TYPED.into_iter().filter(|channel| site.app.voices.of(*channel).is_some()).map(kind).collect()
}

fn kind(channel: Channel) -> Kind {
    Kind { channel, slug: channel.slug(), name: channel.swedish(), hint: address::hint(channel) }
}

/// What each voice that is on may say and cannot do.
pub(super) fn accounts(site: &Site) -> Vec<Account> {
    let of = |channel: Channel| {
        let voice = site.app.voices.of(channel)?;
        Some(Account { name: channel.swedish(), may: may(channel.tier()), cannot: voice.cannot() })
    };
    Channel::ALL.into_iter().filter_map(of).collect()
}

/// The reader's own voices in her order.
pub(super) async fn hers(tx: &mut Tx, key: &str, now: Time) -> sqlx::Result<Vec<Voice>> {
    let ill = outbox_store::ill(tx).await?;
    let rows = chat::store::voices(tx).await?;
    let mut voices = Vec::new();
    for row in rows.into_iter().filter(|row| row.staff == key) {
        let test = outbox_store::latest_notice(tx, &row.voice, &row.address).await?;
        voices.push(Voice {
            id: row.id,
            name: Channel::from_slug(&row.voice).map_or("Okänd chatt", Channel::swedish),
            since: words::day(row.bound_at, now),
            fault: fault(&row, &ill, now),
            test: test.map(|(state, at, _)| outcome(&state, at, now)),
            first: voices.is_empty(),
        });
    }
    Ok(voices)
}

fn fault(row: &VoiceRow, ill: &[Health], now: Time) -> Option<(&'static str, String)> {
    if let Some(at) = row.failed_at {
        let why = row.failed_why.as_deref().map(crate::chat::swedish::never).unwrap_or_default();
        return Some(("Nås inte", format!("Gick inte att nå {}: {why}. Koppla den på nytt.", words::moment(at, now))));
    }
    let ill = ill.iter().find(|one| one.voice == row.voice)?;
    Some(("Ur funktion", format!("Sedan {}: {}.", words::moment(ill.since, now), ill.why)))
}

fn outcome(state: &str, at: Time, now: Time) -> String {
    match state {
        "sent" => format!("Senaste provet eller beskedet gick fram till tjänsten {}.", words::moment(at, now)),
        "failed" => "Senaste provet eller beskedet gick inte att skicka.".to_owned(),
        _ => format!("Ett prov eller besked väntar; nästa försök {}.", words::moment(at, now)),
    }
}

/// Which voice a code is for.
#[derive(Debug, serde::Deserialize)]
pub struct Wanted {
    rost: String,
}

/// True when a person has done a thing too often within an hour; else it is counted.
async fn too_often(tx: &mut Tx, what: &str, visitor: &Visitor, most: i64) -> sqlx::Result<bool> {
    let subject = format!("{what}:{}", visitor.person.key);
    if chat::store::tries(tx, &subject, visitor.now.minus(TRIES_WITHIN)).await? >= most {
        return Ok(true);
    }
    chat::store::put_try(tx, &subject, visitor.now).await?;
    Ok(false)
}

pub(super) async fn make_code(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Form(wanted): Form<Wanted>,
) -> Result<Response, Fault> {
    let chosen = said_kinds(&site).into_iter().find(|kind| kind.slug == wanted.rost);
    let Some(kind) = chosen else {
        return refused(&site, &visitor, "Välj vilken chatt du vill koppla.").await;
    };
    let code = Code::random();
    let until = visitor.now.plus(CODE_LIFE);
    let mut tx = site.db.write().await?;
    if too_often(&mut tx, "kod", &visitor, 2 * SENT_MAX).await? {
        return refused(&site, &visitor, "Det blev många koder. Vänta en timme och försök igen.").await;
    }
    chat::store::put_code(&mut tx, &code.hash(&site.app.secret), &visitor.person.key, kind.slug, until).await?;
    tell(tx, &visitor, "voice.code_made", serde_json::json!({ "voice": kind.slug })).await?;
    let (how, link) = how_to_say(&site, kind.channel, &code);
    let shown = ShownCode { code: code.shown(), place: kind.name, how, link, until: words::clock(until) };
    render(&site, &visitor, None, Some(shown)).await
}

/// Where and how a code is said.
fn how_to_say(site: &Site, channel: Channel, code: &Code) -> (String, Option<String>) {
    let settings = &site.app.config.chat;
    match channel {
        Channel::Telegram => {
            let bot = settings.telegram.as_ref().map(|telegram| telegram.bot_name.as_str()).unwrap_or_default();
            if bot.is_empty() {
                return ("Skriv koden till Lyhörds bot i Telegram.".to_owned(), None);
            }
            let link = format!("https://t.me/{bot}?start={}", code.shown());
            (format!("Skriv koden till @{bot} i Telegram, eller öppna länken och tryck på Start."), Some(link))
        }
        Channel::Matrix => {
            let user = settings.matrix.as_ref().map(|matrix| matrix.account.user_id.clone()).unwrap_or_default();
            (
                format!("Skriv koden till {user}, i en direktchatt utan kryptering eller i ett rum där boten är med."),
                None,
            )
        }
        Channel::Slack => ("Skriv koden i ett direktmeddelande till Lyhörd, eller /lyhord och koden.".to_owned(), None),
        _ => ("Skriv /lyhord och koden.".to_owned(), None),
    }
}

/// An address that a person says is hers.
#[derive(Debug, serde::Deserialize)]
pub struct Typed {
    rost: String,
    adress: String,
}

pub(super) async fn send_code(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Form(typed): Form<Typed>,
) -> Result<Response, Fault> {
    let Some(channel) = Channel::from_slug(&typed.rost)
        .filter(|channel| TYPED.contains(channel) && site.app.voices.of(*channel).is_some())
    else {
        return refused(&site, &visitor, "Välj vilken chatt du vill koppla.").await;
    };
    let (key, now) = (visitor.person.key.as_str(), visitor.now);
    let address = match address::read(channel, &typed.adress, key, &site.app.config.chat) {
        Ok(address) => address,
        Err(wrong) => return refused(&site, &visitor, wrong).await,
    };
    let mut tx = site.db.write().await?;
    if chat::store::staff_of(&mut tx, channel.slug(), &address).await?.is_some_and(|other| other != key) {
        return refused(
            &site,
            &visitor,
            "Den adressen är kopplad till någon annan. Be den som sköter systemet om hjälp.",
        )
        .await;
    }
    if too_often(&mut tx, "adress", &visitor, SENT_MAX).await? {
        return refused(&site, &visitor, "Det blev många koder. Vänta en timme och försök igen.").await;
    }
    let (code, until) = (Code::random(), now.plus(CODE_LIFE));
    let of = (key, channel.slug(), address.as_str());
    outbox_store::put_sent_code(&mut tx, &code.hash(&site.app.secret), of, until).await?;
    let message = Said::Code { code, until }.message(&site.app.links, now);
    let body = serde_json::to_string(&message).map_err(|fault| Fault::Own(fault.to_string()))?;
    outbox_store::put_notice(&mut tx, of, &body, None, now).await?;
    tell(tx, &visitor, "voice.code_sent", serde_json::json!({ "voice": channel.slug() })).await?;
    let text = format!(
        "En kod är på väg till adressen i {}. Skriv den nedan före {}.",
        channel.swedish(),
        words::clock(until)
    );
    render(&site, &visitor, Some(Notice { tone: "good", text }), None).await
}

/// A code that came to an address.
#[derive(Debug, serde::Deserialize)]
pub struct Came {
    kod: String,
}

pub(super) async fn confirm(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Form(came): Form<Came>,
) -> Result<Response, Fault> {
    let (key, now) = (visitor.person.key.as_str(), visitor.now);
    let mut tx = site.db.write().await?;
    let bound = match Code::parse(&came.kod) {
        Some(code) => outbox_store::use_sent_code(&mut tx, &code.hash(&site.app.secret), key, now).await?,
        None => None,
    };
    let subject = format!("bekrafta:{key}");
    let failed = chat::store::tries(&mut tx, &subject, now.minus(TRIES_WITHIN)).await?;
    if failed >= i64::from(TRIES) {
        return refused(&site, &visitor, "Det blev för många fel koder. Vänta en timme och be om en ny.").await;
    }
    let Some((voice, address)) = bound else {
        chat::store::put_try(&mut tx, &subject, now).await?;
        tx.commit().await?;
        return refused(&site, &visitor, "Koden stämmer inte eller har gått ut. Be om en ny.").await;
    };
    chat::store::bind_voice(&mut tx, key, &voice, &address, now).await?;
    tell(tx, &visitor, "voice.bound", serde_json::json!({ "voice": voice })).await?;
    Ok(Redirect::to("/min-profil?sagt=kopplad").into_response())
}

/// What is to be done with a voice.
#[derive(Debug, serde::Deserialize)]
pub struct OfVoice {
    id: i64,
    gor: String,
}

pub(super) async fn act(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Form(asked): Form<OfVoice>,
) -> Result<Response, Fault> {
    let (key, now) = (visitor.person.key.as_str(), visitor.now);
    let mut tx = site.db.write().await?;
    let row = chat::store::voices(&mut tx).await?.into_iter().find(|row| row.id == asked.id && row.staff == key);
    let row = row.ok_or(Fault::NotFound)?;
    let (kind, said) = match asked.gor.as_str() {
        "upp" => {
            outbox_store::move_up(&mut tx, row.id, key).await?;
            ("voice.ordered", "sparat")
        }
        "prov" => {
            if too_often(&mut tx, "prov", &visitor, SENT_MAX).await? {
                return refused(&site, &visitor, "Det blev många prov. Vänta en timme och försök igen.").await;
            }
            let body = serde_json::to_string(&Said::Test.message(&site.app.links, now));
            let body = body.map_err(|fault| Fault::Own(fault.to_string()))?;
            outbox_store::put_notice(&mut tx, (key, &row.voice, &row.address), &body, None, now).await?;
            ("voice.tried", "prov")
        }
        "bort" => {
            chat::store::unbind_voice(&mut tx, row.id, key).await?;
            ("voice.unbound", "sparat")
        }
        _ => return Err(Fault::NotFound),
    };
    tell(tx, &visitor, kind, serde_json::json!({ "voice": row.voice })).await?;
    Ok(Redirect::to(&format!("/min-profil?sagt={said}")).into_response())
}
