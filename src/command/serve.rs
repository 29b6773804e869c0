//! `lyhord`, `lyhord web`, `lyhord work`: the service, whole or in parts.

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Place;
use crate::app::App;
use crate::assignment::Role;
use crate::{config_or_leave, jobs, queue, telemetry, web};

/// How long a part that fell is left before it is begun again.
const BEFORE_AGAIN: Duration = Duration::from_secs(2);

/// How often it is looked which judge is in office, in case a bell was lost.
const JUDGE_LOOK: Duration = Duration::from_mins(5);

/// Which parts this process plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// Serves the pages.
    pub web: bool,
    /// Listens, moves and speaks.
    pub work: bool,
}

impl Roles {
    /// Everything in one process.
    pub const ALL: Self = Self { web: true, work: true };
    /// Only the pages.
    pub const WEB: Self = Self { web: true, work: false };
    /// Only the workers.
    pub const WORK: Self = Self { web: false, work: true };
}

/// Runs until SIGTERM or Ctrl-C.
///
/// # Errors
/// When it cannot start, or a part of it ends by a fault.
pub async fn run(place: &Place, roles: Roles) -> anyhow::Result<ExitCode> {
    let config = config_or_leave!(place);
    telemetry::begin(config.log, &config.log_level);
    let app = Arc::new(App::open(config, place.clock.clone()).await?);
    app.take_over_configuration().await?;
    if let Some(variable) = &app.config.chat.without_token {
        tracing::warn!(%variable, "Telegram is off: the environment variable {variable} is not set or empty");
    }
    if app.voices.channels().next().is_none() {
        tracing::warn!("no chat is configured: reminders stand in the inbox only (see [chat.telegram] in lyhord.toml)");
    }
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        asked_to_stop().await;
        tracing::info!("stopping: finishing what is in hand");
        let _ = stop.send(true);
    });
    let listener = if roles.web { Some(TcpListener::bind(&app.config.listen).await?) } else { None };
    if let Some(listener) = &listener {
        tracing::info!(address = %listener.local_addr()?, "pages are served");
        if let Some(link) = first_sign_in_link(&app).await? {
            eprintln!("Första inloggningen, gäller en gång: {link}");
        }
    }
    parts(app, roles, listener, stopped).await?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// While nobody has ever signed in, a link for the first administrator; printed, never logged.
async fn first_sign_in_link(app: &App) -> anyhow::Result<Option<String>> {
    let mut tx = app.db.write().await?;
    if web::store::anybody(&mut tx).await? {
        return Ok(None);
    }
    let now = app.clock.now();
    let organisation = &app.config.organisation;
    let admin = organisation.staff.iter().find(|staff| organisation.has_role(&staff.key, Role::Admin, now));
    let Some(admin) = admin else {
        tracing::warn!(
            "nobody in organisation.toml has the role admin: give somebody the role, then run `lyhord invite`"
        );
        return Ok(None);
    };
    let path = web::sign_in::new_link(&mut tx, &admin.key, now).await?;
    tx.commit().await?;
    Ok(Some(format!("{}{path}", app.config.base_url.as_str().trim_end_matches('/'))))
}

/// Runs the parts until `stopped` says so.
///
/// # Errors
/// When the pages or the workers end by themselves.
pub async fn parts(
    app: Arc<App>,
    roles: Roles,
    listener: Option<TcpListener>,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    let (stop, signals) = (until(stopped.clone()), app.db.signals().clone());
    tasks.spawn(async move {
        stop.await;
        // Pages that listen for news are let go, so that the server can end.
        signals.ring("stop");
        Ok(())
    });
    if let Some(listener) = listener.filter(|_| roles.web) {
        let hooks = jobs::hear_staff::routes(&app)?;
        let router =
            web::router(Arc::clone(&app)).merge(hooks).into_make_service_with_connect_info::<std::net::SocketAddr>();
        let stop = until(stopped.clone());
        tasks.spawn(again("hooks", Arc::clone(&app), stopped.clone(), jobs::accept_deliveries::stand_open));
        tasks.spawn(async move { Ok(axum::serve(listener, router).with_graceful_shutdown(stop).await?) });
    }
    if roles.work {
        let work = queue::run(app.db.clone(), jobs::worker(Arc::clone(&app)), until(stopped.clone()));
        tasks.spawn(work);
        tasks.spawn(again(
            "timetable",
            Arc::clone(&app),
            stopped.clone(),
            |app| async move { jobs::timetable(&app).await },
        ));
        tasks.spawn(once_it_works(Arc::clone(&app), stopped.clone()));
        for part in jobs::hear_staff::parts(&app) {
            tasks.spawn(again("staff", Arc::clone(&app), stopped.clone(), move |app| jobs::hear_staff::run(app, part)));
        }
        for key in jobs::hear_stream::parts(&app) {
            tasks.spawn(again("stream", Arc::clone(&app), stopped.clone(), move |app| {
                jobs::hear_stream::run(app, key.clone())
            }));
        }
        for key in jobs::hear_mailbox::parts(&app) {
            tasks.spawn(again("mailbox", Arc::clone(&app), stopped.clone(), move |app| {
                jobs::hear_mailbox::run(app, key.clone())
            }));
        }
        for key in jobs::hear_server::parts(&app) {
            tasks.spawn(again("server", Arc::clone(&app), stopped.clone(), move |app| {
                jobs::hear_server::run(app, key.clone())
            }));
        }
    }
    tasks.spawn(again("judge", Arc::clone(&app), stopped.clone(), heed_appointments));
    tasks.spawn(again("bells", Arc::clone(&app), stopped, |app| async move {
        app.db.hear_other_processes().await?;
        Ok(())
    }));
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    if roles.work
        && let Err(fault) = jobs::turn::let_go(&app).await
    {
        tracing::info!("turns at sources were not let go: {fault}");
    }
    app.db.close().await;
    Ok(())
}

/// Changes judge when another process or a page has appointed one.
async fn heed_appointments(app: Arc<App>) -> anyhow::Result<()> {
    let bell = app.db.signals().bell(jobs::refit_judge::JUDGE_BELL);
    loop {
        app.heed_appointment().await?;
        tokio::select! {
            () = bell.notified() => {}
            () = tokio::time::sleep(JUDGE_LOOK) => {}
        }
    }
}

/// Tells services where to post, again and again until they have taken it.
async fn once_it_works(app: Arc<App>, stopped: watch::Receiver<bool>) -> anyhow::Result<()> {
    let stop = until(stopped);
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return Ok(()),
            outcome = jobs::hear_staff::open_web_hooks(&app) => match outcome {
                Ok(()) => return Ok(()),
                Err(fault) => tracing::warn!("web hooks are not open yet: {fault:#}"),
            }
        }
        tokio::select! {
            () = &mut stop => return Ok(()),
            () = tokio::time::sleep(BEFORE_AGAIN * 15) => {}
        }
    }
}

/// Runs a part for ever: when it falls it is said once, and begun again after a pause.
async fn again<Part, Run>(
    name: &'static str,
    app: Arc<App>,
    stopped: watch::Receiver<bool>,
    part: Part,
) -> anyhow::Result<()>
where
    Part: Fn(Arc<App>) -> Run + Send + 'static,
    Run: Future<Output = anyhow::Result<()>> + Send,
{
    let stop = until(stopped);
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return Ok(()),
            outcome = part(Arc::clone(&app)) => {
                if let Err(fault) = outcome {
                    tracing::warn!(part = name, "begins again in {} s: {fault:#}", BEFORE_AGAIN.as_secs());
                }
            }
        }
        tokio::select! {
            () = &mut stop => return Ok(()),
            () = tokio::time::sleep(BEFORE_AGAIN) => {}
        }
    }
}

/// Resolves when the process is asked to stop.
pub async fn until(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Resolves on SIGTERM or Ctrl-C.
pub async fn asked_to_stop() {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}
