//! Sealing: an open batch becomes evidence, and one transaction that makes both it and its dots durable.
//!
//! Inputs, marks, positions and the evidence after them are written together or not at all, guarded by the revision of
//! the evidence: after a crash a batch has been counted or will be, never both. Counting goes in a fixed order (control
//! first, then by place), so that the same frames in any order give the same evidence to the last bit. Control goes
//! first because a position that fails in both arms of one batch counts for control (guard.md 4a).

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use evaluation::Arm;
use rollout::{
    Unit,
    evidence::unit::{Positions, newly_bad},
    guards::VisitKey,
};

use super::{
    cells::{Batch, Sums},
    fold::{self, fold},
    frames::Place,
    ledger::{Counted, Ledger, Samples},
};
use crate::{
    evidence::ArmCounts,
    record::RolloutRecord,
    store::{
        Guard, Txn, keys,
        model::{self, PositionPage, SampleSet, SealedBatch, SealedCounts, SealedSamples},
    },
};

/// Classes of failures that are kept apart in one visit and arm.
const MOST_CLASSES: usize = 16;
/// The rest.
const OTHER: &str = "other";
/// The number of the counting whose outcomes are shown as good and bad: the error rate.
const ERRORS: u16 = 0;

/// The counts of a batch by (metric, stratum).
type Inputs = BTreeMap<(u16, u8), SealedCounts>;

impl Ledger {
    /// Counts a batch and returns its transaction. At most 127 operations: the evidence, the inputs, 32 pages of positions,
    /// samples and sums of 16 visits, the sums of an hour, 60 pages of marks. The inputs of a watch are not kept: it stands
    /// for months, and nobody replays it.
    pub(super) fn batch_txn(&mut self, counted: Counted, batch: &Batch, rollout: &RolloutRecord, now_us: i64) -> Txn {
        let sealed = self.count(counted, batch, rollout, now_us);
        let (environment, id) = (&self.environment, self.rollout);
        let mut txn = self
            .marks_txn_guarded()
            .put(keys::evidence(environment, id), model::write_evidence(&self.record));
        if !rollout.standing {
            txn = txn.put(keys::batch(environment, id, self.record.batches), sealed.write());
        }
        let visits: BTreeSet<VisitKey> = batch.cells.keys().map(|place| (place.stage, place.visit)).collect();
        for visit in visits {
            if let Some(sums) = self.record.sums.get(&visit) {
                txn = txn.put(keys::sums_of(environment, id, visit), model::write_sums(sums));
            }
        }
        if let Some((visit, hour)) = fold::hour_of(&sealed, rollout)
            && let Some(sums) = self.record.hours.get(&(visit, hour))
        {
            txn = txn.put(
                keys::sums_of_hour(environment, id, visit, hour),
                model::write_sums(sums),
            );
        }
        for (page, value) in self
            .failed
            .get_mut(&counted.horizon)
            .map(dirty_pages)
            .unwrap_or_default()
        {
            txn = txn.put(keys::position_page(&self.environment, id, counted.horizon, page), value);
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
    fn count(
        &mut self,
        Counted { horizon, hour, at_us }: Counted,
        batch: &Batch,
        rollout: &RolloutRecord,
        now_us: i64,
    ) -> SealedBatch {
        let mut sealed = SealedBatch::new(now_us, horizon, &rollout.state);
        sealed.hour = u32::from(hour) + 1;
        sealed.counted_at_us = at_us;
        let mut inputs = batch.inputs();
        for arm in [Arm::Control, Arm::Treatment] {
            for (place, sums) in batch.of(arm) {
                let failed = match rollout.plan.unit {
                    Unit::Unit => self.newly_failed(horizon, place, sums, &mut inputs),
                    // Each request is a unit of its own.
                    Unit::Request => bad_of(sums),
                };
                let sampled = self.newly_sampled(place, sums, &mut sealed);
                self.add(place, sums, failed, sampled);
            }
        }
        let exposures = batch.of(Arm::Treatment).map(|(_, sums)| sums.last_exposure_us);
        let last_us = &mut self.record.last_treatment_exposure_us;
        *last_us = exposures.fold(*last_us, i64::max);
        self.record.dropped = self.record.dropped.saturating_add(batch.dropped);
        let is_full = self
            .failed
            .get(&horizon)
            .is_some_and(|sets| sets.values().any(Positions::is_quarter_full));
        if is_full {
            self.record.full_horizon = self.record.full_horizon.max(horizon);
        }
        sealed.counts = inputs.into_values().collect();
        fold(&mut self.record, &sealed, rollout);
        self.sealed_at_us = now_us;
        sealed.log_evidence = self.record.number.map(|number| number.log_evidence);
        sealed
    }

    /// Takes the failed positions of one place in; how many are new for the error rate.
    fn newly_failed(&mut self, horizon: u32, place: &Place, sums: &Sums, inputs: &mut Inputs) -> u64 {
        let mut errors = 0;
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
            errors += if *metric == ERRORS { treatment + control } else { 0 };
        }
        errors
    }

    /// Takes the sampled positions of one place in; how many are new. One that both arms of a batch show is control's.
    fn newly_sampled(&mut self, place: &Place, sums: &Sums, sealed: &mut SealedBatch) -> u64 {
        if sums.sampled.is_empty() {
            return 0;
        }
        let samples = self.samples.entry((place.stage, place.visit)).or_default();
        let new = newly_sampled(samples, place, sums);
        if new > 0 {
            let is_treatment = place.arm == Arm::Treatment;
            sealed.samples.push(SealedSamples {
                stage: u32::from(place.stage),
                visit: place.visit,
                stratum: u32::from(place.stratum),
                treatment: if is_treatment { new } else { 0 },
                control: if is_treatment { 0 } else { new },
            });
        }
        new
    }

    /// Adds what one place had to what is shown of its visit.
    fn add(&mut self, place: &Place, sums: &Sums, failed: u64, sampled: u64) {
        let counts = self.record.visit_mut(place.stage, place.visit);
        let visit = match place.arm {
            Arm::Treatment => &mut counts.treatment,
            Arm::Control => &mut counts.control,
        };
        add(visit, sums, failed, sampled);
        let shown = self.record.sums_mut((place.stage, place.visit));
        let shown = match place.arm {
            Arm::Treatment => &mut shown.treatment,
            Arm::Control => &mut shown.control,
        };
        for (bucket, count) in sums.durations.iter() {
            shown.durations.add(bucket, count);
        }
        for (class, count) in &sums.classes {
            add_class(&mut shown.classes, class, *count);
        }
    }
}

/// Adds to a class, or to `other` once there are enough.
fn add_class(classes: &mut BTreeMap<String, u64>, class: &str, count: u64) {
    let is_kept = classes.len() < MOST_CLASSES || classes.contains_key(class);
    let sum = classes
        .entry(if is_kept { class } else { OTHER }.to_owned())
        .or_default();
    *sum = sum.saturating_add(count);
}

fn bad_of(sums: &Sums) -> u64 {
    let errors = sums.metrics.get(&ERRORS);
    let bad = errors.map_or(0, |sums| sums.buckets.sums().fold(0_i128, |sum, (num, _)| sum + num));
    u64::try_from(bad).unwrap_or(0)
}

/// Takes sampled positions in; how many are new.
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
    arm.exposures = arm.exposures.saturating_add(sums.exposures);
    arm.outcomes = arm.outcomes.saturating_add(sums.outcomes);
    arm.lost = arm.lost.saturating_add(sums.lost);
    arm.sampled_outcomes = arm.sampled_outcomes.saturating_add(sums.sampled_outcomes);
    // What was lost is bad to the tests and shown by itself: no arm has more failures than outcomes.
    arm.bad = arm.bad.saturating_add(bad_of(sums).saturating_sub(sums.lost));
    arm.bad_units = arm.bad_units.saturating_add(failed);
    arm.sampled_units = arm.sampled_units.saturating_add(sampled);
    if let Some(errors) = sums.metrics.get(&ERRORS) {
        let speaking = errors.buckets.sums().enumerate().filter(|(_, (_, den))| *den > 0);
        arm.unit_buckets |= speaking.fold(0, |buckets, (bucket, _)| buckets | 1 << bucket);
    }
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
