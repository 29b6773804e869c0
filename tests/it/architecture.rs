//! The rules of the house, read from the files themselves.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms in the order of the flow. A file may name rooms of a lower rank and its own; a total order holds no circle.
const RANKS: [&[&str]; 18] = [
    &["id", "hex", "secret", "clock", "settings", "telemetry"],
    &["calendar", "http", "db"],
    &["journal", "queue"],
    &["source"],
    &["mention"],
    &["classification"],
    &["case"],
    &["assignment"],
    &["chat"],
    &["reminder"],
    &["response"],
    &["audit"],
    &["config"],
    &["app"],
    &["web"],
    &["jobs"],
    &["demo"],
    &["command"],
];

/// Files of the rooms that may wait, ask or store: adapters. Every other file of a room is pure.
const ADAPTERS: [&str; 27] = [
    "store.rs",
    "telegram.rs",
    "terminal.rs",
    "matrix.rs",
    "teams.rs",
    "slack.rs",
    "mattermost.rs",
    "email.rs",
    "wire.rs",
    "voices.rs",
    "hear.rs",
    "feed_source.rs",
    "bluesky_account.rs",
    "bluesky_session.rs",
    "mastodon_server.rs",
    "mastodon_source.rs",
    "source/imap.rs",
    "source/mail.rs",
    "source/oauth.rs",
    "external.rs",
    "acts.rs",
    "response/press.rs",
    "bucket.rs",
    "chat/mod.rs",
    "_listen.rs",
    "_tests.rs",
    // Names the database's fault in its own, and asks nothing.
    "response/mod.rs",
];

const ROOMS: [&str; 9] =
    ["source", "mention", "classification", "case", "assignment", "chat", "reminder", "response", "audit"];

fn rank(room: &str) -> Option<usize> {
    RANKS.iter().position(|rooms| rooms.contains(&room))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

fn all() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    files(&root.join("src"), &mut found);
    files(&root.join("jobs"), &mut found);
    found.sort();
    let name = |path: &PathBuf| path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
    found.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

fn room_of(file: &str) -> &str {
    let inside = file.strip_prefix("src/").unwrap_or(file);
    inside.split('/').next().unwrap().trim_end_matches(".rs")
}

/// What stands in the code itself: not in comments, not in the tests below `#[cfg(test)]`.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn no_room_knows_a_room_that_comes_after_it() {
    let mut wrong = Vec::new();
    for (file, text) in all() {
        let room = room_of(&file);
        let Some(own) = rank(room) else { continue };
        let code = code(&text);
        let named: BTreeSet<&str> = code
            .split("crate::")
            .skip(1)
            .flat_map(|rest| match rest.strip_prefix('{') {
                Some(list) => list.split('}').next().unwrap().split(',').map(str::trim).collect::<Vec<_>>(),
                None => vec![rest],
            })
            .map(|name| name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap())
            .collect();
        for name in named {
            if let Some(other) = rank(name)
                && name != room
                && other >= own
            {
                wrong.push(format!("{file} names {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_decides_does_not_wait_ask_or_store() {
    let mut wrong = Vec::new();
    for (file, text) in all() {
        if !ROOMS.contains(&room_of(&file)) || ADAPTERS.iter().any(|adapter| file.ends_with(adapter)) {
            continue;
        }
        let code = code(&text);
        for word in [".await", "sqlx::", "reqwest::"] {
            if code.contains(word) {
                wrong.push(format!("{file} holds {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sql_stands_in_stores_and_in_the_bedrock_only() {
    let allowed = ["store.rs", "src/db.rs", "src/queue.rs", "src/journal.rs"];
    let wrong: Vec<String> = all()
        .into_iter()
        .filter(|(file, _)| !allowed.iter().any(|end| file.ends_with(end)))
        .filter(|(_, text)| code(text).contains("sqlx::query"))
        .map(|(file, _)| file)
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_queue_says_apalis() {
    let wrong: Vec<String> = all()
        .into_iter()
        .filter(|(file, text)| !["src/queue.rs", "src/db.rs"].contains(&file.as_str()) && code(text).contains("apalis"))
        .map(|(file, _)| file)
        .filter(|file| file != "src/telemetry.rs")
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pages_write_facts_and_never_enqueue() {
    let wrong: Vec<String> = all()
        .into_iter()
        .filter(|(file, _)| {
            file.starts_with("src/web") || file.starts_with("src/chat") || file.starts_with("src/response")
        })
        .filter(|(_, text)| code(text).contains("enqueue"))
        .map(|(file, _)| file)
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_index_and_no_key_has_a_citizen_in_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    for engine in ["sqlite", "postgres"] {
        for entry in fs::read_dir(root.join(engine)).unwrap().map(Result::unwrap) {
            let text = fs::read_to_string(entry.path()).unwrap().to_lowercase().replace("authored_at", "written_at");
            for statement in
                text.split(';').filter(|statement| statement.contains("index") || statement.contains("unique"))
            {
                for line in statement.lines().filter(|line| line.contains("index") || line.contains("unique")) {
                    assert!(
                        !line.contains("author)") && !line.contains("(author") && !line.contains("author,"),
                        "{line}"
                    );
                }
            }
        }
    }
}

#[test]
fn both_engines_have_the_same_migrations() {
    let names = |engine: &str| -> BTreeSet<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine);
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    };
    assert_eq!(names("sqlite"), names("postgres"));
}

/// REF-02: whatever asks the database about mentions or cases, it does not ask by who wrote.
#[test]
fn no_query_asks_by_author() {
    let mut wrong = Vec::new();
    for (file, text) in all() {
        for line in code(&text).lines() {
            let line = line.to_lowercase();
            if ["author =", "author like", "author in", "by author", "author ="].iter().any(|ask| line.contains(ask))
                && (line.contains("where")
                    || line.contains("and ")
                    || line.contains("group by")
                    || line.contains("order by"))
                && !line.contains("author = null")
            {
                wrong.push(format!("{file}: {}", line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn schema() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut text = String::new();
    for engine in ["sqlite", "postgres"] {
        for entry in fs::read_dir(root.join(engine)).unwrap().map(Result::unwrap) {
            text.push_str(&fs::read_to_string(entry.path()).unwrap().to_lowercase());
        }
    }
    let uncommented = text.lines().map(|line| line.split("--").next().unwrap_or_default());
    uncommented.collect::<Vec<_>>().join("\n")
}

fn names(text: &str) -> BTreeSet<&str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|name| !name.is_empty()).collect()
}

/// REF-13: a list of those who were shut out would be a register of critics.
#[test]
fn there_is_no_list_of_those_who_were_shut_out() {
    let text = schema();
    for name in names(&text) {
        for word in ["block", "banned", "muted", "blacklist", "troll", "offender"] {
            assert!(!name.contains(word), "{name}");
        }
    }
}

/// REF-07: that somebody has looked is kept nowhere; what she has done is.
#[test]
fn no_column_says_who_has_read() {
    let text = schema();
    for name in names(&text) {
        for word in ["read_by", "seen_by", "opened_by", "viewed", "viewer", "looked_by", "read_receipt"] {
            assert!(!name.contains(word), "{name}");
        }
    }
}

/// REF-11: what reads a channel signs in there and asks; it has no word for writing, hiding or taking away.
#[test]
fn no_reader_writes_in_its_channel() {
    let mut posts = Vec::new();
    for (file, text) in all() {
        if !file.starts_with("src/source/") && !file.starts_with("jobs/") {
            continue;
        }
        let code = code(&text);
        for word in [
            "createRecord",
            "putRecord",
            "deleteRecord",
            "applyWrites",
            "uploadBlob",
            "/favourite",
            "/reblog",
            "/block",
            "/mute",
            "Method::DELETE",
            "Method::PUT",
            "uid_store",
            "uid_mv",
            "expunge",
            "Publisher",
        ] {
            assert!(!code.contains(word), "{file} says {word}");
        }
        let way = |line: &&str| ["How::Post", "How::Form", "Method::POST"].iter().any(|way| line.contains(way));
        posts.extend(code.lines().filter(way).map(|line| format!("{file}: {}", line.trim())));
    }
    let files: Vec<&str> = posts.iter().filter_map(|post| post.split(':').next()).collect();
    // A session is begun and renewed, and a secret is changed for a proof.
    let signing_in = ["src/source/bluesky_session.rs", "src/source/bluesky_session.rs", "src/source/oauth.rs"];
    assert_eq!(files, signing_in, "{posts:?}");
}
