//! Which posts say the same: the cluster that a new one belongs to, among those that are kept and those that came with
//! it. A cluster, never a drop.

use std::collections::{BTreeMap, HashMap};

use super::fingerprint::{Fingerprint, similarity};
use super::keep_store::{Alike, Same};
use crate::id::MentionId;

/// How alike two texts must be to say the same thing: copies of one news item with another headline are above it.
const SAME_FROM: f64 = 0.85;
/// How many earlier texts are compared, those that share most bands first: syndicated copies are found by the first.
pub const COMPARED: i64 = 8;

/// What a post says, as it is recognised.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// Its text.
    pub text: &'a str,
    /// Its address without what does not tell posts apart.
    pub url_key: Option<&'a str>,
    /// The fingerprint of its text.
    pub print: &'a Fingerprint,
}

/// What a batch has kept so far: copies often come together.
#[derive(Debug, Default)]
pub struct Copies<'a> {
    kept: Vec<(MentionId, MentionId, &'a str)>,
    by_url: HashMap<&'a str, MentionId>,
    by_words: HashMap<i64, MentionId>,
    by_band: HashMap<i64, Vec<usize>>,
}

impl<'a> Copies<'a> {
    /// The cluster of one with the same address, or else with the very same words; those that were known come first.
    #[must_use]
    pub fn same(&self, said: &Said<'_>, known: Option<&Same>) -> Option<MentionId> {
        let by_url = || self.by_url.get(said.url_key?).copied();
        let by_words = || self.by_words.get(&said.print.words()?).copied();
        known
            .and_then(|known| known.by_url)
            .or_else(by_url)
            .or_else(|| known.and_then(|known| known.by_words))
            .or_else(by_words)
    }

    /// The cluster of one that nearly says the same, among those that share most bands.
    #[must_use]
    pub fn alike(&self, said: &Said<'_>, known: Vec<Alike>) -> Option<MentionId> {
        let mut shared: BTreeMap<usize, i64> = BTreeMap::new();
        for at in said.print.bands().iter().filter_map(|band| self.by_band.get(band)).flatten() {
            *shared.entry(*at).or_default() += 1;
        }
        let here = shared.into_iter().filter_map(|(at, shared)| {
            let (id, cluster_id, text) = self.kept.get(at)?;
            Some(Alike { id: *id, cluster_id: *cluster_id, shared, body: (*text).to_owned() })
        });
        let mut candidates: Vec<Alike> = known.into_iter().chain(here).collect();
        candidates.sort_by_key(|alike| (-alike.shared, alike.id));
        let compared = candidates.iter().take(usize::try_from(COMPARED).unwrap_or(usize::MAX));
        let mut near = compared.filter(|alike| similarity(said.text, &alike.body) >= SAME_FROM);
        near.next().map(|alike| alike.cluster_id)
    }

    /// Another one is kept, in its cluster.
    pub fn add(&mut self, id: MentionId, cluster: MentionId, said: Said<'a>) {
        let at = self.kept.len();
        self.kept.push((id, cluster, said.text));
        if let Some(url) = said.url_key {
            self.by_url.entry(url).or_insert(cluster);
        }
        if let Some(words) = said.print.words() {
            self.by_words.entry(words).or_insert(cluster);
        }
        for band in said.print.bands() {
            self.by_band.entry(*band).or_default().push(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fingerprint::fingerprint;
    use super::*;

    const NEWS: &str = "Vattnet stängs av i Nol på tisdag mellan nio och tolv, meddelar kommunen. Fyll kannor i tid, säger \
        driftchefen, som räknar med att ledningen är lagad före kvällen och att trycket då är som vanligt igen.";

    fn clusters(posts: &[(&str, Option<&str>)]) -> Vec<i64> {
        let prints: Vec<Fingerprint> = posts.iter().map(|(text, _)| fingerprint(text)).collect();
        let mut copies = Copies::default();
        let mut told = Vec::new();
        for (n, ((text, url_key), print)) in (1..).zip(posts.iter().zip(&prints)) {
            let said = Said { text, url_key: *url_key, print };
            let cluster = copies.same(&said, None).or_else(|| copies.alike(&said, Vec::new()));
            let cluster = cluster.unwrap_or(MentionId(n));
            copies.add(MentionId(n), cluster, said);
            told.push(cluster.0);
        }
        told
    }

    #[test]
    fn copies_that_come_together_are_found_by_address_by_words_and_by_nearly_the_same_words() {
        let reworded = NEWS.replace("på tisdag", "nu på tisdag");
        let posts =
            [(NEWS, Some("a")), ("Annat", Some("a")), (NEWS, Some("b")), (reworded.as_str(), None), ("Nytt", None)];
        assert_eq!(clusters(&posts), [1, 1, 1, 1, 5]);
    }

    #[test]
    fn texts_without_words_are_not_the_same() {
        assert_eq!(clusters(&[("❤️", None), ("🤮", None)]), [1, 2]);
    }

    #[test]
    fn what_was_known_comes_before_what_came_together_and_the_address_before_the_words() {
        let print = fingerprint(NEWS);
        let said = |url_key| Said { text: NEWS, url_key, print: &print };
        let mut copies = Copies::default();
        copies.add(MentionId(7), MentionId(7), said(Some("a")));
        let known = |by_url: Option<i64>, by_words: Option<i64>| Same {
            id: MentionId(8),
            by_url: by_url.map(MentionId),
            by_words: by_words.map(MentionId),
        };
        assert_eq!(copies.same(&said(Some("a")), Some(&known(Some(1), Some(2)))), Some(MentionId(1)));
        assert_eq!(copies.same(&said(Some("a")), Some(&known(None, Some(2)))), Some(MentionId(7)));
        assert_eq!(copies.same(&said(None), Some(&known(None, Some(2)))), Some(MentionId(2)));
        assert_eq!(copies.same(&said(None), None), Some(MentionId(7)));
    }
}
