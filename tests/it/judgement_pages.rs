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
    let case = judged_case(&house, Told { text: "Är ni med och firar i Nol på lördag?", ..Told::default() }).await;
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
