//! The laws of evidence: an e-value is worth one on average when there is no harm, and nothing but counts can move it.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rollout::evidence::budget::horizon_weight;
use rollout::evidence::grid::grid;
use rollout::evidence::request::{BatchCounts, Onset, log_lr, planned_batches, w0};
use rollout::evidence::unit::{self, Positions, Stratum, newly_bad};

fn log_choose(n: u64, k: u64) -> f64 {
    (0..k).map(|i| ((n - i) as f64 / (i + 1) as f64).ln()).sum()
}

/// ln of the chance that `k_t` of the bad requests fell to treatment, at an odds ratio of `w` (not normalised).
fn log_odds(n_t: u64, k_t: u64, n_c: u64, k_c: u64, w: f64) -> f64 {
    log_choose(n_t, k_t) + log_choose(n_c, k_c) + k_t as f64 * w.ln()
}

/// Positions with many repeats.
fn lists() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(prop_oneof![0..40_u32, 262_100..262_150_u32], 0..40)
}

proptest! {
    #[test]
    fn a_batch_of_requests_is_worth_one_at_the_limit(
        n_t in 1..60_u64, n_c in 1..60_u64, bad in 1..40_u64, w0 in 0.2..4.0_f64, r in 1.1..12.0_f64,
    ) {
        let bad = bad.min(n_t + n_c);
        let (mut weights, mut worth) = (0.0, 0.0);
        for k_t in bad.saturating_sub(n_c)..=bad.min(n_t) {
            let k_c = bad - k_t;
            let weight = log_odds(n_t, k_t, n_c, k_c, w0).exp();
            weights += weight;
            worth += weight * log_lr(n_t, k_t, n_c, k_c, w0, r).exp();
        }
        prop_assert!((worth / weights - 1.0).abs() < 1e-9, "{}", worth / weights);
    }

    #[test]
    fn bad_units_are_worth_one_at_the_limit(bad in 0..60_u64, share in 0.01..0.99_f64, rho in 0.5..3.0_f64) {
        let q = rho * share / (1.0 - share + rho * share);
        let mut worth = 0.0;
        for bad_treatment in 0..=bad {
            let bad_control = bad - bad_treatment;
            let log_chance =
                log_choose(bad, bad_treatment) + bad_treatment as f64 * q.ln() + bad_control as f64 * (1.0 - q).ln();
            worth += (log_chance + unit::log_e(rho, &[Stratum { share, bad_treatment, bad_control }])).exp();
        }
        prop_assert!((worth - 1.0).abs() < 1e-9, "{worth}");
    }

    #[test]
    fn bets_without_news_stay_worth_one(planned in 1..50_u64, batches in 0..80_usize, bad in 1..9_u64) {
        let mut onset = Onset::new();
        for _ in 0..batches {
            onset.update(planned, &[BatchCounts { n_t: 20, k_t: bad, n_c: 0, k_c: 0 }], 1.0);
            prop_assert!(onset.log_e(planned).abs() < 1e-12);
        }
    }

    #[test]
    fn batches_without_failures_change_nothing(n_t in 0..1_000_u64, n_c in 0..1_000_u64) {
        let mut onset = Onset::new();
        onset.update(7, &[BatchCounts { n_t: 90, k_t: 4, n_c: 100, k_c: 2 }], 1.0);
        let before = onset;
        onset.update(7, &[BatchCounts { n_t, k_t: 0, n_c, k_c: 0 }, BatchCounts::default()], 1.0);
        prop_assert_eq!(before, onset);
    }

    #[test]
    fn impossible_counts_give_no_nonsense(counts in any::<[u16; 4]>(), w0 in 1.0..5.0_f64, r in 1.1..12.0_f64) {
        let [n_t, k_t, n_c, k_c] = counts.map(u64::from);
        prop_assert!(log_lr(n_t, k_t, n_c, k_c, w0, r).is_finite());
    }

    #[test]
    fn more_bad_treatment_is_never_less_evidence(
        share in 0.01..0.99_f64, bad_treatment in 0..500_u64, bad_control in 0..500_u64,
    ) {
        let log_e = |bad_treatment, bad_control| unit::log_e(1.0, &[Stratum { share, bad_treatment, bad_control }]);
        let at = log_e(bad_treatment, bad_control);
        prop_assert!(log_e(bad_treatment + 1, bad_control) >= at);
        prop_assert!(log_e(bad_treatment, bad_control + 1) <= at);
    }

    #[test]
    fn each_position_counts_once_however_it_is_sent(batches in prop::collection::vec((lists(), lists()), 1..6)) {
        let mut seen = Positions::new();
        let mut known = BTreeSet::new();
        for (treatment, control) in &batches {
            let is_new = |position: &&u32| **position < 262_144 && !known.contains(*position);
            let new_control: BTreeSet<u32> = control.iter().filter(is_new).copied().collect();
            let new_treatment: BTreeSet<u32> =
                treatment.iter().filter(is_new).filter(|position| !new_control.contains(position)).copied().collect();
            let (mut backwards, mut again) = (seen.clone(), treatment.clone());
            again.reverse();
            again.extend(treatment);
            let counts = newly_bad(&mut seen, treatment, control);
            prop_assert_eq!(counts, (new_treatment.len() as u64, new_control.len() as u64));
            prop_assert_eq!(newly_bad(&mut backwards, &again, control), counts);
            known.extend(new_control);
            known.extend(new_treatment);
        }
        prop_assert_eq!(seen.len(), known.len());
        prop_assert!(known.iter().all(|position| seen.contains(*position)));
    }

    #[test]
    fn stored_positions_come_back(positions in prop::collection::vec(0..262_144_u32, 0..300)) {
        let mut seen = Positions::new();
        newly_bad(&mut seen, &positions, &[]);
        let dirty = seen.take_dirty();
        prop_assert_eq!(&dirty, &seen.pages().map(|(number, _)| number).collect::<Vec<_>>());
        let stored = seen.pages().map(|(number, page)| (number, &page[..]));
        prop_assert_eq!(Positions::from_pages(stored).unwrap(), seen.clone());
    }

    #[test]
    fn horizons_never_spend_more_than_the_budget(n in 1..400_usize) {
        let spent: f64 = (1..10_000).map(|h| horizon_weight(n, h)).sum();
        prop_assert!(spent < 1.0 && spent > 0.999);
    }
}

#[test]
fn the_conservative_form_agrees_with_the_exact_one_when_failures_are_rare() {
    let (n_t, n_c) = (20_000_000, 380_000_000);
    for r in grid() {
        let exact = log_lr(n_t, 210, n_c, 3_886, 1.0, r);
        let conservative = log_lr(n_t, 210, n_c, 3_887, 1.0, r);
        let one_more = unit::log_factors(0.05, 1.0, r).control;
        let difference = (exact + one_more - conservative).abs();
        assert!(
            difference <= 1e-3 * conservative.abs().max(1.0),
            "{exact} {conservative} at {r}"
        );
    }
}

#[test]
fn below_a_limit_of_one_requests_are_always_judged_exactly() {
    let (n_t, n_c) = (20_000, 20_000);
    let worst = log_lr(n_t, n_t, n_c, n_c, 0.5, 2.0);
    assert!(worst.abs() < 1e-6, "all failed in both arms, yet {worst}");
}

#[test]
fn the_odds_at_the_limit_cover_every_rate_of_control() {
    assert_eq!(w0(1.0, 0.1), 1.0);
    assert!((w0(2.0, 0.1) - 2.25).abs() < 1e-12);
    assert_eq!(w0(0.5, 0.1), 0.5);
    assert_eq!(w0(10.0, 0.1), f64::INFINITY);
    assert_eq!(log_lr(100, 50, 100, 1, f64::INFINITY, 2.0), 0.0);
}

#[test]
fn a_batch_is_planned_each_ten_seconds() {
    for (dwell_us, expected) in [
        (-5, 1),
        (0, 1),
        (19_999_999, 1),
        (20_000_000, 2),
        (86_400_000_000, 8_640),
    ] {
        assert_eq!(planned_batches(dwell_us), expected);
    }
}

#[test]
fn horizons_far_beyond_the_plan_have_next_to_no_weight() {
    assert_eq!(horizon_weight(3, 0), 0.0);
    assert_eq!(horizon_weight(0, 1), horizon_weight(1, 1));
    assert!(horizon_weight(1, 5_000) < 1e-7 && horizon_weight(1, usize::MAX) > 0.0);
}
