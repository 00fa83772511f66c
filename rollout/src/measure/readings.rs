//! The estimates that criteria are compared with, worked out from the sums of the current visit.
//!
//! An estimate is what was counted, without a word on how sure it is. What two comparisons of one metric read may differ
//! (a count in another window, a quantile of a value at another bound), so readings go by [`subject`].

use std::collections::BTreeMap;

use super::{Counted, Counting, Events, Sums, bound_of, counted::of_comparison, is_of_durations};
use crate::{
    Measure, Micros, Plan,
    catalogue::Kind,
    criterion::{Comparison, Criterion, Estimates},
    evidence::arm::Buckets,
    guards::Levels,
};

/// What is known at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// What is counted.
    pub counted: &'a [Counted],
    /// The sums of the current visit.
    pub sums: &'a Sums,
    /// Events of the recent past.
    pub events: &'a Events,
    /// Levels that were read from outside, by the key of their metric.
    pub external: &'a Levels,
    /// Units of treatment in the current visit.
    pub units: u64,
}

/// What a comparison reads: its metric, and what else its number depends on.
pub fn subject(plan: &Plan, comparison: &Comparison) -> String {
    let metric = comparison.metric.as_str();
    match (plan.kind_of(metric), comparison.window) {
        (Some(Kind::Count), Some(window)) => format!("{metric} in {} s", window / 1_000_000),
        (Some(Kind::Quantile(_)), _) if !is_of_durations(plan, metric) => {
            let bound = bound_of(plan, comparison).unwrap_or_default();
            format!("{metric} at {bound}")
        }
        _ => metric.to_owned(),
    }
}

/// The readings of everything that a plan names, by subject, with what the plan knows of the time before. What is not
/// here has no data.
pub fn readings(plan: &Plan, seen: &Seen<'_>, now: Micros) -> BTreeMap<String, Measure> {
    let mut readings = BTreeMap::new();
    let before = |metric: &str, mut measure: Measure| {
        let value = plan.baseline.values.get(metric).map(|value| value.as_f64());
        measure.estimates.baseline = measure.estimates.baseline.or(value);
        measure
    };
    for comparison in comparisons(plan) {
        if let Some(measure) = reading(plan, comparison, seen, now) {
            let metric = comparison.metric.as_str();
            readings.insert(subject(plan, comparison), before(metric, measure));
        }
    }
    for (number, counted) in (0..).zip(seen.counted) {
        if !readings.contains_key(&counted.metric)
            && let Some(measure) = plain(number, counted, seen)
        {
            readings.insert(counted.metric.clone(), before(&counted.metric, measure));
        }
    }
    for metric in plan.observed.iter().chain(&plan.primary_metric) {
        if let Some(Kind::Quantile(thousandth)) = plan.kind_of(metric)
            && is_of_durations(plan, metric)
        {
            readings
                .entry(metric.clone())
                .or_insert_with(|| before(metric, timed(thousandth, seen)));
        }
    }
    readings
}

/// Every comparison that a plan has somewhere.
pub(crate) fn comparisons(plan: &Plan) -> impl Iterator<Item = &Comparison> {
    let stages = plan
        .stages
        .iter()
        .flat_map(|stage| stage.success.iter().chain(&stage.rollback));
    let kill = plan.kill_switch.iter().flat_map(|kill| &kill.conditions);
    let written = stages.chain(&plan.warning).chain(&plan.critical).chain(kill);
    let compared = written.filter_map(|written| match written {
        Criterion::Compare(comparison) => Some(comparison),
        Criterion::Stable | Criterion::Parity => None,
    });
    compared.chain(plan.guards.iter().map(|guard| &guard.harm))
}

/// What one comparison reads; none without data.
pub fn reading(plan: &Plan, comparison: &Comparison, seen: &Seen<'_>, now: Micros) -> Option<Measure> {
    let metric = comparison.metric.as_str();
    match plan.kind_of(metric)? {
        Kind::Gauge => {
            let estimates = seen.external.get(metric)?.now;
            Some(Measure {
                estimates,
                outcomes: u64::MAX,
                units: u64::MAX,
            })
        }
        Kind::Count => {
            let number = number_of(plan, comparison, seen.counted)?;
            let exposures = whole(&seen.sums.total(number).treatment).1;
            let treatment = Some(seen.events.within(number, comparison.window, now)).filter(|_| exposures > 0);
            Some(measured(treatment, None, exposures, seen.units))
        }
        Kind::Quantile(thousandth) if is_of_durations(plan, metric) => Some(timed(thousandth, seen)),
        Kind::Quantile(thousandth) => {
            let number = number_of(plan, comparison, seen.counted)?;
            let bound = bound_of(plan, comparison)?;
            let arms = seen.sums.total(number);
            let side = |buckets: &Buckets| side_of_bound(whole(buckets), thousandth, bound);
            Some(measured(
                side(&arms.treatment),
                side(&arms.control),
                whole(&arms.treatment).1,
                seen.units,
            ))
        }
        Kind::Rate | Kind::Mean => {
            let number = number_of(plan, comparison, seen.counted)?;
            plain(number, seen.counted.get(usize::from(number))?, seen)
        }
    }
}

/// The number of the counting that a comparison without exceptions reads.
pub(crate) fn number_of(plan: &Plan, comparison: &Comparison, counted: &[Counted]) -> Option<u16> {
    let wanted = of_comparison(plan, comparison, &[])?;
    let position = counted.iter().position(|counted| *counted == wanted)?;
    u16::try_from(position).ok()
}

/// A quantile of the durations.
fn timed(thousandth: u16, seen: &Seen<'_>) -> Measure {
    let part = f64::from(thousandth) / 1_000.0;
    let [treatment, control] = [&seen.sums.treatment, &seen.sums.control].map(|shown| &shown.durations);
    measured(
        treatment.quantile(part).map(|duration| duration as f64),
        control.quantile(part).map(|duration| duration as f64),
        treatment.count(),
        seen.units,
    )
}

/// A rate or a mean as counted.
fn plain(number: u16, counted: &Counted, seen: &Seen<'_>) -> Option<Measure> {
    if matches!(counted.counting, Counting::Slower { .. } | Counting::Above { .. }) {
        return None;
    }
    let arms = seen.sums.total(number);
    let estimate = |buckets: &Buckets| rate(&counted.counting, whole(buckets));
    Some(measured(
        estimate(&arms.treatment),
        estimate(&arms.control),
        whole(&arms.treatment).1,
        seen.units,
    ))
}

/// A rate or a mean of a numerator and a denominator; none without any.
fn rate(counting: &Counting, (num, den): (f64, u64)) -> Option<f64> {
    let rate = (den > 0).then(|| num / den as f64 / counting.scale())?;
    Some(match counting {
        Counting::Lost => 1.0 - rate,
        _ => rate,
    })
}

/// What a comparison reads of a numerator and a denominator: a rate, a mean, or on which side of its limit a quantile is.
pub(super) fn estimate_of(
    plan: &Plan,
    comparison: &Comparison,
    counting: &Counting,
    (num, den): (f64, u64),
) -> Option<f64> {
    match plan.kind_of(comparison.metric.as_str())? {
        Kind::Quantile(thousandth) => side_of_bound((num, den), thousandth, bound_of(plan, comparison)?),
        Kind::Rate | Kind::Mean => rate(counting, (num, den)),
        Kind::Count | Kind::Gauge => None,
    }
}

/// On which side of the bound the quantile is: all that exceedances tell of it.
fn side_of_bound((num, den): (f64, u64), thousandth: u16, bound: f64) -> Option<f64> {
    let allowed = 1.0 - f64::from(thousandth) / 1_000.0;
    (den > 0).then(|| {
        let exceeds = num / den as f64 > allowed;
        bound
            * if exceeds {
                1.0 + f64::EPSILON
            } else {
                1.0 - f64::EPSILON
            }
    })
}

/// The sums over all unit buckets.
pub(super) fn whole(buckets: &Buckets) -> (f64, u64) {
    let (num, den) = buckets.sums().fold((0_i128, 0_u64), |(num, den), (more, count)| {
        (num.saturating_add(more), den.saturating_add(count))
    });
    (num as f64, den)
}

fn measured(treatment: Option<f64>, control: Option<f64>, outcomes: u64, units: u64) -> Measure {
    Measure {
        estimates: Estimates {
            treatment,
            control,
            baseline: None,
        },
        outcomes,
        units,
    }
}

#[cfg(test)]
mod tests;
