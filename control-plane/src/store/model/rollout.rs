//! The stored form of a rollout: its copy of the plan, its state, what happened, how it ended.

use std::sync::Arc;

use prost::Message;
use uuid::Uuid;

use super::{
    ModelError, SCHEMA,
    counted::StoredCounted,
    dismissal::StoredDismissal,
    end::{StoredEnd, read_end, write_end},
    key, number,
    state::StoredState,
};
use crate::{
    plan_wire,
    record::{RolloutRecord, TransitionRecord},
};

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
    /// The wire message of a plan (docs/adr/0017).
    #[prost(bytes = "bytes", tag = "6")]
    plan: bytes::Bytes,
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
    #[prost(uint32, tag = "14")]
    plan_version: u32,
    #[prost(uint32, tag = "15")]
    acked_buckets: u32,
    #[prost(bytes = "vec", tag = "16")]
    retry_of: Vec<u8>,
    #[prost(bool, tag = "17")]
    reshuffled: bool,
    #[prost(message, repeated, tag = "18")]
    counted: Vec<StoredCounted>,
    #[prost(bool, tag = "19")]
    standing: bool,
    #[prost(bytes = "vec", tag = "20")]
    recovery_of: Vec<u8>,
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
    #[prost(message, repeated, tag = "7")]
    dismissals: Vec<StoredDismissal>,
}

impl From<&RolloutRecord> for StoredRollout {
    fn from(record: &RolloutRecord) -> Self {
        Self {
            schema: SCHEMA,
            id: record.id.as_bytes().to_vec(),
            environment: record.environment.to_string(),
            index: record.index,
            number: record.number,
            plan: plan_wire::encode(&record.plan),
            state: Some(StoredState::from(&record.state)),
            measuring_key: record.measuring_key.to_be_bytes().to_vec(),
            salt: record.salt.clone(),
            started_by: record.started_by.clone(),
            started_at_us: record.started_at_us,
            transitions: record.transitions.iter().map(StoredTransition::from).collect(),
            end: record.end.as_ref().map(write_end),
            plan_version: record.plan_version,
            acked_buckets: record.acked_buckets,
            retry_of: written(record.retry_of),
            reshuffled: record.reshuffled,
            standing: record.standing,
            recovery_of: written(record.recovery_of),
            counted: record.counted.iter().map(StoredCounted::from).collect(),
        }
    }
}

impl StoredRollout {
    /// The record.
    pub(super) fn read(self, revision: u64) -> Result<RolloutRecord, ModelError> {
        Ok(RolloutRecord {
            id: Uuid::from_slice(&self.id).map_err(|_| ModelError::Field("id"))?,
            environment: key("environment", &self.environment)?,
            index: self.index,
            number: self.number,
            plan: Arc::new(plan_wire::decode(&self.plan).ok_or(ModelError::Field("plan"))?),
            plan_version: self.plan_version,
            counted: self
                .counted
                .into_iter()
                .map(StoredCounted::read)
                .collect::<Result<_, _>>()?,
            state: self.state.ok_or(ModelError::Field("state"))?.read()?,
            measuring_key: number("measuring_key", &self.measuring_key)?,
            salt: self.salt,
            started_by: self.started_by,
            started_at_us: self.started_at_us,
            transitions: (self.transitions.into_iter())
                .map(StoredTransition::read)
                .collect::<Result<_, _>>()?,
            acked_buckets: self.acked_buckets,
            retry_of: another("retry_of", &self.retry_of)?,
            reshuffled: self.reshuffled,
            standing: self.standing,
            recovery_of: another("recovery_of", &self.recovery_of)?,
            end: self.end.map(read_end).transpose()?,
            revision,
        })
    }
}

fn written(id: Option<Uuid>) -> Vec<u8> {
    id.map(|id| id.as_bytes().to_vec()).unwrap_or_default()
}

/// The id of another rollout, if there is one.
fn another(field: &'static str, id: &[u8]) -> Result<Option<Uuid>, ModelError> {
    match id {
        [] => Ok(None),
        id => Uuid::from_slice(id).map(Some).map_err(|_| ModelError::Field(field)),
    }
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
            dismissals: made.dismissals.iter().map(StoredDismissal::from).collect(),
        }
    }
}

impl StoredTransition {
    /// The transition.
    pub(super) fn read(self) -> Result<TransitionRecord, ModelError> {
        let dismissals = self.dismissals.into_iter().map(StoredDismissal::read);
        Ok(TransitionRecord {
            sequence: self.sequence,
            at_us: self.at_us,
            kind: self.kind,
            stage: self.stage,
            detail: self.detail,
            actor: self.actor,
            dismissals: dismissals.collect::<Result<_, _>>()?,
        })
    }
}
