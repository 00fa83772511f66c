//! What is known about the harm of one rollout: integers added from sealed batches, and the state of its tests.
//!
//! Only sealing a batch changes a record; the guards turn it into evidence ([`rollout::guards`]). All counts are of visits
//! or horizons, so that nothing has to be forgotten when a stage changes.

mod examined;

use std::{collections::BTreeMap, sync::Arc};

use rollout::{
    EvidenceNumber, Totals,
    guards::{HorizonCounts, SampledCounts, VisitKey},
    measure::{Events, Minute, Recent, Sums},
};

pub(crate) use examined::Examined;

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
    /// Outcomes that came from a sample; contained in outcomes.
    pub(crate) sampled_outcomes: u64,
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
    pub(crate) horizons: BTreeMap<u32, HorizonCounts>,
    /// The sums of each visit, which are stored under keys of their own.
    pub(crate) sums: BTreeMap<VisitKey, Arc<Sums>>,
    /// The sums of each visit by hour of the week, the strata added, stored likewise; of rollouts that need them.
    pub(crate) hours: BTreeMap<(VisitKey, u8), Arc<Sums>>,
    /// Sampled units of each visit, by stratum.
    pub(crate) sampled: BTreeMap<(VisitKey, u8), SampledCounts>,
    /// Events of treatment in the recent past.
    pub(crate) events: Events,
    /// The evidence number of the guards that may abort, after the last batch; none before any of them speaks.
    pub(crate) number: Option<EvidenceNumber>,
    /// The last minutes of treatment.
    pub(crate) recent: Recent,
    /// The last minute of both arms, of what guards compare with a number or a captured baseline.
    pub(crate) minute: Minute,
    /// Since when both arms are beyond the limit of a guard, by its position.
    pub(crate) worse_since: BTreeMap<u32, i64>,
    /// Whether a quarter of the positions of this horizon (by number) is used.
    pub(crate) full_horizon: u32,
    /// The last treatment exposure that any agent reported; 0: none.
    pub(crate) last_treatment_exposure_us: i64,
    /// Outcomes that agents dropped.
    pub(crate) dropped: u64,
    /// Measurements that were pushed.
    pub(crate) pushed: u64,
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

    /// As gates read them: a sample is no ground for going on.
    fn totals(&self) -> Totals {
        Totals {
            exposures: self.exposures,
            outcomes: self.outcomes.saturating_sub(self.sampled_outcomes),
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
        self.sampled_outcomes = self.sampled_outcomes.saturating_add(other.sampled_outcomes);
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

    /// The sums of one visit, to be added to.
    pub(crate) fn sums_mut(&mut self, key: VisitKey) -> &mut Sums {
        Arc::make_mut(self.sums.entry(key).or_default())
    }
}

#[cfg(test)]
mod tests;
