//! Jetstream: the stream of all that is written on Bluesky, in both of its dialects. What is asked, what comes, and where
//! one goes on after a break. Pure: the connection is somebody else's.
//!
//! v2 (`network.bsky.jetstream.subscribeEvents`) counts events by `seq`, which is one server's own and inclusive: the
//! event with that number comes again. v1 (`/subscribe`) counts by time. A number of one is nothing to the other, so a
//! change of host goes by time, and a few seconds back, since no two servers see the same at the same moment.

use std::time::Duration;

use serde_json::Value;
use url::Url;

use super::PollError;
use super::bluesky::POSTS;
use crate::clock::Time;

/// The subprotocol of v2.
pub const PROTOCOL: &str = "xrpc.v1.json";
/// So far back, in microseconds, one goes at a change of host.
const REWIND_US: i64 = 10_000_000;
/// Path of v2.
const V2_PATH: &str = "/xrpc/network.bsky.jetstream.subscribeEvents";
/// Path of the question for v2's dictionary.
const DICTIONARY_PATH: &str = "/xrpc/network.bsky.jetstream.getZstdDictionary";
/// Largest message that we want, in bytes; the server leaves out larger ones.
const MESSAGE_MAX: &str = "262144";

/// Which dialect a host speaks, by its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// `/subscribe`.
    V1,
    /// Everything else.
    V2,
}

impl Dialect {
    /// The dialect of an address.
    #[must_use]
    pub fn of(host: &Url) -> Self {
        if host.path().trim_end_matches('/').ends_with("/subscribe") { Self::V1 } else { Self::V2 }
    }

    /// The subprotocol to offer.
    #[must_use]
    pub fn protocol(self) -> Option<&'static str> {
        (self == Self::V2).then_some(PROTOCOL)
    }
}

/// Where we have come to. Kept in the source's row with what was heard up to there.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Place {
    /// The host whose number this is.
    pub host: String,
    /// Number of the last event, where the host counts.
    pub seq: Option<u64>,
    /// When the host saw it, in microseconds since 1970.
    pub time_us: Option<i64>,
}

/// The address that goes on from a place. `zstd` is the number of a dictionary, where compression is wanted. A host whose
/// clock is ahead of ours (`now`) may have given a moment that another has not come to: then what lies between would be
/// passed over.
#[must_use]
pub fn address(host: &Url, place: &Place, zstd: Option<u32>, now: Time) -> Url {
    let mut url = host.clone();
    let dialect = Dialect::of(host);
    if dialect == Dialect::V2 && !url.path().contains("/xrpc/") {
        url.set_path(V2_PATH);
    }
    let same_host = place.host == host.as_str();
    let here = now.0.saturating_mul(1_000);
    let there = |at: i64| if same_host { at } else { at.min(here) - REWIND_US };
    let cursor = match dialect {
        Dialect::V2 if same_host && place.seq.is_some() => place.seq.map(|seq| seq.to_string()),
        _ => place.time_us.map(|at| there(at).max(0).to_string()),
    };
    {
        let mut query = url.query_pairs_mut();
        match dialect {
            Dialect::V1 => {
                query.append_pair("wantedCollections", POSTS).append_pair("maxMessageSizeBytes", MESSAGE_MAX);
            }
            Dialect::V2 => {
                query.append_pair("kinds", "commit").append_pair("collections", POSTS);
                query.append_pair("maxMessageSizeBytes", MESSAGE_MAX);
                if let Some(id) = zstd {
                    query.append_pair("zstdDictionary", &id.to_string());
                }
            }
        }
        if let Some(cursor) = cursor {
            query.append_pair("cursor", &cursor);
        }
    }
    url
}

/// Where v2's dictionary is found; nothing for v1, whose dictionary stands in its source code.
#[must_use]
pub fn dictionary_address(host: &Url) -> Option<Url> {
    if Dialect::of(host) == Dialect::V1 {
        return None;
    }
    let mut url = host.clone();
    let scheme = if host.scheme() == "wss" { "https" } else { "http" };
    url.set_scheme(scheme).ok()?;
    url.set_path(DICTIONARY_PATH);
    url.set_query(None);
    Some(url)
}

/// The number of a dictionary, which stands in its head (RFC 8878, 5).
#[must_use]
pub fn dictionary_id(bytes: &[u8]) -> Option<u32> {
    let (magic, id) = (bytes.get(..4)?, bytes.get(4..8)?);
    (magic == [0x37, 0xa4, 0x30, 0xec]).then(|| u32::from_le_bytes([id[0], id[1], id[2], id[3]]))
}

/// What happened to a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// It was written.
    Create,
    /// It says something else.
    Update,
    /// It was taken away.
    Delete,
}

/// An event about a post.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its number, where the host counts.
    pub seq: Option<u64>,
    /// When the host saw it, in microseconds since 1970.
    pub time_us: Option<i64>,
    /// Whose it is.
    pub did: String,
    /// Its name in the collection.
    pub rkey: String,
    /// What happened.
    pub operation: Operation,
    /// The record; null when it was taken away.
    pub record: Value,
}

impl Event {
    /// When the host saw it.
    #[must_use]
    pub fn seen_at(&self) -> Option<Time> {
        self.time_us.map(|us| Time(us / 1_000))
    }
}

/// A message of the stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// About a post.
    Event(Event),
    /// About something else, with its place in the stream.
    Other {
        /// Its number.
        seq: Option<u64>,
        /// When it was seen.
        time_us: Option<i64>,
    },
    /// The server tells us something about the stream.
    Info {
        /// `OutdatedCursor`, `FutureCursor` …
        name: String,
    },
    /// The server ends the stream.
    Error {
        /// `ConsumerTooSlow` …
        name: String,
    },
}

/// Reads a message of either dialect; nothing when it is no JSON object.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Message> {
    let whole: Value = serde_json::from_slice(bytes).ok()?;
    if !whole.is_object() {
        return None;
    }
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    if whole.get("$type").and_then(Value::as_str) == Some("error") || whole.get("error").is_some_and(Value::is_string) {
        return Some(Message::Error { name: text(&whole, "error").unwrap_or_default() });
    }
    let payload = whole.get("payload").unwrap_or(&whole);
    if payload.get("$type").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("#info")) {
        return Some(Message::Info { name: text(payload, "name").unwrap_or_default() });
    }
    let seq = payload.get("seq").or_else(|| payload.get("cursor")).and_then(Value::as_u64);
    let moment = ["witnessedAt", "time"].iter().find_map(|key| payload.get(*key).and_then(Value::as_str));
    let time_us = payload.get("time_us").and_then(Value::as_i64).or_else(|| moment.and_then(microseconds));
    let commit = payload.get("commit").unwrap_or(payload);
    let operation = match commit.get("operation").and_then(Value::as_str) {
        Some("create") => Operation::Create,
        Some("update") => Operation::Update,
        Some("delete") => Operation::Delete,
        _ => return Some(Message::Other { seq, time_us }),
    };
    let is_post = commit.get("collection").and_then(Value::as_str) == Some(POSTS);
    let (Some(did), Some(rkey), true) = (text(payload, "did"), text(commit, "rkey"), is_post) else {
        return Some(Message::Other { seq, time_us });
    };
    let record = commit.get("record").cloned().unwrap_or(Value::Null);
    Some(Message::Event(Event { seq, time_us, did, rkey, operation, record }))
}

fn microseconds(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond)
}

impl Message {
    /// Its place in the stream of a host; nothing when it has none.
    #[must_use]
    pub fn place(&self, host: &Url) -> Option<Place> {
        let (seq, time_us) = match self {
            Self::Event(event) => (event.seq, event.time_us),
            Self::Other { seq, time_us } => (*seq, *time_us),
            Self::Info { .. } | Self::Error { .. } => return None,
        };
        (seq.is_some() || time_us.is_some()).then(|| Place { host: host.to_string(), seq, time_us })
    }
}

/// What it means that a host answered with a status instead of a stream, and from where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Our number is older than what the host keeps: go by time; what lies between is a gap.
    TooOld,
    /// The dictionary is no longer in use: fetch the new one.
    Dictionary,
    /// Something else.
    Other(PollError),
}

/// Reads a refusal. `rest` is how long the host wants to be left in peace, where it says.
#[must_use]
pub fn refusal(status: u16, body: &[u8], rest: Option<Duration>) -> Refusal {
    let name = serde_json::from_slice::<Value>(body).ok();
    let name = name.as_ref().and_then(|body| body.get("error")).and_then(Value::as_str).unwrap_or_default();
    match (status, name) {
        (400, "CursorTooOld") => Refusal::TooOld,
        (400, "UnknownZstdDictionary") => Refusal::Dictionary,
        (429, _) => Refusal::Other(PollError::RateLimited { retry_after: rest }),
        (401 | 403, _) => Refusal::Other(PollError::Unauthorized(format!("svar {status}"))),
        (404, _) => Refusal::Other(PollError::Blind("adressen är ingen ström (404)".to_owned())),
        (500.., _) if rest.is_some() => Refusal::Other(PollError::RateLimited { retry_after: rest }),
        (500.., _) => Refusal::Other(PollError::Unreachable(format!("fel hos servern ({status})"))),
        _ => Refusal::Other(PollError::Unreadable(format!("oväntat svar ({status})"))),
    }
}

/// What the server says when it ends the stream, in Swedish.
#[must_use]
pub fn ended(name: &str) -> PollError {
    PollError::Unreachable(match name {
        "ConsumerTooSlow" => "servern avbröt därför att vi läste för långsamt".to_owned(),
        _ => "servern avbröt strömmen".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second after the place below.
    const NOW: Time = Time(1_795_420_801_000);
    const EAST: &str = "wss://jetstream.us-east.bsky.network/";

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn asked(host: &str, place: &Place) -> Option<String> {
        let address = address(&url(host), place, None, NOW);
        address.query_pairs().find(|(key, _)| key == "cursor").map(|(_, value)| value.into_owned())
    }

    #[test]
    fn v2_and_v1_are_asked_each_in_its_own_words() {
        let nowhere = Place::default();
        assert_eq!(
            address(&url(EAST), &nowhere, Some(7), NOW).as_str(),
            "wss://jetstream.us-east.bsky.network/xrpc/network.bsky.jetstream.subscribeEvents\
             ?kinds=commit&collections=app.bsky.feed.post&maxMessageSizeBytes=262144&zstdDictionary=7"
        );
        assert_eq!(
            address(&url("wss://jetstream2.us-east.bsky.network/subscribe"), &nowhere, Some(7), NOW).as_str(),
            "wss://jetstream2.us-east.bsky.network/subscribe?wantedCollections=app.bsky.feed.post&maxMessageSizeBytes=262144"
        );
    }

    #[test]
    fn a_number_is_used_only_where_it_was_given_and_another_host_is_asked_by_time_and_a_little_back() {
        let place = Place { host: EAST.to_owned(), seq: Some(42), time_us: Some(1_795_420_800_000_000) };
        assert_eq!(asked(EAST, &place).as_deref(), Some("42"));
        let back = Some("1795420790000000");
        assert_eq!(asked("wss://jetstream.us-west.bsky.network/", &place).as_deref(), back);
        assert_eq!(asked("wss://jetstream2.us-east.bsky.network/subscribe", &place).as_deref(), back, "v1");
        let of_v1 = Place { seq: None, host: "wss://x.example/subscribe".into(), ..place.clone() };
        assert_eq!(asked(EAST, &of_v1).as_deref(), back);
        assert_eq!(asked("wss://x.example/subscribe", &of_v1).as_deref(), Some("1795420800000000"));
        assert_eq!(asked(EAST, &Place::default()), None, "the first time one begins now");
    }

    #[test]
    fn a_moment_from_a_clock_that_is_ahead_is_nothing_to_another_host() {
        let hour = 3_600_000_000;
        let ahead = Place { host: EAST.to_owned(), seq: Some(42), time_us: Some(1_795_420_801_000_000 + hour) };
        assert_eq!(asked("wss://jetstream.us-west.bsky.network/", &ahead).as_deref(), Some("1795420791000000"));
        assert_eq!(asked(EAST, &ahead).as_deref(), Some("42"), "a number tells no time");
        let own = Place { seq: None, host: "wss://x.example/subscribe".into(), ..ahead };
        assert_eq!(asked("wss://x.example/subscribe", &own).as_deref(), Some("1795424401000000"), "its own clock");
    }

    #[test]
    fn both_dialects_say_the_same() {
        let v1 = br#"{"did":"did:plc:eva","time_us":1795420800000001,"kind":"commit","commit":{"rev":"r","operation":"create","collection":"app.bsky.feed.post","rkey":"3k","record":{"text":"hej"},"cid":"c"}}"#;
        let v2 = br#"{"$type":"message","payload":{"$type":"network.bsky.jetstream.subscribeEvents#commit","seq":9,"did":"did:plc:eva","time":"2020-01-01T00:00:00Z","witnessedAt":"2026-11-23T08:00:00.000001Z","rev":"r","operation":"create","collection":"app.bsky.feed.post","rkey":"3k","record":{"text":"hej"},"cid":"c"}}"#;
        let (Some(Message::Event(one)), Some(Message::Event(two))) = (read(v1), read(v2)) else { panic!("not read") };
        assert_eq!((one.seq, two.seq), (None, Some(9)));
        assert_eq!((one.time_us, two.time_us), (Some(1_795_420_800_000_001), Some(1_795_420_800_000_001)));
        assert_eq!(Event { seq: None, ..two }, one);
        let gone = br#"{"$type":"message","payload":{"seq":10,"did":"did:plc:eva","time":"2026-11-23T08:00:00Z","operation":"delete","collection":"app.bsky.feed.post","rkey":"3k"}}"#;
        let Some(Message::Event(gone)) = read(gone) else { panic!("not read") };
        assert_eq!((gone.operation, gone.record), (Operation::Delete, Value::Null));
    }

    #[test]
    fn what_the_server_says_of_the_stream_is_no_event() {
        let info = br#"{"$type":"message","payload":{"$type":"network.bsky.jetstream.subscribeEvents#info","name":"OutdatedCursor"}}"#;
        assert_eq!(read(info), Some(Message::Info { name: "OutdatedCursor".into() }));
        let slow = br#"{"$type":"error","error":"ConsumerTooSlow","message":"x"}"#;
        assert_eq!(read(slow), Some(Message::Error { name: "ConsumerTooSlow".into() }));
        assert_eq!(
            read(b"{\"did\":\"x\",\"kind\":\"identity\",\"time_us\":5}"),
            Some(Message::Other { seq: None, time_us: Some(5) })
        );
        for odd in [&b"[]"[..], b"", b"{", b"null", b"\xff"] {
            assert_eq!(read(odd), None);
        }
    }

    #[test]
    fn a_refusal_before_the_stream_says_how_to_go_on() {
        let said = |status, body: &[u8]| refusal(status, body, None);
        assert_eq!(said(400, br#"{"error":"CursorTooOld","message":"floor 7"}"#), Refusal::TooOld);
        assert_eq!(said(400, br#"{"error":"UnknownZstdDictionary"}"#), Refusal::Dictionary);
        assert!(matches!(said(503, b"not ready"), Refusal::Other(PollError::Unreachable(_))));
        assert!(matches!(said(404, b""), Refusal::Other(PollError::Blind(_))));
        let rest = Some(Duration::from_mins(2));
        for status in [429, 503] {
            let limited = Refusal::Other(PollError::RateLimited { retry_after: rest });
            assert_eq!(refusal(status, b"", rest), limited, "{status}");
        }
    }

    #[test]
    fn a_dictionary_has_its_number_in_its_head() {
        assert_eq!(dictionary_id(&[0x37, 0xa4, 0x30, 0xec, 0x39, 0x30, 0, 0, 1]), Some(12_345));
        assert_eq!(dictionary_id(b"\x37\xa4\x30"), None);
        assert_eq!(dictionary_id(b"notadictionary"), None);
    }
}
