//! The reference trajectories of both tests, through frames, seals and the store.

use std::collections::BTreeMap;

use evaluation::Arm;
use rollout::{
    Plan, Unit,
    evidence::unit::{self, Stratum},
};
use serde_json::Value;

use crate::{
    health::{builders::*, frames::Frame},
    record::RolloutRecord,
};

fn vectors(name: &str) -> Value {
    let text = include_str!("../../../../../rollout/tests/data/harm-eprocess-vectors.json");
    serde_json::from_str::<Value>(text).unwrap()[name].clone()
}

fn numbers(value: &Value) -> Vec<u32> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|number| u32::try_from(number.as_u64().unwrap()).unwrap())
        .collect()
}

fn assert_close(actual: f64, expected: f64) {
    assert!(
        (actual - expected).abs() <= 1e-9 * expected.abs().max(1.0),
        "{actual}, expected {expected}"
    );
}

fn strata(plan: &Plan, counts: &BTreeMap<(u16, u8), (u64, u64)>) -> Vec<Stratum> {
    let of = |((_, stratum), counts): (&(u16, u8), &(u64, u64))| Stratum {
        share: plan.stages[usize::from(*stratum)].share.fraction(),
        bad_treatment: counts.0,
        bad_control: counts.1,
    };
    counts.iter().map(of).collect()
}

#[test]
fn units_follow_the_reference_trajectory() {
    let trajectory = &vectors("unit")["trajectory"];
    assert_eq!(trajectory["pi"], serde_json::json!([1.0, 0.05, 0.5]));
    let rollout = rollout_of(Unit::Unit, &[100, 5, 50], 60 * SECOND_US);
    let (mut ledger, mut shelf) = (ledger(&rollout), Shelf::default());
    for (sequence, batch) in (1..).zip(trajectory["batches"].as_array().unwrap()) {
        let cells = batch["news"].as_array().unwrap().iter().flat_map(|news| {
            let stratum = u8::try_from(news["stratum"].as_u64().unwrap()).unwrap();
            [(Arm::Treatment, "treatment"), (Arm::Control, "control")].map(|(arm, name)| {
                let positions = numbers(&news[name]);
                cell(
                    place(2, stratum, arm),
                    positions.len() as u64,
                    positions.len() as u64,
                    &positions,
                )
            })
        });
        let frame = Frame {
            cells: cells.collect(),
            ..frame(&rollout, sequence)
        };
        ledger.accept(&reporter("a"), &frame, START_US);
        shelf.seal_all(&mut ledger, &rollout, START_US);
        // Every batch is read back from the store: a restart anywhere follows the same trajectory.
        ledger = shelf.load(&rollout);
        let counts = &ledger.record().horizons[&1].strata;
        for (stratum, expected) in (1..).zip(&batch["counts"].as_array().unwrap()[1..]) {
            let (treatment, control) = counts.get(&(0, stratum)).copied().unwrap_or_default();
            assert_eq!(
                serde_json::json!([treatment, control]),
                *expected,
                "batch {sequence}, stratum {stratum}"
            );
        }
        assert_close(
            unit::log_e(1.0, &strata(&rollout.plan, counts)),
            batch["log_e"].as_f64().unwrap(),
        );
    }
}

/// A rollout by requests with the reference's H and w0, at 100 % and 50 %.
fn by_requests(planned: u64) -> RolloutRecord {
    let dwell_us = i64::try_from(planned).unwrap() * 10 * SECOND_US;
    rollout_of(Unit::Request, &[50, 100], dwell_us)
}

#[test]
fn requests_follow_the_reference_trajectory() {
    let trajectory = vectors("trajectory");
    let planned = trajectory["H"].as_u64().unwrap();
    assert_eq!(trajectory["w0"], serde_json::json!(1.0));
    let rollout = by_requests(planned);
    let (mut ledger, mut shelf) = (ledger(&rollout), Shelf::default());
    for (number, batch) in (0..).zip(trajectory["batches"].as_array().unwrap()) {
        let [n_t, k_t, n_c, k_c] = numbers(batch)[..] else {
            panic!("{batch}")
        };
        let treated = cell(place(0, 0, Arm::Treatment), u64::from(n_t), u64::from(k_t), &[]);
        let spared = cell(place(0, 0, Arm::Control), u64::from(n_c), u64::from(k_c), &[]);
        // Neither the arm of another agent's frame nor a stratum without control makes a difference.
        let alone = cell(place(1, 1, Arm::Treatment), 500, 400, &[]);
        let first = Frame {
            cells: vec![treated],
            ..frame(&rollout, number + 1)
        };
        let second = Frame {
            cells: vec![spared, alone],
            ..frame(&rollout, number + 1)
        };
        ledger.accept(&reporter("a"), &first, START_US);
        ledger.accept(&reporter("b"), &second, START_US);
        shelf.seal_all(&mut ledger, &rollout, START_US);
        ledger = shelf.load(&rollout);
        let onset = ledger.record().horizons[&1].onsets[&(0, 1_000_000)];
        let expected = trajectory["log_e"][usize::try_from(number).unwrap()].as_f64().unwrap();
        assert_close(onset.log_e(planned), expected);
    }
}

#[test]
fn a_batch_without_bad_requests_places_no_bet() {
    let rollout = by_requests(500);
    let (mut ledger, mut shelf) = (ledger(&rollout), Shelf::default());
    let cells = [Arm::Treatment, Arm::Control].map(|arm| cell(place(0, 0, arm), 200, 0, &[]));
    ledger.accept(
        &reporter("a"),
        &Frame {
            cells: cells.into(),
            ..frame(&rollout, 1)
        },
        START_US,
    );
    shelf.seal_all(&mut ledger, &rollout, START_US);
    assert_eq!(ledger.record().batches, 1);
    assert!(ledger.record().horizons.is_empty());
}
