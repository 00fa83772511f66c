//! A guard: a metric, the limit whose breach is harm, and what to do when the evidence says that it is broken.
//!
//! The level caps what a guard may do; how strong the evidence must be for each level is the ladder's business
//! ([`crate::evidence::budget`]).

use crate::{
    Ladder,
    catalogue::MetricKey,
    criterion::{Base, Comparison, Decimal, Limit, Relation},
};

/// A metric with a limit and what to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Guard {
    /// What is harm: `error-rate > 1x control`, `p99 > 2x baseline`.
    pub harm: Comparison,
    /// The most that this guard may do.
    pub level: Level,
    /// Its share of the budget, relative to the others; 1 by default.
    pub weight: f64,
    /// Classes of failures that are expected (a declined card) and left out of an error rate; at most 16.
    pub except: Vec<String>,
}

/// What a guard may do at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Say so, and let no gate pass.
    Warn,
    /// Also stop the stage's clock.
    Hold,
    /// Also abort.
    Abort,
}

impl Guard {
    /// The limit unless a plan says otherwise: no worse than control.
    pub const DEFAULT_LIMIT: f64 = 1.0;
    /// The metric that is measured for every rollout.
    pub const ERROR_RATE: &'static str = "error-rate";
    /// The metric of the built-in guard, [`Guard::slower_than_control`].
    pub const LATENCY: &'static str = "p95";

    /// Errors of treatment above those of control abort: the guard of a plan that names none.
    pub fn no_worse_than_control() -> Self {
        Self::error_rate_above(Self::DEFAULT_LIMIT)
    }

    /// Errors above a multiple of the live control's abort.
    pub fn error_rate_above(times_control: f64) -> Self {
        Self {
            harm: Comparison {
                metric: MetricKey::new(Self::ERROR_RATE).expect("the key of a built-in metric is a key"),
                relation: Relation::Above,
                limit: Limit::Times {
                    base: Base::Control,
                    factor: Decimal::from_millionths((times_control * 1e6).round() as i64),
                },
                window: None,
            },
            level: Level::Abort,
            weight: 1.0,
            except: Vec::new(),
        }
    }

    /// "Slower than control", built in (guard.md 4c): more of treatment than of control exceeds the baseline's own p95, of
    /// level hold. [`crate::Plan::add_built_in_guards`] gives it to a plan.
    pub fn slower_than_control() -> Self {
        Self {
            harm: Comparison {
                metric: MetricKey::new(Self::LATENCY).expect("the key of a built-in metric is a key"),
                relation: Relation::Above,
                limit: Limit::Times {
                    base: Base::Control,
                    factor: Decimal::from_millionths(1_000_000),
                },
                window: None,
            },
            level: Level::Hold,
            weight: 1.0,
            except: Vec::new(),
        }
    }

    /// What people call it, where that is more than its limit says.
    pub fn name(&self) -> Option<&'static str> {
        self.is_slower_than_control().then_some("slower than control")
    }

    /// Whether it is "slower than control", of whatever level.
    pub fn is_slower_than_control(&self) -> bool {
        self.harm == Self::slower_than_control().harm
    }

    /// The ratio to the live control, if this is a guard on the error rate that is relative to it and may abort.
    pub fn error_ratio(&self) -> Option<f64> {
        let is_error_rate = self.harm.metric.as_str() == Self::ERROR_RATE && self.level == Level::Abort;
        match &self.harm.limit {
            Limit::Times {
                base: Base::Control,
                factor,
            } if is_error_rate => Some(factor.as_f64()),
            Limit::Times { .. } | Limit::Absolute(_) | Limit::Plus { .. } => None,
        }
    }
}

impl Level {
    /// All of them.
    pub const ALL: [Level; 3] = [Level::Warn, Level::Hold, Level::Abort];

    /// As documents write it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Warn => "warn",
            Level::Hold => "hold",
            Level::Abort => "abort",
        }
    }

    /// The rung of the ladder that this level may reach.
    pub fn cap(self) -> Ladder {
        match self {
            Level::Warn => Ladder::Warn,
            Level::Hold => Ladder::Hold,
            Level::Abort => Ladder::Abort,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::criterion::Criterion;

    #[test]
    fn slower_than_control_is_what_a_plan_can_write_too() {
        let built_in = Guard::slower_than_control();
        let written: Criterion = "p95 > 1x control".parse().unwrap();
        assert_eq!(Criterion::Compare(built_in.harm.clone()), written);
        assert_eq!(
            built_in.level.cap(),
            crate::evidence::exceedance::SLOWER_THAN_CONTROL_MOST
        );
        assert_eq!(built_in.name(), Some("slower than control"));
        assert_eq!(Guard::no_worse_than_control().name(), None);
    }
}
