#![allow(clippy::unwrap_used, clippy::expect_used)]

use evaluation::{Condition, Test};

use super::*;
use crate::{
    builders::{actor, key, production},
    change::{self, flag::Act},
    members::ChunkId,
    references::{Overlay, StateDocuments},
    trial::Trial,
};

fn segment(name: &str) -> Segment {
    Segment {
        key: key(name),
        description: String::new(),
        owner: String::new(),
        tags: [].into(),
        included: Vec::new(),
        excluded: Vec::new(),
        groups: Vec::new(),
    }
}

fn reads(segment: &str) -> Vec<Condition> {
    vec![Condition {
        attribute: String::new(),
        negated: false,
        test: Test::InSegment(vec![segment.to_owned()]),
    }]
}

fn list(units: &[&str]) -> List {
    List::Units(units.iter().map(|unit| (*unit).to_owned()).collect())
}

fn wanted(segment: Segment, included: List, excluded: List) -> Wanted {
    Wanted {
        segment,
        included,
        excluded,
    }
}

const STAMP: Stamp = Stamp { version: 1, at_us: 7 };

fn prepared(state: &State, before: Option<&SegmentRecord>, wanted: &Wanted) -> Result<Prepared, Vec<Violation>> {
    let environment = production();
    let overlay = Overlay::of_segment(&wanted.segment.key, Some(wanted.segment.clone()));
    let among = StateDocuments::new(state, &environment, &overlay);
    prepare_segment(state, &environment, before, wanted, STAMP, &among)
}

/// The fields that are wrong.
fn wrong(wanted: &Wanted) -> Vec<String> {
    let violations = prepared(&State::default(), None, wanted).expect_err("something is wrong");
    violations.into_iter().map(|violation| violation.field).collect()
}

#[test]
fn a_segment_is_answered_with_everything_that_is_wrong_with_it() {
    let long = "x".repeat(UNIT_LIMIT + 1);
    let wanted = wanted(
        Segment {
            description: "d".repeat(5_000),
            groups: vec![reads("nobody"), Vec::new()],
            ..segment("staff")
        },
        list(&["ada", "", &long]),
        list(&["ada", "bob"]),
    );
    let fields = wrong(&wanted);
    for field in [
        "description",
        "included[1]",
        "included[2]",
        "excluded[0]",
        "groups[1].conditions",
    ] {
        assert!(fields.iter().any(|found| found == field), "{field} in {fields:?}");
    }
    assert!(fields.iter().any(|found| found.starts_with("groups[0]")), "{fields:?}");
}

#[test]
fn more_members_than_a_segment_may_have_are_counted() {
    let units = |count: usize, width: usize| List::Units((0..count).map(|unit| format!("{unit:0width$}")).collect());
    let many = wanted(segment("staff"), units(UNITS_LIMIT, 6), list(&["bob"]));
    let violations = prepared(&State::default(), None, &many).unwrap_err();
    assert_eq!(violations.len(), 1);
    assert!(violations[0].description.contains("500001"), "{violations:?}");
    let large = wanted(segment("staff"), units(17_000, 1_000), List::Kept);
    assert_eq!(wrong(&large), ["included"]);
}

#[test]
fn a_thousand_wrong_units_are_listed_up_to_a_hundred() {
    let empty = List::Units(vec![String::new(); 1_000]);
    let violations = prepared(&State::default(), None, &wanted(segment("staff"), empty, List::Kept)).unwrap_err();
    assert_eq!(violations.len(), 101);
    assert_eq!(violations[100].omits(), Some(900), "{}", violations[100]);
}

#[test]
fn a_document_is_bounded_apart_from_its_members() {
    let text = Condition {
        attribute: "plan".to_owned(),
        negated: false,
        test: Test::Text {
            part: evaluation::TextPart::Contains,
            texts: vec!["t".repeat(60_000)],
            ignore_case: false,
        },
    };
    let large = Segment {
        groups: vec![vec![text; 5]],
        ..segment("staff")
    };
    assert_eq!(wrong(&wanted(large, list(&["ada"]), List::Kept)), [""]);
}

#[tokio::test]
async fn a_list_that_is_kept_still_may_not_share_a_unit_with_the_other() {
    let trial = Trial::new().await;
    let before = Segment {
        included: vec!["ada".to_owned(), "bob".to_owned()],
        ..segment("staff")
    };
    let state = trial.write_segment(before).await;
    let before = state.segment(&production(), &key("staff")).unwrap();
    let meets = wanted(segment("staff"), List::Kept, list(&["eve", "bob"]));
    let violations = prepared(&state, Some(before), &meets).unwrap_err();
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].field, "excluded[1]");
    let passes = wanted(segment("staff"), List::Kept, list(&["eve"]));
    let passes = prepared(&state, Some(before), &passes).unwrap();
    assert_eq!(passes.record.included, before.included);
    assert!(passes.differs(before));
}

#[tokio::test]
async fn equal_members_in_another_order_are_no_change_and_bring_no_chunk() {
    let trial = Trial::new().await;
    let before = Segment {
        included: vec!["ada".to_owned(), "bob".to_owned()],
        ..segment("staff")
    };
    let state = trial.write_segment(before).await;
    let before = state.segment(&production(), &key("staff")).unwrap();
    let same = wanted(segment("staff"), list(&["bob", "ada", "bob"]), List::Kept);
    let same = prepared(&state, Some(before), &same).unwrap();
    assert!(!same.differs(before) && same.fresh.is_empty());
}

#[tokio::test]
async fn a_crash_before_the_document_leaves_the_state_as_it_was() {
    let trial = Trial::new().await;
    let many = Members::of(&(0..60_000).map(|unit| format!("user-{unit}")).collect::<Vec<_>>());
    let staged = stage(trial.truth.store(), &production(), &many.fresh, 0, 1)
        .await
        .unwrap();
    assert!(staged.with.is_empty() && staged.upload.is_some());
    drop(staged);
    let trial = trial.again().await;
    let state = trial.truth.state();
    assert!(state.segments.is_empty() && state.chunks.is_empty());
    // The same document can still be written, and finds its chunks.
    let whole = Segment {
        included: (0..60_000).map(|unit| format!("user-{unit}")).collect(),
        ..segment("staff")
    };
    let state = trial.write_segment(whole).await;
    let record = state.segment(&production(), &key("staff")).unwrap();
    assert_eq!(record.included, many.members);
    assert!(
        record
            .included
            .contains(state.chunks_of(&production()), "user-59999")
            .unwrap()
    );
}

#[tokio::test]
async fn an_upload_that_was_swept_refuses_its_document() {
    let trial = Trial::new().await;
    let members = Members::of(&["ada".to_owned()]);
    let upload = stage(trial.truth.store(), &production(), &members.fresh, 0, 1)
        .await
        .unwrap();
    let (marker, _) = upload.upload.clone().unwrap();
    trial.commit(Txn::default().delete(marker)).await;
    let record = SegmentRecord {
        segment: segment("staff"),
        included: members.members,
        excluded: Members::default(),
        version: 1,
        created_at_us: 1,
        updated_at_us: 1,
        revision: 0,
    };
    let (environment, actor) = (production(), actor());
    let act = Act::alone(&environment, "segment.create", &actor);
    let txn = change::segment::put(Txn::default(), act, None, &record, upload);
    let refused = trial.truth.store().txn(txn).await.unwrap();
    assert!(matches!(refused, Outcome::Refused { .. }));
}

#[test]
fn an_upload_goes_in_transactions_that_a_store_takes() {
    let written = (0..2_000u32).map(|number| {
        let key = keys::chunk(&production(), ChunkId(u128::from(number)));
        (key, Bytes::from(vec![0; 1 + (number as usize * 7_919) % 40_000]))
    });
    let written = written.collect::<Vec<_>>();
    let batches = batches(written.clone());
    for batch in &batches {
        batch.check().unwrap();
    }
    let brought = batches.iter().map(|batch| batch.ops.len()).sum::<usize>();
    assert_eq!(brought, written.len());
}
