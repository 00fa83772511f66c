//! "The bad rate so far is above the limit", looked at after every outcome of a stage visit: what a rollback criterion
//! is (guard.md 4f).
//!
//! The first outcomes are worked out exactly, one by one; what comes after them is bounded by Ville's inequality for the
//! likelihood ratio of the limit against the base rate: the chance that the rate so far is ever above the limit from n
//! outcomes on is at most exp(-n KL(limit || base)). So there is an answer without knowing the traffic, too.

use crate::cost::divergence::between;

/// Additions that are spent on the exact part at most.
const WORK: usize = 500_000;
/// What the bound may say for the rest to be left to it.
const NEGLIGIBLE: f64 = 1e-9;

/// "The bad rate so far is above the limit".
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cumulative {
    /// A fraction; a rate at the limit does not fire.
    pub limit: f64,
    /// Outcomes before which it is not judged.
    pub minimum: u64,
}

impl Cumulative {
    /// The odds, at most, that it fires within `outcomes` outcomes at a true rate of `base`; infinitely many are allowed.
    pub fn odds(&self, base: f64, outcomes: f64) -> f64 {
        if base.is_nan() || base <= 0.0 || self.limit.is_nan() || self.limit >= 1.0 {
            return 0.0;
        }
        let base = base.min(1.0);
        // alive[s]: it has not fired yet, and s outcomes were bad.
        let (mut alive, mut fired, mut work, mut seen) = (vec![1.0], 0.0, 0, 0_u64);
        while (seen as f64) + 1.0 <= outcomes {
            let later = self.later(base, seen);
            if work > WORK || (seen >= self.minimum && later < NEGLIGIBLE) {
                return (fired + later.min(alive.iter().sum())).min(1.0);
            }
            seen += 1;
            alive.push(0.0);
            for bad in (0..alive.len()).rev() {
                let before = if bad > 0 { alive[bad - 1] } else { 0.0 };
                alive[bad] = alive[bad] * (1.0 - base) + before * base;
            }
            work += alive.len();
            let is_above = |bad: usize| bad as f64 / seen as f64 > self.limit;
            while seen >= self.minimum && !alive.is_empty() && is_above(alive.len() - 1) {
                fired += alive.pop().unwrap_or(0.0);
            }
            if alive.is_empty() {
                break;
            }
        }
        fired.min(1.0)
    }

    /// The odds, at most, that it fires at `seen` outcomes or later.
    fn later(&self, base: f64, seen: u64) -> f64 {
        if base >= self.limit {
            return 1.0;
        }
        libm::exp(-(seen as f64) * between(self.limit, base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::tail::binomial;

    const DOUBLED: Cumulative = Cumulative {
        limit: 0.016,
        minimum: 100,
    };

    #[test]
    fn a_single_look_is_an_exact_tail() {
        let odds = DOUBLED.odds(0.008, 100.0);
        assert!((odds - binomial(100, 0.008, 1)).abs() < 1e-12, "{odds}");
        assert_eq!(DOUBLED.odds(0.008, 99.0), 0.0);
    }

    #[test]
    fn every_walk_of_a_few_outcomes_is_counted() {
        // More heads than tails at some time from the second toss on, of three: HH., HTH, THH.
        let coin = Cumulative { limit: 0.5, minimum: 2 };
        assert!((coin.odds(0.5, 3.0) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_later_start_and_a_limit_further_away_fire_less_often_and_time_more() {
        let odds = |limit, minimum, outcomes| Cumulative { limit, minimum }.odds(0.008, outcomes);
        assert!(odds(0.016, 100, 10_000.0) > odds(0.016, 1_000, 10_000.0));
        assert!(odds(0.016, 100, 10_000.0) > odds(0.04, 100, 10_000.0));
        assert!(odds(0.016, 100, 10_000.0) > odds(0.016, 100, 1_000.0));
        assert!(odds(0.1, 100, f64::INFINITY) < 1e-6);
        assert!(odds(0.016, 100, f64::INFINITY) < 0.6);
    }

    #[test]
    fn a_limit_below_the_truth_fires_for_certain() {
        let below = Cumulative {
            limit: 0.004,
            minimum: 100,
        };
        assert!(below.odds(0.008, f64::INFINITY) > 0.99);
        assert_eq!(below.odds(0.0, f64::INFINITY), 0.0);
        assert_eq!(below.odds(f64::NAN, f64::INFINITY), 0.0);
    }
}
