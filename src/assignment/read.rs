//! Reading `config/organisation.toml`: every fault is said with its line, and every reference is followed.

use std::time::Duration;

use jiff::civil::Date;

use super::external::External;
use super::ical::Counts;
use super::lane::LaneText;
use super::organisation::Dated;
use super::rota::Rota;
use super::route::{Conditions, MAX_DEPTH, Node};
use super::spokesperson::Spokesperson;
use super::{Board, Department, Function, Lane, Organisation, Period, Role, Rules, Staff, Topic, Unit, start_of};
use crate::classification::{Intent, Urgency};
use crate::secret::Secret;
use crate::settings::{Located, Place, Section};

/// Names that are used in one place and must be declared in another.
#[derive(Default)]
pub(super) struct References {
    wanted: Vec<(Kind, Located)>,
    /// What, which key, where: for what can be judged only when all is read.
    pub(super) declared: Vec<(&'static str, String, Place)>,
}

/// What a reference points at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Board,
    Department,
    Unit,
    Staff,
    Topic,
    Function,
    Calendar,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Board => "board",
            Self::Department => "department",
            Self::Unit => "unit",
            Self::Staff => "staff",
            Self::Topic => "topic",
            Self::Function => "function",
            Self::Calendar => "calendar",
        }
    }
}

impl References {
    /// A required reference; the empty key when it is missing, which is reported.
    pub(super) fn one(&mut self, kind: Kind, section: &Section, key: &str) -> String {
        section.located(key).map(|found| self.keep(kind, found)).unwrap_or_default()
    }

    /// An optional reference.
    pub(super) fn maybe(&mut self, kind: Kind, section: &Section, key: &str) -> Option<String> {
        section.located_optional(key).map(|found| self.keep(kind, found))
    }

    /// A list of references.
    pub(super) fn many(&mut self, kind: Kind, section: &Section, key: &str) -> Vec<String> {
        section.texts(key).into_iter().map(|found| self.keep(kind, found)).collect()
    }

    fn keep(&mut self, kind: Kind, found: Located) -> String {
        let text = found.text.clone();
        self.wanted.push((kind, found));
        text
    }

    /// Reports every reference to what is not declared.
    fn check(&self, organisation: &Organisation, calendars: Option<&[String]>) {
        let keys = |kind: Kind| -> Option<Vec<&str>> {
            Some(match kind {
                Kind::Board => organisation.boards.iter().map(|one| one.key.as_str()).collect(),
                Kind::Department => organisation.departments.iter().map(|one| one.key.as_str()).collect(),
                Kind::Unit => organisation.units.iter().map(|one| one.key.as_str()).collect(),
                Kind::Staff => organisation.staff.iter().map(|one| one.key.as_str()).collect(),
                Kind::Topic => organisation.topics.iter().map(|one| one.slug.as_str()).collect(),
                Kind::Function => organisation.functions.iter().map(|one| one.key.as_str()).collect(),
                Kind::Calendar => calendars?.iter().map(String::as_str).collect(),
            })
        };
        for (kind, found) in &self.wanted {
            if let Some(known) = keys(*kind)
                && !known.contains(&found.text.as_str())
            {
                found.place.report_unknown(kind.name(), &found.text, &known);
            }
        }
    }
}

impl Organisation {
    /// Reads the organisation from the top of its file. Faults are written down by the section; what is returned can
    /// always be asked, and gives every matter an owner once no fault is left.
    #[must_use]
    pub fn read(file: &Section) -> Self {
        let mut references = References::default();
        let organisation = Self::gather(file, &mut references);
        references.check(&organisation, calendars(file).as_deref());
        organisation.check(&references.declared);
        organisation
    }

    fn gather(file: &Section, references: &mut References) -> Self {
        let communications_chief = if let Some(section) = file.section("governance") {
            references.one(Kind::Function, &section, "communications_chief")
        } else {
            file.place().report("[governance] is missing, expected the function that owns the audit");
            String::new()
        };
        let root = if let Some(section) = file.section("route") {
            root(&section, references)
        } else {
            file.place().report("[route] is missing: without a root some matters would have no owner");
            Node::default()
        };
        Self {
            topics: file.sections("topic").iter().map(|section| topic(section, references)).collect(),
            boards: all(file, references, board),
            departments: all(file, references, department),
            units: all(file, references, unit),
            staff: all(file, references, person),
            functions: file.sections("function").iter().map(|section| function(section, references)).collect(),
            lanes: lanes(file, references),
            root,
            rotas: file.sections("rota").iter().filter_map(|section| Rota::read(section, references)).collect(),
            externals: file.sections("external").iter().map(|section| External::read(section, references)).collect(),
            spokespersons: file
                .sections("spokesperson")
                .iter()
                .map(|section| Spokesperson::read(section, references))
                .collect(),
            rules: rules(file),
            communications_chief,
        }
    }
}

/// The tables of one kind; two versions of a key whose dates overlap are a fault.
fn all<T: Dated>(file: &Section, references: &mut References, one: impl Fn(&Section, &mut References) -> T) -> Vec<T> {
    let mut found: Vec<T> = Vec::new();
    for section in file.sections(T::WHAT) {
        let next = one(&section, references);
        if found.iter().any(|other| other.key() == next.key() && other.period().overlaps(next.period())) {
            let what = format!("{} `{}` stands twice with dates that overlap", T::WHAT, next.key());
            section.place_of("key").report(what);
        }
        references.declared.push((T::WHAT, next.key().to_owned(), section.place_of("key")));
        found.push(next);
    }
    if found.is_empty() {
        file.place().report(format!("there is no [[{}]]", T::WHAT));
    }
    found
}

fn rules(file: &Section) -> Rules {
    let hours = |hours: i64| Duration::from_secs(u64::try_from(hours).unwrap_or(0) * 3_600);
    let section = file.section("rules");
    let integer = |key: &str, range, default| {
        section.as_ref().map_or(default, |section: &Section| section.integer_or(key, range, default))
    };
    Rules {
        // A working day to say yes or no: the owner still has the case meanwhile.
        handover_open: hours(integer("handover_open_h", 1..=336, 24)),
        local_feeds: section.as_ref().is_some_and(|section| section.flag_or("local_feeds", false)),
        handover_needs_yes: section.as_ref().is_none_or(|section| section.flag_or("handover_needs_yes", true)),
        // Half a working day: a dentist or a meeting moves no cases.
        short_absence: hours(integer("short_absence_h", 0..=168, 4)),
        // Numbers and pages of others change about once a year.
        check_contacts_months: integer("check_contacts_months", 1..=36, 6),
    }
}

fn board(section: &Section, _: &mut References) -> Board {
    Board {
        key: section.text("key"),
        name: section.text("name"),
        aliases: texts(section, "aliases"),
        period: period(section),
    }
}

fn department(section: &Section, references: &mut References) -> Department {
    Department {
        key: section.text("key"),
        name: section.text("name"),
        board: references.one(Kind::Board, section, "board"),
        chief: references.one(Kind::Staff, section, "chief"),
        aliases: texts(section, "aliases"),
        period: period(section),
    }
}

/// `from` is the first day, `until` the last, both counted.
pub(super) fn period(section: &Section) -> Period {
    let from = section.located_optional("from").and_then(|found| day(&found)).and_then(start_of);
    let until = section.located_optional("until").and_then(|found| {
        let last = day(&found)?;
        start_of(last.tomorrow().ok()?)
    });
    if let (Some(first), Some(end)) = (from, until)
        && end <= first
    {
        section.place_of("until").report("`until` is before `from`");
    }
    Period { from, until }
}

/// A date such as 2026-01-01.
pub(super) fn day(found: &Located) -> Option<Date> {
    let parsed = found.text.parse::<Date>().ok();
    if parsed.is_none() {
        found.place.report(format!("`{}` is no date, expected one such as 2026-01-01", found.text));
    }
    parsed
}

pub(super) fn texts(section: &Section, key: &str) -> Vec<String> {
    section.texts(key).into_iter().map(|found| found.text).collect()
}

fn topic(section: &Section, references: &mut References) -> Topic {
    let slug = section.text("slug");
    references.declared.push(("topic", slug.clone(), section.place_of("slug")));
    Topic { slug, name: section.text("name"), protected: section.flag_or("protected", false) }
}

fn unit(section: &Section, references: &mut References) -> Unit {
    Unit {
        key: section.text("key"),
        name: section.text("name"),
        department: references.one(Kind::Department, section, "department"),
        parent: references.maybe(Kind::Unit, section, "parent"),
        manager: references.one(Kind::Staff, section, "manager"),
        deputy: references.one(Kind::Staff, section, "deputy"),
        calendar: references.one(Kind::Calendar, section, "calendar"),
        aliases: texts(section, "aliases"),
        period: period(section),
    }
}

/// Open cases that one person can keep in mind at once; a municipality sets its own.
const CAPACITY: i64 = 15;

fn person(section: &Section, references: &mut References) -> Staff {
    let roles = section.texts("roles").into_iter().filter_map(|found| {
        let role = Role::from_slug(&found.text);
        if role.is_none() {
            let known: Vec<&str> = Role::ALL.iter().map(|role| role.slug()).collect();
            found.place.report_unknown("role", &found.text, &known);
        }
        role
    });
    Staff {
        roles: roles.collect(),
        key: section.text("key"),
        name: section.text("name"),
        title: section.text_or("title", ""),
        unit: references.one(Kind::Unit, section, "unit"),
        deputy: references.maybe(Kind::Staff, section, "deputy"),
        calendar: references.maybe(Kind::Calendar, section, "calendar"),
        email: section.text("email"),
        capacity: u32::try_from(section.integer_or("capacity", 0..=200, CAPACITY)).unwrap_or(0),
        voices: texts(section, "voices"),
        absence_feed: feed(section),
        digest: digest(section),
        absence_feed_counts: Counts::from_slug(section.choice("absence_feed_counts", Counts::SLUGS)),
        period: period(section),
    }
}

/// The feed's address. Only https: it says when somebody is away from home.
fn feed(section: &Section) -> Option<Secret> {
    let found = section.located_optional("absence_feed")?;
    if !found.text.starts_with("https://") {
        found.place.report("`absence_feed` must begin with https://");
    }
    Some(found.text.into())
}

/// When somebody has her summary: a time of day, or a weekday and a time of day.
fn digest(section: &Section) -> Option<String> {
    let found = section.located_optional("digest")?;
    let (day, time) = found.text.split_once(' ').map_or((None, found.text.as_str()), |(day, time)| (Some(day), time));
    let known = day.is_none_or(|day| super::rota::DAYS.contains(&day));
    if !known || crate::calendar::hours::minute(time).is_err() {
        found.place.report(format!("`{}` is no time for a summary, as \"08:15\" or \"monday 09:00\"", found.text));
        return None;
    }
    Some(found.text)
}

fn function(section: &Section, references: &mut References) -> Function {
    let staff = references.many(Kind::Staff, section, "staff");
    if staff.is_empty() {
        section.place().report("a function needs at least one in `staff`");
    }
    let key = section.text("key");
    references.declared.push(("function", key.clone(), section.place_of("key")));
    Function { key, name: section.text("name"), unit: references.one(Kind::Unit, section, "unit"), staff }
}

fn lanes(file: &Section, references: &mut References) -> Vec<LaneText> {
    let slugs: Vec<&'static str> = Lane::ALL.iter().map(|lane| lane.slug()).collect();
    let mut found: Vec<LaneText> = Vec::new();
    for section in file.sections("lane") {
        let _ = section.located("key");
        let Some(lane) = Lane::from_slug(section.choice("key", &slugs)) else { continue };
        let text = LaneText {
            lane,
            words: texts(&section, "words"),
            functions: references.many(Kind::Function, &section, "functions"),
            checklist: texts(&section, "checklist"),
        };
        if lane.hidden_from_managers() && text.functions.is_empty() {
            section.place().report("this lane is hidden from managers, so it needs `functions` to take it");
        }
        if found.iter().any(|other| other.lane == lane) {
            section.place_of("key").report(format!("lane `{}` stands twice", lane.slug()));
        }
        found.push(text);
    }
    for lane in Lane::ALL.iter().filter(|lane| **lane != Lane::Ordinary) {
        if !found.iter().any(|text| text.lane == *lane) {
            file.place().report(format!("there is no [[lane]] with key `{}`", lane.slug()));
        }
    }
    found
}

fn root(section: &Section, references: &mut References) -> Node {
    let node = node(section, references, 0);
    if !node.when.asks_nothing() {
        section.place().report("the root of the routes must match everything: take its conditions away");
    }
    if node.unit.is_none() {
        section.place().report("the root of the routes must have a `unit`: it owns what nobody else takes");
    }
    node
}

fn node(section: &Section, references: &mut References, depth: usize) -> Node {
    let node = Node {
        name: section.text("name"),
        when: conditions(section, references),
        unit: references.maybe(Kind::Unit, section, "unit"),
        function: references.maybe(Kind::Function, section, "function"),
        children: Vec::new(),
    };
    if node.unit.is_some() && node.function.is_some() {
        section.place_of("function").report("a route has a `unit` or a `function`, not both: a function has its unit");
    }
    let below = section.sections("route");
    if depth >= MAX_DEPTH && !below.is_empty() {
        section.place().report(format!("routes are nested more than {MAX_DEPTH} deep"));
        return node;
    }
    let mut children: Vec<Node> = Vec::new();
    for inner in below {
        if let Some(wall) = children.last().filter(|child| child.when.asks_nothing()) {
            inner.place().report(format!("this route is never reached: `{}` before it takes everything", wall.name));
        }
        children.push(self::node(&inner, references, depth + 1));
    }
    Node { children, ..node }
}

fn conditions(section: &Section, references: &mut References) -> Conditions {
    Conditions {
        topics: references.many(Kind::Topic, section, "topic"),
        intents: values(section, "intent", Intent::from_slug, || Intent::ALL.iter().map(|one| one.slug()).collect()),
        urgencies: values(section, "urgency", Urgency::from_slug, || {
            Urgency::ALL.iter().map(|one| one.slug()).collect()
        }),
        places: texts(section, "place"),
        channels: texts(section, "channel"),
        boards: references.many(Kind::Board, section, "board"),
        lanes: values(section, "lane", Lane::from_slug, || Lane::ALL.iter().map(|one| one.slug()).collect()),
        words: texts(section, "word"),
        protected: section.has("protected").then(|| section.flag_or("protected", true)),
    }
}

/// A list of slugs; an unknown one is reported.
fn values<T>(
    section: &Section,
    key: &str,
    read: impl Fn(&str) -> Option<T>,
    known: impl Fn() -> Vec<&'static str>,
) -> Vec<T> {
    let read_one = |found: Located| {
        let value = read(&found.text);
        if value.is_none() {
            found.place.report_unknown(key, &found.text, &known());
        }
        value
    };
    section.texts(key).into_iter().filter_map(read_one).collect()
}

/// The names of the calendars in the same file; none when the file has no calendars, and then no name is checked.
fn calendars(file: &Section) -> Option<Vec<String>> {
    let section = file.section("calendar")?;
    let names = section.keys();
    // The calendars' own reader asks for what is in them; here each is only known by name.
    for name in &names {
        let _ = section.has(name);
    }
    Some(names)
}
