//! What an agent measures for one rollout: its metrics, and which horizon and stage an outcome belongs to.
//!
//! A measurement outlives its rollout step: outcomes of a rollout that ended are still under way. Ticks are seconds
//! since 2020-01-01 UTC by the control plane's clock.

use crate::key::Key;
use crate::percentage::Buckets;

/// What is split between the arms, which picks the test of harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SplittingUnit {
    /// Users, accounts: bad units are compared.
    Unit,
    /// Single requests: requests are compared.
    Request,
}

/// How outcomes become a metric's numbers: a numerator and a denominator. Outcomes are ok, error and timeout; bad are
/// error and timeout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counting {
    /// Bad outcomes, of all outcomes.
    Errors {
        /// Failures of these classes count as if they had worked.
        expected: Vec<String>,
    },
    /// Timeouts, of all outcomes.
    Timeouts,
    /// Outcomes whose HTTP status lies between these, both included, of those that carry one.
    Status {
        /// The lowest that is bad.
        from: u16,
        /// The highest that is bad.
        to: u16,
    },
    /// Outcomes that took longer or are bad, of those that were timed or are bad.
    Slower {
        /// In microseconds.
        bound_us: i64,
    },
    /// Outcomes with a greater value, or bad and without it, of those that carry the value or are bad.
    Above {
        /// Key of the value.
        value: String,
        /// In millionths of the value's unit.
        bound: i64,
    },
    /// The sum of the values, in millionths.
    Sum {
        /// Key of the value.
        value: String,
        /// The least that one value counts for, in millionths.
        minimum: i64,
        /// The greatest that one value counts for, in millionths.
        maximum: i64,
        /// Of what.
        per: Per,
    },
    /// Values of at least one half.
    Hits {
        /// Key of the value.
        value: String,
        /// Of what.
        per: Per,
    },
    /// Exposures whose outcome never came, of those with an outcome and the lost.
    Lost,
}

/// What values are divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Per {
    /// The values that came.
    Value,
    /// All exposures, with or without a value.
    Exposure,
}

/// One metric of a measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricSpec {
    /// Names the metric in frames of this rollout.
    pub number: u16,
    /// Its key, for people.
    pub key: String,
    /// How outcomes become its numbers.
    pub counting: Counting,
    /// Whether an exposure whose outcome never came counts as bad.
    pub lost_is_bad: bool,
}

impl Counting {
    /// The key under which observations carry an HTTP status.
    pub const STATUS_VALUE: &str = "http-status";

    /// Whether numerators are sums of values in millionths, which may be negative, and not counts.
    pub fn is_sum(&self) -> bool {
        matches!(self, Self::Sum { .. })
    }

    /// Whether units that failed are told by position, so that units can be compared (guard.md 4a).
    pub fn names_units(&self) -> bool {
        matches!(
            self,
            Self::Errors { .. } | Self::Timeouts | Self::Status { .. } | Self::Lost
        )
    }

    /// Whether every numerator belongs to a denominator of the same event, so that none is greater.
    pub fn is_part(&self) -> bool {
        !matches!(self, Self::Sum { .. } | Self::Hits { per: Per::Exposure, .. })
    }
}

/// One entry into a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageVisit {
    /// The stage, 0 to 15.
    pub stage: u8,
    /// How often the stage had been entered with this visit; 1 for the first.
    pub visit: u32,
    /// The treatment's share of the buckets.
    pub share: Buckets,
    /// When it was entered, in ticks.
    pub entered_tick: u32,
}

/// What agents count for one rollout, active or ended not long ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// The rollout's index in its environment.
    pub rollout: u32,
    /// The rollout's id, a UUID.
    pub id: u128,
    /// The flag that it moves.
    pub flag: Key,
    /// Keys the positions of units.
    pub measuring_key: u128,
    /// When the rollout began, in ticks.
    pub start_tick: u32,
    /// What is split between the arms.
    pub unit: SplittingUnit,
    /// Every visit of a stage, in the order reached.
    pub stages: Vec<StageVisit>,
    /// When the horizons began, in ticks, ascending: horizon h (from 1) at index h - 1.
    pub horizon_starts: Vec<u32>,
    /// An exposure without an outcome is lost after this long, in microseconds.
    pub lost_after_us: i64,
    /// What is counted.
    pub metrics: Vec<MetricSpec>,
    /// Whether the rollout has ended and only late outcomes are awaited.
    pub ended: bool,
}

impl Measurement {
    /// The horizon, counted from 1, in which `tick` lies; before the first start: 1.
    pub fn horizon_at(&self, tick: u32) -> u32 {
        let begun = self.horizon_starts.partition_point(|start| *start <= tick);
        u32::try_from(begun).unwrap_or(u32::MAX).max(1)
    }

    /// The latest visit of `stage`; 0 if it was never entered.
    pub fn visit_of(&self, stage: u8) -> u32 {
        self.stages
            .iter()
            .filter(|visit| visit.stage == stage)
            .map(|visit| visit.visit)
            .max()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn measurement() -> Measurement {
        let visit = |stage, visit| StageVisit {
            stage,
            visit,
            share: Buckets::ALL,
            entered_tick: 0,
        };
        Measurement {
            rollout: 1,
            id: 2,
            flag: Key::parse("checkout").unwrap(),
            measuring_key: 3,
            start_tick: 100,
            unit: SplittingUnit::Unit,
            stages: vec![visit(0, 1), visit(1, 1), visit(0, 2)],
            horizon_starts: vec![100, 200, 300],
            lost_after_us: 30_000_000,
            metrics: Vec::new(),
            ended: false,
        }
    }

    #[test]
    fn a_tick_lies_in_the_last_horizon_that_has_begun() {
        for (tick, horizon) in [(0, 1), (100, 1), (199, 1), (200, 2), (299, 2), (300, 3), (u32::MAX, 3)] {
            assert_eq!(measurement().horizon_at(tick), horizon, "tick {tick}");
        }
    }

    #[test]
    fn without_a_start_every_tick_is_of_the_first_horizon() {
        assert_eq!(
            Measurement {
                horizon_starts: Vec::new(),
                ..measurement()
            }
            .horizon_at(500),
            1
        );
    }

    #[test]
    fn a_stage_entered_again_is_on_its_second_visit() {
        assert_eq!([0, 1, 2].map(|stage| measurement().visit_of(stage)), [2, 1, 0]);
    }
}
