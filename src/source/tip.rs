//! A tip (tips från kollega): what one of our own saw where Lyhörd cannot read, and pastes by hand.
//!
//! What was not open to all is refused, unless it was said to the municipality or is a threat or a crime (REF-10). A
//! link to a person rather than to a post is refused too (REF-01). There is no field for who wrote it.

use url::Url;

use super::reduce;
use super::watched::profile;
use super::{Kind, Post};
use crate::clock::Time;
use crate::id::TipId;

/// Slug of the channel, and key of the source that stands for all tips.
pub const CHANNEL: &str = "tips";
/// Bytes of the words.
pub const TEXT_MAX: usize = 10_000;
/// Bytes of where it was seen.
pub const PLACE_MAX: usize = 200;
/// Bytes of an address.
const URL_MAX: usize = 2_000;
/// Bytes of a picture: the whole screen of a telephone as PNG.
pub const PICTURE_MAX: usize = 4 * 1024 * 1024;

/// Whether it was open to all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Openness {
    /// Anybody could read it.
    Open,
    /// Not open, but said to the municipality.
    ToUs,
    /// Not open, but a threat or a crime.
    Crime,
    /// Not open, and neither of these.
    Closed,
}

impl Openness {
    /// In the order of the form.
    pub const ALL: [Self; 4] = [Self::Open, Self::ToUs, Self::Crime, Self::Closed];

    /// The slug in the database and the form.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::ToUs => "to-us",
            Self::Crime => "crime",
            Self::Closed => "closed",
        }
    }

    /// Reads a slug.
    #[must_use]
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.slug() == slug)
    }

    /// What the form and the case say.
    #[must_use]
    pub fn swedish(self) -> &'static str {
        match self {
            Self::Open => "Ja, vem som helst kunde läsa det",
            Self::ToUs => "Nej, men det är ställt till kommunen",
            Self::Crime => "Nej, men det är ett hot eller ett brott",
            Self::Closed => "Nej",
        }
    }
}

/// What was pasted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pasted<'a> {
    /// The words.
    pub text: &'a str,
    /// The address of the post.
    pub link: &'a str,
    /// Where it was seen.
    pub place: &'a str,
    /// Slug of the answer whether it was open to all; empty when nothing was chosen.
    pub openness: &'a str,
}

/// A tip that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// The words; empty when there is only a link.
    pub text: String,
    /// The address of the post.
    pub link: Option<String>,
    /// Where it was seen.
    pub place: String,
    /// Whether it was open to all; never [`Openness::Closed`].
    pub openness: Openness,
}

/// Why a tip is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Neither words nor a link.
    #[error("nothing was pasted")]
    Empty,
    /// More than [`TEXT_MAX`] or [`PLACE_MAX`].
    #[error("too long")]
    TooLong,
    /// Not an address.
    #[error("no web address")]
    NoAddress,
    /// The address of a person rather than of a post.
    #[error("the address of a person")]
    Person,
    /// The question was not answered.
    #[error("openness was not said")]
    NotSaid,
    /// It was not open to all.
    #[error("not open to all")]
    NotOpen,
    /// Neither PNG, JPEG nor WebP.
    #[error("no picture")]
    NoPicture,
    /// More than [`PICTURE_MAX`].
    #[error("the picture is too large")]
    LargePicture,
}

impl Refused {
    /// What the colleague reads: what is wrong and what to do.
    #[must_use]
    pub fn swedish(self) -> &'static str {
        match self {
            Self::Empty => "Klistra in texten eller länken till inlägget.",
            Self::TooLong => "Det är för långt. Klistra in det inlägg som saken gäller, högst 10 000 tecken.",
            Self::NoAddress => "Länken ska vara en hel adress som börjar med https://.",
            Self::Person => {
                "Länken går till en persons sida. Lyhörd följer ämnen och platser, aldrig enskilda (REF-01). Klistra in länken \
                 till själva inlägget, eller dess text."
            }
            Self::NotSaid => "Svara på om inlägget var öppet för alla.",
            Self::NotOpen => {
                "Det som inte var öppet för alla tas inte emot, om det inte är ställt till kommunen eller är ett hot eller ett \
                 brott (REF-10). Inget har sparats. Be den som skrev att vända sig till kommunen."
            }
            Self::NoPicture => "Skärmbilden ska vara PNG, JPEG eller WebP.",
            Self::LargePicture => "Skärmbilden är för stor, högst 4 MB. Beskär den.",
        }
    }
}

/// Reads what was pasted.
///
/// # Errors
/// Why it is not taken; nothing is then kept.
pub fn read(pasted: Pasted<'_>) -> Result<Tip, Refused> {
    let openness = Openness::from_slug(pasted.openness).ok_or(Refused::NotSaid)?;
    if openness == Openness::Closed {
        return Err(Refused::NotOpen);
    }
    let (text, place) = (reduce::tidy(pasted.text), reduce::tidy(pasted.place).replace('\n', " "));
    if text.len() > TEXT_MAX || place.len() > PLACE_MAX {
        return Err(Refused::TooLong);
    }
    let link = pasted.link.trim();
    let link = if link.is_empty() { None } else { Some(address(link)?) };
    // A paste of nothing but an address is a link, in whatever field it stands.
    let (text, link) = match (link, Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))) {
        (None, Some(_)) => (String::new(), Some(address(&text)?)),
        (link, _) => (text, link),
    };
    if text.is_empty() && link.is_none() {
        return Err(Refused::Empty);
    }
    Ok(Tip { text, link, place, openness })
}

fn address(link: &str) -> Result<String, Refused> {
    let url = Url::parse(link).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.filter(|url| url.as_str().len() <= URL_MAX).ok_or(Refused::NoAddress)?;
    if is_person(&url) { Err(Refused::Person) } else { Ok(url.into()) }
}

/// What stands after a person's name where her posts are listed, and not one of them.
const LISTINGS: [&str; 14] = [
    "about",
    "followers",
    "following",
    "friends",
    "likes",
    "media",
    "photos",
    "posts",
    "reels",
    "shorts",
    "tagged",
    "videos",
    "with_replies",
    "comments",
];
/// Pages of Facebook's that are a post, though they look like a name.
const POSTS: [&str; 8] = ["permalink.php", "story.php", "photo.php", "photo", "share", "reel", "p", "status"];

/// True when an address is a person's page and not a post of hers.
fn is_person(url: &Url) -> bool {
    if profile(url).is_none() {
        return false;
    }
    let segments: Vec<&str> =
        url.path_segments().map(|all| all.filter(|one| !one.is_empty()).collect()).unwrap_or_default();
    let Some(first) = segments.first() else { return true };
    if POSTS.contains(first) {
        return false;
    }
    let name = match *first {
        "profile" | "users" | "user" | "u" | "in" | "feed" => 2,
        _ => 1,
    };
    match segments.get(name) {
        None => true,
        Some(next) => segments.len() == name + 1 && LISTINGS.contains(next),
    }
}

/// What a tip of nothing but a link says.
fn linked(link: &str) -> String {
    format!("Tips om ett inlägg: {link}")
}

impl Tip {
    /// A tip as it is known afterwards, from what its mention says.
    #[must_use]
    pub fn known(openness: Openness, place: String, link: Option<String>, text: String) -> Self {
        let only_linked = link.as_deref().is_some_and(|link| text == linked(link));
        Self { text: if only_linked { String::new() } else { text }, link, place, openness }
    }

    /// True when this is the same post once more: as open as it was, at the same address or (where none is given now) in
    /// the same place with the same words, and without a word that was not told. `page` gives one key for one page.
    #[must_use]
    pub fn is_again(&self, known: &Self, page: impl Fn(&str) -> String) -> bool {
        let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        // A comment is often told from its page by nothing but what stands after the #.
        let exact = |link: &str| (page(link), link.split_once('#').map(|(_, part)| part.to_owned()));
        let same_words = plain(&self.text) == plain(&known.text);
        let same_post = match (self.link.as_deref().map(exact), known.link.as_deref().map(exact)) {
            (Some(here), Some(there)) => here == there,
            (Some(_), None) => false,
            (None, _) => same_words && plain(&self.place) == plain(&known.place),
        };
        self.openness == known.openness && same_post && (same_words || self.text.is_empty())
    }

    /// The post that the tip becomes. What a colleague hands in is meant for us.
    #[must_use]
    pub fn post(&self, id: TipId, told_at: Time) -> Post {
        let text = match (&self.link, self.text.is_empty()) {
            (Some(link), true) => linked(link),
            _ => self.text.clone(),
        };
        Post {
            channel: CHANNEL.to_owned(),
            native_id: format!("{CHANNEL}/{id}"),
            url: self.link.clone(),
            kind: Kind::Post,
            text,
            authored_at: Some(told_at),
            to_us: true,
            handed_in: true,
            ..Post::default()
        }
    }
}

/// What form a picture has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP.
    Webp,
}

impl Form {
    /// Told by the first bytes alone: what the browser calls the file proves nothing.
    ///
    /// # Errors
    /// When it is none of the three, or too large.
    pub fn of(picture: &[u8]) -> Result<Self, Refused> {
        if picture.len() > PICTURE_MAX {
            return Err(Refused::LargePicture);
        }
        if picture.starts_with(b"\x89PNG\r\n\x1a\n") {
            Ok(Self::Png)
        } else if picture.starts_with(&[0xff, 0xd8, 0xff]) {
            Ok(Self::Jpeg)
        } else if picture.starts_with(b"RIFF") && picture.get(8..12) == Some(b"WEBP") {
            Ok(Self::Webp)
        } else {
            Err(Refused::NoPicture)
        }
    }

    /// The slug in the database and the ending of a file.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpeg",
            Self::Webp => "webp",
        }
    }

    /// Reads a slug.
    #[must_use]
    pub fn from_slug(slug: &str) -> Option<Self> {
        [Self::Png, Self::Jpeg, Self::Webp].into_iter().find(|form| form.slug() == slug)
    }

    /// `Content-Type`.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: Pasted<'_> = Pasted { text: "Brunt vatten i Nol", link: "", place: "Anslagstavlan", openness: "open" };

    #[test]
    fn ref_10_what_was_not_open_to_all_is_refused_unless_it_is_to_us_or_a_crime() {
        let with = |openness| read(Pasted { openness, ..WORDS });
        assert_eq!(with("closed"), Err(Refused::NotOpen));
        assert_eq!(with(""), Err(Refused::NotSaid));
        for openness in ["open", "to-us", "crime"] {
            assert_eq!(with(openness).unwrap().openness.slug(), openness);
        }
        assert!(Refused::NotOpen.swedish().contains("Inget har sparats"));
    }

    #[test]
    fn ref_01_a_link_to_a_person_is_refused_and_one_to_a_post_is_taken() {
        let with = |link| read(Pasted { link, ..WORDS });
        for person in [
            "https://www.facebook.com/eva.ek",
            "https://www.facebook.com/profile.php?id=1",
            "https://x.com/evaek",
            "https://x.com/evaek/with_replies",
            "https://bsky.app/profile/eva.example",
            "https://mastodon.example/@eva",
            "https://mastodon.example/users/eva/",
            "https://www.linkedin.com/in/evaek",
            "https://www.instagram.com/evaek/reels/",
        ] {
            assert_eq!(with(person), Err(Refused::Person), "{person}");
        }
        for post in [
            "https://www.facebook.com/eva.ek/posts/123",
            "https://www.facebook.com/permalink.php?story_fbid=1&id=2",
            "https://www.facebook.com/groups/ale/permalink/1",
            "https://x.com/evaek/status/1",
            "https://bsky.app/profile/eva.example/post/3k",
            "https://mastodon.example/@eva/112",
            "https://www.instagram.com/p/Cxyz/",
            "https://www.alekuriren.se/nyheter/vatten",
        ] {
            assert_eq!(with(post).unwrap().link.as_deref(), Some(post), "{post}");
        }
        assert_eq!(with("javascript:alert(1)"), Err(Refused::NoAddress));
    }

    #[test]
    fn words_or_a_link_are_enough_and_a_pasted_address_is_a_link() {
        assert_eq!(read(Pasted { text: " ", ..WORDS }), Err(Refused::Empty));
        let linked = read(Pasted { text: "https://x.com/evaek/status/1", ..WORDS }).unwrap();
        assert_eq!((linked.text.as_str(), linked.link.as_deref()), ("", Some("https://x.com/evaek/status/1")));
        assert_eq!(read(Pasted { text: "https://x.com/evaek", ..WORDS }), Err(Refused::Person));
        let post = linked.post(TipId(3), Time(7));
        assert_eq!((post.native_id.as_str(), post.to_us, post.author), ("tips/3", true, None));
        assert!(post.text.contains("https://x.com/evaek/status/1"));
        assert_eq!(read(Pasted { text: &"å".repeat(TEXT_MAX), ..WORDS }), Err(Refused::TooLong));
    }

    #[test]
    fn the_same_post_once_more_is_known_and_what_adds_something_is_not_the_same() {
        let page = |link: &str| link.split('?').next().unwrap_or_default().to_owned();
        let tip = |text: &str, link: &str, place: &str, openness: &str| read(Pasted { text, link, place, openness });
        let link = "https://www.facebook.com/groups/ale/permalink/1";
        let known = tip("Brunt vatten i Nol", link, "Vi i Nol", "open").unwrap();
        let again = |text, link, place, openness| tip(text, link, place, openness).unwrap().is_again(&known, page);
        assert!(again("brunt  vatten i NOL", link, "Facebook", "open"), "the same address and words");
        assert!(again("", "https://www.facebook.com/groups/ale/permalink/1?utm=x", "", "open"), "only the address");
        assert!(again("Brunt vatten i Nol", "", "vi i Nol", "open"), "the same words in the same place");
        assert!(!again("Nu är det klart", link, "Vi i Nol", "open"), "other words at the same address");
        assert!(!again("Brunt vatten i Nol", "", "Vi i Surte", "open"), "somebody else somewhere else");
        assert!(!again("Brunt vatten i Nol", "https://www.facebook.com/groups/ale/permalink/2", "", "open"));
        assert!(!again("", "https://www.facebook.com/groups/ale/permalink/1#c2", "", "open"), "a comment below");
        assert!(!again("Brunt vatten i Nol", link, "Vi i Nol", "crime"), "another answer to the question");
        let bare = Tip::known(Openness::Open, String::new(), Some(link.to_owned()), linked(link));
        assert_eq!(bare.text, "", "what we write ourselves is no words of the post");
        assert!(tip("", link, "", "open").unwrap().is_again(&bare, page));
        assert!(!known.is_again(&bare, page), "the words are new");
        assert!(!known.is_again(&Tip { link: None, ..known.clone() }, page), "the address is new");
    }

    #[test]
    fn a_picture_is_known_by_its_first_bytes_and_by_nothing_else() {
        assert_eq!(Form::of(b"\x89PNG\r\n\x1a\n...."), Ok(Form::Png));
        assert_eq!(Form::of(&[0xff, 0xd8, 0xff, 0xe0]), Ok(Form::Jpeg));
        assert_eq!(Form::of(b"RIFF\x10\0\0\0WEBPVP8 "), Ok(Form::Webp));
        for other in
            [&b"<svg xmlns=\"http://www.w3.org/2000/svg\">"[..], b"GIF89a", b"RIFF\x10\0\0\0WAVE", b"", b"\x89PNG"]
        {
            assert_eq!(Form::of(other), Err(Refused::NoPicture));
        }
        assert_eq!(Form::of(&vec![0; PICTURE_MAX + 1]), Err(Refused::LargePicture));
    }
}
