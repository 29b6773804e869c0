//! What stands on top of the inbox while unusually many write about one topic, and for a day after.

use std::time::Duration;

use super::words;
use crate::assignment::Organisation;
use crate::audit::rush_store::{self, Rush};
use crate::clock::Time;
use crate::db::Tx;

/// How long a rush that is over is still shown.
const SHOWN_AFTER: Duration = Duration::from_hours(24);

/// A rush as a line with a link to its topic.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) tone: &'static str,
    pub(super) topic: String,
}

/// The lines, those that last first.
///
/// # Errors
/// What the database says.
pub(super) async fn lines(tx: &mut Tx, organisation: &Organisation, now: Time) -> sqlx::Result<Vec<Line>> {
    let rushes = rush_store::latest(tx, now.minus(SHOWN_AFTER)).await?;
    Ok(rushes.iter().map(|rush| line(rush, organisation, now)).collect())
}

fn line(rush: &Rush, organisation: &Organisation, now: Time) -> Line {
    let topic = organisation.topic(&rush.topic).map_or(rush.topic.as_str(), |topic| topic.name.as_str());
    let hours = words::counted(rush.hours, "timme", "timmar");
    let many = format!(
        "som mest {} av {} på {hours}, mot {} som brukligt",
        words::counted(rush.posts, "inlägg", "inlägg"),
        words::counted(rush.writers, "skribent", "skribenter"),
        words::number(rush.usual)
    );
    let began = words::moment(rush.began_at, now);
    match rush.ended_at {
        None => Line {
            text: format!("Ovanligt många skriver om {topic} sedan {began}: {many}."),
            tone: "soon",
            topic: rush.topic.clone(),
        },
        Some(ended) => Line {
            text: format!("Ovanligt många skrev om {topic} från {began} till {}: {many}.", words::moment(ended, now)),
            tone: "",
            topic: rush.topic.clone(),
        },
    }
}
