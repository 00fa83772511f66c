//! Whether the arms of the current visit are as large as their shares (guard.md 4d).

use super::Seen;
use crate::{
    Plan, State,
    evidence::balance::{self, Sampled},
};

/// ln of the e-value against "the arms are as large as their shares" in the current visit; 0 without data.
pub(super) fn log_e(plan: &Plan, state: &State, seen: &Seen<'_>) -> f64 {
    let Some(visit) = state.visits.last() else {
        return 0.0;
    };
    let key = (visit.stage as u8, visit.visit);
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
