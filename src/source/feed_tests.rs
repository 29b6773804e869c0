use super::*;

const RSS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:atom="http://www.w3.org/2005/Atom"><channel><title>Alebladet &amp; vänner</title><language>sv-se</language>
<atom:link href="https://ale.example/feed" rel="self"/><ttl>30</ttl><skipHours><hour>2</hour><hour>24</hour></skipHours>
<item><title>Ny bro i Nödinge</title><link>/bro?utm_source=rss</link><guid isPermaLink="false">42</guid>
<pubDate>Mon, 23 Nov 2026 08:00:00 +0100</pubDate><dc:creator>Eva Ek</dc:creator>
<description>Kort</description><content:encoded><![CDATA[<p>Bron &aring;ker upp.</p><script>x()</script>]]></content:encoded></item>
<item><title>Fr&amp;aring;ga: A &amp; B</title><link>https://ale.example/b</link>
<pubDate>Sun, 22 Nov 2026 08:00:00 +0100</pubDate><description>&lt;b&gt;Två&lt;/b&gt; rader&nbsp;h&#228;r</description></item>
</channel></rss>"#;

fn read_text(text: &str) -> FeedRead {
    read(text.as_bytes(), None, "https://www.ale.example/feed").unwrap()
}

#[test]
fn rss_gives_posts_oldest_first_with_all_they_say() {
    let feed = read_text(RSS);
    assert_eq!(feed.title.as_deref(), Some("Alebladet & vänner"));
    assert_eq!((feed.ttl_minutes, feed.skip_hours.as_slice()), (Some(30), [2, 0].as_slice()));
    let [older, newer] = feed.posts.as_slice() else { panic!("{:?}", feed.posts) };
    assert_eq!(older.title.as_deref(), Some("Fråga: A & B"));
    assert_eq!(older.text, "Två rader här");
    assert_eq!(older.native_id, "https://ale.example/b");
    assert_eq!(newer.native_id, "ale.example#42");
    assert_eq!(newer.url.as_deref(), Some("https://www.ale.example/bro?utm_source=rss"));
    assert_eq!(newer.text, "Bron åker upp.");
    assert_eq!(newer.markup.as_ref().and_then(Markup::sanitised).as_deref(), Some("<p>Bron åker upp.</p>"));
    assert_eq!(newer.author.as_deref(), Some("Eva Ek"));
    assert_eq!(newer.language.as_deref(), Some("sv-SE"));
    assert_eq!(newer.authored_at, Time::parse("2026-11-23T07:00:00Z").ok());
}

#[test]
fn atom_gives_markup_as_markup_and_text_as_text() {
    let feed = read_text(
        r#"<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="sv"><title type="html">A &amp;amp; B</title>
        <author><name>Redaktionen</name><email>r@a.example</email></author>
        <entry><id>tag:a.example,2026:1</id><title>1 &lt; 2</title><link rel="enclosure" href="/fil.mp3"/>
        <link href="https://a.example/1?a=1&amp;b=2"/><updated>2026-11-23T08:00:00Z</updated>
        <published>2026-11-22T08:00:00Z</published><source><title>Fel</title><id>fel</id></source>
        <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Hej <b>du</b></p></div></content></entry>
        <entry xml:lang="en"><id>tag:a.example,2026:2</id><title type="html">&lt;i&gt;Two&lt;/i&gt;</title><author><name>Bo</name></author>
        <updated>2026-11-23T09:00:00Z</updated><summary>a &lt;b&gt; c</summary></entry></feed>"#,
    );
    assert_eq!(feed.title.as_deref(), Some("A & B"));
    let [one, two] = feed.posts.as_slice() else { panic!("{:?}", feed.posts) };
    assert_eq!((one.title.as_deref(), one.text.as_str()), (Some("1 < 2"), "Hej du"));
    assert_eq!(one.url.as_deref(), Some("https://a.example/1?a=1&b=2"));
    assert_eq!((one.author.as_deref(), one.language.as_deref()), (Some("Redaktionen"), Some("sv")));
    assert_eq!(one.authored_at, Time::parse("2026-11-22T08:00:00Z").ok());
    assert_eq!((two.title.as_deref(), two.text.as_str()), (Some("Two"), "a <b> c"));
    assert_eq!((two.author.as_deref(), two.language.as_deref()), (Some("Bo"), Some("en")));
}

#[test]
fn rdf_is_read_with_its_items_beside_the_channel() {
    let feed = read_text(
        r#"<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/" xmlns:d="http://purl.org/dc/elements/1.1/">
        <channel rdf:about="https://a.example"><title>RDF</title><items><rdf:Seq><rdf:li resource="x"/></rdf:Seq></items></channel>
        <item rdf:about="https://a.example/1"><title>Ett</title><link>https://a.example/1</link><d:date>2026-11-23T08:00:00Z</d:date></item></rdf:RDF>"#,
    );
    assert_eq!(feed.posts.len(), 1);
    assert_eq!(feed.posts[0].native_id, "https://a.example/1");
    assert_eq!(feed.posts[0].authored_at, Time::parse("2026-11-23T08:00:00Z").ok());
}

#[test]
fn the_oldest_rss_is_read_as_the_newest() {
    let plain = |version: &str| {
        format!(
            r#"<?xml version="1.0"?><rss version="{version}"><channel><title>T</title><link>https://a.example/</link>
            <item><title>Ett</title><link>https://a.example/1</link><description>Hej</description></item></channel></rss>"#
        )
    };
    let first = r#"<?xml version="1.0"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
        xmlns="http://my.netscape.com/rdf/simple/0.9/"><channel><title>T</title><link>https://a.example/</link></channel>
        <item><title>Ett</title><link>https://a.example/1</link></item></rdf:RDF>"#;
    for feed in [first.to_owned(), plain("0.91"), plain("0.92"), plain("0.93")] {
        let read = read_text(&feed);
        let [post] = &read.posts[..] else { panic!("{feed}") };
        assert_eq!((post.title.as_deref(), post.url.as_deref()), (Some("Ett"), Some("https://a.example/1")), "{feed}");
        assert_eq!(post.native_id, "https://a.example/1", "{feed}");
    }
}

#[test]
fn json_feed_is_read_also_when_an_id_is_a_number() {
    let feed = read_text(
        r#"{"version":"https://jsonfeed.org/version/1.1","title":"J","language":"sv","items":[
        {"id":7,"url":"https://a.example/7","content_html":"<p>Hej</p>","date_published":"2026-11-23T08:00:00+01:00","authors":[{"name":"Eva"}]},
        {"id":"https://a.example/8","content_text":"a <b> c"}]}"#,
    );
    let ids: Vec<&str> = feed.posts.iter().map(|post| post.native_id.as_str()).collect();
    assert_eq!(ids, ["https://a.example/8", "ale.example#7"]);
    assert_eq!(feed.posts[0].text, "a <b> c");
    assert_eq!((feed.posts[1].text.as_str(), feed.posts[1].author.as_deref()), ("Hej", Some("Eva")));
}

#[test]
fn a_feed_that_breaks_off_gives_the_items_before_the_break() {
    let cut = RSS.find("<title>Fr").unwrap() + 10;
    let feed = read_text(&RSS[..cut]);
    assert_eq!(feed.posts.len(), 1);
    assert!(feed.remark.is_some());
}

#[test]
fn a_broken_item_does_not_take_its_neighbours_with_it() {
    let feed = read_text(
        "<rss><channel><item><title>Ett</title></item><item><title>Tv<!-å</title></item>\
         <item><title>Tre</title></item></channel></rss>",
    );
    let titles: Vec<_> = feed.posts.iter().filter_map(|post| post.title.as_deref()).collect();
    assert_eq!(titles, ["Tre", "Ett"]);
    assert!(feed.remark.is_some());
}

#[test]
fn markup_that_was_never_escaped_is_still_read() {
    let feed = read_text(
        "<rss><channel><item><title>A & B</title><description><p>Ett<br>Två & tre</description>\
         <link>https://a.example/1</link></item><item><title>Nästa</title></item></channel></rss>",
    );
    assert_eq!(feed.posts.len(), 2, "{:?}", feed.posts);
    assert_eq!(feed.posts[1].title.as_deref(), Some("A & B"));
    assert_eq!(feed.posts[1].text, "Ett\nTvå & tre");
    assert_eq!(feed.posts[1].url.as_deref(), Some("https://a.example/1"));
}

#[test]
fn a_web_page_is_blind_and_other_things_are_unreadable() {
    for page in ["<!DOCTYPE html><html>", "<!-- x --><HTML lang=sv>", "<?xml version='1.0'?><!DOCTYPE html>"] {
        assert!(matches!(read(page.as_bytes(), None, "https://a.example"), Err(PollError::Blind(_))), "{page}");
    }
    for other in ["", "  ", "hej", "{\"a\":1}", "[1]", "<svg/>", "{"] {
        assert!(matches!(read(other.as_bytes(), None, "https://a.example"), Err(PollError::Unreadable(_))), "{other}");
    }
}

#[test]
fn an_endless_feed_is_read_to_its_bound_and_says_so() {
    let feed = read_text(&format!(
        "<rss><channel>{}</channel></rss>",
        "<item><title>x</title><guid>".to_owned()
            + "1</guid></item>"
            + &(0..600).map(|n| format!("<item><guid>n{n}</guid><title>t</title></item>")).collect::<Vec<_>>().concat()
    ));
    assert_eq!(feed.posts.len(), ITEMS);
    assert!(feed.remark.is_some());
}

#[test]
fn a_long_text_is_cut_and_a_deep_one_is_no_trouble() {
    let long = format!(
        "<rss><channel><item><title>x</title><description>{}</description></item></channel></rss>",
        "ord ".repeat(9_000)
    );
    assert_eq!(read_text(&long).posts[0].text.chars().count(), TEXT_CHARACTERS);
    let deep = format!("<rss><channel>{}", "<a>".repeat(100_000));
    assert_eq!(read_text(&deep).posts.len(), 0);
}

#[test]
fn the_same_item_twice_is_one_post() {
    let feed = read_text(
        "<rss><channel><item><guid>1</guid><title>Ny</title></item><item><guid>1</guid><title>Gammal</title></item></channel></rss>",
    );
    assert_eq!(feed.posts.len(), 1);
    assert_eq!(feed.posts[0].title.as_deref(), Some("Ny"));
}

#[test]
fn latin_1_in_the_prolog_is_latin_1() {
    let bytes = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><rss><channel><item><title>\xc5l\xe4nning</title></item></channel></rss>";
    let feed = read(bytes, Some("application/rss+xml"), "https://a.example").unwrap();
    assert_eq!(feed.posts[0].title.as_deref(), Some("Ålänning"));
}

#[test]
fn our_reader_says_what_feed_rs_says_field_by_field() {
    let text = RSS.replace("&nbsp;", " ");
    let theirs = feed_rs::parser::parse(text.as_bytes()).unwrap();
    let ours = feed_xml::read(&text, ITEMS).unwrap();
    assert_eq!(ours.items.len(), theirs.entries.len());
    for (our, their) in ours.items.iter().zip(&theirs.entries) {
        let words = |text: &Option<RawText>| text.as_ref().map(|text| text.words.clone());
        assert_eq!(words(&our.title), their.title.as_ref().map(|title| title.content.clone()));
        assert_eq!(words(&our.summary), their.summary.as_ref().map(|summary| summary.content.clone()));
        assert_eq!(words(&our.content), their.content.as_ref().and_then(|content| content.body.clone()));
        assert_eq!(our.link.as_deref(), their.links.first().map(|link| link.href.as_str()));
        assert_eq!(our.published.map(|time| time.0), their.published.map(|time| time.timestamp_millis()));
        assert!(our.id.as_ref().is_none_or(|id| *id == their.id));
    }
}

/// A field that is read at once says what it says when something beside makes the reader take it apart.
#[test]
fn a_field_says_the_same_in_one_piece_and_in_many() {
    for words in [
        "",
        "Ett &amp; två &#229; &nbsp; &lt;b&gt;",
        "a & b &",
        "&amp &;&#xZ; &#x110000;",
        "<![CDATA[<p>Hej</p> & då]]>",
        " \n<![CDATA[x]]>\n ",
        "<![CDATA[a]]><![CDATA[b]]>",
        "a<!-- b -->c",
    ] {
        let item = |words: &str| {
            let feed = format!(
                "<rss><channel><item><guid>1</guid><title>{words}</title><link>https://a.example/1</link></item></channel></rss>"
            );
            let read = feed_xml::read(&feed, ITEMS).unwrap();
            let item = read.items.into_iter().next().unwrap();
            (item.title.map(|title| (title.words.trim().to_owned(), title.form)), item.link)
        };
        assert_eq!(item(words), item(&format!("{words}<!-- -->")), "{words}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2_000))]

    #[test]
    fn an_address_that_is_left_as_it_stands_is_what_it_would_become(
        host in "[a-z0-9.]{1,12}|[a-zA-Z0-9.:@-]{0,12}", path in "[a-zA-Z0-9./?=&,+:_ #%å-]{0,20}", secure in proptest::prelude::any::<bool>(),
    ) {
        let link = format!("http{}://{host}/{path}", if secure { "s" } else { "" });
        if is_canonical(&link) {
            proptest::prop_assert_eq!(Url::parse(&link).map(String::from), Ok(link));
        }
    }
}
