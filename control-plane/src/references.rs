//! What documents of an environment read of each other: the documents as a validation sees them, and those that would
//! be left with something missing.
//!
//! A flag that is archived is not there for others, and reads nothing. Whoever writes by what he learns here guards the
//! references of the environment (`change::guard_references`), so that of two writes that each read what the other
//! writes one is tried again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use evaluation::{Documents, Flag, Key, Reference, Segment, Written, check_references, references_of};

use crate::state::State;

/// How many readers of a document are named.
const NAMED: usize = 20;

/// What a request writes, laid over what is there; none: it is deleted or archived.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overlay {
    /// By key.
    pub(crate) flags: BTreeMap<Key, Option<Flag>>,
    /// By key; without their members.
    pub(crate) segments: BTreeMap<Key, Option<Segment>>,
}

/// The documents of an environment as they would be after a write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StateDocuments<'s> {
    state: &'s State,
    environment: &'s Key,
    overlay: &'s Overlay,
}

/// A document that would read what is no longer there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    /// What it reads: the flag or segment that is written.
    pub(crate) read: Reference,
    /// Who reads it, in words such as `flag checkout`, the first twenty.
    pub(crate) readers: Vec<String>,
    /// What would be wrong with the first of them, in words.
    pub(crate) why: String,
}

impl Overlay {
    /// Of one flag.
    pub(crate) fn of_flag(key: &Key, flag: Option<Flag>) -> Self {
        Self {
            flags: [(key.clone(), flag)].into(),
            ..Self::default()
        }
    }

    /// Of one segment.
    pub(crate) fn of_segment(key: &Key, segment: Option<Segment>) -> Self {
        Self {
            segments: [(key.clone(), segment)].into(),
            ..Self::default()
        }
    }

    fn names(&self) -> impl Iterator<Item = Reference> {
        let flags = self.flags.keys().map(|key| Reference::Flag(key.to_string()));
        flags.chain(self.segments.keys().map(|key| Reference::Segment(key.to_string())))
    }
}

impl Documents for StateDocuments<'_> {
    fn flag(&self, key: &str) -> Option<&Flag> {
        if let Some(written) = self.overlay.flags.get(key) {
            return written.as_ref();
        }
        let record = self.state.flag(self.environment, &Key::parse(key).ok()?)?;
        record.archived_at_us.is_none().then_some(&record.flag)
    }

    fn segment(&self, key: &str) -> Option<&Segment> {
        if let Some(written) = self.overlay.segments.get(key) {
            return written.as_ref();
        }
        let record = self.state.segment(self.environment, &Key::parse(key).ok()?)?;
        Some(&record.segment)
    }
}

impl<'s> StateDocuments<'s> {
    /// What is there, with what is written over it.
    pub(crate) fn new(state: &'s State, environment: &'s Key, overlay: &'s Overlay) -> Self {
        Self {
            state,
            environment,
            overlay,
        }
    }

    /// The documents that are there, are not written, and read something themselves.
    fn readers(&self) -> impl Iterator<Item = (Reference, Written<'s>)> {
        let (state, overlay) = (self.state, self.overlay);
        let flags = state.flags_of(self.environment, None);
        let flags = flags
            .filter(|record| record.archived_at_us.is_none() && reads(&record.flag))
            .filter(|record| !overlay.flags.contains_key(&record.flag.key))
            .map(|record| {
                (
                    Reference::Flag(record.flag.key.to_string()),
                    Written::Flag(&record.flag),
                )
            });
        let segments = state.segments_of(self.environment, None);
        let segments = segments
            .filter(|record| !overlay.segments.contains_key(&record.segment.key))
            .map(|record| {
                let key = Reference::Segment(record.segment.key.to_string());
                (key, Written::Segment(&record.segment))
            });
        flags.chain(segments)
    }

    /// What the write would leave without something that it reads, by what is written.
    ///
    /// Looks at every document that reads what is written, itself or through others: linear in the documents of the
    /// environment that read something.
    pub(crate) fn broken(&self) -> Vec<Broken> {
        let readers = self.readers().collect::<BTreeMap<_, _>>();
        let mut read_by = BTreeMap::<Reference, Vec<&Reference>>::new();
        for (reader, written) in &readers {
            for read in references_of(*written) {
                read_by.entry(read).or_default().push(reader);
            }
        }
        let mut broken = Vec::new();
        let mut told = BTreeSet::new();
        for written in self.overlay.names() {
            let of = upstream(&written, &read_by);
            let mut wrong = of.into_iter().filter_map(|reader| {
                let violations = check_references(*readers.get(reader)?, self);
                let first = violations.into_iter().next()?;
                told.insert(reader).then(|| (words(reader), first.to_string()))
            });
            let Some((first, why)) = wrong.next() else {
                continue;
            };
            let readers = std::iter::once(first).chain(wrong.map(|(reader, _)| reader));
            broken.push(Broken {
                readers: readers.take(NAMED).collect(),
                read: written,
                why,
            });
        }
        broken
    }
}

/// Whether a flag can read anything.
fn reads(flag: &Flag) -> bool {
    !flag.prerequisites.is_empty() || !flag.rules.is_empty()
}

/// Everybody who reads something, the nearest first.
fn upstream<'r>(read: &Reference, read_by: &BTreeMap<Reference, Vec<&'r Reference>>) -> Vec<&'r Reference> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = VecDeque::from([read]);
    while let Some(read) = next.pop_front() {
        for reader in read_by.get(read).into_iter().flatten() {
            if seen.insert(*reader) {
                found.push(*reader);
                next.push_back(reader);
            }
        }
    }
    found
}

/// A document in words.
pub(crate) fn words(reference: &Reference) -> String {
    match reference {
        Reference::Flag(key) => format!("flag {key}"),
        Reference::Segment(key) => format!("segment {key}"),
    }
}

#[cfg(test)]
mod tests;
