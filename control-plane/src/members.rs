//! A member list of a segment: targeting keys, laid in chunks so that adding one of 500,000 rewrites one chunk.
//!
//! Units are spread by a hash. A chunk covers the hashes with one prefix and is split in two when it outgrows its limit,
//! joined with its neighbour when both fit into one: the layout is a function of the set alone, whatever way it was
//! reached, so that equal sets are equal records and share their chunks. A list knows the names of its chunks; what they
//! hold is passed in, from the state or from a history.

mod chunk;
mod layout;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashSet},
    sync::Arc,
};

use twox_hash::XxHash3_64;

pub(crate) use chunk::{Chunk, ChunkId};

/// The most units of both lists of a segment together.
pub(crate) const UNITS_LIMIT: usize = 500_000;
/// The most bytes of both lists of a segment together.
pub(crate) const BYTES_LIMIT: usize = 16 * 1024 * 1024;
/// The most bytes of a unit.
pub(crate) const UNIT_LIMIT: usize = 1_024;

/// Chunks by name.
pub(crate) type Chunks = BTreeMap<ChunkId, Arc<Chunk>>;

/// The units of one list, by the names of their chunks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Members {
    /// Ascending by prefix; their ranges do not overlap.
    parts: Vec<Part>,
}

/// The units whose hashes have one prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// The smallest hash with the prefix.
    pub(crate) first: u32,
    /// Bits of the prefix, 0 to 32.
    pub(crate) bits: u8,
    /// The chunk that holds them.
    pub(crate) chunk: ChunkId,
    /// How many there are; not 0.
    pub(crate) count: u32,
    /// Bytes of the units.
    pub(crate) bytes: u32,
}

/// A list after an edit.
#[derive(Debug)]
pub(crate) struct Edited {
    /// What it is now.
    pub(crate) members: Members,
    /// Chunks that it names and the list before did not.
    pub(crate) fresh: Chunks,
    /// Units that were not there before.
    pub(crate) added: usize,
    /// Units that are no longer there.
    pub(crate) removed: usize,
}

/// A chunk that a list names is not at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the chunk {0} of a member list is missing")]
pub(crate) struct MissingChunk(pub(crate) ChunkId);

impl Members {
    /// A list of these units, each once, whatever their order.
    pub(crate) fn of(units: &[String]) -> Edited {
        let units = units.iter().map(String::as_str).collect::<Vec<_>>();
        layout::edited(&Members::default(), &Chunks::new(), &units, &HashSet::new())
            .expect("an empty list names no chunk that could be missing")
    }

    /// A list as it was stored; none if the parts are not in order or overlap.
    pub(crate) fn from_parts(parts: Vec<Part>) -> Option<Self> {
        let sound = parts
            .iter()
            .all(|part| part.bits <= 32 && part.count > 0 && part.first == part.first & !layout::within(part.bits));
        let apart = parts
            .windows(2)
            .all(|pair| pair[0].first | layout::within(pair[0].bits) < pair[1].first);
        (sound && apart).then_some(Self { parts })
    }

    /// The parts, ascending by prefix.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// How many units there are.
    pub(crate) fn count(&self) -> usize {
        self.parts.iter().map(|part| part.count as usize).sum()
    }

    /// Bytes of the units.
    pub(crate) fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.bytes as usize).sum()
    }

    /// The names of the chunks.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = ChunkId> {
        self.parts.iter().map(|part| part.chunk)
    }

    /// Whether a unit is on the list.
    pub(crate) fn contains(&self, chunks: &Chunks, unit: &str) -> Result<bool, MissingChunk> {
        match self.covering(hash(unit)) {
            Some(at) => Ok(find(chunks, &self.parts[at])?.position(unit).is_ok()),
            None => Ok(false),
        }
    }

    /// All units, in an order that is always the same for the same set.
    pub(crate) fn units(&self, chunks: &Chunks) -> Result<Vec<String>, MissingChunk> {
        let mut units = Vec::with_capacity(self.count());
        for part in &self.parts {
            units.extend(find(chunks, part)?.units().map(str::to_owned));
        }
        Ok(units)
    }

    /// Units in ascending order, behind one if it is given, as long as `more` takes them; whether there are others.
    ///
    /// Merges the chunks, each of which is in order: a page costs its own size and a look into each chunk.
    pub(crate) fn page(
        &self,
        chunks: &Chunks,
        after: Option<&str>,
        mut more: impl FnMut(&str) -> bool,
    ) -> Result<bool, MissingChunk> {
        let held = self.parts.iter().map(|part| find(chunks, part));
        let held = held.collect::<Result<Vec<_>, _>>()?;
        let mut heads = BinaryHeap::with_capacity(held.len());
        for (number, chunk) in held.iter().enumerate() {
            let next = after.map_or(0, |after| match chunk.position(after) {
                Ok(at) => at + 1,
                Err(at) => at,
            });
            heads.extend(chunk.get(next).map(|unit| Reverse((unit, number, next))));
        }
        while let Some(Reverse((unit, number, at))) = heads.pop() {
            if !more(unit) {
                return Ok(true);
            }
            heads.extend(held[number].get(at + 1).map(|unit| Reverse((unit, number, at + 1))));
        }
        Ok(false)
    }

    /// The list with some units and without others; a unit that is in both is there afterwards.
    pub(crate) fn edited(&self, chunks: &Chunks, add: &[String], remove: &[String]) -> Result<Edited, MissingChunk> {
        let add = add.iter().map(String::as_str).collect::<Vec<_>>();
        let remove = remove.iter().map(String::as_str).collect::<HashSet<_>>();
        layout::edited(self, chunks, &add, &remove)
    }

    /// The part that covers a hash.
    fn covering(&self, hash: u32) -> Option<usize> {
        let at = self.parts.partition_point(|part| part.first <= hash).checked_sub(1)?;
        let part = &self.parts[at];
        (hash <= part.first | layout::within(part.bits)).then_some(at)
    }
}

fn find<'c>(chunks: &'c Chunks, part: &Part) -> Result<&'c Chunk, MissingChunk> {
    let chunk = chunks.get(&part.chunk).ok_or(MissingChunk(part.chunk))?;
    Ok(chunk)
}

/// Where a unit lies: the upper half of XXH3-64 with seed 0.
fn hash(unit: &str) -> u32 {
    (XxHash3_64::oneshot(unit.as_bytes()) >> 32) as u32
}

#[cfg(test)]
mod tests;
