//! The first thing that anybody sees: `lyhord demo`, as somebody with a terminal and a browser meets it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// What the terminal shows within a minute, and somewhat more for a machine that does other things as well.
const PATIENCE: Duration = Duration::from_mins(2);

#[test]
fn within_a_minute_the_demo_shows_a_post_become_a_case_a_reminder_an_answer_and_an_escalation_and_ends_when_asked() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_lyhord"))
        .arg("demo")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let mut errors = demo.stderr.take().unwrap();
    let complaints = std::thread::spawn(move || {
        let mut text = String::new();
        errors.read_to_string(&mut text).unwrap();
        text
    });
    let (said, hears) = mpsc::channel();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| said.send(line)));
    let begun = Instant::now();
    let mut wanted = vec![
        "http://127.0.0.1:",
        "hört:",
        "bedömt:",
        "öppnat",
        " till ",
        "┌ till ",
        "”Jag tar det”",
        "besvarat av",
        "bevis säkrat",
        "påmind (försenat, du är ansvarig chef)",
    ];
    let mut told = Vec::new();
    let mut page = None;
    while !wanted.is_empty() {
        let left = PATIENCE.saturating_sub(begun.elapsed());
        let Ok(line) = hears.recv_timeout(left) else {
            let _ = demo.kill();
            panic!("{wanted:?} never came:\n{}\n{}", told.join("\n"), complaints.join().unwrap());
        };
        wanted.retain(|wanted| !line.contains(wanted));
        if let Some(begin) = line.find("http://127.0.0.1:").filter(|_| page.is_none()) {
            let address = line[begin..].trim().to_owned();
            page = Some(std::thread::spawn(move || visit(&address)));
        }
        told.push(line);
    }
    assert!(page.unwrap().join().unwrap().contains("Välj lösenord"));
    let asked = Command::new("kill").args(["-INT", &demo.id().to_string()]).status().unwrap();
    assert!(asked.success());
    let ended = Instant::now();
    let status = loop {
        if let Some(status) = demo.try_wait().unwrap() {
            break status;
        }
        assert!(ended.elapsed() < Duration::from_secs(30), "it does not stop");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(status.code(), Some(0));
    let complaints = complaints.join().unwrap();
    assert!(!format!("{}{complaints}", told.join("\n")).contains("WARN"), "{complaints}");
}

/// The page behind the sign-in link, as a browser gets it.
fn visit(address: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { reqwest::get(address).await.unwrap().text().await.unwrap() })
}
