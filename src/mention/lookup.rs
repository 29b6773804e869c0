//! Where a word of a text is looked up: by its hash, or by its first or last letters, behind a sieve of bits.

use rustc_hash::FxHashMap;

use super::spelling::Pattern;
use super::token::{self, STEM};

/// A word's number and which of its patterns.
pub(super) type Way = (u32, u32);

/// Where to look each pattern up.
#[derive(Debug, Default)]
pub(super) struct Keys {
    whole: Vec<(u64, Way)>,
    heads: Vec<(u64, Way)>,
    tails: Vec<(u64, Way)>,
}

impl Keys {
    pub(super) fn add(&mut self, pattern: &Pattern, way: Way) {
        match pattern {
            Pattern::Whole(letters) => self.whole.push((token::hash_of(letters), way)),
            Pattern::Around { head, .. } if head.chars().count() >= STEM => {
                self.heads.push((token::head_of(head), way));
            }
            Pattern::Around { tail, .. } => self.tails.push((token::tail_of(tail), way)),
            Pattern::Misspelt(letters) => {
                self.heads.push((token::head_of(letters), way));
                self.tails.push((token::tail_of(letters), way));
            }
        }
    }
}

/// Words by key, behind a sieve that is sized with the keys, so that a miss costs the same however many.
///
/// The sieve is a Bloom filter of which one word of 64 bits is asked: eight to sixteen bits a key, of which each key sets
/// three, let a few misses in a hundred through to the table behind, and stay in the nearest cache.
#[derive(Debug)]
pub(super) struct Lookup {
    sieve: Box<[u64]>,
    shift: u32,
    ranges: FxHashMap<u64, (u32, u32)>,
    ways: Box<[Way]>,
}

impl Lookup {
    fn of(mut pairs: Vec<(u64, Way)>) -> Self {
        pairs.sort_unstable();
        pairs.dedup();
        let words = (pairs.len() / 8).next_power_of_two().max(2);
        let mut lookup = Self {
            sieve: vec![0; words].into(),
            shift: 64 - words.trailing_zeros(),
            ranges: FxHashMap::default(),
            ways: pairs.iter().map(|pair| pair.1).collect(),
        };
        for (index, (key, _)) in (0_u32..).zip(&pairs) {
            let (word, bits) = lookup.place(*key);
            if let Some(sieve) = lookup.sieve.get_mut(word) {
                *sieve |= bits;
            }
            lookup.ranges.entry(*key).or_insert((index, index)).1 = index + 1;
        }
        lookup.ranges.shrink_to_fit();
        lookup
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ways.is_empty()
    }

    /// Which word of the sieve, and which bits in it.
    #[inline]
    fn place(&self, key: u64) -> (usize, u64) {
        let mixed = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let low = mixed >> 8;
        #[expect(clippy::cast_possible_truncation, reason = "a sieve is shorter than memory is large")]
        let word = (mixed >> self.shift) as usize;
        (word, 1 << (low & 63) | 1 << (low >> 6 & 63) | 1 << (low >> 12 & 63))
    }

    /// Whether anything may stand under the key.
    #[inline]
    fn passes(&self, key: u64) -> bool {
        let (word, bits) = self.place(key);
        self.sieve.get(word).is_some_and(|sieve| sieve & bits == bits)
    }

    /// What stands under the key.
    #[inline]
    pub(super) fn get(&self, key: u64) -> &[Way] {
        if self.passes(key) { self.behind(key) } else { &[] }
    }

    fn behind(&self, key: u64) -> &[Way] {
        let Some((from, to)) = self.ranges.get(&key) else { return &[] };
        self.ways.get(*from as usize..*to as usize).unwrap_or_default()
    }

    fn bytes(&self) -> usize {
        self.sieve.len() * 8 + self.ways.len() * 8 + self.ranges.capacity() * 17
    }
}

/// Where the words of some terms are looked up.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) whole: Lookup,
    pub(super) heads: Lookup,
    pub(super) tails: Lookup,
}

impl From<Keys> for Layer {
    fn from(keys: Keys) -> Self {
        Self { whole: Lookup::of(keys.whole), heads: Lookup::of(keys.heads), tails: Lookup::of(keys.tails) }
    }
}

impl Layer {
    /// Roughly how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        self.whole.bytes() + self.heads.bytes() + self.tails.bytes()
    }
}
