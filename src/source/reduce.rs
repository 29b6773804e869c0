//! From HTML to text, and to HTML that is safe to show.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use ammonia::UrlRelative;
use url::Url;

pub use super::lines::tidy;
use super::markup;

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
    markup::read(cut(html, HTML_BYTES)).text
}

/// HTML as a stranger wrote it. It is only to be had [`Markup::sanitised`], so that nobody shows it as it came; and
/// only when it is wanted, since that costs more than all other reading and most posts are about somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Markup {
    written: String,
    base: Option<Arc<Url>>,
}

impl Markup {
    /// What was `written` at an address that its relative links lean on.
    #[must_use]
    pub fn new(written: String, base: Option<Arc<Url>>) -> Self {
        Self { written, base }
    }

    /// As [`sanitised`].
    #[must_use]
    pub fn sanitised(&self) -> Option<String> {
        sanitised(&self.written, self.base.as_deref())
    }
}

/// The same markup with only what is safe, links opened apart, relative addresses made whole, pictures left out (a
/// picture tells its server who reads). `None` when there is no markup worth keeping or it is nested beyond reason.
#[must_use]
pub fn sanitised(html: &str, base: Option<&Url>) -> Option<String> {
    if !html.contains('<') {
        return None;
    }
    let html = cut(html, HTML_BYTES);
    let reading = markup::read(html);
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
    fn signs_that_begin_no_markup_are_text() {
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
