//! What we listen to: `config/sources.toml`, read and checked.

use std::collections::HashSet;
use std::time::Duration;

use url::Url;

use super::account::Accounts;
use super::kinds::{self, Common};
use crate::http::Reach;
use crate::settings::Section;

pub use super::kinds::SourceKind;

/// More sources than this are not a municipality's ear but a search engine.
const SOURCES: usize = 2_000;
/// Lowest interval for feeds on other people's servers, in minutes: what feed readers have agreed on.
const FLOOR_MINUTES: i64 = 15;
/// Default interval of what is asked through an interface made for being asked.
const API_MINUTES: i64 = 5;

/// One source as the municipality has set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSetting {
    /// Its name in the configuration, the database and watch rules; never changes.
    pub key: String,
    /// What people call it.
    pub name: String,
    /// How it is read.
    pub kind: SourceKind,
    /// Where it is: a feed, or a page that names one.
    pub address: String,
    /// Least time between two readings.
    pub interval: Duration,
    /// Where the address may lead.
    pub reach: Reach,
    /// The municipality's own voice: its posts are answers, never cases.
    pub own: bool,
    /// Slug of the channel that its posts belong to.
    pub channel: String,
    /// Not read until further notice.
    pub paused: bool,
}

/// Reads every `[[source]]` of the file; what is wrong is reported and left out, so that the rest is read too.
#[must_use]
pub fn read(file: &Section, accounts: &Accounts) -> Vec<SourceSetting> {
    let sections = file.sections("source");
    if sections.len() > SOURCES {
        file.place_of("source").report(format!("more than {SOURCES} sources"));
    }
    let mut keys = HashSet::new();
    sections.iter().take(SOURCES).filter_map(|section| source(section, accounts, &mut keys)).collect()
}

fn source(section: &Section, accounts: &Accounts, keys: &mut HashSet<String>) -> Option<SourceSetting> {
    let key = section.located("key");
    let name = section.text("name");
    let kind = section.choice("kind", &kinds::KINDS);
    let address = section.located_optional("address");
    let local = section.flag_or("local", false);
    let own = section.flag_or("own", false);
    // What comes from an interface belongs to its channel; a feed and what is handed in may belong to any.
    let channel = match kind {
        "feed" => section.text_or("channel", "rss"),
        "hook" => section.text_or("channel", "webbkrok"),
        "mail" => section.text_or("channel", "e-post"),
        _ => kind.to_owned(),
    };
    let paused = section.flag_or("paused", false);
    let (floor, usual) = match kind {
        "feed" => (if local { 1 } else { FLOOR_MINUTES }, 30),
        _ => (1, API_MINUTES),
    };
    let minutes = section.integer_or("interval_minutes", floor..=1_440, usual);
    let kind = Common { section, accounts, address: address.clone() }.kind(kind);
    let key = key?;
    if !is_slug(&key.text) {
        key.place.report(format!("`key` is `{}`, expected lower-case letters, digits and hyphens", key.text));
        return None;
    }
    if matches!(key.text.as_str(), "import" | super::tip::CHANNEL) {
        key.place.report(format!("`key` `{}` is taken by Lyhörd itself", key.text));
        return None;
    }
    if !keys.insert(key.text.clone()) {
        key.place.report(format!("`key` `{}` is used twice", key.text));
        return None;
    }
    if !is_slug(&channel) {
        section.place_of("channel").report(format!("`channel` is `{channel}`, expected a slug such as `rss`"));
        return None;
    }
    let (kind, url) = kind?;
    if let (SourceKind::Feed, Some(address), Some(why)) = (&kind, &address, profile(&url).filter(|_| !own)) {
        address.place.report(why);
        return None;
    }
    Some(SourceSetting {
        key: key.text,
        name,
        kind,
        address: url.into(),
        interval: Duration::from_secs(u64::try_from(minutes).unwrap_or(30) * 60),
        reach: if local { Reach::Local } else { Reach::Public },
        own,
        channel,
        paused,
    })
}

/// True for a name that the database, addresses and watch rules can carry.
pub(super) fn is_slug(text: &str) -> bool {
    (1..=60).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Why an address is refused that follows one account rather than a subject, an organisation or a place (REF-01):
/// nobody shall be listened to as a person. Told by the address alone, so an organisation's account is refused too,
/// unless it is the municipality's own.
#[must_use]
pub fn profile(url: &Url) -> Option<String> {
    let host = url.host_str()?.trim_start_matches("www.").trim_start_matches("old.").trim_start_matches("m.");
    let segments: Vec<&str> = url.path_segments()?.filter(|segment| !segment.is_empty()).collect();
    let first = segments.first().copied().unwrap_or_default();
    let is = |names: &[&str]| names.contains(&host);
    let handle = segments.iter().take(2).any(|segment| {
        segment.strip_prefix('@').or_else(|| segment.strip_prefix("%40")).is_some_and(|name| !name.is_empty())
    });
    let person = handle
        || (first == "profile" && (is(&["bsky.app"]) || segments.get(1).is_some_and(|who| who.starts_with("did:"))))
        || (segments.len() > 1 && first == "users")
        || (is(&["reddit.com"]) && matches!(first, "user" | "u"))
        || (is(&["linkedin.com", "se.linkedin.com"]) && first == "in")
        || (is(&["facebook.com", "sv-se.facebook.com"])
            && !matches!(first, "" | "groups" | "pages" | "events" | "hashtag" | "search" | "watch" | "marketplace"))
        || (is(&["x.com", "twitter.com", "instagram.com", "threads.net", "threads.com"])
            && !matches!(first, "" | "search" | "hashtag" | "explore" | "i" | "tags"))
        || (is(&["flashback.org"]) && first.strip_prefix('u').is_some_and(|id| id.parse::<u64>().is_ok()));
    person.then(|| {
        "`address` är ett konto hos en person eller avsändare. Lyhörd följer ämnen, platser och organisationer, aldrig \
         enskilda (REF-01). Är kontot kommunens eget, sätt own = true; annars ta bort källan"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{self, Problems};

    fn read_text(text: &str) -> (Vec<SourceSetting>, Vec<String>) {
        let problems = Problems::default();
        let file = settings::read("sources.toml", text, &problems);
        let sources = read(&file, &crate::source::account::read(&file));
        drop(file);
        (sources, problems.sorted().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_source_needs_a_key_a_name_and_an_address_and_the_rest_has_defaults() {
        let (sources, faults) =
            read_text("[[source]]\nkey='a'\nname='A'\nkind='feed'\naddress='https://a.example/feed'\n");
        assert_eq!(faults, [""; 0]);
        assert_eq!(sources[0].interval, Duration::from_mins(30));
        assert_eq!((sources[0].channel.as_str(), sources[0].reach, sources[0].own), ("rss", Reach::Public, false));
    }

    #[test]
    fn nobody_elses_server_is_asked_more_than_four_times_an_hour() {
        let text = |more: &str| {
            format!("[[source]]\nkey='a'\nname='A'\naddress='http://a.example'\ninterval_minutes=5\n{more}")
        };
        assert!(read_text(&text("")).1[0].contains("15 to 1440"));
        assert_eq!(read_text(&text("local=true")).1, [""; 0]);
    }

    #[test]
    fn every_fault_is_told_and_the_other_sources_are_still_read() {
        let (sources, faults) = read_text(
            "[[source]]\nkey='a b'\nname='A'\naddress='https://a.example'\n[[source]]\nkey='b'\nname='B'\naddress='fil'\n\
             [[source]]\nkey='c'\nname='C'\nadress='x'\naddress='https://c.example'\n[[source]]\nkey='c'\nname='C'\n\
             address='https://c.example'\n",
        );
        assert_eq!(sources.len(), 1);
        assert_eq!(faults.len(), 4, "{faults:?}");
    }

    #[test]
    fn ref_01_a_person_is_no_source_unless_the_voice_is_our_own() {
        for address in [
            "https://bsky.app/profile/eva.example",
            "https://vy.example.se/profile/did:plc:eva",
            "https://mastodon.example/@eva",
            "https://mastodon.example/@eva.rss",
            "https://mastodon.example/users/eva.rss",
            "https://www.facebook.com/eva.ek",
            "https://x.com/evaek",
            "https://facebook.com/profile.php?id=1",
            "https://old.reddit.com/user/eva/.rss",
            "https://medium.com/feed/@eva",
            "https://www.instagram.com/evaek/",
            "https://www.linkedin.com/in/evaek",
            "https://www.flashback.org/u17",
        ] {
            let text = |own| format!("[[source]]\nkey='a'\nname='A'\nown={own}\naddress='{address}'\n");
            let (sources, faults) = read_text(&text(false));
            assert!(sources.is_empty() && faults[0].contains("REF-01"), "{address}: {faults:?}");
            assert_eq!(read_text(&text(true)).0.len(), 1, "{address}");
        }
    }

    #[test]
    fn subjects_places_and_papers_are_sources() {
        for address in [
            "https://mastodon.example/tags/ale.rss",
            "https://www.reddit.com/r/Gothenburg/.rss",
            "https://a.example/feed/",
            "https://www.facebook.com/groups/ale",
            "https://x.com/search?q=ale",
            "https://www.flashback.org/f147",
        ] {
            assert_eq!(profile(&Url::parse(address).unwrap()), None, "{address}");
        }
    }

    #[test]
    fn a_channel_says_what_it_reads_with_which_account() {
        let account = "[[account]]\nkey='b'\nchannel='bluesky'\nhandle='ale.se'\nserver='https://bsky.social'\n\
                       [[account]]\nkey='m'\nchannel='mastodon'\nhandle='@ale@m.example'\nserver='https://m.example'\n";
        let (sources, faults) = read_text(&format!(
            "{account}[[source]]\nkey='strom'\nname='Bluesky'\nkind='bluesky'\naddress='wss://jetstream.us-east.bsky.network'\n\
             fallback=['wss://jetstream2.us-east.bsky.network/subscribe']\n\
             [[source]]\nkey='konto'\nname='Vårt konto'\nkind='bluesky'\nreads='account'\naccount='b'\n\
             [[source]]\nkey='taggar'\nname='Taggar'\nkind='mastodon'\naddress='https://m.example'\ntags=['#ale','Älvängen']\n\
             account='m'\nstream=true\n"
        ));
        assert_eq!(faults, [""; 0]);
        let slugs: Vec<&str> = sources.iter().map(|source| source.kind.slug()).collect();
        assert_eq!(slugs, ["bluesky-stream", "bluesky-account", "mastodon-tags"]);
        assert!(sources[0].kind.is_streamed() && !sources[2].kind.is_streamed());
        assert_eq!((sources[1].address.as_str(), sources[1].channel.as_str()), ("https://bsky.social/", "bluesky"));
        assert_eq!(sources[2].interval, Duration::from_mins(5));
        let SourceKind::MastodonTags { tags, .. } = &sources[2].kind else { panic!("{:?}", sources[2].kind) };
        assert_eq!(tags, &["ale", "Älvängen"]);
    }

    #[test]
    fn a_fault_in_a_channel_points_at_its_line_and_says_the_way_out() {
        let faults = |text: &str| read_text(text).1.join("\n");
        let stream = "[[source]]\nkey='s'\nname='S'\nkind='bluesky'\n";
        assert!(faults(stream).contains(":1: `address` is missing, expected an address as wss://"));
        assert!(faults(&format!("{stream}address='https://x.example'\n")).contains(":5: `address` is"));
        assert!(faults(&format!("{stream}address='ws://x.example'\n")).contains("use wss://"));
        let heard = format!("{stream}address='wss://x.example'\n");
        assert_eq!(faults(&format!("{heard}web='https://vy.example.se'\n")), "");
        assert!(faults(&format!("{heard}web='vy.example.se'\n")).contains(":6: `web` is `vy.example.se`, expected"));
        let account = format!("{stream}reads='account'\naccount='ale-blusky'\n");
        let known = "[[account]]\nkey='ale-bluesky'\nchannel='bluesky'\nhandle='ale.se'\n";
        assert!(faults(&format!("{known}{account}")).contains("did you mean `ale-bluesky`?"));
        let named = account.replace("blusky", "bluesky");
        assert!(faults(&format!("{known}{named}")).contains("has no `server`"));
        let tags = "[[source]]\nkey='t'\nname='T'\nkind='mastodon'\naddress='https://m.example'\n";
        assert!(faults(tags).contains("`tags` is missing"));
        assert!(faults(&format!("{tags}tags=['a b']\n")).contains(":6: `a b` is no tag"));
        assert!(faults(&format!("{tags}tags=['ale']\nstream=true\n")).contains("needs `account`"));
        assert!(faults(&format!("{tags}tags=['ale']\nbackfill=['x']\n")).contains("backfill"));
    }

    #[test]
    fn a_hook_names_its_secret_and_says_what_of_it_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name).display().to_string()
        };
        let (old, new) = (write("old", "en hemlighet som är lång nog\n"), write("new", "en annan som också är lång\n"));
        let hook = "[[source]]\nkey='e-tjanst'\nname='E-tjänst'\nkind='hook'\n";
        let (sources, faults) = read_text(&format!(
            "{hook}channel='e-tjanst'\ntakes='everything'\nsecret_file='{old}'\nnext_secret_file='{new}'\n"
        ));
        assert_eq!(faults, [""; 0]);
        let read = sources[0].kind.hook().unwrap();
        assert_eq!((read.secrets.len(), read.takes), (2, crate::source::hook::Takes::Everything));
        assert_eq!((sources[0].channel.as_str(), sources[0].kind.is_streamed()), ("e-tjanst", true));
        assert!(!format!("{sources:?}").contains("hemlighet"), "a secret is shown to nobody");
        let (sources, faults) = read_text(&format!("{hook}secret_env='LYHORD_TEST_UNSET'\n"));
        assert_eq!((faults.len(), sources[0].kind.hook().unwrap().secrets.len()), (0, 0), "known, but closed");
        let fault = |more: &str| read_text(&format!("{hook}{more}")).1.join("\n");
        assert!(fault("").contains("must be signed"));
        assert!(fault(&format!("secret_file='{}'\n", write("short", "kort"))).contains("shorter than 24"));
        assert!(fault("secret_env='X'\naddress='https://x.example'\n").contains("/krok/kalla/KEY"));
        assert!(fault("secret_env='X'\ntakes='all'\n").contains("takes"));
    }

    #[test]
    fn the_shipped_sources_are_without_fault() {
        let (sources, faults) = read_text(include_str!("../../config/sources.toml"));
        assert_eq!(faults, [""; 0]);
        assert!(sources.len() >= 6);
    }
}
