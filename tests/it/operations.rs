//! What an operator does on the command line, as a new user would.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use lyhord::app::App;
use lyhord::clock::Clock;
use lyhord::config::Retention;
use lyhord::db::{Db, newest_known};
use lyhord::id::CaseId;
use lyhord::jobs::purge::{PurgeError, purge};
use lyhord::mention::keep_store::NewMention;
use lyhord::reminder::Stage;
use lyhord::response::acts;
use lyhord::source::store::Named;
use lyhord::{mention, on, source};

use crate::desk::{Desk, Matter};
use crate::harness::{ENGINES, at, database, kept};
use crate::running::config;

const SERVICE: &str = "[municipality]\nname = \"Ale kommun\"\ncontact = \"x\"\nbase_url = \"http://localhost/\"\n";

fn lyhord(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lyhord"))
        .args([
            "--config",
            &folder.display().to_string(),
            "--database",
            &format!("sqlite:{}/l.sqlite", folder.display()),
        ])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn shipped() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in lyhord::config::FILES {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name);
        std::fs::copy(from, folder.path().join(name)).unwrap();
    }
    folder
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn without_a_token_for_telegram_the_service_starts_and_its_log_says_where_reminders_stand() {
    let folder = shipped();
    let mut child = Command::new(env!("CARGO_BIN_EXE_lyhord"))
        .arg("web")
        .env("LYHORD_CONFIG", folder.path())
        .env("LYHORD_DATABASE", format!("sqlite:{}/l.sqlite", folder.path().display()))
        .env("LYHORD_LISTEN", "127.0.0.1:0")
        .env_remove("TELEGRAM_TOKEN")
        .env_remove("LYHORD_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        said.push(line.unwrap());
        if said.last().is_some_and(|line| line.contains("pages are served")) {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let has = |words: &str| said.iter().any(|line| line.contains("WARN") && line.contains(words));
    assert!(has("Telegram is off: the environment variable TELEGRAM_TOKEN is not set or empty"), "{said:#?}");
    assert!(has("no chat is configured: reminders stand in the inbox only"), "{said:#?}");
    assert!(said.iter().any(|line| line.contains("pages are served")), "and it is there all the same: {said:#?}");
}

#[test]
fn the_shipped_configuration_is_without_fault() {
    let folder = shipped();
    let said = lyhord(folder.path(), &["check"]);
    assert!(said.status.success(), "{}", text(&said));
}

#[test]
fn every_fault_is_said_at_once_with_file_line_and_the_nearest_name() {
    let folder = shipped();
    let append = |name: &str, line: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("{}\n{line}\n", std::fs::read_to_string(&path).unwrap())).unwrap();
    };
    append(
        "sources.toml",
        "[[source]]\nkey = \"x\"\nname = \"X\"\nkind = \"fed\"\naddress = \"https://example.se/\"\nintervall_minutes = 30",
    );
    append("lyhord.toml", "[databas]\naddress = \"sqlite:x\"");
    let said = lyhord(folder.path(), &["check"]);
    let text = text(&said);
    assert_eq!(said.status.code(), Some(1), "{text}");
    for expected in [
        "sources.toml:",
        "did you mean `feed`",
        "did you mean `interval_minutes`",
        "lyhord.toml:",
        "did you mean `database`",
    ] {
        assert!(text.contains(expected), "{expected} is missing in:\n{text}");
    }
}

#[test]
fn the_way_and_the_time_are_told_before_anything_happens() {
    let folder = shipped();
    let way = text(&lyhord(folder.path(), &["route", "Brunt vatten i kranen i Nödinge, är det farligt?", "--explain"]));
    assert!(way.contains("VA-enheten") && way.contains("Första svar senast"), "{way}");
    assert!(way.contains("Frånvaro och belastning är inte kända"), "{way}");
    assert!(!folder.path().join("l.sqlite").exists(), "a question makes no database");
    let due = text(&lyhord(folder.path(), &["due", "--from", "2026-11-20T15:00:00+01:00", "--hours", "4", "--json"]));
    assert!(due.contains("\"due_at\":\"2026-11-23T10:30:00+01:00\""), "{due}");
    let days =
        text(&lyhord(folder.path(), &["due", "--from", "2026-03-27T15:00:00+01:00", "--working-days", "1", "--json"]));
    assert!(days.contains("\"due_at\":\"2026-03-30T15:00:00+02:00\""), "{days}");
    let wrong = lyhord(
        folder.path(),
        &["due", "--from", "2026-11-20T15:00:00+01:00", "--hours", "4", "--calendar", "kontaktcentr"],
    );
    assert!(text(&wrong).contains("did you mean `kontaktcenter`"), "{}", text(&wrong));
}

#[test]
fn a_feed_is_printed_as_one_object_a_line() {
    let folder = shipped();
    let feed = folder.path().join("feed.xml");
    std::fs::write(&feed, "<rss version=\"2.0\"><channel><title>T</title><language>sv</language><item><guid>https://a.se/1</guid><link>https://a.se/1</link><title>Brunt vatten</title><description>&lt;p&gt;I &lt;b&gt;Nol&lt;/b&gt;&lt;/p&gt;</description><pubDate>Mon, 23 Nov 2026 08:00:00 +0100</pubDate></item></channel></rss>").unwrap();
    let said = lyhord(folder.path(), &["feed", &feed.display().to_string(), "--json"]);
    let line: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(line["id"], "https://a.se/1");
    assert_eq!((line["title"].as_str(), line["text"].as_str()), (Some("Brunt vatten"), Some("I Nol")));
    assert_eq!((line["published_at"].as_str(), line["language"].as_str()), (Some("2026-11-23T07:00:00Z"), Some("sv")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_says_all_that_it_knows_of_a_post_the_same_from_a_file_and_an_address() {
    const ATOM: &str = "<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"sv\"><title>T</title><id>tag:a.se,2026:f</id>\
        <updated>2026-11-23T09:30:00+01:00</updated><entry><id>tag:a.se,2026:1</id><title>Brunt vatten</title>\
        <link rel=\"alternate\" href=\"https://a.se/1\"/><author><name>Redaktionen</name></author>\
        <published>2026-11-23T08:00:00+01:00</published><updated>2026-11-23T09:30:00+01:00</updated>\
        <content type=\"html\">&lt;p&gt;I &lt;b&gt;Nol&lt;/b&gt;&lt;/p&gt;</content></entry></feed>";
    let folder = shipped();
    let file = folder.path().join("feed.atom");
    std::fs::write(&file, ATOM).unwrap();
    let kind = ("content-type", "application/atom+xml; charset=utf-8");
    let site = axum::Router::new().route("/feed", axum::routing::get(move || async move { ([kind], ATOM) }));
    let url = format!("http://{}/feed", crate::fake_feed::serve(site).await);
    for arguments in [vec!["feed", file.to_str().unwrap(), "--json"], vec!["feed", &url, "--json", "--local"]] {
        let said = lyhord(folder.path(), &arguments);
        assert_eq!(said.status.code(), Some(0), "{}", text(&said));
        let expected = serde_json::json!({
            "id": "tag:a.se,2026:1", "url": "https://a.se/1", "title": "Brunt vatten", "author": "Redaktionen",
            "published_at": "2026-11-23T07:00:00Z", "updated_at": "2026-11-23T08:30:00Z", "text": "I Nol",
            "language": "sv",
        });
        assert_eq!(objects(&said), [expected], "{arguments:?}");
    }
    let inner = lyhord(folder.path(), &["feed", &url, "--json"]);
    assert_eq!((inner.status.code(), inner.stdout.as_slice()), (Some(1), &b""[..]), "{}", text(&inner));
}

#[test]
fn exit_codes_are_as_help_says() {
    let folder = shipped();
    let help = text(&lyhord(folder.path(), &["--help"]));
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in ["Exit codes: 0 done", "1 something was found wrong", "2 the command line is not understood", "3 the"] {
        assert!(words.contains(said), "{said} is missing in {help}");
    }
    let page = folder.path().join("page.html");
    std::fs::write(&page, "<!doctype html><html><body>Ingen ström</body></html>").unwrap();
    let absent = folder.path().join("absent.xml");
    let (page, absent) = (page.to_str().unwrap(), absent.to_str().unwrap());
    for (arguments, code) in [
        (vec!["--help"], 0),
        (vec!["feed", page, "--json"], 1),
        (vec!["feed", absent, "--json"], 1),
        (vec!["feed", "http://127.0.0.1:1/feed", "--local"], 1),
        (vec!["feed"], 2),
        (vec!["feed", page, "--jsno"], 2),
        (vec!["fed", page], 2),
    ] {
        let said = lyhord(folder.path(), &arguments);
        assert_eq!(said.status.code(), Some(code), "{arguments:?}: {}", text(&said));
        assert!(code == 0 || (said.stdout.is_empty() && !said.stderr.is_empty()), "{arguments:?}: {}", text(&said));
    }
}

#[test]
fn a_database_that_nobody_answers_for_is_told_with_its_place_and_without_its_password() {
    let folder = shipped();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = Command::new(env!("CARGO_BIN_EXE_lyhord"))
        .args(["--config", &folder.path().display().to_string()])
        .args(["--database", &format!("postgres://lyhord:hemligt@{nobody}/ale"), "journal", "verify"])
        .output()
        .unwrap();
    assert_eq!(said.status.code(), Some(3), "{}", text(&said));
    assert!(text(&said).contains(&format!("the database at {nobody}/ale cannot be reached")), "{}", text(&said));
    assert!(text(&said).contains("LYHORD_DATABASE") && !text(&said).contains("hemligt"), "{}", text(&said));
}

/// In the log of whoever starts it: what is wrong, both versions, and the ways out; and nothing is changed.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_older_than_its_database_says_so_and_ends_with_its_exit_code() {
    let folder = shipped();
    for engine in ENGINES {
        let database = database(engine);
        let db = Db::open(&database.address, 4).await.unwrap();
        let newest = newest_known(db.engine());
        let mut tx = db.write().await.unwrap();
        let sql = "update _sqlx_migrations set version = 9999 where version = $1";
        on!(tx, c => sqlx::query(sql).bind(newest).execute(c).await.map(|_| ())).unwrap();
        tx.commit().await.unwrap();
        db.close().await;
        for arguments in [&[][..], &["web"], &["work"], &["remind", "--dry-run"]] {
            let refused = Command::new(env!("CARGO_BIN_EXE_lyhord"))
                .args(["--config", &folder.path().display().to_string(), "--database", &database.address])
                .args(["--listen", "127.0.0.1:0"])
                .args(arguments)
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let said = text(&refused);
            assert_eq!(refused.status.code(), Some(3), "{arguments:?}: {said}");
            for part in ["newer than this program", "9999", &newest.to_string(), "start the newer version", "backup"] {
                assert!(said.contains(part), "{part} is missing in {arguments:?}: {said}");
            }
        }
    }
}

#[test]
fn imported_posts_are_kept_once_and_a_faulty_line_is_said_with_its_number() {
    let folder = shipped();
    let file = folder.path().join("posts.ndjson");
    let post = |id: u32, text: &str| {
        format!("{{\"id\":\"{id}\",\"text\":\"{text}\",\"authored_at\":\"2026-11-20T08:00:00+01:00\"}}\n")
    };
    std::fs::write(
        &file,
        post(1, "Brunt vatten i kranen i Nödinge?") + &post(2, "En pale ale på krogen") + "{\"id\":3}\n",
    )
    .unwrap();
    let path = file.display().to_string();
    let first = lyhord(folder.path(), &["import", &path]);
    assert_eq!(first.status.code(), Some(1));
    assert!(text(&first).contains("posts.ndjson:3:") && text(&first).contains("1 är nya"), "{}", text(&first));
    let second = text(&lyhord(folder.path(), &["import", &path]));
    assert!(second.contains("0 är nya"), "{second}");
    let verified = lyhord(folder.path(), &["journal", "verify"]);
    assert!(verified.status.success() && text(&verified).contains("Kedjan håller"), "{}", text(&verified));
    let dry = text(&lyhord(folder.path(), &["remind", "--dry-run"]));
    assert!(dry.contains("Inget ärende väntar"), "{dry}");
}

/// Runs a command with lines on its standard input.
fn with_lines(folder: &Path, arguments: &[&str], lines: &str) -> Output {
    use std::io::Write as _;
    let mut child = Command::new(env!("CARGO_BIN_EXE_lyhord"))
        .args(["--config", &folder.display().to_string()])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn objects(output: &Output) -> Vec<serde_json::Value> {
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn lines_are_judged_in_order_and_a_faulty_one_is_said_with_its_number() {
    let folder = shipped();
    let posts = "{\"id\":1,\"text\":\"Brunt vatten i kranen i Nödinge?\",\"channel\":\"facebook-grupp\"}\n{\"id\":2}\n\
        trasig\n{\"id\":4,\"text\":\"En kall pale ale på puben\",\"lang\":\"sv\"}\n";
    for command in ["match", "classify"] {
        let said = with_lines(folder.path(), &[command, "--json"], posts);
        let answers = objects(&said);
        assert_eq!(said.status.code(), Some(1), "{}", text(&said));
        assert_eq!(answers.iter().map(|one| one["id"].as_i64()).collect::<Vec<_>>(), [Some(1), Some(4)]);
        assert_eq!((answers[0]["relevant"].as_str(), answers[1]["relevant"].as_str()), (Some("yes"), Some("no")));
        assert!(answers.iter().all(|one| one["because"].is_array()));
        let errors = String::from_utf8_lossy(&said.stderr);
        assert!(errors.contains("line 2: ") && errors.contains("line 3: ") && errors.contains("expected"), "{errors}");
    }
    let pairs = "{\"id\":1,\"a\":\"När plogas det i Nol?\",\"b\":\"När plogas det i Surte?\"}\nfel\n\
        {\"id\":2,\"a\":\"Lampan är släckt\",\"b\":\"lampan är SLÄCKT!\"}\n";
    let said = with_lines(folder.path(), &["similar", "--json"], pairs);
    let same: Vec<_> = objects(&said).iter().map(|one| one["same"].as_bool()).collect();
    assert_eq!((said.status.code(), same), (Some(1), vec![Some(false), Some(true)]), "{}", text(&said));
}

#[test]
fn plain_lines_are_answered_in_readable_swedish() {
    let folder = shipped();
    let post = "Brunt vatten i kranen i Nödinge, är det farligt?\n\nEn pale ale på puben\n";
    let heard = with_lines(folder.path(), &["match"], post);
    let said = text(&heard);
    assert!(heard.status.success() && said.starts_with("ja") && said.contains("\nnej"), "{said}");
    let judged = with_lines(folder.path(), &["classify"], post);
    let said = text(&judged);
    assert!(
        judged.status.success() && said.contains("om oss; Vatten och avlopp; ") && said.contains("; ton "),
        "{said}"
    );
    let pair = with_lines(folder.path(), &["similar"], "När plogas det i Nol?\tNär plogas det i Surte?\nbara en\n");
    let said = text(&pair);
    assert!(pair.status.code() == Some(1) && said.contains("olika  0.") && said.contains("line 2: "), "{said}");
}

#[test]
fn each_line_is_answered_before_the_next_one_is_written() {
    use std::io::{BufRead as _, Write as _};
    let folder = shipped();
    let mut child = Command::new(env!("CARGO_BIN_EXE_lyhord"))
        .args(["--config", &folder.path().display().to_string(), "match", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to = child.stdin.take().unwrap();
    let mut from = std::io::BufReader::new(child.stdout.take().unwrap());
    for n in 0..3 {
        writeln!(to, "{{\"id\":{n},\"text\":\"Ale kommun svarar inte\"}}").unwrap();
        let mut answer = String::new();
        from.read_line(&mut answer).unwrap();
        assert!(answer.contains(&format!("\"id\":{n}")), "{answer}");
    }
    drop(to);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_rule_is_tried_over_history_and_a_faulty_one_is_pointed_at() {
    let folder = shipped();
    let file = folder.path().join("posts.ndjson");
    let post = |id: u32, text: &str| {
        format!("{{\"id\":\"{id}\",\"text\":\"{text}\",\"authored_at\":\"2026-11-20T08:00:00+01:00\"}}\n")
    };
    std::fs::write(&file, post(1, "Brunt vatten i kranen i Nödinge?") + &post(2, "Lampan i Alafors är släckt"))
        .unwrap();
    lyhord(folder.path(), &["import", &file.display().to_string()]);
    let tried = lyhord(folder.path(), &["match", "--rule", "vatten AND nödinge", "--history"]);
    let said = text(&tried);
    assert!(tried.status.success() && said.contains("Hör 1 av 2 sparade omnämnanden."), "{said}");
    assert!(said.contains("ännu inte bedömda") && !said.contains("kranen"), "what is not judged is not shown: {said}");
    let json = lyhord(folder.path(), &["match", "--rule", "vatten", "--history", "--json"]);
    assert_eq!((objects(&json)[0]["heard"].as_i64(), objects(&json)[0]["of"].as_i64()), (Some(1), Some(2)));
    let wrong = lyhord(folder.path(), &["match", "--rule", "vatten AND (nol", "--history"]);
    assert!(
        wrong.status.code() == Some(1) && text(&wrong).contains('\n') && text(&wrong).contains('^'),
        "{}",
        text(&wrong)
    );
    let person = lyhord(folder.path(), &["match", "--rule", "\"Anna Svensson\" AND ale"]);
    assert!(person.status.code() == Some(1) && text(&person).contains("REF-01"), "{}", text(&person));
}

#[test]
#[cfg_attr(debug_assertions, ignore = "minutes without optimisation: `tests/run --long` runs it with --release")]
fn the_judge_reports_precision_recall_confusion_and_calibration_after_the_whole_seed() {
    let folder = shipped();
    let said = lyhord(folder.path(), &["judge", "report"]);
    let told = text(&said);
    assert!(said.status.success(), "{told}");
    for part in ["Gäller oss: F1 0.9", "topic: makro-F1 0.", "  precision ", "återfunna", " togs för ", "säkerhet 0."]
    {
        assert!(told.contains(part), "{part} is missing: {told}");
    }
}

#[test]
fn the_judge_is_measured_on_posts_of_ones_own_and_a_line_that_cannot_be_used_is_told() {
    let folder = shipped();
    let (posts, file) = (folder.path().join("egna.jsonl"), "egna.jsonl");
    let report = || {
        let path = posts.to_string_lossy().into_owned();
        lyhord(folder.path(), &["judge", "report", "--posts", &path])
    };
    let leak =
        r#"{"text":"Vattenläcka på Byvägen i Nödinge, det forsar","channel":"facebook","relevant":true,"topic":"va"}"#;
    let beer = r#"{"text":"Provade en fantastisk pale ale i Göteborg","channel":"x","relevant":false}"#;
    let tone = r#"{"text":"Vilken underbar kväll ❤️","sentiment":"pos"}"#;
    std::fs::write(&posts, [leak, beer, tone].join("\n")).unwrap();
    let said = report();
    let told = text(&said);
    assert!(said.status.success() && told.contains(file), "{told}");
    for part in ["bedömts: 3", "Gäller oss: F1 1.000, andel avvisade av de andra 1.000", "topic: makro-F1 1", "pos "]
    {
        assert!(told.contains(part), "{part} is missing: {told}");
    }
    assert!(!told.contains("Akuta") && !told.contains("intent"), "nothing is told of what has no label: {told}");

    let wrong = ["{", r#"{"text":"Brunt vatten"}"#, r#"{"text":"Brunt vatten","topic":"vatten"}"#, leak].join("\n");
    std::fs::write(&posts, wrong).unwrap();
    let said = report();
    let told = text(&said);
    assert!(said.status.code() == Some(1) && told.contains("bedömts: 1"), "what can be used is used: {told}");
    assert!(told.contains("Gäller oss: F1 1.000\n"), "and nothing of foreign posts, as there are none: {told}");
    for part in ["line 1: ", "line 2: the post has no label", "line 3: `vatten` is not a topic", r#"expected {"text""#]
    {
        assert!(told.contains(part), "{part} is missing: {told}");
    }
    std::fs::remove_file(&posts).unwrap();
    let said = report();
    assert!(!said.status.success() && text(&said).contains("egna.jsonl cannot be read"), "{}", text(&said));
}

/// How much there is of all that a reminder can leave behind.
async fn left_behind(desk: &Desk) -> Vec<i64> {
    let mut counts = Vec::new();
    for sql in [
        "select count(*) from reminders",
        "select count(*) from messages",
        "select count(*) from journal",
        "select count(*) from promise_events",
        "select cast(coalesce(sum(revision), 0) as bigint) from cases",
        "select cast(coalesce(sum(next_look_at), 0) as bigint) from cases",
    ] {
        counts.push(desk.number(sql).await);
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_who_would_be_told_and_why_others_are_not_and_writes_nothing() {
    let folder = shipped();
    for engine in ENGINES {
        let mut desk = Desk::open(engine, at(0, 9, 0), |_| {}).await;
        let mut cases = Vec::new();
        for _ in 0..3 {
            cases.push(desk.opens(Matter::default()).await);
            desk.until(desk.now().plus(Duration::from_mins(20))).await;
        }
        // Of the three one is to be told of soon, one is acknowledged and one has time left.
        let second = desk.row(cases[1]).await.owner.unwrap();
        let mut tx = desk.running.app.db.write().await.unwrap();
        acts::acknowledge(&mut tx, &second, cases[1], None, desk.now()).await.unwrap();
        tx.commit().await.unwrap();
        desk.until(at(0, 11, 0)).await;
        let before = left_behind(&desk).await;
        let then = at(0, 13, 15);
        let run = |arguments: &[&str]| {
            let said = Command::new(env!("CARGO_BIN_EXE_lyhord"))
                .args(["--config", &folder.path().display().to_string()])
                .args(["--database", &desk.running.app.config.database])
                .args(arguments)
                .stdin(Stdio::null())
                .output()
                .unwrap();
            assert!(said.status.success(), "{}", text(&said));
            String::from_utf8_lossy(&said.stdout).into_owned()
        };
        let said = run(&["remind", "--dry-run", "--at", &then.to_string()]);
        assert_eq!(left_behind(&desk).await, before, "nothing was written");
        let way = run(&["route", "Brunt vatten i Nödinge! Vet kommunen om det, och när blir det rent igen?"]);
        assert!(way.contains("Hilda Påhittfors") && way.contains("(1 av 15 ärenden)"), "{way}");
        assert!(!way.contains("inte kända"), "{way}");

        // What it said is what the job then does.
        let known = sent(&desk, &cases).await;
        desk.until(then).await;
        let organisation = Arc::clone(&desk.running.app.config.organisation);
        let told: Vec<String> = sent(&desk, &cases)
            .await
            .iter()
            .filter(|row| !known.contains(row))
            .map(|(case, who, stage)| {
                let stage = Stage::from_slug(stage).unwrap().swedish();
                format!("Ärende {case}: {} får veta: {stage}", organisation.name_of_staff(who))
            })
            .collect();
        assert_eq!(told, ["Ärende 1: Sixten Prov får veta: Ska snart vara besvarat"]);
        let mut expected = told;
        for case in &cases {
            expected.push(format!("Ärende {case}: {}", desk.row(*case).await.hold.unwrap()));
        }
        let mut said: Vec<&str> = said.lines().collect();
        said.sort_unstable();
        expected.sort_unstable();
        assert_eq!(said, expected);
        desk.stop().await;
    }
}

/// What has been decided about these cases: which, whom and what.
async fn sent(desk: &Desk, cases: &[CaseId]) -> Vec<(CaseId, String, String)> {
    let mut tx = desk.running.app.db.read().await.unwrap();
    let rows = lyhord::reminder::store::of_cases(&mut tx, cases).await.unwrap();
    rows.into_iter().map(|row| (row.case_id, row.recipient, row.stage)).collect()
}

#[test]
fn nobody_is_invited_who_does_not_work_here() {
    let folder = shipped();
    let said = lyhord(folder.path(), &["invite", "nobody-at-all"]);
    assert_eq!(said.status.code(), Some(3), "{}", text(&said));
}

/// REF-14: without a decision nothing goes, and the command says so with its exit code.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_purged_without_a_decision() {
    let folder = shipped();
    let said = lyhord(folder.path(), &["purge"]);
    assert_eq!(said.status.code(), Some(1), "{}", text(&said));
    assert!(text(&said).contains("retention class R1 has no decision"), "{}", text(&said));
    for engine in ENGINES {
        let database = database(engine);
        let app = App::open(config(SERVICE, "", &database.address), Clock::manual(at(0, 8, 0))).await.unwrap();
        let then = at(0, 8, 0).minus(Duration::from_hours(100 * 24));
        let mut tx = app.db.write().await.unwrap();
        let source = source::store::the_import(&mut tx, &Named::import(), then).await.unwrap();
        let new = NewMention {
            source_id: Some(source),
            channel: "import",
            native_id: "1",
            kind: "post",
            body: "Det var en gång en annan kommun.",
            authored_at: then,
            seen_at: then,
            hearing: "{}".to_owned(),
            ..NewMention::default()
        };
        let old = kept(&mut tx, new, then).await;
        mention::store::settle(&mut tx, &[old], then).await.unwrap();
        tx.commit().await.unwrap();
        let is_there = async || {
            let mut tx = app.db.read().await.unwrap();
            mention::store::find(&mut tx, old).await.unwrap().is_some()
        };
        let class = Retention { class: "R1".into(), keep_days: 90, decision: None };
        let refused = purge(&app, &class, app.clock.now()).await.unwrap_err();
        assert!(matches!(refused, PurgeError::NoDecision(_)), "{refused}");
        assert!(is_there().await, "what nobody has decided about stays");
        let decided = Retention { decision: Some("KS 2026/1".into()), ..class };
        assert_eq!(purge(&app, &decided, app.clock.now()).await.unwrap(), 1);
        assert!(!is_there().await, "and what somebody has decided about goes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_makes_no_database_and_brings_no_schema_up_to_date() {
    let folder = shipped();
    let missing = lyhord(folder.path(), &["remind", "--dry-run"]);
    assert_eq!(missing.status.code(), Some(3), "{}", text(&missing));
    assert!(text(&missing).contains("there is no database"), "{}", text(&missing));
    assert!(!folder.path().join("l.sqlite").exists());
    for engine in ENGINES {
        let database = database(engine);
        let db = Db::open(&database.address, 4).await.unwrap();
        let newest = newest_known(db.engine());
        let count = "select count(*) from _sqlx_migrations";
        let mut tx = db.write().await.unwrap();
        let sql = "delete from _sqlx_migrations where version = $1";
        on!(tx, c => sqlx::query(sql).bind(newest).execute(c).await.map(|_| ())).unwrap();
        let before: i64 = on!(tx, c => sqlx::query_scalar(count).fetch_one(c).await).unwrap();
        tx.commit().await.unwrap();
        let refused = Command::new(env!("CARGO_BIN_EXE_lyhord"))
            .args(["--config", &folder.path().display().to_string(), "--database", &database.address])
            .args(["remind", "--dry-run"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = text(&refused);
        assert!(refused.status.code() == Some(3) && said.contains("older than this program"), "{said}");
        assert!(said.contains(&newest.to_string()), "{said}");
        let mut tx = db.read().await.unwrap();
        let after: i64 = on!(tx, c => sqlx::query_scalar(count).fetch_one(c).await).unwrap();
        assert_eq!(after, before, "it is as it was");
        drop(tx);
        db.close().await;
    }
}
