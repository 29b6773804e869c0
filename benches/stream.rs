//! From the bytes of a stream message to rule ids, as ratios inside one run (CPU time, round-robin, median of rounds):
//!
//! - M5: hearing a message / parsing it with serde into typed fields and doing nothing more (the world's mix);
//! - M6: hearing a message / parsing it first and then matching, at identical rules, for three mixes;
//! - M7: CPU seconds for one hour of 2,000 messages a second, after decompression; and with what the listener looks for
//!   besides words (our own accounts, watched threads, changes, places). These are absolute: they say something about
//!   this machine only. They are reckoned from as many messages as the others, or with `-- hour` replayed: 7.2 million
//!   messages, no two alike, made a batch at a time while the clock stands still.
//!
//! `cargo bench --bench stream` (`-- quick` for few messages, `-- hour` for the hour).

use std::fmt::Write as _;

use lyhord::mention::stream::{Gathered, listen, parse_first};
use lyhord::mention::watch::{Watch, compile};
use lyhord::source::marks::Marks;
use serde_json::json;

use corpus::{Dice, boolean_rules, corpus};
use measure::{Better, figure, median, say, timed};

mod corpus;
mod measure;

const ROUNDS: usize = 5;
/// Messages of an hour.
const HOUR: usize = 2_000 * 3_600;
/// Messages of the hour that are there at a time.
const BATCH: usize = 20_000;
/// Threads that are watched: a municipality that answers fifteen times a day has so many in its fourteen days.
const THREADS: usize = 200;

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
struct River<'a> {
    posts: &'a [String],
    every: usize,
    escapes: Escapes,
    dice: Dice,
    /// How many have come.
    number: usize,
}

impl<'a> River<'a> {
    fn of(posts: &'a [String], every: usize, escapes: Escapes) -> Self {
        Self { posts, every, escapes, dice: Dice(23), number: 0 }
    }

    fn next(&mut self) -> String {
        const SYLLABLES: [&str; 20] = [
            "ka", "to", "mi", "the", "ing", "ção", "ña", "です", "さん", "für", "qu", "lo", "ra", "ne", "is", "an",
            "oh", "🙂", "e", "&",
        ];
        let number = self.number;
        self.number += 1;
        let dice = &mut self.dice;
        if number.is_multiple_of(self.every) {
            return message(dice, &self.posts[number / self.every % self.posts.len()], self.escapes);
        }
        let words = 8 + dice.roll(24);
        let text: Vec<String> =
            (0..words).map(|_| (0..=dice.roll(3)).map(|_| *dice.pick(&SYLLABLES)).collect()).collect();
        message(dice, &text.join(" "), self.escapes)
    }

    /// The next `count` messages.
    fn take(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// What a listener looks for besides words: an account of each of 290 municipalities, and the threads that we watch.
fn marks() -> Marks {
    let mut dice = Dice(29);
    let mut name = |length: usize| -> String {
        (0..length).map(|_| char::from(*dice.pick(b"abcdefghijklmnopqrstuvwxyz234567"))).collect()
    };
    let accounts: Vec<String> = (0..290).map(|_| format!("did:plc:{}", name(24))).collect();
    let threads: Vec<String> =
        (0..THREADS).map(|_| format!("at://did:plc:{}/app.bsky.feed.post/{}", name(24), name(13))).collect();
    Marks::of(accounts.iter().map(String::as_str), threads.iter().map(String::as_str)).expect("few odd names")
}

/// A whole hour, a batch at a time; CPU seconds of hearing it, and of looking for names and signs in it.
fn hour(watch: &Watch, marks: &Marks, posts: &[String]) -> [f64; 2] {
    let mut river = River::of(posts, 100, Escapes::Go);
    let mut own = Gathered::default();
    let (mut took, mut heard, mut bytes) = ([0.0; 2], 0, 0);
    for _ in 0..HOUR / BATCH {
        let batch = river.take(BATCH);
        bytes += batch.iter().map(String::len).sum::<usize>();
        took[0] += timed(&batch, |message| {
            listen(watch, message.as_bytes(), &mut own);
            heard += own.rules().len();
            own.rules().len()
        });
        took[1] += timed(&batch, |message| usize::from(marks.marked(message.as_bytes()).placed));
    }
    println!("an hour: {} messages of {} bytes, {heard} rules matched", river.number, bytes / river.number);
    took
}

fn tell_hour([hearing, looking]: [f64; 2]) {
    figure("M7", "one hour of 2,000 messages a second", 30.0, Some(8.0), hearing, "CPU s", Better::Less);
    let whole = hearing + looking;
    figure("M7", "the same with accounts, threads and signs", 30.0, Some(8.0), whole, "CPU s", Better::Less);
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
    let asked = |word: &str| std::env::args().any(|argument| argument == word);
    let count = if asked("quick") { 4_000 } else { 40_000 };
    let corpus = corpus(count, 15_000, 15_000);
    let watch = compile(&boolean_rules(&corpus.names));
    let marks = marks();
    if asked("hour") {
        check(&watch, &River::of(&corpus.posts, 100, Escapes::Go).take(count));
        return tell_hour(hour(&watch, &marks, &corpus.posts));
    }
    let messages = |every: usize, escapes: Escapes| River::of(&corpus.posts, every, escapes).take(count);
    let mixes = [
        ("world, 1 % Swedish", messages(100, Escapes::Go)),
        ("all Swedish", messages(1, Escapes::Go)),
        ("world, all in \\u escapes", messages(100, Escapes::Ascii)),
    ];
    for (name, messages) in &mixes {
        let bytes: usize = messages.iter().map(String::len).sum();
        let heard = check(&watch, messages);
        let (mut own, mut plain) = (Gathered::default(), Gathered::default());
        let mut rounds: Vec<[f64; 4]> = Vec::new();
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
                timed(messages, |message| usize::from(marks.marked(message.as_bytes()).placed)),
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
            let times = HOUR as f64 / count as f64;
            let of_hour = |lane: usize| median(rounds.iter().map(|took| took[lane]).collect()).0 * times;
            tell_hour([of_hour(2), of_hour(3)]);
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
