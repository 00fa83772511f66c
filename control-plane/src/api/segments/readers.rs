//! Which flags read a segment, themselves, by the rollout that holds them, or by way of other segments.

use std::collections::{BTreeMap, BTreeSet};

use evaluation::{Key, Reference, Written, references_of};

use crate::{references::whole_step_of, state::State};

/// How many flags are named.
const NAMED: usize = 100;

/// Who reads what in an environment.
#[derive(Debug)]
pub(super) struct Readers {
    /// By the segment that is read.
    flags: BTreeMap<String, BTreeSet<Key>>,
    segments: BTreeMap<String, BTreeSet<Key>>,
}

impl Readers {
    /// Of an environment at one revision. Linear in its flags and segments.
    pub(super) fn of(state: &State, environment: &Key) -> Self {
        let mut readers = Self {
            flags: BTreeMap::new(),
            segments: BTreeMap::new(),
        };
        for record in state
            .flags_of(environment, None)
            .filter(|record| record.archived_at_us.is_none())
        {
            let step = whole_step_of(state, environment, &record.flag.key);
            for read in segments(Written::Flag(&record.flag, step.as_ref())) {
                readers.flags.entry(read).or_default().insert(record.flag.key.clone());
            }
        }
        for record in state.segments_of(environment, None) {
            for read in segments(Written::Segment(&record.segment)) {
                readers
                    .segments
                    .entry(read)
                    .or_default()
                    .insert(record.segment.key.clone());
            }
        }
        readers
    }

    /// Keys of the flags that read a segment, ascending, the first hundred.
    pub(super) fn flags_of(&self, segment: &Key) -> Vec<String> {
        let (mut seen, mut ahead) = (BTreeSet::from([segment]), vec![segment]);
        let mut flags = BTreeSet::new();
        while let Some(segment) = ahead.pop() {
            flags.extend(self.flags.get(segment.as_str()).into_iter().flatten());
            let next = self.segments.get(segment.as_str()).into_iter().flatten();
            ahead.extend(next.filter(|next| seen.insert(next)));
        }
        flags.into_iter().take(NAMED).map(Key::to_string).collect()
    }
}

fn segments(written: Written<'_>) -> impl Iterator<Item = String> {
    references_of(written).into_iter().filter_map(|read| match read {
        Reference::Segment(key) => Some(key),
        Reference::Flag(_) => None,
    })
}
