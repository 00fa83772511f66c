//! How many treated requests it takes to prove that a rate is below its limit: the cost of a gate that certifies.
//!
//! The same arithmetic the other way round (guard.md 6): the truth is below the limit, and the nearest world that must
//! be ruled out is the one at it. A gate waits for 50 expected bad outcomes of treatment at the limit, for 50 bad ones
//! in control and for 1,000 units an arm, whatever the evidence says; here a unit makes one outcome at best.

use super::calibration;
use super::divergence::{at_ratio, between, is_open};
use super::samples::Samples;

/// Bad outcomes that are waited for, expected of treatment at the limit and seen in control.
pub const BAD_OUTCOMES: f64 = 50.0;
/// Units in each arm that are waited for.
pub const UNITS: f64 = 1_000.0;

/// A rate that is to be proven below a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Claim {
    /// Treatment's true rate, a fraction.
    pub rate: f64,
    /// The limit as a rate, above the true one: of "k times control" it is k times control's.
    pub limit: f64,
    /// Control, if the limit is relative to it.
    pub control: Option<Control>,
}

/// The control that a claim is relative to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Control {
    /// Its rate, a fraction.
    pub rate: f64,
    /// Treatment's share, strictly between 0 and 1.
    pub share: f64,
}

/// Treated requests until a gate says SAFE, with `beta` its own part of the chance of a false SAFE.
///
/// The factor of ours was measured at share 5 %, for limits of 1.5 and 2 times the truth, and serves for the rest as
/// well. `None` when there is nothing to prove: a rate at its limit or beyond, rates, a share or a beta that are none.
pub fn certify(claim: Claim, beta: f64) -> Option<Samples> {
    if !(is_open(claim.rate) && is_open(claim.limit) && claim.rate < claim.limit && is_open(beta)) {
        return None;
    }
    let divergence = match claim.control {
        Some(control) => at_ratio(claim.rate, control.rate, claim.limit / control.rate, control.share)?,
        None => between(claim.rate, claim.limit),
    };
    let bound = -libm::log(beta) / divergence;
    let ours = (bound * calibration::certify(claim.limit / claim.rate)).max(silence(claim));
    ours.is_finite().then_some(Samples { bound, ours })
}

/// Treated requests before which a gate never says SAFE.
fn silence(claim: Claim) -> f64 {
    let treated = UNITS.max(BAD_OUTCOMES / claim.limit);
    match claim.control {
        Some(control) => {
            let treated_per_control = control.share / (1.0 - control.share);
            treated.max(UNITS.max(BAD_OUTCOMES / control.rate) * treated_per_control)
        }
        None => treated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn relative(ratio: f64, share: f64) -> Claim {
        Claim {
            rate: 0.008,
            limit: ratio * 0.008,
            control: Some(Control { rate: 0.008, share }),
        }
    }

    #[test]
    fn proof_costs_what_was_measured() {
        for (ratio, documented) in [(2.0, 4_500.0), (1.5, 10_600.0)] {
            let ours = certify(relative(ratio, 0.05), 0.05).unwrap().ours;
            assert!((ours / documented - 1.0).abs() < 0.01, "{ratio}: {ours}");
        }
    }

    #[test]
    fn no_proof_comes_before_fifty_bad_outcomes_were_due() {
        // Against five times the truth evidence would be there long before.
        let absolute = Claim {
            rate: 0.008,
            limit: 0.04,
            control: None,
        };
        assert_eq!(certify(absolute, 0.05).unwrap().ours, 1_250.0);
        // Half of the units are treated: control needs 50 / 0.008 as well.
        assert_eq!(certify(relative(5.0, 0.5), 0.05).unwrap().ours, 6_250.0);
        // A thousand units are asked for even where everything fails.
        let coarse = Claim {
            rate: 0.3,
            limit: 0.9,
            control: None,
        };
        assert_eq!(certify(coarse, 0.05).unwrap().ours, 1_000.0);
    }

    #[test]
    fn what_is_not_true_is_never_proven() {
        for claim in [
            relative(1.0, 0.05),
            relative(0.9, 0.05),
            relative(2.0, 0.0),
            relative(2.0, 1.0),
            Claim {
                rate: 0.0,
                ..relative(2.0, 0.05)
            },
            Claim {
                rate: 0.02,
                limit: 0.01,
                control: None,
            },
            Claim {
                limit: 1.0,
                ..relative(2.0, 0.05)
            },
        ] {
            assert_eq!(certify(claim, 0.05), None, "{claim:?}");
        }
        assert_eq!(certify(relative(2.0, 0.05), 0.0), None);
        assert_eq!(certify(relative(2.0, 0.05), f64::NAN), None);
    }

    proptest! {
        #[test]
        fn closer_limits_and_smaller_doubts_cost_more(ratio in 1.05..4.0f64, share in 0.01..0.7f64, beta in 0.001..0.2f64) {
            let at = |ratio, share, beta| certify(relative(ratio, share), beta).unwrap();
            let samples = at(ratio, share, beta);
            prop_assert!(samples.bound <= samples.ours);
            prop_assert!(at(ratio * 1.1, share, beta).bound < samples.bound);
            prop_assert!(at(ratio, share, beta / 2.0).bound > samples.bound);
            prop_assert!(at(ratio, share * 1.1, beta).bound > samples.bound);
        }
    }
}
