//! Every store function about what is handed in, on both databases.

use lyhord::chat::{self, outbox_store};
use lyhord::source::channel_store::Heard;
use lyhord::source::hand_store::{self, NewDelivery};
use lyhord::source::store::by_key;

use crate::contract::{NOW, a_source, later, writing};
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
