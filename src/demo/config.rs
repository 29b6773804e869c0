//! The sources that the demo listens to, written as a municipality would write them in `config/sources.toml`.

use std::fmt::Write;
use std::net::SocketAddr;

use super::day::Day;

/// Told minutes between two readings of a feed: at the demo's pace two and a half real seconds, so that a post is
/// heard almost as soon as it is written and the local server still rests most of the time.
pub const INTERVAL_MINUTES: u32 = 5;

/// The feeds in which citizens write.
const FORUMS: [&str; 2] = ["alebor", "grannar"];

/// The text of a sources file whose feeds are served from `address` by [`super::feeds::router`]; to be read together
/// with the shipped words and organisation.
#[must_use]
pub fn sources(day: &Day, address: SocketAddr) -> String {
    let mut text = String::from("# Källorna i demon: flöden som den här datorn själv serverar.\n");
    for feed in &day.feeds {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n[[source]]\nkey = {key}\nname = {name}\nkind = \"feed\"\nchannel = {channel}\naddress = {address}\n\
             local = true\ninterval_minutes = {INTERVAL_MINUTES}\nown = {own}\n",
            key = quoted(&feed.key),
            name = quoted(&feed.name),
            address = quoted(&format!("http://{address}/feeds/{}", feed.key)),
            own = feed.own,
            // What citizens write is not news, though it comes as a feed.
            channel = quoted(if FORUMS.contains(&feed.key.as_str()) { "forum" } else { "rss" }),
        );
    }
    text
}

/// A TOML string; the value's own display writes quotes and escapes as TOML wants them.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sources_are_toml_and_only_the_municipalitys_own_feed_is_own() {
        let day = Day::shipped().unwrap();
        let text = sources(&day, SocketAddr::from(([127, 0, 0, 1], 4711)));
        let read: toml::Table = text.parse().unwrap();
        let all = read["source"].as_array().unwrap();
        assert_eq!(all.len(), day.feeds.len());
        for (source, feed) in all.iter().zip(&day.feeds) {
            assert_eq!(source["key"].as_str(), Some(feed.key.as_str()));
            assert_eq!(source["address"].as_str().unwrap(), format!("http://127.0.0.1:4711/feeds/{}", feed.key));
            assert_eq!(source["own"].as_bool(), Some(feed.key == "kommunen"));
            assert_eq!(source["local"].as_bool(), Some(true));
        }
    }

    #[test]
    fn a_name_with_quotes_stays_one_toml_string() {
        let text = "Älvens \"egna\"\nblad \\";
        let read: toml::Table = format!("a = {}", quoted(text)).parse().unwrap();
        assert_eq!(read["a"].as_str(), Some(text));
    }
}
