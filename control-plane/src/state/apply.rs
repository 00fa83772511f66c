//! How the state takes in what was committed: one key at a time, with all by which its record is found.
//!
//! What cannot be read changes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use evaluation::Key;

use super::State;
use crate::{
    evidence::EvidenceRecord,
    members::{Chunk, ChunkId},
    record::{Active, RolloutRecord, SegmentRecord},
    store::{
        keys::{self, Subject},
        model::{self, ModelError},
    },
};

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
                let mut record = value.map(|value| model::read_rollout(value, revision)).transpose()?;
                if let (Some(record), Some(known)) = (&mut record, self.rollout(environment, *id)) {
                    record.took_over(known.plan.baseline.captured.clone());
                }
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
            Subject::Captured(environment, id) => {
                let captured = value.map(|value| model::read_captured(value)).transpose()?;
                if let Some(known) = self.rollout(environment, *id) {
                    let mut record = RolloutRecord::clone(known);
                    record.took_over(Arc::new(captured.unwrap_or_default()));
                    set(&mut self.rollouts, (environment.clone(), *id), Some(Arc::new(record)));
                }
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
                let before = self.evidence.get(id);
                let (sums, hours) = before
                    .map(|before| (before.sums.clone(), before.hours.clone()))
                    .unwrap_or_default();
                let record = record.map(|record| EvidenceRecord { sums, hours, ..record });
                set(&mut self.evidence, *id, record.map(Arc::new));
            }
            Subject::Sums(_, id, visit) => {
                if let Some(value) = value {
                    let sums = Arc::new(model::read_sums(value)?);
                    let record = Arc::make_mut(&mut self.evidence).entry(*id).or_default();
                    Arc::make_mut(record).sums.insert(*visit, sums);
                }
            }
            Subject::Hour(_, id, visit, hour) => {
                if let Some(value) = value {
                    let sums = Arc::new(model::read_sums(value)?);
                    let record = Arc::make_mut(&mut self.evidence).entry(*id).or_default();
                    Arc::make_mut(record).hours.insert((*visit, *hour), sums);
                }
            }
            Subject::Levels(_, id) => {
                let held = value.map(|value| model::read_levels(value, revision)).transpose()?;
                set(&mut self.levels, *id, held.map(Arc::new));
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
}

fn set<K: Ord + Clone, V: Clone>(map: &mut Arc<BTreeMap<K, V>>, key: K, value: Option<V>) {
    let map = Arc::make_mut(map);
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}
