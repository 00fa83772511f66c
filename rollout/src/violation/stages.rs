//! What is wrong with the stages of a plan.

use super::{
    LONGEST_US, Violation,
    names::{MOST_ITEMS, check_key},
    report,
};
use crate::{
    Micros, Plan, Share, Stage,
    calendar::{self, Calendar},
    duration::Dwell,
    evidence::unit::POSITIONS,
    gate::{Outcome, Policy},
};

/// The most stages in a plan.
const MOST_STAGES: usize = 16;
/// The most segments in an audience.
const MOST_SEGMENTS: usize = 16;
/// The most criteria of a kind in a stage.
const MOST_CRITERIA: usize = 32;
/// The most that a stage may ask for of outcomes or units: 10^9.
const LARGEST_MINIMUM: u64 = 1_000_000_000;
/// The most extensions.
const MOST_EXTENSIONS: u32 = 100;

pub(super) fn check(plan: &Plan, found: &mut Vec<Violation>) {
    if plan.stages.is_empty() || plan.stages.len() > MOST_STAGES {
        let count = plan.stages.len();
        report(
            found,
            "stages",
            format!("must be 1 to {MOST_STAGES} stages, not {count}"),
        );
    }
    // A list that is too long is reported once; its surplus is not examined.
    for (position, stage) in plan.stages.iter().enumerate().take(MOST_STAGES) {
        let path = format!("stages[{position}]");
        check_stage(plan, stage, &path, found);
        let earlier = &plan.stages[..position];
        if earlier.iter().any(|other| other.name == stage.name) {
            let description = format!("must be unique within the plan, {:?} is not", stage.name);
            report(found, format!("{path}.name"), description);
        }
        check_order(earlier, stage, &path, found);
    }
    check_total(plan, found);
}

/// Percentages rise among stages of one audience, and what everybody has cannot be given to some.
fn check_order(earlier: &[Stage], stage: &Stage, path: &str, found: &mut Vec<Violation>) {
    let same = earlier
        .iter()
        .rev()
        .find(|other| audience(other) == audience(stage) && other.shadow == stage.shadow);
    if let Some(previous) = same.filter(|previous| previous.share >= stage.share) {
        let whose = if stage.audience.is_empty() {
            ""
        } else {
            " of the same audience"
        };
        let description = format!(
            "must be above the stage before{whose} ({} at {} %), not {} %",
            previous.name, previous.share, stage.share
        );
        report(found, format!("{path}.percentage"), description);
    }
    if stage.shadow && earlier.iter().any(|other| !other.shadow) {
        let description = "must not follow a stage that exposes units: shadow stages come first".to_owned();
        report(found, format!("{path}.shadow"), description);
    }
}

fn audience(stage: &Stage) -> Vec<&str> {
    let mut segments: Vec<&str> = stage.audience.iter().map(String::as_str).collect();
    segments.sort_unstable();
    segments
}

fn check_stage(plan: &Plan, stage: &Stage, path: &str, found: &mut Vec<Violation>) {
    check_key(found, format!("{path}.name"), &stage.name);
    if let Dwell::For(us) = stage.dwell
        && !(0..=LONGEST_US).contains(&us)
    {
        report(
            found,
            format!("{path}.dwell"),
            format!("must be 0 to 365 days, not {us} us"),
        );
    }
    for (name, value, largest) in [
        ("minimum_outcomes", stage.minimum_outcomes, LARGEST_MINIMUM),
        ("minimum_units", stage.minimum_units, u64::from(POSITIONS)),
    ] {
        if value > largest {
            report(
                found,
                format!("{path}.{name}"),
                format!("must be at most {largest}, not {value}"),
            );
        }
    }
    check_audience(stage, path, found);
    check_gate(stage, path, found);
    if stage.on_call_required && plan.people.on_call(&stage.name).is_none() {
        let description = format!(
            "nobody is on call for stage {}; add a duty to people.duties",
            stage.name
        );
        report(found, format!("{path}.on_call_required"), description);
    }
    check_windows(plan, stage, path, found);
}

fn check_audience(stage: &Stage, path: &str, found: &mut Vec<Violation>) {
    if stage.audience.len() > MOST_SEGMENTS {
        let count = stage.audience.len();
        report(
            found,
            format!("{path}.audience"),
            format!("must be at most {MOST_SEGMENTS} segments, not {count}"),
        );
    }
    for (position, segment) in stage.audience.iter().enumerate().take(MOST_SEGMENTS) {
        check_key(found, format!("{path}.audience[{position}]"), segment);
        if stage.audience[..position].contains(segment) {
            report(
                found,
                format!("{path}.audience[{position}]"),
                format!("{segment:?} is named twice"),
            );
        }
    }
}

fn check_gate(stage: &Stage, path: &str, found: &mut Vec<Violation>) {
    for (name, criteria) in [("success", &stage.success), ("rollback", &stage.rollback)] {
        if criteria.len() > MOST_CRITERIA {
            let count = criteria.len();
            report(
                found,
                format!("{path}.{name}"),
                format!("must be at most {MOST_CRITERIA} criteria, not {count}"),
            );
        }
    }
    match stage.policy {
        Policy::Dwell if !stage.success.is_empty() => {
            let description = "is dwell, which asks nothing of the success criteria; write observed, no-harm or certify, or leave them out";
            report(found, format!("{path}.gate"), description.to_owned());
        }
        Policy::Observed | Policy::Certify if stage.success.is_empty() => {
            let description = format!("is {}, which needs success criteria to judge by", stage.policy.name());
            report(found, format!("{path}.gate"), description);
        }
        Policy::Dwell | Policy::Observed | Policy::NoHarm | Policy::Certify => {}
    }
    if stage.max_extensions > MOST_EXTENSIONS {
        let description = format!("must be at most {MOST_EXTENSIONS}, not {}", stage.max_extensions);
        report(found, format!("{path}.max_extensions"), description);
    }
    if stage.max_extensions > 0 && !stage.allows(Outcome::Extend) {
        let description = "asks for extensions, which the stage's outcomes do not allow; add extend".to_owned();
        report(found, format!("{path}.max_extensions"), description);
    }
    if let Some(us) = stage.extension_us
        && !(1..=LONGEST_US).contains(&us)
    {
        report(
            found,
            format!("{path}.extension"),
            format!("must be up to 365 days, not {us} us"),
        );
    }
    if stage.checklist.len() > MOST_ITEMS {
        let count = stage.checklist.len();
        report(
            found,
            format!("{path}.checklist"),
            format!("must be at most {MOST_ITEMS} items, not {count}"),
        );
    }
    for (position, item) in stage.checklist.iter().enumerate().take(MOST_ITEMS) {
        check_key(found, format!("{path}.checklist[{position}]"), item);
        if stage.checklist[..position].contains(item) {
            report(
                found,
                format!("{path}.checklist[{position}]"),
                format!("{item:?} is on the list twice"),
            );
        }
    }
}

/// A gate that could never open is refused.
fn check_windows(plan: &Plan, stage: &Stage, path: &str, found: &mut Vec<Violation>) {
    if plan.windows.is_empty() && plan.freezes.is_empty() && stage.windows.is_empty() {
        return;
    }
    if stage.windows.len() > MOST_ITEMS {
        report(
            found,
            format!("{path}.windows"),
            format!("must be at most {MOST_ITEMS}"),
        );
        return;
    }
    let own = Calendar {
        open: stage.windows.clone(),
        frozen: Vec::new(),
    };
    let from = plan.start_at_us.unwrap_or(0);
    if plan.start_at_us.is_some() && calendar::next_open(&[&plan.calendar(), &own], from).is_none() {
        let description = "its gate could never open: the windows and the freezes of the plan leave nothing of its own";
        report(found, format!("{path}.windows"), description.to_owned());
    }
}

/// The whole must be expressible as a time.
fn check_total(plan: &Plan, found: &mut Vec<Violation>) {
    let mut dwells = plan.stages.iter().take(MOST_STAGES).map(|stage| {
        let extensions = Micros::from(stage.max_extensions).checked_mul(stage.extension());
        stage.dwell.planned_us().checked_add(extensions?)
    });
    let total = dwells.try_fold(0_i64, |sum, dwell| sum.checked_add(dwell?));
    let total = total.and_then(|sum| sum.checked_add(plan.bake_us));
    if total.is_none_or(|total| total > 20 * LONGEST_US) {
        let description = "the dwells, extensions and the bake together must be less than 20 years".to_owned();
        report(found, "stages", description);
    }
    if plan.stages.last().is_some_and(|stage| stage.share == Share::NONE) {
        let description = "the last stage exposes nobody; give it a percentage above 0".to_owned();
        report(
            found,
            format!("stages[{}].percentage", plan.stages.len() - 1),
            description,
        );
    }
}
