//! The stored form of every record: prost messages of a package of their own, never an rpc's.
//!
//! Tags are never renumbered or reused; growth is additive. Reading is total: a value either becomes its domain record
//! or says what is wrong with it, and the process refuses to start on one that it cannot read.

mod agent;
mod audit;
mod baseline;
mod batch;
mod captured;
mod condition;
mod counted;
mod desk;
mod dismissal;
mod end;
mod evidence;
mod exit;
mod flag;
mod levels;
mod outbox;
mod plan;
mod push;
mod reading;
mod recovery;
mod rollout;
mod schedule;
mod segment;
mod state;
mod sums;
mod version;
mod webhook;

pub(crate) use agent::KnownAgent;
pub(crate) use audit::{Act, AuditRecord};
pub(crate) use baseline::{read_baseline, write_baseline};
pub(crate) use batch::{
    MarkPage, PositionPage, SampleSet, SealedArm, SealedBatch, SealedCounts, SealedSamples, StoredMark,
};
pub(crate) use captured::{read_captured, write_captured};
pub(crate) use push::{read_pushed, read_waiting, write_pushed, write_waiting};
pub(crate) use sums::{read_sums, write_sums};
pub(crate) use version::{Document, VersionRecord, read_version, write_version};
pub(crate) use webhook::{
    read_delivery, read_position, read_tally, read_webhook, write_delivery, write_position, write_tally, write_webhook,
};

use bytes::Bytes;
use prost::Message;

use crate::levels::{HeldLevels, Kept};
use crate::members::{Chunk, ChunkId};
use crate::record::{
    EnvironmentRecord, Exit, FlagRecord, Latch, PlanRecord, RolloutRecord, SegmentRecord, Soak, TransitionRecord,
};
use crate::{events::Event, evidence::EvidenceRecord, record::Exposure, schedule::ScheduleRecord};

/// The version that this build writes.
const SCHEMA: u32 = 1;

/// A stored value that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ModelError {
    /// Not the message it should be.
    #[error("cannot be decoded: {0}")]
    Decode(String),
    /// Written by a newer build.
    #[error("has schema {0}, this build reads up to {SCHEMA}; run a newer build")]
    Schema(u32),
    /// A field holds what it may not.
    #[error("field {0} is missing or out of range")]
    Field(&'static str),
}

fn decode<M: Message + Default>(bytes: &[u8], schema: impl Fn(&M) -> u32) -> Result<M, ModelError> {
    let message = M::decode(bytes).map_err(|error| ModelError::Decode(error.to_string()))?;
    match schema(&message) {
        found if found > SCHEMA => Err(ModelError::Schema(found)),
        _ => Ok(message),
    }
}

fn key(field: &'static str, text: &str) -> Result<evaluation::Key, ModelError> {
    evaluation::Key::parse(text).map_err(|_| ModelError::Field(field))
}

fn number(field: &'static str, bytes: &[u8]) -> Result<u128, ModelError> {
    <[u8; 16]>::try_from(bytes)
        .map(u128::from_be_bytes)
        .map_err(|_| ModelError::Field(field))
}

/// An environment as stored.
#[derive(Clone, PartialEq, Message)]
struct Environment {
    #[prost(uint32, tag = "1")]
    schema: u32,
    #[prost(string, tag = "2")]
    key: String,
    /// 1 development, 2 staging, 3 production.
    #[prost(uint32, tag = "3")]
    kind: u32,
    #[prost(uint32, tag = "4")]
    order: u32,
    #[prost(bytes = "vec", tag = "5")]
    token_key: Vec<u8>,
    #[prost(string, tag = "6")]
    description: String,
}

/// A latch as stored.
#[derive(Clone, PartialEq, Message)]
struct StoredLatch {
    #[prost(uint32, tag = "1")]
    schema: u32,
    #[prost(int64, tag = "2")]
    at_us: i64,
    #[prost(string, tag = "3")]
    actor: String,
    #[prost(string, tag = "4")]
    reason: String,
}

/// An exposure, a soak, a count: two small numbers.
#[derive(Clone, PartialEq, Message)]
struct Pair {
    #[prost(uint32, tag = "1")]
    schema: u32,
    #[prost(uint32, tag = "2")]
    first: u32,
    #[prost(int64, tag = "3")]
    second: i64,
}

/// Writes an environment.
pub(crate) fn write_environment(record: &EnvironmentRecord) -> Bytes {
    let environment = &record.environment;
    let kind = match environment.kind {
        evaluation::EnvironmentKind::Development => 1,
        evaluation::EnvironmentKind::Staging => 2,
        evaluation::EnvironmentKind::Production => 3,
    };
    Environment {
        schema: SCHEMA,
        key: environment.key.to_string(),
        kind,
        order: environment.order,
        token_key: environment.token_key.to_be_bytes().to_vec(),
        description: record.description.clone(),
    }
    .encode_to_vec()
    .into()
}

/// Reads an environment.
pub(crate) fn read_environment(bytes: &[u8], revision: u64) -> Result<EnvironmentRecord, ModelError> {
    let stored = decode::<Environment>(bytes, |stored| stored.schema)?;
    let kind = match stored.kind {
        1 => evaluation::EnvironmentKind::Development,
        2 => evaluation::EnvironmentKind::Staging,
        3 => evaluation::EnvironmentKind::Production,
        _ => return Err(ModelError::Field("kind")),
    };
    Ok(EnvironmentRecord {
        environment: evaluation::Environment {
            key: key("key", &stored.key)?,
            kind,
            order: stored.order,
            token_key: number("token_key", &stored.token_key)?,
        },
        description: stored.description,
        revision,
    })
}

/// Writes a latch.
pub(crate) fn write_latch(latch: &Latch) -> Bytes {
    StoredLatch {
        schema: SCHEMA,
        at_us: latch.at_us,
        actor: latch.actor.clone(),
        reason: latch.reason.clone(),
    }
    .encode_to_vec()
    .into()
}

/// Reads a latch.
pub(crate) fn read_latch(bytes: &[u8]) -> Result<Latch, ModelError> {
    let stored = decode::<StoredLatch>(bytes, |stored| stored.schema)?;
    Ok(Latch {
        at_us: stored.at_us,
        actor: stored.actor,
        reason: stored.reason,
    })
}

/// Writes an exposure.
pub(crate) fn write_exposure(stage: u32, buckets: u32) -> Bytes {
    Pair {
        schema: SCHEMA,
        first: stage,
        second: i64::from(buckets),
    }
    .encode_to_vec()
    .into()
}

/// Reads an exposure.
pub(crate) fn read_exposure(bytes: &[u8], revision: u64) -> Result<Exposure, ModelError> {
    let stored = decode::<Pair>(bytes, |stored| stored.schema)?;
    let buckets = u32::try_from(stored.second).map_err(|_| ModelError::Field("buckets"))?;
    Ok(Exposure {
        stage: stored.first,
        buckets,
        revision,
    })
}

/// Writes a soak.
pub(crate) fn write_soak(soak: Soak) -> Bytes {
    Pair {
        schema: SCHEMA,
        first: soak.visits,
        second: soak.soaked_us,
    }
    .encode_to_vec()
    .into()
}

/// Reads a soak.
pub(crate) fn read_soak(bytes: &[u8]) -> Result<Soak, ModelError> {
    let stored = decode::<Pair>(bytes, |stored| stored.schema)?;
    Ok(Soak {
        visits: stored.first,
        soaked_us: stored.second,
    })
}

/// Writes a rollout's id, as the index and the active key hold it.
pub(crate) fn write_id(id: uuid::Uuid) -> Bytes {
    Bytes::copy_from_slice(id.as_bytes())
}

/// Reads a rollout's id.
pub(crate) fn read_id(bytes: &[u8]) -> Result<uuid::Uuid, ModelError> {
    uuid::Uuid::from_slice(bytes).map_err(|_| ModelError::Field("id"))
}

/// Writes a count.
pub(crate) fn write_count(count: u32) -> Bytes {
    Pair {
        schema: SCHEMA,
        first: count,
        second: 0,
    }
    .encode_to_vec()
    .into()
}

/// Reads a count.
pub(crate) fn read_count(bytes: &[u8]) -> Result<u32, ModelError> {
    decode::<Pair>(bytes, |stored| stored.schema).map(|stored| stored.first)
}

/// Writes a flag.
pub(crate) fn write_flag(record: &FlagRecord) -> Bytes {
    flag::StoredFlag::from(record).encode_to_vec().into()
}

/// Reads a flag.
pub(crate) fn read_flag(bytes: &[u8], revision: u64) -> Result<FlagRecord, ModelError> {
    decode::<flag::StoredFlag>(bytes, |stored| stored.schema)?.read(revision)
}

/// Writes a segment; its members are named by their chunks.
pub(crate) fn write_segment(record: &SegmentRecord) -> Bytes {
    segment::StoredSegment::from(record).encode_to_vec().into()
}

/// Reads a segment.
pub(crate) fn read_segment(bytes: &[u8], revision: u64) -> Result<SegmentRecord, ModelError> {
    decode::<segment::StoredSegment>(bytes, |stored| stored.schema)?.read(revision)
}

/// Writes a chunk of a member list.
pub(crate) fn write_chunk(chunk: &Chunk) -> Bytes {
    segment::StoredChunk::from(chunk).encode_to_vec().into()
}

/// Reads a chunk of a member list.
pub(crate) fn read_chunk(bytes: &[u8]) -> Result<Chunk, ModelError> {
    decode::<segment::StoredChunk>(bytes, |stored| stored.schema)?.read()
}

/// Writes an upload: when it began, and the chunks that it brings.
pub(crate) fn write_upload(at_us: i64, chunks: impl Iterator<Item = ChunkId>) -> Bytes {
    segment::StoredUpload {
        schema: SCHEMA,
        at_us,
        chunks: chunks.map(|id| id.0.to_be_bytes().to_vec()).collect(),
    }
    .encode_to_vec()
    .into()
}

/// Reads an upload.
pub(crate) fn read_upload(bytes: &[u8]) -> Result<(i64, Vec<ChunkId>), ModelError> {
    let stored = decode::<segment::StoredUpload>(bytes, |stored| stored.schema)?;
    let ids = stored.chunks.iter().map(|id| number("chunks", id).map(ChunkId));
    Ok((stored.at_us, ids.collect::<Result<_, _>>()?))
}

/// Writes a rollout.
pub(crate) fn write_rollout(record: &RolloutRecord) -> Bytes {
    rollout::StoredRollout::from(record).encode_to_vec().into()
}

/// Reads a rollout.
pub(crate) fn read_rollout(bytes: &[u8], revision: u64) -> Result<RolloutRecord, ModelError> {
    decode::<rollout::StoredRollout>(bytes, |stored| stored.schema)?.read(revision)
}

/// Writes a transition by itself.
pub(crate) fn write_transition(made: &TransitionRecord) -> Bytes {
    rollout::StoredTransition::from(made).encode_to_vec().into()
}

/// Reads a transition by itself.
pub(crate) fn read_transition(bytes: &[u8]) -> Result<TransitionRecord, ModelError> {
    decode::<rollout::StoredTransition>(bytes, |_| 0)?.read()
}

/// Writes what is held of a rollout's levels.
pub(crate) fn write_levels(held: &HeldLevels) -> Bytes {
    levels::StoredLevels::from(held).encode_to_vec().into()
}

/// Reads what is held of a rollout's levels.
pub(crate) fn read_levels(bytes: &[u8], revision: u64) -> Result<HeldLevels, ModelError> {
    decode::<levels::StoredLevels>(bytes, |stored| stored.schema)?.read(revision)
}

/// Writes readings of levels that were taken in together.
pub(crate) fn write_reading(kept: &Kept) -> Bytes {
    reading::StoredKept::from(kept).encode_to_vec().into()
}

/// Reads readings of levels that were taken in together.
pub(crate) fn read_reading(bytes: &[u8]) -> Result<Kept, ModelError> {
    decode::<reading::StoredKept>(bytes, |stored| stored.schema)?.read()
}

/// Writes what was known when a stage was left.
pub(crate) fn write_exit(exit: &Exit) -> Bytes {
    exit::StoredExit::from(exit).encode_to_vec().into()
}

/// Reads what was known when a stage was left.
pub(crate) fn read_exit(bytes: &[u8]) -> Result<Exit, ModelError> {
    decode::<exit::StoredExit>(bytes, |stored| stored.schema)?.read()
}

/// Writes events of one moment.
pub(crate) fn write_events(events: &[Event]) -> Bytes {
    outbox::StoredEvents::from(events).encode_to_vec().into()
}

/// Reads events of one moment.
pub(crate) fn read_events(bytes: &[u8]) -> Result<Vec<Event>, ModelError> {
    decode::<outbox::StoredEvents>(bytes, |stored| stored.schema)?.read()
}

/// Writes a store revision.
pub(crate) fn write_revision(revision: u64) -> Bytes {
    Pair {
        schema: SCHEMA,
        first: 0,
        second: i64::try_from(revision).unwrap_or(i64::MAX),
    }
    .encode_to_vec()
    .into()
}

/// Reads a store revision.
pub(crate) fn read_revision(bytes: &[u8]) -> Result<u64, ModelError> {
    let stored = decode::<Pair>(bytes, |stored| stored.schema)?;
    u64::try_from(stored.second).map_err(|_| ModelError::Field("revision"))
}

/// Writes a plan document.
pub(crate) fn write_plan(record: &PlanRecord) -> Bytes {
    plan::StoredPlan::from(record).encode_to_vec().into()
}

/// Reads a plan document.
pub(crate) fn read_plan(bytes: &[u8], revision: u64) -> Result<PlanRecord, ModelError> {
    decode::<plan::StoredPlan>(bytes, |stored| stored.schema)?.read(revision)
}

/// Writes the evidence of a rollout.
pub(crate) fn write_evidence(record: &EvidenceRecord) -> Bytes {
    evidence::StoredEvidence::from(record).encode_to_vec().into()
}

/// Reads the evidence of a rollout.
pub(crate) fn read_evidence(bytes: &[u8], revision: u64) -> Result<EvidenceRecord, ModelError> {
    decode::<evidence::StoredEvidence>(bytes, |stored| stored.schema)?.read(revision)
}

/// Writes what is known of an agent.
pub(crate) fn write_agent(agent: &KnownAgent) -> Bytes {
    agent::StoredAgent::from(agent).encode_to_vec().into()
}

/// Reads what is known of an agent.
pub(crate) fn read_agent(bytes: &[u8]) -> Result<KnownAgent, ModelError> {
    decode::<agent::StoredAgent>(bytes, |stored| stored.schema)?.read()
}

/// Writes a schedule.
pub(crate) fn write_schedule(record: &ScheduleRecord) -> Bytes {
    schedule::StoredSchedule::from(record).encode_to_vec().into()
}

/// Reads a schedule.
pub(crate) fn read_schedule(bytes: &[u8], revision: u64) -> Result<ScheduleRecord, ModelError> {
    decode::<schedule::StoredSchedule>(bytes, |stored| stored.schema)?.read(revision)
}

#[cfg(test)]
mod tests;
