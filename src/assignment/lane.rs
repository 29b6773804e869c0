//! Lanes (spår): matters that the law or good sense gives a way of their own, whatever their topic.
//!
//! Which lanes there are, and which goes before which, stands here, because it follows from law; their words and
//! checklists are data in `config/organisation.toml`.

use super::{Matter, Words};
use crate::classification::{Flag, Intent};

/// The way a matter goes. In order of precedence: a threat is a threat also when it asks for a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
pub enum Lane {
    /// Threat or hate: restricted, blurred, assessed by a person before anything else.
    #[serde(rename = "hot")]
    Threat,
    /// What looks like a whistle-blowing by staff: hidden from managers (2021:890).
    #[serde(rename = "visselblasning")]
    WhistleBlowing,
    /// An application, an appeal or a report of concern that landed in the wrong place: its day of arrival counts.
    #[serde(rename = "myndighetsarende")]
    Authority,
    /// A request for a public document: the same working day, and nobody's approval stands before it (TF 2:15).
    #[serde(rename = "handling")]
    Document,
    /// A journalist asks: her deadline is the deadline.
    #[serde(rename = "media")]
    Media,
    /// A claim that is wrong or not confirmed.
    #[serde(rename = "rykte")]
    Rumour,
    /// Everything else.
    #[default]
    #[serde(rename = "vanlig")]
    Ordinary,
}

/// What the municipality has decided about a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneText {
    /// Which lane.
    pub lane: Lane,
    /// Words that put a matter in the lane, matched from the beginning of a word.
    pub words: Vec<String>,
    /// Keys of the functions that must be told, in order.
    pub functions: Vec<String>,
    /// What to do, in order, in plain Swedish.
    pub checklist: Vec<String>,
}

impl Lane {
    /// Every lane, the one that goes first first.
    pub const ALL: &'static [Self] = &[
        Self::Threat,
        Self::WhistleBlowing,
        Self::Authority,
        Self::Document,
        Self::Media,
        Self::Rumour,
        Self::Ordinary,
    ];

    /// The slug in the configuration, the database and on the command line.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Threat => "hot",
            Self::WhistleBlowing => "visselblasning",
            Self::Authority => "myndighetsarende",
            Self::Document => "handling",
            Self::Media => "media",
            Self::Rumour => "rykte",
            Self::Ordinary => "vanlig",
        }
    }

    /// What a person reads.
    #[must_use]
    pub fn swedish(self) -> &'static str {
        match self {
            Self::Threat => "Hot eller hat",
            Self::WhistleBlowing => "Möjlig visselblåsning",
            Self::Authority => "Myndighetsärende på fel plats",
            Self::Document => "Begäran om allmän handling",
            Self::Media => "Mediefråga",
            Self::Rumour => "Rykte",
            Self::Ordinary => "Vanligt ärende",
        }
    }

    /// Reads a slug.
    #[must_use]
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|lane| lane.slug() == slug)
    }

    /// True when only those who must handle it may read it.
    #[must_use]
    pub fn restricted(self) -> bool {
        matches!(self, Self::Threat | Self::WhistleBlowing | Self::Authority)
    }

    /// True when its text is shown blurred until somebody asks to see it.
    #[must_use]
    pub fn blurred(self) -> bool {
        matches!(self, Self::Threat | Self::WhistleBlowing)
    }

    /// True when no approval may stand between the matter and its answer: the law sets the time, not we.
    #[must_use]
    pub fn beyond_approval(self) -> bool {
        matches!(self, Self::Document | Self::Authority)
    }

    /// True when managers are not told: a whistle-blowing may be about them.
    #[must_use]
    pub fn hidden_from_managers(self) -> bool {
        self == Self::WhistleBlowing
    }
}

/// The lane of a matter and why. A possible threat, whistle-blowing or request for a document counts as one until a
/// person has said otherwise: the false alarm costs a minute, the missed one breaks the law.
#[must_use]
pub fn lane_of(matter: &Matter<'_>, texts: &[LaneText]) -> (Lane, String) {
    let words = Words::of(matter.text);
    for lane in Lane::ALL {
        if let Some(because) = sign_of(*lane, matter) {
            return (*lane, because.to_owned());
        }
        let heard = texts.iter().filter(|text| text.lane == *lane).flat_map(|text| &text.words);
        if let Some(word) = heard.into_iter().find(|word| words.have(word)) {
            return (*lane, format!("ordet ”{word}” hör till spåret"));
        }
    }
    (Lane::Ordinary, String::new())
}

fn sign_of(lane: Lane, matter: &Matter<'_>) -> Option<&'static str> {
    let flagged = |flag| matter.flags.contains(&flag);
    match lane {
        Lane::Threat if matter.wants(Intent::Threat) => Some("avsikten är hot eller hat"),
        Lane::Threat if flagged(Flag::Threat) => Some("det finns tecken på hot"),
        Lane::WhistleBlowing if flagged(Flag::WhistleBlowing) => Some("det kan vara en visselblåsning"),
        Lane::Document if matter.wants(Intent::Document) => Some("någon begär en allmän handling"),
        Lane::Document if flagged(Flag::DocumentRequest) => Some("det kan vara en begäran om allmän handling"),
        Lane::Media if matter.wants(Intent::Media) => Some("en journalist frågar"),
        Lane::Rumour if matter.wants(Intent::Rumour) => Some("ett påstående är fel eller obekräftat"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(matter: &Matter<'_>) -> Lane {
        lane_of(matter, &[]).0
    }

    #[test]
    fn every_lane_reads_back_from_its_slug() {
        for lane in Lane::ALL {
            assert_eq!(Lane::from_slug(lane.slug()), Some(*lane));
        }
    }

    #[test]
    fn a_threat_goes_before_everything_else_it_also_is() {
        let matter = Matter {
            intent: Intent::Document,
            also: Some(Intent::Threat),
            flags: &[Flag::WhistleBlowing],
            ..Matter::default()
        };
        assert_eq!(lane(&matter), Lane::Threat);
    }

    #[test]
    fn a_journalist_who_asks_for_a_document_makes_a_request_for_a_document() {
        let matter = Matter { intent: Intent::Media, also: Some(Intent::Document), ..Matter::default() };
        assert_eq!(lane(&matter), Lane::Document);
        assert!(lane(&matter).beyond_approval());
    }

    #[test]
    fn a_possible_request_for_a_document_is_one_until_a_person_says_otherwise() {
        let matter = Matter { flags: &[Flag::DocumentRequest], ..Matter::default() };
        assert_eq!(lane(&matter), Lane::Document);
    }

    #[test]
    fn a_word_of_the_configuration_puts_a_matter_in_its_lane() {
        let texts = [LaneText {
            lane: Lane::Authority,
            words: vec!["orosanmäl".to_owned()],
            functions: Vec::new(),
            checklist: Vec::new(),
        }];
        let matter = Matter { text: "Jag vill göra en orosanmälan", intent: Intent::Media, ..Matter::default() };
        let (lane, because) = lane_of(&matter, &texts);
        assert_eq!(lane, Lane::Authority);
        assert!(because.contains("orosanmäl"));
    }

    #[test]
    fn praise_goes_the_ordinary_way() {
        assert_eq!(lane(&Matter { intent: Intent::Praise, ..Matter::default() }), Lane::Ordinary);
    }
}
