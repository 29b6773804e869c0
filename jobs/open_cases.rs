//! Opens a case for each judged mention that wants an answer, or joins it to the open case it belongs to.

use std::time::Duration;

use crate::app::App;
use crate::case::store::NewCase;
use crate::case::{self, Author, Opening};
use crate::classification::{Classification, Flag, Intent};
use crate::clock::Time;
use crate::db::Tx;
use crate::id::{CaseId, MentionId};
use crate::jobs::{BATCH, Job, TIMETABLE_BELL, WEB_BELL};
use crate::journal::{self, Fact};
use crate::mention::store::{Judged, Mention};
use crate::mention::{self, Hearing, version_store};
use crate::response::acts::{self, Native};
use crate::response::promise_acts;
use crate::source::{channel_store, tip, tip_store};

/// How many letters of a post stand for it in lists.
const TITLE_LETTERS: usize = 140;
/// How long after our answer the thread is watched: two weeks, as long as people come back to a matter.
const WATCHED: Duration = Duration::from_hours(14 * 24);

/// Sees to one batch; enqueues itself when there may be more, and the next step when it opened something.
///
/// # Errors
/// What the database says; nothing of the batch is then opened.
pub async fn run(app: &App, now: Time) -> anyhow::Result<()> {
    let mut tx = app.db.write().await?;
    let batch = mention::store::unsettled(&mut tx, BATCH).await?;
    if batch.is_empty() {
        return Ok(());
    }
    let seen_to: Vec<MentionId> = batch.iter().map(|judged| judged.mention.id).collect();
    mention::store::settle(&mut tx, &seen_to, now).await?;
    let mut facts = Vec::new();
    let mut opened = Opened::default();
    for judged in &batch {
        let found = &judged.mention;
        let Ok(verdict) = serde_json::from_str::<Classification>(&judged.verdict) else { continue };
        if found.own {
            opened.file(&mut tx).await?;
            note_answer(&mut tx, found, now, &mut facts).await?;
            continue;
        }
        if let Some(thread) = found.thread.as_deref()
            && let Some(row) = case::promise_store::waiting_in_thread(&mut tx, &found.channel, thread).await?
        {
            // Whatever it says, it is the word we waited for.
            case::store::add_mention(&mut tx, row.id, found.id).await?;
            let resumed = promise_acts::take_up(&mut tx, &app.config.calendars, &row, now).await?;
            facts.push(Fact { mention: Some(found.id), ..Fact::of_case(now, "case.resumed", row.id, resumed) });
            continue;
        }
        let hearing = serde_json::from_str::<Hearing>(&found.hearing).ok();
        let mut opening = case::opening(&verdict, Author::Somebody, &app.config.other_topics);
        if !opening.opens() && hearing.as_ref().is_some_and(|hearing| hearing.handed_in) {
            // It was handed in as ours: the judge may doubt it, but not drop it.
            opening = Opening::Triage;
        }
        if !opening.opens() {
            continue;
        }
        let joined = case::store::joinable(&mut tx, &found.channel, found.thread.as_deref(), found.cluster_id).await?;
        if let Some(case) = joined {
            case::store::add_mention(&mut tx, case, found.id).await?;
            let body = serde_json::json!({ "channel": found.channel });
            facts.push(Fact { mention: Some(found.id), ..Fact::of_case(now, "case.joined", case, body) });
            continue;
        }
        let mut new = new_case(app, judged, &verdict, opening);
        new.place = hearing.and_then(|hearing| hearing.places.into_iter().next());
        new.restricted |= found.channel == tip::CHANNEL && tip_store::tells_of_crime(&mut tx, found.id).await?;
        let case = case::store::open(&mut tx, &new, now).await?;
        opened.unfiled.push((case, found.id, &found.body));
        let body = serde_json::json!({
            "topic": verdict.topic, "intent": verdict.intent.slug(), "urgency": verdict.urgency.slug(),
            "channel": found.channel, "authored_at": found.authored_at.to_string(),
        });
        facts.push(Fact { mention: Some(found.id), ..Fact::of_case(now, "case.opened", case, body) });
    }
    opened.file(&mut tx).await?;
    tx.ring_on_commit(TIMETABLE_BELL);
    if opened.any {
        Job::AssignCases.enqueue(&mut tx, now).await?;
    }
    if batch.len() == usize::try_from(BATCH).unwrap_or(usize::MAX) {
        Job::OpenCases.enqueue(&mut tx, now).await?;
    }
    tx.ring_on_commit(WEB_BELL);
    journal::append(&mut tx, &facts).await?;
    tx.commit().await?;
    Ok(())
}

/// Cases opened in this batch. They are put in order together, at the latest when one of our own answers comes, which
/// may answer one of them.
#[derive(Default)]
struct Opened<'a> {
    unfiled: Vec<(CaseId, MentionId, &'a str)>,
    any: bool,
}

impl Opened<'_> {
    async fn file(&mut self, tx: &mut Tx) -> sqlx::Result<()> {
        self.any |= !self.unfiled.is_empty();
        case::store::file(tx, &self.unfiled).await?;
        self.unfiled.clear();
        Ok(())
    }
}

/// One of our own posts is an answer, never a case: it fulfils the promise of the case it answers, and the thread it
/// stands in is watched for a while. A case that nobody has yet been given is answered when it is.
async fn note_answer(tx: &mut Tx, found: &Mention, now: Time, facts: &mut Vec<Fact>) -> anyhow::Result<()> {
    let Some((reply_to, thread, local_id)) = version_store::place_of(tx, found.id).await? else { return Ok(()) };
    let Some(asked) = reply_to.as_deref() else { return Ok(()) };
    let until = found.authored_at.plus(WATCHED);
    if until > now && !found.imported {
        let root = thread.as_deref().unwrap_or(asked);
        let (source, local_id) = (found.source_id, local_id.as_deref());
        channel_store::watch_thread(tx, &found.channel, root, source, local_id, now, until).await?;
    }
    let Some(case) = case::store::answered_by(tx, &found.channel, Some(asked), thread.as_deref()).await? else {
        return Ok(());
    };
    case::store::add_mention(tx, case, found.id).await?;
    let given = case::store::find(tx, case).await?.is_some_and(|row| row.unit.is_some());
    if given {
        let native = Native {
            channel: &found.channel,
            text: &found.body,
            url: found.url.as_deref(),
            answered_at: found.authored_at,
        };
        acts::answer_in_channel(tx, case, native, facts, now).await?;
    }
    Ok(())
}

fn new_case<'a>(app: &'a App, judged: &'a Judged, verdict: &'a Classification, opening: Opening) -> NewCase<'a> {
    let found = &judged.mention;
    let topic = app.config.organisation.topic(&verdict.topic);
    let flagged = |flag: Flag| verdict.flags.contains(&flag);
    NewCase {
        mention_id: found.id,
        cluster_id: found.cluster_id,
        source_id: found.source_id,
        channel: &found.channel,
        thread: found.thread.as_deref(),
        title: first_letters(found.title.as_deref().filter(|title| !title.trim().is_empty()).unwrap_or(&found.body)),
        topic: &verdict.topic,
        intent: verdict.intent.slug(),
        sentiment: verdict.sentiment.slug(),
        urgency: verdict.urgency.slug(),
        place: None,
        protected: topic.is_some_and(|topic| topic.protected)
            || flagged(Flag::ProtectedTopic)
            || flagged(Flag::SelfHarm),
        restricted: verdict.intent == Intent::Threat || flagged(Flag::Threat) || flagged(Flag::WhistleBlowing),
        triage: opening == Opening::Triage,
        arrived_at: found.authored_at.min(found.seen_at),
        imported: found.imported,
    }
}

fn first_letters(text: &str) -> &str {
    text.char_indices().nth(TITLE_LETTERS).map_or(text, |(end, _)| text.get(..end).unwrap_or(text)).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_cut_between_letters() {
        let long = "å".repeat(TITLE_LETTERS + 5);
        assert_eq!(first_letters(&long).chars().count(), TITLE_LETTERS);
        assert_eq!(first_letters(" kort "), "kort");
    }
}
