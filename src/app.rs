//! The composition root: the only file that names every concrete thing and puts them together.

use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Context as _;
use ulid::Ulid;
use url::Url;

use crate::calendar::Calendar;
use crate::chat;
use crate::chat::tier::{Links, Vocabulary};
use crate::chat::voices::Voices;
use crate::classification::judge::Judge;
use crate::clock::{Clock, Time};
use crate::config::Config;
use crate::db::{Db, Engine};
use crate::http::{self, Limits, Reach};
use crate::mention::watch::{self, Watch};
use crate::source::account::Account;
use crate::source::store::{Named, SourceRow};
use crate::source::watched::{SourceKind, SourceSetting};
use crate::source::{
    self, AccountState, BlueskyAccount, Cursor, FeedSource, MastodonSource, Poll, PollError, Sessions, Source, Thread,
};

/// The whole program, as its jobs and pages see it.
pub struct App {
    /// The facts.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// What the municipality has decided.
    pub config: Arc<Config>,
    /// This process, in leases: a new name each start.
    pub holder: String,
    /// The watch rules, compiled.
    pub watch: Watch,
    /// The voices that are configured.
    pub voices: Voices,
    /// Where links in messages lead.
    pub links: Links,
    /// What messages may name.
    pub vocabulary: Vocabulary,
    /// Keys the hashes of one-time codes.
    pub secret: Vec<u8>,
    http: Arc<http::Client>,
    sessions: Sessions,
    judge: RwLock<Arc<Judge>>,
}

impl App {
    /// Opens the database and puts everything together. Nothing runs yet.
    ///
    /// # Errors
    /// When the database, the judge or a voice cannot be opened.
    pub async fn open(config: Config, clock: Clock) -> anyhow::Result<Self> {
        let db = Db::open(&config.database, config.connections).await?;
        let judge = Arc::new(judge(&config)?);
        let mut tx = db.write().await?;
        let fresh = format!("{}{}", Ulid::generate(), Ulid::generate());
        let own_secret = chat::store::own_secret(&mut tx, &fresh).await?;
        tx.commit().await?;
        let organisation = &config.organisation;
        let names = organisation.topics.iter().map(|topic| topic.name.clone());
        let units = organisation.units.iter().map(|unit| unit.name.clone());
        let places = config.words.places.iter().map(|place| place.name.clone());
        let sources = config.sources.iter().map(|source| source.name.clone());
        let links = Links::new(&config.base_url);
        Ok(Self {
            db,
            clock,
            holder: Ulid::generate().to_string(),
            watch: watch(&config),
            voices: Voices::open(&config.chat, &links)?,
            links,
            vocabulary: Vocabulary::new(names.chain(units).chain(places).chain(sources)),
            secret: own_secret.into_bytes(),
            http: Arc::new(http::Client::new(&config.contact, Limits::default())?),
            sessions: Sessions::default(),
            judge: RwLock::new(judge),
            config: Arc::new(config),
        })
    }

    /// Makes the database say what the configuration says about sources.
    ///
    /// # Errors
    /// What the database says.
    pub async fn take_over_configuration(&self) -> sqlx::Result<()> {
        let named: Vec<Named> = self.config.sources.iter().map(named).collect();
        let mut tx = self.db.write().await?;
        source::store::take_over_configuration(&mut tx, &named, self.clock.now()).await?;
        if self.db.engine() == Engine::Sqlite {
            // One process works on an embedded database: what another held, it held before it died.
            source::store::let_go(&mut tx).await?;
            chat::store::let_go(&mut tx).await?;
        }
        tx.commit().await
    }

    /// The judge in office.
    #[must_use]
    pub fn judge(&self) -> Arc<Judge> {
        Arc::clone(&self.judge.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another judge in office, from the next batch on.
    pub fn appoint(&self, judge: Arc<Judge>) {
        *self.judge.write().unwrap_or_else(PoisonError::into_inner) = judge;
    }

    /// Reads a source as its kind is read.
    ///
    /// # Errors
    /// Why it gave nothing.
    pub async fn read_source(
        &self,
        row: &SourceRow,
        cursor: &Cursor,
        threads: &[Thread],
        now: Time,
    ) -> Result<Poll, PollError> {
        let Some(setting) = self.setting(&row.key) else {
            return Err(PollError::Refused("källan står inte längre i sources.toml".to_owned()));
        };
        let client = Arc::clone(&self.http);
        let accounts = &self.config.accounts;
        match &setting.kind {
            SourceKind::Feed => FeedSource::new(client, setting).poll(cursor, now).await,
            SourceKind::BlueskyStream(_) => {
                Err(PollError::Refused("en ström läses inte på begäran, den läses hela tiden".to_owned()))
            }
            SourceKind::BlueskyAccount { account, backfill } => {
                let gone = || PollError::Refused("kontot står inte längre i sources.toml".to_owned());
                let account = accounts.get(account).ok_or_else(gone)?;
                let sessions = self.sessions.clone();
                let source = BlueskyAccount::new(client, sessions, setting, account, accounts, backfill, threads);
                Box::pin(source.poll(cursor, now)).await
            }
            SourceKind::MastodonTags { .. } | SourceKind::MastodonAccount { .. } => {
                let wrong = || PollError::Refused("adressen är ingen webbadress".to_owned());
                let source = MastodonSource::new(client, setting, accounts, threads).ok_or_else(wrong)?;
                Box::pin(source.poll(cursor, now)).await
            }
        }
    }

    /// Opens the stream of a source.
    ///
    /// # Errors
    /// What the server said, or that it said nothing.
    pub async fn dial(
        &self,
        setting: &SourceSetting,
        url: Url,
        protocol: Option<&'static str>,
    ) -> Result<http::Socket, http::DialError> {
        let account = setting.kind.account().and_then(|key| self.config.accounts.get(key));
        let bearer = account.and_then(|account| account.secret.as_ref()).map(source::account::Secret::reveal);
        let reach = if url.scheme() == "ws" { Reach::Local } else { setting.reach };
        self.http.dial(&http::Dial { url, protocol, bearer, reach }).await
    }

    /// Bytes that a stream needs to be understood (its dictionary); nothing when they are not to be had.
    pub async fn fetch_bytes(&self, setting: &SourceSetting, url: Url, now: Time) -> Option<Vec<u8>> {
        let reach = if url.scheme() == "http" { Reach::Local } else { setting.reach };
        let how = http::How::Get;
        let call = http::Call { url, how, bearer: None, reach, account: "", endpoint: "dictionary" };
        let called = self.http.call(&call, now).await.ok()?;
        (called.status == 200 && called.complete).then(|| called.body.to_vec())
    }

    /// Tries one of our own accounts.
    pub async fn check_account(&self, account: &Account, now: Time) -> AccountState {
        let client = Arc::clone(&self.http);
        match account.channel.as_str() {
            source::bluesky::CHANNEL => {
                Box::pin(BlueskyAccount::check(client, self.sessions.clone(), account, now)).await
            }
            source::mastodon::CHANNEL => Box::pin(MastodonSource::check(client, account, now)).await,
            other => AccountState::no(format!("Kanalen {other} har ingen inloggning; ta bort hemligheten.")),
        }
    }

    /// What the configuration says of a source.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&SourceSetting> {
        self.config.sources.iter().find(|setting| setting.key == key)
    }
}

fn named(setting: &SourceSetting) -> Named {
    Named {
        key: setting.key.clone(),
        kind: setting.kind.slug().to_owned(),
        name: setting.name.clone(),
        address: setting.address.clone(),
        channel: setting.channel.clone(),
        enabled: !setting.paused,
        streamed: setting.kind.is_streamed(),
    }
}

impl std::fmt::Debug for App {
    /// Only its name: the rest is large, or secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("holder", &self.holder).finish_non_exhaustive()
    }
}

/// The judge that the configuration asks for.
///
/// # Errors
/// When the shipped model is not readable.
pub fn judge(config: &Config) -> anyhow::Result<Judge> {
    let lexicon = config.lexicon.clone().context("the lexicon is not readable")?;
    Ok(Judge::with(lexicon)?)
}

/// The watch rules of the configuration.
#[must_use]
pub fn watch(config: &Config) -> Watch {
    watch::compile(&config.words)
}

/// The calendar by which a unit's promises run; round the clock when the configuration names none.
#[must_use]
pub fn calendar_of_unit(config: &Config, unit: &str) -> Calendar {
    let name = config.organisation.unit(unit).map(|unit| unit.calendar.as_str());
    name.and_then(|name| config.calendars.get(name)).cloned().unwrap_or_else(Calendar::always)
}
