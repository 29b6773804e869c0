//! Words of a text: where each begins and ends, and its folded self, without copying the text.
//!
//! Folding is lower case and NFC, nothing more: å, ä, ö, é, ø are letters of their own and stay what they are, so
//! that *Alé* and *Åle* are never taken for *Ale*. A word ends where letters and digits end; a web address or an
//! e-mail address is one word of its own kind, so that `ale` in `https://example.org/ale` is not heard.

use std::ops::ControlFlow;

use unicode_normalization::char::{compose, is_combining_mark};

use super::blocks::{self, Keys, Run, Runs, keys};

/// The most words that are read of one text. A long article has 3,000; what comes after 20,000 is not heard.
pub const MAX_TOKENS: usize = 20_000;

/// How far apart title and text count as being: phrases and NEAR never reach from one into the other.
const TITLE_GAP: u32 = 1_000;
/// A sign between two texts in one (the record separator of ASCII): what stands around it is as far apart as title and
/// text.
pub const GAP: char = '\u{1e}';

/// What a word was written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mark {
    /// A plain word.
    Plain,
    /// `#word`
    Hashtag,
    /// `@name`
    Handle,
    /// A web or e-mail address: heard as a whole, never as words.
    Address,
}

/// Which part of the post a word stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The headline.
    Title,
    /// The text.
    Text,
}

/// One word: byte offsets, what it was written as, and three numbers to look it up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// First byte, on a character bound.
    pub start: usize,
    /// One past the last byte, on a character bound.
    pub end: usize,
    /// Hash of the folded word.
    pub hash: u64,
    /// Of the beginning of the folded word; 0 when it is too short.
    pub head: u64,
    /// Of its end; 0 when it is too short.
    pub tail: u64,
    /// What it was written as.
    pub mark: Mark,
    /// Title or text.
    pub part: Part,
    /// Place in the row of words; jumps between title and text.
    pub position: u32,
}

/// How many letters a wildcard must leave standing at one end: fewer would hit a tenth of the language.
pub const STEM: usize = 3;

impl Keys {
    #[inline]
    fn token(self, start: usize, end: usize, mark: Mark, at: At) -> Token {
        let Self { hash, head, tail } = self;
        Token { start, end, hash, head, tail, mark, part: at.part, position: at.position }
    }
}

#[derive(Debug, Clone, Copy)]
struct At {
    part: Part,
    position: u32,
}

/// Letters and digits of any script.
fn is_word(letter: char) -> bool {
    letter.is_alphanumeric()
}

/// Marks that people and programs leave inside words without meaning anything: soft hyphen, zero-width space.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// The folded letters of a word: composed (NFC), lower case, invisible marks left out.
pub fn folded(word: &str) -> impl Iterator<Item = char> + '_ {
    composed(word).flat_map(char::to_lowercase)
}

/// The letters of a word composed to NFC as far as base and mark can be, invisible marks left out.
pub fn composed(word: &str) -> impl Iterator<Item = char> + '_ {
    let mut letters = word.chars().filter(|letter| !is_invisible(*letter)).peekable();
    std::iter::from_fn(move || {
        let mut letter = letters.next()?;
        while let Some(mark) = letters.peek().copied().filter(|mark| is_combining_mark(*mark)) {
            letters.next();
            if let Some(whole) = compose(letter, mark) {
                letter = whole;
            }
        }
        Some(letter)
    })
}

/// The folded word as a text of its own.
#[must_use]
pub fn fold(word: &str) -> String {
    folded(word).collect()
}

/// The hash that a token of this folded word has.
#[must_use]
pub fn hash_of(folded_word: &str) -> u64 {
    keys(folded_word).hash
}

/// The number of its beginning, as in [`Token::head`].
#[must_use]
pub fn head_of(folded_word: &str) -> u64 {
    keys(folded_word).head
}

/// The number of its end, as in [`Token::tail`].
#[must_use]
pub fn tail_of(folded_word: &str) -> u64 {
    keys(folded_word).tail
}

/// All words of a title and a text, in reading order, into a list that the caller uses again.
pub fn read(title: &str, text: &str, into: &mut Vec<Token>) {
    into.clear();
    read_part(title, At { part: Part::Title, position: 0 }, into);
    let position = into.last().map_or(0, |last| last.position.saturating_add(TITLE_GAP));
    read_part(text, At { part: Part::Text, position }, into);
}

fn read_part(text: &str, at: At, into: &mut Vec<Token>) {
    let mut left = MAX_TOKENS.saturating_sub(into.len());
    if left == 0 {
        return;
    }
    let _ = each_of(text, at, &mut |token| {
        into.push(token);
        left -= 1;
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
}

/// Shows each word of a text, until one is enough. Positions begin at 0; the number of words has no bound here.
#[inline]
pub fn each(text: &str, visit: &mut impl FnMut(Token) -> ControlFlow<()>) -> ControlFlow<()> {
    each_of(text, At { part: Part::Text, position: 0 }, visit)
}

#[inline]
fn each_of(text: &str, mut at: At, visit: &mut impl FnMut(Token) -> ControlFlow<()>) -> ControlFlow<()> {
    let bytes = text.as_bytes();
    let mut here = 0;
    let mut runs = Runs::of(bytes);
    while let Some(run) = runs.next() {
        let before = run.start.checked_sub(1).and_then(|before| bytes.get(before)).copied().unwrap_or(b' ');
        if before == GAP as u8 || run.start - here > 1 {
            at.pass_gaps(bytes.get(here..run.start).unwrap_or_default());
        }
        here = run.end;
        let behind = bytes.get(run.end).copied().unwrap_or(b' ');
        let keys = runs.keys(run);
        if run.odd || before == b'@' || matches!(behind, b'@' | b':') || (behind == b'.' && keys.head == WWW) {
            here = carefully(text, run, &mut at, visit)?;
            runs.skip_to(here);
            continue;
        }
        visit(keys.token(run.start, run.end, if before == b'#' { Mark::Hashtag } else { Mark::Plain }, at))?;
        at.position = at.position.saturating_add(1);
    }
    ControlFlow::Continue(())
}

/// What a word that begins with `www` begins with.
const WWW: u64 = 0x77_77_77;

impl At {
    fn pass_gaps(&mut self, between: &[u8]) {
        let gaps = memchr::memchr_iter(GAP as u8, between).count();
        self.position = self.position.saturating_add(TITLE_GAP.saturating_mul(u32::try_from(gaps).unwrap_or(u32::MAX)));
    }
}

/// The words of a run that is more than plain letters, or of an address that begins there; gives where they end.
fn carefully(
    text: &str,
    run: Run,
    at: &mut At,
    visit: &mut impl FnMut(Token) -> ControlFlow<()>,
) -> ControlFlow<(), usize> {
    let mut here = run.start;
    while here < run.end {
        let Some(letter) = text.get(here..).and_then(|rest| rest.chars().next()) else { break };
        // A plain letter is known by where it stands, without the tables of all of Unicode.
        if !is_plain(letter) && (is_sign(letter) || !is_word(letter)) {
            here += letter.len_utf8();
            continue;
        }
        let token = word_at(text, here, *at);
        here = token.end.max(here + 1);
        if token.mark == Mark::Handle {
            here = skip_domain(text.as_bytes(), here);
        }
        visit(token)?;
        at.position = at.position.saturating_add(1);
    }
    ControlFlow::Continue(here.max(run.end))
}

fn word_at(text: &str, start: usize, at: At) -> Token {
    let bytes = text.as_bytes();
    let before = start.checked_sub(1).and_then(|index| bytes.get(index)).copied().unwrap_or(b' ');
    if before == b'@' && !start.checked_sub(2).and_then(|index| bytes.get(index)).is_some_and(u8::is_ascii_alphanumeric)
    {
        return handle_at(text, start, at);
    }
    let (keys, end) = run(text, start);
    match bytes.get(end) {
        Some(b'@') if bytes.get(end + 1).is_some_and(u8::is_ascii_alphanumeric) => address(text, start, at),
        Some(b':') if bytes.get(end + 1..end + 3) == Some(b"//") => address(text, start, at),
        Some(b'.') if text.get(start..end).is_some_and(|word| word.eq_ignore_ascii_case("www")) => {
            address(text, start, at)
        }
        _ => keys.token(start, end, if before == b'#' { Mark::Hashtag } else { Mark::Plain }, at),
    }
}

/// Letters from `start` to the end of the word. What can be folded in place takes the short way.
fn run(text: &str, start: usize) -> (Keys, usize) {
    let bytes = text.as_bytes();
    let mut here = start;
    while let Some(byte) = bytes.get(here).copied() {
        if byte.is_ascii_alphanumeric() {
            here += 1;
            continue;
        }
        if byte < 0x80 {
            break;
        }
        match plain_at(text, here) {
            Some(letter) => here += letter.len_utf8(),
            None if ends_at(text, here) => break,
            None => return slow_run(text, start),
        }
    }
    (blocks::keys_at(bytes, start, here), here)
}

/// The plain letter that stands there.
fn plain_at(text: &str, here: usize) -> Option<char> {
    text.get(here..)?.chars().next().filter(|letter| is_plain(*letter))
}

/// A letter that can be folded in place and that nothing but a mark behind it can change: Latin-1, the small letters of
/// Greek and Cyrillic, and scripts that know no case.
fn is_plain(letter: char) -> bool {
    matches!(letter,
        'À'..='Ö' | 'Ø'..='ö' | 'ø'..='ÿ' | 'α'..='ω' | 'а'..='џ' | '\u{5d0}'..='\u{5ea}' | '\u{620}'..='\u{64a}'
        | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}')
}

/// Whether the word ends here at a sign that is certainly no mark.
fn ends_at(text: &str, here: usize) -> bool {
    text.get(here..).and_then(|rest| rest.chars().next()).is_some_and(is_sign)
}

/// Dashes, curly quotation marks, ellipsis, emoji: neither letters nor marks of letters.
fn is_sign(letter: char) -> bool {
    matches!(letter, '×' | '÷' | '\u{2010}'..='\u{2027}' | '\u{1f300}'..='\u{1faff}')
}

/// The whole of Unicode, with marks composed onto their letters.
fn slow_run(text: &str, start: usize) -> (Keys, usize) {
    let rest = text.get(start..).unwrap_or_default();
    let mut end = start;
    for (offset, letter) in rest.char_indices() {
        let inside = is_word(letter) || is_combining_mark(letter) || (is_invisible(letter) && end > start);
        if !inside {
            break;
        }
        end = start + offset + letter.len_utf8();
    }
    (keys(&fold(text.get(start..end).unwrap_or_default())), end)
}

/// `@name`, where a name may hold dots, hyphens and underscores inside.
fn handle_at(text: &str, start: usize, at: At) -> Token {
    let rest = text.get(start..).unwrap_or_default();
    let length =
        rest.find(|letter: char| !(is_word(letter) || matches!(letter, '.' | '_' | '-'))).unwrap_or(rest.len());
    let name = rest.get(..length).unwrap_or_default().trim_end_matches(['.', '-', '_']);
    keys(&fold(name)).token(start, start + name.len(), Mark::Handle, at)
}

/// The server behind a handle (`@name@server.example`) belongs to it and is not heard as words.
fn skip_domain(bytes: &[u8], end: usize) -> usize {
    if bytes.get(end) != Some(&b'@') {
        return end;
    }
    let rest = bytes.get(end + 1..).unwrap_or_default();
    let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')).count();
    end + 1 + length
}

/// A web or e-mail address, up to the next space or bracket.
fn address(text: &str, start: usize, at: At) -> Token {
    let rest = text.get(start..).unwrap_or_default();
    let ends = |letter: char| letter.is_whitespace() || matches!(letter, '<' | '>' | '"' | '”' | '(' | ')');
    let length = rest.find(ends).unwrap_or(rest.len());
    let whole = rest.get(..length).unwrap_or_default().trim_end_matches(['.', ',', '!', '?', ':', ';']);
    Keys { head: 0, tail: 0, ..keys(&fold(whole)) }.token(start, start + whole.len(), Mark::Address, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut tokens = Vec::new();
        read("", text, &mut tokens);
        tokens.iter().map(|token| fold(&text[token.start..token.end])).collect()
    }

    #[test]
    fn swedish_letters_are_letters_and_stay_what_they_are() {
        assert_eq!(words("ÅLE, Ale-Surte i ÄLVÄNGEN!"), ["åle", "ale", "surte", "i", "älvängen"]);
        assert_ne!(hash_of("alé"), hash_of("ale"));
    }

    #[test]
    fn a_letter_and_its_mark_are_the_same_word_as_the_composed_letter() {
        let mut tokens = Vec::new();
        read("", "A\u{308}lva\u{308}ngen No\u{308}dinge", &mut tokens);
        assert_eq!(tokens[0].hash, hash_of("älvängen"));
        assert_eq!(tokens[1].hash, hash_of("nödinge"));
        assert_eq!(tokens[1].head, head_of("nödinge"));
        assert_eq!(tokens[1].tail, tail_of("nödinge"));
    }

    #[test]
    fn a_plain_letter_is_a_letter_and_no_sign() {
        let wrong: Vec<char> =
            ('\0'..=char::MAX).filter(|letter| is_plain(*letter) && (is_sign(*letter) || !is_word(*letter))).collect();
        assert_eq!(wrong, [' '; 0]);
    }

    #[test]
    fn addresses_are_not_heard_as_words() {
        assert_eq!(
            words("se https://a.example/ale, www.ale.example eller kommun@ale.se nu"),
            ["se", "https://a.example/ale", "www.ale.example", "eller", "kommun@ale.se", "nu"]
        );
    }

    #[test]
    fn a_handle_is_one_word_with_its_server() {
        let mut tokens = Vec::new();
        read("", "hej @alekommun@social.example! #Älvängen", &mut tokens);
        assert_eq!(tokens.len(), 3);
        assert_eq!((tokens[1].mark, tokens[1].hash), (Mark::Handle, hash_of("alekommun")));
        assert_eq!((tokens[2].mark, tokens[2].hash), (Mark::Hashtag, hash_of("älvängen")));
    }

    proptest::proptest! {
        #[test]
        fn every_span_lies_on_character_bounds_and_in_order(text in "\\PC{0,80}") {
            let mut tokens = Vec::new();
            read("", &text, &mut tokens);
            let mut last = 0;
            for token in tokens {
                proptest::prop_assert!(token.start >= last && token.end > token.start);
                proptest::prop_assert!(text.get(token.start..token.end).is_some());
                last = token.end;
            }
        }

        #[test]
        fn the_short_way_and_the_whole_of_unicode_agree(text in "[a-zA-ZåäöÅÄÖéÉøß0-9×÷ –…🍻です中한яЯёЁςΣάשت\u{308}\u{3099}\u{651}@#:.]{0,60}") {
            let mut tokens = Vec::new();
            read("", &text, &mut tokens);
            for token in tokens {
                proptest::prop_assert_eq!(token.hash, hash_of(&fold(&text[token.start..token.end])));
            }
        }
    }
}
