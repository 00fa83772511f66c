//! The rollout step: its variants resolved, and the reached stages laid in the order in which they give units their share.
//!
//! What could never give anybody a share is left out: stages below one that is for everybody, and segments that were
//! asked for a larger share already. So evaluation takes the first that matches, and asks each segment once at most.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::conditions::Written;
use super::scope::Scope;
use super::unit;
use crate::bucket::Salted;
use crate::flag::HashScheme;
use crate::limits;
use crate::step::{Audience, CompiledStep, ReachedStage, RolloutStep, Special, Stratum};
use crate::within::Name;

/// Checks and compiles. Whether the segments exist that it names is for `check_references`.
pub(super) fn compile(
    scope: &mut Scope<'_>,
    written: &mut Written,
    scheme: HashScheme,
    step: &RolloutStep,
) -> CompiledStep {
    scope.salt(&"rollout.salt", &step.salt);
    let names = Some(&step.bucket_by).filter(|names| !names.is_empty());
    let bucket_by = names.map(|names| unit::compile(scope, written, "rollout.bucket_by", names));
    let treatment = scope.variant(&"rollout.treatment", &step.treatment);
    let control = scope.variant(&"rollout.control", &step.control);
    check_stages(scope, step);
    let (for_some, for_all) = tried(&step.reached);
    let special = Special {
        for_some,
        is_closed: for_all.is_none(),
        bucket_by,
    };
    let is_special = !special.for_some.is_empty() || special.bucket_by.is_some();
    CompiledStep {
        rollout: step.rollout,
        stage: step.stage,
        shadow: step.shadow,
        treatment: if step.shadow { control } else { treatment },
        control,
        // Without a reached stage the step is refused; the share of nobody stands in until then.
        for_all: for_all.unwrap_or_default(),
        special: is_special.then(|| Box::new(special)),
        salted: Salted::new(scheme, &[&step.salt]),
        measuring_key: step.measuring_key.to_be_bytes(),
    }
}

/// Checks that the reached stages are 1 to 16, in range, different, and have the current one among them; and audiences.
fn check_stages(scope: &mut Scope<'_>, step: &RolloutStep) {
    scope.count(&"rollout.reached", "stages", step.reached.len(), limits::STAGES);
    let mut stages = HashSet::new();
    for (at, reached) in step.reached.iter().take(limits::STAGES).enumerate() {
        let stage = reached.stage;
        let field = format!("rollout.reached[{at}]");
        if usize::from(stage) >= limits::STAGES {
            let description = format!("is {stage}, stages are numbered below {}", limits::STAGES);
            scope.violations.add(format_args!("{field}.stage"), description);
        }
        if !stages.insert(stage) {
            let description = format!("stage {stage} is listed twice");
            scope.violations.add(format_args!("{field}.stage"), description);
        }
        check_audience(scope, &format!("{field}.audience"), &reached.audience);
    }
    if !stages.contains(&step.stage) {
        let description = format!("the current stage {} is not among those reached", step.stage);
        scope.violations.add("rollout.stage", description);
    }
}

fn check_audience(scope: &mut Scope<'_>, field: &str, audience: &[String]) {
    scope.count(&field, "segments", audience.len(), limits::AUDIENCE);
    for (at, segment) in audience.iter().take(limits::AUDIENCE).enumerate() {
        scope.name(&format_args!("{field}[{at}]"), segment);
    }
}

/// The stages for some in the order in which they are tried, and the one for everybody that ends it.
fn tried(reached: &[ReachedStage]) -> (Box<[Audience]>, Option<Stratum>) {
    let mut by_share: Vec<&ReachedStage> = reached.iter().take(limits::STAGES).collect();
    // Stable: of equal shares the earliest stays first.
    by_share.sort_by_key(|reached| Reverse(reached.share));
    let (mut for_some, mut asked) = (Vec::new(), HashSet::new());
    for reached in by_share {
        let stratum = Stratum {
            stage: reached.stage,
            share: reached.share.get(),
        };
        if reached.audience.is_empty() {
            return (for_some.into(), Some(stratum));
        }
        let audience = reached.audience.iter().take(limits::AUDIENCE);
        let segments: Box<[Name]> = audience
            .filter(|segment| asked.insert(segment.as_str()))
            .map(|segment| Name::of_segment(segment))
            .collect();
        if !segments.is_empty() {
            for_some.push(Audience { segments, stratum });
        }
    }
    (for_some.into(), None)
}
