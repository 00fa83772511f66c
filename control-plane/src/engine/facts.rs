//! Facts: all that a step reads, gathered from one revision of the state.

use std::sync::Arc;

use evaluation::Key;
use rollout::{Delivery, Facts};

use crate::{
    evidence::{Counts, EvidenceRecord},
    health::coverage::Coverage,
    publish::Publisher,
    record::{FlagRecord, RolloutRecord},
    state::State,
    sync::fleet::{self, Fleet, Reach},
};

/// What is known, and what the record keeps of it.
#[derive(Debug)]
pub(super) struct Gathered {
    /// For the step.
    pub(super) known: Facts,
    /// For the record of an end.
    pub(super) totals: Counts,
    /// Batches that they rest on.
    pub(super) batches: u64,
    /// The store revision of the evidence that was read; 0: there is none.
    pub(super) evidence_revision: u64,
    /// The live agents of the flag.
    pub(super) live: Vec<String>,
}

impl Gathered {
    /// Facts of a rollout whose latch is set, wherever its agents are.
    pub(crate) fn latched(state: &State, record: &RolloutRecord, live: Vec<String>) -> Self {
        let evidence = state.evidence_of(record.id);
        // Evidence is left out: what a person decides is a person's decision, even beside evidence of the same.
        let known = Facts {
            latched: true,
            off: false,
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
            batches: evidence.batches,
            evidence_revision: evidence.revision,
            live,
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
    let reach = self::reach(state, record, publisher, fleet, now_us);
    let known = Facts {
        latched: state.latches.contains_key(&record.id),
        off: is_off(state, record),
        delivery: reach.delivery,
        arms: visit_counts(record, &evidence).totals(),
        evidence: evidence.number(&record.plan, &record.state),
        fresh: coverage.fresh(record.id, now_us),
        positions_full: evidence.full_horizon as usize == record.state.horizons.len(),
        resumed,
    };
    Gathered {
        known,
        totals: evidence.totals(),
        batches: evidence.batches,
        evidence_revision: evidence.revision,
        live: reach.live,
    }
}

/// How far what a rollout wants has come.
pub(crate) fn reach(state: &State, record: &RolloutRecord, publisher: &Publisher, fleet: &Fleet, now_us: i64) -> Reach {
    let Some(exposure) = state.exposures.get(&record.id) else {
        return Reach::default();
    };
    let record_of_flag = flag(state, record);
    let flag = fleet::Flag {
        environment: &record.environment,
        set: record_of_flag.and_then(|record| record.flag.set.as_ref()),
        key: &record.plan.flag,
    };
    fleet.reach(publisher, flag, exposure.revision, now_us)
}

/// The flag of a rollout.
fn flag<'s>(state: &'s State, record: &RolloutRecord) -> Option<&'s FlagRecord> {
    let flag = Key::parse(&record.plan.flag).ok()?;
    state.flag(&record.environment, &flag).map(|record| &**record)
}

/// Whether the flag of a rollout is killed, disabled or gone.
fn is_off(state: &State, record: &RolloutRecord) -> bool {
    flag(state, record).is_none_or(|record| record.flag.killed || !record.flag.enabled)
}

/// Counts of the current visit of the current stage.
pub(crate) fn visit_counts(record: &RolloutRecord, evidence: &Arc<EvidenceRecord>) -> Counts {
    let visit = record.state.visits.last().map_or(0, |visit| visit.visit);
    evidence.visit(record.state.stage as u8, visit)
}
