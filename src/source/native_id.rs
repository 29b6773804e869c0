//! What an item of a feed is called, so that it is the same item the next time.

use sha2::{Digest, Sha256};
use url::Url;

use crate::hex::hex;

/// Query parameters that tell where a reader came from, not what she reads.
const TRACKING: [&str; 8] = ["fbclid", "gclid", "mc_cid", "mc_eid", "igshid", "ref_src", "cmpid", "ocid"];
/// Longer names than this are replaced by their hash: the database indexes them.
const LONGEST: usize = 400;

/// The item's own id when it is unique in the world (an address, a tag, a uuid); else the id with the feed's host;
/// else the address it links to; else a hash of what it says (`said`: title and date).
pub(super) fn of(guid: Option<&str>, link: Option<&str>, host: &str, said: impl FnOnce() -> String) -> String {
    let name = match (guid.map(str::trim).filter(|guid| !guid.is_empty()), link) {
        (Some(guid), _) if is_global(guid) => guid.to_owned(),
        (Some(guid), _) => format!("{host}#{guid}"),
        (None, Some(link)) => normalised(link),
        (None, None) => format!("{host}#{}", hash(&said())),
    };
    if name.len() <= LONGEST { name } else { format!("{host}#{}", hash(&name)) }
}

fn is_global(guid: &str) -> bool {
    let address = ["http://", "https://", "tag:", "urn:"].iter().any(|start| {
        guid.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start)) && guid.len() > start.len() + 3
    });
    address || is_uuid(guid)
}

fn is_uuid(text: &str) -> bool {
    let mut digits = 0;
    let shaped = text.bytes().all(|byte| match byte {
        b'-' => true,
        byte => {
            digits += 1;
            byte.is_ascii_hexdigit()
        }
    });
    shaped && digits == 32
}

/// An address without its fragment and its tracking, so that two ways to the same page are one page.
fn normalised(link: &str) -> String {
    let Ok(mut url) = Url::parse(link) else { return link.to_owned() };
    url.set_fragment(None);
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| !name.starts_with("utm_") && !TRACKING.contains(&name.as_ref()))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    if url.query().is_some() {
        url.set_query(None);
        if !kept.is_empty() {
            url.query_pairs_mut().extend_pairs(kept);
        }
    }
    url.into()
}

fn hash(text: &str) -> String {
    hex(&Sha256::digest(text)[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_unique_in_the_world_stands_as_it_is() {
        for guid in
            ["https://a.example/?p=1", "tag:a.example,2026:1", "urn:uuid:1", "6fa459ea-ee8a-3ca4-894e-db77e160355e"]
        {
            assert_eq!(of(Some(guid), None, "b.example", String::new), guid);
        }
    }

    #[test]
    fn an_id_that_others_may_use_too_takes_the_host() {
        assert_eq!(of(Some("17"), Some("https://a.example/x"), "a.example", String::new), "a.example#17");
        assert_eq!(of(Some("http://"), None, "a.example", String::new), "a.example#http://");
    }

    #[test]
    fn without_an_id_the_page_is_the_name_however_one_came_to_it() {
        let plain = of(None, Some("https://A.example/x?id=2"), "a.example", String::new);
        assert_eq!(
            of(None, Some("https://a.example/x?utm_source=rss&id=2&fbclid=z#top"), "a.example", String::new),
            plain
        );
        assert_eq!(plain, "https://a.example/x?id=2");
    }

    #[test]
    fn with_nothing_else_what_it_says_is_the_name() {
        let one = of(None, None, "a.example", || "Rubrik\n2026-11-23".to_owned());
        assert_eq!(one, of(Some("  "), None, "a.example", || "Rubrik\n2026-11-23".to_owned()));
        assert_ne!(one, of(None, None, "a.example", || "Rubrik\n2026-11-24".to_owned()));
    }

    #[test]
    fn a_name_never_grows_beyond_what_an_index_holds() {
        assert!(of(Some(&"x".repeat(5_000)), None, "a.example", String::new).len() < LONGEST);
    }
}
