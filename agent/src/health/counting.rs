//! What one report adds to one metric: a pure function of both.
//!
//! The meanings are those of `evaluation::Counting`. A failure counts as bad wherever it could hide: as slow, as above
//! a bound that nobody could measure any more; otherwise failing fast would look like progress. Sums are exact, because
//! values are integers of millionths before they are added.

use std::ops::{AddAssign, RangeInclusive};

use evaluation::{Counting, MetricSpec, Per};
use proto::SUM_LIMIT;

use super::report::{Outcome, Report, Value};

/// What may be a status of HTTP; anything else says nothing.
const STATUSES: RangeInclusive<f64> = 100.0..=999.0;
/// Millionths of a unit, in which bounds are given.
const MILLIONTHS: f64 = 1e6;

/// What is added to the numerator and the denominator of a metric.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// Counts, or millionths for sums.
    pub(crate) num: i128,
    /// Counts.
    pub(crate) den: u64,
    /// Values that lay outside their clamp, and were counted as its end.
    pub(crate) clamped: u64,
}

impl Step {
    /// One event, which is bad or not.
    fn part(bad: bool) -> Self {
        Self {
            num: i128::from(bad),
            den: 1,
            clamped: 0,
        }
    }
}

impl AddAssign for Step {
    fn add_assign(&mut self, other: Self) {
        self.num += other.num;
        self.den += other.den;
        self.clamped += other.clamped;
    }
}

/// What a report adds; None: it says nothing of this metric.
pub(crate) fn reported(counting: &Counting, report: &Report<'_>) -> Option<Step> {
    match counting {
        Counting::Errors { expected } => {
            let is_expected = || {
                report
                    .class
                    .is_some_and(|class| expected.iter().any(|one| one == class.as_str()))
            };
            report
                .outcome
                .map(|outcome| Step::part(outcome.is_bad() && !is_expected()))
        }
        Counting::Timeouts => report.outcome.map(|outcome| Step::part(outcome == Outcome::Timeout)),
        Counting::Status { from, to } => {
            let bad = f64::from(*from)..=f64::from(*to);
            let is_status = |value: &&Value<'_>| STATUSES.contains(&value.number());
            let said = || report.values_of(Counting::STATUS_VALUE);
            let counted = any(said().filter(is_status), |value| bad.contains(&value.number()));
            let clamped = said().filter(|value| !is_status(value)).count() as u64;
            (counted.is_some() || clamped > 0).then(|| Step {
                clamped,
                ..counted.unwrap_or_default()
            })
        }
        Counting::Slower { bound_us } => match report.duration_us {
            _ if report.is_bad() => Some(Step::part(true)),
            Some(duration_us) => Some(Step::part(i128::from(duration_us) > i128::from(*bound_us))),
            None => None,
        },
        Counting::Above { value, bound } => {
            // Division gives the number that is nearest to the bound as people wrote it.
            let bound = *bound as f64 / MILLIONTHS;
            any(report.values_of(value), |value| value.number() > bound)
                .or_else(|| report.is_bad().then(|| Step::part(true)))
        }
        Counting::Sum {
            value,
            minimum,
            maximum,
            per,
        } => {
            // No frame could tell a larger value.
            let limit = SUM_LIMIT as i64;
            let bounds = ((*minimum).max(-limit), (*maximum).min(limit));
            let values = report.values_of(value).filter(|_| bounds.0 <= bounds.1);
            all(values, |value| sum_of(value, bounds, *per))
        }
        Counting::Hits { value, per } => all(report.values_of(value), |value| Step {
            num: i128::from(value.number() >= 0.5),
            den: u64::from(*per == Per::Value),
            clamped: u64::from(!(0.0..=1.0).contains(&value.number())),
        }),
        Counting::Lost => report.outcome.map(|_| Step::part(false)),
    }
}

/// What an exposure adds, before anything is known of its outcome.
pub(crate) fn exposed(counting: &Counting) -> Option<Step> {
    match counting {
        Counting::Sum { per: Per::Exposure, .. } | Counting::Hits { per: Per::Exposure, .. } => Some(Step {
            den: 1,
            ..Step::default()
        }),
        Counting::Errors { .. }
        | Counting::Timeouts
        | Counting::Status { .. }
        | Counting::Slower { .. }
        | Counting::Above { .. }
        | Counting::Sum { .. }
        | Counting::Hits { .. }
        | Counting::Lost => None,
    }
}

/// What an exposure adds whose outcome never came.
pub(crate) fn lost(metric: &MetricSpec) -> Option<Step> {
    let is_bad = match metric.counting {
        Counting::Lost => true,
        Counting::Errors { .. }
        | Counting::Timeouts
        | Counting::Status { .. }
        | Counting::Slower { .. }
        | Counting::Above { .. } => metric.lost_is_bad,
        // No value is no value.
        Counting::Sum { .. } | Counting::Hits { .. } => false,
    };
    is_bad.then(|| Step::part(true))
}

/// One event if there are values, bad if any of them is.
fn any<'r>(values: impl Iterator<Item = &'r Value<'r>>, is_bad: impl Fn(&Value<'_>) -> bool) -> Option<Step> {
    values.map(is_bad).reduce(|one, other| one || other).map(Step::part)
}

/// Each value by itself, if there are any.
fn all<'r>(values: impl Iterator<Item = &'r Value<'r>>, step: impl Fn(&Value<'_>) -> Step) -> Option<Step> {
    values.map(step).reduce(|mut sum, step| {
        sum += step;
        sum
    })
}

fn sum_of(value: &Value<'_>, (minimum, maximum): (i64, i64), per: Per) -> Step {
    let millionths = value.millionths();
    // The control plane names no empty range; if it did, the least would go first.
    let clamped = millionths.min(maximum).max(minimum);
    Step {
        num: i128::from(clamped),
        den: u64::from(per == Per::Value),
        clamped: u64::from(clamped != millionths),
    }
}

#[cfg(test)]
mod tests;
