//! Source (källa): what we read, an item as found, where we stopped, and how the source is.

pub mod account;
pub mod api;
mod beside;
pub mod bluesky;
mod bluesky_account;
mod bluesky_session;
pub mod channel_store;
mod dates;
pub mod discover;
pub mod feed;
mod feed_json;
mod feed_slots;
mod feed_source;
mod feed_xml;
pub mod hand_store;
pub mod health;
pub mod hook;
pub mod hook_body;
mod imap;
pub mod jetstream;
pub mod kinds;
pub mod letter;
mod lines;
mod look_back;
pub mod mail;
pub mod marks;
mod markup;
pub mod mastodon;
mod mastodon_server;
mod mastodon_source;
mod native_id;
mod newest_first;
pub mod oauth;
pub mod politeness;
pub mod reduce;
pub mod rhythm;
pub mod store;
pub mod supervision;
pub mod tip;
pub mod tip_store;
pub mod watched;

use std::borrow::Cow;
use std::future::Future;
use std::time::Duration;

pub use self::bluesky_account::BlueskyAccount;
pub use self::bluesky_session::Sessions;
pub use self::feed_source::FeedSource;
pub use self::kinds::SourceKind;
pub use self::mail::MailSource;
pub use self::mastodon_source::MastodonSource;

use crate::clock::Time;

/// What sort of thing a post is, as far as its channel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A news article or a page.
    #[default]
    Article,
    /// A post that begins a thread.
    Post,
    /// An answer in somebody's thread.
    Comment,
    /// A review with stars or words.
    Review,
    /// A letter to the municipality.
    Mail,
}

impl Kind {
    /// The slug in the database and in watch rules (`kind:comment`).
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Article => "article",
            Self::Post => "post",
            Self::Comment => "comment",
            Self::Review => "review",
            Self::Mail => "mail",
        }
    }
}

/// An item as it was found, not yet known to be about us. Lives in memory only until a watch rule hears it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Post {
    /// The channel's slug: `rss`, `mastodon`, `bluesky`, `e-post` …
    pub channel: String,
    /// The channel's own name for the item; unique together with `channel`.
    pub native_id: String,
    /// Where a person can read it.
    pub url: Option<String>,
    /// The native id of the thread's first post, when the channel has threads.
    pub thread: Option<String>,
    /// The native id of the post that this one answers.
    pub reply_to: Option<String>,
    /// What sort of thing it is.
    pub kind: Kind,
    /// Headline, when the channel has them.
    pub title: Option<String>,
    /// Plain text, without markup.
    pub text: String,
    /// The same as HTML, when the channel sent HTML; made safe when the post is kept.
    pub markup: Option<reduce::Markup>,
    /// The channel's number of it where we read it, when that differs from [`Post::native_id`]: what threads and
    /// deletions are asked and told by.
    pub local_id: Option<String>,
    /// What it is told by from another that bears the same [`Post::native_id`], in channels whose names are not to be
    /// trusted: a form that sends letters may give each the same Message-ID.
    pub mark: Option<String>,
    /// The writer as the channel shows her. Never a key: no query, index or page asks by it (REF-02).
    pub author: Option<String>,
    /// The writer as the channel knows her for good (a DID, an actor's address). Never stored: it is only held against
    /// our own accounts.
    pub writer: Option<String>,
    /// BCP 47 tag, when the channel says.
    pub language: Option<String>,
    /// When it was written, by the channel's clock.
    pub authored_at: Option<Time>,
    /// When it was last changed, by the channel's clock.
    pub updated_at: Option<Time>,
    /// True when one of our own accounts wrote it: an answer, never a case.
    pub own: bool,
    /// True when it is said to us: it names one of our accounts, or answers in a thread that we watch. Then it is kept
    /// though no rule hears it.
    pub to_us: bool,
    /// True when whoever handed it in, or in whose box it lies, says that all of it is for us. Then a person sees it,
    /// whatever the judge thinks.
    pub handed_in: bool,
}

impl Post {
    /// The same post without the letter NUL, which no database of ours keeps: one of them would refuse the whole batch.
    #[must_use]
    pub fn without_nul(&self) -> Cow<'_, Self> {
        let may = [
            &self.url,
            &self.thread,
            &self.reply_to,
            &self.title,
            &self.local_id,
            &self.author,
            &self.writer,
            &self.language,
        ];
        let must = [&self.channel, &self.native_id, &self.text];
        if !may.into_iter().flatten().chain(must).any(|text| text.contains('\0')) {
            return Cow::Borrowed(self);
        }
        let mut post = self.clone();
        let may = [
            &mut post.url,
            &mut post.thread,
            &mut post.reply_to,
            &mut post.title,
            &mut post.local_id,
            &mut post.author,
            &mut post.writer,
            &mut post.language,
        ];
        let must = [&mut post.channel, &mut post.native_id, &mut post.text];
        for text in may.into_iter().flatten().chain(must) {
            text.retain(|letter| letter != '\0');
        }
        Cow::Owned(post)
    }
}

/// A post that its writer or the channel has taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// How the channel names what is gone.
    pub name: Name,
    /// When it was told, by the channel's clock where it says.
    pub at: Option<Time>,
}

/// How a channel names a post that it no longer shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// As everywhere: [`Post::native_id`].
    Native(String),
    /// As where we read it: [`Post::local_id`].
    Local(String),
}

/// A thread in which we have answered, and that is read for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// The native id of its first post.
    pub root: String,
    /// The channel's own number of a post in it, where it is needed for asking.
    pub local_id: Option<String>,
}

/// Where we stopped reading, in the source's own terms (JSON); committed together with the items behind it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cursor(pub serde_json::Value);

/// What one reading gave.
#[derive(Debug, Clone, Default)]
pub struct Poll {
    /// The items, oldest first as far as the source says.
    pub posts: Vec<Post>,
    /// What is no longer there.
    pub gone: Vec<Gone>,
    /// Letters of ours that did not arrive, as mail servers tell.
    pub bounces: Vec<letter::Bounce>,
    /// Watched threads that were asked for, by their root; the rest wait for the next reading.
    pub threads_read: Vec<String>,
    /// Where the next reading begins.
    pub cursor: Cursor,
    /// The least time the source asks us to wait before the next reading.
    pub wait: Option<Duration>,
    /// Hours of the day, UTC, when the source wants to be left in peace.
    pub skip_hours: Vec<u8>,
    /// The address the source says it has moved to for good (301, 308).
    pub moved_to: Option<String>,
    /// The source's own name for itself, for a page to show.
    pub title: Option<String>,
    /// True when the source said "not changed since" and there was nothing to read.
    pub unchanged: bool,
    /// Something a person should know although the reading went well, in Swedish: it shows as degraded.
    pub remark: Option<String>,
    /// Items that were there and could not be read, and will not be asked for again: told to the journal.
    pub missed: usize,
    /// True when the reading went well but what came cannot be all (empty, and used not to be): it shows as blind.
    pub blind: bool,
}

impl Poll {
    /// The server asked for rest; where it did not say how long, the rest of this reading is enough.
    fn rests(&mut self, asked: Option<Duration>) {
        self.wait = self.wait.max(Some(asked.unwrap_or_default()));
    }
}

/// A place that can be read. A trait, because a test must tell it what to say and each channel has its own way.
pub trait Source: Send + Sync {
    /// Reads what is new since `cursor`. Nothing is remembered here: who keeps the posts keeps the new cursor with them.
    fn poll(&self, cursor: &Cursor, now: Time) -> impl Future<Output = Result<Poll, PollError>> + Send;
}

/// Why a reading gave nothing. The variants say what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PollError {
    /// Wait at least this long.
    #[error("rate limited{}", .retry_after.map(|d| format!(" for {} s", d.as_secs())).unwrap_or_default())]
    RateLimited {
        /// What the server asked for; ours to choose when it did not say.
        retry_after: Option<Duration>,
    },
    /// Gone for good (410): stop reading until a person says otherwise.
    #[error("gone for good")]
    Gone,
    /// The source wants a sign-in that we do not have or that no longer holds.
    #[error("unauthorized: {0}")]
    Unauthorized(String),
    /// It answers, but it cannot see.
    #[error("blind: {0}")]
    Blind(String),
    /// No answer, or a server fault: try again later.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// It answered with something that is not what it should be.
    #[error("unreadable: {0}")]
    Unreadable(String),
    /// Our own turn at the host did not come; nothing was asked, and it says nothing about the source.
    #[error("waiting for our turn at the host")]
    Busy,
    /// The address is one that we do not call (private network, wrong scheme).
    #[error("refused: {0}")]
    Refused(String),
}

/// So long before the end of what lets us in is it told: time enough for a person to be back from holiday.
pub const BEFORE_END: Duration = Duration::from_hours(14 * 24);

/// How one of our own accounts is, when it is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountState {
    /// Whether it lets us in.
    pub ok: bool,
    /// True when nobody answered: that says nothing about the account.
    pub silent: bool,
    /// When what lets us in ends, where the channel says.
    pub expires_at: Option<Time>,
    /// What works or does not and what to do, in Swedish.
    pub says: String,
}

impl AccountState {
    /// It lets us in.
    #[must_use]
    pub fn yes(says: String, expires_at: Option<Time>) -> Self {
        Self { ok: true, silent: false, expires_at, says }
    }

    /// It does not.
    #[must_use]
    pub fn no(says: String) -> Self {
        Self { ok: false, silent: false, expires_at: None, says }
    }

    /// Why it could not be tried, or was tried and did not let us in.
    #[must_use]
    pub fn of_fault(fault: &PollError) -> Self {
        let says = match fault {
            PollError::Unauthorized(what) => format!("Släpper inte in oss: {what}."),
            PollError::RateLimited { .. } | PollError::Busy => {
                "Servern vill att vi väntar; prova igen om en stund.".to_owned()
            }
            PollError::Unreachable(what) => format!("Servern svarar inte: {what}."),
            PollError::Unreadable(what) | PollError::Blind(what) => format!("Svaret går inte att läsa: {what}."),
            PollError::Refused(what) => format!("Vi anropar inte adressen: {what}."),
            PollError::Gone => "Servern säger att det inte finns längre (410).".to_owned(),
        };
        Self { silent: !matches!(fault, PollError::Unauthorized(_) | PollError::Gone), ..Self::no(says) }
    }
}

/// How a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Reads as it should.
    Ok,
    /// Reads, but something is amiss; or a few readings have failed.
    Degraded,
    /// Answers, but cannot see what it should see.
    Blind,
    /// Has not been readable for long, or is gone for good.
    Dead,
}

impl Health {
    /// The slug in the database and the metrics.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Blind => "blind",
            Self::Dead => "dead",
        }
    }

    /// Reads a slug; an unknown one counts as degraded, so that somebody looks.
    #[must_use]
    pub fn from_slug(slug: &str) -> Self {
        match slug {
            "ok" => Self::Ok,
            "blind" => Self::Blind,
            "dead" => Self::Dead,
            _ => Self::Degraded,
        }
    }
}
