//! Stages between the wire and `rollout`.

use proto::v1;
use rollout::{
    Stage,
    duration::Dwell,
    gate::{Outcome, Policy},
};

use super::{reading::Reading, texts};

/// More stages than any plan may have are not looked at.
const LOOKED_AT: usize = 64;

/// Reads stages.
pub(super) fn read(stages: Vec<v1::Stage>, reading: &mut Reading) -> Vec<Stage> {
    stages
        .into_iter()
        .take(LOOKED_AT)
        .enumerate()
        .map(|(position, stage)| read_one(&format!("stages[{position}]"), stage, reading))
        .collect()
}

fn read_one(path: &str, wire: v1::Stage, reading: &mut Reading) -> Stage {
    if wire.permanent && wire.dwell_us != 0 {
        reading.report(format!("{path}.dwell"), "is either a duration or permanent, not both");
    }
    let dwell = if wire.permanent {
        Dwell::Permanent
    } else {
        Dwell::For(wire.dwell_us)
    };
    let share = reading.share(&format!("{path}.percentage"), wire.buckets);
    let success = reading.criteria(&format!("{path}.success"), &wire.success);
    let policy = if wire.success.is_empty() {
        Policy::NoHarm
    } else {
        Policy::Observed
    };
    let outcomes = (0..).zip(&wire.outcomes).map(|(at, text): (usize, _)| {
        let field = format!("{path}.outcomes[{at}]");
        if text.is_empty() {
            reading.report(&field, "must not be empty");
        }
        reading.named(&field, text, Outcome::Hold, &Outcome::ALL, |one| one.name())
    });
    let outcomes = outcomes.collect();
    Stage {
        audience: wire.audience,
        shadow: wire.shadow,
        success,
        rollback: reading.criteria(&format!("{path}.rollback"), &wire.rollback),
        policy: reading.named(&format!("{path}.gate"), &wire.gate, policy, &Policy::ALL, |one| {
            one.name()
        }),
        outcomes,
        max_extensions: wire.max_extensions,
        extension_us: (wire.extension_us != 0).then_some(wire.extension_us),
        approvals: wire.approvals,
        checklist: wire.checklist,
        on_call_required: wire.on_call_required,
        windows: reading.windows(&format!("{path}.windows"), &wire.windows),
        minimum_outcomes: wire.minimum_outcomes.unwrap_or(Stage::DEFAULT_MINIMUM_OUTCOMES),
        minimum_units: wire.minimum_units.unwrap_or(Stage::DEFAULT_MINIMUM_UNITS),
        ..Stage::new(wire.name, share, dwell)
    }
}

/// A stage as the wire has it.
pub(super) fn write(stage: &Stage) -> v1::Stage {
    v1::Stage {
        name: stage.name.clone(),
        buckets: stage.share.get(),
        dwell_us: stage.dwell.finite_us().unwrap_or(0),
        minimum_outcomes: Some(stage.minimum_outcomes),
        minimum_units: Some(stage.minimum_units),
        audience: stage.audience.clone(),
        permanent: stage.dwell == Dwell::Permanent,
        shadow: stage.shadow,
        success: texts(&stage.success),
        rollback: texts(&stage.rollback),
        gate: stage.policy.name().to_owned(),
        outcomes: stage.outcomes.iter().map(|outcome| outcome.name().to_owned()).collect(),
        max_extensions: stage.max_extensions,
        extension_us: stage.extension_us.unwrap_or(0),
        approvals: stage.approvals,
        checklist: stage.checklist.clone(),
        on_call_required: stage.on_call_required,
        windows: texts(&stage.windows),
    }
}
