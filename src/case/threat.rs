//! The way of a threat (hot och brott), step by step. A person assesses before anything else; nobody skips a step,
//! and the order is that of the law lane: secure, tell, assess for the channel, report, support, follow up.

use std::time::Duration;

use crate::clock::Time;

/// Where the handling of a threat has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Threat {
    /// The judge or a colleague suspects a threat; nobody has assessed it.
    Suspected,
    /// A person has said that it is none.
    None,
    /// Unpleasant, but no threat: ordinary moderation.
    Unpleasant,
    /// A person has said that it is a threat or a crime.
    Confirmed,
    /// It is kept as evidence; pictures of abuse never are, and that is noted instead.
    Secured,
    /// Security, the manager and the one concerned have been told, by telephone or in person.
    Told,
    /// It has been decided whether it must be taken away under the BBS act, where the channel is our own.
    Assessed,
    /// It has been reported to the police, or it is noted why not.
    Reported,
    /// The one concerned has been offered support.
    Supported,
    /// Followed up after a week.
    FollowedWeek,
    /// Followed up after a month: the end.
    FollowedMonth,
}

impl Threat {
    /// Every place, in order.
    pub const ALL: [Self; 11] = [
        Self::Suspected,
        Self::None,
        Self::Unpleasant,
        Self::Confirmed,
        Self::Secured,
        Self::Told,
        Self::Assessed,
        Self::Reported,
        Self::Supported,
        Self::FollowedWeek,
        Self::FollowedMonth,
    ];

    /// The slug in the database.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Suspected => "misstankt",
            Self::None => "ej-hot",
            Self::Unpleasant => "otrevligt",
            Self::Confirmed => "hot",
            Self::Secured => "sakrat",
            Self::Told => "meddelat",
            Self::Assessed => "bedomt-bbs",
            Self::Reported => "anmalt",
            Self::Supported => "stod",
            Self::FollowedWeek => "uppfoljt-7",
            Self::FollowedMonth => "uppfoljt-30",
        }
    }

    /// What a person reads when it has been done.
    #[must_use]
    pub fn swedish(self) -> &'static str {
        match self {
            Self::Suspected => "Misstänkt hot, inte bedömt än",
            Self::None => "Bedömt: inte hot",
            Self::Unpleasant => "Bedömt: otrevligt, vanlig moderering",
            Self::Confirmed => "Bedömt: hot eller brott",
            Self::Secured => "Bevis säkrat",
            Self::Told => "Säkerhet, chef och den berörda har fått veta, på telefon eller på plats",
            Self::Assessed => "Bedömt om det ska döljas enligt BBS-lagen",
            Self::Reported => "Polisanmälan gjord, eller skäl noterat",
            Self::Supported => "Stöd erbjudet till den berörda",
            Self::FollowedWeek => "Uppföljt efter en vecka",
            Self::FollowedMonth => "Uppföljt efter en månad, klart",
        }
    }

    /// What the one who does it must note, when she must; a K-number, a reason.
    #[must_use]
    pub fn asks_for(self) -> Option<&'static str> {
        match self {
            Self::Secured => Some("Var beviset finns. Spara aldrig övergreppsbilder: skriv då att inget sparades."),
            Self::Assessed => Some("Dolt eller kvar, och varför."),
            Self::Reported => Some("Ärendenummer hos polisen (K-nummer), eller varför ingen anmälan görs."),
            _ => None,
        }
    }

    /// Reads a slug.
    #[must_use]
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|threat| threat.slug() == slug)
    }

    /// What can be done next; nothing at an end.
    #[must_use]
    pub fn next(self) -> &'static [Self] {
        match self {
            Self::Suspected => &[Self::Confirmed, Self::Unpleasant, Self::None],
            Self::Confirmed => &[Self::Secured],
            Self::Secured => &[Self::Told],
            Self::Told => &[Self::Assessed],
            Self::Assessed => &[Self::Reported],
            Self::Reported => &[Self::Supported],
            Self::Supported => &[Self::FollowedWeek],
            Self::FollowedWeek => &[Self::FollowedMonth],
            Self::None | Self::Unpleasant | Self::FollowedMonth => &[],
        }
    }

    /// True when a person has said what it is: before that nothing may close the case.
    #[must_use]
    pub fn is_assessed(self) -> bool {
        self != Self::Suspected
    }

    /// True when it is no longer only for the few who must see it.
    #[must_use]
    pub fn is_open_to_all(self) -> bool {
        matches!(self, Self::None | Self::Unpleasant)
    }

    /// True while something remains to be done.
    #[must_use]
    pub fn is_under_way(self) -> bool {
        self == Self::Suspected || (self >= Self::Confirmed && self < Self::FollowedMonth)
    }

    /// When the next follow-up is due, counted from when support was offered.
    #[must_use]
    pub fn follow_up_at(self, supported_at: Time) -> Option<Time> {
        let days = |days: u64| supported_at.plus(Duration::from_hours(24 * days));
        match self {
            Self::Supported => Some(days(7)),
            Self::FollowedWeek => Some(days(30)),
            _ => None,
        }
    }
}

/// How long a follow-up that is due may lie before the manager is told too.
pub const FOLLOW_UP_LIES: Duration = Duration::from_hours(48);

/// Who is told of a follow-up that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reminded {
    /// The one who has the case.
    Holder,
    /// She and the one who leads her unit.
    ManagerToo,
}

/// Who is told at `now` of a follow-up that was due at `due_at`, and when the next one is if it is still not done.
#[must_use]
pub fn reminded(due_at: Time, now: Time) -> (Reminded, Option<Time>) {
    let manager_at = due_at.plus(FOLLOW_UP_LIES);
    if now < manager_at { (Reminded::Holder, Some(manager_at)) } else { (Reminded::ManagerToo, None) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follow_up_that_lies_two_days_is_told_to_the_manager_too() {
        let (due, hour) = (Time(0), 3_600_000);
        assert_eq!(reminded(due, Time(0)), (Reminded::Holder, Some(Time(48 * hour))));
        assert_eq!(reminded(due, Time(47 * hour)), (Reminded::Holder, Some(Time(48 * hour))));
        assert_eq!(reminded(due, Time(48 * hour)), (Reminded::ManagerToo, None));
    }

    #[test]
    fn a_threat_is_assessed_by_a_person_before_anything_else() {
        for to in Threat::ALL.into_iter().filter(|to| *to > Threat::Confirmed) {
            assert!(!Threat::Suspected.next().contains(&to), "{to:?}");
        }
        assert!(!Threat::Suspected.is_assessed());
    }

    #[test]
    fn the_way_of_a_threat_skips_no_step() {
        let mut way = vec![Threat::Suspected];
        while let Some(next) = way.last().and_then(|at| at.next().first()) {
            way.push(*next);
        }
        let way: Vec<&str> = way.into_iter().map(Threat::slug).collect();
        assert_eq!(
            way.join(" → "),
            "misstankt → hot → sakrat → meddelat → bedomt-bbs → anmalt → stod → uppfoljt-7 → uppfoljt-30"
        );
    }

    #[test]
    fn what_is_no_threat_goes_back_to_all_and_a_threat_never_does() {
        let open: Vec<Threat> = Threat::ALL.into_iter().filter(|threat| threat.is_open_to_all()).collect();
        assert_eq!(open, [Threat::None, Threat::Unpleasant]);
    }

    #[test]
    fn it_is_followed_up_after_a_week_and_after_a_month() {
        let day = 86_400_000;
        assert_eq!(Threat::Supported.follow_up_at(Time(0)), Some(Time(7 * day)));
        assert_eq!(Threat::FollowedWeek.follow_up_at(Time(0)), Some(Time(30 * day)));
        assert_eq!(Threat::FollowedMonth.follow_up_at(Time(0)), None);
    }

    #[test]
    fn slugs_read_back() {
        for threat in Threat::ALL {
            assert_eq!(Threat::from_slug(threat.slug()), Some(threat));
        }
        assert_eq!(Threat::from_slug("nytt"), None);
    }
}
