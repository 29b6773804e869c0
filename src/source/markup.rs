//! What HTML says to a reader: its words as lines, and how many elements it has.
//!
//! Most of what feeds carry is a few paragraphs of ordinary markup. That is read here in one pass; whatever is out of
//! the ordinary (a comment, a script, an attribute without quotation marks, an entity beyond the everyday ones) is
//! left to html5ever from the beginning, so that the answer is always the one that html5ever gives.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};

use super::lines::Lines;

/// HTML read for its words.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// One line a block, blanks run together, scripts left out.
    pub(super) text: String,
    /// Start and end tags.
    pub(super) tags: usize,
    /// Deepest nesting, by count of tags and not by the rules of the standard.
    pub(super) deepest: usize,
}

/// Reads HTML.
pub(super) fn read(html: &str) -> Reading {
    let mut state = State { lines: Lines::for_text_of(html.len()), ..State::default() };
    if state.scan(html).is_some() { state.reading() } else { thoroughly(html) }
}

/// As a browser reads it.
fn thoroughly(html: &str) -> Reading {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(html));
    let tokenizer = Tokenizer::new(Sink::default(), TokenizerOpts::default());
    // The tokenizer stops for scripts only when its sink asks it to, which ours never does.
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.0.into_inner().reading()
}

#[derive(Debug, Default)]
struct Sink(RefCell<State>);

#[derive(Debug, Default)]
struct State {
    lines: Lines,
    tags: usize,
    depth: usize,
    deepest: usize,
    /// Name of the element whose text is not for reading, while inside it.
    hidden: Option<String>,
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut state = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(text) if state.hidden.is_none() => state.lines.words(&text),
            Token::TagToken(tag) => {
                let name: &str = &tag.name;
                if tag.kind == TagKind::EndTag && state.hidden.as_deref() == Some(name) {
                    state.hidden = None;
                }
                if let Some(raw) = raw_text(name).filter(|_| tag.kind == TagKind::StartTag && !tag.self_closing) {
                    state.count(name, Element::Start);
                    state.hidden = Some(name.to_owned());
                    return TokenSinkResult::RawData(raw);
                }
                state.element(name, Element::of(tag.kind, tag.self_closing));
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    Start,
    Empty,
    End,
}

impl Element {
    fn of(kind: TagKind, self_closing: bool) -> Self {
        match (kind, self_closing) {
            (TagKind::EndTag, _) => Self::End,
            (TagKind::StartTag, true) => Self::Empty,
            (TagKind::StartTag, false) => Self::Start,
        }
    }
}

impl State {
    fn reading(self) -> Reading {
        Reading { text: self.lines.text, tags: self.tags, deepest: self.deepest }
    }

    fn count(&mut self, name: &str, element: Element) {
        self.tags += 1;
        match element {
            Element::End => self.depth = self.depth.saturating_sub(1),
            Element::Start if !is_void(name) => {
                self.depth += 1;
                self.deepest = self.deepest.max(self.depth);
            }
            _ => {}
        }
    }

    fn element(&mut self, name: &str, element: Element) {
        self.count(name, element);
        match name {
            "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "blockquote" | "ul" | "ol" | "table" | "pre" | "figure" => {
                self.lines.paragraph();
            }
            "li" if element != Element::End => {
                self.lines.line();
                self.lines.words("- ");
            }
            "br" | "div" | "li" | "tr" | "section" | "article" | "header" | "footer" | "dt" | "dd" | "hr"
            | "figcaption" | "address" => self.lines.line(),
            "td" | "th" => self.lines.gap(),
            _ => {}
        }
    }

    /// Reads ordinary markup; nothing when it is out of the ordinary.
    fn scan(&mut self, html: &str) -> Option<()> {
        if memchr::memchr(0, html.as_bytes()).is_some() {
            return None;
        }
        let mut rest = html;
        while let Some(at) = memchr::memchr2(b'<', b'&', rest.as_bytes()) {
            self.lines.words(rest.get(..at)?);
            rest = rest.get(at..)?;
            let length = if rest.starts_with('<') { self.tag(rest)? } else { self.entity(rest)? };
            rest = rest.get(length..)?;
        }
        self.lines.words(rest);
        Some(())
    }

    /// Reads the tag that a text begins with; gives its length.
    fn tag(&mut self, text: &str) -> Option<usize> {
        let bytes = text.as_bytes();
        let ends = bytes.get(1) == Some(&b'/');
        let start = if ends { 2 } else { 1 };
        match bytes.get(start) {
            Some(byte) if byte.is_ascii_alphabetic() => {}
            // `5 < 6` is text; comments and the like are not ordinary.
            Some(byte) if !ends && !matches!(byte, b'!' | b'?') => {
                self.lines.words("<");
                return Some(1);
            }
            _ => return None,
        }
        let length = bytes.iter().skip(start).take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let written = text.get(start..start + length)?;
        let (end, empty) = attributes(bytes, start + length)?;
        let mut lower = [0_u8; LONGEST_NAME];
        let lower = lower.get_mut(..length)?;
        lower.copy_from_slice(written.as_bytes());
        lower.make_ascii_lowercase();
        let name = std::str::from_utf8(lower).ok()?;
        let element = match (ends, empty) {
            (true, _) => Element::End,
            (false, true) => Element::Empty,
            (false, false) => Element::Start,
        };
        if element == Element::Start && raw_text(name).is_some() {
            return None;
        }
        self.element(name, element);
        Some(end)
    }

    /// Reads the entity that a text begins with; gives its length.
    fn entity(&mut self, text: &str) -> Option<usize> {
        let bytes = text.as_bytes();
        match bytes.get(1) {
            Some(byte) if byte.is_ascii_alphanumeric() || *byte == b'#' => {}
            Some(_) => {
                self.lines.words("&");
                return Some(1);
            }
            None => return None,
        }
        let end = bytes.iter().take(LONGEST_ENTITY).position(|byte| *byte == b';')?;
        let name = text.get(1..end)?;
        let letter = match name.strip_prefix('#') {
            Some(number) => numbered(number)?,
            None => named(name)?,
        };
        self.lines.words(letter.encode_utf8(&mut [0; 4]));
        Some(end + 1)
    }
}

/// Longest element name of HTML: `blockquote` and `figcaption` have ten letters.
const LONGEST_NAME: usize = 12;
/// Longest entity looked at, with its `&` and `;`.
const LONGEST_ENTITY: usize = 10;

/// The end of a tag whose name ends at `here`, and whether it closes itself; nothing when its attributes are not
/// written as `name="value"`.
fn attributes(bytes: &[u8], mut here: usize) -> Option<(usize, bool)> {
    loop {
        let blanks = bytes.get(here..)?.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        here += blanks;
        match bytes.get(here)? {
            b'>' => return Some((here + 1, false)),
            b'/' if bytes.get(here + 1) == Some(&b'>') => return Some((here + 2, true)),
            byte if blanks > 0 && byte.is_ascii_alphabetic() => {}
            _ => return None,
        }
        let name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':');
        here += bytes.get(here..)?.iter().take_while(name).count();
        if bytes.get(here) == Some(&b'=') {
            let quote = bytes.get(here + 1).copied().filter(|byte| matches!(byte, b'"' | b'\''))?;
            here += 2;
            here += memchr::memchr(quote, bytes.get(here..)?)? + 1;
        }
    }
}

fn numbered(digits: &str) -> Option<char> {
    let plain = |digits: &str| (1..=7).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = match digits.strip_prefix(['x', 'X']) {
        Some(digits) if plain(digits) => u32::from_str_radix(digits, 16).ok()?,
        None if plain(digits) => digits.parse().ok()?,
        _ => return None,
    };
    // Below stand control characters, and between them what Windows wrote there, which the standard maps elsewhere.
    char::from_u32(number).filter(|letter| matches!(letter, ' '..='~' | '\u{a0}'..))
}

fn named(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        "aring" => 'å',
        "auml" => 'ä',
        "ouml" => 'ö',
        "Aring" => 'Å',
        "Auml" => 'Ä',
        "Ouml" => 'Ö',
        "eacute" => 'é',
        "ndash" => '–',
        "mdash" => '—',
        "hellip" => '…',
        "rdquo" => '”',
        "ldquo" => '“',
        "rsquo" => '’',
        "lsquo" => '‘',
        "raquo" => '»',
        "laquo" => '«',
        "bull" => '•',
        "shy" => '\u{ad}',
        _ => return None,
    })
}

fn is_void(name: &str) -> bool {
    matches!(
        name,
        "br" | "hr" | "img" | "input" | "link" | "meta" | "wbr" | "source" | "col" | "area" | "embed" | "track"
    )
}

/// Elements whose content is not text for a reader.
fn raw_text(name: &str) -> Option<RawKind> {
    match name {
        "script" => Some(RawKind::ScriptData),
        "style" | "iframe" | "noembed" | "noframes" | "xmp" => Some(RawKind::Rawtext),
        "title" | "textarea" => Some(RawKind::Rcdata),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_markup_is_read_in_one_pass_and_the_rest_thoroughly() {
        let scanned = |html: &str| State::default().scan(html).is_some();
        for html in [
            "<p class=\"a\" data-x='>'>Hål &amp; sprickor&nbsp;i <b>vägen</B ><br/>5 < 6 & 7</p>",
            "<ul>\n<li>&#229;&#xE4;</li></ul><img src=\"a\" alt=\"b\" />",
        ] {
            assert!(scanned(html), "{html}");
        }
        for html in [
            "<!-- x -->",
            "<script>a<b</script>",
            "<a href=x>y</a>",
            "&frac12;",
            "&amp",
            "&#150;",
            "<b",
            "</ b>",
            "<a b=\"c",
        ] {
            assert!(!scanned(html), "{html}");
        }
    }

    fn pieces() -> impl Strategy<Value = String> {
        let pieces = [
            "<p>",
            "</p>",
            "<BR>",
            "<br />",
            "<li class=\"x\">",
            "</li >",
            "<a href='>' title=\"<&amp;\">",
            "</a>",
            "<td>",
            "<b/>",
            "<img alt=\"hål\" hidden>",
            "<a href=x>",
            "<a\u{a0}b>",
            "<x-y>",
            "<script>",
            "</script>",
            "<title>",
            "<!-- ",
            "-->",
            "<",
            ">",
            "/",
            "\"",
            "=",
            "&",
            "&amp;",
            "&nbsp;",
            "&shy;",
            "&aring;",
            "&aring",
            "&#229;",
            "&#xe5;",
            "&#150;",
            "&#0;",
            "&ampx;",
            "&#x110000;",
            " ",
            "\r\n",
            "\n\n",
            "\0",
            "\u{ad}",
            "ale",
            "Å",
            "–",
            "</",
            "<?xml?>",
            "<h1>",
            "</div>",
            "<p",
            "<b c = \"d\">",
        ];
        prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..14).prop_map(|row| row.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_is_read_in_one_pass_is_what_a_browser_reads(html in pieces()) {
            let mut state = State::default();
            if state.scan(&html).is_some() {
                prop_assert_eq!(state.reading(), thoroughly(&html), "{}", html);
            }
        }

        #[test]
        fn no_text_makes_it_panic(html in "[<>/a&;#x\"'= !?\\-å\\PC]{0,60}") {
            let mut state = State::default();
            if state.scan(&html).is_some() {
                prop_assert_eq!(state.reading(), thoroughly(&html), "{}", html);
            }
        }
    }
}
