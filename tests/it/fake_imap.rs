//! A mail server that keeps its word until it is told not to, as RFC 3501 describes it: for what no real server does when
//! it is asked to. Strict about what may be asked of a box that is only looked at.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};

/// What goes wrong with the next question that begins so.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// It says this instead of the answer; `TAG` is ours.
    Says(&'static str),
    /// It says this and hangs up.
    Leaves(&'static str),
    /// It begins with a letter, says a byte now and then, and never comes to an end.
    Drips,
    /// Half of the answer comes, and then it hangs up.
    Cut,
    /// Every part of the answer comes twice, and in another order.
    Twice,
}

struct Letter {
    uid: u32,
    came_at: &'static str,
    text: String,
}

#[derive(Default)]
struct Inner {
    letters: Vec<Letter>,
    faults: VecDeque<(&'static str, Fault)>,
    asked: Vec<String>,
    wrong: Vec<String>,
}

/// The server.
#[derive(Clone, Default)]
pub struct FakeImap(Arc<Mutex<Inner>>);

impl FakeImap {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A letter comes. `came_at` is as IMAP writes a moment; empty when the server does not tell.
    pub fn delivers(&self, letter: &str, came_at: &'static str) {
        let mut inner = self.inner();
        let uid = u32::try_from(inner.letters.len()).unwrap() + 1;
        inner.letters.push(Letter { uid, came_at, text: letter.replace('\n', "\r\n") });
    }

    /// The next question that begins so goes wrong; several wait for their turn.
    pub fn goes_wrong(&self, question: &'static str, faults: &[Fault]) {
        self.inner().faults.extend(faults.iter().map(|fault| (question, *fault)));
    }

    /// How many questions began so.
    pub fn asked(&self, begins: &str) -> usize {
        self.inner().asked.iter().filter(|asked| asked.starts_with(begins)).count()
    }

    /// Nothing was asked that one who only looks may not ask.
    pub fn was_only_looked_at(&self) {
        assert!(self.inner().wrong.is_empty(), "{:?}", self.inner().wrong);
    }

    /// Serves on a free port until the test's runtime ends.
    pub async fn serve(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let fake = self.clone();
        tokio::spawn(async move {
            while let Ok((line, _)) = listener.accept().await {
                let fake = fake.clone();
                tokio::spawn(async move {
                    let _ = fake.converse(line).await;
                });
            }
        });
        port
    }

    async fn converse(&self, line: TcpStream) -> std::io::Result<()> {
        let (read, mut write) = line.into_split();
        let mut lines = BufReader::new(read).lines();
        write.write_all(b"* OK hej\r\n").await?;
        while let Some(line) = lines.next_line().await? {
            let (tag, question) = line.split_once(' ').unwrap_or((&line, ""));
            let (parts, fault) = self.answer(question);
            let done = format!("{tag} OK done\r\n");
            match fault {
                None if parts.is_none() => write.write_all(format!("{tag} BAD no\r\n").as_bytes()).await?,
                None => write.write_all((parts.unwrap_or_default().concat() + &done).as_bytes()).await?,
                Some(Fault::Says(said)) => write.write_all(said.replace("TAG", tag).as_bytes()).await?,
                Some(Fault::Leaves(said)) => return write.write_all(said.replace("TAG", tag).as_bytes()).await,
                Some(Fault::Drips) => return drip(&mut write).await,
                Some(Fault::Cut) => {
                    let whole = parts.unwrap_or_default().concat();
                    return write.write_all(&whole.as_bytes()[..whole.len() / 2]).await;
                }
                Some(Fault::Twice) => {
                    let parts = parts.unwrap_or_default();
                    let turned: Vec<&str> = parts.iter().rev().chain(&parts).map(String::as_str).collect();
                    write.write_all((turned.concat() + &done).as_bytes()).await?;
                }
            }
            if question == "LOGOUT" {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The parts of an answer, or nothing when the question may not be asked; and what goes wrong with it.
    fn answer(&self, question: &str) -> (Option<Vec<String>>, Option<Fault>) {
        let mut inner = self.inner();
        // A sign-in carries a secret, which is not kept.
        let kept = if question.starts_with("LOGIN") { "LOGIN" } else { question };
        inner.asked.push(kept.to_owned());
        let next = inner.faults.iter().position(|(begins, _)| question.starts_with(begins));
        let fault = next.and_then(|next| inner.faults.remove(next)).map(|(_, fault)| fault);
        let parts = parts(&inner.letters, question);
        if parts.is_none() {
            inner.wrong.push(kept.to_owned());
        }
        (parts, fault)
    }
}

async fn drip(write: &mut OwnedWriteHalf) -> std::io::Result<()> {
    write.write_all(b"* 1 FETCH (UID 1 BODY[]<0> {100000}\r\nSubject: ").await?;
    loop {
        write.write_all(b"a").await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What is answered before the end; nothing when it may not be asked.
fn parts(letters: &[Letter], question: &str) -> Option<Vec<String>> {
    let next = letters.len() + 1;
    match question {
        "CAPABILITY" => return Some(vec!["* CAPABILITY IMAP4rev1\r\n".to_owned()]),
        "NOOP" => return Some(Vec::new()),
        "LOGOUT" => return Some(vec!["* BYE hej\r\n".to_owned()]),
        _ => {}
    }
    if question.starts_with("LOGIN ") {
        return Some(Vec::new());
    }
    if question.starts_with("EXAMINE ") {
        let open = format!("* {} EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT {next}] ok\r\n", letters.len());
        return Some(vec![open]);
    }
    if let Some(wanted) = question.strip_prefix("UID SEARCH ") {
        let from = match wanted.strip_prefix("UID ") {
            Some(range) => range.strip_suffix(":*")?.parse::<u32>().ok()?,
            None => wanted.strip_prefix("SINCE ").map(|_| 1)?,
        };
        let last = letters.last().map_or(0, |letter| letter.uid);
        // `n:*` names the last letter even when it is before n.
        let found = letters.iter().filter(|letter| letter.uid >= from || letter.uid == last);
        // One line each, as a server may tell it.
        return Some(found.map(|letter| format!("* SEARCH {}\r\n", letter.uid)).collect());
    }
    let (set, what) = question.strip_prefix("UID FETCH ")?.split_once(' ')?;
    let uids: Vec<u32> = set.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
    let asked = letters.iter().filter(|letter| uids.contains(&letter.uid));
    if what == "(UID RFC822.SIZE INTERNALDATE)" {
        let told = |letter: &Letter| {
            let came_at =
                if letter.came_at.is_empty() { String::new() } else { format!(" INTERNALDATE \"{}\"", letter.came_at) };
            format!("* {0} FETCH (UID {0} RFC822.SIZE {1}{came_at})\r\n", letter.uid, letter.text.len())
        };
        return Some(asked.map(told).collect());
    }
    // Only PEEK leaves the box as it lies.
    let most: usize = what.strip_prefix("(UID BODY.PEEK[]<0.")?.strip_suffix(">)")?.parse().ok()?;
    let told = |letter: &Letter| {
        let begins = &letter.text[..letter.text.len().min(most)];
        format!("* {0} FETCH (UID {0} BODY[]<0> {{{1}}}\r\n{begins})\r\n", letter.uid, begins.len())
    };
    Some(asked.map(told).collect())
}
