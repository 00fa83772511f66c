#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use tokio::time::Instant;
use tokio_stream::StreamExt as _;
use tonic::Code;

use super::*;
use crate::{
    builders::{flag, key},
    trial::Trial,
};

/// Only a broken test waits so long.
const FAR: Duration = Duration::from_secs(60);

fn changes(trial: &Trial) -> ChangesApi {
    ChangesApi::new(trial.truth.clone(), Followers::new(), Shutdown::new())
}

fn request(after_revision: u64) -> v1::WatchChangesRequest {
    v1::WatchChangesRequest {
        environment: "production".to_owned(),
        after_revision,
        ..v1::WatchChangesRequest::default()
    }
}

async fn watch(api: &ChangesApi, request: v1::WatchChangesRequest) -> <ChangesApi as Changes>::WatchChangesStream {
    api.watch_changes(Request::new(request)).await.unwrap().into_inner()
}

async fn next(stream: &mut <ChangesApi as Changes>::WatchChangesStream) -> Result<v1::WatchChangesResponse, Status> {
    tokio::time::timeout(FAR, stream.next())
        .await
        .expect("a message comes")
        .expect("the stream goes on")
}

#[tokio::test]
async fn a_console_sees_a_sign_of_life_then_each_change() {
    let trial = Trial::new().await;
    let api = changes(&trial);
    let begun = trial.truth.state().revision;
    let mut stream = watch(&api, request(0)).await;
    let alive = next(&mut stream).await.unwrap();
    assert_eq!((alive.revision, alive.change), (begun, None));
    let written = trial.write(flag("checkout")).await.revision;
    let told = next(&mut stream).await.unwrap();
    let change = told.change.unwrap();
    assert_eq!((told.revision, change.revision), (written, written));
    assert_eq!((change.kind.as_str(), change.key.as_str()), ("flag", "checkout"));
    assert_eq!((change.actor.as_str(), change.reason.as_str()), ("ada", "because"));
    // Whoever comes back with the revision that he knows misses nothing.
    let mut again = watch(&api, request(begun)).await;
    next(&mut again).await.unwrap();
    assert_eq!(next(&mut again).await.unwrap().change, Some(change));
}

#[tokio::test]
async fn only_what_is_asked_for_is_told() {
    let trial = Trial::new().await;
    let api = changes(&trial);
    let begun = trial.truth.state().revision;
    trial.write(flag("one")).await;
    trial.write(flag("two")).await;
    trial.delete(&key("one")).await;
    let keyed = v1::WatchChangesRequest {
        key: "one".to_owned(),
        kinds: vec!["flag".to_owned(), "rollout".to_owned()],
        ..request(begun)
    };
    let mut stream = watch(&api, keyed).await;
    next(&mut stream).await.unwrap();
    let mut actions = Vec::new();
    for _ in 0..2 {
        actions.push(next(&mut stream).await.unwrap().change.unwrap().action);
    }
    assert_eq!(actions, ["flag.update", "flag.delete"]);
    let elsewhere = v1::WatchChangesRequest {
        kinds: vec!["segment".to_owned()],
        ..request(begun)
    };
    let mut stream = watch(&api, elsewhere).await;
    next(&mut stream).await.unwrap();
    assert!(futures::FutureExt::now_or_never(stream.next()).is_none());
}

#[tokio::test]
async fn silence_is_told_from_death_by_signs_of_life() {
    let trial = Trial::new().await;
    let api = changes(&trial);
    let mut stream = watch(&api, request(0)).await;
    next(&mut stream).await.unwrap();
    tokio::time::pause();
    for _ in 0..3 {
        let begun = Instant::now();
        assert_eq!(next(&mut stream).await.unwrap().change, None);
        assert!(begun.elapsed() >= Duration::from_secs(15));
    }
}

#[tokio::test]
async fn a_stream_ends_when_the_process_drains_and_says_so() {
    let trial = Trial::new().await;
    let shutdown = Shutdown::new();
    let api = ChangesApi::new(trial.truth.clone(), Followers::new(), shutdown.clone());
    let mut stream = watch(&api, request(0)).await;
    next(&mut stream).await.unwrap();
    shutdown.drain();
    assert_eq!(next(&mut stream).await.unwrap_err().code(), Code::Unavailable);
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn what_cannot_be_watched_is_refused() {
    let trial = Trial::new().await;
    let api = changes(&trial);
    let refused = async |request| {
        let refused = api.watch_changes(Request::new(request)).await;
        refused.err().expect("it is refused").code()
    };
    let unknown = v1::WatchChangesRequest {
        kinds: vec!["flag".to_owned(), "flags".to_owned()],
        ..request(0)
    };
    assert_eq!(refused(unknown).await, Code::InvalidArgument);
    assert_eq!(refused(request(1_000)).await, Code::InvalidArgument);
    let nowhere = v1::WatchChangesRequest {
        environment: "nowhere".to_owned(),
        ..request(0)
    };
    assert_eq!(refused(nowhere).await, Code::NotFound);
}

#[test]
fn what_is_no_longer_kept_is_out_of_range_and_too_many_is_exhausted() {
    let gone = crate::store::Error::Compacted { asked: 3, oldest: 9 };
    let gone = Status::from(crate::follow::FollowError::from(gone));
    assert_eq!(gone.code(), Code::OutOfRange);
    assert!(gone.message().contains("after 9"), "{gone}");
    assert_eq!(
        Status::from(crate::follow::FollowError::Full).code(),
        Code::ResourceExhausted
    );
}
