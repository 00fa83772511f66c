//! What is to be said about a plan before it is stored: what cannot work, what is worth a second thought, what it costs.
//!
//! The plan's own rules ([`Plan::violations`]) are part of it; here are those that need to know more: the flag and the
//! segments ([`Surroundings`]), and the time. The one rule: a plan with a violation is not stored, a warning stops
//! nothing. Times and costs are worked out only for a plan whose own rules hold, because everything else takes that for
//! granted. Where a figure cannot be said, the reason is ([`Unknown`]).

mod baseline;
mod cost;
mod limit;
mod refusals;
mod threshold;
mod unknown;
mod warnings;

use std::collections::BTreeMap;

pub use self::{
    baseline::lacking,
    cost::{LimitCost, Purpose, StageCost},
    threshold::ThresholdOdds,
    unknown::Unknown,
};
use crate::{
    Micros, Phase, Plan, State, Violation, Wait,
    draft::STAFF_LABEL,
    simulate::{self, Scenario, Walk, Walked},
};

/// Parts of a segment's key that say that its members are staff.
const STAFF_WORDS: [&str; 3] = ["staff", "internal", "employee"];

/// What is known around a plan.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Surroundings<'a> {
    /// The names of the flag's variants; none: there is no such flag.
    pub variants: Option<Vec<&'a str>>,
    /// The variant that the flag serves by default; none: a split, or not known.
    pub default: Option<&'a str>,
    /// The segments by key.
    pub segments: BTreeMap<&'a str, Segment<'a>>,
    /// Whether the flag that the kill switch sets exists; of no account if it is the plan's own.
    pub knows_kill_flag: bool,
}

/// What is known of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Segment<'a> {
    /// An attribute of requests that it reads (a path, an amount), by which a unit could flip; none: it reads none.
    pub per_request: Option<&'a str>,
}

/// All that is to be said.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// What makes the plan impossible, by field.
    pub violations: Vec<Violation>,
    /// What is worth a second thought.
    pub warnings: Vec<Violation>,
    /// The calendar if all goes well, windows included, with everybody acting at once.
    pub calendar: Vec<Walked>,
    /// The phase at its end; none: it was not worked out, because the plan's own rules do not hold.
    pub phase: Option<Phase>,
    /// What it waits for there.
    pub waits: Vec<Wait>,
    /// What each stage exposes.
    pub stages: Vec<StageCost>,
    /// What each limit needs to be found broken or proved kept, in each stage.
    pub limits: Vec<LimitCost>,
    /// How often each plain threshold trips without cause.
    pub thresholds: Vec<ThresholdOdds>,
}

/// Says all about a plan that would be submitted and started at `now`.
pub fn lint(plan: &Plan, around: &Surroundings<'_>, now: Micros) -> Report {
    let mut violations = plan.violations();
    let holds = violations.is_empty();
    refusals::check(plan, around, now, &mut violations);
    let mut report = Report {
        violations,
        warnings: Vec::new(),
        calendar: Vec::new(),
        phase: None,
        waits: Vec::new(),
        stages: Vec::new(),
        limits: Vec::new(),
        thresholds: Vec::new(),
    };
    warnings::check(plan, around, &mut report.warnings);
    if !holds {
        return report;
    }
    let walk = simulate::simulate(plan, &State::draft(0, now), Scenario::Good, now);
    refusals::check_walk(plan, &walk, &mut report.violations);
    warnings::check_walk(plan, &walk, &mut report.warnings);
    report.stages = cost::stages(plan, &walk);
    report.limits = cost::limits(plan);
    report.thresholds = threshold::odds(plan);
    let Walk {
        transitions,
        state,
        waits,
    } = walk;
    report.calendar = transitions;
    report.phase = Some(state.phase);
    report.waits = waits;
    report
}

/// Whether a segment is of staff: by its key, or because the plan's label `staff` names it.
pub fn is_staff(plan: &Plan, segment: &str) -> bool {
    let key = segment.to_ascii_lowercase();
    STAFF_WORDS.iter().any(|word| key.contains(word))
        || plan.labels.get(STAFF_LABEL).is_some_and(|named| named == segment)
}

#[cfg(test)]
mod tests;
