//! A web socket to a stream: the same checks of addresses as for all else that is read, bounded messages, and no silence
//! that lasts for ever.

use std::time::Duration;

use axum::body::Bytes;
use futures::{SinkExt, StreamExt};
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderValue, SEC_WEBSOCKET_PROTOCOL, USER_AGENT};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use super::{Client, FetchError, Reach};

/// The largest message that is taken: ten times the largest post.
const MESSAGE_MAX: usize = 512 * 1024;
/// A stream that has said nothing, not even a ping, for so long is cut. Servers ping every half minute.
const SILENT_MAX: Duration = Duration::from_secs(90);

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
    },
    /// There was no answer.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

/// A stream that is open.
#[derive(Debug)]
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// A message of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Text.
    Text(Bytes),
    /// Bytes, as compressed streams send them.
    Binary(Bytes),
}

impl Client {
    /// Opens a stream.
    ///
    /// # Errors
    /// [`DialError`]: what the server said, or that it said nothing.
    pub async fn dial(&self, dial: &Dial<'_>) -> Result<Socket, DialError> {
        let mut plain = dial.url.clone();
        // The checks know web addresses; a stream lives at one.
        let scheme = if dial.url.scheme() == "wss" { "https" } else { "http" };
        let _ = plain.set_scheme(scheme);
        let host = self.checked(&plain, dial.reach)?;
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
            Ok(Ok((stream, _))) => Ok(Socket(stream)),
            Ok(Err(Error::Http(response))) => {
                let status = response.status().as_u16();
                Err(DialError::Status { status, body: response.into_body().unwrap_or_default().into() })
            }
            Ok(Err(fault)) => Err(no_stream(&fault)),
        }
    }
}

fn no_stream(fault: &Error) -> DialError {
    FetchError::Unreachable(fault.to_string()).into()
}

impl Socket {
    /// The next message; nothing when the server has closed the stream in good order.
    ///
    /// # Errors
    /// When the stream broke, was silent for too long, or sent more than we take.
    pub async fn next(&mut self) -> Result<Option<Frame>, FetchError> {
        loop {
            let message =
                timeout(SILENT_MAX, self.0.next()).await.map_err(|_| FetchError::TimedOut("the next message"))?;
            match message {
                None | Some(Ok(Message::Close(_))) => return Ok(None),
                Some(Ok(Message::Text(text))) => return Ok(Some(Frame::Text(text.into()))),
                Some(Ok(Message::Binary(bytes))) => return Ok(Some(Frame::Binary(bytes))),
                // A pong is queued by the library and goes out with this.
                Some(Ok(_)) => self.0.flush().await.map_err(|fault| FetchError::Unreachable(fault.to_string()))?,
                Some(Err(Error::Capacity(_))) => return Err(FetchError::TooLarge(MESSAGE_MAX)),
                Some(Err(fault)) => return Err(FetchError::Unreachable(fault.to_string())),
            }
        }
    }

    /// Says something, as streams that are subscribed to want it.
    ///
    /// # Errors
    /// When the stream has broken.
    pub async fn say(&mut self, text: &str) -> Result<(), FetchError> {
        let said = timeout(Duration::from_secs(5), self.0.send(Message::text(text))).await;
        said.map_err(|_| FetchError::TimedOut("what we say"))?
            .map_err(|fault| FetchError::Unreachable(fault.to_string()))
    }

    /// Says good-bye, so that the server need not wait for a silence.
    pub async fn close(mut self) {
        let _ = timeout(Duration::from_secs(1), self.0.close(None)).await;
    }
}
