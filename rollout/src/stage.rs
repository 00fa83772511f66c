//! A stage: a share of the units, held for a dwell time.
//!
//! The share is kept per 100,000, as buckets are, so that "1.25 %" is exact and no float ever decides who is exposed.

use crate::Micros;

/// A share of all units, 0..=100,000 per 100,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u32);

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Unique within the plan; a key.
    pub name: String,
    /// The units that get the treatment in this stage.
    pub share: Share,
    /// How long the treatment must soak before the gate is asked.
    pub dwell_us: Micros,
    /// Outcomes that the gate needs in each arm of this visit; 100 by default. Zero is read as one: silence never promotes.
    pub minimum_outcomes: u64,
    /// Units that the gate needs in each arm of this visit; 3 by default. Zero is read as one.
    pub minimum_units: u64,
}

impl Share {
    /// Nobody.
    pub const NONE: Share = Share(0);
    /// Everybody.
    pub const ALL: Share = Share(100_000);

    /// A share of `per_100_000`; `None` above 100,000.
    pub fn new(per_100_000: u32) -> Option<Share> {
        (per_100_000 <= Share::ALL.0).then_some(Share(per_100_000))
    }

    /// Per 100,000.
    pub fn get(self) -> u32 {
        self.0
    }

    /// As a fraction, 0..=1.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / f64::from(Share::ALL.0)
    }

    /// Whether both arms have units, so that treatment can be compared with a live control.
    pub fn is_compared(self) -> bool {
        self > Share::NONE && self < Share::ALL
    }
}

impl Stage {
    /// Outcomes a gate needs in each arm unless a plan says otherwise.
    pub const DEFAULT_MINIMUM_OUTCOMES: u64 = 100;
    /// Units a gate needs in each arm unless a plan says otherwise.
    pub const DEFAULT_MINIMUM_UNITS: u64 = 3;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_share_never_exceeds_everybody() {
        assert_eq!(Share::new(100_000), Some(Share::ALL));
        assert_eq!(Share::new(100_001), None);
    }

    #[test]
    fn only_a_share_with_units_in_both_arms_is_compared() {
        assert!(!Share::NONE.is_compared());
        assert!(Share::new(1).unwrap().is_compared());
        assert!(Share::new(99_999).unwrap().is_compared());
        assert!(!Share::ALL.is_compared());
        assert_eq!(Share::new(5_000).unwrap().fraction(), 0.05);
    }
}
