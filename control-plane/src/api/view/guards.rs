//! Each guard in full: how it is judged, how it stands, treatment against control, and when there will be a verdict.
//!
//! Of the same evidence, at the same moment, that the engine reads.

use proto::v1;
use rollout::{
    Facts, Guard, Level, Plan,
    catalogue::{MetricKey, Resolver},
    criterion::Criterion,
    measure::{Counting, subject},
    shown::{Look, Shown},
};

use super::stages::standing;
use crate::{
    engine::facts::{self, Gathered},
    evidence::{Counts, EvidenceRecord, Examined},
    plan_wire::unit_name,
    record::RolloutRecord,
};

/// The guards of a rollout, in the order of the plan.
pub(super) fn views(
    record: &RolloutRecord,
    evidence: &EvidenceRecord,
    gathered: &Gathered,
    now_us: i64,
) -> Vec<v1::GuardView> {
    let examined = Examined {
        rollout: record,
        evidence,
    };
    let known = &gathered.known;
    let seen = examined.seen();
    let look = Look {
        plan: &record.plan,
        state: &record.state,
        seen: &seen,
        levels: &gathered.levels,
        now: now_us,
    };
    let units = facts::visit_counts(record, evidence);
    let guards = record.plan.guards.iter().enumerate();
    let views = guards.map(|(position, guard)| {
        let finding = gathered.examination.findings.get(position);
        let shown = look.guard(position, finding);
        v1::GuardView {
            standing: standing(&record.plan, &gathered.examination, position).to_owned(),
            log_evidence: gathered.examination.log_evidence(position),
            weight: finding.map_or(0.0, |finding| finding.weight),
            counted: counted(record, &shown),
            baseline: baseline(&record.plan, known, guard, &shown),
            ..view(&record.plan, guard, &shown, &units)
        }
    });
    views.collect()
}

fn view(plan: &Plan, guard: &Guard, shown: &Shown, units: &Counts) -> v1::GuardView {
    let level = match guard.level {
        Level::Warn => v1::GuardLevel::Warn,
        Level::Hold => v1::GuardLevel::Hold,
        Level::Abort => v1::GuardLevel::Abort,
    };
    v1::GuardView {
        harm: Criterion::Compare(guard.harm.clone()).to_string(),
        level: level.into(),
        test: shown.test.to_owned(),
        untested: shown.untested.to_owned(),
        metric: guard.harm.metric.as_str().to_owned(),
        unit: match shown.test {
            "robust" => unit_compared(plan, guard),
            _ => unit_of(plan, guard.harm.metric.as_str()),
        }
        .to_owned(),
        treatment: shown.treatment,
        control: shown.control,
        limit: shown.limit,
        from_limit: shown.from_limit.map(|interval| v1::Interval {
            low: interval.low,
            high: interval.high,
        }),
        treatment_outcomes: shown.treatment_outcomes,
        control_outcomes: shown.control_outcomes,
        treatment_units: units.treatment.units_estimate(),
        control_units: units.control.units_estimate(),
        eta: shown.eta.map(|eta| v1::Eta {
            left_us: eta.left_us,
            until: eta.until.name().to_owned(),
        }),
        ..v1::GuardView::default()
    }
}

/// What a test of a guard compares is of: of a quantile, the fraction that is slower.
pub(super) fn unit_compared(plan: &Plan, guard: &Guard) -> &'static str {
    if is_quantile(plan, guard) {
        unit_name(rollout::catalogue::Unit::Fraction)
    } else {
        unit_of(plan, guard.harm.metric.as_str())
    }
}

/// What the numbers of a metric are of, as documents write it; empty: nobody defines it.
pub(in crate::api) fn unit_of(plan: &Plan, metric: &str) -> &'static str {
    let key = MetricKey::new(metric).ok();
    let resolved = key.and_then(|key| Resolver::new(&plan.metrics).resolve(&key).ok());
    resolved.map_or("", |resolved| unit_name(resolved.unit))
}

fn is_quantile(plan: &Plan, guard: &Guard) -> bool {
    matches!(
        plan.kind_of(guard.harm.metric.as_str()),
        Some(rollout::catalogue::Kind::Quantile(_))
    )
}

/// What the numbers are the fraction of, if that is not the metric itself.
fn counted(record: &RolloutRecord, shown: &Shown) -> String {
    if let Some((compared, seen)) = shown.hours {
        return format!("in {compared} of {seen} hours");
    }
    let counted = shown.metric.and_then(|metric| record.counted.get(usize::from(metric)));
    let counted =
        counted.filter(|counted| matches!(counted.counting, Counting::Slower { .. } | Counting::Above { .. }));
    let words = counted.map(ToString::to_string).unwrap_or_default();
    words
        .split_once(' ')
        .map(|(_, words)| words.to_owned())
        .unwrap_or_default()
}

/// What is known of the time before, where it is in the unit that is shown.
fn baseline(plan: &Plan, known: &Facts, guard: &Guard, shown: &Shown) -> Option<f64> {
    if shown.test == "robust" && is_quantile(plan, guard) {
        return None;
    }
    let measured = known.measures.get(&subject(plan, &guard.harm));
    let written = || plan.baseline.values.get(guard.harm.metric.as_str());
    let measured = measured.and_then(|measure| measure.estimates.baseline);
    measured.or_else(|| written().map(|value| value.as_f64()))
}

#[cfg(test)]
mod tests;
