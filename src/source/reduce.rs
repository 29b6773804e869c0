//! From HTML to text, and to HTML that is safe to show.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::LazyLock;

use ammonia::UrlRelative;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use url::Url;

/// HTML longer than this is cut before it is read: ten times the longest article that we keep.
const HTML_BYTES: usize = 200_000;
/// Deeper nesting than this is an attack on the tree builder, not an article; the text is still read.
const DEPTH: usize = 200;

/// What a person reads, from HTML: entities decoded, one line a block, blanks run together, scripts left out.
#[must_use]
pub fn text_of(html: &str) -> String {
    if !html.contains(['<', '&']) {
        return tidy(html);
    }
    read(html).text
}

/// The same markup with only what is safe, links opened apart, relative addresses made whole, pictures left out (a
/// picture tells its server who reads). `None` when there is no markup worth keeping or it is nested beyond reason.
#[must_use]
pub fn sanitised(html: &str, base: Option<&Url>) -> Option<String> {
    if !html.contains('<') {
        return None;
    }
    let html = cut(html, HTML_BYTES);
    let reading = read(html);
    if reading.tags == 0 || reading.deepest > DEPTH {
        return None;
    }
    let clean = match base {
        Some(base) => {
            let mut cleaner = cleaner();
            cleaner.url_relative(UrlRelative::RewriteWithBase(base.clone()));
            cleaner.clean(html)
        }
        None => PLAIN.clean(html),
    };
    Some(clean.to_string())
}

static PLAIN: LazyLock<ammonia::Builder<'static>> = LazyLock::new(|| {
    let mut cleaner = cleaner();
    cleaner.url_relative(UrlRelative::Deny);
    cleaner
});

fn cleaner() -> ammonia::Builder<'static> {
    let mut cleaner = ammonia::Builder::default();
    cleaner
        .rm_tags(["img", "map", "area"])
        .url_schemes(HashSet::from(["http", "https", "mailto", "tel"]))
        .link_rel(Some("noopener noreferrer nofollow"));
    cleaner
}

/// At most `bytes` bytes, cut between two characters.
#[must_use]
pub fn cut(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

/// At most `count` characters; a cut is shown by an ellipsis.
#[must_use]
pub fn shortened(text: String, count: usize) -> String {
    if text.len() <= count {
        return text;
    }
    match text.char_indices().nth(count) {
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default().trim_end()),
    }
}

/// Runs blanks together within lines and keeps at most one empty line between paragraphs.
#[must_use]
pub fn tidy(text: &str) -> String {
    let mut out = Lines::default();
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

#[derive(Debug, Default)]
struct Lines {
    text: String,
    /// Line breaks and blanks owed before the next word.
    breaks: usize,
    blank: bool,
}

impl Lines {
    fn line(&mut self) {
        self.breaks = self.breaks.max(1);
    }

    fn paragraph(&mut self) {
        self.breaks = 2;
    }

    fn words(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            let blanks = rest.find(|c: char| !is_blank(c)).unwrap_or(rest.len());
            self.blank |= blanks > 0;
            rest = rest.get(blanks..).unwrap_or_default();
            let word_end = rest.find(is_blank).unwrap_or(rest.len());
            let (word, after) = rest.split_at_checked(word_end).unwrap_or((rest, ""));
            if !word.is_empty() {
                self.owed();
                if word.contains(INVISIBLE) {
                    self.text.extend(word.chars().filter(|c| !INVISIBLE.contains(c)));
                } else {
                    self.text.push_str(word);
                }
            }
            rest = after;
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

/// Soft hyphens and the like: with them in it, a word is not found.
const INVISIBLE: &[char] = &['\u{ad}', '\u{200b}', '\u{2060}', '\u{feff}'];

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

#[derive(Debug, Default)]
struct Reading {
    text: String,
    tags: usize,
    deepest: usize,
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

fn read(html: &str) -> Reading {
    let html = cut(html, HTML_BYTES);
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(html));
    let tokenizer = Tokenizer::new(Sink::default(), TokenizerOpts::default());
    // The tokenizer stops for scripts only when its sink asks it to, which ours never does.
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    let state = tokenizer.sink.0.into_inner();
    Reading { text: state.lines.text, tags: state.tags, deepest: state.deepest }
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut state = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(text) if state.hidden.is_none() => state.lines.words(&text),
            Token::TagToken(tag) => {
                let name: &str = &tag.name;
                state.tags += 1;
                if tag.kind == TagKind::EndTag {
                    state.depth = state.depth.saturating_sub(1);
                    if state.hidden.as_deref() == Some(name) {
                        state.hidden = None;
                    }
                } else if !tag.self_closing && !is_void(name) {
                    state.depth += 1;
                    state.deepest = state.deepest.max(state.depth);
                    if let Some(raw) = raw_text(name) {
                        state.hidden = Some(name.to_owned());
                        return TokenSinkResult::RawData(raw);
                    }
                }
                state.tag(name, tag.kind);
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl State {
    fn tag(&mut self, name: &str, kind: TagKind) {
        match name {
            "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "blockquote" | "ul" | "ol" | "table" | "pre" | "figure" => {
                self.lines.paragraph();
            }
            "li" if kind == TagKind::StartTag => {
                self.lines.line();
                self.lines.words("- ");
            }
            "br" | "div" | "li" | "tr" | "section" | "article" | "header" | "footer" | "dt" | "dd" | "hr"
            | "figcaption" | "address" => self.lines.line(),
            "td" | "th" => self.lines.blank = true,
            _ => {}
        }
    }
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
    use super::*;

    #[test]
    fn a_reader_sees_paragraphs_and_points_and_no_script() {
        let html =
            "<p>Hål i  vägen vid&nbsp;Ale&shy;torget.</p><script>x<y</script><ul><li>Etta<li>Tv&aring;a</ul>Slut<br>nu";
        assert_eq!(text_of(html), "Hål i vägen vid Aletorget.\n\n- Etta\n- Tvåa\n\nSlut\nnu");
    }

    #[test]
    fn plain_text_keeps_its_paragraphs() {
        assert_eq!(text_of("  Ett\n två  tre\n\n\n fyra "), "Ett\ntvå tre\n\nfyra");
        assert_eq!(text_of("5 < 6 & 7 > 2"), "5 < 6 & 7 > 2");
    }

    #[test]
    fn nothing_that_acts_or_tells_on_the_reader_is_left() {
        let html = "<p onclick=\"a()\">Hej <a href=\"/x\">här</a><img src=\"http://spy/1.gif\"><script>b()</script>\
                    <a href=\"javascript:c()\">d</a></p>";
        let base = Url::parse("https://tidning.example/a/b").unwrap();
        let clean = sanitised(html, Some(&base)).unwrap();
        for bad in ["onclick", "spy", "script", "b()", "c()"] {
            assert!(!clean.contains(bad), "{bad} in {clean}");
        }
        assert!(clean.contains("href=\"https://tidning.example/x\""), "{clean}");
        assert!(clean.contains("nofollow"), "{clean}");
    }

    #[test]
    fn text_without_markup_has_no_html() {
        assert_eq!(sanitised("bara ord", None), None);
        assert_eq!(sanitised("5 < 6", None), None);
    }

    #[test]
    fn a_tower_of_elements_is_read_as_text_only() {
        let html = format!("{}botten", "<div>".repeat(30_000));
        assert_eq!(sanitised(&html, None), None);
        assert_eq!(text_of(&html), "botten");
    }

    #[test]
    fn a_text_is_cut_between_two_characters() {
        assert_eq!(cut("åäö", 3), "å");
        assert_eq!(shortened("åäö".to_owned(), 2), "åä…");
        assert_eq!(shortened("åäö".to_owned(), 3), "åäö");
    }
}
