//! What people are to be alerted to: alerts of the plan that hold, evidence at the warn level, and holds that nobody asked
//! for.
//!
//! Pure. Whether an alert was told already is not asked here: it is told once for each visit of a stage, whatever is found.

use std::collections::BTreeMap;

use rollout::{
    Facts, HoldReason, Ladder, Measure, Phase, Plan, alarm,
    criterion::{Criterion, Limit},
    guards::{Examination, Missing},
    measure,
};

use super::words::harm_of;
use crate::{
    events::alert::{About, Alert, Severity},
    record::{EndCause, RolloutRecord},
};

/// Everything that somebody should know of now, the gravest first.
pub(super) fn alarms(record: &RolloutRecord, known: &Facts, examination: &Examination) -> Vec<Alert> {
    if record.state.phase == Phase::Aborting {
        return vec![aborted(record, known)];
    }
    if !record.state.is_live() {
        return Vec::new();
    }
    let plan = &*record.plan;
    let holds = known.concerns.holds.iter().map(|reason| held(record, known, *reason));
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
    let (metric, value, limit) = figures(&record.plan, &known.measures, written);
    Alert {
        severity,
        about: match severity {
            Severity::Warning => About::Warning(text.clone()),
            Severity::Critical => About::Critical(text.clone()),
        },
        title,
        criterion: Some(text),
        metric,
        value,
        limit,
    }
}

/// A guard whose evidence has reached the warn level; how far it has come, within the level of the guard.
fn guard(record: &RolloutRecord, known: &Facts, examination: &Examination, position: usize) -> Option<Alert> {
    let plan = &*record.plan;
    let guard = plan.guards.get(position)?;
    let rung = examination.rung(plan, position);
    if rung < Ladder::Warn {
        return None;
    }
    let written = Criterion::Compare(guard.harm.clone());
    let (metric, value, limit) = figures(plan, &known.measures, &written);
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
        about: if rung >= Ladder::Hold {
            About::GuardHolds(written.to_string())
        } else {
            About::Guard(written.to_string())
        },
        criterion: Some(written.to_string()),
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
        criterion: Some(written.to_string()),
        metric: Some(guard.harm.metric.to_string()),
        value: None,
        limit: None,
    })
}

/// Treatment is on its way to 0 %.
fn aborted(record: &RolloutRecord, known: &Facts) -> Alert {
    let end = record.end.as_ref();
    let why = end.map_or("", |end| end.cause.name());
    // The record of the end keeps whose evidence or rule it was.
    let culprit = end.and_then(|end| match end.cause {
        EndCause::Evidence => end.evidence.map(|evidence| evidence.guard),
        EndCause::Rule => end.rule,
        EndCause::Person
        | EndCause::Trigger
        | EndCause::Criterion
        | EndCause::Withdrawn
        | EndCause::Edit
        | EndCause::Time
        | EndCause::Completed => None,
    });
    let title = match culprit {
        Some(guard) => format!("{} is aborted: {why}: {}", record.name(), harm_of(&record.plan, guard)),
        None => format!("{} is aborted: {why}", record.name()),
    };
    of_guard(record, known, (About::Abort, title), culprit)
}

/// A hold that the data asks for.
fn held(record: &RolloutRecord, known: &Facts, reason: HoldReason) -> Alert {
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
    let mut signals = known.concerns.signals.iter();
    let culprit = signals.find(|signal| signal.reason == reason && signal.guard.is_some());
    let culprit = culprit.and_then(|signal| signal.guard);
    let title = match culprit {
        Some(guard) => format!("{} is held: {what}: {}", record.name(), harm_of(&record.plan, guard)),
        None => format!("{} is held: {what}", record.name()),
    };
    of_guard(record, known, (about, title), culprit)
}

/// A critical alert, with the figures of the guard that it comes from; none: of no single one.
fn of_guard(record: &RolloutRecord, known: &Facts, (about, title): (About, String), guard: Option<usize>) -> Alert {
    let plan = &*record.plan;
    let guard = guard.and_then(|guard| plan.guards.get(guard));
    let written = guard.map(|guard| Criterion::Compare(guard.harm.clone()));
    let figures = written.as_ref().map(|written| figures(plan, &known.measures, written));
    let (metric, value, limit) = figures.unwrap_or_default();
    Alert {
        severity: Severity::Critical,
        about,
        title,
        criterion: written.map(|written| written.to_string()),
        metric,
        value,
        limit,
    }
}

/// The metric of a criterion, what it is, and what it may be where that is a number by itself.
pub(super) fn figures(
    plan: &Plan,
    measures: &BTreeMap<String, Measure>,
    written: &Criterion,
) -> (Option<String>, Option<f64>, Option<f64>) {
    let Criterion::Compare(comparison) = written else {
        return (None, None, None);
    };
    let measure = measures.get(&measure::subject(plan, comparison));
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

    use rollout::{
        Concerns, EvidenceNumber, Guard, Level, Signal,
        criterion::Estimates,
        guards::{Beyond, Finding, Test, Tests},
    };

    use super::*;
    use crate::builders::{START_US, end, rollout};

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

    /// The same with guards.
    fn guarded(guards: Vec<Guard>) -> RolloutRecord {
        let mut record = record();
        let mut plan = (*record.plan).clone();
        plan.guards = guards;
        record.plan = plan.into();
        record
    }

    fn guard(harm: &str, level: Level) -> Guard {
        let Criterion::Compare(harm) = harm.parse().unwrap() else {
            panic!("{harm} compares nothing")
        };
        Guard {
            harm,
            level,
            ..Guard::no_worse_than_control()
        }
    }

    /// One guard speaks, and the others do not.
    fn speaks(guard: usize, evidence: f64) -> Examination {
        let finding = |position| Finding {
            tests: Ok(Tests {
                live: Some(Test::Split { metric: 0, ratio: 1.0 }),
                fixed: None,
            }),
            log_e: if position == guard {
                vec![evidence.ln()]
            } else {
                Vec::new()
            },
            doubted: if position == guard { vec![false] } else { Vec::new() },
            planned: 1,
            weight: 1.0,
            beyond: Beyond::Within,
            estimate: None,
        };
        Examination {
            findings: (0..3).map(finding).collect(),
            ..Examination::default()
        }
    }

    #[test]
    fn evidence_is_told_within_the_level_of_its_guard() {
        let record = guarded(vec![
            guard("error-rate > 1x control", Level::Warn),
            guard("timeout-rate > 1x control", Level::Hold),
            guard("error-rate > 2x control", Level::Abort),
        ]);
        let told = |position| {
            let found = alarms(&record, &Facts::default(), &speaks(position, 1e40));
            assert_eq!(found.len(), 1, "{found:?}");
            (found[0].severity, found[0].title.clone())
        };
        let of = |harm, level| format!("checkout#1: evidence of harm by {harm} is at the level {level}");
        let warned = of("error-rate > 1x control", "warn");
        assert_eq!(told(0), (Severity::Warning, warned));
        assert_eq!(told(1), (Severity::Critical, of("timeout-rate > 1x control", "hold")));
        assert_eq!(told(2), (Severity::Critical, of("error-rate > 2x control", "abort")));
    }

    #[test]
    fn an_abort_and_a_hold_name_what_fired_and_its_figures() {
        let mut record = guarded(vec![
            guard("timeout-rate > 1x control", Level::Abort),
            guard("error-rate > 2 %", Level::Hold),
        ]);
        let mut facts = known(0.03);
        facts.concerns.holds = vec![HoldReason::Rule];
        facts.concerns.signals = vec![Signal {
            guard: Some(1),
            ..Signal::bare(HoldReason::Rule)
        }];
        let told = |record: &RolloutRecord, facts: &Facts| {
            let alert = alarms(record, facts, &Examination::default()).remove(0);
            (alert.title, alert.criterion, alert.value, alert.limit)
        };
        let fired = Some("error-rate > 2 %".to_owned());
        assert_eq!(
            told(&record, &facts),
            (
                "checkout#1 is held: a limit that needs no evidence is broken: error-rate > 2 %".to_owned(),
                fired.clone(),
                Some(0.03),
                Some(0.02)
            )
        );
        record.state.phase = Phase::Aborting;
        record.end = Some(end(EndCause::Rule, START_US));
        record.end.as_mut().unwrap().rule = Some(1);
        let title = "checkout#1 is aborted: rule: error-rate > 2 %".to_owned();
        assert_eq!(told(&record, &facts), (title, fired, Some(0.03), Some(0.02)));
        record.end.as_mut().unwrap().cause = EndCause::Evidence;
        record.end.as_mut().unwrap().evidence = Some(EvidenceNumber {
            guard: 0,
            horizon: 1,
            is_doubted: false,
            log_evidence: 200.0_f64.ln(),
        });
        let title = "checkout#1 is aborted: evidence: timeout-rate > 1x control".to_owned();
        assert_eq!(told(&record, &facts).0, title);
        // What a person says is for the audit.
        record.end.as_mut().unwrap().cause = EndCause::Person;
        assert_eq!(
            told(&record, &facts),
            ("checkout#1 is aborted: person".to_owned(), None, None, None)
        );
    }
}
