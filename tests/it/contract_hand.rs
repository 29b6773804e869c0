//! Every store function about what is handed in, on both databases.

use lyhord::chat::undelivered_store::{self, Undelivered};
use lyhord::chat::{self, outbox_store};
use lyhord::on;
use lyhord::reminder;
use lyhord::source::channel_store::Heard;
use lyhord::source::hand_store::{self, NewDelivery};
use lyhord::source::store::by_key;

use crate::contract::{NOW, a_reminder, a_source, an_assigned_case, later, writing};
use crate::harness::on_both;

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_written_once_taken_on_once_and_forgotten_in_time() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let source = a_source(&mut tx).await;
        let new = NewDelivery { source, once: "a", digest: "d", items: 3, kept: "[1]" };
        let id = hand_store::hand_in(&mut tx, &new, NOW).await.unwrap().unwrap();
        assert_eq!(hand_store::hand_in(&mut tx, &NewDelivery { digest: "e", ..new }, NOW).await.unwrap(), None);
        let known = hand_store::handed_in(&mut tx, source, "a").await.unwrap().unwrap();
        assert_eq!((known.id, known.digest.as_str(), known.items, known.received_at), (id, "d", 3, NOW));
        assert_eq!(hand_store::handed_in(&mut tx, source, "b").await.unwrap(), None);
        hand_store::hand_in(&mut tx, &NewDelivery { once: "b", ..new }, NOW).await.unwrap().unwrap();
        assert_eq!(hand_store::count_waiting(&mut tx, 1).await.unwrap(), 1);
        assert_eq!(hand_store::count_waiting(&mut tx, 9).await.unwrap(), 2);
        let waiting = hand_store::waiting_deliveries(&mut tx, 9).await.unwrap();
        assert_eq!((waiting.len(), waiting[0].id), (2, id));
        assert!(hand_store::take_on(&mut tx, id, later(5)).await.unwrap());
        assert!(!hand_store::take_on(&mut tx, id, later(6)).await.unwrap());
        assert_eq!(hand_store::handed_in(&mut tx, source, "a").await.unwrap().unwrap().kept, "");
        assert_eq!(hand_store::waiting_deliveries(&mut tx, 9).await.unwrap().len(), 1);

        hand_store::remember_gone(&mut tx, source, "h", NOW).await.unwrap();
        hand_store::remember_gone(&mut tx, source, "h", later(9)).await.unwrap();
        assert!(hand_store::was_gone(&mut tx, source, "h").await.unwrap());
        assert!(!hand_store::was_gone(&mut tx, source, "i").await.unwrap());
        assert_eq!(hand_store::forget_deliveries(&mut tx, later(5)).await.unwrap(), 0);
        assert!(!hand_store::was_gone(&mut tx, source, "h").await.unwrap());
        assert_eq!(hand_store::forget_deliveries(&mut tx, later(6)).await.unwrap(), 1, "one that waits stays");
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_signatures_are_counted_up_to_a_bound_and_a_hook_is_settled() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let source = a_source(&mut tx).await;
        for _ in 0..5 {
            hand_store::count_forged(&mut tx, source, 3).await.unwrap();
        }
        let row = by_key(&mut tx, "alekuriren").await.unwrap().unwrap();
        assert_eq!(row.failures, 3);
        let heard = Heard {
            cursor: None,
            failures: 0,
            health: "degraded",
            health_since: later(1),
            health_why: "tyst",
            at: later(2),
            ok: true,
            new: false,
        };
        hand_store::settle_hook(&mut tx, source, &heard).await.unwrap();
        let row = by_key(&mut tx, "alekuriren").await.unwrap().unwrap();
        assert_eq!((row.failures, row.health.as_str(), row.health_since), (0, "degraded", later(1)));
        assert_eq!((row.last_ok_at, row.last_item_at), (Some(later(2)), None));
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_can_wait_is_not_sent_before_its_time() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let to = ("karin", "telegram", "7");
        let put = outbox_store::put_notice_at(&mut tx, to, "konto", Some("k"), NOW, later(600)).await.unwrap();
        assert!(put.is_some());
        assert!(
            outbox_store::put_notice_at(&mut tx, to, "konto", Some("k"), NOW, NOW).await.unwrap().is_none(),
            "once"
        );
        assert!(chat::store::claim(&mut tx, later(599), later(700), 9).await.unwrap().is_empty());
        assert_eq!(chat::store::claim(&mut tx, later(600), later(700), 9).await.unwrap().len(), 1);
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_somebody_s_hours_is_found_and_let_go_once() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let case = an_assigned_case(&mut tx, "1", "brunt vatten", later(3600)).await;
        reminder::store::put(&mut tx, &[a_reminder(case, "karin")], NOW).await.unwrap();
        assert_eq!(undelivered_store::first_unwritten(&mut tx).await.unwrap(), Some(NOW));
        let reminder = chat::store::unwritten(&mut tx, 9).await.unwrap()[0].0;
        let message = chat::store::put_message(&mut tx, "karin", "telegram", "42", "{}", NOW, NOW).await.unwrap();
        chat::store::carry(&mut tx, &[reminder], message).await.unwrap();
        assert_eq!(undelivered_store::first_unwritten(&mut tx).await.unwrap(), None);
        assert_eq!(undelivered_store::standing(&mut tx, message).await.unwrap(), [(case, Some(later(3600)))]);

        let to = ("karin", "telegram", "42");
        let told = outbox_store::put_notice_at(&mut tx, to, "konto", Some("k"), NOW, NOW).await.unwrap().unwrap();
        let asked = outbox_store::put_notice(&mut tx, to, "prov", None, NOW).await.unwrap().unwrap();
        assert_eq!(undelivered_store::any_hour(&mut tx, &[message, told, asked]).await.unwrap(), [asked]);
        assert_eq!(chat::store::claim(&mut tx, NOW, later(90), 9).await.unwrap().len(), 3);
        undelivered_store::hold(&mut tx, message, later(600)).await.unwrap();
        let held = undelivered_store::held(&mut tx, 9).await.unwrap();
        assert_eq!(held, [(message, "karin".to_owned(), later(600))]);
        let waits = |held_until| Undelivered { case_id: case, recipient: "karin".to_owned(), held_until };
        let seen = undelivered_store::undelivered(&mut tx, &[case], NOW).await.unwrap();
        assert_eq!(seen, [waits(Some(later(600)))]);
        assert_eq!(undelivered_store::undelivered(&mut tx, &[case], later(600)).await.unwrap(), []);
        assert_eq!(chat::store::claim(&mut tx, later(1), later(80), 9).await.unwrap(), [], "its hour has not come");
        let released = undelivered_store::release(&mut tx, message, later(5)).await.unwrap();
        assert_eq!(released.map(|row| (row.id, row.attempts)), Some((message, 1)));
        assert_eq!(undelivered_store::release(&mut tx, message, later(6)).await.unwrap(), None, "once");
        assert_eq!(undelivered_store::held(&mut tx, 9).await.unwrap(), []);
        undelivered_store::hold(&mut tx, message, later(600)).await.unwrap();
        chat::store::put_off(&mut tx, message, later(700), "nere").await.unwrap();
        assert_eq!(undelivered_store::held(&mut tx, 9).await.unwrap(), [], "it waits for the service now");

        on!(tx, c => sqlx::query("update cases set urgency = 'akut'").execute(c).await.map(|_| ())).unwrap();
        assert_eq!(undelivered_store::any_hour(&mut tx, &[message, told]).await.unwrap(), [message]);
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_way_to_somebody_is_freed_when_it_still_stands() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        let case = an_assigned_case(&mut tx, "1", "brunt vatten", later(3600)).await;
        reminder::store::put(&mut tx, &[a_reminder(case, "karin")], NOW).await.unwrap();
        let reminder = chat::store::unwritten(&mut tx, 9).await.unwrap()[0].0;
        undelivered_store::unreach(&mut tx, &[reminder], later(7)).await.unwrap();
        assert_eq!(undelivered_store::first_unwritten(&mut tx).await.unwrap(), None);
        assert_eq!(undelivered_store::unreached(&mut tx).await.unwrap(), [("karin".to_owned(), 1, later(7))]);
        assert_eq!(undelivered_store::unreached_since(&mut tx, "karin").await.unwrap(), Some(later(7)));
        assert_eq!(undelivered_store::unreached_since(&mut tx, "johan").await.unwrap(), None);
        let nowhere = Undelivered { case_id: case, recipient: "karin".to_owned(), held_until: None };
        assert_eq!(undelivered_store::undelivered(&mut tx, &[case], NOW).await.unwrap(), [nowhere]);

        undelivered_store::free(&mut tx, "johan").await.unwrap();
        assert_eq!(undelivered_store::unreached(&mut tx).await.unwrap().len(), 1, "another's");
        undelivered_store::free(&mut tx, "karin").await.unwrap();
        assert_eq!(undelivered_store::unreached(&mut tx).await.unwrap(), []);
        assert_eq!(chat::store::unwritten(&mut tx, 9).await.unwrap().len(), 1);

        undelivered_store::unreach(&mut tx, &[reminder], later(8)).await.unwrap();
        on!(tx, c => sqlx::query("update cases set acknowledged_at = $1").bind(later(9)).execute(c).await.map(|_| ()))
            .unwrap();
        assert_eq!(undelivered_store::unreached(&mut tx).await.unwrap(), [], "somebody has said that she has it");
        assert_eq!(undelivered_store::undelivered(&mut tx, &[case], NOW).await.unwrap(), []);
        undelivered_store::free(&mut tx, "karin").await.unwrap();
        assert_eq!(undelivered_store::unreached_since(&mut tx, "karin").await.unwrap(), None);
        assert_eq!(chat::store::unwritten(&mut tx, 9).await.unwrap(), [], "what is over is never told");
        tx.commit().await.unwrap();
    })
    .await;
}
