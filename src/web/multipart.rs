//! A form with a file in it (multipart/form-data), as browsers send it, bounded in parts. The body is in memory already;
//! `multer`, which axum uses too, reads it.

use std::convert::Infallible;

use axum::body::Bytes;

/// Parts of a form that are looked at: the largest of ours has six.
const PARTS: usize = 16;

/// A field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// What was filled in, or the bytes of the file.
    pub body: Bytes,
}

impl Part {
    /// What was filled in; nothing when it is no text.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_default()
    }
}

/// What parts are told apart by, when a `Content-Type` is that of such a form.
#[must_use]
pub fn boundary(content_type: &str) -> Option<String> {
    multer::parse_boundary(content_type).ok()
}

/// The parts of a form; nothing when it is not whole.
pub async fn parts(body: Bytes, boundary: &str) -> Option<Vec<Part>> {
    let whole = futures::stream::once(std::future::ready(Ok::<_, Infallible>(body)));
    let mut form = multer::Multipart::new(whole, boundary);
    let mut found = Vec::new();
    while let Some(field) = form.next_field().await.ok()? {
        if found.len() == PARTS {
            return None;
        }
        let name = field.name()?.to_owned();
        found.push(Part { name, body: field.bytes().await.ok()? });
    }
    Some(found)
}

/// What was filled in a field of the form.
pub async fn field(body: Bytes, boundary: &str, name: &str) -> Option<String> {
    parts(body, boundary).await?.into_iter().find(|part| part.name == name).map(|part| part.text().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use proptest::prelude::*;

    const FORM: &[u8] = b"--x1\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\nabc\r\n\
        --x1\r\nContent-Disposition: form-data; name=\"bild\"; filename=\"a;name=b.png\"\r\nContent-Type: image/png\r\n\r\n\
        \x89PNG\r\n\x1a\n--x1 \r\n\r\n--x2\r\n--x1--\r\n";

    fn read(body: &[u8], boundary: &str) -> Option<Vec<Part>> {
        block_on(parts(Bytes::copy_from_slice(body), boundary))
    }

    #[test]
    fn a_form_is_read_as_the_browser_wrote_it() {
        let found = read(FORM, "x1").unwrap();
        assert_eq!(found.iter().map(|part| part.name.as_str()).collect::<Vec<_>>(), ["csrf", "bild"]);
        assert_eq!(found[1].body, &b"\x89PNG\r\n\x1a\n--x1 \r\n\r\n--x2"[..]);
        let filled = |boundary: &str, name: &str| block_on(field(Bytes::from_static(FORM), boundary, name));
        assert_eq!(filled("x1", "csrf").as_deref(), Some("abc"));
        assert_eq!((filled("x1", "annat"), filled("x", "csrf")), (None, None));
    }

    #[test]
    fn a_form_that_is_cut_off_or_has_too_many_parts_is_none() {
        let whole = FORM.len() - b"--\r\n".len();
        assert!((1..whole).all(|end| read(&FORM[..end], "x1").is_none()));
        let many = "--x\r\ncontent-disposition: form-data; name=a\r\n\r\nb\r\n".repeat(PARTS + 1) + "--x--";
        assert_eq!(read(many.as_bytes(), "x"), None);
    }

    #[test]
    fn the_boundary_is_told_by_the_type() {
        let told = boundary("multipart/form-data; boundary=----WebKitFormBoundaryX");
        assert_eq!(told.as_deref(), Some("----WebKitFormBoundaryX"));
        assert_eq!(boundary("application/x-www-form-urlencoded"), None);
        assert_eq!(boundary("multipart/form-data"), None);
    }

    proptest! {
        #[test]
        fn no_form_makes_the_reader_fall_over(body in prop::collection::vec(any::<u8>(), 0..200), kind in "\\PC{0,60}") {
            let _ = (read(&body, "x"), read(&[b"--x\r\n", &body[..]].concat(), "x"), boundary(&kind));
        }
    }
}
