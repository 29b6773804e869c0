//! Made feeds, the same in every run: a news desk's RSS with whole articles, a forum's Atom, a small local paper and a
//! JSON Feed. Swedish words, entities, escaped markup and CDATA in the proportions that such feeds have them.

use std::fmt::Write as _;

use serde_json::json;

use crate::corpus::{COMMON, Dice};

const SITE: &str = "https://tidning.example.se";
/// 1 November 2026, 00.00 UTC; each item is some minutes older than the one before.
const NEWEST_S: i64 = 1_793_491_200;

/// A feed as bytes, and what it is called in the table.
pub struct Made {
    pub name: &'static str,
    pub text: String,
}

/// All of them, `part` of the large ones.
pub fn all(part: usize) -> [Made; 4] {
    [
        Made { name: "rss 5 MB", text: rss(5_000_000 / part, Articles::Whole) },
        Made { name: "atom 5 MB", text: atom(5_000_000 / part) },
        Made { name: "rss 60 kB", text: rss(60_000, Articles::Short) },
        Made { name: "json 1 MB", text: json_feed(1_000_000 / part) },
    ]
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Articles {
    Whole,
    Short,
}

fn words(dice: &mut Dice, count: usize) -> String {
    let common: Vec<&str> = COMMON.split(' ').collect();
    let mut text = String::new();
    for place in 0..count {
        let word = *dice.pick(&common);
        if place == 0 || text.ends_with(". ") {
            let mut letters = word.chars();
            text.extend(letters.next().map(|first| first.to_uppercase().to_string()));
            text.push_str(letters.as_str());
        } else {
            text.push_str(word);
        }
        if dice.roll(4) == 0 {
            let ending = *dice.pick(&["en", "arna", "ning", "skap"]);
            text.push_str(ending);
        }
        text.push_str([" ", " ", " ", " ", " ", " ", ", ", ". "][dice.roll(8)]);
    }
    text.truncate(text.trim_end_matches([' ', ',', '.']).len());
    text
}

fn title(dice: &mut Dice) -> String {
    let count = 4 + dice.roll(6);
    let title = words(dice, count).replace(['.', ','], "");
    if dice.roll(12) == 0 { format!("{title} & {}", words(dice, 2).replace(['.', ','], "")) } else { title }
}

/// Paragraphs as an editor writes them: links, emphasis, a list now and then, a picture, an entity.
fn html(dice: &mut Dice, paragraphs: usize) -> String {
    let mut html = String::new();
    for _ in 0..paragraphs {
        match dice.roll(10) {
            0 => {
                let alt = words(dice, 5);
                let number = dice.roll(90_000);
                let _ = writeln!(
                    html,
                    "<figure><img src=\"{SITE}/bild/{number}.jpg\" alt=\"{alt}\" width=\"1200\"/><figcaption>{alt}</figcaption></figure>"
                );
            }
            1 => {
                let (a, b) = (words(dice, 6), words(dice, 7));
                let _ = writeln!(html, "<ul><li>{a}</li><li>{b}</li></ul>");
            }
            _ => {
                let (a, b, c, d) = (words(dice, 14), words(dice, 3), words(dice, 18), words(dice, 2));
                let number = dice.roll(90_000);
                let entity = ["&nbsp;", " &amp; ", " &ndash; ", " ", " ", " "][dice.roll(6)];
                let _ = writeln!(
                    html,
                    "<p>{a} <a href=\"{SITE}/a/{number}\" class=\"inline\">{b}</a>{entity}{c} <strong>{d}</strong>.</p>"
                );
            }
        }
    }
    html
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn rfc2822(number: i64) -> String {
    let time = jiff::Timestamp::from_second(NEWEST_S - number * 617).expect("a time within the calendar");
    jiff::fmt::rfc2822::to_string(&time.to_zoned_datetime(jiff::tz::TimeZone::UTC)).expect("a time that mail can write")
}

fn rfc3339(number: i64) -> String {
    jiff::Timestamp::from_second(NEWEST_S - number * 617).expect("a time within the calendar").to_string()
}

fn rss(bytes: usize, articles: Articles) -> String {
    let mut dice = Dice(41);
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\" \
         xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:atom=\"http://www.w3.org/2005/Atom\">\n<channel>\n<title>Tidningen</title>\n\
         <link>{SITE}/</link>\n<description>Nyheter</description>\n<language>sv-se</language>\n<ttl>15</ttl>\n"
    );
    let mut number = 0;
    while xml.len() < bytes {
        let (title, short) = (escaped(&title(&mut dice)), html(&mut dice, 1));
        let (author, category) = (escaped(&words(&mut dice, 2)), escaped(&words(&mut dice, 1)));
        let _ = writeln!(
            xml,
            "<item>\n<title>{title}</title>\n<link>{SITE}/nyheter/{number}/</link>\n<dc:creator><![CDATA[{author}]]></dc:creator>\n\
             <pubDate>{}</pubDate>\n<category><![CDATA[{category}]]></category>\n<guid isPermaLink=\"false\">{SITE}/?p={number}</guid>",
            rfc2822(number)
        );
        if articles == Articles::Whole {
            let paragraphs = 3 + dice.roll(9);
            let whole = html(&mut dice, paragraphs);
            let _ = writeln!(
                xml,
                "<description><![CDATA[{short}]]></description>\n<content:encoded><![CDATA[{whole}]]></content:encoded>\n</item>"
            );
        } else {
            let _ = writeln!(xml, "<description>{}</description>\n</item>", escaped(&short));
        }
        number += 1;
    }
    xml.push_str("</channel>\n</rss>\n");
    xml
}

fn atom(bytes: usize) -> String {
    let mut dice = Dice(43);
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"sv\">\n<title>Forum</title>\n\
         <id>{SITE}/forum</id>\n<link rel=\"self\" href=\"{SITE}/forum.atom\"/>\n<updated>{}</updated>\n",
        rfc3339(0)
    );
    let mut number = 0;
    while xml.len() < bytes {
        let (title, author) = (escaped(&title(&mut dice)), words(&mut dice, 2));
        let paragraphs = 1 + dice.roll(6);
        let (summary, content) = (words(&mut dice, 20), escaped(&html(&mut dice, paragraphs)));
        let (published, updated) = (rfc3339(number + 1), rfc3339(number));
        let _ = writeln!(
            xml,
            "<entry>\n<id>{SITE}/forum/{number}</id>\n<title>{title}</title>\n<link rel=\"alternate\" type=\"text/html\" href=\"{SITE}/forum/{number}\"/>\n\
             <author><name>{author}</name></author>\n<published>{published}</published>\n<updated>{updated}</updated>\n\
             <category term=\"allmänt\"/>\n<summary>{summary}</summary>\n<content type=\"html\">{content}</content>\n</entry>"
        );
        number += 1;
    }
    xml.push_str("</feed>\n");
    xml
}

fn json_feed(bytes: usize) -> String {
    let mut dice = Dice(47);
    let (mut items, mut length, mut number) = (Vec::new(), 0, 0);
    while length < bytes {
        let paragraphs = 1 + dice.roll(6);
        let item = json!({
            "id": format!("{SITE}/j/{number}"), "url": format!("{SITE}/j/{number}"), "title": title(&mut dice),
            "content_html": html(&mut dice, paragraphs), "summary": words(&mut dice, 15),
            "date_published": rfc3339(number), "authors": [{ "name": words(&mut dice, 2) }]
        });
        length += item.to_string().len() + 1;
        items.push(item);
        number += 1;
    }
    json!({ "version": "https://jsonfeed.org/version/1.1", "title": "Tidningen", "language": "sv", "items": items })
        .to_string()
}
