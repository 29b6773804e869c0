//! How a feed, its front page and a post's page are written: pure text from the posts that are handed in.

use std::fmt::Write;

use jiff::tz::TimeZone;
use serde_json::json;

use crate::clock::Time;
use crate::demo::day::{Body, Day, Feed, Format, Post};

/// The feed as its format wants it; `base` is where the server is, such as `http://127.0.0.1:4711`.
#[must_use]
pub fn feed(feed: &Feed, posts: &[&Post], base: &str, changed_at: Time) -> String {
    match feed.format {
        Format::Rss => rss(feed, posts, base, changed_at),
        Format::Atom => atom(feed, posts, base, changed_at),
        Format::Json => json_feed(feed, posts, base),
        Format::Rdf => rdf(feed, posts, base),
    }
}

fn rss(feed: &Feed, posts: &[&Post], base: &str, changed_at: Time) -> String {
    let items = posts
        .iter()
        .map(|post| {
            format!(
                "<item><guid isPermaLink=\"false\">{}</guid><link>{}</link><title>{}</title>\
                 <dc:creator>{}</dc:creator><pubDate>{}</pubDate><description>{}</description></item>\n",
                escaped(&post.id),
                escaped(&link(base, post)),
                escaped(&post.title),
                escaped(&post.author),
                mail_date(post.at),
                cdata(&html(post)),
            )
        })
        .collect::<Vec<_>>()
        .concat();
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
         <rss version=\"2.0\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><channel>\n\
         <title>{}</title><link>{base}/</link><description>{0}</description><language>sv</language>\
         <lastBuildDate>{}</lastBuildDate>\n{items}</channel></rss>\n",
        escaped(&feed.name),
        mail_date(changed_at),
    )
}

fn atom(feed: &Feed, posts: &[&Post], base: &str, changed_at: Time) -> String {
    let entries = posts
        .iter()
        .map(|post| {
            let (kind, words) = match &post.body {
                Body::Plain(text) => ("text", text),
                Body::Html(html) => ("html", html),
            };
            format!(
                "<entry><id>{}</id><link href=\"{}\"/><title>{}</title><author><name>{}</name></author>\
                 <published>{time}</published><updated>{time}</updated><content type=\"{kind}\">{}</content></entry>\n",
                escaped(&post.id),
                escaped(&link(base, post)),
                escaped(&post.title),
                escaped(&post.author),
                escaped(words),
                time = post.at,
            )
        })
        .collect::<Vec<_>>()
        .concat();
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"sv\">\n\
         <id>{base}/feeds/{}</id><title>{}</title><updated>{changed_at}</updated><link href=\"{base}/\"/>\n\
         {entries}</feed>\n",
        escaped(&feed.key),
        escaped(&feed.name),
    )
}

fn json_feed(feed: &Feed, posts: &[&Post], base: &str) -> String {
    let items: Vec<serde_json::Value> = posts
        .iter()
        .map(|post| {
            let (kind, words) = match &post.body {
                Body::Plain(text) => ("content_text", text),
                Body::Html(html) => ("content_html", html),
            };
            json!({ "id": post.id, "url": link(base, post), "title": post.title, kind: words,
                "authors": [{ "name": post.author }], "date_published": post.at.to_string() })
        })
        .collect();
    json!({ "version": "https://jsonfeed.org/version/1.1", "title": feed.name, "language": "sv",
        "home_page_url": format!("{base}/"), "feed_url": format!("{base}/feeds/{}", feed.key), "items": items })
    .to_string()
}

fn rdf(feed: &Feed, posts: &[&Post], base: &str) -> String {
    let mut list = String::new();
    let mut items = String::new();
    for post in posts {
        let link = escaped(&link(base, post));
        // Writing to a String cannot fail.
        let _ = write!(list, "<rdf:li rdf:resource=\"{link}\"/>");
        let _ = writeln!(
            items,
            "<item rdf:about=\"{link}\"><title>{}</title><link>{link}</link><dc:creator>{}</dc:creator>\
             <dc:date>{}</dc:date><description>{}</description></item>",
            escaped(&post.title),
            escaped(&post.author),
            post.at,
            cdata(&html(post)),
        );
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<rdf:RDF xmlns=\"http://purl.org/rss/1.0/\" \
         xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\">\n\
         <channel rdf:about=\"{base}/feeds/{}\"><title>{}</title><link>{base}/</link><description>{1}</description>\
         <items><rdf:Seq>{list}</rdf:Seq></items></channel>\n{items}</rdf:RDF>\n",
        escaped(&feed.key),
        escaped(&feed.name),
    )
}

/// The list of feeds, with what stands in each of them now.
#[must_use]
pub fn front(day: &Day, now: Time) -> String {
    let mut list = String::new();
    for feed in &day.feeds {
        let _ = write!(list, "<h2><a href=\"/feeds/{}\">{}</a></h2><ul>", escaped(&feed.key), escaped(&feed.name));
        for post in day.posts_until(&feed.key, now) {
            let _ = write!(
                list,
                "<li>{} <a href=\"/p/{}\">{}</a></li>",
                post.at.zoned(&stockholm()).strftime("%H.%M"),
                escaped(&post.id),
                escaped(&post.title)
            );
        }
        list.push_str("</ul>");
    }
    document("En dag i Ale", &format!("<p>Påhittade inlägg som demon läser.</p>{list}"))
}

/// One post as a page of its own.
#[must_use]
pub fn page(post: &Post) -> String {
    let at = post.at.zoned(&stockholm()).strftime("%H.%M").to_string();
    document(&post.title, &format!("<p>{}, klockan {at}</p><div>{}</div>", escaped(&post.author), html(post)))
}

fn document(title: &str, inner: &str) -> String {
    format!(
        "<!doctype html><html lang=\"sv\"><meta charset=\"utf-8\"><title>{title}</title><h1>{title}</h1>{inner}</html>\n",
        title = escaped(title)
    )
}

fn link(base: &str, post: &Post) -> String {
    format!("{base}/p/{}", post.id)
}

/// The body as markup. The markup of the day is our own, so it is handed on as it is.
fn html(post: &Post) -> String {
    match &post.body {
        Body::Plain(text) => format!("<p>{}</p>", escaped(text)),
        Body::Html(html) => html.clone(),
    }
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // XML 1.0 knows no other control characters, not even escaped.
            c if c.is_control() && !matches!(c, '\n' | '\t' | '\r') => {}
            c => safe.push(c),
        }
    }
    safe
}

/// A CDATA section; an end mark inside the text is split over two sections.
fn cdata(text: &str) -> String {
    format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"))
}

fn mail_date(time: Time) -> String {
    jiff::fmt::rfc2822::to_string(&time.zoned(&stockholm())).unwrap_or_default()
}

fn stockholm() -> TimeZone {
    TimeZone::get("Europe/Stockholm").unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn odd(body: Body, format: Format) -> (Feed, Post) {
        let feed = Feed { key: "a".into(), name: "Öl & \"ale\" <3".into(), format, own: false };
        let post = Post {
            id: "udda".into(),
            feed: "a".into(),
            at: Time::parse("2026-11-23T08:12:00+01:00").unwrap(),
            title: "Bra & <b>billigt</b> ]]> 'nu'\u{7}".into(),
            body,
            author: "K&A".into(),
            about_ale: false,
            sign: None,
        };
        (feed, post)
    }

    #[test]
    fn what_looks_like_markup_in_a_text_stays_text_in_every_format() {
        for format in [Format::Rss, Format::Atom, Format::Rdf, Format::Json] {
            let (site, post) = odd(Body::Plain("1 < 2 & ]]> slut".into()), format);
            let written = feed(&site, &[&post], "http://127.0.0.1:1", post.at);
            let read = feed_rs::parser::parse(written.as_bytes()).unwrap();
            assert_eq!(read.title.unwrap().content, site.name, "{format:?}");
            let entry = &read.entries[0];
            let title = &entry.title.as_ref().unwrap().content;
            assert!(title.starts_with("Bra & <b>billigt</b> ]]> 'nu'"), "{format:?}: {title}");
            let content = entry.content.as_ref().and_then(|content| content.body.clone());
            let said = content.or_else(|| entry.summary.as_ref().map(|text| text.content.clone())).unwrap();
            let plain = said.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
            assert!(plain.contains("1 < 2 & ]]> slut"), "{format:?}: {said}");
        }
    }

    #[test]
    fn rss_dates_are_mail_dates_and_the_others_are_rfc_3339() {
        let (site, post) = odd(Body::Html("<p>Hej</p>".into()), Format::Rss);
        assert!(
            feed(&site, &[&post], "http://x", post.at).contains("<pubDate>Mon, 23 Nov 2026 08:12:00 +0100</pubDate>")
        );
        let (site, post) = odd(Body::Html("<p>Hej</p>".into()), Format::Atom);
        assert!(feed(&site, &[&post], "http://x", post.at).contains("<updated>2026-11-23T07:12:00Z</updated>"));
    }
}
