//! `lyhord import`: earlier posts from NDJSON, a line a post, heard by the same watch rules as everything else.
//!
//! A line is an object: `id`, `text` and `authored_at` (RFC 3339) are required; `url`, `title`, `channel`, `author`,
//! `language`, `thread`, `kind` are read when they are there. The same file can be imported again: what is kept once
//! stays once. Imported posts open cases like any other, and never count as a spike.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use serde::Deserialize;

use super::{FOUND_WRONG, Place};
use crate::app::App;
use crate::clock::Time;
use crate::config_or_leave;
use crate::jobs::keep_posts::{self, From};
use crate::journal;
use crate::source::store::Named;
use crate::source::{self, Kind, Post};

/// How many posts one transaction keeps.
const AT_A_TIME: usize = 500;
/// The longest line that is read: a long article is a hundredth of it.
const LONGEST_LINE: u64 = 1024 * 1024;
/// How many faulty lines are shown; the rest are counted.
const SHOWN: usize = 20;

#[derive(Debug, Deserialize)]
struct Line {
    id: String,
    text: String,
    authored_at: String,
    url: Option<String>,
    title: Option<String>,
    channel: Option<String>,
    author: Option<String>,
    language: Option<String>,
    thread: Option<String>,
    #[serde(default)]
    kind: Kind,
}

impl Line {
    fn post(self) -> Result<Post, String> {
        let authored_at = Time::parse(&self.authored_at).map_err(|_| {
            format!("`authored_at` is `{}`, expected a time as 2026-11-23T08:00:00+01:00", self.authored_at)
        })?;
        Ok(Post {
            channel: self.channel.unwrap_or_else(|| "import".to_owned()),
            native_id: self.id,
            url: self.url,
            thread: self.thread,
            kind: self.kind,
            title: self.title,
            text: self.text,
            author: self.author,
            language: self.language,
            authored_at: Some(authored_at),
            ..Post::default()
        })
    }
}

/// Imports the file and tells how it goes.
///
/// # Errors
/// When the file cannot be read or the database does not answer; what was committed before stays.
pub async fn run(place: &Place, file: &Path) -> anyhow::Result<ExitCode> {
    let app = App::open(config_or_leave!(place), place.clock.clone()).await?;
    let reader: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(file).with_context(|| format!("{} cannot be read", file.display()))?)
    };
    let mut progress = Progress::default();
    let mut batch = Vec::with_capacity(AT_A_TIME);
    let mut lines = BufReader::new(reader);
    loop {
        let mut line = String::new();
        let read = lines.by_ref().take(LONGEST_LINE).read_line(&mut line).context("the file is not UTF-8 text")?;
        if read > 0 {
            progress.lines += 1;
            match serde_json::from_str::<Line>(line.trim()).map_err(|fault| fault.to_string()).and_then(Line::post) {
                Ok(post) => batch.push(post),
                Err(_) if line.trim().is_empty() => {}
                Err(fault) => progress.wrong(&format!("{}:{}: {fault}", file.display(), progress.lines)),
            }
        }
        if batch.len() >= AT_A_TIME || (read == 0 && !batch.is_empty()) {
            keep(&app, &batch, &mut progress).await?;
            batch.clear();
        }
        if read == 0 {
            break;
        }
    }
    progress.tell();
    Ok(if progress.faults > 0 { ExitCode::from(FOUND_WRONG) } else { ExitCode::SUCCESS })
}

async fn keep(app: &App, posts: &[Post], progress: &mut Progress) -> anyhow::Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let source = source::store::the_import(&mut tx, &Named::import(), now).await?;
    let kept = keep_posts::keep(app, &mut tx, From { source, key: "import", imported: true }, posts, now).await?;
    journal::append(&mut tx, &kept.facts).await?;
    tx.commit().await?;
    progress.heard += kept.heard;
    progress.new += kept.new;
    progress.tell();
    Ok(())
}

#[derive(Debug, Default)]
struct Progress {
    lines: usize,
    heard: usize,
    new: usize,
    faults: usize,
}

impl Progress {
    fn wrong(&mut self, fault: &str) {
        self.faults += 1;
        if self.faults <= SHOWN {
            eprintln!("{fault}");
        }
    }

    fn tell(&self) {
        eprintln!(
            "{} rader lästa, {} handlar om oss, {} är nya, {} är felaktiga",
            self.lines, self.heard, self.new, self.faults
        );
    }
}
