//! A form with a file in it (multipart/form-data), as browsers send it: read whole, from memory, without copying.

use memchr::memmem;

/// Parts of a form that are looked at: the largest of ours has six.
const PARTS: usize = 16;
/// Bytes of a part's own headers.
const HEAD_MAX: usize = 2_000;

/// A field of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    /// Its name.
    pub name: &'a str,
    /// What was filled in, or the bytes of the file.
    pub body: &'a [u8],
}

impl<'a> Part<'a> {
    /// What was filled in; nothing when it is no text.
    #[must_use]
    pub fn text(&self) -> &'a str {
        std::str::from_utf8(self.body).unwrap_or_default()
    }
}

/// What parts are told apart by, when a `Content-Type` is that of such a form.
#[must_use]
pub fn boundary(content_type: &str) -> Option<&str> {
    let (kind, rest) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let (key, value) = rest.trim().split_once('=')?;
    let value = value.trim().trim_matches('"');
    (key.trim().eq_ignore_ascii_case("boundary") && (1..=70).contains(&value.len())).then_some(value)
}

/// The parts of a form; nothing when it is not whole.
#[must_use]
pub fn parts<'a>(body: &'a [u8], boundary: &str) -> Option<Vec<Part<'a>>> {
    let between = format!("\r\n--{boundary}");
    let between = between.as_bytes();
    // The first stands at the very beginning, without a line before it.
    let mut rest = body.strip_prefix(between.get(2..)?)?;
    let mut found = Vec::new();
    while !rest.starts_with(b"--") {
        if found.len() == PARTS {
            return None;
        }
        rest = rest.strip_prefix(b"\r\n")?;
        let head_end = memmem::find(rest.get(..rest.len().min(HEAD_MAX))?, b"\r\n\r\n")?;
        let (head, after) = rest.split_at_checked(head_end)?;
        let after = after.get(4..)?;
        let end = memmem::find(after, between)?;
        found.push(Part { name: name(std::str::from_utf8(head).ok()?)?, body: after.get(..end)? });
        rest = after.get(end + between.len()..)?;
    }
    Some(found)
}

/// What was filled in a field of the form.
#[must_use]
pub fn field<'a>(body: &'a [u8], boundary: &str, name: &str) -> Option<&'a str> {
    parts(body, boundary)?.into_iter().find(|part| part.name == name).map(|part| part.text())
}

/// The name in `Content-Disposition: form-data; name="…"; filename="…"`.
fn name(head: &str) -> Option<&str> {
    let line = head.split("\r\n").find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    line.split(';').find_map(|piece| piece.trim().strip_prefix("name=")).map(|name| name.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FORM: &[u8] = b"--x1\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\nabc\r\n\
        --x1\r\nContent-Disposition: form-data; name=\"bild\"; filename=\"a;name=b.png\"\r\nContent-Type: image/png\r\n\r\n\
        \x89PNG\r\n\x1a\n--x1 \r\n\r\n--x2\r\n--x1--\r\n";

    #[test]
    fn a_form_is_read_as_the_browser_wrote_it() {
        let read = parts(FORM, "x1").unwrap();
        assert_eq!(read.iter().map(|part| part.name).collect::<Vec<_>>(), ["csrf", "bild"]);
        assert_eq!(read[1].body, b"\x89PNG\r\n\x1a\n--x1 \r\n\r\n--x2");
        assert_eq!(field(FORM, "x1", "csrf"), Some("abc"));
        assert_eq!((field(FORM, "x1", "annat"), field(FORM, "x", "csrf")), (None, None));
    }

    #[test]
    fn a_form_that_is_cut_off_or_has_too_many_parts_is_none() {
        assert!((0..FORM.len() - 4).all(|end| parts(&FORM[..end], "x1").is_none()));
        let many = "--x\r\ncontent-disposition: form-data; name=a\r\n\r\nb\r\n".repeat(PARTS + 1) + "--x--";
        assert_eq!(parts(many.as_bytes(), "x"), None);
    }

    #[test]
    fn the_boundary_is_told_by_the_type() {
        assert_eq!(boundary("multipart/form-data; boundary=----WebKitFormBoundaryX"), Some("----WebKitFormBoundaryX"));
        assert_eq!(boundary("Multipart/Form-Data; boundary=\"a b\""), Some("a b"));
        assert_eq!(boundary("application/x-www-form-urlencoded"), None);
        assert_eq!(boundary("multipart/form-data"), None);
    }

    proptest! {
        #[test]
        fn no_form_makes_the_reader_fall_over(body in prop::collection::vec(any::<u8>(), 0..200), kind in "\\PC{0,60}") {
            let _ = (parts(&body, "x"), parts(&[b"--x\r\n", &body[..]].concat(), "x"), boundary(&kind));
        }
    }
}
