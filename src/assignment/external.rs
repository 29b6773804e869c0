//! External bodies (andra huvudmän): those who answer for what people take for ours, with a contact that works.
//!
//! "It is not ours" is no answer. A referral names somebody, and somebody has checked lately that the contact holds.

use super::absence::day_of;
use super::read::{Kind, References, day, texts};
use super::{Matter, Organisation, Words, fold, start_of};
use crate::clock::Time;
use crate::settings::Section;

/// One who answers for something outside the municipality.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    /// Key in the configuration.
    pub key: String,
    /// What a person reads.
    pub name: String,
    /// What it answers for, in Swedish.
    pub handles: String,
    /// Beginnings of words that point to it.
    pub words: Vec<String>,
    /// Slugs of topics that make it more likely.
    pub topics: Vec<String>,
    /// Places in which it answers, by slug or name; everywhere when empty.
    pub places: Vec<String>,
    /// Phone; empty when there is none.
    pub phone: String,
    /// Address; empty when there is none.
    pub email: String,
    /// Page; empty when there is none.
    pub url: String,
    /// When somebody last saw that the contact holds.
    pub checked: Option<Time>,
}

/// A body that may be the right one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// The body.
    pub external: &'a External,
    /// Why, in Swedish.
    pub because: String,
    /// What to write to the person: name and every way to reach it.
    pub contact: String,
    /// What the one who refers should know about the contact, in Swedish; nothing when it was checked lately.
    pub warning: Option<String>,
}

impl External {
    /// Reads an `[[external]]`; one that nobody can reach is reported.
    pub(super) fn read(section: &Section, references: &mut References) -> Self {
        let external = Self {
            key: section.text("key"),
            name: section.text("name"),
            handles: section.text("handles"),
            words: texts(section, "word"),
            topics: references.many(Kind::Topic, section, "topic"),
            places: texts(section, "place"),
            phone: section.text_or("phone", ""),
            email: section.text_or("email", ""),
            url: section.text_or("url", ""),
            checked: section.located_optional("checked").and_then(|found| day(&found)).and_then(start_of),
        };
        references.declared.push(("external", external.key.clone(), section.place_of("key")));
        if [&external.phone, &external.email, &external.url].iter().all(|way| way.is_empty()) {
            section.place().report("an external body needs a `phone`, an `email` or a `url`: a referral has a contact");
        }
        if external.words.is_empty() && external.places.is_empty() {
            section.place().report("an external body needs a `word` or a `place`: otherwise it is never suggested");
        }
        external
    }

    /// Name and every way to reach it, as it goes into an answer.
    #[must_use]
    pub fn contact(&self) -> String {
        let ways = [&self.phone, &self.email, &self.url];
        let ways: Vec<&str> = ways.into_iter().map(String::as_str).filter(|way| !way.is_empty()).collect();
        format!("{}: {}", self.name, ways.join(", "))
    }

    /// Why the contact may no longer hold, in Swedish.
    #[must_use]
    pub fn warning(&self, months: i64, at: Time) -> Option<String> {
        let Some(checked) = self.checked else {
            return Some(format!("Ingen har kontrollerat kontakten till {}.", self.name));
        };
        let due = checked.zoned(&super::zone()).date().saturating_add(jiff::Span::new().months(months));
        (due < at.zoned(&super::zone()).date())
            .then(|| format!("Kontakten till {} kontrollerades senast {}.", self.name, day_of(checked)))
    }

    /// How well it fits, with the word or place that says so.
    fn fit(&self, matter: &Matter<'_>, words: &Words) -> Option<(usize, String)> {
        let place = self.places.iter().find(|place| !matter.place.is_empty() && fold(place) == fold(matter.place));
        if !self.places.is_empty() && place.is_none() {
            return None;
        }
        let topic = self.topics.iter().any(|slug| slug == matter.topic);
        // The longest word heard says most: "Nya Alingsåsvägen" more than "väg".
        let word = self.words.iter().filter(|word| words.have(word)).max_by_key(|word| word.chars().count());
        let near = usize::from(topic) + usize::from(place.is_some());
        match (word, place) {
            (Some(word), _) => Some((2 * word.chars().count() + near, format!("texten nämner ”{word}”"))),
            (None, Some(place)) if topic => Some((near, format!("platsen är {place}"))),
            _ => None,
        }
    }
}

impl Organisation {
    /// Bodies outside the municipality that may answer for a matter, the likeliest first. A suggestion: a person
    /// decides whether to refer.
    #[must_use]
    pub fn externals_for(&self, matter: &Matter<'_>, at: Time) -> Vec<Candidate<'_>> {
        let words = Words::of(matter.text);
        let mut fits: Vec<(usize, Candidate<'_>)> = self
            .externals
            .iter()
            .filter_map(|external| {
                let (score, because) = external.fit(matter, &words)?;
                let warning = external.warning(self.rules.check_contacts_months, at);
                Some((score, Candidate { external, because, contact: external.contact(), warning }))
            })
            .collect();
        fits.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        fits.into_iter().map(|(_, candidate)| candidate).collect()
    }

    /// An external body by key.
    #[must_use]
    pub fn external(&self, key: &str) -> Option<&External> {
        self.externals.iter().find(|external| external.key == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assignment::example::{NOW, ale};
    use crate::classification::Intent;

    fn first(topic: &str, text: &str) -> Option<String> {
        let matter = Matter { topic, text, intent: Intent::Question, ..Matter::default() };
        ale().externals_for(&matter, NOW).first().map(|one| one.external.key.clone())
    }

    #[test]
    fn a_hole_in_a_state_road_belongs_to_the_state() {
        assert_eq!(first("gata-trafik", "Stort hål på Starrkärrsvägen!").as_deref(), Some("trafikverket"));
        assert_eq!(first("gata-trafik", "Stort hål på Göteborgsvägen!"), None);
    }

    #[test]
    fn a_late_train_belongs_to_the_transit_company() {
        assert_eq!(first("gata-trafik", "Pendeltåget är inställt igen").as_deref(), Some("vasttrafik"));
    }

    #[test]
    fn a_referral_always_has_a_way_to_reach_somebody() {
        for external in &ale().externals {
            assert!(external.contact().len() > external.name.len() + 4, "{}", external.key);
        }
    }

    #[test]
    fn a_contact_that_was_checked_more_than_half_a_year_ago_has_a_warning() {
        let mut external = ale().external("trafikverket").unwrap().clone();
        external.checked = Time::parse("2026-03-01T12:00:00Z").ok();
        let at = |text: &str| external.warning(6, Time::parse(text).unwrap());
        assert_eq!(at("2026-09-01T12:00:00Z"), None);
        assert!(at("2026-09-02T12:00:00Z").unwrap().contains("2026-03-01"));
        external.checked = None;
        assert!(external.warning(6, NOW).unwrap().starts_with("Ingen har kontrollerat"));
    }

    #[test]
    fn a_body_that_answers_in_some_places_is_not_suggested_elsewhere() {
        let mut ale = ale();
        let key = "vagforening";
        for external in &mut ale.externals {
            external.places = vec!["Kilanda".to_owned()];
            external.words = Vec::new();
            external.topics = vec!["gata-trafik".to_owned()];
        }
        let asked = |place| Matter { topic: "gata-trafik", place, ..Matter::default() };
        assert!(ale.externals_for(&asked("kilanda"), NOW).iter().any(|one| one.external.key == key));
        assert!(ale.externals_for(&asked("nol"), NOW).is_empty());
        assert!(ale.externals_for(&asked(""), NOW).is_empty());
    }
}
