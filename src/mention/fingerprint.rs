//! Is it the same text again? A hash for the very same words, and bands for nearly the same, without comparing all
//! with all.
//!
//! Two texts are candidates when one of their [`BANDS`] bands is equal: that is a database index look-up, not a scan.
//! Each band is made of [`ROWS`] minimal hashes over pairs of words (MinHash): texts that share four fifths of their
//! pairs meet in some band with a probability over 99 %, texts that share a fifth in fewer than one case of ten. Then
//! [`similarity`] says how near the candidates are.

use rustc_hash::FxHashSet;

use super::token::{self, Mark, Token};

/// Bands of a fingerprint; each is one indexed column or row in the database.
pub const BANDS: usize = 12;
/// Minimal hashes in a band.
const ROWS: usize = 3;
/// From this similarity two texts count as the same said again, with a word or two changed.
pub const NEAR: f64 = 0.6;

/// What a text is recognised by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// Equal for texts of the same words in the same order, whatever their case, marks and spaces; addresses, tags
    /// and handles do not count.
    pub exact: i64,
    /// Texts that are nearly the same have at least one band in common; 0 in all bands for texts without words.
    pub bands: [i64; BANDS],
}

impl Fingerprint {
    /// The hash of the very words; nothing for a text without words: two pictures of a heart say the same, a heart and
    /// a fist do not.
    #[must_use]
    pub fn words(&self) -> Option<i64> {
        Some(self.exact).filter(|exact| *exact != 0)
    }

    /// The bands it is found by; none for a text without words.
    #[must_use]
    pub fn bands(&self) -> &[i64] {
        if self.exact == 0 { &[] } else { &self.bands }
    }
}

/// The fingerprint of a text.
#[must_use]
pub fn fingerprint(text: &str) -> Fingerprint {
    let words = words(text);
    let exact = words.iter().fold(0x5bd1_e995_u64, |hash, word| mix(hash.rotate_left(7) ^ word));
    let mut bands = [0_i64; BANDS];
    if words.is_empty() {
        return Fingerprint { exact: 0, bands };
    }
    let pairs = pairs(&words);
    let mut seed = 1_u64;
    for band in &mut bands {
        let mut joined = seed;
        for _ in 0..ROWS {
            seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let least = pairs.iter().map(|pair| mix(pair ^ mix(seed))).min().unwrap_or(0);
            joined = mix(joined.rotate_left(9) ^ least);
        }
        *band = joined.cast_signed();
    }
    Fingerprint { exact: exact.cast_signed(), bands }
}

/// How much two texts have in common, 0 to 1: the share of their pairs of words that stand in both (Jaccard).
#[must_use]
pub fn similarity(left: &str, right: &str) -> f64 {
    let (left, right) = (pairs(&words(left)), pairs(&words(right)));
    if left.is_empty() || right.is_empty() {
        return 0.0;
    }
    let both = left.intersection(&right).count();
    let all = left.len() + right.len() - both;
    #[expect(clippy::cast_precision_loss, reason = "a text has at most 20,000 words")]
    let share = both as f64 / all as f64;
    share
}

/// Hashes of the words that carry the text. Digits count as one another, so that "kl 16.30" and "kl 17" are near.
fn words(text: &str) -> Vec<u64> {
    let mut tokens = Vec::new();
    token::read("", text, &mut tokens);
    tokens.iter().filter(|token| matches!(token.mark, Mark::Plain)).map(|token| word(text, token)).collect()
}

fn word(text: &str, token: &Token) -> u64 {
    let written = text.get(token.start..token.end).unwrap_or_default();
    if written.bytes().all(|byte| byte.is_ascii_digit()) { 0x30 } else { token.hash }
}

/// Pairs of neighbouring words; a single word is a pair with nothing.
fn pairs(words: &[u64]) -> FxHashSet<u64> {
    if let [only] = words {
        return FxHashSet::from_iter([mix(*only)]);
    }
    words.windows(2).filter_map(|pair| Some(mix(pair.first()?.rotate_left(17) ^ mix(*pair.get(1)?)))).collect()
}

/// Spreads every bit over all others (the finaliser of `splitmix64`), so that the least of many is a fair draw.
fn mix(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meet(left: &str, right: &str) -> bool {
        let (left, right) = (fingerprint(left), fingerprint(right));
        left.bands.iter().zip(&right.bands).any(|(a, b)| a == b)
    }

    const WATER: &str = "Vattnet i Nödinge är brunt igen för tredje dagen i rad och ingen på kommunen svarar i telefon";

    #[test]
    fn the_same_words_have_the_same_hash_whatever_their_dress() {
        let dressed = "VATTNET i Nödinge är brunt igen, för tredje dagen i rad – och ingen på kommunen svarar i telefon! \
                       https://a.example/?utm=1 #vatten @alekommun";
        assert_eq!(fingerprint(WATER).exact, fingerprint(dressed).exact);
        assert_ne!(fingerprint(WATER).exact, fingerprint("Vattnet i Nol är brunt igen").exact);
    }

    #[test]
    fn a_text_with_a_word_changed_meets_its_like_and_another_text_does_not() {
        let changed = WATER.replace("tredje", "fjärde");
        assert!(meet(WATER, &changed));
        assert!(similarity(WATER, &changed) >= NEAR);
        let other = "Tack till hemtjänsten i Älvängen, ni är guld värda och gör ett fantastiskt jobb varje dag";
        assert!(!meet(WATER, other));
        assert!(similarity(WATER, other) < 0.1);
    }

    #[test]
    fn texts_without_words_are_like_nothing() {
        assert_eq!(fingerprint("🙂 …"), Fingerprint { exact: 0, bands: [0; BANDS] });
        assert!(similarity("🙂", "🙂") < f64::EPSILON);
    }

    proptest::proptest! {
        #[test]
        fn likeness_is_mutual_and_whole_with_oneself(left in "[a-zåäö ]{0,60}", right in "[a-zåäö ]{0,60}") {
            proptest::prop_assert!((similarity(&left, &right) - similarity(&right, &left)).abs() < 1e-12);
            if left.trim() != "" {
                proptest::prop_assert!((similarity(&left, &left) - 1.0).abs() < 1e-12);
            }
        }
    }
}
