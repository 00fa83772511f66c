//! Quantiles, decided exactly: "p99 above T" is "more than 1 % are slower than T" (guard.md 4c).
//!
//! A histogram's quantile has no variance that could be trusted; a count of exceedances of a bound that was named
//! before is a rate like any other. Errors and timeouts count as slow, or fast failures would look like progress. When
//! control exceeds the bound as well, treatment is not what is slow: the limit then holds at most.

use super::arm::{Arm, Buckets};
use super::budget::Ladder;
use super::limit::{Kind, Limit, Rule, Side};
use super::robust::{self, Finding, Stratum};
use crate::Micros;

/// "Slower than control", built in: exceedances of the baseline's own Q95, no more than control has.
pub const SLOWER_THAN_CONTROL: Rule = Rule {
    kind: Kind::Rate,
    limit: Limit::Relative(1.0),
    harm: Side::Above,
};

/// The most that "slower than control" may do.
pub const SLOWER_THAN_CONTROL_MOST: Ladder = Ladder::Hold;

/// What a quantile limit says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// The absolute test on treatment's exceedances.
    pub finding: Finding,
    /// The most that may follow from it: hold if control exceeds the limit too.
    pub most: Ladder,
}

/// The bound whose exceedances are counted: the first named one at or above `times` the baseline's quantile.
///
/// None if no bound reaches so far; a plan with such a limit is refused. Frozen when the rollout starts.
pub fn bound_us(bounds_us: &[Micros], times: f64, baseline_us: Micros) -> Option<Micros> {
    let wanted = times * baseline_us as f64;
    bounds_us.iter().copied().filter(|bound| *bound as f64 >= wanted).min()
}

/// Whether an outcome exceeds the bound. A bad one does, however fast it was; so does one whose moment never came (no
/// first token).
pub fn is_exceedance(is_bad: bool, duration_us: Option<Micros>, bound_us: Micros) -> bool {
    is_bad || duration_us.is_none_or(|duration| duration > bound_us)
}

/// The rule for "at most this share exceeds the bound": 0.01 for a p99.
pub fn rule(share: f64) -> Rule {
    Rule {
        kind: Kind::Rate,
        limit: Limit::Absolute(share),
        harm: Side::Above,
    }
}

/// Asks the absolute test, and looks at control for the most that may follow. The control of the strata is the live one.
pub fn judge(share: f64, strata: &[Stratum]) -> Judgement {
    let mut control = Buckets::new();
    let live = strata.iter().filter_map(|stratum| stratum.control.as_ref());
    live.for_each(|buckets| control.merge(buckets));
    let exceeds = Arm::of(&control, Kind::Rate).rate() > share;
    Judgement {
        finding: robust::judge(&rule(share), strata),
        most: if exceeds { Ladder::Hold } else { Ladder::Abort },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(num: i64, den: u64) -> Buckets {
        let mut buckets = Buckets::new();
        (0..64).for_each(|bucket| buckets.add(bucket, num, den));
        buckets
    }

    #[test]
    fn the_bound_is_the_first_one_at_or_above() {
        let bounds = [500_000, 100_000, 250_000];
        assert_eq!(bound_us(&bounds, 2.0, 50_000), Some(100_000));
        assert_eq!(bound_us(&bounds, 2.0, 50_001), Some(250_000));
        assert_eq!(bound_us(&bounds, 2.0, 250_001), None);
    }

    #[test]
    fn fast_failures_are_not_progress() {
        assert!(is_exceedance(true, Some(1), 100));
        assert!(is_exceedance(false, None, 100));
        assert!(is_exceedance(false, Some(101), 100));
        assert!(!is_exceedance(false, Some(100), 100));
    }

    #[test]
    fn when_control_is_slow_as_well_it_holds_at_most() {
        let judge = |control| {
            let treatment = arm(3, 100);
            judge(0.01, &[Stratum { treatment, control }])
        };
        let [alone, shared, without] = [Some(arm(1, 100)), Some(arm(2, 100)), None].map(judge);
        assert!(alone.finding.log_e() > Some(10.0));
        assert_eq!(alone.finding, shared.finding);
        assert_eq!(
            [alone.most, shared.most, without.most],
            [Ladder::Abort, Ladder::Hold, Ladder::Abort]
        );
    }
}
