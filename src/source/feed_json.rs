//! JSON Feed 1 and 1.1, read leniently: an item with a number for an id is still an item.

use serde_json::Value;

use crate::source::dates;
use crate::source::feed::{Form, RawFeed, RawItem, RawText};

/// Reads a JSON Feed, at most `limit` items; `None` when it is other JSON.
pub(super) fn read(text: &str, limit: usize) -> Option<RawFeed> {
    // serde_json itself refuses more than 128 levels.
    let document: Value = serde_json::from_str(text).ok()?;
    let items = document.get("items")?.as_array()?;
    let jsonfeed = document.get("version").and_then(Value::as_str).is_some_and(|version| version.contains("jsonfeed"));
    if !jsonfeed && document.get("title").is_none() {
        return None;
    }
    Some(RawFeed {
        title: text_at(&document, "title").map(plain),
        language: text_at(&document, "language"),
        author: authors(&document).into_iter().next(),
        more: items.len() > limit,
        items: items.iter().take(limit).map(item).collect(),
        ..RawFeed::default()
    })
}

fn item(value: &Value) -> RawItem {
    let html = text_at(value, "content_html").map(|words| RawText { words, form: Form::Html });
    RawItem {
        id: text_at(value, "id"),
        link: text_at(value, "url").or_else(|| text_at(value, "external_url")),
        title: text_at(value, "title").map(plain),
        summary: text_at(value, "summary").map(plain),
        content: html.or_else(|| text_at(value, "content_text").map(plain)),
        fallback: None,
        authors: authors(value),
        language: text_at(value, "language"),
        published: text_at(value, "date_published").and_then(|date| dates::read(&date)),
        updated: text_at(value, "date_modified").and_then(|date| dates::read(&date)),
    }
}

fn plain(words: String) -> RawText {
    RawText { words, form: Form::Plain }
}

fn text_at(value: &Value, key: &str) -> Option<String> {
    match value.get(key)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// `authors` of version 1.1, `author` of version 1.
fn authors(value: &Value) -> Vec<String> {
    let several = value.get("authors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    several.iter().chain(value.get("author")).filter_map(|author| text_at(author, "name")).collect()
}
