//! Who is told of a case, and when, as people put it off, go, come back and leave.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use lyhord::app::wake;
use lyhord::assignment::handover::Receiver;
use lyhord::assignment::{self, Lane};
use lyhord::calendar::hours::Week;
use lyhord::calendar::{Calendar, Year};
use lyhord::case::DismissReason;
use lyhord::case::batch_store::{About, silence_changed};
use lyhord::clock::Time;
use lyhord::config::Config;
use lyhord::id::CaseId;
use lyhord::jobs::deliver_messages;
use lyhord::response::offer_acts::{HandOver, Reach};
use lyhord::response::{Refused, acts, offer_acts, press, promise_acts};
use lyhord::web::{secret, store};
use tower::ServiceExt as _;

use crate::desk::{Desk, Matter, when};
use crate::harness::{ENGINES, at};

fn as_is(_: &mut Config) {}

async fn is_away(desk: &Desk, staff: &str, from: Time, until: Time, deputy: Option<&str>) {
    let mut tx = desk.running.app.db.write().await.unwrap();
    assignment::store::put_absence(&mut tx, staff, from, until, deputy).await.unwrap();
    tx.commit().await.unwrap();
}

async fn puts_off(desk: &mut Desk, staff: &str, case: CaseId, until: Time) {
    let mut tx = desk.running.app.db.write().await.unwrap();
    acts::snooze(&mut tx, staff, case, None, until, "Väntar på besked.", desk.now()).await.unwrap();
    tx.commit().await.unwrap();
    desk.until(desk.now()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn that_nothing_is_to_be_said_is_seen_without_waiting_for_who_writes() {
    for engine in ENGINES {
        let desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let app = &desk.running.app;
        // The embedded database has one writer, and this is it.
        let writer = app.db.write().await.unwrap();
        let looked = tokio::time::timeout(Duration::from_secs(5), deliver_messages::run(app)).await;
        looked.expect("it waits for the writer").unwrap();
        drop(writer);
        desk.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reminder_put_off_for_an_hour_comes_in_an_hour() {
    for engine in ENGINES {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let id = desk.opens(Matter::default()).await;
        let owner = desk.row(id).await.owner.unwrap();
        desk.until(at(0, 13, 0)).await;
        desk.tell();
        puts_off(&mut desk, &owner, id, at(0, 14, 0)).await;
        let hold = desk.row(id).await.hold.unwrap();
        assert!(hold.starts_with("Tyst: uppskjutet"), "{hold}");
        desk.until(at(0, 13, 59)).await;
        assert_eq!(desk.tell(), "", "half of the time has gone at a quarter past one");
        desk.until(at(0, 14, 1)).await;
        assert_eq!(desk.tell(), format!("Mon 23/11 14:00 {id} said to {owner} in terminal: due-soon\n"));
        desk.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reminder_is_put_off_for_two_weeks_at_most_and_never_past_what_was_promised() {
    for engine in ENGINES {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let id = desk.opens(Matter::default()).await;
        let owner = desk.row(id).await.owner.unwrap();
        desk.until(at(0, 9, 30)).await;
        desk.tell();
        let now = desk.now();
        let longest = now.plus(Duration::from_hours(14 * 24));
        for until in [now, longest.plus(Duration::from_mins(1))] {
            let mut tx = desk.running.app.db.write().await.unwrap();
            let refused = acts::snooze(&mut tx, &owner, id, None, until, "Väntar på besked.", now).await;
            assert!(matches!(refused, Err(Refused::Incomplete(_))), "{until}");
        }
        puts_off(&mut desk, &owner, id, longest).await;
        desk.until(at(1, 8, 59)).await;
        assert_eq!(desk.tell(), "", "it is silent until it is due");
        desk.until(at(1, 9, 1)).await;
        let told = desk.tell();
        assert!(told.contains(&format!("Tue 24/11 09:00 {id} said to {owner} in terminal: due\n")), "{told}");
        desk.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i_have_it_said_after_a_reminder_was_put_off_holds_as_long_as_it_always_does() {
    for engine in ENGINES {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let id = desk.opens(Matter::default()).await;
        let owner = desk.row(id).await.owner.unwrap();
        desk.until(at(0, 13, 0)).await;
        puts_off(&mut desk, &owner, id, at(0, 14, 0)).await;
        desk.until(at(0, 13, 10)).await;
        let mut tx = desk.running.app.db.write().await.unwrap();
        acts::acknowledge(&mut tx, &owner, id, None, desk.now()).await.unwrap();
        tx.commit().await.unwrap();
        desk.tell();
        desk.until(at(0, 16, 0)).await;
        assert_eq!(desk.tell(), format!("Mon 23/11 13:10 {id} acknowledged by {owner}\n"));
        desk.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_long_silence_the_line_is_told_step_by_step_and_not_all_at_once() {
    for engine in ENGINES {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let id = desk.opens(Matter::default()).await;
        let owner = desk.row(id).await.owner.unwrap();
        desk.until(at(1, 9, 30)).await;
        puts_off(&mut desk, &owner, id, at(2, 9, 0)).await;
        desk.tell();
        desk.until(at(2, 10, 30)).await;
        let told = desk.tell();
        assert!(told.starts_with(&format!("Wed 25/11 09:00 {id} said to {owner} in terminal: overdue\n")), "{told}");
        assert_eq!(told.matches(" said to ").count(), 1, "{told}");
        desk.until(at(2, 11, 30)).await;
        let told = desk.tell();
        assert!(told.starts_with(&format!("Wed 25/11 11:00 {id} said to ")) && told.ends_with(": deputy\n"), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
        desk.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_holder_is_at_the_dentist_the_one_who_stands_in_is_told_and_not_the_manager() {
    for engine in ENGINES {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let id = desk.opens(Matter::default()).await;
        assert_eq!(desk.row(id).await.owner.as_deref(), Some("sixten-prov"));
        is_away(&desk, "sixten-prov", at(0, 13, 0), at(0, 15, 0), None).await;
        desk.until(at(0, 12, 59)).await;
        desk.tell();
        desk.until(at(0, 14, 0)).await;
        assert_eq!(desk.tell(), format!("Mon 23/11 13:15 {id} said to hilda-pahittfors in terminal: due-soon\n"));
        assert_eq!(desk.row(id).await.owner.as_deref(), Some("sixten-prov"), "she keeps it");
        desk.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_is_back_early_is_told_of_what_she_stands_in_for() {
    for engine in ENGINES {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let id = desk.opens(Matter::default()).await;
        assert_eq!(desk.row(id).await.owner.as_deref(), Some("sixten-prov"));
        let organisation = Arc::clone(&desk.running.app.config.organisation);
        for staff in &organisation.staff {
            is_away(&desk, &staff.key, at(0, 12, 0), at(0, 15, 30), None).await;
        }
        desk.until(at(0, 11, 59)).await;
        desk.tell();
        desk.until(at(0, 13, 20)).await;
        assert_eq!(desk.tell(), "", "half of the time went at a quarter past one");
        let hold = desk.row(id).await.hold.unwrap();
        assert!(hold.starts_with("Ingen att påminna"), "{hold}");
        let now = desk.now();
        let mut tx = desk.running.app.db.write().await.unwrap();
        let absences = assignment::store::absences(&mut tx, now).await.unwrap();
        let hers = absences.iter().find(|row| row.staff == "hilda-pahittfors").unwrap();
        assert!(assignment::store::end_absence(&mut tx, hers.id, "hilda-pahittfors", now).await.unwrap());
        assert_eq!(wake::around(&mut tx, &organisation, "hilda-pahittfors", now).await.unwrap(), 1);
        tx.commit().await.unwrap();
        desk.until(now).await;
        assert_eq!(desk.tell(), format!("Mon 23/11 13:20 {id} said to hilda-pahittfors in terminal: due-soon\n"));
        assert_eq!(desk.row(id).await.owner.as_deref(), Some("sixten-prov"), "it is not hers");
        desk.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_who_has_left_had_goes_to_others_and_she_is_told_nothing_more() {
    for engine in ENGINES {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let id = desk.opens(Matter::default()).await;
        assert_eq!(desk.row(id).await.owner.as_deref(), Some("sixten-prov"));
        let leaves = |config: &mut Config| {
            let organisation = Arc::make_mut(&mut config.organisation);
            let hers = organisation.staff.iter_mut().filter(|staff| staff.key == "sixten-prov");
            hers.for_each(|staff| staff.period.until = Some(at(0, 12, 0)));
        };
        let mut desk = desk.again(at(0, 11, 0), leaves).await;
        desk.until(at(0, 11, 59)).await;
        assert_eq!(desk.row(id).await.owner.as_deref(), Some("sixten-prov"), "not before she leaves");
        desk.tell();
        for minutes in 0..3 {
            desk.until(at(0, 12, minutes)).await;
        }
        assert_eq!(desk.row(id).await.owner.as_deref(), Some("hilda-pahittfors"));
        desk.until(at(1, 16, 0)).await;
        let told = desk.tell();
        assert!(told.contains("from sixten-prov to hilda-pahittfors"), "{told}");
        assert!(!told.contains("said to sixten-prov"), "{told}");
        desk.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_a_document_goes_from_one_registrator_to_another_and_to_nobody_else() {
    for engine in ENGINES {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let id = desk.opens(Matter { intent: "begaran-handling", ..Matter::default() }).await;
        let owner = desk.row(id).await.owner.unwrap();
        let entrusted = desk.running.app.config.organisation.function("registrator").unwrap().staff.clone();
        assert!(entrusted.contains(&owner), "{owner}");
        is_away(&desk, &owner, at(0, 10, 0), at(4, 0, 0), None).await;
        desk.until(at(0, 10, 1)).await;
        let next = desk.row(id).await.owner.unwrap();
        assert!(next != owner && entrusted.contains(&next), "{next}");
        desk.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_a_document_is_promised_reminded_of_and_answered_the_day_it_came() {
    for engine in ENGINES {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let id = desk.opens(Matter { intent: "begaran-handling", ..Matter::default() }).await;
        let row = desk.row(id).await;
        let (owner, due) = (row.owner.unwrap(), row.due_at.unwrap());
        let entrusted = desk.running.app.config.organisation.function("registrator").unwrap().staff.clone();
        assert!(row.lane.as_deref() == Some(Lane::Document.slug()) && entrusted.contains(&owner), "{owner}");
        assert!(due > at(0, 9, 0) && due < at(1, 0, 0), "the same working day: {due}");
        desk.until(due.minus(Duration::from_mins(1))).await;
        let mut tx = desk.running.app.db.read().await.unwrap();
        let told = lyhord::reminder::store::of_cases(&mut tx, &[id]).await.unwrap();
        drop(tx);
        let soon = told.iter().filter(|row| row.stage == "due-soon").map(|row| row.recipient.as_str());
        assert_eq!(soon.collect::<Vec<_>>(), [owner.as_str()], "before it is due, and nobody else");
        // Her own answer is the answer: nobody's yes is asked for.
        desk.answers(&owner, id).await;
        let answered = desk.now();
        let row = desk.row(id).await;
        assert_eq!((row.first_answer_at, row.state.as_str()), (Some(answered), "answered"));
        assert!(desk.events(id).await.contains("first fulfil"), "{}", desk.events(id).await);
        desk.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_she_named_to_stand_in_gets_her_cases() {
    for engine in ENGINES {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let id = desk.opens(Matter { intent: "klagomal", ..Matter::default() }).await;
        let owner = desk.row(id).await.owner.unwrap();
        is_away(&desk, &owner, at(0, 12, 0), at(4, 0, 0), Some("ulf-pahittsson")).await;
        desk.until(at(0, 12, 1)).await;
        let row = desk.row(id).await;
        assert_eq!(row.owner.as_deref(), Some("ulf-pahittsson"), "although others of the unit have room");
        assert!(row.route_because.unwrap().contains("utsedd till ersättare"));
        desk.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_is_away_is_offered_a_case() {
    for engine in ENGINES {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let id = desk.opens(Matter { intent: "klagomal", ..Matter::default() }).await;
        assert_eq!(desk.row(id).await.owner.as_deref(), Some("sixten-prov"));
        is_away(&desk, "hilda-pahittfors", at(0, 8, 0), at(4, 0, 0), None).await;
        let app = Arc::clone(&desk.running.app);
        let organisation = &app.config.organisation;
        let mut tx = app.db.write().await.unwrap();
        let to = Receiver::Staff("hilda-pahittfors".to_owned());
        let wanted = HandOver { to: &to, note: "", reach: Reach::Within };
        let now = desk.now();
        let refused = offer_acts::hand_over(&mut tx, organisation, "sixten-prov", id, None, wanted, now).await;
        assert!(matches!(refused, Err(Refused::Incomplete(why)) if why.contains("borta")));
        let row = desk.row(id).await;
        press::hand_over(&mut tx, organisation, "sixten-prov", &row, (None, Reach::Within), now).await.unwrap();
        tx.commit().await.unwrap();
        desk.until(now).await;
        let next = desk.row(id).await.owner;
        assert_eq!(next.as_deref(), Some("rut-exempelgren"), "the usual deputy is away, so the manager is next");
        desk.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_case_that_is_offered_to_a_unit_those_who_are_there_are_told() {
    for engine in ENGINES {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let id = desk.opens(Matter { intent: "klagomal", ..Matter::default() }).await;
        let owner = desk.row(id).await.owner.unwrap();
        is_away(&desk, "tove-fiktivgren", at(0, 8, 0), at(4, 0, 0), None).await;
        desk.tell();
        let app = Arc::clone(&desk.running.app);
        let mut tx = app.db.write().await.unwrap();
        let to = Receiver::Unit("gata".to_owned());
        let wanted = HandOver { to: &to, note: "", reach: Reach::Beyond };
        offer_acts::hand_over(&mut tx, &app.config.organisation, &owner, id, None, wanted, desk.now()).await.unwrap();
        tx.commit().await.unwrap();
        desk.until(at(0, 9, 5)).await;
        let told = desk.tell();
        assert!(told.contains("said to ulf-pahittsson in terminal: offer-"), "{told}");
        assert!(!told.contains("said to tove-fiktivgren"), "{told}");
        desk.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silence_holds_what_it_is_about_until_it_ends_and_says_why() {
    for engine in ENGINES {
        for (scope, subject) in [("person", "sixten-prov"), ("unit", "va"), ("topic", "va"), ("crisis", "")] {
            let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
            let id = desk.opens(Matter::default()).await;
            assert_eq!(desk.row(id).await.owner.as_deref(), Some("sixten-prov"));
            desk.until(at(0, 9, 30)).await;
            desk.tell();
            let mut tx = desk.running.app.db.write().await.unwrap();
            let (now, until) = (desk.now(), at(0, 14, 30));
            lyhord::reminder::store::put_silence(
                &mut tx,
                scope,
                subject,
                now,
                until,
                "Övning i huset",
                "rut-exempelgren",
            )
            .await
            .unwrap();
            let about = match scope {
                "unit" => Some(About::Unit(subject)),
                "topic" => Some(About::Topic(subject)),
                "crisis" => Some(About::Crisis),
                _ => None,
            };
            let woken = match about {
                Some(about) => silence_changed(&mut tx, about, now).await.unwrap(),
                None => wake::around(&mut tx, &desk.running.app.config.organisation, subject, now).await.unwrap(),
            };
            assert_eq!(
                woken,
                u64::from(about.is_none()),
                "{scope}: she has been told, so no silence changes anything yet"
            );
            tx.commit().await.unwrap();
            desk.until(at(0, 14, 29)).await;
            assert_eq!(desk.tell(), "", "{scope}: half of the time has gone at a quarter past one");
            let hold = desk.row(id).await.hold.unwrap();
            assert!(hold.contains("Övning i huset") && hold.contains("14.30"), "{scope}: {hold}");
            desk.until(at(0, 14, 31)).await;
            let told = format!("Mon 23/11 14:30 {id} said to sixten-prov in terminal: due-soon\n");
            assert_eq!(desk.tell(), told, "{scope}");
            desk.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promise_runs_by_the_hours_it_was_made_with_although_they_have_been_changed() {
    for engine in ENGINES {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let id = desk.opens(Matter::default()).await;
        let made = desk.row(id).await;
        let round_the_clock = |config: &mut Config| {
            Arc::make_mut(&mut config.calendars).insert(Calendar::weekly("kontor", Week::always(), Year::Plain));
        };
        let mut desk = desk.again(at(0, 10, 0), round_the_clock).await;
        let other = desk.opens(Matter::default()).await;
        assert_ne!(desk.row(other).await.calendar, made.calendar, "a new promise is made with the new hours");
        let mut tx = desk.running.app.db.write().await.unwrap();
        let calendars = &desk.running.app.config.calendars;
        promise_acts::wait_for_citizen(&mut tx, calendars, "sixten-prov", id, None, 5, "Vilken gata?", at(0, 10, 0))
            .await
            .unwrap();
        promise_acts::resume(&mut tx, calendars, "sixten-prov", id, None, "by-hand", at(0, 12, 0)).await.unwrap();
        tx.commit().await.unwrap();
        let row = desk.row(id).await;
        assert_eq!(row.due_at, Some(at(1, 11, 0)), "two office hours later: the night is still closed");
        assert_eq!((row.calendar, row.policy_version), (made.calendar, made.policy_version));
        desk.until(at(0, 12, 0)).await;
        desk.stop().await;
    }
}

/// The inbox as this person sees it.
async fn inbox(desk: &Desk, staff: &str) -> String {
    let (token, csrf, now) = (secret::new(), secret::new(), desk.now());
    let mut tx = desk.running.app.db.write().await.unwrap();
    store::put_account(&mut tx, staff, now).await.unwrap();
    let until = now.plus(Duration::from_hours(12));
    store::put_session(&mut tx, &secret::hash(&token), staff, &csrf, now, until).await.unwrap();
    tx.commit().await.unwrap();
    let request =
        Request::get("/inkorg").header(header::COOKIE, format!("__Host-lyhord={token}")).body(Body::empty()).unwrap();
    let response = lyhord::web::router(Arc::clone(&desk.running.app)).oneshot(request).await.unwrap();
    let page = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(page.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inbox_says_why_each_case_is_silent() {
    let mut desk = Desk::open(ENGINES[0], at(0, 9, 0), as_is).await;
    let mut cases = Vec::new();
    for _ in 0..5 {
        cases.push(desk.opens(Matter::default()).await);
        desk.until(desk.now().plus(Duration::from_mins(1))).await;
    }
    let [told, put_off, seen, waits, unit] = cases[..] else { panic!("five cases") };
    let who = "sixten-prov";
    puts_off(&mut desk, who, put_off, at(0, 15, 0)).await;
    let app = Arc::clone(&desk.running.app);
    let mut tx = app.db.write().await.unwrap();
    let now = desk.now();
    acts::acknowledge(&mut tx, who, seen, None, now).await.unwrap();
    let calendars = &app.config.calendars;
    promise_acts::wait_for_citizen(&mut tx, calendars, who, waits, None, 5, "Vilken gata?", now).await.unwrap();
    tx.commit().await.unwrap();
    desk.until(desk.now()).await;
    let page = inbox(&desk, "rut-exempelgren").await;
    for (case, why) in [
        (told, "Påmint, nästa påminnelse"),
        (put_off, "Tyst: uppskjutet till"),
        (seen, "Tyst: kvitterat, påminns igen"),
        (waits, "Tyst: väntar på den som skrev"),
    ] {
        let hold = desk.row(case).await.hold.unwrap();
        assert!(hold.starts_with(why), "{hold}");
        assert!(page.contains(&hold), "{hold} does not stand in the inbox");
    }
    // In the evening it is the hour that is silent.
    desk.until(at(0, 18, 0)).await;
    let page = inbox(&desk, "rut-exempelgren").await;
    let hold = desk.row(unit).await.hold.unwrap();
    assert!(page.contains(&hold), "{hold} does not stand in the inbox");
    desk.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_promises_of_a_case_that_is_dismissed_are_withdrawn_and_nobody_is_told_more() {
    for engine in ENGINES {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let id = desk.opens(Matter::default()).await;
        desk.until(at(0, 10, 0)).await;
        let mut tx = desk.running.app.db.write().await.unwrap();
        acts::dismiss(
            &mut tx,
            "sixten-prov",
            id,
            None,
            DismissReason::NotAboutUs,
            "Det gäller en annan kommun.",
            at(0, 10, 0),
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
        desk.until(at(0, 10, 1)).await;
        desk.tell();
        desk.until(at(3, 12, 0)).await;
        assert_eq!(desk.tell(), "");
        let events = desk.events(id).await;
        let withdrawn = events.lines().filter(|line| line.contains("withdraw Mon 23/11 10:00")).count();
        assert_eq!(withdrawn, 2, "{events}");
        desk.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn danger_at_night_goes_to_the_next_when_the_one_on_call_is_away() {
    for engine in ENGINES {
        let mut desk = Desk::open(engine, when("2026-11-25 02:30"), as_is).await;
        is_away(&desk, "hilda-pahittfors", when("2026-11-24 00:00"), when("2026-11-27 00:00"), None).await;
        let id = desk.opens(Matter { urgency: "akut", ..Matter::default() }).await;
        assert_eq!(desk.row(id).await.owner.as_deref(), Some("sixten-prov"));
        assert!(desk.tell().contains("said to sixten-prov in terminal: notice"), "at once, in the night");
        desk.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_manager_may_see_stays_with_those_entrusted_with_it() {
    let mut desk = Desk::open(ENGINES[0], at(0, 9, 0), as_is).await;
    let organisation = &desk.running.app.config.organisation;
    for unit in ["kansli", "naringsliv"] {
        let route = organisation.route_again(unit, Lane::WhistleBlowing);
        assert_eq!(route.function.as_deref(), Some("visselblasning"), "{unit}");
    }
    assert_eq!(organisation.route_again("va", Lane::Ordinary).function, None);
    desk.until(desk.now().plus(Duration::from_mins(1))).await;
    desk.stop().await;
}
