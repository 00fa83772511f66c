#![allow(clippy::unwrap_used, clippy::expect_used)]

use ::rollout::{DAY_US, Horizon, Unit};
use proptest::prelude::*;

use super::*;
use crate::{
    builders::{SECOND_US, START_US, rollout_of},
    record::RolloutRecord,
};

fn arm(outcomes: u64, sampled_units: u64, unit_buckets: u64) -> ArmCounts {
    ArmCounts {
        exposures: outcomes,
        outcomes,
        sampled_units,
        unit_buckets,
        ..ArmCounts::default()
    }
}

/// Evidence of so many newly bad units of each arm in a horizon, all of one stratum.
fn seen(horizon: u32, stratum: u8, treatment: u64, control: u64) -> EvidenceRecord {
    let found = HorizonCounts {
        strata: [((0, stratum), (treatment, control))].into(),
        ..HorizonCounts::default()
    };
    EvidenceRecord {
        batches: 1,
        horizons: [(horizon, found)].into(),
        ..EvidenceRecord::default()
    }
}

/// The number of the guards that may abort.
fn number(record: &RolloutRecord, evidence: &EvidenceRecord) -> Option<EvidenceNumber> {
    let examined = Examined {
        rollout: record,
        evidence,
    };
    examined.examine(&BTreeMap::new(), START_US).standing.abort
}

#[test]
fn there_is_no_number_before_anything_was_seen() {
    let record = rollout_of(Unit::Unit, &[5, 50], 60 * SECOND_US);
    assert_eq!(number(&record, &EvidenceRecord::default()), None);
    let sealed = EvidenceRecord {
        batches: 1,
        ..EvidenceRecord::default()
    };
    let number = number(&record, &sealed).unwrap();
    assert!(number.log_evidence <= 0.0, "{number:?}");
}

#[test]
fn harm_of_treatment_is_evidence_and_harm_of_control_is_not() {
    let record = rollout_of(Unit::Unit, &[50], 60 * SECOND_US);
    let number = |treatment, control| {
        let evidence = seen(1, 0, treatment, control);
        number(&record, &evidence).unwrap().log_evidence
    };
    let abort = -record.plan.alpha.ln();
    assert!(number(60, 5) > abort);
    assert!(number(30, 30) < abort);
    assert!(number(5, 60) < 0.0);
}

#[test]
fn a_stratum_that_the_plan_does_not_know_compares_nothing() {
    let record = rollout_of(Unit::Unit, &[50], 60 * SECOND_US);
    let number = |evidence: EvidenceRecord| number(&record, &evidence);
    let nothing = EvidenceRecord {
        batches: 1,
        ..EvidenceRecord::default()
    };
    assert_eq!(number(seen(1, 9, 1_000, 0)), number(nothing));
}

#[test]
fn a_number_is_the_same_to_the_last_bit_in_whatever_order_it_was_counted() {
    let mut record = rollout_of(Unit::Unit, &[5, 50, 80], DAY_US);
    record.state.horizons.push(Horizon {
        stage: 2,
        started_at_us: START_US,
    });
    let parts = [(1, 0, 3, 40), (2, 0, 1, 9), (2, 1, 12, 9), (4, 2, 30, 4), (3, 1, 7, 7)];
    let count = |parts: &mut dyn Iterator<Item = (u32, u8, u64, u64)>| {
        let mut evidence = EvidenceRecord {
            batches: 1,
            ..EvidenceRecord::default()
        };
        for (horizon, stratum, treatment, control) in parts {
            let found = evidence.horizons.entry(horizon).or_default();
            let counted = found.strata.entry((0, stratum)).or_default();
            *counted = (counted.0 + treatment, counted.1 + control);
        }
        number(&record, &evidence).unwrap()
    };
    let (forth, back) = (count(&mut parts.into_iter()), count(&mut parts.into_iter().rev()));
    assert_eq!(forth.log_evidence.to_bits(), back.log_evidence.to_bits());
    assert_eq!((forth.guard, forth.horizon), (back.guard, back.horizon));
}

#[test]
fn a_visit_is_counted_apart_from_every_other() {
    let mut evidence = EvidenceRecord::default();
    evidence.visit_mut(0, 1).treatment.outcomes = 3;
    evidence.visit_mut(1, 1).treatment.outcomes = 4;
    evidence.visit_mut(0, 2).treatment.outcomes = 5;
    evidence.visit_mut(0, 1).treatment.outcomes += 1;
    let outcomes = |stage, visit| evidence.visit(stage, visit).treatment.outcomes;
    assert_eq!(
        [outcomes(0, 1), outcomes(1, 1), outcomes(0, 2), outcomes(1, 2)],
        [4, 4, 5, 0]
    );
    assert_eq!(evidence.visits.len(), 3);
    assert_eq!(evidence.totals().treatment.outcomes, 13);
}

#[test]
fn units_are_those_that_are_certain_until_the_estimate_says_more() {
    // A gate counts on what is certain: buckets seen, units that failed, units sampled.
    assert_eq!(arm(9, 0, 0b111).units_at_least(), 3);
    assert_eq!(arm(9, 5, 0b111).units_at_least(), 5);
    let failing = ArmCounts {
        bad_units: 8,
        ..arm(9, 5, 0b111)
    };
    assert_eq!(failing.units_at_least(), 8);
    assert_eq!(arm(9, 0, 0b111).totals().units, 3);
    // One sampled unit is about 64, which is no more than buckets can say.
    assert_eq!(arm(9, 1, 0b111).totals().units, 3);
    assert_eq!(arm(1_000, 1, 0b111).totals().units, 3);
    assert_eq!(arm(1_000, 2, u64::MAX).totals().units, 128);
    assert_eq!(arm(u64::MAX, u64::MAX, 0).units_estimate(), u64::MAX);
    // There are no more units than exposures.
    assert_eq!(arm(100, 2, u64::MAX).totals().units, 100);
}

#[test]
fn units_of_two_visits_are_not_added_because_they_are_the_same_units() {
    let mut sum = arm(10, 3, 0b0011);
    sum.add(&arm(5, 2, 0b0110));
    assert_eq!(sum, arm(15, 3, 0b0111));
}

fn arms() -> impl Strategy<Value = ArmCounts> {
    (any::<[u64; 6]>(), 0..64u32, any::<u64>()).prop_map(|(counts, sampled, unit_buckets)| ArmCounts {
        exposures: counts[0],
        outcomes: counts[1],
        bad: counts[2],
        lost: counts[3],
        bad_units: counts[4],
        sampled_outcomes: counts[5],
        sampled_units: u64::from(sampled),
        unit_buckets,
    })
}

proptest! {
    #[test]
    fn counts_add_up_in_any_order_and_never_wrap(one in arms(), two in arms(), three in arms()) {
        let sum = |parts: [ArmCounts; 3]| {
            parts.iter().fold(ArmCounts::default(), |mut sum, part| {
                sum.add(part);
                sum
            })
        };
        let forth = sum([one, two, three]);
        prop_assert_eq!(forth, sum([three, one, two]));
        prop_assert!(forth.outcomes >= one.outcomes && forth.bad >= two.bad);
        prop_assert!(forth.units_at_least() >= three.units_at_least());
    }
}
