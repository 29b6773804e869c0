//! A web socket to a stream: the same checks of addresses as for all else that is read, bounded messages, and no silence
//! that lasts for ever.

use std::time::Duration;

use axum::body::Bytes;
use futures::{SinkExt, StreamExt};
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderValue, SEC_WEBSOCKET_PROTOCOL, USER_AGENT};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use super::call::rest;
use super::{Client, FetchError, Reach};
use crate::clock::Time;

/// The largest message that is taken: ten times the largest post.
const MESSAGE_MAX: usize = 512 * 1024;
/// A stream that says nothing is asked for a sign of life so many times before it has been silent for too long.
const ASKED_TIMES: u32 = 6;
/// A stream that has just opened is asked so soon.
const FIRST_ASKED: Duration = Duration::from_secs(1);
/// What we say must be on its way so soon.
const SAID_WITHIN: Duration = Duration::from_secs(5);

/// How a stream is asked for.
#[derive(Debug, Clone)]
pub struct Dial<'a> {
    /// Where, with its query.
    pub url: Url,
    /// The subprotocol that we speak.
    pub protocol: Option<&'static str>,
    /// A token, where the stream wants one.
    pub bearer: Option<&'a str>,
    /// Where it may lead.
    pub reach: Reach,
    /// Our account's key, or nothing.
    pub account: &'a str,
}

/// Why there is no stream.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DialError {
    /// There was an answer, but not a stream.
    #[error("status {status}")]
    Status {
        /// HTTP status.
        status: u16,
        /// What the server said of it.
        body: Bytes,
        /// How long the server wants to be left in peace.
        rest: Option<Duration>,
    },
    /// There was no answer.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

/// A stream that is open.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// After so long without a whole frame it is cut.
    silent: Duration,
    /// When it opened, or the last whole frame came. Kept here and not in [`Socket::next`], whose caller may let go of it
    /// and begin it again as often as she likes.
    heard_at: Instant,
    /// When it is next asked for a sign of life.
    ask_at: Instant,
}

/// A message of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Text.
    Text(Bytes),
    /// Bytes, as compressed streams send them.
    Binary(Bytes),
}

impl Client {
    /// Opens a stream, in its turn among all that is asked of the host. `now` is what dates in the answer are held
    /// against.
    ///
    /// # Errors
    /// [`DialError`]: what the server said, or that it said nothing.
    pub async fn dial(&self, dial: &Dial<'_>, now: Time) -> Result<Socket, DialError> {
        let mut plain = dial.url.clone();
        // The checks know web addresses; a stream lives at one.
        let scheme = if dial.url.scheme() == "wss" { "https" } else { "http" };
        let _ = plain.set_scheme(scheme);
        let host = self.checked(&plain, dial.reach)?;
        self.turn(&host, dial.account, "stream", now).await?;
        let (name, port) = host.rsplit_once(':').unwrap_or((&host, ""));
        let port = port.parse().map_err(|_| FetchError::Address(host.clone()))?;
        let stream = self.reach(name.trim_matches(['[', ']']), port, dial.reach).await?;
        let mut request = dial.url.as_str().into_client_request().map_err(|fault| no_stream(&fault))?;
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, self.agent.clone());
        if let Some(protocol) = dial.protocol {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
        }
        if let Some(bearer) = dial.bearer {
            let mut token = HeaderValue::from_str(&format!("Bearer {bearer}"))
                .map_err(|_| FetchError::Address("the token is not sendable".to_owned()))?;
            token.set_sensitive(true);
            headers.insert(AUTHORIZATION, token);
        }
        let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_MAX)).max_frame_size(Some(MESSAGE_MAX));
        let opening = client_async_tls_with_config(request, stream, Some(config), None);
        match timeout(self.limits.head, opening).await {
            Err(_) => Err(FetchError::TimedOut("the head of the answer").into()),
            Ok(Ok((stream, _))) => Ok(Socket::new(stream, self.limits.silent)),
            Ok(Err(Error::Http(response))) => {
                let status = response.status().as_u16();
                let rest = rest(status, response.headers(), now);
                if let Some(rest) = rest {
                    self.leave_in_peace(&host, dial.account, rest, now);
                }
                Err(DialError::Status { status, body: response.into_body().unwrap_or_default().into(), rest })
            }
            Ok(Err(fault)) => Err(no_stream(&fault)),
        }
    }
}

fn no_stream(fault: &Error) -> DialError {
    FetchError::Unreachable(fault.to_string()).into()
}

impl Socket {
    fn new(stream: WebSocketStream<MaybeTlsStream<TcpStream>>, silent: Duration) -> Self {
        let now = Instant::now();
        Self { stream, silent, heard_at: now, ask_at: now + FIRST_ASKED.min(silent / ASKED_TIMES) }
    }

    /// When the last whole frame came, a ping or the answer to ours too; when it opened, if none has.
    #[must_use]
    pub fn heard_at(&self) -> Instant {
        self.heard_at
    }

    /// The next message; nothing when the server has closed the stream in good order. It may be let go of and begun
    /// again: the silence is measured from the last whole frame.
    ///
    /// # Errors
    /// When the stream broke, was silent for too long, or sent more than we take.
    pub async fn next(&mut self) -> Result<Option<Frame>, FetchError> {
        loop {
            let ends_at = self.heard_at + self.silent;
            let Ok(message) = timeout_at(ends_at.min(self.ask_at), self.stream.next()).await else {
                if Instant::now() >= ends_at {
                    return Err(FetchError::TimedOut("the next message"));
                }
                self.ask().await?;
                continue;
            };
            self.heard_at = Instant::now();
            self.ask_at = self.heard_at + self.silent / ASKED_TIMES;
            match message {
                None | Some(Ok(Message::Close(_))) => return Ok(None),
                Some(Ok(Message::Text(text))) => return Ok(Some(Frame::Text(text.into()))),
                Some(Ok(Message::Binary(bytes))) => return Ok(Some(Frame::Binary(bytes))),
                // A pong is queued by the library and goes out with this.
                Some(Ok(_)) => self.stream.flush().await.map_err(|fault| FetchError::Unreachable(fault.to_string()))?,
                Some(Err(Error::Capacity(_))) => return Err(FetchError::TooLarge(MESSAGE_MAX)),
                Some(Err(fault)) => return Err(FetchError::Unreachable(fault.to_string())),
            }
        }
    }

    /// Asks for a sign of life (a ping), which every server answers.
    async fn ask(&mut self) -> Result<(), FetchError> {
        self.ask_at = Instant::now() + self.silent / ASKED_TIMES;
        self.send(Message::Ping(Bytes::new())).await
    }

    /// Says something, as streams that are subscribed to want it.
    ///
    /// # Errors
    /// When the stream has broken.
    pub async fn say(&mut self, text: &str) -> Result<(), FetchError> {
        self.send(Message::text(text)).await
    }

    async fn send(&mut self, message: Message) -> Result<(), FetchError> {
        let said = timeout(SAID_WITHIN, self.stream.send(message)).await;
        said.map_err(|_| FetchError::TimedOut("what we say"))?
            .map_err(|fault| FetchError::Unreachable(fault.to_string()))
    }

    /// Says good-bye, so that the server need not wait for a silence.
    pub async fn close(mut self) {
        let _ = timeout(Duration::from_secs(1), self.stream.close(None)).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::time::sleep;

    use super::*;
    use crate::http::{Call, How, Limits};

    const SILENT: Duration = Duration::from_millis(900);
    const NOW: Time = Time(1_795_420_800_000);

    fn client() -> Client {
        Client::new("test@example.se", Limits { silent: SILENT, ..Limits::default() }).unwrap()
    }

    fn dial(port: u16) -> Dial<'static> {
        let url = Url::parse(&format!("ws://127.0.0.1:{port}/stream")).unwrap();
        Dial { url, protocol: None, bearer: None, reach: Reach::Local, account: "" }
    }

    async fn listener() -> (TcpListener, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    /// Waits for the end, a moment at a time and with other things in between, as those do who listen.
    async fn end_of(socket: &mut Socket) -> Result<Option<Frame>, FetchError> {
        let begun = Instant::now();
        loop {
            tokio::select! {
                ended = socket.next() => return ended,
                () = sleep(Duration::from_millis(40)) => {}
            }
            assert!(begun.elapsed() < SILENT * 6, "it is heard for ever");
        }
    }

    #[tokio::test]
    async fn a_stream_that_says_nothing_ends_however_often_the_waiting_is_begun_again() {
        let (listener, port) = listener().await;
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let silent = tokio_tungstenite::accept_async(stream).await.unwrap();
            sleep(Duration::from_mins(1)).await;
            drop(silent);
        });
        let mut socket = client().dial(&dial(port), NOW).await.unwrap();
        let opened = socket.heard_at();
        assert_eq!(end_of(&mut socket).await, Err(FetchError::TimedOut("the next message")));
        assert!(opened.elapsed() >= SILENT && socket.heard_at() == opened);
        server.abort();
    }

    #[tokio::test]
    async fn a_frame_that_comes_a_byte_at_a_time_is_silence_until_it_is_whole() {
        let (listener, port) = listener().await;
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut slow = tokio_tungstenite::accept_async(stream).await.unwrap();
            // The head of a text of 125 bytes, and then its letters.
            slow.get_mut().write_all(&[0x81, 125]).await.unwrap();
            for _ in 0..100 {
                sleep(Duration::from_millis(60)).await;
                if slow.get_mut().write_all(b"a").await.is_err() {
                    return;
                }
            }
        });
        let mut socket = client().dial(&dial(port), NOW).await.unwrap();
        assert_eq!(end_of(&mut socket).await, Err(FetchError::TimedOut("the next message")));
        server.abort();
    }

    #[tokio::test]
    async fn a_server_that_has_nothing_to_say_but_answers_is_heard() {
        let (listener, port) = listener().await;
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut quiet = tokio_tungstenite::accept_async(stream).await.unwrap();
            while let Some(Ok(_)) = quiet.next().await {}
        });
        let mut socket = client().dial(&dial(port), NOW).await.unwrap();
        let opened = socket.heard_at();
        while opened.elapsed() < SILENT * 3 {
            tokio::select! {
                ended = socket.next() => panic!("{ended:?}"),
                () = sleep(Duration::from_millis(40)) => {}
            }
        }
        assert!(socket.heard_at() > opened + SILENT, "by our own question");
        server.abort();
    }

    /// A server that refuses each who comes with these headers, and counts them.
    async fn refusing(head: &'static str) -> (u16, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
        let (listener, port) = listener().await;
        let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = std::sync::Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut question = [0; 2_048];
                let _ = stream.read(&mut question).await;
                count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let answer = format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        (port, asked)
    }

    #[tokio::test]
    async fn a_host_that_wants_peace_has_it_from_streams_and_questions_alike() {
        let count = |asked: &std::sync::atomic::AtomicUsize| asked.load(std::sync::atomic::Ordering::SeqCst);
        let wait = Duration::from_mins(2);
        for head in ["429 Too Many Requests\r\nretry-after: 120", "503 Service Unavailable\r\nretry-after: 120"] {
            let (port, asked) = refusing(head).await;
            let client = client();
            let first = client.dial(&dial(port), NOW).await.unwrap_err();
            assert!(matches!(first, DialError::Status { rest: Some(rest), .. } if rest == wait), "{first:?}");
            let later = NOW.plus(Duration::from_mins(1));
            let second = client.dial(&dial(port), later).await.unwrap_err();
            let left = wait.checked_sub(Duration::from_mins(1)).unwrap();
            assert!(matches!(&second, DialError::Fetch(FetchError::Paused(time)) if *time == left), "{second:?}");
            let url = Url::parse(&format!("http://127.0.0.1:{port}/")).unwrap();
            let call = Call {
                url,
                how: How::Get,
                bearer: None,
                proxy: None,
                reach: Reach::Local,
                account: "",
                endpoint: "settings",
            };
            assert_eq!(client.call(&call, later).await.unwrap_err(), FetchError::Paused(left));
            assert_eq!(count(&asked), 1, "nothing is asked while it rests");
            let third = client.dial(&dial(port), NOW.plus(wait)).await.unwrap_err();
            assert!(matches!(third, DialError::Status { .. }), "{third:?}");
            assert_eq!(count(&asked), 2);
        }
        let (port, asked) = refusing("429 Too Many Requests").await;
        let client = client();
        let first = client.dial(&dial(port), NOW).await.unwrap_err();
        assert!(matches!(first, DialError::Status { status: 429, rest: None, .. }), "{first:?}");
        assert!(matches!(client.dial(&dial(port), NOW).await, Err(DialError::Status { .. })), "nothing was said");
        assert_eq!(count(&asked), 2);
    }
}
