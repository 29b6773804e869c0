//! Who is told of a case, when, and in which chat, while one of the chats stops working.

use lyhord::classification::Urgency;
use lyhord::journal;

use crate::chats::{SIXTEN, with_telegram_and_email};
use crate::desk::clock;
use crate::fake_telegram::Fault;
use crate::harness::{ENGINES, at};

#[tokio::test(flavor = "multi_thread")]
async fn the_timetable_over_a_weekend_says_in_which_chat_each_was_told() {
    let mut told = Vec::new();
    for engine in ENGINES {
        let (telegram, _relay, stage) = with_telegram_and_email(engine).await;
        stage.until(at(4, 15, 0)).await;
        stage.bind(SIXTEN, "telegram", "1000").await;
        stage.bind(SIXTEN, "email", "sixten@ale.se").await;
        stage.bind("hilda-pahittfors", "telegram", "1001").await;
        stage.bind("rut-exempelgren", "email", "rut@ale.se").await;
        telegram.start(1000);
        telegram.start(1001);
        // Due on Monday at nine.
        stage.case_of(Urgency::Normal, 66).await;
        stage.until(at(4, 16, 0)).await;
        // She blocks the bot: an edit of what stands there fails too.
        for _ in 0..8 {
            telegram.fault(1000, Fault::Blocked);
        }
        stage.until(at(7, 15, 0)).await;
        let mut tx = stage.app().db.read().await.unwrap();
        let said =
            journal::after(&mut tx, 0, 10_000).await.unwrap().into_iter().filter(|entry| entry.kind == "reminder.said");
        let line = |entry: journal::Entry| {
            let body = entry.json();
            let of = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
            format!("{} {} by {}: {}", clock(entry.at), of("to"), of("voice"), of("stage"))
        };
        let mut lines: Vec<String> = said.map(line).collect();
        lines.sort_by_key(|line| (line.get(4..15).map(str::to_owned), line.clone()));
        drop(tx);
        told.push(lines.join("\n"));
        stage.running.stop().await;
    }
    assert_eq!(told[0], told[1], "the same on both databases");
    insta::assert_snapshot!(told[0], @r"
    Fri 27/11 15:00 sixten-prov by telegram: notice
    Fri 27/11 16:15 sixten-prov by email: due-soon
    Mon 30/11 08:30 sixten-prov by email: due-close
    Mon 30/11 09:00 sixten-prov by email: due
    Mon 30/11 11:00 hilda-pahittfors by telegram: deputy
    Mon 30/11 11:00 sixten-prov by email: overdue
    Mon 30/11 13:00 rut-exempelgren by email: manager
    ");
}
