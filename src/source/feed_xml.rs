//! RSS 0.9x to 2.0, RDF and Atom, read in one pass over the text.
//!
//! Made for feeds as they are: names that do not close, markup that was never escaped, entities of HTML, an end that
//! is missing. A broken item is left out; the ones before and after it are kept.

use quick_xml::Reader;
use quick_xml::events::{BytesEnd, BytesRef, BytesStart, Event};

use crate::source::dates;
use crate::source::feed::{Form, RawFeed, RawItem, RawText};
use crate::source::feed_slots::{Slot, Space, slot_of, space_of};

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

const CDATA: &str = "<![CDATA[";
/// Longest reference that is looked for, with its `&` and `;`: the longest entity of HTML has 33 letters.
const LONGEST_REFERENCE: usize = 36;

fn reader_of(text: &str) -> Reader<&[u8]> {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    config.expand_empty_elements = true;
    reader
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
        let mut reader = reader_of(text);
        // The reader begins here; it begins anew behind each field that was read at once.
        let mut base = 0;
        let place = |base: usize, reader: &Reader<&[u8]>| base.saturating_add(place(reader));
        self.begin_anew();
        loop {
            let before = place(base, &reader);
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
                    let after = place(base, &reader);
                    if !self.start(&tag, after) {
                        return Step::NoFeed;
                    }
                    if let Some(next) = self.at_once(text, after) {
                        base = next;
                        reader = reader_of(text.get(next..).unwrap_or_default());
                    }
                }
                Ok(Event::End(tag)) => {
                    self.end(&tag, text, before);
                    if self.feed.items.len() >= self.limit {
                        self.feed.more = next_item(text, place(base, &reader)).is_some();
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

    /// Reads a field that has just been opened and holds nothing but text or one CDATA section, as most do, without
    /// taking it apart into tokens; gives the place behind its end. Nothing, and nothing done, when it holds more.
    fn at_once(&mut self, text: &str, after: usize) -> Option<usize> {
        let open = self.open.as_ref().filter(|open| open.start == after)?;
        let rest = text.get(after..)?;
        let first = memchr::memchr(b'<', rest.as_bytes())?;
        let (words, end) = match rest.get(first..)?.strip_prefix(CDATA) {
            Some(data) if rest.get(..first)?.trim_ascii().is_empty() => {
                let length = memchr::memmem::find(data.as_bytes(), b"]]>")?;
                let behind = data.get(length + 3..)?;
                let blanks = behind.len() - behind.trim_ascii_start().len();
                (data.get(..length)?, first + CDATA.len() + length + 3 + blanks)
            }
            Some(_) => return None,
            None => (rest.get(..first)?, first),
        };
        rest.get(end..)?.strip_prefix("</")?.strip_prefix(open.name.as_str())?.strip_prefix('>')?;
        let next = after + end + open.name.len() + 3;
        if end == first && self.unescape(words).is_none() {
            self.buffer.clear();
            return None;
        }
        if end != first {
            self.buffer.push_str(words);
        }
        let open = self.open.take()?;
        self.depth = open.depth.saturating_sub(1);
        self.close(&open, text, after + end);
        Some(next)
    }

    /// Adds text with its references resolved; nothing when an `&` begins none.
    fn unescape(&mut self, words: &str) -> Option<()> {
        let mut rest = words;
        while let Some(at) = memchr::memchr(b'&', rest.as_bytes()) {
            self.buffer.push_str(rest.get(..at)?);
            rest = rest.get(at..)?;
            let end = rest.bytes().take(LONGEST_REFERENCE).position(|byte| byte == b';')?;
            let name = rest.get(1..end)?;
            match predefined(name) {
                Some(character) => self.buffer.push(character),
                None if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'#') => {
                    self.reference(&BytesRef::new(name));
                }
                None => return None,
            }
            rest = rest.get(end + 1..)?;
        }
        self.buffer.push_str(rest);
        Some(())
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
