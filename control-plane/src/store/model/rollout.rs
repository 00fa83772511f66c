//! The stored form of a rollout: its frozen plan, its state, what happened, how it ended.

use std::sync::Arc;

use prost::Message;
use rollout::{
    EvidenceNumber, Guard, HoldReason, Horizon, Level, Metric, Phase, Plan, Share, Stage, State, Unit, Visit,
};

use super::{ModelError, SCHEMA, evidence::StoredCounts, key, number};
use crate::record::{End, EndCause, RolloutRecord, TransitionRecord};

/// A plan as stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredPlan {
    #[prost(uint32, tag = "1")]
    schema: u32,
    #[prost(string, tag = "2")]
    key: String,
    #[prost(string, tag = "3")]
    flag: String,
    #[prost(string, tag = "4")]
    description: String,
    #[prost(string, tag = "5")]
    treatment: String,
    #[prost(string, tag = "6")]
    control: String,
    /// 1 unit, 2 request.
    #[prost(uint32, tag = "7")]
    unit: u32,
    #[prost(message, repeated, tag = "8")]
    stages: Vec<StoredStage>,
    #[prost(message, repeated, tag = "9")]
    guards: Vec<StoredGuard>,
    #[prost(double, tag = "10")]
    alpha: f64,
    #[prost(double, tag = "11")]
    max_control_rate: f64,
    #[prost(int64, tag = "12")]
    lost_after_us: i64,
}

#[derive(Clone, PartialEq, Message)]
struct StoredStage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint32, tag = "2")]
    buckets: u32,
    #[prost(int64, tag = "3")]
    dwell_us: i64,
    #[prost(uint64, tag = "4")]
    minimum_outcomes: u64,
    #[prost(uint64, tag = "5")]
    minimum_units: u64,
}

#[derive(Clone, PartialEq, Message)]
struct StoredGuard {
    /// 1 error rate.
    #[prost(uint32, tag = "1")]
    metric: u32,
    #[prost(double, tag = "2")]
    limit: f64,
    /// 1 warn, 2 hold, 3 abort.
    #[prost(uint32, tag = "3")]
    level: u32,
}

/// A rollout as stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredRollout {
    #[prost(uint32, tag = "1")]
    pub(super) schema: u32,
    #[prost(bytes = "vec", tag = "2")]
    id: Vec<u8>,
    #[prost(string, tag = "3")]
    environment: String,
    #[prost(uint32, tag = "4")]
    index: u32,
    #[prost(uint32, tag = "5")]
    number: u32,
    #[prost(message, optional, tag = "6")]
    plan: Option<StoredPlan>,
    #[prost(message, optional, tag = "7")]
    state: Option<StoredState>,
    #[prost(bytes = "vec", tag = "8")]
    measuring_key: Vec<u8>,
    #[prost(string, tag = "9")]
    salt: String,
    #[prost(string, tag = "10")]
    started_by: String,
    #[prost(int64, tag = "11")]
    started_at_us: i64,
    #[prost(message, repeated, tag = "12")]
    transitions: Vec<StoredTransition>,
    #[prost(message, optional, tag = "13")]
    end: Option<StoredEnd>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredState {
    /// 1 delivering, 2 soaking, 3 held, 4 aborting, 5 aborted, 6 completed.
    #[prost(uint32, tag = "1")]
    phase: u32,
    /// Of a hold: 1 no agents, 2 no traffic, 3 no treatment traffic, 4 too few outcomes, 5 too few units, 6 stale, 7 evidence.
    #[prost(uint32, tag = "2")]
    hold_reason: u32,
    #[prost(uint64, tag = "3")]
    sequence: u64,
    #[prost(uint32, tag = "4")]
    stage: u32,
    #[prost(message, repeated, tag = "5")]
    visits: Vec<StoredVisit>,
    #[prost(message, repeated, tag = "6")]
    horizons: Vec<StoredVisit>,
    #[prost(int64, tag = "7")]
    soaked_us: i64,
    #[prost(int64, tag = "8")]
    observed_at_us: i64,
    #[prost(int64, tag = "9")]
    fresh_at_us: i64,
    #[prost(int64, tag = "10")]
    entered_at_us: i64,
    #[prost(int64, optional, tag = "11")]
    clock_started_at_us: Option<i64>,
    #[prost(int64, optional, tag = "12")]
    alone_since_us: Option<i64>,
    #[prost(int64, optional, tag = "13")]
    ended_at_us: Option<i64>,
}

/// A visit, or a horizon (whose visit is 0).
#[derive(Clone, PartialEq, Message)]
struct StoredVisit {
    #[prost(uint32, tag = "1")]
    stage: u32,
    #[prost(uint32, tag = "2")]
    visit: u32,
    #[prost(int64, tag = "3")]
    at_us: i64,
}

#[derive(Clone, PartialEq, Message)]
struct StoredTransition {
    #[prost(uint64, tag = "1")]
    sequence: u64,
    #[prost(int64, tag = "2")]
    at_us: i64,
    #[prost(string, tag = "3")]
    kind: String,
    #[prost(uint32, tag = "4")]
    stage: u32,
    #[prost(string, tag = "5")]
    detail: String,
    #[prost(string, tag = "6")]
    actor: String,
}

#[derive(Clone, PartialEq, Message)]
struct StoredEnd {
    #[prost(int64, tag = "1")]
    decided_at_us: i64,
    /// 1 evidence, 2 person, 3 completed.
    #[prost(uint32, tag = "2")]
    cause: u32,
    #[prost(string, tag = "3")]
    actor: String,
    #[prost(string, tag = "4")]
    reason: String,
    #[prost(uint32, tag = "5")]
    guard: u32,
    #[prost(uint32, tag = "6")]
    horizon: u32,
    #[prost(double, optional, tag = "7")]
    log_evidence: Option<f64>,
    #[prost(message, optional, tag = "8")]
    counts: Option<StoredCounts>,
    #[prost(int64, optional, tag = "9")]
    published_at_us: Option<i64>,
    #[prost(int64, optional, tag = "10")]
    applied_at_us: Option<i64>,
    #[prost(int64, optional, tag = "11")]
    persisted_at_us: Option<i64>,
    #[prost(int64, optional, tag = "12")]
    last_treatment_exposure_us: Option<i64>,
    #[prost(int64, optional, tag = "13")]
    time_to_zero_us: Option<i64>,
}

impl From<&Plan> for StoredPlan {
    fn from(plan: &Plan) -> Self {
        Self {
            schema: SCHEMA,
            key: plan.key.clone(),
            flag: plan.flag.clone(),
            description: plan.description.clone(),
            treatment: plan.treatment.clone(),
            control: plan.control.clone(),
            unit: match plan.unit {
                Unit::Unit => 1,
                Unit::Request => 2,
            },
            stages: plan
                .stages
                .iter()
                .map(|stage| StoredStage {
                    name: stage.name.clone(),
                    buckets: stage.share.get(),
                    dwell_us: stage.dwell_us,
                    minimum_outcomes: stage.minimum_outcomes,
                    minimum_units: stage.minimum_units,
                })
                .collect(),
            guards: plan.guards.iter().map(write_guard).collect(),
            alpha: plan.alpha,
            max_control_rate: plan.max_control_rate,
            lost_after_us: plan.lost_after_us,
        }
    }
}

fn write_guard(guard: &Guard) -> StoredGuard {
    let metric = match guard.metric {
        Metric::ErrorRate => 1,
    };
    let level = match guard.level {
        Level::Warn => 1,
        Level::Hold => 2,
        Level::Abort => 3,
    };
    StoredGuard {
        metric,
        limit: guard.limit,
        level,
    }
}

impl From<&RolloutRecord> for StoredRollout {
    fn from(record: &RolloutRecord) -> Self {
        Self {
            schema: SCHEMA,
            id: record.id.as_bytes().to_vec(),
            environment: record.environment.to_string(),
            index: record.index,
            number: record.number,
            plan: Some(StoredPlan::from(&*record.plan)),
            state: Some(write_state(&record.state)),
            measuring_key: record.measuring_key.to_be_bytes().to_vec(),
            salt: record.salt.clone(),
            started_by: record.started_by.clone(),
            started_at_us: record.started_at_us,
            transitions: record
                .transitions
                .iter()
                .cloned()
                .map(|made| StoredTransition {
                    sequence: made.sequence,
                    at_us: made.at_us,
                    kind: made.kind,
                    stage: made.stage,
                    detail: made.detail,
                    actor: made.actor,
                })
                .collect(),
            end: record.end.as_ref().map(write_end),
        }
    }
}

fn write_state(state: &State) -> StoredState {
    let (phase, hold_reason) = write_phase(state.phase);
    StoredState {
        phase,
        hold_reason,
        sequence: state.sequence,
        stage: state.stage as u32,
        visits: state
            .visits
            .iter()
            .map(|visit| StoredVisit {
                stage: visit.stage as u32,
                visit: visit.visit,
                at_us: visit.entered_at_us,
            })
            .collect(),
        horizons: state
            .horizons
            .iter()
            .map(|horizon| StoredVisit {
                stage: horizon.stage as u32,
                visit: 0,
                at_us: horizon.started_at_us,
            })
            .collect(),
        soaked_us: state.soaked_us,
        observed_at_us: state.observed_at_us,
        fresh_at_us: state.fresh_at_us,
        entered_at_us: state.entered_at_us,
        clock_started_at_us: state.clock_started_at_us,
        alone_since_us: state.alone_since_us,
        ended_at_us: state.ended_at_us,
    }
}

fn write_phase(phase: Phase) -> (u32, u32) {
    match phase {
        Phase::Delivering => (1, 0),
        Phase::Soaking => (2, 0),
        Phase::Held(reason) => (3, write_reason(reason)),
        Phase::Aborting => (4, 0),
        Phase::Aborted => (5, 0),
        Phase::Completed => (6, 0),
    }
}

fn write_reason(reason: HoldReason) -> u32 {
    match reason {
        HoldReason::NoAgents => 1,
        HoldReason::NoTraffic => 2,
        HoldReason::NoTreatmentTraffic => 3,
        HoldReason::TooFewOutcomes => 4,
        HoldReason::TooFewUnits => 5,
        HoldReason::Stale => 6,
        HoldReason::Evidence => 7,
    }
}

fn write_end(end: &End) -> StoredEnd {
    StoredEnd {
        decided_at_us: end.decided_at_us,
        cause: match end.cause {
            EndCause::Evidence => 1,
            EndCause::Person => 2,
            EndCause::Completed => 3,
        },
        actor: end.actor.clone(),
        reason: end.reason.clone(),
        guard: end.evidence.map_or(0, |evidence| evidence.guard as u32),
        horizon: end.evidence.map_or(0, |evidence| evidence.horizon as u32),
        log_evidence: end.evidence.map(|evidence| evidence.log_evidence),
        counts: Some(StoredCounts::from(&end.counts)),
        published_at_us: end.published_at_us,
        applied_at_us: end.applied_at_us,
        persisted_at_us: end.persisted_at_us,
        last_treatment_exposure_us: end.last_treatment_exposure_us,
        time_to_zero_us: end.time_to_zero_us,
    }
}

impl StoredPlan {
    /// The plan.
    fn read(self) -> Result<Plan, ModelError> {
        Ok(Plan {
            key: self.key,
            flag: self.flag,
            description: self.description,
            treatment: self.treatment,
            control: self.control,
            unit: match self.unit {
                1 => Unit::Unit,
                2 => Unit::Request,
                _ => return Err(ModelError::Field("plan.unit")),
            },
            stages: self.stages.into_iter().map(read_stage).collect::<Result<_, _>>()?,
            guards: self.guards.into_iter().map(read_guard).collect::<Result<_, _>>()?,
            alpha: self.alpha,
            max_control_rate: self.max_control_rate,
            lost_after_us: self.lost_after_us,
        })
    }
}

fn read_stage(stage: StoredStage) -> Result<Stage, ModelError> {
    Ok(Stage {
        name: stage.name,
        share: Share::new(stage.buckets).ok_or(ModelError::Field("plan.stages.buckets"))?,
        dwell_us: stage.dwell_us,
        minimum_outcomes: stage.minimum_outcomes,
        minimum_units: stage.minimum_units,
    })
}

fn read_guard(guard: StoredGuard) -> Result<Guard, ModelError> {
    let metric = match guard.metric {
        1 => Metric::ErrorRate,
        _ => return Err(ModelError::Field("plan.guards.metric")),
    };
    let level = match guard.level {
        1 => Level::Warn,
        2 => Level::Hold,
        3 => Level::Abort,
        _ => return Err(ModelError::Field("plan.guards.level")),
    };
    Ok(Guard {
        metric,
        limit: guard.limit,
        level,
    })
}

impl StoredRollout {
    /// The record.
    pub(super) fn read(self, revision: u64) -> Result<RolloutRecord, ModelError> {
        Ok(RolloutRecord {
            id: uuid::Uuid::from_slice(&self.id).map_err(|_| ModelError::Field("id"))?,
            environment: key("environment", &self.environment)?,
            index: self.index,
            number: self.number,
            plan: Arc::new(self.plan.ok_or(ModelError::Field("plan"))?.read()?),
            state: read_state(self.state.ok_or(ModelError::Field("state"))?)?,
            measuring_key: number("measuring_key", &self.measuring_key)?,
            salt: self.salt,
            started_by: self.started_by,
            started_at_us: self.started_at_us,
            transitions: self
                .transitions
                .into_iter()
                .map(|made| TransitionRecord {
                    sequence: made.sequence,
                    at_us: made.at_us,
                    kind: made.kind,
                    stage: made.stage,
                    detail: made.detail,
                    actor: made.actor,
                })
                .collect(),
            end: self.end.map(read_end).transpose()?,
            revision,
        })
    }
}

fn read_state(state: StoredState) -> Result<State, ModelError> {
    Ok(State {
        phase: read_phase(state.phase, state.hold_reason)?,
        sequence: state.sequence,
        stage: state.stage as usize,
        visits: state
            .visits
            .iter()
            .map(|visit| Visit {
                stage: visit.stage as usize,
                visit: visit.visit,
                entered_at_us: visit.at_us,
            })
            .collect(),
        horizons: state
            .horizons
            .iter()
            .map(|horizon| Horizon {
                stage: horizon.stage as usize,
                started_at_us: horizon.at_us,
            })
            .collect(),
        soaked_us: state.soaked_us,
        observed_at_us: state.observed_at_us,
        fresh_at_us: state.fresh_at_us,
        entered_at_us: state.entered_at_us,
        clock_started_at_us: state.clock_started_at_us,
        alone_since_us: state.alone_since_us,
        ended_at_us: state.ended_at_us,
    })
}

fn read_phase(phase: u32, hold_reason: u32) -> Result<Phase, ModelError> {
    Ok(match phase {
        1 => Phase::Delivering,
        2 => Phase::Soaking,
        3 => Phase::Held(match hold_reason {
            1 => HoldReason::NoAgents,
            2 => HoldReason::NoTraffic,
            3 => HoldReason::NoTreatmentTraffic,
            4 => HoldReason::TooFewOutcomes,
            5 => HoldReason::TooFewUnits,
            6 => HoldReason::Stale,
            7 => HoldReason::Evidence,
            _ => return Err(ModelError::Field("state.hold_reason")),
        }),
        4 => Phase::Aborting,
        5 => Phase::Aborted,
        6 => Phase::Completed,
        _ => return Err(ModelError::Field("state.phase")),
    })
}

fn read_end(end: StoredEnd) -> Result<End, ModelError> {
    let cause = match end.cause {
        1 => EndCause::Evidence,
        2 => EndCause::Person,
        3 => EndCause::Completed,
        _ => return Err(ModelError::Field("end.cause")),
    };
    let evidence = end.log_evidence.map(|log_evidence| EvidenceNumber {
        guard: end.guard as usize,
        horizon: end.horizon as usize,
        log_evidence,
    });
    Ok(End {
        decided_at_us: end.decided_at_us,
        cause,
        actor: end.actor,
        reason: end.reason,
        evidence,
        counts: end.counts.unwrap_or_default().read(),
        published_at_us: end.published_at_us,
        applied_at_us: end.applied_at_us,
        persisted_at_us: end.persisted_at_us,
        last_treatment_exposure_us: end.last_treatment_exposure_us,
        time_to_zero_us: end.time_to_zero_us,
    })
}
