//! A unit's bucket: where hash(salt, unit) puts it among 100,000.
//!
//! The same scheme, salt and unit give the same bucket everywhere and for ever: agents, the control plane and a replay
//! must agree. The golden vectors in `tests/data` pin it. Another salt draws anew and independently. A scheme is one case
//! of `Salted`; everything else asks only for buckets.

use std::fmt::Write;
use std::hash::Hasher;

use crate::flag::HashScheme;
use crate::murmur::Murmur;
use crate::percentage::BUCKETS;

/// Who is drawn: the value of the bucketing attribute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Unit<'c> {
    /// A text, not empty.
    Text(&'c str),
    /// A finite number, which stands for its shortest decimal form.
    Number(f64),
}

/// A salt, hashed and ready for a unit.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Salted {
    /// The salt and its colon.
    Murmur3(Murmur),
}

impl Salted {
    /// Prepares a salt made of `parts`, joined as they are.
    pub(crate) fn new(scheme: HashScheme, parts: &[&str]) -> Salted {
        match scheme {
            HashScheme::Murmur3 => {
                let mut murmur = Murmur::default();
                for part in parts {
                    murmur.write(part.as_bytes());
                }
                murmur.write(b":");
                Salted::Murmur3(murmur)
            }
        }
    }

    /// The unit's bucket under this salt, 0 to 99,999.
    #[inline]
    pub(crate) fn bucket(&self, unit: Unit<'_>) -> u32 {
        match self {
            Salted::Murmur3(salted) => {
                let mut murmur = *salted;
                match unit {
                    Unit::Text(text) => murmur.write(text.as_bytes()),
                    // Writing into a hash cannot fail.
                    Unit::Number(number) => _ = write!(murmur, "{number}"),
                }
                // Below 100,000, because the hash is below 2^32.
                ((u64::from(murmur.finish()) * u64::from(BUCKETS)) >> 32) as u32
            }
        }
    }
}

impl Unit<'_> {
    /// Hashes the unit's text.
    pub(crate) fn hash_into(self, hasher: &mut impl Hasher) {
        match self {
            Unit::Text(text) => hasher.write(text.as_bytes()),
            // Writing into a hash cannot fail.
            Unit::Number(number) => _ = write!(Hashed(hasher), "{number}"),
        }
    }
}

/// Text is hashed as it is written.
struct Hashed<'h, H>(&'h mut H);

impl<H: Hasher> Write for Hashed<'_, H> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

impl Write for Murmur {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        Murmur::write(self, text.as_bytes());
        Ok(())
    }
}

/// The bucket of `unit` under `salt`, 0 to 99,999: (murmur3_x86_32(seed 0, UTF-8 of `salt:unit`) * 100,000) >> 32.
///
/// Linear in the length of both; allocates nothing.
pub fn bucket(salt: &str, unit: &str) -> u32 {
    Salted::new(HashScheme::Murmur3, &[salt]).bucket(Unit::Text(unit))
}
