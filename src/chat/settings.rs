//! `[chat]` of `lyhord.toml`: which voices are on and how each is reached. Secrets are named, never written there.

use std::collections::BTreeMap;
use std::time::Duration;

use url::Url;

use super::email::{EmailAccount, Protection};
use super::hook_listen::PREFIX;
use super::matrix::MatrixAccount;
use super::mattermost::MattermostAccount;
use super::slack::SlackAccount;
use super::teams::TeamsAccount;
use super::telegram::{PER_SECOND, TelegramAccount};
use super::wire::{Secret, is_safe_base};
use crate::settings::Section;

/// A key shorter than this can be guessed.
const KEY_MIN: usize = 32;

/// How Telegram's updates reach us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// We ask: one process only.
    Poll,
    /// Telegram posts to `address`, which our web server answers at `path`.
    Webhook {
        /// The public address.
        address: Url,
        /// The path of that address.
        path: String,
        /// What Telegram says with each update.
        secret: Secret,
    },
    /// Nothing is heard; messages are sent all the same.
    Off,
}

/// `[chat.telegram]`.
#[derive(Debug, Clone)]
pub struct TelegramSettings {
    /// How the bot is reached.
    pub account: TelegramAccount,
    /// How we hear.
    pub mode: Mode,
    /// The bot's name without `@`, for the link that binds a chat.
    pub bot_name: String,
}

/// `[chat.slack]`.
#[derive(Debug, Clone)]
pub struct SlackSettings {
    /// How Slack is reached.
    pub account: SlackAccount,
    /// Where it posts presses and commands.
    pub path: String,
}

/// `[chat.matrix]`.
#[derive(Debug, Clone)]
pub struct MatrixSettings {
    /// How the home server is reached.
    pub account: MatrixAccount,
    /// True when this installation hears as well as speaks: one process only.
    pub hear: bool,
}

/// `[chat]`: a voice that has no section is off.
#[derive(Debug, Clone, Default)]
pub struct ChatSettings {
    /// Keys the hashes of one-time codes, the seals and the signed links; not in the database.
    pub key: Secret,
    /// The demo's voice.
    pub terminal: bool,
    /// Telegram.
    pub telegram: Option<TelegramSettings>,
    /// The environment variable that should hold Telegram's token and holds none: then Telegram is off.
    pub without_token: Option<String>,
    /// Matrix.
    pub matrix: Option<MatrixSettings>,
    /// Microsoft Teams.
    pub teams: Option<TeamsAccount>,
    /// Slack.
    pub slack: Option<SlackSettings>,
    /// Mattermost.
    pub mattermost: Option<MattermostAccount>,
    /// E-mail.
    pub email: Option<EmailAccount>,
}

/// Reads `[chat]`. Faults are written down in the section's problems; a voice with a fault is off.
#[must_use]
pub fn read(section: &Section) -> ChatSettings {
    let key = secret_optional(section, "key");
    let of_telegram = section.section("telegram");
    let without_token = of_telegram.as_ref().and_then(empty_token);
    let found = ChatSettings {
        key: key.clone().unwrap_or_default(),
        terminal: section.flag_or("terminal", false),
        telegram: of_telegram.and_then(|section| telegram(&section, without_token.is_none())),
        without_token,
        matrix: section.section("matrix").and_then(|section| matrix(&section)),
        teams: section.section("teams").and_then(|section| teams(&section)),
        slack: section.section("slack").and_then(|section| slack(&section)),
        mattermost: section.section("mattermost").and_then(|section| mattermost(&section)),
        email: section.section("email").and_then(|section| email(&section)),
    };
    // These sign what they send: links behind buttons, and presses that come back.
    let signs = found.teams.is_some() || found.mattermost.is_some() || found.email.is_some();
    if signs && found.key.reveal().len() < KEY_MIN {
        section
            .place()
            .report(format!("`chat.key_env` or `chat.key_file` must name a secret of at least {KEY_MIN} characters"));
    }
    found
}

/// A secret from the environment variable `{name}_env` or the file `{name}_file`, whichever is set. An empty one is a
/// fault: it would let everybody in.
fn secret_optional(section: &Section, name: &str) -> Option<Secret> {
    let (env, file) = (format!("{name}_env"), format!("{name}_file"));
    let secret = match (section.located_optional(&env), section.located_optional(&file)) {
        (None, None) => return None,
        (Some(variable), None) => {
            let value = std::env::var(&variable.text).ok();
            if value.is_none() {
                variable.place.report(format!("the environment variable `{}` is not set", variable.text));
            }
            value?
        }
        (None, Some(path)) => {
            let value = std::fs::read_to_string(&path.text);
            if let Err(error) = &value {
                path.place.report(format!("`{}` cannot be read: {}", path.text, error.kind()));
            }
            value.ok()?
        }
        (Some(variable), Some(_)) => {
            variable.place.report(format!("only one of `{env}` and `{file}` may be set"));
            return None;
        }
    };
    let secret = Secret::new(&secret);
    if secret.reveal().is_empty() {
        section.place().report(format!("the secret behind `{env}` or `{file}` is empty"));
        return None;
    }
    Some(secret)
}

fn secret(section: &Section, name: &str) -> Option<Secret> {
    let set = section.has(&format!("{name}_env")) || section.has(&format!("{name}_file"));
    if !set {
        section.place().report(format!("`{name}_env` or `{name}_file` is missing"));
    }
    secret_optional(section, name)
}

/// An address that a token may be sent to.
fn base(section: &Section, key: &str, default: Option<&str>) -> Option<Url> {
    let text = match default {
        Some(default) => section.text_or(key, default),
        None => section.text(key),
    };
    if text.is_empty() {
        return None;
    }
    match text.parse::<Url>() {
        Ok(url) if is_safe_base(&url) => Some(url),
        _ => {
            section.place_of(key).report(format!(
                "`{key}` is not an https address (http is only for this machine or the container network)"
            ));
            None
        }
    }
}

/// A path that a service posts to. It begins with [`PREFIX`], so that it cannot be a page's.
fn path(section: &Section, key: &str, default: &str) -> String {
    let path = section.text_or(key, default);
    if is_hook(&path) {
        return path;
    }
    section.place_of(key).report(format!("`{key}` must be a path like `{default}`: it begins with `{PREFIX}`"));
    default.to_owned()
}

fn is_hook(path: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    path.strip_prefix(PREFIX).is_some_and(|name| !name.is_empty() && name.chars().all(plain))
}

/// An address of ours that a service posts to; its path is one of those.
fn hook_address(section: &Section, key: &str, default: &str) -> Option<Url> {
    let address = base(section, key, None)?;
    if is_hook(address.path()) {
        return Some(address);
    }
    section.place_of(key).report(format!("the path of `{key}` must begin with `{PREFIX}`, like `{default}`"));
    None
}

/// How long one call may take, in seconds: under a third of a minute, so that a delivery job never stands still.
fn timeout(section: &Section) -> Duration {
    Duration::from_secs(u64::try_from(section.integer_or("timeout_s", 1..=20, 10)).unwrap_or(10))
}

/// The variable named for the token, when it holds none.
fn empty_token(section: &Section) -> Option<String> {
    let name = section.located_optional("token_env")?.text;
    let given = std::env::var(&name).is_ok_and(|token| !token.trim().is_empty());
    (!given).then_some(name)
}

/// Without a token there is no Telegram, and no fault: the log and the page *Chattar* say so.
fn telegram(section: &Section, token_given: bool) -> Option<TelegramSettings> {
    let kind = section.choice("mode", &["poll", "webhook", "off"]);
    let per_second = section.integer_or("per_second", 1..=i64::from(PER_SECOND), i64::from(PER_SECOND));
    let (token, api_base) = (
        if token_given { secret(section, "token") } else { None },
        base(section, "api_base", Some("https://api.telegram.org")),
    );
    let bot_name = section.text_or("bot_name", "");
    let timeout = timeout(section);
    let given = section.has("webhook_address");
    let address = given.then(|| hook_address(section, "webhook_address", "/krok/telegram")).flatten();
    let told = secret_optional(section, "webhook_secret");
    let mode = match kind {
        "webhook" => {
            let (Some(address), Some(secret)) = (address, told) else {
                section
                    .place()
                    .report("mode `webhook` needs `webhook_address` and `webhook_secret_env` or `webhook_secret_file`");
                return None;
            };
            if !is_webhook_secret(secret.reveal()) {
                section
                    .place()
                    .report("the web hook's secret may only have 1 to 256 letters A-Z a-z, digits, `_` and `-`");
                return None;
            }
            Mode::Webhook { path: address.path().to_owned(), address, secret }
        }
        "off" => Mode::Off,
        _ => Mode::Poll,
    };
    if !token_given {
        return None;
    }
    let account = TelegramAccount {
        token: token?,
        api_base: api_base?,
        timeout,
        per_second: u32::try_from(per_second).unwrap_or(PER_SECOND),
    };
    Some(TelegramSettings { account, mode, bot_name })
}

/// Telegram's own rule for the secret.
fn is_webhook_secret(secret: &str) -> bool {
    (1..=256).contains(&secret.len()) && secret.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

fn matrix(section: &Section) -> Option<MatrixSettings> {
    let (token, api_base) = (secret(section, "token"), base(section, "home_server", None));
    let user_id = section.text("user_id");
    let shaped = user_id.starts_with('@') && user_id.contains(':');
    if !shaped && !user_id.is_empty() {
        section.place_of("user_id").report("`user_id` must look like `@lyhord:ale.se`");
    }
    let (timeout, hear) = (timeout(section), section.flag_or("hear", true));
    Some(MatrixSettings { account: MatrixAccount { token: token?, user_id, api_base: api_base?, timeout }, hear })
}

fn teams(section: &Section) -> Option<TeamsAccount> {
    let timeout = timeout(section);
    let mut hooks = BTreeMap::new();
    for hook in section.sections("hook") {
        let name = hook.text("name");
        let Some(address) = secret(&hook, "url") else { continue };
        if !address.reveal().parse::<Url>().is_ok_and(|url| is_safe_base(&url)) {
            hook.place().report("the secret is not an https address");
        } else if hooks.insert(name.clone(), address).is_some() {
            hook.place_of("name").report(format!("there are two hooks with the name `{name}`"));
        }
    }
    if hooks.is_empty() {
        section.place().report("Teams needs at least one `[[chat.teams.hook]]`");
        return None;
    }
    Some(TeamsAccount { hooks, timeout })
}

fn slack(section: &Section) -> Option<SlackSettings> {
    let (token, signing) = (secret(section, "token"), secret(section, "signing_secret"));
    let api_base = base(section, "api_base", Some("https://slack.com/api/"));
    let (timeout, path) = (timeout(section), path(section, "path", "/krok/slack"));
    let account = SlackAccount { token: token?, signing_secret: signing?, api_base: api_base?, timeout };
    Some(SlackSettings { account, path })
}

fn mattermost(section: &Section) -> Option<MattermostAccount> {
    let (token, bot_id) = (secret(section, "token"), section.text("bot_id"));
    let (api_base, press_url) = (base(section, "server", None), hook_address(section, "press_url", "/krok/mattermost"));
    let (timeout, command_token) = (timeout(section), secret_optional(section, "command_token"));
    Some(MattermostAccount {
        token: token?,
        bot_id,
        api_base: api_base?,
        press_url: press_url?,
        command_token,
        timeout,
    })
}

fn email(section: &Section) -> Option<EmailAccount> {
    let host = section.text("host");
    let protection = match section.choice("protection", &["starttls", "tls", "none"]) {
        "tls" => Protection::Tls,
        "none" => Protection::None,
        _ => Protection::StartTls,
    };
    let local = format!("http://{host}").parse::<Url>().is_ok_and(|url| is_safe_base(&url));
    if protection == Protection::None && !local {
        section.place_of("protection").report("`none` is only for a relay on this machine or the container network");
        return None;
    }
    let usual = if protection == Protection::Tls { 465 } else { 587 };
    let port = u16::try_from(section.integer_or("port", 1..=65_535, usual)).unwrap_or(587);
    let user = section.text_optional("user");
    let password = if user.is_some() { secret(section, "password") } else { None };
    let domains: Vec<String> = section.texts("domains").into_iter().map(|domain| domain.text).collect();
    let (from, timeout) = (section.text("from"), timeout(section));
    if from.parse::<lettre::message::Mailbox>().is_err() {
        section.place_of("from").report("`from` must look like `Lyhörd <lyhord@ale.se>`");
        return None;
    }
    let login = match (user, password) {
        (Some(user), Some(password)) => Some((user, password)),
        (Some(_), None) => return None,
        _ => None,
    };
    (!host.is_empty()).then_some(EmailAccount { host, port, protection, login, from, domains, timeout })
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
