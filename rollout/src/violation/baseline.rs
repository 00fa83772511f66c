//! What is wrong with the baseline of a plan: values of metrics that nobody knows or in a unit that is not theirs, and an
//! artifact beside a source that does not take one over.

use super::{Violation, names::check_key, report};
use crate::{
    Plan,
    catalogue::{MetricKey, Resolver},
    criterion::check_value,
    plan::BaselineSource,
};

/// The most values of a plan, with what a rollout has taken over from an artifact.
const MOST_VALUES: usize = 160;

pub(super) fn check(plan: &Plan, resolver: &Resolver<'_>, found: &mut Vec<Violation>) {
    let baseline = &plan.baseline;
    if baseline.values.len() > MOST_VALUES {
        let description = format!("must be at most {MOST_VALUES} values, not {}", baseline.values.len());
        report(found, "baseline.values", description);
    }
    for (key, value) in baseline.values.iter().take(MOST_VALUES) {
        let field = format!("baseline.values.{key}");
        match MetricKey::new(key) {
            Err(error) => report(found, field, error.to_string()),
            Ok(metric) => {
                if let Err(problem) = check_value(&metric, *value, resolver) {
                    report(found, field, problem.to_string());
                }
            }
        }
    }
    if let Some(artifact) = &baseline.artifact {
        check_key(found, "baseline.artifact", artifact);
        if !baseline.source.is_captured() {
            let description = format!(
                "is for source {} or {}, not for {}",
                BaselineSource::Captured.name(),
                BaselineSource::SameHour.name(),
                baseline.source.name()
            );
            report(found, "baseline.artifact", description);
        }
    }
}
