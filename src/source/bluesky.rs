//! A post on Bluesky: from the record that the AT Protocol carries to a post as we hear it.

use serde_json::Value;
use url::Url;

use super::account::Accounts;
use super::{Kind, Post};
use crate::clock::Time;

/// Slug of the channel.
pub const CHANNEL: &str = "bluesky";
/// The collection in which posts are.
pub const POSTS: &str = "app.bsky.feed.post";
/// Where posts are read as long as nothing else is said.
pub const WEB: &str = "https://bsky.app/";
/// Letters of a post and all that is described in it; a post itself has at most 300.
const TEXT_MAX: usize = 20_000;
/// Facets of a post that are looked at.
const FACETS: usize = 100;

/// An at-uri in its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtUri<'a> {
    /// Whose repository.
    pub did: &'a str,
    /// Which collection.
    pub collection: &'a str,
    /// Which record in it.
    pub rkey: &'a str,
}

impl<'a> AtUri<'a> {
    /// Reads `at://did/collection/rkey`; nothing else.
    #[must_use]
    pub fn parse(uri: &'a str) -> Option<Self> {
        let mut parts = uri.strip_prefix("at://")?.split('/');
        let (did, collection, rkey) = (parts.next()?, parts.next()?, parts.next()?);
        (parts.next().is_none() && did.starts_with("did:") && !collection.is_empty() && !rkey.is_empty())
            .then_some(Self { did, collection, rkey })
    }
}

/// The name of a post everywhere.
#[must_use]
pub fn name_of(did: &str, rkey: &str) -> String {
    format!("at://{did}/{POSTS}/{rkey}")
}

/// What is known of a record besides itself.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// Its at-uri.
    pub uri: &'a str,
    /// What its writer calls herself, where the channel says.
    pub handle: Option<&'a str>,
    /// When the network first saw it: a record can claim any time for itself.
    pub seen_at: Option<Time>,
    /// The web pages where a person reads posts.
    pub web: &'a Url,
}

/// A post from its record; nothing when it is none.
#[must_use]
pub fn post(found: Found<'_>, record: &Value, accounts: &Accounts) -> Option<Post> {
    let uri = AtUri::parse(found.uri).filter(|uri| uri.collection == POSTS)?;
    let of = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
    let created = of("/createdAt").and_then(|at| Time::parse(at).ok());
    // As the network itself sorts: the earlier of what the writer says and what was seen.
    let authored_at = match (created, found.seen_at) {
        (Some(created), Some(seen)) => Some(created.min(seen)),
        (created, seen) => created.or(seen),
    };
    let (parent, root) = (of("/reply/parent/uri"), of("/reply/root/uri"));
    let ours = |uri: Option<&str>| uri.and_then(AtUri::parse).is_some_and(|uri| accounts.is_ours(CHANNEL, uri.did));
    let quoted = of("/embed/record/uri").or_else(|| of("/embed/record/record/uri"));
    let to_us = ours(parent) || ours(root) || ours(quoted) || names_us(record, accounts);
    Some(Post {
        channel: CHANNEL.to_owned(),
        native_id: found.uri.to_owned(),
        url: permalink(found.web, &uri),
        thread: Some(root.or(parent).unwrap_or(found.uri).to_owned()),
        reply_to: parent.map(str::to_owned),
        kind: if parent.is_some() { Kind::Comment } else { Kind::Post },
        text: text(record),
        author: found.handle.map(str::to_owned),
        writer: Some(uri.did.to_owned()),
        language: of("/langs/0").map(str::to_owned),
        authored_at,
        own: accounts.is_ours(CHANNEL, uri.did),
        to_us,
        ..Post::default()
    })
}

/// Where a person reads a post.
fn permalink(web: &Url, uri: &AtUri<'_>) -> Option<String> {
    let mut url = web.clone();
    url.path_segments_mut().ok()?.pop_if_empty().extend(["profile", uri.did, "post", uri.rkey]);
    Some(url.into())
}

/// True when the post names one of our accounts. A mention is a facet with a DID: the letters may say anything.
fn names_us(record: &Value, accounts: &Accounts) -> bool {
    let facets = record.get("facets").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    facets.iter().take(FACETS).any(|facet| {
        let features = facet.get("features").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        features
            .iter()
            .take(FACETS)
            .any(|feature| feature.get("did").and_then(Value::as_str).is_some_and(|did| accounts.is_ours(CHANNEL, did)))
    })
}

/// What a person reads or has read to her: the words, the descriptions of pictures, the card of a link, the tags.
fn text(record: &Value) -> String {
    let mut text = record.get("text").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut add = |label: &str, said: Option<&Value>| {
        if let Some(said) = said.and_then(Value::as_str).map(str::trim).filter(|said| !said.is_empty()) {
            text.push('\n');
            text.push_str(label);
            text.push_str(said);
        }
    };
    for embed in ["/embed", "/embed/media"] {
        let Some(embed) = record.pointer(embed) else { continue };
        for image in embed.get("images").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default() {
            add("[Bild] ", image.get("alt"));
        }
        add("[Video] ", embed.get("alt"));
        add("[Länk] ", embed.pointer("/external/title"));
        add("", embed.pointer("/external/description"));
    }
    for tag in record.get("tags").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default() {
        add("#", Some(tag));
    }
    super::reduce::shortened(text, TEXT_MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::settings::{self, Problems};

    fn accounts() -> Accounts {
        let text = "[[account]]\nkey='a'\nchannel='bluesky'\nhandle='ale.example'\nid='did:plc:ale'\n";
        super::super::account::read(&settings::read("s", text, &Problems::default()))
    }

    fn read(uri: &str, record: &Value) -> Option<Post> {
        let seen_at = Some(Time::parse("2026-11-23T08:00:00Z").unwrap());
        let web = Url::parse(WEB).unwrap();
        post(Found { uri, handle: Some("eva.example"), seen_at, web: &web }, record, &accounts())
    }

    const EVAS: &str = "at://did:plc:eva/app.bsky.feed.post/3k1";

    #[test]
    fn a_post_begins_its_own_thread_and_an_answer_stands_in_its_root_s() {
        let first = read(EVAS, &json!({ "text": "Brunt vatten i Nol", "createdAt": "2026-11-23T07:59:00Z" })).unwrap();
        assert_eq!((first.thread.as_deref(), first.reply_to, first.kind), (Some(EVAS), None, Kind::Post));
        assert_eq!(first.url.as_deref(), Some("https://bsky.app/profile/did:plc:eva/post/3k1"));
        assert!(!first.own && !first.to_us);
        let reply = json!({ "text": "Vi spolar", "createdAt": "2026-11-23T08:30:00Z", "reply": {
            "root": { "uri": EVAS, "cid": "x" }, "parent": { "uri": "at://did:plc:bo/app.bsky.feed.post/3k2", "cid": "x" } } });
        let reply = read("at://did:plc:ale/app.bsky.feed.post/3k3", &reply).unwrap();
        assert_eq!((reply.thread.as_deref(), reply.kind, reply.own), (Some(EVAS), Kind::Comment, true));
    }

    #[test]
    fn a_post_is_linked_to_where_the_configuration_says_that_posts_are_read() {
        for web in ["https://vy.example.se", "https://vy.example.se/"] {
            let web = Url::parse(web).unwrap();
            let found = Found { uri: EVAS, handle: None, seen_at: None, web: &web };
            let url = post(found, &json!({ "text": "hej" }), &accounts()).unwrap().url;
            assert_eq!(url.as_deref(), Some("https://vy.example.se/profile/did:plc:eva/post/3k1"));
        }
        let below = Url::parse("https://example.se/vy").unwrap();
        let uri = AtUri::parse(EVAS).unwrap();
        assert_eq!(permalink(&below, &uri).as_deref(), Some("https://example.se/vy/profile/did:plc:eva/post/3k1"));
    }

    #[test]
    fn a_writer_cannot_claim_a_time_after_the_network_saw_her() {
        let at =
            |created: &str| read(EVAS, &json!({ "text": "x", "createdAt": created })).unwrap().authored_at.unwrap();
        assert_eq!(at("2026-11-23T07:59:00Z").to_string(), "2026-11-23T07:59:00Z");
        assert_eq!(at("2031-01-01T00:00:00Z").to_string(), "2026-11-23T08:00:00Z");
        assert_eq!(at("i morgon").to_string(), "2026-11-23T08:00:00Z");
    }

    #[test]
    fn what_names_answers_or_quotes_us_is_said_to_us() {
        let to_us = |record: Value| read(EVAS, &record).unwrap().to_us;
        let ours = "at://did:plc:ale/app.bsky.feed.post/3k0";
        assert!(to_us(
            json!({ "text": "@ale.example hej", "facets": [{ "features": [{ "$type": "app.bsky.richtext.facet#mention", "did": "did:plc:ale" }] }] })
        ));
        assert!(to_us(json!({ "text": "ja", "reply": { "root": { "uri": ours }, "parent": { "uri": ours } } })));
        assert!(to_us(
            json!({ "text": "se", "embed": { "$type": "app.bsky.embed.record", "record": { "uri": ours } } })
        ));
        assert!(!to_us(json!({ "text": "@ale.example hej, men utan länk" })));
    }

    #[test]
    fn descriptions_cards_and_tags_are_heard_too_and_hostile_records_are_bounded() {
        let record = json!({ "text": "Se här", "tags": ["nol"], "embed": { "media": {
            "images": [{ "alt": "Brunt vatten i ett glas" }] }, "external": { "title": "Alekuriren", "description": "Vatten" } } });
        let post = read(EVAS, &record).unwrap();
        assert_eq!(post.text, "Se här\n[Länk] Alekuriren\nVatten\n[Bild] Brunt vatten i ett glas\n#nol");
        let long = read(EVAS, &json!({ "text": "å".repeat(100_000) })).unwrap();
        assert!(long.text.chars().count() <= TEXT_MAX + 1);
        assert!(read("at://did:plc:eva/app.bsky.feed.like/3k1", &json!({})).is_none());
        for record in [json!(null), json!([]), json!({ "facets": 7, "embed": [], "reply": "x", "langs": {} })] {
            assert!(read(EVAS, &record).is_some(), "odd, but there");
        }
        for uri in ["", "at://", "at://eva.example/app.bsky.feed.post/1", "at://did:x/a/b/c", "https://x"] {
            assert!(read(uri, &json!({})).is_none(), "{uri}");
        }
    }
}
