#![allow(clippy::unwrap_used, clippy::expect_used)]

use evaluation::Segment;

use super::*;
use crate::{
    builders::{flag, key, production},
    store::model::Document,
    trial::Trial,
};

fn checkout() -> Key {
    key("checkout")
}

async fn at(trial: &Trial, revision: u64) -> Option<(u32, bool)> {
    let kept = version_at(trial.truth.store(), &production(), "flag", &checkout(), revision).await;
    kept.unwrap()
        .map(|kept| (kept.record.version, kept.record.document.is_some()))
}

#[tokio::test]
async fn versions_are_counted_on_when_a_deleted_key_comes_back() {
    let trial = Trial::new().await;
    let newest = || newest_version_of(&trial);
    assert_eq!(newest().await, 0);
    trial.write(flag("checkout")).await;
    assert_eq!(newest().await, 1);
    trial.delete(&checkout()).await;
    assert_eq!(newest().await, 2);
    trial.write(flag("checkout")).await;
    assert_eq!(newest().await, 3);
    // Neither the flag whose key begins alike nor the segment of the same key counts.
    trial.write(flag("checkout-2")).await;
    assert_eq!(newest().await, 3);
    let of_segment = newest_version(trial.truth.store(), &production(), "segment", &checkout()).await;
    assert_eq!(of_segment.unwrap(), 0);
}

async fn newest_version_of(trial: &Trial) -> u32 {
    let newest = newest_version(trial.truth.store(), &production(), "flag", &checkout()).await;
    newest.unwrap()
}

#[tokio::test]
async fn what_was_in_force_at_a_revision_is_found_whatever_the_number_of_versions() {
    let trial = Trial::new().await;
    let mut expected = vec![(trial.truth.state().revision, None)];
    for round in 1..=9u32 {
        let revision = if round % 4 == 0 {
            trial.delete(&checkout()).await.revision
        } else {
            let mut flag = flag("checkout");
            flag.description = round.to_string();
            trial.write(flag).await.revision
        };
        expected.push((revision, Some((round, round % 4 != 0))));
        // Other writes lie between.
        expected.push((trial.write(flag("other")).await.revision, Some((round, round % 4 != 0))));
        for (revision, found) in &expected {
            assert_eq!(at(&trial, *revision).await, *found, "at {revision} of {round} versions");
        }
    }
    assert_eq!(at(&trial, 0).await, None);
    assert_eq!(at(&trial, u64::MAX).await, Some((9, true)));
}

#[tokio::test]
async fn a_version_knows_its_document_its_act_and_its_revision() {
    let trial = Trial::new().await;
    let state = trial.write(flag("checkout")).await;
    let kept = version(trial.truth.store(), &production(), "flag", &checkout(), 1).await;
    let kept = kept.unwrap().unwrap();
    assert_eq!(kept.revision, state.revision);
    assert_eq!(
        (kept.record.actor.as_str(), kept.record.reason.as_str()),
        ("ada", "because")
    );
    let Some(Document::Flag(record)) = kept.record.document else {
        panic!("a flag was written");
    };
    assert_eq!(record, **state.flag(&production(), &checkout()).unwrap());
}

#[tokio::test]
async fn members_that_only_a_version_names_are_read_from_the_store() {
    let trial = Trial::new().await;
    let staff = |included: &[&str]| Segment {
        key: key("staff"),
        description: String::new(),
        owner: String::new(),
        tags: [].into(),
        included: included.iter().map(|unit| (*unit).to_owned()).collect(),
        excluded: Vec::new(),
        groups: Vec::new(),
    };
    trial.write_segment(staff(&["ada", "ben"])).await;
    let state = trial.write_segment(staff(&["cy"])).await;
    let first = version(trial.truth.store(), &production(), "segment", &key("staff"), 1).await;
    let Some(Document::Segment(record)) = first.unwrap().unwrap().record.document else {
        panic!("a segment was written");
    };
    let found = chunks(trial.truth.store(), &state, &production(), &record)
        .await
        .unwrap();
    assert_eq!(record.whole(&found).unwrap().included, ["ada", "ben"]);
}
