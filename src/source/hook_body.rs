//! What is handed in at a web hook: the documented JSON (docs/kanaler.md), held strictly to its word, so that a sender
//! who writes a field wrong hears it at once and not when a post is missed.

use serde::{Deserialize, Serialize};
use url::Url;

use super::hook::{Fault, Hook, Takes};
use super::reduce::{self, Markup};
use super::watched::is_slug;
use super::{Gone, Kind, Name, Post};
use crate::clock::Time;

/// Items of one delivery.
pub const ITEMS_MAX: usize = 200;
/// Brackets within brackets; what is documented has three.
const DEPTH_MAX: usize = 8;
/// Bytes of the sender's own name for a post.
const ID_MAX: usize = 200;
/// Bytes of a post's words; the rest is cut off. An article is some ten thousand.
const TEXT_MAX: usize = 50_000;
/// Bytes of a headline or a writer's name; the rest is cut off.
const LINE_MAX: usize = 300;
/// Bytes of an address.
const URL_MAX: usize = 2_000;

/// A delivery.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    items: Vec<Item>,
}

/// A post as it is handed in; the same form is kept until it has been taken on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Item {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audience: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    own: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    written_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_at: Option<String>,
}

/// Whose delivery it is.
#[derive(Debug, Clone, Copy)]
pub struct From<'a> {
    /// The source's key: ids of two senders are never taken for each other.
    pub key: &'a str,
    /// The channel of its posts.
    pub channel: &'a str,
    /// True when all of it is our own voice.
    pub own: bool,
    /// What of it is kept.
    pub takes: Takes,
}

impl<'a> From<'a> {
    /// As the source is configured.
    #[must_use]
    pub fn of(setting: &'a super::watched::SourceSetting, hook: &Hook) -> Self {
        Self { key: &setting.key, channel: &setting.channel, own: setting.own, takes: hook.takes }
    }
}

/// One item, understood.
#[derive(Debug, Clone, PartialEq)]
pub enum Handed {
    /// A post, new or changed.
    Said(Box<Post>),
    /// A post that has been taken away.
    Gone(Gone),
}

/// Reads a delivery: each item as it came with what it means.
///
/// # Errors
/// The first thing that is wrong, by item and field.
pub fn read(body: &[u8], from: From<'_>) -> Result<Vec<(Item, Handed)>, Fault> {
    if depth(body) > DEPTH_MAX {
        let what = format!("JSON:en får vara nästlad i högst {DEPTH_MAX} nivåer.");
        return Err(Fault { code: "too_deep", what, item: None, field: None });
    }
    let document: Document = serde_json::from_slice(body).map_err(|fault| {
        let what = format!(
            "JSON:en går inte att läsa, rad {} kolumn {}: {fault}. Formen står i docs/kanaler.md.",
            fault.line(),
            fault.column()
        );
        Fault { code: "unreadable", what, item: None, field: None }
    })?;
    if document.items.len() > ITEMS_MAX {
        let what = format!("Högst {ITEMS_MAX} inlägg i en leverans. Dela upp dem.");
        return Err(Fault { code: "too_many_items", what, item: None, field: Some("items") });
    }
    understood(document.items, from)
}

/// What was kept of a delivery, read again. Each item has been understood before.
///
/// # Errors
/// When it was written by another version of the program.
pub fn read_kept(kept: &str, from: From<'_>) -> Result<Vec<(Item, Handed)>, Fault> {
    let unreadable =
        |fault: serde_json::Error| Fault { code: "unreadable", what: fault.to_string(), item: None, field: None };
    understood(serde_json::from_str(kept).map_err(unreadable)?, from)
}

fn understood(items: Vec<Item>, from: From<'_>) -> Result<Vec<(Item, Handed)>, Fault> {
    let each = items.into_iter().enumerate().map(|(n, item)| {
        let handed = item.handed(from).map_err(|(field, what)| Fault {
            code: "bad_item",
            what,
            item: Some(n),
            field: Some(field),
        })?;
        Ok((item, handed))
    });
    each.collect()
}

type Wrong = (&'static str, String);

impl Item {
    fn handed(&self, from: From<'_>) -> Result<Handed, Wrong> {
        let id = name("id", from.key, Some(&self.id))?.ok_or(("id", "id saknas.".to_owned()))?;
        let changed_at = moment("changed_at", self.changed_at.as_deref())?;
        match self.state.as_deref().unwrap_or("published") {
            "deleted" => return Ok(Handed::Gone(Gone { name: Name::Native(id), at: changed_at })),
            "changed" if changed_at.is_none() => {
                return Err(("changed_at", "changed_at saknas: ett ändrat inlägg säger när det ändrades.".to_owned()));
            }
            "published" | "changed" => {}
            other => return Err(one_of("state", other, "published, changed eller deleted")),
        }
        let (text, markup) = self.words()?;
        let url = self.url.as_deref().map(address).transpose()?;
        Ok(Handed::Said(Box::new(Post {
            channel: from.channel.to_owned(),
            native_id: id,
            url,
            thread: name("thread", from.key, self.thread.as_deref())?,
            reply_to: name("reply_to", from.key, self.reply_to.as_deref())?,
            kind: self.kind()?,
            title: self.title.as_deref().map(line).filter(|title| !title.is_empty()),
            text,
            markup,
            author: self.author.as_deref().map(line).filter(|author| !author.is_empty()),
            language: self.language()?,
            authored_at: moment("written_at", self.written_at.as_deref())?,
            updated_at: changed_at,
            own: self.own || from.own,
            to_us: self.is_to_us()? || from.takes == Takes::Everything,
            handed_in: from.takes == Takes::Everything,
            ..Post::default()
        })))
    }

    fn words(&self) -> Result<(String, Option<Markup>), Wrong> {
        let (text, markup) = match (&self.text, &self.html) {
            (Some(_), Some(_)) => return Err(("html", "Skriv antingen text eller html, inte båda.".to_owned())),
            (Some(text), None) => (reduce::tidy(text), None),
            (None, Some(html)) => (reduce::text_of(html), Some(Markup::new(html.clone(), None))),
            (None, None) => return Err(("text", "text saknas (eller html).".to_owned())),
        };
        if text.is_empty() {
            return Err(("text", "text är tom.".to_owned()));
        }
        Ok((reduce::cut(&text, TEXT_MAX).to_owned(), markup))
    }

    fn kind(&self) -> Result<Kind, Wrong> {
        Ok(match self.kind.as_deref() {
            None | Some("post") => Kind::Post,
            Some("article") => Kind::Article,
            Some("comment") => Kind::Comment,
            Some("review") => Kind::Review,
            Some("mail") => Kind::Mail,
            Some(other) => return Err(one_of("kind", other, "post, article, comment, review eller mail")),
        })
    }

    fn language(&self) -> Result<Option<String>, Wrong> {
        let Some(tag) = self.language.as_deref().filter(|tag| !tag.is_empty()) else { return Ok(None) };
        let lower = tag.to_ascii_lowercase();
        if lower.len() > 35 || !is_slug(&lower) {
            return Err(("language", format!("language är `{}`, ska vara en språktagg som sv.", line(tag))));
        }
        Ok(Some(lower))
    }

    /// REF-10: what was neither open to all nor said to us has no business here, whoever hands it in.
    fn is_to_us(&self) -> Result<bool, Wrong> {
        match self.audience.as_deref() {
            None | Some("public") => Ok(false),
            Some("municipality") => Ok(true),
            Some(other) => Err((
                "audience",
                format!(
                    "audience är `{}`, ska vara public (öppet för alla) eller municipality (ställt till kommunen). Det som \
                     bara är öppet för några tas inte emot (REF-10).",
                    line(other)
                ),
            )),
        }
    }
}

fn one_of(field: &'static str, found: &str, known: &str) -> Wrong {
    (field, format!("{field} är `{}`, ska vara {known}.", line(found)))
}

/// A line of a stranger's, bounded.
fn line(text: &str) -> String {
    reduce::cut(&reduce::tidy(text).replace('\n', " "), LINE_MAX).trim().to_owned()
}

fn name(field: &'static str, key: &str, said: Option<&str>) -> Result<Option<String>, Wrong> {
    let Some(said) = said.map(str::trim).filter(|said| !said.is_empty()) else { return Ok(None) };
    if said.len() > ID_MAX || said.chars().any(char::is_control) {
        return Err((field, format!("{field} ska vara högst {ID_MAX} byte utan styrtecken.")));
    }
    Ok(Some(format!("{key}/{said}")))
}

fn address(said: &str) -> Result<String, Wrong> {
    let url = Url::parse(said).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.filter(|url| url.as_str().len() <= URL_MAX);
    url.map(String::from)
        .ok_or_else(|| ("url", format!("url ska vara en hel adress med https:// eller http://, högst {URL_MAX} byte.")))
}

fn moment(field: &'static str, said: Option<&str>) -> Result<Option<Time>, Wrong> {
    let Some(said) = said else { return Ok(None) };
    let read = Time::parse(said).ok();
    read.map(Some).ok_or_else(|| {
        (
            field,
            format!("{field} är `{}`, ska vara en tid med zon (RFC 3339) som 2026-11-23T08:30:00+01:00.", line(said)),
        )
    })
}

/// How deep brackets stand in brackets, in one pass and without memory: told before the body is read as JSON.
fn depth(body: &[u8]) -> usize {
    let (mut deep, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                deep += 1;
                deepest = deepest.max(deep);
            }
            b'}' | b']' if !quoted => deep = deep.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FROM: From<'_> = From { key: "e-tjanst", channel: "e-tjanst", own: false, takes: Takes::Heard };

    fn one(item: &str) -> Result<Handed, Fault> {
        read(format!("{{\"items\":[{item}]}}").as_bytes(), FROM).map(|mut all| all.remove(0).1)
    }

    fn said(item: &str) -> Post {
        match one(item).unwrap() {
            Handed::Said(post) => *post,
            Handed::Gone(gone) => panic!("{gone:?}"),
        }
    }

    #[test]
    fn a_post_needs_an_id_and_words_and_the_rest_has_defaults() {
        let post = said(r#"{"id":"17","text":"Brunt  vatten i Nol"}"#);
        assert_eq!((post.native_id.as_str(), post.text.as_str()), ("e-tjanst/17", "Brunt vatten i Nol"));
        assert_eq!((post.kind, post.own, post.to_us, post.authored_at), (Kind::Post, false, false, None));
        let fault = |item: &str| one(item).unwrap_err().field;
        assert_eq!(fault(r#"{"text":"x"}"#), Some("id"));
        assert_eq!(fault(r#"{"id":"1"}"#), Some("text"));
        assert_eq!(fault(r#"{"id":"1","text":"  "}"#), Some("text"));
    }

    #[test]
    fn everything_that_is_documented_is_understood() {
        let post = said(
            r#"{"id":"2","state":"changed","title":"Fråga","html":"<p>Hej <b>Ale</b></p><script>x</script>",
                "url":"https://e.ale.se/2","author":"Eva","language":"sv-SE","kind":"comment","thread":"1","reply_to":"1",
                "audience":"municipality","own":false,"written_at":"2026-11-23T08:30:00+01:00","changed_at":"2026-11-23T08:00:00Z"}"#,
        );
        assert_eq!((post.text.as_str(), post.kind, post.to_us), ("Hej Ale", Kind::Comment, true));
        assert_eq!(post.thread.as_deref(), Some("e-tjanst/1"));
        assert_eq!(post.updated_at.unwrap().since(post.authored_at.unwrap()).as_secs(), 1_800);
        assert_eq!(post.markup.unwrap().sanitised().as_deref(), Some("<p>Hej <b>Ale</b></p>"));
        let gone = one(r#"{"id":"2","state":"deleted","changed_at":"2026-11-23T09:00:00Z"}"#).unwrap();
        assert!(
            matches!(gone, Handed::Gone(gone) if gone.name == Name::Native("e-tjanst/2".into()) && gone.at.is_some())
        );
    }

    #[test]
    fn the_body_in_the_documentation_is_understood_and_each_of_its_fields_documented() {
        let documentation = include_str!("../../docs/kanaler.md");
        let body = documentation.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
        let read = read(body.as_bytes(), FROM).unwrap();
        assert_eq!(read.len(), 3);
        let odd = super::read(br#"{"items":[{"x":1}]}"#, FROM).unwrap_err().what;
        let fields = odd.split('`').skip(3).step_by(2);
        assert_eq!(fields.filter(|field| !documentation.contains(&format!("`{field}`"))).collect::<Vec<_>>(), [""; 0]);
    }

    #[test]
    fn what_is_wrong_is_said_by_item_and_field() {
        let fault =
            read(br#"{"items":[{"id":"1","text":"x"},{"id":"2","text":"x","kind":"brev"}]}"#, FROM).unwrap_err();
        assert_eq!((fault.item, fault.field, fault.code), (Some(1), Some("kind"), "bad_item"));
        assert!(fault.what.contains("`brev`") && fault.what.contains("review"), "{fault}");
        for (item, field) in [
            (r#"{"id":"1","text":"x","html":"y"}"#, "html"),
            (r#"{"id":"1","text":"x","state":"gone"}"#, "state"),
            (r#"{"id":"1","text":"x","state":"changed"}"#, "changed_at"),
            (r#"{"id":"1","text":"x","url":"javascript:alert(1)"}"#, "url"),
            (r#"{"id":"1","text":"x","written_at":"i går"}"#, "written_at"),
            (r#"{"id":"1","text":"x","written_at":"2026-11-23T08:30:00"}"#, "written_at"),
            (r#"{"id":"1","text":"x","language":"svenska språket"}"#, "language"),
            (r#"{"id":"a\u0000b","text":"x"}"#, "id"),
        ] {
            assert_eq!(one(item).unwrap_err().field, Some(field), "{item}");
        }
        let typo = one(r#"{"id":"1","txt":"x"}"#).unwrap_err();
        assert!(typo.code == "unreadable" && typo.what.contains("txt"), "{typo}");
    }

    #[test]
    fn ref_10_what_was_open_to_some_only_is_refused_whoever_hands_it_in() {
        let fault = one(r#"{"id":"1","text":"x","audience":"members"}"#).unwrap_err();
        assert!(fault.field == Some("audience") && fault.what.contains("REF-10"), "{fault}");
    }

    #[test]
    fn size_number_and_depth_are_bounded() {
        let many: Vec<String> = (0..=ITEMS_MAX).map(|n| format!("{{\"id\":\"{n}\",\"text\":\"x\"}}")).collect();
        let fault = read(format!("{{\"items\":[{}]}}", many.join(",")).as_bytes(), FROM).unwrap_err();
        assert_eq!(fault.code, "too_many_items");
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(read(deep.as_bytes(), FROM).unwrap_err().code, "too_deep");
        assert_eq!(depth(br#"{"items":[{"id":"[[[[\"{{{{","text":"x"}]}"#), 3, "brackets in words do not count");
        let long = said(&format!(r#"{{"id":"1","text":"{}"}}"#, "å".repeat(TEXT_MAX)));
        assert_eq!(long.text.len(), TEXT_MAX);
    }

    #[test]
    fn what_is_kept_of_an_item_means_the_same_when_it_is_read_again() {
        let body =
            br#"{"items":[{"id":"1","text":"x","own":true,"audience":"municipality"},{"id":"2","state":"deleted"}]}"#;
        let first = read(body, FROM).unwrap();
        let items: Vec<&Item> = first.iter().map(|(item, _)| item).collect();
        let again = read_kept(&serde_json::to_string(&items).unwrap(), FROM).unwrap();
        assert_eq!(first, again);
    }

    proptest! {
        #[test]
        fn no_body_makes_the_reader_fall_over(body in "\\PC{0,300}") {
            let _ = read(body.as_bytes(), FROM);
        }
    }
}
