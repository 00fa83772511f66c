//! A unit's bucket: where hash(salt, unit) puts it among 100,000.
//!
//! The same salt and unit give the same bucket everywhere and for ever: agents, the control plane and a replay must
//! agree. The golden vectors in `tests/data` pin it. Another salt draws anew and independently.

use crate::murmur::Murmur;
use crate::percentage::BUCKETS;

/// A salt with its colon, hashed and ready for a unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Salted(Murmur);

impl Salted {
    /// Prepares a salt made of `parts`, joined as they are.
    pub(crate) fn new(parts: &[&str]) -> Salted {
        let mut murmur = Murmur::default();
        for part in parts {
            murmur.write(part.as_bytes());
        }
        murmur.write(b":");
        Salted(murmur)
    }

    /// The unit's bucket under this salt, 0 to 99,999.
    pub(crate) fn bucket(&self, unit: &str) -> u32 {
        let mut murmur = self.0;
        murmur.write(unit.as_bytes());
        // Below 100,000, because the hash is below 2^32.
        ((u64::from(murmur.finish()) * u64::from(BUCKETS)) >> 32) as u32
    }
}

/// The bucket of `unit` under `salt`, 0 to 99,999: (murmur3_x86_32(seed 0, UTF-8 of `salt:unit`) * 100,000) >> 32.
///
/// Linear in the length of both; allocates nothing.
pub fn bucket(salt: &str, unit: &str) -> u32 {
    Salted::new(&[salt]).bucket(unit)
}
