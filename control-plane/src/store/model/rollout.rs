//! The stored form of a rollout: its frozen plan, its state, what happened, how it ended.

use std::sync::Arc;

use prost::Message;
use rollout::{HoldReason, Horizon, Phase, State, Visit};

use super::{
    ModelError, SCHEMA,
    end::{StoredEnd, read_end, write_end},
    key, number,
    plan::StoredPlan,
};
use crate::record::{RolloutRecord, TransitionRecord};

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
    /// Of a hold: 1 no agents, 2 no traffic, 3 no treatment traffic, 4 too few outcomes, 5 too few units, 6 stale, 7 evidence,
    /// 8 flag off.
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

/// A transition as stored: with its rollout, and for ever under a key of its own.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredTransition {
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
            transitions: record.transitions.iter().map(StoredTransition::from).collect(),
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
        HoldReason::FlagOff => 8,
    }
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
            transitions: self.transitions.into_iter().map(StoredTransition::read).collect(),
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
            8 => HoldReason::FlagOff,
            _ => return Err(ModelError::Field("state.hold_reason")),
        }),
        4 => Phase::Aborting,
        5 => Phase::Aborted,
        6 => Phase::Completed,
        _ => return Err(ModelError::Field("state.phase")),
    })
}

impl From<&TransitionRecord> for StoredTransition {
    fn from(made: &TransitionRecord) -> Self {
        let made = made.clone();
        Self {
            sequence: made.sequence,
            at_us: made.at_us,
            kind: made.kind,
            stage: made.stage,
            detail: made.detail,
            actor: made.actor,
        }
    }
}

impl StoredTransition {
    fn read(self) -> TransitionRecord {
        TransitionRecord {
            sequence: self.sequence,
            at_us: self.at_us,
            kind: self.kind,
            stage: self.stage,
            detail: self.detail,
            actor: self.actor,
        }
    }
}
