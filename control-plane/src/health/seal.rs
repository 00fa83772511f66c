//! Sealing: an open batch becomes evidence, and one transaction that makes both it and its dots durable.
//!
//! Inputs, marks, positions and the evidence after them are written together or not at all, guarded by the revision of
//! the evidence: after a crash a batch has been counted or will be, never both. Counting goes in a fixed order (control
//! first, then by place), so that the same frames in any order give the same evidence to the last bit. Control goes
//! first because a position that fails in both arms of one batch counts for control (guard.md 4a).

use std::collections::BTreeMap;

use bytes::Bytes;
use evaluation::Arm;
use rollout::{
    Plan, Unit,
    evidence::{
        request::{self, BatchCounts, Onset},
        unit::{Positions, newly_bad},
    },
};

use super::{
    cells::{Batch, Sums},
    frames::Place,
    ledger::{Ledger, Samples},
};
use crate::{
    evidence::ArmCounts,
    record::RolloutRecord,
    store::{
        Guard, Txn, keys,
        model::{self, PositionPage, SampleSet, SealedBatch, SealedCounts},
    },
};

/// The number of the metric that the tests judge: the error rate of the plan's first guard.
const JUDGED: u16 = 0;

/// The counts of a batch by (metric, stratum).
type Inputs = BTreeMap<(u16, u8), SealedCounts>;

impl Ledger {
    /// Counts a batch and returns its transaction. At most 128 operations: the evidence, the inputs, 32 pages of
    /// positions, 16 visits, 64 pages of marks.
    pub(super) fn batch_txn(&mut self, horizon: u32, batch: &Batch, rollout: &RolloutRecord, now_us: i64) -> Txn {
        let inputs = self.count(horizon, batch, rollout);
        self.record.batches += 1;
        self.record.sealed_at_us = now_us;
        self.sealed_at_us = now_us;
        let log_evidence = self
            .record
            .number(&rollout.plan, &rollout.state)
            .map(|number| number.log_evidence);
        let inputs = SealedBatch::write(now_us, horizon, inputs.into_values().collect(), log_evidence);
        let (environment, id) = (&self.environment, self.rollout);
        let mut txn = self
            .marks_txn_guarded()
            .put(keys::evidence(environment, id), model::write_evidence(&self.record))
            .put(keys::batch(environment, id, self.record.batches), inputs);
        for (page, value) in self.failed.get_mut(&horizon).map(dirty_pages).unwrap_or_default() {
            txn = txn.put(keys::position_page(&self.environment, id, horizon, page), value);
        }
        for ((stage, visit), samples) in self.samples.iter_mut().filter(|(_, samples)| samples.is_dirty) {
            samples.is_dirty = false;
            txn = txn.put(
                keys::sample_set(&self.environment, id, *stage, *visit),
                SampleSet::write(&samples.set),
            );
        }
        self.put_marks(txn)
    }

    /// The transaction of marks alone.
    pub(super) fn marks_txn(&mut self) -> Txn {
        let txn = self.marks_txn_guarded();
        self.put_marks(txn)
    }

    /// An empty transaction that holds only while nobody else has written evidence.
    fn marks_txn_guarded(&self) -> Txn {
        let key = keys::evidence(&self.environment, self.rollout);
        Txn::default().guard(match self.record.revision {
            0 => Guard::Absent(key),
            revision => Guard::Unchanged(key, revision),
        })
    }

    fn put_marks(&mut self, txn: Txn) -> Txn {
        let pages = self.durable.take_dirty();
        pages.into_iter().fold(txn, |txn, (page, value)| {
            txn.put(keys::mark_page(&self.environment, self.rollout, page), value)
        })
    }

    /// Adds a batch to the record, the positions and the samples.
    fn count(&mut self, horizon: u32, batch: &Batch, rollout: &RolloutRecord) -> Inputs {
        let mut inputs = batch.inputs();
        for arm in [Arm::Control, Arm::Treatment] {
            for (place, sums) in batch.of(arm) {
                let failed = match rollout.plan.unit {
                    Unit::Unit => self.newly_failed(horizon, place, sums, &mut inputs),
                    // Each request is a unit of its own.
                    Unit::Request => sums.metrics.get(&JUDGED).map_or(0, |sums| sums.num),
                };
                let sampled = if sums.sampled.is_empty() {
                    0
                } else {
                    newly_sampled(self.samples.entry((place.stage, place.visit)).or_default(), place, sums)
                };
                let counts = self.record.visit_mut(place.stage, place.visit);
                let counts = match arm {
                    Arm::Treatment => &mut counts.treatment,
                    Arm::Control => &mut counts.control,
                };
                add(counts, sums, failed, sampled);
            }
        }
        let exposures = batch.of(Arm::Treatment).map(|(_, sums)| sums.last_exposure_us);
        let last_us = &mut self.record.last_treatment_exposure_us;
        *last_us = exposures.fold(*last_us, i64::max);
        self.record.dropped = self.record.dropped.saturating_add(batch.dropped);
        self.test(horizon, &inputs, rollout);
        inputs
    }

    /// Takes the failed positions of one place in; how many are new for the judged metric.
    fn newly_failed(&mut self, horizon: u32, place: &Place, sums: &Sums, inputs: &mut Inputs) -> u64 {
        let mut judged = 0;
        for (metric, sums) in sums.metrics.iter().filter(|(_, sums)| !sums.bad.is_empty()) {
            let seen = self
                .failed
                .entry(horizon)
                .or_default()
                .entry((*metric, place.stratum))
                .or_default();
            let positions = sums.bad.iter().copied().collect::<Vec<_>>();
            let (treatment, control) = match place.arm {
                Arm::Treatment => newly_bad(seen, &positions, &[]),
                Arm::Control => newly_bad(seen, &[], &positions),
            };
            if let Some(counts) = inputs.get_mut(&(*metric, place.stratum)) {
                counts.newly_bad_treatment += treatment;
                counts.newly_bad_control += control;
            }
            judged += if *metric == JUDGED { treatment + control } else { 0 };
        }
        judged
    }

    /// Takes the inputs into the test of the plan.
    fn test(&mut self, horizon: u32, inputs: &Inputs, rollout: &RolloutRecord) {
        let judged = inputs.iter().filter(|((metric, _), _)| *metric == JUDGED);
        match rollout.plan.unit {
            Unit::Unit => {
                for ((_, stratum), counts) in judged {
                    let evidence = self.record.horizons.entry(horizon).or_default();
                    let (treatment, control) = evidence.strata.entry(*stratum).or_default();
                    *treatment += counts.newly_bad_treatment;
                    *control += counts.newly_bad_control;
                }
                let is_full = self
                    .failed
                    .get(&horizon)
                    .is_some_and(|sets| sets.values().any(Positions::is_quarter_full));
                if is_full {
                    self.record.full_horizon = self.record.full_horizon.max(horizon);
                }
            }
            Unit::Request => {
                let compared = judged.filter(|((_, stratum), _)| is_compared(&rollout.plan, *stratum));
                let strata = compared.map(|(_, counts)| batch_counts(counts)).collect::<Vec<_>>();
                let Some((_, ratio)) = rollout.plan.harm_guard() else {
                    return;
                };
                if strata.iter().any(|stratum| stratum.bad() > 0) {
                    let w0 = request::w0(ratio, rollout.plan.max_control_rate);
                    let evidence = self.record.horizons.entry(horizon).or_default();
                    evidence.onset.get_or_insert_with(Onset::new).update(
                        planned_batches(horizon, rollout),
                        &strata,
                        w0,
                    );
                }
            }
        }
    }
}

/// How many batches the stage of a horizon is planned for.
fn planned_batches(horizon: u32, rollout: &RolloutRecord) -> u64 {
    let position = usize::try_from(horizon).ok().and_then(|number| number.checked_sub(1));
    let stage = position
        .and_then(|position| rollout.state.horizons.get(position))
        .map(|horizon| horizon.stage);
    let stage = stage.and_then(|stage| rollout.plan.stages.get(stage));
    request::planned_batches(stage.map_or(0, |stage| stage.dwell.planned_us()))
}

fn is_compared(plan: &Plan, stratum: u8) -> bool {
    plan.wanted(usize::from(stratum)).is_compared()
}

fn batch_counts(counts: &SealedCounts) -> BatchCounts {
    BatchCounts {
        n_t: counts.outcomes_treatment,
        k_t: counts.bad_treatment,
        n_c: counts.outcomes_control,
        k_c: counts.bad_control,
    }
}

/// Takes the sampled positions of one place in; how many are new. One that both arms of a batch show is control's.
fn newly_sampled(samples: &mut Samples, place: &Place, sums: &Sums) -> u64 {
    let mut new = 0;
    for position in &sums.sampled {
        samples.set.entry((*position, place.stratum)).or_insert_with(|| {
            new += 1;
            place.arm == Arm::Treatment
        });
    }
    samples.is_dirty |= new > 0;
    new
}

fn add(arm: &mut ArmCounts, sums: &Sums, failed: u64, sampled: u64) {
    let judged = sums.metrics.get(&JUDGED);
    arm.exposures = arm.exposures.saturating_add(sums.exposures);
    arm.outcomes = arm.outcomes.saturating_add(sums.outcomes);
    arm.lost = arm.lost.saturating_add(sums.lost);
    arm.bad = arm.bad.saturating_add(judged.map_or(0, |sums| sums.num));
    arm.bad_units = arm.bad_units.saturating_add(failed);
    arm.sampled_units = arm.sampled_units.saturating_add(sampled);
    arm.unit_buckets |= judged.map_or(0, |sums| sums.buckets);
}

/// The pages of a horizon that changed, each with the bitmaps of all its sets.
fn dirty_pages(sets: &mut BTreeMap<(u16, u8), Positions>) -> Vec<(u8, Bytes)> {
    let mut numbers = sets.values_mut().flat_map(Positions::take_dirty).collect::<Vec<_>>();
    numbers.sort_unstable();
    numbers.dedup();
    let page = |number: usize| {
        let bitmaps = sets
            .iter()
            .filter_map(|(key, set)| Some((*key, set.page(number)?.to_vec())));
        Some((u8::try_from(number).ok()?, PositionPage::write(bitmaps.collect())))
    };
    numbers.into_iter().filter_map(page).collect()
}
