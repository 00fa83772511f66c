//! What is worked out of a snapshot once, for doors that need more than one flag of it.
//!
//! A snapshot has no order of its own and does not know which of its entries read which; working that out for each call
//! or each stream would cost more than all evaluations. The first who needs it for the snapshot in use makes it, and it
//! is shared. A lock is held for a comparison only; two who come at once may both make it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use evaluation::{CompiledFlag, EntryId, EntryKind, Snapshot};

/// A snapshot's flags, ascending by key.
pub(crate) type Ordered = Vec<Arc<CompiledFlag>>;

/// What was worked out of the snapshot that was asked for last.
#[derive(Debug, Default)]
pub(crate) struct Derived {
    ordered: Last<Ordered>,
    readers: Last<Readers>,
}

/// The entries that read an entry: flags and segments, by what they read.
#[derive(Debug, Default)]
pub(crate) struct Readers(BTreeMap<EntryId, Vec<EntryId>>);

/// Something of the snapshot that was asked for last, which is not kept alive for it.
#[derive(Debug)]
struct Last<T>(Mutex<Option<(Weak<Snapshot>, Arc<T>)>>);

impl Derived {
    /// The flags of this snapshot in key order.
    pub(crate) fn ordered(&self, snapshot: &Arc<Snapshot>) -> Arc<Ordered> {
        self.ordered.of(snapshot, |snapshot| {
            let mut flags: Vec<_> = snapshot.flags().cloned().collect();
            flags.sort_unstable_by(|one, other| one.key().cmp(other.key()));
            flags
        })
    }

    /// Who reads what in this snapshot.
    pub(crate) fn readers(&self, snapshot: &Arc<Snapshot>) -> Arc<Readers> {
        self.readers.of(snapshot, Readers::of)
    }
}

impl Readers {
    fn of(snapshot: &Snapshot) -> Self {
        let mut readers = Self::default();
        for flag in snapshot.flags() {
            readers.reads(EntryKind::Flag, flag.key(), flag.reads());
        }
        for segment in snapshot.segments() {
            readers.reads(EntryKind::Segment, segment.key(), segment.reads());
        }
        readers
    }

    fn reads<'s>(&mut self, kind: EntryKind, key: &str, read: impl Iterator<Item = (EntryKind, &'s str)>) {
        let mut read = read.peekable();
        if read.peek().is_none() {
            return;
        }
        let reader = id(kind, key);
        for (kind, key) in read {
            self.0.entry(id(kind, key)).or_default().push(reader.clone());
        }
    }

    /// The keys of all flags that read one of these entries, directly or through others.
    pub(crate) fn flags_reading<'i>(&self, changed: impl Iterator<Item = &'i EntryId>) -> BTreeSet<&str> {
        if self.0.is_empty() {
            return BTreeSet::new();
        }
        let (mut reached, mut flags) = (BTreeSet::new(), BTreeSet::new());
        let readers = |id: &EntryId| self.0.get(id).into_iter().flatten();
        let mut next: Vec<&EntryId> = changed.flat_map(readers).collect();
        while let Some(id) = next.pop() {
            if reached.insert(id) {
                if id.kind == EntryKind::Flag {
                    flags.insert(&*id.key);
                }
                next.extend(readers(id));
            }
        }
        flags
    }
}

impl<T> Default for Last<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Last<T> {
    fn of(&self, snapshot: &Arc<Snapshot>, make: impl FnOnce(&Snapshot) -> T) -> Arc<T> {
        if let Some(known) = self.known(snapshot) {
            return known;
        }
        let made = Arc::new(make(snapshot));
        let known = (Arc::downgrade(snapshot), Arc::clone(&made));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        made
    }

    fn known(&self, snapshot: &Arc<Snapshot>) -> Option<Arc<T>> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, known) = last.as_ref()?;
        // The weak reference keeps the address from being given to another snapshot.
        std::ptr::eq(of.as_ptr(), Arc::as_ptr(snapshot)).then(|| Arc::clone(known))
    }
}

fn id(kind: EntryKind, key: &str) -> EntryId {
    EntryId {
        kind,
        key: Arc::from(key),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use evaluation::{Flag, Prerequisite, Serve};

    use super::*;
    use crate::samples::{Contents, boolean, for_members, segment, step_for_some};

    fn keys(ordered: &Ordered) -> Vec<&str> {
        ordered.iter().map(|flag| flag.key().as_str()).collect()
    }

    #[test]
    fn each_snapshot_has_its_own_order_and_it_is_made_once() {
        let contents = Contents::production().flag(&boolean("b")).flag(&boolean("a"));
        let one = Arc::new(contents.snapshot(1));
        let other = Arc::new(contents.flag(&boolean("aa")).snapshot(2));
        let derived = Derived::default();
        let first = derived.ordered(&one);
        assert_eq!(keys(&first), ["a", "b"]);
        assert!(Arc::ptr_eq(&first, &derived.ordered(&one)));
        assert_eq!(keys(&derived.ordered(&other)), ["a", "aa", "b"]);
        assert_eq!(keys(&derived.ordered(&one)), ["a", "b"]);
    }

    #[test]
    fn whoever_reads_an_entry_through_others_is_found() {
        let waiting = |key: &str, other: &str| Flag {
            prerequisites: vec![Prerequisite {
                flag: other.to_owned(),
                variants: vec!["on".to_owned()],
            }],
            ..boolean(key)
        };
        let ruled = Flag {
            rules: vec![for_members("inner", Serve::Variant("off".to_owned()))],
            ..boolean("b")
        };
        let contents = Contents::production()
            .flag(&boolean("a"))
            .flag(&ruled)
            .flag(&waiting("c", "b"))
            .flag(&waiting("d", "c"))
            .flag(&waiting("e", "a"))
            .segment(&segment("inner", &["ada"]))
            .rollout_for_some(&step_for_some())
            .flag(&waiting("f", "checkout"));
        let snapshot = Arc::new(contents.snapshot(1));
        let readers = Derived::default().readers(&snapshot);
        let reading = |kind, key| {
            readers
                .flags_reading([id(kind, key)].iter())
                .into_iter()
                .collect::<Vec<_>>()
        };
        assert_eq!(reading(EntryKind::Segment, "inner"), ["b", "c", "d"]);
        assert_eq!(reading(EntryKind::Flag, "c"), ["d"]);
        assert_eq!(reading(EntryKind::Flag, "a"), ["e"]);
        assert_eq!(reading(EntryKind::Flag, "d"), [""; 0]);
        assert_eq!(reading(EntryKind::Segment, "other"), [""; 0]);
        // Segments that a rollout step names.
        for audience in ["staff", "beta"] {
            assert_eq!(reading(EntryKind::Segment, audience), ["checkout", "f"]);
        }
    }
}
