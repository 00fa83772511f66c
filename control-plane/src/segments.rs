//! Segments as they are written: a document checked whole, its members laid in chunks, and the chunks brought to the
//! store before the document that names them.
//!
//! The one path for every write of a segment, whoever asks for it. Chunks that are few go into the transaction of the
//! document; many go before it as an upload, a record of its own that the document's transaction takes away. What an
//! upload leaves behind when its document does not follow is swept (`sweep.rs`).

use std::collections::BTreeSet;

use bytes::Bytes;
use evaluation::{
    Documents, Key, Reference, Segment, Violation, Violations, Written, check_references, compile_segment,
    references_of,
};
use futures::future::try_join_all;
use proto::status::violation;
use uuid::Uuid;

use crate::{
    members::{BYTES_LIMIT, Chunks, Members, MissingChunk, UNIT_LIMIT, UNITS_LIMIT},
    record::SegmentRecord,
    state::State,
    store::{self, Guard, Outcome, Store, Txn, keys, model},
};

/// The largest document without its members, in bytes.
const DOCUMENT_LIMIT: usize = 256 * 1024;
/// The most chunks that one transaction brings.
const CHUNKS_AT_ONCE: usize = 100;
/// The most bytes of chunks that one transaction brings.
const BYTES_AT_ONCE: usize = 1_200_000;
/// Bytes of chunks that go into the transaction of their document, if they are few.
pub(crate) const ROOM: usize = 512 * 1024;
/// How many they may be then.
pub(crate) const FEW: usize = 32;

/// A segment that somebody wants.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The document; its own lists are not looked at.
    pub(crate) segment: Segment,
    /// Units that are to be in.
    pub(crate) included: List,
    /// Units that are to be out.
    pub(crate) excluded: List,
}

/// What is to become of a list.
#[derive(Debug, Clone)]
pub(crate) enum List {
    /// It stays; of a new segment: empty.
    Kept,
    /// These units, in any order.
    Units(Vec<String>),
    /// A list of an earlier version, whose chunks are in the store.
    Laid(Members),
}

/// A segment that may be written.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// As it is to be; its revision is 0.
    pub(crate) record: SegmentRecord,
    /// Chunks that the store must hold before.
    pub(crate) fresh: Chunks,
    /// Whether its transaction must guard the references of the environment.
    pub(crate) concerns_references: bool,
}

/// When something is written, and as which version.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    /// The version.
    pub(crate) version: u32,
    /// The time.
    pub(crate) at_us: i64,
}

/// Chunks on their way to the store, for the transaction of the document that names them.
#[derive(Debug, Clone, Default)]
#[must_use = "the document's transaction must bring the chunks or take the upload away"]
pub(crate) struct Staged {
    with: Vec<(Bytes, Bytes)>,
    upload: Option<(Bytes, u64)>,
}

impl List {
    /// The units that came with the request.
    fn units(&self) -> &[String] {
        match self {
            Self::Units(units) => units,
            Self::Kept | Self::Laid(_) => &[],
        }
    }
}

impl Prepared {
    /// Whether anything that a person wrote differs.
    pub(crate) fn differs(&self, before: &SegmentRecord) -> bool {
        let after = &self.record;
        after.segment != before.segment || after.included != before.included || after.excluded != before.excluded
    }
}

impl SegmentRecord {
    /// The document with its members, which lie in these chunks.
    pub(crate) fn whole(&self, chunks: &Chunks) -> Result<Segment, MissingChunk> {
        Ok(Segment {
            included: self.included.units(chunks)?,
            excluded: self.excluded.units(chunks)?,
            ..self.segment.clone()
        })
    }
}

/// Checks a wanted segment and lays out its members; every violation at once.
///
/// `among` shows the documents of the environment as they would be, this one included. Linear in the members that are
/// given.
pub(crate) fn prepare_segment(
    state: &State,
    environment: &Key,
    before: Option<&SegmentRecord>,
    wanted: &Wanted,
    stamp: Stamp,
    among: &impl Documents,
) -> Result<Prepared, Vec<Violation>> {
    let (record, mut fresh) = laid(before, wanted, stamp);
    let mut violations = compile_segment(&record.segment).err().unwrap_or_default();
    violations.extend(check_references(Written::Segment(&record.segment), among));
    violations.extend(too_large(&record));
    for (field, list) in [("included", &wanted.included), ("excluded", &wanted.excluded)] {
        violations.extend(wrong_units(field, list.units()));
    }
    violations.extend(too_many(&record.included, &record.excluded));
    let held = state.chunks_of(environment);
    violations.extend(match (&wanted.included, &wanted.excluded) {
        (_, List::Units(units)) => on_both("excluded", units, &record.included, held, &fresh),
        (List::Units(units), List::Kept | List::Laid(_)) => on_both("included", units, &record.excluded, held, &fresh),
        (List::Kept | List::Laid(_), List::Kept | List::Laid(_)) => Vec::new(),
    });
    if !violations.is_empty() {
        return Err(violations);
    }
    let named = before.into_iter().flat_map(SegmentRecord::chunks);
    named.for_each(|id| _ = fresh.remove(&id));
    let concerns_references = moves_readers(before, &record) || !references(&record).is_empty();
    Ok(Prepared {
        record,
        fresh,
        concerns_references,
    })
}

/// A wanted segment as a record, unchecked, and the chunks of the units that came with it.
fn laid(before: Option<&SegmentRecord>, wanted: &Wanted, stamp: Stamp) -> (SegmentRecord, Chunks) {
    let mut fresh = Chunks::new();
    let mut lay = |list: &List, before: Option<&Members>| match list {
        List::Kept => before.cloned().unwrap_or_default(),
        List::Laid(members) => members.clone(),
        List::Units(units) => {
            let mut edited = Members::of(units);
            fresh.append(&mut edited.fresh);
            edited.members
        }
    };
    let record = SegmentRecord {
        included: lay(&wanted.included, before.map(|before| &before.included)),
        excluded: lay(&wanted.excluded, before.map(|before| &before.excluded)),
        segment: Segment {
            included: Vec::new(),
            excluded: Vec::new(),
            ..wanted.segment.clone()
        },
        version: stamp.version,
        created_at_us: before.map_or(stamp.at_us, |before| before.created_at_us),
        updated_at_us: stamp.at_us,
        revision: 0,
    };
    (record, fresh)
}

/// Whether a write can leave somebody who reads the segment with too long a way, or in a circle.
pub(crate) fn moves_readers(before: Option<&SegmentRecord>, after: &SegmentRecord) -> bool {
    before.is_some_and(|before| references(before) != references(after))
}

fn references(record: &SegmentRecord) -> BTreeSet<Reference> {
    references_of(Written::Segment(&record.segment))
}

/// Units of a list that cannot be.
pub(crate) fn wrong_units(field: &str, units: &[String]) -> Vec<Violation> {
    let wrong = units
        .iter()
        .enumerate()
        .filter(|(_, unit)| unit.is_empty() || unit.len() > UNIT_LIMIT);
    let mut violations = Violations::default();
    for (at, unit) in wrong {
        let (path, bytes) = (format_args!("{field}[{at}]"), unit.len());
        violations.add(
            path,
            format_args!("a unit has 1 to {UNIT_LIMIT} bytes, this one has {bytes}"),
        );
    }
    violations.into_list()
}

fn too_large(record: &SegmentRecord) -> Option<Violation> {
    let document = SegmentRecord {
        included: Members::default(),
        excluded: Members::default(),
        ..record.clone()
    };
    let bytes = model::write_segment(&document).len();
    let description = format!("the document has {bytes} bytes without its members, the limit is {DOCUMENT_LIMIT}");
    (bytes > DOCUMENT_LIMIT).then(|| violation("", description))
}

/// More members than a segment may have.
pub(crate) fn too_many(included: &Members, excluded: &Members) -> Vec<Violation> {
    let count = included.count() + excluded.count();
    let bytes = included.bytes() + excluded.bytes();
    let count = (count > UNITS_LIMIT).then(|| {
        let description = format!("both lists have {count} units together, the limit is {UNITS_LIMIT}");
        violation("included", description)
    });
    let bytes = (bytes > BYTES_LIMIT).then(|| {
        let description = format!("both lists have {bytes} bytes together, the limit is {BYTES_LIMIT}");
        violation("included", description)
    });
    count.into_iter().chain(bytes).collect()
}

/// Units of one list that are on the other, too.
fn on_both(field: &str, units: &[String], other: &Members, held: &Chunks, fresh: &Chunks) -> Vec<Violation> {
    if other.count() == 0 {
        return Vec::new();
    }
    let chunks = other.chunks().filter_map(|id| {
        let chunk = fresh.get(&id).or_else(|| held.get(&id))?;
        Some((id, chunk.clone()))
    });
    let chunks = chunks.collect::<Chunks>();
    let mut violations = Violations::default();
    for (at, unit) in units.iter().enumerate() {
        match other.contains(&chunks, unit) {
            Ok(false) => {}
            Ok(true) => violations.add(format_args!("{field}[{at}]"), "is on the other list, too"),
            Err(error) => violations.add(field, error),
        }
    }
    violations.into_list()
}

/// Brings chunks to the store, unless they are few enough to go with their document within `room` bytes.
pub(crate) async fn stage(
    store: &dyn Store,
    environment: &Key,
    fresh: &Chunks,
    room: usize,
    at_us: i64,
) -> Result<Staged, store::Error> {
    let written = fresh
        .iter()
        .map(|(id, chunk)| (keys::chunk(environment, *id), model::write_chunk(chunk)));
    let written = written.collect::<Vec<_>>();
    let bytes = written.iter().map(|(_, value)| value.len()).sum::<usize>();
    if bytes <= room && written.len() <= FEW {
        let with = written;
        return Ok(Staged { with, upload: None });
    }
    let marker = keys::upload(environment, Uuid::now_v7());
    let upload = model::write_upload(at_us, fresh.keys().copied());
    // The marker is durable before any chunk is: without it nobody would ever sweep them.
    let committed = store.txn(Txn::default().put(marker.clone(), upload)).await?;
    let Outcome::Committed(revision) = committed else {
        return Err(store::Error::Engine(
            "a transaction without guards was refused".to_owned(),
        ));
    };
    try_join_all(batches(written).into_iter().map(|txn| store.txn(txn))).await?;
    Ok(Staged {
        with: Vec::new(),
        upload: Some((marker, revision)),
    })
}

/// Transactions of as many chunks as each of them takes.
fn batches(written: Vec<(Bytes, Bytes)>) -> Vec<Txn> {
    let mut batches = vec![Txn::default()];
    let mut bytes = 0;
    for (key, value) in written {
        let full = batches.last().is_some_and(|txn| txn.ops.len() >= CHUNKS_AT_ONCE);
        if full || bytes + value.len() > BYTES_AT_ONCE {
            batches.push(Txn::default());
            bytes = 0;
        }
        bytes += value.len();
        let last = batches.pop().unwrap_or_default();
        batches.push(last.put(key, value));
    }
    batches
}

impl Staged {
    /// The transaction of the document that names the chunks: it brings them, or takes their upload away.
    pub(crate) fn settle(self, txn: Txn) -> Txn {
        let txn = self.with.into_iter().fold(txn, |txn, (key, value)| txn.put(key, value));
        match self.upload {
            // Gone: it was swept meanwhile, and its chunks with it.
            Some((key, revision)) => txn.guard(Guard::Unchanged(key.clone(), revision)).delete(key),
            None => txn,
        }
    }
}

#[cfg(test)]
mod tests;
