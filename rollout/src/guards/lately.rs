//! How both arms stood to a limit in the last minute: whether what both suffered is over.
//!
//! Point estimates, each on the minimum of a threshold (guard.md 4f): they prove nothing and abort nothing, they only
//! let go of what holds. Where neither arm has the minimum, the sums of the whole visit decide alone.

use std::collections::BTreeSet;

use super::{Seen, Test, Tests, VisitKey, finding::Beyond, tests_of};
use crate::{
    Plan,
    alarm::BELIEVED,
    evidence::{
        arm::Arm,
        limit::{Limit, Rule, Side},
    },
    measure::{Counted, Slot, hour_of_week},
};

/// How both arms stood in the last minute: whether beyond the limit; none on too little data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lately {
    treatment: Option<bool>,
    control: Option<bool>,
}

impl Lately {
    /// Of a test against a number or a captured baseline; none where neither arm has enough.
    pub(super) fn of(plan: &Plan, seen: &Seen<'_>, test: &Test, visit: VisitKey) -> Option<Lately> {
        let (metric, rule, is_complement) = match *test {
            Test::Absolute {
                metric,
                rule,
                is_complement,
            }
            | Test::Baseline {
                metric,
                rule,
                is_complement,
                ..
            } => (metric, rule, is_complement),
            Test::Split { .. } | Test::Relative { .. } | Test::Cap { .. } | Test::Level => return None,
        };
        if seen.minute.visit() != visit {
            return None;
        }
        let limit = limit(plan, seen, test, &rule)?;
        let stands = |treatment: bool| {
            let slot = seen.minute.arm(metric, treatment);
            let is_enough = slot.den >= BELIEVED.outcomes && u64::from(slot.units.count_ones()) >= BELIEVED.units;
            let rate = rate(&slot, &rule, is_complement);
            is_enough.then_some(match rule.harm {
                Side::Above => rate > limit,
                Side::Below => rate < limit,
            })
        };
        let lately = Lately {
            treatment: stands(true),
            control: stands(false),
        };
        (lately.treatment.is_some() || lately.control.is_some()).then_some(lately)
    }

    /// How a guard stands under which both arms are beyond the limit in the whole visit. If control alone is well
    /// again, it is no longer shared, and no gate passes.
    pub(super) fn beyond(self) -> Beyond {
        match (self.treatment, self.control) {
            (Some(true), Some(false)) => Beyond::Early,
            (Some(false), Some(true | false) | None) | (None, Some(false)) => Beyond::Within,
            (Some(true) | None, Some(true) | None) => Beyond::Both,
        }
    }
}

/// The limit as a number: of a captured baseline, so many times what it was; by the hour, in the hour that was heard
/// last.
fn limit(plan: &Plan, seen: &Seen<'_>, test: &Test, rule: &Rule) -> Option<f64> {
    let ratio = match rule.limit {
        Limit::Absolute(limit) => return Some(limit),
        Limit::Relative(ratio) => ratio,
    };
    let Test::Baseline {
        metric,
        is_complement,
        by_hour,
        ..
    } = *test
    else {
        return None;
    };
    let counting = &seen.counted.get(usize::from(metric))?.counting;
    let captured = &plan.baseline.captured;
    let buckets = if by_hour {
        let hour = hour_of_week(seen.minute.heard_at(metric)?);
        captured.by_hour(counting)?.get(&hour)?
    } else {
        captured.of(counting)?
    };
    let before = Arm::of(&super::compared::turned(buckets, is_complement), rule.kind).rate();
    Some(ratio * before).filter(|limit| limit.is_finite())
}

fn rate(slot: &Slot, rule: &Rule, is_complement: bool) -> f64 {
    let num = if is_complement {
        slot.den as f64 - slot.num as f64
    } else {
        slot.num as f64
    };
    num / rule.kind.denominator() / slot.den as f64
}

/// The countings, by number, of which the last minute is kept: those that a guard compares with a number or a captured
/// baseline, under which both arms may be beyond the limit.
pub fn shared_countings(plan: &Plan, counted: &[Counted]) -> BTreeSet<u16> {
    let tests = plan
        .guards
        .iter()
        .filter_map(|guard| tests_of(plan, counted, guard).ok());
    let shared = tests.filter_map(|Tests { fixed, .. }| match fixed? {
        Test::Absolute { metric, .. } | Test::Baseline { metric, .. } => Some(metric),
        Test::Split { .. } | Test::Relative { .. } | Test::Cap { .. } | Test::Level => None,
    });
    shared.collect()
}
