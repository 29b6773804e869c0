//! A post in one shape: NFC, lower case, digits as 0, squeezed repeats; with the way back to the post's own bytes.

use unicode_normalization::char::{compose, is_combining_mark};

/// Bytes of a post that are read; a longer post is judged by its beginning, where people say what they want.
pub const READ_BYTES: usize = 8_000;
/// Tokens of a post that are read, for the same reason.
const READ_TOKENS: usize = 1_200;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Letters and digits.
    Word,
    /// The word of a hashtag.
    Tag,
    /// Somebody's handle: read for the municipality's own name, never as a feature of its own.
    Handle,
    /// An address on the web.
    Address,
    /// One emoji.
    Emoji,
}

/// One token: bytes of [`Normal::text`].
#[derive(Debug, Clone, Copy)]
pub struct Token {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// What it is.
    pub kind: Kind,
}

/// A normalised post.
#[derive(Debug, Clone, Default)]
pub struct Normal {
    /// The normalised text.
    pub text: String,
    /// For each byte of `text` and one past it: the byte of the post where it began.
    origin: Vec<u32>,
    /// The tokens, in order.
    pub tokens: Vec<Token>,
    /// Exclamation marks in the post.
    pub exclamations: usize,
    /// Question marks in the post.
    pub questions: usize,
    /// Share of the letters that are capitals, 0 to 1.
    pub capitals: f32,
}

impl Normal {
    /// The byte of the post where byte `at` of the normalised text began.
    #[must_use]
    pub fn original(&self, at: usize) -> usize {
        self.origin.get(at).or(self.origin.last()).map_or(0, |byte| *byte as usize)
    }

    /// The text of a token.
    #[must_use]
    pub fn word(&self, token: &Token) -> &str {
        self.text.get(token.start..token.end).unwrap_or_default()
    }

    fn push(&mut self, character: char, from: usize) {
        let before = self.text.len();
        self.text.push(character);
        let from = u32::try_from(from).unwrap_or(u32::MAX);
        self.origin.extend(std::iter::repeat_n(from, self.text.len() - before));
    }

    fn pop(&mut self) {
        self.text.pop();
        self.origin.truncate(self.text.len());
    }
}

/// True for what people use as emoji: pictures, arrows and dingbats.
#[must_use]
pub fn is_emoji(character: char) -> bool {
    matches!(character as u32, 0x2190..=0x21ff | 0x2300..=0x23ff | 0x2600..=0x27bf | 0x2b00..=0x2bff | 0x1f000..=0x1faff)
        && !is_joiner(character)
}

fn is_joiner(character: char) -> bool {
    matches!(character as u32, 0x200d | 0xfe00..=0xfe0f | 0x1f3fb..=0x1f3ff)
}

/// The beginning of `text` that is read, cut on a character.
#[must_use]
pub fn clip(text: &str) -> &str {
    let mut end = text.len().min(READ_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Normalises a post.
#[must_use]
pub fn normalise(text: &str) -> Normal {
    let text = clip(text);
    let mut normal = Normal { text: String::with_capacity(text.len()), ..Normal::default() };
    normal.origin.reserve(text.len() + 1);
    let (mut letters, mut capitals, mut run) = (0_u32, 0_u32, 0_u32);
    let mut last = '\0';
    for (at, character) in text.char_indices() {
        if is_joiner(character) {
            continue;
        }
        if is_combining_mark(character) {
            if let Some(whole) = compose(last, character) {
                normal.pop();
                normal.push(whole, at);
                last = whole;
            }
            continue;
        }
        letters += u32::from(character.is_alphabetic());
        capitals += u32::from(character.is_uppercase());
        normal.exclamations += usize::from(character == '!');
        normal.questions += usize::from(character == '?');
        for lower in character.to_lowercase() {
            let lower = match lower {
                '0'..='9' => '0',
                '’' | '´' | '`' => '\'',
                '–' | '—' | '‑' => '-',
                other => other,
            };
            run = if lower == last { run + 1 } else { 0 };
            last = lower;
            if run >= 2 && !lower.is_ascii_digit() {
                if run == 2 && lower.is_alphabetic() {
                    normal.pop();
                }
                continue;
            }
            normal.push(lower, at);
        }
    }
    normal.origin.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
    normal.capitals = if letters == 0 {
        0.0
    } else {
        f32::from(u16::try_from(capitals).unwrap_or(u16::MAX)) / f32::from(u16::try_from(letters).unwrap_or(u16::MAX))
    };
    normal.tokens = tokens(&normal.text);
    normal
}

fn tokens(text: &str) -> Vec<Token> {
    let mut found: Vec<Token> = Vec::with_capacity(text.len() / 5);
    let mut kind = Kind::Word;
    let mut open: Option<usize> = None;
    let mut skip_to = 0;
    for (at, character) in text.char_indices() {
        if at < skip_to {
            continue;
        }
        if found.len() >= READ_TOKENS {
            break;
        }
        if open.is_none() && is_address(text, at) {
            let end = text.get(at..).and_then(|rest| rest.find(char::is_whitespace)).map_or(text.len(), |n| at + n);
            found.push(Token { start: at, end, kind: Kind::Address });
            skip_to = end;
        } else if character.is_alphanumeric() {
            open.get_or_insert(at);
        } else {
            if let Some(start) = open.take() {
                found.push(Token { start, end: at, kind });
            }
            kind = match character {
                '#' => Kind::Tag,
                '@' => Kind::Handle,
                _ => Kind::Word,
            };
            if is_emoji(character) {
                found.push(Token { start: at, end: at + character.len_utf8(), kind: Kind::Emoji });
            }
        }
    }
    if let Some(start) = open {
        found.push(Token { start, end: text.len(), kind });
    }
    found
}

fn is_address(text: &str, at: usize) -> bool {
    text.get(at..).is_some_and(|rest| ["http://", "https://", "www."].iter().any(|scheme| rest.starts_with(scheme)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let normal = normalise(text);
        normal.tokens.iter().map(|token| normal.word(token).to_owned()).collect()
    }

    #[test]
    fn a_post_is_lower_case_words_tags_and_emoji() {
        assert_eq!(words("Såååå BRA #Älvängen 👏🏽 12:30"), ["så", "bra", "älvängen", "👏", "00", "00"]);
    }

    #[test]
    fn a_decomposed_letter_is_the_composed_one() {
        assert_eq!(words("A\u{30a}ka i Va\u{308}nersborg"), ["åka", "i", "vänersborg"]);
    }

    #[test]
    fn every_byte_knows_where_it_came_from() {
        let post = "ÅÅÅÅH vattenläckan i Nöl";
        let normal = normalise(post);
        let token = normal.tokens[1];
        assert_eq!(&post[normal.original(token.start)..normal.original(token.end)], "vattenläckan");
    }

    #[test]
    fn a_long_post_is_cut_on_a_character() {
        assert_eq!(clip(&"å".repeat(READ_BYTES)).len(), READ_BYTES);
        assert!(normalise(&"🚒".repeat(READ_BYTES)).tokens.len() <= READ_TOKENS);
    }

    #[test]
    fn an_address_is_one_token() {
        assert_eq!(words("se https://ale.se/x?y=1 nu").len(), 3);
    }
}
