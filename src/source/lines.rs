//! Words laid out as lines: blanks run together, at most one empty line between paragraphs.

/// Soft hyphens and the like: with them in it, a word is not found.
const INVISIBLE: [char; 4] = ['\u{ad}', '\u{200b}', '\u{2060}', '\u{feff}'];

/// What a byte is to the layout.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Part of a word, whatever follows.
    Word,
    /// The plain space.
    Space,
    /// Another blank, or the beginning of a letter that may be one or be invisible.
    Other,
}

/// Blanks and invisible letters beyond ASCII begin with one of five bytes; all other letters are words at a glance.
const CLASSES: [Class; 256] = {
    let mut classes = [Class::Word; 256];
    let mut byte = 0;
    while byte < 0x20 {
        classes[byte] = Class::Other;
        byte += 1;
    }
    classes[0x20] = Class::Space;
    classes[0x7f] = Class::Other;
    classes[0xC2] = Class::Other;
    classes[0xE1] = Class::Other;
    classes[0xE2] = Class::Other;
    classes[0xE3] = Class::Other;
    classes[0xEF] = Class::Other;
    classes
};

fn class(byte: Option<&u8>) -> Class {
    byte.map_or(Class::Other, |byte| CLASSES.get(usize::from(*byte)).copied().unwrap_or(Class::Other))
}

fn is_blank(letter: char) -> bool {
    letter.is_whitespace() || letter.is_control()
}

/// Runs blanks together within lines and keeps at most one empty line between paragraphs.
#[must_use]
pub fn tidy(text: &str) -> String {
    let mut out = Lines::for_text_of(text.len());
    for (number, line) in text.lines().enumerate() {
        if number > 0 {
            out.line();
            if line.trim().is_empty() {
                out.paragraph();
            }
        }
        out.words(line);
    }
    out.text
}

/// A text under construction.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) text: String,
    /// Line breaks and blanks owed before the next word.
    breaks: usize,
    blank: bool,
}

impl Lines {
    /// Room for a text that will have at most so many bytes, most likely nearly as many.
    pub(super) fn for_text_of(bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), ..Self::default() }
    }

    /// The next word stands on a line of its own.
    pub(super) fn line(&mut self) {
        self.breaks = self.breaks.max(1);
    }

    /// The next word begins a paragraph.
    pub(super) fn paragraph(&mut self) {
        self.breaks = 2;
    }

    /// The next word stands apart from the last.
    pub(super) fn gap(&mut self) {
        self.blank = true;
    }

    /// Adds words. Stretches in which words stand one space apart, which is nearly everything, go over in one piece.
    pub(super) fn words(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut here = 0;
        while here < bytes.len() {
            let end = stretch(text, here);
            if end > here {
                self.owed();
                self.text.push_str(text.get(here..end).unwrap_or_default());
            }
            let Some(letter) = text.get(end..).and_then(|rest| rest.chars().next()) else { break };
            self.blank |= is_blank(letter);
            here = end + letter.len_utf8();
        }
    }

    fn owed(&mut self) {
        if !self.text.is_empty() {
            match self.breaks {
                0 if self.blank => self.text.push(' '),
                0 => {}
                1 => self.text.push('\n'),
                _ => self.text.push_str("\n\n"),
            }
        }
        self.breaks = 0;
        self.blank = false;
    }
}

/// Where words that stand one space apart end: at the first blank of another kind, or at an invisible letter.
fn stretch(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let mut here = start;
    loop {
        // Many bytes at once; they may end within a letter, whose other bytes are part of words too.
        while here > start && bytes.get(here - 1..).and_then(<[u8]>::first_chunk).is_some_and(is_plain) {
            here += CHUNK;
        }
        let after_space = here > start && bytes.get(here - 1) == Some(&b' ');
        match class(bytes.get(here)) {
            Class::Word => here += 1,
            _ if after_space => return here - 1,
            Class::Space if here > start && class(bytes.get(here + 1)) == Class::Word => here += 2,
            Class::Space => return here,
            Class::Other => match text.get(here..).and_then(|rest| rest.chars().next()) {
                Some(letter) if !is_blank(letter) && !INVISIBLE.contains(&letter) => here += letter.len_utf8(),
                _ => return here,
            },
        }
    }
}

/// Bytes that are looked at together.
const CHUNK: usize = 32;

/// Whether a byte is followed by nothing but words and single spaces.
fn is_plain(chunk: &[u8; CHUNK + 1]) -> bool {
    let odd = chunk.array_windows().fold(0, |odd, &[before, byte]| {
        let other = u8::from(byte < 0x20) | u8::from(matches!(byte, 0x7f | 0xC2 | 0xE1 | 0xE2 | 0xE3 | 0xEF));
        odd | other | (u8::from(before == b' ') & u8::from(byte == b' '))
    });
    odd == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_keeps_its_paragraphs() {
        assert_eq!(tidy("  Ett\n två  tre\n\n\n fyra "), "Ett\ntvå tre\n\nfyra");
    }

    proptest::proptest! {
        #[test]
        fn words_stand_one_space_apart_whatever_stood_between_them(
            odd in "[aåé–🍻 \t\u{a0}\u{ad}\u{200b}\u{2003}\u{3000}\u{1680}\u{85}\u{7}日]{0,40}",
            even in "[aåé ,]{0,120}",
            last in "[a –\u{a0}å]{0,40}",
        ) {
            let text = format!("{odd}{even}{last}");
            let visible: String = text.chars().filter(|letter| !INVISIBLE.contains(letter)).collect();
            let plain: Vec<&str> = visible.split(is_blank).filter(|word| !word.is_empty()).collect();
            let mut lines = Lines::default();
            lines.words(&text);
            proptest::prop_assert_eq!(lines.text, plain.join(" "));
        }
    }
}
