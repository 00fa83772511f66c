#![allow(clippy::unwrap_used, clippy::expect_used)]

use uuid::Uuid;

use super::*;
use crate::{
    builders::production,
    events::{Event, Kind},
    trial::Trial,
};

fn put(txn: Txn, rollout: u128) -> Txn {
    let event = Event {
        kind: Kind::Held,
        json: rollout.to_string(),
    };
    let at = keys::moved(&production(), Uuid::from_u128(rollout), 1);
    txn.put(at, model::write_events(&[event]))
}

#[tokio::test]
async fn the_newest_stay_and_a_revision_goes_as_a_whole_or_not_at_all() {
    for (most, left) in [(9, 9), (8, 9), (7, 9), (6, 6), (5, 6), (1, 3), (0, 0)] {
        let trial = Trial::new().await;
        // Three revisions of three keys each, the newest with the smallest keys.
        for revision in (0..3).rev() {
            let txn = (0..3).fold(Txn::default(), |txn, at| put(txn, revision * 3 + at));
            trial.commit(txn).await;
        }
        let store = trial.truth.store();
        assert_eq!(sweep(store, most, u64::MAX).await.unwrap(), 9 - left, "{most}");
        let mut found = kept(store).await.unwrap();
        assert_eq!(found.len(), left, "{most}");
        found.sort_unstable();
        let swept = swept(store).await.unwrap();
        assert!(found.first().is_none_or(|oldest| swept < oldest.revision));
        assert_eq!(swept > 0, left < 9, "{most}");
        assert_eq!(sweep(store, most, u64::MAX).await.unwrap(), 0, "again");
    }
}

#[tokio::test]
async fn many_are_swept_in_several_transactions() {
    let trial = Trial::new().await;
    for revision in 0..4 {
        let txn = (0..42).fold(Txn::default(), |txn, at| put(txn, revision * 100 + at));
        trial.commit(txn).await;
    }
    assert_eq!(sweep(trial.truth.store(), 1, u64::MAX).await.unwrap(), 3 * 42);
    assert_eq!(kept(trial.truth.store()).await.unwrap().len(), 42);
}

#[tokio::test]
async fn what_webhooks_still_need_stays() {
    let trial = Trial::new().await;
    for revision in 0..4 {
        trial.commit(put(Txn::default(), revision)).await;
    }
    let store = trial.truth.store();
    let mut found = kept(store).await.unwrap();
    found.sort_unstable();
    assert_eq!(sweep(store, 1, found[1].revision).await.unwrap(), 2);
    assert_eq!(sweep(store, 1, found[1].revision).await.unwrap(), 0);
    assert_eq!(sweep(store, 1, u64::MAX).await.unwrap(), 1);
}
