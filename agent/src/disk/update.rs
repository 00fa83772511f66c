//! What leads from the file to a newer one, and what two such steps are together. Pure.
//!
//! An entry that was not understood is written as received, because the digest counts it so; what is served in its
//! place, the last body that was understood, is kept beside it. Memory has no bytes of that body any more, so a step
//! only says *which* body it is: the one before in the same step, or the one in the file. A restart then serves what
//! was served before it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use evaluation::EntryId;
use proto::entry::RawEntry;

use super::format::Stored;
use crate::snapshot::Stamp;

/// What leads from the file to a newer one.
#[derive(Debug, Clone)]
pub(crate) struct Update {
    /// What the file is after it.
    pub(crate) stamp: Stamp,
    /// Whether `entries` are all there are; else they change what the file has.
    pub(crate) whole: bool,
    /// None: removed.
    entries: BTreeMap<EntryId, Option<Written>>,
}

/// An entry as it is to be written.
#[derive(Debug, Clone)]
struct Written {
    /// As received.
    body: Bytes,
    serves: Serves,
}

/// What is served for an entry.
#[derive(Debug, Clone)]
enum Serves {
    /// What was received.
    Itself,
    /// It was not understood: what was served before.
    Before,
    /// It was not understood: these bytes, which were to be written and were understood; None: nothing.
    Bytes(Option<Bytes>),
}

impl Update {
    /// An update from entries as received, of which those named `held_back` were not understood.
    pub(crate) fn new<'h>(
        stamp: Stamp,
        whole: bool,
        entries: Vec<RawEntry>,
        held_back: impl IntoIterator<Item = &'h EntryId>,
    ) -> Self {
        let held_back: BTreeSet<_> = held_back.into_iter().collect();
        let written = |raw: RawEntry| {
            let id = EntryId {
                kind: raw.kind,
                key: Arc::from(raw.key),
            };
            let serves = if held_back.contains(&id) {
                Serves::Before
            } else {
                Serves::Itself
            };
            (id, raw.body.map(|body| Written { body, serves }))
        };
        Self {
            stamp,
            whole,
            entries: entries.into_iter().map(written).collect(),
        }
    }

    /// An update that makes the file what `stored` is.
    pub(crate) fn copy(stored: Stored) -> Self {
        let Stored {
            stamp,
            entries,
            mut kept,
        } = stored;
        let written = |(id, body): (EntryId, Bytes)| {
            let serves = match kept.remove(&id) {
                Some(served) => Serves::Bytes(served),
                None => Serves::Itself,
            };
            (id, Some(Written { body, serves }))
        };
        Self {
            stamp,
            whole: true,
            entries: entries.into_iter().map(written).collect(),
        }
    }

    /// This update and then `later`, as one.
    pub(super) fn then(self, later: Self) -> Self {
        let Self {
            whole,
            entries: mut earlier,
            ..
        } = self;
        let mut entries = later.entries;
        for (id, written) in &mut entries {
            if let Some(written) = written {
                written.serves = written.serves.after(earlier.get(id), whole);
            }
        }
        if !later.whole {
            earlier.extend(entries);
            entries = earlier;
        }
        Self {
            stamp: later.stamp,
            whole: whole || later.whole,
            entries,
        }
    }

    /// Whether it cannot be written without what the file has.
    pub(super) fn needs_base(&self) -> bool {
        !self.whole
    }

    /// Whether something is served from what the file has.
    pub(super) fn serves_from_base(&self) -> bool {
        let before = |written: &Written| matches!(written.serves, Serves::Before);
        self.entries.values().flatten().any(before)
    }

    /// The snapshot after this update of `base`.
    pub(super) fn applied_to(self, base: Stored) -> Stored {
        let Stored {
            entries: mut present,
            kept: mut served,
            ..
        } = base;
        let (mut entries, mut kept) = if self.whole {
            (BTreeMap::new(), BTreeMap::new())
        } else {
            (present.clone(), served.clone())
        };
        for (id, written) in self.entries {
            let before = served.remove(&id).unwrap_or_else(|| present.remove(&id));
            entries.remove(&id);
            kept.remove(&id);
            let Some(Written { body, serves }) = written else {
                continue;
            };
            match serves {
                Serves::Itself => None,
                Serves::Before => kept.insert(id.clone(), before),
                Serves::Bytes(bytes) => kept.insert(id.clone(), bytes),
            };
            entries.insert(id, body);
        }
        Stored {
            stamp: self.stamp,
            entries,
            kept,
        }
    }
}

impl Serves {
    /// The same, where `earlier` is what the step before does to the entry (None: nothing), in a file that is `whole`ly
    /// written by that step or only changed.
    fn after(&self, earlier: Option<&Option<Written>>, whole: bool) -> Self {
        match (self, earlier) {
            (Self::Itself | Self::Bytes(_), _) => self.clone(),
            (
                Self::Before,
                Some(Some(Written {
                    body,
                    serves: Self::Itself,
                })),
            ) => Self::Bytes(Some(body.clone())),
            (Self::Before, Some(Some(Written { serves, .. }))) => serves.clone(),
            (Self::Before, Some(None)) => Self::Bytes(None),
            (Self::Before, None) if whole => Self::Bytes(None),
            (Self::Before, None) => Self::Before,
        }
    }
}

#[cfg(test)]
mod tests;
