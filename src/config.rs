//! The configuration: what the municipality owns, read whole, with everything that is wrong said at once.
//!
//! Five files in one folder. `lyhord.toml` is the service itself, `sources.toml` what we listen to,
//! `organisation.toml` who answers and when, `words.toml` the watch rules, `lexicon.toml` the judge's words.
//! Secrets come from the environment or from files, never from these.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use url::Url;

use crate::assignment::Organisation;
use crate::audit::rush::Bounds;
use crate::calendar::Calendars;
use crate::case::ResponseTimes;
use crate::chat::{self, settings::ChatSettings};
use crate::classification::lexicon::Lexicon;
use crate::classification::opinion::External;
use crate::mention::words::{self, Words};
use crate::reminder::{Ladder, Ladders, Rhythm};
use crate::secret::Secret;
use crate::settings::{self, Problem, Problems, Section};
use crate::source::account::{self, Accounts};
use crate::source::watched::{self, SourceSetting};
use crate::telemetry::LogForm;

/// The files of a configuration folder, in the order they are read.
pub const FILES: [&str; 5] = ["lyhord.toml", "sources.toml", "organisation.toml", "words.toml", "lexicon.toml"];
/// The largest configuration file that is read: a lexicon of a few thousand stems is a tenth of it.
const LARGEST_FILE: u64 = 8 * 1024 * 1024;

/// Everything the municipality has decided.
#[derive(Debug)]
pub struct Config {
    /// Name of the municipality, as pages show it.
    pub municipality: String,
    /// Address (mail or web) that a server's owner can turn to; part of the User-Agent.
    pub contact: String,
    /// Where staff reach Lyhörd; links lead there.
    pub base_url: Url,
    /// `sqlite:…` or `postgres://…`.
    pub database: Secret,
    /// The most connections to `PostgreSQL`.
    pub connections: u32,
    /// Address and port that the web listens on.
    pub listen: String,
    /// True when a proxy in front tells the caller's address and scheme.
    pub trusted_proxy: bool,
    /// Who may read `/metrics` from elsewhere than this machine; from `LYHORD_METRICS_TOKEN`.
    pub metrics_token: Option<Secret>,
    /// How log lines are written.
    pub log: LogForm,
    /// The least serious lines that are written.
    pub log_level: String,
    /// What may be purged, and by which decision.
    pub retention: Vec<Retention>,
    /// The voices.
    pub chat: ChatSettings,
    /// An outside judge for what our own is unsure of; off unless it is configured.
    pub external_judge: Option<External>,
    /// What we listen to.
    pub sources: Vec<SourceSetting>,
    /// Our own accounts: how we know our own posts.
    pub accounts: Accounts,
    /// Who answers.
    pub organisation: Arc<Organisation>,
    /// When who is there.
    pub calendars: Arc<Calendars>,
    /// Topics that are no service of ours: news about them opens no case.
    pub other_topics: Vec<String>,
    /// What is promised.
    pub response_times: ResponseTimes,
    /// Who is told when; and the ladders that running rounds began with.
    pub ladders: Ladders,
    /// From where on many posts about one topic are a rush.
    pub rush: Bounds,
    /// When those who lead have their weekly summary; none when it is switched off.
    pub weekly: Option<Rhythm>,
    /// The watch rules.
    pub words: Words,
    /// The judge's words; absent only while they are faulty.
    pub lexicon: Option<Lexicon>,
}

/// How long a class of rows is kept, and who decided that it may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// `R1` mentions without a case, `R2` words of routine cases, `R3` words of opinions, `R4` words that their writers
    /// took away, `R10` the log of messages.
    pub class: String,
    /// Days after which it may go.
    pub keep_days: u32,
    /// Reference (diarienummer) of the decision; without it nothing goes.
    pub decision: Option<String>,
}

/// What the command line or the environment says before the files.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The database's address.
    pub database: Option<Secret>,
    /// Where the pages are served.
    pub listen: Option<String>,
}

/// Reads the folder. What the command line says stands before what the files say.
///
/// # Errors
/// Every fault of every file, by file and line.
pub fn read(folder: &Path, overrides: &Overrides) -> Result<Config, Vec<Problem>> {
    let texts = FILES.map(|name| (folder.join(name), std::fs::metadata(folder.join(name)).map(|file| file.len())));
    let problems = Problems::default();
    let texts = texts.map(|(path, size)| (text_of(&path, size, &problems), path));
    let [service, sources, organisation, words, lexicon] = &texts;
    let open = |(text, path): &(String, PathBuf)| settings::read(&path.display().to_string(), text, &problems);
    let config = parse(&open(service), &open(sources), &open(organisation), &open(words), &open(lexicon), overrides);
    if problems.is_empty() { Ok(config) } else { Err(problems.sorted()) }
}

/// Puts a configuration together from texts, as the demo and the tests do: `(name, text)` in the order of [`FILES`].
///
/// # Errors
/// As [`read`].
pub fn read_texts(texts: [(&str, &str); 5], overrides: &Overrides) -> Result<Config, Vec<Problem>> {
    let problems = Problems::default();
    let [service, sources, organisation, words, lexicon] =
        texts.map(|(name, text)| settings::read(name, text, &problems));
    let config = parse(&service, &sources, &organisation, &words, &lexicon, overrides);
    drop((service, sources, organisation, words, lexicon));
    if problems.is_empty() { Ok(config) } else { Err(problems.sorted()) }
}

fn text_of(path: &Path, size: std::io::Result<u64>, problems: &Problems) -> String {
    let report = |what: String| problems.add(Problem { file: path.display().to_string(), line: 1, what });
    match size {
        Err(fault) => report(format!("cannot be read ({fault}); every configuration folder has {}", FILES.join(", "))),
        Ok(size) if size > LARGEST_FILE => report(format!("is larger than {} MB", LARGEST_FILE / 1024 / 1024)),
        Ok(_) => match std::fs::read_to_string(path) {
            Ok(text) => return text,
            Err(fault) => report(format!("is not readable as UTF-8 text: {fault}")),
        },
    }
    String::new()
}

fn parse(
    service: &Section,
    sources: &Section,
    organisation: &Section,
    words: &Section,
    lexicon: &Section,
    overrides: &Overrides,
) -> Config {
    let municipality = service.section("municipality");
    let of = |key: &str| municipality.as_ref().map(|section| section.text(key)).unwrap_or_default();
    if municipality.is_none() && !service.keys().is_empty() {
        service.place().report("`[municipality]` is missing, expected name, contact and base_url");
    }
    let storage = service.section("database");
    let web = service.section("web");
    let log = service.section("log");
    let accounts = account::read(sources);
    let reminders = organisation.section("reminders");
    Config {
        municipality: of("name"),
        contact: of("contact"),
        base_url: base_url(municipality.as_ref()),
        database: overriding(overrides.database.as_deref(), storage.as_ref(), "address", DEFAULT_DATABASE).into(),
        connections: bounded(storage.as_ref(), "connections", 4..=200, 12),
        listen: overriding(overrides.listen.as_deref(), web.as_ref(), "listen", DEFAULT_LISTEN),
        trusted_proxy: web.as_ref().is_some_and(|section| section.flag_or("trusted_proxy", false)),
        metrics_token: std::env::var("LYHORD_METRICS_TOKEN").ok().filter(|token| !token.is_empty()).map(Secret::from),
        log: match log.as_ref().map_or("text", |section| section.choice("form", &["text", "json"])) {
            "json" => LogForm::Json,
            _ => LogForm::Text,
        },
        log_level: log
            .as_ref()
            .map_or("info", |section| section.choice("level", &["info", "debug", "warn", "error"]))
            .to_owned(),
        retention: service.sections("retention").iter().map(retention).collect(),
        chat: service.section("chat").map(|section| chat::settings::read(&section)).unwrap_or_default(),
        external_judge: service
            .section("judge")
            .and_then(|judge| judge.section("external"))
            .and_then(|section| External::read(&section, |name| std::env::var(name).ok())),
        sources: watched::read(sources, &accounts),
        accounts,
        organisation: Arc::new(Organisation::read(organisation)),
        other_topics: service.texts("other_topics").into_iter().map(|topic| topic.text).collect(),
        calendars: Arc::new(
            organisation.section("calendar").map(|section| Calendars::read(&section)).unwrap_or_default(),
        ),
        response_times: organisation
            .section("response_times")
            .map(|section| ResponseTimes::read(&section))
            .unwrap_or_default(),
        rush: service.section("rush").map(|section| Bounds::read(&section)).unwrap_or_default(),
        weekly: reminders.as_ref().and_then(weekly),
        ladders: Ladders::new(reminders.as_ref().map(Ladder::read).unwrap_or_default(), []),
        words: words::read(words),
        lexicon: Lexicon::read(lexicon).map_err(|fault| lexicon.place().report(fault.to_string())).ok(),
    }
}

/// `weekly = "monday 08:30"`, or "none".
fn weekly(section: &Section) -> Option<Rhythm> {
    let found = section.located_optional("weekly")?;
    let rhythm = Rhythm::parse(&found.text).filter(|rhythm| matches!(rhythm, Rhythm::Week { .. }));
    if rhythm.is_none() && found.text != "none" {
        found.place.report(format!("`{}` is no weekly time, as \"monday 08:30\", or \"none\"", found.text));
    }
    rhythm
}

const DEFAULT_DATABASE: &str = "sqlite:data/lyhord.sqlite";
const DEFAULT_LISTEN: &str = "127.0.0.1:8080";

fn overriding(given: Option<&str>, section: Option<&Section>, key: &str, default: &str) -> String {
    let written = section.map(|section| section.text_or(key, default));
    given.map(str::to_owned).or(written).unwrap_or_else(|| default.to_owned())
}

fn bounded(section: Option<&Section>, key: &str, range: std::ops::RangeInclusive<i64>, default: u32) -> u32 {
    section
        .map(|section| section.integer_or(key, range, i64::from(default)))
        .and_then(|number| u32::try_from(number).ok())
        .unwrap_or(default)
}

fn base_url(municipality: Option<&Section>) -> Url {
    let found = municipality.and_then(|section| section.located("base_url"));
    let fallback = || Url::parse("http://127.0.0.1:8080/").unwrap_or_else(|_| unreachable!("a constant address"));
    let Some(found) = found else { return fallback() };
    match Url::parse(&found.text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => url,
        _ => {
            found
                .place
                .report(format!("`base_url` is `{}`, expected an address as https://lyhord.kommunen.se/", found.text));
            fallback()
        }
    }
}

fn retention(section: &Section) -> Retention {
    Retention {
        class: section.choice("class", &["R1", "R2", "R3", "R4", "R10"]).to_owned(),
        keep_days: bounded(Some(section), "keep_days", 1..=36_500, 36_500),
        decision: section.text_optional("decision").filter(|text| !text.trim().is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every secret that the files can name, in files of their own, and those that stand in the configuration itself.
    const SERVICE: &str = r#"
[municipality]
name = "Ale kommun"
contact = "x"
base_url = "https://lyhord.example.se/"
[chat]
key_file = "FILE"
[chat.telegram]
mode = "webhook"
token_file = "FILE"
webhook_address = "https://lyhord.example.se/krok/telegram"
webhook_secret_file = "FILE"
[chat.matrix]
home_server = "https://matrix.example.se"
user_id = "@lyhord:example.se"
token_file = "FILE"
[chat.teams]
[[chat.teams.hook]]
name = "va"
url_file = "HOOK"
[chat.slack]
token_file = "FILE"
signing_secret_file = "FILE"
[chat.mattermost]
server = "https://mattermost.example.se"
bot_id = "b"
press_url = "https://lyhord.example.se/krok/mattermost"
command_token_file = "FILE"
token_file = "FILE"
[chat.email]
host = "smtp.example.se"
user = "lyhord"
password_file = "FILE"
from = "Lyhörd <lyhord@example.se>"
domains = ["example.se"]
"#;
    const SOURCES: &str = r#"
[[account]]
key = "vi"
channel = "mastodon"
handle = "@ale@social.example.se"
server = "https://social.example.se"
secret_file = "FILE"
"#;

    #[test]
    fn no_secret_shows_when_the_whole_configuration_is_printed() {
        let folder = tempfile::tempdir().unwrap();
        let (file, hook) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&file, "OPPNA-SESAM-med-fyrtio-tecken-och-lite-till").unwrap();
        std::fs::write(&hook, "https://prod.logic.azure.com/workflows/1?sig=OPPNA-SESAM").unwrap();
        let shipped = |name: &str| {
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name)).unwrap()
        };
        let named =
            |text: &str| text.replace("FILE", &file.display().to_string()).replace("HOOK", &hook.display().to_string());
        let mut organisation = shipped("organisation.toml");
        let staff = organisation.find("[[staff]]").unwrap() + "[[staff]]".len();
        organisation.insert_str(staff, "\nabsence_feed = \"https://kalender.example.se/OPPNA-SESAM.ics\"");
        let (service, sources) = (named(SERVICE), named(SOURCES));
        let (words, lexicon) = (shipped("words.toml"), shipped("lexicon.toml"));
        let texts = [
            ("lyhord.toml", service.as_str()),
            ("sources.toml", sources.as_str()),
            ("organisation.toml", organisation.as_str()),
            ("words.toml", words.as_str()),
            ("lexicon.toml", lexicon.as_str()),
        ];
        let overrides = Overrides { database: Some("postgres://lyhord:OPPNA-SESAM@db/lyhord".into()), listen: None };
        let mut config = read_texts(texts, &overrides)
            .unwrap_or_else(|faults| panic!("{}", faults.iter().map(ToString::to_string).collect::<String>()));
        config.metrics_token = Some("OPPNA-SESAM".into());
        assert!(config.organisation.staff.iter().any(|staff| staff.absence_feed.is_some()));
        assert!(config.accounts.all().iter().any(|account| account.secret.is_some()));
        for printed in [format!("{config:?}"), format!("{config:#?}"), format!("{overrides:?}")] {
            let at = printed.find("OPPNA-SESAM").map(|at| printed[..at].chars().rev().take(200).collect::<String>());
            assert_eq!(at.map(|text| text.chars().rev().collect::<String>()), None);
        }
    }
}
