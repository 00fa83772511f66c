//! Which positions have been told already: a bad one once per horizon, a sampled exposed one once per stage visit.
//!
//! Both arms keep their own bad positions: which arm came first is for the control plane, that sees all agents, to say.
//! Bounded by the layout: a bitmap covers one sixteenth of the positions (a shard's part), the sampled positions of a
//! shard are 256.

use std::collections::{HashMap, HashSet};

use evaluation::{Arm, Position};

/// Positions of one shard: 2^14 of the 2^18.
const SHARD_POSITIONS: usize = 1 << 14;

/// Stages that a rollout may reach.
const STRATA: usize = 16;
const ARMS: usize = 2;

/// What one shard has told about one rollout.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// By stratum and arm, and in each by metric, in the current horizon.
    bad: [Vec<Option<Bitmap>>; STRATA * ARMS],
    /// By stage and stratum: the visit, and the positions exposed in it.
    exposed: HashMap<(u8, u8), (u32, HashSet<Position>)>,
}

impl Seen {
    /// A horizon has begun: every bad position counts anew.
    pub(crate) fn begin_horizon(&mut self) {
        self.bad = Default::default();
    }

    /// Whether this is the position's first failure in this horizon.
    pub(crate) fn first_bad(&mut self, stratum: u8, arm: Arm, metric: u16, position: Position) -> bool {
        // Strata have 4 bits in a token.
        let metrics = &mut self.bad[usize::from(stratum) % STRATA * ARMS + usize::from(u8::from(arm))];
        let metric = usize::from(metric);
        if metric >= metrics.len() {
            metrics.resize_with(metric + 1, || None);
        }
        metrics[metric].get_or_insert_default().insert(position)
    }

    /// Whether this sampled position is exposed for the first time in this visit of the stage, in either arm.
    pub(crate) fn first_exposed(&mut self, stage: u8, visit: u32, stratum: u8, position: Position) -> bool {
        let (seen_visit, positions) = self.exposed.entry((stage, stratum)).or_default();
        if *seen_visit != visit {
            *seen_visit = visit;
            positions.clear();
        }
        positions.insert(position)
    }
}

#[derive(Debug)]
struct Bitmap(Box<[u64]>);

impl Default for Bitmap {
    fn default() -> Self {
        Self(vec![0; SHARD_POSITIONS / 64].into())
    }
}

impl Bitmap {
    /// Adds a position; false if it was there. Bits 12 to 15 name the shard and are the same for all positions here.
    fn insert(&mut self, position: Position) -> bool {
        let number = position.get();
        let place = ((number >> 16) << 12 | (number & 0xfff)) as usize;
        let (word, bit) = (&mut self.0[place / 64], 1u64 << (place % 64));
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

/// The shard of a position: bits 12 to 15, the low four of its unit bucket.
pub(crate) fn shard_of(position: Position) -> usize {
    usize::from(position.unit_bucket() & 0xf)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn no_two_positions_of_a_shard_share_a_bit() {
        let mut bitmaps: Vec<_> = (0..16).map(|_| Bitmap::default()).collect();
        for number in 0..1 << 18 {
            let position = Position::new(number).unwrap();
            assert!(bitmaps[shard_of(position)].insert(position), "{number}");
            assert!(!bitmaps[shard_of(position)].insert(position), "{number}");
        }
    }

    #[test]
    fn a_position_is_exposed_once_in_each_visit() {
        let mut seen = Seen::default();
        let position = Position::new(64).unwrap();
        assert!(seen.first_exposed(1, 1, 0, position));
        assert!(!seen.first_exposed(1, 1, 0, position));
        assert!(seen.first_exposed(1, 1, 1, position));
        assert!(seen.first_exposed(1, 2, 0, position));
    }

    #[test]
    fn a_position_is_bad_once_in_each_horizon_stratum_arm_and_metric() {
        let mut seen = Seen::default();
        let position = Position::new(7).unwrap();
        assert!(seen.first_bad(0, Arm::Control, 0, position));
        assert!(!seen.first_bad(0, Arm::Control, 0, position));
        assert!(seen.first_bad(0, Arm::Treatment, 0, position));
        assert!(seen.first_bad(1, Arm::Control, 0, position));
        assert!(!seen.first_bad(1, Arm::Control, 0, position));
        assert!(seen.first_bad(15, Arm::Treatment, 40, position));
        assert!(seen.first_bad(15, Arm::Treatment, 3, position));
        assert!(!seen.first_bad(15, Arm::Treatment, 40, position));
        seen.begin_horizon();
        assert!(seen.first_bad(0, Arm::Control, 0, position));
    }
}
