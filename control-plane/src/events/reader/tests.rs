#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use super::*;
use crate::{
    builders::{key, production},
    events::{Kind, sweep},
    store::Txn,
    trial::Trial,
};
use uuid::Uuid;

/// Only a broken test waits so long.
const FAR: Duration = Duration::from_secs(60);

fn event(json: &str) -> Event {
    Event {
        kind: Kind::Held,
        json: json.to_owned(),
    }
}

fn put(txn: Txn, environment: &Key, rollout: u128, jsons: &[&str]) -> Txn {
    let events = jsons.iter().map(|json| event(json)).collect::<Vec<_>>();
    let at = keys::moved(environment, Uuid::from_u128(rollout), 1);
    txn.put(at, model::write_events(&events))
}

/// Events of one transaction.
async fn tell(trial: &Trial, environment: &Key, rollout: u128, jsons: &[&str]) {
    trial.commit(put(Txn::default(), environment, rollout, jsons)).await;
}

async fn all_kept(reader: &mut Reader) -> Vec<Told> {
    let mut all = Vec::new();
    while let Some(told) = reader.next_kept().await.unwrap() {
        all.push(told);
    }
    all
}

async fn next(reader: &mut Reader) -> Told {
    let next = tokio::time::timeout(FAR, reader.next()).await;
    next.expect("an event comes").unwrap()
}

fn jsons(told: &[Told]) -> Vec<&str> {
    told.iter().map(|told| told.event.json.as_str()).collect()
}

#[tokio::test]
async fn what_is_kept_comes_in_the_order_of_commits_and_what_happens_follows() {
    let trial = Trial::new().await;
    // Keys are in another order than commits.
    tell(&trial, &production(), 9, &["a", "b"]).await;
    tell(&trial, &key("development"), 5, &["c"]).await;
    tell(&trial, &production(), 1, &["d"]).await;
    let mut reader = Readers::new().read(&trial.truth, None).await.unwrap();
    assert_eq!(jsons(&all_kept(&mut reader).await), ["a", "b", "c", "d"]);
    // What is no event does not end the wait.
    trial.write(crate::builders::flag("checkout")).await;
    let both = put(Txn::default(), &production(), 3, &["f"]);
    trial.commit(put(both, &production(), 2, &["e"])).await;
    let told = [next(&mut reader).await, next(&mut reader).await];
    assert_eq!(jsons(&told), ["e", "f"]);
    assert_eq!(told[0].position.revision, told[1].position.revision);
    assert_eq!((told[0].position.index, told[1].position.index), (0, 1));
    assert_eq!(told[0].environment, production());
}

#[tokio::test]
async fn going_on_behind_any_event_after_a_restart_loses_and_repeats_nothing() {
    let trial = Trial::new().await;
    let mut live = Vec::new();
    {
        let mut reader = Readers::new().read(&trial.truth, None).await.unwrap();
        for (rollout, jsons) in [(9, ["a", "b"]), (4, ["c", "d"]), (7, ["e", "f"])] {
            tell(&trial, &production(), rollout, &jsons).await;
            live.push(next(&mut reader).await);
            live.push(next(&mut reader).await);
        }
    }
    let trial = trial.again().await;
    let readers = Readers::new();
    for seen in 0..=live.len() {
        let after = seen.checked_sub(1).map(|last| live[last].position);
        let mut reader = readers.read(&trial.truth, after).await.unwrap();
        assert_eq!(all_kept(&mut reader).await, live[seen..], "{seen}");
    }
}

#[tokio::test]
async fn a_reader_for_whom_the_log_is_too_short_looks_the_rest_up() {
    let trial = Trial::new().await;
    tell(&trial, &production(), 9, &["a"]).await;
    let mut reader = Readers::new().read(&trial.truth, None).await.unwrap();
    assert_eq!(jsons(&[next(&mut reader).await]), ["a"]);
    tell(&trial, &production(), 8, &["b"]).await;
    tell(&trial, &production(), 2, &["c"]).await;
    reader.look_up(trial.truth.state().revision).await.unwrap();
    assert_eq!(jsons(&all_kept(&mut reader).await), ["b", "c"]);
    tell(&trial, &production(), 1, &["d"]).await;
    assert_eq!(jsons(&[next(&mut reader).await]), ["d"]);
}

#[tokio::test]
async fn who_comes_too_late_or_too_early_is_told() {
    let trial = Trial::new().await;
    for (rollout, json) in [(3, "a"), (2, "b"), (1, "c")] {
        tell(&trial, &production(), rollout, &[json]).await;
    }
    let readers = Readers::new();
    let mut slow = readers.read(&trial.truth, None).await.unwrap();
    let first = next(&mut slow).await;
    let second = next(&mut readers.read(&trial.truth, Some(first.position)).await.unwrap()).await;
    sweep::sweep(trial.truth.store(), 1, u64::MAX).await.unwrap();
    // One that was reading, and one that goes on from before.
    assert!(matches!(slow.next_kept().await, Err(ReadError::Swept { .. })));
    let late = readers.read(&trial.truth, Some(first.position)).await;
    assert!(matches!(late, Err(ReadError::Swept { .. })));
    for after in [None, Some(second.position)] {
        let mut reader = readers.read(&trial.truth, after).await.unwrap();
        assert_eq!(jsons(&all_kept(&mut reader).await), ["c"]);
    }
    let early = Position {
        revision: trial.truth.state().revision + 100,
        index: 0,
    };
    assert!(matches!(
        readers.read(&trial.truth, Some(early)).await,
        Err(ReadError::Future { .. })
    ));
}

#[tokio::test]
async fn no_more_readers_than_there_are_places() {
    let trial = Trial::new().await;
    let readers = Readers::new();
    let mut taken = Vec::new();
    for _ in 0..READERS {
        taken.push(readers.read(&trial.truth, None).await.unwrap());
    }
    assert!(matches!(readers.read(&trial.truth, None).await, Err(ReadError::Full)));
    taken.pop();
    assert!(readers.read(&trial.truth, None).await.is_ok());
}
