//! From the bytes of a stream message to rule ids, as ratios inside one run (CPU time, round-robin, median of rounds):
//!
//! - M5: hearing a message / parsing it with serde into typed fields and doing nothing more (the world's mix);
//! - M6: hearing a message / parsing it first and then matching, at identical rules, for three mixes;
//! - M7: CPU seconds for one hour of 2,000 messages a second, after decompression. This one is absolute: it says
//!   something about this machine only.
//!
//! `cargo bench --bench stream` (`-- quick` for few messages).

use std::fmt::Write as _;

use lyhord::mention::stream::{Gathered, listen, parse_first};
use lyhord::mention::watch::{Watch, compile};
use serde_json::json;

use corpus::{Dice, boolean_rules, corpus};
use measure::{Better, figure, median, say, timed};

mod corpus;
mod measure;

const ROUNDS: usize = 5;

/// The fields that a plain reader would take out.
#[derive(serde::Deserialize)]
struct Typed<'a> {
    did: &'a str,
    #[serde(borrow)]
    commit: Commit<'a>,
}

#[derive(serde::Deserialize)]
struct Commit<'a> {
    collection: &'a str,
    rkey: &'a str,
    #[serde(borrow)]
    record: Record<'a>,
}

#[derive(serde::Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    text: std::borrow::Cow<'a, str>,
    #[serde(borrow, default)]
    langs: Vec<&'a str>,
}

/// Which escapes the sender writes.
#[derive(Clone, Copy)]
enum Escapes {
    /// As Go does: `&`, `<` and `>`.
    Go,
    /// Everything that is not ASCII.
    Ascii,
}

fn message(dice: &mut Dice, text: &str, escapes: Escapes) -> String {
    let key = |dice: &mut Dice, length: usize| -> String {
        (0..length).map(|_| char::from(*dice.pick(b"abcdefghijklmnopqrstuvwxyz234567"))).collect()
    };
    let record = json!({
        "$type": "app.bsky.feed.post", "createdAt": "2026-11-23T21:00:00.000Z", "langs": ["sv"], "text": text,
        "reply": {
            "parent": { "cid": key(dice, 59), "uri": format!("at://did:plc:{}/app.bsky.feed.post/{}", key(dice, 24), key(dice, 13)) },
            "root": { "cid": key(dice, 59), "uri": format!("at://did:plc:{}/app.bsky.feed.post/{}", key(dice, 24), key(dice, 13)) }
        }
    });
    let whole = json!({
        "did": format!("did:plc:{}", key(dice, 24)), "time_us": 1_790_000_000_000_000_u64, "kind": "commit",
        "commit": {
            "rev": key(dice, 13), "operation": "create", "collection": "app.bsky.feed.post", "rkey": key(dice, 13),
            "record": record, "cid": key(dice, 59)
        }
    });
    let mut out = String::new();
    for letter in whole.to_string().chars() {
        let odd = match escapes {
            Escapes::Go => matches!(letter, '&' | '<' | '>'),
            Escapes::Ascii => !letter.is_ascii(),
        };
        if odd {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                write!(out, "\\u{unit:04x}").expect("a String takes any text");
            }
        } else {
            out.push(letter);
        }
    }
    out
}

/// Messages of which one in `every` is a Swedish post, and the others a made language with the letters of many.
fn messages(posts: &[String], every: usize, escapes: Escapes) -> Vec<String> {
    let mut dice = Dice(23);
    let syllables = [
        "ka", "to", "mi", "the", "ing", "ção", "ña", "です", "さん", "für", "qu", "lo", "ra", "ne", "is", "an", "oh",
        "🙂", "e", "&",
    ];
    posts
        .iter()
        .enumerate()
        .map(|(number, post)| {
            if number % every == 0 {
                return message(&mut dice, post, escapes);
            }
            let words = 8 + dice.roll(24);
            let text: Vec<String> =
                (0..words).map(|_| (0..=dice.roll(3)).map(|_| *dice.pick(&syllables)).collect()).collect();
            message(&mut dice, &text.join(" "), escapes)
        })
        .collect()
}

fn check(watch: &Watch, messages: &[String]) -> usize {
    let (mut quick, mut plain) = (Gathered::default(), Gathered::default());
    let mut heard = 0;
    for message in messages {
        listen(watch, message.as_bytes(), &mut quick);
        parse_first(watch, message, &mut plain);
        assert_eq!(quick.rules(), plain.rules(), "{message}");
        heard += quick.rules().len();
    }
    heard
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "quick");
    let count = if quick { 4_000 } else { 40_000 };
    let corpus = corpus(count, 15_000, 15_000);
    let watch = compile(&boolean_rules(&corpus.names));
    let mixes = [
        ("world, 1 % Swedish", messages(&corpus.posts, 100, Escapes::Go)),
        ("all Swedish", messages(&corpus.posts, 1, Escapes::Go)),
        ("world, all in \\u escapes", messages(&corpus.posts, 100, Escapes::Ascii)),
    ];
    for (name, messages) in &mixes {
        let bytes: usize = messages.iter().map(String::len).sum();
        let heard = check(&watch, messages);
        let (mut own, mut plain) = (Gathered::default(), Gathered::default());
        let mut rounds: Vec<[f64; 3]> = Vec::new();
        for round in 0..=ROUNDS {
            let times = [
                timed(messages, |message| typed(message)),
                timed(messages, |message| {
                    parse_first(&watch, message, &mut plain);
                    plain.rules().len()
                }),
                timed(messages, |message| {
                    listen(&watch, message.as_bytes(), &mut own);
                    own.rules().len()
                }),
            ];
            if round > 0 {
                rounds.push(times);
            }
        }
        let ratio = |over: usize| rounds.iter().map(|times| times[over] / times[2]).collect::<Vec<f64>>();
        println!("{name}: {count} messages of {} bytes, {heard} rules matched", bytes / count);
        if name.starts_with("world, 1") {
            say("M5", "bytes to rules / serde_json into typed fields: world, 1 % Swedish", 0.6, 1.0, ratio(0));
            #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
            let hour = median(rounds.iter().map(|times| times[2]).collect()).0 * 7_200_000.0 / count as f64;
            figure("M7", "one hour of 2,000 messages a second", 30.0, Some(8.0), hour, "CPU s", Better::Less);
        }
        let aim = if name.starts_with("world, 1") { 2.0 } else { 1.3 };
        say("M6", &format!("bytes to rules / parse first: {name}"), 1.3, aim, ratio(1));
    }
}

fn typed(message: &str) -> usize {
    serde_json::from_str::<Typed<'_>>(message).map_or(0, |typed| {
        typed.did.len()
            + typed.commit.collection.len()
            + typed.commit.rkey.len()
            + typed.commit.record.text.len()
            + typed.commit.record.langs.len()
    })
}
