//! Classification (bedömning): a judgement with its reasons and the judge's version.

/// Declares an enum whose variants have slugs (database, JSON, command line) and a Swedish name (pages).
macro_rules! slugs {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $slug:literal, $swedish:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $slug)] $variant,)+ }

        impl $name {
            /// Every value, in the order of severity or of the shipped labels.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The slug in the database, in JSON and on the command line.
            #[must_use]
            pub fn slug(self) -> &'static str { match self { $(Self::$variant => $slug),+ } }

            /// What a person reads.
            #[must_use]
            pub fn swedish(self) -> &'static str { match self { $(Self::$variant => $swedish),+ } }

            /// Reads a slug.
            #[must_use]
            pub fn from_slug(slug: &str) -> Option<Self> { match slug { $($slug => Some(Self::$variant),)+ _ => None } }
        }
    };
}

mod because;
mod calibrate;
pub mod correction;
pub mod external;
pub mod features;
#[cfg(test)]
mod flags_tests;
mod form;
pub mod judge;
pub mod language;
pub mod lexicon;
pub mod linear;
pub mod lines;
pub mod mask;
pub mod model;
pub mod normal;
pub mod opinion;
pub mod personal_data;
pub mod refit;
pub mod report;
pub mod safety;
pub mod seed;
pub mod similar;
pub mod standing;
mod stems;
pub mod store;
pub mod suggest;
pub mod tone;
pub mod train;
pub mod versions;

use crate::mention::{Relevance, Span};

slugs! {
    /// What the writer wants (avsikt).
    Intent {
        /// Wants to know something.
        Question = "fraga", "Fråga";
        /// Something is broken in a place.
        FaultReport = "felanmalan", "Felanmälan";
        /// Is not content with what was done.
        Complaint = "klagomal", "Klagomål";
        /// Has an opinion or wants something changed.
        Suggestion = "synpunkt-forslag", "Synpunkt eller förslag";
        /// Is pleased.
        Praise = "berom", "Beröm";
        /// A journalist asks.
        Media = "media", "Mediefråga";
        /// Threat or hate.
        Threat = "hot-hat", "Hot eller hat";
        /// A claim that is wrong or not confirmed.
        Rumour = "rykte", "Rykte";
        /// Wants to see a public document.
        Document = "begaran-handling", "Begäran om handling";
        /// Tells something and asks nothing.
        Information = "information", "Information";
    }
}

slugs! {
    /// The tone.
    Sentiment {
        /// Negative.
        Negative = "neg", "Negativ";
        /// Neither.
        Neutral = "neu", "Neutral";
        /// Positive.
        Positive = "pos", "Positiv";
    }
}

slugs! {
    /// How soon somebody must look (brådska).
    Urgency {
        /// In ordinary time.
        Normal = "normal", "Normal";
        /// The same day.
        High = "hog", "Hög";
        /// Danger to life, health or property now.
        Acute = "akut", "Akut";
    }
}

slugs! {
    /// What a person should be careful about.
    Flag {
        /// Personnummer, phone, e-mail or address of somebody.
        PersonalData = "personuppgift", "Personuppgift";
        /// A topic where even the matter itself may be secret.
        ProtectedTopic = "skyddat-amne", "Skyddat ämne";
        /// A possible threat.
        Threat = "mojligt-hot", "Möjligt hot";
        /// Somebody may harm herself.
        SelfHarm = "sjalvskada", "Tecken på självskada";
        /// A possible whistle-blowing.
        WhistleBlowing = "visselblasning", "Möjlig visselblåsning";
        /// A possible request for a public document.
        DocumentRequest = "mojlig-handlingsbegaran", "Möjlig begäran om handling";
    }
}

/// What the judge looks at.
#[derive(Debug, Clone, Default)]
pub struct Subject<'a> {
    /// Headline, when there is one.
    pub title: &'a str,
    /// Plain text.
    pub text: &'a str,
    /// The channel's slug.
    pub channel: &'a str,
    /// The source's name and address: a post that names no place is about where it stands.
    pub source: &'a str,
    /// What the watch rules said, when they were asked.
    pub heard: Option<Relevance>,
}

/// How sure the judge is of each judgement, 0 to 1, calibrated.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct Confidence {
    /// Of the relevance.
    pub relevance: f64,
    /// Of the topic.
    pub topic: f64,
    /// Of the intent.
    pub intent: f64,
    /// Of the sentiment.
    pub sentiment: f64,
    /// Of the urgency.
    pub urgency: f64,
}

/// A judgement of one post: the best label is always given; `unsure` lists those below their threshold.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Classification {
    /// About us, perhaps, or not.
    pub relevance: Relevance,
    /// Slug of the topic (ämne); topics are data that a municipality can rename and split.
    pub topic: String,
    /// What the writer wants.
    pub intent: Intent,
    /// A second intent, when there clearly is one.
    pub also: Option<Intent>,
    /// The tone.
    pub sentiment: Sentiment,
    /// How soon somebody must look.
    pub urgency: Urgency,
    /// BCP 47 tag of the language, `und` when it cannot be told.
    pub language: String,
    /// What to be careful about.
    pub flags: Vec<Flag>,
    /// How sure, for each judgement.
    pub confidence: Confidence,
    /// The judgements that a person should look at: `topic`, `intent` …
    pub unsure: Vec<String>,
    /// Words of the post that the judgement rests on.
    pub spans: Vec<Span>,
    /// Why, in plain Swedish, one reason a line.
    pub because: Vec<String>,
    /// The judge's version.
    pub by: String,
}

/// One who judges. A trait, because a test must tell it what to say and an external judge may stand in.
pub trait Classifier: Send + Sync {
    /// Judges one post. Pure: the same post gives the same judgement for the same version.
    fn classify(&self, subject: &Subject<'_>) -> Classification;
}
