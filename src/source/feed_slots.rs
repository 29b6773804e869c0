//! What the elements of a feed mean: which dialect a prefix stands for, and which field of an item an element is.

/// The vocabulary that an element's name is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    /// No prefix, or the prefix of the root itself.
    Own,
    Atom,
    Dublin,
    Content,
    Media,
    Other,
}

/// A field of an item or of the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Id,
    Link,
    Title,
    Summary,
    Content,
    Author,
    Published,
    Updated,
    Language,
    Ttl,
    SkipHour,
    Fallback,
}

/// The field that an element is, when it is one.
pub(super) fn slot_of(space: Space, local: &str) -> Option<Slot> {
    Some(match (space, local) {
        (Space::Own | Space::Atom, "guid" | "id") => Slot::Id,
        (Space::Own, "link") => Slot::Link,
        (Space::Own | Space::Atom, "title") => Slot::Title,
        (Space::Own | Space::Atom, "description" | "summary") => Slot::Summary,
        (Space::Own | Space::Atom, "content") | (Space::Content, "encoded") => Slot::Content,
        (Space::Own, "author") | (Space::Dublin, "creator") => Slot::Author,
        (Space::Own | Space::Atom, "pubDate" | "pubdate" | "published" | "issued")
        | (Space::Dublin, "date" | "created" | "issued") => Slot::Published,
        (Space::Own | Space::Atom, "updated" | "modified") | (Space::Dublin, "modified") => Slot::Updated,
        (Space::Own | Space::Dublin, "language") => Slot::Language,
        (Space::Own, "ttl") => Slot::Ttl,
        (Space::Own, "hour") => Slot::SkipHour,
        (Space::Media, "description") => Slot::Fallback,
        _ => return None,
    })
}

/// The vocabulary of a namespace's address.
pub(super) fn space_of(uri: &str) -> Space {
    match uri.trim_end_matches('/') {
        "http://www.w3.org/2005/Atom" | "http://purl.org/atom/ns#" => Space::Atom,
        "http://purl.org/dc/elements/1.1" | "http://purl.org/dc/terms" => Space::Dublin,
        "http://purl.org/rss/1.0/modules/content" => Space::Content,
        "http://search.yahoo.com/mrss" => Space::Media,
        "http://purl.org/rss/1.0" | "http://backend.userland.com/rss2" => Space::Own,
        _ => Space::Other,
    }
}
