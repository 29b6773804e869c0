//! The message as the outbox stores it and a voice sends it: text, HTML, link and opaque buttons. It can only be made
//! from a tier's type.

use std::fmt::Write as _;

use super::button::{Act, Became, Button, Nonce};
use super::tier::{CASES_NAMED, KeeperFacts, LineA, MessageA, MessageB, MessageC, ReminderFacts, Tier};
use super::{case_in_words, cases_in_words};
use crate::clock::Time;
use crate::id::CaseId;

/// Why a message is sent; e-mail threads and unsubscribes by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Occasion {
    /// About what must be done now.
    Reminder,
    /// A summary that a person has asked for and may do without.
    Digest,
    /// About the voice itself.
    Notice,
}

/// What the outbox stores and a voice sends. Built only from a tier's type; read back only by the outbox.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Message {
    tier: Tier,
    occasion: Occasion,
    subject: String,
    text: String,
    html: Option<String>,
    link: String,
    case: Option<CaseId>,
    buttons: Vec<Button>,
    said_at: Time,
}

impl Message {
    /// The tier it was built for.
    #[must_use]
    pub fn tier(&self) -> Tier {
        self.tier
    }
    /// Why it is sent.
    #[must_use]
    pub fn occasion(&self) -> Occasion {
        self.occasion
    }
    /// One line, for services that have subjects.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }
    /// Plain text with the link on its last line.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
    /// The same as HTML, where the tier has services that show it.
    #[must_use]
    pub fn html(&self) -> Option<&str> {
        self.html.as_deref()
    }
    /// Where *Öppna* leads.
    #[must_use]
    pub fn link(&self) -> &str {
        &self.link
    }
    /// The one case it is about, when it is about one: buttons and e-mail threads need it.
    #[must_use]
    pub fn case(&self) -> Option<CaseId> {
        self.case
    }
    /// When it was built: what expires with it counts from here, so that sending again changes nothing.
    #[must_use]
    pub fn said_at(&self) -> Time {
        self.said_at
    }
    /// The buttons, in the order they are shown.
    #[must_use]
    pub fn buttons(&self) -> &[Button] {
        &self.buttons
    }
    /// The same message with buttons for its one case; a message about several cases gets none, because it would
    /// not be clear which case a press is about. The text does not change.
    #[must_use]
    pub fn with_buttons(mut self, acts: &[(Act, Nonce)]) -> Self {
        if self.case.is_some() {
            self.buttons = acts.iter().map(|(act, nonce)| Button { act: *act, nonce: nonce.clone() }).collect();
        }
        self
    }

    /// The same message with what has become of the cases that it no longer asks anything about, before the link.
    #[must_use]
    pub fn telling(mut self, became: &[(CaseId, Became)]) -> Self {
        let lines: Vec<String> = became.iter().map(|(case, became)| became.swedish(*case)).collect();
        if lines.is_empty() {
            return self;
        }
        let body = self.text.strip_suffix(&self.link).unwrap_or(&self.text).trim_end().to_owned();
        self.text = format!("{body}\n{}\n{}", lines.join("\n"), self.link);
        if let Some(html) = &mut self.html {
            for line in &lines {
                let _ = write!(html, "<p>{}</p>", escape(line));
            }
        }
        self
    }

    /// A message about the voice itself, in tier C.
    pub(super) fn of_notice(subject: &str, text: &str, link: &str, said_at: Time) -> Self {
        Self {
            tier: Tier::C,
            occasion: Occasion::Notice,
            subject: subject.to_owned(),
            text: format!("{text}\n{link}"),
            html: None,
            link: link.to_owned(),
            case: None,
            buttons: Vec::new(),
            said_at,
        }
    }

    /// True when a reader would see no difference: the same words, and buttons or none.
    #[must_use]
    pub fn reads_as(&self, other: &Self) -> bool {
        self.text == other.text && self.buttons.is_empty() == other.buttons.is_empty()
    }

    fn of(least: &MessageC, tier: Tier, occasion: Occasion, lines: &[(String, String)]) -> Self {
        let one = match least.cases.as_slice() {
            [one] if least.count == 1 => Some(*one),
            _ => None,
        };
        let mut text = least.lead();
        let mut html = format!("<p>{}</p>", escape(&text));
        if lines.is_empty() {
            let ids = least.ids();
            let _ = write!(text, "{}{ids}", if ids.is_empty() { "" } else { "\n" });
            let _ = write!(html, "<p>{}</p>", escape(&ids));
        } else {
            html.push_str("<ul>");
            for (line, link) in lines {
                let _ = write!(text, "\n{line}");
                let _ = write!(html, "<li>{} <a href=\"{}\">Öppna</a></li>", escape(line), escape(link));
            }
            html.push_str("</ul>");
        }
        let link = match (one, lines) {
            (Some(_), [(_, link)]) => link.clone(),
            _ => least.link.clone(),
        };
        let _ = write!(text, "\n{link}");
        let _ = write!(html, "<p><a href=\"{}\">Öppna Lyhörd</a></p>", escape(&link));
        let subject = format!("{} att hantera i Lyhörd", cases_in_words(least.count));
        let html = (tier == Tier::A).then_some(html);
        Self { tier, occasion, subject, text, html, link, case: one, buttons: Vec::new(), said_at: least.said_at }
    }
}

/// Text as HTML text or attribute.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn line(case: CaseId, parts: &[Option<&str>], due: &str) -> String {
    let parts: Vec<&str> = parts.iter().copied().flatten().collect();
    let about = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(" · ")) };
    format!("{}{about}. {due}.", case_in_words(case))
}

impl MessageC {
    /// As the outbox stores it.
    #[must_use]
    pub fn message(&self, occasion: Occasion) -> Message {
        Message::of(self, Tier::C, occasion, &[])
    }
}

impl MessageB {
    /// As the outbox stores it.
    #[must_use]
    pub fn message(&self, occasion: Occasion) -> Message {
        let lines: Vec<_> = self
            .lines
            .iter()
            .map(|b| (line(b.case, &[b.intent, b.category.as_deref()], &b.due), b.link.clone()))
            .collect();
        Message::of(&self.least, Tier::B, occasion, &lines)
    }
}

impl MessageA {
    /// As the outbox stores it.
    #[must_use]
    pub fn message(&self, occasion: Occasion) -> Message {
        let said = |a: &LineA| {
            let parts = [a.b.intent, a.b.category.as_deref(), a.place.as_deref(), a.unit.as_deref(), Some(a.level)];
            (line(a.b.case, &parts, &a.b.due), a.b.link.clone())
        };
        let lines: Vec<_> = self.lines.iter().map(said).collect();
        Message::of(&self.least, Tier::A, occasion, &lines)
    }
}

/// The most that may be said in `tier` about these facts.
#[must_use]
pub fn message(tier: Tier, occasion: Occasion, facts: &ReminderFacts<'_>) -> Message {
    match tier {
        Tier::A => MessageA::new(facts).message(occasion),
        Tier::B => MessageB::new(facts).message(occasion),
        Tier::C => MessageC::new(facts).message(occasion),
    }
}

/// What one who keeps the system is told of sources that need her: how many, and in tier A which.
#[must_use]
pub fn keepers(tier: Tier, facts: &KeeperFacts<'_>) -> Message {
    let count = facts.sources.len();
    let lead = match count {
        1 => "En källa i Lyhörd behöver tillsyn.".to_owned(),
        _ => format!("{count} källor i Lyhörd behöver tillsyn."),
    };
    let mut text = lead.clone();
    let mut html = format!("<p>{}</p>", escape(&lead));
    if tier == Tier::A {
        let named = facts.sources.iter().filter_map(|(name, what)| Some((facts.vocabulary.known(name)?, *what)));
        for (name, what) in named.take(CASES_NAMED) {
            let _ = write!(text, "\n{name} {what}.");
            let _ = write!(html, "<p>{} {what}.</p>", escape(name));
        }
    }
    let link = if tier == Tier::C { facts.links.login() } else { facts.links.sources() };
    let _ = write!(text, "\n{link}");
    let _ = write!(html, "<p><a href=\"{}\">Öppna Lyhörd</a></p>", escape(&link));
    let html = (tier == Tier::A).then_some(html);
    let subject = "Källor behöver tillsyn i Lyhörd".to_owned();
    let occasion = Occasion::Reminder;
    Message { tier, occasion, subject, text, html, link, case: None, buttons: Vec::new(), said_at: facts.now }
}

#[cfg(test)]
mod keeper_tests {
    use super::super::tier::{Links, Vocabulary};
    use super::*;

    #[test]
    fn only_our_own_service_names_a_source_and_never_one_that_is_not_configured() {
        let links = Links::new(&"https://lyhord.example.se/".parse().unwrap());
        let vocabulary = Vocabulary::new(["Alekuriren".to_owned()]);
        let sources = [("Alekuriren", "svarar men ser inget"), ("<okänd>", "går inte att läsa")];
        let facts = KeeperFacts { sources: &sources, links: &links, vocabulary: &vocabulary, now: Time(0) };
        let said = [Tier::A, Tier::B, Tier::C].map(|tier| keepers(tier, &facts));
        assert_eq!(
            said[0].text(),
            "2 källor i Lyhörd behöver tillsyn.\nAlekuriren svarar men ser inget.\nhttps://lyhord.example.se/kallor"
        );
        assert_eq!(said[1].text(), "2 källor i Lyhörd behöver tillsyn.\nhttps://lyhord.example.se/kallor");
        assert_eq!(said[2].text(), "2 källor i Lyhörd behöver tillsyn.\nhttps://lyhord.example.se/logga-in");
        assert!(said[1].html().is_none() && said[2].html().is_none());
    }
}
