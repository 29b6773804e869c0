//! "Vem får det?": everything that would happen to a matter, before anything happens.
//!
//! The page and `lyhord route` ask here, so that what they say and what is done come from the same decisions.

use super::choose::Desk;
use super::external::Candidate;
use super::spokesperson::{NOTICE, Suggestion};
use super::{Chain, Choice, Lane, Matter, Organisation, Route};
use crate::clock::Time;

/// What would happen to a matter.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<'a> {
    /// Which unit, and why.
    pub route: Route,
    /// Who in it, and why.
    pub choice: Choice,
    /// Who is told when she does nothing.
    pub chain: Chain,
    /// Keys of those whom the lane says must be told at once.
    pub told: Vec<&'a str>,
    /// Who answers the media; only for a media enquiry.
    pub spokesperson: Option<Suggestion>,
    /// Who may be the right one outside the municipality.
    pub externals: Vec<Candidate<'a>>,
}

impl Organisation {
    /// What would happen to a matter now.
    #[must_use]
    pub fn answer(&self, matter: &Matter<'_>, desk: &Desk<'_>, at: Time) -> Answer<'_> {
        let route = self.route(matter, at);
        let choice = self.choose(&route, desk, at);
        let chain = self.chain(&choice.staff, &route.unit, route.lane, desk.absences, at);
        let functions = self.lane(route.lane).into_iter().flat_map(|text| &text.functions);
        let told = functions.filter_map(|key| self.holder_of(key, desk.absences, at)).collect();
        // The media lane is owned by communications; who speaks depends on whose service it is about.
        let spokesperson = (route.lane == Lane::Media)
            .then(|| {
                let service =
                    self.route(&Matter { intent: crate::classification::Intent::Question, also: None, ..*matter }, at);
                self.suggest_spokesperson(matter.topic, &service.unit, desk.absences, at)
            })
            .flatten();
        Answer { choice, chain, told, spokesperson, externals: self.externals_for(matter, at), route }
    }

    /// An answer as text for the command line.
    #[must_use]
    pub fn explain_answer(&self, answer: &Answer<'_>) -> String {
        let names = |keys: &mut dyn Iterator<Item = &str>| {
            keys.map(|key| self.name_of_staff(key).to_owned()).collect::<Vec<_>>()
        };
        let mut lines = vec![self.explain(&answer.route), format!("Ägare:    {}", answer.choice.because)];
        let steps = names(&mut answer.chain.steps.iter().map(|step| step.staff.as_str()));
        lines.push(format!("Påminns:  {}", steps.join(" → ")));
        let copies = names(&mut answer.chain.copies.iter().map(String::as_str));
        if !copies.is_empty() {
            lines.push(format!("Kopia:    {}", copies.join(", ")));
        }
        if !answer.told.is_empty() {
            lines.push(format!("Får veta: {}", names(&mut answer.told.iter().copied()).join(", ")));
        }
        if let Some(suggestion) = &answer.spokesperson {
            lines.push(format!("Talar:    {} {NOTICE}", suggestion.because));
        }
        for external in &answer.externals {
            lines.push(format!("Kanske:   {} ({})", external.contact, external.because));
            lines.push(format!("          {}", external.external.handles));
            lines.extend(external.warning.iter().map(|warning| format!("          {warning}")));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assignment::example::{NOW, ale};
    use crate::classification::Intent;

    #[test]
    fn a_journalist_who_asks_about_the_water_is_answered_by_the_one_who_speaks_for_the_water() {
        let ale = ale();
        let matter = Matter { topic: "va", intent: Intent::Media, ..Matter::default() };
        let answer = ale.answer(&matter, &Desk::default(), NOW);
        assert_eq!(answer.route.unit, "kommunikation");
        assert_eq!(answer.spokesperson.as_ref().unwrap().staff, "rut-exempelgren");
        assert!(ale.explain_answer(&answer).contains(NOTICE));
    }

    #[test]
    fn nobody_but_a_journalist_is_sent_to_a_spokesperson() {
        let ale = ale();
        let matter = Matter { topic: "va", intent: Intent::Question, ..Matter::default() };
        assert_eq!(ale.answer(&matter, &Desk::default(), NOW).spokesperson, None);
    }

    #[test]
    fn the_whole_answer_reads_as_a_person_would_say_it() {
        let ale = ale();
        let matter = Matter {
            topic: "gata-trafik",
            intent: Intent::FaultReport,
            text: "Stort hål på Starrkärrsvägen",
            ..Matter::default()
        };
        let answer = ale.answer(&matter, &Desk::default(), NOW);
        insta::assert_snapshot!(ale.explain_answer(&answer), @r"
        Går till Gatuenheten: ämnet är Gator och trafik.
        Väg:      Allt → Gator och trafik
        Enhet:    Gatuenheten
        Chef:     Tove Fiktivgren
        Ersätter: Ulf Påhittsson
        Spår:     Vanligt ärende
        Ägare:    Ulf Påhittsson i Gatuenheten är på plats och har minst att göra (0 av 15 ärenden).
        Påminns:  Ulf Påhittsson → Liv Mallfors → Tove Fiktivgren → Pia Testsson → Bo Provberg
        Kopia:    Hedda Exempel
        Kanske:   Trafikverket: 0771-921 921, https://www.trafikverket.se/kontakt/ (texten nämner ”Starrkärrsvägen”)
                  Statliga vägar och järnväg: E45, Nya Alingsåsvägen, Starrkärrsvägen, lokalvägen Alafors–Älvängen.
                  Ingen har kontrollerat kontakten till Trafikverket.
        ");
    }

    #[test]
    fn a_threat_is_told_to_those_who_keep_people_safe() {
        let ale = ale();
        let matter = Matter { intent: Intent::Threat, ..Matter::default() };
        assert_eq!(ale.answer(&matter, &Desk::default(), NOW).told, ["lova-fiktivsson", "hedda-exempel"]);
    }
}
