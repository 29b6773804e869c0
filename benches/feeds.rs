//! How fast feeds are read, as ratios inside one run (CPU time, round-robin, median of rounds; round 0 is dropped):
//!
//! - F1: our reader / feedparser (Python); F4: our reader / fastfeedparser (Python);
//! - F2: our reader / feed-rs;
//! - F3: our reader / quick-xml's raw tokens, of which nothing is kept.
//!
//! Our reader gives ids, addresses, titles, dates, authors and the text of each item, which the others do not reduce
//! from its HTML; what it costs to make all HTML safe, which only posts that are kept need, is said beside it.
//!
//! `cargo bench --bench feeds` (`-- quick` for small feeds). The Python peers run when `LYHORD_PYTHON` (or `python3`)
//! can import them. Before timing, ids, addresses, titles and dates are compared with those of feed-rs, one by one.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use lyhord::source::feed::{FeedRead, read_up_to};
use lyhord::source::reduce::Markup;
use quick_xml::Reader;
use quick_xml::events::Event;

use feeds::{Made, all};
use measure::{median, say, timed};

#[expect(dead_code, reason = "of the corpus only its words and its dice are used here")]
mod corpus;
#[path = "corpus/feeds.rs"]
mod feeds;
#[expect(dead_code, reason = "the other benches tell single figures")]
mod measure;

const ROUNDS: usize = 7;
/// Each lane of a round reads at least so many bytes, so that its CPU time can be told.
const BYTES_A_LANE: usize = 10_000_000;
const BASE: &str = "https://tidning.example.se/feed";

fn ours(text: &str) -> FeedRead {
    read_up_to(usize::MAX, text.as_bytes(), None, BASE).expect("a made feed is a feed")
}

fn theirs(text: &str) -> feed_rs::model::Feed {
    feed_rs::parser::parse(text.as_bytes()).expect("a made feed is a feed")
}

/// Everything but the sum of the lengths is thrown away.
fn tokens(text: &str) -> usize {
    let mut reader = Reader::from_str(text);
    let mut bytes = 0;
    loop {
        match reader.read_event().expect("a made feed is XML") {
            Event::Eof => return bytes,
            Event::Start(tag) => bytes += tag.len(),
            Event::Text(words) => bytes += words.len(),
            Event::CData(words) => bytes += words.len(),
            _ => bytes += 1,
        }
    }
}

fn made_safe(feed: &FeedRead) -> usize {
    let safe = feed.posts.iter().filter_map(|post| post.markup.as_ref().and_then(Markup::sanitised));
    safe.map(|html| html.len()).sum()
}

/// Field by field what feed-rs says. Titles are compared as a reader sees them: feed-rs leaves blanks as they are.
fn check(made: &Made) -> usize {
    let (feed, other) = (ours(&made.text), theirs(&made.text));
    assert_eq!(feed.remark, None, "{}", made.name);
    assert_eq!(feed.posts.len(), other.entries.len(), "{}", made.name);
    let by_id: BTreeMap<&str, _> = other.entries.iter().map(|entry| (entry.id.as_str(), entry)).collect();
    for post in &feed.posts {
        let entry =
            by_id.get(post.native_id.as_str()).unwrap_or_else(|| panic!("{} has no {}", made.name, post.native_id));
        assert_eq!(post.url.as_deref(), entry.links.first().map(|link| link.href.as_str()), "{}", post.native_id);
        assert_eq!(
            post.title.as_deref(),
            entry.title.as_ref().map(|title| title.content.as_str()),
            "{}",
            post.native_id
        );
        let published = entry.published.map(|time| time.timestamp_millis());
        assert_eq!(post.authored_at.map(|time| time.0), published, "{}", post.native_id);
        let body = entry.content.as_ref().and_then(|content| content.body.as_deref());
        let body = body.or(entry.summary.as_ref().map(|summary| summary.content.as_str())).unwrap_or_default();
        assert_eq!(post.text, lyhord::source::reduce::text_of(body), "{}", post.native_id);
        assert!(!post.text.is_empty() && !post.text.contains('<'), "{}", post.text);
    }
    feed.posts.len()
}

/// One process of a Python peer: CPU seconds for one reading, and how many entries it found.
struct Python {
    program: String,
    file: std::path::PathBuf,
}

impl Python {
    fn new(folder: &Path, made: &Made) -> Self {
        let file = folder.join(made.name.replace(' ', "_"));
        std::fs::write(&file, &made.text).expect("a temporary file can be written");
        Self { program: std::env::var("LYHORD_PYTHON").unwrap_or_else(|_| "python3".to_owned()), file }
    }

    fn seconds(&self, peer: &str, times: usize, entries: usize) -> Option<f64> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers.py");
        let run =
            Command::new(&self.program).arg(script).arg(peer).arg(&self.file).arg(times.to_string()).output().ok()?;
        if !run.status.success() {
            return None;
        }
        let said = String::from_utf8(run.stdout).ok()?;
        let (seconds, found) = said.trim().split_once(' ')?;
        assert_eq!(found.parse(), Ok(entries), "{peer} finds other entries than we do");
        seconds.parse().ok()
    }
}

fn measure_one(made: &Made, folder: &Path, peers: bool) {
    let entries = check(made);
    let text = made.text.as_str();
    let parts: u32 = if text.len() < 500_000 { 20 } else { 2 };
    let few = (BYTES_A_LANE / text.len() / parts as usize).max(1);
    let times = few * parts as usize;
    let xml = text.starts_with('<');
    let again = vec![text; times];
    let python = Python::new(folder, made);
    let slow = |peer: &str, times: usize| python.seconds(peer, times, entries).unwrap_or(f64::NAN);
    let mut rounds: Vec<[f64; 6]> = Vec::new();
    for round in 0..=ROUNDS {
        let lanes = [
            timed(&again, |text| ours(text).posts.len()),
            timed(&again, |text| theirs(text).entries.len()),
            if xml { timed(&again, |text| tokens(text)) } else { f64::NAN },
            timed(&again, |text| made_safe(&ours(text))),
            // One reading of feedparser's takes as long as many of ours; neither peer reads JSON Feed as the others do.
            if peers && xml { slow("feedparser", few) * f64::from(parts) } else { f64::NAN },
            if peers && xml { slow("fastfeedparser", times) } else { f64::NAN },
        ];
        if round > 0 {
            rounds.push(lanes);
        }
    }
    let ratio = |over: usize| rounds.iter().map(|lanes| lanes[over] / lanes[0]).collect::<Vec<f64>>();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    let rate =
        |lane: usize| (text.len() * times) as f64 / 1e6 / median(rounds.iter().map(|lanes| lanes[lane]).collect()).0;
    println!(
        "{}: {entries} items of {} bytes; MB a CPU second: ours {:.0}, feed-rs {:.0}, raw tokens {:.0}, ours with all HTML made safe {:.1}",
        made.name,
        text.len() / entries,
        rate(0),
        rate(1),
        rate(2),
        rate(3)
    );
    if peers && xml {
        say("F1", &format!("feed reader / feedparser: {}", made.name), 60.0, 120.0, ratio(4));
    }
    say("F2", &format!("feed reader / feed-rs: {}", made.name), 1.0, 2.0, ratio(1));
    if xml {
        say("F3", &format!("feed reader / raw tokens of quick-xml: {}", made.name), 0.15, 0.35, ratio(2));
    }
    if peers && xml {
        say("F4", &format!("feed reader / fastfeedparser: {}", made.name), 1.25, 2.5, ratio(5));
    }
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "quick");
    let folder = std::env::temp_dir().join(format!("lyhord-feeds-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
    let made = all(if quick { 10 } else { 1 });
    let peers = Python::new(&folder, &made[2]).seconds("feedparser", 1, check(&made[2])).is_some();
    if !peers {
        println!("no Python peers: pip install feedparser fastfeedparser, and name that Python in LYHORD_PYTHON");
    }
    for made in &made {
        measure_one(made, &folder, peers);
    }
    let _ = std::fs::remove_dir_all(&folder);
}
