//! News to pages that are open: a bell, never the words of a post. The page fetches itself anew, by its own rights.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use futures::future::{Either, select};
use tokio::sync::futures::OwnedNotified;
use tokio::sync::{Notify, OwnedSemaphorePermit};

use super::Site;
use super::fault::Fault;

/// The bell that whoever writes something to look at rings on commit.
const BELL: &str = "web";
/// The bell that the program rings when it is to stop, so that open lines do not hold it up.
const STOP: &str = "stop";
/// How long a line is held at most; then the browser calls again and its rights are tried anew.
const LINE_LIFE: Duration = Duration::from_mins(15);
/// Many things that happen at once are one piece of news.
const PAUSE: Duration = Duration::from_secs(2);
/// How often a silent line shows that it is there: proxies cut after a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(25);

struct Line {
    bell: Arc<Notify>,
    next: Pin<Box<OwnedNotified>>,
    stop: Pin<Box<OwnedNotified>>,
    end: tokio::time::Instant,
    rung: bool,
    _place: OwnedSemaphorePermit,
}

/// Arms a bell: a ring from now on is heard, also before somebody listens.
fn armed(bell: &Arc<Notify>) -> Pin<Box<OwnedNotified>> {
    let mut next = Box::pin(Arc::clone(bell).notified_owned());
    next.as_mut().enable();
    next
}

pub(super) async fn stream(
    State(site): State<Site>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Fault> {
    let place = Arc::clone(&site.listeners).try_acquire_owned().map_err(|_| Fault::TooMany)?;
    let bell = site.db.signals().bell(BELL);
    let line = Line {
        next: armed(&bell),
        bell,
        stop: armed(&site.db.signals().bell(STOP)),
        end: tokio::time::Instant::now() + LINE_LIFE,
        rung: false,
        _place: place,
    };
    let news = futures::stream::unfold(line, |mut line| async move {
        if line.rung {
            tokio::time::sleep(PAUSE).await;
        }
        let Line { next, stop, end, .. } = &mut line;
        let over = select(stop, Box::pin(tokio::time::sleep_until(*end)));
        match select(next, over).await {
            Either::Left(_) => {
                line.next = armed(&line.bell);
                line.rung = true;
                Some((Ok(Event::default().event("nytt").data("1")), line))
            }
            Either::Right(_) => None,
        }
    });
    Ok(Sse::new(news).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}
