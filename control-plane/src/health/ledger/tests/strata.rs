//! Several strata in one horizon: each compared by its own share, each counting a unit once, whatever the current stage.

use std::collections::BTreeMap;

use evaluation::Arm;
use proptest::{collection::vec, prelude::*};
use rollout::{
    Unit,
    evidence::{
        budget,
        request::{self, BatchCounts, Onset},
        unit::{self, Stratum},
    },
};

use crate::{
    health::{
        builders::*,
        frames::{Cell, Frame},
        ledger::Ledger,
    },
    record::RolloutRecord,
};

/// Shares of four audiences, all reached; the last stage is the current one.
const PERCENTS: [u32; 4] = [100, 0, 5, 50];
const HORIZON: u32 = 4;

fn by(unit: Unit) -> RolloutRecord {
    rollout_of(unit, &PERCENTS, 60 * SECOND_US)
}

/// Seals one frame of cells of the current stage.
fn seal(ledger: &mut Ledger, shelf: &mut Shelf, rollout: &RolloutRecord, sequence: u64, cells: Vec<Cell>) {
    let frame = Frame {
        horizon: HORIZON,
        cells,
        ..frame(rollout, sequence)
    };
    ledger.accept(&reporter("a"), &frame, START_US);
    shelf.seal_all(ledger, rollout, START_US);
}

/// Failures at these positions, of units that have their share from this stage.
fn failed(stratum: u8, arm: Arm, positions: &[u32]) -> Cell {
    let bad = positions.len() as u64;
    cell(place(3, stratum, arm), bad, bad, positions)
}

#[test]
fn a_unit_counts_once_in_each_horizon_and_stratum() {
    let rollout = by(Unit::Unit);
    let (mut ledger, mut shelf) = (ledger(&rollout), Shelf::default());
    let cells = vec![failed(2, Arm::Treatment, &[7]), failed(3, Arm::Control, &[7, 9])];
    seal(&mut ledger, &mut shelf, &rollout, 1, cells.clone());
    seal(&mut ledger, &mut shelf, &rollout, 2, cells);
    seal(
        &mut ledger,
        &mut shelf,
        &rollout,
        3,
        vec![failed(2, Arm::Control, &[7, 9])],
    );
    let strata = &ledger.record().horizons[&HORIZON].strata;
    assert_eq!(*strata, [((0, 2), (1, 1)), ((0, 3), (0, 2))].into());
    // Another horizon begins anew.
    let earlier = Frame {
        cells: vec![failed(2, Arm::Treatment, &[7])],
        ..frame(&rollout, 4)
    };
    ledger.accept(&reporter("a"), &earlier, START_US);
    shelf.seal_all(&mut ledger, &rollout, START_US);
    assert_eq!(ledger.record().horizons[&1].strata, [((0, 2), (1, 0))].into());
    assert_eq!(shelf.load(&rollout).record(), ledger.record());
}

#[test]
fn a_sampled_unit_counts_once_in_each_visit_and_stratum() {
    let rollout = by(Unit::Unit);
    let (mut ledger, mut shelf) = (ledger(&rollout), Shelf::default());
    let sampled = |stratum| Cell {
        sampled: vec![64, 128],
        ..cell(place(3, stratum, Arm::Control), 2, 0, &[])
    };
    for sequence in [1, 2] {
        seal(
            &mut ledger,
            &mut shelf,
            &rollout,
            sequence,
            vec![sampled(2), sampled(3)],
        );
    }
    assert_eq!(ledger.record().visit(3, 1).control.sampled_units, 4);
}

#[test]
fn requests_are_compared_within_each_stratum_and_added_up() {
    let rollout = by(Unit::Request);
    let (mut ledger, mut shelf) = (ledger(&rollout), Shelf::default());
    let counts = |stratum, arm, outcomes, bad| cell(place(3, stratum, arm), outcomes, bad, &[]);
    let cells = vec![
        counts(0, Arm::Treatment, 900, 700),
        counts(1, Arm::Control, 500, 1),
        counts(2, Arm::Treatment, 50, 4),
        counts(2, Arm::Control, 950, 3),
        counts(3, Arm::Treatment, 400, 9),
        counts(3, Arm::Control, 390, 2),
    ];
    seal(&mut ledger, &mut shelf, &rollout, 1, cells);
    let compared = [(50, 4, 950, 3), (400, 9, 390, 2)].map(|(n_t, k_t, n_c, k_c)| BatchCounts { n_t, k_t, n_c, k_c });
    let planned = request::planned_batches(60 * SECOND_US);
    let w0 = request::w0(rollout.plan.harm_guard().unwrap().1, rollout.plan.max_control_rate);
    let mut expected = Onset::new();
    expected.update(planned, &compared, w0);
    assert_eq!(
        ledger.record().horizons[&HORIZON].onsets,
        [((0, 1_000_000), expected)].into()
    );
}

/// A stratum, an arm and positions, in any number.
fn any_news() -> impl Strategy<Value = Vec<(u8, bool, Vec<u32>)>> {
    let positions = vec(0..40_u32, 1..20).prop_map(|mut positions| {
        positions.sort_unstable();
        positions.dedup();
        positions
    });
    vec((0..4_u8, any::<bool>(), positions), 1..20)
}

proptest! {
    #[test]
    fn evidence_compares_each_stratum_by_its_own_share_and_nothing_where_a_share_is_nobody_or_everybody(
        news in any_news(),
    ) {
        let rollout = by(Unit::Unit);
        let (mut ledger, mut shelf) = (ledger(&rollout), Shelf::default());
        let mut first_arm = BTreeMap::new();
        for (sequence, (stratum, treated, positions)) in (1..).zip(&news) {
            let arm = if *treated { Arm::Treatment } else { Arm::Control };
            seal(&mut ledger, &mut shelf, &rollout, sequence, vec![failed(*stratum, arm, positions)]);
            for position in positions {
                first_arm.entry((*stratum, *position)).or_insert(arm);
            }
        }
        let count = |stratum: u8, arm: Arm| {
            let of = first_arm.iter().filter(|((of, _), first)| *of == stratum && **first == arm);
            of.count() as u64
        };
        for ((_, stratum), counts) in &ledger.record().horizons[&HORIZON].strata {
            prop_assert_eq!(*counts, (count(*stratum, Arm::Treatment), count(*stratum, Arm::Control)));
        }
        // To the last bit what the two strata with units in both arms come to, whatever stands in the others. Of the
        // horizons of their stages nothing was seen in the first.
        let strata = [(2, 0.05), (3, 0.5)].map(|(stratum, share)| Stratum {
            share,
            bad_treatment: count(stratum, Arm::Treatment),
            bad_control: count(stratum, Arm::Control),
        });
        let plan = &rollout.plan;
        let log_e = vec![0.0, unit::log_e(plan.harm_guard().unwrap().1, &strata)];
        let expected = budget::evidence_number(&[1.0], plan.planned_horizons(), &[log_e]);
        prop_assert_eq!(ledger.record().number, expected);
    }
}
