//! The entries of a snapshot by name: immutable, and cheap to change aside.
//!
//! Entries are spread over 1,024 shared shards by the hash of their name, so that one change copies one shard and two
//! neighbouring revisions share the rest. A shard is one array ordered by that hash. The few entries that are not flags
//! or segments lie together in a shard of their own, where they can be listed without a walk through everything.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::delta::Change;
use crate::entry::{Digest, Entry, EntryId, EntryKind};
use crate::names::name_hash;

/// Bits of a name's hash that pick its shard.
const SHARD_BITS: u32 = 10;

/// Shards for flags and segments.
const HASHED_SHARDS: usize = 1 << SHARD_BITS;

/// The shard of environments, measurements and kinds that are not known, after the others.
const FEW_SHARD: usize = HASHED_SHARDS;

/// Entries by kind and key, with their digest. A clone shares everything.
#[derive(Clone)]
pub struct Index<B> {
    shards: Arc<[Shard<B>]>,
    len: usize,
    digest: Digest,
}

/// Slots in ascending order of (name hash, id).
type Shard<B> = Arc<[Slot<B>]>;

#[derive(Clone)]
struct Slot<B> {
    name_hash: u64,
    id: EntryId,
    entry: Entry<B>,
}

impl<B: Clone> Index<B> {
    /// An index without entries; its digest is 0.
    pub fn new() -> Index<B> {
        let empty: Shard<B> = Arc::from([]);
        Index {
            shards: (0..=FEW_SHARD).map(|_| Arc::clone(&empty)).collect(),
            len: 0,
            digest: Digest::default(),
        }
    }

    /// The entry of this kind and key. Allocates nothing.
    pub fn get(&self, kind: EntryKind, key: &str) -> Option<&Entry<B>> {
        self.get_hashed(name_hash(u8::from(kind), key), kind, key)
    }

    /// The entry of this kind and key, whose name has this hash.
    pub(crate) fn get_hashed(&self, name_hash: u64, kind: EntryKind, key: &str) -> Option<&Entry<B>> {
        let shard = &self.shards[shard_of(kind, name_hash)];
        let at = shard.binary_search_by(|slot| slot.order(name_hash, kind, key)).ok()?;
        Some(&shard[at].entry)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The sum of the entries' hashes; kept, not computed.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// All entries, in an order that means nothing but is always the same for the same names.
    pub fn iter(&self) -> impl Iterator<Item = (&EntryId, &Entry<B>)> {
        self.shards
            .iter()
            .flat_map(|shard| shard.iter())
            .map(|slot| (&slot.id, &slot.entry))
    }

    /// The entries that are neither flags nor segments.
    pub(crate) fn iter_few(&self) -> impl Iterator<Item = (&EntryId, &Entry<B>)> {
        self.shards[FEW_SHARD].iter().map(|slot| (&slot.id, &slot.entry))
    }

    /// This index with `changes` made in order, the last of equal ids winning; built aside.
    ///
    /// Copies the shards that change and shares the others. Removing what is not there does nothing.
    pub fn with(&self, changes: impl IntoIterator<Item = Change<B>>) -> Index<B> {
        let mut changed: BTreeMap<usize, Vec<Slot<B>>> = BTreeMap::new();
        let (mut len, mut digest) = (self.len, self.digest);
        for change in changes {
            let name_hash = name_hash(u8::from(change.id.kind), &change.id.key);
            let shard = shard_of(change.id.kind, name_hash);
            let slots = changed.entry(shard).or_insert_with(|| self.shards[shard].to_vec());
            let found = slots.binary_search_by(|slot| slot.order(name_hash, change.id.kind, &change.id.key));
            if let Ok(at) = found {
                digest = digest.minus(slots[at].entry.hash);
                len -= 1;
            }
            if let Some(entry) = &change.entry {
                digest = digest.plus(entry.hash);
                len += 1;
            }
            put(
                slots,
                found,
                change.entry.map(|entry| Slot {
                    name_hash,
                    id: change.id,
                    entry,
                }),
            );
        }
        if changed.is_empty() {
            return self.clone();
        }
        let mut shards = self.shards.to_vec();
        for (shard, slots) in changed {
            shards[shard] = slots.into();
        }
        Index {
            shards: shards.into(),
            len,
            digest,
        }
    }

    /// What differs from `from`, in no particular order.
    pub(crate) fn changes_since(&self, from: &Index<B>) -> Vec<Change<B>> {
        let mut changes = Vec::new();
        if Arc::ptr_eq(&self.shards, &from.shards) {
            return changes;
        }
        for (old, new) in from.shards.iter().zip(self.shards.iter()) {
            if !Arc::ptr_eq(old, new) {
                compare_shards(old, new, &mut changes);
            }
        }
        changes
    }
}

impl<B> Slot<B> {
    /// How this slot stands to a name.
    fn order(&self, name_hash: u64, kind: EntryKind, key: &str) -> Ordering {
        let by_hash = self.name_hash.cmp(&name_hash);
        by_hash
            .then_with(|| self.id.kind.cmp(&kind))
            .then_with(|| (*self.id.key).cmp(key))
    }
}

impl<B: Clone> Slot<B> {
    fn added(&self) -> Change<B> {
        Change {
            id: self.id.clone(),
            entry: Some(self.entry.clone()),
        }
    }

    fn removed(&self) -> Change<B> {
        Change {
            id: self.id.clone(),
            entry: None,
        }
    }
}

impl<B: Clone> Default for Index<B> {
    fn default() -> Index<B> {
        Index::new()
    }
}

impl<B> fmt::Debug for Index<B> {
    /// Size and digest; the entries would fill pages.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Index")
            .field("len", &self.len)
            .field("digest", &format_args!("{}", self.digest))
            .finish_non_exhaustive()
    }
}

/// The shard of a name.
fn shard_of(kind: EntryKind, name_hash: u64) -> usize {
    match kind {
        EntryKind::Flag | EntryKind::Segment => (name_hash >> (u64::BITS - SHARD_BITS)) as usize,
        EntryKind::Environment | EntryKind::Measurement | EntryKind::Other(_) => FEW_SHARD,
    }
}

/// Puts `slot` where the search ended: replaces, removes, inserts or leaves.
fn put<B>(slots: &mut Vec<Slot<B>>, found: Result<usize, usize>, slot: Option<Slot<B>>) {
    match (found, slot) {
        (Ok(at), Some(slot)) => slots[at] = slot,
        (Ok(at), None) => {
            slots.remove(at);
        }
        (Err(at), Some(slot)) => slots.insert(at, slot),
        (Err(_), None) => {}
    }
}

/// Walks two shards in their common order and notes what differs.
fn compare_shards<B: Clone>(old: &[Slot<B>], new: &[Slot<B>], changes: &mut Vec<Change<B>>) {
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (Some(was), Some(is)) => was.order(is.name_hash, is.id.kind, &is.id.key),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return,
        };
        match order {
            Ordering::Less => changes.extend(old.next().map(Slot::removed)),
            Ordering::Greater => changes.extend(new.next().map(Slot::added)),
            Ordering::Equal => {
                let (was, is) = (old.next(), new.next());
                let different = was.map(|slot| slot.entry.hash) != is.map(|slot| slot.entry.hash);
                changes.extend(is.filter(|_| different).map(Slot::added));
            }
        }
    }
}
