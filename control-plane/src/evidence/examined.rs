//! The evidence of a rollout as its guards see it.

use std::collections::BTreeMap;

use rollout::{
    Micros,
    criterion::Criterion,
    guards::{self, Examination, Levels, Seen},
    measure::{self, Sums},
};

use super::EvidenceRecord;
use crate::record::RolloutRecord;

/// The evidence of a rollout, and what was sealed of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Examined<'a> {
    /// The rollout.
    pub(crate) rollout: &'a RolloutRecord,
    /// What was sealed.
    pub(crate) evidence: &'a EvidenceRecord,
}

impl<'a> Examined<'a> {
    /// What the guards are asked about.
    pub(crate) fn seen(&self) -> Seen<'a> {
        Seen {
            counted: &self.rollout.counted,
            visits: &self.evidence.sums,
            hours: &self.evidence.hours,
            horizons: &self.evidence.horizons,
            sampled: &self.evidence.sampled,
            events: &self.evidence.events,
            minute: &self.evidence.minute,
            worse_since: &self.evidence.worse_since,
        }
    }

    /// What all guards say; nothing before anything has been sealed.
    ///
    /// Guards share the budget by their weights, horizons by those of guard.md 5; a guard that is not measured spends its
    /// share in vain. In this order of summation every number is the same to the last bit wherever it is worked out.
    pub(crate) fn examine(&self, levels: &Levels, now: Micros) -> Examination {
        if self.evidence.batches == 0 && levels.is_empty() {
            return Examination::default();
        }
        guards::examine(&self.rollout.plan, &self.rollout.state, &self.seen(), levels, now)
    }

    /// What the conditions of the kill switch read of the last minutes, not further back than to a time; of levels those
    /// that were beyond their limit for long enough.
    pub(crate) fn recent(&self, levels: &Levels, since: Micros, now: Micros) -> BTreeMap<String, rollout::Measure> {
        let plan = &self.rollout.plan;
        let conditions = plan.kill_switch.iter().flat_map(|kill| &kill.conditions);
        let compared = conditions.filter_map(|written| match written {
            Criterion::Compare(comparison) => Some(comparison),
            Criterion::Stable | Criterion::Parity => None,
        });
        let known = (&*self.rollout.counted, &self.evidence.recent, &self.evidence.events);
        let read = compared.filter_map(|comparison| {
            let level = levels.get(comparison.metric.as_str());
            let level = level.filter(|level| guards::fires(comparison, level));
            let measure = match level {
                Some(level) => rollout::Measure {
                    estimates: level.now,
                    outcomes: u64::MAX,
                    units: u64::MAX,
                },
                None => measure::recent_reading(plan, comparison, known, since, now)?,
            };
            Some((measure::subject(plan, comparison), measure))
        });
        read.collect()
    }

    /// What comparisons read in the current visit.
    pub(crate) fn readings(&self, levels: &Levels, units: u64, now: Micros) -> BTreeMap<String, rollout::Measure> {
        let nothing = Sums::default();
        let visit = self.rollout.state.visits.last();
        let sums = visit.and_then(|visit| self.evidence.sums.get(&(visit.stage as u8, visit.visit)));
        let seen = measure::Seen {
            counted: &self.rollout.counted,
            sums: sums.map_or(&nothing, |sums| sums),
            events: &self.evidence.events,
            external: levels,
            units,
        };
        measure::readings(&self.rollout.plan, &seen, now)
    }
}
