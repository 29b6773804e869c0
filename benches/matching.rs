//! How fast posts are heard, as ratios inside one run (CPU time, round-robin, median of rounds; round 0 is dropped):
//!
//! - M1: terms of 290 municipalities by our index / the same terms by an Aho–Corasick DFA with word bounds;
//! - M2: posts a second with ten times the terms and rules / with the first number, at the same number of hits: the
//!   posts name the places of the first number, so what is measured is the cost of rules that nobody speaks of;
//! - M3: terms / pyahocorasick and flashtext, when `LYHORD_PYTHON` (or `python3`) has them;
//! - M4: full boolean rules / terms alone.
//!
//! `cargo bench --bench matching` (`-- quick` for few posts). Hits are compared with a naive search before timing.

use std::process::Command;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use lyhord::mention::Heard;
use lyhord::mention::index::{Hit, Index, Read};
use lyhord::mention::query::Query;
use lyhord::mention::token::{self, Token};
use lyhord::mention::watch::{Scratch, Watch, compile};
use lyhord::mention::words::{Rule, Sign, Words};

use corpus::{Corpus, boolean_rules, corpus, rules};
use measure::{Better, figure, median, say, timed};

mod corpus;
mod measure;

const ROUNDS: usize = 7;

/// Terms alone: each name a rule of its own.
fn term_rules(names: &[String]) -> Words {
    rules(names.iter().map(|name| format!("\"{name}\"")))
}

struct Automaton {
    automaton: AhoCorasick,
}

impl Automaton {
    fn of(names: &[String]) -> Self {
        let folded: Vec<String> = names.iter().map(|name| token::fold(name)).collect();
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::DFA))
            .match_kind(MatchKind::Standard)
            .build(folded)
            .expect("the automaton of 15,000 names is small");
        Self { automaton }
    }

    /// Hits with word bounds in the folded post. The folding keeps lengths, as the fastest of its kind does.
    fn count(&self, post: &str, folded: &mut Vec<u8>) -> usize {
        fold_bytes(post.as_bytes(), folded);
        let bound = |at: usize| folded.get(at).is_none_or(|byte| !(byte.is_ascii_alphanumeric() || *byte >= 0x80));
        self.automaton
            .find_overlapping_iter(&folded[..])
            .filter(|found| (found.start() == 0 || bound(found.start() - 1)) && bound(found.end()))
            .count()
    }
}

fn fold_bytes(bytes: &[u8], into: &mut Vec<u8>) {
    into.clear();
    let mut after_c3 = false;
    for byte in bytes {
        let upper = if after_c3 { (0x80..=0x9E).contains(byte) && *byte != 0x97 } else { byte.is_ascii_uppercase() };
        into.push(if upper { byte + 0x20 } else { *byte });
        after_c3 = *byte == 0xC3;
    }
}

fn term_hits(index: &Index, post: &str, tokens: &mut Vec<Token>, hits: &mut Vec<Hit>) -> usize {
    token::read("", post, tokens);
    index.hits(Read { title: "", text: post, tokens }, hits);
    hits.len()
}

/// Names whose words stand side by side in the post: cut by hand, compared one by one.
fn naive(post: &str, names: &[String]) -> usize {
    let lower = post.to_lowercase();
    let words: Vec<&str> =
        lower.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let folded = names.iter().map(|name| name.to_lowercase());
    folded
        .map(|name| {
            let parts: Vec<&str> = name.split(' ').collect();
            words.windows(parts.len()).filter(|window| *window == parts).count()
        })
        .sum()
}

fn check(corpus: &Corpus, names: &[String], watch: &Watch, automaton: &Automaton) {
    let (mut tokens, mut hits, mut folded) = (Vec::new(), Vec::new(), Vec::new());
    let mut scratch = Scratch::default();
    for post in corpus.posts.iter().take(300) {
        let ours = term_hits(watch.index(), post, &mut tokens, &mut hits);
        assert_eq!(ours, naive(post, names), "{post}");
        watch.matching(&Heard { text: post, ..Heard::default() }, &mut scratch);
        hits.dedup_by_key(|hit| hit.term);
        assert_eq!(scratch.rules().len(), hits.len(), "{post}");
        // The automaton hears a phrase only when one space stands between its words; ours also over other marks.
        assert!(automaton.count(post, &mut folded) <= ours, "{post}");
    }
}

fn check_rules(corpus: &Corpus, words: &Words, watch: &Watch) {
    let mut scratch = Scratch::default();
    for post in corpus.posts.iter().take(100) {
        watch.matching(&Heard { text: post, ..Heard::default() }, &mut scratch);
        let alone: Vec<u32> =
            (0_u32..).zip(&words.rules).filter(|(_, rule)| holds(&rule.query, post)).map(|found| found.0).collect();
        assert_eq!(scratch.rules(), alone, "{post}");
    }
}

/// One rule compiled alone and heard alone: no other rule can lend it a hit or take one.
fn holds(query: &Query, post: &str) -> bool {
    let alone = Words {
        rules: vec![Rule { name: String::new(), query: query.clone(), sign: Sign::Review, because: String::new() }],
        ..Words::default()
    };
    let mut scratch = Scratch::default();
    compile(&alone).matching(&Heard { text: post, ..Heard::default() }, &mut scratch);
    !scratch.rules().is_empty()
}

/// Memory of this process that is in RAM, in MB (10^6 bytes); nothing where there is no `/proc`.
fn resident_mb() -> Option<f64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u32 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(f64::from(pages) * 4_096.0 / 1e6)
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "quick");
    let (posts, few, many) = if quick { (5_000, 1_500, 15_000) } else { (60_000, 15_000, 150_000) };
    let corpus = corpus(posts, few, many);
    let (small, large) = (&corpus.names[..few], &corpus.names[..]);
    // First of all, so that no memory is there to be used again.
    let (few_words, many_words) = (boolean_rules(small), boolean_rules(large));
    let before = resident_mb();
    let few_rules = compile(&few_words);
    if let (Some(before), Some(after)) = (before, resident_mb()) {
        let grown = after - before;
        let what = format!("memory of {few} terms in {} rules, grown RSS", few_words.rules.len());
        figure("", &what, 40.0, None, grown, "MB", Better::Less);
    }
    let many_rules = compile(&many_words);
    let (few_terms, many_terms) = (compile(&term_rules(small)), compile(&term_rules(large)));
    let automaton = Automaton::of(small);
    check(&corpus, small, &few_terms, &automaton);
    check_rules(&corpus, &few_words, &few_rules);
    println!(
        "{posts} posts; {} terms {} kB, {} terms {} kB; {} and {} rules",
        few_terms.index().len(),
        few_rules.index().bytes() / 1024,
        many_terms.index().len(),
        many_rules.index().bytes() / 1024,
        few_words.rules.len(),
        many_words.rules.len()
    );
    let (mut tokens, mut hits, mut folded) = (Vec::new(), Vec::new(), Vec::new());
    let mut scratch = Scratch::default();
    let peers = Peers::new(&corpus.posts, small);
    let mut rounds: Vec<[f64; 7]> = Vec::new();
    for round in 0..=ROUNDS {
        let times = [
            timed(&corpus.posts, |post| automaton.count(post, &mut folded)),
            timed(&corpus.posts, |post| heard(&few_terms, post, &mut scratch)),
            timed(&corpus.posts, |post| heard(&many_terms, post, &mut scratch)),
            timed(&corpus.posts, |post| heard(&few_rules, post, &mut scratch)),
            timed(&corpus.posts, |post| heard(&many_rules, post, &mut scratch)),
            peers.seconds("pyahocorasick"),
            peers.seconds("flashtext"),
        ];
        if round > 0 {
            rounds.push(times);
        }
    }
    let ratio = |over: usize, under: usize| rounds.iter().map(|times| times[over] / times[under]).collect::<Vec<f64>>();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    let rate = |lane: usize| posts as f64 / median(rounds.iter().map(|times| times[lane]).collect()).0;
    let heard_terms: usize =
        corpus.posts.iter().map(|post| term_hits(few_terms.index(), post, &mut tokens, &mut hits)).sum();
    println!("{heard_terms} hits in {posts} posts");
    println!("posts a CPU second: automaton {:.0}, terms {:.0}, rules {:.0}", rate(0), rate(1), rate(3));
    say("M1", "terms / Aho–Corasick DFA with word bounds", 0.6, 1.5, ratio(0, 1));
    say("M2", "ten times the terms / the first number", 0.8, 0.95, ratio(1, 2));
    say("M2", "ten times the rules / the first number", 0.8, 0.95, ratio(3, 4));
    if rounds.iter().all(|times| times[5].is_finite() && times[6].is_finite()) {
        say("M3", "terms / pyahocorasick with bounds", 4.0, 10.0, ratio(5, 1));
        say("M3", "terms / flashtext", 12.0, 35.0, ratio(6, 1));
    } else {
        println!("no Python peers: pip install pyahocorasick flashtext, and name that Python in LYHORD_PYTHON");
    }
    say("M4", "boolean rules / terms alone", 0.7, 0.9, ratio(1, 3));
}

/// The Python peers, each in a process of its own a round; they hear the first posts only, being slow.
struct Peers {
    folder: std::path::PathBuf,
    /// How many times as many posts we hear.
    part: f64,
}

impl Peers {
    const POSTS: usize = 5_000;

    fn new(posts: &[String], names: &[String]) -> Self {
        let folder = std::env::temp_dir().join(format!("lyhord-terms-{}", std::process::id()));
        let few = &posts[..posts.len().min(Self::POSTS)];
        let names: Vec<String> = names.iter().map(|name| token::fold(name)).collect();
        std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
        std::fs::write(folder.join("posts"), few.join("\n")).expect("a temporary file can be written");
        std::fs::write(folder.join("names"), names.join("\n")).expect("a temporary file can be written");
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        Self { folder, part: posts.len() as f64 / few.len() as f64 }
    }

    /// CPU seconds for all posts; no number when the peer is not installed.
    fn seconds(&self, peer: &str) -> f64 {
        let program = std::env::var("LYHORD_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers.py");
        let run = Command::new(program)
            .args([script, peer])
            .arg(self.folder.join("posts"))
            .arg("1")
            .arg(self.folder.join("names"))
            .output();
        let said = run.ok().filter(|run| run.status.success()).and_then(|run| String::from_utf8(run.stdout).ok());
        let Some((seconds, hits)) = said.as_deref().and_then(|said| said.trim().split_once(' ')) else {
            return f64::NAN;
        };
        assert_ne!(hits, "0", "{peer} hears nothing");
        seconds.parse().unwrap_or(f64::NAN) * self.part
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn heard(watch: &Watch, post: &str, scratch: &mut Scratch) -> usize {
    watch.matching(&Heard { text: post, ..Heard::default() }, scratch);
    scratch.rules().len()
}
