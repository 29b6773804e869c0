//! The store functions of coordination on both databases: the same facts in, the same facts out.

use lyhord::assignment::absence_feed_store::{self, FeedRow};
use lyhord::assignment::offer_store::{self, NewOffer};
use lyhord::assignment::{self, Lane, desk_store};
use lyhord::case::batch_store::{Arrival, Assigned};
use lyhord::case::promise_store::{self, Begun, Shown, Terms};
use lyhord::case::queue_store::{self, Given};
use lyhord::case::{self, Happening, PromiseEvent, PromiseKind};
use lyhord::chat::{self, outbox_store};
use lyhord::db::Tx;
use lyhord::id::{CaseId, MentionId};
use lyhord::on;
use lyhord::reminder;
use lyhord::reminder::digest_store;
use lyhord::reminder::store::NewReminder;

use crate::contract::{NOW, a_reminder, an_assigned_case, assigned, later, writing};
use crate::harness::on_both;

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_to_a_promise_is_read_back_as_it_was_written() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let id = an_assigned_case(&mut tx, "1", "brunt vatten", later(60)).await;
        let begun = |kind, due_at| Begun {
            case: id,
            kind,
            calendar: "kontor@1",
            policy: "2026@1",
            due_at,
            from_arrival_at: NOW,
            late: true,
        };
        let both = [begun(PromiseKind::FirstResponse, later(60)), begun(PromiseKind::Resolution, later(90))];
        promise_store::begin(&mut tx, &both, NOW).await.unwrap();
        for happening in [
            Happening::Apply { due_at: later(50) },
            Happening::Pause { left_ms: 7 },
            Happening::Resume { due_at: later(70) },
            Happening::Breach,
            Happening::Fulfil,
            Happening::Withdraw,
            Happening::Activate { due_at: later(80) },
        ] {
            let event = PromiseEvent { kind: PromiseKind::FirstResponse, at: later(1), happening };
            promise_store::put_event(&mut tx, id, &event, &Terms::default()).await.unwrap();
            let rows = promise_store::events(&mut tx, id).await.unwrap();
            assert_eq!(rows.last().unwrap().event(), Some(event));
        }
        let rows = promise_store::events(&mut tx, id).await.unwrap();
        assert_eq!(
            (rows.len(), rows[0].calendar.as_deref(), rows[0].from_arrival_at),
            (9, Some("kontor@1"), Some(NOW))
        );
        let shown =
            Shown { due_at: Some(later(5)), resolve_by: None, started_at: Some(later(2)), look_at: Some(later(6)) };
        promise_store::show(&mut tx, id, &shown).await.unwrap();
        let row = case::store::find(&mut tx, id).await.unwrap().unwrap();
        assert_eq!(
            (row.due_at, row.resolve_by, row.promise_started_at),
            (Some(later(5)), Some(later(60)), Some(later(2)))
        );
        assert_eq!(promise_store::next_promise_look(&mut tx).await.unwrap(), Some(later(6)));
        assert_eq!(promise_store::promises_to_look_at(&mut tx, later(5), 9).await.unwrap(), []);
        assert_eq!(promise_store::promises_to_look_at(&mut tx, later(6), 9).await.unwrap(), [id]);
        promise_store::set_waiting(&mut tx, id, Some(NOW), Some(later(9))).await.unwrap();
        promise_store::set_deadline(&mut tx, id, later(3)).await.unwrap();
        promise_store::set_ladder(&mut tx, &[id], "abc").await.unwrap();
        let standing = Arrival { id: MentionId(99), channel: "rss", thread: Some("t1"), cluster_id: MentionId(99) };
        assert_eq!(case::batch_store::near(&mut tx, &[standing]).await.unwrap()[0].waiting, Some(id));
        let row = case::store::find(&mut tx, id).await.unwrap().unwrap();
        assert_eq!(
            (row.waiting_until, row.deadline_at, row.ladder.as_deref()),
            (Some(later(9)), Some(later(3)), Some("abc"))
        );
        promise_store::set_waiting(&mut tx, id, None, None).await.unwrap();
        assert_eq!(case::batch_store::near(&mut tx, &[standing]).await.unwrap()[0].waiting, None);
        for body in ["{}", "{\"changed\":true}"] {
            promise_store::keep_decided(&mut tx, "ladder", "v1", body, NOW).await.unwrap();
        }
        let decided = promise_store::decided(&mut tx, "ladder", 9).await.unwrap();
        assert_eq!(decided, [("v1".to_owned(), "{}".to_owned(), NOW)], "what was decided stays");
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_is_kept_in_the_order_of_what_is_due() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let late = an_assigned_case(&mut tx, "1", "brunt vatten", later(90)).await;
        let soon = an_assigned_case(&mut tx, "2", "trasig lampa", later(60)).await;
        assert_eq!(queue_store::queued_units(&mut tx).await.unwrap(), Vec::<String>::new());
        desk_store::make_room(&mut tx, "va", NOW).await.unwrap();
        assert_eq!(desk_store::next_room(&mut tx).await.unwrap(), None, "nothing waits, so nobody is asked");
        let queued = [(late, 90), (soon, 60)].map(|(id, due)| Assigned { queued: true, ..assigned(id, later(due)) });
        case::batch_store::assign(&mut tx, &queued, NOW).await.unwrap();
        assert_eq!(queue_store::queued_units(&mut tx).await.unwrap(), ["va"]);
        assert_eq!(queue_store::queue_lengths(&mut tx).await.unwrap(), [("va".to_owned(), 2)]);
        assert_eq!(queue_store::queued(&mut tx, "va", 9).await.unwrap(), [soon, late]);
        assert!(
            case::batch_store::loads(&mut tx).await.unwrap().is_empty(),
            "who answers for a queue has not its load"
        );
        desk_store::make_room(&mut tx, "va", later(1)).await.unwrap();
        assert_eq!(desk_store::next_room(&mut tx).await.unwrap(), Some(later(1)));
        desk_store::take_rooms(&mut tx).await.unwrap();
        assert_eq!(desk_store::next_room(&mut tx).await.unwrap(), None);
        let row = case::store::find(&mut tx, soon).await.unwrap().unwrap();
        let given = Given { row: &row, owner: "bo", because: "hen har rum", queued: false };
        assert!(queue_store::give(&mut tx, &given, later(2)).await.unwrap());
        assert!(!queue_store::give(&mut tx, &given, later(2)).await.unwrap(), "somebody was first");
        assert_eq!(queue_store::held_by(&mut tx, "bo", CaseId(0), 9).await.unwrap(), [soon]);
        assert_eq!(queue_store::held_by(&mut tx, "bo", soon, 9).await.unwrap(), []);
        assert_eq!(queue_store::holders(&mut tx).await.unwrap(), ["bo", "karin"], "each once");
        let waiting = queue_store::waiting_by_unit(&mut tx, later(70)).await.unwrap();
        assert_eq!(waiting, [("va".to_owned(), 2, 1, 0)]);
        queue_store::set_threat(&mut tx, soon, "hot", false).await.unwrap();
        desk_store::put_step(&mut tx, soon, "hot:stod", "", "bo", later(3)).await.unwrap();
        assert_eq!(queue_store::threats(&mut tx, 9).await.unwrap(), [(soon, "hot".to_owned(), Some(later(3)))]);
        queue_store::follow_up_at(&mut tx, soon, Some(later(4))).await.unwrap();
        assert_eq!(queue_store::next_follow_up(&mut tx).await.unwrap(), Some(later(4)));
        assert_eq!(queue_store::follow_ups(&mut tx, later(3), 9).await.unwrap(), []);
        assert_eq!(queue_store::follow_ups(&mut tx, later(4), 9).await.unwrap(), [(soon, "hot".to_owned(), later(4))]);
        queue_store::tell_follow_up_at(&mut tx, soon, None).await.unwrap();
        assert_eq!(queue_store::next_follow_up(&mut tx).await.unwrap(), None);
        queue_store::set_threat(&mut tx, soon, "ej-hot", true).await.unwrap();
        assert_eq!(queue_store::threats(&mut tx, 9).await.unwrap(), []);
        assert_eq!(case::store::find(&mut tx, soon).await.unwrap().unwrap().lane.as_deref(), Some("vanlig"));
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn danger_and_what_the_law_hurries_stand_first_in_a_queue() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let mut ids = Vec::new();
        for (lane, due) in [(Lane::Ordinary, 10), (Lane::Document, 90), (Lane::Threat, 99), (Lane::Rumour, 20)] {
            let id = an_assigned_case(&mut tx, lane.slug(), "brunt vatten", later(due)).await;
            let queued = Assigned { lane: Some(lane.slug()), queued: true, ..assigned(id, later(due)) };
            case::batch_store::assign(&mut tx, &[queued], NOW).await.unwrap();
            ids.push(id);
        }
        let [ordinary, document, threat, rumour] = ids[..] else { panic!("four cases") };
        let order = queue_store::queued(&mut tx, "va", 9).await.unwrap();
        assert_eq!(order, [threat, document, ordinary, rumour]);
        make_acute(&mut tx, rumour).await;
        let order = queue_store::queued(&mut tx, "va", 9).await.unwrap();
        assert_eq!(order, [rumour, threat, document, ordinary]);
        tx.commit().await.unwrap();
    })
    .await;
}

async fn make_acute(tx: &mut Tx, id: CaseId) {
    on!(tx, c => sqlx::query("update cases set urgency = 'akut' where id = $1").bind(id).execute(c).await.map(|_| ()))
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acute_case_joins_its_own_message_and_no_ordinary_case_joins_that() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let ordinary = an_assigned_case(&mut tx, "1", "brunt vatten", later(60)).await;
        let danger = an_assigned_case(&mut tx, "2", "trasig lampa", later(60)).await;
        make_acute(&mut tx, danger).await;
        assert_eq!(case::list_store::acute(&mut tx, &[ordinary, danger]).await.unwrap(), [danger].into());
        let said = [a_reminder(ordinary, "karin"), a_reminder(danger, "karin")];
        reminder::store::put(&mut tx, &said, NOW).await.unwrap();
        let unwritten = chat::store::unwritten(&mut tx, 9).await.unwrap();
        let reminder_of = |case| unwritten.iter().find(|row| row.1 == case).unwrap().0;
        let own = chat::store::put_message(&mut tx, "karin", "telegram", "42", "{}", NOW, NOW).await.unwrap();
        chat::store::carry(&mut tx, &[reminder_of(danger)], own).await.unwrap();
        assert_eq!(outbox_store::joinable(&mut tx, "karin", None).await.unwrap(), None);
        let usual = chat::store::put_message(&mut tx, "karin", "telegram", "42", "{}", NOW, NOW).await.unwrap();
        chat::store::carry(&mut tx, &[reminder_of(ordinary)], usual).await.unwrap();
        for (alone, joined) in [(None, Some(usual)), (Some(danger), Some(own)), (Some(CaseId(99)), None)] {
            let found = outbox_store::joinable(&mut tx, "karin", alone).await.unwrap();
            assert_eq!(found.map(|message| message.id), joined, "{alone:?}");
        }
        assert_eq!(outbox_store::joinable(&mut tx, "bo", None).await.unwrap(), None);
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_has_one_open_offer_and_it_comes_to_one_thing() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let id = an_assigned_case(&mut tx, "1", "brunt vatten", later(90)).await;
        let new = NewOffer {
            case: id,
            from: "karin",
            to_staff: Some("bo"),
            to_unit: None,
            note: "din väg",
            ends_at: later(60),
        };
        let offer = offer_store::put_offer(&mut tx, &new, NOW).await.unwrap().unwrap();
        assert_eq!(offer_store::put_offer(&mut tx, &new, NOW).await.unwrap(), None);
        assert_eq!(offer_store::open_offer(&mut tx, id).await.unwrap().unwrap().note, "din väg");
        assert_eq!(offer_store::offers_to(&mut tx, "bo", "gata", 9).await.unwrap().len(), 1);
        assert_eq!(offer_store::next_offer_to_tell(&mut tx).await.unwrap(), Some(NOW));
        assert_eq!(offer_store::next_offer_end(&mut tx).await.unwrap(), Some(later(60)));
        assert_eq!(offer_store::offers_to_tell(&mut tx, NOW, 9).await.unwrap().len(), 1);
        offer_store::tell_offer_at(&mut tx, offer, None).await.unwrap();
        assert_eq!(offer_store::offers_to_tell(&mut tx, NOW, 9).await.unwrap(), []);
        assert_eq!(offer_store::unanswered_offers(&mut tx, later(60), 9).await.unwrap().len(), 1);
        assert!(offer_store::settle_offer(&mut tx, offer, "bo", "declined", "inte min", true, later(5)).await.unwrap());
        assert!(!offer_store::settle_offer(&mut tx, offer, "bo", "accepted", "", false, later(6)).await.unwrap());
        let last = offer_store::last_offer(&mut tx, id).await.unwrap().unwrap();
        assert_eq!((last.because.as_deref(), last.tell.as_str()), (Some("inte min"), "owner"));
        offer_store::put_offer(&mut tx, &new, later(7)).await.unwrap().unwrap();
        offer_store::overtake_offer(&mut tx, id, "karin", later(8)).await.unwrap();
        assert_eq!(offer_store::open_offer(&mut tx, id).await.unwrap(), None);
        assert!(desk_store::put_step(&mut tx, id, "ring", "", "bo", NOW).await.unwrap());
        assert!(!desk_store::put_step(&mut tx, id, "ring", "", "bo", NOW).await.unwrap());
        assert_eq!(desk_store::steps(&mut tx, id).await.unwrap().len(), 1);
        assert!(desk_store::undo_step(&mut tx, id, "ring").await.unwrap());
        assert!(!desk_store::undo_step(&mut tx, id, "ring").await.unwrap());
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absence_is_seen_to_begin_once_and_a_feed_is_claimed_by_one() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let page = assignment::store::put_absence(&mut tx, "karin", later(10), later(90), None).await.unwrap();
        let told = assignment::store::put_told(&mut tx, "karin", later(20), later(50)).await.unwrap();
        assert_eq!(assignment::store::next_absence(&mut tx).await.unwrap(), Some(later(10)));
        assert_eq!(assignment::store::beginning(&mut tx, later(10), 9).await.unwrap(), [(page, "karin".to_owned())]);
        assignment::store::begun(&mut tx, page, later(10)).await.unwrap();
        assert_eq!(assignment::store::next_absence(&mut tx).await.unwrap(), Some(later(20)));
        assignment::store::last_until(&mut tx, told, later(60)).await.unwrap();
        assert_eq!(
            assignment::store::told_by_feed(&mut tx, "karin", NOW).await.unwrap(),
            [(told, later(20), later(60))]
        );
        let known = [("karin".to_owned(), "h1".to_owned()), ("bo".to_owned(), "h2".to_owned())];
        absence_feed_store::know_feeds(&mut tx, &known, NOW).await.unwrap();
        assert_eq!(absence_feed_store::next_feed(&mut tx).await.unwrap(), Some(NOW));
        let claimed = absence_feed_store::claim_feeds(&mut tx, NOW, later(5), 9).await.unwrap();
        assert_eq!(claimed.len(), 2);
        assert_eq!(absence_feed_store::claim_feeds(&mut tx, NOW, later(5), 9).await.unwrap(), []);
        let read =
            FeedRow { next_poll_at: later(40), etag: Some("e".into()), last_ok_at: Some(NOW), ..claimed[0].clone() };
        absence_feed_store::feed_read(&mut tx, &read).await.unwrap();
        assert!(absence_feed_store::feeds(&mut tx).await.unwrap().contains(&read));
        absence_feed_store::know_feeds(&mut tx, &[("karin".to_owned(), "h3".to_owned())], later(1)).await.unwrap();
        let feeds = absence_feed_store::feeds(&mut tx).await.unwrap();
        assert_eq!((feeds.len(), feeds[0].etag.as_deref(), feeds[0].next_poll_at), (1, None, later(1)));
        desk_store::know_weeklies(&mut tx, &[("bo".to_owned(), later(3))]).await.unwrap();
        assert_eq!(desk_store::next_weekly(&mut tx).await.unwrap(), Some(later(3)));
        assert_eq!(desk_store::weeklies_due(&mut tx, later(3), 9).await.unwrap(), [("bo".to_owned(), later(3))]);
        desk_store::weekly_next(&mut tx, "bo", later(9)).await.unwrap();
        assert_eq!(desk_store::next_weekly(&mut tx).await.unwrap(), Some(later(9)));
        desk_store::know_weeklies(&mut tx, &[]).await.unwrap();
        assert_eq!(desk_store::next_weekly(&mut tx).await.unwrap(), None);
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silence_is_lifted_once_and_what_breaks_it_is_noted() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let id = an_assigned_case(&mut tx, "1", "brunt vatten", later(90)).await;
        let reminder = NewReminder { breaks: true, ..a_reminder(id, "karin") };
        reminder::store::put(&mut tx, &[reminder], NOW).await.unwrap();
        assert_eq!(reminder::store::breaking(&mut tx, lyhord::id::MessageId(7)).await.unwrap(), []);
        let crisis = reminder::store::put_silence(&mut tx, "crisis", "", NOW, later(60), "ras", "bo").await.unwrap();
        assert_eq!(reminder::store::crisis(&mut tx, later(1)).await.unwrap().unwrap().reason, "ras");
        assert_eq!(reminder::store::crisis(&mut tx, later(60)).await.unwrap(), None);
        assert_eq!(reminder::store::lift(&mut tx, crisis, later(2)).await.unwrap().unwrap().scope, "crisis");
        assert_eq!(reminder::store::lift(&mut tx, crisis, later(3)).await.unwrap(), None);
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_snooze_of_a_case_is_told_whether_it_is_over_or_not_unless_it_was_lifted() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let id = an_assigned_case(&mut tx, "1", "brunt vatten", later(90)).await;
        let other = an_assigned_case(&mut tx, "2", "trasig lampa", later(90)).await;
        let subject = id.0.to_string();
        assert_eq!(reminder::store::snoozes(&mut tx, &[id, other]).await.unwrap(), []);
        let mut numbers = Vec::new();
        for (scope, from, until) in [("case", 0, 60), ("case", 10, 20), ("unit", 10, 90)] {
            let (from, until) = (later(from), later(until));
            let put = reminder::store::put_silence(&mut tx, scope, &subject, from, until, "senare", "karin").await;
            numbers.push(put.unwrap());
        }
        let told = reminder::store::snoozes(&mut tx, &[other, id]).await.unwrap();
        let told: Vec<_> = told.iter().map(|row| (row.id, row.subject.clone(), row.ends_at)).collect();
        assert_eq!(told, [(numbers[1], subject, later(20))], "the later one, though it ends first");
        assert_eq!(reminder::store::snoozes(&mut tx, &[other]).await.unwrap(), []);
        reminder::store::lift(&mut tx, numbers[1], later(15)).await.unwrap().unwrap();
        let told = reminder::store::snoozes(&mut tx, &[id]).await.unwrap();
        assert_eq!(told.iter().map(|row| row.id).collect::<Vec<_>>(), [numbers[0]]);
        reminder::store::lift(&mut tx, numbers[0], later(16)).await.unwrap().unwrap();
        assert_eq!(reminder::store::snoozes(&mut tx, &[id]).await.unwrap(), []);
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_choice_of_a_digest_is_the_one_that_holds() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        assert_eq!(digest_store::chosen_by(&mut tx, "bo").await.unwrap(), None);
        for rhythm in ["08:15", "monday 09:00", ""] {
            digest_store::choose(&mut tx, "bo", rhythm, NOW).await.unwrap();
            assert_eq!(digest_store::chosen_by(&mut tx, "bo").await.unwrap().as_deref(), Some(rhythm));
        }
        assert_eq!(digest_store::chosen(&mut tx).await.unwrap(), [("bo".to_owned(), String::new())]);
        tx.commit().await.unwrap();
    })
    .await;
}
