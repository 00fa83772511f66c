//! The record of a rollout: what was known when each stage was left, every transition, every act.

use proto::v1;
use serde::Serialize;

use super::{
    amount::amount,
    desk::CriterionView,
    rollout::{CountsView, EvidenceView, RolloutView, TransitionView},
    rollout_text,
    side::ReadingView,
};
use crate::{
    duration,
    print::{self, count, plain},
};

/// A record, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct RecordView {
    rollout: Option<RolloutView>,
    exits: Vec<ExitView>,
    acts: Vec<TransitionView>,
}

#[derive(Debug, Serialize)]
struct ExitView {
    stage: u32,
    visit: u32,
    entered_at: Option<String>,
    left_at: Option<String>,
    soaked: String,
    sequence: u64,
    counts: Option<CountsView>,
    evidence: Option<EvidenceView>,
    criteria: Vec<CriterionView>,
    metrics: Vec<ReadingView>,
}

impl RecordView {
    /// Of a record that the control plane sent.
    pub(crate) fn of(record: &v1::GetRecordResponse) -> Self {
        Self {
            rollout: record.rollout.as_ref().map(RolloutView::of),
            exits: record.exits.iter().map(ExitView::of).collect(),
            acts: record.acts.iter().map(TransitionView::of).collect(),
        }
    }
}

impl ExitView {
    fn of(exit: &v1::StageExit) -> Self {
        Self {
            stage: exit.stage,
            visit: exit.visit,
            entered_at: print::timestamp(exit.entered_at_us),
            left_at: print::timestamp(exit.left_at_us),
            soaked: duration::exact(exit.soaked_us),
            sequence: exit.sequence,
            counts: exit.counts.as_ref().map(CountsView::of),
            evidence: exit.evidence.as_ref().map(EvidenceView::of),
            criteria: exit.criteria.iter().map(CriterionView::of).collect(),
            metrics: exit.metrics.iter().map(ReadingView::of).collect(),
        }
    }
}

/// A record for people.
pub(crate) fn page(record: &v1::GetRecordResponse) -> String {
    let rollout = record.rollout.clone().unwrap_or_default();
    let plan = rollout.plan.clone().unwrap_or_default();
    let mut parts = vec![rollout_text::line(&rollout)];
    parts.extend(
        rollout
            .end
            .as_ref()
            .map(|end| format!("end: {}", rollout_text::end(end))),
    );
    parts.extend(record.exits.iter().map(|exit| left(exit, &plan)));
    let lines = |title: &str, transitions: &[v1::Transition]| {
        let lines = transitions
            .iter()
            .map(|one| format!("  {} {}", one.sequence, rollout_text::transition(one, Some(&plan))));
        (!transitions.is_empty()).then(|| format!("{title}\n{}", lines.collect::<Vec<_>>().join("\n")))
    };
    parts.extend(lines("transitions", &rollout.transitions));
    parts.extend(lines("acts", &record.acts));
    parts.join("\n\n")
}

/// What was known when a stage was left.
fn left(exit: &v1::StageExit, plan: &v1::Plan) -> String {
    let stage = plan.stages.get(exit.stage as usize);
    let name = stage.map_or_else(|| format!("stage {}", exit.stage + 1), |stage| stage.name.clone());
    let visit = match exit.visit {
        0 | 1 => String::new(),
        visit => format!(", visit {visit}"),
    };
    let mut lines = vec![plain(&format!(
        "left {name}{visit}: {} to {}, soaked {}, by transition {}",
        print::moment(exit.entered_at_us),
        print::moment(exit.left_at_us),
        duration::exact(exit.soaked_us),
        exit.sequence
    ))];
    let evidence = exit.evidence.as_ref().map(rollout_text::show_evidence);
    lines.extend(evidence.map(|evidence| format!("  evidence {}", plain(&evidence))));
    lines.extend(
        exit.criteria
            .iter()
            .map(|found| plain(&format!("  criterion {}: {}", found.criterion, found.finding))),
    );
    if exit.counts.is_some() {
        lines.push(rollout_text::arms([(name, exit.counts.as_ref())]));
    }
    if !exit.metrics.is_empty() {
        lines.push(metrics(&exit.metrics));
    }
    lines.join("\n")
}

fn metrics(metrics: &[v1::MetricReading]) -> String {
    let figure = |metric: &v1::MetricReading, number: Option<f64>| {
        number.map_or_else(|| "no data".into(), |number| amount(&metric.unit, number))
    };
    let rows = metrics.iter().map(|metric| {
        [
            metric.metric.clone(),
            figure(metric, metric.treatment),
            figure(metric, metric.control),
            figure(metric, metric.baseline),
            count(metric.outcomes),
            count(metric.units),
        ]
    });
    print::table(
        ["METRIC", "TREATMENT", "CONTROL", "BASELINE", "OUTCOMES", "UNITS"],
        rows,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_shows_what_was_known_at_each_exit() {
        let exit = v1::StageExit {
            stage: 0,
            visit: 2,
            soaked_us: 3_600_000_000,
            sequence: 7,
            criteria: vec![v1::CriterionFinding {
                criterion: "error-rate < 1 %".into(),
                finding: "holds".into(),
            }],
            metrics: vec![v1::MetricReading {
                metric: "error-rate".into(),
                unit: "fraction".into(),
                treatment: Some(0.008),
                outcomes: 12_000,
                ..Default::default()
            }],
            ..Default::default()
        };
        let record = v1::GetRecordResponse {
            rollout: Some(v1::Rollout {
                plan: Some(v1::Plan {
                    stages: vec![v1::Stage {
                        name: "canary".into(),
                        ..Default::default()
                    }],
                    ..Default::default()
                }),
                ..Default::default()
            }),
            exits: vec![exit],
            acts: vec![v1::Transition {
                sequence: 6,
                kind: "approved".into(),
                actor: "ann".into(),
                ..Default::default()
            }],
        };
        let page = page(&record);
        for part in [
            "left canary, visit 2",
            "soaked 1h, by transition 7",
            "criterion error-rate < 1 %: holds",
            "0.80 %",
            "no data",
            "12,000",
            "6 approved [canary] by ann",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
}
