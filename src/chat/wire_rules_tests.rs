//! The six rules of what a reminder may contain, on what really leaves for each service: the last bytes before the
//! network, buttons and changes included.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::button::Became;
use super::email::{self, Email, EmailAccount, Protection};
use super::mattermost::{Mattermost, MattermostAccount};
use super::signed::tests::signer;
use super::tier::tests::{Sample, drawn, four_grams, identities, one_case};
use super::tier::{self, Occasion};
use super::wire::Secret;
use super::{Act, Channel, Message, Nonce, matrix, slack, teams, telegram};

const VOICES: [Channel; 6] =
    [Channel::Telegram, Channel::Matrix, Channel::Teams, Channel::Slack, Channel::Mattermost, Channel::Email];

fn mattermost() -> Mattermost {
    let account = MattermostAccount {
        token: Secret::new("t"),
        bot_id: "bot".into(),
        api_base: "https://mattermost.ale.se".parse().unwrap(),
        press_url: "https://lyhord.ale.se/krok/mattermost".parse().unwrap(),
        command_token: None,
        timeout: Duration::from_secs(1),
    };
    Mattermost::new(&account, signer()).unwrap()
}

fn mail() -> Email {
    let account = EmailAccount {
        host: "localhost".into(),
        port: 25,
        protection: Protection::None,
        login: None,
        from: "Lyhörd <lyhord@ale.se>".into(),
        domains: vec!["ale.se".into()],
        timeout: Duration::from_secs(1),
    };
    Email::new(&account, signer()).unwrap()
}

/// What leaves for the service, as JSON; a letter as its subject and its two bodies.
fn leaves(channel: Channel, message: &Message) -> Value {
    match channel {
        Channel::Telegram | Channel::Terminal => telegram::payload(message),
        Channel::Matrix => matrix::content(message),
        Channel::Teams => teams::envelope(message, &signer()),
        Channel::Slack => slack::post("U1", message),
        Channel::Mattermost => mattermost().post(message),
        Channel::Email => email::bodies(&mail(), message),
    }
}

/// A message with buttons when it is about one case, and the same one after its first case has been taken.
fn messages(channel: Channel, sample: &Sample, nonce: [u8; 16]) -> [Message; 2] {
    let acts = Act::ALL.map(|act| (act, Nonce::of(nonce)));
    let message = tier::message(channel.tier(), Occasion::Reminder, &one_case(sample)).with_buttons(&acts);
    let became: Vec<_> = sample.cases.iter().take(3).map(|case| (case.id, Became::Taken)).collect();
    [message.clone(), message.telling(&became)]
}

/// Every key of the payload, and every string.
fn walk(value: &Value, keys: &mut BTreeSet<String>, texts: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                keys.insert(key.clone());
                walk(value, keys, texts);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, keys, texts)),
        Value::String(text) => texts.push(text.clone()),
        _ => {}
    }
}

fn parts(value: &Value) -> (BTreeSet<String>, Vec<String>) {
    let (mut keys, mut texts) = (BTreeSet::new(), Vec::new());
    walk(value, &mut keys, &mut texts);
    (keys, texts)
}

/// Every field that may leave for a service. Nothing else may, whatever a post says.
fn allowed(channel: Channel) -> &'static [&'static str] {
    match channel {
        Channel::Telegram | Channel::Terminal => {
            &["text", "link_preview_options", "is_disabled", "reply_markup", "inline_keyboard", "callback_data", "url"]
        }
        Channel::Matrix => {
            &["msgtype", "body", "m.mentions", "format", "formatted_body", matrix::BUTTONS, "ta", "senare", "lamna"]
        }
        Channel::Teams => &[
            "type",
            "attachments",
            "contentType",
            "contentUrl",
            "content",
            "$schema",
            "version",
            "lang",
            "body",
            "actions",
            "text",
            "wrap",
            "title",
            "url",
        ],
        Channel::Slack => &[
            "channel",
            "text",
            "unfurl_links",
            "unfurl_media",
            "mrkdwn",
            "blocks",
            "type",
            "emoji",
            "elements",
            "action_id",
            "value",
            "url",
        ],
        Channel::Mattermost => &[
            "message",
            "props",
            "attachments",
            "text",
            "actions",
            "id",
            "name",
            "type",
            "integration",
            "url",
            "context",
            "act",
            "nonce",
            "seal",
        ],
        Channel::Email => &["subject", "text", "html"],
    }
}

fn links(texts: &[String]) -> Vec<url::Url> {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | ')');
    texts
        .iter()
        .flat_map(|text| text.match_indices("http").map(|(at, _)| &text[at..]))
        .map(|rest| rest.split(ends).next().unwrap_or_default().trim_end_matches("&quot;"))
        .filter_map(|link| link.parse().ok())
        .collect()
}

/// The payload without what is opaque by design: the nonce, and the seals and signatures over it.
fn without(payload: &Value, nonce: [u8; 16]) -> String {
    let text = payload.to_string().replace(Nonce::of(nonce).as_str(), "nonce");
    let (mut kept, mut run) = (String::new(), String::new());
    for letter in text.chars().chain(['\n']) {
        if matches!(letter, '0'..='9' | 'a'..='f') {
            run.push(letter);
            continue;
        }
        kept.push_str(if run.len() >= 32 { "seal" } else { &run });
        run.clear();
        kept.push(letter);
    }
    kept
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rule_1_nothing_leaves_but_what_is_on_the_list((_, sample) in drawn()) {
        for channel in VOICES {
            for message in messages(channel, &sample, [1; 16]) {
                let (keys, _) = parts(&leaves(channel, &message));
                let stray: Vec<_> = keys.iter().filter(|key| !allowed(channel).contains(&key.as_str())).collect();
                prop_assert!(stray.is_empty(), "{channel:?} {stray:?}");
            }
        }
    }

    #[test]
    fn rule_2_no_four_words_of_a_post_leave((post, sample) in drawn()) {
        let theirs = four_grams(&post);
        for channel in VOICES {
            for message in messages(channel, &sample, [1; 16]) {
                let (_, texts) = parts(&leaves(channel, &message));
                let said = texts.join(" | ");
                prop_assert!(four_grams(&said).is_disjoint(&theirs), "{channel:?} {said}");
            }
        }
    }

    #[test]
    fn rule_3_no_handle_address_telephone_or_personnummer_leaves((_, sample) in drawn()) {
        for channel in VOICES {
            for message in messages(channel, &sample, [1; 16]) {
                let (_, texts) = parts(&leaves(channel, &message));
                for text in texts.iter().filter(|text| !text.starts_with("http")) {
                    prop_assert_eq!(identities(text), Vec::<String>::new(), "{:?} {}", channel, text);
                }
            }
        }
    }

    #[test]
    fn rule_4_where_a_service_would_make_a_preview_it_is_told_not_to((_, sample) in drawn()) {
        for message in messages(Channel::Telegram, &sample, [1; 16]) {
            prop_assert_eq!(&leaves(Channel::Telegram, &message)["link_preview_options"]["is_disabled"], &json!(true));
        }
        for message in messages(Channel::Slack, &sample, [1; 16]) {
            let post = leaves(Channel::Slack, &message);
            prop_assert_eq!((&post["unfurl_links"], &post["unfurl_media"]), (&json!(false), &json!(false)));
        }
    }

    #[test]
    fn rule_5_every_link_that_leaves_lands_on_sign_in_and_carries_no_bearer((_, sample) in drawn()) {
        for channel in VOICES {
            for message in messages(channel, &sample, [1; 16]) {
                let (_, texts) = parts(&leaves(channel, &message));
                let ours = |link: &url::Url| link.host_str() == Some("lyhord.ale.se");
                for link in links(&texts).iter().filter(|link| link.host_str() != Some("adaptivecards.io")) {
                    prop_assert!(ours(link) && link.query().is_none() && link.fragment().is_none(), "{channel:?} {link}");
                    prop_assert!(link.username().is_empty() && link.password().is_none());
                    let path = link.path();
                    let page = path == "/logga-in" || path == "/krok/mattermost";
                    let case = path.strip_prefix("/arende/").is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_digit()));
                    // The button's link: read by us alone, good for one act by one person after sign-in.
                    let button = path.strip_prefix("/knapp/").is_some_and(|token| signer().read(token, message.said_at()).is_ok());
                    prop_assert!(page || case || button, "{channel:?} {path}");
                }
            }
        }
    }

    #[test]
    fn rule_6_two_recipients_differ_in_their_nonces_only((_, sample) in drawn(), one: [u8; 16], two: [u8; 16]) {
        for channel in VOICES {
            for (first, second) in messages(channel, &sample, one).iter().zip(&messages(channel, &sample, two)) {
                prop_assert_eq!(first.text(), second.text());
                prop_assert_eq!(
                    without(&leaves(channel, first), one),
                    without(&leaves(channel, second), two),
                    "{:?}",
                    channel
                );
            }
        }
    }
}

/// Each chat is shown once, and what is shown is there to be seen.
#[test]
fn the_page_for_staff_has_a_picture_of_each_chat() {
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let page = include_str!("../../docs/paminnelser.md");
    let shown: Vec<&str> = page
        .split("![")
        .skip(1)
        .filter_map(|rest| rest.split_once("](").and_then(|(_, rest)| rest.split(')').next()))
        .collect();
    let of_each = ["telegram", "slack", "teams", "mattermost", "matrix", "e-post"];
    for name in of_each {
        assert_eq!(shown.iter().filter(|path| **path == format!("bilder/{name}.png")).count(), 1, "{name}");
    }
    for path in shown {
        let picture = std::fs::read(docs.join(path)).expect(path);
        assert!(picture.starts_with(b"\x89PNG"), "{path}");
    }
}

/// What staff read about reminders is what the voices say of themselves and what they send.
#[test]
fn the_page_for_staff_shows_what_is_sent_and_what_no_voice_can_do() {
    let page = include_str!("../../docs/paminnelser.md");
    let sample = super::tier::tests::sample();
    for tier in [tier::Tier::A, tier::Tier::B, tier::Tier::C] {
        let message = tier::message(tier, Occasion::Reminder, &one_case(&sample));
        for line in message.text().lines().filter(|line| !line.starts_with("http")) {
            assert!(page.contains(line), "{line}");
        }
    }
    for act in Act::ALL {
        assert!(page.contains(&format!("**{}**", act.label())), "{}", act.label());
    }
    for (verb, _) in super::command::MENU {
        assert!(page.contains(&format!("`/{verb}")), "{verb}");
    }
    let accounts: [&[&str]; 6] =
        [telegram::CANNOT, matrix::CANNOT, teams::CANNOT, slack::CANNOT, super::mattermost::CANNOT, email::CANNOT];
    for sentence in accounts.concat() {
        assert!(page.contains(sentence), "{sentence}");
    }
}
