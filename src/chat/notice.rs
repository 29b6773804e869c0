//! What Lyhörd says that is about no case, most of it about the voices themselves: fixed sentences, so that they may be
//! said anywhere.

use super::bind::Code;
use super::message::Message;
use super::tier::Links;
use super::{Channel, swedish};
use crate::clock::Time;

/// A fixed text about a voice. None of them has a field for a case, a person or a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A member of staff tries whether her voice reaches her.
    Test,
    /// A one-time code that proves that an address is hers.
    Code {
        /// The code.
        code: Code,
        /// Until when it works.
        until: Time,
    },
    /// A voice of the reader's own no longer reaches her.
    YoursFailed(Channel),
    /// A voice of a colleague's no longer reaches her; for those who keep the system.
    ColleaguesFailed(Channel),
    /// A colleague has no voice that reaches her; for those who keep the system.
    Unreached,
    /// A service does not accept us; for those who keep the system.
    OutOfOrder(Channel),
    /// A service has not answered for a while; for those who keep the system.
    Silent(Channel),
    /// One of the municipality's own accounts no longer lets us in; for those who keep the system.
    AccountRefused,
    /// What lets us in to one of the municipality's own accounts ends soon; for those who keep the system.
    AccountEnding,
    /// Many people write about one topic; for those who follow what is said.
    Rush {
        /// When the hours began that were looked at.
        since: Time,
    },
}

impl Notice {
    /// One line, for services that have subjects.
    #[must_use]
    pub fn subject(&self) -> &'static str {
        match self {
            Self::Test => "Prov från Lyhörd",
            Self::Code { .. } => "Din kod till Lyhörd",
            Self::YoursFailed(_) | Self::ColleaguesFailed(_) | Self::OutOfOrder(_) | Self::Silent(_) => {
                "En chatt i Lyhörd fungerar inte"
            }
            Self::Unreached => "En kollega nås inte av Lyhörd",
            Self::AccountRefused | Self::AccountEnding => "Ett konto i Lyhörd behöver tillsyn",
            Self::Rush { .. } => "Ovanligt många skriver om samma ämne",
        }
    }

    /// What is said, without the link.
    #[must_use]
    pub fn text(&self, now: Time) -> String {
        match self {
            Self::Test => "Det här är ett prov från Lyhörd. Så här når dina påminnelser dig.".to_owned(),
            Self::Code { code, until } => format!(
                "Din kod till Lyhörd är {}. Skriv den på Min profil före {}. Har du inte bett om någon kod behöver du \
                 inte göra något.",
                code.shown(),
                swedish::time_of(*until, now)
            ),
            Self::YoursFailed(channel) => format!(
                "Du nås inte längre genom {}. Dina påminnelser kommer hit i stället. Koppla om på Min profil.",
                channel.swedish()
            ),
            Self::ColleaguesFailed(channel) => format!(
                "En kollega nås inte längre genom {}. Nästa väg i kollegans ordning används. Läs mer under Chattar i \
                 Lyhörd.",
                channel.swedish()
            ),
            Self::Unreached => {
                "En kollega har ingen chatt eller e-post som fungerar. Påminnelserna till kollegan står bara i inkorgen. \
                 Läs vem under Chattar i Lyhörd."
            }
            .to_owned(),
            Self::OutOfOrder(channel) => format!(
                "{} godtar inte Lyhörd: token eller rättigheter behöver ses över. Andra vägar används där de finns. Läs \
                 mer under Chattar i Lyhörd.",
                channel.swedish()
            ),
            Self::AccountRefused => {
                "Ett av kommunens konton släpper inte in Lyhörd längre. Det som sägs till kontot läses inte förrän \
                 inloggningen är förnyad. Läs vilket och varför under Källor i Lyhörd."
            }
            .to_owned(),
            Self::AccountEnding => {
                "Inloggningen till ett av kommunens konton går snart ut. Förnya den i tid. Läs vilket under Källor i Lyhörd."
            }
            .to_owned(),
            // It may be read the next morning, when the rush is over.
            Self::Rush { since } => format!(
                "Ovanligt många har skrivit om ett och samma ämne sedan {}. Läs vilket, hur många och om det pågår överst i \
                 Inkorgen i Lyhörd.",
                swedish::time_of(*since, now)
            ),
            Self::Silent(channel) => format!(
                "{} har inte svarat på en halvtimme. Påminnelserna väntar och skickas när tjänsten svarar. Läs mer \
                 under Chattar i Lyhörd.",
                channel.swedish()
            ),
        }
    }

    /// As the outbox stores it: tier C, so that it fits everywhere.
    #[must_use]
    pub fn message(&self, links: &Links, now: Time) -> Message {
        Message::of_notice(self.subject(), &self.text(now), &links.login(), now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Tier;

    #[test]
    fn a_notice_fits_everywhere_and_leads_to_sign_in_only() {
        let links = Links::new(&"https://lyhord.ale.se".parse().unwrap());
        let all = [
            Notice::Test,
            Notice::Code { code: Code::of(7), until: Time(900_000) },
            Notice::YoursFailed(Channel::Telegram),
            Notice::ColleaguesFailed(Channel::Slack),
            Notice::Unreached,
            Notice::OutOfOrder(Channel::Matrix),
            Notice::Silent(Channel::Teams),
            Notice::AccountRefused,
            Notice::AccountEnding,
            Notice::Rush { since: Time(0) },
        ];
        for notice in all {
            let message = notice.message(&links, Time(0));
            assert_eq!((message.tier(), message.link()), (Tier::C, "https://lyhord.ale.se/logga-in"));
            assert!(message.text().ends_with("\nhttps://lyhord.ale.se/logga-in") && message.buttons().is_empty());
        }
    }

    #[test]
    fn a_code_stands_in_its_notice_and_not_in_the_link() {
        let links = Links::new(&"https://lyhord.ale.se".parse().unwrap());
        let code = Code::of(7);
        let message = Notice::Code { code: code.clone(), until: Time(900_000) }.message(&links, Time(0));
        assert!(message.text().contains(&code.shown()) && !message.link().contains(&code.shown()));
    }
}
