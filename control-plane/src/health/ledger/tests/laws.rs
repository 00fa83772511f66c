//! What holds for any frames in any order.

use std::collections::BTreeMap;

use evaluation::Arm;
use proptest::prelude::*;
use rollout::Unit;

use crate::{
    evidence::{Counts, EvidenceRecord},
    health::{
        builders::*,
        frames::{Cell, Frame, Reporter},
        ledger::Ledger,
    },
    record::RolloutRecord,
};

/// Frames and who sent them.
type Sent = Vec<(Reporter, Frame)>;

/// Frames of three agents, each with a name of its own.
fn frames(unit: Unit) -> impl Strategy<Value = (RolloutRecord, Sent)> {
    let rollout = rollout_of(unit, &[5, 50], 600 * SECOND_US);
    let arm = prop_oneof![Just(Arm::Control), Just(Arm::Treatment)];
    let cell = (
        0..2_u8,
        0..2_u8,
        arm,
        0..50_u64,
        prop::collection::btree_set(0..40_u32, 0..6),
        0..4_u32,
    )
        .prop_map(|(stage, stratum, arm, outcomes, positions, sampled)| {
            let positions = positions.into_iter().collect::<Vec<_>>();
            let outcomes = outcomes + positions.len() as u64;
            let cell = cell(place(stage, stratum, arm), outcomes, positions.len() as u64, &positions);
            Cell {
                sampled: vec![sampled * 64],
                last_exposure_us: START_US + i64::from(sampled),
                ..cell
            }
        });
    let frame = (0..3_usize, 1..3_u32, 0..3_u64, prop::collection::vec(cell, 0..4));
    prop::collection::vec(frame, 0..40).prop_map(move |parts| {
        let mut sequences = BTreeMap::new();
        let named = parts.into_iter().map(|(agent, horizon, dropped, cells)| {
            let sequence = sequences.entry(agent).or_insert(0);
            *sequence += 1;
            let reporter = reporter(["a", "b", "c"][agent]);
            (
                reporter,
                Frame {
                    horizon,
                    dropped,
                    cells,
                    ..frame_of(&rollout, *sequence)
                },
            )
        });
        let named = named.collect();
        (rollout.clone(), named)
    })
}

fn frame_of(rollout: &RolloutRecord, sequence: u64) -> Frame {
    frame(rollout, sequence)
}

/// The same frames, some of them twice, in another order.
fn shuffled(unit: Unit) -> impl Strategy<Value = (RolloutRecord, Sent, Sent)> {
    (frames(unit), prop::collection::vec(any::<prop::sample::Index>(), 0..20)).prop_flat_map(
        |((rollout, frames), repeats)| {
            let mut again = frames.clone();
            if !frames.is_empty() {
                again.extend(repeats.iter().map(|repeat| repeat.get(&frames).clone()));
            }
            (Just(rollout), Just(frames), Just(again).prop_shuffle())
        },
    )
}

fn accept_all(ledger: &mut Ledger, frames: &[(Reporter, Frame)]) {
    for (reporter, frame) in frames {
        ledger.accept(reporter, frame, START_US);
    }
}

/// Everything that a ledger stores.
fn assert_same(one: &Ledger, other: &Ledger) {
    assert_eq!(one.record, other.record);
    assert!(one.failed == other.failed, "positions differ");
    assert_eq!(one.samples, other.samples);
    assert!(one.durable.iter().eq(other.durable.iter()));
}

/// The counts that do not depend on how frames are cut into batches.
fn totals(record: &EvidenceRecord) -> (Counts, u64, i64, BTreeMap<(u32, u8), u64>) {
    let newly = record.horizons.iter().flat_map(|(horizon, evidence)| {
        evidence
            .strata
            .iter()
            .map(move |((_, stratum), (treatment, control))| ((*horizon, *stratum), treatment + control))
    });
    let newly = newly.filter(|(_, units)| *units > 0).collect();
    let mut counts = record.totals();
    // Which arm a unit counts for depends on the batch; that it counts once does not.
    for arm in [&mut counts.treatment, &mut counts.control] {
        (arm.bad_units, arm.sampled_units) = (0, 0);
    }
    (counts, record.dropped, record.last_treatment_exposure_us, newly)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn order_and_repetition_change_nothing_in_a_batch(
        (rollout, frames, again) in prop_oneof![shuffled(Unit::Unit), shuffled(Unit::Request)],
    ) {
        let (mut first, mut second) = (ledger(&rollout), ledger(&rollout));
        accept_all(&mut first, &frames);
        accept_all(&mut second, &again);
        Shelf::default().seal_all(&mut first, &rollout, START_US);
        Shelf::default().seal_all(&mut second, &rollout, START_US);
        assert_same(&first, &second);
    }

    #[test]
    fn however_frames_are_cut_into_batches_each_counts_once(
        (rollout, frames, again) in shuffled(Unit::Unit),
        every in 1..10_usize,
    ) {
        let (mut whole, mut cut) = (ledger(&rollout), ledger(&rollout));
        accept_all(&mut whole, &frames);
        Shelf::default().seal_all(&mut whole, &rollout, START_US);
        let mut shelf = Shelf::default();
        for frames in again.chunks(every) {
            accept_all(&mut cut, frames);
            shelf.seal_all(&mut cut, &rollout, START_US);
        }
        prop_assert_eq!(totals(whole.record()), totals(cut.record()));
        prop_assert!(whole.failed == cut.failed);
        prop_assert!(whole.samples.values().map(|samples| samples.set.len()).eq(cut.samples.values().map(|samples| samples.set.len())));
    }

    #[test]
    fn a_restart_at_any_moment_goes_on_as_if_it_had_not_been(
        (rollout, frames, again) in prop_oneof![shuffled(Unit::Unit), shuffled(Unit::Request)],
        every in 1..10_usize,
        restart in 0..10_usize,
    ) {
        let (mut lasting, mut restarted) = (ledger(&rollout), ledger(&rollout));
        let (mut shelf, mut other) = (Shelf::default(), Shelf::default());
        let batches = again.chunks(every).chain([frames.as_slice()]);
        for (number, frames) in batches.enumerate() {
            accept_all(&mut lasting, frames);
            accept_all(&mut restarted, frames);
            if number == restart {
                // Dies with an open batch, or before a commit; its agents send what was not acknowledged again.
                _ = restarted.seal(&rollout, START_US);
                restarted = other.load(&rollout);
                accept_all(&mut restarted, frames);
            }
            shelf.seal_all(&mut lasting, &rollout, START_US);
            other.seal_all(&mut restarted, &rollout, START_US);
            assert_same(&lasting, &restarted);
            assert_same(&restarted, &other.load(&rollout));
        }
        prop_assert_eq!(shelf.items, other.items);
    }
}
