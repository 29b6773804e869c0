//! Whose it is, until when, and who is told: through the real jobs, on both databases.
//!
//! The cases from what broke elsewhere, and the test that holds each:
//!
//! | case | fault elsewhere | test |
//! |---|---|---|
//! | 1 | an hour over the weekend | `an_hour_before_the_weekend_ends_on_monday_morning` |
//! | 2 | hours before opening | `hours_before_opening_count_from_opening` |
//! | 3 | half an hour over the weekend | `half_an_hour_over_the_weekend_is_due_at_a_quarter_past_nine` |
//! | 4 | four hours at four o'clock | `four_hours_at_four_o_clock_end_at_noon_the_next_working_day` |
//! | 5 | a message at lunch | `a_message_in_the_lunch_break_counts_from_its_end` |
//! | 6 | reopened, ten minutes | `a_reply_ten_minutes_after_reopening_took_ten_minutes` |
//! | 7 | a machine answered | `what_our_own_account_posts_by_itself_keeps_no_promise` |
//! | 7 | … by letter | `an_automatic_reply_in_the_thread_of_a_case_keeps_no_promise` |
//! | 8 | who answered gets the credit | `credit_goes_to_who_answered_and_not_to_whose_it_was` |
//! | 9 | we spoke last | `an_answer_by_us_stops_it_and_a_note_from_the_citizen_begins_it_anew` |
//! | 10 | a reminder at midnight | `nobody_is_told_at_midnight_or_on_a_weekend` |
//! | 11 | capacity three, the fourth waits | `the_waiting_one_is_given_before_a_fifth_when_somebody_has_room` |
//! | 12 | two claims in the same moment | `of_two_processes_that_claim_at_once_exactly_one_wins` |
//! | 13 | twenty full working days | `twenty_full_working_days_begin_the_day_after_arrival` |
//! | 14 | one case tops the table | `few_cases_are_not_told_and_many_are_with_the_open_ones_in_the_base` |
//! | 15 | changed rules move a running ladder | `a_running_ladder_climbs_by_the_rules_it_began_with` |

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use lyhord::app::{App, wake};
use lyhord::assignment::handover::{Receiver, Reply};
use lyhord::case::{DismissReason, Threat};
use lyhord::clock::{Clock, Time};
use lyhord::id::CaseId;
use lyhord::reminder::{Ladder, Ladders, digest_store};
use lyhord::response::offer_acts::{HandOver, Reach};
use lyhord::response::{Refused, acts, lane_acts, offer_acts, promise_acts};
use lyhord::{assignment, case};

use crate::desk::{Desk, Matter, when};
use crate::harness::{ENGINES, Engine, at};

fn as_is(_: &mut lyhord::config::Config) {}

/// Runs a story on both databases and gives what it told, when both told the same.
async fn on_both<Run: Future<Output = String>>(story: impl Fn(Engine) -> Run) -> String {
    let [sqlite, postgres] = ENGINES;
    let told = story(sqlite).await;
    assert_eq!(told, story(postgres).await, "the same on both databases");
    told
}

async fn act<F>(desk: &mut Desk, act: F)
where
    F: AsyncFnOnce(&mut lyhord::db::Tx, &App, Time) -> Result<lyhord::response::Done, Refused>,
{
    let app = Arc::clone(&desk.running.app);
    let mut tx = app.db.write().await.unwrap();
    act(&mut tx, &app, desk.now()).await.unwrap();
    tx.commit().await.unwrap();
    desk.until(desk.now()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_from_elsewhere_has_its_test() {
    let known = crate::policy::functions();
    let own = include_str!("coordination.rs");
    let mut cases = BTreeSet::new();
    for line in own.lines().filter_map(|line| line.strip_prefix("//! | ")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let Ok(number) = cells[0].parse::<u8>() else { continue };
        let test = cells[2].trim_matches('`');
        assert!(known.contains(test), "{test} is not a test");
        cases.insert(number);
    }
    assert_eq!(cases, (1..=15).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promise_rests_while_the_citizen_has_the_word_and_runs_on_when_she_writes() {
    let told = on_both(async |engine| {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let id = desk.opens(Matter { thread: Some("t1"), ..Matter::default() }).await;
        desk.until(at(0, 10, 0)).await;
        act(&mut desk, async |tx, app, now| {
            let calendars = &app.config.calendars;
            promise_acts::wait_for_citizen(tx, calendars, "sixten-prov", id, None, 5, "Vilken gata?", now).await
        })
        .await;
        let row = desk.row(id).await;
        assert_eq!(row.hold.as_deref(), Some("Tyst: väntar på den som skrev"));
        desk.until(at(2, 11, 0)).await;
        assert_eq!(desk.number("select count(*) from promise_events where what = 'breach'").await, 0, "it rests");
        // She writes in the thread: no question, no case of its own, but the word we waited for.
        let app = Arc::clone(&desk.running.app);
        let mut tx = app.db.write().await.unwrap();
        let row = case::store::find(&mut tx, id).await.unwrap().unwrap();
        promise_acts::take_up(&mut tx, &app.config.calendars, &row, desk.now()).await.unwrap();
        tx.commit().await.unwrap();
        desk.until(at(2, 11, 0)).await;
        let row = desk.row(id).await;
        assert_eq!((row.waiting_since, row.waiting_until), (None, None));
        desk.until(at(2, 12, 0)).await;
        desk.answers("sixten-prov", id).await;
        let told = desk.events(id).await;
        desk.stop().await;
        told
    })
    .await;
    insta::assert_snapshot!(told, @r"
    first activate Mon 23/11 09:00 due Tue 24/11 09:00
    whole activate Mon 23/11 09:00 due Wed 25/11 09:00
    first pause Mon 23/11 10:00
    whole pause Mon 23/11 10:00
    first resume Wed 25/11 11:00 due Thu 26/11 10:00
    whole resume Wed 25/11 11:00 due Fri 27/11 10:00
    first fulfil Wed 25/11 12:00
    whole fulfil Wed 25/11 12:00
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_has_lasted_as_long_as_was_said_ends_by_itself() {
    let told = on_both(async |engine| {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let id = desk.opens(Matter::default()).await;
        desk.until(at(0, 10, 0)).await;
        act(&mut desk, async |tx, app, now| {
            let calendars = &app.config.calendars;
            promise_acts::wait_for_citizen(tx, calendars, "sixten-prov", id, None, 3, "Vilken gata?", now).await
        })
        .await;
        desk.tell();
        desk.until(at(4, 17, 0)).await;
        let told = desk.tell();
        desk.stop().await;
        told
    })
    .await;
    insta::assert_snapshot!(told, @r"
    Thu 26/11 10:00 1 runs again: waited-enough
    Thu 26/11 13:15 1 said to sixten-prov in terminal: due-soon
    Thu 26/11 15:48 1 said to sixten-prov in terminal: due-close
    Fri 27/11 09:00 1 said to sixten-prov in terminal: due
    Fri 27/11 09:00 1 broken: first-response
    Fri 27/11 11:00 1 said to hilda-pahittfors in terminal: deputy
    Fri 27/11 11:00 1 said to sixten-prov in terminal: overdue
    Fri 27/11 13:00 1 said to rut-exempelgren in terminal: manager
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breach_is_written_once_and_an_answer_in_time_that_is_noted_late_takes_it_back() {
    on_both(async |engine| {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let (late, in_time) = (desk.opens(Matter::default()).await, desk.opens(Matter::default()).await);
        desk.until(at(1, 11, 0)).await;
        assert_eq!(desk.number("select count(*) from promise_events where what = 'breach'").await, 2);
        desk.answers("sixten-prov", late).await;
        let app = Arc::clone(&desk.running.app);
        let mut tx = app.db.write().await.unwrap();
        let answered_at = Some(at(0, 15, 0));
        let answer = acts::Answer { text: "Klart.", url: None, outcome: None, unit: None, answered_at };
        acts::answer(&mut tx, "sixten-prov", in_time, None, answer, at(1, 11, 0)).await.unwrap();
        tx.commit().await.unwrap();
        desk.until(at(3, 11, 0)).await;
        let mut broken = Vec::new();
        for id in [late, in_time] {
            let row = desk.row(id).await;
            let mut tx = app.db.read().await.unwrap();
            let promised = promise_acts::Promised::load(&mut tx, &row).await.unwrap();
            broken.push(promised.of(case::PromiseKind::FirstResponse).breached_at);
        }
        assert_eq!(broken, [Some(at(1, 9, 0)), None]);
        desk.stop().await;
        String::new()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_answer_keeps_the_first_promise_and_the_whole_one_runs_on() {
    let told = on_both(async |engine| {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let id = desk.opens(Matter::default()).await;
        desk.until(at(0, 10, 0)).await;
        act(&mut desk, async |tx, _, now| {
            promise_acts::first_reply(tx, "sixten-prov", id, None, "Vi återkommer i morgon.", None, now).await
        })
        .await;
        let row = desk.row(id).await;
        assert_eq!((row.first_answer_at, row.closed_at), (Some(at(0, 10, 0)), None));
        assert_eq!(row.due_at, row.resolve_by, "what is due now is the whole answer");
        desk.until(at(2, 8, 0)).await;
        desk.answers("hilda-pahittfors", id).await;
        assert_eq!(desk.row(id).await.first_answer_at, Some(at(0, 10, 0)));
        let told = format!("{}\n{}", desk.events(id).await, desk.tell());
        desk.stop().await;
        told
    })
    .await;
    insta::assert_snapshot!(told, @r"
    first activate Mon 23/11 09:00 due Tue 24/11 09:00
    whole activate Mon 23/11 09:00 due Wed 25/11 09:00
    first fulfil Mon 23/11 10:00
    whole fulfil Wed 25/11 08:00
    Mon 23/11 09:00 1 assigned to sixten-prov
    Mon 23/11 09:00 1 said to sixten-prov in terminal: notice
    Tue 24/11 09:30 1 said to sixten-prov in terminal: due-soon
    Tue 24/11 14:06 1 said to sixten-prov in terminal: due-close
    Wed 25/11 08:00 1 answered by hilda-pahittfors
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journalists_own_deadline_moves_the_promise_and_never_later() {
    let told = on_both(async |engine| {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let id = desk.opens(Matter { intent: "media", ..Matter::default() }).await;
        desk.until(at(0, 9, 1)).await;
        for until in [at(0, 11, 0), at(2, 9, 0)] {
            act(&mut desk, async |tx, _, now| {
                promise_acts::set_deadline(tx, "ivar-provsson", id, None, until, now).await
            })
            .await;
            desk.until(desk.now().plus(Duration::from_secs(1))).await;
        }
        assert_eq!(desk.row(id).await.due_at, Some(at(0, 11, 0)));
        let told = desk.events(id).await;
        desk.stop().await;
        told
    })
    .await;
    insta::assert_snapshot!(told, @r"
    first activate Mon 23/11 09:00 due Mon 23/11 14:00
    whole activate Mon 23/11 09:00 due Mon 23/11 14:00
    first apply Mon 23/11 09:01 due Mon 23/11 11:00
    whole apply Mon 23/11 09:01 due Mon 23/11 11:00
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn cases_go_to_others_when_the_owners_absence_begins_and_a_new_round_begins() {
    let told = on_both(async |engine| {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let id = desk.opens(Matter { intent: "klagomal", ..Matter::default() }).await;
        let owner = desk.row(id).await.owner.unwrap();
        desk.until(at(0, 9, 1)).await;
        act(&mut desk, async |tx, _, now| acts::take(tx, &owner, id, None, now).await).await;
        // She notes that she is away from Tuesday on; nothing happens before it begins.
        let app = Arc::clone(&desk.running.app);
        let mut tx = app.db.write().await.unwrap();
        assignment::store::put_absence(&mut tx, &owner, at(1, 0, 0), at(4, 0, 0), None).await.unwrap();
        tx.commit().await.unwrap();
        desk.until(at(0, 16, 0)).await;
        assert_eq!(desk.row(id).await.owner.as_deref(), Some(owner.as_str()));
        desk.until(at(1, 12, 0)).await;
        let row = desk.row(id).await;
        assert_ne!(row.owner.as_deref(), Some(owner.as_str()));
        assert_eq!((row.round, row.accepted_at, row.state.as_str()), (2, None, "assigned"));
        let told = desk.tell();
        desk.stop().await;
        told
    })
    .await;
    insta::assert_snapshot!(told, @r"
    Mon 23/11 09:00 1 assigned to sixten-prov
    Mon 23/11 09:00 1 said to sixten-prov in terminal: notice
    Mon 23/11 09:01 1 taken by sixten-prov
    Tue 24/11 00:00 1 from sixten-prov to hilda-pahittfors: absence
    Tue 24/11 08:00 1 said to hilda-pahittfors in terminal: due-close
    Tue 24/11 09:00 1 said to hilda-pahittfors in terminal: due
    Tue 24/11 09:00 1 broken: first-response
    Tue 24/11 11:00 1 said to hilda-pahittfors in terminal: overdue
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_at_the_dentist_moves_no_case() {
    on_both(async |engine| {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let id = desk.opens(Matter::default()).await;
        let owner = desk.row(id).await.owner.unwrap();
        let app = Arc::clone(&desk.running.app);
        let mut tx = app.db.write().await.unwrap();
        assignment::store::put_absence(&mut tx, &owner, at(0, 10, 0), at(0, 11, 0), None).await.unwrap();
        tx.commit().await.unwrap();
        desk.until(at(0, 12, 0)).await;
        assert_eq!(desk.row(id).await.owner, Some(owner));
        desk.stop().await;
        String::new()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_that_is_handed_over_stays_with_its_owner_until_somebody_says_yes() {
    let told = on_both(async |engine| {
        let mut desk = Desk::open(engine, at(0, 16, 0), as_is).await;
        let id = desk.opens(Matter { intent: "klagomal", ..Matter::default() }).await;
        let owner = desk.row(id).await.owner.unwrap();
        let offer = async |desk: &mut Desk, to: &Receiver| {
            act(desk, async |tx, app, now| {
                let wanted = HandOver { to, note: "Det gäller vägen.", reach: Reach::Within };
                let asked = offer_acts::hand_over(tx, &app.config.organisation, &owner, id, None, wanted, now).await;
                asked.map(|(done, _)| done)
            })
            .await;
        };
        // After hours: she is asked in the morning.
        desk.until(at(0, 20, 0)).await;
        offer(&mut desk, &Receiver::Staff("ulf-pahittsson".into())).await;
        assert_eq!(desk.row(id).await.owner.as_deref(), Some(owner.as_str()));
        desk.until(at(1, 9, 0)).await;
        act(&mut desk, async |tx, app, now| {
            let no = Reply::Decline { reason: "Det är inte min väg.".into() };
            offer_acts::reply(tx, &app.config.organisation, "ulf-pahittsson", id, None, &no, now).await
        })
        .await;
        assert_eq!(desk.row(id).await.owner.as_deref(), Some(owner.as_str()));
        desk.until(at(1, 10, 0)).await;
        offer(&mut desk, &Receiver::Unit("gata".into())).await;
        desk.until(at(1, 10, 30)).await;
        let refused = {
            let app = Arc::clone(&desk.running.app);
            let mut tx = app.db.write().await.unwrap();
            let yes = offer_acts::reply(
                &mut tx,
                &app.config.organisation,
                "hedda-exempel",
                id,
                None,
                &Reply::Accept,
                desk.now(),
            );
            yes.await.unwrap_err()
        };
        assert!(matches!(refused, Refused::Incomplete(_)), "she was not asked");
        act(&mut desk, async |tx, app, now| {
            offer_acts::reply(tx, &app.config.organisation, "liv-mallfors", id, None, &Reply::Accept, now).await
        })
        .await;
        let row = desk.row(id).await;
        assert_eq!(
            (row.owner.as_deref(), row.unit.as_deref(), row.state.as_str()),
            (Some("liv-mallfors"), Some("gata"), "accepted")
        );
        let told = desk.tell();
        desk.stop().await;
        told
    })
    .await;
    insta::assert_snapshot!(told, @r"
    Mon 23/11 16:00 1 assigned to sixten-prov
    Mon 23/11 16:00 1 said to sixten-prov in terminal: notice
    Mon 23/11 20:00 1 offered by sixten-prov
    Tue 24/11 08:00 1 said to ulf-pahittsson in terminal: offer-1
    Tue 24/11 09:00 1 declined by ulf-pahittsson
    Tue 24/11 09:00 1 said to sixten-prov in terminal: kept-1
    Tue 24/11 10:00 1 offered by sixten-prov
    Tue 24/11 10:00 1 said to liv-mallfors in terminal: offer-2
    Tue 24/11 10:00 1 said to tove-fiktivgren in terminal: offer-2
    Tue 24/11 10:00 1 said to ulf-pahittsson in terminal: offer-2
    Tue 24/11 10:30 1 accepted by liv-mallfors
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_nobody_answers_ends_and_its_owner_is_told() {
    let told = on_both(async |engine| {
        let mut desk = Desk::open(engine, at(0, 10, 0), as_is).await;
        let id = desk.opens(Matter { intent: "klagomal", ..Matter::default() }).await;
        let owner = desk.row(id).await.owner.unwrap();
        desk.until(at(0, 10, 1)).await;
        act(&mut desk, async |tx, app, now| {
            let to = Receiver::Staff("ulf-pahittsson".into());
            let wanted = HandOver { to: &to, note: "", reach: Reach::Within };
            let asked = offer_acts::hand_over(tx, &app.config.organisation, &owner, id, None, wanted, now).await;
            asked.map(|(done, _)| done)
        })
        .await;
        desk.tell();
        desk.until(at(1, 12, 0)).await;
        assert_eq!(desk.row(id).await.owner, Some(owner));
        let told = desk.tell();
        desk.stop().await;
        told
    })
    .await;
    insta::assert_snapshot!(told, @r"
    Tue 24/11 09:31 1 said to sixten-prov in terminal: due-close
    Tue 24/11 10:00 1 said to sixten-prov in terminal: due
    Tue 24/11 10:00 1 broken: first-response
    Tue 24/11 10:01 1 offer expired
    Tue 24/11 10:01 1 said to sixten-prov in terminal: kept-1
    Tue 24/11 12:00 1 said to hilda-pahittfors in terminal: deputy
    Tue 24/11 12:00 1 said to sixten-prov in terminal: overdue
    ");
}

/// Three at the desks of VA, with room for three cases each.
fn three_desks_of_three(config: &mut lyhord::config::Config) {
    for staff in &mut Arc::make_mut(&mut config.organisation).staff {
        if staff.key == "liv-mallfors" {
            "va".clone_into(&mut staff.unit);
        }
        if staff.unit == "va" {
            staff.capacity = 3;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_waiting_one_is_given_before_a_fifth_when_somebody_has_room() {
    on_both(async |engine| {
        let mut desk = Desk::open(engine, at(0, 9, 0), three_desks_of_three).await;
        let comes = async |desk: &mut Desk, urgency| {
            desk.until(desk.now().plus(Duration::from_mins(1))).await;
            desk.opens(Matter { intent: "klagomal", urgency, ..Matter::default() }).await
        };
        let (mut ids, mut owners) = (Vec::new(), Vec::new());
        for _ in 0..9 {
            let id = comes(&mut desk, "normal").await;
            let row = desk.row(id).await;
            assert_eq!(row.queued_at, None, "there is room for nine");
            owners.push(row.owner.unwrap());
            ids.push(id);
        }
        for staff in ["sixten-prov", "hilda-pahittfors", "liv-mallfors"] {
            assert_eq!(owners.iter().filter(|owner| *owner == staff).count(), 3, "{owners:?}");
        }
        let tenth = comes(&mut desk, "normal").await;
        let row = desk.row(tenth).await;
        assert!(row.queued_at.is_some(), "all three have as much as they can");
        let keeper = row.owner.unwrap();
        assert!(row.route_because.unwrap().contains("svarar för kön"), "and somebody answers for the queue: {keeper}");
        desk.until(desk.now().plus(Duration::from_mins(1))).await;
        desk.answers(&owners[0], ids[0]).await;
        let waited = desk.row(tenth).await;
        assert_eq!((waited.owner.as_ref(), waited.queued_at), (Some(&owners[0]), None), "her turn has come at once");
        // One that comes later and is due sooner goes first when there is room; danger waits for nobody.
        let fourth = comes(&mut desk, "normal").await;
        let fifth = comes(&mut desk, "hog").await;
        let (patient, hurried) = (desk.row(fourth).await, desk.row(fifth).await);
        assert!(patient.queued_at.is_some() && hurried.queued_at.is_some());
        assert!(hurried.due_at < patient.due_at, "{:?} {:?}", hurried.due_at, patient.due_at);
        let acute = comes(&mut desk, "akut").await;
        assert_eq!(desk.row(acute).await.queued_at, None);
        desk.until(desk.now().plus(Duration::from_mins(1))).await;
        desk.answers(&owners[0], acute).await;
        assert!(desk.row(fifth).await.queued_at.is_some(), "who had the acute one has three others");
        desk.until(desk.now().plus(Duration::from_mins(1))).await;
        desk.answers(&owners[1], ids[1]).await;
        let given = desk.row(fifth).await;
        assert_eq!((given.owner.as_ref(), given.queued_at), (Some(&owners[1]), None), "what is due first goes first");
        assert!(desk.row(fourth).await.queued_at.is_some(), "one desk, one case");
        desk.until(desk.now().plus(Duration::from_mins(2))).await;
        desk.stop().await;
        String::new()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_a_document_never_waits_for_somebody_to_have_room() {
    let one_each = |config: &mut lyhord::config::Config| {
        for staff in Arc::make_mut(&mut config.organisation).staff.iter_mut().filter(|staff| staff.unit == "kansli") {
            staff.capacity = 1;
        }
    };
    on_both(async |engine| {
        let mut desk = Desk::open(engine, at(0, 9, 0), one_each).await;
        for _ in 0..3 {
            let id = desk.opens(Matter { intent: "begaran-handling", ..Matter::default() }).await;
            let row = desk.row(id).await;
            assert_eq!((row.lane.as_deref(), row.queued_at), (Some("handling"), None), "{:?}", row.route_because);
            desk.until(desk.now().plus(Duration::from_mins(1))).await;
        }
        desk.stop().await;
        String::new()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn danger_is_told_by_itself_while_a_message_about_others_waits() {
    on_both(async |engine| {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        // Five messages a minute to a person: of the six that each gets, the last waits for the next minute.
        for _ in 0..12 {
            desk.opens(Matter::default()).await;
        }
        assert_eq!(desk.number("select count(*) from messages where state = 'waiting'").await, 2);
        desk.opens(Matter { urgency: "akut", ..Matter::default() }).await;
        let with_it = "select count(distinct r.case_id) from reminders r where r.message_id in
            (select n.message_id from reminders n where n.case_id = (select max(id) from cases))";
        assert_eq!(desk.number(with_it).await, 1, "its message is about nothing else");
        let sent = "select count(*) from messages m join reminders n on n.message_id = m.id
            where n.case_id = (select max(id) from cases) and m.state = 'sent'";
        assert_eq!(desk.number(sent).await, 1, "and has gone");
        let waiting = "select count(*) from messages where state = 'waiting'";
        assert_eq!(desk.number(waiting).await, 2, "while the others wait as they did");
        desk.until(at(0, 9, 2)).await;
        assert_eq!(desk.number(waiting).await, 0);
        desk.stop().await;
        String::new()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_found_late_has_no_more_time_than_was_promised_when_it_is_opened_again() {
    on_both(async |engine| {
        let mut desk = Desk::open(engine, at(0, 15, 0), as_is).await;
        let id = desk.opens(Matter { arrived_at: Some(at(0, 9, 0)), ..Matter::default() }).await;
        assert_eq!(desk.row(id).await.due_at, Some(at(1, 15, 0)), "a working day from when it was found");
        desk.until(at(0, 15, 1)).await;
        act(&mut desk, async |tx, _, now| {
            acts::dismiss(tx, "sixten-prov", id, None, DismissReason::Withdrawn, "Hon tog bort det.", now).await
        })
        .await;
        desk.until(at(1, 9, 0)).await;
        act(&mut desk, async |tx, app, now| {
            acts::reopen(tx, &app.config.calendars, "sixten-prov", id, None, now).await
        })
        .await;
        assert_eq!(desk.row(id).await.due_at, Some(at(2, 9, 0)), "a working day again, not a day and our six hours");
        desk.answers("sixten-prov", id).await;
        desk.stop().await;
        String::new()
    })
    .await;
}

/// Elsewhere such a reply was said to have taken five days, one hour and ten minutes.
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_ten_minutes_after_reopening_took_ten_minutes() {
    on_both(async |engine| {
        let mut desk = Desk::open(engine, at(0, 10, 0), as_is).await;
        let id = desk.opens(Matter::default()).await;
        desk.until(at(0, 10, 1)).await;
        act(&mut desk, async |tx, _, now| {
            acts::dismiss(tx, "sixten-prov", id, None, DismissReason::Withdrawn, "Hon tog bort det.", now).await
        })
        .await;
        desk.until(at(4, 11, 0)).await;
        act(&mut desk, async |tx, app, now| {
            acts::reopen(tx, &app.config.calendars, "sixten-prov", id, None, now).await
        })
        .await;
        desk.until(at(4, 11, 10)).await;
        desk.answers("sixten-prov", id).await;
        let app = Arc::clone(&desk.running.app);
        let mut tx = app.db.read().await.unwrap();
        let scope = lyhord::audit::store::Scope { from: Time(0), until: at(9, 0, 0) };
        let seen = lyhord::audit::store::observations(&mut tx, &scope, desk.now()).await.unwrap();
        let told: Vec<_> = seen.iter().map(|one| (one.started_at, one.until, one.answered)).collect();
        assert_eq!(told, [(at(4, 11, 0), at(4, 11, 10), true)]);
        drop(tx);
        desk.stop().await;
        String::new()
    })
    .await;
}

/// Two Apps on one database are what two processes are: nothing is shared but the database.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_that_claim_at_once_exactly_one_wins() {
    for engine in ENGINES {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let address = desk.running.app.config.database.clone();
        let other = App::open(
            crate::running::config(
                "[municipality]\nname = \"Ale kommun\"\ncontact = \"x\"\nbase_url = \"http://localhost/\"\n",
                "",
                &address,
            ),
            Clock::manual(at(0, 9, 0)),
        )
        .await
        .unwrap();
        let mut won = [0, 0];
        for _ in 0..20 {
            let id = desk.opens(Matter::default()).await;
            // Both look at the same page before either of them clicks.
            let seen = desk.row(id).await.revision;
            let claim = async |app: &App, who: &str| {
                let mut tx = app.db.write().await.unwrap();
                match acts::take(&mut tx, who, id, Some(seen), at(0, 9, 1)).await {
                    Ok(_) => tx.commit().await.is_ok(),
                    Err(Refused::Overtaken(_)) => false,
                    Err(fault) => panic!("{fault}"),
                }
            };
            let (one, two) = tokio::join!(claim(&desk.running.app, "sixten-prov"), claim(&other, "hilda-pahittfors"));
            assert!(one ^ two, "exactly one: {one} {two}");
            let owner = desk.row(id).await.owner.unwrap();
            assert_eq!(owner, if one { "sixten-prov" } else { "hilda-pahittfors" });
            won[usize::from(two)] += 1;
        }
        assert_eq!(won.iter().sum::<i32>(), 20);
        other.db.close().await;
        desk.until(at(0, 9, 2)).await;
        desk.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_ladder_climbs_by_the_rules_it_began_with() {
    let told = on_both(async |engine| {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let old = desk.opens(Matter::default()).await;
        desk.until(at(0, 9, 30)).await;
        let stricter = |config: &mut lyhord::config::Config| {
            let ladder = Ladder { due_soon_percent: 10, due_close_percent: 20, ..Ladder::default() };
            config.ladders = Ladders::new(ladder, []);
        };
        let mut desk = desk.again(at(0, 9, 40), stricter).await;
        let new = desk.opens(Matter::default()).await;
        desk.tell();
        assert_ne!(desk.row(old).await.ladder, desk.row(new).await.ladder);
        desk.until(at(1, 8, 0)).await;
        let told = desk.tell();
        desk.stop().await;
        told
    })
    .await;
    insta::assert_snapshot!(told, @r"
    Mon 23/11 10:31 2 said to hilda-pahittfors in terminal: due-soon
    Mon 23/11 11:22 2 said to hilda-pahittfors in terminal: due-close
    Mon 23/11 13:15 1 said to sixten-prov in terminal: due-soon
    Mon 23/11 15:48 1 said to sixten-prov in terminal: due-close
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn danger_at_night_goes_to_the_one_on_call_and_says_that_it_breaks_the_silence() {
    let told = on_both(async |engine| {
        let mut desk = Desk::open(engine, when("2026-11-25 02:30"), as_is).await;
        let id = desk.opens(Matter { urgency: "akut", ..Matter::default() }).await;
        let calm = desk.opens(Matter::default()).await;
        assert_eq!(desk.number("select count(*) from reminders where breaks").await, 1);
        desk.until(when("2026-11-25 02:40")).await;
        desk.answers("hilda-pahittfors", id).await;
        desk.until(when("2026-11-25 09:00")).await;
        let told = format!("{}{}", desk.tell(), desk.row(calm).await.route_because.unwrap());
        desk.stop().await;
        told
    })
    .await;
    insta::assert_snapshot!(told, @r"
    Wed 25/11 02:30 1 assigned to hilda-pahittfors
    Wed 25/11 02:30 1 said to hilda-pahittfors in terminal: notice
    Wed 25/11 02:30 2 assigned to sixten-prov
    Wed 25/11 02:40 1 answered by hilda-pahittfors
    Wed 25/11 08:00 2 said to sixten-prov in terminal: notice
    Går till VA-enheten: ämnet är Vatten och avlopp. Sixten Prov i VA-enheten är på plats och har minst att göra (0 av 15 ärenden).
    ");
}

/// Who is told what, when and in which chat, while nobody does anything.
async fn timetable(engine: Engine, from: &str, until: &str, away: Option<(&str, &str)>) -> String {
    let mut desk = Desk::open(engine, when(from), as_is).await;
    let id = desk.opens(Matter::default()).await;
    if let Some((first, back)) = away {
        let owner = desk.row(id).await.owner.unwrap();
        let app = Arc::clone(&desk.running.app);
        let mut tx = app.db.write().await.unwrap();
        assignment::store::put_absence(&mut tx, &owner, when(first), when(back), None).await.unwrap();
        tx.commit().await.unwrap();
    }
    desk.until(when(until)).await;
    let told = desk.tell();
    desk.stop().await;
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_at_midnight_or_on_a_weekend() {
    let told = on_both(async |engine| timetable(engine, "2026-11-20 15:00", "2026-11-26 00:00", None).await).await;
    insta::assert_snapshot!(told, @r"
    Fri 20/11 15:00 1 assigned to sixten-prov
    Fri 20/11 15:00 1 said to sixten-prov in terminal: notice
    Mon 23/11 10:45 1 said to sixten-prov in terminal: due-soon
    Mon 23/11 13:18 1 said to sixten-prov in terminal: due-close
    Mon 23/11 15:00 1 said to sixten-prov in terminal: due
    Mon 23/11 15:00 1 broken: first-response
    Tue 24/11 08:30 1 said to hilda-pahittfors in terminal: deputy
    Tue 24/11 08:30 1 said to sixten-prov in terminal: overdue
    Tue 24/11 10:30 1 said to rut-exempelgren in terminal: manager
    Tue 24/11 14:30 1 said to bo-provberg in terminal: chief
    Tue 24/11 15:00 1 broken: resolution
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timetable_over_midsummer() {
    let told = on_both(async |engine| timetable(engine, "2026-06-18 14:00", "2026-06-24 00:00", None).await).await;
    insta::assert_snapshot!(told, @r"
    Thu 18/06 14:00 1 assigned to sixten-prov
    Thu 18/06 14:00 1 said to sixten-prov in terminal: notice
    Mon 22/06 09:45 1 said to sixten-prov in terminal: due-soon
    Mon 22/06 12:18 1 said to sixten-prov in terminal: due-close
    Mon 22/06 14:00 1 said to sixten-prov in terminal: due
    Mon 22/06 14:00 1 broken: first-response
    Mon 22/06 16:00 1 said to hilda-pahittfors in terminal: deputy
    Mon 22/06 16:00 1 said to sixten-prov in terminal: overdue
    Tue 23/06 09:30 1 said to rut-exempelgren in terminal: manager
    Tue 23/06 13:30 1 said to bo-provberg in terminal: chief
    Tue 23/06 14:00 1 broken: resolution
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timetable_over_the_night_when_summer_time_ends() {
    let told = on_both(async |engine| timetable(engine, "2026-10-23 15:00", "2026-10-28 00:00", None).await).await;
    insta::assert_snapshot!(told, @r"
    Fri 23/10 15:00 1 assigned to sixten-prov
    Fri 23/10 15:00 1 said to sixten-prov in terminal: notice
    Mon 26/10 10:45 1 said to sixten-prov in terminal: due-soon
    Mon 26/10 13:18 1 said to sixten-prov in terminal: due-close
    Mon 26/10 15:00 1 said to sixten-prov in terminal: due
    Mon 26/10 15:00 1 broken: first-response
    Tue 27/10 08:30 1 said to hilda-pahittfors in terminal: deputy
    Tue 27/10 08:30 1 said to sixten-prov in terminal: overdue
    Tue 27/10 10:30 1 said to rut-exempelgren in terminal: manager
    Tue 27/10 14:30 1 said to bo-provberg in terminal: chief
    Tue 27/10 15:00 1 broken: resolution
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timetable_with_an_absence_that_begins_in_the_middle() {
    let told = on_both(async |engine| {
        timetable(engine, "2026-11-23 10:00", "2026-11-26 00:00", Some(("2026-11-24 08:00", "2026-11-28 00:00"))).await
    })
    .await;
    insta::assert_snapshot!(told, @r"
    Mon 23/11 10:00 1 assigned to sixten-prov
    Mon 23/11 10:00 1 said to sixten-prov in terminal: notice
    Mon 23/11 14:15 1 said to sixten-prov in terminal: due-soon
    Tue 24/11 08:00 1 from sixten-prov to hilda-pahittfors: absence
    Tue 24/11 08:00 1 said to hilda-pahittfors in terminal: due-soon
    Tue 24/11 08:18 1 said to hilda-pahittfors in terminal: due-close
    Tue 24/11 10:00 1 said to hilda-pahittfors in terminal: due
    Tue 24/11 10:00 1 broken: first-response
    Tue 24/11 12:00 1 said to hilda-pahittfors in terminal: overdue
    Tue 24/11 14:00 1 said to rut-exempelgren in terminal: manager
    Wed 25/11 09:30 1 said to bo-provberg in terminal: chief
    Wed 25/11 10:00 1 broken: resolution
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_stops_the_ladder_and_a_stale_one_starts_it_again() {
    let told = on_both(async |engine| {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let id = desk.opens(Matter::default()).await;
        let owner = desk.row(id).await.owner.unwrap();
        desk.until(at(0, 11, 0)).await;
        act(&mut desk, async |tx, _, now| acts::acknowledge(tx, &owner, id, None, now).await).await;
        desk.until(at(2, 12, 0)).await;
        desk.answers("hedda-exempel", id).await;
        desk.until(at(4, 12, 0)).await;
        let told = desk.tell();
        desk.stop().await;
        told
    })
    .await;
    insta::assert_snapshot!(told, @r"
    Mon 23/11 09:00 1 assigned to sixten-prov
    Mon 23/11 09:00 1 said to sixten-prov in terminal: notice
    Mon 23/11 11:00 1 acknowledged by sixten-prov
    Tue 24/11 09:00 1 broken: first-response
    Tue 24/11 10:30 1 said to sixten-prov in terminal: due
    Tue 24/11 11:00 1 said to sixten-prov in terminal: overdue
    Tue 24/11 12:30 1 said to hilda-pahittfors in terminal: deputy
    Tue 24/11 14:30 1 said to rut-exempelgren in terminal: manager
    Wed 25/11 09:00 1 broken: resolution
    Wed 25/11 10:00 1 said to bo-provberg in terminal: chief
    Wed 25/11 12:00 1 answered by hedda-exempel
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_wait_comes_in_the_digest_at_the_time_she_has_chosen_and_the_chief_has_her_week() {
    let edit = |config: &mut lyhord::config::Config| {
        config.weekly = lyhord::reminder::Rhythm::parse("monday 08:30");
        let organisation = Arc::make_mut(&mut config.organisation);
        for staff in organisation.staff.iter_mut().filter(|staff| staff.unit == "va") {
            staff.digest = Some("15:00".to_owned());
        }
    };
    let told = on_both(async |engine| {
        let mut desk = Desk::open(engine, at(0, 9, 0), edit).await;
        desk.opens(Matter { intent: "klagomal", ..Matter::default() }).await;
        desk.until(at(0, 10, 0)).await;
        let id = desk.opens(Matter { intent: "klagomal", ..Matter::default() }).await;
        desk.until(at(0, 10, 0)).await;
        assert_eq!(desk.row(id).await.hold.as_deref(), Some("Väntar på sammanställningen 15.00"));
        desk.until(at(0, 16, 0)).await;
        assert_eq!(desk.number("select count(*) from messages where body like '%digest%'").await, 2, "one a person");
        desk.until(at(7, 9, 0)).await;
        assert!(
            desk.number("select count(*) from messages where recipient = 'bo-provberg' and body like '%digest%'").await
                > 0
        );
        let told = desk.tell();
        desk.stop().await;
        told
    })
    .await;
    insta::assert_snapshot!(told, @r"
    Mon 23/11 09:00 1 assigned to sixten-prov
    Mon 23/11 10:00 2 assigned to hilda-pahittfors
    Mon 23/11 15:00 1 said to sixten-prov in terminal: due-soon
    Mon 23/11 15:00 2 said to hilda-pahittfors in terminal: due-soon
    Mon 23/11 15:48 1 said to sixten-prov in terminal: due-close
    Tue 24/11 08:18 2 said to hilda-pahittfors in terminal: due-close
    Tue 24/11 09:00 1 said to sixten-prov in terminal: due
    Tue 24/11 09:00 1 broken: first-response
    Tue 24/11 10:00 2 said to hilda-pahittfors in terminal: due
    Tue 24/11 10:00 2 broken: first-response
    Tue 24/11 11:00 1 said to hilda-pahittfors in terminal: deputy
    Tue 24/11 11:00 1 said to sixten-prov in terminal: overdue
    Tue 24/11 12:00 2 said to hilda-pahittfors in terminal: overdue
    Tue 24/11 12:00 2 said to sixten-prov in terminal: deputy
    Tue 24/11 13:00 1 said to rut-exempelgren in terminal: manager
    Tue 24/11 14:00 2 said to rut-exempelgren in terminal: manager
    Wed 25/11 08:30 1 said to bo-provberg in terminal: chief
    Wed 25/11 09:30 2 said to bo-provberg in terminal: chief
    Mon 30/11 08:30 week summed up for bo-provberg
    Mon 30/11 08:30 week summed up for hedda-exempel
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_digest_comes_when_she_has_chosen_whatever_the_configuration_says() {
    let edit = |config: &mut lyhord::config::Config| {
        for staff in Arc::make_mut(&mut config.organisation).staff.iter_mut().filter(|staff| staff.unit == "va") {
            staff.digest = Some("15:00".to_owned());
        }
    };
    for engine in ENGINES {
        let mut desk = Desk::open(engine, at(0, 9, 0), edit).await;
        let id = desk.opens(Matter { intent: "klagomal", ..Matter::default() }).await;
        let owner = desk.row(id).await.owner.unwrap();
        let chooses = async |desk: &mut Desk, minute: i8, rhythm: &str| {
            desk.until(at(0, 14, minute)).await;
            let now = desk.now();
            let mut tx = desk.running.app.db.write().await.unwrap();
            digest_store::choose(&mut tx, &owner, rhythm, now).await.unwrap();
            wake::around(&mut tx, &desk.running.app.config.organisation, &owner, now).await.unwrap();
            tx.commit().await.unwrap();
            desk.until(now).await;
        };
        desk.until(at(0, 14, 0)).await;
        let hold = async |desk: &Desk| desk.row(id).await.hold.unwrap_or_default();
        assert_eq!(hold(&desk).await, "Väntar på sammanställningen 15.00", "as the configuration says");
        chooses(&mut desk, 1, "16:00").await;
        assert_eq!(hold(&desk).await, "Väntar på sammanställningen 16.00");
        desk.tell();
        chooses(&mut desk, 2, "").await;
        assert_eq!(desk.tell(), format!("Mon 23/11 14:02 1 said to {owner} in terminal: due-soon\n"), "at once");
        desk.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_threat_is_followed_up_after_a_week_and_a_month_also_when_it_is_answered() {
    let told = on_both(async |engine| {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let id = desk.opens(Matter::default()).await;
        let mut tx = desk.running.app.db.write().await.unwrap();
        case::queue_store::set_threat(&mut tx, id, Threat::Suspected.slug(), false).await.unwrap();
        tx.commit().await.unwrap();
        let owner = desk.row(id).await.owner.unwrap();
        let step = async |desk: &mut Desk, to: Threat| {
            desk.until(desk.now().plus(Duration::from_mins(1))).await;
            act(desk, async |tx, _, now| lane_acts::handle_threat(tx, &owner, id, None, to, "Se mappen.", now).await)
                .await;
        };
        for to in
            [Threat::Confirmed, Threat::Secured, Threat::Told, Threat::Assessed, Threat::Reported, Threat::Supported]
        {
            step(&mut desk, to).await;
        }
        desk.answers(&owner, id).await;
        desk.tell();
        // Nobody does anything for ten days: first she, then her manager too.
        desk.until(at(10, 9, 0)).await;
        step(&mut desk, Threat::FollowedWeek).await;
        desk.until(at(31, 9, 0)).await;
        step(&mut desk, Threat::FollowedMonth).await;
        desk.until(at(60, 9, 0)).await;
        let told = desk.tell();
        desk.stop().await;
        told
    })
    .await;
    insta::assert_snapshot!(told, @r"
    Mon 30/11 09:06 1 said to sixten-prov in terminal: follow-7
    Wed 02/12 09:06 1 said to rut-exempelgren in terminal: follow-7
    Wed 23/12 09:06 1 said to sixten-prov in terminal: follow-30
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_cases_at_once_are_one_message_to_one_person() {
    on_both(async |engine| {
        let mut desk = Desk::open(engine, at(0, 3, 0), as_is).await;
        for _ in 0..6 {
            desk.opens(Matter::default()).await;
            desk.until(desk.now().plus(Duration::from_mins(1))).await;
        }
        assert_eq!(desk.number("select count(*) from messages").await, 0, "it is night");
        desk.until(at(0, 8, 1)).await;
        let people = desk.number("select count(distinct recipient) from messages").await;
        assert_eq!(desk.number("select count(*) from messages").await, people);
        assert_eq!(desk.number("select count(*) from reminders where stage = 'notice'").await, 6);
        desk.stop().await;
        String::new()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_goes_to_who_answered_and_not_to_whose_it_was() {
    on_both(async |engine| {
        let mut desk = Desk::open(engine, at(0, 9, 0), as_is).await;
        let id = desk.opens(Matter::default()).await;
        let app = Arc::clone(&desk.running.app);
        let mut tx = app.db.write().await.unwrap();
        let answer = acts::Answer { text: "Hej.", url: None, outcome: None, unit: Some("gata"), answered_at: None };
        acts::answer(&mut tx, "ulf-pahittsson", id, None, answer, desk.now()).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = app.db.read().await.unwrap();
        let scope = lyhord::audit::store::Scope { from: Time(0), until: at(9, 0, 0) };
        let seen = lyhord::audit::store::observations(&mut tx, &scope, desk.now()).await.unwrap();
        assert_eq!(seen.iter().map(|one| one.unit.as_str()).collect::<Vec<_>>(), ["gata"]);
        drop(tx);
        desk.until(at(0, 9, 1)).await;
        desk.stop().await;
        String::new()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promise_found_late_reports_both_figures() {
    on_both(async |engine| {
        let mut desk = Desk::open(engine, at(0, 15, 0), as_is).await;
        let arrived_at = Some(at(0, 9, 0));
        let id = desk.opens(Matter { arrived_at, ..Matter::default() }).await;
        assert!(desk.row(id).await.discovered_late);
        desk.until(at(1, 14, 0)).await;
        desk.answers("sixten-prov", id).await;
        let app = Arc::clone(&desk.running.app);
        let mut tx = app.db.read().await.unwrap();
        let scope = lyhord::audit::store::Scope { from: Time(0), until: at(9, 0, 0) };
        let seen = lyhord::audit::store::observations(&mut tx, &scope, desk.now()).await.unwrap();
        let one = seen.first().unwrap();
        assert_eq!((one.due_at, one.due_from_arrival_at), (Some(at(1, 15, 0)), Some(at(1, 9, 0))));
        assert_eq!(
            (one.kept(), one.kept_from_arrival()),
            (Some(true), Some(false)),
            "staff kept it; she waited longer"
        );
        drop(tx);
        desk.stop().await;
        String::new()
    })
    .await;
    let _ = CaseId(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rumour_goes_to_communications_whatever_its_topic_and_is_due_in_four_staffed_hours() {
    let told = on_both(async |engine| {
        let mut desk = Desk::open(engine, at(0, 15, 0), as_is).await;
        let id = desk.opens(Matter { intent: "rykte", topic: "va", ..Matter::default() }).await;
        let row = desk.row(id).await;
        assert_eq!((row.lane.as_deref(), row.unit.as_deref()), (Some("rykte"), Some("kommunikation")));
        assert_eq!(row.due_at, Some(at(1, 10, 30)), "{:?}", row.due_because);
        desk.until(at(1, 16, 30)).await;
        let told = desk.tell();
        desk.stop().await;
        told
    })
    .await;
    insta::assert_snapshot!(told, @r"
    Mon 23/11 15:00 1 assigned to ivar-provsson
    Tue 24/11 10:30 1 broken: first-response
    Tue 24/11 10:30 1 broken: resolution
    Tue 24/11 15:30 1 said to hedda-exempel in terminal: manager
    ");
}
