//! How many treated outcomes it takes to find that a mean has moved beyond its limit: money, tokens, scores.
//!
//! By the normal approximation an outcome tells (d^2/2) / variance, with d the distance of treatment's mean from the
//! limit. In units of the limit's own mean that is a matter of two plain numbers: how far the mean lies beyond (or
//! below) the limit, and the coefficient of variation, the deviation of one outcome over its mean. Only 4c judges
//! means, and only from 1,000 outcomes in each arm that it uses on.

use super::price::Price;
use super::samples::{Samples, Test};

/// Outcomes in each arm that 4c waits for before it speaks of a mean (guard.md 4c).
pub const OUTCOMES_IN_EACH_ARM: f64 = 1_000.0;

/// A harm of a mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// Treatment's mean as a multiple of the limit: above 1 for an upper limit, below 1 for a lower one, never 1.
    pub times: f64,
    /// The coefficient of variation of one outcome (clamped as the metric says), the same in both arms.
    pub variation: f64,
}

/// Treated outcomes until a shift is found: bound = 2 ln(1/alpha) c^2 (times^2 + share/(1-share)) / (times - 1)^2, without
/// the share when there is no control.
///
/// Ours takes the factor of 4c for a doubled rate, the nearest that was measured. `None` for 4a and 4b, which count bad
/// ones only, for a mean at the limit, and for numbers that are none.
pub fn detect(test: Test, shift: Shift, price: Price) -> Option<Samples> {
    let control = match test {
        Test::Unit { .. } | Test::Request { .. } => return None,
        Test::Robust { share } if share > 0.0 && share < 1.0 => share / (1.0 - share),
        Test::Robust { .. } => return None,
        Test::Absolute => 0.0,
    };
    if !(shift.times > 0.0 && shift.variation >= 0.0) {
        return None;
    }
    let distance = shift.times - 1.0;
    let variance = shift.variation * shift.variation * (shift.times * shift.times + control);
    let samples_per_nat = 2.0 * variance / (distance * distance);
    let bound = price.least()? * samples_per_nat;
    let silence = OUTCOMES_IN_EACH_ARM * control.max(1.0);
    let ours = (price.whole()? * samples_per_nat * test.factor(2.0)).max(silence);
    ours.is_finite().then_some(Samples { bound, ours })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Revenue may be 5 % below control's, at share 10 %. The spread of what the 5 % or 90 % that
    /// buy pay is not documented; it is taken as lognormal with deviation 1.
    #[test]
    fn the_cost_of_revenue_is_near_what_was_measured() {
        let test = Test::Robust { share: 0.1 };
        for (loss, conversion, documented) in [
            (0.15, 0.05, 95_000.0),
            (0.3, 0.05, 15_000.0),
            (0.15, 0.9, 3_400.0),
            (0.3, 0.9, 1_100.0),
        ] {
            let variation = libm::sqrt(libm::exp(1.0) / conversion - 1.0);
            let shift = Shift {
                times: (1.0 - loss) / 0.95,
                variation,
            };
            let ours = detect(test, shift, Price::alone(0.01)).unwrap().ours;
            assert!((ours / documented - 1.0).abs() < 0.3, "-{loss} at {conversion}: {ours}");
        }
    }

    #[test]
    fn a_plain_mean_is_judged_from_a_thousand_outcomes_on() {
        let shift = Shift {
            times: 1.5,
            variation: 1.0,
        };
        let samples = detect(Test::Absolute, shift, Price::alone(0.01)).unwrap();
        assert!((samples.bound - 2.0 * libm::log(100.0) * 2.25 / 0.25).abs() < 1e-9);
        assert_eq!(samples.ours, 1_000.0);
        // With three quarters of the units treated it is control that is waited for.
        assert_eq!(
            detect(Test::Robust { share: 0.75 }, shift, Price::alone(0.01))
                .unwrap()
                .ours,
            3_000.0
        );
    }

    #[test]
    fn means_that_cannot_be_judged_have_no_cost() {
        let shift = Shift {
            times: 1.5,
            variation: 1.0,
        };
        let price = Price::alone(0.01);
        for (test, shift) in [
            (Test::Unit { share: 0.1 }, shift),
            (
                Test::Request {
                    share: 0.1,
                    max_control_rate: 0.1,
                },
                shift,
            ),
            (Test::Robust { share: 0.0 }, shift),
            (Test::Robust { share: 1.0 }, shift),
            (Test::Absolute, Shift { times: 1.0, ..shift }),
            (
                Test::Absolute,
                Shift {
                    times: f64::NAN,
                    ..shift
                },
            ),
            (
                Test::Absolute,
                Shift {
                    variation: f64::INFINITY,
                    ..shift
                },
            ),
        ] {
            assert_eq!(detect(test, shift, price), None, "{test:?} {shift:?}");
        }
    }

    proptest! {
        #[test]
        fn wilder_values_and_larger_shares_cost_more(times in 1.01..3.0f64, variation in 0.1..10.0f64, share in 0.01..0.8f64) {
            let at = |share, variation| detect(Test::Robust { share }, Shift { times, variation }, Price::alone(0.01)).unwrap();
            let samples = at(share, variation);
            prop_assert!(samples.bound <= samples.ours);
            prop_assert!(samples.bound < at(share * 1.1, variation).bound);
            prop_assert!(samples.bound < at(share, variation * 1.1).bound);
            let absolute = detect(Test::Absolute, Shift { times, variation }, Price::alone(0.01)).unwrap();
            prop_assert!(absolute.bound < samples.bound);
        }
    }
}
