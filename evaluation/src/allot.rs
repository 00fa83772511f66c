//! Lays a split's shares over the buckets so that an edit moves as few units as it can.
//!
//! Buckets change hands only from variants whose share shrinks to variants whose share grows, and no more of them than
//! the shares demand: so nobody is moved who need not be, and growing never takes anyone out. Where there is a choice,
//! it is made so that few runs come of it: first across borders that exist already, then whole small runs, and only then
//! a piece is cut off a run, at the end nearer to where the order written wants it.

use std::collections::BTreeMap;

use crate::limits;
use crate::percentage::{BUCKETS, Buckets};
use crate::split::{Share, Split};

/// Neighbouring buckets of one variant.
#[derive(Clone, Copy, Debug)]
struct Run {
    variant: usize,
    buckets: u32,
}

/// The buckets on their way from the present shares to the wanted ones.
struct Layout {
    runs: Vec<Run>,
    /// How many buckets each variant must still give.
    surplus: Vec<u32>,
    /// How many buckets each variant must still get.
    need: Vec<u32>,
}

/// The ranges of a split with the shares `wanted` that was `present` before; empty if the shares lie in the order written.
///
/// A split that was not there before, or whose present form does not hold all buckets, is laid in the order written. So
/// are wanted shares that `compile` refuses (they do not sum to all buckets, or name a variant twice), and, so that ranges
/// stay bounded, a split that would have more than 10,000 of them. Linear in the runs times those that vanish.
pub fn allot(present: Option<&Split>, wanted: &[Share]) -> Vec<Share> {
    let Some(present) = present.map(runs_of).filter(|runs| total(runs) == BUCKETS.into()) else {
        return Vec::new();
    };
    let mut names: Vec<&str> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for share in wanted.iter().chain(present) {
        places.entry(&share.variant).or_insert_with(|| {
            names.push(&share.variant);
            names.len() - 1
        });
    }
    let is_twice = wanted.len() > names.len() || wanted.iter().zip(&names).any(|(share, name)| share.variant != **name);
    if is_twice || total(wanted) != BUCKETS.into() {
        return Vec::new();
    }
    let runs = present.iter().map(|share| Run {
        variant: places[share.variant.as_str()],
        buckets: share.buckets.get(),
    });
    let runs = Layout::new(runs.collect(), wanted, names.len()).settled();
    let ranges: Vec<Share> = runs
        .iter()
        .map(|run| Share {
            variant: names[run.variant].to_owned(),
            // A run is a part of all buckets.
            buckets: Buckets::new(run.buckets).unwrap_or_default(),
        })
        .collect();
    let in_order = wanted.iter().filter(|share| share.buckets > Buckets::NONE).eq(&ranges);
    if in_order || ranges.len() > limits::RANGES {
        Vec::new()
    } else {
        ranges
    }
}

impl Layout {
    fn new(runs: Vec<Run>, wanted: &[Share], variants: usize) -> Layout {
        let mut held = vec![0_u32; variants];
        for run in &runs {
            held[run.variant] += run.buckets;
        }
        let wanted = |variant: usize| wanted.get(variant).map_or(0, |share| share.buckets.get());
        let of = |difference: fn(u32, u32) -> u32| {
            let variants = held.iter().enumerate();
            variants
                .map(|(variant, held)| difference(*held, wanted(variant)))
                .collect()
        };
        Layout {
            runs,
            surplus: of(u32::saturating_sub),
            need: of(|held, wanted| wanted.saturating_sub(held)),
        }
    }

    /// The runs once every variant has its share.
    fn settled(mut self) -> Vec<Run> {
        self.tidy();
        loop {
            while self.move_borders() {
                self.tidy();
            }
            if !self.cut() {
                return self.runs;
            }
            self.tidy();
        }
    }

    /// Moves each border between one that must give and one that must get; whether any was moved.
    fn move_borders(&mut self) -> bool {
        let mut moved = false;
        for left in 0..self.runs.len().saturating_sub(1) {
            moved |= self.give(left, left + 1) || self.give(left + 1, left);
        }
        moved
    }

    /// Gives buckets of one run to its neighbour, as many as the one must give and the other get.
    fn give(&mut self, from: usize, to: usize) -> bool {
        let (giver, getter) = (self.runs[from].variant, self.runs[to].variant);
        let buckets = self.surplus[giver].min(self.need[getter]).min(self.runs[from].buckets);
        self.runs[from].buckets -= buckets;
        self.runs[to].buckets += buckets;
        self.surplus[giver] -= buckets;
        self.need[getter] -= buckets;
        buckets > 0
    }

    /// Begins a new run beside the smallest run that must give, on the side that the order of the shares wants; whether
    /// there was one.
    fn cut(&mut self) -> bool {
        let givers = self
            .runs
            .iter()
            .enumerate()
            .filter(|(_, run)| self.surplus[run.variant] > 0);
        let Some((from, _)) = givers.min_by_key(|(_, run)| run.buckets) else {
            return false;
        };
        let Some(getter) = self.need.iter().position(|need| *need > 0) else {
            return false;
        };
        let (from, to) = if getter < self.runs[from].variant {
            (from + 1, from)
        } else {
            (from, from + 1)
        };
        self.runs.insert(
            to,
            Run {
                variant: getter,
                buckets: 0,
            },
        );
        self.give(from, to)
    }

    /// Drops empty runs and joins neighbours of one variant.
    fn tidy(&mut self) {
        self.runs.retain(|run| run.buckets > 0);
        self.runs.dedup_by(|next, kept| {
            let joined = next.variant == kept.variant;
            if joined {
                kept.buckets += next.buckets;
            }
            joined
        });
    }
}

/// Who holds which buckets now.
fn runs_of(split: &Split) -> &[Share] {
    if split.ranges.is_empty() {
        &split.shares
    } else {
        &split.ranges
    }
}

fn total(shares: &[Share]) -> u64 {
    shares.iter().map(|share| u64::from(share.buckets.get())).sum()
}

#[cfg(test)]
mod tests;
