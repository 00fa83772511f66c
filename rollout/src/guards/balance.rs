//! Whether the arms of a visit are as large as their shares (guard.md 4d).

use super::{Seen, VisitKey};
use crate::{
    Plan,
    evidence::balance::{self, Sampled},
};

/// ln of the e-value against "the arms are as large as their shares" in a visit, if it is at the hold level: the split
/// itself is in doubt.
pub(super) fn doubt(plan: &Plan, seen: &Seen<'_>, visit: VisitKey) -> Option<f64> {
    Some(log_e(plan, seen, visit)).filter(|log_e| *log_e >= libm::log(0.5 / plan.alpha))
}

/// ln of the e-value; 0 without data.
fn log_e(plan: &Plan, seen: &Seen<'_>, key: VisitKey) -> f64 {
    let strata = seen
        .sampled
        .range((key, 0)..=(key, u8::MAX))
        .filter_map(|((_, stratum), counts)| {
            plan.stages.get(usize::from(*stratum))?;
            Some(Sampled {
                share: plan.wanted(usize::from(*stratum)).fraction(),
                treatment: counts.treatment,
                control: counts.control,
            })
        });
    balance::log_e(&strata.collect::<Vec<_>>())
}
