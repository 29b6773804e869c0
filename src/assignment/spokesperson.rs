//! Spokespersons (talespersoner): a suggestion for who answers the media, and never a gate.

use super::absence::Absence;
use super::choose::Seat;
use super::read::{Kind, References, period};
use super::{Organisation, Period};
use crate::clock::Time;
use crate::settings::Section;

/// What every page that names a spokesperson also says: everybody who works here may speak.
pub const NOTICE: &str =
    "Det är ett förslag. Alla medarbetare får svara medier, och har rätt att uttala sig som privatpersoner.";

/// One who speaks officially on some topics for some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spokesperson {
    /// Key of the staff member.
    pub staff: String,
    /// Slugs of her topics; empty is all of them.
    pub topics: Vec<String>,
    /// Key of the unit she speaks for; any when there is none.
    pub unit: Option<String>,
    /// Key of who speaks when she is away.
    pub substitute: Option<String>,
    /// Work phone for journalists; empty when there is none.
    pub phone: String,
    /// When the appointment holds.
    pub period: Period,
}

/// Whom the system suggests.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Suggestion {
    /// Key of the staff member.
    pub staff: String,
    /// Work phone; empty when it is not known.
    pub phone: String,
    /// Why, in one Swedish sentence.
    pub because: String,
}

impl Spokesperson {
    /// Reads a `[[spokesperson]]`.
    pub(super) fn read(section: &Section, references: &mut References) -> Self {
        Self {
            staff: references.one(Kind::Staff, section, "staff"),
            topics: references.many(Kind::Topic, section, "topic"),
            unit: references.maybe(Kind::Unit, section, "unit"),
            substitute: references.maybe(Kind::Staff, section, "substitute"),
            phone: section.text_or("phone", ""),
            period: period(section),
        }
    }
}

impl Organisation {
    /// Who is suggested to answer the media on a topic that a unit owns: its spokesperson, her substitute, a more
    /// general one, else the unit's manager or whoever stands in for her.
    #[must_use]
    pub fn suggest_spokesperson(&self, topic: &str, unit: &str, absences: &[Absence], at: Time) -> Option<Suggestion> {
        let mut able: Vec<&Spokesperson> = self
            .spokespersons
            .iter()
            .filter(|one| one.period.holds(at))
            .filter(|one| one.topics.is_empty() || one.topics.iter().any(|slug| slug == topic))
            .filter(|one| one.unit.as_deref().is_none_or(|own| own == unit))
            .collect();
        // The one appointed for just this topic and unit goes before the one appointed for all.
        able.sort_by_key(|one| (one.topics.is_empty(), one.unit.is_none()));
        able.into_iter()
            .find_map(|one| self.speaking(one, topic, absences, at))
            .or_else(|| self.manager_speaks(unit, absences, at))
    }

    fn speaking(&self, one: &Spokesperson, topic: &str, absences: &[Absence], at: Time) -> Option<Suggestion> {
        let name = self.name_of_staff(&one.staff);
        let about = match self.topic(topic) {
            Some(topic) if !one.topics.is_empty() => format!(" för {}", topic.name.to_lowercase()),
            _ => String::new(),
        };
        if self.present(&one.staff, absences, at) {
            let because = format!("{name} är talesperson{about}.");
            return Some(Suggestion { staff: one.staff.clone(), phone: one.phone.clone(), because });
        }
        let substitute = one.substitute.as_deref().filter(|key| self.present(key, absences, at))?;
        let because = format!("{} ersätter {name}, som är talesperson{about}.", self.name_of_staff(substitute));
        Some(Suggestion { staff: substitute.to_owned(), phone: String::new(), because })
    }

    fn manager_speaks(&self, unit: &str, absences: &[Absence], at: Time) -> Option<Suggestion> {
        let (key, _) = self
            .line(unit, at)
            .into_iter()
            .filter(|(_, seat)| *seat != Seat::Deputy)
            .find(|(key, _)| self.present(key, absences, at))?;
        let because = format!("{} är chef: ingen talesperson är utsedd och på plats.", self.name_of_staff(key));
        Some(Suggestion { staff: key.to_owned(), phone: String::new(), because })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assignment::example::{NOW, ale, gone};

    fn speaks(topic: &str, unit: &str, absences: &[Absence]) -> String {
        ale().suggest_spokesperson(topic, unit, absences, NOW).unwrap().staff
    }

    #[test]
    fn the_one_appointed_for_the_topic_goes_before_the_one_appointed_for_all() {
        assert_eq!(speaks("va", "va", &[]), "rut-exempelgren");
        assert_eq!(speaks("ovrigt", "kontaktcenter", &[]), "asta-exempelsson");
    }

    #[test]
    fn the_substitute_speaks_when_the_spokesperson_is_away() {
        let said = ale().suggest_spokesperson("va", "va", &[gone("rut-exempelgren")], NOW).unwrap();
        assert_eq!(said.staff, "sixten-prov");
        assert!(said.because.contains("ersätter Rut Exempelgren"), "{}", said.because);
    }

    #[test]
    fn the_manager_is_suggested_when_no_appointment_holds() {
        let mut ale = ale();
        for one in &mut ale.spokespersons {
            one.period.until = Some(NOW);
        }
        let said = ale.suggest_spokesperson("skola", "grundskola", &[], NOW).unwrap();
        assert_eq!(said.staff, "ake-pahittgren");
    }
}
