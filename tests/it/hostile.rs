//! What the fuzz targets ask, asked a few hundred times in every test run: pieces of real input in the wrong order.

use std::sync::LazyLock;

use lyhord::mention::watch::Watch;
use proptest::prelude::*;

#[path = "../../fuzz/checks.rs"]
mod checks;

static WATCH: LazyLock<Watch> = LazyLock::new(checks::watch);

/// Pieces put together anyhow.
fn pieces(of: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![4 => prop::sample::select(of).prop_map(str::to_owned), 1 => "\\PC{0,6}"];
    prop::collection::vec(piece, 0..most).prop_map(|parts| parts.concat())
}

const QUERY: &[&str] = &[
    "ale",
    " ",
    "AND ",
    "OR ",
    "NOT ",
    "OCH ",
    "(",
    ")",
    "\"",
    "NEAR/5 ",
    "ONEAR/0 ",
    "*",
    "~",
    "~1",
    "{Ale}",
    "@beer",
    "#",
    "lang:",
    "channel:rss",
    "author:",
    "å",
    "\u{301}",
    "NEAR/99999999999",
    "/",
    ":",
    "skol*",
    "*skola~",
];
const MESSAGE: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"text\"",
    "\"alt\"",
    "\"tags\"",
    "\"ale kommun\"",
    "\"Nol\"",
    "\\u0041",
    "\\",
    "\"",
    "{\"commit\":{\"collection\":\"app.bsky.feed.post\",\"record\":{",
    "\"langs\":[\"sv\"]",
    "null",
    "1e999",
    " ",
    "}}}",
];
const FEED: &[&str] = &[
    "<rss>",
    "<channel>",
    "<item>",
    "</item>",
    "</channel></rss>",
    "<title>",
    "</title>",
    "<description>",
    "</description>",
    "<![CDATA[",
    "]]>",
    "&amp;",
    "&#x0;",
    "&#99999999;",
    "<script>",
    "<feed xmlns=\"http://www.w3.org/2005/Atom\">",
    "<entry>",
    "</entry>",
    "<guid>x</guid>",
    "<?xml version=\"1.0\" encoding=\"latin1\"?>",
    "<!--",
    "-->",
    "<pubDate>",
    "Mon, 99 Nov 2026",
    "{\"version\":\"https://jsonfeed.org/version/1.1\",\"items\":[{\"id\":1,\"content_text\":\"x\"}]}",
    "<",
    ">",
    "\"",
    "<link href=\"//a\"/>",
    "<rdf:RDF>",
];

proptest! {
    #[test]
    fn whatever_is_typed_as_a_rule_is_understood_or_pointed_at(typed in pieces(QUERY, 12)) {
        checks::query(&typed);
    }

    #[test]
    fn whatever_comes_on_the_stream_is_heard_as_if_parsed_first(message in pieces(MESSAGE, 24)) {
        checks::message(&WATCH, message.as_bytes());
    }

    #[test]
    fn whatever_a_server_calls_a_feed_is_read_within_bounds(feed in pieces(FEED, 24), cut in 0_usize..400) {
        checks::feed(feed.as_bytes());
        checks::feed(feed.as_bytes().get(..cut.min(feed.len())).unwrap_or_default());
    }

    #[test]
    fn no_bytes_at_all_make_a_reader_fall(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        checks::message(&WATCH, &bytes);
        checks::feed(&bytes);
    }
}
