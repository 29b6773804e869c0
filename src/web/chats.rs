//! Chattar: how each voice is, what waits for it, and which colleagues are not reached by what they have bound.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;

use super::fault::Fault;
use super::frame::Frame;
use super::my_voices::{Account, accounts};
use super::visitor::Visitor;
use super::{Site, page, words};
use crate::chat::outbox_store::{self, Health};
use crate::chat::swedish::never;
use crate::chat::undelivered_store;
use crate::chat::{self, Channel};
use crate::clock::Time;

struct Row {
    name: &'static str,
    tone: &'static str,
    state: &'static str,
    since: String,
    why: String,
    waiting: String,
    next: String,
    last: String,
}

struct Unreached {
    name: String,
    voice: &'static str,
    since: String,
    why: &'static str,
    so: String,
}

#[derive(Template)]
#[template(path = "chats.html")]
struct Chats {
    frame: Frame,
    summary: String,
    /// The variable that should hold Telegram's token and holds none.
    without_token: Option<String>,
    rows: Vec<Row>,
    unreached: Vec<Unreached>,
    accounts: Vec<Account>,
}

pub(super) async fn show(State(site): State<Site>, Extension(visitor): Extension<Visitor>) -> Result<Response, Fault> {
    let now = visitor.now;
    let mut tx = site.db.read().await?;
    let ill = outbox_store::ill(&mut tx).await?;
    let waiting = outbox_store::waiting(&mut tx).await?;
    let mut rows = Vec::new();
    for channel in site.app.voices.channels() {
        let last = outbox_store::last_said(&mut tx, channel.slug()).await?;
        let waits = waiting.iter().find(|(voice, ..)| voice == channel.slug());
        let ill = ill.iter().find(|one| one.voice == channel.slug());
        rows.push(row(channel, ill, waits.map(|(_, n, since, next)| (*n, *since, *next)), last, now));
    }
    let organisation = site.organisation();
    let voices = chat::store::voices(&mut tx).await?;
    let nowhere = undelivered_store::unreached(&mut tx).await?;
    let nowhere = nowhere.into_iter().map(|(staff, cases, since)| Unreached {
        name: organisation.name_of_staff(&staff).to_owned(),
        voice: "ingen väg",
        since: words::moment(since, now),
        why: "ingen chatt eller e-post som fungerar är vald",
        so: format!("Påminnelser om {} står bara i inkorgen.", words::counted(cases, "ärende", "ärenden")),
    });
    let unreached: Vec<Unreached> = voices
        .into_iter()
        .filter_map(|voice| {
            Some(Unreached {
                name: organisation.name_of_staff(&voice.staff).to_owned(),
                voice: Channel::from_slug(&voice.voice).map_or("Okänd chatt", Channel::swedish),
                since: words::moment(voice.failed_at?, now),
                why: never(voice.failed_why.as_deref().unwrap_or_default()),
                so: "Nästa väg i ordningen används; finns ingen står påminnelsen i inkorgen.".to_owned(),
            })
        })
        .chain(nowhere)
        .collect();
    let amiss = rows.iter().filter(|row| row.tone == "late").count();
    let summary = match (rows.len(), amiss) {
        (0, _) => "Ingen chatt är påslagen: påminnelserna står i inkorgen.".to_owned(),
        (_, 0) => "Alla chattar fungerar.".to_owned(),
        (all, amiss) => format!("{amiss} av {all} behöver tillsyn"),
    };
    let frame = Frame::of(&site, &visitor, &mut tx, "Chattar", "/chattar").await?;
    let without_token = site.app.config.chat.without_token.clone();
    page(&Chats { frame, summary, without_token, rows, unreached, accounts: accounts(&site) })
}

fn row(
    channel: Channel,
    ill: Option<&Health>,
    waiting: Option<(i64, Time, Time)>,
    last: Option<Time>,
    now: Time,
) -> Row {
    let (tone, state) = match ill.map(|ill| ill.state.as_str()) {
        None => ("brand", "Fungerar"),
        Some("out") => ("late", "Godtar oss inte"),
        Some(_) => ("late", "Svarar inte"),
    };
    let waits = |(n, since, _): (i64, Time, Time)| {
        format!("{} sedan {}", words::counted(n, "meddelande", "meddelanden"), words::moment(since, now))
    };
    Row {
        name: channel.swedish(),
        tone,
        state,
        since: ill.map(|ill| words::moment(ill.since, now)).unwrap_or_default(),
        why: ill.map(|ill| ill.why.clone()).unwrap_or_default(),
        waiting: waiting.map_or_else(|| "inget".to_owned(), waits),
        next: waiting.map_or_else(|| "–".to_owned(), |(_, _, next)| words::moment(next, now)),
        last: last.map_or_else(|| "aldrig".to_owned(), |last| words::moment(last, now)),
    }
}

/// What everybody is told on every page while a voice does not work.
pub(super) fn outages(ill: &[Health], now: Time) -> Vec<String> {
    let text = |one: &Health| {
        let name = Channel::from_slug(&one.voice).map_or("En chatt", Channel::swedish);
        let since = words::moment(one.since, now);
        match one.state.as_str() {
            "out" => format!("{name} godtar inte Lyhörd sedan {since}. Påminnelser går andra vägar där de finns."),
            _ => format!("{name} svarar inte sedan {since}. Påminnelserna väntar och skickas när tjänsten svarar."),
        }
    };
    ill.iter().map(text).collect()
}
