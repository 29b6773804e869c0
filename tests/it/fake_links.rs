//! The two services whose buttons are links: a Workflows hook for Teams, and an SMTP relay. Both as strict as the real
//! ones where it matters to us.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The largest message that Teams takes.
const CARD_MAX: usize = 28 * 1024;

#[derive(Default)]
struct Flow {
    cards: Vec<Value>,
    down: bool,
    turned_away: usize,
}

#[derive(Clone, Default)]
pub struct FakeTeams(Arc<Mutex<Flow>>);

impl FakeTeams {
    pub fn cards(&self) -> Vec<Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).cards.clone()
    }

    pub fn down(&self, down: bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).down = down;
    }

    /// Requests that were turned away while it was down.
    pub fn turned_away(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).turned_away
    }
}

pub fn teams(fake: FakeTeams) -> Router {
    Router::new().route("/workflows/1/triggers/manual/paths/invoke", post(flow)).with_state(fake)
}

async fn flow(State(fake): State<FakeTeams>, RawQuery(query): RawQuery, headers: HeaderMap, body: Bytes) -> Response {
    let mut flow = fake.0.lock().unwrap_or_else(PoisonError::into_inner);
    if flow.down {
        flow.turned_away += 1;
        return StatusCode::BAD_GATEWAY.into_response();
    }
    if query.as_deref() != Some("api-version=1&sig=hemlig") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let json = headers.get("content-type").is_some_and(|kind| kind == "application/json");
    let Ok(sent) = serde_json::from_slice::<Value>(&body) else { return StatusCode::BAD_REQUEST.into_response() };
    let attachment = &sent["attachments"][0];
    let card = &attachment["content"];
    let text =
        |block: &Value| block["type"] == "TextBlock" && block["text"].as_str().is_some_and(|text| !text.is_empty());
    let link = |action: &Value| {
        action["type"] == "Action.OpenUrl" && action["url"].as_str().is_some_and(|url| url.starts_with("https://"))
    };
    let fits = json
        && body.len() <= CARD_MAX
        && sent["type"] == "message"
        && attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
        && card["type"] == "AdaptiveCard"
        && card["version"] == "1.5"
        && card["body"].as_array().is_some_and(|blocks| !blocks.is_empty() && blocks.iter().all(text))
        && card["actions"].as_array().is_some_and(|actions| actions.len() <= 6 && actions.iter().all(link));
    if !fits {
        return StatusCode::BAD_REQUEST.into_response();
    }
    flow.cards.push(card.clone());
    StatusCode::ACCEPTED.into_response()
}

#[derive(Default)]
struct Relay {
    letters: Vec<String>,
    down: bool,
}

#[derive(Clone, Default)]
pub struct FakeSmtp(Arc<Mutex<Relay>>);

impl FakeSmtp {
    /// Each letter with its headers, its quoted-printable parts read.
    pub fn letters(&self) -> Vec<String> {
        let letters = self.0.lock().unwrap_or_else(PoisonError::into_inner).letters.clone();
        letters.iter().map(|letter| read(letter)).collect()
    }

    pub fn down(&self, down: bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).down = down;
    }

    /// Serves on a free port of this machine.
    pub async fn serve(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let fake = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(session(stream, fake.clone()));
            }
        });
        port
    }
}

/// Quoted-printable to text: `=\n` joins lines, `=C3=B6` is a byte.
fn read(letter: &str) -> String {
    let joined = letter.replace("=\n", "");
    let (mut bytes, mut rest) = (Vec::new(), joined.as_bytes());
    while let Some((first, more)) = rest.split_first() {
        let hex = more.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'=');
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &more[2..] } else { more };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn session(stream: TcpStream, fake: FakeSmtp) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    if fake.0.lock().unwrap_or_else(PoisonError::into_inner).down {
        return write.write_all(b"421 closing\r\n").await;
    }
    write.write_all(b"220 relay\r\n").await?;
    let (mut greeted, mut from, mut to) = (false, false, false);
    while let Some(line) = lines.next_line().await? {
        let verb = line.to_uppercase();
        let reply: &[u8] = if fake.0.lock().unwrap_or_else(PoisonError::into_inner).down {
            b"421 closing\r\n"
        } else if verb.starts_with("EHLO ") {
            greeted = true;
            b"250-relay\r\n250 8BITMIME\r\n"
        } else if verb.starts_with("MAIL FROM:<LYHORD@ALE.SE>") && greeted {
            from = true;
            b"250 ok\r\n"
        } else if verb.starts_with("RCPT TO:<BORTA@") && from {
            b"550 5.1.1 no such person\r\n"
        } else if verb.starts_with("RCPT TO:<") && from {
            to = true;
            b"250 ok\r\n"
        } else if verb == "DATA" && to {
            write.write_all(b"354 go on\r\n").await?;
            let mut letter = String::new();
            while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                assert!(line.len() <= 998, "a line longer than SMTP allows");
                letter.push_str(&line);
                letter.push('\n');
            }
            fake.0.lock().unwrap_or_else(PoisonError::into_inner).letters.push(letter);
            b"250 queued\r\n"
        } else if verb == "QUIT" {
            return write.write_all(b"221 bye\r\n").await;
        } else if verb == "RSET" || verb == "NOOP" {
            (from, to) = (false, false);
            b"250 ok\r\n"
        } else {
            b"503 out of order\r\n"
        };
        write.write_all(reply).await?;
    }
    Ok(())
}
