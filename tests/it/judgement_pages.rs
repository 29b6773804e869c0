//! A judgement is corrected where it stands, and what is learned from it is shown.

use axum::http::StatusCode;
use lyhord::app::App;
use lyhord::case::store::CaseRow;
use lyhord::classification::correction::BY_A_PERSON;
use lyhord::classification::{Classification, Classifier as _, Flag, Subject};
use lyhord::id::CaseId;
use lyhord::jobs;
use lyhord::journal;

use crate::pages::{CHIEF, COMMUNICATOR, House, OF_STREETS, OF_WATER, Told, between, house};

/// A case whose post has been judged by the judge in office.
async fn judged_case(house: &House, told: Told<'_>) -> CaseId {
    let text = told.text;
    let id = house.case(told).await;
    let mention = house.row(id).await.mention_id;
    let verdict = house.app.judge().classify(&Subject { text, channel: "rss", ..Subject::default() });
    let verdict = Classification { also: None, ..verdict };
    let mut tx = house.app.db.write().await.unwrap();
    lyhord::classification::store::let_stand(&mut tx, &[(mention, verdict)], house.now()).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn standing(app: &App, row: &CaseRow) -> Classification {
    let mut tx = app.db.read().await.unwrap();
    lyhord::classification::store::standing(&mut tx, row.mention_id).await.unwrap().unwrap()
}

async fn kinds(app: &App, id: CaseId) -> Vec<String> {
    let mut tx = app.db.read().await.unwrap();
    journal::of_case(&mut tx, id, 99).await.unwrap().into_iter().map(|entry| entry.kind).collect()
}

fn right<'a>(question: &'a str, label: &'a str) -> [(&'a str, &'a str); 2] {
    [("fraga", question), ("ar", label)]
}

#[tokio::test]
async fn a_correction_is_kept_and_a_case_that_nobody_has_begun_goes_to_the_right_unit() {
    let house = house().await;
    let case = judged_case(&house, Told { text: "Lampan på Byvägen i Nol är släckt", ..Told::default() }).await;
    let path = format!("/arende/{case}/ratta");
    let mut browser = house.browser(OF_WATER).await;
    let page = browser.get(&format!("/arende/{case}")).await.body;
    assert!(page.contains("aria-label=\"Ändra ämne\"") && page.contains("value=\"gata-trafik\""));
    let done = browser.post(&path, &right("topic", "gata-trafik")).await;
    assert_eq!((done.status, done.to), (StatusCode::SEE_OTHER, format!("/arende/{case}?sagt=rattat")));

    let row = house.row(case).await;
    assert_eq!((row.topic.as_str(), row.owner.as_deref()), ("gata-trafik", Some(OF_WATER)), "never without a holder");
    let verdict = standing(&house.app, &row).await;
    assert_eq!((verdict.topic.as_str(), verdict.by.as_str()), ("gata-trafik", BY_A_PERSON));
    jobs::assign_cases::run(&house.app, house.now()).await.unwrap();
    let row = house.row(case).await;
    assert_eq!((row.unit.as_deref(), row.state.as_str()), (Some("gata"), "assigned"), "{:?}", row.route_because);
    assert_ne!(row.owner.as_deref(), Some(OF_WATER));
    assert_eq!(kinds(&house.app, case).await, ["classification.corrected", "case.reassigned"]);

    let mut tx = house.app.db.read().await.unwrap();
    let kept = lyhord::classification::store::corrected(&mut tx, i64::MAX, 9).await.unwrap();
    assert_eq!((kept.len(), kept[0].became.as_str()), (1, "gata-trafik"));
    let told = house.browser(CHIEF).await.get(&format!("/arende/{case}")).await.body;
    assert!(told.contains("Hilda Påhittfors rättade ämne: vatten och avlopp blev"), "{told}");
}

#[tokio::test]
async fn a_case_that_is_begun_stays_with_its_holder_when_it_is_corrected() {
    let house = house().await;
    let case = judged_case(&house, Told::default()).await;
    let mut browser = house.browser(OF_WATER).await;
    browser.post(&format!("/arende/{case}/ta"), &[]).await;
    browser.post(&format!("/arende/{case}/ratta"), &right("topic", "gata-trafik")).await;
    jobs::assign_cases::run(&house.app, house.now()).await.unwrap();
    let row = house.row(case).await;
    assert_eq!(
        (row.topic.as_str(), row.owner.as_deref(), row.state.as_str()),
        ("gata-trafik", Some(OF_WATER), "accepted")
    );
    browser.post(&format!("/arende/{case}/ratta"), &right("sentiment", "neg")).await;
    assert_eq!(house.row(case).await.sentiment, "neg");
}

#[tokio::test]
async fn a_correction_toward_caution_holds_at_once_and_away_from_it_needs_a_reason() {
    let house = house().await;
    let case =
        judged_case(&house, Told { text: "ni ska få se", unit: "gata", owner: OF_STREETS, ..Told::default() }).await;
    let path = format!("/arende/{case}/ratta");
    let mut communicator = house.browser(COMMUNICATOR).await;
    let done = communicator.post(&path, &right("intent", "hot-hat")).await;
    let row = house.row(case).await;
    assert!(row.restricted && standing(&house.app, &row).await.flags.contains(&Flag::Threat));
    assert_eq!(done.status, StatusCode::SEE_OTHER);

    let mut holder = house.browser(OF_STREETS).await;
    let silent = holder.post(&path, &right("intent", "information")).await;
    assert_eq!(silent.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(silent.body.contains("Skriv varför") && house.row(case).await.restricted);
    let told = [("fraga", "intent"), ("ar", "information"), ("skal", "citat ur en film")];
    assert_eq!(holder.post(&path, &told).await.status, StatusCode::SEE_OTHER);
    let row = house.row(case).await;
    assert!(!row.restricted && !standing(&house.app, &row).await.flags.contains(&Flag::Threat));
}

#[tokio::test]
async fn what_is_not_about_us_is_corrected_and_closed_by_one_click() {
    let house = house().await;
    let case = judged_case(&house, Told { text: "Är ni med och firar i Alafors på lördag?", ..Told::default() }).await;
    let mut browser = house.browser(OF_WATER).await;
    let done = browser.post(&format!("/arende/{case}/ratta"), &right("relevance", "no")).await;
    assert_eq!(done.to, format!("/arende/{case}?sagt=inte-oss"));
    let row = house.row(case).await;
    assert_eq!((row.state.as_str(), row.outcome.as_deref()), ("dismissed", Some("not-about-us")));
    assert!(!browser.get(&format!("/arende/{case}")).await.body.contains("value=\"no\""), "it is said already");
    let guarded = judged_case(&house, Told { restricted: true, ..Told::default() }).await;
    let silent = browser.post(&format!("/arende/{guarded}/ratta"), &right("relevance", "no")).await;
    assert_eq!(silent.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(house.row(guarded).await.state, "assigned", "what may be a threat is not waved away");
}

#[tokio::test]
async fn a_correction_on_a_stale_page_or_without_a_label_changes_nothing() {
    let house = house().await;
    let case = judged_case(&house, Told::default()).await;
    let stale = house.row(case).await.revision.to_string();
    let mut browser = house.browser(OF_WATER).await;
    browser.post(&format!("/arende/{case}/kvittera"), &[]).await;
    let path = format!("/arende/{case}/ratta");
    let late = browser.post(&path, &[("revision", stale.as_str()), ("fraga", "topic"), ("ar", "skola")]).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    for fields in
        [right("topic", "inget-amne"), right("urgency", "snart"), right("author", "Ture"), right("topic", "va")]
    {
        assert_eq!(browser.post(&path, &fields).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{fields:?}");
    }
    assert_eq!(house.row(case).await.topic, "va");
    let mut tx = house.app.db.read().await.unwrap();
    assert!(lyhord::classification::store::corrected(&mut tx, i64::MAX, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_answer_to_a_like_question_is_one_click_from_the_draft() {
    let house = house().await;
    let mut browser = house.browser(OF_WATER).await;
    let earlier = house.case(Told { text: "Någon mer i Nol som har brunt vatten i kranen?", ..Told::default() }).await;
    let fields = [("svar", "Hej Karin! Spola kallvatten i fem minuter."), ("lank", "")];
    browser.post(&format!("/arende/{earlier}/svara"), &fields).await;
    let secret =
        house.case(Told { text: "Brunt vatten i kranen i Nol hos oss", restricted: true, ..Told::default() }).await;
    browser.post(&format!("/arende/{secret}/svara"), &[("svar", "Hemligt svar."), ("lank", "")]).await;
    let case = judged_case(&house, Told { text: "Varför är vattnet brunt i kranen i Nol?", ..Told::default() }).await;

    let page = browser.get(&format!("/arende/{case}")).await.body;
    let shown = between(&page, "id=\"liknande\"", "</section>").unwrap();
    assert!(shown.contains("Spola kallvatten") && shown.contains(&format!("name=\"utkast\" value=\"{earlier}\"")));
    assert!(!shown.contains("Hemligt svar"), "what only a few may see is nobody's draft");
    let draft = browser.get(&format!("/arende/{case}?utkast={earlier}")).await.body;
    assert!(draft.contains("Hej! Spola kallvatten i fem minuter.</textarea>"), "without the name of the one before");
    let other = browser.get(&format!("/arende/{case}?utkast={secret}")).await.body;
    assert!(!other.contains("Hemligt svar"), "only what is shown as similar can be copied");
}

/// A part of the seed: enough to train on, and done in a moment without optimisation. Nothing of it is held out, as of so
/// few posts a figure would fall by chance: that a fall is refused is shown beside the gate.
fn few() -> Vec<lyhord::classification::train::Lesson> {
    use lyhord::classification::seed::{HELD_OUT, lessons};
    lessons().into_iter().step_by(90).filter(|lesson| !HELD_OUT.contains(&lesson.style.as_str())).collect()
}

/// A house whose judge learns from a small seed.
async fn school() -> House {
    let mut house = house().await;
    std::sync::Arc::get_mut(&mut house.app).unwrap().seed = few;
    house
}

async fn office(house: &House) -> Option<lyhord::classification::store::VersionRow> {
    let mut tx = house.app.db.read().await.unwrap();
    lyhord::classification::store::in_office(&mut tx).await.unwrap()
}

async fn correct_one(house: &House, text: &str, topic: &str) {
    let case = judged_case(house, Told { text, ..Told::default() }).await;
    let done = house.browser(COMMUNICATOR).await.post(&format!("/arende/{case}/ratta"), &right("topic", topic)).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_judge_learns_from_corrections_and_one_can_go_back() {
    let house = school().await;
    let shipped = house.app.judge().model().unwrap().version().to_owned();
    correct_one(&house, "Gungan i Kvarnparken är trasig", "kultur-fritid").await;
    let mut tx = house.app.db.read().await.unwrap();
    let (due, _) = jobs::refit_judge::next(&house.app, &mut tx).await.unwrap().unwrap();
    assert_eq!(due, house.now().plus(std::time::Duration::from_mins(10)), "one who corrects is let finish");
    drop(tx);
    jobs::refit_judge::run(&house.app, due).await.unwrap();
    let learned = office(&house).await.unwrap();
    assert_eq!((learned.number, learned.corrections, learned.state.as_str()), (2, 1, "in-office"));
    assert_eq!(house.app.judge().model().unwrap().version(), learned.hash, "it judges from now on");
    assert_ne!(learned.hash, shipped);
    jobs::refit_judge::run(&house.app, due).await.unwrap();
    assert_eq!(office(&house).await.unwrap().number, 2, "what is learned is not learned again");

    // The same corrections give the same bytes, on any machine and in any process.
    let mut tx = house.app.db.read().await.unwrap();
    let rows = lyhord::classification::store::corrected(&mut tx, learned.learned_to, 99).await.unwrap();
    let bytes = lyhord::classification::store::model_of(&mut tx, 2).await.unwrap().unwrap();
    drop(tx);
    let lessons = lyhord::classification::correction::lessons(&rows);
    let again = lyhord::classification::refit::learned(house.app.judge().lexicon(), &few(), &lessons);
    assert_eq!(again.model.bytes(), bytes);

    let mut browser = house.browser(COMMUNICATOR).await;
    let page = browser.get("/bevakning/bedomaren").await.body;
    assert!(page.contains("Version 2 är i tjänst") && page.contains("lärt sig av 1 rättelse"), "{page}");
    assert!(page.contains("aria-label=\"Sätt version 1 i tjänst\"") && !page.contains("Sätt version 2"));
    assert!(page.contains("rätt") && page.contains("Hot som hörs"), "figures stand with their base");
    assert_eq!(browser.post("/bevakning/bedomaren/7", &[]).await.status, StatusCode::NOT_FOUND);
    let back = browser.post("/bevakning/bedomaren/1", &[]).await;
    assert_eq!((back.status, back.to.as_str()), (StatusCode::SEE_OTHER, "/bevakning/bedomaren?sagt=bedomare"));
    assert_eq!(house.app.judge().model().unwrap().version(), shipped, "the one before judges again");
    // Much the same is learned as for version 2, so that it is good enough.
    correct_one(&house, "Gungan i Kvarnparken är trasig igen", "kultur-fritid").await;
    jobs::refit_judge::run(&house.app, house.now()).await.unwrap();
    assert_eq!(office(&house).await.unwrap().number, 1, "what a human decided is not undone by a machine");
    let page = browser.get("/bevakning/bedomaren").await.body;
    assert!(page.contains("Väntar på beslut") && page.contains("Sätt version 3 i tjänst"), "{page}");
    let journal = house.browser(CHIEF).await.get("/journal").await.body;
    assert!(
        journal.contains("satte bedömarens version 1 i tjänst") && journal.contains("väntar på beslut"),
        "{journal}"
    );

    // Another process finds the same judge in office.
    browser.post("/bevakning/bedomaren/2", &[]).await;
    let config = crate::running::config(
        "[municipality]\nname = \"Ale\"\ncontact = \"x\"\nbase_url = \"http://localhost/\"\n",
        "",
        &house.app.config.database,
    );
    let other = App::open(config, lyhord::clock::Clock::manual(house.now())).await.unwrap();
    assert_eq!(other.judge().model().unwrap().version(), learned.hash);
    browser.post("/bevakning/bedomaren/1", &[]).await;
    other.heed_appointment().await.unwrap();
    assert_eq!(other.judge().model().unwrap().version(), shipped);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(debug_assertions, ignore = "minutes without optimisation: `tests/run --long` runs it with --release")]
async fn the_whole_seed_and_a_correction_are_learned_beside_the_pages_and_take_office() {
    let house = house().await;
    let shipped = house.app.judge().model().unwrap().version().to_owned();
    correct_one(&house, "Gungan i Kvarnparken är trasig", "kultur-fritid").await;
    let mut tx = house.app.db.read().await.unwrap();
    let (due, _) = jobs::refit_judge::next(&house.app, &mut tx).await.unwrap().unwrap();
    drop(tx);
    let mut browser = house.browser(COMMUNICATOR).await;
    let mut learning = std::pin::pin!(jobs::refit_judge::run(&house.app, due));
    tokio::select! {
        biased;
        done = &mut learning => panic!("it learned the whole seed before a page was answered: {done:?}"),
        page = browser.get("/bevakning/bedomaren") => assert_eq!(page.status, StatusCode::OK),
    }
    assert_eq!(house.app.judge().model().unwrap().version(), shipped, "until it has learned the old one judges");
    learning.await.unwrap();
    let learned = office(&house).await.unwrap();
    assert_eq!(
        (learned.number, learned.corrections, learned.state.as_str()),
        (2, 1, "in-office"),
        "one correction makes nothing worse: {}",
        learned.because
    );
    assert_ne!(learned.hash, shipped);
    assert_eq!(house.app.judge().model().unwrap().version(), learned.hash, "it judges from now on");
}

#[tokio::test]
async fn a_rule_is_tried_on_what_is_kept_before_it_is_written() {
    let house = house().await;
    for n in 0..6 {
        let text = format!("Rektorn Anna Lindgren svarar inte om skolan i Nol {n}");
        judged_case(&house, Told { text: &text, ..Told::default() }).await;
    }
    judged_case(&house, Told { text: "Skolan i Nol ska brinna", restricted: true, ..Told::default() }).await;
    let mut browser = house.browser(COMMUNICATOR).await;
    let page = browser.get("/bevakning?prov=skola%7E+NEAR%2F3+nol").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("7 av 7") && page.body.contains("<mark>skolan</mark>"), "{}", page.body);
    assert!(page.body.contains("[namn]") && !page.body.contains("Lindgren") && !page.body.contains("brinna"));
    assert!(page.body.contains("för få bedömda") && page.body.contains("1 av träffarna visas inte"));
    assert!(page.body.len() < 60_000, "a page is under 60 KB: {}", page.body.len());

    let fault = browser.get("/bevakning?prov=skola+AND+%28nol").await.body;
    let pointed = between(&fault, "class=\"pointed\">", "</pre>").unwrap();
    assert!(pointed.contains("skola AND (nol\n") && pointed.contains('^'), "{pointed}");
    assert!(pointed.contains("den här parentesen stängs aldrig"), "{pointed}");
    let person = browser.get("/bevakning?prov=%22Anna+Svensson%22+AND+ale").await.body;
    assert!(person.contains("REF-01") && person.contains("aldrig människor"), "the reason is shown");
    let markup = browser.get("/bevakning?prov=%3Cscript%3Ealert").await.body;
    assert!(!markup.contains("<script>alert"));
}

#[tokio::test]
async fn a_rule_is_told_by_what_people_have_said_and_nothing_under_five() {
    let house = house().await;
    let mut browser = house.browser(COMMUNICATOR).await;
    let before = browser.get("/bevakning").await.body;
    assert!(before.contains("för få bedömda (minst 5)") && before.contains("Träffar inlägg som innehåller"));
    let mut water = house.browser(OF_WATER).await;
    for n in 0..6 {
        let text = format!("Ale kommun, när lagas lampa {n}?");
        let case = judged_case(&house, Told { text: &text, ..Told::default() }).await;
        let path = format!("/arende/{case}");
        if n == 0 {
            water.post(&format!("{path}/ratta"), &right("relevance", "no")).await;
        } else {
            water.post(&format!("{path}/svara"), &[("svar", "I morgon."), ("lank", "")]).await;
        }
    }
    let mut tx = house.app.db.write().await.unwrap();
    lyhord::source::store::tally(&mut tx, "2026-11-22", "rule:Ale kommun", "heard", 4).await.unwrap();
    tx.commit().await.unwrap();
    let page = browser.get("/bevakning").await.body;
    let rule = between(&page, "<h2>Ale kommun</h2>", "</article>").unwrap();
    assert!(rule.contains("5 av 6 (83\u{a0}%) bedömda träffar är om oss"), "{rule}");
    assert!(rule.contains("5 av 5 (100\u{a0}%) inlägg om oss hör den"), "{rule}");
    assert!(rule.contains("4 träffar") && rule.contains("som mest 4 på en dag") && rule.contains("6 av 6"), "{rule}");
    assert!(page.len() < 60_000, "{}", page.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_judge_that_got_worse_is_refused_and_kept_as_a_try() {
    let house = school().await;
    correct_one(&house, "Gungan i Kvarnparken är trasig", "kultur-fritid").await;
    jobs::refit_judge::run(&house.app, house.now()).await.unwrap();
    let before = office(&house).await.unwrap();
    // Somebody has made the numbers of the one in office better than any new one can be.
    let figures = before.figures.replace("\"value\":0.", "\"value\":1.");
    let mut tx = house.app.db.write().await.unwrap();
    let sql = "update judge_versions set figures = $1 where number = $2";
    lyhord::on!(tx, c => sqlx::query(sql).bind(&figures).bind(before.number).execute(c).await.map(|_| ())).unwrap();
    tx.commit().await.unwrap();
    correct_one(&house, "Simhallen luktar klor", "kultur-fritid").await;
    jobs::refit_judge::run(&house.app, house.now()).await.unwrap();
    assert_eq!(office(&house).await.unwrap().number, before.number, "the one in office stays");
    let mut tx = house.app.db.read().await.unwrap();
    let newest = lyhord::classification::store::versions(&mut tx, i64::MAX, 1).await.unwrap().remove(0);
    assert_eq!((newest.state.as_str(), newest.kept, newest.corrections), ("refused", false, 2));
    assert!(newest.because.contains("Sämre på kontrollmängden"), "{}", newest.because);
    assert_eq!(house.app.judge().model().unwrap().version(), before.hash);
}
