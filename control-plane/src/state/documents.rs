//! How the documents of an environment are found: by key, or all in key order from any place on.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use evaluation::Key;
use uuid::Uuid;

use super::State;
use crate::{
    baseline::BaselineRecord,
    members::Chunks,
    record::{FlagRecord, PlanRecord, SegmentRecord},
    schedule::ScheduleRecord,
};

impl State {
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
        within(&self.flags, environment, after)
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
        within(&self.segments, environment, after)
    }

    /// The chunks that the segments of an environment name.
    pub(crate) fn chunks_of(&self, environment: &Key) -> &Chunks {
        static NONE: Chunks = Chunks::new();
        self.chunks.get(environment).map_or(&NONE, |chunks| chunks)
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
        within(&self.plans, environment, after)
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
        within(&self.baselines, environment, after)
    }

    /// Schedules of an environment, the oldest first.
    pub(crate) fn schedules_of(&self, environment: &Key) -> impl DoubleEndedIterator<Item = &Arc<ScheduleRecord>> {
        let range = (environment.clone(), Uuid::nil())..=(environment.clone(), Uuid::max());
        self.schedules.range(range).map(|(_, record)| record)
    }
}

/// What an environment has of these, in key order, behind a key if one is given.
fn within<'s, V>(
    documents: &'s BTreeMap<(Key, Key), V>,
    environment: &'s Key,
    after: Option<&Key>,
) -> impl Iterator<Item = &'s V> + use<'s, V> {
    let from = match after {
        Some(key) => Bound::Excluded((environment.clone(), key.clone())),
        None => Bound::Included((environment.clone(), Key::first())),
    };
    let documents = documents.range((from, Bound::Unbounded));
    documents
        .take_while(move |((owner, _), _)| owner == environment)
        .map(|(_, document)| document)
}
