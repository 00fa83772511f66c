//! The latest audit records of an environment, held by the state for those who follow.
//!
//! Decoded once, whoever many follow; one who is further behind reads the store's log. Nothing is ever half there: what
//! leaves, leaves by whole revisions, and `since` says up to where.

use std::{collections::VecDeque, sync::Arc};

use uuid::Uuid;

use crate::store::model::AuditRecord;

/// Records that are held at most, but for those of the latest revision.
const RECORDS: usize = 128;
/// Bytes of their accounts that are held at most.
const BYTES: usize = 1024 * 1024;

/// A record with its id and revision.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// Its id.
    pub(crate) id: Uuid,
    /// The store revision of the act.
    pub(crate) revision: u64,
    /// What it says.
    pub(crate) record: AuditRecord,
}

/// The latest records, in order; all that were made after a revision.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recent {
    since: u64,
    bytes: usize,
    records: VecDeque<Arc<Recorded>>,
}

impl Recent {
    /// These, and what was done at a revision, which is not before the latest.
    pub(crate) fn with(mut self, revision: u64, acts: Vec<(Uuid, AuditRecord)>) -> Self {
        if self.records.is_empty() {
            // None was made before it since this process began.
            self.since = revision - 1;
        }
        for (id, record) in acts {
            let recorded = Recorded { id, revision, record };
            self.bytes += size(&recorded);
            self.records.push_back(Arc::new(recorded));
        }
        while (self.records.len() > RECORDS || self.bytes > BYTES) && self.drop_oldest() {}
        self
    }

    /// The revision of the latest.
    pub(crate) fn latest(&self) -> u64 {
        self.records.back().map_or(self.since, |recorded| recorded.revision)
    }

    /// All that were made after a revision, in order; none if some of them are no longer here.
    pub(crate) fn after(&self, revision: u64) -> Option<impl Iterator<Item = &Arc<Recorded>>> {
        let from = self.records.partition_point(|recorded| recorded.revision <= revision);
        (revision >= self.since).then(|| self.records.range(from..))
    }

    /// Lets go of the oldest revision, unless it is the latest.
    fn drop_oldest(&mut self) -> bool {
        let Some(oldest) = self.records.front().map(|recorded| recorded.revision) else {
            return false;
        };
        if oldest == self.latest() {
            return false;
        }
        let kept = self.records.partition_point(|recorded| recorded.revision == oldest);
        for recorded in self.records.drain(..kept) {
            self.bytes -= size(&recorded);
        }
        self.since = oldest;
        true
    }
}

/// Bytes of what can be long.
fn size(recorded: &Recorded) -> usize {
    let record = &recorded.record;
    record.before.len() + record.after.len() + record.reason.len() + record.key.len()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    /// An act with an account of so many bytes.
    fn act(bytes: usize) -> (Uuid, AuditRecord) {
        let record = AuditRecord {
            at_us: 0,
            actor: String::new(),
            action: String::new(),
            kind: String::new(),
            key: String::new(),
            reason: String::new(),
            before: "x".repeat(bytes),
            after: String::new(),
            peer: String::new(),
            changeset: None,
        };
        (Uuid::nil(), record)
    }

    proptest! {
        #[test]
        fn what_is_told_after_a_revision_is_whole_and_what_is_held_is_bounded(
            steps in proptest::collection::vec((1..3u64, 1..4usize, 0..BYTES / 9), 1..300),
            asked in 0..500u64,
        ) {
            let (mut recent, mut all, mut revision) = (Recent::default(), Vec::new(), 5);
            for (step, acts, bytes) in steps {
                revision += step;
                recent = recent.with(revision, (0..acts).map(|_| act(bytes)).collect());
                all.extend((0..acts).map(|_| revision));
            }
            prop_assert_eq!(recent.latest(), revision);
            if let Some(told) = recent.after(asked) {
                let told = told.map(|recorded| recorded.revision).collect::<Vec<_>>();
                let expected = all.iter().copied().filter(|revision| *revision > asked);
                prop_assert_eq!(told, expected.collect::<Vec<_>>());
            }
            prop_assert!(recent.after(revision).is_some());
            prop_assert!(recent.records.len() <= RECORDS && recent.bytes <= BYTES);
            prop_assert_eq!(recent.bytes, recent.records.iter().map(|recorded| size(recorded)).sum::<usize>());
        }
    }
}
