//! The truth in memory: what the store holds, as domain records, at one revision.
//!
//! Fed only by commits of the store, in order, by one task (`feed.rs`); everybody else reads a shared, unchanging value.
//! Each map is behind an `Arc` of its own, so that a change copies the map that it touches and no other. How it is fed
//! and how things are found in it is in the files beside this one.

mod apply;
mod documents;
mod rollouts;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use evaluation::Key;
use uuid::Uuid;

use crate::{
    baseline::BaselineRecord,
    evidence::EvidenceRecord,
    levels::HeldLevels,
    members::Chunks,
    push::Waiting,
    recent::Recent,
    record::{Active, EnvironmentRecord, Exposure, FlagRecord, Latch, PlanRecord, RolloutRecord, SegmentRecord, Soak},
    schedule::ScheduleRecord,
    webhooks::webhook::WebhookRecord,
};

/// Added to the number of visits in a soak that is of the bake.
pub(crate) const BAKING: u32 = 1 << 16;

/// All records at one revision.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    /// The store revision that it shows.
    pub(crate) revision: u64,
    /// By key.
    pub(crate) environments: Arc<BTreeMap<Key, Arc<EnvironmentRecord>>>,
    /// By environment and key.
    pub(crate) flags: Arc<BTreeMap<(Key, Key), Arc<FlagRecord>>>,
    /// By environment and key; their members are named by chunks.
    pub(crate) segments: Arc<BTreeMap<(Key, Key), Arc<SegmentRecord>>>,
    /// The chunks of each environment that its segments name, by environment.
    pub(crate) chunks: Arc<BTreeMap<Key, Arc<Chunks>>>,
    /// When an environment last got or left a place in the order of promotion, as a store revision.
    pub(crate) arrangement: Option<u64>,
    /// When a document last came to be in an environment, as a store revision.
    pub(crate) populations: Arc<BTreeMap<Key, u64>>,
    /// When what an environment's documents read of each other was last changed, as a store revision.
    pub(crate) references: Arc<BTreeMap<Key, u64>>,
    /// The rollout that holds a flag, by environment and flag.
    pub(crate) active: Arc<BTreeMap<(Key, Key), Active>>,
    /// By environment and id; ids are in the order of time.
    pub(crate) rollouts: Arc<BTreeMap<(Key, Uuid), Arc<RolloutRecord>>>,
    /// The rollout with an index, by environment and index: every frame asks for it.
    pub(crate) indices: Arc<BTreeMap<(Key, u32), Uuid>>,
    /// The rollouts of each flag and the watches of its kill switch, by environment, flag and id.
    pub(crate) runs: Arc<BTreeSet<(Key, Key, Uuid)>>,
    /// What each rollout wants exposed.
    pub(crate) exposures: Arc<BTreeMap<Uuid, Exposure>>,
    /// How much each rollout's stage has soaked.
    pub(crate) soaks: Arc<BTreeMap<Uuid, Soak>>,
    /// The visits of rollouts, by id and number (`stuck.rs`), of which it was told that they are stuck.
    pub(crate) stuck: Arc<BTreeSet<(Uuid, u32)>>,
    /// What was alerted of: rollout, visit (`stuck.rs`), and what it is about.
    pub(crate) alerted: Arc<BTreeSet<(Uuid, u32, String)>>,
    /// The abort latches.
    pub(crate) latches: Arc<BTreeMap<Uuid, Arc<Latch>>>,
    /// The evidence of each rollout.
    pub(crate) evidence: Arc<BTreeMap<Uuid, Arc<EvidenceRecord>>>,
    /// What is held of the levels of each rollout.
    pub(crate) levels: Arc<BTreeMap<Uuid, Arc<HeldLevels>>>,
    /// Measurements that were pushed and are not counted yet, by rollout and id.
    pub(crate) waiting: Arc<BTreeMap<(Uuid, Uuid), Arc<Waiting>>>,
    /// Plan documents, by environment and key.
    pub(crate) plans: Arc<BTreeMap<(Key, Key), Arc<PlanRecord>>>,
    /// Baselines, by environment and key.
    pub(crate) baselines: Arc<BTreeMap<(Key, Key), Arc<BaselineRecord>>>,
    /// Scheduled changes, those that have ended too; by environment and id.
    pub(crate) schedules: Arc<BTreeMap<(Key, Uuid), Arc<ScheduleRecord>>>,
    /// Webhooks, by key.
    pub(crate) webhooks: Arc<BTreeMap<Key, Arc<WebhookRecord>>>,
    /// When a webhook was last created, as a store revision.
    pub(crate) webhook_register: Option<u64>,
    /// The latest audit records of each environment, of those that were made since this process began.
    pub(crate) acts: Arc<BTreeMap<Key, Arc<Recent>>>,
    /// The store revision of the latest event, of those that were written since this process began.
    pub(crate) told_at: Option<u64>,
}

#[cfg(test)]
mod tests;
