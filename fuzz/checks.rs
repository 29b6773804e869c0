//! What must hold for any input at all. The fuzz targets and the property tests of the ordinary test run ask the same.

#![allow(dead_code, reason = "each fuzz target asks one of them")]

use lyhord::mention::query::parse;
use lyhord::mention::stream::{Gathered, Verdict, listen, parse_first};
use lyhord::mention::watch::{Watch, compile};
use lyhord::mention::words;
use lyhord::settings::{Problems, read};
use lyhord::source::feed::{self, ITEMS, TEXT_CHARACTERS};

/// Whatever is typed as a rule: what is understood prints and reads back as itself, and a fault points inside.
pub fn query(typed: &str) {
    match parse(typed) {
        Ok(query) => assert_eq!(parse(&query.to_string()).as_ref(), Ok(&query), "{typed:?} printed as {query}"),
        Err(fault) => {
            assert!(typed.get(fault.span.clone()).is_some(), "{typed:?}: {:?}", fault.span);
            assert!(!fault.pointed(typed).is_empty());
        }
    }
}

/// The rules of the shipped configuration, as the stream meets them.
pub fn watch() -> Watch {
    let problems = Problems::default();
    let text = include_str!("../config/words.toml");
    let section = read("words.toml", text, &problems);
    compile(&words::read(&section))
}

/// Whatever comes on the stream: heard exactly as if it had been parsed first.
pub fn message(watch: &Watch, bytes: &[u8]) {
    let (mut quick, mut plain) = (Gathered::default(), Gathered::default());
    let verdict = listen(watch, bytes, &mut quick);
    let Ok(json) = std::str::from_utf8(bytes) else {
        assert_ne!(verdict, Verdict::Heard);
        return;
    };
    parse_first(watch, json, &mut plain);
    assert_eq!(quick.rules(), plain.rules(), "{verdict:?} {json}");
}

/// Whatever a server calls a feed: read within bounds, each post once, and twice the same.
pub fn feed(bytes: &[u8]) {
    let Ok(found) = feed::read(bytes, None, "https://a.example/feed") else { return };
    assert!(found.posts.len() <= ITEMS);
    let mut ids: Vec<&str> = found.posts.iter().map(|post| post.native_id.as_str()).collect();
    ids.sort_unstable();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "an id stands twice");
    assert!(found.posts.iter().all(|post| post.text.chars().count() <= TEXT_CHARACTERS + 1));
    let again = feed::read(bytes, None, "https://a.example/feed").map(|again| again.posts.len());
    assert_eq!(again.ok(), Some(found.posts.len()));
}
