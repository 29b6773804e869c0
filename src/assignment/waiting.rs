//! The unit's queue (kön): in which order what waits is taken.

use crate::classification::Urgency;
use crate::clock::Time;
use crate::id::CaseId;

use super::Lane;

/// A case that waits for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Which case.
    pub case: CaseId,
    /// Its lane: a threat and a request for a document never stand behind ordinary cases.
    pub lane: Lane,
    /// How soon somebody must look.
    pub urgency: Urgency,
    /// When it should be answered; what has no time comes last.
    pub due_at: Option<Time>,
    /// When it was opened.
    pub opened_at: Time,
}

/// Sorts a queue: danger first, then the lanes that the law hurries, then the oldest due, then the oldest.
pub fn sort(queue: &mut [Waiting]) {
    queue.sort_by_key(|one| {
        let danger = one.urgency == Urgency::Acute || one.lane == Lane::Threat;
        let by_law = one.lane.beyond_approval();
        (!danger, !by_law, one.due_at.unwrap_or(Time(i64::MAX)), one.opened_at, one.case)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(id: i64, due: Option<i64>) -> Waiting {
        Waiting {
            case: CaseId(id),
            lane: Lane::Ordinary,
            urgency: Urgency::Normal,
            due_at: due.map(Time),
            opened_at: Time(id),
        }
    }

    fn order(mut queue: Vec<Waiting>) -> Vec<i64> {
        sort(&mut queue);
        queue.into_iter().map(|one| one.case.0).collect()
    }

    #[test]
    fn the_oldest_due_is_taken_first_and_what_has_no_time_last() {
        assert_eq!(order(vec![case(1, None), case(2, Some(30)), case(3, Some(20)), case(4, Some(20))]), [3, 4, 2, 1]);
    }

    #[test]
    fn a_request_for_a_document_never_stands_behind_ordinary_cases() {
        let document = Waiting { lane: Lane::Document, ..case(3, Some(90)) };
        let acute = Waiting { urgency: Urgency::Acute, ..case(4, Some(99)) };
        assert_eq!(order(vec![case(1, Some(10)), document, acute]), [4, 3, 1]);
    }
}
