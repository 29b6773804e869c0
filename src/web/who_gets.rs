//! Vem får det?: type a text and see who would get it, due when, and why. Nothing is kept and nothing happens.

use std::collections::BTreeMap;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;

use super::fault::Fault;
use super::frame::Frame;
use super::inbox::Choice;
use super::sent::Form;
use super::visitor::Visitor;
use super::{Site, page, words};
use crate::app::ask::{Foretold, ask};
use crate::app::office::Office;
use crate::config::Config;

/// Letters that are judged: a long post.
const TEXT_MAX: usize = 4_000;
/// The channel that is asked about when none is chosen, as on the command line.
const CHANNEL: &str = "forum";

#[derive(Template)]
#[template(path = "who_gets.html")]
struct Page {
    frame: Frame,
    text: String,
    channels: Vec<Choice>,
    told: Option<Foretold>,
    lines: Vec<String>,
}

/// What is asked about.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct About {
    text: String,
    kanal: String,
}

pub(super) async fn show(State(site): State<Site>, Extension(visitor): Extension<Visitor>) -> Result<Response, Fault> {
    let mut tx = site.db.read().await?;
    let frame = Frame::of(&site, &visitor, &mut tx, "Vem får det?", "/vem-far-det").await?;
    let channels = channels(&site.app.config, CHANNEL);
    page(&Page { frame, text: String::new(), channels, told: None, lines: Vec::new() })
}

pub(super) async fn answer(
    State(site): State<Site>,
    Extension(visitor): Extension<Visitor>,
    Form(about): Form<About>,
) -> Result<Response, Fault> {
    let app = &site.app;
    let text: String = about.text.trim().chars().take(TEXT_MAX).collect();
    let channels = channels(&app.config, &about.kanal);
    let channel = channels.iter().find(|channel| channel.chosen).map_or(CHANNEL, |channel| channel.value.as_str());
    let mut tx = site.db.read().await?;
    let office = Office::load(&mut tx, visitor.now).await?;
    let frame = Frame::of(&site, &visitor, &mut tx, "Vem får det?", "/vem-far-det").await?;
    drop(tx);
    let told = (!text.is_empty())
        .then(|| ask(&app.config, &app.watch, app.judge().as_ref(), (&text, channel), &office, visitor.now));
    let lines = told.iter().flat_map(|told| told.explained.lines().skip(1).map(str::to_owned)).collect();
    page(&Page { frame, text, channels, told, lines })
}

/// The channels of our sources, by name, with the one that was chosen. For one that we do not know the usual one is.
fn channels(config: &Config, chosen: &str) -> Vec<Choice> {
    let known = config.sources.iter().map(|source| source.channel.as_str()).chain([CHANNEL]);
    let named: BTreeMap<String, &str> = known.map(|channel| (words::channel(channel), channel)).collect();
    let chosen = named.values().copied().find(|known| *known == chosen).unwrap_or(CHANNEL);
    let choice =
        |(name, channel): (String, &str)| Choice { value: channel.to_owned(), chosen: channel == chosen, name };
    named.into_iter().map(choice).collect()
}
