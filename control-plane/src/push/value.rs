//! What pushed values come to: the countings of the rollout that they enter, or why they cannot.
//!
//! The meanings are those of agents, but for one: an agent must count what a service says, so it cuts a value to its
//! clamp; whoever pushes can be told, so a value outside is refused. Outcomes and durations are no business of pushes:
//! their denominators are known to agents alone.

use rollout::{
    Plan,
    catalogue::{self, Kind, MetricKey, Resolver, Source, Unit},
    criterion::Decimal,
    measure::{Counted, Counting, Per},
};

const MILLION: f64 = 1e6;

/// What a metric is to a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    /// Its values are counted, by these countings.
    Counted(Vec<u16>),
    /// It is a level that is looked at.
    Level,
}

/// What values add to one counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Addend {
    /// Number of the counting.
    pub(crate) metric: u16,
    /// Counts, or millionths for sums.
    pub(crate) num: i64,
    /// Counts.
    pub(crate) den: u64,
}

/// Why a metric cannot be pushed to a rollout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MetricError {
    /// No such metric.
    #[error("{0}")]
    Unknown(String),
    /// It is counted from outcomes.
    #[error("{0} is counted from outcomes; report them to an agent")]
    Outcomes(String),
    /// It is asked of a Prometheus.
    #[error("{0} is read from Prometheus in this rollout; nothing else is taken for it")]
    Asked(String),
    /// Nothing in the plan asks for it.
    #[error("{metric} is not counted in this rollout; it counts {counted}")]
    NotCounted {
        /// The metric.
        metric: String,
        /// What may be pushed.
        counted: String,
    },
}

/// What a metric is to a rollout.
pub(crate) fn role(plan: &Plan, counted: &[Counted], metric: &MetricKey) -> Result<Role, MetricError> {
    let resolver = Resolver::new(&plan.metrics);
    let resolved = resolver
        .resolve(metric)
        .map_err(|unknown| MetricError::Unknown(unknown.to_string()))?;
    let key = metric.as_str();
    if resolver.query(metric).is_some() {
        return Err(MetricError::Asked(key.to_owned()));
    }
    let is_throughput = key == "throughput";
    if resolved.kind == Kind::Gauge && !is_throughput {
        return Ok(Role::Level);
    }
    let source = catalogue::find(key).map_or(Source::Value, |definition| definition.source);
    let numbers = (0_u16..).zip(counted);
    let entered: Vec<u16> = numbers
        .filter(|(_, counted)| value_of(&counted.counting) == Some(key))
        .map(|(number, _)| number)
        .collect();
    match (entered.is_empty(), source) {
        (false, _) => Ok(Role::Counted(entered)),
        (true, Source::Outcome | Source::Duration) => Err(MetricError::Outcomes(key.to_owned())),
        (true, Source::Value | Source::Event | Source::External) if counts_outcomes(counted, key) => {
            Err(MetricError::Outcomes(key.to_owned()))
        }
        (true, Source::Value | Source::Event | Source::External) => Err(MetricError::NotCounted {
            metric: key.to_owned(),
            counted: pushable(counted),
        }),
    }
}

/// The metric whose values a counting takes; none if it counts something else.
fn value_of(counting: &Counting) -> Option<&str> {
    match counting {
        Counting::Sum { value, .. } | Counting::Hits { value, .. } | Counting::Above { value, .. } => Some(value),
        Counting::Errors { .. }
        | Counting::Timeouts
        | Counting::Status { .. }
        | Counting::Slower { .. }
        | Counting::Lost => None,
    }
}

fn counts_outcomes(counted: &[Counted], metric: &str) -> bool {
    counted.iter().any(|counted| counted.metric == metric)
}

/// What may be pushed, in words.
fn pushable(counted: &[Counted]) -> String {
    let mut named: Vec<&str> = counted
        .iter()
        .filter_map(|counted| value_of(&counted.counting))
        .collect();
    named.dedup();
    if named.is_empty() {
        "nothing that is pushed: name the metric in a guard, a criterion or `observed`".to_owned()
    } else {
        named.join(", ")
    }
}

/// What is wrong with a value of a metric that these countings take; none: it may count.
pub(crate) fn check(plan: &Plan, counted: &[Counted], role: &Role, metric: &MetricKey, value: f64) -> Option<String> {
    if !value.is_finite() {
        return Some(format!("is {value}, which is no number"));
    }
    let unit = Resolver::new(&plan.metrics).resolve(metric).ok()?.unit;
    match role {
        Role::Level => check_level(unit, value),
        Role::Counted(numbers) => {
            let countings = numbers.iter().filter_map(|number| counted.get(usize::from(*number)));
            countings
                .filter_map(|counted| clamp(&counted.counting, unit))
                .find_map(|(least, most)| outside(value, least, most))
        }
    }
}

/// What one value may be, in millionths.
fn clamp(counting: &Counting, unit: Unit) -> Option<(i64, i64)> {
    match counting {
        Counting::Sum { minimum, maximum, .. } => Some((*minimum, *maximum)),
        Counting::Hits { .. } => Some((0, 1_000_000)),
        Counting::Above { .. } => match unit {
            Unit::Score | Unit::Money => None,
            Unit::Fraction | Unit::Duration | Unit::Count | Unit::Bytes | Unit::PerSecond => Some((0, i64::MAX)),
        },
        Counting::Errors { .. }
        | Counting::Timeouts
        | Counting::Status { .. }
        | Counting::Slower { .. }
        | Counting::Lost => None,
    }
}

/// What is wrong with a level of a unit; none: it may be one.
pub(crate) fn check_level(unit: Unit, value: f64) -> Option<String> {
    match unit {
        Unit::Score | Unit::Money => None,
        Unit::Fraction | Unit::Duration | Unit::Count | Unit::Bytes | Unit::PerSecond => {
            (value < 0.0).then(|| format!("is {value}, and a level of this unit is never below 0"))
        }
    }
}

fn outside(value: f64, least: i64, most: i64) -> Option<String> {
    // Divided, because the bounds as people wrote them are the nearest doubles.
    let is_within = value >= least as f64 / MILLION && (most == i64::MAX || value <= most as f64 / MILLION);
    let text = |millionths| Decimal::from_millionths(millionths).to_string();
    (!is_within).then(|| match most {
        i64::MAX => format!("is {value}; one value must be at least {}", text(least)),
        _ => format!(
            "is {value}; one value must be within {} and {}",
            text(least),
            text(most)
        ),
    })
}

/// What values that were checked add to the countings that take them.
pub(crate) fn addends(counted: &[Counted], numbers: &[u16], values: &[f64]) -> Vec<Addend> {
    let known = numbers
        .iter()
        .filter_map(|number| Some((*number, &counted.get(usize::from(*number))?.counting)));
    let addend = |(metric, counting): (u16, &Counting)| {
        let (num, den) = values
            .iter()
            .filter_map(|value| one(counting, *value))
            .fold((0_i64, 0_u64), |(num, den), (more, count)| {
                (num.saturating_add(more), den + count)
            });
        Addend { metric, num, den }
    };
    known.map(addend).collect()
}

/// What one value adds to a counting.
fn one(counting: &Counting, value: f64) -> Option<(i64, u64)> {
    let counted_by = |per: Per| u64::from(per == Per::Value);
    match counting {
        Counting::Sum { per, .. } => Some(((value * MILLION).round() as i64, counted_by(*per))),
        Counting::Hits { per, .. } => Some((i64::from(value >= 0.5), counted_by(*per))),
        Counting::Above { bound, .. } => Some((i64::from(value > *bound as f64 / MILLION), 1)),
        Counting::Errors { .. }
        | Counting::Timeouts
        | Counting::Status { .. }
        | Counting::Slower { .. }
        | Counting::Lost => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rollout::measure;

    use super::*;

    fn plan() -> Plan {
        let mut plan = Plan::new("plan", "flag");
        plan.observed = [
            "complaints",
            "faithfulness",
            "hallucination-rate",
            "conversion",
            "http-5xx-rate",
            "cpu",
        ]
        .map(str::to_owned)
        .into();
        plan.warning = vec!["time-to-first-token > 2 s".parse().unwrap()];
        plan
    }

    fn key(text: &str) -> MetricKey {
        MetricKey::new(text).unwrap()
    }

    fn role_of(metric: &str) -> Result<Role, MetricError> {
        let plan = plan();
        role(&plan, &measure::counted(&plan), &key(metric))
    }

    fn added(metric: &str, values: &[f64]) -> (i64, u64) {
        let plan = plan();
        let counted = measure::counted(&plan);
        let Ok(Role::Counted(numbers)) = role(&plan, &counted, &key(metric)) else {
            panic!("{metric} is not counted");
        };
        let addends = addends(&counted, &numbers, values);
        assert_eq!(addends.len(), 1);
        (addends[0].num, addends[0].den)
    }

    #[test]
    fn values_count_as_agents_count_them() {
        for (metric, values, expected) in [
            ("complaints", &[1.0][..], (1_000_000, 0)),
            ("faithfulness", &[0.9, 0.8], (1_700_000, 2)),
            ("hallucination-rate", &[1.0, 0.0, 0.5], (2, 3)),
            ("conversion", &[1.0], (1, 0)),
            ("time-to-first-token", &[2_000_000.0, 2_000_000.5], (1, 2)),
        ] {
            assert_eq!(added(metric, values), expected, "{metric}");
        }
    }

    #[test]
    fn what_nobody_counts_is_refused_with_what_would_be() {
        assert_eq!(role_of("cpu"), Ok(Role::Level));
        assert_eq!(
            role_of("error-rate"),
            Err(MetricError::Outcomes("error-rate".to_owned()))
        );
        assert_eq!(role_of("p99"), Err(MetricError::Outcomes("p99".to_owned())));
        assert_eq!(
            role_of("http-5xx-rate"),
            Err(MetricError::Outcomes("http-5xx-rate".to_owned()))
        );
        let unknown = role_of("complaint-s").unwrap_err().to_string();
        assert!(unknown.contains("did you mean complaints?"), "{unknown}");
        let other = role_of("revenue").unwrap_err().to_string();
        assert!(other.contains("faithfulness"), "{other}");
    }

    #[test]
    fn what_is_read_from_prometheus_is_not_pushed() {
        let mut plan = plan();
        plan.metrics = vec![rollout::catalogue::OwnDefinition {
            key: "cpu".to_owned(),
            kind: Kind::Gauge,
            unit: Unit::Fraction,
            better: catalogue::Direction::Lower,
            per: None,
            minimum: None,
            maximum: None,
            prometheus: Some(catalogue::Query {
                template: catalogue::Template::parse("avg(cpu)").unwrap(),
                interval_us: 30_000_000,
                stands_for_us: 90_000_000,
            }),
        }];
        let refused = role(&plan, &measure::counted(&plan), &key("cpu-usage")).unwrap_err();
        assert_eq!(refused, MetricError::Asked("cpu".to_owned()));
    }

    #[test]
    fn a_value_outside_its_clamp_is_refused_with_the_clamp() {
        let plan = plan();
        let counted = measure::counted(&plan);
        let wrong = |metric: &str, value| {
            let metric = key(metric);
            let role = role(&plan, &counted, &metric).unwrap();
            check(&plan, &counted, &role, &metric, value)
        };
        for (metric, good, bad, said) in [
            ("complaints", 10_000_000.0, 10_000_001.0, "within 0 and 10000000"),
            ("complaints", 0.0, -1.0, "within 0 and 10000000"),
            ("faithfulness", -100.0, 100.5, "within -100 and 100"),
            ("hallucination-rate", 1.0, 1.5, "within 0 and 1"),
            ("time-to-first-token", 9e15, -1.0, "at least 0"),
            ("cpu", 3.5, -0.1, "never below 0"),
            ("complaints", 1.0, f64::NAN, "no number"),
            ("cpu", 1.0, f64::INFINITY, "no number"),
        ] {
            assert_eq!(wrong(metric, good), None, "{metric} {good}");
            let found = wrong(metric, bad).unwrap();
            assert!(found.contains(said), "{metric} {bad}: {found}");
        }
    }
}
