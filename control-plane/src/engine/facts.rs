//! Facts: all that a step reads, gathered from one revision of the state.

use std::sync::Arc;

use evaluation::{Key, Serve};
use rollout::{
    Concerns, Delivery, Facts, HoldReason, LONGEST_GAP_US,
    evidence::budget::Standing,
    guards::{self, Examination},
    plan::Item,
};

use crate::{
    engine::soaks::Soaks,
    evidence::{Counts, EvidenceRecord, Examined},
    health::coverage::Coverage,
    levels::Levels,
    publish::Publisher,
    record::{FlagRecord, RolloutRecord},
    state::State,
    sync::fleet::{self, Fleet, Reach},
};

/// Fewer dropped outcomes say nothing about the rest.
const FEWEST_DROPPED: u64 = 100;

/// What is known, and what the record keeps of it.
#[derive(Debug)]
pub(crate) struct Gathered {
    /// For the step.
    pub(crate) known: Facts,
    /// For the record of an end.
    pub(super) totals: Counts,
    /// For the record of a stage's exit.
    pub(super) visit: Counts,
    /// What the guards say.
    pub(crate) examination: Examination,
    /// Levels that they read.
    pub(crate) levels: guards::Levels,
    /// How much the visit has soaked by now.
    pub(super) soaked_us: i64,
    /// Batches that they rest on.
    pub(super) batches: u64,
    /// The number of the last readings that the levels rest on.
    pub(super) readings: u64,
    /// The store revision of the evidence that was read; 0: there is none.
    pub(crate) evidence_revision: u64,
    /// The live agents of the flag.
    pub(super) live: Vec<Arc<str>>,
}

impl Gathered {
    /// The evidence that a decision about the rollout rests on: what nobody has dismissed.
    pub(super) fn heard(&self, record: &RolloutRecord) -> Standing {
        rollout::heard(&record.plan, &record.state, &self.known)
    }

    /// The same, as a person's abort sees it: the latch is set, and evidence is left out, for what a person decides is a
    /// person's decision, even beside evidence of the same.
    pub(crate) fn latched(mut self) -> Self {
        self.known.latched = true;
        self.known.evidence = None;
        self.known.concerns = Concerns::default();
        self
    }
}

/// The parts that know.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    /// What agents are to hold.
    pub(crate) publisher: Arc<Publisher>,
    /// What is known of agents.
    pub(crate) fleet: Arc<Fleet>,
    /// What frames cover.
    pub(crate) coverage: Coverage,
    /// How much rollouts have soaked.
    pub(crate) soaks: Soaks,
    /// Who takes readings of levels in.
    pub(crate) levels: Levels,
}

impl Sources {
    /// How far a rollout is at this moment.
    pub(crate) fn progress(&self, state: &State, record: &RolloutRecord) -> rollout::State {
        self.soaks.upon(record.id, state.soaked(record))
    }

    /// What is known of a rollout.
    pub(crate) fn gather(&self, state: &State, record: &RolloutRecord, resumed: bool, now_us: i64) -> Gathered {
        let evidence = state.evidence_of(record.id);
        let reach = self.reach(state, record, now_us);
        let visit = visit_counts(record, &evidence);
        let examined = Examined {
            rollout: record,
            evidence: &evidence,
        };
        let held = state.levels_of(record.id);
        let levels = held.at(now_us);
        let examination = examined.examine(&levels, now_us);
        let arms = visit.totals();
        let known = Facts {
            latched: state.latches.contains_key(&record.id),
            off: is_off(state, record),
            delivery: reach.delivery,
            arms,
            evidence: examination.standing.abort,
            concerns: concerns(&examination, &visit, &evidence),
            fresh: self.coverage.fresh(record.id, now_us),
            positions_full: evidence.full_horizon as usize == record.state.horizons.len(),
            resumed,
            measures: examined.readings(&levels, arms.treatment.units, now_us),
            recent: examined.recent(&levels, flag_changed_us(state, record), now_us),
            levels: levels.clone(),
            certified: guards::certified(&record.plan, &record.state, &examined.seen()),
            checked: checked(state, record, reach.delivery),
            longest_gap_us: LONGEST_GAP_US,
        };
        Gathered {
            known,
            totals: evidence.totals(),
            visit,
            examination,
            levels,
            soaked_us: self.progress(state, record).soaked_us,
            batches: evidence.batches,
            readings: held.last,
            evidence_revision: evidence.revision,
            live: reach.live,
        }
    }

    /// How far what a rollout wants has come. One that wants nothing yet has the live agents of its flag.
    pub(crate) fn reach(&self, state: &State, record: &RolloutRecord, now_us: i64) -> Reach {
        let wanted = state.exposures.get(&record.id).map(|exposure| exposure.revision);
        if wanted.is_none() && record.state.is_final() {
            return Reach::default();
        }
        let record_of_flag = flag(state, record);
        let flag = fleet::Flag {
            environment: &record.environment,
            set: record_of_flag.and_then(|record| record.flag.set.as_ref()),
            key: &record.plan.flag,
        };
        self.fleet.reach(&self.publisher, flag, wanted.unwrap_or(0), now_us)
    }
}

/// The flag of a rollout.
fn flag<'s>(state: &'s State, record: &RolloutRecord) -> Option<&'s FlagRecord> {
    let flag = Key::parse(&record.plan.flag).ok()?;
    state.flag(&record.environment, &flag).map(|record| &**record)
}

/// When the flag of a rollout was last written.
fn flag_changed_us(state: &State, record: &RolloutRecord) -> i64 {
    flag(state, record).map_or(0, |record| record.updated_at_us)
}

/// Whether the flag of a rollout is killed, disabled or gone.
fn is_off(state: &State, record: &RolloutRecord) -> bool {
    flag(state, record).is_none_or(|record| record.flag.killed || !record.flag.enabled)
}

/// Counts of the current visit of the current stage.
pub(crate) fn visit_counts(record: &RolloutRecord, evidence: &EvidenceRecord) -> Counts {
    let visit = record.state.visits.last().map_or(0, |visit| visit.visit);
    evidence.visit(record.state.stage as u8, visit)
}

/// What the guards say beside the evidence of those that may abort, and whether outcomes can be gone by at all.
fn concerns(examination: &Examination, visit: &Counts, evidence: &EvidenceRecord) -> Concerns {
    let mut holds = examination.holds.clone();
    if is_unsound(visit, evidence) {
        holds.push(HoldReason::Telemetry);
        holds.sort_unstable();
    }
    Concerns {
        warn: examination.standing.warn,
        hold: examination.standing.hold,
        rule: examination.rule,
        holds,
        is_early: examination.is_early,
        numbers: examination.numbers.clone(),
        signals: examination.signals.clone(),
    }
}

/// Whether more than a tenth of the outcomes was dropped, of a hundred at least.
fn is_unsound(visit: &Counts, evidence: &EvidenceRecord) -> bool {
    let outcomes = evidence.totals();
    let all = outcomes.treatment.outcomes.saturating_add(outcomes.control.outcomes);
    let counted = visit.treatment.outcomes.saturating_add(visit.control.outcomes);
    counted > 0 && evidence.dropped >= FEWEST_DROPPED && evidence.dropped.saturating_mul(9) > all
}

/// The items that a look at the state finds done.
fn checked(state: &State, record: &RolloutRecord, delivery: Delivery) -> Vec<String> {
    let control = Serve::Variant(record.plan.control.clone());
    let is_configured = flag(state, record).is_some_and(|record| {
        let flag = &record.flag;
        flag.enabled && !flag.killed && record.archived_at_us.is_none() && flag.default == control
    });
    let stops = !record.plan.guards.is_empty() || record.plan.stages.iter().any(|stage| !stage.rollback.is_empty());
    let found = [
        (Item::FLAG_CONFIGURED, is_configured),
        (Item::MONITORING, delivery.live > 0),
        (Item::ROLLBACK_PLAN, stops),
    ];
    let done = found.iter().filter(|(_, is_done)| *is_done);
    done.map(|(name, _)| (*name).to_owned()).collect()
}
