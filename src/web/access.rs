//! Who may do what: one table of every address. What does not stand here nobody may do.
//!
//! The table says which roles come in through a door; [`may_see`] says which cases they find behind it.

use axum::http::Method;

use crate::assignment::{Lane, Organisation, Role};
use crate::case::store::CaseRow;
use crate::clock::Time;

/// Who may come in through an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Anybody, signed in or not.
    Everyone,
    /// This machine itself, or one who shows the token for measurements.
    Measurer,
    /// All who are signed in.
    SignedIn,
    /// Those who have one of these roles.
    Only(&'static [Role]),
}

/// Those who work with cases. One who only keeps the system sees settings, not contents.
const READERS: Who = Who::Only(&[Role::Communicator, Role::Staff, Role::Chief]);
/// Those who look after what we read.
const WATCHERS: Who = Who::Only(&[Role::Communicator, Role::Chief, Role::Admin]);
/// Those who follow up; staff see their own unit there.
const FOLLOWERS: Who = Who::Only(&[Role::Chief, Role::Staff, Role::Communicator]);
/// Those who look after the watch rules and the judge; they see samples of posts, so not one who only keeps the system.
const RULERS: Who = Who::Only(&[Role::Communicator, Role::Chief]);
/// Those who may read the journal.
const AUDITORS: Who = Who::Only(&[Role::Chief, Role::Admin]);

/// Every address, how it is called and who may.
pub const TABLE: &[(Method, &str, Who)] = &[
    (Method::GET, "/", Who::SignedIn),
    (Method::GET, "/logga-in", Who::Everyone),
    (Method::POST, "/logga-in", Who::Everyone),
    (Method::GET, "/logga-in/lank/{token}", Who::Everyone),
    (Method::POST, "/logga-in/lank/{token}", Who::Everyone),
    (Method::POST, "/logga-ut", Who::SignedIn),
    (Method::GET, "/inkorg", READERS),
    (Method::GET, "/mina", READERS),
    (Method::GET, "/arende/{id}", READERS),
    (Method::GET, "/arende/{id}/bild/{tip}", READERS),
    (Method::POST, "/arende/{id}/ta", READERS),
    (Method::POST, "/arende/{id}/kvittera", READERS),
    (Method::POST, "/arende/{id}/lamna-over", READERS),
    (Method::POST, "/arende/{id}/senare", READERS),
    (Method::POST, "/arende/{id}/svara", READERS),
    (Method::POST, "/arende/{id}/hanvisa", READERS),
    (Method::POST, "/arende/{id}/avskriv", READERS),
    (Method::POST, "/arende/{id}/oppna", READERS),
    (Method::POST, "/arende/{id}/ratta", READERS),
    (Method::POST, "/arende/{id}/ja", READERS),
    (Method::POST, "/arende/{id}/nej", READERS),
    (Method::POST, "/arende/{id}/aterta", READERS),
    (Method::POST, "/arende/{id}/vantar", READERS),
    (Method::POST, "/arende/{id}/ordet", READERS),
    (Method::POST, "/arende/{id}/forsta-svar", READERS),
    (Method::POST, "/arende/{id}/deadline", READERS),
    (Method::POST, "/arende/{id}/steg", READERS),
    (Method::POST, "/arende/{id}/hot", READERS),
    (Method::POST, "/arende/{id}/flytta", READERS),
    (Method::GET, "/laget", READERS),
    (Method::POST, "/laget/tyst", READERS),
    (Method::POST, "/laget/hav", READERS),
    (Method::GET, "/organisation", Who::SignedIn),
    (Method::GET, "/vem-far-det", Who::SignedIn),
    (Method::POST, "/vem-far-det", Who::SignedIn),
    (Method::GET, "/bevakning", RULERS),
    (Method::GET, "/bevakning/bedomaren", RULERS),
    (Method::POST, "/bevakning/bedomaren/{id}", RULERS),
    (Method::GET, "/tips", READERS),
    (Method::POST, "/tips", READERS),
    (Method::GET, "/kallor", WATCHERS),
    (Method::GET, "/kallor/uppsikt", WATCHERS),
    (Method::GET, "/kallor/uppsikt.csv", WATCHERS),
    (Method::POST, "/kallor/{id}/las", Who::Only(&[Role::Admin])),
    (Method::GET, "/uppfoljning", FOLLOWERS),
    (Method::GET, "/uppfoljning.csv", FOLLOWERS),
    (Method::GET, "/journal", AUDITORS),
    (Method::GET, "/min-profil", Who::SignedIn),
    (Method::POST, "/min-profil/kod", Who::SignedIn),
    (Method::POST, "/min-profil/adress", Who::SignedIn),
    (Method::POST, "/min-profil/bekrafta", Who::SignedIn),
    (Method::POST, "/min-profil/rost", Who::SignedIn),
    (Method::POST, "/min-profil/samlat", Who::SignedIn),
    (Method::POST, "/min-profil/franvaro", Who::SignedIn),
    (Method::POST, "/min-profil/tillbaka", Who::SignedIn),
    (Method::POST, "/min-profil/tyst", Who::SignedIn),
    (Method::POST, "/min-profil/ljud", Who::SignedIn),
    (Method::GET, "/chattar", WATCHERS),
    (Method::GET, "/knapp/{token}", Who::Everyone),
    (Method::POST, "/knapp/{token}", Who::SignedIn),
    (Method::GET, "/handelser", Who::SignedIn),
    (Method::GET, "/sa-bevakar-vi", Who::Everyone),
    (Method::GET, "/tillganglighet", Who::Everyone),
    (Method::GET, "/lyhord.css", Who::Everyone),
    (Method::GET, "/lyhord.js", Who::Everyone),
    (Method::GET, "/robots.txt", Who::Everyone),
    (Method::GET, "/health/live", Who::Everyone),
    (Method::GET, "/health/ready", Who::Everyone),
    (Method::GET, "/metrics", Who::Measurer),
];

/// Addresses that services post to. They stand outside the table because there is no session: each request carries a
/// proof of its own, all begin with [`crate::chat::hook_listen::PREFIX`], and all are bounded in size and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// Telegram's updates: the secret that we gave it, in a header.
    Telegram,
    /// Slack's presses, commands and messages: its signature over the raw body, at most five minutes old.
    Slack,
    /// Mattermost's presses (our own seal, which never reaches a client) and commands (the token of the command).
    Mattermost,
    /// What others hand in at a web hook: a signature over name, time and raw body, at most five minutes old.
    Source,
}

impl Hook {
    /// Every such address.
    pub const ALL: [Self; 4] = [Self::Telegram, Self::Slack, Self::Mattermost, Self::Source];
}

/// Who may call an address as the router knows it; nothing when it does not stand in the table.
#[must_use]
pub fn who(method: &Method, path: &str) -> Option<Who> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    TABLE.iter().find(|(of, at, _)| of == method && *at == path).map(|(_, _, who)| *who)
}

/// Whether one with these roles may come in.
#[must_use]
pub fn lets_in(who: Who, roles: &[Role]) -> bool {
    match who {
        Who::Everyone | Who::SignedIn => true,
        Who::Measurer => false,
        Who::Only(allowed) => roles.iter().any(|role| allowed.contains(role)),
    }
}

/// One of the staff as the rules see her.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Key in the organisation.
    pub key: String,
    /// What she may do.
    pub roles: Vec<Role>,
    /// Units whose cases are hers to see: her own, those she manages or stands in for, and all under them.
    pub units: Vec<String>,
}

impl Person {
    /// The person as the organisation has her now; nothing when she does not work here.
    #[must_use]
    pub fn of(organisation: &Organisation, key: &str, now: Time) -> Option<Self> {
        let staff = organisation.staff_at(key, now)?;
        let leads = |unit: &crate::assignment::Unit| unit.manager == key || unit.deputy == key;
        let chiefs = |unit: &crate::assignment::Unit| {
            organisation.departments.iter().any(|d| d.key == unit.department && d.chief == key && d.period.holds(now))
        };
        let mut units = vec![staff.unit.clone()];
        let mut led: Vec<String> = Vec::new();
        for unit in organisation.units.iter().filter(|unit| unit.period.holds(now)) {
            if leads(unit) || chiefs(unit) {
                led.push(unit.key.clone());
            }
        }
        // Units under those she leads; a tree of n units has no branch longer than n.
        for _ in 0..organisation.units.len() {
            let more: Vec<String> = organisation
                .units
                .iter()
                .filter(|unit| unit.period.holds(now) && !led.contains(&unit.key))
                .filter(|unit| unit.parent.as_ref().is_some_and(|parent| led.contains(parent)))
                .map(|unit| unit.key.clone())
                .collect();
            if more.is_empty() {
                break;
            }
            led.extend(more);
        }
        units.extend(led.into_iter().filter(|unit| *unit != staff.unit));
        Some(Self { key: key.to_owned(), roles: staff.roles.clone(), units })
    }

    /// True when she has the role.
    #[must_use]
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// True when she sees the cases of every unit.
    #[must_use]
    pub fn sees_all_units(&self) -> bool {
        self.is(Role::Communicator) || self.is(Role::Chief)
    }

    /// True when she sees the details of this unit.
    #[must_use]
    pub fn sees_unit(&self, unit: &str) -> bool {
        self.sees_all_units() || self.units.iter().any(|own| own == unit)
    }
}

/// True when a person may see a case. A restricted one is for its holder, those who stand in its lane's list and the
/// one who leads its unit or answers for the audit; a possible whistle-blowing not even for those who lead.
#[must_use]
pub fn may_see(person: &Person, case: &CaseRow, organisation: &Organisation, now: Time) -> bool {
    if case.owner.as_deref() == Some(person.key.as_str()) {
        return true;
    }
    let reader = [Role::Communicator, Role::Staff, Role::Chief].iter().any(|role| person.is(*role));
    if !reader {
        return false;
    }
    let unit = case.unit.as_deref().unwrap_or_default();
    if !case.restricted {
        return person.sees_unit(unit);
    }
    let lane = case.lane.as_deref().and_then(Lane::from_slug);
    let named = lane.and_then(|lane| organisation.lane(lane)).is_some_and(|text| {
        text.functions
            .iter()
            .filter_map(|key| organisation.function(key))
            .any(|function| function.staff.contains(&person.key))
    });
    let leads =
        organisation.unit_at(unit, now).is_some_and(|unit| unit.manager == person.key || unit.deputy == person.key);
    named || (!lane.is_some_and(Lane::hidden_from_managers) && (leads || person.is(Role::Chief)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_stand_in_the_table_nobody_may_do() {
        assert_eq!(who(&Method::GET, "/hemligt"), None);
        assert_eq!(who(&Method::DELETE, "/arende/{id}"), None);
        assert_eq!(who(&Method::HEAD, "/inkorg"), who(&Method::GET, "/inkorg"));
    }

    #[test]
    fn no_page_stands_where_services_post() {
        for (method, path, _) in TABLE {
            assert!(!path.starts_with(crate::chat::hook_listen::PREFIX), "{method} {path}");
        }
    }

    #[test]
    fn no_address_stands_twice() {
        for (index, (method, path, _)) in TABLE.iter().enumerate() {
            let again = TABLE.iter().skip(index + 1).any(|(other, at, _)| other == method && at == path);
            assert!(!again, "{method} {path}");
        }
    }

    #[test]
    fn one_who_keeps_the_system_sees_no_contents() {
        for (method, path, who) in TABLE.iter().filter(|(_, path, _)| path.starts_with("/arende") || *path == "/inkorg")
        {
            assert!(!lets_in(*who, &[Role::Admin]), "{method} {path}");
        }
    }

    #[test]
    fn no_address_has_an_author_in_it() {
        for (_, path, _) in TABLE {
            assert!(["forfattare", "author", "person", "namn"].iter().all(|word| !path.contains(word)), "{path}");
        }
    }
}
