//! What a subscription holds of an environment: everything, or one flag set with all that its flags read.
//!
//! A flag decides by its prerequisites, by the variants of other flags and by segments, so an agent of one set needs
//! those too, whatever set they are of, and what they read in turn. They are entries like any other; which flags are the
//! set's own is written in the flags.

use std::collections::{BTreeSet, VecDeque};

use evaluation::{EntryId, EntryKind, Key, Reference, Written, references_of};

use super::{id, step_of};
use crate::{
    record::{FlagRecord, SegmentRecord},
    state::State,
};

/// What a subscription holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// Everything.
    All,
    /// One flag set and what it reads.
    Set {
        /// The set.
        set: Key,
        /// Its flags, and those that they read.
        flags: BTreeSet<Key>,
        /// The segments that any of these read.
        segments: BTreeSet<Key>,
    },
}

impl Selection {
    /// What a subscription to a flag set holds (none: to all flags). Linear in the flags of the environment.
    pub(crate) fn of(state: &State, environment: &Key, set: Option<&Key>) -> Self {
        let Some(set) = set else {
            return Self::All;
        };
        let own = state.flags_of(environment, None).filter(|record| is_of(record, set));
        let own = own.map(|record| Reference::Flag(record.flag.key.to_string()));
        let mut ahead = own.collect::<VecDeque<_>>();
        let (mut flags, mut segments) = (BTreeSet::new(), BTreeSet::new());
        while let Some(reference) = ahead.pop_front() {
            match reference {
                Reference::Flag(key) => {
                    let found = Key::parse(&key).ok().and_then(|key| state.flag(environment, &key));
                    if let Some(record) = found
                        && flags.insert(record.flag.key.clone())
                    {
                        ahead.extend(read_by(state, environment, record));
                    }
                }
                Reference::Segment(key) => {
                    let found = Key::parse(&key).ok().and_then(|key| state.segment(environment, &key));
                    if let Some(record) = found
                        && segments.insert(record.segment.key.clone())
                    {
                        ahead.extend(references_of(Written::Segment(&record.segment)));
                    }
                }
            }
        }
        Self::Set {
            set: set.clone(),
            flags,
            segments,
        }
    }

    /// Whether an entry is held, if there is one of that name.
    pub(crate) fn holds(&self, state: &State, environment: &Key, id: &EntryId) -> bool {
        let Self::Set { set, flags, segments } = self else {
            return true;
        };
        match id.kind {
            EntryKind::Flag => flags.contains(&*id.key),
            EntryKind::Segment => segments.contains(&*id.key),
            EntryKind::Environment | EntryKind::Other(_) => true,
            // Exposures count where the flag itself is asked for.
            EntryKind::Measurement => {
                let rollout = id
                    .key
                    .parse()
                    .ok()
                    .and_then(|index| state.rollout_at(environment, index));
                let flag = rollout.and_then(|rollout| Key::parse(&rollout.plan.flag).ok());
                let flag = flag.and_then(|flag| state.flag(environment, &flag));
                flag.is_some_and(|record| record.flag.set.as_ref() == Some(set))
            }
        }
    }

    /// The flags and segments that one of two selections holds and the other does not.
    pub(crate) fn differing(&self, other: &Self) -> Vec<EntryId> {
        match (self, other) {
            (
                Self::Set { flags, segments, .. },
                Self::Set {
                    flags: other_flags,
                    segments: other_segments,
                    ..
                },
            ) => {
                let flags = flags.symmetric_difference(other_flags);
                let segments = segments.symmetric_difference(other_segments);
                let flags = flags.map(|key| id(EntryKind::Flag, key));
                flags.chain(segments.map(|key| id(EntryKind::Segment, key))).collect()
            }
            // A subscription is of all flags or of a set for as long as it lives.
            (Self::All, Self::All | Self::Set { .. }) | (Self::Set { .. }, Self::All) => Vec::new(),
        }
    }
}

/// Whether the selections of an environment may differ between two states that differ in these entries at most.
///
/// False for nearly every change: only what decides which documents belong together counts, not what they say.
pub(crate) fn restructured<'i>(
    before: &State,
    after: &State,
    environment: &Key,
    mut changed: impl Iterator<Item = &'i EntryId>,
) -> bool {
    changed.any(|id| {
        let Ok(key) = Key::parse(&id.key) else {
            return false;
        };
        match id.kind {
            EntryKind::Flag => flag_ties(before, environment, &key) != flag_ties(after, environment, &key),
            EntryKind::Segment => segment_ties(before, environment, &key) != segment_ties(after, environment, &key),
            EntryKind::Environment | EntryKind::Measurement | EntryKind::Other(_) => false,
        }
    })
}

fn is_of(record: &FlagRecord, set: &Key) -> bool {
    record.flag.set.as_ref() == Some(set)
}

/// The set of a flag and what it reads.
fn flag_ties<'s>(state: &'s State, environment: &Key, key: &Key) -> Option<(Option<&'s Key>, BTreeSet<Reference>)> {
    let record: &FlagRecord = state.flag(environment, key)?;
    Some((record.flag.set.as_ref(), read_by(state, environment, record)))
}

/// What a flag reads itself, the audiences of the rollout that holds it included.
fn read_by(state: &State, environment: &Key, record: &FlagRecord) -> BTreeSet<Reference> {
    let step = step_of(state, environment, &record.flag.key);
    references_of(Written::Flag(&record.flag, step.as_ref()))
}

fn segment_ties(state: &State, environment: &Key, key: &Key) -> Option<BTreeSet<Reference>> {
    let record: &SegmentRecord = state.segment(environment, key)?;
    Some(references_of(Written::Segment(&record.segment)))
}
