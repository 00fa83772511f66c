//! What a visit of a stage was like, as numbers that others are compared with later.
//!
//! Rates and means are what was counted, quantiles of durations come from the histogram. What is known only beside a
//! limit (a quantile of values), or only in a window (events), has no number by itself and is named as left out.

use super::{Arms, Counted, Counting, Durations, Sums, readings::whole};
use crate::{
    Micros, Plan,
    catalogue::{Kind, MetricKey, Resolver},
    criterion::Number,
    evidence::arm::Buckets,
};

/// Fewer outcomes say nothing worth keeping.
pub const FEWEST_CAPTURED: u64 = 100;
/// Quantiles that are kept of the durations, by their thousandths.
const QUANTILES: [(&str, u16); 4] = [("p50", 500), ("p90", 900), ("p95", 950), ("p99", 990)];

/// Whose numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Whose {
    /// The control arm's.
    Control,
    /// Both arms', where nobody had the treatment.
    Both,
}

/// A metric as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// Its key.
    pub metric: String,
    /// What it was.
    pub value: Number,
    /// What it rests on.
    pub outcomes: u64,
}

/// The metrics as they were, and those that are left out, each with why.
///
/// `soaked_us`: how long data was complete; what there was in a second is worked out from it.
pub fn captured(
    plan: &Plan,
    counted: &[Counted],
    sums: &Sums,
    whose: Whose,
    soaked_us: Micros,
) -> (Vec<Captured>, Vec<String>) {
    let (mut found, mut left_out) = (Vec::<Captured>::new(), Vec::new());
    let mut take = |metric: &str, estimate: Result<(f64, u64), &str>| {
        if found.iter().any(|known| known.metric == metric) {
            return;
        }
        match estimate.and_then(|estimate| value(plan, metric, estimate)) {
            Ok((value, outcomes)) => found.push(Captured {
                metric: metric.to_owned(),
                value,
                outcomes,
            }),
            Err(why) => left_out.push(format!("{metric}: {why}")),
        }
    };
    for (number, counted) in (0..).zip(counted) {
        if let Some(estimate) = estimate(plan, counted, &sums.total(number), whose) {
            take(&counted.metric, estimate);
        }
    }
    let durations = durations(sums, whose);
    for (metric, thousandth) in QUANTILES {
        take(metric, quantile(&durations, thousandth));
    }
    take("throughput", throughput(sums, whose, soaked_us));
    found.sort_by(|one, other| one.metric.cmp(&other.metric));
    (found, left_out)
}

fn value<'w>(plan: &Plan, metric: &str, (estimate, outcomes): (f64, u64)) -> Result<(Number, u64), &'w str> {
    if outcomes < FEWEST_CAPTURED {
        return Err("fewer than 100 outcomes have it");
    }
    let key = MetricKey::new(metric).map_err(|_| "its key is malformed")?;
    let resolver = Resolver::new(&plan.metrics);
    let unit = resolver.resolve(&key).map_err(|_| "nobody defines it")?.unit;
    let value = Number::of(unit, estimate).ok_or("its value cannot be written")?;
    Ok((value, outcomes))
}

/// What was counted, and of how many; none where another counting of the metric, or the histogram, tells.
fn estimate<'w>(plan: &Plan, counted: &Counted, arms: &Arms, whose: Whose) -> Option<Result<(f64, u64), &'w str>> {
    let kind = plan.kind_of(&counted.metric)?;
    let per_one = match (&counted.counting, kind) {
        (_, Kind::Count) => return Some(Err("events have no number but in a window")),
        (Counting::Above { .. }, _) => return Some(Err("only its limit is counted, not how its values lie")),
        (Counting::Slower { .. }, _) | (_, Kind::Gauge) => return None,
        (Counting::Errors { expected }, _) if !expected.is_empty() => return None,
        (Counting::Sum { .. }, _) => 1e6,
        _ => 1.0,
    };
    let (num, den) = whole(&of_whom(arms, whose));
    let rate = num / per_one / den.max(1) as f64;
    let is_of_the_rest = matches!(counted.counting, Counting::Lost);
    Some(Ok((if is_of_the_rest { 1.0 - rate } else { rate }, den)))
}

/// The buckets of those whose numbers are taken.
pub(super) fn of_whom(arms: &Arms, whose: Whose) -> Buckets {
    let mut buckets = arms.control.clone();
    match whose {
        Whose::Control => {}
        Whose::Both => buckets.merge(&arms.treatment),
    }
    buckets
}

fn durations(sums: &Sums, whose: Whose) -> Durations {
    let mut durations = sums.control.durations.clone();
    match whose {
        Whose::Control => {}
        Whose::Both => (sums.treatment.durations.iter()).for_each(|(bucket, count)| durations.add(bucket, count)),
    }
    durations
}

fn quantile<'w>(durations: &Durations, thousandth: u16) -> Result<(f64, u64), &'w str> {
    let quantile = durations.quantile(f64::from(thousandth) / 1_000.0);
    let quantile = quantile.ok_or("no durations were reported")?;
    Ok((quantile as f64, durations.count()))
}

/// Outcomes of all whose numbers these are, in a second.
fn throughput<'w>(sums: &Sums, whose: Whose, soaked_us: Micros) -> Result<(f64, u64), &'w str> {
    // The error rate is always the first, and is of all outcomes.
    let (_, outcomes) = whole(&of_whom(&sums.total(0), whose));
    if soaked_us <= 0 {
        return Err("no time was measured");
    }
    Ok((outcomes as f64 / (soaked_us as f64 / 1e6), outcomes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::measure::{counted, duration_bucket};

    const MINUTE_US: Micros = 60_000_000;

    fn plan(observed: &[&str]) -> Plan {
        Plan {
            observed: observed.iter().map(|&metric| metric.to_owned()).collect(),
            ..Plan::new("plan", "flag")
        }
    }

    fn arms(treatment: (i64, u64), control: (i64, u64)) -> Arms {
        let mut arms = Arms::default();
        arms.treatment.add(1, treatment.0, treatment.1);
        arms.control.add(2, control.0, control.1);
        arms
    }

    fn texts(found: &[Captured]) -> Vec<(&str, String, u64)> {
        let text = |one: &Captured| (one.value.to_string(), one.outcomes);
        let with = |one| text(one);
        found
            .iter()
            .map(|one| (one.metric.as_str(), with(one).0, with(one).1))
            .collect()
    }

    #[test]
    fn rates_means_quantiles_and_throughput_of_control_are_kept_and_the_rest_says_why() {
        let plan = plan(&["complaints", "cost-per-query", "faithfulness"]);
        let counted = counted(&plan);
        let mut sums = Sums::default();
        sums.metrics.insert((0, 0), arms((9, 90), (4, 500)));
        sums.metrics.insert((1, 0), arms((0, 90), (3_000_000, 500)));
        sums.metrics.insert((2, 0), arms((0, 90), (100_000_000, 200)));
        sums.metrics.insert((3, 0), arms((1, 1), (1, 99)));
        for duration in 1..=1_000 {
            sums.control.durations.add(duration_bucket(duration * 1_000), 1);
        }
        let (found, left_out) = captured(&plan, &counted, &sums, Whose::Control, 10 * MINUTE_US);
        let texts = texts(&found);
        assert!(texts.contains(&("error-rate", "0.8 %".to_owned(), 500)), "{texts:?}");
        assert!(texts.contains(&("cost-per-query", "0.5".to_owned(), 200)), "{texts:?}");
        assert!(
            texts.contains(&("throughput", "0.833333/s".to_owned(), 500)),
            "{texts:?}"
        );
        assert!(
            texts
                .iter()
                .any(|(metric, _, outcomes)| *metric == "p99" && *outcomes == 1_000)
        );
        assert_eq!(
            left_out,
            [
                "complaints: events have no number but in a window",
                "faithfulness: fewer than 100 outcomes have it"
            ]
        );
    }

    #[test]
    fn where_nobody_had_the_treatment_both_arms_tell() {
        let plan = plan(&[]);
        let mut sums = Sums::default();
        sums.metrics.insert((0, 0), arms((1, 100), (3, 300)));
        let (found, _) = captured(&plan, &counted(&plan), &sums, Whose::Both, MINUTE_US);
        assert_eq!(texts(&found)[0], ("error-rate", "1 %".to_owned(), 400));
        let (found, _) = captured(&plan, &counted(&plan), &sums, Whose::Control, MINUTE_US);
        assert_eq!(texts(&found)[0], ("error-rate", "1 %".to_owned(), 300));
    }
}
