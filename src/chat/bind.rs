//! Binding a chat to a member of staff: a one-time code from her own page, said once to the bot.
//!
//! The code is 40 random bits in eight characters that cannot be mistaken for each other. Only its keyed hash is
//! kept, for a quarter of an hour, and an address that guesses is stopped long before it gets anywhere.

use std::fmt;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::clock::Time;
use crate::hex::hex;

/// Letters and digits without 0, 1, I and O; 32 of them, five bits each.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
const LENGTH: usize = 8;

/// How long a code holds: enough to take out a telephone, too short to be found later.
pub const CODE_HOLDS: Duration = Duration::from_mins(15);

/// Wrong codes that one address may say within [`TRIES_WITHIN`]; with 2^40 codes the chance of a hit is nil.
pub const TRIES: u32 = 5;

/// The span in which tries are counted.
pub const TRIES_WITHIN: Duration = Duration::from_hours(1);

/// A one-time code. Shown to its owner once; never stored, never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(String);

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

impl Code {
    /// From random bits; 40 of them count.
    #[must_use]
    pub fn of(bits: u64) -> Self {
        let letter = |place: usize| {
            let index = usize::try_from((bits >> (5 * place)) & 31).unwrap_or(0);
            ALPHABET.get(index).map_or('X', |byte| char::from(*byte))
        };
        Self((0..LENGTH).map(letter).collect())
    }

    /// A new one from the machine's generator.
    #[must_use]
    pub fn random() -> Self {
        Self::of(rand::random())
    }

    /// Reads what a person typed: case, blanks and hyphens do not matter.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        if typed.len() > 4 * LENGTH {
            return None;
        }
        let bare: String =
            typed.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase()).collect();
        let fits = bare.len() == LENGTH && bare.bytes().all(|byte| ALPHABET.contains(&byte));
        fits.then_some(Self(bare))
    }

    /// As its owner reads it: `ABCD-EFGH`.
    #[must_use]
    pub fn shown(&self) -> String {
        let (first, last) = self.0.split_at_checked(LENGTH / 2).unwrap_or((&self.0, ""));
        format!("{first}-{last}")
    }

    /// What is kept instead of the code: HMAC-SHA-256 under a key that is not in the database, in hex.
    #[must_use]
    pub fn hash(&self, key: &[u8]) -> String {
        keyed_hex(key, self.0.as_bytes())
    }
}

/// HMAC-SHA-256 in hex.
pub(super) fn keyed_hex(key: &[u8], said: &[u8]) -> String {
    // A key of any length is a valid HMAC key; the type cannot say so.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(said);
    hex(&mac.finalize().into_bytes())
}

/// What is remembered of a code that was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Whose page showed it: a staff key.
    pub staff: String,
    /// When.
    pub shown_at: Time,
    /// When it was used, if it was.
    pub used_at: Option<Time>,
}

/// What becomes of a code that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binding {
    /// Bind the address to this member of staff, and mark the code used in the same transaction.
    Bind {
        /// A staff key.
        staff: String,
    },
    /// Wrong, used or too old: the answer is the same, so that nobody learns which.
    Refused,
    /// Too many wrong codes from this address; the code was not even looked at.
    TooMany,
}

impl Binding {
    /// What the person is told.
    #[must_use]
    pub fn swedish(&self) -> &'static str {
        match self {
            Self::Bind { .. } => "Klart! Du får nu dina påminnelser här. Skriv /hjalp för att se vad du kan göra.",
            Self::Refused => {
                "Koden stämmer inte eller har gått ut. Hämta en ny på din sida i Lyhörd och skriv den här."
            }
            Self::TooMany => "Det blev för många fel koder. Vänta en timme och hämta sedan en ny kod i Lyhörd.",
        }
    }
}

/// Decides what a said code means; `failed` is the address's wrong codes within [`TRIES_WITHIN`].
#[must_use]
pub fn judge_code(shown: Option<&Shown>, failed: u32, now: Time) -> Binding {
    if failed >= TRIES {
        return Binding::TooMany;
    }
    match shown {
        Some(shown) if shown.used_at.is_none() && now.since(shown.shown_at) < CODE_HOLDS && now >= shown.shown_at => {
            Binding::Bind { staff: shown.staff.clone() }
        }
        _ => Binding::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown() -> Shown {
        Shown { staff: "karin".into(), shown_at: Time(0), used_at: None }
    }

    #[test]
    fn a_fresh_code_binds_its_owner() {
        assert_eq!(judge_code(Some(&shown()), 0, Time(60_000)), Binding::Bind { staff: "karin".into() });
    }

    #[test]
    fn a_used_or_old_or_unknown_code_is_refused_in_the_same_words() {
        let used = Shown { used_at: Some(Time(1)), ..shown() };
        let old = Time(0).plus(CODE_HOLDS);
        for (shown, now) in [(Some(&used), Time(2)), (Some(&shown()), old), (None, Time(2))] {
            assert_eq!(judge_code(shown, 0, now), Binding::Refused);
        }
    }

    #[test]
    fn guessing_is_stopped_even_when_the_last_guess_is_right() {
        assert_eq!(judge_code(Some(&shown()), TRIES, Time(1)), Binding::TooMany);
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = Code::of(0x12_3456_789A);
        assert_eq!(Code::parse(&format!(" {} ", code.shown().to_lowercase())), Some(code.clone()));
        assert_eq!(Code::parse("0000-OOOO"), None, "letters that are not in the alphabet");
        assert_eq!(format!("{code:?}"), "Code(…)");
    }

    #[test]
    fn the_hash_depends_on_the_key() {
        let code = Code::of(1);
        assert_ne!(code.hash(b"a"), code.hash(b"b"));
        assert_eq!(code.hash(b"a").len(), 64);
    }

    proptest! {
        #[test]
        fn every_code_reads_back_as_itself(bits: u64) {
            let code = Code::of(bits);
            prop_assert_eq!(Code::parse(&code.shown()), Some(code));
        }

        #[test]
        fn typed_nonsense_is_refused_without_harm(typed in ".{0,60}") {
            if let Some(code) = Code::parse(&typed) {
                prop_assert_eq!(code.shown().len(), LENGTH + 1);
            }
        }
    }
}
