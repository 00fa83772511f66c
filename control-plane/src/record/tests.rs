#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::{
    builders::{advanced, moved, plan_of, rollout, started},
    store::{VALUE_LIMIT, model},
};
use ::rollout::{Phase, Unit};

#[test]
fn a_rollout_that_is_held_and_resumed_for_ever_keeps_a_bounded_record() {
    let mut record = started(plan_of("checkout", Unit::Unit, &[5, 50, 100], 0), 1);
    for _ in 0..10_000 {
        record = moved(&record, Phase::Held, "held");
        record = moved(&record, Phase::Soak, "resumed");
    }
    assert_eq!(record.transitions.len(), RESTING_KEPT);
    assert!(model::write_rollout(&record).len() < VALUE_LIMIT / 20);
    // Those that are kept are the latest, in order.
    let kept = record.transitions.iter().map(|made| made.sequence);
    assert_eq!(kept.collect::<Vec<_>>(), (19_901..=20_000).collect::<Vec<_>>());
}

#[test]
fn what_moved_the_exposure_is_kept_for_good() {
    let mut record = started(plan_of("checkout", Unit::Unit, &[5, 50, 100], 0), 1);
    record = moved(&record, Phase::Ramp, "started");
    for _ in 0..2 {
        record = advanced(&record);
        for _ in 0..200 {
            record = moved(&record, Phase::Held, "held");
        }
    }
    for kind in ["aborted", "completed"] {
        record = moved(&record, Phase::Aborting, kind);
    }
    let moves = record.transitions.iter().filter(|made| made.kind != "held");
    let moves = moves.map(|made| made.kind.as_str()).collect::<Vec<_>>();
    assert_eq!(moves, ["started", "advanced", "advanced", "aborted", "completed"]);
    assert_eq!(record.transitions.len(), RESTING_KEPT + moves.len());
    assert!(record.transitions.is_sorted_by_key(|made| made.sequence));
}

#[test]
fn a_rollout_is_named_after_its_flag_and_number() {
    assert_eq!(rollout().name(), "checkout#1");
}
