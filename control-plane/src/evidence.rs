//! What is known about the harm of one rollout: integers added from sealed batches, and the state of its tests.
//!
//! Only sealing a batch changes a record; the engine turns it into one evidence number. All counts are of visits or
//! horizons, so that nothing has to be forgotten when a stage changes.

use std::collections::BTreeMap;

use rollout::{
    EvidenceNumber, Level, Plan, State, Totals, Unit,
    evidence::{
        budget,
        request::{self, Onset},
        unit::{self, Stratum},
    },
};

/// What both arms saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    /// The arm that is rolled out.
    pub(crate) treatment: ArmCounts,
    /// The arm that it is compared with.
    pub(crate) control: ArmCounts,
}

/// What one arm saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ArmCounts {
    /// Evaluations that gave this arm.
    pub(crate) exposures: u64,
    /// Outcomes OK, ERROR and TIMEOUT.
    pub(crate) outcomes: u64,
    /// Of these, ERROR and TIMEOUT.
    pub(crate) bad: u64,
    /// Exposures without an outcome by the deadline.
    pub(crate) lost: u64,
    /// Units that failed, each once a horizon and stratum.
    pub(crate) bad_units: u64,
    /// Sampled positions that were exposed: about one unit in 64.
    pub(crate) sampled_units: u64,
    /// The unit buckets that had outcomes, one bit each.
    pub(crate) unit_buckets: u64,
}

/// What one visit of a stage saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct VisitCounts {
    /// Number of the stage.
    pub(crate) stage: u8,
    /// Which visit of it, from 1.
    pub(crate) visit: u32,
    /// The counts.
    pub(crate) counts: Counts,
}

/// What the tests know of one horizon.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct HorizonEvidence {
    /// Newly bad units by stratum: (treatment, control). For plans that split units.
    pub(crate) strata: BTreeMap<u8, (u64, u64)>,
    /// The request test. For plans that split requests.
    pub(crate) onset: Option<Onset>,
}

/// What is known about one rollout.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct EvidenceRecord {
    /// Batches sealed.
    pub(crate) batches: u64,
    /// When the last of them was sealed.
    pub(crate) sealed_at_us: i64,
    /// Counts by visit, in the order in which they were first seen.
    pub(crate) visits: Vec<VisitCounts>,
    /// By number of the horizon, from 1.
    pub(crate) horizons: BTreeMap<u32, HorizonEvidence>,
    /// Whether a quarter of the positions of this horizon (by number) is used.
    pub(crate) full_horizon: u32,
    /// The last treatment exposure that any agent reported; 0: none.
    pub(crate) last_treatment_exposure_us: i64,
    /// Outcomes that agents dropped.
    pub(crate) dropped: u64,
    /// The store revision of its last write.
    pub(crate) revision: u64,
}

impl ArmCounts {
    /// Units that are certainly there: unit buckets with outcomes, failed units, or sampled ones.
    pub(crate) fn units_at_least(&self) -> u64 {
        u64::from(self.unit_buckets.count_ones())
            .max(self.bad_units)
            .max(self.sampled_units)
    }

    /// About how many units were exposed: 64 times the sampled ones, never more than exposures, never fewer than are
    /// certain.
    pub(crate) fn units_estimate(&self) -> u64 {
        let estimate = self.sampled_units.saturating_mul(64).min(self.exposures);
        estimate.max(self.units_at_least())
    }

    /// How many units a gate may count on: what is certain up to the 64 unit buckets, the estimate beyond.
    fn units(&self) -> u64 {
        match self.units_estimate() {
            estimate if estimate > 64 => estimate,
            _ => self.units_at_least(),
        }
    }

    fn totals(&self) -> Totals {
        Totals {
            exposures: self.exposures,
            outcomes: self.outcomes,
            units: self.units(),
            bad: self.bad,
        }
    }

    /// Adds another visit. Units are not added: those of a stage are there in the next, so the largest visit tells.
    fn add(&mut self, other: &ArmCounts) {
        self.exposures = self.exposures.saturating_add(other.exposures);
        self.outcomes = self.outcomes.saturating_add(other.outcomes);
        self.bad = self.bad.saturating_add(other.bad);
        self.lost = self.lost.saturating_add(other.lost);
        self.bad_units = self.bad_units.saturating_add(other.bad_units);
        self.sampled_units = self.sampled_units.max(other.sampled_units);
        self.unit_buckets |= other.unit_buckets;
    }
}

impl Counts {
    /// Adds what was seen elsewhere.
    pub(crate) fn add(&mut self, other: &Counts) {
        self.treatment.add(&other.treatment);
        self.control.add(&other.control);
    }

    /// As the state machine reads them.
    pub(crate) fn totals(&self) -> rollout::ArmTotals {
        rollout::ArmTotals {
            treatment: self.treatment.totals(),
            control: self.control.totals(),
        }
    }
}

impl EvidenceRecord {
    /// Counts of one visit.
    pub(crate) fn visit(&self, stage: u8, visit: u32) -> Counts {
        self.visits
            .iter()
            .find(|counts| counts.stage == stage && counts.visit == visit)
            .map(|counts| counts.counts)
            .unwrap_or_default()
    }

    /// Counts of one visit, to be added to.
    pub(crate) fn visit_mut(&mut self, stage: u8, visit: u32) -> &mut Counts {
        let found = self
            .visits
            .iter()
            .position(|counts| counts.stage == stage && counts.visit == visit);
        let position = found.unwrap_or_else(|| {
            self.visits.push(VisitCounts {
                stage,
                visit,
                counts: Counts::default(),
            });
            self.visits.len() - 1
        });
        &mut self.visits[position].counts
    }

    /// Counts of all visits.
    pub(crate) fn totals(&self) -> Counts {
        self.visits.iter().fold(Counts::default(), |mut sum, visit| {
            sum.add(&visit.counts);
            sum
        })
    }

    /// The evidence number over all guards and horizons; none before anything has been seen.
    ///
    /// Guards of level abort share the budget by their weights, horizons by those of `guard.md` 5; a guard that is not
    /// measured spends its share in vain. In this order of summation the number is the same to the last bit wherever it is
    /// worked out.
    pub(crate) fn number(&self, plan: &Plan, state: &State) -> Option<EvidenceNumber> {
        let (guard, ratio) = plan.harm_guard().filter(|_| self.batches > 0)?;
        let abort = plan.guards.iter().filter(|guard| guard.level == Level::Abort);
        let all: f64 = abort.map(|guard| guard.weight).sum();
        let weight = plan.guards.get(guard)?.weight / all;
        let horizons = state.compared_horizons(plan).into_iter();
        let log_e = vec![
            horizons
                .map(|position| self.log_e(plan, state, ratio, position))
                .collect(),
        ];
        let number = budget::evidence_number(&[weight], plan.planned_horizons(), &log_e)?;
        Some(EvidenceNumber { guard, ..number })
    }

    /// ln of the e-value of one guard in one horizon; 0 where nothing was seen.
    fn log_e(&self, plan: &Plan, state: &State, limit: f64, position: usize) -> f64 {
        let number = u32::try_from(position + 1).unwrap_or(u32::MAX);
        let Some(horizon) = self.horizons.get(&number) else {
            return 0.0;
        };
        match plan.unit {
            Unit::Unit => unit::log_e(limit, &strata(plan, &horizon.strata)),
            Unit::Request => {
                let stage = state
                    .horizons
                    .get(position)
                    .and_then(|horizon| plan.stages.get(horizon.stage));
                let planned = request::planned_batches(stage.map_or(0, |stage| stage.dwell.planned_us()));
                horizon.onset.as_ref().map_or(0.0, |onset| onset.log_e(planned))
            }
        }
    }
}

/// Strata with the shares that the plan gave them. A stratum that the plan does not know compares nothing.
fn strata(plan: &Plan, counts: &BTreeMap<u8, (u64, u64)>) -> Vec<Stratum> {
    counts
        .iter()
        .filter_map(|(stratum, (bad_treatment, bad_control))| {
            plan.stages.get(usize::from(*stratum))?;
            let share = plan.wanted(usize::from(*stratum)).fraction();
            Some(Stratum {
                share,
                bad_treatment: *bad_treatment,
                bad_control: *bad_control,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
