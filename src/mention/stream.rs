//! From the bytes of a stream message (the shape of Bluesky's Jetstream) to the rules that match, without parsing the
//! nine hundred and ninety-nine of a thousand messages that cannot match.
//!
//! A message is scanned for the keys of its texts: `text`, `alt`, `title`, `description`, `tag` and what stands in `tags`,
//! wherever they are. If no word in them wakes a rule, the message is done. In doubt (an escape that is not understood,
//! a message that ends too early, a key written with escapes) it is parsed as everybody parses it, so that the answer
//! is always the one that parsing first would have given.

use std::sync::LazyLock;

use aho_corasick::packed::Searcher;
use serde_json::Value;

use super::Heard;
use super::token::{self, GAP};
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
    unescaped: String,
    scratch: Scratch,
}

impl Gathered {
    /// Numbers of the rules that matched the last message.
    #[must_use]
    pub fn rules(&self) -> &[u32] {
        self.scratch.rules()
    }

    /// The texts of the last message, one a line; empty when it was not parsed.
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
    if !watch.wakes_for_all(&heard("", "")) && is_silent(watch, message, &mut gathered.unescaped) {
        return Verdict::Silent;
    }
    let Ok(json) = simdutf8::basic::from_utf8(message) else { return Verdict::Unreadable };
    parse_first(watch, json, gathered)
}

/// The plain way: parse, gather, match. What [`listen`] answers is what this answers.
pub fn parse_first(watch: &Watch, json: &str, gathered: &mut Gathered) -> Verdict {
    gathered.text.clear();
    gathered.scratch.forget();
    let Ok(message) = serde_json::from_str::<Value>(json) else { return Verdict::Unreadable };
    // Profiles, likes and follows say something about people, not about us: only posts are heard.
    // The older dialect has the commit in the message, the newer is one in an envelope.
    let commit = message.get("commit").or_else(|| message.get("payload")).unwrap_or(&message);
    let is_post = commit.get("collection").and_then(Value::as_str) == Some("app.bsky.feed.post");
    if let Some(record) = commit.get("record").filter(|_| is_post) {
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

/// Whether no text of a raw message holds a word that wakes a rule; in doubt it is not.
///
/// It looks for keys wherever they stand and never counts brackets, so at worst it hears too much, never too little.
fn is_silent(watch: &Watch, message: &[u8], room: &mut String) -> bool {
    let mut scan = Scan { watch, bytes: message, room, words: 0 };
    // Where the reader stops, it depends on the order of the texts what was read.
    scan.quietly().is_some() && scan.words < token::MAX_TOKENS
}

struct Scan<'a> {
    watch: &'a Watch,
    bytes: &'a [u8],
    /// Where a text with escapes is written out.
    room: &'a mut String,
    /// How many words were read.
    words: usize,
}

impl Scan<'_> {
    /// Nothing when a word wakes a rule, or when the message must be parsed to be understood.
    fn quietly(&mut self) -> Option<()> {
        let bytes = self.bytes;
        for sign in SIGNS.as_ref()?.find_iter(bytes) {
            let key = bytes.get(sign.start()..sign.end())?;
            if key.starts_with(b"\\") {
                return None;
            }
            let colon = blank(bytes, sign.end());
            if bytes.get(colon) != Some(&b':') {
                continue;
            }
            let value = blank(bytes, colon + 1);
            match bytes.get(value) {
                Some(b'"') => {
                    self.string(value)?;
                }
                Some(b'[') if key == b"\"tags\"" => self.list(value + 1)?,
                _ => {}
            }
        }
        Some(())
    }

    /// Reads the strings of a list; nothing when it holds something else.
    fn list(&mut self, start: usize) -> Option<()> {
        let mut here = blank(self.bytes, start);
        loop {
            match self.bytes.get(here)? {
                b'"' => here = blank(self.bytes, self.string(here)?),
                b',' => here = blank(self.bytes, here + 1),
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    /// Reads the string whose opening quotation mark stands at `open`; gives the place after its closing one, and
    /// nothing when a word of it wakes a rule. A tag is read without its `#`, which decides nothing here.
    fn string(&mut self, open: usize) -> Option<usize> {
        let (end, escaped) = string_end(self.bytes, open + 1)?;
        let raw = simdutf8::basic::from_utf8(self.bytes.get(open + 1..end)?).ok()?;
        let text = if escaped {
            self.room.clear();
            unescape(raw, self.room)?;
            self.room.as_str()
        } else {
            raw
        };
        (!self.watch.index().stirs(text, &mut self.words)).then_some(end + 1)
    }
}

/// The first byte from `here` that is no white space of JSON.
fn blank(bytes: &[u8], here: usize) -> usize {
    let rest = bytes.get(here..).unwrap_or_default();
    here + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
}

/// Where a string that began before `start` ends: the index of its closing quotation mark; and whether it has escapes.
fn string_end(bytes: &[u8], start: usize) -> Option<(usize, bool)> {
    let (mut here, mut escaped) = (start, false);
    loop {
        here += memchr::memchr2(b'"', b'\\', bytes.get(here..)?)?;
        if bytes.get(here) == Some(&b'"') {
            return Some((here, escaped));
        }
        escaped = true;
        here += 2;
    }
}

/// Adds a string as its reader would see it.
fn unescape(raw: &str, into: &mut String) -> Option<()> {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        into.push_str(rest.get(..at)?);
        rest = rest.get(at..)?;
        let escape = rest.as_bytes().get(1)?;
        let (letter, length) = match escape {
            b'"' | b'\\' | b'/' => (char::from(*escape), 2),
            b'n' => ('\n', 2),
            b't' => ('\t', 2),
            b'r' => ('\r', 2),
            b'b' => ('\u{8}', 2),
            b'f' => ('\u{c}', 2),
            b'u' => unicode(rest.as_bytes())?,
            _ => return None,
        };
        into.push(letter);
        rest = rest.get(length..)?;
    }
    into.push_str(rest);
    Some(())
}

/// The letter of `\u....`, or of two of them for what lies beyond 16 bits; and how many bytes it took.
fn unicode(escape: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        escape
            .get(at..at + 4)?
            .iter()
            .try_fold(0, |unit: u32, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
    };
    let first = unit(2)?;
    if let Some(letter) = char::from_u32(first) {
        return Some((letter, 6));
    }
    let second = escape.get(6..8).filter(|sign| *sign == b"\\u").and_then(|_| unit(8))?;
    let halves = [u16::try_from(first).ok()?, u16::try_from(second).ok()?];
    let letter = char::decode_utf16(halves).next()?.ok()?;
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
