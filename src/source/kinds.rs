//! The kinds of sources: how each is read, what it can see and what it never can. Facebook, Instagram, X, `YouTube`,
//! Reddit and `LinkedIn` will stand here as kinds of their own; nothing of them is built.

use std::time::Duration;

use url::Url;

use super::account::{Accounts, is_safe};
use super::bluesky;
use super::hook::{self, Hook};
use super::mail::{self, Mailbox};
use crate::settings::{Located, Section};

/// Slugs of the kinds, as the configuration names them.
pub const KINDS: [&str; 5] = ["feed", "bluesky", "mastodon", "hook", "mail"];

/// Streams that can stand in for the first one: more are a list that nobody tends.
const FALLBACKS: usize = 4;
/// Tags of one source: each is asked for by itself, and a server lets us ask 300 times in five minutes.
const TAGS: usize = 40;
/// Searches for what was said before we began.
const SEARCHES: usize = 10;
/// What no server tells afterwards.
const STREAM_ONLY: &str =
    "Ser inte ändringar och borttagningar som görs medan strömmen är av eller borta; de hämtas inte i efterhand.";

/// How a source is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceKind {
    /// RSS, RDF, Atom or JSON Feed over HTTP.
    Feed,
    /// All that is written on Bluesky, heard on this machine.
    BlueskyStream(Stream),
    /// What is said to one of our accounts on Bluesky, and threads we have answered in.
    BlueskyAccount {
        /// Key of the account.
        account: String,
        /// Searches made once, at the first reading, for what was said before.
        backfill: Vec<String>,
        /// The web pages where a person reads posts.
        web: Url,
    },
    /// Tags on a Mastodon-compatible server.
    MastodonTags {
        /// The tags, without `#`.
        tags: Vec<String>,
        /// Key of the account that is signed in, when one is.
        account: Option<String>,
        /// Listen to the server's stream too, so that a post is read at once.
        stream: bool,
    },
    /// What is said to one of our accounts on a Mastodon-compatible server, and threads we have answered in.
    MastodonAccount {
        /// Key of the account.
        account: String,
        /// Listen to the server's stream too.
        stream: bool,
    },
    /// An address of ours that others hand posts in at.
    Hook(Hook),
    /// A mailbox, over IMAP.
    Mail(Mailbox),
}

/// Where a stream of all posts is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Addresses, the one to prefer first.
    pub hosts: Vec<Url>,
    /// Ask for compressed messages where the host has them.
    pub compressed: bool,
    /// The web pages where a person reads posts.
    pub web: Url,
}

impl SourceKind {
    /// The slug in the database.
    #[must_use]
    pub fn slug(&self) -> &'static str {
        match self {
            Self::Feed => "feed",
            Self::BlueskyStream(_) => "bluesky-stream",
            Self::BlueskyAccount { .. } => "bluesky-account",
            Self::MastodonTags { .. } => "mastodon-tags",
            Self::MastodonAccount { .. } => "mastodon-account",
            Self::Hook(_) => "hook",
            Self::Mail(_) => "mail",
        }
    }

    /// True when it is listened to all the time and never due.
    #[must_use]
    pub fn is_streamed(&self) -> bool {
        matches!(self, Self::BlueskyStream(_) | Self::Hook(_))
    }

    /// True when the server's stream is listened to besides the reading.
    #[must_use]
    pub fn rings(&self) -> bool {
        matches!(self, Self::MastodonTags { stream: true, .. } | Self::MastodonAccount { stream: true, .. })
    }

    /// The web hook, when it is one.
    #[must_use]
    pub fn hook(&self) -> Option<&Hook> {
        if let Self::Hook(hook) = self { Some(hook) } else { None }
    }

    /// The web pages where a person reads posts, for a source of Bluesky's.
    #[must_use]
    pub fn web(&self) -> Option<&Url> {
        match self {
            Self::BlueskyStream(Stream { web, .. }) | Self::BlueskyAccount { web, .. } => Some(web),
            _ => None,
        }
    }

    /// Key of the account that it signs in with.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Feed | Self::BlueskyStream(_) | Self::Hook(_) | Self::Mail(_) => None,
            Self::BlueskyAccount { account, .. } | Self::MastodonAccount { account, .. } => Some(account),
            Self::MastodonTags { account, .. } => account.as_deref(),
        }
    }

    /// Longest time between two signs of life that is as it should be.
    #[must_use]
    pub fn pace(&self, interval: Duration) -> Duration {
        if self.is_streamed() { Duration::from_mins(2) } else { interval }
    }
}

/// What a kind of source reads and what it never can: shown on *Källor*. By the slug that the database has, so that a
/// source that the configuration no longer names is told too.
#[must_use]
pub fn capabilities(slug: &str) -> (&'static str, &'static [&'static str]) {
    match slug {
        "feed" => (
            "Läser de senaste posterna i flödet, så många som webbplatsen lägger ut.",
            &[
                "Ser inte kommentarer om de inte står i flödet.",
                "Ser inte att en post tas bort.",
                "Missar poster om fler kommer än flödet rymmer mellan två läsningar.",
            ],
        ),
        "bluesky-stream" => (
            "Läser alla öppna inlägg på Bluesky i samma stund som de skrivs och lyssnar här på vår egen maskin. Ser \
             ändringar, borttagningar och våra egna svar.",
            &[
                "Ser inte direktmeddelanden.",
                "Läser inte bilder, bara bildernas beskrivningar.",
                "Efter ett avbrott hämtas så långt bakåt som servern sparar, omkring ett dygn; längre glapp visas i uppsikten.",
            ],
        ),
        "bluesky-account" => (
            "Läser inlägg som nämner, svarar eller citerar vårt konto, och trådar där vi har svarat (14 dagar).",
            &["Ser inte direktmeddelanden.", "Ser inte inlägg från den som har blockerat kontot."],
        ),
        "mastodon-tags" => (
            "Läser öppna inlägg med våra taggar, så långt servern känner till dem. Ser ändringar och borttagningar när \
             strömmen är på.",
            &[
                "Ser inte inlägg utan taggarna: Mastodon har ingen fullständig sökning.",
                "Ser bara inlägg som har nått den här servern.",
                "Ser inte inlägg som bara visas för följare, och inte robotkonton.",
                STREAM_ONLY,
            ],
        ),
        "mastodon-account" => (
            "Läser inlägg som nämner eller svarar vårt konto, våra egna svar, och trådar där vi har svarat (14 dagar).",
            &[
                "Läser inte privata omnämnanden som inte är ställda till oss.",
                "Ser inte inlägg från den som har blockerat kontot.",
                STREAM_ONLY,
            ],
        ),
        "hook" => (
            "Tar emot inlägg som en e-tjänst eller en mediebevakare lämnar, signerade. Ser ändringar och borttagningar när \
             den som lämnar dem säger till.",
            &[
                "Ser bara det som lämnas: tystnar den som lämnar ser vi det på rytmen, inte på svaret.",
                "Tar inte emot det som bara var öppet för några.",
            ],
        ),
        "mail" => (
            "Läser brev i en brevlåda utan att röra dem: inget märks som läst, flyttas eller tas bort. Läser direkt när \
             servern ringer, annars på tid.",
            &[
                "Ser inte brev i andra mappar, och inte brev som tas bort innan de läses.",
                "Sparar inte bilagor, bara deras namn och storlek.",
                "Läser inte krypterade brev.",
                "Tar inte upp svar som en maskin skickar av sig själv.",
            ],
        ),
        "tips" => (
            "Det som en kollega har sett och klistrat in på sidan Tips.",
            &[
                "Tar inte emot det som bara var öppet för några, om det inte är ställt till kommunen eller är ett hot eller brott.",
            ],
        ),
        "import" => ("Inlästa filer; läses inte av sig själv.", &[]),
        _ => ("", &[]),
    }
}

/// What is read of a `[[source]]` before its kind's own keys.
pub(super) struct Common<'a> {
    pub section: &'a Section,
    pub accounts: &'a Accounts,
    pub address: Option<Located>,
}

impl Common<'_> {
    /// The kind with its own keys; nothing when something is wrong, which has then been said.
    pub fn kind(&self, slug: &str) -> Option<(SourceKind, Url)> {
        match slug {
            "bluesky" => match self.section.choice("reads", &["stream", "account"]) {
                "account" => self.bluesky_account(),
                _ => self.bluesky_stream(),
            },
            "mastodon" => self.mastodon(),
            "hook" => self.hook(),
            "mail" => {
                let address = self.required_address("imaps://mail.ale.se")?;
                let url = Self::url(&address, &["imaps", "imap"], "a mail server as imaps://mail.ale.se")?;
                Some((SourceKind::Mail(mail::read(self.section, &url)?), url))
            }
            _ => {
                let address = self.required_address("https://")?;
                let url = Self::url(&address, &["http", "https"], "an address with https://")?;
                Some((SourceKind::Feed, url))
            }
        }
    }

    fn required_address(&self, example: &str) -> Option<Located> {
        if self.address.is_none() && !self.section.has("address") {
            self.section.place().report(format!("`address` is missing, expected an address as {example}"));
        }
        self.address.clone()
    }

    fn url(address: &Located, schemes: &[&str], expected: &str) -> Option<Url> {
        Self::url_of("address", address, schemes, expected)
    }

    fn url_of(key: &str, address: &Located, schemes: &[&str], expected: &str) -> Option<Url> {
        let url = Url::parse(&address.text).ok().filter(|url| schemes.contains(&url.scheme()) && url.has_host());
        if url.is_none() {
            address.place.report(format!("`{key}` is `{}`, expected {expected}", address.text));
        }
        url
    }

    /// A hook has no address of its own to set: it is ours, and follows from the key.
    fn hook(&self) -> Option<(SourceKind, Url)> {
        if let Some(address) = &self.address {
            address.place.report(format!("`address` is not set for a hook: it is {}KEY at our own pages", hook::PATH));
            return None;
        }
        let hook = hook::read(self.section)?;
        let key = self.section.text_optional("key").unwrap_or_default();
        let url = Url::parse(&format!("krok:{}{key}", hook::PATH)).ok()?;
        Some((SourceKind::Hook(hook), url))
    }

    fn bluesky_stream(&self) -> Option<(SourceKind, Url)> {
        let compressed = self.section.flag_or("compressed", false);
        let web = self.web()?;
        let mut fallback = self.section.texts("fallback");
        if fallback.len() > FALLBACKS {
            self.section.place_of("fallback").report(format!("more than {FALLBACKS} addresses in `fallback`"));
            fallback.truncate(FALLBACKS);
        }
        let first = self.required_address("wss://jetstream.us-east.bsky.network")?;
        let mut hosts = Vec::new();
        for address in std::iter::once(first).chain(fallback) {
            let url = Self::url(&address, &["ws", "wss"], "a stream as wss://jetstream.us-east.bsky.network")?;
            if !is_safe(&url) {
                address
                    .place
                    .report("a stream in the open is read without encryption only on this machine: use wss://");
                return None;
            }
            hosts.push(url);
        }
        let address = hosts.first()?.clone();
        Some((SourceKind::BlueskyStream(Stream { hosts, compressed, web }), address))
    }

    /// Where a person reads posts of Bluesky's.
    fn web(&self) -> Option<Url> {
        match self.section.located_optional("web") {
            Some(web) => Self::url_of("web", &web, &["http", "https"], "the address of web pages as https://bsky.app"),
            None => Url::parse(bluesky::WEB).ok(),
        }
    }

    fn bluesky_account(&self) -> Option<(SourceKind, Url)> {
        let web = self.web()?;
        let backfill = self.section.texts("backfill");
        if backfill.len() > SEARCHES {
            self.section.place_of("backfill").report(format!("more than {SEARCHES} searches in `backfill`"));
        }
        let backfill = backfill.into_iter().take(SEARCHES).map(|search| search.text).collect();
        let account = self.account("bluesky", true)??;
        let server = self.accounts.get(&account)?.server.clone()?;
        Some((SourceKind::BlueskyAccount { account, backfill, web }, server))
    }

    fn mastodon(&self) -> Option<(SourceKind, Url)> {
        let stream = self.section.flag_or("stream", false);
        if self.section.choice("reads", &["tags", "account"]) == "account" {
            let account = self.account("mastodon", true)??;
            let server = self.accounts.get(&account)?.server.clone()?;
            return Some((SourceKind::MastodonAccount { account, stream }, server));
        }
        let account = self.account("mastodon", false)?;
        let tags = self.section.texts("tags");
        if tags.is_empty() {
            self.section.place_of("tags").report("`tags` is missing, expected a list as [\"alekommun\", \"ale\"]");
            return None;
        }
        if tags.len() > TAGS {
            self.section.place_of("tags").report(format!("more than {TAGS} tags in one source"));
            return None;
        }
        let mut plain = Vec::with_capacity(tags.len());
        for tag in &tags {
            let name = tag.text.trim().trim_start_matches('#');
            if name.is_empty() || !name.chars().all(|letter| letter.is_alphanumeric() || letter == '_') {
                tag.place.report(format!("`{}` is no tag: letters, digits and _ only", tag.text));
                return None;
            }
            plain.push(name.to_owned());
        }
        if stream && account.is_none() {
            self.section
                .place_of("stream")
                .report("`stream` needs `account`: servers stream only to one who is signed in");
            return None;
        }
        let address = self.required_address("https://mastodon.se")?;
        let url = Self::url(&address, &["http", "https"], "the address of a server as https://mastodon.se")?;
        Some((SourceKind::MastodonTags { tags: plain, account, stream }, url))
    }

    /// The account that `account` names: `None` for a fault, `Some(None)` for none.
    #[expect(clippy::option_option, reason = "a fault is not an absence")]
    fn account(&self, channel: &str, required: bool) -> Option<Option<String>> {
        let named = if required { self.section.located("account") } else { self.section.located_optional("account") };
        let Some(named) = named else { return if required { None } else { Some(None) } };
        let known: Vec<&str> = self.accounts.of(channel).map(|account| account.key.as_str()).collect();
        match self.accounts.get(&named.text) {
            Some(account) if account.channel == channel => {
                if account.server.is_none() {
                    named.place.report(format!("account `{}` has no `server` to sign in to", named.text));
                    return None;
                }
                Some(Some(account.key.clone()))
            }
            _ => {
                named.place.report_unknown("`account`", &named.text, &known);
                None
            }
        }
    }
}
