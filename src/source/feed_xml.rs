//! RSS 0.9x to 2.0, RDF and Atom, read in one pass over the text.
//!
//! Made for feeds as they are: names that do not close, markup that was never escaped, entities of HTML, an end that
//! is missing. A broken item is left out; the ones before and after it are kept.

use quick_xml::Reader;
use quick_xml::events::{BytesEnd, BytesRef, BytesStart, Event};

use crate::source::dates;
use crate::source::feed::{Form, RawFeed, RawItem, RawText};

/// Deeper nesting than this is not a feed.
const DEPTH: usize = 200;
/// Times that reading begins anew after a broken place, so that a file of nothing but faults comes to an end.
const RESTARTS: usize = 100;

/// Reads a document whose root is `rss`, `RDF`, `feed` or `channel`, at most `limit` items; `None` for other roots.
pub(super) fn read(text: &str, limit: usize) -> Option<RawFeed> {
    let mut walk = Walk { limit, ..Walk::default() };
    let mut from = 0;
    for _ in 0..RESTARTS {
        let rest = text.get(from..)?;
        match walk.run(rest) {
            Step::Done => break,
            Step::NoFeed => return None,
            Step::Broken(at) => {
                walk.feed.broken = true;
                let at = from + at.max(1);
                match next_item(text, at) {
                    Some(next) => from = next,
                    None => break,
                }
            }
        }
    }
    walk.root.is_some().then_some(walk.feed)
}

/// Where the next item begins after a broken place.
fn next_item(text: &str, from: usize) -> Option<usize> {
    let from = (from..=text.len()).find(|at| text.is_char_boundary(*at))?;
    let rest = text.get(from..)?;
    ["<item>", "<item ", "<entry>", "<entry "].iter().filter_map(|tag| rest.find(tag)).min().map(|at| from + at)
}

enum Step {
    Done,
    NoFeed,
    /// A fault at this byte.
    Broken(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Rss,
    Atom,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Space {
    /// No prefix, or the prefix of the root itself.
    Own,
    Atom,
    Dublin,
    Content,
    Media,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
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

/// A field whose end has not come.
#[derive(Debug)]
struct Open {
    slot: Slot,
    /// The element's name as written: its end is known by it.
    name: String,
    depth: usize,
    /// Elements of the same name inside it.
    same: usize,
    /// First byte after its start.
    start: usize,
    /// True when it holds elements: then the markup itself is the content.
    nested: bool,
    form: Form,
}

#[derive(Debug, Default)]
struct Walk {
    limit: usize,
    root: Option<Root>,
    /// The root's own prefix, for the rare `<atom:feed>`.
    prefix: String,
    spaces: Vec<(String, Space)>,
    feed: RawFeed,
    item: Option<RawItem>,
    item_name: String,
    item_depth: usize,
    /// Inside an `author` element whose children tell who.
    person: Option<usize>,
    depth: usize,
    open: Option<Open>,
    buffer: String,
}

impl Walk {
    fn run(&mut self, text: &str) -> Step {
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        config.allow_dangling_amp = true;
        config.expand_empty_elements = true;
        self.begin_anew();
        loop {
            let before = place(&reader);
            match reader.read_event() {
                // The reader has run on to the end; the fault is where the broken piece began.
                Err(_) => return Step::Broken(before),
                Ok(Event::Eof) => {
                    self.feed.broken |= self.item.is_some();
                    return Step::Done;
                }
                Ok(Event::Start(tag)) => {
                    if self.depth >= DEPTH {
                        return Step::Broken(before);
                    }
                    self.depth += 1;
                    if !self.start(&tag, place(&reader)) {
                        return Step::NoFeed;
                    }
                }
                Ok(Event::End(tag)) => {
                    self.end(&tag, text, before);
                    if self.feed.items.len() >= self.limit {
                        self.feed.more = next_item(text, place(&reader)).is_some();
                        return Step::Done;
                    }
                }
                Ok(Event::Text(words)) if self.open.is_some() => self.buffer.push_str(&words),
                Ok(Event::CData(words)) if self.open.is_some() => self.buffer.push_str(&words),
                Ok(Event::GeneralRef(name)) if self.open.is_some() => self.reference(&name),
                Ok(_) => {}
            }
        }
    }

    /// After a broken place the half-read item is gone and we stand where an item begins.
    fn begin_anew(&mut self) {
        self.open = None;
        self.person = None;
        self.item = None;
        self.depth = self.item_depth.saturating_sub(1);
    }

    fn reference(&mut self, name: &BytesRef<'_>) {
        match name.resolve_char_ref() {
            Ok(Some(character)) => self.buffer.push(character),
            Ok(None) => {
                if let Some(character) = predefined(name) {
                    self.buffer.push(character);
                } else {
                    // An entity of HTML: left as it stands and read with the rest of the HTML.
                    self.buffer.push('&');
                    self.buffer.push_str(name);
                    self.buffer.push(';');
                    if let Some(open) = &mut self.open {
                        open.form = Form::Html;
                    }
                }
            }
            Err(_) => {}
        }
    }

    /// False when the root is no feed's.
    fn start(&mut self, tag: &BytesStart<'_>, after: usize) -> bool {
        let name = tag.name();
        let (prefix, local) = split(name.as_ref());
        let Some(root) = self.root else { return self.begin(tag, prefix, local) };
        if let Some(open) = &mut self.open {
            open.nested = true;
            open.same += usize::from(open.name == name.as_ref());
            return true;
        }
        let space = self.space(prefix);
        let own = matches!(space, Space::Own | Space::Atom);
        if self.item.is_none() && own && matches!(local, "item" | "entry") {
            let language = attribute(tag, "xml:lang");
            self.item = Some(RawItem { id: attribute(tag, "rdf:about"), language, ..RawItem::default() });
            name.as_ref().clone_into(&mut self.item_name);
            self.item_depth = self.depth;
            return true;
        }
        self.field(tag, root, space, local, after);
        true
    }

    fn begin(&mut self, tag: &BytesStart<'_>, prefix: &str, local: &str) -> bool {
        self.root = match local {
            "rss" | "RDF" | "channel" => Some(Root::Rss),
            "feed" => Some(Root::Atom),
            _ => return false,
        };
        if local == "feed" {
            prefix.clone_into(&mut self.prefix);
        }
        self.feed.language = attribute(tag, "xml:lang");
        for attribute in tag.attributes().with_checks(false).flatten().take(64) {
            let Some(prefix) = attribute.key.as_ref().strip_prefix("xmlns:") else { continue };
            self.spaces.push((prefix.to_owned(), space_of(&attribute.value)));
        }
        true
    }

    fn space(&self, prefix: &str) -> Space {
        if prefix.is_empty() || prefix == self.prefix {
            return Space::Own;
        }
        let declared = self.spaces.iter().find(|(name, _)| name == prefix).map(|(_, space)| *space);
        declared.unwrap_or(match prefix {
            // Feeds cut and pasted together use the customary prefixes without declaring them.
            "dc" | "dcterms" => Space::Dublin,
            "content" => Space::Content,
            "atom" | "a10" => Space::Atom,
            "media" => Space::Media,
            _ => Space::Other,
        })
    }

    fn field(&mut self, tag: &BytesStart<'_>, root: Root, space: Space, local: &str, after: usize) {
        let inside = self.depth.saturating_sub(self.item_depth);
        if self.person.is_some() && local == "name" {
            return self.open(Slot::Author, tag, Form::Plain, after);
        }
        if self.item.is_some() && inside != 1 && space != Space::Media {
            return; // `source` repeats title, id and links of another feed
        }
        if self.item.is_none() && self.depth > 4 {
            return;
        }
        if local == "author" && (root == Root::Atom || space == Space::Atom) {
            self.person = Some(self.depth);
            return;
        }
        if local == "link"
            && let Some(href) = attribute(tag, "href")
        {
            return self.link(tag, href);
        }
        let Some(slot) = slot_of(space, local) else { return };
        let form = match (root, attribute(tag, "type").as_deref(), slot) {
            (Root::Atom, None | Some("text" | "text/plain"), _) => Form::Plain,
            (_, _, Slot::Title | Slot::Summary | Slot::Content) => Form::Html,
            _ => Form::Plain,
        };
        self.open(slot, tag, form, after);
    }

    fn open(&mut self, slot: Slot, tag: &BytesStart<'_>, form: Form, start: usize) {
        self.buffer.clear();
        let name = tag.name().as_ref().to_owned();
        self.open = Some(Open { slot, name, depth: self.depth, same: 0, start, nested: false, form });
    }

    /// An Atom link: the one that a person reads, not the feed itself, enclosures or comments.
    fn link(&mut self, tag: &BytesStart<'_>, href: String) {
        let rel = attribute(tag, "rel");
        let Some(item) = &mut self.item else { return };
        match rel.as_deref() {
            None | Some("alternate") if item.link.is_none() => item.link = Some(href),
            _ => {}
        }
    }

    fn end(&mut self, tag: &BytesEnd<'_>, text: &str, before: usize) {
        let name = tag.name();
        let name: &str = name.as_ref();
        if let Some(open) = &mut self.open
            && open.name == name
        {
            if open.same > 0 {
                open.same -= 1;
            } else if let Some(open) = self.open.take() {
                self.depth = open.depth;
                self.close(&open, text, before);
            }
        }
        if self.item.is_some() && name == self.item_name && (self.open.is_none() || self.depth != self.item_depth + 1) {
            self.open = None;
            self.person = None;
            self.depth = self.item_depth;
            self.feed.items.extend(self.item.take());
        }
        self.depth = self.depth.saturating_sub(1);
        if self.person.is_some_and(|depth| self.depth < depth) {
            self.person = None;
        }
    }

    fn close(&mut self, open: &Open, text: &str, before: usize) {
        let (mut form, mut words) = (open.form, std::mem::take(&mut self.buffer));
        if open.nested {
            text.get(open.start..before).unwrap_or_default().clone_into(&mut words);
            form = Form::Html;
        }
        if words.trim().is_empty() {
            self.buffer = words;
            return;
        }
        if self.item.is_some() {
            self.keep_in_item(open.slot, words, form);
        } else {
            self.keep_in_feed(open.slot, &words, form);
        }
    }

    fn keep_in_item(&mut self, slot: Slot, words: String, form: Form) {
        let Some(item) = &mut self.item else { return };
        let line = || words.trim().to_owned();
        match slot {
            Slot::Id => item.id = Some(line()),
            Slot::Link => item.link = item.link.take().or_else(|| Some(line())),
            Slot::Title => item.title = item.title.take().or(Some(RawText { words, form })),
            Slot::Summary => item.summary = item.summary.take().or(Some(RawText { words, form })),
            Slot::Content => item.content = item.content.take().or(Some(RawText { words, form })),
            Slot::Fallback => item.fallback = item.fallback.take().or(Some(RawText { words, form })),
            Slot::Author => item.authors.push(line()),
            Slot::Published => item.published = item.published.or_else(|| dates::read(&words)),
            Slot::Updated => item.updated = item.updated.or_else(|| dates::read(&words)),
            Slot::Language => item.language = Some(line()),
            Slot::Ttl | Slot::SkipHour => {}
        }
    }

    fn keep_in_feed(&mut self, slot: Slot, words: &str, form: Form) {
        let feed = &mut self.feed;
        match slot {
            Slot::Title if feed.title.is_none() => feed.title = Some(RawText { words: words.to_owned(), form }),
            Slot::Language => feed.language = Some(words.trim().to_owned()),
            Slot::Ttl => feed.ttl_minutes = words.trim().parse().ok(),
            // An hour is said at most 24 times; 24 itself is midnight in the oldest feeds.
            Slot::SkipHour if feed.skip_hours.len() < 24 => {
                feed.skip_hours
                    .extend(words.trim().parse::<u8>().ok().filter(|hour| *hour <= 24).map(|hour| hour % 24));
            }
            Slot::Author if self.person.is_some() => feed.author = Some(words.trim().to_owned()),
            _ => {}
        }
    }
}

fn slot_of(space: Space, local: &str) -> Option<Slot> {
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

fn space_of(uri: &str) -> Space {
    match uri.trim_end_matches('/') {
        "http://www.w3.org/2005/Atom" | "http://purl.org/atom/ns#" => Space::Atom,
        "http://purl.org/dc/elements/1.1" | "http://purl.org/dc/terms" => Space::Dublin,
        "http://purl.org/rss/1.0/modules/content" => Space::Content,
        "http://search.yahoo.com/mrss" => Space::Media,
        "http://purl.org/rss/1.0" | "http://backend.userland.com/rss2" => Space::Own,
        _ => Space::Other,
    }
}

fn split(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or(("", name))
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = tag.attributes().with_checks(false).flatten().take(64).find(|found| found.key.as_ref() == name)?;
    let value = quick_xml::escape::unescape(&found.value).unwrap_or_else(|_| found.value.clone());
    Some(value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn predefined(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}

fn place(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}
