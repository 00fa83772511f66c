//! What an abort must pay: the evidence that a plan's budget asks of one guard in one horizon.
//!
//! A plan splits its budget alpha over guards (v) and horizons (w); one of them aborts when its own e-value reaches
//! 1/(alpha v w). So the price is ln(1/(alpha v w)), and ln(1/alpha) of it is what any honest test pays. The rest buys
//! that every guard is watched in every horizon, every second (guard.md 5).

use crate::evidence::budget::horizon_weight;

/// The budget of one guard in one horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// The chance of a false abort over the whole rollout, strictly between 0 and 1.
    pub alpha: f64,
    /// The guard's share of the budget, above 0 and at most 1.
    pub guard_weight: f64,
    /// The horizon's share of the budget, above 0 and at most 1.
    pub horizon_weight: f64,
}

impl Price {
    /// One guard, one horizon, the whole budget on it: what the calibration measures.
    pub fn alone(alpha: f64) -> Price {
        Price {
            alpha,
            guard_weight: 1.0,
            horizon_weight: 1.0,
        }
    }

    /// One of `guards` equal guards in horizon `horizon` (from 1) of a plan of `planned` horizons.
    ///
    /// No guard is read as one, horizon 0 as the first.
    pub fn of_plan(alpha: f64, guards: usize, planned: usize, horizon: usize) -> Price {
        Price {
            alpha,
            guard_weight: 1.0 / guards.max(1) as f64,
            horizon_weight: horizon_weight(planned, horizon.max(1)),
        }
    }

    /// ln(1/alpha): what any test with this budget needs on average. `None` when alpha is not a budget.
    pub fn least(&self) -> Option<f64> {
        (self.alpha > 0.0 && self.alpha < 1.0).then(|| -libm::log(self.alpha))
    }

    /// ln(1/(alpha v w)): what ours needs. `None` when one of the three is out of its range.
    pub fn whole(&self) -> Option<f64> {
        let is_weight = |weight: f64| weight > 0.0 && weight <= 1.0;
        let least = self.least()?;
        (is_weight(self.guard_weight) && is_weight(self.horizon_weight))
            .then(|| least - libm::log(self.guard_weight) - libm::log(self.horizon_weight))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guards_and_horizons_add_their_logarithms_to_the_price() {
        let close = |price: Price, expected: f64| assert!((price.whole().unwrap() - expected).abs() < 1e-12);
        close(Price::alone(0.01), libm::log(100.0));
        // w_1 of one planned horizon is 1/2, of ten 1/4 + 1/22.
        close(Price::of_plan(0.01, 1, 1, 1), libm::log(200.0));
        close(Price::of_plan(0.01, 6, 10, 1), libm::log(600.0 / (0.25 + 1.0 / 22.0)));
        close(Price::of_plan(0.01, 0, 0, 0), libm::log(200.0));
        assert_eq!(Price::of_plan(0.01, 6, 10, 3).least(), Price::alone(0.01).least());
    }

    #[test]
    fn what_is_no_budget_has_no_price() {
        for alpha in [0.0, 1.0, -0.1, f64::NAN] {
            assert_eq!(Price::alone(alpha).least(), None);
            assert_eq!(Price::alone(alpha).whole(), None);
        }
        assert_eq!(
            Price {
                guard_weight: 0.0,
                ..Price::alone(0.01)
            }
            .whole(),
            None
        );
        assert_eq!(
            Price {
                horizon_weight: 1.1,
                ..Price::alone(0.01)
            }
            .whole(),
            None
        );
    }
}
