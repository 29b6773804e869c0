//! Where no chat is set up, the inbox is how everybody is told, and the page about chats says so and what to do.

use lyhord::source::{Kind, Post};

use crate::channels::Stage;
use crate::harness::{ENGINES, at};
use crate::pages::{ADMIN, CHIEF};
use crate::tips::page;

const FORUM: &str = "[[source]]\nkey = \"forum\"\nname = \"Forum\"\nkind = \"feed\"\nchannel = \"forum\"\n\
    address = \"https://forum.example/feed\"\npaused = true\n";

#[tokio::test(flavor = "multi_thread")]
async fn without_a_chat_the_inbox_tells_and_nobody_is_said_to_be_reached_or_missed() {
    for engine in ENGINES {
        let stage = Stage::without_chat(engine, FORUM, at(0, 9, 0)).await;
        let post = Post {
            channel: "forum".to_owned(),
            native_id: "1".to_owned(),
            kind: Kind::Post,
            text: "Brunt vatten ur kranen hemma i Nödinge, går det att dricka?".to_owned(),
            authored_at: Some(at(0, 8, 50)),
            ..Post::default()
        };
        stage.hears("forum", &[post], &[]).await;
        stage.until(at(3, 9, 0)).await;
        assert_eq!(stage.number("select count(*) from cases where owner is not null and closed_at is null").await, 1);
        assert_eq!(stage.number("select count(*) from messages").await, 0, "nothing waits for a chat");
        assert!(stage.number("select count(*) from reminders").await > 1, "the ladder is climbed all the same");
        let inbox = page(&stage, CHIEF, "/inkorg").await;
        assert!(inbox.contains("Brunt vatten ur kranen") && inbox.contains("Påmint"), "{inbox}");
        assert!(!inbox.contains("Ingen väg till"), "no chat was ever promised: {inbox}");
        let chats = page(&stage, ADMIN, "/chattar").await;
        assert!(chats.contains("Ingen chatt är påslagen: påminnelserna står i inkorgen."), "{chats}");
        assert!(chats.contains("config/lyhord.toml, under [chat]"), "{chats}");
        assert!(!chats.contains("nås genom den") && !chats.contains("Kollegor som inte nås"), "{chats}");
        stage.ends_whole().await;
    }
}
