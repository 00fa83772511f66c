//! A unit's position in a rollout: 18 bits that tell units apart without naming them.
//!
//! Positions are drawn with the rollout's measuring key, which differs from the salt: who got which arm says nothing
//! about positions, and positions of two rollouts cannot be joined.

use std::hash::Hasher;

use siphasher::sip::SipHasher24;

use crate::bucket::Unit;

/// Bits of a position.
const BITS: u32 = 18;

/// Bits of the unit bucket, the top of a position.
const UNIT_BUCKET_BITS: u32 = 6;

/// The lowest bits of a position, all zero in one of 64.
const SAMPLE_MASK: u32 = 0b11_1111;

/// The place of a unit among 2^18.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u32);

impl Position {
    /// The position of `unit`: the top 18 bits of SipHash-2-4 of its UTF-8.
    ///
    /// The hash's 16 key bytes are the measuring key in big-endian order, as it stands on the wire.
    pub fn of(measuring_key: u128, unit: &str) -> Position {
        Position::of_unit(&measuring_key.to_be_bytes(), Unit::Text(unit))
    }

    /// The position of a unit that may be a number.
    pub(crate) fn of_unit(measuring_key: &[u8; 16], unit: Unit<'_>) -> Position {
        let mut hasher = SipHasher24::new_with_key(measuring_key);
        unit.hash_into(&mut hasher);
        Position((hasher.finish() >> (u64::BITS - BITS)) as u32)
    }

    /// A position from its number; none if that has more than 18 bits.
    pub fn new(number: u32) -> Option<Position> {
        (number < 1 << BITS).then_some(Position(number))
    }

    /// Its number, below 2^18.
    pub fn get(self) -> u32 {
        self.0
    }

    /// Its top 6 bits, 0 to 63: the group of units that it is counted in.
    pub fn unit_bucket(self) -> u8 {
        (self.0 >> (BITS - UNIT_BUCKET_BITS)) as u8
    }

    /// Whether its low 6 bits are zero: the one unit in 64 that is looked at more closely.
    pub fn sampled(self) -> bool {
        self.0 & SAMPLE_MASK == 0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn a_position_has_18_bits() {
        assert_eq!(Position::new(1 << 18), None);
        let last = Position::new((1 << 18) - 1).unwrap();
        assert_eq!((last.unit_bucket(), last.sampled()), (63, false));
    }

    #[test]
    fn the_unit_bucket_is_the_top_and_the_sample_the_bottom() {
        let position = Position::new(0b101010_000000_000000).unwrap();
        assert_eq!((position.unit_bucket(), position.sampled()), (0b101010, true));
        assert!(!Position::new(0b101010_000000_000001).unwrap().sampled());
    }
}
