//! A rollout as operators see it: the record, with evidence, counts and delivery as they are at this moment.
//!
//! Nothing is decided here; every number is read from the same state that the engine reads.

mod guards;
mod parts;
mod side;
mod signals;
mod stages;

use std::{cmp::Reverse, sync::Arc};

use proto::v1;
use rollout::{
    EvidenceNumber, Facts, Phase,
    evidence::budget::{self, Ladder, Standing},
};

pub(super) use self::{
    guards::unit_of,
    parts::{exit, planned, transition, waits},
    stages::measured,
};
use crate::{
    engine::facts::{self, Gathered, Sources},
    evidence::{ArmCounts, Counts},
    plan_wire,
    record::{End, EndCause, Recovery, RolloutRecord},
    state::State,
    stuck::Stuck,
    sync::fleet::Reach,
    truth::Truth,
};

/// How long a proof is awaited once an abort is on every live agent's disk.
const PROOF_US: i64 = 15_000_000;

/// All that a view of a rollout needs.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(super) truth: Truth,
    pub(super) sources: Sources,
}

impl View {
    /// A view over the parts that know.
    pub(crate) fn new(truth: Truth, sources: Sources) -> Self {
        Self { truth, sources }
    }

    /// Agents that have not got what is wanted: those that are known and not live, and those that were live at the end
    /// and have not been heard of since this process began.
    fn unreached(&self, record: &RolloutRecord, reach: &Reach) -> Vec<String> {
        let awaited = record.end.iter().flat_map(|end| &end.awaited);
        let unheard = awaited.filter(|agent| !self.sources.fleet.knows(&record.environment, agent));
        reach.unreached.iter().chain(unheard).cloned().collect()
    }

    /// A rollout as it is now, with what it would do from here on.
    pub(super) fn whole(&self, state: &State, record: &RolloutRecord, now_us: i64) -> v1::Rollout {
        v1::Rollout {
            next_steps: parts::next_steps(&record.plan, &self.sources.progress(state, record), now_us),
            ..self.seen(state, record, now_us)
        }
    }

    /// The rollouts that are under way, the newest first: so many of them as they are now, and how many there are besides.
    pub(crate) fn under_way(&self, most: usize, now_us: i64) -> (Vec<v1::Rollout>, usize) {
        let state = self.truth.state();
        let is_under_way = |record: &&Arc<RolloutRecord>| {
            let phase = record.state.phase;
            !record.standing && (phase.is_live() || phase == Phase::Aborting)
        };
        let mut records: Vec<_> = state.rollouts.values().filter(is_under_way).collect();
        records.sort_by_key(|record| Reverse(record.id));
        let omitted = records.len().saturating_sub(most);
        let shown = records.iter().take(most);
        (shown.map(|record| self.seen(&state, record, now_us)).collect(), omitted)
    }

    /// A rollout as it is now, with its guards and both arms.
    fn seen(&self, state: &State, record: &RolloutRecord, now_us: i64) -> v1::Rollout {
        let gathered = self.sources.gather(state, record, false, now_us);
        let evidence = state.evidence_of(record.id);
        v1::Rollout {
            guard_views: guards::views(record, &evidence, &gathered, now_us),
            side_by_side: Some(side::side(record, &evidence, &gathered.known.measures)),
            ..self.of(state, record, &gathered, now_us)
        }
    }

    /// A rollout as it is now.
    pub(super) fn rollout(&self, state: &State, record: &RolloutRecord, now_us: i64) -> v1::Rollout {
        let gathered = self.sources.gather(state, record, false, now_us);
        self.of(state, record, &gathered, now_us)
    }

    fn of(&self, state: &State, record: &RolloutRecord, gathered: &Gathered, now_us: i64) -> v1::Rollout {
        let progress = self.sources.progress(state, record);
        let known = &gathered.known;
        let evidence = state.evidence_of(record.id);
        let reach = self.sources.reach(state, record, now_us);
        let unreached = self.unreached(record, &reach);
        let exposure = state.exposures.get(&record.id).copied();
        let wanted_buckets = exposure.map_or_else(|| last_wanted(record), |exposure| exposure.buckets);
        let acked_buckets = if exposure.is_none() || reach.delivery.is_applied() {
            wanted_buckets
        } else {
            before(record, record.end.is_some())
        };
        let mut shown = evidence_now(record, &gathered.examination.standing);
        shown.batches = evidence.batches;
        shown.fresh = known.fresh;
        let stuck = Stuck::of(record, now_us);
        let desk = &progress.desk;
        v1::Rollout {
            id: record.id.to_string(),
            name: record.name(),
            environment: record.environment.to_string(),
            index: record.index,
            plan: Some(plan_wire::write(&record.plan)),
            phase: parts::phase(record.state.phase).into(),
            hold_reason: progress
                .holds
                .first()
                .map(|reason| reason.name().to_owned())
                .unwrap_or_default(),
            stage: record.state.stage as u32,
            sequence: record.state.sequence,
            started_by: record.started_by.clone(),
            started_at_us: record.started_at_us,
            stage_entered_at_us: record.state.entered_at_us,
            clock_started_at_us: record.state.clock_started_at_us.unwrap_or(0),
            soaked_us: progress.soaked_us,
            wanted_buckets,
            acked_buckets,
            delivery: Some(delivery(
                &reach,
                unreached,
                exposure.map_or(0, |exposure| exposure.revision),
            )),
            evidence: Some(shown),
            stage_counts: Some(counts(&facts::visit_counts(record, &evidence))),
            total_counts: Some(counts(&evidence.totals())),
            end: record.end.as_ref().map(|end| end_shown(record, end)),
            transitions: record.transitions.iter().map(transition).collect(),
            hold_reasons: progress.holds.iter().map(|reason| reason.name().to_owned()).collect(),
            waits: waits_now(record, &progress, known, now_us),
            next_steps: Vec::new(),
            dwell_us: stages::dwell_us(&record.plan, &progress),
            permanent: record
                .plan
                .stages
                .get(progress.stage)
                .is_some_and(|stage| stage.dwell.finite_us().is_none()),
            extensions: progress.extensions,
            baking_since_us: progress.baking_since_us.unwrap_or(0),
            measured_buckets: stages::measured(&facts::visit_counts(record, &evidence)),
            criteria: stages::criteria(&record.plan, &progress, known),
            guards: stages::guards(&record.plan, &gathered.examination),
            approvals: parts::approvals(&record.plan, desk),
            items: stages::items(&record.plan, &progress, known),
            issues: parts::issues(&record.plan, desk),
            acknowledged_at_us: desk.acknowledged_at_us.unwrap_or(0),
            archived: desk.archived,
            plan_version: record.plan_version,
            plan_hash: format!("{:032x}", desk.plan_hash),
            stuck: stuck.is_some(),
            question: stuck.map(|stuck| stuck.question(now_us)).unwrap_or_default(),
            retry_of: record.retry_of.map(|id| retried(state, record, id)).unwrap_or_default(),
            reshuffled: record.reshuffled,
            guard_views: Vec::new(),
            side_by_side: None,
            signals: signals::signals(&record.plan, &progress, known),
            levels: parts::levels(&record.plan, self.sources.levels.shown(state, record, now_us)),
        }
    }
}

fn waits_now(record: &RolloutRecord, progress: &rollout::State, known: &Facts, now_us: i64) -> Vec<v1::Waiting> {
    let found = rollout::waits(&record.plan, progress, known, now_us);
    waits(&record.plan, progress, &found, now_us)
}

/// The name of the rollout that another is a retry of.
fn retried(state: &State, record: &RolloutRecord, id: uuid::Uuid) -> String {
    let found = state.rollout(&record.environment, id);
    found.map_or_else(|| id.to_string(), |found| found.name())
}

/// Whether nothing about a rollout is still to come.
pub(super) fn is_settled(record: &RolloutRecord, now_us: i64) -> bool {
    let Some(end) = record.end.as_ref().filter(|_| record.state.is_final()) else {
        return false;
    };
    match end.cause {
        EndCause::Completed => end.persisted_at_us.is_some() || now_us - end.decided_at_us > PROOF_US,
        EndCause::Time => true,
        EndCause::Evidence
        | EndCause::Person
        | EndCause::Rule
        | EndCause::Trigger
        | EndCause::Criterion
        | EndCause::Withdrawn
        | EndCause::Edit => {
            let delivered_us = end.persisted_at_us.unwrap_or(end.decided_at_us);
            end.time_to_zero_us.is_some() || now_us - delivered_us > PROOF_US
        }
    }
}

/// What was wanted at the end, when nothing is measured any longer.
fn last_wanted(record: &RolloutRecord) -> u32 {
    if record.state.is_withdrawn() || record.state.phase.is_before_start() {
        0
    } else {
        share(record, record.state.stage)
    }
}

/// What was exposed before what is wanted now.
fn before(record: &RolloutRecord, is_over: bool) -> u32 {
    let mut visits = record.state.visits.iter().rev();
    // An end is wanted after the last visit, a stage after the one before it.
    let earlier = if is_over { visits.next() } else { visits.nth(1) };
    earlier.map_or(0, |visit| share(record, visit.stage))
}

fn share(record: &RolloutRecord, stage: usize) -> u32 {
    record.plan.wanted(stage).get()
}

fn delivery(reach: &Reach, unreached: Vec<String>, wanted_revision: u64) -> v1::Delivery {
    v1::Delivery {
        wanted_revision,
        live: reach.delivery.live,
        applied: reach.delivery.applied,
        persisted: reach.delivery.persisted,
        unreached,
    }
}

/// The evidence that has come furthest, within the levels of the guards: that of a guard that may only hold, where it is
/// what holds the rollout.
fn evidence_now(record: &RolloutRecord, standing: &Standing) -> v1::Evidence {
    let culprit = standing.culprit(record.plan.alpha);
    let (rung, number) = match culprit {
        Some((rung, number)) => (rung, Some(number)),
        None => (Ladder::None, standing.abort.or(standing.hold).or(standing.warn)),
    };
    v1::Evidence {
        level: rung.name().to_owned(),
        ..evidence_shown(record, number)
    }
}

fn evidence_shown(record: &RolloutRecord, number: Option<EvidenceNumber>) -> v1::Evidence {
    let log_abort = -record.plan.alpha.ln();
    let level = number.map_or("none", |number| {
        budget::level(number.log_evidence, record.plan.alpha).name()
    });
    v1::Evidence {
        log_evidence: number.map(|number| number.log_evidence),
        log_warn: log_abort + 0.2f64.ln(),
        log_hold: log_abort + 0.5f64.ln(),
        log_abort,
        level: level.to_owned(),
        guard: number.map_or(0, |number| number.guard as u32),
        horizon: number.map_or(0, |number| number.horizon as u32),
        batches: 0,
        fresh: false,
    }
}

fn counts(counts: &Counts) -> v1::ArmCounts {
    let arm = |arm: &ArmCounts| v1::ArmCount {
        exposures: arm.exposures,
        outcomes: arm.outcomes,
        bad: arm.bad,
        bad_units: arm.bad_units,
        units_estimate: arm.units_estimate(),
        units_at_least: arm.units_at_least(),
    };
    v1::ArmCounts {
        treatment: Some(arm(&counts.treatment)),
        control: Some(arm(&counts.control)),
    }
}

fn end_shown(record: &RolloutRecord, end: &End) -> v1::RolloutEnd {
    v1::RolloutEnd {
        decided_at_us: end.decided_at_us,
        outcome: end.cause.outcome().to_owned(),
        cause: end.cause.name().to_owned(),
        actor: end.actor.clone(),
        reason: end.reason.clone(),
        evidence: Some(v1::Evidence {
            batches: end.batches,
            fresh: end.fresh,
            ..evidence_shown(record, end.evidence)
        }),
        counts: Some(counts(&end.counts)),
        applied_at_us: end.applied_at_us.unwrap_or(0),
        persisted_at_us: end.persisted_at_us.unwrap_or(0),
        last_treatment_exposure_us: end.last_treatment_exposure_us.unwrap_or(0),
        time_to_zero_us: end.time_to_zero_us.unwrap_or(0),
        published_at_us: end.published_at_us.unwrap_or(0),
        recovery: end
            .recovery
            .as_ref()
            .map(|recovery| recovery_shown(record, end, recovery)),
        time_to_trip_us: record
            .state
            .clock_started_at_us
            .map_or(0, |started_us| end.decided_at_us.saturating_sub(started_us).max(0)),
    }
}

fn recovery_shown(record: &RolloutRecord, end: &End, recovery: &Recovery) -> v1::Recovery {
    let guard = end.evidence.and_then(|evidence| record.plan.guards.get(evidence.guard));
    v1::Recovery {
        outcome: recovery
            .outcome
            .map_or("watching", |(outcome, _)| outcome.name())
            .to_owned(),
        at_us: recovery.outcome.map_or(0, |(_, at_us)| at_us),
        harm: recovery.harm.clone(),
        bar: recovery.bar.value,
        harmed: recovery.bar.harmed,
        value: recovery.reading.map(|reading| reading.value),
        outcomes: recovery.reading.map_or(0, |reading| reading.outcomes),
        unit: guard
            .map_or("", |guard| guards::unit_compared(&record.plan, guard))
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builders::rollout_of;

    #[test]
    fn until_an_end_is_applied_the_last_stage_is_exposed_and_before_the_first_nothing_is() {
        let first = rollout_of(rollout::Unit::Unit, &[5], 0);
        // It has reached both of its stages.
        let second = rollout_of(rollout::Unit::Unit, &[5, 50], 0);
        let mut waiting = first.clone();
        waiting.state.visits.clear();
        let shares = [&waiting, &first, &second].map(|record| (before(record, false), before(record, true)));
        assert_eq!(shares, [(0, 0), (0, 5_000), (5_000, 50_000)]);
    }

    #[test]
    fn the_evidence_that_is_shown_is_what_has_come_furthest_within_the_levels_of_the_guards() {
        let record = rollout_of(rollout::Unit::Unit, &[5], 0);
        let number = |guard, evidence: f64| {
            Some(EvidenceNumber {
                guard,
                horizon: 1,
                is_doubted: false,
                log_evidence: evidence.ln(),
            })
        };
        let shown = |abort, hold, warn| {
            let shown = evidence_now(&record, &Standing { warn, hold, abort });
            (shown.level, shown.guard)
        };
        let (small, large) = (number(0, 0.004), number(1, 1e40));
        assert_eq!(shown(small, None, None), ("none".to_owned(), 0));
        assert_eq!(shown(small, large, None), ("hold".to_owned(), 1));
        assert_eq!(shown(small, None, large), ("warn".to_owned(), 1));
        assert_eq!(
            shown(number(0, 60.0), large, None),
            ("hold".to_owned(), 0),
            "it may do more"
        );
        assert_eq!(shown(number(0, 100.0), large, None), ("abort".to_owned(), 0));
        assert_eq!(shown(None, number(1, 2.0), None), ("none".to_owned(), 1));
        assert_eq!(evidence_now(&record, &Standing::default()).log_evidence, None);
    }
}
