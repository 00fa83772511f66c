//! How many treated requests it takes to find a harm: the bound for any honest test, and what ours needs.
//!
//! The bound is ln(1/alpha) / KL (guard.md 9), KL the least that one treated request tells against the nearest
//! harmless world. Ours is the price of the plan's budget over the same KL, times the factor that was measured for the
//! test (calibration.rs), and not before the test may speak at all.
//!
//! It takes outcomes as independent. Failures that stick to few units need more: 4a counts a unit once a horizon.

use super::calibration::{Factors, REQUEST, ROBUST, UNIT};
use super::divergence::{at_odds_ratio, at_ratio, between, is_open, with_odds};
use super::price::Price;

/// Bad outcomes that 4c waits for before it speaks (guard.md 4c).
pub const ROBUST_BAD_OUTCOMES: f64 = 50.0;

/// A doubling, and five times: the two harms for which costs are told, both in multiples of a limit.
pub const TOLD_HARMS: [f64; 2] = [2.0, 5.0];

/// The test that judges a rate, and the share at which it does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Test {
    /// 4a: bad units against a live control.
    Unit {
        /// Treatment's share, strictly between 0 and 1.
        share: f64,
    },
    /// 4b: bad requests against a live control.
    Request {
        /// Treatment's share, strictly between 0 and 1.
        share: f64,
        /// The plan's highest rate of control, a fraction. It makes limits above 1 times control dearer.
        max_control_rate: f64,
    },
    /// 4c against a live control.
    Robust {
        /// Treatment's share, strictly between 0 and 1.
        share: f64,
    },
    /// 4c against a limit that is a number, without a control.
    ///
    /// That was not measured; the factors are those of 4c relative at share 5 % (3,700 over 1,575 and 640 over 154),
    /// where control is known nearly as well as a number.
    Absolute,
}

/// A rise of a bad rate that a guard should find.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Harm {
    /// Control's rate, a fraction. [`Test::Absolute`] does not use it.
    pub base: f64,
    /// The limit as a rate: of "k times control" it is k times `base`.
    pub limit: f64,
    /// Treatment's rate as a multiple of the limit, above 1.
    pub times: f64,
}

/// Treated outcomes, on average for `bound`, in the median for `ours`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Samples {
    /// What any test with the plan's budget needs, were it spent on this guard and horizon alone.
    pub bound: f64,
    /// What ours needs, the price of the whole plan included; never below the bound.
    pub ours: f64,
}

impl Harm {
    /// Treatment's rate.
    pub fn rate(&self) -> f64 {
        self.limit * self.times
    }
}

impl Test {
    /// Treatment's share; none without a control.
    pub fn share(&self) -> Option<f64> {
        match *self {
            Test::Unit { share } | Test::Request { share, .. } | Test::Robust { share } => Some(share),
            Test::Absolute => None,
        }
    }

    /// The measured factor for a harm of `times` the limit.
    pub(super) fn factor(&self, times: f64) -> f64 {
        let at = |factors: Factors, share| factors.at(times, share);
        match *self {
            Test::Unit { share } => at(UNIT, share),
            Test::Request { share, .. } => at(REQUEST, share),
            Test::Robust { share } => at(ROBUST, share),
            Test::Absolute => at(ROBUST, 0.05),
        }
    }

    /// What one treated request tells any test about this harm.
    fn divergence(&self, harm: Harm) -> Option<f64> {
        match self.share() {
            Some(share) => at_ratio(harm.rate(), harm.base, harm.limit / harm.base, share),
            None => is_open(harm.rate()).then(|| between(harm.rate(), harm.limit)),
        }
    }

    /// What it tells ours. 4b tests odds, and takes the ratio of odds from the highest rate that control may have.
    fn own_divergence(&self, harm: Harm) -> Option<f64> {
        match *self {
            Test::Request {
                share,
                max_control_rate,
            } => {
                let limit = harm.limit / harm.base;
                if limit * max_control_rate >= 1.0 {
                    return None;
                }
                let odds_ratio = limit.max(limit * (1.0 - max_control_rate) / (1.0 - limit * max_control_rate));
                let is_beyond = harm.rate() > with_odds(harm.base, odds_ratio);
                is_beyond
                    .then(|| at_odds_ratio(harm.rate(), harm.base, odds_ratio, share))
                    .flatten()
            }
            Test::Unit { .. } | Test::Robust { .. } | Test::Absolute => self.divergence(harm),
        }
    }

    /// Treated requests before which the test says nothing.
    fn silence(&self, harm: Harm) -> f64 {
        match *self {
            Test::Unit { .. } | Test::Request { .. } => 0.0,
            Test::Robust { share } => ROBUST_BAD_OUTCOMES / (harm.rate() + (1.0 - share) / share * harm.base),
            Test::Absolute => ROBUST_BAD_OUTCOMES / harm.rate(),
        }
    }
}

/// Treated requests until a harm is found.
///
/// `None` when there is nothing to find or no way to: a harm within the limit, a rate of 1 or more, a base of 0 for a
/// relative limit, a share without one of the arms, a limit that 4b refuses or takes the harm to be within, a budget
/// that is none.
pub fn detect(test: Test, harm: Harm, price: Price) -> Option<Samples> {
    if !(harm.times > 1.0 && harm.limit > 0.0) {
        return None;
    }
    let bound = price.least()? / test.divergence(harm)?;
    let told = price.whole()? / test.own_divergence(harm)? * test.factor(harm.times);
    // Floats that are next to each other may tell nothing of each other.
    let samples = Samples {
        bound,
        ours: told.max(test.silence(harm)).max(bound),
    };
    samples.ours.is_finite().then_some(samples)
}

#[cfg(test)]
mod tests;
