//! Routes: a tree whose root always matches, so that every matter has a unit before anything else is known.
//!
//! The children of a node are tried in the order they are written. The first that matches is entered, and the answer
//! is the deepest match below it. A node without a unit of its own keeps the unit above it.

use super::{Lane, Matter, Organisation, Words, fold, lane};
use crate::classification::{Intent, Urgency};
use crate::clock::Time;

/// The most levels a route tree may have: a deeper one cannot be explained to a person.
pub const MAX_DEPTH: usize = 8;

/// What a node asks of a matter: each list that is not empty must hold the matter's value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conditions {
    /// Slugs of topics.
    pub topics: Vec<String>,
    /// Intents, first or second.
    pub intents: Vec<Intent>,
    /// How soon somebody must look.
    pub urgencies: Vec<Urgency>,
    /// Places by slug or name.
    pub places: Vec<String>,
    /// Channels by slug.
    pub channels: Vec<String>,
    /// Keys of boards.
    pub boards: Vec<String>,
    /// Lanes.
    pub lanes: Vec<Lane>,
    /// Beginnings of words, one of which must be heard in the text.
    pub words: Vec<String>,
    /// Whether the matter must be protected, or must not.
    pub protected: Option<bool>,
}

/// One node of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// What the node is called in the path, in Swedish.
    pub name: String,
    /// What it asks.
    pub when: Conditions,
    /// Key of the unit that owns what matches; the nearest above it when there is none.
    pub unit: Option<String>,
    /// Key of the function that takes what matches, in its own unit; instead of `unit`.
    pub function: Option<String>,
    /// Nodes below it.
    pub children: Vec<Node>,
}

/// Whose a matter is, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Route {
    /// Key of the unit.
    pub unit: String,
    /// Key of the function within the unit, when the route names one.
    pub function: Option<String>,
    /// The way it goes.
    pub lane: Lane,
    /// Names of the nodes that matched, root first.
    pub path: Vec<String>,
    /// Why, in one Swedish sentence.
    pub because: String,
}

impl Conditions {
    /// True when it asks nothing: the root, or a node that hides those after it.
    #[must_use]
    pub fn asks_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// The reasons why it matches, in Swedish; none when it does not.
    fn met(&self, asked: &Asked<'_>) -> Option<Vec<String>> {
        let matter = asked.matter;
        let mut because = Vec::new();
        let one = |list: &[String], value: &str| list.is_empty() || list.iter().any(|item| fold(item) == fold(value));
        if !one(&self.topics, matter.topic)
            || !one(&self.places, matter.place)
            || !one(&self.channels, matter.channel)
            || !one(&self.boards, asked.board)
        {
            return None;
        }
        if !self.urgencies.is_empty() && !self.urgencies.contains(&matter.urgency) {
            return None;
        }
        if !self.lanes.is_empty() && !self.lanes.contains(&asked.lane) {
            return None;
        }
        if self.protected.is_some_and(|wanted| wanted != asked.protected) {
            return None;
        }
        let intent = self.intents.iter().find(|intent| matter.wants(**intent));
        let word = self.words.iter().find(|word| asked.words.have(word));
        if (!self.intents.is_empty() && intent.is_none()) || (!self.words.is_empty() && word.is_none()) {
            return None;
        }
        if !self.lanes.is_empty() {
            because.push(format!("spåret är {}", asked.lane.swedish().to_lowercase()));
        }
        if !self.topics.is_empty() {
            because.push(format!("ämnet är {}", asked.topic_name));
        }
        if let Some(intent) = intent {
            because.push(format!("avsikten är {}", intent.swedish().to_lowercase()));
        }
        if !self.urgencies.is_empty() {
            because.push(format!("brådskan är {}", matter.urgency.swedish().to_lowercase()));
        }
        if !self.places.is_empty() {
            because.push(format!("platsen är {}", matter.place));
        }
        if !self.channels.is_empty() {
            because.push(format!("kanalen är {}", matter.channel));
        }
        if !self.boards.is_empty() {
            because.push(format!("nämnden är {}", asked.board));
        }
        if let Some(word) = word {
            because.push(format!("texten har ”{word}”"));
        }
        if let Some(protected) = self.protected {
            because.push(if protected { "ämnet är skyddat".to_owned() } else { "ämnet är öppet".to_owned() });
        }
        Some(because)
    }
}

/// A matter with what the organisation knows about it.
struct Asked<'a> {
    matter: &'a Matter<'a>,
    words: Words,
    lane: Lane,
    board: &'a str,
    topic_name: &'a str,
    protected: bool,
}

impl Organisation {
    /// Whose a matter is at this moment. There is always an answer: the root matches everything.
    #[must_use]
    pub fn route(&self, matter: &Matter<'_>, at: Time) -> Route {
        let (lane, why_lane) = lane::lane_of(matter, &self.lanes);
        let topic = self.topic(matter.topic);
        let asked = Asked {
            matter,
            words: Words::of(matter.text),
            lane,
            board: self.board_named(matter.board, at).map_or(matter.board, |board| board.key.as_str()),
            topic_name: topic.map_or(matter.topic, |topic| topic.name.as_str()),
            protected: matter.protected || topic.is_some_and(|topic| topic.protected),
        };
        let mut node = &self.root;
        let mut owner = self.owner_of(node, at).unwrap_or((node.unit.as_deref().unwrap_or_default(), None));
        let mut path = vec![node.name.clone()];
        let mut because = Vec::new();
        for _ in 0..MAX_DEPTH {
            let entered = node.children.iter().find_map(|child| Some((child, child.when.met(&asked)?)));
            let Some((child, reasons)) = entered else { break };
            node = child;
            path.push(child.name.clone());
            because.extend(reasons);
            // A unit that is closed by then hands its matters to the nearest one above it.
            owner = self.owner_of(child, at).unwrap_or(owner);
        }
        let (unit, function) = owner;
        let because = sentence(self.name_of_unit_at(unit, at), &because, &why_lane);
        Route { unit: unit.to_owned(), function: function.map(str::to_owned), lane, path, because }
    }

    /// The way of a case that has been on its way already: to this unit, and within it to the function that the tree
    /// names for its lane. What managers may not see stays with those entrusted with it, whatever unit it is in.
    #[must_use]
    pub fn route_again(&self, unit: &str, lane: Lane) -> Route {
        let mut left = vec![&self.root];
        let mut function = None;
        while let Some(node) = left.pop() {
            let named = node.function.as_deref().and_then(|key| self.function(key));
            let there = named.filter(|named| node.when.lanes.contains(&lane) && named.unit == unit);
            function = function.or(there.map(|named| named.key.clone()));
            left.extend(&node.children);
        }
        let entrusted = || self.lane(lane).and_then(|text| text.functions.first()).cloned();
        let function = function.or_else(|| if lane.hidden_from_managers() { entrusted() } else { None });
        Route { function, ..Route::within(unit, lane) }
    }

    /// The unit, and the function in it, that a node names; nothing when it names none that exists then.
    fn owner_of<'a>(&'a self, node: &'a Node, at: Time) -> Option<(&'a str, Option<&'a str>)> {
        let function = node.function.as_deref().and_then(|key| self.function(key));
        let unit = function.map(|function| function.unit.as_str()).or(node.unit.as_deref())?;
        self.unit_at(unit, at)?;
        Some((unit, function.map(|function| function.key.as_str())))
    }
}

impl Route {
    /// The way within a unit that a case is in already: no tree was asked, so that there are no reasons to tell.
    pub(super) fn within(unit: &str, lane: Lane) -> Self {
        Self { unit: unit.to_owned(), function: None, lane, path: Vec::new(), because: String::new() }
    }
}

/// The reasons as one sentence.
fn sentence(unit: &str, because: &[String], why_lane: &str) -> String {
    let mut reasons = because.to_vec();
    reasons.dedup();
    if !why_lane.is_empty() {
        reasons.push(why_lane.to_owned());
    }
    if reasons.is_empty() {
        return format!("Går till {unit}: ingen annan regel passar, och allt ska ha en ägare.");
    }
    format!("Går till {unit}: {}.", reasons.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assignment::example::{NOW, ale, parse};

    fn unit(matter: &Matter<'_>) -> String {
        ale().route(matter, NOW).unit
    }

    #[test]
    fn a_matter_of_which_nothing_is_known_goes_to_the_root() {
        let route = ale().route(&Matter::default(), NOW);
        assert_eq!(route.unit, "kontaktcenter");
        assert_eq!(route.path, ["Allt"]);
    }

    #[test]
    fn the_deepest_match_owns_the_matter() {
        let bus = Matter { topic: "gata-trafik", text: "Skolbussen kom inte", ..Matter::default() };
        assert_eq!(ale().route(&bus, NOW).path, ["Allt", "Gator och trafik", "Skolskjuts"]);
        assert_eq!(unit(&bus), "grundskola");
        assert_eq!(unit(&Matter { text: "Hål i vägen", ..bus }), "gata");
    }

    #[test]
    fn a_threat_is_a_threat_whatever_its_topic() {
        let threat = Matter { topic: "va", intent: Intent::Threat, ..Matter::default() };
        assert_eq!(unit(&threat), "kommunikation");
        assert_eq!(unit(&Matter { urgency: Urgency::Acute, ..threat }), "sakerhet");
    }

    #[test]
    fn a_board_is_known_by_its_old_name() {
        assert_eq!(unit(&Matter { board: "Omsorgs- och arbetsmarknadsnämnden", ..Matter::default() }), "socialtjanst");
        assert_eq!(unit(&Matter { board: "sektor utbildning", ..Matter::default() }), "grundskola");
    }

    #[test]
    fn praise_goes_to_the_unit_as_complaints_do() {
        let praise = Matter { topic: "forskola", intent: Intent::Praise, ..Matter::default() };
        assert_eq!(unit(&praise), unit(&Matter { intent: Intent::Complaint, ..praise }));
    }

    #[test]
    fn a_route_says_why_in_swedish() {
        let route = ale().route(&Matter { topic: "va", ..Matter::default() }, NOW);
        assert_eq!(route.because, "Går till VA-enheten: ämnet är Vatten och avlopp.");
    }

    #[test]
    fn a_request_for_a_document_goes_to_the_registrar_whatever_it_is_about() {
        let matter = Matter { topic: "bygglov", intent: Intent::Document, ..Matter::default() };
        let route = ale().route(&matter, NOW);
        assert_eq!((route.unit.as_str(), route.function.as_deref()), ("kansli", Some("registrator")));
        assert!(route.lane.beyond_approval());
    }

    #[test]
    fn a_report_of_concern_is_handed_to_social_services_also_when_it_is_about_the_school() {
        let text = "Jag vill göra en orosanmälan om ett barn på skolan";
        let route = ale().route(&Matter { topic: "skola", text, ..Matter::default() }, NOW);
        assert_eq!((route.unit.as_str(), route.lane), ("socialtjanst", Lane::Authority));
    }

    #[test]
    fn every_topic_has_a_unit_of_its_own_choosing() {
        let ale = ale();
        for topic in &ale.topics {
            let route = ale.route(&Matter { topic: &topic.slug, ..Matter::default() }, NOW);
            assert!(route.path.len() > 1 || topic.slug == "ovrigt", "{}", topic.slug);
        }
    }

    #[test]
    fn a_unit_that_is_closed_hands_its_matters_to_the_one_above() {
        let (organisation, faults) = parse(SMALL);
        assert_eq!(faults, [""; 0]);
        let matter = Matter { place: "Nödinge", text: "Snön!", ..Matter::default() };
        let at = |text: &str| organisation.route(&matter, Time::parse(text).unwrap()).unit;
        assert_eq!(at("2026-12-31T22:59:59Z"), "ny");
        assert_eq!(at("2026-12-31T23:00:00Z"), "rot");
    }

    #[test]
    fn all_conditions_of_a_node_must_hold() {
        let (organisation, _) = parse(SMALL);
        let unit = |place, text| organisation.route(&Matter { place, text, ..Matter::default() }, NOW).unit;
        assert_eq!(unit("nodinge", "snö"), "ny");
        assert_eq!(unit("nodinge", "regn"), "rot");
        assert_eq!(unit("nol", "snö"), "rot");
    }

    #[test]
    fn every_condition_looks_at_its_own_part_of_the_matter() {
        let asked = [
            ("topic = [\"ovrigt\"]", Matter { topic: "ovrigt", ..Matter::default() }),
            ("intent = [\"berom\"]", Matter { intent: Intent::Praise, ..Matter::default() }),
            ("intent = [\"berom\"]", Matter { also: Some(Intent::Praise), ..Matter::default() }),
            ("urgency = [\"hog\"]", Matter { urgency: Urgency::High, ..Matter::default() }),
            ("place = [\"nol\"]", Matter { place: "Nol", ..Matter::default() }),
            ("channel = [\"facebook\"]", Matter { channel: "facebook", ..Matter::default() }),
            ("board = [\"ks\"]", Matter { board: "Kommunstyrelsen", ..Matter::default() }),
            ("word = [\"lampa\"]", Matter { text: "Lampan lyser inte", ..Matter::default() }),
            ("protected = true", Matter { protected: true, ..Matter::default() }),
        ];
        for (condition, matter) in asked {
            let node = format!("{SMALL}\n[[route.route]]\nname = \"Prov\"\n{condition}\nunit = \"ny\"\n");
            let (organisation, faults) = parse(&node);
            assert_eq!(faults, [""; 0], "{condition}");
            let route = organisation.route(&matter, NOW);
            assert_eq!((route.unit.as_str(), route.path), ("ny", vec!["Allt".into(), "Prov".into()]), "{condition}");
            assert_eq!(organisation.route(&Matter::default(), NOW).unit, "rot", "{condition}: not what has none of it");
        }
    }

    #[test]
    fn a_unit_goes_by_the_name_it_has_that_day() {
        let later = "\n[[unit]]\nkey = \"ny\"\nname = \"Gatan\"\ndepartment = \"forvaltning\"\nmanager = \"b\"\n\
                     deputy = \"a\"\ncalendar = \"kontor\"\nfrom = 2027-01-01\n";
        let (organisation, faults) = parse(&format!("{SMALL}{later}"));
        assert_eq!(faults, [""; 0]);
        let matter = Matter { place: "Nödinge", text: "snö", ..Matter::default() };
        let says = |at: &str| organisation.route(&matter, Time::parse(at).unwrap()).because;
        assert!(says("2026-12-31T12:00:00Z").starts_with("Går till Vägen:"));
        assert!(says("2027-01-01T12:00:00Z").starts_with("Går till Gatan:"));
    }

    const SMALL: &str = include_str!("example_small.toml");
}
