//! Which of a person's voices speaks to her now.

use super::Channel;
use super::outbox_store::Health;
use super::store::VoiceRow;
use crate::clock::Time;

/// A voice and where it finds her.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// Which voice.
    pub channel: Channel,
    /// Where it finds her.
    pub address: String,
}

/// The first voice in her own order that is on, has not failed for good and is not out of order; when all that is
/// left is out of order, the first of those, since waiting there loses nothing. Her work address is the last resort.
///
/// `rows` are everyone's voices in their order; `work_email` is what the organisation says of her.
#[must_use]
pub fn choose(
    staff: &str,
    rows: &[VoiceRow],
    ill: &[Health],
    work_email: Option<&str>,
    on: impl Fn(Channel) -> bool,
    now: Time,
) -> Option<Way> {
    let hers = || rows.iter().filter(|row| row.staff == staff);
    let mut ways: Vec<Way> = hers()
        .filter(|row| row.failed_at.is_none())
        .filter_map(|row| Some(Way { channel: Channel::from_slug(&row.voice)?, address: row.address.clone() }))
        .collect();
    if let Some(address) = work_email.filter(|address| !address.is_empty()) {
        let known = hers().any(|row| row.voice == Channel::Email.slug() && row.address.eq_ignore_ascii_case(address));
        if !known {
            ways.push(Way { channel: Channel::Email, address: address.to_owned() });
        }
    }
    ways.retain(|way| on(way.channel));
    let out = |way: &Way| {
        ill.iter().any(|one| one.voice == way.channel.slug() && one.state == "out" && one.try_again_at > now)
    };
    ways.iter().find(|way| !out(way)).or(ways.first()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, voice: &str, failed: bool) -> VoiceRow {
        VoiceRow {
            id,
            staff: "karin".into(),
            voice: voice.into(),
            address: format!("{voice}-1"),
            bound_at: Time(0),
            failed_at: failed.then_some(Time(1)),
            failed_why: None,
        }
    }

    fn out(voice: &str) -> Health {
        Health { voice: voice.into(), state: "out".into(), since: Time(0), why: String::new(), try_again_at: Time(100) }
    }

    fn chosen(rows: &[VoiceRow], ill: &[Health], email: Option<&str>, now: i64) -> Option<Channel> {
        choose("karin", rows, ill, email, |channel| channel != Channel::Teams, Time(now)).map(|way| way.channel)
    }

    #[test]
    fn her_own_order_holds_and_what_has_failed_or_is_off_is_passed_over() {
        let rows = [row(1, "teams", false), row(2, "telegram", true), row(3, "matrix", false), row(4, "slack", false)];
        assert_eq!(chosen(&rows, &[], None, 0), Some(Channel::Matrix));
    }

    #[test]
    fn a_service_out_of_order_is_passed_over_until_it_is_tried_again() {
        let rows = [row(1, "telegram", false), row(2, "matrix", false)];
        assert_eq!(chosen(&rows, &[out("telegram")], None, 50), Some(Channel::Matrix));
        assert_eq!(chosen(&rows, &[out("telegram")], None, 100), Some(Channel::Telegram));
        assert_eq!(chosen(&rows[..1], &[out("telegram")], None, 50), Some(Channel::Telegram), "it waits there");
    }

    #[test]
    fn the_work_address_is_the_last_resort_unless_it_has_failed() {
        assert_eq!(chosen(&[row(1, "telegram", true)], &[], Some("karin@ale.se"), 0), Some(Channel::Email));
        assert_eq!(chosen(&[row(1, "email", true)], &[], Some("EMAIL-1"), 0), None);
        assert_eq!(chosen(&[], &[], Some(""), 0), None);
    }
}
