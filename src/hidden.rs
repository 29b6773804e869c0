//! A text of the configuration that opens something: a token, an address that whoever knows it may read, a database's
//! address with its password in it. It shows in no debug print and so in no log.

use std::fmt;
use std::ops::Deref;

/// The text itself is had by dereferencing, where it is used.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl From<String> for Hidden {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Hidden {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Deref for Hidden {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_used_and_never_printed() {
        let feed = Some(Hidden::from("https://kalender.example.se/hemlig.ics"));
        assert_eq!(feed.as_deref(), Some("https://kalender.example.se/hemlig.ics"));
        assert_eq!(format!("{feed:?} {feed:#?}").matches("hemlig").count(), 0);
    }
}
