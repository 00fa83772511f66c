//! A rollout as a value for programs: the wire's names, with percentages, moments (RFC 3339) and durations as text.
//!
//! Logarithms stay logarithms here: an evidence number can be larger than any float.

use proto::v1;
use serde::Serialize;

use super::{
    desk::{ApprovalView, CriterionView, IssueView, ItemView, StepView, WaitingView},
    guard::GuardView,
    level::LevelView,
    rollout_text,
    side::SideView,
    signal::SignalView,
};
use crate::{duration, flag_document::Percent, plan_document::PlanDocument, print};

/// A rollout.
#[derive(Debug, Serialize)]
pub(crate) struct RolloutView {
    id: String,
    name: String,
    environment: String,
    index: u32,
    plan: Option<PlanDocument>,
    phase: &'static str,
    hold_reason: String,
    stage: u32,
    sequence: u64,
    started_by: String,
    started_at: Option<String>,
    stage_entered_at: Option<String>,
    clock_started_at: Option<String>,
    soaked: String,
    wanted_percent: Percent,
    acked_percent: Percent,
    delivery: Option<DeliveryView>,
    evidence: Option<EvidenceView>,
    stage_counts: Option<CountsView>,
    total_counts: Option<CountsView>,
    end: Option<EndView>,
    transitions: Vec<TransitionView>,
    hold_reasons: Vec<String>,
    waits: Vec<WaitingView>,
    next_steps: Vec<StepView>,
    /// `permanent`: until a person says otherwise.
    dwell: String,
    extensions: u32,
    baking_since: Option<String>,
    measured_percent: Option<Percent>,
    criteria: Vec<CriterionView>,
    approvals: Vec<ApprovalView>,
    items: Vec<ItemView>,
    issues: Vec<IssueView>,
    acknowledged_at: Option<String>,
    archived: bool,
    plan_version: u32,
    plan_hash: String,
    stuck: bool,
    question: String,
    retry_of: String,
    reshuffled: bool,
    guards: Vec<CriterionView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    guard_views: Vec<GuardView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    side_by_side: Option<SideView>,
    levels: Vec<LevelView>,
    signals: Vec<SignalView>,
}

#[derive(Debug, Serialize)]
struct DeliveryView {
    wanted_revision: u64,
    live: u32,
    applied: u32,
    persisted: u32,
    unreached: Vec<String>,
}

/// As the wire has it.
#[derive(Debug, Serialize)]
pub(crate) struct EvidenceView {
    log_evidence: Option<f64>,
    log_warn: f64,
    log_hold: f64,
    log_abort: f64,
    level: String,
    guard: u32,
    horizon: u32,
    batches: u64,
    fresh: bool,
}

/// As the wire has it.
#[derive(Debug, Serialize)]
pub(crate) struct CountsView {
    treatment: CountView,
    control: CountView,
}

#[derive(Debug, Serialize)]
struct CountView {
    exposures: u64,
    outcomes: u64,
    bad: u64,
    bad_units: u64,
    units_estimate: u64,
    units_at_least: u64,
}

#[derive(Debug, Serialize)]
struct EndView {
    outcome: String,
    cause: String,
    actor: String,
    reason: String,
    decided_at: Option<String>,
    published_at: Option<String>,
    applied_at: Option<String>,
    persisted_at: Option<String>,
    last_treatment_exposure_at: Option<String>,
    time_to_trip_us: Option<i64>,
    time_to_zero_us: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery: Option<RecoveryView>,
    evidence: Option<EvidenceView>,
    counts: Option<CountsView>,
}

/// Whether what harmed is well again.
#[derive(Debug, Serialize)]
struct RecoveryView {
    outcome: String,
    at: Option<String>,
    harm: String,
    bar: f64,
    harmed: f64,
    value: Option<f64>,
    outcomes: u64,
    unit: String,
}

/// As the wire has it.
#[derive(Debug, Serialize)]
pub(crate) struct TransitionView {
    sequence: u64,
    at: Option<String>,
    kind: String,
    stage: u32,
    detail: String,
    actor: String,
}

impl RolloutView {
    /// Of a rollout that the control plane sent.
    pub(crate) fn of(rollout: &v1::Rollout) -> Self {
        Self {
            id: rollout.id.clone(),
            name: rollout.name.clone(),
            environment: rollout.environment.clone(),
            index: rollout.index,
            plan: rollout.plan.as_ref().map(PlanDocument::from_wire),
            phase: rollout_text::phase(rollout.phase()),
            hold_reason: rollout.hold_reason.clone(),
            stage: rollout.stage,
            sequence: rollout.sequence,
            started_by: rollout.started_by.clone(),
            started_at: print::timestamp(rollout.started_at_us),
            stage_entered_at: print::timestamp(rollout.stage_entered_at_us),
            clock_started_at: print::timestamp(rollout.clock_started_at_us),
            soaked: duration::exact(rollout.soaked_us),
            wanted_percent: Percent::of(rollout.wanted_buckets),
            acked_percent: Percent::of(rollout.acked_buckets),
            delivery: rollout.delivery.as_ref().map(DeliveryView::of),
            evidence: rollout.evidence.as_ref().map(EvidenceView::of),
            stage_counts: rollout.stage_counts.as_ref().map(CountsView::of),
            total_counts: rollout.total_counts.as_ref().map(CountsView::of),
            end: rollout.end.as_ref().map(EndView::of),
            transitions: rollout.transitions.iter().map(TransitionView::of).collect(),
            hold_reasons: rollout.hold_reasons.clone(),
            waits: rollout.waits.iter().map(WaitingView::of).collect(),
            next_steps: rollout.next_steps.iter().map(StepView::of).collect(),
            dwell: rollout_text::dwell(rollout),
            extensions: rollout.extensions,
            baking_since: print::timestamp(rollout.baking_since_us),
            measured_percent: rollout.measured_buckets.map(Percent::of),
            criteria: rollout.criteria.iter().map(CriterionView::of).collect(),
            approvals: rollout.approvals.iter().map(ApprovalView::of).collect(),
            items: rollout.items.iter().map(ItemView::of).collect(),
            issues: rollout.issues.iter().map(IssueView::of).collect(),
            acknowledged_at: print::timestamp(rollout.acknowledged_at_us),
            archived: rollout.archived,
            plan_version: rollout.plan_version,
            plan_hash: rollout.plan_hash.clone(),
            stuck: rollout.stuck,
            question: rollout.question.clone(),
            retry_of: rollout.retry_of.clone(),
            reshuffled: rollout.reshuffled,
            guards: rollout.guards.iter().map(CriterionView::of).collect(),
            guard_views: rollout.guard_views.iter().map(GuardView::of).collect(),
            side_by_side: rollout.side_by_side.as_ref().map(SideView::of),
            levels: rollout.levels.iter().map(LevelView::of).collect(),
            signals: rollout.signals.iter().map(SignalView::of).collect(),
        }
    }
}

impl DeliveryView {
    fn of(delivery: &v1::Delivery) -> Self {
        Self {
            wanted_revision: delivery.wanted_revision,
            live: delivery.live,
            applied: delivery.applied,
            persisted: delivery.persisted,
            unreached: delivery.unreached.clone(),
        }
    }
}

impl EvidenceView {
    /// Of what the control plane sent.
    pub(crate) fn of(evidence: &v1::Evidence) -> Self {
        Self {
            log_evidence: evidence.log_evidence,
            log_warn: evidence.log_warn,
            log_hold: evidence.log_hold,
            log_abort: evidence.log_abort,
            level: evidence.level.clone(),
            guard: evidence.guard,
            horizon: evidence.horizon,
            batches: evidence.batches,
            fresh: evidence.fresh,
        }
    }
}

impl CountsView {
    /// Of what the control plane sent.
    pub(crate) fn of(counts: &v1::ArmCounts) -> Self {
        let arm = |count: Option<&v1::ArmCount>| CountView::of(&count.copied().unwrap_or_default());
        Self {
            treatment: arm(counts.treatment.as_ref()),
            control: arm(counts.control.as_ref()),
        }
    }
}

impl CountView {
    fn of(count: &v1::ArmCount) -> Self {
        Self {
            exposures: count.exposures,
            outcomes: count.outcomes,
            bad: count.bad,
            bad_units: count.bad_units,
            units_estimate: count.units_estimate,
            units_at_least: count.units_at_least,
        }
    }
}

impl EndView {
    fn of(end: &v1::RolloutEnd) -> Self {
        Self {
            outcome: end.outcome.clone(),
            cause: end.cause.clone(),
            actor: end.actor.clone(),
            reason: end.reason.clone(),
            decided_at: print::timestamp(end.decided_at_us),
            published_at: print::timestamp(end.published_at_us),
            applied_at: print::timestamp(end.applied_at_us),
            persisted_at: print::timestamp(end.persisted_at_us),
            last_treatment_exposure_at: print::timestamp(end.last_treatment_exposure_us),
            time_to_trip_us: (end.time_to_trip_us != 0).then_some(end.time_to_trip_us),
            time_to_zero_us: (end.time_to_zero_us != 0).then_some(end.time_to_zero_us),
            recovery: end.recovery.as_ref().map(RecoveryView::of),
            evidence: end.evidence.as_ref().map(EvidenceView::of),
            counts: end.counts.as_ref().map(CountsView::of),
        }
    }
}

impl RecoveryView {
    fn of(recovery: &v1::Recovery) -> Self {
        Self {
            outcome: recovery.outcome.clone(),
            at: print::timestamp(recovery.at_us),
            harm: recovery.harm.clone(),
            bar: recovery.bar,
            harmed: recovery.harmed,
            value: recovery.value,
            outcomes: recovery.outcomes,
            unit: recovery.unit.clone(),
        }
    }
}

impl TransitionView {
    /// Of what the control plane sent.
    pub(crate) fn of(transition: &v1::Transition) -> Self {
        Self {
            sequence: transition.sequence,
            at: print::timestamp(transition.at_us),
            kind: transition.kind.clone(),
            stage: transition.stage,
            detail: transition.detail.clone(),
            actor: transition.actor.clone(),
        }
    }
}
