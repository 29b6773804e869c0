//! Tips from colleagues, from the form to the case: with and without a picture, refused and let in, shown to those who
//! may see the case, and purged with their words.

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use lyhord::config::Retention;
use lyhord::id::{CaseId, TipId};
use lyhord::jobs;
use lyhord::source::tip::{self, Form, Pasted, Refused};
use lyhord::source::tip_store;
use lyhord::web::{self, secret, store};
use tower::ServiceExt as _;

use crate::channels::Stage;
use crate::harness::{ENGINES, Engine, at, on_both};
use crate::pages::{ADMIN, CHIEF, COMMUNICATOR, OF_STREETS, OF_WATER};

const BROWN: &str = "Brunt vatten ur kranen i Nol sedan i morse, vem på Ale kommun kan svara?";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR-en-bild";
/// What is filled in, the picture, and what is said to it.
type Wrong<'a> = (&'a [(&'a str, &'a str)], Option<(&'a str, &'a [u8])>, &'a str);

const CSRF: &str = "formens-hemlighet";

/// One who is signed in, against the real router.
struct Browser<'a> {
    stage: &'a Stage,
    token: String,
}

impl<'a> Browser<'a> {
    async fn of(stage: &'a Stage, staff: &str) -> Self {
        let token = secret::new();
        let now = stage.now();
        let mut tx = stage.running.app.db.write().await.unwrap();
        let until = now.plus(std::time::Duration::from_hours(12));
        store::put_account(&mut tx, staff, now).await.unwrap();
        store::put_session(&mut tx, &secret::hash(&token), staff, CSRF, now, until).await.unwrap();
        tx.commit().await.unwrap();
        Self { stage, token }
    }

    async fn asks(&self, method: Method, path: &str, kind: &str, body: Vec<u8>) -> (StatusCode, HeaderMap, Vec<u8>) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, format!("__Host-lyhord={}", self.token))
            .header(header::CONTENT_TYPE, kind)
            .body(Body::from(body))
            .unwrap();
        let response = web::router(self.stage.running.app.clone()).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, axum::body::to_bytes(body, 16 << 20).await.unwrap().to_vec())
    }

    async fn gets(&self, path: &str) -> (StatusCode, String) {
        let (status, _, body) = self.asks(Method::GET, path, "", Vec::new()).await;
        (status, String::from_utf8(body).unwrap())
    }

    async fn tells(&self, fields: &[(&str, &str)], picture: Option<(&str, &[u8])>) -> (StatusCode, String) {
        let fields: Vec<_> = [("csrf", CSRF)].into_iter().chain(fields.iter().copied()).collect();
        let kind = "multipart/form-data; boundary=----prov";
        let (status, headers, body) = self.asks(Method::POST, "/tips", kind, form(&fields, picture)).await;
        let to = headers.get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned());
        (status, to.unwrap_or_else(|| String::from_utf8(body).unwrap()))
    }
}

/// As a browser writes it.
fn form(fields: &[(&str, &str)], picture: Option<(&str, &[u8])>) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part = format!("------prov\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    // A file field that nothing was chosen in is sent empty.
    let (name, bytes) = picture.unwrap_or(("", b""));
    let head = format!(
        "------prov\r\nContent-Disposition: form-data; name=\"bild\"; filename=\"{name}\"\r\nContent-Type: image/png\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(bytes);
    body.extend_from_slice(b"\r\n------prov--\r\n");
    body
}

/// What a colleague saw in a closed place stays there: a link that she pastes is for people to follow.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_in_a_tip_stands_in_the_case_and_is_asked_for_by_no_program() {
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = format!("http://{}/grupp/inlagg", server.local_addr().unwrap());
    let stage = Stage::open(Engine::Sqlite, "", at(0, 9, 0)).await;
    let told = [("text", BROWN), ("lank", link.as_str()), ("plats", "Gruppen Vi i Nol"), ("oppet", "open")];
    assert_eq!(Browser::of(&stage, OF_WATER).await.tells(&told, None).await.0, StatusCode::SEE_OTHER);
    stage.running.settle().await;
    let (_, page) = Browser::of(&stage, COMMUNICATOR).await.gets("/arende/1").await;
    assert!(page.contains(&format!("href=\"{link}\"")), "{page}");
    stage.until(at(1, 9, 0)).await;
    let asked = tokio::time::timeout(std::time::Duration::from_millis(50), server.accept()).await;
    assert!(asked.is_err(), "somebody has asked for it");
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tip_becomes_a_case_like_others_and_says_which_colleague_told() {
    for engine in ENGINES {
        let stage = Stage::open(engine, "", at(0, 9, 0)).await;
        let hilda = Browser::of(&stage, OF_WATER).await;
        let told = [("text", BROWN), ("lank", ""), ("plats", "Gruppen Vi i Nol"), ("oppet", "open")];
        assert_eq!(hilda.tells(&told, None).await, (StatusCode::SEE_OTHER, "/tips?sagt=tipsat".to_owned()));
        stage.running.settle().await;
        let case = stage.case(1).await;
        assert_eq!((case.channel.as_str(), case.unit.is_some(), case.restricted), ("tips", true, false));
        assert_eq!(stage.facts(&["tip.told", "mention.kept", "case.opened"]).await, [1, 1, 1]);
        assert_eq!(stage.number("select count(*) from tips where body = '' and mention_id is not null").await, 1);
        assert_eq!(stage.number("select count(*) from mentions where author is null").await, 1);
        let page = Browser::of(&stage, COMMUNICATOR).await.gets("/arende/1").await.1;
        for words in ["Tips från kollega", "Gruppen Vi i Nol", "Ja, vem som helst kunde läsa det"] {
            assert!(page.contains(words), "{words}: {page}");
        }
        assert!(!page.contains("<img"), "there is no picture");
        let (_, mine) = hilda.gets("/tips").await;
        assert!(mine.contains("Ärende 1"), "{mine}");
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_shown_in_its_case_to_those_who_may_see_it_and_to_nobody_else() {
    for engine in ENGINES {
        let stage = Stage::open(engine, "", at(0, 9, 0)).await;
        let hilda = Browser::of(&stage, OF_WATER).await;
        let told = [("text", BROWN), ("oppet", "open")];
        assert_eq!(hilda.tells(&told, Some(("skärm.png", PNG))).await.0, StatusCode::SEE_OTHER);
        stage.running.settle().await;
        let row = stage.case(1).await;
        let communicator = Browser::of(&stage, COMMUNICATOR).await;
        let (_, page) = communicator.gets("/arende/1").await;
        assert!(page.contains("src=\"/arende/1/bild/1\"") && page.contains("alt=\"Skärmbild"), "{page}");
        let (status, headers, picture) = communicator.asks(Method::GET, "/arende/1/bild/1", "", Vec::new()).await;
        assert_eq!((status, picture.as_slice()), (StatusCode::OK, PNG));
        let said = |name: &str| headers.get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!((said("content-type"), said("x-content-type-options")), ("image/png".into(), "nosniff".into()));
        assert!(said("content-security-policy").contains("default-src 'none'"));
        assert!(said("content-disposition").starts_with("inline; filename=\"tips-1.png\""));
        assert_eq!(said("cache-control"), "no-store");
        // Neither one of another unit, nor one who only keeps the system, nor by way of another case.
        assert_eq!(row.unit.as_deref(), Some("va"));
        for (who, path) in [(OF_STREETS, "/arende/1/bild/1"), (ADMIN, "/arende/1/bild/1")] {
            assert_eq!(Browser::of(&stage, who).await.gets(path).await.0, StatusCode::FORBIDDEN, "{who}");
        }
        assert_eq!(communicator.gets("/arende/1/bild/2").await.0, StatusCode::NOT_FOUND);
        // No chat carries it: what goes out has words only, and none of the tip's.
        stage.until(at(0, 12, 0)).await;
        assert_eq!(
            stage.number("select count(*) from messages where body like '%bild%' or body like '%Brunt%'").await,
            0
        );
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ref_10_a_tip_of_what_was_not_open_to_all_is_refused_and_leaves_nothing() {
    let stage = Stage::open(crate::harness::Engine::Sqlite, "", at(0, 9, 0)).await;
    let hilda = Browser::of(&stage, OF_WATER).await;
    let (status, page) = hilda.tells(&[("text", BROWN), ("oppet", "closed")], Some(("a.png", PNG))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("REF-10") && !page.contains("Brunt vatten"), "not even given back: {page}");
    let wrong: [Wrong<'_>; 5] = [
        (&[("text", BROWN)], None, "Svara på om"),
        (&[("text", ""), ("oppet", "open")], None, "Klistra in"),
        (&[("lank", "https://www.facebook.com/eva.ek"), ("oppet", "open")], None, "REF-01"),
        (&[("text", BROWN), ("oppet", "open")], Some(("a.png", b"<svg onload=alert(1)>")), "PNG, JPEG eller WebP"),
        (&[("text", BROWN), ("oppet", "open")], Some(("a.gif", b"GIF89a")), "PNG, JPEG eller WebP"),
    ];
    for (fields, picture, says) in wrong {
        let (status, page) = hilda.tells(fields, picture).await;
        assert_eq!((status, page.contains(says)), (StatusCode::UNPROCESSABLE_ENTITY, true), "{says}");
    }
    let large = vec![0_u8; tip::PICTURE_MAX + 200 * 1024];
    assert_eq!(
        hilda.tells(&[("text", BROWN), ("oppet", "open")], Some(("a.png", &large))).await.0,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    // Without the form's own secret nothing is read.
    let kind = "multipart/form-data; boundary=----prov";
    let forged = form(&[("csrf", "annan"), ("text", BROWN), ("oppet", "open")], None);
    assert_eq!(hilda.asks(Method::POST, "/tips", kind, forged).await.0, StatusCode::FORBIDDEN);
    assert_eq!(Browser::of(&stage, ADMIN).await.gets("/tips").await.0, StatusCode::FORBIDDEN);
    for table in ["select count(*) from tips", "select count(*) from tip_pictures", "select count(*) from mentions"] {
        assert_eq!(stage.number(table).await, 0);
    }
    stage.running.settle().await;
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tip_of_a_threat_is_for_few_and_one_that_the_judge_doubts_is_still_a_case() {
    let stage = Stage::open(crate::harness::Engine::Sqlite, "", at(0, 9, 0)).await;
    let hilda = Browser::of(&stage, OF_WATER).await;
    let crime = [("text", "De skrev att de vet var Hilda bor och ska komma dit."), ("oppet", "crime")];
    assert_eq!(hilda.tells(&crime, None).await.0, StatusCode::SEE_OTHER);
    assert_eq!(
        hilda.tells(&[("lank", "https://example.se/x"), ("oppet", "to-us")], None).await.0,
        StatusCode::SEE_OTHER
    );
    stage.running.settle().await;
    assert_eq!(stage.number("select count(*) from cases where restricted").await, 1);
    assert_eq!(stage.number("select count(*) from cases where unit is not null").await, 2, "never silently lost");
    assert_eq!(Browser::of(&stage, OF_STREETS).await.gets("/arende/1").await.0, StatusCode::FORBIDDEN);
    assert_eq!(Browser::of(&stage, CHIEF).await.gets("/tips").await.0, StatusCode::OK);
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_goes_with_the_words_when_a_decision_lets_them_go_and_not_before() {
    for engine in ENGINES {
        let stage = Stage::open(engine, "", at(0, 9, 0)).await;
        let hilda = Browser::of(&stage, OF_WATER).await;
        let told = [("text", BROWN), ("plats", "Gruppen Vi i Nol"), ("oppet", "open")];
        hilda.tells(&told, Some(("a.png", PNG))).await;
        stage.running.settle().await;
        let app = &stage.running.app;
        let mut tx = app.db.write().await.unwrap();
        let row = lyhord::case::store::find(&mut tx, CaseId(1)).await.unwrap().unwrap();
        let reason = lyhord::case::DismissReason::Duplicate;
        lyhord::response::acts::dismiss(
            &mut tx,
            row.owner.as_deref().unwrap(),
            CaseId(1),
            None,
            reason,
            "dubblett",
            stage.now(),
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
        stage.running.settle().await;
        let later = at(0, 9, 0).plus(std::time::Duration::from_hours(24 * 30));
        for class in ["R2", "R3"] {
            let undecided = Retention { class: class.to_owned(), keep_days: 1, decision: None };
            assert!(jobs::purge::purge(app, &undecided, later).await.is_err(), "no decision, no purge");
        }
        assert_eq!(stage.number("select count(*) from tip_pictures").await, 1);
        for class in ["R2", "R3"] {
            let decided = Retention { class: class.to_owned(), keep_days: 1, decision: Some("KS 2026-1".to_owned()) };
            jobs::purge::purge(app, &decided, later).await.unwrap();
        }
        assert_eq!(stage.number("select count(*) from tip_pictures").await, 0);
        assert_eq!(stage.number("select count(*) from tips where place = ''").await, 1, "who told stays with the case");
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_two_colleagues_paste_is_one_mention_and_the_second_is_told_so() {
    const LINK: &str = "https://www.facebook.com/groups/ale/permalink/1";
    for engine in ENGINES {
        let stage = Stage::open(engine, "", at(0, 9, 0)).await;
        let (hilda, ivar) = (Browser::of(&stage, OF_WATER).await, Browser::of(&stage, COMMUNICATOR).await);
        let told = [("text", BROWN), ("lank", LINK), ("plats", "Gruppen Vi i Nol"), ("oppet", "open")];
        assert_eq!(hilda.tells(&told, None).await.1, "/tips?sagt=tipsat");
        stage.running.settle().await;
        let tracked = format!("{LINK}?fbclid=abc");
        let once_more = [("text", BROWN), ("lank", tracked.as_str()), ("plats", "Facebook"), ("oppet", "open")];
        let (status, to) = ivar.tells(&once_more, Some(("skärm.png", PNG))).await;
        assert_eq!((status, to.as_str()), (StatusCode::SEE_OTHER, "/tips?sagt=tipsat-igen"));
        assert!(ivar.gets(&to).await.1.contains("redan tipsat om"), "politely");
        stage.running.settle().await;
        assert_eq!(stage.number("select count(*) from mentions").await, 1);
        assert_eq!(stage.number("select count(*) from cases").await, 1);
        assert_eq!(stage.number("select count(*) from tips where mention_id is not null").await, 2);
        assert_eq!(stage.facts(&["tip.told", "mention.kept", "case.opened"]).await, [2, 1, 1]);
        let (_, page) = ivar.gets("/arende/1").await;
        for staff in [OF_WATER, COMMUNICATOR] {
            let name = stage.running.app.config.organisation.name_of_staff(staff);
            assert!(page.contains(&format!("<p>{name} · ")), "{name} has told of it too: {page}");
        }
        assert!(page.contains("src=\"/arende/1/bild/2\""), "the second one's picture is shown: {page}");
        assert!(ivar.gets("/tips").await.1.contains("Ärende 1"));
        // Two that no job has seen to yet are one as well; other words at the same address are another post.
        let new = [("text", "Gatlampan vid skolan i Surte är trasig sedan i går kväll."), ("oppet", "open")];
        assert_eq!(hilda.tells(&new, None).await.1, "/tips?sagt=tipsat");
        assert_eq!(ivar.tells(&new, None).await.1, "/tips?sagt=tipsat-igen");
        let other = [("text", "Nu är vattnet klart igen i Nol, tack Ale kommun!"), ("lank", LINK), ("oppet", "open")];
        assert_eq!(ivar.tells(&other, None).await.1, "/tips?sagt=tipsat");
        stage.running.settle().await;
        assert_eq!(stage.number("select count(*) from mentions").await, 3);
        assert_eq!(stage.number("select count(*) from tips where mention_id is null").await, 0);
        stage.ends_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tips_page_fits_a_telephone_and_needs_no_script() {
    let stage = Stage::open(crate::harness::Engine::Sqlite, "", at(0, 9, 0)).await;
    let (_, page) = Browser::of(&stage, OF_WATER).await.gets("/tips").await;
    for words in
        ["enctype=\"multipart/form-data\"", "accept=\"image/png,image/jpeg,image/webp\"", "Dina tips", ">Tips<"]
    {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("style=") && !page.contains("onclick"));
    stage.running.settle().await;
    stage.ends_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tips_are_the_same_on_both_databases() {
    on_both(|_, db| async move {
        let mut tx = crate::contract::writing(&db).await;
        let case = crate::contract::a_case(&mut tx, "tips/1", BROWN).await;
        let mention = lyhord::case::store::find(&mut tx, case).await.unwrap().unwrap().mention_id;
        let read = |openness| tip::read(Pasted { text: BROWN, place: "Nol", openness, ..Pasted::default() });
        assert_eq!(read("closed"), Err(Refused::NotOpen));
        let now = crate::contract::NOW;
        let id = tip_store::tell(&mut tx, "karin", &read("crime").unwrap(), now).await.unwrap();
        tip_store::keep_picture(&mut tx, id, Form::Png, PNG).await.unwrap();
        assert_eq!(tip_store::first_waiting_tip(&mut tx).await.unwrap(), Some(id));
        assert_eq!(tip_store::waiting_tips(&mut tx, 9).await.unwrap()[0].body, BROWN);
        assert!(!tip_store::tells_of_crime(&mut tx, mention).await.unwrap());
        let (crime, whole) = (read("crime").unwrap(), |link: &str| link.to_owned());
        let before = tip_store::told_before(&mut tx, &crime, TipId(99), now, whole).await.unwrap().unwrap();
        assert_eq!((before.id, before.mention_id, before.body.as_str()), (id, None, BROWN));
        assert_eq!(tip_store::told_before(&mut tx, &crime, id, now, whole).await.unwrap(), None, "not itself");
        let long_after = now.plus(std::time::Duration::from_hours(24 * 31));
        assert_eq!(tip_store::told_before(&mut tx, &crime, TipId(99), long_after, whole).await.unwrap(), None);
        assert_eq!(tip_store::told_by(&mut tx, "karin", 9).await.unwrap(), [(now, "Nol".to_owned(), false, None)]);
        assert!(tip_store::become_mention(&mut tx, id, mention).await.unwrap());
        assert!(!tip_store::become_mention(&mut tx, id, mention).await.unwrap());
        assert_eq!(tip_store::first_waiting_tip(&mut tx).await.unwrap(), None);
        assert!(tip_store::tells_of_crime(&mut tx, mention).await.unwrap());
        assert_eq!(tip_store::told_by(&mut tx, "karin", 9).await.unwrap()[0].3, Some(case));
        let tips = tip_store::tips_of_case(&mut tx, case, 9).await.unwrap();
        assert_eq!((tips.len(), tips[0].form.as_deref(), tips[0].place.as_str()), (1, Some("png"), "Nol"));
        assert_eq!(
            tip_store::picture_of_case(&mut tx, case, id).await.unwrap(),
            Some(("png".to_owned(), PNG.to_vec()))
        );
        assert_eq!(tip_store::picture_of_case(&mut tx, CaseId(99), id).await.unwrap(), None);
        assert_eq!(tip_store::picture_of_case(&mut tx, case, TipId(99)).await.unwrap(), None);
        assert_eq!(tip_store::purge_with_words(&mut tx).await.unwrap(), 0, "its words are there");
        tx.commit().await.unwrap();
    })
    .await;
}

/// A page as one of the staff sees it.
pub async fn page(stage: &Stage, staff: &str, path: &str) -> String {
    Browser::of(stage, staff).await.gets(path).await.1
}
