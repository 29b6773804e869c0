//! The demo's voice: prints what would have been sent, so that a person can see a day pass without an account
//! anywhere.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::AsyncWriteExt;

use super::{Channel, Chat, Message, Receipt, SendError, Tried, fence};

/// Prints messages on standard output.
#[derive(Debug, Default)]
pub struct Terminal {
    printed: AtomicU64,
}

impl Terminal {
    async fn print(&self, address: &str, message: &Message, verb: &str) -> Result<Receipt, SendError> {
        fence(Channel::Terminal, message)?;
        let number = self.printed.fetch_add(1, Ordering::Relaxed) + 1;
        let mut out = tokio::io::stdout();
        let said = picture(address, message, verb);
        let written = async {
            out.write_all(said.as_bytes()).await?;
            out.flush().await
        };
        written.await.map_err(|_| SendError::later())?;
        Ok(Receipt { external_id: number.to_string() })
    }
}

/// The message as it looks on the terminal.
fn picture(address: &str, message: &Message, verb: &str) -> String {
    let mut said = format!("┌ {verb} {address}\n");
    for line in message.text().lines() {
        let _ = writeln!(said, "│ {line}");
    }
    let labels: Vec<String> = message.buttons().iter().map(|button| format!("[{}]", button.act.label())).collect();
    let _ =
        writeln!(said, "└ {}", if labels.is_empty() { "[Öppna]".to_owned() } else { labels.join(" ") + " [Öppna]" });
    said
}

impl Chat for Terminal {
    fn channel(&self) -> Channel {
        Channel::Terminal
    }

    fn cannot(&self) -> &'static [&'static str] {
        &["Terminalen når ingen: den är till för att visa hur Lyhörd fungerar.", "Knapparna går inte att trycka på."]
    }

    async fn try_account(&self) -> Result<Tried, SendError> {
        Ok(Tried::Accepted)
    }

    async fn send(&self, address: &str, message: &Message, _key: &str) -> Result<Receipt, SendError> {
        self.print(address, message, "till").await
    }

    async fn edit(&self, address: &str, _id: &str, message: &Message, _key: &str) -> Result<Receipt, SendError> {
        self.print(address, message, "ändrat till").await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::tier::tests::{one_case, sample};
    use crate::chat::tier::{self, Occasion};
    use crate::chat::{Act, Nonce, Tier};

    #[test]
    fn the_terminal_shows_text_and_buttons() {
        let facts = sample();
        let message = tier::message(Tier::C, Occasion::Reminder, &one_case(&facts))
            .with_buttons(&[(Act::Take, Nonce::parse("AAAAAAAAAAAAAAAAAAAAAA").unwrap())]);
        let said = picture("karin", &message, "till");
        assert!(said.starts_with("┌ till karin\n│ Du har 1 ärende att hantera i Lyhörd."), "{said}");
        assert!(said.ends_with("└ [Jag tar det] [Öppna]\n"), "{said}");
    }

    #[tokio::test]
    async fn the_terminal_refuses_what_belongs_to_a_higher_tier() {
        let facts = sample();
        let message = tier::message(Tier::A, Occasion::Reminder, &one_case(&facts));
        let refused = Terminal::default().send("karin", &message, "k").await;
        assert!(matches!(refused, Err(SendError::Never(_))), "{refused:?}");
    }
}
