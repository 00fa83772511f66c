//! Tables for caps and rates.

use super::*;

#[track_caller]
fn assert_close(actual: f64, expected: f64) {
    assert!(
        (actual - expected).abs() <= 1e-9 * expected.abs(),
        "{actual}, expected {expected}"
    );
}

#[test]
fn the_event_after_the_cap_fires() {
    assert!(!cap_fires(10, 10));
    assert!(cap_fires(10, 11));
    assert!(cap_fires(0, 1));
}

#[test]
fn poisson_tails_are_exact() {
    // P(N > n), by summing with 40 digits (mpmath).
    for (count, mean, expected) in POISSON {
        assert_close(poisson_above(count, mean), expected);
    }
    assert_eq!(poisson_above(3, 0.0), 0.0);
}

#[test]
fn a_cap_of_nothing_fires_with_any_event() {
    assert_close(cap_odds(0, 0.1, 14.0), 1.0 - (-1.4_f64).exp());
    assert_eq!(cap_odds(10, 0.0, 14.0), 0.0);
}

#[test]
fn a_window_that_slides_fires_more_often_than_windows_side_by_side() {
    let apart = 1.0 - (1.0 - poisson_above(10, 4.0)).powi(14);
    let odds = cap_odds(10, 4.0, 14.0);
    assert!(odds > 1.5 * apart && odds < 14.0 * 2.0 * apart, "{odds} {apart}");
    assert_close(cap_odds(10, 4.0, 1.0), poisson_above(10, 4.0));
}

#[test]
fn evidence_of_a_rate_is_the_integral_that_it_stands_for() {
    // The integral over s of exp(-s/2)/2 (1 + s)^x exp(-s mu), by mpmath.quad.
    for (events, expected, log_e) in RATES {
        assert!((log_rate_e(events, expected) - log_e).abs() < 1e-9 * log_e.abs().max(1.0));
    }
}

#[test]
fn a_rate_is_worth_at_most_one_at_and_below_its_limit() {
    for at_limit in [0.3_f64, 5.0, 30.0] {
        for share in [0.25, 0.5, 1.0] {
            let mean = at_limit * share;
            let worth: f64 = (0..1_500)
                .map(|events| libm::exp(log_poisson(events, mean) + log_rate_e(events, at_limit)))
                .sum();
            let is_at_limit = share == 1.0;
            assert!(
                worth <= 1.0 + 1e-9 && (!is_at_limit || worth > 1.0 - 1e-6),
                "{worth} at {mean}"
            );
        }
    }
}

#[test]
fn more_events_are_more_evidence_and_more_exposure_is_less() {
    for events in 0..60 {
        assert!(log_rate_e(events + 1, 10.0) > log_rate_e(events, 10.0));
        assert!(log_rate_e(events, 10.5) < log_rate_e(events, 10.0));
    }
    assert!(log_rate_e(2_000_000, 1_000_000.0).is_finite());
}

const POISSON: [(u64, f64, f64); 7] = [
    (0, 0.5, 0.393_469_340_287_366_6),
    (10, 4.0, 2.839_766_120_513_743e-3),
    (10, 10.0, 0.416_960_249_807_014_5),
    (10, 30.0, 0.999_977_651_224_261_5),
    (100, 40.0, 4.747_510_530_761_334e-16),
    (1000, 1000.0, 0.491_590_632_831_494),
    (3, 0.001, 4.163_334_721_825_484e-14),
];

const RATES: [(u64, f64, f64); 6] = [
    (0, 0.0, 0.0),
    (0, 10.0, -3.044522437723423),
    (1, 0.5, 0.0),
    (10, 10.0, -1.6063704324768763),
    (30, 10.0, 11.572455971536745),
    (200, 80.0, 60.999_145_942_517_47),
];
