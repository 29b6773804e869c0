//! "Vem får det?": everything that would happen to a matter, before anything happens.
//!
//! The page and `lyhord route` ask here, so that what they say and what is done come from the same decisions.

use super::external::Candidate;
use super::spokesperson::{NOTICE, Suggestion};
use super::{Absence, Chain, Choice, Lane, Matter, Organisation, Route};
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
    /// Keys of those who hold the lane's functions, and therefore see the case besides its unit.
    pub insight: Vec<&'a str>,
    /// Who answers the media; only for a media enquiry.
    pub spokesperson: Option<Suggestion>,
    /// Who may be the right one outside the municipality.
    pub externals: Vec<Candidate<'a>>,
}

impl Organisation {
    /// What would happen to a matter now. `give` says who would get what goes a certain way.
    #[must_use]
    pub fn answer(
        &self,
        matter: &Matter<'_>,
        give: impl FnOnce(&Route) -> Choice,
        absences: &[Absence],
        at: Time,
    ) -> Answer<'_> {
        let route = self.route(matter, at);
        let choice = give(&route);
        let chain = self.chain(&choice.staff, &route.unit, route.lane, absences, at);
        let functions = self.lane(route.lane).into_iter().flat_map(|text| &text.functions);
        let insight = functions.filter_map(|key| self.holder_of(key, absences, at)).collect();
        // The media lane is owned by communications; who speaks depends on whose service it is about.
        let spokesperson = (route.lane == Lane::Media)
            .then(|| {
                let service =
                    self.route(&Matter { intent: crate::classification::Intent::Question, also: None, ..*matter }, at);
                self.suggest_spokesperson(matter.topic, &service.unit, absences, at)
            })
            .flatten();
        Answer { choice, chain, insight, spokesperson, externals: self.externals_for(matter, at), route }
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
        if !answer.insight.is_empty() {
            lines.push(format!("Insyn:    {}", names(&mut answer.insight.iter().copied()).join(", ")));
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
    use crate::assignment::choose::Desk;
    use crate::assignment::example::{NOW, ale};
    use crate::classification::Intent;

    /// The answer while nobody is away and nobody has anything to do.
    fn answer<'a>(ale: &'a Organisation, matter: &Matter<'_>) -> Answer<'a> {
        ale.answer(matter, |route| ale.choose(route, &Desk::default(), NOW), &[], NOW)
    }

    #[test]
    fn a_journalist_who_asks_about_the_water_is_answered_by_the_one_who_speaks_for_the_water() {
        let ale = ale();
        let matter = Matter { topic: "va", intent: Intent::Media, ..Matter::default() };
        let answer = answer(&ale, &matter);
        assert_eq!(answer.route.unit, "kommunikation");
        assert_eq!(answer.spokesperson.as_ref().unwrap().staff, "rut-exempelgren");
        assert!(ale.explain_answer(&answer).contains(NOTICE));
    }

    #[test]
    fn nobody_but_a_journalist_is_sent_to_a_spokesperson() {
        let ale = ale();
        let matter = Matter { topic: "va", intent: Intent::Question, ..Matter::default() };
        assert_eq!(answer(&ale, &matter).spokesperson, None);
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
        let answer = answer(&ale, &matter);
        insta::assert_snapshot!(ale.explain_answer(&answer), @r"
        Går till Gatuenheten: ämnet är Gator och trafik.
        Väg:      Allt → Gator och trafik
        Enhet:    Gatuenheten
        Chef:     Tove Fiktivgren
        Ersätter: Ulf Påhittsson
        Spår:     Vanligt ärende
        Ägare:    Ulf Påhittsson i Gatuenheten är på plats och har minst att göra (0 av 15 ärenden).
        Påminns:  Ulf Påhittsson → Liv Mallfors → Tove Fiktivgren → Pia Testsson → Bo Provberg
        Kanske:   Trafikverket: 0771-921 921, https://www.trafikverket.se/kontakt/ (texten nämner ”Starrkärrsvägen”)
                  Statliga vägar och järnväg: E45, Nya Alingsåsvägen, Starrkärrsvägen, lokalvägen Alafors–Älvängen.
                  Ingen har kontrollerat kontakten till Trafikverket.
        ");
    }

    #[test]
    fn a_threat_is_seen_by_those_who_keep_people_safe() {
        let ale = ale();
        let matter = Matter { intent: Intent::Threat, ..Matter::default() };
        assert_eq!(answer(&ale, &matter).insight, ["lova-fiktivsson", "hedda-exempel"]);
    }
}
