#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use super::*;
use crate::{
    audit::{self, Subject},
    builders::{flag, key, production},
    store::Txn,
    trial::Trial,
};

/// Only a broken test waits so long.
const FAR: Duration = Duration::from_secs(60);

async fn follow(trial: &Trial, after: u64) -> Follower {
    Followers::new()
        .follow(&trial.truth, &production(), Some(after))
        .await
        .unwrap()
}

async fn next(follower: &mut Follower) -> Seen {
    tokio::time::timeout(FAR, follower.next())
        .await
        .expect("a record comes")
        .unwrap()
}

/// Records of an act about these keys, in one transaction.
fn acts(environment: &Key, keys: &[String]) -> Txn {
    keys.iter().fold(Txn::default(), |txn, key| {
        let subject = Subject {
            environment,
            action: "flag.update",
            kind: "flag",
            key,
        };
        audit::record(txn, subject, &Trial::somebody("ada"), None, None, None)
    })
}

async fn act(trial: &Trial, keys: &[&str]) -> u64 {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    trial.commit(acts(&production(), &keys)).await.revision
}

#[tokio::test]
async fn each_record_is_seen_once_and_in_order_while_many_write() {
    const WRITERS: usize = 4;
    const EACH: usize = 60;
    let trial = Trial::new().await;
    let begun = trial.truth.state().revision;
    let mut early = follow(&trial, begun).await;
    let writers = (0..WRITERS).map(|writer| {
        let truth = trial.truth.clone();
        tokio::spawn(async move {
            for number in 0..EACH {
                // Some acts are of one document, some of several, some are elsewhere.
                let keys = (0..=number % 3)
                    .map(|part| format!("{writer}-{number}-{part}"))
                    .collect::<Vec<_>>();
                truth.commit(acts(&production(), &keys)).await.unwrap();
                truth.commit(acts(&key("staging"), &keys)).await.unwrap();
            }
        })
    });
    let writers = writers.collect::<Vec<_>>();
    let expected = WRITERS * (0..EACH).map(|number| number % 3 + 1).sum::<usize>();
    let mut seen = Vec::new();
    while seen.len() < expected {
        seen.push(next(&mut early).await);
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let mut keys = seen.iter().map(|seen| seen.record.key.clone()).collect::<Vec<_>>();
    assert!(seen.is_sorted_by_key(|seen| (seen.revision, seen.id)));
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), expected, "a record is missing or came twice");
    // Whoever begins later anywhere between sees the rest.
    for at in [0, 1, expected / 2, expected - 1] {
        let mut late = follow(&trial, seen[at].told).await;
        let first = seen.iter().position(|other| other.revision > seen[at].told);
        if let Some(first) = first {
            for expected in &seen[first..] {
                assert_eq!(next(&mut late).await, *expected);
            }
        }
        assert!(futures::FutureExt::now_or_never(late.next()).is_none());
    }
}

#[tokio::test]
async fn a_resumed_follower_sees_the_whole_of_an_act_that_it_knew_in_part() {
    let trial = Trial::new().await;
    let before = trial.truth.state().revision;
    let revision = act(&trial, &["a", "b", "c"]).await;
    let mut follower = follow(&trial, before).await;
    let told = [
        next(&mut follower).await,
        next(&mut follower).await,
        next(&mut follower).await,
    ];
    assert_eq!(told.map(|seen| seen.told), [revision - 1, revision - 1, revision]);
    assert_eq!(follower.told(), revision);
}

#[tokio::test]
async fn a_record_is_told_when_the_state_shows_it() {
    let trial = Trial::new().await;
    let mut follower = follow(&trial, trial.truth.state().revision).await;
    let writer = {
        let truth = trial.truth.clone();
        tokio::spawn(async move {
            for number in 0..50 {
                truth.commit(acts(&production(), &[number.to_string()])).await.unwrap();
            }
        })
    };
    for _ in 0..50 {
        let seen = next(&mut follower).await;
        assert!(trial.truth.state().revision >= seen.revision);
    }
    writer.await.unwrap();
}

#[tokio::test]
async fn a_follower_that_is_let_go_of_while_it_waits_misses_nothing() {
    let trial = Trial::new().await;
    let mut follower = follow(&trial, trial.truth.state().revision).await;
    for number in 0..20 {
        assert!(futures::FutureExt::now_or_never(follower.next()).is_none());
        let name = number.to_string();
        let revision = act(&trial, &[&name]).await;
        let seen = next(&mut follower).await;
        assert_eq!((seen.record.key, seen.revision), (name, revision));
    }
}

#[tokio::test]
async fn commits_without_a_record_move_on_what_is_told() {
    let trial = Trial::new().await;
    let mut follower = follow(&trial, trial.truth.state().revision).await;
    let state = trial.commit(Txn::default().put("elsewhere".into(), "x")).await;
    assert!(futures::FutureExt::now_or_never(follower.next()).is_none());
    assert_eq!(follower.told(), state.revision);
}

#[tokio::test]
async fn a_follower_goes_on_where_it_was_after_a_restart_of_the_process() {
    let trial = Trial::new().await;
    trial.write(flag("one")).await;
    let mut follower = follow(&trial, 0).await;
    let first = next(&mut follower).await;
    trial.write(flag("two")).await;
    drop(follower);
    let trial = trial.again().await;
    let mut follower = follow(&trial, first.told).await;
    assert_eq!(next(&mut follower).await.record.key, "two");
    trial.write(flag("three")).await;
    assert_eq!(next(&mut follower).await.record.key, "three");
}

#[tokio::test]
async fn what_was_done_long_ago_comes_page_by_page_and_whole() {
    let trial = Trial::new().await;
    let begun = trial.truth.state().revision;
    let (store, environment) = (trial.truth.store(), production());
    let writes = (0..3_000).map(|number| store.txn(acts(&environment, &[number.to_string()])));
    let written = futures::future::join_all(writes).await;
    assert!(written.iter().all(Result::is_ok));
    trial.truth.at(begun + 3_000).await.unwrap();
    let mut follower = follow(&trial, begun).await;
    for revision in begun + 1..=begun + 3_000 {
        let seen = next(&mut follower).await;
        assert_eq!((seen.revision, seen.told), (revision, revision));
        // No more is held than one page of the log.
        assert!(follower.queue.len() <= 1_024);
    }
    assert!(futures::FutureExt::now_or_never(follower.next()).is_none());
}

#[tokio::test]
async fn from_now_on_means_nothing_of_before() {
    let trial = Trial::new().await;
    act(&trial, &["before"]).await;
    let mut follower = Followers::new()
        .follow(&trial.truth, &production(), None)
        .await
        .unwrap();
    act(&trial, &["after"]).await;
    assert_eq!(next(&mut follower).await.record.key, "after");
}

#[tokio::test]
async fn what_is_to_come_and_what_is_gone_is_refused() {
    let trial = Trial::new().await;
    let current = trial.truth.state().revision;
    let followers = Followers::new();
    let refused = followers.follow(&trial.truth, &production(), Some(current + 1)).await;
    assert!(matches!(refused, Err(FollowError::Future { .. })));
    // The log keeps ten thousand revisions.
    let store = trial.truth.store();
    let writes = (0..10_100).map(|_| store.txn(Txn::default().put("elsewhere".into(), "x")));
    let last = futures::future::join_all(writes).await.pop().unwrap().unwrap();
    let crate::store::Outcome::Committed(last) = last else {
        panic!("nothing was guarded");
    };
    trial.truth.at(last).await.unwrap();
    let refused = followers.follow(&trial.truth, &production(), Some(current)).await;
    assert!(matches!(
        refused,
        Err(FollowError::Store(store::Error::Compacted { .. }))
    ));
    assert!(followers.follow(&trial.truth, &production(), Some(last)).await.is_ok());
}

#[tokio::test]
async fn places_are_bounded_and_given_back() {
    let trial = Trial::new().await;
    let followers = Followers::new();
    let mut held = Vec::new();
    for _ in 0..FOLLOWERS {
        held.push(followers.follow(&trial.truth, &production(), None).await.unwrap());
    }
    let refused = followers.follow(&trial.truth, &production(), None).await;
    assert!(matches!(refused, Err(FollowError::Full)));
    held.pop();
    assert!(followers.follow(&trial.truth, &production(), None).await.is_ok());
}
