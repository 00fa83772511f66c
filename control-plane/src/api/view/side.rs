//! Both arms side by side in the present visit: outcomes, durations, failures by class, and every metric.

use std::{cmp::Reverse, collections::BTreeMap};

use proto::v1;
use rollout::{
    Measure, Micros, Plan,
    measure::{Shown, Sums},
};

use super::guards::unit_of;
use crate::{
    engine::facts,
    evidence::{ArmCounts, EvidenceRecord},
    record::RolloutRecord,
};

/// What both arms saw, and the readings of every metric.
pub(super) fn side(
    record: &RolloutRecord,
    evidence: &EvidenceRecord,
    measures: &BTreeMap<String, Measure>,
) -> v1::SideBySide {
    let visit = record.state.visits.last();
    let sums = visit.and_then(|visit| evidence.sums.get(&(visit.stage as u8, visit.visit)));
    let nothing = Sums::default();
    let sums = sums.map_or(&nothing, |sums| sums);
    let counts = facts::visit_counts(record, evidence);
    v1::SideBySide {
        stage: visit.map_or(0, |visit| visit.stage as u32),
        visit: visit.map_or(0, |visit| visit.visit),
        treatment: Some(arm(&counts.treatment, &sums.treatment)),
        control: Some(arm(&counts.control, &sums.control)),
        readings: (measures.iter())
            .map(|(subject, measure)| reading(&record.plan, subject, measure))
            .collect(),
        dropped: evidence.dropped,
    }
}

/// A metric at a moment.
pub(super) fn reading(plan: &Plan, subject: &str, measure: &Measure) -> v1::MetricReading {
    // What follows the key says only in which window, or at which bound.
    let metric = subject.split(' ').next().unwrap_or_default();
    v1::MetricReading {
        metric: subject.to_owned(),
        treatment: measure.estimates.treatment,
        control: measure.estimates.control,
        baseline: measure.estimates.baseline,
        outcomes: measure.outcomes,
        units: measure.units,
        unit: unit_of(plan, metric).to_owned(),
    }
}

fn arm(counts: &ArmCounts, shown: &Shown) -> v1::ArmSide {
    let quantile = |part: f64| -> Option<Micros> { shown.durations.quantile(part) };
    let mut classes: Vec<_> = shown.classes.iter().collect();
    classes.sort_by_key(|(class, count)| (Reverse(**count), *class));
    v1::ArmSide {
        exposures: counts.exposures,
        outcomes: counts.outcomes,
        bad: counts.bad,
        lost: counts.lost,
        sampled_outcomes: counts.sampled_outcomes,
        timed: shown.durations.count(),
        p50_us: quantile(0.5),
        p95_us: quantile(0.95),
        p99_us: quantile(0.99),
        classes: (classes.into_iter())
            .map(|(class, count)| v1::ClassCount {
                class: class.clone(),
                count: *count,
            })
            .collect(),
        units_estimate: counts.units_estimate(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use rollout::{Unit, criterion::Estimates, measure::duration_bucket};

    use super::*;
    use crate::builders::{SECOND_US, rollout_of};

    #[test]
    fn both_arms_stand_side_by_side_with_all_that_was_counted() {
        let record = rollout_of(Unit::Unit, &[50], 60 * SECOND_US);
        let mut evidence = EvidenceRecord {
            dropped: 7,
            ..EvidenceRecord::default()
        };
        let counts = evidence.visit_mut(0, 1);
        (counts.treatment.outcomes, counts.treatment.bad, counts.treatment.lost) = (100, 9, 2);
        counts.control.outcomes = 50;
        let sums = Arc::make_mut(evidence.sums.entry((0, 1)).or_default());
        for duration in 1..=100 {
            sums.treatment.durations.add(duration_bucket(duration * 1_000), 1);
        }
        for (class, count) in [("a-rare-one", 1), ("db-timeout", 6), ("card-declined", 2)] {
            sums.treatment.classes.insert(class.to_owned(), count);
        }
        let measure = Measure {
            estimates: Estimates {
                treatment: Some(0.09),
                ..Estimates::default()
            },
            outcomes: 100,
            units: 12,
        };
        let measures = [
            ("error-rate".to_owned(), measure),
            ("complaints in 60 s".to_owned(), measure),
        ];
        let side = side(&record, &evidence, &measures.into());
        let (treatment, control) = (side.treatment.unwrap(), side.control.unwrap());
        assert_eq!((treatment.outcomes, treatment.bad, treatment.lost), (100, 9, 2));
        assert_eq!((treatment.timed, control.timed), (100, 0));
        let p95 = treatment.p95_us.unwrap();
        assert!((95_000..102_000).contains(&p95), "{p95}");
        assert_eq!(control.p95_us, None);
        let classes: Vec<_> = treatment.classes.iter().map(|count| count.class.as_str()).collect();
        assert_eq!(classes, ["db-timeout", "card-declined", "a-rare-one"]);
        assert_eq!((side.stage, side.visit, side.dropped), (0, 1, 7));
        let units: Vec<_> = side.readings.iter().map(|reading| reading.unit.as_str()).collect();
        assert_eq!(units, ["count", "fraction"]);
    }

    #[test]
    fn before_anything_was_entered_there_is_nothing_to_see() {
        let mut record = rollout_of(Unit::Unit, &[50], 60 * SECOND_US);
        record.state.visits.clear();
        let side = side(&record, &EvidenceRecord::default(), &BTreeMap::new());
        assert_eq!((side.visit, side.treatment.unwrap().p50_us), (0, None));
    }
}
