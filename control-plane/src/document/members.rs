//! What differs between two segments: their documents field by field, their member lists by what changed hands.
//!
//! Chunks that both lists name hold the same units and are not looked into, so that one unit added to 500,000 is found
//! by reading two chunks.

use std::collections::BTreeSet;

use proto::v1::{self, FieldChange};
use serde_json::{Map, Value as Json};

use super::{differences::Differences, json, lists};
use crate::{
    members::{ChunkId, Chunks, Members, MissingChunk},
    record::SegmentRecord,
};

/// A segment with the chunks of its member lists.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Populated<'a> {
    /// The segment.
    pub(crate) record: &'a SegmentRecord,
    /// Its chunks, and perhaps others.
    pub(crate) chunks: &'a Chunks,
}

/// What differs between two segments, members included; one that is not there is like one without fields.
///
/// Bounded like [`super::differences()`]. Linear in the units of the chunks that only one of them names.
pub(crate) fn segment_differences(
    before: Option<Populated<'_>>,
    after: Option<Populated<'_>>,
) -> Result<Vec<FieldChange>, MissingChunk> {
    let mut found = Differences::default();
    found.compare("", &document(before), &document(after));
    compare(&mut found, "included", before, after, |record| &record.included)?;
    compare(&mut found, "excluded", before, after, |record| &record.excluded)?;
    Ok(found.into_changes())
}

/// The document without its members.
fn document(populated: Option<Populated<'_>>) -> Json {
    match populated {
        Some(populated) => json("tidegate.v1.Segment", &v1::Segment::from(&populated.record.segment)),
        None => Json::Object(Map::new()),
    }
}

fn compare(
    found: &mut Differences,
    path: &str,
    before: Option<Populated<'_>>,
    after: Option<Populated<'_>>,
    list: impl Fn(&SegmentRecord) -> &Members,
) -> Result<(), MissingChunk> {
    let named = |populated: Option<Populated<'_>>| {
        let chunks = populated.iter().flat_map(|populated| list(populated.record).chunks());
        chunks.collect::<BTreeSet<_>>()
    };
    let (was, is) = (named(before), named(after));
    let gone = units(before, was.difference(&is))?;
    let come = units(after, is.difference(&was))?;
    let count = |populated: Option<Populated<'_>>| populated.map_or(0, |populated| list(populated.record).count());
    let moved = lists::Moved {
        before: count(before),
        after: count(after),
        gone: gone.difference(&come).map(|unit| Json::from(*unit)).collect(),
        come: come.difference(&gone).map(|unit| Json::from(*unit)).collect(),
    };
    lists::note_members(found, path, &moved);
    Ok(())
}

/// The units of some chunks.
fn units<'a, 'c>(
    populated: Option<Populated<'a>>,
    chunks: impl Iterator<Item = &'c ChunkId>,
) -> Result<BTreeSet<&'a str>, MissingChunk> {
    let mut units = BTreeSet::new();
    for id in chunks {
        let chunk = populated.and_then(|populated| populated.chunks.get(id));
        units.extend(chunk.ok_or(MissingChunk(*id))?.units());
    }
    Ok(units)
}

#[cfg(test)]
mod tests;
