//! E-mail against a strict SMTP server of our own.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::chat::signed::tests::signer;
use crate::chat::tier::tests::{one_case, sample};
use crate::chat::{Act, Nonce, tier};

type Letters = Arc<Mutex<Vec<String>>>;

/// One SMTP session in the order of RFC 5321: anything out of order is 503, a long line is 500.
async fn session(stream: TcpStream, letters: Letters) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 relay\r\n").await?;
    let (mut greeted, mut from, mut to) = (false, false, false);
    while let Some(line) = lines.next_line().await? {
        let verb = line.to_uppercase();
        let reply: &[u8] = if verb.starts_with("EHLO ") {
            greeted = true;
            b"250-relay\r\n250 8BITMIME\r\n"
        } else if verb.starts_with("MAIL FROM:<LYHORD@ALE.SE>") && greeted {
            from = true;
            b"250 ok\r\n"
        } else if verb.starts_with("RCPT TO:<") && from {
            match verb.as_str() {
                _ if verb.contains("<BORTA@") => b"550 no such person borta@ale.se\r\n",
                _ if verb.contains("<FULL@") => b"452 mailbox full\r\n",
                _ if verb.contains("<FORT@") => b"450 4.7.0 too many letters, wait\r\n",
                _ => {
                    to = true;
                    b"250 ok\r\n"
                }
            }
        } else if verb == "DATA" && to {
            write.write_all(b"354 go on\r\n").await?;
            let mut letter = String::new();
            while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                assert!(line.len() <= 998, "a line longer than SMTP allows");
                letter.push_str(&line);
                letter.push('\n');
            }
            letters.lock().unwrap().push(letter);
            b"250 queued\r\n"
        } else if verb == "QUIT" {
            write.write_all(b"221 bye\r\n").await?;
            return Ok(());
        } else if verb == "RSET" || verb == "NOOP" {
            b"250 ok\r\n"
        } else {
            b"503 out of order\r\n"
        };
        write.write_all(reply).await?;
    }
    Ok(())
}

async fn email() -> (Letters, Email) {
    let letters = Letters::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let kept = Arc::clone(&letters);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(session(stream, Arc::clone(&kept)));
        }
    });
    (letters, Email::new(&account(port), signer()).unwrap())
}

fn account(port: u16) -> EmailAccount {
    EmailAccount {
        host: "127.0.0.1".into(),
        port,
        protection: Protection::None,
        login: None,
        from: "Lyhörd <lyhord@ale.se>".into(),
        domains: vec!["ale.se".into()],
        timeout: Duration::from_secs(5),
    }
}

fn message(tier: Tier, occasion: Occasion) -> Message {
    let buttons = [(Act::Take, Nonce::of([1; 16]))];
    tier::message(tier, occasion, &one_case(&sample())).with_buttons(&buttons)
}

#[tokio::test]
async fn a_letter_is_threaded_by_case_and_has_text_and_html() {
    let (letters, email) = email().await;
    let receipt = email.send("karin@ale.se", &message(Tier::A, Occasion::Reminder), "key").await.unwrap();
    let letter = letters.lock().unwrap().remove(0);
    for header in [
        format!("Message-ID: <{}>", receipt.external_id),
        "In-Reply-To: <arende-1042@ale.se>".into(),
        "References: <arende-1042@ale.se>".into(),
        "Auto-Submitted: auto-generated".into(),
        "Date: Mon, 23 Nov 2026 07:00:00 +0000".into(),
        "To: karin@ale.se".into(),
    ] {
        assert!(letter.contains(&header), "{header}\n{letter}");
    }
    assert!(letter.contains("text/plain") && letter.contains("text/html") && !letter.contains("List-Unsubscribe"));
    let subject = letter.lines().find(|line| line.starts_with("Subject: ")).unwrap();
    assert!(subject.is_ascii() && subject.contains("=?utf-8?"), "encoded, because of its å, ä and ö: {subject}");
}

#[test]
fn a_relay_that_carries_nothing_for_us_costs_nobody_her_address() {
    for ours in
        ["permanent error (554): 5.7.1 <a@b.se>: Relay access denied", "permanent error (550): 5.7.54 Unable to relay"]
    {
        assert!(denies_relay(ours), "{ours}");
    }
    for hers in
        ["permanent error (550): 5.1.1 no such person", "permanent error (550): 5.7.1 not allowed to write to her"]
    {
        assert!(!denies_relay(hers), "{hers}");
    }
}

#[tokio::test]
async fn a_digest_can_be_unsubscribed_from() {
    let (letters, email) = email().await;
    email.send("karin@ale.se", &message(Tier::A, Occasion::Digest), "key").await.unwrap();
    assert!(letters.lock().unwrap()[0].contains("List-Unsubscribe: <https://lyhord.ale.se/min-profil>"));
}

#[tokio::test]
async fn outside_our_domains_only_tier_c_is_said() {
    let (letters, email) = email().await;
    let out = email.send("karin@example.com", &message(Tier::A, Occasion::Reminder), "k").await;
    assert!(matches!(out, Err(SendError::Never(_))), "{out:?}");
    let sub = email.send("karin@ale.se.example.com", &message(Tier::B, Occasion::Reminder), "k").await;
    assert!(matches!(sub, Err(SendError::Never(_))), "{sub:?}");
    assert!(letters.lock().unwrap().is_empty());
    email.send("karin@example.com", &message(Tier::C, Occasion::Reminder), "k").await.unwrap();
    assert_eq!(letters.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_unknown_person_is_never_a_full_box_is_later_and_nobody_is_named() {
    let (_, email) = email().await;
    let gone = email.send("borta@ale.se", &message(Tier::A, Occasion::Reminder), "k").await;
    assert_eq!(gone, Err(SendError::Never("the relay refused the letter (550)".into())));
    assert_eq!(email.send("full@ale.se", &message(Tier::A, Occasion::Reminder), "k").await, Err(SendError::later()));
    let injected = email.send("a@ale.se\r\nRCPT TO:<b@ale.se>", &message(Tier::A, Occasion::Reminder), "k").await;
    assert_eq!(injected, Err(SendError::Never("not an e-mail address".into())));
}

#[tokio::test]
async fn a_relay_that_finds_us_too_fast_is_later_and_a_letter_costs_a_token() {
    let (letters, email) = email().await;
    let letter = message(Tier::A, Occasion::Reminder);
    assert_eq!(email.send("fort@ale.se", &letter, "k").await, Err(SendError::later()));
    email.bucket.take("karin@ale.se").await.unwrap();
    let early = email.send("karin@ale.se", &letter, "k").await;
    let Err(SendError::Later { retry_after: Some(wait) }) = early else { panic!("let through: {early:?}") };
    assert!(wait <= PER_PERSON && letters.lock().unwrap().is_empty(), "{wait:?}");
}

#[tokio::test]
async fn a_relay_that_does_not_answer_is_later_and_one_without_tls_gets_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let dead = Email::new(&account(port), signer()).unwrap();
    assert_eq!(dead.send("karin@ale.se", &message(Tier::A, Occasion::Reminder), "k").await, Err(SendError::later()));
    let (letters, _) = email().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let kept = Arc::clone(&letters);
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        session(stream, kept).await
    });
    let strict = Email::new(&EmailAccount { protection: Protection::StartTls, ..account(port) }, signer()).unwrap();
    let refused = strict.send("karin@ale.se", &message(Tier::A, Occasion::Reminder), "k").await;
    assert!(refused.is_err() && letters.lock().unwrap().is_empty(), "{refused:?}");
}

#[test]
fn the_buttons_of_a_letter_are_signed_links_in_text_and_html() {
    let email = Email::new(&account(25), signer()).unwrap();
    let message = message(Tier::A, Occasion::Reminder);
    let link = signer().link(Act::Take, &Nonce::of([1; 16]), message.said_at());
    assert!(email.text(&message).contains(&format!("Jag tar det:\n{link}")));
    let page = email.page(message.html().unwrap(), &message);
    assert!(page.contains(&format!("<a href=\"{link}\">Jag tar det</a>")) && !page.contains("<img"), "no tracking");
}
