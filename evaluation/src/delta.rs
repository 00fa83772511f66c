//! The difference between two indexes.
//!
//! The law: `apply(a, between(a, b)) = b`, digest included. Two entries are equal if their hashes are; shards that both
//! sides share are not even looked at, so the cost follows what changed and not what is held.

use crate::entry::{Entry, EntryId};
use crate::index::Index;

/// One entry that is new, different or gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<B> {
    /// Which entry.
    pub id: EntryId,
    /// What it is now; none: removed.
    pub entry: Option<Entry<B>>,
}

/// What leads from one index to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta<B> {
    /// At most one per entry, ordered by id.
    pub changes: Vec<Change<B>>,
}

/// The changes that lead from `from` to `to`.
pub fn between<B: Clone>(from: &Index<B>, to: &Index<B>) -> Delta<B> {
    let mut changes = to.changes_since(from);
    changes.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    Delta { changes }
}

/// `from` with every change of `delta` made; `from` itself stays as it is.
pub fn apply<B: Clone>(from: &Index<B>, delta: Delta<B>) -> Index<B> {
    from.with(delta.changes)
}
