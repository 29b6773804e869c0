//! Whose ground a source stands on, by its name or address: a post that names no place is about where it stands.

use rustc_hash::FxHashMap;

/// Letters that a name must have to be found at the beginning of a longer word (`kungalvsposten`).
const BEGINS_FROM: usize = 5;

/// Whose ground it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stand {
    /// Another place's.
    Elsewhere,
    /// Ours.
    Ours,
}

impl Stand {
    /// As people read it among the reasons.
    #[must_use]
    pub fn swedish(self) -> &'static str {
        match self {
            Self::Elsewhere => "Källan hör till en annan ort",
            Self::Ours => "Källan hör till en plats i kommunen",
        }
    }
}

/// Place names as sources spell them: small letters without dots and rings.
#[derive(Debug, Clone, Default)]
pub struct Stands(FxHashMap<String, Stand>);

impl Stands {
    /// The names of places, and whose each is. A name that is ours and another's is ours.
    pub fn new<'a>(names: impl Iterator<Item = (&'a str, Stand)>) -> Self {
        let mut stands: FxHashMap<String, Stand> = FxHashMap::default();
        for (name, stand) in names {
            let known = stands.entry(plain(name)).or_insert(stand);
            *known = stand.max(*known);
        }
        Self(stands)
    }

    /// Whose ground a source stands on; nothing when its name tells of no place.
    #[must_use]
    pub fn of(&self, source: &str) -> Option<Stand> {
        if source.is_empty() {
            return None;
        }
        let source = plain(source);
        let words: Vec<&str> = source.split(' ').filter(|word| !word.is_empty()).collect();
        let pairs = words.windows(2).filter_map(|pair| self.name(&pair.join(" ")));
        words.iter().filter_map(|word| self.word(word)).chain(pairs).max().copied()
    }

    fn name(&self, name: &str) -> Option<&Stand> {
        self.0.get(name).or_else(|| self.0.get(name.strip_suffix('s')?))
    }

    fn word(&self, word: &str) -> Option<&Stand> {
        self.name(word).or_else(|| {
            let ends = (BEGINS_FROM..word.len()).rev();
            ends.filter_map(|end| word.get(..end)).find_map(|beginning| self.0.get(beginning))
        })
    }
}

/// Small letters without dots and rings, marks as spaces.
fn plain(text: &str) -> String {
    let one = |letter: char| match letter {
        'å' | 'ä' | 'à' | 'á' => 'a',
        'ö' | 'ø' => 'o',
        'é' | 'è' => 'e',
        'ü' => 'u',
        letter if letter.is_alphanumeric() => letter,
        _ => ' ',
    };
    text.chars().flat_map(char::to_lowercase).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_stands_where_its_name_says() {
        let names = [("kungälv", Stand::Elsewhere), ("lilla edet", Stand::Elsewhere), ("nödinge", Stand::Ours)];
        let stands = Stands::new(names.into_iter());
        for (source, stand) in [
            ("Facebookgruppen Kungälv – köp och sälj", Some(Stand::Elsewhere)),
            ("kungalv-granntorget", Some(Stand::Elsewhere)),
            ("www.kungalvsposten.se", Some(Stand::Elsewhere)),
            ("Lilla Edets anslagstavla", Some(Stand::Elsewhere)),
            ("Vi i Lilla Edet", Some(Stand::Elsewhere)),
            ("Nödinges vänner i Kungälv", Some(Stand::Ours)),
            ("Torget", None),
            ("", None),
        ] {
            assert_eq!(stands.of(source), stand, "{source}");
        }
    }
}
