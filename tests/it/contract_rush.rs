//! What is remembered of rushes, on both databases.

use lyhord::audit::rush::Counted;
use lyhord::audit::rush_store;

use crate::contract::{NOW, later, writing};
use crate::harness::on_both;

#[tokio::test(flavor = "multi_thread")]
async fn a_rush_is_begun_once_grows_and_ends() {
    on_both(|_, db| async move {
        let mut tx = writing(&db).await;
        assert_eq!(rush_store::counts(&mut tx, NOW, later(60)).await.unwrap(), []);
        let counted = Counted { posts: 12, writers: 11 };
        let id = rush_store::begin(&mut tx, "va", 3, counted, 1, NOW).await.unwrap().unwrap();
        assert_eq!(rush_store::begin(&mut tx, "va", 3, counted, 1, later(1)).await.unwrap(), None, "another has");
        rush_store::grow(&mut tx, id, Counted { posts: 20, writers: 15 }).await.unwrap();
        rush_store::grow(&mut tx, id, Counted { posts: 14, writers: 14 }).await.unwrap();
        let lasting = rush_store::lasting(&mut tx).await.unwrap();
        assert_eq!((lasting.len(), lasting[0].posts, lasting[0].writers, lasting[0].hours), (1, 20, 15, 3));
        assert!(rush_store::end(&mut tx, id, later(600)).await.unwrap());
        assert!(!rush_store::end(&mut tx, id, later(700)).await.unwrap());
        assert_eq!(rush_store::lasting(&mut tx).await.unwrap(), []);
        let again = rush_store::begin(&mut tx, "va", 3, counted, 1, later(900)).await.unwrap();
        assert!(again.is_some(), "a new one");
        let shown = rush_store::latest(&mut tx, NOW).await.unwrap();
        let states: Vec<_> = shown.iter().map(|rush| rush.ended_at).collect();
        assert_eq!(states, [None, Some(later(600))]);
        assert_eq!(rush_store::latest(&mut tx, later(600)).await.unwrap().len(), 1);
    })
    .await;
}
