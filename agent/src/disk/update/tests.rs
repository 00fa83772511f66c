#![allow(clippy::unwrap_used)]

use evaluation::{Digest, EntryKind, Lineage, Revision};
use proptest::prelude::*;

use super::*;

fn stamp(number: u64) -> Stamp {
    let revision = Revision {
        lineage: Lineage(1),
        number,
    };
    Stamp {
        revision,
        digest: Digest(0),
    }
}

fn id(key: u8) -> EntryId {
    EntryId {
        kind: EntryKind::Flag,
        key: Arc::from(key.to_string()),
    }
}

/// What may become of one entry: a body, understood or not; or nothing.
type Step = (bool, Vec<(u8, Option<(u8, bool)>)>);

fn update(number: usize, (whole, entries): &Step) -> Update {
    let held_back = entries
        .iter()
        .filter(|(_, entry)| entry.is_some_and(|(_, understood)| !understood));
    let held_back: Vec<_> = held_back.map(|(key, _)| id(*key)).collect();
    let raw = |(key, entry): &(u8, Option<(u8, bool)>)| RawEntry {
        kind: EntryKind::Flag,
        key: key.to_string(),
        body: entry.map(|(body, _)| Bytes::from(vec![body])),
    };
    let entries = entries
        .iter()
        .filter(|(_, entry)| !whole || entry.is_some())
        .map(raw)
        .collect();
    Update::new(stamp(number as u64), *whole, entries, &held_back)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let entry = prop::option::weighted(0.8, (any::<u8>(), any::<bool>()));
    let entries = prop::collection::btree_map(0u8..4, entry, 0..4).prop_map(|entries| entries.into_iter().collect());
    prop::collection::vec((prop::bool::weighted(0.2), entries), 1..8)
}

proptest! {
    /// However many steps wait for the disk, and wherever a write comes between: the file is the same.
    #[test]
    fn steps_written_together_or_one_by_one_give_the_same_file(steps in steps(), split in 0usize..8) {
        let updates: Vec<_> = steps.iter().enumerate().map(|(number, step)| update(number, step)).collect();
        let one_by_one = updates
            .iter()
            .fold(Stored::nothing(stamp(0)), |base, update| update.clone().applied_to(base));
        let split = split.min(updates.len());
        let together = [&updates[..split], &updates[split..]]
            .into_iter()
            .filter_map(|part| part.iter().cloned().reduce(Update::then))
            .fold(Stored::nothing(stamp(0)), |base, update| update.applied_to(base));
        prop_assert_eq!(together, one_by_one);
    }

    #[test]
    fn only_entries_that_are_there_keep_a_body(steps in steps()) {
        let updates = steps.iter().enumerate().map(|(number, step)| update(number, step));
        let stored = updates.fold(Stored::nothing(stamp(0)), |base, update| update.applied_to(base));
        prop_assert!(stored.kept.keys().all(|id| stored.entries.contains_key(id)));
    }
}

#[test]
fn a_copy_is_what_it_was_made_from() {
    let steps = [
        (false, vec![(1, Some((1, true))), (2, Some((2, true)))]),
        (false, vec![(1, Some((9, false)))]),
    ];
    let stored = steps
        .iter()
        .enumerate()
        .map(|(number, step)| update(number, step))
        .fold(Stored::nothing(stamp(0)), |base, update| update.applied_to(base));
    assert_eq!(stored.kept.len(), 1);
    let copied = Update::copy(stored.clone()).applied_to(Stored::nothing(stamp(7)));
    assert_eq!(copied, stored);
}
