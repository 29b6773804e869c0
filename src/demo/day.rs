//! The day as it is written in `day.toml`: which posts come, where and when. Pure; the clock is handed in.

use crate::clock::Time;
use crate::settings::{self, Problem, Problems, Section};

/// The day that ships with the program.
const TEXT: &str = include_str!("day.toml");

/// What the file is called in a fault.
const FILE: &str = "src/demo/day.toml";

/// Posts in a day: more than a person can follow on a terminal in a few minutes would hide the rest.
pub const MAX_POSTS: usize = 100;

/// Feeds in a day: more than a small municipality listens to on an ordinary day would hide the rest.
pub const MAX_FEEDS: usize = 12;

/// Characters of a post: a long letter; the feeds stay far below what a reader accepts.
pub const MAX_CHARS: usize = 4_000;

/// Why the day is a Monday in November: winter time, so that the offset from UTC stands still all day.
const DATE: &str = "2026-11-23";

/// Sweden's offset on [`DATE`].
const OFFSET: &str = "+01:00";

/// How a feed is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RSS 2.0, as newspapers and forums have it.
    Rss,
    /// Atom 1.0, as a municipality's own web site may have it.
    Atom,
    /// JSON Feed 1.1.
    Json,
    /// RSS 1.0 in RDF, as old blogs still have it.
    Rdf,
}

/// A place where people write.
#[derive(Debug, Clone)]
pub struct Feed {
    /// The source's key; also the last part of its address.
    pub key: String,
    /// What it calls itself.
    pub name: String,
    /// How it is written.
    pub format: Format,
    /// True when the municipality itself writes there: never a case.
    pub own: bool,
}

/// What a post says, as its feed has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Plain text; `<` and `&` in it are themselves.
    Plain(String),
    /// Markup.
    Html(String),
}

/// A post that comes at its time.
#[derive(Debug, Clone)]
pub struct Post {
    /// Its name, unique in the day; the feed's own id for it.
    pub id: String,
    /// Key of the feed it stands in.
    pub feed: String,
    /// When it is written.
    pub at: Time,
    /// Headline.
    pub title: String,
    /// What it says.
    pub body: Body,
    /// The pen name that stands under it.
    pub author: String,
    /// True when it is about the municipality; known to the tests only.
    pub about_ale: bool,
    /// What is special about it (`akut`, `hot` …); known to the tests only.
    pub sign: Option<String>,
}

/// A day of posts in order of time.
#[derive(Debug, Clone)]
pub struct Day {
    /// Where people write.
    pub feeds: Vec<Feed>,
    /// What they write, the earliest first.
    pub posts: Vec<Post>,
}

impl Day {
    /// The day that ships with the program.
    ///
    /// # Errors
    /// Every fault in the file; a test keeps the shipped one free of them.
    pub fn shipped() -> Result<Self, Vec<Problem>> {
        Self::read(FILE, TEXT)
    }

    /// Reads a day from TOML.
    ///
    /// # Errors
    /// Every fault in the text, by line.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let problems = Problems::default();
        let section = settings::read(file, text, &problems);
        let feeds: Vec<Feed> = bounded(&section, "feed", MAX_FEEDS).iter().map(read_feed).collect();
        let mut posts: Vec<Post> = Vec::new();
        for entry in bounded(&section, "post", MAX_POSTS) {
            let post = read_post(&entry);
            if !feeds.iter().any(|feed| feed.key == post.feed) {
                let known: Vec<&str> = feeds.iter().map(|feed| feed.key.as_str()).collect();
                entry.place_of("feed").report_unknown("`feed`", &post.feed, &known);
            }
            if posts.iter().any(|other| other.id == post.id) {
                entry.place_of("id").report(format!("`id` `{}` is used twice", post.id));
            }
            posts.push(post);
        }
        drop(section);
        if !problems.is_empty() {
            return Err(problems.sorted());
        }
        posts.sort_by_key(|post| post.at);
        Ok(Self { feeds, posts })
    }

    /// The feed with this key.
    #[must_use]
    pub fn feed(&self, key: &str) -> Option<&Feed> {
        self.feeds.iter().find(|feed| feed.key == key)
    }

    /// What a reader of the feed sees at `now`: the newest first, nothing from the future.
    #[must_use]
    pub fn posts_until(&self, feed: &str, now: Time) -> Vec<&Post> {
        self.posts.iter().rev().filter(|post| post.feed == feed && post.at <= now).collect()
    }

    /// One post, when its time has come.
    #[must_use]
    pub fn post(&self, id: &str, now: Time) -> Option<&Post> {
        self.posts.iter().find(|post| post.id == id && post.at <= now)
    }
}

fn bounded(section: &Section, key: &str, most: usize) -> Vec<Section> {
    let mut all = section.sections(key);
    if all.len() > most {
        section.place_of(key).report(format!("`{key}` stands {} times, expected at most {most}", all.len()));
        all.truncate(most);
    }
    all
}

fn read_feed(section: &Section) -> Feed {
    Feed {
        key: slug(section, "key"),
        name: section.text("name"),
        format: match section.choice("format", &["rss", "atom", "json", "rdf"]) {
            "atom" => Format::Atom,
            "json" => Format::Json,
            "rdf" => Format::Rdf,
            _ => Format::Rss,
        },
        own: section.flag_or("own", false),
    }
}

fn read_post(section: &Section) -> Post {
    let html = section.text_optional("html");
    let body = match html {
        Some(html) => Body::Html(html),
        None => Body::Plain(section.text("text")),
    };
    let (Body::Plain(words) | Body::Html(words)) = &body;
    if words.chars().count() > MAX_CHARS {
        section.place().report(format!("the post is longer than {MAX_CHARS} characters"));
    }
    Post {
        id: slug(section, "id"),
        feed: section.text("feed"),
        at: time_of_day(section),
        title: section.text("title"),
        body,
        author: section.text("author"),
        about_ale: section.choice("about", &["other", "ale"]) == "ale",
        sign: section.text_optional("sign"),
    }
}

/// A name that can stand in an address and in an XML attribute as it is.
fn slug(section: &Section, key: &str) -> String {
    let found = section.text(key);
    if found.is_empty() || !found.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
        section.place_of(key).report(format!("`{key}` is `{found}`, expected a-z, 0-9 and -"));
    }
    found
}

fn time_of_day(section: &Section) -> Time {
    let said = section.text("at");
    let Ok(time) = Time::parse(&format!("{DATE}T{}:00{OFFSET}", said.replace('.', ":"))) else {
        section.place_of("at").report(format!("`at` is `{said}`, expected a time of day such as \"08.12\""));
        return Time::default();
    };
    time
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn day() -> Day {
        Day::shipped().unwrap()
    }

    fn clock(said: &str) -> Time {
        Time::parse(&format!("{DATE}T{said}:00{OFFSET}")).unwrap()
    }

    #[test]
    fn the_day_has_a_few_dozen_posts_and_more_than_half_are_about_ale() {
        let day = day();
        let about = day.posts.iter().filter(|post| post.about_ale).count();
        assert!((45..=60).contains(&day.posts.len()), "{} posts", day.posts.len());
        let share = about * 100 / day.posts.len();
        assert!((50..=70).contains(&share), "{share} % about Ale");
    }

    #[test]
    fn every_kind_of_post_that_the_demo_shows_is_there() {
        let signs: BTreeSet<String> = day().posts.into_iter().filter_map(|post| post.sign).collect();
        let expected = ["akut", "berom", "engelska", "handling", "hot", "media", "rykte", "telefon", "tvilling"];
        assert_eq!(signs.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_twins_say_the_same_in_two_feeds() {
        let day = day();
        let twins: Vec<&Post> = day.posts.iter().filter(|post| post.sign.as_deref() == Some("tvilling")).collect();
        assert_eq!(twins.len(), 2);
        assert_ne!(twins[0].feed, twins[1].feed);
        let words = |post: &Post| match &post.body {
            Body::Plain(text) | Body::Html(text) => text.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>(),
        };
        let (one, two) = (words(twins[0]), words(twins[1]));
        assert!(one.intersection(&two).count() * 10 > one.union(&two).count() * 7);
    }

    #[test]
    fn most_of_what_is_about_ale_comes_before_half_past_nine() {
        let day = day();
        let (early, late): (Vec<_>, Vec<_>) =
            day.posts.iter().filter(|post| post.about_ale).partition(|post| post.at < clock("09:30"));
        assert!(early.len() > late.len(), "{} early, {} late", early.len(), late.len());
    }

    #[test]
    fn every_feed_has_posts_and_all_four_formats_are_used() {
        let day = day();
        for feed in &day.feeds {
            assert!(!day.posts_until(&feed.key, clock("17:00")).is_empty(), "{}", feed.key);
        }
        for format in [Format::Rss, Format::Atom, Format::Json, Format::Rdf] {
            assert!(day.feeds.iter().any(|feed| feed.format == format), "{format:?}");
        }
    }

    #[test]
    fn a_post_is_seen_from_its_minute_on_and_the_newest_first() {
        let day = day();
        assert!(day.posts_until("alebor", clock("07:50")).is_empty());
        let seen = day.posts_until("alebor", clock("07:55"));
        assert_eq!(seen.iter().map(|post| post.id.as_str()).collect::<Vec<_>>(), ["hot-handlaggare", "morkt-gangvag"]);
        assert!(day.post("halka-nol", clock("08:05")).is_none());
        assert!(day.post("halka-nol", clock("08:06")).is_some());
    }

    #[test]
    fn a_faulty_day_says_every_fault_with_its_line() {
        let feed = "[[feed]]\nkey = \"a\"\nname = \"A\"\nformat = \"rss\"\n";
        let post = |at: &str, feed: &str| {
            format!(
                "[[post]]\nat = \"{at}\"\nfeed = \"{feed}\"\nid = \"p\"\ntitle = \"t\"\nauthor = \"n\"\ntext = \"x\"\n"
            )
        };
        let text = format!("{feed}{}{}", post("8 på morgonen", "a"), post("08.00", "b"));
        let said: Vec<String> = Day::read("d.toml", &text).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[0].starts_with("d.toml:6: `at`"), "{said:?}");
        assert!(said[1].contains("`b`"), "{said:?}");
        assert_eq!(said[2], "d.toml:15: `id` `p` is used twice");
    }
}
