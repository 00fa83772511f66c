use proptest::prelude::*;

use super::*;
use crate::DAY_US;

fn threshold(window: u64) -> Threshold {
    Threshold {
        limit: 0.016,
        window,
        minimum: 100,
        consecutive: 1,
    }
}

#[test]
fn a_threshold_at_a_doubling_aborts_harmless_rollouts() {
    // Documented as 100 % and 31 % over a whole plan, for contrast; 100,000 treated requests at 0.8 % come to that.
    assert!(threshold(100).odds(0.008, 100_000.0) > 0.999_999);
    let odds = threshold(1_000).odds(0.008, 100_000.0);
    assert!((0.29..0.32).contains(&odds), "{odds}");
    // Three windows in a row, or ten times as many outcomes in each, are another matter.
    assert!(
        Threshold {
            consecutive: 3,
            ..threshold(1_000)
        }
        .odds(0.008, 100_000.0)
            < 1e-5
    );
    assert!(threshold(10_000).odds(0.008, 100_000.0) < 1e-9);
}

#[test]
fn one_look_is_an_exact_tail_and_several_multiply() {
    let coin = Threshold {
        limit: 0.5,
        window: 3,
        minimum: 0,
        consecutive: 1,
    };
    assert_eq!(coin.odds_of_a_look(0.5), 0.5);
    assert!((coin.odds(0.5, 8.9) - 0.75).abs() < 1e-12);
    let twice = Threshold { consecutive: 2, ..coin };
    assert!((twice.odds(0.5, 6.0) - 0.25).abs() < 1e-12);
    // Of eight outcomes of three looks, three have two in a row.
    assert!(twice.odds(0.5, 9.0) >= 0.375);
    assert_eq!(twice.odds(0.5, 3.0), 0.0);
}

#[test]
fn runs_are_never_likelier_than_said() {
    for (chance, in_a_row, windows) in [(0.5, 2, 20), (0.1, 3, 50), (0.9, 5, 12), (0.3, 1, 7)] {
        // never[j]: no run so far, and the last j windows were above the limit.
        let mut never = vec![0.0; in_a_row];
        never[0] = 1.0;
        for _ in 0..windows {
            let quiet: f64 = never.iter().sum::<f64>() * (1.0 - chance);
            never.rotate_right(1);
            never.iter_mut().for_each(|state| *state *= chance);
            never[0] = quiet;
        }
        let exact = 1.0 - never.iter().sum::<f64>();
        let look = Threshold {
            limit: 0.5,
            window: 1,
            minimum: 0,
            consecutive: in_a_row as u32,
        };
        let said = look.odds(chance, f64::from(windows));
        assert!(said >= exact - 1e-12, "{chance} {in_a_row} {windows}: {said} {exact}");
        assert!(in_a_row > 1 || said - exact < 1e-12);
    }
}

#[test]
fn a_rate_at_the_limit_does_not_fire() {
    for (limit, window, most) in [
        (0.29, 100, 29),
        (0.07, 100, 7),
        (0.016, 1_000, 16),
        (0.0, 50, 0),
        (0.999, 10, 9),
        (1.0, 10, 11),
    ] {
        let found = most_within(limit, window).unwrap();
        assert!(
            found == most || limit == 1.0 && found >= 10,
            "{limit} of {window}: {found}"
        );
    }
    assert_eq!(most_within(-0.1, 10), None);
    assert_eq!(
        Threshold {
            limit: 1.0,
            ..threshold(100)
        }
        .odds(0.9, 1e9),
        0.0
    );
}

#[test]
fn windows_below_the_minimum_are_not_judged() {
    assert_eq!(threshold(99).odds(0.5, 1e6), 0.0);
    assert_eq!(threshold(0).odds(0.5, 1e6), 0.0);
    assert_eq!(threshold(100).odds(0.5, 99.0), 0.0);
    assert_eq!(threshold(100).odds(0.5, f64::NAN), 0.0);
}

#[test]
fn a_cap_within_one_window_is_a_plain_tail() {
    let cap = Cap {
        most: 10,
        window_us: DAY_US,
    };
    assert!((cap.odds(4.0, DAY_US) - 0.002_839_766).abs() < 1e-9);
    assert!((cap.odds(8.0, DAY_US / 2) - 0.002_839_766).abs() < 1e-9);
    for (base, dwell_us, window_us) in [
        (0.0, DAY_US, DAY_US),
        (4.0, 0, DAY_US),
        (4.0, DAY_US, 0),
        (f64::NAN, DAY_US, DAY_US),
    ] {
        assert_eq!(Cap { most: 10, window_us }.odds(base, dwell_us), 0.0);
    }
}

/// The next of a fixed series of numbers in (0, 1] (splitmix64).
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / libm::ldexp(1.0, 53) + libm::ldexp(1.0, -53)
}

#[test]
fn a_sliding_window_fires_no_more_often_than_said() {
    let mut state = 7;
    for (base, most, windows) in [(4.0, 10, 14), (1.0, 4, 7), (20.0, 40, 10)] {
        const RUNS: u32 = 20_000;
        let mut fired = 0;
        for _ in 0..RUNS {
            let mut times: Vec<f64> = Vec::new();
            let mut now = 0.0;
            loop {
                now -= libm::log(uniform(&mut state)) / base;
                if now > f64::from(windows) {
                    break;
                }
                times.push(now);
            }
            let too_many = times.windows(most + 1).any(|events| events[most] - events[0] <= 1.0);
            fired += u32::from(too_many);
        }
        let simulated = f64::from(fired) / f64::from(RUNS);
        let said = Cap {
            most: most as u64,
            window_us: DAY_US,
        }
        .odds(base, i64::from(windows) * DAY_US);
        let slack = 3.0 * libm::sqrt(simulated / f64::from(RUNS));
        assert!(said >= simulated - slack, "{base} {most}: {said} {simulated}");
        // And is worth saying: within a factor of three.
        assert!(said <= 3.0 * simulated + slack, "{base} {most}: {said} {simulated}");
    }
}

#[test]
fn several_rules_fire_more_often_than_one() {
    assert_eq!(at_least_one(&[]), 0.0);
    assert_eq!(at_least_one(&[0.5, 0.5]), 0.75);
    assert_eq!(at_least_one(&[0.1, 1.0]), 1.0);
}

proptest! {
    #[test]
    fn more_traffic_and_worse_bases_fire_more_often(
        base in 0.001..0.1f64,
        limit in 0.001..0.2f64,
        window in 100u64..5_000,
        outcomes in 100.0..1e7f64,
        consecutive in 1u32..5,
    ) {
        let rule = Threshold { limit, window, minimum: 100, consecutive };
        let odds = rule.odds(base, outcomes);
        prop_assert!((0.0..=1.0).contains(&odds));
        prop_assert!(rule.odds(base, outcomes * 1.5) >= odds);
        prop_assert!(rule.odds(base * 1.5, outcomes) >= odds * (1.0 - 1e-9));
        let longer = Threshold { consecutive: consecutive + 1, ..rule };
        prop_assert!(longer.odds(base, outcomes) <= odds);
    }

    #[test]
    fn a_cap_fires_at_least_as_often_as_in_disjoint_windows(base in 0.1..30.0f64, above in 1u64..30, days in 1i64..60) {
        let most = base as u64 + above;
        let cap = Cap { most, window_us: DAY_US };
        let odds = cap.odds(base, days * DAY_US);
        prop_assert!((0.0..=1.0).contains(&odds));
        prop_assert!(odds >= at_least_once(poisson(base, most), days as f64) * (1.0 - 1e-9));
        prop_assert!(cap.odds(base, (days + 1) * DAY_US) >= odds * (1.0 - 1e-9));
        prop_assert!(cap.odds(base * 1.02, days * DAY_US) >= odds * (1.0 - 1e-9));
        let higher = Cap { most: most + 1, ..cap };
        prop_assert!(higher.odds(base, days * DAY_US) <= odds * (1.0 + 1e-9));
    }
}
