//! Addresses that a person types on her page. Each is proved by a code that is sent to it before anything else is.

use lettre::Address;

use super::Channel;
use super::settings::ChatSettings;

/// The longest address that is looked at.
const ADDRESS_MAX: usize = 254;

/// Channels whose addresses are typed on the page and proved by a code sent there.
pub const TYPED: [Channel; 5] = [Channel::Email, Channel::Matrix, Channel::Slack, Channel::Mattermost, Channel::Teams];

/// Channels that are bound by saying a code in them.
pub const SAID: [Channel; 4] = [Channel::Telegram, Channel::Matrix, Channel::Slack, Channel::Mattermost];

/// What to type, in words; empty where nothing is typed.
#[must_use]
pub fn hint(channel: Channel) -> &'static str {
    match channel {
        Channel::Email => "din e-postadress i kommunen",
        Channel::Matrix => "@namn:server, eller !rum:server",
        Channel::Slack => "ditt medlems-id, till exempel U012AB3CD",
        Channel::Mattermost => "ditt användar-id, 26 tecken",
        Channel::Teams => "namnet på flödet, till exempel va",
        Channel::Telegram | Channel::Terminal => "",
    }
}

/// The address as a voice takes it.
///
/// # Errors
/// What is wrong with it, in Swedish.
pub fn read(channel: Channel, typed: &str, staff: &str, settings: &ChatSettings) -> Result<String, &'static str> {
    let typed = typed.trim();
    if typed.is_empty() || typed.len() > ADDRESS_MAX {
        return Err("Skriv adressen.");
    }
    match channel {
        Channel::Email => email(typed, settings),
        Channel::Matrix => matrix(typed, settings),
        Channel::Slack => {
            let shaped = matches!(typed.as_bytes().first(), Some(b'U' | b'W'))
                && (9..=20).contains(&typed.len())
                && typed.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
            if shaped { Ok(typed.to_owned()) } else { Err("Ett medlems-id i Slack ser ut som U012AB3CD.") }
        }
        Channel::Mattermost => {
            let shaped = typed.len() == 26 && typed.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if shaped { Ok(format!("user:{typed}")) } else { Err("Ett användar-id i Mattermost har 26 tecken.") }
        }
        Channel::Teams => {
            let known = settings.teams.as_ref().is_some_and(|teams| teams.hooks.contains_key(typed));
            if known {
                Ok(format!("{typed}/{staff}"))
            } else {
                Err("Det flödet finns inte i Lyhörds inställningar.")
            }
        }
        Channel::Telegram | Channel::Terminal => Err("Den chatten kopplas på ett annat sätt."),
    }
}

fn email(typed: &str, settings: &ChatSettings) -> Result<String, &'static str> {
    let address: Address = typed.parse().map_err(|_| "Det är ingen e-postadress.")?;
    let domain = address.domain().to_lowercase();
    let ours = settings.email.iter().any(|email| email.domains.iter().any(|own| own.eq_ignore_ascii_case(&domain)));
    if ours { Ok(address.to_string()) } else { Err("Det måste vara en adress inom kommunens egna domäner.") }
}

fn matrix(typed: &str, settings: &ChatSettings) -> Result<String, &'static str> {
    let own = settings.matrix.as_ref().and_then(|matrix| matrix.account.user_id.split_once(':')).map(|(_, own)| own);
    let (name, server) = typed.split_once(':').ok_or("Ett namn i Matrix ser ut som @namn:server.")?;
    let shaped = matches!(name.as_bytes().first(), Some(b'@' | b'!'))
        && name.len() > 1
        && typed.bytes().all(|byte| byte.is_ascii_graphic());
    match own {
        Some(own) if shaped && own == server => Ok(typed.to_owned()),
        _ if shaped => Err("Det måste vara ett namn eller rum på kommunens egen server."),
        _ => Err("Ett namn i Matrix ser ut som @namn:server, ett rum som !rum:server."),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::chat::email::{EmailAccount, Protection};
    use crate::chat::matrix::MatrixAccount;
    use crate::chat::settings::MatrixSettings;
    use crate::chat::teams::TeamsAccount;
    use crate::chat::wire::Secret;

    fn settings() -> ChatSettings {
        let timeout = Duration::from_secs(1);
        let base: url::Url = "https://matrix.ale.se".parse().unwrap();
        ChatSettings {
            email: Some(EmailAccount {
                host: "localhost".into(),
                port: 25,
                protection: Protection::None,
                login: None,
                from: "Lyhörd <lyhord@ale.se>".into(),
                domains: vec!["ale.se".into()],
                timeout,
            }),
            matrix: Some(MatrixSettings {
                account: MatrixAccount {
                    token: Secret::new("t"),
                    user_id: "@lyhord:ale.se".into(),
                    api_base: base,
                    timeout,
                },
                hear: true,
            }),
            teams: Some(TeamsAccount { hooks: [("va".to_owned(), Secret::new("https://x"))].into(), timeout }),
            ..ChatSettings::default()
        }
    }

    #[test]
    fn an_address_is_read_as_its_voice_takes_it() {
        let read = |channel, typed| read(channel, typed, "karin", &settings());
        assert_eq!(read(Channel::Email, " karin@Ale.se "), Ok("karin@Ale.se".into()));
        assert_eq!(read(Channel::Matrix, "@karin:ale.se"), Ok("@karin:ale.se".into()));
        assert_eq!(read(Channel::Matrix, "!rum:ale.se"), Ok("!rum:ale.se".into()));
        assert_eq!(read(Channel::Slack, "U012AB3CD"), Ok("U012AB3CD".into()));
        assert_eq!(
            read(Channel::Mattermost, "abcdefghijklmnopqrstuvwxyz"),
            Ok("user:abcdefghijklmnopqrstuvwxyz".into())
        );
        assert_eq!(read(Channel::Teams, "va"), Ok("va/karin".into()));
    }

    #[test]
    fn what_leads_out_of_the_municipality_or_out_of_its_place_is_refused() {
        for (channel, typed) in [
            (Channel::Email, "karin@example.com"),
            (Channel::Email, "a@ale.se\r\nBcc: b@example.com"),
            (Channel::Matrix, "@karin:example.com"),
            (Channel::Matrix, "karin"),
            (Channel::Matrix, "@:ale.se"),
            (Channel::Slack, "C012AB3CD"),
            (Channel::Slack, "U1/../x"),
            (Channel::Mattermost, "../../users"),
            (Channel::Teams, "okänt"),
            (Channel::Telegram, "4711"),
            (Channel::Email, ""),
        ] {
            assert!(read(channel, typed, "karin", &settings()).is_err(), "{typed}");
        }
    }
}
