//! The truth in memory: what the store holds, as domain records, at one revision.
//!
//! Fed only by commits of the store, in order, by one task (`feed.rs`); everybody else reads a shared, unchanging value.
//! Each map is behind an `Arc` of its own, so that a change copies the map that it touches and no other.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

use bytes::Bytes;
use evaluation::Key;
use uuid::Uuid;

use crate::{
    baseline::BaselineRecord,
    events::alert::About,
    evidence::EvidenceRecord,
    members::{Chunk, ChunkId, Chunks},
    push::Waiting,
    recent::Recent,
    record::{Active, EnvironmentRecord, Exposure, FlagRecord, Latch, PlanRecord, RolloutRecord, SegmentRecord, Soak},
    schedule::ScheduleRecord,
    store::{
        keys::{self, Subject},
        model::{self, ModelError},
    },
    stuck,
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
                let record = value
                    .map(|value| model::read_environment(value, revision))
                    .transpose()?;
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
            Subject::Segment(environment, key) => {
                let record = value.map(|value| model::read_segment(value, revision)).transpose()?;
                self.set_segment(environment, key, record)?;
            }
            Subject::Chunk(environment, id) => {
                let chunk = value.map(|value| model::read_chunk(value)).transpose()?;
                if chunk.as_ref().is_some_and(|chunk| chunk.id() != *id) {
                    return Err(ModelError::Field("units"));
                }
                self.set_chunk(environment, *id, chunk);
            }
            Subject::Webhook(key) => {
                let record = value.map(|value| model::read_webhook(value, revision)).transpose()?;
                set(&mut self.webhooks, key.clone(), record.map(Arc::new));
            }
            Subject::WebhookRegister => self.webhook_register = value.map(|_| revision),
            Subject::Arrangement => self.arrangement = value.map(|_| revision),
            Subject::Population(environment) => {
                set(&mut self.populations, environment.clone(), value.map(|_| revision));
            }
            Subject::References(environment) => {
                set(&mut self.references, environment.clone(), value.map(|_| revision));
            }
            Subject::Active(environment, flag) => {
                let id = value.map(|value| model::read_id(value)).transpose()?;
                let active = id.map(|rollout| Active { rollout, revision });
                set(&mut self.active, (environment.clone(), flag.clone()), active);
            }
            Subject::Rollout(environment, id) => {
                let record = value.map(|value| model::read_rollout(value, revision)).transpose()?;
                if let Some(record) = &record {
                    let index = (environment.clone(), record.index);
                    if self.indices.get(&index) != Some(id) {
                        set(&mut self.indices, index, Some(*id));
                    }
                    let flag = Key::parse(&record.plan.flag).map_err(|_| ModelError::Field("plan.flag"))?;
                    let run = (environment.clone(), flag, *id);
                    if !self.runs.contains(&run) {
                        Arc::make_mut(&mut self.runs).insert(run);
                    }
                }
                match self.rollout(environment, *id).cloned() {
                    Some(before) if record.is_none() => self.forget(&before),
                    Some(_) | None => {}
                }
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
            Subject::Stuck(_, id, visit) => {
                let told = Arc::make_mut(&mut self.stuck);
                match value {
                    Some(_) => told.insert((*id, *visit)),
                    None => told.remove(&(*id, *visit)),
                };
            }
            Subject::Alerted(_, id, visit, word) => {
                let told = (*id, *visit, word.clone());
                let alerted = Arc::make_mut(&mut self.alerted);
                match value {
                    Some(_) => alerted.insert(told),
                    None => alerted.remove(&told),
                };
            }
            Subject::Events(..) => {
                if value.is_some() {
                    self.told_at = Some(revision);
                }
            }
            Subject::Latch(_, id) => {
                let record = value.map(|value| model::read_latch(value)).transpose()?;
                set(&mut self.latches, *id, record.map(Arc::new));
            }
            Subject::Evidence(_, id) => {
                let record = value.map(|value| model::read_evidence(value, revision)).transpose()?;
                let sums = self.evidence.get(id).map(|before| before.sums.clone());
                let record = record.map(|record| EvidenceRecord {
                    sums: sums.unwrap_or_default(),
                    ..record
                });
                set(&mut self.evidence, *id, record.map(Arc::new));
            }
            Subject::Sums(_, id, visit) => {
                if let Some(value) = value {
                    let sums = Arc::new(model::read_sums(value)?);
                    let record = Arc::make_mut(&mut self.evidence).entry(*id).or_default();
                    Arc::make_mut(record).sums.insert(*visit, sums);
                }
            }
            Subject::Waiting(environment, rollout, id) => {
                let read = |value: &Bytes| model::read_waiting((environment, *id), value, revision);
                let waiting = value.map(read).transpose()?;
                set(&mut self.waiting, (*rollout, *id), waiting.map(Arc::new));
            }
            Subject::Schedule(environment, id) => {
                let record = value.map(|value| model::read_schedule(value, revision)).transpose()?;
                set(&mut self.schedules, (environment.clone(), *id), record.map(Arc::new));
            }
            Subject::Plan(environment, key) => {
                let record = value.map(|value| model::read_plan(value, revision)).transpose()?;
                set(
                    &mut self.plans,
                    (environment.clone(), key.clone()),
                    record.map(Arc::new),
                );
            }
            Subject::Baseline(environment, key) => {
                let record = value.map(|value| model::read_baseline(value, revision)).transpose()?;
                let at = (environment.clone(), key.clone());
                set(&mut self.baselines, at, record.map(Arc::new));
            }
            Subject::Act(environment, id) => {
                if let Some(value) = value {
                    let acts = model::Act::read_all(*id, value)?;
                    let recent = self.acts.get(environment).map(|recent| &**recent).cloned();
                    let recent = recent.unwrap_or_default().with(revision, acts);
                    set(&mut self.acts, environment.clone(), Some(Arc::new(recent)));
                }
            }
        }
        Ok(Some(subject))
    }

    /// Chunks that the segment in a value names and that are not at hand: [`Self::apply`] needs them first.
    pub(crate) fn missing_chunks(&self, environment: &Key, value: &Bytes) -> Result<Vec<ChunkId>, ModelError> {
        let record = model::read_segment(value, 0)?;
        let held = self.chunks_of(environment);
        let named = record.chunks().filter(|id| !held.contains_key(id));
        Ok(named.collect())
    }

    /// Forgets by what a rollout that goes is found.
    fn forget(&mut self, record: &RolloutRecord) {
        set(&mut self.indices, (record.environment.clone(), record.index), None);
        if let Ok(flag) = Key::parse(&record.plan.flag) {
            Arc::make_mut(&mut self.runs).remove(&(record.environment.clone(), flag, record.id));
        }
    }

    /// Takes a segment in, and lets go of the chunks that no segment names any longer.
    fn set_segment(&mut self, environment: &Key, key: &Key, record: Option<SegmentRecord>) -> Result<(), ModelError> {
        let held = self.chunks_of(environment);
        if let Some(record) = &record
            && !record.chunks().all(|id| held.contains_key(&id))
        {
            return Err(ModelError::Field("chunk"));
        }
        let before = self.segment(environment, key).cloned();
        set(
            &mut self.segments,
            (environment.clone(), key.clone()),
            record.map(Arc::new),
        );
        let mut left = before
            .iter()
            .flat_map(|record| record.chunks())
            .collect::<BTreeSet<_>>();
        for record in self.segments_of(environment, None) {
            if left.is_empty() {
                break;
            }
            record.chunks().for_each(|id| _ = left.remove(&id));
        }
        left.into_iter().for_each(|id| self.set_chunk(environment, id, None));
        Ok(())
    }

    fn set_chunk(&mut self, environment: &Key, id: ChunkId, chunk: Option<Chunk>) {
        let all = Arc::make_mut(&mut self.chunks);
        let chunks = all.entry(environment.clone()).or_default();
        set(chunks, id, chunk.map(Arc::new));
        if chunks.is_empty() {
            all.remove(environment);
        }
    }

    /// The chunks that the segments of an environment name.
    pub(crate) fn chunks_of(&self, environment: &Key) -> &Chunks {
        static NONE: Chunks = Chunks::new();
        self.chunks.get(environment).map_or(&NONE, |chunks| chunks)
    }

    /// A segment.
    pub(crate) fn segment(&self, environment: &Key, key: &Key) -> Option<&Arc<SegmentRecord>> {
        self.segments.get(&(environment.clone(), key.clone()))
    }

    /// Segments of an environment in key order, behind a key if one is given.
    pub(crate) fn segments_of<'s>(
        &'s self,
        environment: &'s Key,
        after: Option<&Key>,
    ) -> impl Iterator<Item = &'s Arc<SegmentRecord>> + use<'s> {
        let from = match after {
            Some(key) => Bound::Excluded((environment.clone(), key.clone())),
            None => Bound::Included((environment.clone(), Key::first())),
        };
        let segments = self.segments.range((from, Bound::Unbounded));
        segments
            .take_while(move |((owner, _), _)| owner == environment)
            .map(|(_, record)| record)
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

    /// A plan document.
    pub(crate) fn plan(&self, environment: &Key, key: &Key) -> Option<&Arc<PlanRecord>> {
        self.plans.get(&(environment.clone(), key.clone()))
    }

    /// Plan documents of an environment in key order, behind a key if one is given.
    pub(crate) fn plans_of<'s>(
        &'s self,
        environment: &'s Key,
        after: Option<&Key>,
    ) -> impl Iterator<Item = &'s Arc<PlanRecord>> + use<'s> {
        let from = match after {
            Some(key) => Bound::Excluded((environment.clone(), key.clone())),
            None => Bound::Included((environment.clone(), Key::first())),
        };
        let plans = self.plans.range((from, Bound::Unbounded));
        plans
            .take_while(move |((owner, _), _)| owner == environment)
            .map(|(_, record)| record)
    }

    /// A baseline.
    pub(crate) fn baseline(&self, environment: &Key, key: &Key) -> Option<&Arc<BaselineRecord>> {
        self.baselines.get(&(environment.clone(), key.clone()))
    }

    /// Baselines of an environment in key order, behind a key if one is given.
    pub(crate) fn baselines_of<'s>(
        &'s self,
        environment: &'s Key,
        after: Option<&Key>,
    ) -> impl Iterator<Item = &'s Arc<BaselineRecord>> + use<'s> {
        let from = match after {
            Some(key) => Bound::Excluded((environment.clone(), key.clone())),
            None => Bound::Included((environment.clone(), Key::first())),
        };
        let baselines = self.baselines.range((from, Bound::Unbounded));
        baselines
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

    /// Flags of an environment that rollouts hold, in key order.
    pub(crate) fn held_flags<'s>(&'s self, environment: &'s Key) -> impl Iterator<Item = &'s Key> + use<'s> {
        let from = Bound::Included((environment.clone(), Key::first()));
        let held = self.active.range((from, Bound::Unbounded)).map(|(held, _)| held);
        held.take_while(move |(owner, _)| owner == environment)
            .map(|(_, flag)| flag)
    }

    /// Rollouts of an environment, the oldest first.
    pub(crate) fn rollouts_of(&self, environment: &Key) -> impl DoubleEndedIterator<Item = &Arc<RolloutRecord>> {
        self.measured_of(environment).filter(|record| !record.standing)
    }

    /// The same, and the watches of standing kill switches.
    pub(crate) fn measured_of(&self, environment: &Key) -> impl DoubleEndedIterator<Item = &Arc<RolloutRecord>> {
        let range = (environment.clone(), Uuid::nil())..=(environment.clone(), Uuid::max());
        self.rollouts.range(range).map(|(_, record)| record)
    }

    /// The rollouts of a flag and the watches of its kill switch, the oldest first.
    pub(crate) fn runs_of<'s>(
        &'s self,
        environment: &'s Key,
        flag: &Key,
    ) -> impl DoubleEndedIterator<Item = &'s Arc<RolloutRecord>> + use<'s> {
        let at = |id| (environment.clone(), flag.clone(), id);
        let runs = self.runs.range(at(Uuid::nil())..=at(Uuid::max()));
        runs.filter_map(move |(_, _, id)| self.rollout(environment, *id))
    }

    /// The rollouts of a flag, the oldest first.
    pub(crate) fn rollouts_of_flag<'s>(
        &'s self,
        environment: &'s Key,
        flag: &Key,
    ) -> impl DoubleEndedIterator<Item = &'s Arc<RolloutRecord>> + use<'s> {
        self.runs_of(environment, flag).filter(|record| !record.standing)
    }

    /// The watch of a flag whose kill switch stands.
    pub(crate) fn watch_of<'s>(&'s self, environment: &'s Key, flag: &Key) -> Option<&'s Arc<RolloutRecord>> {
        self.runs_of(environment, flag).find(|record| record.standing)
    }

    /// The rollout with an index.
    pub(crate) fn rollout_at(&self, environment: &Key, index: u32) -> Option<&Arc<RolloutRecord>> {
        let id = self.indices.get(&(environment.clone(), index))?;
        self.rollout(environment, *id)
    }

    /// The state of a rollout with the soak that was stored beside it, if it is of the same visit.
    pub(crate) fn soaked(&self, record: &RolloutRecord) -> rollout::State {
        let mut state = record.state.clone();
        if let Some(soak) = self.soaks.get(&record.id)
            && soak.visits == stuck::visit(&state)
        {
            state.soaked_us = state.soaked_us.max(soak.soaked_us);
        }
        state
    }

    /// Whether an alert about something was told in the present visit of a rollout.
    pub(crate) fn is_alerted(&self, record: &RolloutRecord, about: &About) -> bool {
        self.alerted
            .contains(&(record.id, stuck::visit(&record.state), about.word()))
    }

    /// Schedules of an environment, the oldest first.
    pub(crate) fn schedules_of(&self, environment: &Key) -> impl DoubleEndedIterator<Item = &Arc<ScheduleRecord>> {
        let range = (environment.clone(), Uuid::nil())..=(environment.clone(), Uuid::max());
        self.schedules.range(range).map(|(_, record)| record)
    }

    /// What was pushed for a rollout and is not counted yet, in the order in which it was pushed.
    pub(crate) fn waiting_of(&self, rollout: Uuid) -> impl Iterator<Item = &Arc<Waiting>> {
        let range = (rollout, Uuid::nil())..=(rollout, Uuid::max());
        self.waiting.range(range).map(|(_, waiting)| waiting)
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
