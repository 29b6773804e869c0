//! What is looked for in a raw message of a stream besides the words of the rules: our own accounts, threads that we watch,
//! signs that a post was changed or taken away, and the place that every message has. One pass over its bytes, however
//! many accounts and threads there are.

use std::sync::LazyLock;

use aho_corasick::packed::Searcher;
use aho_corasick::{AhoCorasick, BuildError};
use memchr::memmem;
use rustc_hash::FxHashSet;

/// How the lasting name of an account begins, and what stands behind [`SCHEME`] in the name of a post.
const DID: &str = "did:";
/// How the name of a post begins.
const SCHEME: &str = "at://";
/// What is found first: a name, signs of a change, and places in either dialect.
const SIGNS: [&str; 6] = [DID, "\"delete\"", "\"update\"", "\"time_us\"", "\"seq\"", "\"witnessedAt\""];
/// How many of the signs, after the first, tell of a change.
const CHANGES: usize = 2;
/// Names are shorter than this; a longer one is looked for as it is.
const NAME_MAX: usize = 512;

/// Finds [`SIGNS`] many bytes at a time, where the machine has such a search.
static SEARCH: LazyLock<Option<Searcher>> = LazyLock::new(|| Searcher::new(SIGNS));

/// What a message has of what is looked for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Marked {
    /// One of our accounts or a watched thread is named.
    pub ours: bool,
    /// A post may have been changed or taken away.
    pub changes: bool,
    /// It has a place in the stream.
    pub placed: bool,
}

/// The names that are looked for.
#[derive(Debug, Default)]
pub struct Marks {
    /// Accounts, by their DID.
    accounts: FxHashSet<Box<[u8]>>,
    /// First posts of threads, without [`SCHEME`].
    threads: FxHashSet<Box<[u8]>>,
    /// Names of no usual form: looked for anywhere.
    odd: Option<AhoCorasick>,
}

impl Marks {
    /// Our accounts by their DID, and the threads that we watch by the name of their first post.
    ///
    /// # Errors
    /// When there are more odd names than a search can hold.
    pub fn of<'a>(
        accounts: impl IntoIterator<Item = &'a str>,
        threads: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, BuildError> {
        let (mut marks, mut odd) = (Self::default(), Vec::new());
        let is_usual = |name: &&str| name.starts_with(DID) && name.len() < NAME_MAX && !name.contains(['"', '\\']);
        for account in accounts {
            match Some(account).filter(|name| is_usual(name) && !name.contains('/')) {
                Some(did) => {
                    marks.accounts.insert(did.as_bytes().into());
                }
                None => odd.push(account),
            }
        }
        for thread in threads {
            match thread.strip_prefix(SCHEME).filter(is_usual) {
                Some(name) => {
                    marks.threads.insert(name.as_bytes().into());
                }
                None => odd.push(thread),
            }
        }
        marks.odd = if odd.is_empty() { None } else { Some(AhoCorasick::new(odd)?) };
        Ok(marks)
    }

    /// Looks a message through. A name counts where it stands as a whole: to its quotation mark, and that of an account
    /// to the slash behind it.
    #[must_use]
    pub fn marked(&self, message: &[u8]) -> Marked {
        let mut marked =
            Marked { ours: self.odd.as_ref().is_some_and(|odd| odd.is_match(message)), ..Marked::default() };
        match SEARCH.as_ref() {
            Some(search) => {
                for found in search.find_iter(message) {
                    self.note(found.pattern().as_usize(), found.start(), message, &mut marked);
                }
            }
            None => {
                for (number, sign) in SIGNS.iter().enumerate() {
                    for at in memmem::find_iter(message, *sign) {
                        self.note(number, at, message, &mut marked);
                    }
                }
            }
        }
        marked
    }

    #[inline]
    fn note(&self, sign: usize, at: usize, message: &[u8], marked: &mut Marked) {
        match sign {
            0 => marked.ours = marked.ours || self.is_ours(message.get(at..).unwrap_or_default()),
            1..=CHANGES => marked.changes = true,
            _ => marked.placed = true,
        }
    }

    /// Whether the name that the text begins with is looked for.
    fn is_ours(&self, text: &[u8]) -> bool {
        let room = text.get(..NAME_MAX).unwrap_or(text);
        let until = |end: Option<usize>, of: &'_ [u8]| end.unwrap_or(of.len());
        let name = room.get(..until(memchr::memchr2(b'"', b'\\', room), room)).unwrap_or_default();
        let did = name.get(..until(memchr::memchr(b'/', name), name)).unwrap_or_default();
        self.accounts.contains(did) || self.threads.contains(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREAD: &str = "at://did:plc:eva/app.bsky.feed.post/3k1";

    fn marks() -> Marks {
        Marks::of(["did:plc:ale"], [THREAD]).unwrap()
    }

    #[test]
    fn what_a_message_names_changes_and_where_it_lies_is_seen_without_parsing_it() {
        let marks = marks();
        let marked = |text: &str| marks.marked(text.as_bytes());
        let v1 = r#"{"did":"did:plc:bo","time_us":5,"kind":"commit","commit":{"operation":"create"}}"#;
        assert_eq!(marked(v1), Marked { placed: true, ..Marked::default() });
        let v2 = r#"{"payload":{"seq":5,"did":"did:plc:ale","operation":"delete"}}"#;
        assert_eq!(marked(v2), Marked { ours: true, changes: true, placed: true });
        let new = r#"{"payload":{"witnessedAt":"2026-11-23T08:00:00Z","did":"did:plc:bo","operation":"update"}}"#;
        assert_eq!(marked(new), Marked { ours: false, changes: true, placed: true });
        for odd in ["<html>inloggning</html>", "[]", r#"{"hello":"world"}"#, ""] {
            assert_eq!(marked(odd), Marked::default(), "{odd}");
        }
    }

    #[test]
    fn a_name_counts_as_a_whole_wherever_it_stands() {
        let marks = marks();
        let ours = |text: &str| marks.marked(text.as_bytes()).ours;
        for named in [
            r#"{"features":[{"did":"did:plc:ale"}]}"#,
            r#"{"parent":{"uri":"at://did:plc:ale/app.bsky.feed.post/3k9"}}"#,
            r#"{"reply":{"root":{"cid":"x","uri":"at://did:plc:eva/app.bsky.feed.post/3k1"}}}"#,
            r#"{"did":"did:plc:bo","subject":"did:plc:ale"}"#,
        ] {
            assert!(ours(named), "{named}");
        }
        for others in [
            r#"{"did":"did:plc:alexander"}"#,
            r#"{"did":"did:plc:eva"}"#,
            r#"{"uri":"at://did:plc:eva/app.bsky.feed.post/3k12"}"#,
            r#"{"uri":"at://did:plc:eva/app.bsky.feed.like/3k1"}"#,
            r#"{"did":"did:plc:al\u0065"}"#,
            "did:",
        ] {
            assert!(!ours(others), "{others}");
        }
        assert!(!Marks::of([], []).unwrap().marked(br#"{"did":"did:plc:ale"}"#).ours);
    }

    #[test]
    fn a_name_of_no_usual_form_is_looked_for_as_it_is() {
        let long = format!("at://did:plc:{}/app.bsky.feed.post/3k1", "x".repeat(NAME_MAX));
        let odd = ["at://eva.example/app.bsky.feed.post/3k1", long.as_str()];
        let marks = Marks::of(["alekommun.example"], odd).unwrap();
        for name in odd.into_iter().chain(["alekommun.example"]) {
            assert!(marks.marked(format!("{{\"x\":\"{name}\"}}").as_bytes()).ours, "{name}");
        }
        assert!(!marks.marked(br#"{"did":"did:plc:ale"}"#).ours);
    }

    #[test]
    fn many_names_are_each_found_and_no_other() {
        let names: Vec<String> = (0..500).map(|n| format!("at://did:plc:d{n}/app.bsky.feed.post/k{n}")).collect();
        let marks = Marks::of([], names.iter().step_by(2).map(String::as_str)).unwrap();
        for (number, name) in names.iter().enumerate() {
            let message = format!("{{\"time_us\":1,\"reply\":{{\"root\":{{\"uri\":\"{name}\"}}}}}}");
            let found = marks.marked(message.as_bytes());
            assert_eq!(found, Marked { ours: number % 2 == 0, changes: false, placed: true }, "{name}");
        }
    }
}
