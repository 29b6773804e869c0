//! `lyhord feed`: the items of a feed, as Lyhörd would read them.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::FOUND_WRONG;
use crate::clock::Clock;
use crate::http::{Client, Limits, Reach};
use crate::source::feed;
use crate::source::watched::{SourceKind, SourceSetting};
use crate::source::{Cursor, FeedSource, Post, Source};

/// Prints the items.
///
/// # Errors
/// When the client cannot be made.
pub async fn run(from: &str, json: bool, local: bool) -> anyhow::Result<ExitCode> {
    let posts = if from.starts_with("http://") || from.starts_with("https://") {
        let client = Client::new("https://github.com/lyhord", Limits::default())?;
        let setting = SourceSetting {
            key: "feed".to_owned(),
            name: "feed".to_owned(),
            kind: SourceKind::Feed,
            address: from.to_owned(),
            interval: Duration::ZERO,
            reach: if local { Reach::Local } else { Reach::Public },
            own: false,
            channel: "rss".to_owned(),
            paused: false,
        };
        FeedSource::new(Arc::new(client), &setting)
            .poll(&Cursor::default(), Clock::System.now())
            .await
            .map(|poll| poll.posts)
    } else {
        let bytes = match std::fs::read(Path::new(from)) {
            Ok(bytes) => bytes,
            Err(fault) => {
                eprintln!("{from} cannot be read: {fault}");
                return Ok(ExitCode::from(FOUND_WRONG));
            }
        };
        feed::read(&bytes, None, "").map(|read| read.posts)
    };
    let posts = match posts {
        Ok(posts) => posts,
        Err(fault) => {
            eprintln!("{from}: {fault}");
            return Ok(ExitCode::from(FOUND_WRONG));
        }
    };
    for post in &posts {
        println!("{}", if json { as_json(post) } else { as_text(post) });
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(post: &Post) -> String {
    serde_json::json!({
        "id": post.native_id,
        "url": post.url,
        "title": post.title,
        "author": post.author,
        "published_at": post.authored_at.map(|at| at.to_string()),
        "updated_at": post.updated_at.map(|at| at.to_string()),
        "text": post.text,
        "language": post.language,
    })
    .to_string()
}

fn as_text(post: &Post) -> String {
    let when = post.authored_at.map(|at| at.to_string()).unwrap_or_default();
    format!(
        "{when}  {}\n    {}",
        post.title.as_deref().unwrap_or(&post.text),
        post.url.as_deref().unwrap_or(&post.native_id)
    )
}
