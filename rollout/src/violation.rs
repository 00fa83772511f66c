//! What is wrong with a plan, all of it at once.
//!
//! Each violation names the field as documents write it (`stages[2].percentage`) and says what would be right, so that
//! one answer is enough to mend a plan. What passes here is what every other part of this crate takes for granted.
//! Whether flag, variants and segments exist is for those who know them.

mod baseline;
mod metrics;
mod names;
mod queries;
mod stages;

use crate::{Micros, Plan};

/// When an exposure may count as lost: after a second to an hour.
const LOST_AFTER_US: std::ops::RangeInclusive<Micros> = 1_000_000..=3_600_000_000;
/// What a budget of false aborts or false certificates may be.
const BUDGETS: std::ops::RangeInclusive<f64> = 0.0001..=0.2;
/// The longest span of a plan: 365 days.
pub(crate) const LONGEST_US: Micros = 365 * crate::DAY_US;

/// One thing that is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The field, as documents write it.
    pub field: String,
    /// What would be right.
    pub description: String,
}

impl Plan {
    /// Everything that is wrong with this plan; empty if it may be started.
    pub fn violations(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        names::check(self, &mut found);
        stages::check(self, &mut found);
        metrics::check(self, &mut found);
        check_numbers(self, &mut found);
        found
    }
}

fn check_numbers(plan: &Plan, found: &mut Vec<Violation>) {
    for (field, value) in [("alpha", plan.alpha), ("beta", plan.beta)] {
        if !BUDGETS.contains(&value) {
            let description = format!("must be {} to {}, not {value}", BUDGETS.start(), BUDGETS.end());
            report(found, field, description);
        }
    }
    if !(plan.max_control_rate > 0.0 && plan.max_control_rate < 1.0) {
        let description = format!("must be above 0 and below 1, not {}", plan.max_control_rate);
        report(found, "max_control_rate", description);
    }
    if !LOST_AFTER_US.contains(&plan.lost_after_us) {
        let description = format!("must be 1 s to 1 h, not {} us", plan.lost_after_us);
        report(found, "lost_after", description);
    }
    for (field, value, least) in [("bake", plan.bake_us, 0), ("stuck_after", plan.stuck_after_us, 1)] {
        if !(least..=LONGEST_US).contains(&value) {
            report(found, field, format!("must be up to 365 days, not {value} us"));
        }
    }
    if plan.holdback.get() > 50_000 {
        report(
            found,
            "holdback",
            format!("must be at most 50 %, not {} %", plan.holdback),
        );
    }
    if plan.start_at_us.is_some_and(|at| at <= 0) {
        report(found, "start_at", "must be a time after 1970".to_owned());
    }
}

pub(crate) fn report(found: &mut Vec<Violation>, field: impl Into<String>, description: String) {
    found.push(Violation {
        field: field.into(),
        description,
    });
}
