#![allow(clippy::unwrap_used, clippy::expect_used)]

use evaluation::Segment;

use super::*;
use crate::{
    builders::{key, production},
    members::Members,
    segments::stage,
    store::Outcome,
    trial::Trial,
};

const NOW_US: i64 = 10 * STALE_US;
const LONG_AGO_US: i64 = NOW_US - STALE_US - 1;

fn units(from: u32, to: u32) -> Vec<String> {
    (from..to).map(|unit| format!("user-{unit:06}")).collect()
}

/// Writes chunks before a document that never comes.
async fn upload(trial: &Trial, units: &[String], at_us: i64) -> Members {
    let members = Members::of(units);
    let staged = stage(trial.truth.store(), &production(), &members.fresh, 0, at_us)
        .await
        .unwrap();
    drop(staged);
    members.members
}

async fn there(trial: &Trial, members: &Members) -> usize {
    let mut there = 0;
    for id in members.chunks() {
        let found = trial.truth.store().get(&keys::chunk(&production(), id)).await.unwrap();
        there += usize::from(found.is_some());
    }
    there
}

fn segment(units: Vec<String>) -> Segment {
    Segment {
        key: key("staff"),
        description: String::new(),
        owner: String::new(),
        tags: [].into(),
        included: units,
        excluded: Vec::new(),
        groups: Vec::new(),
    }
}

async fn swept(trial: &Trial) -> usize {
    sweep(trial.truth.store(), &production(), NOW_US).await.unwrap()
}

#[tokio::test]
async fn what_no_document_came_to_name_goes_after_an_hour_and_not_before() {
    let trial = Trial::new().await;
    let old = upload(&trial, &units(0, 20_000), LONG_AGO_US).await;
    let young = upload(&trial, &units(20_000, 30_000), NOW_US - STALE_US).await;
    let (olds, youngs) = (old.parts().len(), young.parts().len());
    assert_eq!(swept(&trial).await, olds);
    assert_eq!((there(&trial, &old).await, there(&trial, &young).await), (0, youngs));
    assert_eq!(swept(&trial).await, 0);
    assert!(uploads(trial.truth.store(), &production()).await.unwrap().len() == 1);
}

#[tokio::test]
async fn what_any_version_names_stays() {
    let trial = Trial::new().await;
    let left = upload(&trial, &units(0, 20_000), LONG_AGO_US).await;
    trial.write_segment(segment(units(0, 20_000))).await;
    trial.write_segment(segment(units(50_000, 50_001))).await;
    trial.delete_segment(&key("staff")).await;
    let all = left.parts().len();
    assert_eq!(swept(&trial).await, 0);
    assert_eq!(there(&trial, &left).await, all);
    assert!(uploads(trial.truth.store(), &production()).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_another_upload_brings_too_stays() {
    let trial = Trial::new().await;
    let old = upload(&trial, &units(0, 20_000), LONG_AGO_US).await;
    let young = upload(&trial, &units(0, 20_000), NOW_US).await;
    assert_eq!(old, young);
    assert_eq!(swept(&trial).await, 0);
    assert_eq!(there(&trial, &young).await, young.parts().len());
}

#[tokio::test]
async fn a_chunk_that_is_brought_again_meanwhile_is_not_taken_away() {
    let trial = Trial::new().await;
    let store = trial.truth.store();
    let members = upload(&trial, &units(0, 10), LONG_AGO_US).await;
    let id = members.parts()[0].chunk;
    let key = keys::chunk(&production(), id);
    let seen = store.get(&key).await.unwrap().unwrap();
    // Somebody writes the same chunk with his document, after the sweep has looked at it.
    trial.write_segment(segment(units(0, 10))).await;
    let deletion = Txn::default()
        .guard(Guard::Unchanged(key.clone(), seen.modified))
        .delete(key);
    assert!(matches!(store.txn(deletion).await.unwrap(), Outcome::Refused { .. }));
}
