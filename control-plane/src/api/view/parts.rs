//! The parts of a rollout as operators see them: phases, waits, steps, approvals, issues, exits.

use proto::v1;
use rollout::{
    Micros, Phase, Plan, State as Progress, Wait,
    catalogue::{MetricKey, Resolver},
    simulate::{Scenario, Walked, simulate},
    state::Desk,
};

use super::{counts, evidence_shown, side};
use crate::{
    levels::Shown,
    plan_wire::unit_name,
    record::{Exit, RolloutRecord, TransitionRecord},
};

/// How many steps ahead are shown.
const AHEAD: usize = 40;

pub(super) fn phase(phase: Phase) -> v1::RolloutPhase {
    match phase {
        Phase::Draft => v1::RolloutPhase::Draft,
        Phase::Ready => v1::RolloutPhase::Ready,
        Phase::AwaitingStart => v1::RolloutPhase::AwaitingStart,
        Phase::Ramp => v1::RolloutPhase::Delivering,
        Phase::Soak => v1::RolloutPhase::Soaking,
        Phase::Gate => v1::RolloutPhase::Gate,
        Phase::Held => v1::RolloutPhase::Held,
        Phase::Paused => v1::RolloutPhase::Paused,
        Phase::Baking => v1::RolloutPhase::Baking,
        Phase::Completed => v1::RolloutPhase::Completed,
        Phase::RolledBack => v1::RolloutPhase::RolledBack,
        Phase::Aborting => v1::RolloutPhase::Aborting,
        Phase::Aborted => v1::RolloutPhase::Aborted,
        Phase::Superseded => v1::RolloutPhase::Superseded,
        Phase::Expired => v1::RolloutPhase::Expired,
    }
}

/// What a rollout waits for, in words; criteria are named as they are written.
pub(in crate::api) fn waits(plan: &Plan, progress: &Progress, found: &[Wait], now_us: Micros) -> Vec<v1::Waiting> {
    let stage = plan.stages.get(progress.stage);
    let in_words = |wait: &Wait| match wait {
        Wait::Criterion { position, finding } => {
            let written = stage.and_then(|stage| stage.success.get(*position));
            let written = written.map(ToString::to_string).unwrap_or_default();
            format!("{written}: {}", finding.name())
        }
        other => other.to_string(),
    };
    found
        .iter()
        .map(|wait| v1::Waiting {
            kind: wait.name().to_owned(),
            detail: in_words(wait),
            until_us: wait.until_us(now_us).unwrap_or(0),
        })
        .collect()
}

/// What a rollout would do from here on.
pub(super) fn next_steps(plan: &Plan, progress: &Progress, now_us: Micros) -> Vec<v1::PlannedStep> {
    if progress.is_final() || progress.phase == Phase::Aborting {
        return Vec::new();
    }
    let walk = simulate(plan, progress, Scenario::Good, now_us);
    let telling = walk.transitions.iter().filter(|walked| is_telling(walked));
    telling.take(AHEAD).map(|walked| planned(plan, walked)).collect()
}

/// Whether a step of a walk says where the rollout goes, not only how it gets there.
fn is_telling(walked: &Walked) -> bool {
    ["started", "advanced", "bake-started", "completed"].contains(&walked.transition.name())
}

/// A step of a walk.
pub(in crate::api) fn planned(plan: &Plan, walked: &Walked) -> v1::PlannedStep {
    let stage = plan.stages.get(walked.stage);
    v1::PlannedStep {
        at_us: walked.at_us,
        kind: walked.transition.name().to_owned(),
        stage: stage.map(|stage| stage.name.clone()).unwrap_or_default(),
        phase: walked.phase.name().to_owned(),
    }
}

pub(super) fn approvals(plan: &Plan, desk: &Desk) -> Vec<v1::Approval> {
    let name = |stage: Option<usize>| {
        let stage = stage.and_then(|stage| plan.stages.get(stage));
        stage.map(|stage| stage.name.clone()).unwrap_or_default()
    };
    desk.approvals
        .iter()
        .map(|given| v1::Approval {
            stage: name(given.stage),
            by: given.by.clone(),
            at_us: given.at_us,
            valid: given.plan_hash == desk.plan_hash,
        })
        .collect()
}

pub(super) fn issues(plan: &Plan, desk: &Desk) -> Vec<v1::IssueFound> {
    desk.issues
        .iter()
        .map(|issue| v1::IssueFound {
            number: issue.number,
            title: issue.title.clone(),
            stage: (plan.stages.get(issue.stage))
                .map(|stage| stage.name.clone())
                .unwrap_or_default(),
            opened_by: issue.opened_by.clone(),
            opened_at_us: issue.opened_at_us,
            closed_by: issue.closed_by.clone(),
            closed_at_us: issue.closed_at_us.unwrap_or(0),
            resolution: issue.resolution.clone(),
        })
        .collect()
}

/// Levels that are read from outside.
pub(super) fn levels(plan: &Plan, shown: Vec<Shown>) -> Vec<v1::LevelReading> {
    let resolver = Resolver::new(&plan.metrics);
    let unit = |metric: &str| Some(unit_name(resolver.resolve(&MetricKey::new(metric).ok()?).ok()?.unit));
    let reading = |shown: Shown| v1::LevelReading {
        unit: unit(&shown.metric).unwrap_or_default().to_owned(),
        metric: shown.metric,
        treatment: shown.now.treatment,
        control: shown.now.control,
        at_us: shown.at_us,
        source: shown.source.name().to_owned(),
        missing: shown.missing,
        control_missing: shown.control_missing,
    };
    shown.into_iter().map(reading).collect()
}

/// A transition.
pub(in crate::api) fn transition(made: &TransitionRecord) -> v1::Transition {
    v1::Transition {
        sequence: made.sequence,
        at_us: made.at_us,
        kind: made.kind.clone(),
        stage: made.stage,
        detail: made.detail.clone(),
        actor: made.actor.clone(),
    }
}

/// What was known when a stage was left.
pub(in crate::api) fn exit(record: &RolloutRecord, exit: &Exit) -> v1::StageExit {
    v1::StageExit {
        stage: exit.stage,
        visit: exit.visit,
        entered_at_us: exit.entered_at_us,
        left_at_us: exit.left_at_us,
        soaked_us: exit.soaked_us,
        sequence: exit.sequence,
        counts: Some(counts(&exit.counts)),
        evidence: Some(evidence_shown(record, exit.evidence)),
        criteria: (exit.criteria.iter())
            .map(|(criterion, finding)| v1::CriterionFinding {
                criterion: criterion.clone(),
                finding: finding.clone(),
            })
            .collect(),
        metrics: (exit.metrics.iter())
            .map(|reading| side::reading(&record.plan, &reading.metric, &reading.measure))
            .collect(),
    }
}
