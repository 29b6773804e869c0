//! Listens to the chats: by asking (Telegram's long poll, Matrix' sync), one process at a time, and at the addresses
//! that services post to. What is heard is answered by [`Hearer`].

use std::sync::Arc;
use std::time::Duration;

use axum::Router;

use crate::app::App;
use crate::chat::hear::pause_after;
use crate::chat::hook_listen::bounded;
use crate::chat::matrix_listen::{MatrixEar, SYNC_WAIT};
use crate::chat::settings::Mode;
use crate::chat::slack_listen::SlackEar;
use crate::chat::telegram_listen::{POLL_WAIT, TelegramEar};
use crate::chat::voices::Voice;
use crate::chat::{self, Channel, Keep, NotKept, SendError, mattermost_listen};
use crate::jobs::accept_deliveries::{self, BODY_WITHIN};
pub use crate::jobs::answer_staff::Hearer;
use crate::source;
use crate::web::access::Hook;

/// How long (real) a listener has the turn: two long polls and a slow network.
const TURN: Duration = Duration::from_secs(90);
/// How often (real) one who does not have the turn asks for it.
const ASK_AGAIN: Duration = Duration::from_secs(15);

/// Something to listen to by asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Telegram's long poll.
    TelegramPoll,
    /// Matrix' sync.
    MatrixSync,
}

impl Part {
    /// Name of the lease whose holder listens; how far it has come stands in the same row.
    #[must_use]
    pub fn lease(self) -> &'static str {
        match self {
            Self::TelegramPoll => "telegram",
            Self::MatrixSync => "matrix",
        }
    }
}

/// What this configuration listens to by asking; addresses that services post to are mounted by [`routes`].
#[must_use]
pub fn parts(app: &App) -> Vec<Part> {
    let chat = &app.config.chat;
    let telegram = chat.telegram.as_ref().is_some_and(|telegram| telegram.mode == Mode::Poll);
    let matrix = chat.matrix.as_ref().is_some_and(|matrix| matrix.hear);
    [(telegram, Part::TelegramPoll), (matrix, Part::MatrixSync)]
        .into_iter()
        .filter_map(|(on, part)| on.then_some(part))
        .collect()
}

/// Listens for ever; the caller drops it to stop. One process at a time has the turn; a service that does not answer
/// is asked ever more seldom, at most once a minute.
///
/// # Errors
/// When the database does not answer; the caller begins again.
pub async fn run(app: Arc<App>, part: Part) -> anyhow::Result<()> {
    let (mut opened, mut failures) = (false, 0_u32);
    loop {
        if !has_turn(&app, part).await? {
            tokio::time::sleep(ASK_AGAIN).await;
            continue;
        }
        match round(&app, part, !opened).await {
            Ok(()) => (opened, failures) = (true, 0),
            Err(fault) => {
                failures = failures.saturating_add(1);
                tracing::warn!(part = part.lease(), failures, "could not listen: {fault}");
                tokio::time::sleep(pause_after(&fault, failures)).await;
            }
        }
    }
}

/// Asks once, and hears what there is.
///
/// # Errors
/// When the service does not answer, or the place in its stream of news could not be kept.
pub async fn round(app: &Arc<App>, part: Part, first: bool) -> Result<(), SendError> {
    let keep = Kept { app: Arc::clone(app), lease: part.lease() };
    match part {
        Part::TelegramPoll => {
            let Some(ear) = telegram_ear(app)? else { return std::future::pending().await };
            if first {
                ear.open_poll().await?;
            }
            ear.round(&keep, POLL_WAIT).await.map(|_| ())
        }
        Part::MatrixSync => {
            let Some(Voice::Matrix(voice)) = app.voices.of(Channel::Matrix) else {
                return std::future::pending().await;
            };
            let ear = MatrixEar::new(Arc::clone(voice), Hearer(Arc::clone(app))).map_err(|_| SendError::later())?;
            // The first round only finds out where we are, and must not wait for news.
            ear.round(&keep, if first { Duration::ZERO } else { SYNC_WAIT }).await.map(|_| ())
        }
    }
}

/// The addresses that services post to, to be mounted beside the pages. Each is one of [`Hook`].
///
/// # Errors
/// When no HTTP client can be built on this machine.
pub fn routes(app: &Arc<App>) -> anyhow::Result<Router> {
    let mut routes = Router::new();
    for hook in Hook::ALL {
        if let Some(route) = route(app, hook)? {
            // Each has a bound of its own, so that a flood at one lets the others be heard.
            routes = routes.merge(bounded(route));
        }
    }
    Ok(routes)
}

fn route(app: &Arc<App>, hook: Hook) -> anyhow::Result<Option<Router>> {
    let chat = &app.config.chat;
    Ok(match hook {
        Hook::Source => accept_deliveries::routes(app, BODY_WITHIN),
        Hook::Telegram => match chat.telegram.as_ref().map(|telegram| &telegram.mode) {
            Some(Mode::Webhook { path, secret, .. }) => {
                telegram_ear(app)?.map(|ear| Arc::new(ear).router(path, secret.clone()))
            }
            _ => None,
        },
        Hook::Slack => match (&chat.slack, app.voices.of(Channel::Slack)) {
            (Some(slack), Some(Voice::Slack(voice))) => {
                let ear = SlackEar::new(Arc::clone(voice), Hearer(Arc::clone(app)), app.clock.clone());
                Some(Arc::new(ear).router(&slack.path))
            }
            _ => None,
        },
        Hook::Mattermost => match (&chat.mattermost, app.voices.of(Channel::Mattermost)) {
            (Some(account), Some(Voice::Mattermost(voice))) => {
                let hearer = Hearer(Arc::clone(app));
                Some(mattermost_listen::router(Arc::clone(voice), hearer, account.press_url.path()))
            }
            _ => None,
        },
    })
}

/// Tells Telegram where to post, when it is to post.
///
/// # Errors
/// When Telegram does not take the address; the caller begins again.
pub async fn open_web_hooks(app: &Arc<App>) -> anyhow::Result<()> {
    if let Some(Mode::Webhook { address, secret, .. }) =
        app.config.chat.telegram.as_ref().map(|telegram| &telegram.mode)
        && let Some(ear) = telegram_ear(app)?
    {
        ear.open_webhook(address.clone(), secret).await?;
    }
    Ok(())
}

fn telegram_ear(app: &Arc<App>) -> Result<Option<TelegramEar<Hearer>>, SendError> {
    let Some(settings) = &app.config.chat.telegram else { return Ok(None) };
    let Some(Voice::Telegram(voice)) = app.voices.of(Channel::Telegram) else { return Ok(None) };
    let ear = TelegramEar::new(&settings.account, Arc::clone(voice), Hearer(Arc::clone(app)));
    ear.map(Some).map_err(|_| SendError::OutOfOrder("no HTTP client can be built on this machine".to_owned()))
}

/// Takes or keeps the turn; false when another process has it.
///
/// # Errors
/// What the database says.
pub async fn has_turn(app: &App, part: Part) -> sqlx::Result<bool> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let mine = source::store::lease(&mut tx, part.lease(), &app.holder, now, now.plus(app.clock.told(TURN))).await?;
    tx.commit().await?;
    Ok(mine)
}

/// Where a stream of news has come to, in the row of its lease.
struct Kept {
    app: Arc<App>,
    lease: &'static str,
}

impl Keep for Kept {
    async fn place(&self) -> Result<Option<String>, NotKept> {
        let read = async {
            let mut tx = self.app.db.read().await?;
            chat::store::listened_to(&mut tx, self.lease).await
        };
        read.await.map_err(|_: sqlx::Error| NotKept)
    }

    async fn keep(&self, place: &str) -> Result<(), NotKept> {
        let write = async {
            let mut tx = self.app.db.write().await?;
            chat::store::remember_listened(&mut tx, self.lease, place).await?;
            tx.commit().await
        };
        write.await.map_err(|_: sqlx::Error| NotKept)
    }
}
