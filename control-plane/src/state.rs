//! The truth in memory: what the store holds, as domain records, at one revision.
//!
//! Fed only by commits of the store, in order, by one task (`feed.rs`); everybody else reads a shared, unchanging value.
//! Each map is behind an `Arc` of its own, so that a change copies the map that it touches and no other.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use bytes::Bytes;
use evaluation::{Environment, Key};
use uuid::Uuid;

use crate::{
    evidence::EvidenceRecord,
    record::{Active, Exposure, FlagRecord, Latch, RolloutRecord, Soak},
    store::{
        keys::{self, Subject},
        model::{self, ModelError},
    },
};

/// All records at one revision.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    /// The store revision that it shows.
    pub(crate) revision: u64,
    /// By key.
    pub(crate) environments: Arc<BTreeMap<Key, Arc<Environment>>>,
    /// By environment and key.
    pub(crate) flags: Arc<BTreeMap<(Key, Key), Arc<FlagRecord>>>,
    /// The rollout that holds a flag, by environment and flag.
    pub(crate) active: Arc<BTreeMap<(Key, Key), Active>>,
    /// By environment and id; ids are in the order of time.
    pub(crate) rollouts: Arc<BTreeMap<(Key, Uuid), Arc<RolloutRecord>>>,
    /// What each rollout wants exposed.
    pub(crate) exposures: Arc<BTreeMap<Uuid, Exposure>>,
    /// How much each rollout's stage has soaked.
    pub(crate) soaks: Arc<BTreeMap<Uuid, Soak>>,
    /// The abort latches.
    pub(crate) latches: Arc<BTreeMap<Uuid, Arc<Latch>>>,
    /// The evidence of each rollout.
    pub(crate) evidence: Arc<BTreeMap<Uuid, Arc<EvidenceRecord>>>,
}

impl State {
    /// Takes one change in. Keys that are not state are passed over.
    ///
    /// Returns what was touched, so that its entries can be compiled anew. On an error nothing has changed.
    pub(crate) fn apply(
        &mut self,
        revision: u64,
        key: &[u8],
        value: Option<&Bytes>,
    ) -> Result<Option<Subject>, ModelError> {
        let Some(subject) = keys::subject(key) else {
            return Ok(None);
        };
        match &subject {
            Subject::Environment(key) => {
                let record = value.map(|value| model::read_environment(value)).transpose()?;
                set(&mut self.environments, key.clone(), record.map(Arc::new));
            }
            Subject::Flag(environment, key) => {
                let record = value.map(|value| model::read_flag(value, revision)).transpose()?;
                set(
                    &mut self.flags,
                    (environment.clone(), key.clone()),
                    record.map(Arc::new),
                );
            }
            Subject::Active(environment, flag) => {
                let id = value.map(|value| model::read_id(value)).transpose()?;
                let active = id.map(|rollout| Active { rollout, revision });
                set(&mut self.active, (environment.clone(), flag.clone()), active);
            }
            Subject::Rollout(environment, id) => {
                let record = value.map(|value| model::read_rollout(value, revision)).transpose()?;
                set(&mut self.rollouts, (environment.clone(), *id), record.map(Arc::new));
            }
            Subject::Exposure(_, id) => {
                let record = value.map(|value| model::read_exposure(value, revision)).transpose()?;
                set(&mut self.exposures, *id, record);
            }
            Subject::Soak(_, id) => {
                let record = value.map(|value| model::read_soak(value)).transpose()?;
                set(&mut self.soaks, *id, record);
            }
            Subject::Latch(_, id) => {
                let record = value.map(|value| model::read_latch(value)).transpose()?;
                set(&mut self.latches, *id, record.map(Arc::new));
            }
            Subject::Evidence(_, id) => {
                let record = value.map(|value| model::read_evidence(value, revision)).transpose()?;
                set(&mut self.evidence, *id, record.map(Arc::new));
            }
        }
        Ok(Some(subject))
    }

    /// A flag.
    pub(crate) fn flag(&self, environment: &Key, key: &Key) -> Option<&Arc<FlagRecord>> {
        self.flags.get(&(environment.clone(), key.clone()))
    }

    /// Flags of an environment in key order, behind a key if one is given.
    pub(crate) fn flags_of<'s>(
        &'s self,
        environment: &'s Key,
        after: Option<&Key>,
    ) -> impl Iterator<Item = &'s Arc<FlagRecord>> + use<'s> {
        let from = match after {
            Some(key) => Bound::Excluded((environment.clone(), key.clone())),
            None => Bound::Included((environment.clone(), Key::first())),
        };
        let flags = self.flags.range((from, Bound::Unbounded));
        flags
            .take_while(move |((owner, _), _)| owner == environment)
            .map(|(_, record)| record)
    }

    /// A rollout.
    pub(crate) fn rollout(&self, environment: &Key, id: Uuid) -> Option<&Arc<RolloutRecord>> {
        self.rollouts.get(&(environment.clone(), id))
    }

    /// The rollout that holds a flag.
    pub(crate) fn holder(&self, environment: &Key, flag: &Key) -> Option<&Arc<RolloutRecord>> {
        let active = self.active(environment, flag)?;
        self.rollout(environment, active.rollout)
    }

    /// What is written about the rollout that holds a flag.
    pub(crate) fn active(&self, environment: &Key, flag: &Key) -> Option<Active> {
        self.active.get(&(environment.clone(), flag.clone())).copied()
    }

    /// Rollouts of an environment, the oldest first.
    pub(crate) fn rollouts_of(&self, environment: &Key) -> impl DoubleEndedIterator<Item = &Arc<RolloutRecord>> {
        let range = (environment.clone(), Uuid::nil())..=(environment.clone(), Uuid::max());
        self.rollouts.range(range).map(|(_, record)| record)
    }

    /// The rollout with an index.
    pub(crate) fn rollout_at(&self, environment: &Key, index: u32) -> Option<&Arc<RolloutRecord>> {
        self.rollouts_of(environment).rev().find(|record| record.index == index)
    }

    /// The state of a rollout with the soak that was stored beside it, if it is of the same visit.
    pub(crate) fn soaked(&self, record: &RolloutRecord) -> rollout::State {
        let mut state = record.state.clone();
        if let Some(soak) = self.soaks.get(&record.id)
            && soak.visits as usize == state.visits.len()
        {
            state.soaked_us = state.soaked_us.max(soak.soaked_us);
        }
        state
    }

    /// The evidence of a rollout; empty before the first batch.
    pub(crate) fn evidence_of(&self, id: Uuid) -> Arc<EvidenceRecord> {
        self.evidence.get(&id).cloned().unwrap_or_default()
    }
}

fn set<K: Ord + Clone, V: Clone>(map: &mut Arc<BTreeMap<K, V>>, key: K, value: Option<V>) {
    let map = Arc::make_mut(map);
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}

#[cfg(test)]
mod tests;
