//! A chunk: some units of a member list in ascending order, named by what it holds.
//!
//! All units lie in one text, so that a list of 500,000 costs its bytes and four more a unit.

use std::{cmp::Ordering, fmt};

use twox_hash::XxHash3_128;

/// The name of a chunk: XXH3-128 with seed 0 of its units, each with its length as u32 little-endian before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ChunkId(pub(crate) u128);

/// Units in ascending order, each once.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    text: Box<str>,
    /// Where each unit ends in the text.
    ends: Box<[u32]>,
}

impl Chunk {
    /// A chunk of units that ascend.
    pub(super) fn of(units: &[&str]) -> Self {
        let mut text = String::with_capacity(units.iter().map(|unit| unit.len()).sum());
        let ends = units.iter().map(|unit| {
            text.push_str(unit);
            // Chunks are far below 4 GiB: the store takes 1.5 MB.
            text.len() as u32
        });
        let ends = ends.collect();
        Self {
            text: text.into(),
            ends,
        }
    }

    /// A chunk as it was stored: one text and the length of each unit; none unless they make units that ascend.
    pub(crate) fn from_parts(text: String, lengths: &[u32]) -> Option<Self> {
        let mut end = 0u32;
        let mut ends = Vec::with_capacity(lengths.len());
        for length in lengths {
            end = end.checked_add(*length)?;
            text.is_char_boundary(end as usize).then(|| ends.push(end))?;
        }
        let chunk = Self {
            text: text.into(),
            ends: ends.into(),
        };
        let whole = end as usize == chunk.text.len();
        (whole && chunk.units().is_sorted_by(|one, next| one < next)).then_some(chunk)
    }

    /// The units, joined.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Its name.
    pub(crate) fn id(&self) -> ChunkId {
        let mut hashed = Vec::with_capacity(self.text.len() + size_of::<u32>() * self.ends.len());
        for unit in self.units() {
            hashed.extend_from_slice(&(unit.len() as u32).to_le_bytes());
            hashed.extend_from_slice(unit.as_bytes());
        }
        ChunkId(XxHash3_128::oneshot(&hashed))
    }

    /// How many units it holds.
    pub(crate) fn count(&self) -> usize {
        self.ends.len()
    }

    /// A unit by its place.
    pub(super) fn get(&self, at: usize) -> Option<&str> {
        let end = *self.ends.get(at)? as usize;
        Some(&self.text[self.start(at)..end])
    }

    /// The units, ascending.
    pub(crate) fn units(&self) -> impl Iterator<Item = &str> {
        let bounds = self.ends.iter().enumerate();
        bounds.map(|(at, end)| &self.text[self.start(at)..*end as usize])
    }

    /// The place of a unit, or where it would stand.
    pub(super) fn position(&self, unit: &str) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = low + (high - low) / 2;
            let found = &self.text[self.start(middle)..self.ends[middle] as usize];
            match found.cmp(unit) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Ok(middle),
                Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    fn start(&self, at: usize) -> usize {
        at.checked_sub(1).map_or(0, |before| self.ends[before] as usize)
    }
}

impl fmt::Debug for Chunk {
    /// Its size: the units are people.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Chunk")
            .field("units", &self.count())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for ChunkId {
    /// As 32 hexadecimal digits.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", self.0)
    }
}

impl fmt::Debug for ChunkId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}
