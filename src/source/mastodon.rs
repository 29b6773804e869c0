//! A post on Mastodon, or a server that speaks as Mastodon does: from its status to a post as we hear it.

use std::collections::HashMap;

use serde::Deserialize;

use super::account::Accounts;
use super::{Kind, Post, reduce};
use crate::clock::Time;

/// Slug of the channel.
pub const CHANNEL: &str = "mastodon";
/// Bytes of a post's text; servers allow from five hundred letters to some ten thousand.
const TEXT_MAX: usize = 20_000;
/// Mentions and pictures of a post that are looked at.
const PARTS: usize = 100;

/// A status as the interface tells it; what we do not need is left.
#[derive(Debug, Clone, Deserialize)]
pub struct Status {
    /// Its number on this server.
    pub id: String,
    /// Its name everywhere.
    pub uri: String,
    /// Where a person can read it.
    #[serde(default)]
    pub url: Option<String>,
    /// When it was written.
    pub created_at: String,
    /// When it was changed.
    #[serde(default)]
    pub edited_at: Option<String>,
    /// HTML.
    #[serde(default)]
    pub content: String,
    /// What stands before it is opened.
    #[serde(default)]
    pub spoiler_text: String,
    /// `public`, `unlisted`, `private` or `direct`.
    #[serde(default)]
    pub visibility: String,
    /// Language tag.
    #[serde(default)]
    pub language: Option<String>,
    /// Number of the post that it answers.
    #[serde(default)]
    pub in_reply_to_id: Option<String>,
    /// Set when it only passes on somebody else's.
    #[serde(default)]
    pub reblog: Option<serde::de::IgnoredAny>,
    /// Who wrote it.
    pub account: Author,
    /// Whom it names.
    #[serde(default)]
    pub mentions: Vec<Mention>,
    /// Pictures and films.
    #[serde(default)]
    pub media_attachments: Vec<Media>,
}

/// Who wrote a status.
#[derive(Debug, Clone, Deserialize)]
pub struct Author {
    /// Her number on this server.
    #[serde(default)]
    pub id: String,
    /// Her name; with the server when it is another one.
    pub acct: String,
    /// True for a machine.
    #[serde(default)]
    pub bot: bool,
}

/// Whom a status names.
#[derive(Debug, Clone, Deserialize)]
pub struct Mention {
    /// Her name; with the server when it is another one.
    pub acct: String,
}

/// A picture or a film.
#[derive(Debug, Clone, Deserialize)]
pub struct Media {
    /// What it shows, in words.
    #[serde(default)]
    pub description: Option<String>,
}

/// A name with its server, as it is written everywhere.
#[must_use]
pub fn full_name(acct: &str, host: &str) -> String {
    let acct = acct.trim_start_matches('@').to_lowercase();
    if acct.contains('@') { acct } else { format!("{acct}@{host}") }
}

/// The later of two numbers: longer ones are later, as long ones by their digits.
#[must_use]
pub fn is_later(id: &str, than: &str) -> bool {
    (id.len(), id) > (than.len(), than)
}

/// What is known of the thread that a status stands in: the names of its posts by their numbers here, and of the first.
#[derive(Debug, Clone, Default)]
pub struct ThreadNames {
    /// Name of the first post.
    pub root: Option<String>,
    /// Name of each post by its number.
    pub names: HashMap<String, String>,
}

impl ThreadNames {
    /// From the posts before one and the one itself, oldest first.
    #[must_use]
    pub fn of(posts: &[&Status]) -> Self {
        Self {
            root: posts.first().map(|first| first.uri.clone()),
            names: posts.iter().map(|post| (post.id.clone(), post.uri.clone())).collect(),
        }
    }
}

/// A post from its status; nothing for what is only passed on. `host` is the server that was asked.
#[must_use]
pub fn post(status: &Status, thread: &ThreadNames, host: &str, accounts: &Accounts) -> Option<Post> {
    if status.reblog.is_some() || status.uri.is_empty() {
        return None;
    }
    let begins = status.in_reply_to_id.is_none();
    let reply_to = status.in_reply_to_id.as_ref().and_then(|id| thread.names.get(id)).cloned();
    let writer = full_name(&status.account.acct, host);
    let private = matches!(status.visibility.as_str(), "private" | "direct");
    let mut text = reduce::text_of(&status.content);
    for described in status.media_attachments.iter().take(PARTS).filter_map(|media| media.description.as_deref()) {
        text.push_str("\n[Bild] ");
        text.push_str(described.trim());
    }
    let named =
        status.mentions.iter().take(PARTS).any(|named| accounts.is_ours(CHANNEL, &full_name(&named.acct, host)));
    Some(Post {
        channel: CHANNEL.to_owned(),
        native_id: status.uri.clone(),
        url: status.url.clone().filter(|_| !private),
        thread: thread.root.clone().or_else(|| begins.then(|| status.uri.clone())),
        reply_to,
        kind: match (private, begins) {
            (true, _) => Kind::Mail,
            (false, true) => Kind::Post,
            (false, false) => Kind::Comment,
        },
        title: Some(status.spoiler_text.trim().to_owned()).filter(|title| !title.is_empty()),
        text: reduce::shortened(text, TEXT_MAX),
        markup: Some(reduce::Markup::new(status.content.clone(), None)).filter(|_| !status.content.is_empty()),
        local_id: Some(status.id.clone()),
        mark: None,
        author: Some(status.account.acct.clone()),
        own: accounts.is_ours(CHANNEL, &writer),
        writer: Some(writer),
        language: status.language.clone(),
        authored_at: Time::parse(&status.created_at).ok(),
        updated_at: status.edited_at.as_deref().and_then(|at| Time::parse(at).ok()),
        to_us: named,
        handed_in: false,
    })
}

/// Who may read the feeds of tags on a server, by its own settings (4.5 and later).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody, or the server is of an older kind and does not say.
    Open,
    /// Only posts of its own members, or only those of others.
    Half,
    /// Only those who are signed in.
    SignedIn,
    /// Nobody: the feed answers and is always empty.
    Closed,
}

/// Reads `GET /api/v2/instance`.
#[must_use]
pub fn access(instance: &serde_json::Value) -> Access {
    let of = |which: &str| {
        instance.pointer(&format!("/configuration/timelines_access/hashtag_feeds/{which}")).and_then(|v| v.as_str())
    };
    match (of("local").unwrap_or("public"), of("remote").unwrap_or("public")) {
        ("disabled", "disabled") => Access::Closed,
        ("disabled", _) | (_, "disabled") => Access::Half,
        ("authenticated", _) | (_, "authenticated") => Access::SignedIn,
        _ => Access::Open,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::settings::{self, Problems};

    fn accounts() -> Accounts {
        let text = "[[account]]\nkey='m'\nchannel='mastodon'\nhandle='@Ale@m.example'\n";
        super::super::account::read(&settings::read("s", text, &Problems::default()))
    }

    fn status(more: &serde_json::Value) -> Status {
        let mut value = json!({
            "id": "103206804533200177", "uri": "https://other.example/users/eva/statuses/1", "url": "https://other.example/@eva/1",
            "created_at": "2026-11-23T08:00:00.000Z", "content": "<p>Brunt vatten i <a href=\"https://m.example/tags/nol\">#<span>Nol</span></a></p>",
            "visibility": "public", "account": { "id": "7", "acct": "eva@other.example" }
        });
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(value).unwrap()
    }

    fn read(status: &Status) -> Option<Post> {
        post(status, &ThreadNames::default(), "m.example", &accounts())
    }

    #[test]
    fn a_status_is_one_post_on_whatever_server_it_is_seen() {
        let post = read(&status(&json!({}))).unwrap();
        assert_eq!(post.native_id, "https://other.example/users/eva/statuses/1");
        assert_eq!(post.local_id.as_deref(), Some("103206804533200177"));
        assert_eq!(post.text, "Brunt vatten i #Nol");
        assert_eq!(post.thread.as_deref(), Some(post.native_id.as_str()));
        assert!(!post.own && !post.to_us);
    }

    #[test]
    fn our_own_account_is_known_with_and_without_its_server() {
        let own = |acct: &str| read(&status(&json!({ "account": { "acct": acct } }))).unwrap().own;
        assert!(own("ale") && own("Ale@M.example"));
        assert!(!own("ale@other.example"), "another's account of the same name");
        let named = status(&json!({ "mentions": [{ "acct": "ale" }] }));
        assert!(read(&named).unwrap().to_us);
    }

    #[test]
    fn what_is_only_passed_on_is_no_post_and_a_letter_has_no_public_address() {
        assert!(read(&status(&json!({ "reblog": { "id": "1" } }))).is_none());
        assert!(read(&status(&json!({ "reblog": null }))).is_some());
        let letter = read(&status(&json!({ "visibility": "direct" }))).unwrap();
        assert_eq!((letter.kind, letter.url), (Kind::Mail, None));
    }

    #[test]
    fn an_answer_knows_what_it_answers_when_its_thread_is_known() {
        let first = status(&json!({}));
        let answer = status(
            &json!({ "id": "2", "uri": "https://m.example/2", "in_reply_to_id": first.id, "account": { "acct": "ale" } }),
        );
        let post = post(&answer, &ThreadNames::of(&[&first]), "m.example", &accounts()).unwrap();
        assert_eq!(post.reply_to.as_deref(), Some(first.uri.as_str()));
        assert_eq!((post.thread.as_deref(), post.kind), (Some(first.uri.as_str()), Kind::Comment));
        let alone = read(&answer).unwrap();
        assert_eq!((alone.reply_to, alone.thread), (None, None), "nothing is guessed");
    }

    #[test]
    fn numbers_are_later_by_length_and_then_by_their_digits() {
        assert!(is_later("1000", "999") && is_later("1001", "1000") && !is_later("999", "1000"));
    }

    #[test]
    fn a_feed_that_is_closed_says_so_and_an_old_server_says_nothing() {
        let of = |local: &str, remote: &str| {
            access(
                &json!({ "configuration": { "timelines_access": { "hashtag_feeds": { "local": local, "remote": remote } } } }),
            )
        };
        assert_eq!(of("disabled", "disabled"), Access::Closed);
        assert_eq!(of("public", "disabled"), Access::Half);
        assert_eq!(of("authenticated", "authenticated"), Access::SignedIn);
        assert_eq!(access(&json!({ "version": "4.2.0" })), Access::Open);
    }
}
