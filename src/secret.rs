//! A text that opens something: a password, a token, an address that whoever knows it may read, a database's address with
//! its password in it. It shows in no log, debug print, error or page.

use std::fmt;
use std::ops::Deref;

use subtle::ConstantTimeEq as _;

/// The text itself is had by [`Secret::reveal`], or by dereferencing, where it is used.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Takes the secret, without the line break that files end with.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        Self(secret.trim().to_owned())
    }

    /// The secret itself, for the one place that sends or compares it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// True when `said` is the secret; takes as long whatever it is. No secret lets nobody in.
    #[must_use]
    pub fn is(&self, said: &str) -> bool {
        !self.0.is_empty() && bool::from(self.0.as_bytes().ct_eq(said.as_bytes()))
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl Deref for Secret {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "Secret(empty)" } else { "Secret(…)" })
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_used_and_never_printed() {
        let secret = Secret::new("s3cret\n");
        assert_eq!(format!("{secret} {secret:?}"), "… Secret(…)");
        assert!(secret.is("s3cret"));
        assert!(!secret.is("s3cre"));
        assert!(!Secret::default().is(""), "no secret lets nobody in");
        let feed = Some(Secret::from("https://kalender.example.se/hemlig.ics"));
        assert_eq!(feed.as_deref(), Some("https://kalender.example.se/hemlig.ics"));
        assert_eq!(format!("{feed:?} {feed:#?}").matches("hemlig").count(), 0);
    }
}
