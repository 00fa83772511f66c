//! The laws of certification: a proof is worth one at the limit, and counts only from enough data and enough units.

use proptest::prelude::*;
use rollout::Ladder;
use rollout::evidence::certify::{
    self, Certification, Outlook, SampledUnits, certify, grid, is_proof, outlook, share_of, w0,
};
use rollout::evidence::limit::{Kind, Limit, Rule, Side};
use rollout::evidence::request::{BatchCounts, Onset};
use rollout::evidence::robust::{BUCKETS, Buckets, Stratum};

const ENOUGH: SampledUnits = SampledUnits {
    treatment: 16,
    control: 16,
};

fn twice() -> Rule {
    Rule {
        kind: Kind::Rate,
        limit: Limit::Relative(2.0),
        harm: Side::Above,
    }
}

fn arm(num: i64, den: u64) -> Buckets {
    let mut buckets = Buckets::new();
    (0..BUCKETS).for_each(|bucket| buckets.add(bucket, num, den));
    buckets
}

fn strata(treatment: Buckets, control: Option<Buckets>) -> [Stratum; 1] {
    [Stratum { treatment, control }]
}

fn is_early(certification: Certification) -> bool {
    matches!(certification, Certification::Early(_))
}

fn is_safe(certification: Certification) -> bool {
    matches!(certification, Certification::Safe(_))
}

fn log_choose(n: u64, k: u64) -> f64 {
    (0..k).map(|i| ((n - i) as f64 / (i + 1) as f64).ln()).sum()
}

proptest! {
    #[test]
    fn a_proof_by_requests_is_worth_one_at_the_limit_and_less_beyond(
        n_t in 1..60_u64, n_c in 1..60_u64, bad in 1..40_u64, rho in 0.5..3.0_f64, beyond in 1.0..3.0_f64,
    ) {
        let bad = bad.min(n_t + n_c);
        let odds = w0(rho, 0.1);
        let (mut weights, mut worth) = (0.0, 0.0);
        for k_t in bad.saturating_sub(n_c)..=bad.min(n_t) {
            let k_c = bad - k_t;
            let weight = (log_choose(n_t, k_t) + log_choose(n_c, k_c) + k_t as f64 * (odds * beyond).ln()).exp();
            let mut onset = Onset::new();
            certify::update(&mut onset, 10, &[BatchCounts { n_t, k_t, n_c, k_c }], odds);
            weights += weight;
            worth += weight * onset.log_e(10).exp();
        }
        prop_assert!(worth / weights < 1.0 + 1e-9, "{}", worth / weights);
        prop_assert!(beyond > 1.0 || worth / weights > 1.0 - 1e-9, "{}", worth / weights);
    }
}

#[test]
fn the_grid_of_safety_lies_below_one() {
    let ratios = grid();
    assert!((ratios[0] - 0.1).abs() < 1e-12 && (ratios[15] - 0.8).abs() < 1e-12);
    assert!(ratios.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn the_odds_at_the_limit_are_the_lower_ones() {
    assert_eq!(w0(2.0, 0.1), 2.0);
    assert_eq!(w0(10.0, 0.1), 10.0);
    assert!((w0(0.5, 0.1) - 0.5 * 0.9 / 0.95).abs() < 1e-12);
}

#[test]
fn large_batches_are_proven_by_the_exact_form() {
    // All failed in both arms: no allocation of the failures was possible but this one.
    let all = BatchCounts {
        n_t: 3_000,
        k_t: 3_000,
        n_c: 3_000,
        k_c: 3_000,
    };
    let mut onset = Onset::new();
    certify::update(&mut onset, 1, &[all], 2.0);
    assert!(onset.log_e(1).abs() < 1e-6);
}

#[test]
fn a_proof_waits_for_what_it_stands_on() {
    let good = || strata(arm(2, 100), Some(arm(2, 100)));
    assert!(!is_early(certify(&twice(), &good(), ENOUGH, 0.05)));
    for units in [
        SampledUnits {
            treatment: 15,
            ..ENOUGH
        },
        SampledUnits { control: 15, ..ENOUGH },
    ] {
        assert!(is_early(certify(&twice(), &good(), units, 0.05)));
    }
    assert!(
        is_early(certify(&twice(), &strata(arm(0, 1), Some(arm(2, 100))), ENOUGH, 0.05)),
        "50 expected"
    );
    assert!(
        is_early(certify(
            &twice(),
            &strata(arm(0, 9_000), Some(arm(0, 9_000))),
            ENOUGH,
            0.05
        )),
        "50 in control"
    );
    assert_eq!(
        certify(&twice(), &strata(arm(2, 100), None), ENOUGH, 0.05),
        Certification::Silent
    );
}

#[test]
fn an_absolute_proof_needs_treatment_alone() {
    let rule = Rule {
        limit: Limit::Absolute(0.05),
        ..twice()
    };
    let units = SampledUnits {
        treatment: 16,
        control: 0,
    };
    assert!(is_safe(certify(&rule, &strata(arm(1, 100), None), units, 0.05)));
    assert!(!is_safe(certify(&rule, &strata(arm(6, 100), None), units, 0.05)));
}

#[test]
fn safe_is_what_reaches_its_share_of_beta() {
    assert_eq!(share_of(0.05, 5), 0.01);
    assert_eq!(share_of(0.05, 0), 0.05);
    assert!(is_proof(100_f64.ln() + 1e-12, 0.01) && !is_proof(99_f64.ln(), 0.01));
    let safe = strata(arm(1, 100), Some(arm(1, 100)));
    assert!(is_safe(certify(&twice(), &safe, ENOUGH, 0.05)));
    assert!(!is_safe(certify(&twice(), &safe, ENOUGH, 1e-30)));
}

#[test]
fn neither_harmful_nor_safe_extends_and_then_asks_a_person() {
    let table = [
        (Ladder::None, true, 3, Outlook::Proceed),
        (Ladder::None, false, 3, Outlook::Extend),
        (Ladder::None, false, 0, Outlook::HoldForPerson),
        (Ladder::Warn, true, 3, Outlook::Extend),
        (Ladder::Warn, true, 0, Outlook::HoldForPerson),
        (Ladder::Hold, true, 3, Outlook::HoldForPerson),
        (Ladder::Abort, true, 3, Outlook::HoldForPerson),
    ];
    for (harm, is_safe, extensions_left, expected) in table {
        assert_eq!(
            outlook(harm, is_safe, extensions_left),
            expected,
            "{harm:?} {is_safe} {extensions_left}"
        );
    }
}
