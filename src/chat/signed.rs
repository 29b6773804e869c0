//! Buttons as links, for services whose buttons do not post back (Teams, e-mail).
//!
//! The link is signed, expires and works once (its nonce is spent with the act). It is no bearer: it leads to sign-in,
//! and the person who signs in must be the one it was sent to. The page behind it acts on a POST only, because
//! mail filters open every link they see.

use std::fmt;
use std::time::Duration;

use super::bind::keyed_hex;
use super::button::{Act, Nonce};
use super::tier::{Links, Message};
use super::wire::Secret;
use crate::clock::Time;

/// How long a link holds: a working week, after which the case has long been told of again.
pub const LINK_HOLDS: Duration = Duration::from_hours(7 * 24);

/// The longest token that is looked at; ours are under 80 bytes.
const TOKEN_MAX: usize = 120;

/// Hex digits of the signature: 128 bits.
const SIGNATURE: usize = 32;

/// Why a link does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkFault {
    /// Not written by us, or changed on the way.
    #[error("not our link")]
    Forged,
    /// Too old.
    #[error("the link has expired")]
    Expired,
}

impl LinkFault {
    /// What the person reads.
    #[must_use]
    pub fn swedish(self) -> &'static str {
        match self {
            Self::Forged => "Länken stämmer inte. Inget har ändrats. Öppna ärendet i Lyhörd i stället.",
            Self::Expired => "Länken är för gammal. Inget har ändrats. Öppna ärendet i Lyhörd i stället.",
        }
    }
}

/// Writes and reads such links.
#[derive(Clone)]
pub struct Signer {
    key: Secret,
    links: Links,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

impl Signer {
    /// With a key that is not in the database, and the address of our own pages.
    #[must_use]
    pub fn new(key: Secret, links: Links) -> Self {
        Self { key, links }
    }

    /// Where links lead.
    #[must_use]
    pub fn links(&self) -> &Links {
        &self.links
    }

    fn signature(&self, said: &str) -> String {
        // The purpose is part of what is signed, so that a signature made for something else does not fit here.
        keyed_hex(self.key.reveal().as_bytes(), format!("knapp:{said}").as_bytes()).chars().take(SIGNATURE).collect()
    }

    /// A seal over `said`, for services that send back what we gave them.
    #[must_use]
    pub fn seal(&self, purpose: &str, said: &str) -> Secret {
        Secret::new(&keyed_hex(self.key.reveal().as_bytes(), format!("{purpose}:{said}").as_bytes()))
    }

    /// The link behind one button of a message that was built at `said_at`.
    #[must_use]
    pub fn link(&self, act: Act, nonce: &Nonce, said_at: Time) -> String {
        let expires = said_at.plus(LINK_HOLDS).0 / 1_000;
        let said = format!("{}.{}.{expires}", act.slug(), nonce.as_str());
        self.links.press(&format!("{said}.{}", self.signature(&said)))
    }

    /// Label and link of each button, then *Öppna*.
    #[must_use]
    pub fn buttons(&self, message: &Message) -> Vec<(&'static str, String)> {
        let mut all: Vec<_> = message
            .buttons()
            .iter()
            .map(|button| (button.act.label(), self.link(button.act, &button.nonce, message.said_at())))
            .collect();
        all.push(("Öppna", message.link().to_owned()));
        all
    }

    /// Reads the last part of a link's path.
    ///
    /// # Errors
    /// When it is forged or has expired.
    pub fn read(&self, token: &str, now: Time) -> Result<(Act, Nonce), LinkFault> {
        let (said, signature) = token.rsplit_once('.').filter(|_| token.len() <= TOKEN_MAX).ok_or(LinkFault::Forged)?;
        if !Secret::new(&self.signature(said)).is(signature) {
            return Err(LinkFault::Forged);
        }
        let mut parts = said.split('.');
        let act = parts.next().and_then(Act::from_slug).ok_or(LinkFault::Forged)?;
        let nonce = parts.next().and_then(Nonce::parse).ok_or(LinkFault::Forged)?;
        let expires: i64 = parts.next().and_then(|text| text.parse().ok()).ok_or(LinkFault::Forged)?;
        if now.0 / 1_000 >= expires { Err(LinkFault::Expired) } else { Ok((act, nonce)) }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub fn signer() -> Signer {
        Signer::new(
            Secret::new("en nyckel som ingen vet om, 32+"),
            Links::new(&"https://lyhord.ale.se".parse().unwrap()),
        )
    }

    fn token(link: &str) -> &str {
        link.strip_prefix("https://lyhord.ale.se/knapp/").unwrap()
    }

    #[test]
    fn a_link_is_read_until_it_expires() {
        let nonce = Nonce::of([3; 16]);
        let link = signer().link(Act::Take, &nonce, Time(0));
        assert_eq!(signer().read(token(&link), Time(1)), Ok((Act::Take, nonce)));
        assert_eq!(signer().read(token(&link), Time(0).plus(LINK_HOLDS)), Err(LinkFault::Expired));
    }

    #[test]
    fn a_link_signed_with_another_key_is_forged() {
        let other = Signer::new(Secret::new("en annan nyckel"), signer().links().clone());
        let link = other.link(Act::Take, &Nonce::of([3; 16]), Time(0));
        assert_eq!(signer().read(token(&link), Time(1)), Err(LinkFault::Forged));
    }

    #[test]
    fn a_link_is_the_same_however_often_it_is_sent() {
        let nonce = Nonce::of([3; 16]);
        assert_eq!(signer().link(Act::Later, &nonce, Time(5)), signer().link(Act::Later, &nonce, Time(5)));
    }

    proptest! {
        #[test]
        fn a_changed_letter_anywhere_makes_it_forged(place in 0usize..70, letter in "[a-z0-9.]") {
            let link = signer().link(Act::HandOver, &Nonce::of([3; 16]), Time(0));
            let mut changed: Vec<char> = token(&link).chars().collect();
            let place = place % changed.len();
            let letter = letter.chars().next().unwrap();
            prop_assume!(changed[place] != letter);
            changed[place] = letter;
            prop_assert_eq!(signer().read(&changed.iter().collect::<String>(), Time(1)), Err(LinkFault::Forged));
        }

        #[test]
        fn no_token_makes_the_reader_fall_over(token in "\\PC{0,200}") {
            prop_assert!(signer().read(&token, Time(0)).is_err());
        }
    }
}
