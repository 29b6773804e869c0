//! JSON Feed 1 and 1.1, read leniently: an item with a number for an id is still an item.

use serde_json::Value;

use crate::source::dates;
use crate::source::feed::{Form, RawFeed, RawItem, RawText};

type Fields = serde_json::Map<String, Value>;

/// Reads a JSON Feed, at most `limit` items; `None` when it is other JSON.
pub(super) fn read(text: &str, limit: usize) -> Option<RawFeed> {
    // serde_json itself refuses more than 128 levels.
    let Value::Object(mut document) = serde_json::from_str(text).ok()? else { return None };
    let Some(Value::Array(items)) = document.remove("items") else { return None };
    let jsonfeed = document.get("version").and_then(Value::as_str).is_some_and(|version| version.contains("jsonfeed"));
    if !jsonfeed && !document.contains_key("title") {
        return None;
    }
    Some(RawFeed {
        title: take(&mut document, "title").map(plain),
        language: take(&mut document, "language"),
        author: authors(&mut document).into_iter().next(),
        more: items.len() > limit,
        items: items.into_iter().take(limit).map(item).collect(),
        ..RawFeed::default()
    })
}

fn item(value: Value) -> RawItem {
    // What is no object is an item without words, which is left out further on.
    let Value::Object(mut fields) = value else { return RawItem::default() };
    let mut said = |key: &str| take(&mut fields, key);
    let html = said("content_html").map(|words| RawText { words, form: Form::Html });
    RawItem {
        id: said("id"),
        link: said("url").or_else(|| said("external_url")),
        title: said("title").map(plain),
        summary: said("summary").map(plain),
        content: html.or_else(|| said("content_text").map(plain)),
        fallback: None,
        language: said("language"),
        published: said("date_published").and_then(|date| dates::read(&date)),
        updated: said("date_modified").and_then(|date| dates::read(&date)),
        authors: authors(&mut fields),
    }
}

fn plain(words: String) -> RawText {
    RawText { words, form: Form::Plain }
}

/// Takes a text out of an object, so that it need not be copied.
fn take(fields: &mut Fields, key: &str) -> Option<String> {
    match fields.remove(key)? {
        Value::String(text) if text.trim().len() == text.len() => Some(text).filter(|text| !text.is_empty()),
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// `authors` of version 1.1, `author` of version 1.
fn authors(fields: &mut Fields) -> Vec<String> {
    let several = match fields.remove("authors") {
        Some(Value::Array(several)) => several,
        _ => Vec::new(),
    };
    let named = |author: Value| match author {
        Value::Object(mut author) => take(&mut author, "name"),
        _ => None,
    };
    several.into_iter().chain(fields.remove("author")).filter_map(named).collect()
}
