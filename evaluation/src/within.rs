//! What a decision looks at: the snapshot, the context, and how much asking of others is left.
//!
//! Prerequisites and conditions ask other flags and segments of the same snapshot, with the same context. How deep that
//! goes and how often it is done is bounded, whatever the data say: beyond the bounds there is no answer, and nothing
//! that waits for one is met. The bounds are counted, not timed, so that every agent stops at the same place.

use std::cell::Cell;

use crate::context::Context;
use crate::entry::EntryKind;
use crate::explain::Untraced;
use crate::limits;
use crate::names::name_hash;
use crate::snapshot::Snapshot;

/// The key of a flag or segment, ready to be looked up.
#[derive(Debug)]
pub(crate) struct Name {
    hash: u64,
    text: Box<str>,
}

/// Who asks, in which snapshot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Within<'s, 'c> {
    pub(crate) snapshot: &'s Snapshot,
    pub(crate) context: &'c Context,
    /// How many flags and segments led here.
    depth: usize,
    /// How many more may be asked, by all together.
    left: &'c Cell<usize>,
}

/// How many flags and segments one decision may ask.
pub(crate) fn budget() -> Cell<usize> {
    Cell::new(limits::ASKED)
}

impl Name {
    /// A flag's key.
    pub(crate) fn of_flag(key: &str) -> Name {
        Name::new(EntryKind::Flag, key)
    }

    /// A segment's key.
    pub(crate) fn of_segment(key: &str) -> Name {
        Name::new(EntryKind::Segment, key)
    }

    fn new(kind: EntryKind, key: &str) -> Name {
        Name {
            hash: name_hash(u8::from(kind), key),
            text: key.into(),
        }
    }

    /// The key.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

impl<'s, 'c> Within<'s, 'c> {
    /// The beginning of a decision, with what it may ask.
    pub(crate) fn new(snapshot: &'s Snapshot, context: &'c Context, left: &'c Cell<usize>) -> Within<'s, 'c> {
        Within {
            snapshot,
            context,
            depth: 0,
            left,
        }
    }

    /// The variant that another flag serves; none within if it serves none or does not exist, none at all beyond the
    /// bounds.
    pub(crate) fn served_by(&self, flag: &Name) -> Option<Option<&'s str>> {
        let deeper = self.deeper()?;
        let found = self.snapshot.flag_hashed(flag.hash, &flag.text);
        Some(found.and_then(|flag| flag.decide(&deeper, &mut Untraced).variant))
    }

    /// Whether the context is in a segment; no if it does not exist, none beyond the bounds.
    pub(crate) fn in_segment(&self, segment: &Name) -> Option<bool> {
        let deeper = self.deeper()?;
        let found = self.snapshot.segment_hashed(segment.hash, &segment.text);
        Some(found.is_some_and(|segment| segment.has(&deeper)))
    }

    fn deeper(&self) -> Option<Within<'s, 'c>> {
        let left = self.left.get().checked_sub(1)?;
        self.left.set(left);
        (self.depth < limits::DEPTH).then(|| Within {
            depth: self.depth + 1,
            ..*self
        })
    }
}
