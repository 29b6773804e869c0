//! The lexicon (ordlista): stems, words and phrases that staff can read and edit, each a feature and a reason.

use aho_corasick::AhoCorasick;
use rustc_hash::{FxHashMap, FxHashSet};
use sha2::{Digest, Sha256};

use super::normal::{Kind, Normal, normalise};
use super::standing::{Stand, Stands};
pub use super::stems::{Dimension, Group};
use super::stems::{Edge, Pattern, fits, read_group};
use crate::hex::hex;
use crate::settings::{Problems, Section};

/// Hits in one post; a post of nothing but stems is spam, and the first hits say as much as all of them.
const HITS_MAX: usize = 400;
/// Letters that a place name must have before one wrong letter is forgiven.
const FORGIVING_LETTERS: usize = 6;

/// A stem that was found: bytes of the normalised text.
#[derive(Debug, Clone, Copy)]
pub struct Hit {
    /// Index of the group.
    pub group: u16,
    /// Index of the pattern.
    pub pattern: u32,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// Where a channel stands to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Nearness {
    /// The writer turned to us.
    Own,
    /// A place where locals talk.
    Local,
    /// Newspapers and feeds.
    News,
    /// Anywhere.
    Open,
}

impl Nearness {
    /// The name that features carry.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Local => "local",
            Self::News => "news",
            Self::Open => "open",
        }
    }
}

/// Everything in `config/lexicon.toml`, ready to be looked up.
#[derive(Debug, Clone)]
pub struct Lexicon {
    groups: Vec<Group>,
    patterns: Vec<Pattern>,
    matcher: AhoCorasick,
    channels: FxHashMap<String, Nearness>,
    forgiven: Vec<(String, u32)>,
    stands: Stands,
    topics: Vec<(String, String)>,
    protected_topics: FxHashSet<String>,
}

/// A lexicon that cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum LexiconError {
    /// The matcher cannot hold the patterns: fewer or shorter stems are needed.
    #[error("the stems of the lexicon are too many or too long")]
    TooLarge(#[source] aho_corasick::BuildError),
    /// The file has faults; each has its own line in the list that was handed in.
    #[error("the lexicon has faults")]
    Faulty,
}

impl Lexicon {
    /// Reads the lexicon; faults are told to the section's problems, and what is whole is used.
    ///
    /// # Errors
    /// When the stems do not fit in the matcher.
    pub fn read(section: &Section) -> Result<Self, LexiconError> {
        let mut groups = Vec::new();
        let mut patterns = Vec::new();
        for table in section.sections("group") {
            read_group(&table, &mut groups, &mut patterns);
        }
        let mut channels = FxHashMap::default();
        if let Some(table) = section.section("channels") {
            for (key, nearness) in [("own", Nearness::Own), ("local", Nearness::Local), ("news", Nearness::News)] {
                channels.extend(table.texts(key).into_iter().map(|channel| (channel.text, nearness)));
            }
        }
        let protected_topics = section.texts("protected_topics").into_iter().map(|topic| topic.text).collect();
        let matcher = AhoCorasick::new(patterns.iter().map(|pattern: &Pattern| pattern.text.as_str()))
            .map_err(LexiconError::TooLarge)?;
        let forgiven = forgiven(&groups, &patterns);
        let stands = stands(&groups, &patterns);
        let topics = topics(&groups);
        Ok(Self { groups, patterns, matcher, channels, forgiven, stands, topics, protected_topics })
    }

    /// The lexicon that is shipped, for a first start and for tests.
    ///
    /// # Errors
    /// Never for an unchanged build: a test reads it.
    pub fn shipped() -> Result<Self, LexiconError> {
        let problems = Problems::default();
        let section = crate::settings::read("config/lexicon.toml", SHIPPED, &problems);
        let lexicon = Self::read(&section)?;
        drop(section);
        if problems.is_empty() { Ok(lexicon) } else { Err(LexiconError::Faulty) }
    }

    /// A hash of all that the lexicon says: a model learned with it is measured and used with the same one.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        for group in &self.groups {
            hasher.update(format!("g{}\0{}\0{}\n", group.dimension.slug(), group.slug, group.weight));
        }
        for pattern in &self.patterns {
            hasher.update(format!("p{}\0{:?}\0{}\0{}\n", pattern.group, pattern.edge, pattern.capital, pattern.text));
        }
        let mut rest: Vec<String> =
            self.channels.iter().map(|(name, near)| format!("c{name}\0{}", near.slug())).collect();
        rest.extend(self.protected_topics.iter().map(|topic| format!("t{topic}")));
        rest.sort_unstable();
        hasher.update(rest.join("\n"));
        hex(&hasher.finalize()[..6])
    }

    /// Slug and Swedish name of every topic, in the order of the file.
    #[must_use]
    pub fn topics(&self) -> &[(String, String)] {
        &self.topics
    }

    /// True when even the matter itself may be secret.
    #[must_use]
    pub fn is_protected(&self, topic: &str) -> bool {
        self.protected_topics.contains(topic)
    }

    /// The group of a hit.
    #[must_use]
    pub fn group(&self, hit: &Hit) -> Option<&Group> {
        self.groups.get(usize::from(hit.group))
    }

    /// The stem of a hit, normalised.
    #[must_use]
    pub fn stem(&self, hit: &Hit) -> &str {
        self.patterns.get(hit.pattern as usize).map_or("", |pattern| pattern.text.as_str())
    }

    /// Where the channel stands to us.
    #[must_use]
    pub fn nearness(&self, channel: &str) -> Nearness {
        self.channels.get(channel).copied().unwrap_or(Nearness::Open)
    }

    /// Whose ground a source stands on, by its name or address.
    #[must_use]
    pub fn stand(&self, source: &str) -> Option<Stand> {
        self.stands.of(source)
    }

    /// True when a topic stem already stands inside `word`.
    #[must_use]
    pub fn knows(&self, topic: &str, word: &str) -> bool {
        let normal = normalise(word);
        self.hits(&normal, word)
            .iter()
            .any(|hit| self.group(hit).is_some_and(|group| group.dimension == Dimension::Topic && group.slug == topic))
    }

    /// Every hit in the post; of two in the same dimension where one lies inside the other, the longer.
    #[must_use]
    pub fn hits(&self, normal: &Normal, post: &str) -> Vec<Hit> {
        let mut found: Vec<Hit> = Vec::with_capacity(32);
        for hit in self.matcher.find_overlapping_iter(&normal.text) {
            let Some(pattern) = self.patterns.get(hit.pattern().as_usize()) else { continue };
            let (start, end) = (hit.start(), hit.end());
            let Some(end) = fits(pattern, normal, post, start, end) else { continue };
            found.push(Hit { group: pattern.group, pattern: hit.pattern().as_u32(), start, end });
            if found.len() >= HITS_MAX {
                break;
            }
        }
        self.forgive(normal, &mut found);
        self.keep_longest(&mut found);
        found
    }

    fn keep_longest(&self, found: &mut Vec<Hit>) {
        let dimension = |hit: &Hit| self.group(hit).map(|group| group.dimension);
        let all = found.clone();
        found.retain(|hit| {
            !all.iter().any(|other| {
                other.start <= hit.start
                    && hit.end <= other.end
                    && other.end - other.start > hit.end - hit.start
                    && dimension(other) == dimension(hit)
            })
        });
    }

    /// Adds place names that are written with one wrong letter.
    fn forgive(&self, normal: &Normal, found: &mut Vec<Hit>) {
        for token in &normal.tokens {
            if token.kind == Kind::Emoji || found.iter().any(|hit| hit.start == token.start && self.is_place(hit)) {
                continue;
            }
            let word = normal.word(token);
            if word.len() < FORGIVING_LETTERS {
                continue;
            }
            let letters = mask_of(word);
            let near = self.forgiven.iter().find(|(name, _)| {
                name.len().abs_diff(word.len()) <= 2
                    && (mask_of(name) ^ letters).count_ones() <= 2
                    && name.chars().next() == word.chars().next()
                    && strsim::osa_distance(name, word) == 1
            });
            if let Some((_, pattern)) = near
                && let Some(known) = self.patterns.get(*pattern as usize)
            {
                found.push(Hit { group: known.group, pattern: *pattern, start: token.start, end: token.end });
            }
        }
    }

    fn is_place(&self, hit: &Hit) -> bool {
        self.group(hit).is_some_and(|group| matches!(group.dimension, Dimension::Place | Dimension::Elsewhere))
    }
}

/// A bit for each letter that occurs, to compare two words cheaply before they are compared exactly.
fn mask_of(word: &str) -> u32 {
    word.bytes().fold(0, |mask, byte| mask | 1 << (byte & 31))
}

/// The places that a source may be named after: ours that are nobody else's, and those of others.
fn stands(groups: &[Group], patterns: &[Pattern]) -> Stands {
    let places = patterns.iter().filter(|pattern| !matches!(pattern.edge, Edge::Ends));
    Stands::new(places.filter_map(|pattern| {
        let group = groups.get(usize::from(pattern.group))?;
        let stand = match (group.dimension, group.slug.as_str()) {
            (Dimension::Place, "strong") => Stand::Ours,
            (Dimension::Elsewhere, _) => Stand::Elsewhere,
            _ => return None,
        };
        Some((pattern.text.as_str(), stand))
    }))
}

const SHIPPED: &str = include_str!("../../config/lexicon.toml");

fn forgiven(groups: &[Group], patterns: &[Pattern]) -> Vec<(String, u32)> {
    let strong = |pattern: &Pattern| {
        groups
            .get(usize::from(pattern.group))
            .is_some_and(|group| group.dimension == Dimension::Place && group.slug == "strong")
    };
    (0..)
        .zip(patterns)
        .filter(|(_, pattern)| {
            strong(pattern) && pattern.text.chars().count() >= FORGIVING_LETTERS && !pattern.text.contains(' ')
        })
        .map(|(index, pattern)| (pattern.text.clone(), index))
        .collect()
}

fn topics(groups: &[Group]) -> Vec<(String, String)> {
    let mut topics: Vec<(String, String)> = Vec::new();
    for group in groups.iter().filter(|group| group.dimension == Dimension::Topic) {
        if !topics.iter().any(|(slug, _)| *slug == group.slug) {
            topics.push((group.slug.clone(), group.name.clone()));
        }
    }
    topics
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics_of(post: &str) -> Vec<String> {
        let lexicon = Lexicon::shipped().unwrap();
        let normal = normalise(post);
        let mut found: Vec<String> = lexicon
            .hits(&normal, post)
            .iter()
            .filter_map(|hit| lexicon.group(hit))
            .filter(|group| group.dimension == Dimension::Topic)
            .map(|group| group.slug.clone())
            .collect();
        found.sort();
        found.dedup();
        found
    }

    #[test]
    fn the_shipped_lexicon_has_no_fault() {
        let problems = Problems::default();
        let section = crate::settings::read("config/lexicon.toml", SHIPPED, &problems);
        let lexicon = Lexicon::read(&section).unwrap();
        drop(section);
        assert_eq!(problems.sorted(), []);
        assert!(lexicon.topics().len() >= 15);
    }

    #[test]
    fn a_difference_without_a_side_is_a_fault() {
        let problems = Problems::default();
        let group = "[[group]]\ndimension = \"difference\"\nslug = \"vinter\"\nwords = [\"vintern\"]\n";
        let section = crate::settings::read("config/lexicon.toml", &format!("{SHIPPED}\n{group}"), &problems);
        let _ = Lexicon::read(&section);
        drop(section);
        let told = problems.sorted().into_iter().map(|problem| problem.to_string()).collect::<Vec<_>>();
        assert!(told.len() == 1 && told[0].contains("expected what and side of the difference"), "{told:?}");
    }

    #[test]
    fn every_topic_but_the_rest_has_sixty_stems() {
        let lexicon = Lexicon::shipped().unwrap();
        for (slug, _) in lexicon.topics().iter().filter(|(slug, _)| slug != "ovrigt") {
            let stems = lexicon
                .patterns
                .iter()
                .filter(|pattern| {
                    let group = &lexicon.groups[usize::from(pattern.group)];
                    group.dimension == Dimension::Topic && group.slug == *slug
                })
                .count();
            assert!(stems >= 60, "{slug} has {stems}");
        }
    }

    #[test]
    fn a_stem_inside_a_longer_stem_does_not_count() {
        assert_eq!(topics_of("förskolan"), ["forskola"]);
    }

    #[test]
    fn a_compound_is_known_by_its_part() {
        assert!(topics_of("Huvudvattenledningsbrottet").contains(&"va".to_owned()));
    }

    #[test]
    fn a_place_is_known_with_one_wrong_letter() {
        let lexicon = Lexicon::shipped().unwrap();
        let post = "Strömavbrott i Skeplanda";
        let normal = normalise(post);
        assert!(lexicon.hits(&normal, post).iter().any(|hit| lexicon.stem(hit) == "skepplanda"));
    }

    #[test]
    fn a_name_may_have_a_genitive_and_nothing_else() {
        let lexicon = Lexicon::shipped().unwrap();
        let elsewhere = |post: &str| {
            let normal = normalise(post);
            lexicon
                .hits(&normal, post)
                .iter()
                .any(|hit| lexicon.group(hit).is_some_and(|group| group.dimension == Dimension::Elsewhere))
        };
        assert!(elsewhere("Kungälvs kommun"));
        assert!(!elsewhere("ingen tjörnigt"));
    }
}
