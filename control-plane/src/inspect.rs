//! The snapshot of one flag: what agents hold of it and of all that it reads, now or at an old revision.
//!
//! Entries are encoded, decoded and compiled by the code that serves agents, so an answer from here is an agent's
//! answer. At an old revision each document is the version that was in force then, and rollouts are left out: what they
//! exposed from minute to minute is no document.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use evaluation::{
    Change, Entry, EntryId, EntryKind, Flag, Index, Key, Lineage, Reference, Revision, Snapshot, Written, entry_hash,
    references_of,
};
use proto::entry;

use crate::{
    compile,
    history::{self, HistoryError, Kept},
    members::Chunks,
    record::{FlagRecord, SegmentRecord},
    state::State,
    store::{Store, model::Document},
    truth::Truth,
};

/// The most documents that a flag may lead to.
const DOCUMENTS: usize = 2_000;

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InspectError {
    /// A revision that is not there yet.
    #[error("revision {asked} does not exist yet; the current one is {current}")]
    Future {
        /// Asked for.
        asked: u64,
        /// The current one.
        current: u64,
    },
    /// There is no such flag, or was none by then.
    #[error("there is no such flag")]
    NoFlag,
    /// The flag is archived, or was by then: agents do not have it.
    #[error("the flag is archived, so agents do not have it")]
    Archived,
    /// More documents than anybody can look through.
    #[error("the flag leads to more than {DOCUMENTS} documents")]
    TooMany,
    /// A version could not be read.
    #[error(transparent)]
    History(#[from] HistoryError),
}

/// The documents that a snapshot is made of.
#[derive(Debug)]
pub(crate) struct Documents {
    environment: Key,
    state: Arc<State>,
    revision: Revision,
    found: Vec<Found>,
}

/// One document.
#[derive(Debug)]
enum Found {
    /// As the state has it.
    Now(EntryId),
    /// A flag as it was.
    Flag(Box<Flag>),
    /// A segment as it was, with its chunks.
    Segment(Box<SegmentRecord>, Chunks),
}

/// A flag and all that it reads, directly or not; none: now.
pub(crate) async fn documents(
    truth: &Truth,
    environment: &Key,
    flag: &Key,
    revision: Option<u64>,
) -> Result<Documents, InspectError> {
    let state = truth.state();
    let current = state.revision;
    if let Some(asked) = revision.filter(|asked| *asked > current) {
        return Err(InspectError::Future { asked, current });
    }
    let mut gathering = Gathering {
        store: truth.store(),
        state: &state,
        environment,
        known: BTreeSet::new(),
        waiting: VecDeque::new(),
        found: Vec::new(),
    };
    gathering.expect(Reference::Flag(flag.to_string()));
    while let Some(reference) = gathering.waiting.pop_front() {
        let is_first = gathering.found.is_empty();
        match revision {
            None => gathering.take_now(&reference, is_first)?,
            Some(revision) => gathering.take_then(&reference, revision, is_first).await?,
        }
        if gathering.known.len() > DOCUMENTS {
            return Err(InspectError::TooMany);
        }
    }
    let found = gathering.found;
    let revision = Revision {
        lineage: Lineage(truth.store().lineage()),
        number: revision.unwrap_or(current),
    };
    Ok(Documents {
        environment: environment.clone(),
        state,
        revision,
        found,
    })
}

/// The walk through what a flag reads.
struct Gathering<'a> {
    store: &'a dyn Store,
    state: &'a State,
    environment: &'a Key,
    known: BTreeSet<Reference>,
    waiting: VecDeque<Reference>,
    found: Vec<Found>,
}

impl Gathering<'_> {
    fn expect(&mut self, reference: Reference) {
        if self.known.insert(reference.clone()) {
            self.waiting.push_back(reference);
        }
    }

    fn expect_all(&mut self, written: Written<'_>) {
        references_of(written)
            .into_iter()
            .for_each(|reference| self.expect(reference));
    }

    /// What is not there is left out, as agents have to do without it; the flag itself must be there.
    fn take_now(&mut self, reference: &Reference, is_first: bool) -> Result<(), InspectError> {
        let (kind, key) = name(reference);
        let Ok(parsed) = Key::parse(key) else {
            return Ok(());
        };
        match reference {
            Reference::Flag(_) => match self.state.flag(self.environment, &parsed) {
                Some(record) if record.archived_at_us.is_none() => {
                    let step = compile::step_of(self.state, self.environment, &parsed);
                    self.expect_all(Written::Flag(&record.flag, step.as_ref()));
                }
                absent => return missing(absent.map(|record| &**record), is_first),
            },
            Reference::Segment(_) => match self.state.segment(self.environment, &parsed) {
                Some(record) => self.expect_all(Written::Segment(&record.segment)),
                None => return Ok(()),
            },
        }
        self.found.push(Found::Now(id(kind, key)));
        Ok(())
    }

    async fn take_then(&mut self, reference: &Reference, revision: u64, is_first: bool) -> Result<(), InspectError> {
        let Ok(parsed) = Key::parse(name(reference).1) else {
            return Ok(());
        };
        let kind = match reference {
            Reference::Flag(_) => "flag",
            Reference::Segment(_) => "segment",
        };
        let kept = history::version_at(self.store, self.environment, kind, &parsed, revision).await?;
        match kept.and_then(|kept: Kept| kept.record.document) {
            Some(Document::Flag(record)) if record.archived_at_us.is_none() => {
                self.expect_all(Written::Flag(&record.flag, None));
                self.found.push(Found::Flag(Box::new(record.flag)));
                Ok(())
            }
            Some(Document::Segment(record)) => {
                self.expect_all(Written::Segment(&record.segment));
                let chunks = history::chunks(self.store, self.state, self.environment, &record).await?;
                self.found.push(Found::Segment(Box::new(record), chunks));
                Ok(())
            }
            Some(Document::Flag(record)) => missing(Some(&record), is_first),
            // Nothing reads a plan.
            Some(Document::Plan(_)) | None => missing(None, is_first),
        }
    }
}

/// A flag that agents do not have.
fn missing(archived: Option<&FlagRecord>, is_first: bool) -> Result<(), InspectError> {
    match archived {
        _ if !is_first => Ok(()),
        Some(_) => Err(InspectError::Archived),
        None => Err(InspectError::NoFlag),
    }
}

impl Documents {
    /// The snapshot that an agent would make of them. An entry that an agent could not read is left out.
    ///
    /// Linear in all members of all segments: for a thread that may take its time.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, InspectError> {
        let mut changes = Vec::with_capacity(self.found.len());
        for found in &self.found {
            let Some((id, body)) = self.encode(found)? else {
                continue;
            };
            match entry::decode(id.kind, &id.key, &body) {
                Ok(decoded) => {
                    let hash = entry_hash(id.kind, &id.key, &body);
                    let entry = Some(Entry { hash, body: decoded });
                    changes.push(Change { id, entry });
                }
                Err(error) => tracing::warn!(key = %id.key, %error, "an entry cannot be read by this build"),
            }
        }
        Ok(Snapshot::new(self.revision, Index::new().with(changes)))
    }

    /// The body of an entry as agents get it.
    fn encode(&self, found: &Found) -> Result<Option<(EntryId, Bytes)>, InspectError> {
        match found {
            Found::Now(id) => {
                let framed = compile::entry(&self.state, &self.environment, id);
                let raw = framed.and_then(|entry| entry::unframe(entry.body).ok()?.pop());
                Ok(raw.and_then(|raw| Some((id.clone(), raw.body?))))
            }
            Found::Flag(flag) => Ok(Some((id(EntryKind::Flag, &flag.key), entry::encode_flag(flag, None)))),
            Found::Segment(record, chunks) => {
                let segment = record.whole(chunks).map_err(HistoryError::from)?;
                let id = id(EntryKind::Segment, &segment.key);
                Ok(Some((id, entry::encode_segment(&segment))))
            }
        }
    }
}

fn name(reference: &Reference) -> (EntryKind, &str) {
    match reference {
        Reference::Flag(key) => (EntryKind::Flag, key),
        Reference::Segment(key) => (EntryKind::Segment, key),
    }
}

fn id(kind: EntryKind, key: &str) -> EntryId {
    EntryId {
        kind,
        key: Arc::from(key),
    }
}

#[cfg(test)]
mod tests;
