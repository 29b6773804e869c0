//! Letters many bytes at a time: where runs of them stand in a text, and the numbers that a word is looked up by.
//!
//! ASCII and Latin-1 letters (two bytes, the first of them `C3`) are all that Swedish is written with. Their lower case
//! is as long as their upper case, so that a word can be folded in a register and never needs a copy. Whatever depends
//! on the text is computed and not branched on: a processor cannot guess how long the next word is.

/// The highest bit of each byte.
const HIGH: u64 = 0x8080_8080_8080_8080;
const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
const ONES: u64 = 0x0101_0101_0101_0101;
const SEED: u64 = 0x51_7c_c1_b7_27_22_0a_95;
/// The first byte of every Latin-1 letter.
const LEAD: u8 = 0xC3;
/// Bytes whose classes are worked out at once.
const CHUNK: usize = 64;
/// How many bytes of the two ends of a word are looked up for wildcards.
const END: usize = 3;

/// A stretch of letters, digits and everything beyond ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// First byte.
    pub(super) start: usize,
    /// One past the last byte.
    pub(super) end: usize,
    /// Whether something in it is beyond Latin-1, or no letter.
    pub(super) odd: bool,
}

/// The runs of a text, in order.
#[derive(Debug)]
pub(super) struct Runs<'a> {
    bytes: &'a [u8],
    /// Where the chunk begins whose classes are known.
    base: usize,
    /// Bytes of the chunk that belong to runs and have not been given.
    inside: u64,
    /// Bytes of the chunk that are odd.
    odd: u64,
    /// The chunk before and the chunk, folded, and room to read beyond.
    folded: [u8; CHUNK * 2 + 16],
}

impl<'a> Runs<'a> {
    #[inline]
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        let mut runs = Self { bytes, base: 0, inside: 0, odd: 0, folded: [0; CHUNK * 2 + 16] };
        runs.classify();
        runs
    }

    #[inline]
    pub(super) fn next(&mut self) -> Option<Run> {
        while self.inside == 0 {
            self.advance()?;
        }
        let first = self.inside.trailing_zeros();
        let start = self.base + first as usize;
        let length = (!(self.inside >> first)).trailing_zeros();
        let taken = u64::MAX >> (64 - length.clamp(1, 64)) << first;
        let mut odd = self.odd & taken != 0;
        self.inside &= !taken;
        let mut end = start + length as usize;
        // The run may go on in the next chunk.
        while end == self.base + CHUNK && self.advance().is_some() {
            let length = (!self.inside).trailing_zeros();
            let taken = u64::MAX.checked_shr(64 - length).unwrap_or(0);
            odd |= self.odd & taken != 0;
            self.inside &= !taken;
            end += length as usize;
        }
        Some(Run { start, end, odd })
    }

    /// Goes on at `here`, which is not before the end of the last run.
    pub(super) fn skip_to(&mut self, here: usize) {
        if here >= self.base + CHUNK {
            // What was before is not looked at again: no run begins before `here`.
            self.base = here / CHUNK * CHUNK;
            self.classify();
        }
        self.inside &= u64::MAX << (here - self.base).min(63);
    }

    #[inline]
    fn advance(&mut self) -> Option<()> {
        if self.base + CHUNK >= self.bytes.len() {
            return None;
        }
        self.base += CHUNK;
        self.folded.copy_within(CHUNK..CHUNK * 2, 0);
        self.classify();
        Some(())
    }

    /// For each byte of the chunk a bit, set where it belongs to a run, and another where it is odd; and its lower case.
    #[inline]
    fn classify(&mut self) {
        let mut text = [0_u8; CHUNK + 1];
        let [before, chunk @ ..] = &mut text;
        *before = self.base.checked_sub(1).and_then(|at| self.bytes.get(at)).copied().unwrap_or(0);
        let rest = self.bytes.get(self.base..).unwrap_or_default();
        match rest.first_chunk::<CHUNK>() {
            Some(whole) => *chunk = *whole,
            None => chunk.iter_mut().zip(rest).for_each(|(into, byte)| *into = *byte),
        }
        let (mut inside, mut odd) = ([0_u8; CHUNK], [0_u8; CHUNK]);
        let folded = self.folded.get_mut(CHUNK..CHUNK * 2).unwrap_or_default();
        for (((&[before, byte], inside), odd), folded) in
            text.array_windows().zip(&mut inside).zip(&mut odd).zip(folded)
        {
            let letter = flag((byte | 0x20).wrapping_sub(b'a') < 26) | flag(byte.wrapping_sub(b'0') < 10);
            let lead = flag(byte == LEAD);
            // The signs × and ÷ stand among the letters of Latin-1: C3 97 and C3 B7.
            let second = flag(before == LEAD) & flag(byte != 0x97) & flag(byte != 0xB7);
            // À to Þ are C3 80 to C3 9E.
            let upper = flag(byte.wrapping_sub(b'A') < 26) | (second & flag(byte < 0x9F));
            *inside = (byte & 0x80) | letter;
            *odd = byte & 0x80 & !(lead | second);
            *folded = byte | upper >> 2;
        }
        (self.inside, self.odd) = (gathered(&inside), gathered(&odd));
    }

    /// The keys of a run that has just been given.
    #[inline]
    pub(super) fn keys(&self, run: Run) -> Keys {
        let length = run.end - run.start;
        let place = (run.start + CHUNK).wrapping_sub(self.base);
        match self.folded.get(place..place.wrapping_add(16)).and_then(|room| room.as_chunks::<8>().0.first_chunk::<2>())
        {
            Some([front, back]) if length <= 16 => {
                let front = first(u64::from_le_bytes(*front), length);
                let back = first(u64::from_le_bytes(*back), length.saturating_sub(8));
                let hash = mixed(mixed(0, front), back);
                let tail =
                    (u128::from(back) << 64 | u128::from(front)) >> (length.wrapping_sub(END).wrapping_mul(8) & 127);
                Keys::of(hash, length, front, tail)
            }
            _ => keys_at(self.bytes, run.start, run.end),
        }
    }
}

/// The highest bit, or nothing: what many bytes are asked side by side must not be branched on.
#[inline]
fn flag(is: bool) -> u8 {
    u8::from(is) << 7
}

/// The highest bits of 64 bytes in one number.
#[inline]
fn gathered(flags: &[u8; CHUNK]) -> u64 {
    let (eights, _) = flags.as_chunks::<8>();
    eights.iter().rev().fold(0, |bits, eight| {
        let high = (u64::from_le_bytes(*eight) & HIGH) >> 7;
        bits << 8 | high.wrapping_mul(0x0102_0408_1020_4080) >> 56
    })
}

/// Eight bytes of text from `at`, the first in the lowest place; zeros stand for what is beyond the end.
#[inline]
fn load(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    if let Some(eight) = rest.first_chunk::<8>() {
        return u64::from_le_bytes(*eight);
    }
    let mut padded = [0; 8];
    padded.iter_mut().zip(rest).for_each(|(into, byte)| *into = *byte);
    u64::from_le_bytes(padded)
}

/// The first `count` bytes of eight, zeros behind.
#[inline]
fn first(block: u64, count: usize) -> u64 {
    if count >= 8 { block } else { block & !(u64::MAX << (count * 8)) }
}

/// For each byte its highest bit, set where the byte (without its own highest bit) lies in `from..=to`.
#[inline]
fn between(low: u64, from: u8, to: u8) -> u64 {
    let reach = |bound: u8| low + ONES * u64::from(0x80 - bound);
    reach(from) ^ reach(to + 1)
}

/// Lower case of ASCII and Latin-1; all other bytes stay. `after` is the highest bit of the lowest byte, set when the
/// eight bytes before ended in the middle of a Latin-1 letter; and then the same for the next eight.
#[inline]
fn fold(block: u64, after: &mut u64) -> u64 {
    let low = block & LOW;
    let odd = block ^ (ONES * u64::from(LEAD));
    let leads = !(((odd & LOW) + LOW) | odd | LOW);
    let second = leads << 8 | *after;
    *after = leads >> 56;
    // À to Þ are C3 80 to C3 9E.
    let upper = between(low, b'A', b'Z') & !block & HIGH | second & block & !(low + ONES * (0x7f - 0x1e));
    block | upper >> 2
}

/// Whether a word of ASCII and Latin-1 is this one when it is folded. No means nothing for other letters.
pub(super) fn folds_to(written: &str, folded: &str) -> bool {
    let (written, folded) = (written.as_bytes(), folded.as_bytes());
    let mut after = 0;
    written.len() == folded.len()
        && (0..written.len()).step_by(8).all(|at| fold(load(written, at), &mut after) == load(folded, at))
}

#[inline]
fn mixed(hash: u64, block: u64) -> u64 {
    (hash.rotate_left(5) ^ block).wrapping_mul(SEED)
}

/// What a word is looked up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Keys {
    /// Of the whole folded word.
    pub(super) hash: u64,
    /// The first three bytes of it; 0 when there are fewer.
    pub(super) head: u64,
    /// The last three bytes of it; 0 when there are fewer.
    pub(super) tail: u64,
}

impl Keys {
    #[inline]
    fn of(hash: u64, length: usize, front: u64, tail: u128) -> Self {
        let ends = if length < END { 0 } else { u64::MAX };
        #[expect(clippy::cast_possible_truncation, reason = "three bytes are wanted")]
        let tail = tail as u64;
        Self { hash: hash ^ hash >> 32, head: first(front, END) & ends, tail: first(tail, END) & ends }
    }
}

/// The keys of a word that stands in a longer text. Upper and lower case of ASCII and Latin-1 have the same; other
/// letters must be folded.
pub(super) fn keys_at(text: &[u8], start: usize, end: usize) -> Keys {
    let length = end - start;
    let mut after = 0;
    let front = fold(first(load(text, start), length), &mut after);
    // Words of up to eight bytes and of up to sixteen take the same way.
    let back = fold(first(load(text, start + 8), length.saturating_sub(8)), &mut after);
    let mut hash = mixed(mixed(0, front), back);
    let mut ends = u128::from(back) << 64 | u128::from(front);
    let mut shift = length.wrapping_sub(END).wrapping_mul(8);
    if length > 16 {
        for at in (start + 16..end).step_by(8) {
            hash = mixed(hash, fold(first(load(text, at), end - at), &mut after));
        }
        // A letter cut in two at its beginning is of no consequence: what is taken are the last three bytes of eight.
        ends = u128::from(fold(load(text, end - 8), &mut 0));
        shift = 40;
    }
    Keys::of(hash, length, front, ends >> (shift & 127))
}

/// The keys of a folded word.
pub(super) fn keys(folded: &str) -> Keys {
    keys_at(folded.as_bytes(), 0, folded.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn a_word_in_a_text_has_the_keys_of_its_folded_self(
            word in "[a-zA-Z0-9åäöÅÄÖéÉÿßÀÞ日]{1,30}", before in "[ aÅx]{0,80}", behind in "[ aå]{0,9}",
        ) {
            let text = format!("{before}{word}{behind}");
            let found = keys_at(text.as_bytes(), before.len(), before.len() + word.len());
            let folded = word.to_lowercase();
            prop_assert_eq!(found, keys(&folded), "{}", word);
            let longer = format!("{folded}x");
            prop_assert!(folds_to(&word, &folded) && !folds_to(&word, &longer));
            let mut runs = Runs::of(text.as_bytes());
            while let Some(run) = runs.next() {
                prop_assert_eq!(runs.keys(run), keys_at(text.as_bytes(), run.start, run.end), "{}", text);
            }
            let three = |bytes: &[u8]| bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
            if folded.len() >= END {
                prop_assert_eq!(found.head, three(&folded.as_bytes()[..END]));
                prop_assert_eq!(found.tail, three(&folded.as_bytes()[folded.len() - END..]));
            }
        }

        #[test]
        fn runs_are_the_stretches_between_ascii_signs(text in "[a-zA-Z0-9åÖ×÷日–🍻 ,.@\\[`{:/\u{7f}\u{0}]{0,200}", skip in 0..40_usize) {
            let inside = |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80;
            let bytes = text.as_bytes();
            let mut runs = Runs::of(bytes);
            let (mut here, mut number) = (0, 0);
            while let Some(start) = bytes[here..].iter().position(inside).map(|at| here + at) {
                let end = bytes[start..].iter().position(|byte| !inside(byte)).map_or(bytes.len(), |at| start + at);
                let odd = text[start..end].chars().any(|letter| !letter.is_alphanumeric() || letter >= '\u{100}');
                prop_assert_eq!(runs.next(), Some(Run { start, end, odd }), "{}", text);
                here = end;
                number += 1;
                if number == 2 && end + skip <= bytes.len() && text.is_char_boundary(end + skip) {
                    here = end + skip;
                    runs.skip_to(here);
                }
            }
            prop_assert_eq!(runs.next(), None, "{}", text);
        }
    }
}
