//! The e-values of one guard, horizon by horizon.
//!
//! A split is judged by the horizons of the rollout, which are cut each day; anything else by visits of a stage. A
//! guard with two tests has them in one list, in the order in which the stages were entered, so that all share its
//! weight.

use super::{Compared, Seen, Test, Tests, balance, tests_of::onset_key};
use crate::{
    Plan, State, Unit,
    evidence::{arm::Buckets, estimate::Stratum, request, robust, unit},
    state::Planned,
};

/// What one entry of the list says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Entry {
    /// A split.
    Split {
        /// ln of its e-value.
        log_e: f64,
        /// Whether the arms of its visit are not as large as their shares: then the split, which the unit test takes
        /// for its model, says nothing for certain.
        is_doubted: bool,
    },
    /// A visit.
    Visit {
        /// What the test says.
        finding: robust::Finding,
        /// ln of the e-value that counts: of "beyond the limit", and where control is beyond it as well, of "and worse
        /// than control".
        log_e: f64,
        /// Whether control is beyond the limit as well.
        is_shared: bool,
    },
}

impl Entry {
    /// ln of the e-value as it enters the budget.
    pub(super) fn log_e(&self) -> f64 {
        match self {
            Entry::Split { log_e, .. } | Entry::Visit { log_e, .. } => *log_e,
        }
    }

    /// Whether it may hold at most.
    pub(super) fn is_doubted(&self) -> bool {
        match self {
            Entry::Split { is_doubted, .. } => *is_doubted,
            Entry::Visit { .. } => false,
        }
    }
}

/// The entries of a guard; the last is of the current visit, if it has one there.
pub(super) fn entries(plan: &Plan, state: &State, seen: &Seen<'_>, tests: &Tests) -> Vec<Entry> {
    let splits = matches!(tests.live, Some(Test::Split { .. }));
    let mut entries = Vec::new();
    if !splits {
        for visit in &state.visits {
            entries.extend(of_visit(plan, seen, tests, (visit.stage as u8, visit.visit)));
        }
        return entries;
    }
    // Horizons in their order; of a visit without a live control the first stands for the visit.
    let mut last_visit = None;
    for (position, horizon) in state.horizons.iter().enumerate() {
        let visit = state
            .visits
            .iter()
            .rfind(|visit| visit.stage == horizon.stage && visit.entered_at_us <= horizon.started_at_us);
        let key = visit.map(|visit| (visit.stage as u8, visit.visit));
        if plan.wanted(horizon.stage).is_compared() {
            let log_e = of_split(plan, state, seen, tests, position);
            // Requests are compared as they came, whatever brought them.
            let rests_on_split = plan.unit == Unit::Unit && log_e > 0.0;
            let in_doubt = |key| balance::doubt(plan, seen, key).is_some();
            entries.push(Entry::Split {
                log_e,
                is_doubted: rests_on_split && key.is_some_and(in_doubt),
            });
            continue;
        }
        if key != last_visit {
            entries.extend(key.and_then(|key| of_visit(plan, seen, tests, key)));
            last_visit = key;
        }
    }
    entries
}

/// How many entries were expected of a guard when the rollout started.
pub(super) fn planned(planned: &Planned, tests: &Tests) -> usize {
    let uncompared = if tests.fixed.is_some() { planned.uncompared } else { 0 };
    let compared = match tests.at(true) {
        Some(Test::Split { .. }) => planned.horizons,
        Some(_) => planned.compared,
        None => 0,
    };
    (compared + uncompared).max(1)
}

fn of_split(plan: &Plan, state: &State, seen: &Seen<'_>, tests: &Tests, position: usize) -> f64 {
    let number = u32::try_from(position + 1).unwrap_or(u32::MAX);
    let (Some(Test::Split { metric, ratio }), Some(counts)) = (tests.live, seen.horizons.get(&number)) else {
        return 0.0;
    };
    match plan.unit {
        Unit::Unit => {
            let strata = counts.strata.range((metric, 0)..=(metric, u8::MAX));
            let strata = strata.filter_map(|((_, stratum), (bad_treatment, bad_control))| {
                plan.stages.get(usize::from(*stratum))?;
                Some(unit::Stratum {
                    share: plan.wanted(usize::from(*stratum)).fraction(),
                    bad_treatment: *bad_treatment,
                    bad_control: *bad_control,
                })
            });
            unit::log_e(ratio, &strata.collect::<Vec<_>>())
        }
        Unit::Request => {
            let planned = request::planned_batches(state.planned_dwell_us(plan, position));
            let onset = counts.onsets.get(&onset_key(metric, ratio));
            onset.map_or(0.0, |onset| onset.log_e(planned))
        }
    }
}

/// The entry of a visit; none if nothing is asked there.
fn of_visit(plan: &Plan, seen: &Seen<'_>, tests: &Tests, key: (u8, u32)) -> Option<Entry> {
    let share = plan.wanted(usize::from(key.0));
    if share == crate::Share::NONE {
        return None;
    }
    let test = tests.at(share.is_compared())?;
    Some(Compared::of(plan, seen, &test, key)?.entry())
}

/// The strata of a visit; a control only where some units are in it.
pub(crate) fn strata(plan: &Plan, seen: &Seen<'_>, metric: u16, key: (u8, u32), is_complement: bool) -> Vec<Stratum> {
    let Some(sums) = seen.visits.get(&key) else {
        return Vec::new();
    };
    let of_metric = sums.metrics.range((metric, 0)..=(metric, u8::MAX));
    let turn = |buckets: &Buckets| {
        if is_complement {
            complement(buckets)
        } else {
            buckets.clone()
        }
    };
    of_metric
        .map(|((_, stratum), arms)| Stratum {
            treatment: turn(&arms.treatment),
            control: plan
                .wanted(usize::from(*stratum))
                .is_compared()
                .then(|| turn(&arms.control)),
        })
        .collect()
}

/// What is left of the numerators.
pub(super) fn complement(buckets: &Buckets) -> Buckets {
    let (mut num, mut den) = (
        [0_i128; crate::evidence::arm::BUCKETS],
        [0_u64; crate::evidence::arm::BUCKETS],
    );
    for (bucket, (sum, count)) in buckets.sums().enumerate() {
        num[bucket] = i128::from(count).saturating_sub(sum);
        den[bucket] = count;
    }
    Buckets::from_sums(num, den)
}
