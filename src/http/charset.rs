//! From bytes to text: which of the things that a page says about its own characters is to be believed.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// How far into a page a declaration of characters is looked for; the HTML standard says 1,024 bytes, and an XML
/// prolog stands first.
const DECLARATION_BYTES: usize = 1_024;

/// Decodes a body. In order: byte order mark, the header's charset, the XML prolog, `<meta charset>`, UTF-8.
/// A declaration that does not fit the bytes is passed over, and one of the Latin-1 family gives way to bytes that are
/// valid UTF-8 beyond ASCII, since that never happens by chance while servers claim Latin-1 by habit.
#[must_use]
pub fn text_of<'a>(bytes: &'a [u8], content_type: Option<&str>) -> Cow<'a, str> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(bytes.get(mark..).unwrap_or_default()).0;
    }
    if let Some(text) = as_utf8(bytes) {
        return text;
    }
    let declared = [content_type.and_then(header_charset), declared_in(bytes)];
    let mut fallback = WINDOWS_1252;
    for encoding in declared.into_iter().flatten().filter(|encoding| *encoding != UTF_8) {
        let (text, _, broken) = encoding.decode(bytes);
        if !broken {
            return text;
        }
        fallback = encoding;
    }
    if declared.contains(&Some(UTF_8)) && fallback == WINDOWS_1252 && mostly_utf8(bytes) {
        return String::from_utf8_lossy(bytes);
    }
    fallback.decode(bytes).0
}

/// The `charset` of a content type.
fn header_charset(content_type: &str) -> Option<&'static Encoding> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| label(value)).flatten()
    })
}

/// What the XML prolog or an HTML meta element says.
fn declared_in(bytes: &[u8]) -> Option<&'static Encoding> {
    let head: String = bytes
        .iter()
        .take(DECLARATION_BYTES)
        .map(|byte| if byte.is_ascii() { char::from(*byte) } else { ' ' })
        .collect();
    let head = head.to_ascii_lowercase();
    let word = if head.trim_start().starts_with("<?xml") { "encoding" } else { "charset" };
    let (_, after) = head.split_once(word)?;
    let value = after.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
    value.split(['"', '\'', ' ', ';', '>', '/', '?']).next().and_then(label)
}

fn label(value: &str) -> Option<&'static Encoding> {
    Encoding::for_label(value.trim().trim_matches(['"', '\'']).as_bytes())
}

/// Valid UTF-8, a character cut in two at the very end not counted; and not one of the escape-coded encodings that
/// are plain ASCII on the wire. It is looked through once and not copied.
fn as_utf8(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let text = match simdutf8::compat::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(fault) if fault.error_len().is_none() => String::from_utf8_lossy(bytes),
        Err(_) => return None,
    };
    memchr::memchr2(0x1b, 0, bytes).is_none().then_some(text)
}

/// At most one broken place in two thousand bytes: a text that somebody cut and pasted into, not another encoding.
fn mostly_utf8(bytes: &[u8]) -> bool {
    let broken = String::from_utf8_lossy(bytes).matches('\u{fffd}').count();
    broken * 2_000 <= bytes.len().max(2_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_decides_when_the_bytes_agree() {
        assert_eq!(text_of(b"<a>\xe5\xe4\xf6</a>", Some("text/xml; charset=iso-8859-1")), "<a>åäö</a>");
    }

    #[test]
    fn the_prolog_decides_when_the_header_is_silent() {
        let bytes = b"<?xml version='1.0' encoding='windows-1251'?><a>\xcf\xf0</a>";
        assert!(text_of(bytes, Some("text/xml")).ends_with("<a>Пр</a>"));
    }

    #[test]
    fn a_server_that_claims_latin_1_by_habit_is_not_believed_against_utf_8() {
        assert_eq!(text_of("räksmörgås".as_bytes(), Some("text/html; charset=ISO-8859-1")), "räksmörgås");
    }

    #[test]
    fn a_server_that_claims_utf_8_is_not_believed_against_the_bytes() {
        let bytes = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>sm\xf6r</a>";
        assert!(text_of(bytes, Some("application/rss+xml; charset=utf-8")).contains("smör"));
    }

    #[test]
    fn one_broken_byte_does_not_turn_a_long_utf_8_text_into_latin_1() {
        let mut bytes = "å".repeat(2_000).into_bytes();
        bytes.push(0xff);
        bytes.extend_from_slice("ö".as_bytes());
        assert!(text_of(&bytes, Some("text/xml; charset=utf-8")).starts_with("åå"));
    }

    #[test]
    fn a_byte_order_mark_wins() {
        assert_eq!(text_of(b"\xff\xfea\0\xe5\0", Some("text/xml; charset=utf-8")), "aå");
        assert_eq!(text_of(b"\xef\xbb\xbfa", None), "a");
    }

    #[test]
    fn a_page_tells_its_characters_in_a_meta_element() {
        let bytes = b"<html><meta charset=\"iso-8859-2\"><p>\xb1</p>";
        assert!(text_of(bytes, Some("text/html")).contains('ą'));
    }

    #[test]
    fn a_character_cut_in_two_at_the_end_is_still_utf_8() {
        let bytes = "<a>brödåå".as_bytes();
        assert!(text_of(&bytes[..bytes.len() - 1], None).starts_with("<a>brödå"));
    }
}
