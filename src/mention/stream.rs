//! From the bytes of a stream message (the shape of Bluesky's Jetstream) to the rules that match, without parsing the
//! nine hundred and ninety-nine of a thousand messages that cannot match.
//!
//! A message is scanned for the keys of its texts: `text`, `alt`, `title`, `description`, `tag` and what stands in `tags`,
//! wherever they are. If a word in them wakes no rule, the message is done. In doubt (an escape that is not understood,
//! a message that ends too early, a key written with escapes) it is parsed as everybody parses it, so that the answer
//! is always the one that parsing first would have given.

use std::sync::LazyLock;

use aho_corasick::packed::Searcher;
use serde_json::Value;

use super::Heard;
use super::token::GAP;
use super::watch::{Scratch, Watch};

/// Largest message that is read; a Bluesky post has at most 300 letters and a few links, 20 kB with everything.
pub const MAX_MESSAGE: usize = 256 * 1024;
/// Deepest nesting followed into embeds; records nest five deep.
const MAX_DEPTH: usize = 32;

/// Keys whose text people read: the post, pictures described, link cards, tags.
const KEYS: [&str; 5] = ["text", "alt", "title", "description", "tag"];

/// What a message turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No word of it wakes a rule. It was not parsed, so nobody knows whether it is whole.
    Silent,
    /// It was parsed; the numbers of the rules that match, often none, are in [`Gathered::rules`].
    Heard,
    /// It is no JSON, or larger than [`MAX_MESSAGE`].
    Unreadable,
}

/// Texts gathered from a message, used again from message to message.
#[derive(Debug, Default)]
pub struct Gathered {
    text: String,
    scratch: Scratch,
}

impl Gathered {
    /// Numbers of the rules that matched the last message.
    #[must_use]
    pub fn rules(&self) -> &[u32] {
        self.scratch.rules()
    }

    /// The texts of the last message, one a line.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Which rules match a message; without parsing it when none can.
pub fn listen(watch: &Watch, message: &[u8], gathered: &mut Gathered) -> Verdict {
    gathered.text.clear();
    gathered.scratch.forget();
    if message.len() > MAX_MESSAGE {
        return Verdict::Unreadable;
    }
    let Ok(json) = std::str::from_utf8(message) else { return Verdict::Unreadable };
    if scan(json, &mut gathered.text).is_some() && !watch.wakes(&heard(&gathered.text, ""), &mut gathered.scratch) {
        return Verdict::Silent;
    }
    parse_first(watch, json, gathered)
}

/// The plain way: parse, gather, match. What [`listen`] answers is what this answers.
pub fn parse_first(watch: &Watch, json: &str, gathered: &mut Gathered) -> Verdict {
    gathered.text.clear();
    gathered.scratch.forget();
    let Ok(message) = serde_json::from_str::<Value>(json) else { return Verdict::Unreadable };
    // Profiles, likes and follows say something about people, not about us: only posts are heard.
    let is_post = message.pointer("/commit/collection").and_then(Value::as_str) == Some("app.bsky.feed.post");
    if let Some(record) = message.pointer("/commit/record").filter(|_| is_post) {
        gather(record, None, 0, &mut gathered.text);
        let language = record.pointer("/langs/0").and_then(Value::as_str).unwrap_or_default();
        watch.matching(&heard(&gathered.text, language), &mut gathered.scratch);
    }
    Verdict::Heard
}

fn heard<'a>(text: &'a str, language: &'a str) -> Heard<'a> {
    Heard { text, channel: "bluesky", language, kind: "post", ..Heard::default() }
}

/// Texts of a parsed message, in the order of the map.
fn gather(value: &Value, key: Option<&str>, depth: usize, into: &mut String) {
    if depth > MAX_DEPTH {
        return;
    }
    match value {
        Value::String(text) => {
            if let Some(key) = key.filter(|key| is_read(key)) {
                add(text, key == "tag", into);
            }
        }
        Value::Array(items) => {
            let key = key.filter(|key| *key == "tags").map(|_| "tag");
            for item in items {
                gather(item, key, depth + 1, into);
            }
        }
        Value::Object(fields) => fields.iter().for_each(|(key, inner)| gather(inner, Some(key), depth + 1, into)),
        _ => {}
    }
}

fn is_read(key: &str) -> bool {
    KEYS.contains(&key)
}

/// Each text is followed by [`GAP`], so that no phrase and no NEAR reaches from one into the next; a tag keeps its `#`.
fn add(text: &str, tagged: bool, into: &mut String) {
    if tagged {
        into.push('#');
    }
    into.push_str(text);
    into.push(GAP);
}

/// Finds the keys whose texts are read, and escapes in which such a key could hide (`\u0061` is `a`).
/// Where the machine has no such search, every message is parsed.
static SIGNS: LazyLock<Option<Searcher>> = LazyLock::new(|| {
    Searcher::new(["\"text\"", "\"alt\"", "\"title\"", "\"description\"", "\"tag\"", "\"tags\"", "\\u006", "\\u007"])
});

/// Gathers the texts of a raw message; nothing when the message must be parsed to be understood.
///
/// It looks for keys wherever they stand and never counts brackets, so at worst it gathers too much, never too little.
fn scan(json: &str, into: &mut String) -> Option<()> {
    let bytes = json.as_bytes();
    for sign in SIGNS.as_ref()?.find_iter(json) {
        let key = json.get(sign.start()..sign.end())?;
        if key.starts_with('\\') {
            return None;
        }
        let colon = blank(bytes, sign.end());
        if bytes.get(colon) != Some(&b':') {
            continue;
        }
        let value = blank(bytes, colon + 1);
        match bytes.get(value) {
            Some(b'"') => {
                string(json, value, key == "\"tag\"", into)?;
            }
            Some(b'[') if key == "\"tags\"" => tags(json, value + 1, into)?,
            _ => {}
        }
    }
    Some(())
}

/// The strings of a list, each as a tag; nothing when it holds something else.
fn tags(json: &str, start: usize, into: &mut String) -> Option<()> {
    let bytes = json.as_bytes();
    let mut here = blank(bytes, start);
    loop {
        match bytes.get(here)? {
            b'"' => here = blank(bytes, string(json, here, true, into)?),
            b',' => here = blank(bytes, here + 1),
            b']' => return Some(()),
            _ => return None,
        }
    }
}

/// The first byte from `here` that is no white space of JSON.
fn blank(bytes: &[u8], here: usize) -> usize {
    let rest = bytes.get(here..).unwrap_or_default();
    here + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
}

/// Gathers the string whose opening quotation mark stands at `open`; gives the place after its closing one.
fn string(json: &str, open: usize, tagged: bool, into: &mut String) -> Option<usize> {
    let end = string_end(json.as_bytes(), open + 1)?;
    unescape(json.get(open + 1..end)?, tagged, into)?;
    Some(end + 1)
}

/// Where a string that began before `start` ends: the index of its closing quotation mark.
fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut here = start;
    loop {
        match bytes.get(here)? {
            b'"' => return Some(here),
            b'\\' => here += 2,
            _ => here += 1,
        }
    }
}

/// Adds a string as its reader would see it.
fn unescape(raw: &str, tagged: bool, into: &mut String) -> Option<()> {
    if !raw.contains('\\') {
        add(raw, tagged, into);
        return Some(());
    }
    if tagged {
        into.push('#');
    }
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        into.push_str(rest.get(..at)?);
        let escape = rest.as_bytes().get(at + 1)?;
        let (letter, length) = match escape {
            b'"' | b'\\' | b'/' => (char::from(*escape), 2),
            b'n' => ('\n', 2),
            b't' => ('\t', 2),
            b'r' => ('\r', 2),
            b'b' => ('\u{8}', 2),
            b'f' => ('\u{c}', 2),
            b'u' => unicode(rest.get(at..)?)?,
            _ => return None,
        };
        into.push(letter);
        rest = rest.get(at + length..)?;
    }
    into.push_str(rest);
    into.push(GAP);
    Some(())
}

/// The letter of `\u....`, or of two of them for what lies beyond 16 bits; and how many bytes it took.
fn unicode(escape: &str) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = escape.get(at..at + 4).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        u16::from_str_radix(digits, 16).ok()
    };
    let first = unit(2)?;
    if let Some(letter) = char::from_u32(first.into()) {
        return Some((letter, 6));
    }
    let second = escape.get(6..8).filter(|sign| *sign == "\\u").and_then(|_| unit(8))?;
    let letter = char::decode_utf16([first, second]).next()?.ok()?;
    Some((letter, 12))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use serde_json::json;

    use super::super::query::parse;
    use super::super::watch::compile;
    use super::super::words::{Rule, Sign, Words};
    use super::*;

    fn watch_of(queries: &[&str]) -> Watch {
        let rules = queries.iter().map(|text| Rule {
            name: (*text).to_owned(),
            query: parse(text).unwrap(),
            sign: Sign::Review,
            because: String::new(),
        });
        compile(&Words { rules: rules.collect(), ..Words::default() })
    }

    fn message(record: &Value) -> Value {
        json!({
            "did": "did:plc:ale2alealeale", "time_us": 1, "kind": "commit",
            "commit": { "rev": "ale", "operation": "create", "collection": "app.bsky.feed.post", "rkey": "3k", "record": record }
        })
    }

    /// JSON with its keys turned round or not, and its letters escaped in one of three ways.
    fn written(value: &Value, turned: bool, escapes: u8) -> String {
        match value {
            Value::String(text) => quoted(text, escapes),
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| written(item, turned, escapes)).collect();
                format!("[{}]", items.join(" , "))
            }
            Value::Object(fields) => {
                let mut pairs: Vec<String> = fields
                    .iter()
                    .map(|(key, inner)| format!("\"{key}\" : {}", written(inner, turned, escapes)))
                    .collect();
                if turned {
                    pairs.reverse();
                }
                format!("{{{}}}", pairs.join(","))
            }
            other => other.to_string(),
        }
    }

    fn quoted(text: &str, escapes: u8) -> String {
        let mut quoted = String::from("\"");
        for letter in text.chars() {
            let escape = match escapes {
                0 => matches!(letter, '"' | '\\'),
                1 => matches!(letter, '"' | '\\' | '&' | '<' | '>'),
                _ => !letter.is_ascii() || matches!(letter, '"' | '\\' | 'a'),
            };
            if escape || letter.is_control() {
                let mut units = [0; 2];
                for unit in letter.encode_utf16(&mut units) {
                    write!(quoted, "\\u{unit:04x}").unwrap();
                }
            } else {
                quoted.push(letter);
            }
        }
        quoted.push('"');
        quoted
    }

    fn texts() -> impl Strategy<Value = String> {
        let words = ["ale", "kommun", "torg", "hej", "på", "älvängen", "🍻", "\"citat\"", "a\\b", "<b>", "x", "i"];
        prop::collection::vec(prop::sample::select(words.to_vec()), 0..5).prop_map(|row| row.join(" "))
    }

    proptest! {
        #[test]
        fn a_message_is_heard_as_if_it_had_been_parsed_first(
            rows in prop::collection::vec(texts(), 6),
            turned in any::<bool>(),
            escapes in 0..3_u8,
            cut in prop::option::of(0..400_usize),
        ) {
            static WATCH: LazyLock<Watch> = LazyLock::new(|| {
                watch_of(&["\"ale kommun\"", "älvängen", "#torg", "torg NOT ale", "ale AND hej", "hej NEAR/2 i", "lang:sv AND på"])
            });
            let record = json!({
                "$type": "app.bsky.feed.post", "langs": ["sv"], "text": rows[0], "tags": [rows[1], "x"],
                "embed": { "images": [{ "alt": rows[2], "image": { "size": 1 } }], "external": { "title": rows[3], "description": rows[4], "uri": "https://a.example/ale" } },
                "facets": [{ "index": { "byteEnd": 3 }, "features": [{ "$type": "app.bsky.richtext.facet#tag", "tag": rows[5] }] }]
            });
            let mut raw = written(&message(&record), turned, escapes);
            if let Some(cut) = cut.filter(|cut| raw.is_char_boundary(*cut)) {
                raw.truncate(cut);
            }
            let (mut quick, mut plain) = (Gathered::default(), Gathered::default());
            let verdict = listen(&WATCH, raw.as_bytes(), &mut quick);
            parse_first(&WATCH, &raw, &mut plain);
            prop_assert_eq!(quick.rules(), plain.rules(), "{:?} {}", verdict, raw);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[\"\\\\:{}\\[\\],a-z ]{0,60}") {
            let watch = watch_of(&["ale"]);
            let mut gathered = Gathered::default();
            listen(&watch, &bytes, &mut gathered);
            listen(&watch, text.as_bytes(), &mut gathered);
        }
    }

    #[test]
    fn a_key_written_in_escapes_is_still_a_key() {
        let watch = watch_of(&["ale"]);
        let mut gathered = Gathered::default();
        let plain = message(&json!({ "text": "Ale" })).to_string();
        for key in ["\"te\\u0078t\"", "\"\\u0074ext\"", "\"text\" \n"] {
            let odd = plain.replace("\"text\"", key);
            assert_eq!(listen(&watch, odd.as_bytes(), &mut gathered), Verdict::Heard, "{odd}");
            assert_eq!(gathered.rules(), [0], "{odd}");
        }
    }

    #[test]
    fn most_messages_are_never_parsed_and_profiles_are_never_heard() {
        let watch = watch_of(&["ale"]);
        let mut gathered = Gathered::default();
        let silent = message(&json!({ "text": "god morgon", "langs": ["sv"] })).to_string();
        assert_eq!(listen(&watch, silent.as_bytes(), &mut gathered), Verdict::Silent);
        let heard = message(&json!({ "text": "god morgon", "embed": { "alt": "Ale torg" } })).to_string();
        assert_eq!(listen(&watch, heard.as_bytes(), &mut gathered), Verdict::Heard);
        assert_eq!(gathered.rules(), [0]);
        let profile = heard.replace("app.bsky.feed.post", "app.bsky.actor.profile");
        listen(&watch, profile.as_bytes(), &mut gathered);
        assert!(gathered.rules().is_empty());
    }
}
