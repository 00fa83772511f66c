//! Which metrics a plan has counted, and how: everything that it names in a guard, a criterion, an alert or a kill
//! condition, and what it only looks at.
//!
//! The error rate is always the first. What has no numbers of outcomes (levels read from outside, a quantile whose limit
//! is relative to a baseline that nobody knows) is not in the list. Pure and in a fixed order.

use std::collections::BTreeSet;

use super::{Counting, Per};
use crate::{
    Guard, Plan,
    catalogue::{self, Kind, MetricKey, Source, Unit},
    criterion::{Base, Comparison, Criterion, Limit},
};

/// The most countings of a rollout.
pub const MOST_COUNTED: usize = 64;
/// Millionths in one.
const MILLION: i64 = 1_000_000;

/// One counting, and the metric that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Key of the metric.
    pub metric: String,
    /// How it is counted.
    pub counting: Counting,
}

/// What a plan has counted; a counting's place is its number.
pub fn counted(plan: &Plan) -> Vec<Counted> {
    extended(&[], plan)
}

/// The list of a rollout that has a new plan: what was counted keeps its number, what is new follows.
pub fn extended(before: &[Counted], plan: &Plan) -> Vec<Counted> {
    let mut list = before.to_vec();
    let mut add = |counted: Counted| {
        if list.len() < MOST_COUNTED && !list.contains(&counted) {
            list.push(counted);
        }
    };
    add(Counted {
        metric: Guard::ERROR_RATE.to_owned(),
        counting: Counting::Errors { expected: Vec::new() },
    });
    for guard in &plan.guards {
        of_comparison(plan, &guard.harm, &guard.except)
            .into_iter()
            .for_each(&mut add);
    }
    for written in criteria(plan) {
        if let Criterion::Compare(comparison) = written {
            of_comparison(plan, comparison, &[]).into_iter().for_each(&mut add);
        }
    }
    let looked_at: BTreeSet<&str> = plan
        .observed
        .iter()
        .chain(&plan.primary_metric)
        .map(String::as_str)
        .collect();
    for metric in looked_at {
        of_metric(plan, metric).into_iter().for_each(&mut add);
    }
    list
}

/// Every criterion that a plan has somewhere.
fn criteria(plan: &Plan) -> impl Iterator<Item = &Criterion> {
    let stages = plan
        .stages
        .iter()
        .flat_map(|stage| stage.success.iter().chain(&stage.rollback));
    let kill = plan.kill_switch.iter().flat_map(|kill| &kill.conditions);
    stages.chain(&plan.warning).chain(&plan.critical).chain(kill)
}

/// Whether a metric is a level that is read from outside. Throughput is a level too, and is counted.
pub(crate) fn is_level(plan: &Plan, metric: &str) -> bool {
    plan.kind_of(metric) == Some(Kind::Gauge) && metric != "throughput"
}

/// Whether a metric is of how long requests took, so that the histogram knows it; a quantile of anything else is counted by
/// its limit alone.
pub(crate) fn is_of_durations(plan: &Plan, metric: &str) -> bool {
    shape(plan, metric).is_some_and(|shape| shape.source == Source::Duration)
}

/// How the metric of a comparison is counted; a quantile by the exceedances of its limit.
pub(crate) fn of_comparison(plan: &Plan, comparison: &Comparison, except: &[String]) -> Option<Counted> {
    let metric = comparison.metric.as_str();
    let counting = match shape(plan, metric)? {
        Shape {
            kind: Kind::Quantile(_),
            source,
            ..
        } => {
            let bound = bound_of(plan, comparison)?;
            exceedance(metric, source, bound)
        }
        _ if metric == Guard::ERROR_RATE => Counting::Errors {
            expected: except.to_vec(),
        },
        shape => of_shape(metric, &shape)?,
    };
    Some(Counted {
        metric: metric.to_owned(),
        counting,
    })
}

/// How a metric is counted that is only looked at; quantiles of durations are in the histogram.
fn of_metric(plan: &Plan, metric: &str) -> Option<Counted> {
    let counting = of_shape(metric, &shape(plan, metric)?)?;
    Some(Counted {
        metric: metric.to_owned(),
        counting,
    })
}

/// The limit of a comparison as a number in the base unit of its metric, if it is one by itself or can be worked out
/// from what the plan knows of the time before. A quantile that is relative to control is so to the baseline: only a
/// bound that is known beforehand can be counted.
pub fn bound_of(plan: &Plan, comparison: &Comparison) -> Option<f64> {
    let metric = comparison.metric.as_str();
    let known = || plan.baseline.values.get(metric).map(|value| value.as_f64());
    let is_quantile = matches!(plan.kind_of(metric), Some(Kind::Quantile(_)));
    let base_of = |base: Base| match base {
        Base::Fixed(number) => Some(number.as_f64()),
        Base::Baseline => known(),
        Base::Control if is_quantile => known(),
        // Nothing is kept by the hour; such a limit is refused.
        Base::Control | Base::BaselineSameHour => None,
    };
    match comparison.limit {
        Limit::Absolute(number) => Some(number.as_f64()),
        Limit::Times { base, factor } => Some(base_of(base)? * factor.as_f64()),
        Limit::Plus { base, add } => {
            let base = base_of(base)?;
            let is_part = add.written == crate::criterion::Written::Percent;
            Some(if is_part {
                base * (1.0 + add.as_f64())
            } else {
                base + add.as_f64()
            })
        }
    }
}

/// What matters of a metric for counting it.
struct Shape {
    kind: Kind,
    source: Source,
    per: Per,
    clamp: (i64, i64),
}

fn shape(plan: &Plan, metric: &str) -> Option<Shape> {
    let key = MetricKey::new(metric).ok()?;
    if let Some(definition) = catalogue::find(key.as_str()) {
        return Some(Shape {
            kind: definition.kind,
            source: definition.source,
            per: definition.per,
            clamp: clamp(definition.unit, definition.per),
        });
    }
    let own = plan
        .metrics
        .iter()
        .find(|own| MetricKey::new(&own.key).is_ok_and(|own| own == key))?;
    let per = own.per.unwrap_or(match own.kind {
        Kind::Count => Per::Exposure,
        Kind::Rate | Kind::Quantile(_) | Kind::Mean | Kind::Gauge => Per::Value,
    });
    let (minimum, maximum) = clamp(own.unit, per);
    Some(Shape {
        kind: own.kind,
        source: Source::Value,
        per,
        clamp: (
            own.minimum.map_or(minimum, |least| least.millionths()),
            own.maximum.map_or(maximum, |most| most.millionths()),
        ),
    })
}

fn of_shape(metric: &str, shape: &Shape) -> Option<Counting> {
    let value = metric.to_owned();
    let per = shape.per;
    match (metric, shape.kind) {
        ("error-rate", _) => Some(Counting::Errors { expected: Vec::new() }),
        ("timeout-rate", _) => Some(Counting::Timeouts),
        ("http-error-rate", _) => Some(Counting::Status { from: 400, to: 599 }),
        ("http-4xx-rate", _) => Some(Counting::Status { from: 400, to: 499 }),
        ("http-5xx-rate", _) => Some(Counting::Status { from: 500, to: 599 }),
        ("completion-rate" | "throughput", _) => Some(Counting::Lost),
        (_, Kind::Rate) => Some(Counting::Hits { value, per }),
        (_, Kind::Mean | Kind::Count) => Some(Counting::Sum {
            value,
            minimum: shape.clamp.0,
            maximum: shape.clamp.1,
            per,
        }),
        (_, Kind::Quantile(_) | Kind::Gauge) => None,
    }
}

fn exceedance(metric: &str, source: Source, bound: f64) -> Counting {
    match source {
        Source::Duration => Counting::Slower { bound_us: bound as i64 },
        Source::Outcome | Source::Value | Source::Event | Source::External => Counting::Above {
            value: metric.to_owned(),
            bound: (bound * MILLION as f64) as i64,
        },
    }
}

/// What one value may count for, in millionths, unless the plan says otherwise: a single broken report must not decide a
/// mean, so money of one exposure is within 10,000 and a score within 100.
fn clamp(unit: Unit, per: Per) -> (i64, i64) {
    let (minimum, maximum) = match (unit, per) {
        (Unit::Fraction, _) => (0, 1),
        (Unit::Score, _) => (-100, 100),
        (Unit::Money, Per::Exposure) => (-10_000, 10_000),
        (Unit::Money, Per::Value) => (0, 1_000),
        (Unit::Count, _) => (0, 10_000_000),
        (Unit::Duration, _) => (0, 3_600_000_000),
        (Unit::Bytes, _) => (0, 1 << 40),
        (Unit::PerSecond, _) => (0, 1_000_000),
    };
    (minimum * MILLION, maximum * MILLION)
}

#[cfg(test)]
mod tests;
