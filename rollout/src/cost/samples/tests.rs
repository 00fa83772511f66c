use proptest::prelude::*;

use super::*;

fn harm(times: f64) -> Harm {
    Harm {
        base: 0.008,
        limit: 0.008,
        times,
    }
}

fn request(share: f64) -> Test {
    Test::Request {
        share,
        max_control_rate: 0.1,
    }
}

fn alone(test: Test, times: f64) -> Samples {
    detect(test, harm(times), Price::alone(0.01)).unwrap()
}

fn is_within(found: f64, documented: f64, tolerance: f64) -> bool {
    (found / documented - 1.0).abs() <= tolerance
}

#[test]
fn bounds_are_those_that_are_documented() {
    for (share, times, documented) in [
        (0.05, 2.0, 1_575.0),
        (0.05, 5.0, 154.0),
        (0.5, 2.0, 3_348.0),
        (0.5, 5.0, 387.0),
    ] {
        for test in [Test::Unit { share }, request(share), Test::Robust { share }] {
            let bound = alone(test, times).bound;
            assert!(is_within(bound, documented, 0.01), "{test:?} {times}x: {bound}");
        }
    }
}

#[test]
fn ours_is_what_was_measured_in_one_horizon() {
    for (test, doubling, fivefold) in [
        (Test::Unit { share: 0.05 }, 1_860.0, 220.0),
        (request(0.05), 1_900.0, 200.0),
        (request(0.5), 3_800.0, 500.0),
        (Test::Robust { share: 0.05 }, 3_700.0, 640.0),
        (Test::Robust { share: 0.5 }, 7_600.0, 1_900.0),
    ] {
        for (times, documented) in TOLD_HARMS.into_iter().zip([doubling, fivefold]) {
            let ours = alone(test, times).ours;
            assert!(is_within(ours, documented, 0.01), "{test:?} {times}x: {ours}");
        }
    }
}

/// 0.5 % for a day, then 5 %, of 100,000 requests a day: the first horizon sees 500 treated requests.
#[test]
fn the_price_of_a_whole_plan_is_near_what_was_measured() {
    let whole = |guards, times| {
        let at = |share, horizon| {
            detect(
                Test::Unit { share },
                harm(times),
                Price::of_plan(0.01, guards, 10, horizon),
            )
        };
        let first = at(0.005, 1).unwrap().ours;
        if first <= 500.0 {
            first
        } else {
            500.0 + at(0.05, 2).unwrap().ours
        }
    };
    for (guards, times, documented) in [(1, 2.0, 3_670.0), (6, 2.0, 4_280.0), (1, 5.0, 250.0), (6, 5.0, 310.0)] {
        let found = whole(guards, times);
        assert!(is_within(found, documented, 0.2), "{guards} guards, {times}x: {found}");
    }
}

#[test]
fn a_limit_without_a_control_needs_a_sample_of_one_arm() {
    let limit = Harm {
        base: 0.0,
        limit: 0.01,
        times: 2.0,
    };
    let samples = detect(Test::Absolute, limit, Price::alone(0.01)).unwrap();
    // 0.02 ln 2 + 0.98 ln(0.98/0.99) nats a request.
    assert!(
        is_within(samples.bound, libm::log(100.0) / 0.003_913_4, 0.001),
        "{samples:?}"
    );
    assert!(is_within(samples.ours / samples.bound, 3_700.0 / 1_575.0, 0.001));
    // It says nothing before 50 bad outcomes of treatment, however large the harm.
    let catastrophe = detect(Test::Absolute, Harm { times: 90.0, ..limit }, Price::alone(0.01)).unwrap();
    assert!(is_within(catastrophe.ours, 50.0 / 0.9, 1e-9), "{catastrophe:?}");
    assert!(catastrophe.bound < 2.0);
}

#[test]
fn a_high_rate_that_control_may_have_makes_wide_limits_dearer() {
    let harm = Harm {
        base: 0.008,
        limit: 0.016,
        times: 2.0,
    };
    let at = |max_control_rate| {
        detect(
            Test::Request {
                share: 0.05,
                max_control_rate,
            },
            harm,
            Price::alone(0.01),
        )
        .map(|samples| samples.ours)
    };
    assert!(at(0.1).unwrap() > 1.3 * at(0.016).unwrap());
    // The ratio of odds reaches the harm's own, and then there is nothing that the test would call harm.
    assert_eq!(at(0.4), None);
    assert_eq!(at(0.5), None);
}

#[test]
fn what_cannot_be_found_costs_nothing_that_can_be_told() {
    let unit = Test::Unit { share: 0.05 };
    let price = Price::alone(0.01);
    for (test, harm, price) in [
        (unit, harm(1.0), price),
        (unit, harm(0.5), price),
        (unit, harm(200.0), price),
        (unit, harm(f64::NAN), price),
        (unit, Harm { base: 0.0, ..harm(2.0) }, price),
        (
            unit,
            Harm {
                limit: 0.0,
                ..harm(2.0)
            },
            price,
        ),
        (
            Test::Absolute,
            Harm {
                limit: 0.0,
                ..harm(2.0)
            },
            price,
        ),
        (
            Test::Absolute,
            Harm {
                limit: 0.6,
                ..harm(2.0)
            },
            price,
        ),
        (Test::Unit { share: 0.0 }, harm(2.0), price),
        (Test::Unit { share: 1.0 }, harm(2.0), price),
        (unit, harm(2.0), Price::alone(0.0)),
    ] {
        assert_eq!(detect(test, harm, price), None, "{test:?} {harm:?} {price:?}");
    }
}

proptest! {
    #[test]
    fn nothing_beats_the_bound_and_more_to_pay_costs_more(
        base in 0.0005..0.1f64,
        ratio in 1.0..2.0f64,
        times in 1.05..4.0f64,
        share in 0.001..0.95f64,
        guards in 1usize..8,
        horizon in 1usize..12,
    ) {
        let harm = Harm { base, limit: ratio * base, times };
        for test in [Test::Unit { share }, Test::Request { share, max_control_rate: base }, Test::Robust { share }, Test::Absolute] {
            let alone = detect(test, harm, Price::alone(0.01)).unwrap();
            let plan = detect(test, harm, Price::of_plan(0.01, guards, 10, horizon)).unwrap();
            prop_assert!(alone.bound <= alone.ours);
            prop_assert_eq!(plan.bound, alone.bound);
            prop_assert!(alone.ours <= plan.ours);
        }
    }

    #[test]
    fn a_larger_share_takes_more_treated_requests_and_less_traffic(
        base in 0.0005..0.1f64,
        times in 1.1..5.0f64,
        share in 0.001..0.15f64,
        more in 1.05..1.9f64,
    ) {
        let harm = Harm { base, limit: base, times };
        let bound = |share| detect(Test::Unit { share }, harm, Price::alone(0.01)).unwrap().bound;
        let wider = share * more;
        prop_assert!(bound(share) < bound(wider));
        prop_assert!(bound(share) / share > bound(wider) / wider);
    }

    #[test]
    fn a_greater_harm_is_found_sooner(base in 0.0005..0.05f64, times in 1.1..9.0f64, share in 0.01..0.9f64) {
        let at = |test, times| detect(test, Harm { base, limit: base, times }, Price::alone(0.01)).unwrap();
        for test in [Test::Unit { share }, Test::Request { share, max_control_rate: 0.1 }, Test::Robust { share }, Test::Absolute] {
            prop_assert!(at(test, times * 1.1).bound < at(test, times).bound);
            prop_assert!(at(test, times * 1.1).ours <= at(test, times).ours);
        }
    }
}
