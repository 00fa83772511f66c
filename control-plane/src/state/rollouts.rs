//! How rollouts are found, by id, index or flag, and what lies beside each of them.
//!
//! A watch (of a kill switch that stands, of a recovery) is measured as a rollout is and is not one: only what says so finds
//! it.

use std::{ops::Bound, sync::Arc};

use evaluation::Key;
use uuid::Uuid;

use super::State;
use crate::{
    events::alert::About,
    evidence::EvidenceRecord,
    levels::HeldLevels,
    push::Waiting,
    record::{Active, RolloutRecord},
    stuck,
};

impl State {
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

    /// The same, and the watches.
    pub(crate) fn measured_of(&self, environment: &Key) -> impl DoubleEndedIterator<Item = &Arc<RolloutRecord>> {
        let range = (environment.clone(), Uuid::nil())..=(environment.clone(), Uuid::max());
        self.rollouts.range(range).map(|(_, record)| record)
    }

    /// The rollouts of a flag and its watches, the oldest first.
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

    /// The watch of a flag whose kill switch stands, or whose recovery is not known yet.
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

    /// What was pushed for a rollout and is not counted yet, in the order in which it was pushed.
    pub(crate) fn waiting_of(&self, rollout: Uuid) -> impl Iterator<Item = &Arc<Waiting>> {
        let range = (rollout, Uuid::nil())..=(rollout, Uuid::max());
        self.waiting.range(range).map(|(_, waiting)| waiting)
    }

    /// What is held of the levels of a rollout; nothing before the first reading.
    pub(crate) fn levels_of(&self, id: Uuid) -> Arc<HeldLevels> {
        self.levels.get(&id).cloned().unwrap_or_default()
    }

    /// The evidence of a rollout; empty before the first batch.
    pub(crate) fn evidence_of(&self, id: Uuid) -> Arc<EvidenceRecord> {
        self.evidence.get(&id).cloned().unwrap_or_default()
    }
}
