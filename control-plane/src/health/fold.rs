//! A sealed batch folded into the evidence: what sealing does once, and what a replay does again from the stored batches.
//!
//! The one rule: everything that a test reads of a batch is in the batch, and is taken in the same order, so that a
//! replay agrees to the last bit. What is only shown (exposures, durations, classes) is not replayed.

use std::sync::Arc;

use rollout::{
    Plan, Unit,
    evidence::request,
    guards::{self, Examination, VisitKey},
    measure::{self, Arms, Counting},
};

use crate::{
    evidence::{EvidenceRecord, Examined},
    record::RolloutRecord,
    store::model::{SealedBatch, SealedCounts},
};

/// Folds a batch into the evidence of its rollout; what the guards say after it.
pub(crate) fn fold(record: &mut EvidenceRecord, batch: &SealedBatch, rollout: &RolloutRecord) -> Examination {
    record.batches += 1;
    record.sealed_at_us = batch.sealed_at_us;
    let hour = hour_of(batch, rollout);
    add_minute(record, batch, rollout);
    for counts in &batch.counts {
        add_sums(record, counts, (batch.happened_at_us(), hour), rollout);
    }
    for samples in &batch.samples {
        let key = ((samples.stage as u8, samples.visit), samples.stratum as u8);
        let counts = record.sampled.entry(key).or_default();
        counts.treatment += samples.treatment;
        counts.control += samples.control;
    }
    match rollout.plan.unit {
        Unit::Unit => add_units(record, batch, rollout),
        Unit::Request => add_requests(record, batch, rollout),
    }
    examine(record, rollout)
}

/// The visit whose sums are kept by the hour, and the hour of the week of a batch; none where nobody asks by the hour.
///
/// It is the present visit: what comes late of another is in its sums and in none of its hours. A watch is no rollout, and
/// nobody captures it.
pub(super) fn hour_of(batch: &SealedBatch, rollout: &RolloutRecord) -> Option<(VisitKey, u8)> {
    let hour = u8::try_from(batch.hour.checked_sub(1)?).ok()?;
    let visit = rollout.state.visits.last()?;
    let is_asked = !rollout.standing && measure::needs_hours(&rollout.plan);
    is_asked.then_some(((visit.stage as u8, visit.visit), hour))
}

fn add_sums(
    record: &mut EvidenceRecord,
    counts: &SealedCounts,
    (at_us, hour): (i64, Option<(VisitKey, u8)>),
    rollout: &RolloutRecord,
) {
    let (metric, stratum) = (counts.metric as u16, counts.stratum as u8);
    let counted = rollout.counted.get(usize::from(metric));
    let is_event = counted.is_some_and(|counted| matches!(counted.counting, Counting::Sum { .. }));
    let hour = hour.filter(|_| counted.is_some_and(|counted| measure::is_arm(&rollout.plan, counted)));
    for arm in &counts.arms {
        // What was stored was written by this process or one like it; what cannot be read counts nothing.
        let Ok(buckets) = arm.buckets() else { continue };
        // After an abort everybody is control, and that is who is watched.
        let is_watched = arm.treatment || rollout.recovery_of.is_some();
        if is_watched && (rollout.plan.kill_switch.is_some() || rollout.recovery_of.is_some()) {
            record.recent.add(metric, &buckets, at_us);
        }
        if is_event && is_watched {
            let events = buckets.sums().fold(0_i128, |sum, (num, _)| sum.saturating_add(num));
            record
                .events
                .add(metric, i64::try_from(events).unwrap_or(i64::MAX), at_us);
        }
        let visit = (arm.stage as u8, arm.visit);
        let add = |arms: &mut Arms| {
            if arm.treatment {
                arms.treatment.merge(&buckets);
            } else {
                arms.control.merge(&buckets);
            }
        };
        add(record.sums_mut(visit).metrics.entry((metric, stratum)).or_default());
        if let Some(key) = hour.filter(|(present, _)| *present == visit) {
            let sums = Arc::make_mut(record.hours.entry(key).or_default());
            add(sums.metrics.entry((metric, 0)).or_default());
        }
    }
}

/// What the last minute of the present visit was like, of what both arms may suffer.
fn add_minute(record: &mut EvidenceRecord, batch: &SealedBatch, rollout: &RolloutRecord) {
    let Some(visit) = rollout.state.visits.last() else {
        return;
    };
    let key = (visit.stage as u8, visit.visit);
    record.minute.begin(key);
    let shared = guards::shared_countings(&rollout.plan, &rollout.counted);
    for counts in &batch.counts {
        let metric = counts.metric as u16;
        if !shared.contains(&metric) {
            continue;
        }
        for arm in counts.arms.iter().filter(|arm| (arm.stage as u8, arm.visit) == key) {
            let Ok(buckets) = arm.buckets() else { continue };
            record
                .minute
                .add((metric, arm.treatment), &buckets, batch.happened_at_us());
        }
    }
}

fn add_units(record: &mut EvidenceRecord, batch: &SealedBatch, rollout: &RolloutRecord) {
    let names_units = |counts: &&SealedCounts| {
        let counted = rollout.counted.get(counts.metric as usize);
        counted.is_some_and(|counted| counted.counting.names_units())
    };
    for counts in batch.counts.iter().filter(names_units) {
        let key = (counts.metric as u16, counts.stratum as u8);
        let horizon = record.horizons.entry(batch.horizon).or_default();
        let (treatment, control) = horizon.strata.entry(key).or_default();
        *treatment += counts.newly_bad_treatment;
        *control += counts.newly_bad_control;
    }
}

fn add_requests(record: &mut EvidenceRecord, batch: &SealedBatch, rollout: &RolloutRecord) {
    let plan = &rollout.plan;
    for ((metric, ratio), w0) in guards::onsets(plan, &rollout.counted) {
        let of_metric = batch.counts.iter().filter(|counts| counts.metric == u32::from(metric));
        let compared = of_metric.filter(|counts| is_compared(plan, counts.stratum));
        let strata: Vec<_> = compared.map(SealedCounts::request).collect();
        if strata.iter().any(|stratum| stratum.bad() > 0) {
            let horizon = record.horizons.entry(batch.horizon).or_default();
            let onset = horizon.onsets.entry((metric, ratio)).or_default();
            onset.update(planned_batches(batch.horizon, rollout), &strata, w0);
        }
    }
}

/// Notes what the guards say after it, and since when both arms are beyond the limit of one: now, not ever.
fn examine(record: &mut EvidenceRecord, rollout: &RolloutRecord) -> Examination {
    let now_us = record.sealed_at_us;
    let examined = Examined {
        rollout,
        evidence: record,
    };
    let found = examined.examine(&guards::Levels::new(), now_us);
    let worse = &found.both_beyond;
    record.number = found.standing.abort;
    record.worse_since.retain(|guard, _| worse.contains(guard));
    for guard in worse {
        record.worse_since.entry(*guard).or_insert(now_us);
    }
    found
}

/// How many batches the stage of a horizon was planned for when it began.
fn planned_batches(horizon: u32, rollout: &RolloutRecord) -> u64 {
    let position = usize::try_from(horizon).ok().and_then(|number| number.checked_sub(1));
    let dwell_us = position.map_or(0, |position| rollout.state.planned_dwell_us(&rollout.plan, position));
    request::planned_batches(dwell_us)
}

fn is_compared(plan: &Plan, stratum: u32) -> bool {
    plan.wanted(stratum as usize).is_compared()
}
