//! What people are to be alerted to: alerts of the plan that hold, evidence at the warn level, and holds that nobody asked
//! for.
//!
//! Pure. Whether an alert was told already is not asked here: it is told once for each visit of a stage, whatever is found.

use rollout::{
    Facts, HoldReason, Ladder, Phase, Plan, alarm,
    criterion::{Criterion, Limit},
    evidence::budget,
    guards::{Examination, Missing},
    measure,
};

use crate::{
    events::alert::{About, Alert, Severity},
    record::RolloutRecord,
};

/// Everything that somebody should know of now, the gravest first.
pub(super) fn alarms(record: &RolloutRecord, known: &Facts, examination: &Examination) -> Vec<Alert> {
    if record.state.phase == Phase::Aborting {
        return vec![aborted(record)];
    }
    if !record.state.is_live() {
        return Vec::new();
    }
    let plan = &*record.plan;
    let holds = known.concerns.holds.iter().map(|reason| held(record, *reason));
    let criticals = alarm::criticals(plan, known).into_iter();
    let criticals = criticals.map(|written| criterion(record, known, Severity::Critical, written));
    let warnings = alarm::warnings(plan, known).into_iter();
    let warnings = warnings.map(|written| criterion(record, known, Severity::Warning, written));
    let blind = (0..plan.guards.len()).filter_map(|position| blind(record, examination, position));
    let guards = (0..plan.guards.len()).filter_map(|position| guard(record, known, examination, position));
    holds
        .chain(criticals)
        .chain(warnings)
        .chain(guards)
        .chain(blind)
        .collect()
}

/// An alert of the plan that holds.
fn criterion(record: &RolloutRecord, known: &Facts, severity: Severity, written: &Criterion) -> Alert {
    let text = written.to_string();
    let title = format!("{}: {text}", record.name());
    let (metric, value, limit) = figures(&record.plan, known, written);
    Alert {
        severity,
        about: match severity {
            Severity::Warning => About::Warning(text),
            Severity::Critical => About::Critical(text),
        },
        title,
        metric,
        value,
        limit,
    }
}

/// A guard whose evidence has reached the warn level.
fn guard(record: &RolloutRecord, known: &Facts, examination: &Examination, position: usize) -> Option<Alert> {
    let plan = &*record.plan;
    let number = examination.log_evidence(position)?;
    let rung = budget::level(number, plan.alpha);
    if rung < Ladder::Warn {
        return None;
    }
    let guard = plan.guards.get(position)?;
    let written = Criterion::Compare(guard.harm.clone());
    let (metric, value, limit) = figures(plan, known, &written);
    let named = guard.name().map_or_else(String::new, |name| format!(" ({name})"));
    Some(Alert {
        severity: if rung >= Ladder::Hold {
            Severity::Critical
        } else {
            Severity::Warning
        },
        title: format!(
            "{}: evidence of harm by {written}{named} is at the level {}",
            record.name(),
            rung.name()
        ),
        about: About::Guard(written.to_string()),
        metric,
        value,
        limit,
    })
}

/// A guard that sees nothing, because nobody knows how it was before.
fn blind(record: &RolloutRecord, examination: &Examination, position: usize) -> Option<Alert> {
    let finding = examination.findings.get(position)?;
    let guard = record.plan.guards.get(position)?;
    let written = Criterion::Compare(guard.harm.clone());
    (finding.tests == Err(Missing::Baseline)).then(|| Alert {
        severity: Severity::Warning,
        about: About::Baseline,
        title: format!("{}: {written} cannot be judged without a baseline", record.name()),
        metric: Some(guard.harm.metric.to_string()),
        value: None,
        limit: None,
    })
}

/// Treatment is on its way to 0 %.
fn aborted(record: &RolloutRecord) -> Alert {
    let why = record.end.as_ref().map_or("", |end| end.cause.name());
    Alert {
        severity: Severity::Critical,
        about: About::Abort,
        title: format!("{} is aborted: {why}", record.name()),
        metric: None,
        value: None,
        limit: None,
    }
}

/// A hold that the data asks for.
fn held(record: &RolloutRecord, reason: HoldReason) -> Alert {
    let about = match reason {
        HoldReason::SampleRatio => About::Balance,
        HoldReason::Telemetry => About::Reporting,
        reason => About::Hold(reason),
    };
    let what = match reason {
        HoldReason::Incident => "both arms are beyond a limit, and treatment is not worse than control",
        HoldReason::SpillOver => "both arms went beyond a limit after a stage change; it aborts unless they recover",
        HoldReason::SampleRatio => "the arms are not as large as their shares; bucketing or reporting is broken",
        HoldReason::Telemetry => "too many outcomes are dropped to go by the rest",
        HoldReason::Rule => "a limit that needs no evidence is broken",
        reason => reason.name(),
    };
    Alert {
        severity: Severity::Critical,
        about,
        title: format!("{} is held: {what}", record.name()),
        metric: None,
        value: None,
        limit: None,
    }
}

/// The metric of a criterion, what it is, and what it may be where that is a number by itself.
fn figures(plan: &Plan, known: &Facts, written: &Criterion) -> (Option<String>, Option<f64>, Option<f64>) {
    let Criterion::Compare(comparison) = written else {
        return (None, None, None);
    };
    let measure = known.measures.get(&measure::subject(plan, comparison));
    let limit = match comparison.limit {
        Limit::Absolute(number) => Some(number.as_f64()),
        Limit::Times { .. } | Limit::Plus { .. } => measure::bound_of(plan, comparison),
    };
    let value = measure.and_then(|measure| measure.estimates.treatment);
    (Some(comparison.metric.to_string()), value, limit)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rollout::{Concerns, Measure, criterion::Estimates};

    use super::*;
    use crate::builders::rollout;

    fn known(rate: f64) -> Facts {
        let measure = Measure {
            estimates: Estimates {
                treatment: Some(rate),
                ..Estimates::default()
            },
            outcomes: 1_000,
            units: 50,
        };
        Facts {
            measures: [("error-rate".to_owned(), measure)].into(),
            ..Facts::default()
        }
    }

    fn record() -> RolloutRecord {
        let mut record = rollout();
        record.state.phase = Phase::Soak;
        let mut plan = (*record.plan).clone();
        plan.warning = vec!["error-rate > 1.5 %".parse().unwrap()];
        plan.critical = vec!["error-rate > 2 %".parse().unwrap()];
        record.plan = plan.into();
        record
    }

    #[test]
    fn a_warning_and_a_critical_are_two_limits_of_one_figure() {
        let found = |rate| {
            let alerts = alarms(&record(), &known(rate), &Examination::default());
            alerts.into_iter().map(|alert| alert.about).collect::<Vec<_>>()
        };
        let warning = About::Warning("error-rate > 1.5 %".to_owned());
        assert_eq!(found(0.01), []);
        assert_eq!(found(0.018), std::slice::from_ref(&warning));
        assert_eq!(found(0.03), [About::Critical("error-rate > 2 %".to_owned()), warning]);
        let alert = alarms(&record(), &known(0.03), &Examination::default()).remove(0);
        assert_eq!((alert.value, alert.limit), (Some(0.03), Some(0.02)));
    }

    #[test]
    fn a_hold_that_the_data_asks_for_is_told_and_an_ended_rollout_is_quiet() {
        let facts = Facts {
            concerns: Concerns {
                holds: vec![HoldReason::Incident, HoldReason::SampleRatio],
                ..Concerns::default()
            },
            ..Facts::default()
        };
        let mut record = record();
        let alerts = alarms(&record, &facts, &Examination::default());
        let abouts: Vec<_> = alerts.into_iter().map(|alert| alert.about).collect();
        assert_eq!(abouts, [About::Hold(HoldReason::Incident), About::Balance]);
        record.state.phase = Phase::Aborted;
        assert_eq!(alarms(&record, &facts, &Examination::default()), []);
    }
}
