//! Facts: all that a step reads, gathered from one revision of the state.

use std::sync::Arc;

use evaluation::Key;
use rollout::{Delivery, Facts};

use crate::{
    evidence::{Counts, EvidenceRecord},
    health::coverage::Coverage,
    publish::Publisher,
    record::RolloutRecord,
    state::State,
    sync::fleet::{Fleet, Reach},
};

/// What is known, and what the record keeps of it.
#[derive(Debug)]
pub(super) struct Gathered {
    /// For the step.
    pub(super) known: Facts,
    /// For the record of an end.
    pub(super) totals: Counts,
}

impl Gathered {
    /// Facts of a rollout whose latch is set, wherever its agents are.
    pub(super) fn latched(state: &State, record: &RolloutRecord) -> Self {
        let evidence = state.evidence_of(record.id);
        // Evidence is left out: what a person decides is a person's decision, even beside evidence of the same.
        let known = Facts {
            latched: true,
            delivery: Delivery::default(),
            arms: rollout::ArmTotals::default(),
            evidence: None,
            fresh: false,
            positions_full: false,
            resumed: false,
        };
        Self {
            known,
            totals: evidence.totals(),
        }
    }
}

/// Gathers what is known of a rollout.
pub(super) fn gather(
    state: &State,
    record: &RolloutRecord,
    publisher: &Publisher,
    fleet: &Fleet,
    coverage: &Coverage,
    resumed: bool,
    now_us: i64,
) -> Gathered {
    let evidence = state.evidence_of(record.id);
    let known = Facts {
        latched: state.latches.contains_key(&record.id),
        delivery: reach(state, record, publisher, fleet, now_us).delivery,
        arms: visit_counts(record, &evidence).totals(),
        evidence: evidence.number(&record.plan, &record.state),
        fresh: coverage.fresh(record.id, now_us),
        positions_full: evidence.full_horizon as usize == record.state.horizons.len(),
        resumed,
    };
    Gathered {
        known,
        totals: evidence.totals(),
    }
}

/// How far what a rollout wants has come.
pub(crate) fn reach(state: &State, record: &RolloutRecord, publisher: &Publisher, fleet: &Fleet, now_us: i64) -> Reach {
    let Some(exposure) = state.exposures.get(&record.id) else {
        return Reach::default();
    };
    let set = flag_set(state, record);
    fleet.reach(publisher, &record.environment, set.as_ref(), exposure.revision, now_us)
}

/// The flag set of a rollout's flag.
pub(crate) fn flag_set(state: &State, record: &RolloutRecord) -> Option<Key> {
    let flag = Key::parse(&record.plan.flag).ok()?;
    state.flag(&record.environment, &flag)?.flag.set.clone()
}

/// Counts of the current visit of the current stage.
pub(crate) fn visit_counts(record: &RolloutRecord, evidence: &Arc<EvidenceRecord>) -> Counts {
    let visit = record.state.visits.last().map_or(0, |visit| visit.visit);
    evidence.visit(record.state.stage as u8, visit)
}
