//! Words and names as people write them: places by name or slug, and beginnings of words.

/// Letters as a slug would have them, so that `Nödinge`, `nödinge` and `nodinge` are one place.
#[must_use]
pub fn fold(text: &str) -> String {
    text.trim()
        .chars()
        .flat_map(char::to_lowercase)
        .map(|letter| match letter {
            'å' | 'ä' | 'à' | 'á' => 'a',
            'ö' | 'ø' => 'o',
            'é' | 'è' => 'e',
            'ü' => 'u',
            ' ' | '_' => '-',
            other => other,
        })
        .collect()
}

/// A text in which beginnings of words are listened for; lower-cased once, however many words are asked for.
#[derive(Debug, Clone)]
pub struct Words(String);

impl Words {
    /// The text as it is listened to.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(text.to_lowercase())
    }

    /// True when some word begins so: "vattenläck" is heard in "Vattenläckan", but "ras" not in "gräs" or "terrass".
    #[must_use]
    pub fn have(&self, beginning: &str) -> bool {
        let beginning = beginning.trim().to_lowercase();
        let starts = |at: usize| {
            let before = self.0.get(..at).and_then(|before| before.chars().next_back());
            before.is_none_or(|letter| !letter.is_alphanumeric())
        };
        !beginning.is_empty() && self.0.match_indices(&beginning).any(|(at, _)| starts(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_heard_from_its_beginning_only() {
        let have = |text: &str, word: &str| Words::of(text).have(word);
        assert!(have("Stor VATTENLÄCKA i Nol", "vattenläck"));
        assert!(have("ett ras!", "ras"));
        assert!(!have("gräset", "ras"));
        assert!(!have("bygga terrass", "ras"));
        assert!(!have("vad som helst", " "));
    }

    #[test]
    fn a_place_is_the_same_by_name_and_by_slug() {
        assert_eq!(fold("Nödinge"), fold("nodinge"));
        assert_eq!(fold("Ale torg"), "ale-torg");
    }
}
