//! What one of our accounts has answered in the channel itself: nobody pressed anything here, and the case follows.

use serde_json::json;

use super::acts::{ANSWERS_COMPARED, Act, KEPT, make_room, same_place, standing};
use super::store::NewResponse;
use super::{ANSWER_MAX, Done, Kind, Refused, promise_acts, store};
use crate::case::Move;
use crate::case::store::Change;
use crate::clock::Time;
use crate::db::Tx;
use crate::id::CaseId;
use crate::journal::Fact;

/// Before a channel's slug: who answered when a person is not known.
pub const OF_CHANNEL: &str = "kanal:";
/// An answer that one of our accounts gave in the channel itself.
#[derive(Debug, Clone, Copy)]
pub struct Native<'a> {
    /// Slug of the channel.
    pub channel: &'a str,
    /// Its words.
    pub text: &'a str,
    /// Where it stands.
    pub url: Option<&'a str>,
    /// When it was given, by the channel's clock.
    pub answered_at: Time,
}

/// Notes an answer that was given in the channel: the first response is fulfilled at the channel's time, a breach that
/// was none is withdrawn, and the case is closed unless what came of it must still be told. The channel has the credit,
/// unless the case already has this very answer from one we know. What happened is added to `facts`: the caller is a job
/// over many rows, and writes the journal last.
///
/// # Errors
/// [`Refused`]: nothing has changed.
pub async fn answer_in_channel(
    tx: &mut Tx,
    case: CaseId,
    native: Native<'_>,
    facts: &mut Vec<Fact>,
    now: Time,
) -> Result<Done, Refused> {
    let who = format!("{OF_CHANNEL}{}", native.channel);
    let mut act = Act::begin(tx, &who, case, None, now).await?;
    // A channel whose clock goes before ours, or an answer that is older than the question, is taken at the nearest
    // moment that can be.
    let at = native.answered_at.min(now).max(act.row.arrived_at);
    let known = store::of_case(tx, case, ANSWERS_COMPARED).await?;
    let known = known.iter().find(|row| same_place(row.url.as_deref(), native.url));
    let response = if let Some(row) = known {
        row.id
    } else {
        let text: String = native.text.chars().take(ANSWER_MAX).collect();
        let new = NewResponse {
            case,
            kind: Kind::Answer,
            body: &text,
            url: native.url,
            unit: act.row.unit.as_deref(),
            written_by: &who,
            answered_at: at,
        };
        store::put(tx, &new, now).await?
    };
    let open = !act.state.is_closed();
    let first = act.row.first_answer_at.is_none_or(|before| at < before);
    let answers = open.then(|| act.to(&Move::Answer { outcome: None }));
    let closes = matches!(answers, Some(Ok(_)));
    let mut revision = act.row.revision;
    if first || (open && !closes) {
        if !crate::case::store::answered_in_channel(tx, case, revision, at, open && !closes, now).await? {
            return Err(Refused::Overtaken(standing(&act.row)));
        }
        revision += 1;
    }
    act.row.revision = revision;
    let mut state = act.state;
    if let Some(Ok(answered)) = answers {
        let change = Change {
            state: Some(answered.slug()),
            first_answer_at: Some(at),
            closed_at: Some(now),
            triaged: true,
            ..Change::default()
        };
        act.change(tx, &change).await?;
        state = answered;
        promise_acts::end(tx, &act.row, KEPT, at).await?;
        make_room(tx, &act.row, now).await?;
    } else if first {
        promise_acts::keep_first(tx, &act.row, at).await?;
    }
    let body =
        json!({ "response": response, "at": at, "channel": native.channel, "known": known.map(|row| &row.written_by) });
    facts.push(Fact::of_case(at, "case.answered_in_channel", case, body).by(&who));
    if let Some(due_at) =
        act.row.due_at.filter(|due| first && act.row.first_answer_at.is_none() && at <= *due && *due < now)
    {
        let body = json!({ "due_at": due_at, "answered_at": at });
        facts.push(Fact::of_case(now, "case.breach_withdrawn", case, body));
    }
    tx.ring_on_commit("timetable");
    tx.ring_on_commit("web");
    Ok(Done { case, state, revision: act.row.revision + i64::from(closes) })
}
