//! Our own accounts (`[[account]]` of `config/sources.toml`): how we know our own posts, and with what we sign in.
//!
//! A post by one of these is an answer, never a case. The secret is named here and stands elsewhere: in the environment
//! or in a file.

use std::collections::HashSet;

use jiff::civil::Date;
use url::Url;

use crate::calendar::stockholm;
use crate::clock::Time;
pub use crate::secret::Secret;
use crate::settings::Section;

/// More accounts than any municipality has: each unit one in every channel.
const ACCOUNTS: usize = 500;

/// Letters that a text needs so that no answer by a person is taken for it.
const AUTOMATIC_LETTERS: usize = 12;

/// One of the municipality's own accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name in the configuration.
    pub key: String,
    /// Slug of the channel it is in.
    pub channel: String,
    /// What people call it there: `ale.se`, `@ale@mastodon.se`.
    pub handle: String,
    /// The channel's own lasting name for it: a DID on Bluesky, the address of the actor on Mastodon. A handle can change
    /// hands; this cannot.
    pub id: Option<String>,
    /// Where one signs in: a PDS, a Mastodon-compatible server.
    pub server: Option<Url>,
    /// Which service our Bluesky server asks for lists and threads: a DID with the service's name in it. The server's own
    /// choice when there is none.
    pub appview: Option<String>,
    /// App password or token; without one the account is only known, not used.
    pub secret: Option<Secret>,
    /// What the account says by itself, as whoever set that up has written it: such a post is nobody's answer.
    pub automatic: Vec<Automatic>,
    /// When the secret ends, as far as those who keep it have said: few channels tell.
    pub expires_at: Option<Time>,
}

/// A text that an account posts by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Automatic {
    /// The words, in small letters and with single spaces.
    words: String,
    /// More may follow: the text was written with `*` at its end.
    more: bool,
}

impl Automatic {
    /// The text as the file has it; nothing when too little is left of it to know a post by.
    fn parse(text: &str) -> Option<Self> {
        let (words, more) = text.trim().strip_suffix('*').map_or((text, false), |words| (words, true));
        Some(Self { words: plain(words), more }).filter(|known| known.words.chars().count() >= AUTOMATIC_LETTERS)
    }

    /// True when a post says this and nothing of its own; whom it is to stands first and says nothing.
    fn is(&self, post: &str) -> bool {
        let post = plain(post);
        if self.more { post.starts_with(&self.words) } else { post == self.words }
    }
}

/// A text in small letters with single spaces, without the names of those it is to.
fn plain(text: &str) -> String {
    let words = text.split_whitespace().skip_while(|word| word.starts_with('@'));
    words.collect::<Vec<_>>().join(" ").to_lowercase()
}

/// All our accounts, asked whether a writer is us.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts(Vec<Account>);

impl Accounts {
    /// Every account, in the order of the file.
    #[must_use]
    pub fn all(&self) -> &[Account] {
        &self.0
    }

    /// The account with that key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Account> {
        self.0.iter().find(|account| account.key == key)
    }

    /// The accounts of a channel.
    pub fn of<'a>(&'a self, channel: &'a str) -> impl Iterator<Item = &'a Account> {
        self.0.iter().filter(move |account| account.channel == channel)
    }

    /// True when `writer`, as the channel names her for good, is one of our accounts there.
    #[must_use]
    pub fn is_ours(&self, channel: &str, writer: &str) -> bool {
        !writer.is_empty() && self.of(channel).any(|account| account.is(writer))
    }

    /// True when `text` is what the account of `writer` posts by itself.
    #[must_use]
    pub fn is_automatic(&self, channel: &str, writer: &str, text: &str) -> bool {
        let mut written_by = self.of(channel).filter(|account| account.is(writer));
        written_by.any(|account| account.automatic.iter().any(|known| known.is(text)))
    }
}

impl Account {
    /// True when the channel's name for a writer is this account's.
    #[must_use]
    pub fn is(&self, writer: &str) -> bool {
        let plain = |name: &str| name.trim().trim_start_matches('@').to_lowercase();
        self.id.as_deref() == Some(writer) || plain(&self.handle) == plain(writer)
    }
}

/// Reads every `[[account]]`; what is wrong is reported and left out.
#[must_use]
pub fn read(file: &Section) -> Accounts {
    let sections = file.sections("account");
    if sections.len() > ACCOUNTS {
        file.place_of("account").report(format!("more than {ACCOUNTS} accounts"));
    }
    let mut keys = HashSet::new();
    Accounts(sections.iter().take(ACCOUNTS).filter_map(|section| account(section, &mut keys)).collect())
}

fn account(section: &Section, keys: &mut HashSet<String>) -> Option<Account> {
    let key = section.located("key");
    let channel = section.located("channel");
    let handle = section.located("handle");
    let id = section.located_optional("id");
    let server = section.located_optional("server");
    let appview = section.located_optional("appview");
    let secret = secret_of(section, "secret_env", "secret_file");
    let automatic = automatic(section);
    let expires_at = expires(section);
    let (key, channel, handle) = (key?, channel?, handle?);
    if !super::watched::is_slug(&key.text) {
        key.place.report(format!("`key` is `{}`, expected lower-case letters, digits and hyphens", key.text));
        return None;
    }
    if !keys.insert(key.text.clone()) {
        key.place.report(format!("`key` `{}` is used by two accounts", key.text));
        return None;
    }
    if handle.text.trim().is_empty() {
        handle.place.report("`handle` is empty, expected what people call the account in its channel");
        return None;
    }
    if let Some(id) = id.as_ref().filter(|id| channel.text == "bluesky" && !id.text.starts_with("did:")) {
        id.place.report(format!(
            "`id` is `{}`, expected the account's DID as `did:plc:…`; `lyhord check --online` tells it",
            id.text
        ));
        return None;
    }
    let names_a_service =
        |text: &str| text.starts_with("did:") && text.contains('#') && text.bytes().all(|c| c.is_ascii_graphic());
    if let Some(found) = appview.as_ref().filter(|found| channel.text != "bluesky" || !names_a_service(&found.text)) {
        found.place.report(format!(
            "`appview` is `{}`, expected a service that a Bluesky server may ask, as did:web:api.bsky.app#bsky_appview",
            found.text
        ));
        return None;
    }
    let address = server.as_ref().and_then(|server| Url::parse(&server.text).ok()).filter(is_safe);
    if let (Some(server), None) = (&server, &address) {
        server.place.report(format!(
            "`server` is `{}`, expected an address with https:// (http:// only on this machine or the inner network)",
            server.text
        ));
        return None;
    }
    let server = address;
    if let (Some(_), None) = (&secret, &server) {
        section.place().report("`server` is missing: an account with a secret needs to know where to sign in");
        return None;
    }
    Some(Account {
        key: key.text,
        channel: channel.text,
        handle: handle.text.trim().to_owned(),
        id: id.map(|id| id.text),
        server,
        appview: appview.map(|found| found.text),
        secret,
        automatic,
        expires_at,
    })
}

/// The texts that an account posts by itself; one that is too short is reported and left out.
fn automatic(section: &Section) -> Vec<Automatic> {
    let mut known = Vec::new();
    for found in section.texts("automatic") {
        match Automatic::parse(&found.text) {
            Some(text) => known.push(text),
            None => found.place.report(format!(
                "`automatic` has `{}`, expected at least {AUTOMATIC_LETTERS} letters of what the account posts by itself: \
                 a person's answer could be taken for it",
                found.text
            )),
        }
    }
    known
}

/// The moment after the last day on which a secret lets us in, as `expires` says.
pub(super) fn expires(section: &Section) -> Option<Time> {
    let found = section.located_optional("expires")?;
    let last = found.text.parse::<Date>().ok().and_then(|day| day.tomorrow().ok());
    let midnight = |day: Date| stockholm().to_ambiguous_timestamp(day.at(0, 0, 0, 0)).compatible().ok();
    let end = last.and_then(midnight).map(Time::of);
    if end.is_none() {
        found.place.report(format!("`expires` is `{}`, expected the secret's last day, as 2027-05-01", found.text));
    }
    end
}

/// The secret in the environment variable or the file that these two keys name. One that is named and is not there is no
/// fault: the account or source is then known but not used, as a demo or a test machine has it.
pub(super) fn secret_of(section: &Section, variable_key: &str, file_key: &str) -> Option<Secret> {
    let (variable, file) = (section.located_optional(variable_key), section.located_optional(file_key));
    let text = match (variable, file) {
        (None, None) => return None,
        (Some(_), Some(file)) => {
            file.place.report(format!("only one of `{variable_key}` and `{file_key}` may be set"));
            return None;
        }
        (Some(variable), None) => std::env::var(&variable.text).unwrap_or_default(),
        (None, Some(file)) => match std::fs::read_to_string(&file.text) {
            Ok(text) => text,
            Err(fault) => {
                file.place.report(format!("`{}` cannot be read: {}", file.text, fault.kind()));
                return None;
            }
        },
    };
    Some(Secret::new(&text)).filter(|secret| !secret.reveal().is_empty())
}

/// True for an address that a secret may be sent to: https or wss, or without encryption where it does not leave this
/// machine or the container network.
#[must_use]
pub fn is_safe(url: &Url) -> bool {
    match (url.scheme(), url.host()) {
        ("https" | "wss", Some(_)) => true,
        ("http" | "ws", Some(url::Host::Domain(name))) => !name.contains('.') || name.ends_with(".localhost"),
        ("http" | "ws", Some(url::Host::Ipv4(ip))) => ip.is_loopback() || ip.is_private(),
        ("http" | "ws", Some(url::Host::Ipv6(ip))) => ip.is_loopback(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{self, Problems};

    fn read_text(text: &str) -> (Accounts, Vec<String>) {
        let problems = Problems::default();
        let accounts = read(&settings::read("sources.toml", text, &problems));
        (accounts, problems.sorted().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn our_own_account_is_known_by_its_lasting_name_and_by_its_handle() {
        let (accounts, faults) = read_text(
            "[[account]]\nkey='a'\nchannel='bluesky'\nhandle='ale.se'\nid='did:plc:ale'\n\
             [[account]]\nkey='b'\nchannel='mastodon'\nhandle='@Ale@mastodon.example'\n",
        );
        assert_eq!(faults, [""; 0]);
        assert!(accounts.is_ours("bluesky", "did:plc:ale") && accounts.is_ours("bluesky", "ale.se"));
        assert!(accounts.is_ours("mastodon", "ale@mastodon.example"));
        assert!(!accounts.is_ours("mastodon", "did:plc:ale"), "another channel");
        assert!(!accounts.is_ours("bluesky", "did:plc:alen") && !accounts.is_ours("bluesky", ""));
    }

    #[test]
    fn a_faulty_account_says_what_is_expected_and_the_others_are_read() {
        let (accounts, faults) = read_text(
            "[[account]]\nkey='a'\nchannel='bluesky'\nhandle='ale.se'\nid='ale'\n\
             [[account]]\nkey='b'\nchannel='mastodon'\nhandle='x'\nserver='http://mastodon.example'\n\
             [[account]]\nkey='c'\nchannel='mastodon'\nhandle='x'\nserver='https://mastodon.example'\n",
        );
        assert_eq!(accounts.all().len(), 1);
        assert!(faults[0].contains(":5:") && faults[0].contains("did:plc"), "{faults:?}");
        assert!(faults[1].contains("https://"), "{faults:?}");
    }

    #[test]
    fn what_an_account_says_by_itself_is_known_by_its_words_and_no_answer_is_taken_for_it() {
        let (accounts, faults) = read_text(
            "[[account]]\nkey='a'\nchannel='mastodon'\nhandle='ale@mastodon.example'\n\
             automatic=['Tack för ditt meddelande!', 'Vi har stängt till *', 'Hej! *']\n",
        );
        assert!(faults.len() == 1 && faults[0].contains(":5:") && faults[0].contains("12 letters"), "{faults:?}");
        let by_itself = |text: &str| accounts.is_automatic("mastodon", "ale@mastodon.example", text);
        assert!(
            by_itself("@eva@example.se  Tack för\nditt Meddelande!") && by_itself("Vi har stängt till måndag 8.00")
        );
        assert!(!by_itself("Tack för ditt meddelande! Lampan byts i dag."), "a person went on");
        assert!(!by_itself("Hej! Lampan byts i dag.") && !by_itself("Lampan byts: vi har stängt till 12."));
        assert!(!accounts.is_automatic("mastodon", "eva@example.se", "Tack för ditt meddelande!"));
        assert!(!accounts.is_automatic("bluesky", "ale@mastodon.example", "Tack för ditt meddelande!"));
    }

    #[test]
    fn a_secret_is_shown_to_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "hemligt-lösen\n").unwrap();
        let text = |server: &str| {
            format!(
                "[[account]]\nkey='a'\nchannel='bluesky'\nhandle='ale.se'\nsecret_file='{}'\n{server}",
                file.display()
            )
        };
        let (accounts, _) = read_text(&text("server='https://bsky.social'\n"));
        let account = accounts.get("a").unwrap();
        assert_eq!(account.secret.as_ref().unwrap().reveal(), "hemligt-lösen");
        assert!(!format!("{accounts:?}").contains("hemligt"));
        let (accounts, faults) = read_text(&text(""));
        assert!(accounts.all().is_empty() && faults[0].contains("`server` is missing"), "{faults:?}");
    }
}
