//! The composition root: the only file that names every concrete thing and puts them together.

pub mod ask;
pub mod office;
pub mod wake;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use ulid::Ulid;
use url::Url;

use crate::assignment::{absence_feed_store, desk_store};
use crate::calendar::{self, Calendar};
use crate::case::promise_store::{decided, keep_decided};
use crate::chat;
use crate::chat::tier::{Links, Vocabulary};
use crate::chat::voices::Voices;
use crate::classification;
use crate::classification::external::Endpoint;
use crate::classification::judge::Judge;
use crate::classification::model::Model;
use crate::classification::seed::lessons;
use crate::classification::train::Lesson;
use crate::clock::{Clock, Time};
use crate::config::Config;
use crate::db::{Db, Engine, Tx};
use crate::http::{self, Fetch, FetchError, Fetched, Limits, Reach};
use crate::mention::watch::{self, Watch};
use crate::reminder::Ladders;
use crate::source::account::Account;
use crate::source::hook::{self, Hook};
use crate::source::store::{Named, SourceRow};
use crate::source::watched::{SourceKind, SourceSetting};
use crate::source::{
    self, AccountState, BlueskyAccount, Cursor, FeedSource, MailSource, MastodonSource, Poll, PollError, Sessions,
    Source, Thread,
};

/// Older calendars and ladders that are taken in, the newest first: decades of yearly changes.
const DECIDED_MAX: i64 = 1_000;

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
    /// An outside judge for what our own is unsure of, when one is configured.
    pub external: Option<Endpoint>,
    /// The posts that a judge is trained from before what staff have corrected.
    pub seed: fn() -> Vec<Lesson>,
    /// The shipped model and the lexicon: what a learned judge must have been learned beside.
    pub basis: String,
    http: Arc<http::Client>,
    sessions: Sessions,
    office: RwLock<Office>,
}

/// The judge that judges now.
#[derive(Debug, Clone)]
struct Office {
    /// Its version's number; 0 for the shipped one before anything was learned.
    number: i64,
    judge: Arc<Judge>,
}

impl App {
    /// Opens the database and puts everything together. Nothing runs yet.
    ///
    /// # Errors
    /// When the database, the judge or a voice cannot be opened.
    pub async fn open(config: Config, clock: Clock) -> anyhow::Result<Self> {
        Box::pin(Self::open_within(config, clock, Limits::default())).await
    }

    /// The same with other bounds for what is asked of others.
    ///
    /// # Errors
    /// As [`App::open`].
    pub async fn open_within(mut config: Config, clock: Clock, limits: Limits) -> anyhow::Result<Self> {
        let db = Db::open(&config.database, config.connections).await?;
        let judge = Arc::new(judge(&config)?);
        let basis = basis(&judge);
        let mut tx = db.write().await?;
        let fresh = format!("{}{}", Ulid::generate(), Ulid::generate());
        let own_secret = chat::store::own_secret(&mut tx, &fresh).await?;
        keep_decisions(&mut tx, &mut config, clock.now()).await?;
        tx.commit().await?;
        let organisation = &config.organisation;
        let names = organisation.topics.iter().map(|topic| topic.name.clone());
        let units = organisation.units.iter().map(|unit| unit.name.clone());
        let places = config.words.places.iter().map(|place| place.name.clone());
        let sources = config.sources.iter().map(|source| source.name.clone());
        let links = Links::new(&config.base_url);
        let app = Self {
            db,
            clock,
            holder: Ulid::generate().to_string(),
            watch: watch(&config),
            voices: Voices::open(&config.chat, &links)?,
            links,
            vocabulary: Vocabulary::new(names.chain(units).chain(places).chain(sources)),
            secret: own_secret.into_bytes(),
            http: Arc::new(http::Client::new(&config.contact, limits)?),
            sessions: Sessions::default(),
            external: config.external_judge.clone().map(Endpoint::open).transpose()?,
            seed: lessons,
            basis,
            office: RwLock::new(Office { number: 0, judge }),
            config: Arc::new(config),
        };
        tracing::debug!(basis = app.basis, "a learned judge must have been learned beside this");
        app.heed_appointment().await?;
        Ok(app)
    }

    /// Makes the database say what the configuration says about sources.
    ///
    /// # Errors
    /// What the database says.
    pub async fn take_over_configuration(&self) -> sqlx::Result<()> {
        let named: Vec<Named> = self.config.sources.iter().map(named).collect();
        let mut tx = self.db.write().await?;
        source::store::take_over_configuration(&mut tx, &named, self.clock.now()).await?;
        absence_feed_store::know_feeds(&mut tx, &self.feeds(), self.clock.now()).await?;
        desk_store::know_weeklies(&mut tx, &self.weeklies()).await?;
        if self.db.engine() == Engine::Sqlite {
            // One process works on an embedded database: what another held, it held before it died.
            source::store::let_go(&mut tx).await?;
            chat::store::let_go(&mut tx).await?;
        }
        tx.commit().await
    }

    /// Whose absences are read from a feed, with a hash of its address: the address itself is a secret.
    fn feeds(&self) -> Vec<(String, String)> {
        let now = self.clock.now();
        let staff = self.config.organisation.staff.iter().filter(|staff| staff.period.holds(now));
        staff
            .filter_map(|staff| {
                let address = staff.absence_feed.as_deref()?;
                Some((staff.key.clone(), calendar::fingerprint(&(address, &self.secret))))
            })
            .collect()
    }

    /// Those who lead a department, and the one who answers for the audit, with when their next summary comes.
    fn weeklies(&self) -> Vec<(String, Time)> {
        let (now, organisation) = (self.clock.now(), &self.config.organisation);
        let Some(rhythm) = self.config.weekly else { return Vec::new() };
        let chiefs = organisation.departments.iter().filter(|one| one.period.holds(now)).map(|one| one.chief.as_str());
        let audits = organisation.function(&organisation.communications_chief);
        let audits = audits.into_iter().flat_map(|function| function.staff.iter().take(1)).map(String::as_str);
        let mut keys: Vec<&str> = chiefs.chain(audits).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter()
            .filter_map(|key| Some((key.to_owned(), rhythm.at_or_after(now, &self.calendar_of_staff(key))?)))
            .collect()
    }

    /// When one of the staff works: her own calendar, or her unit's; round the clock when neither is known.
    #[must_use]
    pub fn calendar_of_staff(&self, key: &str) -> Calendar {
        let own = self.config.organisation.staff(key);
        let unit = own.and_then(|staff| self.config.organisation.unit(&staff.unit));
        let name = own.and_then(|staff| staff.calendar.as_deref()).or(unit.map(|unit| unit.calendar.as_str()));
        name.and_then(|name| self.config.calendars.get(name)).cloned().unwrap_or_else(Calendar::always)
    }

    /// The judge in office.
    #[must_use]
    pub fn judge(&self) -> Arc<Judge> {
        Arc::clone(&self.office.read().unwrap_or_else(PoisonError::into_inner).judge)
    }

    /// Puts the judge in office that the database says is, also when another process or a page appointed it. One that
    /// was learned beside another lexicon or another shipped model waits until it has been learned anew.
    ///
    /// # Errors
    /// What the database says. A model that cannot be read is said in the log, and the judge stays.
    pub async fn heed_appointment(&self) -> anyhow::Result<()> {
        let mut tx = self.db.read().await?;
        let appointed = classification::store::in_office(&mut tx).await?.filter(|version| version.basis == self.basis);
        let number = appointed.as_ref().map_or(0, |version| version.number);
        if number == self.office.read().unwrap_or_else(PoisonError::into_inner).number {
            return Ok(());
        }
        let model = match &appointed {
            Some(version) if version.kept => classification::store::model_of(&mut tx, version.number).await?,
            _ => None,
        };
        drop(tx);
        let lexicon = self.judge().lexicon().clone();
        let judge = match model {
            Some(bytes) => Judge::learned(lexicon, &bytes),
            None => Judge::with(lexicon),
        };
        match judge {
            Ok(judge) => {
                tracing::info!(number, "another judge is in office");
                let mut office = self.office.write().unwrap_or_else(PoisonError::into_inner);
                *office = Office { number, judge: Arc::new(judge) };
            }
            Err(fault) => {
                tracing::error!(number, "the judge in office cannot be read, the one before goes on: {fault}");
            }
        }
        Ok(())
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
            SourceKind::Hook(_) => Err(PollError::Refused("till en webbkrok lämnas inlägg, den läses inte".to_owned())),
            SourceKind::Mail(mailbox) => Box::pin(MailSource::new(client, setting, mailbox).poll(cursor, now)).await,
            SourceKind::BlueskyStream(_) => {
                Err(PollError::Refused("en ström läses inte på begäran, den läses hela tiden".to_owned()))
            }
            SourceKind::BlueskyAccount { account, backfill, .. } => {
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

    /// The mailbox that a source of that key is; nothing when it is none.
    #[must_use]
    pub fn mailbox(&self, key: &str) -> Option<MailSource> {
        let setting = self.setting(key)?;
        let SourceKind::Mail(mailbox) = &setting.kind else { return None };
        Some(MailSource::new(Arc::clone(&self.http), setting, mailbox))
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
        let key = setting.kind.account().unwrap_or_default();
        let account = self.config.accounts.get(key);
        let bearer = account.and_then(|account| account.secret.as_ref()).map(source::account::Secret::reveal);
        let reach = if url.scheme() == "ws" { Reach::Local } else { setting.reach };
        let dial = http::Dial { url, protocol, bearer, reach, account: key };
        self.http.dial(&dial, self.clock.now()).await
    }

    /// Hands in an empty, signed delivery at a web hook of ours, as those who use it do: whether it was taken, and what
    /// that means in Swedish.
    pub async fn knock(&self, setting: &SourceSetting, hook: &Hook) -> (bool, String) {
        const EMPTY: &[u8] = b"{\"items\":[]}";
        let now = self.clock.now();
        let once = format!("prov-{}", Ulid::generate());
        let Some(headers) = hook.sign(&once, EMPTY, now) else {
            return (false, "hemligheten är inte satt, så inget tas emot".to_owned());
        };
        let address = format!("{}{}{}", self.config.base_url.as_str().trim_end_matches('/'), hook::PATH, setting.key);
        match self.http.hand_in(&address, &headers, EMPTY).await {
            Ok(202) => (true, format!("{address} tar emot")),
            Ok(404) => (false, format!("{address} svarar 404. Starta om tjänsten så att den läser sources.toml")),
            Ok(401) => {
                (false, format!("{address} godtar inte vår signatur: tjänsten har en annan hemlighet eller klocka"))
            }
            Ok(status) => (false, format!("{address} svarar {status}")),
            Err(fault) => (false, format!("{address} svarar inte ({}). Är tjänsten igång?", fault.swedish())),
        }
    }

    /// How long (real) a stream rests that has ended so many times, one after the other.
    #[must_use]
    pub fn rest(&self, failures: u32) -> Duration {
        self.http.rest(failures)
    }

    /// Bytes that a stream needs to be understood (its dictionary); nothing when they are not to be had.
    pub async fn fetch_bytes(&self, setting: &SourceSetting, url: Url, now: Time) -> Option<Vec<u8>> {
        let reach = if url.scheme() == "http" { Reach::Local } else { setting.reach };
        let how = http::How::Get;
        let call = http::Call { url, how, bearer: None, proxy: None, reach, account: "", endpoint: "dictionary" };
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

    /// Asks for somebody's calendar. Public addresses only; the address itself is told to nobody.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn fetch_calendar(
        &self,
        url: &str,
        etag: Option<&str>,
        last_modified: Option<&str>,
    ) -> Result<Fetched, FetchError> {
        let reach = if self.config.organisation.rules.local_feeds { Reach::Local } else { Reach::Public };
        self.http.fetch(&Fetch { url, etag, last_modified, reach, accept: "text/calendar, */*;q=0.1" }).await
    }

    /// What the configuration says of a source.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&SourceSetting> {
        self.config.sources.iter().find(|setting| setting.key == key)
    }
}

/// Keeps what is decided today, and takes in what was decided before, so that promises and ladders that run go on by
/// what they began with.
async fn keep_decisions(tx: &mut Tx, config: &mut Config, now: Time) -> anyhow::Result<()> {
    for calendar in config.calendars.iter() {
        keep_decided(tx, "calendar", &calendar.version(), &serde_json::to_string(calendar)?, now).await?;
    }
    let ladder = config.ladders.current();
    keep_decided(tx, "ladder", &ladder.version(), &serde_json::to_string(ladder)?, now).await?;
    let times = &config.response_times;
    keep_decided(tx, "response-times", &times.version(), &serde_json::to_string(times)?, now).await?;
    take_in_decisions(tx, config).await
}

/// Takes in the calendars and ladders that were decided before: what runs keeps the rules it began with. Writes nothing.
///
/// # Errors
/// What the database says, or a kept decision that cannot be read.
pub async fn take_in_decisions(tx: &mut Tx, config: &mut Config) -> anyhow::Result<()> {
    let ladder = config.ladders.current().clone();
    let calendars = Arc::make_mut(&mut config.calendars);
    for (version, body, _) in decided(tx, "calendar", DECIDED_MAX).await? {
        let calendar: Calendar = serde_json::from_str(&body).with_context(|| format!("the kept calendar {version}"))?;
        calendars.keep(calendar);
    }
    let mut ladders = Vec::new();
    for (version, body, _) in decided(tx, "ladder", DECIDED_MAX).await? {
        ladders.push(serde_json::from_str(&body).with_context(|| format!("the kept ladder {version}"))?);
    }
    config.ladders = Ladders::new(ladder, ladders);
    Ok(())
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

/// The shipped model and the lexicon, as one name.
fn basis(judge: &Judge) -> String {
    format!("{}-{}", judge.model().map_or("", Model::version), judge.lexicon().digest())
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
