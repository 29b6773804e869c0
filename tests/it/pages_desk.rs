//! The pages of coordination as a browser meets them: offers, two promises, lanes, Läget, Organisation, Vem får det?.

use axum::http::StatusCode;
use lyhord::app::office::Office;
use lyhord::assignment::absence_feed_store::{self, FeedRow};
use lyhord::assignment::spokesperson::NOTICE;
use lyhord::case::promise_store;
use lyhord::case::store::CaseRow;
use lyhord::id::CaseId;
use lyhord::jobs::keep_posts::{self, From};
use lyhord::response::acts;
use lyhord::source::{Kind, Post};
use lyhord::{assignment, jobs, journal, on};

use crate::desk::when;
use crate::pages::{COMMUNICATOR, House, Told, between, house};

const CHIEF: &str = "hedda-exempel";
const OF_WATER: &str = "hilda-pahittfors";
const MANAGER_OF_WATER: &str = "rut-exempelgren";
const OF_STREETS: &str = "ulf-pahittsson";

#[tokio::test]
async fn a_case_is_offered_and_the_one_asked_reads_it_and_says_yes() {
    let house = house().await;
    let case = house.case(Told::default()).await;
    let mut owner = house.browser(OF_WATER).await;
    let mut asked = house.browser(OF_STREETS).await;
    let path = format!("/arende/{case}");
    assert_eq!(asked.get(&path).await.status, StatusCode::FORBIDDEN, "another unit's case");
    let sent = owner.post(&format!("{path}/lamna-over"), &[("till", OF_STREETS), ("ord", "Det gäller vägen.")]).await;
    assert_eq!(sent.to, format!("{path}?sagt=erbjudet"));
    assert_eq!(house.row(case).await.owner.as_deref(), Some(OF_WATER), "hers until somebody says yes");
    let page = asked.get(&path).await;
    assert!(page.body.contains("vill lämna över ärendet") && page.body.contains("Det gäller vägen."), "{}", page.body);
    assert!(asked.get("/laget").await.body.contains("Erbjudna dig"));
    let yes = asked.post(&format!("{path}/ja"), &[]).await;
    assert_eq!(yes.to, format!("{path}?sagt=taget"));
    let row = house.row(case).await;
    assert_eq!(
        (row.owner.as_deref(), row.unit.as_deref(), row.state.as_str()),
        (Some(OF_STREETS), Some("gata"), "accepted")
    );
}

#[tokio::test]
async fn a_case_goes_to_another_board_only_when_it_is_meant_and_the_history_says_so() {
    let house = house().await;
    let case = house.case(Told::default()).await;
    let mut owner = house.browser(OF_WATER).await;
    let path = format!("/arende/{case}");
    let page = owner.get(&path).await;
    assert!(page.body.contains("Någon i Kontaktcenter (annan nämnd: Kommunstyrelsen)"), "{}", page.body);
    assert!(page.body.contains("Någon i Gatuenheten</option>"), "within the board nothing is said");
    let to = [("till", "enhet:kontaktcenter"), ("ord", "Er fråga.")];
    let warned = owner.post(&format!("{path}/lamna-over"), &to).await;
    assert_eq!(warned.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(warned.body.contains("en annan nämnd, som är en egen myndighet"), "{}", warned.body);
    assert!(warned.body.contains("value=\"enhet:kontaktcenter\" selected"), "what was chosen is still chosen");
    let meant = owner.post(&format!("{path}/lamna-over"), &[to[0], to[1], ("gor", "annan-namnd")]).await;
    assert_eq!(meant.to, format!("{path}?sagt=erbjudet"));
    let page = owner.get(&path).await;
    assert!(page.body.contains("erbjöd Kontaktcenter, till en annan nämnd: Kommunstyrelsen"), "{}", page.body);
}

#[tokio::test]
async fn each_chooses_when_what_can_wait_comes() {
    let house = house().await;
    let mut sixten = house.browser(OF_WATER).await;
    let sent = sixten.post("/min-profil/samlat", &[("dag", "monday"), ("tid", "13:00")]).await;
    assert_eq!(sent.to, "/min-profil?sagt=sparat");
    let page = sixten.get("/min-profil").await;
    assert!(page.body.contains("samlas och kommer på måndagar kl. 13.00."), "{}", page.body);
    let wrong = sixten.post("/min-profil/samlat", &[("dag", "varje"), ("tid", "kväll")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    sixten.post("/min-profil/samlat", &[("dag", "aldrig")]).await;
    assert!(sixten.get("/min-profil").await.body.contains("Var påminnelse kommer för sig."));
}

/// REF-07: reading leaves no trace that anybody could hold against the reader.
#[tokio::test]
async fn who_has_looked_at_a_case_is_written_nowhere() {
    let house = house().await;
    let case = house.case(Told::default()).await;
    let mut owner = house.browser(OF_WATER).await;
    let mut manager = house.browser(MANAGER_OF_WATER).await;
    let before = (format!("{:?}", house.row(case).await), house.journal_length().await);
    for browser in [&mut owner, &mut manager] {
        for path in [format!("/arende/{case}"), "/inkorg".to_owned(), "/laget".to_owned(), "/uppfoljning".to_owned()] {
            browser.get(&path).await;
        }
    }
    assert_eq!((format!("{:?}", house.row(case).await), house.journal_length().await), before);
    let page = manager.get(&format!("/arende/{case}")).await;
    let history = page.body.split("Vad som hänt").nth(1).unwrap();
    assert!(!history.contains("Hilda") && !history.contains("läst"), "{history}");
}

#[tokio::test]
async fn one_who_leads_the_unit_gives_without_asking() {
    let house = house().await;
    let case = house.case(Told::default()).await;
    let mut manager = house.browser(MANAGER_OF_WATER).await;
    let sent = manager.post(&format!("/arende/{case}/lamna-over"), &[("till", "sixten-prov")]).await;
    assert_eq!(sent.to, "/inkorg?sagt=lamnat");
    assert_eq!(house.row(case).await.owner.as_deref(), Some("sixten-prov"));
}

#[tokio::test]
async fn a_no_needs_a_reason_and_the_owner_reads_it() {
    let house = house().await;
    let case = house.case(Told::default()).await;
    let mut owner = house.browser(OF_WATER).await;
    owner.post(&format!("/arende/{case}/lamna-over"), &[("till", "enhet:gata")]).await;
    let mut asked = house.browser(OF_STREETS).await;
    let silent = asked.post(&format!("/arende/{case}/nej"), &[("skal", " ")]).await;
    assert_eq!(silent.status, StatusCode::UNPROCESSABLE_ENTITY);
    let no = asked.post(&format!("/arende/{case}/nej"), &[("skal", "Det är er ledning.")]).await;
    assert_eq!(no.to, "/inkorg?sagt=nej");
    assert!(owner.get(&format!("/arende/{case}")).await.body.contains("sade nej: Det är er ledning."));
}

#[tokio::test]
async fn the_promise_rests_from_the_page_and_runs_on_from_it() {
    let house = house().await;
    let case = house.case(Told::default()).await;
    let mut owner = house.browser(OF_WATER).await;
    let path = format!("/arende/{case}");
    let page = owner.get(&path).await;
    assert!(page.body.contains("Två löften") && page.body.contains("Klart svar"), "{}", page.body);
    let empty = owner.post(&format!("{path}/vantar"), &[("ord", ""), ("om", "5")]).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    let waits = owner.post(&format!("{path}/vantar"), &[("ord", "Vilken gata?"), ("om", "5")]).await;
    assert_eq!(waits.to, format!("{path}?sagt=vantar"));
    let page = owner.get(&path).await;
    assert!(page.body.contains("Väntar på den som frågade") && page.body.contains("frågade"), "{}", page.body);
    assert!(house.row(case).await.waiting_since.is_some());
    house.pass(3600);
    assert_eq!(owner.post(&format!("{path}/ordet"), &[]).await.to, format!("{path}?sagt=ordet"));
    let row = house.row(case).await;
    assert!(row.waiting_since.is_none() && row.first_answer_at.is_none(), "a question of ours is no answer");
    let first = owner.post(&format!("{path}/forsta-svar"), &[("svar", "Vi återkommer i morgon.")]).await;
    assert_eq!(first.to, format!("{path}?sagt=forsta"));
    let row = house.row(case).await;
    assert!(row.first_answer_at.is_some() && row.closed_at.is_none());
    let mut tx = house.app.db.read().await.unwrap();
    let what: Vec<String> =
        promise_store::events(&mut tx, case).await.unwrap().into_iter().map(|row| row.what).collect();
    assert_eq!(what, ["activate", "activate", "pause", "pause", "resume", "resume", "fulfil"]);
}

#[tokio::test]
async fn a_media_case_suggests_who_speaks_and_says_that_everybody_may() {
    let house = house().await;
    let case = house.case(Told { intent: "media", lane: "media", ..Told::default() }).await;
    let mut owner = house.browser(OF_WATER).await;
    let page = owner.get(&format!("/arende/{case}")).await;
    assert!(page.body.contains("Rut Exempelgren är talesperson"), "{}", page.body);
    assert!(page.body.contains(NOTICE));
    let moved = owner.post(&format!("/arende/{case}/deadline"), &[("tid", "2026-11-23T12:00")]).await;
    assert_eq!(moved.to, format!("/arende/{case}?sagt=deadline"));
    let due = house.row(case).await.due_at.unwrap();
    assert_eq!(due, lyhord::clock::Time::parse("2026-11-23T12:00:00+01:00").unwrap());
    let past = owner.post(&format!("/arende/{case}/deadline"), &[("tid", "2026-11-20T12:00")]).await;
    assert_eq!(past.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_request_for_a_document_has_no_approval_and_a_checklist_that_remembers() {
    let house = house().await;
    let case = house.case(Told { intent: "begaran-handling", lane: "handling", ..Told::default() }).await;
    let mut owner = house.browser(OF_WATER).await;
    let page = owner.get(&format!("/arende/{case}")).await;
    assert!(page.body.contains("Inget godkännande behövs"), "{}", page.body);
    let lane = house.app.config.organisation.lane(lyhord::assignment::Lane::Document).unwrap();
    let step = lane.checklist.first().unwrap().clone();
    owner.post(&format!("/arende/{case}/steg"), &[("steg", &step), ("gor", "klart")]).await;
    assert!(owner.get(&format!("/arende/{case}")).await.body.contains("Ångra"));
    let answered = owner.post(&format!("/arende/{case}/svara"), &[("svar", "Här är handlingen.")]).await;
    assert_eq!(answered.to, format!("/arende/{case}?sagt=svarat"), "nobody else had to say yes");
}

#[tokio::test]
async fn a_threat_is_assessed_before_it_is_closed_and_its_steps_are_taken_in_order() {
    let house = house().await;
    let told = Told { intent: "hot-hat", lane: "hot", restricted: true, ..Told::default() };
    let case = house.case(told).await;
    let mut owner = house.browser(OF_WATER).await;
    let path = format!("/arende/{case}");
    let closing = [("orsak", "broke-rules"), ("ord", "hot i tråden")];
    let early = owner.post(&format!("{path}/avskriv"), &closing).await;
    assert_eq!(early.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(early.body.contains("Bedöm först om det är ett hot"));
    let skip = owner.post(&format!("{path}/hot"), &[("steg", "anmalt"), ("ord", "K-1")]).await;
    assert_eq!(skip.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(owner.post(&format!("{path}/hot"), &[("steg", "hot")]).await.status, StatusCode::SEE_OTHER);
    let bare = owner.post(&format!("{path}/hot"), &[("steg", "sakrat")]).await;
    assert_eq!(bare.status, StatusCode::UNPROCESSABLE_ENTITY, "the next one must know where it is");
    let kept = owner.post(&format!("{path}/hot"), &[("steg", "sakrat"), ("ord", "mappen Bevis, 2 filer")]).await;
    assert_eq!(kept.status, StatusCode::SEE_OTHER);
    let page = owner.get(&path).await;
    assert!(page.body.contains("mappen Bevis") && page.body.contains("ring 112"), "{}", page.body);
    assert!(!page.body.contains(Told::default().text), "still veiled");
    assert!(house.browser(CHIEF).await.get("/laget").await.body.contains("Hot under handläggning"));
    let other = house.case(Told { intent: "hot-hat", lane: "hot", restricted: true, ..Told::default() }).await;
    owner.post(&format!("/arende/{other}/hot"), &[("steg", "ej-hot")]).await;
    let row = house.row(other).await;
    assert_eq!((row.restricted, row.lane.as_deref()), (false, Some("vanlig")));
}

#[tokio::test]
async fn a_matter_for_an_authority_is_moved_with_its_day_of_arrival() {
    let house = house().await;
    let case = house.case(Told { lane: "myndighetsarende", restricted: true, ..Told::default() }).await;
    let mut owner = house.browser(OF_WATER).await;
    let page = owner.get(&format!("/arende/{case}")).await;
    assert!(page.body.contains("gäller som ankomstdag"), "{}", page.body);
    let moved = owner
        .post(
            &format!("/arende/{case}/flytta"),
            &[("kontakt", "Registrator 0303-70 30 00"), ("svar", "Vi har skickat den vidare.")],
        )
        .await;
    assert_eq!(moved.to, format!("/arende/{case}?sagt=flyttat"), "{}", moved.body);
    let row = house.row(case).await;
    assert_eq!((row.state.as_str(), row.contact.as_deref()), ("referred", Some("Registrator 0303-70 30 00")));
    assert!(owner.get(&format!("/arende/{case}")).await.body.contains("Ankomstdag: måndag 23 november"));
}

#[tokio::test]
async fn silences_are_set_with_an_end_and_a_reason_by_those_who_may() {
    let house = house().await;
    let mut staff = house.browser(OF_WATER).await;
    let crisis = [("vad", "kris"), ("timmar", "24"), ("skal", "Vattenläcka i Nol")];
    assert_eq!(staff.post("/laget/tyst", &crisis).await.status, StatusCode::FORBIDDEN);
    let mut manager = house.browser(MANAGER_OF_WATER).await;
    let unit =
        |hours: &'static str, why: &'static str| [("vad", "enhet"), ("enhet", "va"), ("timmar", hours), ("skal", why)];
    assert_eq!(manager.post("/laget/tyst", &unit("200", "x")).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(manager.post("/laget/tyst", &unit("8", " ")).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let other = [("vad", "enhet"), ("enhet", "gata"), ("timmar", "8"), ("skal", "x")];
    assert_eq!(manager.post("/laget/tyst", &other).await.status, StatusCode::FORBIDDEN, "another unit is not hers");
    assert_eq!(manager.post("/laget/tyst", &unit("8", "Planeringsdag")).await.to, "/laget?sagt=tyst");
    assert!(staff.get("/laget").await.body.contains("Planeringsdag"));
    let mut chief = house.browser(CHIEF).await;
    assert_eq!(chief.post("/laget/tyst", &crisis).await.to, "/laget?sagt=tyst");
    assert!(staff.get("/inkorg").await.body.contains("Vattenläcka i Nol"), "everybody is told on every page");
    let page = chief.get("/laget").await;
    assert!(page.body.contains("Avsluta krisläget"), "{}", page.body);
    let id = crate::pages::between(&page.body, "name=\"id\" value=\"", "\"").unwrap().to_owned();
    assert_eq!(staff.post("/laget/hav", &[("id", &id)]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(chief.post("/laget/hav", &[("id", &id)]).await.to, "/laget?sagt=ljud");
    assert!(!staff.get("/inkorg").await.body.contains("Vattenläcka i Nol"));
}

#[tokio::test]
async fn the_organisation_is_shown_as_it_holds_today() {
    let house = house().await;
    let page = house.browser(OF_WATER).await.get("/organisation").await;
    for word in [
        "VA-enheten",
        "vatten och avlopp",
        "Rut Exempelgren",
        "Trafikverket",
        "aldrig kontrollerad",
        "Talespersoner",
        "I tjänst nu",
    ] {
        assert!(page.body.contains(word), "{word}");
    }
    assert!(page.body.len() < 61_440, "{}", page.body.len());
    assert!(!page.body.contains("Att se till"), "faults are for those who can mend them");
    assert!(house.browser(CHIEF).await.get("/organisation").await.body.contains("Att se till"));
}

#[tokio::test]
async fn the_page_that_foretells_says_what_the_command_says_and_keeps_nothing() {
    let house = house().await;
    let text = "Brunt vatten i Nödinge! Vet kommunen om det, och när blir det rent igen?";
    let mut staff = house.browser(OF_WATER).await;
    let page = staff.post("/vem-far-det", &[("text", text)]).await;
    assert!(page.body.contains("<h2>VA-enheten</h2>") && page.body.contains("Vatten och avlopp"), "{}", page.body);
    let app = &house.app;
    let office = Office::default();
    let told =
        lyhord::app::ask::ask(&app.config, &app.watch, app.judge().as_ref(), (text, "forum"), &office, house.now());
    assert!(page.body.contains("<option value=\"forum\" selected>"), "{}", page.body);
    for said in [&told.unit, &told.owner, &told.first_by, &told.whole_by, &told.judged] {
        assert!(page.body.contains(said.as_str()), "{said}");
    }
    let mut tx = app.db.read().await.unwrap();
    let kept: i64 =
        lyhord::on!(tx, c => sqlx::query_scalar("select count(*) from mentions").fetch_one(c).await).unwrap();
    assert_eq!(kept, 0);
}

/// Whom the page names for a text, and the case that the jobs then make of the same words.
async fn foretold_and_given(house: &House, text: &str) -> (String, CaseRow) {
    let (app, now) = (&house.app, house.now());
    let page = house.browser(OF_WATER).await.post("/vem-far-det", &[("text", text), ("kanal", "forum")]).await;
    let foretold = between(&page.body, "<dt>Ansvarig</dt><dd>", "</dd>").unwrap().to_owned();
    let post = Post {
        channel: "forum".to_owned(),
        native_id: text.to_owned(),
        kind: Kind::Post,
        text: text.to_owned(),
        authored_at: Some(now),
        ..Post::default()
    };
    let from = From { source: house.source, key: "tidning", imported: false };
    let mut tx = app.db.write().await.unwrap();
    let kept = keep_posts::keep(app, &mut tx, from, &[post], now).await.unwrap();
    assert_eq!(kept.new, 1);
    journal::append(&mut tx, &kept.facts).await.unwrap();
    tx.commit().await.unwrap();
    jobs::classify_mentions::run(app, now).await.unwrap();
    jobs::open_cases::run(app, now).await.unwrap();
    jobs::assign_cases::run(app, now).await.unwrap();
    let mut tx = app.db.read().await.unwrap();
    let newest: CaseId = on!(tx, c => sqlx::query_scalar("select max(id) from cases").fetch_one(c).await).unwrap();
    drop(tx);
    (foretold, house.row(newest).await)
}

/// The page and the job gave the same reason, and the one who has it is named in it.
fn the_same(house: &House, foretold: &str, row: &CaseRow) {
    let because = row.route_because.as_deref().unwrap();
    assert!(because.ends_with(foretold), "{foretold}\n{because}");
    let owner = house.app.config.organisation.name_of_staff(row.owner.as_deref().unwrap());
    assert!(foretold.contains(owner), "{foretold}: {owner}");
}

#[tokio::test]
async fn the_page_foretells_the_one_on_duty_though_others_have_less_to_do() {
    let house = house().await;
    for _ in 0..3 {
        house.case(Told { unit: "kommunikation", owner: COMMUNICATOR, ..Told::default() }).await;
    }
    let rumour = "Är det sant att Ale kommun ska stänga badhuset i Nödinge? Någon påstår det.";
    let (foretold, row) = foretold_and_given(&house, rumour).await;
    assert_eq!(foretold, "Ivar Provsson har passet i Kommunikationsenheten (3 av 10 ärenden).");
    assert_eq!(row.owner.as_deref(), Some(COMMUNICATOR));
    the_same(&house, &foretold, &row);
}

#[tokio::test]
async fn the_page_foretells_the_one_on_call_when_it_is_acute_at_night() {
    let house = house().await;
    house.app.clock.set(when("2026-11-25 02:30"));
    for _ in 0..2 {
        house.case(Told::default()).await;
    }
    let danger = "Vattnet i Nol är förgiftat, flera barn har blivit akut sjuka av kranvattnet";
    let (foretold, row) = foretold_and_given(&house, danger).await;
    assert_eq!(row.urgency, "akut");
    assert_eq!(foretold, "Hilda Påhittfors har passet i VA-enheten (2 av 15 ärenden).");
    the_same(&house, &foretold, &row);
}

#[tokio::test]
async fn the_page_foretells_that_it_waits_when_all_who_are_here_have_enough() {
    let house = house().await;
    let now = house.now();
    let mut first = None;
    for _ in 0..15 {
        let id = house.case(Told::default()).await;
        first.get_or_insert(id);
    }
    let mut tx = house.app.db.write().await.unwrap();
    let until = now.plus(std::time::Duration::from_hours(48));
    assignment::store::put_absence(&mut tx, "sixten-prov", now, until, None).await.unwrap();
    tx.commit().await.unwrap();
    let waits = "Det väntar i kön: alla i VA-enheten har fullt. Rut Exempelgren svarar för kön.";
    let question = "Brunt vatten i Nödinge! Vet kommunen om det, och när blir det rent igen?";
    let (foretold, row) = foretold_and_given(&house, question).await;
    assert_eq!((foretold.as_str(), row.queued_at), (waits, Some(now)));
    the_same(&house, &foretold, &row);
    // Somebody gets room: what waits is given it, and what is new stands behind.
    let mut tx = house.app.db.write().await.unwrap();
    let answer = acts::Answer { text: "Klart.", url: None, outcome: None, unit: None, answered_at: None };
    acts::answer(&mut tx, OF_WATER, first.unwrap(), None, answer, now).await.unwrap();
    tx.commit().await.unwrap();
    let other = "Hej Ale kommun! När spolar ni avloppet på Byvägen i Alafors? Det luktar illa i källaren.";
    let (foretold, new) = foretold_and_given(&house, other).await;
    assert_eq!((foretold.as_str(), new.queued_at), (waits, Some(now)));
    the_same(&house, &foretold, &new);
    let row = house.row(row.id).await;
    assert_eq!((row.owner.as_deref(), row.queued_at), (Some(OF_WATER), None));
}

#[tokio::test]
async fn how_a_calendar_with_absences_is_read_and_why_not_shows_on_the_page() {
    let house = house().await;
    let now = house.now();
    let mut tx = house.app.db.write().await.unwrap();
    let feeds = ["saga-malin-mall", "sixten-prov", "tyra-fiktivlund"].map(|staff| (staff.to_owned(), "x".to_owned()));
    absence_feed_store::know_feeds(&mut tx, &feeds, now).await.unwrap();
    let read = |staff: &str, failures: i64, why: &str| FeedRow {
        staff: staff.to_owned(),
        next_poll_at: now,
        etag: None,
        last_modified: None,
        failures,
        last_ok_at: Some(now),
        why: why.to_owned(),
    };
    for row in [read("saga-malin-mall", 0, ""), read("sixten-prov", 2, "Servern svarade med fel 503.")] {
        absence_feed_store::feed_read(&mut tx, &row).await.unwrap();
    }
    tx.commit().await.unwrap();
    let amiss = "<dt>Sixten Prov</dt><dd><span class=\"tag late\">Servern svarade med fel 503. Senast läst";
    let page = house.browser(CHIEF).await.get("/organisation").await;
    for shown in [
        "Frånvaro ur kalendrar",
        amiss,
        "<dt>Saga-Malin Mall</dt><dd>Senast läst",
        "<dt>Tyra Fiktivlund</dt><dd>Inte läst än.",
    ] {
        assert!(page.body.contains(shown), "{shown}: {}", page.body);
    }
    let own = house.browser("sixten-prov").await.get("/organisation").await;
    assert!(own.body.contains(amiss) && !own.body.contains("Inte läst än."), "her own, and nobody else's");
    assert!(!house.browser(OF_STREETS).await.get("/organisation").await.body.contains("Frånvaro ur kalendrar"));
}
