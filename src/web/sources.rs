//! Källor: how each source is, since when and why; and "läs nu" for the one who keeps the system.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};

use super::fault::Fault;
use super::frame::{Frame, said};
use super::sent::{Path, Query};
use super::visitor::Visitor;
use super::{Site, page, words};
use crate::assignment::Role;
use crate::clock::Time;
use crate::id::SourceId;
use crate::journal::{self, Fact};
use crate::source::account::Account;
use crate::source::channel_store::{self, AccountCheck, StreamAway};
use crate::source::hook;
use crate::source::kinds::capabilities;
use crate::source::store::SourceRow;
use crate::source::{BEFORE_END, Health};

/// What the address may ask for.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Asked {
    sagt: Option<String>,
}

#[derive(Debug)]
struct Row {
    id: SourceId,
    name: String,
    channel: String,
    tone: &'static str,
    health: &'static str,
    since: String,
    why: String,
    last_ok: String,
    last_item: String,
    next: String,
    streamed: bool,
    /// Where things are handed in, for a web hook.
    address: String,
    reads: &'static str,
    cannot: &'static [&'static str],
}

/// One of our own accounts.
#[derive(Debug)]
struct OwnAccount {
    handle: String,
    channel: String,
    tone: &'static str,
    state: &'static str,
    says: String,
}

#[derive(Template)]
#[template(path = "sources.html")]
struct Sources {
    frame: Frame,
    summary: String,
    rows: Vec<Row>,
    accounts: Vec<OwnAccount>,
    keeper: bool,
}

pub(super) async fn show(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let mut tx = site.db.read().await?;
    let sources = crate::source::store::all(&mut tx).await?;
    let checks = channel_store::account_checks(&mut tx).await?;
    let away = channel_store::streams_away(&mut tx).await?;
    // A stream that is no longer asked for is not away.
    let rings = |source: &SourceRow| site.app.setting(&source.key).is_some_and(|setting| setting.kind.rings());
    let away = |source: &SourceRow| away.iter().find(|one| one.source_id == source.id && rings(source));
    let accounts =
        site.app.config.accounts.all().iter().map(|account| own_account(account, &checks, visitor.now)).collect();
    let frame = Frame::of(&site, &visitor, &mut tx, "Källor", "/kallor").await?;
    let rows: Vec<Row> = sources.iter().map(|source| row(source, away(source), &site.base_url, visitor.now)).collect();
    let is_amiss = |source: &SourceRow| source.health != Health::Ok.slug() || away(source).is_some();
    let amiss = sources.iter().filter(|source| source.enabled && is_amiss(source)).count();
    let total = words::counted(i64::try_from(rows.len()).unwrap_or(i64::MAX), "källa", "källor");
    let summary = if amiss == 0 {
        format!("{total}, alla läses som de ska")
    } else {
        format!("{total}, {amiss} behöver tillsyn")
    };
    page(&Sources {
        frame: frame.saying(said(asked.sagt.as_deref())),
        summary,
        rows,
        accounts,
        keeper: visitor.person.is(Role::Admin),
    })
}

fn row(source: &SourceRow, away: Option<&StreamAway>, base_url: &str, now: Time) -> Row {
    let away = away.filter(|_| source.enabled);
    let health = Health::from_slug(&source.health);
    let (tone, name) = match health {
        _ if source.kind == "tips" => ("", "Klistras in"),
        _ if !source.enabled => ("", "Vilar"),
        Health::Ok if away.is_some() => ("soon", "Störd"),
        Health::Ok => ("brand", "Läses"),
        Health::Degraded => ("soon", "Störd"),
        Health::Blind => ("late", "Blind"),
        Health::Dead => ("late", "Nere"),
    };
    let (reads, cannot) = capabilities(&source.kind);
    let when = |at: Option<Time>| at.map_or_else(|| "aldrig".to_owned(), |at| words::moment(at, now));
    Row {
        id: source.id,
        name: source.name.clone(),
        channel: words::channel(&source.channel),
        tone,
        health: name,
        since: words::moment(away.filter(|_| health == Health::Ok).map_or(source.health_since, |away| away.since), now),
        why: [source.health_why.clone(), away.map(|away| without_stream(away, now)).unwrap_or_default()]
            .join(" ")
            .trim()
            .to_owned(),
        last_ok: when(source.last_ok_at),
        last_item: when(source.last_item_at),
        next: match (source.enabled && source.gone_at.is_none(), source.streamed) {
            _ if source.kind == "tips" => "när någon tipsar".to_owned(),
            (false, _) => "läses inte".to_owned(),
            (true, true) if source.kind == "hook" => "tar emot hela tiden".to_owned(),
            (true, true) => "läses hela tiden".to_owned(),
            (true, false) => words::moment(source.next_poll_at, now),
        },
        streamed: source.streamed,
        address: if source.kind == "hook" { format!("{base_url}{}{}", hook::PATH, source.key) } else { String::new() },
        reads,
        cannot,
    }
}

/// What is said of a source that is read while its server's stream is away.
fn without_stream(away: &StreamAway, now: Time) -> String {
    format!(
        "Strömmen är borta sedan {}: {}. Inlägg läses på tid, men ändringar och borttagningar syns inte förrän den är \
         tillbaka, och de som görs under tiden hämtas inte i efterhand. Vi försöker igen av oss själva.",
        words::moment(away.since, now),
        away.why
    )
}

fn own_account(account: &Account, checks: &[AccountCheck], now: Time) -> OwnAccount {
    let check = checks.iter().find(|check| check.account == account.key);
    let (tone, state, says) = match check {
        _ if account.secret.is_none() => ("", "Känt", "Ingen inloggning är inställd.".to_owned()),
        None => ("", "Inte prövat än", String::new()),
        Some(check) => {
            let soon = check.expires_at.is_some_and(|at| at <= now.plus(BEFORE_END));
            let (tone, state) = match (check.ok, soon) {
                (true, false) => ("brand", "Fungerar"),
                (true, true) => ("soon", "Går snart ut"),
                (false, _) => ("late", "Släpper inte in oss"),
            };
            (tone, state, format!("{} Prövat {}.", check.why, words::moment(check.checked_at, now)))
        }
    };
    OwnAccount { handle: account.handle.clone(), channel: words::channel(&account.channel), tone, state, says }
}

pub(super) async fn read_now(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<SourceId>,
) -> Result<Response, Fault> {
    let mut tx = site.db.write().await?;
    let source = crate::source::store::all(&mut tx).await?.into_iter().find(|source| source.id == id);
    let source = source.ok_or(Fault::NotFound)?;
    crate::source::store::read_now(&mut tx, id, visitor.now).await?;
    let fact = Fact {
        at: visitor.now,
        actor: visitor.person.key.clone(),
        kind: "source.read_now",
        case: None,
        mention: None,
        body: serde_json::json!({ "source": source.key }),
    };
    journal::append(&mut tx, &[fact]).await?;
    tx.ring_on_commit("timetable");
    tx.ring_on_commit("web");
    tx.commit().await?;
    Ok(Redirect::to("/kallor?sagt=lasning").into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_is_gone_is_down_and_is_not_said_to_be_read_again() {
        let now = Time(1_795_420_800_000);
        let mut source = SourceRow::fresh("a", "A", "https://a.example", "rss");
        source.health = Health::Dead.slug().to_owned();
        assert_ne!(row(&source, None, "", now).next, "läses inte");
        source.gone_at = Some(now);
        let shown = row(&source, None, "", now);
        assert_eq!((shown.health, shown.next.as_str()), ("Nere", "läses inte"));
    }
}
