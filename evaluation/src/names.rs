//! The hash of a name or a listed unit, for maps that live in a snapshot.
//!
//! What is hashed into these maps comes from operators; a caller's text is only looked up. So the hash may be fast
//! instead of defended: eight bytes a step, each step one multiplication folded to 64 bits. It is never stored or sent.

use std::hash::{BuildHasherDefault, Hasher};

/// Builds the hashers of a map or set.
pub(crate) type BuildNameHasher = BuildHasherDefault<NameHasher>;

/// An odd number without pattern: the first 64 bits of the fraction of pi.
const MULTIPLIER: u64 = 0x243F_6A88_85A3_08D3;

/// Hashes one name.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NameHasher(u64);

impl NameHasher {
    fn add(&mut self, word: u64) {
        let product = u128::from(self.0.wrapping_add(MULTIPLIER) ^ word) * u128::from(MULTIPLIER);
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        if let Some(last) = bytes.last_chunk::<8>() {
            if !rest.is_empty() {
                // Overlaps the word before; the length, added last, tells such ends apart.
                self.add(u64::from_le_bytes(*last));
            }
        } else {
            self.add(rest.iter().rfold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
        self.add(bytes.len() as u64);
    }

    fn write_u8(&mut self, byte: u8) {
        self.add(u64::from(byte));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The hash of `name` in the space that `kind` numbers.
pub(crate) fn name_hash(kind: u8, name: &str) -> u64 {
    let mut hasher = NameHasher(u64::from(kind));
    hasher.write(name.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn similar_names_spread_over_all_shards() {
        let mut hits = vec![0_u32; 1024];
        let mut hashes = HashSet::new();
        for number in 0..102_400 {
            let hash = name_hash(1, &format!("service.feature-{number}"));
            hashes.insert(hash);
            hits[(hash >> 54) as usize] += 1;
        }
        assert_eq!(hashes.len(), 102_400);
        assert!(hits.iter().all(|hits| (50..=160).contains(hits)));
    }

    #[test]
    fn every_byte_and_the_length_count() {
        let mut hashes = HashSet::new();
        for length in 0..40 {
            for changed in 0..=length {
                let mut name = vec![b'a'; length];
                name.iter_mut().skip(changed).take(1).for_each(|byte| *byte = b'b');
                hashes.insert(name_hash(1, &String::from_utf8_lossy(&name)));
            }
        }
        assert_eq!(hashes.len(), (0..40).map(|length| length + 1).sum::<usize>());
    }
}
