//! The rollout step: its variants resolved, and the stage picked that gives units their share.

use std::collections::HashSet;

use super::scope::Scope;
use crate::bucket::Salted;
use crate::flag::HashScheme;
use crate::limits;
use crate::percentage::Buckets;
use crate::step::{CompiledStep, ReachedStage, RolloutStep};

/// Checks and compiles.
pub(super) fn compile(scope: &mut Scope<'_>, scheme: HashScheme, step: &RolloutStep) -> CompiledStep {
    scope.salt(&"rollout.salt", &step.salt);
    check_stages(scope, step);
    // Without a reached stage the step is refused; the share of nobody stands in until then.
    let largest = step.largest_reached().unwrap_or(ReachedStage {
        stage: step.stage,
        share: Buckets::NONE,
    });
    CompiledStep {
        rollout: step.rollout,
        stage: step.stage,
        stratum: largest.stage,
        share: largest.share.get(),
        treatment: scope.variant(&"rollout.treatment", &step.treatment),
        control: scope.variant(&"rollout.control", &step.control),
        salted: Salted::new(scheme, &[&step.salt]),
        measuring_key: step.measuring_key,
    }
}

/// Checks that the reached stages are 1 to 16, in range, different, and have the current one among them.
fn check_stages(scope: &mut Scope<'_>, step: &RolloutStep) {
    scope.count(&"rollout.reached", "stages", step.reached.len(), limits::STAGES);
    let mut stages = HashSet::new();
    for (at, reached) in step.reached.iter().take(limits::STAGES).enumerate() {
        let stage = reached.stage;
        if usize::from(stage) >= limits::STAGES {
            let description = format!("is {stage}, stages are numbered below {}", limits::STAGES);
            scope
                .violations
                .add(format_args!("rollout.reached[{at}].stage"), description);
        }
        if !stages.insert(stage) {
            let description = format!("stage {stage} is listed twice");
            scope
                .violations
                .add(format_args!("rollout.reached[{at}].stage"), description);
        }
    }
    if !stages.contains(&step.stage) {
        let description = format!("the current stage {} is not among those reached", step.stage);
        scope.violations.add("rollout.stage", description);
    }
}
