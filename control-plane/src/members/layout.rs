//! How units are laid in chunks: a tree over the bits of their hashes, whose leaves are the chunks.
//!
//! A prefix is a leaf if all its units fit into one chunk, else it has two halves. The rule looks at the set only, so an
//! edit lays anew what it touches and keeps every other chunk as it is.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use super::{Chunk, Chunks, Edited, Members, MissingChunk, Part, find, hash};

/// The most that the units of a chunk weigh. Small, because each edit of a unit rewrites a chunk, and its history keeps it.
const CHUNK_WEIGHT: usize = 32 * 1024;
/// What a unit weighs beside its bytes.
const UNIT_WEIGHT: usize = 4;
/// Bits of a hash.
const MAX_BITS: u8 = 32;

/// A unit with its hash.
type Hashed<'a> = (u32, &'a str);

/// The hashes with one prefix, and what there is of them: parts that stay as they are, and units to lay.
struct Range<'a> {
    first: u32,
    bits: u8,
    kept: &'a [Part],
    loose: &'a [Hashed<'a>],
}

/// What has been laid so far.
#[derive(Default)]
struct Laid {
    parts: Vec<Part>,
    fresh: Chunks,
}

/// The bits of a hash behind a prefix, all set.
pub(super) fn within(bits: u8) -> u32 {
    u32::MAX.checked_shr(u32::from(bits)).unwrap_or(0)
}

/// The list with some units and without others.
pub(super) fn edited(
    members: &Members,
    chunks: &Chunks,
    add: &[&str],
    remove: &HashSet<&str>,
) -> Result<Edited, MissingChunk> {
    let touched = add
        .iter()
        .chain(remove.iter())
        .filter_map(|unit| members.covering(hash(unit)));
    let touched = touched.collect::<BTreeSet<_>>();
    let mut loose = Vec::<Hashed<'_>>::with_capacity(add.len());
    let mut before = 0;
    for at in &touched {
        let chunk = find(chunks, &members.parts[*at])?;
        before += chunk.count();
        loose.extend(chunk.units().filter(|unit| !remove.contains(unit)).map(hashed));
    }
    let stayed = loose.len();
    loose.extend(add.iter().map(|unit| hashed(unit)));
    loose.sort_unstable();
    loose.dedup();
    let kept = members.parts.iter().enumerate();
    let kept = kept.filter(|(at, _)| !touched.contains(at)).map(|(_, part)| *part);
    let kept = kept.collect::<Vec<_>>();
    let mut laid = Laid::default();
    let all = Range {
        first: 0,
        bits: 0,
        kept: &kept,
        loose: &loose,
    };
    laid.lay(chunks, all)?;
    let named = members.chunks().collect::<HashSet<_>>();
    laid.fresh.retain(|id, _| !named.contains(id));
    let again = add
        .iter()
        .filter(|unit| remove.contains(*unit))
        .copied()
        .collect::<BTreeSet<_>>();
    let returned = again
        .into_iter()
        .map(|unit| members.contains(chunks, unit).map(usize::from));
    let returned = returned.sum::<Result<usize, _>>()?;
    Ok(Edited {
        added: loose.len() - stayed - returned,
        removed: before - stayed - returned,
        members: Members { parts: laid.parts },
        fresh: laid.fresh,
    })
}

fn hashed(unit: &str) -> Hashed<'_> {
    (hash(unit), unit)
}

fn weight(part: &Part) -> usize {
    part.bytes as usize + UNIT_WEIGHT * part.count as usize
}

impl Laid {
    fn lay(&mut self, chunks: &Chunks, range: Range<'_>) -> Result<(), MissingChunk> {
        let kept = range.kept.iter().map(weight).sum::<usize>();
        let loose = range
            .loose
            .iter()
            .map(|(_, unit)| unit.len() + UNIT_WEIGHT)
            .sum::<usize>();
        match (range.kept, range.loose) {
            ([], []) => Ok(()),
            ([part], []) if kept <= CHUNK_WEIGHT || range.bits == MAX_BITS => {
                let (first, bits) = (range.first, range.bits);
                self.parts.push(Part { first, bits, ..*part });
                Ok(())
            }
            _ if kept + loose <= CHUNK_WEIGHT || range.bits == MAX_BITS => self.leaf(chunks, &range),
            // It covers more than a half: its units are laid again.
            ([part], _) if part.bits <= range.bits => {
                let mut units = range.loose.to_vec();
                units.extend(find(chunks, part)?.units().map(hashed));
                units.sort_unstable();
                let loose = &units;
                self.halves(
                    chunks,
                    Range {
                        kept: &[],
                        loose,
                        ..range
                    },
                )
            }
            _ => self.halves(chunks, range),
        }
    }

    fn halves(&mut self, chunks: &Chunks, range: Range<'_>) -> Result<(), MissingChunk> {
        let bits = range.bits + 1;
        let middle = range.first | (within(range.bits) - within(bits));
        let kept = range.kept.partition_point(|part| part.first < middle);
        let loose = range.loose.partition_point(|(hash, _)| *hash < middle);
        let lower = Range {
            first: range.first,
            bits,
            kept: &range.kept[..kept],
            loose: &range.loose[..loose],
        };
        let upper = Range {
            first: middle,
            bits,
            kept: &range.kept[kept..],
            loose: &range.loose[loose..],
        };
        self.lay(chunks, lower)?;
        self.lay(chunks, upper)
    }

    fn leaf(&mut self, chunks: &Chunks, range: &Range<'_>) -> Result<(), MissingChunk> {
        let mut units = range.loose.iter().map(|(_, unit)| *unit).collect::<Vec<_>>();
        for part in range.kept {
            units.extend(find(chunks, part)?.units());
        }
        units.sort_unstable();
        let chunk = Chunk::of(&units);
        let id = chunk.id();
        self.parts.push(Part {
            first: range.first,
            bits: range.bits,
            chunk: id,
            // Both are far below 2^32: a segment has 500,000 units and 16 MiB at most.
            count: chunk.count() as u32,
            bytes: chunk.text().len() as u32,
        });
        self.fresh.insert(id, Arc::new(chunk));
        Ok(())
    }
}
