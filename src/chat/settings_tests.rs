//! Every key of `[chat]` is read, and every fault is said with its line.

use std::io::Write as _;

use super::*;
use crate::settings::Problems;

/// Reads a text in which `FILE` stands for a file with a secret in it and `HOOK` for one with a hook's address.
fn reading(text: &str) -> (ChatSettings, Vec<String>) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "ett_mycket_hemligt_ord_med_40_tecken____").unwrap();
    let mut hook = tempfile::NamedTempFile::new().unwrap();
    writeln!(hook, "https://prod.logic.azure.com/workflows/1?sig=abc").unwrap();
    let text = text.replace("FILE", file.path().to_str().unwrap()).replace("HOOK", hook.path().to_str().unwrap());
    let problems = Problems::default();
    let section = crate::settings::read("lyhord.toml", &text, &problems);
    let settings = section.section("chat").map(|chat| read(&chat)).unwrap_or_default();
    drop(section);
    (settings, problems.sorted().iter().map(ToString::to_string).collect())
}

#[test]
fn all_voices_are_read_without_a_fault_and_no_secret_shows() {
    let (settings, faults) = reading(
        r#"
[chat]
key_file = "FILE"
terminal = true
[chat.telegram]
mode = "webhook"
token_file = "FILE"
api_base = "http://fake:8081"
webhook_address = "https://lyhord.ale.se/krok/telegram"
webhook_secret_file = "FILE"
bot_name = "lyhord_bot"
timeout_s = 5
per_second = 10
[chat.matrix]
home_server = "https://matrix.ale.se"
user_id = "@lyhord:ale.se"
token_file = "FILE"
hear = false
[chat.teams]
[[chat.teams.hook]]
name = "va"
url_file = "HOOK"
[chat.slack]
token_file = "FILE"
signing_secret_file = "FILE"
[chat.mattermost]
server = "https://mattermost.ale.se"
bot_id = "b"
press_url = "https://lyhord.ale.se/krok/mattermost"
command_token_file = "FILE"
token_file = "FILE"
[chat.email]
host = "smtp.ale.se"
user = "lyhord"
password_file = "FILE"
from = "Lyhörd <lyhord@ale.se>"
domains = ["ale.se"]
"#,
    );
    assert_eq!(faults, Vec::<String>::new());
    let telegram = settings.telegram.as_ref().unwrap();
    assert!(matches!(&telegram.mode, Mode::Webhook { path, .. } if path == "/krok/telegram"), "{:?}", telegram.mode);
    assert_eq!((telegram.account.per_second, telegram.account.timeout.as_secs()), (10, 5));
    let email = settings.email.as_ref().unwrap();
    assert_eq!((email.port, email.protection), (587, Protection::StartTls));
    assert_eq!(settings.slack.as_ref().unwrap().path, "/krok/slack");
    assert!(!settings.matrix.as_ref().unwrap().hear && settings.terminal);
    assert!(settings.teams.is_some() && settings.mattermost.is_some());
    let shown = format!("{settings:?}");
    assert!(!shown.contains("hemligt") && !shown.contains("sig="), "{shown}");
}

#[test]
fn faults_are_said_all_at_once_and_a_faulty_voice_is_off() {
    let (settings, faults) = reading(
        "[chat]\n[chat.telegram]\nmode = \"pol\"\napi_base = \"http://api.telegram.org\"\ntoken_file = \"/finns/inte\"\n\
         [chat.email]\nhost = \"smtp.ale.se\"\nprotection = \"none\"\nfrom = \"x\"\n\
         [chat.slack]\ntoken_env = \"LYHORD_TEST_UNSET\"\n",
    );
    assert!(settings.telegram.is_none() && settings.email.is_none() && settings.slack.is_none());
    let said = faults.join("\n");
    for part in [
        "lyhord.toml:3: `chat.telegram.mode` `pol`",
        "lyhord.toml:4: `api_base` is not an https address",
        "lyhord.toml:5: `/finns/inte` cannot be read",
        "`none` is only for a relay",
        "`LYHORD_TEST_UNSET` is not set",
        "`signing_secret_env` or `signing_secret_file` is missing",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

#[test]
fn a_voice_that_signs_its_links_needs_a_key_and_telegram_needs_none() {
    let (_, faults) = reading("[chat]\n[chat.email]\nhost = \"localhost\"\nfrom = \"Lyhörd <lyhord@ale.se>\"\n");
    assert!(faults.iter().any(|fault| fault.contains("`chat.key_env` or `chat.key_file`")), "{faults:?}");
    let (settings, faults) = reading("[chat]\n[chat.telegram]\ntoken_file = \"FILE\"\n");
    assert_eq!((settings.telegram.is_some(), faults), (true, Vec::new()));
}

#[test]
fn telegram_without_a_token_is_off_and_no_fault() {
    let (settings, faults) = reading("[chat]\nterminal = true\n[chat.telegram]\ntoken_env = \"LYHORD_TEST_UNSET\"\n");
    assert_eq!((settings.terminal, settings.telegram.is_none(), faults), (true, true, Vec::new()));
}

#[test]
fn a_web_hook_s_secret_must_be_one_that_telegram_takes() {
    assert!(
        is_webhook_secret("A-z_9") && !is_webhook_secret("å") && !is_webhook_secret("") && !is_webhook_secret("a b")
    );
}

#[test]
fn an_address_that_services_post_to_cannot_be_a_page_s() {
    let (settings, faults) = reading(
        "[chat]\nkey_file = \"FILE\"\n[chat.slack]\ntoken_file = \"FILE\"\nsigning_secret_file = \"FILE\"\npath = \"/inkorg\"\n\
         [chat.mattermost]\ntoken_file = \"FILE\"\nbot_id = \"b\"\nserver = \"https://m.ale.se\"\npress_url = \"https://lyhord.ale.se/x\"\n",
    );
    assert!(settings.mattermost.is_none());
    assert_eq!(settings.slack.unwrap().path, "/krok/slack");
    assert_eq!(faults.iter().filter(|fault| fault.contains("/krok/")).count(), 2, "{faults:?}");
}

#[test]
fn a_poll_is_the_default_and_an_unknown_key_is_found() {
    let (settings, faults) =
        reading("[chat]\nkey_file = \"FILE\"\n[chat.telegram]\ntoken_file = \"FILE\"\nbotname = \"x\"\n");
    assert_eq!(settings.telegram.unwrap().mode, Mode::Poll);
    assert!(faults.len() == 1 && faults[0].contains("did you mean `bot_name`?"), "{faults:?}");
}

/// The shipped file with every chat setting in force: what it documents is what is read, and nothing else is.
#[test]
fn every_chat_setting_in_the_shipped_file_is_one_that_is_read() {
    let shipped = include_str!("../../config/lyhord.toml");
    let begun = shipped.lines().skip_while(|line| !line.starts_with("# [chat]"));
    let chat: Vec<&str> = begun.take_while(|line| !line.starts_with("# [judge")).collect();
    let is_setting = |line: &str| {
        let name = line.split(" =").next().unwrap_or_default();
        line.starts_with('[')
            || (line.contains(" = ") && !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
    };
    let mut text = String::new();
    for line in chat {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if is_setting(line) {
            let (name, _) = line.split_once(" = ").unwrap_or((line, ""));
            let secret = name
                .strip_suffix("_env")
                .map(|name| format!("{name}_file = \"{}\"", if name == "url" { "HOOK" } else { "FILE" }));
            text.push_str(&secret.unwrap_or_else(|| line.to_owned()));
            text.push('\n');
        }
    }
    let (settings, faults) = reading(&text);
    assert_eq!(faults, Vec::<String>::new(), "{text}");
    assert!(settings.telegram.is_some() && settings.matrix.is_some() && settings.slack.is_some());
    assert!(settings.mattermost.is_some_and(|account| account.command_token.is_some()));
    assert!(settings.teams.is_some() && settings.email.is_some());
    for setting in [
        "bot_name",
        "timeout_s",
        "per_second",
        "webhook_address",
        "webhook_secret",
        "hear",
        "path",
        "press_url",
        "command_token",
        "protection",
        "port",
        "user",
        "domains",
        "key",
    ] {
        assert!(text.lines().any(|line| line.starts_with(setting)), "{setting} is not documented");
    }
}
